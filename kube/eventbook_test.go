package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// library is a book with its stores, and the pods and workloads that there are.
type library struct {
	*eventBook
	pods map[string]*Pod // by UID
	now  time.Time
}

func newLibrary() *library {
	l := &library{pods: map[string]*Pod{}, now: noon}
	l.eventBook = newEventBook(func() {}, newStore(func() {}, judgeEvent), newStore(func() {}, judgeEventGroup), eventBeside{
		pod: func(uid string) (podKin, bool) {
			p, ok := l.pods[uid]
			if !ok {
				return podKin{}, false
			}
			return kinOf(p), true
		},
		named: func(names map[PodKey]podKin) {
			for _, p := range l.pods {
				if _, ok := names[PodKey{p.Namespace, p.Name}]; ok {
					names[PodKey{p.Namespace, p.Name}] = kinOf(p)
				}
			}
		},
		workload: func(o Owner) string { return "uid of " + o.Name },
	})
	return l
}

// has adds pods of a ReplicaSet: web-1 is one of rs/web on worker-1.
func (l *library) has(names ...string) {
	for _, name := range names {
		set, number, _ := strings.Cut(name, "-")
		p := &Pod{Namespace: "shop", Name: name, UID: "u-" + name, OwnerKind: "ReplicaSet", OwnerName: set, Node: "worker-" + number}
		l.podMoved(l.pods[p.UID], p)
		l.pods[p.UID] = p
	}
}

// lost removes pods.
func (l *library) lost(names ...string) {
	for _, name := range names {
		l.podMoved(l.pods["u-"+name], nil)
		delete(l.pods, "u-"+name)
	}
}

// publish has the stores show what has been learnt.
func (l *library) publish() bool {
	news := l.absorb(l.now)
	m := Moment{Now: l.now, Said: l.told()}
	l.events.publish(m, 0, nil)
	l.groups.publish(m, 0, nil)
	return news
}

