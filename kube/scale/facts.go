package scale

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
)

// facts are what was read, as the API gave it. A plan is made of them and of nothing else.
type facts struct {
	now     time.Time
	targets []*target
	pods    map[types.UID][]*corev1.Pod                         // by their controller
	claims  map[string]map[string]*corev1.PersistentVolumeClaim // by namespace and name
	volumes map[string]*corev1.PersistentVolume
	scalers map[string][]autoscalingv2.HorizontalPodAutoscaler
	budgets map[string][]policyv1.PodDisruptionBudget
	quotas  map[string][]corev1.ResourceQuota
	nodes   []corev1.Node // nil if not known
	loads   map[string]kube.Load
	missing map[string]bool // what could not be read: "HPAs"
	unknown []string        // the same as sentences
}

// target is one object that is to be scaled.
type target struct {
	ref      kube.Ref
	meta     metav1.Object
	replicas int32
	template *corev1.PodTemplateSpec
	set      *appsv1.StatefulSet // one of these is there
	deploy   *appsv1.Deployment
	rs       *appsv1.ReplicaSet
	sets     []*appsv1.ReplicaSet // of a Deployment
}

func ofSet(s *appsv1.StatefulSet) *target {
	return &target{ref: refOf(kube.StatefulSets, s), meta: s, replicas: number(s.Spec.Replicas), template: &s.Spec.Template, set: s}
}

func ofDeployment(d *appsv1.Deployment) *target {
	return &target{ref: refOf(kube.Deployments, d), meta: d, replicas: number(d.Spec.Replicas), template: &d.Spec.Template, deploy: d}
}

func ofReplicaSet(r *appsv1.ReplicaSet) *target {
	return &target{ref: refOf(kube.ReplicaSets, r), meta: r, replicas: number(r.Spec.Replicas), template: &r.Spec.Template, rs: r}
}

func refOf(kind kube.Kinds, o metav1.Object) kube.Ref {
	return kube.Ref{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID())}
}

// number is a number of replicas; the API's default is 1.
func number(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// own gives the pods of a workload.
func (f *facts) own(t *target) []*corev1.Pod {
	if t.deploy == nil {
		return f.pods[t.meta.GetUID()]
	}
	var out []*corev1.Pod
	for _, rs := range t.sets {
		out = append(out, f.pods[rs.UID]...)
	}
	return out
}

// resources are how paths name what can be scaled.
var resources = map[kube.Kinds]string{kube.StatefulSets: "statefulsets", kube.Deployments: "deployments", kube.ReplicaSets: "replicasets"}

// longest is the most that is shown of somebody else's text, in cells.
const longest = 160

// words makes text from the cluster fit to be shown.
func words(s string) string {
	return text.Cut(strings.Join(strings.Fields(text.Clean(s)), " "), longest, "...")
}

// full is the name of an object, fit to be shown.
func full(r kube.Ref) string { return text.Clean(r.FullName()) }

func one(n int, noun string) string { return text.Plural(n, noun, noun+"s") }

func condition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == kind {
			return c
		}
	}
	return nil
}

// wellness says whether a pod is Running, Ready, available and not Terminating, as a StatefulSet's controller judges it
// (isRunningAndReady, isRunningAndAvailable and isTerminating in stateful_set_utils.go), and what it is if not.
func wellness(p *corev1.Pod, minReady int32, now time.Time) (well bool, state string) {
	if p.DeletionTimestamp != nil {
		return false, "Terminating"
	}
	ready := condition(p, corev1.PodReady)
	if p.Status.Phase != corev1.PodRunning || ready == nil || ready.Status != corev1.ConditionTrue {
		status, up, all, _, _ := kube.PodStatus(p)
		if status == "Running" {
			return false, fmt.Sprintf("not Ready, %d/%d", up, all)
		}
		return false, words(status)
	}
	if left := ready.LastTransitionTime.Add(time.Duration(minReady) * time.Second).Sub(now); minReady > 0 && left > 0 {
		return false, fmt.Sprintf("Ready, not available for %ds", int(left/time.Second)+1)
	}
	return true, "Ready"
}

// active reports whether a ReplicaSet counts the pod (IsPodActive in pkg/controller/controller_utils.go).
func active(p *corev1.Pod) bool {
	return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed && p.DeletionTimestamp == nil
}
