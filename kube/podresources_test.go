package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	"pgregory.net/rapid"
)

// genRealResources draws quantities of every notation, finer than a millicore or a byte among them.
func genRealResources(t *rapid.T) corev1.ResourceList {
	quantity := func(label string, texts ...string) (q resource.Quantity, ok bool) {
		s := rapid.SampledFrom(texts).Draw(t, label)
		if s == "" {
			return q, false
		}
		return resource.MustParse(s), true
	}
	list := corev1.ResourceList{}
	if q, ok := quantity("cpu", "", "", "1m", "100m", "2", "1.5", "100u", "0"); ok {
		list[corev1.ResourceCPU] = q
	}
	if q, ok := quantity("memory", "", "", "64Mi", "129e6", "1.5Gi", "128974848", "100m", "0", "7E"); ok {
		list[corev1.ResourceMemory] = q
	}
	if len(list) == 0 && rapid.Bool().Draw(t, "nil") {
		return nil
	}
	return list
}

// resized changes a pod so that spec and status may tell different things, as during a resize in place.
func resized(t *rapid.T, pod *corev1.Pod) {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			list[i].Resources.Requests, list[i].Resources.Limits = genRealResources(t), genRealResources(t)
		}
	}
	report := func(spec []corev1.Container, status []corev1.ContainerStatus) {
		for i := range status {
			switch rapid.IntRange(0, 3).Draw(t, "report") {
			case 1:
				own := spec[i].Resources
				status[i].AllocatedResources, status[i].Resources = own.Requests, &own
			case 2:
				status[i].AllocatedResources = genRealResources(t)
				status[i].Resources = &corev1.ResourceRequirements{Requests: genRealResources(t), Limits: genRealResources(t)}
			}
		}
	}
	report(pod.Spec.Containers, pod.Status.ContainerStatuses)
	report(pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
	switch rapid.IntRange(0, 9).Draw(t, "special") {
	case 0:
		pod.Spec.Overhead = genRealResources(t)
	case 1:
		pod.Spec.Resources = &corev1.ResourceRequirements{Requests: genRealResources(t), Limits: genRealResources(t)}
	case 2:
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible,
		})
	}
}

func TestPodResourcesEqualThoseOfTheLibrary(t *testing.T) {
	gen := genPod(noon)
	rapid.Check(t, func(t *rapid.T) {
		pod := gen.Draw(t, "pod")
		resized(t, pod)
		requests, limits := podResources(pod)
		opts := resourcehelper.PodResourcesOptions{UseStatusResources: true}
		if want := amountOf(resourcehelper.PodRequests(pod, opts)); requests != want {
			t.Errorf("requests: got %+v, want %+v", requests, want)
		}
		if want := amountOf(resourcehelper.PodLimits(pod, opts)); limits != want {
			t.Errorf("limits: got %+v, want %+v", limits, want)
		}
	})
}

func TestInitContainersRaiseWhatThePodAsksFor(t *testing.T) {
	pod := podOf(corev1.PodPending,
		[]part{{name: "early", sidecar: true}, {name: "setup"}, {name: "late", sidecar: true}}, []part{{name: "app"}})
	ask := func(c *corev1.Container, cpu string) {
		c.Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(cpu)}
	}
	ask(&pod.Spec.Containers[0], "200m")
	ask(&pod.Spec.InitContainers[0], "100m")
	ask(&pod.Spec.InitContainers[1], "700m")
	ask(&pod.Spec.InitContainers[2], "50m")
	equal(t, NewPod(pod).CPURequest, 800) // the setup beside the early sidecar
	ask(&pod.Spec.Containers[0], "2")
	equal(t, NewPod(pod).CPURequest, 2150) // the app beside both sidecars
}

// usualPod is a pod as a cluster is full of them: it runs, and its status repeats its spec.
func usualPod() *corev1.Pod {
	pod := podOf(corev1.PodRunning, nil, []part{
		{name: "app", state: running(), ready: true, started: yes()},
		{name: "proxy", state: running(), ready: true, started: yes()},
	}, corev1.PodReady, corev1.PodInitialized, corev1.PodScheduled)
	for i := range pod.Spec.Containers {
		r := corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("256Mi")},
		}
		pod.Spec.Containers[i].Resources = r
		pod.Status.ContainerStatuses[i].Resources = &r
		pod.Status.ContainerStatuses[i].AllocatedResources = r.Requests
	}
	start := before(time.Hour)
	pod.Status.StartTime = &start
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.244.7.9"}}
	pod.Status.QOSClass = corev1.PodQOSBurstable
	return pod
}

func TestUsualPodsDoNotGoToTheLibrary(t *testing.T) {
	pod := usualPod()
	if !plainResources(pod) {
		t.Error("a pod whose status repeats its spec is not taken for a plain one")
	}
	infeasible := withCondition(usualPod(), corev1.PodResizePending, "True", corev1.PodReasonInfeasible)
	if plainResources(infeasible) {
		t.Error("a pod whose resize cannot be done is taken for a plain one")
	}
	pod.Status.ContainerStatuses[0].AllocatedResources = corev1.ResourceList{"cpu": resource.MustParse("50m")}
	if plainResources(pod) {
		t.Error("a pod that is being resized is taken for a plain one")
	}
}

func BenchmarkNewPod(b *testing.B) {
	pod := usualPod()
	b.ReportAllocs()
	for b.Loop() {
		NewPod(pod)
	}
}

func BenchmarkPodResourcesOfTheLibrary(b *testing.B) {
	pod := usualPod()
	b.ReportAllocs()
	for b.Loop() {
		opts := resourcehelper.PodResourcesOptions{UseStatusResources: true}
		resourcehelper.PodRequests(pod, opts)
		resourcehelper.PodLimits(pod, opts)
	}
}
