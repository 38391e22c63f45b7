package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/audit"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

// class is what a plan must say of pods, and what becomes of them.
type class struct {
	pods   int
	fate   drain.Fate
	block  drain.Block
	option string           // without which it is not evicted; with all options its fate is Evict
	why    string           // a part of what the plan says
	ends   action.StepState // of the step as long as the drain runs; Terminating is as good as Stuck, which takes half a minute
	left   action.StepState // after it was cancelled
}

// mixed are the pods of the node mixed, by how their names begin.
var mixed = map[string]class{
	"mixed/web-":            {pods: 3, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/patient-":        {pods: 1, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/starting-":       {pods: 1, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/pinned-0":        {pods: 1, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/done-":           {pods: 1, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/failed":          {pods: 1, fate: drain.Evict, ends: action.StepGone, left: action.StepGone},
	"mixed/cache-":          {pods: 1, fate: drain.Needs, option: drain.OptionEmptyDir, why: "scratch", ends: action.StepGone, left: action.StepGone},
	"mixed/bare":            {pods: 1, fate: drain.Needs, option: drain.OptionUnowned, why: "no owner", ends: action.StepGone, left: action.StepGone},
	"mixed/orphaned-":       {pods: 1, fate: drain.Needs, option: drain.OptionUnowned, ends: action.StepGone, left: action.StepGone},
	"mixed/transient-well-": {pods: 1, fate: drain.Waits, block: drain.Transient, why: "transient-ill-", ends: action.StepBlocked, left: action.StepLeft},
	"mixed/rebuild-":        {pods: 1, fate: drain.Waits, block: drain.Unsynced, why: "scale subresource", ends: action.StepBlocked, left: action.StepLeft},
	"mixed/single-":         {pods: 1, fate: drain.Never, block: drain.Structural, ends: action.StepBlocked, left: action.StepLeft},
	"mixed/deadlock-well-":  {pods: 1, fate: drain.Never, block: drain.Deadlock, ends: action.StepBlocked, left: action.StepLeft},
	"mixed/deadlock-ill-":   {pods: 2, fate: drain.Never, block: drain.Deadlock, ends: action.StepBlocked, left: action.StepLeft},
	"mixed/twice-":          {pods: 1, fate: drain.Never, why: "twice-a and twice-b", ends: action.StepFailed, left: action.StepFailed},
	"closing/archive-":      {pods: 1, fate: drain.Waits, why: "closing", ends: action.StepBlocked, left: action.StepLeft},
	"guarded/database-":     {pods: 1, fate: drain.Evict, ends: action.StepFailed, left: action.StepFailed}, // only a dry run can tell
	"mixed/held":            {pods: 1, fate: drain.Leaving, ends: action.StepTerminating, left: action.StepAccepted},
	"kube-system/proxy-":    {pods: 1, fate: drain.Stays, why: "static", ends: action.StepStays, left: action.StepStays},
	"kube-system/agent-":    {pods: 1, fate: drain.Stays, why: "DaemonSet", ends: action.StepStays, left: action.StepStays},
}

func classOf(t *testing.T, name string) (key string, c class) {
	t.Helper()
	for key, c := range mixed {
		if strings.HasPrefix(name, key) {
			return key, c
		}
	}
	t.Errorf("nobody knows what %s does on the node mixed", name)
	return "", class{}
}

func TestPlanTellsEveryKindOfPodApart(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	sheet := o.plan(nil, "mixed")
	if len(o.planned.Unknown) > 0 {
		t.Errorf("an administrator cannot read: %s", o.planned.Unknown)
	}
	seen := map[string]int{}
	for _, p := range o.planned.Nodes[0].Pods {
		name := p.Namespace + "/" + p.Name
		key, want := classOf(t, name)
		seen[key]++
		block := drain.NoBlock
		if len(p.Budgets) > 0 {
			block = p.Budgets[0].Block
		}
		if p.Fate != want.fate || block != want.block || p.Option != want.option || !strings.Contains(p.Why, want.why) {
			t.Errorf("%s: fate %s, block %q, option %q: %q; want %s, %q, %q, and %q", name, p.Fate, block, p.Option, p.Why,
				want.fate, want.block, want.option, want.why)
		}
		if key == "mixed/pinned-0" && (p.Fits != 0 || p.Nowhere == "") {
			t.Errorf("%s fits on %d other nodes, says the plan (%s)", name, p.Fits, p.Nowhere)
		}
		if key == "mixed/web-" && p.Fits != 3 {
			t.Errorf("%s fits on %d other nodes, says the plan (%s)", name, p.Fits, p.Nowhere)
		}
	}
	for key, want := range mixed {
		if seen[key] != want.pods {
			t.Errorf("%d pods begin with %s, want %d", seen[key], key, want.pods)
		}
	}
	if len(sheet.Refusals) == 0 {
		t.Error("a plan with pods that need an option can be confirmed")
	}

	asked := o.plan(action.Options{drain.OptionDryRun: action.On, drain.OptionEmptyDir: action.On, drain.OptionUnowned: action.On}, "mixed")
	if len(asked.Refusals) > 0 {
		t.Errorf("with all options it cannot be confirmed: %s", asked.Refusals)
	}
	if !strings.Contains(strings.Join(o.planned.DryRun, "\n"), "denied request: pods of this namespace") {
		t.Errorf("the dry run does not know that evictions are denied in guarded: %q", o.planned.DryRun)
	}
	for name, requests := range o.evictions() {
		for _, r := range requests {
			t.Logf("dry run: %s %d in %v", name, r.ResponseStatus.Code, r.Answered.Sub(r.Received).Round(time.Millisecond))
		}
	}
	for _, p := range o.planned.Nodes[0].Pods {
		if there := o.pods(p.Namespace)[p.UID]; there.DeletionTimestamp != nil && p.Fate != drain.Leaving {
			t.Errorf("making a plan has evicted %s", p.Name)
		}
	}
}

func TestDrainEvictsWhatItsPlanSaysAndNothingElse(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(action.Options{drain.OptionEmptyDir: action.On, drain.OptionUnowned: action.On}, "mixed"))
	d.await("every pod in its state", soon, func() bool {
		for _, p := range o.planned.Nodes[0].Pods {
			_, want := classOf(t, p.Namespace+"/"+p.Name)
			state := d.step(p.Namespace + "/" + p.Name).State
			if state != want.ends && (state != action.StepStuck || want.ends != action.StepTerminating) {
				return t.Failed()
			}
		}
		return true
	})
	if s := d.step("mixed"); s.State != action.StepDone {
		t.Errorf("the node: %s %s", s.State, s.Note)
	}
	t.Logf("everything in its state after %v", time.Since(d.began).Round(100*time.Millisecond))
	run := d.cancelled()
	if run.State != action.Cancelled {
		t.Errorf("the run is %s: %s", run.State, run.Note)
	}
	t.Logf("%s\n%s", run.Note, d.account())
	checkEvictions(t, d)
	checkAudit(t, d)
	node, err := o.kube.Client().CoreV1().Nodes().Get(t.Context(), "mixed", metav1.GetOptions{})
	if err != nil || !node.Spec.Unschedulable {
		t.Errorf("mixed is not cordoned after its drain was cancelled: %v", err)
	}
}

// checkEvictions compares the evictions in the API server's audit log with the plan.
func checkEvictions(t *testing.T, d *drained) {
	t.Helper()
	requests := d.evictions()
	done := accepted(requests)
	there := map[string]corev1.Pod{}
	for _, ns := range []string{"mixed", "closing", "guarded", "kube-system"} {
		maps.Copy(there, d.pods(ns))
	}
	for _, p := range d.planned.Nodes[0].Pods {
		name := p.Namespace + "/" + p.Name
		_, want := classOf(t, name)
		_, evicted := done[name]
		if should := want.ends == action.StepGone; evicted != should {
			t.Errorf("%s: evicted %t, the plan says %s", name, evicted, p.Fate)
		}
		if !p.Fate.Goes() && len(requests[name]) > 0 {
			t.Errorf("%s, which is not to go (%s), was asked to: %v", name, p.Fate, requests[name])
		}
		if _, is := there[p.UID]; is == evicted {
			t.Errorf("%s: evicted %t, and the server has it %t", name, evicted, is)
		}
		if s := d.step(name); s.State != want.left {
			t.Errorf("%s: its step ended %s, want %s (%s)", name, s.State, want.left, s.Note)
		}
	}
}

// checkAudit compares our own audit log with the steps.
func checkAudit(t *testing.T, d *drained) {
	t.Helper()
	entries, err := d.log.Read(10)
	if err != nil || len(entries) != 2 || entries[0].Event != audit.Intent || entries[1].Event != audit.Result {
		t.Fatalf("the audit log has %d lines: %v", len(entries), err)
	}
	end := entries[1]
	if end.State != d.run().State.String() || end.Action != string(action.Drain) || end.User != "kubernetes-admin" {
		t.Errorf("the audit log says: %s %s by %q", end.Action, end.State, end.User)
	}
	steps := d.runner.Steps(d.id)
	if len(end.Steps) != len(steps) {
		t.Fatalf("the audit log has %d steps, the run %d", len(end.Steps), len(steps))
	}
	for i, s := range steps {
		if e := end.Steps[i]; e.Name != s.Object.Name || e.UID != s.Object.UID || e.State != s.State.String() || !s.State.Ended() {
			t.Errorf("the audit log says %s %s, the run %s %s", e.Name, e.State, s.Object.Name, s.State)
		}
	}
}

func TestBlockedPodsAreHardlyAskedAndCancellingEndsIt(t *testing.T) {
	const window, most = 15 * time.Second, 4
	o := stages.operate(t, stages.kubeconfig())
	p := o.plan(nil, "blocked")
	for _, pod := range o.planned.Nodes[0].Pods {
		if pod.Namespace == "blocked" && (pod.Fate != drain.Never || pod.Budgets[0].Block != drain.Structural) {
			t.Errorf("%s: %s %s", pod.Name, pod.Fate, pod.Why)
		}
	}
	d := o.start(p)
	d.await("29 blocked pods", soon, func() bool { return d.count(action.StepBlocked) == 29 })
	t.Logf("29 pods known to be blocked after %v", time.Since(d.began).Round(10*time.Millisecond))
	d.await("15 s", window+time.Second, func() bool { return time.Since(d.began) >= window })
	run := d.cancelled()
	ended := run.Ended
	total, worst := 0, 0
	for name, requests := range o.evictions() {
		total, worst = total+len(requests), max(worst, len(requests))
		if len(requests) > most {
			t.Errorf("%s was asked %d times", name, len(requests))
		}
	}
	all := len(o.on.requests(t, o.agent))
	t.Logf("29 pods blocked for %v: %d evictions requested in all, at most %d for one pod (limit %d); %d requests of any kind",
		window, total, worst, most, all)
	if run.State != action.Cancelled || d.count(action.StepLeft) != 29 {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	if len(accepted(o.evictions())) > 0 {
		t.Error("a pod was evicted that its budget protects")
	}
	// The heartbeat goes on: once it has been heard, whatever else was sent before it would have been.
	await(t, "a heartbeat after the end", soon, func() bool {
		return slices.ContainsFunc(o.on.requests(t, o.agent), func(r request) bool { return r.ObjectRef.Resource == "" && r.Received.After(ended.Add(2*time.Second)) })
	})
	for _, r := range o.on.requests(t, o.agent) {
		if r.Received.After(ended) && (r.ObjectRef.Subresource == "eviction" || r.Verb == "patch") {
			t.Errorf("%v after the end: %s %s/%s", r.Received.Sub(ended), r.Verb, r.ObjectRef.Namespace, r.ObjectRef.Name)
		}
	}
}

// What the server has answered is known, even if the answer was still on its way when the drain was cancelled.
func TestCancellingWhileEvictionsAreUnderWayForgetsNoAnswer(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "blocked"))
	d.await("an eviction under way", soon, func() bool { return d.count(action.StepAsking) > 0 })
	asked := time.Now()
	run := d.cancelled()
	t.Logf("%s: %s", run.State, run.Note)
	requests := o.evictions()
	for _, s := range d.runner.Steps(d.id) {
		for _, r := range requests[s.Object.FullName()] {
			// An answer that was given by then has the 60 ms that a run waits to arrive.
			if s.State == action.StepUnknown && r.Answered.Before(asked) {
				t.Errorf("%s is unknown (%s), and the server answered %d %v before the drain was cancelled", s.Object.FullName(), s.Note,
					r.ResponseStatus.Code, asked.Sub(r.Answered))
			}
		}
	}
}

func TestProgramThatEndsInMidDrainWritesDownHowFarItCame(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "blocked"))
	d.await("29 blocked pods", soon, func() bool { return d.count(action.StepBlocked) == 29 })
	if !o.runner.Close(time.Second) {
		t.Error("the run has not ended after a second")
	}
	if run := d.run(); run.State != action.Interrupted {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	checkAudit(t, d)
}

