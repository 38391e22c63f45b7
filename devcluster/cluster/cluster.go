// Package cluster runs a Kubernetes control plane as plain processes in one folder. Its one rule: what it starts it
// writes down before it waits for it, so that whatever happens next, everything can be found and ended again, and
// nothing else.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ktriage/devcluster/process"
)

// Cluster is a control plane in a folder. Its exported fields are the file state.json there.
type Cluster struct {
	Dir       string             `json:"-"`
	Bin       string             `json:"-"`              // folder of the binaries
	Scenario  string             `json:"scenario"`       // name of the scenario, or what was loaded
	Ready     bool               `json:"ready"`          // up came to its end
	Host      string             `json:"host,omitempty"` // address of etcd and kube-apiserver; 127.0.0.1 if not said
	Ports     Ports              `json:"ports"`
	Processes []*process.Process `json:"processes"`

	say func(string, ...any)
}

// Complaint is something that the user can do something about: what is the matter, and the next step.
type Complaint struct{ Sentence string }

func (c *Complaint) Error() string { return c.Sentence }

func complain(format string, args ...any) error { return &Complaint{fmt.Sprintf(format, args...)} }

// Open reads what is known of the cluster in dir; there may be none. bin is the folder of the control plane's binaries,
// say gets the lines that tell how far it is.
func Open(dir, bin string, say func(string, ...any)) (*Cluster, error) {
	c := &Cluster{Dir: dir, Bin: bin, say: say}
	return c, c.read()
}

// read takes over what state.json says now.
func (c *Cluster) read() error {
	c.Scenario, c.Ready, c.Host, c.Ports, c.Processes = "", false, "", Ports{}, nil
	data, err := os.ReadFile(c.file(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return c.unusable(err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		return complain("%s cannot be understood (%v). If no cluster runs there, remove %s.", c.file(stateFile), err, c.Dir)
	}
	return nil
}

// save writes the state so that a reader sees the old or the new one, never a half.
func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write the state of the cluster: %w", err)
	}
	if err := os.WriteFile(c.file(stateFile+".new"), data, 0o600); err != nil {
		return fmt.Errorf("write the state of the cluster: %w", err)
	}
	return os.Rename(c.file(stateFile+".new"), c.file(stateFile))
}

// Kubeconfig is the file for kubectl and ktriage.
func (c *Cluster) Kubeconfig() string { return c.file("admin.conf") }

// Kubectl gives the beginning of a command line: the real kubectl.
func (c *Cluster) Kubectl() ([]string, error) {
	if len(c.Running()) == 0 {
		return nil, c.NotRunning()
	}
	if err := c.checkBinaries(); err != nil {
		return nil, err
	}
	return []string{filepath.Join(c.Bin, kubeBinary), "kubectl"}, nil
}

// Running gives the processes that are alive.
func (c *Cluster) Running() []*process.Process {
	var out []*process.Process
	for _, p := range c.Processes {
		if p.Alive() {
			out = append(out, p)
		}
	}
	return out
}

// NotRunning is the complaint that nothing runs in the folder.
func (c *Cluster) NotRunning() error {
	return complain("No cluster runs in %s. `devcluster up` starts one.", c.Dir)
}

// patience is how long a component may take to end before it is killed. kube-apiserver ends its watches first, which
// takes one or two seconds; without etcd it would try for a minute.
const patience = 5 * time.Second

// end ends the components of which that is true, in the reverse of their order.
func (c *Cluster) end(which func(*process.Process) bool) error {
	var errs []error
	for _, p := range slices.Backward(c.Processes) {
		if which(p) {
			errs = append(errs, p.Stop(patience))
		}
	}
	return errors.Join(errs...)
}

func everything(*process.Process) bool { return true }

// Down ends what was started, and removes what up made unless keep.
func (c *Cluster) Down(keep bool) error {
	if c.empty() {
		c.say("no cluster in %s: nothing to end", c.Dir)
		return nil
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	running := len(c.Running())
	if err := c.end(everything); err != nil {
		return fmt.Errorf("end the cluster in %s: %w", c.Dir, err)
	}
	if running == 0 {
		c.say("nothing of the cluster ran any more")
	} else {
		c.say("%d components ended", running)
	}
	c.Ready = false
	if !keep {
		return c.remove()
	}
	if err = c.save(); errors.Is(err, syscall.ENOSPC) {
		return c.full()
	}
	return err
}

// Stop ends the named components, and leaves the others.
func (c *Cluster) Stop(names ...string) error {
	return c.single(names, func(p *process.Process) error { return p.Stop(patience) })
}

// Kill ends components as a crash would.
func (c *Cluster) Kill(names ...string) error {
	return c.single(names, (*process.Process).Kill)
}

// Pause stops components where they are: whoever asks them waits for an answer. With a span other than 0 they go on after
// it, or when ctx ends, and Pause returns then.
func (c *Cluster) Pause(ctx context.Context, span time.Duration, names ...string) error {
	if span < 0 {
		return complain("--for is %s, and must be more than nothing.", span)
	}
	if err := c.single(names, c.running((*process.Process).Pause)); err != nil || span == 0 {
		return err
	}
	c.say("%s paused for %s", strings.Join(names, ", "), span)
	select {
	case <-time.After(span):
	case <-ctx.Done():
	}
	return c.Resume(names...)
}

// Resume lets paused components go on.
func (c *Cluster) Resume(names ...string) error {
	return c.single(names, c.running((*process.Process).Resume))
}

// running does something with a component that runs, and complains of one that does not.
func (c *Cluster) running(do func(*process.Process) error) func(*process.Process) error {
	return func(p *process.Process) error {
		if !p.Alive() {
			return complain("%s does not run. `devcluster start %s` starts it.", p.Name, p.Name)
		}
		return do(p)
	}
}

// single does something with each of the named components, or nothing if one of the names is wrong.
func (c *Cluster) single(names []string, do func(*process.Process) error) error {
	if c.empty() {
		return c.NotRunning()
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	var found []*process.Process
	for _, name := range names {
		p := c.process(name)
		if p == nil {
			return c.unknown(name)
		}
		found = append(found, p)
	}
	var errs []error
	for _, p := range found {
		errs = append(errs, do(p))
	}
	return errors.Join(errs...)
}

func (c *Cluster) process(name string) *process.Process {
	for _, p := range c.Processes {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (c *Cluster) unknown(name string) error {
	if len(c.Processes) == 0 {
		return c.NotRunning()
	}
	var names []string
	for _, p := range c.Processes {
		names = append(names, p.Name)
	}
	return complain("This cluster has no component %q; it has %s.", name, strings.Join(names, ", "))
}
