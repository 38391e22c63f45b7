package views

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// A pod is not near the end of its memory because the containers without a limit use some, too.
func TestRiskOfAPodIsThatOfItsContainers(t *testing.T) {
	const mi = 1 << 20
	limited := func(name, memory string) corev1.Container {
		c := corev1.Container{Name: name}
		if memory != "" {
			c.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse(memory)}
		}
		return c
	}
	for name, c := range map[string]struct {
		memory []string
		word   string
		share  string
	}{
		"a sidecar without a limit":    {[]string{"256Mi", ""}, "unbounded", "77"},
		"the one with a limit is near": {[]string{"210Mi", ""}, "OOM risk", "94"},
		"the sum is far, one is near":  {[]string{"210Mi", "2Gi"}, "OOM risk", "94"},
		"both are far":                 {[]string{"512Mi", "512Mi"}, "normal", "38"},
		"none":                         {[]string{"", ""}, "unbounded", "-"},
	} {
		p := kube.NewPod(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{limited("app", c.memory[0]), limited("proxy", c.memory[1])}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning},
		})
		sample := kube.Sample{Use: kube.Use{CPU: 10, Memory: 199 * mi}, At: noon.Add(-time.Second), Swap: -1}
		m := kube.Moment{Now: noon, Usage: kube.NewUsage(noon, nil, map[kube.PodKey][]kube.ContainerSample{
			{Namespace: "shop", Name: "web"}: {{Name: "app", Sample: sample}, {Name: "proxy", Sample: sample}},
		})}
		f := podFigures(p, m)
		used, limit := f.mem.ofLimit()
		if got := text.Percent(used, limit); f.word() != c.word || got != c.share {
			t.Errorf("%s: %s at %s%% of the limit, want %s at %s%%", name, f.word(), got, c.word, c.share)
		}
	}
}
