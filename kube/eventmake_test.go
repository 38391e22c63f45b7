package kube

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTimesAndCountsOfAnEventAreThoseOfKubectl(t *testing.T) {
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	seconds := func(minute int) metav1.Time { return metav1.NewTime(at(minute)) }
	micros := func(minute int) metav1.MicroTime { return metav1.NewMicroTime(at(minute)) }
	series := func(count int32, minute int) *corev1.EventSeries {
		return &corev1.EventSeries{Count: count, LastObservedTime: micros(minute)}
	}
	for _, c := range []struct {
		name        string
		event       corev1.Event
		first, last int
		count       int
		atLeast     bool
	}{
		{"old recorder", corev1.Event{FirstTimestamp: seconds(1), LastTimestamp: seconds(5), Count: 8}, 1, 5, 8, false},
		{"old recorder, once", corev1.Event{FirstTimestamp: seconds(1), LastTimestamp: seconds(1), Count: 1}, 1, 1, 1, false},
		{"new recorder, once", corev1.Event{EventTime: micros(2)}, 2, 2, 1, false},
		{"new recorder, a series", corev1.Event{EventTime: micros(2), Series: series(57, 9)}, 2, 9, 57, true},
		{"series before all else", corev1.Event{FirstTimestamp: seconds(1), LastTimestamp: seconds(5), EventTime: micros(2),
			Count: 8, Series: series(3, 4)}, 1, 4, 3, true},
		{"series without a time", corev1.Event{EventTime: micros(2), Series: &corev1.EventSeries{Count: 2}}, 2, 2, 2, true},
		{"series without a count", corev1.Event{EventTime: micros(2), Count: 4, Series: series(0, 4)}, 2, 4, 4, true},
		{"last time before event time", corev1.Event{LastTimestamp: seconds(5), EventTime: micros(2)}, 2, 5, 1, false},
		{"no time at all", corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: seconds(7)}}, 7, 7, 1, false},
		{"a count below zero", corev1.Event{FirstTimestamp: seconds(1), LastTimestamp: seconds(1), Count: -3}, 1, 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := NewEvent(&c.event)
			if !e.First.Equal(at(c.first)) || !e.Last.Equal(at(c.last)) || e.Count != c.count || e.AtLeast != c.atLeast {
				t.Errorf("got %v to %v, x%d, at least: %v", e.First.Sub(noon), e.Last.Sub(noon), e.Count, e.AtLeast)
			}
		})
	}
}

func TestWhoSaidAnEventAndWhere(t *testing.T) {
	for _, c := range []struct {
		name, component, host, controller, instance string
		from, where                                 string
	}{
		{"old object", "kubelet", "127.0.0.1", "", "", "kubelet", "127.0.0.1"},
		{"old recorder of today", "kubelet", "worker-1", "kubelet", "worker-1", "kubelet", "worker-1"},
		{"new recorder on the node", "", "", "kube-proxy", "kube-proxy-worker-2", "kube-proxy", "worker-2"},
		{"new recorder in a pod", "", "", "default-scheduler", "default-scheduler-cp-1", "default-scheduler", ""},
		{"controller", "job-controller", "", "job-controller", "", "job-controller", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := NewEvent(&corev1.Event{Source: corev1.EventSource{Component: c.component, Host: c.host},
				ReportingController: c.controller, ReportingInstance: c.instance})
			if e.From != c.from || e.FromHost != c.where {
				t.Errorf("got %q on %q, want %q on %q", e.From, e.FromHost, c.from, c.where)
			}
		})
	}
}

func TestMessageOfAnEventIsOneCleanLineOfAKibibyteAtMost(t *testing.T) {
	for _, c := range []struct{ name, message, want string }{
		{"lines", "back-off\n  restarting\r\n\r\nfailed\rcontainer\n", "back-off restarting failed container"},
		{"escape sequences", "a\x1b[2J\x1b]0;title\x07b\u202ec", "ab\ufffdc"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"long", strings.Repeat("ノード", 1000), strings.Repeat("ノード", 113) + "ノ…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := NewEvent(&corev1.Event{Message: c.message}).Message
			if got != c.want || len(got) > messageMost || !utf8.ValidString(got) {
				t.Errorf("got %q (%d bytes), want %q", got, len(got), c.want)
			}
		})
	}
}

func TestHostileEventIsHarmlessInEveryField(t *testing.T) {
	const evil = "x\x1b[31m\x07\u009b2J\u202ey\nz"
	row := NewEvent(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: evil, Name: evil, UID: evil}, Type: evil, Reason: evil, Message: evil,
		InvolvedObject: corev1.ObjectReference{Kind: evil, Namespace: evil, Name: evil, UID: evil, APIVersion: evil, FieldPath: evil},
		Source:         corev1.EventSource{Component: evil, Host: evil},
	})
	for _, s := range []string{
		row.Namespace, row.Name, row.UID, row.Type, row.Reason, row.Message, row.From, row.FromHost,
		row.Object.Kind, row.Object.Namespace, row.Object.Name, row.Object.UID, row.Object.APIVersion, row.Object.Field,
	} {
		if s == "" || strings.ContainsAny(s, "\x1b\x07\u009b\u202e\n") {
			t.Errorf("%q", s)
		}
	}
}

func TestNodeOfAnEventHasNoNamespace(t *testing.T) {
	e := NewEvent(&corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: "Node", Namespace: "default", Name: "worker-1"}})
	equal(t, e.Object, Involved{Kind: "Node", Name: "worker-1"})
}
