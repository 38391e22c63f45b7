package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
// namespace if we look at some only, never a request for each node or pod.
type meter struct {
	client     metricsclient.MetricsV1beta1Interface
	namespaces func() []string
	cur        atomic.Pointer[Usage]
	retry      chan struct{} // capacity 1
	poke       func()

	// The poller's own.
	step   time.Duration // from the last poll that gave everything to the next one
	poked  time.Time
	nobody PodUses // no samples, but the salt of all that come
}

func newMeter(client metricsclient.MetricsV1beta1Interface, namespaces func() []string, poke func()) *meter {
	m := &meter{client: client, namespaces: namespaces, retry: make(chan struct{}, 1), poke: poke}
	m.nobody.salt = newSalt()
	m.cur.Store(&Usage{Pods: m.nobody})
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
	wait = pace(time.Since(began))
	if is.State.Phase == Live {
		m.step = wait
	}
	if is.State.Phase == Failed {
		wait = max(wait, metricsAbsent)
	}
	m.cur.Store(is)
	if now := time.Now(); !is.same(was) || now.Sub(m.poked) >= metricsAgain {
		m.poked = now
		m.poke()
	}
	return wait
}

// read reads all samples. Those that are as they were are kept, so that they are not in memory twice.
func (m *meter) read(ctx context.Context, was *Usage) *Usage {
	ctx, stop := context.WithTimeout(ctx, metricsLimit)
	defer stop()
	now := time.Now()
	keep := max(samplesKept, staleSteps*m.step)
	is := &Usage{NodesAt: now, PodsAt: now, State: State{Phase: Live, Since: now}}
	var nodeErr, podErr error
	if is.Nodes, nodeErr = m.nodes(ctx, len(was.Nodes)); nodeErr != nil && now.Sub(was.NodesAt) < keep {
		is.Nodes, is.NodesAt = was.Nodes, was.NodesAt
	}
	if is.Pods, podErr = m.pods(ctx, was.Pods); podErr != nil && now.Sub(was.PodsAt) < keep {
		is.Pods, is.PodsAt = was.Pods, was.PodsAt
	}
	if is.Pods.equal(was.Pods) {
		is.Pods = was.Pods
	}
	if cause := cmp.Or(podErr, nodeErr); cause != nil {
		is.State = State{Phase: metricsPhase(cause, is), Since: now, Err: errors.Join(nodeErr, podErr)}
	}
	return is
}

// same reports whether there is nothing in u that was not in v, but for the time: metrics-server has not looked again.
func (u *Usage) same(v *Usage) bool {
	return u.State.Phase == v.State.Phase && fmt.Sprint(u.State.Err) == fmt.Sprint(v.State.Err) &&
		maps.Equal(u.Nodes, v.Nodes) && u.Pods.equal(v.Pods)
}

// metricsPhase says what a failed poll means for the samples that there are.
func metricsPhase(cause error, is *Usage) Phase {
	switch {
	case apierrors.IsForbidden(cause):
		return Denied
	case apierrors.IsNotFound(cause) || len(is.Nodes)+is.Pods.Len() == 0:
		return Failed
	}
	return Stale
}

// nodes reads the samples of all nodes, of which there are about so many.
func (m *meter) nodes(ctx context.Context, about int) (map[string]Use, error) {
	out := make(map[string]Use, about)
	err := m.list(ctx, nodeMetrics, "", func(_, name []byte, use Use) { out[string(name)] = use })
	if err != nil {
		return nil, fmt.Errorf("list node metrics: %w", err)
	}
	return out, nil
}

// pods reads the samples of the namespaces that we may see; it is an error if we may see none.
func (m *meter) pods(ctx context.Context, was PodUses) (PodUses, error) {
	out := was.after()
	var forbidden error
	namespaces, read := m.namespaces(), 0
	for _, ns := range namespaces {
		err := m.list(ctx, podMetrics, ns, out.add)
		if apierrors.IsForbidden(err) {
			forbidden = fmt.Errorf("list pod metrics: %w", err)
			continue
		}
		if err != nil {
			return m.nobody, fmt.Errorf("list pod metrics: %w", err)
		}
		read++
	}
	if read == 0 {
		return m.nobody, forbidden
	}
	out.sort()
	return out, nil
}

// list reads one list as it comes. To ask again is run's business, not client-go's.
func (m *meter) list(ctx context.Context, l metricsList, namespace string, each eachUse) error {
	body, err := m.client.RESTClient().Get().NamespaceIfScoped(namespace, namespace != "").Resource(l.resource).
		SetHeader("Accept", "application/vnd.kubernetes.protobuf,application/json").MaxRetries(0).Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	return l.read(body, each)
}
