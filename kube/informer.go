package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// firstPage and nextPage are the limits of LIST requests. The first is that of kubectl's chunks, so that rows are there
	// after one short answer; the others are longer, because 150,000 pods in 300 pages take half as long again as in 75.
	firstPage, nextPage = 500, 2000
	// retryFirst and retryMost bound the wait after a failure. The upper bound keeps the promise that everything is caught
	// up within five seconds of the server's return even if nobody noticed the return.
	retryFirst = 500 * time.Millisecond
	retryMost  = 3 * time.Second
	// retryDenied is how often we ask again for what we may not have: permissions change, but rarely.
	retryDenied = 30 * time.Second
	// watchAtLeast is the shortest server-side timeout of a watch; client-go's reflector uses the same 5 to 10 minutes.
	watchAtLeast = 5 * time.Minute
	// answerLimit is how long the rows count as live while the request to list or to watch them has no answer.
	answerLimit = 5 * time.Second
	// shortWatch is how long a watch must have lasted to count as one that worked.
	shortWatch = time.Second
)

var (
	// errResync asks for a new listing: the server no longer knows the version that we could go on from, or somebody wants
	// it.
	errResync = errors.New("everything is to be read again")
	// errShort keeps a server that ends every watch at once from being asked in a hot loop.
	errShort = errors.New("the server ended the watch at once")
	// errUnanswered is the reason for rows that are stale while a request for them waits.
	errUnanswered = errors.New("the API server takes the request for them, and does not answer it")
)

// informer keeps one store up to date with one resource in one namespace ("" for all), for ever.
//
// It does what client-go's Reflector does, with three differences that the store needs: rows go to the store as they
// arrive, without a second copy of the whole list; a failure is told as soon as an attempt at once has not mended it,
// also one that the Reflector or client-go would retry in silence (a refused connection, 429); and a wait between two
// attempts ends when the context does or when somebody knows that the server is back. Order of attempts as in KEP-3157:
// a streamed list where the server has it, pages where it has not.
type informer[R Row] struct {
	signals
	source
	resource  string
	namespace string
	kind      Kinds // of the rows, where the store has several; 0 otherwise

	row   func(runtime.Object) R // the zero R for an object that is worth no row
	store tray[R]
	lost  func(error)      // told of every failure
	heard func() time.Time // when the server was last heard of: now, while it answers
	log   *slog.Logger

	// What to do where the server forbids the first listing, and when it allows it after all. Nil: ask again and again.
	denied  func(error)
	allowed func()

	paged  bool   // the server cannot stream lists
	synced bool   // a listing has been complete at least once
	worked bool   // the present attempt has brought something, or has stood for a while
	said   string // the last failure that was logged

	mu    sync.Mutex
	phase Phase // what the store was told last
	waits bool  // a request has no answer yet
}

// tray is where an informer leaves what it learns, for a publisher to take it up. All of it may be called by any goroutine.
type tray[R Row] interface {
	put(rows ...R)                               // the newest rows of some objects
	remove(uid string)                           // the server has deleted the object
	sweep(from origin, seen map[string]struct{}) // all that there is of that origin, by UID: what else was known is gone
	setState(of origin, st State)                // how the informer fares
	size() int                                   // 0 if nothing has been put yet, so that there is nothing to sweep
}

// signals reach an informer from outside.
type signals struct {
	retry  chan struct{} // capacity 1: the server is back, do not wait any longer
	relist chan struct{} // capacity 1: somebody does not believe the rows
}

func newSignals() signals { return signals{make(chan struct{}, 1), make(chan struct{}, 1)} }

func (s signals) again() { signal(s.retry) }
func (s signals) anew()  { signal(s.relist) }

// run lists and watches until ctx ends. The store must have been told to expect the namespace.
func (i *informer[R]) run(ctx context.Context) {
	version, failures := "", 0
	var broke time.Time // when the present row of failures began
	for ctx.Err() == nil {
		i.worked = false
		next, err := i.follow(ctx, version)
		version = next
		if i.worked {
			failures = 0
		}
		if err == nil && !i.worked {
			err = errShort
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if i.denied != nil && !i.synced && apierrors.IsForbidden(err) {
			i.denied(err)
			i.park(ctx)
			continue
		}
		if failures == 0 {
			broke = i.heard()
		}
		failures++
		i.failed(err, failures, broke)
		i.pause(ctx, err, failures)
	}
}

// park waits until the server allows the listing after all. It asks only when there is a reason: the server has come
// back, or the operator wants everything read again.
func (i *informer[R]) park(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.retry:
		case <-i.relist:
		}
		if _, err := i.list(ctx, metav1.ListOptions{Limit: 1}); err == nil {
			i.allowed()
			return
		}
	}
}

