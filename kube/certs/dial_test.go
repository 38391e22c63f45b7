package certs

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/kube"
)

// pair issues a certificate with its key, and its authority's after it.
func (m *mint) pair(template *x509.Certificate) tls.Certificate {
	m.t.Helper()
	key := mintKey(m.t)
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	leaf := m.sign(template, key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, m.cert.Raw}, PrivateKey: key, Leaf: leaf}
}

// server is the template of a server's certificate with so much left.
func server(name string, left time.Duration, addresses ...string) *x509.Certificate {
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-100 * day), NotAfter: time.Now().Add(left),
		DNSNames: []string{name, inCluster}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, a := range addresses {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(a))
	}
	return c
}

// listener serves connections at an address of this machine, and counts them.
type listener struct {
	net.Listener
	came atomic.Int32
}

func listen(t *testing.T, address string, serve func(net.Conn)) *listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	out := &listener{Listener: l}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			out.came.Add(1)
			all.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return out
}

// heard is what a server has heard of a client.
type heard struct {
	mu           sync.Mutex
	name         string // SNI
	certificates int    // of the client
	after        []byte // what came after the handshake
	ends         chan struct{}
}

// tlsServer serves TLS and writes down what clients send.
func tlsServer(t *testing.T, address string, cfg *tls.Config) (*listener, *heard) {
	t.Helper()
	h := &heard{ends: make(chan struct{}, 100)}
	l := listen(t, address, func(raw net.Conn) {
		defer func() { h.ends <- struct{}{} }()
		conn := tls.Server(raw, cfg)
		err := conn.HandshakeContext(t.Context())
		state := conn.ConnectionState()
		var rest []byte
		if err == nil {
			rest, _ = io.ReadAll(conn)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.name, h.certificates, h.after = state.ServerName, len(state.PeerCertificates), append(h.after, rest...)
	})
	return l, h
}

func (l *listener) address() string { return l.Addr().String() }

func TestAHandshakeShowsTheChainOfWhateverServes(t *testing.T) {
	ca := newMint(t, "etcd-ca", time.Now().Add(1000*day))
	for name, c := range map[string]struct {
		left time.Duration
		cfg  *tls.Config
	}{
		"TLS 1.2":                {day, &tls.Config{MaxVersion: tls.VersionTLS12}},
		"TLS 1.3":                {day, &tls.Config{MinVersion: tls.VersionTLS13}},
		"mTLS by 1.2":            {day, &tls.Config{MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}},
		"mTLS by 1.3":            {day, &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert}},
		"expired":                {-30 * day, &tls.Config{MinVersion: tls.VersionTLS12}},
		"expired, mTLS, old TLS": {-30 * day, &tls.Config{MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}},
		"not valid yet":          {3000 * day, &tls.Config{MinVersion: tls.VersionTLS12}},
	} {
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			t.Run(name+" at "+host, func(t *testing.T) {
				template := server("etcd", c.left)
				if c.left > 2000*day {
					template.NotBefore = time.Now().Add(day)
				}
				own := ca.pair(template)
				cfg := c.cfg.Clone()
				cfg.Certificates, cfg.ClientCAs = []tls.Certificate{own}, x509.NewCertPool()
				l, h := tlsServer(t, host+":0", cfg)
				chain, err := newDialer(true).handshake(t.Context(), l.address(), "etcd")
				if err != nil {
					t.Fatal(err)
				}
				if len(chain) != 2 || !chain[0].Equal(own.Leaf) || !chain[1].Equal(ca.cert) {
					t.Errorf("the chain has %d certificates", len(chain))
				}
				<-h.ends
				h.mu.Lock()
				defer h.mu.Unlock()
				if len(h.after) != 0 || h.certificates != 0 || h.name != "etcd" {
					t.Errorf("it was sent %d bytes after the handshake, and %d certificates, for the name %q", len(h.after), h.certificates, h.name)
				}
			})
		}
	}
}

