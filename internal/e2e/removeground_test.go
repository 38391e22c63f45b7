package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"

	"ktriage/kube"
	"ktriage/kube/action"
)

// ground is a namespace with nodes of its own, on which nobody else's pods land.
type ground struct {
	*operator
	namespace string
	ctx       context.Context
	world     kubernetes.Interface // everybody but the operator
}

// stake makes the ground of a test.
func stake(t *testing.T) *ground {
	t.Helper()
	g := &ground{operator: stages.operate(t, stages.kubeconfig()), ctx: context.WithoutCancel(t.Context())}
	flags := genericclioptions.NewConfigFlags(true)
	config := stages.kubeconfig()
	flags.KubeConfig = &config
	rc, err := flags.ToRESTConfig()
	g.must(err)
	rc.UserAgent, rc.QPS = "world", -1
	g.world, err = kubernetes.NewForConfig(rc)
	g.must(err)
	g.namespace = fmt.Sprintf("rm-%08x", rand.Uint32())
	_, err = g.client().CoreV1().Namespaces().Create(g.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.namespace}}, metav1.CreateOptions{})
	g.must(err)
	t.Cleanup(func() { g.clear() })
	return g
}

func (g *ground) client() kubernetes.Interface { return g.world }

// notFound is err, unless it says that the object is not there.
func notFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// clear removes what the test has made, whatever holds it.
func (g *ground) clear() {
	zero := int64(0)
	pods, err := g.client().CoreV1().Pods(g.namespace).List(g.ctx, metav1.ListOptions{})
	if err != nil {
		g.t.Error(err)
		return
	}
	gone := notFound(g.client().CoreV1().Namespaces().Delete(g.ctx, g.namespace, metav1.DeleteOptions{}))
	for _, p := range pods.Items {
		if len(p.Finalizers) > 0 {
			_, err := g.client().CoreV1().Pods(g.namespace).Patch(g.ctx, p.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			gone = errors.Join(gone, notFound(err))
		}
		gone = errors.Join(gone, notFound(g.client().CoreV1().Pods(g.namespace).Delete(g.ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero})))
	}
	nodes, err := g.client().CoreV1().Nodes().List(g.ctx, metav1.ListOptions{LabelSelector: "ground=" + g.namespace})
	gone = errors.Join(gone, err)
	if err == nil {
		for _, n := range nodes.Items {
			gone = errors.Join(gone, notFound(g.client().CoreV1().Nodes().Delete(g.ctx, n.Name, metav1.DeleteOptions{})))
		}
	}
	if gone != nil {
		g.t.Error(gone)
	}
}

// kinds of nodes.
const (
	onAlive = "alive"  // kwok's: pods run, and go a second after they were asked to
	onHand  = "byhand" // Ready, with a lease that the test renews; nothing on it ever ends
	onStill = "still"  // nobody speaks for it, so that it is given up after 20 s
)

// node makes a node that only the pods of the ground tolerate.
func (g *ground) node(kind string) string {
	g.t.Helper()
	name := fmt.Sprintf("%s-%s-%04x", g.namespace, kind, rand.Uint32()%65536)
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "ground": g.namespace, "devcluster.ktriage/kubelet": kind, "topology.kubernetes.io/zone": name,
	}}}
	n.Spec.Taints = []corev1.Taint{{Key: "ground", Value: g.namespace, Effect: corev1.TaintEffectNoSchedule}}
	_, err := g.client().CoreV1().Nodes().Create(g.ctx, n, metav1.CreateOptions{})
	g.must(err)
	n, err = g.client().CoreV1().Nodes().Get(g.ctx, name, metav1.GetOptions{})
	g.must(err)
	room := corev1.ResourceList{"cpu": resource.MustParse("64"), "memory": resource.MustParse("64Gi"), "pods": resource.MustParse("500")}
	n.Status.Capacity, n.Status.Allocatable = room, room
	if kind != onAlive {
		now := metav1.Now()
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now}}
	} else {
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	}
	g.must(retryConflict(func() error {
		fresh, err := g.client().CoreV1().Nodes().Get(g.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		status := n.Status
		fresh.Status.Capacity, fresh.Status.Allocatable = room, room
		if kind != onAlive {
			fresh.Status.Conditions = status.Conditions
		}
		_, err = g.client().CoreV1().Nodes().UpdateStatus(g.ctx, fresh, metav1.UpdateOptions{})
		return err
	}))
	if kind == onHand {
		g.beat(name)
	}
	await(g.t, name+" is Ready", soon, func() bool { return g.ready(name) })
	return name
}

func retryConflict(do func() error) error {
	var err error
	for range 10 {
		if err = do(); err == nil || !strings.Contains(err.Error(), "modified") {
			return err
		}
	}
	return err
}

