package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/rollout"
)

// rollStage has a Deployment, a StatefulSet and a DaemonSet on two nodes, all well.
type rollStage struct {
	*stage
	web    *appsv1.Deployment
	cart   *appsv1.StatefulSet
	agent  *appsv1.DaemonSet
	before map[string]corev1.Pod
}

func newRollStage(t *testing.T) *rollStage {
	t.Helper()
	r := &rollStage{stage: newStage(t, "roll")}
	a := r.node("a")
	r.node("b")
	r.web, r.cart, r.agent = r.deployment("web", 3), r.statefulSet("cart", 2), r.daemonSet("agent")
	r.until("7 pods on "+a+" and another", soon, func() bool { return r.running("", "") == 7 })
	r.before = r.pods()
	return r
}

func (r *rollStage) refs() []kube.Ref {
	return []kube.Ref{r.object(kube.Deployments, r.web), r.object(kube.StatefulSets, r.cart), r.object(kube.DaemonSets, r.agent)}
}

// patch changes a workload as its owner would.
func (s *stage) patch(kind kube.Kinds, name, patch string) {
	s.t.Helper()
	var err error
	raw, o := []byte(patch), metav1.PatchOptions{}
	switch kind {
	case kube.Deployments:
		_, err = s.client.AppsV1().Deployments(s.name).Patch(s.t.Context(), name, types.StrategicMergePatchType, raw, o)
	case kube.StatefulSets:
		_, err = s.client.AppsV1().StatefulSets(s.name).Patch(s.t.Context(), name, types.StrategicMergePatchType, raw, o)
	default:
		_, err = s.client.AppsV1().DaemonSets(s.name).Patch(s.t.Context(), name, types.StrategicMergePatchType, raw, o)
	}
	s.ok(err)
}

// templates are those of the three workloads as they are now.
func (r *rollStage) templates() []corev1.PodTemplateSpec {
	r.t.Helper()
	web, err := r.client.AppsV1().Deployments(r.name).Get(r.t.Context(), "web", metav1.GetOptions{})
	r.ok(err)
	cart, err := r.client.AppsV1().StatefulSets(r.name).Get(r.t.Context(), "cart", metav1.GetOptions{})
	r.ok(err)
	agent, err := r.client.AppsV1().DaemonSets(r.name).Get(r.t.Context(), "agent", metav1.GetOptions{})
	r.ok(err)
	return []corev1.PodTemplateSpec{web.Spec.Template, cart.Spec.Template, agent.Spec.Template}
}

// checkPatches wants one patch for each object, with its UID, and with a version where that is wanted.
func (o *operator) checkPatches(version bool, refs ...kube.Ref) {
	o.t.Helper()
	changes := o.taken()
	if len(changes) != len(refs) {
		o.t.Errorf("%d requests that change something, want %d: %+v", len(changes), len(refs), changes)
	}
	for i, r := range changes[:min(len(changes), len(refs))] {
		uid, at := r.meta(o.t)
		if r.Verb != "patch" || r.ObjectRef.Name != refs[i].Name || uid != refs[i].UID || version != (at != "") {
			o.t.Errorf("%s %s with uid %q and version %q, want uid %s of %s", r.Verb, r.RequestURI, uid, at, refs[i].UID, refs[i].Name)
		}
	}
}

// taken gives the requests that changed something. One that the server has refused because the object's status moved on
// under it changed nothing, and is sent again once the template has been compared.
func (o *operator) taken() []request {
	o.t.Helper()
	return slices.DeleteFunc(o.changes(), func(r request) bool { return r.ResponseStatus.Code == http.StatusConflict })
}

