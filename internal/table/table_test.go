package table

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"ktriage/kube"
	"ktriage/themes"
)

// pod is a row as tests need it: its cells are its fields.
type pod struct {
	ref                                kube.Ref
	ready, status, restarts, age, node string
	severity                           kube.Severity
}

func (p *pod) Ref() kube.Ref                           { return p.ref }
func (p *pod) Matches(word string, _ kube.Moment) bool { return strings.Contains(p.ref.Name, word) }

func severityOf(p *pod, _ kube.Moment) kube.Severity { return p.severity }

func field(get func(*pod) string) func(*pod, kube.Moment) Cell {
	return func(p *pod, _ kube.Moment) Cell { return Cell{Text: get(p)} }
}

// podColumns are those of the Pods pane.
func podColumns() []Column[*pod] {
	return []Column[*pod]{
		{ID: "name", Title: "NAMESPACE/NAME", Min: 24, Max: 60, Flex: true, Middle: true, Cell: field(func(p *pod) string {
			return p.ref.Namespace + "/" + p.ref.Name
		})},
		{ID: "ready", Title: "READY", Drop: 1, Right: true, Cell: field(func(p *pod) string { return p.ready })},
		{ID: "status", Title: "STATUS", Min: 8, Max: 16, Cell: func(p *pod, _ kube.Moment) Cell {
			return Cell{Text: p.status, Token: signs[p.severity].token}
		}},
		{ID: "restarts", Title: "RESTARTS", Drop: 3, Right: true, Cell: field(func(p *pod) string { return p.restarts })},
		{ID: "age", Title: "AGE", Min: 5, Drop: 4, Right: true, Cell: field(func(p *pod) string { return p.age })},
		{ID: "node", Title: "NODE", Min: 9, Drop: 2, Middle: true, Cell: field(func(p *pod) string { return p.node })},
	}
}

func named(uid string) *pod {
	return &pod{
		ref:   kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: uid, UID: uid},
		ready: "0/1", status: "Running", restarts: "1234567", age: "6h11m", node: "worker-1",
	}
}

func snapshot(uids ...string) *kube.Snapshot[*pod] {
	var rows []*pod
	for _, uid := range uids {
		rows = append(rows, named(uid))
	}
	return kube.NewSnapshot(rows, kube.Moment{})
}

// filtered is a snapshot of a store that holds more than these.
func filtered(uids ...string) *kube.Snapshot[*pod] {
	s := snapshot(uids...)
	s.Total += 100
	return s
}

func numbered(n int) []string {
	var uids []string
	for i := range n {
		uids = append(uids, fmt.Sprintf("p%03d", i))
	}
	return uids
}

func newPods(uids ...string) *Model[*pod] {
	m := New(podColumns(), severityOf)
	m.SetSnapshot(snapshot(uids...))
	return m
}

// draw gives the lines of a frame without their colours.
func draw[R kube.Row](m *Model[R], w, h int, focused bool) []string {
	var b strings.Builder
	m.Draw(&b, w, h, time.Time{}, focused, painter())
	return strings.Split(ansi.Strip(b.String()), "\n")
}

// cursorLine gives the line of the screen, counted from the header's 0, on which the cursor stands, and its text.
func cursorLine(lines []string) (int, string) {
	glyph := painter().Glyph(themes.GlyphCursor)
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, glyph) })
	if i < 0 {
		return i, ""
	}
	return i, lines[i]
}

func current(t interface {
	Helper()
	Fatal(...any)
}, m *Model[*pod],
) string {
	t.Helper()
	row, ok := m.Current()
	if !ok {
		t.Fatal("no row under the cursor")
	}
	return row.ref.UID
}

func TestCursorFollowsItsObjectWhenRowsAppearAbove(t *testing.T) {
	m := newPods(numbered(50)...)
	draw(m, 80, 11, true)
	m.Move(5)
	m.SetSnapshot(snapshot(append([]string{"a", "b", "c"}, numbered(50)...)...))
	line, text := cursorLine(draw(m, 80, 11, true))
	if line != 6 || !strings.Contains(text, "p005") {
		t.Errorf("cursor on line %d: %q", line, text)
	}
	if first, last := m.Range(); first != 3 || last != 13 {
		t.Errorf("in view %d to %d", first, last)
	}
}

