package drain

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
)

// facts are what was read of a cluster, as the API gave it. A plan is made of them and of nothing else.
type facts struct {
	context string
	nodes   []*nodeFacts // those of the plan, in its order

	all      []*corev1.Node
	allKnown bool
	loads    map[string]kube.Load // by node name; nil if they are not known

	budgets map[string][]*budget // by namespace
	blind   map[string]bool      // namespaces whose budgets could not be read
	dying   map[string]bool      // namespaces that are being deleted
	owners  map[types.UID]owner  // by the UID of the pod's own controller
	claims  map[types.NamespacedName]*corev1.PersistentVolumeClaim
	volumes map[string]*corev1.PersistentVolume

	unknown []string // sentences, sanitised
}

// nodeFacts are one node of the plan with its pods.
type nodeFacts struct {
	node    *corev1.Node
	pods    []*corev1.Pod
	version string // resourceVersion of the list of pods
}

// owner is who makes a pod again.
type owner struct {
	Owner
	namespace string
	gone      bool // a DaemonSet that does not exist any more
}

// budget is a PodDisruptionBudget that can be asked which pods it selects.
type budget struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
	peers    []*corev1.Pod // all pods that it selects; nil if they have not been read
}

// newBudget prepares a budget. One whose selector cannot be read selects nothing, as in EvictionREST.
func newBudget(b *policyv1.PodDisruptionBudget) *budget {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		selector = labels.Nothing()
	}
	return &budget{PodDisruptionBudget: b, selector: selector}
}

// selects follows getPodDisruptionBudgets of pkg/registry/core/pod/storage/eviction.go: no selector selects nothing, an
// empty one everything.
func (b *budget) selects(pod *corev1.Pod) bool {
	return pod.Namespace == b.Namespace && b.selector.Matches(labels.Set(pod.Labels))
}

// budgetsOf gives the budgets that select a pod, by name.
func (f *facts) budgetsOf(pod *corev1.Pod) []*budget {
	var out []*budget
	for _, b := range f.budgets[pod.Namespace] {
		if b.selects(pod) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *budget) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// planned reports whether a node is one of those that are drained.
func (f *facts) planned(node string) bool {
	return slices.ContainsFunc(f.nodes, func(n *nodeFacts) bool { return n.node.Name == node })
}

// longest is the most that is shown of somebody else's text, in cells.
const longest = 200

// words makes text from the cluster fit to be shown.
func words(s string) string { return text.Cut(whole(s), longest, "...") }

// whole does so and cuts nothing: what the server says of an eviction may tell at its end what there is to be done.
func whole(s string) string { return strings.Join(strings.Fields(text.Clean(s)), " ") }

func ready(pod *corev1.Pod) bool {
	c := readyCondition(pod)
	return c != nil && c.Status == corev1.ConditionTrue
}

func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c
		}
	}
	return nil
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
