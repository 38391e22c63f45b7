package cordon_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/send"
)

func TestNodeIsCordonedAndUncordonedByOnePatchThatNamesItsUID(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1")
		b.node("worker-2", cordoned(0))
		for i, want := range []struct {
			on    bool
			value any
		}{{true, true}, {false, nil}} {
			changed, _, err := b.set(b.t.Context(), want.on)
			if err != nil || !changed || b.is("worker-1") != want.on || len(b.patches) != i+1 {
				t.Fatalf("Set(%t) = %t, %v after %d patches", want.on, changed, err, len(b.patches))
			}
			r := b.patches[i]
			body := map[string]any{"metadata": map[string]any{"uid": "uid-worker-1"}, "spec": map[string]any{"unschedulable": want.value}}
			if diff := cmp.Diff(body, patched(t, r)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if kind := r.Header.Get("Content-Type"); kind != "application/strategic-merge-patch+json" || r.URL.Path != "/api/v1/nodes/worker-1" {
				t.Errorf("%s of %s", kind, r.URL.Path)
			}
			if who := r.URL.Query().Get("fieldManager"); who != "ktriage" {
				t.Errorf("the field manager is %q", who)
			}
		}
		if !b.is("worker-2") {
			t.Error("another node was uncordoned")
		}
	})
}

func TestNodeThatIsSoAlreadyIsNotPatched(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1", cordoned(0))
		if changed, _, err := b.set(b.t.Context(), true); changed || err != nil || len(b.patches) != 0 {
			t.Errorf("Set = %t, %v after %d patches, want that nothing was to be done", changed, err, len(b.patches))
		}
	})
}

// status is an answer that says no.
func status(code int32, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{Code: code, Reason: reason, Message: message}
}

// immutable is what kube-apiserver v1.36.3 says of a patch with another UID.
func immutable() metav1.Status {
	cause := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata.uid", Message: "field is immutable"}
	s := status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		`Node "worker-1" is invalid: metadata.uid: Invalid value: "uid-worker-1": field is immutable`)
	s.Details = &metav1.StatusDetails{Name: "worker-1", Kind: "Node", Causes: []metav1.StatusCause{cause, cause}}
	return s
}

func TestAnswerOfTheServerIsBelievedAtOnce(t *testing.T) {
	busy := status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests")
	busy.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	forbidden := `nodes "worker-1" is forbidden: User "no-cordon" cannot patch resource "nodes" in API group "" at the cluster scope`
	for name, c := range map[string]struct {
		way  func(*bench) onTheWay
		is   func(error) bool
		says string
	}{
		"not allowed": {func(*bench) onTheWay {
			return answers(status(http.StatusForbidden, metav1.StatusReasonForbidden, forbidden))
		},
			apierrors.IsForbidden, "cordon worker-1: " + forbidden},
		"conflict": {func(*bench) onTheWay {
			return answers(status(http.StatusConflict, metav1.StatusReasonConflict, "has been modified"))
		},
			apierrors.IsConflict, "cordon worker-1: has been modified"},
		"denied by a policy": {func(*bench) onTheWay {
			return answers(status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "not today"))
		},
			apierrors.IsInvalid, "cordon worker-1: not today"},
		"load is shed": {func(*bench) onTheWay { return answers(busy) },
			apierrors.IsTooManyRequests, "cordon worker-1: too many requests"},
		"deleted meanwhile": {func(b *bench) onTheWay { return first(func() { b.Delete(b.Node("worker-1")) }, nil) },
			apierrors.IsNotFound, `cordon worker-1: nodes "worker-1" not found`},
		"replaced meanwhile": {func(b *bench) onTheWay { return first(func() { b.replace("worker-1") }, answers(immutable())) },
			isReplaced, "worker-1 was replaced by another object of the same name"},
		"replaced meanwhile, as a conflict": {func(b *bench) onTheWay {
			return first(func() { b.replace("worker-1") }, answers(status(http.StatusConflict, metav1.StatusReasonConflict, "uid")))
		}, isReplaced, "worker-1 was replaced by another object of the same name"},
		"immutable without a replacement": {func(*bench) onTheWay { return answers(immutable()) }, apierrors.IsInvalid, "metadata.uid"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				b.patch = c.way(b)
				changed, took, err := b.set(b.t.Context(), true)
				if changed || !c.is(err) || !strings.Contains(err.Error(), c.says) || errors.Is(err, send.ErrUnknown) {
					b.t.Errorf("Set = %t, %v; want an error that says %q", changed, err, c.says)
				}
				if took != 0 || len(b.patches) != 1 {
					b.t.Errorf("%d patches in %v, want one at once", len(b.patches), took)
				}
				if n := b.Node("worker-1"); n != nil && n.Spec.Unschedulable {
					b.t.Error("a node was cordoned")
				}
			})
		})
	}
}

