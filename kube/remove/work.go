package remove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/safe"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	perSecond = 10 // requests that change something
	most      = 10 // requests that are under way, readings too
	beat      = time.Second / perSecond

	patience  = time.Minute
	short     = 5 * time.Second // after which what only finalizers keep is not waited for any more
	lookEvery = 2 * time.Second
	knowFor   = time.Second      // how long the first request waits for the rows, which say what was there before it
	diagnosed = 10 * time.Second // between two looks at why a pod is late
)

// work deletes pods, by force or not, or removes their finalizers, and watches what becomes of them.
type work struct {
	force bool
	off   map[string]bool // finalizers that are removed; nil: the pods are deleted
	items []item
}

// item is a pod of the plan, as the run needs it.
type item struct {
	ref        kube.Ref
	stays      string // why it is left alone, "" if it is not
	owner      owner
	back       comeback
	how        string
	finalizers []string
	hold       string    // why it is not waited for once its grace period is over
	requested  time.Time // when it was asked to go, by the server's clock; zero if it was not, or that is not known
}

func newWork(f *facts, force bool) *work {
	w := &work{force: force}
	for _, v := range f.pods {
		it := f.item(v)
		switch {
		case force:
		case v.static():
			it.stays = "static: its kubelet makes it again"
		case v.deleting():
			it.stays = "Terminating already"
		}
		w.items = append(w.items, it)
	}
	return w
}

func newStrip(f *facts, off map[string]bool) *work {
	w := &work{off: off}
	for _, v := range f.pods {
		it := f.item(v)
		if !slices.ContainsFunc(v.Finalizers, func(name string) bool { return off[name] }) {
			it.stays = "none of its finalizers is removed"
		}
		w.items = append(w.items, it)
	}
	return w
}

func (f *facts) item(v *victim) item {
	it := item{ref: v.ref, owner: f.owner(v), finalizers: v.Finalizers}
	it.back, it.how = f.returns(v)
	if v.deleting() {
		it.requested = v.DeletionTimestamp.Add(-time.Duration(grace(v.Pod)) * time.Second)
	}
	if node, known := f.node(v); known && node != nil && silent(node) && !outOfService(node) {
		it.hold = "the kubelet of " + words(node.Name) + " is silent: nobody confirms that it has ended"
	}
	return it
}

// pod is a pod of a run.
type pod struct {
	item
	step     action.Step
	sent     time.Time // when it was asked to go, zero if it was not
	busy     bool      // a request about it is under way
	looked   time.Time // when it was last read
	doubt    bool      // the last request for it was answered with 503: it may have been carried out
	deadline time.Time // the end of its grace period
	why      *Diagnosis
	whyAt    time.Time
	keepers  []string  // its finalizers, as last read
	row      *kube.Pod // as the screen has it, nil if it has none
}

// run is a work under way. One goroutine owns it; requests run beside it.
type run struct {
	*work
	cluster  *kube.Cluster
	progress *action.Progress
	began    time.Time
	pods     []*pod
	rows     *rows
	answers  chan answer
	flying   int
	asks     int             // of those, the ones that change something
	next     time.Time       // when the next request may be sent
	away     string          // why the server takes no requests, "" if it does
	back     time.Time       // since when it does again
	before   map[string]bool // UIDs of the pods that their makers had before anything was asked; nil if not known yet
	said     string          // how the whole stood when that was told last
}

// answer is what came of a request about a pod.
type answer struct {
	pod    *pod
	asked  bool // it was one that changes something
	unsent bool
	gone   bool
	now    *corev1.Pod
	why    *Diagnosis
	err    error
}

// Run implements action.Work.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &run{work: w, cluster: c, progress: p, began: time.Now(), answers: make(chan answer, most)}
	for i, it := range w.items {
		q := &pod{item: it, step: action.Step{Object: it.ref, Since: r.began, Place: i}}
		if it.stays != "" {
			q.step.State, q.step.Note = action.StepStays, it.stays
		}
		r.pods = append(r.pods, q)
		p.Step(q.step)
	}
	r.rows = watchRows(c, w.items)
	defer r.rows.close()
	r.loop(ctx)
	return r.result(ctx)
}

