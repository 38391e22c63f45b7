package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/kube"
	"ktriage/kube/certs"
)

// certLook is an inventory of a cluster, as the program has it, without a single handshake.
type certLook struct {
	t     *testing.T
	all   *certs.Inventory
	agent string
}

// lookAt reads everything as somebody, until every source has come to an end.
func lookAt(t *testing.T, kubeconfig string) *certLook {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &kubeconfig
	l := &certLook{t: t, agent: fmt.Sprintf("ktriage-e2e/%s-%d", t.Name(), time.Now().UnixNano())}
	c, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: l.agent})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		t.Fatal(err)
	}
	l.all = certs.New(c, certs.Options{Kubeconfig: raw, Context: raw.CurrentContext, Urgent: true, Root: t.TempDir()})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	c.Start(ctx, 0)
	began := time.Now()
	l.all.Start(ctx)
	select {
	case <-l.all.Complete():
		t.Logf("everything has been read after %v", time.Since(began).Round(time.Millisecond))
	case <-time.After(soon):
		t.Fatalf("after %v not everything has been read: %s", soon, notRead(l.all))
	}
	return l
}

// notRead names the sources that could not be read, or have not been yet, and why.
func notRead(i *certs.Inventory) string {
	var out []string
	for _, s := range i.Sources() {
		if s.Why != "" {
			out = append(out, s.Name+": "+s.Why)
		}
	}
	return strings.Join(out, "; ")
}

// at gives the row with a place, and that place; nil if there is none.
func (l *certLook) at(where string) (*kube.Cert, *kube.CertPlace) {
	for _, c := range l.all.All() {
		for i := range c.Places {
			if c.Places[i].Where == where {
				return c, &c.Places[i]
			}
		}
	}
	return nil, &kube.CertPlace{}
}

// shows checks what is in a place: how it is judged there, its name, and words that its row or place says.
func (l *certLook) shows(where string, severity kube.Severity, name string, says ...string) *kube.Cert {
	l.t.Helper()
	c, p := l.at(where)
	if c == nil {
		l.t.Errorf("there is no row with %s", where)
		return &kube.Cert{Issuance: &kube.Issuance{}}
	}
	now := time.Now()
	alone := *c // other places of the same CA are not ours
	alone.Places = []kube.CertPlace{*p}
	if got := alone.Severity(kube.Moment{Now: now}); got != severity || p.Name != name {
		l.t.Errorf("%s: %q is %v, want %q and %v", where, p.Name, got, name, severity)
	}
	said := strings.Join([]string{c.Unseen, p.Note, p.Breaks, c.LeftText(now), c.Kind.String()}, " | ")
	for _, word := range says {
		if !strings.Contains(said, word) {
			l.t.Errorf("%s: %q does not say %q", where, said, word)
		}
	}
	return c
}

// certSigner makes certificates that a test stores.
type certSigner struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// newSigner makes a CA that is valid for so long, or has expired if that is negative.
func newSigner(t *testing.T, name string, left time.Duration) *certSigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &certSigner{t: t, key: key}
	s.cert = s.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}, left)
	return s
}

func (s *certSigner) sign(template *x509.Certificate, left time.Duration) *x509.Certificate {
	s.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		s.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, time.Now().AddDate(-1, 0, 0), time.Now().Add(left)
	parent := s.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, s.key.Public(), s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *certSigner) leaf(name string, left time.Duration) *x509.Certificate {
	return s.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, left)
}

