package scale

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// bench is a cluster in memory, in virtual time.
type bench struct {
	*kubetest.Scaling
	t       *testing.T
	cluster *kube.Cluster
	sent    int // requests that change something
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Scaling: &kubetest.Scaling{Server: kubetest.New()}, t: t}
		b.on(nil)
		b.cluster = kube.New(kubetest.Clients(b.Scaling), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

// on lets something happen to the requests that change something, and counts them.
func (b *bench) on(way func(n int, send func() (*http.Response, error)) (*http.Response, error)) {
	b.Way = func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		b.sent++
		if way == nil {
			return send()
		}
		return way(b.sent, send)
	}
}

func pod(owner metav1.Object, kind, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: &yes}},
	}}
	p.Spec.NodeName = "worker-1"
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, c := range change {
		c(p)
	}
	return p
}

func ill(p *corev1.Pod) {
	p.Status.Conditions[0].Status = corev1.ConditionFalse
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
}

func going(p *corev1.Pod) {
	now := metav1.NewTime(time.Now().Add(30 * time.Second))
	p.DeletionTimestamp = &now
}

// set makes a StatefulSet web with pods that are well.
func (b *bench) set(replicas int32, change ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-web", Generation: 1}, Spec: appsv1.StatefulSetSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}}
	s.Spec.Template.Labels = map[string]string{"app": "web"}
	s.Status = appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas}
	for _, c := range change {
		c(s)
	}
	b.Put(s)
	for n := range replicas {
		b.Put(pod(s, "StatefulSet", fmt.Sprintf("web-%d", n)))
	}
	return s
}

// controlled brings the status of the set, and its pods, to what its number asks for.
func (b *bench) controlled() {
	s := b.StatefulSet("shop", "web")
	n := *s.Spec.Replicas
	for _, p := range b.Pods() {
		if ordinal("web", p.Name) >= int(n) {
			b.Delete(p)
		}
	}
	for k := range n {
		b.Put(pod(s, "StatefulSet", fmt.Sprintf("web-%d", k)))
	}
	s.Status = appsv1.StatefulSetStatus{ObservedGeneration: s.Generation, Replicas: n, ReadyReplicas: n, AvailableReplicas: n}
	b.Put(s)
}

var web = kube.Ref{Kind: kube.StatefulSets, Namespace: "shop", Name: "web", UID: "uid-web"}

func (b *bench) plan(to string, on ...string) *action.Plan {
	b.t.Helper()
	o := action.Options{OptionReplicas + "uid-web": to}
	for _, id := range on {
		o[id] = action.On
	}
	p, err := New().Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: []kube.Ref{web}}, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// carried is a run under way.
type carried struct {
	*bench
	progress *action.Progress
	result   chan action.Result
	cancel   context.CancelFunc
}

func (b *bench) start(p *action.Plan) *carried {
	ctx, cancel := context.WithCancel(b.t.Context())
	c := &carried{b, action.NewProgress(func() {}), make(chan action.Result, 1), cancel}
	go func() { c.result <- p.Work.Run(ctx, b.cluster, c.progress) }()
	return c
}

// steps are as the run tells them, a line each.
func (c *carried) steps() string {
	var out []string
	for _, s := range c.progress.Steps() {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s: %s", s.Object.Name, s.State, s.Note)))
	}
	return strings.Join(out, "\n")
}

// end waits for the end of the run, and wants every step to have ended.
func (c *carried) end() action.Result {
	c.t.Helper()
	r := <-c.result
	for _, s := range c.progress.Steps() {
		if !s.State.Ended() {
			c.t.Errorf("%s has not ended: %s", s.Object.Name, s.State)
		}
	}
	return r
}

func is(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

func reset(int, func() (*http.Response, error)) (*http.Response, error) {
	return nil, syscall.ECONNRESET
}
