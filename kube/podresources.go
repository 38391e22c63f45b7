package kube

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// amount is CPU in millicores and memory in bytes.
type amount struct{ cpu, mem int64 }

// podResources gives the effective requests and limits of a pod, as `kubectl describe node` shows them for each of its
// pods: k8s.io/component-helpers/resource with the status taken into account (in-place resize, KEP-1287).
//
// That library builds some ten maps per pod. Nearly every pod is a plain one, whose status repeats its spec and which
// has neither overhead nor pod-level resources; those are summed here, by the library's own formula (KEP-753). All others
// go to the library.
func podResources(pod *corev1.Pod) (requests, limits amount) {
	if plainResources(pod) {
		return plainSum(pod, containerRequests), plainSum(pod, containerLimits)
	}
	opts := resourcehelper.PodResourcesOptions{UseStatusResources: true}
	return amountOf(resourcehelper.PodRequests(pod, opts)), amountOf(resourcehelper.PodLimits(pod, opts))
}

// plainResources reports whether the pod's spec alone, container by container, says what the pod takes.
func plainResources(pod *corev1.Pod) bool {
	if pod.Spec.Resources != nil || len(pod.Spec.Overhead) > 0 || resourcehelper.IsPodResizeInfeasible(pod) {
		return false
	}
	return plainContainers(pod.Spec.Containers, pod.Status.ContainerStatuses) &&
		plainContainers(pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
}

func plainContainers(spec []corev1.Container, status []corev1.ContainerStatus) bool {
	for i := range spec {
		if !exact(spec[i].Resources.Requests) || !exact(spec[i].Resources.Limits) {
			return false
		}
	}
	for i := range status {
		if !repeatsSpec(spec, &status[i]) {
			return false
		}
	}
	return true
}

// repeatsSpec reports whether the status of a container says nothing else than its spec.
func repeatsSpec(spec []corev1.Container, s *corev1.ContainerStatus) bool {
	if s.AllocatedResources == nil && s.Resources == nil {
		return true
	}
	for i := range spec {
		if spec[i].Name != s.Name {
			continue
		}
		want := &spec[i].Resources
		return same(s.AllocatedResources, want.Requests) &&
			(s.Resources == nil || same(s.Resources.Requests, want.Requests) && same(s.Resources.Limits, want.Limits))
	}
	return false
}

// same reports whether a list of the status is absent or equal to that of the spec.
func same(status, spec corev1.ResourceList) bool {
	return status == nil || exact(status) && amountOf(status) == amountOf(spec)
}

// exact reports whether sums of these quantities in millicores and bytes do not depend on when they are rounded, and
// are far from overflowing.
func exact(list corev1.ResourceList) bool {
	const most = 1 << 53
	cpu, mem := list[corev1.ResourceCPU], list[corev1.ResourceMemory]
	_, milli := cpu.AsScale(resource.Milli)
	bytes, whole := mem.AsInt64()
	return milli && whole && cpu.Sign() >= 0 && bytes >= 0 && bytes < most && cpu.MilliValue() < most
}

func amountOf(list corev1.ResourceList) amount {
	cpu, mem := list[corev1.ResourceCPU], list[corev1.ResourceMemory]
	return amount{cpu: cpu.MilliValue(), mem: mem.Value()}
}

func containerRequests(c *corev1.Container) amount { return amountOf(c.Resources.Requests) }
func containerLimits(c *corev1.Container) amount   { return amountOf(c.Resources.Limits) }

// plainSum adds up the containers and the sidecars; an init container that needs more than they do, together with the
// sidecars started before it, raises the sum.
func plainSum(pod *corev1.Pod, of func(*corev1.Container) amount) amount {
	var sum, started, most amount
	for i := range pod.Spec.Containers {
		sum = sum.plus(of(&pod.Spec.Containers[i]))
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		need := started.plus(of(c))
		if restartable(c) {
			sum = sum.plus(of(c))
			started = need
		}
		most = most.atLeast(need)
	}
	return sum.atLeast(most)
}

func (a amount) plus(b amount) amount    { return amount{a.cpu + b.cpu, a.mem + b.mem} }
func (a amount) atLeast(b amount) amount { return amount{max(a.cpu, b.cpu), max(a.mem, b.mem)} }
