package views

import (
	"strings"
	"time"

	"ktriage/kube"
)

// nodeSought is what a filter looks at in nodes.
func nodeSought() sought[*kube.Node] {
	return sought[*kube.Node]{"nodes", nodeFilterFields(), nodeText, func(n *kube.Node) kube.Labels { return n.Labels }}
}

func nodeText(n *kube.Node, _ kube.Moment) string { return n.Text() }

// nodeFilterFields are what can be compared of a node.
func nodeFilterFields() []filterField[*kube.Node] {
	type node = *kube.Node
	type moment = kube.Moment
	allocatable := func(get func(kube.NodeResources) int64) func(node, moment) (int64, bool) {
		return func(n node, _ moment) (int64, bool) { return get(n.Allocatable), get(n.Allocatable) > 0 }
	}
	return []filterField[node]{
		textField("name", "the name", func(n node, _ moment) string { return n.Name }),
		wordsField("status", "the column STATUS, or one of its words", func(n node, _ moment, is func(string) bool) bool {
			return is(n.StatusText()) || eachWord(n.StatusText(), ",", is) || eachWord(n.Status, ",", is)
		}).offering("Ready", "NotReady", "NotReady(Unknown)", "Cordoned", "SchedulingDisabled", "OutOfService"),
		yesField("ready", "its kubelet reports, and says that it is ready", func(n node, _ moment) (bool, bool) {
			s := n.State()
			return s.Ready, s.Ready || s.Silent || n.Ready.Type != ""
		}),
		yesField("cordoned", "it takes no new pods", func(n node, _ moment) (bool, bool) { return n.Unschedulable, true }),
		wordsField("problem", "conditions that are not as on a healthy node", func(n node, _ moment, is func(string) bool) bool {
			for i := range n.Problems {
				if n.Problems[i].Type != "" && is(n.Problems[i].Type) {
					return true
				}
			}
			return false
		}).alias("condition").offering("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"),
		wordsField("roles", "its roles", func(n node, _ moment, is func(string) bool) bool {
			return n.Roles != "<none>" && eachWord(n.Roles, ",", is)
		}).alias("role"),
		ageField("age", "how long ago it joined", func(n node) time.Time { return n.Created }),
		ageField("for", "how long it has been as it is", func(n node) time.Time { return n.For() }),
		textField("version", "the version of its kubelet", func(n node, _ moment) string { return n.Version }),
		textField("zone", "the zone", func(n node, _ moment) string { return n.Zone }),
		wordsField("taint", "taints: the key, or key=value:effect", func(n node, _ moment, is func(string) bool) bool {
			for i := range n.Taints {
				if is(n.Taints[i].Key) || is(n.Taints[i].String()) {
					return true
				}
			}
			return false
		}).alias("taints"),
		numberField("pods", "pods that are bound to it and have not ended", func(n node, m moment) (int64, bool) {
			l, known := m.Load(n.Name)
			return int64(l.Pods), known
		}).reading(kube.Pods),
		cpuField("cpu", "CPU in use; in percent of what can be given", nodeUse(cpuOf), nodeShare(cpuOf, nodeCPUs)).reading(kube.Metrics),
		memoryField("mem", "memory in use; in percent of what can be given", nodeUse(memoryOf), nodeShare(memoryOf, nodeBytes)).
			alias("memory").reading(kube.Metrics),
		cpuField("cpureq", "CPU that its pods have requested; in percent of what can be given",
			nodeLoad(func(l kube.Load) int64 { return l.CPURequests }),
			nodeLoadShare(func(l kube.Load) int64 { return l.CPURequests }, nodeCPUs)).reading(kube.Pods),
		memoryField("memreq", "memory that its pods have requested; in percent of what can be given",
			nodeLoad(func(l kube.Load) int64 { return l.MemRequests }),
			nodeLoadShare(func(l kube.Load) int64 { return l.MemRequests }, nodeBytes)).reading(kube.Pods),
		cpuField("cpualloc", "CPU that can be given", allocatable(nodeCPUs), nil),
		memoryField("memalloc", "memory that can be given", allocatable(nodeBytes), nil),
		wordsField("ip", "its addresses", func(n node, _ moment, is func(string) bool) bool {
			return n.InternalIP != "" && is(n.InternalIP) || n.ExternalIP != "" && is(n.ExternalIP)
		}),
		textField("os", "the operating system", func(n node, _ moment) string { return given(n.OSImage) }),
		textField("kernel", "the version of its kernel", func(n node, _ moment) string { return given(n.Kernel) }),
		textField("runtime", "the container runtime", func(n node, _ moment) string { return given(n.Runtime) }),
		severityField((*kube.Node).Severity),
	}
}

func nodeCPUs(r kube.NodeResources) int64  { return r.CPU }
func nodeBytes(r kube.NodeResources) int64 { return r.Memory }

// given is "" for what the API does not say.
func given(s string) string {
	if s == "<unknown>" {
		return ""
	}
	return s
}

// eachWord asks about each part of a text, without making anything.
func eachWord(s, separator string, is func(string) bool) bool {
	for s != "" {
		part, rest, _ := strings.Cut(s, separator)
		if part != "" && is(part) {
			return true
		}
		s = rest
	}
	return false
}

// nodeUse is what is used of a node.
func nodeUse(of func(kube.Use) int64) func(*kube.Node, kube.Moment) (int64, bool) {
	return func(n *kube.Node, m kube.Moment) (int64, bool) {
		u, known := m.NodeUse(n.Name)
		return of(u), known
	}
}

func nodeShare(of func(kube.Use) int64, whole func(kube.NodeResources) int64) func(*kube.Node, kube.Moment) (int64, int64, bool) {
	return func(n *kube.Node, m kube.Moment) (int64, int64, bool) {
		u, known := m.NodeUse(n.Name)
		return of(u), whole(n.Allocatable), known
	}
}

// nodeLoad is what the pods of a node take of it.
func nodeLoad(of func(kube.Load) int64) func(*kube.Node, kube.Moment) (int64, bool) {
	return func(n *kube.Node, m kube.Moment) (int64, bool) {
		l, known := m.Load(n.Name)
		return of(l), known
	}
}

func nodeLoadShare(of func(kube.Load) int64, whole func(kube.NodeResources) int64) func(*kube.Node, kube.Moment) (int64, int64, bool) {
	return func(n *kube.Node, m kube.Moment) (int64, int64, bool) {
		l, known := m.Load(n.Name)
		return of(l), whole(n.Allocatable), known
	}
}
