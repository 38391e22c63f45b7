// Package audit is the append-only record of what was done. Its one rule: a line is on the disk before the request that it
// tells of is sent.
//
// The log is one file of JSON lines, audit.jsonl, which all ktriage processes of one user share, perhaps on several hosts
// that share a home directory. Nothing in it is ever changed, truncated or rotated by us. Beside it, running/ has one
// locked file for each process that lives, so that the others can tell a run that goes on from one that was cut off.
package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Log is the log as one process writes and reads it. Who opens it keeps it until Close: while it is open, other processes
// see this one alive. It is safe for concurrent use.
type Log struct {
	dir, host, version string
	process            string // random, so that no other process ever has it, as one may have our PID one day
	skipped            atomic.Int64

	mu      sync.Mutex
	running *os.File // locked; nil once closed
}

// Open makes dir (0700) and its audit.jsonl (0600) where they are missing, makes sure that it can be written, and tells
// other processes that this one is alive. The host is the name of this machine, the version that of ktriage: both are
// for the lines. Errors name the path and the reason.
func Open(dir, host, version string) (*Log, error) {
	l := &Log{dir: dir, host: host, version: version, process: rand.Text()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the audit log, %s: %w", dir, reason(err))
	}
	f, err := l.open()
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("cannot write the audit log %s: %w", l.Path(), reason(err))
	}
	sweep(l.runningDir(), host)
	if l.running, err = announce(l.runningDir(), l.process, host); err != nil {
		return nil, err
	}
	return l, nil
}

// Path is the file that has the lines.
func (l *Log) Path() string { return filepath.Join(l.dir, "audit.jsonl") }

func (l *Log) runningDir() string { return filepath.Join(l.dir, "running") }

// Append writes a record as one line at the end of the log, and returns when the disk has it. It sets Process, Host, PID
// and Version, and gives the line without its newline. After an error nobody knows how much of the line is in the file:
// what it tells of must not be done. The next Append begins a new line in any case.
func (l *Log) Append(r Record) (line string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		return "", fmt.Errorf("cannot write the audit log %s: it is closed", l.Path())
	}
	r.Process, r.Host, r.PID, r.Version = l.process, l.host, os.Getpid(), l.version
	text, err := encode(r)
	if err != nil {
		return "", fmt.Errorf("cannot write the audit log %s: %w", l.Path(), err)
	}
	f, err := l.open()
	if err != nil {
		return "", err
	}
	if err := errors.Join(l.write(f, text), f.Close()); err != nil {
		return "", fmt.Errorf("cannot write the audit log %s: %w", l.Path(), reason(err))
	}
	return string(text[:len(text)-1]), nil
}

// open opens the file for one line. It is not kept open: if somebody moves or removes it, the next line is in a new one,
// and not in a file that has no name.
func (l *Log) open() (*os.File, error) {
	f, err := os.OpenFile(l.Path(), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the audit log %s: %w", l.Path(), reason(err))
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("cannot open the audit log %s: it is not a regular file", l.Path())
	}
	return f, nil
}

// file is what of an os.File a line needs.
type file interface {
	io.Writer
	io.ReaderAt
	Stat() (fs.FileInfo, error)
	Sync() error
	Fd() uintptr
}

// write appends a line and waits for the disk. Looking at the end and writing are one under the lock: the line of another
// process that tears in between would take ours with it.
func (l *Log) write(f file, line []byte) error {
	if err := flock(f, unix.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock it: %w", err)
	}
	first, torn, err := end(f)
	if err != nil {
		return err
	}
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := flock(f, unix.LOCK_UN); err != nil { // others need not wait for our disk
		return fmt.Errorf("cannot unlock it: %w", err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if first {
		return syncDir(l.dir)
	}
	return nil
}

// end reports whether a file is empty, and whether it ends in a line that has no newline, which is one that was not
// written to its end.
func end(f file) (empty, torn bool, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err == nil, false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, false, err
	}
	return false, last[0] != '\n', nil
}

// syncDir puts the name of a new file on the disk: fsync(2) of a file does not. Some file systems cannot do it for
// directories, and say EINVAL; they have it done by other means.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// Read gives the newest entries, at most limit, newest last. It reads from the end, and no more than it needs. What is not
// a line of ours, was torn by the end of a process or a full disk, or is longer than 4 MB, is skipped: see Skipped. A log
// that does not exist is empty.
func (l *Log) Read(limit int) ([]Entry, error) {
	l.skipped.Store(0)
	f, err := os.Open(l.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the audit log %s: %w", l.Path(), reason(err))
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("cannot read the audit log %s: %w", l.Path(), reason(err))
	}
	entries, skipped, err := newest(f, size, limit)
	l.skipped.Store(int64(skipped))
	if err != nil {
		return entries, fmt.Errorf("cannot read all of the audit log %s: %w", l.Path(), reason(err))
	}
	return entries, nil
}

// Skipped is how many lines the latest Read has passed over because they are not ours, torn, or too long.
func (l *Log) Skipped() int { return int(l.skipped.Load()) }

// Close tells other processes that this one has ended. Nothing can be appended afterwards, but reading goes on.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		return nil
	}
	f, name := l.running, filepath.Join(l.runningDir(), l.process)
	l.running = nil
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, reason(err))
	}
	return nil
}

// reason is an error of the file system without the operation and the path, which the message has in words.
func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		return linkErr.Err
	}
	return err
}
