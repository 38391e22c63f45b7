package certs

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// control is an API server that speaks TLS, and what it was shown by clients.
type control struct {
	*httptest.Server
	ca      *mint
	answers map[string]any // by path; everything else is not there

	mu     sync.Mutex
	shown  []int // how many certificates each connection came with
	tokens []string
}

// newControl serves with a certificate that has so much left, by an authority that kubeconfigs of it trust.
func newControl(t *testing.T, left time.Duration) *control {
	t.Helper()
	c := &control{ca: newMint(t, "kubernetes", time.Now().Add(3000*day)), answers: map[string]any{
		"/version":                            map[string]string{"gitVersion": "v1.36.3"},
		"/api/v1/namespaces/kube-system/pods": &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}},
	}}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.tokens = append(c.tokens, r.Header.Get("Authorization"))
		answer, ok := c.answers[r.URL.Path]
		c.mu.Unlock()
		w.Header().Set("Content-Type", asJSON)
		switch body := answer.(type) {
		case nil:
			answer = status(http.StatusNotFound, metav1.StatusReasonNotFound, r.URL.Path+" is not there")
		case metav1.Status:
			w.WriteHeader(int(body.Code))
		case string:
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, body)
			return
		}
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	own := c.ca.pair(server("kube-apiserver", left, "127.0.0.1"))
	c.TLS = &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.shown = append(c.shown, len(s.PeerCertificates))
			return nil
		},
	}
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain of whoever does not trust it
	c.StartTLS()
	t.Cleanup(c.Close)
	return c
}

// inventory connects as a user that has a client certificate and, if given, a token.
func (c *control) inventory(t *testing.T, o Options, anchor *x509.Certificate, token string) *Inventory {
	t.Helper()
	client := c.ca.pair(&x509.Certificate{NotAfter: time.Now().Add(day), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	user := clientcmdapi.AuthInfo{
		ClientCertificateData: asPEM(client.Leaf), ClientKeyData: keyPEM(t, client.PrivateKey.(crypto.Signer)), Token: token,
	}
	o.Context = "x"
	o.Kubeconfig = clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"c": {Server: c.URL, CertificateAuthorityData: asPEM(anchor)}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": &user}, CurrentContext: "x",
		Contexts: map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(o.Kubeconfig, file); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &file
	cluster, err := kube.Connect(kube.Options{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return New(cluster, o)
}

func (c *control) port(t *testing.T) int32 {
	t.Helper()
	_, port, err := net.SplitHostPort(c.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

// endpoints are the addresses of the Service kubernetes.
func (c *control) endpoints(t *testing.T, addresses ...string) {
	port := c.port(t)
	c.answers["/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"] = &discoveryv1.EndpointSliceList{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"},
		Items:    []discoveryv1.EndpointSlice{{Ports: []discoveryv1.EndpointPort{{Port: &port}}, Endpoints: []discoveryv1.Endpoint{{Addresses: addresses}}}},
	}
}

func (c *control) nodes(nodes ...corev1.Node) {
	c.answers["/api/v1/nodes"] = &corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}, Items: nodes}
}

func controlNode(name, address string, kubelet int32) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}}}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = kubelet
	return n
}

