// Package table draws a window of a list of any length. Its one rule: the work of a frame, and of a key that moves,
// depends on the rows on the screen, never on the length of the list. What must look farther does so once per snapshot
// or once per key: finding an object by its UID, the row that takes a vanished one's place, marks in a new snapshot,
// MarkRange, Invert and Marks. The cursor is an object, not a line: it is found again by its UID in every snapshot.
package table

import (
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// Cell is the text of one cell, sanitised, and the colour of what it means.
type Cell struct {
	Text  string
	Token themes.Token
	Axis  Axis  // in place of Text, unless it is the zero Axis
	Bar   Bar   // likewise
	Spark Spark // likewise
}

// Axis is a place on an axis: a line, and a mark at its end. It is drawn without making a string of it, in the glyphs of
// the terminal, and is never cut: its column is as wide as the longest.
type Axis struct {
	Cells int // of the line, before the mark
	Mark  themes.Glyph
	Token themes.Token // of the mark; the line has that of rules
	On    bool
}

// width is what a cell takes.
func (c Cell) width() int {
	switch {
	case c.Axis.On:
		return c.Axis.Cells + 1
	case c.Bar.On:
		return 0
	case c.Spark.On:
		return c.Spark.Points
	}
	return text.Width(c.Text)
}

// Column says how one column is made and how it gives way. Its width is that of the widest cell that has come into
// view, at least Min and the title, and at most Max; it does not shrink until the pane changes its width or Refit.
//
// Only Flex and Middle columns are cut to make room; when they stand at Min, whole columns go, the highest Drop first.
// Columns that never drop go last of all: before, Flex and Middle columns shrink below Min, down to 8 cells. A text that
// is longer than the Max of its column is cut at its end; a Right column has no Max, so that no number and no time is
// ever cut.
type Column[R kube.Row] struct {
	ID, Title string
	Min, Max  int  // cells; Max 0 is no limit
	Drop      int  // columns with a higher number go first when it is narrow, and scroll sideways; 0 stays
	Flex      bool // takes spare width, up to Max: names
	Right     bool // flush right: numbers, times
	Middle    bool // cut in the middle: names whose end tells them apart
	Even      bool // takes spare width with all others that do, up to Max, so that they stay as wide as each other: bars
	Cell      func(R, kube.Moment) Cell
	Absent    func() bool // there is nothing to show in it, so that there is no such column; nil where there always is
}

// Model is a table: a snapshot, a cursor, marks, and what part is in view. Make it with New.
type Model[R kube.Row] struct {
	columns  []Column[R]
	severity func(R, kube.Moment) kube.Severity
	unknown  func(R) bool // nil where the state of every row is known
	still    bool         // no cursor is drawn
	snap     *kube.Snapshot[R]

	held   bool      // the user has chosen the object under the cursor
	cursor kube.Ref  // the object under the cursor; in an empty list the one that was
	at     int       // its index in snap, or in the last one that was not empty
	top    int       // index of the first row in view
	rows   int       // rows in view when last drawn
	gone   *kube.Ref // vanished from under the cursor and not yet reported

	marks  map[string]kube.Ref // by UID
	anchor string              // UID of the row marked last: where a range begins
	hidden int                 // marks that are not in snap

	sort       string // ID of the column with the arrow
	descending bool

	left  int     // columns scrolled past
	width int     // what the table was drawn at last, which seen belongs to
	seen  []int   // widest cell of each column since Refit
	shown []slot  // the columns in view
	drawn []drawn // the cells in view, row by row
}

// New makes an empty table. The functions of columns and severity are pure; they are called for visible rows only.
func New[R kube.Row](columns []Column[R], severity func(R, kube.Moment) kube.Severity) *Model[R] {
	return &Model[R]{
		columns: columns, severity: severity, snap: &kube.Snapshot[R]{},
		marks: map[string]kube.Ref{}, seen: make([]int, len(columns)),
	}
}

// SetUnknown says which rows are those of which nobody knows how they are: their sign is a question mark.
func (m *Model[R]) SetUnknown(f func(R) bool) { m.unknown = f }

// HideCursor draws no cursor: for a list that is only looked at.
func (m *Model[R]) HideCursor() { m.still = true }

// SetSnapshot shows another version of the list. The cursor stays on its object, and the object on its line of the
// screen as far as the list is long enough. If the object is no longer there, the cursor goes to the row that stood
// below it, and Gone reports it once. A list that is empty for a while, as under a mistyped filter, forgets neither the
// object nor its line. Until a first key has chosen a row, the cursor stays on the first one, so that while rows arrive
// the worst are in view.
func (m *Model[R]) SetSnapshot(s *kube.Snapshot[R]) {
	if s == m.snap {
		return
	}
	old, line := m.snap, m.at-m.top
	m.snap = s
	if s.Len() == 0 {
		m.lose(old)
	} else {
		m.at = m.follow(old)
		m.top = m.at - line
		m.cursor = s.Row(m.at).Ref()
		m.settle()
	}
	m.countMarks()
}

// follow gives the index at which the cursor goes on.
func (m *Model[R]) follow(old *kube.Snapshot[R]) int {
	if !m.held {
		return 0
	}
	i, ok := m.snap.Find(m.cursor.UID, m.at)
	if ok {
		return i
	}
	m.lose(old)
	if i >= 0 {
		return min(i, m.snap.Len()-1)
	}
	return m.successor(old)
}

// lose notes that the object under the cursor vanished, if the user had chosen it and the old snapshot still had it.
func (m *Model[R]) lose(old *kube.Snapshot[R]) {
	if m.held && old.Len() > 0 {
		ref := m.cursor
		m.gone = &ref
	}
}

// reach is how many rows below and above a vanished one can take its place: more than a screen has.
const reach = 128

// successor gives the index of the row that stood nearest below the cursor in the old snapshot, or else nearest above
// it; if all of those vanished as well, the same place in the list.
func (m *Model[R]) successor(old *kube.Snapshot[R]) int {
	rank := make(map[string]int, 2*reach)
	for d := 1; d <= reach; d++ {
		if i := m.at + d; i < old.Len() {
			rank[old.Row(i).Ref().UID] = d
		}
		if i := m.at - d; i >= 0 && i < old.Len() {
			rank[old.Row(i).Ref().UID] = reach + d
		}
	}
	at, best := min(m.at, m.snap.Len()-1), 2*reach+1
	for i := 0; i < m.snap.Len() && best > 1; i++ {
		if r, ok := rank[m.snap.Row(i).Ref().UID]; ok && r < best {
			at, best = i, r
		}
	}
	return at
}

// Gone reports once that the object under the cursor is no longer in the list: deleted, or dropped by a new filter, in
// which case the pane knows and need not say so.
func (m *Model[R]) Gone() (kube.Ref, bool) {
	if m.gone == nil {
		return kube.Ref{}, false
	}
	ref := *m.gone
	m.gone = nil
	return ref, true
}

// Chosen reports whether a key has chosen the object under the cursor; until then the cursor stays on the first row.
func (m *Model[R]) Chosen() bool { return m.held }

// Current gives the row under the cursor; there is none in an empty list.
func (m *Model[R]) Current() (row R, ok bool) {
	if m.snap.Len() == 0 {
		return row, false
	}
	return m.snap.Row(m.at), true
}

// SetSort puts the arrow into the header of the column with that ID; "" takes it away. Ordering is the feed's business.
func (m *Model[R]) SetSort(id string, descending bool) { m.sort, m.descending = id, descending }

// moment is what cells are seen beside at the time of a frame.
func (m *Model[R]) moment(now time.Time) kube.Moment {
	beside := m.snap.Moment
	beside.Now = now
	return beside
}
