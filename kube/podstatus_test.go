package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noon is the moment at which fixtures are looked at.
var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.FixedZone("JST", 9*60*60))

// before is a time as the API has it, so long before noon.
func before(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// part is a container of a fixture with what its status says.
type part struct {
	name     string
	sidecar  bool
	state    corev1.ContainerState
	last     corev1.ContainerState
	ready    bool
	started  *bool
	restarts int32
	unseen   bool // the kubelet has no status for it yet
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: before(time.Hour)}}
}

func exited(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}
}

func signalled(signal int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 128 + signal, Signal: signal}}
}

func exitedAt(code int32, ago time.Duration) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: before(ago)}}
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// podOf makes a pod of init containers, app containers and conditions that are True.
func podOf(phase corev1.PodPhase, inits, apps []part, conditions ...corev1.PodConditionType) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID = "web-0", "shop", "0a1b"
	pod.CreationTimestamp = before(time.Hour)
	pod.Spec.NodeName = "worker-01"
	pod.Spec.SchedulerName = corev1.DefaultSchedulerName
	pod.Status.Phase = phase
	always := corev1.ContainerRestartPolicyAlways
	add := func(p part, spec *[]corev1.Container, status *[]corev1.ContainerStatus) {
		c := corev1.Container{Name: p.name}
		if p.sidecar {
			c.RestartPolicy = &always
		}
		*spec = append(*spec, c)
		if !p.unseen {
			*status = append(*status, corev1.ContainerStatus{
				Name: p.name, State: p.state, LastTerminationState: p.last, Ready: p.ready, Started: p.started,
				RestartCount: p.restarts,
			})
		}
	}
	for _, p := range inits {
		add(p, &pod.Spec.InitContainers, &pod.Status.InitContainerStatuses)
	}
	for _, p := range apps {
		add(p, &pod.Spec.Containers, &pod.Status.ContainerStatuses)
	}
	for _, c := range conditions {
		pod.Status.Conditions = append(pod.Status.Conditions,
			corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: before(time.Hour)})
	}
	return pod
}

func withCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) *corev1.Pod {
	pod.Status.Conditions = append(pod.Status.Conditions,
		corev1.PodCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: before(time.Hour)})
	return pod
}

func withReason(pod *corev1.Pod, reason string) *corev1.Pod {
	pod.Status.Reason = reason
	return pod
}

func deleted(pod *corev1.Pod) *corev1.Pod {
	at := before(0)
	pod.DeletionTimestamp = &at
	return pod
}

