package drain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
)

// judge gives every pod its fate, in the order of the plan. It reads nothing but facts.
type judge struct {
	facts    *facts
	settings Settings
	now      time.Time
	ledger   *ledger
	seats    *seats
	leaving  map[types.UID]int    // ready pods that the plan takes away, by their controller
	before   map[types.UID]string // the pod of a StatefulSet that goes before the next one
}

// classify makes the plan of what was read. It is pure: the same facts at the same time are the same plan.
func classify(f *facts, s Settings, now time.Time) *Plan {
	p := &Plan{Context: words(f.context), Made: now, Settings: s, Unknown: append([]string{}, f.unknown...)}
	j := &judge{
		facts: f, settings: s, now: now, ledger: newLedger(f, now), seats: newSeats(f),
		leaving: map[types.UID]int{}, before: map[types.UID]string{},
	}
	for _, n := range f.nodes {
		p.Nodes = append(p.Nodes, j.node(n))
	}
	for i, n := range f.nodes {
		j.flagAll(p.Nodes[i].Pods, n.pods)
	}
	p.remain(f, j.seats)
	return p
}

// node gives the plan of one node. It puts the pods in their order.
func (j *judge) node(n *nodeFacts) Node {
	row := kube.NewNode(n.node)
	out := Node{
		Name: row.Name, UID: string(n.node.UID), Status: row.StatusText(), Ready: nodeReady(n.node), Cordoned: row.Unschedulable,
		ControlPlane: controlPlane(n.node), Version: row.Version, Zone: row.Zone, Address: row.InternalIP,
		Silent: row.State().Silent, OutOfService: row.State().OutOfService, ResourceVersion: n.version, Pods: []Pod{},
	}
	if !row.Ready.Since.IsZero() {
		out.For = max(0, j.now.Sub(row.Ready.Since))
	}
	if !out.Silent {
		for _, c := range row.Problems {
			out.Problems = append(out.Problems, c.Type+" "+text.Age(j.now, c.Since))
		}
	}
	slices.SortFunc(n.pods, inOrder)
	for _, pod := range n.pods {
		out.Pods = append(out.Pods, j.pod(pod))
	}
	return out
}

// controlPlane reports whether kubeadm or a distribution has marked a node as one of the control plane.
func controlPlane(n *corev1.Node) bool {
	_, named := n.Labels["node-role.kubernetes.io/control-plane"]
	_, before := n.Labels["node-role.kubernetes.io/master"]
	return named || before
}

// inOrder sorts by namespace and name, the pods of a StatefulSet by their ordinals.
func inOrder(a, b *corev1.Pod) int {
	if d := strings.Compare(a.Namespace, b.Namespace); d != 0 {
		return d
	}
	baseA, ordinalA := ordinal(a.Name)
	baseB, ordinalB := ordinal(b.Name)
	if baseA == baseB && ordinalA >= 0 && ordinalB >= 0 {
		return cmp.Compare(ordinalA, ordinalB)
	}
	return strings.Compare(a.Name, b.Name)
}

// ordinal splits the name of a pod of a StatefulSet: "web-10" is "web" and 10; -1 without a number.
func ordinal(name string) (string, int) {
	i := strings.LastIndexByte(name, '-')
	n, err := strconv.Atoi(name[i+1:])
	if i < 0 || err != nil || n < 0 || strconv.Itoa(n) != name[i+1:] {
		return name, -1
	}
	return name[:i], n
}

func (j *judge) pod(pod *corev1.Pod) Pod {
	controller := metav1.GetControllerOf(pod)
	out := Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Owner: j.owner(controller),
		Grace: j.grace(pod), Fits: -1, Bound: bound(pod),
	}
	asks := requests(pod)
	out.CPU, out.Memory = asks.Cpu().MilliValue(), asks.Memory().Value()
	j.decide(&out, pod, controller)
	comesBack := (out.Fate.Goes() || out.Fate == Needs) && !out.Unowned && !out.Finished
	if comesBack && j.facts.allKnown {
		out.Fits, out.Nowhere = j.seats.fits(pod, asks)
	}
	if out.Fate.Goes() && !out.Finished && ready(pod) && controller != nil {
		j.leaving[controller.UID]++
	}
	if ready(pod) {
		j.queue(&out, controller)
	}
	return out
}

