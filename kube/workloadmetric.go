package kube

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Measure is one metric of an autoscaler beside its goal.
type Measure struct {
	Name     string  // "cpu", "http_requests"
	Is, Goal string  // "305%" and "50%", "66m" and "500m"
	Ratio    float64 // of Is to Goal; 0 where the goal is 0
}

// String is the metric as `kubectl describe hpa` has it: "cpu 305% / 50%".
func (x Measure) String() string { return x.Name + " " + x.Is + " / " + x.Goal }

// measures are the metrics of an autoscaler that there is a value of. Statuses stand in the order of the specs, as `kubectl get hpa` reads
// them (formatHPAMetrics of pkg/printers/internalversion/printers.go).
func measures(o *autoscalingv2.HorizontalPodAutoscaler) []Measure {
	var out []Measure
	for i := range o.Spec.Metrics {
		if i >= len(o.Status.CurrentMetrics) {
			break
		}
		name, goal := goalOf(&o.Spec.Metrics[i])
		now := seen(&o.Status.CurrentMetrics[i])
		if goal == nil || now == nil {
			continue
		}
		if m, ok := measured(shared(name), goal, now); ok {
			out = append(out, m)
		}
	}
	return out
}

// worstOf is the metric that is furthest over its goal, with the goal: "cpu 92% (goal 70)"; "" if there is none.
func worstOf(all []Measure) string {
	m, ok := leading(all)
	if !ok {
		return ""
	}
	return m.Name + " " + m.Is + " (goal " + strings.TrimSuffix(m.Goal, "%") + ")"
}

// leading is the metric that asks for the most replicas, and so decides.
func leading(all []Measure) (Measure, bool) {
	if len(all) == 0 {
		return Measure{}, false
	}
	return slices.MaxFunc(all, func(a, b Measure) int { return cmp.Compare(a.Ratio, b.Ratio) }), true
}

// measured compares one metric with its goal.
func measured(name string, goal *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) (Measure, bool) {
	amounts := func(is, want *resource.Quantity) (Measure, bool) {
		return Measure{name, quantityText(name, is), quantityText(name, want), over(is.AsApproximateFloat64(), want.AsApproximateFloat64())}, true
	}
	switch {
	case goal.AverageUtilization != nil && now.AverageUtilization != nil:
		is, want := *now.AverageUtilization, *goal.AverageUtilization
		return Measure{name, strconv.Itoa(int(is)) + "%", strconv.Itoa(int(want)) + "%", over(float64(is), float64(want))}, true
	case goal.AverageValue != nil && now.AverageValue != nil:
		return amounts(now.AverageValue, goal.AverageValue)
	case goal.Value != nil && now.Value != nil:
		return amounts(now.Value, goal.Value)
	}
	return Measure{}, false
}

// quantityText is an amount as the API writes it, but 10500m as 10.5, and bytes of memory in the largest unit that they reach.
func quantityText(name string, q *resource.Quantity) string {
	if name == string(corev1.ResourceMemory) {
		return memText(q.Value())
	}
	s := q.String()
	thousandths, ok := strings.CutSuffix(s, "m")
	n, err := strconv.ParseInt(thousandths, 10, 64)
	if !ok || err != nil || -1000 < n && n < 1000 {
		return s
	}
	return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64)
}

// Condition is what an autoscaler says of itself.
type Condition struct {
	Type, Reason string
	True         bool
}

// conditionWords say in a word what a condition of an autoscaler means when it is true, and when it is not.
var conditionWords = map[string][2]string{
	string(autoscalingv2.AbleToScale):    {"able", "not able"},
	string(autoscalingv2.ScalingActive):  {"active", "not active"},
	string(autoscalingv2.ScalingLimited): {"limited", "not limited"},
}

// ConditionsText is a word for each condition, and the reason where it tells of trouble: "able, active, not limited",
// "able, not active (FailedGetResourceMetric)"; "-" while it has none.
func (s *Scaler) ConditionsText() string {
	var words []string
	for _, c := range s.Conditions {
		w := conditionWords[c.Type]
		good := c.True != (c.Type == string(autoscalingv2.ScalingLimited))
		word := w[0]
		if !c.True {
			word = w[1]
		}
		if word == "" {
			continue
		}
		if !good {
			word += " (" + c.Reason + ")"
		}
		words = append(words, word)
	}
	return dashed(strings.Join(words, ", "))
}

// tolerance is how far a metric may be from its goal before an autoscaler does anything (--horizontal-pod-autoscaler-tolerance); one may
// have another, so that nothing is said that its own numbers do not bear out.
const tolerance = 0.1

// WantsText is how many replicas an autoscaler wants, and why as far as its numbers bear it out: "7: 1 x 305/50 = 6.1, rounded up"
// (GetResourceReplicas of pkg/controller/podautoscaler/replica_calculator.go). Later the metric is another than the one that decided, and then
// it is the number alone.
func (w *Workload) WantsText() string {
	wants := strconv.Itoa(int(w.Desired))
	m, ok := leading(w.Scaler.Measures)
	if !ok || w.Ready <= 0 {
		return wants
	}
	exact := float64(w.Ready) * m.Ratio
	up := math.Ceil(exact - 1e-9)
	term := fmt.Sprintf("%d x %s/%s = %s", w.Ready, strings.TrimSuffix(m.Is, "%"), strings.TrimSuffix(m.Goal, "%"), strconv.FormatFloat(math.Round(exact*10)/10, 'f', -1, 64))
	desired := float64(w.Desired)
	switch {
	case math.Abs(m.Ratio-1) <= tolerance && w.Desired == w.Ready:
		return wants + ": " + m.Name + " is within a tenth of its goal"
	case up == desired:
		return wants + ": " + term + ", rounded up"
	case up > desired && w.Desired == w.Scaler.Max:
		return wants + ", its maximum: " + term
	case up < desired && w.Desired == w.Scaler.Min:
		return wants + ", its minimum: " + term
	}
	return wants
}

func over(is, want float64) float64 {
	if want <= 0 {
		return 0
	}
	return is / want
}

// goalOf is what one metric should be; nil for a kind of metric that is not known here.
func goalOf(s *autoscalingv2.MetricSpec) (name string, goal *autoscalingv2.MetricTarget) {
	switch {
	case s.Resource != nil:
		return string(s.Resource.Name), &s.Resource.Target
	case s.ContainerResource != nil:
		return string(s.ContainerResource.Name), &s.ContainerResource.Target
	case s.Pods != nil:
		return s.Pods.Metric.Name, &s.Pods.Target
	case s.Object != nil:
		return s.Object.Metric.Name, &s.Object.Target
	case s.External != nil:
		return s.External.Metric.Name, &s.External.Target
	}
	return "", nil
}

// seen is what one metric is.
func seen(s *autoscalingv2.MetricStatus) *autoscalingv2.MetricValueStatus {
	switch {
	case s.Resource != nil:
		return &s.Resource.Current
	case s.ContainerResource != nil:
		return &s.ContainerResource.Current
	case s.Pods != nil:
		return &s.Pods.Current
	case s.Object != nil:
		return &s.Object.Current
	case s.External != nil:
		return &s.External.Current
	}
	return nil
}
