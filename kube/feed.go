package kube

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Query is what a pane asks of a store: a filter and an order. Its functions are pure; they run on the publisher.
type Query[R Row] struct {
	Keep func(R, Moment) bool // nil keeps all
	// Key places a row: higher keys come first. rank is the row's badness. Nil orders by badness.
	Key func(row R, rank uint8, m Moment) uint64
	Tie func(a, b R) int // orders rows of equal key; must be total over different objects
	// Reads names the kinds, other than the row's own, that Keep and Key look up in the Moment.
	Reads Kinds
}

// Feed gives a pane its snapshots. Load never blocks and never gives nil.
type Feed[R Row] struct {
	cur   atomic.Pointer[Snapshot[R]]
	store *store[R]
	ask   func()

	mu    sync.Mutex
	query Query[R]
	asked uint64 // number of the query
}

// open makes a feed. Until it is asked something, its snapshot is empty and loading.
func (s *store[R]) open(ask func()) *Feed[R] {
	f := &Feed[R]{store: s, ask: ask}
	f.cur.Store(&Snapshot[R]{})
	s.mu.Lock()
	s.feeds = append(slices.Clip(s.feeds), f)
	s.mu.Unlock()
	return f
}

// Load gives the newest snapshot.
func (f *Feed[R]) Load() *Snapshot[R] { return f.cur.Load() }

// SetQuery asks for another filter or order, and gives the number of the question. The answer is a later snapshot with
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

// Close ends the feed; its last snapshot stays readable.
func (f *Feed[R]) Close() {
	s := f.store
	s.mu.Lock()
	s.feeds = slices.DeleteFunc(slices.Clone(s.feeds), func(g *Feed[R]) bool { return g == f })
	s.mu.Unlock()
}

// publish makes a new snapshot if a reader could see a difference.
func (f *Feed[R]) publish(s *store[R], m Moment, touched map[string]slot[R], changed Kinds, state bool) bool {
	f.mu.Lock()
	q, asked := f.query, f.asked
	f.mu.Unlock()

	old := f.cur.Load()
	rows := old.rows
	switch {
	case q.Tie == nil:
		return false
	case asked != old.Query || q.Reads&changed != 0:
		rows = f.order(s, q, m)
	case len(touched) > 0:
		rows = f.merge(old.rows, q, m, touched)
	case !state && changed == 0:
		return false
	}
	s.version++
	f.cur.Store(&Snapshot[R]{
		Version: s.version, Query: asked, Total: len(s.rows), BySeverity: s.counts, Namespaces: s.namespaces,
		State: s.state, Moment: m, rows: rows,
	})
	return true
}

// order makes the whole order anew.
func (f *Feed[R]) order(s *store[R], q Query[R], m Moment) []entry[R] {
	rows := make([]entry[R], 0, len(s.rows))
	for _, sl := range s.rows {
		if e, ok := q.place(sl, m); ok {
			rows = append(rows, e)
		}
	}
	slices.SortFunc(rows, q.compare)
	return rows
}

// merge takes the touched rows out of an order and puts their new versions in, in one pass over it.
func (f *Feed[R]) merge(old []entry[R], q Query[R], m Moment, touched map[string]slot[R]) []entry[R] {
	var none R
	fresh := make([]entry[R], 0, len(touched))
	for _, sl := range touched {
		if sl.row == none {
			continue
		}
		if e, ok := q.place(sl, m); ok {
			fresh = append(fresh, e)
		}
	}
	slices.SortFunc(fresh, q.compare)

	rows := make([]entry[R], 0, len(old)+len(fresh))
	for _, e := range old {
		if _, ok := touched[e.row.Ref().UID]; ok {
			continue
		}
		for len(fresh) > 0 && q.compare(fresh[0], e) < 0 {
			rows, fresh = append(rows, fresh[0]), fresh[1:]
		}
		rows = append(rows, e)
	}
	return append(rows, fresh...)
}

// place gives a row its key, or says that the filter drops it.
func (q *Query[R]) place(sl slot[R], m Moment) (entry[R], bool) {
	if q.Keep != nil && !q.Keep(sl.row, m) {
		return entry[R]{}, false
	}
	key := uint64(sl.rank)
	if q.Key != nil {
		key = q.Key(sl.row, sl.rank, m)
	}
	return entry[R]{key, sl.row}, true
}

func (q *Query[R]) compare(a, b entry[R]) int {
	switch {
	case a.key > b.key:
		return -1
	case a.key < b.key:
		return 1
	}
	return q.Tie(a.row, b.row)
}
