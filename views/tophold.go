package views

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"ktriage/kube"
)

// ranked is a list whose order holds still as soon as a key has chosen a row: figures go on, rows do not.
type ranked[R kube.Row] struct {
	*list[R]
	still *stillFeed[R]
}

func newRanked[R kube.Row](feed Feed[R], s spec[R], hold holding[R]) ranked[R] {
	still := &stillFeed[R]{Feed: feed, hold: hold}
	return ranked[R]{newList[R](still, s), still}
}

// show asks for rows again, in the order of that ID and of what belongs to pin. The same as before come back as they were; others
// are seen from the first on.
func (r ranked[R]) show(order string, pin Pin) {
	q := r.asked()
	if i := slices.IndexFunc(r.spec.orders, r.named(order)); i >= 0 && i != q.order {
		q.order, q.reverse = i, false
		r.fresh()
	}
	if q.pin != pin {
		q.pin, q.filter = pin, Filter{}
		r.fresh()
	}
	r.ask(q)
}

func (r ranked[R]) named(id string) func(order[R]) bool {
	return func(o order[R]) bool { return o.id == id }
}

// fresh gives up the order that is held and the row that was chosen.
func (r ranked[R]) fresh() {
	r.still.held = nil
	r.fault, r.goal = nil, &Place{}
}

// hide leaves the feed in peace. What it has shown last is shown again until the next answer.
func (r ranked[R]) hide() { r.feed.SetQuery(kube.Query[R]{}) }

// again sorts by the newest samples, and looks at the first row.
func (r ranked[R]) again() {
	r.fresh()
	r.ask(r.asked())
}

// settle holds the order once a key has chosen a row. Whoever is on the way to another row is not there yet.
func (r ranked[R]) settle() {
	if r.goal == nil && !r.Waiting() && r.table.Chosen() && r.still.held == nil {
		r.still.keep(r.snap)
	}
}

func (r ranked[R]) steady() bool     { return r.still.held != nil }
func (r ranked[R]) sortedBy() string { return r.spec.orders[r.asked().order].id }
func (r ranked[R]) pin() Pin         { return r.asked().pin }

// beside is what the rows are seen beside.
func (r ranked[R]) beside(now time.Time) kube.Moment { return r.moment(now) }

// holding makes of questions those whose order is that of a snapshot, whatever has been measured since.
type holding[R kube.Row] func(*kube.Snapshot[R]) func(kube.Query[R]) kube.Query[R]

// stillFeed is a feed whose order can be held. The list above it does not notice: it has asked the same question, so that no key
// has to wait for the answer.
type stillFeed[R kube.Row] struct {
	Feed[R]
	hold  holding[R]
	query kube.Query[R]                     // as the list has asked it
	held  func(kube.Query[R]) kube.Query[R] // nil while no order is held
	holds int                               // how many have been, for the name of the order
	told  uint64                            // the number of the list's question
	asked []numbers                         // of questions that may still be answered, the oldest first

	from, snap *kube.Snapshot[R] // the newest, as it came and as the list sees it
}

// numbers are those of a question, of the feed and of the list.
type numbers struct{ feed, list uint64 }

// SetQuery implements Feed. A question without a Tie asks for nothing.
func (f *stillFeed[R]) SetQuery(q kube.Query[R]) uint64 {
	f.query = q
	f.told++
	f.send()
	return f.told
}

// keep holds the order of a snapshot from now on.
func (f *stillFeed[R]) keep(s *kube.Snapshot[R]) {
	f.held = f.hold(s)
	f.holds++
	f.send()
}

func (f *stillFeed[R]) send() {
	q := f.query
	if q.Tie != nil && f.held != nil {
		q = f.held(q)
		q.Order += " held " + strconv.Itoa(f.holds)
		q.Reads = 0
	}
	f.asked = append(f.asked, numbers{f.Feed.SetQuery(q), f.told})
}

// Load implements Feed. The snapshot bears the number of the list's question.
func (f *stillFeed[R]) Load() *kube.Snapshot[R] {
	s := f.Feed.Load()
	if s == f.from {
		return f.snap
	}
	seen := *s
	f.asked = slices.DeleteFunc(f.asked, func(n numbers) bool { return n.feed < s.Query })
	if len(f.asked) > 0 && f.asked[0].feed == s.Query {
		seen.Query = f.asked[0].list
	}
	f.from, f.snap = s, &seen
	return f.snap
}

// heldMoment orders rows by what was measured when the order began to be held; those that were not there stand at the end.
func heldMoment[R kube.Row](s *kube.Snapshot[R]) func(kube.Query[R]) kube.Query[R] {
	then := s.Moment
	return func(q kube.Query[R]) kube.Query[R] {
		key := q.Key
		q.Key = func(r R, rank uint8, _ kube.Moment) uint64 { return key(r, rank, then) }
		return q
	}
}

// heldTotals does the same for rows that have their figures in themselves. Whoever sorts makes a map of them once: the update loop
// must not.
func heldTotals(s *kube.Snapshot[*kube.Total]) func(kube.Query[*kube.Total]) kube.Query[*kube.Total] {
	then := sync.OnceValue(func() map[string]*kube.Total {
		rows := make(map[string]*kube.Total, s.Len())
		for i := range s.Len() {
			rows[s.Row(i).Ref().UID] = s.Row(i)
		}
		return rows
	})
	return func(q kube.Query[*kube.Total]) kube.Query[*kube.Total] {
		key := q.Key
		q.Key = func(t *kube.Total, rank uint8, m kube.Moment) uint64 {
			was, ok := then()[t.Ref().UID]
			if !ok {
				return 0
			}
			return key(was, rank, m)
		}
		return q
	}
}
