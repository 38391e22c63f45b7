package kube

import (
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
)

// Diagnosis says in one or two sentences why the workload is as it is: the cause first, then how it stands.
func (w *Workload) Diagnosis(m Moment) []string {
	lines := w.evidence(m)
	if stands := w.stands(m); stands != "" {
		lines = append(lines, stands)
	}
	if len(lines) > 2 {
		lines = lines[:2]
	}
	return lines
}

// evidence is what the conditions say, in full, and what the worst pod says of itself. That a rollout is late only repeats
// that the pods are not ready: it comes behind them.
func (w *Workload) evidence(m Moment) []string {
	var lines, late []string
	if w.Deletion != nil {
		lines = append(lines, w.Deletion.text()+", asked for "+ago(m.Now, w.Deletion.At))
	}
	for _, h := range w.Hitches {
		said := h.Reason + " " + ago(m.Now, h.Since) + ": " + orNothing(h.Message)
		switch h.Type {
		case string(autoscalingv2.ScalingLimited):
			if w.atMost() {
				lines = append(lines, said)
			}
		case string(appsv1.DeploymentProgressing):
			late = append(late, said)
		default:
			lines = append(lines, said)
		}
	}
	if failed := w.lastRunFailed(m); w.Kind == CronJobs && failed != nil {
		h := failed.hitch(string(batchv1.JobFailed))
		lines = append(lines, failed.Name+" failed "+ago(m.Now, h.Since)+": "+orNothing(h.Message))
	}
	if ills := w.ills(m); len(ills.pods) > 0 && (w.Ready < w.Desired || ills.worst() >= podOverdue) {
		p := ills.pods[0].Pod
		lines = append(lines, p.Name+": "+p.Diagnosis(m)[0])
	}
	return append(lines, late...)
}

func orNothing(message string) string {
	if message == "" {
		return "the API gives no reason"
	}
	return message
}

// stands says how the workload stands, in numbers.
func (w *Workload) stands(m Moment) string {
	switch w.Kind {
	case Jobs:
		return w.jobStands(m)
	case CronJobs:
		return w.cronJobStands(m)
	case Autoscalers:
		return w.scalerStands()
	case Budgets:
		return fmt.Sprintf("%d of %s healthy, %d needed (%s): %d may go",
			w.Ready, count(int(w.Desired), "pod"), w.Budget.Needed, w.Budget.Rule, w.Budget.Allowed)
	default:
		return w.setStands()
	}
}

// setStands is that of what has pods of which a number should be ready.
func (w *Workload) setStands() string {
	parts := []string{fmt.Sprintf("%d of %d ready, %d available", w.Ready, w.Desired, w.Available)}
	if w.Kind != ReplicaSets {
		parts = append(parts, strconv.Itoa(int(w.Updated))+" updated")
	}
	if w.Policy != "" {
		parts = append(parts, w.Policy)
	}
	switch {
	case w.owned():
		parts = append(parts, "its Deployment "+w.OwnerName+" decides on it")
	case w.Set != nil && w.Set.Ordered && w.Current < w.Desired:
		parts = append(parts, "each pod waits for the ones before it")
	}
	if w.Unobserved {
		parts = append(parts, "its controller has not seen the newest change yet")
	}
	return strings.Join(parts, "; ")
}

func (w *Workload) jobStands(m Moment) string {
	parts := []string{fmt.Sprintf("%d of %d succeeded, %d active, %d failed", w.Ready, w.Desired, w.Run.Active, w.Run.Failed)}
	if w.Run.Parallel > 1 {
		parts[0] = fmt.Sprintf("%d succeeded, %d active, %d failed; a work queue of %d pods",
			w.Ready, w.Run.Active, w.Run.Failed, w.Run.Parallel)
	}
	if done := w.Run.Complete; !done.IsZero() {
		parts = append(parts, "complete "+ago(m.Now, done))
	}
	if w.OwnerName != "" {
		parts = append(parts, "of "+w.OwnerKind+" "+w.OwnerName)
	}
	return strings.Join(parts, "; ")
}

func (w *Workload) cronJobStands(m Moment) string {
	parts := []string{"runs at " + w.Schedule.Cron}
	switch last := w.Schedule.Last; {
	case last.IsZero():
		parts = append(parts, "has never run")
	default:
		parts = append(parts, "last "+ago(m.Now, last))
	}
	if done := w.Schedule.LastSuccess; !done.IsZero() {
		parts = append(parts, "last success "+ago(m.Now, done))
	} else if !w.Schedule.Last.IsZero() {
		parts = append(parts, "no success known")
	}
	return strings.Join(append(parts, strconv.Itoa(int(w.Ready))+" active"), ", ")
}

func (w *Workload) scalerStands() string {
	s := fmt.Sprintf("scales %s %s between %d and %d: %d there, %d wanted",
		w.Scaler.TargetKind, w.Scaler.TargetName, w.Scaler.Min, w.Scaler.Max, w.Ready, w.Desired)
	if w.Scaler.Metric != "" {
		s += "; " + w.Scaler.Metric
	}
	if _, why, ok := strings.Cut(w.WantsText(), ": "); ok && w.Desired != w.Ready {
		s += ", so " + why
	}
	return s
}
