package action_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/internal/audit"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

func TestIntentIsInTheLogBeforeTheWorkBeginsAndTheResultAfterIt(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		var atBegin []audit.Entry
		id := b.begin(plan(does(func(_ context.Context, p *action.Progress) action.Result {
			atBegin = b.entries()
			time.Sleep(3 * time.Second)
			p.Step(action.Step{Object: node("worker-1"), State: action.StepDone, Note: "cordoned", Since: time.Now()})
			return action.Result{State: action.Partial, Summary: "18 of 23 pods left"}
		}), "worker-1"))
		began := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()

		if len(atBegin) != 1 {
			t.Fatalf("the log has %d lines when the work begins, want 1", len(atBegin))
		}
		after := b.entries()
		if len(after) != 2 {
			t.Fatalf("the log has %d lines at the end, want 2:\n%s", len(after), b.text())
		}
		worker := audit.Object{Kind: "Node", Name: "worker-1", UID: "uid-worker-1"}
		want := audit.Record{
			Time: began.UTC(), Event: audit.Intent, Run: id, User: kubetest.User, Context: "prod", Action: "node.drain",
			Objects: []audit.Object{worker}, Options: map[string]string{"emptydir": "on"},
		}
		result := want
		want.Details, want.Command = map[string]any{"pods": 23.0}, []string{"kubectl --context prod drain worker-1"}
		result.Time, result.Event, result.State, result.Summary = began.UTC().Add(3*time.Second), audit.Result, "partial", "18 of 23 pods left"
		result.Steps = []audit.Step{{Object: worker, State: "done", Note: "cordoned", Since: result.Time}}
		for i, want := range []audit.Record{want, result} {
			got := after[i].Record
			want.Process, want.Host, want.PID, want.Version = got.Process, "bastion", got.PID, "v1" // the log's own
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("line %d (-want +got):\n%s", i+1, diff)
			}
		}
		run := b.Run(id)
		if got := strings.Join(run.Lines, "\n") + "\n"; got != b.text() {
			t.Errorf("the run says that its lines are\n%sthe file has\n%s", got, b.text())
		}
		if run.State != action.Partial || run.Note != "18 of 23 pods left" || run.Ended.Sub(run.Started) != 3*time.Second || run.AuditErr != "" {
			t.Errorf("the run has ended as %+v", run)
		}
		if got, want := run.Ending(), "drain worker-1 partial: 18 of 23 pods left"; got != want {
			t.Errorf("ending = %q, want %q", got, want)
		}
	})
}

// refused wants a plan not to be begun for a reason, and nothing to be written or done.
func (b *bench) refused(p *action.Plan, why string) {
	b.t.Helper()
	synctest.Wait()
	before := b.text()
	id, err := b.Start(p)
	var refusal *action.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), why) || id != "" {
		b.t.Errorf("Start = %q, %v; want a refusal that says %q", id, err, why)
	}
	if bad := unclean(err.Error()); bad != nil {
		b.t.Errorf("the refusal is not fit to be shown: %q", bad)
	}
	synctest.Wait()
	if after := b.text(); after != before {
		b.t.Errorf("a refused plan is in the log:\n%s", strings.TrimPrefix(after, before))
	}
}

// forbidden is a Work that must not begin.
func forbidden(t *testing.T) action.Work {
	return does(func(context.Context, *action.Progress) action.Result {
		t.Error("a plan that is refused was carried out")
		return action.Result{State: action.Done}
	})
}

func TestPlanThatMayNotBeCarriedOutIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, why string
		settings  action.Settings
		change    func(*action.Plan)
	}{
		{name: "read-only", why: "--read-only", settings: action.Settings{ReadOnly: true}},
		{name: "no log", why: "no audit log can be written: disk full", settings: action.Settings{AuditFailed: errors.New("disk full")}},
		{name: "too old", why: "older than three minutes", change: func(p *action.Plan) { p.Made = time.Now().Add(-action.PlanLife) }},
		{name: "other context", why: "was made for context dev", change: func(p *action.Plan) { p.Target.Context = "dev\x1b[31m" }},
		{name: "refusals", why: "worst first", change: func(p *action.Plan) { p.Refusals = []string{"worst first", "then this"} }},
		{name: "no work", why: "nothing to do", change: func(p *action.Plan) { p.Work = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, c.settings, func(b *bench) {
				p := plan(forbidden(b.t), "worker-1")
				if c.change != nil {
					c.change(p)
				}
				b.refused(p, c.why)
				if runs := b.Runs(); len(runs) != 0 {
					b.t.Errorf("a refused plan is among the runs: %+v", runs)
				}
			})
		})
	}
}

func TestPlanOfLessThanAMinuteIsNotTooOld(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		p := plan(nothing, "worker-1")
		time.Sleep(action.PlanLife - time.Millisecond)
		synctest.Wait()
		b.begin(p)
	})
}

func TestNothingIsBegunOnAServerThatDoesNotAnswer(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Fail(kubetest.Refused)
		b.cluster.Start(b.ctx, 0)
		synctest.Wait()
		b.refused(plan(forbidden(t), "worker-1"), "the API server does not answer")
		b.Fail(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.begin(plan(nothing, "worker-1"))
	})
}

