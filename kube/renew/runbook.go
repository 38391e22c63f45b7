package renew

import (
	"fmt"
	"slices"
	"strings"

	"ktriage/kube"
	"ktriage/kube/action"
)

// runbook is what somebody has to do to renew a certificate.
type runbook struct {
	headline string
	facts    []action.Fact
	title    string // of the section of the steps, "" for the usual one
	steps    []step
	refused  string // why nothing of it is watched
	late     string // what may be wrong if the place does not follow
}

// step is one thing to do: where and what for, and the command.
type step struct{ says, run string }

func (b *runbook) add(says, run string) { b.steps = append(b.steps, step{says, run}) }

func (b *runbook) fact(name, format string, args ...any) {
	b.facts = append(b.facts, action.Fact{Name: name, Text: fmt.Sprintf(format, args...)})
}

func (b *runbook) warn(name, format string, args ...any) {
	b.facts = append(b.facts, action.Fact{Name: name, Text: fmt.Sprintf(format, args...), Severity: kube.Warning})
}

// todo are the steps, each with its command.
func (b *runbook) todo() []string {
	out := make([]string, len(b.steps))
	for i, s := range b.steps {
		out[i] = fmt.Sprintf("%d. %s", i+1, s.says)
		if s.run != "" {
			out[i] += " # " + s.run
		}
	}
	return out
}

// section shows the steps.
func (b *runbook) section() action.Section {
	out := action.Section{Title: orElse(b.title, "what to do")}
	if !slices.ContainsFunc(b.steps, func(s step) bool { return strings.Contains(s.run, "kubectl ") }) {
		out.Note = "kubectl cannot do this"
	}
	for i, s := range b.steps {
		out.Rows = append(out.Rows, line(kube.OK, "%d. %s", i+1, s.says))
		if s.run != "" {
			out.Rows = append(out.Rows, line(kube.OK, "   # %s", s.run))
		}
	}
	return out
}

// runbookOf gives the runbook of a certificate, by its most dangerous place. m has made the cluster; nil is kubeadm, or nobody
// knows. context is that of the kubeconfig.
func runbookOf(c *kube.Cert, m *maker, context string) *runbook {
	p := c.Place()
	kubeadm := kubeadmOf(c)
	switch {
	case p.Class == kube.BootstrapToken:
		return bootstrapToken(m)
	case c.Kind == kube.Token || p.Class == kube.ShortLived || p.Class == kube.WithoutExpiry:
		return token(c, p)
	case p.Source == kube.FromObject && p.Class != kube.CertManaged:
		return bundle(p)
	case c.Kind == kube.Authority && (p.Class != kube.OfAuthority || p.Source == kube.FromSecret):
		return ownAuthority(p)
	case m != nil && ofCluster(p):
		return m.runbook(c, p)
	case p.Class == kube.OfAuthority && p.Source != kube.FromSecret:
		return authority(p)
	case p.Source == kube.FromHandshake && strings.Contains(p.Note, "not reloaded"):
		return reload(p)
	case kubeadm != "":
		return kubeadmRunbook(kubeadm, c)
	case p.Name == "kubelet serving":
		return kubeletServing(c, p)
	case p.Class == kube.KubeletRotated:
		return kubeletClient(p)
	case p.Source == kube.FromKubeconfig:
		return kubeconfig(c, p)
	case p.Class == kube.CertManaged:
		return managed(p)
	case p.Source == kube.FromSecret:
		return secret(p, context)
	}
	return other(c, p)
}

// ofCluster reports whether whoever has made the cluster has made what is in a place too: it is part of a node, of the
// control plane, or lets somebody in.
func ofCluster(p kube.CertPlace) bool {
	return p.Source != kube.FromSecret && p.Source != kube.FromObject && p.Class != kube.CertManaged
}

// reload is that of a certificate that has been renewed on disk, while the old one is still served (kube/certs says so in the
// note of the place).
func reload(p kube.CertPlace) *runbook {
	b := &runbook{headline: fmt.Sprintf("%s at %s has been renewed on disk, and the old one is still served.", p.Name, p.Where)}
	if kubeadmPods[p.Name] != "" && slices.Contains([]string{"", "ca", "etcd-ca"}, p.Authority) {
		kubeadmReload(b, p)
		return b
	}
	b.late = "still the old serial: not restarted?"
	b.add(orElse(p.Renew, "Restart what serves it."), "")
	return b
}

