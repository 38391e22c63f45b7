package views

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
)

// answered is a feed that answers every question at once.
type answered[R kube.Row] struct {
	all   func() []R
	query kube.Query[R]
	asked uint64
}

func (f *answered[R]) Load() *kube.Snapshot[R] {
	m := kube.Moment{Now: noon, RowsRead: true, Complete: true}
	kept := slices.DeleteFunc(slices.Clone(f.all()), func(r R) bool { return f.query.Keep != nil && !f.query.Keep(r, m) })
	slices.SortFunc(kept, func(a, b R) int {
		if x, y := f.query.Key(a, 0, m), f.query.Key(b, 0, m); x != y {
			return map[bool]int{true: -1, false: 1}[x > y]
		}
		return f.query.Tie(a, b)
	})
	s := kube.NewSnapshot(kept, m)
	s.Version, s.Query, s.Total = f.asked+1, f.asked, len(f.all())
	return s
}
func (f *answered[R]) SetQuery(q kube.Query[R]) uint64 {
	f.query = q
	f.asked++
	return f.asked
}
func (f *answered[R]) Follow(string) {}
func (f *answered[R]) Close()        {}

var worker12 = kube.Ref{Kind: kube.Nodes, Name: "worker-12", UID: "w12"}

func minutesAgo(n int) time.Time { return noon.Add(-time.Duration(n) * time.Minute) }

// someRuns are a drain that runs, one that was cut off yesterday, and a cordon that is done.
func someRuns() []*action.Run {
	target := action.Target{Context: "prod", Refs: []kube.Ref{worker12}}
	return []*action.Run{
		{ID: "1", Action: action.Drain, Target: target, User: "bob", Started: noon.Add(-20 * time.Hour), State: action.Interrupted,
			Note: "the program ended without a word", Earlier: true, Lines: []string{`{"event":"intent"}`}},
		{ID: "2", Action: action.Cordon, Target: target, User: "alice", Started: minutesAgo(9), Ended: minutesAgo(9), State: action.Done,
			Note: "cordoned in 0.1s", Undo: &action.Undo{Action: action.Uncordon, Target: target}},
		{ID: "3", Action: action.Drain, Target: target, User: "alice", Started: minutesAgo(2), State: action.Running,
			Note: "1 of 4 gone, 1 blocked", Done: 1, Steps: 4},
	}
}

func someSteps() []*action.Step {
	pod := func(name string) kube.Ref { return kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: name, UID: name} }
	return []*action.Step{
		{Object: worker12, State: action.StepDone, Since: minutesAgo(2), Note: "cordoned", Place: 0},
		{Object: pod("cart-1"), State: action.StepBlocked, Since: minutesAgo(2), Note: "cart-pdb allows 0, refused 4x", Place: 1,
			Until: noon.Add(31 * time.Second), Why: []string{"cart-pdb needs 2 healthy, has 2"}},
		{Object: pod("loki-2"), State: action.StepTerminating, Since: minutesAgo(1), Until: noon.Add(time.Minute), Note: "grace 2m0s", Place: 2},
		{Object: pod("web-a"), State: action.StepGone, Since: minutesAgo(1), Note: "7vvqs on worker-15 1/1 Ready", Place: 3},
		{Object: pod("agent-x"), State: action.StepStays, Since: minutesAgo(2), Note: "DaemonSet", Place: 4},
	}
}

func actionsPane() View {
	all := someRuns()
	return NewActions(Runs{
		Runs: &answered[*action.Run]{all: func() []*action.Run { return all }},
		Steps: func(of func() string) Feed[*action.Step] {
			return &answered[*action.Step]{all: func() []*action.Step {
				if of() != "3" {
					return nil
				}
				return someSteps()
			}}
		},
		Run: func(id string) *action.Run {
			for _, r := range all {
				if r.ID == id {
					return r
				}
			}
			return nil
		},
	})
}