// served are findings by what rows say of them.
func served(all []finding) (out []string) {
	for _, f := range all {
		if f.cert == nil {
			continue
		}
		p, left := f.cert.Place(), f.cert.LeftText(time.Now())
		if f.cert.Unseen != "" {
			left = f.cert.Unseen
		}
		out = append(out, strings.Join(slices.DeleteFunc([]string{p.Name, p.Where, p.Host, left, p.Note}, func(s string) bool { return s == "" }), ", "))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sourceNamed(t *testing.T, i *Inventory, name string) *source {
	t.Helper()
	for _, s := range i.sources {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no source %q", name)
	return nil
}

func wantServed(t *testing.T, got []finding, want ...string) {
	t.Helper()
	slices.Sort(want)
	if w := served(got); !slices.Equal(w, want) {
		t.Errorf("it finds\n%s\nwant\n%s", strings.Join(w, "\n"), strings.Join(want, "\n"))
	}
}

// TestNothingIsSentButHandshakes looks at a whole cluster of servers that write down what they hear.
func TestNothingIsSentButHandshakes(t *testing.T) {
	c := newControl(t, 100*day)
	port := c.port(t)
	serving := func(name string, left time.Duration) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{c.ca.pair(server(name, left, "127.0.0.1"))}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
		}
	}
	other, atOther := tlsServer(t, "127.77.0.3:"+strconv.Itoa(int(port)), serving("other", 19*day))
	kubelet, atKubelet := tlsServer(t, "127.77.0.3:0", serving("kubelet", 200*day))
	etcd, atEtcd := tlsServer(t, "127.77.0.3:2379", serving("etcd", 50*day))
	peer, atPeer := tlsServer(t, "127.77.0.3:2380", serving("peer", 60*day))
	c.endpoints(t, "127.0.0.1", "127.77.0.3")
	c.nodes(controlNode("cp-2", "127.77.0.3", int32(kubelet.Addr().(*net.TCPAddr).Port)))
	const token = "very-secret-token"

	i := c.inventory(t, Options{Dial: true}, c.ca.cert, token)
	own := c.Listener.Addr().String()
	wantServed(t, reads(t, sourceNamed(t, i, "apiserver").read),
		"apiserver, "+own+", 99d", "apiserver, cp-2:"+strconv.Itoa(int(port))+", cp-2, 18d")
	wantServed(t, reads(t, sourceNamed(t, i, "kubelet serving").read), "kubelet serving, cp-2:"+strconv.Itoa(kubelet.Addr().(*net.TCPAddr).Port)+", cp-2, 199d")
	wantServed(t, reads(t, sourceNamed(t, i, "etcd").read), "etcd-server, cp-2:2379, cp-2, 49d", "etcd-peer, cp-2:2380, cp-2, 59d")

	for name, h := range map[string]*heard{"another API server": atOther, "a kubelet": atKubelet, "etcd": atEtcd, "a peer of etcd": atPeer} {
		<-h.ends
		h.mu.Lock()
		if len(h.after) > 0 || h.certificates > 0 {
			t.Errorf("%s was sent %d bytes after the handshake, and %d certificates", name, len(h.after), h.certificates)
		}
		if h.name != "" { // the kubeconfig has an address for its server, and SNI knows none
			t.Errorf("%s was asked for %q", name, h.name)
		}
		h.mu.Unlock()
	}
	c.mu.Lock()
	if n := slices.Max(c.shown); n == 0 || !slices.Contains(c.shown, 0) {
		t.Errorf("connections came with %d certificates: requests must have one, and handshakes none", c.shown)
	}
	if len(c.tokens) == 0 || slices.ContainsFunc(c.tokens, func(s string) bool { return s != "Bearer "+token }) {
		t.Errorf("requests came with the tokens %q", c.tokens)
	}
	c.mu.Unlock()

	before := other.came.Load() + kubelet.came.Load() + etcd.came.Load() + peer.came.Load()
	if before != 4 {
		t.Errorf("%d connections were made, want 4", before)
	}
	off := c.inventory(t, Options{}, c.ca.cert, token)
	off.dialer.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		t.Errorf("%s was dialled", address)
		return nil, io.EOF
	}
	const why = "handshakes are switched off"
	wantServed(t, reads(t, sourceNamed(t, off, "apiserver").read), "apiserver, "+own+", 99d", "apiserver, each control plane, "+why)
	wantServed(t, reads(t, sourceNamed(t, off, "kubelet serving").read), "kubelet serving, every node, "+why)
	wantServed(t, reads(t, sourceNamed(t, off, "etcd").read), "etcd-server, 1 control-plane node, "+why)
	if after := other.came.Load() + kubelet.came.Load() + etcd.came.Load() + peer.came.Load(); after != before {
		t.Errorf("%d connections were made with handshakes switched off", after-before)
	}
}

