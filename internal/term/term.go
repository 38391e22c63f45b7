// Package term owns the terminal that the program was started in. Its one rule: whatever happens between Take and the end
// of the process, the shell gets its terminal back as it was. What is drawn on it is not its business.
package term

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"

	"ktriage/internal/safe"
)

// Unusable says why a full-screen program cannot run here.
type Unusable struct{ Reason string }

// Error gives the reason as a sentence without a full stop.
func (u *Unusable) Error() string { return u.Reason }

// Terminal is the terminal behind standard input and output.
type Terminal struct {
	in, out *os.File

	mu     sync.Mutex
	before *xterm.State // termios at Take, nil while not taken
	stderr int          // a duplicate of file descriptor 2 as it was at Take
}

// Open looks whether a full-screen program can run on in and out, and changes nothing. getenv is os.Getenv. The error is
// an Unusable if it cannot. A terminal that is too small is not refused: it can be made larger while the program runs.
func Open(in, out *os.File, getenv func(string) string) (*Terminal, error) {
	for _, f := range []struct {
		file *os.File
		name string
	}{{in, "standard input"}, {out, "standard output"}} {
		if !xterm.IsTerminal(int(f.file.Fd())) {
			return nil, &Unusable{f.name + " is not a terminal"}
		}
	}
	switch name := getenv("TERM"); name {
	case "":
		return nil, &Unusable{"TERM is not set, so the kind of the terminal is not known"}
	case "dumb":
		return nil, &Unusable{"TERM is dumb: a terminal that cannot place text on the screen"}
	}
	if w, h, err := xterm.GetSize(int(out.Fd())); err != nil || w <= 0 || h <= 0 {
		return nil, &Unusable{"the terminal does not say how large it is"}
	}
	return &Terminal{in: in, out: out}, nil
}

// Take remembers the state of the terminal and sends file descriptor 2 to log, or nowhere if log is nil: credential
// plugins, libraries and the Go runtime would otherwise write into the screen. os.Stderr is that descriptor and so needs
// no change of its own, and neither do clients that have kept it.
func (t *Terminal) Take(log *os.File) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before != nil {
		return errors.New("the terminal is already taken")
	}
	before, err := xterm.GetState(int(t.in.Fd()))
	if err != nil {
		return fmt.Errorf("read the state of the terminal: %w", err)
	}
	if log == nil {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("put standard error away: %w", err)
		}
		defer null.Close()
		log = null
	}
	if t.stderr, err = redirect(int(log.Fd()), stderr); err != nil {
		return fmt.Errorf("put standard error away: %w", err)
	}
	t.before = before
	return nil
}

// Release gives back what Take took. The alternate screen and the modes of the keyboard are for who set them to undo;
// Release makes sure only of the termios. Without a Take before it, it does nothing.
func (t *Terminal) Release() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before == nil {
		return nil
	}
	before := t.before
	t.before = nil
	return errors.Join(restore(t.stderr, stderr), xterm.Restore(int(t.in.Fd()), before))
}

// Taken reports whether the terminal is ours at the moment.
func (t *Terminal) Taken() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.before != nil
}

// reset undoes whatever a full-screen program may have asked of a terminal: synchronised output, colours, the scroll
// region, focus reports, the mouse, bracketed paste, notices of light and dark, the modes of the keyboard, the alternate
// screen, the hidden cursor. A terminal passes over what it does not know.
var reset = strings.Join([]string{
	"\x1b[?2026l", "\x1b[0m", "\x1b[r", "\x1b[?1004l",
	"\x1b[?1000l", "\x1b[?1002l", "\x1b[?1003l", "\x1b[?1006l",
	"\x1b[?2004l", "\x1b[?2031l", "\x1b[>4m", "\x1b[<u", "\x1b[?1049l", "\x1b[?25h",
}, "")

// Rescue is the last guard: it gives the terminal back when the program that drew on it cannot do so any more. A
// terminal that takes no output is left after limit. It does nothing if the terminal is not ours.
func (t *Terminal) Rescue(limit time.Duration) {
	if !t.Taken() {
		return
	}
	_ = t.Release() // termios first: that never waits for the other side
	written := make(chan struct{})
	safe.Go("terminal reset", func() {
		_, _ = t.out.WriteString(reset)
		close(written)
	})
	select {
	case <-written:
	case <-time.After(limit):
	}
}
