package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const (
	stateFile = "state.json"
	lockFile  = "lock"
)

// made are the files and folders of a cluster. Nothing else is ever removed: a folder that somebody named with --dir may
// hold other things too. state.json goes last, because it is what says that the others are ours.
var made = []string{
	"etcd", "pki", "kubelet", "metrics-server", "logs", "audit.log", "audit-policy.yaml", "kwok.yaml",
	"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf", stormConf,
	stateFile + ".new", stateFile,
}

func (c *Cluster) pki(name string) string  { return filepath.Join(c.Dir, "pki", name) }
func (c *Cluster) file(name string) string { return filepath.Join(c.Dir, name) }
func (c *Cluster) log(name string) string  { return filepath.Join(c.Dir, "logs", name+".log") }

// empty reports whether there is no sign of a cluster in the folder.
func (c *Cluster) empty() bool {
	_, err := os.Stat(c.file(stateFile))
	return errors.Is(err, os.ErrNotExist)
}

// lock keeps two commands from working on the folder at once, and reads the state anew: another one may have changed it
// since it was opened. The lock ends with the process.
func (c *Cluster) lock() (*os.File, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, c.unusable(err)
	}
	f, err := os.OpenFile(c.file(lockFile), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, c.unusable(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil || !c.holds(f) {
		f.Close()
		return nil, complain("Another devcluster command works on %s right now. Wait for it to end, or choose another folder with --dir.", c.Dir)
	}
	if err := c.read(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// holds reports whether the locked file is still the one in the folder: whoever removes the cluster removes the file.
func (c *Cluster) holds(f *os.File) bool {
	locked, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(c.file(lockFile))
	return err == nil && os.SameFile(locked, there)
}

func (c *Cluster) unusable(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return c.full()
	}
	return complain("The folder %s cannot be used: %v. Choose another one with --dir.", c.Dir, err)
}

func (c *Cluster) full() error {
	return complain("The disk of %s is full. Free some space, or choose another folder with --dir.", c.Dir)
}

// ours complains of a folder in which something lies that a cluster would overwrite, and that no cluster of ours made.
func (c *Cluster) ours() error {
	if !c.empty() {
		return nil
	}
	for _, name := range made {
		if _, err := os.Lstat(c.file(name)); err == nil {
			return complain("%s is not from a cluster of devcluster, and would be overwritten. Choose another folder with --dir.", c.file(name))
		}
	}
	return nil
}

// clear removes what an earlier cluster left, but for the state.
func (c *Cluster) clear() error {
	if len(c.Processes) > 0 {
		c.say("removing what an earlier cluster left")
	}
	c.Processes, c.Ready = nil, false
	for _, name := range made[:len(made)-1] {
		if err := os.RemoveAll(c.file(name)); err != nil {
			return fmt.Errorf("remove what an earlier cluster left: %w", err)
		}
	}
	return nil
}

// remove takes away what up made, and the folder if nothing else is in it.
func (c *Cluster) remove() error {
	for _, name := range append(made, lockFile) {
		if err := os.RemoveAll(c.file(name)); err != nil {
			return fmt.Errorf("remove what the cluster left: %w", err)
		}
	}
	c.Processes, c.Ready = nil, false
	_ = os.Remove(c.Dir) // fails if something else is in it, or if it is where a disk is mounted
	return nil
}

// space is what a cluster needs on disk, in bytes.
const space = 400 << 20

// free is what the disk of the folder has left, in bytes.
func (c *Cluster) free() (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.Dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", c.Dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

func (c *Cluster) checkSpace(need uint64) error {
	free, err := c.free()
	if err != nil {
		return err
	}
	if free < need {
		return complain("The disk of %s has %d MiB left, and this cluster needs %d. Free some, or choose another folder with --dir.",
			c.Dir, free>>20, need>>20)
	}
	return nil
}

// checkBinaries complains of a binary that is not there.
func (c *Cluster) checkBinaries() error {
	for _, name := range []string{kubeBinary, kwokBinary} {
		info, err := os.Stat(filepath.Join(c.Bin, name))
		if err != nil || info.IsDir() {
			return complain("%s is missing in %s. `make devcluster` builds it.", name, c.Bin)
		}
	}
	return nil
}

// place chooses where the components listen: with standard, as on a kubeadm host, at the standard ports of an address of
// its own; otherwise wherever there is room.
func (c *Cluster) place(port int, standard bool) error {
	c.Host, c.Ports = "", Ports{APIServer: port}
	if standard {
		c.Ports = Ports{APIServer: cmp.Or(port, 6443), Etcd: 2379, EtcdPeer: 2380}
		host, err := freeHost(c.Ports.APIServer)
		if err != nil {
			return err
		}
		c.Host = host
	}
	var held []net.Listener // until all are chosen, so that no two are the same
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	p := &c.Ports
	for i, port := range []*int{
		&p.Etcd, &p.EtcdPeer, &p.APIServer, &p.Controllers, &p.Scheduler, &p.Metrics, &p.Kubelet, &p.Kubelets,
	} {
		host := loopback
		if i < 3 {
			host = c.host()
		}
		l, err := freePort(host, port)
		if err != nil {
			return err
		}
		held = append(held, l)
	}
	return nil
}

// freeHost finds the first address 127.0.N.1 on which nobody listens at that port: every cluster has a network of its own.
func freeHost(port int) (string, error) {
	for n := 1; ; n++ {
		host := fmt.Sprintf("127.0.%d.1", n)
		l, err := freePort(host, &port)
		if err == nil {
			return host, l.Close()
		}
		if n == 254 {
			return "", err
		}
	}
}

// freePort listens at a port, or at a free one if it is 0, which it then is no more.
func freePort(host string, port *int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, *port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, complain("Port %d is taken by another program. Name another one with --port, or none for a free one.", *port)
	case err != nil && *port != 0:
		return nil, complain("Port %d cannot be used: %v. Name another one with --port, or none for a free one.", *port, err)
	case err != nil:
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	*port = l.Addr().(*net.TCPAddr).Port
	return l, nil
}
