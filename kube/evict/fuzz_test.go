package evict_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

// storm is a cluster, its faults and an operator, all of them drawn.
type storm struct {
	nodes    int
	silent   []bool
	pods     []stormPod
	budgets  map[string][]int // by app: what each budget allows at first; -1 for one that is not in step
	settings drain.Settings
	replies  []int // for the evictions in the order in which they come, then the server works
	events   []stormEvent
	cancel   time.Duration
	replaces bool
}

type stormPod struct {
	node, app int
	owner     string
	grace     int64
	ready     bool
	leaving   bool
	replaced  bool // between the plan and the drain
	ephemeral bool
}

type stormEvent struct {
	at   time.Duration
	kind string
	n    int
}

// stormKinds are in the order of how often they should come: the first are drawn more than the last.
var stormKinds = []string{
	"arrive", "uncordon", "remove node", "refuse", "silence", "deaf", "deaf", "back", "back", "break", "compact", "budget", "budget", "budget", "pause", "go on", "go on", "skip",
	"delete", "arrive", "readiness", "uncordon", "remove node", "replace node",
}

func drawStorm(t *rapid.T) storm {
	ms := func(most int, name string) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
	}
	s := storm{
		nodes: rapid.IntRange(1, 3).Draw(t, "nodes"), replaces: rapid.Bool().Draw(t, "replaces"), budgets: map[string][]int{},
		settings: drain.Settings{
			EmptyDir: rapid.Bool().Draw(t, "emptydir"), Unowned: rapid.Bool().Draw(t, "unowned"), Gentle: rapid.Bool().Draw(t, "gentle"),
			Late: rapid.Bool().Draw(t, "late"), Hanging: rapid.Bool().Draw(t, "hanging"), Together: rapid.IntRange(1, 2).Draw(t, "together"),
		},
		replies: rapid.SliceOfN(rapid.IntRange(0, 12), 0, 12).Draw(t, "replies"),
		cancel:  ms(1_000, "cancel") + time.Duration(rapid.SampledFrom([]int{60, 600, 15, 6, 0}).Draw(t, "seconds"))*time.Second,
	}
	for range s.nodes {
		s.silent = append(s.silent, rapid.IntRange(0, 5).Draw(t, "silent") == 0)
	}
	for range rapid.SampledFrom([]int{4, 8, 2, 14, 1, 0}).Draw(t, "pods") {
		s.pods = append(s.pods, stormPod{
			node: rapid.IntRange(0, s.nodes-1).Draw(t, "on"), app: rapid.IntRange(0, 3).Draw(t, "app"),
			owner: rapid.SampledFrom([]string{"ReplicaSet", "ReplicaSet", "StatefulSet", "StatefulSet", "DaemonSet", ""}).Draw(t, "owner"),
			grace: int64(rapid.SampledFrom([]int{12, 1, 40, 3}).Draw(t, "grace")), ready: rapid.IntRange(0, 3).Draw(t, "ready") > 0,
			leaving: rapid.IntRange(0, 9).Draw(t, "leaving") == 0, replaced: rapid.IntRange(0, 9).Draw(t, "replaced") == 0,
			ephemeral: rapid.IntRange(0, 5).Draw(t, "ephemeral") == 0,
		})
	}
	for app := range 4 {
		s.budgets[fmt.Sprintf("app%d", app)] = rapid.SliceOfN(rapid.IntRange(-1, 3), 0, 2).Draw(t, "budgets")
	}
	for range rapid.SampledFrom([]int{4, 8, 2, 10, 1, 0}).Draw(t, "events") {
		s.events = append(s.events, stormEvent{
			time.Duration(rapid.SampledFrom([]int{9, 0, 6, 3, 1, 20, 80}).Draw(t, "seconds"))*time.Second + ms(1_000, "at"), rapid.SampledFrom(stormKinds).Draw(t, "kind"), rapid.IntRange(0, 20).Draw(t, "n"),
		})
	}
	slices.SortStableFunc(s.events, func(a, b stormEvent) int { return int(a.at - b.at) })
	return s
}