// follow lists, unless version says where to go on, and watches until the watch ends. It gives the version to go on
// from, "" if only a new listing will do.
func (i *informer[R]) follow(ctx context.Context, version string) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if version != "" {
		return i.resume(ctx, version)
	}
	if !i.paged {
		next, err := i.stream(ctx)
		if !i.paged {
			return next, err
		}
	}
	version, err := i.pages(ctx)
	if err != nil {
		return "", err
	}
	return i.resume(ctx, version)
}

// stream asks for the list as a watch (KEP-3157): rows arrive one by one, and a bookmark ends the listing.
func (i *informer[R]) stream(ctx context.Context) (string, error) {
	yes := true
	answered := i.asks()
	w, err := i.watch(ctx, metav1.ListOptions{
		SendInitialEvents: &yes, AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		TimeoutSeconds:       watchTimeout(),
	})
	answered()
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		i.paged = true
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("list %s: %w", i.resource, err)
	}
	return i.consume(ctx, w, "", i.census())
}

// pages reads the list in pages. The pages after the first come from the same version as the first.
func (i *informer[R]) pages(ctx context.Context) (string, error) {
	var none R
	seen, opts := i.census(), metav1.ListOptions{Limit: firstPage}
	for {
		answered := i.asks()
		page, err := i.list(ctx, opts)
		answered()
		if err != nil {
			return "", fmt.Errorf("list %s: %w", i.resource, err)
		}
		objects, err := meta.ExtractList(page)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", i.resource, err)
		}
		rows := make([]R, 0, len(objects))
		for _, o := range objects {
			if r := i.row(o); r != none {
				seen.add(r.Ref().UID)
				rows = append(rows, r)
			}
		}
		i.store.put(rows...)
		list, err := meta.ListAccessor(page)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", i.resource, err)
		}
		if list.GetContinue() == "" {
			i.complete(seen)
			return list.GetResourceVersion(), nil
		}
		opts.Continue, opts.Limit = list.GetContinue(), nextPage
	}
}

// resume watches on from a version.
func (i *informer[R]) resume(ctx context.Context, version string) (string, error) {
	answered := i.asks()
	w, err := i.watch(ctx, metav1.ListOptions{
		ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: watchTimeout(),
	})
	answered()
	if err != nil {
		if gone(err) {
			return "", errResync
		}
		return version, fmt.Errorf("watch %s: %w", i.resource, err)
	}
	return i.consume(ctx, w, version, nil)
}

// consume takes events until the watch ends. With a census the listing is part of the stream, and is complete at the
// bookmark that says so.
func (i *informer[R]) consume(ctx context.Context, w watch.Interface, version string, seen *census) (string, error) {
	defer w.Stop()
	stood := time.NewTimer(shortWatch)
	defer stood.Stop()
	for {
		var e watch.Event
		var open bool
		select {
		case <-ctx.Done():
			return version, nil
		case <-i.relist:
			return "", errResync
		case <-stood.C:
			if seen == nil {
				i.works()
			}
			continue
		case e, open = <-w.ResultChan():
		}
		if !open {
			return version, i.ended(seen)
		}
		if e.Type == watch.Error {
			err := apierrors.FromObject(e.Object)
			if gone(err) {
				return "", errResync
			}
			return version, fmt.Errorf("watch %s: %w", i.resource, err)
		}
		object, err := meta.Accessor(e.Object)
		if err != nil {
			return version, fmt.Errorf("watch %s: %w", i.resource, err)
		}
		switch e.Type {
		case watch.Added, watch.Modified:
			i.take(e, string(object.GetUID()), seen)
		case watch.Deleted:
			i.store.remove(string(object.GetUID()))
		case watch.Bookmark:
			if seen != nil && object.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
				i.complete(seen)
				seen = nil
			}
		}
		if seen == nil {
			version = object.GetResourceVersion()
			i.works()
		}
	}
}

