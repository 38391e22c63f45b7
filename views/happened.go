package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// Said is where a pane finds what was said of the objects of its rows; *kube.Cluster is one. None of its methods may block: they are
// called while drawing. Lists that it gives are the newest first, and must not be changed.
type Said interface {
	EventsOf(kube.Ref) []*kube.Event
	EventsState() kube.State
}

// remarks are the events beside the rows of a pane. The zero value knows none, and says nothing of them.
type remarks struct{ said Said }

// of gives what was said of some objects, the newest first.
func (h remarks) of(objects ...kube.Ref) []*kube.Event {
	if h.said == nil {
		return nil
	}
	if len(objects) == 1 {
		return h.said.EventsOf(objects[0])
	}
	var out []*kube.Event
	for _, o := range objects {
		out = append(out, h.said.EventsOf(o)...)
	}
	slices.SortStableFunc(out, func(a, b *kube.Event) int { return b.Last.Compare(a.Last) })
	return out
}

// stripMemory is how long after it was said for the last time a warning is worth a place beside the diagnosis. Who wants to know what was
// before that finds it in the details.
const stripMemory = time.Hour

// remark adds the newest warning to a diagnosis that does not say the same already.
func (h remarks) remark(lines []string, events []*kube.Event, now time.Time) []string {
	for _, e := range events {
		switch {
		case now.Sub(e.Last) > stripMemory:
			return lines
		case e.Warning() && !told(lines, e):
			return append(slices.Clip(lines), saidWords(e, now))
		}
	}
	return lines
}

// saidWords are an event in one line: "Unhealthy x3+ 2m ago: readiness probe answers 503".
func saidWords(e *kube.Event, now time.Time) string {
	head := e.Reason
	if e.Count > 1 || e.AtLeast {
		head += " " + countWords(e)
	}
	return head + " " + since(now, e.Last) + " ago: " + e.Sentence()
}

// countWords are how often something was said: "x57", "x57+" where it may be more by now.
func countWords(e *kube.Event) string {
	n := "x" + text.Count(max(e.Count, 1))
	if e.AtLeast {
		n += "+"
	}
	return n
}

// saysAlready are words of diagnoses that tell what events of a reason tell.
var saysAlready = map[string][]string{
	"BackOff":              {"starts again", "due to start", "cannot pull", "keeps ending"},
	"Failed":               {"cannot pull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"},
	"NodeNotReady":         {"silent", "NotReady"},
	"TaintManagerEviction": {"deleted "},
	"BackoffLimitExceeded": {"BackoffLimitExceeded"},
	"DeadlineExceeded":     {"DeadlineExceeded"},
	"Evicted":              {"Evicted"},
}

// enough is how much of the beginning of two messages is compared, in bytes: rows leave out what stands further behind.
const enough = 32

// told reports whether a diagnosis says already what an event does.
func told(lines []string, e *kube.Event) bool {
	cause := e.Message
	if _, after, ok := strings.Cut(cause, " is forbidden: "); ok {
		cause = after
	}
	cause = strings.ToValidUTF8(cause[:min(len(cause), enough)], "")
	sentence := e.Sentence()
	for _, l := range lines {
		if cause != "" && strings.Contains(l, cause) || strings.Contains(l, sentence) {
			return true
		}
		for _, words := range saysAlready[e.Reason] {
			if strings.Contains(l, words) {
				return true
			}
		}
	}
	return false
}

// ofPod are the lines of the strip of a pod: the step of its life that has not come yet where that says more than its status, its diagnosis,
// and the newest warning.
func (h remarks) ofPod(p *kube.Pod, m kube.Moment) []string {
	lines, events := p.Diagnosis(m), h.of(p.Ref())
	if p.Phase == "Pending" && !m.Nodes[p.Node].Silent {
		if stands := kube.Stands(p, kube.Life(events), m.Now); stands != "" {
			lines = append([]string{stands}, lines...)
		}
	}
	return h.remark(lines, events, m.Now)
}

// ofNode are those of a node.
func (h remarks) ofNode(n *kube.Node, m kube.Moment) []string {
	return h.remark(n.Diagnosis(m), h.of(n.Ref()), m.Now)
}

// ofWorkload are those of a workload. That its pods cannot be made comes before everything: there are no pods that could tell.
func (h remarks) ofWorkload(w *kube.Workload, m kube.Moment) []string {
	lines, events := w.Diagnosis(m), h.of(workloadRefs(w, m)...)
	if e := refused(w, events); e != nil { // a condition may say the same, in the server's words
		lines = slices.DeleteFunc(lines, func(l string) bool { return told([]string{l}, e) })
		lines = append([]string{saidWords(e, m.Now)}, lines...)
	}
	return h.remark(lines, events, m.Now)
}

