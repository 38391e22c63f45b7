package evict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// tally counts the pods of the run that were to leave, by where they have come to.
type tally struct {
	of, gone, going, blocked, retrying, failed, left, skipped, accepted, unknown, stays int
}

func (r *run) tally() tally {
	var t tally
	for _, p := range r.pods {
		if p.state == action.StepStays {
			t.stays++
			continue
		}
		t.of++
		switch p.state {
		case action.StepGone:
			t.gone++
		case action.StepTerminating, action.StepStuck:
			t.going++
		case action.StepBlocked:
			t.blocked++
		case action.StepRetrying:
			t.retrying++
		case action.StepFailed:
			t.failed++
		case action.StepLeft:
			t.left++
		case action.StepSkipped:
			t.skipped++
		case action.StepAccepted:
			t.accepted++
		case action.StepUnknown:
			t.unknown++
		default:
		}
	}
	return t
}

// parts names what there is of a kind: "3 terminating", "1 blocked".
func parts(pairs ...any) []string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if n, _ := pairs[i].(int); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	return out
}

// say reports how the whole stands.
func (r *run) say() {
	t := r.tally()
	words := append([]string{fmt.Sprintf("%d of %d gone", t.gone, t.of)}, parts(t.going, "terminating", t.blocked, "blocked",
		t.retrying, "without an answer", t.failed, "failed", t.skipped, "left out", t.left, "left", t.accepted, "accepted",
		t.unknown, "unknown")...)
	note := strings.Join(words, ", ")
	switch {
	case r.away.on():
		note += "; the server does not answer: " + r.away.said
	case r.failing.on():
		note += "; the server fails: " + r.failing.said
	}
	if r.progress.Paused() {
		note += ", paused"
	}
	if note != r.said {
		r.said = note
		r.progress.Say(note, action.Tally{Done: t.gone, Of: t.of})
	}
}

// result says how the run has ended.
func (r *run) result(now time.Time) action.Result {
	t := r.tally()
	out := action.Result{State: r.state(t), Page: r.page(), Undo: r.undo()}
	took := now.Sub(r.began).Round(time.Second)
	words := []string{fmt.Sprintf("%d of %s gone", t.gone, text.Plural(t.of, "pod", "pods"))}
	switch {
	case t.of == 0:
		words = []string{"no pod had to leave"}
	case !r.cut:
		words[0] += " in " + took.String()
	}
	words = append(words, parts(t.skipped, "left out", t.failed, "refused for good", t.left, "not asked, or refused so far",
		t.unknown, "not known: whether "+one(t.unknown, "it was", "they were")+" evicted could not be found out")...)
	if t.accepted > 0 {
		words = append(words, fmt.Sprintf("%d terminating %s on", t.accepted, one(t.accepted, "goes", "go")))
	}
	if t.stays > 0 && !r.cut {
		words = append(words, fmt.Sprintf("%d %s", t.stays, one(t.stays, "stays", "stay")))
	}
	out.Summary = strings.Join(append(words, r.nodesStand()...), "; ")
	return out
}

func one(n int, singular, plural string) string {
	if n == 1 {
		return singular
	}
	return plural
}

// nodesStand says what is to be known of the nodes.
func (r *run) nodesStand() []string {
	var out []string
	for _, n := range r.nodes {
		switch {
		case n.trouble != "":
			out = append(out, n.Name+": "+n.trouble)
		case n.state == action.StepUnknown:
			out = append(out, "whether "+n.Name+" is cordoned is not known")
		case r.cut && n.state == action.StepDone:
			out = append(out, n.Name+" stays cordoned")
		}
		for _, p := range r.pods {
			if p.node == n && p.state == action.StepAccepted && r.silent(n) {
				out = append(out, "the "+finishing(n))
				break
			}
		}
	}
	return out
}

// state is the state of the whole, made of the states of its steps.
func (r *run) state(t tally) action.State {
	nodesWell, nodesUnknown := true, false
	for _, n := range r.nodes {
		nodesWell = nodesWell && n.well()
		nodesUnknown = nodesUnknown || n.state == action.StepUnknown
	}
	switch {
	case t.unknown > 0 || nodesUnknown:
		return action.Unknown
	case r.cut:
		return action.Cancelled
	case nodesWell && t.gone == t.of:
		return action.Done
	case t.gone == 0 && t.accepted == 0 && t.skipped == 0 && (t.of > 0 || !r.anyCordoned()):
		return action.Failed
	}
	return action.Partial
}

func (r *run) anyCordoned() bool {
	return slices.ContainsFunc(r.nodes, func(n *node) bool { return n.state == action.StepDone })
}

