package e2e

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"ktriage/internal/termtest"
)

// terminal is a real pseudo-terminal with a program in it and an emulator that shows what the program writes.
type terminal struct {
	t       *testing.T
	cmd     *exec.Cmd
	pty     *os.File
	started time.Time

	mu       sync.Mutex
	emulator *vt.Emulator
	written  []byte
	alt      time.Time // when the alternate screen came
	grown    chan struct{}
	done     chan struct{}
}

// patience is how long a condition may take to come true before a test gives up; nothing is measured with it.
const patience = 60 * time.Second

// open runs ktriage in a terminal.
func open(t *testing.T, kubeconfig string, w, h int, args ...string) *terminal {
	t.Helper()
	return openCommand(t, environment(t, kubeconfig), w, h, ktriageBin, args...)
}

func openCommand(t *testing.T, env []string, w, h int, name string, args ...string) *terminal {
	t.Helper()
	s := &terminal{
		t: t, emulator: vt.NewEmulator(w, h), grown: make(chan struct{}, 1), done: make(chan struct{}),
		cmd: exec.CommandContext(t.Context(), name, args...), started: time.Now(),
	}
	s.cmd.Env = env
	var err error
	s.pty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}) //nolint:gosec // small
	if err != nil {
		t.Fatal(err)
	}
	go s.read()
	go func() { _, _ = io.Copy(s.pty, s.emulator) }() // the terminal's answers
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.pty.Close()
		<-s.done
		_ = s.emulator.Close()
	})
	return s
}

func (s *terminal) read() {
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.pty.Read(buf)
		s.mu.Lock()
		s.written = append(s.written, buf[:n]...)
		if s.alt.IsZero() && strings.Contains(string(s.written), "\x1b[?1049h") {
			s.alt = time.Now()
		}
		_, _ = s.emulator.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.grown <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return termtest.Text(s.emulator)
}

// take gives what has been written since it was asked last.
func (s *terminal) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := string(s.written)
	s.written = nil
	return w
}

// await waits until a condition on the screen is true, and gives when it was seen first.
func (s *terminal) await(what string, holds func(screen string) bool) time.Time {
	s.t.Helper()
	late := time.After(patience)
	for !holds(s.screen()) {
		select {
		case <-s.grown:
		case <-s.done:
			s.t.Fatalf("the program has ended before %s:\n%s", what, s.screen())
		case <-late:
			s.t.Fatalf("no %s:\n%s", what, s.screen())
		}
	}
	return time.Now()
}

// shows waits for a text on the screen.
func (s *terminal) shows(text string) time.Time {
	s.t.Helper()
	return s.await(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// hides waits until a text is gone from the screen.
func (s *terminal) hides(text string) {
	s.t.Helper()
	s.await("end of "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.pty, keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *terminal) resize(w, h int) {
	s.t.Helper()
	s.mu.Lock()
	s.emulator.Resize(w, h)
	s.mu.Unlock()
	if err := pty.Setsize(s.pty, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}); err != nil { //nolint:gosec // small
		s.t.Fatal(err)
	}
}

func (s *terminal) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end of the program and checks its exit code, and that the terminal is where it was.
func (s *terminal) end(code int) {
	s.t.Helper()
	_ = s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d; the screen:\n%s", got, code, s.screen())
	}
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.emulator.IsAltScreen() {
		s.t.Error("the alternate screen was not left")
	}
}

// clean fails the test if something was written that is not ours.
func (s *terminal) clean(written string) {
	s.t.Helper()
	if foreign := termtest.Foreign(written); foreign != "" {
		s.t.Error(foreign)
	}
	for _, bad := range []string{"goroutine ", "panic:", "E1121", "W1121", "klog", "reflector", "http2:"} {
		if strings.Contains(written, bad) {
			s.t.Errorf("%q was written", bad)
		}
	}
}
