package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ktriage/devcluster/load"
	"ktriage/devcluster/process"
	"ktriage/devcluster/scenario"
)

// perObject is what a node or a pod takes on disk, in bytes: in etcd's database and once more in its log.
const perObject = 16 << 10

// Load starts a cluster of etcd and kube-apiserver alone, in which nothing changes by itself, and fills it. A cluster
// with the empty scenario that runs already is used; the components that would change something are ended.
func (c *Cluster) Load(ctx context.Context, o load.Options) error {
	if err := o.Check(); err != nil {
		return complain("%v.", err)
	}
	p := plan{
		scenario: fmt.Sprintf("a load of %d nodes and %d pods", o.Nodes, o.Pods), parts: bare,
		space: space + uint64(o.Nodes+o.Pods)*perObject,
	}
	p.fill = func(ctx context.Context) error {
		began := time.Now()
		o.PKIDir, o.Endpoint, o.Progress = c.file("pki"), url(c.Ports.Etcd), c.say
		if err := load.Fill(ctx, o); err != nil {
			return err
		}
		c.say("loaded in %.1f s", time.Since(began).Seconds())
		return nil
	}
	return c.bring(ctx, p)
}

// freezes reports whether nothing shall change by itself in the planned cluster.
func (p plan) freezes() bool { return len(p.parts) == len(bare) }

// loadable reports whether the running cluster can be loaded: it is empty, and all of it runs.
func (c *Cluster) loadable(running int) bool {
	return c.Ready && c.Scenario == scenario.Empty && running == len(c.Processes)
}

// refill ends the components that change something by themselves, forgets them, and fills the cluster.
func (c *Cluster) refill(ctx context.Context, p plan) error {
	if err := c.checkSpace(p.space); err != nil {
		return err
	}
	moves := func(p *process.Process) bool {
		return !slices.ContainsFunc(bare, func(part component) bool { return part.name == p.Name })
	}
	c.say("ending all components but etcd and kube-apiserver: in a loaded cluster nothing changes by itself")
	c.Ready = false
	if err := c.end(moves); err != nil {
		return err
	}
	c.Processes = slices.DeleteFunc(c.Processes, moves)
	return c.finish(ctx, p)
}
