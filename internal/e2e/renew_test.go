package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/certs"
	"ktriage/kube/kubetest"
)

// finds reads every certificate that can be seen, with the files of a machine whose root is somewhere else.
func (o *operator) finds(root string) {
	o.t.Helper()
	o.certs = o.inventory(root)
	o.certs.Start(o.t.Context())
	select {
	case <-o.certs.Complete():
	case <-time.After(soon):
		o.t.Fatalf("after %v not everything has been read: %s", soon, notRead(o.certs))
	}
}

// renewal makes the plan of renewing the first certificate that is meant.
func (o *operator) renewal(meant func(*kube.Cert) bool) *action.Plan {
	o.t.Helper()
	var row *kube.Cert
	await(o.t, "the certificate", soon, func() bool {
		all := o.certs.All()
		i := slices.IndexFunc(all, meant)
		if i >= 0 {
			row = all[i]
		}
		return i >= 0
	})
	return o.planOf(action.Renew, action.Target{Context: o.kube.Context(), Refs: []kube.Ref{row.Ref()}}, nil)
}

func inPlace(source kube.CertSource, host, where string) func(*kube.Cert) bool {
	return func(c *kube.Cert) bool {
		return c.X509 != nil && slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool {
			return p.Source == source && (host == "" || p.Host == host) && strings.HasSuffix(p.Where, where)
		})
	}
}

// pair is a certificate that signs itself, as a TLS server holds it.
func pair(t *testing.T, name string, from, to time.Time) *tls.Certificate {
	t.Helper()
	key := kubetest.Key()
	block, _ := pem.Decode(kubetest.Issue(key, name, from, to))
	return &tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
}

// A server is renewed and restarted by hand while ktriage looks.
func TestRenewalByHandTurnsDoneWhenTheServerShowsTheNewCertificate(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	now := time.Now()
	var serves atomic.Pointer[tls.Certificate]
	serves.Store(pair(t, "n@1", now.Add(-360*certDay), now.Add(5*certDay)))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serves.Load(), nil }})
	r.ok(err)
	t.Cleanup(func() { _ = l.Close() })
	var heard atomic.Int64 // bytes after the handshake; metrics-server comes to every kubelet too
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				b := make([]byte, 4096)
				n, _ := conn.Read(b)
				if !bytes.Contains(b[:n], []byte("metrics-server")) {
					heard.Add(int64(n))
				}
			}()
		}
	}()
	node := r.node("a", "InternalIP 127.0.0.1")
	r.kubeletPort(node, l.Addr().(*net.TCPAddr).Port)
	o := stages.operate(t, stages.kubeconfig())
	o.finds(t.TempDir())
	p := o.renewal(inPlace(kube.FromHandshake, node, ""))
	t.Log(sheetOf(p))
	if p.Tier != action.Ask || len(p.Refusals) > 0 || !strings.Contains(sheetOf(p), "systemctl restart kubelet") {
		t.Fatalf("tier %d, refused with %q", p.Tier, p.Refusals)
	}
	d := o.start(p)
	d.await("a look that sees the old serial", soon, func() bool {
		return strings.HasPrefix(d.step(node).Note, "still the old serial")
	})
	serves.Store(pair(t, "n@2", now, now.Add(365*certDay)))
	run, took := d.finishes(soon)
	t.Logf("%s after %v: %s", run.State, took.Round(time.Millisecond), run.Note)
	if run.State != action.Done || !strings.HasPrefix(run.Note, "served with the new serial ") || !strings.HasSuffix(run.Note, "364d left") {
		t.Errorf("ended as %v: %q\n%s", run.State, run.Note, d.account())
	}
	if changes := o.changes(); len(changes) > 0 || heard.Load() > 0 {
		t.Errorf("a watch has sent %d requests and %d bytes", len(changes), heard.Load())
	}
	if run.Details["serial before"] == "" || len(run.Lines) != 2 {
		t.Errorf("the audit log has %v, %d lines", run.Details, len(run.Lines))
	}
}

// kubeletPort says where the kubelet of a node listens.
func (r *registry) kubeletPort(node string, port int) {
	r.t.Helper()
	for try := 0; ; try++ {
		n, err := r.client.CoreV1().Nodes().Get(r.t.Context(), node, metav1.GetOptions{})
		r.ok(err)
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
		_, err = r.client.CoreV1().Nodes().UpdateStatus(r.t.Context(), n, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) && try < 20 { // the node controller writes too
			continue
		}
		r.ok(err)
		return
	}
}

