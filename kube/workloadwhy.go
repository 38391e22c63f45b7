package kube

import (
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Why is the WHY column: in a few words what keeps the workload from being as it should, from its pods where they tell and
// from the object where it does. "-" if nothing does.
func (w *Workload) Why(m Moment) string {
	if why := w.reason(m); why != "" {
		return why
	}
	return "-"
}

// unobserved is said of what has no numbers yet: its controller counts what there is to count.
const unobserved = "its controller has not seen it yet"

func (w *Workload) reason(m Moment) string {
	switch {
	case w.Deletion != nil:
		return w.Deletion.text()
	case w.Kind == Jobs:
		return w.jobWhy(m)
	case w.Kind == CronJobs:
		return w.cronJobWhy(m)
	case w.Kind == Autoscalers:
		return w.scalerWhy()
	case w.Kind == Budgets:
		return w.budgetWhy()
	}
	return w.setWhy(m)
}

// text says what a deletion waits for. The garbage collector's own finalizers are put into words.
func (r *Removal) text() string {
	switch r.Finalizers {
	case "":
		return "being deleted"
	case metav1.FinalizerDeleteDependents:
		return "being deleted: waits for what it owns"
	case metav1.FinalizerOrphanDependents:
		return "being deleted: sets free what it owns"
	}
	if strings.Contains(r.Finalizers, ", ") {
		return "being deleted: waits for finalizers " + r.Finalizers
	}
	return "being deleted: waits for finalizer " + r.Finalizers
}

// setWhy is that of what has pods of which a number should be ready.
func (w *Workload) setWhy(m Moment) string {
	var parts []string
	pods := w.podsWhy(m)
	if failure := w.hitch(string(appsv1.DeploymentReplicaFailure)); failure != nil {
		parts = append(parts, "cannot create pods: "+refusal(failure.Message, failure.Reason))
	}
	switch {
	case len(parts) > 0 || pods != "":
		parts = append(parts, pods)
	case w.Ready < w.Desired:
		parts = append(parts, w.missing())
	}
	if w.hitch(string(appsv1.DeploymentProgressing)) != nil && (w.Updated < w.Due || len(parts) == 0) {
		parts = append(parts, fmt.Sprintf("rollout stands at %d of %d", w.Updated, w.Due))
	}
	if w.Paused {
		parts = append(parts, "paused")
	}
	switch {
	case w.Updated < w.Due && len(parts) == 0:
		parts = append(parts, w.rollout())
	case len(parts) == 0 && w.Desired == 0 && w.Kind != DaemonSets:
		return "scaled to 0"
	case len(parts) == 0 && w.Desired == 0 && w.Unobserved:
		return unobserved
	case len(parts) == 0 && w.Desired == 0:
		return "no node wants it"
	case len(parts) == 0 && w.Kind&(Deployments|StatefulSets|DaemonSets) != 0 && w.Available < w.Desired:
		parts = append(parts, count(int(w.Desired-w.Available), "pod")+" ready, not long enough to count")
	}
	return joined(parts)
}

// podsWhy is what the pods tell: the two worst groups of those that are not well. Of a set with all its pods ready only what
// is really wrong counts: replaced pods come and go.
func (w *Workload) podsWhy(m Moment) string {
	ills := w.ills(m)
	if len(ills.pods) == 0 || w.Ready >= w.Desired && ills.worst() < podOverdue {
		return ""
	}
	if wait := w.waitsFor(ills, m); wait != "" {
		return wait
	}
	if w.Ready >= w.Desired && ills.worst() < podNotReady {
		return leaving(ills)
	}
	groups := ills.groups(w, m)
	if len(groups) > 2 {
		return strings.Join(groups[:2], ", ") + ", …"
	}
	return strings.Join(groups, ", ")
}

// leaving says which pods should have gone by now, where all that should be there are.
func leaving(s ills) string {
	n, nodes := 0, map[string]struct{}{}
	for _, p := range s.pods {
		if p.rank >= podOverdue {
			n++
			nodes[p.Node] = struct{}{}
		}
	}
	out := strconv.Itoa(n) + " stuck terminating"
	for node := range nodes {
		if len(nodes) == 1 && node != "" {
			return out + " on " + node
		}
	}
	return out
}

// waitsFor says which pod the others of a StatefulSet wait for: with OrderedReady nothing goes on before the pods of lower
// ordinals are ready (domain of pkg/controller/statefulset/stateful_set_control.go). "" if none waits.
func (w *Workload) waitsFor(s ills, m Moment) string {
	waiting := max(w.Desired-w.Current, w.Due-w.Updated-int32(len(s.pods)))
	if w.Set == nil || !w.Set.Ordered || waiting <= 0 {
		return ""
	}
	first := s.pods[0]
	for _, p := range s.pods {
		if compareOrdinals(p.Name, first.Name) < 0 {
			first = p
		}
	}
	c := first.cause(m)
	if first.rank < podRestarted || c.what == causeUnready {
		return "waits for " + first.Name + " (OrderedReady)"
	}
	return c.named(first) + "; " + strconv.Itoa(int(waiting)) + " wait"
}

// missing says how many pods are not ready, when the pods themselves do not.
func (w *Workload) missing() string {
	switch absent := w.Desired - w.Current; {
	case absent > 0 && w.Kind == StatefulSets && w.Set.Ordered && absent == w.Desired-w.Ready:
		return w.Name + "-" + strconv.Itoa(int(w.Set.Start+w.Current)) + " is not made yet"
	case absent > 0:
		return strconv.Itoa(int(absent)) + " of " + count(int(w.Desired), "pod") + " not made yet"
	}
	return strconv.Itoa(int(w.Desired-w.Ready)) + " not ready"
}

// rollout says how far the newest revision has come.
func (w *Workload) rollout() string {
	return fmt.Sprintf("rollout: %d of %d updated", w.Updated, w.Due)
}

// refusal is why a pod could not be created: what the server said, without the name of the pod and what it says before
// everything. reason is said where there is no message.
func refusal(message, reason string) string {
	if message == "" {
		return reason
	}
	for _, before := range [...]string{" is forbidden: ", "Internal error occurred: "} {
		if _, after, ok := strings.Cut(message, before); ok {
			message = after
		}
	}
	return message
}

func (w *Workload) jobWhy(m Moment) string {
	if failed := w.hitch(string(batchv1.JobFailed)); failed != nil {
		return "failed: " + failed.Reason
	}
	if !w.Run.Complete.IsZero() {
		return ""
	}
	ills := w.ills(m)
	switch {
	case w.Paused:
		return "suspended"
	case ills.worst() >= podRestarted:
		return joined(firstTwo(ills.groups(w, m)))
	case w.Run.Active > 0:
		return "runs" + activeText(w.Run.Active)
	case w.Run.Failed > 0:
		return count(int(w.Run.Failed), "pod") + " failed, the next is to come"
	}
	return "not started yet"
}

func firstTwo(groups []string) []string { return groups[:min(2, len(groups))] }

func activeText(n int32) string {
	if n == 1 {
		return ""
	}
	return ", " + strconv.Itoa(int(n)) + " pods"
}

func (w *Workload) cronJobWhy(m Moment) string {
	var parts []string
	if w.Paused {
		parts = append(parts, "suspended")
	}
	if failed := w.lastRunFailed(m); failed != nil {
		parts = append(parts, "last run failed: "+failed.hitch(string(batchv1.JobFailed)).Reason)
	}
	if len(parts) == 0 && w.Ready > 0 {
		parts = append(parts, "runs"+jobsText(w.Ready))
	}
	return joined(parts)
}

func jobsText(n int32) string {
	if n == 1 {
		return ""
	}
	return ", " + strconv.Itoa(int(n)) + " jobs"
}

func (w *Workload) scalerWhy() string {
	able, active := w.hitch(string(autoscalingv2.AbleToScale)), w.hitch(string(autoscalingv2.ScalingActive))
	switch {
	case able != nil && able.Reason == "FailedGetScale":
		return "cannot read " + w.Scaler.TargetKind + " " + w.Scaler.TargetName + ": FailedGetScale"
	case able != nil:
		return "cannot scale: " + able.Reason
	case active != nil && active.Reason == "ScalingDisabled":
		return "off: its target is scaled to 0"
	case active != nil:
		return "cannot read its metric: " + active.Reason
	case w.atMost() && w.Scaler.Metric != "":
		return "at max, " + w.Scaler.Metric
	case w.atMost():
		return "at max"
	}
	return ""
}

func (w *Workload) budgetWhy() string {
	failed := w.hitch(policyv1.DisruptionAllowedCondition)
	switch {
	case failed != nil:
		return "not computed: " + refusal(failed.Message, failed.Reason)
	case w.Desired == 0 && w.Unobserved:
		return unobserved
	case w.Desired == 0:
		return "no pods match"
	case w.Budget.Allowed > 0:
		return ""
	}
	return fmt.Sprintf("allows 0: %d healthy, %s", w.Ready, w.needs())
}

// needs is how many pods of a budget must be healthy: as it says itself, unless that is a share of them.
func (w *Workload) needs() string {
	if rule := w.Budget.Rule; strings.HasPrefix(rule, "min ") && !strings.HasSuffix(rule, "%") {
		return rule
	}
	return "needs " + strconv.Itoa(int(w.Budget.Needed))
}

// joined puts what there is to say into one line.
func joined(parts []string) string {
	out := parts[:0]
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "; ")
}
