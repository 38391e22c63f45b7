package evict

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/send"
)

// phase is how far the drain of a node is.
type phase uint8

const (
	waiting  phase = iota // for its turn
	draining              // its pods are watched and asked
	finished              // nothing more happens to it
)

// node is a node of the plan, and what has become of it.
type node struct {
	*drain.Node
	place int
	phase phase

	state     action.StepState // of its cordon
	since     time.Time
	outcome   string
	trouble   string // what else is to be known, "" for nothing
	cordoning bool
	ours      bool // this run has cordoned it

	there   map[string]*corev1.Pod // its pods as the server had them last, by UID; nil before they have been listed
	silence time.Time              // since when its pods are not watched, zero while they are
	said    string                 // why
	stop    context.CancelFunc

	standing look   // whether it is there, and cordoned
	closed   string // why nothing more is asked of its pods, "" while that goes on
	vanished bool   // closed, because it does not exist any more

	reading look // of what is on it
	rounds  int  // looks for pods that came after the plan
	looked  bool // nothing new was there
}

func (n *node) ref() kube.Ref { return kube.Ref{Kind: kube.Nodes, Name: n.Name, UID: n.UID} }

func (n *node) to(state action.StepState, now time.Time) {
	if n.state != state {
		n.state, n.since = state, now
	}
}

func (n *node) end(state action.StepState, note string, now time.Time) {
	n.outcome = note
	n.to(state, now)
}

// known reports whether the pods of the node are as we know them: read, and watched since.
func (n *node) known() bool { return n.there != nil && n.silence.IsZero() }

// cordonAll cordons every node, before any pod is asked to leave: pods of the first would only move on to the next.
func (r *run) cordonAll() {
	for _, n := range r.nodes {
		if n.state != action.StepWaits || r.open >= mostAtOnce || r.progress.Paused() {
			continue
		}
		n.cordoning = true
		n.to(action.StepAsking, time.Now())
		r.open++
		r.beside(r.sending, "cordon", func(ctx context.Context) func(time.Time) {
			changed, err := r.cordon(ctx, r.cluster, n.ref(), true)
			if r.sending.refused(err) {
				err = context.Canceled // it was only being read: nothing is unknown
			}
			return func(now time.Time) { r.cordoned(n, changed, err, now) }
		})
	}
}

// cordoned takes in what has come of a cordon.
func (r *run) cordoned(n *node, changed bool, err error, now time.Time) {
	r.open--
	n.cordoning = false
	n.standing.again = now.Add(lookAtNode)
	switch {
	case err == nil && changed:
		n.ours = true
		n.end(action.StepDone, "cordoned", now)
	case err == nil:
		n.end(action.StepDone, "was cordoned already", now)
	case errors.Is(err, send.ErrUnknown):
		n.end(action.StepUnknown, "whether it is cordoned is not known: "+quote(kube.Explain(err).Sentence), now)
	case r.cut:
		n.end(action.StepLeft, "not cordoned", now)
	default:
		n.trouble = quote(kube.Explain(err).Sentence)
		n.end(action.StepFailed, "not cordoned: "+n.trouble, now)
	}
}

// openNodes begins with the nodes whose turn it is, and gives up those that cannot have one any more.
func (r *run) openNodes(ctx context.Context, now time.Time) {
	if slices.ContainsFunc(r.nodes, func(n *node) bool { return !n.state.Ended() }) {
		return // cordons are under way
	}
	under := 0
	for i, n := range r.nodes {
		switch {
		case n.phase == draining:
			under++
		case n.phase == finished:
		case n.state == action.StepUnknown:
			r.leave(n, "not asked: "+n.Name+" is not known to be cordoned", now)
		case n.state != action.StepDone:
			r.leave(n, "not asked: "+n.Name+" is not cordoned", now)
		case n.closed != "":
			r.leave(n, n.closed, now)
		default:
			if stopper := r.stopper(r.nodes[:i]); stopper != nil {
				r.leave(n, "not begun: "+stopper.Name+" did not finish", now)
			} else if under < max(1, r.plan.Settings.Together) {
				under++
				r.openNode(ctx, n)
			}
		}
	}
}

// stopper is the first of some nodes that is finished, and not well: the ones after it are not begun.
func (r *run) stopper(before []*node) *node {
	for _, n := range before {
		if n.phase == finished && !r.drained(n) {
			return n
		}
	}
	return nil
}

