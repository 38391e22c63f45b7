package gitops_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/gitops"
)

func TestEachToolIsNamedOnceByItsMarks(t *testing.T) {
	for name, c := range map[string]struct {
		labels, notes map[string]string
		want          string
	}{
		"none": {nil, nil, "[]"},
		"tracking by annotation": {
			nil, map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}, "[Argo CD manages it (app shop)]",
		},
		"an annotation without a name": {
			nil, map[string]string{"argocd.argoproj.io/tracking-id": ":apps/Deployment:shop/web"}, "[Argo CD manages it]",
		},
		"both marks of one tool": {
			map[string]string{"argocd.argoproj.io/instance": "old"}, map[string]string{"argocd.argoproj.io/tracking-id": "new:x"},
			"[Argo CD manages it (app new)]",
		},
		"kustomize": {map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}, nil, "[Flux manages it (kustomization apps)]"},
		"helm":      {map[string]string{"helm.toolkit.fluxcd.io/name": "web"}, nil, "[Flux manages it (release web)]"},
		"two tools": {
			map[string]string{"argocd.argoproj.io/instance": "shop", "helm.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/name": "apps"},
			nil, "[Argo CD manages it (app shop) Flux manages it (kustomization apps)]",
		},
		"hostile": {
			nil, map[string]string{"argocd.argoproj.io/tracking-id": "a\x1b[31m b:x"}, "[Argo CD manages it (app a b)]",
		},
		"somebody else's": {map[string]string{"app.kubernetes.io/managed-by": "Helm"}, nil, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(gitops.Of(&metav1.ObjectMeta{Labels: c.labels, Annotations: c.notes})); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
