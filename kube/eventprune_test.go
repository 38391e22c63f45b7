package kube

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fullEvent makes the i-th of many events that have everything, or lack some of their times and components.
func fullEvent(i int) *corev1.Event {
	e := full(&corev1.Event{}, i).(*corev1.Event)
	if i%5 > 0 {
		e.Series = nil
	}
	if i%3 > 0 {
		e.FirstTimestamp, e.LastTimestamp = metav1.Time{}, metav1.Time{}
	}
	if i%4 > 1 {
		e.EventTime = metav1.MicroTime{}
	}
	if i%7 > 3 {
		e.Source.Host, e.ReportingController = "", "kubelet"
	}
	if i%7 == 0 {
		e.ReportingController = ""
	}
	return e
}

func TestRowsOfPrunedEventsAreThoseOfFullOnes(t *testing.T) {
	for i := range 500 {
		e := fullEvent(i)
		whole, pruned := arrived(t, plainCodecs, e).(*corev1.Event), arrived(t, prunedCodecs, e).(*corev1.Event)
		if diff := cmp.Diff(NewEvent(whole), NewEvent(pruned)); diff != "" {
			t.Fatalf("the row of an event needs a field that is pruned:\n%s", diff)
		}
		if whole.ResourceVersion != pruned.ResourceVersion || len(pruned.ManagedFields)+len(pruned.Labels) > 0 {
			t.Fatalf("version %q, %d labels", pruned.ResourceVersion, len(pruned.Labels))
		}
	}
}

// TestEveryFieldOfAnEventThatStaysIsReadByItsRow holds the test above to its word.
func TestEveryFieldOfAnEventThatStaysIsReadByItsRow(t *testing.T) {
	informer := []string{"1.6", "1.12"} // metadata.resourceVersion, and the annotation of bookmarks
	var all []subject
	for i := range 500 {
		all = append(all, subjectOf(fullEvent(i), func(raw []byte) any { return NewEvent(unmarshalled(&corev1.Event{}, raw)) }))
	}
	for path, tree := range without(keptEvent) {
		if !slices.Contains(informer, path) && !changesOne(all, tree) {
			t.Errorf("no row of an event needs field %s", path)
		}
	}
}