// shows compares the groups: "Warning BackOff 2 pods of replicaset/web x5".
func (l *library) shows(t *testing.T, want ...string) map[string]*EventGroup {
	t.Helper()
	l.publish()
	var got []string
	rows := map[string]*EventGroup{}
	for _, s := range l.groups.rows {
		g := s.row
		what := g.Subject.String()
		switch g.By {
		case ByOwner:
			what = fmt.Sprintf("%d pods of %s", g.Objects, what)
		case ByNode:
			what = fmt.Sprintf("%d pods on %s", g.Objects, g.Subject.Name)
		case ByObject:
		}
		line := fmt.Sprintf("%s %s %s x%d", g.Type, g.Reason, what, g.Count)
		if g.AtLeast {
			line += "+"
		}
		if g.Expired {
			line += " expired"
		}
		got, rows[line] = append(got, line), g
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	return rows
}

// said is an event of a pod of namespace shop, last said some minutes before noon.
func podSaid(uid, reason, pod string, count, ago int) *Event {
	return &Event{
		Namespace: "shop", Name: "e-" + uid, UID: uid, Type: "Warning", Reason: reason, Message: reason + " of " + pod,
		Object: Involved{Kind: "Pod", Namespace: "shop", Name: pod, UID: "u-" + pod, APIVersion: "v1"}, From: "kubelet",
		Count: count, First: noon.Add(-time.Hour), Last: noon.Add(-time.Duration(ago) * time.Minute),
	}
}

func TestEventsAreGroupedByWhatTheyAreAbout(t *testing.T) {
	l := newLibrary()
	l.has("web-1", "web-2", "api-1")
	started := podSaid("6", "Started", "web-1", 1, 5)
	started.Type = "Normal"
	down := podSaid("8", "NodeNotReady", "web-1", 1, 5)
	down.Object.UID = "" // as the node controllers say it
	node := &Event{Namespace: "default", UID: "10", Type: "Normal", Reason: "NodeNotReady", Count: 1, First: noon, Last: noon,
		Object: Involved{Kind: "Node", Name: "worker-1", UID: "worker-1"}}
	l.tray.put(
		podSaid("1", "BackOff", "web-1", 5, 3), podSaid("2", "BackOff", "web-2", 7, 2), podSaid("3", "BackOff", "api-1", 1, 1),
		podSaid("4", "Unhealthy", "web-1", 1, 1), podSaid("5", "Unhealthy", "web-1", 1, 40),
		started, podSaid("7", "Killing", "stray", 2, 1), down, podSaid("9", "NodeNotReady", "api-1", 1, 5), node,
	)
	rows := l.shows(t,
		"Warning BackOff 2 pods of replicaset/web x12", "Warning BackOff pod/api-1 x1", "Warning Unhealthy pod/web-1 x2",
		"Normal Started pod/web-1 x1", "Warning Killing pod/stray x2", "Warning NodeNotReady 2 pods on worker-1 x2",
		"Normal NodeNotReady node/worker-1 x1",
	)
	g := rows["Warning BackOff 2 pods of replicaset/web x12"]
	equal(t, g.Subject.UID, "uid of web")
	equal(t, g.Message+" "+g.Object.Name+" "+g.Node, "BackOff of web-2 web-2 worker-2")
	equal(t, fmt.Sprint(l.told().Events, l.told().Count, l.told().Forgotten), "10 21 0")
}

func TestGroupKeepsItsIdentityWhenASecondObjectAppears(t *testing.T) {
	l := newLibrary()
	l.has("web-1", "web-2")
	l.tray.put(podSaid("1", "BackOff", "web-1", 5, 3))
	one := l.shows(t, "Warning BackOff pod/web-1 x5")["Warning BackOff pod/web-1 x5"]
	l.tray.put(podSaid("2", "BackOff", "web-2", 1, 1))
	two := l.shows(t, "Warning BackOff 2 pods of replicaset/web x6")["Warning BackOff 2 pods of replicaset/web x6"]
	equal(t, one.UID, two.UID)
	equal(t, l.events.rows["1"].row.Group+l.events.rows["2"].row.Group, two.UID+two.UID)
}

func TestWhatTheServerLetsGoIsKeptAndMarked(t *testing.T) {
	l := newLibrary()
	l.has("web-1")
	first := podSaid("1", "BackOff", "web-1", 5, 30)
	l.tray.put(first, podSaid("2", "BackOff", "web-1", 2, 3))
	l.publish()
	l.tray.remove("1")
	l.shows(t, "Warning BackOff pod/web-1 x7")
	equal(t, l.events.rows["1"].row.Expired, true)
	equal(t, first.Expired, false) // a row that was published is not changed
	l.tray.sweep(origin{kind: Events, namespace: "lab"}, map[string]struct{}{})
	l.shows(t, "Warning BackOff pod/web-1 x7")
	l.tray.sweep(origin{kind: Events}, map[string]struct{}{})
	l.shows(t, "Warning BackOff pod/web-1 x7 expired")
	l.tray.put(podSaid("2", "BackOff", "web-1", 2, 3)) // whoever may see it again
	l.shows(t, "Warning BackOff pod/web-1 x7")
	equal(t, len(l.EventsOf(Ref{Kind: Pods, Namespace: "shop", Name: "web-1", UID: "u-web-1"})), 2)
}

func TestWhatIsTakenOutOfTheTrayIsNotInIt(t *testing.T) {
	tray := newEventTray(func() {})
	empty := tray.take()
	tray.put(podSaid("1", "BackOff", "web-1", 1, 1))
	full := tray.take()
	tray.put(podSaid("2", "BackOff", "web-1", 1, 1))
	equal(t, fmt.Sprint(len(empty.rows), len(full.rows), len(tray.take().rows)), "0 1 1")
}

// forgetful is a library that keeps one warning, and has forgotten event "old" of pod web-1, said five times.
func forgetful() *library {
	l := newLibrary()
	l.limits.singles = 1
	l.has("web-1")
	l.tray.put(podSaid("old", "BackOff", "web-1", 5, 30), podSaid("new", "BackOff", "web-1", 2, 3))
	l.publish()
	return l
}

func TestAForgottenEventThatIsSaidAgainAndThenMissingFromAListCountsOnce(t *testing.T) {
	l := forgetful()
	l.tray.put(podSaid("old", "BackOff", "web-1", 6, 1))
	l.tray.sweep(origin{kind: Events}, map[string]struct{}{"new": {}})
	l.shows(t, "Warning BackOff pod/web-1 x8")
	equal(t, l.told().Count, 8)
}

func TestAListOfOneNamespaceLetsItsForgottenEventsGo(t *testing.T) {
	l := forgetful()
	l.tray.remove("new")
	l.shows(t, "Warning BackOff pod/web-1 x7")
	l.tray.sweep(origin{kind: Events, namespace: "lab"}, map[string]struct{}{})
	l.shows(t, "Warning BackOff pod/web-1 x7")
	l.tray.sweep(origin{kind: Events, namespace: "shop"}, map[string]struct{}{})
	l.shows(t, "Warning BackOff pod/web-1 x7 expired")
}

// EventsOf is that of a cluster.
func (l *library) EventsOf(r Ref) []*Event { return (&Cluster{book: l.eventBook}).EventsOf(r) }

func TestAListThatComesAgainCountsNothingTwice(t *testing.T) {
	l := newLibrary()
	l.has("web-1")
	l.tray.put(podSaid("1", "BackOff", "web-1", 5, 3))
	l.shows(t, "Warning BackOff pod/web-1 x5")
	l.tray.put(podSaid("1", "BackOff", "web-1", 5, 3))
	equal(t, l.publish(), false)
	l.tray.put(podSaid("1", "BackOff", "web-1", 8, 1))
	l.shows(t, "Warning BackOff pod/web-1 x8")
	equal(t, fmt.Sprint(l.told().Count, l.told().Rate), "8 [0 0 0 0 0 0 0 0 0 0 0 0 0 7 0]")
}

func TestRateIsOnlyWhatIsKnownOfTheTimes(t *testing.T) {
	l := newLibrary()
	l.now = noon.Add(time.Minute) // noon is the beginning of a step
	e := podSaid("1", "BackOff", "web-1", 9, 5)
	e.First = noon.Add(-20 * time.Minute)
	later := podSaid("2", "BackOff", "web-1", 1, 0)
	later.First, later.Last, later.Type = noon.Add(time.Hour), noon.Add(time.Hour), "Normal" // its clock is fast
	l.tray.put(e, later)
	l.publish()
	said := l.told()
	equal(t, fmt.Sprint(said.Rate, said.Warnings, said.RateEnds.Sub(noon)),
		"[0 0 0 0 0 0 0 0 0 1 0 0 8 0 1] [0 0 0 0 0 0 0 0 0 1 0 0 8 0 0] 4m0s")
	all, warnings := said.RatesAt(noon.Add(9 * time.Minute))
	equal(t, fmt.Sprint(all, warnings), "[0 0 0 0 0 0 0 1 0 0 8 0 1 0 0] [0 0 0 0 0 0 0 1 0 0 8 0 0 0 0]")
	all, _ = said.RatesAt(noon.Add(2 * time.Hour))
	equal(t, all, Rate{})
	l.now = noon.Add(9 * time.Minute)
	more := podSaid("1", "BackOff", "web-1", 12, -8)
	more.First = e.First
	l.tray.put(more)
	l.publish()
	equal(t, fmt.Sprint(l.told().Warnings), "[0 0 0 0 0 0 0 1 0 0 8 0 0 0 3]")
	for _, s := range l.groups.rows {
		if s.row.Warning() {
			equal(t, fmt.Sprint(s.row.Rate, s.row.RateAt(noon.Add(13*time.Minute))),
				"[0 0 0 0 0 0 0 1 0 0 8 0 0 0 3] [0 0 0 0 0 0 1 0 0 8 0 0 0 3 0]")
		}
	}
}

func TestEventsThatComeBeforeTheirPodMoveToItsWorkload(t *testing.T) {
	l := newLibrary()
	l.has("web-1")
	l.tray.put(podSaid("1", "BackOff", "web-1", 5, 3), podSaid("2", "BackOff", "web-2", 1, 1), podSaid("3", "NodeNotReady", "web-2", 1, 1))
	l.shows(t, "Warning BackOff pod/web-1 x5", "Warning BackOff pod/web-2 x1", "Warning NodeNotReady pod/web-2 x1")
	l.has("web-2")
	rows := l.shows(t, "Warning BackOff 2 pods of replicaset/web x6", "Warning NodeNotReady pod/web-2 x1")
	equal(t, l.events.rows["2"].row.Group, rows["Warning BackOff 2 pods of replicaset/web x6"].UID)
	equal(t, len(l.orphans), 0)
	l.tray.put(podSaid("2", "BackOff", "web-2", 4, 0))
	l.shows(t, "Warning BackOff 2 pods of replicaset/web x9", "Warning NodeNotReady pod/web-2 x1")
}

func TestPodsThatAreGoneAreRemembered(t *testing.T) {
	l := newLibrary()
	l.has("web-1", "web-2", "web-3")
	l.lost("web-1", "web-2")
	evicted := podSaid("2", "TaintManagerEviction", "web-2", 1, 1)
	evicted.Object.UID = ""
	other := podSaid("3", "Killing", "web-2", 1, 1)
	other.Object.UID = "of another pod of that name"
	l.tray.put(podSaid("1", "Killing", "web-1", 1, 1), podSaid("4", "Killing", "web-3", 1, 1), evicted, other)
	rows := l.shows(t, "Warning Killing 2 pods of replicaset/web x2", "Warning TaintManagerEviction pod/web-2 x1", "Warning Killing pod/web-2 x1")
	equal(t, rows["Warning TaintManagerEviction pod/web-2 x1"].Node, "worker-2")
	for i := range 3 * gonePods {
		l.has(fmt.Sprint("old-", i))
		l.lost(fmt.Sprint("old-", i))
	}
	equal(t, fmt.Sprint(len(l.gone.gone), len(l.gone.order)), fmt.Sprint(gonePods, gonePods))
}

func TestEventsOfAnObjectAreFoundByUIDAndByName(t *testing.T) {
	l := newLibrary()
	nameless := podSaid("2", "TaintManagerEviction", "web-1", 1, 2)
	nameless.Object.UID = ""
	old := podSaid("4", "Killing", "web-1", 1, 2)
	old.Object.UID = "of an earlier pod of that name"
	node := func(uid, known string, ago int) *Event {
		e := podSaid(uid, "NodeNotReady", "", 1, ago)
		e.Object = Involved{Kind: "Node", Name: "worker-1", UID: known}
		return e
	}
	l.tray.put(podSaid("1", "BackOff", "web-1", 1, 3), nameless, podSaid("3", "BackOff", "web-1", 1, 1), old,
		node("5", "worker-1", 1), node("6", "9ad4c532", 3), node("7", "", 2))
	l.publish()
	for _, c := range []struct {
		name string
		ref  Ref
		want string
	}{
		{"pod", Ref{Kind: Pods, Namespace: "shop", Name: "web-1", UID: "u-web-1"}, "3 2 1"},
		{"earlier pod", Ref{Kind: Pods, Namespace: "shop", Name: "web-1", UID: "of an earlier pod of that name"}, "2 4"},
		{"pod without a UID", Ref{Kind: Pods, Namespace: "shop", Name: "web-1"}, "2"},
		{"node", Ref{Kind: Nodes, Name: "worker-1", UID: "9ad4c532"}, "5 7 6"},
		{"nothing", Ref{Kind: Jobs, Namespace: "shop", Name: "web-1", UID: "x"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range l.EventsOf(c.ref) {
				got = append(got, e.UID)
			}
			equal(t, strings.Join(got, " "), c.want)
		})
	}
}

// model is what a book should say, made naively: of every event object its newest version, and whether the server has it.
type model struct {
	newest map[string]*Event
	there  map[string]bool
}

func (m *model) groups(l *library) map[string]string {
	type sum struct {
		count, live int
		objects     map[string]bool
	}
	sums := map[string]*sum{}
	for uid, e := range m.newest {
		owner := "of " + e.Object.Name
		if p := l.pods[e.Object.UID]; p != nil {
			owner = p.OwnerName
			if nodeReasons[e.Reason] {
				owner = p.Node
			}
		}
		key := e.Type + " " + e.Reason + " " + owner
		if sums[key] == nil {
			sums[key] = &sum{objects: map[string]bool{}}
		}
		s := sums[key]
		s.count += e.Count
		s.objects[e.Object.UID] = true
		if m.there[uid] {
			s.live++
		}
	}
	out := map[string]string{}
	for key, s := range sums {
		out[key] = fmt.Sprintf("x%d %d %v", s.count, len(s.objects), s.live == 0)
	}
	return out
}

func (l *library) found() map[string]string {
	out := map[string]string{}
	for _, s := range l.groups.rows {
		g := s.row
		parts := strings.Split(g.UID, "\n")
		owner := parts[5]
		if parts[2] == "0" {
			owner = "of " + owner
		}
		out[g.Type+" "+g.Reason+" "+owner] = fmt.Sprintf("x%d %d %v", g.Count, g.Objects, g.Expired)
	}
	return out
}

// TestGroupsCountWhatANaiveModelCounts lets anything happen to events, with limits so small that most are forgotten, and with
// limits that are never reached.
func TestGroupsCountWhatANaiveModelCounts(t *testing.T) {
	for name, most := range map[string]int{"all are kept": 1000, "most are forgotten": 4} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { bookAgainstModel(t, most) })
		})
	}
}

