package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ktriage/internal/safe"
	"ktriage/ui"
)

// TestMain makes the test binary the programs that scripts and terminals run: the real one, and some whose screens go
// wrong.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ktriage":               func() { os.Exit(Main(os.Args[1:])) },
		"ktriage-panics":        func() { os.Exit(with(panics).run(os.Args[1:])) },
		"ktriage-panics-itself": func() { os.Exit(with(panicsItself).run(os.Args[1:])) },
		"ktriage-is-deaf":       func() { os.Exit(with(deaf).run(os.Args[1:])) },
	})
}

func with(show func(context.Context, ui.Deps) error) *program {
	p := newProgram()
	p.show, p.patience = show, 10*time.Millisecond
	return p
}

// panics is a screen one of whose goroutines panics.
func panics(ctx context.Context, _ ui.Deps) error {
	back := rawScreen()
	defer back()
	safe.Go("pump", func() { panic("boom") })
	<-ctx.Done()
	return context.Cause(ctx)
}

// panicsItself is a screen that panics where nobody catches it.
func panicsItself(context.Context, ui.Deps) error {
	rawScreen()
	panic("boom")
}

// deaf is a screen that never ends by itself.
func deaf(context.Context, ui.Deps) error {
	rawScreen()
	_, _ = os.Stderr.WriteString("a plugin complains\n")
	_, _ = os.Stdout.WriteString("ready")
	select {}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("TERM", "xterm-256color")
			return os.Mkdir(e.WorkDir+"/home", 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is the script command "exits CODE PROGRAM ARG...": exec, and a look at the exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], code, want)
	}
}
