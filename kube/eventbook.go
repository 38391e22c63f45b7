package kube

import (
	"hash/maphash"
	"maps"
	"time"
)

// single is an event object that is kept.
type single struct {
	row     *Event
	counted int // what of its Count is in that of the tally
	tally   *tally
	hash    uint64    // of the object that it is about, for the tally
	object  objectKey // under which EventsOf is to find it
	indexed objectKey // under which it does, "" for not yet

	changed bool // row is newer than what is in the store
	shown   bool // there is a row in the store
	dropped bool // it is kept no longer
}

// eventBook is what is known of events: the newest version of each event object up to a limit, and for each cause the sums
// of all, those that are not kept singly any more among them. It belongs to the publisher; only its tray and its index may be
// used by others.
//
// What the server lets go stays in it, since that is no news. What a list brings again is known by its UID, kept or forgotten,
// and counts only for what is more than before.
type eventBook struct {
	tray   *eventTray
	events *store[*Event]
	groups *store[*EventGroup]
	index  eventIndex
	beside eventBeside

	singles map[string]*single // by UID of the event object
	tallies map[groupKey]*tally
	shelves [2]shelf // of Normal events, and of others
	limits  eventLimits
	seed    maphash.Seed
	gone    podMemory
	orphans map[PodKey][]*tally // about a pod of that name, which has not been seen
	came    []*Pod              // since the last publication, that orphans may be about

	count     int // how often something was said, also of what no group has any more
	forgotten int // event objects that are not kept singly any more
	since     time.Time
	all, warn rateTape

	// Of the present publication.
	step    int64 // of the clock
	names   map[PodKey]podKin
	changed []*single
	left    []*single // kept no longer
	touched map[*tally]struct{}
	objects map[objectKey][]*single // whose events have changed, with those that are new to it
}

// eventBeside is where the book finds what events are about.
type eventBeside struct {
	pod      func(uid string) (podKin, bool)
	named    func(names map[PodKey]podKin) // fills in the pods of these names that there are
	workload func(Owner) string            // the UID of its row, "" if there is none
}

func newEventBook(wake func(), events *store[*Event], groups *store[*EventGroup], beside eventBeside) *eventBook {
	return &eventBook{
		tray: newEventTray(wake), events: events, groups: groups, beside: beside,
		limits:  eventLimits{singlesMost, groupsMost, forgottenMost},
		singles: map[string]*single{}, tallies: map[groupKey]*tally{}, seed: maphash.MakeSeed(), orphans: map[PodKey][]*tally{},
		touched: map[*tally]struct{}{}, objects: map[objectKey][]*single{},
	}
}

// absorb takes up what is in the tray, and leaves the rows that are new in the stores. It says whether there are any.
func (b *eventBook) absorb(now time.Time) bool {
	in := b.tray.take()
	if in.states != nil {
		b.events.setStates(in.states)
		b.groups.setStates(in.states)
	}
	if len(in.rows)+len(in.sweeps)+len(b.came) == 0 {
		return false
	}
	b.step, b.names = stepOf(now), map[PodKey]podKin{}
	b.adopt()
	b.lookUp(in.rows)
	b.takeUp(in)
	b.trim()
	news := len(b.changed)+len(b.left)+len(b.touched) > 0
	b.show()
	b.tray.knows(len(b.singles) + b.remembered())
	return news
}

// takeUp takes up rows and sweeps. What has gone goes before the sweeps: they drop what is known of it, and it would count anew. What came
// after a sweep is not in its list: that comes last.
func (b *eventBook) takeUp(in delivery) {
	for _, a := range in.rows {
		if a.gone && a.row != nil {
			b.take(a.row)
		}
	}
	for _, sw := range in.sweeps {
		b.sweep(sw)
	}
	for uid, a := range in.rows {
		if a.gone {
			b.expire(uid)
		} else {
			b.take(a.row)
		}
	}
}

