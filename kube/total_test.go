package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// eaters is a cluster without a server, whose pods and samples a test sets.
type eaters struct {
	*Cluster
	totals     *Feed[*Total]
	containers *Feed[*Container]
	now        time.Time
}

func newEaters() *eaters {
	c := New(Clients{Kubernetes: kubernetes.NewForConfigOrDie(&rest.Config{})}, "", "", []string{""}, nil)
	c.pods.setState(origin{}, State{Phase: Live, Since: someDay})
	return &eaters{Cluster: c, totals: c.TotalFeed(), containers: c.ContainerFeed(), now: someDay}
}

func (e *eaters) askTotals() {
	e.totals.SetQuery(Query[*Total]{Tie: func(a, b *Total) int { return strings.Compare(a.Ref().UID, b.Ref().UID) }})
}

func (e *eaters) askContainers() {
	e.containers.SetQuery(Query[*Container]{Tie: func(a, b *Container) int { return strings.Compare(a.Ref().UID, b.Ref().UID) }})
}

// measure has the next publication see these samples.
func (e *eaters) measure(pods map[PodKey][]ContainerSample) {
	u := e.meter.cur.Load().Then(e.now, nil, pods)
	e.meter.cur.Store(u)
	e.touch(Metrics)
}

// later publishes after a while.
func (e *eaters) later(d time.Duration) {
	e.now = e.now.Add(d)
	e.publishOnce(e.now)
	if e.users.running {
		e.users.ready <- <-e.users.ready // wait until it is there
		e.publishOnce(e.now)
	}
}

func (e *eaters) total(level TotalLevel, kind, namespace, name string) Total {
	s := e.totals.Load()
	for i := range s.Len() {
		if t := s.Row(i); t.Level == level && t.Kind == kind && t.Namespace == namespace && t.Name == name {
			return *t
		}
	}
	return Total{}
}

func eater(name, ownerKind, ownerName, node string, mem int64) *Pod {
	p := &Pod{
		Namespace: "shop", Name: name, UID: "uid-" + name, Node: node, OwnerKind: ownerKind, OwnerName: ownerName,
		Phase: corev1.PodRunning, Status: "Running", CPURequest: 100, MemRequest: mem, MemLimit: 2 * mem,
	}
	p.index()
	return p
}

