package ui

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
)

// stretch is an action that has every kind of option, and does nothing but say what was chosen.
type stretch struct {
	id   action.ID
	plan func(t action.Target, o action.Options) *action.Plan
	runs []action.Options
	left atomic.Pointer[action.Standing] // what its runs leave behind; the program reads it
}

func (s *stretch) ID() action.ID        { return s.id }
func (s *stretch) Needs() []action.Need { return nil }
func (s *stretch) Standing(*kube.Cluster, *action.Run) action.Standing {
	if left := s.left.Load(); left != nil {
		return *left
	}
	return action.Standing{}
}

func (s *stretch) Plan(_ context.Context, _ *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	p := s.plan(t, o)
	p.Action, p.Target, p.Options, p.Made = s.id, t, o, time.Now()
	p.Work = stretched{s, o}
	return p, nil
}

type stretched struct {
	kind   *stretch
	chosen action.Options
}

func (s stretched) Run(context.Context, *kube.Cluster, *action.Progress) action.Result {
	s.kind.runs = append(s.kind.runs, s.chosen)
	return action.Result{State: action.Done, Summary: "stretched"}
}

// numbers is a plan with a number for each object, which is 3 now.
func numbers(t action.Target, o action.Options) *action.Plan {
	p := &action.Plan{Tier: action.Ask, Headline: "Numbers.", Gate: "scale them"}
	for _, ref := range t.Refs {
		toggle := action.Toggle{ID: "replicas/" + ref.UID, Words: ref.FullName(), Value: "3", Number: &action.Number{Now: 3}}
		if v, ok := o[toggle.ID]; ok {
			toggle.Value = v
		}
		if _, err := strconv.Atoi(toggle.Value); err != nil {
			toggle.Number.Fault = "that is no number"
			p.Refusals = append(p.Refusals, ref.Name+" has no number")
		}
		p.Headline += " " + ref.Name + " to " + toggle.Value + "."
		p.Toggles = append(p.Toggles, toggle)
	}
	return p
}

// decision is a plan with one of three to choose, and something to assert.
func decision(t action.Target, o action.Options) *action.Plan {
	p := &action.Plan{
		Tier: action.Write, Headline: "A decision.", Gate: "force delete it", Word: t.Refs[0].Name, Foot: "1 pod; it may run twice",
		Sections: []action.Section{
			{Title: "which is true?", Toggles: []string{"true"}},
			{Title: "if c is wrong", Rows: []action.Row{{Cells: []string{"Two pods run."}}}, Toggles: []string{"sure"}},
		},
		Toggles: []action.Toggle{
			{ID: "last", Words: "something else", Value: action.Off, Values: action.OnOff()},
			{ID: "sure", Words: "it will never be back", Value: action.Off, Values: action.OnOff()},
			{ID: "true", Values: []string{"a", "b", "c"}, Choices: []action.Choice{
				{Words: "The machine is off.", Lines: []string{"taint it"}}, {Words: "Network cut."}, {Words: "I have fenced it."},
			}},
		},
		Instead: []action.Instead{{Action: action.DeletePod, Target: t, Words: "delete it normally and wait"}},
	}
	for i := range p.Toggles {
		if v, ok := o[p.Toggles[i].ID]; ok {
			p.Toggles[i].Value = v
		}
	}
	if o["true"] != "c" {
		p.Refusals = append(p.Refusals, "choose which is true")
	} else if o["sure"] != action.On {
		p.Refusals = append(p.Refusals, "assert it first")
	}
	return p
}

// with starts the program with one pod, or several, and these actions.
func (s *session) with(kinds ...action.Kind) {
	s.Put(node("worker-1"), pod("shop", "cart-0", "worker-1"), pod("shop", "cart-1", "worker-1"), pod("shop", "cart-2", "worker-1"))
	s.deps.Runner = action.New(s.t.Context(), s.deps.Cluster, kinds, s.book, action.Settings{})
	s.start()
	s.Press("2", "O", "n", "g")
}

