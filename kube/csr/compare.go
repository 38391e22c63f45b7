package csr

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// verdict is what comes of comparing one field.
type verdict uint8

const (
	same verdict = iota
	unsure
	differs
)

func (v verdict) String() string { return [...]string{"✓ same", "? unknown", "✗ differs"}[v] }

func (v verdict) severity() kube.Severity {
	return [...]kube.Severity{kube.OK, kube.Warning, kube.Bad}[v]
}

// row is a line of a sheet that ends in the verdict.
func (v verdict) row(cells ...string) action.Row {
	return action.Row{Severity: v.severity(), Cells: append(cells, v.String())}
}

// field is one line of the comparison.
type field struct {
	name, asks, has string
	verdict         verdict
}

// comparison is a request of a kubelet beside its Node.
type comparison struct {
	*request
	facts   *facts
	fields  []field
	why     []action.Row // what speaks against it
	foreign []name       // names and addresses that are not the node's alone
}

// compare puts a request of a kubelet beside its Node. Nothing speaks against one that asks for what its node has: its own
// name, its own addresses, and the usages of its signer.
func compare(r *request, f *facts) *comparison {
	c := &comparison{request: r, facts: f}
	c.who()
	if r.wants == nil {
		return c
	}
	c.subject()
	c.names()
	c.usages()
	c.key()
	if len(c.why) > 0 {
		c.young()
	}
	return c
}

func (c *comparison) add(name, asks, has string, v verdict) {
	c.fields = append(c.fields, field{name, asks, has, v})
}

func (c *comparison) against(format string, args ...any) {
	c.why = append(c.why, line(kube.Bad, format, args...))
}

// serving reports whether it is for a serving certificate.
func (c *comparison) serving() bool {
	return c.object.Spec.SignerName == certificatesv1.KubeletServingSignerName
}

// nodeWords is the name of the node as it is shown.
func (c *comparison) nodeWords() string { return orNone(words(c.name)) }

// who compares whoever asks with the node.
func (c *comparison) who() {
	spec := &c.object.Spec
	has, v := c.nodeWords(), same
	switch {
	case !asksAsNode(c.object):
		v, has = differs, "no node"
		if bootstraps(spec.Groups) {
			c.against("Not a node asks, but a bootstrap token: whoever has it can ask in the name of any node.")
			if c.node != nil {
				c.against("There is a Node %s already: who holds this certificate can act as its kubelet.", c.nodeWords())
			}
		} else {
			c.against("%s is not a node, and asks for what only nodes get.", words(spec.Username))
		}
	case c.nodeErr != nil:
		v, has = unsure, "cannot be read"
		c.against("The Node cannot be read, so that nothing can be compared: %s", kube.Explain(c.nodeErr).Sentence)
	case c.node == nil:
		v, has = differs, "no such Node"
		c.against("There is no Node %s: nothing in the cluster says what it may ask for.", c.nodeWords())
	case c.node.CreationTimestamp.After(c.object.CreationTimestamp.Time):
		v, has = differs, "made after the request"
		c.against("The Node %s was made after this was asked: it may be another machine than the one that asks.", c.nodeWords())
	}
	c.add("requestor", words(spec.Username), has, v)
	v = same
	if !slices.Contains(spec.Groups, nodes) {
		v = differs
		if asksAsNode(c.object) {
			c.against("Whoever asks is not in the group %s.", nodes)
		}
	}
	c.add("groups", groupWords(spec.Groups), nodes, v)
}

func bootstraps(groups []string) bool { return slices.Contains(groups, "system:bootstrappers") }

// groupWords are groups with what everybody has cut short.
func groupWords(groups []string) string {
	var out []string
	for _, g := range groups {
		out = append(out, words(strings.Replace(g, "system:authenticated", "authenticated", 1)))
	}
	return orNone(some(out, 4))
}

func orNone(s string) string { return orElse(s, "none") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// subject compares the common name and the organizations.
func (c *comparison) subject() {
	spec, subject := &c.object.Spec, c.wants.Subject
	v, want := same, nodeOf+orElse(c.name, "NAME")
	if subject.CommonName != want || c.name == "" {
		v = differs
		c.against("It is for %s, and %s asks.", orNone(words(subject.CommonName)), words(spec.Username))
	}
	c.add("CN", orNone(words(subject.CommonName)), words(want), v)
	v = same
	if !slices.Equal(subject.Organization, []string{nodes}) {
		v = differs
		c.against("It makes its holder a member of %s, and a node is one of %s alone.", groupsOf(subject.Organization), nodes)
	}
	c.add("O", orNone(some(cleaned(subject.Organization), 4)), nodes, v)
	if more := besides(c.wants); len(more) > 0 {
		c.add("besides", some(cleaned(more), 4), "none", differs)
		c.against("It has parts that no kubelet asks for, %s: kube-controller-manager leaves them out, another signer may not.",
			some(cleaned(more), 4))
	}
}

func groupsOf(o []string) string {
	if len(o) == 0 {
		return "no group"
	}
	return "group " + some(cleaned(o), 4)
}

func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = words(s)
	}
	return out
}

