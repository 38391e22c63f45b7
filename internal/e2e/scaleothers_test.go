package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/scale"
)

// scaler makes an HPA of a StatefulSet.
func (h *hall) scaler(set string, low, high int32) {
	h.t.Helper()
	half := int32(50)
	_, err := h.client.AutoscalingV2().HorizontalPodAutoscalers(h.ns).Create(h.t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: set},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: set}, MinReplicas: &low, MaxReplicas: high,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &half}}}},
		},
	}, metav1.CreateOptions{})
	h.ok(err)
}

func TestHPASetsBackWhatIsBeyondItsRangeAndTheRunSaysSo(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2, parallel, slow("30s", "")) // longer than the autoscaler lets go by between two looks
	h.scaler("web", 1, 3)
	p, _ := h.scaleTo(o, s, 3)
	says(t, p, "HPA web (min 1, max 3, now ", "takes it back")
	p, _ = h.scaleTo(o, s, 5)
	says(t, p, "more than its max, it sets 3 again within 15s")
	d := o.start(p)
	run, took := d.finishes(soon)
	t.Logf("%s: %s after %v\n%s", run.State, run.Note, took.Round(time.Second), d.account())
	if run.State != action.Partial || !strings.Contains(run.Note, "another has set it to 3 since") || run.Undo != nil {
		t.Errorf("%s: %s, undo %+v", run.State, run.Note, run.Undo)
	}
	onePut(t, o, "web", string(s.UID), 5)
}

func TestNumberThatIsSetBackAfterTheRunIsToldOnItsPage(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 1)
	h.scaler("web", 1, 2)
	p, _ := h.scaleTo(o, s, 3)
	d := o.start(p)
	run, _ := d.finishes(soon)
	if run.State != action.Done {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	await(t, "a word on the page", soon, func() bool {
		return strings.Contains(sheetText(&action.Plan{Sections: d.run().Page}), h.ns+"/web: 2, no longer 3")
	})
}

func TestScalingToZeroIsAnOutageAndSwitchesTheHPAOff(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2)
	h.scaler("web", 1, 3)
	p, w := h.scaleTo(o, s, 0)
	says(t, p, "All pods stop: that is an outage", "is switched off by 0: ScalingActive is False")
	if p.Tier != action.Write || !slices.Equal(w.Goes, []string{"web-1", "web-0"}) {
		t.Errorf("tier %d, goes %q", p.Tier, w.Goes)
	}
	d := o.start(p)
	run, _ := d.finishes(soon)
	if run.State != action.Done || len(h.pods("web")) != 0 {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	onePut(t, o, "web", string(s.UID), 0)
	await(t, "ScalingActive False", soon, func() bool {
		a, err := h.client.AutoscalingV2().HorizontalPodAutoscalers(h.ns).Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(a.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionFalse && c.Reason == "ScalingDisabled"
		})
	})
}

func TestSheetTellsOfWhoeverElseSetsTheNumber(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	yes := true
	for name, c := range map[string]struct {
		change func(*appsv1.StatefulSet)
		says   string
	}{
		"argo": {func(s *appsv1.StatefulSet) {
			s.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "search:apps/StatefulSet:x/argo"}
		}, "Argo CD manages it (app search): its next sync sets its own number again"},
		"flux": {func(s *appsv1.StatefulSet) { s.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "infra"} }, "Flux manages it (kustomization infra)"},
		"helm": {func(s *appsv1.StatefulSet) { s.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"} }, "Helm made it: its next upgrade may set its own number again"},
		"operator": {func(s *appsv1.StatefulSet) {
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "kafka.strimzi.io/v1", Kind: "Kafka", Name: "messaging", UID: "1", Controller: &yes}}
		}, "owned by Kafka/messaging (kafka.strimzi.io): that operator sets its own number again"},
		"old":       {func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }, "update strategy OnDelete"},
		"partition": {func(s *appsv1.StatefulSet) { part(s, 1) }, "partition 1: new pods with lower ordinals come from the old revision"},
		"slow":      {func(s *appsv1.StatefulSet) { s.Spec.MinReadySeconds = 30 }, "each pod has to be Ready for 30s before the next one is touched"},
	} {
		s := h.set(name, 1, c.change)
		p, _ := h.scaleTo(o, s, 2)
		says(t, p, c.says)
	}
	// By apply, client side and server side.
	for _, side := range []string{"false", "true"} {
		name := "applied-" + side
		manifest := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":%q,"namespace":%q},"spec":{"replicas":1,"serviceName":"x",`+
			`"selector":{"matchLabels":{"app":%[1]q}},"template":{"metadata":{"labels":{"app":%[1]q}},"spec":{"nodeSelector":{"scale":%[2]q},`+
			`"tolerations":[{"key":"scale","operator":"Exists"}],"containers":[{"name":"app","image":"app"}]}}}}`, name, h.ns)
		apply(t, manifest, "--server-side="+side)
		p, _ := h.scaleTo(o, h.get(name), 2)
		says(t, p, map[string]string{"false": "kubectl has set the number by apply: the next apply of that manifest sets 1 again",
			"true": "kubectl has set the number by apply: the next apply sets its own number again"}[side])
	}
}

