package evict_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

var (
	shut   = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	noHost = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
)

// crowd puts pods on w1, of which so many may be asked at a time.
func (b *bench) crowd(pods, together int) {
	b.node("w1")
	for i := range pods {
		b.pod("w1", fmt.Sprintf("web-%d", i), grace(1))
	}
	if together == pods {
		return
	}
	b.budget("web", "web", together)
	b.Left(func(*corev1.Pod) { b.budget("web", "web", together) }) // it is replaced at once
	var err error
	if b.planned, err = drain.Read(b.t.Context(), b.cluster, []kube.Ref{{Kind: kube.Nodes, Name: "w1", UID: "uid-w1"}}, b.settings); err != nil {
		b.t.Fatal(err)
	}
}

// during has one reply for all evictions for so long.
func (b *bench) during(d time.Duration, r kubetest.Reply) {
	until := time.Now().Add(d)
	b.Evictions(func(kubetest.Eviction) kubetest.Reply {
		if time.Now().Before(until) {
			return r
		}
		return kubetest.Reply{}
	})
}

func TestServerThatRefusesConnectionsIsAskedByOnePodForAll(t *testing.T) {
	for words, err := range map[string]error{
		"the API server refuses connections; nothing was sent": shut,
		"the API server cannot be reached; nothing was sent":   noHost,
	} {
		onBench(t, func(b *bench) {
			b.crowd(8, 1)
			b.during(time.Hour, kubetest.Reply{Err: err})
			b.start("w1")
			b.after(time.Minute)
			posts := b.posts("")
			if len(posts) < 6 || len(posts) > 10 { // after 0, 1, 3, 7, 15, 25, 35, 45 and 55 s
				t.Errorf("asked %d times in a minute: %v", len(posts), posts)
			}
			for i, p := range posts[1:] {
				if gap := p.at - posts[i].at; gap < time.Second || gap > 12*time.Second {
					t.Errorf("asked %v after the last", gap)
				}
			}
			b.is(posts[len(posts)-1].name, action.StepRetrying, words)
			b.cancelled()
			b.ends(action.Cancelled) // nothing is unknown
			b.is(posts[0].name, action.StepLeft, "nothing was sent")
		})
	}
}

func TestAllGoOnAsSoonAsOneIsAnswered(t *testing.T) {
	onBench(t, func(b *bench) {
		b.crowd(20, 20)
		b.during(40*time.Second, kubetest.Reply{Err: shut})
		b.start("w1")
		b.wait(55 * time.Second)
		b.ends(action.Done, "20 of 20 pods gone")
		if got := len(b.posts("")); got > 10+7+20 {
			t.Errorf("asked %d times", got)
		}
	})
}

func TestLostAnswersAreLookedIntoByOnePodForAll(t *testing.T) {
	onBench(t, func(b *bench) {
		b.crowd(5, 5)
		b.Evictions(func(kubetest.Eviction) kubetest.Reply {
			return kubetest.Reply{Delay: 2 * time.Second, Err: errors.New("reset")}
		})
		b.start("w1")
		b.after(time.Second)
		b.Fail(kubetest.Refused)
		b.after(time.Minute)
		looks := 0
		for _, asked := range b.Asked() {
			if strings.HasPrefix(asked, "GET /api/v1/namespaces/shop/pods/") {
				looks++
			}
		}
		if looks < 5 || looks > 10 {
			t.Errorf("%d looks in a minute", looks)
		}
		b.is("web-0", action.StepRetrying, "no answer since")
		b.is("web-4", action.StepRetrying, "no answer since")
		// The first list that is answered wakes all.
		b.Evictions(nil)
		back := time.Now()
		b.Fail(nil)
		b.wait(time.Minute)
		b.ends(action.Done)
		var listed, looked time.Time
		for _, q := range b.Requests() {
			switch {
			case q.At.Before(back):
			case q.Path == "/api/v1/pods" && listed.IsZero():
				listed = q.At
			case strings.HasPrefix(q.Path, "/api/v1/namespaces/shop/pods/") && looked.IsZero():
				looked = q.At
			}
		}
		if looked.After(listed) {
			t.Errorf("looked %v after the pods were known again", looked.Sub(listed))
		}
	})
}

func TestFailureForSeveralPodsHoldsBackAll(t *testing.T) {
	for _, code := range []int32{500, 503, 504} {
		onBench(t, func(b *bench) {
			b.crowd(12, 2)
			b.during(20*time.Second, kubetest.Reply{Status: &metav1.Status{Code: code, Message: "failed calling webhook"}})
			b.start("w1")
			b.after(10 * time.Second)
			var until []time.Time
			for _, s := range b.progress.Steps() {
				if s.State == action.StepRetrying && !s.Until.IsZero() {
					until = append(until, s.Until)
				}
			}
			if len(until) == 0 || slices.ContainsFunc(until, func(u time.Time) bool { return !u.Equal(until[0]) }) {
				t.Errorf("%d: they are asked again at %v", code, until)
			}
			b.after(20 * time.Second)
			if got := b.posts(""); len(got) > 10 {
				t.Errorf("%d: asked %d times in 20 s: %v", code, len(got), got)
			}
			b.wait(2 * time.Minute)
			b.ends(action.Done, "12 of 12 pods gone")
		})
	}
}

func TestFailureForOnePodHoldsBackNobodyElse(t *testing.T) {
	onBench(t, func(b *bench) {
		b.crowd(6, 6)
		b.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Name == "web-0" || e.Name == "web-1" {
				return kubetest.Reply{Status: &metav1.Status{Code: 500, Message: "etcd"}}
			}
			return kubetest.Reply{}
		})
		b.start("w1")
		b.after(2 * time.Second)
		for i := 2; i < 6; i++ {
			b.is(fmt.Sprintf("web-%d", i), action.StepGone)
		}
	})
}
