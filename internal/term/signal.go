package term

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ktriage/internal/safe"
)

// Signal is the cause of a context that a signal has ended.
type Signal struct {
	Name string // "SIGTERM"
	Code int    // the exit code by the shell's convention, 128 plus the number
}

// Error says which signal it was.
func (s *Signal) Error() string { return "ended by " + s.Name }

// signals are those that end the program. In raw mode ctrl+c is a key and no signal: SIGINT then comes from elsewhere.
var signals = map[os.Signal]*Signal{
	syscall.SIGHUP:  {"SIGHUP", 129}, // the connection is gone
	syscall.SIGINT:  {"SIGINT", 130},
	syscall.SIGQUIT: {"SIGQUIT", 131},
	syscall.SIGTERM: {"SIGTERM", 143},
}

// Signals gives a context that ends with the first signal, with a *Signal as its cause. Of every further signal again is
// told: whoever sends a second one does not want to wait. Signals that we were started to ignore, as by nohup, stay
// ignored.
func Signals(parent context.Context, again func(*Signal)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	incoming := make(chan os.Signal, len(signals))
	for s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(incoming, s)
		}
	}
	done := make(chan struct{})
	safe.Go("signals", func() {
		for {
			select {
			case <-done:
				return
			case s := <-incoming:
				if ctx.Err() != nil {
					again(signals[s])
				}
				cancel(signals[s])
			}
		}
	})
	return ctx, func() {
		signal.Stop(incoming)
		close(done)
		cancel(nil)
	}
}
