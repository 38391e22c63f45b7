package kube_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

// source is a cluster of nodes whose samples are dated.
type source struct {
	*testing.T
	server  *kubetest.Server
	cluster *kube.Cluster
	nodes   *kube.Feed[*kube.Node]
}

// withSource runs a test with so many nodes, all of which are measured each step.
func withSource(t *testing.T, nodes int, m kubetest.Metrics, prepare func(*kubetest.Server), test func(s source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := withStop(t)
		defer stop()
		server := kubetest.New()
		for i := range nodes {
			server.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("worker-%04d", i), UID: types.UID(fmt.Sprint("node-", i))}})
		}
		server.Measure(samplesOf(nodes), []metricsv1beta1.PodMetrics{})
		server.ServeMetrics(m)
		if prepare != nil {
			prepare(server)
		}
		cluster := kube.New(server.Clients(), "prod", "", []string{metav1.NamespaceAll}, nil)
		feed := cluster.NodeFeed()
		feed.SetQuery(kube.Query[*kube.Node]{Tie: func(a, b *kube.Node) int { return strings.Compare(a.Name, b.Name) }})
		cluster.Start(ctx, kube.Nodes|kube.Pods|kube.CSRs|kube.Metrics)
		test(source{t, server, cluster, feed})
	})
}

func samplesOf(nodes int) (out []metricsv1beta1.NodeMetrics) {
	use := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	for i := range nodes {
		out = append(out, metricsv1beta1.NodeMetrics{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("worker-%04d", i)}, Usage: use})
	}
	return out
}

// every is a metrics-server as it is shipped.
var every = kubetest.Metrics{Step: 15 * time.Second, Window: 15 * time.Second}

// after lets time pass and gives what is known then.
func (s source) after(d time.Duration) kube.Moment {
	<-time.After(d)
	synctest.Wait()
	m := s.cluster.Moment()
	m.Now = time.Now()
	return m
}

func (s source) says(m kube.Moment, sentence, next string) {
	s.Helper()
	if got, then := m.UsageTrouble(); got != sentence || then != next {
		s.Errorf("after %v:\ngot  %q, %q\nwant %q, %q", m.Now, got, then, sentence, next)
	}
}

// cost counts the requests for usage: of discovery, lists and APIServices.
func (s source) cost() (discovery, lists, services int) {
	for _, path := range s.server.Asked() {
		switch path = strings.TrimPrefix(path, "GET "); {
		case path == "/apis/metrics.k8s.io":
			discovery++
		case strings.HasPrefix(path, "/apis/metrics.k8s.io/"):
			lists++
		case strings.HasPrefix(path, "/apis/apiregistration.k8s.io/"):
			services++
		}
	}
	return discovery, lists, services
}

func (s source) wantCost(discovery, lists, services int) {
	s.Helper()
	if d, l, a := s.cost(); d != discovery || l != lists || a != services {
		s.Errorf("%d of discovery, %d lists, %d of APIServices; want %d, %d, %d", d, l, a, discovery, lists, services)
	}
}

func TestTenMinutesOfUsageCostTwoRequestsAStep(t *testing.T) {
	for _, nodes := range []int{3, 5000} {
		withSource(t, nodes, every, nil, func(s source) {
			m := s.after(10*time.Minute + 5*time.Second)
			s.wantCost(1, 2*41, 0)
			s.says(m, "", "")
			if n := len(m.Usage.Nodes); n != nodes || m.SampleStep() != 15*time.Second {
				t.Errorf("%d samples of %d nodes, a step of %v", n, nodes, m.SampleStep())
			}
			if sample, ok := m.NodeSample("worker-0001"); !ok || sample.Late(m) || sample.Window != 15*time.Second || m.NewestSample() != sample.At {
				t.Errorf("%+v %v", sample, ok)
			}
			for i, p := range m.NodePast("worker-0001") {
				if p.Known != (i >= kube.PastPoints-9) { // ten minutes are eight steps of 75 s and a bit
					t.Errorf("point %d of the past is known: %v", i, p.Known)
				}
			}
		})
	}
}

// A source that measures once a minute is asked when there is something new.
func TestTheSourceIsPolledAtItsOwnStep(t *testing.T) {
	slow := kubetest.Metrics{Step: time.Minute, Window: time.Minute}
	withSource(t, 3, slow, nil, func(s source) {
		m := s.after(5 * time.Minute)
		_, before, _ := s.cost()
		if m.SampleStep() != time.Minute {
			t.Fatalf("the step is %v", m.SampleStep())
		}
		m = s.after(10 * time.Minute)
		if _, lists, _ := s.cost(); lists-before != 2*10 {
			t.Errorf("%d lists in ten minutes", lists-before)
		}
		if age := m.Now.Sub(m.NewestSample()); age > time.Minute+10*time.Second {
			t.Errorf("the newest sample is %v old", age)
		}
		s.says(m, "", "")
	})
}

