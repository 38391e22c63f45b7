package evict_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

func TestDrainOfANode(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.pod("w1", "web-b")
		b.pod("w1", "log-x", ownedBy("DaemonSet", "log"))
		b.pod("w2", "web-c")
		b.drain("w1")
		b.ends(action.Done, "2 of 2 pods gone in 30s", "2 evictions accepted, 0 failed")
		b.is("w1", action.StepDone, "cordoned", "drained")
		b.is("log-x", action.StepStays, "DaemonSet")
		b.is("web-a", action.StepGone)
		if got := names(b.posts("")); !slices.Equal(got, []string{"web-a", "web-b"}) && !slices.Equal(got, []string{"web-b", "web-a"}) {
			t.Errorf("asked for %v", got)
		}
		if !b.Node("w1").Spec.Unschedulable {
			t.Error("the node is not cordoned")
		}
		if u := b.result.Undo; u == nil || u.Action != action.Uncordon || u.Target.Context != "prod" || u.Target.Refs[0].UID != "uid-w1" {
			t.Errorf("undo is %+v", u)
		}
	})
}

func TestWhatWasCordonedBeforeIsNotUndone(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.node("w1")
		n = n.DeepCopy()
		n.Spec.Unschedulable = true
		b.Put(n)
		b.drain("w1")
		b.ends(action.Done, "no pod had to leave")
		b.is("w1", action.StepDone, "was cordoned already")
		if b.result.Undo != nil {
			t.Errorf("undo is %+v", b.result.Undo)
		}
	})
}

func TestEvictionCarriesTheGraceThatWasChosen(t *testing.T) {
	for _, test := range []struct {
		grace time.Duration
		want  string
	}{{0, "own"}, {7 * time.Second, "7"}} {
		onBench(t, func(b *bench) {
			b.node("w1")
			b.pod("w1", "web-a")
			b.settings.Grace = test.grace
			got := "never asked"
			b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
				got = "own"
				if e.Grace != nil {
					got = fmt.Sprint(*e.Grace)
				}
				return kubetest.Reply{}
			})
			b.drain("w1")
			if got != test.want {
				t.Errorf("grace is %s, want %s", got, test.want)
			}
		})
	}
}

func TestTerminatingPodSaysWhenItsGraceEnds(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(120))
		b.start("w1")
		b.after(10 * time.Second)
		b.is("web-a", action.StepTerminating, "grace 2m0s")
		if until := b.step("web-a").Until.Sub(b.began); until < 119*time.Second || until > 121*time.Second {
			t.Errorf("it ends after %v", until)
		}
		b.wait(time.Hour)
		b.ends(action.Done)
	})
}

func TestReplacedPodIsNeverAsked(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		old := b.pod("w1", "db-0", ownedBy("StatefulSet", "db"))
		b.planned = b.plan("w1")
		b.Delete(old)
		b.pod("w1", "db-0", ownedBy("StatefulSet", "db"), func(o *corev1.Pod) { o.UID = "uid-new" })
		b.settings.Late = false
		b.planned.Settings.Late = false
		b.drain("w1")
		b.is("db-0", action.StepGone)
		if got := b.posts(""); len(got) > 0 {
			t.Errorf("asked for %v", got)
		}
	})
}

// The pod is replaced on another node while its budget refuses it: kubectl drain would evict it there (k/k#138229).
func TestPodThatIsReplacedElsewhereWhileBlockedIsLeftInPeace(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		old := b.pod("w1", "db-0", ownedBy("StatefulSet", "db"))
		pdb := b.budget("db", "db", 0)
		b.start("w1")
		b.after(3 * time.Second)
		b.is("db-0", action.StepBlocked, "db allows 0", "refused 1x")
		b.Delete(old)
		b.pod("w2", "db-0", ownedBy("StatefulSet", "db"), func(o *corev1.Pod) { o.UID = "uid-new" })
		synctest.Wait()
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 1
		b.Put(pdb)
		b.wait(time.Minute)
		b.ends(action.Done)
		if got := b.posts(""); len(got) != 1 {
			t.Errorf("asked for %v", got)
		}
	})
}

func TestCancelEndsAtOnceAndNothingIsSentAfterwards(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-going", grace(60))
		b.pod("w1", "api-blocked")
		b.pod("w1", "hang-asked")
		b.pod("w1", "log-x", ownedBy("DaemonSet", "log"))
		b.budget("api", "api", 0)
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Name == "hang-asked" {
				return kubetest.Reply{Delay: time.Hour}
			}
			return kubetest.Reply{}
		})
		b.start("w1")
		b.after(7 * time.Second)
		b.stop(errStopped)
		at := time.Now()
		b.wait(100 * time.Millisecond)
		sent := len(b.Requests())
		b.ends(action.Unknown, "0 of 3 pods gone", "1 terminating goes on", "w1 stays cordoned")
		b.is("web-going", action.StepAccepted)
		b.is("api-blocked", action.StepLeft, "refused by api, 2x")
		b.is("hang-asked", action.StepUnknown)
		b.is("log-x", action.StepStays)
		if took := time.Since(at); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		b.after(10 * time.Minute)
		if got := len(b.Requests()); got != sent {
			t.Errorf("%d requests were sent after the end: %v", got-sent, b.Asked()[sent:])
		}
	})
}

func TestCancelWithEverythingKnownIsCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(60))
		b.start("w1")
		b.after(7 * time.Second)
		b.stop(errStopped)
		b.wait(100 * time.Millisecond)
		b.ends(action.Cancelled, "0 of 1 pod gone; 1 terminating goes on; w1 stays cordoned")
		if b.result.Undo == nil {
			t.Error("the cordon cannot be undone")
		}
	})
}

func TestCancelBeforeTheFirstAnswer(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a")
		b.planned = b.plan("w1", "w2")
		b.Silent()
		b.start()
		b.after(time.Second)
		b.is("w1", action.StepAsking)
		b.stop(errStopped)
		b.wait(100 * time.Millisecond)
		b.ends(action.Cancelled)
		b.is("w1", action.StepLeft, "not cordoned") // it was only being read
		b.is("web-a", action.StepLeft, "nothing was asked for it")
	})
}

func TestPauseBeginsNothingNew(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(1))
		b.budget("web", "web", 0)
		b.start("w1")
		b.after(time.Second)
		b.progress.Pause(true)
		b.after(10 * time.Minute)
		if got := len(b.posts("")); got != 1 {
			t.Errorf("%d requests", got)
		}
		b.is("web-a", action.StepBlocked, "paused")
		b.progress.Pause(false)
		b.after(10*time.Minute + time.Second)
		if got := len(b.posts("")); got != 2 {
			t.Errorf("%d requests after the pause", got)
		}
	})
}

func TestSkippedPodIsLeftAndTheDrainIsPartial(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a")
		b.pod("w1", "api-a", grace(1))
		b.pod("w2", "api-b")
		b.budget("web", "web", 0)
		b.start("w1", "w2")
		b.after(5 * time.Second)
		b.progress.Skip("uid-web-a")
		b.wait(10 * time.Second)
		b.ends(action.Partial, "shop/web-a", "1 left out")
		b.is("web-a", action.StepSkipped)
		b.is("api-a", action.StepGone)
		b.is("api-b", action.StepLeft, "not begun: w1 did not finish")
		if !b.Node("w2").Spec.Unschedulable {
			t.Error("the second node was not cordoned first")
		}
	})
}

func TestSkipOfAnAcceptedPodDoesNotCallItBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.start("w1")
		b.after(5 * time.Second)
		b.progress.Skip("uid-web-a")
		b.after(6 * time.Second)
		b.is("web-a", action.StepTerminating)
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}

func TestNodesAreDrainedOneAfterTheOther(t *testing.T) {
	for _, together := range []int{1, 2} {
		onBench(t, func(b *bench) {
			b.node("w1")
			b.node("w2")
			b.pod("w1", "web-a", grace(20))
			b.pod("w2", "web-b", grace(20))
			b.settings.Together = together
			b.start("w1", "w2")
			b.after(10 * time.Second)
			if got := len(b.posts("")); got != together {
				t.Errorf("together %d: %d were asked after 10 s", together, got)
			}
			b.wait(time.Minute)
			b.ends(action.Done, "2 of 2 pods gone")
			for _, q := range b.Requests() {
				if q.Method == "PATCH" && q.At.After(b.began.Add(time.Second)) {
					t.Errorf("together %d: a node was cordoned after %v", together, q.At.Sub(b.began))
				}
			}
		})
	}
}

func TestPodsOfANodeThatCannotBeCordonedAreNotAsked(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.node("w3")
		b.pod("w1", "web-a", grace(1))
		b.pod("w2", "web-b")
		b.pod("w3", "web-c")
		b.planned = b.plan("w1", "w2", "w3")
		n := b.Node("w2")
		b.Delete(n)
		n.UID = "another"
		b.Put(n)
		b.start()
		b.wait(time.Minute)
		b.ends(action.Partial)
		b.is("w2", action.StepFailed)
		b.is("web-a", action.StepGone)
		b.is("web-b", action.StepLeft, "w2 is not cordoned")
		b.is("web-c", action.StepLeft, "not begun: w2 did not finish")
	})
}

func TestServerThatComesBackIsGoneOnWith(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(5))
		b.pod("w1", "api-a", grace(5))
		b.budget("api", "api", 0)
		b.start("w1")
		b.after(time.Second)
		b.Fail(kubetest.Refused)
		b.after(15 * time.Second)
		b.is("web-a", action.StepTerminating)
		b.is("w1", action.StepDone, "not watched")
		b.after(21 * time.Second)
		b.Fail(nil)
		b.after(35 * time.Second)
		b.is("web-a", action.StepGone)
		b.budget("api", "api", 1)
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}

func TestNothingIsInventedWhenTheServerIsAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(5))
		b.pod("w1", "hang-a")
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Name == "hang-a" {
				return kubetest.Reply{Delay: 2 * time.Second, Err: fmt.Errorf("connection reset")}
			}
			return kubetest.Reply{}
		})
		b.start("w1")
		b.after(time.Second)
		b.Fail(kubetest.Refused)
		b.after(time.Minute)
		b.is("hang-a", action.StepRetrying, "no answer since", "whether it happened is not known")
		b.is("web-a", action.StepStuck)
		b.stop(errStopped)
		b.wait(100 * time.Millisecond)
		b.ends(action.Unknown)
		b.is("hang-a", action.StepUnknown)
		b.is("web-a", action.StepAccepted)
	})
}

func TestPlanThatNeedsAnOptionAsksNothing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "bare-a", func(o *corev1.Pod) { o.OwnerReferences = nil })
		b.drain("w1")
		b.ends(action.Failed)
		b.is("bare-a", action.StepLeft, "nobody makes it again: drain again with the option to evict pods without an owner")
		if got := b.posts(""); len(got) > 0 {
			t.Errorf("asked for %v", got)
		}
	})
}

func TestStepsKeepTheOrderOfThePlan(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for _, name := range []string{"c-1", "a-1", "b-1"} {
			b.pod("w1", name, grace(1))
		}
		b.planned = b.plan("w1")
		b.planned.Nodes[0].Pods[0].Fate = drain.Never
		b.drain("w1")
		var got []string
		for _, s := range b.progress.Steps() {
			got = append(got, s.Object.Name)
		}
		if want := []string{"w1", "c-1", "a-1", "b-1"}; !slices.Equal(got, want) {
			t.Errorf("steps %v, want %v", got, want)
		}
		if asked := names(b.posts("")); len(asked) != 3 {
			t.Errorf("asked %v", asked)
		}
	})
}

func TestCordonWithoutAnAnswerIsUnknown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.planned = b.plan("w1")
		b.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if r.Method == http.MethodPatch {
				b.Fail(kubetest.Refused)
				return nil, true, errors.New("reset")
			}
			return nil, false, nil
		})
		b.start()
		b.wait(time.Minute)
		b.ends(action.Unknown)
		b.is("w1", action.StepUnknown, "whether it is cordoned is not known")
		b.is("web-a", action.StepLeft, "w1 is not known to be cordoned")
	})
}

func TestPlanAndWorkerOfTheProgramWorkTogether(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.node("w2")
		b.pod("w1", "web-a")
		b.pod("w1", "cache-a", func(o *corev1.Pod) {
			o.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		})
		b.pod("w1", "api-a", grace(1))
		pdb := b.budget("api", "api", 0)
		b.settings.EmptyDir = true
		plan, err := drain.Read(context.Background(), b.cluster, []kube.Ref{{Kind: kube.Nodes, Name: "w1", UID: "uid-w1"}}, b.settings)
		if err != nil {
			t.Error(err)
			return
		}
		b.planned, b.reread = plan, drain.Read
		b.start()
		b.after(10 * time.Second)
		b.is("api-a", action.StepBlocked, "api allows 0")
		pdb = pdb.DeepCopy()
		pdb.Status.DisruptionsAllowed = 1
		b.Put(pdb)
		b.wait(time.Minute)
		b.ends(action.Done, "3 of 3 pods gone", "emptyDir scratch of shop/cache-a")
	})
}

// deaf lets pods be asked, and nobody tells what becomes of them.
func deaf(r *http.Request) (*http.Response, bool, error) {
	return nil, r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods"), errors.New("no route")
}

func TestNothingIsAskedWhileNobodyTellsHowThePodsStand(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(5))
		b.budget("web", "web", 0)
		b.start("w1")
		b.after(time.Second)
		b.Fail(deaf)
		b.after(5 * time.Minute)
		if got := b.posts(""); len(got) != 1 {
			t.Errorf("asked %v", got)
		}
		b.is("web-a", action.StepBlocked, "Nothing is asked while the pods of w1 are not watched")
		b.is("w1", action.StepDone, "not watched now", "no route")
	})
}

func TestPodThatWasReplacedIsFoundOutWithoutTheWatch(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		old := b.pod("w1", "db-0", ownedBy("StatefulSet", "db"))
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: 5 * time.Second} })
		b.start("w1")
		b.after(time.Second)
		b.Fail(deaf)
		b.Delete(old)
		b.pod("w2", "db-0", ownedBy("StatefulSet", "db"), func(o *corev1.Pod) { o.UID = "uid-new" })
		b.after(6 * time.Second)
		b.is("db-0", action.StepGone, "another pod has taken its name")
	})
}

func TestNodeWhosePodsMayNotBeReadIsLeft(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.planned = b.plan("w1")
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "you may not"}, "/pods"))
		b.start()
		b.wait(time.Minute)
		b.ends(action.Failed, "w1: you may not")
		b.is("web-a", action.StepLeft, "may not be read")
	})
}
