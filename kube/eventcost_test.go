package kube

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// stormPods is how many pods crash in a storm, thirty of each ReplicaSet.
const stormPods = 3000

func stormPod(i int) *Pod {
	set := fmt.Sprintf("svc-%03d-7d9f8c6b5", i/30)
	return &Pod{Namespace: "shop", Name: fmt.Sprintf("%s-%05d", set, i), UID: fmt.Sprintf("00000001-0000-4000-8000-%012d", i),
		OwnerKind: "ReplicaSet", OwnerName: set, Node: fmt.Sprintf("worker-%03d", i%100)}
}

// storm is the n-th event of a storm: pods are backed off again and again, and every fifth event is a new object. It is as a
// kubelet of today writes it.
func storm(n int) *corev1.Event {
	pod, round := stormPod(n%stormPods), n/stormPods
	at := metav1.NewTime(noon.Add(time.Duration(n) * time.Second / 5000))
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s.%x", pod.Name, n%stormPods), Namespace: "shop", UID: types.UID(fmt.Sprintf("e0000000-0000-4000-8000-%012d", n%stormPods)),
			ResourceVersion: fmt.Sprint(100_000 + n), CreationTimestamp: metav1.NewTime(noon),
			ManagedFields: []metav1.ManagedFieldsEntry{managed("kubelet", metav1.NewTime(noon), 9)},
		},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: pod.Name, UID: types.UID(pod.UID), APIVersion: "v1",
			ResourceVersion: "12345", FieldPath: "spec.containers{app}"},
		Reason: "BackOff", Type: "Warning", Count: int32(round + 1), FirstTimestamp: metav1.NewTime(noon), LastTimestamp: at,
		Message: "Back-off restarting failed container app in pod " + pod.Name + "_shop(" + pod.UID + ")",
		Source:  corev1.EventSource{Component: "kubelet", Host: pod.Node}, ReportingController: "kubelet", ReportingInstance: pod.Node,
	}
	if n%5 == 0 {
		e.Name, e.UID = fmt.Sprintf("%s.n%x", pod.Name, n), types.UID(fmt.Sprintf("e1000000-0000-4000-8000-%012d", n))
		e.Reason, e.Count, e.FirstTimestamp = "Unhealthy", 1, at
		e.Message = "Readiness probe failed: Get \"http://10.128.1.2:8080/healthz\": dial tcp 10.128.1.2:8080: connect: connection refused"
	}
	return e
}

// stormy is a library whose readers look at single events and at groups.
func stormy() *library {
	l := newLibrary()
	for i := range stormPods {
		p := stormPod(i)
		l.pods[p.UID] = p
	}
	last := func(ns int64) uint64 { return uint64(ns) }
	l.events.open(func() {}).SetQuery(Query[*Event]{Order: "last", Tie: newestFirst,
		Key: func(e *Event, _ uint8, _ Moment) uint64 { return last(e.Last.UnixNano()) }})
	l.groups.open(func() {}).SetQuery(Query[*EventGroup]{Order: "last",
		Tie: func(a, b *EventGroup) int { return strings.Compare(a.UID, b.UID) },
		Key: func(g *EventGroup, _ uint8, _ Moment) uint64 { return last(g.Last.UnixNano()) }})
	return l
}

// BenchmarkEventStorm is what an event of a storm costs from the bytes of the watch to the snapshots of both feeds, published
// eight times a second at 5,000 events a second. "book" is that without the decoding.
func BenchmarkEventStorm(b *testing.B) {
	const events, published = 30_000, 5000 / 8
	frames := make([][]byte, events)
	size := 0
	for n := range frames {
		frames[n] = framed(event(watch.Modified, storm(n)))
		size += len(frames[n])
	}
	stream := bytes.Join(frames, nil)
	b.Run("all", func(b *testing.B) {
		l := stormy()
		w := watcher(prunedCodecs, &endless{frame: stream})
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			_, o, err := w.Decode()
			if err != nil {
				b.Fatal(err)
			}
			l.tray.put(NewEvent(o.(*corev1.Event)))
			if n%published == 0 {
				l.publish()
			}
		}
		b.ReportMetric(float64(size)/events, "bytes-in")
	})
	b.Run("decode", func(b *testing.B) {
		w := watcher(prunedCodecs, &endless{frame: stream})
		b.ReportAllocs()
		for b.Loop() {
			_, o, _ := w.Decode()
			NewEvent(o.(*corev1.Event))
		}
	})
	b.Run("book", func(b *testing.B) {
		l := stormy()
		rows := make([]*Event, events)
		for n := range rows {
			rows[n] = NewEvent(storm(n))
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			row := *rows[n%events]
			l.tray.put(&row)
			if n%published == 0 {
				l.publish()
			}
		}
	})
}

