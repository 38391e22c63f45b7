package drain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func TestBudgetDecidesAsTheServerDoes(t *testing.T) {
	syncFailed := func(b *policyv1.PodDisruptionBudget) {
		b.Status.Conditions = []metav1.Condition{{
			Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason,
			Message: "found no \x1b[31mcontrollers\x1b]0;evil\x07 for pod",
		}}
	}
	broken := func(b *policyv1.PodDisruptionBudget) {
		b.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Perhaps"}}}
	}
	none := func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = nil }
	everything := func(b *policyv1.PodDisruptionBudget) { b.Spec.Selector = &metav1.LabelSelector{} }
	unseen := func(b *policyv1.PodDisruptionBudget) { b.Generation = 2 }
	never := func(b *policyv1.PodDisruptionBudget) { b.Status.ObservedGeneration = 0 }
	crowded := func(b *policyv1.PodDisruptionBudget) {
		b.Status.DisruptedPods = map[string]metav1.Time{}
		for i := range maxDisrupted + 1 {
			b.Status.DisruptedPods[fmt.Sprint(i)] = ago(0)
		}
	}
	sick, starting := notReady(time.Hour), notReady(time.Minute)
	for name, c := range map[string]struct {
		pod    podOption // nil: a healthy one
		budget *budget
		fate   Fate
		block  Block
		why    string
	}{
		"allows":                  {nil, pdb("b", "cart", 1, 3, 2, 3), Evict, "", ""},
		"other namespace":         {nil, pdb("b", "cart", 0, 3, 3, 3, func(b *policyv1.PodDisruptionBudget) { b.Namespace = "else" }), Evict, "", ""},
		"selects others":          {nil, pdb("b", "other", 0, 3, 3, 3), Evict, "", ""},
		"no selector":             {nil, pdb("b", "cart", 0, 3, 3, 3, none), Evict, "", ""},
		"broken selector":         {nil, pdb("b", "cart", 0, 3, 3, 3, broken), Evict, "", ""},
		"empty selector":          {nil, pdb("b", "other", 0, 3, 3, 3, everything), Never, Structural, ""},
		"structural":              {nil, pdb("b", "cart", 0, 3, 3, 3), Never, Structural, "b allows 0: 3 healthy, needs 3 of 3: waiting does not help"},
		"needs more than all":     {nil, pdb("b", "cart", 0, 3, 5, 3), Never, Structural, "needs 5 of 3"},
		"transient":               {nil, pdb("b", "cart", 0, 2, 2, 3), Waits, Transient, "b allows 0: 2 healthy, needs 2"},
		"unsynced":                {nil, pdb("b", "cart", 1, 3, 2, 3, unseen), Waits, Unsynced, "has not looked at it yet"},
		"sync failed":             {nil, pdb("b", "cart", 0, 0, 0, 0, syncFailed), Waits, Unsynced, "(found no controllers for pod)"},
		"first sync failed":       {nil, pdb("b", "cart", 0, 0, 0, 0, syncFailed, never), Never, Unsynced, "(found no controllers for pod): waiting does not help"},
		"sync failed since":       {nil, pdb("b", "cart", 0, 0, 0, 0, syncFailed, unseen), Waits, Unsynced, "(found no controllers for pod)"},
		"no pods":                 {nil, pdb("b", "cart", 0, 0, 0, 0), Waits, Unsynced, "counts no pods"},
		"negative":                {nil, pdb("b", "cart", -1, 0, 0, 0), Waits, Unsynced, "allows -1"},
		"too many disrupted":      {nil, pdb("b", "cart", 1, 3, 2, 3, crowded), Waits, Unsynced, "remembers 2,001 evictions"},
		"sick, budget healthy":    {sick, pdb("b", "cart", 0, 2, 2, 3), Evict, "", ""},
		"sick, structural":        {sick, pdb("b", "cart", 0, 3, 3, 3), Evict, "", ""},
		"sick, always allowed":    {sick, pdb("b", "cart", 0, 0, 2, 3, alwaysAllow), Evict, "", ""},
		"sick, unseen, allowed":   {sick, pdb("b", "cart", 0, 0, 2, 3, alwaysAllow, unseen), Evict, "", ""},
		"sick, budget not met":    {sick, pdb("b", "cart", 0, 1, 2, 3), Never, Deadlock, "cart-0 is not ready here, and the budget protects what is not ready too"},
		"starting, not met":       {starting, pdb("b", "cart", 0, 1, 2, 3), Waits, Transient, "(cart-0 is not ready)"},
		"sick, nothing is needed": {sick, pdb("b", "cart", 1, 1, 0, 3), Evict, "", ""},
		"sick, nothing allowed":   {sick, pdb("b", "cart", 0, 1, 0, 3), Waits, Transient, "b allows 0: 1 healthy, needs 0"},
		"crash loop":              {crashing, pdb("b", "cart", 0, 1, 2, 3), Never, Deadlock, ""},
		"pending":                 {phase(corev1.PodPending), pdb("b", "cart", 0, 1, 2, 3), Evict, "", ""},
		"finished":                {phase(corev1.PodFailed), pdb("b", "cart", 0, 1, 2, 3), Evict, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := []podOption{owned("StatefulSet", "cart"), labelled("cart")}
			if c.pod != nil {
				options = append(options, c.pod)
			}
			got := only(t, oneNodeCluster(pod("shop/cart-0", options...)).with(c.budget), defaults)
			if got.Fate != c.fate || !strings.Contains(got.Why, c.why) || c.why == "" && c.fate == Evict && got.Why != "" {
				t.Errorf("%s %q, want %s %q", got.Fate, got.Why, c.fate, c.why)
			}
			if len(got.Budgets) > 0 && got.Budgets[0].Block != c.block || len(got.Budgets) == 0 && c.block != "" {
				t.Errorf("%+v, want block %q", got.Budgets, c.block)
			}
		})
	}
}

