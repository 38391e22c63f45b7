package views

import (
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// rateText draws how often something was said, in steps of the clock, the present one last. What ended before anything is known of is
// a gap.
func rateText(r kube.Rate, ends, known, now time.Time) string {
	return text.Spark(rateHeights(r, ends, known, now)...)
}

// rateHeights are the points of a rate as of now: steps in which nothing more was said have passed since it ends. The highest is the
// highest of a spark, nothing at all is the lowest, and once in a while is above that.
func rateHeights(r kube.Rate, ends, known, now time.Time) []int {
	steps := 0
	if late := now.Sub(ends); late > 0 {
		steps = int((late-1)/kube.RateStep) + 1
	}
	newest, passed := ends.Add(time.Duration(steps)*kube.RateStep), min(steps, kube.RatePoints)
	most := uint32(1)
	for _, n := range r[passed:] {
		most = max(most, n)
	}
	heights := make([]int, kube.RatePoints)
	for i := range heights {
		end := newest.Add(-time.Duration(kube.RatePoints-1-i) * kube.RateStep)
		switch {
		case !end.After(known):
			heights[i] = -1
		case i+passed < kube.RatePoints && r[i+passed] > 0:
			heights[i] = 1 + int(uint64(r[i+passed])*(text.SparkLevels-2)/uint64(most))
		}
	}
	return heights
}

// rateWords are the sparklines of the head: of all and of warnings, and of all alone; empty while nothing was said.
func rateWords(s kube.Said, now time.Time) [2]string {
	if s.RateEnds.IsZero() || s.Since.IsZero() {
		return [2]string{}
	}
	all := "60 min " + rateText(s.Rate, s.RateEnds, s.Since, now)
	return [2]string{all + " warnings " + rateText(s.Warnings, s.RateEnds, s.Since, now) + " · ", all + " · "}
}
