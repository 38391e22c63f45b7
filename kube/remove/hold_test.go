package remove

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// crowd puts pods, and gives their names.
func (b *bench) crowd(n int, change ...func(*corev1.Pod)) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("p%02d", i))
		b.pod(out[i], "n1", change...)
	}
	return out
}

// A server that takes no requests in mid-run holds the run up: no pod fails, few requests are tried, and it goes on by itself.
func TestServerThatIsAwayHoldsTheRunUp(t *testing.T) {
	ways := map[string]way{
		"refused": unreachable, "429": status(429, metav1.StatusReasonTooManyRequests, "later"),
		"503": status(503, metav1.StatusReasonServiceUnavailable, "later"),
	}
	for name, broken := range ways {
		for _, kind := range []action.Kind{NewDelete(), NewFinalizers()} {
			t.Run(name+" "+string(kind.ID()), func(t *testing.T) {
				var names []string
				onBench(t, func(b *bench) {
					b.node("n1", corev1.ConditionTrue)
					if kind.ID() == action.RemoveFinalizers {
						names = b.crowd(40, deleted(time.Minute, 0), finalized("a.example/x"))
					} else {
						names = b.crowd(40)
					}
				}, func(b *bench) {
					p := b.plan(kind, nil, refs(names...)...)
					began := time.Now()
					b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
						if at := time.Since(began); at > time.Second && at < time.Minute {
							return broken(r, on)
						}
						return on()
					}
					ended := make(chan action.Result, 1)
					go func() { ended <- b.carryOut(b.t.Context(), p) }()
					time.Sleep(30 * time.Second)
					synctest.Wait()
					if s := b.steps(); strings.Contains(s, "failed") || !strings.Contains(s, " retrying: ") {
						t.Errorf("while the server is away:\n%s", s)
					}
					tried := len(b.Sent())
					result := <-ended
					if result.State != action.Done || strings.Contains(b.steps(), "failed") {
						t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
					}
					if took := time.Since(began); took > 100*time.Second || tried > 40 {
						t.Errorf("took %v, %d requests in 30s", took, tried)
					}
				})
			})
		}
	}
}

func TestRunThatIsHeldUpEndsAtOnceWhenItIsCancelled(t *testing.T) {
	for want, c := range map[string]struct {
		way   way
		state action.State
	}{
		"p00 not done: ":                 {unreachable, action.Cancelled},
		"p00 unknown: answered with 503": {status(503, metav1.StatusReasonServiceUnavailable, "later"), action.Unknown},
	} {
		onBench(t, func(b *bench) {
			b.node("n1", corev1.ConditionTrue)
			b.crowd(3)
		}, func(b *bench) {
			p := b.plan(NewDelete(), nil, refs("p00", "p01", "p02")...)
			b.Way = c.way
			ctx, cancel := context.WithCancel(b.t.Context())
			ended := make(chan action.Result, 1)
			go func() { ended <- b.carryOut(ctx, p) }()
			time.Sleep(11 * time.Second)
			synctest.Wait()
			began := time.Now()
			cancel()
			result := <-ended
			if took := time.Since(began); took > 100*time.Millisecond || result.State != c.state || !strings.HasPrefix(b.steps(), want) {
				t.Errorf("%v %q after %v\n%s", result.State, result.Summary, took, b.steps())
			}
		})
	}
}

func TestPauseKeepsAHeldUpRunFromAsking(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1")
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, web)
		b.Way = unreachable
		ended := make(chan action.Result, 1)
		go func() { ended <- b.carryOut(b.t.Context(), p) }()
		time.Sleep(time.Second)
		b.progress.Pause(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.Sent()); n != 1 {
			t.Errorf("%d requests", n)
		}
		b.Way = nil
		b.progress.Pause(false)
		if result := <-ended; result.State != action.Done {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

// While nothing can be read nobody gives pods up that are ending.
func TestPodsThatEndWhileTheServerIsAwayAreNotGivenUp(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1")
		b.Clings(func(*corev1.Pod) bool { return true })
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, web)
		time.AfterFunc(5*time.Second, func() { b.Fail(kubetest.Refused); b.BreakWatches() })
		time.AfterFunc(10*time.Minute, func() { b.Delete(b.there("uid-web")); b.Fail(nil) })
		result := b.carryOut(b.t.Context(), p)
		if result.State != action.Done || b.steps() != "web gone: gone" {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
	})
}