func bookAgainstModel(t *rapid.T, most int) {
	l := newLibrary()
	l.limits.singles = most
	pods := []string{"web-1", "web-2", "api-1", "api-2"}
	l.has(pods...)
	m := &model{map[string]*Event{}, map[string]bool{}}
	uids := func(there bool) []string {
		var out []string
		for uid := range m.newest {
			if m.there[uid] || !there {
				out = append(out, uid)
			}
		}
		slices.Sort(out)
		return out
	}
	said := func(e *Event) {
		m.newest[e.UID], m.there[e.UID] = e, true
		row := *e
		l.tray.put(&row)
	}
	clock := 0
	fresh := func(uid string, count int) *Event {
		clock++
		e := podSaid(uid, rapid.SampledFrom([]string{"BackOff", "NodeNotReady", "Killing"}).Draw(t, "reason"),
			rapid.SampledFrom(append(pods, "stray")).Draw(t, "pod"), count, 0)
		e.Type = rapid.SampledFrom([]string{"Warning", "Normal"}).Draw(t, "type")
		e.Last = noon.Add(time.Duration(clock) * time.Second)
		return e
	}
	again := func(uid string) *Event {
		clock++
		e := *m.newest[uid]
		e.Count += rapid.IntRange(1, 4).Draw(t, "more")
		e.Last = noon.Add(time.Duration(clock) * time.Second)
		return &e
	}
	relist := func() {
		seen := map[string]struct{}{}
		for _, uid := range uids(true) {
			seen[uid] = struct{}{}
			said(m.newest[uid])
		}
		l.tray.sweep(origin{kind: Events}, seen)
	}
	t.Repeat(map[string]func(*rapid.T){
		"new": func(t *rapid.T) {
			said(fresh(fmt.Sprint("e", len(m.newest)), rapid.IntRange(1, 5).Draw(t, "count")))
		},
		"again": func(t *rapid.T) {
			if all := uids(true); len(all) > 0 {
				said(again(rapid.SampledFrom(all).Draw(t, "which")))
			}
		},
		"other": func(t *rapid.T) { // the same object says something else; nothing of Kubernetes does that
			if all := uids(true); len(all) > 0 {
				uid := rapid.SampledFrom(all).Draw(t, "which")
				said(fresh(uid, m.newest[uid].Count+1))
			}
		},
		"deleted": func(t *rapid.T) {
			if all := uids(true); len(all) > 0 {
				uid := rapid.SampledFrom(all).Draw(t, "which")
				m.there[uid] = false
				l.tray.remove(uid)
			}
		},
		"missed": func(t *rapid.T) { // the watch breaks, and some are gone when it is back
			for _, uid := range uids(true) {
				if rapid.Bool().Draw(t, "gone") {
					m.there[uid] = false
				}
			}
			relist()
		},
		"relist":  func(*rapid.T) { relist() },
		"publish": func(*rapid.T) { l.publish() },
		"": func(t *rapid.T) {
			if !rapid.Bool().Draw(t, "look") {
				return
			}
			l.publish()
			checkBook(t, l, m, most)
		},
	})
}

