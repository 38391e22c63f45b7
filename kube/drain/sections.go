package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// sections are the parts of the sheet, worst first. Those that have nothing to say are left out.
func (p *Plan) sections(c counts) []action.Section {
	all := []action.Section{
		{Title: "cannot finish", Rows: p.unconfirmed()},
		{Title: "cannot be undone", Note: "why this is tier 3", Rows: p.irrevocable(c)},
		{Title: "will fail", Note: "the drain cannot finish", Rows: p.fated(Never, kube.Bad)},
		{Title: "needs an option", Note: "choose it below", Rows: p.fated(Needs, kube.Warning)},
		{Title: "will wait", Rows: append(p.waiting(), p.homeless()...)},
		p.table(c),
		{Title: fmt.Sprintf("%d already leaving", c.leaving), Note: "asked before, by somebody else", Rows: p.fated(Leaving, kube.Notice)},
		{Title: verb(c.stays, "pod stays", "pods stay"), Note: p.stayers(), Rows: p.staying()},
		{Title: "not known", Rows: lines(p.Unknown, kube.Warning)},
		{Title: "the server's dry run", Note: "it reserves nothing", Rows: p.tested(c)},
	}
	return slices.DeleteFunc(all, func(s action.Section) bool { return len(s.Rows) == 0 })
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}

func lines(list []string, severity kube.Severity) []action.Row {
	var out []action.Row
	for _, s := range list {
		out = append(out, line(severity, "%s", s))
	}
	return out
}

// unconfirmed says of nodes that are not Ready what an eviction comes to there.
func (p *Plan) unconfirmed() []action.Row {
	var out []action.Row
	for i := range p.Nodes {
		switch n := &p.Nodes[i]; {
		case n.Ready:
		case n.Silent:
			out = append(out, line(kube.Bad, "%s has been silent for %s: evictions are accepted, but no kubelet confirms them: this drain cannot finish",
				n.Name, age(n.For)))
		default:
			out = append(out, line(kube.Bad, "%s is not ready: evictions are accepted, but its kubelet may never confirm them", n.Name))
		}
	}
	if len(out) == 0 {
		return nil
	}
	out = append(out, line(kube.OK, "What can: a force delete of the pods, the out-of-service taint, or deleting the node"),
		line(kube.Warning, "Each of these only when it is certain that the machine is off: what still runs there would run twice"))
	if p.Settings.Hanging {
		return append(out, line(kube.OK, "It waits for such pods without an end: choose below not to wait"))
	}
	return append(out, line(kube.OK, "It does not wait for such pods: they will be left Terminating"))
}

// irrevocable is what cannot be taken back, and what else makes the plan one that is confirmed by a name.
func (p *Plan) irrevocable(c counts) []action.Row {
	var out []action.Row
	if c.lose > 0 {
		out = append(out, line(kube.Bad, "%s emptyDir data", verb(c.lose, "pod loses its", "pods lose their")))
		for _, pod := range p.pods() {
			if pod.Fate.Goes() && len(pod.Lost) > 0 {
				out = append(out, line(kube.OK, "  %s  %s", pod.Ref().FullName(), lost(pod.Lost)))
			}
		}
	}
	if c.gone > 0 {
		out = append(out, line(kube.Bad, "%s", verb(c.gone, "pod has no owner: it does not come back", "pods have no owner: they do not come back")))
		for _, pod := range p.pods() {
			if pod.Fate.Goes() && pod.Unowned {
				out = append(out, line(kube.OK, "  %s", pod.Ref().FullName()+gone(pod.Owner)))
			}
		}
	}
	if p.last() {
		out = append(out, line(kube.Bad, "no node remains that is ready and schedulable: nothing that leaves can run anywhere"))
	}
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.ControlPlane {
			out = append(out, line(kube.Bad, "%s is a node of the control plane", n.Name))
		}
	}
	return out
}

func gone(o Owner) string {
	if o.Kind == "" {
		return ""
	}
	return fmt.Sprintf("  its %s %s is gone", o.Kind, o.Name)
}