func bootstrapToken(m *maker) *runbook {
	b := &runbook{headline: "A bootstrap token is not renewed: make a new one when a node is to join.",
		refused: "a token is not renewed, a new one is made"}
	if m != nil {
		b.add(orElse(m.tokens.says, m.name+" makes them by itself, for the nodes that it makes."), m.tokens.run)
		return b
	}
	b.add("On a control-plane node, for a token of 24 hours and the command that a new node runs:", "kubeadm token create --print-join-command")
	b.add("Take away what is not needed any more; its ID is the part before the dot:", "kubeadm token list")
	return b
}

func token(c *kube.Cert, p kube.CertPlace) *runbook {
	b := &runbook{
		headline: c.Name + " is a token, and not a certificate: whoever gave it gives the next one.",
		refused:  "a token is not renewed, another one is asked for",
	}
	switch {
	case p.Class == kube.WithoutExpiry:
		b.headline, b.refused = c.Name+" has no end, and nothing of it has to be renewed.", "it has no end"
	case c.Kind != kube.Token:
		b.headline, b.refused = c.Name+" lives for a short time: whoever uses it asks for the next one by itself.", "it is not renewed by hand"
	}
	b.add(orElse(p.Renew, "Log in again, so that the plugin or the issuer gives a new one."), "")
	return b
}

// authority says what it takes to change a CA
// (https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/).
func authority(p kube.CertPlace) *runbook {
	b := &runbook{
		headline: orElse(p.Name, "This") + " is a CA. kubeadm does not renew or rotate CAs, and neither does Kubernetes: " +
			"it is days of work by hand.",
		title:   "what the procedure is",
		refused: "nobody can renew a CA at the press of a key: everything that trusts it has to be told of the new one first",
	}
	b.fact("keep", "the old CA stays trusted beside the new one until the last certificate of the old one is gone")
	b.add("Make a new CA beside the old one, and a file with both certificates in it. Keep a copy of /etc/kubernetes and of etcd.", "")
	b.add("Give the file with both to everything that verifies: --client-ca-file, --root-ca-file, etcd, kubelets, every kubeconfig, "+
		"kube-root-ca.crt, cluster-info, webhooks. Restart each of them, the control plane one node at a time.", "")
	b.add("Only then let the controller manager sign with the new CA, and make all certificates anew with it; restart again.", "")
	b.add("Restart everything that holds a token or a copy of the CA: DaemonSets and Deployments that speak to the API.", "")
	b.add("Take the old CA out of every file, when no certificate of it is left in this list.", "")
	return b
}

// ownAuthority is that of the CA of an application.
func ownAuthority(p kube.CertPlace) *runbook {
	b := &runbook{
		headline: "A CA of an application, in " + p.Where + ": whoever issues certificates with it renews it.",
		refused:  "nobody can renew a CA at the press of a key: everything that trusts it has to be told of the new one first",
	}
	b.add("Put the new CA beside the old one wherever that is trusted; then make the certificates anew with it; then take the old one away.", "")
	return b
}

// trustBundle is that of roots which workloads mount.
func trustBundle(p kube.CertPlace) *runbook {
	b := &runbook{
		headline: p.Where + " holds roots that workloads trust. Whoever publishes it puts the new ones there.",
		late:     "the bundle is still the old one",
	}
	b.fact("order", "first a bundle with the old and the new CA, then the new certificates, then the old CA goes")
	b.add("With a signer: look whether its controller runs, which publishes the bundle. Without: add the new CA to spec.trustBundle.", kubectlGet(p))
	return b
}