// loop goes on until every pod has come to its end, or ctx has. Requests that are under way then end with it.
func (r *run) loop(ctx context.Context) {
	tick := time.NewTicker(beat / 2)
	defer tick.Stop()
	for ctx.Err() == nil && !r.over() {
		r.begin(ctx)
		r.look(ctx)
		r.say()
		select {
		case <-ctx.Done():
		case a := <-r.answers:
			r.take(a)
		case <-tick.C:
		case <-r.progress.Wish():
		}
	}
	for r.flying > 0 {
		r.take(<-r.answers)
	}
	for _, q := range r.pods {
		r.abandon(q)
	}
	r.say()
}

func (r *run) over() bool {
	for _, q := range r.pods {
		if !q.step.State.Ended() {
			return false
		}
	}
	return true
}

// begin sends the next request, if its time has come and nobody has paused the run.
func (r *run) begin(ctx context.Context) {
	now := time.Now()
	if r.before == nil && now.Sub(r.began) < knowFor {
		return
	}
	for _, q := range r.pods {
		waits := q.step.State == action.StepWaits || q.step.State == action.StepRetrying
		if waits && !q.busy && r.progress.Skipped(q.ref.UID) {
			r.set(q, action.StepSkipped, "")
		} else if waits && !q.busy && r.free(now) {
			r.next = later(r.next.Add(beat), now.Add(beat/2)) // what was late is not caught up with at once
			r.set(q, action.StepAsking, r.asking())
			r.asks++
			r.fly(ctx, q, r.ask)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *run) asking() string {
	if r.off != nil {
		return "removing its finalizers"
	}
	return "asked to go"
}

// fly does something about a pod beside the loop.
func (r *run) fly(ctx context.Context, q *pod, do func(context.Context, *pod) answer) {
	q.busy = true
	r.flying++
	safe.Go("remove", func() { r.answers <- do(ctx, q) })
}

// ask sends the one request that the plan has for a pod.
func (r *run) ask(ctx context.Context, q *pod) answer {
	a := answer{pod: q, asked: true, unsent: ctx.Err() != nil}
	switch {
	case a.unsent:
	case r.off != nil:
		a.err = strip(ctx, r.cluster, q.ref, q.finalizers, r.off)
	default:
		a.gone, a.err = remove(ctx, r.cluster, q.ref, r.force)
	}
	return a
}

// take takes what came of a request.
func (r *run) take(a answer) {
	q := a.pod
	q.busy = false
	r.flying--
	if a.asked {
		r.asked(q, a)
		return
	}
	r.seen(q, a)
}

// asked takes the answer to the one request that changes something.
func (r *run) asked(q *pod, a answer) {
	r.asks--
	late := !a.unsent && send.Away(a.err)
	if !a.unsent && !late {
		r.release()
	}
	switch {
	case a.unsent:
		r.set(q, action.StepLeft, "")
	case late:
		r.retry(q, a.err)
	case a.gone:
		r.set(q, action.StepGone, "was gone already")
	case a.err == nil && r.off != nil && len(r.rest(q)) > 0:
		r.set(q, action.StepDone, "removed; it stays: "+text.Some(owned(r.rest(q)), 2))
	case a.err == nil:
		q.sent = time.Now()
		r.set(q, action.StepTerminating, "accepted")
	case errors.Is(a.err, send.ErrReplaced):
		r.set(q, action.StepFailed, "this is a different pod now; nothing was done")
	case errors.Is(a.err, errChanged):
		r.set(q, action.StepFailed, "changed meanwhile; nothing was done")
		q.step.Why = []string{"Its finalizers are not those that the sheet has shown.", "Plan again to see those that it has now."}
	case errors.Is(a.err, send.ErrUnknown):
		q.sent = time.Now()
		r.set(q, action.StepUnknown, "no answer; it is not known whether it was done")
		q.step.Why = []string{kube.Explain(a.err).Sentence, "Look at the pod before you do it again."}
	default:
		e := kube.Explain(a.err)
		r.set(q, action.StepFailed, e.Sentence)
		q.step.Why = []string{e.Sentence, e.Next}
	}
	r.progress.Step(q.step)
}

// rest are the finalizers of a pod that the plan leaves.
func (r *run) rest(q *pod) []string {
	return slices.DeleteFunc(slices.Clone(q.finalizers), func(name string) bool { return r.off[name] })
}

// look looks at the pods that were asked to go: at their rows, and live at those whose rows say that they are gone, or say
// nothing. Without rows each is read every 2 s, or less often if there are many.
func (r *run) look(ctx context.Context) {
	live := r.rows.load()
	if live && r.before == nil {
		r.before = r.rows.uids()
	}
	now := time.Now()
	going := slices.DeleteFunc(slices.Clone(r.pods), func(q *pod) bool {
		return q.step.State != action.StepTerminating && q.step.State != action.StepStuck
	})
	pause := max(lookEvery, time.Duration(len(going))*beat)
	for _, q := range going {
		var row *kube.Pod // rows that are not live say nothing: the pod may have gone since
		if live {
			row = r.rows.of(q.ref.UID)
		}
		if live && row == nil && q.row != nil {
			q.looked = time.Time{} // it has vanished
		}
		if q.row = row; row != nil && row.Deleting() {
			q.deadline = row.Deletion.At
			if q.requested.IsZero() {
				q.requested = row.Deletion.At.Add(-row.Deletion.Grace)
			}
		}
		r.judge(q, now)
		if !q.step.State.Ended() && !q.busy && r.flying < most {
			r.lookAt(ctx, q, now, pause)
		}
	}
}

func (r *run) lookAt(ctx context.Context, q *pod, now time.Time, pause time.Duration) {
	unseen := q.row == nil || q.deadline.IsZero() && now.Sub(q.sent) > time.Second
	switch {
	case q.step.State == action.StepStuck && now.Sub(q.whyAt) >= diagnosed:
		q.whyAt, q.looked = now, now
		r.fly(ctx, q, r.diagnose)
	case unseen && now.Sub(q.looked) >= pause:
		q.looked = now
		r.fly(ctx, q, r.read)
	}
}

func (r *run) read(ctx context.Context, q *pod) answer {
	now, err := get(ctx, r.cluster, q.ref)
	return answer{pod: q, now: now, err: err}
}

// diagnose finds out why a pod is late.
func (r *run) diagnose(ctx context.Context, q *pod) answer {
	f, err := read(ctx, r.cluster, []kube.Ref{q.ref}, reading{claims: true})
	a := answer{pod: q, err: err}
	if err == nil {
		d := f.diagnose(f.pods[0])
		a.now, a.why = f.pods[0].Pod, &d
	}
	return a
}

// seen takes what a reading of a pod has found.
func (r *run) seen(q *pod, a answer) {
	if send.Away(a.err) {
		r.hold(a.err)
		return
	}
	r.release()
	switch {
	case apierrors.IsNotFound(a.err), errors.Is(a.err, send.ErrReplaced), errors.Is(a.err, errGone):
		note := "gone"
		if r.force {
			note = "out of the API"
		}
		r.set(q, action.StepGone, note)
	case a.err == nil:
		q.keepers = a.now.Finalizers
		if a.now.DeletionTimestamp != nil {
			q.deadline = a.now.DeletionTimestamp.Time
			if q.requested.IsZero() {
				q.requested = q.deadline.Add(-time.Duration(grace(a.now)) * time.Second)
			}
		}
		if a.why != nil && q.step.State == action.StepStuck {
			q.why = a.why
			q.step.Note = "should be gone: " + q.because()
			q.explain()
			r.progress.Step(q.step)
		}
	}
}

// judge says how a pod stands that was asked to go, and ends the wait for one that does not.
func (r *run) judge(q *pod, now time.Time) {
	late := min(now.Sub(q.deadline), now.Sub(q.sent), now.Sub(r.back))
	graceful := !r.force && r.off == nil
	switch {
	case r.progress.Skipped(q.ref.UID):
		r.set(q, action.StepAccepted, "not watched any more; it goes on")
	case r.away != "": // how the pod stands is not known now
	case q.deadline.IsZero() && now.Sub(q.sent) >= 2*patience:
		r.set(q, action.StepAccepted, "accepted; it could not be read since")
	case q.deadline.IsZero():
	case !graceful && len(q.keepers) > 0 && late >= short:
		r.set(q, action.StepAccepted, "still there: "+text.Some(owned(q.keepers), 2))
		q.step.Severity = kube.Warning
		q.step.Why = append(keep(q.keepers), "Removing them is an action of its own, with a sheet of its own.")
		r.progress.Step(q.step)
	case late < 0 && !q.step.Until.Equal(q.deadline):
		r.set(q, action.StepTerminating, "its containers have until "+clock(q.deadline))
		q.step.Until = q.deadline
		r.progress.Step(q.step)
	case late >= short && graceful && q.hold != "":
		r.set(q, action.StepAccepted, "Terminating: "+q.hold)
		q.step.Severity = kube.Warning
		q.step.Why = []string{"It goes when its kubelet is back, by the out-of-service taint, with the Node object, or by force."}
		r.progress.Step(q.step)
	case late >= patience:
		r.set(q, action.StepAccepted, "still Terminating: "+q.because())
		q.explain()
		r.progress.Step(q.step)
	case late >= short && q.step.State == action.StepTerminating:
		r.set(q, action.StepStuck, "should be gone")
	}
}

// explain says why a pod is late.
func (q *pod) explain() {
	if q.why != nil {
		q.step.Why = append([]string{sentence(q.why.Sentence), sentence("what can be done: " + q.why.Next)}, q.why.Also...)
	}
}

// keep says of finalizers who has to remove them.
func keep(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, words(n)+" keeps it until "+about(n).owner+" removes it.")
	}
	return out
}

