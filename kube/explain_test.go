package kube_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// wanted is what an explanation must say, and must not.
type wanted struct {
	sentence, next string // contained in it; "" for any
	code           int
}

func check(t *testing.T, err error, want wanted) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error to explain")
	}
	got := kube.Explain(fmt.Errorf("list pods: %w", err))
	if !strings.Contains(got.Sentence, want.sentence) || !strings.Contains(got.Next, want.next) || got.Code != want.code {
		t.Errorf("%v\nis explained as %+v\nwant %+v", err, got, want)
	}
	if strings.ContainsAny(got.Sentence+got.Next, "\n\r\t\x1b\x07") {
		t.Errorf("control characters in %q, %q", got.Sentence, got.Next)
	}
}

// ask sends one request by client-go and gives its error.
func ask(t *testing.T, cfg *rest.Config) error {
	t.Helper()
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// client-go would try ten times, a second apart, after a connection that was closed.
	return client.CoreV1().RESTClient().Get().Resource("pods").MaxRetries(0).Do(t.Context()).Error()
}

func TestNetworkFailuresAreExplained(t *testing.T) {
	refused := closedAddress(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	hangUp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer hangUp.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	tells407 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer tells407.Close()

	for name, c := range map[string]struct {
		cfg  *rest.Config
		want wanted
	}{
		"refused": {
			&rest.Config{Host: "https://" + refused},
			wanted{"The API server at " + refused + " refuses connections.", "It is down", 1},
		},
		"no answer": {
			&rest.Config{Host: silent.URL, Timeout: 20 * time.Millisecond},
			wanted{"did not answer in time", "VPN", 1},
		},
		"connection closed": {&rest.Config{Host: hangUp.URL}, wanted{"closed the connection", "", 1}},
		"unknown host": {
			&rest.Config{Host: "https://api.invalid:6443", Dial: dialBy(t, nxDomain)},
			wanted{`cannot be resolved: DNS knows no host "api.invalid"`, "VPN", 1},
		},
		"broken DNS": {
			&rest.Config{Host: "https://api.invalid:6443", Dial: dialBy(t, serverFailure)},
			wanted{"DNS does not answer", "resolv.conf", 1},
		},
		"plain HTTP behind https": {
			&rest.Config{Host: "https://" + strings.TrimPrefix(plain.URL, "http://")},
			wanted{"does not speak TLS", "http and not https", 1},
		},
		"proxy refused": {
			&rest.Config{Host: "https://10.0.0.1", Proxy: proxy("http://" + refused)},
			wanted{"The proxy at " + refused + " cannot be used", "proxy-url", 1},
		},
		"proxy wants a password": {
			&rest.Config{Host: "https://10.0.0.1", Proxy: proxy(tells407.URL)},
			wanted{"refuses: Proxy Authentication Required", "HTTPS_PROXY", 1},
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, ask(t, c.cfg), c.want) })
	}
}

// closedAddress gives an address on this machine where nobody listens, nor will while the test runs: the port is bound, so
// that nobody else is given it.
func closedAddress(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

func proxy(at string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) { return url.Parse(at) }
}

// The answers of a DNS server, RFC 1035 section 4.1.1.
const (
	serverFailure byte = 2
	nxDomain      byte = 3
)

// dialBy gives a dialer that asks a DNS server which answers everything with the same code.
func dialBy(t *testing.T, code byte) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := socket.ReadFrom(query)
			if err != nil {
				return
			}
			query[2], query[3] = 0x81, 0x80|code // a response, recursion available
			_, _ = socket.WriteTo(query[:n], from)
		}
	}()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	return (&net.Dialer{Resolver: resolver}).DialContext
}

