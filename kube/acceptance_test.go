package kube

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// incident is the moment at which the fixtures are looked at, in the zone of the people who looked at them.
var incident = time.Date(2022, time.February, 17, 17, 20, 15, 0, time.FixedZone("EST", -5*60*60))

// fixtures reads the objects of a YAML file, by name.
func fixtures[T any](t *testing.T, file string, name func(*T) string) map[string]*T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*T{}
	for docs := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096); ; {
		object := new(T)
		if err := docs.Decode(object); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[name(object)] = object
	}
}

func podFixtures(t *testing.T) map[string]*Pod {
	rows := map[string]*Pod{}
	for name, pod := range fixtures(t, "pods.yaml", func(p *corev1.Pod) string { return p.Name }) {
		rows[name] = NewPod(pod)
	}
	return rows
}

func nodeFixtures(t *testing.T) map[string]*Node {
	rows := map[string]*Node{}
	for name, node := range fixtures(t, "nodes.yaml", func(n *corev1.Node) string { return n.Name }) {
		rows[name] = NewNode(node)
	}
	return rows
}

// incidentMoment is what the fixtures are seen beside: the nodes of the same file, and what their pods ask for.
func incidentMoment(t *testing.T) Moment {
	m := Moment{Now: incident, Nodes: map[string]NodeState{}, Loads: map[string]Load{}}
	for name, n := range nodeFixtures(t) {
		m.Nodes[name] = n.State()
	}
	return m
}

// worstFirst orders names by badness and then by name, as the panes do.
func worstFirst[R interface {
	Badness(Moment) (uint8, time.Time)
}](rows map[string]R, m Moment) []string {
	names := make([]string, 0, len(rows))
	for name := range rows {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		ra, _ := rows[a].Badness(m)
		rb, _ := rows[b].Badness(m)
		return cmp.Or(cmp.Compare(rb, ra), cmp.Compare(a, b))
	})
	return names
}

func TestUnreadyNodeComesFirst(t *testing.T) { // AC-N1
	nodes := nodeFixtures(t)
	delete(nodes, "minion-861h")
	delete(nodes, "minion-sparse")
	m := incidentMoment(t)
	order := worstFirst(nodes, m)
	if order[0] != "kube-worker-1" {
		t.Errorf("order is %v", order)
	}
	ready := 0
	for _, n := range nodes {
		if n.State().Ready {
			ready++
		}
	}
	if ready != 3 {
		t.Errorf("%d of %d are ready, want 3", ready, len(nodes))
	}
}

func TestSilentNodeIsExplained(t *testing.T) { // AC-N2
	n, m := nodeFixtures(t)["kube-worker-1"], incidentMoment(t)
	m.Now = time.Date(2022, time.February, 17, 17, 18, 4, 0, incident.Location())
	m.Loads["kube-worker-1"] = Load{Pods: 5, CPURequests: 1100, MemRequests: 456 << 20, CPULimits: 1000, MemLimits: 256 << 20}
	equal(t, n.Status, "NotReady")
	equal(t, n.StatusText(), "NotReady(Unknown)")
	equal(t, n.ConditionsText(), "all Unknown")
	equal(t, n.Severity(m), Bad)
	equal(t, clock(m.Now, n.For()), "17:13:52")
	equal(t, strings.Join(n.Diagnosis(m), "\n"),
		"kubelet silent: last status 17:12:40, declared 17:13:52; what its pods' rows say is history\n"+
			"5 pods; those with the default toleration are evicted in at most 0:48")
	load := m.Loads["kube-worker-1"]
	for want, got := range map[string]string{
		"55%": percentText(load.CPURequests, n.Allocatable.CPU), "50%": percentText(load.CPULimits, n.Allocatable.CPU),
		"24%": percentText(load.MemRequests, n.Allocatable.Memory), "13%": percentText(load.MemLimits, n.Allocatable.Memory),
	} {
		equal(t, got, want)
	}
}

