package views

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

func TestFieldsOfPods(t *testing.T) {
	all := strings.Join(passing(t, "", pods()), " ")
	labelled := append(pods(), pod("lab", "done", "worker-01", time.Hour, func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "alpaca", "ver": "2"}
		p.Status.Phase, p.Status.ContainerStatuses[0].Ready = corev1.PodSucceeded, false
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
	}))
	rest := all + " lab/done"
	for filter, want := range map[string]string{
		"restarts>3":                     "shop/checkout",
		"restarts=0 ns=shop":             "shop/web-b shop/web-a shop/cart-2",
		"ns=payments,search":             "payments/web-a search/indexer",
		"ns!=shop,lab":                   "payments/web-a search/indexer",
		"node=-":                         "search/indexer",
		"node!=worker-01":                "payments/web-a shop/checkout shop/cart-2",
		"!node=worker-01":                "payments/web-a shop/checkout search/indexer shop/cart-2",
		"node=worker-0* name=*-A":        "shop/web-a payments/web-a",
		"status=crashloopbackoff":        "shop/checkout",
		"status=Running? ":               "shop/cart-2",
		"status=Running ns=shop":         "shop/web-b shop/web-a shop/cart-2",
		"status~loop":                    "shop/checkout",
		"ready=no":                       "shop/checkout search/indexer",
		"ready=0/1 ready!=no !ns=search": "",
		"ready=0/1":                      "shop/checkout search/indexer lab/done",
		"ready=yes ns=payments":          "payments/web-a",
		"age<20h":                        "shop/checkout search/indexer lab/done",
		"age=3d":                         "shop/web-b shop/web-a",
		"restarted<1m":                   "shop/checkout",
		"cpu>100m":                       "shop/web-b",
		"cpu>100%":                       "shop/web-b",
		"cpu<=100%":                      "shop/web-a",
		"cpu=- ns=shop":                  "shop/checkout shop/cart-2",
		"mem>0.1Gi":                      "",
		"mem>=100Mi":                     "shop/web-a",
		"memreq>15%":                     "shop/web-b shop/web-a",
		"cpulim=- ns=lab":                "lab/done",
		"owner=app-7d9f owner=replicaset/app-7d9f owner=ReplicaSet ns=lab": "lab/done",
		"qos=burstable severity=bad":                                       strings.Join(severe(pods(), kube.Bad), " "),
		"-l app=alpaca":                                                    "lab/done",
		"-l app in (alpaca, bandicoot),ver=2":                              "lab/done",
		"-l !app":                                                          all,
		"!-l app=alpaca":                                                   all,
		"re:web-[ab]$ ns=shop":                                             "shop/web-b shop/web-a",
		"re:^shop/.*[0-9]":                                                 "shop/cart-2",
		"che":                                                              "shop/checkout",
		"sche":                                                             "shop/checkout",
		"w07":                                                              "shop/cart-2",
		"!shcar":                                                           strings.Replace(rest, " shop/cart-2", "", 1),
		"deleting=yes":                                                     "", "bare=no ns=lab": "lab/done",
	} {
		if got := strings.Join(passing(t, filter, labelled), " "); got != want {
			t.Errorf("%s lets through %q, want %q", filter, got, want)
		}
	}
}

// severe gives the pods of a severity.
func severe(rows []*kube.Pod, s kube.Severity) []string {
	var names []string
	for _, p := range rows {
		if p.Severity(beside()) == s {
			names = append(names, p.Namespace+"/"+p.Name)
		}
	}
	return names
}