func (g *ground) ready(node string) bool {
	n, err := g.client().CoreV1().Nodes().Get(g.ctx, node, metav1.GetOptions{})
	g.must(err)
	ready := false
	for _, c := range n.Status.Conditions {
		ready = ready || c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	}
	for _, t := range n.Spec.Taints {
		ready = ready && t.Key != corev1.TaintNodeNotReady
	}
	return ready
}

// beat renews the lease of a node as its kubelet does, until the test ends.
func (g *ground) beat(node string) {
	seconds := int32(40)
	renew := func() {
		now := metav1.NowMicro()
		l, err := g.client().CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(g.ctx, node, metav1.GetOptions{})
		if err != nil {
			l = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: node, Namespace: corev1.NamespaceNodeLease}}
			l.Spec = coordinationv1.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now}
			_, _ = g.client().CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(g.ctx, l, metav1.CreateOptions{})
			return
		}
		l.Spec.RenewTime = &now
		_, _ = g.client().CoordinationV1().Leases(corev1.NamespaceNodeLease).Update(g.ctx, l, metav1.UpdateOptions{})
	}
	renew()
	stop := make(chan struct{})
	g.t.Cleanup(func() {
		close(stop)
		_ = g.client().CoordinationV1().Leases(corev1.NamespaceNodeLease).Delete(g.ctx, node, metav1.DeleteOptions{})
	})
	go func() {
		tick := time.NewTicker(4 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				renew()
			}
		}
	}()
}

// spec is that of a pod that runs on a node of the ground.
func (g *ground) spec(node string, grace int64) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName: node, TerminationGracePeriodSeconds: &grace, EnableServiceLinks: new(bool),
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Containers:  []corev1.Container{{Name: "app", Image: "registry.example/app:1"}},
	}
}

// pod makes a pod without an owner.
func (g *ground) pod(name, node string, change ...func(*corev1.Pod)) kube.Ref {
	g.t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.namespace, Name: name, Labels: map[string]string{"app": name}}, Spec: g.spec(node, 30)}
	for _, c := range change {
		c(p)
	}
	p, err := g.client().CoreV1().Pods(g.namespace).Create(g.ctx, p, metav1.CreateOptions{})
	g.must(err)
	return podRef(p)
}

func podRef(p *corev1.Pod) kube.Ref {
	return kube.Ref{Kind: kube.Pods, Namespace: p.Namespace, Name: p.Name, UID: string(p.UID)}
}

func graceOf(s int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &s }
}

func finalizer(names ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Finalizers = names }
}

// ask asks for a pod to go, behind the back of the operator.
func (g *ground) ask(r kube.Ref) {
	g.t.Helper()
	g.must(g.client().CoreV1().Pods(r.Namespace).Delete(g.ctx, r.Name, metav1.DeleteOptions{}))
}

// late waits until the grace period of a pod is over.
func (g *ground) late(r kube.Ref) {
	g.t.Helper()
	await(g.t, r.Name+" is late", soon, func() bool {
		p := g.get(r)
		return p != nil && p.DeletionTimestamp != nil && time.Since(p.DeletionTimestamp.Time) > 0
	})
}

// get gives a pod, nil if it is gone or another one.
func (g *ground) get(r kube.Ref) *corev1.Pod {
	g.t.Helper()
	p, err := g.client().CoreV1().Pods(r.Namespace).Get(g.ctx, r.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && string(p.UID) != r.UID {
		return nil
	}
	g.must(err)
	return p
}

func (g *ground) to(refs ...kube.Ref) action.Target {
	return action.Target{Context: g.kube.Context(), Refs: refs}
}

func (g *ground) force(o action.Options, refs ...kube.Ref) *action.Plan {
	g.t.Helper()
	return g.planOf(action.ForceDelete, g.to(refs...), o)
}

// refused wants a plan that cannot be confirmed, for a reason in which the words occur.
func (g *ground) refused(p *action.Plan, words ...string) {
	g.t.Helper()
	all := strings.Join(p.Refusals, "\n")
	for _, w := range words {
		if !strings.Contains(all, w) || len(p.Refusals) == 0 {
			g.t.Errorf("refused with %q, want %q\n%s", p.Refusals, w, sheetAsText(p))
		}
	}
}

func (g *ground) allowed(p *action.Plan, tier action.Tier) {
	g.t.Helper()
	if len(p.Refusals) > 0 || p.Tier != tier {
		g.t.Errorf("tier %d, want %d; refused with %q\n%s", p.Tier, tier, p.Refusals, sheetAsText(p))
	}
}

// offers wants a plan to offer these actions and no others.
func (g *ground) offers(p *action.Plan, want ...action.ID) {
	g.t.Helper()
	var got []action.ID
	for _, i := range p.Instead {
		got = append(got, i.Action)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		g.t.Errorf("offers %v, want %v", got, want)
	}
}

// sheet is all text of a plan.
func sheetAsText(p *action.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s, tier %d, word %q] %s\n", p.Action, p.Tier, p.Word, p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%-7s %s\n", f.Name, f.Text)
	}
	toggle := func(t action.Toggle) {
		fmt.Fprintf(&b, "[%s] %s %s\n", t.Value, t.ID, t.Words)
		for i, c := range t.Choices {
			fmt.Fprintf(&b, "  ( ) %s %s\n      %s\n", t.Values[i], c.Words, strings.Join(c.Lines, "\n      "))
		}
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "-- %s -- %s\n", s.Title, s.Note)
		for _, r := range s.Rows {
			fmt.Fprintf(&b, "%-7v %s\n", r.Severity, strings.Join(r.Cells, " | "))
		}
		for _, t := range p.Toggles {
			for _, id := range s.Toggles {
				if id == t.ID {
					toggle(t)
				}
			}
		}
	}
	for _, i := range p.Instead {
		fmt.Fprintf(&b, "instead %s: %s\n", i.Action, i.Words)
	}
	fmt.Fprintf(&b, "gate: %s; foot: %s\n$ %s\nrefused: %q\n", p.Gate, p.Foot, strings.Join(p.Kubectl, "\n$ "), p.Refusals)
	return b.String()
}

