package scale

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// deploymentOf gives the Deployment of a ReplicaSet, a Ref without a name if it has none.
func deploymentOf(rs *appsv1.ReplicaSet) kube.Ref {
	d := metav1.GetControllerOf(rs)
	if d == nil || d.Kind != "Deployment" {
		return kube.Ref{}
	}
	return kube.Ref{Kind: kube.Deployments, Namespace: rs.Namespace, Name: d.Name, UID: string(d.UID)}
}

func line(s kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: s, Cells: []string{fmt.Sprintf(format, args...)}}
}

// sections are the parts of the sheet, worst first; those that have nothing to say are left out.
func (p *Plan) sections() []action.Section {
	var out []action.Section
	if len(p.Workloads) == 1 {
		w := &p.Workloads[0]
		out = []action.Section{p.blocks(), p.twice(), p.lost(), p.safer(), w.strip(p), w.volumes(p.Retain), w.checks()}
	} else {
		out = []action.Section{p.blocks(), p.twice(), p.lost(), p.safer(), p.table(), p.warnings()}
	}
	var unknown []action.Row
	for _, u := range p.Unknown {
		unknown = append(unknown, line(kube.Warning, "%s", u))
	}
	out = append(out, action.Section{Title: "not known", Rows: unknown})
	return slices.DeleteFunc(out, func(s action.Section) bool { return len(s.Rows) == 0 && len(s.Toggles) == 0 })
}

// safer offers to keep the claims that would go.
func (p *Plan) safer() action.Section {
	if len(p.condemned()) == 0 {
		return action.Section{}
	}
	return action.Section{Title: "safer first", Toggles: []string{OptionRetain}}
}

// mostRows is how many rows a section has at most.
const mostRows = 12

// cut keeps the first rows, and says how many more there are.
func cut(rows []action.Row, columns int) []action.Row {
	if len(rows) <= mostRows {
		return rows
	}
	more := fmt.Sprintf("and %s more", text.Count(len(rows)-mostRows+1))
	cells := make([]string, max(columns, 1))
	cells[0] = more
	return append(rows[:mostRows-1:mostRows-1], action.Row{Cells: cells})
}

// blocks tells of what does not get to its end.
func (p *Plan) blocks() action.Section {
	out := action.Section{Title: "blocked", Note: "the server accepts it, and nothing more happens"}
	several := len(p.Workloads) > 1
	for _, w := range p.changing() {
		b := w.Blocked
		if b == nil {
			continue
		}
		name := ""
		if several {
			name = full(w.Ref) + ": "
		}
		severity := kube.Bad
		if !w.down() {
			severity = kube.Warning
		}
		out.Rows = append(out.Rows, line(severity, "%sblocked by %s: %s", name, b.By, b.Why))
		if several {
			continue
		}
		switch {
		case b.Among:
			out.Rows = append(out.Rows, line(kube.OK, "Two pods that are to go are not well: neither goes before the other is (OrderedReady)."))
		case w.down():
			out.Rows = append(out.Rows, line(kube.OK, "OrderedReady: nothing is removed while a pod that stays is not Running and Ready."))
		default:
			out.Rows = append(out.Rows, line(kube.OK, "OrderedReady: no pod is made while one with a lower ordinal is not Running and Ready."))
		}
		if len(b.Goes) > 0 {
			out.Rows = append(out.Rows, line(kube.OK, "Before that %s.", many(len(b.Goes), b.Goes[0]+" goes", "pods go: "+text.Some(b.Goes, mostNamed))))
		}
		out.Rows = append(out.Rows, line(kube.OK, "If its fault lasts, fewer members may be too few for the application; if it passes, wait: do not scale into it."))
	}
	if out.Rows = cut(out.Rows, 1); len(out.Rows) > 0 {
		out.Toggles = []string{OptionOverride}
	}
	return out
}

