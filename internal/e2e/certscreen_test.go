package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// asksFor has somebody ask for a certificate, and gives the name of the request.
func (c *cluster) asksFor(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".example.com"},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := strings.ToLower("screen-" + rand.Text()[:8])
	c.apply(t, fmt.Sprintf(`apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: %s}
spec:
  request: %s
  signerName: example.com/screen
  usages: [digital signature, client auth]
`, request, data(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}))))
	return request
}

func TestPageOfACertificateShowsWhatIsOnDisk(t *testing.T) {
	s := open(t, stages.kubeconfig(), 120, 40, "--pane", "certs")
	s.Shows("apiserver")
	s.Press("z/apiserver 127.0.0.1\r")
	s.Await("only the API server", func(screen string) bool { return strings.Contains(screen, "1 of ") })
	s.Press("\r")
	s.Shows(stages.onDisk(t, "apiserver.crt"))
	s.Shows("CN=kube-apiserver")
	s.Shows("CN=kubernetes, not sent, known here")
	s.Press("\x1b")
	s.Hides("CN=kube-apiserver")
	s.Press("q")
	s.End(0)
	s.clean(s.Written())
}

func TestRequestThatWaitsIsSeenAndItsSheetsOpen(t *testing.T) {
	request := stages.asksFor(t, "screen")
	s := open(t, stages.kubeconfig(), 120, 40, "--pane", "certs")
	s.Shows("apiserver")
	s.Press("z")
	s.Shows("for approval · C shows all")
	s.Press("C/" + request + "\r")
	s.Await("only the request", func(screen string) bool {
		return strings.Contains(screen, "1 of ") && strings.Contains(screen, "DNS screen.example.com") && strings.Contains(screen, "Pending")
	})
	s.Press("d")
	s.Shows("ECDSA P-256")
	s.Press("\x1b")
	s.Hides("ECDSA P-256")
	for key, sheet := range map[string]string{"a": "approve " + request, "D": "deny " + request} {
		s.Press(key)
		s.Shows(sheet)
		s.Press("\x1b")
		s.Hides(sheet)
	}
	stages.kubectl(t, "delete", "csr", request)
	s.Await("no request", func(screen string) bool { // of any, or of that name
		return strings.Contains(screen, "No request matches") || strings.Contains(screen, "No certificate signing requests here")
	})
	s.Press("C")
	s.Shows("CERTIFICATE")
	s.Press("q")
	s.End(0)
	s.clean(s.Written())
}
