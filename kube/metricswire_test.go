package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsscheme "k8s.io/metrics/pkg/client/clientset/versioned/scheme"
	"pgregory.net/rapid"
)

var (
	podListKind  = metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetricsList"}
	nodeListKind = metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "NodeMetricsList"}
)

// encoded gives a list as an API server sends it, as protobuf and as JSON.
func encoded(t testing.TB, list apiruntime.Object) map[string][]byte {
	t.Helper()
	var b bytes.Buffer
	if err := protobuf.NewSerializer(metricsscheme.Scheme, metricsscheme.Scheme).Encode(list, &b); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"protobuf": b.Bytes(), "JSON": text}
}

// typed decodes a list as the typed client does.
func typed(t testing.TB, body []byte) apiruntime.Object {
	t.Helper()
	list, _, err := metricsscheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// typedUses gives what is in a list by the accessors of the library.
func typedUses(list apiruntime.Object) map[PodKey]Use {
	out := map[PodKey]Use{}
	for key, one := range typedTold(list) {
		out[key] = one.Use
	}
	return out
}

// cpuSum is what kubectl top shows of several containers: it rounds the sum. What no machine has is added up as it comes.
func cpuSum(all []corev1.ResourceList) int64 {
	var sum resource.Quantity
	var each int64
	usual := true
	for _, l := range all {
		sum.Add(*l.Cpu())
		each += l.Cpu().MilliValue()
		usual = usual && l.Cpu().Sign() >= 0 && l.Cpu().MilliValue() <= 1<<40
	}
	if usual {
		return sum.MilliValue()
	}
	return each
}

func streamed(l metricsList, body io.Reader) (map[PodKey]Use, error) {
	out := map[PodKey]Use{}
	err := l.read(body, func(r *scrape) { out[PodKey{string(r.namespace), string(r.name)}] = r.Use })
	return out, err
}

// told is everything that is taken of one item.
type told struct {
	At         int64
	Window     time.Duration
	Use        Use
	Swap       int64 // -1 where it is not reported
	Containers []toldPart
}

type toldPart struct {
	Name string
	Use  Use
	Swap int64
}

// streamedTold gives everything that is taken of a list.
func streamedTold(l metricsList, body io.Reader) (map[PodKey]told, error) {
	swap := func(u used) int64 {
		if !u.swapped {
			return -1
		}
		return u.swap
	}
	out := map[PodKey]told{}
	err := l.read(body, func(r *scrape) {
		one := told{At: r.at, Window: r.window, Use: r.Use, Swap: swap(r.used)}
		for _, c := range r.parts {
			one.Containers = append(one.Containers, toldPart{string(c.name), c.Use, swap(c.used)})
		}
		out[PodKey{string(r.namespace), string(r.name)}] = one
	})
	return out, err
}

// typedTold gives the same by the accessors of the library.
func typedTold(list apiruntime.Object) map[PodKey]told {
	out := map[PodKey]told{}
	of := func(at metav1.Time, window metav1.Duration) told {
		one := told{Window: window.Duration, Swap: -1}
		if !at.IsZero() {
			one.At = at.Unix()
		}
		return one
	}
	useOf := func(l corev1.ResourceList) (Use, int64) {
		if swap, ok := l["swap"]; ok && swap.Value() < 0 {
			return Use{l.Cpu().MilliValue(), l.Memory().Value()}, -2 // nobody believes it
		} else if ok {
			return Use{l.Cpu().MilliValue(), l.Memory().Value()}, swap.Value()
		}
		return Use{l.Cpu().MilliValue(), l.Memory().Value()}, -1
	}
	believed := func(u Use, swap int64) bool {
		return u.CPU >= 0 && u.CPU < 1<<40 && u.Memory >= 0 && u.Memory < 1<<53 && swap >= -1 && swap < 1<<53
	}
	pod := func(o metav1.ObjectMeta, one told, names []string, uses []corev1.ResourceList) {
		if len(names) == 0 {
			return // nothing has been measured
		}
		reported, swap := false, int64(0)
		for i, l := range uses {
			u, s := useOf(l)
			one.Use.Memory += u.Memory
			if _, ok := l["swap"]; ok {
				reported, swap = true, swap+s
			}
			one.Containers = append(one.Containers, toldPart{names[i], u, s})
		}
		if one.Use.CPU = cpuSum(uses); reported {
			one.Swap = swap
		}
		for _, c := range one.Containers {
			if !believed(c.Use, c.Swap) {
				return
			}
		}
		if believed(one.Use, one.Swap) {
			out[PodKey{o.Namespace, o.Name}] = one
		}
	}
	node := func(o metav1.ObjectMeta, one told, l corev1.ResourceList) {
		one.Use, one.Swap = useOf(l)
		if believed(one.Use, one.Swap) {
			out[PodKey{o.Namespace, o.Name}] = one
		}
	}
	switch list := list.(type) {
	case *metricsv1beta1.PodMetricsList:
		for _, p := range list.Items {
			var names []string
			var uses []corev1.ResourceList
			for _, c := range p.Containers {
				names, uses = append(names, c.Name), append(uses, c.Usage)
			}
			pod(p.ObjectMeta, of(p.Timestamp, p.Window), names, uses)
		}
	case *metricsv1.PodMetricsList:
		for _, p := range list.Items {
			var names []string
			var uses []corev1.ResourceList
			for _, c := range p.Containers {
				names, uses = append(names, c.Name), append(uses, c.Usage)
			}
			pod(p.ObjectMeta, of(p.Timestamp, p.Window), names, uses)
		}
	case *metricsv1beta1.NodeMetricsList:
		for _, n := range list.Items {
			node(n.ObjectMeta, of(n.Timestamp, n.Window), n.Usage)
		}
	case *metricsv1.NodeMetricsList:
		for _, n := range list.Items {
			node(n.ObjectMeta, of(n.Timestamp, n.Window), n.Usage)
		}
	}
	return out
}

// asV1 gives a list of v1beta1 in v1.
func asV1(t testing.TB, list apiruntime.Object) apiruntime.Object {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return typed(t, bytes.Replace(text, []byte("metrics.k8s.io/v1beta1"), []byte("metrics.k8s.io/v1"), 1))
}

// podMetricsOf makes a list of n pods as metrics-server gives it.
func podMetricsOf(n int) *metricsv1beta1.PodMetricsList {
	list := &metricsv1beta1.PodMetricsList{TypeMeta: podListKind}
	for i := range n {
		use := corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(i)*1_234_567+1, resource.Nano),
			corev1.ResourceMemory: *resource.NewQuantity(int64(i)<<16+4096, resource.BinarySI),
		}
		list.Items = append(list.Items, metricsv1beta1.PodMetrics{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: fmt.Sprintf("team-%d", i%8), Name: fmt.Sprintf("svc-%03d-7d9f8c6b5-%05x", i/40, i),
				Labels: map[string]string{"app": "svc", "pod-template-hash": "7d9f8c6b5", "version": "v42"},
			},
			Timestamp: metav1.Now(), Window: metav1.Duration{Duration: 15e9},
			Containers: []metricsv1beta1.ContainerMetrics{{Name: "app", Usage: use}, {Name: "proxy", Usage: use}},
		})
	}
	return list
}

