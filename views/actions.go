package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// Runs is where the Actions pane gets what it shows; a pair of feeds of *action.Runner is one.
type Runs struct {
	Runs  Feed[*action.Run]
	Steps func(of func() string) Feed[*action.Step] // of the run that the function names
	Run   func(id string) *action.Run               // nil if there is none
}

// runField is the pin of a run whose steps are shown.
const runField = "run"

// actions is the Actions pane: what was done, what is running, what was cut off; and the steps of one of them.
type actions struct {
	source Runs
	runs   *list[*action.Run]
	steps  *list[*action.Step]
	open   string // ID of the run whose steps are shown, "" while it is the runs
}

// NewActions makes the Actions pane.
func NewActions(source Runs) View {
	v := &actions{source: source}
	v.runs = newList(source.Runs, v.runSpec())
	v.steps = newList(source.Steps(func() string { return v.open }), v.stepSpec())
	return v
}

func (v *actions) runSpec() spec[*action.Run] {
	return spec[*action.Run]{
		name: "actions", one: "action", many: "actions", none: "Nothing has been done in this context so far, as far as the audit log goes.",
		scope: keymap.Actions, needs: kube.Actions,
		columns:   runColumns(),
		orders:    runOrders(),
		byName:    func(a, b *action.Run) int { return -strings.Compare(a.ID, b.ID) },
		severity:  func(r *action.Run, _ kube.Moment) kube.Severity { return r.Worst() },
		fields:    runFilterFields(),
		counts:    runCounts,
		state:     func(r *action.Run, m kube.Moment) string { return runState(r, m.Now) },
		diagnosis: runDiagnosis,
		details:   runDetails,
		open:      func(r *action.Run) []Effect { return v.show(r) },
		other:     runKey,
		copied:    func(r *action.Run) string { return strings.Join(r.Command, "\n") },
		why:       whyNotRun,
	}
}

func (v *actions) stepSpec() spec[*action.Step] {
	return spec[*action.Step]{
		name: "actions", one: "step", many: "steps", none: "Nothing has been begun.",
		scope: keymap.Steps, needs: kube.Actions,
		columns: stepColumns(),
		orders:  stepOrders(),
		byName: func(a, b *action.Step) int {
			return cmp.Or(a.Place-b.Place, strings.Compare(a.Ref().UID, b.Ref().UID))
		},
		severity: func(s *action.Step, _ kube.Moment) kube.Severity { return s.Worst() },
		fields:   stepFilterFields(),
		counts:   func(s *kube.Snapshot[*action.Step]) string { return text.Plural(s.Total, "step", "steps") },
		state: func(s *action.Step, m kube.Moment) string {
			return s.State.String() + " since " + clock(s.Since, m.Now)
		},
		diagnosis: func(s *action.Step, _ kube.Moment) []string { return s.Why },
		details:   stepDetails,
		open:      openStep,
		other: func(s *action.Step, id keymap.ID) []Effect {
			if r := v.run(); r != nil {
				return stepKey(r, s, id)
			}
			return nil
		},
		copied: func(s *action.Step) string { return s.Object.FullName() },
		why: func(s *action.Step, id keymap.ID) string {
			switch {
			case id != keymap.SkipStep:
			case s.State.Ended():
				return "nothing more happens to it"
			case s.Follows:
				return "it follows from what the server has accepted: it cannot be left out any more"
			}
			switch {
			case !onStep(id):
			case s.Object.Kind != kube.Pods:
				return "it is not a pod"
			case s.Object.UID == "" || s.State == action.StepGone:
				return "there is no such pod now"
			}
			return whyNotRun(v.run(), id)
		},
	}
}

// onStep reports whether a key acts on the object of a step.
func onStep(id keymap.ID) bool {
	return id == keymap.StepScale || id == keymap.StepDelete || id == keymap.StepForce
}

// stepKey is what the keys of the pane do to a step, or to its run.
func stepKey(r *action.Run, s *action.Step, id keymap.ID) []Effect {
	switch {
	case onStep(id):
		return []Effect{Act{ID: id, Refs: []kube.Ref{s.Object}}}
	case id == keymap.SkipStep:
		return []Effect{Control{Run: r.ID, Step: s.Ref().UID, Name: s.Object.FullName(), ID: id}}
	}
	return runKey(r, id)
}

