package certs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

// managedOf is a Certificate as the server sends it.
func managedOf(name, secret string, status map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"namespace": "shop", "name": name, "uid": "uid-of-" + name, "resourceVersion": "8"},
		"spec": map[string]any{"secretName": secret, "dnsNames": []string{"shop.example"}, "usages": []string{"server auth"},
			"issuerRef": map[string]any{"name": "letsencrypt", "kind": "ClusterIssuer"}},
		"status": status,
	}
}

func managedList(items ...any) map[string]any {
	return map[string]any{"apiVersion": "cert-manager.io/v1", "kind": "CertificateList",
		"metadata": map[string]any{"resourceVersion": "7"}, "items": items}
}

func condOf(kind, status, reason, message string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message}
}

const managedPath = "/apis/cert-manager.io/v1/certificates"

func TestCertificatesGoIntoTheRowsOfTheirSecrets(t *testing.T) {
	ca := newMint(t, "corp", secretTo)
	a := newAPI(t)
	a.has("/api/v1/secrets?"+selectTLS, proto(t, &corev1.SecretList{Items: []corev1.Secret{
		secretOf("web-tls", map[string][]byte{"tls.crt": asPEM(ca.leaf("shop", secretTo, "shop.example"))}, certificateNote, "web"),
	}}))
	renew := secretTo.AddDate(0, -1, 0)
	a.has(managedPath, managedList(
		managedOf("web", "web-tls", map[string]any{"notBefore": mintFrom, "notAfter": secretTo, "renewalTime": renew,
			"conditions": []any{condOf("Ready", "True", "Ready", "up to date")}}),
		managedOf("lost", "no-such-secret", map[string]any{"notBefore": mintFrom, "notAfter": secretTo, "renewalTime": renew,
			"failedIssuanceAttempts": 3, "lastFailureTime": mintTo, "conditions": []any{condOf("Ready", "True", "Ready", ""),
				condOf("Issuing", "False", "Failed", "the order\x1b[2J was refused")}}),
		managedOf("new", "new-tls", map[string]any{"conditions": []any{condOf("Ready", "False", "DoesNotExist", "no Secret"),
			condOf("Issuing", "True", "DoesNotExist", "no Secret")}}),
		managedOf("ancient", "", nil),
		map[string]any{"metadata": map[string]any{"namespace": "shop", "name": "broken"}, "status": map[string]any{"notAfter": "never"}},
	))
	i := a.inventory(Options{})
	m := &managed{inventory: i}
	rows := merge(slices.Concat(reads(t, i.secretSource(tlsSecrets).read), reads(t, m.read)))
	byName := map[string]*kube.Cert{}
	for _, c := range rows {
		byName[c.Name] = c
	}
	if len(rows) != 5 {
		t.Fatalf("%d rows: %v", len(rows), byName)
	}
	web := byName["web-tls"]
	if len(web.Places) != 2 || web.X509 == nil || !web.Issuance.RenewAt.Equal(renew) || !web.Issuance.Ready ||
		web.Issuance.Issuer != "ClusterIssuer letsencrypt" || web.Issuance.Object.Name != "web" || web.Places[1].Where != "certificate shop/web" {
		t.Errorf("%+v %+v", web.Issuance, web.Places)
	}
	// A certificate of 24 hours is no warning a month before its end, as one that is renewed by hand would be.
	if s := web.Severity(kube.Moment{Now: renew.Add(-time.Hour)}); s != kube.OK {
		t.Errorf("before its renewal it is %v", s)
	}
	if s := web.Severity(kube.Moment{Now: renew.Add(2 * time.Hour)}); s != kube.Warning {
		t.Errorf("when its renewal is late it is %v", s)
	}
	if lost := byName["lost"]; lost.X509 != nil || !lost.To.Equal(secretTo) || lost.Issuance.Failed != 3 || !lost.Issuance.LastFailed.Equal(mintTo) ||
		!strings.HasPrefix(lost.Issuance.Reason, "Failed: the order") || strings.Contains(lost.Issuance.Reason, "\x1b") ||
		lost.Severity(kube.Moment{Now: mintTo}) != kube.Warning {
		t.Errorf("%+v %+v", lost, lost.Issuance)
	}
	if c := byName["new"]; c.Unseen != "not issued yet: DoesNotExist: no Secret" || !c.Issuance.Issuing || c.Severity(kube.Moment{Now: mintTo}) != kube.Warning {
		t.Errorf("%q %+v", c.Unseen, c.Issuance)
	}
	if c := byName["ancient"]; c.Unseen != "not issued yet: cert-manager has not looked at it" {
		t.Errorf("%q", c.Unseen)
	}
	if c := byName["broken"]; !strings.HasPrefix(c.Unseen, "it cannot be read: ") {
		t.Errorf("%q", c.Unseen)
	}
}

