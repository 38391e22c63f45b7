package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChurnOptions say how fast the pods of a loaded cluster change, and for how long.
type ChurnOptions struct {
	Rate     int           // changes a second, of all pods together
	For      time.Duration // how long
	Seed     int           // where to begin; runs with different seeds give a pod different restart counts
	PKIDir   string        // kubeadm's, with apiserver-etcd-client.crt
	Endpoint string        // URL of etcd
	Answers  io.Writer     // gets a line for each write of the probe that was answered, and one at the end
}

const (
	mostChanges = 100_000                // a second: far more than one etcd takes
	beat        = 10 * time.Millisecond  // between two batches
	mostInBatch = 100                    // etcd takes 128 operations in a transaction
	batches     = 4                      // on their way at once
	forgiven    = 200 * time.Millisecond // what is later than this is not caught up with
	probeBeat   = 250 * time.Millisecond // between two writes of the probe
)

// Check says what is wrong with the numbers, in one sentence.
func (o ChurnOptions) Check() error {
	switch {
	case o.Rate < 1 || o.Rate > mostChanges:
		return fmt.Errorf("--rate is %d, and must be from 1 to %d", o.Rate, mostChanges)
	case o.For <= 0:
		return fmt.Errorf("--for is %s, and must be more than nothing", o.For)
	case o.Seed < 0 || o.Seed > mostChanges:
		return fmt.Errorf("--seed is %d, and must be from 0 to %d", o.Seed, mostChanges)
	}
	return nil
}

// ErrNotLoaded says that there are no pods that Fill wrote.
var ErrNotLoaded = errors.New("there are no pods that load wrote")

// Churn changes pods at an even rate, as their kubelets would, straight in etcd. It goes round all pods, so that none
// changes twice before each has changed once.
//
// What is due at the same time is one transaction: the pods in it get the same resource version, which they would not
// from an API server, but a request to etcd for each costs several times as much, and that would be taken from the
// program that is measured on the same machine.
//
// Beside them it writes the pod bench/aaa-probe every 250 ms, each time with one restart more, and says so as soon as
// etcd has answered: "RESTARTS NANOSECONDS", the time as time.Time.UnixNano gives it. The last line is "done CHANGES
// SECONDS". It gives the true rate: etcd may take fewer changes than it is given.
func Churn(ctx context.Context, o ChurnOptions) (rate float64, err error) {
	client, err := connect(Options{PKIDir: o.PKIDir, Endpoint: o.Endpoint})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	c, err := survey(ctx, client, o.Seed)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	timed, cancel := context.WithDeadline(ctx, began.Add(o.For)) // what is on its way then is still answered
	defer cancel()
	due := make(chan batch)
	group.Go(func() error { defer close(due); pace(timed, o.Rate, mostInBatch, due); return nil })
	for range batches {
		group.Go(func() error { return c.write(ctx, due) })
	}
	group.Go(func() error { return c.probe(ctx, timed.Done(), o.Answers) })
	if err := group.Wait(); err != nil {
		return 0, err
	}
	written, seconds := c.written.Load(), time.Since(began).Seconds()
	_, err = fmt.Fprintf(o.Answers, "done %d %.3f\n", written, seconds)
	return float64(written) / seconds, err
}

// churn is a loaded cluster whose pods change.
type churn struct {
	client      *clientv3.Client
	began       time.Time // when it was loaded
	nodes, pods int
	seed        int
	restarts    int32 // of the probe, as it was left
	written     atomic.Int64
}

const (
	nodesPrefix = "/registry/minions/"
	podsPrefix  = "/registry/pods/"
	probePrefix = podsPrefix + "bench/"
	probeKey    = probePrefix + "aaa-probe"
)

// survey finds out what load wrote, and when: it is in the age of the pods.
func survey(ctx context.Context, client *clientv3.Client, seed int) (*churn, error) {
	c := &churn{client: client, seed: seed}
	counts := map[string]int{}
	for _, prefix := range []string{nodesPrefix, podsPrefix, probePrefix} {
		r, err := client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", prefix, err)
		}
		counts[prefix] = int(r.Count)
	}
	c.nodes, c.pods = counts[nodesPrefix], counts[podsPrefix]-counts[probePrefix]
	now := time.Now()
	first := pod(0, 1, now)
	have, err := c.stored(ctx, podsPrefix+first.Namespace+"/"+first.Name)
	if err != nil {
		return nil, err
	}
	if have == nil || have.UID != first.UID || c.pods < 1 {
		return nil, ErrNotLoaded
	}
	c.began = have.CreationTimestamp.Add(now.Sub(first.CreationTimestamp.Time))
	was, err := c.stored(ctx, probeKey)
	if err != nil {
		return nil, err
	}
	if was != nil {
		c.restarts = was.Status.ContainerStatuses[0].RestartCount
	}
	return c, nil
}

