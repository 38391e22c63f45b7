package cordon_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/cordon"
	"ktriage/kube/send"
)

// has wants a plan to have facts, and no others.
func has(t *testing.T, p *action.Plan, want ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", facts(p)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

const (
	but          = "but: DaemonSet pods and pods with nodeName still land here"
	undoUncordon = "undo: uncordon"
	undoCordon   = "undo: cordon"
)

func TestPlanOfACordonSaysWhatRemains(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1", func(n *corev1.Node) {
			n.Labels = map[string]string{corev1.LabelTopologyZone: "1b"}
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue})
		})
		for i := range 8 {
			b.node(fmt.Sprint("other-", i))
		}
		b.node("old", cordoned(time.Hour))
		p := b.plan(true, "worker-1")
		has(t, p, "now: Ready, DiskPressure, v1.36.3, zone 1b (warning)",
			"after: 8 of 10 nodes ready and schedulable (9 now); old is cordoned too", but, undoUncordon)
		if p.Headline != "No new pods on worker-1. Its pods stay and keep running." || p.Gate != "cordon worker-1" {
			t.Errorf("%q, %q", p.Headline, p.Gate)
		}
		if p.Action != action.Cordon || p.Tier != action.Ask || p.Refusals != nil || !p.Made.Equal(time.Now()) {
			t.Errorf("the plan is %+v", p)
		}
		if want := []string{"kubectl --context prod cordon worker-1"}; !cmp.Equal(p.Kubectl, want) {
			t.Errorf("kubectl = %q, want %q", p.Kubectl, want)
		}
		if diff := cmp.Diff(map[string]any{"nodesUsableAfter": 8}, p.Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(target("worker-1"), p.Target); diff != "" {
			t.Errorf("target (-want +got):\n%s", diff)
		}
	})
}

func TestPlanIsMadeOfReadingsAlone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1")
		b.plan(true, "worker-1")
		if want := []string{"GET /api/v1/nodes/worker-1", "GET /api/v1/nodes"}; !cmp.Equal(b.Asked(), want) {
			t.Errorf("asked %q, want %q", b.Asked(), want)
		}
	})
}

func TestFewNodesThatRemainAreAWarning(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1")
		b.node("a")
		b.node("b", ready(corev1.ConditionFalse))
		b.node("c", ready(corev1.ConditionUnknown))
		b.node("d", cordoned(0))
		p := b.plan(true, "worker-1")
		has(t, p, "now: Ready, v1.36.3",
			"after: 1 of 5 nodes ready and schedulable (2 now); b is NotReady, c is NotReady(Unknown) and 1 more (warning)", but, undoUncordon)
		if p.Tier != action.Ask {
			t.Errorf("tier %d, want %d", p.Tier, action.Ask)
		}
	})
}

func TestLessThanEightOfTenNodesThatRemainAreAWarning(t *testing.T) {
	for off, warned := range map[int]bool{1: false, 2: true} {
		onBench(t, func(b *bench) {
			b.node("worker-1")
			for i := range 9 {
				b.node(fmt.Sprint("other-", i), func(n *corev1.Node) { n.Spec.Unschedulable = i < off })
			}
			if got := strings.Contains(facts(b.plan(true, "worker-1")), "(warning)"); got != warned {
				b.t.Errorf("%d of 10 remain: a warning %t, want %t", 9-off, got, warned)
			}
		})
	}
}

