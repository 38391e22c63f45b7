package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// pause is the plan that holds workloads, or lets them go on.
func (s *sheet) pause(on bool) *action.Plan {
	p := s.plan(nil)
	p.Tier, p.Watch = action.Ask, false
	change := 0
	var rows []action.Row
	for _, w := range s.workloads {
		if held(w.object) == on {
			continue
		}
		change++
		p.Kubectl = append(p.Kubectl, s.holding(w, on))
		rows = append(rows, w.meaning(s, on)...)
		if who := keeper(w.object); who != "" {
			rows = append(rows, line(kube.Warning, "%s: %s; its next sync may take this back", w.name(), who))
		}
	}
	name, back := words(s.target.Name()), map[bool]string{true: "resume", false: "pause"}[on]
	if change == 0 && len(s.refusals) == 0 {
		p.Headline, p.Refusals = s.already(name, on), []string{"there is nothing to do"}
		return p
	}
	p.Headline = s.holds(name, on)
	p.Facts = []action.Fact{{Name: "undo", Text: back}}
	if len(s.workloads) == 1 {
		for i, r := range rows {
			said := strings.TrimPrefix(r.Cells[0], s.workloads[0].name()+": ")
			p.Facts = slices.Insert(p.Facts, i, action.Fact{Name: "note", Severity: r.Severity, Text: said})
		}
	} else {
		add(p, plural(change, "workload"), "", rows)
	}
	p.Work = s.work(nil)
	return p
}

// already says that all are as they are to be.
func (s *sheet) already(name string, on bool) string {
	is, state := "is", heldWord(s.workloads[0].ref.Kind)
	if len(s.workloads) > 1 {
		is = "are"
	}
	for _, w := range s.workloads {
		if heldWord(w.ref.Kind) != state {
			state = "paused or suspended"
			break
		}
	}
	if on {
		return fmt.Sprintf("%s %s %s already.", name, is, state)
	}
	return fmt.Sprintf("%s %s not %s.", name, is, state)
}

// heldWord is how the API calls it.
func heldWord(k kube.Kinds) string {
	if k == kube.CronJobs {
		return "suspended"
	}
	return "paused"
}

// holds says what pausing or resuming does, in one sentence.
func (s *sheet) holds(name string, on bool) string {
	jobs := s.workloads != nil
	for _, w := range s.workloads {
		jobs = jobs && w.ref.Kind == kube.CronJobs
	}
	switch {
	case jobs && on:
		return name + " starts no more Jobs. Those that run go on."
	case jobs:
		return name + " starts Jobs again."
	case on:
		return name + " is paused: changes of its template are not rolled out. Its pods keep running."
	}
	return name + " goes on: what has changed in its template is rolled out now."
}

// meaning says what is to be known before one is held or let go on.
func (w *workload) meaning(s *sheet, on bool) []action.Row {
	switch o := w.object.(type) {
	case *appsv1.Deployment:
		return w.deploymentMeaning(o, on)
	case *batchv1.CronJob:
		if on {
			return w.suspended(o, s)
		}
		return w.missed(o, s)
	}
	return nil
}

func (w *workload) deploymentMeaning(d *appsv1.Deployment, on bool) []action.Row {
	if on {
		out := []action.Row{line(kube.OK,
			"%s: pods that end are still made again; restart and roll back are refused while it is paused", w.name())}
		if st := standing(d); !st.done {
			out = append(out, line(kube.Warning, "%s: its rollout stops where it is: %s", w.name(), st.note))
		}
		return out
	}
	n := orOne(d.Spec.Replicas)
	if old := n - d.Status.UpdatedReplicas; old > 0 && d.Generation <= d.Status.ObservedGeneration {
		return []action.Row{line(kube.Warning, "%s: %d of %s not of its present template: replaced now, %s",
			w.name(), old, text.Plural(int(n), "pod is", "pods are"), w.pace().words)}
	}
	return []action.Row{line(kube.OK, "%s: its pods are of its present template as far as its controller has said", w.name())}
}

