package kube

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"
	"unique"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	restwatch "k8s.io/client-go/rest/watch"
	"pgregory.net/rapid"
)

// plainCodecs decode everything, prunedCodecs what rows need.
var (
	plainCodecs  = scheme.Codecs.WithoutConversion()
	prunedCodecs = newPruning(plainCodecs)
)

// served is an object as a server sends it.
func served(o runtime.Object) []byte {
	info, _ := runtime.SerializerInfoForMediaType(plainCodecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	raw, err := runtime.Encode(plainCodecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), o)
	if err != nil {
		panic(err)
	}
	return raw
}

// event is a watch event as a server sends it, without the length before it.
func event(kind watch.EventType, o runtime.Object) []byte {
	e := metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: served(o)}}
	raw, err := e.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}

func framed(event []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...)
}

// watcher decodes watch events as rest.Request.Watch has them decoded.
func watcher(codecs runtime.NegotiatedSerializer, stream io.Reader) *restwatch.Decoder {
	negotiator := runtime.NewClientNegotiator(codecs, corev1.SchemeGroupVersion)
	objects, events, framer, err := negotiator.StreamDecoder(runtime.ContentTypeProtobuf, nil)
	if err != nil {
		panic(err)
	}
	return restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(io.NopCloser(stream)), events), objects)
}

// arrived is what an object is once it has been sent in a watch event.
func arrived(t failer, codecs runtime.NegotiatedSerializer, o runtime.Object) runtime.Object {
	t.Helper()
	_, got, err := watcher(codecs, bytes.NewReader(framed(event(watch.Added, o)))).Decode()
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return got
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// filler fills every field of an API object, however deep, with words that are the same in few places. some is how many of
// a hundred pointers, lists and maps it leaves empty.
type filler struct {
	*rand.Rand
	some int
}

// words are what a field of that type, or else of that name, is filled with; others are filled with three letters.
var words = map[string][]string{
	"PodPhase": {"Pending", "Running", "Succeeded", "Failed"}, "PodQOSClass": {"Burstable", "Guaranteed", "BestEffort"},
	"PodConditionType":  {"Ready", "Initialized", "PodScheduled", "PodReadyToStartContainers", "PodResizePending", "example.com/gate"},
	"NodeConditionType": {"Ready", "MemoryPressure", "KernelDeadlock", "KernelReady"}, "ConditionStatus": {"True", "False", "Unknown"},
	"ContainerRestartPolicy": {"Always", "Never"}, "ResourceName": {"cpu", "memory", "pods", "ephemeral-storage"},
	"NodeAddressType": {"InternalIP", "ExternalIP", "Hostname"},
	"Reason":          {"", "Error", "Completed", "CrashLoopBackOff", "Unschedulable", "SchedulingGated", "Infeasible", "NodeLost", "SyncFailed"},
	"Message":         {"", "back-off 40s restarting failed container", "0/3 nodes are available: 3 Insufficient memory.", "why"},
	"Name":            {"a", "b"}, "SchedulerName": {"default-scheduler", "other"}, "NodeName": {"", "worker-1"},
	"Key": {"node.kubernetes.io/unschedulable", "example.com/taint"},

	"DeploymentConditionType": {"Progressing", "ReplicaFailure"}, "ReplicaSetConditionType": {"ReplicaFailure"},
	"JobConditionType": {"Complete", "Failed"}, "HorizontalPodAutoscalerConditionType": {"AbleToScale", "ScalingLimited"},
	"StatefulSetUpdateStrategyType": {"RollingUpdate", "OnDelete"}, "DaemonSetUpdateStrategyType": {"RollingUpdate", "OnDelete"},
	"DeploymentStrategyType": {"RollingUpdate", "Recreate"}, "ConcurrencyPolicy": {"Allow", "Forbid"},
	"PodManagementPolicyType": {"OrderedReady", "Parallel"}, "Type": {"DisruptionAllowed"},
	"CurrentRevision": {"r1", "r2"}, "UpdateRevision": {"r1", "r2"},
}

// keys are those of maps of strings.
var keys = []string{
	corev1.MirrorPodAnnotationKey, "example.com/other", "node-role.kubernetes.io/gpu", "kubernetes.io/role",
	revisionAnnotation, "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone",
}

func (f filler) word(list ...string) string {
	if len(list) > 0 {
		return list[f.IntN(len(list))]
	}
	return string([]byte{'a' + byte(f.IntN(26)), 'a' + byte(f.IntN(26)), 'a' + byte(f.IntN(26))})
}

func (f filler) fill(v reflect.Value, name string) {
	switch x := v.Addr().Interface().(type) {
	case *metav1.Time:
		*x = metav1.Unix(1_800_000_000+f.Int64N(100), 0)
		return
	case *metav1.MicroTime:
		*x = metav1.NewMicroTime(time.Unix(1_800_000_000+f.Int64N(100), 0))
		return
	case *resource.Quantity:
		*x = resource.MustParse(f.word("100m", "2", "64Mi", "1500u", "0"))
		return
	case *metav1.FieldsV1:
		*x = *metav1.NewFieldsV1(`{"f:` + f.word() + `":{}}`)
		return
	case *intstr.IntOrString:
		*x = intstr.FromInt32(f.Int32N(9))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.word(append(words[v.Type().Name()], words[name]...)...))
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int32, reflect.Int64:
		v.SetInt(f.Int64N(3))
	case reflect.Uint8:
		v.SetUint(f.Uint64N(9))
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if f.IntN(100) >= f.some {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), name)
		}
	case reflect.Slice:
		for range f.IntN(3) * min(1, 100-f.some) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			f.fill(v.Index(v.Len()-1), name)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(5) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, "")
			if key.Type().Name() == "string" {
				key.SetString(f.word(keys...))
			}
			f.fill(value, "")
			v.SetMapIndex(key, value)
		}
	default:
		panic("no filling for " + v.Type().String())
	}
}

