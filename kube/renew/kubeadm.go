package renew

import (
	"slices"
	"strings"

	"ktriage/kube"
)

// kubeadmPods are the static pods that read what kubeadm renews, by the names of kubeadm certs renew
// (cmd/kubeadm/app/phases/certs/renewal of Kubernetes). "" is none.
var kubeadmPods = map[string]string{
	"apiserver": "kube-apiserver", "apiserver-kubelet-client": "kube-apiserver", "apiserver-etcd-client": "kube-apiserver",
	"front-proxy-client": "kube-apiserver", "etcd-server": "etcd", "etcd-peer": "etcd", "etcd-healthcheck-client": "",
	"controller-manager.conf": "kube-controller-manager", "scheduler.conf": "kube-scheduler", "admin.conf": "", "super-admin.conf": "",
}

// kubeadmName gives the name by which kubeadm renews what is in a place, or is said to be in one that cannot be seen.
func kubeadmName(p kube.CertPlace) (name string, ok bool) {
	rest, ok := strings.CutPrefix(p.Renew, "kubeadm certs renew ")
	if !ok {
		rest, ok = p.Name, strings.Contains(p.Renew, "kubeadm certs check-expiration")
	}
	if !ok || p.Source == kube.FromKubeconfig {
		return "", false
	}
	name, _, _ = strings.Cut(rest, ",")
	name, _, _ = strings.Cut(name, " ")
	_, ok = kubeadmPods[name]
	return name, ok
}

// kubeadmRunbook is that of a certificate that kubeadm has made.
func kubeadmRunbook(name string, c *kube.Cert) *runbook {
	p := c.Place()
	host := "every control-plane node that has it"
	if i := slices.IndexFunc(c.Places, func(p kube.CertPlace) bool { return p.Host != "" }); i >= 0 {
		host = c.Places[i].Host
	}
	b := &runbook{headline: "kubeadm renews " + name + " only by hand, on " + host + ", or when the control plane is upgraded."}
	if p.External == kube.Yes {
		kubeadmExternal(b, name, host)
	} else {
		b.fact("new", "certificate and key, with the names of the old one, for a year or the certificateValidityPeriod of kubeadm-config")
		b.fact("stays", "the CA: kubeadm does not renew CAs; and the same certificate on the other control-plane nodes, each of which has its own")
		b.add("On "+host+", as root:", "kubeadm certs renew "+name)
		b.add("Look at what it has done:", "kubeadm certs check-expiration")
	}
	kubeadmRestart(b, name)
	return b
}

// kubeadmExternal is how it goes without the key of the CA ("External CA mode" in
// https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/): kubeadm makes requests, somebody else signs them.
func kubeadmExternal(b *runbook, name, host string) {
	b.warn("CA", "its key is not on the node: kubeadm cannot sign %s, and renew would fail", name)
	b.fact("sign", "the requests have names and addresses, but not the usages: the CA has to set them")
	b.add("On "+host+", as root, make keys and requests in a folder of their own:",
		"kubeadm certs generate-csr --cert-dir /etc/kubernetes/renew/pki --kubeconfig-dir /etc/kubernetes/renew")
	b.add("Have the CA sign the request of "+name+", with the usages of the old certificate.",
		"openssl req -noout -text -in /etc/kubernetes/renew/pki/"+requestFile(name))
	b.add("Put the signed certificate and the new key in place of the old ones.", "")
}

// requestFile is what generate-csr calls the request of a certificate.
func requestFile(name string) string {
	switch rest, etcd := strings.CutPrefix(name, "etcd-"); {
	case strings.HasSuffix(name, ".conf"):
		return "../" + name + ".csr"
	case etcd:
		return "etcd/" + rest + ".csr"
	}
	return name + ".csr"
}

// kubeadmRestart has whatever reads the certificate read it anew. kubectl cannot restart static pods: their manifests are taken
// away for longer than the kubelet looks away (fileCheckFrequency, 20 s).
func kubeadmRestart(b *runbook, name string) {
	pod := kubeadmPods[name]
	if pod == "" {
		if strings.HasSuffix(name, ".conf") {
			b.add("Copy the file to wherever it is used; nothing has to be restarted.", "cp /etc/kubernetes/"+name+" ~/.kube/config")
		} else {
			b.add("Nothing has to be restarted: whoever uses it reads it each time.", "")
		}
		b.late = "still the old serial: was the file copied?"
		return
	}
	manifest := pod + ".yaml"
	b.late = "still the old serial: not restarted?"
	b.add("Have "+pod+" read it: take its manifest away, wait until the kubelet has stopped it, about 20 s, and put it back. "+
		"kubectl delete cannot do it.",
		"mv /etc/kubernetes/manifests/"+manifest+" /etc/kubernetes/ && sleep 20 && mv /etc/kubernetes/"+manifest+" /etc/kubernetes/manifests/")
	switch pod {
	case "etcd":
		b.warn("one", "one member at a time, each only when the one before is healthy: two members of three that are away stop the cluster")
		b.fact("reads", "etcd reads the files of its serving certificates at every handshake, so that the new one may be seen before the restart")
	case "kube-apiserver":
		b.warn("one", "one control-plane node after the other: behind the restart of the only API server nothing answers for about a minute")
		b.fact("reads", "kube-apiserver follows the files of its serving certificate by itself, so that the new one may be seen before the restart")
	default:
		b.fact("reads", "%s reads its kubeconfig once, when it starts", pod)
	}
	b.add("The same on every other control-plane node.", "")
}
