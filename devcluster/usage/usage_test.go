package usage

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsscheme "k8s.io/metrics/pkg/client/clientset/versioned/scheme"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// ask gives the answer to a request at a time: headers are pairs.
func ask(t *testing.T, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func body(t *testing.T, h http.Handler, path string, headers ...string) []byte {
	t.Helper()
	return ask(t, h, path, headers...).Body.Bytes()
}

func decode(t *testing.T, b []byte) runtime.Object {
	t.Helper()
	o, _, err := metricsscheme.Codecs.UniversalDeserializer().Decode(b, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestBothFormsSayTheSame(t *testing.T) {
	h := Handler(Options{Nodes: 20, Pods: 300}, func() time.Time { return noon })
	for path, want := range map[string]int{"nodes": 19, "pods": 299, "namespaces/shop/pods": 40} { // one is silent, one waits
		path = "/apis/metrics.k8s.io/v1beta1/" + path
		text := decode(t, body(t, h, path))
		binary := decode(t, body(t, h, path, "Accept", "application/vnd.kubernetes.protobuf,application/json"))
		if !equality.Semantic.DeepEqual(text, binary) {
			t.Errorf("%s: JSON and protobuf differ", path)
		}
		got := 0
		switch l := binary.(type) {
		case *metricsv1beta1.PodMetricsList:
			got = len(l.Items)
		case *metricsv1beta1.NodeMetricsList:
			got = len(l.Items)
		}
		if got != want {
			t.Errorf("%s: %d samples, want %d", path, got, want)
		}
	}
}

func TestCompressedIsTheSame(t *testing.T) {
	h := Handler(Options{Nodes: 1, Pods: 50}, func() time.Time { return noon })
	const path = "/apis/metrics.k8s.io/v1beta1/pods"
	r := ask(t, h, path, "Accept-Encoding", "gzip")
	if got := r.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("encoding %q", got)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(plain, body(t, h, path)) {
		t.Errorf("the compressed answer is another one, or none: %v", err)
	}
}

func TestSamplesChangeWithEachStepOnly(t *testing.T) {
	now := noon
	h := Handler(Options{Nodes: 3, Pods: 30}, func() time.Time { return now })
	const path = "/apis/metrics.k8s.io/v1beta1/pods"
	first := body(t, h, path)
	now = noon.Add(step - time.Second)
	if !bytes.Equal(first, body(t, h, path)) {
		t.Error("other samples within a step")
	}
	now = noon.Add(step)
	next := decode(t, body(t, h, path)).(*metricsv1beta1.PodMetricsList)
	before := decode(t, first).(*metricsv1beta1.PodMetricsList)
	for i := range next.Items {
		a, b := before.Items[i].Containers[0].Usage.Cpu().MilliValue(), next.Items[i].Containers[0].Usage.Cpu().MilliValue()
		if a == b || a < 50 || a > 200 || b-a > 10 || a-b > 10 {
			t.Errorf("%s: %dm, and a step later %dm", next.Items[i].Name, a, b)
		}
	}
}

func TestASelectorIsRefusedAndNotIgnored(t *testing.T) {
	h := Handler(Options{Nodes: 3, Pods: 30}, func() time.Time { return noon })
	if r := ask(t, h, "/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app%3Dsvc-001"); r.Code != http.StatusBadRequest {
		t.Errorf("answered %d", r.Code)
	}
}