// workloadRefs are a workload, and what it has made to make its pods.
func workloadRefs(w *kube.Workload, m kube.Moment) []kube.Ref {
	refs := []kube.Ref{w.Ref()}
	for _, r := range w.RunsOf(m) {
		refs = append(refs, r.Ref())
	}
	return refs
}

// refused is why the pods that a workload lacks cannot be made, nil if nothing says so: the newest FailedCreate, if its object has made none
// since.
func refused(w *kube.Workload, events []*kube.Event) *kube.Event {
	if !lacksPods(w) {
		return nil
	}
	made := map[string]bool{}
	for _, e := range events {
		switch {
		case e.Reason == "SuccessfulCreate":
			made[e.Object.String()] = true
		case e.Reason == "FailedCreate" && !made[e.Object.String()]:
			return e
		}
	}
	return nil
}

// lacksPods reports whether there are fewer pods than there should be, ready or not.
func lacksPods(w *kube.Workload) bool {
	if w.Run != nil {
		return w.Run.Active == 0 && w.Ready < w.Desired && w.Run.Complete.IsZero() && len(w.Hitches) == 0 && !w.Paused
	}
	return w.Kind&(kube.StatefulSets|kube.Deployments|kube.DaemonSets|kube.ReplicaSets) != 0 && w.Current < w.Desired
}

// mostEvents is how many events the details have; the Events pane has all.
const mostEvents = 20

// sections are what the details of an object say of events: the table of the newest warning that has one, and all of them.
func (h remarks) sections(object kube.Ref, events []*kube.Event, now time.Time) []action.Section {
	if h.said == nil {
		return nil
	}
	var out []action.Section
	for _, e := range events {
		if t := e.Table(); e.Warning() && len(t.Rows) > 0 {
			out = append(out, tableSection(e, t, now))
			break
		}
	}
	return append(out, h.list(object, events, now))
}

// tableSection is a message that has been taken apart.
func tableSection(e *kube.Event, t kube.EventTable, now time.Time) action.Section {
	s := action.Section{Title: t.Title, Note: e.Reason + " " + since(now, e.Last) + " ago"}
	for i, title := range t.Columns {
		numbers := i < len(t.Columns)-1
		for _, row := range t.Rows {
			numbers = numbers && strings.Trim(row[i], "0123456789-") == ""
		}
		s.Columns = append(s.Columns, action.Column{Title: title, Right: numbers})
	}
	for _, row := range t.Rows {
		s.Rows = append(s.Rows, action.Row{Cells: row})
	}
	return s
}

// list are the events of an object, the newest first.
func (h remarks) list(object kube.Ref, events []*kube.Event, now time.Time) action.Section {
	s := action.Section{Title: "events"}
	if len(events) == 0 {
		s.Rows = []action.Row{{Cells: []string{h.none(object)}}}
		return s
	}
	others := slices.ContainsFunc(events, func(e *kube.Event) bool { return e.Object.Name != object.Name || e.Object.Ref().Kind != object.Kind })
	s.Columns = []action.Column{{Title: "AGE", Right: true}, {Title: "COUNT", Right: true}, {Title: "REASON"}, {Title: "FROM", Wide: true}, {Title: "MESSAGE"}}
	s.Note = eventsNote(events, now)
	for _, e := range events[:min(len(events), mostEvents)] {
		row := action.Row{Cells: []string{since(now, e.Last), countWords(e), e.Reason, dash(e.From), eventMessage(e, others)}}
		if e.Warning() {
			row.Severity = kube.Warning
		}
		s.Rows = append(s.Rows, row)
	}
	if more := len(events) - mostEvents; more > 0 {
		s.Rows = append(s.Rows, action.Row{Cells: []string{"", "", "", "", "and " + text.Count(more) + " more in the Events pane"}})
	}
	return s
}

// eventMessage is the message in full, after the object where there are several.
func eventMessage(e *kube.Event, named bool) string {
	s := e.Message
	if named {
		s = e.Object.String() + ": " + s
	}
	if e.Expired {
		s += " (expired on the server)"
	}
	return s
}