func TestTotalsAreThoseOfPodsThatHaveNotEnded(t *testing.T) {
	e := newEaters()
	done, unbounded := eater("done", "Job", "report-29384000", "worker-1", 1<<20), eater("free", "", "", "worker-2", 0)
	done.Phase = corev1.PodSucceeded
	e.pods.put(
		eater("web-1", "ReplicaSet", "web-7d9f8c6b5", "worker-1", 10), eater("web-2", "ReplicaSet", "web-7d9f8c6b5", "worker-2", 10),
		eater("web-old", "ReplicaSet", "web-5c4d6f7b8", "worker-2", 10), eater("cart-0", "StatefulSet", "cart", "worker-1", 40),
		eater("odd", "ReplicaSet", "frontend-canary", "worker-1", 10), eater("waits", "StatefulSet", "cart", "", 40),
		eater("run", "Job", "report-29384400", "worker-2", 5), done, unbounded,
	)
	e.workloads.put(
		&Workload{Kind: ReplicaSets, Namespace: "shop", Name: "frontend-canary", UID: "rs", OwnerKind: "Deployment", OwnerName: "frontend"},
		&Workload{Kind: Jobs, Namespace: "shop", Name: "report-29384400", UID: "job", Run: &Run{}}, // made by hand: nobody's
	)
	e.measure(map[PodKey][]ContainerSample{
		{"shop", "web-1"}: {{"app", sampleAt(someDay, 7)}}, {"shop", "web-2"}: {{"app", sampleAt(someDay, 9)}},
		{"shop", "done"}: {{"app", sampleAt(someDay, 1000)}}, {"shop", "cart-0"}: {{"app", sampleAt(someDay, 20)}, {"log", sampleAt(someDay, 2)}},
	})
	e.askTotals()
	e.later(0)
	for _, want := range []Total{
		{Level: OfWorkload, Kind: "Deployment", Namespace: "shop", Name: "web", Pods: 3, Sampled: 2, Use: Use{16, 16 << 20}, Load: Load{3, 300, 30, 0, 60}},
		{Level: OfWorkload, Kind: "Deployment", Namespace: "shop", Name: "frontend", Pods: 1, Load: Load{1, 100, 10, 0, 20}},
		{Level: OfWorkload, Kind: "StatefulSet", Namespace: "shop", Name: "cart", Pods: 2, Sampled: 1, Use: Use{22, 22 << 20}, Load: Load{2, 200, 80, 0, 160}},
		{Level: OfWorkload, Kind: "Job", Namespace: "shop", Name: "report-29384400", Pods: 1, Load: Load{1, 100, 5, 0, 10}},
		{Level: OfWorkload, Kind: "Pod", Namespace: "shop", Name: barePods, Pods: 1, Load: Load{1, 100, 0, 0, 0}, Unbounded: 1},
		{Level: OfNamespace, Namespace: "shop", Name: "shop", Pods: 8, Sampled: 3, Use: Use{38, 38 << 20}, Load: Load{8, 800, 125, 0, 250}, Unbounded: 1},
		{Level: OfNode, Name: "worker-1", Pods: 3, Sampled: 2, Use: Use{29, 29 << 20}, Load: Load{3, 300, 60, 0, 120}},
		{Level: OfNode, Name: "worker-2", Pods: 4, Sampled: 1, Use: Use{9, 9 << 20}, Load: Load{4, 400, 25, 0, 50}, Unbounded: 1},
	} {
		if got := e.total(want.Level, want.Kind, want.Namespace, want.Name); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if n := e.totals.Load().Len(); n != 8 {
		t.Errorf("%d totals, want 8", n)
	}
	e.workloads.put(&Workload{Kind: Jobs, Namespace: "shop", Name: "report-29384400", UID: "job", Run: &Run{}, OwnerKind: "CronJob", OwnerName: "report"})
	e.later(usersEvery)
	if got := e.total(OfWorkload, "CronJob", "shop", "report"); got.Pods != 1 || e.total(OfWorkload, "Job", "shop", "report-29384400").Pods != 0 {
		t.Errorf("the pod of the CronJob's Job: %+v", got)
	}
}

// Whatever there is, every level adds up to the same pods.
func TestEveryLevelAddsUpToTheSame(t *testing.T) {
	e := newEaters()
	samples := map[PodKey][]ContainerSample{}
	for i := range 3000 {
		p := somePod(i, 0)
		if i%17 == 0 {
			p.Phase = corev1.PodFailed
		}
		if i%5 != 0 {
			samples[PodKey{p.Namespace, p.Name}] = []ContainerSample{{"app", sampleAt(someDay, int64(i%300))}}
		}
		e.pods.put(p)
	}
	e.measure(samples)
	e.askTotals()
	e.later(0)
	sums := map[TotalLevel]Total{}
	for i := range e.totals.Load().Len() {
		row := e.totals.Load().Row(i)
		sum := sums[row.Level]
		sum.plus(row)
		sums[row.Level] = sum
	}
	if sums[OfNamespace] != sums[OfWorkload] || sums[OfNamespace] != sums[OfNode] || sums[OfNode].Pods != 3000-177 || sums[OfNode].Sampled == 0 {
		t.Errorf("%+v", sums)
	}
}

func TestTotalsAreMadeOnlyWhileSomebodyAsks(t *testing.T) {
	e := newEaters()
	e.pods.put(eater("web-1", "StatefulSet", "web", "worker-1", 10))
	e.later(0)
	if len(e.Cluster.totals.rows)+len(e.Cluster.containers.rows) != 0 {
		t.Fatal("rows that nobody has asked for")
	}
	e.askTotals()
	e.later(0)
	first := e.total(OfWorkload, "StatefulSet", "shop", "web")
	if first.Pods != 1 || e.totals.Load().State.Phase != Live {
		t.Fatalf("%+v, %v", first, e.totals.Load().State.Phase)
	}
	e.pods.put(eater("web-2", "StatefulSet", "web", "worker-1", 10))
	e.later(time.Second)
	if n := e.total(OfWorkload, "StatefulSet", "shop", "web").Pods; n != 1 {
		t.Errorf("%d pods after a second: totals are added up too often", n)
	}
	if due := e.usersDue(); !due.Equal(someDay.Add(usersEvery)) {
		t.Errorf("they are due at %v", due)
	}
	e.later(usersEvery)
	if n := e.total(OfWorkload, "StatefulSet", "shop", "web").Pods; n != 2 {
		t.Errorf("%d pods afterwards", n)
	}
	if due := e.usersDue(); !due.IsZero() {
		t.Errorf("nothing has changed, and they are due at %v", due)
	}
	rows := maps.Clone(e.Cluster.totals.rows)
	e.pods.put(eater("web-2", "StatefulSet", "web", "worker-1", 10))
	e.later(usersEvery)
	if !maps.Equal(rows, e.Cluster.totals.rows) {
		t.Error("totals that say the same are other rows")
	}
	e.pods.remove("uid-web-1")
	e.pods.remove("uid-web-2")
	e.later(usersEvery)
	if n := e.totals.Load().Len(); n != 0 {
		t.Errorf("%d totals of nothing", n)
	}
}

func TestTotalsAreNotLiveBeforeAllPodsAreInThem(t *testing.T) {
	e := newEaters()
	e.pods.setState(origin{}, State{Phase: Loading, Since: someDay})
	e.pods.put(eater("web-1", "StatefulSet", "web", "worker-1", 10))
	e.askTotals()
	e.later(0)
	equal(t, e.totals.Load().State.Phase, Loading)
	equal(t, e.total(OfNamespace, "", "shop", "shop").Pods, 1)
	e.pods.put(eater("web-2", "StatefulSet", "web", "worker-1", 10))
	e.pods.setState(origin{}, State{Phase: Live, Since: someDay})
	e.now = e.now.Add(time.Millisecond)
	e.publishOnce(e.now)
	if s := e.totals.Load(); s.State.Phase != Loading {
		t.Errorf("totals of one of two pods are %v", s.State.Phase)
	}
	equal(t, e.users.running, true) // it does not wait until the next turn
	e.later(0)
	equal(t, e.totals.Load().State.Phase, Live)
	equal(t, e.total(OfNamespace, "", "shop", "shop").Pods, 2)
	e.pods.setState(origin{}, State{Phase: Stale, Since: someDay, Err: errUnanswered})
	e.later(0)
	equal(t, e.totals.Load().State.Err, errUnanswered)
	e.pods.setState(origin{}, State{Phase: Stale, Since: someDay, Err: errShort})
	e.later(0)
	equal(t, e.totals.Load().State.Err, errShort)
}

func TestContainersAreThoseOfThePodsThatUseMost(t *testing.T) {
	e := newEaters()
	samples := map[PodKey][]ContainerSample{}
	const pods = 3 * mostContainers
	for i := range pods {
		p := eater(fmt.Sprint("pod-", i), "StatefulSet", "web", "worker-1", 10)
		e.pods.put(p)
		s := sampleAt(someDay, int64(i)) // the last use most CPU, the first most memory
		s.Memory = int64(pods-i) << 20
		samples[PodKey{"shop", p.Name}] = []ContainerSample{{"app", s}}
	}
	e.measure(samples)
	e.askContainers()
	e.later(0)
	rows := e.containers.Load()
	if rows.Len() != 2*mostContainers {
		t.Fatalf("%d rows", rows.Len())
	}
	for i := range rows.Len() {
		var n int
		if _, err := fmt.Sscanf(rows.Row(i).Pod, "pod-%d", &n); err != nil || n >= mostContainers && n < pods-mostContainers {
			t.Fatalf("%s is among them, %v", rows.Row(i).Pod, err)
		}
	}
	e.ShowContainers(fmt.Sprint("uid-pod-", mostContainers+7))
	e.later(0)
	if got := e.containers.Load(); got.Len() != 2*mostContainers+1 {
		t.Errorf("%d rows with those of a pod that is looked at", got.Len())
	}
}

func TestContainersHaveTheirOwnRequestsAndLimits(t *testing.T) {
	pod := usualPod()
	pod.Namespace, pod.Name, pod.UID, pod.Spec.NodeName = "shop", "web", "uid-web", "worker-1"
	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = []corev1.Container{
		{Name: "wait"}, {Name: "mesh", RestartPolicy: &always, Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{"memory": resource.MustParse("64Mi")},
		}},
	}
	pod.Status.ContainerStatuses[1].Resources = &corev1.ResourceRequirements{ // it was resized
		Requests: corev1.ResourceList{"cpu": resource.MustParse("200m")}, Limits: corev1.ResourceList{"cpu": resource.MustParse("2")},
	}
	u := NewUsage(someDay, nil, map[PodKey][]ContainerSample{
		{"shop", "web"}: {{"app", sampleAt(someDay, 5)}, {"debugger-x7k2p", sampleAt(someDay, 6)}},
	})
	var got []Container
	for _, c := range NewPod(pod).ContainersOf(Moment{Usage: u}) {
		got = append(got, *c)
	}
	of := func(c Container) Container {
		c.Namespace, c.Pod, c.PodUID, c.Node = "shop", "web", "uid-web", "worker-1"
		return c
	}
	want := []Container{
		of(Container{Name: "app", CPURequest: 100, CPULimit: 1000, MemRequest: 128 << 20, MemLimit: 256 << 20}),
		of(Container{Name: "proxy", CPURequest: 200, CPULimit: 2000}),
		of(Container{Name: "mesh", MemLimit: 64 << 20}), of(Container{Name: "debugger-x7k2p"}),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if shares := (&Pod{}).Shares(); shares != nil {
		t.Errorf("a pod without containers has %v", shares)
	}
}

// AC-T1, AC-T2, AC-T6: the figures of the documentation (assign memory and CPU resources; quantities).
func TestUseIsSeenAgainstRequestAndLimit(t *testing.T) {
	for _, c := range []struct {
		name, use, request, limit string
		key                       corev1.ResourceName
		amount                    int64
		ofRequest, ofLimit        string
	}{
		{"AC-T1", "162856960", "100Mi", "200Mi", "memory", 155 << 20, "155%", "77%"},
		{"AC-T2", "974m", "0.5", "1", "cpu", 974, "194%", "97%"},
		{"AC-T6", "10500m", "7", "21", "cpu", 10500, "150%", "50%"},
		{"AC-T6", "10.5", "7", "21", "cpu", 10500, "150%", "50%"},
	} {
		pod := usualPod()
		pod.Namespace, pod.Name = "shop", "demo"
		pod.Spec.Containers, pod.Status.ContainerStatuses = pod.Spec.Containers[:1], nil
		pod.Spec.Containers[0].Name = "demo-ctr"
		pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{
			Requests: corev1.ResourceList{c.key: resource.MustParse(c.request)}, Limits: corev1.ResourceList{c.key: resource.MustParse(c.limit)},
		}
		list := podMetricsOf(1)
		list.Items[0].Namespace, list.Items[0].Name = "shop", "demo"
		list.Items[0].Containers = list.Items[0].Containers[:1]
		list.Items[0].Containers[0].Name = "demo-ctr"
		list.Items[0].Containers[0].Usage = corev1.ResourceList{c.key: resource.MustParse(c.use)}
		for form, body := range encoded(t, list) {
			m := Moment{Usage: &Usage{Pods: pollPods(t, body, PodUses{salt: newSalt()})}}
			row := NewPod(pod).ContainersOf(m)[0]
			use, request, limit := m.PodContainers("shop", "demo")[0].Use, row.CPURequest, row.CPULimit
			is := use.CPU
			if c.key == corev1.ResourceMemory {
				is, request, limit = use.Memory, row.MemRequest, row.MemLimit
			}
			if c.key == corev1.ResourceMemory && is>>20 != c.amount>>20 || c.key == corev1.ResourceCPU && is != c.amount {
				t.Errorf("%s, %s: %d, want %d", c.name, form, is, c.amount)
			}
			if of, to := percentText(is, request), percentText(is, limit); of != c.ofRequest || to != c.ofLimit {
				t.Errorf("%s, %s: %s of the request, %s of the limit; want %s and %s", c.name, form, of, to, c.ofRequest, c.ofLimit)
			}
		}
	}
}

func BenchmarkGoThrough(b *testing.B) {
	for _, n := range scales {
		e := newEaters()
		samples := map[PodKey][]ContainerSample{}
		for i := range n {
			p := somePod(i, 0)
			samples[PodKey{p.Namespace, p.Name}] = []ContainerSample{{"app", sampleAt(someDay, int64(i*7919%1000))}, {"proxy", sampleAt(someDay, 1)}}
			e.pods.put(p)
		}
		e.measure(samples)
		e.later(0)
		m := Moment{Now: e.now, Usage: e.usage}
		var pods []*Pod
		for _, s := range e.pods.rows {
			pods = append(pods, s.row)
		}
		for name, of := range map[string][2]bool{"totals": {true, false}, "containers": {false, true}} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					goThrough(pods, m, of[0], of[1], nil)
				}
			})
		}
	}
}