func TestCursorStaysOnTheFirstRowUntilAKeyChoosesOne(t *testing.T) {
	m := newPods("p2")
	draw(m, 80, 11, true)
	m.SetSnapshot(snapshot("p1", "p2"))
	if got := current(t, m); got != "p1" {
		t.Errorf("before any key the cursor is on %s", got)
	}
	m.Move(0)
	m.SetSnapshot(snapshot("p0", "p1", "p2"))
	if got := current(t, m); got != "p1" {
		t.Errorf("after a key the cursor is on %s", got)
	}
}

func TestCursorGoesToTheNextRowWhenItsObjectGoes(t *testing.T) {
	for _, c := range []struct {
		name  string
		after []string
		want  string
	}{
		{"the next one", []string{"a", "b", "d", "e"}, "d"},
		{"the next one that is left", []string{"a", "b", "e"}, "e"},
		{"the next one, wherever it went", []string{"d", "x", "a", "b"}, "d"},
		{"the one above at the end", []string{"a", "b"}, "b"},
		{"the same place among strangers", []string{"u", "v", "w", "x"}, "w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newPods("a", "b", "c", "d", "e")
			m.Select("c")
			m.SetSnapshot(snapshot(c.after...))
			if got := current(t, m); got != c.want {
				t.Errorf("cursor on %s, want %s", got, c.want)
			}
		})
	}
}

func TestGoneIsReportedOnce(t *testing.T) {
	m := newPods("a", "b", "c")
	m.Select("b")
	m.SetSnapshot(snapshot("a", "c"))
	if ref, ok := m.Gone(); !ok || ref.Name != "b" || ref.Namespace != "shop" {
		t.Errorf("gone: %+v, %t", ref, ok)
	}
	if ref, ok := m.Gone(); ok {
		t.Errorf("reported again: %+v", ref)
	}
	m.SetSnapshot(snapshot())
	if ref, ok := m.Gone(); !ok || ref.Name != "c" {
		t.Errorf("gone with the last row: %+v, %t", ref, ok)
	}
}

func TestEmptyListForgetsNeitherTheObjectNorItsLine(t *testing.T) {
	m := newPods(numbered(50)...)
	draw(m, 80, 11, true)
	m.Move(33)
	m.Move(-4)
	before, _ := cursorLine(draw(m, 80, 11, true))
	m.SetSnapshot(snapshot())
	if ref, ok := m.Gone(); !ok || ref.Name != "p029" {
		t.Errorf("gone: %+v, %t", ref, ok)
	}
	draw(m, 80, 11, true)
	m.Page(1)
	m.Move(1)
	m.SetSnapshot(filtered())
	m.SetSnapshot(snapshot(numbered(50)...))
	if line, text := cursorLine(draw(m, 80, 11, true)); line != before || !strings.Contains(text, "p029") {
		t.Errorf("cursor on line %d, want %d: %q", line, before, text)
	}
	m.SetSnapshot(snapshot())
	m.Gone()
	m.SetSnapshot(snapshot("a", "b"))
	if ref, ok := m.Gone(); ok {
		t.Errorf("reported again when other rows came: %+v", ref)
	}
}

func TestHeldObjectKeepsTheCursorWithoutAMovement(t *testing.T) {
	m := newPods("p2")
	m.Hold()
	m.SetSnapshot(snapshot("p1", "p2"))
	if got := current(t, m); got != "p2" {
		t.Errorf("the cursor is on %s", got)
	}
}

func TestResetBeginsAtTheFirstRowWhichNobodyChose(t *testing.T) {
	m := newPods(numbered(50)...)
	draw(m, 80, 11, true)
	m.Last()
	m.SetSnapshot(snapshot(numbered(49)...))
	m.Reset()
	if ref, ok := m.Gone(); ok {
		t.Errorf("reported gone: %+v", ref)
	}
	if line, text := cursorLine(draw(m, 80, 11, true)); line != 1 || !strings.Contains(text, "p000") {
		t.Errorf("cursor on line %d: %q", line, text)
	}
	m.SetSnapshot(snapshot(append([]string{"worse"}, numbered(49)...)...))
	if got := current(t, m); got != "worse" {
		t.Errorf("the cursor is on %s", got)
	}
}

