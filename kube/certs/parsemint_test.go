package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// mint makes certificates for tests, as an authority does.
type mint struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

var (
	mintFrom = time.Date(2019, 12, 31, 23, 36, 0, 0, time.UTC)
	mintTo   = time.Date(2020, 12, 30, 23, 36, 0, 0, time.UTC)
)

// newMint makes a CA that signs itself, of this name and until this time.
func newMint(t testing.TB, name string, to time.Time) *mint {
	t.Helper()
	m := &mint{t: t, key: mintKey(t)}
	m.cert = m.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, m.key)
	return m
}

func mintKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign issues a certificate; what the template does not say is the rule: a serial number, the dates.
func (m *mint) sign(template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	m.t.Helper()
	if template.SerialNumber == nil {
		var err error
		if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
			m.t.Fatal(err)
		}
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = mintFrom
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = mintTo
	}
	parent := m.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// leaf issues a certificate to a name, for a server if it has names, otherwise for a client.
func (m *mint) leaf(name string, to time.Time, dns ...string) *x509.Certificate {
	m.t.Helper()
	use := x509.ExtKeyUsageClientAuth
	if len(dns) > 0 {
		use = x509.ExtKeyUsageServerAuth
	}
	return m.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: to, DNSNames: dns, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}, mintKey(m.t))
}

// asPEM is a certificate, or several, as files hold them.
func asPEM(certificates ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// keyPEM is a private key as files hold it.
func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
