package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/scale"
)

// hall is a namespace and a node of a test's own, on which workloads are made and scaled. Its client is not the operator's,
// so that the audit log tells them apart.
type hall struct {
	t      *testing.T
	client kubernetes.Interface
	ns     string // of the namespace
	node   string // its name, a label of it, and its taint
}

func newHall(t *testing.T) *hall {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", stages.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := (&hall{t: t, client: client, node: "scale-" + rand.String(6)}).room("")
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		err := client.CoreV1().Nodes().Delete(context.WithoutCancel(t.Context()), h.node, metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	t.Cleanup(h.clear)
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	_, err = client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: h.node, Labels: map[string]string{"devcluster.ktriage/kubelet": "alive", "scale": h.node}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "scale", Value: h.node, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Allocatable: room, Capacity: room,
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}, NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.36.3"}},
	}, metav1.CreateOptions{})
	h.ok(err)
	return h
}

// room is another namespace with the same node; whoever makes one clears it.
func (h *hall) room(suffix string) *hall {
	h.t.Helper()
	r := &hall{h.t, h.client, h.node + suffix, h.node}
	_, err := h.client.CoreV1().Namespaces().Create(h.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.ns}}, metav1.CreateOptions{})
	h.ok(err)
	return r
}

func (h *hall) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// clear takes away what a hall has made.
func (h *hall) clear() {
	h.drop()
	h.empty()
}

// drop asks for everything to go.
func (h *hall) drop() {
	ctx, core := context.WithoutCancel(h.t.Context()), h.client.CoreV1()
	if err := core.Namespaces().Delete(ctx, h.ns, metav1.DeleteOptions{}); err != nil {
		h.t.Error(err)
	}
	if err := core.PersistentVolumes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "scale=" + h.ns}); err != nil {
		h.t.Error(err)
	}
}

// empty waits until no pod is left, so that the node can go.
func (h *hall) empty() {
	ctx := context.WithoutCancel(h.t.Context())
	within(20*time.Second, func() bool {
		pods, err := h.client.CoreV1().Pods(h.ns).List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0
	})
}

// crashing is what the kubelet says of a container that crashes again and again.
const crashing = `{"phase":"Running","containers":{"app":{"ready":false,"restarts":4,"state":{"waiting":{"reason":"CrashLoopBackOff"}},` +
	`"last":{"terminated":{"exitCode":1,"ago":"41s"}}}}}`

// template is that of pods which run on the node of the hall and nowhere else.
func (h *hall) template(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			NodeSelector:  map[string]string{"scale": h.node},
			Tolerations:   []corev1.Toleration{{Key: "scale", Operator: corev1.TolerationOpExists}},
			RestartPolicy: corev1.RestartPolicyAlways,
			Containers:    []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
}

// set makes a StatefulSet, and does not wait for it.
func (h *hall) set(name string, replicas int32, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	h.t.Helper()
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.StatefulSetSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: h.template(name), ServiceName: name,
	}}
	for _, c := range change {
		c(s)
	}
	s, err := h.client.AppsV1().StatefulSets(h.ns).Create(h.t.Context(), s, metav1.CreateOptions{})
	h.ok(err)
	return s
}

// settled makes a StatefulSet and waits until it is as it should be.
func (h *hall) settled(name string, replicas int32, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	h.t.Helper()
	h.set(name, replicas, change...)
	return h.ready(name, replicas)
}

// ready waits until all pods of a set are.
func (h *hall) ready(name string, replicas int32) *appsv1.StatefulSet {
	h.t.Helper()
	var s *appsv1.StatefulSet
	await(h.t, fmt.Sprintf("%d ready pods of %s", replicas, name), soon, func() bool {
		s = h.get(name)
		return s.Status.ObservedGeneration >= s.Generation && s.Status.ReadyReplicas == replicas && s.Status.Replicas == replicas && s.Status.AvailableReplicas == replicas
	})
	return s
}

func (h *hall) get(name string) *appsv1.StatefulSet {
	h.t.Helper()
	s, err := h.client.AppsV1().StatefulSets(h.ns).Get(h.t.Context(), name, metav1.GetOptions{})
	h.ok(err)
	return s
}

func parallel(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }

func whenScaledDelete(s *appsv1.StatefulSet) {
	s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	}
}

