package certs

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"ktriage/internal/safe"
	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	// patience is how long one reading of a sweep begins to ask. With the last handshake it is over within 10 seconds,
	// however many endpoints there are; what it has not come to is asked in the next.
	patience = 8 * time.Second
	// sweepRest is the time until then, and sweepRestSilent that where most do not answer: no hurry to try more of the same.
	sweepRest, sweepRestSilent = time.Second, 10 * time.Second
	// fewSilent is how many endpoints may fail for one reason with a row each.
	fewSilent = 16
)

// sweep asks endpoints of one kind, one on each node, of which any number may be silent.
type sweep struct {
	place   kube.CertPlace // of all of them together
	abreast int            // how many are asked at a time
	pace    time.Duration  // from one round to the next
	targets func(ctx context.Context) ([]endpoint, error)
	ask     func(ctx context.Context, e endpoint) ([]finding, error)
	reason  func(error) string
	general func(error) bool // an error that every other endpoint would give too

	reading sync.Mutex // one at a time; it guards what follows
	round   []endpoint
	next    int                 // of the round: what has not been asked yet
	silent  bool                // most of what was asked last has not answered in time
	known   map[string]sighting // by slot of the endpoint
}

// sighting is what an endpoint has given.
type sighting struct {
	slots []string // of what was found there when it last answered
	why   string   // it has not answered the last time; "" if it has
}

// read asks as many endpoints as there is patience for.
func (w *sweep) read(ctx context.Context, put func(...finding)) error {
	w.reading.Lock()
	defer w.reading.Unlock()
	if w.next >= len(w.round) {
		if err := w.begin(ctx); err != nil {
			return err
		}
	}
	silent, err := w.goOn(ctx, put)
	w.silent = silent
	if err != nil {
		w.next = len(w.round)
		return err
	}
	w.tell(put)
	return nil
}

// rest is the time until the next reading.
func (w *sweep) rest() time.Duration {
	w.reading.Lock()
	defer w.reading.Unlock()
	switch {
	case w.next >= len(w.round):
		return w.pace
	case w.silent:
		return sweepRestSilent
	}
	return sweepRest
}

// begin begins a round: every endpoint that there is now, once. What is known of those that are gone is forgotten.
func (w *sweep) begin(ctx context.Context) error {
	targets, err := w.targets(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]sighting, len(targets))
	for _, e := range targets {
		if was, ok := w.known[e.slot]; ok {
			known[e.slot] = was
		}
	}
	w.round, w.next, w.known = targets, 0, known
	return nil
}

// asking is one reading of a sweep.
type asking struct {
	mu            sync.Mutex // guards the sightings of the sweep, too
	began         time.Time
	asked, silent int
	err           error
}

// silence reports whether most of what was asked has not answered in time.
func (a *asking) silence() bool { return a.asked >= 2*fewSilent && 2*a.silent > a.asked }

// over reports whether no other endpoint is to be asked.
func (a *asking) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err != nil || time.Since(a.began) >= patience || a.silence()
}

// goOn asks the next endpoints of the round, a few at a time.
func (w *sweep) goOn(ctx context.Context, put func(...finding)) (silent bool, err error) {
	a := &asking{began: time.Now()}
	work := make(chan endpoint)
	put = oneByOne(put)
	var all sync.WaitGroup
	for range w.abreast {
		all.Add(1)
		safe.Go("handshakes", func() {
			defer all.Done()
			for e := range work {
				w.one(ctx, a, e, put)
			}
		})
	}
	for w.next < len(w.round) && ctx.Err() == nil && !a.over() {
		work <- w.round[w.next]
		w.next++
	}
	close(work)
	all.Wait()
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return a.silence(), a.err
}

func (w *sweep) one(ctx context.Context, a *asking, e endpoint, put func(...finding)) {
	found, err := w.ask(ctx, e)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		put(found...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	s := w.known[e.slot]
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		s = sighting{}
		for _, f := range found {
			s.slots = append(s.slots, f.slot)
		}
	case w.general(err):
		a.err = err
		return
	default:
		s.why = w.reason(err)
		if ok && timeout.Timeout() {
			a.silent++
		}
	}
	w.known[e.slot] = s
}

// tell puts what is known of all endpoints. What has been found stays; where nothing ever has there is a row for each, unless
// most have the same to say.
func (w *sweep) tell(put func(...finding)) {
	count := map[string]int{} // of endpoints that have never shown anything, by reason
	for _, s := range w.known {
		if s.why != "" && s.slots == nil {
			count[s.why]++
		}
	}
	for _, e := range w.round {
		s, asked := w.known[e.slot]
		switch {
		case !asked:
		case s.why == "":
			for _, slot := range s.slots {
				put(finding{slot: slot})
			}
		case s.slots != nil:
			for _, slot := range s.slots {
				put(unseen(slot, e.place, s.why))
			}
		case !w.most(count[s.why]):
			put(e.unseen(s.why))
		}
	}
	for why, n := range count {
		if w.most(n) {
			put(w.asOne(n, why))
		}
	}
}

// most reports whether so many endpoints get one row.
func (w *sweep) most(n int) bool { return n > fewSilent && 2*n > len(w.known) }

// asOne is the row of many endpoints.
func (w *sweep) asOne(n int, why string) finding {
	p := w.place
	p.Where = text.Plural(n, "node", "nodes")
	if rest := len(w.round) - len(w.known); rest > 0 {
		p.Note = text.Plural(rest, "node has", "nodes have") + " not been asked yet"
	}
	return unseen(p.Name+" of many nodes", p, why)
}

// errNotAll is why the row of many nodes is not looked at again: of any other it is one node.
var errNotAll = errors.New("it is many nodes: have everything checked again")

func notAll(context.Context, kube.CertPlace, func(...finding)) error { return errNotAll }

// together does something for each of n, all at a time, and returns when all is done.
func together(n int, do func(int)) {
	var all sync.WaitGroup
	for k := range n {
		all.Add(1)
		safe.Go("handshakes", func() {
			defer all.Done()
			do(k)
		})
	}
	all.Wait()
}

// oneByOne makes put good for several goroutines.
func oneByOne(put func(...finding)) func(...finding) {
	var mu sync.Mutex
	return func(found ...finding) {
		mu.Lock()
		defer mu.Unlock()
		put(found...)
	}
}
