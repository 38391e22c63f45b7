package renew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	// issueLimit is how long an issuance is followed: that by ACME may take minutes. issueLate is when it is said that nobody
	// seems to be at work, and datesLimit how long the new dates are waited for, which another controller of cert-manager writes.
	issueLimit, issueLate, datesLimit = 30 * time.Minute, time.Minute, 30 * time.Second
	issuePace                         = 2 * time.Second
)

// Run implements action.Work.
func (w *issuance) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &attempt{issuance: w, progress: p, step: action.Step{Object: w.ref, Since: time.Now()}}
	p.Step(r.step)
	if !p.Go(ctx) {
		r.turn(action.StepLeft, "")
		return action.Result{State: action.Cancelled, Summary: "nothing was sent"}
	}
	r.turn(action.StepAsking, "")
	if err := w.trigger(ctx, c); err != nil {
		r.failed(ctx, err)
	} else {
		r.follow(ctx, c)
	}
	out := action.Result{State: action.EndState([]action.Step{r.step}), Summary: r.step.Note}
	if r.step.State == action.StepAccepted && ctx.Err() != nil {
		out.State = action.Cancelled
	}
	return out
}

// attempt is an issuance under way.
type attempt struct {
	*issuance
	progress *action.Progress
	step     action.Step
	issued   time.Time // when the new revision was first seen
}

func (r *attempt) turn(state action.StepState, note string, why ...string) {
	s := &r.step
	if s.State != state {
		s.Since = time.Now()
	}
	s.State, s.Note, s.Why = state, note, why
	r.progress.Step(*s)
	done := 0
	if state.Ended() {
		done = 1
	}
	r.progress.Say(note, action.Tally{Done: done, Of: 1})
}

// failed says why cert-manager was not told.
func (r *attempt) failed(ctx context.Context, err error) {
	said := kube.Explain(err)
	switch {
	case errors.Is(err, send.ErrUnknown):
		r.turn(action.StepUnknown, "no answer; it is not known whether cert-manager was told", said.Sentence)
	case errors.Is(err, send.ErrReplaced):
		r.turn(action.StepFailed, "another Certificate has the name now; nothing was done")
	case apierrors.IsNotFound(err):
		r.turn(action.StepFailed, "does not exist any more; nothing was done")
	case errors.Is(err, errChanged):
		r.turn(action.StepFailed, strings.TrimPrefix(words(err.Error()), words(r.ref.FullName())+" "), "Make the plan anew.")
	case ctx.Err() != nil && send.NotSettled(err):
		r.turn(action.StepLeft, "nothing was sent")
	default:
		r.turn(action.StepFailed, said.Sentence, said.Sentence, said.Next)
	}
}

// follow looks until cert-manager has issued, or has failed.
func (r *attempt) follow(ctx context.Context, c *kube.Cluster) {
	from := time.Now()
	r.step.Follows = true // what it was told cannot be left out any more
	r.turn(action.StepProgressing, "cert-manager is told; waits for it")
	for ctx.Err() == nil && time.Since(from) < issueLimit {
		r.look(ctx, c, time.Since(from))
		if r.step.State.Ended() {
			return
		}
		again := time.NewTimer(issuePace)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
	r.turn(action.StepAccepted, "cert-manager was told; not issued while it was followed", r.step.Why...)
}

// look looks once how far cert-manager is.
func (r *attempt) look(ctx context.Context, c *kube.Cluster, waited time.Duration) {
	now, err := read(ctx, c, r.ref)
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, send.ErrReplaced):
		r.turn(action.StepAccepted, "cert-manager was told; the Certificate is gone since")
		return
	case err != nil:
		if ctx.Err() == nil {
			r.turn(action.StepProgressing, r.step.Note, kube.Explain(err).Sentence)
		}
		return
	}
	is, says := now.condition(issuing)
	switch before := &r.before.Status; {
	case !is && now.Status.Revision != before.Revision:
		r.dates(now)
	case !is && (now.Status.Failed > before.Failed || now.Status.LastFailed.After(before.LastFailed)):
		r.turn(action.StepFailed, "not issued: "+orElse(says, "cert-manager says nothing of it"), r.askMore())
	case !is:
		r.turn(action.StepFailed, "cert-manager has taken the condition away and issued nothing", r.askMore())
	case waited >= issueLate && says == triggered+": "+triggeredMessage:
		r.turn(action.StepProgressing, "waits for cert-manager", "Nobody has taken it up: look whether cert-manager runs.", r.askMore())
	default:
		r.turn(action.StepProgressing, "issuing: "+says)
	}
}

func (r *attempt) askMore() string {
	return fmt.Sprintf("More is in: cmctl status certificate %s -n %s", words(r.ref.Name), words(r.ref.Namespace))
}

// dates ends the step once the new dates are known, or have been waited for long enough.
func (r *attempt) dates(now *certificate) {
	if r.issued.IsZero() {
		r.issued = time.Now()
	}
	revision := fmt.Sprintf("issued, revision %d", now.Status.Revision)
	switch {
	case !now.Status.NotAfter.Equal(r.before.Status.NotAfter):
		r.turn(action.StepDone, fmt.Sprintf("%s, valid until %s (%s)", revision, moment(now.Status.NotAfter), left(time.Now(), now.Status.NotAfter)))
	case time.Since(r.issued) >= datesLimit:
		r.turn(action.StepDone, revision+"; its dates are as before")
	default:
		r.turn(action.StepProgressing, revision+"; waits for its dates")
	}
}
