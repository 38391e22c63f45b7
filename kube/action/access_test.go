package action_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

func (b *bench) ask() {
	b.t.Helper()
	if err := b.AskAccess(b.ctx); err != nil {
		b.t.Fatal(err)
	}
}

func TestGreyedReasonNamesUserVerbResourceAndTime(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		evict := action.Need{Verb: "create", Resource: "pods", Subresource: "eviction", Namespace: "shop"}
		b.drain.needs = append(b.drain.needs, evict)
		if why := b.WhyNot(action.Drain, time.UTC); why != "" {
			t.Errorf("greyed before the server was asked: %q", why)
		}
		b.Deny("create pods/eviction in shop")
		time.Sleep(14*time.Hour + 3*time.Minute + 7*time.Second)
		b.ask()
		zone := time.FixedZone("JST", 9*60*60)
		if got, want := b.WhyNot(action.Drain, zone), "you (alice) may not create pods/eviction in shop; asked the server at 23:03:07"; got != want {
			t.Errorf("why = %q, want %q", got, want)
		}
		if why := b.WhyNot(action.Cordon, zone); why != "" {
			t.Errorf("an action that needs something else is greyed: %q", why)
		}
	})
}

func TestActionThatThereIsNotIsGreyed(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		if why := b.WhyNot("node.paint", time.UTC); why != "there is no such action" {
			t.Errorf("why = %q", why)
		}
		if _, err := b.Plan(b.ctx, "node.paint", target("worker-1"), nil); err == nil || !strings.Contains(err.Error(), `"node.paint"`) {
			t.Errorf("err = %v, want one that names the action", err)
		}
		if k := b.Kind("node.paint"); k != nil {
			t.Errorf("kind = %v, want none", k)
		}
	})
}

func TestEverythingIsGreyedWhenReadOnly(t *testing.T) {
	onBench(t, action.Settings{ReadOnly: true}, func(b *bench) {
		if why := b.WhyNot(action.Drain, time.UTC); why != "ktriage runs with --read-only" {
			t.Errorf("why = %q", why)
		}
	})
}

func TestEachPermissionIsAskedForOnce(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		before := b.questions()
		b.ask() // the drain and the other action need the same
		if n := b.questions() - before; n != 1 {
			t.Errorf("%d questions, want 1", n)
		}
	})
}

func TestDenialIsAskedAboutAgainWhenItIsOlderThanHalfAMinute(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Deny("patch nodes")
		b.ask()
		b.Deny()
		asked := b.questions()
		again := func() int {
			t.Helper()
			if err := b.AskAgain(b.ctx, action.Drain); err != nil {
				t.Error(err)
			}
			return b.questions() - asked
		}
		time.Sleep(30 * time.Second)
		if n := again(); n != 0 || b.WhyNot(action.Drain, time.UTC) == "" {
			t.Errorf("after 30 s: %d questions, greyed %q", n, b.WhyNot(action.Drain, time.UTC))
		}
		time.Sleep(time.Nanosecond)
		if n := again(); n != 1 {
			t.Errorf("after more than 30 s: %d questions, want 1", n)
		}
		if why := b.WhyNot(action.Drain, time.UTC); why != "" {
			t.Errorf("greyed though it is allowed now: %q", why)
		}
		time.Sleep(time.Hour)
		if n := again(); n != 1 {
			t.Errorf("what is allowed was asked for again: %d questions", n)
		}
		if err := b.AskAgain(b.ctx, "node.paint"); err != nil {
			t.Errorf("an action that there is not: %v", err)
		}
	})
}

func TestDenialThatStandsIsAskedAboutEveryHalfMinuteAtMost(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Deny("patch nodes")
		b.ask()
		before := b.questions()
		for range 120 { // somebody presses the key each second
			time.Sleep(time.Second)
			if err := b.AskAgain(b.ctx, action.Drain); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.questions() - before; n != 3 {
			t.Errorf("%d questions in two minutes, want one after 31, 62 and 93 s", n)
		}
		if got := b.WhyNot(action.Drain, time.UTC); !strings.HasSuffix(got, "asked the server at 00:01:33") {
			t.Errorf("why = %q, want the time of the newest answer", got)
		}
	})
}

func TestServerThatDoesNotAnswerTheQuestionLeavesAllAllowed(t *testing.T) {
	for name, status := range map[string]metav1.Status{
		"not known": {Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound},
		"forbidden": {Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, action.Settings{}, func(b *bench) {
				b.Deny("patch nodes")
				b.Fail(kubetest.Answer(status, "/selfsubjectaccessreviews"))
				b.ask()
				if why := b.WhyNot(action.Drain, time.UTC); why != "" {
					b.t.Errorf("greyed: %q", why)
				}
				if _, err := b.Plan(b.ctx, action.Drain, target("worker-1"), nil); err != nil || b.drain.planned != 1 {
					b.t.Errorf("err = %v, %d plans; want one", err, b.drain.planned)
				}
			})
		})
	}
}

func TestNoPlanIsMadeWithoutPermission(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.ask()
		b.Deny("patch nodes") // since then
		time.Sleep(time.Hour)
		p, err := b.Plan(b.ctx, action.Drain, target("worker-1"), nil)
		var refusal *action.Refusal
		if !errors.As(err, &refusal) || p != nil || b.drain.planned != 0 {
			t.Fatalf("Plan = %v, %v, after %d plans of the kind; want a refusal and none", p, err, b.drain.planned)
		}
		if !strings.HasPrefix(refusal.Why, "you (alice) may not patch nodes; asked the server at ") {
			t.Errorf("refused with %q", refusal.Why)
		}
		b.Deny()
		if _, err := b.Plan(b.ctx, action.Drain, target("worker-1"), nil); err != nil {
			t.Errorf("a permission that has come is not seen: %v", err)
		}
	})
}