func (q *pod) because() string {
	if q.why == nil {
		return "why is not known"
	}
	return q.why.Sentence
}

// abandon ends what has not come to its end when the run has.
func (r *run) abandon(q *pod) {
	switch state := q.step.State; {
	case state == action.StepRetrying && q.doubt:
		r.set(q, action.StepUnknown, "answered with 503; it is not known whether it was done")
	case state == action.StepWaits, state == action.StepRetrying, state == action.StepAsking:
		r.set(q, action.StepLeft, "")
	case state == action.StepTerminating, state == action.StepStuck:
		r.set(q, action.StepAccepted, "accepted; not watched to its end")
	}
}

// set brings a pod into a state.
func (r *run) set(q *pod, state action.StepState, note string) {
	q.step = action.Step{Object: q.ref, State: state, Note: note, Since: time.Now(), Place: q.step.Place}
	r.progress.Step(q.step)
}

// say says how the whole stands.
func (r *run) say() {
	count := map[action.StepState]int{}
	ended := 0
	for _, q := range r.pods {
		count[q.step.State]++
		if q.step.State.Ended() {
			ended++
		}
	}
	note := r.stripped()
	if note == "" {
		note = fmt.Sprintf("%s of %s gone", text.Count(count[action.StepGone]), text.Count(len(r.pods)-count[action.StepStays]))
	}
	if n := count[action.StepTerminating]; n > 0 {
		note += fmt.Sprintf(", %d terminating", n)
	}
	if n := count[action.StepStuck]; n > 0 {
		note += fmt.Sprintf(", %d stuck", n)
	}
	if n := count[action.StepWaits] + count[action.StepRetrying]; n > 0 {
		note += fmt.Sprintf(", %d not asked yet", n)
	}
	note += r.holding()
	if note == r.said {
		return
	}
	r.said = note
	r.progress.Say(note, action.Tally{Done: ended, Of: len(r.pods)})
}
