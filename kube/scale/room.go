package scale

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"ktriage/internal/text"
	"ktriage/kube"
)

// fits gives on how many nodes one pod of a template could run now, and what keeps it from most of them if on none. It
// judges as the scheduler's filters do, but for volumes, affinity between pods, and spreading.
func (f *facts) fits(t *corev1.PodTemplateSpec, requests corev1.ResourceList) (int, string) {
	n, against := 0, map[string]int{}
	affinity := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: t.Spec})
	for i := range f.nodes {
		node := &f.nodes[i]
		if why := f.against(node, t, affinity, requests); why != "" {
			against[why]++
		} else {
			n++
		}
	}
	if n > 0 || len(against) == 0 {
		return n, "there is none"
	}
	order := slices.SortedFunc(maps.Keys(against), func(a, b string) int {
		return cmp.Or(against[b]-against[a], cmp.Compare(a, b))
	})
	return 0, fmt.Sprintf("%d of %s %s", against[order[0]], one(len(f.nodes), "node"), order[0])
}

// against says why a node does not take a pod, "" if it does.
func (f *facts) against(n *corev1.Node, t *corev1.PodTemplateSpec, affinity nodeaffinity.RequiredNodeAffinity, requests corev1.ResourceList) string {
	if match, err := affinity.Match(n); err != nil || !match {
		return "not chosen by its node selector"
	}
	if n.Spec.Unschedulable {
		return "cordoned"
	}
	if !nodeReady(n) {
		return "not Ready"
	}
	if taint, found := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), n.Spec.Taints, t.Spec.Tolerations, keepsAway, false); found {
		return "with the taint " + words(taint.ToString())
	}
	load, known := f.loads[n.Name]
	room := n.Status.Allocatable
	switch {
	case !known && f.loads != nil:
	case f.loads == nil:
		return ""
	case room.Cpu().MilliValue()-load.CPURequests < requests.Cpu().MilliValue():
		return "without " + text.Cores(requests.Cpu().MilliValue()) + " free"
	case room.Memory().Value()-load.MemRequests < requests.Memory().Value():
		return "without " + text.GiB(requests.Memory().Value()) + " free"
	case room.Pods().Value() <= int64(load.Pods):
		return "full of pods"
	}
	return ""
}

// judgeReach warns of claims that are used again and whose volume no node that takes pods can reach: a local volume of a
// node that is cordoned, not Ready, or gone.
func (w *Workload) judgeReach(f *facts) {
	for _, c := range w.fated(Reused) {
		v := f.volumes[c.Volume]
		if v == nil || f.nodes == nil || v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
			continue
		}
		from := nodeaffinity.NewLazyErrorNodeSelector(v.Spec.NodeAffinity.Required)
		reached := slices.ContainsFunc(f.nodes, func(n corev1.Node) bool {
			match, err := from.Match(&n)
			return err == nil && match && !n.Spec.Unschedulable && nodeReady(&n)
		})
		if !reached {
			w.warn(kube.Warning, fmt.Sprintf("%s would stay Pending: no node that is Ready and schedulable reaches the volume of %s", c.Pod, c.Name))
		}
	}
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func keepsAway(t *corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}
