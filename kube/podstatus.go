package kube

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// nodeLost is the status.reason of a pod whose node could not be reached (NodeUnreachablePodReason of
// pkg/util/node/node.go); nothing writes it any more, but old objects still carry it.
const nodeLost = "NodeLost"

// PodStatus gives the columns STATUS, READY (ready of total) and RESTARTS of `kubectl get pods`. The status is not
// sanitised: reasons are free text. lastRestart is the latest end of an earlier run of a container, zero if none is known.
//
// It is printPod of pkg/printers/internalversion/printers.go, the same in Kubernetes 1.36.3 and 1.37.1, step by step.
func PodStatus(pod *corev1.Pod) (status string, ready, total int, restarts int, lastRestart time.Time) {
	w := statusWalk{pod: pod, status: plainStatus(pod)}
	initializing := w.initContainers()
	if !initializing || conditionTrue(pod, corev1.PodInitialized) {
		w.appContainers()
	}
	if pod.DeletionTimestamp != nil {
		switch {
		case pod.Status.Reason == nodeLost:
			w.status = "Unknown"
		case !terminalPhase(pod.Status.Phase):
			w.status = "Terminating"
		}
	}
	return w.status, w.ready, len(pod.Spec.Containers) + sidecars(pod), w.restarts, w.last
}

// restartsText is the RESTARTS column: the count, and when the latest restart was if there was one.
func restartsText(restarts int, last, now time.Time) string {
	count := strconv.Itoa(restarts)
	if restarts == 0 || last.IsZero() {
		return count
	}
	return count + " (" + duration.HumanDuration(now.Sub(last)) + " ago)"
}

// statusWalk is what printPod has gathered so far.
type statusWalk struct {
	pod      *corev1.Pod
	status   string
	ready    int
	restarts int
	last     time.Time // latest end of an earlier run, over the containers counted in restarts

	sidecarRestarts int
	sidecarLast     time.Time
}

// plainStatus is the status of a pod before its containers have been asked.
func plainStatus(pod *corev1.Pod) string {
	status := string(pod.Status.Phase)
	if pod.Status.Reason != "" {
		status = pod.Status.Reason
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			status = corev1.PodReasonSchedulingGated
		}
	}
	return status
}

// initContainers walks the init containers up to the first that has not finished, and reports whether there is one.
func (w *statusWalk) initContainers() bool {
	for i := range w.pod.Status.InitContainerStatuses {
		c := &w.pod.Status.InitContainerStatuses[i]
		w.restarts += int(c.RestartCount)
		w.last = later(w.last, c)
		sidecar := isSidecar(w.pod, c.Name)
		if sidecar {
			w.sidecarRestarts += int(c.RestartCount)
			w.sidecarLast = later(w.sidecarLast, c)
		}
		if initDone(c, sidecar) {
			if c.Ready && !endedWell(c) {
				w.ready++
			}
			continue
		}
		w.status = "Init:" + initReason(c, i, len(w.pod.Spec.InitContainers))
		return true
	}
	return false
}

// initDone reports whether the containers after this init container may start: it has ended well, or it is a sidecar
// that has started.
func initDone(c *corev1.ContainerStatus, sidecar bool) bool {
	return endedWell(c) || sidecar && c.Started != nil && *c.Started
}

func endedWell(c *corev1.ContainerStatus) bool {
	return c.State.Terminated != nil && c.State.Terminated.ExitCode == 0
}

func initReason(c *corev1.ContainerStatus, index, total int) string {
	switch {
	case c.State.Terminated != nil:
		return terminatedReason(c.State.Terminated)
	case waits(c) && c.State.Waiting.Reason != "PodInitializing":
		return c.State.Waiting.Reason
	}
	return strconv.Itoa(index) + "/" + strconv.Itoa(total)
}

// appContainers walks the containers backwards, so that the first one's reason wins. Restarts of init containers that
// run to completion do not count any more.
func (w *statusWalk) appContainers() {
	w.restarts, w.last = w.sidecarRestarts, w.sidecarLast
	running, failure := false, ""
	for i := len(w.pod.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := &w.pod.Status.ContainerStatuses[i]
		w.restarts += int(c.RestartCount)
		w.last = later(w.last, c)
		switch {
		case waits(c):
			w.status = c.State.Waiting.Reason
		case c.State.Terminated != nil:
			w.status = terminatedReason(c.State.Terminated)
			if c.State.Terminated.ExitCode != 0 {
				failure = w.status
			}
		case c.Ready && c.State.Running != nil:
			running = true
			w.ready++
		}
	}
	if w.status == "Completed" {
		w.status = completedStatus(w.pod, running, failure)
	}
}

// completedStatus is the status of a pod whose first container to speak has completed.
func completedStatus(pod *corev1.Pod, running bool, failure string) string {
	switch {
	case running && conditionTrue(pod, corev1.PodReady):
		return "Running"
	case failure != "":
		return failure
	case running:
		return "NotReady"
	}
	return "Completed"
}

func terminatedReason(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return "Signal:" + strconv.Itoa(int(t.Signal))
	}
	return "ExitCode:" + strconv.Itoa(int(t.ExitCode))
}

func waits(c *corev1.ContainerStatus) bool {
	return c.State.Waiting != nil && c.State.Waiting.Reason != ""
}

// later gives the later of last and the end of the container's run before this one.
func later(last time.Time, c *corev1.ContainerStatus) time.Time {
	if t := c.LastTerminationState.Terminated; t != nil && t.FinishedAt.After(last) {
		return t.FinishedAt.Time
	}
	return last
}

// isSidecar reports whether the init container of that name is a restartable one (KEP-753).
func isSidecar(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return restartable(&pod.Spec.InitContainers[i])
		}
	}
	return false
}

func restartable(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func sidecars(pod *corev1.Pod) int {
	n := 0
	for i := range pod.Spec.InitContainers {
		if restartable(&pod.Spec.InitContainers[i]) {
			n++
		}
	}
	return n
}

func terminalPhase(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

// condition gives the pod's condition of that type, nil if it has none.
func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

func conditionTrue(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	c := condition(pod, kind)
	return c != nil && c.Status == corev1.ConditionTrue
}