// lost tells what cannot be undone.
func (p *Plan) lost() action.Section {
	out := action.Section{Title: "cannot be undone", Note: p.reasons(), Columns: []action.Column{
		{Title: "CLAIM"}, {Title: "SIZE"}, {Title: "MODE", Wide: true}, {Title: "VOLUME", Wide: true}, {Title: "RECLAIM"}, {Title: "AFTER"},
	}}
	for _, w := range p.changing() {
		for _, c := range w.fated(Deleted) {
			out.Rows = append(out.Rows, action.Row{Severity: kube.Bad, Cells: []string{
				c.Name, c.Size, c.Mode, cmp.Or(c.Volume, "-"), cmp.Or(c.Reclaim, "?"), c.after()}})
		}
	}
	out.Rows = cut(out.Rows, len(out.Columns))
	return out
}

// reasons are why the name has to be typed, on one line.
func (p *Plan) reasons() string {
	reasons := p.tiers()
	if len(reasons) == 0 {
		return ""
	}
	return text.Cut("why this is tier 3: "+text.And(reasons), 54, "...")
}

// tiers are the reasons of all workloads, each once.
func (p *Plan) tiers() []string {
	var out []string
	for _, w := range p.changing() {
		for _, why := range w.Tier {
			if !slices.Contains(out, why) {
				out = append(out, why)
			}
		}
	}
	return out
}

// twice says why the name has to be typed, where no section has said it.
func (p *Plan) twice() action.Section {
	out := action.Section{Title: "look twice", Note: "why this is tier 3"}
	for _, why := range p.tiers() {
		if why != "whenScaled Delete" {
			out.Rows = append(out.Rows, line(kube.Bad, "%s", why))
		}
	}
	out.Rows = cut(out.Rows, 1)
	return out
}

// strip shows the pods: by ordinal side by side if there are few, else in stretches of equal ones below each other.
func (w *Workload) strip(p *Plan) action.Section {
	out := action.Section{Title: "pods", Note: "a ReplicaSet chooses which go"}
	if w.Policy != "" {
		out.Title, out.Note = "ordinals", string(w.Policy)
		if w.Policy == appsv1.OrderedReadyPodManagement {
			out.Note += map[bool]string{true: ", highest first, one at a time", false: ", lowest first, one at a time"}[w.down()]
		} else {
			out.Note += ", all at once"
		}
	}
	if side := w.sideBySide(out, p); w.Policy != "" && len(w.Members) > 0 && width(side) <= mostWide {
		return side
	}
	out.Columns = []action.Column{{Title: "POD"}, {Title: "NOW"}, {Title: "NODE", Wide: true}, {Title: "AFTER"}}
	if w.Policy == "" {
		slices.SortStableFunc(w.Members, func(a, b Member) int { // those that go first, then those that are ill
			return cmp.Or(boolInt(b.Removed > 0)-boolInt(a.Removed > 0), a.Removed-b.Removed, boolInt(a.Well)-boolInt(b.Well))
		})
	}
	for from := 0; from < len(w.Members); {
		to := from + 1
		for to < len(w.Members) && alike(w.Members[from], w.Members[to]) {
			to++
		}
		out.Rows = append(out.Rows, w.stretch(w.Members[from:to]))
		from = to
	}
	out.Rows = cut(out.Rows, len(out.Columns))
	return out
}

// mostWide is how wide a table may be to be read on a terminal of 80 columns.
const mostWide = 70

// width is how wide a table is drawn: two cells are between its columns.
func width(s action.Section) int {
	sum := 2 * (len(s.Columns) - 1)
	for i, c := range s.Columns {
		widest := text.Width(c.Title)
		for _, r := range s.Rows {
			widest = max(widest, text.Width(r.Cells[i]))
		}
		sum += widest
	}
	return sum
}

// alike reports whether two neighbours can be told of in one row.
func alike(a, b Member) bool {
	return a.Well == b.Well && a.State == b.State && (a.Removed > 0) == (b.Removed > 0) && (a.Made > 0) == (b.Made > 0)
}