func TestPodStatusSaysWhatKubectlSays(t *testing.T) {
	const (
		pending, running_     = corev1.PodPending, corev1.PodRunning
		succeeded, failed     = corev1.PodSucceeded, corev1.PodFailed
		initialized, readyPod = corev1.PodInitialized, corev1.PodReady
	)
	up := part{name: "app", state: running(), ready: true, started: yes()}
	creating := part{name: "app", state: waiting("PodInitializing")}
	tests := map[string]struct {
		pod             *corev1.Pod
		status          string
		ready, restarts string
	}{
		"no status at all":       {podOf(pending, nil, []part{{name: "app", unseen: true}}), "Pending", "0/1", "0"},
		"no phase":               {podOf("", nil, []part{{name: "app", unseen: true}}), "", "0/1", "0"},
		"unknown phase":          {podOf(corev1.PodUnknown, nil, []part{up}), "Unknown", "1/1", "0"},
		"creating":               {podOf(pending, nil, []part{{name: "app", state: waiting("ContainerCreating")}}), "ContainerCreating", "0/1", "0"},
		"running":                {podOf(running_, nil, []part{up}), "Running", "1/1", "0"},
		"running, not ready":     {podOf(running_, nil, []part{{name: "app", state: running()}}), "Running", "0/1", "0"},
		"ready but not running":  {podOf(running_, nil, []part{{name: "app", ready: true}}), "Running", "0/1", "0"},
		"waiting without reason": {podOf(pending, nil, []part{{name: "app", state: waiting("")}}), "Pending", "0/1", "0"},
		"scheduling gated": {
			withCondition(podOf(pending, nil, []part{{name: "app", unseen: true}}), corev1.PodScheduled, "False", "SchedulingGated"),
			"SchedulingGated", "0/1", "0",
		},
		"the gate wins over the reason": {
			withReason(withCondition(podOf(pending, nil, []part{{name: "app", unseen: true}}), corev1.PodScheduled, "False", "SchedulingGated"), "Odd"),
			"SchedulingGated", "0/1", "0",
		},
		"evicted": {withReason(podOf(failed, nil, []part{{name: "app", unseen: true}}), "Evicted"), "Evicted", "0/1", "0"},
		"a container's reason wins over the pod's": {
			withReason(podOf(failed, nil, []part{{name: "app", state: exited(137, "OOMKilled")}}), "Evicted"), "OOMKilled", "0/1", "0",
		},
		"completed":               {podOf(succeeded, nil, []part{{name: "app", state: exited(0, "Completed")}}), "Completed", "0/1", "0"},
		"error":                   {podOf(failed, nil, []part{{name: "app", state: exited(1, "Error")}}), "Error", "0/1", "0"},
		"exit code":               {podOf(failed, nil, []part{{name: "app", state: exited(3, "")}}), "ExitCode:3", "0/1", "0"},
		"exit code nought":        {podOf(succeeded, nil, []part{{name: "app", state: exited(0, "")}}), "ExitCode:0", "0/1", "0"},
		"signal":                  {podOf(failed, nil, []part{{name: "app", state: signalled(9)}}), "Signal:9", "0/1", "0"},
		"the first reason wins":   {podOf(running_, nil, []part{{name: "a", state: waiting("ImagePullBackOff")}, {name: "b", state: waiting("CrashLoopBackOff")}}), "ImagePullBackOff", "0/2", "0"},
		"a later reason is heard": {podOf(running_, nil, []part{up, {name: "b", state: waiting("CrashLoopBackOff")}}), "CrashLoopBackOff", "1/2", "0"},
		"one completed, one runs, pod ready": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, up}, readyPod), "Running", "1/2", "0",
		},
		"one completed, one runs, pod not ready": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, up}), "NotReady", "1/2", "0",
		},
		"one completed, one failed": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, {name: "b", state: exited(2, "Error")}}), "Error", "0/2", "0",
		},
		"one completed, one failed, one runs, pod ready": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, {name: "b", state: exited(2, "")}, up}, readyPod),
			"Running", "1/3", "0",
		},
		"one completed, one failed, one runs, pod not ready": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, {name: "b", state: exited(2, "")}, up}), "ExitCode:2", "1/3", "0",
		},
		"first failure of two": {
			podOf(running_, nil, []part{{name: "a", state: exited(0, "Completed")}, {name: "b", state: exited(2, "Error")}, {name: "c", state: exited(137, "OOMKilled")}}),
			"Error", "0/3", "0",
		},
		"a waiting container is ready by mistake": {
			podOf(running_, nil, []part{{name: "a", state: waiting("CrashLoopBackOff"), ready: true}}), "CrashLoopBackOff", "0/1", "0",
		},

		"init not reported":    {podOf(pending, []part{{name: "i", unseen: true}}, []part{creating}), "PodInitializing", "0/1", "0"},
		"init 0 of 2":          {podOf(pending, []part{{name: "i", state: running()}, {name: "j", state: waiting("PodInitializing")}}, []part{creating}), "Init:0/2", "0/1", "0"},
		"init 1 of 2":          {podOf(pending, []part{{name: "i", state: exited(0, "Completed")}, {name: "j", state: running()}}, []part{creating}), "Init:1/2", "0/1", "0"},
		"init without a state": {podOf(pending, []part{{name: "i"}}, []part{creating}), "Init:0/1", "0/1", "0"},
		"init 0 of 2 with a sidecar that starts": {
			podOf(pending, []part{{name: "s", sidecar: true, state: running(), started: no()}, {name: "j", state: waiting("PodInitializing")}}, []part{creating}),
			"Init:0/2", "0/2", "0",
		},
		"init 1 of 2 with a sidecar that has started": {
			podOf(pending, []part{{name: "s", sidecar: true, state: running(), started: yes()}, {name: "j", state: running()}}, []part{creating}),
			"Init:1/2", "0/2", "0",
		},
		"init 1 of 2 with a sidecar that is ready": {
			podOf(pending, []part{{name: "s", sidecar: true, state: running(), started: yes(), ready: true}, {name: "j", state: running()}}, []part{creating}),
			"Init:1/2", "1/2", "0",
		},
		"started does not help a plain init container": {
			podOf(pending, []part{{name: "i", state: running(), started: yes(), ready: true}}, []part{creating}), "Init:0/1", "0/1", "0",
		},
		"init crash loop":     {podOf(pending, []part{{name: "i", state: waiting("CrashLoopBackOff"), restarts: 3}}, []part{creating}), "Init:CrashLoopBackOff", "0/1", "3"},
		"init image":          {podOf(pending, []part{{name: "i", state: waiting("ErrImagePull")}}, []part{creating}), "Init:ErrImagePull", "0/1", "0"},
		"init error":          {podOf(pending, []part{{name: "i", state: exited(1, "Error")}}, []part{creating}), "Init:Error", "0/1", "0"},
		"init exit code":      {podOf(pending, []part{{name: "i", state: exited(2, "")}}, []part{creating}), "Init:ExitCode:2", "0/1", "0"},
		"init signal":         {podOf(pending, []part{{name: "i", state: signalled(15)}}, []part{creating}), "Init:Signal:15", "0/1", "0"},
		"init waits silently": {podOf(pending, []part{{name: "i", state: waiting("")}}, []part{creating}), "Init:0/1", "0/1", "0"},
		"restarts of init containers after the stuck one do not count": {
			podOf(pending, []part{{name: "i", state: waiting("CrashLoopBackOff"), restarts: 3}, {name: "j", restarts: 9}}, []part{creating}),
			"Init:CrashLoopBackOff", "0/1", "3",
		},
		"initialised although an init container runs again": {
			podOf(running_, []part{{name: "i", state: running(), restarts: 7}}, []part{up}, initialized), "Init:0/1", "1/1", "0",
		},
		"initialised, and a container speaks": {
			podOf(running_, []part{{name: "i", state: running()}}, []part{{name: "app", state: waiting("CrashLoopBackOff"), restarts: 2}}, initialized),
			"CrashLoopBackOff", "0/1", "2",
		},
		"initialised false counts as not": {
			withCondition(podOf(pending, []part{{name: "i", state: running()}}, []part{up}), initialized, "False", ""), "Init:0/1", "0/1", "0",
		},
		"sidecar ready beside a ready container": {
			podOf(running_, []part{{name: "s", sidecar: true, state: running(), started: yes(), ready: true, restarts: 2}}, []part{up}, readyPod), "Running", "2/2", "2",
		},
		"sidecar that has ended well": {
			podOf(running_, []part{{name: "s", sidecar: true, state: exited(0, "Completed"), ready: true}}, []part{up}), "Running", "1/2", "0",
		},
		"sidecar that has failed and still counts as started and ready": {
			podOf(running_, []part{{name: "s", sidecar: true, state: exited(1, "Error"), started: yes(), ready: true}}, []part{up}), "Running", "2/2", "0",
		},
		"restarts of finished init containers are forgotten": {
			podOf(running_, []part{{name: "i", state: exited(0, "Completed"), restarts: 5}}, []part{{name: "app", state: running(), ready: true, restarts: 1}}),
			"Running", "1/1", "1",
		},
		"latest restart of any container": {
			podOf(running_, nil, []part{
				{name: "a", state: running(), ready: true, restarts: 1, last: exitedAt(1, 3*time.Minute)},
				{name: "b", state: running(), ready: true, restarts: 3, last: exitedAt(1, 41*time.Second)},
			}), "Running", "2/2", "4 (41s ago)",
		},
		"restart of an init container while initialising": {
			podOf(pending, []part{{name: "i", state: running(), restarts: 2, last: exitedAt(1, 90*time.Second)}}, []part{creating}), "Init:0/1", "0/1", "2 (90s ago)",
		},
		"last restart of a finished init container is forgotten": {
			podOf(running_, []part{{name: "i", state: exited(0, ""), restarts: 2, last: exitedAt(1, time.Second)}},
				[]part{{name: "app", state: running(), ready: true, restarts: 1, last: exitedAt(1, 10*time.Minute)}}),
			"Running", "1/1", "1 (10m ago)",
		},
		"last restart of a sidecar is kept": {
			podOf(running_, []part{{name: "s", sidecar: true, state: running(), started: yes(), ready: true, restarts: 1, last: exitedAt(1, 2*time.Minute)}}, []part{up}),
			"Running", "2/2", "1 (2m ago)",
		},
		"an end without a restart": {
			podOf(running_, nil, []part{{name: "a", state: running(), ready: true, last: exitedAt(1, time.Minute)}}), "Running", "1/1", "0",
		},

		"terminating":                  {deleted(podOf(running_, nil, []part{up})), "Terminating", "1/1", "0"},
		"terminating in a crash loop":  {deleted(podOf(running_, nil, []part{{name: "app", state: waiting("CrashLoopBackOff")}})), "Terminating", "0/1", "0"},
		"deleted on a lost node":       {deleted(withReason(podOf(running_, nil, []part{up}), "NodeLost")), "Unknown", "1/1", "0"},
		"lost node without a deletion": {withReason(podOf(running_, nil, []part{up}), "NodeLost"), "NodeLost", "1/1", "0"},
		"deleted after it completed":   {deleted(podOf(succeeded, nil, []part{{name: "app", state: exited(0, "Completed")}})), "Completed", "0/1", "0"},
		"deleted after it failed":      {deleted(podOf(failed, nil, []part{{name: "app", state: exited(1, "Error")}})), "Error", "0/1", "0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, ready, total, restarts, last := PodStatus(test.pod)
			if status != test.status || fraction(ready, total) != test.ready {
				t.Errorf("got %q %s, want %q %s", status, fraction(ready, total), test.status, test.ready)
			}
			if got := restartsText(restarts, last, noon); got != test.restarts {
				t.Errorf("restarts: got %q, want %q", got, test.restarts)
			}
			row := NewPod(test.pod)
			if row.Status != test.status || row.RestartsText(noon) != test.restarts {
				t.Errorf("row: got %q, %q", row.Status, row.RestartsText(noon))
			}
		})
	}
}

func ownedBy(version, kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, Controller: yes()}}
}
