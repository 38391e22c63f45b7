package evict_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

func TestLateArrivals(t *testing.T) {
	for _, late := range []bool{true, false} {
		onBench(t, func(b *bench) {
			b.node("w1")
			b.pod("w1", "web-a", grace(10))
			b.settings.Late, b.settings.EmptyDir, b.settings.Unowned = late, true, true // these are for what was in the plan
			b.start("w1")
			b.after(5 * time.Second)
			b.pod("w1", "web-late", grace(1))
			b.pod("w1", "cache-late", func(o *corev1.Pod) { o.Spec.Volumes = []corev1.Volume{{Name: "scratch"}} })
			b.pod("w1", "bare-late", func(o *corev1.Pod) { o.OwnerReferences = nil })
			b.pod("w1", "log-late", ownedBy("DaemonSet", "log"))
			b.wait(time.Minute)
			b.ends(action.Partial, "came after the plan, and its emptyDir data would be lost: drain again with the option to delete that")
			b.is("web-a", action.StepGone)
			b.is("cache-late", action.StepLeft)
			b.is("bare-late", action.StepLeft, "came after the plan, and nobody makes it again: drain again with the option to evict pods without an owner")
			b.is("log-late", action.StepStays)
			if late {
				b.is("web-late", action.StepGone, "came after the plan")
			} else {
				b.is("web-late", action.StepLeft, "came after the plan")
			}
		})
	}
}

func TestUncordonedNodeIsNotCalledDrained(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(10))
		b.start("w1")
		b.after(5 * time.Second)
		n := b.Node("w1")
		n.Spec.Unschedulable = false
		b.Put(n)
		b.wait(time.Minute)
		b.ends(action.Partial, "w1: somebody has uncordoned it since")
		b.is("w1", action.StepDone, "somebody has uncordoned it since")
	})
}

func TestLookForLateArrivalsIsRepeatedUntilItIsAnswered(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(1))
		looks := 0
		b.reread = func(ctx context.Context, c *kube.Cluster, refs []kube.Ref, s drain.Settings) (*drain.Plan, error) {
			if looks++; looks < 4 {
				return nil, errors.New("no route")
			}
			return b.read(ctx, c, refs, s)
		}
		b.drain("w1")
		b.ends(action.Done)
		if looks != 4 || b.step("w1").Since.IsZero() {
			t.Errorf("%d looks", looks)
		}
	})
}

func TestPodsThatKeepComingAreNotFollowedForEver(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-0", grace(1))
		looks := 0
		b.reread = func(ctx context.Context, c *kube.Cluster, refs []kube.Ref, s drain.Settings) (*drain.Plan, error) {
			looks++
			b.pod("w1", fmt.Sprintf("web-%d", looks), grace(1))
			return b.read(ctx, c, refs, s)
		}
		b.drain("w1")
		b.ends(action.Partial, "6 of 6 pods gone", "pods keep coming")
		if looks != 5 {
			t.Errorf("it was looked %d times", looks)
		}
	})
}

func TestNodeThatIsDeletedIsToldOf(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.node("w1")
		b.pod("w1", "web-a", grace(5))
		b.start("w1")
		b.after(time.Second)
		b.Delete(n)
		b.wait(time.Minute)
		b.ends(action.Done, "1 of 1 pod gone", "w1: the node does not exist any more")
	})
}

// uncordon opens a node, as somebody else would.
func (b *bench) uncordon(name string) {
	n := b.Node(name)
	n.Spec.Unschedulable = false
	b.Put(n)
}

func madeNow(o *corev1.Pod) { o.CreationTimestamp = metav1.Now() }

// boundNow is a pod that was made long ago, and has been given a node only now.
func boundNow(o *corev1.Pod) {
	o.Status.Conditions = append(o.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
	})
}

func TestPodThatCameAfterTheCordonIsLeft(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(15))
		b.reread = drain.Read
		b.start("w1")
		b.after(4 * time.Second)
		b.pod("w1", "web-early", grace(1), madeNow) // its scheduler had not heard of the cordon
		b.pod("w1", "web-earlybound", grace(1), boundNow)
		b.after(6500 * time.Millisecond)
		b.pod("w1", "web-after", grace(1), madeNow)
		b.pod("w1", "web-afterbound", grace(1), boundNow)
		b.wait(time.Minute)
		b.ends(action.Partial, "3 of 5 pods gone")
		b.is("web-early", action.StepGone, "came after the plan")
		b.is("web-earlybound", action.StepGone)
		for _, name := range []string{"web-after", "web-afterbound"} {
			b.is(name, action.StepLeft, "came after the cordon, and is not in the plan")
			if got := b.posts(name); len(got) > 0 {
				t.Errorf("asked %v", got)
			}
		}
	})
}