func TestLoadOfANodeIsTheSumOfItsPods(t *testing.T) { // AC-N3
	n, pods := nodeFixtures(t)["kube-worker-1"], podFixtures(t)
	for name, want := range map[string]string{"nginx-guaranteed": "25% 6%", "weave-net-gjxxp": "5% 10%"} {
		p := pods[name]
		equal(t, percentText(p.CPURequest, n.Allocatable.CPU)+" "+percentText(p.MemRequest, n.Allocatable.Memory), want)
	}
	sum := func(of func(*Pod) int64) int64 { return 2*of(pods["nginx-guaranteed"]) + of(pods["weave-net-gjxxp"]) }
	equal(t, sum(func(p *Pod) int64 { return p.CPURequest }), 1100)
	equal(t, sum(func(p *Pod) int64 { return p.CPULimit }), 1000)
	equal(t, sum(func(p *Pod) int64 { return p.MemRequest }), 456<<20)
	equal(t, sum(func(p *Pod) int64 { return p.MemLimit }), 256<<20)
}

func TestRecoveredNodeIsWell(t *testing.T) { // AC-N4
	n, m := nodeFixtures(t)["kube-worker-2"], incidentMoment(t)
	m.Loads["kube-worker-2"] = Load{Pods: 39, CPURequests: 1190, MemRequests: 1700 << 20}
	m.Usage = &Usage{NodesAt: incident.Add(-6 * time.Second), Nodes: map[string]Use{"kube-worker-2": {CPU: 770, Memory: 1250 << 20}}}
	equal(t, n.Severity(m), OK)
	equal(t, n.ConditionsText(), "-")
	equal(t, strings.Join(n.Diagnosis(m), "\n"),
		"Ready for 33m; 39 of 110 pods, cpu 59% and memory 90% requested\nuses 38% of its cpu and 66% of its memory (sample 6s ago)")
}

func TestOldNodeIsExplainedWithoutTaints(t *testing.T) { // AC-N5
	n := nodeFixtures(t)["minion-861h"]
	m := Moment{Now: time.Date(2015, time.July, 10, 21, 40, 0, 0, time.UTC), Loads: map[string]Load{"minion-861h": {Pods: 4}}}
	equal(t, n.Severity(m), Bad)
	equal(t, n.ConditionsText(), "all Unknown")
	equal(t, strings.Join(n.Diagnosis(m), "\n"),
		"kubelet silent: last status 21:32:18, declared 21:34:32; what its pods' rows say is history\n4 pods; no taint evicts them so far")
	if !slices.ContainsFunc(n.Problems, func(c NodeCondition) bool { return c.Type == "OutOfDisk" }) {
		t.Errorf("OutOfDisk is missing: %+v", n.Problems)
	}
	for want, got := range map[string]string{
		"60%": percentText(900, n.Allocatable.CPU), "146%": percentText(2200, n.Allocatable.CPU),
		"66%": percentText(1009286400, n.Allocatable.Memory), "375%": percentText(5681286400, n.Allocatable.Memory),
	} {
		equal(t, got, want)
	}
}

func TestSparseNodeIsExplained(t *testing.T) { // AC-N6
	n := nodeFixtures(t)["minion-sparse"]
	m := Moment{Now: time.Date(2015, time.July, 10, 21, 50, 0, 0, time.UTC)}
	equal(t, n.Status, "NotReady")
	equal(t, n.ConditionsText(), "all Unknown")
	equal(t, n.ExternalIP, "104.197.0.26")
	equal(t, n.Allocatable, n.Capacity)
	equal(t, strings.Join(n.Diagnosis(m), "\n"),
		"kubelet silent: last status 21:34:32, declared 21:35:15; what its pods' rows say is history\n"+
			"its pods are not known; no taint evicts them so far")
}

