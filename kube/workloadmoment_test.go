package kube

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// changing is a cluster whose rows come, change and go, with all that readers were ever given of it.
type changing struct {
	*Cluster
	now   time.Time
	made  int // objects, so that each has a UID of its own
	given []given
}

// given is a moment with a copy of what it held when it was published.
type given struct{ live, copied Moment }

func (c *changing) uid() string {
	c.made++
	return fmt.Sprint("uid-", c.made)
}

// uidOf is the UID of the row that has that name, or a new one; sometimes another object takes the name.
func uidOf[R Row](t *rapid.T, c *changing, s *store[R], kind Kinds, name string) string {
	for uid, row := range s.in.rows {
		var none R
		if row != none && row.Ref().Kind == kind && row.Ref().Name == name {
			if rapid.IntRange(0, 3).Draw(t, "replaced") > 0 {
				return uid
			}
			s.remove(uid)
		}
	}
	for uid, slot := range s.rows {
		if ref := slot.row.Ref(); ref.Kind == kind && ref.Name == name {
			if rapid.IntRange(0, 3).Draw(t, "replaced") > 0 {
				return uid
			}
			s.remove(uid)
		}
	}
	return c.uid()
}

func (c *changing) pod(t *rapid.T) {
	p := &Pod{
		Namespace: "shop", Name: fmt.Sprint("p", rapid.IntRange(0, 9).Draw(t, "pod")), Phase: corev1.PodRunning, Status: "Running",
		Scheduled: true,
		Node:      fmt.Sprint("n", rapid.IntRange(0, 2).Draw(t, "node")), Containers: 1, Ready: 1, Created: c.now, StateSince: c.now,
	}
	p.OwnerKind = rapid.SampledFrom([]string{"ReplicaSet", "StatefulSet", "Job", "DaemonSet", ""}).Draw(t, "owner")
	p.OwnerName = map[string]string{"ReplicaSet": "web-65bcd", "StatefulSet": "web", "Job": "report-1", "DaemonSet": "web"}[p.OwnerKind]
	p.UID = uidOf(t, c, c.pods, Pods, p.Name)
	switch rapid.IntRange(0, 5).Draw(t, "state") {
	case 0:
		p.Ready, p.Unready = 0, true
	case 1:
		p.Deletion = &Deletion{At: c.now.Add(30 * time.Second)}
	case 2:
		p.Phase, p.Status, p.Ready = corev1.PodPending, "ContainerCreating", 0
	case 3:
		p.Phase, p.Status, p.Ready = corev1.PodFailed, "Error", 0
	case 4:
		p.Status, p.Ready, p.Why = "CrashLoopBackOff", 0, &Evidence{Waiting: "CrashLoopBackOff", Exited: true, ExitCode: 1}
	}
	c.pods.put(p)
}

func (c *changing) workload(t *rapid.T) {
	w := &Workload{
		Kind: rapid.SampledFrom([]Kinds{Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs, Autoscalers}).Draw(t, "kind"),
		Name: "web", Namespace: "shop", Created: c.now.Add(-time.Duration(rapid.SampledFrom([]int{0, 40, 300}).Draw(t,
			"age")) * time.Second),
		Desired: rapid.Int32Range(1, 3).Draw(t, "desired"), Ready: rapid.Int32Range(0, 3).Draw(t, "ready"), Updated: 3, Due: 3,
		Current: 3, Available: 3,
	}
	switch w.Kind { //nolint:exhaustive // the others are as they are
	case ReplicaSets:
		w.Name, w.OwnerKind, w.OwnerName = "web-65bcd", "Deployment", "web"
	case StatefulSets:
		w.Set = &Ordinals{Ordered: true}
	case CronJobs:
		w.Name, w.Schedule = "report", &Schedule{}
	case Autoscalers:
		w.Name = fmt.Sprint("hpa-", rapid.IntRange(0, 1).Draw(t, "hpa"))
		w.Scaler = &Scaler{TargetKind: rapid.SampledFrom([]string{"Deployment", "StatefulSet"}).Draw(t, "target"), TargetName: "web"}
	case Jobs:
		w.Name, w.Run = fmt.Sprint("report-", rapid.IntRange(1, 3).Draw(t, "run")), &Run{}
		if rapid.Bool().Draw(t, "of the CronJob") {
			w.OwnerKind, w.OwnerName = "CronJob", "report"
		}
		switch rapid.IntRange(0, 2).Draw(t, "end") {
		case 0:
			w.hitches(string(batchv1.JobFailed), "BackoffLimitExceeded", "", metav1.NewTime(c.now))
		case 1:
			w.Run.Complete = c.now
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
		w.Deletion = &Removal{At: c.now, Finalizers: "example.com/x"}
	}
	w.UID = uidOf(t, c, c.workloads, w.Kind, w.Name)
	c.workloads.put(w)
}

func (c *changing) node(t *rapid.T) {
	n := &corev1.Node{}
	n.Name = fmt.Sprint("n", rapid.IntRange(0, 2).Draw(t, "node"))
	n.UID = types.UID(uidOf(t, c, c.nodes, Nodes, n.Name))
	if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
		c.nodes.remove(string(n.UID))
		return
	}
	ready := rapid.SampledFrom([]corev1.ConditionStatus{"True", "False", "Unknown"}).Draw(t, "ready")
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(c.now)}}
	c.nodes.put(NewNode(n))
}

// someOf draws UIDs of rows.
func someOf[R Row](t *rapid.T, s *store[R]) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.rows)), func(string) bool { return rapid.IntRange(0, 2).Draw(t, "chosen") > 0 })
}

