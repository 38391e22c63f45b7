package kube

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// startAllowance is how long a pod may take to be scheduled, to create its containers or to become ready for the first
	// time before it counts as slow.
	startAllowance = 60 * time.Second
	// restartMemory is how long a restart after a failure is remembered against a pod that runs again.
	restartMemory = 10 * time.Minute
	// failedMemory is how long a pod that has ended badly is news.
	failedMemory = time.Hour
	// killAllowance is what a kubelet needs to report the end of a pod that has used all of its grace period.
	killAllowance = 5 * time.Second
)

// The ranks of pods, best first: the order of badness that an operator reads from top to bottom, turned round.
const (
	podFine      uint8 = 0
	podLeftover  uint8 = 5  // ended badly a while ago: its controller has long decided
	podHeld      uint8 = 10 // held by scheduling gates, or being deleted and within its grace period
	podRestarted uint8 = 20 // runs again after a failure
	podFailed    uint8 = 25 // ended badly just now, but has a controller to replace it
	podHistory   uint8 = 30 // the kubelet of its node is silent: nobody knows
	podOverdue   uint8 = 40 // should be gone
	podNotReady  uint8 = 50 // runs, but gets no traffic
	podSlow      uint8 = 60 // has not started in time
	podInit      uint8 = 70 // an init container fails
	podBroken    uint8 = 80 // a container fails, or its image cannot be had, or it has ended badly and nobody replaces it
)

// Badness ranks a pod among all pods: the higher, the worse. until is when the rank changes by the passing of time alone,
// zero if never.
func (p *Pod) Badness(m Moment) (rank uint8, until time.Time) {
	rank, until = p.ownBadness(m.Now)
	if p.history(m) && rank < podHistory {
		rank = podHistory
	}
	return rank, until
}

// Severity says how the pod is shown.
func (p *Pod) Severity(m Moment) Severity {
	rank, _ := p.Badness(m)
	return podSeverity(rank)
}

func podSeverity(rank uint8) Severity {
	switch {
	case rank >= podInit:
		return Bad
	case rank >= podRestarted:
		return Warning
	case rank >= podHeld:
		return Notice
	}
	return OK
}

// Since is when the pod came into its present state, zero if that is not known. On a silent node it is when the node was
// declared so.
func (p *Pod) Since(m Moment) time.Time {
	if p.history(m) && !p.Deleting() {
		return m.Nodes[p.Node].SilentSince
	}
	return p.StateSince
}

// ownBadness is Badness without regard to the node.
func (p *Pod) ownBadness(now time.Time) (uint8, time.Time) {
	switch {
	case p.Deleting():
		return turns(now, p.Deletion.At.Add(killAllowance), podHeld, podOverdue)
	case p.Completed():
		return podFine, time.Time{}
	case p.Phase == corev1.PodFailed:
		return p.failedBadness(now)
	case p.initFails():
		return podInit, time.Time{}
	case p.fails():
		return podBroken, time.Time{}
	case p.Status == corev1.PodReasonSchedulingGated:
		return podHeld, time.Time{}
	case p.Phase == corev1.PodPending:
		return turns(now, p.StateSince.Add(startAllowance), podFine, podSlow)
	case p.notReady() && p.NeverReady && p.Restarts == 0:
		return turns(now, p.StateSince.Add(startAllowance), podFine, podNotReady)
	case p.notReady():
		return podNotReady, time.Time{}
	case p.Restarts > 0 && p.why().ExitCode != 0:
		return turns(now, p.LastRestart.Add(restartMemory), podRestarted, podFine)
	}
	return podFine, time.Time{}
}

func (p *Pod) failedBadness(now time.Time) (uint8, time.Time) {
	fresh := podFailed
	if p.Bare {
		fresh = podBroken
	}
	return turns(now, p.StateSince.Add(failedMemory), fresh, podLeftover)
}

// turns is one rank before a time and another from then on.
func turns(now, at time.Time, before, after uint8) (uint8, time.Time) {
	if now.Before(at) {
		return before, at
	}
	return after, time.Time{}
}

// notReady reports whether a running pod gets no traffic: a container that has not ended well is not ready, or all are
// and the pod is not, because of a readiness gate or the node controller.
func (p *Pod) notReady() bool {
	return p.Ready+p.Done < p.Containers || p.Ready == p.Containers && p.Unready
}

// initFails reports whether the status says that an init container fails, and not just how far initialising has come.
func (p *Pod) initFails() bool {
	reason, ok := strings.CutPrefix(p.Status, "Init:")
	return ok && (reason == "" || reason[0] < '0' || reason[0] > '9') && !startingReason(reason)
}

// fails reports whether the status is that of a failing container. What kubectl prints there is free text, so whatever is
// not known to be well is a failure.
func (p *Pod) fails() bool {
	switch p.Status {
	case "", string(corev1.PodPending), string(corev1.PodRunning), string(corev1.PodUnknown), "NotReady", "Completed",
		"ExitCode:0", "Terminating", corev1.PodReasonSchedulingGated:
		return false
	}
	return !startingReason(p.Status) && !strings.HasPrefix(p.Status, "Init:")
}

// startingReason reports whether a container waits for this reason as a matter of course.
func startingReason(reason string) bool {
	return reason == "ContainerCreating" || reason == "PodInitializing" || reason == "Completed"
}