func TestActionsAreListedNewestFirstAndOpenToTheirSteps(t *testing.T) {
	v := actionsPane()
	screen := drawn(v, Size{100, 12}, frame())
	for _, want := range []string{"1 running, 2 ended", "drain", "worker-12", "1 of 4 gone, 1 blocked", "cut off", "cordoned in 0.1s", "Nov 19"} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not in\n%s", want, screen)
		}
	}
	if tab, severity := v.Tab(); tab != "1" || severity != kube.OK {
		t.Errorf("the tab says %q, %v", tab, severity)
	}
	equal(t, v.Scope(), keymap.Actions)
	press(v, keymap.OpenRow)
	equal(t, v.Scope(), keymap.Steps)
	screen = drawn(v, Size{100, 12}, frame())
	for _, want := range []string{
		"drain worker-12 · running 2m", "1 of 4, 25%", "1 blocked   1 terminating   1 gone   1 done   1 stays",
		"cart-pdb allows 0, refused 4x, again in 31s", "grace 2m0s, 1m0s left",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not in\n%s", want, screen)
		}
	}
	if i, j := strings.Index(screen, "shop/cart-1"), strings.Index(screen, "shop/agent-x"); i < 0 || i > j {
		t.Errorf("what is blocked does not come before what stays:\n%s", screen)
	}
	equal(t, v.Place().Pin, Pin{"run", "3"})
	press(v, keymap.Back)
	equal(t, v.Scope(), keymap.Actions)
	if effects := press(v, keymap.Back); !cmp.Equal(effects, []Effect{Up{}}) {
		t.Errorf("back at the runs gives %v", effects)
	}
}

func TestEveryPaneOfActionsHasExactlyItsSize(t *testing.T) {
	for _, open := range []bool{false, true} {
		for w := 20; w < 200; w += 9 {
			for h := 1; h < 30; h += 3 {
				v := actionsPane()
				if open {
					press(v, keymap.OpenRow)
				}
				f := frame()
				f.Input = map[bool]*Input{true: {Before: "ca"}}[h%2 == 0]
				checkRectangle(t, drawn(v, Size{w, h}, f), Size{w, h})
			}
		}
	}
}

func TestKeysOfActionsSayWhatTheyWantOrWhyNot(t *testing.T) {
	for _, c := range []struct {
		row  int
		id   keymap.ID
		want []Effect
		why  string
	}{
		{0, keymap.CancelRun, []Effect{Control{Run: "3", ID: keymap.CancelRun}}, ""},
		{0, keymap.PauseRun, []Effect{Control{Run: "3", ID: keymap.PauseRun}}, ""},
		{0, keymap.UndoRun, nil, "it is still running"},
		{0, keymap.ShowRun, []Effect{ShowDetails{"3"}}, ""},
		{1, keymap.UndoRun, []Effect{Act{ID: keymap.UncordonNode, Refs: []kube.Ref{worker12}}}, ""},
		{1, keymap.CancelRun, nil, "it has ended: done"},
		{2, keymap.UndoRun, nil, "it has changed nothing that can be taken back here"},
		{2, keymap.OpenRow, []Effect{ShowDetails{}}, ""},
	} {
		v := actionsPane()
		for range c.row {
			press(v, keymap.Down)
		}
		equal(t, v.Why(c.id), c.why)
		if effects := press(v, c.id); c.why == "" && !cmp.Equal(effects, c.want) {
			t.Errorf("%s in row %d gives %v, want %v", c.id, c.row, effects, c.want)
		}
	}
	for _, c := range []struct {
		id   keymap.ID
		want Effect
	}{
		{keymap.SkipStep, Control{Run: "3", Step: "cart-1", Name: "shop/cart-1", ID: keymap.SkipStep}},
		{keymap.OpenRow, Open{Place{Pane: "pods", UID: "cart-1"}}},
		{keymap.StepNode, Open{Place{Pane: "nodes", Name: "worker-12"}}},
		{keymap.ShowRun, ShowDetails{"3"}},
	} {
		v := actionsPane()
		press(v, keymap.OpenRow)
		if effects := press(v, c.id); !cmp.Equal(effects, []Effect{c.want}) {
			t.Errorf("%s gives %v, want %v", c.id, effects, c.want)
		}
	}
}

func TestStepsLeadToThePaneOfTheirObject(t *testing.T) {
	for kind, want := range map[kube.Kinds]Place{
		kube.Nodes: {Pane: "nodes", UID: "1"}, kube.Deployments: {Pane: "workloads", UID: "1"}, kube.Certs: {Pane: "certs", UID: "1"},
		kube.CSRs: {Pane: "certs", UID: "1", Pin: requestsPin},
	} {
		got := openStep(&action.Step{Object: kube.Ref{Kind: kind, Name: "a", UID: "1"}})
		if !cmp.Equal(got, []Effect{Open{want}}) {
			t.Errorf("%s: %v, want %v", kind.Kind(), got, want)
		}
	}
}

