package csr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	// signLimit is how long a certificate is waited for. The signers of Kubernetes take less than a second.
	signLimit = 10 * time.Minute
	// signLate is when it is said that somebody should have signed by now.
	signLate = 30 * time.Second
	// lookSoon and lookLater are the distances of two looks at a request, before signLate and after it.
	lookSoon, lookLater = time.Second, 5 * time.Second
)

// work carries a plan out: one request of ours for each, one after the other, and then it looks whether they are signed.
type work struct {
	approve bool
	why     string // in the message of the condition
	aims    []aim
}

func (w *work) verb() string {
	if w.approve {
		return action.Approve.Verb()
	}
	return action.Deny.Verb()
}

func (w *work) done() string {
	if w.approve {
		return "approved"
	}
	return "denied"
}

// Run implements action.Work. One that fails does not keep the others from being tried.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &run{
		work: w, cluster: c, progress: p, began: time.Now(),
		steps: make([]action.Step, len(w.aims)), others: make([]string, len(w.aims)),
	}
	for i, a := range w.aims {
		r.steps[i] = action.Step{Object: a.ref, Since: r.began, Place: i}
		p.Step(r.steps[i])
	}
	for i := range w.aims {
		r.one(ctx, i)
	}
	if w.approve {
		r.follow(ctx)
	}
	return r.result(ctx)
}

// run is a work under way.
type run struct {
	*work
	cluster  *kube.Cluster
	progress *action.Progress
	began    time.Time
	steps    []action.Step
	others   []string // why somebody else has decided the same before us, "" where nobody has
}

// turn puts a step into another state.
func (r *run) turn(i int, state action.StepState, note string, why ...string) {
	s := &r.steps[i]
	if s.State != state {
		s.Since = time.Now()
	}
	s.State, s.Note, s.Why = state, note, why
	r.progress.Step(*s)
	ended := 0
	for _, s := range r.steps {
		if s.State.Ended() {
			ended++
		}
	}
	r.progress.Say(r.tally(), action.Tally{Done: ended, Of: len(r.steps)})
}

// one decides one request.
func (r *run) one(ctx context.Context, i int) {
	a := r.aims[i]
	if !r.progress.Go(ctx) {
		r.turn(i, action.StepLeft, "")
		return
	}
	if r.progress.Skipped(a.ref.UID) {
		r.turn(i, action.StepSkipped, "")
		return
	}
	r.turn(i, action.StepAsking, "")
	other, err := r.decide(ctx, r.cluster, a)
	if err != nil {
		r.failed(ctx, i, err)
		return
	}
	r.others[i] = other
	r.steps[i].Follows = true // what has been decided cannot be left out any more
	if r.approve {
		r.turn(i, action.StepProgressing, r.decision(i)+"; waits for the signer")
	} else {
		r.turn(i, action.StepDone, r.decision(i))
	}
}

// decision says what was decided, and whether that was us.
func (r *run) decision(i int) string {
	if r.others[i] != "" {
		return r.done() + " by somebody else before (" + r.others[i] + ")"
	}
	return r.done()
}

// failed says why a request was not decided.
func (r *run) failed(ctx context.Context, i int, err error) {
	said, name := kube.Explain(err), words(r.aims[i].ref.Name)
	why := []string{said.Sentence}
	if said.Next != "" {
		why = append(why, said.Next)
	}
	switch {
	case errors.Is(err, send.ErrUnknown):
		r.turn(i, action.StepUnknown, "no answer; it is not known whether it was "+r.done(), why...)
	case errors.Is(err, errGone), errors.Is(err, errChanged):
		r.turn(i, action.StepFailed, strings.TrimPrefix(words(err.Error()), name+" "), "Make the plan anew.")
	case errors.Is(err, send.ErrReplaced):
		r.turn(i, action.StepFailed, "another request has the name now; nothing was done")
	case apierrors.IsForbidden(err):
		r.turn(i, action.StepFailed, said.Sentence, append(why, "To decide a request one needs to be allowed to "+
			signers(r.aims[i].object.Spec.SignerName)[0].String()+".")...)
	case ctx.Err() != nil && send.NotSettled(err): // before the request that would have changed something
		r.turn(i, action.StepLeft, "")
	default:
		r.turn(i, action.StepFailed, said.Sentence, why...)
	}
}

