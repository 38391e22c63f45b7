package renew_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/renew"
)

const day = 24 * time.Hour

// bench is a cluster in memory with a Certificate of cert-manager, and an inventory, in virtual time.
type bench struct {
	*kubetest.Server
	t       *testing.T
	cluster *kube.Cluster

	mu      sync.Mutex
	rows    map[string]*kube.Cert
	now     map[string]*kube.X509 // what each place shows, by Where; nothing there does not answer
	looks   int
	managed map[string]any // the Certificate, nil without
	version int
	sent    []kubetest.Request
	way     kubetest.Way
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, Server: kubetest.New(), rows: map[string]*kube.Cert{}, now: map[string]*kube.X509{}}
		b.cluster = kube.New(kubetest.Clients(b), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

// Find implements renew.Inventory.
func (b *bench) Find(uid string) (*kube.Cert, bool) {
	c, ok := b.rows[uid]
	return c, ok
}

// Look implements renew.Inventory.
func (b *bench) Look(_ context.Context, _ *kube.Cert, p kube.CertPlace) (*kube.X509, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	if x := b.now[p.Where]; x != nil {
		return x, nil
	}
	return nil, errors.New("connection refused")
}

// shows has a place show a certificate from now on.
func (b *bench) shows(where string, x *kube.X509) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[where] = x
}

// x509 is a certificate with that serial and so much left.
func x509(serial string, left time.Duration) *kube.X509 {
	now := time.Now()
	return &kube.X509{Fingerprint: "f-" + serial, Serial: serial, CommonName: "kube-apiserver", Subject: "CN=kube-apiserver", From: now.Add(left - 365*day), To: now.Add(left)}
}

// old is the certificate that is to be renewed.
func old() *kube.X509 { return x509("3f9a:71c0:5be4:02d8", 6*day) }

// cert puts a row of these places, which all show the old certificate.
func (b *bench) cert(kind kube.CertKind, places ...kube.CertPlace) *kube.Cert {
	x := old()
	c := &kube.Cert{UID: "sha256:" + x.Fingerprint, Name: places[0].Name, Kind: kind, From: x.From, To: x.To, X509: x, Places: places}
	b.rows[c.UID] = c
	for _, p := range places {
		b.shows(p.Where, x)
	}
	return c
}

func ofKubeadm(name string, source kube.CertSource, where string) kube.CertPlace {
	return kube.CertPlace{Source: source, Name: name, Where: where, Host: "cp-2", Renew: "kubeadm certs renew " + name + ", then restart the static pod x", Breaks: "the cluster"}
}

func (b *bench) tryPlan(c *kube.Cert) (*action.Plan, error) {
	return renew.New(b).Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: []kube.Ref{c.Ref()}}, nil)
}

func (b *bench) plan(c *kube.Cert) *action.Plan {
	b.t.Helper()
	p, err := b.tryPlan(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// begin carries a plan out beside the test.
func (b *bench) begin(ctx context.Context, p *action.Plan) (progress *action.Progress, end <-chan action.Result) {
	b.t.Helper()
	if p.Work == nil {
		b.t.Fatalf("there is nothing to do: %q", p.Refusals)
	}
	progress = action.NewProgress(func() {})
	ended := make(chan action.Result, 1)
	go func() { ended <- p.Work.Run(ctx, b.cluster, progress) }()
	return progress, ended
}

// after lets time pass, and everything that happens in it.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func sheet(p *action.Plan) string {
	var s strings.Builder
	fmt.Fprintln(&s, p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&s, "%s: %s\n", f.Name, f.Text)
	}
	for _, part := range p.Sections {
		fmt.Fprintf(&s, "-- %s (%s)\n", part.Title, part.Note)
		for _, r := range part.Rows {
			fmt.Fprintln(&s, strings.Join(r.Cells, " | "))
		}
	}
	return s.String()
}

func (b *bench) has(where string, want ...string) {
	b.t.Helper()
	for _, w := range want {
		if !strings.Contains(where, w) {
			b.t.Errorf("it does not say %q:\n%s", w, where)
		}
	}
}

const certificatePath = "/apis/cert-manager.io/v1/namespaces/shop/certificates/web"

