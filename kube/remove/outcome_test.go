package remove

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

var forbidden = metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no"}

// Rows whose watch is broken still have a pod that went since; only the server knows.
func TestPodThatGoesWhileTheWatchIsBrokenIsGone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1")
		b.Clings(func(*corev1.Pod) bool { return true })
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, web)
		time.AfterFunc(5*time.Second, func() {
			b.Fail(kubetest.Answer(metav1.Status{Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable}, "/pods"))
			b.BreakWatches()
			b.Delete(b.there("uid-web"))
		})
		began := time.Now()
		result := b.carryOut(b.t.Context(), p)
		if took := time.Since(began); result.State != action.Done || b.steps() != "web gone: gone" || took > 15*time.Second {
			t.Errorf("%v %q after %v\n%s", result.State, result.Summary, took, b.steps())
		}
		b.Fail(nil)
	})
}

func TestPodThatCannotBeReadAnyMoreIsNotWaitedForForEver(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1")
	}, func(b *bench) {
		b.Fail(kubetest.Answer(forbidden, "/pods"))
		b.BreakWatches()
		p := b.plan(NewDelete(), nil, web)
		b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Fail(kubetest.Answer(forbidden, "/pods", "/pods/web"))
			return on()
		}
		began := time.Now()
		result := b.carryOut(b.t.Context(), p)
		if took := time.Since(began); result.State != action.Partial || b.steps() != "web accepted: accepted; it could not be read since" || took > 3*time.Minute {
			t.Errorf("%v %q after %v\n%s", result.State, result.Summary, took, b.steps())
		}
	})
}

func TestPodOfWhichNoFinalizerIsChosenIsLeftAlone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/x"))
		b.pod("other", "n1", deleted(time.Minute, 0), finalized("a.example/y"))
	}, func(b *bench) {
		p := b.plan(NewFinalizers(), options(OptionRemove+"a.example/y", action.Off), refs("web", "other")...)
		result := b.carryOut(b.t.Context(), p)
		if want := "web gone: gone\nother stays: none of its finalizers is removed"; result.State != action.Done || b.steps() != want || len(b.Sent()) != 1 {
			t.Errorf("%v %q, %d requests\n%s", result.State, result.Summary, len(b.Sent()), b.steps())
		}
	})
}

// The answer is lost, and the owner of another finalizer removes that one meanwhile: ours has been removed all the same.
func TestRemovalWhoseAnswerIsLostIsDoneWhateverElseGoes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/x", "a.example/y", "a.example/z"))
	}, func(b *bench) {
		p := b.plan(NewFinalizers(), options(OptionRemove+"a.example/y", action.Off, OptionRemove+"a.example/z", action.Off), web)
		b.Way = done(func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Put(newPod("web", "n1", deleted(time.Minute, 0), finalized("a.example/z")))
			return reset(r, on)
		})
		if result := b.carryOut(b.t.Context(), p); result.State != action.Done || !strings.HasPrefix(b.steps(), "web done: removed; it stays: ") {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
	})
}

func TestKubeletOfANodeThatMayNotBeReadIsNotCalledAlive(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", deleted(time.Minute, 30))
	}, func(b *bench) {
		b.Fail(kubetest.Answer(forbidden, "/nodes", "/nodes/n1"))
		p := b.plan(NewForce(), nil, web)
		if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "the kubelet may be alive: ") {
			t.Errorf("%q", p.Refusals)
		}
		if sheet := sheetOf(p); strings.Contains(sheet, "the kubelet is alive") || strings.Contains(sheet, "is alive and") || !strings.Contains(sheet, "the kubelet may be alive") {
			t.Error(sheet)
		}
		p = b.plan(NewForce(), options(OptionAnyway, action.On), web)
		if len(p.Refusals) != 1 || p.Refusals[0] != "tick the last box: only you can know that" {
			t.Errorf("%q", p.Refusals)
		}
	})
}

func TestFinalizersKeepAPodWhoseNodeDoesNotExist(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pod("web", "n1", finalized("a.example/x"))
		b.pod("plain", "n1")
	}, func(b *bench) {
		if sheet := sheetOf(b.plan(NewDelete(), nil, web)); !strings.Contains(sheet, "shop/web: until a controller of a.example has removed a.example/x") {
			t.Error(sheet)
		}
		if sheet := sheetOf(b.plan(NewDelete(), nil, refs("plain")...)); strings.Contains(sheet, "will stay Terminating") {
			t.Error(sheet)
		}
	})
}

func TestNumbersAndVerbsAgree(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1")
	}, func(b *bench) {
		gone := kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "gone", UID: "uid-gone"}
		if got, want := b.plan(NewDelete(), nil, web, gone).Headline, "1 pod in 1 namespace is deleted: 0 come back, 1 not."; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		b.pod("two", "n1")
		if sheet := sheetOf(b.plan(NewForce(), nil, append(refs("web", "two"), gone)...)); !strings.Contains(sheet, "2 pods 1 more is gone\n") {
			t.Error(sheet)
		}
	})
}
