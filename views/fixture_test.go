package views

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// noon is the moment at which fixtures are looked at.
var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

// ago is a time as the API has it, so long before noon.
func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// judged is what nodes and pods have in common: a place in the order of badness.
type judged interface {
	kube.Row
	Badness(kube.Moment) (rank uint8, until time.Time)
	Severity(kube.Moment) kube.Severity
}

// feed gives the rows that a test has put into it, as the last query wants them: a store that does everything at once,
// but only when it is told to.
type feed[R judged] struct {
	rows   []R
	state  kube.State
	moment kube.Moment
	asked  []kube.Query[R] // number 1 and on
	snap   *kube.Snapshot[R]
	closed bool
}

func newFeed[R judged](m kube.Moment, rows ...R) *feed[R] {
	return &feed[R]{rows: rows, moment: m, state: kube.State{Phase: kube.Live, Since: noon}, snap: &kube.Snapshot[R]{}}
}

func (f *feed[R]) Load() *kube.Snapshot[R] { return f.snap }
func (f *feed[R]) SetQuery(q kube.Query[R]) uint64 {
	f.asked = append(f.asked, q)
	return uint64(len(f.asked))
}
func (f *feed[R]) Follow(string) {}
func (f *feed[R]) Close()        { f.closed = true }

// publish answers the newest question, and the pane takes the snapshot.
func (f *feed[R]) publish(v View) []Effect { return f.answer(v, len(f.asked)) }

// answer makes the next snapshot, for the question of that number.
func (f *feed[R]) answer(v View, number int) []Effect {
	query := f.asked[number-1]
	var kept []R
	keys := map[R]uint64{}
	var counts [kube.Bad + 1]int
	for _, r := range f.rows {
		counts[r.Severity(f.moment)]++
		if query.Keep == nil || query.Keep(r, f.moment) {
			rank, _ := r.Badness(f.moment)
			keys[r] = query.Key(r, rank, f.moment)
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b R) int {
		switch {
		case keys[a] > keys[b]:
			return -1
		case keys[a] < keys[b]:
			return 1
		}
		return query.Tie(a, b)
	})
	s := kube.NewSnapshot(kept, f.moment)
	s.Version, s.Query, s.Total, s.BySeverity, s.State = f.snap.Version+1, uint64(number), len(f.rows), counts, f.state
	f.snap = s
	return v.Handle(Changed{})
}

// remove takes the row with that UID away.
func (f *feed[R]) remove(uid string) {
	f.rows = slices.DeleteFunc(f.rows, func(r R) bool { return r.Ref().UID == uid })
}

// shown gives the names of the rows as they stand.
func (f *feed[R]) shown() string {
	var names []string
	for i := range f.snap.Len() {
		names = append(names, f.snap.Row(i).Ref().Name)
	}
	return strings.Join(names, " ")
}

// node makes a node; change makes it interesting.
func node(name string, age time.Duration, change func(*corev1.Node)) *kube.Node {
	n := &corev1.Node{}
	n.Name, n.UID, n.CreationTimestamp = name, types.UID("uid-"+name), ago(age)
	n.Labels = map[string]string{"node-role.kubernetes.io/worker": "", corev1.LabelTopologyZone: "1a"}
	n.Status.Allocatable = corev1.ResourceList{
		"cpu": resource.MustParse("8"), "memory": resource.MustParse("32Gi"), "pods": resource.MustParse("110"),
	}
	n.Status.NodeInfo = corev1.NodeSystemInfo{
		KubeletVersion: "v1.36.3", OSImage: "Debian GNU/Linux 13", KernelVersion: "6.12.57", ContainerRuntimeVersion: "containerd://2.1.4",
	}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.8.1.1"}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(age)}}
	if change != nil {
		change(n)
	}
	return kube.NewNode(n)
}

func unready(status corev1.ConditionStatus, since time.Duration) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: status, LastTransitionTime: ago(since), LastHeartbeatTime: ago(since + time.Minute),
			Message: "container runtime is down",
		}}
	}
}

const day = 24 * time.Hour

// nodes are one of each kind.
func nodes() []*kube.Node {
	return []*kube.Node{
		node("worker-01", 212*day, nil),
		node("worker-02", 61*day, func(n *corev1.Node) {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
				Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, LastTransitionTime: ago(23 * time.Minute),
				Message: "kubelet has disk pressure",
			})
		}),
		node("worker-03", 30*day, func(n *corev1.Node) {
			added := ago(18 * time.Hour)
			n.Spec.Unschedulable = true
			n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: "NoSchedule", TimeAdded: &added}}
		}),
		node("worker-07", 90*day, unready(corev1.ConditionUnknown, 4*time.Minute)),
		node("gpu-03", 20*day, unready(corev1.ConditionFalse, 8*time.Minute)),
		node("worker-04", 212*day, nil),
	}
}

