package evict

import (
	"slices"
	"time"
)

// failsAlike is for how many pods in a row the server fails before it is taken to fail for all.
const failsAlike = 3

// hold keeps all pods back while the server answers nobody, or fails for everybody: then one pod is asked now and then, and
// the others go on as soon as that has worked.
type hold struct {
	enough int           // so many pods have to fail, one after the other
	most   time.Duration // between two attempts
	failed []*pod        // for which it has failed since it last worked
	rounds int
	until  time.Time
	probe  *pod // the one that is being asked
	said   string
}

// on reports whether pods are kept back.
func (h *hold) on() bool { return len(h.failed) >= h.enough }

// lets reports whether a pod may be asked now; otherwise it says when to look again.
func (h *hold) lets(now time.Time, wake func(time.Time)) bool {
	switch {
	case !h.on():
		return true
	case h.probe != nil:
		return false // its answer wakes
	case now.Before(h.until):
		wake(h.until)
		return false
	}
	return true
}

// asks notes that a pod is being asked.
func (h *hold) asks(p *pod) {
	if h.on() {
		h.probe = p
	}
}

// fails notes that it has failed for a pod. Several that were under way at the same time fail but once.
func (h *hold) fails(p *pod, said string, now time.Time) {
	h.said = said
	if h.probe == p {
		h.probe = nil
	}
	if !slices.Contains(h.failed, p) {
		h.failed = append(h.failed, p)
	}
	if h.on() && !now.Before(h.until) {
		h.rounds++
		h.until = now.Add(backoff(h.rounds, h.most))
	}
}

// works ends the hold.
func (h *hold) works() { *h = hold{enough: h.enough, most: h.most} }
