package certs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// api is an API server in memory: what it answers is under "path?selector", or under the path alone. Everything else is not
// there.
type api struct {
	t       *testing.T
	answers map[string]func(*http.Request) (int, any)

	mu    sync.Mutex
	asked []string // "path?query"
}

func newAPI(t *testing.T) *api {
	return &api{t: t, answers: map[string]func(*http.Request) (int, any){}}
}

// has makes it have something: bytes are protobuf, everything else becomes JSON.
func (a *api) has(path string, body any) {
	a.answers[path] = func(*http.Request) (int, any) { return http.StatusOK, body }
}

func (a *api) forbids(path string) {
	a.answers[path] = func(*http.Request) (int, any) {
		return http.StatusForbidden, status(http.StatusForbidden, metav1.StatusReasonForbidden, path+" is forbidden")
	}
}

func status(code int32, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{},
	}
}

// RoundTrip implements http.RoundTripper.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.asked = append(a.asked, r.URL.RequestURI())
	answer := a.answers[r.URL.Path+"?"+r.URL.Query().Get("fieldSelector")]
	if answer == nil {
		answer = a.answers[r.URL.Path]
	}
	a.mu.Unlock()
	code, body := http.StatusNotFound, any(status(404, metav1.StatusReasonNotFound, r.URL.Path+" is not there"))
	if answer != nil {
		code, body = answer(r)
	}
	out := &http.Response{Request: r, StatusCode: code, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}
	switch b := body.(type) {
	case io.ReadCloser:
		out.Header.Set("Content-Type", asJSON)
		out.Body = b
	case []byte:
		out.Header.Set("Content-Type", asProtobuf)
		out.Body = io.NopCloser(bytes.NewReader(b))
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			a.t.Error(err)
		}
		out.Header.Set("Content-Type", asJSON)
		out.Body = io.NopCloser(bytes.NewReader(raw))
	}
	return out, nil
}

// requests are those whose path ends so.
func (a *api) requests(suffix string) (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.asked {
		if path, _, _ := strings.Cut(r, "?"); strings.HasSuffix(path, suffix) {
			out = append(out, r)
		}
	}
	return out
}

// inventory looks at the API, in all namespaces unless some are named.
func (a *api) inventory(o Options, namespaces ...string) *Inventory {
	if namespaces == nil {
		namespaces = []string{metav1.NamespaceAll}
	}
	return New(kube.New(kubetest.Clients(a), "test", "default", namespaces, nil), o)
}