func TestNothingIsBegunAfterHalfAMinuteOfSilence(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		ctx, stop := context.WithCancel(b.ctx)
		b.cluster.Start(ctx, 0)
		synctest.Wait()
		stop() // no more heartbeats
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if err := b.Refuses(plan(nothing, "worker-1"), time.Now()); err != nil {
			t.Errorf("refused after 30 s: %v", err)
		}
		time.Sleep(time.Nanosecond)
		b.refused(plan(forbidden(t), "worker-1"), "nothing has been heard of the API server for more than 30s")
	})
}

func TestOneObjectHasOneRunAtATime(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		first := b.begin(plan(untilStopped, "worker-1", "worker-2"))
		b.Cancel(b.begin(plan(untilStopped, "worker-3")))
		p := plan(forbidden(t), "worker-4", "worker-2")
		p.Action = action.Cordon
		b.refused(p, "a drain of worker-1 and 1 more is running")
		if err := b.Refuses(p, time.Now()); err == nil {
			t.Error("a sheet is not told that the object has a run")
		}
		b.Cancel(first)
		synctest.Wait()
		b.begin(plan(nothing, "worker-4", "worker-2"))
	})
}

func TestOfManyStartsAtOnceOnOneObjectOneIsTaken(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		var taken atomic.Int32
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 64 {
			all.Go(func() {
				<-begin
				if _, err := b.Start(plan(untilStopped, "worker-1")); err == nil {
					taken.Add(1)
				}
			})
		}
		close(begin)
		all.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%d runs were taken in, want 1", n)
		}
	})
}

func TestNothingIsDoneWithoutItsIntentInTheLog(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.breakLog()
		id := b.begin(plan(forbidden(t), "worker-1"))
		synctest.Wait()
		run := b.Run(id)
		if run.State != action.Failed || !strings.Contains(run.Note, "nothing was sent, because the audit log cannot be written") {
			t.Errorf("the run has ended as %v: %q", run.State, run.Note)
		}
		if run.AuditErr == "" || len(run.Lines) != 0 {
			t.Errorf("the run says that the log has lines of it: %q, error %q", run.Lines, run.AuditErr)
		}
	})
}

func TestRunWhoseEndIsNotInTheLogSaysSo(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		id := b.begin(plan(does(func(context.Context, *action.Progress) action.Result {
			b.breakLog()
			return action.Result{State: action.Done, Summary: "cordoned"}
		}), "worker-1"))
		synctest.Wait()
		run := b.Run(id)
		if run.State != action.Done || run.Note != "cordoned" || !strings.Contains(run.AuditErr, "not a regular file") && !strings.Contains(run.AuditErr, "is a directory") {
			t.Errorf("the run has ended as %v: %q, error of the log %q", run.State, run.Note, run.AuditErr)
		}
		if len(run.Lines) != 1 {
			t.Errorf("lines = %q, want the intent alone", run.Lines)
		}
	})
}

// ended wants a run to have a state, and the log to say the same.
func (b *bench) ended(id string, want action.State) {
	b.t.Helper()
	synctest.Wait()
	if got := b.Run(id).State; got != want {
		b.t.Errorf("the run is %v, want %v", got, want)
	}
	entries := b.entries()
	i := slices.IndexFunc(entries, func(e audit.Entry) bool { return e.Run == id && e.Event == audit.Result })
	if i < 0 || entries[i].State != want.String() {
		b.t.Errorf("the log does not say that the run was %v:\n%s", want, b.text())
	}
}

// causing is a Work that keeps the cause for which it was stopped.
func causing(cause *error) action.Work {
	return does(func(ctx context.Context, p *action.Progress) action.Result {
		result := untilStopped(ctx, p)
		*cause = context.Cause(ctx)
		return result
	})
}

func TestCancelReachesTheWorkAndIsCalledSo(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		var cause error
		id := b.begin(plan(causing(&cause), "worker-1"))
		bystander := b.begin(plan(untilStopped, "worker-2"))
		b.Cancel("another")
		synctest.Wait()
		if n := len(b.Running()); n != 2 {
			t.Fatalf("%d runs, want 2", n)
		}
		b.Cancel(id)
		b.ended(id, action.Cancelled)
		if !errors.Is(cause, action.ErrCancelled) {
			t.Errorf("cause = %v, want %v", cause, action.ErrCancelled)
		}
		if got := b.Run(bystander).State; got != action.Running {
			t.Errorf("another run is %v, want it to go on", got)
		}
	})
}

func TestRunThatTheEndOfTheProgramStopsIsCutOff(t *testing.T) {
	for name, end := range map[string]func(*bench){
		"context": func(b *bench) { b.quit() },
		"close":   func(b *bench) { b.Close(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, action.Settings{}, func(b *bench) {
				var cause error
				id := b.begin(plan(causing(&cause), "worker-1"))
				synctest.Wait()
				end(b)
				b.ended(id, action.Interrupted)
				if !errors.Is(cause, action.ErrInterrupted) {
					b.t.Errorf("cause = %v, want %v", cause, action.ErrInterrupted)
				}
				b.refused(plan(forbidden(b.t), "worker-1"), "the program is ending")
			})
		})
	}
}

