package rollout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// work carries a plan out, one object after the other.
type work struct {
	id      action.ID
	context string
	items   []*item
}

// work is that of the plan; to are the revisions of a roll back, by the UID of the workload.
func (s *sheet) work(to map[string]*revision) action.Work {
	w := &work{id: s.id, context: s.target.Context}
	for _, x := range s.workloads {
		i := &item{id: s.id, ref: x.ref, template: x.template(), to: to[x.ref.UID], present: x.present}
		switch s.id {
		case action.Pause, action.Resume:
			i.was = held(x.object) == (s.id == action.Pause)
		case action.RollBack:
			if i.to == nil {
				return nil
			}
		default:
		}
		w.items = append(w.items, i)
	}
	if len(w.items) == 0 {
		return nil
	}
	return w
}

// Run implements action.Work. A rollout that gets stuck, or that somebody stops, keeps the others from being begun; a request
// that is refused does not.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &run{work: w, cluster: c, progress: p, began: time.Now(), steps: make([]action.Step, len(w.items))}
	for n, i := range w.items {
		r.steps[n] = action.Step{Object: i.ref, Since: r.began, Place: n}
		p.Step(r.steps[n])
	}
	for n := range w.items {
		r.do(ctx, n)
		p.Say(r.tally(), action.Tally{Done: n + 1, Of: len(w.items)})
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
	changed  []kube.Ref // what a request of ours has changed
	stop     string     // why no other rollout is begun: "shop/web is stuck", "shop/web was paused"; "" if there is no reason
}

// done are the words for what each action has done.
var done = map[action.ID]string{
	action.Restart: "restarted", action.RollBack: "rolled back", action.Pause: "paused", action.Resume: "resumed",
}

// do does what there is to be done to one object.
func (r *run) do(ctx context.Context, n int) {
	s, i := &r.steps[n], r.items[n]
	defer func() { s.Since = time.Now(); r.progress.Step(*s) }()
	switch {
	case i.was:
		s.State, s.Note = action.StepDone, i.before()
		return
	case !r.progress.Go(ctx):
		s.State = action.StepLeft
		return
	case r.progress.Skipped(s.Object.UID):
		s.State = action.StepSkipped
		return
	case r.stop != "":
		s.State, s.Note = action.StepLeft, "not begun: "+r.stop
		return
	}
	s.State, s.Since = action.StepAsking, time.Now()
	r.progress.Step(*s)
	changed, err := i.change(ctx, r.cluster)
	if changed {
		r.changed = append(r.changed, i.ref)
	}
	switch {
	case err != nil:
		r.fail(ctx, s, err)
	case !changed:
		s.State, s.Note = action.StepDone, i.before()
	case r.id == action.Pause || r.id == action.Resume:
		s.State, s.Note = action.StepDone, done[r.id]
	default:
		r.watch(ctx, s, i)
	}
}

// before says that there was nothing to be done.
func (i *item) before() string {
	if i.id == action.Resume {
		return "was not " + heldWord(i.ref.Kind)
	}
	return "was " + done[i.id] + " before"
}

// fail says why nothing was done, or that nobody knows.
func (r *run) fail(ctx context.Context, s *action.Step, err error) {
	said := kube.Explain(err)
	s.State, s.Note, s.Why = action.StepFailed, said.Sentence, []string{said.Sentence}
	if said.Next != "" {
		s.Why = append(s.Why, said.Next)
	}
	switch {
	case errors.Is(err, send.ErrUnknown):
		s.State, s.Note = action.StepUnknown, "no answer; it is not known whether it was "+done[r.id]
	case errors.Is(err, errGone):
		s.Note = "does not exist any more"
	case errors.Is(err, send.ErrReplaced):
		s.Note = "another object has the name now; nothing was done"
	case errors.Is(err, errChanged), errors.Is(err, errPaused):
		s.Note = strings.TrimPrefix(words(err.Error()), words(s.Object.FullName())+" ")
		s.Why = []string{s.Note, "Make the plan anew."}
	case ctx.Err() != nil && send.NotSettled(err): // before the request that would have changed something
		s.State, s.Note, s.Why = action.StepLeft, "", nil
	}
}

func (r *run) tally() string {
	n := 0
	for _, s := range r.steps {
		if s.State == action.StepDone {
			n++
		}
	}
	if len(r.steps) == 1 {
		return done[r.id]
	}
	return fmt.Sprintf("%d of %s %s", n, plural(len(r.steps), "workload"), done[r.id])
}

// result says how it has ended.
func (r *run) result(ctx context.Context) action.Result {
	out := action.Result{State: action.EndState(r.steps), Undo: r.undo()}
	out.Summary = fmt.Sprintf("%s in %v", r.tally(), time.Since(r.began).Round(100*time.Millisecond))
	worst := r.worst()
	switch {
	case out.State == action.Done:
		return out
	case r.stop != "" && out.State == action.Cancelled:
		out.State = action.Partial
	case ctx.Err() != nil && out.State == action.Partial:
		out.State = action.Cancelled
	}
	out.Summary = worst
	if len(r.steps) > 1 {
		out.Summary = r.tally() + "; " + worst
	}
	return out
}

// undo offers the way back. A restart needs none.
func (r *run) undo() *action.Undo {
	back := map[action.ID]action.ID{action.RollBack: action.RollBack, action.Pause: action.Resume, action.Resume: action.Pause}[r.id]
	if back == "" || len(r.changed) == 0 {
		return nil
	}
	u := &action.Undo{Action: back, Target: action.Target{Context: r.context, Refs: r.changed}}
	if i := r.items[0]; r.id == action.RollBack && len(r.items) == 1 && i.present > 0 {
		u.Options = action.Options{OptionRevision: strconv.FormatInt(i.present, 10)}
	}
	return u
}

// worst says what is wrong with the step that matters most.
func (r *run) worst() string {
	for _, state := range [...]action.StepState{
		action.StepUnknown, action.StepFailed, action.StepAccepted, action.StepLeft, action.StepSkipped,
	} {
		for _, s := range r.steps {
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
