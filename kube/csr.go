package kube

import (
	"crypto/dsa" //nolint:staticcheck // it is only named
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/certificate/csr"

	"ktriage/internal/text"
)

// CSR is a row of the list of certificate signing requests (certificates.k8s.io/v1).
type CSR struct {
	UID, Name string
	Created   time.Time
	Signer    string        // "kubernetes.io/kubelet-serving"
	Requestor string        // who asks, as the server knows him
	Groups    []string      // that the server knows him in
	Usages    []string      // "digital signature", "server auth"
	Asked     time.Duration // for how long it is to be valid; 0 leaves it to the signer
	Condition CSRCondition
	Printed   string    // the condition as kubectl prints it: "Approved,Issued"
	Since     time.Time // of the condition
	Reason    string    // of the condition, with its message
	Ends      time.Time // of the certificate that was issued; zero without one, or if it cannot be read

	CommonName      string
	Organizations   []string
	DNS, IPs, Other []string // the names that it asks for; Other are URIs and mail addresses
	More            int      // how many more names it asks for
	Key             string   // "ECDSA P-256"
	Unreadable      string   // why the request cannot be read, "" if it can
}

// CSRCondition is how far a request has come.
type CSRCondition uint8

// The conditions. A request that was denied or has failed is that, whatever else was done to it.
const (
	CSRPending CSRCondition = iota
	CSRApproved
	CSRIssued
	CSRDenied
	CSRFailed
)

func (c CSRCondition) String() string {
	return [...]string{"Pending", "Approved", "Approved,Issued", "Denied", "Approved,Failed"}[c]
}

const (
	// csrNames is how many names, groups and usages of a request a row keeps of each, and csrLongest how much of one.
	csrNames, csrLongest = 50, 253
	// csrPatience is how long a request may wait that somebody in the cluster approves by himself: the controller manager does so
	// at once for the client certificates of kubelets (pkg/controller/certificates/approver/sarapprove.go in Kubernetes).
	csrPatience = 5 * time.Minute
)

// NewCSR makes a row of a request. Its signature is not looked at here: the server has (ValidateCertificateSigningRequest in
// pkg/apis/certificates/validation of Kubernetes).
func NewCSR(o *certificatesv1.CertificateSigningRequest) *CSR {
	c := &CSR{
		UID: clean(string(o.UID)), Name: clean(o.Name), Created: o.CreationTimestamp.Time, Since: o.CreationTimestamp.Time,
		Signer: csrText(o.Spec.SignerName), Requestor: csrText(o.Spec.Username), Groups: csrTexts(o.Spec.Groups),
	}
	for _, u := range o.Spec.Usages[:min(len(o.Spec.Usages), csrNames)] {
		c.Usages = append(c.Usages, csrText(string(u)))
	}
	if s := o.Spec.ExpirationSeconds; s != nil {
		c.Asked = csr.ExpirationSecondsToDuration(*s)
	}
	c.judge(o.Status)
	c.read(o.Spec.Request)
	return c
}

// judge takes the condition as kubectl does (extractCSRStatus in pkg/printers/internalversion/printers.go of Kubernetes).
func (c *CSR) judge(status certificatesv1.CertificateSigningRequestStatus) {
	var approved, failed bool
	for _, x := range status.Conditions {
		if x.Status == corev1.ConditionFalse {
			continue
		}
		switch x.Type {
		case certificatesv1.CertificateApproved:
			approved = true
			c.Condition = max(c.Condition, CSRApproved)
		case certificatesv1.CertificateDenied:
			c.Condition = CSRDenied
		case certificatesv1.CertificateFailed:
			failed = true
		default:
			continue
		}
		c.Since, c.Reason = x.LastTransitionTime.Time, csrText(strings.TrimSuffix(x.Reason+": "+x.Message, ": "))
	}
	switch {
	case c.Condition == CSRDenied:
		c.Printed = "Denied"
	case approved:
		c.Printed = "Approved"
	default:
		c.Printed = "Pending"
	}
	if failed {
		c.Printed += ",Failed"
		c.Condition = max(c.Condition, CSRFailed)
	}
	if len(status.Certificate) == 0 {
		return
	}
	c.Printed += ",Issued"
	if c.Condition == CSRApproved {
		c.Condition = CSRIssued
	}
	if issued := firstCertificate(status.Certificate); issued != nil {
		c.Ends = issued.NotAfter
	}
}

