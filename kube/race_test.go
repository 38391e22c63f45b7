//go:build race

package kube

// raced says that the race detector is on: what takes seconds takes a minute, and sync.Pool forgets on purpose, so that what a call
// allocates says nothing.
const raced = true
