package evict_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
)

func TestStuckPodSaysWhatHoldsIt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "fin-a", grace(10), func(o *corev1.Pod) {
			o.Finalizers = []string{"example.com/keep\x1b[2J"}
			o.Status.ContainerStatuses = nil
		})
		b.pod("w1", "run-a", grace(10))
		b.Clings(func(o *corev1.Pod) bool { return o.Name == "run-a" })
		b.start("w1")
		b.after(39 * time.Second)
		b.is("fin-a", action.StepTerminating)
		b.after(42 * time.Second)
		b.is("fin-a", action.StepStuck, "example.com/keep")
		b.is("run-a", action.StepStuck, "Still running after the grace period: c")
		b.progress.Skip("uid-fin-a")
		b.progress.Skip("uid-run-a")
		b.wait(time.Second)
		b.ends(action.Partial, "2 terminating go on")
		if strings.Contains(b.steps(), "\x1b") {
			t.Error("an escape sequence came through")
		}
	})
}

func TestPodThatOnlyAFinalizerHoldsSaysSo(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "fin-a", grace(10), func(o *corev1.Pod) { o.Finalizers = []string{"example.com/keep"} })
		b.start("w1")
		b.after(11 * time.Second)
		for _, o := range b.Pods() { // the kubelet confirms that its containers have ended; their status is older
			var none int64
			o.DeletionGracePeriodSeconds = &none
			b.Put(o)
		}
		b.after(42 * time.Second)
		b.is("fin-a", action.StepStuck, "Held by the finalizer example.com/keep; the kubelet has let go of it.")
		if why := strings.Join(b.step("fin-a").Why, " "); strings.Contains(why, "Still running") {
			t.Errorf("it says %q", why)
		}
	})
}

func TestTerminatingPodSaysWhoAskedAndUntilWhenItMayTake(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(120))
		b.pod("w1", "gone-a", func(o *corev1.Pod) {
			at := metav1.NewTime(time.Now().Add(time.Minute).Truncate(time.Second))
			o.DeletionTimestamp = &at
		})
		b.start("w1")
		b.after(10 * time.Second)
		end := func(name string) string { return b.step(name).Until.Local().Format("15:04:05") }
		b.is("web-a", action.StepTerminating, fmt.Sprintf(
			"The server has accepted its eviction at %s; its containers have until %s to end.", b.began.Local().Format("15:04:05"), end("web-a")))
		b.is("gone-a", action.StepTerminating, "Somebody has asked it to go; its containers have until "+end("gone-a")+" to end.")
	})
}

func TestNothingIsWaitedForOnASilentNode(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.node("w1").DeepCopy()
		n.Labels = map[string]string{"silent": "yes"}
		b.Put(n)
		b.pod("w1", "web-a")
		b.pod("w1", "api-a")
		b.Clings(func(*corev1.Pod) bool { return true })
		b.start("w1")
		b.wait(5 * time.Second)
		b.ends(action.Partial, "2 terminating go on", "out-of-service")
		b.is("web-a", action.StepAccepted, "nobody confirms it: the kubelet of w1 is silent")
	})
}

func TestSilentNodeIsWaitedForIfAsked(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.node("w1").DeepCopy()
		n.Labels = map[string]string{"silent": "yes"}
		b.Put(n)
		b.settings.Hanging = true
		b.pod("w1", "web-a")
		b.Clings(func(*corev1.Pod) bool { return true })
		b.start("w1")
		b.after(10 * time.Minute)
		b.is("web-a", action.StepStuck, "does not report")
	})
}