func TestCordonOfTheLastUsableNodeIsADanger(t *testing.T) {
	const danger = "danger: no node will be left that new pods can go to: whatever ends stays Pending (bad)"
	const tainted = "danger: only nodes with taints will be left for new pods: whatever ends and does not tolerate them stays Pending (bad)"
	gpu := taint("gpu", "yes", corev1.TaintEffectNoSchedule)
	for name, c := range map[string]struct {
		others []func(*corev1.Node)
		own    func(*corev1.Node)
		danger string
	}{
		"alone":                      {danger: danger},
		"others not ready":           {others: []func(*corev1.Node){ready(corev1.ConditionFalse), ready(corev1.ConditionUnknown)}, danger: danger},
		"others cordoned":            {others: []func(*corev1.Node){cordoned(0)}, danger: danger},
		"another one":                {others: []func(*corev1.Node){cordoned(0), ready(corev1.ConditionTrue)}},
		"others tainted":             {others: []func(*corev1.Node){gpu, taint("cp", "", corev1.TaintEffectNoExecute)}, danger: tainted},
		"others tainted, own too":    {others: []func(*corev1.Node){gpu}, own: gpu},
		"another rather not taken":   {others: []func(*corev1.Node){taint("spot", "", corev1.TaintEffectPreferNoSchedule)}},
		"others tainted and without": {others: []func(*corev1.Node){gpu, ready(corev1.ConditionTrue)}},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				if c.own == nil {
					c.own = ready(corev1.ConditionTrue)
				}
				b.node("worker-1", c.own)
				for i, change := range c.others {
					b.node(fmt.Sprint("other-", i), change)
				}
				p := b.plan(true, "worker-1")
				line, _, _ := strings.Cut(facts(p), "\n")
				if is := strings.HasPrefix(line, "danger"); is != (c.danger != "") || is && line != c.danger {
					b.t.Errorf("the first fact is %q, want %q", line, c.danger)
				}
				if (p.Tier == action.Write) != (c.danger != "") || p.Word != "worker-1" || p.Refusals != nil {
					b.t.Errorf("tier %d, word %q, refusals %q", p.Tier, p.Word, p.Refusals)
				}
			})
		})
	}
}

func TestPlanOfManyNodesNamesThoseThatAreNotWell(t *testing.T) {
	onBench(t, func(b *bench) {
		names := []string{"a", "b", "c"}
		b.node("a")
		b.node("b", ready(corev1.ConditionFalse))
		b.node("c", cordoned(time.Hour))
		for i := range 20 {
			b.node(fmt.Sprint("other-", i))
		}
		p := b.plan(true, names...)
		has(t, p, "now: 2 of 3 are well", "now: b is NotReady (bad)",
			"after: 20 of 23 nodes ready and schedulable (21 now)", but, undoUncordon)
		if p.Headline != "No new pods on a and 2 more. Their pods stay." || p.Gate != "cordon a and 1 more" {
			t.Errorf("%q, %q", p.Headline, p.Gate)
		}
		if want := []string{"kubectl --context prod cordon a b c"}; !cmp.Equal(p.Kubectl, want) {
			t.Errorf("kubectl = %q, want %q", p.Kubectl, want)
		}
	})
}

func TestPlanIsRefusedWhenAllIsSoAlready(t *testing.T) {
	for _, c := range []struct {
		on       bool
		names    []string
		headline string
	}{
		{true, []string{"off-1"}, "off-1 is already cordoned."},
		{true, []string{"off-1", "off-2"}, "off-1 and 1 more are already cordoned."},
		{false, []string{"on-1"}, "on-1 is already uncordoned."},
	} {
		onBench(t, func(b *bench) {
			b.node("on-1")
			b.node("off-1", cordoned(0))
			b.node("off-2", cordoned(0))
			p := b.plan(c.on, c.names...)
			if p.Headline != c.headline || p.Work != nil || !cmp.Equal(p.Refusals, []string{"there is nothing to do"}) {
				b.t.Errorf("%q, refusals %q, work %v", p.Headline, p.Refusals, p.Work)
			}
		})
	}
}