// A budget that protects pods must not be undermined by a drain of ours: the API server is the witness.
func TestStatefulSetGoesOnePodAfterTheOther(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "gentle"))
	first := map[string]string{}
	for _, p := range o.planned.Nodes[0].Pods {
		if p.Namespace == "gentle" {
			first[p.Name] = p.UID
		}
	}
	watch, err := o.kube.Client().CoreV1().Pods("gentle").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	ready := map[string]bool{"quorum-0": true, "quorum-1": true, "quorum-2": true}
	var order []string
	limit := time.After(2 * time.Minute)
	for d.run().State == action.Running {
		select {
		case <-limit:
			t.Fatalf("no end after two minutes:\n%s", d.account())
		case <-time.After(20 * time.Millisecond):
		case e := <-watch.ResultChan():
			p, ok := e.Object.(*corev1.Pod)
			if !ok {
				t.Fatalf("the watch ended: %v", e.Object)
			}
			going := p.DeletionTimestamp != nil
			if going && !slices.Contains(order, p.Name) {
				order = append(order, p.Name)
				for other, is := range ready {
					if other != p.Name && !is {
						t.Errorf("%s was evicted while %s was not ready", p.Name, other)
					}
				}
			}
			ready[p.Name] = !going && p.Status.Phase == corev1.PodRunning && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		}
	}
	run, took := d.finishes(time.Second)
	t.Logf("%v after %v: %s; order %s", run.State, took.Round(100*time.Millisecond), run.Note, order)
	if run.State != action.Done || !slices.Equal(order, []string{"quorum-0", "quorum-1", "quorum-2"}) {
		t.Errorf("order %s\n%s", order, d.account())
	}
	for name, uid := range first {
		if n := len(o.evictions()["gentle/"+name]); n != 1 {
			t.Errorf("%s was asked %d times, the one that came for it perhaps", name, n)
		}
		if _, is := o.pods("gentle")[uid]; is {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestSeveralNodesAreCordonedFirstAndDrainedOneByOne(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "pair-1", "pair-2"))
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%v after %v: %s", run.State, took.Round(100*time.Millisecond), run.Note)
	if run.State != action.Done {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	var cordons []time.Time
	for _, r := range o.on.requests(t, o.agent) {
		if r.Verb == "patch" && r.ObjectRef.Resource == "nodes" {
			cordons = append(cordons, r.Answered)
		}
	}
	done := accepted(o.evictions())
	var ends [2]time.Time   // the last eviction of each node
	var starts [2]time.Time // the first
	for i, n := range o.planned.Nodes {
		for _, p := range n.Pods {
			at, is := done[p.Namespace+"/"+p.Name]
			if is != p.Fate.Goes() {
				t.Errorf("%s: evicted %t, the plan says %s", p.Name, is, p.Fate)
			}
			if !is {
				continue
			}
			if at.After(ends[i]) {
				ends[i] = at
			}
			if starts[i].IsZero() || at.Before(starts[i]) {
				starts[i] = at
			}
		}
	}
	if len(cordons) != 2 || cordons[0].After(starts[0]) || cordons[1].After(starts[0]) {
		t.Errorf("nodes were cordoned at %v, the first pod was evicted at %v", cordons, starts[0])
	}
	if starts[1].Before(ends[0]) {
		t.Errorf("pair-2 was begun at %v, before pair-1 was empty, at %v", starts[1], ends[0])
	}
	for _, p := range o.pods("pair") {
		if strings.HasPrefix(p.Spec.NodeName, "pair") {
			t.Errorf("%s has landed on %s", p.Name, p.Spec.NodeName)
		}
	}
}

func TestDrainOfANodeThatIsDeletedMeanwhileEnds(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "removed"))
	d.await("two pods gone", soon, func() bool { return d.count(action.StepGone) >= 2 })
	stages.kubectl(t, "delete", "node", "removed")
	deleted := time.Now()
	d.await("a word on the node", soon, func() bool { return strings.Contains(d.step("removed").Note, "the node does not exist any more") })
	said := time.Now()
	t.Logf("said %v after it was deleted", said.Sub(deleted).Round(100*time.Millisecond))
	run, took := d.finishes(2 * time.Minute) // pods on their way are waited for: the garbage collector of pods removes them
	t.Logf("%v after %v: %s", run.State, took.Round(100*time.Millisecond), run.Note)
	if done := d.count(action.StepGone) == len(o.planned.Nodes[0].Pods)-d.count(action.StepStays); done != (run.State == action.Done) ||
		!strings.Contains(run.Note, "removed: the node does not exist any more") {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	for name, requests := range o.evictions() {
		if last := requests[len(requests)-1]; last.Received.After(said) {
			t.Errorf("%s was asked %v after the node was known to be gone", name, last.Received.Sub(said))
		}
	}
	d.goneIsGone("removed")
}

