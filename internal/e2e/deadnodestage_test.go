package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/kube"
	"ktriage/kube/action"
)

// stage is a namespace with nodes of its own, on which nobody else's pods land. Its client is not the operator's.
type stage struct {
	t      *testing.T
	client kubernetes.Interface
	name   string // of the namespace; its nodes are named after it, and have it as a label and as a taint
	nodes  []string
}

// stageLabel is what the nodes of a stage have, and its pods ask for.
const stageLabel = "devcluster.ktriage/stage"

func newStage(t *testing.T, word string) *stage {
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
	s := &stage{t: t, client: client, name: word + "-" + strings.ToLower(rand.Text()[:5])}
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}},
		metav1.CreateOptions{})
	s.ok(err)
	t.Cleanup(s.clear)
	return s
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// clear takes everything away. Nobody ends pods on silent nodes, so they are forced.
func (s *stage) clear() {
	ctx, now := context.WithoutCancel(s.t.Context()), int64(0)
	_ = s.client.CoreV1().Namespaces().Delete(ctx, s.name, metav1.DeleteOptions{})
	within(10*time.Second, func() bool {
		pods, err := s.client.CoreV1().Pods(s.name).List(ctx, metav1.ListOptions{})
		if err != nil || len(pods.Items) == 0 {
			return err == nil
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			if len(p.Finalizers) > 0 {
				_, _ = s.client.CoreV1().Pods(s.name).Patch(ctx, p.Name, types.MergePatchType,
					[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			}
			_ = s.client.CoreV1().Pods(s.name).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		}
		return false
	})
	for _, n := range s.nodes {
		_ = s.client.CoreV1().Nodes().Delete(ctx, n, metav1.DeleteOptions{})
	}
	_ = s.client.CoreV1().PersistentVolumes().Delete(ctx, "data-"+s.name, metav1.DeleteOptions{})
}

// node makes a node whose kubelet lives, and waits until it is Ready.
func (s *stage) node(suffix string) string {
	s.t.Helper()
	name := s.name + "-" + suffix
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi"),
		corev1.ResourcePods: resource.MustParse("110"),
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux",
			"devcluster.ktriage/kubelet": "alive", stageLabel: s.name,
			// A zone of its own: where more than half of a zone is silent, the node controller taints no more of it
			// (handleDisruption in k8s.io/kubernetes/pkg/controller/nodelifecycle), and tests run side by side.
			corev1.LabelTopologyZone: name,
		}},
		Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: stageLabel, Value: s.name, Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Allocatable: room, Capacity: room},
	}
	made, err := s.client.CoreV1().Nodes().Create(s.t.Context(), n, metav1.CreateOptions{})
	s.ok(err)
	if !slices.Contains(s.nodes, name) {
		s.nodes = append(s.nodes, name)
	}
	made.Status.Allocatable, made.Status.Capacity = room, room
	_, _ = s.client.CoreV1().Nodes().UpdateStatus(s.t.Context(), made, metav1.UpdateOptions{})
	s.until("node "+name+" Ready", soon, func() bool { return s.ready(name) == corev1.ConditionTrue })
	return name
}

func (s *stage) until(what string, limit time.Duration, holds func() bool) {
	s.t.Helper()
	await(s.t, what, limit, holds)
}

func (s *stage) get(node string) *corev1.Node {
	s.t.Helper()
	n, err := s.client.CoreV1().Nodes().Get(s.t.Context(), node, metav1.GetOptions{})
	s.ok(err)
	return n
}

func (s *stage) ready(node string) corev1.ConditionStatus {
	s.t.Helper()
	for _, c := range s.get(node).Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return ""
}

func (s *stage) patchNode(node, patch string) {
	s.t.Helper()
	_, err := s.client.CoreV1().Nodes().Patch(s.t.Context(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	s.ok(err)
}

// silence has a kubelet fall silent, and waits until the control plane has noticed.
func (s *stage) silence(node string) {
	s.t.Helper()
	s.patchNode(node, `{"metadata":{"labels":{"devcluster.ktriage/kubelet":"silent"}}}`)
	s.until(node+" Unknown, and both its taints", 2*time.Minute, func() bool { // which two workers give it, either of them first
		taints := 0
		for _, taint := range s.get(node).Spec.Taints {
			if taint.Key == corev1.TaintNodeUnreachable {
				taints++
			}
		}
		return s.ready(node) == corev1.ConditionUnknown && taints == 2
	})
}

// template is that of a pod of this stage.
func (s *stage) template(app string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}, Spec: corev1.PodSpec{
		NodeSelector: map[string]string{stageLabel: s.name},
		Tolerations:  []corev1.Toleration{{Key: stageLabel, Operator: corev1.TolerationOpExists}},
		Containers:   []corev1.Container{{Name: "app", Image: "registry.example/" + app + ":1"}},
	}}
}

func everything(t *corev1.PodTemplateSpec) {
	t.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func selector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

func (s *stage) deployment(app string, replicas int32, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	s.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: app}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: selector(app), Template: s.template(app),
	}}
	for _, c := range change {
		c(d)
	}
	made, err := s.client.AppsV1().Deployments(s.name).Create(s.t.Context(), d, metav1.CreateOptions{})
	s.ok(err)
	return made
}

