package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ktriage/internal/text"
	"ktriage/kube"
)

// serverSources are the certificates with which API servers serve: that of our own connection, and, with handshakes, that
// of each address behind the Service kubernetes, since every control plane has its own behind a balancer.
func (i *Inventory) serverSources() []*source {
	host, name := hostPort(i.cluster.Config())
	if host == "" {
		return nil
	}
	s := &source{name: "apiserver", where: "default/kubernetes", every: everyDial, stubborn: true}
	s.read = func(ctx context.Context, put func(...finding)) error {
		trusted := trustOf(i.cluster.Config(), name)
		own := serverEndpoint(host, host, name, "", trusted)
		put(i.ownServer(ctx, own))
		if !i.options.Dial {
			p := serverPlace()
			p.Where = "each control plane"
			put(unseen("apiserver off", p, errDialOff.Error()))
			return nil
		}
		addresses, err := i.serverAddresses(ctx)
		if err != nil {
			return err
		}
		nodes, _ := i.kubeNodes(ctx) // who may not list nodes sees addresses in place of names
		var each []endpoint
		for _, address := range addresses {
			where, node := byNode(nodes, address)
			if address == host { // our own once more, now that its node is known
				where = host
			}
			each = append(each, serverEndpoint(address, where, name, node, trusted))
		}
		i.askAll(ctx, each, put)
		return context.Cause(ctx)
	}
	return []*source{s}
}

// hostPort gives where our own connection goes, and the name by which the server is verified.
func hostPort(cfg *rest.Config) (address, name string) {
	u, _, err := rest.DefaultServerUrlFor(cfg)
	if cfg.Host == "" || err != nil || u.Scheme != "https" {
		return "", ""
	}
	name = u.Hostname()
	if cfg.ServerName != "" {
		name = cfg.ServerName
	}
	return net.JoinHostPort(u.Hostname(), portOf(u)), name
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}

func serverPlace() kube.CertPlace {
	return kube.CertPlace{
		Source: kube.FromHandshake, Name: "apiserver", Class: kube.ByHand, Danger: kube.BreaksCluster,
		Breaks: "every client of this API server: kubectl, kubelets, controllers",
	}
}

func serverEndpoint(address, where, name, node string, trusted *trust) endpoint {
	p := serverPlace()
	p.Where, p.Host = text.Clean(where), node
	return endpoint{
		slot: "apiserver " + address, address: address, serverName: name, place: p,
		judge: func(p *kube.CertPlace, chain []*x509.Certificate) { judgeServer(p, chain, trusted) },
	}
}

// judgeServer says what is wrong with an API server's certificate beside its dates.
func judgeServer(p *kube.CertPlace, chain []*x509.Certificate, trusted *trust) {
	p.Renew = renewalOf(p, chain[0], "apiserver", "kube-apiserver")
	if p.Note = trusted.fault(chain, time.Now()); p.Note != "" {
		p.Severity = kube.Notice // and not more: what we are let in by may be a proxy, with a certificate of its own
	}
}

// renewalOf says how a certificate of a control plane is renewed where its issuer tells who made it. Others than kubeadm call their
// CA kubernetes too, EKS among them, whose API servers are on no node that can be seen.
func renewalOf(p *kube.CertPlace, leaf *x509.Certificate, kubeadmName, component string) string {
	switch cn := leaf.Issuer.CommonName; {
	case (cn == "kubernetes" || cn == "etcd-ca") && p.Host == "":
		return "where kubeadm made it: kubeadm certs renew " + kubeadmName + ", on its control-plane node, then restart " + component
	case cn == "kubernetes", cn == "etcd-ca":
		return "kubeadm certs renew " + kubeadmName + ", then restart " + component
	case strings.HasPrefix(cn, "k3s-"):
		return "restart k3s: it renews what ends soon"
	case strings.HasPrefix(cn, "rke2-"):
		return "restart rke2-server: it renews what ends soon"
	}
	return ""
}