func TestWithoutCertManagerThereIsNoRow(t *testing.T) {
	for name, forbid := range map[string]bool{"not there": false, "not there, and forbidden": true} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			if forbid {
				a.forbids(managedPath)
				a.forbids("/apis/cert-manager.io/v1/namespaces/default/certificates")
			}
			i := a.inventory(Options{})
			r := &reading{source: i.managedSources()[0], inventory: i}
			i.found[r.source] = map[string]finding{}
			if err := r.once(t.Context()); err != nil || len(i.found[r.source]) > 0 {
				t.Errorf("%v, %v", err, i.found[r.source])
			}
		})
	}
	t.Run("there, and forbidden", func(t *testing.T) {
		a := newAPI(t)
		a.forbids(managedPath)
		a.forbids("/apis/cert-manager.io/v1/namespaces/default/certificates")
		a.has("/apis/cert-manager.io/v1", metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "certificates"}}})
		if err := (&managed{inventory: a.inventory(Options{})}).read(t.Context(), func(...finding) {}); err == nil {
			t.Error("nothing is said of it")
		}
	})
}

func TestARenewalShowsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newMint(t, "corp", secretTo)
		before, after := time.Now().Add(10*day).Truncate(time.Second), time.Now().Add(90*day).Truncate(time.Second)
		ready := []any{condOf("Ready", "True", "Ready", "")}
		certificate := func(to time.Time) map[string]any {
			return managedOf("web", "web-tls", map[string]any{"notBefore": time.Now(), "notAfter": to, "renewalTime": to.Add(-30 * day), "conditions": ready})
		}
		stored := secretOf("web-tls", map[string][]byte{"tls.crt": asPEM(ca.leaf("shop", before, "shop.example"))}, certificateNote, "web")
		a := newAPI(t)
		a.has("/api/v1/secrets?"+selectTLS, proto(t, &corev1.SecretList{Items: []corev1.Secret{stored}}))
		events, tell := io.Pipe()
		lists := 0
		a.answers[managedPath] = func(r *http.Request) (int, any) {
			if r.URL.Query().Get("watch") == "" {
				lists++
				return http.StatusOK, managedList(certificate(before))
			}
			if v := r.URL.Query().Get("resourceVersion"); v != "7" {
				t.Errorf("it is watched from %q", v)
			}
			return http.StatusOK, events
		}
		i := a.inventory(Options{Urgent: true})
		i.sources = slices.DeleteFunc(i.sources, func(s *source) bool { return s.name != secretsName && s.name != managedName })
		i.unread = map[*source]struct{}{}
		i.Start(t.Context())
		settle := func() { time.Sleep(time.Second); synctest.Wait() }
		settle()
		row := func() *kube.Cert {
			all := i.All()
			if len(all) != 1 {
				t.Fatalf("%d rows", len(all))
			}
			return all[0]
		}
		if c := row(); !c.To.Equal(before) || len(c.Places) != 2 {
			t.Fatalf("until %v, in %d places", c.To, len(c.Places))
		}

		renewed := secretOf("web-tls", map[string][]byte{"tls.crt": asPEM(ca.leaf("shop", after, "shop.example"))}, certificateNote, "web")
		a.mu.Lock()
		a.has("/api/v1/namespaces/shop/secrets?"+selectTLS+",metadata.name=web-tls", proto(t, &corev1.SecretList{Items: []corev1.Secret{renewed}}))
		a.mu.Unlock()
		send := func(kind string, o any) {
			raw, err := json.Marshal(map[string]any{"type": kind, "object": o})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintln(tell, string(raw)); err != nil {
				t.Fatal(err)
			}
		}
		send("BOOKMARK", managedOf("", "", nil))
		send("MODIFIED", certificate(after))
		settle()
		if c := row(); !c.To.Equal(after) || len(c.Places) != 2 || !c.Issuance.RenewAt.Equal(after.Add(-30*day)) || c.Places[0].Before == "" {
			t.Errorf("after the renewal it ends %v, is renewed at %v, and stands in %d places", c.To, c.Issuance.RenewAt, len(c.Places))
		}
		asked := len(a.requests("/namespaces/shop/secrets"))
		send("MODIFIED", certificate(after))
		settle()
		if again := len(a.requests("/namespaces/shop/secrets")); asked != 1 || again != asked {
			t.Errorf("its Secret was read %d times for its renewal, and %d times when nothing was renewed", asked, again-asked)
		}
		send("DELETED", certificate(after))
		settle()
		if c := row(); len(c.Places) != 1 || c.Issuance != nil {
			t.Errorf("what is gone is still there: %+v", c)
		}

		time.Sleep(retryMost) // a watch that ends has the list read again
		if lists != 1 {
			t.Errorf("%d lists while it is watched", lists)
		}
		if err := tell.Close(); err != nil {
			t.Fatal(err)
		}
		settle()
		if lists != 2 {
			t.Errorf("%d lists after the watch has ended", lists)
		}
	})
}