// bound is when a pod came to its node. One whose maker has chosen the node may have no condition for that.
func bound(pod *corev1.Pod) time.Time {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

func (j *judge) owner(controller *metav1.OwnerReference) Owner {
	if controller == nil {
		return Owner{}
	}
	if o, ok := j.facts.owners[controller.UID]; ok {
		return o.Owner
	}
	return Owner{Kind: words(controller.Kind), Name: words(controller.Name), Controller: text.Clean(string(controller.UID))}
}

// grace is what the kubelet gives the pod: what was chosen, or what the pod asks for.
func (j *judge) grace(pod *corev1.Pod) time.Duration {
	if j.settings.Grace > 0 {
		return j.settings.Grace
	}
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		seconds = min(max(0, *s), int64(24*time.Hour/time.Second)*365)
	}
	return time.Duration(seconds) * time.Second
}

// decide gives a pod its one fate. The order is that of the filters of k8s.io/kubectl/pkg/drain and, behind them, of what
// the server does with an eviction.
func (j *judge) decide(out *Pod, pod *corev1.Pod, controller *metav1.OwnerReference) {
	daemon := controller != nil && controller.Kind == "DaemonSet" && controller.APIVersion == "apps/v1"
	orphan := daemon && j.facts.owners[controller.UID].gone
	_, static := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case static:
		out.Fate, out.Why = Stays, "static pod"
	case daemon && !orphan && !finished(pod):
		out.Fate, out.Why = Stays, "DaemonSet"
	case pod.DeletionTimestamp != nil:
		out.Fate, out.Why = Leaving, j.overdue(pod)
	case j.facts.dying[pod.Namespace]:
		out.Fate, out.Finished = Waits, finished(pod)
		out.Why = "namespace " + pod.Namespace + " is being deleted: the server refuses evictions in it, and deletes the pod itself"
	case finished(pod):
		out.Fate, out.Finished = Evict, true
	default:
		out.Unowned, out.Lost = controller == nil || orphan, emptyDirs(pod)
		if j.needs(out, orphan) {
			return
		}
		j.budgeted(out, pod)
	}
}

// overdue says how long a pod that has been asked to go should have been gone.
func (j *judge) overdue(pod *corev1.Pod) string {
	late := j.now.Sub(pod.DeletionTimestamp.Time)
	if late > 0 {
		return fmt.Sprintf("should have been gone %s ago", text.Age(j.now, pod.DeletionTimestamp.Time))
	}
	return fmt.Sprintf("has %s left", (-late).Round(time.Second))
}

// needs holds back a pod that an option is needed for, and names all that are.
func (j *judge) needs(out *Pod, orphan bool) bool {
	var why []string
	if out.Unowned && !j.settings.Unowned {
		out.Option = OptionUnowned
		if orphan {
			why = append(why, "its DaemonSet is gone: nobody makes it again")
		} else {
			why = append(why, "no owner: nobody makes it again")
		}
	}
	if len(out.Lost) > 0 && !j.settings.EmptyDir {
		out.Option = cmp.Or(out.Option, OptionEmptyDir)
		why = append(why, "emptyDir "+volumeNames(out.Lost)+" would be lost")
	}
	if len(why) == 0 {
		return false
	}
	out.Fate, out.Why = Needs, strings.Join(why, "; ")
	return true
}

func volumeNames(volumes []Volume) string {
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name)
	}
	return text.And(names)
}

// emptyDirs are the volumes whose data goes with a pod, of any medium.
func emptyDirs(pod *corev1.Pod) []Volume {
	var out []Volume
	for i := range pod.Spec.Volumes {
		if e := pod.Spec.Volumes[i].EmptyDir; e != nil {
			v := Volume{Name: words(pod.Spec.Volumes[i].Name), Memory: e.Medium == corev1.StorageMediumMemory}
			if e.SizeLimit != nil {
				v.Limit = e.SizeLimit.Value()
			}
			out = append(out, v)
		}
	}
	return out
}

// budgeted asks the budgets. The server does not consult them for a pod that is Pending.
func (j *judge) budgeted(out *Pod, pod *corev1.Pod) {
	out.Fate = Evict
	if pod.Status.Phase == corev1.PodPending {
		return
	}
	budgets := j.facts.budgetsOf(pod)
	var block Block
	out.Fate, block, out.Why = j.ledger.ask(pod, budgets)
	out.Budgets = numbers(budgets, block)
}

// queue puts a pod of a StatefulSet behind the one of the same drain that goes before it: by ordinals on a node, and node
// after node, so that no pod waits for one whose node has its turn later. A pod that is never let go holds up nobody; one that is not
// ready neither waits nor holds up: nothing is lost with it, and a budget may be waiting for its replacement.
func (j *judge) queue(out *Pod, controller *metav1.OwnerReference) {
	if !j.settings.Gentle || out.Owner.Kind != "StatefulSet" || out.Finished || out.Fate != Evict && out.Fate != Waits {
		return
	}
	out.After = j.before[controller.UID]
	j.before[controller.UID] = out.Name
}
