package cli

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// rawScreen does to the terminal what a screen does, and gives what undoes it.
func rawScreen() (back func()) {
	before, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString("\x1b[?1049h\x1b[?25l")
	return func() {
		_, _ = os.Stdout.WriteString("\x1b[?1049l\x1b[?25h")
		_ = term.Restore(int(os.Stdin.Fd()), before)
	}
}

// session is a program that runs in a pseudo-terminal of 80x24.
type session struct {
	t           *testing.T
	cmd         *exec.Cmd
	other, tty  *os.File
	cooked      *term.State
	home        string
	mu          sync.Mutex
	screen      strings.Builder
	grown, done chan struct{}
}

// start runs a program whose kubeconfig names a server that is not there.
func start(t *testing.T, env []string, name string, args ...string) *session {
	t.Helper()
	s := &session{t: t, home: t.TempDir(), grown: make(chan struct{}, 1), done: make(chan struct{})}
	var err error
	if s.other, s.tty, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	if s.cooked, err = term.GetState(int(s.tty.Fd())); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.home, "config")
	if err := os.WriteFile(config, []byte(unreachable), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.CommandContext(t.Context(), name, args...)
	s.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "KUBECONFIG=" + config, "TERM=xterm-256color", "LANG=C.UTF-8",
	}, env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(func() { _, _ = s.tty.Close(), s.other.Close() })
	return s
}

const unreachable = `apiVersion: v1
kind: Config
current-context: prod-tokyo
clusters:
- {name: tokyo, cluster: {server: "https://127.0.0.1:1"}}
users:
- {name: alice, user: {token: secret}}
contexts:
- {name: prod-tokyo, context: {cluster: tokyo, user: alice}}
`

func (s *session) read() {
	defer close(s.done)
	buf := make([]byte, 4096)
	for {
		n, err := s.other.Read(buf)
		s.mu.Lock()
		s.screen.Write(buf[:n])
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

func (s *session) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// await waits until the program has written text.
func (s *session) await(text string) {
	s.t.Helper()
	late := time.After(20 * time.Second)
	for !strings.Contains(s.written(), text) {
		select {
		case <-s.grown:
		case <-late:
			_ = s.cmd.Process.Kill()
			s.t.Fatalf("the program has not written %q but %q", text, s.written())
		}
	}
}

// end waits for the end of the program, and checks its exit code and that the terminal is as it was before.
func (s *session) end(code int) string {
	s.t.Helper()
	err := s.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	after, err := term.GetState(int(s.tty.Fd()))
	if err != nil || *after != *s.cooked {
		s.t.Errorf("the terminal is %+v (%v), and was %+v", after, err, s.cooked)
	}
	// With the last open end the reader comes to its own, after all that was written.
	s.tty.Close()
	<-s.done
	out := s.written()
	if in, left := strings.LastIndex(out, "\x1b[?1049h"), strings.LastIndex(out, "\x1b[?1049l"); in > left {
		s.t.Errorf("the alternate screen was not left: %q", out)
	}
	if hidden, shown := strings.LastIndex(out, "\x1b[?25l"), strings.LastIndex(out, "\x1b[?25h"); hidden > shown {
		s.t.Errorf("the cursor was left hidden: %q", out)
	}
	return out
}

func (s *session) log() string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.home, ".local/state/ktriage/log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

func TestDumbTerminalIsRefused(t *testing.T) {
	for value, want := range map[string]string{"dumb": "TERM is dumb", "": "TERM is not set"} {
		out := start(t, []string{"TERM=" + value}, "ktriage").end(2)
		if !strings.Contains(out, want) || !strings.Contains(out, "ktriage snapshot nodes") || strings.Contains(out, "\x1b") {
			t.Errorf("TERM=%s: %q", value, out)
		}
	}
}

func TestScreenComesWithoutAServerAndGoesWithTheTerminalAsItWas(t *testing.T) {
	s := start(t, nil, "ktriage", "pods")
	s.await("\x1b[?1049h")
	s.await("prod-tokyo")
	if _, err := io.WriteString(s.other, "q"); err != nil {
		t.Fatal(err)
	}
	s.end(0)
	if !strings.Contains(s.log(), `"msg":"start"`) {
		t.Errorf("log = %s", s.log())
	}
}

func TestSignalsEndTheScreenWithTheirExitCodes(t *testing.T) {
	for signal, code := range map[syscall.Signal]int{
		syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGQUIT: 131, syscall.SIGTERM: 143,
	} {
		t.Run(signal.String(), func(t *testing.T) {
			s := start(t, nil, "ktriage")
			s.await("prod-tokyo")
			if err := s.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			s.end(code)
			dumped := strings.Contains(s.log(), `"msg":"SIGQUIT"`) && strings.Contains(s.log(), `"stacks":"goroutine `)
			if dumped != (signal == syscall.SIGQUIT) {
				t.Errorf("stacks in the log: %v; log:\n%s", dumped, s.log())
			}
		})
	}
}

func TestPanicIsPrintedAfterTheTerminalIsGivenBack(t *testing.T) {
	for program, goroutine := range map[string]string{"ktriage-panics": "pump", "ktriage-panics-itself": "main"} {
		t.Run(program, func(t *testing.T) {
			s := start(t, nil, program)
			out := s.end(70)
			_, after, _ := strings.Cut(out, "\x1b[?1049l")
			for _, want := range []string{
				"This is a bug: panic in goroutine \"" + goroutine + "\": boom.", ".local/state/ktriage/log", "cli.panics",
			} {
				if !strings.Contains(after, want) {
					t.Errorf("%q is missing after the alternate screen in %q", want, out)
				}
			}
			if !strings.Contains(s.log(), `"value":"boom"`) {
				t.Errorf("log = %s", s.log())
			}
		})
	}
}

func TestLastGuardEndsAScreenThatDoesNotListen(t *testing.T) {
	s := start(t, nil, "ktriage-is-deaf")
	s.await("ready")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if out := s.end(143); strings.Contains(out, "a plugin complains") {
		t.Errorf("standard error reached the screen: %q", out)
	}
	if !strings.Contains(s.log(), "a plugin complains") {
		t.Errorf("standard error is not in the log: %s", s.log())
	}
}

func TestCredentialPluginAsksBeforeTheScreenIsTaken(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	plugin := `{apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: sh,` +
		` args: [-c, "echo the plugin asks >&2; exit 4"]}`
	if err := os.WriteFile(config, []byte(strings.Replace(unreachable, "{token: secret}", "{exec: "+plugin+"}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := start(t, []string{"KUBECONFIG=" + config}, "ktriage").end(3)
	asked, said := strings.Index(out, "the plugin asks"), strings.Index(out, "The credential plugin sh failed with exit code 4.")
	if asked < 0 || said < asked || strings.Contains(out, "\x1b") {
		t.Errorf("want the plugin's words, then ours, and no screen: %q", out)
	}
}
