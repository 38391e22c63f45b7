package remove

import (
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// Evidence is what the server says of a pod that is Terminating, and of what it depends on. But for Pod, what is nil or
// empty has not been read, or is not there.
type Evidence struct {
	Pod         *corev1.Pod
	Node        *corev1.Node
	NodeRead    bool // Node is known: nil means that there is no such node
	Lease       *coordinationv1.Lease
	Attachments []storagev1.VolumeAttachment
	Volumes     []string // the names of the PersistentVolumes of its claims
	Namespace   *corev1.Namespace
	Events      []corev1.Event
}

// Cause is what keeps a pod that is Terminating.
type Cause uint8

// The causes.
const (
	None           Cause = iota // it is not being deleted
	Grace                       // its containers have time left
	HeldFinalizers              // only its finalizers keep it
	NodeGone                    // its node does not exist any more: pod garbage collection ends it
	OutOfService                // its node is tainted so: pod garbage collection ends it
	Silent                      // its kubelet does not report
	NotReady                    // its kubelet reports that it is not ready
	StillRunning                // its node is Ready, and containers of it run
	Attached                    // its containers have ended, and a volume is attached
	Unfinished                  // its containers have ended, and its kubelet has not finished
	NotKnown                    // its node could not be read
)

// Diagnosis is why a pod is still there.
type Diagnosis struct {
	Cause    Cause
	Sentence string        // what is so: "worker-07 is Ready, and app still runs 4m after its grace period"
	Next     string        // what can be done
	Also     []string      // whole sentences: what else there is to know
	Left     time.Duration // of its grace period
	Late     time.Duration // since the end of it
}

// Stuck reports whether nothing that runs in the cluster will end the pod by itself, as far as anybody can see.
func (d Diagnosis) Stuck() bool {
	return d.Cause == HeldFinalizers || d.Cause >= Silent
}

const (
	// Pod garbage collection of kube-controller-manager (pkg/controller/podgc/gc_controller.go).
	gcPeriod     = 20 * time.Second
	gcQuarantine = 40 * time.Second // before it believes that a node is gone
)

// Diagnose says why a pod that is Terminating is still there, from what was read (design: "Diagnosis of Terminating";
// pkg/registry/core/pod/strategy.go and pkg/controller/podgc in Kubernetes). It is pure. deletionTimestamp is the end of
// the grace period, not its beginning.
func Diagnose(e Evidence, now time.Time) Diagnosis {
	if e.Pod.DeletionTimestamp == nil {
		return notDeleted(e)
	}
	d := Diagnosis{Also: besides(e)}
	if over := now.Sub(e.Pod.DeletionTimestamp.Time); over < 0 {
		d.Left = -over
	} else {
		d.Late = over
	}
	switch {
	case grace(e.Pod) == 0 && len(e.Pod.Finalizers) > 0:
		d.finalizers(e.Pod)
	case d.Left > 0:
		d.within(e, now)
	case !e.NodeRead:
		d.Cause, d.Sentence, d.Next = NotKnown, "its node could not be read: whether its kubelet is alive is not known", "look at its node"
	case e.Node == nil:
		d.Cause = NodeGone
		d.Sentence = fmt.Sprintf("its node %s does not exist: pod garbage collection removes it within about %s",
			words(e.Pod.Spec.NodeName), gcQuarantine+gcPeriod)
		d.Next = "wait"
	default:
		d.onNode(e, now)
	}
	if grace(e.Pod) > 0 && len(e.Pod.Finalizers) > 0 {
		d.Also = append(d.Also, "Once its containers have ended, its finalizers keep it: "+text.Some(owned(e.Pod.Finalizers), 3)+".")
	}
	return d
}

// notDeleted is of a pod that nobody has asked to go; its namespace may be going.
func notDeleted(e Evidence) Diagnosis {
	d := Diagnosis{Cause: None, Sentence: "it is not being deleted"}
	if n := e.Namespace; n != nil && n.DeletionTimestamp != nil {
		d.Sentence = "its namespace " + words(n.Name) + " is being deleted, and the namespace controller deletes its pods"
		d.Next, d.Also = "wait", besides(e)
	}
	return d
}

// grace is what is left to say of the grace period of a pod that is being deleted: 0 once nobody waits for its kubelet.
func grace(p *corev1.Pod) int64 {
	if s := p.DeletionGracePeriodSeconds; s != nil {
		return *s
	}
	return 0
}

func (d *Diagnosis) finalizers(p *corev1.Pod) {
	d.Cause = HeldFinalizers
	d.Sentence = "only its finalizers keep it: " + text.Some(owned(p.Finalizers), 3)
	if len(p.Finalizers) == 1 {
		d.Sentence = "only its finalizer keeps it: " + owned(p.Finalizers)[0]
	}
	d.Next = "look at who set them; if that is gone for good, remove them"
}

func (d *Diagnosis) within(e Evidence, now time.Time) {
	d.Cause = Grace
	d.Sentence = fmt.Sprintf("its containers have %s left of %s, until %s", left(d.Left), seconds(grace(e.Pod)), clock(now.Add(d.Left)))
	if preStop(e.Pod) {
		d.Sentence += "; preStop comes first"
	}
	d.Next = "wait"
	if e.Node != nil && !nodeReady(e.Node) {
		d.Also = append(d.Also, words(e.Node.Name)+" is "+nodeStatus(e.Node)+": nobody may be there to confirm that they have ended.")
	}
}

// onNode is of a pod that is late, and whose node is there.
func (d *Diagnosis) onNode(e Evidence, now time.Time) {
	name := words(e.Node.Name)
	switch {
	case !nodeReady(e.Node) && outOfService(e.Node):
		d.Cause = OutOfService
		d.Sentence = fmt.Sprintf("%s is %s and tainted out-of-service: pod garbage collection removes it within %s", name,
			strings.ReplaceAll(nodeStatus(e.Node), ",OutOfService", ""), gcPeriod)
		d.Next = "wait"
	case silent(e.Node):
		d.Cause = Silent
		d.Sentence = fmt.Sprintf("the kubelet of %s is silent%s: nobody confirms that its containers have ended", name, since(e, now))
		d.Next = "out-of-service taint or deletion of the Node if the machine is off, else repair or wait"
	case !nodeReady(e.Node):
		d.Cause = NotReady
		d.Sentence = fmt.Sprintf("%s is NotReady%s: its kubelet answers, and may still end it", name, since(e, now))
		if c := condition(e.Node); c != nil && c.Message != "" {
			d.Also = append(d.Also, "Its kubelet says: "+clip(c.Message, 100))
		}
		d.Next = "look at the kubelet and the container runtime of " + name
	default:
		d.onReady(e, name)
	}
}

// onReady is of a pod whose kubelet is alive and has not ended it.
func (d *Diagnosis) onReady(e Evidence, name string) {
	running := stillRunning(e.Pod)
	attached := attachments(e)
	switch {
	case len(running) > 0:
		d.Cause = StillRunning
		d.Sentence = fmt.Sprintf("%s is Ready, and %s %s %s after the grace period", name, text.Some(running, 3), runs(len(running)), age(d.Late))
		d.Next = "look at the kubelet's log on " + name + ": runtime, unmount, or a process that cannot be killed"
	case len(attached) > 0:
		d.Cause = Attached
		d.Sentence = fmt.Sprintf("its containers have ended, and %s is still attached to %s", text.Some(attached, 2), name)
		d.Next = "look at the CSI driver on " + name
	default:
		d.Cause = Unfinished
		d.Sentence = fmt.Sprintf("its containers have ended, and the kubelet of %s has not finished %s after the grace period", name, age(d.Late))
		d.Next = "look at the kubelet's log on " + name + ": unmounting, or its status cannot be sent"
	}
	d.Also = append(d.Also, events(e.Events)...)
}

func runs(n int) string {
	if n == 1 {
		return "still runs"
	}
	return "still run"
}

// stillRunning names the containers that the kubelet has not reported as ended. A pod of which nothing is reported counts
// with all that it has.
func stillRunning(p *corev1.Pod) []string {
	ended := map[string]bool{}
	for _, s := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
		ended[s.Name] = s.State.Terminated != nil || s.State.Waiting != nil
	}
	var out []string
	for i := range p.Spec.Containers {
		if n := p.Spec.Containers[i].Name; !ended[n] {
			out = append(out, words(n))
		}
	}
	for i := range p.Spec.InitContainers {
		if c := &p.Spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && !ended[c.Name] {
			out = append(out, words(c.Name))
		}
	}
	return out
}

