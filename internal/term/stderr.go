package term

import "golang.org/x/sys/unix"

// stderr is the file descriptor that the Go runtime, C libraries and child processes call standard error.
const stderr = 2

// redirect makes fd another name of what to is, and gives a descriptor for what it was. Child processes do not inherit
// that one.
func redirect(to, fd int) (was int, err error) {
	was, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, err
	}
	if err := unix.Dup2(to, fd); err != nil {
		_ = unix.Close(was)
		return 0, err
	}
	return was, nil
}

// restore undoes redirect.
func restore(was, fd int) error {
	if err := unix.Dup2(was, fd); err != nil {
		return err
	}
	return unix.Close(was)
}
