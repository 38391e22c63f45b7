package kube

import "sync/atomic"

// Notifier turns any number of pokes into at most one pending wake-up.
type Notifier struct {
	dirty atomic.Uint32
	wake  chan struct{} // capacity 1
}

// NewNotifier makes a Notifier with nothing pending.
func NewNotifier() *Notifier { return &Notifier{wake: make(chan struct{}, 1)} }

// Poke says that snapshots of these kinds are new. It never blocks.
func (n *Notifier) Poke(k Kinds) {
	if k == 0 {
		return
	}
	n.dirty.Or(uint32(k))
	signal(n.wake)
}

// Wake has a value whenever Take would give something.
func (n *Notifier) Wake() <-chan struct{} { return n.wake }

// Take gives the kinds poked since the last Take.
func (n *Notifier) Take() Kinds { return Kinds(n.dirty.Swap(0)) }

// signal leaves a token in a channel of capacity 1, unless one is there already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
