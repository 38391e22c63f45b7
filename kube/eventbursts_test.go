package kube

import (
	"testing"
	"time"
)

// AC-E3: a node says seven days ago, and again twelve minutes ago, that it has memory enough, each time eight times.
func TestTwoBurstsOfOneReasonAreOneGroupAndStayTwoEvents(t *testing.T) {
	l := newLibrary()
	burst := func(uid string, ago time.Duration, count int) *Event {
		return &Event{
			Namespace: "default", Name: "minikube." + uid, UID: uid, Type: "Normal", Reason: "NodeHasSufficientMemory", Count: count,
			Object: Involved{Kind: "Node", Name: "minikube", UID: "minikube"}, From: "kubelet", FromHost: "minikube",
			Message: "Node minikube status is now: NodeHasSufficientMemory", First: noon.Add(-ago), Last: noon.Add(-ago + 20*time.Second),
		}
	}
	first, second := burst("a", 169*time.Hour, 8), burst("b", 12*time.Minute, 8)
	l.tray.put(first, second)
	groups := l.shows(t, "Normal NodeHasSufficientMemory node/minikube x16")
	for _, g := range groups {
		if !g.First.Equal(first.First) || !g.Last.Equal(second.Last) || g.Objects != 1 {
			t.Errorf("the group is of %d objects, from %v to %v", g.Objects, g.First, g.Last)
		}
	}
	for _, e := range []*Event{first, second} {
		kept, ok := l.events.rows[e.UID]
		if !ok || kept.row.Count != 8 || !kept.row.First.Equal(e.First) || !kept.row.Last.Equal(e.Last) {
			t.Errorf("the burst of %v is kept as %+v", e.First, kept.row)
		}
	}
}
