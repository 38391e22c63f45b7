package kube

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"ktriage/internal/safe"
)

// Cluster is one context of a kubeconfig and everything that is known of what is behind it.
type Cluster struct {
	context  string
	fallback string // the context's own namespace
	config   *rest.Config
	client   kubernetes.Interface
	log      *slog.Logger

	heart *heart
	meter *meter
	nodes *store[*Node]
	pods  *store[*Pod]

	notifier *Notifier
	identity atomic.Pointer[Identity]
	scope    atomic.Pointer[Scope]

	wake  chan struct{} // capacity 1: something came in
	asked chan struct{} // capacity 1: a reader waits for the answer to a query
	dirty atomic.Uint32 // Kinds that changed outside the stores

	narrowing sync.Once
	informers struct {
		sync.Mutex
		all []runner
	}

	// The publisher's own.
	loads      map[string]Load
	nodeStates map[string]NodeState
	complete   bool  // every first reading has come to an end, good or bad
	moved      Kinds // what else the last publication changed for rows of other kinds
}

// New makes a cluster of its clients. context is its name, fallback the namespace to look at if namespaces ({""} for all)
// turn out to be out of bounds; log may be nil. Connect is New for a kubeconfig.
func New(clients Clients, context, fallback string, namespaces []string, log *slog.Logger) *Cluster {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		context: context, fallback: fallback, config: &rest.Config{},
		client: clients.Kubernetes, log: log, notifier: NewNotifier(),
		wake: make(chan struct{}, 1), asked: make(chan struct{}, 1),
		loads: map[string]Load{}, nodeStates: map[string]NodeState{},
	}
	c.nodes = newStore(Nodes, c.woken, judgeNode)
	c.pods = newStore(Pods, c.woken, judgePod)
	c.nodes.moved, c.pods.moved = c.nodeMoved, c.podMoved
	c.identity.Store(&Identity{})
	c.scope.Store(&Scope{Namespaces: namespaces})
	server := discovery.ToServerVersionInterfaceWithContext(clients.Kubernetes.Discovery())
	c.heart = newHeart(server, func() { c.touch(Connection) }, c.Retry)
	c.meter = newMeter(clients.Metrics, func() []string { return c.Scope().Namespaces }, func() { c.touch(Metrics) })
	return c
}

func judgeNode(n *Node, m Moment) (uint8, Severity, time.Time) {
	rank, until := n.Badness(m)
	return rank, n.Severity(m), until
}

func judgePod(p *Pod, m Moment) (uint8, Severity, time.Time) {
	rank, until := p.Badness(m)
	return rank, p.Severity(m), until
}

// Context is the name of the kubeconfig context, not sanitised.
func (c *Cluster) Context() string { return c.context }

// Identity says who we are, as far as known.
func (c *Cluster) Identity() Identity { return *c.identity.Load() }

// Scope says what is looked at.
func (c *Cluster) Scope() Scope { return *c.scope.Load() }

// Health says how the connection is.
func (c *Cluster) Health() Health { return *c.heart.cur.Load() }

// Usage gives the newest samples of metrics.k8s.io, never nil.
func (c *Cluster) Usage() *Usage { return c.meter.cur.Load() }

// settled reports whether every first reading has come to an end, good or bad.
func (c *Cluster) settled() bool {
	return c.nodes.settled() && c.pods.settled() && !c.Usage().State.Since.IsZero()
}

// Notifier says when snapshots, health or usage are new.
func (c *Cluster) Notifier() *Notifier { return c.notifier }

// NodeFeed opens a feed of nodes.
func (c *Cluster) NodeFeed() *Feed[*Node] { return c.nodes.open(c.ask) }

// PodFeed opens a feed of pods.
func (c *Cluster) PodFeed() *Feed[*Pod] { return c.pods.open(c.ask) }

// Start begins to read the kinds in want, and goes on until ctx ends. It returns at once.
func (c *Cluster) Start(ctx context.Context, want Kinds) {
	safe.Go("publisher", func() { c.publish(ctx) })
	safe.Go("heartbeat", func() { c.heart.run(ctx) })
	if want&Nodes != 0 {
		c.inform(ctx, c.nodeInformer())
	}
	if want&Pods != 0 {
		for _, ns := range c.Scope().Namespaces {
			c.informPods(ctx, ns)
		}
	}
	if want&Metrics != 0 {
		safe.Go("metrics", func() { c.meter.run(ctx) })
	}
}

// Retry ends every wait: whatever failed is asked for again now.
func (c *Cluster) Retry() {
	signal(c.heart.hint)
	signal(c.meter.retry)
	for _, r := range c.running() {
		r.again()
	}
}

// ReadAgain reads everything again, whether it failed or not. The rows stay until they have been read.
func (c *Cluster) ReadAgain() {
	for _, r := range c.running() {
		r.anew()
	}
	c.Retry()
}

// runner is an informer of any kind of row.
type runner interface {
	run(ctx context.Context)
	again() // do not wait any longer
	anew()  // list from the start
}

func (c *Cluster) inform(ctx context.Context, r runner) {
	c.informers.Lock()
	c.informers.all = append(c.informers.all, r)
	c.informers.Unlock()
	safe.Go("informer", func() { r.run(ctx) })
}

func (c *Cluster) running() []runner {
	c.informers.Lock()
	defer c.informers.Unlock()
	return slices.Clone(c.informers.all)
}

// lost has the heart look at once when a watch breaks, so that a dead server is known in no time. A heart that knows
// already keeps its own pace.
func (c *Cluster) lost(err error) {
	if !answered(err) && c.Health().Up {
		signal(c.heart.hint)
	}
}

func (c *Cluster) nodeInformer() *informer[*Node] {
	api := c.client.CoreV1().Nodes()
	return &informer[*Node]{
		signals: newSignals(), resource: "nodes", store: c.nodes, lost: c.lost, log: c.log,
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return api.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return api.Watch(ctx, o)
		},
		row: func(o runtime.Object) *Node { return NewNode(o.(*corev1.Node)) },
	}
}

func (c *Cluster) informPods(ctx context.Context, namespace string) {
	api := c.client.CoreV1().Pods(namespace)
	i := &informer[*Pod]{
		signals: newSignals(), resource: "pods", namespace: namespace, store: c.pods, lost: c.lost, log: c.log,
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return api.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return api.Watch(ctx, o)
		},
		row: func(o runtime.Object) *Pod { return NewPod(o.(*corev1.Pod)) },
	}
	if namespace == metav1.NamespaceAll {
		i.denied = func(err error) bool { return c.narrow(ctx, err) }
	}
	c.inform(ctx, i)
}

// narrow goes on with the context's own namespace when the server does not let us list pods everywhere.
func (c *Cluster) narrow(ctx context.Context, err error) bool {
	if !apierrors.IsForbidden(err) {
		return false
	}
	c.narrowing.Do(func() {
		c.scope.Store(&Scope{Namespaces: []string{c.fallback}, Limited: err})
		c.informPods(ctx, c.fallback)
		c.touch(Connection)
		safe.Go("probe", func() { _ = c.Probe(ctx) }) // what we may do there; an error shows in the store's own state
	})
	return true
}

// woken is called by stores when something came in.
func (c *Cluster) woken() { signal(c.wake) }

// ask is called by feeds when a reader waits.
func (c *Cluster) ask() { signal(c.asked) }

// touch says that something outside the stores changed.
func (c *Cluster) touch(k Kinds) {
	c.dirty.Or(uint32(k))
	signal(c.asked)
}
