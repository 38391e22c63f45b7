package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"ktriage/internal/audit"
	"ktriage/internal/logs"
	"ktriage/internal/safe"
	"ktriage/internal/termtest"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/cordon"
	"ktriage/kube/csr"
	"ktriage/kube/deadnode"
	"ktriage/kube/drain"
	"ktriage/kube/evict"
	"ktriage/kube/kubetest"
	"ktriage/kube/remove"
	"ktriage/kube/rollout"
	"ktriage/kube/scale"
	"ktriage/themes"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the screens of the tests show times
	os.Exit(m.Run())
}

// session is the whole program in virtual time: a cluster at one end, a terminal at the other.
type session struct {
	*termtest.Terminal
	*kubetest.Server
	t    *testing.T
	app  *App
	deps Deps
	book *audit.Log
	dir  string // of the audit log
	stop context.CancelFunc
	done chan error
}

// inSession runs a test with the program, which has not been started yet.
func inSession(t *testing.T, w, h int, test func(s *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		theme, err := themes.ByName("auto")
		if err != nil {
			t.Fatal(err)
		}
		s := &session{Terminal: termtest.New(w, h), Server: kubetest.New(), t: t, done: make(chan error, 1)}
		cluster := kube.New(s.Clients(), "prod-tokyo", "shop", []string{metav1.NamespaceAll}, nil)
		cluster.SetCertState(kube.Live, time.Now()) // nobody looks for certificates here: a test puts those that it wants
		dir := t.TempDir()
		book, err := audit.Open(dir, "bastion", "test")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = book.Close() }()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s.book, s.dir = book, dir
		s.deps = Deps{
			Cluster: cluster, Runner: action.New(ctx, cluster, kinds(), book, action.Settings{}), Keys: keymap.Default(), Theme: theme, Background: "dark", Color: "256", UTF8: true,
			Messages: logs.NewRing(100), Options: s.Options(),
		}
		defer s.Close()
		defer s.end()
		test(s)
	})
}

// kinds are the actions of the program.
func kinds() []action.Kind {
	return []action.Kind{
		cordon.New(true), cordon.New(false),
		drain.New(func(p *drain.Plan) action.Work { return evict.New(p, cordon.Set, drain.Read) }),
		deadnode.NewDelete(), deadnode.NewTaint(true), deadnode.NewTaint(false),
		remove.NewDelete(), remove.NewForce(), remove.NewFinalizers(),
		scale.New(), scale.NewRetain(),
		rollout.NewRestart(), rollout.NewRollBack(), rollout.NewPause(true), rollout.NewPause(false),
		csr.New(true), csr.New(false),
	}
}

// start starts the program and lets it show what the cluster has.
func (s *session) start() {
	ctx, stop := context.WithCancel(s.t.Context())
	s.stop = stop
	s.Wait(time.Second / 4) // between two seconds, as one mostly is: what a clock shows must not hang on who comes first
	s.app = newApp(ctx, s.deps)
	go func() {
		s.done <- s.app.show(ctx, s.deps)
		stop()
	}()
	s.Wait(time.Second)
}

// end ends the program, if it has been started and has not ended by itself, and gives Bubble Tea's timers the time to
// run out: they cannot be stopped.
func (s *session) end() {
	if s.app == nil {
		return
	}
	s.stop()
	if bug, ok := errors.AsType[*safe.Panic](<-s.done); ok {
		s.t.Error(bug)
	}
	s.Wait(10 * time.Second)
}

// sees fails the test unless the screen shows all of the texts.
func (s *session) sees(texts ...string) {
	s.t.Helper()
	screen := s.Screen()
	for _, want := range texts {
		if !strings.Contains(screen, want) {
			s.t.Errorf("%q is not on the screen:\n%s", want, screen)
		}
	}
}

// misses fails the test if the screen shows one of the texts.
func (s *session) misses(texts ...string) {
	s.t.Helper()
	screen := s.Screen()
	for _, bad := range texts {
		if strings.Contains(screen, bad) {
			s.t.Errorf("%q is on the screen:\n%s", bad, screen)
		}
	}
}

