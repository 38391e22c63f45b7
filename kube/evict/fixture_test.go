package evict_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/cordon"
	"ktriage/kube/drain"
	"ktriage/kube/evict"
	"ktriage/kube/kubetest"
)

// bench is a cluster in memory, and a drain of its nodes in virtual time.
type bench struct {
	*kubetest.Server
	t        *testing.T
	cluster  *kube.Cluster
	settings drain.Settings
	progress *action.Progress
	began    time.Time
	stop     context.CancelCauseFunc
	done     chan struct{}
	result   action.Result
	planned  *drain.Plan
	reread   evict.Reread
}

// onBench runs a test in virtual time.
func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		test(b)
	})
}

func newBench(t *testing.T) *bench {
	server := kubetest.New()
	b := &bench{
		Server: server, t: t, cluster: kube.New(server.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil),
		settings: drain.Settings{Late: true, Together: 1}, progress: action.NewProgress(func() {}),
		done: make(chan struct{}), stop: func(error) {},
	}
	b.reread = b.read
	return b
}

func (b *bench) close() {
	b.stop(errStopped)
	if b.planned != nil && !b.began.IsZero() {
		<-b.done
	}
	synctest.Wait()
}

var errStopped = errors.New("the operator has stopped it")

// read plans as package drain does, as far as the worker looks at it.
func (b *bench) read(ctx context.Context, c *kube.Cluster, refs []kube.Ref, s drain.Settings) (*drain.Plan, error) {
	p := &drain.Plan{Context: "prod", Made: time.Now(), Settings: s}
	for _, ref := range refs {
		node, err := c.Client().CoreV1().Nodes().Get(ctx, ref.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil, fmt.Errorf("node %s %w", ref.Name, drain.ErrNoNode)
		case err != nil:
			return nil, fmt.Errorf("read node %s: %w", ref.Name, err)
		case string(node.UID) != ref.UID:
			return nil, fmt.Errorf("node %s %w", ref.Name, drain.ErrReplaced)
		}
		pods, err := c.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + ref.Name})
		if err != nil {
			return nil, fmt.Errorf("list pods of %s: %w", ref.Name, err)
		}
		n := drain.Node{Name: node.Name, UID: string(node.UID), Cordoned: node.Spec.Unschedulable, Ready: node.Labels["silent"] == ""}
		for i := range pods.Items {
			n.Pods = append(n.Pods, fate(&pods.Items[i], s))
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p, nil
}

func fate(o *corev1.Pod, s drain.Settings) drain.Pod {
	p := drain.Pod{Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Fate: drain.Evict, Grace: 30 * time.Second, Bound: o.CreationTimestamp.Time}
	if refs := o.OwnerReferences; len(refs) > 0 {
		p.Owner = drain.Owner{Kind: refs[0].Kind, Name: refs[0].Name, Controller: string(refs[0].UID)}
	} else {
		p.Unowned = true
	}
	for _, v := range o.Spec.Volumes {
		p.Lost = append(p.Lost, drain.Volume{Name: v.Name})
	}
	switch {
	case p.Owner.Kind == "DaemonSet":
		p.Fate, p.Why = drain.Stays, "DaemonSet"
	case o.DeletionTimestamp != nil:
		p.Fate = drain.Leaving
	case len(p.Lost) > 0 && !s.EmptyDir:
		p.Fate, p.Option = drain.Needs, drain.OptionEmptyDir
	case p.Unowned && !s.Unowned:
		p.Fate, p.Option = drain.Needs, drain.OptionUnowned
	}
	return p
}

// node puts a node.
func (b *bench) node(name string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	b.Put(n)
	return n
}

// pod makes a running pod of a ReplicaSet on a node, and puts it once it has been changed.
func (b *bench) pod(node, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	o := newPod(node, name)
	for _, c := range change {
		c(o)
	}
	b.Put(o)
	return o
}

func newPod(node, name string) *corev1.Pod {
	yes := true
	app, _, _ := strings.Cut(name, "-")
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": app},
			CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
			OwnerReferences:   []metav1.OwnerReference{{Kind: "ReplicaSet", Name: app, UID: types.UID("rs-" + app), Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c"}}},
	}
	ready(true)(o)
	return o
}

// ready makes a pod run, and be Ready or not.
func ready(is bool) func(*corev1.Pod) {
	return func(o *corev1.Pod) {
		o.Status.Phase = corev1.PodRunning
		condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
		if is {
			condition.Status = corev1.ConditionTrue
		}
		o.Status.Conditions = []corev1.PodCondition{condition}
		o.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "c", Ready: is, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}
	}
}

func ownedBy(kind, name string) func(*corev1.Pod) {
	return func(o *corev1.Pod) {
		o.OwnerReferences[0].Kind, o.OwnerReferences[0].Name, o.OwnerReferences[0].UID = kind, name, types.UID(kind+name)
	}
}

func grace(seconds int64) func(*corev1.Pod) {
	return func(o *corev1.Pod) { o.Spec.TerminationGracePeriodSeconds = &seconds }
}

// budget puts a budget for the pods of an app.
func (b *bench) budget(name, app string, allowed int) *policyv1.PodDisruptionBudget {
	o := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
		Status: policyv1.PodDisruptionBudgetStatus{
			ObservedGeneration: 1, DisruptionsAllowed: int32(allowed), CurrentHealthy: int32(2 + allowed), DesiredHealthy: 2,
		},
	}
	b.Put(o)
	return o
}