// Whoever uncordons a node wants pods on it: those that come are not the drain's.
func TestDrainOfANodeThatIsUncordonedMeanwhileEvictsNothingMoreThanPlanned(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "reopened"))
	d.await("two pods gone", soon, func() bool { return d.count(action.StepGone) >= 2 })
	stages.kubectl(t, "uncordon", "reopened")
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%v after %v: %s", run.State, took.Round(100*time.Millisecond), run.Note)
	for name := range o.evictions() {
		if !slices.ContainsFunc(o.planned.Nodes[0].Pods, func(p drain.Pod) bool { return p.Namespace+"/"+p.Name == name }) {
			t.Errorf("%s was asked to go, which came when the node was open again", name)
		}
	}
	if run.State == action.Done || !strings.Contains(run.Note+d.account(), "uncordoned") {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
}

func TestSilentNodeEndsWithAWordOnWhatNobodyConfirms(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "silent"))
	if n := o.planned.Nodes[0]; n.Ready || !n.Silent || o.planned.Settings.Hanging {
		t.Errorf("the plan has silent ready %t, silent %t, and waits for what nobody confirms %t", n.Ready, n.Silent, o.planned.Settings.Hanging)
	}
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%v after %v: %s\n%s", run.State, took.Round(100*time.Millisecond), run.Note, d.account())
	if run.State != action.Partial || d.count(action.StepAccepted) != 3 || d.count(action.StepGone) != 0 {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	if !strings.Contains(run.Note+d.account(), "silent") || !strings.Contains(run.Note+d.account(), "confirm") {
		t.Errorf("nothing is said of the node: %s\n%s", run.Note, d.account())
	}
	for _, p := range o.pods("silent") {
		if p.Spec.NodeName == "silent" && p.DeletionTimestamp == nil {
			t.Errorf("%s has not been asked to go", p.Name)
		}
	}
}

