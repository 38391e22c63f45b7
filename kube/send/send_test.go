package send_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ktriage/kube/send"
)

var pods = schema.GroupResource{Resource: "pods"}

func TestWhatAnErrorSaysOfARequest(t *testing.T) {
	for name, c := range map[string]struct {
		err              error
		notSettled, away bool
	}{
		"no error":               {nil, false, false},
		"nobody to connect to":   {fmt.Errorf("put: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), true, true},
		"refused":                {syscall.ECONNREFUSED, true, true},
		"broken off":             {errors.New("http2: client connection lost"), true, false},
		"too many requests":      {apierrors.NewTooManyRequests("busy", 3), false, true},
		"not available":          {apierrors.NewServiceUnavailable("starting"), true, true},
		"ran out of time":        {apierrors.NewTimeoutError("slow", 0), true, false},
		"failed inside":          {apierrors.NewInternalError(errors.New("x")), true, false},
		"forbidden":              {apierrors.NewForbidden(pods, "a", errors.New("no")), false, false},
		"conflict":               {apierrors.NewConflict(pods, "a", errors.New("changed")), false, false},
		"unknown after a search": {fmt.Errorf("%w; %w", syscall.ECONNREFUSED, send.ErrUnknown), true, false},
	} {
		if got := send.NotSettled(c.err); got != c.notSettled {
			t.Errorf("%s: not settled %t, want %t", name, got, c.notSettled)
		}
		if got := send.Away(c.err); got != c.away {
			t.Errorf("%s: away %t, want %t", name, got, c.away)
		}
	}
}