func TestNumberIsChangedByKeysAndDigitsAndMakesAPlan(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		kind := &stretch{id: action.Scale, plan: numbers}
		s.with(kind)
		s.Press("s")
		s.Wait(time.Second)
		s.sees("replicas 3 → 3", "cart-0 to 3.")
		s.Send("-")
		s.Wait(100 * time.Millisecond)
		s.Send("y")
		s.Wait(100 * time.Millisecond)
		if kind.runs != nil || s.app.overlay == nil {
			t.Fatalf("a plan was confirmed that was not there yet: %v", kind.runs)
		}
		s.Wait(time.Second)
		s.sees("cart-0 to 2.")
		s.Press("1")
		s.Press("2")
		s.sees("replicas 3 → 12")
		s.Wait(time.Second)
		s.sees("cart-0 to 12.")
		s.Press("x")
		s.sees("a number: digits, or + and -")
		s.Press("backspace", "backspace")
		s.Wait(time.Second)
		s.sees("that is no number", "cart-0 has no number")
		s.Press("5", "+", "enter")
		s.Wait(time.Second)
		s.sees("replicas 3 → 6", "cart-0 to 6.")
		s.Press("7")
		s.Press("j") // for the plan, to which the focus goes
		s.Wait(time.Second)
		s.sees("replicas 3 → 7", "cart-0 to 7.")
		if len(kind.runs) > 0 {
			t.Fatalf("something was done: %v", kind.runs)
		}
		s.Press("y")
		s.sees("stretched")
		if fmt.Sprint(kind.runs) != "[map[replicas/shop/cart-0:7]]" {
			t.Errorf("done: %v", kind.runs)
		}
	})
}

func TestPastedNumberIsIgnored(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.with(&stretch{id: action.Scale, plan: numbers})
		s.Press("s")
		s.Wait(time.Second)
		s.Press("4")
		s.Paste("99")
		s.sees("replicas 3 → 4", "pasted text was ignored")
	})
}

func TestEachObjectHasANumberOfItsOwn(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		kind := &stretch{id: action.Scale, plan: numbers}
		s.with(kind)
		s.Press("space", "j", "space", "j", "space", "s")
		s.Wait(time.Second)
		s.sees("cart-0 3 → 3", "cart-1 3 → 3", "cart-2 3 → 3")
		s.Press("+")
		s.Press("down", "1") // the first digit replaces what stands there
		s.Wait(time.Second)
		s.sees("cart-0 3 → 4", "cart-1 3 → 1", "cart-2 3 → 3", "cart-0 to 4. cart-1 to 1. cart-2 to 3.")
		s.Press("enter", "y")
		s.Wait(time.Second)
		if fmt.Sprint(kind.runs) != "[map[replicas/shop/cart-0:4 replicas/shop/cart-1:1]]" {
			t.Errorf("done: %v\n%s", kind.runs, s.Screen())
		}
	})
}

func TestManyNumbersAreShownAFewAtATime(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.with(&stretch{id: action.Scale, plan: func(t action.Target, o action.Options) *action.Plan {
			for i := range 40 {
				t.Refs = append(t.Refs, kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: fmt.Sprintf("set-%02d", i), UID: fmt.Sprint(i)})
			}
			return numbers(t, o)
		}})
		s.Press("s")
		s.Wait(time.Second)
		s.sees("set-06", "and 33 more")
		s.misses("shop/set-07 3")
		for range 20 {
			s.Press("down")
		}
		s.sees("set-19 3 → 3", "and 33 more")
	})
}

func TestDecisionIsChosenAssertedAndTyped(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		kind := &stretch{id: action.ForceDelete, plan: decision}
		s.with(kind)
		s.Press("X")
		s.Wait(time.Second)
		s.sees("( ) a  The machine is off.", "taint it", "( ) c  I have fenced it.", "[ ] it will never be back", "choose which is true")
		s.Press("tab", "space")
		s.Wait(time.Second)
		s.sees("(x) a")
		s.Press("j", "j", "space")
		s.Wait(time.Second)
		s.sees("(x) c", "assert it first")
		s.Press("j", "space")
		s.Wait(time.Second)
		s.sees("[x] it will never be back")
		s.Press("G", "tab")
		s.Type("cart-1")
		s.Press("enter")
		s.sees(`"cart-1" is not cart-0`)
		s.Press("backspace")
		s.Type("0")
		if len(kind.runs) > 0 {
			t.Fatalf("something was done: %v", kind.runs)
		}
		s.Press("enter")
		s.sees("stretched")
		if fmt.Sprint(kind.runs) != "[map[sure:on true:c]]" {
			t.Errorf("done: %v", kind.runs)
		}
	})
}

