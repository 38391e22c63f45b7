package certs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// tokenOf is a JWT with these claims.
func tokenOf(t *testing.T, claims map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(raw) + ".c2lnbmVk"
}

func TestOurTokenIsARowByItsDatesAlone(t *testing.T) {
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]struct {
		token    string
		left     string // of the row, or why it is not known
		class    kube.RenewalClass
		severity kube.Severity
		warned   bool
	}{
		"for an hour":     {tokenOf(t, map[string]any{"iat": in(0), "exp": in(time.Hour + time.Second), "sub": "jane"}), "60m", kube.ShortLived, kube.OK, false},
		"nearly over":     {tokenOf(t, map[string]any{"iat": in(-time.Hour), "exp": in(5*time.Minute + time.Second), "sub": "jane"}), "5m", kube.ShortLived, kube.Warning, false},
		"for a year":      {tokenOf(t, map[string]any{"iat": in(-300 * day), "exp": in(20 * day), "sub": "jane"}), "19d", kube.ByHand, kube.Warning, false},
		"for ever":        {tokenOf(t, map[string]any{"iat": in(0), "sub": "jane"}), "no expiry", kube.WithoutExpiry, kube.OK, false},
		"to be replaced":  {tokenOf(t, map[string]any{"iat": in(0), "exp": in(2 * time.Hour), "kubernetes.io": map[string]any{"warnafter": in(time.Hour)}}), "119m", kube.ShortLived, kube.OK, true},
		"nothing is said": {"opaque-secret", "not a JWT: only the API server knows its end", kube.ShortLived, kube.Notice, false},
	} {
		t.Run(name, func(t *testing.T) {
			api := newControl(t, day)
			i := api.inventory(t, Options{}, api.ca.cert, c.token)
			row := found(t, reads(t, sourceNamed(t, i, "our token").read), "our token")
			left := row.LeftText(time.Now())
			if row.Unseen != "" {
				left = row.Unseen
			}
			p := row.Place()
			if left != c.left || p.Class != c.class || !row.Warned.IsZero() != c.warned {
				t.Errorf("%q, class %d, meant until %v; want %q, class %d", left, p.Class, row.Warned, c.left, c.class)
			}
			if got := row.Severity(kube.Moment{Now: time.Now()}); got != c.severity {
				t.Errorf("it is %v, want %v", got, c.severity)
			}
			if !p.Ours || p.Danger != kube.LocksUsOut || p.Where != "kubeconfig" || row.Kind != kube.Token {
				t.Errorf("the place is %+v", p)
			}
			if s := fmt.Sprintf("%+v", row); strings.Contains(s, "jane") || strings.Contains(s, "secret") || strings.Contains(s, c.token) {
				t.Errorf("the row tells too much: %s", s)
			}
		})
	}
}

func TestATokenIsSeenThoughTheServerIsNotThere(t *testing.T) {
	api := newControl(t, day)
	i := api.inventory(t, Options{}, api.ca.cert, tokenOf(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()}))
	api.Close()
	if row := found(t, reads(t, sourceNamed(t, i, "our token").read), "our token"); row.To.IsZero() {
		t.Errorf("the row is %+v", row)
	}
}

func TestATokenThatAKubeletReplacesIsReadAnew(t *testing.T) {
	api := newControl(t, day)
	i := api.inventory(t, Options{}, api.ca.cert, "")
	cfg := rest.CopyConfig(i.cluster.Config())
	cfg.BearerTokenFile = filepath.Join(t.TempDir(), "token")
	if got := ownTokenPlace(cfg); got != cfg.BearerTokenFile {
		t.Errorf("it is in %q", got)
	}
	if err := os.WriteFile(cfg.BearerTokenFile, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	year := &kube.BearerToken{JWT: true, Issued: time.Now(), Expiry: time.Now().Add(365 * day), Warned: time.Now().Add(time.Hour)}
	if p := ownToken("f", cfg, year).cert.Place(); p.Class != kube.ShortLived || p.Renew != "" {
		t.Errorf("a token of a year that is renewed every hour is of class %d, to be renewed by %q", p.Class, p.Renew)
	}
}

func TestWhereOurTokenComesFrom(t *testing.T) {
	for want, cfg := range map[string]*rest.Config{
		"":                            {},
		"kubeconfig":                  {BearerToken: "x"},
		"/var/run/token":              {BearerToken: "x", BearerTokenFile: "/var/run/token"},
		"credential plugin aws-login": {ExecProvider: &clientcmdapi.ExecConfig{Command: "/opt/bin/aws-login"}},
		"auth provider oidc":          {AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "oidc"}},
	} {
		if got := ownTokenPlace(cfg); got != want {
			t.Errorf("it comes from %q, want %q", got, want)
		}
	}
}

