package kube

import (
	"iter"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is the row of one pod: what the pod pane shows of it, and what is needed to say how bad it is and why. Its strings
// are sanitised; times have the API's resolution of one second. A zero value or an empty string means that the API does
// not say. Those 150,000 of these must fit into a small heap: what only a pod with something to tell needs is in Why.
type Pod struct {
	Namespace, Name, UID string

	Node      string // name of the node that the pod is bound to
	Status    string // the STATUS column of kubectl
	IP        string // first of status.podIPs
	OwnerKind string // of the controller: ReplicaSet, StatefulSet, DaemonSet, Job, Node for static pods, …
	OwnerName string // of the controller
	Labels    Labels

	Phase corev1.PodPhase // Pending, Running, Succeeded, Failed or Unknown

	Created     time.Time
	LastRestart time.Time // latest end of an earlier run of a container
	StateSince  time.Time // since when the pod has been in its present state, as far as the object tells

	CPURequest, CPULimit int64 // millicores, effective: as `kubectl describe node` counts them
	MemRequest, MemLimit int64 // bytes, likewise

	// Why is the evidence behind a state that needs explaining, nil if nothing does.
	Why *Evidence
	// Deletion is nil unless the pod is being deleted.
	Deletion *Deletion

	shares shares // of each container

	text string // what a filter searches, in lower case; NewPod makes it

	Ready      int32 // containers that are ready, as kubectl counts them: with sidecars, without ephemeral ones
	Containers int32 // containers in all, counted the same way
	Done       int32 // of these, the ones that have ended with exit code 0
	Restarts   int32 // the RESTARTS column of kubectl

	Gates, GatesTrue uint8 // readiness gates, and how many of them are true; at most 255

	QoS        QoS
	Unready    bool // the condition Ready is there and is not True
	NeverReady bool // the condition Ready has been False since the kubelet took the pod
	Scheduled  bool // bound to a node
	Mirror     bool // a static pod's image in the API: the API cannot delete it
	Bare       bool // nobody makes it again: no controller, not static
}

// Deletion is a request to delete a pod. It came Grace before At.
type Deletion struct {
	At    time.Time     // when the grace period ends
	Grace time.Duration // whole seconds
}

// QoS is a pod's quality of service class by its letter.
type QoS byte

// The classes of status.qosClass; the zero QoS is unknown.
const (
	Guaranteed QoS = 'G'
	Burstable  QoS = 'B'
	BestEffort QoS = 'E'
)

func (q QoS) String() string {
	switch q {
	case Guaranteed:
		return "Guaranteed"
	case Burstable:
		return "Burstable"
	case BestEffort:
		return "BestEffort"
	}
	return "unknown"
}

// NewPod makes the row of a pod. It keeps nothing of the object but strings.
func NewPod(pod *corev1.Pod) *Pod {
	status, ready, total, restarts, last := PodStatus(pod)
	requests, limits := podResources(pod)
	p := &Pod{
		Namespace: shared(pod.Namespace), Name: clean(pod.Name), UID: clean(string(pod.UID)),
		Node: shared(pod.Spec.NodeName), Status: shared(status), IP: podIP(pod), Labels: NewLabels(pod.Labels),
		Phase: corev1.PodPhase(shared(string(pod.Status.Phase))),

		Created: pod.CreationTimestamp.Time, LastRestart: last, StateSince: stateSince(pod),

		CPURequest: requests.cpu, MemRequest: requests.mem, CPULimit: limits.cpu, MemLimit: limits.mem,

		Ready: int32(ready), Containers: int32(total), Done: done(pod), Restarts: int32(restarts),
		QoS: qos(pod), Scheduled: pod.Spec.NodeName != "",
	}
	p.Gates, p.GatesTrue = gates(pod)
	p.setOwner(pod)
	p.setReadiness(pod)
	p.setDeletion(pod)
	p.shares = sharesOf(pod)
	p.Why = evidence(pod, p)
	p.index()
	return p
}

// Ref names the pod for good.
func (p *Pod) Ref() Ref { return Ref{Kind: Pods, Namespace: p.Namespace, Name: p.Name, UID: p.UID} }

// Terminal reports whether all containers have ended and none will be started again.
func (p *Pod) Terminal() bool { return terminalPhase(p.Phase) }

// Completed reports whether the pod has ended well, as the pods of a finished Job have.
func (p *Pod) Completed() bool { return p.Phase == corev1.PodSucceeded }

// Deleting reports whether somebody has asked for the pod to go.
func (p *Pod) Deleting() bool { return p.Deletion != nil }

// RestartsText is the RESTARTS column of kubectl: `4` or `4 (41s ago)`.
func (p *Pod) RestartsText(now time.Time) string {
	return restartsText(int(p.Restarts), p.LastRestart, now)
}

// StatusText is the STATUS column of kubectl, with a question mark behind it if the node's kubelet is silent, so that
// nobody has confirmed it since.
func (p *Pod) StatusText(m Moment) string {
	if p.history(m) {
		return p.Status + "?"
	}
	return p.Status
}

// ReadinessGates is the READINESS GATES column of `kubectl get pods -o wide`: `1/2` or `<none>`.
func (p *Pod) ReadinessGates() string {
	if p.Gates == 0 {
		return "<none>"
	}
	return fraction(int(p.GatesTrue), int(p.Gates))
}

// NominatedNode is the node that the scheduler means to bind the pod to, "" if none.
func (p *Pod) NominatedNode() string { return p.why().NominatedNode }

// Past reports whether the pod says only what it said before its node fell silent, or was deleted: its status has a "?".
func (p *Pod) Past(m Moment) bool { return p.history(m) }

// history reports whether the pod says only what it said before its node fell silent, or was deleted.
func (p *Pod) history(m Moment) bool {
	if p.Terminal() || p.Node == "" {
		return false
	}
	node, exists := m.Nodes[p.Node]
	return node.Silent || !exists && m.NodesKnown
}

func (p *Pod) setOwner(pod *corev1.Pod) {
	_, p.Mirror = pod.Annotations[corev1.MirrorPodAnnotationKey]
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		p.Bare = !p.Mirror
		return
	}
	p.OwnerKind, p.OwnerName = shared(owner.Kind), shared(owner.Name)
}

