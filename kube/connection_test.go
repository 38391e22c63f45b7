package kube_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// reader is a pane without a screen: it has a feed of pods, and reads what it is told of.
type reader struct {
	*kubetest.Server
	t       *testing.T
	cluster *kube.Cluster
	feed    *kube.Feed[*kube.Pod]
}

// reading runs a test with a cluster that is read, in virtual time.
func reading(t *testing.T, test func(r *reader)) {
	t.Helper()
	readingFrom(t, func(*kubetest.Server) {}, test)
}

// readingFrom is reading, of a server that has been prepared before it is asked anything.
func readingFrom(t *testing.T, prepare func(*kubetest.Server), test func(r *reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
		prepare(server)
		cluster := kube.New(server.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		r := &reader{server, t, cluster, cluster.PodFeed()}
		r.feed.SetQuery(kube.Query[*kube.Pod]{Tie: func(a, b *kube.Pod) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Pods)
		test(r)
	})
}

func simplePod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name)}}
}

// after lets virtual time pass and gives the names of the rows and their phase.
func (r *reader) after(d time.Duration) string {
	<-time.After(d)
	synctest.Wait()
	s := r.feed.Load()
	var names []string
	for i := range s.Len() {
		names = append(names, s.Row(i).Name)
	}
	return fmt.Sprint(strings.Join(names, " "), " ", s.State.Phase)
}

func (r *reader) reads(d time.Duration, want string) {
	r.t.Helper()
	if got := r.after(d); got != want {
		r.t.Errorf("after %v: %q, want %q", d, got, want)
	}
}

func TestEverythingIsReadAgainWhenSomebodyAsksForIt(t *testing.T) {
	reading(t, func(r *reader) {
		r.Put(simplePod("a", "one"), simplePod("a", "two"))
		r.reads(time.Second, "one two live")
		asked := len(r.Asked())
		r.cluster.ReadAgain()
		r.reads(time.Second, "one two live")
		again := r.Asked()[asked:]
		if !slices.Contains(again, "GET /api/v1/pods") || !slices.Contains(again, "GET /version") {
			t.Errorf("asked for %q", again)
		}
		r.Put(simplePod("a", "three"))
		r.reads(time.Second, "one three two live")
	})
}

func TestHeartKeepsItsPaceWhileTheServerIsDown(t *testing.T) {
	reading(t, func(r *reader) {
		r.reads(time.Second, " live")
		r.Fail(kubetest.Refused)
		before := len(r.Asked())
		r.after(time.Minute)
		beats := 0
		for _, a := range r.Asked()[before:] {
			if a == "GET /version" {
				beats++
			}
		}
		if beats < 15 || beats > 35 {
			t.Errorf("%d heartbeats in a minute without a server, want one every two to three seconds", beats)
		}
		if h := r.cluster.Health(); h.Up || h.Tries < 15 || h.LastContact.IsZero() {
			t.Errorf("health = %+v", h)
		}
	})
}

func TestReturnIsNoticedWithinFiveSecondsHoweverLongTheServerWasGone(t *testing.T) {
	for _, gone := range []time.Duration{2 * time.Second, 30 * time.Second, time.Hour} {
		for name, fault := range map[string]func(*kubetest.Server){
			"refused": func(s *kubetest.Server) { s.Fail(kubetest.Refused) },
			"silent":  (*kubetest.Server).Silent,
			"503": func(s *kubetest.Server) {
				s.Fail(kubetest.Answer(metav1.Status{Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable}))
			},
			"500": func(s *kubetest.Server) {
				s.Fail(kubetest.Answer(metav1.Status{Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError}))
			},
		} {
			t.Run(fmt.Sprint(name, " for ", gone), func(t *testing.T) {
				reading(t, func(r *reader) {
					r.Put(simplePod("a", "one"), simplePod("a", "two"))
					r.reads(time.Second, "one two live")
					fault(r.Server)
					r.after(gone)
					r.Put(simplePod("a", "three"))
					r.Delete(simplePod("a", "one"))
					r.Fail(nil)
					r.reads(5*time.Second, "three two live")
				})
			})
		}
	}
}

func TestForbiddenPodsNarrowToTheNamespaceOfTheContext(t *testing.T) {
	readingFrom(t, func(s *kubetest.Server) {
		s.Put(simplePod("shop", "mine"), simplePod("pay", "theirs"))
		s.Fail(kubetest.Answer(forbidden("pods is forbidden"), "/api/v1/pods"))
	}, func(r *reader) {
		r.reads(3*time.Second, "mine live")
		scope := r.cluster.Scope()
		if !slices.Equal(scope.Namespaces, []string{"shop"}) || scope.Limited == nil {
			t.Errorf("scope = %+v", scope)
		}
	})
}

