package kube

import (
	"slices"
	"time"
)

// sampleSteps are the newest distances between one sample and the next. What can be seen is never shorter than the true
// distance, and longer when a poll or a scrape was left out: so the shortest counts.
type sampleSteps struct {
	all [3]time.Duration
	n   int // of which are known
}

// seen takes in what the samples of two polls tell, and gives how far apart samples are; 0 while that is not known.
func (s *sampleSteps) seen(was, is *Usage) time.Duration {
	if d := is.since(was); d > 0 {
		copy(s.all[1:], s.all[:])
		s.all[0], s.n = d, min(s.n+1, len(s.all))
	}
	return s.least()
}

func (s *sampleSteps) least() time.Duration {
	if s.n == 0 {
		return 0
	}
	return slices.Min(s.all[:s.n])
}

// since is how much newer the samples of u are than those of v: of most nodes, or if there are none, of the newest pod.
func (u *Usage) since(v *Usage) time.Duration {
	newer := func(a, b uint32) time.Duration {
		if b == 0 || a <= b {
			return 0
		}
		return time.Duration(a-b) * time.Second
	}
	var all []time.Duration
	for name := range u.Nodes {
		if d := newer(u.nodes.of[name].at, v.nodes.of[name].at); d > 0 {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return newer(u.Pods.newest, v.Pods.newest)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// wait is how long it takes until there are samples newer than the newest: so long there is nothing to ask for. 0 while the step of
// the source is not known well enough.
func (s *sampleSteps) wait(newest, now time.Time) time.Duration {
	const settled = metricsEvery / 3 // in which the source reads what it is going to tell
	step := s.least()
	if s.n < len(s.all) || step <= metricsEvery {
		return 0
	}
	return min(newest.Add(step+settled).Sub(now), metricsSlowest)
}
