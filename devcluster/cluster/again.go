package cluster

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"ktriage/devcluster/pki"
	"ktriage/devcluster/process"
	"ktriage/devcluster/usage"
)

// Start starts a component again that was stopped, where it listened before, and waits until it is ready.
func (c *Cluster) Start(ctx context.Context, name string) error {
	return c.again(ctx, name, func(p *process.Process) error {
		if p.Alive() {
			return complain("%s runs already.", name)
		}
		return nil
	})
}

// Restart ends a component, if it runs, and starts it with the same arguments: it reads its certificates anew.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	return c.again(ctx, name, func(p *process.Process) error { return p.Stop(patience) })
}

// again starts a component with the command that it had, once its process is as before makes it.
func (c *Cluster) again(ctx context.Context, name string, before func(*process.Process) error) error {
	if c.empty() {
		return c.NotRunning()
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	known := append(slices.Clone(components), kubeletsOf, usageOf(usage.Options{}), recorderOf(""))
	i := slices.IndexFunc(c.Processes, func(p *process.Process) bool { return p.Name == name })
	k := slices.IndexFunc(known, func(part component) bool { return part.name == name })
	if i < 0 || k < 0 {
		return c.unknown(name)
	}
	p := c.Processes[i]
	if err := before(p); err != nil {
		return err
	}
	again, err := process.Start(name, p.Log, p.Command)
	if again != nil {
		c.Processes[i] = again
		if err := c.save(); err != nil {
			return errors.Join(err, again.Stop(patience)) // what is not written down must not run
		}
	}
	if err != nil {
		return c.broken(name, err)
	}
	return c.await(ctx, known[k], []*process.Process{again})
}

// certificates say whom the cluster's certificates name.
func (c *Cluster) certificates() pki.Options {
	return pki.Options{Host: net.ParseIP(c.host()), URL: c.url(c.Ports.APIServer)}
}

// everyCertificate is the name that means all that can be renewed.
const everyCertificate = "all"

// Renew issues certificates anew, by kubeadm's names or "all", for so many days; nothing is restarted. With keepKey, the old
// keys stay, and do not fit.
func (c *Cluster) Renew(names []string, days int, keepKey bool) error {
	if c.empty() {
		return c.NotRunning()
	}
	if days < 1 {
		return complain("--days is %d, and must be 1 or more.", days)
	}
	if slices.Contains(names, everyCertificate) {
		names = pki.Renewable()
	}
	for _, name := range names {
		if !slices.Contains(pki.Renewable(), name) {
			return complain("There is no certificate %q to renew; there are %s, and all.", name, strings.Join(pki.Renewable(), ", "))
		}
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	o := c.certificates()
	o.KeepKey = keepKey
	for _, name := range names {
		if err := pki.Renew(c.Dir, name, time.Duration(days)*24*time.Hour, time.Now(), o); err != nil {
			return complain("%s is not renewed: %v.", name, err)
		}
		c.say("%s renewed for %d days", name, days)
	}
	return nil
}