func isReplaced(err error) bool { return errors.Is(err, send.ErrReplaced) }

func TestServerItselfRefusesToPatchTheNodeThatTookTheName(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("worker-1")
		b.patch = first(func() { b.replace("worker-1") }, nil)
		if changed, _, err := b.set(b.t.Context(), true); changed || !isReplaced(err) || b.is("worker-1") {
			t.Errorf("Set = %t, %v; the other node is cordoned: %t", changed, err, b.is("worker-1"))
		}
	})
}

func TestNothingIsSentWhenTheNodeCannotBeReadOrIsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		is     func(error) bool
	}{
		"replaced": {func(b *bench) { b.replace("worker-1") }, isReplaced},
		"gone":     {func(b *bench) { b.Delete(b.Node("worker-1")) }, apierrors.IsNotFound},
		"not allowed": {func(b *bench) { b.get = answers(status(http.StatusForbidden, metav1.StatusReasonForbidden, "no")) },
			apierrors.IsForbidden},
		"no answer": {func(b *bench) { b.get = silent }, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				c.change(b)
				changed, took, err := b.set(b.t.Context(), true)
				if changed || !c.is(err) || errors.Is(err, send.ErrUnknown) || !strings.Contains(err.Error(), "worker-1") {
					b.t.Errorf("Set = %t, %v", changed, err)
				}
				if len(b.patches) != 0 || took > 30*time.Second {
					b.t.Errorf("%d patches in %v, want none", len(b.patches), took)
				}
			})
		})
	}
}

func TestOutcomeWithoutAnAnswerIsFoundOutByReading(t *testing.T) {
	broken := answers(status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcd is gone"))
	timeout := answers(status(http.StatusGatewayTimeout, metav1.StatusReasonTimeout, "took too long"))
	for name, c := range map[string]struct {
		patch, get onTheWay
		late       bool // the server does its work five seconds after the connection has broken
		changed    bool
		readings   int
		took       time.Duration
	}{
		"500, done":                 {patch: done(broken), changed: true, readings: 1},
		"500, not done":             {patch: broken, readings: 2, took: 2 * time.Second},
		"504, done":                 {patch: done(timeout), changed: true, readings: 1},
		"504, not done":             {patch: timeout, readings: 18, took: 34 * time.Second},
		"connection, done":          {patch: done(reset), changed: true, readings: 1},
		"connection, not done":      {patch: reset, readings: 18, took: 34 * time.Second},
		"connection, done late":     {patch: reset, late: true, changed: true, readings: 4, took: 6 * time.Second},
		"silence, done":             {patch: done(silent), changed: true, readings: 1, took: 30 * time.Second},
		"silence, not done":         {patch: silent, readings: 3, took: 34 * time.Second},
		"not readable for 7s, done": {patch: done(reset), get: notFor(7*time.Second, reset), changed: true, readings: 5, took: 8 * time.Second},
		"not readable for 7s":       {patch: reset, get: notFor(7*time.Second, broken), readings: 18, took: 34 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				b.patch = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
					b.get = c.get
					if c.late {
						time.AfterFunc(5*time.Second, func() { b.node("worker-1", cordoned(0)) })
					}
					return c.patch(r, send)
				}
				changed, took, err := b.set(b.t.Context(), true)
				if changed != c.changed || (err == nil) != c.changed || errors.Is(err, send.ErrUnknown) {
					b.t.Errorf("Set = %t, %v; want %t", changed, err, c.changed)
				}
				if !c.changed && !strings.HasPrefix(err.Error(), "cordon worker-1: ") {
					b.t.Errorf("err = %v, want one that says what was being done", err)
				}
				if b.gets != c.readings || took != c.took || len(b.patches) != 1 {
					b.t.Errorf("%d patches and %d readings in %v, want 1 and %d in %v", len(b.patches), b.gets, took, c.readings, c.took)
				}
				synctest.Wait()
				if b.is("worker-1") != c.changed {
					b.t.Errorf("the node is cordoned: %t, want %t", b.is("worker-1"), c.changed)
				}
			})
		})
	}
}

