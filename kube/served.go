package kube

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// Served is what our own connection to the API server shows beside its answers. It holds nothing secret.
type Served struct {
	Asked bool // a request has been sent, or tried
	// Chain is what the server has shown last, leaf first, also if it could not be verified; nil before it has. It is that of the
	// connection, which stays open: a server that has loaded another certificate since shows that to new connections only.
	Chain []*x509.Certificate
	Token *BearerToken // that was sent last; nil if none was
}

// BearerToken is what is known of a token by looking at it: the claims of a JWT (RFC 7519) that say how long it is good for,
// not verified, and nothing else of it. Times are zero where it does not say.
type BearerToken struct {
	JWT            bool // if not, nobody but the server can say when it ends
	Issued, Expiry time.Time
	// Warned is when it was meant to be replaced: kubernetes.io.warnafter, of tokens whose life the API server has extended
	// (pkg/serviceaccount/claims.go in k8s.io/kubernetes).
	Warned time.Time
}

// Served gives what our own connection has shown so far.
func (c *Cluster) Served() Served { return c.witness.now() }

// PluginCertificate gives the client certificate of the credential plugin that the kubeconfig names: nil if there is none,
// or none yet. A plugin whose last answer has expired is run, as it would be by the next request.
func (c *Cluster) PluginCertificate() (*x509.Certificate, error) {
	return c.witness.pluginCertificate()
}

// witness looks on from the innermost layer of our client, below those that add credentials. What it does for a request that
// shows nothing new is one hash and two comparisons.
type witness struct {
	scheme, host string // nothing is sent to any other

	seed  maphash.Seed
	asked atomic.Bool
	leaf  atomic.Pointer[x509.Certificate]
	sum   atomic.Uint64 // of the Authorization header, with a seed of this process alone

	mu     sync.Mutex
	cur    Served
	plugin *transport.GetCertHolder
}

func newWitness() *witness { return &witness{seed: maphash.MakeSeed()} }

// watch has every client that is made of the configuration looked at.
func (w *witness) watch(cfg *rest.Config) error {
	w.scheme, w.host = hostOf(cfg)
	outer := cfg.WrapTransport
	cfg.WrapTransport = transport.Wrappers(func(rt http.RoundTripper) http.RoundTripper { return &watched{w, rt} }, outer)
	if cfg.ExecProvider == nil {
		return nil
	}
	made, err := cfg.TransportConfig() // now: another description of the plugin would be another run of it
	if err != nil {
		return fmt.Errorf("use the credential plugin of the kubeconfig: %w", err)
	}
	w.plugin = made.TLS.GetCertHolder
	return nil
}

// hostOf gives the scheme, and host or host:port, as requests have them; "" if the configuration is no good.
func hostOf(cfg *rest.Config) (scheme, host string) {
	u, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return "", ""
	}
	return u.Scheme, u.Host
}

func (w *witness) now() Served {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.cur
	out.Asked = w.asked.Load()
	return out
}

func (w *witness) pluginCertificate() (*x509.Certificate, error) {
	if w.plugin == nil {
		return nil, nil
	}
	pair, err := w.plugin.GetCert()
	if err != nil {
		return nil, fmt.Errorf("get the certificate of the credential plugin: %w", err)
	}
	if pair == nil || len(pair.Certificate) == 0 {
		return nil, nil
	}
	own, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the credential plugin: %w", err)
	}
	return own, nil
}

// watched is a transport that is looked at.
type watched struct {
	*witness
	base http.RoundTripper
}

// WrappedRoundTripper implements net.RoundTripperWrapper of k8s.io/apimachinery, by which client-go finds the transport below.
func (w *watched) WrappedRoundTripper() http.RoundTripper { return w.base }

// errElsewhere is why an answer is not followed to another host. An aggregated API, or a kubelet behind the API server's proxy, may
// give such an answer too, and client-go adds our credentials to whatever it sends (CVE-2022-3172 was of that kind).
var errElsewhere = errors.New("the answer leads to another host, to which our credentials are not sent")

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != w.host || r.URL.Scheme != w.scheme {
		return nil, errElsewhere
	}
	w.sent(r.Header.Get("Authorization"))
	res, err := w.base.RoundTrip(r)
	switch {
	case err != nil:
		w.shown(distrusted(err))
	case res.TLS != nil:
		w.shown(res.TLS.PeerCertificates)
	}
	return res, err //nolint:wrapcheck // it is passed through
}

// distrusted gives what a server has shown that could not be verified. What a proxy has shown is not the server's.
func distrusted(err error) []*x509.Certificate {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return nil
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return bad.UnverifiedCertificates
	}
	return nil
}

// shown notes a chain. crypto/tls gives the same pointers for equal certificates while any of them is in use.
func (w *witness) shown(chain []*x509.Certificate) {
	if len(chain) == 0 || w.leaf.Load() == chain[0] {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Chain = chain
	w.leaf.Store(chain[0])
}

// sent notes what a request says of who we are.
func (w *witness) sent(authorization string) {
	sum := maphash.String(w.seed, authorization)
	if w.asked.Load() && w.sum.Load() == sum {
		return
	}
	token := bearer(authorization)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Token = token
	w.sum.Store(sum)
	w.asked.Store(true)
}

// bearer reads an Authorization header; nil is no bearer token.
func bearer(authorization string) *BearerToken {
	kind, token, _ := strings.Cut(authorization, " ")
	if token == "" || !strings.EqualFold(kind, "Bearer") {
		return nil
	}
	return lookAtToken([]byte(strings.TrimSpace(token)))
}

// longestToken is more than any server takes: net/http allows 1 MiB of headers in all.
const longestToken = 1 << 20

// lookAtToken reads the dates of a token.
func lookAtToken(token []byte) *BearerToken {
	parts := bytes.Split(token, []byte("."))
	if len(parts) != 3 || len(token) > longestToken {
		return &BearerToken{}
	}
	raw := make([]byte, base64.RawURLEncoding.DecodedLen(len(parts[1])))
	n, err := base64.RawURLEncoding.Decode(raw, bytes.TrimRight(parts[1], "="))
	if err != nil {
		return &BearerToken{}
	}
	var claims struct {
		Expiry     numericDate `json:"exp"`
		Issued     numericDate `json:"iat"`
		Kubernetes struct {
			Warned numericDate `json:"warnafter"`
		} `json:"kubernetes.io"`
	}
	if json.Unmarshal(raw[:n], &claims) != nil {
		return &BearerToken{}
	}
	return &BearerToken{
		JWT: true, Issued: claims.Issued.time(), Expiry: claims.Expiry.time(), Warned: claims.Kubernetes.Warned.time(),
	}
}

// numericDate is seconds since 1970, perhaps with a fraction (RFC 7519, 2).
type numericDate float64

// furthest is the year 9999, beyond which dates cannot be written down.
const furthest = 253402300799

func (d numericDate) time() time.Time {
	if d <= 0 || d > furthest || math.IsNaN(float64(d)) {
		return time.Time{}
	}
	return time.Unix(int64(d), 0)
}

// Untrusted reports whether an error is that the server's certificate could not be verified, so that it has been seen.
func Untrusted(err error) bool { return len(distrusted(err)) > 0 }