// undo uncordons the nodes that this run has cordoned, unless somebody has done so.
func (r *run) undo() *action.Undo {
	target := action.Target{Context: r.cluster.Context()}
	for _, n := range r.nodes {
		if n.ours && n.closed == "" {
			target.Refs = append(target.Refs, n.ref())
		}
	}
	if len(target.Refs) == 0 {
		return nil
	}
	return &action.Undo{Action: action.Uncordon, Target: target}
}

// page is what there is to look at when the run is over.
func (r *run) page() []action.Section {
	var out []action.Section
	for _, s := range []action.Section{r.leftToLookAt(), r.whereTheyWent(), r.lost(), r.askedOfServer()} {
		if len(s.Rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// leftToLookAt lists nodes with trouble, pods that have not gone, and pods whose replacements are not well.
func (r *run) leftToLookAt() action.Section {
	s := action.Section{Title: "left to look at"}
	for _, n := range r.nodes {
		if n.trouble != "" || n.state != action.StepDone {
			step := r.nodeStep(n)
			s.Rows = append(s.Rows, action.Row{Severity: step.Worst(), Cells: []string{n.Name, step.Note}})
		}
	}
	for _, p := range r.pods {
		step := r.podStep(p, nil)
		if p.state == action.StepStays || p.state == action.StepGone && step.Severity == kube.OK {
			continue
		}
		word := p.state.String() + ": "
		if p.state == action.StepGone {
			word = ""
		}
		s.Rows = append(s.Rows, action.Row{Severity: step.Worst(), Cells: []string{step.Object.FullName(), word + step.Note}})
	}
	s.Columns = []action.Column{{Title: "OBJECT"}, {Title: "NOW"}}
	s.Note = text.Count(len(s.Rows))
	return s
}

// whereTheyWent lists the pods that are gone with what has been made in their place.
func (r *run) whereTheyWent() action.Section {
	s := action.Section{Title: "where they went", Columns: []action.Column{
		{Title: "WAS"}, {Title: "IS NOW"}, {Title: "ON", Wide: true}, {Title: "STATE"}, {Title: "TOOK", Right: true, Wide: true},
	}}
	well, of := 0, 0
	for _, p := range r.pods {
		if p.state != action.StepGone || p.controller == nil || p.Finished || p.row == nil && !r.sees(p.Namespace) {
			continue
		}
		of++
		row := action.Row{Severity: kube.Warning, Cells: []string{p.Ref().FullName(), "-", "-", "not replaced so far", "-"}}
		if p.row != nil {
			state, fine := p.rowState()
			row.Cells = []string{p.Ref().FullName(), p.row.Name, firstOf(p.row.Node, "-"), state, p.since.Sub(r.began).Round(time.Second).String()}
			if fine {
				row.Severity = kube.OK
				well++
			}
		}
		s.Rows = append(s.Rows, row)
	}
	s.Note = fmt.Sprintf("%d of %d Ready", well, of)
	return s
}

// lost lists what the plan has said is lost with the pods that have left, or are going.
func (r *run) lost() action.Section {
	s := action.Section{Title: "lost, as the plan said"}
	for _, p := range r.pods {
		if !p.Fate.Goes() || p.state != action.StepGone && p.state != action.StepAccepted {
			continue
		}
		for _, v := range p.Lost {
			s.Rows = append(s.Rows, action.Row{Cells: []string{"emptyDir " + v.Name + " of " + p.Ref().FullName()}})
		}
		if p.Unowned {
			s.Rows = append(s.Rows, action.Row{Cells: []string{p.Ref().FullName() + ", no owner"}})
		}
	}
	s.Note = text.Count(len(s.Rows))
	return s
}

// askedOfServer counts what the server was asked.
func (r *run) askedOfServer() action.Section {
	c := r.counts
	line := text.Plural(c.accepted, "eviction", "evictions") + " accepted"
	if names := r.refusers(); c.refused > 0 {
		line += ", " + text.Count(c.refused) + " refused" + names + " (429)"
	}
	if c.putOff > 0 {
		line += ", " + text.Count(c.putOff) + " put off"
	}
	line += fmt.Sprintf(", %d failed", c.failed)
	if c.unclear > 0 {
		line += fmt.Sprintf(", %d without a clear answer", c.unclear)
	}
	return action.Section{Title: "asked of the server", Rows: []action.Row{{Cells: []string{line}}}}
}

// refusers names the budgets that have refused something.
func (r *run) refusers() string {
	var names []string
	for _, p := range r.pods {
		if p.refusals > 0 && p.budget.name != "" && !strings.Contains(strings.Join(names, " ")+" ", p.budget.name+" ") {
			names = append(names, p.budget.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " by " + strings.Join(names, ", ")
}
