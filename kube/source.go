package kube

import (
	"context"
	"errors"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// source is where an informer gets its objects: the two requests for one resource in one namespace.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// newSource makes the requests for a resource of the API at prefix ("/api/v1", "/apis/apps/v1") in a namespace, "" for all.
// list makes an empty list to decode into.
//
// To repeat a request that failed is the informer's business: client-go on its own would repeat it ten times, seconds
// apart, and tell nobody.
func newSource(api rest.Interface, prefix, resource, namespace string, list func() runtime.Object) source {
	get := func(o metav1.ListOptions) *rest.Request {
		return api.Get().AbsPath(prefix).NamespaceIfScoped(namespace, namespace != "").Resource(resource).
			VersionedParams(&o, scheme.ParameterCodec).MaxRetries(0)
	}
	return source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			into := list()
			return into, get(o).Do(ctx).Into(into)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			w, err := get(o).Watch(ctx)
			if err == nil && reflect.TypeOf(w) == noWatch {
				return nil, errNoAnswer
			}
			return w, err
		},
	}
}

var (
	// noWatch is what rest.Request.Watch makes of a connection that ends, or times out, before there is an answer: a
	// watch without events, and no error.
	noWatch     = reflect.TypeOf(watch.NewEmptyWatch())
	errNoAnswer = errors.New("the connection ended before the API server answered")
)