func TestFieldsOfNodes(t *testing.T) {
	for filter, want := range map[string]string{
		"status=NotReady": "worker-07 gpu-03", "status=NotReady(Unknown)": "worker-07", "ready=no": "worker-07 gpu-03", "cordoned=yes": "worker-03",
		"taint=node.kubernetes.io/unschedulable": "worker-03", "problem=DiskPressure": "worker-02", "roles=worker name=gpu*": "gpu-03",
		"cpu>40%": "worker-01", "cpu>=800m": "worker-01 worker-02", "mem>8Gi": "worker-02", "cpureq>20%": "worker-02", "memreq>1Gi": "worker-01",
		"pods>2": "worker-02", "pods=0": "worker-03 gpu-03 worker-04", "age>200d": "worker-01 worker-04", "version=v1.36*  zone=1a for<5m": "worker-07",
		"-l topology.kubernetes.io/zone=1a gpu": "gpu-03", "ip=10.8.1.1 os~debian kernel=6.12.57 runtime~containerd cpualloc=8 gpu": "gpu-03",
		"severity<notice": "worker-01 worker-04",
	} {
		f, err := ParseFilter("nodes", filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		var got []string
		m := beside()
		for _, n := range nodes() {
			if Keeps[*kube.Node](f)(n, m) {
				got = append(got, n.Name)
			}
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s lets through %q, want %q", filter, g, want)
		}
	}
}

func TestRowsWithoutLabelsSaySo(t *testing.T) {
	_, err := ParseFilter("certificates", "-l app=web")
	if err == nil || !strings.Contains(err.Error(), "certificates have no labels") {
		t.Errorf("-l of certificates: %v", err)
	}
}

func TestEveryFieldCanBeAskedOfEmptyRows(t *testing.T) {
	try := func(f Filterable, text string) {
		if _, err := ParseFilter(f.Rows, text); err != nil {
			t.Errorf("%s of %s: %v", text, f.Rows, err)
		}
	}
	for _, f := range Filterables() {
		var names []string
		for i := range f.Language.Fields {
			field := &f.Language.Fields[i]
			names = append(append(names, field.Name), field.Aliases...)
			if field.Says == "" {
				t.Errorf("%s of %s says nothing", field.Name, f.Rows)
			}
			try(f, field.Name+"=-")
			for _, v := range field.Values {
				try(f, fmt.Sprintf("%s=%q", field.Name, v))
			}
		}
		slices.Sort(names)
		if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
			t.Errorf("%s have two fields of one name: %v", f.Rows, names)
		}
	}
	empty, m := &kube.Pod{}, kube.Moment{}
	for _, f := range podFilterFields() {
		parsed, err := ParseFilter("pods", f.Name+"=-")
		if err != nil {
			t.Fatal(err)
		}
		Keeps[*kube.Pod](parsed)(empty, m)
	}
}

