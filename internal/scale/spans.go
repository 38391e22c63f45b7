package main

import (
	"math"
	"slices"
	"time"
)

// spans are many measurements of the same thing.
type spans []time.Duration

// at gives a percentile by nearest rank: the smallest span that is not exceeded by a share q of all. 0 if there are none.
func (s spans) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func (s spans) median() time.Duration { return s.at(0.5) }
func (s spans) p99() time.Duration    { return s.at(0.99) }
func (s spans) worst() time.Duration  { return s.at(1) }

// thirds gives the first and the last third, in the order of the measurements.
func (s spans) thirds() (first, last spans) {
	n := len(s) / 3
	return s[:n], s[len(s)-n:]
}
