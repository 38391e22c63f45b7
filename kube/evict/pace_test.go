package evict_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

func TestManyBlockedPodsAreAskedRarely(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for i := range 29 {
			b.pod("w1", fmt.Sprintf("web-%d", i), grace(1))
		}
		pdb := b.budget("web", "web", 0)
		b.start("w1")
		b.after(15 * time.Second)
		total, most := len(b.posts("")), 0
		for i := range 29 {
			most = max(most, len(b.posts(fmt.Sprintf("web-%d", i))))
		}
		t.Logf("29 pods blocked for 15 s: %d requests, at most %d for one pod", total, most)
		if most > 4 || total > 29+5 {
			t.Errorf("%d requests in 15 s, %d for one pod", total, most)
		}
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 29
		b.Put(pdb)
		b.wait(10 * time.Second)
		b.ends(action.Done, "refused by web (429)")
		if total := len(b.posts("")); total > 29*2+6 {
			t.Errorf("%d requests in all", total)
		}
	})
}

func TestBudgetThatChangesWakesAsManyAsItAllows(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for i := range 5 {
			b.pod("w1", fmt.Sprintf("web-%d", i), grace(1))
		}
		pdb := b.budget("web", "web", 0)
		b.start("w1")
		b.after(4 * time.Second)
		before := len(b.posts(""))
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 2
		b.Put(pdb)
		b.after(4*time.Second + 100*time.Millisecond)
		if asked := len(b.posts("")) - before; asked != 2 {
			t.Errorf("%d pods were asked when the budget began to allow 2", asked)
		}
	})
}

func TestUnsyncedBudgetIsAskedAgainWhenTheServerSaysSo(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		pdb := b.budget("web", "web", 1).DeepCopy()
		pdb.Generation = 2
		b.Put(pdb)
		b.start("w1")
		b.after(5 * time.Second)
		b.is("web-a", action.StepBlocked, "still being processed", "10s")
		first := b.posts("web-a")[0].at
		if until := b.step("web-a").Until.Sub(b.began); until != first+10*time.Second {
			t.Errorf("it says that it is asked again after %v", until)
		}
		pdb = pdb.DeepCopy()
		pdb.Status.ObservedGeneration = 2
		b.Put(pdb)
		b.wait(time.Minute)
		b.ends(action.Done)
		if got := b.posts("web-a"); len(got) != 2 || got[1].at-got[0].at != 10*time.Second {
			t.Errorf("asked at %v", got)
		}
	})
}

func TestUnhealthyPodIsAskedAgainWhenItsReadinessChanges(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		o := b.pod("w1", "web-a")
		pdb := b.budget("web", "web", 0).DeepCopy() // healthy enough: a pod that is not Ready may go
		b.Put(pdb)
		b.start("w1")
		b.after(3 * time.Second)
		o = o.DeepCopy()
		ready(false)(o)
		b.Put(o)
		b.after(3*time.Second + 50*time.Millisecond)
		b.is("web-a", action.StepTerminating)
	})
}

func TestBudgetsThatMayNotBeReadAreAskedByTheClock(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(1))
		pdb := b.budget("web", "web", 0)
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/poddisruptionbudgets"))
		b.start("w1")
		b.after(20 * time.Second)
		b.is("web-a", action.StepBlocked, "not watched")
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 1
		b.Put(pdb)
		b.wait(time.Minute)
		b.ends(action.Done)
		lists := 0
		for _, q := range b.Asked() {
			if strings.HasSuffix(q, "/poddisruptionbudgets") {
				lists++
			}
		}
		if lists != 1 {
			t.Errorf("the budgets were asked for %d times", lists)
		}
		for i, p := range b.posts("")[1:] {
			if gap := p.at - b.posts("")[i].at; gap < 5*time.Second {
				t.Errorf("asked again after %v", gap)
			}
		}
	})
}

func TestBlockedPodsHoldNobodyUp(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for i := range 15 {
			b.pod("w1", fmt.Sprintf("web-%d", i))
		}
		for i := range 15 {
			b.pod("w1", fmt.Sprintf("api-%d", i), grace(1))
		}
		b.budget("web", "web", 0)
		b.start("w1")
		b.after(3 * time.Second)
		for i := range 15 {
			b.is(fmt.Sprintf("api-%d", i), action.StepGone)
		}
	})
}

func TestNoMoreThanTenAreAskedAtOnce(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for i := range 25 {
			b.pod("w1", fmt.Sprintf("a%d-x", i), grace(1))
		}
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: time.Second} })
		b.start("w1")
		b.after(500 * time.Millisecond)
		if got := len(b.posts("")); got != 10 {
			t.Errorf("%d are asked at once", got)
		}
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}

func TestNoMorePodsAreAskedAtOnceThanTheirBudgetAllows(t *testing.T) {
	for _, test := range []struct{ allowed, most int }{{0, 1}, {1, 1}, {3, 3}} {
		onBench(t, func(b *bench) {
			b.node("w1")
			for i := range 6 {
				b.pod("w1", fmt.Sprintf("web-%d", i))
			}
			b.budget("web", "web", test.allowed)
			b.planned = b.plan("w1")
			for i := range b.planned.Nodes[0].Pods {
				b.planned.Nodes[0].Pods[i].Budgets = []drain.Budget{{Name: "web", Allowed: test.allowed}}
			}
			b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: time.Second} })
			b.start()
			b.after(500 * time.Millisecond)
			if got := len(b.posts("")); got != test.most {
				t.Errorf("the budget allows %d, and %d are asked at once", test.allowed, got)
			}
		})
	}
}
