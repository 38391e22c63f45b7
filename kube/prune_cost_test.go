package kube

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// mesh makes the i-th of many pods as a cluster with a service mesh is full of them: 4.4 KB on the wire.
func mesh(i int) *corev1.Pod {
	created := metav1.Unix(1_800_000_000-int64(i%10_000)*60, 0)
	set := fmt.Sprintf("svc-%03d-7d9f8c6b5", i/40)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%05x", set, i), Namespace: "shop", ResourceVersion: fmt.Sprint(1000 + i), CreationTimestamp: created,
			UID:         "00000001-0000-4000-8000-b00000000001",
			Labels:      map[string]string{"app": "svc", "team": "shop", "pod-template-hash": "7d9f8c6b5", "version": "v42"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "checksum/config": strings.Repeat("0f", 32)},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: "00000001-0000-4000-8000-d00000000001", Controller: yes()},
			},
			ManagedFields: []metav1.ManagedFieldsEntry{managed("kube-controller-manager", created, 14), managed("kubelet", created, 10)},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("worker-%05d", i%5000), RestartPolicy: corev1.RestartPolicyAlways, ServiceAccountName: "default",
			DNSPolicy: corev1.DNSClusterFirst, SchedulerName: corev1.DefaultSchedulerName,
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
				{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
			},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: &created, QOSClass: corev1.PodQOSBurstable,
			HostIP: "10.200.0.1", PodIP: "10.128.1.2", PodIPs: []corev1.PodIP{{IP: "10.128.1.2"}},
		},
	}
	for _, name := range []string{"app", "proxy"} {
		pod.Spec.Containers = append(pod.Spec.Containers, meshContainer(name))
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, Image: "registry.example/shop/" + name + ":v42", Ready: true, Started: yes(),
			ImageID:     "registry.example/app@sha256:" + strings.Repeat("ab", 32),
			ContainerID: "containerd://" + strings.Repeat("cd", 32),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: created}},
		})
	}
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		pod.Status.Conditions = append(pod.Status.Conditions,
			corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: created})
	}
	return pod
}

func meshContainer(name string) corev1.Container {
	probe := &corev1.Probe{PeriodSeconds: 10}
	probe.Exec = &corev1.ExecAction{Command: []string{"/bin/healthy", "--verbose"}}
	return corev1.Container{
		Name: name, Image: "registry.example/shop/" + name + ":v42", Args: []string{"--listen=:8080", "--log-format=json"},
		Env: []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "900MiB"}, {Name: "REGION", Value: "eu-1"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("512Mi")},
			Limits:   corev1.ResourceList{"memory": resource.MustParse("1Gi")},
		},
		LivenessProbe: probe, ReadinessProbe: probe,
		VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/app"}, {Name: "cache", MountPath: "/var/cache/app"}},
	}
}

func managed(by string, at metav1.Time, fields int) metav1.ManagedFieldsEntry {
	text := `{"f:metadata":{}`
	for i := range fields {
		text += fmt.Sprintf(`,"f:field%d":{".":{},"f:name":{},"f:value":{},"f:valueFrom":{},"f:resources":{}}`, i)
	}
	return metav1.ManagedFieldsEntry{
		Manager: by, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &at,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(text + "}"),
	}
}

// endless repeats a frame.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.frame[e.at:])
	e.at = (e.at + n) % len(e.frame)
	return n, nil
}

// podReader makes rows of the events of a watch on which the same pod comes again and again.
func podReader(tb testing.TB, codecs kruntime.NegotiatedSerializer) func() {
	w := watcher(codecs, &endless{frame: framed(event(watch.Added, mesh(1)))})
	return func() {
		_, o, err := w.Decode()
		if err != nil {
			tb.Fatal(err)
		}
		NewPod(o.(*corev1.Pod))
	}
}

// TestPodsFromTheWireAreCheap bounds what a pod costs from the frame of a watch to its row: 98 allocations of the 200 of a full pod. Twelve
// are the map of four labels and their strings, which a selector needs. What is left is mostly maps of resources, and lists that grow.
func TestPodsFromTheWireAreCheap(t *testing.T) {
	if raced {
		t.Skip("the race detector changes what is allocated")
	}
	const most = 98
	if n := testing.AllocsPerRun(200, podReader(t, prunedCodecs)); n > most {
		t.Errorf("got %v allocations, want at most %d", n, most)
	}
	if full, pruned := takes(podReader(t, plainCodecs)), takes(podReader(t, prunedCodecs)); pruned*2 > full {
		t.Errorf("got %d bytes, want at most half of the %d that a full pod takes", pruned, full)
	}
}

// takes is how many bytes each call of f allocates.
func takes(f func()) uint64 {
	const calls = 200
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / calls
}

func BenchmarkPodFromWire(b *testing.B) {
	for name, codecs := range map[string]kruntime.NegotiatedSerializer{"full": plainCodecs, "pruned": prunedCodecs} {
		b.Run(name, func(b *testing.B) {
			read := podReader(b, codecs)
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
	}
}

func BenchmarkPrune(b *testing.B) {
	raw := event(watch.Added, mesh(1))
	var spare []byte
	b.ReportAllocs()
	for b.Loop() {
		spare, _ = keptEvents.prune(spare[:0], raw)
	}
	b.ReportMetric(float64(len(raw)), "bytes-in")
	b.ReportMetric(float64(len(spare)), "bytes-out")
}
