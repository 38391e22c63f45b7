package scale

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/send"
)

func TestNumbersThatAreNoneAreRefusedInTheField(t *testing.T) {
	for typed, want := range map[string]string{
		"3": "", " 0 ": "", "10000": "", "": "no number", "  ": "no number", "x": `"x" is not a whole number`, "1.5": "is not a whole number", "+2": "is not a whole number",
		"-1": "fewer than 0", "10001": "10,001 is more than is set from here", "2147483648": "more than is set from here", "99999999999999999999": "more than any cluster has",
		"\x1b[2J": "is not a whole number",
	} {
		n, fault := parse(typed, 5)
		if (want == "") != (fault == "") || !strings.Contains(fault, want) || fault != text.Clean(fault) {
			t.Errorf("%q is %d, fault %q; want %q", typed, n, fault, want)
		}
	}
	if n, fault := parse("12000", 20_000); n != 12_000 || fault != "" {
		t.Errorf("fewer than there are: %d, %q", n, fault)
	}
}

// members makes pods of a set of so many replicas, by a letter each: w well, i ill, t Terminating, - none.
func members(s string) (out []*Member) {
	for n, c := range s {
		if c != '-' {
			out = append(out, &Member{Name: fmt.Sprint(n), Ordinal: n, UID: "u", Well: c == 'w', State: map[rune]string{'w': "Ready", 'i': "ill", 't': "Terminating"}[c]})
		}
	}
	return out
}

func TestWhoBlocksAStatefulSetAndWhatHappensBefore(t *testing.T) {
	for _, c := range []struct {
		pods        string
		to          int
		by          string // "" if nobody does
		among       bool
		goes, comes string
	}{
		{pods: "wwwww", to: 3}, {pods: "www", to: 5}, {pods: "wwi", to: 2}, {pods: "wiwww", to: 3, by: "1"}, {pods: "wtwww", to: 3, by: "1"},
		{pods: "wwiww", to: 2}, {pods: "wwiiw", to: 2, by: "2", among: true, goes: "4"}, {pods: "wwwii", to: 2, by: "3", among: true},
		{pods: "wwiwi", to: 2, by: "2", among: true}, {pods: "iwwii", to: 2, by: "0"}, {pods: "wwwit", to: 2}, {pods: "wwwti", to: 2},
		{pods: "wi", to: 4, by: "1"}, {pods: "w-i", to: 5, by: "2", comes: "1"}, {pods: "-ww", to: 2}, {pods: "ii", to: 0, by: "0", among: true}, {pods: "i", to: 0}, {pods: "", to: 2},
	} {
		b := parsedBlock(c.pods, c.to)
		got := Blocked{}
		if b != nil {
			got = *b
		}
		if got.By != c.by || got.Among != c.among || strings.Join(got.Goes, "") != c.goes || strings.Join(got.Comes, "") != c.comes {
			t.Errorf("%q to %d: %+v, want by %q, among %t, goes %q, comes %q", c.pods, c.to, got, c.by, c.among, c.goes, c.comes)
		}
	}
}

func parsedBlock(pods string, to int) *Blocked {
	there := members(pods)
	var living, condemned []*Member
	for n := range to {
		k := slices.IndexFunc(there, func(m *Member) bool { return m.Ordinal == n })
		if k < 0 {
			living = append(living, &Member{Name: fmt.Sprint(n), Ordinal: n, Made: 1})
		} else {
			living = append(living, there[k])
		}
	}
	for _, m := range slices.Backward(there) {
		if m.Ordinal >= to {
			condemned = append(condemned, m)
		}
	}
	return blocked(living, condemned)
}

