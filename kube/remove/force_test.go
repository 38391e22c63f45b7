package remove

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

func options(pairs ...string) action.Options {
	o := action.Options{}
	for i := 0; i < len(pairs); i += 2 {
		o[pairs[i]] = pairs[i+1]
	}
	return o
}

func mirror(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }

func offTaint(n *corev1.Node) {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute})
}

// The gate table of the design (operator-tasks, 3.9): what is refused, and which choices open it.
func TestGateTable(t *testing.T) {
	const (
		ready   = corev1.ConditionTrue
		unknown = corev1.ConditionUnknown
		failing = corev1.ConditionFalse
	)
	all := []string{OptionAnyway, action.On, OptionWhich, Fenced, OptionAssert, action.On}
	for name, c := range map[string]struct {
		ready   corev1.ConditionStatus
		node    func(*corev1.Node)
		pod     []func(*corev1.Pod)
		refused string // with all options off
		opens   []string
		still   string // with all that can be chosen
		toggles string
		instead string
	}{
		"static":                {ready: ready, pod: []func(*corev1.Pod){mirror}, refused: "a static pod", still: "a static pod"},
		"not terminating":       {ready: ready, refused: "not Terminating", opens: []string{OptionAnyway, action.On, OptionAssert, action.On}, toggles: "anyway", instead: "pod.delete"},
		"not terminating, away": {ready: unknown, refused: "not Terminating", opens: all, toggles: "anyway which assert", instead: "pod.delete node.out-of-service node.delete-node"},
		"within grace":          {ready: ready, pod: []func(*corev1.Pod){deleted(time.Minute, 3600)}, refused: "wait: its containers have 5", still: "wait: its containers have 5"},
		"within grace, away":    {ready: unknown, pod: []func(*corev1.Pod){deleted(time.Minute, 3600)}, refused: "wait: its containers", still: "wait: its containers"},
		"past grace, ready":     {ready: ready, pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, refused: "the kubelet is alive", opens: []string{OptionAnyway, action.On, OptionAssert, action.On}, toggles: "anyway"},
		"past grace, silent":    {ready: unknown, pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, refused: "choose which is true of n1", opens: []string{OptionWhich, Fenced, OptionAssert, action.On}, toggles: "which assert", instead: "node.out-of-service node.delete-node"},
		"past grace, not ready": {ready: failing, pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, refused: "choose which is true of n1", opens: []string{OptionWhich, Fenced, OptionAssert, action.On}, toggles: "which assert", instead: "node.out-of-service node.delete-node"},
		"out of service":        {ready: unknown, node: offTaint, pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, refused: "choose which is true of n1", opens: []string{OptionWhich, Fenced, OptionAssert, action.On}, toggles: "which assert"},
		"only finalizers":       {ready: ready, pod: []func(*corev1.Pod){deleted(time.Minute, 0), finalized("a.example/b")}, refused: "there is nothing to force", still: "there is nothing to force", instead: "pod.remove-finalizers"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				if c.node == nil {
					c.node = func(*corev1.Node) {}
				}
				b.node("n1", c.ready, c.node)
				b.pod("web", "n1", c.pod...)
			}, func(b *bench) {
				p := b.plan(NewForce(), nil, web)
				if len(p.Refusals) == 0 || !strings.HasPrefix(p.Refusals[0], c.refused) || p.Tier != action.Write || p.Word != "web" {
					t.Errorf("tier %d, word %q, refused with %q, want %q", p.Tier, p.Word, p.Refusals, c.refused)
				}
				var toggles, instead []string
				for _, x := range p.Toggles {
					toggles = append(toggles, x.ID)
				}
				for _, x := range p.Instead {
					instead = append(instead, string(x.Action))
				}
				if strings.Join(toggles, " ") != c.toggles || strings.Join(instead, " ") != c.instead {
					t.Errorf("toggles %v, instead %v; want %q, %q", toggles, instead, c.toggles, c.instead)
				}
				if c.still != "" {
					if p := b.plan(NewForce(), options(all...), web); len(p.Refusals) == 0 || !strings.HasPrefix(p.Refusals[0], c.still) {
						t.Errorf("with everything chosen: %q", p.Refusals)
					}
					return
				}
				// Each choice is needed, and all of them are enough.
				for i := 0; i < len(c.opens); i += 2 {
					o := options(c.opens...)
					delete(o, c.opens[i])
					if p := b.plan(NewForce(), o, web); len(p.Refusals) == 0 {
						t.Errorf("open without %s", c.opens[i])
					}
				}
				if p := b.plan(NewForce(), options(c.opens...), web); len(p.Refusals) > 0 {
					t.Errorf("refused with all that is needed: %q", p.Refusals)
				}
				if len(b.Sent()) > 0 {
					t.Errorf("a plan has sent %v", b.Sent())
				}
			})
		})
	}
}

