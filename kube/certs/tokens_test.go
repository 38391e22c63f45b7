package certs

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var tokenNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func bootstrapSecret(id, expiration string) corev1.Secret {
	s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-" + id, UID: "uid-" + "x",
		CreationTimestamp: metav1.NewTime(tokenNow.Add(-time.Hour))},
		Type: corev1.SecretTypeBootstrapToken, Data: map[string][]byte{"token-id": []byte(id), "token-secret": []byte("sesame0123456789")}}
	if expiration != "" {
		s.Data["expiration"] = []byte(expiration)
	}
	return s
}

func TestBootstrapTokensShowTheirEndAndNeverTheirSecret(t *testing.T) {
	a := newAPI(t)
	a.has("/api/v1/namespaces/kube-system/secrets?"+selectBootstrap, proto(t, &corev1.SecretList{Items: []corev1.Secret{
		bootstrapSecret("aaaaaa", tokenNow.Add(2*time.Hour).Format(time.RFC3339)), bootstrapSecret("bbbbbb", ""),
		bootstrapSecret("cccccc", "tomorrow\x1b[2J"), bootstrapSecret("dddddd", tokenNow.Add(-time.Minute).Format(time.RFC3339)),
		bootstrapSecret("eeeeee", tokenNow.AddDate(1, 0, 0).Format(time.RFC3339)),
	}}))
	all := reads(t, a.inventory(Options{}).readBootstrapTokens)
	for id, c := range map[string]struct {
		left, says string
		severity   kube.Severity
	}{
		"aaaaaa": {"120m", "", kube.OK}, "bbbbbb": {"no expiry", "it never expires", kube.Warning},
		"cccccc": {"-", "its expiration tomorrow", kube.Notice}, "dddddd": {"EXPIRED 60s ago", "", kube.Notice},
		"eeeeee": {"365d", "", kube.Warning},
	} {
		row := found(t, all, "bootstrap token "+id)
		said := row.Unseen + row.Places[0].Note
		if row.LeftText(tokenNow) != c.left || row.Severity(kube.Moment{Now: tokenNow}) != c.severity ||
			!strings.HasPrefix(said, c.says) || row.Kind != kube.Token {
			t.Errorf("%s: %s, %v, %q, %v", id, row.LeftText(tokenNow), row.Severity(kube.Moment{Now: tokenNow}), said, row.Kind)
		}
		if all := fmt.Sprintf("%+v %+v", *row, row.Places); strings.Contains(all, "sesame") || strings.Contains(all, "\x1b") {
			t.Errorf("%s: %s", id, all)
		}
	}
}

func TestUploadedCertsAreAWarningUntilTheirTokenEnds(t *testing.T) {
	a := newAPI(t)
	path := "/api/v1/namespaces/kube-system/secrets/"
	a.answers[path+"kubeadm-certs"] = func(r *http.Request) (int, any) {
		if !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata;") {
			t.Error("the keys themselves are asked for")
		}
		return http.StatusOK, inEnvelope("meta.k8s.io/v1", "PartialObjectMetadata", msg(1,
			msg(1, "kubeadm-certs", 3, "kube-system", 5, "uid", 13, msg(5, "v1", 1, "Secret", 3, "bootstrap-token-aaaaaa", 4, "u"))))
	}
	read := func() *kube.Cert {
		return found(t, reads(t, a.inventory(Options{}).readUploadedCerts), "kubeadm-certs")
	}
	if c := read(); !c.To.IsZero() || c.Severity(kube.Moment{Now: tokenNow}) != kube.Warning {
		t.Errorf("without a token: until %v, %v", c.To, c.Severity(kube.Moment{Now: tokenNow}))
	}
	token := bootstrapSecret("aaaaaa", tokenNow.Add(time.Hour).Format(time.RFC3339))
	a.has(path+"bootstrap-token-aaaaaa", proto(t, &token))
	if c := read(); !c.To.Equal(tokenNow.Add(time.Hour)) || c.Severity(kube.Moment{Now: tokenNow}) != kube.Warning ||
		!strings.Contains(c.Places[0].Note, "it goes with bootstrap-token-aaaaaa") {
		t.Errorf("until %v, %v, %q", c.To, c.Severity(kube.Moment{Now: tokenNow}), c.Places[0].Note)
	}
}

func serviceTokensOf(t *testing.T, items ...[]byte) []string {
	t.Helper()
	a := newAPI(t)
	a.answers["/api/v1/secrets?"+selectServiceTokens] = func(r *http.Request) (int, any) {
		if !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList;") {
			t.Error("the tokens themselves are asked for")
		}
		return http.StatusOK, listOf("meta.k8s.io/v1", "PartialObjectMetadata", items...)
	}
	var out []string
	for _, f := range reads(t, a.inventory(Options{}).readServiceTokens) {
		if s := f.cert.Severity(kube.Moment{Now: tokenNow}); s != kube.Notice || f.cert.LeftText(tokenNow) != "no expiry" {
			t.Errorf("%s is %v, %s", f.cert.Name, s, f.cert.LeftText(tokenNow))
		}
		out = append(out, placed([]finding{f})[0]+"; "+f.cert.Places[0].Note)
	}
	return out
}

func TestLegacyTokensAreOneRowUnlessTheyAreFew(t *testing.T) {
	token := func(n int, labels ...string) []byte {
		pairs := []any{1, fmt.Sprint("t", n), 3, fmt.Sprint("ns", n%3), 5, fmt.Sprint("u", n), 12, msg(1, accountNote, 2, "robot")}
		for k := 0; k < len(labels); k += 2 {
			pairs = append(pairs, 11, msg(1, labels[k], 2, labels[k+1]))
		}
		return msg(1, msg(pairs...))
	}
	if got := serviceTokensOf(t); got != nil {
		t.Errorf("%q", got)
	}
	few := serviceTokensOf(t, token(0), token(1, lastUsedNote, "2026-11-20"), token(2, lastUsedNote, "2025-01-01", invalidSinceNote, "2026-01-01"))
	if diff := cmp.Diff([]string{
		"token of ns0/robot @ secret ns0/t0; it never expires; no use of it is known",
		"token of ns1/robot @ secret ns1/t1; it never expires; last used 2026-11-20",
		"token of ns2/robot @ secret ns2/t2; no longer accepted since 2026-01-01",
	}, few); diff != "" {
		t.Error(diff)
	}
	var many [][]byte
	for n := range 12 {
		many = append(many, token(n, lastUsedNote, fmt.Sprintf("2026-11-%02d", n+1)))
	}
	many[3] = token(3)
	if diff := cmp.Diff([]string{
		"12 legacy service-account tokens @ secrets in 3 namespaces; they never expire, last used 2026-11-12, 1 without a known use",
	}, serviceTokensOf(t, many...)); diff != "" {
		t.Error(diff)
	}
}
