package renew

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

// maker is what has made a cluster, where that is not kubeadm, and how it renews what it has made.
type maker struct {
	name   string
	marks  marks
	serves step // the control plane
	nodes  step // kubelets
	login  step // kubeconfigs
	cas    step
	tokens step // bootstrap tokens; without words it makes them by itself
}

// marks are what every node of a maker has one of.
type marks struct{ version, image, label string }

// makers are the distributions and providers that renew certificates in a way of their own.
var makers = []*maker{
	rancher("k3s", "+k3s", "k3s", "k3s-agent"),
	rancher("RKE2", "+rke2", "rke2-server", "rke2-agent"),
	{
		name: "k0s", marks: marks{version: "+k0s"},
		serves: step{"k0s renews what is about to end when it starts. On each controller, one after the other:", "systemctl restart k0scontroller"},
		nodes:  step{"The kubelet renews it by itself. If it has not, restart it on that node:", "systemctl restart k0sworker"},
		login:  step{"On a controller, have k0s make another kubeconfig, and put it in place of the old one:", "k0s kubeconfig admin"},
		cas:    step{"k0s does not rotate its CAs by itself: its documentation has the procedure.", ""},
		tokens: step{"On a controller:", "k0s token create --role=worker"},
	},
	{
		name: "Talos", marks: marks{image: "Talos"},
		serves: step{"Talos renews it by itself. If it has not, look at the control plane of that node:", "talosctl -n NODE services"},
		nodes:  step{"The kubelet renews it by itself. If it has not, restart it:", "talosctl -n NODE service kubelet restart"},
		login:  step{"Get another kubeconfig:", "talosctl kubeconfig"},
		cas:    step{"Talos can rotate its CAs; try it out first, it is a dry run without more flags:", "talosctl rotate-ca"},
	},
	{
		name: "OpenShift", marks: marks{label: "node.openshift.io/os_id"},
		serves: step{"An operator of OpenShift renews it by itself. If it has not, see which operator is not well:", "oc get clusteroperators"},
		nodes:  step{"The kubelet renews it by itself; look whether a request of it waits under CSRs, and approve it.", "oc get csr"},
		login:  step{"Log in again:", "oc login"},
		cas:    step{"The operators of OpenShift rotate its CAs by themselves. If they have not, see which one is not well:", "oc get clusteroperators"},
	},
	provider("Amazon EKS", marks{version: "-eks-"}, "aws eks update-kubeconfig --name NAME"),
	provider("GKE", marks{version: "-gke."}, "gcloud container clusters get-credentials NAME"),
	provider("AKS", marks{label: "kubernetes.azure.com/cluster"}, "az aks get-credentials --resource-group GROUP --name NAME"),
}

// rancher is what k3s and RKE2 have in common (https://docs.k3s.io/cli/certificate, https://docs.rke2.io/security/certificates).
func rancher(name, mark, server, agent string) *maker {
	tool := strings.ToLower(name)
	renews := name + " renews what ends within 120 days when it starts. "
	return &maker{
		name: name, marks: marks{version: mark},
		serves: step{renews + "On each server, one after the other:", "systemctl restart " + server},
		nodes:  step{renews + "On that node, or on a server restart " + server + ":", "systemctl restart " + agent},
		login:  step{"On a server, restart " + server + " and copy the kubeconfig that it writes:", "cat /etc/rancher/" + tool + "/" + tool + ".yaml"},
		cas:    step{name + " renews no CA by itself. With a new one that the old one has signed, as its documentation says:", tool + " certificate rotate-ca --path=DIR"},
		tokens: step{"On a server:", tool + " token create"},
	}
}

// provider is what those have in common that run the control plane themselves.
func provider(name string, m marks, login string) *maker {
	return &maker{
		name: name, marks: m,
		serves: step{name + " runs the control plane and renews what is its own. If it has not, ask its support.", ""},
		nodes:  step{"The kubelet renews it by itself. If it has not, have " + name + " replace the node.", ""},
		login:  step{"Get another kubeconfig:", login},
		cas:    step{name + " has the CA, and its documentation says how it is rotated.", ""},
	}
}

// makerLimit bounds the look at a node.
const makerLimit = 5 * time.Second

// makerOf tells by a node who has made the cluster, or by the version of its server; nil if it was kubeadm, or if that does not
// tell.
func makerOf(ctx context.Context, c *kube.Cluster) *maker {
	ctx, stop := context.WithTimeout(ctx, makerLimit)
	defer stop()
	n := &corev1.Node{}
	list, err := c.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1}) // all have the same marks
	if err == nil && len(list.Items) > 0 {
		n = &list.Items[0]
	}
	for _, m := range makers {
		if m.marks.on(n, c.Health().Version) {
			return m
		}
	}
	return nil
}

// on reports whether a node has the marks, or the version of a server has.
func (m marks) on(n *corev1.Node, server string) bool {
	_, labelled := n.Labels[m.label]
	return m.version != "" && strings.Contains(n.Status.NodeInfo.KubeletVersion+" "+server, m.version) ||
		m.image != "" && strings.HasPrefix(n.Status.NodeInfo.OSImage, m.image) || labelled
}

// runbook is that of what the maker has made.
func (m *maker) runbook(c *kube.Cert, p kube.CertPlace) *runbook {
	b := &runbook{late: "still the old one"}
	what, how := c.Name+" at "+p.Where, m.serves
	switch {
	case p.Class == kube.OfAuthority:
		what, how = orElse(p.Name, "This")+" is a CA", m.cas
		b.refused = "nobody can renew a CA at the press of a key: everything that trusts it has to be told of the new one first"
	case p.Source == kube.FromKubeconfig:
		how = m.login
		if p.Ours {
			b.warn("ours", oursText)
		}
	case p.Danger == kube.BreaksNode, strings.HasPrefix(p.Name, "kubelet"):
		how = m.nodes
	}
	b.headline = what + ", of a cluster by " + m.name + "."
	b.steps = append(b.steps, how)
	return b
}
