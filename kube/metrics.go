package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
)

const (
	// metricsEvery is the step of metrics-server as it is shipped: asking more often gives the same samples.
	metricsEvery = 15 * time.Second
	// metricsAbsent is how often we look whether somebody has installed metrics-server.
	metricsAbsent = time.Minute
	metricsLimit  = 30 * time.Second
	// samplesKept is how long a sample is shown that cannot be read again: the samples of metrics-server are means over
	// about as long.
	samplesKept = time.Minute
)

// meter polls metrics.k8s.io, which cannot be watched.
type meter struct {
	client     metricsclient.MetricsV1beta1Interface
	namespaces func() []string
	cur        atomic.Pointer[Usage]
	retry      chan struct{} // capacity 1
	poke       func()
}

func newMeter(client metricsclient.MetricsV1beta1Interface, namespaces func() []string, poke func()) *meter {
	m := &meter{client: client, namespaces: namespaces, retry: make(chan struct{}, 1), poke: poke}
	m.cur.Store(&Usage{})
	return m
}

// run polls until ctx ends.
func (m *meter) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := metricsEvery
		if m.poll(ctx).State.Phase == Failed {
			wait = metricsAbsent
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.retry:
		}
		timer.Stop()
	}
}

// poll reads all samples once. Samples that could not be read again stay for a while, under a state that says so.
func (m *meter) poll(ctx context.Context) *Usage {
	ctx, stop := context.WithTimeout(ctx, metricsLimit)
	defer stop()
	was, now := m.cur.Load(), time.Now()
	is := &Usage{NodesAt: now, PodsAt: now, State: State{Phase: Live, Since: now}}
	var nodeErr, podErr error
	if is.Nodes, nodeErr = m.nodes(ctx); nodeErr != nil && now.Sub(was.NodesAt) < samplesKept {
		is.Nodes, is.NodesAt = was.Nodes, was.NodesAt
	}
	if is.Pods, podErr = m.pods(ctx); podErr != nil && now.Sub(was.PodsAt) < samplesKept {
		is.Pods, is.PodsAt = was.Pods, was.PodsAt
	}
	if cause := cmp.Or(podErr, nodeErr); cause != nil {
		is.State = State{Phase: metricsPhase(cause, is), Since: now, Err: errors.Join(nodeErr, podErr)}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return is
	}
	m.cur.Store(is)
	m.poke()
	return is
}

// metricsPhase says what a failed poll means for the samples that there are.
func metricsPhase(cause error, is *Usage) Phase {
	switch {
	case apierrors.IsForbidden(cause):
		return Denied
	case apierrors.IsNotFound(cause) || len(is.Nodes)+len(is.Pods) == 0:
		return Failed
	}
	return Stale
}

func (m *meter) nodes(ctx context.Context) (map[string]Use, error) {
	list, err := m.client.NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list node metrics: %w", err)
	}
	out := make(map[string]Use, len(list.Items))
	for i := range list.Items {
		out[list.Items[i].Name] = use(list.Items[i].Usage)
	}
	return out, nil
}

// pods reads the samples of the namespaces that we may see; it is an error if we may see none.
func (m *meter) pods(ctx context.Context) (map[PodKey]Use, error) {
	out := map[PodKey]Use{}
	var forbidden error
	namespaces, read := m.namespaces(), 0
	for _, ns := range namespaces {
		list, err := m.client.PodMetricses(ns).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			forbidden = fmt.Errorf("list pod metrics: %w", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list pod metrics: %w", err)
		}
		read++
		for i := range list.Items {
			pod := &list.Items[i]
			out[PodKey{pod.Namespace, pod.Name}] = sum(pod.Containers)
		}
	}
	if read == 0 {
		return nil, forbidden
	}
	return out, nil
}

func sum(containers []metricsv1beta1.ContainerMetrics) Use {
	var total Use
	for i := range containers {
		u := use(containers[i].Usage)
		total.CPU += u.CPU
		total.Memory += u.Memory
	}
	return total
}

func use(l corev1.ResourceList) Use {
	return Use{CPU: l.Cpu().MilliValue(), Memory: l.Memory().Value()}
}