func (w *Workload) stretch(m []Member) action.Row {
	first, last := m[0], m[len(m)-1]
	row := action.Row{Severity: first.severity()}
	name, node, after := first.Name, cmp.Or(first.Node, "-"), first.after(w)
	if len(m) > 1 {
		name = fmt.Sprintf("%s to %s", first.Name, last.Name)
		if w.Policy == "" {
			name = fmt.Sprintf("%s and %d more", first.Name, len(m)-1)
		}
		node = one(len(m), "pod")
		after = fmt.Sprintf("%d stay", len(m))
		switch {
		case first.Removed > 0:
			after = fmt.Sprintf("%d removed", len(m))
		case first.Made > 0:
			after = fmt.Sprintf("%d made", len(m))
		case first.State == "Terminating":
			after = first.after(w)
		}
	}
	row.Cells = []string{name, first.now(), node, after}
	return row
}

func (m Member) severity() kube.Severity {
	if m.UID != "" && !m.Well {
		return kube.Warning
	}
	return kube.OK
}

// now is the state of a pod in a word or two.
func (m Member) now() string {
	switch {
	case m.UID == "":
		return "-"
	case m.Well:
		return "● " + m.State
	}
	return "▲ " + m.State
}

// after is what becomes of a pod.
func (m Member) after(w *Workload) string {
	single := w.Policy == appsv1.OrderedReadyPodManagement
	switch {
	case m.Removed > 0 && single && w.Fewer > 1:
		return "removed " + place(m.Removed)
	case m.Removed > 0:
		return "removed"
	case m.Made > 0 && single && w.New > 1:
		return "made " + place(m.Made)
	case m.Made > 0:
		return "made"
	case m.State == "Terminating" && w.Policy == "":
		return "goes"
	case m.State == "Terminating":
		return "made again"
	}
	return "stays"
}

// place is an ordinal number: 1st, 2nd, 3rd, 4th.
func place(n int) string {
	if teen := n%100 > 10 && n%100 < 14; !teen && n%10 < 4 && n%10 > 0 {
		return fmt.Sprint(n) + [...]string{"", "st", "nd", "rd"}[n%10]
	}
	return fmt.Sprint(n) + "th"
}

func (w *Workload) sideBySide(out action.Section, p *Plan) action.Section {
	out.Columns = []action.Column{{Title: "ordinal"}}
	now, after, node := action.Row{Cells: []string{"now"}}, action.Row{Cells: []string{"after"}}, action.Row{Cells: []string{"node"}}
	for _, m := range w.Members {
		out.Columns = append(out.Columns, action.Column{Title: fmt.Sprint(m.Ordinal)})
		state := m.now()
		if m.UID != "" && !m.Since.IsZero() && len(w.Members) <= 3 {
			state += " " + text.Age(p.Made, m.Since)
		}
		now.Severity = max(now.Severity, m.severity())
		now.Cells, after.Cells = append(now.Cells, state), append(after.Cells, m.after(w))
		node.Cells = append(node.Cells, cmp.Or(text.CutMiddle(m.Node, 12, ".."), "-"))
	}
	out.Rows = []action.Row{now, after, node}
	return out
}

// volumes lists the claims that are made, used again or left, and those that go where that is not told above.
func (w *Workload) volumes(retain bool) action.Section {
	out := action.Section{Title: "volumes", Columns: []action.Column{
		{Title: "CLAIM"}, {Title: "SIZE"}, {Title: "MODE"}, {Title: "VOLUME", Wide: true}, {Title: "AFTER"},
	}}
	if !w.changes() {
		return out
	}
	switch {
	case w.Deletes && retain && w.down():
		out.Note = "whenScaled Retain (set first)"
	case w.Deletes:
		out.Note = "whenScaled Delete"
	default:
		out.Note = "whenScaled Retain: none is deleted"
	}
	for _, fate := range []Fate{Reused, Kept, Made} {
		for _, c := range w.fated(fate) {
			severity := kube.OK
			after := c.after()
			if fate == Reused {
				severity, after = kube.Warning, after+", made "+c.Created.Local().Format("2006-01-02 15:04")
			}
			out.Rows = append(out.Rows, action.Row{Severity: severity, Cells: []string{c.Name, c.Size, c.Mode, cmp.Or(c.Volume, "-"), after}})
		}
	}
	out.Rows = cut(out.Rows, len(out.Columns))
	return out
}

