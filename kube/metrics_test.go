package kube_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		if node, pod := samples(cluster, time.Minute); !node || !pod {
			t.Errorf("after a minute and a half: node %v, pod %v, want both", node, pod)
		}
		if node, pod := samples(cluster, time.Minute); !node || pod {
			t.Errorf("after two minutes and a half: node %v, pod %v, want the node's alone", node, pod)
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

// slow lets the server take its time for the samples of pods, and gives the times at which it was asked for them.
func slow(server *kubetest.Server, took time.Duration, then kubetest.Fault) (asked func() []time.Duration) {
	var mu sync.Mutex
	var at []time.Duration
	began := time.Now()
	server.Fail(func(r *http.Request) (*http.Response, bool, error) {
		if r.URL.Path != "/apis/metrics.k8s.io/v1beta1/pods" {
			return nil, false, nil
		}
		mu.Lock()
		at = append(at, time.Since(began))
		mu.Unlock()
		<-time.After(took)
		return then(r)
	})
	return func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(at)
	}
}

func works(*http.Request) (response *http.Response, hit bool, err error) { return nil, false, nil }

func TestAServerThatNeedsLongIsAskedSeldom(t *testing.T) {
	for _, c := range []struct{ took, step time.Duration }{
		{100 * time.Millisecond, 15 * time.Second}, {time.Second, time.Minute}, {20 * time.Second, 2 * time.Minute},
	} {
		measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
			samples(cluster, time.Second)
			asked := slow(server, c.took, works)
			samples(cluster, 14*time.Second+3*(c.took+c.step)-time.Second) // the first of them comes 14 s from now
			var steps []time.Duration
			for i, at := range asked()[1:] {
				steps = append(steps, at-asked()[i]-c.took)
			}
			if !slices.Equal(steps, []time.Duration{c.step, c.step}) {
				t.Errorf("a server that takes %v is asked again after %v, want %v", c.took, steps, c.step)
			}
		})
	}
}

func TestSamplesOfASlowServerStayForThreeSteps(t *testing.T) {
	measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
		samples(cluster, time.Second)
		slow(server, time.Second, works)
		if _, pod := samples(cluster, 18*time.Second); !pod { // read once more, at 15 s
			t.Fatal("no sample of the pod")
		}
		server.Fail(kubetest.Answer(unavailable, "/v1beta1/pods"))
		if _, pod := samples(cluster, 160*time.Second); !pod {
			t.Error("the sample has gone within three steps of a minute")
		}
		if _, pod := samples(cluster, 30*time.Second); pod {
			t.Error("the sample is still there after three steps of a minute")
		}
	})
}

func TestTheSameSamplesAgainAreNoNews(t *testing.T) {
	measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
		news := func(within time.Duration) (n int) {
			var polls = len(server.Asked())
			deadline := time.After(within)
			for {
				select {
				case <-cluster.Notifier().Wake():
					if cluster.Notifier().Take()&kube.Metrics != 0 {
						n++
					}
				case <-deadline:
					if len(server.Asked()) == polls {
						t.Error("nothing was asked")
					}
					return n
				}
			}
		}
		// Polls come every 15 s; no look ends when one comes.
		if n := news(10 * time.Second); n == 0 {
			t.Error("the first samples are no news")
		}
		if n := news(41 * time.Second); n != 0 {
			t.Errorf("told %d times of the same samples", n)
		}
		if n := news(41 * time.Second); n != 1 {
			t.Errorf("told %d times in the next 41 s that the samples are still true, want once", n)
		}
		server.Measure(nil, []metricsv1beta1.PodMetrics{})
		if n := news(16 * time.Second); n != 1 {
			t.Errorf("told %d times of other samples, want once", n)
		}
	})
}

func TestWhyThereAreNoSamplesIsTold(t *testing.T) {
	for _, c := range []struct {
		status metav1.Status
		is     func(error) bool
		phase  kube.Phase
	}{
		{metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden}, apierrors.IsForbidden, kube.Denied},
		{metav1.Status{Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound}, apierrors.IsNotFound, kube.Failed},
		{unavailable, apierrors.IsServiceUnavailable, kube.Failed},
	} {
		measured(t, func(server *kubetest.Server, cluster *kube.Cluster) {
			server.Fail(kubetest.Answer(c.status, "/v1beta1/pods", "/v1beta1/nodes"))
			samples(cluster, time.Second)
			if s := cluster.Usage().State; s.Phase != c.phase || !c.is(s.Err) {
				t.Errorf("%d: %v, %v", c.status.Code, s.Phase, s.Err)
			}
		})
	}
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
