package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	// everyOwn is the pace of looking at our own credentials, which is done without asking anybody. Some live for minutes.
	everyOwn = 30 * time.Second
	// standing is how long a token must have been good for at least to be one that somebody has made and put there, and has to
	// make again: clients that renew theirs get hours, and kubelets renew those that are good for a year.
	standing = 60 * 24 * time.Hour
	// firstRequest bounds the wait for a request that shows which credentials are sent.
	firstRequest = 2 * time.Second
)

// ownSources are the credentials with which we are let in, as far as they are not in the kubeconfig itself, and what the API
// server says of those of its other clients.
func (i *Inventory) ownSources() []*source {
	var all []*source
	if where := ownTokenPlace(i.cluster.Config()); where != "" {
		all = append(all, &source{
			name: "our token", where: where, every: everyOwn, local: true,
			read: func(ctx context.Context, put func(...finding)) error { return i.ownCredentials(ctx, where, put) },
		})
	}
	return append(all, i.clientsSource())
}

// ownTokenPlace says where our token comes from, "" if the configuration has none. A file comes before what it was read from.
func ownTokenPlace(cfg *rest.Config) string {
	switch {
	case cfg.BearerTokenFile != "":
		return text.Clean(cfg.BearerTokenFile)
	case cfg.BearerToken != "":
		return "kubeconfig"
	case cfg.ExecProvider != nil:
		return "credential plugin " + text.Clean(filepath.Base(cfg.ExecProvider.Command))
	case cfg.AuthProvider != nil:
		return "auth provider " + text.Clean(cfg.AuthProvider.Name)
	}
	return ""
}

// ownCredentials puts what our last request has shown. If there was none, one is sent: it need not be answered.
func (i *Inventory) ownCredentials(ctx context.Context, where string, put func(...finding)) error {
	if !i.cluster.Served().Asked {
		limited, stop := context.WithTimeout(ctx, firstRequest)
		_ = i.cluster.Client().CoreV1().RESTClient().Get().AbsPath("/version").Do(limited).Error()
		stop()
	}
	cfg := i.cluster.Config()
	if t := i.cluster.Served().Token; t != nil {
		put(ownToken(where, cfg, t))
	}
	own, err := i.cluster.PluginCertificate()
	if err != nil {
		return fmt.Errorf("look at our own certificate: %w", err)
	}
	if own != nil {
		put(ownCertificate(where, own))
	}
	return nil
}

func ownPlace(name, where string) kube.CertPlace {
	return kube.CertPlace{
		Source: kube.FromToken, Name: name, Where: where, Class: kube.ShortLived, Ours: true,
		Danger: kube.LocksUsOut, Breaks: "the API server does not let us in any more",
	}
}

// ownToken makes a finding of our token.
func ownToken(where string, cfg *rest.Config, t *kube.BearerToken) finding {
	p := ownPlace("our token", where)
	p.Use = kube.Token
	c := &kube.Cert{UID: "place:our token", Name: p.Name, Kind: kube.Token, To: t.Expiry}
	kept := cfg.BearerTokenFile == "" && cfg.BearerToken != ""
	switch {
	case !t.JWT:
		c.Unseen = "not a JWT: only the API server knows its end"
	case t.Expiry.IsZero():
		p.Class, p.Note = kube.WithoutExpiry, "it has no end"
	case kept && (t.Issued.IsZero() || t.Expiry.Sub(t.Issued) >= standing):
		p.Class = kube.ByHand
	}
	if kept {
		p.Renew = "kubectl create token, or log in again, and put the new token into the kubeconfig"
	}
	if !t.Warned.IsZero() && (t.Expiry.IsZero() || t.Warned.Before(t.Expiry)) {
		c.Warned = t.Warned
	}
	c.Places = []kube.CertPlace{p}
	return finding{slot: "our token", cert: c}
}

// ownCertificate makes a finding of the client certificate that a credential plugin has given.
func ownCertificate(where string, own *x509.Certificate) finding {
	p := ownPlace("our certificate", where)
	return certificate("our certificate", kube.ClientCert, p, summary(own))
}

// clientCertificates is how long the certificates had left that clients came with, a histogram of their requests since
// the API server was started (x509.go in k8s.io/apiserver/pkg/authentication/request/x509). It counts what has expired too.
const (
	clientCertificates = "apiserver_client_certificate_expiration_seconds_bucket"
	expiredBucket      = clientCertificates + `{le="0"}`
	dayBucket          = clientCertificates + `{le="86400"}`
)

// clientsSource asks the API server whether clients come with certificates that are about to expire. It does not say which.
// Whoever may not read its metrics is told nothing of it.
func (i *Inventory) clientsSource() *source {
	s := &source{name: "clients of the API server", where: "/metrics", every: everyList}
	var mu sync.Mutex
	var last map[string]float64
	s.read = func(ctx context.Context, put func(...finding)) error {
		got, err := i.samples(ctx, "/metrics", clientCertificates)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if f, ok := endingClients(got, last); ok {
			put(f)
		}
		last = got
		return nil
	}
	return s
}

// endingClients is the row of clients whose certificates have less than a day left. Requests since the last reading are
// a warning: it goes on.
func endingClients(got, last map[string]float64) (finding, bool) {
	if got[dayBucket] <= 0 {
		return finding{}, false
	}
	p := kube.CertPlace{
		Source: kube.FromMetric, Name: "clients of the API server", Where: "/metrics", Danger: kube.BreaksNode,
		Breaks: "whoever these clients are: the API server counts requests and tells no names",
	}
	requests := func(n float64) string { return text.Plural(int(min(n, 1e9)), "request", "requests") }
	why := requests(got[dayBucket]) + " came with a certificate of less than a day"
	if n := got[expiredBucket]; n > 0 {
		why += ", " + text.Count(int(min(n, 1e9))) + " with an expired one"
	}
	if more := got[dayBucket] - last[dayBucket]; last != nil && more > 0 {
		p.Severity = kube.Warning
		p.Note = requests(more) + " since the last reading"
	}
	return unseen("clients", p, strings.TrimSpace(why)), true
}