func TestWideColumnsOfNodes(t *testing.T) { // AC-N7, AC-N8, AC-N9
	nodes := nodeFixtures(t)
	equal(t, nodes["kube-worker-1"].Runtime, "containerd://1.5.9")
	equal(t, nodes["kube-worker-2"].Runtime, "docker://20.10.12")
	equal(t, nodes["kube-worker-1"].Roles, "<none>")
	equal(t, nodes["minikube"].Roles, "master")
	equal(t, nodes["minikube"].Severity(Moment{Now: incident}), OK)
	equal(t, percentText(755, nodes["minikube"].Allocatable.CPU), "37%")
	equal(t, percentText(190<<20, nodes["minikube"].Allocatable.Memory), "10%")
	equal(t, percentText(340<<20, nodes["minikube"].Allocatable.Memory), "17%")
}

func TestConditionsThatMeanWellAreNoProblem(t *testing.T) {
	n, m := nodeFixtures(t)["provided"], incidentMoment(t)
	if len(n.Problems) > 0 || n.Severity(m) != OK {
		t.Errorf("a healthy node has problems: %+v", n.Problems)
	}
	if d := n.Diagnosis(m); !strings.HasSuffix(d[1], "; taints: dedicated=gpu:NoSchedule") {
		t.Errorf("taints are not told: %q", d)
	}
}

func TestPodsOfAnIncidentAreExplained(t *testing.T) {
	pods, m := podFixtures(t), incidentMoment(t)
	for name, want := range map[string]struct {
		columns   string // STATUS READY RESTARTS
		severity  Severity
		diagnosis []string
	}{
		"too-big": {"Pending 0/1 0", Warning, []string{ // AC-P2, AC-P4
			"Pending 8m20s: 0/3 nodes are available: 3 Insufficient memory",
			"3 of 3 nodes: not enough memory; it asks for cpu 1, memory 24Gi",
		}},
		"too-big-long-ago": {"Pending 0/1 0", Warning, []string{ // AC-P4
			"Pending 8m20s: No nodes are available that match all of the following predicates:: Insufficient cpu (3)",
			"3 nodes: not enough cpu; it asks for cpu 100, memory 0",
		}},
		"needs-dongle": {"Pending 0/1 0", Warning, []string{ // AC-P5
			"Pending 6m: No nodes are available that match all of the following predicates:: Insufficient example.com/dongle (1)",
			"1 node: not enough example.com/dongle; it asks for no cpu or memory",
		}},
		"memory-hog": {"OOMKilled 0/1 2 (65s ago)", Bad, []string{ // AC-P3
			"OOMKilled (exit 137), memory limit 100Mi, 41s ago", "2 restarts; the last run took 2s",
		}},
		"memory-hog-again": {"Running 1/1 2 (41s ago)", Warning, []string{ // AC-P3
			"restarted 41s ago: OOMKilled (exit 137), memory limit 100Mi; ready again for 31s",
			"2 restarts in all; it asks for cpu 0, memory 50Mi; no sample of its use",
		}},
		"init-loops": {"Init:CrashLoopBackOff 0/1 3 (41s ago)", Bad, []string{ // AC-P6
			`init step 2 of 2, setup, fails: exit 1, 41s ago: "cp: cannot stat 'master.cnf': No such file or directory"; due to start again`,
		}},
		"init-runs": {"Init:1/2 0/1 0", Warning, []string{
			"init step 2 of 2, setup, is running; the pod has been initialising on kube-worker-2 for 5m15s",
		}},
		"checkout-7d9f8c6b5-x2k4q": {"CrashLoopBackOff 0/1 4 (41s ago)", Bad, []string{ // AC-P7
			`exit 1, 41s ago: "lookup cart-2.cart: no such host"; starts again in 1:59`,
			"4 restarts; the last run took 3s",
		}},
		"mysql-2": {"Running 1/2 0", Warning, []string{ // AC-P9
			"1 of 2 containers not ready: mysql, for 6m2s",
		}},
		"goes-round": {"Running 1/1 1 (45s ago)", OK, []string{ // AC-P11
			"restarted 45s ago: exit 0; ready again for 40s", "1 restart in all; it asks for no cpu or memory; no sample of its use",
		}},
		"goes-round-pauses": {"Completed 0/1 0", OK, []string{ // AC-P11
			"1 of 1 container completed for 45s; never restarted", "it asks for no cpu or memory; no sample of its use",
		}},
		"static-web": {"Running 1/1 0", OK, []string{ // AC-P12
			"Ready for 20m; never restarted; a static pod, its manifest is on kube-worker-2",
			"it asks for no cpu or memory; no sample of its use",
		}},
		"termination-demo": {"Completed 0/1 0", OK, []string{ // AC-P13
			`completed 10m ago, exit 0: "Sleep expired"`,
		}},
		"node-debugger-mynode-pdx84": {"Completed 0/1 0", OK, []string{ // AC-P16
			"completed 10m ago, exit 0",
		}},
		"ephemeral-demo": {"Running 1/1 0", OK, []string{ // AC-P17
			"Ready for 20m; never restarted", "it asks for no cpu or memory; no sample of its use",
		}},
		"report-29394180-9xk4m": {"ImagePullBackOff 0/1 0", Bad, []string{
			"cannot pull reg.corp/report:2.1: dial tcp 10.0.0.9:443: connect: connection refused",
		}},
		"nginx-guaranteed": {"Running 1/1 0", Warning, []string{ // AC-P1, on a silent node
			"the kubelet of kube-worker-1 is silent (declared 17:13:52): what this row says is history",
			"before that: Ready for 80m; never restarted",
		}},
		"cart-2": {"Terminating 1/1 0", Warning, []string{
			"deleted 4m12s ago, grace 30s, overdue by 3m42s; " +
				"node kube-worker-1 silent (declared 17:13:52): nobody confirms it; finalizers: none",
			"1 of 1 container ready when the kubelet last reported",
		}},
		"evicted": {"Evicted 0/1 0", Warning, []string{
			"Evicted 15m ago: The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi.",
			"it will not run again; its ReplicaSet thumbs-5b6c9d7d8 decides on another",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pods[name]
			equal(t, p.Status+" "+fraction(int(p.Ready), int(p.Containers))+" "+p.RestartsText(m.Now), want.columns)
			equal(t, p.Severity(m), want.severity)
			equal(t, strings.Join(p.Diagnosis(m), "\n"), strings.Join(want.diagnosis, "\n"))
		})
	}
}