// AC-C6: the file is renewed, and what it is read by is not restarted.
func TestFileThatIsRenewedAndNotReadAnewIsToldApart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	pki := filepath.Join(root, "etc/kubernetes/pki")
	if err := os.CopyFS(pki, os.DirFS(filepath.Join(stages.dir, "pki"))); err != nil {
		t.Fatal(err)
	}
	o := stages.operate(t, stages.kubeconfig())
	o.finds(root)
	p := o.renewal(func(c *kube.Cert) bool {
		return inPlace(kube.FromFile, "", "/pki/apiserver.crt")(c) && inPlace(kube.FromHandshake, "", "")(c)
	})
	t.Log(sheetOf(p))
	for _, want := range []string{"kubeadm certs renew apiserver", "manifests/kube-apiserver.yaml"} {
		if !strings.Contains(sheetOf(p), want) {
			t.Errorf("the sheet does not say %q", want)
		}
	}
	d := o.start(p)
	renewFile(t, pki)
	d.await("a renewed file, and a server that has not followed", soon, func() bool {
		file, late := false, false
		for _, s := range d.runner.Steps(d.id) {
			file = file || s.State == action.StepDone && strings.HasPrefix(s.Note, "file renewed, serial ")
			late = late || s.State == action.StepWaits && strings.HasSuffix(s.Note, "; its file was renewed just now")
		}
		return file && late
	})
	if again := o.renewal(func(c *kube.Cert) bool {
		return slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool {
			return p.Source == kube.FromHandshake && strings.Contains(p.Note, "not reloaded")
		})
	}); !strings.HasSuffix(again.Headline, "has been renewed on disk, and the old one is still served.") ||
		!strings.Contains(sheetOf(again), "see whether they belong together") || strings.Contains(sheetOf(again), "certs renew") {
		t.Errorf("of what is served now it says:\n%s", sheetOf(again))
	}
	if run := d.cancelled(); run.State != action.Cancelled || !strings.Contains(run.Note, "renewed; not watched any more") {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	if changes := o.changes(); len(changes) > 0 {
		t.Errorf("a watch has sent %d requests", len(changes))
	}
}