// run is the one whose steps are shown.
func (v *actions) run() *action.Run { return v.source.Run(v.open) }

// show opens the steps of a run. Of one of an earlier program there are none, but lines of the audit log.
func (v *actions) show(r *action.Run) []Effect {
	if r.Earlier {
		return []Effect{ShowDetails{}}
	}
	v.enter(r.ID)
	return nil
}

// enter shows the steps of a run, or the runs if id is "".
func (v *actions) enter(id string) {
	if v.open == id {
		return
	}
	if id == "" {
		v.runs.table.Select(v.open) // who comes back means the run that he comes from
	}
	v.open = id
	v.steps.table.Reset()
	v.steps.ask(question{})
	v.steps.load()
}

// runKey is what the keys of the pane do to a run.
func runKey(r *action.Run, id keymap.ID) []Effect {
	switch id {
	case keymap.CancelRun, keymap.PauseRun, keymap.CheckRun:
		return []Effect{Control{Run: r.ID, ID: id}}
	case keymap.UndoRun:
		return []Effect{Act{ID: keymap.ID(r.Undo.Action), Refs: r.Undo.Target.Refs, Options: r.Undo.Options}}
	case keymap.RunRetain:
		return []Effect{Act{ID: id, Refs: r.Target.Refs}}
	case keymap.ResumeRun:
		return []Effect{Act{ID: keymap.ID(r.Action), Refs: r.Target.Refs, Options: r.Options}}
	case keymap.ShowRun:
		return []Effect{ShowDetails{r.ID}}
	case keymap.StepNode:
		return []Effect{Open{Place{Pane: "nodes", Name: r.Target.Refs[0].Name}}}
	}
	return nil
}

// whyNotRun gives the reason for which a key does nothing to a run, "" if it does.
func whyNotRun(r *action.Run, id keymap.ID) string {
	if r == nil {
		return "the action is not known any more"
	}
	switch id {
	case keymap.CancelRun, keymap.PauseRun, keymap.SkipStep:
		if r.State != action.Running {
			return "it has ended: " + r.State.String()
		}
		if r.Earlier {
			return "another ktriage carries it out"
		}
	case keymap.UndoRun:
		switch {
		case r.State == action.Running:
			return "it is still running"
		case r.Undo == nil:
			return "it has changed nothing that can be taken back here"
		}
	case keymap.CheckRun:
		if r.Standing == (action.Standing{}) {
			return "it has left nothing behind that wants looking after"
		}
	case keymap.RunRetain:
		if r.Action != action.Scale || !slices.ContainsFunc(r.Target.Refs, func(ref kube.Ref) bool { return ref.Kind == kube.StatefulSets }) {
			return "it does not scale a StatefulSet"
		}
		if r.State == action.Done {
			return "it has ended: what it has removed is gone, and nothing else is removed"
		}
	case keymap.ResumeRun:
		if r.State != action.Interrupted {
			return "it was not cut off: " + r.State.String()
		}
	case keymap.StepNode:
		if len(r.Target.Refs) == 0 || r.Target.Refs[0].Kind != kube.Nodes {
			return "it is not about a node"
		}
	}
	return ""
}

// openStep goes to the object of a step.
func openStep(s *action.Step) []Effect {
	pane := map[kube.Kinds]string{kube.Nodes: "nodes", kube.Pods: "pods", kube.Certs: "certs", kube.CSRs: "certs"}[s.Object.Kind]
	if s.Object.Kind&kube.Workloads != 0 {
		pane = "workloads"
	}
	if pane == "" {
		return []Effect{Flash{"there is no pane for it", themes.Muted}}
	}
	place := Place{Pane: pane, UID: s.Object.UID}
	if s.Object.Kind == kube.CSRs {
		place.Pin = requestsPin
	}
	if place.UID == "" { // it did not exist when the plan was made
		place.Name = s.Object.FullName()
	}
	return []Effect{Open{place}}
}

