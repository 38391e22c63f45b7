package views

import (
	"slices"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// Feed is where a list gets its snapshots; *kube.Feed is one. None of its methods may block.
type Feed[R kube.Row] interface {
	Load() *kube.Snapshot[R]
	SetQuery(kube.Query[R]) (number uint64)
	Follow(uid string)
	Close()
}

// spec is what makes a list of rows a pane of a certain kind.
type spec[R kube.Row] struct {
	name      string
	one, many string // "pod", "pods"
	none      string // what it means that there is none; "" where that is plain
	scope     keymap.Scope
	needs     kube.Kinds
	beside    kube.Kinds // whose news is looked up where it is drawn, and changes no rows
	columns   []table.Column[R]
	orders    []order[R]       // the first is the default
	byName    func(a, b R) int // by name: breaks every tie
	severity  func(R, kube.Moment) kube.Severity
	// fields, searched and labels are what a filter looks at.
	fields    []filterField[R]
	searched  func(R, kube.Moment) string         // its visible text in lower case, its parts on lines of their own; nil: what the columns say
	labels    func(R) kube.Labels                 // nil where rows have none
	counts    func(*kube.Snapshot[R]) string      // reads all rows: once per snapshot
	heading   func(now time.Time) string          // said of all rows in place of counts where it changes with the clock; may be nil
	unknown   func(R) bool                        // nobody knows how the row is; nil where that is always known
	pinned    func(Pin) func(R, kube.Moment) bool // nil where nothing pins the pane
	state     func(R, kube.Moment) string         // cheap: the palette asks it of thousands
	diagnosis func(R, kube.Moment) []string
	details   func(R, kube.Moment) []Fact
	sections  func(R, kube.Moment) []action.Section // of the details; may be nil
	open      func(R) []Effect                      // enter
	other     func(R, keymap.ID) []Effect
	copied    func(R) string
	why       func(R, keymap.ID) string // the reason for which a key does nothing to the row, "" if it does; may be nil

	// These may be nil, where a list is like any other.
	tally    func(Frame) string                               // what follows counts in the head; counts is then said of filtered rows, too
	pinWords func(Pin) string                                 // a pin, in place of "node=worker-07"
	position func(Frame) (forms []string, token themes.Token) // the right part of the head
	lack     func(Frame) []string                             // why there are no rows, where that is another reason than usual; nil where it is not
	widen    func(Frame) string                               // the keys that let more rows in, where none is left
	fleeting bool                                             // rows come and go: that one has gone is no news
}

// order is one way to sort. Numbers sort by key, highest first; words by compare.
type order[R kube.Row] struct {
	id, title string // of the key table ("pods.sort.ID"), and of the rule
	column    string // the column that carries the arrow, if any
	key       func(row R, rank uint8, m kube.Moment) uint64
	compare   func(a, b R) int
	reads     kube.Kinds
}

// list is a pane that shows the rows of one kind.
type list[R kube.Row] struct {
	spec   spec[R]
	feed   Feed[R]
	snap   *kube.Snapshot[R]
	counts string // what spec.counts says of snap
	table  *table.Model[R]
	// questions are what the feed has been asked, from the question that snap answers to the newest. What the head says
	// of the rows is always said of the first; what is asked next starts from the last.
	questions []question
	fault     *FilterError // of the text being typed; the filter before it stays in force
	goal      *Place       // where the last Go leads, until the rows are there
}

func newList[R kube.Row](feed Feed[R], s spec[R]) *list[R] {
	l := &list[R]{spec: s, feed: feed, table: table.New(s.columns, s.severity)}
	l.table.SetUnknown(s.unknown)
	l.ask(question{})
	l.load()
	return l
}

// Name implements View.
func (l *list[R]) Name() string { return l.spec.name }

// Scope implements View.
func (l *list[R]) Scope() keymap.Scope { return l.spec.scope }

// Needs implements View.
func (l *list[R]) Needs() kube.Kinds { return l.spec.needs | l.spec.beside }

// Close implements View.
func (l *list[R]) Close() { l.feed.Close() }

// Handle implements View. The feed follows the cursor, so that it is found again among any number of rows.
func (l *list[R]) Handle(e Event) []Effect {
	effects := l.handle(e)
	if r, ok := l.table.Current(); ok {
		l.feed.Follow(r.Ref().UID)
	}
	return effects
}

func (l *list[R]) handle(e Event) []Effect {
	switch e := e.(type) {
	case Changed:
		if e.Kinds != 0 && e.Kinds&l.spec.needs == 0 {
			return nil // an event storm must not cost a list of 150,000 rows anything
		}
		return l.load()
	case Query:
		l.setFilter(e.Text)
	case Go:
		return l.goTo(e.Place)
	case Intent:
		return l.intent(e.ID)
	}
	return nil
}

// load takes the newest snapshot. Columns are as wide as what has been in view, so that nothing moves while one scrolls;
// what came before everything was read, or was another choice of rows, does not count.
func (l *list[R]) load() []Effect {
	old, before := l.snap, l.shown()
	l.snap = l.feed.Load()
	l.questions = slices.DeleteFunc(l.questions, func(q question) bool { return q.number < l.snap.Query })
	now := l.shown()
	l.counts = l.spec.counts(l.snap)

	if !now.alike(before) || old != nil && l.snap.Moment.Complete && !old.Moment.Complete {
		l.table.Refit()
	}
	o := l.spec.orders[now.order]
	l.table.SetSort(o.column, o.descending() != now.reverse)
	l.table.SetSnapshot(l.snap)
	return append(l.arrive(), l.gone()...)
}

// gone says so when the object under the cursor has gone. What a filter or a pin may have dropped has not gone; and
// while other rows are looked for, there is time.
func (l *list[R]) gone() []Effect {
	narrowed := l.shown().narrowed()
	if l.Waiting() && !narrowed {
		return nil
	}
	ref, gone := l.table.Gone()
	if !gone || narrowed || l.spec.fleeting {
		return nil
	}
	return []Effect{Flash{l.spec.one + " " + ref.FullName() + " is gone", themes.Muted}}
}

// setFilter takes the filter as it is typed.
func (l *list[R]) setFilter(s string) {
	l.forget()
	f, fault := l.spec.sought().parse(s)
	if l.fault = fault; fault != nil {
		return
	}
	if q := l.asked(); f.Text != q.filter.Text {
		q.filter = f
		l.ask(q)
	}
}

// goTo takes the pane to a place. A filter that cannot be read, and a pin that the pane does not know, hide nothing.
func (l *list[R]) goTo(p Place) []Effect {
	q := l.asked()
	q.filter, _ = l.spec.sought().parse(p.Filter)
	q.pin = p.Pin
	if l.spec.pinned == nil {
		q.pin = Pin{}
	}
	l.fault, l.goal = nil, &p
	if !q.alike(l.asked()) {
		l.ask(q)
	}
	return l.arrive()
}

// arrive puts the cursor where the last Go leads, once the rows are there that it asked for: on the object that it
// names, or on the first row, as in any list that nobody has looked at yet. An object that is not among the rows then is
// given up, since a cursor that jumps minutes later would put another object under the next key. While the first rows
// are still being read it is waited for.
func (l *list[R]) arrive() []Effect {
	if l.goal == nil || l.Waiting() {
		return nil
	}
	goal := *l.goal
	if !goal.named() {
		l.goal = nil
		l.table.Reset()
		return nil
	}
	if uid, ok := l.locate(goal); ok && l.table.Select(uid) {
		l.goal = nil
		return nil
	}
	if l.snap.State.Phase == kube.Loading {
		return nil
	}
	l.goal = nil
	if goal.Name == "" {
		return []Effect{Flash{"the " + l.spec.one + " that was here is not in the list any more", themes.Warn}}
	}
	return []Effect{Flash{l.spec.one + " " + goal.Name + " is not in the list", themes.Warn}}
}

// named reports whether a place means a certain row.
func (p Place) named() bool { return p.UID != "" || p.Name != "" }

// locate gives the UID of the row that a place means.
func (l *list[R]) locate(p Place) (uid string, ok bool) {
	if p.UID != "" {
		return p.UID, true
	}
	for i := range l.snap.Len() {
		if ref := l.snap.Row(i).Ref(); ref.Name == p.Name || ref.FullName() == p.Name {
			return ref.UID, true
		}
	}
	return "", false
}

// forget gives up the row that the last Go named: the operator has gone on.
func (l *list[R]) forget() {
	if l.goal != nil && l.goal.named() {
		l.goal = nil
	}
}

// Place implements View.
func (l *list[R]) Place() Place {
	q := l.asked()
	p := Place{Pane: l.spec.name, Filter: q.filter.Text, Pin: q.pin}
	if l.goal != nil {
		p.UID, p.Name = l.goal.UID, l.goal.Name
	} else if r, ok := l.table.Current(); ok {
		p.UID = r.Ref().UID
	}
	return p
}

// Tab implements View.
func (l *list[R]) Tab() (string, kube.Severity) {
	if l.snap.Version == 0 {
		return "", kube.OK
	}
	switch {
	case l.snap.BySeverity[kube.Bad] > 0:
		return text.Count(l.snap.NotWell()), kube.Bad
	case l.snap.NotWell() > 0:
		return text.Count(l.snap.NotWell()), kube.Warning
	}
	return "", kube.OK
}

// Counts implements View.
func (l *list[R]) Counts() [kube.Bad + 1]int { return l.snap.BySeverity }

// State implements View.
func (l *list[R]) State() kube.State { return l.snap.State }

// Objects implements View.
func (l *list[R]) Objects(n int) []Object {
	out := make([]Object, 0, min(n, l.snap.Len()))
	for i := range min(n, l.snap.Len()) {
		r := l.snap.Row(i)
		ref := r.Ref()
		out = append(out, Object{
			Name: ref.FullName(), Kind: l.spec.one, Note: l.spec.state(r, l.snap.Moment),
			Place: Place{Pane: l.spec.name, UID: ref.UID},
		})
	}
	return out
}

// moment is the snapshot's, at another time.
func (l *list[R]) moment(now time.Time) kube.Moment {
	m := l.snap.Moment
	m.Now = now
	return m
}

// Strip implements View.
func (l *list[R]) Strip(now time.Time) Strip {
	r, ok := l.table.Current()
	if !ok {
		return Strip{}
	}
	m := l.moment(now)
	return Strip{
		Name: r.Ref().FullName(), State: l.spec.state(r, m), Severity: l.spec.severity(r, m), Lines: l.spec.diagnosis(r, m),
	}
}

// Details implements View.
func (l *list[R]) Details(uid string, now time.Time) (Details, bool) {
	i, ok := l.snap.Find(uid, 0)
	if !ok {
		return Details{}, false
	}
	r, m := l.snap.Row(i), l.moment(now)
	d := Details{Title: l.spec.one + " " + r.Ref().FullName(), Copy: l.spec.copied(r), Facts: l.spec.details(r, m)}
	if l.spec.sections != nil {
		d.Sections = l.spec.sections(r, m)
	}
	return d, true
}

// Namespaces implements View.
func (l *list[R]) Namespaces() map[string]int { return l.snap.Namespaces }

// Fault implements View.
func (l *list[R]) Fault() *FilterError { return l.fault }

// Draw implements View. The rows come first, because the head says which of them are in view.
func (l *list[R]) Draw(b *strings.Builder, s Size, f Frame) (cursor int) {
	h := s.H - 1
	fault := f.Input != nil && l.fault != nil && h > 1
	if fault {
		h--
	}
	var rows strings.Builder
	switch {
	case h < 1:
	case l.snap.Len() == 0:
		drawMessage(&rows, Size{s.W, h}, l.emptiness(f), f.Paint)
	default:
		l.table.Draw(&rows, s.W, h, f.Now, f.Focused, f.Paint)
	}
	cursor = l.drawHead(b, s.W, f)
	if fault {
		b.WriteByte('\n')
		l.drawFault(b, s.W, cursor, f)
	}
	if h > 0 {
		b.WriteByte('\n')
		b.WriteString(rows.String())
	}
	return cursor
}
