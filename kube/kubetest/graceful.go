package kubetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Graceful is a Server that deletes pods as the real one does, with grace periods and finalizers, and that knows the JSON
// patches of their finalizers.
type Graceful struct {
	*Server
	// Way is what happens to a request that changes something on its way to the server; on hands it on. Nil hands on.
	Way func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error)

	lock sync.Mutex
	sent []Request
}

// Sent gives the requests so far that would change something, in the order in which they came.
func (g *Graceful) Sent() []Request {
	g.lock.Lock()
	defer g.lock.Unlock()
	return append([]Request{}, g.sent...)
}

// RoundTrip implements http.RoundTripper.
func (g *Graceful) RoundTrip(r *http.Request) (*http.Response, error) {
	t := parse(r.URL.Path)
	if t.resource != "pods" || r.Method != http.MethodDelete && r.Method != http.MethodPatch {
		return g.Server.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.lock.Lock()
	g.sent = append(g.sent, Request{time.Now(), r.Method, r.URL.Path, r.URL.Query(), body})
	g.lock.Unlock()
	on := func() (*http.Response, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		pod, _ := g.find(t).(*corev1.Pod)
		switch {
		case pod == nil:
			return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status()), nil
		case r.Method == http.MethodDelete:
			return g.graceful(r, t, pod.DeepCopy(), body), nil
		}
		return g.finalizers(r, t, pod.DeepCopy(), body), nil
	}
	if g.Way != nil {
		return g.Way(r, on)
	}
	return on()
}

// graceful follows BeforeDelete of k8s.io/apiserver/pkg/registry/rest/delete.go: only a shorter grace period changes a pod
// that is being deleted, and with none it is gone at once, unless finalizers keep it.
func (g *Graceful) graceful(r *http.Request, t target, pod *corev1.Pod, body []byte) *http.Response {
	var options metav1.DeleteOptions
	if err := json.Unmarshal(body, &options); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	if p := options.Preconditions; p != nil && p.UID != nil && *p.UID != pod.UID {
		err := apierrors.NewConflict(t.kind(), t.name, errPrecondition)
		return failure(r, err.Status())
	}
	grace := int64(defaultGrace)
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = *s
	}
	if s := options.GracePeriodSeconds; s != nil {
		grace = *s
	}
	if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		grace = 0
	}
	switch {
	case grace > 0 && pod.DeletionTimestamp != nil:
	case grace > 0:
		g.end(pod, &grace)
	case len(pod.Finalizers) > 0:
		now := metav1.NewTime(time.Now().Truncate(time.Second))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &grace
		g.put(pod)
	default:
		g.remove(pod)
	}
	return answer(r, http.StatusOK, pod)
}

var errPrecondition = apierrors.NewBadRequest("Precondition failed: UID in precondition")

// finalizers carries out a JSON patch of tests and of removals of finalizers by their places; 422 if a test fails
// (patch.go of k8s.io/apiserver/pkg/endpoints/handlers). Without any left, a pod without grace is gone.
func (g *Graceful) finalizers(r *http.Request, t target, pod *corev1.Pod, body []byte) *http.Response {
	var patch []struct {
		Op, Path string
		Value    any
	}
	if r.Header.Get("Content-Type") != string(types.JSONPatchType) || json.Unmarshal(body, &patch) != nil {
		return failure(r, apierrors.NewBadRequest("only JSON patches of finalizers").Status())
	}
	var meta struct{ Metadata map[string]any }
	must(0, json.Unmarshal(must(json.Marshal(pod)), &meta))
	for _, op := range patch {
		field := strings.TrimPrefix(op.Path, "/metadata/")
		at, err := strconv.Atoi(strings.TrimPrefix(field, "finalizers/"))
		switch {
		case op.Op == "test" && reflect.DeepEqual(meta.Metadata[field], op.Value):
		case op.Op == "remove" && err == nil && at < len(pod.Finalizers):
			pod.Finalizers = append(pod.Finalizers[:at:at], pod.Finalizers[at+1:]...)
		default:
			return failure(r, apierrors.NewInvalid(served["pods"].GroupKind(), t.name, nil).Status())
		}
	}
	g.put(pod)
	if s := pod.DeletionGracePeriodSeconds; len(pod.Finalizers) == 0 && s != nil && *s == 0 {
		g.remove(pod)
	}
	return answer(r, http.StatusOK, pod)
}