// suspended says what goes on.
func (w *workload) suspended(c *batchv1.CronJob, s *sheet) []action.Row {
	out := []action.Row{line(kube.OK, "%s: schedule %s; last run %s", w.name(), schedule(c), lastRun(c, s))}
	if n := len(c.Status.Active); n > 0 {
		var jobs []string
		for _, j := range c.Status.Active {
			jobs = append(jobs, words(j.Name))
		}
		out = append(out, line(kube.Notice, "%s: %s: %s", w.name(), text.Plural(n, "Job goes on", "Jobs go on"), some(jobs, 3)))
	}
	return out
}

// missed says what becomes of the runs that were missed (mostRecentScheduleTime and syncCronJob of pkg/controller/cronjob,
// v1.36): the newest one starts at once, unless it is older than the deadline, or the concurrency policy is against it.
func (w *workload) missed(c *batchv1.CronJob, s *sheet) []action.Row {
	out := []action.Row{line(kube.OK, "%s: schedule %s; last run %s", w.name(), schedule(c), lastRun(c, s))}
	since := "since it was suspended"
	if at := suspendedAt(c); !at.IsZero() {
		since += " (" + clock(s.now, at) + ")"
	}
	begin := "if a run was missed " + since + ", the newest one starts at once"
	if d := c.Spec.StartingDeadlineSeconds; d != nil {
		begin = fmt.Sprintf("if a run was missed %s and in the last %d s, the newest one starts at once; older ones are lost "+
			"(startingDeadlineSeconds)", since, *d)
	}
	out = append(out, line(kube.Notice, "%s: %s", w.name(), begin))
	if n := len(c.Status.Active); n > 0 {
		switch c.Spec.ConcurrencyPolicy {
		case batchv1.ForbidConcurrent:
			out = append(out, line(kube.Notice, "%s: %s: no other starts before the end (Forbid)",
				w.name(), text.Plural(n, "Job runs", "Jobs run")))
		case batchv1.ReplaceConcurrent:
			out = append(out, line(kube.Warning, "%s: %s: the next run ends it (Replace)",
				w.name(), text.Plural(n, "Job runs", "Jobs run")))
		case batchv1.AllowConcurrent:
		}
	}
	return out
}

// suspendedAt is when a CronJob was suspended; zero if nobody knows. The server notes when a manager of fields has last
// changed any of its own (ManagedFieldsEntry.Time): that is the moment if suspend is its only one.
func suspendedAt(c *batchv1.CronJob) time.Time {
	for _, m := range c.ManagedFields {
		if m.FieldsV1 == nil || m.Time == nil || m.Subresource != "" {
			continue
		}
		owned := map[string]map[string]json.RawMessage{}
		err := json.Unmarshal(m.FieldsV1.GetRawBytes(), &owned)
		if _, its := owned["f:spec"]["f:suspend"]; err == nil && its && len(owned) == 1 && len(owned["f:spec"]) == 1 {
			return m.Time.Time
		}
	}
	return time.Time{}
}

// clock is a moment as a clock shows it, with its day if that is another one.
func clock(now, at time.Time) string {
	at = at.In(now.Location())
	if now.Format(time.DateOnly) == at.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

func schedule(c *batchv1.CronJob) string {
	out := words(c.Spec.Schedule)
	if z := c.Spec.TimeZone; z != nil && *z != "" {
		out += " " + words(*z)
	}
	return out
}

func lastRun(c *batchv1.CronJob, s *sheet) string {
	if c.Status.LastScheduleTime == nil {
		return "none since it was made " + text.Age(s.now, c.CreationTimestamp.Time) + " ago"
	}
	return text.Age(s.now, c.Status.LastScheduleTime.Time) + " ago"
}

// holding is kubectl's command: it has none of its own for CronJobs.
func (s *sheet) holding(w *workload, on bool) string {
	if w.ref.Kind == kube.CronJobs {
		return action.Kubectl(s.target.Context, "-n", w.ref.Namespace, "patch", "cronjob", w.ref.Name,
			"-p", fmt.Sprintf(`{"spec":{"suspend":%t}}`, on))
	}
	return s.kubectl(w, map[bool]string{true: "pause", false: "resume"}[on])
}