func TestNoPlanIsMadeWhenTheServerCannotSayWhatWeMayDo(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Fail(kubetest.Refused)
		_, err := b.Plan(b.ctx, action.Drain, target("worker-1"), nil)
		if err == nil || !strings.Contains(err.Error(), "ask whether we may patch nodes") || b.drain.planned != 0 {
			t.Errorf("err = %v after %d plans", err, b.drain.planned)
		}
		if err := b.AskAccess(b.ctx); err == nil {
			t.Error("AskAccess has no error though the server does not answer")
		}
		if why := b.WhyNot(action.Drain, time.UTC); why != "" {
			t.Errorf("greyed though nobody has said no: %q", why)
		}
	})
}

func TestSilentServerIsNotAskedForLong(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Silent()
		began := time.Now()
		if err := b.AskAccess(b.ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want that time is up", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v, want 10 s", took)
		}
		b.Fail(nil)
		synctest.Wait()
	})
}

func TestPlanSaysThatThereIsNoLog(t *testing.T) {
	onBench(t, action.Settings{AuditFailed: errors.New("cannot open /var/log/audit\x1b[2J: disk full")}, func(b *bench) {
		p, err := b.Plan(b.ctx, action.Drain, target("worker-1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := "no audit log can be written: cannot open /var/log/audit: disk full"; len(p.Refusals) != 1 || p.Refusals[0] != want {
			t.Errorf("refusals = %q, want %q", p.Refusals, want)
		}
	})
}

func TestProtectedContextRaisesByOneTierAndNotAboveTheHighest(t *testing.T) {
	tiers := []action.Tier{action.Look, action.Ask, action.Read, action.Write}
	for protected, want := range map[bool][]action.Tier{
		false: tiers,
		true:  {action.Look, action.Read, action.Write, action.Write},
	} {
		cluster := kube.New(kubetest.New().Clients(), "prod", "", nil, nil)
		r := action.New(t.Context(), cluster, nil, nil, action.Settings{Protected: protected})
		for i, tier := range tiers {
			if got := r.Tier(&action.Plan{Tier: tier}); got != want[i] {
				t.Errorf("protected %t: tier %d is %d, want %d", r.Protected(), tier, got, want[i])
			}
		}
	}
}

// particular is a kind of action whose permissions hang on what it acts on.
type particular struct{ other }

func (particular) ID() action.ID { return action.Scale }

func (particular) Needs() []action.Need {
	return []action.Need{{Verb: "list", Resource: "pods", Scoped: true}}
}

func (particular) NeedsFor(k kube.Kinds) []action.Need {
	if k == kube.StatefulSets {
		return []action.Need{{Verb: "update", Group: "apps", Resource: "statefulsets", Subresource: "scale", Scoped: true}}
	}
	return nil
}

func TestPermissionsOfOneNamespaceAreAskedForThatNamespaceWhenTheKeyIsPressed(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.Runner = action.New(b.ctx, b.cluster, []action.Kind{particular{}}, b.log, action.Settings{})
		b.Deny("update statefulsets/scale in shop")
		before := b.questions()
		b.ask()
		if why := b.WhyNot(action.Scale, time.UTC); why != "" || b.questions() != before {
			t.Errorf("greyed before anybody knows where: %q; asked %d times", why, b.questions()-before)
		}
		at := func(ns string, kind kube.Kinds) error {
			_, err := b.Plan(b.ctx, action.Scale, action.Target{Context: "prod", Refs: []kube.Ref{{Kind: kind, Namespace: ns, Name: "cart", UID: "u"}}}, nil)
			return err
		}
		refused, _ := errors.AsType[*action.Refusal](at("shop", kube.StatefulSets))
		if refused == nil || !strings.Contains(refused.Why, "may not update statefulsets/scale in shop") {
			t.Errorf("in shop: %v", refused)
		}
		if err := at("pay", kube.StatefulSets); err != nil {
			t.Errorf("in pay: %v", err)
		}
		if err := at("shop", kube.Deployments); err != nil {
			t.Errorf("of another kind: %v", err)
		}
	})
}

func TestPermissionsOfTheOneNamespaceThatIsLookedAtGreyTheKey(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.cluster = kube.New(b.Clients(), "prod", "shop", []string{"shop"}, nil)
		b.Runner = action.New(b.ctx, b.cluster, []action.Kind{particular{}}, b.log, action.Settings{})
		b.Deny("list pods in shop")
		b.ask()
		if why := b.WhyNot(action.Scale, time.UTC); !strings.Contains(why, "may not list pods in shop") {
			t.Errorf("why = %q", why)
		}
	})
}

func TestMayCountsOnlyWhatTheServerHasSaid(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		if b.May() {
			t.Error("something is allowed before the server was asked")
		}
		b.Deny("patch nodes")
		b.ask()
		if b.May() {
			t.Error("something is allowed that the server denies")
		}
		b.Deny()
		b.ask()
		if !b.May() {
			t.Error("nothing is allowed, says the runner")
		}
	})
}

func TestWhoMayOnlyReadMayDoNothing(t *testing.T) {
	onBench(t, action.Settings{}, func(b *bench) {
		b.cluster = kube.New(b.Clients(), "prod", "shop", []string{"shop"}, nil)
		b.Runner = action.New(b.ctx, b.cluster, []action.Kind{particular{}}, b.log, action.Settings{}) // it needs to list pods
		b.ask()
		if b.May() {
			t.Error("who may list pods may do something, says the runner")
		}
	})
}
