package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/devcluster/pki"
	"ktriage/devcluster/process"
	"ktriage/devcluster/scenario"
)

// Options say what Up starts.
type Options struct {
	Scenario string
	Port     int  // of the API server; 0 is a free one
	Bare     bool // only etcd and kube-apiserver
}

// startLimit is how long one component may take until it is ready.
const startLimit = 90 * time.Second

// Up starts the cluster and waits until it is ready and the scenario has settled. If anything goes wrong, or ctx ends,
// everything that it started is ended before it returns.
func (c *Cluster) Up(ctx context.Context, o Options) (err error) {
	if !contains(scenario.Names(), o.Scenario) {
		return complain("There is no scenario %q; there are %s.", o.Scenario, strings.Join(scenario.Names(), ", "))
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if running := c.Running(); len(running) > 0 {
		done, err := c.alreadyUp(running, o)
		if done || err != nil {
			return err
		}
	}
	if err := c.clear(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = c.giveUp(ctx, err)
		}
	}()
	c.Scenario, c.Ports = o.Scenario, Ports{APIServer: o.Port}
	if err := c.prepare(); err != nil {
		return err
	}
	parts := components
	if o.Bare {
		parts = bare
	}
	// kwok wants its custom resources, and they want an API server: the base comes between.
	for i, part := range parts {
		if i == len(bare) {
			if err := c.base(ctx); err != nil {
				return err
			}
		}
		if err := c.start(ctx, part); err != nil {
			return err
		}
	}
	for _, part := range parts[min(len(bare), len(parts)):] {
		if err := c.await(ctx, part); err != nil {
			return err
		}
	}
	if !o.Bare {
		if err := c.apply(ctx, o.Scenario); err != nil {
			return err
		}
	}
	c.Ready = true
	return c.save()
}

// alreadyUp answers a second up: a cluster that runs as wished is good news, any other is a question.
func (c *Cluster) alreadyUp(running []*process.Process, o Options) (done bool, err error) {
	switch {
	case c.Ready && len(running) == len(c.Processes) && c.Scenario == o.Scenario:
		c.say("a cluster with the scenario %s runs in %s already", c.Scenario, c.Dir)
		return true, nil
	case c.Ready && len(running) == len(c.Processes):
		return false, complain("A cluster with the scenario %s runs in %s already. End it with `devcluster down`, or choose another folder with --dir.",
			c.Scenario, c.Dir)
	}
	c.say("%d of %d components of an earlier cluster still run; ending them", len(running), len(c.Processes))
	return false, c.Stop()
}

// clear removes what an earlier cluster left.
func (c *Cluster) clear() error {
	if len(c.Processes) > 0 {
		c.say("removing what an earlier cluster left")
	}
	c.Processes, c.Ready = nil, false
	for _, name := range made {
		if name == "lock" {
			continue
		}
		if err := os.RemoveAll(c.file(name)); err != nil {
			return fmt.Errorf("remove what an earlier cluster left: %w", err)
		}
	}
	return nil
}

// giveUp ends everything that was started, and says why in one sentence.
func (c *Cluster) giveUp(ctx context.Context, cause error) error {
	if stop := c.Stop(); stop != nil {
		return errors.Join(cause, stop)
	}
	c.Processes = nil
	switch {
	case ctx.Err() != nil:
		if err := c.remove(); err != nil {
			return err
		}
		return complain("Stopped; everything that had been started is ended.")
	case errors.Is(cause, syscall.ENOSPC):
		return complain("The disk of %s is full. Free some space, or choose another folder with --dir.", c.Dir)
	}
	return cause
}

// prepare makes the certificates and the files that the components read.
func (c *Cluster) prepare() error {
	if err := c.checkSpace(); err != nil {
		return err
	}
	if err := freePorts(&c.Ports); err != nil {
		return err
	}
	if err := os.MkdirAll(c.file("logs"), 0o700); err != nil {
		return fmt.Errorf("make the folder of logs: %w", err)
	}
	if err := pki.Make(c.Dir, time.Now()); err != nil {
		return fmt.Errorf("make the certificates: %w", err)
	}
	if err := pki.Kubeconfigs(c.Dir, url(c.Ports.APIServer), time.Now()); err != nil {
		return fmt.Errorf("make the kubeconfigs: %w", err)
	}
	if err := os.WriteFile(c.file("kwok.yaml"), nil, 0o600); err != nil {
		return fmt.Errorf("write kwok's configuration: %w", err)
	}
	return os.WriteFile(c.file("audit-policy.yaml"), []byte(auditPolicy), 0o600)
}

