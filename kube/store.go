package kube

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// store holds the newest row of every object of one kind. Informers only leave what they learnt in the in-tray, from any
// goroutine; the publisher alone moves it into rows and from there into the feeds. So no event waits for a sort, and no
// sort waits for an event.
type store[R Row] struct {
	judge func(R, Moment) (rank uint8, sev Severity, until time.Time)
	moved func(from, to R) // told of every change of a row, by the publisher; the zero R stands for "none"
	wake  func()

	mu     sync.Mutex
	in     inTray[R]
	states map[origin]State // of each informer
	feeds  []*Feed[R]

	// The publisher's own.
	rows       map[string]slot[R]   // by UID
	due        map[string]time.Time // rows whose rank changes by the passing of time alone
	counts     [Bad + 1]int
	namespaces map[string]int // rows of each namespace; snapshots hold it, so a change is made to a copy
	counted    bool           // namespaces is such a copy, made since the last snapshot
	version    uint64
	state      State
}

// slot is a row with the judgement of the last time that somebody looked.
type slot[R Row] struct {
	row  R
	rank uint8
	sev  Severity
}

// inTray is what informers have learnt since the publisher last looked. Only the newest row of an object is kept.
type inTray[R Row] struct {
	rows   map[string]R // by UID; the zero R means deleted
	sweeps []sweep
	state  bool // a state changed
}

// origin says which rows an informer brings.
type origin struct {
	kind      Kinds  // 0 where a store has only one
	namespace string // "" for all
}

// brings reports whether a row is of that origin.
func (o origin) brings(ref Ref) bool {
	return (o.kind == 0 || ref.Kind == o.kind) && (o.namespace == "" || ref.Namespace == o.namespace)
}

// sweep removes what a complete listing did not contain.
type sweep struct {
	origin
	seen map[string]struct{} // UIDs
}

func newStore[R Row](wake func(), judge func(R, Moment) (uint8, Severity, time.Time)) *store[R] {
	return &store[R]{
		judge: judge, wake: wake, moved: func(R, R) {},
		in:     inTray[R]{rows: map[string]R{}},
		states: map[origin]State{},
		rows:   map[string]slot[R]{},
		due:    map[string]time.Time{},

		namespaces: map[string]int{},
	}
}

// put leaves the newest rows of some objects.
func (s *store[R]) put(rows ...R) {
	s.mu.Lock()
	for _, r := range rows {
		s.in.rows[r.Ref().UID] = r
	}
	s.mu.Unlock()
	s.wake()
}

// remove says that the object with this UID is gone.
func (s *store[R]) remove(uid string) {
	var none R
	s.mu.Lock()
	s.in.rows[uid] = none
	s.mu.Unlock()
	s.wake()
}

// sweep removes every row of that origin that was known before and is not in seen, one that is still in the in-tray too.
func (s *store[R]) sweep(from origin, seen map[string]struct{}) {
	var none R
	s.mu.Lock()
	for uid, row := range s.in.rows {
		if _, ok := seen[uid]; !ok && row != none && from.brings(row.Ref()) {
			s.in.rows[uid] = none
		}
	}
	s.in.sweeps = append(s.in.sweeps, sweep{from, seen})
	s.mu.Unlock()
	s.wake()
}

// setState records how the informer of some rows fares.
func (s *store[R]) setState(of origin, st State) {
	s.mu.Lock()
	s.states[of] = st
	s.in.state = true
	s.mu.Unlock()
	s.wake()
}

// expect says what is going to be read: until it has been, nothing is complete.
func (s *store[R]) expect(all ...origin) {
	for _, of := range all {
		s.setState(of, State{Phase: Loading, Since: time.Now()})
	}
}

// forget drops what is not read any more from the state; its rows stay until they are swept.
func (s *store[R]) forget(all ...origin) {
	s.mu.Lock()
	for _, of := range all {
		delete(s.states, of)
	}
	s.in.state = true
	s.mu.Unlock()
	s.wake()
}

// size is the number of rows that the publisher has seen or is about to see.
func (s *store[R]) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(len(s.in.rows), s.state.Seen)
}

// now is the state as the informers have last told it.
func (s *store[R]) now() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return merge(s.states, 0)
}

// publish brings rows and feeds up to date and says whether any reader can see something new.
func (s *store[R]) publish(m Moment, changed Kinds, beside func(R) bool) bool {
	return s.show(m, changed, s.absorb(m, beside))
}

// arrivals are what absorb has moved into the rows, for show.
type arrivals[R Row] struct {
	changes map[string]change[R] // by UID
	state   bool                 // a state changed
	feeds   []*Feed[R]
}

// absorb empties the in-tray into the rows. beside says which rows must be looked at again because what they are judged
// beside has changed; nil means none.
func (s *store[R]) absorb(m Moment, beside func(R) bool) arrivals[R] {
	s.mu.Lock()
	in, feeds := s.in, s.feeds
	s.in = inTray[R]{rows: make(map[string]R, min(len(in.rows), 64))}
	s.state = merge(s.states, len(s.rows)+len(in.rows))
	s.mu.Unlock()

	a := arrivals[R]{changes: make(map[string]change[R], len(in.rows)), state: in.state, feeds: feeds}
	s.counted = false
	for _, sw := range in.sweeps {
		s.sweepRows(sw, a.changes)
	}
	for uid, row := range in.rows {
		s.replace(uid, row, m, a.changes)
	}
	s.rejudge(m, beside, a.changes)
	return a
}

