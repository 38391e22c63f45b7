package cordon_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/action"
	"ktriage/kube/cordon"
)

// runs is the work of a plan as it is carried out.
type runs struct {
	b        *bench
	progress *action.Progress
	result   action.Result
	ended    time.Time
}

// plan plans for nodes, and wants that to work.
func (b *bench) plan(on bool, names ...string) *action.Plan {
	b.t.Helper()
	p, err := cordon.New(on).Plan(b.t.Context(), b.cluster, target(names...), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// carryOut carries a plan out to its end.
func (b *bench) carryOut(ctx context.Context, p *action.Plan, progress *action.Progress) *runs {
	b.t.Helper()
	r := &runs{b: b, progress: progress}
	r.result = p.Work.Run(ctx, b.cluster, progress)
	r.ended = time.Now()
	for _, s := range progress.Steps() {
		if !s.State.Ended() {
			b.t.Errorf("the step of %s has not ended: %v", s.Object.Name, s.State)
		}
	}
	return r
}

func (b *bench) cordon(names ...string) *runs {
	b.t.Helper()
	return b.carryOut(b.t.Context(), b.plan(true, names...), action.NewProgress(func() {}))
}

// is wants a run to have ended in a way, with these steps, and to name these nodes for taking it back.
func (r *runs) is(state action.State, summary, steps, undo string) {
	t := r.b.t
	t.Helper()
	if r.result.State != state || r.result.Summary != summary {
		t.Errorf("ended as %v: %q, want %v: %q", r.result.State, r.result.Summary, state, summary)
	}
	var got []string
	for _, s := range r.progress.Steps() {
		line := fmt.Sprintf("%s %v", s.Object.Name, s.State)
		if s.Note != "" {
			line += ": " + s.Note
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(steps, strings.Join(got, "\n")); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	var want *action.Undo
	if undo != "" {
		want = &action.Undo{Action: action.Uncordon, Target: target(strings.Fields(undo)...)}
	}
	if diff := cmp.Diff(want, r.result.Undo); diff != "" {
		t.Errorf("undo (-want +got):\n%s", diff)
	}
}

// on lets something happen to the patches of one node.
func on(name string, way onTheWay) onTheWay {
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/"+name) {
			return way(r, send)
		}
		return send()
	}
}

var forbidden = status(http.StatusForbidden, metav1.StatusReasonForbidden, "not this one")

func TestNodesAreCordonedOneAfterTheOther(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b", cordoned(time.Hour))
		b.node("c")
		r := b.cordon("a", "b", "c")
		r.is(action.Done, "cordoned in 0.0s", "a done: cordoned\nb done: was cordoned before\nc done: cordoned", "a c")
		if len(b.patches) != 2 || !b.is("a") || !b.is("c") {
			t.Errorf("%d patches, want 2", len(b.patches))
		}
	})
}

func TestUncordonIsTakenBackByCordon(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a", cordoned(time.Hour))
		b.node("b")
		r := b.carryOut(b.t.Context(), b.plan(false, "a", "b"), action.NewProgress(func() {}))
		if r.result.State != action.Done || r.result.Summary != "uncordoned in 0.0s" || b.is("a") {
			t.Errorf("ended as %v: %q, cordoned %t", r.result.State, r.result.Summary, b.is("a"))
		}
		if diff := cmp.Diff(&action.Undo{Action: action.Cordon, Target: target("a")}, r.result.Undo); diff != "" {
			t.Errorf("undo (-want +got):\n%s", diff)
		}
	})
}

func TestNodeThatHasBecomeSoSinceThePlanIsNotTakenBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b")
		p := b.plan(true, "a", "b")
		b.node("a", cordoned(0))
		r := b.carryOut(b.t.Context(), p, action.NewProgress(func() {}))
		r.is(action.Done, "cordoned in 0.0s", "a done: was cordoned before\nb done: cordoned", "b")
	})
}

func TestNodeThatFailsDoesNotKeepTheOthersFromBeingTried(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b")
		b.node("c")
		b.patch = on("b", answers(forbidden))
		r := b.cordon("a", "b", "c")
		r.is(action.Partial, "2 of 3 nodes; b: not this one", "a done: cordoned\nb failed: not this one\nc done: cordoned", "a c")
		step := r.progress.Steps()[1]
		if want := []string{"not this one", "Ask for that permission."}; !cmp.Equal(step.Why, want) {
			t.Errorf("why = %q, want %q", step.Why, want)
		}
	})
}

func TestRunInWhichEverythingFailsHasFailed(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b", cordoned(0))
		b.node("c")
		b.patch = answers(forbidden)
		r := b.cordon("a", "b", "c")
		r.is(action.Failed, "a: not this one", "a failed: not this one\nb done: was cordoned before\nc failed: not this one", "")
	})
}

func TestReplacedNodeIsLeftAlone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		p := b.plan(true, "a")
		b.replace("a")
		r := b.carryOut(b.t.Context(), p, action.NewProgress(func() {}))
		r.is(action.Failed, "a: another node has the name now; nothing was done", "a failed: another node has the name now; nothing was done", "")
		if b.is("a") || len(b.patches) != 0 {
			t.Errorf("the other node is cordoned %t after %d patches", b.is("a"), len(b.patches))
		}
	})
}