func TestWhoComesWithACertificateAlone(t *testing.T) {
	api := newControl(t, day)
	i := api.inventory(t, Options{}, api.ca.cert, "")
	if slices.ContainsFunc(i.sources, func(s *source) bool { return s.name == "our token" }) {
		t.Error("there is a source of tokens without a token")
	}
}

const clientsText = `# TYPE aggregator_discovery_aggregation_count_total counter
aggregator_discovery_aggregation_count_total 12
# HELP apiserver_client_certificate_expiration_seconds [ALPHA] Distribution of the remaining lifetime on the certificate used to authenticate a request.
# TYPE apiserver_client_certificate_expiration_seconds histogram
apiserver_client_certificate_expiration_seconds_bucket{le="0"} %d
apiserver_client_certificate_expiration_seconds_bucket{le="1800"} %[1]d
apiserver_client_certificate_expiration_seconds_bucket{le="86400"} %[2]d
apiserver_client_certificate_expiration_seconds_bucket{le="+Inf"} 5000
apiserver_client_certificate_expiration_seconds_sum 3.8e+11
apiserver_current_inflight_requests{request_kind="mutating"} 0
`

func TestClientsWhoseCertificatesEndSoonAreARow(t *testing.T) {
	a := newAPI(t)
	expired, ending := 0, 0
	a.answers["/metrics"] = func(r *http.Request) (int, any) { return text200(fmt.Sprintf(clientsText, expired, ending))(r) }
	i := a.inventory(Options{})
	s := sourceNamed(t, i, "clients of the API server")
	moment := kube.Moment{Now: time.Now()}
	for _, c := range []struct {
		expired, ending int
		want            string
		severity        kube.Severity
	}{
		{0, 0, "", kube.OK},
		{0, 12, "12 requests came with a certificate of less than a day, 12 requests since the last reading", kube.Warning},
		{3, 12, "12 requests came with a certificate of less than a day, 3 with an expired one", kube.Notice},
		{0, 1, "1 request came with a certificate of less than a day", kube.Notice}, // it was restarted
	} {
		expired, ending = c.expired, c.ending
		got := reads(t, s.read)
		if c.want == "" {
			wantServed(t, got)
			continue
		}
		wantServed(t, got, "clients of the API server, /metrics, "+c.want)
		if severity := got[0].cert.Severity(moment); severity != c.severity {
			t.Errorf("%q is %v, want %v", c.want, severity, c.severity)
		}
	}
	first := reads(t, sourceNamed(t, a.inventory(Options{}), s.name).read)
	wantServed(t, first, "clients of the API server, /metrics, 1 request came with a certificate of less than a day")
	if severity := first[0].cert.Severity(moment); severity != kube.Notice { // it may have been long ago
		t.Errorf("at the first reading it is %v", severity)
	}
	a.forbids("/metrics")
	wantServed(t, reads(t, s.read))
	a.answers["/metrics"] = func(*http.Request) (int, any) {
		return http.StatusInternalServerError, status(500, metav1.StatusReasonInternalError, "out of order")
	}
	if err := s.read(t.Context(), func(...finding) {}); err == nil {
		t.Error("a server that is out of order is no error")
	}
}

func TestOfMetricsNoMoreIsReadThanIsWanted(t *testing.T) {
	a := newAPI(t)
	body := &endless{head: fmt.Sprintf(clientsText, 0, 1)}
	a.answers["/metrics"] = func(*http.Request) (int, any) { return http.StatusOK, body }
	got, err := a.inventory(Options{}).samples(t.Context(), "/metrics", clientCertificates)
	if err != nil || got[dayBucket] != 1 || len(got) != 4 {
		t.Errorf("it gives %v (%v)", got, err)
	}
	if !body.closed || body.given > 1<<20 {
		t.Errorf("%d bytes were read, and the answer was closed: %t", body.given, body.closed)
	}
}

// endless is an answer that never ends.
type endless struct {
	head   string
	given  int
	closed bool
}

// Read implements io.Reader.
func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.head)
	e.head = e.head[n:] + "workqueue_depth 1\n"
	e.given += n
	return n, nil
}

// Close implements io.Closer.
func (e *endless) Close() error {
	e.closed = true
	return nil
}