func TestNothingIsReportedGoneThatNobodyChose(t *testing.T) {
	m := newPods("a", "b")
	m.SetSnapshot(snapshot("b"))
	m.SetSnapshot(snapshot())
	if ref, ok := m.Gone(); ok {
		t.Errorf("reported %+v", ref)
	}
}

func TestEmptyTableHasNoCurrentRowAndTakesEveryKey(t *testing.T) {
	m := New(podColumns(), severityOf)
	m.Move(1)
	m.Page(-1)
	m.First()
	m.Last()
	m.Mark()
	m.MarkRange()
	m.Invert()
	if row, ok := m.Current(); ok {
		t.Errorf("current row %+v", row)
	}
	if m.Select("a") {
		t.Error("an object was found in an empty list")
	}
	lines := draw(m, 80, 4, true)
	if !strings.Contains(lines[0], "NAMESPACE/NAME") || strings.TrimSpace(lines[1]) != "" {
		t.Errorf("%q", lines)
	}
}

func TestShrinkingWindowKeepsTheCursorInView(t *testing.T) {
	m := newPods(numbered(100)...)
	draw(m, 80, 31, true)
	m.Select("p025")
	for h := 31; h >= 2; h-- {
		if line, text := cursorLine(draw(m, 80, h, true)); line < 1 || !strings.Contains(text, "p025") {
			t.Fatalf("at height %d the cursor is on line %d: %q", h, line, text)
		}
	}
}

func TestGrowingWindowLeavesNoLineEmpty(t *testing.T) {
	m := newPods(numbered(20)...)
	draw(m, 80, 6, true)
	m.Last()
	draw(m, 80, 1, true) // nothing but the header
	draw(m, 80, 13, true)
	if first, last := m.Range(); first != 8 || last != 20 {
		t.Errorf("in view %d to %d, want 8 to 20", first, last)
	}
}

func TestPagesKeepOneRowInViewAndStopAtTheEnds(t *testing.T) {
	m := newPods(numbered(30)...)
	draw(m, 80, 11, true)
	for _, step := range []struct {
		n           int
		first, want int
	}{{1, 9, 9}, {1, 18, 18}, {1, 20, 27}, {1, 20, 29}, {-1, 11, 20}, {-9, 0, 0}} {
		m.Page(step.n)
		first, _ := m.Range()
		if got := current(t, m); first != step.first || got != fmt.Sprintf("p%03d", step.want) {
			t.Errorf("page %d: first %d, cursor %s; want %d, p%03d", step.n, first, got, step.first, step.want)
		}
	}
}

func TestSelectFromAfarShowsTheRowsAround(t *testing.T) {
	m := newPods(numbered(100)...)
	draw(m, 80, 11, true)
	if !m.Select("p050") || m.Select("nosuch") {
		t.Fatal("Select found the wrong thing")
	}
	if first, last := m.Range(); first != 45 || last != 55 {
		t.Errorf("in view %d to %d, want 45 to 55", first, last)
	}
	m.Select("p047")
	if first, _ := m.Range(); first != 45 {
		t.Errorf("choosing a row in view moved the window to %d", first)
	}
}

func TestCellsSeeTheSnapshotsMomentAtTheTimeOfTheFrame(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	usage := &kube.Usage{}
	var seen kube.Moment
	m := New([]Column[*pod]{{Title: "A", Cell: func(_ *pod, beside kube.Moment) Cell {
		seen = beside
		return Cell{}
	}}}, severityOf)
	m.SetSnapshot(kube.NewSnapshot([]*pod{named("a")}, kube.Moment{Now: now.Add(-time.Hour), Usage: usage}))
	var b strings.Builder
	m.Draw(&b, 80, 2, now, true, painter())
	if seen.Now != now || seen.Usage != usage {
		t.Errorf("cells saw %+v", seen)
	}
}
