package views

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func TestScreensOfEvents(t *testing.T) {
	for _, s := range []Size{{80, 20}, {59, 20}, {120, 20}, {200, 20}} {
		for name, keys := range map[string][]keymap.ID{"groups": nil, "singles": {"events.singles"}, "group": {"events.open"}} {
			c := newIncident()
			c.press(keys...)
			out := plainly(c, s)
			checkRectangle(t, out, s)
			golden(t, fmt.Sprintf("events-%s-%dx%d", name, s.W, s.H), out)
		}
	}
}

func TestGroupsOfEventsStandInTheOrderThatIsAskedFor(t *testing.T) {
	c := newIncident()
	for sort, want := range map[keymap.ID]string{
		"events.sort.last":   "BackOff x57, FailedScheduling x9, Started x15",
		"events.sort.count":  "BackOff x57, BackOff x25, Started x15",
		"events.sort.reason": "BackOff x25, BackOff x57, Evicted x4",
		"events.sort.object": "Failed x14, SuccessfulCreate x1, NetworkNotReady x6, RegisteredNode x1, BackOff x25",
		"events.sort.type":   "BackOff x57, FailedScheduling x9, BackOff x25",
	} {
		v := newIncident()
		if sort == "events.sort.last" {
			v = c
		} else {
			v.press(sort)
		}
		if got := v.rows(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s\nwant %s", sort, got, want)
		}
	}
	c.press("events.sort.last")
	if got := c.rows(); !strings.HasPrefix(got, "SuccessfulCreate x1, NodeHasDiskPressure x1, Evicted x4") {
		t.Errorf("last seen, reversed: %s", got)
	}
	if head := c.head(120); !strings.Contains(head, "by last seen, reversed · warnings+normal · live") {
		t.Errorf("the head does not say the order: %s", head)
	}
}

func TestSingleEventsStandInTheOrderThatIsAskedFor(t *testing.T) {
	for sort, want := range map[keymap.ID]string{
		"events.sort.last":   "NodeNotReady:worker-07 x1, NodeNotReady:cart-2 x1, Unhealthy:web-6d5f9c7b8c-r7d2c x3",
		"events.sort.count":  "BackOff:checkout-7d9f8c6b5-8wq7n x19, BackOff:checkout-7d9f8c6b5-tt5zc x19",
		"events.sort.reason": "BackOff:checkout-7d9f8c6b5-8wq7n x19",
		"events.sort.object": "NodeNotReady:worker-07 x1, FailedScheduling:indexer-5 x9",
		"events.sort.type":   "BackOff:checkout-7d9f8c6b5-x2k4q x19",
	} {
		c := newIncident()
		c.press("events.singles", sort)
		if got := c.rows(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s\nwant %s", sort, got, want)
		}
	}
}

func TestHeadOfEventsSaysHowOftenSomethingWasSaidAndSinceWhen(t *testing.T) {
	c := newIncident()
	for _, s := range []struct {
		keys []keymap.ID
		want string
	}{
		{nil, "━ 13 groups, 149+ events since 11:01 ━━━━━━━━━━━━━━━━ warnings+normal · live › ━"},
		{[]keymap.ID{"events.warnings"}, "━ 10 of 13 groups, 132+ events since 11:01 ━━━━━━━━━━━━━━━━━ warnings · live › ━"},
		{[]keymap.ID{"events.singles"}, "━ 7 events, said 71+ times since 11:01 ━━━━━━━━━━━━━━━━━━━━━ warnings · live › ━"},
	} {
		c.press(s.keys...)
		equal(t, c.head(80), s.want)
	}
}

func TestWarningsAloneAreShownUntilTheKeyIsPressedAgain(t *testing.T) {
	c := newIncident()
	all := c.rows()
	c.press("events.warnings")
	if got := c.rows(); strings.Contains(got, "Started") || strings.Contains(got, "Created") || !strings.Contains(got, "Evicted") {
		t.Errorf("with warnings alone there is %s", got)
	}
	c.press("events.warnings")
	equal(t, c.rows(), all)
}

