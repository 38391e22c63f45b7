package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"

	"ktriage/internal/text"
)

const (
	heartbeatEvery = 10 * time.Second
	heartbeatLimit = 5 * time.Second
	// heartbeatDown is the pace while the server does not answer: quick enough to be back within seconds of its return,
	// slow enough that a thousand terminals do not keep it down.
	heartbeatDown = 2 * time.Second
)

// Health is what is known of the connection to the API server.
type Health struct {
	Up          bool      // the last heartbeat was answered, or something else came in meanwhile
	Known       bool      // there has been a heartbeat
	Since       time.Time // when Up last changed
	LastContact time.Time // when the server last answered, zero if never
	Tries       int       // failed heartbeats in a row
	NextTry     time.Time // when the next one is sent, while down
	Err         error     // why the last one failed
	Version     string    // of the server, such as v1.36.3
}

// heart asks the server for its version again and again. A watch that has died in silence, and a server that refuses
// connections, are both invisible to a watch; the heartbeat sees them.
type heart struct {
	server discovery.ServerVersionInterfaceWithContext
	cur    atomic.Pointer[Health]
	hint   chan struct{} // capacity 1: something failed, look now
	poke   func()
	back   func() // called when the server answers again
	lines  *lines
	first  chan struct{} // closed by the first heartbeat, answered or not
	told   sync.Once     // closes it
	begun  atomic.Bool   // there is going to be one
}

func newHeart(server discovery.ServerVersionInterfaceWithContext, poke, back func()) *heart {
	h := &heart{server: server, hint: make(chan struct{}, 1), poke: poke, back: back, lines: newLines(), first: make(chan struct{})}
	h.cur.Store(&Health{})
	return h
}

// run beats until ctx ends.
func (h *heart) run(ctx context.Context) {
	for ctx.Err() == nil {
		next := h.beat(ctx)
		h.told.Do(func() { close(h.first) })
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-h.hint:
		}
		timer.Stop()
	}
}

// beat sends one heartbeat and gives the wait until the next.
func (h *heart) beat(ctx context.Context) time.Duration {
	was := *h.cur.Load()
	h.lines.mark()
	came := h.lines.came.Load()
	v, err := h.ask(ctx)
	now := time.Now()
	silent := errors.Is(err, context.DeadlineExceeded)
	talks := silent && h.lines.came.Load()-came > chatter
	is := Health{Known: true, Up: answered(err) || talks, Err: err, LastContact: was.LastContact, Version: was.Version}
	wait := heartbeatEvery
	if is.Up {
		is.LastContact = now
		if v != "" {
			is.Version = v
		}
	} else {
		wait = heartbeatDown + rand.N(heartbeatDown/2)
		is.Tries, is.NextTry = was.Tries+1, now.Add(wait)
	}
	is.Since = was.Since
	if !was.Known || was.Up != is.Up {
		is.Since = now
	}
	h.cur.Store(&is)
	if silent && was.Tries > 0 {
		// Two heartbeats in a row were not answered. If it is the connection that is dead, as after a balancer has forgotten
		// it, HTTP/2's own pings take three quarters of a minute to find out. One over which rows still arrive is left alone:
		// to list everything again would be the last thing that an overloaded server needs.
		h.lines.cutIdle()
	}
	if is.Up && was.Known && !was.Up {
		h.back()
	}
	if !was.Known || was.Up != is.Up || !is.Up || is.Version != was.Version {
		h.poke()
	}
	return wait
}

// ask gives the server's version.
func (h *heart) ask(ctx context.Context) (string, error) {
	ctx, stop := context.WithTimeout(ctx, heartbeatLimit)
	defer stop()
	v, err := h.server.ServerVersionWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	return text.Clean(v.GitVersion), nil
}

// answered reports whether an error still means that an API server is there: one that refuses our credentials or sheds
// load is alive, one that cannot reach its own storage or stands behind a dead balancer is not of use.
func answered(err error) bool {
	return err == nil || apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsNotFound(err)
}
