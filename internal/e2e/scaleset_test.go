package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/scale"
)

func TestScalingUpMakesTheOrdinalsThatThePlanNames(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("mysql", 3, h.claiming(0, 5))
	p, w := h.scaleTo(o, s, 5)
	t.Logf("\n%s", sheetText(p))
	if !slices.Equal(w.Comes, []string{"mysql-3", "mysql-4"}) || len(w.Goes) > 0 || w.Blocked != nil || p.Tier != action.Read || len(p.Refusals) > 0 {
		t.Errorf("comes %q, goes %q, blocked %+v, tier %d, refused %q", w.Comes, w.Goes, w.Blocked, p.Tier, p.Refusals)
	}
	says(t, p, "data-mysql-3", "data-mysql-4", "new, empty", "no HPA targets it", "all 3 Ready")
	noPut(t, o)
	d := o.start(p)
	run, took := d.finishes(soon)
	t.Logf("%s: %s in %v\n%s", run.State, run.Note, took.Round(time.Millisecond), d.account())
	if run.State != action.Done || run.Undo == nil || run.Undo.Options[scale.OptionReplicas+string(s.UID)] != "3" {
		t.Errorf("%s: %s, undo %+v", run.State, run.Note, run.Undo)
	}
	if pods := h.pods("mysql"); len(pods) != 5 {
		t.Errorf("%d pods", len(pods))
	}
	onePut(t, o, "mysql", string(s.UID), 5)

	// And back: the claims stay, and are named with the command that deletes them.
	back := o.planOf(run.Undo.Action, run.Undo.Target, run.Undo.Options)
	w = scale.PlanOf(back).Workloads[0]
	if !slices.Equal(w.Goes, []string{"mysql-4", "mysql-3"}) || back.Tier != action.Write || back.Word != "mysql" {
		t.Errorf("goes %q, tier %d, word %q", w.Goes, back.Tier, back.Word)
	}
	says(t, back, "stays", "none is deleted", "2 pods less at once", "budgets do not limit scaling")
	d = o.start(back)
	run, _ = d.finishes(soon)
	if run.State != action.Done {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	page := sheetText(&action.Plan{Sections: run.Page})
	if !strings.Contains(page, "delete pvc data-mysql-4 data-mysql-3") || len(h.claims()) != 5 || len(h.pods("mysql")) != 3 {
		t.Errorf("%d claims, %d pods; the page:\n%s", len(h.claims()), len(h.pods("mysql")), page)
	}
	t.Logf("%s\n%s", run.Note, page)
}

func TestScaleDownThatAMemberBlocksIsRefusedAndWithOverrideDoesNotProgressUntilItIsWell(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 5)
	h.falls("web-1")
	p, w := h.scaleTo(o, s, 3)
	t.Logf("\n%s", sheetText(p))
	if w.Blocked == nil || w.Blocked.By != "web-1" || w.Blocked.Among || len(p.Refusals) == 0 || !strings.Contains(p.Refusals[0], "web-1") {
		t.Fatalf("blocked %+v, refused %q", w.Blocked, p.Refusals)
	}
	if _, err := o.runner.Start(p); err == nil {
		t.Fatal("a refused plan was started")
	}
	noPut(t, o)
	p, w = h.scaleTo(o, s, 3, scale.OptionOverride)
	if p.Tier != action.Write || len(p.Refusals) > 0 || !slices.Contains(w.Tier, "the request will be accepted but will not progress") {
		t.Fatalf("tier %d (%q), refused %q", p.Tier, w.Tier, p.Refusals)
	}
	says(t, p, "will not progress", "blocked by web-1: CrashLoopBackOff")
	d := o.start(p)
	d.await("web-4 blocked by web-1", soon, func() bool {
		step := d.step(h.ns + "/web-4")
		return step.State == action.StepBlocked && strings.Contains(step.Note, "waiting for web-1 to be Running and Ready before removing web-4")
	})
	t.Logf("%s\n%s", d.run().Note, d.account())
	if pods := h.pods("web"); len(pods) != 5 {
		t.Errorf("%d pods, want all 5 though the number is 3", len(pods))
	}
	if got := *h.get("web").Spec.Replicas; got != 3 {
		t.Errorf("replicas %d", got)
	}
	h.recovers("web-1")
	run, took := d.finishes(soon)
	t.Logf("after web-1 is well: %s %s (%v)", run.State, run.Note, took.Round(time.Millisecond))
	if run.State != action.Done || len(h.pods("web")) != 3 {
		t.Errorf("%s: %s, %d pods\n%s", run.State, run.Note, len(h.pods("web")), d.account())
	}
	onePut(t, o, "web", string(s.UID), 3)
}