func (w *Workload) checks() action.Section {
	out := action.Section{Title: "checks"}
	for _, n := range w.notes {
		switch {
		case n.good:
			out.Rows = append(out.Rows, line(kube.OK, "✓ %s", n.text))
		case n.severity < kube.Warning:
			out.Rows = append(out.Rows, line(kube.OK, "○ %s", n.text))
		default:
			out.Rows = append(out.Rows, line(n.severity, "%s", n.text))
		}
	}
	return out
}

// table lists several workloads, those that want a look first.
func (p *Plan) table() action.Section {
	out := action.Section{Title: p.noun(len(p.Workloads)), Note: "marked, shown or not; each has its own number", Columns: []action.Column{
		{Title: "NAME"}, {Title: "KIND", Wide: true}, {Title: "NOW", Right: true}, {Title: "TO", Right: true}, {Title: "WHAT HAPPENS"},
	}}
	order := make([]*Workload, len(p.Workloads))
	for i := range p.Workloads {
		order[i] = &p.Workloads[i]
	}
	slices.SortStableFunc(order, func(a, b *Workload) int { return b.rank() - a.rank() })
	for _, w := range order {
		severity, what := kube.OK, strings.TrimSpace(w.going()+w.coming())
		switch {
		case w.Fault != "":
			severity, what = kube.Bad, w.Fault
		case !w.changes():
			what = "left as it is"
		case w.Blocked != nil:
			severity, what = kube.Bad, "blocked by "+w.Blocked.By
		case len(w.fated(Deleted)) > 0:
			severity, what = kube.Bad, what+" "+many(len(w.fated(Deleted)), "claim", "claims")+" deleted."
		case len(w.Tier) > 0:
			severity = kube.Warning
		}
		out.Rows = append(out.Rows, action.Row{Severity: severity, Cells: []string{
			full(w.Ref), w.Ref.Kind.Kind(), fmt.Sprint(w.From), fmt.Sprint(w.To), what}})
	}
	out.Rows = cut(out.Rows, len(out.Columns))
	return out
}

// rank orders workloads: what is refused first, what loses data, what is blocked, what changes, the rest.
func (w *Workload) rank() int {
	switch {
	case w.Fault != "":
		return 5
	case !w.changes():
		return 0
	case len(w.fated(Deleted)) > 0:
		return 4
	case w.Blocked != nil:
		return 3
	case len(w.Tier) > 0:
		return 2
	}
	return 1
}

// warnings tell what is to be known of several workloads: each sentence once, with how many it is of.
func (p *Plan) warnings() action.Section {
	out := action.Section{Title: "checks", Note: "of those that change"}
	type said struct {
		note
		of []string
	}
	var all []*said
	for _, w := range p.changing() {
		for _, n := range w.notes {
			if n.good || n.severity < kube.Warning {
				continue
			}
			k := slices.IndexFunc(all, func(s *said) bool { return s.text == n.text })
			if k < 0 {
				all, k = append(all, &said{note: n}), len(all)
			}
			all[k].of = append(all[k].of, full(w.Ref))
		}
	}
	slices.SortStableFunc(all, func(a, b *said) int { return cmp.Or(int(b.severity)-int(a.severity), len(b.of)-len(a.of)) })
	for _, s := range all {
		out.Rows = append(out.Rows, line(s.severity, "%s: %s", text.Some(s.of, 2), s.text))
	}
	out.Rows = cut(out.Rows, 1)
	return out
}
