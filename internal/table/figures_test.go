package table

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"ktriage/kube"
	"ktriage/themes"
)

func barOf(percent, tick int) Cell {
	return Cell{Bar: Bar{On: true, Share: percent * 10, Ticked: tick >= 0, Tick: tick * 10, Token: themes.Bar}}
}

func sparkOf(heights ...uint8) Cell {
	c := Cell{Spark: Spark{On: true, Points: len(heights), Token: themes.Spark}}
	copy(c.Spark.Heights[:], heights)
	return c
}

// written is what a pen writes of a cell into a column of that width, with a mark behind it.
func written(c Cell, width, left int) string {
	var b strings.Builder
	n := pen{b: &b, p: painter(), left: left}
	n.cell(drawn{c, c.width()}, width, false, false)
	n.write(themes.Text, "|", 1)
	return ansi.Strip(b.String())
}

// The wanted bars are those of the mock-up, in a column of 8 cells.
func TestBarIsFullToTheEighthAndItsTickIsSeenBehindIt(t *testing.T) {
	for _, c := range []struct {
		percent, tick int
		want          string
	}{
		{81, 80, "██████▍ "}, {77, 80, "██████▏ "}, {74, 88, "█████▉ │"}, {71, 79, "█████▋│ "}, {66, 71, "█████▎  "},
		{63, 70, "█████│  "}, {9, 12, "▋       "}, {18, 15, "█▍      "}, {2, 3, "▏       "}, {1, 2, "│       "},
		{0, 0, "│       "}, {0, -1, "        "}, {100, 100, "████████"}, {100, -1, "████████"}, {250, 300, "████████"},
		{50, 300, "████   │"}, {-5, -1, "        "},
	} {
		if got := written(barOf(c.percent, c.tick), 8, 80); got != c.want+"|" {
			t.Errorf("%d%% with a tick at %d%%: %q, want %q", c.percent, c.tick, got, c.want)
		}
	}
}

func TestSparklineShowsItsNewestPointsAndGaps(t *testing.T) {
	all := sparkOf(1, 2, 3, 4, 5, 0, 7, 8)
	for width, want := range map[int]string{8: "▁▂▃▄▅ ▇█|", 10: "▁▂▃▄▅ ▇█  |", 3: " ▇█|", 1: "█|", 0: "|"} {
		if got := written(all, width, 80); got != want {
			t.Errorf("in %d cells %q, want %q", width, got, want)
		}
	}
	if got := written(sparkOf(), 3, 80); got != "   |" {
		t.Errorf("without points %q", got)
	}
}

func TestFiguresAreExactlyAsWideAsTheirColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, left := rapid.IntRange(0, 40).Draw(t, "width"), rapid.IntRange(0, 60).Draw(t, "left")
		c := barOf(rapid.IntRange(-10, 200).Draw(t, "percent"), rapid.IntRange(-1, 200).Draw(t, "tick"))
		if rapid.Bool().Draw(t, "spark") {
			c = sparkOf(rapid.SliceOfN(rapid.Uint8Range(0, 12), 0, SparkPoints).Draw(t, "heights")...)
		}
		want := min(width, left)
		if left > want {
			want++
		}
		if got := written(c, width, left); ansi.StringWidth(got) != want {
			t.Errorf("%q has %d cells, want %d", got, ansi.StringWidth(got), want)
		}
	})
}

// withBars is a table like that of the nodes' use.
func withBars(cells func(int) Cell) *Model[*pod] {
	figure := func(kube.Moment) Cell { return Cell{Text: "74"} }
	columns := []Column[*pod]{{ID: "name", Title: "NODE", Min: 4, Max: 30, Flex: true, Cell: field(func(p *pod) string { return p.ref.Name })}}
	for i := range 2 {
		columns = append(columns,
			Column[*pod]{ID: fmt.Sprint("bar", i), Title: "CPU", Min: 8, Max: 20, Even: true, Cell: func(*pod, kube.Moment) Cell { return cells(i) }},
			Column[*pod]{ID: fmt.Sprint("use", i), Title: "use%", Min: 4, Right: true, Cell: func(_ *pod, m kube.Moment) Cell { return figure(m) }})
	}
	m := New(columns, severityOf)
	m.SetSnapshot(snapshot("a", "b"))
	return m
}

func TestBarsStayAsWideAsEachOther(t *testing.T) {
	for width := 30; width < 120; width++ {
		m := withBars(func(int) Cell { return barOf(100, -1) })
		row := draw(m, width, 2, true)[1]
		bars := strings.FieldsFunc(row[strings.IndexRune(row, 'a'):], func(r rune) bool { return r != '█' })
		if len(bars) != 2 || bars[0] != bars[1] {
			t.Errorf("in %d cells the bars are %q", width, bars)
		}
	}
}

func TestArrowStandsInPlaceOfTheUnit(t *testing.T) {
	m := withBars(func(int) Cell { return barOf(10, -1) })
	m.SetSort("use0", true)
	if head := draw(m, 60, 2, true)[0]; !strings.Contains(head, " use↓ ") || !strings.Contains(head, " use%") {
		t.Errorf("the head is %q", head)
	}
}

func TestColumnThatHasNothingToShowIsNotThere(t *testing.T) {
	absent := true
	columns := podColumns()
	columns[1].Absent = func() bool { return absent }
	m := New(columns, severityOf)
	m.SetSnapshot(snapshot("a"))
	if head := draw(m, 200, 2, true)[0]; strings.Contains(head, columns[1].Title) {
		t.Errorf("it is there: %q", head)
	}
	if left, right := m.More(); left || right {
		t.Error("it counts as out of view")
	}
	m.ScrollColumns(1)
	draw(m, 200, 2, true)
	if left, _ := m.More(); left {
		t.Error("all columns fit, but they scroll")
	}
	absent = false
	if head := draw(m, 200, 2, true)[0]; !strings.Contains(head, columns[1].Title) {
		t.Errorf("it is not there: %q", head)
	}
}

func TestBarsAndSparklinesCostNoMemory(t *testing.T) {
	frame := func(cell Cell) float64 {
		m := withBars(func(int) Cell { return cell })
		var b strings.Builder
		return testing.AllocsPerRun(50, func() {
			b.Reset()
			b.Grow(8192)
			m.Draw(&b, 80, 3, time.Time{}, true, painter())
		})
	}
	empty := frame(Cell{})
	if bar, line := frame(barOf(77, 88)), frame(sparkOf(1, 2, 3, 4, 5, 6, 7, 8)); bar != empty || line != empty {
		t.Errorf("%.0f allocations without figures, %.0f with bars, %.0f with sparklines", empty, bar, line)
	}
}