func TestOneStatefulSetPodAtATime(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.settings.Gentle = true
		for i := range 3 {
			b.pod("w1", fmt.Sprintf("kafka-%d", i), ownedBy("StatefulSet", "kafka"), grace(10))
		}
		b.Left(func(gone *corev1.Pod) {
			o := newPod("w2", gone.Name)
			ownedBy("StatefulSet", "kafka")(o)
			o.UID = types.UID("new-" + gone.Name)
			ready(false)(o)
			b.Put(o)
			time.AfterFunc(20*time.Second, func() {
				o := o.DeepCopy()
				ready(true)(o)
				b.Put(o)
			})
		})
		b.start("w1")
		b.after(15 * time.Second)
		b.is("kafka-0", action.StepGone)
		b.is("kafka-1", action.StepWaits, "for kafka-0: Running")
		b.wait(10 * time.Minute)
		b.ends(action.Done)
		got := b.posts("")
		if len(got) != 3 || got[1].at-got[0].at < 30*time.Second || got[2].at-got[1].at < 30*time.Second || got[2].at > 70*time.Second {
			t.Errorf("asked at %v", got)
		}
	})
}

func TestGentleDrainGoesOnAfterAPodThatIsLeft(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.settings.Gentle = true
		b.pod("w1", "kafka-0", ownedBy("StatefulSet", "kafka"), func(o *corev1.Pod) { o.Labels["app"] = "first" })
		b.pod("w1", "kafka-1", ownedBy("StatefulSet", "kafka"), grace(1))
		b.budget("first", "first", 0)
		b.start("w1")
		b.after(10 * time.Second)
		b.is("kafka-1", action.StepWaits, "for kafka-0")
		b.progress.Skip("uid-kafka-0")
		b.wait(time.Minute)
		b.ends(action.Partial)
		b.is("kafka-1", action.StepGone)
	})
}

func TestReplacementsAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a", grace(5))
		b.pod("w1", "web-b", grace(5))
		b.pod("w1", "db-0", ownedBy("StatefulSet", "db"), grace(5))
		b.pod("w1", "slow-a", grace(60))
		b.settings.Unowned = true
		b.pod("w1", "bare-a", grace(5), func(o *corev1.Pod) { o.OwnerReferences = nil })
		b.Left(func(gone *corev1.Pod) {
			if len(gone.OwnerReferences) == 0 {
				return
			}
			o := newPod("w2", gone.Name)
			o.OwnerReferences, o.UID = gone.OwnerReferences, types.UID("new-"+gone.Name)
			o.CreationTimestamp = metav1.Now()
			if o.OwnerReferences[0].Kind != "StatefulSet" {
				o.Name += "2"
			} else {
				o.Spec.NodeName, o.Status = "", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
					Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes are available",
				}}}
			}
			b.Put(o)
		})
		b.cluster.Start(t.Context(), kube.Pods|kube.Nodes)
		b.start("w1")
		b.after(20 * time.Second)
		b.is("web-a", action.StepGone, "2 on w2 1/1 Ready")
		b.is("web-b", action.StepGone, "b2 on w2 1/1 Ready")
		b.is("db-0", action.StepGone, "db-0 Pending: 0/2 nodes are available")
		b.is("bare-a", action.StepGone, "no owner: not replaced")
		if b.step("db-0").Worst() != kube.Warning || b.step("web-a").Worst() != kube.OK {
			t.Error("the severities do not tell what is left to look at")
		}
		b.wait(time.Hour)
		b.ends(action.Done, "shop/db-0", "of 4 Ready", "shop/bare-a, no owner")
	})
}

func TestNodeThatFallsSilentDuringTheDrainIsNotWaitedFor(t *testing.T) {
	onBench(t, func(b *bench) {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		n := b.node("w1")
		b.pod("w1", "web-a", grace(60))
		b.Clings(func(*corev1.Pod) bool { return true })
		b.cluster.Start(ctx, kube.Pods|kube.Nodes)
		b.start("w1")
		b.after(10 * time.Second)
		n = n.DeepCopy()
		n.Status.Conditions[0].Status = corev1.ConditionUnknown
		b.Put(n)
		b.after(85 * time.Second)
		b.is("web-a", action.StepTerminating)
		b.wait(10 * time.Second)
		b.ends(action.Partial, "1 terminating goes on", "out-of-service")
		b.is("web-a", action.StepAccepted, "the kubelet of w1 is silent")
	})
}
