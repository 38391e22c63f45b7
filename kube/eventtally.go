package kube

import "time"

// tally is what the book counts of a group.
type tally struct {
	key  groupKey
	uid  string
	warn bool

	count       int
	atLeast     bool
	first, last time.Time
	rate        rateTape
	newest      *Event
	kept        int // event objects that are kept
	forgotten   int // that are not any more
	live        int // of both, those that the server still has
	objects     objectSet

	shown   bool   // its row is in the store
	orphan  bool   // it is about a pod that has not been seen
	stale   bool   // newest is not among its events any more
	dropped bool   // it is in the book no longer
	into    *tally // what took its place, if anything did
}

// now is the tally that took its place, nil if it was dropped.
func (t *tally) now() *tally {
	for t != nil && t.dropped {
		t = t.into
	}
	return t
}

// said notes that n more of an event have been said.
func (t *tally) said(e *Event, n int) {
	t.count += n
	t.atLeast = t.atLeast || e.AtLeast
	if t.first.IsZero() || e.First.Before(t.first) {
		t.first = e.First
	}
	if e.Last.After(t.last) {
		t.last = e.Last
	}
	if t.newest == nil || t.newest.UID == e.UID || newestFirst(e, t.newest) <= 0 {
		t.newest = e
	}
}

// merge takes over all of another tally.
func (t *tally) merge(other *tally, step int64) {
	t.count += other.count
	t.atLeast = t.atLeast || other.atLeast
	if t.first.IsZero() || other.first.Before(t.first) {
		t.first = other.first
	}
	if other.last.After(t.last) {
		t.last = other.last
	}
	if t.newest == nil || other.newest != nil && other.newest.Last.After(t.newest.Last) {
		t.newest = other.newest
	}
	t.rate.merge(&other.rate, step)
	t.kept, t.forgotten, t.live = t.kept+other.kept, t.forgotten+other.forgotten, t.live+other.live
	t.objects.merge(&other.objects)
}

// row is the group as it is shown. One that is about one object so far is shown as that object's.
func (t *tally) row(uid func(Owner) string) *EventGroup {
	g := &EventGroup{
		UID: t.uid, Type: t.key.kind, Reason: t.key.reason, By: t.key.by, Objects: t.objects.size(),
		Object: t.newest.Object, Message: t.newest.Message, From: t.newest.From, Node: t.newest.Node,
		Count: t.count, AtLeast: t.atLeast, First: t.first, Last: t.last,
		Expired: t.live == 0, Forgotten: t.forgotten, Rate: t.rate.rate, RateEnds: endOf(t.rate.last),
	}
	if g.Objects <= 1 || g.By == ByObject {
		g.By, g.Subject = ByObject, t.newest.Object
		g.Subject.Field = ""
		return g
	}
	g.Subject = t.key.subject()
	g.Subject.UID = uid(Owner{KindNamed(g.Subject.Kind), g.Subject.Namespace, g.Subject.Name})
	return g
}

// objectSet counts different objects, by a hash of what they are. An object all of whose events have been forgotten stays
// counted; if it has another event after that, it counts anew.
type objectSet struct {
	one  uint64            // the only object, while there is one
	uses int32             // of it
	all  map[uint64]uint32 // uses of each, once there have been two
	lost int               // that are counted, but not in here any more
}

func (o *objectSet) size() int {
	if o.all != nil {
		return len(o.all) + o.lost
	}
	return min(int(o.uses), 1) + o.lost
}

func (o *objectSet) add(hash uint64, uses uint32) {
	switch {
	case o.all != nil:
		o.all[hash] += uses
	case o.uses == 0 || o.one == hash:
		o.one, o.uses = hash, o.uses+int32(uses)
	default:
		o.all = map[uint64]uint32{o.one: uint32(o.uses), hash: uses}
	}
}

// release takes one use of an object back. If it was the last, the object stays counted where forgotten says so.
func (o *objectSet) release(hash uint64, forgotten bool) {
	last := false
	switch {
	case o.all != nil:
		if o.all[hash]--; o.all[hash] == 0 {
			delete(o.all, hash)
			last = true
		}
	default:
		o.uses--
		last = o.uses == 0
	}
	if last && forgotten {
		o.lost++
	}
}

func (o *objectSet) merge(other *objectSet) {
	o.lost += other.lost
	if other.all == nil && other.uses > 0 {
		o.add(other.one, uint32(other.uses))
	}
	for hash, uses := range other.all {
		o.add(hash, uses)
	}
}

// recover is told that an event about an object that was forgotten comes back: if that object is only counted, it is about to be
// known again.
func (o *objectSet) recover(hash uint64) {
	known := o.uses > 0 && o.one == hash
	if o.all != nil {
		_, known = o.all[hash]
	}
	if !known && o.lost > 0 {
		o.lost--
	}
}