// line is between the client and the server, and sees every request from its beginning to its end.
type line struct {
	server http.RoundTripper
	mu     sync.Mutex
	open   map[string]int
	paused bool
	ended  bool
	asked  time.Time // when the drain was cancelled, zero before
	wrong  []string
	nodeOf map[string]string    // of every pod there has ever been, by path
	lost   map[string]bool      // nodes that were uncordoned, or have vanished, by name
	known  map[string]time.Time // since when the drain can know that
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	pod, isEviction := strings.CutSuffix(r.URL.Path, "/eviction")
	isEviction = isEviction && r.Method == http.MethodPost
	l.mu.Lock()
	if l.ended {
		l.wrong = append(l.wrong, "sent after the end: "+r.Method+" "+r.URL.String())
	}
	if !l.asked.IsZero() && time.Now().After(l.asked) {
		l.wrong = append(l.wrong, "begun after the cancel: "+r.Method+" "+r.URL.String())
	}
	if r.Method == http.MethodDelete || r.Method == http.MethodPut {
		l.wrong = append(l.wrong, "sent "+r.Method+" "+r.URL.String())
	}
	if isEviction {
		l.open[pod]++
		all := 0
		for _, n := range l.open {
			all += n
		}
		if l.open[pod] > 1 || all > 10 {
			l.wrong = append(l.wrong, fmt.Sprintf("%d evictions of %s are under way, %d in all", l.open[pod], pod, all))
		}
		if at, is := l.known[l.nodeOf[pod]]; is && time.Now().After(at) {
			l.wrong = append(l.wrong, fmt.Sprintf("%s was asked %v after its node was known to be lost", pod, time.Since(at)))
		}
		if l.paused {
			l.wrong = append(l.wrong, "an eviction was sent during a pause")
		}
	}
	l.mu.Unlock()
	response, err := l.server.RoundTrip(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if isEviction {
		l.open[pod]--
	}
	node, isNode := strings.CutPrefix(r.URL.Path, "/api/v1/nodes/")
	if isNode && r.Method == http.MethodGet && err == nil && response.StatusCode < 500 && l.lost[node] && l.known[node].IsZero() {
		l.known[node] = time.Now()
	}
	return response, err
}

// lose notes that a drain of a node is to end.
func (l *line) lose(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[node] = true
}

// put notes where a pod is.
func (l *line) put(o *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodeOf["/api/v1/namespaces/"+o.Namespace+"/pods/"+o.Name] = o.Spec.NodeName
}

func TestDrainKeepsItsRulesInAnyStorm(t *testing.T) {
	ends := map[action.State]int{}
	defer func() { t.Logf("ends: %v", ends) }()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStorm(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			wrong = s.rage(b)
			ends[b.result.State]++
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// rage lets the storm pass, and gives what went wrong.
func (s *storm) rage(b *bench) []string {
	l := &line{server: b.Server, open: map[string]int{}, nodeOf: map[string]string{}, lost: map[string]bool{}, known: map[string]time.Time{}}
	b.cluster = kube.New(kubetest.Clients(l), "prod", "shop", []string{metav1.NamespaceAll}, nil)
	b.settings = s.settings
	late := s.build(b)
	for _, o := range b.Pods() {
		l.put(o)
	}
	silent := func(name string) bool { return s.silent[int(name[1]-'0')] }
	b.Clings(func(o *corev1.Pod) bool { return o.Spec.NodeName != "other" && silent(o.Spec.NodeName) })
	if s.replaces {
		b.Left(func(gone *corev1.Pod) { replace(b, gone) })
	}
	var mu sync.Mutex
	count := 0
	b.Evictions(func(kubetest.Eviction) kubetest.Reply {
		mu.Lock()
		defer mu.Unlock()
		count++
		if count > len(s.replies) {
			return kubetest.Reply{}
		}
		return reply(s.replies[count-1])
	})
	var names []string
	for i := range s.nodes {
		names = append(names, fmt.Sprintf("w%d", i))
	}
	b.planned = b.plan(names...)
	for i, p := range s.pods {
		if p.replaced {
			s.replaceNow(b, i)
		}
	}
	b.start()
	for _, e := range s.events {
		if e.at >= s.cancel {
			break
		}
		if !b.overBefore(e.at) {
			s.happen(b, l, e, late)
		}
	}
	over := b.overBefore(s.cancel)
	asked := time.Now()
	l.mu.Lock()
	l.asked = asked
	l.mu.Unlock()
	b.stop(errStopped)
	b.wait(time.Second)
	took := time.Since(asked)
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	wrong := s.judge(b, late)
	if !over && took > 100*time.Millisecond {
		wrong = append(wrong, fmt.Sprintf("it took %v to stop", took))
	}
	<-time.After(5 * time.Minute)
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(wrong, l.wrong...)
}

// overBefore waits, and reports whether the drain has ended by itself.
func (b *bench) overBefore(at time.Duration) bool {
	select {
	case <-b.done:
		return true
	case <-time.After(time.Until(b.began.Add(at))):
		synctest.Wait()
		return false
	}
}

// build puts the objects, and gives an empty list of those that come later, by UID.
func (s *storm) build(b *bench) map[string]arrival {
	for i := range s.nodes {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("w%d", i), UID: types.UID(fmt.Sprintf("uid-w%d", i))}}
		if s.silent[i] {
			n.Labels = map[string]string{"silent": "yes"}
		}
		b.Put(n)
	}
	for i, p := range s.pods {
		b.Put(p.object(fmt.Sprintf("app%d-%d", p.app, i)))
	}
	for app, all := range s.budgets {
		for i, allowed := range all {
			pdb := &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-pdb%d", app, i), UID: types.UID(fmt.Sprint(app, i)), Generation: 1},
				Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
				Status:     policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 1, DisruptionsAllowed: int32(max(0, allowed))},
			}
			if allowed < 0 {
				pdb.Status.ObservedGeneration = 0
			}
			b.Put(pdb)
		}
	}
	return map[string]arrival{}
}

