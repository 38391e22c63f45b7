package action_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/internal/audit"
	"ktriage/kube"
	"ktriage/kube/action"
)

// watchful is a kind of action that leaves something behind as long as it says so.
type watchful struct {
	other
	now action.Standing
}

func (*watchful) ID() action.ID { return action.ForceDelete }

func (w *watchful) Standing(*kube.Cluster, *action.Run) action.Standing { return w.now }

func TestUndoOutlivesTheProgramWithItsOptions(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		want := &action.Undo{
			Action: action.Scale, Target: action.Target{Context: "prod", Refs: []kube.Ref{
				{Kind: kube.StatefulSets, Namespace: "shop", Name: "cart", UID: "uid-cart"},
			}},
			Options: action.Options{"replicas/uid-cart": "3"},
		}
		id := b.begin(plan(does(func(context.Context, *action.Progress) action.Result {
			return action.Result{State: action.Done, Undo: want}
		}), "worker-1"))
		synctest.Wait()
		b.read()
		run := b.Run(id)
		if run == nil || !run.Earlier {
			t.Fatalf("the run is not one of the log: %+v", run)
		}
		if diff := cmp.Diff(want, run.Undo); diff != "" {
			t.Errorf("undo (-want +got):\n%s", diff)
		}
	})
}

func TestWhatARunHasLeftBehindStandsUntilItIsLookedAfter(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		kind := &watchful{}
		b.Runner = action.New(b.ctx, b.cluster, []action.Kind{kind}, b.log, action.Settings{})
		p := plan(does(func(context.Context, *action.Progress) action.Result { return action.Result{State: action.Done} }), "worker-1")
		p.Action = action.ForceDelete
		id := b.begin(p)
		synctest.Wait()
		if got := b.Standing(); len(got) != 0 {
			t.Fatalf("something is left behind: %+v", got)
		}
		kind.now = action.Standing{Text: "worker-1 is back", Severity: kube.Warning}
		for _, when := range []string{"in this program", "in the next one"} {
			got := b.Standing()
			if len(got) != 1 || got[0].ID != id || got[0].Worst() != kube.Warning || b.Run(id).Standing != kind.now {
				t.Fatalf("%s: %+v", when, got)
			}
			b.Runner = action.New(b.ctx, b.cluster, []action.Kind{kind}, b.log, action.Settings{})
			if err := b.ReadLog(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Leave(b.Run(id)); err != nil {
			t.Fatal(err)
		}
		if got := b.Standing(); len(got) != 0 {
			t.Errorf("it still stands: %+v", got)
		}
		if last := b.entries()[2]; last.Event != audit.Left || last.Run != id {
			t.Errorf("the log ends with %s", last.Line)
		}
	})
}

func TestReadersAreToldWhenWhatIsLeftBehindChanges(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		kind := &watchful{}
		b.Runner = action.New(b.ctx, b.cluster, []action.Kind{kind}, b.log, action.Settings{})
		p := plan(does(func(context.Context, *action.Progress) action.Result { return action.Result{State: action.Done} }), "worker-1")
		p.Action = action.ForceDelete
		b.begin(p)
		synctest.Wait()
		told := func() bool {
			time.Sleep(time.Second)
			return b.cluster.Notifier().Take()&kube.Actions != 0
		}
		told()
		for i, c := range []struct {
			text string
			news bool
		}{{"", false}, {"worker-1 is back", true}, {"worker-1 is back", false}, {"", true}, {"", false}} {
			kind.now.Text = c.text
			b.LookAgain()
			if got := told(); got != c.news {
				t.Errorf("step %d: told %t, want %t", i, got, c.news)
			}
		}
	})
}

func TestRunEndsAsItsStepsHaveEnded(t *testing.T) {
	for name, c := range map[string]struct {
		steps []action.StepState
		want  action.State
	}{
		"all well":               {[]action.StepState{action.StepDone, action.StepGone, action.StepStays}, action.Done},
		"one unknown":            {[]action.StepState{action.StepDone, action.StepFailed, action.StepUnknown, action.StepLeft}, action.Unknown},
		"cancelled":              {[]action.StepState{action.StepDone, action.StepLeft, action.StepFailed}, action.Cancelled},
		"nothing done":           {[]action.StepState{action.StepFailed, action.StepFailed}, action.Failed},
		"some done":              {[]action.StepState{action.StepDone, action.StepFailed}, action.Partial},
		"one left out":           {[]action.StepState{action.StepDone, action.StepSkipped}, action.Partial},
		"accepted, not seen end": {[]action.StepState{action.StepDone, action.StepAccepted}, action.Partial},
	} {
		steps := make([]action.Step, len(c.steps))
		for i := range steps {
			steps[i].State = c.steps[i]
		}
		if got := action.EndState(steps); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestStepsOfOneObjectAreToldApartByTheirKeys(t *testing.T) {
	p := action.NewProgress(func() {})
	cart := kube.Ref{Kind: kube.StatefulSets, Namespace: "shop", Name: "cart", UID: "uid-cart"}
	p.Step(action.Step{Object: cart, Place: 0})
	p.Step(action.Step{Object: cart, Key: "policy", Place: 1})
	p.Step(action.Step{Object: cart, Key: "policy", Place: 1, State: action.StepDone})
	p.Skip("policy")
	steps := p.Steps()
	if len(steps) != 2 || steps[0].Ref().UID != "uid-cart" || steps[1].Ref().UID != "policy" || steps[1].State != action.StepDone {
		t.Errorf("steps: %+v", steps)
	}
	if !p.Skipped("policy") || p.Skipped("uid-cart") {
		t.Error("another step was left out than was meant")
	}
}