func TestOutcomeThatIsNotKnownMakesTheRunUnknownWhateverElseHappens(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b", "c"} {
			b.node(n)
		}
		b.patch = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/a"):
				return answers(forbidden)(r, send)
			case strings.HasSuffix(r.URL.Path, "/b"):
				b.get = notFor(47*time.Second, reset)
				return reset(r, send)
			}
			return send()
		}
		r := b.cordon("a", "b", "c")
		r.is(action.Unknown, "b: no answer; it is not known whether it was cordoned",
			"a failed: not this one\nb unknown: no answer; it is not known whether it was cordoned\nc done: cordoned", "c")
		if len(b.patches) != 3 {
			t.Errorf("%d patches, want one for each", len(b.patches))
		}
	})
}

func TestCancelInTheMiddleLeavesTheRest(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b", "c", "d"} {
			b.node(n)
		}
		ctx, stop := context.WithCancelCause(b.t.Context())
		b.patch = on("b", first(func() { stop(action.ErrCancelled) }, nil)) // and is answered
		r := b.carryOut(ctx, b.plan(true, "a", "b", "c", "d"), action.NewProgress(func() {}))
		r.is(action.Cancelled, "2 of 4 nodes cordoned", "a done: cordoned\nb done: cordoned\nc not done\nd not done", "a b")
		if len(b.patches) != 2 {
			t.Errorf("%d patches, want 2", len(b.patches))
		}
	})
}

func TestCancelWhileANodeIsReadLeavesItAsItIs(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b")
		p := b.plan(true, "a", "b")
		ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Second)
		defer stop()
		b.get = silent
		began := time.Now()
		r := b.carryOut(ctx, p, action.NewProgress(func() {}))
		r.is(action.Cancelled, "0 of 2 nodes cordoned", "a not done\nb not done", "")
		if d := r.ended.Sub(began); d != 3*time.Second || len(b.patches) != 0 {
			t.Errorf("ended after %v and %d patches", d, len(b.patches))
		}
	})
}

func TestCancelWhileAPatchIsUnderWayLeavesItsOutcomeUnknown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		b.node("b")
		ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Second)
		defer stop()
		b.patch = done(silent)
		r := b.carryOut(ctx, b.plan(true, "a", "b"), action.NewProgress(func() {}))
		r.is(action.Unknown, "a: no answer; it is not known whether it was cordoned",
			"a unknown: no answer; it is not known whether it was cordoned\nb not done", "")
	})
}

func TestRunThatIsCancelledAfterAFailureIsCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b", "c"} {
			b.node(n)
		}
		p := b.plan(true, "a", "b", "c")
		ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Second)
		defer stop()
		b.patch = on("a", first(func() { b.get = silent }, answers(forbidden)))
		r := b.carryOut(ctx, p, action.NewProgress(func() {}))
		r.is(action.Cancelled, "0 of 3 nodes cordoned", "a failed: not this one\nb not done\nc not done", "")
	})
}

func TestRunThatIsCancelledBeforeItBeginsSendsNothing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		p := b.plan(true, "a")
		ctx, stop := context.WithCancel(b.t.Context())
		stop()
		before := len(b.Requests())
		r := b.carryOut(ctx, p, action.NewProgress(func() {}))
		r.is(action.Cancelled, "0 of 1 node cordoned", "a not done", "")
		if n := len(b.Requests()) - before; n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestNodesThatAreTakenOutAreNotTouched(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b"} {
			b.node(n)
		}
		progress := action.NewProgress(func() {})
		progress.Skip("uid-a")
		b.carryOut(b.t.Context(), b.plan(true, "a", "b"), progress).
			is(action.Partial, "1 of 2 nodes; a: left out", "a left out\nb done: cordoned", "b")
	})
}

func TestPauseBeginsNothingNewUntilItIsOver(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b", "c"} {
			b.node(n)
		}
		progress := action.NewProgress(func() {})
		b.patch = on("a", first(func() { progress.Pause(true) }, nil))
		p := b.plan(true, "a", "b", "c")
		began := time.Now()
		time.AfterFunc(30*time.Second, func() { progress.Skip("uid-b") })
		time.AfterFunc(time.Minute, func() { progress.Pause(false) })
		ended := make(chan *runs)
		go func() { ended <- b.carryOut(b.t.Context(), p, progress) }()
		synctest.Wait()
		if !b.is("a") || b.is("b") || b.is("c") {
			t.Errorf("a, b, c are cordoned: %t %t %t, want a alone", b.is("a"), b.is("b"), b.is("c"))
		}
		r := <-ended
		r.is(action.Partial, "2 of 3 nodes; b: left out", "a done: cordoned\nb left out\nc done: cordoned", "a c")
		if d := r.ended.Sub(began); d != time.Minute {
			t.Errorf("ended after %v, want at the end of the pause", d)
		}
	})
}

func TestPausedRunCanBeCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("a")
		progress := action.NewProgress(func() {})
		progress.Pause(true)
		ctx, stop := context.WithTimeout(b.t.Context(), time.Second)
		defer stop()
		b.carryOut(ctx, b.plan(true, "a"), progress).is(action.Cancelled, "0 of 1 node cordoned", "a not done", "")
	})
}