func TestMarkLeavesOutWhatWasSaidBefore(t *testing.T) {
	c := newIncident()
	all := c.rows()
	f := frame()
	f.Now = noon.Add(90*time.Second + 300*time.Millisecond)
	drawn(c, Size{80, 20}, f)
	c.press("events.mark")
	equal(t, c.rows(), "")
	if out := plainly(c, Size{80, 20}); !strings.Contains(out, "No group matches  since 12:01:30") || !strings.Contains(out, "m shows what was said before, too") {
		t.Errorf("of nothing since the mark:\n%s", out)
	}

	g := *c.groups.rows[1]
	g.Last, g.Count = noon.Add(90*time.Second), 10 // in the second of the mark, which is all that the API says of it
	c.put(single(&g, g.Object, 10, -90*time.Second, ""), &g)
	c.publish()
	equal(t, c.rows(), "FailedScheduling x10")
	if head := c.head(80); !strings.HasPrefix(head, "━ 1 of 13 groups, 10+ events since 12:01:30 ━") {
		t.Errorf("the head does not say since when: %s", head)
	}
	c.press("events.singles")
	equal(t, c.rows(), "FailedScheduling:indexer-5 x10")
	c.press("events.singles", "events.mark")
	if got := c.rows(); len(got) != len(all)+1 {
		t.Errorf("without the mark there is %s\nwant all, and one more digit", got)
	}
}

// again is a group with another version of it that was said so much more often.
func (s *scene) again(i, times int) {
	g := *s.groups.rows[i]
	g.Count, g.Last = g.Count+times, noon.Add(time.Second)
	s.groups.rows[i] = &g
	s.publish()
}

func TestHeldEventsStayAsTheyAreWhileTheirAgesGoOn(t *testing.T) {
	c := newIncident()
	drawn(c, Size{80, 20}, frame())
	c.press("events.follow")
	held := c.rows()
	c.again(1, 30)
	c.again(5, 4)
	equal(t, c.rows(), held)
	f := frame()
	f.Now = noon.Add(time.Minute)
	out := plainText(drawn(c, Size{80, 20}, f))
	for _, want := range []string{"held at 12:00:00 · 34 newer", "▌▲   64s   x57 BackOff"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	c.press("events.follow")
	if got := c.rows(); !strings.HasPrefix(got, "FailedScheduling x39, Unhealthy x7, BackOff x57") || strings.Contains(c.head(80), "held") {
		t.Errorf("it does not go on: %s\n%s", c.head(80), got)
	}
}

func TestWhoAsksForSomethingElseSeesWhatIsNow(t *testing.T) {
	for name, ask := range map[string]func(*scene){
		"filter":   func(c *scene) { c.Handle(Query{"indexer"}) },
		"sort":     func(c *scene) { press(c, "events.sort.count") },
		"warnings": func(c *scene) { press(c, keymap.EventWarnings) },
		"mark":     func(c *scene) { press(c, keymap.EventMark) },
		"pin": func(c *scene) {
			c.Handle(Go{EventsPlace(kube.Ref{Kind: kube.Nodes, Name: "gpu-03", UID: "uid-/gpu-03"})})
		},
	} {
		c := newIncident()
		drawn(c, Size{80, 20}, frame())
		c.press("events.follow")
		c.again(1, 30)
		ask(c)
		c.publish()
		if strings.Contains(c.head(80), "held") {
			t.Errorf("after %s it is still held: %s", name, c.head(80))
		}
	}
}

func TestHeldEventsAreNoNewerThanTheyAre(t *testing.T) {
	c := newIncident()
	c.press("events.follow")
	c.groups.state = kube.State{Phase: kube.Stale, Since: noon}
	c.publish()
	equal(t, c.State().Phase, kube.Stale)
	c.again(2, 0)
	c.groups.rows = c.groups.rows[:3] // forgotten meanwhile
	c.publish()
	if head := c.head(80); !strings.Contains(head, "held at 12:00:00 ") {
		t.Errorf("the head is %s", head)
	}
}

func TestRowsThatAreStillLookedForAreNotHeld(t *testing.T) {
	c := newIncident()
	press(c, keymap.EventWarnings)
	equal(t, press(c, keymap.EventFollow)[0], Effect(Flash{"the rows are still being looked for", themes.Warn}))
	c.publish()
	if strings.Contains(c.head(80), "held") {
		t.Error("it is held at the answer to an older question, for ever")
	}
}

func TestGroupOpensIntoItsEventsAndBackLeadsToIt(t *testing.T) {
	c := newIncident()
	c.press(keymap.Down, "events.open")
	equal(t, c.rows(), "FailedScheduling:indexer-5 x9")
	if head := c.head(100); !strings.HasPrefix(head, "━ 1 of 7 events, said 9+ times since 11:01 · FailedScheduling, pod search/indexer-5 ━") {
		t.Errorf("the head is %s", head)
	}
	place := c.Place()
	equal(t, len(c.press(keymap.Back)), 0)
	equal(t, under(c), "pod search/indexer-5")
	if got := c.press(keymap.Back); len(got) != 1 || got[0] != (Up{}) {
		t.Errorf("back from the groups does %v, want it to go up", got)
	}
	c.Handle(Go{place})
	c.publish()
	equal(t, c.rows(), "FailedScheduling:indexer-5 x9")
	equal(t, c.Place(), place)
}

func TestEventsOneByOneAndInGroups(t *testing.T) {
	c := newIncident()
	c.Handle(Query{"checkout"})
	c.publish()
	c.press("events.singles")
	equal(t, c.rows(), "BackOff:checkout-7d9f8c6b5-x2k4q x19, BackOff:checkout-7d9f8c6b5-8wq7n x19, BackOff:checkout-7d9f8c6b5-tt5zc x19")
	equal(t, c.press("events.open")[0], Effect(ShowDetails{}))
	equal(t, len(c.press(keymap.Back)), 0) // the filter goes first
	equal(t, len(strings.Split(c.rows(), ", ")), 7)
	equal(t, len(c.press(keymap.Back)), 0)
	equal(t, under(c), "3 pods of rs/checkout-7d9f8c6b5")
}

func TestEventsOfAnObjectOfAnotherPane(t *testing.T) {
	node := kube.Ref{Kind: kube.Nodes, Name: "worker-07", UID: "uid-/worker-07"}
	for _, p := range []struct {
		of         kube.Ref
		rows, head string
	}{
		{node, "NodeNotReady x1, NodeNotReady x12", "node worker-07"},
		{kube.Ref{Kind: kube.Nodes, Name: "worker-64"}, "BackOff x57", "node worker-64"},
		{kube.Ref{Kind: kube.Deployments, Namespace: "shop", Name: "checkout"}, "BackOff x57, Started x15", "deploy shop/checkout"},
		{kube.Ref{Kind: kube.ReplicaSets, Namespace: "shop", Name: "web-6d5f9c7b8c"}, "Unhealthy x3", "rs shop/web-6d5f9c7b8c"},
		{kube.Ref{Kind: kube.CronJobs, Namespace: "batch", Name: "report"}, "Failed x14, SuccessfulCreate x1", "cronjob batch/report"},
		{kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "cart-2", UID: "uid-shop/cart-2"}, "NodeNotReady:cart-2 x1", "pod shop/cart-2"},
		{kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "cart-2", UID: "of another life"}, "", ""},
	} {
		c := newIncident()
		c.Handle(Go{EventsPlace(p.of)})
		c.publish()
		equal(t, c.rows(), p.rows)
		if head := c.head(120); !strings.Contains(head, p.head) {
			t.Errorf("%s is not in the head: %s", p.head, head)
		}
		if got := c.press(keymap.Back); len(got) != 1 || got[0] != (Up{}) {
			t.Errorf("back from the events of %s does %v, want it to leave the pane", p.of.FullName(), got)
		}
		equal(t, c.Place().Pin, EventsPlace(p.of).Pin)
	}
}

