package kube

import (
	"slices"
	"strings"
	"time"
)

// Cert is a row of the Certs pane: one certificate, or another credential with an expiry, and every place where it was seen;
// or a place that ought to hold one and cannot be seen from here. It holds nothing secret.
type Cert struct {
	UID      string // "sha256:…" of the certificate; of anything else what makes it the same at the next reading
	Name     string // kubeadm's where kubeadm has one ("apiserver"), else that of its most dangerous place
	Kind     CertKind
	From, To time.Time   // when it is valid; To zero: it has no end, or nobody knows it (see Unseen)
	X509     *X509       // nil for what is no certificate
	Chain    []*X509     // what is sent, or stored, with it: intermediates and roots, not itself
	Places   []CertPlace // the most dangerous first; never empty
	Unseen   string      // why no date is known: "timed out after 2s", "not visible from here"; "" if it is
	Issuance *Issuance   // what cert-manager says of it; nil where it is not its
	Warned   time.Time   // ShortLived: the time until which it was meant to be used, where that is before To
}

// CertKind is what a credential is.
type CertKind uint8

// The kinds of credentials.
const (
	ServingCert CertKind = iota
	ClientCert
	BothCert // serves, and is a client, as a member of etcd is
	Authority
	Token
	NoCert // a place that cannot be seen, or a secret whose presence alone counts
)

func (k CertKind) String() string {
	return [...]string{"serving", "client", "serving, client", "CA", "token", "-"}[k]
}

// CertSource is how a place is read.
type CertSource uint8

// The sources, in the order of domain.
const (
	FromKubeconfig CertSource = iota
	FromHandshake
	FromFile
	FromSecret
	FromConfigMap
	FromObject // a bundle in a webhook, a CRD, an APIService, a ClusterTrustBundle, a Certificate
	FromCSR
	FromMetric
	FromToken   // our own bearer token
	FromNowhere // nobody got so far as to look at a place: a whole source cannot be read
)

func (s CertSource) String() string {
	return [...]string{"kubeconfig", "handshake", "file", "secret", "configmap", "object", "csr", "metric", "token", ""}[s]
}

// RenewalClass is who renews a credential, and so when its age is a reason to worry.
type RenewalClass uint8

// The classes of renewal.
const (
	ByHand         RenewalClass = iota
	OfAuthority                 // a CA of the cluster: nothing renews it, and to change it is days of work
	KubeletRotated              // by the kubelet, when 70 to 90 % of its life are over
	CertManaged                 // by cert-manager, at its renewal time
	ShortLived                  // by whoever gave it, all the time
	BootstrapToken              // it should have an end, and that soon
	WithoutExpiry               // it has no end
)

// Danger is what breaks when a credential has expired, the worst last.
type Danger uint8

// The dangers.
const (
	BreaksNothing Danger = iota
	BreaksNode           // logs, metrics, joins: a part of one node's or of many nodes' life
	BreaksApp            // an application
	BreaksAPI            // an aggregated API, a conversion, a webhook that fails open
	LocksUsOut           // whoever has this kubeconfig
	BlocksWrites         // a webhook that fails closed
	BreaksCluster        // the control plane, or everything that trusts a CA
)

// CertPlace is one place where a credential was seen.
type CertPlace struct {
	Source CertSource
	Name   string // what it is called there: "apiserver", "web-tls", "kubelet serving"
	Where  string // "cp-2:6443", "secret shop/web-tls", "kubeconfig (prod-tokyo)", "/etc/kubernetes/pki/ca.crt"
	Short  string // the same where there is little room: "webhook"; "" is Where
	Host   string // the node or machine, where it is one's
	Object Ref    // the object of the API that holds it; its Kind is 0, since there is no pane for it; zero for none

	Use       CertKind
	Class     RenewalClass
	Danger    Danger
	Breaks    string // what fails once it has expired: "writes of pods are refused"
	Renew     string // how it is renewed, one command or sentence: "kubeadm certs renew apiserver"; "" unknown
	Authority string // kubeadm's name of the CA that signed it ("etcd-ca"), or the issuer's common name
	External  Answer // kubeadm: the key of the CA is not there, so that kubeadm cannot renew it

	Ours       bool // it is the one by which we are let in
	Unverified bool // nobody can verify it, so that nothing that works now breaks when it expires
	Outlived   bool // another anchor of the same bundle is valid longer, so that nothing breaks when this one expires
	Elsewhere  bool // it is of another cluster, or of somebody else than we are here: nothing of this cluster breaks when it expires

	Checked time.Time // when it was last read
	Failed  string    // why the last attempt has not succeeded; Checked is then that of the last that has
	Since   time.Time // since when the place has shown this very certificate, as far as we have looked
	Checks  int       // how often it has been looked at since
	Before  string    // fingerprint of the certificate that the place had before, "" if it has not changed while we looked

	Note     string // what else is to be said: "renewed on disk, not reloaded"
	Severity Severity
}

