package views

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func effects(t *testing.T, got []Effect, want ...Effect) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("effects (- want, + got):\n%s", diff)
	}
}

func head(v View, f Frame) string {
	line, _, _ := strings.Cut(plainText(drawn(v, Size{140, 10}, f)), "\n")
	return line
}

func TestFromANodeToItsPodsAndBackToTheSameNode(t *testing.T) {
	n, nodeFeed := nodesPane()
	p, podFeed := podsPane()
	drawn(n, Size{100, 10}, frame())
	press(n, keymap.Down, keymap.Down)
	equal(t, under(n), "worker-02")
	back := n.Place()
	equal(t, back, Place{Pane: "nodes", UID: "uid-worker-02"})

	open := press(n, keymap.NodePods)
	effects(t, open, Open{Place{Pane: "pods", Pin: Pin{"node", "worker-02"}}})
	p.Handle(Go{open[0].(Open).Place})
	podFeed.publish(p)
	equal(t, podFeed.shown(), "checkout web-a")
	if h := head(p, frame()); !strings.HasPrefix(h, "━ 2 of 6 · node=worker-02 ━") {
		t.Errorf("the rule is %q", h)
	}

	nodeFeed.rows = append(nodeFeed.rows, node("aaa-broken", 5*day, unready("Unknown", 0)))
	nodeFeed.publish(n)
	n.Handle(Go{back})
	nodeFeed.publish(n)
	equal(t, under(n), "worker-02")
	if h := head(n, frame()); strings.Contains(h, "=") {
		t.Errorf("the rule still names a pin: %q", h)
	}
}

func TestFromAPodToItsNode(t *testing.T) {
	n, _ := nodesPane()
	p, _ := podsPane()
	press(p, keymap.Down, keymap.Down)
	equal(t, under(p), "shop/cart-2")
	open := press(p, keymap.PodNode)
	effects(t, open, Open{Place{Pane: "nodes", Name: "worker-07"}})
	press(n, keymap.Last)
	n.Handle(Go{open[0].(Open).Place})
	equal(t, under(n), "worker-07")
}

func TestAPodWithoutANodeSaysSo(t *testing.T) {
	v, _ := podsPane()
	press(v, keymap.Down)
	equal(t, under(v), "search/indexer")
	effects(t, press(v, keymap.PodNode), Flash{"search/indexer is not bound to a node", themes.Warn})
}

func TestTheCursorFollowsItsObjectAndSaysWhenItIsGone(t *testing.T) {
	v, f := podsPane()
	drawn(v, Size{100, 10}, frame())
	press(v, keymap.Down)
	equal(t, under(v), "search/indexer")
	f.rows = append(f.rows, pod("aaa", "worse", "worker-01", day, crashing))
	effects(t, f.publish(v))
	equal(t, under(v), "search/indexer")
	f.remove("uid-search/indexer")
	effects(t, f.publish(v), Flash{"pod search/indexer is gone", themes.Muted})
	equal(t, under(v), "shop/cart-2")
	effects(t, f.publish(v))
}

// What a filter or a pin drops has not been deleted.
func TestARowThatIsOnlyHiddenIsNotSaidToBeGone(t *testing.T) {
	for name, narrow := range map[string]Event{
		"filter": Query{"payments"}, "pin": Go{Place{Pane: "pods", Pin: Pin{"node", "worker-07"}}},
		"place with a filter": Go{Place{Pane: "pods", Filter: "cart"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := podsPane()
			press(v, keymap.Down)
			equal(t, under(v), "search/indexer")
			v.Handle(narrow)
			effects(t, f.publish(v))
		})
	}
}

func TestMarksAreCountedKeptAndTakenAway(t *testing.T) {
	v, f := podsPane()
	press(v, keymap.Mark, keymap.Down, keymap.Down, keymap.MarkRange)
	if h := head(v, frame()); !strings.HasPrefix(h, "━ 3 not ok of 6 · 3 marked ━") {
		t.Errorf("the rule is %q", h)
	}
	rows := strings.Split(plainText(drawn(v, Size{100, 10}, frame())), "\n")
	for i, marked := range []bool{true, true, true, false, false, false} {
		if got := []rune(rows[2+i])[2] == '*'; got != marked {
			t.Errorf("row %d is %q, marked: want %v", i, rows[2+i], marked)
		}
	}
	v.Handle(Query{"shop"})
	f.publish(v)
	if h := head(v, frame()); !strings.Contains(h, "4 of 6  / shop · 3 marked (1 not shown)") {
		t.Errorf("the rule is %q", h)
	}
	effects(t, press(v, keymap.Back))
	if h := head(v, frame()); strings.Contains(h, "marked") {
		t.Errorf("the marks are still there: %q", h)
	}
	effects(t, press(v, keymap.Back))
	f.publish(v)
	equal(t, f.snap.Len(), 6)
	effects(t, press(v, keymap.Back), Up{})
	press(v, keymap.InvertMarks)
	if h := head(v, frame()); !strings.Contains(h, "6 marked") {
		t.Errorf("the rule is %q", h)
	}
	f.remove("uid-shop/web-b")
	f.publish(v)
	if h := head(v, frame()); !strings.Contains(h, "· 5 marked ━") {
		t.Errorf("a deleted pod is still marked: %q", h)
	}
}

