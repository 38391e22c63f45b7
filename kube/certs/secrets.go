package certs

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"ktriage/kube"
)

const (
	secretsName, otherSecretsName = "TLS Secrets", "other Secrets"
	// certificateNote is what cert-manager writes on the Secrets that it keeps
	// (AnnotationKey in github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1).
	certificateNote = "cert-manager.io/certificate-name"

	selectTLS = "type=kubernetes.io/tls"
	// selectOther leaves out what has no certificates: releases of Helm above all, which are big and many.
	selectOther = "type!=kubernetes.io/tls,type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token," +
		"type!=bootstrap.kubernetes.io/token"
)

// secretKind is a kind of Secrets with certificates in them.
type secretKind struct {
	name     string
	selector string // of fields
	want     func(key string) bool
	find     func(s *secret, once seen) []finding
}

var tlsSecrets = &secretKind{secretsName, selectTLS, wantTLS, (*secret).tls}

// otherSecrets are those with keys that somebody wants looked into.
func otherSecrets(patterns []string) *secretKind {
	return &secretKind{otherSecretsName, selectOther, func(key string) bool { return matches(patterns, key) }, (*secret).other}
}

// secretSources are the Secrets with certificates [9, 10].
func (i *Inventory) secretSources() []*source {
	out := []*source{i.secretSource(tlsSecrets)}
	if len(i.options.SecretKeys) > 0 {
		out = append(out, i.secretSource(otherSecrets(i.options.SecretKeys)))
	}
	return out
}

func (i *Inventory) secretSource(k *secretKind) *source {
	return &source{
		name: k.name, where: "secrets", every: everyList,
		read: func(ctx context.Context, put func(...finding)) error { return i.readSecrets(ctx, k, put) },
		look: func(ctx context.Context, p kube.CertPlace, put func(...finding)) error {
			found, err := i.secretAgain(ctx, k, p.Object.Namespace, p.Object.Name)
			put(found...)
			return err
		},
	}
}

func secretList(namespace, selector string) list {
	return list{prefix: "/api/v1", resource: "secrets", namespace: namespace, selector: selector, accept: asProtobuf, kind: "Secret"}
}

// readSecrets gives what is found in the Secrets of a kind, page by page.
func (i *Inventory) readSecrets(ctx context.Context, k *secretKind, put func(...finding)) error {
	once := seen{}
	return i.inScope(k.name, put, func(namespace string) error {
		var found []finding
		return i.each(ctx, secretList(namespace, k.selector), func(m *message) {
			found = append(found, m.findings(k, once)...)
		}, func() {
			put(found...)
			found = nil
		})
	})
}

// secretAgain reads one Secret anew. It is listed, since who may list Secrets may not always get one.
func (i *Inventory) secretAgain(ctx context.Context, k *secretKind, namespace, name string) (found []finding, err error) {
	err = i.each(ctx, secretList(namespace, k.selector+","+named(name)), func(m *message) {
		found = append(found, m.findings(k, seen{})...)
	}, func() {})
	return found, err
}

// findings are those of a Secret, of which nothing else is left.
func (m *message) findings(k *secretKind, once seen) []finding {
	s := m.secret(k.want)
	defer s.forget()
	return k.find(s, once)
}

func wantTLS(key string) bool { return key == "tls.crt" || key == "ca.crt" }

func matches(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, key)
		return ok && err == nil
	})
}

// secret is what is read of a Secret: the values of the keys that are wanted. A private key may be among them, since people
// keep both in one text: so they are overwritten by forget once their certificates have been read.
type secret struct {
	meta
	keys   []string // in the order of the server
	values map[string][]byte
}

// secret reads a Secret: metadata = 1, data = 2.
func (m *message) secret(want func(key string) bool) *secret {
	s := &secret{values: map[string][]byte{}}
	for m.next() {
		switch m.number {
		case 1:
			s.meta = m.metadata(certificateNote)
		case 2:
			key, value := m.entry()
			if want(key) && value.number == 2 {
				s.keys = append(s.keys, key)
				s.values[key] = value.bytes(mostBytes + 1) // one more, so that it is known to be too long
			}
		}
	}
	return s
}

// forget overwrites the values.
func (s *secret) forget() {
	for _, v := range s.values {
		clear(v)
	}
}

// place is that of a credential in the Secret.
func (s *secret) place() kube.CertPlace {
	ref := s.ref()
	p := kube.CertPlace{
		Source: kube.FromSecret, Name: ref.Name, Where: "secret " + ref.Namespace + "/" + ref.Name, Short: "secret " + ref.Namespace,
		Object: ref, Class: kube.ByHand, Danger: kube.BreaksApp, Breaks: "TLS of what uses this Secret",
		Renew: "put a new certificate into " + ref.Namespace + "/" + ref.Name,
	}
	if s.notes[certificateNote] != "" {
		p.Class, p.Renew = kube.CertManaged, "cert-manager does, for Certificate "+short(s.notes[certificateNote])
	}
	return p
}

// slotOfSecret is where what is in a TLS Secret is found.
func slotOfSecret(namespace, name string) string { return "secret " + namespace + "/" + name }

