package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/deadnode"
)

var off = action.Options{deadnode.OptionOff: action.On}

// deadStage has a node with pods of every kind on it that has fallen silent, and one that takes what it releases.
func deadStage(t *testing.T) (s *stage, dead, spare string) {
	t.Helper()
	s = newStage(t, "dead")
	dead = s.node("a")
	s.statefulSet("cart", 1, s.withVolume)
	s.deployment("web", 2)
	s.deployment("cache", 1, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "scratch",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	s.daemonSet("agent")
	s.deployment("stoic", 1, func(d *appsv1.Deployment) { everything(&d.Spec.Template) })
	s.bare("alone")
	s.until("7 pods on "+dead, soon, func() bool { return s.running("", dead) == 7 })
	spare = s.node("b")
	return s, dead, spare
}

// checkGone wants exactly the pods that were named to be gone, and gives how many.
func checkGone(t *testing.T, s *stage, before map[string]corev1.Pod, node string, named []string) {
	t.Helper()
	var gone []string
	after := s.pods()
	for uid, p := range before {
		if _, is := after[uid]; !is && p.Spec.NodeName == node {
			gone = append(gone, p.Name)
		}
	}
	slices.Sort(gone)
	if !slices.Equal(gone, named) {
		t.Errorf("gone:  %s\nnamed: %s", gone, named)
	}
}

func TestDeadNodeTaintReleasesExactlyThePodsThatItsSheetNames(t *testing.T) {
	t.Parallel()
	s, dead, spare := deadStage(t)
	s.silence(dead)
	o := stages.operate(t, stages.kubeconfig())
	if p := o.planOf(action.OutOfService, o.target(dead), nil); len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "cannot know") {
		t.Errorf("without the box it is refused with %q", p.Refusals)
	}
	p := o.planOf(action.OutOfService, o.target(dead), off)
	t.Log(sheetOf(p))
	if len(p.Refusals) > 0 || p.Tier != action.Write || p.Word != dead {
		t.Fatalf("tier %d, word %q, refused with %q", p.Tier, p.Word, p.Refusals)
	}
	if n := len(o.changes()); n > 0 {
		t.Fatalf("%d requests before anything was confirmed", n)
	}
	named, before, was := namedIn(p, s.name), s.pods(), s.get(dead)
	if len(named) != 6 || slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, "stoic") }) {
		t.Errorf("it names %s, want all but stoic", named)
	}
	d := o.start(p)
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%s: %s after %v\n%s", run.State, run.Note, took.Round(time.Second), d.account())
	if run.State != action.Done || run.Undo == nil || run.Undo.Action != action.InService {
		t.Errorf("ended as %v: %q, undo %+v", run.State, run.Note, run.Undo)
	}
	checkGone(t, s, before, dead, named)
	s.until("replacements on "+spare, soon, func() bool {
		return s.running("cart-0", spare) == 1 && s.running("web-", spare) == 2 && s.running("cache-", spare) == 1
	})
	d.await("a page with the replacements", soon, func() bool {
		page := fmt.Sprint(d.run().Page)
		return strings.Contains(page, "cart-0 on "+spare+", Ready") && strings.Count(page, " on "+spare+", Ready") == 4
	})
	t.Log(d.run().Page)
	if got := d.run().Standing; got.Severity != kube.Warning || !strings.Contains(got.Text, dead+" still has the out-of-service taint") {
		t.Errorf("standing: %+v", got)
	}
	o.takeBack(s, dead, was)
}