func TestFilterNamesTheKindsThatItReads(t *testing.T) {
	for filter, want := range map[string]kube.Kinds{
		"web": kube.Nodes, "restarts>1": kube.Nodes, "cpu>80%": kube.Nodes | kube.Metrics, "memlim>80% x": kube.Nodes | kube.Metrics,
	} {
		f, err := ParseFilter("pods", filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := PodsQuery(f).KeepReads; got != want {
			t.Errorf("%s reads %b, want %b", filter, got, want)
		}
	}
}

func TestFilterOfTheClockSaysWhenARowTurns(t *testing.T) {
	for filter, want := range map[string]time.Duration{ // of a pod that is one minute old and has one minute left until it is two
		"age<2m": time.Minute, "age>=2m": time.Minute, "age>30s": time.Minute - 30*time.Second + 0, "!age<2m": time.Minute, "age=1m": 0,
		"age<2m ns=cart": -1, "restarts>1": -1, "age<30s": -1, "age<2m age<90s": 30 * time.Second,
	} {
		p := pod("shop", "web", "worker-01", time.Minute, nil)
		f, err := ParseFilter("pods", filter)
		if err != nil {
			t.Fatal(err)
		}
		q, m := PodsQuery(f), beside()
		got := time.Duration(-1)
		if q.Until != nil {
			if at := q.Until(p, m); !at.IsZero() {
				got = at.Sub(m.Now).Truncate(time.Second)
				before, after := m, m
				before.Now, after.Now = at.Add(-2), at
				if q.Keep(p, before) == q.Keep(p, after) && !strings.Contains(filter, "90s") && filter != "age>30s" && filter != "age=1m" {
					t.Errorf("%s does not turn at %v", filter, at)
				}
			}
		}
		if filter == "age>30s" {
			want = -1 // both bounds lie behind: 30s and 31s
		}
		if got != want {
			t.Errorf("%s turns in %v, want %v", filter, got, want)
		}
	}
}

func TestFilterReferenceNamesEveryFieldAndForm(t *testing.T) {
	page := FilterReference()
	for _, f := range Filterables() {
		for _, field := range f.Language.Fields {
			if !strings.Contains(page, "| `"+field.Name+"`") {
				t.Errorf("%s of %s is not in it", field.Name, f.Rows)
			}
		}
	}
	for _, l := range []string{"-l app=web", "re:", "severity>=warning", "certificates have no labels"} {
		if !strings.Contains(page, l) {
			t.Errorf("%s is not in it", l)
		}
	}
}

// usualPods are many pods of a usual cluster, forty to a ReplicaSet.
func usualPods(n int) ([]*kube.Pod, kube.Moment) {
	rows := make([]*kube.Pod, n)
	uses := map[kube.PodKey]kube.Use{}
	for i := range rows {
		app := fmt.Sprintf("svc-%03d", i/40)
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: []string{"shop", "payments", "search", "media", "batch", "monitoring", "lab", "platform"}[i/40%8], Name: fmt.Sprintf("%s-7d9f8c6b5-%05x", app, i),
			CreationTimestamp: ago(time.Duration(i%10_000) * time.Minute),
			Labels:            map[string]string{"app": app, "team": "shop", "pod-template-hash": "7d9f8c6b5", "version": "v42"},
		}}
		controller := true
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: app + "-7d9f8c6b5", Controller: &controller}}
		p.Spec.NodeName = fmt.Sprintf("worker-%05d", i%5000)
		p.Status.Phase, p.Status.PodIPs = corev1.PodRunning, []corev1.PodIP{{IP: fmt.Sprintf("10.%d.%d.%d", 128+i/65536, i/256%256, i%256)}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Ready: true, RestartCount: int32(i % 7), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		rows[i] = kube.NewPod(p)
		rows[i].CPULimit = 1000
		uses[kube.PodKey{Namespace: p.Namespace, Name: p.Name}] = kube.Use{CPU: int64(i % 1000), Memory: 1 << 28}
	}
	return rows, kube.Moment{Now: noon, Usage: &kube.Usage{Pods: kube.NewPodUses(uses)}}
}

// letters are filters of every kind, and one of all kinds.
var letters = []string{
	"checkout-x2", "svc-123", `"svc-1234"`, "re:svc-[0-9]+4-.*f$", "re:[0-9a-f]{5}$", "-l app in (svc-001,svc-002),version!=v41", "restarts>5", "age<2h", "cpu>80%",
	"node=worker-0004*", `chex2 !web "svc" re:svc-[0-9]+ -l team=shop restarts>1 age<90d cpu>10% ns!=lab`,
}

func BenchmarkLetterOf150000(b *testing.B) {
	rows, m := usualPods(150_000)
	for _, text := range letters {
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			f, err := ParseFilter("pods", text)
			if err != nil {
				b.Fatal(err)
			}
			q := PodsQuery(f)
			b.ReportAllocs()
			kept := 0
			for b.Loop() {
				for _, p := range rows {
					if q.Keep(p, m) {
						kept++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/letter")
		})
	}
}

func TestAskingARowAllocatesNothing(t *testing.T) {
	rows, m := usualPods(200)
	for _, text := range letters {
		if raced && strings.Contains(text, "re:") {
			continue
		}
		f, err := ParseFilter("pods", text)
		if err != nil {
			t.Fatal(err)
		}
		q := PodsQuery(f)
		if n := testing.AllocsPerRun(5, func() {
			for _, p := range rows {
				q.Keep(p, m)
				if q.Until != nil {
					q.Until(p, m)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations for 200 rows", text, n)
		}
	}
}

func TestFilterReferenceIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../docs/filter.md")
	if err != nil || string(page) != FilterReference() {
		t.Errorf("docs/filter.md is stale (%v): go run . filters > docs/filter.md", err)
	}
}