// start plans the nodes and begins to drain them.
func (b *bench) start(nodes ...string) {
	b.t.Helper()
	ctx, stop := context.WithCancelCause(context.Background())
	b.stop = stop
	if b.planned == nil {
		b.planned = b.plan(nodes...)
	}
	b.began = time.Now()
	work := evict.New(b.planned, cordon.Set, b.reread)
	go func() {
		defer close(b.done)
		b.result = work.Run(ctx, b.cluster, b.progress)
	}()
}

func (b *bench) plan(nodes ...string) *drain.Plan {
	b.t.Helper()
	var refs []kube.Ref
	for _, name := range nodes {
		refs = append(refs, kube.Ref{Kind: kube.Nodes, Name: name, UID: "uid-" + name})
	}
	p, err := b.read(b.t.Context(), b.cluster, refs, b.settings)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// drain drains nodes to the end.
func (b *bench) drain(nodes ...string) {
	b.t.Helper()
	b.start(nodes...)
	b.wait(time.Hour)
}

// wait waits for the end.
func (b *bench) wait(most time.Duration) {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(most):
		b.t.Fatalf("not over after %v:\n%s", most, b.steps())
	}
}

// after lets virtual time pass until so long after the beginning.
func (b *bench) after(d time.Duration) {
	<-time.After(time.Until(b.began.Add(d)))
	synctest.Wait()
}

func (b *bench) steps() string {
	var out strings.Builder
	for _, s := range b.progress.Steps() {
		fmt.Fprintf(&out, "%s %s: %s\n", s.Object.Name, s.State, s.Note)
		for _, why := range s.Why {
			fmt.Fprintf(&out, "    %s\n", why)
		}
	}
	return out.String()
}

func (b *bench) step(name string) *action.Step {
	b.t.Helper()
	for _, s := range b.progress.Steps() {
		if s.Object.Name == name {
			return s
		}
	}
	b.t.Fatalf("there is no step of %s:\n%s", name, b.steps())
	return nil
}

// is checks the state of a step, and that its note, or one of its sentences, has the words.
func (b *bench) is(name string, state action.StepState, words ...string) {
	b.t.Helper()
	s := b.step(name)
	if s.State != state {
		b.t.Errorf("after %v: %s is %s, want %s:\n%s", time.Since(b.began), name, s.State, state, b.steps())
	}
	for _, w := range words {
		if !strings.Contains(s.Note, w) && !strings.Contains(strings.Join(s.Why, " "), w) {
			b.t.Errorf("after %v: %s says %q %q, want it to say %q", time.Since(b.began), name, s.Note, s.Why, w)
		}
	}
}

// post is a request for an eviction.
type post struct {
	at   time.Duration // since the beginning
	name string
	uid  string
}

// posts gives the requests for evictions so far; of one pod if a name is given.
func (b *bench) posts(name string) []post {
	b.t.Helper()
	var out []post
	for _, q := range b.Requests() {
		if q.Method == "DELETE" || q.Method == "PUT" {
			b.t.Errorf("sent %s %s", q.Method, q.Path)
		}
		pod, ok := strings.CutSuffix(q.Path, "/eviction")
		if q.Method != "POST" || !ok {
			continue
		}
		var body policyv1.Eviction
		if err := json.Unmarshal(q.Body, &body); err != nil {
			b.t.Fatal(err)
		}
		if body.DeleteOptions == nil || body.DeleteOptions.Preconditions == nil ||
			body.DeleteOptions.Preconditions.UID == nil || body.DeleteOptions.Preconditions.ResourceVersion != nil {
			b.t.Errorf("an eviction was sent without the UID, or with a version: %s", q.Body)
			continue
		}
		pod = pod[strings.LastIndex(pod, "/")+1:]
		if name == "" || name == pod {
			out = append(out, post{q.At.Sub(b.began), pod, string(*body.DeleteOptions.Preconditions.UID)})
		}
	}
	return out
}

// ends checks the state of the whole, and that its summary or page has the words; and that every step has ended.
func (b *bench) ends(state action.State, words ...string) {
	b.t.Helper()
	if b.result.State != state {
		b.t.Errorf("the drain is %s, want %s: %s\n%s", b.result.State, state, b.result.Summary, b.steps())
	}
	said := b.result.Summary + "\n" + page(b.result.Page)
	for _, w := range words {
		if !strings.Contains(said, w) {
			b.t.Errorf("the result does not say %q:\n%s", w, said)
		}
	}
	for _, s := range b.progress.Steps() {
		if !s.State.Ended() {
			b.t.Errorf("the run is over, and %s is %s", s.Object.Name, s.State)
		}
	}
}

func page(sections []action.Section) string {
	var out strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&out, "- %s (%s)\n", s.Title, s.Note)
		for _, r := range s.Rows {
			fmt.Fprintln(&out, " ", strings.Join(r.Cells, " | "))
		}
	}
	return out.String()
}

func names(posts []post) []string {
	var out []string
	for _, p := range posts {
		if !slices.Contains(out, p.name) {
			out = append(out, p.name)
		}
	}
	return out
}
