package live_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ktriage/kube/live"
)

func TestTasksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, done atomic.Int32
		tasks := make([]live.Task, 3*live.InFlight)
		for i := range tasks {
			tasks[i] = func(context.Context) {
				most.Store(max(most.Load(), running.Add(1)))
				<-time.After(time.Second)
				running.Add(-1)
				done.Add(1)
			}
		}
		began := time.Now()
		live.Each(t.Context(), tasks)
		if most.Load() != live.InFlight || done.Load() != 3*live.InFlight || time.Since(began) != 3*time.Second {
			t.Errorf("%d at the same time, %d done in %v", most.Load(), done.Load(), time.Since(began))
		}
	})
}

func TestTasksThatHaveNotBegunAreLeftOutWhenTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
		defer stop()
		var begun atomic.Int32
		tasks := make([]live.Task, 4*live.InFlight)
		for i := range tasks {
			tasks[i] = func(context.Context) {
				begun.Add(1)
				<-time.After(time.Minute)
			}
		}
		began := time.Now()
		live.Each(ctx, tasks)
		// Whoever waits for a seat when time is up still takes it.
		if took := time.Since(began); took != 3*time.Minute || begun.Load() != 2*live.InFlight+1 {
			t.Errorf("%d tasks were begun, in %v", begun.Load(), took)
		}
	})
}

func TestSentenceSaysWhyAndWhereSomethingIsNotKnown(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	denied := apierrors.NewForbidden(pods, "", errors.New("no"))
	for name, c := range map[string]struct {
		note func(u *live.Unread)
		want string // the beginning
	}{
		"all of it was read": {func(u *live.Unread) { u.Note("nodes", "", denied) }, ""},
		"not allowed":        {func(u *live.Unread) { u.Note("pods", "", denied) }, "pods: you may not list pods; it is less"},
		"not allowed in some namespaces": {func(u *live.Unread) {
			for _, ns := range []string{"shop", "pay", "shop", "data"} {
				u.Note("pods", ns, denied)
			}
		}, "pods: you may not list pods in data, pay and shop; it is less"},
		"not allowed in many": {func(u *live.Unread) {
			for _, ns := range []string{"e", "d", "c", "b", "a"} {
				u.Note("pods", ns, denied)
			}
		}, "pods: you may not list pods in a, b, c and 2 more; it is less"},
		"failed, where the rest is not allowed": {func(u *live.Unread) {
			u.Note("pods", "a", denied)
			u.Note("pods", "b", errors.New("the disk\x1b[31m\nis full"))
			u.Note("pods", "c", errors.New("later"))
		}, "pods: they could not be read in a, b and c (The disk ⏎ is full); it is less"},
		"failed with many words": {func(u *live.Unread) {
			u.Note("pods", "", errors.New(strings.Repeat("x", 100)))
		}, "pods: they could not be read (X" + strings.Repeat("x", 16) + "...); it is less"},
	} {
		t.Run(name, func(t *testing.T) {
			var u live.Unread
			c.note(&u)
			if got := u.Sentence("pods", "list pods", "it is less", 20); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