func TestCursorGoesOnWhenAPodIsLeftWhereItIs(t *testing.T) {
	v := actionsPane()
	press(v, keymap.OpenRow)
	equal(t, under(v), "shop/cart-1")
	press(v, keymap.SkipStep)
	equal(t, under(v), "shop/loki-2")
}

func TestDetailsOfARunCanBeAskedForAmongItsSteps(t *testing.T) {
	v := actionsPane()
	press(v, keymap.OpenRow)
	for uid, want := range map[string]string{"3": "action worker-12", "cart-1": "step shop/cart-1"} {
		d, ok := v.Details(uid, noon)
		if !ok || d.Title != want {
			t.Errorf("details of %s: %q, %v", uid, d.Title, ok)
		}
	}
}

// stepsOf is the pane with the steps of a run that has one.
func stepsOf(s *action.Step) View {
	run := &action.Run{ID: "7", Action: action.Scale, State: action.Running, Started: noon}
	v := NewActions(Runs{
		Runs: &answered[*action.Run]{all: func() []*action.Run { return []*action.Run{run} }},
		Steps: func(func() string) Feed[*action.Step] {
			return &answered[*action.Step]{all: func() []*action.Step { return []*action.Step{s} }}
		},
		Run: func(string) *action.Run { return run },
	})
	press(v, keymap.OpenRow)
	return v
}

func TestKeysOfAStepActOnItsPod(t *testing.T) {
	cart1 := kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "cart-1", UID: "cart-1"}
	for _, id := range []keymap.ID{keymap.StepScale, keymap.StepDelete, keymap.StepForce} {
		v := actionsPane()
		press(v, keymap.OpenRow)
		if effects := press(v, id); !cmp.Equal(effects, []Effect{Act{ID: id, Refs: []kube.Ref{cart1}}}) {
			t.Errorf("%s gives %v", id, effects)
		}
	}
	steps := map[string]*action.Step{
		"it is not a pod":          {Object: kube.Ref{Kind: kube.StatefulSets, Namespace: "shop", Name: "cart", UID: "cart"}},
		"there is no such pod now": {Object: kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "cart-5"}, Key: "comes"},
	}
	for want, s := range steps {
		v := stepsOf(s)
		equal(t, v.Why(keymap.StepDelete), want)
		press(v, keymap.StepDelete)
	}
	v := stepsOf(steps["there is no such pod now"])
	if effects := press(v, keymap.OpenRow); !cmp.Equal(effects, []Effect{Open{Place{Pane: "pods", Name: "shop/cart-5"}}}) {
		t.Errorf("open gives %v", effects)
	}
	v = stepsOf(steps["it is not a pod"])
	if effects := press(v, keymap.OpenRow); !cmp.Equal(effects, []Effect{Open{Place{Pane: "workloads", UID: "cart"}}}) {
		t.Errorf("open gives %v", effects)
	}
}

func TestWhatARunLeavesBehindIsShownAndCounted(t *testing.T) {
	run := &action.Run{
		ID: "9", Action: action.ForceDelete, Target: action.Target{Refs: []kube.Ref{{Kind: kube.Pods, Namespace: "shop", Name: "cart-2", UID: "u"}}},
		State: action.Done, Started: noon, Ended: noon,
		Standing: action.Standing{Text: "worker-07 is back: check that cart-2 does not run twice", Severity: kube.Warning},
	}
	v := NewActions(Runs{
		Runs: &answered[*action.Run]{all: func() []*action.Run { return []*action.Run{run} }},
		Steps: func(func() string) Feed[*action.Step] {
			return &answered[*action.Step]{all: func() []*action.Step { return nil }}
		},
		Run: func(string) *action.Run { return run },
	})
	if tab, severity := v.Tab(); tab != "1" || severity != kube.Warning {
		t.Errorf("the tab says %q, %v", tab, severity)
	}
	equal(t, v.Strip(noon).Lines[0], run.Standing.Text)
	equal(t, v.Why(keymap.CheckRun), "")
	if effects := press(v, keymap.CheckRun); !cmp.Equal(effects, []Effect{Control{Run: "9", ID: keymap.CheckRun}}) {
		t.Errorf("it gives %v", effects)
	}
	equal(t, v.Why(keymap.RunRetain), "it does not scale a StatefulSet")
}
