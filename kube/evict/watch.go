package evict

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	requestLimit = 30 * time.Second // of every request but watches
	openLimit    = 15 * time.Second // of opening a watch
	watchFor     = 5 * time.Minute  // and up to twice that; then it is resumed
	watchFirst   = 500 * time.Millisecond
	watchMost    = 10 * time.Second
	watchStood   = 5 * time.Second // a watch that lasted so long needs no pause before the next
)

// source is a list of objects that is kept up to date by a watch.
type source struct {
	client    rest.Interface
	resource  string
	namespace string // "" for all
	fields    string
	empty     func() runtime.Object // a list to be read into
	heard     func(news)            // told of everything, one at a time
}

// news is what a source has learnt: one of its fields.
type news struct {
	all     []runtime.Object // with listed: all that there are, as of now
	listed  bool
	changed runtime.Object
	deleted runtime.Object
	err     error // the list is not kept up to date until the next listing
}

// follow lists and watches until ctx ends. After a watch that ended in order it watches on from where it was; after
// anything else it lists again, so that what was missed is known.
func (s *source) follow(ctx context.Context) {
	version, failures := "", 0
	for ctx.Err() == nil {
		began := time.Now()
		next, err := s.attempt(ctx, version)
		version = next
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			version = ""
			s.heard(news{err: err})
			if time.Since(began) > watchStood {
				failures = 0
			}
			failures++
		case time.Since(began) > watchStood:
			failures = 0
			continue
		default:
			failures++ // a watch that ends at once
		}
		pause(ctx, failures)
	}
}

// pause waits before the attempt after so many that have failed.
func pause(ctx context.Context, failures int) {
	wait := min(watchFirst<<min(failures-1, 10), watchMost)
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// attempt lists, unless there is a version to go on from, and watches as long as that works. It gives the version that it
// has come to.
func (s *source) attempt(ctx context.Context, version string) (string, error) {
	if version == "" {
		list := s.empty()
		err := s.get(metav1.ListOptions{}).Timeout(requestLimit).Do(ctx).Into(list)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", s.resource, err)
		}
		objects, err := meta.ExtractList(list)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", s.resource, err)
		}
		about, err := meta.ListAccessor(list)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", s.resource, err)
		}
		version = about.GetResourceVersion()
		s.heard(news{all: objects, listed: true})
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w, err := s.open(ctx, stop, version)
	if err != nil {
		return version, fmt.Errorf("watch %s: %w", s.resource, err)
	}
	defer w.Stop()
	return s.consume(ctx, w, version)
}

// open opens a watch, and gives it up if the server does not answer.
func (s *source) open(ctx context.Context, stop context.CancelFunc, version string) (watch.Interface, error) {
	silent := time.AfterFunc(openLimit, stop)
	seconds := int64((watchFor + rand.N(watchFor)).Seconds())
	w, err := s.get(metav1.ListOptions{
		Watch: true, ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	}).Watch(ctx)
	if !silent.Stop() && err == nil {
		w.Stop()
		err = context.DeadlineExceeded
	}
	return w, err
}

func (s *source) get(o metav1.ListOptions) *rest.Request {
	o.FieldSelector = s.fields
	return s.client.Get().Namespace(s.namespace).Resource(s.resource).VersionedParams(&o, scheme.ParameterCodec).MaxRetries(0)
}

// consume takes events until the watch ends.
func (s *source) consume(ctx context.Context, w watch.Interface, version string) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return version, nil
		case e, open := <-w.ResultChan():
			if !open {
				return version, nil
			}
			if e.Type == watch.Error {
				return "", fmt.Errorf("watch %s: %w", s.resource, apierrors.FromObject(e.Object))
			}
			object, err := meta.Accessor(e.Object)
			if err != nil {
				return "", fmt.Errorf("watch %s: %w", s.resource, err)
			}
			version = object.GetResourceVersion()
			switch e.Type {
			case watch.Added, watch.Modified:
				s.heard(news{changed: e.Object})
			case watch.Deleted:
				s.heard(news{deleted: e.Object})
			}
		}
	}
}

// forbidden reports whether the server does not let us read the source.
func forbidden(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err)
}
