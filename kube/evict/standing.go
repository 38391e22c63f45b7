package evict

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

const (
	lookAtNode = 10 * time.Second // between two looks at a node that is being drained
	// settled is how long after its cordon pods may still be bound to a node: by a scheduler that has not heard of it.
	settled = 5 * time.Second
)

// look is a reading that is repeated until it has been answered.
type look struct {
	under    bool // it is under way
	failures int  // in a row
	again    time.Time
	said     string // why it failed
}

// due reports whether it is time for the reading; otherwise it says when to look again.
func (l *look) due(now time.Time, wake func(time.Time)) bool {
	if !l.under && now.Before(l.again) {
		wake(l.again)
	}
	return !l.under && !now.Before(l.again)
}

// failed notes an attempt without an answer.
func (l *look) failed(what string, err error, now time.Time) {
	l.failures++
	l.said = what + ": " + quote(kube.Explain(err).Sentence)
	l.again = now.Add(backoff(l.failures, retryMostAway))
}

func (l *look) worked(next time.Time) { *l = look{again: next} }

// lookAtNodes looks whether the nodes are as this run has left them: there, and cordoned.
func (r *run) lookAtNodes(ctx context.Context, now time.Time) {
	for _, n := range r.nodes {
		if n.state != action.StepDone || n.phase == finished || n.closed != "" || !n.standing.due(now, r.wake) {
			continue
		}
		n.standing.under = true
		r.beside(ctx, "look at node", func(ctx context.Context) func(time.Time) {
			o := &corev1.Node{}
			err := r.cluster.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(n.Name).
				MaxRetries(0).Timeout(requestLimit).Do(ctx).Into(o)
			return func(now time.Time) { r.lookedAtNode(n, o, err, now) }
		})
	}
}

func (r *run) lookedAtNode(n *node, o *corev1.Node, err error, now time.Time) {
	n.standing.under = false
	switch {
	case n.phase == finished || n.closed != "":
		return
	case n.isAbsent(err):
		n.vanish("the node does not exist any more")
	case err != nil:
		n.standing.failed("whether it is still cordoned is not known", err, now)
		return
	case string(o.UID) != n.UID:
		n.vanish("another node has its name now")
	case !o.Spec.Unschedulable:
		n.reopen()
	}
	n.standing.worked(now.Add(lookAtNode))
}

// isAbsent reports whether an error says that there is no such node, and not that somebody in between knows no such page.
func (n *node) isAbsent(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	d := status.Status().Details
	return d.Name == n.Name && strings.HasPrefix(d.Kind, "node")
}

// vanish ends the drain of a node that is not there any more.
func (n *node) vanish(trouble string) {
	n.vanished, n.trouble = true, trouble
	n.closed = n.Name + " does not exist any more"
}

// reopen ends the drain of a node that may have new pods again: whoever has uncordoned it wants pods on it.
func (n *node) reopen() {
	n.trouble = "somebody has uncordoned it since"
	n.closed = "somebody has uncordoned " + n.Name
}

// leaveClosed leaves the pods of nodes whose drain has ended early, but for those that are on their way out, or may be.
func (r *run) leaveClosed(now time.Time) {
	for _, p := range r.pods {
		n := p.node
		switch {
		case n.closed == "" || n.phase != draining || !n.known() || p.state.Ended():
		case p.state == action.StepStuck:
			p.end(action.StepAccepted, "accepted; not waited for: "+n.closed, now)
		case p.going() || p.posting || p.unsure:
			// it is waited for, or found out
		case p.Fate == drain.Leaving:
			p.end(action.StepAccepted, "somebody has asked it to go before", now)
		default:
			p.end(action.StepLeft, n.closed, now)
		}
	}
}

// lookAgain reads a node anew, for pods that came after the plan.
func (r *run) lookAgain(ctx context.Context, n *node) {
	n.reading.under = true
	s := r.plan.Settings
	s.EmptyDir, s.Unowned, s.DryRun = false, false, false
	r.beside(ctx, "late arrivals", func(ctx context.Context) func(time.Time) {
		ctx, stop := context.WithTimeout(ctx, 2*requestLimit)
		defer stop()
		fresh, err := r.reread(ctx, r.cluster, []kube.Ref{n.ref()}, s)
		return func(now time.Time) { r.lookedAgain(n, fresh, err, now) }
	})
}

// lookedAgain takes in what is on a node now.
func (r *run) lookedAgain(n *node, fresh *drain.Plan, err error, now time.Time) {
	const what = "whether pods came after the plan is not known"
	n.reading.under = false
	var status apierrors.APIStatus
	switch {
	case n.closed != "":
		return // what was read is older than that
	case errors.Is(err, drain.ErrNoNode):
		n.vanish("the node does not exist any more")
		return
	case errors.Is(err, drain.ErrReplaced):
		n.vanish("another node has its name now")
		return
	case err != nil && (!errors.As(err, &status) || retriable(status.Status().Code)):
		n.reading.failed(what, err, now)
		return
	case err != nil:
		n.trouble = what + ": " + quote(kube.Explain(err).Sentence)
		n.looked = true
		return
	}
	n.reading.worked(now)
	i := slices.IndexFunc(fresh.Nodes, func(f drain.Node) bool { return f.UID == n.UID })
	switch {
	case i < 0:
		n.vanish("another node has its name now")
	case !fresh.Nodes[i].Cordoned:
		n.reopen()
	default:
		r.arrivals(n, fresh.Nodes[i].Pods, now)
	}
}

// retriable tells the answers after which the same question may be answered.
func retriable(code int32) bool { return code >= 500 || code == 429 || code == 408 || code == 401 }

// arrivals takes in the pods that are on a node now.
func (r *run) arrivals(n *node, pods []drain.Pod, now time.Time) {
	n.rounds++
	n.looked = true
	for _, planned := range pods {
		if r.byUID[planned.UID] == nil {
			n.looked = r.arrived(n, planned, now) && n.looked
		}
	}
	if !n.looked && n.rounds >= rounds {
		n.trouble = "pods keep coming"
	}
}

// arrived takes in a pod that came after the plan. It goes too if it was on its way before the cordon, and may go, and
// loses nothing; any other is somebody else's. done is false if there is something to wait for.
func (r *run) arrived(n *node, planned drain.Pod, now time.Time) (done bool) {
	harmless := planned.Fate == drain.Evict || planned.Fate == drain.Waits
	harmless = harmless && !planned.Unowned && len(planned.Lost) == 0
	before := !planned.Bound.IsZero() && !planned.Bound.After(n.since.Add(settled))
	note := "came after the plan"
	switch {
	case planned.Fate == drain.Stays:
		r.add(n, planned, now).late = true
		return true
	case planned.Fate == drain.Leaving, harmless && before && r.plan.Settings.Late:
		p := r.add(n, planned, now)
		p.late = true
		if o := n.there[p.UID]; o != nil {
			r.seen(o, now)
		} else {
			p.unsure = true // the watch has not told of it, or it has gone before that
		}
		return false
	case !before:
		note = "came after the cordon, and is not in the plan"
	case planned.Option != "":
		p := pod{Pod: planned}
		note += ", and " + p.needs()
	case !harmless:
		note = join(note, planned.Why)
	}
	planned.Fate = drain.Needs
	p := r.add(n, planned, now)
	p.late, p.outcome = true, note
	return true
}