var (
	anyQuantity = rapid.Custom(func(t *rapid.T) resource.Quantity {
		digits := rapid.StringMatching(`-?[0-9]{1,16}(\.[0-9]{1,3})?`).Draw(t, "digits")
		suffix := rapid.SampledFrom([]string{"", "n", "u", "m", "k", "M", "Ki", "Mi", "e3"}).Draw(t, "suffix")
		return resource.MustParse(digits + suffix)
	})
	anyUse  = rapid.MapOfN(rapid.SampledFrom([]corev1.ResourceName{"cpu", "memory", "swap", "nvidia.com/gpu"}), anyQuantity, 0, 4)
	anyMeta = rapid.Custom(func(t *rapid.T) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: rapid.String().Draw(t, "namespace"), Name: rapid.String().Draw(t, "name"),
			Labels: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "labels"), Generation: rapid.Int64().Draw(t, "generation"),
		}
	})
)

var anyTime = rapid.Custom(func(t *rapid.T) metav1.Time {
	return metav1.NewTime(time.Unix(rapid.Int64Range(1, 4_000_000_000).Draw(t, "seconds"), 0))
})

func anyMetrics(r *rapid.T) []apiruntime.Object {
	pods := &metricsv1beta1.PodMetricsList{TypeMeta: podListKind}
	nodes := &metricsv1beta1.NodeMetricsList{TypeMeta: nodeListKind}
	for i := range rapid.IntRange(0, 5).Draw(r, "items") {
		window := metav1.Duration{Duration: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "window"))}
		pod := metricsv1beta1.PodMetrics{ObjectMeta: anyMeta.Draw(r, "pod"), Timestamp: anyTime.Draw(r, "at"), Window: window}
		pod.Name += fmt.Sprint("-", i)
		for range rapid.IntRange(0, 3).Draw(r, "containers") {
			pod.Containers = append(pod.Containers, metricsv1beta1.ContainerMetrics{
				Name: rapid.StringMatching(`[a-z]{1,8}`).Draw(r, "container"), Usage: anyUse.Draw(r, "usage"),
			})
		}
		pods.Items = append(pods.Items, pod)
		node := metricsv1beta1.NodeMetrics{ObjectMeta: anyMeta.Draw(r, "node"), Usage: anyUse.Draw(r, "usage"), Window: window}
		if rapid.Bool().Draw(r, "dated") {
			node.Timestamp = anyTime.Draw(r, "at")
		}
		node.Name += fmt.Sprint("-", i)
		nodes.Items = append(nodes.Items, node)
	}
	return []apiruntime.Object{pods, nodes}
}

