package logs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// TakeKubernetes sends to the log what the Kubernetes libraries would write to standard error: klog, the errors given to
// utilruntime.HandleError, and the Warning headers of servers, which rest.Config may also be given by Warnings. It sets
// those libraries' globals, so it is called once, before any client is made.
func (l *Log) TakeKubernetes() {
	klog.LogToStderr(false)
	klog.SetSlogLogger(l.Logger)
	runtime.ErrorHandlers = []runtime.ErrorHandler{
		func(_ context.Context, err error, msg string, kv ...any) {
			l.With(kv...).Error(msg, slog.Any("err", err))
		},
	}
	rest.SetDefaultWarningHandlerWithContext(l.Warnings())
}

// Warnings gives a handler that logs each warning of a server once.
func (l *Log) Warnings() rest.WarningHandlerWithContext {
	return &warnings{log: l.Logger, seen: map[string]struct{}{}}
}

// warningsKept bounds the memory that a server can take with warnings that are all different.
const warningsKept = 200

type warnings struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[string]struct{}
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext. As client-go's own handlers do, it passes
// over other codes than 299, "miscellaneous persistent warning" of RFC 7234.
func (w *warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	if code != 299 || text == "" {
		return
	}
	w.mu.Lock()
	_, again := w.seen[text]
	if !again && len(w.seen) < warningsKept {
		w.seen[text] = struct{}{}
	}
	w.mu.Unlock()
	if !again {
		w.log.WarnContext(ctx, fmt.Sprintf("the API server warns: %s", text))
	}
}
