package views

import (
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// Feed is where a list gets its snapshots; *kube.Feed is one. None of its methods may block.
type Feed[R kube.Row] interface {
	Load() *kube.Snapshot[R]
	SetQuery(kube.Query[R]) (number uint64)
	Close()
}

// spec is what makes a list of rows a pane of a certain kind.
type spec[R kube.Row] struct {
	name      string
	one, many string // "pod", "pods"
	scope     keymap.Scope
	kind      kube.Kinds
	needs     kube.Kinds
	columns   []table.Column[R]
	orders    []order[R]       // the first is the default
	byName    func(a, b R) int // by name: breaks every tie
	severity  func(R, kube.Moment) kube.Severity
	counts    func(*kube.Snapshot[R]) string
	pinned    func(Pin) func(R, kube.Moment) bool
	strip     func(R, kube.Moment) Strip
	details   func(R, kube.Moment) []Fact
	open      func(R) []Effect // enter
	other     func(R, keymap.ID) []Effect
	copied    func(R) string
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
	spec    spec[R]
	feed    Feed[R]
	snap    *kube.Snapshot[R]
	table   *table.Model[R]
	order   int
	reverse bool
	filter  Filter
	fault   *FilterError // of the text being typed; the filter before it stays in force
	pin     Pin
	seek    Place // the row to go to as soon as it is there
}

func newList[R kube.Row](feed Feed[R], s spec[R]) *list[R] {
	l := &list[R]{spec: s, feed: feed, snap: feed.Load(), table: table.New(s.columns, s.severity)}
	l.ask()
	return l
}

// ask tells the feed what is wanted now.
func (l *list[R]) ask() {
	o := l.spec.orders[l.order]
	l.table.SetSort(o.column, o.descending() != l.reverse)
	l.feed.SetQuery(query(o, l.reverse, l.spec.byName, l.filter, l.pinned()))
}

// NodesQuery asks for the nodes that pass a filter, worst first.
func NodesQuery(f Filter) kube.Query[*kube.Node] {
	return query(nodeOrders()[0], false, nodesByName, f, nil)
}

// PodsQuery asks for the pods that pass a filter, worst first.
func PodsQuery(f Filter) kube.Query[*kube.Pod] {
	return query(podOrders()[0], false, podsByName, f, nil)
}

// query makes the question of an order, a filter and a pin.
func query[R kube.Row](o order[R], reverse bool, byName func(a, b R) int, filter Filter,
	pinned func(R, kube.Moment) bool) kube.Query[R] {
	q := kube.Query[R]{
		Key: func(r R, rank uint8, m kube.Moment) uint64 {
			var key uint64
			if o.key != nil {
				key = o.key(r, rank, m)
			}
			if reverse {
				return ^key
			}
			return key
		},
		Tie:   o.tie(reverse, byName),
		Reads: o.reads,
	}
	if !filter.Empty() || pinned != nil {
		q.Keep = func(r R, m kube.Moment) bool {
			return (pinned == nil || pinned(r, m)) && filter.Keep(func(word string) bool { return r.Matches(word, m) })
		}
	}
	return q
}

func (o order[R]) descending() bool { return o.compare == nil }

func (o order[R]) tie(reverse bool, byName func(a, b R) int) func(a, b R) int {
	if o.compare == nil {
		return byName
	}
	return func(a, b R) int {
		n := o.compare(a, b)
		if reverse {
			n = -n
		}
		if n == 0 {
			n = byName(a, b)
		}
		return n
	}
}

func (l *list[R]) pinned() func(R, kube.Moment) bool {
	if l.pin == (Pin{}) || l.spec.pinned == nil {
		return nil
	}
	return l.spec.pinned(l.pin)
}

// Name implements View.
func (l *list[R]) Name() string { return l.spec.name }

// Scope implements View.
func (l *list[R]) Scope() keymap.Scope { return l.spec.scope }

// Needs implements View.
func (l *list[R]) Needs() kube.Kinds { return l.spec.needs }

// Close implements View.
func (l *list[R]) Close() { l.feed.Close() }

// Handle implements View.
func (l *list[R]) Handle(e Event) []Effect {
	switch e := e.(type) {
	case Changed:
		return l.load()
	case Query:
		l.setFilter(e.Text)
	case Go:
		l.goTo(e.Place)
	case Intent:
		return l.intent(e.ID)
	}
	return nil
}

// load takes the newest snapshot and says so when the object under the cursor has gone. What a filter or a pin may have
// dropped has not gone. Columns are as wide as what has been in view, so that nothing moves while one scrolls; what came
// before everything was read does not count.
func (l *list[R]) load() []Effect {
	complete := l.snap.Moment.Complete
	l.snap = l.feed.Load()
	if l.snap.Moment.Complete && !complete {
		l.table.Refit()
	}
	l.table.SetSnapshot(l.snap)
	l.find()
	if ref, gone := l.table.Gone(); gone && !l.narrowed() {
		return []Effect{Flash{l.spec.one + " " + fullName(ref) + " is gone", themes.Muted}}
	}
	return nil
}

func (l *list[R]) setFilter(s string) {
	f, err := ParseFilter(s)
	if err != nil {
		l.fault, _ = err.(*FilterError) //nolint:errorlint // ParseFilter gives no other, and never wraps it
		return
	}
	l.fault = nil
	if f.Text != l.filter.Text {
		l.filter = f
		l.table.Refit()
		l.ask()
	}
}

func (l *list[R]) goTo(p Place) {
	f, err := ParseFilter(p.Filter)
	if err == nil {
		l.filter = f
	}
	l.fault, l.pin, l.seek = nil, p.Pin, p
	l.table.Refit()
	l.ask()
	l.find()
}

// find puts the cursor on the row that is sought, once it is there.
func (l *list[R]) find() {
	uid := l.seek.UID
	if uid == "" && l.seek.Name != "" {
		for i := range l.snap.Len() {
			if ref := l.snap.Row(i).Ref(); ref.Name == l.seek.Name {
				uid = ref.UID
				break
			}
		}
	}
	if uid != "" && l.table.Select(uid) {
		l.seek = Place{}
	}
}

// Place implements View.
func (l *list[R]) Place() Place {
	p := Place{Pane: l.spec.name, Filter: l.filter.Text, Pin: l.pin}
	if r, ok := l.table.Current(); ok {
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
			Name: fullName(ref), Kind: l.spec.one, Note: l.spec.strip(r, l.snap.Moment).State,
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
	s := l.spec.strip(r, m)
	s.Name, s.Severity = fullName(r.Ref()), l.spec.severity(r, m)
	return s
}

// Details implements View.
func (l *list[R]) Details(uid string, now time.Time) (Details, bool) {
	i, ok := l.snap.Find(uid, 0)
	if !ok {
		return Details{}, false
	}
	r := l.snap.Row(i)
	return Details{
		Title: l.spec.one + " " + fullName(r.Ref()), Copy: l.spec.copied(r), Facts: l.spec.details(r, l.moment(now)),
	}, true
}

// Namespaces implements View.
func (l *list[R]) Namespaces() map[string]int { return l.snap.Namespaces }

// Fault implements View.
func (l *list[R]) Fault() *FilterError { return l.fault }

func fullName(ref kube.Ref) string {
	if ref.Namespace == "" {
		return ref.Name
	}
	return ref.Namespace + "/" + ref.Name
}

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
		l.drawFault(b, s.W, f)
	}
	if h > 0 {
		b.WriteByte('\n')
		b.WriteString(rows.String())
	}
	return cursor
}
