package action

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"ktriage/internal/audit"
	"ktriage/internal/text"
	"ktriage/kube"
)

func objects(refs []kube.Ref) []audit.Object {
	out := make([]audit.Object, len(refs))
	for i, r := range refs {
		out[i] = audit.Object{Kind: r.Kind.Kind(), Namespace: r.Namespace, Name: r.Name, UID: r.UID}
	}
	return out
}

// refs is the reverse of objects. All of it is cleaned: anybody may have written the file.
func refs(objects []audit.Object) []kube.Ref {
	out := make([]kube.Ref, len(objects))
	for i, o := range objects {
		out[i] = kube.Ref{
			Kind: kube.KindNamed(o.Kind), Namespace: text.Clean(o.Namespace), Name: text.Clean(o.Name), UID: text.Clean(o.UID),
		}
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
	if u := result.Undo; u != nil {
		rec.Undo = &audit.Undo{Action: string(u.Action), Objects: objects(u.Target.Refs), Options: maps.Clone(u.Options)}
	}
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
	ends, left := map[string]*audit.Entry{}, map[string]bool{}
	for i, e := range entries {
		switch e.Event {
		case audit.Result:
			ends[e.Run] = &entries[i]
		case audit.Left:
			left[e.Run] = true
		case audit.Intent:
		}
	}
	var out []*Run
	for _, e := range entries {
		if e.Event == audit.Intent {
			run := runOf(e, ends[e.Run], alive(e.Record))
			run.Checked = left[e.Run]
			out = append(out, run)
		}
	}
	return out
}

// runOf makes a run of its lines in the log. Where there is no end, it hangs on the program that has begun it. All of it is
// cleaned: anybody may have written the file.
func runOf(e audit.Entry, end *audit.Entry, program audit.Liveness) *Run {
	run := &Run{
		ID: text.Clean(e.Run), Action: ID(text.Clean(e.Action)), User: text.Clean(e.User), Started: e.Time, Earlier: true,
		Target: Target{Context: e.Context, Refs: refs(e.Objects)}, Options: cleaned(e.Options), Lines: []string{shown(e.Line)},
		Details: cleanDetails(e.Details),
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
		if u := end.Undo; u != nil {
			run.Undo = &Undo{ID(text.Clean(u.Action)), Target{Context: e.Context, Refs: refs(u.Objects)}, cleaned(u.Options)}
		}
	case program == audit.Alive:
		run.State, run.Note = Running, fmt.Sprintf("in another ktriage, process %d", e.PID)
	case program == audit.Elsewhere:
		run.State, run.Note = Unknown, "begun on host "+text.Clean(e.Host)+"; whether it runs there is not known"
	default:
		run.State, run.Note = Interrupted, "the program ended without a word"
	}
	return run
}

// cleanDetails gives details as they can be shown.
func cleanDetails(details map[string]any) map[string]any {
	if details == nil {
		return nil
	}
	out := make(map[string]any, len(details))
	for k, v := range details {
		out[text.Clean(k)] = cleanValue(v)
	}
	return out
}

// cleanValue cleans a value as encoding/json gives it.
func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return text.Clean(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cleanValue(v[i])
		}
		return out
	case map[string]any:
		return cleanDetails(v)
	}
	return v
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