func crashing(p *corev1.Pod) {
	notReady(time.Second)(p)
	p.Status.ContainerStatuses = []corev1.ContainerStatus{
		{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
	}
}

func TestPodOfTwoBudgetsIsNeverLetGo(t *testing.T) {
	cart := pod("shop/cart-0", owned("StatefulSet", "cart"), labelled("cart"))
	got := only(t, oneNodeCluster(cart).with(pdb("b", "cart", 3, 5, 2, 5), pdb("a", "cart", 3, 5, 2, 5)), defaults)
	if got.Fate != Never || len(got.Budgets) != 2 || !strings.HasPrefix(got.Why, "a and b select it") {
		t.Errorf("%+v", *got)
	}
	two := pod("shop/cart-0", owned("StatefulSet", "cart"), labelled("cart"), phase(corev1.PodPending))
	if got = only(t, oneNodeCluster(two).with(pdb("b", "cart", 3, 5, 2, 5), pdb("a", "cart", 3, 5, 2, 5)), defaults); got.Fate != Evict {
		t.Errorf("pending: %+v", *got)
	}
}

func TestPeerThatIsNotWellIsNamedWhereverItIs(t *testing.T) {
	sick := pod("shop/cart-2", labelled("cart"), notReady(time.Hour))
	sick.Spec.NodeName = "worker-7"
	gone := pod("shop/cart-3", labelled("cart"), deleted(time.Minute))
	gone.Spec.NodeName = "worker-7"
	b := pdb("cart-pdb", "cart", 0, 2, 2, 4)
	b.peers = []*corev1.Pod{sick, gone, pod("shop/cart-4", labelled("cart"), phase(corev1.PodSucceeded))}
	got := only(t, oneNodeCluster(pod("shop/cart-1", owned("StatefulSet", "cart"), labelled("cart"))).with(b), defaults)
	want := "cart-pdb allows 0: 2 healthy, needs 2 (cart-2 is not ready, cart-3 is terminating)"
	if got.Fate != Waits || got.Why != want {
		t.Errorf("%s %q, want %q", got.Fate, got.Why, want)
	}
}

func TestHealthyPodIsInTheDeadlockOfItsNeighbour(t *testing.T) {
	cart := func(i int, options ...podOption) *corev1.Pod {
		return pod(fmt.Sprintf("shop/cart-%d", i), append(options, owned("StatefulSet", "cart"), labelled("cart"))...)
	}
	f := oneNodeCluster(cart(0), cart(1, notReady(time.Hour))).with(pdb("cart-pdb", "cart", 0, 1, 2, 3))
	for _, p := range classify(f, defaults, now).pods() {
		if p.Fate != Never || p.Budgets[0].Block != Deadlock {
			t.Errorf("%+v", *p)
		}
	}
	elsewhere := cart(1, notReady(time.Hour))
	elsewhere.Spec.NodeName = "other-1"
	b := pdb("cart-pdb", "cart", 0, 1, 2, 3)
	b.peers = []*corev1.Pod{elsewhere}
	if p := only(t, oneNodeCluster(cart(0)).with(b), defaults); p.Fate != Waits {
		t.Errorf("the sick pod is on another node, which is not drained: %+v", *p)
	}
}

func TestWhatABudgetAllowsIsSharedByAllNodesOfThePlan(t *testing.T) {
	web := func(name, node string, options ...podOption) *corev1.Pod {
		p := pod("shop/"+name, append(options, owned("ReplicaSet", "web"), labelled("web"))...)
		p.Spec.NodeName = node
		return p
	}
	f := cluster([]*corev1.Node{node("worker-1"), node("worker-2")},
		web("web-a", "worker-1"), web("web-b", "worker-1", notReady(time.Hour)), web("web-c", "worker-2"), web("web-d", "worker-2"),
	).with(pdb("web-pdb", "web", 2, 10, 8, 11))
	plan := classify(f, defaults, now)
	var got []string
	for _, p := range plan.pods() {
		got = append(got, p.Name+" "+string(p.Fate))
	}
	if s := strings.Join(got, ", "); s != "web-a evict, web-b evict, web-c evict, web-d waits" {
		t.Error(s)
	}
	last := find(plan, "web-d")
	if last.Why != "web-pdb allows 2 at a time: after web-c" || last.Budgets[0].Block != Shared || last.Budgets[0].Allowed != 2 {
		t.Errorf("%+v", *last)
	}
}

func TestPlanNeverLetsGoMoreThanBudgetsAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		settings := Settings{
			EmptyDir: rapid.Bool().Draw(t, "emptyDir"), Unowned: rapid.Bool().Draw(t, "unowned"), Gentle: rapid.Bool().Draw(t, "gentle"), Together: 1,
		}
		plan := classify(f, settings, now)
		checkCounts(t, f, plan)
		raw := map[string]*corev1.Pod{}
		for _, n := range f.nodes {
			for _, p := range n.pods {
				raw[string(p.UID)] = p
			}
		}
		taken := map[string]int{}
		for _, p := range plan.pods() {
			if p.Fate == Evict && len(p.Budgets) == 1 && ready(raw[p.UID]) {
				taken[p.Budgets[0].Name]++
			}
			if p.Fate == Evict && len(p.Budgets) > 1 {
				t.Fatalf("%s is let go by two budgets", p.Name)
			}
		}
		for _, b := range f.budgets["shop"] {
			if n := taken[b.Name]; n > int(max(0, b.Status.DisruptionsAllowed)) {
				t.Fatalf("%s allows %d, and the plan lets %d go at once", b.Name, b.Status.DisruptionsAllowed, n)
			}
		}
	})
}