// fullPod makes the i-th of many pods that have everything that a pod can have, or, the odd ones, half of it. A zero of
// its own ends the deletion of most of them, which would hide the rest.
func fullPod(i int) *corev1.Pod {
	f := filler{rand.New(rand.NewPCG(1, uint64(i))), 50 * (i % 2)}
	pod := &corev1.Pod{}
	f.fill(reflect.ValueOf(pod).Elem(), "")
	if i%3 > 0 {
		pod.DeletionTimestamp = nil
	}
	return pod
}

func fullNode(i int) *corev1.Node {
	f := filler{rand.New(rand.NewPCG(2, uint64(i))), 50 * (i % 2)}
	node := &corev1.Node{}
	f.fill(reflect.ValueOf(node).Elem(), "")
	return node
}

// TestRowsOfPrunedObjectsAreThoseOfFullOnes fails when a row reads a field that the trees in prune.go do not keep.
func TestRowsOfPrunedObjectsAreThoseOfFullOnes(t *testing.T) {
	for i := range 2000 {
		pod, node := fullPod(i), fullNode(i)
		samePod(t, pod)
		sameNode(t, node)
		if t.Failed() {
			return
		}
	}
	pods, nodes := genPod(noon), genNode(noon)
	rapid.Check(t, func(t *rapid.T) {
		pod := stamped(pods.Draw(t, "pod"), noon)
		resized(t, pod)
		samePod(t, pod)
		sameNode(t, nodes.Draw(t, "node"))
	})
	samePod(t, &corev1.Pod{})
	samePod(t, mesh(7))
	sameNode(t, &corev1.Node{})
}

// rowDiff is how two rows differ.
func rowDiff(a, b any) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(Pod{}, Node{}, Labels{}), cmp.Comparer(func(a, b unique.Handle[string]) bool { return a == b }))
}

type tester interface {
	failer
	Errorf(format string, args ...any)
}

func samePod(t tester, pod *corev1.Pod) {
	t.Helper()
	full, pruned := arrived(t, plainCodecs, pod).(*corev1.Pod), arrived(t, prunedCodecs, pod).(*corev1.Pod)
	if diff := rowDiff(NewPod(full), NewPod(pruned)); diff != "" {
		t.Errorf("the row needs a field that is pruned:\n%s", diff)
	}
	if full.ResourceVersion != pruned.ResourceVersion || len(pruned.ManagedFields)+len(pruned.Spec.Volumes) > 0 {
		t.Errorf("got version %q and fields that no row needs, want version %q", pruned.ResourceVersion, full.ResourceVersion)
	}
}

func sameNode(t tester, node *corev1.Node) {
	t.Helper()
	full, pruned := arrived(t, plainCodecs, node).(*corev1.Node), arrived(t, prunedCodecs, node).(*corev1.Node)
	if diff := rowDiff(NewNode(full), NewNode(pruned)); diff != "" {
		t.Errorf("the row needs a field that is pruned:\n%s", diff)
	}
	if full.ResourceVersion != pruned.ResourceVersion || len(pruned.ManagedFields)+len(pruned.Status.Images) > 0 {
		t.Errorf("got version %q and fields that no row needs, want version %q", pruned.ResourceVersion, full.ResourceVersion)
	}
}

