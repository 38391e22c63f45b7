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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// hearing is an events pane without a screen.
type hearing struct {
	*kubetest.Server
	t       *testing.T
	cluster *kube.Cluster
	singles *kube.Feed[*kube.Event]
	groups  *kube.Feed[*kube.EventGroup]
}

// readingEvents runs a test with a cluster whose events are read, in virtual time.
func readingEvents(t *testing.T, namespaces []string, prepare func(*kubetest.Server), test func(h *hearing)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
		prepare(server)
		cluster := kube.New(server.Clients(), "prod", "shop", namespaces, nil)
		h := &hearing{server, t, cluster, cluster.EventFeed(), cluster.EventGroupFeed()}
		h.singles.SetQuery(kube.Query[*kube.Event]{Tie: func(a, b *kube.Event) int { return strings.Compare(a.Name, b.Name) }})
		h.groups.SetQuery(kube.Query[*kube.EventGroup]{Tie: func(a, b *kube.EventGroup) int { return strings.Compare(a.UID, b.UID) }})
		cluster.Start(ctx, kube.Nodes|kube.Pods|kube.Events)
		test(h)
	})
}

// shows lets virtual time pass and compares single events, and the phase of both feeds.
func (h *hearing) shows(d time.Duration, want ...string) kube.State {
	h.t.Helper()
	<-time.After(d)
	synctest.Wait()
	s, got := h.singles.Load(), []string{}
	for i := range s.Len() {
		e := s.Row(i)
		line := fmt.Sprintf("%s/%s x%d", e.Namespace, e.Name, e.Count)
		if e.Expired {
			line += " expired"
		}
		got = append(got, line)
	}
	got = append(got, s.State.Phase.String())
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("after %v: %q, want %q", d, got, want)
	}
	if g := h.groups.Load().State.Phase; g != s.State.Phase {
		h.t.Errorf("groups are %v, single events %v", g, s.State.Phase)
	}
	return s.State
}

func said(namespace, name, pod string, count int32) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: object(namespace, name), Type: "Warning", Reason: "BackOff", Message: "back-off", Count: count,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod},
		FirstTimestamp: metav1.NewTime(time.Unix(0, 0)), LastTimestamp: metav1.NewTime(time.Unix(int64(count), 0)),
	}
}

func TestEventsAreOneWatchAndOutliveTheServers(t *testing.T) {
	one, two := said("shop", "one", "web-1", 3), said("lab", "two", "x", 1)
	readingEvents(t, []string{""}, func(s *kubetest.Server) { s.Put(podOf("web-1", runs), one, two) }, func(h *hearing) {
		h.shows(3*time.Second, "shop/one x3", "lab/two x1", "live")
		h.Put(said("shop", "one", "web-1", 5))
		h.shows(time.Second, "shop/one x5", "lab/two x1", "live")
		h.Delete(two)
		h.shows(time.Second, "shop/one x5", "lab/two x1 expired", "live")
		g := h.groups.Load()
		if g.Len() != 2 || g.Moment.Said.Count != 6 || h.cluster.Moment().Said.Events != 2 {
			t.Errorf("%d groups, %+v", g.Len(), g.Moment.Said)
		}
		// The watch breaks, something goes, and the version is too old to go on from.
		h.Fail(kubetest.Refused)
		h.Delete(one)
		h.Put(said("shop", "three", "web-1", 1))
		h.Compact()
		h.shows(time.Second, "shop/one x5", "lab/two x1 expired", "stale")
		h.Fail(nil)
		h.shows(5*time.Second, "shop/one x5 expired", "lab/two x1 expired", "shop/three x1", "live")
		if got := h.cluster.Moment().Said.Count; got != 7 {
			t.Errorf("%d have been said", got)
		}
		h.cluster.ReadAgain()
		h.shows(5*time.Second, "shop/one x5 expired", "lab/two x1 expired", "shop/three x1", "live")
		if got := h.cluster.Moment().Said.Count; got != 7 {
			t.Errorf("%d have been said once it was read again", got)
		}
		events := h.cluster.EventsOf(kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "web-1", UID: "shopweb-1"})
		if len(events) != 2 || events[0].Name != "one" || !events[0].Expired {
			t.Errorf("events of the pod: %v", events)
		}
		for _, path := range h.Asked() {
			if strings.HasPrefix(path, "GET /api/v1/namespaces/") && strings.HasSuffix(path, "/events") {
				t.Errorf("%s was asked for", path)
			}
		}
	})
}