// Answer is yes, no, or nobody knows.
type Answer uint8

// The answers.
const (
	NotKnown Answer = iota
	Yes
	No
)

func (a Answer) String() string { return [...]string{"unknown", "yes", "no"}[a] }

// X509 is what is kept of a certificate: flat and sanitised.
type X509 struct {
	Fingerprint     string // SHA-256 of the DER, in hex
	Serial          string // in hex, in groups of four digits
	Subject, Issuer string // "CN=kube-apiserver, O=corp"
	CommonName      string
	SignedBy        string   // the common name of the issuer
	DNS, IPs, Other []string // subject alternative names; Other are URIs and mail addresses
	From, To        time.Time
	CA, SelfSigned  bool
	Key             string   // "RSA 2048", "ECDSA P-256"
	Usages          []string // "digital signature", "server auth"
	Signature       string   // "SHA256-RSA"
}

// Issuance is what cert-manager says of a Certificate (cert-manager.io/v1, CertificateStatus).
type Issuance struct {
	Object     Ref
	RenewAt    time.Time
	Ready      bool
	Issuing    bool
	Reason     string // of the condition that is not as it should be, with its message
	Failed     int    // failedIssuanceAttempts
	LastFailed time.Time
	Issuer     string // "ClusterIssuer letsencrypt"
}

// Ref implements Row.
func (c *Cert) Ref() Ref {
	return Ref{Kind: Certs, Namespace: c.Places[0].Object.Namespace, Name: c.Name, UID: c.UID}
}

// Place is the most dangerous place of the row.
func (c *Cert) Place() CertPlace { return c.Places[0] }

// Hidden reports whether nobody could look at the place of the row. What is read from the API as an object has been looked at,
// even if no date is found in it: a Secret whose tls.crt is empty, a request that was denied.
func (c *Cert) Hidden() bool {
	switch c.Places[0].Source {
	case FromSecret, FromConfigMap, FromObject, FromCSR, FromToken:
		return false
	case FromKubeconfig, FromHandshake, FromFile, FromMetric, FromNowhere:
	}
	return c.Unseen != ""
}

// Ends is when the row stops to work: its own end, or that of the first intermediate that goes before it.
func (c *Cert) Ends() time.Time {
	to := c.To
	for _, x := range c.Chain {
		if !x.SelfSigned && !to.IsZero() && x.To.Before(to) {
			to = x.To
		}
	}
	return to
}

// Matches implements Row: a filter finds names, places, subjects and what the columns say.
func (c *Cert) Matches(word string, m Moment) bool {
	has := func(s string) bool { return s != "" && strings.Contains(strings.ToLower(s), word) }
	if has(c.Name) || has(c.Kind.String()) || has(c.Unseen) || has(c.LeftText(m.Now)) {
		return true
	}
	for i := range c.Places {
		p := &c.Places[i]
		if has(p.Name) || has(p.Where) || has(p.Note) || has(p.Authority) || has(p.Source.String()) || has(p.Failed) {
			return true
		}
	}
	if c.X509 == nil {
		return false
	}
	if has(c.X509.Subject) || has(c.X509.Issuer) {
		return true
	}
	for _, names := range [...][]string{c.X509.DNS, c.X509.IPs, c.X509.Other} {
		if slices.ContainsFunc(names, has) {
			return true
		}
	}
	return false
}
