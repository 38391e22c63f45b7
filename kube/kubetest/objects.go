package kubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/internal/queue"
)

// served are the resources that the server keeps, by the name that they have in paths.
var served = map[string]schema.GroupVersionKind{
	"pods":                     {Version: "v1", Kind: "Pod"},
	"nodes":                    {Version: "v1", Kind: "Node"},
	"namespaces":               {Version: "v1", Kind: "Namespace"},
	"events":                   {Version: "v1", Kind: "Event"},
	"persistentvolumes":        {Version: "v1", Kind: "PersistentVolume"},
	"persistentvolumeclaims":   {Version: "v1", Kind: "PersistentVolumeClaim"},
	"replicationcontrollers":   {Version: "v1", Kind: "ReplicationController"},
	"poddisruptionbudgets":     {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	"deployments":              {Group: "apps", Version: "v1", Kind: "Deployment"},
	"replicasets":              {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"statefulsets":             {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonsets":               {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"jobs":                     {Group: "batch", Version: "v1", Kind: "Job"},
	"cronjobs":                 {Group: "batch", Version: "v1", Kind: "CronJob"},
	"horizontalpodautoscalers": {Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	"volumeattachments":        {Group: "storage.k8s.io", Version: "v1", Kind: "VolumeAttachment"},
	"storageclasses":           {Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"},

	"certificatesigningrequests": {Group: "certificates.k8s.io", Version: "v1", Kind: "CertificateSigningRequest"},
}

// identify gives an object what the server gives it: its kind and its version.
func identify(o metav1.Object, version int) (resource string) {
	o.SetResourceVersion(strconv.Itoa(version))
	kinds, _, err := scheme.Scheme.ObjectKinds(o.(runtime.Object))
	if err != nil {
		panic(err)
	}
	for resource, gvk := range served {
		if slices.Contains(kinds, gvk) {
			o.(runtime.Object).GetObjectKind().SetGroupVersionKind(gvk)
			return resource
		}
	}
	panic(fmt.Sprintf("kubetest does not keep %v", kinds))
}

// target is what the path of a request names.
type target struct{ group, resource, namespace, name, sub string }

// parse takes /api/v1/REST and /apis/GROUP/VERSION/REST apart; REST is RESOURCE, RESOURCE/NAME or RESOURCE/NAME/SUB, with
// namespaces/NAME before it if the resource is in one.
func parse(path string) target {
	var t target
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		t.group, parts = parts[1], parts[3:]
	default:
		return t
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		t.namespace, parts = parts[1], parts[2:]
	}
	parts = append(parts, "", "")
	t.resource, t.name, t.sub = parts[0], parts[1], parts[2]
	return t
}

// kind is how errors name the resource.
func (t target) kind() schema.GroupResource {
	return schema.GroupResource{Group: t.group, Resource: t.resource}
}

// serveObjects answers what is asked of objects, and knows every namespace. The lock is held.
func (s *Server) serveObjects(r *http.Request, body []byte) *http.Response {
	t := parse(r.URL.Path)
	gvk, known := served[t.resource]
	switch {
	case !known || gvk.Group != t.group || t.sub != "":
		return answer(r, http.StatusNotFound, metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
			Message: "the server could not find the requested resource",
		})
	case r.Method == http.MethodPatch && t.name != "":
		return s.patch(r, t, body)
	case r.Method != http.MethodGet:
		return failure(r, apierrors.NewMethodNotSupported(t.kind(), strings.ToLower(r.Method)).Status())
	case t.name != "":
		return s.get(r, t)
	case r.URL.Query().Get("watch") == "":
		return s.list(r, t)
	}
	return s.watch(r, t)
}

// failure answers with an error as the server does: with its delay in a header too.
func failure(r *http.Request, status metav1.Status) *http.Response {
	status.TypeMeta, status.Status = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, metav1.StatusFailure
	response := answer(r, int(status.Code), status)
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		response.Header.Set("Retry-After", strconv.Itoa(int(d.RetryAfterSeconds)))
	}
	return response
}

// find gives the object that a path names, nil if there is none.
func (s *Server) find(t target) metav1.Object {
	for _, o := range s.kept[t.resource] {
		if o.GetName() == t.name && o.GetNamespace() == t.namespace {
			return o
		}
	}
	return nil
}

func (s *Server) get(r *http.Request, t target) *http.Response {
	o := s.find(t)
	if o == nil && t.resource == "namespaces" {
		ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
		ns.Name = t.name
		o = ns
	}
	if o == nil {
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
	}
	return answer(r, http.StatusOK, o)
}

// patch merges a patch into an object, unless it names another UID or version than the object has.
func (s *Server) patch(r *http.Request, t target, body []byte) *http.Response {
	o := s.find(t)
	if o == nil {
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
	}
	var patch, whole map[string]any
	if err := json.Unmarshal(body, &patch); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	meta, _ := patch["metadata"].(map[string]any)
	for key, is := range map[string]string{"uid": string(o.GetUID()), "resourceVersion": o.GetResourceVersion()} {
		if want, ok := meta[key]; ok && want != is {
			err := fmt.Errorf("Precondition failed: %s in precondition: %v, %s in object meta: %s", key, want, key, is) //nolint:staticcheck // the server's words
			return failure(r, apierrors.NewConflict(t.kind(), t.name, err).Status())
		}
	}
	must(0, json.Unmarshal(must(json.Marshal(o)), &whole))
	merge(whole, patch)
	changed := must(scheme.Scheme.New(served[t.resource]))
	if err := json.Unmarshal(must(json.Marshal(whole)), changed); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	if r.URL.Query().Get("dryRun") == "" {
		s.put(changed.(metav1.Object))
	}
	return answer(r, http.StatusOK, changed)
}

// merge is a JSON merge patch (RFC 7386).
func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isObject := value.(map[string]any)
		switch old, has := into[key].(map[string]any); {
		case value == nil:
			delete(into, key)
		case isObject && has:
			merge(old, inner)
		default:
			into[key] = value
		}
	}
}

