package action

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	return audit.Record{
		Time: at, Event: event, Run: l.run.ID, User: l.run.User, Context: text.Clean(l.run.Target.Context), Server: r.server(),
		Action: string(l.run.Action), Objects: objects(l.run.Target.Refs), Options: maps.Clone(l.plan.Options),
	}
}

// server is the address of the API server, "" if it is not known.
func (r *Runner) server() string {
	cfg := r.cluster.Config()
	if cfg == nil {
		return ""
	}
	return text.Clean(cfg.Host)
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

// earlierRuns makes runs of the lines of the log.
func earlierRuns(entries []audit.Entry, alive func(audit.Record) audit.Liveness) []*Run {
	ends := map[string]*audit.Entry{}
	for i := range entries {
		if entries[i].Event == audit.Result {
			ends[entries[i].Run] = &entries[i]
		}
	}
	var out []*Run
	for _, e := range entries {
		if e.Event == audit.Intent {
			out = append(out, runOf(e, ends[e.Run], alive(e.Record)))
		}
	}
	return out
}

// runOf makes a run of its lines in the log. Where there is no end, it hangs on the program that has begun it. All of it is
// cleaned: anybody may have written the file.
func runOf(e audit.Entry, end *audit.Entry, program audit.Liveness) *Run {
	run := &Run{
		ID: text.Clean(e.Run), Action: ID(text.Clean(e.Action)), User: text.Clean(e.User), Started: e.Time, Earlier: true,
		Target: Target{Context: e.Context}, Options: cleaned(e.Options), Lines: []string{shown(e.Line)},
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
		run.Lines = append(run.Lines, shown(end.Line))
		run.Page = became(end.Steps)
		run.Undo = undone(run, end.Steps)
	case program == audit.Alive:
		run.State, run.Note = Running, fmt.Sprintf("in another ktriage, process %d", e.PID)
	case program == audit.Elsewhere:
		run.State, run.Note = Unknown, "begun on host "+text.Clean(e.Host)+"; whether it runs there is not known"
	default:
		run.State, run.Note = Interrupted, "the program ended without a word"
	}
	return run
}

// shown is a line of the log as it can be shown; a long one is not shown to its end, and says so.
func shown(line string) string {
	const most = 2000
	if len(line) > most {
		return text.Clean(strings.ToValidUTF8(line[:most], "")) + " … (the rest is in the log)"
	}
	return text.Clean(line)
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

// undone is how a run of the log is taken back: on the nodes that it has changed, as its steps say.
func undone(run *Run, steps []audit.Step) *Undo {
	back := map[ID]ID{Cordon: Uncordon, Drain: Uncordon, Uncordon: Cordon}[run.Action]
	t := Target{Context: run.Target.Context}
	for _, ref := range run.Target.Refs {
		if slices.ContainsFunc(steps, func(s audit.Step) bool {
			changed := strings.HasPrefix(s.Note, "cordoned") || strings.HasPrefix(s.Note, "uncordoned")
			return s.UID == ref.UID && s.State == StepDone.String() && changed
		}) {
			t.Refs = append(t.Refs, ref)
		}
	}
	if back == "" || len(t.Refs) == 0 {
		return nil
	}
	return &Undo{back, t}
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