func TestRolloutRestartReplacesAllPodsOneWorkloadAfterTheOther(t *testing.T) {
	t.Parallel()
	r := newRollStage(t)
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Restart, o.onObjects(r.refs()...), nil)
	t.Log(sheetOf(p))
	if len(p.Refusals) > 0 || p.Tier != action.Read || !strings.Contains(p.Headline, "7 pods") {
		t.Fatalf("tier %d, refused with %q: %s", p.Tier, p.Refusals, p.Headline)
	}
	if n := len(o.changes()); n > 0 {
		t.Fatalf("%d requests before anything was confirmed", n)
	}
	was := r.templates()
	d := o.start(p)
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%s: %s after %v\n%s", run.State, run.Note, took.Round(100*time.Millisecond), d.account())
	if run.State != action.Done || run.Undo != nil {
		t.Errorf("ended as %v: %q, undo %+v", run.State, run.Note, run.Undo)
	}
	for uid, p := range r.pods() {
		if _, old := r.before[uid]; old && p.DeletionTimestamp == nil {
			t.Errorf("%s has not been replaced", p.Name)
		}
	}
	for i, now := range r.templates() {
		if now.Annotations["kubectl.kubernetes.io/restartedAt"] == "" {
			t.Errorf("%s has no time of its restart", r.refs()[i].Name)
		}
		now.Annotations = was[i].Annotations
		if !equality.Semantic.DeepEqual(now, was[i]) {
			t.Errorf("more of the template of %s has changed than an annotation", r.refs()[i].Name)
		}
	}
	steps := d.runner.Steps(d.id)
	if !slices.IsSortedFunc(steps, func(a, b *action.Step) int { return a.Since.Compare(b.Since) }) {
		t.Errorf("they were not done one after the other")
	}
	o.checkPatches(true, r.refs()...)
	// kubectl says the same.
	for _, what := range []string{"deployment/web", "statefulset/cart", "daemonset/agent"} {
		if out := stages.kubectl(t, "-n", r.name, "rollout", "status", what, "--watch=false"); !strings.Contains(out,
			"successfully rolled out") &&
			!strings.Contains(out, "roll out complete") {
			t.Errorf("kubectl says of %s: %s", what, out)
		}
	}
}

// newer gives each workload another template, and waits until it is rolled out.
func (r *rollStage) newer() {
	r.t.Helper()
	change := `{"metadata":{"annotations":{"kubernetes.io/change-cause":"second"}},"spec":{"template":{"spec":{"containers":[{"name":"app",` +
		`"image":"registry.example/app:2","env":[{"name":"SECRET_WORD","value":"open sesame"}]}]}}}}`
	for kind, name := range map[kube.Kinds]string{kube.Deployments: "web", kube.StatefulSets: "cart", kube.DaemonSets: "agent"} {
		r.patch(kind, name, change)
	}
	r.until("7 new pods", soon, func() bool { return r.are("registry.example/app:2") == 7 })
}

// are counts the pods that are Ready with an image; -1 while there are others.
func (r *rollStage) are(image string) int {
	r.t.Helper()
	for _, p := range r.pods() {
		if p.Spec.Containers[0].Image != image {
			return -1
		}
	}
	return r.running("", "")
}

func TestRolloutRollBackBringsBackTheTemplateAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	r := newRollStage(t)
	first := r.templates()
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.RollBack, o.onObjects(r.refs()[0]), nil)
	if len(p.Refusals) == 0 || !strings.Contains(p.Refusals[0], "no earlier revision") {
		t.Errorf("without a history it is refused with %q", p.Refusals)
	}
	r.newer()
	second := r.templates()
	for i, ref := range r.refs() {
		p := o.planOf(action.RollBack, o.onObjects(ref), nil)
		sheet := sheetOf(p)
		t.Log(sheet)
		if len(p.Refusals) > 0 || p.Tier != action.Read || !strings.Contains(sheet,
			"image registry.example/app:2 -> registry.example/"+ref.Name+":1") {
			t.Errorf("tier %d, refused with %q", p.Tier, p.Refusals)
		}
		if strings.Contains(sheet, "sesame") || !strings.Contains(sheet, "-SECRET_WORD") {
			t.Error("the sheet shows a value of the environment, or does not name it")
		}
		d := o.start(p)
		run, took := d.finishes(soon)
		t.Logf("%s: %s after %v", run.State, run.Note, took.Round(100*time.Millisecond))
		if run.State != action.Done || run.Undo == nil || run.Undo.Options[rollout.OptionRevision] == "" {
			t.Fatalf("ended as %v: %q, undo %+v\n%s", run.State, run.Note, run.Undo, d.account())
		}
		if !equality.Semantic.DeepEqual(r.templates()[i], first[i]) {
			t.Errorf("%s does not have the template that it had", ref.Name)
		}
		back := o.start(o.planOf(run.Undo.Action, run.Undo.Target, run.Undo.Options))
		if run, _ := back.finishes(soon); run.State != action.Done {
			t.Errorf("back: ended as %v: %q", run.State, run.Note)
		}
		if !equality.Semantic.DeepEqual(r.templates()[i], second[i]) {
			t.Errorf("%s does not have the template back that was rolled back", ref.Name)
		}
	}
	refs := r.refs()
	o.checkPatches(true, refs[0], refs[0], refs[1], refs[1], refs[2], refs[2])
	r.until("7 new pods again", soon, func() bool { return r.are("registry.example/app:2") == 7 })
}