// take puts the row of an object into the store, or takes it out of it if the object has become worth none.
func (i *informer[R]) take(e watch.Event, uid string, seen *census) {
	var none R
	r := i.row(e.Object)
	switch {
	case r != none:
		seen.add(r.Ref().UID)
		i.store.put(r)
	case e.Type == watch.Modified:
		i.store.remove(uid)
	}
}

// origin says which rows the informer brings.
func (i *informer[R]) origin() origin { return origin{i.kind, i.namespace} }

// ended says what the end of a watch means: nothing after a complete listing, since servers end watches as a matter of
// course, but a failure in the midst of one.
func (i *informer[R]) ended(seen *census) error {
	if seen == nil {
		return nil
	}
	return fmt.Errorf("list %s: the server closed the stream before the list was complete", i.resource)
}

// complete marks the end of a listing.
func (i *informer[R]) complete(seen *census) {
	if seen.uids != nil {
		i.store.sweep(i.origin(), seen.uids)
	}
	i.synced = true
	i.works()
}

// works notes that the present attempt is more than an open connection: what the store holds is watched.
func (i *informer[R]) works() {
	i.worked = true
	i.tell(State{Phase: Live, Since: time.Now()})
}

// tell tells the store how we fare. That we still are live is no news.
func (i *informer[R]) tell(st State) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set(st)
}

func (i *informer[R]) set(st State) {
	if st.Phase != Live || i.phase != Live {
		i.phase = st.Phase
		i.store.setState(i.origin(), st)
	}
}

// asks begins to wait for the answer to a request. A server that answers others, but not this one, is overloaded or has a
// store that hangs: the request is left to it, but rows that nobody watches are not called live. The function that it
// gives says that the answer is there.
func (i *informer[R]) asks() (answered func()) {
	if !i.synced {
		return func() {}
	}
	since := i.heard()
	wait := func(waits bool) {
		i.mu.Lock()
		i.waits = waits
		i.mu.Unlock()
	}
	wait(true)
	late := time.AfterFunc(answerLimit, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.waits {
			i.set(State{Phase: Stale, Since: since, Err: errUnanswered})
		}
	})
	return func() {
		late.Stop()
		wait(false)
	}
}

// failed tells the store and whoever watches over the connection. The first failure of a working watch is not yet a
// state: servers restart, balancers cut, and most often the next attempt mends it. Rows that have been there are stale,
// whatever the failure is: also those of somebody whose permission was taken away.
func (i *informer[R]) failed(err error, failures int, broke time.Time) {
	if failures == 1 && (errors.Is(err, errResync) || errors.Is(err, errShort)) {
		return
	}
	if said := Explain(err).Sentence; failures == 1 || said != i.said {
		i.said = said
		i.log.Warn("informer", "resource", i.resource, "namespace", i.namespace, "failures", failures, "err", err)
	}
	i.lost(err)
	st := State{Phase: Stale, Since: broke, Err: err}
	switch {
	case i.synced && failures == 1:
		return
	case i.synced:
	case apierrors.IsForbidden(err):
		st.Phase = Denied
	case apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
		st.Phase = Failed
	default:
		st.Phase = Loading
	}
	i.tell(st)
}

// pause waits before the next attempt: not at all when everything is to be read again, else longer and longer, never
// long, except for what we were never allowed to have.
func (i *informer[R]) pause(ctx context.Context, err error, failures int) {
	wait := retryMost
	switch {
	case failures == 1 && errors.Is(err, errResync):
		return
	case !i.synced && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err)):
		wait = retryDenied
	case failures < 4:
		wait = retryFirst << (failures - 1)
	}
	wait = wait/2 + rand.N(wait/2+1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-i.retry:
	}
}

// census collects who is in a listing, so that those who are not can be removed. The very first listing of an empty
// store needs none: uids stays nil.
type census struct{ uids map[string]struct{} }

func (i *informer[R]) census() *census {
	if i.store.size() == 0 {
		return &census{}
	}
	return &census{uids: map[string]struct{}{}}
}

func (c *census) add(uid string) {
	if c != nil && c.uids != nil {
		c.uids[uid] = struct{}{}
	}
}

// gone reports whether a watch cannot be resumed from where it was.
func gone(err error) bool { return apierrors.IsGone(err) || apierrors.IsResourceExpired(err) }

// watchTimeout spreads the ends of watches so that not all come back at once.
func watchTimeout() *int64 {
	s := int64((watchAtLeast + rand.N(watchAtLeast)).Seconds())
	return &s
}