func checkBook(t *rapid.T, l *library, m *model, most int) {
	want, got := m.groups(l), l.found()
	if most < 1000 { // objects may count anew
		for _, all := range []map[string]string{want, got} {
			for key, s := range all {
				f := strings.Fields(s)
				all[key] = f[0] + " " + f[2]
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	total := 0
	for _, e := range m.newest {
		total += e.Count
	}
	said := l.told()
	if said.Count != total || said.Events+said.Forgotten != len(m.newest) || said.Events != len(l.events.rows) {
		t.Fatalf("%+v, want %d of %d, and %d rows", said, total, len(m.newest), len(l.events.rows))
	}
	for i := range l.shelves {
		if n := l.shelves[i].singles; n > most {
			t.Fatalf("%d are kept", n)
		}
	}
	indexed := 0
	for _, s := range l.events.rows {
		if (m.there[s.row.UID]) == s.row.Expired {
			t.Fatalf("%s is expired: %v", s.row.UID, s.row.Expired)
		}
		if g := l.groups.rows[s.row.Group]; g.row == nil {
			t.Fatalf("%s is of no group", s.row.UID)
		}
	}
	for _, pod := range []string{"web-1", "web-2", "api-1", "api-2", "stray"} {
		list := l.EventsOf(Ref{Kind: Pods, Namespace: "shop", Name: pod, UID: "u-" + pod})
		indexed += len(list)
		for _, e := range list {
			if l.events.rows[e.UID].row != e || e.Object.Name != pod {
				t.Fatalf("%s of %s is not the row", e.UID, pod)
			}
		}
		if !slices.IsSortedFunc(list, newestFirst) {
			t.Fatal("not the newest first")
		}
	}
	if indexed != said.Events {
		t.Fatalf("%d are found, of %d", indexed, said.Events)
	}
}
