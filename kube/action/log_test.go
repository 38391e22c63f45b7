package action_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/internal/audit"
	"ktriage/kube"
	"ktriage/kube/action"
)

// intent is a line about a drain of nodes of the context of the bench.
func intent(run string, names ...string) audit.Record {
	rec := audit.Record{
		Time: time.Now(), Event: audit.Intent, Run: run, User: "bob", Context: "prod", Action: "node.drain",
		Options: map[string]string{"emptydir": "on"}, Command: []string{"kubectl drain"},
	}
	for _, n := range names {
		rec.Objects = append(rec.Objects, audit.Object{Kind: "Node", Name: n, UID: "uid-" + n})
	}
	return rec
}

func result(of audit.Record, state string) audit.Record {
	of.Event, of.State, of.Summary = audit.Result, state, "how it ended"
	return of
}

// write appends lines as another process does, which keeps on living.
func (b *bench) write(host string, records ...audit.Record) *audit.Log {
	b.t.Helper()
	l := b.open(host)
	for _, r := range records {
		if _, err := l.Append(r); err != nil {
			b.t.Fatal(err)
		}
	}
	return l
}

// died appends lines as a process does that has ended since.
func (b *bench) died(records ...audit.Record) {
	b.t.Helper()
	b.shut(b.write("bastion", records...))
}

// shut ends the process that a log stands for.
func (b *bench) shut(l *audit.Log) {
	b.t.Helper()
	if err := l.Close(); err != nil {
		b.t.Error(err)
	}
}

// read reads the log in a program that has just begun.
func (b *bench) read() {
	b.t.Helper()
	b.restart(action.Settings{})
	if err := b.ReadLog(b.ctx); err != nil {
		b.t.Fatal(err)
	}
}

// left has every node be ready, with pods left.
func left(n int) func(action.Target, action.Options) (*action.Rest, error) {
	return func(action.Target, action.Options) (*action.Rest, error) {
		if n == 0 {
			return nil, nil
		}
		return &action.Rest{Now: "Ready", Left: n, Unit: []string{"pod", "pods"}}, nil
	}
}

func (b *bench) states() map[string]string {
	out := map[string]string{}
	for _, r := range b.Runs() {
		out[r.ID] = r.State.String()
	}
	return out
}

func (b *bench) cuts() []string {
	var out []string
	for _, c := range b.Cuts() {
		out = append(out, c.Run.ID)
	}
	return out
}

func TestRunOfADeadProcessIsCutOffAndCanBeTakenUp(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		was := intent("r1", "worker-1", "worker-2")
		b.died(was)
		time.Sleep(time.Hour)
		b.drain.rest = left(5)
		b.read()

		cuts := b.Cuts()
		if len(cuts) != 1 {
			t.Fatalf("cuts = %q, want one", b.cuts())
		}
		want := &action.Cut{
			Run: &action.Run{
				ID: "r1", Action: action.Drain, Target: target("worker-1", "worker-2"), User: "bob", Started: was.Time.UTC(), Earlier: true,
				State: action.Interrupted, Note: "the program ended without a word", Command: []string{"kubectl drain"},
				Lines: []string{strings.TrimSpace(b.text())}, Options: action.Options{"emptydir": action.On},
			},
			Rest: action.Rest{Now: "Ready", Left: 5, Unit: []string{"pod", "pods"}},
		}
		if diff := cmp.Diff(want, cuts[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]*action.Run{want.Run}, b.Runs()); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
		b.Decided(cuts[0])
		if left := b.cuts(); left != nil {
			t.Errorf("cuts = %q after the decision, want none", left)
		}
	})
}

func TestEachRunOfTheLogHasItsState(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.drain.rest = left(1)
		here, away, gone := intent("here", "n1"), intent("away", "n2"), intent("gone", "n3")
		cordon := intent("cordon", "n4")
		cordon.Action = "node.cordon"
		alien, said := intent("alien", "n5"), intent("said", "n6")
		alien.Context = "dev"
		b.died(gone, cordon, alien, said, result(said, "cut off"), result(intent("headless", "n7"), "cut off"))
		alive := b.write("bastion", here)
		defer b.shut(alive)
		elsewhere := b.write("jumphost", away)
		defer b.shut(elsewhere)
		b.read()

		want := map[string]string{"here": "running", "away": "unknown", "gone": "cut off", "cordon": "cut off", "said": "cut off"}
		if diff := cmp.Diff(want, b.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if got := b.Run("here").Note; !strings.HasPrefix(got, "in another ktriage, process ") {
			t.Errorf("the run of a program that lives is %q", got)
		}
		if got := b.Run("said"); got.Note != "how it ended" || len(got.Lines) != 2 || got.Ended.IsZero() {
			t.Errorf("the run that says that it was cut off is %+v", got)
		}
		if diff := cmp.Diff([]string{"gone", "said", "headless", "away"}, b.cuts()); diff != "" {
			t.Errorf("cuts (-want +got):\n%s", diff)
		}
		for _, c := range b.Cuts() {
			if want := map[string]string{"away": "jumphost"}[c.Run.ID]; c.Elsewhere != want {
				t.Errorf("%s may still be running on %q, want %q", c.Run.ID, c.Elsewhere, want)
			}
		}
	})
}