// take takes up a version of an event object.
func (b *eventBook) take(e *Event) {
	s := b.singles[e.UID]
	if s == nil {
		b.meet(e)
		return
	}
	old := s.row
	e.Group, e.Owner, e.Node = old.Group, old.Owner, old.Node
	if e.Node == "" { // its pod may have been bound since
		e.Owner, e.Node = b.placeOf(e)
	}
	if *e == *old {
		return
	}
	more := e.Count - old.Count
	s.row, s.counted = e, s.counted+more
	b.said(e, more)
	if e.Type != old.Type || e.Reason != old.Reason || e.Object != old.Object {
		b.leave(s, old)
		b.join(s, b.tallyOf(e))
	} else {
		s.tally.said(e, more)
		if old.Expired {
			s.tally.live++
		}
	}
	s.tally.rate.add(e.Last, more, b.step)
	b.note(s)
}

// meet takes up an event object that is not kept: one that is new, or one that was forgotten and has been said again.
func (b *eventBook) meet(e *Event) {
	s := &single{row: e, counted: e.Count}
	if m, known := b.recall(e.UID); known {
		if more := e.Count - int(m.count); more != 0 {
			s.counted = int(m.counted) + more
			b.said(e, more)
			t := b.retrieve(e, m)
			t.rate.add(e.Last, more, b.step)
			b.keep(s, t)
		}
		return
	}
	t := b.tallyOf(e)
	switch sh := b.shelf(e.Warning()); {
	case !sh.lost(e):
		b.began(e, t)
	case e.Last.After(sh.blur): // it has been counted, nobody knows how far
		s.counted, e.AtLeast = 1, true
		b.said(e, 1)
		t.rate.add(e.Last, 1, b.step)
	default: // it has been counted
		b.touched[t] = struct{}{}
		return
	}
	b.since = earliest(b.since, e.First)
	b.keep(s, t)
}

// keep keeps a single from now on.
func (b *eventBook) keep(s *single, t *tally) {
	b.singles[s.row.UID] = s
	b.join(s, t)
	b.note(s)
}

// said notes that something was said n times more.
func (b *eventBook) said(e *Event, n int) {
	b.count += n
	b.all.add(e.Last, n, b.step)
	if e.Warning() {
		b.warn.add(e.Last, n, b.step)
	}
}

// began counts an event that nobody has seen before. All that is known of its times is when it was said first and last: in between
// nothing is put.
func (b *eventBook) began(e *Event, t *tally) {
	b.count += e.Count
	tapes := []*rateTape{&t.rate, &b.all, &b.warn}
	if !e.Warning() {
		tapes = tapes[:2]
	}
	for _, tape := range tapes {
		if e.Count > 1 {
			tape.add(e.First, 1, b.step)
		}
		tape.add(e.Last, max(e.Count-1, 1), b.step)
	}
}

// join adds a single to a tally.
func (b *eventBook) join(s *single, t *tally) {
	e := s.row
	e.Group, s.tally = t.uid, t
	e.Owner, e.Node = b.placeOf(e)
	s.object, s.hash = e.Object.key(), b.hash(&e.Object)
	t.objects.add(s.hash, 1)
	t.kept++
	if !e.Expired {
		t.live++
	}
	t.said(e, s.counted)
	b.shelf(e.Warning()).singles++
}

// leave takes a single, as it was, out of its tally: what it has said counts elsewhere now.
func (b *eventBook) leave(s *single, old *Event) {
	t := s.tally
	t.objects.release(s.hash, false)
	t.kept--
	if !old.Expired {
		t.live--
	}
	t.count -= s.counted - (s.row.Count - old.Count)
	t.stale = t.stale || t.newest.UID == old.UID
	b.shelf(old.Warning()).singles--
	b.touched[t] = struct{}{}
}

// expire notes that the server has let an event object go.
func (b *eventBook) expire(uid string) {
	s := b.singles[uid]
	if s == nil {
		b.expireForgotten(uid)
		return
	}
	if s.row.Expired {
		return
	}
	row := *s.row
	row.Expired = true
	s.row = &row
	s.tally.live--
	b.note(s)
}

