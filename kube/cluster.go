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
	witness  *witness
	client   kubernetes.Interface
	rows     rest.Interface // for informers alone: its objects may have no more than rows need
	log      *slog.Logger

	heart *heart
	meter *meter
	nodes *store[*Node]
	pods  *store[*Pod]

	workloads *store[*Workload] // of all kinds
	certs     *store[*Cert]
	csrs      *store[*CSR]

	events      *store[*Event]
	eventGroups *store[*EventGroup]
	book        *eventBook // where the rows of both come from
	totals      *store[*Total]
	containers  *store[*Container]

	certLimits CertLimits

	notifier *Notifier
	identity atomic.Pointer[Identity]
	probing  sync.Mutex
	scope    atomic.Pointer[Scope]
	moment   atomic.Pointer[Moment] // of the last publication

	wake  chan struct{} // capacity 1: something came in
	asked chan struct{} // capacity 1: a reader waits for the answer to a query
	read  chan struct{} // closed when the first readings of nodes and pods have come to an end, good or bad
	dirty atomic.Uint32 // Kinds that changed outside the stores

	// Capacity 1, one for each reader that follows: other namespaces are looked at than before.
	rescoped struct{ workloads, events chan struct{} }

	informers struct {
		sync.Mutex
		all []runner
	}
	narrowed func() // ends the informer of the fallback namespace; nil while there is none. Its informer's own

	// The publisher's own.
	usage      *Usage // as readers were last told of it: an order that looks at it must stand until they are told again
	loads      map[string]Load
	nodeStates map[string]NodeState
	without    *unmeasured         // of usage and nodeStates
	complete   bool                // every first reading has come to an end, good or bad
	rowsRead   bool                // the same of nodes and pods alone
	podsKnown  bool                // the pods of every node are known
	allNodes   bool                // every node is known
	moved      Kinds               // what else the last publication changed for rows of other kinds
	movedNodes map[string]struct{} // names of the nodes whose state has changed since pods were judged; nil for none

	ailing      kin[*Pod]        // of each workload
	runs        kin[*Workload]   // the Jobs of each CronJob, the ReplicaSets of each Deployment
	scalers     kin[*Workload]   // the autoscalers of each workload
	workloadUID map[Owner]string // of every workload that has a row

	servingWaits int   // requests of kubelets for a serving certificate that wait
	users        users // what is known of totals and containers
}

// New makes a cluster of its clients. context is its name, fallback the namespace to look at if namespaces ({""} for all)
// turn out to be out of bounds; log may be nil. Connect is New for a kubeconfig.
func New(clients Clients, context, fallback string, namespaces []string, log *slog.Logger) *Cluster {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		context: context, fallback: fallback, config: &rest.Config{}, witness: newWitness(),
		client: clients.Kubernetes, rows: clients.Rows, log: log, notifier: NewNotifier(),
		wake: make(chan struct{}, 1), asked: make(chan struct{}, 1), read: make(chan struct{}),
		workloadUID: map[Owner]string{},
		loads:       map[string]Load{}, nodeStates: map[string]NodeState{},
	}
	if c.rows == nil {
		c.rows = c.client.CoreV1().RESTClient()
	}
	c.nodes = newStore(c.woken, judgeNode)
	c.pods = newStore(c.woken, judgePod)
	c.workloads = newStore(c.woken, judgeWorkload)
	c.certs, c.csrs = newStore(c.woken, judgeCert), newStore(c.woken, judgeCSR)
	c.events, c.eventGroups = newStore(func() {}, judgeEvent), newStore(func() {}, judgeEventGroup) // the publisher fills them
	c.book = newEventBook(c.woken, c.events, c.eventGroups, c.besideEvents())
	c.rescoped.workloads, c.rescoped.events = make(chan struct{}, 1), make(chan struct{}, 1)
	c.totals, c.containers = newStore(c.woken, judgeTotal), newStore(c.woken, judgeContainer)
	c.nodes.moved, c.pods.moved, c.workloads.moved, c.csrs.moved = c.nodeMoved, c.podMoved, c.workloadMoved, c.csrMoved
	c.users.ready = make(chan addedUp, 1)
	c.identity.Store(&Identity{})
	c.scope.Store(&Scope{Namespaces: namespaces})
	server := discovery.ToServerVersionInterfaceWithContext(clients.Kubernetes.Discovery())
	c.heart = newHeart(server, func() { c.touch(Connection) }, c.Retry)
	c.meter = newMeter(clients.Metrics, func() []string { return c.Scope().Namespaces }, func() { c.touch(Metrics) })
	c.usage = c.Usage()
	return c
}