func TestReplicaSetGivesUpThePodThatIsWorthLeast(t *testing.T) {
	now := time.Now()
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "rs", UID: "rs"}}
	ready := func(ago time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-ago))
			p.CreationTimestamp = metav1.NewTime(now.Add(-ago))
		}
	}
	restarted := func(n int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n}} }
	}
	for name, c := range map[string]struct {
		worse, better func(*corev1.Pod)
		sure          bool
	}{
		"unassigned": {func(p *corev1.Pod) { p.Spec.NodeName = "" }, func(*corev1.Pod) {}, true},
		"pending":    {func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, func(*corev1.Pod) {}, true},
		"not ready":  {ill, func(*corev1.Pod) {}, true},
		"cheap": {func(*corev1.Pod) {}, func(p *corev1.Pod) {
			p.Annotations = map[string]string{"controller.kubernetes.io/pod-deletion-cost": "5"}
		}, true},
		"restarted":    {restarted(7), restarted(1), true},
		"ready lately": {ready(time.Minute), ready(24 * time.Hour), false},
		"crowded":      {func(*corev1.Pod) {}, func(p *corev1.Pod) { p.Spec.NodeName = "worker-2" }, true},
	} {
		worse, better := pod(rs, "ReplicaSet", "z-worse", c.worse), pod(rs, "ReplicaSet", "a-better", c.better)
		related := []*corev1.Pod{worse, better, pod(rs, "ReplicaSet", "other")}
		got, sure := victims([]*corev1.Pod{better, worse}, related, 1, now)
		if got[0].Name != "z-worse" || sure != c.sure {
			t.Errorf("%s: %s goes, sure %t", name, got[0].Name, sure)
		}
	}
	twins := []*corev1.Pod{pod(rs, "ReplicaSet", "a"), pod(rs, "ReplicaSet", "b")}
	if _, sure := victims(twins, twins, 1, now); sure {
		t.Error("of two that are alike it is sure which goes")
	}
}

func TestQuotasAndBudgetsAreSaidInNumbers(t *testing.T) {
	w := Workload{New: 3}
	list := func(name corev1.ResourceName, v string) corev1.ResourceList {
		return corev1.ResourceList{name: resource.MustParse(v)}
	}
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	q.Status.Hard, q.Status.Used = list("requests.cpu", "4"), list("requests.cpu", "2500m")
	w.quota(q, list("cpu", "1"), nil)
	q.Status.Hard, q.Status.Used = list("limits.memory", "4Gi"), nil
	w.quota(q, nil, nil)
	q.Status.Hard, q.Status.Used = list("pods", "10"), list("pods", "7")
	w.quota(q, nil, nil)
	is(t, "notes", texts(w), "quota team allows 1 of 3 new pods: requests.cpu 2500m used of 4\n"+
		"quota team wants limits.memory to be set, and its template does not: no pod can be made, unless a LimitRange sets it")
	for spec, want := range map[string]int{"1": 1, "50%": 2, "-1": 2, "-50%": 1} {
		b := &policyv1.PodDisruptionBudget{}
		v := intstr.Parse(strings.TrimPrefix(spec, "-"))
		if b.Spec.MinAvailable = &v; spec[0] == '-' {
			b.Spec.MinAvailable, b.Spec.MaxUnavailable = nil, &v
		}
		if got, ok := needs(b, 3); got != want || !ok {
			t.Errorf("budget %s needs %d of 3, want %d", spec, got, want)
		}
	}
}

func texts(w Workload) string {
	var out []string
	for _, n := range w.notes {
		out = append(out, n.text)
	}
	return strings.Join(out, "\n")
}

func TestManyOrdinalsAreToldInStretches(t *testing.T) {
	w := Workload{Policy: appsv1.OrderedReadyPodManagement, From: 100, To: 97, Fewer: 3}
	for n := range 100 {
		m := Member{Name: fmt.Sprintf("web-%d", n), UID: "u", Ordinal: n, Well: n != 50, State: "Ready"}
		if n == 50 {
			m.State = "CrashLoopBackOff"
		}
		if n >= 97 {
			m.Removed = 100 - n
		}
		w.Members = append(w.Members, m)
	}
	var got []string
	for _, r := range w.strip(&Plan{}).Rows {
		got = append(got, strings.Join(slices.Delete(slices.Clone(r.Cells), 2, 3), " | "))
	}
	is(t, "strip", strings.Join(got, "\n"), "web-0 to web-49 | ● Ready | 50 stay\nweb-50 | ▲ CrashLoopBackOff | stays\nweb-51 to web-96 | ● Ready | 46 stay\nweb-97 to web-99 | ● Ready | 3 removed")
}