func part(s *appsv1.StatefulSet, n int32) {
	s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &n}}
}

func TestQuotaThatAllowsNoMoreIsSaidAndShownInTheRun(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	_, err := h.client.CoreV1().ResourceQuotas(h.ns).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}}}, metav1.CreateOptions{})
	h.ok(err)
	await(t, "a quota that counts", soon, func() bool {
		q, err := h.client.CoreV1().ResourceQuotas(h.ns).Get(t.Context(), "small", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0
	})
	s := h.settled("web", 1)
	two := intstr.FromInt32(1)
	_, err = h.client.PolicyV1().PodDisruptionBudgets(h.ns).Create(t.Context(), &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "web-pdb"},
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &two, Selector: s.Spec.Selector}}, metav1.CreateOptions{})
	h.ok(err)
	p, _ := h.scaleTo(o, s, 4)
	says(t, p, "quota small allows 1 of 3 new pods: pods 1 used of 2")
	d := o.start(p)
	d.await("what the controller says of the quota", soon, func() bool {
		return strings.Contains(d.step(h.ns+"/web-2").Note, "exceeded quota: small")
	})
	t.Logf("%s\n%s", d.run().Note, d.account())
	d.cancelled()
	await(t, "two pods", soon, func() bool { return len(h.pods("web")) == 2 })
	budgetCounts(t, h.client, h.ns, "web-pdb", 2)
	s = h.get("web")
	p, _ = h.scaleTo(o, s, 1)
	says(t, p, "after it budget web-pdb (wants 1 healthy, 1 is there) allows no eviction")
}

// deploy makes a Deployment and waits for its pods.
func (h *hall) deploy(name string, replicas int32, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	h.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: h.template(name),
	}}
	for _, c := range change {
		c(d)
	}
	_, err := h.client.AppsV1().Deployments(h.ns).Create(h.t.Context(), d, metav1.CreateOptions{})
	h.ok(err)
	await(h.t, "a deployment that is there", soon, func() bool {
		d, err = h.client.AppsV1().Deployments(h.ns).Get(h.t.Context(), name, metav1.GetOptions{})
		h.ok(err)
		return d.Status.ObservedGeneration >= d.Generation && d.Status.AvailableReplicas == replicas && d.Status.UpdatedReplicas == replicas
	})
	return d
}

func one(o *operator, r kube.Ref) action.Target {
	return action.Target{Context: o.kube.Context(), Refs: []kube.Ref{r}}
}

func TestDeploymentIsScaledAndThePlanNamesThePodsThatGo(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	d := h.deploy("web", 5)
	pods := h.pods("web")
	costs := map[string]int{}
	n := 0
	for name := range pods {
		n++
		costs[name] = n
		stages.kubectl(t, "-n", h.ns, "annotate", "pod", name, fmt.Sprintf("controller.kubernetes.io/pod-deletion-cost=%d", n))
	}
	ref := h.ref(d, kube.Deployments)
	p := o.planOf(action.Scale, one(o, ref), action.Options{scale.OptionReplicas + ref.UID: "3"})
	w := scale.PlanOf(p).Workloads[0]
	t.Logf("\n%s", sheetText(p))
	if w.About || len(w.Goes) != 2 || costs[w.Goes[0]] != 1 || costs[w.Goes[1]] != 2 {
		t.Fatalf("goes %q (about %t), costs %v", w.Goes, w.About, costs)
	}
	r := o.start(p)
	run, took := r.finishes(soon)
	t.Logf("%s: %s in %v\n%s", run.State, run.Note, took.Round(time.Millisecond), r.account())
	left := h.pods("web")
	for _, gone := range w.Goes {
		if _, is := left[gone]; is {
			t.Errorf("%s has not gone", gone)
		}
	}
	if run.State != action.Done || len(left) != 3 {
		t.Errorf("%s: %s, %d pods", run.State, run.Note, len(left))
	}
	onePut(t, o, "web", ref.UID, 3)
	p = o.planOf(run.Undo.Action, run.Undo.Target, run.Undo.Options)
	run, _ = o.start(p).finishes(soon)
	if run.State != action.Done || len(h.pods("web")) != 5 {
		t.Errorf("back: %s: %s", run.State, run.Note)
	}
}

