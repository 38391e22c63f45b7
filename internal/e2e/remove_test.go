package e2e

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/remove"
	"ktriage/kube/send"
)

func TestForceDeleteOfAHealthyPodIsRefusedUntilItIsOverridden(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("well", g.node(onHand))
	p := g.force(nil, pod)
	g.refused(p, "not Terminating: delete it normally first")
	g.offers(p, action.DeletePod)
	p = g.force(action.Options{remove.OptionAnyway: action.On}, pod)
	g.refused(p, "tick the last box")
	g.shows(p, "if containers of well still run, they do no harm", "gone for good")
	t.Log(sheetAsText(p))
	p = g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, pod)
	g.allowed(p, action.Write)
	g.pinned(true, 0)
	run, took := g.start(p).finishes(soon)
	t.Logf("%v: %s in %v", run.State, run.Note, took)
	if run.State != action.Done || g.get(pod) != nil {
		t.Errorf("%v: %s", run.State, run.Note)
	}
	g.pinned(true, 1, pod.UID)
	if run.Standing.Severity != kube.Notice || run.Standing.Text == "" {
		t.Errorf("standing %+v", run.Standing)
	}
}

func TestForceDeleteWithinTheGracePeriodWaits(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("slow", g.node(onHand), graceOf(3600))
	g.ask(pod)
	p := g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, pod)
	g.refused(p, "wait: its containers have ")
	g.offers(p)
	if _, err := g.runner.Start(p); err == nil {
		t.Error("a refused plan was carried out")
	}
	g.pinned(true, 0)
}

func TestForceDeletePastGraceOnAReadyNodeWarnsThatTheKubeletIsAlive(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("stuck", g.node(onHand), graceOf(1))
	g.ask(pod)
	g.late(pod)
	p := g.force(nil, pod)
	g.refused(p, "the kubelet is alive")
	g.shows(p, "is Ready, and app still runs", "the kubelet is alive", "look at the kubelet's log")
	p = g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, pod)
	g.allowed(p, action.Write)
	t.Log(sheetAsText(p))
	run, _ := g.start(p).finishes(soon)
	if run.State != action.Done || g.get(pod) != nil {
		t.Errorf("%v: %s", run.State, run.Note)
	}
	g.pinned(true, 1, pod.UID)
}

func TestStaticPodIsNeitherDeletedNorForced(t *testing.T) {
	t.Parallel()
	g := stake(t)
	o := stages.operate(t, stages.kubeconfig())
	var mirror *corev1.Pod
	for _, p := range o.pods("kube-system") {
		if _, is := p.Annotations[corev1.MirrorPodAnnotationKey]; is {
			mirror = &p
		}
	}
	if mirror == nil {
		t.Fatal("the scenario has no static pod")
	}
	ref := podRef(mirror)
	g.refused(g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, ref), "a static pod")
	p := g.planOf(action.DeletePod, g.to(ref), nil)
	g.refused(p, "a static pod")
	if p.Work != nil {
		t.Error("there is work to be done")
	}
}

func TestForceDeleteOnlyFinalizersIsNothingToForce(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("held", g.node(onAlive), finalizer("example.com/hold", "example.com/more"))
	await(t, "held runs", soon, func() bool { return g.get(pod).Status.Phase == corev1.PodRunning })
	g.ask(pod)
	await(t, "only its finalizers keep it", soon, func() bool { return *g.get(pod).DeletionGracePeriodSeconds == 0 })
	p := g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, pod)
	g.refused(p, "there is nothing to force")
	g.offers(p, action.RemoveFinalizers)

	strip := g.planOf(action.RemoveFinalizers, g.to(pod), action.Options{remove.OptionRemove + "example.com/more": action.Off})
	g.allowed(strip, action.Write)
	g.shows(strip, "a controller of example.com", "skipped", "stays")
	run, _ := g.start(strip).finishes(soon)
	if left := g.get(pod).Finalizers; run.State != action.Done || len(left) != 1 || left[0] != "example.com/more" {
		t.Errorf("%v: %s; left %q", run.State, run.Note, left)
	}
	strip = g.planOf(action.RemoveFinalizers, g.to(pod), nil)
	t.Log(sheetAsText(strip))
	run, _ = g.start(strip).finishes(soon)
	if run.State != action.Done || g.get(pod) != nil {
		t.Errorf("%v: %s", run.State, run.Note)
	}
}