func TestRolloutIsRefusedOrStoppedWhenItIsNotAsItWasShown(t *testing.T) {
	t.Parallel()
	s := newStage(t, "roll")
	s.node("a")
	o := stages.operate(t, stages.kubeconfig())
	for name, c := range map[string]struct {
		change string // of the Deployment, between sheet and confirmation
		state  action.State
		says   string
		sent   int
	}{
		"template": {`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example/web:3"}]}}}}`,
			action.Failed, "another template", 0},
		"paused":   {`{"spec":{"paused":true}}`, action.Failed, "is paused: resume it first", 0},
		"version":  {`{"metadata":{"annotations":{"example.com/note":"x"}}}`, action.Done, "restarted", 1},
		"replaced": {"", action.Failed, "another object has the name now", 0},
	} {
		d := s.deployment(name, 1)
		s.until("a pod of "+name, soon, func() bool { return s.running(name, "") == 1 })
		sent := len(o.taken())
		p := o.planOf(action.Restart, o.onObjects(s.object(kube.Deployments, d)), nil)
		if c.change != "" {
			s.patch(kube.Deployments, name, c.change)
		} else {
			s.ok(s.client.AppsV1().Deployments(s.name).Delete(t.Context(), name, metav1.DeleteOptions{}))
			s.deployment(name, 1)
		}
		run, _ := o.start(p).finishes(soon)
		t.Logf("%s: %v: %s", name, run.State, run.Note)
		if run.State != c.state || !strings.Contains(run.Note, c.says) || len(o.taken())-sent != c.sent {
			t.Errorf("%s: ended as %v: %q after %d requests", name, run.State, run.Note, len(o.taken())-sent)
		}
	}
	paused := s.deployment("held", 1, func(d *appsv1.Deployment) { d.Spec.Paused = true })
	p := o.planOf(action.Restart, o.onObjects(s.object(kube.Deployments, paused),
		kube.Ref{Kind: kube.Jobs, Namespace: s.name, Name: "once", UID: "x"}), nil)
	if got := strings.Join(p.Refusals, "; "); !strings.Contains(got, s.name+"/once is a Job: there is no restart of it") ||
		!strings.Contains(got, "held is paused") {
		t.Errorf("refused with %q", p.Refusals)
	}
	recreate := s.deployment("recreate", 1, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType })
	if p := o.planOf(action.Restart, o.onObjects(s.object(kube.Deployments, recreate)), nil); p.Tier != action.Write ||
		!strings.Contains(sheetOf(p), "recreate is down from the end") {
		t.Errorf("tier %d\n%s", p.Tier, sheetOf(p))
	}
}

