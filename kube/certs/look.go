package certs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ktriage/kube"
)

// Look looks again at one place of a credential now, without waiting for its turn, and has the rows follow. A server is asked
// for its certificate by a handshake; of any other source as much is read as it takes. Of a bundle it gives the anchor that ends
// last. The error says why it cannot be seen.
func (i *Inventory) Look(ctx context.Context, c *kube.Cert, p kube.CertPlace) (*kube.X509, error) {
	s, old := i.holder(p)
	if s == nil {
		return nil, fmt.Errorf("look at %s of %s again: it is not among the certificates any more", p.Where, c.Name)
	}
	fresh, err := i.lookAgain(ctx, s, old)
	if err != nil {
		return nil, fmt.Errorf("look at %s again: %w", p.Where, err)
	}
	i.replace(s, p, fresh)
	last := slices.MaxFunc(fresh, func(a, b finding) int { return a.cert.To.Compare(b.cert.To) }).cert
	if last.X509 == nil {
		return nil, fmt.Errorf("look at %s again: %s", p.Where, cmp.Or(last.Unseen, "there is no certificate"))
	}
	return last.X509, nil
}

// in reports whether a finding is of a place, whatever certificate is there by now. The anchors of a bundle have theirs in common.
func (f finding) in(p *kube.CertPlace) bool {
	at := &f.cert.Places[0]
	return at.Source == p.Source && at.Name == p.Name && at.Where == p.Where && at.Object == p.Object
}

// holder finds the source of a place, and something of what was found there last.
func (i *Inventory) holder(p kube.CertPlace) (*source, finding) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for s, found := range i.found {
		for _, f := range found {
			if f.in(&p) {
				return s, f
			}
		}
	}
	return nil, finding{}
}

// lookAgain finds what is in the place of an old finding now, which is something, or an error.
func (i *Inventory) lookAgain(ctx context.Context, s *source, old finding) (fresh []finding, err error) {
	if old.asked != nil {
		f, err := i.dialer.ask(ctx, *old.asked)
		if err != nil {
			return nil, errors.New(reason(err))
		}
		return []finding{f}, nil
	}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	put := func(found ...finding) {
		for _, f := range found {
			if f.cert != nil && f.in(&old.cert.Places[0]) {
				fresh = append(fresh, f)
			}
		}
		if len(fresh) > 0 {
			enough()
		}
	}
	if s.look == nil {
		err = s.read(ctx, put)
	} else {
		err = s.look(ctx, old.cert.Places[0], put)
	}
	switch {
	case len(fresh) > 0:
		return fresh, nil
	case err != nil:
		return nil, err
	}
	return nil, errors.New("nothing is found there any more")
}

// replace puts what a place has now where that was which it had before.
func (i *Inventory) replace(s *source, p kube.CertPlace, fresh []finding) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.found[s]
	for n, f := range fresh {
		fresh[n] = f.after(was[f.slot], time.Now())
	}
	for slot, f := range was {
		if f.in(&p) {
			delete(was, slot)
		}
	}
	for _, f := range fresh {
		was[f.slot] = f
	}
	signal(i.dirty)
}
