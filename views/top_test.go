package views

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"ktriage/keymap"
	"ktriage/kube"
)

// usesFeed gives the rows that a test has put into it, beside what is measured at the time; it answers when it is told to.
type usesFeed[R kube.Row] struct {
	rows  []R
	asked []kube.Query[R] // number 1 and on
	snap  *kube.Snapshot[R]
}

func (f *usesFeed[R]) Load() *kube.Snapshot[R] {
	if f.snap == nil {
		f.snap = &kube.Snapshot[R]{}
	}
	return f.snap
}
func (f *usesFeed[R]) SetQuery(q kube.Query[R]) uint64 {
	f.asked = append(f.asked, q)
	return uint64(len(f.asked))
}
func (f *usesFeed[R]) Follow(string) {}
func (f *usesFeed[R]) Close()        {}

// rests reports whether nothing is asked.
func (f *usesFeed[R]) rests() bool { return f.asked[len(f.asked)-1].Tie == nil }

func (f *usesFeed[R]) answer(m kube.Moment) {
	q := f.asked[len(f.asked)-1]
	if q.Tie == nil {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(f.rows), func(r R) bool { return q.Keep != nil && !q.Keep(r, m) })
	slices.SortFunc(kept, func(a, b R) int {
		switch x, y := q.Key(a, 0, m), q.Key(b, 0, m); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return q.Tie(a, b)
	})
	s := kube.NewSnapshot(kept, m)
	s.Version, s.Query, s.Total = f.Load().Version+1, uint64(len(f.asked)), len(f.rows)
	f.snap = s
}

// bench is the Top pane with the feeds that it reads.
type bench struct {
	View
	nodes      usesFeed[*kube.Node]
	pods       usesFeed[*kube.Pod]
	containers usesFeed[*kube.Container]
	totals     usesFeed[*kube.Total]
	moment     kube.Moment
	podUID     string
}

func newBench() *bench {
	b := &bench{moment: used()}
	b.nodes.rows, b.pods.rows, b.totals.rows = measuredNodes(), measuredPods(), totals()
	for _, p := range b.pods.rows {
		b.containers.rows = append(b.containers.rows, &kube.Container{
			Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Name: "app", Node: p.Node,
			CPURequest: p.CPURequest, CPULimit: p.CPULimit, MemRequest: p.MemRequest, MemLimit: p.MemLimit,
		})
	}
	b.View = NewTop(Top{&b.nodes, &b.pods, &b.containers, &b.totals, func(uid string) { b.podUID = uid }})
	b.news()
	return b
}

// news has all feeds answer, and tells the pane.
func (b *bench) news() {
	b.nodes.answer(b.moment)
	b.pods.answer(b.moment)
	b.containers.answer(b.moment)
	b.totals.answer(b.moment)
	b.Handle(Changed{})
}

// press presses keys, each after the answer to the one before.
func (b *bench) press(ids ...keymap.ID) (last []Effect) {
	for _, id := range ids {
		last = b.Handle(Intent{id})
		b.news()
	}
	return last
}

func (b *bench) lines(w, h int) []string {
	return strings.Split(plainText(drawn(b, Size{w, h}, frame())), "\n")
}

// names are those of the rows in view, in their order.
func (b *bench) names() string {
	var out []string
	for _, l := range b.lines(200, 30)[2:] {
		if f := strings.Fields(strings.TrimLeft(l, "▌▏·▲■○? ")); len(f) > 0 {
			out = append(out, f[0])
		}
	}
	return strings.Join(out, " ")
}

func quantities(cpu, memory string) corev1.ResourceList {
	l := corev1.ResourceList{}
	if cpu != "" {
		l["cpu"] = resource.MustParse(cpu)
	}
	if memory != "" {
		l["memory"] = resource.MustParse(memory)
	}
	return l
}

func measuredNodes() []*kube.Node {
	return []*kube.Node{
		node("gpu-02", 61*day, nil), node("worker-51", 212*day, nil), node("worker-19", 212*day, nil), node("worker-88", 212*day, nil),
		node("worker-07", 212*day, unready(corev1.ConditionUnknown, 4*time.Minute)),
		node("worker-new", time.Minute, nil),
	}
}