func TestTwoIllMembersThatAreToGoBlockEachOther(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 6)
	h.falls("web-3")
	h.falls("web-4")
	p, w := h.scaleTo(o, s, 2)
	if b := w.Blocked; b == nil || b.By != "web-3" || !b.Among || !slices.Equal(b.Goes, []string{"web-5"}) || len(p.Refusals) == 0 {
		t.Fatalf("blocked %+v, refused %q", w.Blocked, p.Refusals)
	}
	p, _ = h.scaleTo(o, s, 2, scale.OptionOverride)
	d := o.start(p)
	d.await("web-5 gone and the others blocked", soon, func() bool {
		return d.step(h.ns+"/web-5").State == action.StepGone && d.step(h.ns+"/web-4").State == action.StepBlocked
	})
	t.Logf("%s\n%s", d.run().Note, d.account())
	if pods := h.pods("web"); len(pods) != 5 {
		t.Errorf("%d pods, want 5", len(pods))
	}
	run := d.cancelled()
	if step := d.step(h.ns + "/web-4"); run.State != action.Cancelled || step.State != action.StepAccepted {
		t.Errorf("%s; web-4 %s", run.State, step.State)
	}
}

func TestScaleUpBehindAnIllMemberIsSaidAndNotRefused(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2)
	h.falls("web-0")
	p, w := h.scaleTo(o, s, 4)
	if w.Blocked == nil || w.Blocked.By != "web-0" || w.Blocked.Down || len(p.Refusals) > 0 || p.Tier != action.Read {
		t.Fatalf("blocked %+v, refused %q, tier %d", w.Blocked, p.Refusals, p.Tier)
	}
	d := o.start(p)
	d.await("web-2 blocked", soon, func() bool {
		step := d.step(h.ns + "/web-2")
		return step.State == action.StepBlocked && strings.Contains(step.Note, "waiting for web-0 to be Running and Ready before making web-2")
	})
	if pods := h.pods("web"); len(pods) != 2 {
		t.Errorf("%d pods", len(pods))
	}
	h.recovers("web-0")
	if run, _ := d.finishes(soon); run.State != action.Done {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
}

func TestClaimsGoWithTheirPodsWhereWhenScaledIsDelete(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("kafka", 4, h.claiming(0, 4), whenScaledDelete)
	p, w := h.scaleTo(o, s, 2)
	t.Logf("\n%s", sheetText(p))
	says(t, p, "cannot be undone", "claim and disk deleted", h.ns+"-data-kafka-3", "only partly", "set whenScaled to Retain before scaling: the claims then stay, 2 x 10Gi",
		"2 claims go; 2 disks, 20 GiB, are deleted", "2 claims go with them: 2 disks, 20 GiB, are deleted.")
	for _, c := range w.Claims {
		if c.Fate != scale.Deleted || c.Reclaim != "Delete" || c.Volume == "" {
			t.Errorf("%+v", c)
		}
	}
	if p.Tier != action.Write || len(w.Claims) != 2 {
		t.Errorf("tier %d, claims %+v", p.Tier, w.Claims)
	}
	d := o.start(p)
	run, took := d.finishes(soon)
	t.Logf("%s: %s in %v\n%s", run.State, run.Note, took.Round(time.Millisecond), d.account())
	claims := h.claims()
	if _, there := claims["data-kafka-3"]; run.State != action.Done || there || len(claims) != 2 || d.step(h.ns+"/data-kafka-3").State != action.StepGone {
		t.Errorf("%s: %s; %d claims are left", run.State, run.Note, len(claims))
	}
}

