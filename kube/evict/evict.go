// Package evict carries out the plan of a drain. Its one rule: a pod leaves through the Eviction API, by its UID, because
// the plan says so, and in no other way; nothing is ever deleted, and no node is uncordoned.
//
// One goroutine owns everything that is known: it waits for news (answers, watch events, timers, wishes of the operator),
// takes them in, and then looks at every pod to see what can be begun now. So no decision depends on the order in which
// news came, and nothing needs a lock.
package evict

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/safe"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

// Cordon cordons a node: cordon.Set. changed is false if it was cordoned before; after an error nothing has been done,
// unless that is send.ErrUnknown. It must end with its context.
type Cordon func(ctx context.Context, c *kube.Cluster, node kube.Ref, on bool) (changed bool, err error)

// Reread makes a plan of what is on the nodes now: drain.Read.
type Reread func(ctx context.Context, c *kube.Cluster, nodes []kube.Ref, s drain.Settings) (*drain.Plan, error)

const (
	mostAtOnce = 10          // requests for evictions that are under way, over all nodes
	glance     = time.Second // between two looks at the cached rows
	rounds     = 5           // looks for pods that came after the plan

	// A run that is cut off ends within 100 ms.
	lastWords = 60 * time.Millisecond // so long is waited for answers that are on their way
	farewell  = 10 * time.Millisecond // and so long for those that are not, and for goroutines, once they have been aborted
)

// work is a plan that may be carried out, once.
type work struct {
	plan   *drain.Plan
	cordon Cordon
	reread Reread
}

// New gives what carries out a plan. The plan must not change any more.
func New(p *drain.Plan, cordon Cordon, reread Reread) action.Work { return &work{p, cordon, reread} }

// run is a drain as it goes. All of it belongs to the goroutine of Run.
type run struct {
	*work
	cluster  *kube.Cluster
	progress *action.Progress
	sending  outliving // of requests that change something
	began    time.Time
	learnt   chan func(now time.Time) // what other goroutines have learnt: to be taken in
	over     chan struct{}            // closed when nobody takes it in any more
	working  sync.WaitGroup           // other goroutines

	nodes    []*node
	pods     []*pod          // in the order of the plan, late ones at the end
	byUID    map[string]*pod // the same
	budgets  map[budgetKey]*budget
	watched  map[string]*budgetWatch // by namespace
	families map[familyKey][]*pod    // of gentle drains: the pods of one StatefulSet, in the order in which they go
	places   int                     // steps so far
	open     int                     // requests under way that change something
	away     hold                    // while the server does not answer
	failing  hold                    // while it answers everybody with an error
	alarm    time.Time               // when to look again, zero for when there is news
	new      *replacements
	told     map[string]action.Step // as they were reported last, by UID
	said     string                 // likewise
	counts   counts
	cut      bool // it was over before it had come to its end
}

// counts are the answers of the server so far; refused are those of budgets (429).
type counts struct{ accepted, refused, putOff, failed, unclear int }

// Run implements action.Work.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := w.begin(c, p)
	watching, stop := context.WithCancel(ctx) // ends the watches with the run
	sending, abort := outlive(watching)
	r.sending = sending
	defer func() {
		stop()
		abort()
		close(r.over)
		r.leaveNobody()
	}()
	r.loop(watching)
	if r.cut = !r.ended(); r.cut {
		r.hear(lastWords)
		abort()
		r.hear(farewell)
		r.cutOff(time.Now())
	}
	r.new.match(r.pods)
	r.report()
	result := r.result(time.Now())
	result.Follow = r.follow
	return result
}

// follow tells where the pods that are gone have come back, until all of them are well.
func (r *run) follow(ctx context.Context, told func([]action.Section)) {
	defer r.new.close()
	look := time.NewTicker(glance)
	defer look.Stop()
	for !r.replaced() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		r.new.match(r.pods)
		r.report()
		told(r.page())
	}
}

// replaced reports whether nothing more is to be seen of the replacements of the pods that are gone.
func (r *run) replaced() bool {
	for _, p := range r.pods {
		if p.state != action.StepGone {
			continue
		}
		if _, well := r.replacedAs(p); !well {
			return false
		}
	}
	return true
}

// begin sets out every step of the plan.
func (w *work) begin(c *kube.Cluster, p *action.Progress) *run {
	r := &run{
		work: w, cluster: c, progress: p, began: time.Now(),
		learnt: make(chan func(time.Time)), over: make(chan struct{}),
		byUID: map[string]*pod{}, budgets: map[budgetKey]*budget{}, watched: map[string]*budgetWatch{},
		families: map[familyKey][]*pod{}, told: map[string]action.Step{}, new: watchReplacements(c),
		away: hold{enough: 1, most: retryMostAway}, failing: hold{enough: failsAlike, most: retryMost},
	}
	for i := range w.plan.Nodes {
		n := &node{Node: &w.plan.Nodes[i], place: r.places, state: action.StepWaits, since: r.began}
		r.places++
		r.nodes = append(r.nodes, n)
		for j := range n.Pods {
			r.add(n, n.Pods[j], r.began)
		}
	}
	return r
}

