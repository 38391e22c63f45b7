package drain

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube/action"
)

// write gives a sheet line by line: cells behind each other, columns for wide screens only if it is one.
func write(p *action.Plan, wide bool) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	line("%s", p.Headline)
	for _, f := range p.Facts {
		line("%-6s %s%s", f.Name, f.Text, strings.Repeat("!", int(f.Severity)))
	}
	for _, s := range p.Sections {
		line("-- %s | %s", s.Title, s.Note)
		if len(s.Columns) > 0 {
			var titles []string
			for _, c := range s.Columns {
				if wide || !c.Wide {
					titles = append(titles, c.Title)
				}
			}
			line("%s", strings.Join(titles, " | "))
		}
		for _, r := range s.Rows {
			var cells []string
			for i, c := range r.Cells {
				if wide || len(s.Columns) == 0 || !s.Columns[i].Wide {
					cells = append(cells, c)
				}
			}
			line("%s%s", strings.Repeat("!", int(r.Severity)), strings.Join(cells, " | "))
		}
	}
	for _, t := range p.Toggles {
		line("[%s] %s", t.Value, t.Words)
	}
	line("$ %s", p.Kubectl[0])
	line("> %s | %s | %s | tier %d", p.Gate, p.Foot, p.Word, p.Tier)
	for _, r := range p.Refusals {
		line("refused: %s", r)
	}
	return b.String()
}

func (p *Plan) toSheet() *action.Plan {
	return p.sheet("prod", action.Target{Context: "prod"}, nil)
}

// story is worker-12 of the mock-ups: data that is lost, a pod made by hand, a budget at zero, and a pod that fits nowhere.
func story() *facts {
	deploy := func(name string) podOption { return owned("ReplicaSet", name) }
	pods := []*corev1.Pod{
		pod("kube-system/cilium-hx4vq", owned("DaemonSet", "cilium")), pod("kube-system/kube-proxy-9s2lk", static),
		pod("search/query-lq7ns", deploy("query"), emptyDir("cache", ""), asks("1", "4Gi")),
		pod("shop/thumbnails-w2x9c", deploy("thumbnails"), emptyDir("scratch", "2Gi"), asks("500m", "1Gi")),
		pod("default/debug-alice"),
		pod("shop/cart-1", owned("StatefulSet", "cart"), labelled("cart"), claimed, asks("1", "2Gi")),
		pod("media/transcode-0", owned("StatefulSet", "transcode"), wants("disktype=nvme"), asks("2", "8Gi")),
		pod("messaging/kafka-4", owned("StatefulSet", "kafka")), pod("messaging/kafka-1", owned("StatefulSet", "kafka")),
		pod("monitoring/loki-2", owned("StatefulSet", "loki"), grace(120)),
		pod("shop/web-j5h2n", deploy("web"), labelled("web")),
		pod("batch/scheduler-qq8zd", deploy("scheduler"), grace(150)),
		pod("media/resize-1", phase(corev1.PodFailed)),
		pod("shop/old-1", deploy("old"), deleted(4*time.Minute)),
	}
	for _, p := range pods {
		p.Spec.NodeName = "worker-12"
	}
	pressure := func(n *corev1.Node) {
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
			Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, LastTransitionTime: ago(23 * time.Minute),
		})
	}
	b := pdb("cart-pdb", "cart", 0, 2, 2, 3)
	sick := pod("shop/cart-2", labelled("cart"), notReady(time.Hour))
	sick.Spec.NodeName = "worker-07"
	b.peers = []*corev1.Pod{sick}
	f := cluster([]*corev1.Node{node("worker-12", pressure)}, pods...).with(b, pdb("web-pdb", "web", 2, 7, 5, 10))
	f.all = append(f.all, node("worker-31", cordoned))
	f.owner("StatefulSet", "cart", 2, 3).owner("StatefulSet", "transcode", 1, 1).owner("StatefulSet", "kafka", 5, 5).owner("StatefulSet", "loki", 3, 3)
	f.owner("Deployment", "query", 7, 8).owner("Deployment", "thumbnails", 3, 4).owner("Deployment", "web", 7, 10).owner("Deployment", "scheduler", 1, 1)
	f.claims[named("shop", "data")] = &corev1.PersistentVolumeClaim{
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
	}
	return f
}

