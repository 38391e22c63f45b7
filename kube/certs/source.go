package certs

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/kube"
)

const (
	// everyDial and everyList are the paces of reading: of handshakes and files, and of lists of the API.
	everyDial, everyList = 5 * time.Minute, 10 * time.Minute
	// readLimit bounds one reading of a source.
	readLimit = 2 * time.Minute
	// retryFirst and retryMost bound the wait after a reading that failed.
	retryFirst, retryMost = 5 * time.Second, 2 * time.Minute
)

// source is one kind of place where credentials are.
type source struct {
	name     string // what the row of its failure is called: "TLS Secrets"
	where    string // where that is: "all namespaces"
	every    time.Duration
	local    bool // it does not ask the API server
	stubborn bool // it has something to say of an API server that does not answer
	// rest gives the time until the next reading, for a source that reads in parts; nil is every.
	rest func() time.Duration
	// read gives what it finds, as it finds it. An error is one of the whole source: places that cannot be read are
	// findings too. An API that the server does not have is no error. A finding without a credential keeps what is in its slot
	// as it is: there was no time to look there. put is for one goroutine at a time.
	read func(ctx context.Context, put func(...finding)) error
	// look gives what it finds in one place, and perhaps in others; nil is read, for a source that costs little to read. It must be
	// there for one that reads in parts.
	look func(ctx context.Context, p kube.CertPlace, put func(...finding)) error
	// follow, if any, takes up what changes after a reading that has succeeded, until ctx ends or it cannot go on.
	follow func(ctx context.Context)
}

// reading reads one source again and again. It implements kube.Reader.
type reading struct {
	source    *source
	inventory *Inventory
	again     chan struct{} // the server is back
	anew      chan struct{}
}

// Run implements kube.Reader.
func (r *reading) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := r.once(ctx)
		wait, again := r.source.every, (chan struct{})(nil) // what has succeeded is not read again because the server was away
		switch {
		case err == nil && r.source.rest != nil:
			failures, wait = 0, r.source.rest()
		case err == nil, apierrors.IsForbidden(err):
			failures = 0
		case errors.Is(err, context.DeadlineExceeded): // to begin it anew at once would be more of what was too much
			again = r.again
		default:
			wait, again = min(retryMost, retryFirst<<min(failures, 10)), r.again
			failures++
		}
		lost, unfollow := r.follow(ctx, err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-again:
		case <-r.anew:
		case <-lost:
		case <-timer.C:
		}
		timer.Stop()
		unfollow()
	}
}

// Again implements kube.Reader.
func (r *reading) Again() { signal(r.again) }

// Anew implements kube.Reader.
func (r *reading) Anew() {
	r.inventory.dialer.roster.stale.Store(true)
	signal(r.anew)
}

// once reads the source to an end. What it has not found any more is dropped; if it fails, everything stays as it was, and a
// row says so.
func (r *reading) once(ctx context.Context) error {
	limited, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	i, s := r.inventory, r.source
	seen := map[string]struct{}{}
	if err := r.away(limited); err != nil {
		return err
	}
	err := s.read(limited, func(found ...finding) {
		i.mu.Lock()
		for _, f := range found {
			seen[f.slot] = struct{}{}
			if f.cert == nil {
				continue
			}
			i.found[s][f.slot] = f.after(i.found[s][f.slot], time.Now())
		}
		i.mu.Unlock()
		signal(i.dirty)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if apierrors.IsNotFound(err) {
		err = nil
	}
	r.ended(err, seen)
	return err
}

// away gives the reason for which the API server is not asked: it does not answer anybody now. What has been read before stays as
// it is, since the screen says as of when that is; what has not is a row, so that nothing is waited for.
func (r *reading) away(ctx context.Context) error {
	i, s := r.inventory, r.source
	if s.local || s.stubborn {
		return nil
	}
	i.cluster.Tried(ctx)
	h := i.cluster.Health()
	if !h.Known || h.Up {
		return nil
	}
	i.mu.Lock()
	_, first := i.unread[s]
	i.mu.Unlock()
	if first {
		r.ended(h.Err, nil)
	}
	return h.Err
}

// ended takes note of how a reading has ended, and of what it has not found any more.
func (r *reading) ended(err error, seen map[string]struct{}) {
	i, s := r.inventory, r.source
	i.mu.Lock()
	failed := s.failed(err)
	delete(i.found[s], failed.slot)
	if err == nil {
		for slot := range i.found[s] {
			if _, ok := seen[slot]; !ok {
				delete(i.found[s], slot)
			}
		}
	} else {
		i.found[s][failed.slot] = failed
	}
	delete(i.unread, s)
	i.mu.Unlock()
	signal(i.dirty)
	if err != nil {
		i.options.Log.Info("a source of certificates cannot be read", "source", s.name, "err", err)
	}
}

// failed is the row that says that a source could not be read.
func (s *source) failed(err error) finding {
	f := unseen("source "+s.name, kube.CertPlace{Source: kube.FromNowhere, Name: s.name, Where: s.where}, "")
	if err != nil {
		f.cert.Unseen = kube.Explain(err).Sentence
		f.cert.Places[0].Severity = kube.Warning
		if apierrors.IsForbidden(err) {
			f.cert.Places[0].Severity = kube.Notice
		}
	}
	return f
}