func TestWhatMayNotBeReadIsSaidAndThePlanGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/horizontalpodautoscalers",
			"/poddisruptionbudgets", "/resourcequotas", "/persistentvolumeclaims", "/nodes"))
		p := b.plan("1")
		var unknown []string
		for _, s := range p.Sections {
			if s.Title == "not known" {
				for _, r := range s.Rows {
					unknown = append(unknown, r.Cells[0])
				}
			}
		}
		slices.Sort(unknown)
		is(b.t, "not known", strings.Join(unknown, "\n"), "HPAs: you may not list them; one may set another number\n"+
			"budgets: you may not list them; a drain may have to wait afterwards\n"+
			"claims: you may not list them; which have old data, and how big they are, is not known\n"+
			"nodes: you may not list them; whether there is room is not known\n"+
			"quotas: you may not list them; one may not allow new pods")
		if len(p.Refusals) > 0 || p.Tier != action.Write || PlanOf(p).Workloads[0].Claims[0].Fate != Deleted {
			b.t.Errorf("refused %q, tier %d, claims %+v", p.Refusals, p.Tier, PlanOf(p).Workloads[0].Claims)
		}
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/pods"))
		if _, err := New().Plan(b.t.Context(), b.cluster, action.Target{Refs: []kube.Ref{web}}, nil); err == nil || !strings.Contains(err.Error(), "list the pods of shop") {
			b.t.Errorf("without its pods there is a plan: %v", err)
		}
	})
}

func TestPlanEndsWhenTheServerIsSilent(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		b.Silent()
		began := time.Now()
		_, err := New().Plan(b.t.Context(), b.cluster, action.Target{Refs: []kube.Ref{web}}, nil)
		if took := time.Since(began); err == nil || took > 31*time.Second {
			b.t.Errorf("%v after %v", err, took)
		}
		b.Fail(nil)
	})
}

func TestReplacedAndUnscalableObjectsHaveASentence(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(1)
		b.Put(pod(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent", UID: "agent"}}, "DaemonSet", "agent-x"))
		bare := pod(s, "StatefulSet", "bare")
		bare.OwnerReferences = nil
		b.Put(bare)
		ask := func(r kube.Ref) string {
			_, err := New().Plan(b.t.Context(), b.cluster, action.Target{Refs: []kube.Ref{r}}, nil)
			return fmt.Sprint(err)
		}
		other := web
		other.UID = "old"
		is(b.t, "replaced", ask(other), "shop/web "+send.ErrReplaced.Error()+"; nothing was done")
		is(b.t, "bare", ask(kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "bare", UID: "uid-bare"}), "shop/bare belongs to nothing that could be scaled: it was made by itself")
		is(b.t, "daemon", ask(kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "agent-x", UID: "uid-agent-x"}),
			"shop/agent-x belongs to DaemonSet agent: a DaemonSet has no number of replicas, it runs one pod per node; label or taint nodes instead")
		is(b.t, "node", ask(kube.Ref{Kind: kube.Nodes, Name: "n"}), "n: a node has no number of replicas; choose a workload")
	})
}

func TestOldDataIsNamedWithItsDate(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(1, withClaims)
		old := claim("web-1", false)
		old.CreationTimestamp = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
		stale := claim("web-2", true)
		b.Put(old, stale)
		p := b.plan("3")
		claims := PlanOf(p).Workloads[0].Claims
		if len(claims) != 2 || claims[0].Fate != Reused || claims[1].Fate != Made || !strings.Contains(claims[1].Why, "goes with its last pod") {
			b.t.Fatalf("%+v", claims)
		}
		for _, s := range p.Sections {
			if s.Title == "volumes" && s.Rows[0].Cells[4] != "used again: old data, made 2026-01-02 03:04" {
				b.t.Errorf("%q", s.Rows[0].Cells)
			}
		}
	})
}

