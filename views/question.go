package views

import (
	"time"

	"ktriage/kube"
)

// question is what one wants to see of all rows, and in which order.
type question struct {
	number  uint64 // of the feed
	order   int
	reverse bool
	filter  Filter
	pin     Pin
}

// narrowed reports whether some rows may be left out.
func (q question) narrowed() bool { return !q.filter.Empty() || q.pin != (Pin{}) }

// alike reports whether two questions let the same rows through.
func (q question) alike(other question) bool {
	return q.filter.Text == other.filter.Text && q.pin == other.pin
}

// ask tells the feed what is wanted now.
func (l *list[R]) ask(q question) {
	q.number = l.feed.SetQuery(query(l.spec.orders[q.order], q.reverse, l.spec.byName, q.filter, l.pinned(q.pin)))
	l.questions = append(l.questions, q)
}

// asked is the newest question.
func (l *list[R]) asked() question { return l.questions[len(l.questions)-1] }

// shown is the question that the rows answer.
func (l *list[R]) shown() question { return l.questions[0] }

// Waiting implements View.
func (l *list[R]) Waiting() bool { return l.snap.Query != l.asked().number }

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
		Order: o.id,
	}
	if reverse {
		q.Order += " reversed"
	}
	if filter.Empty() && pinned == nil {
		return q
	}
	sieve, fits := filter.sieve.(sieve[R])
	q.KeepReads = sieve.reads | kube.Nodes
	q.Keep = func(r R, m kube.Moment) bool {
		return (pinned == nil || pinned(r, m)) && (fits || filter.Empty()) && sieve.keep(r, m)
	}
	if sieve.clock {
		q.Until = func(r R, m kube.Moment) time.Time {
			if pinned != nil && !pinned(r, m) {
				return time.Time{}
			}
			return sieve.until(r, m)
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

func (l *list[R]) pinned(p Pin) func(R, kube.Moment) bool {
	if p == (Pin{}) {
		return nil
	}
	return l.spec.pinned(p)
}
