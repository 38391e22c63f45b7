package kube

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// wire is the far end of an informer: it answers with what the test has laid ready. The test and the informer take turns:
// the test has the turn except while it waits.
type wire struct {
	turn    sync.Mutex
	t       *testing.T
	store   *store[*thing]
	feed    *Feed[*thing]
	inf     *informer[*thing]
	watches []metav1.ListOptions // asked for
	lists   []metav1.ListOptions
	answer  func(metav1.ListOptions) (watch.Interface, error)
	page    func(metav1.ListOptions) (*corev1.PodList, error)
	losses  int
	stop    func()
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, store: newStore(func() {}, judgeThing), stop: func() {}}
	w.feed = w.store.open(func() {})
	w.feed.SetQuery(Query[*thing]{Tie: byUID})
	w.inf = &informer[*thing]{
		signals: newSignals(), resource: "things", store: w.store, log: slog.New(slog.DiscardHandler), heard: time.Now,
		lost: func(error) {
			w.turn.Lock()
			defer w.turn.Unlock()
			w.losses++
		},
		source: source{
			list: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
				w.turn.Lock()
				w.lists = append(w.lists, o)
				w.turn.Unlock()
				return w.page(o) // which may wait for the test
			},
			watch: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
				w.turn.Lock()
				defer w.turn.Unlock()
				w.watches = append(w.watches, o)
				return w.answer(o)
			},
		},
		row: func(o runtime.Object) *thing {
			p := o.(*corev1.Pod)
			return &thing{uid: string(p.UID), ns: p.Namespace}
		},
	}
	return w
}

// inBubble gives the test a wire in virtual time. The informer runs from the moment that the test calls start.
func inBubble(t *testing.T, test func(w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.turn.Lock()
		defer func() {
			w.turn.Unlock()
			w.stop()
		}()
		test(w)
	})
}

// start runs the informer until the end of the test.
func (w *wire) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	w.store.expect(origin{})
	go func() {
		w.inf.run(ctx)
		close(done)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	w.settle()
}

// settle gives the informer its turn until it waits.
func (w *wire) settle() {
	w.turn.Unlock()
	synctest.Wait()
	w.turn.Lock()
}

// passes lets virtual time pass.
func (w *wire) passes(d time.Duration) {
	w.turn.Unlock()
	<-time.After(d)
	synctest.Wait()
	w.turn.Lock()
}

// sees compares the rows and the phase that a reader sees.
func (w *wire) sees(want string, phase Phase) {
	w.t.Helper()
	w.settle()
	w.store.publish(Moment{Now: time.Now()}, 0, nil)
	s := w.feed.Load()
	if got := strings.Join(rows(s), " "); got != want || s.State.Phase != phase {
		w.t.Errorf("rows %q, %v (%v); want %q, %v", got, s.State.Phase, s.State.Err, want, phase)
	}
}

func pod(uid, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid), ResourceVersion: version}}
}

func listed(version string) *corev1.Pod {
	p := pod("", version)
	p.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return p
}

var (
	things  = schema.GroupResource{Resource: "things"}
	refused = &url.Error{Op: "Get", URL: "https://127.0.0.1:1", Err: syscall.ECONNREFUSED}
)

func TestRowsAreThereBeforeTheStreamedListIsComplete(t *testing.T) {
	inBubble(t, func(w *wire) {
		stream := watch.NewFake()
		w.answer = func(metav1.ListOptions) (watch.Interface, error) { return stream, nil }
		w.start()
		if o := w.watches[0]; o.SendInitialEvents == nil || !*o.SendInitialEvents {
			t.Errorf("asked for %+v, want a streamed list", o)
		}
		stream.Add(pod("a", "5"))
		w.sees("a", Loading)
		stream.Add(pod("b", "3"))
		stream.Action(watch.Bookmark, listed("7"))
		w.sees("a b", Live)
		stream.Delete(pod("a", "8"))
		stream.Add(pod("c", "9"))
		w.sees("b c", Live)
	})
}

func TestServerThatCannotStreamIsReadInPages(t *testing.T) {
	inBubble(t, func(w *wire) {
		stream := watch.NewFake()
		w.answer = func(o metav1.ListOptions) (watch.Interface, error) {
			if o.SendInitialEvents != nil {
				return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil)
			}
			return stream, nil
		}
		second := make(chan struct{})
		w.page = func(o metav1.ListOptions) (*corev1.PodList, error) {
			if o.Continue == "" {
				return &corev1.PodList{ListMeta: metav1.ListMeta{Continue: "more"}, Items: []corev1.Pod{*pod("a", "1")}}, nil
			}
			<-second
			return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Pod{*pod("b", "2")}}, nil
		}
		w.start()
		w.sees("a", Loading)
		close(second)
		w.sees("a b", Live)
		if o := w.watches[len(w.watches)-1]; o.ResourceVersion != "7" || o.SendInitialEvents != nil {
			t.Errorf("watches on from %+v, want version 7", o)
		}
	})
}

