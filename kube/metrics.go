package kube

import (
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

// poll reads all samples once. Samples that could not be read again stay, under a state that says so.
func (m *meter) poll(ctx context.Context) *Usage {
	ctx, stop := context.WithTimeout(ctx, metricsLimit)
	defer stop()
	was := m.cur.Load()
	is := &Usage{At: time.Now(), State: State{Phase: Live, Since: time.Now()}}
	nodes, nodeErr := m.nodes(ctx)
	pods, podErr := m.pods(ctx)
	is.Nodes, is.Pods = nodes, pods
	if nodeErr != nil {
		is.Nodes = was.Nodes
	}
	if podErr != nil {
		is.Pods = was.Pods
	}
	if nodeErr != nil && podErr != nil {
		is.At = was.At
		is.State = metricsState(was, errors.Join(nodeErr, podErr), podErr)
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return is
	}
	m.cur.Store(is)
	m.poke()
	return is
}

// metricsState says what a failed poll means.
func metricsState(was *Usage, err, cause error) State {
	st := State{Phase: Stale, Since: was.At, Err: err}
	switch {
	case apierrors.IsNotFound(cause):
		st.Phase, st.Since = Failed, time.Now()
	case apierrors.IsForbidden(cause):
		st.Phase, st.Since = Denied, time.Now()
	case was.At.IsZero():
		st.Phase = Failed
	}
	return st
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

func (m *meter) pods(ctx context.Context) (map[PodKey]Use, error) {
	out := map[PodKey]Use{}
	for _, ns := range m.namespaces() {
		list, err := m.client.PodMetricses(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list pod metrics: %w", err)
		}
		for i := range list.Items {
			pod := &list.Items[i]
			out[PodKey{pod.Namespace, pod.Name}] = sum(pod.Containers)
		}
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
