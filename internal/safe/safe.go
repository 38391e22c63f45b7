// Package safe starts goroutines. Its one rule: the go statement of every goroutine of ours stands here, so that a panic
// in any of them ends the program in order (screen given back, panic printed, exit code 70) and not with the terminal in
// raw mode inside the alternate screen, which is how the Go runtime leaves it.
//
// Goroutines that libraries start are out of reach, but for those of Kubernetes that end in utilruntime.HandleCrash:
// they call Guard.HandleCrash.
package safe

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Panic is what a goroutine panicked with.
type Panic struct {
	Goroutine string // the name that it was started under
	Value     any
	Stack     string // of the goroutine, from where it was caught
}

// Error names the goroutine and the value, without the stack.
func (p *Panic) Error() string { return fmt.Sprintf("panic in goroutine %q: %v", p.Goroutine, p.Value) }

// Unwrap gives the value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Guard remembers the first panic and tells those who can end the program. Its zero value is not usable.
type Guard struct {
	mu    sync.Mutex
	first *Panic
	noted chan struct{} // closed by the first panic
}

// NewGuard makes a guard that has seen nothing.
func NewGuard() *Guard { return &Guard{noted: make(chan struct{})} }

// installed is the guard of Go. It is the one global of the package, and cannot be avoided: goroutines are started deep
// inside packages that know nothing of terminals, and a guard that one of them was not handed would be no guard.
var installed atomic.Pointer[Guard]

// Install makes Go report to g, and gives back what undoes it. Without an installed guard, as in tests, a panic is what
// it always is in Go.
func (g *Guard) Install() (undo func()) {
	before := installed.Swap(g)
	return func() { installed.Store(before) }
}

// Go runs fn in a goroutine under a name that a reader of a panic understands.
func Go(name string, fn func()) {
	go func() {
		if g := installed.Load(); g != nil {
			defer g.Recover(name)
		}
		fn()
	}()
}

// Recover is deferred where a panic must not pass. It does nothing if there is none.
func (g *Guard) Recover(name string) {
	if v := recover(); v != nil {
		g.note(&Panic{Goroutine: name, Value: v, Stack: string(debug.Stack())})
	}
}

// HandleCrash is for utilruntime.PanicHandlers. utilruntime.ReallyCrash must be false: otherwise the panic goes on, and
// the process is gone before the terminal can be given back.
func (g *Guard) HandleCrash(_ context.Context, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // compared as net/http and apimachinery compare it: a sentinel of panic
		return
	}
	g.note(&Panic{Goroutine: "kubernetes client", Value: v, Stack: string(debug.Stack())})
}

func (g *Guard) note(p *Panic) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = p
		close(g.noted)
	}
}

// First gives the first panic, nil if there has been none. Those that follow are usually consequences.
func (g *Guard) First() *Panic {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

// Context gives a context that ends with the first panic, which is then its cause.
func (g *Guard) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	Go("guard", func() {
		select {
		case <-ctx.Done():
		case <-g.noted:
			cancel(g.First())
		}
	})
	return ctx, func() { cancel(nil) }
}
