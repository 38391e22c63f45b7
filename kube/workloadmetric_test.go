package kube

import (
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// scalerOf makes an autoscaler of 1 to 10 replicas that has some, wants some, and sees a utilization of cpu in percent.
func scalerOf(has, wants, is, goal int32) *autoscalingv2.HorizontalPodAutoscaler {
	o := autoscaler()
	o.Spec.MinReplicas, o.Spec.MaxReplicas = new(int32(1)), 10
	o.Spec.Metrics[0].Resource.Target.AverageUtilization = new(goal)
	o.Status.CurrentReplicas, o.Status.DesiredReplicas = has, wants
	o.Status.CurrentMetrics[0].Resource.Current.AverageUtilization = new(is)
	return o
}

func TestAnAutoscalerSaysWhyItWantsSoMany(t *testing.T) { // AC-T4
	for _, c := range []struct {
		has, wants, is int32
		want           string
	}{
		{1, 1, 0, "1, its minimum: 1 x 0/50 = 0"},
		{1, 7, 305, "7: 1 x 305/50 = 6.1, rounded up"},
		{7, 7, 305, "7"}, // it has scaled since: the numbers do not bear it out any more
		{7, 7, 52, "7: cpu is within a tenth of its goal"},
		{7, 1, 0, "1, its minimum: 7 x 0/50 = 0"},
		{4, 10, 300, "10, its maximum: 4 x 300/50 = 24"},
		{4, 5, 300, "5"}, // held back by its behaviour
		{5, 6, 60, "6: 5 x 60/50 = 6, rounded up"},
		{0, 1, 0, "1"},
	} {
		w := NewWorkload(scalerOf(c.has, c.wants, c.is, 50))
		if got := w.WantsText(); got != c.want {
			t.Errorf("%d there, %d wanted, cpu %d%%: got %q, want %q", c.has, c.wants, c.is, got, c.want)
		}
	}
	w := NewWorkload(scalerOf(1, 7, 305, 50))
	if got := w.Scaler.Measures[0].String(); got != "cpu 305% / 50%" {
		t.Errorf("the metric is %q", got)
	}
	if got := w.Diagnosis(Moment{})[0]; !strings.HasSuffix(got, "1 there, 7 wanted; cpu 305% (goal 50), so 1 x 305/50 = 6.1, rounded up") {
		t.Errorf("the diagnosis is %q", got)
	}
}

func TestThreeConditionsAreThreeWords(t *testing.T) { // AC-T5
	o := scalerOf(1, 1, 10, 50)
	o.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{
		scaling("AbleToScale", "True", "ReadyForNewScale"), scaling("ScalingActive", "True", "ValidMetricFound"),
		scaling("ScalingLimited", "False", "DesiredWithinRange"),
	}
	if got := NewWorkload(o).Scaler.ConditionsText(); got != "able, active, not limited" {
		t.Errorf("all well reads %q", got)
	}
	o.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{
		scaling("AbleToScale", "True", "SucceededGetScale"), scaling("ScalingActive", "False", "FailedGetResourceMetric"),
		scaling("ScalingLimited", "True", "TooManyReplicas"),
	}
	if got := NewWorkload(o).Scaler.ConditionsText(); got != "able, not active (FailedGetResourceMetric), limited (TooManyReplicas)" {
		t.Errorf("trouble reads %q", got)
	}
	o.Status.Conditions = nil
	if got := NewWorkload(o).Scaler.ConditionsText(); got != "-" {
		t.Errorf("no conditions read %q", got)
	}

	target := autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse("500m"))}
	o.Spec.Metrics = []autoscalingv2.MetricSpec{{Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "http_requests"}, Target: target}}}
	o.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Pods: &autoscalingv2.PodsMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageValue: new(resource.MustParse("66m"))}}}}
	if got := NewWorkload(o).Scaler.Measures[0].String(); got != "http_requests 66m / 500m" {
		t.Errorf("the metric is %q", got)
	}
}

func TestAmountsOfMetricsAreWrittenAsPeopleDo(t *testing.T) { // AC-T6
	for _, c := range []struct{ name, amount, want string }{
		{"rate", "10500m", "10.5"}, {"rate", "11500m", "11.5"}, {"rate", "11", "11"}, {"rate", "66m", "66m"}, {"rate", "1001m", "1.001"},
		{"rate", "-10500m", "-10.5"}, {"rate", "1k", "1k"},
		{string(corev1.ResourceMemory), "162856960", "155Mi"}, {string(corev1.ResourceMemory), "1Gi", "1Gi"},
	} {
		if got := quantityText(c.name, new(resource.MustParse(c.amount))); got != c.want {
			t.Errorf("%s of %s reads %q, want %q", c.amount, c.name, got, c.want)
		}
	}
}

func TestADeploymentIsSeenBesideItsReplicaSets(t *testing.T) {
	of := func(w *Workload) Owner { return w.runOf() }
	set := &Workload{Kind: ReplicaSets, Namespace: "shop", Name: "web-7d9f8c6b5", OwnerKind: "Deployment", OwnerName: "web"}
	web := &Workload{Kind: Deployments, Namespace: "shop", Name: "web"}
	m := Moment{Runs: map[Owner][]*Workload{of(set): {set}}}
	if got := web.RunsOf(m); len(got) != 1 || got[0] != set {
		t.Errorf("the Deployment has %v", got)
	}
	if got := of(&Workload{Kind: ReplicaSets, Namespace: "shop", Name: "alone"}); got != (Owner{}) {
		t.Errorf("a ReplicaSet of nobody belongs to %v", got)
	}
}