func TestChoicesOfAMachineThatIsOffOrCutOffSendNothing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionUnknown)
		b.pod("web", "n1", deleted(time.Minute, 30))
		b.pod("other", "n1")
		b.pod("agent", "n1", ofOwner("DaemonSet", "agent"))
	}, func(b *bench) {
		for which, want := range map[string]string{MachineOff: "with a, taint n1 out-of-service or delete the Node", CutOff: "with b, wait or repair n1: nothing is sent"} {
			p := b.plan(NewForce(), options(OptionWhich, which, OptionAssert, action.On), web)
			if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], want) {
				t.Errorf("%s: %q", which, p.Refusals)
			}
		}
		p := b.plan(NewForce(), nil, web)
		if want := "taint n1 out-of-service: releases 2 pods, detaches their volumes"; p.Instead[0].Words != want {
			t.Errorf("%q, want %q", p.Instead[0].Words, want)
		}
		if diff := cmp.Diff([]kube.Ref{{Kind: kube.Nodes, Name: "n1", UID: "uid-n1"}}, p.Instead[1].Target.Refs); diff != "" {
			t.Error(diff)
		}
		for _, o := range []action.Options{options("which", "d"), options("assert", "yes"), options("speed", "fast")} {
			if _, err := NewForce().Plan(b.t.Context(), b.cluster, to(web), o); err == nil || !strings.Contains(err.Error(), "nothing was done") {
				t.Errorf("%v: %v", o, err)
			}
		}
	})
}

// cart is a StatefulSet with a volume, on a node that is silent.
func cart(b *bench) {
	b.node("n1", corev1.ConditionUnknown)
	b.node("n2", corev1.ConditionTrue)
	b.node("n3", corev1.ConditionTrue, func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	})
	three := int32(3)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "uid-cart"}}
	set.Spec.Replicas, set.Status.ReadyReplicas, set.Spec.ServiceName = &three, 2, "cart"
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data-cart-2", UID: "claim"}}
	claim.Spec.AccessModes, claim.Spec.VolumeName = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, "pv-1"
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
	volume := "pv-1"
	attached := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "csi-5f0e", UID: "va"}}
	attached.Spec.NodeName, attached.Spec.Source.PersistentVolumeName, attached.Status.Attached = "n1", &volume, true
	b.Put(set, claim, attached)
	b.pod("cart-2", "n1", ofOwner("StatefulSet", "cart"), deleted(15*time.Minute, 30), func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-cart-2"}}}}
	})
	b.pod("cart-1", "n1", ofOwner("StatefulSet", "cart"), deleted(15*time.Minute, 30))
}

