package kube_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// watching is a workloads pane without a screen.
type watching struct {
	*kubetest.Server
	t       *testing.T
	cluster *kube.Cluster
	feed    *kube.Feed[*kube.Workload]
}

// readingWorkloads runs a test with a cluster whose workloads are read, in virtual time.
func readingWorkloads(t *testing.T, prepare func(*kubetest.Server), test func(w *watching)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer func() {
			stop()
			synctest.Wait()
		}()
		server := kubetest.New()
		prepare(server)
		cluster := kube.New(server.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		w := &watching{server, t, cluster, cluster.WorkloadFeed()}
		w.feed.SetQuery(kube.Query[*kube.Workload]{Tie: func(a, b *kube.Workload) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Nodes|kube.Pods|kube.Workloads)
		test(w)
	})
}

// shows lets virtual time pass and compares the rows with their severities and reasons, and their phase.
func (w *watching) shows(d time.Duration, want ...string) *kube.Snapshot[*kube.Workload] {
	w.t.Helper()
	<-time.After(d)
	synctest.Wait()
	s, got := w.feed.Load(), []string{}
	for i := range s.Len() {
		r := s.Row(i)
		got = append(got, fmt.Sprintf("%s %s: %s", r.Name, r.Severity(s.Moment), r.Why(s.Moment)))
	}
	if got = append(got, s.State.Phase.String()); !slices.Equal(got, want) {
		w.t.Errorf("after %v: %q, want %q", d, got, want)
	}
	return s
}

func object(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name),
		CreationTimestamp: metav1.NewTime(time.Unix(0, 0))}
}

func workers(ready corev1.ConditionStatus) *corev1.Node {
	n := &corev1.Node{ObjectMeta: object("", "worker-1")}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	return n
}

func deploymentOf(namespace, name string, desired, ready int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: object(namespace, name), Spec: appsv1.DeploymentSpec{Replicas: &desired},
		Status: appsv1.DeploymentStatus{Replicas: desired, UpdatedReplicas: desired, ReadyReplicas: ready, AvailableReplicas: ready},
	}
}

// podOf is a pod of the ReplicaSet of Deployment web, and is as the container's state says.
func podOf(name string, state corev1.ContainerState) *corev1.Pod {
	ready := state.Running != nil
	p := &corev1.Pod{ObjectMeta: object("shop", name)}
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-65bcd", Controller: new(true)}}
	p.Spec.NodeName, p.Spec.Containers = "worker-1", []corev1.Container{{Name: "app"}}
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Ready: ready, State: state}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady,
		Status: map[bool]corev1.ConditionStatus{true: "True", false: "False"}[ready]}}
	return p
}

var (
	runs  = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waits = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError"}}
)

func TestWorkloadIsJudgedAgainWhenItsPodsOrTheirNodesChange(t *testing.T) {
	readingWorkloads(t, func(s *kubetest.Server) {
		s.Put(workers("True"), deploymentOf("shop", "web", 3, 2), deploymentOf("shop", "calm", 1, 1))
		s.Put(podOf("web-1", runs), podOf("web-2", runs), podOf("web-3", waits))
	}, func(w *watching) {
		w.shows(3*time.Second, "web warning: CreateContainerConfigError", "calm ok: -", "live")
		ill := podOf("web-3", runs)
		ill.Status.ContainerStatuses[0].Ready, ill.Status.Conditions[0].Status = false, "False"
		w.Put(ill)
		w.shows(time.Second, "web warning: 1 unready", "calm ok: -", "live")
		w.Put(workers("Unknown"))
		w.shows(time.Second, "web warning: 1 on worker-1", "calm ok: -", "live")
		w.Delete(ill)
		w.shows(time.Second, "web warning: 1 not ready", "calm ok: -", "live")
		w.Put(deploymentOf("shop", "web", 3, 3))
		w.shows(time.Second, "calm ok: -", "web ok: -", "live")
	})
}

func TestRolloutLeavesNoRowsOfOldReplicaSets(t *testing.T) {
	of := func(name string, replicas int32) *appsv1.ReplicaSet {
		r := &appsv1.ReplicaSet{ObjectMeta: object("shop", name), Spec: appsv1.ReplicaSetSpec{Replicas: &replicas}}
		r.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: "web", Controller: new(true)}}
		r.Status.Replicas, r.Status.ReadyReplicas, r.Status.AvailableReplicas = replicas, replicas, replicas
		return r
	}
	readingWorkloads(t, func(s *kubetest.Server) { s.Put(of("web-bbbbb", 0), of("web-ccccc", 2)) }, func(w *watching) {
		w.shows(3*time.Second, "web-ccccc ok: -", "live")
		w.Put(of("web-ccccc", 0), of("web-ddddd", 2))
		w.shows(time.Second, "web-ddddd ok: -", "live")
		w.BreakWatches()
		w.shows(10*time.Second, "web-ddddd ok: -", "live")
		w.cluster.ReadAgain()
		w.shows(time.Second, "web-ddddd ok: -", "live")
		w.Put(of("web-ccccc", 1))
		w.shows(time.Second, "web-ccccc ok: -", "web-ddddd ok: -", "live")
	})
}

