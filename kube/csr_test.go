package kube

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// asking makes the PEM of a request.
func asking(t *testing.T, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func ofNode(name string) x509.CertificateRequest {
	return x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}},
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(10, 8, 3, 103)},
	}
}

func pending(request []byte, signer string, age time.Duration) *certificatesv1.CertificateSigningRequest {
	o := &certificatesv1.CertificateSigningRequest{}
	o.Name, o.UID, o.CreationTimestamp = "csr-9k2xl", "u1", metav1.NewTime(noon.Add(-age))
	o.Spec = certificatesv1.CertificateSigningRequestSpec{
		Request: request, SignerName: signer, Username: "system:node:gpu-03", Groups: []string{"system:nodes", "system:authenticated"},
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
	}
	return o
}

func TestRowOfARequestSaysWhoAsksForWhat(t *testing.T) {
	o := pending(asking(t, nil, ofNode("gpu-03")), certificatesv1.KubeletServingSignerName, 112*time.Second)
	o.Spec.ExpirationSeconds = new(int32(7 * 24 * 3600))
	c := NewCSR(o)
	for what, got := range map[string]string{
		"csr-9k2xl": c.Name, "kubelet-serving": c.SignerText(), "system:node:gpu-03": c.Requestor, "Pending": c.Printed,
		"system:nodes system:authenticated": strings.Join(c.Groups, " "), "digital signature, server auth": strings.Join(c.Usages, ", "),
		"ECDSA P-256": c.Key, "DNS gpu-03, IP 10.8.3.103": c.AsksText(), "168h0m0s": c.Asked.String(),
	} {
		if got != what {
			t.Errorf("got %q, want %q", got, what)
		}
	}
	if c.Ref() != (Ref{Kind: CSRs, Name: "csr-9k2xl", UID: "u1"}) {
		t.Errorf("it is called %v", c.Ref())
	}
	for _, word := range []string{"gpu-03", "10.8.3", "server auth", "authenticated", "pending", "p-256"} {
		if !c.Matches(word, Moment{}) {
			t.Errorf("a filter for %q does not find it", word)
		}
	}
	if c.Matches("worker-88", Moment{}) {
		t.Error("a filter finds what is not there")
	}
}

// AC-C3: two serving certificates that wait, with the ages of kubectl's own sample.
func TestServingCertificatesThatWaitAreWarningsAtOnce(t *testing.T) {
	for node, age := range map[string]time.Duration{"worker-1": 112 * time.Second, "control-plane-1": 118 * time.Second} {
		o := pending(asking(t, nil, ofNode(node)), certificatesv1.KubeletServingSignerName, age)
		o.Spec.Username = "system:node:" + node
		c, m := NewCSR(o), Moment{Now: noon}
		if got, want := text.Age(m.Now, c.Created), fmt.Sprintf("%ds", int(age.Seconds())); got != want {
			t.Errorf("%s: age %s, want %s", node, got, want)
		}
		if c.Severity(m) != Warning || c.Condition != CSRPending || c.Requestor != "system:node:"+node {
			t.Errorf("%s: %v %v %s", node, c.Severity(m), c.Condition, c.Requestor)
		}
	}
}

func TestARequestThatIsNotItsNodesIsCriticalAndSaysWhy(t *testing.T) {
	m := Moment{Now: noon, NodesKnown: true, Nodes: map[string]NodeState{"gpu-03": {}, "worker-88": {}}}
	for name, c := range map[string]struct {
		user, cn string
		dns      []string
		why      string
	}{
		"its own":           {"system:node:gpu-03", "system:node:gpu-03", []string{"gpu-03", "gpu-03.internal"}, ""},
		"a stranger's":      {"stranger", "system:node:gpu-03", []string{"gpu-03"}, "stranger is no node, and asks for what only nodes get"},
		"another's name":    {"system:node:gpu-03", "system:node:worker-88", nil, "system:node:gpu-03 asks for the name of system:node:worker-88"},
		"no node":           {"system:node:gone", "system:node:gone", []string{"gone"}, "there is no Node gone"},
		"another's address": {"system:node:gpu-03", "system:node:gpu-03", []string{"gpu-03", "Worker-88."}, "it asks for Worker-88., which is another node"},
		"the API server's":  {"system:node:gpu-03", "system:node:gpu-03", []string{"kubernetes.default.svc"}, "it asks for kubernetes.default.svc, which is the API server"},
	} {
		o := pending(asking(t, nil, x509.CertificateRequest{
			Subject: pkix.Name{CommonName: c.cn, Organization: []string{"system:nodes"}}, DNSNames: c.dns,
		}), certificatesv1.KubeletServingSignerName, time.Minute)
		o.Spec.Username = c.user
		row, want := NewCSR(o), Warning
		if c.why != "" {
			want = Bad
		}
		if got := row.Strange(m); got != c.why || row.Severity(m) != want {
			t.Errorf("%s: %q and %v, want %q and %v", name, got, row.Severity(m), c.why, want)
		}
		if c.why == "there is no Node gone" && row.Strange(Moment{Now: noon}) != "" {
			t.Error("while not all nodes are known a node is said not to be there")
		}
	}
}

func TestARequestThatOthersApproveIsAWarningAfterFiveMinutes(t *testing.T) {
	c := NewCSR(pending(asking(t, nil, ofNode("gpu-03")), certificatesv1.KubeAPIServerClientKubeletSignerName, 299*time.Second))
	_, turns := c.Badness(Moment{Now: noon})
	if want := noon.Add(time.Second); !turns.Equal(want) || c.Severity(Moment{Now: noon}) != Notice {
		t.Errorf("%v until %v, want a notice until %v", c.Severity(Moment{Now: noon}), turns, want)
	}
	_, later := c.Badness(Moment{Now: turns})
	if c.Severity(Moment{Now: turns}) != Warning || !later.IsZero() {
		t.Errorf("then it is %v until %v, want a warning for good", c.Severity(Moment{Now: turns}), later)
	}
}