func TestTheFirstVersionThatDiscoveryHasIsTaken(t *testing.T) {
	for _, c := range []struct {
		versions []string
		path     string
	}{
		{[]string{"v1", "v1beta1"}, "/apis/metrics.k8s.io/v1/nodes"}, {[]string{"v1beta1", "v1"}, "/apis/metrics.k8s.io/v1beta1/nodes"},
		{[]string{"v2", "v1"}, "/apis/metrics.k8s.io/v1/nodes"},
	} {
		m := every
		m.Versions = c.versions
		withSource(t, 2, m, nil, func(s source) {
			m := s.after(61 * time.Second)
			if !slices.Contains(s.server.Asked(), "GET "+c.path) || len(m.Usage.Nodes) != 2 {
				t.Errorf("%v: asked %v", c.versions, s.server.Asked())
			}
			s.wantCost(1, 2*5, 0)
			s.says(m, "", "")
		})
	}
	m := every
	m.Versions = []string{"v2"}
	withSource(t, 2, m, nil, func(s source) {
		s.says(s.after(time.Minute), "The server has metrics.k8s.io in the versions [v2], and not in [v1 v1beta1]", "")
	})
}

// When metrics-server is replaced by one of another version, that is found out after the first poll that fails.
func TestTheVersionIsFoundOutAgainAfterAFailure(t *testing.T) {
	withSource(t, 2, every, nil, func(s source) {
		s.after(5 * time.Second)
		m := every
		m.Versions = []string{"v1"}
		s.server.ServeMetrics(m)
		s.after(15 * time.Second) // 404
		got := s.after(time.Minute)
		s.says(got, "", "")
		if !slices.Contains(s.server.Asked(), "GET /apis/metrics.k8s.io/v1/nodes") {
			t.Error("v1 was not asked for")
		}
		if d, _, a := s.cost(); d != 2 || a != 0 {
			t.Errorf("%d discoveries, %d APIServices", d, a)
		}
	})
}

func TestNoMetricsAPIIsSaid(t *testing.T) {
	none := func(server *kubetest.Server) { server.Measure(nil, nil) }
	withSource(t, 2, kubetest.Metrics{}, none, func(s source) {
		s.says(s.after(10*time.Minute+5*time.Second),
			"metrics.k8s.io is not registered", "install metrics-server; the rest of ktriage works without it")
		s.wantCost(11, 0, 0)
		s.server.Measure(samplesOf(2), []metricsv1beta1.PodMetrics{})
		s.server.ServeMetrics(every)
		m := s.after(time.Minute)
		s.says(m, "", "")
		if len(m.Usage.Nodes) != 2 {
			t.Errorf("%d samples after metrics-server was installed", len(m.Usage.Nodes))
		}
	})
}

func TestABrokenMetricsAPISaysWhatItsAPIServiceSays(t *testing.T) {
	const look = "look at the pods and the log of metrics-server"
	broken := every
	broken.Available = metav1.Condition{
		Type: "Available", Status: "False", Reason: "MissingEndpoints", Message: "endpoints for service/metrics-server in \"kube-system\" have no addresses",
	}
	down := kubetest.Answer(unavailable, "/v1beta1/pods", "/v1beta1/nodes")
	withSource(t, 2, broken, func(server *kubetest.Server) { server.Fail(down) }, func(s source) {
		m := s.after(10*time.Minute + 5*time.Second)
		s.says(m, "metrics.k8s.io is registered but unavailable: MissingEndpoints: endpoints for service/metrics-server "+
			"in \"kube-system\" have no addresses", look)
		s.wantCost(11, 2*11, 11)
		s.server.ServeMetrics(every) // the API server has not noticed yet
		s.says(s.after(time.Minute), "metrics.k8s.io is registered but unavailable: no endpoints", look)
		forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "apiservices is forbidden"}
		s.server.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if strings.Contains(r.URL.Path, "apiservices") {
				return kubetest.Answer(forbidden)(r)
			}
			return down(r)
		})
		s.says(s.after(time.Minute), "metrics.k8s.io is registered but unavailable: no endpoints; why is not known: apiservices is forbidden", look)
		s.server.Fail(nil)
		s.says(s.after(time.Minute), "", "")
	})
}

func TestSamplesOfASourceThatIsDownHaveAnAge(t *testing.T) {
	broken := every
	withSource(t, 2, broken, nil, func(s source) {
		s.after(59 * time.Second)
		s.server.Fail(kubetest.Answer(unavailable, "/v1beta1/pods", "/v1beta1/nodes"))
		m := s.after(75 * time.Second)
		s.says(m, "metrics.k8s.io is registered but unavailable: no endpoints; the newest sample is 89s old", "look at the pods and the log of metrics-server")
		m = s.after(2 * time.Minute)
		s.says(m, "metrics.k8s.io is registered but unavailable: no endpoints", "look at the pods and the log of metrics-server")
		if len(m.Usage.Nodes) != 0 {
			t.Error("samples of long ago are shown")
		}
	})
}