// A listing of one kind must leave the rows of the others alone, although they are in one store.
func TestReadingOneKindAgainKeepsTheOthers(t *testing.T) {
	budget := &appsv1.StatefulSet{ObjectMeta: object("shop", "cart"), Spec: appsv1.StatefulSetSpec{Replicas: new(int32(0))}}
	readingWorkloads(t, func(s *kubetest.Server) { s.Put(deploymentOf("shop", "web", 1, 1), budget) }, func(w *watching) {
		w.shows(3*time.Second, "cart ok: scaled to 0", "web ok: -", "live")
		w.Delete(budget)
		w.Compact()
		w.BreakWatches()
		w.shows(10*time.Second, "web ok: -", "live")
	})
}

func TestKindThatMayNotBeReadIsMissingFromTheRest(t *testing.T) {
	denied := kubetest.Answer(forbidden("not for you"), "/cronjobs", "/jobs")
	absent := kubetest.Answer(metav1.Status{Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound}, "/horizontalpodautoscalers")
	readingWorkloads(t, func(s *kubetest.Server) {
		s.Put(deploymentOf("shop", "web", 1, 1))
		s.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if answer, hit, err := denied(r); hit {
				return answer, hit, err
			}
			return absent(r)
		})
	}, func(w *watching) {
		st := w.shows(3*time.Second, "web ok: -", "live").State
		if got := st.MissingWhat(); got != "jobs, cronjobs and horizontalpodautoscalers" || st.WhyMissing() != "not allowed" {
			t.Errorf("%s: %q", st.WhyMissing(), got)
		}
		w.Fail(absent)
		st = w.shows(time.Minute, "web ok: -", "live").State
		if got := st.MissingWhat(); got != "horizontalpodautoscalers" || st.WhyMissing() != "not there" {
			t.Errorf("%s: %q", st.WhyMissing(), got)
		}
	})
}

func TestWorkloadsAreReadWherePodsAre(t *testing.T) {
	readingWorkloads(t, func(s *kubetest.Server) {
		s.Put(deploymentOf("shop", "mine", 1, 1), deploymentOf("pay", "theirs", 1, 1))
		s.Fail(kubetest.Answer(forbidden("pods is forbidden"), "/api/v1/pods"))
	}, func(w *watching) {
		w.shows(3*time.Second, "mine ok: -", "live")
		for _, path := range w.Asked() {
			if path == "GET /apis/apps/v1/deployments" {
				t.Error("workloads of all namespaces were asked for, although pods of all may not be read")
			}
		}
		w.Fail(nil)
		w.cluster.ReadAgain()
		w.shows(5*time.Second, "mine ok: -", "theirs ok: -", "live")
	})
}

func TestWorkloadsComeAfterNodesAndPods(t *testing.T) {
	readingWorkloads(t, func(s *kubetest.Server) { s.Silent() }, func(w *watching) {
		<-time.After(time.Minute)
		for _, path := range w.Asked() {
			if strings.Contains(path, "/apis/apps") {
				t.Errorf("%s came before nodes and pods had been read", path)
			}
		}
	})
}

// What is well may change as it likes: nobody is told, and nothing is judged.
func TestWorkloadsAreNewOnlyWhenTheyAre(t *testing.T) {
	readingWorkloads(t, func(s *kubetest.Server) {
		s.Put(workers("True"), deploymentOf("shop", "web", 1, 1), podOf("web-1", runs))
	}, func(w *watching) {
		before := w.shows(3*time.Second, "web ok: -", "live")
		for i := range 20 {
			p := podOf("web-1", runs)
			p.Status.ContainerStatuses[0].RestartCount = int32(i)
			w.Put(p, podOf(fmt.Sprint("web-", i+2), runs))
			<-time.After(time.Second)
		}
		if after := w.shows(time.Second, "web ok: -", "live"); after != before {
			t.Errorf("version %d after %d, although nothing has changed for a reader", after.Version, before.Version)
		}
	})
}
