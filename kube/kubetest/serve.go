package kubetest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"ktriage/internal/queue"
)

// Version is what the server says that it is.
const Version = "v1.36.3"

// User is who the server takes everybody for.
const User = "alice"

// serve answers a request. The lock is held.
func (s *Server) serve(r *http.Request) *http.Response {
	path := r.URL.Path
	switch {
	case path == "/version":
		return answer(r, http.StatusOK, version.Info{Major: "1", Minor: "36", GitVersion: Version})
	case strings.HasSuffix(path, "/selfsubjectreviews"):
		review := authenticationv1.SelfSubjectReview{}
		review.TypeMeta = metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}
		review.Status.UserInfo.Username = User
		return answer(r, http.StatusCreated, review)
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		review := authorizationv1.SelfSubjectAccessReview{}
		review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
		review.Status.Allowed = true
		return answer(r, http.StatusCreated, review)
	case path == "/apis/metrics.k8s.io/v1beta1/nodes" && s.nodeUse != nil:
		return answer(r, http.StatusOK, metricsv1beta1.NodeMetricsList{
			TypeMeta: metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "NodeMetricsList"}, Items: s.nodeUse,
		})
	case path == "/apis/metrics.k8s.io/v1beta1/pods" && s.podUse != nil:
		return answer(r, http.StatusOK, metricsv1beta1.PodMetricsList{
			TypeMeta: metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetricsList"}, Items: s.podUse,
		})
	}
	return s.serveObjects(r)
}

// serveObjects lists or watches /api/v1/RESOURCE and /api/v1/namespaces/NAME/RESOURCE, and knows every namespace.
func (s *Server) serveObjects(r *http.Request) *http.Response {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	resource, namespace := parts[len(parts)-1], ""
	if parts[0] == "namespaces" && len(parts) == 2 {
		ns := corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
		ns.Name = parts[1]
		return answer(r, http.StatusOK, ns)
	}
	if parts[0] == "namespaces" {
		namespace = parts[1]
	}
	if resource != "pods" && resource != "nodes" {
		return answer(r, http.StatusNotFound, metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
			Message: "the server could not find the requested resource",
		})
	}
	if q := r.URL.Query(); q.Get("watch") == "" {
		return s.list(r, resource, namespace)
	}
	return s.watch(r, resource, namespace)
}

func (s *Server) list(r *http.Request, resource, namespace string) *http.Response {
	kind := map[string]string{"pods": "PodList", "nodes": "NodeList"}[resource]
	return answer(r, http.StatusOK, map[string]any{
		"kind": kind, "apiVersion": "v1", "items": s.in(resource, namespace),
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(s.version)},
	})
}

func (s *Server) in(resource, namespace string) []metav1.Object {
	return slices.DeleteFunc(slices.Clone(s.kept[resource]), func(o metav1.Object) bool {
		return namespace != "" && o.GetNamespace() != namespace
	})
}

// watch serves a watch: the list first and the bookmark that ends it (KEP-3157) if that is what is asked for, otherwise
// what is newer than the version that is asked for.
func (s *Server) watch(r *http.Request, resource, namespace string) *http.Response {
	w := &watcher{resource, namespace, queue.New()}
	initial := r.URL.Query().Get("sendInitialEvents") == "true"
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if initial {
		for _, o := range s.in(resource, namespace) {
			w.send("ADDED", o)
		}
		w.send("BOOKMARK", s.bookmark(resource))
	} else {
		for _, e := range s.history {
			if e.version > since {
				w.take(e)
			}
		}
	}
	s.watches = append(s.watches, w)
	context.AfterFunc(r.Context(), func() { w.End(r.Context().Err()) }) // the client goes, and with it the connection
	response := answer(r, http.StatusOK, nil)
	response.Body, response.ContentLength = w.Queue, -1
	return response
}

func (s *Server) bookmark(resource string) any {
	meta := metav1.ObjectMeta{
		ResourceVersion: strconv.Itoa(s.version),
		Annotations:     map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}
	if resource == "nodes" {
		return &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: meta}
	}
	return &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta}
}

// tell sends an event to whoever watches. The lock is held.
func (s *Server) tell(resource, kind string, o metav1.Object) {
	e := event{s.version, resource, kind, o}
	s.history = append(s.history, e)
	s.watches = slices.DeleteFunc(s.watches, func(w *watcher) bool {
		select {
		case <-w.Done():
			return true
		default:
			return false
		}
	})
	for _, w := range s.watches {
		w.take(e)
	}
}

// take sends an event if it is one that the watch is for.
func (w *watcher) take(e event) {
	if w.resource == e.resource && (w.namespace == "" || w.namespace == e.object.GetNamespace()) {
		w.send(e.kind, e.object)
	}
}

func (w *watcher) send(kind string, object any) {
	raw := must(json.Marshal(map[string]any{"type": kind, "object": object}))
	_, _ = w.Write(append(raw, '\n'))
}
