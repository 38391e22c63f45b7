package kube

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Evidence is what a pod's row keeps, beyond its columns, to say why the pod is as it is. Strings are sanitised, and
// messages take at most 200 cells.
type Evidence struct {
	StatusReason  string // status.reason: Evicted, NodeLost, UnexpectedAdmissionError, …
	Message       string // the API's own text: of the wait, the exit, the scheduler or the status, whichever tells
	NotReady      string // names of the containers that are not ready and have not ended well, ", " between
	Finalizers    string // of a pod that is being deleted, ", " between
	SchedulerSays string // reason of PodScheduled=False: Unschedulable, SchedulingGated, …; "" if no scheduler has spoken
	Scheduler     string // name of the scheduler that is meant to place the pod, if it is not the default one
	GatedBy       string // scheduling gates, ", " between
	NominatedNode string

	// The container that explains the status: the one whose reason kubectl prints, or else the one that is not ready, or
	// else the one that restarted last.
	Container  string
	Image      string // its image, if it waits
	Waiting    string // reason of its waiting state
	ExitReason string // reason of its last exit: Error, OOMKilled, Completed, …
	Finished   time.Time
	Ran        time.Duration // how long the run before that exit lasted, 0 if not known
	Backoff    time.Duration // how long after Finished the kubelet starts it again, 0 if not known
	MemLimit   int64         // its memory limit in bytes, 0 for none
	ExitCode   int32
	Signal     int32
	Step       int32 // its place among the init containers, from 1; 0 for an app container or a sidecar that has started
	Steps      int32 // init containers in all, if Step is set
	Exited     bool  // it has an exit to tell of: ExitReason to Signal are set
	Starting   bool  // its startup probe has not passed yet
	Sandboxed  bool  // the pod has its sandbox and network (PodReadyToStartContainers, KEP-3085)
}

// why gives the evidence, empty if there is none.
func (p *Pod) why() Evidence {
	if p.Why == nil {
		return Evidence{}
	}
	return *p.Why
}

// evidence gathers what there is to tell of a pod, nil if its columns say it all.
func evidence(pod *corev1.Pod, p *Pod) *Evidence {
	if p.quiet() && pod.Status.Reason == "" && pod.Status.Message == "" && pod.Status.NominatedNodeName == "" {
		return nil
	}
	e := &Evidence{
		StatusReason:  shared(pod.Status.Reason),
		Message:       gist(pod.Status.Message),
		NominatedNode: shared(pod.Status.NominatedNodeName),
		Sandboxed:     conditionTrue(pod, corev1.PodReadyToStartContainers),
	}
	if p.Deleting() {
		e.Finalizers = gist(strings.Join(pod.Finalizers, ", "))
	}
	if !p.Scheduled {
		e.scheduling(pod)
	}
	if !p.Terminal() {
		e.NotReady = gist(strings.Join(notReady(pod), ", "))
	}
	if c, step := culprit(pod); c != nil {
		e.container(pod, c, step)
	}
	if p.Completed() && !p.Deleting() && e.StatusReason == "" && e.Message == "" && e.NominatedNode == "" {
		return nil
	}
	return e
}

// quiet reports whether the pod runs, all of it ready, and always has.
func (p *Pod) quiet() bool {
	return p.Phase == corev1.PodRunning && p.Ready == p.Containers && !p.Unready && p.Restarts == 0 && !p.Deleting()
}

// scheduling says why a pod has no node.
func (e *Evidence) scheduling(pod *corev1.Pod) {
	if name := pod.Spec.SchedulerName; name != corev1.DefaultSchedulerName {
		e.Scheduler = shared(name)
	}
	names := make([]string, 0, len(pod.Spec.SchedulingGates))
	for _, g := range pod.Spec.SchedulingGates {
		names = append(names, g.Name)
	}
	e.GatedBy = gist(strings.Join(names, ", "))
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status != corev1.ConditionTrue {
		e.SchedulerSays = shared(c.Reason)
		e.Message = gist(schedulerMessage(c.Message))
	}
}

// schedulerMessage cuts what the scheduler appends about dynamic claims and preemption (FitError of
// pkg/scheduler/framework): it repeats the reasons.
func schedulerMessage(s string) string {
	for _, end := range [...]string{". no new claims to deallocate", ". preemption:", ", preemption:"} {
		s, _, _ = strings.Cut(s, end)
	}
	return strings.TrimSuffix(s, ".")
}