func TestWhatIsOfferedInsteadHasASheetOfItsOwnAndComesBack(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		force, del := &stretch{id: action.ForceDelete, plan: decision}, &stretch{id: action.DeletePod, plan: numbers}
		s.with(force, del)
		s.Press("X")
		s.Wait(time.Second)
		s.sees("or rather", "ctrl+d  delete it normally and wait")
		s.Press("N")
		s.sees("nothing of that kind is offered on this sheet")
		s.Press("tab", "space", "ctrl+d")
		s.Wait(time.Second)
		s.sees("Numbers. cart-0 to 3.", "delete shop/cart-0")
		s.Press("esc")
		s.Wait(time.Second)
		s.sees("(x) a", "force delete shop/cart-0")
		s.Press("ctrl+d")
		s.Wait(time.Second)
		s.Press("y")
		s.Wait(time.Second)
		s.misses("A decision.")
		if len(force.runs) != 0 || len(del.runs) != 1 {
			t.Errorf("force: %v, delete: %v\n%s", force.runs, del.runs, s.Screen())
		}
	})
}

func TestWhatARunLeavesBehindIsSaidUntilItIsLookedAfter(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		kind := &stretch{id: action.ForceDelete, plan: decision}
		s.with(kind)
		s.Press("X")
		s.Wait(time.Second)
		s.Press("tab", "j", "j", "space")
		s.Wait(time.Second)
		s.Press("j", "space")
		s.Wait(time.Second)
		s.Press("G", "tab")
		s.Type("cart-0")
		kind.left.Store(&action.Standing{Text: "if worker-1 returns, look for two of cart-0", Severity: kube.Notice})
		s.Press("enter")
		s.Wait(15 * time.Second)
		s.misses("look for two")
		kind.left.Store(&action.Standing{Text: "worker-1 is back: look for two of cart-0", Severity: kube.Warning})
		s.Wait(2 * time.Second)
		s.sees("worker-1 is back: look for two of cart-0")
		s.Wait(15 * time.Second)
		tab := s.line("Actions")
		if !strings.Contains(tab, "Actions 1") {
			t.Errorf("the tabs are %q", tab)
		}
		s.Press("7")
		s.sees("worker-1 is back: look for two of cart-0")
		s.Press("a")
		s.Wait(time.Second)
		s.sees("it is looked after")
		s.Wait(15 * time.Second)
		s.misses("worker-1 is back")
		s.Press("a")
		s.sees("it has left nothing behind")
	})
}

func TestKeyThatMeansANumberIsForTheOneThatIsSeen(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.with(&stretch{id: action.Scale, plan: numbers})
		s.Press("space", "j", "space", "s")
		s.Wait(time.Second)
		s.Press("enter") // to the plan
		for _, key := range []string{"-", "7"} {
			s.Press(key)
			s.sees("nothing was changed: this is the number of shop/cart-0", "cart-0 3 → 3")
			s.Press("enter")
		}
		s.Press("-", "down", "0")
		s.Wait(time.Second)
		s.sees("cart-0 3 → 3", "cart-1 3 → 0")
	})
}

func TestWordsTypedOutsideOfTheirFieldChangeNoOption(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.with(&stretch{id: action.ForceDelete, plan: decision})
		s.Press("X")
		s.Wait(time.Second)
		s.Press("tab")
		s.Type("cart 0")
		s.Wait(time.Second)
		if chosen := s.app.overlay.(*review).options; len(chosen) != 0 {
			t.Errorf("chosen: %v", chosen)
		}
		s.Wait(2 * time.Second)
		s.Press("space")
		s.Wait(time.Second)
		s.sees("(x) a")
	})
}

func TestLongNameIsTypedOnALineOfItsOwn(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		word := strings.Repeat("long-", 12) + "name"
		s.with(&stretch{id: action.ForceDelete, plan: func(action.Target, action.Options) *action.Plan {
			return &action.Plan{Tier: action.Write, Headline: "It goes.", Gate: "force delete it", Word: word}
		}})
		s.Press("X")
		s.Wait(time.Second)
		s.Press("tab")
		s.Type(word)
		if line := s.line(word[20:]); !strings.Contains(line, "║ "+word) {
			t.Errorf("what is typed cannot be seen: %q\n%s", line, s.Screen())
		}
		s.Press("enter")
		s.sees("stretched")
	})
}

func TestActionsAreFiltered(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("c")
		s.Press("y")
		s.Wait(time.Second)
		s.Press("7", "/")
		s.Type("nothing")
		s.Wait(time.Second)
		s.sees("No action matches")
		s.Press("enter", "esc")
		s.Wait(time.Second)
		s.sees("cordoned in")
	})
}
