package views

import (
	"time"

	"ktriage/kube"
)

// podSought is what a filter looks at in pods.
func podSought() sought[*kube.Pod] {
	return sought[*kube.Pod]{"pods", podFilterFields(), podText, func(p *kube.Pod) kube.Labels { return p.Labels }}
}

func podText(p *kube.Pod, _ kube.Moment) string { return p.Text() }

// podFilterFields are what can be compared of a pod.
func podFilterFields() []filterField[*kube.Pod] {
	type pod = *kube.Pod
	return []filterField[pod]{
		textField("name", "the name", func(p pod, _ kube.Moment) string { return p.Name }),
		textField("ns", "the namespace", func(p pod, _ kube.Moment) string { return p.Namespace }).alias("namespace"),
		wordsField("status", "the column STATUS; without its ?, also that of a pod whose node is silent", func(p pod, m kube.Moment, is func(string) bool) bool {
			return p.Status != "" && (is(p.Status) || p.Past(m) && is(p.StatusText(m)))
		}).reading(kube.Nodes).offering("CrashLoopBackOff", "Running", "Pending", "Completed", "Error", "ImagePullBackOff", "Terminating", "OOMKilled",
			"ContainerCreating", "Evicted"),
		readyField("ready", "ready containers of all; pods that have ended well are neither yes nor no", func(p pod, _ kube.Moment) readiness {
			return readiness{is: int64(p.Ready), of: int64(p.Containers), judged: !p.Completed(), known: true}
		}),
		numberField("restarts", "restarts of its containers", func(p pod, _ kube.Moment) (int64, bool) { return int64(p.Restarts), true }),
		ageField("age", "how long ago it was created", func(p pod) time.Time { return p.Created }),
		ageField("for", "how long it has been in its state", func(p pod) time.Time { return p.StateSince }),
		ageField("restarted", "how long ago a container ended last and was started again", func(p pod) time.Time { return p.LastRestart }),
		textField("node", "the node that it is bound to", func(p pod, _ kube.Moment) string { return p.Node }),
		wordsField("owner", "its controller: the name, the kind, or kind/name", func(p pod, _ kube.Moment, is func(string) bool) bool {
			return p.OwnerName != "" && (is(p.OwnerName) || is(p.OwnerKind) || is(p.OwnerKind+"/"+p.OwnerName))
		}),
		cpuField("cpu", "CPU in use; in percent of its limit, or of its request where it has no limit", podUse(cpuOf), podShare(cpuOf,
			func(p pod) int64 { return limitOr(cpuLimit(p), p.CPURequest) })).reading(kube.Metrics),
		memoryField("mem", "memory in use; in percent of its limit, or of its request where it has no limit", podUse(memoryOf), podShare(memoryOf,
			func(p pod) int64 { return limitOr(memLimit(p), p.MemRequest) })).alias("memory").reading(kube.Metrics),
		cpuField("cpureq", "CPU requested; in percent: what it uses of that", podHas(cpuRequest), podShare(cpuOf, cpuRequest)).reading(kube.Metrics),
		memoryField("memreq", "memory requested; in percent: what it uses of that", podHas(memRequest), podShare(memoryOf, memRequest)).reading(kube.Metrics),
		cpuField("cpulim", "its CPU limit; in percent: what it uses of that", podHas(cpuLimit), podShare(cpuOf, cpuLimit)).reading(kube.Metrics),
		memoryField("memlim", "its memory limit; in percent: what it uses of that", podHas(memLimit), podShare(memoryOf, memLimit)).reading(kube.Metrics),
		textField("qos", "the quality of service class", func(p pod, _ kube.Moment) string {
			if p.QoS == 0 {
				return ""
			}
			return p.QoS.String()
		}).offering("Guaranteed", "Burstable", "BestEffort"),
		textField("ip", "the IP", func(p pod, _ kube.Moment) string { return p.IP }),
		textField("phase", "the phase", func(p pod, _ kube.Moment) string { return string(p.Phase) }).
			offering("Pending", "Running", "Succeeded", "Failed", "Unknown"),
		yesField("deleting", "somebody has asked for it to go", func(p pod, _ kube.Moment) (bool, bool) { return p.Deleting(), true }),
		yesField("bare", "nobody makes it again once it is gone", func(p pod, _ kube.Moment) (bool, bool) { return p.Bare, true }),
		severityField((*kube.Pod).Severity),
	}
}

func cpuOf(u kube.Use) int64       { return u.CPU }
func memoryOf(u kube.Use) int64    { return u.Memory }
func cpuRequest(p *kube.Pod) int64 { return p.CPURequest }
func memRequest(p *kube.Pod) int64 { return p.MemRequest }
func cpuLimit(p *kube.Pod) int64   { cpu, _ := p.Limits(); return cpu }
func memLimit(p *kube.Pod) int64   { _, mem := p.Limits(); return mem }

// limitOr gives the limit, or the request where there is none.
func limitOr(limit, request int64) int64 {
	if limit > 0 {
		return limit
	}
	return request
}

// podUse is what a pod uses.
func podUse(of func(kube.Use) int64) func(*kube.Pod, kube.Moment) (int64, bool) {
	return func(p *kube.Pod, m kube.Moment) (int64, bool) {
		u, known := m.PodUse(p.Namespace, p.Name)
		return of(u), known
	}
}

// podHas is what a pod has asked for, or may have; nothing is missing.
func podHas(get func(*kube.Pod) int64) func(*kube.Pod, kube.Moment) (int64, bool) {
	return func(p *kube.Pod, _ kube.Moment) (int64, bool) { return get(p), get(p) > 0 }
}

// podShare is what a pod uses of something that it has.
func podShare(of func(kube.Use) int64, whole func(*kube.Pod) int64) func(*kube.Pod, kube.Moment) (part, all int64, known bool) {
	return func(p *kube.Pod, m kube.Moment) (int64, int64, bool) {
		u, known := m.PodUse(p.Namespace, p.Name)
		return of(u), whole(p), known
	}
}