func ordinalsFrom(n int32) func(*appsv1.StatefulSet) {
	return func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: n} }
}

// slow are pods that take a while to be ready, and to go.
func slow(readyAfter, goesAfter string) func(*appsv1.StatefulSet) {
	return func(s *appsv1.StatefulSet) {
		notes := s.Spec.Template.Annotations
		if readyAfter != "" {
			notes["devcluster.ktriage/status"] = `{"phase":"Running","containers":{"app":{"ready":false,"state":{"running":{}}}}}`
			notes["devcluster.ktriage/ready-after"] = readyAfter
		}
		if goesAfter != "" {
			notes["devcluster.ktriage/goes-after"] = goesAfter
		}
	}
}

// claiming has each pod claim a volume; the volumes of the ordinals from and up to are made beforehand.
func (h *hall) claiming(from, to int) func(*appsv1.StatefulSet) {
	return func(s *appsv1.StatefulSet) {
		for n := from; n < to; n++ {
			h.volume(fmt.Sprintf("data-%s-%d", s.Name, n), corev1.PersistentVolumeReclaimDelete)
		}
		none := ""
		s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &none,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}},
		}}}
	}
}

// volume makes a volume for a claim that may not exist yet.
func (h *hall) volume(claim string, reclaim corev1.PersistentVolumeReclaimPolicy) {
	h.t.Helper()
	_, err := h.client.CoreV1().PersistentVolumes().Create(h.t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: h.ns + "-" + claim, Labels: map[string]string{"scale": h.ns}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: reclaim, ClaimRef: &corev1.ObjectReference{Namespace: h.ns, Name: claim},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nowhere"}},
		},
	}, metav1.CreateOptions{})
	h.ok(err)
}

// claims gives the claims of the hall by name.
func (h *hall) claims() map[string]corev1.PersistentVolumeClaim {
	h.t.Helper()
	l, err := h.client.CoreV1().PersistentVolumeClaims(h.ns).List(h.t.Context(), metav1.ListOptions{})
	h.ok(err)
	out := map[string]corev1.PersistentVolumeClaim{}
	for _, c := range l.Items {
		out[c.Name] = c
	}
	return out
}

// pods gives the pods of a workload by name.
func (h *hall) pods(app string) map[string]corev1.Pod {
	h.t.Helper()
	l, err := h.client.CoreV1().Pods(h.ns).List(h.t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	h.ok(err)
	out := map[string]corev1.Pod{}
	for _, p := range l.Items {
		out[p.Name] = p
	}
	return out
}

// falls has a pod fall ill.
func (h *hall) falls(pod string) {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"devcluster.ktriage/then": crashing}}})
	h.ok(err)
	_, err = h.client.CoreV1().Pods(h.ns).Patch(h.t.Context(), pod, types.MergePatchType, body, metav1.PatchOptions{})
	h.ok(err)
	await(h.t, pod+" ill", soon, func() bool { return !h.isReady(pod) })
}

// recovers has a pod become well again.
func (h *hall) recovers(pod string) {
	h.t.Helper()
	_, err := h.client.CoreV1().Pods(h.ns).Patch(h.t.Context(), pod, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"devcluster.ktriage/then":null}}}`), metav1.PatchOptions{})
	h.ok(err)
	_, err = h.client.CoreV1().Pods(h.ns).Patch(h.t.Context(), pod, types.StrategicMergePatchType,
		[]byte(`{"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"ContainersReady","status":"True"}]}}`), metav1.PatchOptions{}, "status")
	h.ok(err)
}

