package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/term"

	"ktriage/internal/termtest"
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

// session is a program in a terminal of 80x24, with a home of its own.
type session struct {
	*termtest.Pty
	t    *testing.T
	home string
}

// start runs a program whose kubeconfig names a server that is not there.
func start(t *testing.T, env []string, name string, args ...string) *session {
	t.Helper()
	home := t.TempDir()
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte(unreachable), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "KUBECONFIG=" + config, "TERM=xterm-256color", "LANG=C.UTF-8",
	}, env...)
	return &session{termtest.StartPty(t, 80, 24, env, name, args...), t, home}
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

// ends waits for the end of the program and gives all that it has written.
func (s *session) ends(code int) string {
	s.t.Helper()
	s.End(code)
	return s.Written()
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
		out := start(t, []string{"TERM=" + value}, "ktriage").ends(2)
		if !strings.Contains(out, want) || !strings.Contains(out, "ktriage snapshot nodes") || strings.Contains(out, "\x1b") {
			t.Errorf("TERM=%s: %q", value, out)
		}
	}
}

func TestScreenComesWithoutAServerAndGoesWithTheTerminalAsItWas(t *testing.T) {
	s := start(t, nil, "ktriage", "pods")
	s.Shows("prod-tokyo")
	s.Press("q")
	s.End(0)
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
			s.Shows("prod-tokyo")
			s.Signal(signal)
			s.End(code)
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
			out := s.ends(70)
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
	s.Shows("ready")
	s.Signal(syscall.SIGTERM)
	if out := s.ends(143); strings.Contains(out, "a plugin complains") {
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
	out := start(t, []string{"KUBECONFIG=" + config}, "ktriage").ends(3)
	asked, said := strings.Index(out, "the plugin asks"), strings.Index(out, "The credential plugin sh failed with exit code 4.")
	if asked < 0 || said < asked || strings.Contains(out, "\x1b") {
		t.Errorf("want the plugin's words, then ours, and no screen: %q", out)
	}
}
