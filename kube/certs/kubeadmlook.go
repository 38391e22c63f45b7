package certs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/version"

	"ktriage/kube"
)

// unseenSources are the certificates of kubeadm's that nobody can see but on a control-plane node, where the cluster looks as
// if kubeadm had made it.
func (i *Inventory) unseenSources() []*source {
	return []*source{{
		name: "files of control-plane nodes", where: "configmap kube-system/kubeadm-config", every: everyList, read: i.lookForKubeadm,
	}}
}

// madeBy is what is known of who has made a cluster.
type madeBy struct {
	kubeadm  kube.Answer
	external bool // etcd is none of kubeadm's
}

func (i *Inventory) lookForKubeadm(ctx context.Context, put func(...finding)) error {
	made, err := i.madeBy(ctx)
	if err != nil {
		return err
	}
	switch made.kubeadm {
	case kube.Yes:
		put(unseenKubeadm(made.external)...)
	case kube.NotKnown:
		put(unseen(hiddenSlot+"unknown", kube.CertPlace{
			Source: kube.FromNowhere, Name: "control plane", Where: "control-plane nodes", Short: "on cp nodes", Danger: kube.BreaksCluster,
			Note:  "whether kubeadm made this cluster is not known: configmaps and pods of kube-system may not be read",
			Renew: "if kubeadm made it, " + lookThere,
		}, notFromHere))
	case kube.No: // whoever manages it has other files, or hides them
	}
	return nil
}

// unseenKubeadm are the rows of what shows on control-plane nodes only. Those that somebody has seen go with forgetSeen.
func unseenKubeadm(externalEtcd bool) (out []finding) {
	for _, k := range slices.Concat(kubeadmLeaves, kubeadmCAs) {
		if !k.elsewhere() && (!externalEtcd || !k.ofEtcd()) {
			out = append(out, k.unseenRow())
		}
	}
	return out
}

// madeBy looks for kubeadm's ConfigMap, then for API servers that are run as kubeadm does.
func (i *Inventory) madeBy(ctx context.Context) (madeBy, error) {
	client := i.cluster.Client()
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err == nil {
		return madeBy{kube.Yes, externalEtcd(config)}, nil
	}
	hidden := apierrors.IsForbidden(err)
	if !hidden && !apierrors.IsNotFound(err) {
		return madeBy{}, fmt.Errorf("read configmap kube-system/kubeadm-config: %w", err)
	}
	servers, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		LabelSelector: "component=kube-apiserver", Limit: 10, // one is enough
	})
	switch {
	case apierrors.IsForbidden(err) && hidden:
		return madeBy{kubeadm: i.managed(ctx)}, nil
	case apierrors.IsForbidden(err):
		return madeBy{kubeadm: kube.No}, nil
	case err != nil:
		return madeBy{}, fmt.Errorf("list the API servers of kube-system: %w", err)
	}
	for n := range servers.Items {
		if made := ofServer(&servers.Items[n]); made.kubeadm == kube.Yes {
			return made, nil
		}
	}
	return madeBy{kubeadm: kube.No}, nil
}

// externalEtcd reads the ClusterConfiguration (kubeadm.k8s.io/v1beta4): one that cannot be read has etcd on its nodes, as most.
func externalEtcd(config *corev1.ConfigMap) bool {
	var c struct {
		Etcd struct {
			External *struct{} `json:"external"`
		} `json:"etcd"`
	}
	return yaml.Unmarshal([]byte(config.Data["ClusterConfiguration"]), &c) == nil && c.Etcd.External != nil
}

// ofServer tells a static pod of kubeadm's from those of other distributions, which are called the same, by its flags. Without
// any flags the name counts.
func ofServer(p *corev1.Pod) madeBy {
	if !strings.HasPrefix(p.Name, "kube-apiserver-") {
		return madeBy{kubeadm: kube.No}
	}
	made := madeBy{kubeadm: kube.Yes}
	for n := range p.Spec.Containers {
		c := &p.Spec.Containers[n]
		for _, flag := range slices.Concat(c.Command, c.Args) {
			if file, ok := strings.CutPrefix(flag, "--client-ca-file="); ok && file != kubeadmDir+"/pki/ca.crt" {
				made.kubeadm = kube.No
			}
			if servers, ok := strings.CutPrefix(flag, "--etcd-servers="); ok {
				made.external = servers != "https://127.0.0.1:2379"
			}
		}
	}
	return made
}

// managed tells by the version, which everybody may ask for, and by the address that somebody else runs the control plane.
func (i *Inventory) managed(ctx context.Context) kube.Answer {
	if c := i.cluster.Config(); c != nil && strings.Contains(c.Host, ".azmk8s.io") {
		return kube.No
	}
	var v version.Info
	raw, err := i.cluster.Client().CoreV1().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil || yaml.Unmarshal(raw, &v) != nil {
		return kube.NotKnown
	}
	for _, mark := range []string{"-eks-", "-gke.", "+k3s", "+rke2", "+k0s"} {
		if strings.Contains(v.GitVersion, mark) {
			return kube.No
		}
	}
	return kube.NotKnown
}

// forgetSeen takes the rows away that say that something cannot be seen, where somebody has seen it or looked closer.
func forgetSeen(rows map[string]*kube.Cert) {
	seen := map[string]bool{}
	token := false
	for uid, c := range rows {
		if strings.HasPrefix(uid, "place:"+hiddenSlot) {
			continue
		}
		for n := range c.Places {
			p := &c.Places[n]
			if p.Source == kube.FromFile || p.Source == kube.FromHandshake { // anybody may call a Secret so
				seen[p.Name] = true
			}
			token = token || p.Ours && p.Source == kube.FromToken
		}
	}
	for uid := range rows {
		name, hidden := strings.CutPrefix(uid, "place:"+hiddenSlot)
		// One file of kubeadm's shows that all of them are on this machine, and who has made the cluster.
		if hidden && (seen[name] || name == "unknown" && seen["apiserver-kubelet-client"]) || uid == "place:"+pluginSlot && token {
			delete(rows, uid)
		}
	}
}