func measuredPods() []*kube.Pod {
	with := func(name, on string, age time.Duration, request, limit corev1.ResourceList) *kube.Pod {
		return pod("shop", name, on, age, func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: request, Limits: limit}
		})
	}
	return []*kube.Pod{
		with("memory-demo", "gpu-02", day, quantities("", "100Mi"), quantities("", "200Mi")),     // AC-T1
		with("cpu-demo", "gpu-02", day, quantities("500m", ""), quantities("1", "")),             // AC-T2
		with("ledger", "worker-51", day, quantities("100m", "400Mi"), quantities("1", "512Mi")),  // near its end
		with("free", "worker-51", day, nil, nil),                                                 // asks for nothing
		with("unseen", "worker-07", day, quantities("1", "1Gi"), quantities("1", "1Gi")),         // no sample
		with("young", "worker-19", time.Minute, quantities("1", "1Gi"), quantities("1", "1Gi")),  // none yet
		with("late", "worker-19", day, quantities("100m", "100Mi"), quantities("200m", "200Mi")), // an old one
	}
}

func totals() []*kube.Total {
	sum := func(l kube.TotalLevel, kind, ns, name string, cpu int64) *kube.Total {
		return &kube.Total{
			Level: l, Kind: kind, Namespace: ns, Name: name, Pods: 14, Sampled: 12, Use: kube.Use{CPU: cpu, Memory: cpu << 20},
			Load: kube.Load{Pods: 14, CPURequests: 2 * cpu, MemRequests: 2 * cpu << 20, CPULimits: 4 * cpu}, Unbounded: 2,
		}
	}
	return []*kube.Total{
		sum(kube.OfNamespace, "", "shop", "shop", 2000), sum(kube.OfNamespace, "", "payments", "payments", 4000),
		sum(kube.OfWorkload, "Deployment", "shop", "web", 1500), sum(kube.OfWorkload, "Pod", "shop", "(bare pods)", 10),
		sum(kube.OfNode, "", "", "worker-51", 3000), sum(kube.OfNode, "", "", "gpu-02", 1000),
	}
}

// sampleOf is a sample of 15 s that was taken so long before noon.
func sampleOf(cpu, memory int64, age time.Duration) kube.Sample {
	return kube.Sample{Use: kube.Use{CPU: cpu, Memory: memory}, At: noon.Add(-age), Window: 15 * time.Second, Swap: -1}
}

// percentOf32 is that part of 32Gi.
func percentOf32(n int64) int64 { return n*32<<30/100 + 1 }

func samples(cpuOf51 int64) (map[string]kube.Sample, map[kube.PodKey][]kube.ContainerSample) {
	of := func(cpu, memory int64, age time.Duration) []kube.ContainerSample {
		return []kube.ContainerSample{{Name: "app", Sample: sampleOf(cpu, memory, age)}}
	}
	return map[string]kube.Sample{ // of 8000m and 32Gi
			"gpu-02": sampleOf(6480, percentOf32(66), 6*time.Second), "worker-51": sampleOf(cpuOf51, percentOf32(93), 6*time.Second),
			"worker-19": sampleOf(5680, percentOf32(62), 6*time.Second), "worker-88": sampleOf(5440, percentOf32(70), 4*time.Minute),
		}, map[kube.PodKey][]kube.ContainerSample{
			{Namespace: "shop", Name: "memory-demo"}: of(50, 162856960, 6*time.Second), {Namespace: "shop", Name: "cpu-demo"}: of(974, 7<<20, 6*time.Second),
			{Namespace: "shop", Name: "ledger"}: of(20, 500<<20, 6*time.Second), {Namespace: "shop", Name: "free"}: of(700, 90<<20, 6*time.Second),
			{Namespace: "shop", Name: "late"}: of(5, 10<<20, 10*time.Minute),
		}
}

// used is the moment of the fixtures: four of six nodes have a sample, one of them an old one.
func used() kube.Moment {
	m := beside()
	m.NodesKnown, m.Nodes = true, map[string]kube.NodeState{}
	for _, n := range measuredNodes() {
		m.Nodes[n.Name] = n.State()
	}
	m.Usage = kube.NewUsage(noon.Add(-4*time.Second), nil, nil)
	nodes, pods := samples(5920)
	m.Usage = m.Usage.Then(noon.Add(-4*time.Second), nodes, pods)
	m.Loads = map[string]kube.Load{
		"gpu-02": {CPURequests: 6400, MemRequests: percentOf32(70), CPULimits: 12000}, "worker-51": {CPURequests: 7040, MemRequests: percentOf32(91)},
		"worker-19": {CPURequests: 6320, MemRequests: percentOf32(71)}, "worker-88": {CPURequests: 6720, MemRequests: percentOf32(77)},
		"worker-07": {CPURequests: 4880, MemRequests: percentOf32(70)},
	}
	return m
}

