package remove

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/send"
)

// one puts a node that is well and a pod on it.
func one(b *bench) {
	b.node("n1", corev1.ConditionTrue)
	b.pod("web", "n1")
}

var web = kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "web", UID: "uid-web"}

func TestOutcomeOfADeleteIsDoneNotDoneOrUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		way   way
		state action.State
		steps string
		sent  int
		there bool
	}{
		"well":               {nil, action.Done, "web gone: gone", 1, false},
		"forbidden":          {status(403, metav1.StatusReasonForbidden, "not this one"), action.Failed, "web failed: not this one", 1, true},
		"gone already":       {status(404, metav1.StatusReasonNotFound, "pods \"web\" not found"), action.Done, "web gone: was gone already", 1, true},
		"load is shed once":  {first(status(429, metav1.StatusReasonTooManyRequests, "later")), action.Done, "web gone: gone", 2, false},
		"done without words": {done(reset), action.Done, "web gone: gone", 1, false},
		"broken on the way":  {reset, action.Failed, "web failed: ", 1, true},
		"nobody there once":  {first(unreachable), action.Done, "web gone: gone", 2, false},
		"503 once":           {first(status(503, metav1.StatusReasonServiceUnavailable, "later")), action.Done, "web gone: gone", 2, false},
		"500":                {status(500, metav1.StatusReasonInternalError, "etcd"), action.Failed, "web failed: ", 1, true},
		"500 and done":       {done(status(500, metav1.StatusReasonInternalError, "etcd")), action.Done, "web gone: gone", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, one, func(b *bench) {
				p := b.plan(NewDelete(), nil, web)
				b.Way = c.way
				result := b.carryOut(b.t.Context(), p)
				if result.State != c.state || !strings.HasPrefix(b.steps(), c.steps) || len(b.Sent()) != c.sent || (b.there("uid-web") != nil) != c.there {
					b.t.Errorf("%v %q\n%s\n%d requests, there %t", result.State, result.Summary, b.steps(), len(b.Sent()), b.there("uid-web") != nil)
				}
				b.pinned(false)
			})
		})
	}
}

func TestOutcomeThatCannotBeFoundOutIsUnknown(t *testing.T) {
	onBench(t, one, func(b *bench) {
		p := b.plan(NewDelete(), nil, web)
		began := time.Now()
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Fail(kubetest.Refused)
			return reset(r, on)
		}
		result := b.carryOut(b.t.Context(), p)
		if result.State != action.Unknown || !strings.HasPrefix(b.steps(), "web unknown: no answer") || len(b.Sent()) != 1 {
			t.Errorf("%v %q\n%s, %d requests", result.State, result.Summary, b.steps(), len(b.Sent()))
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCancelSendsNothingMoreAndSaysWhatIsNotKnown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		for _, n := range []string{"a", "b", "c", "d"} {
			b.pod(n, "n1")
		}
	}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.t.Context())
		p := b.plan(NewDelete(), nil, refs("a", "b", "c", "d")...)
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/b") {
				time.AfterFunc(30*time.Millisecond, cancel)
				return silence(r, on)
			}
			return on()
		}
		began := time.Now()
		result := b.carryOut(ctx, p)
		took := time.Since(began)
		want := "a accepted: accepted; not watched to its end\nb unknown: no answer; it is not known whether it was done\nc not done: \nd not done: "
		if result.State != action.Unknown || b.steps() != want || len(b.Sent()) != 2 || took > 250*time.Millisecond {
			t.Errorf("%v after %v with %d requests\n%s", result.State, took, len(b.Sent()), b.steps())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.Sent()) != 2 {
			t.Error("something was sent after the end")
		}
	})
}

func refs(names ...string) []kube.Ref {
	var out []kube.Ref
	for _, n := range names {
		out = append(out, kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: n, UID: "uid-" + n})
	}
	return out
}

func TestPauseAndSkip(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		for _, n := range []string{"a", "b", "c"} {
			b.pod(n, "n1")
		}
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, refs("a", "b", "c")...)
		b.progress.Pause(true)
		ended := make(chan action.Result)
		go func() { ended <- b.carryOut(b.t.Context(), p) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(b.Sent()); n != 0 {
			t.Errorf("%d requests in a pause", n)
		}
		b.progress.Skip("uid-b")
		b.progress.Pause(false)
		result := <-ended
		if result.State != action.Partial || b.steps() != "a gone: gone\nb left out: \nc gone: gone" || b.there("uid-b") == nil {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
	})
}

