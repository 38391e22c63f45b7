package deadnode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// work carries a plan out: one request for each node, and then it watches what becomes of their pods.
type work struct {
	id      action.ID
	context string
	nodes   []aim
	pods    []*pod // those that the plan releases
}

// aim is a node as the plan showed it.
type aim struct {
	ref     kube.Ref
	taints  []corev1.Taint
	alive   bool   // the sheet said so: there is no deletion without the choice to delete it all the same
	version string // at which its pods were read last
}

// pod is one that goes.
type pod struct {
	ref        kube.Ref
	node       string
	controller *metav1.OwnerReference // nil without
	ended      bool
	deleted    time.Time // when it was asked to go, if the plan was made after that; zero otherwise
	delay      time.Duration
	step       action.Step
}

func newPod(r *released) *pod {
	return &pod{
		ref: r.ref(), node: r.node, controller: metav1.GetControllerOf(r.pod), ended: r.class == finished,
		deleted: deletionAsked(r.pod), delay: r.delay,
	}
}

// deletionAsked is when a pod was asked to go, by the server's clock: its deletion timestamp is the end of its grace period.
func deletionAsked(p *corev1.Pod) time.Time {
	switch at, grace := p.DeletionTimestamp, p.DeletionGracePeriodSeconds; {
	case at == nil:
		return time.Time{}
	case grace == nil:
		return at.Time
	default:
		return at.Add(-time.Duration(*grace) * time.Second)
	}
}

// Run implements action.Work. A node that fails does not keep the others from being tried.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &run{work: w, cluster: c, progress: p, began: time.Now(), sent: map[string]bool{}}
	r.list()
	for i := range r.nodes {
		r.ask(ctx, i)
	}
	r.leaveOthers()
	if len(r.sent) > 0 && w.id != action.InService {
		r.watch(ctx)
	}
	return r.result(ctx)
}

// run is a work under way.
type run struct {
	*work
	cluster  *kube.Cluster
	progress *action.Progress
	began    time.Time
	steps    []action.Step   // of the nodes, in their order
	sent     map[string]bool // nodes whose pods may be expected to go: the server has accepted what was asked
	failure  error           // of the last reading
	changed  time.Time       // when something was last seen to happen
}

// list reports all steps as not begun.
func (r *run) list() {
	r.steps = make([]action.Step, len(r.nodes))
	for i, a := range r.nodes {
		r.steps[i] = action.Step{Object: a.ref, Since: r.began, Place: i}
		r.progress.Step(r.steps[i])
	}
	for i, p := range r.pods {
		p.step = action.Step{Object: p.ref, Since: r.began, Place: len(r.nodes) + i, Note: "on " + words(p.node)}
		r.progress.Step(p.step)
	}
}

// ask does what there is to be done to one node.
func (r *run) ask(ctx context.Context, i int) {
	s := &r.steps[i]
	defer func() { r.progress.Step(*s) }()
	if !r.progress.Go(ctx) {
		s.State, s.Since = action.StepLeft, time.Now()
		return
	}
	if r.progress.Skipped(s.Object.UID) {
		s.State, s.Since = action.StepSkipped, time.Now()
		return
	}
	s.State, s.Since = action.StepAsking, time.Now()
	r.progress.Step(*s)
	changed, err := r.one(ctx, r.nodes[i])
	s.Since = time.Now()
	if err == nil {
		s.State, s.Note = action.StepDone, outcome(r.id, changed)
		r.sent[s.Object.Name] = true
		return
	}
	said := kube.Explain(err)
	s.State, s.Note, s.Why = action.StepFailed, said.Sentence, []string{said.Sentence}
	if said.Next != "" {
		s.Why = append(s.Why, said.Next)
	}
	switch {
	case errors.Is(err, send.ErrUnknown):
		s.State, s.Note = action.StepUnknown, "no answer; it is not known whether it was done"
	case errors.Is(err, errHeld):
		s.State, s.Note = action.StepAccepted, strings.TrimPrefix(words(err.Error()), words(s.Object.Name)+" ")
		s.Why = []string{"The API server keeps the Node object until somebody takes its finalizers away; its pods go only then."}
		r.sent[s.Object.Name] = true
	case errors.Is(err, errGone):
		s.Note = "does not exist any more"
	case errors.Is(err, send.ErrReplaced):
		s.Note = "another node has the name now; nothing was done"
	case errors.Is(err, errAlive), errors.Is(err, errChanged):
		s.Note = strings.TrimPrefix(words(err.Error()), words(s.Object.Name)+" ")
		s.Why = []string{s.Note, "Make the plan anew."}
	case ctx.Err() != nil && send.NotSettled(err): // before the request that would have changed something
		s.State, s.Note, s.Why = action.StepLeft, "", nil
	}
}