// attachments names the volumes of the pod that are attached to its node.
func attachments(e Evidence) []string {
	var out []string
	for i := range e.Attachments {
		a := &e.Attachments[i]
		v := a.Spec.Source.PersistentVolumeName
		if a.Status.Attached && v != nil && a.Spec.NodeName == e.Pod.Spec.NodeName && slices.Contains(e.Volumes, *v) {
			out = append(out, words(*v)+" (VolumeAttachment "+words(a.Name)+")")
		}
	}
	return out
}

// telling are the events that say what a kubelet cannot do.
var telling = []string{"FailedKillPod", "FailedUnmount", "FailedUnMount", "FailedDetachVolume", "FailedPreStopHook", "NodeNotReady", "ExceededGracePeriod"}

func events(list []corev1.Event) []string {
	var out []string
	for i := range list {
		e := &list[i]
		if slices.Contains(telling, e.Reason) {
			out = append(out, fmt.Sprintf("%s %dx: %s", words(e.Reason), max(e.Count, 1), clip(e.Message, 100)))
		}
	}
	return out
}

// besides says what holds of the namespace.
func besides(e Evidence) []string {
	if e.Namespace == nil || e.Namespace.DeletionTimestamp == nil {
		return nil
	}
	out := []string{"Its namespace " + words(e.Namespace.Name) + " is being deleted."}
	for i := range e.Namespace.Status.Conditions {
		c := &e.Namespace.Status.Conditions[i]
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			out = append(out, words(string(c.Type))+": "+clip(c.Message, 100))
		}
	}
	return out
}