// ownServer looks at the server that we are connected to. A handshake of its own shows what it has now; the connection, which
// costs nothing, what it had when that was opened.
func (i *Inventory) ownServer(ctx context.Context, e endpoint) finding {
	f, refused := i.dialer.ask(ctx, e)
	if refused == nil {
		return f
	}
	limited, stop := context.WithTimeout(ctx, firstRequest)
	defer stop()
	err := i.cluster.Client().CoreV1().RESTClient().Get().AbsPath("/version").Do(limited).Error()
	chain := i.cluster.Served().Chain
	switch _, status := errors.AsType[*apierrors.StatusError](err); {
	case len(chain) > 0 && (err == nil || status || kube.Untrusted(err)):
		return e.seen(chain)
	case errors.Is(refused, errDialOff) && err != nil:
		return e.unseen(kube.Explain(err).Sentence)
	}
	return e.unseen(reason(refused))
}

// askAll looks at a few endpoints, all at a time as far as there is room.
func (i *Inventory) askAll(ctx context.Context, all []endpoint, put func(...finding)) {
	put = oneByOne(put)
	together(len(all), func(n int) {
		f, err := i.dialer.ask(ctx, all[n])
		if err != nil {
			f = all[n].unseen(reason(err))
		}
		if ctx.Err() == nil {
			put(f)
		}
	})
}

// serverAddresses are those behind the Service kubernetes, from its EndpointSlices, or Endpoints where only these are allowed.
func (i *Inventory) serverAddresses(ctx context.Context) ([]string, error) {
	client, out := i.cluster.Client(), []string(nil)
	list, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).
		List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes", Limit: pageSize})
	if err == nil {
		for _, s := range list.Items {
			for _, port := range s.Ports {
				for _, e := range s.Endpoints {
					out = append(out, hostPorts(e.Addresses, port.Port)...)
				}
			}
		}
		return distinct(out), nil
	}
	if !apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("list the endpoints of default/kubernetes: %w", err)
	}
	e, older := client.CoreV1().Endpoints(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if older != nil {
		return nil, fmt.Errorf("list the endpoints of default/kubernetes: %w", err)
	}
	for _, s := range e.Subsets {
		for _, port := range s.Ports {
			for _, a := range s.Addresses {
				out = append(out, hostPorts([]string{a.IP}, &port.Port)...)
			}
		}
	}
	return distinct(out), nil
}

func hostPorts(addresses []string, port *int32) (out []string) {
	if port == nil {
		return nil
	}
	for _, a := range addresses {
		out = append(out, net.JoinHostPort(a, strconv.Itoa(int(*port))))
	}
	return out
}

func distinct(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// byNode gives an address by the name of its node, where that is known.
func byNode(nodes []kubeNode, address string) (where, node string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, ""
	}
	for _, m := range nodes {
		if m.address == host {
			return m.name + ":" + port, m.name
		}
	}
	return address, ""
}

// trust is what the kubeconfig verifies the API server by.
type trust struct {
	roots *x509.CertPool // nil is the machine's own
	name  string
}

// trustOf gives nil if the kubeconfig verifies nothing, or cannot be read.
func trustOf(cfg *rest.Config, name string) *trust {
	loaded := rest.CopyConfig(cfg)
	if cfg.Insecure || rest.LoadTLSFiles(loaded) != nil {
		return nil
	}
	t := &trust{name: name}
	if len(loaded.CAData) > 0 {
		t.roots = x509.NewCertPool()
		t.roots.AppendCertsFromPEM(loaded.CAData)
	}
	return t
}

// fault says why a chain is not trusted, beside the dates of its leaf, which rows show anyway; "" if it is.
func (t *trust) fault(chain []*x509.Certificate, now time.Time) string {
	if t == nil {
		return ""
	}
	leaf, between := chain[0], x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if now.Before(leaf.NotBefore) {
		now = leaf.NotBefore
	}
	if now.After(leaf.NotAfter) {
		now = leaf.NotAfter
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: between, DNSName: t.name, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &unknown):
		return "the kubeconfig does not trust whoever signed it"
	case errors.As(err, &host):
		return "not valid for " + text.Clean(t.name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the CA that signed it is not valid now"
	}
	return "not trusted: " + text.Cut(text.Clean(err.Error()), longestReason, "…")
}
