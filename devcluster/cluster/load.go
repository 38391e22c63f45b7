package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ktriage/devcluster/load"
	"ktriage/devcluster/process"
	"ktriage/devcluster/scenario"
	"ktriage/devcluster/usage"
)

// perObject is what a node or a pod takes on disk, in bytes: in etcd's database and once more in its log.
const perObject = 16 << 10

// Load starts a cluster of etcd and kube-apiserver alone, in which no object changes by itself, and fills it. With metrics
// (nil: none) it also answers metrics.k8s.io, and usage does change. A cluster with the empty scenario that runs already is used; the
// components that would change something are ended.
func (c *Cluster) Load(ctx context.Context, o load.Options, metrics *usage.Faults) error {
	if err := errors.Join(o.Check(), metrics.Check()); err != nil {
		return complain("%v.", err)
	}
	p := plan{
		scenario: fmt.Sprintf("a load of %d nodes and %d pods", o.Nodes, o.Pods), parts: bare, frozen: true,
		space: space + uint64(o.Nodes+o.Pods+o.Secrets)*perObject,
	}
	if metrics != nil {
		p.scenario += " with metrics" + metrics.String()
		p.parts = append(slices.Clone(bare), usageOf(usage.Options{Nodes: o.Nodes, Pods: o.Pods, Faults: *metrics}))
	}
	if o.Secrets > 0 {
		p.scenario += fmt.Sprintf(" and %d TLS Secrets", o.Secrets)
	}
	if o.Kubelets {
		p.scenario += " with kubelets"
		p.parts = append(slices.Clone(p.parts), kubeletsOf)
	}
	p.fill = func(ctx context.Context) error {
		began := time.Now()
		o.PKIDir, o.Endpoint, o.Progress = c.file("pki"), c.url(c.Ports.Etcd), c.say
		if err := load.Fill(ctx, o); err != nil {
			return err
		}
		c.say("loaded in %.1f s", time.Since(began).Seconds())
		if metrics == nil {
			return nil
		}
		cfg, err := c.config()
		if err != nil {
			return err
		}
		env, err := c.env()
		if err != nil {
			return err
		}
		env.MetricsVersions = metrics.Served()
		return scenario.Metrics(ctx, cfg, env, c.say)
	}
	return c.bring(ctx, p)
}

// Churn changes the pods of a loaded cluster; see load.Churn. It says how many changes a second there were in truth.
func (c *Cluster) Churn(ctx context.Context, o load.ChurnOptions) error {
	if err := o.Check(); err != nil {
		return complain("%v.", err)
	}
	if len(c.Running()) == 0 {
		return complain("No cluster runs in %s. `devcluster load` makes one whose pods can be changed.", c.Dir)
	}
	o.PKIDir, o.Endpoint = c.file("pki"), c.url(c.Ports.Etcd)
	c.say("changing %d pods a second for %s", o.Rate, o.For)
	rate, err := load.Churn(ctx, o)
	if errors.Is(err, load.ErrNotLoaded) {
		return complain("The cluster in %s is not one that `devcluster load` made, whose pods can be changed.", c.Dir)
	}
	if err != nil {
		return err
	}
	c.say("%.0f pods a second were changed", rate)
	return nil
}

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
	if err := c.startRest(ctx, p); err != nil {
		return err
	}
	return c.finish(ctx, p)
}
