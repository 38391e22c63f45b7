package term_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	xterm "golang.org/x/term"

	"ktriage/internal/term"
)

func env(pairs ...string) func(string) string {
	return func(k string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == k {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// open gives both ends of a pseudo-terminal of 80x24.
func open(t *testing.T) (other, tty *os.File) {
	t.Helper()
	other, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = other.Close(), tty.Close() })
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	return other, tty
}

func TestTerminalsThatCannotBeUsedAreRefusedWithTheReason(t *testing.T) {
	_, tty := open(t)
	_, unsized, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer unsized.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	for name, c := range map[string]struct {
		in, out *os.File
		term    string
		want    string // "" if it can be used
	}{
		"usable":    {tty, tty, "xterm-256color", ""},
		"input":     {file, tty, "xterm", "standard input is not a terminal"},
		"output":    {tty, file, "xterm", "standard output is not a terminal"},
		"no TERM":   {tty, tty, "", "TERM is not set"},
		"dumb":      {tty, tty, "dumb", "TERM is dumb"},
		"no size":   {unsized, unsized, "xterm", "does not say how large"},
		"both":      {file, file, "dumb", "standard input is not a terminal"},
		"vt100 too": {tty, tty, "vt100", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := term.Open(c.in, c.out, env("TERM", c.term))
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var u *term.Unusable
			if !errors.As(err, &u) || !strings.Contains(u.Reason, c.want) {
				t.Errorf("err = %v, want an Unusable: %q", err, c.want)
			}
		})
	}
}

func TestStandardErrorGoesToTheLogWhileTheTerminalIsTaken(t *testing.T) {
	_, tty := open(t)
	terminal, err := term.Open(tty, tty, env("TERM", "xterm"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	before := identity(t, os.Stderr)
	if err := terminal.Take(log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Release() })
	_, wrote := io.WriteString(os.Stderr, "a plugin complains\n")
	during, second := identity(t, os.Stderr), terminal.Take(log)
	if err := terminal.Release(); err != nil {
		t.Fatal(err)
	}

	if during != identity(t, log) {
		t.Error("standard error was not the log while the terminal was taken")
	}
	if second == nil {
		t.Error("a terminal was taken twice")
	}
	if got, err := os.ReadFile(log.Name()); err != nil || wrote != nil || string(got) != "a plugin complains\n" {
		t.Errorf("log = %q, %v, %v", got, err, wrote)
	}
	if identity(t, os.Stderr) != before {
		t.Error("standard error is not what it was")
	}
	if err := terminal.Release(); err != nil {
		t.Errorf("a second release: %v", err)
	}
}

func TestWithoutALogStandardErrorGoesNowhere(t *testing.T) {
	_, tty := open(t)
	terminal, err := term.Open(tty, tty, env("TERM", "xterm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Take(nil); err != nil {
		t.Fatal(err)
	}
	during := identity(t, os.Stderr)
	if err := terminal.Release(); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if during != identity(t, null) {
		t.Error("standard error was not the null device")
	}
}

// identity names what is behind a file.
func identity(t *testing.T, f *os.File) [3]uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return [3]uint64{uint64(st.Dev), st.Ino, uint64(st.Rdev)} //nolint:unconvert // the types differ between systems
}

func TestRescueGivesACookedTerminalOutsideTheAlternateScreen(t *testing.T) {
	other, tty := open(t)
	terminal, err := term.Open(tty, tty, env("TERM", "xterm"))
	if err != nil {
		t.Fatal(err)
	}
	cooked, err := xterm.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Take(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := xterm.MakeRaw(int(tty.Fd())); err != nil {
		t.Fatal(err)
	}
	terminal.Rescue(time.Minute)

	after, err := xterm.GetState(int(tty.Fd()))
	if err != nil || *after != *cooked {
		t.Errorf("termios = %+v, %v; want it as before: %+v", after, err, cooked)
	}
	got := readUntil(t, other, "\x1b[?25h")
	for _, want := range []string{"\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[>4m", "\x1b[<u"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from %q", want, got)
		}
	}
	if strings.Index(got, "\x1b[<u") > strings.Index(got, "\x1b[?1049l") {
		t.Error("the keyboard of the alternate screen is reset after leaving it")
	}
	if terminal.Taken() {
		t.Error("the terminal is still taken")
	}
}

func readUntil(t *testing.T, r io.Reader, end string) string {
	t.Helper()
	var got []byte
	buf := make([]byte, 256)
	for !strings.Contains(string(got), end) {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	return string(got)
}

func TestRescueDoesNotWaitForATerminalThatTakesNoOutput(t *testing.T) {
	_, tty := open(t)
	terminal, err := term.Open(tty, tty, env("TERM", "xterm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Take(nil); err != nil {
		t.Fatal(err)
	}
	fill(t, int(tty.Fd()))
	terminal.Rescue(time.Millisecond)
	if terminal.Taken() {
		t.Error("the terminal is still taken")
	}
}

// fill writes to a terminal whose other side nobody reads, until it takes no more.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	var err error
	for chunk := make([]byte, 1024); err == nil; {
		_, err = syscall.Write(fd, chunk)
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

func TestSignalEndsTheContextWithItsExitCode(t *testing.T) {
	for s, want := range map[syscall.Signal]term.Signal{
		syscall.SIGHUP:  {Name: "SIGHUP", Code: 129},
		syscall.SIGINT:  {Name: "SIGINT", Code: 130},
		syscall.SIGQUIT: {Name: "SIGQUIT", Code: 131},
		syscall.SIGTERM: {Name: "SIGTERM", Code: 143},
	} {
		t.Run(want.Name, func(t *testing.T) {
			caught := make(chan os.Signal, 2) // undoes what nohup or a script may have had us ignore
			signal.Notify(caught, s)
			defer signal.Stop(caught)
			again := make(chan *term.Signal, 1)
			ctx, stop := term.Signals(t.Context(), func(s *term.Signal) { again <- s })
			defer stop()
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
			var got *term.Signal
			if !errors.As(context.Cause(ctx), &got) || *got != want {
				t.Errorf("cause = %v, want %v", context.Cause(ctx), want)
			}
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if second := <-again; second.Name != "SIGTERM" {
				t.Errorf("second signal = %v, want SIGTERM", second)
			}
		})
	}
}

func TestLocale(t *testing.T) {
	for name, c := range map[string]struct {
		getenv func(string) string
		want   bool
	}{
		"nothing set is C":        {env(), false},
		"LANG":                    {env("LANG", "en_US.UTF-8"), true},
		"glibc's own spelling":    {env("LANG", "C.utf8"), true},
		"modifier":                {env("LANG", "ca_ES.utf8@valencia"), true},
		"another set":             {env("LANG", "ja_JP.eucJP"), false},
		"LC_ALL wins":             {env("LC_ALL", "C", "LC_CTYPE", "en_US.UTF-8", "LANG", "en_US.UTF-8"), false},
		"LC_CTYPE before LANG":    {env("LC_CTYPE", "UTF-8", "LANG", "C"), true},
		"empty counts as not set": {env("LC_ALL", "", "LANG", "de_DE.UTF-8"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := term.UTF8(c.getenv); got != c.want {
				t.Errorf("UTF8 = %v, want %v", got, c.want)
			}
		})
	}
}