// The reader takes of every list, in both versions and both forms, what the typed client does.
func TestStreamedListsSayWhatDecodedOnesSay(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		for i, beta := range anyMetrics(r) {
			of := []metricsList{podMetrics, nodeMetrics}[i]
			for _, list := range []apiruntime.Object{beta, asV1(t, beta)} {
				for form, body := range encoded(t, list) {
					got, err := streamedTold(of, iotest.OneByteReader(bytes.NewReader(body)))
					if diff := cmp.Diff(typedTold(typed(t, body)), got); err != nil || diff != "" {
						r.Fatalf("%s of %s %T: %v\n%s", form, of.resource, list, err, diff)
					}
				}
			}
		}
	})
}

// Whatever comes, the reader ends; and what the library can read, the reader reads alike.
func FuzzMetricsList(f *testing.F) {
	beta := podMetricsOf(2)
	for _, list := range []apiruntime.Object{beta, asV1(f, beta), &metricsv1beta1.NodeMetricsList{TypeMeta: nodeListKind}} {
		for _, body := range encoded(f, list) {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, l := range []metricsList{podMetrics, nodeMetrics} {
			got, err := streamedTold(l, bytes.NewReader(body))
			list, _, bad := metricsscheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
			if err != nil || bad != nil || list.GetObjectKind().GroupVersionKind().Kind != l.kind {
				continue
			}
			if want := typedTold(list); !maps.EqualFunc(want, got, func(a, b told) bool { return a.Use == b.Use && a.At == b.At }) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		}
	})
}

func TestAnItemThatIsLongerThanTheBufferIsRead(t *testing.T) {
	list := podMetricsOf(3)
	list.Items[1].Annotations = map[string]string{"long": strings.Repeat("x", 3*wireBuffer)}
	for form, body := range encoded(t, list) {
		if got, err := streamed(podMetrics, bytes.NewReader(body)); err != nil || !maps.Equal(got, typedUses(list)) {
			t.Errorf("%s: %v, %v", form, got, err)
		}
	}
}

