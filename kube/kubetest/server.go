// Package kubetest is an API server in memory, for faults and for virtual time. Its one rule: it answers HTTP as
// kube-apiserver does (streamed lists, bookmarks, Status objects), over no network; whatever a test wants to know about a
// server that works is asked of a real one, in internal/e2e.
package kubetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

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
	metrics Metrics
	asked   []Request
	denied  []string
	oldest  int // watches of earlier versions have expired

	// Of evictions.
	evicted func(Eviction) Reply
	tries   map[string]int       // by the UID that was meant
	agreed  map[string]time.Time // when the first eviction of a pod was accepted, by its UID
	clings  func(*corev1.Pod) bool
	left    func(*corev1.Pod)
}

// event is what happened at a version.
type event struct {
	version        int
	resource, kind string
	object         metav1.Object
}

// watcher is one watch that is being served.
type watcher struct {
	resource string
	wanted   func(metav1.Object) bool
	*queue.Queue
}

// New makes an empty cluster that works.
func New() *Server {
	return &Server{version: 1, kept: map[string][]metav1.Object{}, tries: map[string]int{}, agreed: map[string]time.Time{}}
}

// Clients gives clients of the server, as kube.New wants them.
func (s *Server) Clients() kube.Clients { return Clients(s) }

// Clients gives clients of what answers requests: a Server, or something between it and them.
func Clients(transport http.RoundTripper) kube.Clients {
	cfg := &rest.Config{Host: "http://cluster", QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	client := &http.Client{Transport: line{transport}}
	return kube.Clients{
		Kubernetes: must(kubernetes.NewForConfigAndClient(cfg, client)),
		Metrics:    must(metricsclient.NewForConfigAndClient(cfg, client)),
	}
}

// line does not begin what has been cancelled, as http.Transport does not.
type line struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l line) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	return l.RoundTripper.RoundTrip(r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Put creates or replaces objects, by their UID, and tells whoever watches.
func (s *Server) Put(objects ...metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.put(o)
	}
}

func (s *Server) put(o metav1.Object) {
	s.version++
	resource := identify(o, s.version)
	kept := s.kept[resource]
	i := slices.IndexFunc(kept, func(k metav1.Object) bool { return k.GetUID() == o.GetUID() })
	if i < 0 {
		s.kept[resource] = append(kept, o)
		s.tell(resource, "ADDED", o)
		return
	}
	kept[i] = o
	s.tell(resource, "MODIFIED", o)
}

// Delete removes objects.
func (s *Server) Delete(objects ...metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.remove(o)
	}
}

func (s *Server) remove(o metav1.Object) {
	s.version++
	resource := identify(o, s.version)
	s.kept[resource] = slices.DeleteFunc(s.kept[resource], func(k metav1.Object) bool { return k.GetUID() == o.GetUID() })
	s.tell(resource, "DELETED", o)
}

// Pods gives copies of the pods that there are.
func (s *Server) Pods() []*corev1.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*corev1.Pod
	for _, o := range s.kept["pods"] {
		out = append(out, o.(*corev1.Pod).DeepCopy())
	}
	return out
}

// Node gives a copy of a node, nil if there is none of that name.
func (s *Server) Node(name string) *corev1.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.find(target{resource: "nodes", name: name}).(*corev1.Node)
	return n.DeepCopy()
}

// Compact forgets what has happened so far: watches cannot be resumed from before.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest, s.history = s.version, nil
}

// BreakWatches ends the watches that are served now.
func (s *Server) BreakWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		w.End(io.ErrUnexpectedEOF)
	}
	s.watches = nil
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

// Request is a request as it came.
type Request struct {
	At           time.Time
	Method, Path string
	Query        url.Values
	Body         []byte
}

// Asked gives the requests so far, such as "GET /version".
func (s *Server) Asked() []string {
	var out []string
	for _, r := range s.Requests() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}

// Requests gives the requests so far, those too that were answered with a fault.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Refused is a server that is not there: nothing can be sent to it.
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
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.mu.Lock()
	s.asked = append(s.asked, Request{time.Now(), r.Method, r.URL.Path, r.URL.Query(), body})
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if response, hit, err := fault(r); hit {
			return response, err
		}
	}
	if t := parse(r.URL.Path); t.resource == "pods" && t.sub == "eviction" && r.Method == http.MethodPost {
		return s.serveEviction(r, t, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serve(r, body), nil
}

func answer(r *http.Request, code int, body any) *http.Response {
	raw := must(json.Marshal(body))
	return &http.Response{
		Request: r, StatusCode: code, Status: http.StatusText(code), ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(raw)),
		Body: io.NopCloser(bytes.NewReader(raw)),
	}
}
