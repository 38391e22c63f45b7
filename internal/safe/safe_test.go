package safe_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/util/runtime"

	"ktriage/internal/safe"
)

func TestPanicInGoroutineEndsTheContextWithThePanicAsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := safe.NewGuard()
		defer g.Install()()
		ctx, stop := g.Context(t.Context())
		defer stop()

		safe.Go("harmless", func() {})
		synctest.Wait()
		if err := context.Cause(ctx); err != nil {
			t.Fatalf("the context ended before any panic: %v", err)
		}

		safe.Go("pump", func() { blowUp() })
		<-ctx.Done()

		var p *safe.Panic
		if !errors.As(context.Cause(ctx), &p) {
			t.Fatalf("cause = %v, want a *safe.Panic", context.Cause(ctx))
		}
		if p.Goroutine != "pump" || p.Value != "boom" {
			t.Errorf("panic = %q in %q, want boom in pump", p.Value, p.Goroutine)
		}
		if !strings.Contains(p.Stack, "blowUp") {
			t.Errorf("the stack does not name the function that panicked:\n%s", p.Stack)
		}
		if g.First() != p {
			t.Errorf("first = %v, want the panic", g.First())
		}
	})
}

//go:noinline
func blowUp() { panic("boom") }

func TestOnlyTheFirstPanicIsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := safe.NewGuard()
		defer g.Install()()
		safe.Go("first", func() { panic(io.ErrUnexpectedEOF) })
		synctest.Wait()
		safe.Go("second", func() { panic("later") })
		synctest.Wait()
		if !errors.Is(g.First(), io.ErrUnexpectedEOF) {
			t.Errorf("first = %v, want the error that was panicked with", g.First())
		}
	})
}

func TestKubernetesPanicIsCaughtUnlessItIsAnAbortedHandler(t *testing.T) {
	g := safe.NewGuard()
	handlers, really := runtime.PanicHandlers, runtime.ReallyCrash
	defer func() { runtime.PanicHandlers, runtime.ReallyCrash = handlers, really }()
	runtime.PanicHandlers, runtime.ReallyCrash = []func(context.Context, any){g.HandleCrash}, false

	crash := func(v any) {
		defer runtime.HandleCrashWithContext(t.Context())
		panic(v)
	}
	crash(http.ErrAbortHandler)
	if g.First() != nil {
		t.Fatalf("an aborted handler counts as a panic: %v", g.First())
	}
	crash("in a reflector")
	if g.First() == nil || g.First().Value != "in a reflector" {
		t.Errorf("first = %v, want the panic of the reflector", g.First())
	}
}

func TestPanicWithoutGuardCrashesAsUsual(t *testing.T) {
	if os.Getenv("SAFE_TEST_CRASH") != "" {
		safe.Go("unguarded", func() { panic("loud") })
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SAFE_TEST_CRASH=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(out), "panic: loud") {
		t.Errorf("err = %v, output:\n%s\nwant a crash with the panic", err, out)
	}
}
