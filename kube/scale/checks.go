package scale

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	resourcehelper "k8s.io/component-helpers/resource"

	"ktriage/internal/text"
	"ktriage/kube"
)

// judgeScaler says what an autoscaler that targets the workload does about the number (reconcileAutoscaler in
// pkg/controller/podautoscaler/horizontal.go).
func (w *Workload) judgeScaler(f *facts) {
	if f.missing["HPAs"] {
		return
	}
	found := false
	for i := range f.scalers[w.Ref.Namespace] {
		if h := &f.scalers[w.Ref.Namespace][i]; targets(h, w.Ref) {
			found = true
			w.scaler(h)
		}
	}
	if !found {
		w.pass("no HPA targets it")
	}
}

// targets reports whether an autoscaler is for a workload. The version of the group does not matter.
func targets(h *autoscalingv2.HorizontalPodAutoscaler, r kube.Ref) bool {
	to := h.Spec.ScaleTargetRef
	gv, err := schema.ParseGroupVersion(to.APIVersion)
	return err == nil && gv.Group == "apps" && to.Kind == r.Kind.Kind() && to.Name == r.Name
}

func (w *Workload) scaler(h *autoscalingv2.HorizontalPodAutoscaler) {
	low, high, name := number(h.Spec.MinReplicas), h.Spec.MaxReplicas, words(h.Name)
	its := fmt.Sprintf("HPA %s (min %d, max %d, now %d)", name, low, high, h.Status.CurrentReplicas)
	switch {
	case w.To == 0:
		w.warn(kube.Warning, its+" is switched off by 0: ScalingActive is False until somebody sets 1 or more")
	case !w.changes():
		w.warn(kube.Notice, its+" targets it")
	case w.From == 0:
		w.warn(kube.Notice, its+" is switched on again by this")
	case w.To > high:
		w.warn(kube.Warning, fmt.Sprintf("%s: more than its max, it sets %d again within 15s", its, high))
	case w.To < low:
		w.warn(kube.Warning, fmt.Sprintf("%s: fewer than its min, it sets %d again within 15s", its, low))
	case w.down():
		w.warn(kube.Warning, its+" sets more again at its next look if its metrics ask for it")
	default:
		w.warn(kube.Warning, its+" takes it back, after 5 min as a rule, unless its metrics ask for so many")
	}
}

// judgeBudgets says that budgets do not keep anybody from scaling, and which of them allows nothing afterwards.
func (w *Workload) judgeBudgets(f *facts, t *target) {
	if !w.down() {
		return
	}
	w.warn(kube.OK, "budgets do not limit scaling")
	for i := range f.budgets[w.Ref.Namespace] {
		b := &f.budgets[w.Ref.Namespace][i]
		by, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil || w.To == 0 || !by.Matches(labels.Set(t.template.Labels)) {
			continue
		}
		if need, ok := needs(b, int(w.To)); ok && need >= int(w.To) {
			w.warn(kube.Warning, fmt.Sprintf("after it budget %s (wants %d healthy, %d %s there) allows no eviction: drains of their nodes wait",
				words(b.Name), need, w.To, either(int(w.To), "is", "are")))
		}
	}
}

// needs is how many healthy pods a budget wants of so many (getExpectedPodCount in pkg/controller/disruption).
func needs(b *policyv1.PodDisruptionBudget, of int) (int, bool) {
	if low := b.Spec.MinAvailable; low != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(low, of, true)
		return n, err == nil
	}
	if high := b.Spec.MaxUnavailable; high != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(high, of, true)
		return max(0, of-n), err == nil
	}
	return 0, false
}

// judgeRoom says whether quotas and nodes take the pods that are made.
func (w *Workload) judgeRoom(f *facts, t *target) {
	if w.New == 0 {
		return
	}
	pod := &corev1.Pod{Spec: defaulted(t.template.Spec)}
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	limits := resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{})
	for i := range f.quotas[w.Ref.Namespace] {
		w.quota(&f.quotas[w.Ref.Namespace][i], requests, limits)
	}
	switch n, why := f.fits(t.template, requests); {
	case f.nodes == nil:
	case n == 0:
		w.warn(kube.Warning, "a new pod fits on no node now, it would stay Pending: "+why)
	case f.loads == nil:
		w.warn(kube.Notice, fmt.Sprintf("a new pod may go to %s; how full they are is not known", one(n, "node")))
	case w.huge():
		w.warn(kube.Notice, fmt.Sprintf("one new pod fits on %s; whether all %s do is not known", one(n, "node"), text.Count(w.New)))
	default:
		w.pass(fmt.Sprintf("a new pod fits on %s", one(n, "node")))
	}
}

// defaulted is the spec of a pod that is made of a template: what is limited and not requested is requested in full
// (SetDefaults_Pod in pkg/apis/core/v1/defaults.go).
func defaulted(spec corev1.PodSpec) corev1.PodSpec {
	out := *spec.DeepCopy()
	for _, list := range [][]corev1.Container{out.Containers, out.InitContainers} {
		for i := range list {
			r := &list[i].Resources
			for name, limit := range r.Limits {
				if _, set := r.Requests[name]; !set {
					if r.Requests == nil {
						r.Requests = corev1.ResourceList{}
					}
					r.Requests[name] = limit
				}
			}
		}
	}
	return out
}

// quota says how many of the pods a quota does not allow. Quotas with scopes are not judged: they may not be for such pods.
func (w *Workload) quota(q *corev1.ResourceQuota, requests, limits corev1.ResourceList) {
	if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return
	}
	pods := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(1, resource.DecimalSI)}
	for _, rule := range []struct {
		name corev1.ResourceName
		per  corev1.ResourceList
		of   corev1.ResourceName
	}{
		{corev1.ResourcePods, pods, corev1.ResourcePods}, {"count/pods", pods, corev1.ResourcePods},
		{corev1.ResourceCPU, requests, corev1.ResourceCPU}, {corev1.ResourceRequestsCPU, requests, corev1.ResourceCPU},
		{corev1.ResourceMemory, requests, corev1.ResourceMemory}, {corev1.ResourceRequestsMemory, requests, corev1.ResourceMemory},
		{corev1.ResourceLimitsCPU, limits, corev1.ResourceCPU}, {corev1.ResourceLimitsMemory, limits, corev1.ResourceMemory},
	} {
		hard, limited := q.Status.Hard[rule.name]
		used := q.Status.Used[rule.name]
		per := rule.per[rule.of]
		if !limited {
			continue
		}
		if per.IsZero() {
			w.warn(kube.Warning, fmt.Sprintf("quota %s wants %s to be set, and its template does not: no pod can be made, unless a LimitRange sets it", words(q.Name), rule.name))
			continue
		}
		left := int64(max(0, hard.AsApproximateFloat64()-used.AsApproximateFloat64()) / per.AsApproximateFloat64())
		if left < int64(w.New) {
			w.warn(kube.Bad, fmt.Sprintf("quota %s allows %d of %s: %s %s used of %s", words(q.Name), left, one(w.New, "new pod"), rule.name,
				used.String(), hard.String()))
		}
	}
}