// said reports whether words stand in a line, whatever is between them.
func said(line string, words ...string) bool {
	for _, w := range words {
		_, rest, found := strings.Cut(line, w)
		if !found {
			return false
		}
		line = rest
	}
	return true
}

// rowOf is the line of a row.
func rowOf(t *testing.T, lines []string, name string) string {
	t.Helper()
	i := slices.IndexFunc(lines[2:], func(l string) bool { return strings.Contains(l, name) })
	if i < 0 {
		t.Fatalf("%s is not there:\n%s", name, strings.Join(lines, "\n"))
	}
	return lines[i+2]
}

func TestNodesAreDrawnAsInTheMockUp(t *testing.T) {
	b := newBench()
	lines := b.lines(80, 10)
	for i, want := range []string{
		"━ nodes by cpu ━", "   NODE          CPU      use↓ req% 15 MIN       MEMORY   use% req% 15 MIN",
		"▌· gpu-02        ██████▍    81   80            ▆ █████▎     66   70            ▅", " ▲ worker-51     █████▉ │   74   88            ▆ ███████▍   93   91            ▇",
		" · worker-19     █████▋│    71   79", " · worker-88     4m old     68   84", " ■ worker-07     -           -   61",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is\n%q, want\n%q", i, lines[i], want)
		}
	}
	if !strings.Contains(lines[7], "worker-new    -           -    0") {
		t.Errorf("the new node is %q", lines[7])
	}
	wide := b.lines(200, 10)
	if row := rowOf(t, wide, "worker-07"); !said(row, "no sample", "-", "61", "no sample", "70") {
		t.Errorf("without a sample it is %q", row)
	}
	if row := rowOf(t, wide, "gpu-02"); !said(row, "6480m of 8000m", "21.1Gi of 32Gi", "150") {
		t.Errorf("in figures it is %q", row)
	}
	if strings.Contains(wide[1], "SWAP") {
		t.Errorf("no node reports swap, and there is a column: %q", wide[1])
	}
}

func TestHeadSaysWhatIsMeasuredAndWhen(t *testing.T) {
	b := newBench()
	if head := b.lines(80, 10)[0]; !strings.Contains(head, "━ newest 6s ago ") {
		t.Errorf("before the step is known: %q", head)
	}
	equal(t, strings.Join(measuring(15*time.Second, noon, noon.Add(-6*time.Second)), " | "), "15 s samples, newest 6s ago | newest 6s ago")
}

// AC-T1, AC-T2 and the other meanings of what a pod uses.
func TestUseOfPodsIsSaidAgainstWhatTheyAskForAndMayHave(t *testing.T) {
	b := newBench()
	b.press(keymap.TopLevel)
	lines := b.lines(100, 20)
	for name, want := range map[string][]string{
		"memory-demo": {"50m", "-", "-", "155Mi", "155", "77", "normal"},
		"cpu-demo":    {"974m", "194", "97", "7Mi", "-", "-", "throttled"},
		"ledger":      {"20m", "20", "2", "500Mi", "125", "97", "OOM risk"},
		"free":        {"700m", "-", "-", "90Mi", "-", "-", "unbounded"},
		"unseen":      {"-", "-", "-", "-", "-", "-", "no metrics"},
		"young":       {"-", "-", "-", "-", "-", "-", "-"},
		"late":        {"5m", "5", "2", "10Mi", "10", "5", "10m old"},
	} {
		if row := rowOf(t, lines, "shop/"+name); !said(row, want...) {
			t.Errorf("%s is %q, want %q", name, row, want)
		}
	}
	for name, sign := range map[string]string{"cpu-demo": "▲", "ledger": "▲", "memory-demo": "·", "free": "·"} {
		if row := rowOf(t, lines, "shop/"+name); !strings.Contains(row[:8], sign) {
			t.Errorf("%s has another sign: %q", name, row)
		}
	}
	if got := strings.Join(strings.Fields(rowOf(t, b.lines(60, 20), "ledger")), " "); !strings.HasPrefix(got, "▲ shop/ledger 20m 2 500Mi 97 OOM risk") {
		t.Errorf("in a narrow pane it is %q", got)
	}
}