func TestKeysThatNeedARowSayThatThereIsNone(t *testing.T) {
	f := newFeed[*kube.Pod](beside())
	v := NewPods(f, nil)
	f.publish(v)
	for _, id := range []keymap.ID{
		keymap.OpenRow, keymap.PodNode, keymap.ShowDetails, keymap.CopyName, keymap.Mark, keymap.MarkRange,
	} {
		equal(t, v.Why(id), "no pod is selected")
		effects(t, press(v, id), Flash{"no pod is selected", themes.Warn})
	}
	for _, id := range []keymap.ID{keymap.Down, keymap.Last, keymap.InvertMarks, keymap.EditFilter, "pods.sort.name"} {
		equal(t, v.Why(id), "")
	}
	equal(t, v.Strip(noon).Name, "")
	if d, ok := v.Details("", noon); ok {
		t.Errorf("details of nothing: %v", d)
	}
}

func TestOpenDetailsAndCopy(t *testing.T) {
	p, _ := podsPane()
	effects(t, press(p, keymap.OpenRow), ShowDetails{})
	effects(t, press(p, keymap.ShowDetails), ShowDetails{})
	effects(t, press(p, keymap.CopyName), Copy{"shop/checkout"})
	n, _ := nodesPane()
	effects(t, press(n, keymap.CopyName), Copy{"worker-07"})
	effects(t, press(n, keymap.OpenRow), Open{Place{Pane: "pods", Pin: Pin{"node", "worker-07"}}})
}

func TestTheStripSaysWhatIsWrongAndWhy(t *testing.T) {
	p, _ := podsPane()
	effectsOf := func(s Strip) string { return s.Name + " | " + s.State + " | " + s.Severity.String() }
	s := p.Strip(noon)
	equal(t, effectsOf(s), "shop/checkout | CrashLoopBackOff | bad")
	if why := strings.Join(s.Lines, "\n"); !strings.HasPrefix(why, "exit 1") || !strings.Contains(why, "lookup cart-2.cart: no such host") {
		t.Errorf("it says %q", why)
	}
	n, _ := nodesPane()
	s = n.Strip(noon)
	equal(t, effectsOf(s), "worker-07 | NotReady(Unknown) since 11:56:00 | bad")
	equal(t, s.Lines[0], "kubelet silent: last status 11:55:00, declared 11:56:00; what its pods' rows say is history")
	press(n, keymap.Last)
	equal(t, effectsOf(n.Strip(noon)), "worker-04 | Ready since 2026-04-22 12:00 | ok")
}

func TestDetailsOfANodeAddUp(t *testing.T) {
	v, _ := nodesPane()
	press(v, keymap.Down, keymap.Down)
	d, _ := v.Details(v.Place().UID, noon)
	equal(t, d.Title, "node worker-02")
	equal(t, d.Copy, "worker-02")
	for name, want := range map[string]string{
		"status": "Ready", "pods": "3 of 110", "DiskPressure": "True : kubelet has disk pressure",
		"cpu":    "800m used (10%) of 8000m, 2000m requested (25%), 0m limits (0%)",
		"memory": "16Gi used (50%) of 32Gi, 1024Mi requested (3%), 0 limits (0%)",
		"age":    "2026-09-20 12:00, 61d ago", "roles": "worker", "uid": "uid-worker-02",
	} {
		found := false
		for _, f := range d.Facts {
			if f.Name == name {
				found = true
				equal(t, f.Value, want)
			}
		}
		if !found {
			t.Errorf("%s is not among the facts", name)
		}
	}
}

func TestTabCountsAndObjects(t *testing.T) {
	v, f := podsPane()
	tab, severity := v.Tab()
	equal(t, tab+" "+severity.String(), "3 bad")
	equal(t, v.Counts(), [kube.Bad + 1]int{kube.OK: 3, kube.Warning: 2, kube.Bad: 1})
	f.remove("uid-shop/checkout")
	f.publish(v)
	tab, severity = v.Tab()
	equal(t, tab+" "+severity.String(), "2 warning")
	first := Object{Name: "search/indexer", Kind: "pod", Note: "Pending", Place: Place{Pane: "pods", UID: "uid-search/indexer"}}
	if diff := cmp.Diff([]Object{first}, v.Objects(1)); diff != "" {
		t.Error(diff)
	}
	equal(t, len(v.Objects(100)), 5)
	f.rows = pods()[:3]
	f.publish(v)
	tab, severity = v.Tab()
	equal(t, tab+severity.String(), "ok")
	if !strings.Contains(head(v, frame()), "all 3 ok") {
		t.Errorf("the rule is %q", head(v, frame()))
	}
	empty := NewPods(newFeed[*kube.Pod](kube.Moment{}), nil)
	tab, _ = empty.Tab()
	equal(t, tab, "")
}

func TestAClosedPaneClosesItsFeed(t *testing.T) {
	v, f := podsPane()
	v.Close()
	equal(t, f.closed, true)
	equal(t, v.Name()+" "+string(v.Scope()), "pods pods")
	equal(t, v.State().Phase, kube.Live)
}