func TestSheetsSayNothingThatCouldHarmATerminal(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(3, func(s *appsv1.StatefulSet) {
			s.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "a\x1b[2Jb:x", "meta.helm.sh/release-name": strings.Repeat("long ", 100)}
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "evil\x07.io/v1", Kind: "K\x1b]0;x\x07", Name: "n\n\nm", UID: types.UID("1"), Controller: new(bool)}}
			*s.OwnerReferences[0].Controller = true
		})
		p := b.plan("1")
		for _, s := range p.Sections {
			for _, r := range s.Rows {
				for _, c := range r.Cells {
					if c != text.Clean(c) || len(c) > 400 {
						b.t.Errorf("%q", c)
					}
				}
			}
		}
	})
}

func TestPodIsWellWhenItsControllerCountsIt(t *testing.T) {
	now := time.Now()
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "uid-web"}}
	since := func(p *corev1.Pod) {
		p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-10 * time.Second))
	}
	for want, c := range map[string]struct {
		minReady int32
		change   func(*corev1.Pod)
	}{
		"Ready": {10, since},
		"Ready, not available for 20s": {30, func(p *corev1.Pod) {
			since(p)
			p.Status.Conditions[0].LastTransitionTime.Time = now.Add(-10500 * time.Millisecond)
		}},
		"CrashLoopBackOff": {0, ill},
		"Terminating":      {0, going},
		"Pending":          {0, func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }},
		"Completed":        {0, func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodSucceeded, "Completed" }},
		"not Ready, 0/1":   {0, func(p *corev1.Pod) { p.Status.Conditions = nil; p.Spec.Containers = make([]corev1.Container, 1) }},
	} {
		well, state := wellness(pod(s, "StatefulSet", "web-0", c.change), c.minReady, now)
		if state != want || well != (want == "Ready") {
			t.Errorf("%q, well %t; want %q", state, well, want)
		}
	}
}

func TestStripFitsAScreenOfEightyColumns(t *testing.T) {
	for n := 1; n < 12; n++ {
		w := Workload{Policy: appsv1.OrderedReadyPodManagement}
		for k := range n {
			w.Members = append(w.Members, Member{Name: fmt.Sprintf("web-%d", k), UID: "u", Ordinal: k, State: "CreateContainerConfigError", Node: "ip-10-0-12-3.eu-west-1.compute.internal"})
		}
		s := w.strip(&Plan{Made: time.Now()})
		cols := 0
		for _, c := range s.Columns {
			cols += boolInt(!c.Wide)
		}
		if s.Columns[0].Title == "ordinal" && width(s) > 70 || cols > 7 {
			t.Errorf("%d ordinals: %d wide, %d columns", n, width(s), cols)
		}
	}
}

func TestClaimOnACordonedNodeKeepsItsPodPending(t *testing.T) {
	for cordoned, want := range map[bool]string{true: "web-1 would stay Pending: no node that is Ready and schedulable reaches the volume of data-web-1", false: ""} {
		onBench(t, func(b *bench) {
			b.set(1, withClaims)
			old := claim("web-1", false)
			old.Spec.VolumeName = "disk"
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: "n", Labels: map[string]string{"host": "worker-1"}}}
			node.Spec.Unschedulable = cordoned
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			disk := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk", UID: "v"}}
			disk.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "host", Operator: corev1.NodeSelectorOpIn, Values: []string{"worker-1"}}}}}}}
			b.Put(old, node, disk)
			if got := texts(PlanOf(b.plan("2")).Workloads[0]); strings.Contains(got, "would stay Pending: no node that is") != cordoned || !strings.Contains(got, want) {
				b.t.Errorf("cordoned %t: %s", cordoned, got)
			}
		})
	}
}
