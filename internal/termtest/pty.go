package termtest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/term"
)

// Pty is a real pseudo-terminal with a program in it, in real time, and an emulator that shows what the program writes
// and answers its questions.
type Pty struct {
	Started time.Time // when the program was started
	Process *os.Process

	t      testing.TB
	cmd    *exec.Cmd
	master *os.File
	cooked *term.State // of the terminal before the program
	grown  chan struct{}
	done   chan struct{}

	mu       sync.Mutex
	emulator *vt.Emulator
	written  []byte
}

// patience is how long a condition may take to come true before a test gives up; nothing is measured with it.
const patience = 60 * time.Second

// StartPty runs a program in a terminal of w x h cells, until the end of the test at the latest.
func StartPty(t testing.TB, w, h int, env []string, name string, args ...string) *Pty {
	t.Helper()
	p := &Pty{
		t: t, emulator: vt.NewEmulator(w, h), grown: make(chan struct{}, 1), done: make(chan struct{}),
		cmd: exec.CommandContext(t.Context(), name, args...),
	}
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	p.master = master
	p.setSize(w, h)
	if p.cooked, err = term.GetState(int(master.Fd())); err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = env
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.Started = time.Now()
	if err := startWithOwnSignals(p.cmd); err != nil {
		t.Fatal(err)
	}
	p.Process = p.cmd.Process
	go p.read()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(master, p.emulator)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = master.Close()
		<-p.done
		_ = p.emulator.InputPipe().(io.Closer).Close() // Emulator.Close would race with its own Read
		<-answered
	})
	return p
}

// startWithOwnSignals starts a program with the signals of a program in a terminal, even if the tests were started to
// ignore some, as by nohup or as a background job of a script: Go hands on to a child what is ignored, but not what is
// caught.
func startWithOwnSignals(cmd *exec.Cmd) error {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(caught)
	return cmd.Start()
}

func (p *Pty) read() {
	defer close(p.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.written = append(p.written, buf[:n]...)
		_, _ = p.emulator.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.grown <- struct{}{}:
		default:
		}
		if err != nil { // EIO: nobody has the terminal open any more
			return
		}
	}
}

// Screen gives the lines that the terminal shows.
func (p *Pty) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Text(p.emulator)
}

// Written takes what has been written since it was asked last.
func (p *Pty) Written() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := string(p.written)
	p.written = nil
	return w
}

// Await waits until a condition on the screen is true, and gives when it was seen first.
func (p *Pty) Await(what string, holds func(screen string) bool) time.Time {
	p.t.Helper()
	late := time.After(patience)
	for !holds(p.Screen()) {
		select {
		case <-p.grown:
		case <-p.done:
			if holds(p.Screen()) {
				return time.Now()
			}
			p.t.Fatalf("the program has ended before %s:\n%s", what, p.Screen())
		case <-late:
			p.t.Fatalf("no %s:\n%s", what, p.Screen())
		}
	}
	return time.Now()
}

// Shows waits for a text on the screen, and gives when it was seen first.
func (p *Pty) Shows(text string) time.Time {
	p.t.Helper()
	return p.Await(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// Hides waits until a text is gone from the screen.
func (p *Pty) Hides(text string) {
	p.t.Helper()
	p.Await("end of "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

// Press sends bytes as the keyboard does.
func (p *Pty) Press(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.master, keys); err != nil {
		p.t.Fatal(err)
	}
}

// Resize changes the size of the terminal, which the program is told of by SIGWINCH.
func (p *Pty) Resize(w, h int) {
	p.t.Helper()
	p.mu.Lock()
	p.emulator.Resize(w, h)
	p.mu.Unlock()
	p.setSize(w, h)
}

func (p *Pty) setSize(w, h int) {
	p.t.Helper()
	size := &pty.Winsize{Rows: uint16(h), Cols: uint16(w)} //nolint:gosec // a screen has a few hundred cells at most
	if err := pty.Setsize(p.master, size); err != nil {
		p.t.Fatal(err)
	}
}

// Signal sends a signal to the program.
func (p *Pty) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// End waits for the end of the program and checks its exit code, and that the terminal is as it was: its modes, the main
// screen, a cursor that can be seen.
func (p *Pty) End(code int) {
	p.t.Helper()
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	<-p.done
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d; the screen:\n%s", got, code, p.Screen())
	}
	after, err := term.GetState(int(p.master.Fd()))
	if err != nil || *after != *p.cooked {
		p.t.Errorf("the terminal is %+v (%v), and was %+v", after, err, p.cooked)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.emulator.IsAltScreen() {
		p.t.Error("the alternate screen was not left")
	}
	out := string(p.written)
	if hidden, shown := strings.LastIndex(out, "\x1b[?25l"), strings.LastIndex(out, "\x1b[?25h"); hidden > shown {
		p.t.Error("the cursor was left hidden")
	}
}
