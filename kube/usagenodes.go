package kube

import (
	"maps"
	"time"
)

// nodeUses is what is known of the samples of nodes beside their use.
type nodeUses struct {
	of     map[string]nodeUse // by name; also of nodes without a sample that have a past
	clock  pastClock
	newest uint32
}

type nodeUse struct {
	at, window uint32 // as of podUse
	swap       int64  // -1 where it is not reported
	past       past
}

// nodeList collects samples.
type nodeList struct {
	uses map[string]Use
	nodeUses
}

func newNodeList(about int) *nodeList {
	return &nodeList{make(map[string]Use, about), nodeUses{of: make(map[string]nodeUse, about)}}
}

// add takes in a sample.
func (l *nodeList) add(r *scrape) {
	n := nodeUse{at: number32(r.at), window: number32(r.window.Milliseconds()), swap: -1}
	if r.swapped {
		n.swap = r.swap
	}
	name := clean(string(r.name))
	l.uses[name], l.of[name], l.newest = r.Use, n, max(l.newest, n.at)
}

// follow goes on with the pasts of the samples before these, at the time of their reading.
func (l *nodeList) follow(was nodeUses, now time.Time, step time.Duration) {
	var steps int
	l.clock, steps = was.clock.tick(now, step)
	for name, use := range l.uses {
		n, before := l.of[name], was.of[name]
		n.past = before.past.shifted(steps)
		if before.past.empty() || n.at == 0 || n.at != before.at { // the same sample again says nothing of a later step
			n.past.put(use)
		}
		l.of[name] = n
	}
	for name, before := range was.of {
		if _, measured := l.uses[name]; !measured {
			if p := before.past.shifted(steps); !p.empty() {
				l.of[name] = nodeUse{swap: -1, past: p}
			}
		}
	}
}

// sameNodes reports whether the samples of nodes are the same, whatever was before them.
func (u *Usage) sameNodes(v *Usage) bool {
	if !maps.Equal(u.Nodes, v.Nodes) {
		return false
	}
	for name := range u.Nodes {
		a, b := u.nodes.of[name], v.nodes.of[name]
		if a.at != b.at || a.window != b.window || a.swap != b.swap {
			return false
		}
	}
	return true
}

// NewUsage makes what a poll at that time has given, for samples that come from elsewhere, such as a test.
func NewUsage(at time.Time, nodes map[string]Sample, pods map[PodKey][]ContainerSample) *Usage {
	u := &Usage{Pods: PodUses{salt: newSalt()}}
	return u.Then(at, nodes, pods)
}

// Then makes what a later poll has given, with the past of u.
func (u *Usage) Then(at time.Time, nodes map[string]Sample, pods map[PodKey][]ContainerSample) *Usage {
	nodeList, podList := newNodeList(len(nodes)), u.Pods.after()
	for name, s := range nodes {
		r := &scrape{name: []byte(name)}
		r.take(s)
		nodeList.add(r)
	}
	for key, containers := range pods {
		r := &scrape{namespace: []byte(key.Namespace), name: []byte(key.Name)}
		for _, c := range containers {
			one := &scrape{}
			one.take(c.Sample)
			r.at, r.window = one.at, one.window
			r.add(one.used)
			r.parts = append(r.parts, scrapePart{[]byte(c.Name), one.used})
		}
		podList.add(r)
	}
	is := &Usage{NodesAt: at, PodsAt: at, State: State{Phase: Live, Since: at}}
	is.settle(u, nodeList, podList.done())
	return is
}

// take takes in a sample.
func (r *scrape) take(s Sample) {
	r.used, r.window = used{Use: s.Use, swap: max(s.Swap, 0), swapped: s.Swap >= 0}, s.Window
	if !s.At.IsZero() {
		r.at = s.At.Unix()
	}
}
