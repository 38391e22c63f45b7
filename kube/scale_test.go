package kube

import (
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// scales are the sizes at which costs are compared.
var scales = []int{1_500, 15_000, 150_000}

// someDay is a moment at which the pods of manyPods have been running for a while.
var someDay = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// somePod makes the i-th of many pods of a usual cluster, changed gen times.
func somePod(i, gen int) *Pod {
	namespaces := [...]string{"shop", "payments", "search", "media", "batch", "monitoring", "lab", "platform"}
	app := fmt.Sprintf("svc-%03d", i/40)
	p := &Pod{
		Namespace: shared(namespaces[i/40%len(namespaces)]), Name: fmt.Sprintf("%s-7d9f8c6b5-%05x", app, i),
		UID: fmt.Sprintf("%08x-0000-4000-8000-b%011x", i, i), Node: shared(fmt.Sprintf("worker-%05d", i%5000)),
		Status: "Running", IP: fmt.Sprintf("10.%d.%d.%d", 128+i/65536, i/256%256, i%256),
		OwnerKind: "ReplicaSet", OwnerName: shared(app + "-7d9f8c6b5"), Phase: corev1.PodRunning,
		Created: someDay.Add(-time.Duration(i%10_000+60) * time.Minute), StateSince: someDay.Add(-time.Hour),
		CPURequest: 500, MemRequest: 1 << 30, MemLimit: 2 << 30, Ready: 2, Containers: 2, Restarts: int32(gen), Scheduled: true,
	}
	if i%50 == 49 {
		p.Status, p.Ready = "CrashLoopBackOff", 1
	}
	p.index()
	return p
}

func podsByName(a, b *Pod) int {
	if n := strings.Compare(a.Namespace, b.Namespace); n != 0 {
		return n
	}
	if n := strings.Compare(a.Name, b.Name); n != 0 {
		return n
	}
	return strings.Compare(a.UID, b.UID)
}

// thosePods asks for the pods in which a word occurs, as a pane does.
func thosePods(word string) Query[*Pod] {
	q := Query[*Pod]{Order: "badness", Tie: podsByName}
	if word != "" {
		q.Keep = func(p *Pod, m Moment) bool { return p.Matches(word, m) }
	}
	return q
}

// filled makes a store of n pods with a feed of all of them.
func filled(n int) (*store[*Pod], *Feed[*Pod], Moment) {
	s := newStore(func() {}, judgePod)
	f := s.open(func() {})
	f.SetQuery(thosePods(""))
	for i := range n {
		s.put(somePod(i, 0))
	}
	m := Moment{Now: someDay}
	s.publish(m, 0, nil)
	return s, f, m
}

func BenchmarkPublish250ChangesOf(b *testing.B) {
	for _, n := range scales {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _, m := filled(n)
			b.ReportAllocs()
			gen := 0
			for b.Loop() {
				b.StopTimer()
				gen++
				for k := range 250 {
					s.put(somePod((gen*250+k)*7919%n, gen))
				}
				b.StartTimer()
				s.publish(m, 0, nil)
			}
		})
	}
}

func BenchmarkFilterLetterOf(b *testing.B) {
	for _, n := range scales {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, f, m := filled(n)
			b.ReportAllocs()
			words := []string{"w", "wo", "wor", "work", "worke", "worker", "worker-0", "worker-00", "worker-0004", "worker-00042", "nothing", "crashl", "svc-1234"}
			for i := 0; b.Loop(); i++ {
				f.SetQuery(thosePods(words[i%len(words)]))
				s.publish(m, 0, nil)
			}
		})
	}
}

func BenchmarkSortOf(b *testing.B) {
	for _, n := range scales {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, f, m := filled(n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q := thosePods("")
				if q.Order = fmt.Sprint(i); i%2 == 0 {
					q.Key = func(p *Pod, _ uint8, _ Moment) uint64 { return uint64(-p.Created.Unix()) }
				}
				f.SetQuery(q)
				s.publish(m, 0, nil)
			}
		})
	}
}

func BenchmarkJudgeAllOf(b *testing.B) {
	for _, n := range scales {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _, m := filled(n)
			for b.Loop() {
				s.publish(m, 0, func(*Pod) bool { return true })
			}
		})
	}
}

// counting asks like thosePods, and counts what it takes to answer.
type counting struct {
	ties  int
	keeps atomic.Int64 // filters run side by side
}

func (c *counting) query(word string) Query[*Pod] {
	q := thosePods(word)
	q.Tie = func(a, b *Pod) int { c.ties++; return podsByName(a, b) }
	if keep := q.Keep; keep != nil {
		q.Keep = func(p *Pod, m Moment) bool { c.keeps.Add(1); return keep(p, m) }
	}
	return q
}

