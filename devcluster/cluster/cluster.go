// Package cluster runs a Kubernetes control plane as plain processes in one folder. Its one rule: what it starts it
// writes down before it waits for it, so that whatever happens next, everything can be found and ended again, and
// nothing else.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ktriage/devcluster/process"
)

// Cluster is a control plane in a folder.
type Cluster struct {
	Dir       string             `json:"-"`
	Bin       string             `json:"-"` // folder of the binaries
	Scenario  string             `json:"scenario"`
	Ready     bool               `json:"ready"` // up came to its end
	Ports     Ports              `json:"ports"`
	Processes []*process.Process `json:"processes"`

	say func(string, ...any)
}

// Complaint is something that the user can do something about, in one sentence.
type Complaint struct{ Sentence string }

func (c *Complaint) Error() string { return c.Sentence }

func complain(format string, args ...any) error { return &Complaint{fmt.Sprintf(format, args...)} }

// Open reads what is known of the cluster in dir; there may be none. bin is the folder of the control plane's binaries,
// say gets the lines that tell how far it is.
func Open(dir, bin string, say func(string, ...any)) (*Cluster, error) {
	c := &Cluster{Dir: dir, Bin: bin, say: say}
	data, err := os.ReadFile(c.file("state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the cluster: %w", err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, complain("%s cannot be read (%v). If no cluster runs there, remove %s.", c.file("state.json"), err, dir)
	}
	return c, nil
}

// save writes the state so that a reader sees the old or the new one, never a half.
func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write the state of the cluster: %w", err)
	}
	if err := os.WriteFile(c.file("state.json.new"), data, 0o600); err != nil {
		return fmt.Errorf("write the state of the cluster: %w", err)
	}
	return os.Rename(c.file("state.json.new"), c.file("state.json"))
}

// Kubeconfig is the file for kubectl and ktriage.
func (c *Cluster) Kubeconfig() string { return c.file("admin.conf") }

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

// lock keeps two commands from working on the folder at once. It ends with the process.
func (c *Cluster) lock() (*os.File, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the cluster: %w", err)
	}
	f, err := os.OpenFile(c.file("lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the cluster: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, complain("Another devcluster command works on %s right now. Wait for it to end, or choose another folder with --dir.", c.Dir)
	}
	return f, nil
}

// patience is how long a component may take to end before it is killed. kube-apiserver finishes its watches first.
const patience = 15 * time.Second

// Stop ends the components in the reverse of their order, or only those that are named.
func (c *Cluster) Stop(names ...string) error {
	var errs []error
	for i := len(c.Processes) - 1; i >= 0; i-- {
		p := c.Processes[i]
		if len(names) > 0 && !contains(names, p.Name) {
			continue
		}
		if err := p.Stop(patience); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// Down ends what was started, and removes the folder unless keep.
func (c *Cluster) Down(keep bool) error {
	if _, err := os.Stat(c.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := c.Stop(); err != nil {
		return err
	}
	c.Processes, c.Ready = nil, false
	if keep {
		return c.save()
	}
	return c.remove()
}

// remove takes away what up made, and the folder if nothing else is in it.
func (c *Cluster) remove() error {
	for _, name := range made {
		if err := os.RemoveAll(c.file(name)); err != nil {
			return fmt.Errorf("remove what the cluster left: %w", err)
		}
	}
	if left, err := filepath.Glob(c.file("*")); err == nil && len(left) == 0 {
		return os.Remove(c.Dir)
	}
	return nil
}

// made are the files and folders of a cluster: a folder that somebody named with --dir may hold other things too.
var made = []string{
	"state.json", "state.json.new", "etcd", "pki", "kubelet", "metrics-server", "logs", "audit.log", "audit-policy.yaml",
	"kwok.yaml", "admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf", "lock",
}

// freePorts finds ports that nobody listens on.
func freePorts(wanted *Ports) error {
	for _, p := range []*int{
		&wanted.Etcd, &wanted.EtcdPeer, &wanted.APIServer, &wanted.Controllers, &wanted.Scheduler, &wanted.Metrics, &wanted.Kubelet,
	} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *p))
		if err != nil && *p != 0 {
			return complain("Port %d is taken by another program. Name another one with --port, or none for a free one.", *p)
		}
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		*p = l.Addr().(*net.TCPAddr).Port
		defer l.Close() // held until all are chosen, so that no two are the same
	}
	return nil
}

// space is what a cluster needs on disk, in bytes.
const space = 400 << 20

func (c *Cluster) checkSpace() error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.Dir, &fs); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", c.Dir, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < space {
		return complain("The disk of %s has %d MiB left; a cluster needs %d. Free some, or choose another folder with --dir.",
			c.Dir, free>>20, space>>20)
	}
	return nil
}

// Kill ends components as a crash would.
func (c *Cluster) Kill(names ...string) error {
	for _, p := range c.Processes {
		if !contains(names, p.Name) {
			continue
		}
		if err := p.Signal(syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", p.Name, err)
		}
	}
	return nil
}