// follow looks at what was approved until it is signed, or has failed.
func (r *run) follow(ctx context.Context) {
	from := time.Now()
	for ctx.Err() == nil {
		waiting := false
		for i := range r.steps {
			if r.steps[i].State == action.StepProgressing {
				r.look(ctx, i, time.Since(from))
			}
			waiting = waiting || r.steps[i].State == action.StepProgressing
		}
		if !waiting || time.Since(from) >= signLimit {
			break
		}
		pace := lookSoon
		if time.Since(from) >= signLate {
			pace = lookLater
		}
		again := time.NewTimer(pace)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
	for i := range r.steps {
		if s := r.steps[i]; s.State == action.StepProgressing {
			r.turn(i, action.StepAccepted, strings.Replace(s.Note, "; waits for the signer", "; not signed while it was followed", 1), s.Why...)
		}
	}
}

// look looks once whether a request has been signed.
func (r *run) look(ctx context.Context, i int, waited time.Duration) {
	now, err := get(ctx, r.cluster, r.aims[i].ref)
	note, by := r.steps[i].Note, ""
	if r.others[i] != "" {
		by = "; " + r.decision(i)
	}
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, send.ErrReplaced):
		r.turn(i, action.StepAccepted, r.decision(i)+"; the request is gone, and whether it was signed is not known")
		return
	case err != nil:
		if ctx.Err() == nil {
			r.turn(i, action.StepProgressing, note, kube.Explain(err).Sentence)
		}
		return
	}
	row := kube.NewCSR(now)
	switch {
	case find(now, certificatesv1.CertificateFailed) != nil:
		r.turn(i, action.StepFailed, r.decision(i)+"; its signer has refused it: "+row.Reason)
	case len(now.Status.Certificate) > 0 && row.Ends.IsZero():
		r.turn(i, action.StepDone, "issued"+by)
	case len(now.Status.Certificate) > 0:
		r.turn(i, action.StepDone, fmt.Sprintf("issued, valid until %s (%s)", moment(row.Ends), left(time.Now(), row.Ends))+by)
	case waited >= signLate:
		r.turn(i, action.StepProgressing, note, late(row.Signer))
	}
}

// late says whom to look at when nobody signs.
func late(signer string) string {
	if strings.HasPrefix(signer, "kubernetes.io/") {
		return "kube-controller-manager signs it: look whether it runs, and has --cluster-signing-cert-file and --cluster-signing-key-file."
	}
	return "Whoever runs as signer " + signer + " signs it: look whether it runs."
}

// tally counts what has come of it.
func (r *run) tally() string {
	n := 0
	for _, s := range r.steps {
		if s.State == action.StepDone {
			n++
		}
	}
	what := r.done()
	if r.approve {
		what = "issued"
	}
	return fmt.Sprintf("%d of %s %s", n, text.Plural(len(r.steps), "request", "requests"), what)
}

// result says how it has ended.
func (r *run) result(ctx context.Context) action.Result {
	out := action.Result{State: action.EndState(r.steps), Summary: r.tally()}
	accepted := 0
	for _, s := range r.steps {
		if s.State == action.StepAccepted {
			accepted++
		}
	}
	if out.State == action.Partial && accepted > 0 && ctx.Err() != nil {
		out.State = action.Cancelled
	}
	if len(r.steps) == 1 {
		out.Summary = cmp.Or(r.steps[0].Note, out.Summary)
		return out
	}
	for _, state := range [...]action.StepState{
		action.StepUnknown, action.StepFailed, action.StepAccepted, action.StepLeft, action.StepSkipped,
	} {
		for _, s := range r.steps {
			if s.State == state {
				out.Summary = fmt.Sprintf("%s; %s: %s", r.tally(), words(s.Object.Name), cmp.Or(s.Note, state.String()))
				return out
			}
		}
	}
	return out
}