// well reports whether a node is as its drain should leave it; one that does not exist any more is.
func (n *node) well() bool { return n.state == action.StepDone && (n.trouble == "" || n.vanished) }

// drained reports whether all is gone from a node that had to go.
func (r *run) drained(n *node) bool {
	return n.well() && !slices.ContainsFunc(r.pods, func(p *pod) bool {
		return p.node == n && p.state != action.StepGone && p.state != action.StepStays
	})
}

// leave gives a node up before or while its pods go.
func (r *run) leave(n *node, note string, now time.Time) {
	for _, p := range r.pods {
		if p.node != n || p.state.Ended() {
			continue
		}
		if p.Fate == drain.Leaving || p.going() {
			p.end(action.StepAccepted, "somebody has asked it to go before", now)
			continue
		}
		p.end(action.StepLeft, note, now)
	}
	r.finish(n)
}

func (r *run) finish(n *node) {
	n.phase = finished
	if n.stop != nil {
		n.stop()
	}
}

// openNode begins to watch the pods of a node.
func (r *run) openNode(ctx context.Context, n *node) {
	n.phase = draining
	ctx, n.stop = context.WithCancel(ctx)
	pods := source{
		client: r.cluster.Client().CoreV1().RESTClient(), resource: "pods", fields: "spec.nodeName=" + n.Name,
		empty: func() runtime.Object { return &corev1.PodList{} },
		heard: func(x news) { r.tell(func(now time.Time) { r.heardOf(n, x, now) }) },
	}
	r.start("watch of pods", func() { pods.follow(ctx) })
}

// heardOf takes in news of the pods of a node.
func (r *run) heardOf(n *node, x news, now time.Time) {
	switch {
	case n.phase == finished:
	case x.err != nil && n.there == nil && forbidden(x.err):
		n.trouble = quote(kube.Explain(x.err).Sentence)
		r.leave(n, "not asked: its node's pods may not be read", now)
	case x.err != nil:
		if n.silence.IsZero() {
			n.silence = now
		}
		n.said = quote(kube.Explain(x.err).Sentence)
	case x.listed:
		r.listed(n, x.all, now)
	case x.changed != nil:
		if o, ok := x.changed.(*corev1.Pod); ok && n.there != nil {
			n.there[string(o.UID)] = o
			r.seen(o, now)
		}
	case x.deleted != nil:
		if o, ok := x.deleted.(*corev1.Pod); ok {
			delete(n.there, string(o.UID))
			r.gone(string(o.UID), now)
		}
	}
}

// listed takes in all pods that a node has: those that it does not have any more are gone.
func (r *run) listed(n *node, all []runtime.Object, now time.Time) {
	n.there = map[string]*corev1.Pod{}
	for _, object := range all {
		if o, ok := object.(*corev1.Pod); ok {
			n.there[string(o.UID)] = o
			r.seen(o, now)
		}
	}
	for _, p := range r.pods {
		if p.node == n && n.there[p.UID] == nil {
			r.gone(p.UID, now)
		}
		if p.node == n && !n.silence.IsZero() && p.unsure {
			p.again = now // somebody answers again: what is not known can be found out
		}
	}
	if !n.silence.IsZero() {
		n.silence, n.reading.again = time.Time{}, now
		r.away.works()
	}
}

// gone takes in that a pod is not there any more.
func (r *run) gone(uid string, now time.Time) {
	if p := r.byUID[uid]; p != nil {
		note := ""
		if p.tries == 0 && p.Fate != drain.Leaving {
			note = "was gone before it was asked"
		}
		p.left(note, now)
	}
}

// closeNodes looks for pods that came after the plan on every node that has nothing left to wait for, and finishes it if
// there are none.
func (r *run) closeNodes(ctx context.Context, now time.Time) {
	for _, n := range r.nodes {
		if n.phase != draining || n.reading.under || r.busyWith(n) {
			continue
		}
		switch {
		case n.there == nil:
			// Even a node without pods is finished only after the server has said so.
		case n.looked || n.rounds >= rounds || n.closed != "":
			r.finish(n)
			r.wake(now) // the next node may begin
		case n.reading.due(now, r.wake):
			r.lookAgain(ctx, n)
		}
	}
}

// busyWith reports whether pods of a node are under way.
func (r *run) busyWith(n *node) bool {
	return slices.ContainsFunc(r.pods, func(p *pod) bool { return p.node == n && !p.state.Ended() })
}