func TestAListThatEndsEarlyIsAnError(t *testing.T) {
	for form, body := range encoded(t, podMetricsOf(3)) {
		whole := len(body)
		if form == "protobuf" {
			whole -= 4 // contentEncoding and contentType, both empty, behind the list
		}
		for n := range whole {
			if got, err := streamed(podMetrics, bytes.NewReader(body[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d of %d: %d items, %v", form, n, len(body), len(got), err)
			}
		}
		broken := errors.New("connection reset")
		_, err := streamed(podMetrics, io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("%s on a line that breaks: %v", form, err)
		}
	}
}

func TestWhatIsNoListOfSamplesIsAnError(t *testing.T) {
	pods := encoded(t, podMetricsOf(2))
	for name, body := range map[string][]byte{
		"a page of a proxy":     []byte("<html>log in</html>"),
		"a list of pods":        pods["protobuf"],
		"the same as JSON":      pods["JSON"],
		"two lists":             append(encoded(t, &metricsv1beta1.NodeMetricsList{TypeMeta: nodeListKind})["JSON"], `{}`...),
		"items that are none":   []byte(`{"kind":"NodeMetricsList","items":{}}`),
		"a quantity that fails": []byte(`{"kind":"NodeMetricsList","items":[{"usage":{"cpu":"much"}}]}`),
		"another wire type":     []byte("k8s\x00\x08\x01"),
		"a gigantic item":       []byte("k8s\x00\x0a\xff\xff\xff\xff\x0f"),
	} {
		if _, err := streamed(nodeMetrics, bytes.NewReader(body)); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := streamed(nodeMetrics, strings.NewReader(`{"items":null,"kind":"NodeMetricsList"}`))
	if err != nil || len(got) != 0 {
		t.Errorf("an empty list: %v, %v", got, err)
	}
}

func TestEveryPodFindsItsOwnSample(t *testing.T) {
	want := map[PodKey]Use{{"ab", "c"}: {1, 2}, {"a", "bc"}: {3, 4}, {strings.Repeat("n", 300), strings.Repeat("m", 300)}: {5, 6}}
	for i := range int64(5000) {
		want[PodKey{fmt.Sprint("ns-", i%7), fmt.Sprint("pod-", i)}] = Use{i, i * 2}
	}
	uses := NewPodUses(want)
	if uses.Len() != len(want) {
		t.Fatalf("%d samples, want %d", uses.Len(), len(want))
	}
	for k, use := range want {
		if got, ok := uses.Of(k.Namespace, k.Name); !ok || got != use {
			t.Fatalf("%v: %v %v, want %v", k, got, ok, use)
		}
		if _, ok := uses.Of(k.Namespace, k.Name+"-"); ok {
			t.Fatalf("%v- has a sample", k)
		}
	}
	if _, ok := (PodUses{}).Of("ab", "c"); ok {
		t.Error("no samples, and yet one")
	}
}

// pollPods does what a poll does with a list of pods, when was is what the last one gave.
func pollPods(t testing.TB, body []byte, was PodUses) PodUses {
	t.Helper()
	out := was.after()
	if err := podMetrics.read(bytes.NewReader(body), out.add); err != nil {
		t.Fatal(err)
	}
	return out.done()
}

func TestAPollOfAClusterThatStaysCostsOneSliceOfSamples(t *testing.T) {
	const pods, perPod, rest = 10_000, 100, 80 << 10 // 64 bytes, 16 for each of two containers, at most 2 of the index, and room for one more pod in 64; the buffer and the reader
	body := encoded(t, podMetricsOf(pods))["protobuf"]
	was := pollPods(t, body, PodUses{salt: newSalt()})
	const polls = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range polls {
		pollPods(t, body, was)
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / polls; n > pods*perPod+rest {
		t.Errorf("%d bytes a poll, %d a pod", n, n/pods)
	}
	if n := (after.Mallocs - before.Mallocs) / polls; n > pods/100 { // quantities in other units go through the library
		t.Errorf("%d allocations a poll", n)
	}
}

func BenchmarkPollPods(b *testing.B) {
	list := podMetricsOf(10_000)
	bodies := encoded(b, list)
	for _, form := range slices.Sorted(maps.Keys(bodies)) {
		body := bodies[form]
		b.Run(form+"/typed", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				out := map[PodKey]Use{}
				for _, p := range typed(b, body).(*metricsv1beta1.PodMetricsList).Items {
					out[PodKey{p.Namespace, p.Name}] = Use{p.Containers[0].Usage.Cpu().MilliValue(), p.Containers[0].Usage.Memory().Value()}
				}
			}
		})
		b.Run(form+"/streamed", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			uses := pollPods(b, body, PodUses{salt: newSalt()})
			for b.Loop() {
				uses = pollPods(b, body, uses)
			}
		})
	}
}

func BenchmarkPodUse(b *testing.B) {
	list := podMetricsOf(150_000)
	m := Moment{Usage: &Usage{Pods: NewPodUses(typedUses(list))}}
	i := 0
	for b.Loop() {
		p := &list.Items[i%len(list.Items)]
		if _, ok := m.PodUse(p.Namespace, p.Name); !ok {
			b.Fatal(p.Name)
		}
		i += 7919
	}
}
