package kube

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// What the book keeps at most, of warnings and again of other events, so that no flood of the one kind carries the other away. An
// event takes about 700 bytes with its places, a group about 900: some 30 MB in all if every limit is reached. An hour of events of a
// cluster of 1,000 nodes that is well are some 10,000.
const (
	singlesMost = 10_000
	groupsMost  = 5_000
	// forgottenMost is how many event objects that are not kept singly are still known by their UID, 40 bytes each: until the server lets
	// them go, a list may bring them again, and they may be said again.
	forgottenMost = 100_000
	// trimShare is the part that goes when a limit is passed, so that what goes has to be looked for seldom.
	trimShare = 10
)

// eventLimits are those three; tests have smaller ones.
type eventLimits struct{ singles, groups, forgotten int }

// shelf is what is kept of warnings, or of other events.
type shelf struct {
	singles, groups int // how many there are

	// Event objects that are not kept singly, by a hash of their UID; when the younger ones are half of what may be, the older
	// ones go.
	young, old         map[uint64]memory
	youngLast, oldLast time.Time // when the newest of them was said
	blur               time.Time // and of those that are not known any more
}

// memory is what stays known of an event object that is not kept singly.
type memory struct {
	tally   *tally
	count   int32 // its Count
	counted int32 // what of it is in the tally
}

func (b *eventBook) shelf(warning bool) *shelf {
	if warning {
		return &b.shelves[1]
	}
	return &b.shelves[0]
}

func (b *eventBook) uidHash(uid string) uint64 { return maphash.String(b.seed, uid) }

// remembered is how many event objects are known that are not kept.
func (b *eventBook) remembered() int {
	n := 0
	for i := range b.shelves {
		n += len(b.shelves[i].young) + len(b.shelves[i].old)
	}
	return n
}

// lost reports whether an event that nobody knows may have been counted long ago: whether it is as old as those that are not
// known any more.
func (s *shelf) lost(e *Event) bool { return !s.blur.IsZero() && !e.First.After(s.blur) }

// recall gives what is known of an event object that is not kept.
func (b *eventBook) recall(uid string) (memory, bool) {
	hash := b.uidHash(uid)
	for i := range b.shelves {
		s := &b.shelves[i]
		if m, ok := s.young[hash]; ok {
			return m, true
		}
		if m, ok := s.old[hash]; ok {
			return m, true
		}
	}
	return memory{}, false
}

// erase drops what is known of an event object.
func (b *eventBook) erase(hash uint64) {
	for i := range b.shelves {
		delete(b.shelves[i].young, hash)
		delete(b.shelves[i].old, hash)
	}
}

// retrieve takes an event object back that was forgotten, out of its tally, and gives that to which it belongs: the same, if
// that is still there and the event still has its reason.
func (b *eventBook) retrieve(e *Event, m memory) *tally {
	b.erase(b.uidHash(e.UID))
	b.forgotten--
	t := m.tally.now()
	if t == nil {
		return b.tallyOf(e)
	}
	t.forgotten--
	t.live--
	t.count -= int(m.counted)
	t.objects.recover(b.hash(&e.Object))
	b.touched[t] = struct{}{}
	if t.key.kind != e.Type || t.key.reason != e.Reason {
		return b.tallyOf(e)
	}
	return t
}

// forget keeps an event object no longer: it counts on in its group, and is known while the server has it.
func (b *eventBook) forget(s *single) {
	e, t := s.row, s.tally
	s.dropped = true
	b.left = append(b.left, s)
	b.touchObject(s.indexed)
	delete(b.singles, e.UID)
	sh := b.shelf(e.Warning())
	sh.singles--
	b.forgotten++
	t.kept--
	t.forgotten++
	t.objects.release(s.hash, true)
	b.touched[t] = struct{}{}
	if !e.Expired {
		b.remember(sh, b.uidHash(e.UID), memory{t, int32(e.Count), int32(s.counted)}, e.Last)
	}
}

