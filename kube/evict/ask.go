package evict

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube/action"
)

const (
	retryFirst    = time.Second
	retryMost     = 30 * time.Second
	retryMostAway = 10 * time.Second // while nobody answers: it costs nobody anything
)

// backoff is how long to wait after so many failures in a row: doubled each time, with up to a fifth of jitter.
func backoff(failures int, most time.Duration) time.Duration {
	return jitter(min(retryFirst<<min(max(failures, 1)-1, 10), most))
}

func jitter(d time.Duration) time.Duration { return d + rand.N(d/5) }

// askPods asks every pod that can be asked now: the ones that nothing is known to hold first, then the one that has waited
// longest.
func (r *run) askPods(ctx context.Context, now time.Time) {
	for _, p := range r.inOrder() {
		if p.unsure {
			r.lookAt(ctx, p, now)
			continue
		}
		if r.progress.Paused() || r.open >= mostAtOnce || p.node.closed != "" {
			continue // a pod that only needs a look may follow
		}
		if now.Before(p.again) {
			r.wake(p.again)
			continue
		}
		if r.holder(p) == nil && p.budget.lets(p, now, r.wake) && r.away.lets(now, r.wake) && r.failing.lets(now, r.wake) {
			r.ask(p, now)
		}
	}
}

// inOrder gives the pods that are to be asked, or looked at, on nodes that are watched.
func (r *run) inOrder() []*pod {
	var out []*pod
	for _, p := range r.pods {
		if p.node.phase == draining && !p.state.Ended() && !p.going() && !p.posting && !p.looking &&
			(p.unsure || p.Fate.Goes() && p.node.known() && p.node.there[p.UID] != nil) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *pod) int {
		if a.tries == 0 && b.tries == 0 {
			return a.urgency() - b.urgency()
		}
		return a.asked.Compare(b.asked)
	})
	return out
}

// ask sends an eviction.
func (r *run) ask(p *pod, now time.Time) {
	p.tries++
	r.away.asks(p)
	r.failing.asks(p)
	p.asked, p.posting, p.nudged = now, true, false
	if p.state == action.StepWaits {
		p.to(action.StepAsking, now)
	}
	b := p.budget
	b.taken(p, now)
	r.open++
	r.beside(r.sending, "eviction", func(ctx context.Context) func(time.Time) {
		a := answer{verdict: unsent}
		if ctx.Err() == nil {
			if err := r.post(ctx, p); !r.sending.refused(err) {
				a = judge(err, p.Name)
			}
		}
		return func(now time.Time) {
			r.open--
			b.given()
			p.posting = false
			r.answered(p, a, now)
		}
	})
}

// post asks for an eviction once. The UID goes with it, so that no other pod of the name is meant; a version does not,
// since every change of a status is one.
func (r *run) post(ctx context.Context, p *pod) error {
	uid := types.UID(p.UID)
	options := &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
	if grace := int64(r.plan.Settings.Grace / time.Second); grace > 0 {
		options.GracePeriodSeconds = &grace
	}
	return r.cluster.Client().PolicyV1().RESTClient().Post().AbsPath("/api/v1").
		Namespace(p.Namespace).Resource("pods").Name(p.Name).SubResource("eviction").
		MaxRetries(0).Timeout(requestLimit).
		Body(&policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: options,
		}).Do(ctx).Error()
}

