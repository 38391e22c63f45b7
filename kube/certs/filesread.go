package certs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ktriage/kube"
)

// mostLinks is how many symbolic links are followed on the way to a file, as in Linux.
const mostLinks = 40

var (
	errNotRegular = errors.New("it is no regular file")
	errTooLong    = errors.New("it is longer than 1 MiB")
	errTooLinked  = errors.New("too many symbolic links")
)

// folder is a file system as seen from its root: that of this machine, or one that is mounted somewhere, as in a debugging
// pod of a node. Symbolic links are followed within it.
type folder string

// read gives what is in a file, if it is a regular one of 1 MiB at most: to open a FIFO or a device may wait for ever, or do
// something.
func (f folder) read(path string) ([]byte, error) {
	at, info, err := f.find(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := os.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0) // if it has become a FIFO meanwhile, do not wait
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	b, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if err == nil && len(b) > mostBytes {
		clear(b)
		return nil, errTooLong
	}
	return b, err
}

// find gives where a file really is, with every symbolic link on the way resolved as if the folder were the root.
func (f folder) find(path string) (where string, info fs.FileInfo, err error) {
	at, rest, links := "/", path, 0
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		next := filepath.Join(at, name) // of ".." in the root remains the root
		if info, err = os.Lstat(filepath.Join(string(f), next)); err != nil {
			return "", nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > mostLinks {
			return "", nil, errTooLinked
		}
		to, err := os.Readlink(filepath.Join(string(f), next))
		if err != nil {
			return "", nil, err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = to + "/" + rest
	}
	return filepath.Join(string(f), at), info, nil
}

// there reports whether a file is there, without opening it.
func (f folder) there(path string) kube.Answer {
	_, _, err := f.find(path)
	switch {
	case err == nil:
		return kube.Yes
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return kube.No
	}
	return kube.NotKnown
}

// absent reports whether a file is not there, which is nothing to speak of.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// whyNot says why a file cannot be read, without its path, which stands beside it.
func whyNot(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "permission denied: run as root to read it"
	}
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return short(err.Error())
}

// nothing makes a finding of a place in which nothing can be read. There is nothing to renew then.
func nothing(slot string, place kube.CertPlace, why string) []finding {
	place.Renew = ""
	return []finding{unseen(slot, place, why)}
}

// stored makes findings of what is stored in a place. A chain is one finding, its leaf; of a bundle every anchor is one.
// What could not be read of it is a note.
func stored(slot string, kind kube.CertKind, place kube.CertPlace, pem []byte) []finding {
	found, bad := parse(pem)
	if len(found) == 0 {
		why := "no certificate in it"
		if len(bad) > 0 {
			why += ": " + bad[0]
		}
		return nothing(slot, place, why)
	}
	if len(bad) > 0 {
		place.Note = short(fmt.Sprintf("not all of it can be read: %s", strings.Join(bad, "; ")))
		place.Severity = kube.Warning
	}
	if kind == kube.Authority {
		return bundle(slot, place, found...)
	}
	return []finding{certificate(slot, kind, place, found...)}
}
