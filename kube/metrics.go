package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
)

const (
	// metricsEvery is the step of metrics-server as it is shipped: asking more often gives the same samples.
	metricsEvery = 15 * time.Second
	// metricsShare is how many times as long as a poll took we leave the servers in peace: one that needs 1 s for the
	// lists of a big cluster is asked once a minute.
	metricsShare = 60
	// metricsSlowest is the longest step: older samples say little of an incident.
	metricsSlowest = 2 * time.Minute
	// metricsAbsent is how often we look whether somebody has installed metrics-server.
	metricsAbsent = time.Minute
	metricsLimit  = 30 * time.Second
	// samplesKept is how long samples are shown that cannot be read again, and staleSteps for how many steps if that is
	// longer: one lost answer says nothing, three do.
	samplesKept = 2 * time.Minute
	staleSteps  = 3
	// metricsAgain is how old the time of the samples on the screen may become while the samples stay the same.
	metricsAgain = time.Minute
)

// meter polls metrics.k8s.io, which cannot be watched: one list for all nodes and one for all pods, or one for each
// namespace if we look at some only, never a request for each node or pod. The version is found out before the first poll and
// after each that failed.
type meter struct {
	client     metricsclient.MetricsV1beta1Interface // whose connection serves for all versions
	namespaces func() []string
	cur        atomic.Pointer[Usage]
	retry      chan struct{} // capacity 1
	poke       func()

	// The poller's own.
	version string        // of the API; "" while it is not known
	step    time.Duration // from the last poll that gave everything to the next one
	steps   sampleSteps
	poked   time.Time
}

func newMeter(client metricsclient.MetricsV1beta1Interface, namespaces func() []string, poke func()) *meter {
	m := &meter{client: client, namespaces: namespaces, retry: make(chan struct{}, 1), poke: poke}
	m.cur.Store(&Usage{Pods: PodUses{salt: newSalt()}}) // all that come have this salt
	return m
}

// run polls until ctx ends.
func (m *meter) run(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(m.poll(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.retry:
			m.steps = sampleSteps{} // somebody has done something
		}
		timer.Stop()
	}
}

// pace is how long to wait after a poll that took so long.
func pace(took time.Duration) time.Duration {
	return min(max(metricsEvery, metricsShare*took), metricsSlowest)
}

// poll reads all samples once and says how long to wait. Samples that could not be read again stay for a while, under a
// state that says so.
func (m *meter) poll(ctx context.Context) (wait time.Duration) {
	was, began := m.cur.Load(), time.Now()
	is := m.read(ctx, was)
	if ctx.Err() != nil {
		return 0
	}
	now := time.Now()
	wait = pace(now.Sub(began))
	switch is.State.Phase {
	case Live:
		wait = max(wait, m.steps.wait(is.newest(), now))
		m.step = wait
	case Failed:
		wait = max(wait, metricsAbsent)
	default:
	}
	m.cur.Store(is)
	if !is.same(was) || now.Sub(m.poked) >= metricsAgain {
		m.poked = now
		m.poke()
	}
	return wait
}

// read reads all samples, and if they cannot be read, why.
func (m *meter) read(ctx context.Context, was *Usage) *Usage {
	limited, stop := context.WithTimeout(ctx, metricsLimit)
	defer stop()
	now := time.Now()
	is := &Usage{NodesAt: now, PodsAt: now, State: State{Phase: Live, Since: now}, pastStep: max(m.step, was.step)}
	nodes, pods := newNodeList(len(was.Nodes)), was.Pods.after()
	nodeErr, podErr := m.lists(limited, nodes, pods)
	keep := max(samplesKept, staleSteps*m.step)
	if nodeErr != nil {
		nodes = newNodeList(0)
	}
	if podErr != nil {
		pods = PodUses{salt: was.Pods.salt}.after()
	}
	is.settle(was, nodes, pods.done())
	if nodeErr != nil && now.Sub(was.NodesAt) < keep {
		is.keepNodes(was)
		is.NodesAt = was.NodesAt
	}
	if podErr != nil && now.Sub(was.PodsAt) < keep {
		is.Pods, is.PodsAt = was.Pods, was.PodsAt
	}
	is.step = m.steps.seen(was, is)
	if cause := cmp.Or(podErr, nodeErr); cause != nil {
		is.State = State{Phase: metricsPhase(cause, is), Since: now, Err: bothErrors(nodeErr, podErr)}
		if !apierrors.IsForbidden(cause) {
			is.service = m.ask(ctx, cause)
			m.version = ""
		}
	}
	return is
}