// TestAMillionEventsAreCountedAndTakeBoundedRoom sends a storm of two hundred seconds.
func TestAMillionEventsAreCountedAndTakeBoundedRoom(t *testing.T) {
	if testing.Short() || raced { // all of it is in one goroutine
		t.Skip("a million events take three seconds, and half a minute under the race detector")
	}
	l := stormy()
	const events = 1_000_000
	sent := map[string]int{} // by reason and ReplicaSet
	counts := map[string]int{}
	sample := NewEvent(storm(1))
	probe := NewEvent(storm(0))
	for n := range events {
		pod := l.pods[fmt.Sprintf("00000001-0000-4000-8000-%012d", n%stormPods)]
		row := *sample
		if n%5 == 0 {
			row = *probe
			row.UID, row.First = fmt.Sprint("new-", n), l.now
		} else {
			row.UID = fmt.Sprint("old-", n%stormPods)
			counts[row.UID]++
			row.Count = counts[row.UID]
		}
		row.Object.Name, row.Object.UID, row.Last = pod.Name, pod.UID, l.now
		sent[row.Reason+" "+pod.OwnerName]++
		l.tray.put(&row)
		if n%5000 == 0 {
			l.now = l.now.Add(time.Second)
			l.publish()
			if n%100_000 == 0 {
				bounded(t, l)
			}
		}
	}
	l.publish()
	bounded(t, l)
	got := map[string]int{}
	for _, s := range l.groups.rows {
		got[s.row.Reason+" "+s.row.Subject.Name] = s.row.Count
	}
	if fmt.Sprint(got) != fmt.Sprint(sent) {
		t.Errorf("got  %v\nwant %v", got, sent)
	}
	said := l.told()
	equal(t, said.Count, events)
	equal(t, said.Events+said.Forgotten, events/5+len(counts))
}

// bounded checks that a book keeps no more than it may, anywhere.
func bounded(t *testing.T, l *library) {
	t.Helper()
	lists := 0
	l.index.lists.Range(func(_, list any) bool { lists += len(list.([]*Event)); return true })
	if len(l.singles) > 2*singlesMost || len(l.events.rows) != len(l.singles) || lists != len(l.singles) {
		t.Errorf("%d events are kept, in %d rows and %d places", len(l.singles), len(l.events.rows), lists)
	}
	if len(l.tallies) > 2*groupsMost || len(l.groups.rows) != len(l.tallies) {
		t.Errorf("%d groups are kept, in %d rows", len(l.tallies), len(l.groups.rows))
	}
	if n := l.remembered(); n > 2*forgottenMost {
		t.Errorf("%d are remembered", n)
	}
}

// TestGroupsWithoutEndAreBounded has every event be of a cause of its own.
func TestGroupsWithoutEndAreBounded(t *testing.T) {
	l := newLibrary()
	const events = 30_000
	for n := range events {
		e := podSaid(fmt.Sprint(n), fmt.Sprint("Reason", n), "stray", 2, 0)
		e.First, e.Last = noon, noon.Add(time.Duration(n)*time.Millisecond)
		l.tray.put(e)
		if n%700 == 0 {
			l.publish()
			bounded(t, l)
		}
	}
	l.publish()
	bounded(t, l)
	equal(t, l.told().Count, 2*events)
	equal(t, l.told().Events+l.told().Forgotten, events)
	for _, s := range l.groups.rows {
		if s.row.Last.Before(noon.Add((events - groupsMost) * time.Millisecond)) {
			t.Fatalf("a group of %v is kept", s.row.Last.Sub(noon))
		}
	}
	for key, waiting := range l.orphans {
		if len(waiting) > len(l.tallies) {
			t.Errorf("%d wait for %v", len(waiting), key)
		}
	}
}

// TestNothingIsCountedTwiceOnceMemoryEnds has more events be forgotten than can be remembered, and lists them all again: what may have been
// counted is not counted again, and what goes on is said to be at least that.
func TestNothingIsCountedTwiceOnceMemoryEnds(t *testing.T) {
	l := newLibrary()
	l.limits = eventLimits{singles: 10, groups: 10, forgotten: 20}
	l.has("web-1")
	list := func(count int) {
		for n := range 100 {
			e := podSaid(fmt.Sprint(n), "BackOff", "web-1", count, 0)
			e.First = noon.Add(time.Duration(n) * time.Minute)
			e.Last = e.First.Add(time.Duration(count-1) * 3 * time.Hour)
			l.tray.put(e)
			l.publish()
		}
	}
	list(1)
	l.shows(t, "Warning BackOff pod/web-1 x100")
	list(1)
	l.shows(t, "Warning BackOff pod/web-1 x100")
	list(2)
	l.shows(t, "Warning BackOff pod/web-1 x200+")
}

// TestEventsFromTheWireAreCheap bounds what an event costs from the frame of a watch to its row, and from there to the snapshots.
func TestEventsFromTheWireAreCheap(t *testing.T) {
	w := watcher(prunedCodecs, &endless{frame: framed(event(watch.Modified, storm(1)))})
	read := func() {
		_, o, err := w.Decode()
		if err != nil {
			t.Fatal(err)
		}
		NewEvent(o.(*corev1.Event))
	}
	if n := testing.AllocsPerRun(200, read); n > 45 {
		t.Errorf("reading takes %v allocations, want at most 45", n)
	}
	l := stormy()
	n := 0
	again := func() {
		for range 1000 {
			row := NewEvent(storm(n))
			l.tray.put(row)
			n++
		}
		l.publish()
	}
	made := testing.AllocsPerRun(1, func() {
		for i := range 1000 {
			NewEvent(storm(i))
		}
	})
	for range 5 {
		again()
	}
	if each := (testing.AllocsPerRun(5, again) - made) / 1000; each > 12 {
		t.Errorf("the book takes %.1f allocations an event, want at most 12", each)
	}
}
