package action

import (
	"context"
	"os"
	"slices"
	"time"

	"ktriage/internal/audit"
	"ktriage/internal/text"
	"ktriage/kube"
)

// WatchLog looks at the log again and again: other programs write to it, and some end without a word. It blocks until ctx
// ends. While nobody writes and nobody else runs it reads nothing.
func (r *Runner) WatchLog(ctx context.Context) error {
	if r.audit == nil {
		return nil
	}
	again := time.NewTicker(logAgain)
	defer again.Stop()
	var seen int64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
		size := seen
		if info, err := os.Stat(r.audit.Path()); err == nil {
			size = info.Size()
		}
		if size == seen && !r.othersRun() {
			continue
		}
		seen = size
		if _, err := r.readEarlier(); err != nil {
			return err
		}
	}
}

// readEarlier reads what the log has of this context, apart from what this program has written.
func (r *Runner) readEarlier() ([]audit.Entry, error) {
	if r.audit == nil {
		return nil, nil
	}
	entries, err := r.audit.Read(logDepth)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e audit.Entry) bool {
		return e.Context != text.Clean(r.cluster.Context()) || r.server() != "" && e.Server != "" && e.Server != r.server() || r.find(e.Run) != nil
	})
	earlier := earlierRuns(entries, r.audit.Alive)
	r.mu.Lock()
	r.earlier = earlier
	r.mu.Unlock()
	r.changed()
	return entries, nil
}

func (r *Runner) othersRun() bool {
	return slices.ContainsFunc(r.Runs(), func(run *Run) bool { return run.Earlier && run.State == Running })
}

// othersOn gives a run of another program on an object of a plan, as the log has it now.
func (r *Runner) othersOn(p *Plan) *Run {
	if _, err := r.readEarlier(); err != nil {
		return nil // it is looked at again when the plan is carried out
	}
	for _, run := range r.Runs() {
		if run.Earlier && run.State == Running && !beside(p.Action, run.Action) && shares(run.Target, p.Target) {
			return run
		}
	}
	return nil
}

// ahead gives a run of another living program on one of the objects of a run whose line in the log is written, if that
// program wrote its own before: of two that begin at the same time, one goes on.
func (r *Runner) ahead(l *live) *Run {
	entries, err := r.audit.Read(logDepth)
	if err != nil {
		return nil // what cannot be read refuses nothing: the line of this run has been written
	}
	i := slices.IndexFunc(entries, func(e audit.Entry) bool { return e.Run == l.run.ID })
	for _, run := range earlierRuns(entries[:max(i, 0)], r.audit.Alive) {
		ended := slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Event == audit.Result && e.Run == run.ID })
		if run.State == Running && !ended && !beside(l.run.Action, run.Action) && r.find(run.ID) == nil && shares(run.Target, l.run.Target) {
			return run
		}
	}
	return nil
}

// shares reports whether two targets have an object in common.
func shares(a, b Target) bool {
	return slices.ContainsFunc(a.Refs, func(ref kube.Ref) bool {
		return slices.ContainsFunc(b.Refs, func(other kube.Ref) bool { return other.UID == ref.UID })
	})
}
