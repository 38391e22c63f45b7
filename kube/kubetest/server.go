// Package kubetest is an API server in memory, for faults and for virtual time. Its one rule: it answers HTTP as
// kube-apiserver does (streamed lists, bookmarks, Status objects), over no network; whatever a test wants to know about a
// server that works is asked of a real one, in internal/e2e.
package kubetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"

	"ktriage/internal/queue"
	"ktriage/kube"
)

// Fault answers a request in place of the server; false leaves it to the server.
type Fault func(*http.Request) (response *http.Response, hit bool, err error)

// Server is a cluster. Its zero value is not usable.
type Server struct {
	mu      sync.Mutex
	version int
	kept    map[string][]metav1.Object // by resource, in the order of their creation
	history []event
	watches []*watcher
	fault   Fault
	lifted  func() // tells of the end of the fault
	nodeUse []metricsv1beta1.NodeMetrics
	podUse  []metricsv1beta1.PodMetrics
	asked   []string
}

// event is what happened at a version.
type event struct {
	version        int
	resource, kind string
	object         metav1.Object
}

// watcher is one watch that is being served.
type watcher struct {
	resource, namespace string
	*queue.Queue
}

// New makes an empty cluster that works.
func New() *Server { return &Server{version: 1, kept: map[string][]metav1.Object{}} }

// Clients gives clients of the server, as kube.New wants them.
func (s *Server) Clients() kube.Clients {
	cfg := &rest.Config{Host: "http://cluster", QPS: -1}
	client := &http.Client{Transport: s}
	return kube.Clients{
		Kubernetes: must(kubernetes.NewForConfigAndClient(cfg, client)),
		Metrics:    must(metricsclient.NewForConfigAndClient(cfg, client)),
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Put creates or replaces pods and nodes, and tells whoever watches.
func (s *Server) Put(objects ...metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.version++
		resource := identify(o, s.version)
		kept := s.kept[resource]
		i := slices.IndexFunc(kept, func(k metav1.Object) bool { return k.GetUID() == o.GetUID() })
		if i < 0 {
			s.kept[resource] = append(kept, o)
			s.tell(resource, "ADDED", o)
			continue
		}
		kept[i] = o
		s.tell(resource, "MODIFIED", o)
	}
}

// Delete removes pods and nodes.
func (s *Server) Delete(objects ...metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.version++
		resource := identify(o, s.version)
		s.kept[resource] = slices.DeleteFunc(s.kept[resource], func(k metav1.Object) bool { return k.GetUID() == o.GetUID() })
		s.tell(resource, "DELETED", o)
	}
}

// identify gives an object what the server gives it: its kind and its version.
func identify(o metav1.Object, version int) (resource string) {
	o.SetResourceVersion(strconv.Itoa(version))
	switch o := o.(type) {
	case *corev1.Pod:
		o.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		return "pods"
	case *corev1.Node:
		o.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}
		return "nodes"
	}
	panic("kubetest keeps pods and nodes only")
}

// Measure sets the samples of metrics.k8s.io; nil for none.
func (s *Server) Measure(nodes []metricsv1beta1.NodeMetrics, pods []metricsv1beta1.PodMetrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodeUse, s.podUse = nodes, pods
}

// Fail answers every request with a fault from now on, and breaks the watches; nil lets the server work again.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	if s.lifted != nil {
		s.lifted()
		s.lifted = nil
	}
	for _, w := range s.watches {
		w.End(io.ErrUnexpectedEOF)
	}
	s.watches = nil
}

// Asked gives the requests so far, such as "GET /version".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Refused is a server that is not there.
func Refused(*http.Request) (response *http.Response, hit bool, err error) {
	return nil, true, syscall.ECONNREFUSED
}

// Silent makes the server take requests and never answer them, until it works again: then their connections break.
func (s *Server) Silent() {
	back := make(chan struct{})
	s.Fail(func(r *http.Request) (*http.Response, bool, error) {
		select {
		case <-back:
			return nil, true, syscall.ECONNRESET
		case <-r.Context().Done():
			return nil, true, r.Context().Err()
		}
	})
	s.mu.Lock()
	s.lifted = func() { close(back) }
	s.mu.Unlock()
}

// Answer is a server that answers requests whose path ends in one of the suffixes with an error; all of them if there is
// no suffix.
func Answer(status metav1.Status, suffixes ...string) Fault {
	status.TypeMeta, status.Status = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, metav1.StatusFailure
	return func(r *http.Request) (*http.Response, bool, error) {
		meant := func(suffix string) bool { return strings.HasSuffix(r.URL.Path, suffix) }
		if len(suffixes) > 0 && !slices.ContainsFunc(suffixes, meant) {
			return nil, false, nil
		}
		return answer(r, int(status.Code), status), true, nil
	}
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if response, hit, err := fault(r); hit {
			return response, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serve(r), nil
}

func answer(r *http.Request, code int, body any) *http.Response {
	raw := must(json.Marshal(body))
	return &http.Response{
		Request: r, StatusCode: code, Status: http.StatusText(code), ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(raw)),
		Body: io.NopCloser(bytes.NewReader(raw)),
	}
}
