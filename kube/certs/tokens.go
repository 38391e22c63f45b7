package certs

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	serviceTokensName = "service-account tokens"
	// fewTokens is how many tokens of service accounts get a row each.
	fewTokens = 3

	selectBootstrap     = "type=bootstrap.kubernetes.io/token"
	selectServiceTokens = "type=kubernetes.io/service-account-token"

	// The labels and the annotation of tokens of service accounts (k8s.io/kubernetes/pkg/serviceaccount/legacy.go,
	// k8s.io/kubernetes/pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go, k8s.io/api/core/v1/types.go).
	lastUsedNote     = "kubernetes.io/legacy-token-last-used"
	invalidSinceNote = "kubernetes.io/legacy-token-invalid-since"
	accountNote      = "kubernetes.io/service-account.name"
)

// tokenSources are tokens, and what is protected by one [21, 22, 23].
func (i *Inventory) tokenSources() []*source {
	return []*source{
		{name: "bootstrap tokens", where: "secrets in kube-system", every: everyList, read: i.readBootstrapTokens},
		{name: "kubeadm-certs", where: "secret kube-system/kubeadm-certs", every: everyList, read: i.readUploadedCerts},
		{name: serviceTokensName, where: "secrets", every: everyList, read: i.readServiceTokens},
	}
}

// readBootstrapTokens reads the tokens with which nodes join. Of the Secrets nothing is read but the token's public half
// and its end (k8s.io/cluster-bootstrap/token/api).
func (i *Inventory) readBootstrapTokens(ctx context.Context, put func(...finding)) error {
	return i.each(ctx, secretList(metav1.NamespaceSystem, selectBootstrap), func(m *message) {
		put(m.secret(wantBootstrap).bootstrapToken())
	}, func() {})
}

func wantBootstrap(key string) bool { return key == "token-id" || key == "expiration" }

func (s *secret) bootstrapToken() finding {
	id := string(s.values["token-id"])
	if id == "" {
		id = strings.TrimPrefix(s.name, "bootstrap-token-")
	}
	place := s.place()
	place.Name, place.Use, place.Class, place.Danger = "bootstrap token "+short(id), kube.Token, kube.BootstrapToken, kube.BreaksNode
	place.Breaks, place.Renew = "joins of new nodes with it", "kubeadm token create"
	f := finding{slot: "bootstrap token " + s.name, cert: &kube.Cert{
		UID: "secret:" + s.uid, Name: place.Name, Kind: kube.Token, From: s.created,
	}}
	end, err := s.expiration()
	switch {
	case err != nil: // as GetExpiration in k8s.io/cluster-bootstrap/util/secrets has it
		f.cert.Unseen = fmt.Sprintf("its expiration %s cannot be read: it is taken for expired", short(string(s.values["expiration"])))
	case end.IsZero():
		place.Note = "it never expires: whoever has it can have a node join"
	}
	f.cert.To, f.cert.Places = end, []kube.CertPlace{place}
	return f
}

// expiration is the end of a bootstrap token; zero if it has none.
func (s *secret) expiration() (time.Time, error) {
	value := string(s.values["expiration"])
	if value == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, value)
}

// readUploadedCerts looks whether there are the private keys of the CAs, encrypted, that kubeadm init --upload-certs leaves for
// control-plane nodes that join. They go with the token to which they belong. Of the Secret only the metadata is asked for.
func (i *Inventory) readUploadedCerts(ctx context.Context, put func(...finding)) error {
	l := secretList(metav1.NamespaceSystem, "")
	l.accept, l.kind = asOneMetadata, metadataKind
	var is *secret
	err := i.one(ctx, l, "kubeadm-certs", func(m *message) { is = m.secret(wantNothing) })
	if err != nil {
		return err
	}
	place := is.place()
	place.Use, place.Class, place.Danger, place.Severity = kube.NoCert, kube.WithoutExpiry, kube.BreaksNothing, kube.Warning
	place.Breaks, place.Renew = "", ""
	place.Note = "the keys of the CAs are in the API, encrypted; delete it unless a control-plane node is about to join"
	c := &kube.Cert{UID: "secret:" + is.uid, Name: place.Name, Kind: kube.NoCert, From: is.created}
	if is.owner != "" {
		c.To = i.endOfToken(ctx, is.owner)
		place.Class = kube.ShortLived
		place.Note += "; it goes with " + short(is.owner)
	}
	c.Places = []kube.CertPlace{place}
	put(finding{slot: "kubeadm-certs", cert: c})
	return nil
}

