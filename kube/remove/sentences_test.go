package remove

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"ktriage/kube/action"
)

func TestDeleteOfAllReadyReplicasIsTierThree(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		two := int32(2)
		rs := &appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: &two}}
		rs.Status.ReadyReplicas = 2
		b.Put(rs)
		b.pod("own-a", "n1", ofOwner("ReplicaSet", "own"))
		b.pod("own-b", "n1", ofOwner("ReplicaSet", "own"))
	}, func(b *bench) {
		if p := b.plan(NewDelete(), nil, refs("own-a")...); p.Tier != action.Read {
			t.Errorf("one of two: tier %d", p.Tier)
		}
		p := b.plan(NewDelete(), nil, refs("own-a", "own-b")...)
		if p.Tier != action.Write || !strings.Contains(sheetOf(p), "shop/own (ReplicaSet): all 2 ready replicas") {
			t.Errorf("tier %d\n%s", p.Tier, sheetOf(p))
		}
		result := b.carryOut(b.t.Context(), p)
		page := result.Page[0]
		if len(page.Rows) != 1 || page.Rows[0].Cells[0] != "2 pods of shop/own (ReplicaSet)" || page.Rows[0].Cells[1] != "0 of 2 ready" {
			t.Errorf("%+v", page)
		}
	})
}

func TestFinalizersAreCountedWhereSomeStay(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("plain", "n1", deleted(time.Minute, 0), finalized("a.example/hold"))
		b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/hold", "a.example/x"))
		b.pod("bare", "n1")
	}, func(b *bench) {
		p := b.plan(NewFinalizers(), options(OptionRemove+"a.example/hold", action.Off), refs("plain", "web")...)
		if !strings.HasPrefix(p.Headline, "1 finalizer of shop/web is removed") || strings.Contains(strings.Join(p.Kubectl, "\n"), "plain") {
			t.Errorf("%q\n%q", p.Headline, p.Kubectl)
		}
		result := b.carryOut(b.t.Context(), p)
		if result.State != action.Done || !strings.Contains(result.Summary, "removed") {
			t.Errorf("%v %q", result.State, result.Summary)
		}
		if got := b.plan(NewFinalizers(), nil, refs("bare")...); got.Headline != "shop/bare has no finalizers: nothing to do." || len(got.Kubectl) > 0 {
			t.Errorf("%q %q", got.Headline, got.Kubectl)
		}
	})
}

func TestSentencesKeepNamesAsTheyAre(t *testing.T) {
	for in, want := range map[string]string{"n1 is Ready": "n1 is Ready.", "its node is gone": "Its node is gone.", "Done.": "Done.", "": ""} {
		if got := sentence(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
