package certs

import (
	"context"
	"crypto/x509"
	"regexp"
	"slices"
	"strings"

	"ktriage/kube"
)

// kubeletSources are the certificates with which kubelets serve, and, if asked for, what kubelets say of their own.
func (i *Inventory) kubeletSources() []*source {
	w := i.kubeletSweep()
	served := &source{name: "kubelet serving", where: "every node", every: everyDial, rest: w.rest, read: w.read, look: notAll}
	if !i.options.Dial {
		served.rest, served.read = nil, func(_ context.Context, put func(...finding)) error {
			p := w.place
			p.Where = "every node"
			put(unseen("kubelet serving off", p, errDialOff.Error()))
			return nil
		}
	}
	all := []*source{served}
	if i.options.KubeletMetrics {
		all = append(all, i.kubeletMetricsSource())
	}
	return all
}

func (i *Inventory) kubeletSweep() *sweep {
	return &sweep{
		place: kubeletPlace(), abreast: dials, pace: everyDial, reason: reason,
		general: func(error) bool { return false },
		targets: func(ctx context.Context) ([]endpoint, error) {
			nodes, err := i.kubeNodes(ctx)
			var out []endpoint
			for _, m := range nodes {
				out = append(out, kubeletEndpoint(m))
			}
			return out, err
		},
		ask: func(ctx context.Context, e endpoint) ([]finding, error) {
			f, err := i.dialer.ask(ctx, e)
			return []finding{f}, err
		},
	}
}

func kubeletPlace() kube.CertPlace {
	return kube.CertPlace{
		Source: kube.FromHandshake, Name: "kubelet serving", Class: kube.ByHand, Danger: kube.BreaksNode,
		Breaks: "logs, exec and metrics of its node, for whoever verifies it",
	}
}

func kubeletSlot(node string) string { return "kubelet " + node }

func kubeletEndpoint(m kubeNode) endpoint {
	p := kubeletPlace()
	p.Where, p.Host = m.where(m.port), m.name
	return endpoint{slot: kubeletSlot(m.name), address: m.at(m.port), place: p, judge: judgeKubelet}
}

// What a kubelet writes for itself if nobody gives it a certificate: InitializeTLS in cmd/kubelet/app/server.go, by
// GenerateSelfSignedCertKey in k8s.io/client-go/util/cert.
var (
	selfMadeSubject = regexp.MustCompile(`^(.+)@[0-9]+$`)
	selfMadeIssuer  = regexp.MustCompile(`^(.+)-ca@[0-9]+$`)
)

// nobodys says of the place of a certificate that a kubelet has written for itself that nobody can verify it, so that its end
// breaks nothing that works now: it is never more than a note.
func nobodys(p *kube.CertPlace) {
	p.Unverified = true
	p.Note = "self-signed: written once, never renewed while the file is there"
	p.Renew = "set serverTLSBootstrap: true in its configuration, or remove /var/lib/kubelet/pki/kubelet.crt and kubelet.key " +
		"there and restart the kubelet"
}

func selfMade(name, issuedBy string) bool {
	subject, issuer := selfMadeSubject.FindStringSubmatch(name), selfMadeIssuer.FindStringSubmatch(issuedBy)
	return subject != nil && issuer != nil && subject[1] == issuer[1]
}

// judgeKubelet tells whose a kubelet's certificate is. What it gets for a request to the signer
// kubernetes.io/kubelet-serving has the subject of a node (kubernetes.io/docs/reference/access-authn-authz/
// certificate-signing-requests), and the kubelet asks for the next in time. Anything else somebody has put there.
func judgeKubelet(p *kube.CertPlace, chain []*x509.Certificate) {
	leaf := chain[0]
	switch {
	case selfMade(leaf.Subject.CommonName, leaf.Issuer.CommonName):
		nobodys(p)
	case strings.HasPrefix(leaf.Subject.CommonName, "system:node:") && slices.Contains(leaf.Subject.Organization, "system:nodes"):
		p.Class = kube.KubeletRotated
		p.Renew = "the kubelet asks for the next one by itself; somebody has to approve its request"
	}
}