func TestGroupThatComesToBeAboutTheObjectAppears(t *testing.T) {
	c := newIncident()
	c.Handle(Go{EventsPlace(kube.Ref{Kind: kube.Nodes, Name: "worker-90"})})
	c.publish()
	equal(t, c.rows(), "Unhealthy x3")
	c.put(single(c.groups.rows[10], aPod("shop", "thumbnails-5b6c9d7d8-w2x9c"), 4, time.Second, "worker-90"), nil)
	c.publish()
	equal(t, c.rows(), "Unhealthy x3, Evicted x4")
}

func TestKeyLeadsToTheObject(t *testing.T) {
	for _, j := range []struct {
		of   string // reason and object of the group
		want Place
	}{
		{"3 pods of rs/checkout-7d9f8c6b5", Place{Pane: "pods", Pin: Pin{"workload", "ReplicaSet/shop/checkout-7d9f8c6b5"}}},
		{"pod search/indexer-5", Place{Pane: "pods", UID: "uid-search/indexer-5", Name: "search/indexer-5"}},
		{"pod payments/ledger-6c5d8b7f94-tz8wv", Place{Pane: "pods", UID: "uid-payments/ledger-6c5d8b7f94-tz8wv", Name: "payments/ledger-6c5d8b7f94-tz8wv"}},
		{"2 pods on gpu-03", Place{Pane: "pods", Pin: Pin{"node", "gpu-03"}}},
		{"node worker-12", Place{Pane: "nodes", Name: "worker-12"}},
		{"job batch/report-29394180", Place{Pane: "workloads", UID: "uid-batch/report-29394180", Name: "batch/report-29394180"}},
	} {
		c := newIncident()
		for range 13 {
			if under(c) == j.of {
				break
			}
			c.press(keymap.Down)
		}
		equal(t, under(c), j.of)
		equal(t, c.press("events.object")[0], Effect(Open{j.want}))
	}
	lease := happened("Normal", "LeaderElection", 1, 0, 0, involved("Lease", "kube-system", "kube-scheduler"), involved("Lease", "kube-system", "kube-scheduler"), "x")
	c := newScene(kube.Said{}, []*kube.EventGroup{lease}, single(lease, lease.Object, 1, 0, ""))
	equal(t, c.Why(keymap.EventObject), "no pane shows Lease kube-system/kube-scheduler")
	equal(t, c.press("events.object")[0], Effect(Flash{"no pane shows Lease kube-system/kube-scheduler", themes.Warn}))
	c.press("events.singles")
	equal(t, c.Why(keymap.EventObject), "no pane shows Lease kube-system/kube-scheduler")
}

