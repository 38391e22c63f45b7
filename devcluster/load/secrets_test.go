package load

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Each Secret holds a chain of two with its key; some have expired, and none is the same as another.
func TestTLSSecretsHoldCertificatesOfTheirOwn(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	all, err := newIssuer(now)
	if err != nil {
		t.Fatal(err)
	}
	seen, expired := map[string]bool{}, 0
	for i := range 400 {
		s, err := all.secret(i, now)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(pair.Certificate) != 2 || pair.Leaf.CheckSignatureFrom(parsed(t, pair.Certificate[1])) != nil {
			t.Errorf("%s: a chain of %d that does not hold", s.Name, len(pair.Certificate))
		}
		if raw := string(pair.Leaf.Raw); seen[raw] {
			t.Errorf("%s holds what another one does", s.Name)
		} else {
			seen[raw] = true
		}
		if pair.Leaf.NotAfter.Before(now) {
			expired++
		}
		if s.Type != corev1.SecretTypeTLS {
			t.Errorf("%s is a %s", s.Name, s.Type)
		}
	}
	if expired != 20 {
		t.Errorf("%d have expired", expired)
	}
}

func TestHowManySecretsIsLimited(t *testing.T) {
	for secrets, ok := range map[int]bool{-1: false, 0: true, 10_000: true, mostSecrets + 1: false} {
		if err := (Options{Nodes: 1, Secrets: secrets}).Check(); (err == nil) != ok {
			t.Errorf("%d: %v", secrets, err)
		}
	}
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