func (r *run) one(ctx context.Context, a aim) (changed bool, err error) {
	if r.id == action.DeleteNode {
		return deleteNode(ctx, r.cluster, a)
	}
	return setTaint(ctx, r.cluster, a, r.id == action.OutOfService)
}

// outcome says what was done to a node.
func outcome(id action.ID, changed bool) string {
	done := map[action.ID][2]string{
		action.DeleteNode:   {"was deleted before", "deleted"},
		action.OutOfService: {"had the taint before", "out of service"},
		action.InService:    {"did not have the taint", "in service"},
	}[id]
	if changed {
		return done[1]
	}
	return done[0]
}

// leaveOthers ends the steps of the pods whose nodes are as they were.
func (r *run) leaveOthers() {
	for _, p := range r.pods {
		if !r.sent[p.node] {
			p.step.State, p.step.Since = action.StepLeft, time.Now()
			if r.stateOf(p.node) == action.StepUnknown {
				p.step.State, p.step.Note = action.StepUnknown, "it is not known whether "+words(p.node)+" let it go"
			}
			r.progress.Step(p.step)
		}
	}
}

func (r *run) stateOf(node string) action.StepState {
	for _, s := range r.steps {
		if s.Object.Name == node {
			return s.State
		}
	}
	return action.StepWaits
}

// result says how it has ended.
func (r *run) result(ctx context.Context) action.Result {
	out := action.Result{State: action.EndState(r.steps)}
	var pods []action.Step
	gone := 0
	for _, p := range r.pods {
		pods = append(pods, p.step)
		if p.step.State == action.StepGone {
			gone++
		}
	}
	took := time.Since(r.began).Round(time.Second)
	out.Summary = fmt.Sprintf("%s in %v", r.tally(gone), took)
	if r.id == action.InService {
		out.Summary = fmt.Sprintf("%s in %.1fs", r.tally(gone), time.Since(r.began).Seconds())
	}
	switch {
	case out.State == action.Done && ctx.Err() != nil && gone < len(pods):
		out.State, out.Summary = action.Cancelled, r.tally(gone)+"; the others go on by themselves"
	case out.State == action.Done && gone < len(pods):
		out.State, out.Summary = action.Partial, r.tally(gone)+"; "+worst(pods)
	case out.State != action.Done:
		out.Summary = worst(r.steps)
		if len(r.steps) > 1 {
			out.Summary = r.tally(gone) + "; " + out.Summary
		}
	}
	r.undo(&out)
	if gone > 0 {
		x := watchReplacements(r.cluster, r.pods, r.began)
		out.Page, out.Follow = x.page(), x.follow
	}
	return out
}

// undo offers the way back from a taint.
func (r *run) undo(out *action.Result) {
	back := map[action.ID]action.ID{action.OutOfService: action.InService, action.InService: action.OutOfService}[r.id]
	var refs []kube.Ref
	for _, s := range r.steps {
		if s.State == action.StepDone && s.Note == outcome(r.id, true) {
			refs = append(refs, s.Object)
		}
	}
	if back != "" && len(refs) > 0 {
		out.Undo = &action.Undo{Action: back, Target: action.Target{Context: r.context, Refs: refs}}
	}
}

// tally counts what has come of it so far.
func (r *run) tally(gone int) string {
	s, done := outcome(r.id, true), 0
	for _, step := range r.steps {
		if step.State == action.StepDone {
			done++
		}
	}
	switch {
	case len(r.nodes) > 1:
		s = fmt.Sprintf("%d of %s %s", done, plural(len(r.nodes), "node"), s)
	case r.steps[0].State == action.StepAccepted:
		s = r.steps[0].Note
	}
	if len(r.pods) > 0 {
		s += fmt.Sprintf("; %d of %s gone", gone, plural(len(r.pods), "pod"))
	}
	return s
}

// worst says what is wrong with the step that matters most.
func worst(steps []action.Step) string {
	for _, state := range [...]action.StepState{
		action.StepUnknown, action.StepFailed, action.StepAccepted, action.StepLeft, action.StepSkipped,
	} {
		for _, s := range steps {
			if s.State == state {
				note := s.Note
				if note == "" {
					note = state.String()
				}
				return words(s.Object.FullName()) + ": " + note
			}
		}
	}
	return ""
}
