package csr

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

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
	foreign []string     // names and addresses that are not the node's
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
	case !strings.HasPrefix(spec.Username, nodeOf):
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
	}
	c.add("requestor", words(spec.Username), has, v)
	v = same
	if !slices.Contains(spec.Groups, nodes) {
		v = differs
		if strings.HasPrefix(spec.Username, nodeOf) {
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

// namesShown is how many names of a kind have a line of their own.
const namesShown = 12

// names compares the names and addresses with those of the node.
func (c *comparison) names() {
	var addressesAsked, other []string
	for _, ip := range c.wants.IPAddresses {
		addressesAsked = append(addressesAsked, ip.String())
	}
	for _, u := range c.wants.URIs {
		other = append(other, "URI "+u.String())
	}
	for _, m := range c.wants.EmailAddresses {
		other = append(other, "mail "+m)
	}
	if c.serving() {
		c.each("DNS", c.wants.DNSNames, corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS)
		c.each("IP", addressesAsked, corev1.NodeInternalIP, corev1.NodeExternalIP)
		if len(c.wants.DNSNames)+len(addressesAsked) == 0 {
			c.against("It asks for no name and no address: its signer would refuse it.")
		}
	} else {
		other = append(append(slices.Clone(c.wants.DNSNames), addressesAsked...), other...)
	}
	if len(other) > 0 {
		c.add("names", some(cleaned(other), 4), "none", differs)
		c.against("It asks for names that no such certificate has, %s: its signer would refuse it.", some(cleaned(other), 4))
	}
}

// each compares the names of one kind.
func (c *comparison) each(title string, asked []string, types ...corev1.NodeAddressType) {
	has, known := map[string]string{}, c.node != nil
	own := "not known"
	if known {
		has = addresses(c.node)
		own = ofTypes(c.node, types)
	}
	if len(asked) == 0 {
		v := same // fewer names than the node has
		if len(c.wants.DNSNames)+len(c.wants.IPAddresses) == 0 {
			v = differs
		}
		c.add(title, "none", own, v)
	}
	rest, hidden := 0, same
	for i, name := range asked {
		v, what := same, has[canonical(name)]
		switch {
		case !known:
			v, what = unsure, own
		case what == "":
			v, what = differs, own
			c.foreignName(name)
		}
		if i < namesShown {
			c.add(title, words(name), what, v)
		} else {
			rest, hidden = rest+1, max(hidden, v)
		}
	}
	if rest > 0 {
		c.add(title, fmt.Sprintf("and %s more", text.Count(rest)), own, hidden)
	}
}

// ofTypes are the addresses of a node of some types, in their order.
func ofTypes(n *corev1.Node, types []corev1.NodeAddressType) string {
	var out []string
	for _, a := range n.Status.Addresses {
		if slices.Contains(types, a.Type) {
			out = append(out, words(string(a.Type)+" "+a.Address))
		}
	}
	return orNone(some(out, 3))
}

// foreignSaid is how many foreign names have a sentence of their own.
const foreignSaid = 4

// foreignName says whose a name is that is not the node's, and what somebody could do with it.
func (c *comparison) foreignName(name string) {
	c.foreign = append(c.foreign, words(name))
	if len(c.foreign) > foreignSaid {
		return
	}
	what := "a name"
	if net.ParseIP(name) != nil {
		what = "an address"
	}
	said := fmt.Sprintf("%s is not %s of %s.", words(name), what, c.nodeWords())
	switch owners := c.owners(name); {
	case len(owners) > 0:
		c.against("%s Another node has it: %s.", said, some(owners, 3))
		c.against("Who holds this certificate can answer the API server as %s: logs, exec and their data.", some(owners, 3))
	case ofAPIServer(name):
		c.against("%s It is one of the API server.", said)
		c.against("Who holds this certificate can pass for the API server to whoever trusts the same CA, and be given their tokens.")
	default:
		c.against("%s No other node has it either.", said)
		c.against("Who holds this certificate can answer as %s to whoever trusts the CA of the cluster.", words(name))
	}
}

// owners are the other nodes that have a name or address.
func (c *comparison) owners(name string) []string {
	var out []string
	for i := range c.facts.nodes {
		if n := &c.facts.nodes[i]; n.Name != c.name && (addresses(n)[canonical(name)] != "" || n.Name == canonical(name)) {
			out = append(out, words(n.Name))
		}
	}
	return out
}

// ofAPIServer reports whether a name is one under which programs in a cluster know the API server.
func ofAPIServer(name string) bool {
	name = canonical(name)
	return name == "kubernetes" || name == "kubernetes.default" || name == "kubernetes.default.svc" ||
		strings.HasPrefix(name, "kubernetes.default.svc.") || name == "localhost" || name == "127.0.0.1" || name == "::1"
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
	if c.facts.others == nil {
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
	for i := range c.facts.others {
		o := &c.facts.others[i]
		if o.UID == c.object.UID {
			continue
		}
		wants, err := kube.ParseCSR(o.Spec.Request)
		if err != nil || !bytes.Equal(wants.RawSubjectPublicKeyInfo, c.wants.RawSubjectPublicKeyInfo) {
			continue
		}
		if sameAsker(o, c.object) && bytes.Equal(wants.RawSubject, c.wants.RawSubject) && len(o.Status.Certificate) == 0 {
			again = o
			continue
		}
		before = o
	}
	return before, again
}

func sameAsker(a, b *certificatesv1.CertificateSigningRequest) bool {
	return a.Spec.SignerName == b.Spec.SignerName && a.Spec.Username == b.Spec.Username
}

// newer gives a request of the same kubelet that came later and waits too, nil if there is none.
func (c *comparison) newer() *certificatesv1.CertificateSigningRequest {
	var newest *certificatesv1.CertificateSigningRequest
	for i := range c.facts.others {
		o := &c.facts.others[i]
		if o.UID != c.object.UID && sameAsker(o, c.object) && strings.HasPrefix(o.Spec.Username, nodeOf) &&
			o.CreationTimestamp.After(c.object.CreationTimestamp.Time) && kube.NewCSR(o).Condition == kube.CSRPending {
			newest = o
		}
	}
	return newest
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