// lists reads the two lists; there is none while the API is not there.
func (m *meter) lists(ctx context.Context, nodes *nodeList, pods *podList) (nodeErr, podErr error) {
	if m.version == "" {
		version, err := m.discover(ctx)
		if err != nil {
			return err, err
		}
		m.version = version
	}
	if err := m.list(ctx, nodeMetrics, "", nodes.add); err != nil {
		nodeErr = fmt.Errorf("list node metrics: %w", err)
	}
	return nodeErr, m.pods(ctx, pods)
}

// bothErrors is one error of two, which may be the same.
func bothErrors(a, b error) error {
	if a == b { //nolint:errorlint // it is the very same if there were no lists
		return a
	}
	return errors.Join(a, b)
}

// settle makes what has been read u's, with the pasts of what was before. Samples that are as they were are kept, so that
// they are not in memory twice.
func (u *Usage) settle(was *Usage, nodes *nodeList, pods PodUses) {
	step := max(u.pastStep, pastStep)
	nodes.follow(was.nodes, u.NodesAt, step)
	if u.Nodes, u.nodes = nodes.uses, nodes.nodeUses; u.sameNodes(was) {
		u.keepNodes(was)
	}
	if u.Pods = was.Pods; !pods.equal(was.Pods) {
		pods.follow(was.Pods, u.PodsAt, step)
		u.Pods = pods
	}
}

func (u *Usage) keepNodes(was *Usage) { u.Nodes, u.nodes = was.Nodes, was.nodes }

// same reports whether there is nothing in u that was not in v, but for the time: metrics-server has not looked again.
func (u *Usage) same(v *Usage) bool {
	return u.State.Phase == v.State.Phase && fmt.Sprint(u.State.Err) == fmt.Sprint(v.State.Err) && u.service.same(v.service) &&
		u.sameNodes(v) && u.Pods.equal(v.Pods)
}

// newest is the time of the newest sample, zero if there is none.
func (u *Usage) newest() (at time.Time) {
	if len(u.Nodes) > 0 {
		at = sampleTime(u.nodes.newest, u.NodesAt)
	}
	if pods := sampleTime(u.Pods.newest, u.PodsAt); u.Pods.Len() > 0 && pods.After(at) {
		at = pods
	}
	return at
}

// metricsPhase says what a failed poll means for the samples that there are.
func metricsPhase(cause error, is *Usage) Phase {
	switch {
	case apierrors.IsForbidden(cause):
		return Denied
	case apierrors.IsNotFound(cause), errors.Is(cause, errNoMetrics), len(is.Nodes)+is.Pods.Len() == 0:
		return Failed
	}
	return Stale
}

// pods reads the samples of the namespaces that we may see; it is an error if we may see none.
func (m *meter) pods(ctx context.Context, into *podList) error {
	var forbidden error
	read := 0
	for _, ns := range m.namespaces() {
		err := m.list(ctx, podMetrics, ns, into.add)
		if err != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("list pod metrics: %w", err)
		}
		if err != nil {
			forbidden = fmt.Errorf("list pod metrics: %w", err)
			continue
		}
		read++
	}
	if read > 0 {
		return nil
	}
	return forbidden
}

// list reads one list as it comes. To ask again is run's business, not client-go's.
func (m *meter) list(ctx context.Context, l metricsList, namespace string, each eachScrape) error {
	body, err := m.client.RESTClient().Get().AbsPath("/apis", metricsGroup, m.version).NamespaceIfScoped(namespace, namespace != "").
		Resource(l.resource).SetHeader("Accept", "application/vnd.kubernetes.protobuf,application/json").MaxRetries(0).Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	return l.read(body, each)
}