func TestSheetTellsTheStoryOfTheNode(t *testing.T) {
	s := defaults
	s.EmptyDir, s.Unowned = true, true
	sheet := classify(story(), s, now).toSheet()
	want := `worker-12: Ready, DiskPressure 23m, v1.36.3, zone 1b. Of 14 pods 11 leave (1 waits), 2 stay, 1 is leaving already.
after  2 of 4 nodes ready and schedulable (3 now); worker-31 is cordoned
room   they ask for 4.5 cores and 15 GiB; free elsewhere: 16 cores, 64 GiB
time   not known: shop/cart-1 waits!!
-- cannot be undone | why this is tier 3
!!!2 pods lose their emptyDir data
  search/query-lq7ns  volume cache, no size limit
  shop/thumbnails-w2x9c  volume scratch, up to 2Gi
!!!1 pod has no owner: it does not come back
  default/debug-alice
-- will wait |
!!shop/cart-1: cart-pdb allows 0: 2 healthy, needs 2 (cart-2 is not ready)
!!media/transcode-0: fits nowhere else, its replacement will stay Pending: no other node has disktype=nvme
-- 11 pods leave | longest grace 2m30s
POD | OWNER | FITS ON | NOTE
!!shop/cart-1 | STS cart 2/3 | 2 nodes | waits for cart-pdb, RWO volume
!!batch/scheduler-qq8zd | Deploy 1/1 | 2 nodes | only replica: will be down, grace 2m30s
!!!default/debug-alice | none | - | does not come back
media/resize-1 | none | - | finished: removed
!!media/transcode-0 | STS transcode 1/1 | none | fits nowhere else, only replica: will be down
messaging/kafka-1 | STS kafka 5/5 | 2 nodes |
messaging/kafka-4 | STS kafka 5/5 | 2 nodes | after kafka-1
monitoring/loki-2 | STS loki 3/3 | 2 nodes | grace 2m0s
!!!search/query-lq7ns | Deploy 7/8 | 2 nodes | loses emptyDir cache
!!!shop/thumbnails-w2x9c | Deploy 3/4 | 2 nodes | loses emptyDir scratch
shop/web-j5h2n | Deploy 7/10 | 2 nodes | PDB allows 2
-- 1 already leaving | asked before, by somebody else
!shop/old-1: should have been gone 4m ago
-- 2 pods stay | DaemonSets and static pods: they would be put back at once
cilium-hx4vq  kube-proxy-9s2lk
[on] delete emptyDir data: 2 pods
[on] evict pods without an owner: 1
[on] one StatefulSet pod at a time
[on] evict late arrivals too
[off] ask the server's dry run
[own] grace
$ kubectl --context prod drain worker-12 --ignore-daemonsets --delete-emptydir-data --force
> evict 11 pods from worker-12 | 11 pods leave; 2 lose data, 1 is gone for good | worker-12 | tier 3
`
	if d := cmp.Diff(want, write(sheet, true)); d != "" {
		t.Errorf("wide (-want +got):\n%s", d)
	}
	narrow := strings.NewReplacer(" | FITS ON | ", " | ", " | 2 nodes |", " |", " | none | fits", " | fits", " | - | ", " | ").Replace(want)
	if d := cmp.Diff(narrow, write(sheet, false)); d != "" {
		t.Errorf("narrow (-want +got):\n%s", d)
	}
}

func TestWithoutItsOptionsTheStoryIsRefused(t *testing.T) {
	sheet := classify(story(), defaults, now).toSheet()
	want := []string{
		"2 pods use emptyDir and would lose it: choose that below, or leave",
		"1 pod has no owner and would not come back: choose that below, or leave",
	}
	if !slices.Equal(sheet.Refusals, want) || sheet.Tier != action.Read {
		t.Errorf("tier %d, %q", sheet.Tier, sheet.Refusals)
	}
	got := write(sheet, true)
	for _, line := range []string{
		"Of 14 pods 8 leave (1 waits), 2 stay, 3 need an option, 1 is leaving already.\n",
		"!!default/debug-alice: no owner: nobody makes it again\n", "!!search/query-lq7ns: emptyDir cache would be lost\n",
		"[off] delete emptyDir data: 2 pods\n", "[off] evict pods without an owner: 1\n",
		"$ kubectl --context prod drain worker-12 --ignore-daemonsets\n",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("there is no %q in\n%s", line, got)
		}
	}
	if strings.Contains(got, "cannot be undone") {
		t.Error(got)
	}
}