func TestDetailsAreExact(t *testing.T) {
	b := newBench()
	all := func(uid string) string {
		d, ok := b.Details(uid, noon)
		if !ok {
			t.Fatalf("%s has no details", uid)
		}
		return fmt.Sprint(d.Facts)
	}
	if got := all("uid-gpu-02"); !said(got, "used 6480m, 81% of allocatable 8000m", "requests 6400m, 80%", "limits 12000m, 150%",
		"B = 21.1Gi, 66% of allocatable", "sampled", "11:59:54, 6s ago", "CPU averaged over 15s, memory = working set at 11:59:54") {
		t.Errorf("of the node: %s", got)
	}
	b.press(keymap.TopLevel)
	if got := all("uid-shop/memory-demo"); !said(got, "state normal", "request -", "used 162856960 B = 155Mi",
		"request 104857600 B = 100Mi, 155% of it used", "limit 209715200 B = 200Mi, 77% of it used", "app: 50m, 162856960 B = 155Mi") {
		t.Errorf("of the pod: %s", got)
	}
	if got := all("uid-shop/unseen"); !said(got, "use not known", "limit 1000m", "2 of 6 nodes without a sample: worker-07, worker-new") {
		t.Errorf("of the pod without a sample: %s", got)
	}
	if _, ok := b.Details("uid-gone", noon); ok {
		t.Error("what is not there has details")
	}
}

func TestStripSaysWhatTheFiguresMean(t *testing.T) {
	b := newBench()
	b.press(keymap.Down)
	s := b.Strip(noon)
	equal(t, s.Name+" | "+s.State, "worker-51 | memory 29.8 of 32.0 GiB")
	equal(t, s.Severity, kube.Warning)
	if words := strings.Join(s.Lines, "\n"); !said(words, "93% of allocatable memory", "74% of CPU", "CPU averaged over 15s, memory = working set at 11:59:54") {
		t.Errorf("it says\n%s", words)
	}
	b.press(keymap.TopLevel, "top.sort.memory-limit")
	s = b.Strip(noon)
	equal(t, s.Name+" | "+s.State, "shop/ledger | OOM risk")
	if !said(s.Lines[0], "500Mi, 125% of request, 97% of limit", "next OOM kill") {
		t.Errorf("of the pod that is next: %q", s.Lines)
	}
}

// later makes the samples those of the next poll, in which worker-51 uses that much.
func (b *bench) later(cpu int64) {
	nodes, pods := samples(cpu)
	b.moment.Usage = b.moment.Usage.Then(noon, nodes, pods)
	b.news()
}

func TestOrderFollowsSamplesUntilARowIsChosenAndHoldsThen(t *testing.T) {
	b := newBench()
	equal(t, b.names(), "gpu-02 worker-51 worker-19 worker-88 worker-07 worker-new")
	b.later(8000)
	equal(t, b.names(), "worker-51 gpu-02 worker-19 worker-88 worker-07 worker-new")
	equal(t, under(b), "worker-51")

	b.Handle(Intent{keymap.Down})
	if b.Waiting() {
		t.Error("keys wait for the order to be held")
	}
	b.news()
	b.later(100)
	equal(t, b.names(), "worker-51 gpu-02 worker-19 worker-88 worker-07 worker-new")
	equal(t, under(b), "gpu-02")
	lines := b.lines(80, 10)
	if !strings.Contains(lines[0], "nodes by cpu · order held") || !said(rowOf(t, lines, "worker-51"), " 1 ", "88") {
		t.Errorf("figures do not go on:\n%s", strings.Join(lines, "\n"))
	}
	b.nodes.rows = append(b.nodes.rows, node("a-new", time.Minute, nil))
	b.news()
	if !strings.HasSuffix(b.names(), "worker-88 a-new worker-07 worker-new") {
		t.Errorf("what is new stands at %s", b.names())
	}

	for _, key := range []keymap.ID{"top.sort.cpu", keymap.First} {
		b.press(key)
		equal(t, b.names(), "gpu-02 worker-19 worker-88 worker-51 a-new worker-07 worker-new")
		equal(t, under(b), "gpu-02")
		if head := b.lines(80, 10)[0]; strings.Contains(head, "held") || strings.Contains(head, "reversed") {
			t.Errorf("after %s the head is %q", key, head)
		}
		b.press(keymap.Down, keymap.Up)
		if head := b.lines(80, 10)[0]; !strings.Contains(head, "held") {
			t.Errorf("a chosen first row does not hold: %q", head)
		}
	}
}

