package kube

import (
	"cmp"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// workloadScales are the numbers of workloads at which costs are compared.
var workloadScales = []int{200, 2_000, 20_000}

// someWorkload makes the i-th of many Deployments.
func someWorkload(i, ready int) *Workload {
	d := deployment(3, int32(ready), 3)
	d.Namespace, d.Name = fmt.Sprintf("team-%02d", i%40), fmt.Sprintf("svc-%05d", i)
	d.UID = types.UID(fmt.Sprintf("%08x-0000-4000-8000-b%011x", i, i))
	d.Annotations = map[string]string{revisionAnnotation: "7"}
	return NewWorkload(d)
}

// illPod is the k-th pod of the i-th Deployment, and does not run; gen tells its versions apart.
func illPod(i, k, gen int) *Pod {
	p := &Pod{
		Namespace: shared(fmt.Sprintf("team-%02d", i%40)), Name: fmt.Sprintf("svc-%05d-65bcd-%d", i, k), OwnerKind: "ReplicaSet",
		OwnerName: shared(fmt.Sprintf("svc-%05d-65bcd", i)), UID: fmt.Sprintf("%d-%d", i, k), Node: "worker-01", Status: "Running",
		Phase: corev1.PodRunning, Containers: 1, Unready: true, Scheduled: true, Restarts: int32(gen), Created: someDay.Add(-time.Hour),
	}
	p.index()
	return p
}

func workloadsByName(a, b *Workload) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind),
		strings.Compare(a.UID, b.UID))
}

// crowd is a cluster of n Deployments, of which the first hundred have an ailing pod, and what it costs to publish it.
type crowd struct {
	*Cluster
	feed             *Feed[*Workload]
	judged, compared int
}

func newCrowd(n int) *crowd {
	w := &crowd{Cluster: New(Clients{Kubernetes: kubernetes.NewForConfigOrDie(&rest.Config{})}, "", "", []string{""}, nil)}
	w.workloads.judge = func(r *Workload, m Moment) (uint8, Severity, time.Time) {
		w.judged++
		return judgeWorkload(r, m)
	}
	w.feed = w.WorkloadFeed()
	w.feed.SetQuery(Query[*Workload]{Order: "health", Tie: func(a, b *Workload) int { w.compared++; return workloadsByName(a, b) }})
	for i := range n {
		w.workloads.put(someWorkload(i, 3))
	}
	for i := range 100 {
		w.pods.put(illPod(i, 0, 0))
	}
	w.publishOnce(someDay)
	return w
}

func TestCostOfAChangeGrowsNotWithTheNumberOfWorkloads(t *testing.T) {
	// Under the race detector sync.Pool forgets a quarter of what it is given, at random, so that a single run differs by
	// some thirty allocations from the next: the mean of many does not.
	const changes, runs = 50, 40
	for name, change := range map[string]func(w *crowd, k, gen int){
		"a row": func(w *crowd, k, gen int) { w.workloads.put(someWorkload(k, gen%3)) },
		"a pod": func(w *crowd, k, gen int) { w.pods.put(illPod(k, 0, gen)) },
	} {
		var allocs []float64
		for _, n := range workloadScales {
			w, gen := newCrowd(n), 0
			w.judged, w.compared = 0, 0
			allocs = append(allocs, testing.AllocsPerRun(runs, func() {
				gen++
				for k := range changes {
					change(w, k, gen)
				}
				if w.publishOnce(someDay)&Workloads == 0 {
					t.Fatal("nobody is told")
				}
			}))
			publications := runs + 1 // AllocsPerRun warms up with one more
			if most := publications * changes; w.judged > most {
				t.Errorf("%s of %d changes: %d workloads judged, more than %d", name, n, w.judged, most)
			}
			if most := publications * changes * 6 * bits.Len(uint(n)); w.compared > most {
				t.Errorf("%s of %d changes: %d comparisons, more than %d", name, n, w.compared, most)
			}
			t.Logf("%s of %d: %d judged, %d compared and %.0f allocations for %d changes", name, n, w.judged/publications,
				w.compared/publications, allocs[len(allocs)-1], changes)
		}
		if small, large := allocs[0], allocs[len(allocs)-1]; large > small+20 {
			t.Errorf("%s: %.0f allocations at %d workloads, %.0f at %d", name, small, workloadScales[0], large, workloadScales[2])
		}
	}
}

func TestIdlePublicationOfWorkloadsCostsNothing(t *testing.T) {
	w := newCrowd(2_000)
	w.judged, w.compared = 0, 0
	before := w.feed.Load()
	if told := w.publishOnce(someDay.Add(time.Minute)); told != 0 || w.judged+w.compared > 0 || w.feed.Load() != before {
		t.Errorf("told of %b, %d judged, %d compared", told, w.judged, w.compared)
	}
}

func TestNodeJudgesAgainOnlyTheWorkloadsOfItsAilingPods(t *testing.T) {
	w := newCrowd(2_000)
	node := func(name string, ready corev1.ConditionStatus) *Node {
		n := &corev1.Node{}
		n.Name, n.UID = name, types.UID(name)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		return NewNode(n)
	}
	w.nodes.put(node("worker-01", "True"), node("worker-02", "True"))
	moved := illPod(7, 0, 1)
	moved.Node = "worker-02"
	w.pods.put(moved)
	w.publishOnce(someDay)
	w.judged = 0
	w.nodes.put(node("worker-02", "Unknown"))
	if w.publishOnce(someDay); w.judged != 1 {
		t.Errorf("%d workloads judged, want the one that has an ailing pod there", w.judged)
	}
	w.judged = 0
	w.nodes.put(node("worker-01", "Unknown"))
	if w.publishOnce(someDay); w.judged != 99 {
		t.Errorf("%d workloads judged, want the 99 others", w.judged)
	}
}

func TestBytesOfAWorkloadInMemory(t *testing.T) {
	const n, most = 20_000, 540
	before := heap()
	c := New(Clients{Kubernetes: kubernetes.NewForConfigOrDie(&rest.Config{})}, "", "", []string{""}, nil)
	f := c.WorkloadFeed()
	f.SetQuery(Query[*Workload]{Order: "health", Tie: workloadsByName})
	for i := range n {
		c.workloads.put(someWorkload(i, 3))
	}
	c.publishOnce(someDay)
	each := (heap() - before) / n
	t.Logf("%d bytes a workload, at most %d", each, most)
	if each > most {
		t.Errorf("a workload takes %d bytes of the heap, more than %d", each, most)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(f)
}