// renewFile does what kubeadm certs renew apiserver does to the file: the same names, another key, a year more.
func renewFile(t *testing.T, pki string) {
	t.Helper()
	read := func(file string) []byte {
		raw, err := os.ReadFile(filepath.Join(pki, file))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(raw)
		return block.Bytes
	}
	old, err := x509.ParseCertificate(read("apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(read("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := x509.ParsePKCS1PrivateKey(read("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	fresh := *old
	fresh.SerialNumber = fresh.SerialNumber.Rsh(fresh.SerialNumber, 1)
	fresh.NotBefore, fresh.NotAfter = time.Now().Add(-5*time.Minute), old.NotAfter.Add(certDay) // as backdated as kubeadm's
	fresh.PublicKey, fresh.SignatureAlgorithm = nil, x509.UnknownSignatureAlgorithm
	key := kubetest.Key()
	der, err := x509.CreateCertificate(rand.Reader, &fresh, ca, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(pki, "apiserver.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// managedStage is a namespace with a Certificate of cert-manager, whose part the test plays.
type managedStage struct {
	*stage
	operator *operator
}

// The API has Certificates for as long as these tests run.
func TestRenewalsThatAreCertManagersOnTheServer(t *testing.T) {
	t.Parallel()
	const crd = "certificates.cert-manager.io"
	if stages.missing(t, "crd", crd) || stages.kubectl(t, "get", "crd", crd, "-o", "jsonpath={.metadata.deletionTimestamp}") != "" {
		stages.kubectl(t, "wait", "--for=delete", "--timeout=60s", "crd/"+crd) // another test may have had one
		stages.hasCertificates(t)
	}
	t.Run("issued", issuedAnew)
	t.Run("failed", failedIssuance)
	t.Run("not as planned", notAsPlanned)
}

func newManagedStage(t *testing.T) *managedStage {
	t.Helper()
	m := &managedStage{stage: newStage(t, "issue")}
	_, err := m.client.CoreV1().Secrets(m.name).Create(t.Context(), tlsSecret("web-tls", kubetest.Issue(kubetest.Key(), "web", time.Now().Add(-80*certDay), time.Now().Add(10*certDay)),
		nil), metav1.CreateOptions{})
	if err != nil && !apierrors.IsInvalid(err) {
		t.Fatal(err)
	}
	stages.apply(t, fmt.Sprintf("apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web, namespace: %s}\n"+
		"spec: {secretName: web-tls, issuerRef: {name: letsencrypt, kind: ClusterIssuer}}\n", m.name))
	m.status(fmt.Sprintf(`"revision":2,"notAfter":%q,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"ok"}]`,
		time.Now().Add(10*certDay).UTC().Format(time.RFC3339)))
	m.operator = stages.operate(t, stages.kubeconfig())
	m.operator.finds(t.TempDir())
	return m
}

// status sets the status of the Certificate as cert-manager does.
func (m *managedStage) status(fields string) {
	m.t.Helper()
	stages.kubectl(m.t, "patch", "certificates.cert-manager.io", "web", "-n", m.name, "--subresource=status", "--type=merge", "-p", `{"status":{`+fields+`}}`)
}

func (m *managedStage) plan() *action.Plan {
	m.t.Helper()
	return m.operator.renewal(func(c *kube.Cert) bool {
		return c.Issuance != nil && c.Issuance.Object.Namespace == m.name && c.Issuance.Object.Name == "web"
	})
}

// issuing is the condition, in jsonpath's words.
func (m *managedStage) issuing() string {
	m.t.Helper()
	return stages.kubectl(m.t, "get", "certificates.cert-manager.io", "web", "-n", m.name, "-o",
		`jsonpath={range .status.conditions[?(@.type=="Issuing")]}{.status} {.reason} {.message} {.observedGeneration}{end}`)
}

func (m *managedStage) updates() (out []string) {
	m.t.Helper()
	for _, r := range m.operator.changes() {
		out = append(out, fmt.Sprintf("%s %s/%s %d", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Subresource, r.ResponseStatus.Code))
	}
	return out
}

func issuedAnew(t *testing.T) {
	t.Parallel()
	m := newManagedStage(t)
	p := m.plan()
	t.Log(sheetOf(p))
	if p.Tier != action.Ask || len(p.Refusals) > 0 || len(m.updates()) > 0 {
		t.Fatalf("tier %d, refused with %q, sent %q", p.Tier, p.Refusals, m.updates())
	}
	d := m.operator.start(p)
	d.await("the trigger", soon, func() bool { return strings.HasPrefix(d.run().Note, "issuing: ManuallyTriggered") })
	if got := m.issuing(); got != "True ManuallyTriggered Certificate re-issuance manually triggered 1" {
		t.Errorf("Issuing: %q", got)
	}
	if again := m.plan(); len(again.Refusals) == 0 {
		t.Error("it can be told twice")
	}
	m.status(fmt.Sprintf(`"revision":3,"notAfter":%q,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"ok"}]`,
		time.Now().Add(90*certDay).UTC().Format(time.RFC3339)))
	run, took := d.finishes(soon)
	t.Logf("%s after %v: %s", run.State, took.Round(time.Millisecond), run.Note)
	if run.State != action.Done || !strings.HasPrefix(run.Note, "issued, revision 3, valid until ") {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	if got := m.updates(); !slices.Equal(got, []string{"update certificates/status 200"}) {
		t.Errorf("the server was asked: %q", got)
	}
}

func failedIssuance(t *testing.T) {
	t.Parallel()
	m := newManagedStage(t)
	d := m.operator.start(m.plan())
	d.await("the trigger", soon, func() bool { return strings.HasPrefix(d.run().Note, "issuing: ManuallyTriggered") })
	m.status(fmt.Sprintf(`"failedIssuanceAttempts":1,"lastFailureTime":%q,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"ok"},`+
		`{"type":"Issuing","status":"False","reason":"Failed","message":"order is invalid"}]`, time.Now().UTC().Format(time.RFC3339)))
	if run, _ := d.finishes(soon); run.State != action.Failed || run.Note != "not issued: Failed: order is invalid" {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
}

func notAsPlanned(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		happens func(m *managedStage)
		says    string
	}{
		"changed": {func(m *managedStage) {
			stages.kubectl(m.t, "label", "certificates.cert-manager.io", "web", "-n", m.name, "a=b")
		}, "was changed since the plan was made; nothing was done"},
		"replaced": {func(m *managedStage) {
			raw := stages.kubectl(m.t, "get", "certificates.cert-manager.io", "web", "-n", m.name, "-o", "yaml")
			stages.kubectl(m.t, "delete", "certificates.cert-manager.io", "web", "-n", m.name)
			stages.apply(m.t, string(bytes.ReplaceAll([]byte(raw), []byte("resourceVersion:"), []byte("# "))))
		}, "another Certificate has the name now; nothing was done"},
		"deleted": {func(m *managedStage) {
			stages.kubectl(m.t, "delete", "certificates.cert-manager.io", "web", "-n", m.name)
		}, "does not exist any more; nothing was done"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newManagedStage(t)
			p := m.plan()
			c.happens(m)
			d := m.operator.start(p)
			if run, _ := d.finishes(soon); run.State != action.Failed || run.Note != c.says {
				t.Errorf("ended as %v: %q", run.State, run.Note)
			}
			if what != "deleted" && m.issuing() != "" {
				t.Errorf("it is being issued: %s", m.issuing())
			}
			if got := m.updates(); len(got) != 1 {
				t.Errorf("the server was asked: %q", got)
			}
		})
	}
}

// inventory is everything that can be seen; nothing is read before it is started.
func (o *operator) inventory(root string) *certs.Inventory {
	o.t.Helper()
	return certs.New(o.kube, certs.Options{Kubeconfig: o.raw, Context: o.raw.CurrentContext, Dial: true, Urgent: true, Root: root})
}