func TestPodsOfAnIncidentAreOrderedByBadness(t *testing.T) {
	order := worstFirst(podFixtures(t), incidentMoment(t))
	want := []string{
		"checkout-7d9f8c6b5-x2k4q", "memory-hog", "report-29394180-9xk4m", // crash, OOM, image
		"init-loops",                                               // init fails
		"init-runs", "needs-dongle", "too-big", "too-big-long-ago", // pending
		"mysql-2",                             // not all ready
		"cart-2",                              // terminating beyond grace
		"nginx-guaranteed", "weave-net-gjxxp", // history
		"evicted", "memory-hog-again", // failed, restarted
	}
	if got := order[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestPodFactsForFilters(t *testing.T) { // AC-P1, AC-P12, AC-P14, AC-P16
	pods := podFixtures(t)
	equal(t, string(rune(pods["nginx-guaranteed"].QoS)), "G")
	equal(t, string(rune(pods["too-big"].QoS)), "B")
	equal(t, pods["too-big-long-ago"].QoS, BestEffort)
	equal(t, pods["static-web"].Mirror && !pods["static-web"].Bare, true)
	equal(t, pods["weave-net-gjxxp"].OwnerKind, "DaemonSet")
	equal(t, pods["node-debugger-mynode-pdx84"].Bare && pods["node-debugger-mynode-pdx84"].Completed(), true)
	equal(t, pods["nginx-guaranteed"].IP, "10.88.0.3")
	equal(t, pods["nginx-guaranteed"].OwnerKind+"/"+pods["nginx-guaranteed"].OwnerName, "ReplicaSet/nginx-67d4bdd6f5")
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