// bundle is that of the CA by which the API server knows a webhook or an aggregated API.
func bundle(p kube.CertPlace) *runbook {
	if strings.HasPrefix(p.Where, "clustertrustbundle ") {
		return trustBundle(p)
	}
	b := &runbook{
		headline: fmt.Sprintf("%s holds the CA by which the API server knows what answers there. Whoever runs that renews both.", p.Where),
		late:     "the bundle is still the old one",
	}
	b.fact("order", "first a bundle with the old and the new CA, then the new serving certificate, then the old CA goes")
	b.add("Find out who writes it: cert-manager's cainjector (annotation cert-manager.io/inject-ca-from), a Helm chart, or the operator itself.",
		kubectlGet(p))
	b.add("With cert-manager: renew its Certificate, and the bundle follows by itself. With an operator or a chart: run its upgrade, or restart it.", "")
	b.add("By hand: make a new CA and a serving certificate, put the new CA after the old one into caBundle (base64), and only then the certificate "+
		"and its key into the Secret of the server.", "")
	return b
}

func kubectlGet(p kube.CertPlace) string {
	kind, name, ok := strings.Cut(p.Where, " ")
	if !ok {
		return ""
	}
	return action.Kubectl("", "get", kind, strings.Fields(name)[0], "-o", "yaml")
}

// kubeletServing is that of the certificate with which a kubelet answers.
func kubeletServing(c *kube.Cert, p kube.CertPlace) *runbook {
	node := orElse(p.Host, "the node")
	b := &runbook{
		headline: "The serving certificate of the kubelet on " + node + ".",
		late:     "the kubelet still serves the old one: was its request approved, or was it restarted?",
	}
	if p.Class == kube.KubeletRotated {
		b.headline += " Its kubelet asks for the next one by itself; somebody has to approve the request."
		b.add("Look whether a request of "+node+" waits, and approve it: it stands under CSRs in this pane.",
			"kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving")
		b.add("If there is none: on "+node+", restart the kubelet, and it asks at once if its certificate is old enough.", "systemctl restart kubelet")
		b.add("If its certificate has expired and it does not ask: take it away there, and restart the kubelet.",
			"rm /var/lib/kubelet/pki/kubelet-server-current.pem && systemctl restart kubelet")
		return b
	}
	switch {
	case c.X509 == nil:
		b.headline += " It cannot be seen; what follows is for one that the kubelet has signed itself."
	case p.Unverified:
		b.headline += " It has signed it itself, once, and never renews it."
	default:
		b.headline += " Somebody has put it there, and has to put the next one there."
		b.add("On "+node+": put the new certificate and its key where tlsCertFile and tlsPrivateKeyFile of its configuration say, and restart it.",
			"systemctl restart kubelet")
		return b
	}
	b.add("On "+node+": take the pair away, and restart the kubelet, which makes a new one for a year.",
		"rm /var/lib/kubelet/pki/kubelet.crt /var/lib/kubelet/pki/kubelet.key && systemctl restart kubelet")
	b.add("Better, for all nodes: serverTLSBootstrap: true in the configuration of kubelets. They ask the cluster for their certificates then, "+
		"and each request wants to be approved.", "")
	return b
}

// kubeletClient is that of the certificate with which a kubelet speaks to the API server
// (https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/troubleshooting-kubeadm/#kubelet-client-cert).
func kubeletClient(p kube.CertPlace) *runbook {
	node := orElse(p.Host, "the node")
	b := &runbook{
		headline: "The client certificate of the kubelet on " + node + ". The kubelet renews it by itself; if it has expired, " +
			"it cannot any more.",
		late: "the kubelet still has the old one",
	}
	b.warn("else", "a kubelet whose certificate has expired is silent: its node becomes NotReady")
	b.add("On "+node+": see why it does not renew it; a clock that is wrong and an API server that cannot be reached are the usual reasons.",
		"journalctl -u kubelet | grep -i certificate | tail")
	b.add("If it has not expired: restart the kubelet, and look whether a request of it waits under CSRs.", "systemctl restart kubelet")
	b.add("If it has expired: take away there what it has, and keep it.", "mkdir -p /etc/kubernetes/kubelet-old && "+
		"mv /etc/kubernetes/kubelet.conf /var/lib/kubelet/pki/kubelet-client* /etc/kubernetes/kubelet-old/")
	b.add("On a control-plane node, make it a kubeconfig, and copy that to "+node+" as /etc/kubernetes/kubelet.conf.",
		command("kubeadm", "kubeconfig", "user", "--org", "system:nodes", "--client-name", "system:node:"+orElse(p.Host, "NAME"))+" > kubelet.conf")
	b.add("On "+node+": restart it, and when /var/lib/kubelet/pki/kubelet-client-current.pem is there, have kubelet.conf name that file "+
		"as client-certificate and client-key in place of the data; restart it once more.", "systemctl restart kubelet")
	return b
}

