package views

import (
	"strings"
	"testing"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

const lookedFor = "the rows are still being looked for"

// rows are the names in the pane, as far as they are drawn.
func rows(v View) string {
	var names []string
	for _, line := range strings.Split(plainText(drawn(v, Size{140, 10}, frame())), "\n")[2:] {
		if line = strings.TrimLeft(line, "▌■▲○·* "); line != "" {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func TestRuleSpeaksOfTheRowsBelowItUntilTheAnswerComes(t *testing.T) {
	const all = "shop/checkout search/indexer shop/cart-2 payments/web-a shop/web-a shop/web-b"
	v, f := podsPane()
	checks := func(wantRule, wantRows string) {
		t.Helper()
		if h := head(v, frame()); !strings.HasPrefix(h, "━ "+wantRule+" ━") {
			t.Errorf("the rule is %q, want %q", h, wantRule)
		}
		equal(t, rows(v), wantRows)
	}
	v.Handle(Query{"shop"})
	checks("3 not ok of 6", all)
	v.Handle(Query{"shop web"})
	f.answer(v, 2)
	checks("4 of 6  / shop", "shop/checkout shop/cart-2 shop/web-a shop/web-b")
	f.publish(v)
	checks("2 of 6  / shop web", "shop/web-a shop/web-b")
	v.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", "worker-07"}}})
	checks("2 of 6  / shop web", "shop/web-a shop/web-b")
	f.rows = f.rows[1:]
	f.answer(v, 3) // the cluster goes on meanwhile
	checks("1 of 5  / shop web", "shop/web-a")
	f.publish(v)
	checks("1 of 5 · node=worker-07", "shop/cart-2")
}

func TestOrderIsNamedWhenTheRowsAreInIt(t *testing.T) {
	v, f := podsPane()
	press(v, "pods.sort.name")
	out := plainText(drawn(v, Size{140, 10}, frame()))
	if !strings.Contains(out, " badness · 1-6 of 6") || strings.ContainsAny(out, "↓↑") {
		t.Errorf("the rows are still by badness:\n%s", out)
	}
	press(v, "pods.sort.name") // a second time before the answer: reversed
	f.publish(v)
	out = plainText(drawn(v, Size{140, 10}, frame()))
	if !strings.Contains(out, " name reversed · 1-6 of 6") || !strings.Contains(out, "NAMESPACE/NAME↓") {
		t.Errorf("the rows are by name, backwards:\n%s", out)
	}
}

func TestKeysTypedAheadDoNotMeetTheRowsOfAnOlderQuestion(t *testing.T) {
	for name, ask := range map[string]func(View){
		"filter": func(v View) { v.Handle(Query{"web"}) },
		"pin":    func(v View) { v.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", "worker-01"}}}) },
		"sort":   func(v View) { press(v, "pods.sort.name") },
		"back":   func(v View) { v.Handle(Query{"shop"}); press(v, keymap.Back) },
	} {
		t.Run(name, func(t *testing.T) {
			v, f := podsPane()
			drawn(v, Size{100, 10}, frame())
			ask(v)
			for _, id := range append(rowKeys, keymap.InvertMarks) {
				equal(t, v.Why(id), "") // it is not greyed for a frame
				effects(t, press(v, id), Flash{lookedFor, themes.Warn})
			}
			for _, id := range steps {
				equal(t, v.Why(id), "")
				effects(t, press(v, id))
				equal(t, under(v), "shop/checkout")
			}
			f.publish(v)
			if h := head(v, frame()); strings.Contains(h, "marked") {
				t.Errorf("something was marked: %q", h)
			}
			for _, id := range rowKeys {
				equal(t, v.Why(id), "")
			}
			press(v, keymap.Down)
			equal(t, under(v) != "shop/checkout", true)
		})
	}
}

func TestKeyOnARowBindsTheCursorToItsObject(t *testing.T) {
	for _, id := range rowKeys {
		v, f := podsPane()
		press(v, id)
		f.rows = append(f.rows, pod("aaa", "worse", "worker-01", day, crashing))
		f.publish(v)
		if got := under(v); got != "shop/checkout" {
			t.Errorf("%s: then the cursor is on %s", id, got)
		}
	}
}

func TestMistypedFilterDoesNotLoseTheCursor(t *testing.T) {
	v, f := podsPane()
	press(v, keymap.Down, keymap.Down)
	equal(t, under(v), "shop/cart-2")
	v.Handle(Query{"cartt"})
	effects(t, f.publish(v))
	equal(t, under(v), "")
	v.Handle(Query{"cart"})
	effects(t, f.publish(v))
	v.Handle(Query{""})
	effects(t, f.publish(v))
	equal(t, under(v), "shop/cart-2")
}

func TestObjectThatGoesWithAllOthersIsGoneOnce(t *testing.T) {
	v, f := podsPane()
	press(v, keymap.Down)
	f.rows = nil
	effects(t, f.publish(v), Flash{"pod search/indexer is gone", themes.Muted})
	effects(t, f.publish(v))
	f.rows = pods()[:1]
	effects(t, f.publish(v))
}

// A row that an answer to another question lacks may be there in the newest; one that no filter has dropped is reported
// with it.
func TestNothingIsSaidToBeGoneByAnAnswerToAnOlderQuestion(t *testing.T) {
	v, f := podsPane()
	press(v, keymap.Down)
	equal(t, under(v), "search/indexer")
	v.Handle(Query{"search"})
	v.Handle(Query{""})
	f.remove("uid-search/indexer")
	effects(t, f.answer(v, 1))
	effects(t, f.publish(v), Flash{"pod search/indexer is gone", themes.Muted})
	v, f = podsPane()
	press(v, keymap.Down)
	v.Handle(Query{"shop"})
	v.Handle(Query{""})
	v.Handle(Query{"!none"})
	effects(t, f.answer(v, 2))
	effects(t, f.answer(v, 3))
	effects(t, f.publish(v))
	v.Handle(Query{"shop"})
	f.publish(v)
	equal(t, under(v), "shop/cart-2")
	v.Handle(Query{""})
	f.remove("uid-shop/cart-2")
	effects(t, f.publish(v), Flash{"pod shop/cart-2 is gone", themes.Muted})
}

func TestDrillingDownBeginsAtTheWorstRow(t *testing.T) {
	v, f := podsPane()
	drawn(v, Size{100, 4}, frame())
	press(v, keymap.Last)
	equal(t, under(v), "shop/web-b")
	effects(t, v.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", "worker-01"}}}))
	equal(t, under(v), "shop/web-b") // the rows are still the old ones
	effects(t, f.answer(v, 1))
	equal(t, under(v), "shop/web-b")
	effects(t, f.publish(v))
	equal(t, under(v), "shop/web-a")
	f.rows = append(f.rows, pod("shop", "worse", "worker-01", day, crashing))
	f.publish(v)
	equal(t, under(v), "shop/worse") // nobody has chosen a row yet
	press(v, keymap.Last)
	v.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", "worker-01"}}}) // the same again needs no answer
	equal(t, under(v), "shop/worse")
	equal(t, v.Why(keymap.Mark), "")
}

func TestFilterTypedAfterDrillingDownStillBeginsAtTheWorstRow(t *testing.T) {
	v, f := podsPane()
	press(v, keymap.Last)
	v.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", "worker-02"}}})
	press(v, keymap.Down)
	v.Handle(Query{"e"})
	f.publish(v)
	equal(t, f.shown(), "checkout web-a")
	equal(t, under(v), "shop/checkout")
}

func TestRowThatIsSoughtIsFoundInTheNewestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		place Place
		want  string
	}{
		"by name": {Place{Pane: "pods", Name: "cart-2"}, "shop/cart-2"},
		"by UID":  {Place{Pane: "pods", UID: "uid-search/indexer"}, "search/indexer"},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := podsPane()
			v.Handle(Query{"web"})
			f.publish(v)
			effects(t, v.Handle(Go{c.place}))
			p := v.Place()
			equal(t, p, c.place)
			effects(t, f.answer(v, 2))
			effects(t, f.publish(v))
			equal(t, under(v), c.want)
			press(v, keymap.First)
			f.publish(v)
			equal(t, under(v), "shop/checkout")
		})
	}
}

func TestRowThatIsNotInTheListIsSaidToBeMissingAndGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		place Place
		want  string
	}{
		"by name": {Place{Pane: "nodes", Name: "worker-09"}, "node worker-09 is not in the list"},
		"by UID":  {Place{Pane: "nodes", UID: "uid-worker-09"}, "the node that was here is not in the list any more"},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := nodesPane()
			effects(t, v.Handle(Go{c.place}), Flash{c.want, themes.Warn})
			f.rows = append(f.rows, node("worker-09", day, nil))
			effects(t, f.publish(v))
			equal(t, under(v), "worker-07")
			f.remove("uid-worker-09")
			v.Handle(Query{"worker"})
			f.publish(v)
			v.Handle(Go{c.place})
			effects(t, f.publish(v), Flash{c.want, themes.Warn})
		})
	}
}

