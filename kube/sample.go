package kube

import (
	"iter"
	"slices"
	"time"
)

// Sample is what was measured of a node, a pod or a container.
type Sample struct {
	Use
	At     time.Time     // the end of the window that it is of
	Window time.Duration // over which CPU is averaged; memory is the working set at At
	Swap   int64         // bytes; -1 where it is not reported
}

// Late reports whether a sample is so old that something does not measure: older than three steps of the source, and than two
// minutes.
func (s Sample) Late(m Moment) bool {
	return m.Now.Sub(s.At) > max(lateAfter, lateSteps*m.SampleStep())
}

const (
	lateAfter = 2 * time.Minute
	lateSteps = 3
)

// ContainerSample is what was measured of one container of a pod.
type ContainerSample struct {
	Name string
	Sample
}

// PastPoints is how many points the past of a sample has.
const PastPoints = 12

// Past is the use in the steps of this run before now, the newest last; points that nothing was measured in are not Known. Values
// are kept to within 5 %.
type Past [PastPoints]PastUse

// PastUse is one point of a Past.
type PastUse struct {
	Use
	Known bool
}

// Total is the row of what pods use together: those of a namespace, of a node, or of a workload. It has what is requested and allowed
// for pods that have not ended.
type Total struct {
	Level TotalLevel
	// Kind is that of the workload ("Deployment"; pods of a Deployment's ReplicaSet count for the Deployment); "" otherwise.
	Kind, Namespace, Name string

	Pods    int // that have not ended
	Sampled int // of which there is a sample
	Use     Use // of those
	Load        // their requests and limits; Load.Pods is Pods again
	// Unbounded are the pods without a limit of memory.
	Unbounded int
}

// TotalLevel says of what a Total is.
type TotalLevel uint8

// The levels.
const (
	OfNamespace TotalLevel = iota
	OfWorkload
	OfNode
)

// Ref names the total.
func (t *Total) Ref() Ref {
	return Ref{Kind: Totals, Namespace: t.Namespace, Name: t.Name, UID: string(rune('0'+t.Level)) + t.Kind + "/" + t.Namespace + "/" + t.Name}
}

// Container is the row of one container of a pod that runs. What it uses is in Moment.PodContainers.
type Container struct {
	Namespace, Pod, PodUID, Name, Node string

	CPURequest, CPULimit int64 // millicores; 0 is none
	MemRequest, MemLimit int64 // bytes; 0 is none
}

// Ref names the container; its name is that of the pod, a slash, and its own.
func (c *Container) Ref() Ref {
	return Ref{Kind: Containers, Namespace: c.Namespace, Name: c.Pod + "/" + c.Name, UID: c.PodUID + "/" + c.Name}
}

// NodeSample gives the newest sample of a node.
func (m Moment) NodeSample(name string) (Sample, bool) {
	u, ok := m.NodeUse(name)
	if !ok {
		return Sample{Swap: -1}, false
	}
	s := Sample{Use: u, At: m.Usage.NodesAt, Swap: -1}
	if n, told := m.Usage.nodes.of[name]; told {
		s.At, s.Window, s.Swap = sampleTime(n.at, s.At), time.Duration(n.window)*time.Millisecond, n.swap
	}
	return s, true
}

// PodSample gives the newest sample of a pod: the sums of its containers.
func (m Moment) PodSample(namespace, name string) (Sample, bool) {
	if m.Usage == nil {
		return Sample{Swap: -1}, false
	}
	p, ok := m.Usage.Pods.find(namespace, name)
	if !ok {
		return Sample{Swap: -1}, false
	}
	return m.Usage.Pods.sample(p, m.Usage.PodsAt), true
}

// PodContainers gives the newest samples of a pod's containers, in the order of the API; nil if there are none.
func (m Moment) PodContainers(namespace, name string) []ContainerSample {
	return slices.Collect(m.containers(namespace, name))
}

// ContainerSample gives the newest sample of one container of a pod.
func (m Moment) ContainerSample(namespace, pod, container string) (Sample, bool) {
	for c := range m.containers(namespace, pod) {
		if c.Name == container {
			return c.Sample, true
		}
	}
	return Sample{Swap: -1}, false
}

// containers goes through the newest samples of a pod's containers.
func (m Moment) containers(namespace, pod string) iter.Seq[ContainerSample] {
	return func(yield func(ContainerSample) bool) {
		if m.Usage == nil {
			return
		}
		u := &m.Usage.Pods
		p, ok := u.find(namespace, pod)
		if !ok {
			return
		}
		for c := range u.containers(p) {
			c.At, c.Window = sampleTime(p.at, m.Usage.PodsAt), time.Duration(p.window)*time.Millisecond
			if !yield(c) {
				return
			}
		}
	}
}

// NodePast gives what a node has used in this run, also one that has no sample now.
func (m Moment) NodePast(name string) Past {
	if m.Usage == nil {
		return Past{}
	}
	n := &m.Usage.nodes
	return n.of[name].past.shifted(n.clock.behind(m.Now, m.PastStep())).points()
}

// PodPast gives what a pod has used in this run, also one that has no sample now.
func (m Moment) PodPast(namespace, name string) Past {
	if m.Usage == nil {
		return Past{}
	}
	u := &m.Usage.Pods
	return u.past(namespace, name).shifted(u.clock.behind(m.Now, m.PastStep())).points()
}

// PastStep is how much time there is between two points of a Past. A point is the last sample of its step.
func (m Moment) PastStep() time.Duration {
	if m.Usage == nil {
		return pastStep
	}
	return max(m.Usage.pastStep, pastStep)
}

// SampleStep is how far apart the samples of the source are, as far as that could be seen; 0 if it could not yet.
func (m Moment) SampleStep() time.Duration {
	if m.Usage == nil {
		return 0
	}
	return m.Usage.step
}

// NewestSample is the time of the newest sample, zero if there is none.
func (m Moment) NewestSample() time.Time {
	if m.Usage == nil {
		return time.Time{}
	}
	return m.Usage.newest()
}

// Matches implements Row.
func (t *Total) Matches(word string, _ Moment) bool {
	return containsFold(t.Ref().FullName(), word) || containsFold(t.Kind+"/"+t.Name, word)
}

// Matches implements Row.
func (c *Container) Matches(word string, _ Moment) bool {
	return containsFold(c.Ref().FullName(), word) || containsFold(c.Node, word)
}
