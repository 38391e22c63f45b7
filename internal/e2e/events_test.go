package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/internal/text"
	"ktriage/kube"
)

// listener is an events pane without a screen.
type listener struct {
	*cluster
	t    *testing.T
	kube *kube.Cluster
	feed *kube.Feed[*kube.Event]
}

// listen reads the events that a kubeconfig may read, until the test ends.
func (c *cluster) listen(t *testing.T, kubeconfig string) *listener {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &kubeconfig
	k, err := kube.Connect(kube.Options{Flags: flags, UserAgent: "ktriage-e2e/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	h := &listener{c, t, k, k.EventFeed()}
	h.feed.SetQuery(kube.Query[*kube.Event]{ // oldest first, as kubectl prints them
		Key: func(e *kube.Event, _ uint8, _ kube.Moment) uint64 { return ^uint64(e.Last.UnixNano()) },
		Tie: func(a, b *kube.Event) int { return strings.Compare(a.UID, b.UID) },
	})
	k.Start(t.Context(), kube.Nodes|kube.Pods|kube.Workloads|kube.Events)
	h.await("events to be read", func(s *kube.Snapshot[*kube.Event]) bool { return s.State.Phase == kube.Live })
	return h
}

func (h *listener) await(what string, holds func(*kube.Snapshot[*kube.Event]) bool) {
	h.t.Helper()
	if !within(soon, func() bool { return holds(h.feed.Load()) }) {
		h.t.Fatalf("waited for %s in vain; %d events, %+v", what, h.feed.Load().Len(), h.feed.Load().State)
	}
}

// event waits for one event object that is as it should be.
func (h *listener) event(namespace, name string, holds func(*kube.Event) bool) *kube.Event {
	h.t.Helper()
	var found *kube.Event
	h.await("event "+namespace+"/"+name, func(s *kube.Snapshot[*kube.Event]) bool {
		for i := range s.Len() {
			if e := s.Row(i); e.Namespace == namespace && e.Name == name && holds(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// lines are the events as kubectl tells them, the oldest first: those of one moment in no order.
func (h *listener) lines() []string {
	var out []string
	s := h.feed.Load()
	for i := range s.Len() {
		if e := s.Row(i); !e.Expired {
			out = append(out, fmt.Sprintf("%s %s %s %s %s/%s x%d", e.Last.UTC().Format(time.RFC3339Nano), e.Namespace, e.Type, e.Reason,
				e.Object.Kind, e.Object.Name, e.Count))
		}
	}
	return out
}

// kubectlLines are those of `kubectl events`, whose order is that of its output.
func (h *listener) kubectlLines(args ...string) []string {
	var list corev1.EventList
	if err := json.Unmarshal([]byte(h.kubectl(h.t, append([]string{"events", "-o", "json"}, args...)...)), &list); err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		last, count := e.LastTimestamp.Time, max(1, e.Count)
		if last.IsZero() {
			last = e.EventTime.Time
		}
		if e.Series != nil {
			last, count = e.Series.LastObservedTime.Time, e.Series.Count
		}
		out = append(out, fmt.Sprintf("%s %s %s %s %s/%s x%d", last.UTC().Format(time.RFC3339Nano), e.Namespace, e.Type, text.Clean(e.Reason),
			e.InvolvedObject.Kind, e.InvolvedObject.Name, count))
	}
	return out
}

// moments are the times of lines, in their order.
func moments(lines []string) []string {
	var out []string
	for _, l := range lines {
		at, _, _ := strings.Cut(l, " ")
		out = append(out, at)
	}
	return out
}

func TestEventsAreThoseOfKubectlInOrderAndCount(t *testing.T) {
	h := incident.listen(t, incident.kubeconfig())
	var ours, theirs []string
	same := func() bool {
		theirs, ours = h.kubectlLines("-A"), h.lines()
		return slices.Equal(moments(ours), moments(theirs)) && slices.Equal(slices.Sorted(slices.Values(ours)), slices.Sorted(slices.Values(theirs)))
	}
	if !within(soon, same) { // something may be said between the two readings
		t.Fatalf("%d events of ours, %d of kubectl:\n%s", len(ours), len(theirs), cmp.Diff(moments(theirs), moments(ours))+
			cmp.Diff(slices.Sorted(slices.Values(theirs)), slices.Sorted(slices.Values(ours))))
	}
	t.Logf("%d events, the last: %s", len(ours), ours[len(ours)-1])
	sorted := strings.Count(h.kubectl(t, "get", "events", "-A", "--sort-by=.lastTimestamp", "--no-headers"), "\n")
	if now := len(h.lines()); now < sorted-5 || now > sorted+5 {
		t.Errorf("%d events, kubectl get says %d", now, sorted)
	}
}

// own makes a namespace that goes with the test.
func (c *cluster) own(t *testing.T) string {
	t.Helper()
	ns := fmt.Sprintf("events-%06x", rand.N(1<<24))
	c.kubectl(t, "create", "namespace", ns)
	t.Cleanup(func() { c.kubectl(t, "delete", "namespace", ns, "--wait=false") })
	return ns
}

// apply makes objects of YAML.
func (h *listener) apply(verb, yaml string) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "objects.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.kubectl(h.t, verb, "-f", path)
}

func TestEventOfTheNewAPIIsASeriesThatMayBeBehind(t *testing.T) {
	ns := incident.own(t)
	h := incident.listen(t, incident.kubeconfig())
	const event = `
apiVersion: events.k8s.io/v1
kind: Event
metadata: {name: slow.1, namespace: %[1]s}
eventTime: "2026-01-02T03:04:05.000006Z"
reportingController: example.com/prober
reportingInstance: example.com/prober-worker-01
action: Probing
reason: Slow
type: Warning
regarding: {kind: ConfigMap, namespace: %[1]s, name: settings}
note: "two\nlines"
%[2]s`
	h.apply("create", fmt.Sprintf(event, ns, ""))
	e := h.event(ns, "slow.1", func(*kube.Event) bool { return true })
	if e.Count != 1 || e.AtLeast || e.Message != "two lines" || e.From != "example.com/prober" || !e.First.Equal(e.Last) {
		t.Errorf("%+v", e)
	}
	h.apply("replace", fmt.Sprintf(event, ns, `series: {count: 57, lastObservedTime: "2026-01-02T03:34:05.000007Z"}`))
	e = h.event(ns, "slow.1", func(e *kube.Event) bool { return e.Count == 57 })
	if !e.AtLeast || e.Last.Sub(e.First) != 30*time.Minute+time.Microsecond {
		t.Errorf("%+v", e)
	}
	if list := h.kube.EventsOf(kube.Ref{Namespace: ns, Name: "settings"}); len(list) != 0 { // not a kind of ours
		t.Errorf("%d events of a nameless kind", len(list))
	}
}

func TestEventThatIsReallyDeletedStays(t *testing.T) {
	ns := incident.own(t)
	h := incident.listen(t, incident.kubeconfig())
	h.apply("create", fmt.Sprintf(`
apiVersion: v1
kind: Event
metadata: {name: gone.1, namespace: %[1]s}
involvedObject: {kind: Pod, namespace: %[1]s, name: web-1, uid: 00000000-0000-4000-8000-00000000aaaa}
reason: BackOff
type: Warning
count: 7
firstTimestamp: "2026-01-02T03:04:05Z"
lastTimestamp: "2026-01-02T03:14:05Z"
message: back-off`, ns))
	h.event(ns, "gone.1", func(e *kube.Event) bool { return !e.Expired && e.Count == 7 })
	before := h.kube.Moment().Said
	h.kubectl(t, "delete", "event", "gone.1", "-n", ns)
	e := h.event(ns, "gone.1", func(e *kube.Event) bool { return e.Expired })
	if after := h.kube.Moment().Said; after.Count < before.Count {
		t.Errorf("%d have been said, %d before it was deleted", after.Count, before.Count)
	}
	if list := h.kube.EventsOf(e.Object.Ref()); len(list) != 1 || list[0] != e {
		t.Errorf("events of the pod: %v", list)
	}
}

func TestWhoMayReadOneNamespaceHearsOfThatOne(t *testing.T) {
	ns := incident.own(t)
	config := incident.user(t, "hearer", ns, "--verb=get,list,watch", "--resource=pods,events")
	h := incident.listen(t, config)
	incident.kubectl(t, "create", "deployment", "web", "-n", ns, "--image=registry.example/web:v1", "--replicas=2")
	h.await("events of the pods", func(s *kube.Snapshot[*kube.Event]) bool { return s.Len() >= 4 })
	s := h.feed.Load()
	for i := range s.Len() {
		if e := s.Row(i); e.Namespace != ns {
			t.Errorf("an event of %s", e.Namespace)
		}
	}
	groups := h.kube.EventGroupFeed()
	groups.SetQuery(kube.Query[*kube.EventGroup]{Tie: func(a, b *kube.EventGroup) int { return strings.Compare(a.UID, b.UID) }})
	owned := func() bool {
		s := groups.Load()
		for i := range s.Len() {
			if g := s.Row(i); g.Reason == "Scheduled" && g.By == kube.ByOwner && g.Objects == 2 && g.Subject.Kind == "ReplicaSet" {
				return true
			}
		}
		return false
	}
	if !within(soon, owned) {
		t.Error("the pods of the ReplicaSet have no group")
	}
}

func TestWhoMayReadEventsOfHisNamespaceAloneIsToldSo(t *testing.T) {
	ns := incident.own(t)
	config := incident.user(t, "half", ns, "--verb=get,list,watch", "--resource=events")
	incident.kubectl(t, "create", "clusterrole", ns, "--verb=get,list,watch", "--resource=pods,nodes")
	t.Cleanup(func() { incident.kubectl(t, "delete", "clusterrole,clusterrolebinding", ns) })
	incident.kubectl(t, "create", "clusterrolebinding", ns, "--clusterrole="+ns, "--serviceaccount="+ns+":half")
	incident.kubectl(t, "create", "deployment", "web", "-n", ns, "--image=registry.example/web:v1")
	h := incident.listen(t, config)
	h.await("its own events", func(s *kube.Snapshot[*kube.Event]) bool { return s.Len() >= 2 })
	if st := h.feed.Load().State; !h.kube.Scope().All() || st.MissingWhat() != "events of other namespaces" || st.WhyMissing() != "not allowed" {
		t.Errorf("scope %v, %+v", h.kube.Scope(), st)
	}
}

func TestReadingEventsIsOneRequest(t *testing.T) {
	agent := "ktriage-e2e/" + t.Name()
	before := len(incident.requests(t, agent))
	incident.listen(t, incident.kubeconfig())
	var asked []string
	for _, r := range incident.requests(t, agent)[before:] {
		if r.ObjectRef.Resource == "events" {
			asked = append(asked, r.Verb+" "+r.RequestURI)
		}
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "sendInitialEvents=true") {
		t.Errorf("asked for events with %q", asked)
	}
}
