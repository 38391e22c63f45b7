package certs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/internal/safe"
)

// follow watches the Certificates from where they have been read, so that a renewal shows at once. It comes back when one of
// its watches ends: then they must be read again. Where we may not watch, or there are no Certificates, it waits for ctx.
func (m *managed) follow(ctx context.Context) {
	m.mu.Lock()
	since := maps.Clone(m.since)
	m.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for namespace, version := range since {
		all.Add(1)
		safe.Go("certificates of cert-manager", func() {
			defer all.Done()
			if err := m.watch(ctx, namespace, version); !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
				stop()
			}
		})
	}
	<-ctx.Done()
}

// watch takes up what changes in a namespace, until the watch ends.
func (m *managed) watch(ctx context.Context, namespace, version string) error {
	o := metav1.ListOptions{Watch: true, ResourceVersion: version, AllowWatchBookmarks: true}
	body, err := m.inventory.get(managedPrefix, namespace, managedResource).VersionedParams(&o, scheme.ParameterCodec).
		SetHeader("Accept", asJSON).MaxRetries(0).Stream(ctx)
	if err != nil {
		return fmt.Errorf("watch certificates of cert-manager: %w", err)
	}
	defer func() { _ = body.Close() }()
	for in := json.NewDecoder(bufio.NewReader(body)); ; {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := in.Decode(&event); err != nil {
			return fmt.Errorf("watch certificates of cert-manager: %w", err)
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			m.changed(ctx, event.Object)
		case "DELETED":
			m.inventory.drop(m.source, issued(event.Object).slot)
		case "ERROR":
			return nil // the version is too old, as a rule
		}
	}
}

// changed takes up a Certificate that has changed. If it has been renewed, so has its Secret.
func (m *managed) changed(ctx context.Context, raw []byte) {
	var c issuedCertificate
	err := json.Unmarshal(raw, &c)
	f, i := c.finding(err), m.inventory
	old := i.put(m.source, f)
	if err != nil || c.Spec.SecretName == "" ||
		old.cert != nil && old.joins == f.joins && old.cert.To.Equal(f.cert.To) {
		return
	}
	if found, err := i.secretAgain(ctx, tlsSecrets, c.Metadata.Namespace, c.Spec.SecretName); err == nil {
		for _, s := range i.sources {
			if s.name == secretsName {
				i.put(s, found...)
			}
		}
	}
}

// put takes up findings between two readings of their source, and gives what was in the slot of the last one.
func (i *Inventory) put(s *source, found ...finding) (old finding) {
	i.mu.Lock()
	for _, f := range found {
		old = i.found[s][f.slot]
		i.found[s][f.slot] = f.after(old, time.Now())
	}
	i.mu.Unlock()
	signal(i.dirty)
	return old
}

// drop forgets what was found in a slot.
func (i *Inventory) drop(s *source, slot string) {
	i.mu.Lock()
	delete(i.found[s], slot)
	i.mu.Unlock()
	signal(i.dirty)
}

// follow begins to follow a source after it has been read, if it can be followed and the reading has not failed. lost is closed
// when that has come to an end after some time, so that the source should be read again; end ends it.
func (r *reading) follow(ctx context.Context, failed error) (lost <-chan struct{}, end func()) {
	if r.source.follow == nil || failed != nil {
		return nil, func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	broken, gone, began := make(chan struct{}), make(chan struct{}), time.Now()
	safe.Go("changes of "+r.source.name, func() {
		defer close(gone)
		r.source.follow(ctx)
		if time.Since(began) > retryMost { // or else it would be read all the time where watches do not work
			close(broken)
		}
	})
	return broken, func() {
		stop()
		<-gone
	}
}
