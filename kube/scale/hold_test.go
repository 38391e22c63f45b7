package scale

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// A server that is away before the number is sent holds the run up; it goes on by itself.
func TestServerThatIsAwayHoldsTheNumberBack(t *testing.T) {
	for name, fault := range map[string]kubetest.Fault{
		"refused": kubetest.Refused,
		"429":     kubetest.Answer(metav1.Status{Code: 429, Reason: metav1.StatusReasonTooManyRequests}),
		"503":     kubetest.Answer(metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable}),
	} {
		onBench(t, func(b *bench) {
			b.set(2)
			p := b.plan("1")
			b.Fail(fault)
			c := b.start(p)
			wait(30 * time.Second)
			if got := c.steps(); !strings.HasPrefix(got, "web retrying: ") || b.sent != 0 {
				t.Errorf("%s: %s, %d requests", name, got, b.sent)
			}
			b.Fail(nil)
			wait(3 * time.Second)
			if got := c.steps(); !strings.HasPrefix(got, "web progressing: accepted: 2 to 1") {
				t.Errorf("%s: %s", name, got)
			}
			b.controlled()
			if r := c.end(); r.State != action.Done || b.sent != 1 {
				t.Errorf("%s: %v %q after %d requests", name, r.State, r.Summary, b.sent)
			}
		})
	}
}

func TestScaleThatIsHeldUpEndsAtOnceWhenItIsCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		p := b.plan("1")
		b.Fail(kubetest.Refused)
		c := b.start(p)
		wait(11 * time.Second)
		began := time.Now()
		c.cancel()
		r := c.end()
		if took := time.Since(began); r.State != action.Cancelled || took > 100*time.Millisecond || !strings.HasPrefix(c.steps(), "web not done:") {
			t.Errorf("%v %q after %v\n%s", r.State, r.Summary, took, c.steps())
		}
		b.Fail(nil)
	})
}

func TestRetainIsHeldUpByAServerThatIsAway(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		p, err := NewRetain().Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: []kube.Ref{web}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.Fail(kubetest.Refused)
		c := b.start(p)
		wait(20 * time.Second)
		if got := c.steps(); !strings.HasPrefix(got, "web retrying: ") {
			t.Error(got)
		}
		b.Fail(nil)
		wait(time.Minute)
		if got := c.steps(); !strings.HasPrefix(got, "web done: whenScaled is Retain now") {
			t.Error(got)
		}
		c.cancel()
		c.end()
	})
}
