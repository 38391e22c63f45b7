package remove

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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// bench is a cluster in memory, in virtual time.
type bench struct {
	*kubetest.Graceful
	t        *testing.T
	cluster  *kube.Cluster
	progress *action.Progress
}

// onBench runs a test in virtual time. fill puts what there is when the program connects.
func onBench(t *testing.T, fill func(b *bench), test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Graceful: &kubetest.Graceful{Server: kubetest.New()}, t: t, progress: action.NewProgress(func() {})}
		b.cluster = kube.New(kubetest.Clients(b.Graceful), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		ctx, stop := context.WithCancel(context.Background())
		fill(b)
		b.cluster.Start(ctx, kube.Nodes|kube.Pods)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		test(b)
		stop()
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func (b *bench) node(name string, ready corev1.ConditionStatus, change ...func(*corev1.Node)) {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour))}}
	for _, c := range change {
		c(n)
	}
	b.Put(n)
}

// pod puts a pod that runs.
func (b *bench) pod(name, node string, change ...func(*corev1.Pod)) kube.Ref {
	p := newPod(name, node, change...)
	b.Put(p)
	return kube.Ref{Kind: kube.Pods, Namespace: p.Namespace, Name: p.Name, UID: string(p.UID)}
}

func newPod(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
	}}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Name: "app"}}
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	for _, c := range change {
		c(p)
	}
	return p
}

func ofOwner(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		version := map[string]string{"Job": "batch/v1", "Kafka": "kafka.strimzi.io/v1"}[kind]
		if version == "" {
			version = "apps/v1"
		}
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &yes}}
	}
}

func finalized(names ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Finalizers = names }
}

// deleted has been asked to go so long ago, with this grace period.
func deleted(ago time.Duration, grace int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		due := metav1.NewTime(time.Now().Add(time.Duration(grace)*time.Second - ago))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &due, &grace
	}
}

func to(refs ...kube.Ref) action.Target { return action.Target{Context: "prod", Refs: refs} }

func (b *bench) plan(k action.Kind, o action.Options, refs ...kube.Ref) *action.Plan {
	b.t.Helper()
	p, err := k.Plan(b.t.Context(), b.cluster, to(refs...), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// carryOut carries a plan out to its end.
func (b *bench) carryOut(ctx context.Context, p *action.Plan) action.Result {
	b.t.Helper()
	result := p.Work.Run(ctx, b.cluster, b.progress)
	for _, s := range b.progress.Steps() {
		if !s.State.Ended() {
			b.t.Errorf("the step of %s has not ended: %v", s.Object.Name, s.State)
		}
	}
	return result
}

// steps are how the steps stand, one in a line.
func (b *bench) steps() string {
	var out []string
	for _, s := range b.progress.Steps() {
		out = append(out, fmt.Sprintf("%s %v: %s", s.Object.Name, s.State, s.Note))
	}
	return strings.Join(out, "\n")
}

// there reports whether the server has a pod.
func (b *bench) there(uid string) *corev1.Pod {
	for _, p := range b.Pods() {
		if string(p.UID) == uid {
			return p
		}
	}
	return nil
}

// pinned checks that every DELETE so far names a pod by its UID, and has the grace period that it must have.
func (b *bench) pinned(force bool) {
	b.t.Helper()
	for _, r := range b.Sent() {
		var o metav1.DeleteOptions
		if r.Method != http.MethodDelete {
			continue
		}
		if err := json.Unmarshal(r.Body, &o); err != nil {
			b.t.Fatal(err)
		}
		zero := o.GracePeriodSeconds != nil && *o.GracePeriodSeconds == 0
		if o.Preconditions == nil || o.Preconditions.UID == nil || *o.Preconditions.UID == "" || zero != force || !force && o.GracePeriodSeconds != nil {
			b.t.Errorf("%s %s", r.Path, r.Body)
		}
	}
}

type way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error)

func status(code int32, reason metav1.StatusReason, message string) way {
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		response, _, err := kubetest.Answer(metav1.Status{Code: code, Reason: reason, Message: message})(r)
		return response, err
	}
}

func reset(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, syscall.ECONNRESET
}

func unreachable(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, syscall.ECONNREFUSED
}

func silence(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// done is a server that does its work before something goes wrong.
func done(next way) way {
	return func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		response, err := on()
		if err != nil {
			return nil, err
		}
		if err := response.Body.Close(); err != nil {
			return nil, err
		}
		return next(r, on)
	}
}

// first goes one way once, and then the other.
func first(one way) way {
	n := 0
	return func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		if n++; n == 1 {
			return one(r, on)
		}
		return on()
	}
}

// text is all text of a plan.
func sheetOf(p *action.Plan) string {
	out := []string{p.Headline, p.Gate, p.Foot, p.Word, strings.Join(p.Refusals, "\n"), strings.Join(p.Kubectl, "\n")}
	for _, f := range p.Facts {
		out = append(out, f.Name+" "+f.Text)
	}
	for _, s := range p.Sections {
		out = append(out, s.Title+" "+s.Note)
		for _, r := range s.Rows {
			out = append(out, strings.Join(r.Cells, " | "))
		}
	}
	for _, t := range p.Toggles {
		out = append(out, t.Words)
		for _, c := range t.Choices {
			out = append(out, c.Words, strings.Join(c.Lines, "\n"))
		}
	}
	for _, i := range p.Instead {
		out = append(out, i.Words)
	}
	return strings.Join(out, "\n")
}