func TestReplacedPodIsLeftAloneByAllThree(t *testing.T) {
	t.Parallel()
	g := stake(t)
	node := g.node(onHand)
	both := action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}
	for _, id := range []action.ID{action.DeletePod, action.ForceDelete} {
		pod := g.pod("twin", node)
		options := both
		if id == action.DeletePod {
			options = nil
		}
		p := g.planOf(id, g.to(pod), options)
		g.vanish(pod)
		other := g.pod("twin", node)
		if run, _ := g.start(p).finishes(soon); run.State != action.Failed || run.Note != "twin: this is a different pod now; nothing was done" {
			t.Errorf("%s: %v: %s", id, run.State, run.Note)
		}
		if now := g.get(other); now == nil || now.DeletionTimestamp != nil {
			t.Errorf("%s: the other pod is %+v", id, now)
		}
		if _, err := g.runner.Plan(g.ctx, id, g.to(pod), options); !errors.Is(err, send.ErrReplaced) {
			t.Errorf("%s: a plan for the pod that was: %v", id, err)
		}
		g.vanish(other)
	}
	held := g.pod("twin", node, finalizer("example.com/hold"), graceOf(0))
	g.ask(held)
	p := g.planOf(action.RemoveFinalizers, g.to(held), nil)
	g.allowed(p, action.Write)
	g.vanish(held)
	other := g.pod("twin", node, finalizer("example.com/hold"), graceOf(0))
	g.ask(other)
	if run, _ := g.start(p).finishes(soon); run.State != action.Failed || run.Note != "twin: this is a different pod now; nothing was done" {
		t.Errorf("%v: %s", run.State, run.Note)
	}
	if now := g.get(other); now == nil || len(now.Finalizers) != 1 {
		t.Errorf("the other pod is %+v", now)
	}
}

// The server lets nobody add a finalizer to an object that is being deleted (ValidateObjectMetaAccessorUpdate), so that what
// can change meanwhile is that somebody takes one away.
func TestFinalizersThatChangeMeanwhileAreNotTouched(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("held", g.node(onHand), finalizer("example.com/hold", "example.com/more"), graceOf(0))
	g.ask(pod)
	p := g.planOf(action.RemoveFinalizers, g.to(pod), nil)
	g.allowed(p, action.Write)
	g.finalize(pod, "example.com/hold")
	run, _ := g.start(p).finishes(soon)
	if run.State != action.Failed || run.Note != "held: changed meanwhile; nothing was done" || len(g.get(pod).Finalizers) != 1 {
		t.Errorf("%v: %s; finalizers %q", run.State, run.Note, g.get(pod).Finalizers)
	}
	patches := g.sent()
	if len(patches) != 1 || patches[0].ResponseStatus.Code != 422 || !strings.Contains(string(patches[0].RequestObject), pod.UID) {
		t.Errorf("sent %+v", patches)
	}
}

// set makes a StatefulSet whose pods run on a node of the ground.
func (g *ground) set(name, node string, replicas int32, change ...func(*corev1.PodSpec)) {
	g.t.Helper()
	spec := g.spec("", 30)
	spec.NodeSelector = map[string]string{"kubernetes.io/hostname": node}
	for _, c := range change {
		c(&spec)
	}
	labels := map[string]string{"app": name}
	_, err := g.client().AppsV1().StatefulSets(g.namespace).Create(g.ctx, &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, ServiceName: name, Selector: &metav1.LabelSelector{MatchLabels: labels}, PodManagementPolicy: appsv1.ParallelPodManagement,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}, metav1.CreateOptions{})
	g.must(err)
	await(g.t, "the pods of "+name, soon, func() bool { return len(g.podsOf(name)) == int(replicas) })
}