func TestRunThatEndsWellWhileTheProgramEndsIsDone(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		id := b.begin(plan(does(func(ctx context.Context, _ *action.Progress) action.Result {
			<-ctx.Done()
			return action.Result{State: action.Done}
		}), "worker-1"))
		b.quit()
		b.ended(id, action.Done)
	})
}

func TestRunThatWasCancelledBeforeTheProgramEndsIsCancelled(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		id := b.begin(plan(does(func(ctx context.Context, p *action.Progress) action.Result {
			result := untilStopped(ctx, p)
			time.Sleep(50 * time.Millisecond)
			return result
		}), "worker-1"))
		synctest.Wait()
		b.Cancel(id)
		b.Close(time.Second)
		b.ended(id, action.Cancelled)
	})
}

// stubborn is a Work that goes on for a while after it has been told to stop.
func stubborn(on time.Duration) action.Work {
	return does(func(ctx context.Context, _ *action.Progress) action.Result {
		<-ctx.Done()
		<-time.After(on)
		return action.Result{State: action.Cancelled}
	})
}

func TestCloseWaitsForTheLastLineButNoLongerThanItIsTold(t *testing.T) {
	for _, c := range []struct {
		name        string
		work, limit time.Duration
		took        time.Duration
		all         bool
	}{
		{"in time", 3 * time.Second, 5 * time.Second, 3 * time.Second, true},
		{"too late", 20 * time.Second, 5 * time.Second, 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, action.Settings{}, func(b *bench) {
				id := b.begin(plan(stubborn(c.work), "worker-1"))
				synctest.Wait()
				began := time.Now()
				if all := b.Close(c.limit); all != c.all {
					b.t.Errorf("Close = %t, want %t", all, c.all)
				}
				if took := time.Since(began); took != c.took {
					b.t.Errorf("Close took %v, want %v", took, c.took)
				}
				if ended := b.Run(id).State != action.Running; ended != c.all {
					b.t.Errorf("the run has ended: %t, want %t", ended, c.all)
				}
			})
		})
	}
}

func TestCloseWithoutRunsTakesNoTime(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		began := time.Now()
		if !b.Close(time.Second) || time.Since(began) != 0 {
			t.Errorf("Close took %v", time.Since(began))
		}
	})
}

func TestRunNamesItsUndoAndItsPage(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		want := action.Result{
			State: action.Done, Page: []action.Section{{Title: "pods"}}, Undo: &action.Undo{Action: action.Uncordon, Target: target("worker-1")},
		}
		id := b.begin(plan(does(func(context.Context, *action.Progress) action.Result { return want }), "worker-1"))
		b.ended(id, action.Done)
		run := b.Run(id)
		if diff := cmp.Diff([]any{want.Page, want.Undo}, []any{run.Page, run.Undo}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := (kube.Ref{Kind: kube.Actions, Name: "worker-1", UID: id}); run.Ref() != got {
			t.Errorf("ref = %+v, want %+v", run.Ref(), got)
		}
	})
}

// Of two programs that act on the same object at the same time, the one whose line came first goes on.
func TestRunOfAnotherProgramOnTheSameObjectComesFirst(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		alive := b.write("bastion", intent("theirs", "n1"))
		defer b.shut(alive)
		id := b.begin(plan(forbidden(t), "n2", "n1"))
		synctest.Wait()
		b.ended(id, action.Failed)
		if note := b.Run(id).Note; !strings.HasPrefix(note, "nothing was sent: a drain of n1 is running in another ktriage") {
			t.Errorf("it ended as %q", note)
		}
		other := b.begin(plan(nothing, "n3"))
		synctest.Wait()
		b.ended(other, action.Done)
		end := result(intent("theirs", "n1"), "done")
		if _, err := alive.Append(end); err != nil {
			t.Fatal(err)
		}
		again := b.begin(plan(nothing, "n1"))
		synctest.Wait()
		b.ended(again, action.Done)
	})
}

// What the end of the program has left unknown was cut off all the same, and is offered again.
func TestRunThatTheEndOfTheProgramLeavesUnknownIsCutOff(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		id := b.begin(plan(does(func(ctx context.Context, _ *action.Progress) action.Result {
			<-ctx.Done()
			return action.Result{State: action.Unknown}
		}), "n1"))
		synctest.Wait()
		b.Close(time.Minute)
		b.ended(id, action.Interrupted)
	})
}

func TestClaimsCanBeKeptWhileTheirSetIsBeingScaled(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		does := func(id action.ID) error {
			p := plan(untilStopped, "worker-1")
			p.Action = id
			_, err := b.Start(p)
			return err
		}
		for _, c := range []struct {
			id      action.ID
			refused bool
		}{{action.Scale, false}, {action.Scale, true}, {action.Retain, false}, {action.Retain, true}} {
			if err := does(c.id); (err != nil) != c.refused {
				t.Errorf("%s: %v, want refused %t", c.id, err, c.refused)
			}
		}
	})
}