func TestServersOfOldShowTheirCertificateToo(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ca := newMint(t, "ca", time.Now().Add(day))
	leaf := ca.sign(server("old", day), key)
	own := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		l, h := tlsServer(t, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: version, MaxVersion: version})
		chain, err := newDialer(true).handshake(t.Context(), l.address(), "")
		if err != nil || !chain[0].Equal(leaf) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		<-h.ends
	}
}

func TestWhatDoesNotAnswerSaysWhyInAFewWords(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"plain HTTP": {func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 16))
			_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
			_, _ = io.Copy(io.Discard, c)
		}, "not TLS"},
		"speaks first": {func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, "not TLS"},
		"closes": {func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 16)) }, "closed the connection"},
		"no cipher in common": {func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return nil, errors.New("no")
			}}).HandshakeContext(context.Background())
		}, "refused the handshake: internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0", c.serve)
			_, err := newDialer(true).handshake(t.Context(), l.address(), "")
			if got := reason(err); got != c.want {
				t.Errorf("the reason is %q, want %q (%v)", got, c.want, err)
			}
		})
	}
	_, err = newDialer(true).handshake(t.Context(), closed.Addr().String(), "")
	if got := reason(err); got != "refused" {
		t.Errorf("the reason is %q (%v)", got, err)
	}
	_, err = newDialer(true).handshake(t.Context(), "no-such-host.invalid:1", "")
	if got := reason(err); got != "name not found" {
		t.Errorf("the reason is %q (%v)", got, err)
	}
}

func TestAServerThatHangsIsGivenUpAfterTwoSeconds(t *testing.T) {
	for name, dial := range map[string]func(ctx context.Context) (net.Conn, error){
		"in the handshake": func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		},
		"before": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDialer(true)
				d.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
				began := time.Now()
				_, err := d.handshake(t.Context(), "10.0.0.1:10250", "")
				if took := time.Since(began); took != dialLimit || reason(err) != "timed out after 2s" {
					t.Errorf("after %v: %q", took, reason(err))
				}
			})
		})
	}
}

func TestWithHandshakesSwitchedOffNothingIsDialled(t *testing.T) {
	d := newDialer(false)
	d.dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("something was dialled")
		return nil, io.EOF
	}
	if _, err := d.handshake(t.Context(), "127.0.0.1:1", ""); reason(err) != "handshakes are switched off" {
		t.Errorf("the reason is %v", err)
	}
	if _, err := d.ask(t.Context(), endpoint{address: ":10250"}); reason(err) != "handshakes are switched off" {
		t.Errorf("the reason is %v", err)
	}
}

func TestANodeWithoutAddressIsNotTakenForThisMachine(t *testing.T) {
	d := newDialer(true)
	d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		t.Errorf("%s was dialled", address)
		return nil, io.EOF
	}
	if _, err := d.ask(t.Context(), kubeletEndpoint(kubeNode{name: "n", port: kubeletPort})); reason(err) != "the node has no InternalIP" {
		t.Errorf("the reason is %v", err)
	}
}