func TestRetainBeforeScalingKeepsTheClaims(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("kafka", 4, h.claiming(0, 4), whenScaledDelete)
	p, w := h.scaleTo(o, s, 2, scale.OptionRetain)
	for _, c := range w.Claims {
		if c.Fate != scale.Kept {
			t.Errorf("%+v", c)
		}
	}
	if len(p.Kubectl) != 2 || !strings.Contains(p.Kubectl[0], "whenScaled") {
		t.Errorf("kubectl %q", p.Kubectl)
	}
	d := o.start(p)
	run, took := d.finishes(soon)
	t.Logf("%s: %s in %v\n%s", run.State, run.Note, took.Round(time.Millisecond), d.account())
	if claims := h.claims(); run.State != action.Done || len(claims) != 4 || len(h.pods("kafka")) != 2 {
		t.Errorf("%s: %s; %d claims, %d pods", run.State, run.Note, len(claims), len(h.pods("kafka")))
	}
	for _, c := range h.claims() {
		if c.DeletionTimestamp != nil || len(c.OwnerReferences) > 0 {
			t.Errorf("%s is owned by %v, deleted at %v", c.Name, c.OwnerReferences, c.DeletionTimestamp)
		}
	}
	patches := 0
	for _, r := range o.on.requests(t, o.agent) {
		if r.Verb == "patch" {
			patches++
			if body := string(r.RequestObject); r.ObjectRef.Resource != "statefulsets" || !strings.Contains(body, string(s.UID)) || !strings.Contains(body, `"test"`) {
				t.Errorf("patch of %s: %s", r.ObjectRef.Resource, body)
			}
		}
	}
	if patches != 1 {
		t.Errorf("%d patches", patches)
	}
}

// The claims of pods that are Terminating already can be kept still.
func TestEmergencyRetainKeepsTheClaimsOfPodsThatAreGoing(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o, other := stages.operate(t, stages.kubeconfig()), stages.operate(t, stages.kubeconfig())
	s := h.settled("kafka", 4, h.claiming(0, 4), whenScaledDelete, slow("", "12s"))
	p, _ := h.scaleTo(o, s, 2)
	d := o.start(p)
	d.await("kafka-3 terminating", soon, func() bool { return d.step(h.ns+"/kafka-3").State == action.StepTerminating })
	owned := 0
	for _, c := range h.claims() {
		owned += len(c.OwnerReferences)
	}
	rescue := other.planOf(action.Retain, h.target(other, s), nil)
	t.Logf("%d claims are owned by pods\n%s", owned, sheetText(rescue))
	if owned != 2 || len(rescue.Refusals) > 0 || rescue.Tier != action.Ask {
		t.Fatalf("%d claims owned by pods; refused %q, tier %d", owned, rescue.Refusals, rescue.Tier)
	}
	e := other.start(rescue)
	run, took := e.finishes(soon)
	t.Logf("%s: %s in %v\n%s", run.State, run.Note, took.Round(time.Millisecond), e.account())
	if run.State != action.Done || e.step(h.ns+"/data-kafka-3").State != action.StepDone {
		t.Errorf("%s: %s\n%s", run.State, run.Note, e.account())
	}
	scaled, _ := d.finishes(soon)
	t.Logf("the scaling: %s: %s\n%s", scaled.State, scaled.Note, d.account())
	if claims := h.claims(); len(claims) != 4 || len(h.pods("kafka")) != 2 {
		t.Errorf("%d claims, %d pods", len(claims), len(h.pods("kafka")))
	}
	if scaled.State != action.Done || d.step(h.ns+"/data-kafka-3").State != action.StepStays {
		t.Errorf("%s: %s; the claim %s", scaled.State, scaled.Note, d.step(h.ns+"/data-kafka-3").State)
	}
	again := other.planOf(action.Retain, h.target(other, s), nil)
	if len(again.Refusals) == 0 {
		t.Error("what is Retain already can be set to Retain")
	}
}

