package kube

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
)

const (
	// jobMemory is how long a failed Job is news.
	jobMemory = 24 * time.Hour
	// removalAllowance is how long a deletion may take that waits for finalizers before it counts as held up.
	removalAllowance = time.Minute
)

// The ranks of workloads, best first.
const (
	workFine     uint8 = 0
	workLeftover uint8 = 5  // a Job that failed a while ago
	workHeld     uint8 = 10 // paused, suspended, switched off
	workOwned    uint8 = 11 // a ReplicaSet that is not well: its Deployment tells why
	workMoving   uint8 = 12 // a rollout, or pods that are just starting
	workLeaving  uint8 = 13 // nothing is missing, but a pod that was to go is still there
	workLimited  uint8 = 14 // an autoscaler at its maximum, a budget that by its own numbers lets no pod go
	workTrouble  uint8 = 25 // nothing is missing, but a pod fails, or a deletion does not end
	workFailed   uint8 = 35 // a run has failed
	workShort    uint8 = 40 // fewer pods are ready than should be, or a budget lets none go because of that
	workStuck    uint8 = 50 // the controller itself says that it cannot go on
	workDown     uint8 = 70 // nothing is ready of what should be
)

func workloadSeverity(rank uint8) Severity {
	switch {
	case rank >= workDown:
		return Bad
	case rank >= workTrouble:
		return Warning
	case rank >= workHeld:
		return Notice
	}
	return OK
}

// Severity says how the workload is shown.
func (w *Workload) Severity(m Moment) Severity {
	rank, _ := w.Badness(m)
	return workloadSeverity(rank)
}

// Badness ranks a workload among all workloads: the higher, the worse. until is when the rank changes by the passing of
// time alone, zero if never.
func (w *Workload) Badness(m Moment) (rank uint8, until time.Time) {
	rank, until = w.ownBadness(m)
	if w.Deletion == nil {
		return rank, until
	}
	if w.Deletion.Finalizers == "" {
		return workHeld, time.Time{}
	}
	return turns(m.Now, w.Deletion.At.Add(removalAllowance), workHeld, workTrouble)
}

// ownBadness is Badness without regard to a deletion.
func (w *Workload) ownBadness(m Moment) (uint8, time.Time) {
	switch w.Kind {
	case Jobs:
		return w.jobBadness(m)
	case CronJobs:
		switch {
		case w.Paused:
			return workHeld, time.Time{}
		case w.lastRunFailed(m) != nil:
			return workFailed, time.Time{}
		}
		return workFine, time.Time{}
	case Autoscalers:
		return w.scalerBadness(), time.Time{}
	case Budgets:
		return w.budgetBadness(), time.Time{}
	default:
		rank, until := w.setBadness(m)
		if w.owned() {
			rank = min(rank, workOwned)
		}
		return rank, until
	}
}

// setBadness is that of what has pods of which a number should be ready.
func (w *Workload) setBadness(m Moment) (uint8, time.Time) {
	ills := w.ills(m)
	short := w.Desired - w.Ready
	switch {
	case short > 0 && w.Ready == 0 && !ills.allStarting(short):
		young := w.Created.Add(startAllowance)
		if ills.worst() >= podRestarted {
			young = time.Time{}
		}
		rank, until := turns(m.Now, young, workMoving, workDown)
		return rank, sooner(until, ills.until)
	case w.stuck():
		return workStuck, ills.until
	case short > 0 && ills.allStarting(short):
		if w.Ready > 0 {
			return workMoving, ills.until
		}
		rank, until := turns(m.Now, w.Created.Add(startAllowance), workMoving, workShort)
		return rank, sooner(until, ills.until)
	case short > 0:
		return workShort, ills.until
	case ills.worst() >= podNotReady:
		return workTrouble, ills.until
	case ills.worst() >= podOverdue:
		return workLeaving, ills.until
	case w.Paused:
		return workHeld, ills.until
	case w.Updated < w.Due || w.Kind&(StatefulSets|Deployments|DaemonSets) != 0 && w.Available < w.Desired:
		return workMoving, ills.until
	}
	return workFine, ills.until
}

// stuck reports whether the controller says that it cannot go on.
func (w *Workload) stuck() bool {
	return w.hitch(string(appsv1.DeploymentReplicaFailure)) != nil || w.hitch(string(appsv1.DeploymentProgressing)) != nil
}

func (w *Workload) jobBadness(m Moment) (uint8, time.Time) {
	if failed := w.hitch(string(batchv1.JobFailed)); failed != nil {
		return turns(m.Now, failed.Since.Add(jobMemory), workFailed, workLeftover)
	}
	switch ills := w.ills(m); {
	case !w.Run.Complete.IsZero():
		return workFine, time.Time{}
	case w.Paused:
		return workHeld, time.Time{}
	case ills.worst() >= podRestarted:
		return workShort, ills.until
	default:
		return workFine, ills.until
	}
}

// lastRunFailed is the newest Job of a CronJob that has ended, if it has failed; nil otherwise.
func (w *Workload) lastRunFailed(m Moment) *Workload {
	if w.Kind != CronJobs {
		return nil
	}
	var last *Workload
	for _, job := range m.Runs[w.identity()] {
		if !job.finished().IsZero() && (last == nil || job.Created.After(last.Created)) {
			last = job
		}
	}
	if last == nil || last.hitch(string(batchv1.JobFailed)) == nil {
		return nil
	}
	return last
}

func (w *Workload) scalerBadness() uint8 {
	active := w.hitch(string(autoscalingv2.ScalingActive))
	switch {
	case w.hitch(string(autoscalingv2.AbleToScale)) != nil:
		return workStuck
	case active != nil && active.Reason != "ScalingDisabled":
		return workStuck
	case active != nil:
		return workHeld
	case w.atMost():
		return workLimited
	}
	return workFine
}

// atMost reports whether an autoscaler wants more than its maximum. One whose minimum is its maximum always does, or less.
func (w *Workload) atMost() bool {
	limited := w.hitch(string(autoscalingv2.ScalingLimited))
	return limited != nil && limited.Reason == "TooManyReplicas" && w.Scaler.Min != w.Scaler.Max
}

func (w *Workload) budgetBadness() uint8 {
	switch {
	case w.hitch(policyv1.DisruptionAllowedCondition) != nil:
		return workStuck
	case w.Desired == 0 || w.Budget.Allowed > 0:
		return workFine
	case w.Ready < w.Desired:
		return workShort
	}
	return workLimited
}

// sooner is the earlier of two times, of which either may be never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