func judgeNode(n *Node, m Moment) (uint8, Severity, time.Time) {
	rank, until := n.Badness(m)
	return rank, nodeSeverity(rank), until
}

func judgePod(p *Pod, m Moment) (uint8, Severity, time.Time) {
	rank, until := p.Badness(m)
	return rank, podSeverity(rank), until
}

func judgeWorkload(w *Workload, m Moment) (uint8, Severity, time.Time) {
	rank, until := w.Badness(m)
	return rank, workloadSeverity(rank), until
}

// Context is the name of the kubeconfig context, not sanitised.
func (c *Cluster) Context() string { return c.context }

// Identity says who we are, as far as known.
func (c *Cluster) Identity() Identity { return *c.identity.Load() }

// Scope says what is looked at.
func (c *Cluster) Scope() Scope { return *c.scope.Load() }

// Health says how the connection is.
func (c *Cluster) Health() Health { return *c.heart.cur.Load() }

// Tried waits until the server has been asked once whether it is there, if anybody is going to: what would fail for the same
// reason twenty times need not be tried twenty times.
func (c *Cluster) Tried(ctx context.Context) {
	if !c.heart.begun.Load() {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.heart.first:
	}
}

// Usage gives the newest samples of metrics.k8s.io, never nil.
func (c *Cluster) Usage() *Usage { return c.meter.cur.Load() }

// Notifier says when snapshots, health or usage are new.
func (c *Cluster) Notifier() *Notifier { return c.notifier }

// Client gives clients of whole objects, for reading live and for acting.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Moment is what rows were last seen beside: loads, states and use of nodes, as far as known.
func (c *Cluster) Moment() Moment {
	if m := c.moment.Load(); m != nil {
		return *m
	}
	return Moment{}
}

// NodeFeed opens a feed of nodes.
func (c *Cluster) NodeFeed() *Feed[*Node] { return c.nodes.open(c.ask) }

// PodFeed opens a feed of pods.
func (c *Cluster) PodFeed() *Feed[*Pod] { return c.pods.open(c.ask) }