func TestTotalsHoldTheirOrderThoughTheyAreNewRows(t *testing.T) {
	b := newBench()
	b.press(keymap.TopTotals, keymap.Down)
	equal(t, b.names(), "payments shop")
	for i, r := range b.totals.rows {
		next := *r
		next.Use.CPU = 9000 - r.Use.CPU
		b.totals.rows[i] = &next
	}
	b.news()
	equal(t, b.names(), "payments shop")
	b.press(keymap.First)
	equal(t, b.names(), "shop payments")
}

func TestEnterGoesInAndEscapeComesBackToTheRow(t *testing.T) {
	b := newBench()
	b.press(keymap.Down, keymap.OpenTop)
	equal(t, b.names(), "shop/free shop/ledger")
	b.press(keymap.Down, keymap.OpenTop)
	equal(t, b.names(), "shop/ledger/app")
	equal(t, b.podUID, "uid-shop/ledger")
	if e := b.press(keymap.OpenTop); len(e) != 1 || e[0] != (ShowDetails{}) {
		t.Errorf("enter on a container gives %v", e)
	}
	b.press(keymap.Back)
	equal(t, under(b), "shop/ledger")
	equal(t, b.podUID, "")
	b.press(keymap.Back)
	equal(t, under(b), "worker-51")
	if e := b.press(keymap.Back); len(e) != 1 || e[0] != (Up{}) {
		t.Errorf("out of the nodes leads %v", e)
	}

	for steps, want := range map[int]string{
		1: "shop/cpu-demo shop/free shop/memory-demo shop/ledger shop/late shop/unseen shop/young", 3: "shop/free shop/ledger",
	} {
		b = newBench()
		b.press(slices.Repeat([]keymap.ID{keymap.TopTotals}, steps)...)
		if steps == 1 {
			b.press(keymap.Down) // payments has no pods here
		}
		at := under(b)
		b.press(keymap.OpenTop)
		equal(t, b.names(), want)
		b.press(keymap.Back)
		equal(t, under(b), at)
		b.press(keymap.TopLevel)
		equal(t, under(b), "gpu-02")
	}
}

func TestObjectIsOpenedInItsOwnPane(t *testing.T) {
	for _, c := range []struct {
		keys []keymap.ID
		want Place
	}{
		{nil, Place{Pane: "nodes", UID: "uid-gpu-02"}},
		{[]keymap.ID{keymap.TopLevel}, Place{Pane: "pods", UID: "uid-shop/cpu-demo"}},
		{[]keymap.ID{keymap.TopLevel, keymap.TopLevel}, Place{Pane: "pods", UID: "uid-shop/cpu-demo"}},
		{[]keymap.ID{keymap.TopTotals}, Place{Pane: "pods", Pin: Pin{"ns", "payments"}}},
		{[]keymap.ID{keymap.TopTotals, keymap.TopTotals}, Place{Pane: "workloads", Name: "shop/web"}},
		{[]keymap.ID{keymap.TopTotals, keymap.TopTotals, keymap.TopTotals}, Place{Pane: "nodes", Name: "worker-51"}},
	} {
		b := newBench()
		b.press(c.keys...)
		if e := b.press(keymap.TopObject); len(e) != 1 || e[0] != (Open{c.want}) {
			t.Errorf("after %v: %v, want %v", c.keys, e, c.want)
		}
	}
	b := newBench()
	b.press(keymap.TopTotals, keymap.TopTotals, keymap.Down)
	if why := b.Why(keymap.OpenTop); !strings.Contains(why, "no workload of ours makes these pods") {
		t.Errorf("bare pods: %q", why)
	}
}

