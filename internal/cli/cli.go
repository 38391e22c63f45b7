// Package cli is the command line. Its one rule: whatever goes wrong is said in one sentence with the next step, on
// standard error and after the terminal has been given back, and has its own exit code. It wires the other packages
// together and decides nothing about clusters or screens.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"ktriage/internal/logs"
	"ktriage/internal/safe"
	"ktriage/internal/term"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/ui"
)

// The exit codes that are not those of an error from kube or of a signal.
const (
	exitBug   = 70  // EX_SOFTWARE of sysexits.h
	exitHupUp = 129 // the terminal is gone, as after SIGHUP
)

const (
	// defaultPatience leaves time for a slow line to take the last frame.
	defaultPatience = 3 * time.Second
	// rescueLimit is how long the last guard waits for a terminal that takes no output.
	rescueLimit = 500 * time.Millisecond
)

// program is one run of the command line.
type program struct {
	in, out, err *os.File
	getenv       func(string) string
	now          func() time.Time
	show         func(context.Context, ui.Deps) error // ui.Run
	exit         func(code int)                       // os.Exit, for the last guard
	patience     time.Duration                        // how long it may take to end in order once a signal or a panic asks for it

	log      atomic.Pointer[logs.Log]
	terminal atomic.Pointer[term.Terminal]
}

// Main runs the command line and gives the exit code.
func Main(args []string) int {
	return newProgram().run(args)
}

func newProgram() *program {
	return &program{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: time.Now, show: ui.Run, exit: os.Exit, patience: defaultPatience,
	}
}

// run executes the command that args name. A panic or a signal ends its context, and the last guard ends the process if
// that is not enough.
func (p *program) run(args []string) int {
	guard := safe.NewGuard()
	defer guard.Install()()
	utilruntime.ReallyCrash = false
	utilruntime.PanicHandlers = append(utilruntime.PanicHandlers, guard.HandleCrash)

	ctx, stop := guard.Context(context.Background())
	defer stop()
	ctx, stopSignals := term.Signals(ctx, func(again *term.Signal) { p.force(again) })
	defer stopSignals()
	ended := make(chan struct{})
	defer close(ended)
	safe.Go("last guard", func() { p.lastGuard(ctx, ended) })

	return p.report(p.execute(ctx, guard, args))
}

// execute runs the command. What ended the context counts for more than what the command made of it.
func (p *program) execute(ctx context.Context, guard *safe.Guard, args []string) error {
	err := func() error {
		defer guard.Recover("main")
		return p.root(args).ExecuteContext(ctx)
	}()
	if bug := guard.First(); bug != nil {
		return bug
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// lastGuard ends the process if it does not end by itself after it has been asked to.
func (p *program) lastGuard(ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(p.patience):
		p.force(context.Cause(ctx))
	}
}

// force gives the terminal back and ends the process, whatever is still going on in it.
func (p *program) force(cause error) {
	if t := p.terminal.Load(); t != nil {
		t.Rescue(rescueLimit)
	}
	p.exit(p.report(cause))
}

// logStacks writes what every goroutine is doing to the log: SIGQUIT is what one sends to a Go program that hangs, and if
// it does hang this is after its patience has ended.
func (p *program) logStacks() {
	if l := p.log.Load(); l != nil {
		buf := make([]byte, 1<<20)
		l.Error("SIGQUIT", "stacks", string(buf[:runtime.Stack(buf, true)]))
	}
}

// complaint is an error of ours, with what to do about it.
type complaint struct {
	sentence, next string
	shown          []string // lines between them, to be looked at rather than read
	code           int
}

func (c *complaint) Error() string { return c.sentence }

func usage(next, format string, args ...any) error {
	return &complaint{sentence: fmt.Sprintf(format, args...), next: next, code: kube.ExitConfig}
}

// report says why the program ends, and gives the exit code.
func (p *program) report(err error) int {
	var (
		ours     *complaint
		state    certsState
		bug      *safe.Panic
		signal   *term.Signal
		unusable *term.Unusable
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &bug):
		p.reportBug(bug)
		return exitBug
	case errors.As(err, &signal):
		if signal.Name == "SIGQUIT" {
			p.logStacks()
		}
		return signal.Code
	case errors.Is(err, syscall.EIO) && p.terminal.Load() != nil:
		return exitHupUp
	case errors.As(err, &state):
		return int(state)
	case errors.As(err, &ours):
		return p.say(ours.sentence, ours.next, ours.code, ours.shown...)
	case errors.As(err, &unusable):
		return p.say("The screen needs a terminal: "+unusable.Reason+".",
			"For plain text use ktriage snapshot nodes, or kubectl.", kube.ExitConfig)
	}
	if l := p.log.Load(); l != nil {
		l.Error("ended", "err", err)
	}
	e := kube.Explain(err)
	return p.say(e.Sentence, e.Next, e.Code)
}

func (p *program) say(sentence, next string, code int, shown ...string) int {
	fmt.Fprintln(p.err, "ktriage: "+text.Clean(sentence))
	for _, line := range shown {
		fmt.Fprintln(p.err, "  "+text.Clean(line))
	}
	if next != "" {
		fmt.Fprintln(p.err, text.Clean(next))
	}
	return code
}

func (p *program) reportBug(bug *safe.Panic) {
	fmt.Fprintf(p.err, "ktriage: This is a bug: %v.\n", bug)
	if l := p.log.Load(); l != nil && l.Path != "" {
		l.Error("panic", "goroutine", bug.Goroutine, "value", fmt.Sprint(bug.Value), "stack", bug.Stack)
		fmt.Fprintf(p.err, "Please report it with what follows and the end of %s.\n", l.Path)
	} else {
		fmt.Fprintln(p.err, "Please report it with what follows.")
	}
	fmt.Fprintf(p.err, "\n%s", bug.Stack)
}
