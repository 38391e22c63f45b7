package views

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube"
)

// sayings gives the rows that a test has put into it, as the last query wants them: a feed of events.
type sayings[R kube.Row] struct {
	rows   []R
	state  kube.State
	said   kube.Said
	asked  []kube.Query[R] // number 1 and on
	snap   *kube.Snapshot[R]
	closed bool
}

func saying[R kube.Row](said kube.Said, rows ...R) *sayings[R] {
	return &sayings[R]{rows: rows, said: said, state: kube.State{Phase: kube.Live, Since: noon}, snap: &kube.Snapshot[R]{}}
}

func (s *sayings[R]) Load() *kube.Snapshot[R] { return s.snap }
func (s *sayings[R]) SetQuery(q kube.Query[R]) uint64 {
	s.asked = append(s.asked, q)
	return uint64(len(s.asked))
}
func (s *sayings[R]) Follow(string) {}
func (s *sayings[R]) Close()        { s.closed = true }

// publish answers the newest question.
func (s *sayings[R]) publish() {
	q, m := s.asked[len(s.asked)-1], kube.Moment{Now: noon, Complete: true, RowsRead: true, Said: s.said}
	kept := slices.DeleteFunc(slices.Clone(s.rows), func(r R) bool { return q.Keep != nil && !q.Keep(r, m) })
	slices.SortFunc(kept, func(a, b R) int {
		switch x, y := q.Key(a, 0, m), q.Key(b, 0, m); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return q.Tie(a, b)
	})
	snap := kube.NewSnapshot(kept, m)
	snap.Version, snap.Query, snap.Total, snap.State = s.snap.Version+1, uint64(len(s.asked)), len(s.rows), s.state
	s.snap = snap
}

// scene is the Events pane with the feeds that it reads.
type scene struct {
	View
	groups       *sayings[*kube.EventGroup]
	singles, all *sayings[*kube.Event]
}

func newScene(said kube.Said, groups []*kube.EventGroup, singles ...*kube.Event) *scene {
	s := &scene{groups: saying(said, groups...), singles: saying(said, singles...), all: saying(said, singles...)}
	s.View = NewEvents(Events{Groups: s.groups, Singles: s.singles, All: s.all})
	s.publish()
	return s
}

// publish answers what was asked, and what the pane asks upon the answers.
func (s *scene) publish() (last []Effect) {
	for range 2 {
		s.all.publish()
		s.singles.publish()
		s.groups.publish()
		last = append(last, s.Handle(Changed{kube.Events})...)
	}
	return last
}

// press sends keys, each after the answers to the one before.
func (s *scene) press(ids ...keymap.ID) (last []Effect) {
	for _, id := range ids {
		last = press(s, id)
		s.publish()
	}
	return last
}

// put puts an event in, or another version of it, and its group with it.
func (s *scene) put(e *kube.Event, g *kube.EventGroup) {
	for _, f := range []*sayings[*kube.Event]{s.singles, s.all} {
		f.rows = append(slices.DeleteFunc(f.rows, func(o *kube.Event) bool { return o.UID == e.UID }), e)
	}
	if g != nil {
		s.groups.rows = append(slices.DeleteFunc(s.groups.rows, func(o *kube.EventGroup) bool { return o.UID == g.UID }), g)
	}
}

// rows gives the reasons of the rows that are shown, with the numbers of times.
func (s *scene) rows() string {
	var out []string
	if s.View.(*events).lens.singles {
		snap := s.View.(*events).singles.snap
		for i := range snap.Len() {
			out = append(out, fmt.Sprintf("%s:%s x%d", snap.Row(i).Reason, snap.Row(i).Object.Name, snap.Row(i).Count))
		}
		return strings.Join(out, ", ")
	}
	snap := s.View.(*events).groups.snap
	for i := range snap.Len() {
		out = append(out, fmt.Sprintf("%s x%d", snap.Row(i).Reason, snap.Row(i).Count))
	}
	return strings.Join(out, ", ")
}

// head is the rule of the pane at that width.
func (s *scene) head(w int) string {
	line, _, _ := strings.Cut(plainly(s, Size{w, 20}), "\n")
	return line
}

func involved(kind, namespace, name string) kube.Involved {
	return kube.Involved{Kind: kind, Namespace: namespace, Name: name, UID: "uid-" + namespace + "/" + name, APIVersion: "v1"}
}

func aPod(namespace, name string) kube.Involved { return involved("Pod", namespace, name) }
func aNode(name string) kube.Involved           { return involved("Node", "", name) }

// happened is a group of events that were said so often, last and first so long before noon.
func happened(kind, reason string, count int, last, first time.Duration, subject, object kube.Involved, message string) *kube.EventGroup {
	g := &kube.EventGroup{
		UID: kind + reason + subject.Kind + subject.FullName(), Type: kind, Reason: reason, Subject: subject, Object: object, Objects: 1,
		Message: message, From: "kubelet", Count: count, Last: noon.Add(-last), First: noon.Add(-first), RateEnds: noon,
	}
	g.Rate[kube.RatePoints-1-int(last/kube.RateStep)] = uint32(count)
	return g
}

func of(objects int, by kube.By, g *kube.EventGroup) *kube.EventGroup {
	g.By, g.Objects = by, objects
	return g
}