func TestPlanCountsPodsAndRoomWhereTheyAreKnown(t *testing.T) {
	onBench(t, func(b *bench) {
		allocatable := func(n *corev1.Node) {
			n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("16Gi")}
		}
		for _, n := range []string{"worker-1", "worker-2", "worker-3"} {
			b.node(n, allocatable)
		}
		for i, n := range []string{"worker-1", "worker-2", "worker-2"} {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("p", i), UID: types.UID(fmt.Sprint("p", i))}}
			pod.Spec.NodeName, pod.Status.Phase = n, corev1.PodRunning
			pod.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("1Gi"),
			}}}}
			b.Put(pod)
		}
		b.cluster.Start(b.t.Context(), kube.Nodes|kube.Pods)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		p := b.plan(true, "worker-1")
		if want := "No new pods on worker-1. Its 1 pod stays and keeps running."; p.Headline != want {
			t.Errorf("%q, want %q", p.Headline, want)
		}
		has(t, p, "now: Ready, v1.36.3", "after: 2 of 3 nodes ready and schedulable (3 now) (warning)",
			"room: free on the others: 15 cores, 30 GiB", but, undoUncordon)
		if got, want := b.plan(true, "worker-1", "worker-2").Headline, "No new pods on worker-1 and 1 more. Their 3 pods stay and keep running."; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, want := b.plan(true, "worker-2").Headline, "No new pods on worker-2. Its 2 pods stay and keep running."; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestPlanOfAnUncordonSaysWhatStillKeepsPodsAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1", cordoned(18*time.Hour), version("v1.35.1"), ready(corev1.ConditionFalse),
			taint("gpu", "yes", corev1.TaintEffectNoSchedule), taint("broken", "", corev1.TaintEffectNoExecute),
			taint("spot", "", corev1.TaintEffectPreferNoSchedule))
		b.node("other-1")
		b.node("other-2")
		p := b.plan(false, "worker-1")
		has(t, p, "now: NotReady,Cordoned, v1.35.1 (bad)",
			"warn: it is NotReady,Cordoned: pods will be scheduled only when it is Ready (warning)",
			"but: taints still keep pods away: gpu=yes:NoSchedule, broken:NoExecute (warning)",
			"note: kubelet v1.35.1; most nodes have v1.36.3", "since: cordoned for 18h", undoCordon)
		if p.Headline != "New pods may go to worker-1 again. None comes back by itself." || p.Gate != "uncordon worker-1" {
			t.Errorf("%q, %q", p.Headline, p.Gate)
		}
		if p.Action != action.Uncordon || p.Tier != action.Ask || p.Refusals != nil {
			t.Errorf("the plan is %+v", p)
		}
		if want := []string{"kubectl --context prod uncordon worker-1"}; !cmp.Equal(p.Kubectl, want) {
			t.Errorf("kubectl = %q, want %q", p.Kubectl, want)
		}
	})
}

func TestPlanOfAnUncordonOfManySaysOfWhichItSpeaks(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a", cordoned(time.Hour))
		b.node("b", cordoned(2*time.Hour), version("v1.35.1"), taint("gpu", "", corev1.TaintEffectNoSchedule))
		b.node("c")
		b.node("d")
		p := b.plan(false, "a", "b")
		has(t, p, "now: 2 of 2 are well", "since: a: cordoned for 60m", "but: b: taints still keep pods away: gpu:NoSchedule (warning)",
			"note: b: kubelet v1.35.1; most nodes have v1.36.3", "since: b: cordoned for 120m", undoCordon)
	})
}

func TestKubeletIsCalledOddOnlyBesideAMajority(t *testing.T) {
	for name, c := range map[string]struct {
		own, others string
		odd         bool
	}{
		"like all":          {"v1.36.3", "v1.36.3 v1.36.3", false},
		"older than most":   {"v1.35.1", "v1.36.3 v1.36.3", true},
		"one of two":        {"v1.35.1", "v1.36.3", false},
		"no majority":       {"v1.35.1", "v1.36.3 v1.36.2", false},
		"does not say":      {"", "v1.36.3 v1.36.3", false},
		"others do not say": {"v1.35.1", "- -", false},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				for i, v := range strings.Fields(c.others) {
					b.node(fmt.Sprint("other-", i), version(strings.Trim(v, "-")))
				}
				b.node("worker-1", cordoned(0), version(c.own))
				if got := strings.Contains(facts(b.plan(false, "worker-1")), "most nodes have"); got != c.odd {
					b.t.Errorf("called odd: %t, want %t", got, c.odd)
				}
			})
		})
	}
}