// podsOf gives the pods of an app that are bound to a node and not being deleted.
func (g *ground) podsOf(app string) []kube.Ref {
	list, err := g.client().CoreV1().Pods(g.namespace).List(g.ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	g.must(err)
	var out []kube.Ref
	for i := range list.Items {
		if p := &list.Items[i]; p.DeletionTimestamp == nil && p.Spec.NodeName != "" {
			out = append(out, podRef(p))
		}
	}
	return out
}

func TestForceDeleteFromASilentNodeAsksWhichIsTrue(t *testing.T) {
	t.Parallel()
	g := stake(t)
	dead, spare := g.node(onStill), g.node(onAlive)
	g.set("cart", dead, 2)
	web := g.pod("web", dead, graceOf(1))
	refs := g.podsOf("cart")
	cart := refs[0]
	for _, r := range []kube.Ref{refs[0], refs[1], web} {
		g.ask(r)
	}
	await(t, "the node is given up", soon, func() bool { return !g.ready(dead) })
	g.late(cart)
	await(t, "the screen knows that the node is silent", soon, func() bool { return g.kube.Moment().Nodes[dead].Silent })

	p := g.force(nil, cart)
	t.Log(sheetAsText(p))
	g.refused(p, "choose which is true of "+dead)
	g.offers(p, action.OutOfService, action.DeleteNode)
	g.shows(p, "NotReady(Unknown)", "StatefulSet cart", "ordinal", "taint out-of-service (releases 3 pods", "split brain, data loss",
		"cart-0 will never again contact the other members of cart", "The name is free at once; a new cart-0 starts")
	if i := p.Instead[1].Target.Refs; len(i) != 1 || i[0].Name != dead || i[0].UID == "" {
		t.Errorf("the node to be deleted is %+v", i)
	}
	which := func(value string, assert string) action.Options {
		return action.Options{remove.OptionWhich: value, remove.OptionAssert: assert}
	}
	g.refused(g.force(which("a", action.On), cart), "with a, taint")
	g.refused(g.force(which("b", action.On), cart), "with b, wait or repair")
	g.refused(g.force(which("c", action.Off), cart), "tick the last box")
	g.refused(g.force(which("c", action.On), refs...), "one pod of a StatefulSet at a time")
	several := g.force(which("c", action.On), cart, web)
	g.allowed(several, action.Write)
	if several.Word != "2 pods" {
		t.Errorf("word %q", several.Word)
	}
	milder := g.force(which("c", action.On), web)
	g.shows(milder, "its containers may go on running", "if containers of web still run, they do no harm")
	if strings.Contains(sheetAsText(milder), "split brain") {
		t.Error("a pod without a set is said to split one")
	}
	if _, err := g.runner.Plan(g.ctx, action.ForceDelete, g.to(cart), action.Options{"which": "d"}); err == nil {
		t.Error("an option that there is not is taken")
	}
	g.pinned(true, 0)

	// The new pod must find another node.
	g.patchSet("cart", spare)
	confirmed := g.force(which("c", action.On), cart)
	g.allowed(confirmed, action.Write)
	d := g.start(confirmed)
	run, took := d.finishes(soon)
	t.Logf("%v: %s in %v", run.State, run.Note, took)
	if run.State != action.Done || g.get(cart) != nil {
		t.Errorf("%v: %s\n%s", run.State, run.Note, d.account())
	}
	g.pinned(true, 1, cart.UID)
	d.await("the new cart-0 is followed", soon, func() bool {
		return strings.Contains(pageText(d.run()), "cart-0 uid") && strings.Contains(pageText(d.run()), "1/1 Running")
	})
	t.Log(pageText(d.run()))
	if s := d.run().Standing; s.Severity != kube.Notice || s.Text != "if "+dead+" returns, check that cart-0 is not running twice" {
		t.Errorf("standing %+v", s)
	}
	g.beat(dead)
	g.post(dead)
	d.await("the return of the node is noticed", soon, func() bool {
		s := d.run().Standing
		return s.Severity == kube.Warning && s.Text == dead+" is back: check that cart-0 does not run twice"
	})

	// And without its Node.
	g.must(g.client().CoreV1().Nodes().Delete(g.ctx, dead, metav1.DeleteOptions{}))
	p = g.force(nil, web)
	g.refused(p, "choose which is true")
	g.shows(p, "does not exist", "pod garbage collection removes it")
	g.refused(g.force(which("a", action.On), web), "nothing needs to be sent")
	g.allowed(g.force(which("c", action.On), web), action.Write)
	d.await("that the node is gone is noticed", soon, func() bool { return strings.HasPrefix(d.run().Standing.Text, "the Node "+dead+" is gone") })
}

// pageText is what a run has to show at its end.
func pageText(r *action.Run) string {
	return sheetAsText(&action.Plan{Sections: r.Page})
}

// Force delete and the removal of finalizers are two actions, each with a confirmation of its own.
func TestForcedPodIsKeptByItsFinalizersUntilTheseAreRemoved(t *testing.T) {
	t.Parallel()
	g := stake(t)
	pod := g.pod("held", g.node(onHand), graceOf(1), finalizer("example.com/hold"))
	g.ask(pod)
	g.late(pod)
	p := g.force(action.Options{remove.OptionAnyway: action.On, remove.OptionAssert: action.On}, pod)
	g.allowed(p, action.Write)
	g.shows(p, "a force delete does not remove the object", "held: example.com/hold (a controller of example.com) keeps it")
	d := g.start(p)
	run, took := d.finishes(soon)
	t.Logf("%v after %v: %s\n%s", run.State, took, run.Note, pageText(run))
	if run.State != action.Partial || !strings.Contains(pageText(run), "Removing them is an action of its own") || *g.get(pod).DeletionGracePeriodSeconds != 0 {
		t.Errorf("%v: %s\n%s", run.State, run.Note, d.account())
	}
	g.pinned(true, 1, pod.UID)
	strip := g.planOf(action.RemoveFinalizers, g.to(pod), nil)
	g.allowed(strip, action.Write)
	run, _ = g.start(strip).finishes(soon)
	if run.State != action.Done || g.get(pod) != nil {
		t.Errorf("%v: %s", run.State, run.Note)
	}
	if sent := g.sent(); len(sent) != 2 || sent[1].Verb != "patch" {
		t.Errorf("sent %+v", sent)
	}
}
