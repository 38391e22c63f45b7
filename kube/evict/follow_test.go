package evict_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// following drains a node whose pods are replaced 10 s after they have gone, and are Ready after another 10, and follows
// the drain after its end. It gives the pages that were told of, and whether that has ended.
func following(b *bench, replaces bool, test func(stop context.CancelFunc, last func() string, ended <-chan struct{})) {
	b.node("w1")
	b.node("w2")
	b.pod("w1", "web-a", grace(5))
	b.pod("w1", "db-0", ownedBy("StatefulSet", "db"), grace(5))
	b.Left(func(gone *corev1.Pod) {
		if replaces {
			time.AfterFunc(10*time.Second, func() { b.replaced(gone, false) })
			time.AfterFunc(20*time.Second, func() { b.replaced(gone, true) })
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	b.cluster.Start(ctx, kube.Pods|kube.Nodes)
	synctest.Wait()
	b.drain("w1")
	b.ends(action.Done, "0 of 2 Ready")
	sent := len(b.changes())
	following, end := context.WithCancel(ctx)
	defer end()
	ended, pages := make(chan struct{}), make(chan string, 1000)
	go func() {
		defer close(ended)
		b.result.Follow(following, func(s []action.Section) { pages <- page(s) })
	}()
	newest := ""
	test(end, func() string {
		for len(pages) > 0 {
			newest = <-pages
		}
		return newest
	}, ended)
	if got := b.changes(); len(got) != sent {
		b.t.Errorf("sent after the end: %v", got[sent:])
	}
}

// changes gives what was sent that changes something.
func (b *bench) changes() []string {
	var out []string
	for _, q := range b.Requests() {
		if q.Method != "GET" {
			out = append(out, q.Method+" "+q.Path)
		}
	}
	return out
}

// replaced makes a pod on another node as a controller does, or has it be Ready.
func (b *bench) replaced(gone *corev1.Pod, well bool) {
	o := newPod("w2", gone.Name)
	o.OwnerReferences, o.UID = gone.OwnerReferences, types.UID("new-"+gone.Name)
	if o.OwnerReferences[0].Kind != "StatefulSet" {
		o.Name += "2"
	}
	madeNow(o)
	ready(well)(o)
	b.Put(o)
}

func TestReplacementsAreFoundAfterTheEnd(t *testing.T) {
	onBench(t, func(b *bench) {
		following(b, true, func(_ context.CancelFunc, last func() string, ended <-chan struct{}) {
			<-time.After(15 * time.Second)
			synctest.Wait()
			if got := last(); !strings.Contains(got, "shop/web-a | web-a2 | w2 | ") || !strings.Contains(got, "0 of 2 Ready") {
				t.Errorf("the replacements that are not Ready yet: %s", got)
			}
			select {
			case <-ended:
				t.Error("it has ended before all were Ready")
			case <-time.After(4 * time.Second):
			}
			<-time.After(3 * time.Second)
			synctest.Wait()
			select {
			case <-ended:
			default:
				t.Error("it goes on though all are Ready")
			}
			if got := last(); !strings.Contains(got, "2 of 2 Ready") || strings.Contains(got, "left to look at") {
				t.Errorf("the last page: %s", got)
			}
			b.is("web-a", action.StepGone, "a2 on w2 1/1 Ready")
			b.is("db-0", action.StepGone, "db-0 on w2 1/1 Ready")
		})
	})
}

func TestSearchForReplacementsEndsWhenNobodyWantsItAnyMore(t *testing.T) {
	onBench(t, func(b *bench) {
		following(b, false, func(stop context.CancelFunc, last func() string, ended <-chan struct{}) {
			<-time.After(time.Hour)
			if got := last(); !strings.Contains(got, "not replaced so far") {
				t.Errorf("the last page: %s", got)
			}
			stop()
			synctest.Wait()
			select {
			case <-ended:
			default:
				t.Error("it goes on though nobody wants it any more")
			}
		})
	})
}

func TestPodThatWasEvictedTooIsNobodysReplacement(t *testing.T) {
	onBench(t, func(b *bench) {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		b.node("w1")
		b.pod("w1", "web-a", grace(1))
		b.pod("w1", "slow-a", grace(20))
		b.Left(func(gone *corev1.Pod) {
			if gone.Name == "web-a" {
				b.pod("w1", "web-b", madeNow, grace(5)) // its scheduler did not know that the node is cordoned
			}
		})
		b.cluster.Start(ctx, kube.Pods|kube.Nodes)
		b.start("w1")
		b.after(15 * time.Second)
		b.is("web-a", action.StepGone, "b on w1 1/1 Ready")
		b.wait(time.Minute)
		b.is("web-b", action.StepGone)
		b.is("web-a", action.StepGone, "not replaced so far")
	})
}

// A ReplicaSet makes a pod as soon as one of its pods is being deleted, long before that is gone.
func TestReplacementThatIsOlderThanTheEndOfThePodIsFound(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a", grace(20))
		b.Evictions(func(kubetest.Eviction) kubetest.Reply {
			for _, p := range b.Pods() {
				time.AfterFunc(time.Millisecond, func() { b.replaced(p, true) })
			}
			return kubetest.Reply{}
		})
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		b.cluster.Start(ctx, kube.Pods|kube.Nodes)
		synctest.Wait()
		b.drain("w1")
		b.ends(action.Done, "1 of 1 Ready")
	})
}
