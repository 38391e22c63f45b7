package kube

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Query is what a pane asks of a store: a filter and an order. Its functions are pure; they run on the publisher, several
// at a time.
type Query[R Row] struct {
	Keep func(R, Moment) bool // nil keeps all
	// KeepReads names the kinds, other than the row's own, that Keep looks up in the Moment.
	KeepReads Kinds
	// Until says when what Keep says of a row may change by the passing of time alone; the zero time is never. Nil where it
	// never does. The rows are looked through again then, but not more often than once a second.
	Until func(R, Moment) time.Time

	// Order names what Key and Tie do: a query of the same name as the one before it sorts in the same way, so that a
	// letter more in a filter sorts nothing. Without a name every query is sorted anew.
	Order string
	// Key places a row: higher keys come first. rank is the row's badness. Nil orders by badness. It must not depend on
	// the time.
	Key func(row R, rank uint8, m Moment) uint64
	Tie func(a, b R) int // orders rows of equal key; must be total over different objects
	// Reads names the kinds, other than the row's own, that Key looks up in the Moment.
	Reads Kinds
}

// Feed gives a pane its snapshots. Load never blocks and never gives nil.
type Feed[R Row] struct {
	cur      atomic.Pointer[Snapshot[R]]
	followed atomic.Pointer[string]
	store    *store[R]
	ask      func()

	mu    sync.Mutex
	query Query[R]
	asked uint64 // number of the query

	// The publisher's own.
	all   []entry[R] // every row in the order of the query, also what the filter drops; shared with snapshots, never written
	order string     // the name of that order
	due   time.Time  // when the filter must look again, zero if never
	room  room[R]
}

// open makes a feed. Until it is asked something, its snapshot is empty and loading.
func (s *store[R]) open(ask func()) *Feed[R] {
	f := &Feed[R]{store: s, ask: ask}
	f.Follow("")
	f.cur.Store(&Snapshot[R]{})
	s.mu.Lock()
	s.feeds = append(slices.Clip(s.feeds), f)
	s.mu.Unlock()
	return f
}

// Load gives the newest snapshot.
func (f *Feed[R]) Load() *Snapshot[R] { return f.cur.Load() }

// SetQuery asks for another filter or order, or with the zero Query for nothing, which costs nothing. It gives the number of the question. The answer is a later snapshot with
// that number; it comes without waiting for the next change in the cluster. Until then snapshots answer what was asked
// before.
func (f *Feed[R]) SetQuery(q Query[R]) uint64 {
	f.mu.Lock()
	f.query = q
	f.asked++
	asked := f.asked
	f.mu.Unlock()
	f.ask()
	return asked
}

// Follow names the object whose place the next snapshots shall know, so that a reader finds it again without looking
// through all rows. "" is none.
func (f *Feed[R]) Follow(uid string) { f.followed.Store(&uid) }

// Close ends the feed; its last snapshot stays readable.
func (f *Feed[R]) Close() {
	s := f.store
	s.mu.Lock()
	s.feeds = slices.DeleteFunc(slices.Clone(s.feeds), func(g *Feed[R]) bool { return g == f })
	s.mu.Unlock()
}

// question is what the feed has been asked last.
func (f *Feed[R]) question() (Query[R], uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.query, f.asked
}

// news is what a publication has to work in.
type news[R Row] struct {
	changes map[string]change[R] // of rows, by UID
	kinds   Kinds                // other kinds that have changed
	state   bool                 // the state has changed
}

// publish makes a new snapshot if a reader could see a difference. Its work is proportional to what has changed, but for
// copies of the order; a new filter costs one pass over all rows, and only a new order sorts them.
func (f *Feed[R]) publish(s *store[R], m Moment, n news[R]) bool {
	q, asked := f.question()
	old := f.cur.Load()
	same := asked == old.Query
	late := !f.due.IsZero() && !f.due.After(m.Now)
	if q.Tie == nil {
		f.all, f.order, f.due = nil, "", time.Time{} // nothing is asked: what is asked next begins anew
		return false
	}
	if same && len(n.changes) == 0 && !n.state && n.kinds == 0 && !late {
		return false
	}
	all, sorted := f.all, (same || q.Order != "" && q.Order == f.order) && q.Reads&n.kinds == 0
	if sorted {
		all, sorted = q.renew(f.all, nil, n.changes, old.Moment, m)
	}
	if !sorted {
		all = q.sort(s.rows, m)
	}
	rows, due, ok := all, time.Time{}, true
	switch {
	case q.Keep == nil:
	case sorted && same && q.KeepReads&n.kinds == 0 && !late:
		rows, _ = q.renew(old.rows, q.Keep, n.changes, old.Moment, m)
		due = q.sooner(f.due, n.changes, m)
	default:
		rows, due, ok = q.filter(all, m, func() bool { return f.newest() != asked }, &f.room)
	}
	if !ok {
		return f.publish(s, m, n) // another question has been asked meanwhile
	}
	f.all, f.order, f.due = all, q.Order, due
	s.version++
	f.cur.Store(&Snapshot[R]{
		Version: s.version, Query: asked, Total: len(s.rows), BySeverity: s.counts, Namespaces: s.namespaces,
		State: s.state, Moment: m, rows: rows, followed: f.locate(&q, s, m, n, rows),
	})
	return true
}

// locate finds the object that is followed, or the place that it has lost to the filter or by being deleted.
func (f *Feed[R]) locate(q *Query[R], s *store[R], m Moment, n news[R], rows []entry[R]) place {
	uid := *f.followed.Load()
	sl, ok := s.rows[uid]
	if !ok {
		sl = n.changes[uid].was
	}
	var none R
	if sl.row == none {
		return place{}
	}
	i, found := slices.BinarySearchFunc(rows, q.entry(sl, m), q.compare)
	return place{uid, i, found && rows[i].row == sl.row}
}

// newest is the number of the newest question.
func (f *Feed[R]) newest() uint64 {
	_, asked := f.question()
	return asked
}
