package kube

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"

	"ktriage/internal/safe"
)

// change is what became of a row: the zero slot stands for "none", before or after.
type change[R Row] struct{ was, is slot[R] }

// entry is the place of a row in the order.
func (q *Query[R]) entry(sl slot[R], m Moment) entry[R] {
	if q.Key == nil {
		return entry[R]{uint64(sl.rank), sl.row}
	}
	return entry[R]{q.Key(sl.row, sl.rank, m), sl.row}
}

func (q *Query[R]) compare(a, b entry[R]) int {
	if a.key != b.key {
		return cmp.Compare(b.key, a.key)
	}
	return q.Tie(a.row, b.row)
}

// sort makes the whole order anew.
func (q *Query[R]) sort(slots map[string]slot[R], m Moment) []entry[R] {
	all := make([]entry[R], 0, len(slots))
	for _, sl := range slots {
		all = append(all, q.entry(sl, m))
	}
	slices.SortFunc(all, q.compare)
	return all
}

// stride is how many rows a filter looks at before it asks whether anybody still wants to know.
const stride = 4096

// filter gives the entries that pass; false if it was overtaken by another question. Every processor takes a part: what
// costs is to wait for memory.
func (q *Query[R]) filter(all []entry[R], m Moment, overtaken func() bool, room *room[R]) (kept []entry[R], due time.Time, ok bool) {
	parts := slices.Collect(slices.Chunk(all, max(stride, (len(all)-1)/runtime.GOMAXPROCS(0)+1)))
	room.parts = slices.Grow(room.parts[:0], len(parts))[:len(parts)]
	room.dues = slices.Grow(room.dues[:0], len(parts))[:len(parts)]
	var done sync.WaitGroup
	for i, part := range parts {
		done.Add(1)
		safe.Go("filter", func() {
			defer done.Done()
			room.parts[i], room.dues[i] = q.filterPart(room.parts[i][:0], part, m, overtaken)
		})
	}
	done.Wait()
	for _, at := range room.dues {
		due = soonest(due, at)
	}
	return room.take(), notSoon(due, m), !overtaken()
}

// lookGap is how far apart two looks of a filter are that nothing but the time asks for.
const lookGap = time.Second

// notSoon puts off what is due until lookGap has passed.
func notSoon(due time.Time, m Moment) time.Time {
	if least := m.Now.Add(lookGap); !due.IsZero() && due.Before(least) {
		return least
	}
	return due
}

// soonest gives the first of two times; the zero time is never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// sooner gives when the filter must look again once some rows have changed.
func (q *Query[R]) sooner(due time.Time, changes map[string]change[R], m Moment) time.Time {
	var none R
	if q.Until == nil {
		return due
	}
	for _, c := range changes {
		if c.is.row != none {
			due = soonest(due, notSoon(q.Until(c.is.row, m), m))
		}
	}
	return due
}

// room is where the parts of an answer are put together, again and again: typing a word leaves no garbage behind but the
// answers themselves.
type room[R Row] struct {
	parts [][]entry[R]
	dues  []time.Time
}

// take gives what is in the room, and empties it, so that it keeps no row alive.
func (r *room[R]) take() []entry[R] {
	all := slices.Concat(r.parts...)
	for _, part := range r.parts {
		clear(part)
	}
	return all
}

func (q *Query[R]) filterPart(kept, part []entry[R], m Moment, overtaken func() bool) ([]entry[R], time.Time) {
	var due time.Time
	for some := range slices.Chunk(part, stride) {
		if overtaken() {
			return kept, due
		}
		for _, e := range some {
			if q.Keep(e.row, m) {
				kept = append(kept, e)
			}
			if q.Until != nil {
				due = soonest(due, q.Until(e.row, m))
			}
		}
	}
	return kept, due
}

// renew takes the old versions of the changed rows out of an order, and puts the new ones in, those that
// keep lets through. then is the moment at which the order was made. It is whole if all old versions were in it: one that
// a filter has gone through may lack some, but an order of all rows that does must be sorted anew.
func (q *Query[R]) renew(old []entry[R], keep func(R, Moment) bool,
	changes map[string]change[R], then, m Moment) (fresh []entry[R], whole bool) {
	if len(changes) == 0 {
		return old, true
	}
	var none R
	whole = true
	leave := make([]int, 0, len(changes))
	come := make([]entry[R], 0, len(changes))
	for _, c := range changes {
		if c.was.row != none {
			i, found := slices.BinarySearchFunc(old, q.entry(c.was, then), q.compare)
			if found && old[i].row == c.was.row {
				leave = append(leave, i)
			} else {
				whole = false
			}
		}
		if c.is.row != none && (keep == nil || keep(c.is.row, m)) {
			come = append(come, q.entry(c.is, m))
		}
	}
	slices.Sort(leave)
	slices.SortFunc(come, q.compare)
	return q.splice(old, leave, come), whole
}

// splice makes a new order of an old one without the entries at leave, and with those of come; both are sorted. Stretches
// in which nothing changes are copied in one go.
func (q *Query[R]) splice(old []entry[R], leave []int, come []entry[R]) []entry[R] {
	out := make([]entry[R], 0, len(old)-len(leave)+len(come))
	at, to := 0, -1 // what of old has been copied, and where the first of come belongs
	for len(leave)+len(come) > 0 {
		if len(come) > 0 && to < 0 {
			n, _ := slices.BinarySearchFunc(old[at:], come[0], q.compare)
			to = at + n
		}
		if len(come) > 0 && (len(leave) == 0 || to <= leave[0]) {
			out = append(append(out, old[at:to]...), come[0])
			at, to, come = to, -1, come[1:]
			continue
		}
		out = append(out, old[at:leave[0]]...)
		at, leave = leave[0]+1, leave[1:]
	}
	return append(out, old[at:]...)
}