// setReadiness reads the condition Ready. A kubelet sets it to False the moment that it takes a pod, which is when it
// sets status.startTime; a pod that has been ready in between has a later transition.
func (p *Pod) setReadiness(pod *corev1.Pod) {
	const sameMoment = 2 * time.Second
	ready := condition(pod, corev1.PodReady)
	if ready == nil {
		return
	}
	p.Unready = ready.Status != corev1.ConditionTrue
	if start := pod.Status.StartTime; p.Unready && start != nil {
		p.NeverReady = ready.LastTransitionTime.Sub(start.Time) <= sameMoment
	}
}

func (p *Pod) setDeletion(pod *corev1.Pod) {
	if pod.DeletionTimestamp == nil {
		return
	}
	p.Deletion = &Deletion{At: pod.DeletionTimestamp.Time}
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		p.Deletion.Grace = time.Duration(*s) * time.Second
	}
}

// stateSince is when the present state began.
func stateSince(pod *corev1.Pod) time.Time {
	switch {
	case pod.DeletionTimestamp != nil:
		grace := time.Duration(0)
		if s := pod.DeletionGracePeriodSeconds; s != nil {
			grace = time.Duration(*s) * time.Second
		}
		return pod.DeletionTimestamp.Add(-grace)
	case terminalPhase(pod.Status.Phase):
		return ended(pod)
	case pod.Status.Phase == corev1.PodPending:
		if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue {
			return orElse(c.LastTransitionTime.Time, pod.CreationTimestamp.Time)
		}
		return pod.CreationTimestamp.Time
	}
	if c := condition(pod, corev1.PodReady); c != nil && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	return pod.CreationTimestamp.Time
}

// ended is when a pod that has ended did so: the latest end of a container, or else the latest change of a condition,
// since an evicted pod may have no container status left.
func ended(pod *corev1.Pod) time.Time {
	var end, changed time.Time
	for i := range pod.Status.ContainerStatuses {
		if t := pod.Status.ContainerStatuses[i].State.Terminated; t != nil && t.FinishedAt.After(end) {
			end = t.FinishedAt.Time
		}
	}
	for i := range pod.Status.Conditions {
		if at := pod.Status.Conditions[i].LastTransitionTime; at.After(changed) {
			changed = at.Time
		}
	}
	return orElse(orElse(end, changed), pod.CreationTimestamp.Time)
}

func orElse(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

// done counts the app containers and sidecars that have ended with exit code 0.
func done(pod *corev1.Pod) int32 {
	n := int32(0)
	for c := range lasting(pod) {
		if endedWell(c) {
			n++
		}
	}
	return n
}

// lasting gives the statuses of the containers that READY counts: sidecars and app containers, in the order of the API.
func lasting(pod *corev1.Pod) iter.Seq[*corev1.ContainerStatus] {
	return func(yield func(*corev1.ContainerStatus) bool) {
		for i := range pod.Status.InitContainerStatuses {
			c := &pod.Status.InitContainerStatuses[i]
			if isSidecar(pod, c.Name) && !yield(c) {
				return
			}
		}
		for i := range pod.Status.ContainerStatuses {
			if !yield(&pod.Status.ContainerStatuses[i]) {
				return
			}
		}
	}
}

func gates(pod *corev1.Pod) (all, isTrue uint8) {
	for i := range pod.Spec.ReadinessGates[:min(len(pod.Spec.ReadinessGates), math.MaxUint8)] {
		all++
		if conditionTrue(pod, pod.Spec.ReadinessGates[i].ConditionType) {
			isTrue++
		}
	}
	return all, isTrue
}

func podIP(pod *corev1.Pod) string {
	if len(pod.Status.PodIPs) == 0 {
		return ""
	}
	return clean(pod.Status.PodIPs[0].IP)
}

func qos(pod *corev1.Pod) QoS {
	switch pod.Status.QOSClass {
	case corev1.PodQOSGuaranteed:
		return Guaranteed
	case corev1.PodQOSBurstable:
		return Burstable
	case corev1.PodQOSBestEffort:
		return BestEffort
	}
	return 0
}
