package kube

import (
	"iter"
	"slices"
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
func (p *Pod) Shares() []Share { return slices.Collect(p.eachShare()) }

// eachShare goes through the shares without making anything.
func (p *Pod) eachShare() iter.Seq[Share] {
	return func(yield func(Share) bool) {
		if p.shares == (shares{}) {
			return
		}
		for rest := p.shares.Value(); rest != ""; {
			var n [5]int64
			for i := range n {
				word, after, _ := strings.Cut(rest, " ")
				n[i], _ = strconv.ParseInt(word, 10, 64) // sharesOf has written it
				rest = after
			}
			s := Share{CPURequest: n[0], CPULimit: n[1], MemRequest: n[2], MemLimit: n[3], Name: rest[:n[4]]}
			if rest = rest[n[4]:]; !yield(s) {
				return
			}
		}
	}
}

// Limits gives what bounds the pod as a whole, in millicores and bytes: 0 where nothing does, because a container has no limit of its
// own and the pod has none either (pod-level resources, KEP-2837). The sum of some limits is no limit.
func (p *Pod) Limits() (cpu, mem int64) {
	cpu, mem = p.CPULimit, p.MemLimit
	var sum amount
	openCPU, openMem := false, false
	for s := range p.eachShare() {
		sum.cpu, sum.mem = sum.cpu+s.CPULimit, sum.mem+s.MemLimit
		openCPU, openMem = openCPU || s.CPULimit == 0, openMem || s.MemLimit == 0
	}
	if openCPU && cpu <= sum.cpu {
		cpu = 0
	}
	if openMem && mem <= sum.mem {
		mem = 0
	}
	return cpu, mem
}

// Nearest is how much of its limit a container uses, the one of a pod that is nearest to it: in millicores or bytes. Limit is 0 where
// none has a limit and a sample.
type Nearest struct{ Used, Limit int64 }

// NearestLimits gives, of CPU and of memory, what the container uses that is nearest to its limit: a container is held back, or killed, at
// its own limit and not at the pod's.
func (p *Pod) NearestLimits(m Moment) (cpu, mem Nearest) {
	for s := range p.eachShare() {
		if s.CPULimit == 0 && s.MemLimit == 0 {
			continue
		}
		c, ok := m.ContainerSample(p.Namespace, p.Name, s.Name)
		if !ok {
			continue
		}
		cpu, mem = cpu.nearer(Nearest{c.CPU, s.CPULimit}), mem.nearer(Nearest{c.Memory, s.MemLimit})
	}
	return cpu, mem
}

func (n Nearest) nearer(o Nearest) Nearest {
	if o.Limit > 0 && (n.Limit == 0 || float64(o.Used)*float64(n.Limit) > float64(n.Used)*float64(o.Limit)) {
		return o
	}
	return n
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