// usages compares the usages with those that the signer signs (ValidateKubeletServingCSR and ValidateKubeletClientCSR in
// pkg/apis/certificates/helpers.go of Kubernetes): with or without key encipherment, which only RSA keys need.
func (c *comparison) usages() {
	must := certificatesv1.UsageClientAuth
	if c.serving() {
		must = certificatesv1.UsageServerAuth
	}
	ok := true
	for _, u := range c.object.Spec.Usages {
		ok = ok && (u == must || u == certificatesv1.UsageDigitalSignature || u == certificatesv1.UsageKeyEncipherment)
	}
	ok = ok && slices.Contains(c.object.Spec.Usages, must) && slices.Contains(c.object.Spec.Usages, certificatesv1.UsageDigitalSignature)
	if ok {
		c.add("usages", join(c.row.Usages), "as "+c.row.SignerText()+" needs", same)
		return
	}
	c.add("usages", orNone(join(c.row.Usages)), "digital signature, "+string(must), differs)
	c.against("Its usages are not those of %s: its signer would refuse it.", c.row.SignerText())
}

// leastRSA is the shortest RSA key that is still believed to be safe (NIST SP 800-131A).
const leastRSA = 2048

// key compares the key with those of other requests. A kubelet makes a new one each time; only where it has not been answered
// does it ask again with the same (LoadOrGenerateKeyFile in k8s.io/client-go/util/keyutil, for the first certificate of all).
func (c *comparison) key() {
	asks := c.row.Key
	if k, ok := c.wants.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < leastRSA {
		c.add("key", asks, fmt.Sprintf("RSA %d at least", leastRSA), differs)
		c.against("Its key, %s, is so short that it can be found out.", asks)
		return
	}
	if c.facts.byKey == nil {
		c.add("key", asks, "other requests cannot be read", unsure)
		return
	}
	before, again := c.usedBefore()
	switch {
	case before != nil:
		c.add("key", asks+", used before", "used by "+words(before.Name), differs)
		c.against("The key is not new: %s, of %s, has it too. Whoever has had that one has this one.",
			words(before.Name), words(before.Spec.Username))
	case again != nil:
		c.add("key", asks, "asked before: "+words(again.Name), same)
	default:
		c.add("key", asks+", new", "no older key known", same)
	}
}

// usedBefore gives another request with the same key, and one by which the same was asked for and never given.
func (c *comparison) usedBefore() (before, again *certificatesv1.CertificateSigningRequest) {
	for _, o := range c.facts.byKey[keyOf(c.wants)] {
		switch {
		case o.UID == c.object.UID:
		case sameAsker(o.CertificateSigningRequest, c.object) && bytes.Equal(o.wants.RawSubject, c.wants.RawSubject) && len(o.Status.Certificate) == 0:
			again = o.CertificateSigningRequest
		default:
			before = o.CertificateSigningRequest
		}
	}
	return before, again
}

func sameAsker(a, b *certificatesv1.CertificateSigningRequest) bool {
	return a.Spec.SignerName == b.Spec.SignerName && a.Spec.Username == b.Spec.Username
}

// newer gives the last request of the same kubelet that came later and waits too, nil if there is none.
func (c *comparison) newer() *certificatesv1.CertificateSigningRequest {
	newest := c.object
	for i := range c.facts.others {
		o := &c.facts.others[i]
		if sameAsker(o, c.object) && o.CreationTimestamp.After(newest.CreationTimestamp.Time) && kube.NewCSR(o).Condition == kube.CSRPending {
			newest = o
		}
	}
	if newest == c.object || !asksAsNode(c.object) {
		return nil
	}
	return newest
}

// asksAsNode reports whether a node asks.
func asksAsNode(o *certificatesv1.CertificateSigningRequest) bool {
	return strings.HasPrefix(o.Spec.Username, nodeOf)
}

// youth is how long a Node object is called new.
const youth = 10 * time.Minute

// young says so if the node has come to the cluster only now.
func (c *comparison) young() {
	if c.node == nil {
		return
	}
	if made := c.node.CreationTimestamp.Time; c.facts.now.Sub(made) < youth {
		c.why = append(c.why, line(kube.Warning, "%s registered %s ago; its machine is not known to this cluster from before.",
			c.nodeWords(), text.Age(c.facts.now, made)))
	}
}
