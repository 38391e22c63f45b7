package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Liveness is whether the process that wrote a record still lives.
type Liveness uint8

// What can be known of a process.
const (
	Alive     Liveness = iota
	Dead               // it has ended, in whatever way
	Elsewhere          // it was on another host, or its lock cannot be looked at: it may live
)

func (l Liveness) String() string { return [...]string{"alive", "dead", "elsewhere"}[l] }

// Alive reports whether the process that wrote a record still lives. It asks for the lock that every process holds on a
// file of its own: the system gives it back with the process, however that ends, and a PID that is used again means
// nothing. What a dead process has left is removed.
func (l *Log) Alive(r Record) Liveness {
	switch {
	case r.Host == "" || r.Host != l.host:
		return Elsewhere
	case !isProcess(r.Process):
		return Dead // no process of ours has such an id: it must not become a path
	}
	return probe(filepath.Join(l.runningDir(), r.Process))
}

// isProcess holds an id that comes from a file to the letters and digits of rand.Text.
func isProcess(id string) bool {
	return id != "" && len(id) <= 64 && strings.IndexFunc(id, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) < 0
}

// announce makes the file of this process, which says on which host it is, and locks it for as long as it is open. It has
// the lock before it has its name, so that nobody ever finds it unlocked while we live.
func announce(dir, process, host string) (*os.File, error) {
	const failed = "cannot make the file that shows that this ktriage is running, in %s: %w"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf(failed, dir, reason(err))
	}
	hidden := filepath.Join(dir, "."+process)
	f, err := os.OpenFile(hidden, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf(failed, dir, reason(err))
	}
	if err := claim(f, host, filepath.Join(dir, process)); err != nil {
		f.Close()
		os.Remove(hidden) //nolint:errcheck // the error that led here is the one to tell
		return nil, fmt.Errorf(failed, dir, reason(err))
	}
	return f, nil
}

// claim writes, locks and names a file, in this order.
func claim(f *os.File, host, name string) error {
	if _, err := f.WriteString(host); err != nil {
		return err
	}
	if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("it cannot be locked: %w; set XDG_STATE_HOME to a directory on a local disk", err)
	}
	return os.Rename(f.Name(), name)
}

// sweep removes the files of dead processes of this host, of which no record may tell. What cannot be looked at stays.
func sweep(dir, host string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if !isProcess(file.Name()) {
			continue
		}
		if of, err := os.ReadFile(path); err == nil && string(of) == host {
			probe(path)
		}
	}
}

// probe finds out whether somebody holds the lock of a file, and removes it if not. The lock that it asks for is a shared
// one: two processes that look at the same time do not take each other for the owner. Names are never used twice, so what
// is removed is what was locked.
func probe(path string) Liveness {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Dead
	}
	if err != nil {
		return Elsewhere
	}
	defer f.Close()
	switch err := flock(f, unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return Alive
	case err != nil:
		return Elsewhere
	}
	os.Remove(path) //nolint:errcheck // what stays is found dead again
	return Dead
}

// flock is flock(2). The lock is the open file's, and so ends with it; on Linux it holds across hosts on NFS too.
func flock(f interface{ Fd() uintptr }, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) { //nolint:gosec // a descriptor fits an int
			return err
		}
	}
}
