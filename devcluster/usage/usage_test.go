package usage

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

func TestEveryServedVersionSaysTheSameUnderItsOwnName(t *testing.T) {
	for _, c := range []struct {
		faults         Faults
		v1, v1beta1    int
		preferredFirst string
	}{
		{Faults{}, http.StatusNotFound, http.StatusOK, "v1beta1"},
		{Faults{Version: V1}, http.StatusOK, http.StatusNotFound, "v1"},
		{Faults{Version: bothVersions}, http.StatusOK, http.StatusOK, "v1"},
	} {
		h := Handler(Options{Nodes: 2, Pods: 3, Faults: c.faults}, func() time.Time { return noon })
		for version, want := range map[string]int{"v1": c.v1, "v1beta1": c.v1beta1} {
			r := ask(t, h, "/apis/metrics.k8s.io/"+version+"/nodes", "Accept", protobufType)
			if r.Code != want {
				t.Errorf("%+v: %s answers %d, want %d", c.faults, version, r.Code, want)
			}
			name := "metrics.k8s.io/" + version
			if r.Code == http.StatusOK && !bytes.Contains(r.Body.Bytes(), append([]byte{'\n', byte(len(name))}, name...)) {
				t.Errorf("%+v: what %s answers has not its name", c.faults, version)
			}
		}
		var g metav1.APIGroup
		if err := json.Unmarshal(body(t, h, "/apis/metrics.k8s.io"), &g); err != nil {
			t.Fatal(err)
		}
		if g.PreferredVersion.Version != c.preferredFirst || g.Versions[0] != g.PreferredVersion {
			t.Errorf("%+v: the group is %+v", c.faults, g)
		}
	}
}

func TestANodeWithoutSamplesTakesItsPodsWithIt(t *testing.T) {
	h := Handler(Options{Nodes: 3, Pods: 30, Faults: Faults{Without: []string{"worker-00001"}}}, func() time.Time { return noon })
	const path = "/apis/metrics.k8s.io/v1beta1/"
	for _, n := range decode(t, body(t, h, path+"nodes")).(*metricsv1beta1.NodeMetricsList).Items {
		if n.Name == "worker-00001" {
			t.Error("it has a sample")
		}
	}
	if got := len(decode(t, body(t, h, path+"pods")).(*metricsv1beta1.PodMetricsList).Items); got != 20 {
		t.Errorf("%d pods have samples, want the 20 of the other two nodes", got)
	}
}

func TestLateSamplesSayHowLateTheyAre(t *testing.T) {
	h := Handler(Options{Nodes: 1, Faults: Faults{Late: 10 * time.Minute}}, func() time.Time { return noon })
	n := decode(t, body(t, h, "/apis/metrics.k8s.io/v1beta1/nodes")).(*metricsv1beta1.NodeMetricsList).Items[0]
	if got := noon.Sub(n.Timestamp.Time); got != 10*time.Minute {
		t.Errorf("the sample is %s old", got)
	}
}

func TestADelayedListComesLaterAndDiscoveryDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Handler(Options{Nodes: 1, Faults: Faults{Delay: 7 * time.Second}}, time.Now)
		for path, want := range map[string]time.Duration{"nodes": 7 * time.Second, "pods": 7 * time.Second, "": 0} {
			began := time.Now()
			if r := ask(t, h, strings.TrimSuffix("/apis/metrics.k8s.io/v1beta1/"+path, "/")); r.Code != http.StatusOK {
				t.Errorf("%q answers %d", path, r.Code)
			}
			if got := time.Since(began); got != want {
				t.Errorf("%q took %s, want %s", path, got, want)
			}
		}
	})
}

func TestFaultsAreToldToTheComponentAsTheyWereGiven(t *testing.T) {
	f := &Faults{Version: bothVersions, Delay: time.Second, Late: time.Minute, Without: []string{"a", "b"}}
	want := []string{"--metrics-version=both", "--metrics-delay=1s", "--metrics-late=1m0s", "--metrics-without=a,b"}
	if got := f.Args(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&Faults{Version: V1Beta1}).String(); got != "" {
		t.Errorf("the usual is told as %q", got)
	}
	for _, bad := range []Faults{{Version: "v2"}, {Delay: -1}, {Late: -1}} {
		if bad.Check() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