func forbidden(message string) metav1.Status {
	return metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: message}
}

func TestScopeIsWideAgainOnceTheServerAllowsIt(t *testing.T) {
	readingFrom(t, func(s *kubetest.Server) {
		s.Put(simplePod("shop", "mine"), simplePod("pay", "theirs"))
		s.Fail(kubetest.Answer(forbidden("RBAC has not been read yet"), "/api/v1/pods"))
	}, func(r *reader) {
		r.reads(3*time.Second, "mine live")
		r.Fail(nil)
		r.reads(time.Hour, "mine live") // nothing is asked again and again that was refused
		r.cluster.ReadAgain()
		r.reads(time.Second, "mine theirs live")
		r.Delete(simplePod("shop", "mine"))
		r.Put(simplePod("pay", "late"))
		r.reads(time.Second, "late theirs live")
		if s := r.cluster.Scope(); !s.All() || s.Limited != nil {
			t.Errorf("scope = %+v", s)
		}
	})
}

func TestPermissionThatIsLostLaterMakesRowsStaleAndIsAskedForAgain(t *testing.T) {
	reading(t, func(r *reader) {
		r.Put(simplePod("shop", "one"), simplePod("pay", "two"))
		r.reads(time.Second, "one two live")
		r.Fail(kubetest.Answer(forbidden("RBAC has not been read yet"), "/api/v1/pods"))
		r.reads(time.Minute, "one two stale")
		if st := r.feed.Load().State; st.Err == nil || !r.cluster.Scope().All() {
			t.Errorf("state %+v, scope %+v", st, r.cluster.Scope())
		}
		r.Delete(simplePod("shop", "one"))
		r.Fail(nil)
		r.reads(5*time.Second, "two live")
	})
}

func TestFailureThatClientGoWouldRepeatInSilenceIsTold(t *testing.T) {
	busy := metav1.Status{Code: http.StatusTooManyRequests, Reason: metav1.StatusReasonTooManyRequests, Message: "busy"}
	for name, fault := range map[string]kubetest.Fault{
		"429 with the advice to come back in a second": func(q *http.Request) (*http.Response, bool, error) {
			response, hit, err := kubetest.Answer(busy, "/api/v1/pods")(q)
			if hit {
				response.Header.Set("Retry-After", "1")
			}
			return response, hit, err
		},
		"connections that end without an answer": func(q *http.Request) (*http.Response, bool, error) {
			return nil, strings.HasSuffix(q.URL.Path, "/api/v1/pods"), io.EOF
		},
		"connections that time out": func(q *http.Request) (*http.Response, bool, error) {
			if !strings.HasSuffix(q.URL.Path, "/api/v1/pods") {
				return nil, false, nil
			}
			<-time.After(3 * time.Second)
			return nil, true, os.ErrDeadlineExceeded
		},
	} {
		t.Run(name, func(t *testing.T) {
			reading(t, func(r *reader) {
				r.Put(simplePod("a", "one"))
				r.reads(time.Second, "one live")
				r.Fail(fault)
				r.reads(15*time.Second, "one stale")
				if st := r.feed.Load().State; st.Err == nil || !r.cluster.Health().Up {
					t.Errorf("state %+v; the server as such is up: %v", st, r.cluster.Health().Up)
				}
				r.Fail(nil)
				r.reads(8*time.Second, "one live") // an attempt that times out, the longest pause, and a watch that stands
			})
		})
	}
}

func TestNamespaceThatMayNotBeReadIsMissingFromTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
		server.Put(simplePod("shop", "one"), simplePod("cart", "two"))
		server.Fail(kubetest.Answer(forbidden("not cart"), "/namespaces/cart/pods"))
		cluster := kube.New(server.Clients(), "prod", "", []string{"shop", "cart"}, nil)
		r := &reader{server, t, cluster, cluster.PodFeed()}
		r.feed.SetQuery(kube.Query[*kube.Pod]{Tie: func(a, b *kube.Pod) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Pods)
		r.reads(time.Second, "one live")
		if st := r.feed.Load().State; st.Missing == nil || !strings.Contains(st.Missing.Error(), "not cart") {
			t.Errorf("state = %+v", st)
		}
	})
}

