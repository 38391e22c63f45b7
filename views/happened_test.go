package views

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
)

// spoken is a Said that a test has filled, by UID.
type spoken struct {
	events map[string][]*kube.Event
	state  kube.State
	asked  int
}

func (s *spoken) EventsOf(o kube.Ref) []*kube.Event { s.asked++; return s.events[o.UID] }
func (s *spoken) EventsState() kube.State           { return s.state }

// hears gives the events of one object, the newest first.
func hears(uid string, events ...*kube.Event) *spoken {
	return &spoken{events: map[string][]*kube.Event{uid: events}, state: kube.State{Phase: kube.Live}}
}

// warned is a warning that was said once, so long before noon.
func warned(reason string, before time.Duration, message string) *kube.Event {
	return &kube.Event{
		UID: reason + before.String(), Type: "Warning", Reason: reason, Message: message, From: "kubelet", Count: 1,
		First: noon.Add(-before), Last: noon.Add(-before), Object: kube.Involved{Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "web-1"},
	}
}

// normally is the same of an event that warns of nothing.
func normally(reason string, before time.Duration, message string) *kube.Event {
	e := warned(reason, before, message)
	e.Type = "Normal"
	return e
}

func inContainer(e *kube.Event) *kube.Event { e.Object.Field = "spec.containers{app}"; return e }

// web is a pod that is well.
func web() *kube.Pod {
	return &kube.Pod{Namespace: "shop", Name: "web-1", UID: "web-1", Node: "worker-01", Phase: "Running", Status: "Running", Scheduled: true,
		Containers: 1, Ready: 1, Created: noon.Add(-time.Hour), StateSince: noon.Add(-time.Hour)}
}

// stripOf is what the strip says of a pod beside events.
func stripOf(p *kube.Pod, said Said) []string {
	f := newFeed(kube.Moment{}, p)
	v := NewPods(f, said)
	f.publish(v)
	return v.Strip(noon).Lines
}