func wantNothing(string) bool { return false }

// endOfToken is when a bootstrap token ends, zero if that cannot be read.
func (i *Inventory) endOfToken(ctx context.Context, name string) (end time.Time) {
	_ = i.one(ctx, secretList(metav1.NamespaceSystem, ""), name, func(m *message) {
		end, _ = m.secret(wantBootstrap).expiration()
	})
	return end
}

// readServiceTokens looks for tokens of service accounts that are kept in Secrets and never end. Only their metadata is asked
// for. Unless they are few they are one row.
func (i *Inventory) readServiceTokens(ctx context.Context, put func(...finding)) error {
	var all serviceTokens
	err := i.inScope(serviceTokensName, put, func(namespace string) error {
		l := secretList(namespace, selectServiceTokens)
		l.accept, l.kind = asMetadata, metadataKind
		return i.each(ctx, l, func(m *message) { all.add(m) }, func() {})
	})
	if err != nil {
		return err
	}
	put(all.findings()...)
	return nil
}

// serviceTokens are tokens of service accounts, counted.
type serviceTokens struct {
	first      []meta
	namespaces map[string]struct{}
	count      int
	unused     int    // those that nobody has used since the server looks for it
	invalid    int    // those that the server does not take any more
	used       string // the day of the last use of any
}

func (t *serviceTokens) add(m *message) {
	for m.next() {
		if m.number != 1 {
			continue
		}
		token := m.metadata(lastUsedNote, invalidSinceNote, accountNote)
		if t.namespaces == nil {
			t.namespaces = map[string]struct{}{}
		}
		t.namespaces[token.namespace] = struct{}{}
		t.count++
		if len(t.first) < fewTokens {
			t.first = append(t.first, token)
		}
		if token.notes[lastUsedNote] == "" {
			t.unused++
		}
		if token.notes[invalidSinceNote] != "" {
			t.invalid++
		}
		t.used = max(t.used, token.notes[lastUsedNote])
	}
}

func (t *serviceTokens) findings() []finding {
	if t.count == 0 {
		return nil
	}
	if t.count <= fewTokens {
		var out []finding
		for k := range t.first {
			out = append(out, serviceToken(&t.first[k]))
		}
		return out
	}
	place := tokenPlace(text.Count(t.count)+" legacy service-account tokens",
		"secrets in "+text.Plural(len(t.namespaces), "namespace", "namespaces"))
	note := []string{"they never expire"}
	if t.used != "" {
		note = append(note, "last used "+t.used)
	}
	if t.unused > 0 {
		note = append(note, fmt.Sprintf("%d without a known use", t.unused))
	}
	if t.invalid > 0 {
		note = append(note, fmt.Sprintf("%d no longer accepted", t.invalid))
	}
	place.Note = short(strings.Join(note, ", "))
	return []finding{{slot: "tokens", cert: &kube.Cert{
		UID: "place:" + serviceTokensName, Name: place.Name, Kind: kube.Token, Places: []kube.CertPlace{place},
	}}}
}

// serviceToken is one token of a service account.
func serviceToken(m *meta) finding {
	ref := m.ref()
	place := tokenPlace("token of "+words(ref.Namespace+"/"+m.notes[accountNote]), "secret "+ref.FullName())
	place.Short, place.Object = "secret "+ref.Namespace, ref
	switch used := m.notes[lastUsedNote]; {
	case m.notes[invalidSinceNote] != "":
		place.Note = "no longer accepted since " + short(m.notes[invalidSinceNote])
	case used != "":
		place.Note = "it never expires; last used " + short(used)
	default:
		place.Note = "it never expires; no use of it is known"
	}
	return finding{slot: "token " + ref.FullName(), cert: &kube.Cert{
		UID: "secret:" + m.uid, Name: place.Name, Kind: kube.Token, From: m.created, Places: []kube.CertPlace{place},
	}}
}

func tokenPlace(name, where string) kube.CertPlace {
	return kube.CertPlace{
		Source: kube.FromSecret, Name: name, Where: where, Use: kube.Token, Class: kube.WithoutExpiry, Severity: kube.Notice,
		Renew: "kubectl create token gives tokens that end",
	}
}