func (s *Server) list(r *http.Request, t target) *http.Response {
	gvk := served[t.resource]
	return answer(r, http.StatusOK, map[string]any{
		"kind": gvk.Kind + "List", "apiVersion": gvk.GroupVersion().String(), "items": s.in(t.resource, selector(r, t)),
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(s.version)},
	})
}

// selector tells the objects that a request is for: by namespace, labels and fields.
func selector(r *http.Request, t target) func(metav1.Object) bool {
	q := r.URL.Query()
	byField := must(fields.ParseSelector(q.Get("fieldSelector")))
	byLabel := must(labels.Parse(q.Get("labelSelector")))
	return func(o metav1.Object) bool {
		return (t.namespace == "" || t.namespace == o.GetNamespace()) &&
			byField.Matches(fieldsOf(o)) && byLabel.Matches(labels.Set(o.GetLabels()))
	}
}

// fieldsOf are the fields that the server can select by.
func fieldsOf(o metav1.Object) fields.Set {
	set := fields.Set{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
	if pod, ok := o.(*corev1.Pod); ok {
		maps.Copy(set, fields.Set{"spec.nodeName": pod.Spec.NodeName, "status.phase": string(pod.Status.Phase)})
	}
	return set
}

func (s *Server) in(resource string, wanted func(metav1.Object) bool) []metav1.Object {
	return slices.DeleteFunc(slices.Clone(s.kept[resource]), func(o metav1.Object) bool { return !wanted(o) })
}

// watch serves a watch: the list first and the bookmark that ends it (KEP-3157) if that is what is asked for, otherwise
// what is newer than the version that is asked for.
func (s *Server) watch(r *http.Request, t target) *http.Response {
	w := &watcher{t.resource, selector(r, t), queue.New()}
	initial := r.URL.Query().Get("sendInitialEvents") == "true"
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	switch {
	case initial:
		for _, o := range s.in(t.resource, w.wanted) {
			w.send("ADDED", o)
		}
		w.send("BOOKMARK", s.bookmark(t.resource))
	case since < s.oldest:
		return failure(r, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", since, s.oldest)).Status())
	default:
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
	o := must(scheme.Scheme.New(served[resource]))
	o.GetObjectKind().SetGroupVersionKind(served[resource])
	o.(metav1.Object).SetResourceVersion(strconv.Itoa(s.version))
	o.(metav1.Object).SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	return o
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
	if w.resource == e.resource && w.wanted(e.object) {
		w.send(e.kind, e.object)
	}
}

func (w *watcher) send(kind string, object any) {
	raw := must(json.Marshal(map[string]any{"type": kind, "object": object}))
	_, _ = w.Write(append(raw, '\n'))
}