// TestEveryFieldThatStaysIsReadByARow holds the test above to its word: each field that stays, taken away, changes the row
// of one of its objects.
func TestEveryFieldThatStaysIsReadByARow(t *testing.T) {
	informer := []string{"1.6", "1.12"} // metadata.resourceVersion, and the annotation of bookmarks
	var pods, nodes []subject
	for i := range 1000 {
		pods = append(pods, subjectOf(fullPod(i), func(raw []byte) any {
			pod := &corev1.Pod{}
			return NewPod(unmarshalled(pod, raw))
		}))
		nodes = append(nodes, subjectOf(fullNode(i), func(raw []byte) any {
			node := &corev1.Node{}
			return NewNode(unmarshalled(node, raw))
		}))
	}
	for path, tree := range without(keptPod) {
		if path != informer[0] && !changesOne(pods, tree) {
			t.Errorf("no row of a pod needs field %s", path)
		}
	}
	for path, tree := range without(keptNode) {
		if !slices.Contains(informer, path) && !changesOne(nodes, tree) {
			t.Errorf("no row of a node needs field %s", path)
		}
	}
}

// subject is an encoded object and its row.
type subject struct {
	raw  []byte
	row  any
	read func(raw []byte) any
}

func subjectOf(o interface{ Marshal() ([]byte, error) }, read func([]byte) any) subject {
	raw, err := o.Marshal()
	if err != nil {
		panic(err)
	}
	return subject{raw, read(raw), read}
}

func unmarshalled[T interface{ Unmarshal([]byte) error }](o T, raw []byte) T {
	if err := o.Unmarshal(raw); err != nil {
		panic(err)
	}
	return o
}

func changesOne(list []subject, tree *keep) bool {
	return slices.ContainsFunc(list, func(s subject) bool {
		pruned, ok := tree.prune(nil, s.raw)
		return !ok || !reflect.DeepEqual(s.row, s.read(pruned))
	})
}

// without gives copies of a tree, each without one of its fields, by the path of that field.
func without(tree *keep) map[string]*keep {
	all := map[string]*keep{}
	for n, child := range tree.fields {
		if child == nil {
			continue
		}
		with := func(c *keep) *keep {
			own := slices.Clone(tree.fields)
			own[n] = c
			return &keep{fields: own, keys: tree.keys}
		}
		all[fmt.Sprint(n)] = with(nil)
		if child.keys != nil {
			continue
		}
		for path, less := range without(child) {
			all[fmt.Sprint(n, ".", path)] = with(less)
		}
	}
	return all
}

func TestObjectsKeepNothingOfTheBytesTheyWereDecodedFrom(t *testing.T) {
	first := arrived(t, prunedCodecs, fullPod(0)).(*corev1.Pod)
	row := NewPod(first.DeepCopy())
	for i := range 20 { // in the same spare bytes
		arrived(t, prunedCodecs, fullPod(i+1))
	}
	if diff := rowDiff(row, NewPod(first)); diff != "" {
		t.Error(diff)
	}
}

func TestOddBytesGoToTheDecoderAsTheyCame(t *testing.T) {
	status := event(watch.Error, &metav1.Status{Reason: metav1.StatusReasonExpired, Message: "too old", Code: 410})
	foreign := bytes.Replace(event(watch.Added, fullPod(0)), []byte("\n\x02v1\x12\x03Pod"), []byte("\n\x02v2\x12\x03Pod"), 1)
	for name, raw := range map[string][]byte{"a Status": status, "a pod of another version": foreign} {
		if got, ok := keptEvents.prune(nil, raw); !ok || !bytes.Equal(untyped(got), untyped(raw)) {
			t.Errorf("%s is pruned", name)
		}
	}
	broken := framed(append(event(watch.Added, fullPod(0)), 0xff))
	_, _, plain := watcher(plainCodecs, bytes.NewReader(broken)).Decode()
	_, _, pruned := watcher(prunedCodecs, bytes.NewReader(broken)).Decode()
	if plain == nil || pruned == nil || plain.Error() != pruned.Error() {
		t.Errorf("got error %v, want %v", pruned, plain)
	}
}

// untyped is the object in an event, whatever length the event gives it.
func untyped(raw []byte) []byte {
	_, object, _ := bytes.Cut(raw, []byte(magic))
	return object
}

