package evict_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// slow has requests of a method for what ends in a path wait before the server gets them.
func slow(method, path string, d time.Duration) kubetest.Fault {
	return func(r *http.Request) (*http.Response, bool, error) {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, path) {
			return nil, false, nil
		}
		select {
		case <-r.Context().Done():
			return nil, true, r.Context().Err()
		case <-time.After(d):
			return nil, false, nil
		}
	}
}

// cancelled stops the drain, and checks that it ends within 100 ms, and that it begins nothing any more.
func (b *bench) cancelled() {
	b.t.Helper()
	asked := time.Now()
	b.stop(errStopped)
	b.wait(100 * time.Millisecond)
	<-time.After(time.Hour)
	for _, q := range b.Requests() {
		if q.At.After(asked) {
			b.t.Errorf("%s %s was sent %v after the cancel", q.Method, q.Path, q.At.Sub(asked))
		}
	}
}

func TestAnswersThatAreOnTheirWayAtTheCancelAreHeard(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.pod("w1", "api-a")
		b.pod("w1", "late-a")
		for i := range 12 {
			b.pod("w1", "next-"+string(rune('a'+i)))
		}
		b.budget("api", "api", 0)
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Name == "late-a" {
				return kubetest.Reply{Delay: time.Second}
			}
			return kubetest.Reply{Delay: 40 * time.Millisecond}
		})
		b.start("w1")
		b.after(10 * time.Millisecond)
		b.is("web-a", action.StepAsking)
		b.cancelled()
		b.ends(action.Unknown, "w1 stays cordoned")
		b.is("web-a", action.StepAccepted)
		b.is("api-a", action.StepLeft, "refused by api, 1x")
		b.is("late-a", action.StepUnknown)
		if got := len(b.posts("")); got != 10 {
			t.Errorf("%d were asked", got)
		}
	})
}

func TestCancelForgetsNoAnswerThatComesInTime(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		b.pod("w1", "web-a")
		b.Evictions(func(kubetest.Eviction) kubetest.Reply { return kubetest.Reply{Delay: 40 * time.Millisecond} })
		b.start("w1")
		b.after(10 * time.Millisecond)
		b.cancelled()
		b.ends(action.Cancelled, "1 terminating goes on")
	})
}

func TestCordonThatIsUnderWayAtTheCancelIsHeard(t *testing.T) {
	for _, test := range []struct {
		method string
		takes  time.Duration
		state  action.State
		step   action.StepState
		note   string
	}{
		{http.MethodPatch, 40 * time.Millisecond, action.Cancelled, action.StepDone, "cordoned"},
		{http.MethodPatch, time.Second, action.Unknown, action.StepUnknown, "whether it is cordoned is not known"},
		{http.MethodGet, 40 * time.Millisecond, action.Cancelled, action.StepLeft, "not cordoned"}, // and is not any more
		{http.MethodGet, time.Second, action.Cancelled, action.StepLeft, "not cordoned"},
	} {
		onBench(t, func(b *bench) {
			b.node("w1")
			b.pod("w1", "web-a")
			b.planned = b.plan("w1")
			b.Fail(slow(test.method, "/nodes/w1", test.takes))
			b.start()
			b.after(20 * time.Millisecond)
			b.cancelled()
			b.ends(test.state)
			b.is("w1", test.step, test.note)
			if is := b.Node("w1").Spec.Unschedulable; is != (test.step == action.StepDone) {
				t.Errorf("%s of %v: cordoned %t", test.method, test.takes, is)
			}
		})
	}
}

func TestServerThatGoesAwayAtTheCancelDoesNotHoldItUp(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("w1")
		for i := range 10 {
			b.pod("w1", "web-"+string(rune('a'+i)), func(o *corev1.Pod) { o.Labels["app"] = o.Name })
		}
		b.Evictions(func(kubetest.Eviction) kubetest.Reply {
			return kubetest.Reply{Delay: 30 * time.Millisecond, Err: errors.New("reset")}
		})
		b.start("w1")
		b.after(10 * time.Millisecond)
		b.cancelled()
		b.ends(action.Unknown, "10 not known")
	})
}