func (s *stage) statefulSet(app string, replicas int32, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s.t.Helper()
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: app}, Spec: appsv1.StatefulSetSpec{
		Replicas: &replicas, ServiceName: app, Selector: selector(app), Template: s.template(app),
	}}
	for _, c := range change {
		c(set)
	}
	made, err := s.client.AppsV1().StatefulSets(s.name).Create(s.t.Context(), set, metav1.CreateOptions{})
	s.ok(err)
	return made
}

func (s *stage) daemonSet(app string, change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	s.t.Helper()
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec: appsv1.DaemonSetSpec{Selector: selector(app), Template: s.template(app)}}
	one := intstr.FromInt32(1)
	set.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{
		Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &one},
	}
	for _, c := range change {
		c(set)
	}
	made, err := s.client.AppsV1().DaemonSets(s.name).Create(s.t.Context(), set, metav1.CreateOptions{})
	s.ok(err)
	return made
}

func (s *stage) bare(name string, finalizers ...string) {
	s.t.Helper()
	t := s.template(name)
	_, err := s.client.CoreV1().Pods(s.name).Create(s.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: finalizers}, Spec: t.Spec,
	}, metav1.CreateOptions{})
	s.ok(err)
}

// withVolume gives the first pod of a StatefulSet a volume that one node may write to.
func (s *stage) withVolume(set *appsv1.StatefulSet) {
	none, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
	_, err := s.client.CoreV1().PersistentVolumes().Create(s.t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "data-" + s.name}, Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/" + s.name}},
			ClaimRef:                      &corev1.ObjectReference{Namespace: s.name, Name: "data-" + set.Name + "-0"},
		},
	}, metav1.CreateOptions{})
	s.ok(err)
	set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{
		ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &none,
			VolumeName: "data-" + s.name, Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	}}
	set.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
}

// pods are those of the stage, by UID.
func (s *stage) pods() map[string]corev1.Pod {
	s.t.Helper()
	list, err := s.client.CoreV1().Pods(s.name).List(s.t.Context(), metav1.ListOptions{})
	s.ok(err)
	out := map[string]corev1.Pod{}
	for _, p := range list.Items {
		out[string(p.UID)] = p
	}
	return out
}

// running counts the pods whose names begin so and that are Ready on a node.
func (s *stage) running(prefix, node string) int {
	n := 0
	for _, p := range s.pods() {
		ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		if strings.HasPrefix(p.Name, prefix) && (node == "" || p.Spec.NodeName == node) && ready && p.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// waiting counts the pods that have a container which waits for something.
func (s *stage) waiting() int {
	n := 0
	for _, p := range s.pods() {
		if slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Waiting != nil }) {
			n++
		}
	}
	return n
}

// changes are the requests of the operator that change something, his questions about permissions left out.
func (o *operator) changes() []request {
	o.t.Helper()
	var out []request
	for _, r := range o.on.requests(o.t, o.agent) {
		changing := slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
		if changing && !strings.HasPrefix(r.ObjectRef.Resource, "selfsubject") {
			out = append(out, r)
		}
	}
	return out
}

// meta is what the body of a request says of the object that it is for.
func (r request) meta(t *testing.T) (uid, version string) {
	t.Helper()
	var body struct {
		Metadata, Preconditions struct{ UID, ResourceVersion string }
	}
	if err := json.Unmarshal(r.RequestObject, &body); err != nil {
		t.Fatalf("%s %s has a body that cannot be read: %v: %s", r.Verb, r.RequestURI, err, r.RequestObject)
	}
	if body.Preconditions.UID != "" {
		return body.Preconditions.UID, body.Preconditions.ResourceVersion
	}
	return body.Metadata.UID, body.Metadata.ResourceVersion
}

// object names an object of the stage for an action.
func (s *stage) object(kind kube.Kinds, o metav1.Object) kube.Ref {
	return kube.Ref{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID())}
}

func (o *operator) onObjects(refs ...kube.Ref) action.Target {
	return action.Target{Context: o.kube.Context(), Refs: refs}
}

// namedIn gives the pods of a namespace that the sections of a sheet name in their first column, in order.
func namedIn(p *action.Plan, namespace string) []string {
	var out []string
	for _, section := range p.Sections {
		if len(section.Columns) == 0 {
			continue
		}
		for _, row := range section.Rows {
			if name, ok := strings.CutPrefix(row.Cells[0], namespace+"/"); ok {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// sheetOf is all the text of a plan.
func sheetOf(p *action.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  [tier %d, word %q, gate %q, foot %q]\n", p.Headline, p.Tier, p.Word, p.Gate, p.Foot)
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "  %-6s %s\n", f.Name, f.Text)
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "-- %s -- %s\n", s.Title, s.Note)
		for _, r := range s.Rows {
			fmt.Fprintf(&b, "  %s\n", strings.Join(r.Cells, "  "))
		}
	}
	for _, t := range p.Toggles {
		fmt.Fprintf(&b, "  [%s] %s\n", t.Value, t.Words)
		for _, c := range t.Choices {
			fmt.Fprintf(&b, "     (%s) %s\n", c.Words, strings.Join(c.Lines, " | "))
		}
	}
	for _, i := range p.Instead {
		fmt.Fprintf(&b, "  instead %s: %s\n", i.Action, i.Words)
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "  refused: %s\n", r)
	}
	return b.String() + "  $ " + strings.Join(p.Kubectl, "\n  $ ")
}
