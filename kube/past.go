package kube

import (
	"math"
	"time"
)

// pastStep is the least time between two points of a Past: twelve make a quarter of an hour.
const pastStep = 15 * time.Minute / PastPoints

// past is a Past in 24 bytes.
type past [PastPoints]pastUse

// pastUse is a point: levels of CPU in millicores and of memory in pages.
type pastUse struct{ cpu, memory byte }

// pageSize is the unit of memory: no working set is less than a page, but for none at all.
const pageSize = 4096

// Levels are a scale: 0 is not known, 1 is none, then come the first levelsExact units one by one, and from there on each level is
// levelRatio times the one before it. The nearest is less than 5 % off; the highest is 10 million cores, or 40 TB.
const (
	levelsExact = 30
	levelRatio  = 1.092
)

var logRatio = math.Log(levelRatio)

func levelOf(n, unit int64) byte {
	units := float64(max(n, 0)) / float64(unit)
	switch {
	case n <= 0:
		return 1
	case units <= levelsExact:
		return byte(1 + max(math.Round(units), 1))
	}
	return byte(min(1+levelsExact+math.Round(math.Log(units/levelsExact)/logRatio), math.MaxUint8))
}

func levelValue(level byte, unit int64) int64 {
	above := float64(level) - 1 - levelsExact
	switch {
	case level < 2:
		return 0
	case above <= 0:
		return int64(level-1) * unit
	}
	return int64(math.Round(levelsExact * math.Pow(levelRatio, above) * float64(unit)))
}

func pointOf(u Use) pastUse { return pastUse{levelOf(u.CPU, 1), levelOf(u.Memory, pageSize)} }

// put sets the newest point.
func (p *past) put(u Use) { p[PastPoints-1] = pointOf(u) }

// shifted is the past so many steps later.
func (p past) shifted(steps int) (out past) {
	if steps < PastPoints {
		copy(out[:], p[steps:])
	}
	return out
}

func (p past) empty() bool { return p == past{} }

func (p past) points() (out Past) {
	for i, u := range p {
		if u != (pastUse{}) {
			out[i] = PastUse{Use{levelValue(u.cpu, 1), levelValue(u.memory, pageSize)}, true}
		}
	}
	return out
}

// pastClock is when the newest point of a past began.
type pastClock struct{ began time.Time }

// tick gives the clock of samples that were read at that time, and how many steps it is ahead.
func (c pastClock) tick(now time.Time, step time.Duration) (next pastClock, steps int) {
	if c.began.IsZero() {
		return pastClock{now}, 0
	}
	passed := max(now.Sub(c.began), 0)
	return pastClock{c.began.Add(passed.Truncate(step))}, int(min(passed/step, PastPoints))
}

// behind is for how many steps before now nothing has been read: the newest point is of the step before it while the samples of
// that one are on their way.
func (c pastClock) behind(now time.Time, step time.Duration) int {
	return int(min(max(now.Sub(c.began)/step-1, 0), PastPoints))
}