func TestRowIsWaitedForWhileTheFirstRowsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(View)
		want      string
	}{
		"nothing":      {func(View) {}, "worker-02"},
		"a movement":   {func(v View) { press(v, keymap.Down) }, "worker-01"},
		"another sort": {func(v View) { press(v, "nodes.sort.name") }, "gpu-03"},
		"a filter":     {func(v View) { v.Handle(Query{"worker"}) }, "worker-07"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(beside(), nodes()[0])
			f.state.Phase = kube.Loading
			v := NewNodes(f, nil)
			effects(t, v.Handle(Go{Place{Pane: "nodes", Name: "worker-02"}}))
			effects(t, f.publish(v))
			equal(t, under(v), "worker-01")
			c.meanwhile(v)
			f.rows = nodes()
			effects(t, f.publish(v))
			equal(t, under(v), c.want)
		})
	}
}

func TestValidFilterAndAnyPlaceClearTheFault(t *testing.T) {
	v, f := podsPane()
	v.Handle(Query{"web"})
	f.publish(v)
	v.Handle(Query{`web "`})
	if fault := v.Fault(); fault == nil || fault.At != 4 || fault.Reason != "the quote at 5 is not closed" {
		t.Fatalf("the fault is %+v", fault)
	}
	equal(t, v.Place().Filter, "web")
	v.Handle(Query{"web"})
	if fault := v.Fault(); fault != nil {
		t.Errorf("still there: %v", fault)
	}
	equal(t, v.Why(keymap.Mark), "") // and nothing new was asked
	v.Handle(Query{"!"})
	v.Handle(Go{Place{Pane: "pods"}})
	if fault := v.Fault(); fault != nil {
		t.Errorf("still there after a Go: %v", fault)
	}
}