func TestTierFollowsWhatCannotBeTakenBack(t *testing.T) {
	web := pod("shop/a", owned("ReplicaSet", "web"))
	all := Settings{EmptyDir: true, Unowned: true, Together: 1}
	last := oneNodeCluster(web)
	last.all = []*corev1.Node{last.nodes[0].node, node("other-1", cordoned)}
	unread := oneNodeCluster(web)
	unread.all, unread.allKnown = nil, false
	for name, c := range map[string]struct {
		facts    *facts
		settings Settings
		tier     action.Tier
		why      string
	}{
		"plain":             {oneNodeCluster(web), all, action.Read, ""},
		"emptyDir":          {oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web"), emptyDir("x", ""))), all, action.Write, "1 pod loses its emptyDir data"},
		"emptyDir, refused": {oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web"), emptyDir("x", ""))), defaults, action.Read, "needs an option"},
		"unowned":           {oneNodeCluster(pod("shop/a")), all, action.Write, "1 pod has no owner"},
		"last node":         {last, all, action.Write, "no node remains"},
		"unknown others":    {unread, all, action.Read, "after  not known"},
		"control plane":     {cluster([]*corev1.Node{node("worker-1", marked("node-role.kubernetes.io/control-plane="))}, web), all, action.Write, "worker-1 is a node of the control plane"},
		"silent":            {cluster([]*corev1.Node{node("worker-1", silent)}, web), all, action.Write, "worker-1 has been silent for 14m: evictions are accepted, but no kubelet confirms them: this drain cannot finish"},
		"second is silent":  {cluster([]*corev1.Node{node("worker-1"), node("worker-2", silent)}, web), all, action.Write, "worker-2 has been silent"},
	} {
		t.Run(name, func(t *testing.T) {
			sheet := classify(c.facts, c.settings, now).toSheet()
			if got := write(sheet, true); sheet.Tier != c.tier || !strings.Contains(got, c.why) {
				t.Errorf("tier %d, want %d with %q in\n%s", sheet.Tier, c.tier, c.why, got)
			}
		})
	}
}

func TestSilentNodeOffersNotToWait(t *testing.T) {
	f := cluster([]*corev1.Node{node("worker-1", silent)}, pod("shop/a", owned("ReplicaSet", "web")))
	for hanging, want := range map[bool][]string{
		true:  {"choose below not to wait", "[on] wait for pods that nobody can confirm", "time   without an end"},
		false: {"will be left Terminating", "time   as long as the evictions take", "[off] wait for pods that nobody can confirm", "What can: a force delete of the pods, the out-of-service taint, or deleting the node"},
	} {
		s := defaults
		s.Hanging = hanging
		got := write(classify(f, s, now).toSheet(), true)
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("there is no %q in\n%s", line, got)
			}
		}
	}
	if got := write(classify(oneNodeCluster(), defaults, now).toSheet(), true); strings.Contains(got, "nobody can confirm") {
		t.Error(got)
	}
}