// arrival is a pod that came after the plan.
type arrival struct {
	harmless bool // and the drain is to take such pods
	node     string
	bound    time.Time
}

// mayGo reports whether it may be evicted: it was bound before the cordon, or hardly after.
func (a arrival) mayGo(steps map[string]*action.Step) bool {
	return a.harmless && !a.bound.After(steps["uid-"+a.node].Since.Add(5*time.Second))
}

func (p stormPod) object(name string) *corev1.Pod {
	o := newPod(fmt.Sprintf("w%d", p.node), name)
	if p.owner == "" {
		o.OwnerReferences = nil
	} else {
		ownedBy(p.owner, fmt.Sprintf("app%d", p.app))(o)
	}
	grace(p.grace)(o)
	ready(p.ready)(o)
	if p.leaving {
		at := metav1.NewTime(time.Now().Add(10 * time.Second))
		o.DeletionTimestamp = &at
	}
	if p.ephemeral {
		o.Spec.Volumes = []corev1.Volume{{Name: "scratch"}}
	}
	return o
}

// replaceNow puts another pod in the place of one of the plan, elsewhere.
func (s *storm) replaceNow(b *bench, i int) {
	o := s.pods[i].object(fmt.Sprintf("app%d-%d", s.pods[i].app, i))
	b.Delete(o)
	if len(o.OwnerReferences) > 0 {
		replace(b, o)
	}
}

// replace makes a pod on another node as a controller does; under the same name, which is the worst that can happen.
func replace(b *bench, gone *corev1.Pod) {
	o := newPod("other", gone.Name)
	o.OwnerReferences, o.UID = gone.OwnerReferences, gone.UID+"-again"
	o.CreationTimestamp = metav1.Now()
	b.Put(o)
}

func reply(kind int) kubetest.Reply {
	failed := &metav1.Status{Code: 500, Message: "etcd"}
	closing := apierrors.NewForbidden(onePod, "x", errors.New("going"))
	closing.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return []kubetest.Reply{
		{},
		{Status: failed},
		{Status: failed, Done: true},
		{Err: errors.New("reset")},
		{Err: errors.New("reset"), Done: true},
		{Delay: 3 * time.Second},
		{Late: 3 * time.Second},
		{Delay: time.Hour},
		{Late: time.Hour},
		{Status: &apierrors.NewTooManyRequests("busy", 4).ErrStatus},
		{Status: &apierrors.NewConflict(onePod, "x", errors.New("webhook")).ErrStatus},
		{Status: &apierrors.NewForbidden(onePod, "x", errors.New("no")).ErrStatus},
		{Status: &closing.ErrStatus},
	}[kind]
}

