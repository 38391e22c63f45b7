package action

import (
	"maps"
	"time"

	"ktriage/internal/audit"
	"ktriage/internal/text"
	"ktriage/kube"
)

// kindNames are how the audit log names kinds of objects.
var kindNames = map[kube.Kinds]string{kube.Nodes: "Node", kube.Pods: "Pod"}

func objects(refs []kube.Ref) []audit.Object {
	out := make([]audit.Object, len(refs))
	for i, r := range refs {
		out[i] = audit.Object{Kind: kindNames[r.Kind], Namespace: r.Namespace, Name: r.Name, UID: r.UID}
	}
	return out
}

// record is what both lines of a run have.
func (r *Runner) record(l *live, event audit.Event, at time.Time) audit.Record {
	server := ""
	if cfg := r.cluster.Config(); cfg != nil {
		server = text.Clean(cfg.Host)
	}
	return audit.Record{
		Time: at, Event: event, Run: l.run.ID, User: l.run.User, Context: text.Clean(l.run.Target.Context), Server: server,
		Action: string(l.run.Action), Objects: objects(l.run.Target.Refs), Options: maps.Clone(l.plan.Options), Version: r.settings.Version,
	}
}

// intent is the line before the first request.
func (r *Runner) intent(l *live) audit.Record {
	rec := r.record(l, audit.Intent, l.run.Started)
	rec.Details, rec.Command = l.plan.Details, l.plan.Kubectl
	return rec
}

// result is the line after the last.
func (r *Runner) result(l *live, result Result, at time.Time) audit.Record {
	rec := r.record(l, audit.Result, at)
	rec.State, rec.Summary = result.State.String(), result.Summary
	for _, s := range l.progress.Steps() {
		rec.Steps = append(rec.Steps, audit.Step{
			Object: objects([]kube.Ref{s.Object})[0],
			State:  s.State.String(), Note: s.Note, Since: s.Since,
		})
	}
	return rec
}

// earlierRuns makes runs of the lines of the log. One that has no end and whose program is alive is running elsewhere.
func earlierRuns(entries []audit.Entry, cut []audit.Interruption, alive func(audit.Record) audit.Liveness) []*Run {
	ends := map[string]*audit.Entry{}
	for i := range entries {
		if entries[i].Event == audit.Result {
			ends[entries[i].Run] = &entries[i]
		}
	}
	isCut := map[string]bool{}
	for _, c := range cut {
		isCut[c.Run] = true
	}
	var out []*Run
	for _, e := range entries {
		if e.Event != audit.Intent {
			continue
		}
		run := runOf(e, ends[e.Run], isCut[e.Run])
		if run.State == Running && alive(e.Record) == audit.Dead {
			run.State, run.Note = Interrupted, "the program ended without a word"
		}
		out = append(out, run)
	}
	return out
}

// runOf makes a run of its lines in the log; end may be nil. All of it is cleaned: anybody may have written the file.
func runOf(e audit.Entry, end *audit.Entry, cut bool) *Run {
	run := &Run{
		ID: text.Clean(e.Run), Action: ID(text.Clean(e.Action)), User: text.Clean(e.User), Started: e.Time, Earlier: true,
		Target: Target{Context: e.Context}, Lines: []string{text.Clean(e.Line)},
	}
	for _, o := range e.Objects {
		ref := kube.Ref{Namespace: text.Clean(o.Namespace), Name: text.Clean(o.Name), UID: text.Clean(o.UID)}
		for kind, name := range kindNames {
			if name == o.Kind {
				ref.Kind = kind
			}
		}
		run.Target.Refs = append(run.Target.Refs, ref)
	}
	for _, c := range e.Command {
		run.Command = append(run.Command, text.Clean(c))
	}
	switch {
	case end != nil:
		run.Ended, run.Note = end.Time, text.Clean(end.Summary)
		run.State = stateNamed(end.State)
		run.Lines = append(run.Lines, text.Clean(end.Line))
		run.Page = became(end.Steps)
	case cut:
		run.State, run.Note = Interrupted, "the program ended without a word"
	default:
		run.State, run.Note = Running, "in another ktriage"
	}
	return run
}

// stateNamed gives the state of that name; a word that nobody here knows is an outcome that nobody here knows.
func stateNamed(name string) State {
	for s := Running; s <= Interrupted; s++ {
		if s.String() == name {
			return s
		}
	}
	return Unknown
}

// became lists what became of each object, as the log has it.
func became(steps []audit.Step) []Section {
	if len(steps) == 0 {
		return nil
	}
	s := Section{Title: "what became of each object"}
	for _, step := range steps {
		name := kube.Ref{Namespace: text.Clean(step.Namespace), Name: text.Clean(step.Name)}.FullName()
		s.Rows = append(s.Rows, Row{Cells: []string{name, text.Clean(step.State), text.Clean(step.Note)}})
	}
	return []Section{s}
}
