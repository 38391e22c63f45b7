package action_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
)

func TestPauseAndSkipReachTheWork(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		var seen []string
		id := b.begin(plan(does(func(ctx context.Context, p *action.Progress) action.Result {
			for {
				seen = append(seen, fmt.Sprintf("paused %t, skipped %t %t", p.Paused(), p.Skipped("uid-a"), p.Skipped("uid-b")))
				select {
				case <-ctx.Done():
					return action.Result{State: action.Cancelled}
				case <-p.Wish():
				}
			}
		}), "worker-1"))
		for _, wish := range []func(){
			func() { b.Pause(id, true) },
			func() { b.Skip(id, "uid-b") },
			func() { b.Pause(id, false) },
			func() { b.Pause("another", true) },
			func() { b.Skip("another", "uid-a") },
		} {
			synctest.Wait()
			wish()
		}
		synctest.Wait()
		want := []string{
			"paused false, skipped false false", "paused true, skipped false false", "paused true, skipped false true",
			"paused false, skipped false true",
		}
		if !slices.Equal(seen, want) {
			t.Errorf("the work has seen\n%q, want\n%q", seen, want)
		}
		b.Pause(id, true)
		if !b.Run(id).Paused {
			t.Error("the run does not say that it is paused")
		}
		b.Pause(id, false)
		if b.Run(id).Paused {
			t.Error("the run says that it is paused when it goes on")
		}
	})
}

func TestWishesThatNobodyHasLookedAtWakeOnce(t *testing.T) {
	p := action.NewProgress(func() {})
	for range 100 {
		p.Pause(true)
		p.Skip("uid-a")
	}
	<-p.Wish()
	select {
	case <-p.Wish():
		t.Error("there is a second wish")
	default:
	}
}

func TestStepsAreInTheOrderOfThePlanAndTheNewestOfEachCounts(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		id := b.begin(plan(does(func(ctx context.Context, p *action.Progress) action.Result {
			for _, place := range []int{7, 2, 9, 0, 4, 8, 1, 6, 3, 5} {
				p.Step(action.Step{Object: node(fmt.Sprint("n", place)), Place: place})
			}
			p.Step(action.Step{Object: node("n3"), Place: 3, State: action.StepBlocked, Note: "refused 4x"})
			p.Say("3 of 10 gone, 1 blocked", action.Tally{Done: 3, Of: 10})
			return untilStopped(ctx, p)
		}), "worker-1"))
		synctest.Wait()
		steps := b.Steps(id)
		for i, s := range steps {
			if s.Place != i {
				t.Errorf("step %d is %s", i, s.Object.Name)
			}
		}
		if len(steps) != 10 || steps[3].State != action.StepBlocked || steps[3].Note != "refused 4x" {
			t.Errorf("steps = %+v", steps)
		}
		if none := b.Steps("another"); none != nil {
			t.Errorf("a run that there is not has steps: %+v", none)
		}
		run := b.Run(id)
		if run.Note != "3 of 10 gone, 1 blocked" || run.Done != 3 || run.Steps != 10 || run.Worst() != kube.Warning {
			t.Errorf("the run is %+v", run)
		}
	})
}

func TestStepThatHasBeenReadIsNotChangedByNewsOfIt(t *testing.T) {
	p := action.NewProgress(func() {})
	s := action.Step{Object: node("n"), Note: "first"}
	p.Step(s)
	read := p.Steps()[0]
	s.Note = "second"
	p.Step(s)
	if read.Note != "first" || p.Steps()[0].Note != "second" {
		t.Errorf("the step that was read says %q, the newest %q", read.Note, p.Steps()[0].Note)
	}
}

// poke is one piece of news, and what a reader finds when it comes.
type poke struct {
	at   time.Time
	note string
}

func TestNewsComesAtOnceThenAtADistanceAndTheLastOfItAlways(t *testing.T) {
	const gap = 125 * time.Millisecond
	for name, pace := range map[string]time.Duration{"in a burst": 0, "one after the other": time.Millisecond, "now and then": 90 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			onBench(t, action.Settings{}, func(b *bench) {
				t := b.t
				var pokes []poke
				id := b.begin(plan(does(func(ctx context.Context, p *action.Progress) action.Result {
					<-time.After(time.Second) // quiet
					for i := range 1000 {
						p.Step(action.Step{Object: node("n"), Note: fmt.Sprint(i)})
						if pace > 0 {
							<-time.After(pace)
						}
					}
					return untilStopped(ctx, p)
				}), "worker-1"))
				time.Sleep(900 * time.Millisecond)
				b.cluster.Notifier().Take()
				select {
				case <-b.cluster.Notifier().Wake():
				default:
				}
				began := time.Now().Add(100 * time.Millisecond)
				ctx, stop := context.WithTimeout(b.ctx, 5*time.Minute)
				defer stop()
				for ctx.Err() == nil {
					select {
					case <-ctx.Done():
					case <-b.cluster.Notifier().Wake():
						if kinds := b.cluster.Notifier().Take(); kinds != kube.Actions {
							t.Fatalf("news of %b, want %b", kinds, kube.Actions)
						}
						pokes = append(pokes, poke{time.Now(), b.Steps(id)[0].Note})
					}
				}

				if first := pokes[0].at.Sub(began); first != 0 {
					t.Errorf("the first news comes after %v", first)
				}
				for i := range pokes[1:] {
					if d := pokes[i+1].at.Sub(pokes[i].at); d < gap {
						t.Errorf("news %d comes %v after the one before it, want at least %v", i+1, d, gap)
					}
				}
				last := pokes[len(pokes)-1]
				if late := last.at.Sub(began.Add(999 * pace)); last.note != "999" || late > gap {
					t.Errorf("the last news is of step %s, %v after it", last.note, late)
				}
				if most := int(1000*pace/gap) + 2; len(pokes) > most {
					t.Errorf("%d pieces of news, want at most %d", len(pokes), most)
				}
			})
		})
	}
}

func TestStatesOfStepsEndFromGoneOn(t *testing.T) {
	for s := action.StepWaits; s <= action.StepUnknown; s++ {
		if s.Ended() != (s >= action.StepGone) || s.String() == "" || s.Severity() > kube.Bad {
			t.Errorf("state %d: %q, ended %t, %v", s, s, s.Ended(), s.Severity())
		}
	}
	if s := action.StepProgressing; s.Ended() || s.String() != "progressing" || s.Severity() != kube.OK {
		t.Errorf("what is being carried out is %q, ended %t, %v", s, s.Ended(), s.Severity())
	}
	if w := (&action.Step{State: action.StepBlocked, Severity: kube.Bad}).Worst(); w != kube.Bad {
		t.Errorf("worst = %v, want that of the step", w)
	}
	if w := (&action.Step{State: action.StepFailed, Severity: kube.Notice}).Worst(); w != kube.Bad {
		t.Errorf("worst = %v, want that of the state", w)
	}
}