func TestRolloutThatGetsStuckSaysWhyAndIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, "roll")
	s.node("a")
	limit := int32(15)
	d := s.deployment("web", 2, func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = &limit })
	s.until("2 pods", soon, func() bool { return s.running("web", "") == 2 })
	first := d.Spec.Template
	// From now on its pods cannot pull their image: the owner has changed a template that the pause keeps back.
	s.patch(kube.Deployments, "web", `{"spec":{"paused":true,"template":{"metadata":{"annotations":{"devcluster.ktriage/status":`+
		`"{\"phase\":\"Pending\",\"containers\":{\"app\":{\"ready\":false,\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\"}}}}}"}}}}}`)
	o := stages.operate(t, stages.kubeconfig())
	ref := s.object(kube.Deployments, d)
	resume := o.planOf(action.Resume, o.onObjects(ref), nil)
	t.Log(sheetOf(resume))
	if run, _ := o.start(resume).finishes(soon); run.State != action.Done || run.Undo == nil ||
		run.Undo.Action != action.Pause {
		t.Fatalf("resume ended as %v: %q", run.State, run.Note)
	}
	s.until("a pod that is ill", soon, func() bool { return s.waiting() == 1 })
	p := o.planOf(action.Restart, o.onObjects(ref), nil)
	if !strings.Contains(sheetOf(p), "ImagePullBackOff") {
		t.Errorf("the sheet does not name the pod that is ill:\n%s", sheetOf(p))
	}
	r := o.start(p)
	r.await("a step that says why", soon, func() bool {
		return strings.Contains(fmt.Sprint(r.step(s.name+"/web").Why),
			"ImagePullBackOff")
	})
	run, took := r.finishes(soon)
	t.Logf("%s: %s after %v\n%s", run.State, run.Note, took.Round(100*time.Millisecond), r.account())
	if run.State != action.Partial || !strings.Contains(run.Note, "no progress within its deadline") {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	p = o.planOf(action.RollBack, o.onObjects(ref), nil)
	oldest := p.Toggles[0].Values[len(p.Toggles[0].Values)-1]
	p = o.planOf(action.RollBack, o.onObjects(ref), action.Options{rollout.OptionRevision: oldest})
	t.Log(sheetOf(p))
	if run, _ := o.start(p).finishes(soon); run.State != action.Done {
		t.Errorf("roll back ended as %v: %q", run.State, run.Note)
	}
	now, err := s.client.AppsV1().Deployments(s.name).Get(t.Context(), "web", metav1.GetOptions{})
	s.ok(err)
	if !equality.Semantic.DeepEqual(now.Spec.Template, first) {
		t.Error("it does not have the template that it was made with")
	}
}

// A StatefulSet does not replace a pod that is ill, not even by a template that would mend it: its sheet says so, and that
// the pod has to be deleted.
func TestRolloutOfAStatefulSetWaitsForThePodThatItsSheetNames(t *testing.T) {
	t.Parallel()
	s := newStage(t, "roll")
	s.node("a")
	set := s.statefulSet("cart", 2)
	s.until("2 pods", soon, func() bool { return s.running("cart", "") == 2 })
	s.patch(kube.StatefulSets, "cart", `{"spec":{"template":{"metadata":{"annotations":{"devcluster.ktriage/status":`+
		`"{\"containers\":{\"app\":{\"ready\":false,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}}}"}}}}}`)
	s.until("a new cart-1 that is ill", soon, func() bool { return s.waiting() == 1 })
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.RollBack, o.onObjects(s.object(kube.StatefulSets, set)), nil)
	t.Log(sheetOf(p))
	if !strings.Contains(sheetOf(p), s.name+"/cart waits for cart-1: no other pod is replaced before it is Ready") {
		t.Error("the sheet does not say that it waits for cart-1")
	}
	d := o.start(p)
	d.await("a step that names cart-1", soon, func() bool {
		step := d.step(s.name + "/cart")
		return step.State == action.StepStuck && strings.Contains(fmt.Sprint(step.Why),
			"cart-1: CrashLoopBackOff A StatefulSet replaces no other pod")
	})
	t.Log(d.account())
	s.ok(s.client.CoreV1().Pods(s.name).Delete(t.Context(), "cart-1", metav1.DeleteOptions{}))
	run, took := d.finishes(soon)
	t.Logf("%s: %s after %v", run.State, run.Note, took.Round(100*time.Millisecond))
	if run.State != action.Done || s.running("cart", "") != 2 {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
}

