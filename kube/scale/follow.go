package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"ktriage/kube/send"
)

const (
	openLimit  = 15 * time.Second // of opening a watch
	watchFor   = 5 * time.Minute  // and up to twice that; then it is resumed
	watchFirst = 500 * time.Millisecond
	watchMost  = 10 * time.Second
	watchStood = 5 * time.Second // a watch that lasted so long needs no pause before the next
)

// follower keeps the objects of one resource in one namespace as a watch tells them.
type follower struct {
	client    rest.Interface
	resource  string
	namespace string
	name      string // of the only object that is meant, "" for more
	labels    string
	empty     func() runtime.Object // a list to be read into
	changed   func()                // something is new; must not block

	mu      sync.Mutex
	objects map[types.UID]metav1.Object
	listed  bool  // they have been read at least once
	err     error // why they are not kept up to date, nil if they are
}

// all gives the objects, whether they have ever been read, and why they are out of date if they are.
func (f *follower) all() (objects []metav1.Object, listed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.objects {
		objects = append(objects, o)
	}
	return objects, f.listed, f.err
}

// get gives one object, nil if there is none of that UID.
func (f *follower) get(uid string) (o metav1.Object, listed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[types.UID(uid)], f.listed
}

// forbidden reports whether the server lets us see none of the objects.
func (f *follower) forbidden() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.listed && apierrors.IsForbidden(f.err)
}

func (f *follower) set(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	f.changed()
}

// follow lists and watches until ctx ends. After a watch that ended in order it watches on from where it was; after anything
// else it lists again, so that what was missed is known.
func (f *follower) follow(ctx context.Context) {
	version, failures := "", 0
	for ctx.Err() == nil {
		began := time.Now()
		next, err := f.attempt(ctx, version)
		version = next
		stood := time.Since(began) > watchStood
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			version = ""
			f.set(func() { f.err = err })
			if stood {
				failures = 0
			}
			failures++
		case stood:
			failures = 0
			continue
		default:
			failures++ // a watch that ends at once
		}
		rest := min(watchFirst<<min(failures-1, 10), watchMost)
		pause(ctx, rest/2+rand.N(rest/2))
	}
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// attempt lists, unless there is a version to go on from, and watches as long as that works.
func (f *follower) attempt(ctx context.Context, version string) (string, error) {
	if version == "" {
		list := f.empty()
		if err := send.Once(f.request(metav1.ListOptions{})).Do(ctx).Into(list); err != nil {
			return "", fmt.Errorf("list %s: %w", f.resource, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", f.resource, err)
		}
		about, err := meta.ListAccessor(list)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", f.resource, err)
		}
		version = about.GetResourceVersion()
		objects := map[types.UID]metav1.Object{}
		for _, item := range items {
			if o, ok := item.(metav1.Object); ok {
				objects[o.GetUID()] = o
			}
		}
		f.set(func() { f.objects, f.listed, f.err = objects, true, nil })
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w, err := f.open(ctx, stop, version)
	if err != nil {
		return version, fmt.Errorf("watch %s: %w", f.resource, err)
	}
	defer w.Stop()
	return f.consume(ctx, w, version)
}

// open opens a watch, and gives it up if the server does not answer.
func (f *follower) open(ctx context.Context, stop context.CancelFunc, version string) (watch.Interface, error) {
	silent := time.AfterFunc(openLimit, stop)
	seconds := int64((watchFor + rand.N(watchFor)).Seconds())
	w, err := f.request(metav1.ListOptions{
		Watch: true, ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	}).MaxRetries(0).Watch(ctx)
	if !silent.Stop() && err == nil {
		w.Stop()
		err = context.DeadlineExceeded
	}
	return w, err
}

func (f *follower) request(o metav1.ListOptions) *rest.Request {
	o.LabelSelector = f.labels
	if f.name != "" {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", f.name).String()
	}
	return f.client.Get().Namespace(f.namespace).Resource(f.resource).VersionedParams(&o, scheme.ParameterCodec)
}

// consume takes events until the watch ends.
func (f *follower) consume(ctx context.Context, w watch.Interface, version string) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return version, nil
		case e, open := <-w.ResultChan():
			if !open {
				return version, nil
			}
			if e.Type == watch.Error {
				return "", fmt.Errorf("watch %s: %w", f.resource, apierrors.FromObject(e.Object))
			}
			o, err := meta.Accessor(e.Object)
			if err != nil {
				return "", fmt.Errorf("watch %s: %w", f.resource, err)
			}
			version = o.GetResourceVersion()
			switch e.Type {
			case watch.Added, watch.Modified:
				f.set(func() { f.objects[o.GetUID()], f.err = o, nil })
			case watch.Deleted:
				f.set(func() { delete(f.objects, o.GetUID()) })
			}
		}
	}
}
