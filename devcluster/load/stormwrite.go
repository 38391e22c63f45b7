package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// StormOptions say how fast events come, of how many pods, and for how long.
type StormOptions struct {
	Rate, Pods int
	For        time.Duration
	Batch      int    // events in a transaction of etcd, which then share a resource version
	PKIDir     string // kubeadm's, with apiserver-etcd-client.crt
	Endpoint   string // URL of etcd
}

const (
	stormWriters = 16        // transactions on their way at once
	eventTTL     = time.Hour // kube-apiserver's --event-ttl
)

// Check says what is wrong with the numbers, in one sentence.
func (o StormOptions) Check() error {
	switch {
	case o.Rate < 1 || o.Rate > mostChanges:
		return fmt.Errorf("--rate is %d, and must be from 1 to %d", o.Rate, mostChanges)
	case o.For <= 0:
		return fmt.Errorf("--for is %s, and must be more than nothing", o.For)
	case o.Batch < 1 || o.Batch > mostInBatch:
		return fmt.Errorf("--batch is %d, and must be from 1 to %d", o.Batch, mostInBatch)
	case o.Pods < stormWriters*o.Batch:
		// Two writes of one event on their way at once could come in the wrong order.
		return fmt.Errorf("--pods is %d, and must be %d at least with a --batch of %d", o.Pods, stormWriters*o.Batch, o.Batch)
	}
	return nil
}

// StormReport is what a storm has said.
type StormReport struct {
	Written int          `json:"written"` // how often something was said
	Objects int          `json:"objects"` // in how many event objects
	Seconds float64      `json:"seconds"` // how long it took
	Counts  []StormCount `json:"counts"`
}

// Report gives what the first n sayings were.
func (s Storm) Report(n int, took time.Duration) StormReport {
	r := StormReport{Written: n, Seconds: took.Seconds(), Counts: s.Counts(n)}
	for _, c := range r.Counts {
		r.Objects += c.Objects
	}
	return r
}

// Blow writes a storm into etcd, under the keys and with the lease that kube-apiserver would use.
//
// With a batch of one, each event has a resource version of its own, as from an API server: a watch that is broken off goes on
// behind the last one that it has seen, and misses none. With larger ones it can miss the rest of a batch.
func Blow(ctx context.Context, o StormOptions) (StormReport, error) {
	client, err := connect(Options{PKIDir: o.PKIDir, Endpoint: o.Endpoint})
	if err != nil {
		return StormReport{}, err
	}
	defer client.Close()
	c, err := survey(ctx, client, 0)
	if err != nil {
		return StormReport{}, err
	}
	lease, err := client.Grant(ctx, int64(eventTTL.Seconds()))
	if err != nil {
		return StormReport{}, fmt.Errorf("get a lease for events: %w", err)
	}
	w := &stormWriter{client: client, lease: lease.ID}
	w.storm = Storm{Pods: min(o.Pods, c.pods), Nodes: c.nodes, Rate: o.Rate, Began: time.Now()}
	if err := w.blow(ctx, o); err != nil {
		return StormReport{}, err
	}
	return w.storm.Report(int(w.written.Load()), time.Since(w.storm.Began)), nil
}

// stormWriter writes one storm.
type stormWriter struct {
	client  *clientv3.Client
	lease   clientv3.LeaseID
	storm   Storm
	written atomic.Int64
}

func (w *stormWriter) blow(ctx context.Context, o StormOptions) error {
	group, ctx := errgroup.WithContext(ctx)
	timed, cancel := context.WithDeadline(ctx, w.storm.Began.Add(o.For)) // what is on its way then is still answered
	defer cancel()
	due := make(chan batch)
	group.Go(func() error { defer close(due); pace(timed, o.Rate, o.Batch, due); return nil })
	for range stormWriters {
		group.Go(func() error {
			for b := range due {
				if err := w.write(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *stormWriter) write(ctx context.Context, b batch) error {
	puts := make([]clientv3.Op, 0, b.n)
	for k := b.first; k < b.first+b.n; k++ {
		e, _ := w.storm.Event(k)
		key := "/registry/events/" + e.Namespace + "/" + e.Name
		value, err := encode(key, e)
		if err != nil {
			return err
		}
		puts = append(puts, clientv3.OpPut(key, value, clientv3.WithLease(w.lease)))
	}
	if _, err := w.client.Txn(ctx).Then(puts...).Commit(); err != nil {
		return fmt.Errorf("write %d events: %w", b.n, err)
	}
	w.written.Add(int64(b.n))
	return nil
}

// Survey says how many nodes and pods load wrote into the cluster of that etcd; ErrNotLoaded if it did not.
func Survey(ctx context.Context, pkiDir, endpoint string) (nodes, pods int, err error) {
	client, err := connect(Options{PKIDir: pkiDir, Endpoint: endpoint})
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	c, err := survey(ctx, client, 0)
	if err != nil {
		return 0, 0, err
	}
	return c.nodes, c.pods, nil
}