// remember notes an event object that is not kept any more.
func (b *eventBook) remember(s *shelf, hash uint64, m memory, last time.Time) {
	if len(s.young) >= b.limits.forgotten/2 {
		if len(s.old) > 0 {
			s.blur = latest(s.blur, s.oldLast)
		}
		s.old, s.oldLast, s.young, s.youngLast = s.young, s.youngLast, nil, time.Time{}
	}
	if s.young == nil {
		s.young = map[uint64]memory{}
	}
	s.young[hash] = m
	s.youngLast = latest(s.youngLast, last)
}

// release notes that the server has one event object of a tally less.
func (b *eventBook) release(t *tally) {
	if t = t.now(); t != nil {
		t.live--
		b.touched[t] = struct{}{}
	}
}

// expireForgotten notes that the server has let an event object go that is not kept.
func (b *eventBook) expireForgotten(uid string) {
	if m, ok := b.recall(uid); ok {
		b.erase(b.uidHash(uid))
		b.release(m.tally)
	}
}

// sweepForgotten does that for all that are not in a complete list. Of what is known by a hash alone the namespace is that of its group:
// what is grouped by node, or about an object without a namespace, goes by lists of all namespaces only.
func (b *eventBook) sweepForgotten(sw sweep) {
	if b.remembered() == 0 {
		return
	}
	there := make(map[uint64]struct{}, len(sw.seen))
	for uid := range sw.seen {
		there[b.uidHash(uid)] = struct{}{}
	}
	for i := range b.shelves {
		for _, of := range [...]map[uint64]memory{b.shelves[i].young, b.shelves[i].old} {
			for hash, m := range of {
				if _, ok := there[hash]; !ok && m.within(sw.namespace) {
					delete(of, hash)
					b.release(m.tally)
				}
			}
		}
	}
}

// within reports whether it is known to be of a namespace; "" is all.
func (m memory) within(namespace string) bool {
	t := m.tally.now()
	return namespace == "" || t != nil && t.key.namespace == namespace
}

// trim drops the oldest of what is more than may be kept, groups with their events.
func (b *eventBook) trim() {
	for i := range b.shelves {
		warning := i == 1
		if n := b.shelves[i].groups - b.limits.groups; n > 0 {
			b.trimGroups(warning, n+b.limits.groups/trimShare)
		}
		if n := b.shelves[i].singles - b.limits.singles; n > 0 {
			b.trimSingles(warning, n+b.limits.singles/trimShare)
		}
	}
}

func (b *eventBook) trimSingles(warning bool, n int) {
	all := make([]aged[*single], 0, b.shelf(warning).singles)
	for uid, s := range b.singles {
		if s.row.Warning() == warning {
			all = append(all, aged[*single]{s.row.Last.UnixNano(), uid, s})
		}
	}
	for _, s := range oldest(all, n) {
		b.forget(s)
	}
}

func (b *eventBook) trimGroups(warning bool, n int) {
	all := make([]aged[*tally], 0, b.shelf(warning).groups)
	for _, t := range b.tallies {
		if t.warn == warning {
			all = append(all, aged[*tally]{t.last.UnixNano(), t.uid, t})
		}
	}
	for _, t := range oldest(all, n) {
		b.discard(t, nil)
	}
	for _, s := range b.singles {
		if s.tally.dropped {
			b.forget(s)
		}
	}
	b.settleMemories()
}

// settleMemories has no memory keep a tally alive that is not in the book any more.
func (b *eventBook) settleMemories() {
	for i := range b.shelves {
		for _, of := range [...]map[uint64]memory{b.shelves[i].young, b.shelves[i].old} {
			for hash, m := range of {
				if m.tally != nil && m.tally.dropped {
					m.tally = m.tally.now()
					of[hash] = m
				}
			}
		}
	}
}

// aged is something with what it is ordered by: when it was last said, and its UID, so that it is always the same ones that go.
type aged[T any] struct {
	last int64 // nanoseconds
	uid  string
	of   T
}

// oldest gives the n oldest.
func oldest[T any](all []aged[T], n int) []T {
	slices.SortFunc(all, func(a, b aged[T]) int {
		if c := cmp.Compare(a.last, b.last); c != 0 {
			return c
		}
		return strings.Compare(a.uid, b.uid)
	})
	out := make([]T, 0, n)
	for _, a := range all[:min(n, len(all))] {
		out = append(out, a.of)
	}
	return out
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
