package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
)

// mostAttributes is how many attributes of a name are shown. pkix.Name.String takes time in the square of their number.
const mostAttributes = 16

// attributes are the short names of RFC 4514, by object identifier.
var attributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.17": "POSTALCODE",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

// apart escapes what parts attributes, so that none can pretend to be two.
var apart = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`)

// nameText is a name in the order of RFC 4514, the last attribute first: "CN=kube-apiserver, O=corp".
func nameText(of []pkix.AttributeTypeAndValue) string {
	of = slices.Clone(of[:min(mostAttributes, len(of))])
	slices.Reverse(of)
	parts := make([]string, len(of))
	for n, a := range of {
		key := a.Type.String()
		if word, ok := attributes[key]; ok {
			key = word
		}
		parts[n] = key + "=" + apart.Replace(short(fmt.Sprint(a.Value)))
	}
	return short(strings.Join(parts, ", "))
}

// keyUsages and extendedUsages are in the words of RFC 5280.
var keyUsages = []struct {
	bit   x509.KeyUsage
	words string
}{
	{x509.KeyUsageDigitalSignature, "digital signature"}, {x509.KeyUsageKeyEncipherment, "key encipherment"},
	{x509.KeyUsageCertSign, "cert sign"}, {x509.KeyUsageCRLSign, "crl sign"},
	{x509.KeyUsageKeyAgreement, "key agreement"}, {x509.KeyUsageDataEncipherment, "data encipherment"},
}

var extendedUsages = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny: "any", x509.ExtKeyUsageServerAuth: "server auth", x509.ExtKeyUsageClientAuth: "client auth",
	x509.ExtKeyUsageCodeSigning: "code signing", x509.ExtKeyUsageEmailProtection: "email protection",
}

func usages(c *x509.Certificate) []string {
	var out []string
	for _, u := range keyUsages {
		if c.KeyUsage&u.bit != 0 {
			out = append(out, u.words)
		}
	}
	for _, u := range c.ExtKeyUsage {
		if words, ok := extendedUsages[u]; ok && !slices.Contains(out, words) {
			out = append(out, words)
		}
	}
	return out
}
