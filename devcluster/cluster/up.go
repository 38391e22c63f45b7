package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/devcluster/load"
	"ktriage/devcluster/pki"
	"ktriage/devcluster/process"
	"ktriage/devcluster/scenario"
	"ktriage/devcluster/usage"
)

// Options say what Up starts.
type Options struct {
	Scenario string
	Port     int // of the API server; 0 is a free one
	// Lives are certificates that do not live as long as kubeadm's; see pki.Options.
	Lives map[string]time.Duration
}

// startLimit is how long one component may take until it is ready.
const startLimit = 90 * time.Second

// plan is what shall run, and what is in it.
type plan struct {
	scenario string
	port     int
	parts    []component
	space    uint64 // bytes on disk
	frozen   bool   // no object shall change by itself
	standard bool   // addresses and ports as on a kubeadm host
	lives    map[string]time.Duration
	fill     func(context.Context) error
}

// Up starts the cluster and waits until it is ready and the scenario has settled. If anything goes wrong, or ctx ends,
// everything that it started is ended before it returns.
func (c *Cluster) Up(ctx context.Context, o Options) error {
	if !slices.Contains(scenario.Names(), o.Scenario) {
		return complain("There is no scenario %q; there are %s.", o.Scenario, strings.Join(scenario.Names(), ", "))
	}
	if err := pki.CheckLives(o.Lives); err != nil {
		return complain("--life: %v.", err)
	}
	lives := map[string]time.Duration{}
	maps.Copy(lives, scenario.Lives(o.Scenario))
	maps.Copy(lives, o.Lives)
	p := plan{
		scenario: o.Scenario, port: o.Port, parts: components, space: space, lives: lives,
		fill: func(ctx context.Context) error { return c.apply(ctx, o.Scenario) },
	}
	if o.Scenario == scenario.Certs {
		p.standard, p.parts = true, append(slices.Clone(components), kubeletsOf)
	}
	if scenario.Talks(o.Scenario) {
		p.parts = append(slices.Clone(p.parts), recorderOf(o.Scenario))
	}
	return c.bring(ctx, p)
}

