package views

import "ktriage/kube"

// containerFilterFields are what can be compared of a container.
func containerFilterFields() []filterField[*kube.Container] {
	type container = *kube.Container
	use := func(of func(kube.Use) int64) func(container, kube.Moment) (int64, bool) {
		return func(c container, m kube.Moment) (int64, bool) {
			s, known := m.ContainerSample(c.Namespace, c.Pod, c.Name)
			return of(s.Use), known
		}
	}
	share := func(of func(kube.Use) int64, whole func(container) int64) func(container, kube.Moment) (int64, int64, bool) {
		return func(c container, m kube.Moment) (int64, int64, bool) {
			n, known := use(of)(c, m)
			return n, whole(c), known
		}
	}
	has := func(get func(container) int64) func(container, kube.Moment) (int64, bool) {
		return func(c container, _ kube.Moment) (int64, bool) { return get(c), get(c) > 0 }
	}
	cpuRequest, cpuLimit := func(c container) int64 { return c.CPURequest }, func(c container) int64 { return c.CPULimit }
	memRequest, memLimit := func(c container) int64 { return c.MemRequest }, func(c container) int64 { return c.MemLimit }
	return []filterField[container]{
		textField("name", "the name of the container", func(c container, _ kube.Moment) string { return c.Name }).alias("container"),
		textField("ns", "the namespace", func(c container, _ kube.Moment) string { return c.Namespace }).alias("namespace"),
		textField("pod", "the pod", func(c container, _ kube.Moment) string { return c.Pod }),
		textField("node", "the node that its pod is bound to", func(c container, _ kube.Moment) string { return c.Node }),
		cpuField("cpu", "CPU in use; in percent of its limit, or of its request where it has no limit", use(cpuOf), share(cpuOf,
			func(c container) int64 { return limitOr(c.CPULimit, c.CPURequest) })).reading(kube.Metrics),
		memoryField("mem", "memory in use; in percent of its limit, or of its request where it has no limit", use(memoryOf), share(memoryOf,
			func(c container) int64 { return limitOr(c.MemLimit, c.MemRequest) })).alias("memory").reading(kube.Metrics),
		cpuField("cpureq", "CPU requested; in percent: what it uses of that", has(cpuRequest), share(cpuOf, cpuRequest)).reading(kube.Metrics),
		memoryField("memreq", "memory requested; in percent: what it uses of that", has(memRequest), share(memoryOf, memRequest)).reading(kube.Metrics),
		cpuField("cpulim", "its CPU limit; in percent: what it uses of that", has(cpuLimit), share(cpuOf, cpuLimit)).reading(kube.Metrics),
		memoryField("memlim", "its memory limit; in percent: what it uses of that", has(memLimit), share(memoryOf, memLimit)).reading(kube.Metrics),
	}
}

// totalFilterFields are what can be compared of a total.
func totalFilterFields() []filterField[*kube.Total] {
	type total = *kube.Total
	use := func(of func(kube.Use) int64) func(total, kube.Moment) (int64, bool) {
		return func(t total, _ kube.Moment) (int64, bool) { return of(t.Use), t.Sampled > 0 }
	}
	share := func(of func(kube.Use) int64, whole func(kube.Load) int64) func(total, kube.Moment) (int64, int64, bool) {
		return func(t total, _ kube.Moment) (int64, int64, bool) { return of(t.Use), whole(t.Load), t.Sampled > 0 }
	}
	has := func(get func(kube.Load) int64) func(total, kube.Moment) (int64, bool) {
		return func(t total, _ kube.Moment) (int64, bool) { return get(t.Load), get(t.Load) > 0 }
	}
	cpuRequest, cpuLimit := func(l kube.Load) int64 { return l.CPURequests }, func(l kube.Load) int64 { return l.CPULimits }
	memRequest, memLimit := func(l kube.Load) int64 { return l.MemRequests }, func(l kube.Load) int64 { return l.MemLimits }
	return []filterField[total]{
		textField("name", "the namespace, the workload or the node", func(t total, _ kube.Moment) string { return t.Name }),
		textField("ns", "the namespace", func(t total, _ kube.Moment) string { return t.Namespace }).alias("namespace"),
		textField("kind", "the kind of the workload", func(t total, _ kube.Moment) string { return t.Kind }),
		numberField("pods", "its pods that have not ended", func(t total, _ kube.Moment) (int64, bool) { return int64(t.Pods), true }),
		numberField("sampled", "pods of which there is a sample", func(t total, _ kube.Moment) (int64, bool) { return int64(t.Sampled), true }),
		numberField("unbounded", "pods without a limit of memory", func(t total, _ kube.Moment) (int64, bool) { return int64(t.Unbounded), true }),
		cpuField("cpu", "CPU in use; in percent of what is requested", use(cpuOf), share(cpuOf, cpuRequest)),
		memoryField("mem", "memory in use; in percent of what is requested", use(memoryOf), share(memoryOf, memRequest)).alias("memory"),
		cpuField("cpureq", "CPU requested; in percent: what is used of that", has(cpuRequest), share(cpuOf, cpuRequest)),
		memoryField("memreq", "memory requested; in percent: what is used of that", has(memRequest), share(memoryOf, memRequest)),
		cpuField("cpulim", "CPU limits; in percent: what is used of them", has(cpuLimit), share(cpuOf, cpuLimit)),
		memoryField("memlim", "memory limits; in percent: what is used of them", has(memLimit), share(memoryOf, memLimit)),
	}
}