// command writes a command as one would type it into a shell: what comes from a certificate is protected from that.
func command(program string, args ...string) string {
	return program + strings.TrimPrefix(action.Kubectl("", args...), "kubectl")
}

const oursText = "it is the one by which ktriage is let in: restart ktriage when the file has the new one"

// kubeconfig is that of the certificate in a kubeconfig of this machine.
func kubeconfig(c *kube.Cert, p kube.CertPlace) *runbook {
	b := &runbook{headline: fmt.Sprintf("The client certificate in %s. The API server cannot renew it: you need another kubeconfig.", p.Where),
		late: "the kubeconfig still has the old one"}
	if p.Ours {
		b.warn("ours", oursText)
	}
	name, groups := "NAME", []string{}
	if c.X509 != nil && c.X509.CommonName != "" {
		name = c.X509.CommonName
	}
	if c.X509 != nil {
		for rdn := range strings.SplitSeq(c.X509.Subject, ", ") {
			if o, ok := strings.CutPrefix(rdn, "O="); ok {
				groups = append(groups, "--org", o)
			}
		}
	}
	b.fact("no", "the old one is good until it expires: a certificate cannot be revoked")
	b.add("If it is a copy of kubeadm's admin.conf: on a control-plane node, renew that, and copy it here again.", "kubeadm certs renew admin.conf")
	b.add("Or have an administrator make one for this user, on a control-plane node, and put it in place of the old one:",
		command("kubeadm", append([]string{"kubeconfig", "user", "--client-name", name}, groups...)...))
	b.add("Without kubeadm: make a key and a request, send it to signer kubernetes.io/kube-apiserver-client, have it approved, and put the "+
		"certificate into the kubeconfig.",
		command("kubectl", "config", "set-credentials", name, "--client-certificate=FILE", "--client-key=FILE", "--embed-certs"))
	return b
}

func managed(p kube.CertPlace) *runbook {
	b := &runbook{
		headline: p.Where + " is cert-manager's, and its Certificate cannot be read from here.",
		late:     "the Secret still has the old one",
	}
	b.add("Have cert-manager issue it anew, by the name of its Certificate; cmctl status tells how it goes.",
		command("cmctl", "renew", "NAME", "-n", orElse(p.Object.Namespace, "NAMESPACE")))
	return b
}

func secret(p kube.CertPlace, context string) *runbook {
	b := &runbook{
		headline: "The certificate in " + p.Where + ". Nothing in the cluster renews it: whoever made it does.",
		late:     "the Secret still has the old one",
	}
	name := action.Kubectl(context, "create", "secret", "tls", p.Object.Name, "-n", p.Object.Namespace,
		"--cert=FILE", "--key=FILE", "--dry-run=client", "-o", "yaml")
	b.add("Get a new certificate from whoever signed the old one, for the same names.", "")
	b.add("Put it and its key into the same Secret, without a gap:", name+" | "+action.Kubectl(context, "apply", "-f", "-"))
	b.add("Ingress controllers follow within seconds; a program that reads its files only once has to be restarted.", "")
	return b
}

// other is that of everything of which no more is known than what its place says.
func other(c *kube.Cert, p kube.CertPlace) *runbook {
	b := &runbook{headline: fmt.Sprintf("%s at %s.", c.Name, p.Where), late: "the place still has the old one: not restarted?"}
	b.add(orElse(p.Renew, "Nobody here knows who renews it: ask whoever signed it."), "")
	if p.Source == kube.FromFile {
		b.add("On "+orElse(p.Host, "that machine")+": put the new certificate and its key in place of the old ones, and restart what reads them.", "")
	}
	return b
}
