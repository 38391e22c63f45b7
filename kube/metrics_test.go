package kube_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// measured runs a test with a cluster whose one node and one pod are measured.
func measured(t *testing.T, test func(server *kubetest.Server, cluster *kube.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := withStop(t)
		defer stop()
		server := kubetest.New()
		sample := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
		server.Measure(
			[]metricsv1beta1.NodeMetrics{{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}, Usage: sample}},
			[]metricsv1beta1.PodMetrics{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
				Containers: []metricsv1beta1.ContainerMetrics{{Name: "app", Usage: sample}},
			}},
		)
		cluster := kube.New(server.Clients(), "prod", "", []string{metav1.NamespaceAll}, nil)
		cluster.Start(ctx, kube.Nodes|kube.Pods|kube.Metrics)
		test(server, cluster)
	})
}

// samples tells which of the two samples are known after a while.
func samples(cluster *kube.Cluster, after time.Duration) (node, pod bool) {
	<-time.After(after)
	synctest.Wait()
	m := kube.Moment{Usage: cluster.Usage()}
	_, node = m.NodeUse("worker-1")
	_, pod = m.PodUse("shop", "web")
	return node, pod
}

func TestSamplesThatCannotBeReadAgainGo(t *testing.T) {
	measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
		if node, pod := samples(cluster, time.Second); !node || !pod {
			t.Fatalf("known of the node: %v, of the pod: %v", node, pod)
		}
		server.Fail(kubetest.Answer(unavailable, "/v1beta1/pods"))
		if node, pod := samples(cluster, 30*time.Second); !node || !pod {
			t.Errorf("after half a minute: node %v, pod %v, want both", node, pod)
		}
		if node, pod := samples(cluster, time.Minute); !node || pod {
			t.Errorf("after a minute and a half: node %v, pod %v, want the node's alone", node, pod)
		}
		if u := cluster.Usage(); u.State.Phase != kube.Stale || u.State.Err == nil {
			t.Errorf("state = %+v", u.State)
		}
		server.Fail(nil)
		if node, pod := samples(cluster, 20*time.Second); !node || !pod || cluster.Usage().State.Phase != kube.Live {
			t.Errorf("afterwards: node %v, pod %v, %v", node, pod, cluster.Usage().State)
		}
	})
}

var unavailable = metav1.Status{Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: "no endpoints"}

func TestMetricsThatAreDownFromTheStartAreAReadingThatHasEnded(t *testing.T) {
	measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
		server.Fail(kubetest.Answer(unavailable, "/v1beta1/pods", "/v1beta1/nodes"))
		feed := cluster.NodeFeed()
		feed.SetQuery(kube.Query[*kube.Node]{Tie: func(*kube.Node, *kube.Node) int { return 0 }})
		samples(cluster, 20*time.Second)
		if m := feed.Load().Moment; !m.RowsRead || !m.Complete {
			t.Errorf("rows read: %v, complete: %v", m.RowsRead, m.Complete)
		}
	})
}