// lost describes emptyDirs: "volume scratch, up to 2Gi".
func lost(volumes []Volume) string {
	var out []string
	for _, v := range volumes {
		s := "volume " + v.Name
		if v.Memory {
			s += " in memory"
		}
		if v.Limit > 0 {
			s += ", up to " + quantity(v.Limit)
		} else {
			s += ", no size limit"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// fated says why pods have a fate, a line each.
func (p *Plan) fated(f Fate, severity kube.Severity) []action.Row {
	var out []action.Row
	for _, pod := range p.pods() {
		if pod.Fate == f {
			out = append(out, line(severity, "%s: %s", pod.Ref().FullName(), pod.Why))
		}
	}
	return out
}

// homeless are the pods that no other node takes.
func (p *Plan) homeless() []action.Row {
	var out []action.Row
	for _, pod := range p.pods() {
		if pod.Fate.Goes() && pod.Nowhere != "" {
			out = append(out, line(kube.Warning, "%s: fits nowhere else, its replacement will stay Pending: %s", pod.Ref().FullName(), pod.Nowhere))
		}
	}
	return out
}

// table lists the pods that leave: those that wait first, then by namespace and name.
func (p *Plan) table(c counts) action.Section {
	out := action.Section{
		Title:   verb(c.goes, "pod leaves", "pods leave"),
		Columns: []action.Column{{Title: "POD"}, {Title: "OWNER"}, {Title: "FITS ON", Right: true, Wide: true}, {Title: "NOTE"}},
	}
	several := len(p.Nodes) > 1
	if several {
		out.Columns = slices.Insert(out.Columns, 1, action.Column{Title: "NODE", Wide: true})
	}
	if c.grace > 0 {
		out.Note = "longest grace " + c.grace.String()
	}
	var late []action.Row
	for i := range p.Nodes {
		n := &p.Nodes[i]
		for _, pod := range n.all() {
			if !pod.Fate.Goes() {
				continue
			}
			row := action.Row{Severity: pod.severity(), Cells: []string{pod.Ref().FullName(), pod.Owner.text(), fitsText(pod), pod.note()}}
			if several {
				row.Cells = slices.Insert(row.Cells, 1, n.Name)
			}
			if pod.Fate == Evict {
				late = append(late, row)
			} else {
				out.Rows = append(out.Rows, row)
			}
		}
	}
	out.Rows = append(out.Rows, late...)
	return out
}

func (p *Pod) severity() kube.Severity {
	switch {
	case p.Fate == Never, p.Unowned, len(p.Lost) > 0:
		return kube.Bad
	case p.Fate == Waits && !p.queues(), p.Nowhere != "", p.Down, p.Grace > longGrace && !p.Finished:
		return kube.Warning
	}
	return kube.OK
}

// note is what a line of the table has to say of a pod, worst first.
func (p *Pod) note() string {
	var out []string
	switch {
	case p.Fate == Never:
		out = append(out, "will fail")
	case p.Fate == Waits && len(p.Budgets) == 1:
		out = append(out, "waits for "+p.Budgets[0].Name)
	case p.Fate == Waits:
		out = append(out, "waits for its namespace")
	}
	if p.Finished {
		return strings.Join(append(out, "finished: removed"), ", ")
	}
	if p.Unowned {
		out = append(out, "does not come back")
	}
	if len(p.Lost) > 0 {
		out = append(out, "loses emptyDir "+volumeNames(p.Lost))
	}
	if p.Nowhere != "" {
		out = append(out, "fits nowhere else")
	}
	out = append(out, p.Flags...)
	if p.After != "" {
		out = append(out, "after "+p.After)
	}
	if p.Fate == Evict && len(p.Budgets) == 1 && p.Budgets[0].Allowed > 0 {
		out = append(out, fmt.Sprintf("PDB allows %d", p.Budgets[0].Allowed))
	}
	return strings.Join(out, ", ")
}

// shortKinds are the kinds as the table has them.
var shortKinds = map[string]string{
	"Deployment": "Deploy", "StatefulSet": "STS", "ReplicaSet": "RS", "ReplicationController": "RC", "DaemonSet": "DS",
}

// text is the owner in few words: "STS loki 3/3"; a Deployment's name is that of its pods.
func (o Owner) text() string {
	if o.Kind == "" {
		return "none"
	}
	kind := o.Kind
	if s, ok := shortKinds[kind]; ok {
		kind = s
	}
	out := kind
	if o.Kind != "Deployment" && o.Kind != "ReplicaSet" {
		out += " " + text.CutMiddle(o.Name, 24, "...")
	}
	if o.Known && o.Kind != "Job" {
		out += fmt.Sprintf(" %d/%d", o.Ready, o.Want)
	}
	return out
}

func fitsText(p *Pod) string {
	switch {
	case p.Fits < 0:
		return "-"
	case p.Fits == 0:
		return "none"
	}
	return many(p.Fits, "node")
}

func (p *Plan) stayers() string {
	static := false
	for _, pod := range p.pods() {
		static = static || pod.Fate == Stays && pod.Owner.Kind != "DaemonSet"
	}
	if static {
		return "DaemonSets and static pods: they would be put back at once"
	}
	return "DaemonSets: they would be put back at once"
}

// joined is how wide lines are of names that are only named.
const joined = 76

func (p *Plan) staying() []action.Row {
	var out []action.Row
	current := ""
	for _, pod := range p.pods() {
		if pod.Fate != Stays {
			continue
		}
		if current != "" && len(current)+2+len(pod.Name) > joined {
			out = append(out, line(kube.OK, "%s", current))
			current = ""
		}
		if current != "" {
			current += "  "
		}
		current += pod.Name
	}
	if current != "" {
		out = append(out, line(kube.OK, "%s", current))
	}
	return out
}

// tested is what the server's dry run says.
func (p *Plan) tested(c counts) []action.Row {
	if !p.Tested {
		return nil
	}
	out := lines(p.DryRun, kube.Warning)
	if len(out) == 0 {
		out = append(out, line(kube.OK, "the server refuses none of %s", many(c.goes, "eviction")))
	}
	return append(out, line(kube.OK, "it reserves nothing: pods of one budget are each asked alone"))
}

// age writes a duration as kubectl does.
func age(d time.Duration) string { return duration.HumanDuration(d) }
