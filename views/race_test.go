//go:build race

package views

// raced says that the race detector is on: sync.Pool, from which regular expressions take what they work in, forgets on purpose
// then, so that what a call allocates says nothing.
const raced = true
