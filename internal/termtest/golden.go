package termtest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// Golden compares the screen with testdata/NAME.golden.
func (t *Terminal) Golden(tb testing.TB, name string) {
	tb.Helper()
	golden(tb, name, t.Screen())
}

// GoldenStyled compares the screen and its styles with testdata/NAME.golden. Below the text, every cell has the letter of
// its style; the legend says which it is, as the escape sequence that a terminal would be sent for it.
func (t *Terminal) GoldenStyled(tb testing.TB, name string) {
	tb.Helper()
	golden(tb, name, t.Screen()+"\n"+t.styles())
}

func (t *Terminal) styles() string {
	w, h := t.Size()
	letters := map[string]byte{"": ' '}
	var cells, legend strings.Builder
	for y := range h {
		line := make([]byte, w)
		for x := range w {
			c := t.Cell(x, y)
			s := look(c)
			l, known := letters[s]
			if !known {
				l = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[len(letters)-1]
				letters[s] = l
				fmt.Fprintf(&legend, "%c %s\n", l, s)
			}
			line[x] = l
		}
		cells.WriteString(strings.TrimRight(string(line), " "))
		cells.WriteByte('\n')
	}
	return cells.String() + "\n" + legend.String()
}

// look is what can be seen of a cell's style, as the parameters of a sequence: "1;38;5;167". The colour of a letter that
// is not there cannot be seen.
func look(c uv.Cell) string {
	s := c.Style
	if c.Content == " " && s.Attrs&uv.AttrReverse == 0 && s.Underline == uv.UnderlineNone {
		s.Fg, s.Attrs = nil, 0
	}
	if s.IsZero() {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(s.String(), "\x1b["), "m")
}

// polled is how long ago samples were taken: a poll comes a moment sooner or later, and only that there is one is compared.
var polled = regexp.MustCompile(`newest [0-9]s ago`)

func golden(tb testing.TB, name, got string) {
	tb.Helper()
	got = polled.ReplaceAllString(got, "newest 0s ago")
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil {
		tb.Fatalf("%v; go test -update writes it", err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		tb.Errorf("the screen is not that of %s (go test -update writes it anew; look at the difference first):\n%s", path, d)
	}
}
