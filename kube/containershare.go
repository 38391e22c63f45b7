package kube

import (
	"strconv"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
)

// Share is what one container may have: what is in force, where the kubelet says so (in-place resize, KEP-1287).
type Share struct {
	Name                 string
	CPURequest, CPULimit int64 // millicores; 0 is none
	MemRequest, MemLimit int64 // bytes; 0 is none
}

// shares are the shares of all containers in one string, which the pods of a template have in common: 8 bytes a pod. Of each container
// it has four numbers, the length of the name, and the name, with spaces between.
type shares = unique.Handle[string]

// Shares gives what each container may have: those of the spec and then sidecars; nil if the pod has none.
func (p *Pod) Shares() (out []Share) {
	if p.shares == (shares{}) {
		return nil
	}
	rest := p.shares.Value()
	number := func() int64 {
		word, after, _ := strings.Cut(rest, " ")
		rest = after
		n, _ := strconv.ParseInt(word, 10, 64) // sharesOf has written it
		return n
	}
	for rest != "" {
		s := Share{CPURequest: number(), CPULimit: number(), MemRequest: number(), MemLimit: number()}
		length := int(number())
		s.Name, rest = rest[:length], rest[length:]
		out = append(out, s)
	}
	return out
}

// sharesOf notes the shares of a pod.
func sharesOf(pod *corev1.Pod) shares {
	var room [256]byte
	b := room[:0]
	for i := range pod.Spec.Containers {
		b = appendShare(b, &pod.Spec.Containers[i], pod.Status.ContainerStatuses)
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; restartable(c) {
			b = appendShare(b, c, pod.Status.InitContainerStatuses)
		}
	}
	if len(b) == 0 {
		return shares{}
	}
	return unique.Make(string(b))
}

func appendShare(b []byte, c *corev1.Container, status []corev1.ContainerStatus) []byte {
	in := &c.Resources
	for i := range status {
		if s := &status[i]; s.Name == c.Name && s.Resources != nil {
			in = s.Resources
		}
	}
	name := shared(c.Name)
	requests, limits := amountOf(in.Requests), amountOf(in.Limits)
	for _, n := range [...]int64{requests.cpu, limits.cpu, requests.mem, limits.mem, int64(len(name))} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	return append(b, name...)
}