// reads gives what one reading of a source finds.
func reads(t *testing.T, read func(context.Context, func(...finding)) error) (out []finding) {
	t.Helper()
	if err := read(t.Context(), func(f ...finding) { out = append(out, f...) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// found gives the one finding that is so called.
func found(t *testing.T, all []finding, name string) *kube.Cert {
	t.Helper()
	var hits []*kube.Cert
	for _, f := range all {
		if f.cert.Name == name {
			hits = append(hits, f.cert)
		}
	}
	if len(hits) != 1 {
		t.Fatalf("%d findings are called %q, want 1; there are %q", len(hits), name, placed(all))
	}
	return hits[0]
}

// proto is an object of client-go as the server sends it.
func proto(t testing.TB, o runtime.Object) []byte {
	t.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	o.GetObjectKind().SetGroupVersionKind(kinds[0])
	var b bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(o, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// msg builds a message of protobuf by hand, for APIs whose types client-go does not have: pairs of a number and a value.
func msg(pairs ...any) (out []byte) {
	for n := 0; n < len(pairs); n += 2 {
		number := protowire.Number(pairs[n].(int))
		switch v := pairs[n+1].(type) {
		case []byte:
			out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), v)
		case string:
			out = protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), v)
		case int:
			out = protowire.AppendVarint(protowire.AppendTag(out, number, protowire.VarintType), uint64(v))
		default:
			panic(fmt.Sprintf("field %d: %T", number, v))
		}
	}
	return out
}

// inEnvelope makes a body of a message.
func inEnvelope(apiVersion, kind string, raw []byte) []byte {
	return append([]byte(wireMagic), msg(1, msg(1, apiVersion, 2, kind), 2, raw, 3, "", 4, "")...)
}

// listOf makes a body of items.
func listOf(apiVersion, kind string, items ...[]byte) []byte {
	pairs := []any{1, msg(2, "17", 3, "")}
	for _, b := range items {
		pairs = append(pairs, 2, b)
	}
	return inEnvelope(apiVersion, kind+"List", msg(pairs...))
}

func metaOf(name string) []byte { return msg(1, name, 5, "uid-of-"+name) }

func TestWireReadsWhatTheServerHasEncoded(t *testing.T) {
	immutable := true
	l := &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "9", Continue: "more"}, Items: []corev1.Secret{{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web", UID: "u", CreationTimestamp: metav1.Unix(1_700_000_000, 0),
			Labels: map[string]string{"a": "b"}, Annotations: map[string]string{certificateNote: "web", "z": "not wanted"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Secret", Name: "token", UID: "t"}},
			Finalizers:      []string{"f"}, Generation: 7,
		},
		Immutable: &immutable, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"ca.crt": []byte("root"), "tls.crt": bytes.Repeat([]byte("x"), 3*wireBuffer), "tls.key": []byte("key")},
	}, {ObjectMeta: metav1.ObjectMeta{Name: "second"}}}}
	raw := proto(t, l)
	read := func(raw []byte) (names []string, err error) {
		w := newWire(bytes.NewReader(raw))
		for m := w.object("SecretList"); m.next(); {
			if m.number != itemsNumber {
				continue
			}
			s := m.open().secret(wantTLS)
			if s.name == "web" && w.err == nil {
				if s.namespace != "shop" || s.uid != "u" || s.created.Unix() != 1_700_000_000 || s.owner != "token" ||
					len(s.notes) != 1 || s.notes[certificateNote] != "web" {
					t.Errorf("metadata: %+v", s.meta)
				}
				if len(s.values) != 2 || string(s.values["ca.crt"]) != "root" || len(s.values["tls.crt"]) != 3*wireBuffer {
					t.Errorf("values of %q", s.keys)
				}
			}
			names = append(names, s.name)
		}
		return names, w.err
	}
	names, err := read(raw)
	if err != nil || !slices.Equal(names, []string{"web", "second"}) {
		t.Errorf("%q, %v", names, err)
	}
	for cut := range len(raw) - 8 { // behind the list comes what the envelope says of its encoding
		if cut > 1024 && cut < len(raw)-1024 {
			continue
		}
		if _, err := read(raw[:cut]); err == nil {
			t.Fatalf("a list that ends after %d of %d bytes is taken for whole", cut, len(raw))
		}
	}
	if _, err := read(proto(t, &corev1.PodList{})); err == nil || !strings.Contains(err.Error(), `"PodList", not SecretList`) {
		t.Errorf("a list of pods is read: %v", err)
	}
	if _, err := read([]byte(`{"kind":"SecretList"}`)); err == nil {
		t.Error("JSON is read")
	}
}