// takeBack takes the taint from a node, and checks the requests of both.
func (o *operator) takeBack(s *stage, dead string, was *corev1.Node) {
	o.t.Helper()
	p := o.planOf(action.InService, o.target(dead), nil)
	o.t.Log(sheetOf(p))
	if p.Tier != action.Read {
		o.t.Errorf("tier %d for a node that is not Ready, want %d", p.Tier, action.Read)
	}
	back := o.start(p)
	if run, _ := back.finishes(soon); run.State != action.Done {
		o.t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	keys := func(n *corev1.Node) (out []string) {
		for _, taint := range n.Spec.Taints {
			out = append(out, taint.ToString())
		}
		slices.Sort(out)
		return out
	}
	if got, want := keys(s.get(dead)), keys(was); !slices.Equal(got, want) {
		o.t.Errorf("its taints are %s, want %s as before", got, want)
	}
	o.await("the end of the warning", soon, func() bool { return len(o.runner.Standing()) == 0 })
	changes := o.changes()
	if len(changes) != 2 {
		o.t.Errorf("%d requests that change something, want 2", len(changes))
	}
	for _, r := range changes {
		uid, version := r.meta(o.t)
		if r.Verb != "patch" || r.ObjectRef.Resource != "nodes" || r.ObjectRef.Name != dead || uid != string(was.UID) || version == "" {
			o.t.Errorf("%s %s with uid %q and version %q", r.Verb, r.RequestURI, uid, version)
		}
	}
}

func (o *operator) await(what string, limit time.Duration, holds func() bool) {
	o.t.Helper()
	await(o.t, what, limit, holds)
}

func TestDeadNodeIsDeletedAndItsPodsAreCollected(t *testing.T) {
	t.Parallel()
	s, dead, spare := deadStage(t)
	s.bare("held", "example.com/hold")
	s.until("held on a node", soon, func() bool { return s.running("held", "") == 1 })
	onDead := s.running("held", dead) == 1
	s.silence(dead)
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.DeleteNode, o.target(dead), off)
	t.Log(sheetOf(p))
	if len(p.Refusals) > 0 || p.Tier != action.Write || len(p.Instead) != 1 || p.Instead[0].Action != action.OutOfService {
		t.Fatalf("tier %d, refused with %q, instead %+v", p.Tier, p.Refusals, p.Instead)
	}
	if n := len(o.changes()); n > 0 {
		t.Fatalf("%d requests before anything was confirmed", n)
	}
	named, before, target := namedIn(p, s.name), s.pods(), p.Target
	d := o.start(p)
	run, took := d.finishes(4 * time.Minute)
	t.Logf("%s: %s after %v\n%s", run.State, run.Note, took.Round(time.Second), d.account())
	if onDead {
		if run.State != action.Partial || !strings.Contains(run.Note, "example.com/hold") ||
			d.step(s.name+"/held").State != action.StepAccepted {
			t.Errorf("ended as %v: %q", run.State, run.Note)
		}
		named = slices.DeleteFunc(named, func(n string) bool { return n == "held" })
	} else if run.State != action.Done {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	checkGone(t, s, before, dead, named)
	s.until("replacements on "+spare, soon, func() bool {
		return s.running("cart-0", spare) == 1 &&
			s.running("web-", spare) == 2
	})
	changes := o.changes()
	if len(changes) != 1 || changes[0].Verb != "delete" || changes[0].ObjectRef.Name != dead {
		t.Fatalf("requests: %+v", changes)
	}
	if uid, version := changes[0].meta(t); uid != target.Refs[0].UID || version != "" {
		t.Errorf("the precondition is uid %q, version %q; want uid %s alone", uid, version, target.Refs[0].UID)
	}
	if got := d.run().Standing; got != (action.Standing{}) {
		t.Errorf("standing before the node is back: %+v", got)
	}
	s.node("a")
	d.await("a warning that the node is back", soon, func() bool { return d.run().Standing.Severity == kube.Warning })
	if got := d.run().Standing.Text; !strings.Contains(got, dead+" has registered again") || !strings.Contains(got, s.name+"/cart-0") {
		t.Errorf("standing: %s", got)
	}
}

func TestDeadNodeActionsRefuseANodeThatLives(t *testing.T) {
	t.Parallel()
	s := newStage(t, "dead")
	node := s.node("a")
	s.deployment("web", 1)
	s.until("a pod on "+node, soon, func() bool { return s.running("web-", node) == 1 })
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.OutOfService, o.target(node), off)
	if len(p.Refusals) == 0 || !strings.Contains(p.Refusals[0], "is Ready") {
		t.Errorf("out of service is refused with %q", p.Refusals)
	}
	p = o.planOf(action.DeleteNode, o.target(node), off)
	t.Log(sheetOf(p))
	if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], node+" is Ready") {
		t.Errorf("the deletion is refused with %q", p.Refusals)
	}
	if _, err := o.runner.Start(p); err == nil {
		t.Error("a plan with refusals is begun")
	}
	p = o.planOf(action.DeleteNode, o.target(node), action.Options{deadnode.OptionAlive: action.On})
	if len(p.Refusals) > 0 {
		t.Fatalf("with the override it is refused with %q", p.Refusals)
	}
	named, before := namedIn(p, s.name), s.pods()
	d := o.start(p)
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%s: %s after %v", run.State, run.Note, took.Round(time.Second))
	if run.State != action.Done {
		t.Errorf("ended as %v: %q\n%s", run.State, run.Note, d.account())
	}
	checkGone(t, s, before, node, named)
}