// since says for how long a node has not been well, and when it was last heard of.
func since(e Evidence, now time.Time) string {
	out := ""
	c := condition(e.Node)
	if c != nil && !c.LastTransitionTime.IsZero() {
		out = " for " + age(now.Sub(c.LastTransitionTime.Time))
	}
	if at := renewed(e.Lease); !at.IsZero() {
		out += ", last lease " + clock(at)
	} else if c != nil && !c.LastHeartbeatTime.IsZero() {
		out += ", last heartbeat " + clock(c.LastHeartbeatTime.Time)
	}
	return out
}

func renewed(l *coordinationv1.Lease) time.Time {
	if l == nil || l.Spec.RenewTime == nil {
		return time.Time{}
	}
	return l.Spec.RenewTime.Time
}

func condition(n *corev1.Node) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == corev1.NodeReady {
			return c
		}
	}
	return nil
}

func nodeReady(n *corev1.Node) bool {
	c := condition(n)
	return c != nil && c.Status == corev1.ConditionTrue
}

func silent(n *corev1.Node) bool {
	c := condition(n)
	return c == nil || c.Status == corev1.ConditionUnknown
}

func nodeStatus(n *corev1.Node) string { return kube.NewNode(n).StatusText() }

// outOfService reports whether somebody has said of a node that its machine is off (KEP-2268).
func outOfService(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
}

// preStop reports whether a container of the pod does something before it is told to end.
func preStop(p *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.Containers, p.Spec.InitContainers), func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	})
}

// begins are words of ours that begin sentences. Any other may be a name, and names are kept as they are.
var begins = []string{"it", "its", "the", "only", "what", "nobody"}

// sentence makes a whole one of the beginning of one.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); slices.Contains(begins, word) {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return strings.TrimRight(s, ".") + "."
}
