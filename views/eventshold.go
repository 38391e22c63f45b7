package views

import (
	"time"

	"ktriage/kube"
	"ktriage/themes"
)

// hold is a feed that can be held still: it goes on giving what it gave last, until it is released or asked something else.
type hold[R kube.Row] struct {
	Feed[R]
	kept  *kube.Snapshot[R] // nil while it follows
	since time.Time
	newer int // how often something has been said meanwhile, of what passes the filter
}

func (h *hold[R]) held() bool { return h.kept != nil }

// Load implements Feed.
func (h *hold[R]) Load() *kube.Snapshot[R] {
	if h.held() {
		return h.kept
	}
	return h.Feed.Load()
}

// SetQuery implements Feed. Who asks something else wants to see the answer.
func (h *hold[R]) SetQuery(q kube.Query[R]) uint64 {
	h.release()
	return h.Feed.SetQuery(q)
}

// keep holds the rows that are there. Those of an older question are not worth it.
func (h *hold[R]) keep(now time.Time, waiting bool) []Effect {
	if waiting {
		return []Effect{Flash{"the rows are still being looked for", themes.Warn}}
	}
	h.kept, h.since, h.newer = h.Feed.Load(), now, 0
	return nil
}

func (h *hold[R]) release() { h.kept = nil }

// count brings up to date how often something has been said since; said is how often a row was.
func (h *hold[R]) count(said func(R) int) {
	if h.held() {
		h.newer = max(0, times(h.Feed.Load(), said)-times(h.kept, said))
	}
}

// times is how often the rows together were said.
func times[R kube.Row](s *kube.Snapshot[R], said func(R) int) int {
	n := 0
	for i := range s.Len() {
		n += said(s.Row(i))
	}
	return n
}
