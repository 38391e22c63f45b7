package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ktriage/kube/action"
	"ktriage/kube/drain"
)

// drain/70-users.yaml of devcluster's scenario is the list of what a drain needs; docs say the same.
func TestUserWithExactlyTheRightsOfADrainDrains(t *testing.T) {
	o := stages.operate(t, stages.named(t, "drainer"))
	if o.plan(nil, "mixed", "late"); len(o.planned.Unknown) > 0 {
		t.Errorf("drainer cannot read: %s", o.planned.Unknown)
	}
	p := o.plan(nil, "limited")
	if len(o.planned.Unknown) > 0 {
		t.Errorf("drainer cannot read: %s", o.planned.Unknown)
	}
	for _, pod := range o.planned.Nodes[0].Pods {
		if pod.Namespace == "limited" && (!pod.Owner.Known || len(pod.Budgets) != 1 || pod.Fits != 3) {
			t.Errorf("the plan does not know all of %s: owner known %t, %d budgets, fits on %d", pod.Name, pod.Owner.Known, len(pod.Budgets), pod.Fits)
		}
	}
	run, took := o.start(p).finishes(soon)
	t.Logf("%v after %v: %s", run.State, took.Round(100*time.Millisecond), run.Note)
	if run.State != action.Done || run.User != "drainer" {
		t.Errorf("%s by %s: %s", run.State, run.User, run.Note)
	}
	for _, r := range o.on.requests(t, o.agent) {
		if r.ResponseStatus.Code == 403 && r.ObjectRef.APIGroup != "metrics.k8s.io" { // of which panes show more, and drains nothing
			t.Errorf("forbidden: %s %s/%s in %q", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Subresource, r.ObjectRef.Namespace)
		}
	}
}

func TestUserWithoutARightThatADrainNeedsIsToldWhich(t *testing.T) {
	for _, c := range []struct{ user, says string }{
		{"no-eviction", "create pods/eviction"},
		{"no-cordon", "patch nodes"},
	} {
		t.Run(c.user, func(t *testing.T) {
			o := stages.operate(t, stages.named(t, c.user))
			if err := o.runner.AskAccess(t.Context()); err != nil {
				t.Fatal(err)
			}
			if why := o.runner.WhyNot(action.Drain, time.UTC); !strings.Contains(why, "may not "+c.says) || !strings.Contains(why, c.user) {
				t.Errorf("the key is greyed because %q", why)
			}
			_, err := o.runner.Plan(t.Context(), action.Drain, o.target("dark"), nil)
			if refusal := (*action.Refusal)(nil); !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a plan is made: %v", err)
			}
			if len(o.evictions()) > 0 {
				t.Error("something was evicted")
			}
		})
	}
}

func TestUserWhoMayNotReadBudgetsIsToldSo(t *testing.T) {
	o := stages.operate(t, stages.named(t, "no-budgets"))
	p := o.plan(nil, "blocked")
	t.Logf("unknown: %q; refusals: %q", o.planned.Unknown, p.Refusals)
	if !strings.Contains(strings.Join(o.planned.Unknown, "\n"), "budgets") {
		t.Errorf("nothing is said of budgets: %q", o.planned.Unknown)
	}
	for _, pod := range o.planned.Nodes[0].Pods {
		if pod.Namespace == "blocked" && (pod.Fate == drain.Stays || len(pod.Budgets) > 0) {
			t.Errorf("%s: %s, budgets %v", pod.Name, pod.Fate, pod.Budgets)
		}
	}
	d := o.start(p)
	d.await("what the server says of the budget", soon, func() bool {
		return d.count(action.StepBlocked) == 29
	})
	if s := d.step("blocked/ledger"); !strings.Contains(s.Note, "ledger-pdb") {
		t.Errorf("the budget that refuses is not named: %q", s.Note)
	}
	if run := d.cancelled(); run.State != action.Cancelled || len(accepted(o.evictions())) > 0 {
		t.Errorf("%s: %s; %d evicted", run.State, run.Note, len(accepted(o.evictions())))
	}
}