// eventsNote says how many there are, since when, and what a plus means.
func eventsNote(events []*kube.Event, now time.Time) string {
	oldest, plus := events[0].First, false
	for _, e := range events {
		if e.First.Before(oldest) {
			oldest = e.First
		}
		plus = plus || e.AtLeast
	}
	note := text.Count(len(events)) + " since " + clock(oldest, now)
	if plus {
		note += "; + is at least"
	}
	return note
}

// none says what it means that no event is known.
func (h remarks) none(object kube.Ref) string {
	st := h.said.EventsState()
	switch {
	case st.Phase == kube.Loading && st.Err == nil:
		return "not read yet"
	case st.Phase == kube.Denied, st.Missing != nil && (st.MissingFrom == "" || st.MissingFrom == object.Namespace):
		return "you may not list events: get, list and watch on events would let you"
	case (st.Phase == kube.Loading || st.Phase == kube.Failed) && st.Err != nil:
		e := kube.Explain(st.Err)
		return strings.TrimSpace("they cannot be read: " + e.Sentence + " " + e.Next)
	}
	return "none known; the API keeps them for an hour by default"
}

// life is the section that shows what became of a pod and of its containers, step by step.
func life(p *kube.Pod, events []*kube.Event, now time.Time) []action.Section {
	steps := kube.Life(events)
	if len(steps) < 2 {
		return nil
	}
	s := action.Section{Title: "life"}
	var order []string
	lines := map[string][]string{}
	var before time.Time
	for _, step := range steps {
		if _, ok := lines[step.Container]; !ok {
			order = append(order, step.Container)
		}
		words := step.Reason
		if step.Event.Count > 1 || step.Event.AtLeast {
			words += " " + countWords(step.Event)
		}
		if before.IsZero() {
			words += " " + clock(step.At, now)
		} else {
			words += " +" + text.Age(step.At, before)
		}
		before = step.At
		lines[step.Container] = append(lines[step.Container], words)
	}
	for _, name := range order {
		line := strings.Join(lines[name], ", ")
		if name != "" {
			line = name + ": " + line
		}
		s.Rows = append(s.Rows, action.Row{Cells: []string{line}})
	}
	if stands := kube.Stands(p, steps, now); stands != "" {
		s.Rows = append(s.Rows, action.Row{Severity: kube.Warning, Cells: []string{stands}})
	}
	return []action.Section{s}
}

// podSections are those of a pod's details.
func (h remarks) podSections(p *kube.Pod, m kube.Moment) []action.Section {
	events := h.of(p.Ref())
	return append(life(p, events, m.Now), h.sections(p.Ref(), events, m.Now)...)
}

// workloadSections are those of a workload's.
func (h remarks) workloadSections(w *kube.Workload, m kube.Moment) []action.Section {
	return h.sections(w.Ref(), h.of(workloadRefs(w, m)...), m.Now)
}

// nodeSections are those of a node's: its own events, and what was said of its pods because of it.
func (h remarks) nodeSections(n *kube.Node, m kube.Moment) []action.Section {
	out := h.sections(n.Ref(), h.of(n.Ref()), m.Now)
	if s := h.onPods(n, m); len(s.Rows) > 0 {
		out = append(out, s)
	}
	return out
}

// onPods are the warnings that were said of pods that are not well, and are about their node: the newest of each reason, and of how many.
func (h remarks) onPods(n *kube.Node, m kube.Moment) action.Section {
	s := action.Section{
		Title: "said of its pods", Columns: []action.Column{{Title: "AGE", Right: true}, {Title: "PODS", Right: true}, {Title: "REASON"}, {Title: "MESSAGE"}},
	}
	if h.said == nil {
		return s
	}
	newest, pods := map[string]*kube.Event{}, map[string]map[string]struct{}{}
	for _, ailing := range m.Ailing {
		for _, p := range ailing {
			if p.Node != n.Name {
				continue
			}
			for _, e := range h.said.EventsOf(p.Ref()) {
				if !e.OfNode() {
					continue
				}
				if old := newest[e.Reason]; old == nil || e.Last.After(old.Last) {
					newest[e.Reason] = e
				}
				if pods[e.Reason] == nil {
					pods[e.Reason] = map[string]struct{}{}
				}
				pods[e.Reason][p.UID] = struct{}{}
			}
		}
	}
	var reasons []string
	for r := range newest {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(a, b string) int { return newest[b].Last.Compare(newest[a].Last) })
	for _, r := range reasons {
		s.Rows = append(s.Rows, action.Row{Severity: kube.Warning, Cells: []string{
			since(m.Now, newest[r].Last), fmt.Sprint(len(pods[r])), r, newest[r].Message,
		}})
	}
	return s
}
