package csr

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
)

// name is a name or address that is asked for, with what is known of it.
type name struct {
	text, has string
	verdict   verdict
	own       bool // its node has it
	whose     whose
	holders   []string // the other nodes that have it
}

// whose is who else has a name, the worst last.
type whose uint8

const (
	nobodys whose = iota
	anotherNodes
	theAPIServers
)

// names compares the names and addresses with those of the node.
func (c *comparison) names() {
	addressesAsked, others := addressTexts(c.wants), []string(nil)
	for _, u := range c.wants.URIs {
		others = append(others, "URI "+u.String())
	}
	for _, m := range c.wants.EmailAddresses {
		others = append(others, "mail "+m)
	}
	if c.serving() {
		c.each("DNS", c.wants.DNSNames, corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS)
		c.each("IP", addressesAsked, corev1.NodeInternalIP, corev1.NodeExternalIP)
		c.sayForeign()
		if len(c.wants.DNSNames)+len(addressesAsked) == 0 {
			c.against("It asks for no name and no address: its signer would refuse it.")
		}
	} else {
		others = slices.Concat(c.wants.DNSNames, addressesAsked, others)
	}
	if len(others) > 0 {
		c.add("names", some(cleaned(others), 4), "none", differs)
		c.against("It asks for names that no such certificate has, %s: its signer would refuse it.", some(cleaned(others), 4))
	}
}