func TestThereIsNoPlanWithoutTheNodes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		is     func(error) bool
		says   string
	}{
		"gone":     {func(b *bench) { b.Delete(b.Node("worker-1")) }, apierrors.IsNotFound, "read node worker-1"},
		"replaced": {func(b *bench) { b.replace("worker-1") }, isReplaced, "worker-1 was replaced by another object"},
		"no list": {func(b *bench) {
			b.get = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/nodes") {
					return answers(forbidden)(r, send)
				}
				return send()
			}
		}, apierrors.IsForbidden, "list nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				c.change(b)
				p, err := cordon.New(true).Plan(b.t.Context(), b.cluster, target("worker-1"), nil)
				if p != nil || !c.is(err) || !strings.Contains(err.Error(), c.says) {
					b.t.Errorf("Plan = %v, %v; want an error that says %q", p, err, c.says)
				}
			})
		})
	}
}

func TestSilentServerDoesNotHoldUpAPlanForLong(t *testing.T) {
	onBench(t, func(b *bench) {
		b.get = silent
		began := time.Now()
		_, err := cordon.New(false).Plan(b.t.Context(), b.cluster, target("a", "b"), nil)
		if err == nil || errors.Is(err, send.ErrUnknown) || time.Since(began) != 30*time.Second {
			t.Errorf("err = %v after %v, want one after 30 s", err, time.Since(began))
		}
	})
}

// evil is what terminals obey: escape sequences of 7 and 8 bits, a title, the clipboard, and text that turns around.
const evil = "a\x1b[2J\x1b]0;title\x07\x1b]52;c;cm0K\x07\u009b31m\u202egnp.exe\nb\x00"

func TestHostileNodesDoNotReachAPlanUncleaned(t *testing.T) {
	onBench(t, func(b *bench) {
		hostile := func(n *corev1.Node) {
			n.Labels = map[string]string{corev1.LabelTopologyZone: evil, "node-role.kubernetes.io/" + evil: evil}
			n.Status.NodeInfo.KubeletVersion = evil + n.Name
			n.Status.Conditions = []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: evil, Message: evil},
				{Type: evil, Status: corev1.ConditionTrue, Reason: evil, Message: evil},
			}
			taint(evil, evil, corev1.TaintEffectNoSchedule)(n)
			taint(evil, "", evil)(n)
		}
		b.node("a", hostile)
		b.node("b", hostile)
		b.node("c", hostile, cordoned(0))
		b.node("d", hostile, cordoned(0))
		b.node("e", version(evil))
		b.node(evil, hostile)
		for i := range 9 {
			b.node(fmt.Sprint("other-", i), version(evil))
		}
		for _, c := range []struct {
			on    bool
			names []string
		}{{true, []string{"a"}}, {true, []string{"a", "b", "e"}}, {false, []string{"c"}}, {false, []string{"c", "d"}}, {false, []string{"a"}}} {
			p := b.plan(c.on, c.names...)
			for _, s := range words(p) {
				if s != text.Clean(s) {
					t.Errorf("%v of %q: %q is not fit to be shown", c.on, c.names, s)
				}
			}
		}
		if got := facts(b.plan(false, "c")); !strings.Contains(got, "gnp.exe") || !strings.Contains(got, "most nodes have a") {
			t.Errorf("the plan says nothing of what is hostile, so that this test shows nothing:\n%s", got)
		}
	})
}

// words are the texts of a plan that a sheet shows.
func words(p *action.Plan) []string {
	out := []string{p.Headline, p.Gate, p.Foot, p.Word}
	out = append(append(out, p.Kubectl...), p.Refusals...)
	for _, f := range p.Facts {
		out = append(out, f.Name, f.Text)
	}
	for _, s := range p.Sections {
		out = append(out, s.Title, s.Note)
		for _, r := range s.Rows {
			out = append(out, r.Cells...)
		}
	}
	return out
}

func TestKindsNameThemselvesAndWhatTheyNeed(t *testing.T) {
	for on, id := range map[bool]action.ID{true: action.Cordon, false: action.Uncordon} {
		k := cordon.New(on)
		if k.ID() != id || !reflect.DeepEqual(k.Needs(), []action.Need{{Verb: "patch", Resource: "nodes"}}) {
			t.Errorf("%s needs %v", k.ID(), k.Needs())
		}
	}
}