func TestPodsThatCameAfterThePlanGoTooUnlessSomethingIsLost(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	p := o.plan(nil, "late")
	replaced := o.replace("solo-0")
	d := o.start(p)
	d.await("the first pod on its way", soon, func() bool { return d.count(action.StepTerminating, action.StepGone) > 0 })
	o.bind("newcomer", true)
	o.bind("stray", false)
	run, took := d.finishes(soon)
	t.Logf("%v after %v: %s\n%s", run.State, took.Round(100*time.Millisecond), run.Note, d.account())
	if s := d.step("late/newcomer"); s.State != action.StepGone {
		t.Errorf("newcomer: %s %s", s.State, s.Note)
	}
	if s := d.step("late/stray"); s.State != action.StepLeft || !strings.Contains(s.Note, "after the plan") {
		t.Errorf("stray: %s %s", s.State, s.Note)
	}
	requests := o.evictions()
	if len(requests["late/stray"]) > 0 || run.State != action.Partial {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	// The server asks the budget before it looks at a UID: whoever asks for a pod that is not the one it means takes a
	// disruption from its budget.
	if r := requests["late/solo-0"]; len(r) != 1 || r[0].ResponseStatus.Code != 201 {
		t.Errorf("solo-0 was asked %v: once for the pod that has taken its name would be right", r)
	}
	if there := o.pods("late"); there[replaced].Name != "" {
		t.Error("the solo-0 that came after the plan is still there")
	}
}

// replace deletes a pod of a StatefulSet on the node late, and gives the UID of the one that comes for it.
func (o *operator) replace(name string) string {
	o.t.Helper()
	pods := o.kube.Client().CoreV1().Pods("late")
	before, err := pods.Get(o.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := pods.Delete(o.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		o.t.Fatal(err)
	}
	var after *corev1.Pod
	await(o.t, "another "+name, soon, func() bool {
		after, err = pods.Get(o.t.Context(), name, metav1.GetOptions{})
		return err == nil && after.UID != before.UID && after.Status.Phase == corev1.PodRunning && after.Spec.NodeName == "late"
	})
	return string(after.UID)
}

// bind puts a pod on the node late whether that is cordoned or not; owned says whether something would make it again.
func (o *operator) bind(name string, owned bool) {
	o.t.Helper()
	grace := int64(5)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "late"},
		Spec: corev1.PodSpec{
			NodeName: "late", TerminationGracePeriodSeconds: &grace, Containers: []corev1.Container{{Name: "app", Image: "registry.example/late:1"}},
		},
	}
	if owned {
		owner, err := o.kube.Client().CoreV1().ConfigMaps("late").Get(o.t.Context(), "kube-root-ca.crt", metav1.GetOptions{})
		if err != nil {
			o.t.Fatal(err)
		}
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
	}
	if _, err := o.kube.Client().CoreV1().Pods("late").Create(o.t.Context(), pod, metav1.CreateOptions{}); err != nil {
		o.t.Fatal(err)
	}
}