// bring makes the plan true, unless it is already.
func (c *Cluster) bring(ctx context.Context, p plan) error {
	if err := c.checkBinaries(); err != nil {
		return err
	}
	if err := c.ours(); err != nil {
		return err
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	work := c.build
	if running := c.Running(); p.frozen && c.loadable(len(running)) {
		work = c.refill
	} else if len(running) > 0 {
		done, err := c.alreadyUp(running, p)
		if done || err != nil {
			return err
		}
	}
	if err := work(ctx, p); err != nil {
		return c.giveUp(ctx, err)
	}
	return nil
}

// build starts the components one after the other and fills the cluster.
func (c *Cluster) build(ctx context.Context, p plan) error {
	if err := c.prepare(p); err != nil {
		return err
	}
	for _, part := range bare {
		if err := c.start(ctx, part); err != nil {
			return err
		}
	}
	// kwok wants its custom resources, and they want an API server: the base comes between.
	if err := c.whileAlive(ctx, c.base(p)); err != nil {
		return err
	}
	if err := c.startRest(ctx, p); err != nil {
		return err
	}
	return c.finish(ctx, p)
}

// startRest starts what does not come with etcd and kube-apiserver, and waits until all of it is ready.
func (c *Cluster) startRest(ctx context.Context, p plan) error {
	for _, part := range p.parts[len(bare):] {
		if err := c.start(ctx, part); err != nil {
			return err
		}
	}
	for _, part := range p.parts[len(bare):] {
		if err := c.await(ctx, part, c.Processes); err != nil {
			return err
		}
	}
	return nil
}

// finish fills a cluster that answers.
func (c *Cluster) finish(ctx context.Context, p plan) error {
	if err := c.whileAlive(ctx, p.fill); err != nil {
		return err
	}
	c.Scenario, c.Ready = p.scenario, true
	return c.save()
}

// alreadyUp answers a second up: a cluster that runs as wished is good news, any other is a question.
func (c *Cluster) alreadyUp(running []*process.Process, p plan) (done bool, err error) {
	if !c.Ready || len(running) < len(c.Processes) {
		c.say("%d of %d components of an earlier cluster still run; ending them", len(running), len(c.Processes))
		return false, c.end(everything)
	}
	if c.Scenario == p.scenario && (p.port == 0 || p.port == c.Ports.APIServer) {
		c.say("a cluster (%s) runs in %s already", c.Scenario, c.Dir)
		return true, nil
	}
	return false, complain("A cluster (%s) runs in %s already, on port %d. End it with `devcluster down`, or choose another folder with --dir.",
		c.Scenario, c.Dir, c.Ports.APIServer)
}

// whileAlive does some work on the cluster, and ends it when a component ends: it would wait in vain.
func (c *Cluster) whileAlive(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for dead(c.Processes) == nil {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		cancel()
	}()
	err := work(ctx)
	cancel()
	<-watched
	return err
}

var errEnded = errors.New("it ended")

// dead gives a process that was started and has ended, or nil.
func dead(started []*process.Process) *process.Process {
	for _, p := range started {
		if !p.Alive() {
			return p
		}
	}
	return nil
}

// giveUp ends everything that was started, and says why in one sentence. Logs stay for whoever wants to read them,
// unless there are none, or it was the user who wanted the end.
func (c *Cluster) giveUp(ctx context.Context, cause error) error {
	if p := dead(c.Processes); p != nil {
		cause = c.broken(p.Name, errEnded)
	}
	if err := c.end(everything); err != nil {
		return errors.Join(cause, err)
	}
	if ctx.Err() != nil {
		cause = complain("Stopped. Everything that had been started is ended, and nothing is left in %s.", c.Dir)
	} else if errors.Is(cause, syscall.ENOSPC) {
		cause = c.full()
	}
	if ctx.Err() != nil || len(c.Processes) == 0 {
		if err := c.remove(); err != nil {
			return errors.Join(cause, err)
		}
	}
	return cause
}

// prepare makes the certificates and the files that the components read.
func (c *Cluster) prepare(p plan) error {
	if err := c.clear(); err != nil {
		return err
	}
	if err := c.checkSpace(p.space); err != nil {
		return err
	}
	c.Scenario = p.scenario
	if err := c.place(p.port, p.standard); err != nil {
		return err
	}
	// Before anything else, so that whatever lies here later is known to be ours.
	if err := c.save(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.file("logs"), 0o700); err != nil {
		return fmt.Errorf("make the folder of logs: %w", err)
	}
	now, o := time.Now(), c.certificates()
	o.Lives = p.lives
	if err := pki.Make(c.Dir, now, o); err != nil {
		return fmt.Errorf("make the certificates: %w", err)
	}
	if err := pki.Kubeconfigs(c.Dir, now, o); err != nil {
		return fmt.Errorf("make the kubeconfigs: %w", err)
	}
	if err := os.WriteFile(c.file("kwok.yaml"), nil, 0o600); err != nil {
		return fmt.Errorf("write kwok's configuration: %w", err)
	}
	return os.WriteFile(c.file("audit-policy.yaml"), []byte(auditPolicy), 0o600)
}

// auditPolicy logs every request once, with who and what: tests count requests there. What changes or deletes the objects
// that ktriage acts on is logged with its body, so that tests see the preconditions that it carried.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:apiserver, system:kube-scheduler, system:kube-controller-manager, kubernetes-super-admin]
- level: None
  userGroups: [system:serviceaccounts]
- level: Request
  verbs: [update, patch, delete]
  resources:
  - {group: "", resources: [nodes, pods]}
  - {group: apps, resources: [deployments, deployments/scale, replicasets/scale, statefulsets, statefulsets/scale, daemonsets]}
  - {group: batch, resources: [cronjobs]}
- level: Metadata
`

// start starts one component, notes it, and waits for those that others cannot do without.
func (c *Cluster) start(ctx context.Context, part component) error {
	c.say("starting %s", part.name)
	p, err := process.Start(part.name, c.log(part.name), c.command(part))
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
		return c.await(ctx, part, c.Processes)
	}
	return nil
}

// await waits until a component is ready, or one of those that it needs has ended.
func (c *Cluster) await(ctx context.Context, part component, needed []*process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ready := part.ready(c)
	var last error
	for {
		if last = ready(ctx); last == nil {
			return nil
		}
		if p := dead(needed); p != nil {
			return c.broken(p.Name, errEnded)
		}
		select {
		case <-ctx.Done():
			return c.broken(part.name, fmt.Errorf("not ready in %s: %w", startLimit, last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// broken says that a component failed, with the last thing that it said itself.
func (c *Cluster) broken(name string, err error) error {
	p, last := c.process(name), "(nothing)"
	if p != nil {
		last = cmp.Or(p.LastLine(), last)
	}
	// With a full disk, often not even the log says so.
	if free, e := c.free(); errors.Is(err, syscall.ENOSPC) || strings.Contains(last, "no space left on device") || (e == nil && free < 1<<20) {
		return complain("%s failed: the disk of %s is full. Free some space, or choose another folder with --dir.", name, c.Dir)
	}
	if p == nil {
		return complain("%s cannot be started: %v. `make devcluster` builds it.", name, err)
	}
	if strings.Contains(last, "address already in use") {
		return complain("%s failed: another program took its port in the meantime. Try again.", name)
	}
	return complain("%s failed: %v. Its log, %s, ends with: %s", name, err, c.log(name), last)
}

// config gives a client configuration of the almighty user.
func (c *Cluster) config() (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", c.file("super-admin.conf"))
	if err != nil {
		return nil, fmt.Errorf("read super-admin.conf: %w", err)
	}
	cfg.QPS, cfg.Burst = 500, 1000
	cfg.WarningHandler = rest.NoWarnings{} // of what is broken on purpose
	return cfg, nil
}

func (c *Cluster) env() (scenario.Env, error) {
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return scenario.Env{}, fmt.Errorf("read the cluster's CA: %w", err)
	}
	return scenario.Env{
		NodePort: c.Ports.Kubelet, MetricsPort: c.Ports.Metrics, Now: time.Now(), Host: c.host(), APIPort: c.Ports.APIServer,
		CA: string(ca), MetricsVersions: []string{usage.V1Beta1}, // metrics-server has no other
	}, nil
}

// base applies what every cluster has, whatever its scenario.
func (c *Cluster) base(p plan) func(context.Context) error {
	return func(ctx context.Context) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		env, err := c.env()
		if err != nil {
			return err
		}
		if err := scenario.Access(ctx, cfg, env, c.say); err != nil || p.frozen {
			return err
		}
		return scenario.Base(ctx, cfg, env, c.say)
	}
}

func (c *Cluster) apply(ctx context.Context, name string) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	env, err := c.env()
	if err != nil {
		return err
	}
	c.say("applying the scenario %s", name)
	o := load.Options{PKIDir: c.file("pki"), Endpoint: c.url(c.Ports.Etcd)}
	if err := load.Endpoints(ctx, o, c.host(), c.Ports.APIServer); err != nil {
		return err
	}
	return scenario.Apply(ctx, cfg, name, env, c.say)
}