func TestReplicaSetOfADeploymentIsRefusedAndTheDeploymentOffered(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	d := h.deploy("web", 1)
	l, err := h.client.AppsV1().ReplicaSets(h.ns).List(t.Context(), metav1.ListOptions{})
	h.ok(err)
	ref := h.ref(&l.Items[0], kube.ReplicaSets)
	p := o.planOf(action.Scale, one(o, ref), action.Options{scale.OptionReplicas + ref.UID: "3"})
	if len(p.Refusals) == 0 || !strings.Contains(p.Refusals[0], "Deployment web sets the number of this ReplicaSet again") ||
		len(p.Instead) != 1 || p.Instead[0].Action != action.Scale || p.Instead[0].Target.Refs[0] != h.ref(d, kube.Deployments) {
		t.Errorf("refused %q, instead %+v", p.Refusals, p.Instead)
	}
	for _, pod := range h.pods("web") {
		byPod := o.planOf(action.Scale, one(o, h.ref(&pod, kube.Pods)), nil)
		if byPod.Target.Refs[0] != h.ref(d, kube.Deployments) {
			t.Errorf("the pod stands for %+v", byPod.Target.Refs)
		}
	}
	daemon := kube.Ref{Kind: kube.DaemonSets, Namespace: h.ns, Name: "x", UID: "x"}
	if _, err := o.runner.Plan(t.Context(), action.Scale, one(o, daemon), nil); err == nil || !strings.Contains(err.Error(), "one pod per node") {
		t.Errorf("a DaemonSet: %v", err)
	}
}

func TestReplicaSetOfItsOwnIsScaled(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	three := int32(3)
	rs, err := h.client.AppsV1().ReplicaSets(h.ns).Create(t.Context(), &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.ReplicaSetSpec{
		Replicas: &three, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: h.template("web"),
	}}, metav1.CreateOptions{})
	h.ok(err)
	await(t, "three pods", soon, func() bool { return len(h.pods("web")) == 3 })
	var ill string
	for ill = range h.pods("web") {
		break
	}
	for name := range h.pods("web") { // of those that are not ready any may go
		await(t, name+" ready", soon, func() bool { return h.isReady(name) })
	}
	h.falls(ill)
	ref := h.ref(rs, kube.ReplicaSets)
	p := o.planOf(action.Scale, one(o, ref), action.Options{scale.OptionReplicas + ref.UID: "2"})
	if w := scale.PlanOf(p).Workloads[0]; w.About || !slices.Equal(w.Goes, []string{ill}) || p.Tier != action.Read || len(p.Refusals) > 0 {
		t.Fatalf("goes %q (about %t), want %s; tier %d, refused %q", w.Goes, w.About, ill, p.Tier, p.Refusals)
	}
	d := o.start(p)
	run, _ := d.finishes(soon)
	_, still := h.pods("web")[ill]
	if run.State != action.Done || still || len(h.pods("web")) != 2 {
		t.Errorf("%s: %s; %s is there: %t\n%s", run.State, run.Note, ill, still, d.account())
	}
	onePut(t, o, "web", ref.UID, 2)
}

