package deadnode_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/deadnode"
	"ktriage/kube/kubetest"
)

// bench is a cluster in memory, in virtual time.
type bench struct {
	*kubetest.Changes
	t       *testing.T
	cluster *kube.Cluster
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, Changes: &kubetest.Changes{Server: kubetest.New(), Leases: map[string]*coordinationv1.Lease{}}}
		b.cluster = kube.New(kubetest.Clients(b.Changes), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

// node puts a node with a lease of that age whose condition Ready has had a value for an hour.
func (b *bench) node(name string, ready corev1.ConditionStatus, lease time.Duration, change ...func(*corev1.Node)) {
	now := time.Now()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}}
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour)),
		LastHeartbeatTime: metav1.NewTime(now.Add(-61 * time.Minute)),
	}}
	for _, c := range change {
		c(n)
	}
	b.Put(n)
	renewed := metav1.NewMicroTime(now.Add(-lease))
	b.Leases[name] = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &renewed}}
}

// dead puts a node that has been silent for an hour.
func (b *bench) dead(name string, change ...func(*corev1.Node)) {
	b.node(name, corev1.ConditionUnknown, 61*time.Minute, change...)
}

func taint(key, value string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: effect})
	}
}

func controlPlane(n *corev1.Node) {
	n.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
}

// pod puts a pod on a node: "shop/cart-2" of "StatefulSet cart", or of nobody.
func (b *bench) pod(node, name, owner string, change ...func(*corev1.Pod)) *corev1.Pod {
	ns, short, _ := strings.Cut(name, "/")
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: short, UID: types.UID("uid-" + name),
		CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))}}
	p.Spec.NodeName, p.Status.Phase = node, corev1.PodRunning
	if kind, of, ok := strings.Cut(owner, " "); ok {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: of, UID: types.UID("uid-" + of),
			Controller: &yes}}
	}
	for _, c := range change {
		c(p)
	}
	b.Put(p)
	return p
}

func tolerates(key string, seconds *int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
			TolerationSeconds: seconds})
	}
}

func emptyDir(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name,
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
}

func claims(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}})
	}
}

func (b *bench) claim(name string, mode corev1.PersistentVolumeAccessMode) {
	ns, short, _ := strings.Cut(name, "/")
	b.Put(&corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: short, UID: types.UID("uid-" + name)},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{mode}},
	})
}

func target(names ...string) action.Target {
	t := action.Target{Context: "prod"}
	for _, n := range names {
		t.Refs = append(t.Refs, kube.Ref{Kind: kube.Nodes, Name: n, UID: "uid-" + n})
	}
	return t
}

var off = action.Options{deadnode.OptionOff: action.On}

// kinds are the actions, by their IDs.
var kinds = map[action.ID]action.Kind{
	action.DeleteNode: deadnode.NewDelete(), action.OutOfService: deadnode.NewTaint(true), action.InService: deadnode.NewTaint(false),
}

func (b *bench) plan(id action.ID, o action.Options, names ...string) *action.Plan {
	b.t.Helper()
	p, err := kinds[id].Plan(b.t.Context(), b.cluster, target(names...), o)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(b.Sent()) > 0 {
		b.t.Fatalf("making a plan has sent %s", b.Sent()[0].Method)
	}
	return p
}

// carryOut carries a plan out to its end, and gives its steps.
func (b *bench) carryOut(ctx context.Context, p *action.Plan) (action.Result, map[string]*action.Step) {
	b.t.Helper()
	if p.Work == nil || len(p.Refusals) > 0 {
		b.t.Fatalf("refused: %q", p.Refusals)
	}
	progress := action.NewProgress(func() {})
	result := p.Work.Run(ctx, b.cluster, progress)
	steps := map[string]*action.Step{}
	for _, s := range progress.Steps() {
		steps[s.Object.FullName()] = s
		if !s.State.Ended() {
			b.t.Errorf("the step of %s has not ended: %v", s.Object.FullName(), s.State)
		}
	}
	return result, steps
}

// body is that of a request.
func body(t *testing.T, r kubetest.Request) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return out
}

// reset is a connection that breaks.
func reset(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, syscall.ECONNRESET
}

// then lets the server do its work before the connection breaks.
func then(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
	response, err := on()
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	return reset(r, on)
}

// answers is a server that says no.
func answers(code int32, reason metav1.StatusReason) kubetest.Way {
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		response, _, err := kubetest.Answer(metav1.Status{Code: code, Reason: reason, Message: "not this one"})(r)
		return response, err
	}
}

// text is all that a sheet says.
func text(p *action.Plan) string {
	var b strings.Builder
	fmt.Fprintln(&b, p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Text)
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "-- %s (%s)\n", s.Title, s.Note)
		for _, r := range s.Rows {
			fmt.Fprintln(&b, strings.Join(r.Cells, " | "))
		}
	}
	return b.String()
}
