package load

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Storm is what is said of a fleet that crash-loops: of the first pods of a loaded cluster, in the order in which it is said.
// Everything in it follows from the number of the saying alone, so that whoever counts knows what there must be.
type Storm struct {
	Pods, Nodes int
	Rate        int       // a second
	Began       time.Time // when the first one was said
}

// kind is what a kubelet, or the scheduler, says again and again of a pod.
type kind struct {
	reason, eventType string
	field             string
	message           func(subject) string
	perObject         int // after so many of them the recorder makes another object: the message is another one; 0 is never
}

// subject is what a message is about.
type subject struct {
	namespace, pod string
	uid            types.UID
	object         int // which of the event objects about it
	nodes          int // of the cluster
}

const app0 = "spec.containers{app}"

var (
	pulled = &kind{"Pulled", corev1.EventTypeNormal, app0, func(subject) string {
		return `Container image "registry.example/shop/app:v42" already present on machine and can be accessed by the pod`
	}, 0}
	created   = &kind{"Created", corev1.EventTypeNormal, app0, func(subject) string { return "Container created" }, 0}
	started   = &kind{"Started", corev1.EventTypeNormal, app0, func(subject) string { return "Container started" }, 0}
	unhealthy = &kind{"Unhealthy", corev1.EventTypeWarning, app0, func(s subject) string {
		return fmt.Sprintf("Readiness probe failed: Get \"http://10.128.7.9:8080/ready\": read tcp 10.128.7.1:%d->10.128.7.9:8080: read: connection reset by peer", 32768+s.object)
	}, 4}
	backOff = &kind{"BackOff", corev1.EventTypeWarning, app0, func(s subject) string {
		return fmt.Sprintf("Back-off restarting failed container app in pod %s_%s(%s)", s.pod, s.namespace, s.uid)
	}, 0}
	// unschedulable is said by the scheduler, whose recorder is of the new style.
	unschedulable = &kind{"FailedScheduling", corev1.EventTypeWarning, "", func(s subject) string {
		return fmt.Sprintf("0/%[1]d nodes are available: %[1]d Insufficient memory. preemption: 0/%[1]d nodes are available: "+
			"%[1]d No preemption victims found for incoming pods.", s.nodes)
	}, 0}
)

// round is what a kubelet says of a pod between two of its starts, one in each round through all pods.
var round = [...]*kind{pulled, created, started, unhealthy, backOff, backOff, backOff, unhealthy, backOff, backOff}

// said is the k-th saying: which pod, what, and how often it was said of that pod before.
func (s Storm) said(k int) (pod int, what *kind, before int) {
	pod, n := int(int64(k)*stride%int64(s.Pods)), k/s.Pods
	if waits(pod) {
		return pod, unschedulable, n
	}
	what = round[n%len(round)]
	for i, w := range round {
		if w == what {
			before += n / len(round)
			if i < n%len(round) {
				before++
			}
		}
	}
	return pod, what, before
}

// object says which of the event objects about the same pod and reason it is in, and how often that says it now.
func (k *kind) object(before int) (object, count int) {
	if k.perObject == 0 {
		return 0, before + 1
	}
	return before / k.perObject, before%k.perObject + 1
}

// at is when the k-th thing is said.
func (s Storm) at(k int) time.Time {
	return s.Began.Add(time.Duration(float64(k) / float64(s.Rate) * float64(time.Second)))
}

// first is the number of the saying that made the event object in which the k-th is the count-th.
func (s Storm) first(k, count int) int {
	pod, what, _ := s.said(k)
	n := k / s.Pods
	for ; count > 1; count-- {
		for n--; !waits(pod) && round[n%len(round)] != what; n-- {
		}
	}
	return n*s.Pods + k%s.Pods
}

// Event gives the event object as the k-th saying leaves it, and whether it makes it.
func (s Storm) Event(k int) (e *corev1.Event, makes bool) {
	i, what, before := s.said(k)
	object, count := what.object(before)
	namespace, name, _ := PodName(i)
	since, now := s.at(s.first(k, count)), s.at(k)
	e = &corev1.Event{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: fmt.Sprintf("%s.%x", name, since.UnixNano()), // as tools/record names it
			UID:               types.UID(fmt.Sprintf("%08x-%04x-4%03x-8000-%012x", uint32(s.Began.Unix()), s.index(what), object&0xfff, i)),
			CreationTimestamp: metav1.NewTime(since.Truncate(time.Second)),
		},
		InvolvedObject: corev1.ObjectReference{
			Kind: "Pod", APIVersion: "v1", Namespace: namespace, Name: name, UID: uid('b', i), ResourceVersion: "2", FieldPath: what.field,
		},
		Type: what.eventType, Reason: what.reason,
		Message: what.message(subject{namespace, name, uid('b', i), object, s.Nodes}),
	}
	if what == unschedulable {
		newStyle(e, since, now, count)
	} else {
		s.oldStyle(e, i, since, now, count)
	}
	return e, count == 1
}

// index tells the kinds apart.
func (s Storm) index(what *kind) int { return slices.Index(round[:], what) + 1 }

// oldStyle is how client-go's tools/record writes: the count and the last time are patched.
func (s Storm) oldStyle(e *corev1.Event, pod int, since, now time.Time, count int) {
	e.Source = corev1.EventSource{Component: "kubelet", Host: NodeOf(pod, s.Nodes)}
	e.ReportingController, e.ReportingInstance = "kubelet", e.Source.Host
	e.FirstTimestamp, e.LastTimestamp = metav1.NewTime(since.Truncate(time.Second)), metav1.NewTime(now.Truncate(time.Second))
	e.Count = int32(count)
	e.ManagedFields = managed("kubelet", since, 4)
}

// newStyle is how client-go's tools/events writes: what is said again is a series.
func newStyle(e *corev1.Event, since, now time.Time, count int) {
	e.ReportingController, e.ReportingInstance, e.Action = "default-scheduler", "default-scheduler-cp-1", "Scheduling"
	e.EventTime = metav1.NewMicroTime(since.Truncate(time.Microsecond))
	if count > 1 {
		e.Series = &corev1.EventSeries{Count: int32(count), LastObservedTime: metav1.NewMicroTime(now.Truncate(time.Microsecond))}
	}
	e.ManagedFields = managed("kube-scheduler", since, 4)
}

// StormCount is what was said of the pods of one ReplicaSet, with one reason.
type StormCount struct {
	Reason    string `json:"reason"`
	Type      string `json:"type"`
	Namespace string `json:"namespace"`
	Owner     string `json:"owner"`   // the ReplicaSet
	Count     int    `json:"count"`   // how often it was said
	Objects   int    `json:"objects"` // in how many event objects
	Pods      int    `json:"pods"`    // of how many pods
}

// Counts gives what the first n sayings were, by reason and owner, in the order of their names.
func (s Storm) Counts(n int) []StormCount {
	type key struct{ reason, namespace, owner string }
	counts := map[key]*StormCount{}
	for k := range n {
		pod, what, before := s.said(k)
		id := key{what.reason, podNamespace(pod), replicaSet(pod)}
		c := counts[id]
		if c == nil {
			c = &StormCount{Reason: what.reason, Type: what.eventType, Namespace: id.namespace, Owner: id.owner}
			counts[id] = c
		}
		c.Count++
		if _, count := what.object(before); count == 1 {
			c.Objects++
		}
		if before == 0 {
			c.Pods++
		}
	}
	out := make([]StormCount, 0, len(counts))
	for _, c := range counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b StormCount) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner))
	})
	return out
}
