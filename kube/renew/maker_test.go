package renew_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

// Whoever has not made a cluster with kubeadm has none of its files.
func TestRunbooksOfOtherMakersDoNotTalkOfKubeadm(t *testing.T) {
	node := func(version, image, label string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "u", Labels: map[string]string{label: "x"}}}
		n.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: version, OSImage: image}
		return n
	}
	const v = "v1.36.3"
	for name, c := range map[string]struct {
		node  *corev1.Node
		login string
	}{
		"k3s":        {node(v+"+k3s1", "Debian", "a"), "/etc/rancher/k3s/k3s.yaml"},
		"RKE2":       {node(v+"+rke2r1", "Debian", "a"), "/etc/rancher/rke2/rke2.yaml"},
		"k0s":        {node(v+"+k0s", "Debian", "a"), "k0s kubeconfig admin"},
		"Talos":      {node(v, "Talos (v1.12.0)", "a"), "talosctl kubeconfig"},
		"OpenShift":  {node(v, "Red Hat Enterprise Linux CoreOS 9.6", "node.openshift.io/os_id"), "oc login"},
		"Amazon EKS": {node(v+"-eks-1234567", "Amazon Linux 2023", "a"), "aws eks update-kubeconfig --name NAME"},
		"GKE":        {node(v+"-gke.1000", "Container-Optimized OS", "a"), "gcloud container clusters get-credentials NAME"},
		"AKS":        {node(v, "Ubuntu 24.04", "kubernetes.azure.com/cluster"), "az aks get-credentials"},
	} {
		onBench(t, func(b *bench) {
			b.Put(c.node)
			for _, r := range []struct {
				kind  kube.CertKind
				place kube.CertPlace
				says  string
			}{
				// What kube/certs says where the CA is called as kubeadm calls it, which EKS does too.
				{kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, "cp-2:6443"), "of a cluster by " + name},
				{kube.ServingCert, kube.CertPlace{Source: kube.FromHandshake, Name: "apiserver", Where: "cp-2:6443", Note: "renewed on disk, not reloaded"}, ""},
				{kube.ServingCert, kube.CertPlace{Source: kube.FromHandshake, Name: "kubelet serving", Where: "n1:10250", Host: "n1", Danger: kube.BreaksNode}, ""},
				{kube.ClientCert, kube.CertPlace{Source: kube.FromMetric, Name: "kubelet client", Where: "n1", Host: "n1", Class: kube.KubeletRotated, Danger: kube.BreaksNode}, ""},
				{kube.ClientCert, kube.CertPlace{Source: kube.FromKubeconfig, Name: "alice", Where: "kubeconfig (prod)", Ours: true}, c.login},
				{kube.Authority, kube.CertPlace{Source: kube.FromConfigMap, Name: "ca", Where: "configmap default/kube-root-ca.crt", Class: kube.OfAuthority}, "ca is a CA"},
				{kube.Token, kube.CertPlace{Source: kube.FromSecret, Name: "bootstrap-token-abcdef", Where: "secret kube-system/x", Class: kube.BootstrapToken}, ""},
			} {
				p := b.plan(b.cert(r.kind, r.place))
				if all := sheet(p) + strings.Join(p.Kubectl, ""); strings.Contains(all, "kubeadm") || strings.Contains(all, "manifests") {
					t.Errorf("%s: %s:\n%s", name, r.place.Name, all)
				}
				b.has(sheet(p), r.says)
			}
			// What an application has is renewed there as anywhere.
			b.has(sheet(b.plan(b.cert(kube.ServingCert, kube.CertPlace{Source: kube.FromSecret, Name: "web-tls", Where: "secret shop/web-tls",
				Object: kube.Ref{Namespace: "shop", Name: "web-tls"}}))), "kubectl --context prod create secret tls web-tls")
		})
	}
}