func TestLookingAgainShowsTheCertificateOfNow(t *testing.T) {
	ca := newMint(t, "kubernetes", time.Now().Add(1000*day))
	var serving atomic.Pointer[tls.Certificate]
	show := func(left time.Duration) *x509.Certificate {
		own := ca.pair(server("etcd", left))
		serving.Store(&own)
		return own.Leaf
	}
	show(-day)
	l, _ := tlsServer(t, "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serving.Load(), nil },
	})
	e := endpoint{slot: "etcd-server cp-1", address: l.address(), judge: judgeKubelet, place: kube.CertPlace{
		Source: kube.FromHandshake, Name: "etcd-server", Where: "cp-1:2379", Danger: kube.BreaksCluster,
	}}
	i := newAPI(t).inventory(Options{Dial: true})
	s := &source{name: "etcd", read: func(ctx context.Context, put func(...finding)) error {
		f, err := i.dialer.ask(ctx, e)
		put(f)
		return err
	}}
	i.sources = []*source{s}
	i.found[s] = map[string]finding{}
	if err := (&reading{source: s, inventory: i}).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.show()
	row := i.All()[0]
	if got := row.LeftText(time.Now()); !strings.HasPrefix(got, "EXPIRED") {
		t.Fatalf("the row says %q", got)
	}
	renewed := show(300 * day)
	got, err := i.Look(t.Context(), row, row.Place())
	if err != nil || got.Fingerprint != summary(renewed).Fingerprint {
		t.Fatalf("it shows %+v (%v)", got, err)
	}
	i.show()
	fresh := i.All()[0]
	if fresh.UID == row.UID || fresh.Place().Before != row.X509.Fingerprint || fresh.LeftText(time.Now()) != "299d" {
		t.Errorf("the row is %+v", fresh)
	}
	if _, err := i.Look(t.Context(), row, row.Place()); err != nil {
		t.Errorf("by the old row: %v", err)
	}
	_ = l.Close()
	if _, err := i.Look(t.Context(), fresh, fresh.Place()); err == nil || err.Error() != "look at cp-1:2379 again: refused" {
		t.Errorf("once it is down: %v", err)
	}
	elsewhere := fresh.Place()
	elsewhere.Where = "cp-2:2379"
	if _, err := i.Look(t.Context(), fresh, elsewhere); err == nil {
		t.Error("a place that is not known was looked at")
	}
}

// A runbook looks every few seconds: at one object, however many there are, and at no other kubelet.
func TestLookingAgainAtOneObjectAsksForNoOther(t *testing.T) {
	ca := newMint(t, "corp", secretTo)
	a := newAPI(t)
	secret := secretOf("web", map[string][]byte{"tls.crt": asPEM(ca.leaf("shop", secretTo, "shop.example"))})
	other := secretOf("web", map[string][]byte{"x.pem": asPEM(ca.leaf("shop", secretTo, "shop.example"))})
	metrics := 0
	a.has("/api/v1/namespaces/shop/secrets?"+selectTLS+",metadata.name=web", proto(t, &corev1.SecretList{Items: []corev1.Secret{secret}}))
	a.has("/api/v1/namespaces/shop/secrets?"+selectOther+",metadata.name=web", proto(t, &corev1.SecretList{Items: []corev1.Secret{other}}))
	a.answers["/api/v1/nodes/gpu-01/proxy/metrics"] = func(*http.Request) (int, any) {
		metrics++
		return http.StatusOK, []byte(kubeletText)
	}
	i := a.inventory(Options{KubeletMetrics: true, SecretKeys: []string{"*.pem"}})
	crd := objectPlace(&meta{name: "wells.example.com", uid: "u"}, "crd", "CRD", "wells.example.com CA")
	a.has("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?metadata.name=wells.example.com", listOf("apiextensions.k8s.io/v1", "CustomResourceDefinition",
		msg(1, metaOf("wells.example.com"), 2, msg(9, msg(2, msg(2, msg(2, asPEM(ca.cert))))))))
	crd.Object.UID = "uid-of-wells.example.com"
	metric, others := i.kubeletMetricsSource(), i.secretSource(otherSecrets(i.options.SecretKeys))
	inOthers := reads(t, func(ctx context.Context, put func(...finding)) error {
		return others.look(ctx, kube.CertPlace{Object: kube.Ref{Namespace: "shop", Name: "web"}}, put)
	})
	for name, at := range map[string]struct {
		source *source
		old    finding
		unseen string // why there is no certificate, though it was looked at
	}{
		"a TLS Secret":  {i.secretSource(tlsSecrets), tlsOf(t, secret)[0], ""},
		"another one":   {others, inOthers[0], ""},
		"a kubelet":     {metric, ending("kubelet client gpu-01", kube.ClientCert, kube.CertPlace{Source: kube.FromMetric, Name: "kubelet client", Where: "gpu-01:10250/metrics", Host: "gpu-01"}, time.Now()), "there is no certificate"},
		"a CRD":         {i.bundleSources()[len(i.configMapSources())+len(i.webhookSources())], certificate("crd", kube.Authority, crd, x509Of("old", day)), ""},
		"many kubelets": {metric, unseen("many", kube.CertPlace{Source: kube.FromMetric, Name: "kubelet client", Where: "20 nodes"}, "no"), errNotAll.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(a.asked)
			i.found = map[*source]map[string]finding{at.source: {at.old.slot: at.old}}
			got, err := i.Look(t.Context(), at.old.cert, at.old.cert.Place())
			if at.unseen == "" && (err != nil || got == nil) || at.unseen != "" && (err == nil || !strings.HasSuffix(err.Error(), at.unseen)) {
				t.Errorf("it shows %v (%v)", got, err)
			}
			if n := len(a.asked) - before; n > 1 {
				t.Errorf("%d requests: %q", n, a.asked[before:])
			}
		})
	}
	if metrics != 1 {
		t.Errorf("the kubelet was asked %d times", metrics)
	}
}

