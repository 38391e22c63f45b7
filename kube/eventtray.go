package kube

import (
	"maps"
	"sync"
	"time"
)

// eventTray is what informers have learnt of events since the publisher last looked. It is not that of a store, because an
// event that the server lets go is no news: its row is not removed.
//
// States wait here with the rows, so that nobody is told that a list is complete before its rows are there.
type eventTray struct {
	wake func()

	mu     sync.Mutex
	in     map[string]arrival // by UID
	sweeps []sweep
	states map[origin]State // of each informer
	told   bool             // one of them is new
	known  int              // event objects that the book knows
}

// arrival is the newest that was learnt of an event object.
type arrival struct {
	row  *Event // nil if only that it has gone
	gone bool   // from the server
}

// delivery is what was in a tray.
type delivery struct {
	rows   map[string]arrival
	sweeps []sweep
	states map[origin]State // nil if none is new
}

func newEventTray(wake func()) *eventTray {
	return &eventTray{wake: wake, in: map[string]arrival{}, states: map[origin]State{}}
}

// put implements tray.
func (t *eventTray) put(rows ...*Event) {
	t.mu.Lock()
	for _, r := range rows {
		t.in[r.UID] = arrival{row: r}
	}
	t.mu.Unlock()
	t.wake()
}

// remove implements tray.
func (t *eventTray) remove(uid string) {
	t.mu.Lock()
	t.in[uid] = arrival{t.in[uid].row, true}
	t.mu.Unlock()
	t.wake()
}

// sweep implements tray.
func (t *eventTray) sweep(from origin, seen map[string]struct{}) {
	t.mu.Lock()
	for uid, a := range t.in {
		if _, ok := seen[uid]; !ok && a.row != nil && from.brings(a.row.Ref()) {
			t.in[uid] = arrival{a.row, true}
		}
	}
	t.sweeps = append(t.sweeps, sweep{from, seen})
	t.mu.Unlock()
	t.wake()
}

// setState implements tray.
func (t *eventTray) setState(of origin, st State) {
	t.mu.Lock()
	t.states[of], t.told = st, true
	t.mu.Unlock()
	t.wake()
}

// size implements tray.
func (t *eventTray) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(len(t.in), t.known)
}

// expect says what is going to be read.
func (t *eventTray) expect(all ...origin) {
	for _, of := range all {
		t.setState(of, State{Phase: Loading, Since: time.Now()})
	}
}

// forget drops what is not read any more from the state.
func (t *eventTray) forget(all ...origin) {
	t.mu.Lock()
	for _, of := range all {
		delete(t.states, of)
	}
	t.told = true
	t.mu.Unlock()
	t.wake()
}

// take empties the tray.
func (t *eventTray) take() delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := delivery{sweeps: t.sweeps}
	t.known = max(t.known, len(t.in))
	if t.told {
		d.states = maps.Clone(t.states)
	}
	if len(t.in) > 0 { // a map is never in the tray and in a delivery
		d.rows, t.in = t.in, make(map[string]arrival, min(len(t.in), 1024))
	}
	t.sweeps, t.told = nil, false
	return d
}

// knows notes how many event objects the book knows.
func (t *eventTray) knows(n int) {
	t.mu.Lock()
	t.known = n
	t.mu.Unlock()
}

// setStates tells the states of all informers at once.
func (s *store[R]) setStates(all map[origin]State) {
	s.mu.Lock()
	s.states, s.in.state = maps.Clone(all), true
	s.mu.Unlock()
}