func FuzzPrune(f *testing.F) {
	pod, page := event(watch.Added, fullPod(0)), served(&corev1.PodList{Items: []corev1.Pod{*fullPod(1)}})
	f.Add(pod)
	f.Add(page)
	f.Add(event(watch.Bookmark, bookmark("7")))
	f.Add(served(&corev1.NodeList{Items: []corev1.Node{*fullNode(0)}}))
	for i := 1; i < len(pod); i += len(pod) / 50 {
		f.Add(pod[:i])
	}
	f.Add([]byte("k8s\x00\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		for _, tree := range []*keep{keptEvents, keptPages, keptPod, keptNode} {
			pruned, ok := tree.prune(nil, raw)
			if len(pruned) > len(raw) {
				t.Errorf("%d bytes grew to %d", len(raw), len(pruned))
			}
			if again, still := tree.prune(nil, pruned); ok && (!still || !bytes.Equal(again, pruned)) {
				t.Error("what was pruned is not the same when it is pruned again")
			}
		}
		if !bytes.Equal(before, raw) {
			t.Error("the bytes were changed")
		}
		plain, pruned := &corev1.Pod{}, &corev1.Pod{}
		if small, ok := keptPod.prune(nil, raw); ok && plain.Unmarshal(raw) == nil {
			if err := pruned.Unmarshal(small); err != nil {
				t.Errorf("a good pod is not one once pruned: %v", err)
			}
		}
	})
}

func bookmark(version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: version, Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
}

// answers is a server with one answer.
type answers struct {
	contentType string
	body        []byte
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Request: r, StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(bytes.NewReader(a.body)),
	}, nil
}

// podsOf is the source of the pods of a server with one answer.
func podsOf(t *testing.T, contentType string, body []byte) source {
	cfg := &rest.Config{Host: "http://cluster", QPS: -1}
	tune(cfg, Options{})
	api, err := rowsClient(cfg, &http.Client{Transport: answers{contentType, body}})
	if err != nil {
		t.Fatal(err)
	}
	return newSource(api, "/api/v1", "pods", "", func() runtime.Object { return &corev1.PodList{} })
}

func TestWatchedObjectsArePruned(t *testing.T) {
	pod, gone := fullPod(0), fullPod(1)
	stream := slices.Concat(
		framed(event(watch.Added, pod)), framed(event(watch.Bookmark, bookmark("7"))), framed(event(watch.Deleted, gone)),
		framed(event(watch.Error, &metav1.Status{Reason: metav1.StatusReasonExpired, Code: 410})),
	)
	w, err := podsOf(t, runtime.ContentTypeProtobuf+";stream=watch", stream).watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	next := func(kind watch.EventType) runtime.Object {
		e := <-w.ResultChan()
		if e.Type != kind {
			t.Fatalf("got event %s of %v, want %s", e.Type, e.Object, kind)
		}
		return e.Object
	}
	added := next(watch.Added).(*corev1.Pod)
	equal(t, rowDiff(NewPod(added), NewPod(arrived(t, plainCodecs, pod).(*corev1.Pod))), "")
	equal(t, len(added.ManagedFields)+len(added.Spec.Volumes), 0)
	end := next(watch.Bookmark).(*corev1.Pod)
	equal(t, end.ResourceVersion+end.Annotations[metav1.InitialEventsAnnotationKey], "7true")
	equal(t, next(watch.Deleted).(*corev1.Pod).UID, gone.UID)
	equal(t, next(watch.Error).(*metav1.Status).Code, 410)
}

func TestListedObjectsArePruned(t *testing.T) {
	list := &corev1.PodList{Items: []corev1.Pod{*fullPod(0), *fullPod(1), *mesh(2)}}
	list.ResourceVersion, list.Continue = "41", "next"
	got, err := podsOf(t, runtime.ContentTypeProtobuf, served(list)).list(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	page := got.(*corev1.PodList)
	equal(t, page.ResourceVersion+page.Continue, "41next")
	equal(t, len(page.Items), len(list.Items))
	for i := range page.Items {
		equal(t, rowDiff(NewPod(&page.Items[i]), NewPod(arrived(t, plainCodecs, &list.Items[i]).(*corev1.Pod))), "")
		equal(t, len(page.Items[i].ManagedFields), 0)
	}
}

func TestJSONIsDecodedAsItCame(t *testing.T) {
	pod := mesh(1)
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	raw, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "PodList", "items": []*corev1.Pod{pod}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := podsOf(t, runtime.ContentTypeJSON, raw).list(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(page.(*corev1.PodList).Items[0].ManagedFields), 2)
	line, err := json.Marshal(map[string]any{"type": "ADDED", "object": pod})
	if err != nil {
		t.Fatal(err)
	}
	w, err := podsOf(t, runtime.ContentTypeJSON, line).watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	e := <-w.ResultChan()
	equal(t, len(e.Object.(*corev1.Pod).ManagedFields), 2)
}
