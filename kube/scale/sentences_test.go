package scale

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
)

// sawNumber has the controller see the number, and do nothing.
func (b *bench) sawNumber() {
	s := b.StatefulSet("shop", "web")
	s.Status.ObservedGeneration = s.Generation
	b.Put(s)
}

func TestPodsClaimsAndAcceptedNumbersCannotBeLeftOut(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-1", true))
		c := b.start(b.plan("1"))
		wait(time.Second)
		for _, s := range c.progress.Steps() {
			if !s.Follows {
				t.Errorf("%s can be left out", s.Object.Name)
			}
		}
		c.cancel()
		c.end()
	})
}

func TestClaimThatIsKeptMeanwhileIsNotSaidToGo(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-1", true))
		c := b.start(b.plan("1"))
		wait(time.Second)
		if got := c.steps(); !strings.Contains(got, "data-web-1 waits: goes with web-1") {
			b.t.Fatal(got)
		}
		s := b.StatefulSet("shop", "web")
		s.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
		s.Status.ObservedGeneration = s.Generation
		b.Put(s, claim("web-1", false))
		wait(time.Second)
		if got := c.steps(); !strings.Contains(got, "data-web-1 waits: stays: whenScaled is Retain now") {
			t.Error(got)
		}
		c.cancel()
		c.end()
	})
}

func TestDisksAreSaidToGoOnlyWhereTheyDo(t *testing.T) {
	of := func(volume, reclaim string) Claim {
		return Claim{UID: "u", Size: "20Gi", Volume: volume, Reclaim: reclaim}
	}
	for want, claims := range map[string][]Claim{
		"1 disk, 20 GiB, is deleted": {of("a", "Delete")},
		"1 disk, 20 GiB, is deleted, 1 stays Released and has to be bound again by hand": {of("a", "Delete"), of("b", "Retain")},
		"2 disks stay Released and have to be bound again by hand":                       {of("a", "Retain"), of("b", "Retain")},
		"2 disks, 40 GiB, are deleted, what becomes of 1 disk is not known":              {of("a", "Delete"), of("b", "Delete"), of("c", "")},
		"no disk": {of("", "")},
	} {
		is(t, "disks", disks(claims), want)
	}
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		disk := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk", UID: "v"}}
		disk.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		held := claim("web-1", true)
		held.Spec.VolumeName = "disk"
		b.Put(disk, held)
		p := b.plan("1")
		is(t, "headline", p.Headline, "shop/web: 2 replicas to 1. web-1 goes. 1 claim goes with it: 1 disk stays Released and has to be bound again by hand.")
		is(t, "foot", p.Foot, "1 pod goes; 1 claim goes; 1 disk stays Released and has to be bound again by hand")
		for _, s := range b.plan("1", OptionRetain).Sections {
			if s.Title == "volumes" {
				is(t, "note", s.Note, "whenScaled Retain (set first)")
			}
		}
	})
}

func TestWhoeverSetsTheNumberIsNamedWithWhatIsKnownOfIt(t *testing.T) {
	entry := func(manager string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply,
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}
	}
	s := &appsv1.StatefulSet{}
	s.Annotations = map[string]string{
		"argocd.argoproj.io/tracking-id": "shop:x", corev1.LastAppliedConfigAnnotation: `{"spec":{"replicas":7}}`,
	}
	s.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "prod"}
	s.ManagedFields = []metav1.ManagedFieldsEntry{entry("robot"), entry("shipper")}
	w := Workload{From: 3, To: 2}
	w.judgeManagers(s)
	is(t, "managers", texts(w), "Argo CD manages it (app shop): its next sync sets its own number again, if its manifest has one\n"+
		"Flux manages it (kustomization prod): its next sync sets its own number again, if its manifest has one\n"+
		"kubectl has set the number by apply: the next apply of that manifest sets 7 again\n"+
		"robot and shipper have set the number by apply: the next apply sets its own number again")
}