func TestFilterThatSingleEventsCannotAnswerIsLeftOutInWords(t *testing.T) {
	c := newIncident()
	c.Handle(Query{"objects>1"})
	c.publish()
	flash, _ := c.press("events.singles")[0].(Flash)
	if !strings.HasPrefix(flash.Text, "shown without the filter: there is no field objects here") {
		t.Errorf("it says %q", flash.Text)
	}
	equal(t, c.Fault(), nil)
	equal(t, c.Place().Filter, "")
}

func TestEventOfAClockThatIsAheadIsSaidJustNow(t *testing.T) {
	equal(t, since(noon, noon.Add(20*time.Second)), "0s")
	equal(t, since(noon, noon.Add(-20*time.Second)), "20s")
}

func TestStripNamesTheObjectsOfAGroup(t *testing.T) {
	c := newIncident()
	s := c.Strip(noon)
	equal(t, s.Name, "3 pods of rs/checkout-7d9f8c6b5")
	equal(t, s.State, "x57 over 3m38s")
	equal(t, s.Lines[0], "back-off 2m40s restarting failed container app (pods x2k4q, 8wq7n, tt5zc)")
	c.press(keymap.Down)
	equal(t, c.Strip(noon).State, "at least x9 over 8m20s")
	equal(t, c.Strip(noon).Lines[0], "none of 150 nodes takes it: 149 without enough memory, 1 cordoned")
	for range 7 {
		c.press(keymap.Down)
	}
	equal(t, c.Strip(noon).Lines[0], "its node is not ready (pods shop/cart-2 and 11 more)")
	c.press(keymap.Last)
	equal(t, c.Strip(noon).State, "once, 31m ago · expired on the server")
	c.press("events.singles")
	equal(t, c.Strip(noon).Name, "Pod/checkout-7d9f8c6b5-x2k4q")
	equal(t, newScene(kube.Said{}, nil).Strip(noon).Name, "")
}

func fact(d Details, name string) string {
	for _, f := range d.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return "no such fact"
}