func TestForceSheetOfAStatefulSetSaysWhatIsAtStake(t *testing.T) {
	onBench(t, cart, func(b *bench) {
		ref := refs("cart-2")[0]
		p := b.plan(NewForce(), options(OptionWhich, Fenced), ref)
		for _, want := range []string{
			"14m late", "n1 NotReady(Unknown) for 60m", "StatefulSet cart 2/3, ordinal 2, service cart · grace 30s, no finalizers",
			"data-cart-2 10Gi RWO, attached to n1 by VolumeAttachment csi-5f0e", "a new cart-2 is made at once; it may run on 1 node",
			"Two pods run as cart-2 and write to the same data: split brain, data loss.", "The name is free at once; a new cart-2 starts.",
			"the new pod may wait up to 6 min for it", "cart-2 will never again contact the other members of cart",
			"DELETE pods/cart-2 with gracePeriodSeconds 0 and precondition uid uid-cart-2",
			"kubectl --context prod -n shop delete pod cart-2 --grace-period=0 --force",
		} {
			if !strings.Contains(sheetOf(p), want) {
				t.Errorf("%q is not on the sheet\n%s", want, sheetOf(p))
			}
		}
		both := b.plan(NewForce(), options(OptionWhich, Fenced, OptionAssert, action.On), refs("cart-1", "cart-2")...)
		if len(both.Refusals) != 1 || both.Refusals[0] != "one pod of a StatefulSet at a time: 2 pods of shop/cart are meant; choose one of each" {
			t.Errorf("%q", both.Refusals)
		}
		open := b.plan(NewForce(), options(OptionWhich, Fenced, OptionAssert, action.On), ref)
		result := b.carryOut(b.t.Context(), open)
		if result.State != action.Done || b.there("uid-cart-2") != nil || result.Follow == nil {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
		b.pinned(true)
		if n := len(b.Sent()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestForceDeleteOfAPodWithFinalizersNamesThem(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionUnknown)
		b.pod("web", "n1", deleted(time.Minute, 30), finalized("a.example/hold"))
	}, func(b *bench) {
		p := b.plan(NewForce(), options(OptionWhich, Fenced, OptionAssert, action.On), web)
		if len(p.Refusals) > 0 || !strings.Contains(sheetOf(p), "web: a.example/hold (a controller of a.example) keeps it until that removes it") {
			t.Errorf("%s", sheetOf(p))
		}
		result := b.carryOut(b.t.Context(), p)
		if result.State != action.Partial || b.steps() != "web accepted: still there: a.example/hold (a controller of a.example)" || len(b.Sent()) != 1 {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
		strip := b.plan(NewFinalizers(), nil, web)
		if len(strip.Refusals) > 0 || strip.Tier != action.Write {
			t.Errorf("refused: %q", strip.Refusals)
		}
		b.progress = action.NewProgress(func() {})
		result = b.carryOut(b.t.Context(), strip)
		if result.State != action.Done || b.there("uid-web") != nil {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
		want := `[{"op":"test","path":"/metadata/uid","value":"uid-web"},{"op":"test","path":"/metadata/finalizers","value":["a.example/hold"]},{"op":"remove","path":"/metadata/finalizers/0"}]`
		if got := string(b.Sent()[1].Body); got != want {
			t.Errorf("sent %s", got)
		}
	})
}

func TestStandingFollowsTheNodeAndSurvivesTheLog(t *testing.T) {
	var details map[string]any
	onBench(t, cart, func(b *bench) {
		details = b.plan(NewForce(), nil, refs("cart-2")...).Details
		onReady := b.plan(NewForce(), nil, b.pod("well", "n2")).Details
		run := &action.Run{State: action.Done, Details: onReady}
		if got := standing(b.cluster.Moment(), run); got.Severity != kube.Notice || got.Text != "nobody has confirmed on n2 that well has ended: look there" {
			t.Errorf("%+v", got)
		}
	})
	raw, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	var logged map[string]any
	if err := json.Unmarshal(raw, &logged); err != nil {
		t.Fatal(err)
	}
	away := action.Standing{Text: "if n1 returns, check that cart-2 is not running twice", Severity: kube.Notice}
	for name, c := range map[string]struct {
		m     kube.Moment
		state action.State
		want  action.Standing
	}{
		"silent":       {kube.Moment{NodesKnown: true, Nodes: map[string]kube.NodeState{"n1": {Silent: true}}}, action.Done, away},
		"not ready":    {kube.Moment{NodesKnown: true, Nodes: map[string]kube.NodeState{"n1": {}}}, action.Partial, away},
		"not known":    {kube.Moment{}, action.Unknown, away},
		"back":         {kube.Moment{Nodes: map[string]kube.NodeState{"n1": {Ready: true}}}, action.Interrupted, action.Standing{Text: "n1 is back: check that cart-2 does not run twice", Severity: kube.Warning}},
		"gone":         {kube.Moment{NodesKnown: true}, action.Done, action.Standing{Text: "the Node n1 is gone: if its machine comes back, check that cart-2 is not running twice", Severity: kube.Notice}},
		"nothing sent": {kube.Moment{}, action.Failed, action.Standing{}},
		"cancelled":    {kube.Moment{}, action.Cancelled, action.Standing{}},
	} {
		for _, d := range []map[string]any{details, logged} {
			if got := standing(c.m, &action.Run{State: c.state, Details: d}); got != c.want {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
			}
		}
	}
	if got := standing(kube.Moment{}, &action.Run{State: action.Done, Details: map[string]any{"pods": []any{1, "x", map[string]any{"node": 3}}}}); got != (action.Standing{}) {
		t.Errorf("of a log that makes no sense: %+v", got)
	}
}

func TestHostileTextIsCleanedAndCut(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;t\x07\u009b31m\u202eb"
	long := evil + "/" + strings.Repeat("x", 4000)
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionUnknown, func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: long, Value: evil, Effect: evil}}
			n.Status.Conditions[0].Message = long
		})
		hostile := func(p *corev1.Pod) {
			p.Finalizers = []string{long, evil}
			p.Spec.Volumes = []corev1.Volume{{Name: long, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: evil, Kind: long, Name: long, UID: evil, Controller: new(bool)}}
			*p.OwnerReferences[0].Controller = true
		}
		b.pod("web", "n1", deleted(time.Minute, 30), hostile)
		b.pod("held", "n1", deleted(time.Minute, 0), hostile)
		b.pod("well", "n1", hostile)
	}, func(b *bench) {
		for _, p := range []*action.Plan{
			b.plan(NewForce(), nil, web), b.plan(NewFinalizers(), nil, refs("held")...), b.plan(NewDelete(), nil, refs("well")...),
			b.plan(NewDelete(), nil, refs("web", "held", "well")...), b.plan(NewForce(), nil, refs("web", "held", "well")...),
		} {
			for l := range strings.Lines(sheetOf(p)) {
				l = strings.TrimSuffix(l, "\n")
				if text.Clean(l) != l || text.Width(l) > 1200 && !strings.Contains(l, "kubectl") {
					t.Errorf("%s: %q (%d cells)", p.Action, l, text.Width(l))
				}
			}
		}
	})
}

func TestForceDeleteIsForFewPods(t *testing.T) {
	var names []string
	for i := range mostForced + 1 {
		names = append(names, "p"+string(rune('a'+i)))
	}
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionUnknown)
		for _, n := range names {
			b.pod(n, "n1", deleted(time.Minute, 30))
		}
	}, func(b *bench) {
		all := options(OptionWhich, Fenced, OptionAssert, action.On)
		if p := b.plan(NewForce(), all, refs(names...)...); len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "21 pods at once are too many") {
			t.Errorf("%q", p.Refusals)
		}
		p := b.plan(NewForce(), all, refs(names[1:]...)...)
		if len(p.Refusals) > 0 || p.Word != "20 pods" || !strings.Contains(sheetOf(p), "and 8 pods that are not listed") {
			t.Errorf("%s", sheetOf(p))
		}
		if result := b.carryOut(b.t.Context(), p); result.State != action.Done || result.Summary[:19] != "20 of 20 pods gone " || len(b.Sent()) != 20 {
			t.Errorf("%v %q", result.State, result.Summary)
		}
		b.pinned(true)
	})
}
