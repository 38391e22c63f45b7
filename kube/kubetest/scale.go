package kubetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// Scaling is a Server that serves numbers of replicas too: the subresource scale with its preconditions, and JSON patches
// that test. It has no controllers: what a number leads to, a test does.
type Scaling struct {
	*Server
	// Way is what happens to a request that changes something, between client and server; nil hands it on.
	Way func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)
}

// RoundTrip implements http.RoundTripper.
func (s *Scaling) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return s.answer(r) }
	if s.Way != nil && (r.Method == http.MethodPut || r.Method == http.MethodPatch) {
		return s.Way(r, send)
	}
	return send()
}

// empty are the lists that Server does not keep, and that have nothing in them here.
var empty = map[string]string{
	"resourcequotas": `{"kind":"ResourceQuotaList","apiVersion":"v1","items":[]}`,
}

func (s *Scaling) answer(r *http.Request) (*http.Response, error) {
	t := parse(r.URL.Path)
	list, isEmpty := empty[t.resource]
	json6902 := r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.JSONPatchType)
	if t.sub != "scale" && !json6902 && !isEmpty {
		return s.Server.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.asked = append(s.asked, Request{time.Now(), r.Method, r.URL.Path, r.URL.Query(), body})
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if response, hit, err := fault(r); hit {
			return response, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isEmpty:
		return answer(r, http.StatusOK, json.RawMessage(list)), nil
	case json6902:
		return s.jsonPatch(r, t, body), nil
	}
	return s.scale(r, t, body), nil
}

// scale serves GET and PUT of a number (ScaleREST in pkg/registry/apps/statefulset/storage). The lock is held.
func (s *Scaling) scale(r *http.Request, t target, body []byte) *http.Response {
	o := s.find(t)
	if o == nil {
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
	}
	o = o.(runtime.Object).DeepCopyObject().(metav1.Object)
	number := replicas(o)
	out := &autoscalingv1.Scale{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "Scale"},
		ObjectMeta: metav1.ObjectMeta{Name: o.GetName(), Namespace: o.GetNamespace(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()},
		Spec:       autoscalingv1.ScaleSpec{Replicas: *number},
	}
	if r.Method == http.MethodGet {
		return answer(r, http.StatusOK, out)
	}
	in := &autoscalingv1.Scale{}
	if err := json.Unmarshal(body, in); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	if in.UID != "" && in.UID != out.UID || in.ResourceVersion != "" && in.ResourceVersion != out.ResourceVersion {
		return failure(r, apierrors.NewConflict(t.kind(), t.name, fmt.Errorf("the object has been modified")).Status())
	}
	*number = in.Spec.Replicas
	o.SetGeneration(o.GetGeneration() + 1)
	s.put(o)
	out.Spec.Replicas, out.ResourceVersion = in.Spec.Replicas, o.GetResourceVersion()
	return answer(r, http.StatusOK, out)
}

// replicas is where an object has its number.
func replicas(o metav1.Object) *int32 {
	one := int32(1)
	where := func(p **int32) *int32 {
		if *p == nil {
			*p = &one
		}
		return *p
	}
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return where(&o.Spec.Replicas)
	case *appsv1.Deployment:
		return where(&o.Spec.Replicas)
	case *appsv1.ReplicaSet:
		return where(&o.Spec.Replicas)
	}
	panic(fmt.Sprintf("%T has no number of replicas", o))
}

// jsonPatch applies the operations test and replace of RFC 6902. The lock is held.
func (s *Scaling) jsonPatch(r *http.Request, t target, body []byte) *http.Response {
	o := s.find(t)
	if o == nil {
		return failure(r, apierrors.NewNotFound(t.kind(), t.name).Status())
	}
	var steps []struct {
		Op, Path string
		Value    any
	}
	var whole map[string]any
	must(0, json.Unmarshal(must(json.Marshal(o)), &whole))
	if err := json.Unmarshal(body, &steps); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status())
	}
	for _, step := range steps {
		parts := strings.Split(strings.TrimPrefix(step.Path, "/"), "/")
		at := whole
		for _, p := range parts[:len(parts)-1] {
			at, _ = at[p].(map[string]any)
		}
		last := parts[len(parts)-1]
		if at == nil || at[last] == nil || step.Op == "test" && at[last] != step.Value {
			status := apierrors.NewInvalid(served[t.resource].GroupKind(), t.name, nil).Status()
			status.Message = "the server rejected our request due to an error in our request"
			return failure(r, status)
		}
		if step.Op == "replace" {
			at[last] = step.Value
		}
	}
	changed := must(scheme.Scheme.New(served[t.resource]))
	must(0, json.Unmarshal(must(json.Marshal(whole)), changed))
	s.put(changed.(metav1.Object))
	return answer(r, http.StatusOK, changed)
}

// StatefulSet gives a copy of a StatefulSet, nil if there is none of that name.
func (s *Scaling) StatefulSet(namespace, name string) *appsv1.StatefulSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, _ := s.find(target{resource: "statefulsets", namespace: namespace, name: name}).(*appsv1.StatefulSet)
	return o.DeepCopy()
}
