package kubetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Approvals is a Server that also takes decisions about certificate signing requests. It keeps every request for one.
type Approvals struct {
	*Server
	Way Way // nil hands on

	lock sync.Mutex
	sent []Request
}

// Sent gives the decisions that were asked for so far.
func (a *Approvals) Sent() []Request {
	a.lock.Lock()
	defer a.lock.Unlock()
	return append([]Request{}, a.sent...)
}

// CSR gives a copy of a request, nil if there is none of that name.
func (a *Approvals) CSR(name string) *certificatesv1.CertificateSigningRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, _ := a.find(target{resource: "certificatesigningrequests", name: name}).(*certificatesv1.CertificateSigningRequest)
	return o.DeepCopy()
}

// RoundTrip implements http.RoundTripper.
func (a *Approvals) RoundTrip(r *http.Request) (*http.Response, error) {
	t := parse(r.URL.Path)
	if t.resource != "certificatesigningrequests" || r.Method != http.MethodPut || t.sub != "approval" {
		return a.Server.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.lock.Lock()
	a.sent = append(a.sent, Request{time.Now(), r.Method, r.URL.Path, r.URL.Query(), body})
	a.lock.Unlock()
	on := func() (*http.Response, error) { return a.decide(r, t, body), nil }
	if a.Way != nil {
		return a.Way(r, on)
	}
	return on()
}

// decide changes the conditions of a request, unless what was sent has another UID or version.
func (a *Approvals) decide(r *http.Request, t target, body []byte) *http.Response {
	var sent certificatesv1.CertificateSigningRequest
	if err := json.Unmarshal(body, &sent); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o, _ := a.find(t).(*certificatesv1.CertificateSigningRequest)
	switch {
	case o == nil:
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
	case sent.UID != o.UID:
		return failure(r, conflict(t, "UID", sent.UID, o.UID))
	case sent.ResourceVersion != o.ResourceVersion:
		err := fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again")
		return failure(r, apierrors.NewConflict(t.kind(), t.name, err).Status())
	}
	o = o.DeepCopy()
	o.Status.Conditions = sent.Status.Conditions
	a.put(o)
	return answer(r, http.StatusOK, o)
}

// Key makes a private key.
func Key() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// Ask makes the PEM of a request for a certificate, signed with key; names are DNS names and IP addresses.
func Ask(key crypto.Signer, cn string, organizations []string, names ...string) []byte {
	want := &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn, Organization: organizations}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			want.IPAddresses = append(want.IPAddresses, ip)
		} else {
			want.DNSNames = append(want.DNSNames, n)
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: must(x509.CreateCertificateRequest(rand.Reader, want, key))})
}

// Issue makes the PEM of a certificate that signs itself.
func Issue(key crypto.Signer, cn string, from, to time.Time) []byte {
	c := &x509.Certificate{SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), Subject: pkix.Name{CommonName: cn},
		NotBefore: from, NotAfter: to, DNSNames: []string{cn}}
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