func pemOf(all ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// keyPEM is a private key as a Secret holds it.
func (s *certSigner) keyPEM() []byte {
	s.t.Helper()
	der, err := x509.MarshalECPrivateKey(s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// apply has the server make objects, and take them away after the test; those of names that are fixed only if there are none.
func (c *cluster) apply(t *testing.T, manifest string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "create", "-f", path)
	t.Cleanup(func() { c.kubectl(t, "delete", "--ignore-not-found", "--wait=false", "-f", path) })
}

// missing reports whether the server has no such object.
func (c *cluster) missing(t *testing.T, args ...string) bool {
	t.Helper()
	return strings.TrimSpace(c.kubectl(t, append([]string{"get", "--ignore-not-found", "-o", "name"}, args...)...)) == ""
}

func data(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const certDay = 24 * time.Hour

func TestBundlesOnTheServerAreShown(t *testing.T) {
	s := newStage(t, "bundles")
	good, old := newSigner(t, "new root", 300*certDay), newSigner(t, "old root", -30*certDay)
	near, dead := newSigner(t, "soon root", 20*certDay), newSigner(t, "dead root", -certDay)
	webhook := func(name, policy string, bundle []byte) string {
		return fmt.Sprintf(`- name: %s.%s.example.com
  failurePolicy: %s
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {url: "https://127.0.0.1:1/", caBundle: %s}
  namespaceSelector: {matchLabels: {stage: %s}}
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE, UPDATE]}]
`, name, s.name, policy, data(bundle), s.name)
	}
	stages.apply(t, fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
%[2]s---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
%[3]s---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%[1]s.example.com}
spec:
  group: %[1]s.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: "https://127.0.0.1:1/", caBundle: %[4]s}}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.remote.%[1]s.example.com}
spec:
  group: remote.%[1]s.example.com
  version: v1
  groupPriorityMinimum: 10
  versionPriority: 10
  caBundle: %[5]s
  service: {namespace: %[1]s, name: nobody}
`, s.name, webhook("fail", "Fail", pemOf(old.cert, good.cert))+webhook("soon", "Fail", pemOf(near.cert)),
		webhook("garbage", "Ignore", []byte("garbage")), data(pemOf(near.cert)), data(pemOf(dead.cert))))
	s.until("the APIService unavailable", soon, func() bool {
		return strings.Contains(stages.kubectl(t, "get", "apiservice", "v1.remote."+s.name+".example.com", "-o",
			`jsonpath={.status.conditions[?(@.type=="Available")].status}`), "False")
	})
	l := lookAt(t, stages.kubeconfig())

	// Of the two roots of one webhook the old one has expired, which breaks nothing.
	var two []string
	for _, c := range l.all.All() {
		for _, p := range c.Places {
			if p.Name == "fail."+s.name+".example.com CA" {
				two = append(two, fmt.Sprint(c.X509.CommonName, " outlived: ", p.Outlived, ", ", c.Severity(kube.Moment{Now: time.Now()})))
			}
		}
	}
	slices.Sort(two)
	if want := []string{"new root outlived: false, ok", "old root outlived: true, notice"}; !slices.Equal(two, want) {
		t.Errorf("a bundle with an expired root: %q, want %q", two, want)
	}
	if c, p := l.at("crd widgets." + s.name + ".example.com"); c == nil || len(c.Places) != 2 || c.Places[0].Danger != kube.BlocksWrites ||
		!strings.HasPrefix(c.Places[0].Breaks, "create/update pods in namespaces with stage="+s.name+" are refused") {
		t.Errorf("a CA of a webhook and of a CRD: %+v, %+v", c, p)
	}
	l.shows("crd widgets."+s.name+".example.com", kube.Warning, "widgets."+s.name+".example.com CA", "19d", "other versions")
	l.shows("mutatingwebhookconfiguration "+s.name, kube.Warning, "garbage."+s.name+".example.com CA", "no certificate in it", "not changed")
	l.shows("apiservice v1.remote."+s.name+".example.com", kube.Bad, "remote."+s.name+".example.com CA", "EXPIRED", "not available")
	l.shows("configmap default/kube-root-ca.crt", kube.OK, "ca", "all pods")
	l.shows("configmap kube-system/extension-apiserver-authentication requestheader-client-ca-file", kube.OK, "front-proxy-ca", "aggregated")
	if ca, _ := l.at("configmap kube-system/extension-apiserver-authentication client-ca-file"); ca == nil || len(ca.Places) < 3 || ca.Name != "ca" {
		t.Errorf("the CA of the cluster is not one row: %+v", ca)
	}
}

func TestTrustBundlesOnTheServerAreShown(t *testing.T) {
	if !strings.Contains(stages.kubectl(t, "api-resources", "--api-group=certificates.k8s.io", "-o", "name"), "clustertrustbundles") {
		if c, _ := lookAt(t, stages.kubeconfig()).at("clustertrustbundles"); c != nil {
			t.Errorf("an API that the server does not have is a row: %s", c.Unseen)
		}
		return
	}
	s := newStage(t, "trust")
	stages.apply(t, fmt.Sprintf(`apiVersion: certificates.k8s.io/v1beta1
kind: ClusterTrustBundle
metadata: {name: %[1]s}
spec: {trustBundle: %[2]q}
`, s.name, pemOf(newSigner(t, "pods", 20*certDay).cert)))
	lookAt(t, stages.kubeconfig()).shows("clustertrustbundle "+s.name, kube.Warning, s.name+" CA", "19d", "pods that mount")
}

// bigSecrets is how many TLS Secrets there are in the namespace of the test: two whole pages and a bit.
const bigSecrets = 1001

func TestManyTLSSecretsOnTheServerAreReadInPages(t *testing.T) {
	s := newStage(t, "secrets")
	signer := newSigner(t, "root", 300*certDay)
	key := signer.keyPEM()
	var group sync.WaitGroup
	work := make(chan *corev1.Secret)
	for range 16 {
		group.Go(func() {
			for o := range work {
				if _, err := s.client.CoreV1().Secrets(s.name).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range bigSecrets {
		work <- tlsSecret(fmt.Sprintf("web-%04d", n), pemOf(signer.leaf(fmt.Sprintf("web-%04d", n), 200*certDay)), key)
	}
	garbage := []byte(strings.Repeat("-----BEGIN CERTIFICATE-----\nnonsense\n", 1<<20/37-100))
	work <- tlsSecret("garbage", garbage, key)
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	work <- tlsSecret("hole", slices.Concat(pemOf(signer.leaf("hole", 200*certDay)), bad, pemOf(signer.cert)), key)
	close(work)
	group.Wait()

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := lookAt(t, stages.kubeconfig())
	runtime.GC()
	runtime.ReadMemStats(&after)
	rows, pages := 0, 0
	for _, c := range l.all.All() {
		for _, p := range c.Places {
			if strings.HasPrefix(p.Where, "secret "+s.name+"/") {
				rows++
			}
		}
	}
	for _, r := range stages.requests(t, l.agent) {
		if r.Verb != "list" || !strings.Contains(r.RequestURI, "kubernetes.io%2Ftls") {
			continue
		}
		pages++
		if !strings.Contains(r.RequestURI, "limit=500") {
			t.Errorf("not paged: %s", r.RequestURI)
		}
	}
	t.Logf("%d rows in %d pages; %d KiB more in memory than before", rows, pages, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
	if rows != bigSecrets+2 || pages != 3 {
		t.Errorf("%d rows in %d pages, want %d in 3", rows, pages, bigSecrets+2)
	}
	l.shows("secret "+s.name+"/garbage", kube.Notice, "garbage", "no certificate in tls.crt")
	l.shows("secret "+s.name+"/hole", kube.Warning, "hole", "block 2: ")
}

func tlsSecret(name string, crt, key []byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: crt, corev1.TLSPrivateKeyKey: key}}
}

func TestTokensOnTheServerAreShownWithoutTheirSecrets(t *testing.T) {
	s := newStage(t, "tokens")
	id := func(n int) string { return s.name[len(s.name)-5:] + fmt.Sprint(n) }
	token := func(n int, expiration string) string {
		return fmt.Sprintf(`---
apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata: {name: bootstrap-token-%s, namespace: kube-system}
stringData: {token-id: %s, token-secret: sesame0123456789, %s}
`, id(n), id(n), expiration)
	}
	at := func(in time.Duration) string {
		return fmt.Sprintf("expiration: %q", time.Now().Add(in).UTC().Format(time.RFC3339))
	}
	manifest := token(1, at(2*time.Hour)) + token(2, at(100*certDay)) + token(3, "description: none")
	if stages.missing(t, "secret", "kubeadm-certs", "-n", "kube-system") {
		manifest += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: kubeadm-certs, namespace: kube-system}\nstringData: {ca.key: sesame}\n"
	}
	stages.apply(t, manifest)
	legacy := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "robot", Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}},
		Type: corev1.SecretTypeServiceAccountToken}
	s.until("a token of a service account", soon, func() bool {
		_, err := s.client.CoreV1().Secrets(s.name).Create(t.Context(), legacy, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
	l := lookAt(t, stages.kubeconfig())
	where := func(n int) string { return "secret kube-system/bootstrap-token-" + id(n) }
	l.shows(where(1), kube.OK, "bootstrap token "+id(1), "119m", "joins of new nodes")
	l.shows(where(2), kube.Warning, "bootstrap token "+id(2), "99d")
	l.shows(where(3), kube.Warning, "bootstrap token "+id(3), "no expiry", "never expires")
	l.shows("secret kube-system/kubeadm-certs", kube.Warning, "kubeadm-certs", "keys of the CAs")
	legacies := 0
	for _, c := range l.all.All() {
		if strings.HasPrefix(c.Name, "token of ") || strings.HasSuffix(c.Name, " legacy service-account tokens") {
			legacies++
		}
		if all := fmt.Sprintf("%+v", *c); strings.Contains(all, "sesame") {
			t.Errorf("a secret is in the row %s", c.Name)
		}
	}
	if legacies == 0 || legacies > 3 {
		t.Errorf("%d rows of tokens of service accounts", legacies)
	}
	for _, r := range stages.requests(t, l.agent) {
		if r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" {
			t.Errorf("%s %s", r.Verb, r.RequestURI)
		}
	}
}

// certificateCRD is as much of cert-manager's Certificate as anybody looks at.
const certificateCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificates.cert-manager.io}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {plural: certificates, kind: Certificate}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// hasCertificates has the server have Certificates until the end of the test.
func (c *cluster) hasCertificates(t *testing.T) {
	t.Helper()
	c.apply(t, certificateCRD)
	await(t, "an API of Certificates", soon, func() bool { // which is served a little after it is Established
		_, err := c.devcluster("kubectl", "get", "certificates.cert-manager.io", "-A")
		return err == nil
	})
}

func TestACertificateThatIsRenewedOnTheServerShowsAtOnce(t *testing.T) {
	if stages.missing(t, "crd", "certificates.cert-manager.io") {
		if c, _ := lookAt(t, stages.kubeconfig()).at("certificates.cert-manager.io"); c != nil {
			t.Errorf("without cert-manager there is a row of it: %s", c.Unseen)
		}
		stages.hasCertificates(t)
	}
	s := newStage(t, "managed")
	signer := newSigner(t, "issuer", 300*certDay)
	secret := tlsSecret("web-tls", pemOf(signer.leaf("web", 10*certDay)), signer.keyPEM())
	secret.Annotations = map[string]string{"cert-manager.io/certificate-name": "web"}
	_, err := s.client.CoreV1().Secrets(s.name).Create(t.Context(), secret, metav1.CreateOptions{})
	s.ok(err)
	certificate := func(name string) string {
		return fmt.Sprintf("---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: %s, namespace: %s}\n"+
			"spec: {secretName: %s-tls, issuerRef: {name: letsencrypt, kind: ClusterIssuer}}\n", name, s.name, name)
	}
	stages.apply(t, certificate("web")+certificate("lost"))
	issue := func(name string, left time.Duration, ready string) {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		stages.kubectl(t, "patch", "certificates.cert-manager.io", name, "-n", s.name, "--subresource=status", "--type=merge", "-p", fmt.Sprintf(
			`{"status":{"notBefore":%q,"notAfter":%q,"renewalTime":%q,"conditions":[{"type":"Ready","status":%q,"reason":"Because","message":"of it"}]}}`,
			at(-certDay), at(left), at(left-5*certDay), ready))
	}
	issue("web", 10*certDay, "True")
	issue("lost", 40*certDay, "False")
	l := lookAt(t, stages.kubeconfig())
	web := l.shows("secret "+s.name+"/web-tls", kube.OK, "web-tls", "9d")
	if len(web.Places) != 2 || !web.Issuance.Ready || web.Issuance.Issuer != "ClusterIssuer letsencrypt" || web.Places[1].Where != "certificate "+s.name+"/web" {
		t.Errorf("a Certificate and its Secret are no single row: %+v %+v", web.Places, web.Issuance)
	}
	if lost := l.shows("certificate "+s.name+"/lost", kube.Warning, "lost", "39d"); lost.Issuance.Reason != "Because: of it" {
		t.Errorf("%+v", lost.Issuance)
	}

	renewed := pemOf(signer.leaf("web", 90*certDay))
	patch := fmt.Sprintf(`{"data":{"tls.crt":%q}}`, data(renewed))
	_, err = s.client.CoreV1().Secrets(s.name).Patch(t.Context(), "web-tls", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	s.ok(err)
	issue("web", 90*certDay, "True")
	began := time.Now()
	s.until("the renewed certificate", soon, func() bool {
		c, _ := l.at("secret " + s.name + "/web-tls")
		return c != nil && time.Until(c.To) > 80*certDay && time.Until(c.Issuance.RenewAt) > 80*certDay && len(c.Places) == 2
	})
	t.Logf("a renewal is shown after %v", time.Since(began).Round(time.Millisecond))
	stages.kubectl(t, "delete", "certificates.cert-manager.io", "lost", "-n", s.name)
	s.until("the row of what was deleted gone", soon, func() bool {
		c, _ := l.at("certificate " + s.name + "/lost")
		return c == nil
	})
}

func TestWhoMayReadHalfOfTheSourcesSeesThatHalf(t *testing.T) {
	s := newStage(t, "half")
	signer := newSigner(t, "half root", 300*certDay)
	_, err := s.client.CoreV1().Secrets(s.name).Create(t.Context(),
		tlsSecret("web", pemOf(signer.leaf("web", 200*certDay)), signer.keyPEM()), metav1.CreateOptions{})
	s.ok(err)
	stages.apply(t, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules:
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], verbs: [list]}
- {apiGroups: [apiregistration.k8s.io], resources: [apiservices], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: half, namespace: %[1]s}
rules: [{apiGroups: [""], resources: [secrets, configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: half, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: half}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, s.name))
	for _, right := range [][]string{{"list", "validatingwebhookconfigurations"}, {"list", "apiservices"},
		{"list", "secrets", "-n", s.name}, {"get", "configmaps", "-n", s.name}} {
		stages.may(t, s.name, right...)
	}
	s.until("the CA of the new namespace", soon, func() bool {
		return !stages.missing(t, "configmap", "kube-root-ca.crt", "-n", s.name)
	})
	config := stages.named(t, s.name)
	stages.kubectl(t, "config", "--kubeconfig", config, "set-context", "--current", "--namespace="+s.name)
	l := lookAt(t, config)

	l.shows("secret "+s.name+"/web", kube.OK, "web", "199d") // of its own namespace, though not of all
	l.shows("configmap "+s.name+"/kube-root-ca.crt", kube.OK, "ca", "all pods")
	denied := map[string]string{}
	for _, c := range l.all.All() {
		if strings.Contains(c.Unseen, "is forbidden") || strings.Contains(c.Unseen, "forbidden:") {
			denied[c.Name] = c.Unseen
		}
	}
	for _, name := range []string{"TLS Secrets", "service-account tokens", "extension-apiserver-authentication", "cluster-info", "mutating webhooks",
		"CRD conversions", "bootstrap tokens", "kubeadm-certs"} {
		if denied[name] == "" && (name != "cluster-info" || stages.missing(t, "configmap", "cluster-info", "-n", "kube-public")) {
			t.Errorf("nothing says that %s may not be read", name)
		}
		delete(denied, name)
	}
	for _, name := range []string{"kube-root-ca.crt", "validating webhooks", "APIServices"} {
		if why := denied[name]; why != "" {
			t.Errorf("%s may be read: %s", name, why)
		}
	}
	for name, why := range denied {
		t.Logf("denied too: %s: %s", name, why)
	}
}