func TestOnlyWhatIsShownIsAsked(t *testing.T) {
	b := newBench()
	resting := func() string {
		return fmt.Sprint(b.nodes.rests(), b.pods.rests(), b.containers.rests(), b.totals.rests())
	}
	equal(t, resting(), "false true true true")
	for _, c := range []struct {
		key  keymap.ID
		want string
	}{
		{keymap.TopLevel, "true false true true"}, {keymap.TopLevel, "true true false true"}, {keymap.TopLevel, "false true true true"},
		{keymap.TopTotals, "false true true false"}, {keymap.OpenTop, "true false true true"}, {keymap.Back, "false true true false"},
		{keymap.TopLevel, "false true true true"},
	} {
		b.press(c.key)
		if got := resting(); got != c.want {
			t.Errorf("after %s the feeds that rest are %s, want %s", c.key, got, c.want)
		}
	}
}

func TestPlaceOfALevelLeadsBackToIt(t *testing.T) {
	b := newBench()
	b.press(keymap.Down, keymap.OpenTop, keymap.Down)
	at := b.Place()
	b.press(keymap.TopTotals)
	b.Handle(Go{at})
	b.news()
	equal(t, under(b), "shop/ledger")
	equal(t, b.names(), "shop/free shop/ledger")
	if e := b.press(keymap.Back); len(e) != 1 || e[0] != (Up{}) {
		t.Errorf("out of where a jump led: %v", e)
	}
	b.Handle(Go{Place{Pane: "top", UID: "uid-worker-19"}})
	b.news()
	equal(t, under(b), "worker-19")
}

func TestThatNothingNewIsMeasuredIsSaidWhereItIsSeen(t *testing.T) {
	b := newBench()
	if head := b.lines(120, 10)[0]; !strings.Contains(head, "2 of 6 nodes without a sample: worker-07, worker-new · newest 6s ago") {
		t.Errorf("where some are not measured the head is %q", head)
	}
	broken := *b.moment.Usage
	broken.State = kube.State{Phase: kube.Stale, Since: noon, Err: forbidden}
	b.moment.Usage = &broken
	b.news()
	if head := b.lines(200, 10)[0]; !said(head, "nodes by cpu", "not allowed to read usage", "ask for the permission") {
		t.Errorf("where they may not be read the head is %q", head)
	}
	if head := b.lines(60, 10)[0]; !said(head, "nodes by cpu", "samples 6s old") {
		t.Errorf("in a narrow pane it is %q", head)
	}
	if l := b.Strip(noon).Lines; len(l) < 2 || !strings.Contains(l[1], "not allowed to read usage") {
		t.Errorf("the strip is %q", l)
	}
	b.moment.Usage = &kube.Usage{State: broken.State}
	b.totals.rows = nil
	b.press(keymap.TopTotals)
	if body := strings.Join(b.lines(120, 10), "\n"); !said(body, "No totals: not allowed to read usage", "ask for the permission") {
		t.Errorf("without totals:\n%s", body)
	}
}

func TestNoKeyFailsWithoutRows(t *testing.T) {
	for levels := range 4 {
		b := &bench{moment: kube.Moment{Now: noon}}
		b.View = NewTop(Top{&b.nodes, &b.pods, &b.containers, &b.totals, nil})
		if levels == 3 {
			b.press(keymap.TopTotals)
		} else {
			b.press(slices.Repeat([]keymap.ID{keymap.TopLevel}, levels)...)
		}
		for _, k := range keymap.Default().Bindings(keymap.Top, keymap.Table) {
			at := b.Place()
			b.press(k.ID)
			b.Strip(noon)
			for _, size := range []Size{{20, 1}, {60, 5}, {200, 50}} {
				checkRectangle(t, drawn(b, size, frame()), size)
			}
			b.Handle(Go{at})
			b.news()
		}
	}
}

func TestNamesThatAreHostileDoNoHarm(t *testing.T) {
	for _, s := range hostile {
		b := newBench()
		b.nodes.rows, b.pods.rows = hostileNodes(s), hostilePods(s)
		for range 3 {
			for _, size := range []Size{{60, 10}, {80, 24}, {200, 50}} {
				out := drawn(b, size, frame())
				checkRectangle(t, out, size)
				checkOurs(t, "the pane", out, painter())
			}
			b.press(keymap.TopLevel)
		}
	}
}

func TestDrawingAFrameOfTopAllocatesLittle(t *testing.T) {
	b := newBench()
	f, size := frame(), Size{80, 20}
	var out strings.Builder
	if n := testing.AllocsPerRun(50, func() { out.Reset(); out.Grow(16 << 10); b.Draw(&out, size, f) }); n > 150 {
		t.Errorf("a frame of six nodes takes %.0f allocations", n)
	}
}