// answered takes in the answer to an eviction.
func (r *run) answered(p *pod, a answer, now time.Time) {
	if a.verdict == unsent {
		p.tries--
		return
	}
	r.count(a)
	r.heldBy(p, a, now)
	if a.verdict == accepted {
		p.acceptedAt = now
		p.budget.allowed()
	}
	if p.state.Ended() || p.going() {
		return // the server has said more meanwhile
	}
	p.last = a
	if a.code != 0 {
		p.silence = time.Time{}
	} else if p.silence.IsZero() {
		p.silence = now
	}
	switch a.verdict {
	case accepted:
		p.failures = 0
		p.to(action.StepTerminating, now)
	case absent:
		p.left("was gone before it was asked", now)
	case refused:
		p.failures = 0
		r.refused(p, a, now)
		p.to(action.StepBlocked, now)
	case closing:
		p.failures++
		p.again = now.Add(max(a.after, backoff(p.failures, retryMost)))
		p.to(action.StepBlocked, now)
	case denied:
		p.end(action.StepFailed, "", now)
	case busy, unknownUser, unclear, unreached, conflicting:
		p.failures++
		p.unsure = a.verdict == unclear || a.verdict == conflicting
		p.again = now.Add(max(a.after, backoff(p.failures, retryMost)))
		if p.unsure || a.verdict == unreached {
			p.again = now // to be looked at, not to be asked; or held back with all the others
		}
		p.to(action.StepRetrying, now)
	case unsent: // has been seen to
	}
}

// heldBy takes in what an answer to an eviction says of the server, and so of all pods.
func (r *run) heldBy(p *pod, a answer, now time.Time) {
	switch {
	case a.code == 0:
		r.away.fails(p, a.said, now)
		if r.failing.probe == p {
			r.failing.probe = nil
		}
		return
	case a.fails():
		r.failing.fails(p, a.said, now)
	default:
		r.failing.works()
	}
	r.away.works()
}

func (r *run) count(a answer) {
	switch a.verdict {
	case accepted:
		r.counts.accepted++
	case refused, closing, busy, unknownUser:
		if a.verdict == refused && a.code == http.StatusTooManyRequests {
			r.counts.refused++
		} else {
			r.counts.putOff++
		}
	case denied:
		r.counts.failed++
	case unclear:
		r.counts.unclear++
	case absent, conflicting, unreached, unsent:
	}
}

// lookAt reads a pod of which it is not known what has become of it.
func (r *run) lookAt(ctx context.Context, p *pod, now time.Time) {
	if now.Before(p.again) {
		r.wake(p.again)
		return
	}
	if !r.away.lets(now, r.wake) {
		return
	}
	r.away.asks(p)
	p.looking = true
	r.beside(ctx, "look at pod", func(ctx context.Context) func(time.Time) {
		o, err := r.read(ctx, p)
		return func(now time.Time) {
			p.looking = false
			r.looked(p, o, err, now)
		}
	})
}

// read gets a pod by its name, whoever has that now.
func (r *run) read(ctx context.Context, p *pod) (*corev1.Pod, error) {
	o := &corev1.Pod{}
	err := r.cluster.Client().CoreV1().RESTClient().Get().Namespace(p.Namespace).Resource("pods").Name(p.Name).
		MaxRetries(0).Timeout(requestLimit).Do(ctx).Into(o)
	return o, err
}

// looked takes in a pod that was read because it was not known what has become of it.
func (r *run) looked(p *pod, o *corev1.Pod, err error, now time.Time) {
	a := judge(err, p.Name)
	if a.code == 0 {
		r.away.fails(p, a.said, now)
	} else {
		r.away.works()
	}
	switch {
	case p.state.Ended():
	case a.verdict == absent:
		p.left("", now)
	case err != nil && a.code == 0:
		if p.silence.IsZero() {
			p.silence = now
		}
		p.again = now // it is held back with all the others
	case err != nil:
		p.blind++
		p.again = now.Add(max(a.after, backoff(p.blind, retryMost)))
	case string(o.UID) != p.UID:
		p.left("another pod has taken its name", now)
	case o.DeletionTimestamp != nil:
		p.live, p.silence, p.blind = o, time.Time{}, 0
		p.settle(now)
	case p.tries == 0: // it is new here
		p.unsure, p.blind = false, 0
		p.node.there[p.UID] = o
		r.seen(o, now)
	default: // it has not happened
		p.unsure, p.silence, p.blind = false, time.Time{}, 0
		p.again = now.Add(max(p.last.after, backoff(p.failures, retryMost)))
		if r.failing.on() {
			p.again = now // likewise
		}
	}
}