func runColumns() []table.Column[*action.Run] {
	return []table.Column[*action.Run]{
		{ID: "time", Title: "START", Min: 8, Cell: func(r *action.Run, m kube.Moment) table.Cell { return plain(startText(r, m.Now)) }},
		{ID: "action", Title: "ACTION", Min: 8, Max: 17, Cell: func(r *action.Run, _ kube.Moment) table.Cell { return plain(r.Action.Verb()) }},
		{ID: "object", Title: "OBJECT", Min: 18, Max: 60, Middle: true,
			Cell: func(r *action.Run, _ kube.Moment) table.Cell { return plain(r.Target.Name()) }},
		{ID: "state", Title: "STATE", Min: 9, Cell: func(r *action.Run, _ kube.Moment) table.Cell {
			return table.Cell{Text: stateWord(r), Token: severityToken(r.Worst())}
		}},
		{ID: "result", Title: "RESULT", Min: 30, Flex: true, Cell: func(r *action.Run, _ kube.Moment) table.Cell { return plain(dash(r.Note)) }},
		{ID: "user", Title: "BY", Min: 4, Max: 24, Drop: 1, Cell: func(r *action.Run, _ kube.Moment) table.Cell { return plain(dash(r.User)) }},
		{ID: "took", Title: "TOOK", Min: 5, Right: true, Drop: 2, Cell: func(r *action.Run, m kube.Moment) table.Cell { return plain(took(r, m.Now)) }},
	}
}

// stateWord is the state of a run, in which a pause counts.
func stateWord(r *action.Run) string {
	if r.Paused && r.State == action.Running {
		return "paused"
	}
	return r.State.String()
}

// startText is the time of day of today, the date of any other.
func startText(r *action.Run, now time.Time) string {
	t := r.Started.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("Jan _2")
}

// took is how long a run took, or has been taking.
func took(r *action.Run, now time.Time) string {
	switch {
	case !r.Ended.IsZero():
		return text.Age(r.Ended, r.Started)
	case r.State == action.Running && !now.Before(r.Started): // another host's clock may be ahead
		return text.Age(now, r.Started)
	}
	return "-"
}

func runOrders() []order[*action.Run] {
	return []order[*action.Run]{
		{id: "time", title: "newest first", column: "time",
			key: func(r *action.Run, _ uint8, _ kube.Moment) uint64 { return newest(r.Started) }},
		{id: "object", title: "object", column: "object",
			compare: func(a, b *action.Run) int { return strings.Compare(a.Target.Name(), b.Target.Name()) }},
		{id: "state", title: "state", column: "state",
			key: func(r *action.Run, _ uint8, _ kube.Moment) uint64 { return uint64(r.Worst()) }},
	}
}

func runCounts(s *kube.Snapshot[*action.Run]) string {
	running := 0
	for i := range s.Len() {
		if s.Row(i).State == action.Running {
			running++
		}
	}
	return fmt.Sprintf("%d running, %d ended", running, s.Len()-running)
}

func runState(r *action.Run, now time.Time) string {
	s := stateWord(r)
	if t := took(r, now); t != "-" {
		s += " " + t
	}
	return s
}

func runDiagnosis(r *action.Run, _ kube.Moment) []string {
	var out []string
	if r.Standing.Text != "" {
		out = append(out, r.Standing.Text)
	}
	if r.Note != "" {
		out = append(out, r.Action.Verb()+" "+r.Target.Name()+": "+r.Note)
	}
	if r.AuditErr != "" {
		out = append(out, "the audit log does not have its end: "+r.AuditErr)
	}
	return out
}

func runDetails(r *action.Run, m kube.Moment) []Fact {
	facts := []Fact{
		{"state", stateWord(r), r.Worst()},
		{"result", dash(r.Note), kube.OK},
	}
	if r.Standing.Text != "" {
		facts = append(facts, Fact{"look after", r.Standing.Text, r.Standing.Severity})
	}
	facts = append(facts, []Fact{
		{"by", dash(r.User), kube.OK},
		{"context", text.Clean(r.Target.Context), kube.OK},
		{"started", absolute(r.Started, m.Now), kube.OK},
		{"ended", absolute(r.Ended, m.Now), kube.OK},
		{"took", took(r, m.Now), kube.OK},
	}...)
	for _, ref := range r.Target.Refs {
		facts = append(facts, Fact{"object", ref.FullName() + "  uid " + ref.UID, kube.OK})
	}
	for _, s := range r.Page {
		facts = append(facts, sectionFacts(s)...)
	}
	for _, c := range r.Command {
		facts = append(facts, Fact{"kubectl", c, kube.OK})
	}
	if r.AuditErr != "" {
		facts = append(facts, Fact{"audit log", "does not have its end: " + r.AuditErr, kube.Bad})
	}
	for _, l := range r.Lines {
		facts = append(facts, Fact{"audit line", l, kube.OK})
	}
	return facts
}

