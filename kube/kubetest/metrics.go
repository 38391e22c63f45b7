package kubetest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Metrics says how the samples of Measure are served.
type Metrics struct {
	Versions []string // of the API, in the order of discovery; nil for v1beta1
	// Step is that of the source: samples without a timestamp are of the last whole step, and Window long. 0 leaves them as
	// they are.
	Step, Window time.Duration
	Available    metav1.Condition // of the APIService; it has none if this is zero
}

// ServeMetrics sets how samples are served.
func (s *Server) ServeMetrics(m Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics = m
}

// Measure sets the samples of metrics.k8s.io, which is not there without any; nil for none.
func (s *Server) Measure(nodes []metricsv1beta1.NodeMetrics, pods []metricsv1beta1.PodMetrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodeUse, s.podUse = nodes, pods
}

const metricsPath = "/apis/metrics.k8s.io"

func (m *Metrics) versions() []string {
	if m.Versions == nil {
		return []string{"v1beta1"}
	}
	return m.Versions
}

// serveMetrics answers requests for samples; nil if there is no such thing. The lock is held.
func (s *Server) serveMetrics(r *http.Request) *http.Response {
	path, ok := strings.CutPrefix(r.URL.Path, metricsPath)
	if !ok || s.nodeUse == nil && s.podUse == nil {
		return nil
	}
	if path == "" {
		group := metav1.APIGroup{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: "metrics.k8s.io"}
		for _, v := range s.metrics.versions() {
			group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: "metrics.k8s.io/" + v, Version: v})
		}
		group.PreferredVersion = group.Versions[0]
		return answer(r, http.StatusOK, group)
	}
	parts := strings.Split(path[1:], "/")
	version, resource := parts[0], parts[len(parts)-1]
	namespace := ""
	if len(parts) == 4 && parts[1] == "namespaces" {
		namespace = parts[2]
	}
	kind := metav1.TypeMeta{APIVersion: "metrics.k8s.io/" + version}
	switch {
	case !slices.Contains(s.metrics.versions(), version):
		return nil
	case resource == "nodes" && s.nodeUse != nil:
		kind.Kind = "NodeMetricsList"
		return answer(r, http.StatusOK, metricsv1beta1.NodeMetricsList{TypeMeta: kind, Items: s.nodeSamples()})
	case resource == "pods" && s.podUse != nil:
		kind.Kind = "PodMetricsList"
		return answer(r, http.StatusOK, metricsv1beta1.PodMetricsList{TypeMeta: kind, Items: s.podSamples(namespace)})
	}
	return nil
}

func (s *Server) nodeSamples() []metricsv1beta1.NodeMetrics {
	items := slices.Clone(s.nodeUse)
	for i := range items {
		s.metrics.date(&items[i].Timestamp, &items[i].Window)
	}
	return items
}

func (s *Server) podSamples(namespace string) []metricsv1beta1.PodMetrics {
	items := slices.DeleteFunc(slices.Clone(s.podUse), func(p metricsv1beta1.PodMetrics) bool {
		return namespace != "" && p.Namespace != namespace
	})
	for i := range items {
		s.metrics.date(&items[i].Timestamp, &items[i].Window)
	}
	return items
}

// date gives a sample without a time that of the last whole step.
func (m *Metrics) date(at *metav1.Time, window *metav1.Duration) {
	if m.Step > 0 && at.IsZero() {
		*at, *window = metav1.NewTime(time.Now().Truncate(m.Step)), metav1.Duration{Duration: m.Window}
	}
}

// serveAPIService answers what the API server says of the metrics API; nil if there is none. The lock is held.
func (s *Server) serveAPIService(r *http.Request) *http.Response {
	name, ok := strings.CutPrefix(r.URL.Path, "/apis/apiregistration.k8s.io/v1/apiservices/")
	version, metrics := strings.CutSuffix(name, ".metrics.k8s.io")
	if !ok || !metrics || !slices.Contains(s.metrics.versions(), version) {
		return nil
	}
	conditions := []metav1.Condition{}
	if s.metrics.Available.Type != "" {
		conditions = append(conditions, s.metrics.Available)
	}
	return answer(r, http.StatusOK, map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]string{"name": name},
		"status": map[string]any{"conditions": conditions},
	})
}