func TestObjectsThatKeepTheirNumberAreNoTargets(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		other := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other", UID: "uid-other"}}
		other.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
		b.Put(other)
		refs := []kube.Ref{{Kind: kube.StatefulSets, Namespace: "shop", Name: "other", UID: "uid-other"}, web}
		for to, want := range map[string]string{"2": "shop/other and 1 more", "3": "shop/web"} {
			p, err := New().Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: refs}, action.Options{OptionReplicas + "uid-web": to})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "target for "+to, p.Target.Name(), want)
		}
	})
}

func TestHugeStepsUpWantTheName(t *testing.T) {
	for _, c := range []struct {
		from, to int32
		tier     string
	}{
		{100, 200, ""}, {100, 201, "101 new pods, more than 100"}, {5, 25, ""}, {5, 26, "21 new pods, more than double"}, {30, 59, ""},
	} {
		w := Workload{From: c.from, To: c.to, New: int(c.to - c.from)}
		w.judgeTier()
		is(t, "tier", strings.Join(w.Tier, "\n"), c.tier)
	}
	onBench(t, func(b *bench) {
		b.set(1)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "n"}}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		b.Put(node)
		p := b.plan("5000")
		notes := texts(PlanOf(p).Workloads[0])
		if p.Tier != action.Write || strings.Contains(notes, "a new pod fits") ||
			!strings.Contains(notes, "whether all 4,999 do is not known") && !strings.Contains(notes, "how full they are is not known") {
			t.Errorf("tier %d\n%s", p.Tier, notes)
		}
	})
}

func TestLostQuorumIsConditionalAndWantsTheName(t *testing.T) {
	for _, c := range []struct {
		from, to int32
		lost     bool
	}{{3, 2, false}, {3, 1, true}, {4, 3, false}, {4, 2, true}, {5, 3, false}, {5, 2, true}, {2, 1, false}, {5, 0, false}, {3, 5, false}} {
		w := Workload{From: c.from, To: c.to}
		w.quorum()
		if w.loses != c.lost {
			t.Errorf("%d to %d: lost %t", c.from, c.to, w.loses)
		}
	}
	onBench(t, func(b *bench) {
		b.set(4)
		p := b.plan("1")
		s := p.Sections[0]
		if p.Tier != action.Write || s.Title != "look twice" || s.Rows[0].Severity != kube.Bad ||
			!strings.HasPrefix(s.Rows[0].Cells[0], "if it is a quorum system: 4 members need 3, and with 1 it is lost") ||
			s.Rows[1].Cells[0] != "3 pods less at once" {
			t.Errorf("tier %d, %+v", p.Tier, s)
		}
		if !strings.HasSuffix(p.Headline, "If its members vote, their quorum is lost: 4 need 3, and 1 stays.") {
			t.Error(p.Headline)
		}
	})
}

func TestNumberThatItsControllerDoesNotSeeIsSaidToBeUnseen(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(3)
		c := b.start(b.plan("2"))
		wait(5 * time.Second)
		if got := c.steps(); strings.Contains(got, "kube-controller-manager") {
			t.Error(got)
		}
		wait(30 * time.Second)
		if got := c.steps(); strings.Contains(got, ": next") || !strings.Contains(got, "web-2 waits: the controller has not seen the number yet (for 3") ||
			!strings.Contains(got, "is kube-controller-manager well?") {
			t.Error(got)
		}
		b.sawNumber()
		wait(time.Second)
		is(t, "steps", c.steps(), "web progressing: accepted: 3 to 2\nweb-2 waits: next")
		b.controlled()
		if r := c.end(); r.State != action.Done {
			t.Errorf("%v %q", r.State, r.Summary)
		}
	})
}

func TestUndoPromisesClaimsOnlyWhereThereAreSome(t *testing.T) {
	undo := func(p *action.Plan) string {
		for _, f := range p.Facts {
			if f.Name == "undo" {
				return f.Text
			}
		}
		return ""
	}
	onBench(t, func(b *bench) {
		b.set(2)
		is(t, "undo", undo(b.plan("1")), "scale back; pods are made anew")
		is(t, "undo", undo(b.plan("3")), "scale back")
	})
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-1", true))
		is(t, "undo", undo(b.plan("1", OptionRetain)), "scale back; pods are made anew, with the claims that they had; whenScaled stays Retain")
	})
}
