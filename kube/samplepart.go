package kube

import "time"

// ContainerSample gives the newest sample of one container of a pod.
func (m Moment) ContainerSample(namespace, pod, container string) (Sample, bool) {
	none := Sample{Swap: -1}
	if m.Usage == nil {
		return none, false
	}
	u := &m.Usage.Pods
	p, ok := u.find(namespace, pod)
	if !ok {
		return none, false
	}
	for c := range u.containers(p) {
		if c.Name == container {
			c.At, c.Window = sampleTime(p.at, m.Usage.PodsAt), time.Duration(p.window)*time.Millisecond
			return c.Sample, true
		}
	}
	return none, false
}
