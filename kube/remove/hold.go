package remove

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// holdFor is how long a run waits before it asks a server again that did not take a request.
	holdFor = 2500 * time.Millisecond
	// holdMost bounds what a server may ask to be waited for.
	holdMost = 30 * time.Second
)

// hold keeps all requests back for a while: what one pod was refused for now, the others would be too.
func (r *run) hold(err error) {
	wait, _ := apierrors.SuggestsClientDelay(err)
	r.away = clip(kube.Explain(err).Sentence, 80)
	if apierrors.IsTooManyRequests(err) {
		r.away = "the server sheds load (429)"
	}
	r.next = later(r.next, time.Now().Add(min(max(time.Duration(wait)*time.Second, holdFor), holdMost)))
}

// release goes on after the server has answered.
func (r *run) release() {
	if r.away != "" {
		r.away, r.back = "", time.Now()
	}
}

// retry leaves a pod to be asked again when the server answers.
func (r *run) retry(q *pod, err error) {
	r.hold(err)
	q.doubt = apierrors.IsServiceUnavailable(err)
	q.step = action.Step{Object: q.ref, State: action.StepRetrying, Note: r.away, Since: time.Now(), Until: r.next, Place: q.step.Place,
		Why: []string{sentence(kube.Explain(err).Sentence), "The run waits until the server answers, and goes on by itself."}}
}

// free reports whether the next request may be sent now. While the server is away one at a time finds out whether it is back.
func (r *run) free(now time.Time) bool {
	return r.flying < most && !now.Before(r.next) && !r.progress.Paused() && (r.away == "" || r.asks == 0)
}

// holding says that the run waits for the server, "" if it does not.
func (r *run) holding() string {
	if r.away == "" {
		return ""
	}
	return "; waits for the server: " + text.Cut(r.away, 60, "...")
}