func TestSilentNodeOffersWhatReleasesItsPods(t *testing.T) {
	outOfService := tainted("node.kubernetes.io/out-of-service", "nodeshutdown")
	unready := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }
	for name, c := range map[string]struct {
		nodes []*corev1.Node
		want  []string
	}{
		"a node that is well":         {[]*corev1.Node{node("worker-1")}, nil},
		"a kubelet that is not ready": {[]*corev1.Node{node("worker-1", unready)}, nil},
		"a silent one": {[]*corev1.Node{node("worker-1", silent)}, []string{
			"node.out-of-service [worker-1 uid-worker-1] taint worker-1 out-of-service: releases 2 pods, detaches their volumes",
			"node.delete-node [worker-1 uid-worker-1] delete the Node object of worker-1: releases 2 pods",
		}},
		"a silent one that is tainted": {[]*corev1.Node{node("worker-1", silent, outOfService)}, []string{
			"node.delete-node [worker-1 uid-worker-1] delete the Node object of worker-1: releases 2 pods",
		}},
		"one of three is well": {[]*corev1.Node{node("worker-1", silent, outOfService), node("worker-2"), node("worker-3", silent)}, []string{
			"node.out-of-service [worker-3 uid-worker-3] taint worker-3 out-of-service: releases 0 pods, detaches their volumes",
			"node.delete-node [worker-1 uid-worker-1 worker-3 uid-worker-3] delete the Node object of worker-1 and 1 more: releases 2 pods",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := cluster(c.nodes, pod("shop/a", owned("ReplicaSet", "web")), pod("shop/b", deleted(time.Minute)),
				pod("shop/done", phase(corev1.PodSucceeded)), pod("kube-system/proxy", owned("DaemonSet", "proxy")))
			var got []string
			for _, o := range classify(f, defaults, now).toSheet().Instead {
				var refs []string
				for _, r := range o.Target.Refs {
					refs = append(refs, r.Name, r.UID)
				}
				got = append(got, fmt.Sprint(o.Action, " ", refs, " ", o.Words))
				if o.Target.Context != "prod" {
					t.Errorf("the context is %q", o.Target.Context)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestNodeWithNothingToEvictIsOnlyCordoned(t *testing.T) {
	for want, n := range map[string]*corev1.Node{
		"cordon worker-1: no pod has to leave":         node("worker-1"),
		"leave worker-1 cordoned: no pod has to leave": node("worker-1", cordoned),
	} {
		sheet := classify(cluster([]*corev1.Node{n}, pod("kube-system/cilium", owned("DaemonSet", "cilium"))), defaults, now).toSheet()
		if sheet.Gate != want || len(sheet.Refusals) > 0 {
			t.Errorf("%q %q", sheet.Gate, sheet.Refusals)
		}
		if news := strings.Contains(sheet.Facts[0].Text, " now)"); news == n.Spec.Unschedulable {
			t.Errorf("what remains is what there is now: %q", sheet.Facts[0].Text)
		}
	}
}

func TestPodThatIsNeverLetGoDoesNotRefuseThePlan(t *testing.T) {
	f := oneNodeCluster(pod("shop/cart-0", owned("StatefulSet", "cart"), labelled("cart"))).with(pdb("b", "cart", 0, 3, 3, 3))
	sheet := classify(f, defaults, now).toSheet()
	got := write(sheet, true)
	if len(sheet.Refusals) > 0 || !strings.Contains(got, "-- will fail | the drain cannot finish") || !strings.Contains(got, "without an end: 1 pod will not be let go") {
		t.Error(got)
	}
}

func TestSeveralNodesShareOneSheet(t *testing.T) {
	a, b := pod("shop/a", owned("ReplicaSet", "web")), pod("shop/b", owned("ReplicaSet", "web"))
	b.Spec.NodeName = "worker-2"
	s := defaults
	s.Together = 2
	sheet := classify(cluster([]*corev1.Node{node("worker-1"), node("worker-2", cordoned)}, a, b), s, now).toSheet()
	got := write(sheet, true)
	for _, line := range []string{
		"2 nodes: worker-1, worker-2. Of 2 pods 2 leave, 0 stay, 0 wait.\n",
		"node   worker-1: Ready, v1.36.3, zone 1b. Of 1 pod 1 leaves, 0 stay, 0 wait.\n",
		"but    two nodes at once: less room, budgets are shared!!\n", "POD | NODE | OWNER | FITS ON | NOTE\n", "shop/b | worker-2 | ",
		"[2] nodes at the same time\n", "drain worker-1 worker-2 --ignore", "> evict 2 pods from 2 nodes | 2 pods leave | 2 nodes |",
		"note   worker-2 is cordoned already",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("there is no %q in\n%s", line, got)
		}
	}
	s.Together = 1
	if got = write(classify(cluster([]*corev1.Node{node("worker-1"), node("worker-2")}, a, b), s, now).toSheet(), false); strings.Contains(got, "at once") || strings.Contains(got, "| NODE") {
		t.Error(got)
	}
}

func TestTimeIsThatOfTheLongestChain(t *testing.T) {
	kafka := owned("StatefulSet", "kafka")
	f := oneNodeCluster(pod("shop/kafka-0", kafka), pod("shop/kafka-1", kafka), pod("shop/web", owned("ReplicaSet", "web"), grace(60)))
	f.owner("StatefulSet", "kafka", 5, 5)
	if got := write(classify(f, defaults, now).toSheet(), true); !strings.Contains(got, "about 2m: longest grace 1m, one StatefulSet pod at a time, no budget at zero") {
		t.Error(got)
	}
	s := defaults
	s.Gentle = false
	if got := write(classify(f, s, now).toSheet(), true); !strings.Contains(got, "about 1m30s: longest grace 1m, no budget at zero") {
		t.Error(got)
	}
}

func TestCommandSurvivesAnyContextName(t *testing.T) {
	p := classify(oneNodeCluster(), Settings{Grace: 90 * time.Second, EmptyDir: true, Unowned: true}, now)
	for name, want := range map[string]string{
		"prod":              "kubectl --context prod drain",
		"arn:aws:eks/prod":  "kubectl --context arn:aws:eks/prod drain",
		"a b; rm -rf $HOME": "kubectl --context 'a b; rm -rf $HOME' drain",
		"it's":              `kubectl --context 'it'\''s' drain`,
		"":                  "kubectl drain",
	} {
		if got := p.kubectl(name); got != want+" worker-1 --ignore-daemonsets --delete-emptydir-data --force --grace-period=90" {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestOptionsAreReadAsTheSheetWritesThem(t *testing.T) {
	if s, err := Parse(nil); err != nil || s != defaults {
		t.Errorf("%+v %v", s, err)
	}
	all := classify(cluster([]*corev1.Node{node("worker-1", silent), node("worker-2")}), defaults, now).toggles()
	o := action.Options{}
	for _, toggle := range all {
		o[toggle.ID] = toggle.Next()
	}
	s, err := Parse(o)
	want := Settings{EmptyDir: true, Unowned: true, DryRun: true, Grace: 10 * time.Second, Together: 2}
	if err != nil || s != want || len(all) != 8 {
		t.Errorf("%+v %v of %d toggles", s, err, len(all))
	}
	for _, g := range graces() {
		s, err := Parse(action.Options{OptionGrace: g})
		if err != nil || s.graceText() != g {
			t.Errorf("%s became %s: %v", g, s.graceText(), err)
		}
	}
	for _, bad := range []action.Options{
		{OptionGrace: "0"}, {OptionGrace: "0s"}, {OptionGrace: "-5s"}, {OptionGrace: "1500ms"}, {OptionGrace: "soon"},
		{OptionTogether: "0"}, {OptionTogether: "many"}, {OptionEmptyDir: "yes"},
	} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestGraceThatTheSheetDoesNotOfferIsStillOnIt(t *testing.T) {
	for _, toggle := range classify(oneNodeCluster(), Settings{Grace: 45 * time.Second, Together: 1}, now).toggles() {
		if toggle.ID == OptionGrace && (toggle.Value != "45s" || !slices.Contains(toggle.Values, "45s")) {
			t.Errorf("%+v", toggle)
		}
		if !slices.Contains(toggle.Values, toggle.Value) {
			t.Errorf("%+v", toggle)
		}
	}
}

func TestDryRunOnTheSheetSaysThatItReservesNothing(t *testing.T) {
	p := classify(oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web"))), defaults, now)
	if got := write(p.toSheet(), true); strings.Contains(got, "reserves nothing") {
		t.Error(got)
	}
	p.Tested = true
	if got := write(p.toSheet(), true); !strings.Contains(got, "the server refuses none of 1 eviction\nit reserves nothing: pods of one budget are each asked alone\n") {
		t.Error(got)
	}
}

func TestAuditLogGetsEveryPodThatIsPlanned(t *testing.T) {
	d := classify(story(), defaults, now).toSheet().Details
	planned := d["nodes"].(map[string]any)["worker-12"].(map[string]any)["pods"].([]string)
	if len(planned) != 8 || !slices.Contains(planned, "shop/cart-1 uid-cart-1") || slices.Contains(planned, "default/debug-alice uid-debug-alice") {
		t.Errorf("%q", planned)
	}
	if counts := d["counts"].(map[string]int); counts["leave"] != 8 || counts["needOption"] != 3 || counts["stay"] != 2 {
		t.Errorf("%v", counts)
	}
}

func TestNothingHostileReachesTheSheet(t *testing.T) {
	const evil = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e\x9b31mevil"
	p := pod("shop/cart-0", owned("Kind"+evil, "cart"+evil), labelled("cart"), emptyDir("x"+evil, ""), wants("disk="+evil),
		annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", evil))
	p.Finalizers = []string{"a/" + evil}
	p.Spec.PriorityClassName = evil
	n := node("worker-1", tainted("gpu", evil), marked(corev1.LabelTopologyZone+"="+evil))
	n.Status.NodeInfo.KubeletVersion = evil
	n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeConditionType(evil), Status: corev1.ConditionTrue})
	f := cluster([]*corev1.Node{n}, p).with(pdb("b", "cart", 0, 0, 0, 0, func(b *policyv1.PodDisruptionBudget) {
		b.Status.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason, Message: evil}}
	}))
	f.context = evil
	plan := classify(f, Settings{EmptyDir: true, Together: 1}, now)
	for name, v := range map[string]any{"plan": plan, "sheet": plan.sheet(evil, action.Target{}, nil)} {
		eachString(reflect.ValueOf(v), func(s string) {
			if text.Clean(s) != s {
				t.Errorf("%s: %q", name, s)
			}
		})
	}
}

// eachString visits all text in a value.
func eachString(v reflect.Value, visit func(string)) {
	switch v.Kind() {
	case reflect.String:
		visit(v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			eachString(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachString(v.Index(i), visit)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			eachString(v.MapIndex(k), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachString(v.Field(i), visit)
			}
		}
	default: // numbers have no text
	}
}