// sweep notes that the server has let go what is not in a complete list.
func (b *eventBook) sweep(sw sweep) {
	for uid, s := range b.singles {
		if _, there := sw.seen[uid]; !there && sw.brings(s.row.Ref()) {
			b.expire(uid)
		}
	}
	b.sweepForgotten(sw)
}

// note has the rows of a single, its tally and its object be made anew.
func (b *eventBook) note(s *single) {
	b.touched[s.tally] = struct{}{}
	if !s.changed {
		s.changed = true
		b.changed = append(b.changed, s)
	}
	if s.indexed == s.object {
		b.touchObject(s.object)
		return
	}
	if s.indexed != "" {
		b.touchObject(s.indexed)
	}
	b.objects[s.object] = append(b.objects[s.object], s)
	s.indexed = s.object
}

func (b *eventBook) touchObject(key objectKey) {
	if _, ok := b.objects[key]; !ok {
		b.objects[key] = nil
	}
}

// show leaves the rows that have changed in the stores and in the index.
func (b *eventBook) show() {
	rows := make([]*Event, 0, len(b.changed))
	for _, s := range b.changed {
		s.changed = false
		if !s.dropped {
			s.shown = true
			rows = append(rows, s.row)
		}
	}
	b.events.put(rows...)
	for _, s := range b.left {
		if s.shown {
			b.events.remove(s.row.UID)
		}
	}
	b.showGroups()
	b.reindex()
	clear(b.changed)
	clear(b.left)
	b.changed, b.left = b.changed[:0], b.left[:0]
}

func (b *eventBook) showGroups() {
	b.refreshStale()
	groups := make([]*EventGroup, 0, len(b.touched))
	for t := range b.touched {
		if t.kept+t.forgotten == 0 && !t.dropped {
			b.discard(t, nil)
		}
		if !t.dropped {
			t.shown = true
			groups = append(groups, t.row(b.beside.workload))
		} else if t.shown {
			t.shown = false
			b.groups.remove(t.uid)
		}
	}
	b.groups.put(groups...)
	clear(b.touched)
}

// refreshStale finds the newest events of tallies that have lost theirs.
func (b *eventBook) refreshStale() {
	var stale bool
	for t := range b.touched {
		if t.stale && t.kept > 0 {
			stale, t.newest = true, nil
		}
	}
	if !stale {
		return
	}
	for _, s := range b.singles {
		if t := s.tally; t.stale && (t.newest == nil || newestFirst(s.row, t.newest) < 0) {
			t.newest = s.row
		}
	}
	for t := range b.touched {
		t.stale = false
	}
}

// told is what is known of all events together.
func (b *eventBook) told() Said {
	if b.since.IsZero() {
		return Said{}
	}
	return Said{
		Since: b.since, Events: len(b.singles), Count: b.count, Forgotten: b.forgotten,
		Rate: b.all.rate, Warnings: b.warn.rate.UpTo(endOf(b.warn.last), endOf(b.all.last).Add(-1)), RateEnds: endOf(b.all.last),
	}
}

// hash tells objects from each other: by UID, or by name if there is none.
func (b *eventBook) hash(o *Involved) uint64 {
	if pod, ok := b.pod(o); ok && o.UID == "" {
		return maphash.String(b.seed, pod.uid)
	}
	return maphash.String(b.seed, string(o.key()))
}

// lookUp finds the pods of events that give a pod's name alone, all at once: pods are not kept by name.
func (b *eventBook) lookUp(rows map[string]arrival) {
	for uid, a := range rows {
		if a.row == nil || a.row.Object.Kind != "Pod" || a.row.Object.UID != "" || b.singles[uid] != nil {
			continue
		}
		b.names[PodKey{a.row.Object.Namespace, a.row.Object.Name}] = podKin{}
	}
	if len(b.names) > 0 {
		b.beside.named(b.names)
		maps.DeleteFunc(b.names, func(_ PodKey, k podKin) bool { return k.uid == "" })
	}
}
