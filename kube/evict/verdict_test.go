package evict_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// answering drains a pod for whose first evictions the server has replies of its own; afterwards it works.
func answering(t *testing.T, replies []kubetest.Reply, test func(b *bench)) {
	t.Helper()
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(5))
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Try <= len(replies) {
				return replies[e.Try-1]
			}
			return kubetest.Reply{}
		})
		b.start("w1")
		b.after(100 * time.Millisecond)
		test(b)
	})
}

// goesOn checks that the pod is asked so often in all, and is gone in the end.
func goesOn(asked int) func(*bench) {
	return func(b *bench) {
		b.t.Helper()
		b.wait(5 * time.Minute)
		b.ends(action.Done)
		if got := b.posts("web-a"); len(got) != asked {
			b.t.Errorf("asked %d times: %v", len(got), got)
		}
	}
}

func statusOf(err *apierrors.StatusError) *metav1.Status { return &err.ErrStatus }

var onePod = schema.GroupResource{Resource: "pods"}

func TestOverloadIsWaitedFor(t *testing.T) {
	answering(t, []kubetest.Reply{{Status: statusOf(apierrors.NewTooManyRequests("too many", 7))}}, func(b *bench) {
		b.is("web-a", action.StepRetrying, "sheds load (429)", "7s")
		b.wait(time.Minute)
		if got := b.posts(""); len(got) != 2 || got[1].at-got[0].at < 7*time.Second || got[1].at-got[0].at > 8*time.Second {
			b.t.Errorf("asked at %v", got)
		}
		b.ends(action.Done)
	})
	answering(t, []kubetest.Reply{{Status: statusOf(apierrors.NewTooManyRequestsError("too many"))}}, func(b *bench) {
		b.is("web-a", action.StepRetrying, "sheds load (429)")
		goesOn(2)(b)
	})
}

func TestErrorOfTheServerIsLookedIntoBeforeThePodIsAskedAgain(t *testing.T) {
	fail := func(code int32) *metav1.Status { return &metav1.Status{Code: code, Message: "etcd leader changed"} }
	for _, code := range []int32{500, 502, 503, 504} {
		answering(t, []kubetest.Reply{{Status: fail(code)}, {Status: fail(code)}}, func(b *bench) {
			b.is("web-a", action.StepRetrying, "etcd leader changed")
			goesOn(3)(b)
		})
		// It was done all the same: it is not asked again.
		answering(t, []kubetest.Reply{{Status: fail(code), Done: true}}, func(b *bench) {
			b.is("web-a", action.StepTerminating)
			goesOn(1)(b)
		})
	}
}

func TestBrokenConnectionIsLookedInto(t *testing.T) {
	answering(t, []kubetest.Reply{{Err: errors.New("reset")}, {Err: errors.New("reset"), Done: true}}, goesOn(2))
}

func TestConflictWithTheSamePodIsTriedAgain(t *testing.T) {
	conflict := statusOf(apierrors.NewConflict(onePod, "web-a", errors.New("a webhook was in the way")))
	answering(t, []kubetest.Reply{{Status: conflict}}, func(b *bench) {
		b.is("web-a", action.StepRetrying, "something was in the way (409)", "a webhook was in the way")
		goesOn(2)(b)
	})
}

func TestPodThatIsReplacedWhileItIsAskedIsGone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		old := b.pod("w1", "db-0", ownedBy("StatefulSet", "db"))
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: time.Second} })
		b.start("w1")
		b.after(500 * time.Millisecond)
		b.Delete(old)
		b.pod("w2", "db-0", ownedBy("StatefulSet", "db"), func(o *corev1.Pod) { o.UID = "uid-new" })
		b.wait(time.Minute)
		b.ends(action.Done)
		if got := b.posts(""); len(got) != 1 {
			t.Errorf("asked %v", got)
		}
		if len(b.Pods()) != 1 || b.Pods()[0].DeletionTimestamp != nil {
			t.Error("the new pod was evicted")
		}
	})
}

func TestNamespaceThatIsGoingIsWaitedFor(t *testing.T) {
	forbidden := apierrors.NewForbidden(onePod, "web-a", errors.New("namespace shop is being terminated"))
	forbidden.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause, Message: "x"}}
	refusal := kubetest.Reply{Status: statusOf(forbidden)}
	answering(t, []kubetest.Reply{refusal, refusal, refusal}, func(b *bench) {
		b.is("web-a", action.StepBlocked, "its namespace is being deleted", "namespace shop is being terminated")
		goesOn(4)(b)
	})
}

