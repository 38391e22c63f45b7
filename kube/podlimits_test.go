package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheSumOfSomeLimitsIsNoLimit(t *testing.T) {
	container := func(name, memory string) corev1.Container {
		c := corev1.Container{Name: name}
		if memory != "" {
			c.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse(memory), "cpu": resource.MustParse("1")}
		}
		return c
	}
	const mi = 1 << 20
	uses := []ContainerSample{
		{"app", Sample{Use: Use{CPU: 100, Memory: 199 * mi}, At: noon, Swap: -1}},
		{"proxy", Sample{Use: Use{CPU: 990, Memory: 199 * mi}, At: noon, Swap: -1}},
	}
	for name, c := range map[string]struct {
		spec     corev1.PodSpec
		cpu, mem int64
		near     Nearest
	}{
		"one of two": {corev1.PodSpec{Containers: []corev1.Container{container("app", "256Mi"), container("proxy", "")}}, 0, 0, Nearest{199 * mi, 256 * mi}},
		"both":       {corev1.PodSpec{Containers: []corev1.Container{container("app", "256Mi"), container("proxy", "200Mi")}}, 2000, 456 * mi, Nearest{199 * mi, 200 * mi}},
		"none":       {corev1.PodSpec{Containers: []corev1.Container{container("app", ""), container("proxy", "")}}, 0, 0, Nearest{}},
		"the pod has": {corev1.PodSpec{Containers: []corev1.Container{container("app", ""), container("proxy", "")}, Resources: &corev1.ResourceRequirements{
			Limits: corev1.ResourceList{"memory": resource.MustParse("1Gi")}}}, 0, 1 << 30, Nearest{}},
	} {
		p := NewPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: c.spec})
		if cpu, mem := p.Limits(); cpu != c.cpu || mem != c.mem {
			t.Errorf("%s: limits are %d and %d, want %d and %d", name, cpu, mem, c.cpu, c.mem)
		}
		u := NewUsage(noon, nil, map[PodKey][]ContainerSample{{Namespace: "shop", Name: "web"}: uses})
		if _, mem := p.NearestLimits(Moment{Now: noon, Usage: u}); mem != c.near {
			t.Errorf("%s: nearest is %+v, want %+v", name, mem, c.near)
		}
	}
}