func TestPageOfAnEventLeavesNothingOut(t *testing.T) {
	c := newIncident()
	e := single(c.groups.rows[1], aPod("search", "indexer-5"), 9, time.Minute, "")
	e.UID, e.Message = "long", strings.Repeat("0/150 nodes are available. ", 40)
	e.FromHost, e.Object.Field, e.Expired = "cp-1", "spec.containers{app}", true
	c.put(e, nil)
	c.publish()
	d, ok := c.Details("long", noon)
	if !ok {
		t.Fatal("there is no page")
	}
	for name, want := range map[string]string{
		"message": e.Message, "last": "11:59:00, 60s ago", "first": "11:51:40, 8m20s ago", "from": "kubelet on cp-1",
		"object": "v1 Pod search/indexer-5, uid uid-search/indexer-5", "field": "spec.containers{app}",
		"on the server": "no: it has expired there; ktriage has kept it",
		"count":         "at least 9 times: its component writes repetitions every 30 minutes only, and the last may be later, too",
	} {
		if got := fact(d, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	equal(t, d.Title, "FailedScheduling of Pod search/indexer-5")
	equal(t, len(d.Sections[0].Rows), 2)
	d, _ = c.Details(c.groups.rows[0].UID, noon)
	equal(t, d.Title, "BackOff of 3 pods of rs/checkout-7d9f8c6b5")
	equal(t, fact(d, "count"), "57 times")
	equal(t, len(d.Sections[0].Rows), 3)
	if _, ok := c.Details("nobody", noon); ok {
		t.Error("there is a page of an event that nobody knows")
	}
}

func TestPageOfAGroupNamesItsOldestEventsFirstAndNotThousands(t *testing.T) {
	c := newIncident()
	for i := range 500 {
		e := single(c.groups.rows[0], aPod("shop", fmt.Sprint("p", i)), 1, time.Duration(i)*time.Second, "")
		e.First = e.Last
		c.put(e, nil)
	}
	c.publish()
	d, _ := c.Details(c.groups.rows[0].UID, noon)
	section := d.Sections[0]
	equal(t, len(section.Rows), mostTimeline)
	equal(t, section.Note, "403 older are not shown")
	for i, r := range section.Rows[4:] { // those that began before
		if r.Cells[0] < section.Rows[i+3].Cells[0] {
			t.Fatalf("%s stands behind %s", r.Cells[0], section.Rows[i+3].Cells[0])
		}
	}
}

func TestNoEventsForDifferentReasons(t *testing.T) {
	c := newScene(kube.Said{}, nil)
	for _, s := range []struct {
		state kube.State
		want  string
	}{
		{kube.State{Phase: kube.Live}, "No events here."},
		{kube.State{Phase: kube.Live}, "The API keeps them for an hour by default."},
		{kube.State{Phase: kube.Loading}, "Reading events"},
		{kube.State{Phase: kube.Denied, Err: fmt.Errorf("events is forbidden")}, "You may not list events."},
		{kube.State{Phase: kube.Failed, Err: fmt.Errorf("gone")}, "The server has no events"},
	} {
		for _, f := range []*sayings[*kube.Event]{c.singles, c.all} {
			f.state = s.state
		}
		c.groups.state = s.state
		c.publish()
		for range 2 { // in groups and one by one
			if out := plainly(c, Size{100, 20}); !strings.Contains(out, s.want) {
				t.Errorf("%q is not in\n%s", s.want, out)
			}
			c.press("events.singles")
		}
	}
	c = newIncident()
	c.groups.state.Missing, c.groups.state.MissingFrom = fmt.Errorf("no"), "cart"
	c.publish()
	if head := c.head(120); !strings.Contains(head, "namespace cart") {
		t.Errorf("the head does not say what is missing: %s", head)
	}
	c.press("events.warnings")
	c.groups.rows, c.singles.rows = c.groups.rows[2:3], nil
	c.publish()
	if out := plainly(c, Size{100, 20}); !strings.Contains(out, "No group matches  warnings") || !strings.Contains(out, "w shows what is no warning, too") {
		t.Errorf("of normal events alone:\n%s", out)
	}
}

func TestEventsThatGoAreNoNews(t *testing.T) {
	c := newIncident()
	c.press(keymap.Down, keymap.Down)
	c.groups.rows = c.groups.rows[5:]
	equal(t, len(c.publish()), 0)
}

func TestEventsAreNoTroubleOfTheirOwn(t *testing.T) {
	c := newIncident()
	tab, _ := c.Tab()
	equal(t, tab, "")
	equal(t, c.Counts(), [kube.Bad + 1]int{})
	equal(t, len(c.Objects(10)), 0)
	equal(t, c.Name(), "events")
	equal(t, c.Needs(), kube.Events)
	c.Close()
	if !c.groups.closed || !c.singles.closed || !c.all.closed {
		t.Error("a feed stays open")
	}
}

// keysOfEvents are all keys that the pane can be sent.
func keysOfEvents() []keymap.ID {
	var ids []keymap.ID
	for _, b := range keymap.Default().Bindings() {
		if b.Scope == keymap.Events || b.Scope == keymap.Table {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

func TestKeysOfEventsInAnyOrderOnAnyRows(t *testing.T) {
	said, groups, singles := incident()
	ids := keysOfEvents()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test that can be repeated
		c := newScene(kube.Said{}, nil)
		for range 120 {
			switch r.IntN(8) {
			case 0:
				n := r.IntN(len(groups) + 1)
				c.groups.rows, c.groups.said = groups[:n], said
			case 1:
				n := r.IntN(len(singles) + 1)
				c.singles.rows, c.all.rows = singles[:n], singles[n/2:]
			case 2:
				c.Handle(Query{[]string{"", "back", `"`, "!x"}[r.IntN(4)]})
			case 3:
				c.Handle(Go{[]Place{{}, EventsPlace(kube.Ref{Kind: kube.Nodes, Name: "worker-07"}), {Pin: Pin{"group", "x"}}, {Pin: Pin{"object", "//"}}, c.Place()}[r.IntN(5)]})
			default:
				c.Handle(Intent{ids[r.IntN(len(ids))]})
			}
			if r.IntN(2) == 0 {
				c.publish()
			}
			s := Size{r.IntN(200) + 8, r.IntN(30) + 1}
			checkRectangle(t, drawn(c, s, frame()), s)
			c.Strip(noon)
			c.Details(c.Place().UID, noon)
		}
	}
}
