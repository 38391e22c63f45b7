package load

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var namespaces = []string{"shop", "payments", "search", "media", "batch", "monitoring", "lab", "platform"}

// uid gives the i-th UID of a kind.
func uid(kind byte, i int) types.UID {
	return types.UID(fmt.Sprintf("%08x-0000-4000-8000-%c%011x", i, kind, i))
}

// namespace gives the i-th namespace.
func namespace(i int, now time.Time) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: namespaces[i], UID: uid('c', i), CreationTimestamp: metav1.NewTime(now)},
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
}

func nodeName(i int) string { return fmt.Sprintf("worker-%05d", i) }

// NodeName gives the name of the i-th node, and whether it is heard of.
func NodeName(i int) (name string, heard bool) { return nodeName(i), i%500 != 7 }

// PodName gives the namespace and the name of the i-th pod, and whether its containers have been started.
func PodName(i int) (namespace, name string, started bool) {
	return podNamespace(i), fmt.Sprintf("%s-%05x", replicaSet(i), i), !waits(i)
}

// NodeOf gives the node of the i-th pod, of so many nodes.
func NodeOf(i, nodes int) string { return nodeName(i % max(nodes, 1)) }

// PodLabels gives the labels of the i-th pod.
func PodLabels(i int) map[string]string {
	return map[string]string{"app": app(i), "team": podNamespace(i), "pod-template-hash": "7d9f8c6b5", "version": "v42"}
}

// podNamespace and replicaSet say whose the i-th pod is: forty are of one ReplicaSet, and every eighth ReplicaSet is in the
// same namespace.
func podNamespace(i int) string { return namespaces[i/40%len(namespaces)] }

func app(i int) string { return fmt.Sprintf("svc-%03d", i/40) }

func replicaSet(i int) string { return app(i) + "-7d9f8c6b5" }

// waits reports whether the i-th pod has not been started yet: one in two hundred.
func waits(i int) bool { return i%200 == 101 }

// node gives the i-th node: one in 500 is not heard of, one in 250 is cordoned.
func node(i int, now time.Time) *corev1.Node {
	created := metav1.NewTime(now.Add(-time.Duration(i%200+1) * 24 * time.Hour))
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("128Gi"),
		corev1.ResourcePods: resource.MustParse("110"), corev1.ResourceEphemeralStorage: resource.MustParse("400Gi"),
	}
	ready := corev1.ConditionTrue
	if _, heard := NodeName(i); !heard {
		ready = corev1.ConditionUnknown
	}
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason string) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: reason, Message: "kubelet reports " + reason,
			LastHeartbeatTime: metav1.NewTime(now), LastTransitionTime: created,
		}
	}
	return &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: nodeName(i), UID: uid('a', i), CreationTimestamp: created,
			Labels: map[string]string{
				"kubernetes.io/hostname": nodeName(i), "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
				"topology.kubernetes.io/zone": string(rune('a' + i%3)), "node.kubernetes.io/instance-type": "m7.8xlarge",
			},
			ManagedFields: managed("kubelet", now, 6),
		},
		Spec: corev1.NodeSpec{PodCIDR: fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), Unschedulable: i%250 == 31},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.200.%d.%d", i/256, i%256)}},
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
				condition(corev1.NodeReady, ready, "KubeletReady"),
			},
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion: "v1.36.3", OSImage: "Debian GNU/Linux 12 (bookworm)", KernelVersion: "6.1.0-28-amd64",
				ContainerRuntimeVersion: "containerd://2.1.4", Architecture: "amd64", OperatingSystem: "linux",
			},
		},
	}
}

// pod gives the i-th pod.
func pod(i, nodes int, now time.Time) *corev1.Pod {
	ns, name, _ := PodName(i)
	set := replicaSet(i)
	created := metav1.NewTime(now.Add(-time.Duration(i%10_000+60) * time.Minute))
	yes := true
	p := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: ns, UID: uid('b', i), CreationTimestamp: created,
			Labels:          PodLabels(i),
			Annotations:     map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "checksum/config": strings.Repeat("0f", 32)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: uid('d', i/40), Controller: &yes}},
			ManagedFields:   append(managed("kube-controller-manager", now, 14), managed("kubelet", now, 10)...),
		},
		Spec: corev1.PodSpec{
			NodeName: NodeOf(i, nodes), RestartPolicy: corev1.RestartPolicyAlways, ServiceAccountName: "default",
			DNSPolicy: corev1.DNSClusterFirst, SchedulerName: "default-scheduler",
			Containers: []corev1.Container{container("app", "registry.example/shop/app:v42"), container("proxy", "registry.example/mesh/proxy:1.31")},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: set}}}},
				{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
				{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
			},
		},
	}
	p.Status = status(i, p, created)
	return p
}

func container(name, image string) corev1.Container {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/healthy", "--verbose"}}}, PeriodSeconds: 10}
	return corev1.Container{
		Name: name, Image: image, Args: []string{"--listen=:8080", "--log-format=json", "--shutdown-grace=20s"},
		Env: []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "900MiB"}, {Name: "REGION", Value: "eu-1"}, {Name: "TRACING", Value: "otlp://collector:4317"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
		LivenessProbe: probe, ReadinessProbe: probe,
		VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/app"}, {Name: "cache", MountPath: "/var/cache/app"}},
	}
}

// status makes one pod in fifty crash, and one in two hundred wait.
func status(i int, p *corev1.Pod, created metav1.Time) corev1.PodStatus {
	s := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &created, QOSClass: corev1.PodQOSBurstable,
		HostIP: "10.200.0.1", PodIP: fmt.Sprintf("10.%d.%d.%d", 128+i/65536, i/256%256, i%256),
	}
	s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	crashes, waits := i%50 == 49, waits(i)
	for k := range p.Spec.Containers {
		c := corev1.ContainerStatus{
			Name: p.Spec.Containers[k].Name, Image: p.Spec.Containers[k].Image, Ready: true,
			ImageID:     "registry.example/app@sha256:" + strings.Repeat("ab", 32),
			ContainerID: "containerd://" + strings.Repeat("cd", 32),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: created}},
		}
		switch {
		case crashes && k == 0:
			c.Ready, c.RestartCount = false, int32(i%97+1)
			c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container=app"}}
			c.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", FinishedAt: created}}
		case waits:
			c.Ready = false
			c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
			s.Phase = corev1.PodPending
		}
		s.ContainerStatuses = append(s.ContainerStatuses, c)
	}
	ready := corev1.ConditionTrue
	if crashes || waits {
		ready = corev1.ConditionFalse
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		is := corev1.ConditionTrue
		if kind == corev1.PodReady || kind == corev1.ContainersReady {
			is = ready
		}
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: is, LastTransitionTime: created})
	}
	return s
}

// managed is what server-side apply keeps of who wrote which field: a good part of a real object.
func managed(by string, now time.Time, fields int) []metav1.ManagedFieldsEntry {
	var b strings.Builder
	b.WriteString(`{"f:metadata":{"f:labels":{".":{}}}`)
	for i := range fields {
		fmt.Fprintf(&b, `,"f:field%d":{".":{},"f:name":{},"f:value":{},"f:valueFrom":{},"f:resources":{}}`, i)
	}
	b.WriteString("}")
	at := metav1.NewTime(now)
	return []metav1.ManagedFieldsEntry{{
		Manager: by, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &at,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(b.String()),
	}}
}