// happen lets one event of the storm happen.
func (s *storm) happen(b *bench, l *line, e stormEvent, late map[string]arrival) {
	pick := func(of int) int { return e.n % max(1, of) }
	pause := func(on bool) {
		b.progress.Pause(on)
		synctest.Wait()
		l.mu.Lock()
		l.paused = on
		l.mu.Unlock()
	}
	switch e.kind {
	case "refuse":
		b.Fail(kubetest.Refused)
	case "silence":
		b.Silent()
	case "deaf": // pods can be asked, and nobody tells what becomes of them
		b.Fail(func(r *http.Request) (*http.Response, bool, error) {
			return nil, r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods"), errors.New("no route")
		})
	case "back":
		b.Fail(nil)
	case "break":
		b.BreakWatches()
	case "compact":
		b.Compact()
	case "budget":
		app := fmt.Sprintf("app%d", pick(4))
		for i := range s.budgets[app] {
			pdb := &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-pdb%d", app, i), UID: types.UID(fmt.Sprint(app, i)), Generation: 1},
				Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
				Status:     policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, DesiredHealthy: 2, CurrentHealthy: 3, DisruptionsAllowed: int32(e.n % 4)},
			}
			b.Put(pdb)
		}
	case "pause":
		pause(true)
	case "go on":
		l.mu.Lock()
		l.paused = false
		l.mu.Unlock()
		pause(false)
	case "skip":
		if len(s.pods) > 0 {
			i := pick(len(s.pods))
			b.progress.Skip(fmt.Sprintf("uid-app%d-%d", s.pods[i].app, i))
		}
	case "delete", "readiness":
		all := b.Pods()
		if len(all) == 0 {
			return
		}
		o := all[pick(len(all))]
		if e.kind == "delete" {
			b.Delete(o)
			return
		}
		ready(e.n%2 == 0)(o)
		b.Put(o)
	case "arrive":
		p := stormPod{node: pick(s.nodes), app: pick(4), owner: "ReplicaSet", grace: 3, ready: true, ephemeral: e.n%3 == 0}
		o := p.object(fmt.Sprintf("app%d-late%d-%d", p.app, e.n, e.at.Milliseconds()))
		if e.n%2 == 0 { // it is new; or it was only on its way for long
			madeNow(o)
		}
		late[string(o.UID)] = arrival{s.settings.Late && !p.ephemeral, o.Spec.NodeName, o.CreationTimestamp.Time}
		l.put(o)
		b.Put(o)
	case "uncordon", "remove node", "replace node":
		n := b.Node(fmt.Sprintf("w%d", pick(s.nodes)))
		if n == nil || !n.Spec.Unschedulable {
			return
		}
		l.lose(n.Name)
		if e.kind == "uncordon" {
			n.Spec.Unschedulable = false
			b.Put(n)
			return
		}
		b.Delete(n)
		if n.UID += "-again"; e.kind == "replace node" {
			b.Put(n)
		}
	}
}

// judge compares what was reported with what has happened.
func (s *storm) judge(b *bench, late map[string]arrival) []string {
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	there := map[string]*corev1.Pod{}
	for _, o := range b.Pods() {
		there[string(o.UID)] = o
	}
	steps := map[string]*action.Step{}
	for _, st := range b.progress.Steps() {
		if steps[st.Object.UID] != nil {
			fail("%s has two steps", st.Object.FullName())
		}
		steps[st.Object.UID] = st
		if !st.State.Ended() {
			fail("the run is over, and %s is %s", st.Object.FullName(), st.State)
		}
	}
	planned := map[string]drain.Pod{}
	allGone := true
	for _, n := range b.planned.Nodes {
		if steps[n.UID] == nil {
			fail("%s has no step", n.Name)
		}
		for _, p := range n.Pods {
			planned[p.UID] = p
			if steps[p.UID] == nil {
				fail("%s has no step", p.Name)
				continue
			}
			allGone = allGone && (p.Fate == drain.Stays || there[p.UID] == nil && steps[p.UID].State == action.StepGone)
		}
	}
	if b.result.State == action.Done && !allGone {
		fail("done, and not everything is gone")
	}
	accepted := b.Accepted()
	for _, p := range b.posts("") {
		plan, inPlan := planned[p.uid]
		if inPlan && !plan.Fate.Goes() || !inPlan && !late[p.uid].mayGo(steps) {
			fail("%s (%s) was asked, which nobody planned", p.name, p.uid)
		}
		if at, done := accepted[p.uid]; done && b.began.Add(p.at).After(at) {
			fail("%s was asked after %v although it had been accepted", p.name, p.at)
		}
	}
	unknown := false
	for uid, st := range steps {
		unknown = unknown || st.State == action.StepUnknown
		_, isAccepted := accepted[uid]
		o := there[uid]
		switch st.State {
		case action.StepGone:
			if o != nil {
				fail("%s is called gone, and is there", st.Object.Name)
			}
		case action.StepAccepted:
			if o != nil && o.DeletionTimestamp == nil {
				fail("%s is called accepted, and is not", st.Object.Name)
			}
		case action.StepUnknown:
		default:
			if isAccepted {
				fail("%s was accepted, and is called %s", st.Object.Name, st.State)
			}
		}
	}
	for uid := range accepted {
		if steps[uid] == nil {
			fail("%s was accepted, and has no step", uid)
		}
	}
	if unknown != (b.result.State == action.Unknown) {
		fail("a step is unknown: %v; the result is %s", unknown, b.result.State)
	}
	if len(wrong) > 0 {
		fail("%s", b.steps())
	}
	return wrong
}