// firstCertificate is that of a PEM text, nil if it has none that can be read.
func firstCertificate(b []byte) *x509.Certificate {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

// read takes what is asked for out of the request.
func (c *CSR) read(request []byte) {
	r, err := ParseCSR(request)
	if err != nil {
		c.Unreadable = csrText(err.Error())
		return
	}
	c.CommonName, c.Organizations = csrText(r.Subject.CommonName), csrTexts(r.Subject.Organization)
	c.Key = KeyText(r.PublicKey)
	c.DNS = csrTexts(r.DNSNames)
	var addresses, other []string
	for _, ip := range r.IPAddresses {
		addresses = append(addresses, ip.String())
	}
	for _, u := range r.URIs {
		other = append(other, u.String())
	}
	other = append(other, r.EmailAddresses...)
	c.IPs, c.Other = csrTexts(addresses), csrTexts(other)
	c.More = len(r.DNSNames) + len(addresses) + len(other) - len(c.DNS) - len(c.IPs) - len(c.Other)
}

// ParseCSR reads a request as the API server and its signers do (ParseCSR in pkg/apis/certificates/helpers.go of Kubernetes): its
// first PEM block counts.
func ParseCSR(request []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(request)
	switch {
	case block == nil:
		return nil, fmt.Errorf("it has no PEM block")
	case block.Type != "CERTIFICATE REQUEST":
		return nil, fmt.Errorf("its PEM block is of type %q, and not CERTIFICATE REQUEST", block.Type)
	}
	return x509.ParseCertificateRequest(block.Bytes)
}

// KeyText is a public key in few words: "RSA 2048", "ECDSA P-256", "Ed25519".
func KeyText(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PublicKey:
		return "X25519"
	case *dsa.PublicKey:
		return "DSA"
	}
	return "unknown"
}

func csrText(s string) string { return text.Cut(clean(s), csrLongest, "…") }

// csrTexts are the first of some texts, cleaned and cut.
func csrTexts(all []string) []string {
	var out []string
	for _, s := range all[:min(len(all), csrNames)] {
		out = append(out, csrText(s))
	}
	return out
}

// Ref implements Row.
func (c *CSR) Ref() Ref { return Ref{Kind: CSRs, Name: c.Name, UID: c.UID} }

// Strange says what speaks against a request for a kubelet's serving certificate, as far as its row shows that; "" if nothing does.
// The sheet that approves it compares all of it with the Node.
func (c *CSR) Strange(m Moment) string {
	if c.Signer != certificatesv1.KubeletServingSignerName || c.Unreadable != "" {
		return ""
	}
	node, is := strings.CutPrefix(c.Requestor, nodeUser)
	switch {
	case !is:
		return c.Requestor + " is no node, and asks for what only nodes get"
	case c.CommonName != c.Requestor:
		return c.Requestor + " asks for the name of " + c.CommonName
	}
	if _, there := m.Nodes[node]; m.NodesKnown && !there {
		return "there is no Node " + node
	}
	for _, n := range c.DNS {
		host := strings.ToLower(strings.TrimSuffix(n, "."))
		if _, others := m.Nodes[host]; others && host != node {
			return "it asks for " + n + ", which is another node"
		}
		if host == "kubernetes" || strings.HasPrefix(host, "kubernetes.default") {
			return "it asks for " + n + ", which is the API server"
		}
	}
	return ""
}

// nodeUser is what the names of nodes as users begin with.
const nodeUser = "system:node:"

// Badness ranks a request: those that wait first. until is when that changes by time alone.
func (c *CSR) Badness(m Moment) (rank uint8, until time.Time) {
	switch c.Condition {
	case CSRPending:
		if c.Strange(m) != "" {
			return 5, time.Time{}
		}
		late := c.Created.Add(csrPatience)
		if c.Signer == certificatesv1.KubeletServingSignerName || !m.Now.Before(late) {
			return 4, time.Time{}
		}
		return 3, late
	case CSRFailed:
		return 2, time.Time{}
	case CSRDenied:
		return 1, time.Time{}
	case CSRApproved, CSRIssued:
	}
	return 0, time.Time{}
}

// Severity judges a request. Nobody in Kubernetes approves the serving certificate of a kubelet by itself, so that one that waits
// for it wants somebody at once; any other does when it has waited for five minutes.
func (c *CSR) Severity(m Moment) Severity {
	rank, _ := c.Badness(m)
	return csrSeverity(rank)
}

func csrSeverity(rank uint8) Severity {
	return [...]Severity{OK, Notice, Warning, Notice, Warning, Bad}[rank]
}

func judgeCSR(c *CSR, m Moment) (uint8, Severity, time.Time) {
	rank, until := c.Badness(m)
	return rank, csrSeverity(rank), until
}

// Matches implements Row.
func (c *CSR) Matches(word string, _ Moment) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), word) }
	if has(c.Name) || has(c.Signer) || has(c.Requestor) || has(c.Printed) || has(c.CommonName) || has(c.Reason) || has(c.Key) {
		return true
	}
	for _, names := range [...][]string{c.Organizations, c.DNS, c.IPs, c.Other, c.Groups, c.Usages} {
		if slices.ContainsFunc(names, has) {
			return true
		}
	}
	return false
}

// AsksText is what is asked for, in few words: "DNS gpu-03, IP 10.8.3.103", or the common name where there are no names.
func (c *CSR) AsksText() string {
	var out []string
	for _, n := range c.DNS {
		out = append(out, "DNS "+n)
	}
	for _, ip := range c.IPs {
		out = append(out, "IP "+ip)
	}
	out = append(out, c.Other...)
	if c.More > 0 {
		out = append(out, text.Plural(c.More, "more name", "more names"))
	}
	switch {
	case c.Unreadable != "":
		return "cannot be read: " + c.Unreadable
	case len(out) == 0:
		return "CN " + c.CommonName
	}
	return strings.Join(out, ", ")
}

// SignerText is the signer with as little as tells it: "kubelet-serving" for those of Kubernetes, the whole name for others.
func (c *CSR) SignerText() string { return strings.TrimPrefix(c.Signer, "kubernetes.io/") }
