package kube_test

import (
	"context"
	"fmt"
	"net/http"
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
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
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
	reading(t, func(r *reader) {
		r.Put(simplePod("shop", "mine"), simplePod("pay", "theirs"))
		r.Fail(kubetest.Answer(metav1.Status{
			Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden",
		}, "/api/v1/pods"))
		r.reads(3*time.Second, "mine live")
		scope := r.cluster.Scope()
		if !slices.Equal(scope.Namespaces, []string{"shop"}) || scope.Limited == nil {
			t.Errorf("scope = %+v", scope)
		}
	})
}