func FuzzWire(f *testing.F) {
	f.Add(proto(f, &corev1.SecretList{Items: []corev1.Secret{{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Data: map[string][]byte{"tls.crt": []byte("x"), "tls.key": []byte("y")},
	}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWire(bytes.NewReader(raw))
		for m := w.object("SecretList"); m.next(); {
			if m.number != itemsNumber {
				continue
			}
			s := m.open().secret(wantTLS)
			for key, v := range s.values {
				if !wantTLS(key) || len(v) > len(raw) {
					t.Errorf("%d bytes of %q, out of %d", len(v), key, len(raw))
				}
			}
			if w.at > int64(len(raw)) {
				t.Errorf("%d bytes were read, out of %d", w.at, len(raw))
			}
		}
	})
}

// pageOf serves the objects from token on, in pages.
func pageOf(t *testing.T, all []corev1.Secret, size int, token string) (int, any) {
	from := 0
	_, _ = fmt.Sscan(token, &from)
	to := min(from+size, len(all))
	l := &corev1.SecretList{Items: all[from:to]}
	if to < len(all) {
		l.Continue = fmt.Sprint(to)
	}
	return http.StatusOK, proto(t, l)
}

func expired(next string) (int, any) {
	s := status(http.StatusGone, metav1.StatusReasonExpired, "the provided continue parameter is too old")
	s.Continue = next
	return http.StatusGone, s
}

func TestAnExpiredListNeitherLosesNorDoublesRows(t *testing.T) {
	all := make([]corev1.Secret, 1000)
	for n := range all {
		all[n] = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("s%04d", n), UID: "u"},
			Data: map[string][]byte{"tls.crt": {}}}
	}
	for name, c := range map[string]struct {
		expires  func(token string, asked int) (next string, hit bool)
		requests int
	}{
		"never":                   {func(string, int) (string, bool) { return "", false }, 4},
		"going on in a new state": {func(token string, asked int) (string, bool) { return token, asked == 3 }, 5},
		"from the beginning":      {func(_ string, asked int) (string, bool) { return "", asked == 3 }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			a, asked := newAPI(t), 0
			a.answers["/api/v1/secrets"] = func(r *http.Request) (int, any) {
				asked++
				if limit := r.URL.Query().Get("limit"); limit != "500" {
					t.Errorf("%s Secrets are asked for at once", limit)
				}
				token := r.URL.Query().Get("continue")
				if next, hit := c.expires(token, asked); hit {
					return expired(next)
				}
				return pageOf(t, all, 250, token)
			}
			i := a.inventory(Options{})
			r := &reading{source: i.sources[slices.IndexFunc(i.sources, func(s *source) bool { return s.name == secretsName })], inventory: i}
			if err := r.once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(i.found[r.source]); got != len(all) || asked != c.requests {
				t.Errorf("%d rows after %d requests, want %d and %d", got, asked, len(all), c.requests)
			}
		})
	}
	t.Run("again and again", func(t *testing.T) {
		a := newAPI(t)
		a.answers["/api/v1/secrets"] = func(r *http.Request) (int, any) {
			if token := r.URL.Query().Get("continue"); token != "" {
				return expired("")
			}
			return pageOf(t, all, 250, "")
		}
		if err := a.inventory(Options{}).secretSource(tlsSecrets).read(t.Context(), func(...finding) {}); err == nil {
			t.Error("a list that never comes to its end is taken for whole")
		}
	})
}

func TestNamespacesThatMayNotBeReadHideNoOther(t *testing.T) {
	secrets := func(ns string) []byte {
		return proto(t, &corev1.SecretList{Items: []corev1.Secret{{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"}}}})
	}
	t.Run("some of those that are looked at", func(t *testing.T) {
		a := newAPI(t)
		a.has("/api/v1/namespaces/shop/secrets", secrets("shop"))
		a.forbids("/api/v1/namespaces/bank/secrets")
		all := reads(t, a.inventory(Options{}, "shop", "bank").secretSource(tlsSecrets).read)
		if got := placed(all); len(got) != 2 || !strings.HasPrefix(got[0], "web @ secret shop/web") ||
			!strings.HasPrefix(got[1], "TLS Secrets @ namespace bank ? ") || !strings.Contains(got[1], "forbidden") {
			t.Errorf("%q", got)
		}
	})
	t.Run("all but the context's own", func(t *testing.T) {
		a := newAPI(t)
		a.forbids("/api/v1/secrets")
		a.has("/api/v1/namespaces/default/secrets", secrets("default"))
		if got := placed(reads(t, a.inventory(Options{}).secretSource(tlsSecrets).read)); len(got) != 2 ||
			!strings.HasPrefix(got[1], "TLS Secrets @ all namespaces but default ? ") {
			t.Errorf("%q", got)
		}
	})
	t.Run("none", func(t *testing.T) {
		a := newAPI(t)
		a.forbids("/api/v1/secrets")
		a.forbids("/api/v1/namespaces/default/secrets")
		err := a.inventory(Options{}).secretSource(tlsSecrets).read(t.Context(), func(f ...finding) {
			if len(f) > 0 {
				t.Errorf("found %q", placed(f))
			}
		})
		if err == nil || !strings.Contains(err.Error(), "/api/v1/secrets is forbidden") {
			t.Errorf("%v", err)
		}
	})
}
