package kube

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// genReason is what stands in a reason field: mostly what a kubelet writes, sometimes nothing, sometimes free text.
var genReason = rapid.OneOf(
	rapid.SampledFrom([]string{
		"", "Completed", "Completed", "Completed", "Error", "OOMKilled", "ContainerCreating", "PodInitializing", "CrashLoopBackOff", "ErrImagePull",
		"ImagePullBackOff", "CreateContainerConfigError", "ContainerCannotRun", "DeadlineExceeded", "NodeLost",
	}),
	rapid.StringMatching(`[A-Z][A-Za-z0-9:/ ]{0,20}`),
)

// genTime is a time of the last few days, in whole seconds as the API has them.
func genTime(t *rapid.T, now time.Time) metav1.Time {
	ago := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, 300_000)).Draw(t, "ago")
	return metav1.NewTime(now.Add(-time.Duration(ago) * time.Second).Truncate(time.Second))
}

func genTerminated(t *rapid.T, now time.Time) *corev1.ContainerStateTerminated {
	end := &corev1.ContainerStateTerminated{
		ExitCode: rapid.SampledFrom([]int32{0, 0, 0, 1, 2, 126, 137, 143, 255}).Draw(t, "exit"),
		Signal:   rapid.SampledFrom([]int32{0, 0, 0, 9, 15}).Draw(t, "signal"),
		Reason:   genReason.Draw(t, "reason"),
		Message:  rapid.SampledFrom([]string{"", "Sleep expired", "line\nlast line\n"}).Draw(t, "message"),
	}
	if rapid.IntRange(0, 4).Draw(t, "timed") > 0 {
		end.FinishedAt = genTime(t, now)
		end.StartedAt = metav1.NewTime(end.FinishedAt.Add(-time.Minute))
	}
	return end
}

func genState(t *rapid.T, now time.Time) corev1.ContainerState {
	switch rapid.IntRange(0, 5).Draw(t, "state") {
	case 0:
		return corev1.ContainerState{}
	case 1, 2:
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: genReason.Draw(t, "reason")}}
	case 3:
		return corev1.ContainerState{Terminated: genTerminated(t, now)}
	}
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: genTime(t, now)}}
}

func genContainerStatus(t *rapid.T, name string, now time.Time) corev1.ContainerStatus {
	s := corev1.ContainerStatus{
		Name: name, State: genState(t, now), Ready: rapid.Bool().Draw(t, "ready"), Image: "registry.k8s.io/pause:3.10",
		RestartCount: int32(rapid.SampledFrom([]int{0, 0, 1, 7, 41}).Draw(t, "restarts")),
		Started:      rapid.SampledFrom([]*bool{nil, yes(), no()}).Draw(t, "started"),
	}
	if rapid.Bool().Draw(t, "ended before") {
		s.LastTerminationState.Terminated = genTerminated(t, now)
	}
	return s
}

// genStatuses is what a kubelet may have reported of some containers: of all, of the first few, or of none.
func genStatuses(t *rapid.T, spec []corev1.Container, now time.Time) []corev1.ContainerStatus {
	n := len(spec)
	if rapid.IntRange(0, 3).Draw(t, "partly") == 0 {
		n = rapid.IntRange(0, n).Draw(t, "reported")
	}
	var list []corev1.ContainerStatus
	for i := range n {
		list = append(list, genContainerStatus(t, spec[i].Name, now))
	}
	return list
}

func genResources(t *rapid.T) corev1.ResourceRequirements {
	var r corev1.ResourceRequirements
	cpu := rapid.SampledFrom([]string{"", "1m", "100m", "2", "1.5"}).Draw(t, "cpu")
	mem := rapid.SampledFrom([]string{"", "128974848", "129e6", "64Mi", "1Gi"}).Draw(t, "mem")
	set := func(list *corev1.ResourceList, name corev1.ResourceName, value string) {
		if value == "" {
			return
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = resource.MustParse(value)
	}
	set(&r.Requests, corev1.ResourceCPU, cpu)
	set(&r.Requests, corev1.ResourceMemory, mem)
	if rapid.Bool().Draw(t, "limited") {
		set(&r.Limits, corev1.ResourceCPU, cpu)
		set(&r.Limits, corev1.ResourceMemory, mem)
	}
	return r
}

func genContainers(t *rapid.T, prefix string, least, most int) []corev1.Container {
	var list []corev1.Container
	for i := range rapid.IntRange(least, most).Draw(t, prefix+" containers") {
		list = append(list, corev1.Container{
			Name: fmt.Sprintf("%s-%d", prefix, i), Image: "registry.k8s.io/pause:3.10", Resources: genResources(t),
		})
	}
	return list
}

func genConditions(t *rapid.T, gates []corev1.PodReadinessGate, now time.Time) []corev1.PodCondition {
	kinds := []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady}
	for _, g := range gates {
		kinds = append(kinds, g.ConditionType)
	}
	var list []corev1.PodCondition
	status := rapid.SampledFrom([]corev1.ConditionStatus{"True", "True", "False", "Unknown", ""})
	for _, kind := range kinds {
		if s := status.Draw(t, string(kind)); s != "" {
			list = append(list, corev1.PodCondition{Type: kind, Status: s, LastTransitionTime: genTime(t, now)})
		}
	}
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, LastTransitionTime: genTime(t, now)}
	switch rapid.IntRange(0, 5).Draw(t, "scheduled") {
	case 0:
		scheduled.Reason = corev1.PodReasonSchedulingGated
	case 1:
		scheduled.Reason, scheduled.Message = corev1.PodReasonUnschedulable, "0/3 nodes are available: 3 Insufficient memory."
	case 2:
		scheduled.Status = corev1.ConditionTrue
	default:
		return list
	}
	return append(list, scheduled)
}

