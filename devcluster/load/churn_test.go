package load

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
)

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func TestEveryPodChangesOnceBeforeAnyChangesTwice(t *testing.T) {
	for _, pods := range []int{1, 40, 1500, 9999} {
		c := &churn{nodes: 10, pods: pods, began: now, seed: 3}
		for round := range 2 {
			changed := map[types.UID]int32{}
			for k := round * pods; k < (round+1)*pods; k++ {
				p := c.change(k, now)
				if _, twice := changed[p.UID]; twice {
					t.Fatalf("of %d pods, %s changed twice in round %d", pods, p.Name, round)
				}
				changed[p.UID] = p.Status.ContainerStatuses[0].RestartCount
			}
		}
	}
}

func TestAChangeKeepsWhatOnlyTheCreatorWrites(t *testing.T) {
	c := &churn{nodes: 7, pods: 500, began: now}
	loaded := map[types.UID]*corev1.Pod{}
	for i := range c.pods {
		p := pod(i, c.nodes, now)
		loaded[p.UID] = p
	}
	for k := range c.pods {
		p := c.change(k, now.Add(time.Hour))
		was := loaded[p.UID]
		if was == nil {
			t.Fatalf("%s has the UID %s, which no pod was loaded with", p.Name, p.UID)
		}
		if !equality.Semantic.DeepEqual(was.ObjectMeta, p.ObjectMeta) || !equality.Semantic.DeepEqual(was.Spec, p.Spec) {
			t.Fatalf("loaded was %v %v, changed is %v %v", was.ObjectMeta, was.Spec, p.ObjectMeta, p.Spec)
		}
	}
}

func TestARoundOrASeedLaterAPodHasOtherRestarts(t *testing.T) {
	restarts := func(c *churn, first int) map[types.UID]int32 {
		counts := map[types.UID]int32{}
		for k := first; k < first+c.pods; k++ {
			p := c.change(k, now)
			counts[p.UID] = p.Status.ContainerStatuses[0].RestartCount
		}
		return counts
	}
	c := &churn{nodes: 10, pods: 300, began: now}
	first, second := restarts(c, 0), restarts(c, c.pods)
	other := restarts(&churn{nodes: 10, pods: 300, began: now, seed: 5}, 0)
	for uid, n := range first {
		if n == second[uid] || n == other[uid] {
			t.Errorf("%s has %d restarts, a round later %d, with another seed %d", uid, n, second[uid], other[uid])
		}
	}
}

func TestWhileAllPodsChangeMostStayWell(t *testing.T) {
	c := &churn{nodes: 10, pods: 3000, began: now}
	ill := 0
	for k := range c.pods {
		p := c.change(k, now)
		if ready(p) != p.Status.ContainerStatuses[0].Ready {
			t.Fatalf("%s: its condition and its container do not agree", p.Name)
		}
		if !ready(p) {
			ill++
		}
	}
	if ill == 0 || ill > c.pods/4 {
		t.Errorf("%d of %d pods are not ready", ill, c.pods)
	}
}

func TestChangesAreDueEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		due, began, next := make(chan batch), time.Now(), 0
		go func() { defer close(due); pace(ctx, 5000, mostInBatch, due) }()
		for b := range due {
			if b.first != next || b.n > mostInBatch {
				t.Fatalf("after %d changes came %+v", next, b)
			}
			next += b.n
			if want := int(time.Since(began).Seconds() * 5000); next > want || next < want-mostInBatch {
				t.Fatalf("after %s %d changes were due, not %d", time.Since(began), next, want)
			}
		}
		if next < 9900 || next > 10000 {
			t.Errorf("%d changes were due in two seconds", next)
		}
	})
}

func TestChangesThatAreVeryLateAreNotCaughtUpWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		due := make(chan batch)
		go func() { defer close(due); pace(ctx, 1000, mostInBatch, due) }()
		first := <-due
		time.Sleep(10 * time.Second)
		began, caughtUp := time.Now(), first.n
		for b := range due {
			if time.Since(began) > time.Second {
				cancel()
			}
			caughtUp += b.n
		}
		if most := int(1000*(1+2*forgiven.Seconds())) + mostInBatch; caughtUp > most {
			t.Errorf("%d changes were due in a second after ten seconds of nothing, more than %d", caughtUp, most)
		}
	})
}

func TestNumbersOfAChurnThatCannotBeAreRefused(t *testing.T) {
	good := ChurnOptions{Rate: 1, For: time.Second}
	if err := good.Check(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for _, o := range []ChurnOptions{{For: time.Second}, {Rate: mostChanges + 1, For: time.Second}, {Rate: 1}, {Rate: 1, For: time.Second, Seed: -1}} {
		if o.Check() == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