func TestDeploymentWithAVolumeForOneIsNotScaledAboveOne(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	none := ""
	h.volume("disk", corev1.PersistentVolumeReclaimRetain)
	_, err := h.client.CoreV1().PersistentVolumeClaims(h.ns).Create(t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "disk"},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &none,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}}}}, metav1.CreateOptions{})
	h.ok(err)
	d := h.deploy("mysql", 1, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "disk", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "disk"}}}}
	})
	ref := h.ref(d, kube.Deployments)
	options := action.Options{scale.OptionReplicas + ref.UID: "2"}
	p := o.planOf(action.Scale, one(o, ref), options)
	if len(p.Refusals) == 0 || !strings.Contains(p.Refusals[0], "its volume disk is RWO: it can be used on one node at a time") {
		t.Errorf("refused %q", p.Refusals)
	}
	options[scale.OptionOverride] = action.On
	p = o.planOf(action.Scale, one(o, ref), options)
	if len(p.Refusals) > 0 || p.Tier != action.Write {
		t.Errorf("with the override: refused %q, tier %d\n%s", p.Refusals, p.Tier, sheetText(p))
	}
	noPut(t, o)
}

func TestSeveralSetsEachHaveTheirOwnNumber(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	a, b, c := h.settled("a", 1), h.settled("b", 2), h.settled("c", 3)
	target := h.target(o, a, b, c)
	p := o.planOf(action.Scale, target, nil)
	if len(p.Toggles) != 3 || p.Toggles[0].Value != "1" || p.Toggles[1].Value != "2" || p.Toggles[2].Value != "3" || !strings.HasPrefix(p.Refusals[0], "say how many") {
		t.Fatalf("toggles %+v, refused %q", p.Toggles, p.Refusals)
	}
	number := func(s *appsv1.StatefulSet) string { return scale.OptionReplicas + string(s.UID) }
	p = o.planOf(action.Scale, target, action.Options{number(a): "x", number(b): "1"})
	if p.Toggles[0].Number.Fault == "" || len(p.Refusals) != 1 || scale.PlanOf(p).Workloads[1].To != 1 {
		t.Errorf("a number that is none: fault %q, refused %q", p.Toggles[0].Number.Fault, p.Refusals)
	}
	p = o.planOf(action.Scale, target, action.Options{number(a): "3", number(b): "1"})
	t.Logf("\n%s", sheetText(p))
	d := o.start(p)
	run, _ := d.finishes(soon)
	t.Logf("%s: %s\n%s", run.State, run.Note, d.account())
	if run.State != action.Done || len(h.pods("a")) != 3 || len(h.pods("b")) != 1 || len(h.pods("c")) != 3 {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	onePut(t, o, "a", string(a.UID), 3)
	onePut(t, o, "b", string(b.UID), 1)
	if len(puts(t, o)["c"]) > 0 {
		t.Error("the one that was left alone was written to")
	}
}

func TestTwoHundredSetsAreScaledInOrderAndTheSheetCanBeRead(t *testing.T) {
	const many = 200
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	var sets []*appsv1.StatefulSet
	options := action.Options{}
	for n := range many {
		sets = append(sets, h.set(fmt.Sprintf("s%03d", n), 0))
		options[scale.OptionReplicas+string(sets[n].UID)] = "1"
	}
	options[scale.OptionReplicas+string(sets[7].UID)] = "none"
	began := time.Now()
	p := o.planOf(action.Scale, h.target(o, sets...), options)
	t.Logf("the plan took %v, with %d requests", time.Since(began).Round(time.Millisecond), len(o.on.requests(t, o.agent)))
	text := sheetText(&action.Plan{Headline: p.Headline, Facts: p.Facts, Sections: p.Sections, Kubectl: p.Kubectl})
	t.Logf("\n%s", text)
	if lines := strings.Count(text, "\n"); lines > 40 || !strings.Contains(text, "and 189 more") || len(p.Refusals) != 1 {
		t.Errorf("%d lines, refused %q", lines, p.Refusals)
	}
	options[scale.OptionReplicas+string(sets[7].UID)] = "1"
	p = o.planOf(action.Scale, h.target(o, sets...), options)
	d := o.start(p)
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%s: %s in %v", run.State, run.Note, took.Round(time.Millisecond))
	if run.State != action.Done {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	var all []request
	sent := puts(t, o)
	for _, s := range sets {
		oneOf(t, sent[s.Name], s.Name, string(s.UID), 1)
		all = append(all, sent[s.Name]...)
	}
	const span = 5 * time.Second // in a single one a server that was late may receive those of two
	most := busiest(all, span)
	t.Logf("at most %d of %d numbers within %v", most, len(all), span)
	if most > 12*5 {
		t.Errorf("%d numbers were set within %v", most, span)
	}
}