func TestCountsAreMadeOncePerSnapshot(t *testing.T) {
	v, f := nodesPane()
	l := v.(*list[*kube.Node])
	counted, counts := 0, l.spec.counts
	l.spec.counts = func(s *kube.Snapshot[*kube.Node]) string { counted++; return counts(s) }
	f.rows = f.rows[1:]
	f.publish(v)
	for range 3 {
		if h := head(v, frame()); !strings.Contains(h, "3 of 5 ready, 1 cordoned") {
			t.Fatalf("the rule is %q", h)
		}
	}
	equal(t, counted, 1)
}

func TestPinThatAPaneDoesNotKnowHidesNothingAndIsNotClaimed(t *testing.T) {
	v, f := nodesPane()
	v.Handle(Go{Place{Pane: "nodes", Pin: Pin{"zone", "1a"}}})
	f.publish(v)
	equal(t, f.snap.Len(), 6)
	equal(t, v.Place().Pin, Pin{})
}

func TestColumnsShrinkWithTheRowsOfAnotherQuestionAndNotBefore(t *testing.T) {
	v, f := podsPane()
	width := func() int {
		header := strings.Split(plainText(drawn(v, Size{140, 10}, frame())), "\n")[1]
		return strings.Index(header, "RESTARTS") - strings.Index(header, "STATUS")
	}
	wide := width()
	v.Handle(Query{"web"})
	equal(t, width(), wide)
	f.publish(v)
	equal(t, width() < wide, true)
}
