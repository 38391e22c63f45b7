package remove

import (
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
)

// facts are what was read of a cluster, as the API gave it. A plan is made of them and of nothing else.
type facts struct {
	context string
	now     time.Time
	pods    []*victim  // those that are still there, in the order of the target
	gone    []kube.Ref // those that are not, or whose name another has

	nodes      map[string]*corev1.Node // by name; nil: there is none; absent: not read
	all        []*corev1.Node
	allKnown   bool
	hosted     map[string]int // by node: pods that would be made again elsewhere; absent: not known
	leases     map[string]*coordinationv1.Lease
	attached   []storagev1.VolumeAttachment
	namespaces map[string]*corev1.Namespace
	owners     map[types.UID]owner // by the UID of the pod's own controller
	budgets    map[string][]*budget
	claims     map[types.NamespacedName]*corev1.PersistentVolumeClaim
	events     map[types.UID][]corev1.Event

	unknown []string // sentences, sanitised
}

// victim is a pod that is meant.
type victim struct {
	*corev1.Pod
	ref kube.Ref
}

// budget is a PodDisruptionBudget that can be asked which pods it selects.
type budget struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
}

// selects follows getPodDisruptionBudgets of pkg/registry/core/pod/storage/eviction.go: no selector selects nothing, an
// empty one everything.
func (b *budget) selects(pod *corev1.Pod) bool {
	return pod.Namespace == b.Namespace && b.selector.Matches(labels.Set(pod.Labels))
}

func newBudget(b *policyv1.PodDisruptionBudget) *budget {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		selector = labels.Nothing()
	}
	return &budget{b, selector}
}

func (v *victim) deleting() bool { return v.DeletionTimestamp != nil }

// static reports whether the pod is the image of one that its kubelet has from a file.
func (v *victim) static() bool {
	_, mirror := v.Annotations[corev1.MirrorPodAnnotationKey]
	return mirror
}

func (v *victim) finished() bool {
	return v.Status.Phase == corev1.PodSucceeded || v.Status.Phase == corev1.PodFailed
}

func (v *victim) ready() bool {
	return slices.ContainsFunc(v.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// grace is what a delete without a number gives the pod (CheckGracefulDelete in pkg/registry/core/pod/strategy.go).
func (v *victim) grace() int64 {
	switch s := v.Spec.TerminationGracePeriodSeconds; {
	case v.Spec.NodeName == "" || v.finished():
		return 0
	case s == nil:
		return corev1.DefaultTerminationGracePeriodSeconds
	case *s < 0:
		return 1
	default:
		return *s
	}
}

// emptyDirs are the volumes whose data goes with the pod.
func (v *victim) emptyDirs() []string {
	var out []string
	for i := range v.Spec.Volumes {
		if v.Spec.Volumes[i].EmptyDir != nil {
			out = append(out, words(v.Spec.Volumes[i].Name))
		}
	}
	return out
}

// claims are the names of the claims that the pod uses.
func (v *victim) claims() []string {
	var out []string
	for i := range v.Spec.Volumes {
		if c := v.Spec.Volumes[i].PersistentVolumeClaim; c != nil {
			out = append(out, c.ClaimName)
		}
	}
	return out
}

// node gives the node of a pod, nil if there is none; false if it is not known.
func (f *facts) node(v *victim) (*corev1.Node, bool) {
	if v.Spec.NodeName == "" {
		return nil, false
	}
	n, known := f.nodes[v.Spec.NodeName]
	return n, known
}

// evidence is what is known of a pod and what keeps it.
func (f *facts) evidence(v *victim) Evidence {
	node, known := f.node(v)
	return Evidence{
		Pod: v.Pod, Node: node, NodeRead: known, Lease: f.leases[v.Spec.NodeName], Attachments: f.attached,
		Volumes: f.volumesOf(v), Namespace: f.namespaces[v.Namespace], Events: f.events[v.UID],
	}
}

func (f *facts) diagnose(v *victim) Diagnosis { return Diagnose(f.evidence(v), f.now) }

func (f *facts) volumesOf(v *victim) []string {
	var out []string
	for _, name := range v.claims() {
		if c := f.claims[types.NamespacedName{Namespace: v.Namespace, Name: name}]; c != nil && c.Spec.VolumeName != "" {
			out = append(out, c.Spec.VolumeName)
		}
	}
	return out
}

// closing reports whether the namespace of a pod is being deleted.
func (f *facts) closing(v *victim) bool {
	n := f.namespaces[v.Namespace]
	return n != nil && n.DeletionTimestamp != nil
}

// owner gives who makes a pod again.
func (f *facts) owner(v *victim) owner {
	ref := metav1.GetControllerOf(v.Pod)
	if ref == nil {
		return owner{}
	}
	if o, ok := f.owners[ref.UID]; ok {
		return o
	}
	return owner{kind: words(ref.Kind), name: words(ref.Name), uid: string(ref.UID), controller: ref.Kind, controllerName: ref.Name}
}

// away reports whether nobody answers for the node of a pod: it is not Ready, or not there.
func (f *facts) away(v *victim) bool {
	n, known := f.node(v)
	return known && (n == nil || !nodeReady(n))
}

// countBy counts pods by what tells them apart.
func countBy(pods []*victim, key func(*victim) string) map[string]int {
	out := map[string]int{}
	for _, v := range pods {
		out[key(v)]++
	}
	return out
}

// names of pods with their namespaces.
func names(pods []*victim) []string {
	var out []string
	for _, v := range pods {
		out = append(out, v.ref.FullName())
	}
	return out
}

func distinct(pods []*victim, key func(*victim) string) []string {
	var out []string
	for _, v := range pods {
		if k := key(v); k != "" && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