func TestNothingMoreIsAskedOfANodeThatIsUncordoned(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-going", grace(50))
		b.pod("w1", "api-blocked")
		pdb := b.budget("api", "api", 0)
		b.start("w1")
		b.after(5 * time.Second)
		b.uncordon("w1")
		b.pod("w1", "web-new", madeNow)
		b.after(20 * time.Second)
		b.is("w1", action.StepDone, "somebody has uncordoned it since")
		b.is("api-blocked", action.StepLeft, "somebody has uncordoned w1")
		b.is("web-going", action.StepTerminating)
		asked := len(b.posts(""))
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 1
		b.Put(pdb)
		b.wait(time.Minute)
		b.ends(action.Partial, "1 of 2 pods gone", "w1: somebody has uncordoned it since")
		if b.result.Undo != nil {
			t.Errorf("undo is %+v", b.result.Undo)
		}
		if got := b.posts(""); len(got) != asked || len(b.posts("web-new")) > 0 {
			t.Errorf("asked %v", got)
		}
	})
}

func TestUncordonIsToldOfRatherThanThatPodsKeepComing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-0", grace(1))
		looks := 0
		b.reread = func(ctx context.Context, c *kube.Cluster, refs []kube.Ref, s drain.Settings) (*drain.Plan, error) {
			looks++
			b.pod("w1", fmt.Sprintf("web-%d", looks), grace(1))
			if looks == 5 {
				b.uncordon("w1")
			}
			return b.read(ctx, c, refs, s)
		}
		b.drain("w1")
		b.ends(action.Partial, "5 of 5 pods gone", "w1: somebody has uncordoned it since")
		if strings.Contains(b.result.Summary, "keep coming") || len(b.posts("web-5")) > 0 {
			t.Errorf("%s; asked %v", b.result.Summary, b.posts(""))
		}
	})
}

func TestNodeThatIsUncordonedBeforeItsTurnIsNotBegun(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a", grace(30))
		b.pod("w2", "web-b")
		b.start("w1", "w2")
		b.after(10 * time.Second)
		b.uncordon("w2")
		b.wait(time.Minute)
		b.ends(action.Partial, "1 of 2 pods gone", "w2: somebody has uncordoned it since")
		b.is("web-b", action.StepLeft, "somebody has uncordoned w2")
		if got := b.posts("web-b"); len(got) > 0 {
			t.Errorf("asked %v", got)
		}
	})
}

func TestDrainOfANodeThatVanishesEnds(t *testing.T) {
	for trouble, vanish := range map[string]func(*bench, *corev1.Node){
		"w1: the node does not exist any more": func(*bench, *corev1.Node) {},
		"w1: another node has its name now": func(b *bench, n *corev1.Node) {
			n = n.DeepCopy()
			n.UID = "another"
			b.Put(n)
		},
	} {
		for _, blocked := range []bool{true, false} {
			onBench(t, func(b *bench) {
				n := b.node("w1")
				b.pod("w1", "web-a", grace(25))
				if blocked {
					b.pod("w1", "api-a")
					b.budget("api", "api", 0)
				}
				b.reread = drain.Read
				b.start("w1")
				b.after(3 * time.Second)
				b.Delete(n)
				vanish(b, n)
				b.wait(40 * time.Second)
				b.is("web-a", action.StepGone)
				if !blocked {
					b.ends(action.Done, "1 of 1 pod gone", trouble)
					return
				}
				b.ends(action.Partial, "1 of 2 pods gone", trouble)
				b.is("api-a", action.StepLeft, "w1 does not exist any more")
			})
		}
	}
}

func TestNodeThatVanishesBeforeTheLookForLateArrivalsEndsItsDrain(t *testing.T) {
	for _, err := range []error{drain.ErrNoNode, drain.ErrReplaced} {
		onBench(t, func(b *bench) {
			b.node("w1")
			b.pod("w1", "web-a", grace(1))
			b.reread = func(_ context.Context, _ *kube.Cluster, _ []kube.Ref, s drain.Settings) (*drain.Plan, error) {
				if s.DryRun || s.EmptyDir || s.Unowned {
					t.Errorf("late arrivals are read with %+v", s)
				}
				return nil, fmt.Errorf("read: %w", err)
			}
			b.settings.DryRun, b.settings.EmptyDir, b.settings.Unowned = true, true, true
			b.start("w1")
			b.wait(5 * time.Second)
			b.ends(action.Done, "1 of 1 pod gone", "w1: ")
		})
	}
}

func TestReadingThatFailsShowsInTheStepOfItsNode(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(1))
		b.reread = func(context.Context, *kube.Cluster, []kube.Ref, drain.Settings) (*drain.Plan, error) {
			return nil, errors.New("no route")
		}
		b.start("w1")
		b.after(20 * time.Second)
		b.is("w1", action.StepDone, "whether pods came after the plan is not known: No route.", "times without an answer")
		if s := b.step("w1"); s.Worst() != kube.Warning || !s.Until.After(time.Now()) || s.Until.After(time.Now().Add(12*time.Second)) {
			t.Errorf("severity %v, until %v", s.Worst(), s.Until.Sub(b.began))
		}
	})
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(60))
		b.start("w1")
		b.after(time.Second)
		b.Fail(kubetest.Answer(metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable, Message: "etcd is away"}, "/nodes/w1"))
		b.after(30 * time.Second)
		b.is("w1", action.StepDone, "whether it is still cordoned is not known: ", "etcd is away")
		b.Fail(nil)
		b.after(45 * time.Second)
		if note := b.step("w1").Note; note != "cordoned" {
			t.Errorf("it says %q though the server answers again", note)
		}
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}
