package drain

import "time"

// counts are what a plan comes to. Every pod is in exactly one of goes, stays, needs and leaving.
type counts struct {
	total, goes, stays, needs, leaving int

	waits, never, finished int // of those that go
	lose, gone, nowhere    int // of those that go: emptyDir data, nobody makes it again, no other node for it
	emptyDir, unowned      int // that the options are about, chosen or not
	cpu, mem               int64
	grace                  time.Duration // the longest of those that go
}

func (p *Plan) count() counts { return countAll(p.pods()) }

func countAll(pods []*Pod) counts {
	var c counts
	for _, pod := range pods {
		c.total++
		switch pod.Fate {
		case Stays:
			c.stays++
			continue
		case Leaving:
			c.leaving++
			continue
		case Needs:
			c.needs++
		default:
			c.add(pod)
		}
		c.emptyDir += one(len(pod.Lost) > 0)
		c.unowned += one(pod.Unowned)
	}
	return c
}

// add counts a pod that goes.
func (c *counts) add(pod *Pod) {
	c.goes++
	c.waits += one(pod.Fate == Waits)
	c.never += one(pod.Fate == Never)
	c.finished += one(pod.Finished)
	c.lose += one(len(pod.Lost) > 0)
	c.gone += one(pod.Unowned)
	c.nowhere += one(pod.Nowhere != "")
	if pod.Finished {
		return
	}
	if !pod.Unowned {
		c.cpu, c.mem = c.cpu+pod.CPU, c.mem+pod.Memory
	}
	c.grace = max(c.grace, pod.Grace)
}

func one(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// pods gives all pods of the plan, node by node.
func (p *Plan) pods() []*Pod {
	var out []*Pod
	for i := range p.Nodes {
		out = append(out, p.Nodes[i].all()...)
	}
	return out
}

func (n *Node) all() []*Pod {
	out := make([]*Pod, len(n.Pods))
	for i := range n.Pods {
		out[i] = &n.Pods[i]
	}
	return out
}

func (p *Plan) allReady() bool {
	for i := range p.Nodes {
		if !p.Nodes[i].Ready {
			return false
		}
	}
	return true
}

// last reports whether no node is left on which a pod could run, or none for those that tolerate no taints.
func (p *Plan) last() bool { return p.Total > 0 && (p.Usable == 0 || p.Open == 0 && p.OpenNow > 0) }
