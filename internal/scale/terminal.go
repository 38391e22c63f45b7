package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

const (
	patience = 2 * time.Minute      // until something that does not happen is an error; nothing is measured with it
	burst    = 3 * time.Millisecond // output that comes later than this after the one before is another frame
)

// terminal is the real program in a pseudo-terminal, before an emulator that shows what it writes and answers what it
// asks.
//
// Times are taken where they can be: a key's just before it is written to the terminal, and that of what the screen shows
// when the bytes that show it were read, before they were parsed.
type terminal struct {
	started time.Time
	cmd     *exec.Cmd
	master  *os.File
	ended   chan struct{}

	mu       sync.Mutex
	emulator *vt.Emulator
	watchers []watcher
	output
	last time.Time // of the output
}

// output is what the program has written so far.
type output struct{ bytes, frames int }

func (o output) since(before output) output {
	return output{o.bytes - before.bytes, o.frames - before.frames}
}

// watcher looks at the screen each time that something was written, with the time at which it was read. It is asked no
// more when it says that it is done.
type watcher func(time.Time, screen) (done bool)

// startTerminal starts the program in a terminal of w x h cells; it is killed when ctx ends.
func startTerminal(ctx context.Context, w, h int, env []string, program string, args ...string) (*terminal, error) {
	t := &terminal{cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{}), emulator: vt.NewEmulator(w, h)}
	t.cmd.Env = slices.Concat(env, []string{"TERM=xterm-256color", "LANG=C.UTF-8"})
	var err error
	t.started = time.Now()
	if t.master, err = pty.StartWithSize(t.cmd, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)}); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go t.read()
	go func() { _, _ = io.Copy(t.master, t.emulator) }() // the terminal's answers
	return t, nil
}

func (t *terminal) read() {
	defer close(t.ended)
	buf := make([]byte, 64<<10)
	for {
		n, err := t.master.Read(buf)
		now := time.Now()
		t.mu.Lock()
		t.bytes += n
		if n > 0 && now.Sub(t.last) >= burst {
			t.frames++
		}
		t.last = now
		_, _ = t.emulator.Write(buf[:n])
		t.look(now)
		t.mu.Unlock()
		if err != nil { // EIO: the program has ended
			return
		}
	}
}

// look asks the watchers.
func (t *terminal) look(now time.Time) {
	t.watchers = slices.DeleteFunc(t.watchers, func(w watcher) bool { return w(now, screen{t.emulator}) })
}

// watch adds a watcher, which looks at once. After stop it looks no more.
func (t *terminal) watch(w watcher) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stopped := false
	if !w(time.Now(), screen{t.emulator}) {
		t.watchers = append(t.watchers, func(now time.Time, s screen) bool { return stopped || w(now, s) })
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		stopped = true
	}
}

// press sends keys, and gives when.
func (t *terminal) press(keys string) (time.Time, error) {
	now := time.Now()
	if _, err := io.WriteString(t.master, keys); err != nil {
		return now, fmt.Errorf("press %q: %w", keys, err)
	}
	return now, nil
}

var errNotShown = errors.New("it is not on the screen")

// await waits until a condition on the screen is true, and gives when the bytes came that made it true; the time of the
// call, if it is true already.
func (t *terminal) await(what string, holds func(screen) bool) (time.Time, error) {
	return t.expect(what, holds)()
}

// expect is await in two parts: what it gives waits for what has been looked for since.
func (t *terminal) expect(what string, holds func(screen) bool) func() (time.Time, error) {
	seen := make(chan time.Time, 1)
	t.watch(func(now time.Time, s screen) bool {
		if !holds(s) {
			return false
		}
		seen <- now
		return true
	})
	return func() (time.Time, error) {
		select {
		case at := <-seen:
			return at, nil
		case <-t.ended:
			return time.Time{}, fmt.Errorf("wait for %s: the program has ended:\n%s", what, t.text())
		case <-time.After(patience):
			return time.Time{}, fmt.Errorf("wait for %s: %w:\n%s", what, errNotShown, t.text())
		}
	}
}

// react presses keys, and gives how long it takes until a condition is true that is not true before.
func (t *terminal) react(keys, what string, holds func(screen) bool) (time.Duration, error) {
	pressed, err := t.press(keys)
	if err != nil {
		return 0, err
	}
	shown, err := t.await(what, holds)
	return shown.Sub(pressed), err
}

// show gives something that is read from the screen.
func show[T any](t *terminal, read func(screen) T) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	return read(screen{t.emulator})
}

func (t *terminal) text() string { return show(t, screen.text) }

// written gives what has been written so far.
func (t *terminal) written() output {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.output
}

func (t *terminal) pid() int { return t.cmd.Process.Pid }

// kill ends the program after something else has gone wrong.
func (t *terminal) kill() error {
	if err := t.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", t.cmd.Path, err)
	}
	_ = t.cmd.Wait() // it says that it was killed
	t.close()
	return nil
}

// close ends what reads from the terminal and answers for it.
func (t *terminal) close() {
	_ = t.master.Close()
	<-t.ended
	_ = t.emulator.InputPipe().(io.Closer).Close() // Emulator.Close would race with its own Read
}

// end quits the program, and says if that went wrong.
func (t *terminal) end() error {
	if _, err := t.press("\x03"); err != nil {
		return err
	}
	select {
	case <-t.ended:
	case <-time.After(patience):
		_ = t.cmd.Process.Kill()
	}
	err := t.cmd.Wait()
	t.close()
	if err != nil {
		return fmt.Errorf("end %s: %w", t.cmd.Path, err)
	}
	return nil
}
