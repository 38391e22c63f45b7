package scale

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// replicas works out which pods of a Deployment or a ReplicaSet go, and how many come.
func (w *Workload) replicas(f *facts, t *target) {
	pods := f.own(t)
	for _, p := range pods {
		w.Members = append(w.Members, member(p, 0, f.now))
	}
	for _, rs := range t.sets {
		w.revisions = append(w.revisions, rs.UID)
	}
	if t.deploy != nil && f.missing["ReplicaSets"] { // without them none of its pods is known
		w.New, w.Fewer, w.About = max(0, int(w.To-w.From)), max(0, int(w.From-w.To)), true
		return
	}
	living := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return !active(p) })
	w.New, w.Fewer = max(0, int(w.To)-len(living)), max(0, len(living)-int(w.To))
	if w.Fewer == 0 {
		return
	}
	owners := map[string]bool{}
	for _, p := range living {
		owners[string(metav1.GetControllerOfNoCopy(p).UID)] = true
	}
	if len(owners) > 1 {
		w.About = true // each of its ReplicaSets gives up a part (GetReplicaSetProportion in deployment_util.go)
		return
	}
	victims, sure := victims(living, living, w.Fewer, f.now)
	w.About = !sure
	for i, p := range victims {
		w.Goes = append(w.Goes, text.Clean(p.Name))
		k := slices.IndexFunc(w.Members, func(m Member) bool { return m.UID == string(p.UID) })
		w.Members[k].Removed = i + 1
	}
}

// phases are in the order in which pods go (podPhaseToOrdinal in pkg/controller/controller_utils.go).
var phases = map[corev1.PodPhase]int{corev1.PodPending: 0, corev1.PodUnknown: 1, corev1.PodRunning: 2}

// victims gives the pods that a ReplicaSet removes, in its order (ActivePodsWithRanks.Less); related are all active pods of
// its owner. It is sure unless the choice hangs on how long ago something was: those classes change as time goes on.
func victims(pods, related []*corev1.Pod, n int, now time.Time) (out []*corev1.Pod, sure bool) {
	if n >= len(pods) {
		return pods, true
	}
	beside := map[string]int{}
	for _, p := range related {
		beside[p.Spec.NodeName]++
	}
	order := slices.Clone(pods)
	slices.SortStableFunc(order, func(a, b *corev1.Pod) int {
		c, _ := before(a, b, beside, now)
		return c
	})
	_, last := before(order[n-1], order[n], beside, now)
	return order[:n], last
}

// before compares two pods, and says whether that comes from what does not change by itself.
func before(a, b *corev1.Pod, beside map[string]int, now time.Time) (int, bool) {
	unassigned := func(p *corev1.Pod) bool { return p.Spec.NodeName == "" }
	for _, c := range []int{
		first(unassigned(a), unassigned(b)),
		phases[a.Status.Phase] - phases[b.Status.Phase],
		first(!isReady(a), !isReady(b)),
		cost(a) - cost(b),
		beside[b.Spec.NodeName] - beside[a.Spec.NodeName],
	} {
		if c != 0 {
			return c, true
		}
	}
	if isReady(a) && isReady(b) {
		if x, y := readyAt(a), readyAt(b); !x.Equal(y) {
			return younger(x, y, a, b, now), false
		}
	}
	for _, sidecars := range []bool{false, true} {
		if c := restarts(b, sidecars) - restarts(a, sidecars); c != 0 {
			return c, true
		}
	}
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return younger(a.CreationTimestamp.Time, b.CreationTimestamp.Time, a, b, now), false
	}
	return 0, false
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// younger compares by classes of age that double (logarithmicRankDiff).
func younger(x, y time.Time, a, b *corev1.Pod, now time.Time) int {
	class := func(t time.Time) int64 {
		if d := now.Sub(t); d > 0 {
			return int64(math.Log2(float64(d)))
		}
		return -1
	}
	if d := class(x) - class(y); d != 0 {
		return int(d)
	}
	return strings.Compare(string(a.UID), string(b.UID))
}

func isReady(p *corev1.Pod) bool {
	c := condition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func readyAt(p *corev1.Pod) time.Time {
	if c := condition(p, corev1.PodReady); c != nil {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

// cost is the annotation by which pods are told which of them is worth least (KEP-2255).
func cost(p *corev1.Pod) int {
	n, err := strconv.ParseInt(p.Annotations["controller.kubernetes.io/pod-deletion-cost"], 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// restarts is the most that a container of a pod has been restarted: a sidecar, or a regular one.
func restarts(p *corev1.Pod, sidecars bool) int {
	most := int32(0)
	if !sidecars {
		for _, c := range p.Status.ContainerStatuses {
			most = max(most, c.RestartCount)
		}
		return int(most)
	}
	for _, c := range p.Status.InitContainerStatuses {
		if slices.ContainsFunc(p.Spec.InitContainers, func(i corev1.Container) bool {
			return i.Name == c.Name && i.RestartPolicy != nil && *i.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}) {
			most = max(most, c.RestartCount)
		}
	}
	return int(most)
}

// judgeReplicas adds what is to be known of a Deployment or a ReplicaSet beside its pods.
func (w *Workload) judgeReplicas(f *facts, t *target, override bool) {
	if t.deploy != nil {
		w.judgeDeployment(t.deploy)
	} else {
		w.seen = t.rs.Status.ObservedGeneration
		if d := metav1.GetControllerOf(t.rs); d != nil && d.Kind == "Deployment" {
			w.Refused = append(w.Refused, "Deployment "+words(d.Name)+" sets the number of this ReplicaSet again at once: scale the Deployment")
		}
	}
	if why := f.shared(t); why != "" && w.To > 1 && w.To > w.From {
		w.warn(kube.Bad, why+"; further pods stay in ContainerCreating, or write to the same data")
		if !override {
			w.Refused = append(w.Refused, why+": not scaled above 1, unless you tick the box")
		} else {
			w.Tier = append(w.Tier, "a volume that is not to be shared")
		}
	}
}

func (w *Workload) judgeDeployment(d *appsv1.Deployment) {
	w.updated, w.seen = d.Status.UpdatedReplicas, d.Status.ObservedGeneration
	switch {
	case d.Spec.Paused:
		w.warn(kube.Notice, "its rollout is paused: it is scaled all the same, each ReplicaSet by its share")
	case d.Status.UpdatedReplicas < number(d.Spec.Replicas) || d.Status.Replicas > d.Status.UpdatedReplicas:
		w.warn(kube.Warning, "a rollout is going on: each ReplicaSet is scaled by its share")
	default:
		w.pass("no rollout is going on")
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			w.warn(kube.Warning, "pods cannot be made now: "+words(c.Message))
		}
	}
}