// tls is what is in a Secret of the type kubernetes.io/tls: a chain, and often the CA that signed it.
func (s *secret) tls(once seen) []finding {
	slot, place := slotOfSecret(s.namespace, s.name), s.place()
	out := once.chain(slot, place, s.values["tls.crt"], "tls.crt")
	ca := s.values["ca.crt"]
	if len(ca) == 0 {
		return out
	}
	place.Name += " ca.crt"
	place.Class = kube.ByHand // cert-manager writes it anew with the certificate, and not when it is about to end
	place.Breaks = "TLS of clients that trust this bundle alone"
	return append(out, once.anchors(slot+" ca.crt", place, ca)...)
}

// other is what is in a Secret of another type, under the keys that are wanted. What has no certificate is no row: which keys
// those are is a guess.
func (s *secret) other(once seen) []finding {
	var out []finding
	for _, key := range s.keys {
		value, place := s.values[key], s.place()
		place.Name, place.Where = place.Name+" "+short(key), place.Where+" "+short(key)
		slot := slotOfSecret(s.namespace, s.name) + " " + key
		if store := keystore(key, value); store != "" {
			out = append(out, unseen(slot, place, store+", not read"))
		} else if bytes.Contains(value, []byte("CERTIFICATE-----")) {
			out = append(out, once.any(slot, place, value, key)...)
		}
	}
	return out
}

// keystore says which format of keys and certificates a value has that is not read, "" if it is none: all of them want a
// password. Their first bytes are those of the file formats (RFC 7292; sun.security.provider.JavaKeyStore).
func keystore(key string, value []byte) string {
	begins := func(magic string) bool { return bytes.HasPrefix(value, []byte(magic)) }
	switch ext := strings.ToLower(path.Ext(key)); {
	case begins("\xfe\xed\xfe\xed"), begins("\xce\xce\xce\xce"), ext == ".jks" && !begins("0"):
		return "Java keystore"
	case ext == ".p12", ext == ".pfx", ext == ".jks", begins("\x30\x82") && len(value) > 7 && string(value[4:7]) == "\x02\x01\x03":
		return "PKCS#12"
	}
	return ""
}

// seen has the certificates of one reading, so that what many places show is kept once.
type seen map[string]*kube.X509

func (s seen) parse(pem []byte) (found []*kube.X509, bad []string) {
	found, bad = parse(pem)
	for n, x := range found {
		if s[x.Fingerprint] == nil {
			s[x.Fingerprint] = x
		}
		found[n] = s[x.Fingerprint]
	}
	return found, bad
}

// any makes findings of a PEM text of which nobody knows what it is: a bundle if there is nothing but CAs, else a chain.
func (s seen) any(slot string, place kube.CertPlace, pem []byte, what string) []finding {
	found, _ := s.parse(pem)
	if len(found) > 0 && !slices.ContainsFunc(found, func(x *kube.X509) bool { return !x.CA }) {
		return s.anchors(slot, place, pem)
	}
	return s.chain(slot, place, pem, what)
}

// chain makes a finding of a certificate and what is stored with it, or of why there is none. A block that cannot be read
// leaves a chain with a hole, which clients refuse.
func (s seen) chain(slot string, place kube.CertPlace, pem []byte, what string) []finding {
	found, bad := s.parse(pem)
	switch {
	case len(pem) == 0:
		return []finding{unseen(slot+" unread", place, what+" is empty")}
	case len(found) == 0:
		return []finding{unseen(slot+" unread", place, words(append([]string{"no certificate in " + what}, bad...)...))}
	case len(bad) > 0 && !leafRead(pem):
		return []finding{unseen(slot+" unread", place, words(what, bad[0]))}
	}
	doubtful(&place, bad)
	return []finding{certificate(slot, kindOf(found[0]), place, found...)}
}

// leafRead reports whether the first certificate of a PEM text can be read.
func leafRead(pem []byte) bool {
	for {
		block, rest, ok := nextBlock(pem)
		if !ok {
			return false
		}
		if block.certificate() {
			x, _ := block.read()
			return x != nil
		}
		pem = rest
	}
}

// anchors makes findings of a bundle of CAs, or of why there are none.
func (s seen) anchors(slot string, place kube.CertPlace, pem []byte) []finding {
	found, bad := s.parse(pem)
	if len(found) == 0 {
		place.Severity = kube.Warning
		why := words(append([]string{"no certificate in it"}, bad...)...)
		return []finding{unseen(slot+" unread", place, why)}
	}
	doubtful(&place, bad)
	return bundle(slot, place, found...)
}

// doubtful says of a place that a part of it cannot be read.
func doubtful(place *kube.CertPlace, bad []string) {
	if len(bad) > 0 {
		place.Severity = kube.Warning
		place.Note = words(append([]string{place.Note}, fmt.Sprintf("cannot be read: %s", strings.Join(bad, "; ")))...)
	}
}

// kindOf says what a certificate is for, by its extensions.
func kindOf(x *kube.X509) kube.CertKind { return kindFor(x.CA, x.Usages) }

func kindFor(authority bool, usages []string) kube.CertKind {
	serves, client := slices.Contains(usages, "server auth"), slices.Contains(usages, "client auth")
	switch {
	case authority:
		return kube.Authority
	case serves && client:
		return kube.BothCert
	case client:
		return kube.ClientCert
	}
	return kube.ServingCert
}