func setOf(uids []string) map[string]struct{} {
	out := map[string]struct{}{}
	for _, uid := range uids {
		out[uid] = struct{}{}
	}
	return out
}

// publishes publishes, and keeps what readers are given with a copy of it.
func (c *changing) publishes() {
	c.publishOnce(c.now)
	m := c.Moment()
	copied := m
	copied.Ailing, copied.Runs, copied.Scalers = cloned(m.Ailing), cloned(m.Runs), cloned(m.Scalers)
	copied.Nodes, copied.Loads = maps.Clone(m.Nodes), maps.Clone(m.Loads)
	c.given = append(c.given, given{m, copied})
}

func cloned[R Row](of map[Owner][]R) map[Owner][]R {
	out := map[Owner][]R{}
	for owner, list := range of {
		out[owner] = slices.Clone(list)
	}
	return out
}

// kept compares what is kept of the rows of a store with what looking at all of them finds.
func kept[R Row](t *rapid.T, what string, of map[Owner][]R, s *store[R], owners func(R) []Owner) {
	want, n := map[Owner]map[R]bool{}, 0
	for _, slot := range s.rows {
		for _, o := range owners(slot.row) {
			if o != (Owner{}) {
				if want[o] == nil {
					want[o] = map[R]bool{}
				}
				want[o][slot.row] = true
				n++
			}
		}
	}
	if len(of) != len(want) {
		t.Fatalf("%s: %d owners, want %d", what, len(of), len(want))
	}
	for o, list := range of {
		n -= len(list)
		if slices.ContainsFunc(list, func(r R) bool { return !want[o][r] }) {
			t.Fatalf("%s of %v: one that is not there", what, o)
		}
	}
	if n != 0 {
		t.Fatalf("%s: %d are missing", what, n)
	}
}

// check compares the last moment with the rows, the judgement of each row with what it is worth now, and every earlier moment
// with what it was when it was given away.
func (c *changing) check(t *rapid.T) {
	m := c.Moment()
	kept(t, "ailing pods", m.Ailing, c.pods, func(p *Pod) []Owner {
		if owners := p.Owners(); p.ails() {
			return owners[:]
		}
		return nil
	})
	kept(t, "runs", m.Runs, c.workloads, func(w *Workload) []Owner { return []Owner{w.runOf()} })
	kept(t, "scalers", m.Scalers, c.workloads, func(w *Workload) []Owner { return []Owner{w.scales()} })
	if len(c.workloadUID) != len(c.workloads.rows) {
		t.Fatalf("%d workloads are known by name, of %d", len(c.workloadUID), len(c.workloads.rows))
	}
	for uid, slot := range c.workloads.rows {
		if rank, sev, _ := judgeWorkload(slot.row, m); rank != slot.rank || sev != slot.sev {
			t.Fatalf("%s counts as %d, and is %d: %q", slot.row.FullKind(), slot.rank, rank, slot.row.Why(m))
		}
		if c.workloadUID[slot.row.identity()] != uid {
			t.Fatalf("%s is known as %q", slot.row.FullKind(), c.workloadUID[slot.row.identity()])
		}
	}
	for _, g := range c.given {
		if !maps.EqualFunc(g.live.Ailing, g.copied.Ailing, slices.Equal[[]*Pod]) ||
			!maps.EqualFunc(g.live.Runs, g.copied.Runs, slices.Equal[[]*Workload]) ||
			!maps.EqualFunc(g.live.Scalers, g.copied.Scalers, slices.Equal[[]*Workload]) ||
			!maps.Equal(g.live.Nodes, g.copied.Nodes) || !maps.Equal(g.live.Loads, g.copied.Loads) {
			t.Fatal("what a reader was given has changed")
		}
	}
}

// TestWhatReadersWereGivenNeverChangesAndWhatTheyAreGivenIsTrue lets pods, workloads and nodes come, change, be replaced and be
// swept away, and time pass. No judgement may lag behind, and nothing that was published may be written again.
func TestWhatReadersWereGivenNeverChangesAndWhatTheyAreGivenIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &changing{Cluster: newCrowd(0).Cluster, now: someDay}
		clear(c.pods.in.rows)
		for uid := range c.pods.rows {
			c.pods.remove(uid)
		}
		c.publishes()
		t.Repeat(map[string]func(*rapid.T){
			"pod":      c.pod,
			"workload": c.workload,
			"node":     c.node,
			"time": func(t *rapid.T) {
				c.now = c.now.Add(time.Duration(rapid.SampledFrom([]int{5, 30, 100}).Draw(t, "seconds")) * time.Second)
			},
			"pods go": func(t *rapid.T) {
				for _, uid := range someOf(t, c.pods) {
					c.pods.remove(uid)
				}
			},
			"workloads go": func(t *rapid.T) {
				for _, uid := range someOf(t, c.workloads) {
					c.workloads.remove(uid)
				}
			},
			"listed": func(t *rapid.T) { // what a complete listing does not have goes
				c.workloads.sweep(origin{kind: rapid.SampledFrom([]Kinds{Jobs, Deployments}).Draw(t, "kind")},
					setOf(someOf(t, c.workloads)))
				c.pods.sweep(origin{}, setOf(someOf(t, c.pods)))
			},
			"narrowed": func(*rapid.T) {
				c.pods.sweep(origin{}, nil)
				c.workloads.sweep(origin{}, nil)
			},
			"nodes known": func(t *rapid.T) {
				c.nodes.setState(origin{}, State{Phase: rapid.SampledFrom([]Phase{Loading, Live}).Draw(t, "phase"), Since: c.now})
			},
			"publish": func(t *rapid.T) {
				c.publishes()
				c.check(t)
			},
		})
	})
}
