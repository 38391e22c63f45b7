package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// readEvents reads events wherever the scope has us look, until ctx ends.
//
// The server has no watch cache of events, so that each list and each watch is one of etcd's. A streamed list (KEP-3157) works
// there too, and costs the least: one request, which reads etcd in pages of 10,000 and keeps none of them (sync in
// pkg/storage/etcd3/watcher.go of k8s.io/apiserver), where pages would be a request, and a list in memory, each. Bookmarks do not come in
// between: a watch of a quiet cluster may have to begin with a list again, which counts nothing twice.
func (c *Cluster) readEvents(ctx context.Context) {
	c.followScope(ctx, c.rescoped.events, func(namespaces []string) (leave func()) { return c.lookAtEvents(ctx, namespaces) })
}

// lookAtEvents starts an informer in each namespace. Where events of all may not be listed, those of the context's own are
// read. The function that it gives ends the informers; what they brought stays: it has been said.
func (c *Cluster) lookAtEvents(ctx context.Context, namespaces []string) (leave func()) {
	ctx, stop := context.WithCancel(ctx)
	var origins []origin
	for _, ns := range namespaces {
		origins = append(origins, origin{Events, ns})
	}
	c.book.tray.expect(origins...)
	var gone []chan struct{}
	one := fallback{cluster: c}
	for _, of := range origins {
		i := c.eventInformer(of.namespace)
		if of.namespace == metav1.NamespaceAll {
			i.denied, i.allowed = func(err error) { one.denied(ctx, err) }, one.allowed
		}
		gone = append(gone, c.inform(ctx, i))
	}
	return func() {
		stop()
		for _, g := range gone {
			<-g
		}
		one.leave()
		c.book.tray.forget(append(origins, origin{Events, c.fallback})...)
	}
}

// fallback reads the events of the context's own namespace while those of all are denied. It belongs to the informer of all.
type fallback struct {
	cluster *Cluster
	end     func() // ends the informer of the one namespace; nil while there is none
}

func (f *fallback) denied(ctx context.Context, err error) {
	c := f.cluster
	c.book.tray.setState(origin{Events, metav1.NamespaceAll}, State{Phase: Denied, Since: c.heard(), Err: err})
	if f.end != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	c.book.tray.expect(origin{Events, c.fallback})
	gone := c.inform(ctx, c.eventInformer(c.fallback))
	f.end = func() {
		stop()
		<-gone
	}
}

// allowed takes denied back. The one informer must have ended before the other begins.
func (f *fallback) allowed() {
	f.leave()
	tray := f.cluster.book.tray
	tray.expect(origin{Events, metav1.NamespaceAll})
	tray.forget(origin{Events, f.cluster.fallback})
}

func (f *fallback) leave() {
	if f.end != nil {
		f.end()
		f.end = nil
	}
}

func (c *Cluster) eventInformer(namespace string) *informer[*Event] {
	list := func() runtime.Object { return &corev1.EventList{} }
	return &informer[*Event]{
		signals: newSignals(), source: newSource(c.rows, "/api/v1", "events", namespace, list),
		resource: "events", namespace: namespace, kind: Events, store: c.book.tray, lost: c.lost, heard: c.heard, log: c.log,
		row: func(o runtime.Object) *Event { return NewEvent(o.(*corev1.Event)) },
	}
}