func TestNodeThatComesBackUnderItsNameIsKnown(t *testing.T) {
	node := func(uid string, ready corev1.ConditionStatus) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: types.UID(uid)}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		return n
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
		server.Put(node("old", corev1.ConditionTrue))
		cluster := kube.New(server.Clients(), "prod", "", []string{metav1.NamespaceAll}, nil)
		r := &reader{server, t, cluster, cluster.PodFeed()}
		r.feed.SetQuery(kube.Query[*kube.Pod]{Tie: func(a, b *kube.Pod) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Nodes|kube.Pods)
		r.after(time.Second)
		for range 20 {
			server.Delete(node("old", corev1.ConditionTrue))
			server.Put(node("new", corev1.ConditionUnknown), simplePod("a", "one"))
			r.after(time.Second)
			if s := r.feed.Load().Moment.Nodes["worker-1"]; !s.Silent {
				t.Fatalf("the new node is known as %+v", s)
			}
			server.Delete(node("new", corev1.ConditionUnknown))
			server.Put(node("old", corev1.ConditionTrue))
			r.after(time.Second)
		}
	})
}

func TestPodsOfANodeThatIsDeletedAreHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := withStop(t)
		defer stop()
		server := kubetest.New()
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: "n"}}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		pod := simplePod("a", "one")
		pod.Spec.NodeName, pod.Status.Phase = "worker-1", corev1.PodRunning
		server.Put(node, pod)
		cluster := kube.New(server.Clients(), "prod", "", []string{metav1.NamespaceAll}, nil)
		r := &reader{server, t, cluster, cluster.PodFeed()}
		r.feed.SetQuery(kube.Query[*kube.Pod]{Tie: func(a, b *kube.Pod) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Nodes|kube.Pods)
		says := func() string {
			r.after(time.Second)
			s := r.feed.Load()
			return s.Row(0).StatusText(s.Moment) + ": " + strings.Join(s.Row(0).Diagnosis(s.Moment), "; ")
		}
		if got := says(); strings.Contains(got, "?") {
			t.Errorf("while the node is there: %s", got)
		}
		server.Delete(node)
		if got := says(); !strings.HasPrefix(got, "Running?: there is no node worker-1 any more") {
			t.Errorf("without its node: %s", got)
		}
		server.Put(node)
		if got := says(); strings.Contains(got, "?") {
			t.Errorf("with the node back: %s", got)
		}
	})
}

func TestLogNamesAFailureOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		var log bytes.Buffer
		server := kubetest.New()
		cluster := kube.New(server.Clients(), "prod", "", []string{metav1.NamespaceAll}, slog.New(slog.NewTextHandler(&log, nil)))
		cluster.Start(ctx, kube.Pods)
		<-time.After(time.Second)
		server.Fail(kubetest.Refused)
		<-time.After(time.Hour)
		synctest.Wait()
		if n := strings.Count(log.String(), "level=WARN"); n == 0 || n > 3 {
			t.Errorf("%d lines in an hour without a server:\n%.2000s", n, log.String())
		}
	})
}

func TestRowsAreNotLiveWhileTheRequestForThemHangs(t *testing.T) {
	reading(t, func(r *reader) {
		r.Put(simplePod("a", "one"))
		r.reads(time.Second, "one live")
		back := make(chan struct{})
		r.Fail(func(q *http.Request) (*http.Response, bool, error) {
			if strings.HasSuffix(q.URL.Path, "/pods") {
				<-back
			}
			return nil, false, nil
		})
		r.reads(2*time.Second, "one live")
		began := time.Now()
		r.reads(time.Minute, "one stale")
		if st := r.feed.Load().State; st.Err == nil || st.Since.Sub(began).Abs() > 5*time.Second || !r.cluster.Health().Up {
			t.Errorf("state = %+v, %v after the request", st, st.Since.Sub(began))
		}
		r.Put(simplePod("a", "two"))
		r.Fail(nil)
		close(back)
		r.reads(2*time.Second, "one two live")
	})
}

func TestRowsAreAsOldAsTheLastContactAfterASilentOutage(t *testing.T) {
	reading(t, func(r *reader) {
		r.reads(time.Second, " live")
		r.Silent()
		lost := time.Now()
		r.after(time.Minute)
		if h := r.cluster.Health(); h.Up || h.LastContact.Sub(lost).Abs() > heartbeat {
			t.Fatalf("health = %+v", h)
		}
		if st := r.feed.Load().State; st.Phase != kube.Stale || st.Since.Sub(lost).Abs() > heartbeat {
			t.Errorf("stale since %v after the silence", st.Since.Sub(lost))
		}
	})
}

// heartbeat is the most that may lie between the last contact and a silence that begins after it.
const heartbeat = 11 * time.Second