func TestTheCertificateOfAnAPIServerIsSeenThoughItCannotBeVerified(t *testing.T) {
	for name, dial := range map[string]bool{"by a handshake": true, "by our own connection": false} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t, -30*day)
			i := c.inventory(t, Options{Dial: dial}, c.ca.cert, "")
			var got []finding
			_ = sourceNamed(t, i, "apiserver").read(t.Context(), func(f ...finding) { got = append(got, f...) })
			if want := "apiserver, " + c.Listener.Addr().String() + ", EXPIRED 30d ago"; !slices.Contains(served(got), want) {
				t.Errorf("it finds %q, want %q", served(got), want)
			}
			foreign := newMint(t, "somebody", time.Now().Add(day))
			i = newControl(t, day).inventory(t, Options{Dial: dial}, foreign.cert, "")
			got = nil
			_ = sourceNamed(t, i, "apiserver").read(t.Context(), func(f ...finding) { got = append(got, f...) })
			if w := served(got)[0]; !strings.HasSuffix(w, "the kubeconfig does not trust whoever signed it") {
				t.Errorf("it finds %q", w)
			}
			if s := got[0].cert.Severity(kube.Moment{Now: time.Now().Add(-30 * day)}); s > kube.Notice && dial {
				t.Errorf("a certificate that is not trusted is %v by that alone", s)
			}
		})
	}
}

func TestAnAPIServerThatDoesNotAnswerIsARowThatSaysWhy(t *testing.T) {
	c := newControl(t, day)
	i := c.inventory(t, Options{Dial: true}, c.ca.cert, "")
	own := c.Listener.Addr().String()
	c.Close()
	var got []finding
	if err := sourceNamed(t, i, "apiserver").read(t.Context(), func(f ...finding) { got = append(got, f...) }); err == nil {
		t.Error("the source has not failed, so that nobody reads it again when the server is back")
	}
	wantServed(t, got, "apiserver, "+own+", refused")
}

func TestAddressesOfAPIServersComeFromEndpointsWhereSlicesAreForbidden(t *testing.T) {
	a := newAPI(t)
	a.forbids("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
	i := a.inventory(Options{})
	if _, err := i.serverAddresses(t.Context()); err == nil {
		t.Error("both are forbidden or absent, and that is no error")
	}
	a.has("/api/v1/namespaces/default/endpoints/kubernetes", &corev1.Endpoints{ //nolint:staticcheck // what is tested
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"},
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // what is tested
			Addresses: []corev1.EndpointAddress{{IP: "10.0.0.2"}, {IP: "fd00::1"}, {IP: "10.0.0.2"}},
			Ports:     []corev1.EndpointPort{{Port: 6443}},
		}},
	})
	got, err := i.serverAddresses(t.Context())
	if want := []string{"10.0.0.2:6443", "[fd00::1]:6443"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("it gives %q (%v), want %q", got, err, want)
	}
}

func TestWhatIsWrongWithAnAPIServersCertificate(t *testing.T) {
	ca, other := newMint(t, "kubernetes", time.Now().Add(day)), newMint(t, "other", time.Now().Add(day))
	old := newMint(t, "old", time.Now().Add(-day))
	pool := func(c *x509.Certificate) *x509.CertPool {
		p := x509.NewCertPool()
		p.AddCert(c)
		return p
	}
	for name, c := range map[string]struct {
		by       *mint
		template *x509.Certificate
		trust    *trust
		want     string
	}{
		"nothing":             {ca, server("api", day), &trust{pool(ca.cert), "api"}, ""},
		"nothing, expired":    {ca, server("api", -day), &trust{pool(ca.cert), "api"}, ""},
		"another authority":   {other, server("api", day), &trust{pool(ca.cert), "api"}, "the kubeconfig does not trust whoever signed it"},
		"another name":        {ca, server("api", day), &trust{pool(ca.cert), "10.0.0.1"}, "not valid for 10.0.0.1"},
		"the CA is over":      {old, server("api", day), &trust{pool(old.cert), "api"}, "the CA that signed it is not valid now"},
		"nothing is verified": {other, server("api", day), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			own := c.by.pair(c.template)
			var p kube.CertPlace
			judgeServer(&p, []*x509.Certificate{own.Leaf}, c.trust)
			if flagged := p.Severity == kube.Notice; flagged != (c.want != "") {
				t.Errorf("it is %s", p.Severity)
			}
			if p.Note != c.want {
				t.Errorf("it says %q, want %q", p.Note, c.want)
			}
		})
	}
}

