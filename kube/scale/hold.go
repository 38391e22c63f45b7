package scale

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

// hold keeps an item, and all requests, back for a while.
func (r *run) hold(i *item, err error, now time.Time) {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	r.away, r.until = kube.Explain(err).Sentence, now.Add(min(max(time.Duration(seconds)*time.Second, holdFor), holdMost))
	i.head.State, i.head.Since, i.head.Note, i.head.Until = action.StepRetrying, now, text.Cut(r.away, 80, "..."), r.until
	i.head.Why = []string{r.away, "The run waits until the server answers, and goes on by itself."}
	if i.kept {
		i.head.Note += "; " + nowRetain
	}
	r.report(i.head)
}

// release goes on after the server has answered.
func (r *run) release(i *item) {
	r.away = ""
	i.head.Until, i.head.Why = time.Time{}, nil
}

// holding is how long it takes until the next request may be tried. While the server is away one at a time finds out
// whether it is back.
func (r *run) holding(now time.Time) time.Duration {
	switch {
	case r.away == "":
		return 0
	case r.flying > 0:
		return lookAgain
	}
	return max(0, r.until.Sub(now))
}