// incident are the groups of the story, and the events of two of them.
func incident() (kube.Said, []*kube.EventGroup, []*kube.Event) {
	rs := func(name string) kube.Involved { return involved("ReplicaSet", "shop", name) }
	const s, m, w, n = time.Second, time.Minute, "Warning", "Normal"
	groups := []*kube.EventGroup{
		of(3, kube.ByOwner, happened(w, "BackOff", 57, 4*s, 3*m+38*s, rs("checkout-7d9f8c6b5"), aPod("shop", "checkout-7d9f8c6b5-x2k4q"),
			"back-off 2m40s restarting failed container app")),
		happened(w, "FailedScheduling", 9, 31*s, 8*m+20*s, aPod("search", "indexer-5"), aPod("search", "indexer-5"),
			"0/150 nodes are available: 149 Insufficient memory, 1 node(s) were unschedulable."),
		of(3, kube.ByOwner, happened(n, "Started", 15, 41*s, 3*m+40*s, rs("checkout-7d9f8c6b5"), aPod("shop", "checkout-7d9f8c6b5-x2k4q"),
			"Started container app")),
		of(1, kube.ByOwner, happened(w, "BackOff", 25, 48*s, 6*time.Hour, involved("ReplicaSet", "payments", "ledger-6c5d8b7f94"),
			aPod("payments", "ledger-6c5d8b7f94-tz8wv"), "back-off 5m0s restarting failed container ledger")),
		of(2, kube.ByNode, happened(w, "NetworkNotReady", 6, 55*s, 2*m, aNode("gpu-03"), aPod("kube-system", "cilium-x9d2k"),
			"network is not ready: cni plugin not initialized")),
		of(1, kube.ByOwner, happened(w, "Unhealthy", 3, 2*m, 6*m, rs("web-6d5f9c7b8c"), aPod("shop", "web-6d5f9c7b8c-r7d2c"),
			"Readiness probe failed: HTTP probe failed with statuscode: 503")),
		happened(n, "RegisteredNode", 1, 2*m+5*s, 2*m+5*s, aNode("gpu-03"), aNode("gpu-03"), "Node gpu-03 event: Registered Node gpu-03 in Controller"),
		happened(w, "NodeNotReady", 1, 4*m+12*s, 4*m+12*s, aNode("worker-07"), aNode("worker-07"), "Node worker-07 status is now: NodeNotReady"),
		of(12, kube.ByNode, happened(w, "NodeNotReady", 12, 4*m+12*s, 4*m+12*s, aNode("worker-07"), aPod("shop", "cart-2"), "Node is not ready")),
		of(1, kube.ByOwner, happened(w, "Failed", 14, 11*m, 31*m, involved("Job", "batch", "report-29394180"), aPod("batch", "report-29394180-9xk4m"),
			`Failed to pull image "reg.corp/report:9": not found`)),
		of(4, kube.ByOwner, happened(w, "Evicted", 4, 15*m, 23*m, rs("thumbnails-5b6c9d7d8"), aPod("shop", "thumbnails-5b6c9d7d8-w2x9c"),
			"The node was low on resource: ephemeral-storage.")),
		happened(w, "NodeHasDiskPressure", 1, 23*m, 23*m, aNode("worker-12"), aNode("worker-12"), "Node worker-12 status is now: NodeHasDiskPressure"),
		happened(n, "SuccessfulCreate", 1, 31*m, 31*m, involved("Job", "batch", "report-29394180"), involved("Job", "batch", "report-29394180"),
			"Created pod: report-29394180-9xk4m"),
	}
	groups[12].Expired = true
	groups[1].AtLeast = true
	groups[8].UID += "-pods"
	said := kube.Said{Since: noon.Add(-59 * m), Events: 4, Count: 149, RateEnds: noon}
	for i := range said.Rate {
		said.Rate[i], said.Warnings[i] = uint32(i*i), uint32(i)
	}
	var singles []*kube.Event
	for i, name := range []string{"x2k4q", "8wq7n", "tt5zc"} {
		singles = append(singles, single(groups[0], aPod("shop", "checkout-7d9f8c6b5-"+name), 19, time.Duration(4+i)*s, "worker-64"))
	}
	singles = append(singles, single(groups[1], groups[1].Object, 9, 31*s, ""), single(groups[5], groups[5].Object, 3, 2*m, "worker-90"),
		single(groups[8], aPod("shop", "cart-2"), 1, 4*m+12*s, "worker-07"), single(groups[7], aNode("worker-07"), 1, 4*m+12*s, ""))
	return said, groups, singles
}

// single is an event of a group.
func single(g *kube.EventGroup, object kube.Involved, count int, last time.Duration, node string) *kube.Event {
	e := &kube.Event{
		Namespace: object.Namespace, Name: object.Name + ".18a", UID: "event-" + g.Reason + object.FullName(), Object: object,
		Type: g.Type, Reason: g.Reason, Message: g.Message, From: g.From, Count: count, AtLeast: g.AtLeast,
		First: g.First, Last: noon.Add(-last), Group: g.UID, Node: node,
	}
	if kind := kube.KindNamed(g.Subject.Kind); kind&kube.Workloads != 0 {
		e.Owner = kube.Owner{Kind: kind, Namespace: g.Subject.Namespace, Name: g.Subject.Name}
	}
	return e
}

func newIncident() *scene {
	said, groups, singles := incident()
	return newScene(said, groups, singles...)
}

// golden compares a screen with what it was. UPDATE=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil { //nolint:gosec // a test's own file
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s is drawn in another way:\n%s\nwant\n%s", name, got, want)
	}
}