func TestASourceThatHangsIsSaid(t *testing.T) {
	hangs := func(server *kubetest.Server) {
		server.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if !strings.HasPrefix(r.URL.Path, "/apis/metrics.k8s.io/") {
				return nil, false, nil
			}
			<-r.Context().Done()
			return nil, true, r.Context().Err()
		})
	}
	withSource(t, 2, every, hangs, func(s source) {
		m := s.after(10*time.Minute - time.Second) // the next poll begins at ten
		s.says(m, "metrics.k8s.io gave no answer within 30 s", "look at the pods and the log of metrics-server")
		// A poll takes 30 s, of which the list of nodes takes all, and the next comes 2 minutes later: 4 in ten minutes.
		s.wantCost(4, 4, 4)
	})
}

func TestWhatIsForbiddenIsSaidInTheServersWords(t *testing.T) {
	forbidden := metav1.Status{
		Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: `pods.metrics.k8s.io is forbidden: User "alice" cannot list resource "pods" in API group "metrics.k8s.io" at the cluster scope`,
	}
	withSource(t, 2, every, nil, func(s source) {
		s.server.Fail(kubetest.Answer(forbidden, "/v1beta1/pods"))
		m := s.after(10*time.Minute + 5*time.Second)
		s.says(m, "not allowed to read usage: "+forbidden.Message, "ask for the permission to list nodes and pods of metrics.k8s.io")
		s.wantCost(1, 2*41, 0)
		if _, ok := m.NodeSample("worker-0001"); !ok {
			t.Error("the samples of nodes, which are allowed, are not there")
		}
	})
}

func TestNoSamplesYetIsSaid(t *testing.T) {
	empty := func(server *kubetest.Server) {
		server.Measure([]metricsv1beta1.NodeMetrics{}, []metricsv1beta1.PodMetrics{})
	}
	withSource(t, 2, every, empty, func(s source) {
		s.says(s.after(time.Second), "no samples yet: metrics-server needs two scrapes", "wait two minutes; then look at its log")
		s.server.Put(servingRequest("csr-1"))
		s.says(s.after(30*time.Second), "no samples yet", "a request for a kubelet's serving certificate waits for approval: see Certs")
	})
}

func servingRequest(name string) *certificatesv1.CertificateSigningRequest {
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.Now()},
		Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeletServingSignerName},
	}
}

func TestNodesWithoutASampleAreNamed(t *testing.T) {
	withSource(t, 6, every, nil, func(s source) {
		s.after(61 * time.Second)
		s.server.Measure(samplesOf(5), []metricsv1beta1.PodMetrics{})
		m := s.after(15 * time.Second)
		s.says(m, "1 of 6 nodes without a sample: worker-0005", "new nodes need two scrapes; of others the log of metrics-server says why")
		if _, ok := m.NodeSample("worker-0005"); ok {
			t.Error("there is a sample")
		}
		if past := m.NodePast("worker-0005"); !past[kube.PastPoints-1].Known && !past[kube.PastPoints-2].Known {
			t.Error("what the node has used before is forgotten")
		}
		s.server.Put(servingRequest("csr-1"), servingRequest("csr-2"))
		s.server.Measure(samplesOf(1), []metricsv1beta1.PodMetrics{})
		s.says(s.after(30*time.Second), "5 of 6 nodes without a sample: worker-0001, worker-0002, worker-0003 and 2 more",
			"2 requests for serving certificates of kubelets wait for approval: see Certs")
		s.wantCost(1, 2*8, 0)
	})
}

func TestASilentNodeIsWhyItHasNoSample(t *testing.T) {
	withSource(t, 3, every, nil, func(s source) {
		gone := s.server.Node("worker-0002")
		gone.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
		s.server.Put(gone)
		s.server.Measure(samplesOf(2), []metricsv1beta1.PodMetrics{})
		s.says(s.after(20*time.Second), "1 of 3 nodes without a sample: worker-0002", "its kubelet is silent")
	})
}

// metrics-server answers, and scrapes no more.
func TestSamplesThatGrowOldAreLate(t *testing.T) {
	withSource(t, 2, every, nil, func(s source) {
		s.after(61 * time.Second)
		s.server.Measure(dated(samplesOf(2), time.Now().Add(-5*time.Second)), []metricsv1beta1.PodMetrics{})
		s.says(s.after(100*time.Second), "", "")
		late := s.after(80 * time.Second)
		s.says(late, "the newest sample is 3m5s old", "look at the log of metrics-server: it does not scrape")
		if sample, ok := late.NodeSample("worker-0000"); !ok || !sample.Late(late) {
			t.Errorf("%+v, %v", sample, ok)
		}
		d, lists, services := s.cost()
		if d != 1 || lists != 2*17 || services != 0 {
			t.Errorf("it cost %d, %d, %d", d, lists, services)
		}
	})
}

func dated(nodes []metricsv1beta1.NodeMetrics, at time.Time) []metricsv1beta1.NodeMetrics {
	for i := range nodes {
		nodes[i].Timestamp = metav1.NewTime(at)
	}
	return nodes
}