// genPod makes pods of every kind that an API server accepts: create the object, then write its status. They belong to a
// scheduler that nobody runs, so that nobody touches them. A pod with the annotation "deleted" is meant to be deleted
// once it is there.
func genPod(now time.Time) *rapid.Generator[*corev1.Pod] {
	return rapid.Custom(func(t *rapid.T) *corev1.Pod {
		pod := &corev1.Pod{}
		pod.GenerateName = "pod-"
		pod.Spec.SchedulerName = "nobody"
		pod.Spec.AutomountServiceAccountToken = no()
		pod.Spec.RestartPolicy = rapid.SampledFrom([]corev1.RestartPolicy{"Always", "OnFailure", "Never"}).Draw(t, "policy")
		pod.Spec.InitContainers = genContainers(t, "init", 0, 3)
		pod.Spec.Containers = genContainers(t, "app", 1, 3)
		always := corev1.ContainerRestartPolicyAlways
		for i := range pod.Spec.InitContainers {
			if rapid.Bool().Draw(t, "sidecar") {
				pod.Spec.InitContainers[i].RestartPolicy = &always
			}
		}
		for i := range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "gates") {
			pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates,
				corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(fmt.Sprintf("example.com/gate-%d", i))})
		}
		pod.Status = corev1.PodStatus{
			Phase:                 rapid.SampledFrom([]corev1.PodPhase{"Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"}).Draw(t, "phase"),
			Reason:                rapid.SampledFrom([]string{"", "", "", "Evicted", "NodeLost", "NodeAffinity"}).Draw(t, "reason"),
			NominatedNodeName:     rapid.SampledFrom([]string{"", "", "worker-07"}).Draw(t, "nominated"),
			Conditions:            genConditions(t, pod.Spec.ReadinessGates, now),
			InitContainerStatuses: genStatuses(t, pod.Spec.InitContainers, now),
			ContainerStatuses:     genStatuses(t, pod.Spec.Containers, now),
		}
		if rapid.Bool().Draw(t, "has IP") {
			pod.Status.PodIPs = []corev1.PodIP{{IP: "10.244.7.9"}, {IP: "fd00::7:9"}}
			pod.Status.PodIP = "10.244.7.9"
		}
		if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
			pod.Annotations = map[string]string{"deleted": "true"}
			pod.Finalizers = []string{"example.com/hold"}
		}
		return pod
	})
}

// genNode makes nodes of every kind that an API server accepts: create the object, then write its status.
func genNode(now time.Time) *rapid.Generator[*corev1.Node] {
	return rapid.Custom(func(t *rapid.T) *corev1.Node {
		node := &corev1.Node{}
		node.GenerateName = "gen-node-"
		node.Labels = map[string]string{}
		for _, role := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"control-plane", "master", "worker", "gpu"}), 0, 3, rapid.ID).Draw(t, "roles") {
			node.Labels["node-role.kubernetes.io/"+role] = rapid.SampledFrom([]string{"", "true"}).Draw(t, "value")
		}
		if rapid.Bool().Draw(t, "old role") {
			node.Labels["kubernetes.io/role"] = rapid.SampledFrom([]string{"", "node", "master"}).Draw(t, "role")
		}
		node.Spec.Unschedulable = rapid.Bool().Draw(t, "unschedulable")
		for _, kind := range []corev1.NodeConditionType{"MemoryPressure", "Ready", "KernelReady", "KernelDeadlock"} {
			if rapid.Bool().Draw(t, string(kind)) {
				node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
					Type: kind, Status: rapid.SampledFrom([]corev1.ConditionStatus{"True", "False", "Unknown"}).Draw(t, "status"),
					LastHeartbeatTime: genTime(t, now), LastTransitionTime: genTime(t, now),
				})
			}
		}
		node.Status.NodeInfo.KubeletVersion = rapid.SampledFrom([]string{"v1.36.3", "v1.35.0"}).Draw(t, "version")
		if rapid.Bool().Draw(t, "addresses") {
			node.Status.Addresses = []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: "n"}, {Type: corev1.NodeInternalIP, Address: "10.8.1.107"},
				{Type: corev1.NodeInternalIP, Address: "fd00::107"}, {Type: corev1.NodeExternalIP, Address: "192.0.2.7"},
			}
		}
		return node
	})
}

// stamped gives a generated pod what an API server would have given it.
func stamped(pod *corev1.Pod, now time.Time) *corev1.Pod {
	pod.Name, pod.Namespace, pod.UID = pod.GenerateName+"x2k4q", "shop", "0a1b"
	pod.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	if pod.Annotations["deleted"] == "true" {
		at, grace := metav1.NewTime(now), int64(30)
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
	}
	return pod
}

// oneLine reports whether a sentence has something to say and no character that moves a cursor.
func oneLine(s string) bool {
	return strings.TrimSpace(s) == s && s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 })
}
