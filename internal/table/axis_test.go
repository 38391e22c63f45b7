package table

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"ktriage/kube"
	"ktriage/themes"
)

// onAxis is a table of one name and one place on an axis.
func onAxis(cells int) *Model[*pod] {
	m := New([]Column[*pod]{
		{ID: "name", Title: "NAME", Min: 4, Cell: field(func(p *pod) string { return p.ref.Name })},
		{ID: "days", Title: "0    5    10", Min: 12, Drop: 1, Cell: func(*pod, kube.Moment) Cell {
			return Cell{Axis: Axis{Cells: cells, Mark: themes.GlyphBad, Token: themes.Bad, On: true}}
		}},
	}, severityOf)
	m.SetSnapshot(snapshot("a"))
	return m
}

func TestPlaceOnAnAxisIsALineWithAMarkAtItsEnd(t *testing.T) {
	for _, c := range []struct {
		cells, width int
		want         string
	}{
		{0, 30, "▌· a    ■                    "},
		{3, 30, "▌· a    ───■"},
		{11, 30, "▌· a    ───────────■"},
		{3, 10, "▌· a"},
	} {
		var b strings.Builder
		onAxis(c.cells).Draw(&b, c.width, 2, time.Time{}, true, painter())
		row := strings.Split(b.String(), "\n")[1]
		if got := ansi.Strip(row); strings.TrimRight(got, " ") != strings.TrimRight(c.want, " ") || ansi.StringWidth(got) != c.width {
			t.Errorf("%d cells in %d: %q, want %q", c.cells, c.width, got, c.want)
		}
	}
}

func TestPlaceOnAnAxisCostsNoMemory(t *testing.T) {
	frame := func(m *Model[*pod]) float64 {
		var b strings.Builder
		return testing.AllocsPerRun(50, func() {
			b.Reset()
			b.Grow(4096)
			m.Draw(&b, 80, 2, time.Time{}, true, painter())
		})
	}
	if short, long := frame(onAxis(0)), frame(onAxis(11)); short != long {
		t.Errorf("%.0f allocations without a line, %.0f with one", short, long)
	}
}

func TestRowsOfWhichNobodyKnowsHaveAQuestionMark(t *testing.T) {
	m := newPods("a", "b")
	m.SetUnknown(func(p *pod) bool { return p.ref.UID == "b" })
	lines := draw(m, 80, 3, true)
	if !strings.HasPrefix(lines[1], "▌· ") || !strings.HasPrefix(lines[2], " ? ") {
		t.Errorf("signs of\n%s\n%s", lines[1], lines[2])
	}
}

func TestListThatIsOnlyLookedAtHasNoCursor(t *testing.T) {
	m := newPods("a")
	m.HideCursor()
	if got := draw(m, 80, 2, false); !strings.HasPrefix(got[1], " · ") {
		t.Errorf("a cursor is drawn: %q", got[1])
	}
}
