package load

import (
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestWhatAStormLeavesBehindIsWhatItSaysItSaid(t *testing.T) {
	s := Storm{Pods: 320, Nodes: 7, Rate: 100, Began: now}
	for _, n := range []int{0, 1, 319, 320, 5000, 17_777} {
		left := map[string]*corev1.Event{}
		for k := range n {
			e, makes := s.Event(k)
			key := e.Namespace + "/" + e.Name
			if was := left[key]; makes != (was == nil) || was != nil && (was.UID != e.UID || occurrences(e) != occurrences(was)+1 || said(e).Before(said(was))) {
				t.Fatalf("the %d-th makes=%t %v after %v", k, makes, e, was)
			}
			left[key] = e
		}
		type id struct{ reason, namespace string }
		counts, objects, told, toldObjects := map[id]int{}, map[id]int{}, map[id]int{}, map[id]int{}
		for _, e := range left {
			counts[id{e.Reason, e.Namespace}] += occurrences(e)
			objects[id{e.Reason, e.Namespace}]++
		}
		for _, c := range s.Counts(n) {
			told[id{c.Reason, c.Namespace}] += c.Count
			toldObjects[id{c.Reason, c.Namespace}] += c.Objects
		}
		if !maps.Equal(counts, told) || !maps.Equal(objects, toldObjects) {
			t.Errorf("after %d: left %v in %v, told %v in %v", n, counts, objects, told, toldObjects)
		}
	}
}

// occurrences and said are how often and when last, in the style of its recorder.
func occurrences(e *corev1.Event) int {
	switch {
	case e.Series != nil:
		return int(e.Series.Count)
	case e.Count > 0:
		return int(e.Count)
	}
	return 1
}

func said(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

func TestAStormIsAboutPodsThatAreThere(t *testing.T) {
	s := Storm{Pods: 1000, Nodes: 9, Rate: 100, Began: now}
	pods := map[types.UID]*corev1.Pod{}
	for i := range s.Pods {
		p := pod(i, s.Nodes, now)
		pods[p.UID] = p
	}
	styles := map[bool]int{}
	for k := range 3 * s.Pods {
		e, _ := s.Event(k)
		p := pods[e.InvolvedObject.UID]
		if p == nil || p.Name != e.InvolvedObject.Name || p.Namespace != e.InvolvedObject.Namespace || e.Namespace != p.Namespace {
			t.Fatalf("%+v is about no pod that was loaded", e.InvolvedObject)
		}
		if e.Source.Component == "kubelet" && e.Source.Host != p.Spec.NodeName {
			t.Fatalf("the kubelet of %s speaks of a pod on %s", e.Source.Host, p.Spec.NodeName)
		}
		styles[e.EventTime.IsZero()]++
	}
	if styles[true] == 0 || styles[false] == 0 {
		t.Errorf("%d events of the old style, %d of the new one", styles[true], styles[false])
	}
}

func TestNoTwoWritesOnTheirWayAreOfOneEvent(t *testing.T) {
	o := StormOptions{Rate: 1, For: time.Second, Batch: 20, Pods: stormWriters * 20}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	s := Storm{Pods: o.Pods, Nodes: 3, Rate: 100, Began: now}
	for first := 0; first < 5*o.Pods; first += 37 {
		var names []string
		for k := first; k < first+stormWriters*o.Batch; k++ {
			e, _ := s.Event(k)
			names = append(names, e.Namespace+"/"+e.Name)
		}
		slices.Sort(names)
		if different := len(slices.Compact(names)); different != stormWriters*o.Batch {
			t.Fatalf("%d events in %d writes from %d on", different, stormWriters*o.Batch, first)
		}
	}
	o.Pods--
	if o.Check() == nil {
		t.Error("fewer pods were taken")
	}
}

func TestAReportSumsUpToWhatWasWritten(t *testing.T) {
	r := Storm{Pods: 400, Nodes: 5, Rate: 10, Began: now}.Report(9001, time.Minute)
	sum := 0
	for _, c := range r.Counts {
		sum += c.Count
		if c.Count < c.Objects || c.Objects < 1 || c.Pods < 1 || c.Pods > 40 {
			t.Errorf("%+v", c)
		}
	}
	if sum != 9001 || r.Written != 9001 || r.Seconds != 60 {
		t.Errorf("written %d in %.0f s, counted %d", r.Written, r.Seconds, sum)
	}
}