func TestCostOfAPublicationGrowsWithWhatHasChanged(t *testing.T) {
	const changes = 250
	for _, word := range []string{"", "worker-00"} {
		var allocs []float64
		for _, n := range scales {
			s, f, m := filled(n)
			var c counting
			f.SetQuery(c.query(word))
			s.publish(m, 0, nil)
			const runs = 3
			var batches [runs + 1][]*Pod // AllocsPerRun warms up with one more
			for gen := range batches {
				for k := range changes {
					batches[gen] = append(batches[gen], somePod(k*7919%n, gen+1))
				}
			}
			ties, keeps, gen := c.ties, c.keeps.Load(), 0
			allocs = append(allocs, testing.AllocsPerRun(runs, func() {
				s.put(batches[gen]...)
				s.publish(m, 0, nil)
				gen++
			}))
			// Each change is looked up twice where it was and twice where it goes, in halves, and is sorted among the changes.
			halvings, publications := bits.Len(uint(n)), runs+1
			ties, keeps = c.ties-ties, c.keeps.Load()-keeps
			if most := publications * changes * 6 * halvings; ties > most {
				t.Errorf("%d rows, filter %q: %d comparisons in %d publications of %d changes, more than %d", n, word, ties, publications, changes, most)
			}
			if most := int64(publications * changes); keeps > most {
				t.Errorf("%d rows, filter %q: %d rows asked whether they pass the filter, more than %d", n, word, keeps, most)
			}
			t.Logf("%d rows, filter %q: %d comparisons a change, %.0f allocations a publication", n, word, ties/publications/changes, allocs[len(allocs)-1])
		}
		if small, large := allocs[0], allocs[len(allocs)-1]; large > small+10 {
			t.Errorf("filter %q: %.0f allocations a publication at %d rows, %.0f at %d", word, small, scales[0], large, scales[2])
		}
	}
}

func TestALetterMoreInAFilterSortsNothing(t *testing.T) {
	s, f, m := filled(1_500)
	var c counting
	f.SetQuery(c.query("w"))
	s.publish(m, 0, nil)
	var more counting
	f.SetQuery(more.query("wo"))
	s.publish(m, 0, nil)
	if more.ties != 0 || more.keeps.Load() != 1_500 {
		t.Errorf("%d comparisons, %d rows looked at", more.ties, more.keeps.Load())
	}
}

// A question that comes while another is being answered ends the work on the first.
func TestNewQuestionOvertakesTheOneBeforeIt(t *testing.T) {
	const n = 10 * stride
	s, f, m := filled(n)
	var looked atomic.Int64
	slow := thosePods("")
	slow.Keep = func(*Pod, Moment) bool {
		if looked.Add(1) == 1 {
			f.SetQuery(thosePods("00007"))
		}
		return true
	}
	f.SetQuery(slow)
	s.publish(m, 0, nil)
	if most := int64(stride * runtime.GOMAXPROCS(0)); looked.Load() > most {
		t.Errorf("%d rows were looked at for nobody, more than %d", looked.Load(), most)
	}
	if got := f.Load(); got.Query != f.newest() || got.Len() == 0 || got.Len() == n {
		t.Errorf("question %d of %d is answered with %d rows", got.Query, f.newest(), got.Len())
	}
}

// Rows of a kind that the order looks at move when it changes, and only then is everything sorted again.
func TestOrderFollowsWhatItReads(t *testing.T) {
	s, f, m := filled(1_500)
	q := thosePods("")
	q.Order, q.Reads = "zone", Metrics
	q.Key = func(p *Pod, _ uint8, m Moment) uint64 { return uint64(m.Loads[p.Node].Pods) }
	f.SetQuery(q)
	s.publish(m, 0, nil)
	m.Loads = map[string]Load{"worker-00700": {Pods: 9}}
	s.publish(m, Metrics, nil)
	if got := f.Load().Row(0).Node; got != "worker-00700" {
		t.Errorf("the first row is on %s", got)
	}
	s.put(somePod(700, 3))
	s.publish(m, 0, nil)
	if p := f.Load().Row(0); p.Node != "worker-00700" || p.Restarts != 3 || f.Load().Len() != 1_500 {
		t.Errorf("the first of %d rows is on %s, with %d restarts", f.Load().Len(), p.Node, p.Restarts)
	}
}

func TestBytesOfAPodInMemory(t *testing.T) {
	const n, most = 20_000, 620
	pods := make([]*Pod, 0, n)
	before := heap()
	for i := range n {
		pods = append(pods, NewPod(manifest(i)))
	}
	s := newStore(func() {}, judgePod)
	f := s.open(func() {})
	f.SetQuery(thosePods(""))
	s.put(pods...)
	s.publish(Moment{Now: someDay}, 0, nil)
	each := (heap() - before) / n
	t.Logf("%d bytes a pod, at most %d", each, most)
	if each > most {
		t.Errorf("a pod takes %d bytes of the heap, more than %d", each, most)
	}
	runtime.KeepAlive(pods)
	runtime.KeepAlive(s)
}

// manifest is somePod as the API has it.
func manifest(i int) *corev1.Pod {
	row, yes := somePod(i, 0), true
	pod := usualPod()
	pod.Namespace, pod.Name, pod.UID = row.Namespace, row.Name, types.UID(row.UID)
	pod.Spec.NodeName, pod.Status.PodIPs = row.Node, []corev1.PodIP{{IP: row.IP}}
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: row.OwnerKind, Name: row.OwnerName, Controller: &yes}}
	return pod
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what had finalizers, or was in a pool, goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
