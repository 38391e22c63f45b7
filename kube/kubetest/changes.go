package kubetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
)

// Way is what happens to a request that changes something on its way to the server; on hands it on.
type Way func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error)

// Changes is a Server that also deletes, patches as kubectl does (strategic merge), and knows the leases of nodes and the
// revisions of sets. It keeps every request that would change something.
type Changes struct {
	*Server
	Leases    map[string]*coordinationv1.Lease // by node
	Revisions []appsv1.ControllerRevision
	Way       Way // nil hands on

	lock sync.Mutex
	sent []Request
}

// Sent gives the requests so far that would change something, in the order in which they came.
func (c *Changes) Sent() []Request {
	c.lock.Lock()
	defer c.lock.Unlock()
	return append([]Request{}, c.sent...)
}

// RoundTrip implements http.RoundTripper.
func (c *Changes) RoundTrip(r *http.Request) (*http.Response, error) {
	t := parse(r.URL.Path)
	switch {
	case t.resource == "leases" && r.Method == http.MethodGet:
		return c.lease(r, t), nil
	case t.resource == "controllerrevisions" && r.Method == http.MethodGet:
		return answer(r, http.StatusOK, appsv1.ControllerRevisionList{
			TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ControllerRevisionList"}, Items: c.Revisions,
		}), nil
	case r.Method != http.MethodPatch && r.Method != http.MethodDelete:
		return c.Server.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.lock.Lock()
	c.sent = append(c.sent, Request{time.Now(), r.Method, r.URL.Path, r.URL.Query(), body})
	c.lock.Unlock()
	on := func() (*http.Response, error) { return c.change(r, t, body) }
	if c.Way != nil {
		return c.Way(r, on)
	}
	return on()
}

func (c *Changes) lease(r *http.Request, t target) *http.Response {
	if lease := c.Leases[t.name]; lease != nil {
		lease.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
		return answer(r, http.StatusOK, lease)
	}
	return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
}

func (c *Changes) change(r *http.Request, t target, body []byte) (*http.Response, error) {
	strategic := r.Header.Get("Content-Type") == string(types.StrategicMergePatchType)
	if r.Method == http.MethodPatch && (!strategic || t.resource == "nodes") {
		return c.Server.RoundTrip(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.find(t)
	if o == nil {
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status()), nil
	}
	if r.Method == http.MethodDelete {
		return c.deletion(r, t, o, body), nil
	}
	return c.strategic(r, t, o, body), nil
}

// deletion removes an object if it is the one that is meant. One with finalizers stays, and is being deleted.
func (c *Changes) deletion(r *http.Request, t target, o metav1.Object, body []byte) *http.Response {
	var options metav1.DeleteOptions
	if err := json.Unmarshal(body, &options); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	if p := options.Preconditions; p != nil && p.UID != nil && *p.UID != o.GetUID() {
		return failure(r, conflict(t, "UID", *p.UID, o.GetUID()))
	}
	if len(o.GetFinalizers()) == 0 {
		c.remove(o)
		return answer(r, http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess})
	}
	now := metav1.Now()
	o.SetDeletionTimestamp(&now)
	c.put(o)
	return answer(r, http.StatusOK, o)
}

func conflict(t target, what string, want, is any) metav1.Status {
	err := fmt.Errorf("Precondition failed: %s in precondition: %v, %s in object meta: %v", what, want, what, is) //nolint:staticcheck // the server's words
	return apierrors.NewConflict(t.kind(), t.name, err).Status()
}

// strategic patches an object as the server does, unless the patch names another UID or version.
func (c *Changes) strategic(r *http.Request, t target, o metav1.Object, body []byte) *http.Response {
	var named struct {
		Metadata struct{ UID, ResourceVersion string }
	}
	if err := json.Unmarshal(body, &named); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	if v := named.Metadata.ResourceVersion; v != "" && v != o.GetResourceVersion() {
		return failure(r, conflict(t, "ResourceVersion", v, o.GetResourceVersion()))
	}
	if uid := named.Metadata.UID; uid != "" && uid != string(o.GetUID()) {
		return failure(r, apierrors.NewInvalid(served[t.resource].GroupKind(), t.name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "uid"), uid, "field is immutable"),
		}).Status())
	}
	changed := must(scheme.Scheme.New(served[t.resource]))
	raw, err := strategicpatch.StrategicMergePatch(must(json.Marshal(o)), body, changed)
	if err != nil || json.Unmarshal(raw, changed) != nil {
		return failure(r, apierrors.NewBadRequest(fmt.Sprint(err)).Status())
	}
	after := changed.(metav1.Object)
	if strings.Contains(string(body), `"spec"`) {
		after.SetGeneration(o.GetGeneration() + 1)
	}
	c.put(after)
	return answer(r, http.StatusOK, changed)
}
