// Screenshot draws pictures of the real program for the README: it runs ktriage in a pseudo-terminal, presses keys, and
// writes what a terminal would show as SVG. Its one rule: nothing in the pictures is made up.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"image/color"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// shot is one picture: a size, the keys that lead to it, and what must be on the screen before it is taken.
type shot struct {
	name string
	w, h int
	args []string
	keys []string
	want string
	// again is a key that is pressed every two seconds until want is there: it has the program look again.
	again string
}

var shots = []shot{
	{name: "grid", w: 160, h: 40, want: "worker-07"},
	{name: "nodes", w: 80, h: 24, args: []string{"nodes"}, want: "worker-07"},
	{name: "pods", w: 80, h: 24, args: []string{"pods"}, want: "CrashLoopBackOff"},
	{name: "help", w: 120, h: 32, keys: []string{"?"}, want: "Keys for"},
	{name: "palette", w: 80, h: 24, keys: []string{":", "c", "a", "r", "t"}, want: "shop/cart-2"},
	{name: "drain", w: 100, h: 34, keys: []string{"/", "w", "o", "r", "k", "e", "r", "-", "0", "8", "\r", "r"}, want: "pods leave"},
	{name: "workloads", w: 80, h: 24, args: []string{"workloads"}, want: "CrashLoopBackOff"},
	{name: "events", w: 100, h: 30, args: []string{"events"}, want: "BackOff"},
	{name: "top", w: 100, h: 34, args: []string{"top"}, want: "s ago"},
	{name: "certs", w: 80, h: 24, args: []string{"--pane", "certs"}, want: "webhook"},
	{name: "certificate", w: 100, h: 34, args: []string{"--pane", "certs"}, keys: []string{"/", "a", "p", "i", "s", "e", "r", "v", "e", "r", " ", "h", "a", "n", "d", "\r", "\r"}, want: "chain, as", again: "\r"},
	{name: "approve", w: 100, h: 30, args: []string{"--pane", "certs"}, keys: []string{"C", "a"}, want: "what it asks for", again: "a"},
	{name: "scale", w: 100, h: 34, args: []string{"workloads"}, keys: []string{"/", "p", "r", "o", "m", "e", "t", "h", "\r", "s", "1"}, want: "replicas to 1"},
	{name: "force-delete", w: 100, h: 36, args: []string{"pods"}, keys: []string{"/", "s", "h", "o", "p", "/", " ", "t", "e", "r", "m", "i", "n", "\r", "X"}, want: "which is true?", again: "\x12"},
}

const (
	cellW, cellH = 8.4, 18
	paper, ink   = "#11161c", "#d6dce3"
	patience     = 20 * time.Second
)

func main() {
	program := flag.String("program", "bin/ktriage", "the program")
	out := flag.String("out", "docs/screens", "folder of the pictures")
	flag.Parse()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		log.Fatal(err)
	}
	for _, s := range shots {
		if err := s.take(*program, *out); err != nil {
			log.Fatalf("%s: %v", s.name, err)
		}
	}
}

// screen is a terminal that can be read while it is written to.
type screen struct {
	sync.Mutex
	*vt.Emulator
}

func (s *screen) Write(p []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Emulator.Write(p)
}

func (s *screen) text() string {
	s.Lock()
	defer s.Unlock()
	return s.String()
}

func (s shot) take(program, out string) error {
	cmd := exec.Command(program, append([]string{"--theme", "dark", "--color", "truecolor"}, s.args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(s.w), Rows: uint16(s.h)})
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	defer tty.Close()
	term := &screen{Emulator: vt.NewEmulator(s.w, s.h)}
	go func() { _, _ = io.Copy(term, tty) }()
	go func() { _, _ = io.Copy(tty, term.Emulator) }() // the terminal's answers
	if err := await(term, "live", func() {}); err != nil {
		return err
	}
	for _, k := range s.keys {
		if _, err := io.WriteString(tty, k); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	pressed := time.Now()
	if err := await(term, s.want, func() {
		if s.again != "" && time.Since(pressed) > 2*time.Second {
			pressed = time.Now()
			_, _ = io.WriteString(tty, s.again)
		}
	}); err != nil {
		return err
	}
	time.Sleep(time.Second) // samples and the terminal's answers
	term.Lock()
	picture := draw(term.Emulator, s.w, s.h)
	term.Unlock()
	if err := os.WriteFile(filepath.Join(out, s.name+".svg"), picture, 0o644); err != nil {
		return err
	}
	_, _ = io.WriteString(tty, "\x03")
	return cmd.Wait()
}

// await waits until the screen shows a text, and does something each time that it does not.
func await(s *screen, want string, meanwhile func()) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(s.text(), want) {
			return nil
		}
		meanwhile()
	}
	return fmt.Errorf("%q is not on the screen:\n%s", want, s.text())
}

// draw makes an SVG of the cells, a run of one style at a time.
func draw(e *vt.Emulator, w, h int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`+"\n",
		float64(w)*cellW+16, h*cellH+16)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="6" fill="%s"/>`+"\n", paper)
	for y := range h {
		for x := 0; x < w; {
			x = drawRun(&b, e, x, y, w)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

type style struct {
	fg, bg string
	bold   bool
}

func styleAt(e *vt.Emulator, x, y int) (style, string) {
	c := e.CellAt(x, y)
	if c == nil {
		return style{fg: ink}, " "
	}
	s := style{fg: hex(c.Style.Fg, ink), bg: hex(c.Style.Bg, "")}
	s.bold = c.Style.Attrs&1 != 0
	if c.Style.Attrs&(1<<5) != 0 { // reverse
		s.fg, s.bg = paper, s.fg
	}
	if c.Content == "" {
		return s, " "
	}
	return s, c.Content
}

// drawRun draws from x on as long as the style stays the same, and gives where it ends.
func drawRun(b *bytes.Buffer, e *vt.Emulator, x, y, w int) int {
	s, _ := styleAt(e, x, y)
	end, text := x, ""
	for end < w {
		t, content := styleAt(e, end, y)
		if t != s {
			break
		}
		text += content
		end++
	}
	left, top := 8+float64(x)*cellW, 8+y*cellH
	if s.bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, top, float64(end-x)*cellW, cellH, s.bg)
	}
	if strings.TrimSpace(text) != "" {
		weight := ""
		if s.bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="%s"%s textLength="%.1f" xml:space="preserve">%s</text>`+"\n",
			left, top+14, s.fg, weight, float64(end-x)*cellW, html.EscapeString(text))
	}
	return end
}

func hex(c color.Color, none string) string {
	if c == nil {
		return none
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
