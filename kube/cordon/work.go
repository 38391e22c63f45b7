package cordon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// work cordons or uncordons nodes, one after the other.
type work struct {
	on     bool
	nodes  []kube.Ref // all that were meant
	change []kube.Ref // of these, the ones that are not so already
}

// Run implements action.Work. A node that fails does not keep the others from being tried.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	began := time.Now()
	steps := make([]action.Step, len(w.nodes))
	for i, ref := range w.nodes {
		steps[i] = action.Step{Object: ref, State: action.StepWaits, Since: began, Place: i}
		if !slices.Contains(w.change, ref) {
			steps[i].State, steps[i].Note = action.StepDone, "was "+verb(w.on)+"ed before"
		}
		p.Step(steps[i])
	}
	var done []kube.Ref
	for i := range steps {
		s := &steps[i]
		if s.State.Ended() {
			continue
		}
		pause(ctx, p)
		switch {
		case ctx.Err() != nil:
			s.State, s.Since = action.StepLeft, time.Now()
		case p.Skipped(s.Object.UID):
			s.State, s.Since = action.StepSkipped, time.Now()
		default:
			s.State, s.Since = action.StepAsking, time.Now()
			p.Step(*s)
			if w.one(ctx, c, s) {
				done = append(done, s.Object)
			}
		}
		p.Step(*s)
		p.Say(fmt.Sprintf("%d of %d %sed", len(done), len(w.change), verb(w.on)), action.Tally{Done: i + 1, Of: len(steps)})
	}
	return w.result(c, steps, done, time.Since(began))
}

// pause waits for as long as nothing new is to be begun.
func pause(ctx context.Context, p *action.Progress) {
	for p.Paused() {
		select {
		case <-ctx.Done():
			return
		case <-p.Wish():
		}
	}
}

// one changes one node, and reports whether that changed it.
func (w *work) one(ctx context.Context, c *kube.Cluster, s *action.Step) bool {
	changed, err := Set(ctx, c, s.Object, w.on)
	s.Since = time.Now()
	switch {
	case err == nil && changed:
		s.State, s.Note = action.StepDone, verb(w.on)+"ed"
	case err == nil:
		s.State, s.Note = action.StepDone, "was "+verb(w.on)+"ed before"
	case errors.Is(err, send.ErrUnknown):
		s.State, s.Note = action.StepUnknown, "no answer; it is not known whether it was "+verb(w.on)+"ed"
		s.Why = []string{kube.Explain(err).Sentence}
	case errors.Is(err, send.ErrReplaced):
		s.State, s.Note = action.StepFailed, "another node has the name now; nothing was done"
	case ctx.Err() != nil && send.NotSettled(err): // before the request that would have changed something
		s.State = action.StepLeft
	default:
		s.State, s.Note = action.StepFailed, kube.Explain(err).Sentence
		s.Why = []string{kube.Explain(err).Sentence, kube.Explain(err).Next}
	}
	return err == nil && changed
}

func (w *work) result(c *kube.Cluster, steps []action.Step, done []kube.Ref, took time.Duration) action.Result {
	count := map[action.StepState]int{}
	for _, s := range steps {
		count[s.State]++
	}
	worst := worst(steps)
	r := action.Result{State: action.Done, Summary: fmt.Sprintf("%sed in %.1fs", verb(w.on), took.Seconds())}
	switch {
	case count[action.StepUnknown] > 0:
		r.State, r.Summary = action.Unknown, worst
	case count[action.StepLeft] > 0:
		r.State, r.Summary = action.Cancelled, fmt.Sprintf("%d of %s %sed", len(done), text.Plural(len(steps), "node", "nodes"), verb(w.on))
	case count[action.StepFailed] == len(w.change):
		r.State, r.Summary = action.Failed, worst
	case count[action.StepFailed]+count[action.StepSkipped] > 0:
		r.State, r.Summary = action.Partial, fmt.Sprintf("%d of %s; %s", count[action.StepDone], text.Plural(len(steps), "node", "nodes"), worst)
	}
	if len(done) > 0 {
		undo := action.Uncordon
		if !w.on {
			undo = action.Cordon
		}
		r.Undo = &action.Undo{Action: undo, Target: action.Target{Context: c.Context(), Refs: done}}
	}
	return r
}

// worst says what is wrong with the step that matters most.
func worst(steps []action.Step) string {
	for _, state := range []action.StepState{action.StepUnknown, action.StepFailed, action.StepSkipped} {
		for _, s := range steps {
			if s.State == state {
				return s.Object.Name + ": " + cmp.Or(s.Note, state.String())
			}
		}
	}
	return ""
}