func TestRunThatWasBegunAgainIsNotOfferedButCutOffAllTheSame(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.drain.rest = left(1)
		again := intent("again", "n1")
		b.died(intent("first", "n1"), again, result(again, "done"))
		b.read()
		if diff := cmp.Diff(map[string]string{"first": "cut off", "again": "done"}, b.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if got := b.cuts(); got != nil {
			t.Errorf("cuts = %q, want none", got)
		}
	})
}

func TestStatesAreReadBackAsTheyWereWritten(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		want := map[string]string{"odd": "unknown", "none": "unknown"}
		for s := action.Done; s <= action.Interrupted; s++ {
			line := intent(s.String(), s.String())
			b.died(line, result(line, s.String()))
			want[s.String()] = s.String()
		}
		odd, none := intent("odd", "odd"), intent("none", "none")
		b.died(odd, result(odd, "exploded"), none, result(none, ""))
		b.drain.rest = left(0)
		b.read()
		if diff := cmp.Diff(want, b.states()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := b.cuts(); got != nil {
			t.Errorf("cuts = %q though nothing is left", got)
		}
	})
}

func TestRunThatIsLeftIsNotAskedAboutAgain(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.died(intent("r1", "n1"), intent("r2", "n2"))
		b.drain.rest = left(3)
		b.read()
		if err := b.Leave(b.Cuts()[0].Run); err != nil {
			t.Fatal(err)
		}
		entries := b.entries()
		if last := entries[len(entries)-1]; last.Event != audit.Left || last.Run != "r1" || last.User != "alice" || len(last.Objects) != 1 {
			t.Errorf("the last line is %s", last.Line)
		}
		b.read()
		if diff := cmp.Diff([]string{"r2"}, b.cuts()); diff != "" {
			t.Errorf("cuts of the next program (-want +got):\n%s", diff)
		}
		if got := b.Run("r1").State; got != action.Interrupted {
			t.Errorf("the run that was left is %v, want that it was cut off", got)
		}
		b.breakLog()
		if err := b.Leave(b.Cuts()[0].Run); err == nil {
			t.Error("Leave has no error though the log cannot be written")
		}
	})
}

func TestWhatIsLeftIsAskedForUntilThereIsAnAnswer(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.died(intent("r1", "n1"), intent("r2", "n2"))
		asked := map[string][]time.Duration{}
		began := time.Now()
		b.drain.rest = func(t action.Target, o action.Options) (*action.Rest, error) {
			name := t.Refs[0].Name
			asked[name] = append(asked[name], time.Since(began))
			if name == "n1" && len(asked[name]) < 4 {
				return nil, errors.New("the API server does not answer")
			}
			return left(1)(t, o)
		}
		b.restart(action.Settings{})
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = b.ReadLog(b.ctx)
		}()
		synctest.Wait()
		if diff := cmp.Diff([]string{"r2"}, b.cuts()); diff != "" {
			t.Errorf("cuts while the other one has no answer (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]string{"r1": "cut off", "r2": "cut off"}, b.states()); diff != "" {
			t.Errorf("states meanwhile (-want +got):\n%s", diff)
		}
		<-done
		want := map[string][]time.Duration{"n1": {0, 5 * time.Second, 10 * time.Second, 15 * time.Second}, "n2": {0}}
		if diff := cmp.Diff(want, asked); diff != "" || err != nil {
			t.Errorf("err %v, asked (-want +got):\n%s", err, diff)
		}
		if diff := cmp.Diff([]string{"r2", "r1"}, b.cuts()); diff != "" {
			t.Errorf("cuts (-want +got):\n%s", diff)
		}
	})
}

func TestReadingTheLogEndsWithItsContext(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.died(intent("r1", "n1"))
		b.drain.rest = func(action.Target, action.Options) (*action.Rest, error) { return nil, errors.New("no answer") }
		b.restart(action.Settings{})
		ctx, stop := context.WithTimeout(b.ctx, 7*time.Second)
		defer stop()
		began := time.Now()
		if err := b.ReadLog(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 7*time.Second {
			t.Errorf("ReadLog = %v after %v, want the end of its context after 7 s", err, time.Since(began))
		}
	})
}

func TestLogThatCannotBeReadIsAnErrorAndNoneIsNot(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.breakLog()
		if err := b.ReadLog(b.ctx); err == nil || !strings.Contains(err.Error(), "audit.jsonl") {
			t.Errorf("err = %v, want one that names the file", err)
		}
		none := action.New(b.ctx, b.cluster, nil, nil, action.Settings{AuditFailed: errors.New("disk full")})
		if err := none.ReadLog(b.ctx); err != nil || none.Runs() != nil {
			t.Errorf("without a log: %v, runs %v", err, none.Runs())
		}
	})
}