func csrCondition(kind certificatesv1.RequestConditionType, reason, message string) certificatesv1.CertificateSigningRequestCondition {
	return certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(noon.Add(-time.Minute)),
	}
}

func TestConditionIsThatOfKubectl(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ends := noon.Add(365 * 24 * time.Hour)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon, NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	approved := csrCondition(certificatesv1.CertificateApproved, "KubectlApprove", "by hand")
	denied := csrCondition(certificatesv1.CertificateDenied, "KubectlDeny", "")
	failed := csrCondition(certificatesv1.CertificateFailed, "SignerValidationFailure", "usages did not match")
	type conditions = []certificatesv1.CertificateSigningRequestCondition
	for _, c := range []struct {
		conditions conditions
		cert       []byte
		printed    string
		condition  CSRCondition
		severity   Severity
		reason     string
	}{
		{nil, nil, "Pending", CSRPending, Warning, ""},
		{conditions{approved}, nil, "Approved", CSRApproved, OK, "KubectlApprove: by hand"},
		{conditions{approved}, cert, "Approved,Issued", CSRIssued, OK, "KubectlApprove: by hand"},
		{conditions{denied}, nil, "Denied", CSRDenied, Notice, "KubectlDeny"},
		{conditions{approved, failed}, nil, "Approved,Failed", CSRFailed, Warning, "SignerValidationFailure: usages did not match"},
		{conditions{failed}, nil, "Pending,Failed", CSRFailed, Warning, "SignerValidationFailure: usages did not match"},
		{conditions{{Type: "example.com/Seen", Status: corev1.ConditionTrue, Reason: "x"}}, nil, "Pending", CSRPending, Warning, ""},
		{conditions{approved}, []byte("no certificate"), "Approved,Issued", CSRIssued, OK, "KubectlApprove: by hand"},
	} {
		o := pending(asking(t, nil, ofNode("gpu-03")), certificatesv1.KubeletServingSignerName, time.Minute)
		o.Status.Conditions, o.Status.Certificate = c.conditions, c.cert
		row := NewCSR(o)
		if row.Printed != c.printed || row.Condition != c.condition || row.Severity(Moment{Now: noon}) != c.severity || row.Reason != c.reason {
			t.Errorf("%s: got %q, %v, %v, %q", c.printed, row.Printed, row.Condition, row.Severity(Moment{Now: noon}), row.Reason)
		}
		if has := row.Ends.Equal(ends.Truncate(time.Second)); has != (len(c.cert) > 100) {
			t.Errorf("%s: the certificate ends %v", c.printed, row.Ends)
		}
	}
}

func TestARequestThatCannotBeReadIsARowThatSaysSo(t *testing.T) {
	other := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")})
	garbage := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("\x30\x1b[2Jgarbage")})
	for what, c := range map[string]struct {
		request []byte
		says    string
	}{
		"nothing": {nil, "it has no PEM block"}, "text": {[]byte("hello"), "it has no PEM block"},
		"something else": {other, `of type "EC PRIVATE KEY"`}, "garbage": {garbage, "asn1"},
	} {
		row := NewCSR(pending(c.request, certificatesv1.KubeletServingSignerName, time.Minute))
		if !strings.Contains(row.Unreadable, c.says) || !strings.HasPrefix(row.AsksText(), "cannot be read: ") {
			t.Errorf("%s: %q, asks for %q", what, row.Unreadable, row.AsksText())
		}
		if row.Requestor != "system:node:gpu-03" || row.Severity(Moment{Now: noon}) != Warning {
			t.Errorf("%s: the rest of the row is lost: %+v", what, row)
		}
	}
}

func TestHostileTextOfARequestIsCleanedAndCut(t *testing.T) {
	bad := "a\x1b]0;owned\x07\u202eb"
	long := strings.Repeat("n", 4000)
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: bad, Organization: []string{bad, long}}, EmailAddresses: []string{"a@b"}}
	for i := range 60 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("n%d.example.com", i))
	}
	o := pending(asking(t, nil, template), bad, time.Minute)
	o.Name, o.Spec.Username, o.Spec.Groups = bad, long, []string{bad}
	o.Status.Conditions = append(o.Status.Conditions, csrCondition(certificatesv1.CertificateDenied, bad, long))
	c := NewCSR(o)
	for _, s := range append([]string{c.Name, c.Signer, c.Requestor, c.Reason, c.CommonName, c.AsksText()}, append(c.Groups, c.Organizations...)...) {
		if strings.ContainsAny(s, "\x1b\x07\u202e") {
			t.Errorf("%q reaches the terminal", s)
		}
	}
	if w := text.Width(c.Requestor); w != csrLongest || text.Width(c.Reason) != csrLongest {
		t.Errorf("a long name has %d cells", w)
	}
	if len(c.DNS) != csrNames || c.More != 10 || !strings.HasSuffix(c.AsksText(), "a@b, 10 more names") {
		t.Errorf("%d names kept, %d more: %s", len(c.DNS), c.More, c.AsksText())
	}
}

func TestKeysAreNamedByAlgorithmAndSize(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]crypto.Signer{"RSA 2048": rsaKey, "Ed25519": edKey} {
		row := NewCSR(pending(asking(t, key, ofNode("gpu-03")), "example.com/x", time.Minute))
		if row.Key != want || row.SignerText() != "example.com/x" {
			t.Errorf("%q of signer %q, want %q", row.Key, row.SignerText(), want)
		}
	}
	if got := KeyText("none"); got != "unknown" {
		t.Errorf("no key is %q", got)
	}
}