func TestStripSaysTheNewestWarningThatTheDiagnosisDoesNotSay(t *testing.T) {
	probe := warned("Unhealthy", 2*time.Minute, "Readiness probe failed: HTTP probe failed with statuscode: 503")
	probe.Count, probe.AtLeast = 3, true
	for _, c := range []struct {
		name   string
		events []*kube.Event
		want   string // the last line
	}{
		{"one", []*kube.Event{probe}, "Unhealthy x3+ 2m ago: readiness probe answers 503"},
		{"behind what is normal", []*kube.Event{normally("Pulled", time.Second, "Pulled"), probe}, "Unhealthy x3+ 2m ago: readiness probe answers 503"},
		{"the newest of two", []*kube.Event{warned("Odd", time.Minute, "odd"), probe}, "Odd 60s ago: odd"},
		{"too old", []*kube.Event{warned("Odd", 2*time.Hour, "odd")}, ""},
		{"none", nil, ""},
	} {
		plain, lines := stripOf(web(), nil), stripOf(web(), hears("web-1", c.events...))
		if !reflect.DeepEqual(lines[:len(plain)], plain) {
			t.Errorf("%s: the diagnosis %q has become %q", c.name, plain, lines)
		}
		if got := strings.Join(lines[len(plain):], "|"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAWarningThatBreaksNothingIsStillShown(t *testing.T) { // AC-E2
	e := warned("InvalidEnvironmentVariableNames", time.Minute,
		"Keys [1badkey, 2alsobad] from the EnvFrom configMap default/myconfig were skipped since they are considered invalid environment variable names.")
	lines := stripOf(web(), hears("web-1", e))
	want := "InvalidEnvironmentVariableNames 60s ago: keys 1badkey, 2alsobad of configMap default/myconfig were left out: they are no names of environment variables"
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("got %q", got)
	}
	if lines[0] != stripOf(web(), nil)[0] {
		t.Errorf("the pod runs, and the strip begins with %q", lines[0])
	}
}

func TestWhatTheDiagnosisSaysIsNotSaidTwice(t *testing.T) {
	message := "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
	pending := &kube.Pod{Namespace: "shop", Name: "web-1", UID: "web-1", Phase: "Pending", Status: "Pending", StateSince: noon.Add(-time.Minute),
		Why: &kube.Evidence{SchedulerSays: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory"}}
	lines := stripOf(pending, hears("web-1", warned("FailedScheduling", time.Second, message)))
	if n := strings.Count(strings.Join(lines, "\n"), "0/3"); n != 1 || strings.Contains(strings.Join(lines, "\n"), "FailedScheduling") {
		t.Errorf("the strip says %q", lines)
	}
	pending.Why = &kube.Evidence{}
	lines = stripOf(pending, hears("web-1", warned("FailedScheduling", time.Second, message)))
	if got := lines[len(lines)-1]; !strings.HasPrefix(got, "FailedScheduling 1s ago: none of 3 nodes takes it: 3 without enough memory") {
		t.Errorf("the status knows nothing yet, and the strip says %q", lines)
	}
}

func TestTheStepThatIsMissingComesFirst(t *testing.T) { // E-04
	creating := &kube.Pod{Namespace: "shop", Name: "web-1", UID: "web-1", Node: "worker-01", Phase: "Pending", Status: "ContainerCreating",
		Scheduled: true, Containers: 1, StateSince: noon.Add(-5 * time.Minute)}
	said := hears("web-1", inContainer(normally("Pulling", 4*time.Minute, `Pulling image "x"`)), normally("Scheduled", 5*time.Minute, "Successfully assigned shop/web-1 to worker-01"))
	if lines := stripOf(creating, said); lines[0] != "app: image not pulled yet, Pulling for 4m" {
		t.Errorf("the strip says %q", lines)
	}
	f := newFeed(kube.Moment{Nodes: map[string]kube.NodeState{"worker-01": {Silent: true}}}, creating)
	v := NewPods(f, said)
	f.publish(v)
	if lines := v.Strip(noon).Lines; strings.Contains(lines[0], "Pulling") {
		t.Errorf("nobody knows what a silent node does, and the strip says %q", lines)
	}
}

// sectionsOf are the sections of the details of the only row of a pane.
func sectionsOf(t *testing.T, v View, uid string) map[string]action.Section {
	t.Helper()
	d, ok := v.Details(uid, noon)
	if !ok {
		t.Fatalf("no details of %s", uid)
	}
	out := map[string]action.Section{}
	for _, s := range d.Sections {
		out[s.Title] = s
	}
	return out
}

func podDetailsOf(t *testing.T, p *kube.Pod, said Said) map[string]action.Section {
	t.Helper()
	f := newFeed(kube.Moment{}, p)
	v := NewPods(f, said)
	f.publish(v)
	return sectionsOf(t, v, p.UID)
}

func TestDetailsHaveTheLifeOfAContainer(t *testing.T) { // AC-E1, AC-E6
	events := []*kube.Event{
		inContainer(warned("BackOff", 30*time.Second, "Back-off restarting failed container")),
		inContainer(normally("Started", 53*time.Second, "Started")), inContainer(normally("Created", 53*time.Second, "Created")),
		inContainer(normally("Pulled", 53*time.Second, "Pulled")), inContainer(normally("Pulling", 54*time.Second, "Pulling")),
		normally("Scheduled", 54*time.Second, "Successfully assigned shop/web-1 to worker-01"),
	}
	events[0].Count = 4
	s := podDetailsOf(t, web(), hears("web-1", events...))["life"]
	want := []string{"Scheduled 11:59:06", "app: Pulling +0s, Pulled +1s, Created +0s, Started +0s, BackOff x4 +23s"}
	if len(s.Rows) != 2 || s.Rows[0].Cells[0] != want[0] || s.Rows[1].Cells[0] != want[1] {
		t.Errorf("the life is %q", s.Rows)
	}
}

func TestDetailsHaveTheEventsTheNewestFirst(t *testing.T) {
	events := []*kube.Event{warned("Unhealthy", time.Minute, "Readiness probe failed: HTTP probe failed with statuscode: 503")}
	for i := range 26 {
		events = append(events, normally(fmt.Sprintf("Reason%d", i), time.Duration(i+2)*time.Minute, "said"))
	}
	events[0].Count, events[0].AtLeast = 7, true
	events[1].Expired = true
	all := podDetailsOf(t, web(), hears("web-1", events...))
	s := all["events"]
	if s.Note != "27 since 11:33:00; + is at least" {
		t.Errorf("the note is %q", s.Note)
	}
	first := action.Row{Severity: kube.Warning, Cells: []string{"60s", "x7+", "Unhealthy", "kubelet", "Readiness probe failed: HTTP probe failed with statuscode: 503"}}
	if len(s.Rows) != 21 || !reflect.DeepEqual(s.Rows[0], first) {
		t.Errorf("%d rows, the first %v", len(s.Rows), s.Rows[0])
	}
	if got := s.Rows[1].Cells[4]; got != "said (expired on the server)" {
		t.Errorf("the second says %q", got)
	}
	if got := s.Rows[20].Cells[4]; got != "and 7 more in the Events pane" {
		t.Errorf("the last says %q", got)
	}
	if got := all["probe"]; len(got.Rows) != 1 || got.Rows[0].Cells[1] != "it gets no traffic from Services" || got.Note != "Unhealthy 60s ago" {
		t.Errorf("the probe is %v", got)
	}
}

func TestNoEventsAreFourSentences(t *testing.T) {
	for _, c := range []struct {
		state kube.State
		want  string
	}{
		{kube.State{Phase: kube.Live}, "none known; the API keeps them for an hour by default"},
		{kube.State{Phase: kube.Loading}, "not read yet"},
		{kube.State{Phase: kube.Denied, Err: fmt.Errorf("no")}, "you may not list events: get, list and watch on events would let you"},
		{kube.State{Phase: kube.Live, Missing: fmt.Errorf("no"), MissingFrom: "shop"}, "you may not list events: get, list and watch on events would let you"},
		{kube.State{Phase: kube.Live, Missing: fmt.Errorf("no"), MissingFrom: "cart"}, "none known; the API keeps them for an hour by default"},
	} {
		s := podDetailsOf(t, web(), &spoken{state: c.state})["events"]
		if len(s.Rows) != 1 || s.Rows[0].Cells[0] != c.want || len(s.Columns) > 0 {
			t.Errorf("%v: %v", c.state, s.Rows)
		}
	}
	if s, ok := podDetailsOf(t, web(), nil)["events"]; ok {
		t.Errorf("a pane that has no events says %v", s.Rows)
	}
}

// fails is a FailedCreate that was said of a workload.
func fails(kind, name string, before time.Duration) *kube.Event {
	e := warned("FailedCreate", before, `Error creating: pods "web-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi.`)
	e.Object = kube.Involved{Kind: kind, Namespace: "shop", Name: name, UID: name}
	return e
}

// workloadStrip is what the strip says of a workload.
func workloadStrip(w *kube.Workload, m kube.Moment, said Said) []string {
	f := newFeed(m, w)
	v := NewWorkloads(f, said)
	f.publish(v)
	return v.Strip(noon).Lines
}

func TestAnOwnerWithoutPodsSaysWhyTheyCannotBeMade(t *testing.T) { // AC-E5, E-08
	const why = "FailedCreate 60s ago: cannot create pods: LimitRange: memory limit 1536Mi > max 1Gi per Container"
	set := &kube.Workload{Kind: kube.StatefulSets, Namespace: "shop", Name: "db", UID: "db", Desired: 3, Set: &kube.Ordinals{Ordered: true}}
	lines := workloadStrip(set, kube.Moment{}, hears("db", fails("StatefulSet", "db", time.Minute)))
	if lines[0] != why || strings.Count(strings.Join(lines, "\n"), "FailedCreate") != 1 {
		t.Errorf("the strip says %q", lines)
	}

	rs := &kube.Workload{Kind: kube.ReplicaSets, Namespace: "shop", Name: "web-7d9f8c6b5", UID: "web-7d9f8c6b5", OwnerKind: "Deployment", OwnerName: "web", Desired: 2}
	deployment := &kube.Workload{Kind: kube.Deployments, Namespace: "shop", Name: "web", UID: "web", Desired: 2}
	m := kube.Moment{Runs: map[kube.Owner][]*kube.Workload{{Kind: kube.Deployments, Namespace: "shop", Name: "web"}: {rs}}}
	said := hears(rs.UID, fails("ReplicaSet", rs.Name, time.Minute))
	if lines := workloadStrip(deployment, m, said); lines[0] != why {
		t.Errorf("a Deployment says %q", lines)
	}
	deployment.Hitches = []kube.Hitch{{Type: "ReplicaFailure", Reason: "FailedCreate", Since: noon.Add(-time.Minute),
		Message: `pods "web-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi.`}}
	if lines := workloadStrip(deployment, m, said); lines[0] != why || strings.Count(strings.Join(lines, "\n"), "1536Mi") != 1 {
		t.Errorf("a Deployment whose condition says it, too, says %q", lines)
	}
	f := newFeed(m, deployment)
	v := NewWorkloads(f, said)
	f.publish(v)
	all := sectionsOf(t, v, "web")
	if got := all["LimitRange"].Rows; len(got) != 1 || strings.Join(got[0].Cells, " ") != "memory limit 1536Mi max 1Gi Container" {
		t.Errorf("the table is %v", got)
	}
	if got := all["events"].Rows[0].Cells[4]; !strings.HasPrefix(got, "replicaset/web-7d9f8c6b5: Error creating: ") {
		t.Errorf("the event reads %q", got)
	}

	made := normally("SuccessfulCreate", time.Second, "Created pod: db-0")
	made.Object = kube.Involved{Kind: "StatefulSet", Namespace: "shop", Name: "db", UID: "db"}
	if lines := workloadStrip(set, kube.Moment{}, hears("db", made, fails("StatefulSet", "db", time.Minute))); strings.HasPrefix(lines[0], "FailedCreate") {
		t.Errorf("a pod was made since, and the strip begins with %q", lines[0])
	}
}

func TestWhatControllersSayIsWithTheOwner(t *testing.T) { // AC-E4
	said := func(w *kube.Workload, reason string, n int) []action.Row {
		var events []*kube.Event
		for i := range n {
			e := normally(reason, time.Duration(i+1)*time.Second, "said")
			e.Object = kube.Involved{Kind: w.Kind.Kind(), Namespace: w.Namespace, Name: w.Name, UID: w.UID}
			events = append(events, e)
		}
		f := newFeed(kube.Moment{}, w)
		v := NewWorkloads(f, hears(w.UID, events...))
		f.publish(v)
		return sectionsOf(t, v, w.UID)["events"].Rows
	}
	mysql := &kube.Workload{Kind: kube.Deployments, Namespace: "default", Name: "mysql", UID: "mysql"}
	if rows := said(mysql, "ScalingReplicaSet", 1); len(rows) != 1 || rows[0].Cells[2] != "ScalingReplicaSet" {
		t.Errorf("a Deployment has %v", rows)
	}
	job := &kube.Workload{Kind: kube.Jobs, Namespace: "default", Name: "indexed-job", UID: "indexed-job", Run: &kube.Run{}}
	if rows := said(job, "SuccessfulCreate", 5); len(rows) != 5 || rows[4].Cells[2] != "SuccessfulCreate" {
		t.Errorf("a Job has %v", rows)
	}
}

func TestANodeHasWhatWasSaidOfItsPodsBecauseOfIt(t *testing.T) {
	n := &kube.Node{Name: "worker-07", UID: "worker-07"}
	pod := func(name string) *kube.Pod {
		return &kube.Pod{Namespace: "shop", Name: name, UID: name, Node: "worker-07"}
	}
	m := kube.Moment{Ailing: map[kube.Owner][]*kube.Pod{
		{Kind: kube.Deployments, Namespace: "shop", Name: "web"}:   {pod("web-1"), pod("web-2")},
		{Kind: kube.ReplicaSets, Namespace: "shop", Name: "web-7"}: {pod("web-1"), pod("web-2")},
	}}
	said := hears("web-1", warned("NodeNotReady", time.Minute, "Node is not ready"), warned("BackOff", time.Second, "Back-off"))
	said.events["web-2"] = []*kube.Event{warned("NodeNotReady", 2*time.Minute, "Node is not ready")}
	f := newFeed(m, n)
	v := NewNodes(f, said)
	f.publish(v)
	s := sectionsOf(t, v, "worker-07")["said of its pods"]
	if len(s.Rows) != 1 || strings.Join(s.Rows[0].Cells, " ") != "60s 2 NodeNotReady Node is not ready" {
		t.Errorf("the rows are %v", s.Rows)
	}
}

func TestAnAutoscalerShowsItsMetricsConditionsAndWhatItWants(t *testing.T) { // AC-T4, AC-T5
	w := &kube.Workload{Kind: kube.Autoscalers, Namespace: "prom", Name: "cm-test", UID: "cm-test", Ready: 1, Desired: 7, Scaler: &kube.Scaler{
		TargetKind: "Deployment", TargetName: "cm-test", Min: 1, Max: 10, Metric: "cpu 305% (goal 50)",
		Measures: []kube.Measure{{Name: "http_requests", Is: "66m", Goal: "500m", Ratio: 0.132}, {Name: "cpu", Is: "305%", Goal: "50%", Ratio: 6.1}},
		Conditions: []kube.Condition{{Type: "AbleToScale", Reason: "ReadyForNewScale", True: true}, {Type: "ScalingActive", Reason: "ValidMetricFound", True: true},
			{Type: "ScalingLimited", Reason: "DesiredWithinRange"}},
	}}
	f := newFeed(kube.Moment{}, w)
	v := NewWorkloads(f, nil)
	f.publish(v)
	d, _ := v.Details("cm-test", noon)
	facts := map[string]string{}
	for _, x := range d.Facts {
		facts[x.Name] = x.Value
	}
	for name, want := range map[string]string{
		"wants": "7: 1 x 305/50 = 6.1, rounded up", "metrics": "http_requests 66m / 500m, cpu 305% / 50%", "conditions": "able, active, not limited",
	} {
		if facts[name] != want {
			t.Errorf("%s is %q, want %q", name, facts[name], want)
		}
	}
}

func TestTheKeyOfEventsOpensThoseOfTheObject(t *testing.T) {
	nodes := newFeed(kube.Moment{}, &kube.Node{Name: "worker-01", UID: "n1"})
	pods := newFeed(kube.Moment{}, web())
	workloads := newFeed(kube.Moment{}, &kube.Workload{Kind: kube.Deployments, Namespace: "shop", Name: "web", UID: "w1"})
	nv, pv, wv := NewNodes(nodes, nil), NewPods(pods, nil), NewWorkloads(workloads, nil)
	nodes.publish(nv)
	pods.publish(pv)
	workloads.publish(wv)
	for _, c := range []struct {
		v   View
		id  keymap.ID
		ref kube.Ref
	}{
		{nv, keymap.NodeEvents, kube.Ref{Kind: kube.Nodes, Name: "worker-01", UID: "n1"}},
		{pv, keymap.PodEvents, kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "web-1", UID: "web-1"}},
		{wv, keymap.WorkloadEvents, kube.Ref{Kind: kube.Deployments, Namespace: "shop", Name: "web", UID: "w1"}},
	} {
		if got, want := c.v.Handle(Intent{c.id}), []Effect{Open{EventsPlace(c.ref)}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", c.id, got, want)
		}
	}
	empty := newFeed[*kube.Pod](kube.Moment{})
	v := NewPods(empty, nil)
	empty.publish(v)
	if got := v.Why(keymap.PodEvents); got != "no pod is selected" {
		t.Errorf("without a pod the key says %q", got)
	}
}

func TestAnEventStormCostsALongListNothing(t *testing.T) {
	var rows []*kube.Pod
	for i := range 5000 {
		p := web()
		p.Name, p.UID = fmt.Sprintf("web-%05d", i), fmt.Sprint(i)
		rows = append(rows, p)
	}
	said := hears("0", warned("Unhealthy", time.Minute, "Readiness probe failed: HTTP probe failed with statuscode: 503"))
	f := newFeed(kube.Moment{}, rows...)
	v := NewPods(f, said)
	f.publish(v)
	if v.Needs()&kube.Events == 0 {
		t.Fatal("the pane is not told of events, so that its strip is not drawn again")
	}
	counted := 0
	l := v.(*list[*kube.Pod])
	inner := l.spec.counts
	l.spec.counts = func(s *kube.Snapshot[*kube.Pod]) string { counted++; return inner(s) }
	if n := testing.AllocsPerRun(100, func() { v.Handle(Changed{Kinds: kube.Events}) }); n > 1 || counted > 0 {
		t.Errorf("news of events alone makes %.0f allocations, and counts all rows %d times", n, counted)
	}
	said.asked = 0
	if n := testing.AllocsPerRun(100, func() { v.Strip(noon) }); n > 60 {
		t.Errorf("the strip makes %.0f allocations", n)
	}
	if said.asked != 101 {
		t.Errorf("%d objects were asked for by 101 strips", said.asked)
	}
	v.Handle(Changed{Kinds: kube.Events | kube.Pods})
	if counted != 1 {
		t.Errorf("rows that changed in the same news were counted %d times", counted)
	}
}