func TestWhereOurConnectionGoes(t *testing.T) {
	for host, want := range map[string][2]string{
		"https://10.0.0.1:6443":       {"10.0.0.1:6443", "10.0.0.1"},
		"https://api.example.com":     {"api.example.com:443", "api.example.com"},
		"https://[fd00::1]:6443/path": {"[fd00::1]:6443", "fd00::1"},
		"http://localhost:8001":       {"", ""},
		"":                            {"", ""},
	} {
		i := newAPI(t).inventory(Options{})
		cfg := i.cluster.Config()
		cfg.Host = host
		if address, name := hostPort(cfg); address != want[0] || name != want[1] {
			t.Errorf("%q goes to %q as %q, want %q", host, address, name, want)
		}
		cfg.ServerName = "kubernetes"
		if _, name := hostPort(cfg); want[0] != "" && name != "kubernetes" {
			t.Errorf("with a server name it is verified as %q", name)
		}
	}
}

func TestEveryControlPlaneIsAskedByTheNameOfTheKubeconfig(t *testing.T) {
	c := newControl(t, day)
	other, heard := tlsServer(t, "127.77.0.4:"+strconv.Itoa(int(c.port(t))), &tls.Config{
		Certificates: []tls.Certificate{c.ca.pair(server("api.example.com", 20*day))}, MinVersion: tls.VersionTLS12,
	})
	c.endpoints(t, "127.77.0.4")
	i := c.inventory(t, Options{Dial: true}, c.ca.cert, "")
	i.cluster.Config().ServerName = "api.example.com"
	all := reads(t, i.serverSources()[0].read)
	wantServed(t, all, "apiserver, "+c.Listener.Addr().String()+", 23h, not valid for api.example.com", "apiserver, "+other.address()+", 19d")
	<-heard.ends
	heard.mu.Lock()
	defer heard.mu.Unlock()
	if heard.name != "api.example.com" {
		t.Errorf("it was asked for %q", heard.name)
	}
}

// EKS calls its CA as kubeadm does, and nobody can run kubeadm there.
func TestOnlyOfANodeItIsSaidThatKubeadmRenewsIt(t *testing.T) {
	x := newMint(t, "kubernetes", time.Now().Add(day)).pair(server("kube-apiserver", day))
	seen := func(where, host string) finding {
		return serverEndpoint(where, where, "api", host, nil).seen([]*x509.Certificate{x.Leaf})
	}
	if p := seen("abc.eks.example:443", "").cert.Place(); strings.HasPrefix(p.Renew, "kubeadm") {
		t.Errorf("of a server of nobody knows which node: %s", p.Renew)
	}
	for _, row := range merge([]finding{seen("api.example:443", ""), seen("cp-1:6443", "cp-1")}) {
		if p := row.Place(); p.Host != "cp-1" || !strings.HasPrefix(p.Renew, "kubeadm certs renew apiserver, ") {
			t.Errorf("behind a balancer it is renewed %q, at %s", p.Renew, p.Where)
		}
	}
}

func TestASilentAPIServerKeepsNothingElseWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.answers["/version"] = func(r *http.Request) (int, any) {
			<-r.Context().Done()
			return http.StatusServiceUnavailable, status(503, metav1.StatusReasonServiceUnavailable, "too late")
		}
		began := time.Now()
		f := a.inventory(Options{}).ownServer(t.Context(), serverEndpoint("api:443", "api:443", "api", "", nil))
		if waited := time.Since(began); f.cert.Unseen == "" || waited > firstRequest {
			t.Errorf("after %v: %+v", waited, f.cert)
		}
	})
}
