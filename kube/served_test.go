package kube_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientcmd "k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// selfSigned makes a certificate for 127.0.0.1 that is its own authority.
func selfSigned(t *testing.T, name string, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(to.Unix()), Subject: pkix.Name{CommonName: name}, NotBefore: to.Add(-1000 * time.Hour), NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// versionServer is an API server that knows its version and nothing else.
func versionServer(t *testing.T, own tls.Certificate) *httptest.Server {
	return serverOf(t, own, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	}))
}

func serverOf(t *testing.T, own tls.Certificate, answer http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// connected connects to a server as a user, by a kubeconfig that trusts these authorities.
func connected(t *testing.T, s *httptest.Server, user clientcmdapi.AuthInfo, trusted ...*x509.Certificate) *kube.Cluster {
	t.Helper()
	var anchors []byte
	for _, c := range trusted {
		anchors = append(anchors, pemOf("CERTIFICATE", c.Raw)...)
	}
	file := filepath.Join(t.TempDir(), "config")
	config := clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"c": {Server: s.URL, CertificateAuthorityData: anchors}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": &user}, CurrentContext: "x",
		Contexts: map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
	}
	if err := clientcmd.WriteToFile(config, file); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &file
	cluster, err := kube.Connect(kube.Options{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func version(t *testing.T, c *kube.Cluster) error {
	t.Helper()
	return c.Client().CoreV1().RESTClient().Get().AbsPath("/version").Do(t.Context()).Error()
}

// jwt is a token with these claims, and a signature that nobody looks at.
func jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(raw) + "." + part([]byte("secret-signature"))
}

func TestOurOwnConnectionShowsWhatTheServerServes(t *testing.T) {
	own := selfSigned(t, "api", time.Now().Add(time.Hour))
	s := versionServer(t, own)
	c := connected(t, s, clientcmdapi.AuthInfo{}, own.Leaf)
	if got := c.Served(); got.Asked || got.Chain != nil || got.Token != nil {
		t.Errorf("before the first request there is %+v", got)
	}
	if err := version(t, c); err != nil {
		t.Fatal(err)
	}
	got := c.Served()
	if !got.Asked || len(got.Chain) != 1 || !got.Chain[0].Equal(own.Leaf) || got.Token != nil {
		t.Errorf("it shows %+v", got)
	}
}

func TestACertificateThatCannotBeVerifiedIsSeenAllTheSame(t *testing.T) {
	for name, ends := range map[string]time.Duration{"expired": -time.Hour, "of another authority": time.Hour} {
		t.Run(name, func(t *testing.T) {
			own := selfSigned(t, "api", time.Now().Add(ends))
			trusted := own.Leaf
			if ends > 0 {
				trusted = selfSigned(t, "other", time.Now().Add(ends)).Leaf
			}
			c := connected(t, versionServer(t, own), clientcmdapi.AuthInfo{Token: "opaque"}, trusted)
			err := version(t, c)
			if !kube.Untrusted(err) {
				t.Fatalf("the error is %v", err)
			}
			if got := c.Served(); len(got.Chain) != 1 || !got.Chain[0].Equal(own.Leaf) {
				t.Errorf("it shows %+v", got)
			}
		})
	}
}

func TestOfATokenNothingIsKeptButItsDates(t *testing.T) {
	at := time.Now().Truncate(time.Second)
	claims := func(more map[string]any) map[string]any {
		all := map[string]any{"sub": "jane-the-subject", "iss": "https://issuer.example", "iat": at.Unix()}
		maps.Copy(all, more)
		return all
	}
	extended := map[string]any{
		"exp":           at.Add(8760 * time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "the-namespace", "warnafter": at.Add(time.Hour).Unix()},
	}
	for name, c := range map[string]struct {
		token string
		want  kube.BearerToken
	}{
		"of OIDC":            {jwt(t, claims(map[string]any{"exp": at.Add(time.Hour).Unix()})), kube.BearerToken{JWT: true, Issued: at, Expiry: at.Add(time.Hour)}},
		"with a fraction":    {jwt(t, claims(map[string]any{"exp": float64(at.Unix()) + 0.5})), kube.BearerToken{JWT: true, Issued: at, Expiry: at}},
		"extended":           {jwt(t, claims(extended)), kube.BearerToken{JWT: true, Issued: at, Expiry: at.Add(8760 * time.Hour), Warned: at.Add(time.Hour)}},
		"without an end":     {jwt(t, claims(nil)), kube.BearerToken{JWT: true, Issued: at}},
		"opaque":             {"k8s-aws-v1.aHR0cHM6Ly9zdHM", kube.BearerToken{}},
		"three words":        {"a.b.c", kube.BearerToken{}},
		"exp is no number":   {jwt(t, map[string]any{"exp": "soon"}), kube.BearerToken{}},
		"exp beyond reason":  {jwt(t, map[string]any{"exp": 1e300}), kube.BearerToken{JWT: true}},
		"exp before time":    {jwt(t, map[string]any{"exp": -5}), kube.BearerToken{JWT: true}},
		"claims that repeat": {jwt(t, map[string]any{"exp": at.Unix(), "kubernetes.io": nil}), kube.BearerToken{JWT: true, Expiry: at}},
	} {
		t.Run(name, func(t *testing.T) {
			own := selfSigned(t, "api", time.Now().Add(time.Hour))
			cluster := connected(t, versionServer(t, own), clientcmdapi.AuthInfo{Token: c.token}, own.Leaf)
			if err := version(t, cluster); err != nil {
				t.Fatal(err)
			}
			got := cluster.Served().Token
			if got == nil || !reflect.DeepEqual(*got, c.want) {
				t.Errorf("of %s is kept %+v, want %+v", c.token, got, c.want)
			}
			shown := fmt.Sprintf("%+v %#v", cluster.Served(), got)
			for _, secret := range []string{c.token, "jane-the-subject", "the-namespace", "secret-signature", "issuer.example"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%s is kept", secret)
				}
			}
		})
	}
}

func TestATokenThatIsReplacedIsSeenAtTheNextRequest(t *testing.T) {
	own := selfSigned(t, "api", time.Now().Add(time.Hour))
	s := versionServer(t, own)
	at := time.Now().Truncate(time.Second)
	dir := t.TempDir()
	answer := filepath.Join(dir, "answer")
	give := func(status string) {
		t.Helper()
		body := `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":` + status + `}`
		if err := os.WriteFile(answer, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plugin := clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "cat", Args: []string{answer}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
	c := connected(t, s, plugin, own.Leaf)
	for _, life := range []time.Duration{time.Hour, 2 * time.Hour} {
		token := jwt(t, map[string]any{"exp": at.Add(life).Unix()})
		give(`{"token":"` + token + `","expirationTimestamp":"2020-01-01T00:00:00Z"}`) // so that it is asked again each time
		if err := version(t, c); err != nil {
			t.Fatal(err)
		}
		if got := c.Served().Token; got == nil || !got.Expiry.Equal(at.Add(life)) {
			t.Errorf("after %v it shows %+v", life, got)
		}
	}
}

func TestTheClientCertificateOfAPluginIsSeenAndItsKeyIsNot(t *testing.T) {
	own := selfSigned(t, "api", time.Now().Add(time.Hour))
	client := selfSigned(t, "client", time.Now().Add(20*time.Minute))
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": map[string]any{
			"clientCertificateData": string(pemOf("CERTIFICATE", client.Certificate[0])), "clientKeyData": string(pemOf("PRIVATE KEY", key)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := filepath.Join(t.TempDir(), "answer")
	if err := os.WriteFile(answer, body, 0o600); err != nil {
		t.Fatal(err)
	}
	c := connected(t, versionServer(t, own), clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "cat", Args: []string{answer}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}, own.Leaf)
	if err := version(t, c); err != nil {
		t.Fatal(err)
	}
	got, err := c.PluginCertificate()
	if err != nil || got == nil || !got.Equal(client.Leaf) {
		t.Errorf("the plugin's certificate is %v (%v)", got, err)
	}
	plain := connected(t, versionServer(t, own), clientcmdapi.AuthInfo{Token: "opaque"}, own.Leaf)
	if got, err := plain.PluginCertificate(); got != nil || err != nil {
		t.Errorf("without a plugin its certificate is %v (%v)", got, err)
	}
}

func TestAnAnswerThatLeadsElsewhereIsNotFollowedWithOurToken(t *testing.T) {
	own := selfSigned(t, "api", time.Now().Add(time.Hour))
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var reached atomic.Int32
			notes := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
			other := serverOf(t, own, notes)
			if scheme == "http" {
				other = httptest.NewServer(notes)
				t.Cleanup(other.Close)
			}
			s := serverOf(t, own, http.RedirectHandler(other.URL+"/version", http.StatusFound))
			c := connected(t, s, clientcmdapi.AuthInfo{Token: "opaque"}, own.Leaf)
			if err := version(t, c); err == nil || !strings.Contains(err.Error(), "leads to another host") {
				t.Errorf("the error is %v", err)
			}
			if reached.Load() != 0 {
				t.Error("the other host was asked")
			}
			if got := c.Served(); len(got.Chain) != 1 || !got.Chain[0].Equal(own.Leaf) {
				t.Errorf("it shows %q", got.Chain[0].Subject)
			}
		})
	}
}

func TestARequestThatShowsNothingNewIsNotDecoded(t *testing.T) {
	own := selfSigned(t, "api", time.Now().Add(time.Hour))
	c := connected(t, versionServer(t, own), clientcmdapi.AuthInfo{Token: jwt(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})}, own.Leaf)
	for range 2 {
		if err := version(t, c); err != nil {
			t.Fatal(err)
		}
	}
	before := c.Served().Token
	if err := version(t, c); err != nil {
		t.Fatal(err)
	}
	if after := c.Served().Token; after != before {
		t.Error("the same token was read again")
	}
}

func TestWhatAProxyShowsIsNotTheServers(t *testing.T) {
	shown := &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{{}}, Err: x509.UnknownAuthorityError{}}
	if !kube.Untrusted(fmt.Errorf("get: %w", shown)) {
		t.Error("the server's certificate is not seen")
	}
	if kube.Untrusted(fmt.Errorf("get: %w", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: shown})) {
		t.Error("the certificate of a proxy is taken for the server's")
	}
}