// Start begins to read the kinds in want, and goes on until ctx ends. It returns at once.
func (c *Cluster) Start(ctx context.Context, want Kinds) {
	safe.Go("publisher", func() { c.publish(ctx) })
	c.heart.begun.Store(true)
	safe.Go("heartbeat", func() { c.heart.run(ctx) })
	if want&Nodes != 0 {
		c.nodes.expect(origin{})
		c.inform(ctx, c.nodeInformer())
	}
	if want&Pods != 0 {
		namespaces := c.Scope().Namespaces
		for _, ns := range namespaces {
			c.pods.expect(origin{namespace: ns})
		}
		for _, ns := range namespaces {
			c.inform(ctx, c.podInformer(ctx, ns))
		}
	}
	if want&Workloads != 0 {
		c.startWorkloads(ctx, want)
	}
	if want&Events != 0 {
		c.afterRows(ctx, "events", func() { c.readEvents(ctx) })
	}
	if want&CSRs != 0 {
		c.csrs.expect(origin{})
		c.afterRows(ctx, "csrs", func() { c.inform(ctx, c.csrInformer()) })
	}
	if want&Metrics != 0 {
		safe.Go("metrics", func() {
			select {
			case <-ctx.Done():
			case <-c.read: // rows come first: samples of a big cluster would hold them up
				c.meter.run(ctx)
			}
		})
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

// inform runs an informer until ctx ends; gone is closed when it has ended.
func (c *Cluster) inform(ctx context.Context, r runner) (gone chan struct{}) {
	c.informers.Lock()
	c.informers.all = append(c.informers.all, r)
	c.informers.Unlock()
	gone = make(chan struct{})
	safe.Go("informer", func() {
		defer close(gone)
		r.run(ctx)
		c.informers.Lock()
		c.informers.all = slices.DeleteFunc(c.informers.all, func(x runner) bool { return x == r })
		c.informers.Unlock()
	})
	return gone
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

// heard is when the server was last heard of: now, while it answers.
func (c *Cluster) heard() time.Time {
	if h := c.Health(); h.Known && !h.Up && !h.LastContact.IsZero() {
		return h.LastContact
	}
	return time.Now()
}

func (c *Cluster) nodeInformer() *informer[*Node] {
	list := func() runtime.Object { return &corev1.NodeList{} }
	return &informer[*Node]{
		signals: newSignals(), source: newSource(c.rows, "/api/v1", "nodes", "", list),
		resource: "nodes", store: c.nodes, lost: c.lost, heard: c.heard, log: c.log,
		row: func(o runtime.Object) *Node { return NewNode(o.(*corev1.Node)) },
	}
}

func (c *Cluster) podInformer(ctx context.Context, namespace string) *informer[*Pod] {
	list := func() runtime.Object { return &corev1.PodList{} }
	i := &informer[*Pod]{
		signals: newSignals(), source: newSource(c.rows, "/api/v1", "pods", namespace, list),
		resource: "pods", namespace: namespace, store: c.pods, lost: c.lost, heard: c.heard, log: c.log,
		row: func(o runtime.Object) *Pod { return NewPod(o.(*corev1.Pod)) },
	}
	if namespace == metav1.NamespaceAll {
		i.denied = func(err error) { c.narrow(ctx, err) }
		i.allowed = func() { c.widen(ctx) }
	}
	return i
}

// narrow goes on with the context's own namespace when the server does not let us list pods everywhere. What has been
// read of other namespaces by then cannot be kept up to date, and goes.
func (c *Cluster) narrow(ctx context.Context, err error) {
	if c.narrowed != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	c.scope.Store(&Scope{Namespaces: []string{c.fallback}, Limited: err})
	c.pods.sweep(origin{}, nil)
	c.pods.expect(origin{namespace: c.fallback})
	c.pods.forget(origin{})
	c.rescope()
	gone := c.inform(ctx, c.podInformer(ctx, c.fallback))
	c.narrowed = func() {
		stop()
		<-gone
	}
	c.touch(Connection)
	safe.Go("probe", func() {
		if err := c.KeepProbing(ctx); apierrors.IsNotFound(err) {
			c.scope.Store(&Scope{Namespaces: []string{c.fallback}, Limited: err})
			c.touch(Connection)
		}
	})
}

// widen takes narrow back: the server allows everything after all. The one informer must have ended before the other
// begins, since they would put the same objects at different versions.
func (c *Cluster) widen(ctx context.Context) {
	c.narrowed()
	c.narrowed = nil
	c.scope.Store(&Scope{Namespaces: []string{metav1.NamespaceAll}})
	c.pods.expect(origin{})
	c.pods.forget(origin{namespace: c.fallback})
	c.rescope()
	c.touch(Connection)
	safe.Go("probe", func() { _ = c.KeepProbing(ctx) }) // what we may do now; until it is known, what we could do before stands
}

// rescope tells whoever follows the scope that it is another one.
func (c *Cluster) rescope() {
	signal(c.rescoped.workloads)
	signal(c.rescoped.events)
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