// What changes between the sheet and its confirmation is not overwritten, and not acted on.
func TestDeadNodeActionsStopWhenTheNodeIsNotAsItWasShown(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		id     action.ID
		change func(s *stage, node string)
		state  action.State
		says   string
		sent   int
	}{
		{"other taints", action.OutOfService, (*stage).repair, action.Failed, "+example.com/repair:NoSchedule", 0},
		{"another version", action.OutOfService, func(s *stage, node string) {
			s.patchNode(node, `{"metadata":{"annotations":{"example.com/note":"rack 7"}}}`)
		}, action.Done, "out of service", 1},
		{"replaced, taint", action.OutOfService, (*stage).replace, action.Failed, "another node has the name now", 0},
		{"replaced, delete", action.DeleteNode, (*stage).replace, action.Failed, "another node has the name now", 0},
		{"back, taint", action.OutOfService, (*stage).revive, action.Failed, "signs of life", 0},
		{"back, delete", action.DeleteNode, (*stage).revive, action.Failed, "signs of life", 0},
	}
	s := newStage(t, "dead")
	var nodes []string
	for i := range cases {
		nodes = append(nodes, s.node(fmt.Sprint(i)))
	}
	for _, n := range nodes {
		s.patchNode(n, `{"metadata":{"labels":{"devcluster.ktriage/kubelet":"silent"}}}`)
	}
	for _, n := range nodes {
		s.silence(n)
	}
	o := stages.operate(t, stages.kubeconfig())
	for i, c := range cases {
		p, sent := o.planOf(c.id, o.target(nodes[i]), off), len(o.changes())
		if len(p.Refusals) > 0 {
			t.Fatalf("%s: refused: %q", c.name, p.Refusals)
		}
		c.change(s, nodes[i])
		run, _ := o.start(p).finishes(soon)
		t.Logf("%s: %v: %s", c.name, run.State, run.Note)
		if run.State != c.state || !strings.Contains(run.Note, c.says) || len(o.changes())-sent != c.sent {
			t.Errorf("%s: ended as %v: %q after %d requests; want %v, %q and %d", c.name, run.State, run.Note,
				len(o.changes())-sent, c.state, c.says, c.sent)
		}
	}
}

// repair gives a node a taint of its owner's.
func (s *stage) repair(node string) {
	s.t.Helper()
	n := s.get(node)
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "example.com/repair", Effect: corev1.TaintEffectNoSchedule})
	_, err := s.client.CoreV1().Nodes().Update(s.t.Context(), n, metav1.UpdateOptions{})
	s.ok(err)
}

func (s *stage) remove(node string) {
	s.t.Helper()
	s.ok(s.client.CoreV1().Nodes().Delete(s.t.Context(), node, metav1.DeleteOptions{}))
	s.until(node+" gone", soon, func() bool {
		_, err := s.client.CoreV1().Nodes().Get(s.t.Context(), node, metav1.GetOptions{})
		return err != nil
	})
}

// replace has another node take the name.
func (s *stage) replace(node string) {
	s.t.Helper()
	s.remove(node)
	s.node(strings.TrimPrefix(node, s.name+"-"))
}

// revive has the kubelet speak again.
func (s *stage) revive(node string) {
	s.t.Helper()
	s.patchNode(node, `{"metadata":{"labels":{"devcluster.ktriage/kubelet":"alive"}},"status":{"phase":""}}`)
	_, err := s.client.CoreV1().Nodes().Patch(s.t.Context(), node, "application/merge-patch+json",
		[]byte(`{"status":{"phase":"Pending"}}`), metav1.PatchOptions{}, "status")
	s.ok(err)
	s.until(node+" Ready again", soon, func() bool { return s.ready(node) == corev1.ConditionTrue })
}