func TestEventsWaitForTheRows(t *testing.T) {
	var slow chan struct{}
	readingEvents(t, []string{""}, func(s *kubetest.Server) {
		slow = make(chan struct{})
		s.Put(said("shop", "one", "web-1", 1))
		s.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if strings.HasSuffix(r.URL.Path, "/pods") {
				<-slow
			}
			return nil, false, nil
		})
	}, func(h *hearing) {
		h.shows(20*time.Second, "loading")
		if slices.Contains(h.Asked(), "GET /api/v1/events") {
			t.Error("events were asked for before the rows were there")
		}
		close(slow)
		h.shows(time.Second, "shop/one x1", "live")
	})
}

// noEvents refuses events at these paths.
func noEvents(paths ...string) kubetest.Fault {
	status := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", nil).Status()
	return kubetest.Answer(status, paths...)
}

func TestWhoMayNotListEventsEverywhereGetsThoseOfHisNamespace(t *testing.T) {
	readingEvents(t, []string{""}, func(s *kubetest.Server) {
		s.Put(said("shop", "one", "web-1", 1), said("lab", "two", "x", 1))
		s.Fail(noEvents("/api/v1/events"))
	}, func(h *hearing) {
		st := h.shows(3*time.Second, "shop/one x1", "live")
		if st.MissingWhat() != "events of other namespaces" || st.WhyMissing() != "not allowed" {
			t.Errorf("%q is missing: %s", st.MissingWhat(), st.WhyMissing())
		}
		h.Put(said("shop", "one", "web-1", 2))
		h.shows(time.Second, "shop/one x2", "live")
		h.Fail(nil) // he may, after all
		h.cluster.Retry()
		st = h.shows(10*time.Second, "shop/one x2", "lab/two x1", "live")
		if st.Missing != nil {
			t.Errorf("still missing: %v", st.Missing)
		}
		h.Put(said("lab", "two", "x", 4))
		h.shows(time.Second, "shop/one x2", "lab/two x4", "live")
	})
}

func TestOneForbiddenNamespaceDoesNotBlankTheOthers(t *testing.T) {
	readingEvents(t, []string{"shop", "lab"}, func(s *kubetest.Server) {
		s.Put(said("shop", "one", "web-1", 1), said("lab", "two", "x", 1))
		s.Fail(noEvents("/namespaces/lab/events"))
	}, func(h *hearing) {
		st := h.shows(3*time.Second, "shop/one x1", "live")
		if st.MissingWhat() != "events of namespace lab" {
			t.Errorf("%q is missing", st.MissingWhat())
		}
	})
}

func TestEventsThatMayNotBeReadAtAllAreDenied(t *testing.T) {
	readingEvents(t, []string{""}, func(s *kubetest.Server) {
		s.Put(said("shop", "one", "web-1", 1))
		s.Fail(noEvents("/events"))
	}, func(h *hearing) { h.shows(3*time.Second, "denied") })
}

func TestEventsFollowTheScope(t *testing.T) {
	readingEvents(t, []string{""}, func(s *kubetest.Server) {
		s.Put(said("shop", "one", "web-1", 1), said("lab", "two", "x", 1))
		status := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil).Status()
		s.Fail(kubetest.Answer(status, "/api/v1/pods"))
	}, func(h *hearing) {
		st := h.shows(3*time.Second, "shop/one x1", "live")
		if slices.Contains(h.Asked(), "GET /api/v1/events") || st.Missing != nil {
			t.Error("events of other namespaces were asked for")
		}
		h.Fail(nil)
		h.cluster.Retry()
		h.shows(10*time.Second, "shop/one x1", "lab/two x1", "live")
	})
}