func addressTexts(r *x509.CertificateRequest) []string {
	var out []string
	for _, ip := range r.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// namesShown is how many names of a kind have a line of their own.
const namesShown = 12

// each compares the names of one kind. What is worst stands first: nobody can hide it behind many others.
func (c *comparison) each(title string, asked []string, types ...corev1.NodeAddressType) {
	has, own := map[string]string{}, "not known"
	if c.node != nil {
		has, own = addresses(c.node), ofTypes(c.node, types)
	}
	if len(asked) == 0 {
		v := same // fewer names than the node has
		if len(c.wants.DNSNames)+len(c.wants.IPAddresses) == 0 {
			v = differs
		}
		c.add(title, "none", own, v)
	}
	all := make([]name, len(asked))
	for i, s := range asked {
		all[i] = c.judge(s, has[canonical(s)], own)
	}
	slices.SortStableFunc(all, func(a, b name) int {
		return cmp.Or(cmp.Compare(b.verdict, a.verdict), cmp.Compare(b.whose, a.whose))
	})
	for _, n := range all {
		if n.verdict == differs {
			c.foreign = append(c.foreign, n)
		}
	}
	for _, n := range all[:min(len(all), namesShown)] {
		c.add(title, n.text, n.has, n.verdict)
	}
	if rest := all[min(len(all), namesShown):]; len(rest) > 0 {
		c.add(title, fmt.Sprintf("and %s more", text.Count(len(rest))), own, rest[0].verdict)
	}
}

// judge says of one name whose it is. has is what the node calls it, "" if it has none such; own what the node has. That the
// node has it too is no proof where another has it, since a kubelet says itself what its node has.
func (c *comparison) judge(asked, has, own string) name {
	n := name{text: orElse(words(asked), "an empty name"), has: has, own: has != "", holders: c.holders(asked)}
	switch {
	case ofAPIServer(asked):
		n.whose = theAPIServers
	case len(n.holders) > 0:
		n.whose = anotherNodes
	}
	switch {
	case n.whose != nobodys:
		n.verdict = differs
	case n.own:
		return n
	case c.node == nil:
		n.verdict = unsure
	default:
		n.verdict = differs
	}
	n.has = orElse(has, own)
	return n
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

// foreignSaid is how many foreign names have sentences of their own.
const foreignSaid = 4

// sayForeign says whose the names are that are not the node's alone, and what somebody could do with them, the worst first.
func (c *comparison) sayForeign() {
	slices.SortStableFunc(c.foreign, func(a, b name) int { return cmp.Compare(b.whose, a.whose) })
	for _, n := range c.foreign[:min(len(c.foreign), foreignSaid)] {
		c.sayOf(n)
	}
	if rest := len(c.foreign) - foreignSaid; rest > 0 {
		c.against("And %s.", text.Plural(rest, "more such name", "more such names"))
	}
}

func (c *comparison) sayOf(n name) {
	what := "a name"
	if net.ParseIP(n.text) != nil {
		what = "an address"
	}
	said := fmt.Sprintf("%s is not %s of %s.", n.text, what, c.nodeWords())
	if n.own {
		said = fmt.Sprintf("%s calls %s its own.", c.nodeWords(), n.text)
	}
	switch n.whose {
	case theAPIServers:
		c.against("%s It is one of the API server.", said)
		c.against("Who holds this certificate can pass for the API server to whoever trusts the same CA, and be given their tokens.")
	case anotherNodes:
		c.against("%s Another node has it: %s.", said, some(n.holders, 3))
		c.against("Who holds this certificate can answer the API server as %s: logs, exec and their data.", some(n.holders, 3))
	case nobodys:
		c.against("%s No other node has it either.", said)
		c.against("Who holds this certificate can answer as %s to whoever trusts the CA of the cluster.", n.text)
	}
}

// holders are the nodes that have a name or address, or one that a wildcard covers.
func holders(all []corev1.Node) map[string][]string {
	out := map[string][]string{}
	for i := range all {
		n := &all[i]
		has := addresses(n)
		has[canonical(n.Name)] = ""
		for key := range has {
			out[key] = append(out[key], words(n.Name))
		}
	}
	return out
}

// holders are the other nodes that have a name.
func (c *comparison) holders(asked string) []string {
	asked = withoutDot(canonical(asked))
	found := c.facts.holders[asked]
	if strings.HasPrefix(asked, "*.") {
		for _, key := range slices.Sorted(maps.Keys(c.facts.holders)) {
			if covers(asked, key) {
				found = append(slices.Clip(found), c.facts.holders[key]...)
			}
		}
	}
	found = slices.DeleteFunc(slices.Clone(found), func(node string) bool { return node == words(c.name) })
	slices.Sort(found)
	return slices.Compact(found)
}

func withoutDot(s string) string { return strings.TrimSuffix(s, ".") }

// covers reports whether a wildcard stands for a name (RFC 6125, 6.4.3): for one label.
func covers(wildcard, name string) bool {
	_, domain, ok := strings.Cut(name, ".")
	return ok && net.ParseIP(name) == nil && wildcard == "*."+domain
}

// apiServer are the names under which programs in a cluster know the API server.
var apiServer = []string{
	"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1", "::1",
}

// ofAPIServer reports whether a name is one of the API server.
func ofAPIServer(name string) bool {
	name = withoutDot(canonical(name))
	return strings.HasPrefix(name, "kubernetes.default.svc.") ||
		slices.ContainsFunc(apiServer, func(its string) bool { return name == its || covers(name, its) })
}

// addresses are the names and addresses of a node as its kubelet asks for them, with what they are: "InternalIP 10.8.3.103"
// (addressesToHostnamesAndIPs in pkg/kubelet/certificate/kubelet.go of Kubernetes).
func addresses(n *corev1.Node) map[string]string {
	out := map[string]string{}
	for _, a := range n.Status.Addresses {
		switch key := canonical(a.Address); a.Type {
		case corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS, corev1.NodeInternalIP, corev1.NodeExternalIP:
			if key != "" && out[key] == "" {
				out[key] = words(string(a.Type) + " " + a.Address)
			}
		}
	}
	return out
}

// canonical is a name or an address as it compares with others.
func canonical(s string) string {
	if ip := net.ParseIP(s); ip != nil {
		return ip.String()
	}
	return strings.ToLower(s)
}

// extensions are those that a request may have beside its names (RFC 5280, 4.2.1).
var extensions = map[string]string{"2.5.29.15": "key usage", "2.5.29.19": "basic constraints", "2.5.29.37": "extended key usage"}

// besides are the parts of a request that its common name, organizations and names do not show: other attributes of its
// subject, names of other kinds, and extensions. A request of a kubelet has none (MakeCSR in k8s.io/client-go/util/cert).
func besides(r *x509.CertificateRequest) []string {
	var out []string
	for _, a := range r.Subject.Names {
		its := a.Type.String() == "2.5.4.3" && a.Value == r.Subject.CommonName || a.Type.String() == "2.5.4.10"
		if !its {
			out = append(out, pkix.RDNSequence{{a}}.String())
		}
	}
	for _, e := range r.Extensions {
		switch id := e.Id.String(); id {
		case "2.5.29.17":
			out = append(out, otherNames(e.Value)...)
		default:
			out = append(out, "extension "+orElse(extensions[id], id))
		}
	}
	return out
}

// otherNames are the names of a SAN extension that are of none of the kinds which crypto/x509 reads: mail, DNS, URI, IP.
func otherNames(der []byte) []string {
	var names asn1.RawValue
	if _, err := asn1.Unmarshal(der, &names); err != nil {
		return []string{"names that cannot be read"}
	}
	var out []string
	for rest := names.Bytes; len(rest) > 0; {
		var n asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &n); err != nil {
			return append(out, "names that cannot be read")
		}
		if !slices.Contains([]int{1, 2, 6, 7}, n.Tag) {
			out = append(out, fmt.Sprintf("a name of kind %d", n.Tag))
		}
	}
	return out
}