func (h *hall) isReady(pod string) bool {
	h.t.Helper()
	p, err := h.client.CoreV1().Pods(h.ns).Get(h.t.Context(), pod, metav1.GetOptions{})
	h.ok(err)
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (h *hall) ref(s metav1.Object, kind kube.Kinds) kube.Ref {
	return kube.Ref{Kind: kind, Namespace: h.ns, Name: s.GetName(), UID: string(s.GetUID())}
}

func (h *hall) target(o *operator, sets ...*appsv1.StatefulSet) action.Target {
	out := action.Target{Context: o.kube.Context()}
	for _, s := range sets {
		out.Refs = append(out.Refs, h.ref(s, kube.StatefulSets))
	}
	return out
}

// scaleTo plans one StatefulSet with a number.
func (h *hall) scaleTo(o *operator, s *appsv1.StatefulSet, to int32, on ...string) (*action.Plan, scale.Workload) {
	h.t.Helper()
	options := action.Options{scale.OptionReplicas + string(s.UID): strconv.Itoa(int(to))}
	for _, id := range on {
		options[id] = action.On
	}
	p := o.planOf(action.Scale, h.target(o, s), options)
	return p, scale.PlanOf(p).Workloads[0]
}

// says wants a sheet to say something somewhere.
func says(t *testing.T, p *action.Plan, parts ...string) {
	t.Helper()
	all := sheetText(p)
	for _, part := range parts {
		if !strings.Contains(all, part) {
			t.Errorf("the sheet does not say %q:\n%s", part, all)
		}
	}
}

// sheetText is all that a sheet shows.
func sheetText(p *action.Plan) string {
	var b strings.Builder
	fmt.Fprintln(&b, p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%-7s%s\n", f.Name, f.Text)
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "--- %s --- %s\n", s.Title, s.Note)
		var titles []string
		for _, c := range s.Columns {
			titles = append(titles, c.Title)
		}
		if len(titles) > 0 {
			fmt.Fprintln(&b, "   ", strings.Join(titles, " | "))
		}
		for _, r := range s.Rows {
			fmt.Fprintf(&b, "%-8s%s\n", map[bool]string{true: r.Severity.String()}[r.Severity >= kube.Warning], strings.Join(r.Cells, " | "))
		}
	}
	for _, c := range p.Toggles {
		fmt.Fprintf(&b, "[%s] %s\n", c.Value, c.Words)
	}
	for _, i := range p.Instead {
		fmt.Fprintf(&b, "instead: %s\n", i.Words)
	}
	fmt.Fprintf(&b, "tier %d; gate %q; foot %q; word %q\n", p.Tier, p.Gate, p.Foot, p.Word)
	for _, r := range p.Refusals {
		fmt.Fprintln(&b, "refused:", r)
	}
	for _, k := range p.Kubectl {
		fmt.Fprintln(&b, "$", k)
	}
	return b.String()
}

// puts gives the requests that have set a number, by the name of the object.
func puts(t *testing.T, o *operator) map[string][]request {
	t.Helper()
	out := map[string][]request{}
	for _, r := range o.on.requests(t, o.agent) {
		if r.ObjectRef.Subresource == "scale" && r.Verb != "get" {
			out[r.ObjectRef.Name] = append(out[r.ObjectRef.Name], r)
		}
	}
	return out
}

// onePut wants exactly one number of an object to have been set, with what names the object for good.
func onePut(t *testing.T, o *operator, name, uid string, to int32) {
	t.Helper()
	oneOf(t, puts(t, o)[name], name, uid, to)
}

func oneOf(t *testing.T, sent []request, name, uid string, to int32) {
	t.Helper()
	done := 0
	for _, r := range sent {
		var body struct {
			Metadata struct{ UID, ResourceVersion string }
			Spec     struct{ Replicas int32 }
		}
		if err := json.Unmarshal(r.RequestObject, &body); err != nil {
			t.Fatalf("%s: %v", r.RequestObject, err)
		}
		if r.Verb != "update" || body.Metadata.UID != uid || body.Metadata.ResourceVersion == "" || body.Spec.Replicas != to {
			t.Errorf("%s of %s has uid %q, resourceVersion %q, replicas %d", r.Verb, name, body.Metadata.UID, body.Metadata.ResourceVersion, body.Spec.Replicas)
		}
		if r.ResponseStatus.Code == 200 {
			done++
		}
	}
	if done != 1 {
		t.Errorf("%d numbers of %s were set, want 1", done, name)
	}
}

// noPut wants nothing to have been changed.
func noPut(t *testing.T, o *operator) {
	t.Helper()
	for _, r := range o.on.requests(t, o.agent) {
		if !slices.Contains([]string{"get", "list", "watch"}, r.Verb) && !strings.HasPrefix(r.ObjectRef.Resource, "selfsubject") {
			t.Errorf("%s %s %s was sent", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Name)
		}
	}
}

// apply applies a manifest with kubectl.
func apply(t *testing.T, manifest string, args ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	stages.kubectl(t, append([]string{"apply", "-f", path}, args...)...)
}