// notFor is what goes wrong for a while, and then no more.
func notFor(d time.Duration, wrong onTheWay) onTheWay {
	var began time.Time
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if began.IsZero() {
			began = time.Now()
		}
		if time.Since(began) < d {
			return wrong(r, send)
		}
		return send()
	}
}

func TestNodeThatIsReplacedOrGoneBeforeTheOutcomeIsKnownIsCalledSo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		is     func(error) bool
	}{
		"replaced": {func(b *bench) { b.replace("worker-1") }, isReplaced},
		"gone":     {func(b *bench) { b.Delete(b.Node("worker-1")) }, apierrors.IsNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				b.patch = first(func() { c.change(b) }, reset)
				if changed, took, err := b.set(b.t.Context(), true); changed || !c.is(err) || took != 0 || len(b.patches) != 1 {
					b.t.Errorf("Set = %t, %v after %v and %d patches", changed, err, took, len(b.patches))
				}
			})
		})
	}
}

func TestOutcomeThatCannotBeFoundOutIsUnknown(t *testing.T) {
	for name, get := range map[string]onTheWay{
		"broken":      reset,
		"silent":      silent,
		"not allowed": answers(status(http.StatusForbidden, metav1.StatusReasonForbidden, "no")),
		"failing":     answers(status(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "no etcd")),
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				b.patch = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
					b.get = get
					return done(reset)(r, send)
				}
				changed, took, err := b.set(b.t.Context(), true)
				if changed || !errors.Is(err, send.ErrUnknown) || !strings.HasPrefix(err.Error(), "cordon worker-1: ") {
					b.t.Errorf("Set = %t, %v; want that it is not known", changed, err)
				}
				if took != 47*time.Second || len(b.patches) != 1 {
					b.t.Errorf("%d patches in %v, want one in 47 s", len(b.patches), took)
				}
			})
		})
	}
}

func TestCancelEndsARequestAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*bench)
		unknown bool
		patches int
	}{
		"reading":     {func(b *bench) { b.get = silent }, false, 0},
		"patching":    {func(b *bench) { b.patch = silent }, true, 1},
		"finding out": {func(b *bench) { b.patch = first(func() { b.get = silent }, reset) }, true, 1},
		"waiting":     {func(b *bench) { b.patch = first(func() { b.get = reset }, reset) }, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("worker-1")
				c.change(b)
				ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Second)
				defer stop()
				changed, took, err := b.set(ctx, true)
				if changed || err == nil || errors.Is(err, send.ErrUnknown) != c.unknown {
					b.t.Errorf("Set = %t, %v; want unknown: %t", changed, err, c.unknown)
				}
				if took != 3*time.Second || len(b.patches) != c.patches {
					b.t.Errorf("%d patches in %v, want %d in 3 s", len(b.patches), took, c.patches)
				}
			})
		})
	}
}
