package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Spec is a certificate that is none of the control plane's own: whom it names, and when it lives.
type Spec struct {
	CN           string
	Orgs         []string
	Names        []string // DNS names
	IPs          []net.IP
	Begins, Ends time.Time
	CA           bool
}

// Key gives the key that belongs to a name, always the same one: whoever reads this can make it too, and what is made
// again is the same again.
func Key(name string) (*ecdsa.PrivateKey, error) {
	secret := sha256.Sum256([]byte("devcluster " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	return key, nil
}

// Named gives the authority of a name, with the key that belongs to it. It signs; its own certificate is a Spec with CA.
func Named(cn string) (*Authority, error) {
	key, err := Key(cn)
	if err != nil {
		return nil, err
	}
	return &Authority{&x509.Certificate{Subject: pkix.Name{CommonName: cn}}, key}, nil
}

// Issue gives the certificate of a key in DER; by nil, it signs itself. Nothing in it is left to chance: signing without
// randomness is RFC 6979's, which is as good.
func (s Spec) Issue(key crypto.Signer, by *Authority) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(s.Begins.Unix()), Subject: pkix.Name{CommonName: s.CN, Organization: s.Orgs},
		DNSNames: s.Names, IPAddresses: s.IPs, NotBefore: s.Begins, NotAfter: s.Ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if s.CA {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature, nil
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of %.60q: %w", s.CN, err)
	}
	return der, nil
}