// stored gives the pod of a key, nil if there is none.
func (c *churn) stored(ctx context.Context, key string) (*corev1.Pod, error) {
	r, err := c.client.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if len(r.Kvs) == 0 {
		return nil, nil
	}
	p := &corev1.Pod{}
	if _, _, err := encoder.Decode(r.Kvs[0].Value, nil, p); err != nil {
		return nil, fmt.Errorf("decode %s: %w", key, err)
	}
	return p, nil
}

// batch is a run of changes, by their numbers.
type batch struct{ first, n int }

// pace says evenly which changes are due, at most so many at once, until ctx ends.
func pace(ctx context.Context, rate, most int, due chan<- batch) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	began, said := time.Now(), 0
	for {
		passed := time.Since(began)
		if late := passed - forgiven - time.Duration(said)*time.Second/time.Duration(rate); late > 0 {
			began, passed = began.Add(late), passed-late
		}
		for want := int(passed.Seconds() * float64(rate)); said < want; {
			b := batch{said, min(want-said, most)}
			select {
			case due <- b:
				said += b.n
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// write makes the changes that are due.
func (c *churn) write(ctx context.Context, due <-chan batch) error {
	for b := range due {
		puts := make([]clientv3.Op, 0, b.n)
		for k := b.first; k < b.first+b.n; k++ {
			p := c.change(k, time.Now())
			key := podsPrefix + p.Namespace + "/" + p.Name
			value, err := encode(key, p)
			if err != nil {
				return err
			}
			puts = append(puts, clientv3.OpPut(key, value))
		}
		if _, err := c.client.Txn(ctx).Then(puts...).Commit(); err != nil {
			return fmt.Errorf("write %d pods: %w", b.n, err)
		}
		c.written.Add(int64(b.n))
	}
	return nil
}

// stride leads from a pod to the next one that changes: far away, in another ReplicaSet and on another node. It is a
// prime larger than any number of pods, so that the way goes through all of them.
const stride = 7_654_321

// change gives the k-th change: the first container of a pod was restarted. One pod in fifty crashes now, one in six is
// not ready, one in five is ready again after a restart just now; of the others the restart is an hour ago, so that most
// pods stay well however long this goes on. With every round those are others.
func (c *churn) change(k int, now time.Time) *corev1.Pod {
	i := int((int64(k) + int64(c.seed)) * stride % int64(c.pods))
	round := c.seed + k/c.pods + 1
	p, what := pod(i, c.nodes, c.began), i+round
	at := metav1.NewTime(now)
	if what%5 != 0 {
		at = metav1.NewTime(now.Add(-time.Hour))
	}
	restart(p, int32(i%97+round), at)
	p.Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 1, Reason: "Error", StartedAt: p.CreationTimestamp, FinishedAt: at,
	}}
	switch {
	case what%50 == 0:
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container=app",
		}}
		unready(p, at)
	case what%6 == 0:
		unready(p, metav1.NewTime(now))
	}
	return p
}

// restart makes all containers of a pod run and be ready, the first one since a time.
func restart(p *corev1.Pod, count int32, at metav1.Time) {
	p.Status.Phase = corev1.PodRunning
	for k := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[k]
		s.Ready, s.State = true, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: p.CreationTimestamp}}
	}
	app := &p.Status.ContainerStatuses[0]
	app.RestartCount, app.State.Running.StartedAt = count, at
	condition(p, corev1.ConditionTrue, at)
}

// unready is what a kubelet reports when the first container is not ready.
func unready(p *corev1.Pod, at metav1.Time) {
	p.Status.ContainerStatuses[0].Ready = false
	condition(p, corev1.ConditionFalse, at)
}

func condition(p *corev1.Pod, ready corev1.ConditionStatus, at metav1.Time) {
	for k := range p.Status.Conditions {
		if c := &p.Status.Conditions[k]; c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
			c.Status, c.LastTransitionTime = ready, at
		}
	}
}

// probe writes the probe pod until the time is over. It is as healthy as the other ones, so that only its name finds it.
func (c *churn) probe(ctx context.Context, over <-chan struct{}, answers io.Writer) error {
	tick := time.NewTicker(probeBeat)
	defer tick.Stop()
	p := pod(0, c.nodes, c.began)
	p.Namespace, p.Name, p.UID = "bench", "aaa-probe", uid('b', mostPods)
	for restarts := c.restarts + 1; ; restarts++ {
		restart(p, restarts, p.CreationTimestamp)
		if err := put(ctx, c.client, probeKey, p); err != nil {
			return err
		}
		answered := time.Now()
		if _, err := fmt.Fprintf(answers, "%d %d\n", restarts, answered.UnixNano()); err != nil {
			return fmt.Errorf("tell of the probe: %w", err)
		}
		select {
		case <-tick.C:
		case <-over:
			return nil
		}
	}
}