func TestRequestsArePacedAndFewAreUnderWay(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, "p"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	for _, slow := range []time.Duration{0, 3 * time.Second} {
		onBench(t, func(b *bench) {
			b.node("n1", corev1.ConditionTrue)
			for _, n := range names {
				b.pod(n, "n1")
			}
		}, func(b *bench) {
			under, top := 0, 0
			p := b.plan(NewDelete(), nil, refs(names...)...)
			wait := make(chan int, 1000)
			b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
				wait <- 1
				<-time.After(slow)
				wait <- -1
				return on()
			}
			result := b.carryOut(b.t.Context(), p)
			close(wait)
			for n := range wait {
				under += n
				top = max(top, under)
			}
			in := map[int64]int{}
			for _, r := range b.Sent() {
				in[r.At.Unix()]++
			}
			busiest := 0
			for _, n := range in {
				busiest = max(busiest, n)
			}
			sent := b.Sent()
			t.Logf("each takes %v: 300 in %v, %d in the busiest second, %d under way", slow, sent[299].At.Sub(sent[0].At), busiest, top)
			if result.State != action.Done || len(sent) != 300 || busiest > 11 || top > most {
				t.Errorf("%v %q: %d requests, %d in a second, %d under way", result.State, result.Summary, len(sent), busiest, top)
			}
			if slow == 0 && sent[299].At.Sub(sent[0].At) > 31*time.Second {
				t.Errorf("300 took %v", sent[299].At.Sub(sent[0].At))
			}
		})
	}
}

func TestPodThatStaysIsToldWhyAndNotWaitedForForEver(t *testing.T) {
	for name, c := range map[string]struct {
		ready      corev1.ConditionStatus
		finalizers []string
		note       string
	}{
		"kubelet alive": {corev1.ConditionTrue, nil, "web accepted: still Terminating: n1 is Ready, and app still runs"},
		"silent":        {corev1.ConditionUnknown, nil, "web accepted: Terminating: the kubelet of n1 is silent: nobody confirms that it has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", c.ready)
				b.pod("web", "n1", finalized(c.finalizers...))
				b.Clings(func(*corev1.Pod) bool { return true })
			}, func(b *bench) {
				p := b.plan(NewDelete(), nil, web)
				began := time.Now()
				result := b.carryOut(b.t.Context(), p)
				if result.State != action.Partial || !strings.HasPrefix(b.steps(), c.note) || b.there("uid-web") == nil {
					t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
				}
				if took := time.Since(began); took < 30*time.Second || took > 2*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestPodsThatAreGoneOrReplacedAreLeftOut(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("a", "n1")
		b.pod("b", "n1", func(p *corev1.Pod) { p.UID = "another" })
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, refs("a", "b", "c")...)
		if !strings.Contains(sheetOf(p), "2 marked pods are gone, or others have their names") || p.Word != "1 pod" {
			t.Errorf("%s", sheetOf(p))
		}
		b.carryOut(b.t.Context(), p)
		if len(b.Sent()) != 1 || b.there("another") == nil {
			t.Errorf("%d requests", len(b.Sent()))
		}
		for ref, want := range map[kube.Ref]error{refs("b")[0]: send.ErrReplaced, refs("c")[0]: errGone} {
			if _, err := NewDelete().Plan(b.t.Context(), b.cluster, to(ref), nil); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", ref.Name, err, want)
			}
		}
		if _, err := NewDelete().Plan(b.t.Context(), b.cluster, to(), nil); err == nil {
			t.Error("a plan for nothing")
		}
	})
}

func TestWhatMayNotBeReadIsNamed(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", ofOwner("StatefulSet", "web"))
	}, func(b *bench) {
		forbid := metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}
		b.Fail(kubetest.Answer(forbid, "/nodes/n1", "/statefulsets/web", "/poddisruptionbudgets", "/namespaces/shop"))
		p := b.plan(NewDelete(), nil, web)
		for _, want := range []string{"nodes: you may not get nodes", "owners: you may not get what the pods belong to in shop", "budgets: you may not list", "namespaces: you may not get"} {
			if !strings.Contains(sheetOf(p), want) {
				t.Errorf("%q is not on the sheet\n%s", want, sheetOf(p))
			}
		}
		if len(p.Refusals) > 0 || p.Work == nil {
			t.Errorf("refused: %q", p.Refusals)
		}
		b.Fail(kubetest.Answer(forbid, "/pods/web"))
		if _, err := NewDelete().Plan(b.t.Context(), b.cluster, to(web), nil); err == nil {
			t.Error("a plan without the pod")
		}
	})
}

func TestSilentServerMakesNoPlanAndTakesNoTime(t *testing.T) {
	onBench(t, one, func(b *bench) {
		b.Silent()
		began := time.Now()
		if _, err := NewForce().Plan(b.t.Context(), b.cluster, to(web), nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != readLimit {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		b.Fail(nil)
	})
}