// sectionFacts writes a part of a result page as facts.
func sectionFacts(s action.Section) []Fact {
	out := []Fact{{"", "", kube.OK}, {"", strings.TrimSpace(s.Title + "  " + s.Note), kube.OK}}
	for _, row := range s.Rows {
		out = append(out, Fact{"", strings.Join(row.Cells, "  "), row.Severity})
	}
	return out
}

func stepColumns() []table.Column[*action.Step] {
	return []table.Column[*action.Step]{
		{ID: "object", Title: "OBJECT", Min: 20, Max: 60, Middle: true,
			Cell: func(s *action.Step, _ kube.Moment) table.Cell { return plain(s.Object.FullName()) }},
		{ID: "state", Title: "STATE", Min: 11, Cell: func(s *action.Step, _ kube.Moment) table.Cell {
			return table.Cell{Text: s.State.String(), Token: severityToken(s.Worst())}
		}},
		{ID: "time", Title: "FOR", Min: 5, Right: true,
			Cell: func(s *action.Step, m kube.Moment) table.Cell { return plain(since(m.Now, s.Since)) }},
		{ID: "note", Title: "NOW", Min: 16, Flex: true, Cell: func(s *action.Step, m kube.Moment) table.Cell {
			return table.Cell{Text: stepNote(s, m.Now), Token: severityToken(s.Worst())}
		}},
	}
}

// stepNote is what is so now, with what is left of the time that it takes.
func stepNote(s *action.Step, now time.Time) string {
	left := s.Until.Sub(now).Round(time.Second)
	switch {
	case s.Until.IsZero() || s.State.Ended():
		return dash(s.Note)
	case left <= 0:
		return strings.TrimPrefix(s.Note+", now", ", ")
	case s.State == action.StepTerminating:
		return strings.TrimPrefix(fmt.Sprintf("%s, %s left", s.Note, left), ", ")
	}
	return strings.TrimPrefix(fmt.Sprintf("%s, again in %s", s.Note, left), ", ")
}

func stepOrders() []order[*action.Step] {
	return []order[*action.Step]{
		{id: "state", title: "what needs you", column: "state",
			key: func(s *action.Step, _ uint8, _ kube.Moment) uint64 { return stepRank(s) }},
		{id: "object", title: "object", column: "object",
			compare: func(a, b *action.Step) int { return strings.Compare(a.Object.FullName(), b.Object.FullName()) }},
		{id: "time", title: "newest first", column: "time",
			key: func(s *action.Step, _ uint8, _ kube.Moment) uint64 { return newest(s.Since) }},
	}
}

// stepRank puts first what wants attention, then what is going on, then what is over, and last what stays.
func stepRank(s *action.Step) uint64 {
	rank := uint64(s.Worst()) * 8
	switch {
	case s.State == action.StepStays:
		return 0
	case !s.State.Ended():
		rank += 4
	}
	return rank + 1
}

func stepDetails(s *action.Step, m kube.Moment) []Fact {
	facts := []Fact{
		{"state", s.State.String(), s.Worst()},
		{"since", absolute(s.Since, m.Now), kube.OK},
		{"now", stepNote(s, m.Now), kube.OK},
	}
	for i, w := range s.Why {
		facts = append(facts, Fact{map[bool]string{true: "why"}[i == 0], w, kube.OK})
	}
	if !s.Until.IsZero() {
		facts = append(facts, Fact{"until", absolute(s.Until, m.Now), kube.OK})
	}
	return append(facts, Fact{"uid", s.Object.UID, kube.OK})
}
