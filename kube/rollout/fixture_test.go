package rollout_test

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

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/rollout"
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
		b := &bench{t: t, Changes: &kubetest.Changes{Server: kubetest.New()}}
		b.cluster = kube.New(kubetest.Clients(b.Changes), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1,
		CreationTimestamp: metav1.NewTime(time.Now().Add(-3 * time.Hour)),
	}
}

func template(app, image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
	}
}

func selector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// deployment puts a Deployment that is well, once it has been changed.
func (b *bench) deployment(name string, replicas int32, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: meta(name), Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector(name),
		Template: template(name, name+":2")}}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: replicas, UpdatedReplicas: replicas,
		AvailableReplicas: replicas, ReadyReplicas: replicas}
	for _, c := range change {
		c(d)
	}
	b.Put(d)
	return d
}

// statefulSet puts one of the name x that is well, once it has been changed.
func (b *bench) statefulSet(replicas int32, change ...func(*appsv1.StatefulSet)) {
	s := &appsv1.StatefulSet{ObjectMeta: meta("x"), Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector("x"),
		Template: template("x", "x:2")}}
	s.Status = appsv1.StatefulSetStatus{
		ObservedGeneration: 1, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, CurrentRevision: "a",
		UpdateRevision: "a",
	}
	for _, c := range change {
		c(s)
	}
	b.Put(s)
}

func (b *bench) daemonSet(name string, nodes int32, change ...func(*appsv1.DaemonSet)) {
	s := &appsv1.DaemonSet{ObjectMeta: meta(name), Spec: appsv1.DaemonSetSpec{Selector: selector(name),
		Template: template(name, name+":2")}}
	s.Status = appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: nodes, UpdatedNumberScheduled: nodes,
		NumberAvailable: nodes}
	for _, c := range change {
		c(s)
	}
	b.Put(s)
}

func (b *bench) cronJob(name string, change ...func(*batchv1.CronJob)) {
	c := &batchv1.CronJob{ObjectMeta: meta(name), Spec: batchv1.CronJobSpec{Schedule: "0 3 * * *"}}
	for _, x := range change {
		x(c)
	}
	b.Put(c)
}

// pod puts a pod of a workload that is Ready, or not.
func (b *bench) pod(app, name string, ready bool) {
	p := &corev1.Pod{ObjectMeta: meta(name)}
	p.Labels, p.Status.Phase = map[string]string{"app": app}, corev1.PodRunning
	c := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	if !ready {
		c.Status = corev1.ConditionFalse
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"},
		}}}
	}
	p.Status.Conditions = []corev1.PodCondition{c}
	b.Put(p)
}

// replicaSet puts what a Deployment was before.
func (b *bench) replicaSet(d *appsv1.Deployment, number int, t corev1.PodTemplateSpec, cause string) {
	rs := &appsv1.ReplicaSet{ObjectMeta: meta(fmt.Sprintf("%s-%d", d.Name, number))}
	rs.UID = types.UID(fmt.Sprintf("%s-%d", d.UID, number))
	yes := true
	rs.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID, Controller: &yes}}
	rs.Labels = map[string]string{"app": d.Name}
	rs.Annotations = map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(number)}
	if cause != "" {
		rs.Annotations["kubernetes.io/change-cause"] = cause
	}
	rs.Spec.Template = *t.DeepCopy()
	rs.Spec.Template.Labels["pod-template-hash"] = fmt.Sprint(number)
	b.Put(rs)
}

// revision adds what the set x was before, as its controller keeps it.
func (b *bench) revision(kind string, number int64, t corev1.PodTemplateSpec) {
	raw := map[string]any{}
	encoded, err := json.Marshal(t)
	if err == nil {
		err = json.Unmarshal(encoded, &raw)
	}
	raw["$patch"] = "replace"
	data, failed := json.Marshal(map[string]any{"spec": map[string]any{"template": raw}})
	if err != nil || failed != nil {
		b.t.Fatal(err, failed)
	}
	r := appsv1.ControllerRevision{ObjectMeta: meta(fmt.Sprintf("x-%d", number)), Revision: number, Data: runtime.RawExtension{Raw: data}}
	yes := true
	r.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "x", UID: "uid-x", Controller: &yes}}
	b.Revisions = append(b.Revisions, r)
}

func ref(kind kube.Kinds, name string) kube.Ref {
	return kube.Ref{Kind: kind, Namespace: "shop", Name: name, UID: "uid-" + name}
}

func target(refs ...kube.Ref) action.Target { return action.Target{Context: "prod", Refs: refs} }

// kinds are the actions, by their IDs.
var kinds = map[action.ID]action.Kind{
	action.Restart: rollout.NewRestart(), action.RollBack: rollout.NewRollBack(), action.Pause: rollout.NewPause(true),
	action.Resume: rollout.NewPause(false),
}

func (b *bench) plan(id action.ID, o action.Options, refs ...kube.Ref) *action.Plan {
	b.t.Helper()
	sent := len(b.Sent())
	p, err := kinds[id].Plan(b.t.Context(), b.cluster, target(refs...), o)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(b.Sent()) > sent {
		b.t.Fatal("making a plan has sent a request that changes something")
	}
	return p
}

func (b *bench) carryOut(ctx context.Context, p *action.Plan) (action.Result, []*action.Step) {
	b.t.Helper()
	if p.Work == nil || len(p.Refusals) > 0 {
		b.t.Fatalf("refused: %q", p.Refusals)
	}
	progress := action.NewProgress(func() {})
	result := p.Work.Run(ctx, b.cluster, progress)
	for _, s := range progress.Steps() {
		if !s.State.Ended() {
			b.t.Errorf("the step of %s has not ended: %v", s.Object.FullName(), s.State)
		}
	}
	return result, progress.Steps()
}

// rolls is the controller of Deployments: after each change it takes so long until all is as it is to be.
func (b *bench) rolls(after time.Duration) {
	b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		response, err := on()
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		time.AfterFunc(after, func() { b.observed(name) })
		return response, err
	}
}

// observed has the controller of a Deployment say that it has done what was asked.
func (b *bench) observed(name string) {
	d := b.get(name)
	d.Status.ObservedGeneration = d.Generation
	b.Put(d)
}

func (b *bench) get(name string) *appsv1.Deployment {
	b.t.Helper()
	d, err := b.cluster.Client().AppsV1().Deployments("shop").Get(context.WithoutCancel(b.t.Context()), name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

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

func percent(s string) *intstr.IntOrString {
	v := intstr.FromString(s)
	return &v
}

func count(n int32) *intstr.IntOrString {
	v := intstr.FromInt32(n)
	return &v
}