// show gives every feed its snapshot of what has been absorbed.
func (s *store[R]) show(m Moment, changed Kinds, a arrivals[R]) bool {
	published := false
	for _, f := range a.feeds {
		if f.publish(s, m, news[R]{a.changes, changed, a.state}) {
			published = true
		}
	}
	return published
}

// replace puts a new row in the place of the old one; a zero row removes it.
func (s *store[R]) replace(uid string, row R, m Moment, changes map[string]change[R]) {
	var none R
	old, had := s.rows[uid]
	if had {
		s.counts[old.sev]--
	}
	if row == none {
		delete(s.rows, uid)
		delete(s.due, uid)
		if had {
			s.count(old.row, -1)
			s.moved(old.row, none)
			note(changes, uid, old, slot[R]{})
		}
		return
	}
	if !had {
		s.count(row, 1)
	}
	fresh := s.look(uid, row, m)
	s.rows[uid] = fresh
	s.counts[fresh.sev]++
	s.moved(old.row, row)
	note(changes, uid, old, fresh)
}

// note adds to what became of a row since the last snapshot.
func note[R Row](changes map[string]change[R], uid string, was, is slot[R]) {
	if c, ok := changes[uid]; ok {
		was = c.was
	}
	changes[uid] = change[R]{was, is}
}

// count adds to the rows of the row's namespace.
func (s *store[R]) count(row R, n int) {
	if !s.counted {
		s.namespaces, s.counted = maps.Clone(s.namespaces), true
	}
	ns := row.Ref().Namespace
	s.namespaces[ns] += n
	if s.namespaces[ns] == 0 {
		delete(s.namespaces, ns)
	}
}

// look judges a row and notes when it must be looked at again.
func (s *store[R]) look(uid string, row R, m Moment) slot[R] {
	rank, sev, until := s.judge(row, m)
	if until.After(m.Now) {
		s.due[uid] = until
	} else {
		delete(s.due, uid)
	}
	return slot[R]{row, rank, sev}
}

func (s *store[R]) sweepRows(sw sweep, changes map[string]change[R]) {
	var none R
	for uid, sl := range s.rows {
		if _, ok := sw.seen[uid]; ok {
			continue
		}
		if sw.brings(sl.row.Ref()) {
			s.replace(uid, none, Moment{}, changes)
		}
	}
}

// rejudge looks again at the rows whose time has come, and at those that stand beside something else now.
func (s *store[R]) rejudge(m Moment, beside func(R) bool, changes map[string]change[R]) {
	for uid, at := range s.due {
		if !at.After(m.Now) {
			s.again(uid, m, changes)
		}
	}
	if beside == nil {
		return
	}
	for uid, old := range s.rows {
		if beside(old.row) {
			s.again(uid, m, changes)
		}
	}
}

// again looks again at one row.
func (s *store[R]) again(uid string, m Moment, changes map[string]change[R]) {
	old, ok := s.rows[uid]
	if !ok {
		return
	}
	fresh := s.look(uid, old.row, m)
	if fresh != old {
		s.counts[old.sev]--
		s.counts[fresh.sev]++
		s.rows[uid] = fresh
		note(changes, uid, old, fresh)
	}
}

// nextDue is when some row must be looked at again, or some filter look again, zero if never.
func (s *store[R]) nextDue() time.Time {
	var next time.Time
	for _, at := range s.due {
		next = soonest(next, at)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.feeds {
		next = soonest(next, f.due)
	}
	return next
}

// merge makes one state of those of several informers: the worst that an operator must know of, except that what is
// denied does not hide what is not. That it is missing is said.
func merge(states map[origin]State, seen int) State {
	var out State
	var gaps []origin
	first := true
	for _, of := range slices.SortedFunc(maps.Keys(states), origin.compare) {
		st := states[of]
		if st.Phase == Denied || st.Phase == Failed {
			gaps = append(gaps, of)
			if len(gaps) < len(states) {
				continue
			}
		}
		if first || worse(st, out) {
			out, first = st, false
		}
	}
	if len(gaps) > 0 && len(gaps) < len(states) {
		out.Missing, out.MissingFrom = states[gaps[0]].Err, gaps[0].namespace
		for _, of := range gaps {
			out.MissingKinds |= of.kind
		}
	}
	out.Seen = seen
	return out
}

func (o origin) compare(other origin) int {
	return cmp.Or(cmp.Compare(o.namespace, other.namespace), cmp.Compare(o.kind, other.kind))
}

func worse(a, b State) bool {
	order := [...]int{Loading: 3, Live: 1, Stale: 2, Denied: 0, Failed: 0}
	return order[a.Phase] > order[b.Phase] || order[a.Phase] == order[b.Phase] && a.Since.Before(b.Since)
}