func TestEarlierRunsAreBeforeThoseOfThisProgram(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		line := intent("r1", "n1")
		b.died(line, result(line, "failed"))
		b.read()
		id := b.begin(plan(untilStopped, "n1"))
		runs := b.Runs()
		if len(runs) != 2 || runs[0].ID != "r1" || !runs[0].Earlier || runs[1].ID != id || runs[1].Earlier {
			t.Errorf("runs = %+v", runs)
		}
		if steps := b.Steps("r1"); steps != nil {
			t.Errorf("an earlier run has steps: %+v", steps)
		}
		b.Cancel("r1")
		b.Pause("r1", true)
		synctest.Wait()
		if runs = b.Runs(); runs[0].Paused || runs[0].State != action.Failed {
			t.Errorf("an earlier run can be controlled: %+v", runs[0])
		}
	})
}

// evil is what terminals obey: escape sequences of 7 and 8 bits, a title, the clipboard, and text that turns around.
const evil = "a\x1b[2J\x1b]0;title\x07\x1b]52;c;cm0K\x07\u009b31m\u202egnp.exe\nb\x00"

func TestHostileLogIsCleaned(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.drain.rest = left(2)
		begun, ended := intent("x"+evil, "n1"), intent("y"+evil, "n2")
		for _, r := range []*audit.Record{&begun, &ended} {
			r.User, r.Command, r.Options = evil, []string{evil}, map[string]string{"o" + evil: evil}
			r.Objects[0].Name, r.Objects[0].Namespace, r.Objects[0].UID, r.Server = evil+r.Run, evil, evil+r.Run, evil
			r.Details = map[string]any{evil: evil}
		}
		end := result(ended, evil)
		end.Summary, end.Steps = evil, []audit.Step{{Object: end.Objects[0], State: evil, Note: evil}}
		odd := intent("z", "n3")
		odd.Action, odd.Objects[0].Kind = evil, evil
		b.died(begun, ended, end, odd)
		away := b.write("host"+evil, intent("away", "n4"))
		defer b.shut(away)
		raw := `{"event":"intent","run":"` + "raw\u009b31m\u202e" + `","process":"../../etc","host":"bastion","context":"prod","action":"node.drain"}`
		if err := os.WriteFile(filepath.Join(b.dir, "audit.jsonl"), []byte(b.text()+raw+"\n\x1b[2Jnot json\n{\"half\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.read()
		if runs := b.Runs(); len(runs) != 5 {
			t.Errorf("%d runs, want 5", len(runs))
		}
		if cuts := b.Cuts(); len(cuts) != 2 || !slices.ContainsFunc(cuts, func(c *action.Cut) bool { return c.Elsewhere != "" }) {
			t.Errorf("cuts = %q, want two, one of them elsewhere", b.cuts())
		}
		if bad := unclean([]any{b.Runs(), b.Cuts(), b.RunFeed().Load().Row(0)}); bad != nil {
			t.Errorf("not fit to be shown: %q", bad)
		}
	})
}

func TestRunThatNamesNoObjectIsNotOffered(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.died(intent("r1"))
		b.drain.rest = func(t action.Target, _ action.Options) (*action.Rest, error) {
			b.t.Errorf("asked what is left of %+v", t)
			return nil, nil
		}
		b.read()
		if got := b.Run("r1"); got.State != action.Interrupted || got.Target.Name() != "" {
			t.Errorf("the run is %+v", got)
		}
	})
}

func TestContextWithAnOddNameFindsItsOwnRuns(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.cluster = kube.New(b.Clients(), "prod\x1b[31m 👍🏽", "shop", nil, nil)
		b.restart(action.Settings{})
		p := plan(nothing, "n1")
		p.Target.Context = b.cluster.Context()
		id := b.begin(p)
		synctest.Wait()
		b.read()
		if got := b.Run(id); got == nil || got.State != action.Done || unclean(got.Target) != nil {
			t.Errorf("the run of the log is %+v", got)
		}
	})
}

func TestWhatOtherProgramsBeginAndEndIsSeenWhileThisOneRuns(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.read()
		watching, stop := context.WithCancel(b.t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- b.WatchLog(watching) }()
		late := b.write("bastion", intent("late", "n1"))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := b.states(); got["late"] != "running" {
			t.Errorf("states = %v", got)
		}
		if p, err := b.Plan(b.t.Context(), action.Drain, target("n1"), nil); err != nil || len(p.Refusals) == 0 {
			t.Errorf("a plan for what another program is at work on: %+v, %v", p, err)
		}
		b.shut(late) // without a word
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := b.states(); got["late"] != "cut off" {
			t.Errorf("states = %v", got)
		}
		stop()
		if err := <-ended; err == nil {
			t.Error("it has ended without its context")
		}
	})
}
