package kube

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestASampleSaysWhenAndOfWhat(t *testing.T) {
	at := someDay.Add(-10 * time.Second)
	of := func(cpu, mem, swap int64) Sample {
		return Sample{Use: Use{cpu, mem}, At: at, Window: 15500 * time.Millisecond, Swap: swap}
	}
	u := NewUsage(someDay, map[string]Sample{"swaps": of(100, 200, 300), "plain": of(1, 2, -1), "undated": {Swap: -1}},
		map[PodKey][]ContainerSample{
			{"shop", "one"}:  {{"app", of(5, 6, -1)}},
			{"shop", "two"}:  {{"app", of(10, 20, 0)}, {"proxy", of(1, 2, 4096)}, {"sidecar", of(3, 4, -1)}},
			{"shop", "zero"}: {{"app", of(7, 8, 0)}},
		})
	m := Moment{Now: someDay, Usage: u}
	for name, want := range map[string]Sample{
		"swaps": of(100, 200, 300), "plain": of(1, 2, -1), "undated": {At: someDay, Swap: -1},
	} {
		got, ok := m.NodeSample(name)
		if !got.At.Equal(want.At) {
			t.Errorf("%s is of %v, want %v", name, got.At, want.At)
		}
		if got.At = want.At; !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", name, got, ok, want)
		}
	}
	for name, want := range map[string]struct {
		sum   Sample
		parts []ContainerSample
	}{
		"one":  {of(5, 6, -1), []ContainerSample{{"app", of(5, 6, -1)}}},
		"two":  {of(14, 26, 4096), []ContainerSample{{"app", of(10, 20, 0)}, {"proxy", of(1, 2, 4096)}, {"sidecar", of(3, 4, -1)}}},
		"zero": {of(7, 8, 0), []ContainerSample{{"app", of(7, 8, 0)}}},
		"none": {},
	} {
		sum, ok := m.PodSample("shop", name)
		if ok != (name != "none") {
			t.Errorf("%s has a sample: %v", name, ok)
		}
		if diff := cmp.Diff(want.sum, sum); ok && diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(want.parts, m.PodContainers("shop", name)); diff != "" {
			t.Errorf("the containers of %s: %s", name, diff)
		}
	}
	if got := m.NewestSample(); !got.Equal(at) {
		t.Errorf("the newest sample is of %v", got)
	}
}

func TestNothingIsKnownWithoutUsage(t *testing.T) {
	for _, m := range []Moment{{Now: someDay}, {Now: someDay, Usage: &Usage{}}} {
		if _, ok := m.NodeSample("worker-1"); ok {
			t.Error("a node has a sample")
		}
		if s, ok := m.PodSample("shop", "web"); ok || s.Swap != -1 {
			t.Error("a pod has a sample")
		}
		if m.PodContainers("shop", "web") != nil || m.PodPast("shop", "web") != (Past{}) || m.NodePast("worker-1") != (Past{}) {
			t.Error("something is known")
		}
		sentence, next := m.UsageTrouble()
		if sentence+next != "" || !m.NewestSample().IsZero() || m.SampleStep() != 0 || m.PastStep() != 75*time.Second {
			t.Errorf("%q %q %v %v", sentence, next, m.SampleStep(), m.PastStep())
		}
	}
}

func TestASampleIsLateAfterThreeSteps(t *testing.T) {
	for _, c := range []struct {
		step, age time.Duration
		late      bool
	}{
		{0, 2 * time.Minute, false}, {0, 121 * time.Second, true}, {15 * time.Second, 119 * time.Second, false},
		{time.Minute, 3 * time.Minute, false}, {time.Minute, 181 * time.Second, true},
	} {
		m := Moment{Now: someDay, Usage: &Usage{step: c.step}}
		if got := (Sample{At: someDay.Add(-c.age)}).Late(m); got != c.late {
			t.Errorf("%v old, with a step of %v: late %v", c.age, c.step, got)
		}
	}
}

// The step of the source is the shortest of the newest distances: polls and scrapes may be left out, but none comes too early.
func TestTheStepOfTheSourceIsSeen(t *testing.T) {
	var steps sampleSteps
	was := &Usage{}
	newest := someDay
	for i, c := range []struct{ later, want, wait time.Duration }{
		{0, 0, 0}, {60 * time.Second, 60 * time.Second, 0}, {0, 60 * time.Second, 0}, {120 * time.Second, 60 * time.Second, 0},
		{61 * time.Second, 60 * time.Second, 65 * time.Second}, {61 * time.Second, 61 * time.Second, 66 * time.Second},
		{15 * time.Second, 15 * time.Second, 0},
	} {
		newest = newest.Add(c.later)
		is := NewUsage(newest, map[string]Sample{"a": sampleAt(newest, 1), "b": sampleAt(newest, 1)}, nil)
		if got := steps.seen(was, is); got != c.want {
			t.Errorf("%d: the step is %v, want %v", i, got, c.want)
		}
		if got := steps.wait(newest, newest); got != c.wait {
			t.Errorf("%d: the next poll comes %v after the newest sample, want %v", i, got, c.wait)
		}
		was = is
	}
}

// What the publisher has found of nodes without a sample is what there is, whatever changes; to say it, no call looks at any node.
func TestNodesWithoutASampleAreLookedForByThePublisher(t *testing.T) {
	const many = 5000
	e := newEaters()
	e.nodes.setState(origin{}, State{Phase: Live, Since: someDay})
	node := func(i int, ready string) *Node {
		name := fmt.Sprintf("worker-%04d", i)
		return &Node{Name: name, UID: "uid-" + name, Ready: NodeCondition{Type: "Ready", Status: ready}}
	}
	uses := map[string]Sample{}
	for i := range many {
		e.nodes.put(node(i, "True"))
		uses[node(i, "").Name] = sampleAt(someDay, 5)
	}
	check := func(want string) {
		t.Helper()
		e.now = e.now.Add(time.Second)
		e.publishOnce(e.now)
		m := *e.moment.Load()
		sentence, next := m.UsageTrouble()
		equal(t, sentence+": "+next, want)
		if m.without == nil {
			t.Fatal("every call looks for the nodes")
		}
	}
	measure := func() {
		e.meter.cur.Store(e.meter.cur.Load().Then(e.now, uses, nil))
		e.touch(Metrics)
	}
	measure()
	check(": ")
	delete(uses, "worker-0007")
	measure()
	check("1 of 5000 nodes without a sample: worker-0007: new nodes need two scrapes; of others the log of metrics-server says why")
	e.nodes.put(node(7, "Unknown"))
	check("1 of 5000 nodes without a sample: worker-0007: its kubelet is silent")
	for i := range 4 {
		e.nodes.put(node(many+i, "Unknown"))
	}
	check("5 of 5004 nodes without a sample: worker-0007, worker-5000, worker-5001 and 2 more: their kubelets are silent")
	e.nodes.remove("uid-worker-0007")
	check("4 of 5003 nodes without a sample: worker-5000, worker-5001, worker-5002 and 1 more: their kubelets are silent")
}