// line gives the first line of the screen that holds a text, "" if none does.
func (s *session) line(text string) string {
	for l := range strings.SplitSeq(s.Screen(), "\n") {
		if strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

func ago(d time.Duration) metav1.Time { return metav1.NewTime(time.Now().Add(-d)) }

// node makes a node that is well; edits make it otherwise.
func node(name string, edits ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: ago(240 * time.Hour)}}
	n.Labels = map[string]string{"kubernetes.io/hostname": name}
	n.Status.Allocatable = corev1.ResourceList{
		"cpu": resource.MustParse("4"), "memory": resource.MustParse("16Gi"), "pods": resource.MustParse("110"),
	}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.NodeInfo = corev1.NodeSystemInfo{
		KubeletVersion: "v1.36.3", OSImage: "Debian GNU/Linux 12", KernelVersion: "6.1.0", ContainerRuntimeVersion: "containerd://2.1.4",
	}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.7"}}
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status",
		LastHeartbeatTime: ago(0), LastTransitionTime: ago(200 * time.Hour),
	}}
	for _, edit := range edits {
		edit(n)
	}
	return n
}

func silent(n *corev1.Node) {
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown",
		Message:           "Kubelet stopped posting node status.",
		LastHeartbeatTime: ago(6 * time.Minute), LastTransitionTime: ago(5 * time.Minute),
	}}
	n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}}
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func pressed(n *corev1.Node) {
	n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
		Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasInsufficientMemory",
		Message: "kubelet has insufficient memory available", LastTransitionTime: ago(4 * time.Minute),
	})
}

// pod makes a running pod; edits make it otherwise.
func pod(namespace, name, node string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), CreationTimestamp: ago(3 * time.Hour),
	}}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "shop/app:1.4", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")},
	}}}
	p.Status.Phase = corev1.PodRunning
	for _, c := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		p.Status.Conditions = append(p.Status.Conditions,
			corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: ago(3 * time.Hour)})
	}
	started := true
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Ready: true, Started: &started,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(3 * time.Hour)}},
	}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func unready(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].Ready = false
	for i := range p.Status.Conditions[2:] {
		p.Status.Conditions[2+i].Status = corev1.ConditionFalse
	}
}

func crashing(p *corev1.Pod) {
	unready(p)
	s := &p.Status.ContainerStatuses[0]
	s.RestartCount = 17
	s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container",
	}}
	s.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 1, Reason: "Error", Message: "dial tcp 10.96.0.12:5432: connection refused", FinishedAt: ago(2 * time.Minute),
	}}
}

func unschedulable(p *corev1.Pod) {
	p.Spec.NodeName = ""
	p.Status.Phase = corev1.PodPending
	p.Status.ContainerStatuses = nil
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: "0/4 nodes are available: 4 Insufficient cpu.", LastTransitionTime: ago(9 * time.Minute),
	}}
}

func terminating(p *corev1.Pod) {
	at, grace := ago(4*time.Minute), int64(30)
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
}

// incident fills the cluster: four nodes of which one is silent, one cordoned and one short of memory, and pods of which
// some are not well. extra well pods are added.
func (s *session) incident(extra int) {
	s.Put(node("worker-1"), node("worker-2", silent), node("worker-3", cordoned), node("worker-4", pressed))
	s.Put(
		pod("shop", "checkout-7d9f8c6b5-x2k4q", "worker-1", crashing),
		pod("shop", "cart-0", "worker-2", terminating),
		pod("shop", "search-5f6d7c8b9-abcde", "", unschedulable),
		pod("pay", "ledger-0", "worker-4", unready),
		pod("pay", "ledger-1", "worker-1"),
		pod("kube-system", "proxy-worker-2", "worker-2"),
	)
	for i := range extra {
		s.Put(pod("batch", fmt.Sprintf("job-%04d", i), "worker-1"))
	}
	s.Measure([]metricsv1beta1.NodeMetrics{
		{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}, Usage: corev1.ResourceList{"cpu": resource.MustParse("1200m"), "memory": resource.MustParse("6Gi")}},
		{ObjectMeta: metav1.ObjectMeta{Name: "worker-4"}, Usage: corev1.ResourceList{"cpu": resource.MustParse("3500m"), "memory": resource.MustParse("15Gi")}},
	}, []metricsv1beta1.PodMetrics{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "pay", Name: "ledger-1"},
		Containers: []metricsv1beta1.ContainerMetrics{{Name: "app", Usage: corev1.ResourceList{"cpu": resource.MustParse("40m"), "memory": resource.MustParse("100Mi")}}},
	}})
}