// pod makes a pod of one container, which has the name of what it is an example of.
func pod(namespace, name, on string, age time.Duration, change func(*corev1.Pod)) *kube.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID, p.CreationTimestamp = namespace, name, types.UID("uid-"+namespace+"/"+name), ago(age)
	p.Spec.NodeName = on
	p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("512Mi")},
	}}}
	controller := true
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "app-7d9f", Controller: &controller}}
	p.Status.Phase, p.Status.QOSClass, p.Status.PodIP = corev1.PodRunning, corev1.PodQOSBurstable, "10.244.0.7"
	p.Status.PodIPs = []corev1.PodIP{{IP: "10.244.0.7"}}
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: ago(age)},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(age)},
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(age)}},
	}}
	if change != nil {
		change(p)
	}
	return kube.NewPod(p)
}

func crashing(p *corev1.Pod) {
	p.Status.Conditions[1].Status = corev1.ConditionFalse
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", RestartCount: 4,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 2m40s"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", FinishedAt: ago(41 * time.Second), Message: "lookup cart-2.cart: no such host",
		}},
	}}
}

func unscheduled(p *corev1.Pod) {
	p.Status.Phase, p.Status.ContainerStatuses, p.Status.PodIP, p.Status.PodIPs = corev1.PodPending, nil, "", nil
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: "0/6 nodes are available: 6 Insufficient memory.", LastTransitionTime: ago(8 * time.Minute),
	}}
}

// pods are some of each kind, two under one name.
func pods() []*kube.Pod {
	return []*kube.Pod{
		pod("shop", "web-b", "worker-01", 3*day, nil),
		pod("shop", "web-a", "worker-01", 3*day, nil),
		pod("payments", "web-a", "worker-02", 5*day, nil),
		pod("shop", "checkout", "worker-02", 19*time.Hour, crashing),
		pod("search", "indexer", "", 8*time.Minute, unscheduled),
		pod("shop", "cart-2", "worker-07", 41*day, nil),
	}
}

// beside is the moment of the fixtures: what every node carries, uses and says.
func beside() kube.Moment {
	return kube.Moment{
		Now: noon, Complete: true,
		Usage: &kube.Usage{
			NodesAt: noon.Add(-10 * time.Second),
			Nodes:   map[string]kube.Use{"worker-01": {CPU: 4000, Memory: 8 << 30}, "worker-02": {CPU: 800, Memory: 16 << 30}},
			Pods: kube.NewPodUses(map[kube.PodKey]kube.Use{
				{Namespace: "shop", Name: "web-a"}: {CPU: 30, Memory: 100 << 20}, {Namespace: "shop", Name: "web-b"}: {CPU: 300, Memory: 90 << 20},
			}),
		},
		Loads: map[string]kube.Load{
			"worker-01": {Pods: 2, CPURequests: 500, MemRequests: 4 << 30}, "worker-02": {Pods: 3, CPURequests: 2000, MemRequests: 1 << 30},
			"worker-07": {Pods: 1, CPURequests: 250, MemRequests: 512 << 20},
		},
		Nodes: map[string]kube.NodeState{
			"worker-01": {Ready: true}, "worker-02": {Ready: true}, "worker-07": {Silent: true, SilentSince: noon.Add(-4 * time.Minute)},
		},
	}
}

// nodesPane is the pane with the fixtures in it.
func nodesPane() (View, *feed[*kube.Node]) {
	f := newFeed(beside(), nodes()...)
	v := NewNodes(f, nil)
	f.publish(v)
	return v, f
}

func podsPane() (View, *feed[*kube.Pod]) {
	f := newFeed(beside(), pods()...)
	v := NewPods(f, nil)
	f.publish(v)
	return v, f
}

func painter() *themes.Painter {
	return themes.Compile(themes.Builtin()[0], themes.Options{Dark: true, Profile: colorprofile.TrueColor, UTF8: true})
}

func frame() Frame {
	return Frame{
		Now: noon, Focused: true, Alone: true, Paint: painter(), Key: keymap.Default().Key,
		Health: kube.Health{Known: true, Up: true, LastContact: noon},
	}
}

func drawn(v View, s Size, f Frame) string {
	var b strings.Builder
	v.Draw(&b, s, f)
	return b.String()
}

func press(v View, ids ...keymap.ID) []Effect {
	var last []Effect
	for _, id := range ids {
		last = v.Handle(Intent{id})
	}
	return last
}

// under is the name of the row under the cursor, as the strip has it.
func under(v View) string { return v.Strip(noon).Name }

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
