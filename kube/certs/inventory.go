// Package certs finds certificates and other credentials with an expiry, wherever they can be seen from here. Its one rule:
// it looks and never touches. No private key and no token is kept, a dial is a handshake and nothing more, and a place
// that cannot be read hides no other.
package certs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/internal/safe"
	"ktriage/kube"
)

// Options say where is looked.
type Options struct {
	Kubeconfig clientcmdapi.Config // with all contexts
	Context    string              // of it, the one of the cluster
	// Dial allows handshakes with API servers, kubelets and members of etcd at their own addresses. Without it nothing is
	// sent to anybody but the API server that we are connected to.
	Dial bool
	// KubeletMetrics asks kubelets for the age of their certificates through the API server. It needs nodes/proxy, which is as
	// good as root on every node, and is asked for only if somebody wants it.
	KubeletMetrics bool
	// SecretKeys are patterns (path.Match) of the keys under which Secrets of other types than kubernetes.io/tls may hold
	// certificates; none: such Secrets are not read.
	SecretKeys []string
	Root       string // under which the files of this machine are looked for; "" is "/"
	Urgent     bool   // begin at once, and not after nodes and pods
	Log        *slog.Logger
}

// Inventory is everything that has been found. It puts its rows into the cluster.
type Inventory struct {
	cluster *kube.Cluster
	options Options
	dialer  *dialer
	sources []*source

	mu       sync.Mutex
	found    map[*source]map[string]finding // by slot
	unread   map[*source]struct{}           // what has not been read to an end yet
	dirty    chan struct{}                  // capacity 1: something was found
	complete chan struct{}                  // closed when every source has been read once

	rows map[string]*kube.Cert // as they were put last, by UID; under mu
}

// New makes an inventory; nothing is read before Start.
func New(c *kube.Cluster, o Options) *Inventory {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Root == "" {
		o.Root = "/"
	}
	i := &Inventory{
		cluster: c, options: o, dialer: newDialer(o.Dial),
		found: map[*source]map[string]finding{}, unread: map[*source]struct{}{}, rows: map[string]*kube.Cert{},
		dirty: make(chan struct{}, 1), complete: make(chan struct{}),
	}
	i.sources = i.all()
	for _, s := range i.sources {
		i.found[s], i.unread[s] = map[string]finding{}, struct{}{}
	}
	return i
}

// Start reads every source until ctx ends, each at its own pace. It returns at once.
func (i *Inventory) Start(ctx context.Context) {
	i.cluster.SetCertState(kube.Loading, time.Now())
	safe.Go("certificates", func() { i.publish(ctx) })
	for _, s := range i.sources {
		i.cluster.Follow(ctx, "certificates", &reading{source: s, inventory: i, again: newSignal(), anew: newSignal()}, i.options.Urgent || s.local)
	}
}

// Complete is closed when every source has been read once, good or bad.
func (i *Inventory) Complete() <-chan struct{} { return i.complete }

// Find gives the row with that UID.
func (i *Inventory) Find(uid string) (*kube.Cert, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c, ok := i.rows[uid]
	return c, ok
}

// All gives every row, in no order.
func (i *Inventory) All() []*kube.Cert {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Collect(maps.Values(i.rows))
}

// Now gives every row as all that has been found by now makes it, and one for each source that has not been read to an end.
func (i *Inventory) Now() []*kube.Cert {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := i.findings()
	for _, s := range i.sources {
		if _, ok := i.unread[s]; ok {
			all = append(all, unseen("source "+s.name, kube.CertPlace{Source: kube.FromNowhere, Name: s.name, Where: s.where, Severity: kube.Warning}, notInTime))
		}
	}
	return slices.Collect(maps.Values(merge(all)))
}

// SourceState is one kind of place where credentials are looked for, and what has become of its last reading.
type SourceState struct {
	Name string // "TLS Secrets"
	Why  string // why it, or a part of it, could not be read: "not read in time"; "" if it was read
}

// Sources tells of every source whether it could be read. What nobody can see from outside is no failure of a source, and a
// place in it that does not answer is none either.
func (i *Inventory) Sources() []SourceState {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []SourceState
	for _, s := range i.sources {
		state := SourceState{Name: s.name}
		if _, ok := i.unread[s]; ok {
			state.Why = notInTime
		}
		for _, slot := range slices.Sorted(maps.Keys(i.found[s])) {
			if c := i.found[s][slot].cert; c.Places[0].Source == kube.FromNowhere && c.Unseen != notFromHere {
				state.Why = c.Unseen
			}
		}
		out = append(out, state)
	}
	return out
}

// notInTime is why a source has shown nothing that has not been read to an end.
const notInTime = "not read in time"

// publishGap is the shortest time between two publications, and publishShare how much longer it is than one has taken.
const (
	publishGap   = 200 * time.Millisecond
	publishShare = 10
)

// publish makes rows of what has been found, whenever something has.
func (i *Inventory) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.dirty:
		}
		began := time.Now()
		i.show()
		rest := time.NewTimer(max(publishGap, publishShare*time.Since(began)))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
}

// show gives the cluster the rows that have changed. It is for one goroutine; nobody waits while it merges, which takes half
// a second of 100,000 rows.
func (i *Inventory) show() {
	i.mu.Lock()
	found, was, all := i.findings(), i.rows, len(i.unread) == 0
	i.mu.Unlock()
	fresh := merge(found)
	var changed []*kube.Cert
	var gone []string
	for uid, c := range fresh {
		if old := was[uid]; old != nil && same(old, c) {
			fresh[uid] = old
			continue
		}
		changed = append(changed, c)
	}
	for uid := range was {
		if fresh[uid] == nil {
			gone = append(gone, uid)
		}
	}
	i.mu.Lock()
	i.rows = fresh
	i.mu.Unlock()
	i.cluster.PutCerts(changed...)
	i.cluster.RemoveCerts(gone...)
	if !all {
		return
	}
	select {
	case <-i.complete:
	default:
		i.cluster.SetCertState(kube.Live, time.Now())
		close(i.complete)
	}
}

// findings are all of them, in the order of the sources.
func (i *Inventory) findings() []finding {
	var out []finding
	for _, s := range i.sources {
		for _, slot := range slices.Sorted(maps.Keys(i.found[s])) {
			out = append(out, i.found[s][slot])
		}
	}
	return out
}

func newSignal() chan struct{} { return make(chan struct{}, 1) }

// signal leaves a token in a channel of capacity 1, unless one is there already.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
