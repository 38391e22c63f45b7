package action

import (
	"slices"
	"time"

	"ktriage/kube"
)

// Runs gives the runs of this program and the earlier ones that the audit log has, oldest first.
func (r *Runner) Runs() []*Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Run
	for _, run := range r.earlier {
		out = append(out, r.watched(run))
	}
	for _, l := range r.runs {
		out = append(out, r.watched(l.view()))
	}
	return out
}

// watched is a run with what it has left behind for somebody to look after, as far as is known now.
func (r *Runner) watched(run *Run) *Run {
	kind, ok := r.Kind(run.Action).(Watchful)
	if !ok || run.Checked || run.State == Running {
		return run
	}
	standing := kind.Standing(r.cluster, run)
	if standing == run.Standing {
		return run
	}
	seen := *run
	seen.Standing = standing
	return &seen
}

// Standing gives the runs that have left behind what somebody has to look after.
func (r *Runner) Standing() []*Run {
	return slices.DeleteFunc(r.Runs(), func(run *Run) bool { return run.Standing == Standing{} })
}

// LookAgain looks whether what runs have left behind has changed, and tells readers if it has. It does not block.
func (r *Runner) LookAgain() {
	var now []Standing
	for _, run := range r.Standing() {
		now = append(now, run.Standing)
	}
	r.mu.Lock()
	news := !slices.Equal(now, r.standing)
	r.standing = now
	r.mu.Unlock()
	if news {
		r.changed()
	}
}

// view is a run as it stands. The lock of the runner is held.
func (l *live) view() *Run {
	run := l.run
	note, tally := l.progress.said()
	run.Done, run.Steps = tally.Done, tally.Of
	if run.State == Running {
		run.Severity = worst(l.progress.Steps())
		if note != "" {
			run.Note = note
		}
	}
	return &run
}

// worst is what wants attention most among the steps of a run.
func worst(steps []*Step) kube.Severity {
	w := kube.OK
	for _, s := range steps {
		w = max(w, s.Worst())
	}
	return w
}

// Run gives one run, nil if there is none of that ID.
func (r *Runner) Run(id string) *Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.runs {
		if l.run.ID == id {
			return r.watched(l.view())
		}
	}
	if i := slices.IndexFunc(r.earlier, func(run *Run) bool { return run.ID == id }); i >= 0 {
		return r.watched(r.earlier[i])
	}
	return nil
}

// Running gives the runs of this program that are under way.
func (r *Runner) Running() []*Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Run
	for _, l := range r.runs {
		if l.run.State == Running {
			out = append(out, l.view())
		}
	}
	return out
}

// Steps gives the steps of a run of this program, in the order of its plan.
func (r *Runner) Steps(id string) []*Step {
	if l := r.find(id); l != nil {
		return l.progress.Steps()
	}
	return nil
}

// RunFeed gives the Actions pane its rows.
func (r *Runner) RunFeed() *Feed[*Run] {
	return &Feed[*Run]{
		of: func() string { return "" }, rows: func(string) []*Run { return r.Runs() }, version: r.version.Load, sev: (*Run).Worst, ask: r.tell,
	}
}

// StepFeed gives the steps of the run that of names, which may be another one each time.
func (r *Runner) StepFeed(of func() string) *Feed[*Step] {
	return &Feed[*Step]{of: of, rows: r.Steps, version: r.version.Load, sev: (*Step).Worst, ask: r.tell}
}

// pokeGap is the least time between two pieces of news, as in the publication of rows.
const pokeGap = 125 * time.Millisecond

// changed tells readers that there is news, at once or as soon as pokeGap has passed.
func (r *Runner) changed() {
	r.version.Add(1)
	r.tell()
}

// tell has readers look, at once or as soon as pokeGap has passed.
func (r *Runner) tell() {
	r.poke.Lock()
	defer r.poke.Unlock()
	if r.poke.pending {
		return
	}
	wait := pokeGap - time.Since(r.poke.last)
	if wait <= 0 {
		r.poke.last = time.Now()
		r.cluster.Notifier().Poke(kube.Actions)
		return
	}
	r.poke.pending = true
	time.AfterFunc(wait, func() {
		r.poke.Lock()
		r.poke.pending, r.poke.last = false, time.Now()
		r.poke.Unlock()
		r.cluster.Notifier().Poke(kube.Actions)
	})
}

// Ending says how a run has ended in one line: "drain worker-12: 23 of 23 pods gone".
func (r *Run) Ending() string {
	s := r.Action.Verb() + " " + r.Target.Name()
	if r.State != Done {
		s += " " + r.State.String()
	}
	if r.Note != "" {
		s += ": " + r.Note
	}
	return s
}