// container says what became of one container.
func (e *Evidence) container(pod *corev1.Pod, c *corev1.ContainerStatus, step int) {
	spec, steps := containerSpec(pod, c.Name, step > 0)
	e.Container, e.Step, e.Steps = shared(c.Name), int32(step), int32(steps)
	e.Starting = c.State.Running != nil && c.Started != nil && !*c.Started
	if spec != nil {
		limit := spec.Resources.Limits[corev1.ResourceMemory]
		e.MemLimit = limit.Value()
	}
	message := ""
	if w := c.State.Waiting; w != nil {
		e.Waiting, message = shared(w.Reason), gist(pullCause(w.Message))
		e.Backoff = backoff(w.Message)
		e.Image = shared(imageOf(spec, c))
	}
	t := c.State.Terminated
	if t == nil {
		t = c.LastTerminationState.Terminated
	}
	if t != nil {
		e.exit(t)
		if m := lastWords(t.Message); m != "" && (message == "" || e.Waiting == "CrashLoopBackOff") {
			message = m
		} else if e.Waiting == "CrashLoopBackOff" {
			message = "" // the kubelet's text says no more than Backoff does
		}
	}
	if message != "" {
		e.Message = message
	}
}

func (e *Evidence) exit(t *corev1.ContainerStateTerminated) {
	e.Exited = true
	e.ExitCode, e.Signal, e.ExitReason = t.ExitCode, t.Signal, shared(t.Reason)
	e.Finished = t.FinishedAt.Time
	if !t.StartedAt.IsZero() && t.FinishedAt.After(t.StartedAt.Time) {
		e.Ran = t.FinishedAt.Sub(t.StartedAt.Time)
	}
}

// culprit picks the container that explains the status, in the order in which PodStatus looks at them. step is its
// place among the init containers, from 1, or 0 if it is not initialising the pod.
func culprit(pod *corev1.Pod) (c *corev1.ContainerStatus, step int) {
	c, step = stuckInit(pod)
	if c != nil && !conditionTrue(pod, corev1.PodInitialized) {
		return c, step
	}
	if app := tellingContainer(pod); app != nil {
		return app, 0
	}
	if c != nil {
		return c, step
	}
	return restartedLast(pod), 0
}

// stuckInit is the first init container that keeps the others from starting.
func stuckInit(pod *corev1.Pod) (*corev1.ContainerStatus, int) {
	for i := range pod.Status.InitContainerStatuses {
		c := &pod.Status.InitContainerStatuses[i]
		if !initDone(c, isSidecar(pod, c.Name)) {
			return c, i + 1
		}
	}
	return nil, 0
}

// tellingContainer is the first app container that has failed or waits, or else the first sidecar or app container that
// runs without being ready, or else the first that has ended.
func tellingContainer(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		c := &pod.Status.ContainerStatuses[i]
		if waits(c) || c.State.Terminated != nil && !endedWell(c) {
			return c
		}
	}
	for c := range lasting(pod) {
		if c.State.Running != nil && !c.Ready {
			return c
		}
	}
	for i := range pod.Status.ContainerStatuses {
		if c := &pod.Status.ContainerStatuses[i]; c.State.Terminated != nil {
			return c
		}
	}
	return nil
}

func restartedLast(pod *corev1.Pod) *corev1.ContainerStatus {
	var found *corev1.ContainerStatus
	var last time.Time
	for c := range lasting(pod) {
		if at := later(last, c); at.After(last) {
			found, last = c, at
		}
	}
	return found
}

// notReady names the containers that READY counts and that are neither ready nor ended with exit code 0.
func notReady(pod *corev1.Pod) []string {
	var names []string
	for c := range lasting(pod) {
		if !c.Ready && !endedWell(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

func containerSpec(pod *corev1.Pod, name string, init bool) (spec *corev1.Container, steps int) {
	list := pod.Spec.Containers
	if init {
		list, steps = pod.Spec.InitContainers, len(pod.Spec.InitContainers)
	}
	for i := range list {
		if list[i].Name == name {
			return &list[i], steps
		}
	}
	return nil, steps
}

func imageOf(spec *corev1.Container, c *corev1.ContainerStatus) string {
	if spec != nil {
		return spec.Image
	}
	return c.Image
}

// pullCause takes the last pull error out of an ImagePullBackOff message (pkg/kubelet/images/image_manager.go); other
// messages stay as they are.
func pullCause(s string) string {
	if !strings.HasPrefix(s, "Back-off pulling image") {
		return s
	}
	for _, reason := range [...]string{": ErrImagePull: ", ": RegistryUnavailable: ", ": SignatureValidationFailed: "} {
		if _, cause, ok := strings.Cut(s, reason); ok {
			return cause
		}
	}
	return s
}

// backoff is how long after the end of the last run the kubelet starts the container again, as it says itself (doBackOff
// of pkg/kubelet/kuberuntime/kuberuntime_manager.go); 0 if the message does not say.
func backoff(message string) time.Duration {
	rest, _ := strings.CutPrefix(message, "back-off ")
	wait, _, ok := strings.Cut(rest, " restarting failed container")
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(wait)
	if err != nil {
		return 0
	}
	return d
}
