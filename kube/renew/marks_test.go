package renew

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestMakerIsToldByTheServerWhereNoNodeMayBeRead(t *testing.T) {
	for version, want := range map[string]string{
		"v1.36.3": "", "v1.36.3+k3s1": "k3s", "v1.36.3+rke2r1": "RKE2", "v1.36.3-eks-0123456": "Amazon EKS", "v1.36.3-gke.7": "GKE", "v1.36.3+k0s": "k0s",
	} {
		got := ""
		for _, m := range makers {
			if m.marks.on(&corev1.Node{}, version) {
				got += m.name
			}
		}
		if got != want {
			t.Errorf("%s is by %q, want %q", version, got, want)
		}
	}
}