func TestCertificateTroubleIsExplained(t *testing.T) {
	now := time.Now()
	ca := issue(t, nil, now.Add(-time.Hour), now.Add(time.Hour))
	good := issue(t, ca, now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1", "api.prod.example")
	pool := x509.NewCertPool()
	pool.AddCert(ca.leaf)

	for name, c := range map[string]struct {
		server *tls.Config
		client rest.TLSClientConfig
		want   wanted
	}{
		"authority": {
			serving(good), rest.TLSClientConfig{},
			wanted{"of an authority that the kubeconfig does not trust (CN=test authority)", "fresh kubeconfig", 1},
		},
		"expired": {
			serving(issue(t, ca, now.Add(-2*time.Hour), now.Add(-time.Hour), "127.0.0.1")), ca.trusted(),
			wanted{"expired on " + now.Add(-time.Hour).UTC().Format("2006-01-02 15:04"), "Renew", 1},
		},
		"not yet valid": {
			serving(issue(t, ca, now.Add(time.Hour), now.Add(2*time.Hour), "127.0.0.1")), ca.trusted(),
			wanted{"is not valid before " + now.Add(time.Hour).UTC().Format("2006-01-02 15:04"), "clock", 1},
		},
		"other names": {
			serving(issue(t, ca, now.Add(-time.Hour), now.Add(time.Hour), "api.prod.example", "10.0.0.1")), ca.trusted(),
			wanted{"for other names: api.prod.example, 10.0.0.1.", "--tls-server-name", 1},
		},
		"a version of TLS that is too old": {
			&tls.Config{Certificates: serving(good).Certificates, MaxVersion: tls.VersionTLS11}, ca.trusted(),
			wanted{"refuses the TLS handshake (tls: protocol version not supported)", "--tls-server-name", 1},
		},
		"our certificate is missing": {
			&tls.Config{Certificates: serving(good).Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
			ca.trusted(),
			wanted{"does not accept our client certificate (tls: certificate required)", "fresh kubeconfig", 3},
		},
		"our certificate has expired": {
			&tls.Config{Certificates: serving(good).Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
			ca.trustedWith(issue(t, ca, now.Add(-2*time.Hour), now.Add(-time.Hour))),
			wanted{"does not accept our client certificate (tls: ", "fresh kubeconfig", 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS, server.Config.ErrorLog = c.server, quiet
			server.StartTLS()
			defer server.Close()
			check(t, ask(t, &rest.Config{Host: server.URL, TLSClientConfig: c.client}), c.want)
		})
	}
}

func TestAnswersOfTheAPIServerAreExplained(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	forbidden := `pods is forbidden: User "bob@corp" cannot list resource "pods" in API group "" at the cluster scope`
	for name, c := range map[string]struct {
		answer error // an apierrors.APIStatus
		want   wanted
	}{
		"401": {apierrors.NewUnauthorized("Unauthorized"), wanted{"does not accept our credentials (401", "sign in again", 3}},
		"403": {
			apierrors.NewForbidden(pods, "", errors.New(strings.TrimPrefix(forbidden, "pods is forbidden: "))),
			wanted{forbidden, "-n NAMESPACE", 1},
		},
		"403 with an escape sequence": {
			apierrors.NewForbidden(pods, "", errors.New("\x1b]52;c;aGk=\x07not you\r\nnor you")),
			wanted{"not you", "", 1},
		},
		"403 for nobody": {
			apierrors.NewForbidden(pods, "", errors.New(`User "system:anonymous" cannot list resource "pods"`)),
			wanted{"takes us for system:anonymous", "sign in again", 3},
		},
		"namespace": {
			apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shpo"),
			wanted{`There is no namespace "shpo".`, "leave out -n", 2},
		},
		"no such API": {
			apierrors.NewGenericServerResponse(404, "get", pods, "", "", 0, false),
			wanted{"does not serve this version of the API", "ktriage version", 1},
		},
		"429": {apierrors.NewTooManyRequests("busy", 7), wanted{"sheds load", "what else asks", 1}},
		"500": {apierrors.NewInternalError(errors.New("etcd is on fire")), wanted{"(500): Internal error occurred: etcd is on fire.", "Its log", 1}},
		"503": {apierrors.NewServiceUnavailable("apiserver not ready"), wanted{"(503): apiserver not ready.", "starts or stops", 1}},
		"504": {apierrors.NewTimeoutError("request timed out", 0), wanted{"(504): ", "too slow", 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var api apierrors.APIStatus
			if !errors.As(c.answer, &api) {
				t.Fatal("not an answer of an API server")
			}
			status := api.Status()
			status.Kind, status.APIVersion = "Status", "v1"
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(int(status.Code))
				_ = json.NewEncoder(w).Encode(status)
			}))
			defer server.Close()
			check(t, ask(t, &rest.Config{Host: server.URL}), c.want)
		})
	}
}

func TestServersThatAreNoAPIServerAreExplained(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<h1>No such page</h1>", http.StatusNotFound)
	}))
	defer web.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	for name, host := range map[string]string{
		"web server":             web.URL,
		"http where it is https": "http://" + strings.TrimPrefix(secure.URL, "https://"),
	} {
		t.Run(name, func(t *testing.T) {
			check(t, ask(t, &rest.Config{Host: host}), wanted{"is not a Kubernetes API server", "server:", 1})
		})
	}
}

func TestCredentialPluginTroubleIsExplained(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for name, c := range map[string]struct {
		plugin clientcmdapi.ExecConfig
		want   wanted
	}{
		"not installed": {
			clientcmdapi.ExecConfig{Command: "no-such-plugin"},
			wanted{"The credential plugin no-such-plugin, which the kubeconfig asks for, is not installed.", "PATH", 3},
		},
		"not installed, with a hint": {
			clientcmdapi.ExecConfig{Command: "no-such-plugin-2", InstallHint: "Get it from the\nintranet."},
			wanted{"no-such-plugin-2", "intranet.", 3},
		},
		"failing":   {clientcmdapi.ExecConfig{Command: "false"}, wanted{"The credential plugin false failed with exit code 1.", "Sign in", 3}},
		"talkative": {clientcmdapi.ExecConfig{Command: "echo", Args: []string{"hello"}}, wanted{"gave no credentials", "exec:", 3}},
		"asking": {
			clientcmdapi.ExecConfig{
				Command: "true", InteractiveMode: clientcmdapi.AlwaysExecInteractiveMode, StdinUnavailable: true,
			},
			wanted{"wants to ask something", "start again in a terminal", 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.plugin.APIVersion = "client.authentication.k8s.io/v1"
			if c.plugin.InteractiveMode == "" {
				c.plugin.InteractiveMode = clientcmdapi.NeverExecInteractiveMode
			}
			check(t, ask(t, &rest.Config{Host: server.URL, ExecProvider: &c.plugin}), c.want)
		})
	}
}

func TestWhatNobodyForesawIsSaidAsItIs(t *testing.T) {
	got := kube.Explain(errors.New("écrasé\x1b[2J par\nun camion."))
	if got.Code != kube.ExitError || !strings.HasPrefix(got.Sentence, "Écrasé") || strings.ContainsAny(got.Sentence, "\x1b\n") {
		t.Errorf("explanation = %+v", got)
	}
	if got := kube.Explain(nil); got != (kube.Explanation{}) {
		t.Errorf("no error is explained as %+v", got)
	}
	check(t, context.DeadlineExceeded, wanted{"did not answer in time", "", 1})
	check(t, context.Canceled, wanted{"cancelled", "", 1})
}
