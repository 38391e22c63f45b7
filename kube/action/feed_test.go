package action_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
)

// endedAs begins runs that end in these states at once, a second apart, on the nodes n0, n1 and so on.
func (b *bench) endedAs(states ...action.State) {
	for i, s := range states {
		w := does(func(context.Context, *action.Progress) action.Result { return action.Result{State: s} })
		if s == action.Running {
			w = untilStopped
		}
		b.begin(plan(w, fmt.Sprint("n", i)))
		<-time.After(time.Second)
	}
}

// names are those of the rows of a snapshot, in their order.
func names[R kube.Row](s *kube.Snapshot[R]) string {
	var out []string
	for i := range s.Len() {
		out = append(out, s.Row(i).Ref().Name)
	}
	return strings.Join(out, " ")
}

func byName(a, b *action.Run) int { return cmp.Compare(a.Target.Name(), b.Target.Name()) }

func TestRunsAreOrderedAsTheQuerySays(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.endedAs(action.Done, action.Partial, action.Unknown, action.Running, action.Cancelled, action.Failed)
		f := b.RunFeed()
		for _, c := range []struct {
			name, want string
			query      kube.Query[*action.Run]
		}{
			{"none", "n2 n5 n1 n4 n0 n3", kube.Query[*action.Run]{}},
			{"tie", "n5 n2 n1 n4 n3 n0", kube.Query[*action.Run]{Tie: func(a, b *action.Run) int { return byName(b, a) }}},
			{"key", "n5 n4 n3 n2 n1 n0", kube.Query[*action.Run]{
				Key: func(r *action.Run, _ uint8, _ kube.Moment) uint64 { return uint64(r.Started.UnixNano()) }, Tie: byName,
			}},
			{"rank", "n0 n3 n4 n1 n2 n5", kube.Query[*action.Run]{
				Key: func(_ *action.Run, rank uint8, _ kube.Moment) uint64 { return uint64(kube.Bad) - uint64(rank) }, Tie: byName,
			}},
			{"filter", "n5 n4", kube.Query[*action.Run]{
				Keep: func(r *action.Run, _ kube.Moment) bool {
					return r.State == action.Failed || r.State == action.Cancelled
				},
			}},
			{"word", "n2", kube.Query[*action.Run]{Keep: func(r *action.Run, m kube.Moment) bool { return r.Matches("unknown", m) }}},
		} {
			number := f.SetQuery(c.query)
			s := f.Load()
			if got := names(s); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			if s.Query != number {
				t.Errorf("%s: the snapshot answers question %d, want %d", c.name, s.Query, number)
			}
			if want := [...]int{2, 1, 1, 2}; s.Total != 6 || s.BySeverity != want {
				t.Errorf("%s: %d runs, %v by severity; want 6, %v, whatever the filter", c.name, s.Total, s.BySeverity, want)
			}
			if s.State.Phase != kube.Live {
				t.Errorf("%s: %v, want live", c.name, s.State.Phase)
			}
		}
	})
}

func TestSnapshotIsNewWhenSomethingHasChangedAndOnlyThen(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		f := b.RunFeed()
		defer f.Close()
		last := f.Load()
		if last == nil || last.Len() != 0 || last.Version == 0 {
			t.Fatalf("the first snapshot is %+v", last)
		}
		var id string
		for _, c := range []struct {
			name   string
			change func()
			same   bool
		}{
			{name: "nothing", change: func() {}, same: true},
			{name: "time", change: func() { time.Sleep(time.Hour) }, same: true},
			{name: "another object", change: func() { f.Follow(id) }, same: true},
			{name: "a query", change: func() { f.SetQuery(kube.Query[*action.Run]{Tie: byName}) }},
			{name: "a run", change: func() { id = b.begin(plan(untilStopped, "worker-1")) }},
			{name: "a pause", change: func() { b.Pause(id, true) }},
			{name: "a run that there is not", change: func() { b.Pause("another", true) }, same: true},
			{name: "its end", change: func() { b.Cancel(id) }},
			{name: "a query after a change", change: func() { f.SetQuery(kube.Query[*action.Run]{}) }},
		} {
			c.change()
			synctest.Wait()
			s := f.Load()
			if c.same != (s == last) {
				t.Errorf("%s: the same snapshot %t, want %t", c.name, s == last, c.same)
			}
			if s != last && s.Version <= last.Version {
				t.Errorf("%s: version %d after %d", c.name, s.Version, last.Version)
			}
			last = s
		}
		if last.Row(0).State != action.Cancelled {
			t.Errorf("the last snapshot has a run that is %v", last.Row(0).State)
		}
	})
}

func TestStepsOfAnotherRunAreShownThoughNothingHasHappened(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		stepping := func(name string) action.Work {
			return does(func(_ context.Context, p *action.Progress) action.Result {
				p.Step(action.Step{Object: node(name), State: action.StepFailed})
				return action.Result{State: action.Done}
			})
		}
		first, second := b.begin(plan(stepping("a"), "worker-1")), b.begin(plan(stepping("b"), "worker-2"))
		synctest.Wait()
		open := first
		f := b.StepFeed(func() string { return open })
		before := f.Load()
		open = second
		after := f.Load()
		if names(before) != "a" || names(after) != "b" || after.Version <= before.Version {
			t.Errorf("%q at version %d, then %q at %d; want a, then b at a later one", names(before), before.Version, names(after), after.Version)
		}
		if after.BySeverity[kube.Bad] != 1 || f.Load() != after {
			t.Errorf("by severity %v, want one that is bad; the same snapshot again %t", after.BySeverity, f.Load() == after)
		}
		open = ""
		if s := f.Load(); s.Len() != 0 {
			t.Errorf("no run has the steps %s", names(s))
		}
	})
}

func TestRowsAreFoundByWhatTheyShow(t *testing.T) {
	run := &action.Run{Action: action.Drain, Target: target("Worker-1"), User: "alice", Note: "18 of 23 gone", State: action.Interrupted}
	step := &action.Step{Object: kube.Ref{Namespace: "shop", Name: "cart-1"}, State: action.StepBlocked, Note: "cart-pdb allows 0"}
	for _, word := range []string{"drain", "worker-1", "alice", "18 of", "cut off"} {
		if !run.Matches(word, kube.Moment{}) {
			t.Errorf("the run is not found by %q", word)
		}
	}
	for _, word := range []string{"shop/cart", "blocked", "cart-pdb"} {
		if !step.Matches(word, kube.Moment{}) {
			t.Errorf("the step is not found by %q", word)
		}
	}
	if run.Matches("uncordon", kube.Moment{}) || step.Matches("drain", kube.Moment{}) {
		t.Error("a word that is nowhere is found")
	}
}

func TestRunsAreOldestFirst(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.endedAs(action.Done, action.Running, action.Failed)
		oldestFirst := func(x, y *action.Run) int { return x.Started.Compare(y.Started) }
		if all := b.Runs(); !slices.IsSortedFunc(all, oldestFirst) || len(all) != 3 {
			t.Errorf("%d runs, oldest first %t", len(all), slices.IsSortedFunc(all, oldestFirst))
		}
		if running := b.Running(); len(running) != 1 || running[0].Target.Name() != "n1" {
			t.Errorf("running = %+v, want that of n1", running)
		}
		if none := b.Run("another"); none != nil {
			t.Errorf("a run that there is not is %+v", none)
		}
	})
}