// auditPolicy logs every request once, with who and what but without bodies: tests count requests there.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:apiserver, system:kube-scheduler, system:kube-controller-manager, kubernetes-super-admin]
- level: None
  userGroups: [system:serviceaccounts]
- level: Metadata
`

// start starts one component, notes it, and waits for those that others cannot do without.
func (c *Cluster) start(ctx context.Context, part component) error {
	c.say("starting %s", part.name)
	p, err := process.Start(part.name, c.file(filepath.Join("logs", part.name+".log")), c.command(part), part.env)
	if p != nil {
		c.Processes = append(c.Processes, p)
		if err := c.save(); err != nil {
			return err
		}
	}
	if err != nil {
		return c.broken(part.name, err)
	}
	if part.name == etcd || part.name == apiServer {
		return c.await(ctx, part)
	}
	return nil
}

func (c *Cluster) command(part component) []string {
	if part.name == kwok {
		return append([]string{filepath.Join(c.Bin, "devcluster-kwok")}, part.args(c)...)
	}
	return append([]string{filepath.Join(c.Bin, "devcluster-kube"), part.name}, part.args(c)...)
}

// StartComponent starts a component that was stopped, where it listened before.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	for i, p := range c.Processes {
		if p.Name != name {
			continue
		}
		if p.Alive() {
			return complain("%s runs already.", name)
		}
		again, err := process.Start(name, p.Log, p.Command, nil)
		if again != nil {
			c.Processes[i] = again
			if err := c.save(); err != nil {
				return err
			}
		}
		if err != nil {
			return c.broken(name, err)
		}
		for _, part := range components {
			if part.name == name {
				return c.await(ctx, part)
			}
		}
	}
	return complain("This cluster has no component %q.", name)
}

// await waits until a component is ready.
func (c *Cluster) await(ctx context.Context, part component) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ready := part.ready(c)
	var last error
	for {
		if last = ready(ctx); last == nil {
			return nil
		}
		if p := c.process(part.name); p == nil || !p.Alive() {
			return c.broken(part.name, errors.New("it ended"))
		}
		select {
		case <-ctx.Done():
			return c.broken(part.name, fmt.Errorf("not ready in %s: %w", startLimit, last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) process(name string) *process.Process {
	for _, p := range c.Processes {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// broken says that a component did not start, with the end of what it said itself.
func (c *Cluster) broken(name string, err error) error {
	text := ""
	if p := c.process(name); p != nil {
		text = p.LastLines(5)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC) || strings.Contains(text, "no space left on device"):
		return complain("%s did not start: the disk of %s is full.", name, c.Dir)
	case strings.Contains(text, "address already in use"):
		return complain("%s did not start: another program took its port in the meantime. Try again.", name)
	}
	return complain("%s did not start: %v. Its last words (%s):\n%s", name, err, c.file("logs/"+name+".log"), text)
}

// config gives a client configuration of the almighty user.
func (c *Cluster) config() (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", c.file("super-admin.conf"))
	if err != nil {
		return nil, fmt.Errorf("read super-admin.conf: %w", err)
	}
	cfg.QPS, cfg.Burst = 500, 1000
	return cfg, nil
}

func (c *Cluster) env() scenario.Env {
	return scenario.Env{
		PKIDir: c.file("pki"), NodePort: c.Ports.Kubelet, MetricsPort: c.Ports.Metrics, Address: "127.0.0.1",
	}
}

// base applies what every cluster has, whatever its scenario.
func (c *Cluster) base(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	return scenario.Base(ctx, cfg, c.env(), c.say)
}

func (c *Cluster) apply(ctx context.Context, name string) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	c.say("applying the scenario %s", name)
	return scenario.Apply(ctx, cfg, name, c.env(), c.say)
}