func TestConflictInMidDialogStopsAndSaysWhatChanged(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 3)
	p, _ := h.scaleTo(o, s, 5)
	stages.kubectl(t, "-n", h.ns, "scale", "sts", "web", "--replicas=4")
	d := o.start(p)
	run, _ := d.finishes(soon)
	t.Logf("%s: %s", run.State, run.Note)
	if run.State != action.Failed || !strings.Contains(run.Note, "replicas changed from 3 to 4 by someone else; nothing was done") {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	noPut(t, o)
	p, w := h.scaleTo(o, s, 5)
	if w.From != 4 || len(p.Refusals) > 0 {
		t.Errorf("made anew it goes from %d; refused %q", w.From, p.Refusals)
	}
}

func TestSetThatIsDeletedOrReplacedInMidDialogIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2)
	p, _ := h.scaleTo(o, s, 3)
	stages.kubectl(t, "-n", h.ns, "delete", "sts", "web", "--wait=true")
	run, _ := o.start(p).finishes(soon)
	if run.State != action.Failed || !strings.Contains(run.Note, "does not exist any more; nothing was done") {
		t.Errorf("deleted: %s: %s", run.State, run.Note)
	}
	if _, err := o.runner.Plan(t.Context(), action.Scale, h.target(o, s), nil); err == nil || !strings.Contains(err.Error(), "does not exist any more; nothing was done") {
		t.Errorf("plan of a deleted set: %v", err)
	}
	h.settled("web", 2)
	run, _ = o.start(p).finishes(soon)
	if run.State != action.Failed || !strings.Contains(run.Note, "was replaced by another of that name; nothing was done") {
		t.Errorf("replaced: %s: %s", run.State, run.Note)
	}
	if _, err := o.runner.Plan(t.Context(), action.Scale, h.target(o, s), nil); err == nil || !strings.Contains(err.Error(), "was replaced by another object of the same name; nothing was done") {
		t.Errorf("plan of a replaced set: %v", err)
	}
	noPut(t, o)
	if got := *h.get("web").Spec.Replicas; got != 2 {
		t.Errorf("the new set has %d replicas", got)
	}
}

func TestSetThatIsBeingDeletedIsRefused(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2, slow("", "20s"))
	stages.kubectl(t, "-n", h.ns, "delete", "sts", "web", "--wait=false", "--cascade=foreground")
	p, _ := h.scaleTo(o, s, 1)
	if len(p.Refusals) == 0 || !strings.Contains(strings.Join(p.Refusals, "\n"), "it is being deleted") {
		t.Errorf("refused %q", p.Refusals)
	}
}

func TestNothingChosenYetAsksHowMany(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o := stages.operate(t, stages.kubeconfig())
	s := h.settled("web", 2)
	p := o.planOf(action.Scale, h.target(o, s), nil)
	if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "say how many: ") || len(p.Toggles) != 1 || p.Toggles[0].Value != "2" || p.Toggles[0].Number.Now != 2 {
		t.Errorf("refused %q, toggles %+v", p.Refusals, p.Toggles)
	}
	pod := h.pods("web")["web-0"]
	byPod := o.planOf(action.Scale, action.Target{Context: o.kube.Context(), Refs: []kube.Ref{h.ref(&pod, kube.Pods)}}, nil)
	if !slices.Equal(byPod.Target.Refs, h.target(o, s).Refs) {
		t.Errorf("the pod stands for %+v", byPod.Target.Refs)
	}
}