// checkCounts holds a plan to one fate for each pod, and to counts that add up.
func checkCounts(t *rapid.T, f *facts, plan *Plan) {
	total := 0
	for i, n := range f.nodes {
		total += len(n.pods)
		if len(plan.Nodes[i].Pods) != len(n.pods) {
			t.Fatalf("%s has %d pods, its plan %d", n.node.Name, len(n.pods), len(plan.Nodes[i].Pods))
		}
	}
	c := plan.count()
	if c.total != total || c.goes+c.stays+c.needs+c.leaving != total || c.waits+c.never > c.goes {
		t.Fatalf("%+v of %d pods", c, total)
	}
	seen := map[string]bool{}
	for _, p := range plan.pods() {
		if seen[p.UID] {
			t.Fatalf("%s is in the plan twice", p.Name)
		}
		seen[p.UID] = true
		switch p.Fate {
		case Evict, Stays, Leaving:
		case Waits, Never:
			if p.Why == "" {
				t.Fatalf("nobody says why %s %s", p.Name, p.Fate)
			}
		case Needs:
			if p.Option == "" || p.Why == "" {
				t.Fatalf("nobody says what %s needs", p.Name)
			}
		default:
			t.Fatalf("%s has the fate %q", p.Name, p.Fate)
		}
	}
	if refused := len(plan.refusals()) > 0; refused != (c.needs > 0) {
		t.Fatalf("refused: %t, with %d pods that need an option", refused, c.needs)
	}
}

// drawFacts makes up to three nodes with pods of every kind, and budgets over some of them.
func drawFacts(t *rapid.T) *facts {
	var nodes []*corev1.Node
	for i := range rapid.IntRange(1, 3).Draw(t, "nodes") {
		nodes = append(nodes, node(fmt.Sprintf("worker-%d", i+1)))
	}
	apps := []string{"cart", "web", "db"}
	options := []podOption{
		static, owned("DaemonSet", "cilium"), owned("StatefulSet", "cart"), owned("ReplicaSet", "web"), deleted(time.Minute), emptyDir("x", ""),
		notReady(time.Minute), notReady(time.Hour), phase(corev1.PodPending), phase(corev1.PodFailed),
	}
	var pods []*corev1.Pod
	for i := range rapid.IntRange(0, 12).Draw(t, "pods") {
		p := pod(fmt.Sprintf("shop/p-%d", i), labelled(rapid.SampledFrom(apps).Draw(t, "app")))
		p.Spec.NodeName = rapid.SampledFrom(nodes).Draw(t, "node").Name
		for _, k := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(options)-1), 0, 3, rapid.ID[int]).Draw(t, "options") {
			if len(p.Status.Conditions) > 0 || k != 6 && k != 7 {
				options[k](p)
			}
		}
		pods = append(pods, p)
	}
	f := cluster(nodes, pods...)
	for i := range rapid.IntRange(0, 3).Draw(t, "budgets") {
		n := func(name string) int32 { return rapid.Int32Range(0, 4).Draw(t, name) }
		b := pdb(fmt.Sprintf("b-%d", i), rapid.SampledFrom(apps).Draw(t, "selects"), rapid.Int32Range(-1, 3).Draw(t, "allowed"), n("healthy"), n("desired"), n("expected"))
		if rapid.Bool().Draw(t, "alwaysAllow") {
			alwaysAllow(b.PodDisruptionBudget)
		}
		f.with(b)
	}
	return f
}