// The anchor that was there is not there any more, and the one that has come in its place is what somebody waits for.
func TestLookingAgainAtABundleShowsWhatIsThereInstead(t *testing.T) {
	place := kube.CertPlace{Source: kube.FromObject, Name: "vpolicy CA", Where: "webhook vpolicy"}
	old, kept, fresh := x509Of("old", day), x509Of("kept", 20*day), x509Of("new", 300*day)
	i := newAPI(t).inventory(Options{})
	var says said
	s := &source{name: "webhooks", read: says.read}
	i.sources, i.found = []*source{s}, map[*source]map[string]finding{s: {}}
	for _, f := range bundle("vpolicy", place, old, kept) {
		i.found[s][f.slot] = f
	}
	says.say(nil, bundle("vpolicy", place, kept, fresh)...)
	i.show()
	for range 2 { // by the row that is gone, too
		got, err := i.Look(t.Context(), &kube.Cert{UID: "sha256:old"}, place)
		if err != nil || got.Fingerprint != "new" {
			t.Fatalf("it shows %+v (%v)", got, err)
		}
	}
	i.show()
	if _, ok := i.Find("sha256:old"); ok || len(i.All()) != 2 {
		t.Errorf("the rows are %v", i.All())
	}
}

func TestLookingAgainAtAFileReadsNoMoreOfItsSourceThanItTakes(t *testing.T) {
	now, stopped := x509Of("new", 300*day), false
	i := newAPI(t).inventory(Options{})
	place := kube.CertPlace{Source: kube.FromFile, Name: "apiserver", Where: "/etc/kubernetes/pki/apiserver.crt"}
	s := &source{name: "files", read: func(ctx context.Context, put func(...finding)) error {
		put(certificate("other", kube.ServingCert, kube.CertPlace{}, x509Of("other", day)))
		put(certificate("apiserver.crt", kube.ServingCert, place, now))
		stopped = ctx.Err() != nil
		return ctx.Err()
	}}
	old := certificate("apiserver.crt", kube.ServingCert, place, x509Of("old", day))
	i.found[s] = map[string]finding{old.slot: old}
	got, err := i.Look(t.Context(), old.cert, old.cert.Place())
	if err != nil || got != now || !stopped {
		t.Errorf("it shows %+v (%v), and was stopped: %t", got, err, stopped)
	}
	s.read = func(context.Context, func(...finding)) error { return nil }
	if _, err := i.Look(t.Context(), old.cert, old.cert.Place()); err == nil || !strings.Contains(err.Error(), "nothing is found there any more") {
		t.Errorf("once the file is gone: %v", err)
	}
}
