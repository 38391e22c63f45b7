package kube

import (
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// metricText is the metric that is furthest over its goal, with the goal: "cpu 92% (goal 70)". Statuses stand in the order
// of the specs, as `kubectl get hpa` reads them (formatHPAMetrics of pkg/printers/internalversion/printers.go); "" if the
// autoscaler knows of none.
func metricText(o *autoscalingv2.HorizontalPodAutoscaler) string {
	text, most := "", -1.0
	for i := range o.Spec.Metrics {
		if i >= len(o.Status.CurrentMetrics) {
			break
		}
		name, goal := goalOf(&o.Spec.Metrics[i])
		now := seen(&o.Status.CurrentMetrics[i])
		if goal == nil || now == nil {
			continue
		}
		said, ratio, ok := measured(name, goal, now)
		if ok && ratio > most {
			text, most = said, ratio
		}
	}
	return text
}

// measured compares one metric with its goal.
func measured(name string, goal *autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) (text string, ratio float64, ok bool) {
	switch {
	case goal.AverageUtilization != nil && now.AverageUtilization != nil:
		is, want := *now.AverageUtilization, *goal.AverageUtilization
		return name + " " + strconv.Itoa(int(is)) + "% (goal " + strconv.Itoa(int(want)) + ")", over(float64(is), float64(want)), true
	case goal.AverageValue != nil && now.AverageValue != nil:
		is, want := now.AverageValue, goal.AverageValue
		return name + " " + is.String() + " (goal " + want.String() + ")",
			over(is.AsApproximateFloat64(), want.AsApproximateFloat64()), true
	case goal.Value != nil && now.Value != nil:
		is, want := now.Value, goal.Value
		return name + " " + is.String() + " (goal " + want.String() + ")",
			over(is.AsApproximateFloat64(), want.AsApproximateFloat64()), true
	}
	return "", 0, false
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