// add takes a pod into the run.
func (r *run) add(n *node, planned drain.Pod, now time.Time) *pod {
	p := &pod{Pod: planned, node: n, place: r.places, state: action.StepWaits, since: now}
	r.places++
	r.pods = append(r.pods, p)
	r.byUID[p.UID] = p
	switch {
	case p.Fate == drain.Stays:
		p.end(action.StepStays, firstOf(p.Why, p.Owner.Kind), now)
	case p.Fate == drain.Needs:
		p.end(action.StepLeft, p.needs(), now)
	case p.Fate == drain.Leaving:
	case p.Fate.Goes():
		if len(p.Budgets) == 1 {
			p.budget = r.planned(p.Namespace, p.Budgets[0])
		}
	default:
		p.end(action.StepLeft, "not planned: "+string(p.Fate), now)
	}
	if key, ok := p.family(); ok && r.plan.Settings.Gentle {
		r.families[key] = append(r.families[key], p)
	}
	return p
}

// loop runs until nothing is left to be done, or until ctx ends.
func (r *run) loop(ctx context.Context) {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	look := time.NewTicker(glance)
	defer look.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		r.advance(ctx, now)
		r.report()
		if r.ended() {
			return
		}
		alarm.Stop()
		if !r.alarm.IsZero() {
			alarm.Reset(r.alarm.Sub(now))
		}
		select {
		case <-ctx.Done():
		case take := <-r.learnt:
			take(time.Now())
		case <-r.progress.Wish():
		case <-alarm.C:
		case <-look.C:
			r.new.match(r.pods)
		}
	}
}

// advance begins everything that can be done now.
func (r *run) advance(ctx context.Context, now time.Time) {
	r.alarm = time.Time{}
	r.skip(now)
	r.cordonAll()
	r.lookAtNodes(ctx, now)
	r.leaveClosed(now)
	r.openNodes(ctx, now)
	r.askPods(ctx, now)
	r.askWhetherBack(ctx, now)
	r.watchBudgets(ctx)
	r.waitFor(now)
	r.closeNodes(ctx, now)
}

// ended reports whether nothing is left to be done.
func (r *run) ended() bool {
	for _, n := range r.nodes {
		if n.phase != finished {
			return false
		}
	}
	return true
}

// wake has advance called at t, if nothing happens before.
func (r *run) wake(t time.Time) {
	if r.alarm.IsZero() || t.Before(r.alarm) {
		r.alarm = t
	}
}

// beside runs a request in a goroutine of its own. What it gives is called by the loop, if the run is not over by then.
func (r *run) beside(ctx context.Context, name string, request func(context.Context) func(time.Time)) {
	r.start(name, func() { r.tell(request(ctx)) })
}

func (r *run) start(name string, fn func()) {
	r.working.Add(1)
	safe.Go(name, func() {
		defer r.working.Done()
		fn()
	})
}

// leaveNobody waits for the other goroutines, so that nothing is sent after the end.
func (r *run) leaveNobody() {
	gone := make(chan struct{})
	safe.Go("end of a drain", func() {
		defer close(gone)
		r.working.Wait()
	})
	enough := time.NewTimer(farewell)
	defer enough.Stop()
	select {
	case <-gone:
	case <-enough.C:
	}
}

// tell has the loop take something in. It must be called by other goroutines only.
func (r *run) tell(take func(time.Time)) {
	select {
	case r.learnt <- take:
	case <-r.over:
	}
}

// hear takes in the answers that are on their way when the run is cut off, so that no more is unknown than need be.
func (r *run) hear(most time.Duration) {
	enough := time.NewTimer(most)
	defer enough.Stop()
	for r.open > 0 {
		select {
		case take := <-r.learnt:
			take(time.Now())
		case <-enough.C:
			return
		}
	}
}

// cutOff ends every step when the run is over before it has come to its end: as what is known says, and no better.
func (r *run) cutOff(now time.Time) {
	for _, n := range r.nodes {
		switch {
		case n.state.Ended():
		case n.cordoning:
			n.end(action.StepUnknown, "whether it is cordoned is not known", now)
		default:
			n.end(action.StepLeft, "not cordoned", now)
		}
	}
	for _, p := range r.pods {
		switch {
		case p.state.Ended():
		case p.going():
			p.end(action.StepAccepted, "goes on by itself", now)
		case p.posting || p.unsure && p.last.verdict == unclear:
			p.end(action.StepUnknown, "whether it was evicted is not known", now)
		case p.Fate == drain.Leaving:
			p.end(action.StepAccepted, "somebody has asked it to go before", now)
		case p.tries == 0:
			p.end(action.StepLeft, "nothing was asked for it", now)
		default:
			p.end(action.StepLeft, p.whyLeft(), now)
		}
	}
}

// skip takes out of the run what the operator has taken out of it: pods that have not been accepted, and the wait for
// those that are stuck.
func (r *run) skip(now time.Time) {
	for _, p := range r.pods {
		switch {
		case p.state.Ended() || !r.progress.Skipped(p.UID):
		case p.state == action.StepStuck:
			p.end(action.StepAccepted, "accepted; not waited for, as you said", now)
		case p.going() || p.posting || p.unsure || p.Fate == drain.Leaving:
			// it cannot be called back, or that is not known yet
		default:
			p.end(action.StepSkipped, "left here, as you said", now)
		}
	}
}

// seen takes in a pod as the server has it.
func (r *run) seen(object *corev1.Pod, now time.Time) {
	p := r.byUID[string(object.UID)]
	if p == nil {
		return
	}
	if p.live != nil && isReady(p.live) != isReady(object) {
		p.nudged = true
	}
	p.live = object
	if at := object.DeletionTimestamp; at != nil && p.requested.IsZero() {
		p.requested = at.Add(-gracePeriod(object)) // later versions of it have shorter grace periods
	}
	p.settle(now)
	if p.controller == nil {
		p.controller = controllerOf(object)
		r.new.want(p.controller)
	}
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
