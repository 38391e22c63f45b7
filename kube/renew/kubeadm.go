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

// kubeadmName gives the name by which kubeadm renews what is in a place, or is said to be in one that cannot be seen. That it
// may be kubeadm's is said where the place was found.
func kubeadmName(p kube.CertPlace) (name string, ok bool) {
	_, ok = kubeadmPods[p.Name]
	return p.Name, ok && p.Source != kube.FromKubeconfig && strings.Contains(p.Renew, "kubeadm")
}

// kubeadmOf gives the name by which kubeadm renews a certificate, "" if it does not: one of its places tells.
func kubeadmOf(c *kube.Cert) string {
	for _, p := range c.Places {
		if name, ok := kubeadmName(p); ok {
			return name
		}
	}
	return ""
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
	b.add("On "+host+", as root, keep the cluster's configuration: without it the requests lack the names that it adds.",
		"mkdir -p "+renewDir+" && kubectl -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > "+renewDir+"/kubeadm.yaml")
	b.add("Make keys and requests in a folder of their own:",
		"kubeadm certs generate-csr --config "+renewDir+"/kubeadm.yaml --cert-dir "+renewDir+"/pki --kubeconfig-dir "+renewDir)
	b.add("Have the CA sign the request of "+name+", with the usages of the old certificate.",
		"openssl req -noout -text -in "+renewDir+"/"+requestFile(name))
	b.add("Put the signed certificate and the new key in place of the old ones.", "")
}

// renewDir is where keys and requests are made that are signed elsewhere.
const renewDir = "/etc/kubernetes/renew"

// requestFile is what generate-csr calls the request of a certificate.
func requestFile(name string) string {
	if strings.HasSuffix(name, ".conf") {
		return name + ".csr"
	}
	return pairFile(name) + ".csr"
}

// pairFile is what kubeadm calls a certificate and its key, without .crt and .key.
func pairFile(name string) string {
	if rest, etcd := strings.CutPrefix(name, "etcd-"); etcd {
		return "pki/etcd/" + rest
	}
	return "pki/" + name
}

// kubeadmRestart has whatever reads the certificate read it anew.
func kubeadmRestart(b *runbook, name string) {
	pod := kubeadmPods[name]
	b.late = "still the old serial: not restarted?"
	switch pod {
	case "":
		b.late = "still the old serial"
		if name == "admin.conf" {
			b.late += ": was the file copied?"
			b.add("Copy it to wherever it is used; nothing has to be restarted.", "cp -i /etc/kubernetes/admin.conf ~/.kube/config")
			return
		}
		b.add("Nothing has to be restarted: whoever uses it reads it each time.", "")
		return
	case "kube-controller-manager", "kube-scheduler":
		b.fact("reload", "%s reads its kubeconfig once, when it starts", pod)
		b.add("Restart "+pod+": "+takeAway, moveManifest(pod))
	default:
		b.fact("reload", "%s reads these files by itself: within a minute, or when it connects anew. An old version may not", pod)
		b.add("If "+pod+" does not follow within a minute, restart it: "+takeAway, moveManifest(pod))
		warnOfRestart(b, pod)
	}
	b.add("The same on every other control-plane node.", "")
}

// takeAway is how a static pod is restarted: its manifest is taken away for longer than the kubelet looks away
// (fileCheckFrequency, 20 s).
const takeAway = "take its manifest away, wait about 20 s until the kubelet has stopped it, and put it back. kubectl delete cannot do it."

func moveManifest(pod string) string {
	manifest := pod + ".yaml"
	return "mv /etc/kubernetes/manifests/" + manifest + " /etc/kubernetes/ && sleep 20 && mv /etc/kubernetes/" + manifest + " /etc/kubernetes/manifests/"
}

func warnOfRestart(b *runbook, pod string) {
	if pod == "etcd" {
		b.warn("order", "one member at a time, each only when the one before is healthy: two members of three that are away stop the cluster")
		return
	}
	b.warn("order", "one control-plane node after the other: behind the restart of the only API server nothing answers for about a minute")
}

// kubeadmReload is that of what is served although its file has been renewed. kube-apiserver and etcd follow their files by
// themselves, unless certificate and key do not belong together: then a restart is the end of them.
func kubeadmReload(b *runbook, p kube.CertPlace) {
	pod, files := kubeadmPods[p.Name], "/etc/kubernetes/"+pairFile(p.Name)
	b.late = "still the old serial: not restarted?"
	b.warn("first", "%s follows its files by itself, within a minute: if it has not, the certificate may not belong to its key, and "+
		"after a restart it would not come up again", pod)
	b.add("On "+orElse(p.Host, "that node")+", see whether they belong together: both lines have to be the same. If not, renew it once more.",
		"openssl x509 -noout -pubkey -in "+files+".crt | sha256sum; openssl pkey -pubout -in "+files+".key | sha256sum")
	b.add("Then restart "+pod+": "+takeAway, moveManifest(pod))
	warnOfRestart(b, pod)
}