// shows wants words on the sheet.
func (g *ground) shows(p *action.Plan, words ...string) {
	g.t.Helper()
	all := sheetAsText(p)
	for _, w := range words {
		if !strings.Contains(all, w) {
			g.t.Errorf("the sheet does not say %q:\n%s", w, all)
		}
	}
}

// sent are the requests of the operator that change something, but for questions about permissions.
func (g *ground) sent() []request {
	g.t.Helper()
	var out []request
	for _, r := range g.on.requests(g.t, g.agent) {
		if r.ObjectRef.Namespace == g.namespace && r.ObjectRef.Resource == "pods" && (r.Verb == "delete" || r.Verb == "patch") && r.UserAgent == g.agent && r.Stage == "ResponseComplete" {
			out = append(out, r)
		}
	}
	return out
}

// deleteBody is what a DELETE says.
type deleteBody struct {
	GracePeriodSeconds *int64
	PropagationPolicy  string
	Preconditions      struct{ UID string }
}

// pinned checks that every DELETE names its pod by UID and has the right grace period, and that there are so many.
func (g *ground) pinned(force bool, want int, uids ...string) {
	g.t.Helper()
	n := 0
	for _, r := range g.sent() {
		if r.Verb != "delete" {
			continue
		}
		n++
		var body deleteBody
		g.must(json.Unmarshal(r.RequestObject, &body))
		known := len(uids) == 0 && body.Preconditions.UID != ""
		for _, uid := range uids {
			known = known || body.Preconditions.UID == uid
		}
		zero := body.GracePeriodSeconds != nil && *body.GracePeriodSeconds == 0
		if !known || force != zero || !force && body.GracePeriodSeconds != nil || body.PropagationPolicy != "Background" {
			g.t.Errorf("DELETE %s with %s", r.RequestURI, r.RequestObject)
		}
	}
	if n != want {
		g.t.Errorf("%d DELETEs, want %d", n, want)
	}
}

// vanish takes a pod out of the API behind the back of the operator.
func (g *ground) vanish(r kube.Ref) {
	g.t.Helper()
	g.finalize(r)
	zero := int64(0)
	g.must(notFound(g.client().CoreV1().Pods(r.Namespace).Delete(g.ctx, r.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero})))
	await(g.t, r.Name+" is gone", soon, func() bool { return g.get(r) == nil })
}

// finalize sets the finalizers of a pod.
func (g *ground) finalize(r kube.Ref, names ...string) {
	g.t.Helper()
	raw, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": names}})
	g.must(err)
	_, err = g.client().CoreV1().Pods(r.Namespace).Patch(g.ctx, r.Name, types.MergePatchType, raw, metav1.PatchOptions{})
	g.must(notFound(err))
}

// patchSet sends the next pods of a set to another node, and does not touch those that there are.
func (g *ground) patchSet(name, node string) {
	g.t.Helper()
	raw := fmt.Sprintf(`{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null},"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":%q}}}}}`, node)
	_, err := g.client().AppsV1().StatefulSets(g.namespace).Patch(g.ctx, name, types.MergePatchType, []byte(raw), metav1.PatchOptions{})
	g.must(err)
}

// post has a node say that it is Ready, as its kubelet does.
func (g *ground) post(node string) {
	g.t.Helper()
	now := metav1.Now().UTC().Format(time.RFC3339)
	raw := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":%q,"lastTransitionTime":%q}]}}`, now, now)
	_, err := g.client().CoreV1().Nodes().PatchStatus(g.ctx, node, []byte(raw))
	g.must(err)
}