func TestBudgetThatIsInTroubleIsAskedEvery30Seconds(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "policy", Resource: "poddisruptionbudget"}, "web", errors.New("negative"))
	refusal := kubetest.Reply{Status: statusOf(forbidden)}
	answering(t, []kubetest.Reply{refusal, refusal}, func(b *bench) {
		b.is("web-a", action.StepBlocked, "web", "refused 1x")
		goesOn(3)(b)
		for i, p := range b.posts("")[1:] {
			if gap := p.at - b.posts("")[i].at; gap < 30*time.Second || gap > 43*time.Second {
				t.Errorf("asked again after %v", gap)
			}
		}
	})
}

func TestRefusalForGoodFailsThePod(t *testing.T) {
	for _, test := range []struct {
		status *metav1.Status
		words  string
	}{
		{statusOf(apierrors.NewForbidden(onePod, "web-a", errors.New(`User "alice" cannot create resource "pods/eviction"`))), "cannot create"},
		{&metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: `admission webhook "x" denied the request`}, "denied the request"},
		{&metav1.Status{Code: 422, Message: "not today"}, "not today"},
	} {
		answering(t, []kubetest.Reply{{Status: test.status}}, func(b *bench) {
			b.wait(time.Minute)
			b.ends(action.Failed, "1 refused for good", "0 evictions accepted, 1 failed")
			b.is("web-a", action.StepFailed, fmt.Sprintf("refused for good (%d)", test.status.Code), test.words)
			if got := b.posts(""); len(got) != 1 {
				t.Errorf("asked %v", got)
			}
		})
	}
}

func TestTwoBudgetsFailThePod(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.pod("w1", "api-a", grace(1))
		b.budget("one", "web", 1)
		b.budget("two", "web", 1)
		b.drain("w1")
		b.ends(action.Partial)
		b.is("web-a", action.StepFailed, "two budgets select it")
		b.is("api-a", action.StepGone)
	})
}

func TestExpiredCredentialsAreWaitedFor(t *testing.T) {
	answering(t, []kubetest.Reply{{Status: statusOf(apierrors.NewUnauthorized("Unauthorized"))}}, func(b *bench) {
		b.is("web-a", action.StepRetrying, "(401)")
		goesOn(2)(b)
	})
}

func TestServerThatNeverAnswersIsGivenUpAfter30Seconds(t *testing.T) {
	answering(t, []kubetest.Reply{{Delay: time.Hour}}, func(b *bench) {
		b.after(29 * time.Second)
		b.is("web-a", action.StepAsking)
		b.after(31 * time.Second)
		b.is("web-a", action.StepRetrying)
		goesOn(2)(b)
	})
}

func TestPodIsLookedAtUntilTheServerSaysWhatHasHappened(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a", grace(30))
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Try > 1 {
				return kubetest.Reply{}
			}
			return kubetest.Reply{Delay: 2 * time.Second, Err: errors.New("reset")}
		})
		b.start("w1")
		b.after(time.Second)
		b.Fail(kubetest.Refused)
		b.after(41 * time.Second)
		b.is("web-a", action.StepRetrying, "not known")
		if got := b.posts(""); len(got) != 1 {
			t.Errorf("asked %v", got)
		}
		b.Fail(nil)
		b.after(53 * time.Second) // the watch is back within 10 s, the pod is looked at then, and asked again
		b.is("web-a", action.StepTerminating)
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}

func TestWatchThatExpiresIsListedAgain(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		o := b.pod("w1", "web-a", grace(20))
		b.start("w1")
		b.after(10 * time.Second)
		b.Fail(kubetest.Refused)
		b.Delete(o)
		b.Compact()
		b.Fail(nil)
		b.wait(15 * time.Second)
		b.ends(action.Done)
	})
}

func TestWhatTheWatchSaysOutdoesALateAnswer(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		o := b.pod("w1", "web-a")
		denied := statusOf(apierrors.NewForbidden(onePod, "web-a", errors.New("no")))
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: 3 * time.Second, Status: denied} })
		b.start("w1")
		b.after(time.Second)
		o = o.DeepCopy()
		at := metav1.NewTime(time.Now().Add(30 * time.Second))
		o.DeletionTimestamp = &at // somebody else has deleted it
		b.Put(o)
		b.after(5 * time.Second)
		b.is("web-a", action.StepTerminating)
		b.Delete(o)
		b.wait(time.Minute)
		b.ends(action.Done)
	})
}

func TestPodThatTheServerDoesNotFindIsGone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		o := b.pod("w1", "web-a")
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: 3 * time.Second} })
		b.start("w1")
		b.after(time.Second)
		b.Fail(deaf)
		b.Delete(o)
		b.after(4 * time.Second)
		b.is("web-a", action.StepGone, "was gone before it was asked")
	})
}