// managedCert puts a row of cert-manager's Certificate shop/web, revision 2, Ready, with 6 days left.
func (b *bench) managedCert() *kube.Cert {
	c := b.cert(kube.ServingCert, kube.CertPlace{Source: kube.FromSecret, Name: "web-tls", Where: "secret shop/web-tls", Class: kube.CertManaged,
		Object: kube.Ref{Namespace: "shop", Name: "web-tls"}})
	object := kube.Ref{Namespace: "shop", Name: "web", UID: "u-web"}
	c.Issuance = &kube.Issuance{Object: object, Ready: true, Issuer: "ClusterIssuer letsencrypt", RenewAt: time.Now().Add(2 * day)}
	b.managed = map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"namespace": "shop", "name": "web", "uid": "u-web", "resourceVersion": "1", "generation": json.Number("9007199254740993")},
		"spec": map[string]any{"secretName": "web-tls", "issuerRef": map[string]any{"kind": "ClusterIssuer", "name": "letsencrypt"},
			"privateKey": map[string]any{"rotationPolicy": "Always"}},
		"status": map[string]any{"revision": json.Number("2"), "notAfter": c.To.UTC().Format(time.RFC3339), "later": "a field that nobody here knows",
			"conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "Ready", "message": "up to date"}}},
	}
	b.version = 1
	return c
}

// status changes the status of the Certificate as cert-manager would.
func (b *bench) status(change func(status map[string]any)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.managed["status"].(map[string]any))
	b.bump()
}

func (b *bench) bump() {
	b.version++
	b.managed["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(b.version)
}

// is gives the condition Issuing of the Certificate, nil if there is none.
func (b *bench) is() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.managed["status"].(map[string]any)["conditions"].([]any) {
		if m := c.(map[string]any); m["type"] == "Issuing" {
			return m
		}
	}
	return nil
}

// conditions are those of a Certificate that is Ready, with another one.
func conditions(more ...any) []any {
	return append([]any{map[string]any{"type": "Ready", "status": "True", "reason": "Ready", "message": "up to date"}}, more...)
}

// issues is what cert-manager does when it has issued.
func (b *bench) issues(left time.Duration) {
	b.status(func(s map[string]any) {
		s["revision"], s["notAfter"], s["conditions"] = json.Number("3"), time.Now().Add(left).UTC().Format(time.RFC3339), conditions()
	})
}

// RoundTrip implements http.RoundTripper.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/apis/cert-manager.io/") {
		return b.Server.RoundTrip(r)
	}
	if r.Method == http.MethodGet {
		return b.certificate(r, http.StatusOK), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.sent = append(b.sent, kubetest.Request{At: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Body: body})
	way := b.way
	b.mu.Unlock()
	on := func() (*http.Response, error) { return b.update(r, body) }
	if way != nil {
		return way(r, on)
	}
	return on()
}

func (b *bench) update(r *http.Request, body []byte) (*http.Response, error) {
	var sent struct {
		Metadata struct{ UID, ResourceVersion string }
		Status   map[string]any
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	b.mu.Lock()
	gone := b.managed == nil
	conflict := !gone && (sent.Metadata.ResourceVersion != fmt.Sprint(b.version) || sent.Metadata.UID != b.managed["metadata"].(map[string]any)["uid"])
	if !gone && !conflict {
		b.managed["status"] = sent.Status
		b.bump()
	}
	b.mu.Unlock()
	if conflict {
		response, _, err := kubetest.Answer(metav1.Status{Code: 409, Reason: metav1.StatusReasonConflict, Message: "modified"})(r)
		return response, err
	}
	return b.certificate(r, http.StatusOK), nil
}

func (b *bench) certificate(r *http.Request, code int) *http.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.managed == nil {
		response, _, _ := kubetest.Answer(metav1.Status{Code: 404, Reason: metav1.StatusReasonNotFound, Message: "not found"})(r)
		return response
	}
	raw, err := json.Marshal(b.managed)
	if err != nil {
		panic(err)
	}
	return &http.Response{Request: r, StatusCode: code, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(raw)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(raw)))}
}

func (b *bench) requests() []kubetest.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]kubetest.Request{}, b.sent...)
}