func TestWatchThatEndsIsTakenUpWhereItStopped(t *testing.T) {
	inBubble(t, func(w *wire) {
		var streams []*watch.FakeWatcher
		w.answer = func(metav1.ListOptions) (watch.Interface, error) {
			streams = append(streams, watch.NewFake())
			return streams[len(streams)-1], nil
		}
		w.start()
		streams[0].Add(pod("a", "5"))
		streams[0].Action(watch.Bookmark, listed("7"))
		streams[0].Action(watch.Bookmark, pod("", "20"))
		w.settle()
		w.passes(2 * time.Second)
		streams[0].Stop()
		w.settle()
		if len(w.watches) != 2 || w.watches[1].ResourceVersion != "20" || w.watches[1].SendInitialEvents != nil {
			t.Fatalf("asked for %+v", w.watches)
		}
		streams[1].Add(pod("b", "21"))
		w.sees("a b", Live)
	})
}

func TestObjectsThatVanishedWhileNobodyWatchedAreSwept(t *testing.T) {
	inBubble(t, func(w *wire) {
		var streams []*watch.FakeWatcher
		w.answer = func(metav1.ListOptions) (watch.Interface, error) {
			streams = append(streams, watch.NewFake())
			return streams[len(streams)-1], nil
		}
		w.start()
		streams[0].Add(pod("a", "5"))
		streams[0].Add(pod("b", "6"))
		streams[0].Action(watch.Bookmark, listed("7"))
		w.sees("a b", Live)
		gone := apierrors.NewResourceExpired("too old").ErrStatus
		streams[0].Error(&gone)
		w.settle()
		if len(streams) != 2 || w.watches[1].SendInitialEvents == nil {
			t.Fatalf("asked for %+v, want a second listing", w.watches)
		}
		streams[1].Add(pod("b", "6"))
		w.sees("a b", Live) // nothing is taken away before the listing is complete
		streams[1].Action(watch.Bookmark, listed("30"))
		w.sees("b", Live)
	})
}

func TestLostServerLeavesTheRowsAndIsTriedForEver(t *testing.T) {
	inBubble(t, func(w *wire) {
		stream, down := watch.NewFake(), false
		w.answer = func(metav1.ListOptions) (watch.Interface, error) {
			if down {
				return nil, refused
			}
			return stream, nil
		}
		w.start()
		stream.Add(pod("a", "5"))
		stream.Action(watch.Bookmark, listed("7"))
		w.passes(time.Minute)
		down = true
		broke := time.Now()
		stream.Stop()
		w.passes(10 * time.Minute)
		w.sees("a", Stale)
		st := w.feed.Load().State
		if st.Since.Sub(broke).Abs() > time.Second || !errors.Is(st.Err, syscall.ECONNREFUSED) {
			t.Errorf("stale since %v after the break, because of %v", st.Since.Sub(broke), st.Err)
		}
		tries := len(w.watches)
		if tries < 150 || tries > 1000 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		if w.losses < tries-2 {
			t.Errorf("told of %d losses in %d tries", w.losses, tries)
		}
		down, stream = false, watch.NewFake()
		w.passes(retryMost + shortWatch)
		if n := len(w.watches); w.watches[n-1].ResourceVersion != "7" {
			t.Errorf("took it up at %q, want 7", w.watches[n-1].ResourceVersion)
		}
		w.sees("a", Live)
	})
}

func TestRetryEndsTheWait(t *testing.T) {
	inBubble(t, func(w *wire) {
		allowed := false
		stream := watch.NewFake()
		w.answer = func(metav1.ListOptions) (watch.Interface, error) {
			if !allowed {
				return nil, apierrors.NewForbidden(things, "", errors.New("no"))
			}
			return stream, nil
		}
		w.start()
		w.sees("", Denied)
		asked := len(w.watches)
		w.passes(10 * time.Second)
		if len(w.watches) != asked {
			t.Errorf("asked %d times in ten seconds for what is forbidden", len(w.watches)-asked)
		}
		allowed = true
		signal(w.inf.retry)
		w.settle()
		stream.Action(watch.Bookmark, listed("7"))
		w.sees("", Live)
	})
}

func TestServerThatEndsEveryWatchAtOnceIsNotAskedInAHotLoop(t *testing.T) {
	inBubble(t, func(w *wire) {
		w.answer = func(o metav1.ListOptions) (watch.Interface, error) {
			f := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 1})
			if o.SendInitialEvents != nil {
				f.Action(watch.Bookmark, listed("7"))
			}
			f.Stop()
			return f, nil
		}
		w.start()
		w.passes(time.Minute)
		if n := len(w.watches); n > 80 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}
