package kube

import (
	"math"
	"time"
)

// UpTo gives the rate as it is at a later time: steps that have ended since move to the left, and nothing was said in those
// that have come. ends is the end of the last step of r. A row is not made anew because time passes: who draws it calls this.
func (r Rate) UpTo(ends, now time.Time) Rate {
	var out Rate
	passed := stepOf(now) - stepOf(ends) + 1
	if ends.IsZero() || passed >= RatePoints {
		return out
	}
	passed = max(passed, 0)
	copy(out[:], r[passed:])
	return out
}

// RateAt is the group's Rate with the step that now is in at its end.
func (g *EventGroup) RateAt(now time.Time) Rate { return g.Rate.UpTo(g.RateEnds, now) }

// RatesAt are Rate and Warnings with the step that now is in at their end.
func (s *Said) RatesAt(now time.Time) (all, warnings Rate) {
	return s.Rate.UpTo(s.RateEnds, now), s.Warnings.UpTo(s.RateEnds, now)
}

// stepOf is the number of the step of the clock that a time is in.
func stepOf(t time.Time) int64 {
	const seconds = int64(RateStep / time.Second)
	s := t.Unix()
	if s < 0 {
		s -= seconds - 1
	}
	return s / seconds
}

// endOf is the end of a step.
func endOf(step int64) time.Time { return time.Unix((step+1)*int64(RateStep/time.Second), 0) }

// rateTape counts what is said in each of the last steps.
type rateTape struct {
	rate Rate
	last int64 // the step of the last point
}

// turn moves the tape to the step that is now.
func (t *rateTape) turn(step int64) {
	if step > t.last {
		t.rate, t.last = t.rate.UpTo(endOf(t.last), endOf(step).Add(-1)), step
	}
}

// add counts n at a time; of times before the first point nothing is kept, and what comes from a clock that is fast counts now.
func (t *rateTape) add(at time.Time, n int, now int64) {
	t.turn(now)
	if back := max(t.last-stepOf(at), 0); back < RatePoints && n > 0 {
		p := &t.rate[RatePoints-1-back]
		*p = uint32(min(uint64(*p)+uint64(n), math.MaxUint32))
	}
}

// merge adds another tape.
func (t *rateTape) merge(other *rateTape, now int64) {
	t.turn(now)
	other.turn(now)
	for i, n := range other.rate {
		t.rate[i] = uint32(min(uint64(t.rate[i])+uint64(n), math.MaxUint32))
	}
}
