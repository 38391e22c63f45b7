package views

import (
	"slices"
	"time"

	"ktriage/kube"
)

// certFilterFields are what can be compared of a certificate.
func certFilterFields() []filterField[*kube.Cert] {
	type cert = *kube.Cert
	type moment = kube.Moment
	places := func(get func(*kube.CertPlace) string) func(cert, moment, func(string) bool) bool {
		return func(c cert, _ moment, is func(string) bool) bool {
			for i := range c.Places {
				if s := get(&c.Places[i]); s != "" && is(s) {
					return true
				}
			}
			return false
		}
	}
	return []filterField[cert]{
		wordsField("name", "its name, or that of any of its places", func(c cert, m moment, is func(string) bool) bool {
			return c.Name != "" && is(c.Name) || places(func(p *kube.CertPlace) string { return p.Name })(c, m, is)
		}),
		leftField("left", "the time until it expires; less than 0 when it has", func(c cert) time.Time { return c.Ends() }),
		ageField("age", "how long ago it began to be valid", func(c cert) time.Time { return c.From }),
		wordsField("kind", "what it is", func(c cert, _ moment, is func(string) bool) bool {
			return c.Kind != kube.NoCert && (is(c.Kind.String()) || eachWord(c.Kind.String(), ", ", is))
		}).offering("serving", "client", "CA", "token"),
		wordsField("where", "any place where it was seen", places(func(p *kube.CertPlace) string { return p.Where })).alias("place"),
		wordsField("ns", "the namespace of the object that holds it", places(func(p *kube.CertPlace) string { return p.Object.Namespace })).alias("namespace"),
		wordsField("host", "the node or machine that it is on", places(func(p *kube.CertPlace) string { return p.Host })).alias("node"),
		wordsField("how", "how it was read", places(func(p *kube.CertPlace) string { return p.Source.String() })).
			offering("kubeconfig", "handshake", "file", "secret", "configmap", "object", "csr", "metric", "token"),
		wordsField("authority", "the CA that signed it", places(func(p *kube.CertPlace) string { return p.Authority })).alias("ca"),
		textField("subject", "the subject", func(c cert, _ moment) string {
			if c.X509 == nil {
				return ""
			}
			return c.X509.Subject
		}),
		textField("cn", "the common name", func(c cert, _ moment) string {
			if c.X509 == nil {
				return ""
			}
			return c.X509.CommonName
		}),
		textField("issuer", "the issuer", func(c cert, _ moment) string {
			if c.X509 == nil {
				return ""
			}
			return c.X509.Issuer
		}),
		wordsField("san", "its alternative names", func(c cert, _ moment, is func(string) bool) bool {
			return c.X509 != nil && (anyOf(c.X509.DNS, is) || anyOf(c.X509.IPs, is) || anyOf(c.X509.Other, is))
		}).alias("dns"),
		yesField("seen", "somebody could look at it", func(c cert, _ moment) (bool, bool) { return c.Unseen == "", true }),
		severityField((*kube.Cert).Severity),
	}
}

// anyOf asks about each of some words.
func anyOf(words []string, is func(string) bool) bool {
	return slices.ContainsFunc(words, func(s string) bool { return s != "" && is(s) })
}

// csrFilterFields are what can be compared of a certificate signing request.
func csrFilterFields() []filterField[*kube.CSR] {
	type csr = *kube.CSR
	type moment = kube.Moment
	return []filterField[csr]{
		textField("name", "the name", func(c csr, _ moment) string { return c.Name }),
		ageField("age", "how long ago it was made", func(c csr) time.Time { return c.Created }),
		wordsField("condition", "what has become of it", func(c csr, _ moment, is func(string) bool) bool {
			return c.Printed != "" && (is(c.Printed) || eachWord(c.Printed, ",", is))
		}).alias("status").offering("Pending", "Approved", "Issued", "Denied", "Failed"),
		wordsField("signer", "the signer, with or without its domain", func(c csr, _ moment, is func(string) bool) bool {
			return c.Signer != "" && (is(c.Signer) || is(c.SignerText()))
		}).offering("kubelet-serving", "kube-apiserver-client-kubelet", "kube-apiserver-client"),
		textField("requestor", "who asks", func(c csr, _ moment) string { return c.Requestor }),
		textField("node", "the node that it is for", func(c csr, _ moment) string { return csrNode(c) }),
		textField("cn", "the common name that is asked for", func(c csr, _ moment) string { return c.CommonName }),
		wordsField("asks", "the names that are asked for", func(c csr, _ moment, is func(string) bool) bool {
			return anyOf(c.DNS, is) || anyOf(c.IPs, is) || anyOf(c.Other, is)
		}).alias("san", "dns"),
		wordsField("groups", "the groups of who asks", func(c csr, _ moment, is func(string) bool) bool { return anyOf(c.Groups, is) }).alias("group"),
		wordsField("usages", "what it is to be good for", func(c csr, _ moment, is func(string) bool) bool { return anyOf(c.Usages, is) }).alias("usage"),
		textField("key", "the kind of its key", func(c csr, _ moment) string { return c.Key }),
		severityField((*kube.CSR).Severity),
	}
}
