package drain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
)

const (
	usualGrace = 30 * time.Second // what pods have that ask for nothing else: not worth a word
	longGrace  = 2 * time.Minute  // from here on it is a warning
)

// flagAll says of the pods of a node what else there is to know. It comes when all fates are known: whether a component
// goes down depends on every pod of the plan. Both lists are in the same order.
func (j *judge) flagAll(plans []Pod, pods []*corev1.Pod) {
	for i := range plans {
		if p := &plans[i]; p.Fate.Goes() || p.Fate == Needs {
			j.flag(p, pods[i])
		}
	}
}

func (j *judge) flag(p *Pod, pod *corev1.Pod) {
	if p.Finished {
		return
	}
	add := func(ok bool, format string, args ...any) {
		if ok {
			p.Flags = append(p.Flags, fmt.Sprintf(format, args...))
		}
	}
	if why := j.down(p, pod); why != "" {
		p.Down = true
		add(true, "%s: will be down", why)
	}
	for _, flag := range j.storage(pod) {
		add(true, "%s", flag)
	}
	add(p.Grace > usualGrace, "grace %s", p.Grace)
	add(p.Owner.Kind == "Job", "Job: its work starts again")
	priority := pod.Spec.PriorityClassName
	add(priority == "system-node-critical" || priority == "system-cluster-critical", "%s", priority)
	if n := initContainers(pod); n > 0 {
		add(true, "slow start: %s", text.Plural(n, "init container", "init containers"))
	}
	add(pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false", "marked safe-to-evict=false")
	add(pod.Annotations["karpenter.sh/do-not-disrupt"] == "true", "marked do-not-disrupt")
	add(len(pod.Finalizers) > 0, "its finalizers may hold it up: %s", words(strings.Join(pod.Finalizers, ", ")))
	add(j.facts.blind[pod.Namespace] && pod.Status.Phase != corev1.PodPending, "budgets not known")
	add(spread(pod) && p.Fits > 0, "affinity between pods is not judged")
}

// down says why the owner of a pod has no ready pod left for a while: all that are ready leave with this drain, and
// neither a budget nor the order of a StatefulSet keeps one.
func (j *judge) down(p *Pod, pod *corev1.Pod) string {
	controller := metav1.GetControllerOf(pod)
	if !p.Fate.Goes() || !p.Owner.Known || controller == nil || !ready(pod) || p.Owner.Kind == "Job" {
		return ""
	}
	if len(p.Budgets) == 1 && p.Budgets[0].Desired > 0 {
		return ""
	}
	leaving := j.leavingOf(p.Owner, controller)
	switch {
	case p.Owner.Want == 1 && leaving > 0:
		return "only replica"
	case p.Owner.Ready == 0 || leaving < p.Owner.Ready:
		return ""
	case p.Owner.Ready == 1:
		return fmt.Sprintf("the only ready replica of %d", p.Owner.Want)
	case p.Owner.Kind == "StatefulSet" && j.settings.Gentle:
		return ""
	case p.Owner.Ready == p.Owner.Want:
		return fmt.Sprintf("all %d replicas are here", p.Owner.Want)
	}
	return fmt.Sprintf("all %d ready replicas are here", p.Owner.Ready)
}

// leavingOf counts the ready pods of an owner that leave: those of a Deployment may be of two ReplicaSets.
func (j *judge) leavingOf(o Owner, controller *metav1.OwnerReference) int {
	if o.Kind != "Deployment" {
		return j.leaving[controller.UID]
	}
	n := 0
	for uid, count := range j.leaving {
		if other, ok := j.facts.owners[uid]; ok && other.Kind == o.Kind && other.Name == o.Name && other.namespace == j.facts.owners[controller.UID].namespace {
			n += count
		}
	}
	return n
}

// storage says what becomes of the data of a pod, but for emptyDirs.
func (j *judge) storage(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Ephemeral != nil {
			out = append(out, "ephemeral volume "+words(v.Name)+" goes with it")
		}
	}
	single := false
	for i := range pod.Spec.Volumes {
		v := pod.Spec.Volumes[i].PersistentVolumeClaim
		if v == nil {
			continue
		}
		if claim := j.facts.claims[named(pod.Namespace, v.ClaimName)]; claim != nil && oneNode(claim) {
			single = true
		}
	}
	local := false
	for _, v := range j.facts.volumesOf(pod) {
		if v.volume.Spec.Local != nil {
			local = true
			out = append(out, "local volume of this node ("+v.claim.Name+"): the new one stays Pending")
		}
	}
	if single && !local {
		out = append(out, "RWO volume")
	}
	return out
}

// oneNode reports whether a claim can be used by one node at a time only.
func oneNode(claim *corev1.PersistentVolumeClaim) bool {
	for _, m := range claim.Spec.AccessModes {
		if m == corev1.ReadOnlyMany || m == corev1.ReadWriteMany {
			return false
		}
	}
	return len(claim.Spec.AccessModes) > 0
}

// initContainers counts those that run to their end before the pod starts; sidecars are not among them.
func initContainers(pod *corev1.Pod) int {
	n := 0
	for i := range pod.Spec.InitContainers {
		if p := pod.Spec.InitContainers[i].RestartPolicy; p == nil || *p != corev1.ContainerRestartPolicyAlways {
			n++
		}
	}
	return n
}

// spread reports whether the scheduler looks at other pods to place this one.
func spread(pod *corev1.Pod) bool {
	for i := range pod.Spec.TopologySpreadConstraints {
		if pod.Spec.TopologySpreadConstraints[i].WhenUnsatisfiable == corev1.DoNotSchedule {
			return true
		}
	}
	a := pod.Spec.Affinity
	return a != nil && (a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 ||
		a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0)
}

func named(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}