func TestRolloutPauseHoldsADeploymentAndResumeLetsItGoOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "roll")
	s.node("a")
	d := s.deployment("web", 2)
	s.until("2 pods", soon, func() bool { return s.running("web", "") == 2 })
	before := slices.Sorted(maps.Keys(s.pods()))
	o := stages.operate(t, stages.kubeconfig())
	ref := s.object(kube.Deployments, d)
	p := o.planOf(action.Pause, o.onObjects(ref), nil)
	t.Log(sheetOf(p))
	if p.Tier != action.Ask || len(p.Refusals) > 0 {
		t.Errorf("tier %d, refused with %q", p.Tier, p.Refusals)
	}
	run, _ := o.start(p).finishes(soon)
	if run.State != action.Done || run.Undo == nil || run.Undo.Action != action.Resume {
		t.Fatalf("pause ended as %v: %q", run.State, run.Note)
	}
	if p := o.planOf(action.Pause, o.onObjects(ref), nil); len(p.Refusals) != 1 || p.Refusals[0] != "there is nothing to do" {
		t.Errorf("a second pause is refused with %q", p.Refusals)
	}
	s.patch(kube.Deployments, "web", `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example/web:2"}]}}}}`)
	s.until("the controller has seen the change", soon, func() bool {
		now, err := s.client.AppsV1().Deployments(s.name).Get(t.Context(), "web", metav1.GetOptions{})
		s.ok(err)
		return now.Status.ObservedGeneration == now.Generation
	})
	if now := slices.Sorted(maps.Keys(s.pods())); !slices.Equal(now, before) {
		t.Errorf("its pods have been replaced during the pause")
	}
	p = o.planOf(run.Undo.Action, run.Undo.Target, run.Undo.Options)
	t.Log(sheetOf(p))
	if run, _ := o.start(p).finishes(soon); run.State != action.Done {
		t.Errorf("resume ended as %v: %q", run.State, run.Note)
	}
	s.until("2 new pods", soon, func() bool {
		for _, p := range s.pods() {
			if p.Spec.Containers[0].Image != "registry.example/web:2" {
				return false
			}
		}
		return s.running("web", "") == 2
	})
	o.checkPatches(false, ref, ref)
}

// The newest run that a CronJob has missed starts at once when it goes on, as its sheet says.
func TestRolloutSuspendedCronJobStartsNothingAndCatchesUpWhenItGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "roll")
	s.node("a")
	s.until("some time to go until a minute begins", time.Minute+soon, func() bool { // and with it a run
		now := time.Now()
		return now.Sub(now.Truncate(time.Minute)) < 30*time.Second
	})
	pod := s.template("backup")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	c, err := s.client.BatchV1().CronJobs(s.name).Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "backup"},
		Spec: batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}},
		}},
	}, metav1.CreateOptions{})
	s.ok(err)
	o := stages.operate(t, stages.kubeconfig())
	ref := s.object(kube.CronJobs, c)
	p := o.planOf(action.Pause, o.onObjects(ref), nil)
	t.Log(sheetOf(p))
	run, _ := o.start(p).finishes(soon)
	if run.State != action.Done {
		t.Fatalf("suspend ended as %v: %q", run.State, run.Note)
	}
	jobs := func() int {
		list, err := s.client.BatchV1().Jobs(s.name).List(t.Context(), metav1.ListOptions{})
		s.ok(err)
		return len(list.Items)
	}
	had, suspended := jobs(), time.Now()
	s.until("a minute that begins", 90*time.Second, func() bool {
		return time.Now().After(suspended.Truncate(time.Minute).Add(65 * time.Second))
	})
	if n := jobs(); n != had {
		t.Errorf("%d Jobs were started while it was suspended", n-had)
	}
	p = o.planOf(run.Undo.Action, run.Undo.Target, run.Undo.Options)
	t.Log(sheetOf(p))
	if since := suspended.Format("15:04"); !strings.Contains(sheetOf(p), "since it was suspended ("+since) ||
		!strings.Contains(sheetOf(p), "the newest one starts at once") {
		t.Error("the sheet does not say what becomes of the missed run")
	}
	resumed := time.Now()
	if run, _ := o.start(p).finishes(soon); run.State != action.Done {
		t.Errorf("resume ended as %v: %q", run.State, run.Note)
	}
	s.until("the missed run", 30*time.Second, func() bool { return jobs() == had+1 })
	t.Logf("the missed run started %v after it went on", time.Since(resumed).Round(100*time.Millisecond))
	if resumed.Second() < 30 && time.Since(resumed) > 20*time.Second {
		t.Error("it came with the next minute only")
	}
	o.checkPatches(false, ref, ref)
}
