// Package send holds what all requests that change something have in common. Its one rule: such a request is sent once,
// carries what names its object for good, and has come to one of three ends: done, not done, or unknown.
package send

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

const (
	// Limit bounds one request. It is sent along, and the server keeps it too (WithRequestDeadline in
	// k8s.io/apiserver/pkg/endpoints/filters).
	Limit = 30 * time.Second
	// FieldManager is whom the server notes as having changed a field.
	FieldManager = "ktriage"

	// askAgain is the distance between two questions about an outcome that is not known.
	askAgain = 2 * time.Second
	// tooLate is how long after it was sent the server can still do what was asked.
	tooLate = Limit + 2*time.Second
	// findOut is how long an outcome is asked for before it is called unknown.
	findOut = tooLate + 15*time.Second
)

// ErrReplaced says that another object has the name now. Nothing was changed.
var ErrReplaced = errors.New("was replaced by another object of the same name")

// ErrUnknown says that the request was sent, and that it could not be found out whether it has changed anything.
var ErrUnknown = errors.New("it is not known whether the server has done it")

// Once makes a request one that is sent once and has a limit: client-go on its own repeats it up to ten times, in silence,
// when the server answers 429 or 5xx.
func Once(r *rest.Request) *rest.Request { return r.MaxRetries(0).Timeout(Limit) }

// NotSettled reports whether the server may have done what was asked although there is no good answer: none at all, or one
// that says that it ran out of time, or failed on the way.
func NotSettled(err error) bool {
	var status apierrors.APIStatus
	return err != nil && (!errors.As(err, &status) || status.Status().Code >= 500)
}

// Away reports whether the server has not taken a request: nobody was there to send it to, or it takes none for now (429, 503).
// The request can be sent again. What may have been done all the same is ErrUnknown, and not that.
func Away(err error) bool {
	return err != nil && !errors.Is(err, ErrUnknown) &&
		(neverSent(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err))
}

// Settle finds out what has become of a request without a good answer, sent then, which has failed so. look reads the
// object, and says whether it is as it was to become; an error of it that names an end (ErrReplaced, not found) ends the
// search and is given back.
//
// That it has not been done is believed only when it cannot be done any more: until then the request may still be on its
// way; failed is given back then. One that was never sent has done nothing. What cannot be found out is ErrUnknown.
func Settle(ctx context.Context, sent time.Time, failed error, look func(context.Context) (done bool, err error)) (done bool, err error) {
	if neverSent(failed) {
		return false, failed
	}
	certain := sent.Add(tooLate)
	if answered(failed) {
		certain = time.Now()
	}
	limit, stop := context.WithDeadline(ctx, sent.Add(findOut))
	defer stop()
	for {
		done, err := look(limit)
		switch {
		case errors.Is(err, ErrReplaced), apierrors.IsNotFound(err):
			return false, err
		case err == nil && done:
			return true, nil
		case err == nil && time.Now().After(certain):
			return false, failed
		}
		again := time.NewTimer(askAgain)
		select {
		case <-again.C:
		case <-limit.Done():
			again.Stop()
			return false, fmt.Errorf("%w; %w", failed, ErrUnknown)
		}
	}
}

// answered reports whether the server has come to an end with a request that has failed. A timeout is no end.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code != http.StatusGatewayTimeout
}

// neverSent reports whether there was nobody to send a request to.
func neverSent(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}
