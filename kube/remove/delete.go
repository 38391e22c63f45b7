package remove

import (
	"cmp"
	"fmt"
	"slices"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// deleting is a delete as it is planned.
type deleting struct {
	*facts
	target action.Target
	chosen []*victim // those that are deleted
	left   []*victim // those that a delete does nothing for
	fates  map[*victim]fate
}

// fate is what becomes of a pod that is deleted.
type fate struct {
	back   comeback
	how    string // in words: "same name, same claims, once it is gone"
	stuck  string // why it will stay Terminating, "" if nothing is known against its going
	lost   []string
	grace  int64
	ends   bool // it has ended before: nothing is lost with it
	killed bool // its containers run, and are killed at once
	scarce string
}

func planDelete(f *facts, t action.Target, o action.Options) *action.Plan {
	p := &deleting{facts: f, target: t, fates: map[*victim]fate{}}
	for _, v := range f.pods {
		if v.static() || v.deleting() {
			p.left = append(p.left, v)
			continue
		}
		p.chosen = append(p.chosen, v)
	}
	down := p.down()
	for _, v := range p.chosen {
		p.fates[v] = p.fateOf(v, down)
	}
	out := &action.Plan{
		Action: action.DeletePod, Target: t, Options: o, Made: f.now, Tier: action.Read, Watch: true,
		Headline: p.headline(), Facts: p.headFacts(), Sections: p.sections(), Kubectl: kubectl(t.Context, p.chosen),
		Gate: "delete " + t.Name(), Foot: p.foot(), Word: word(t, p.chosen), Refusals: p.refusals(), Details: p.details(),
	}
	if len(t.Refs) > 1 {
		out.Gate = "delete " + many(len(p.chosen), "pod")
	}
	if len(p.irrevocable()) > 0 || len(p.passed()) > 0 || p.outage() {
		out.Tier = action.Write
	}
	if len(p.left) > 0 {
		out.Instead = p.instead()
	}
	if len(p.chosen) > 0 {
		out.Work = newWork(f, false)
	}
	return out
}

func (p *deleting) fateOf(v *victim, down map[string]string) fate {
	out := fate{grace: v.grace(), ends: v.finished()}
	out.back, out.how = p.returns(v)
	if !out.ends && v.Spec.NodeName != "" {
		out.lost, out.scarce, out.killed = v.emptyDirs(), down[p.owner(v).uid], out.grace == 0
	}
	out.stuck = p.stuck(v, out.grace)
	return out
}

// stuck says why a pod will stay Terminating, "" if nothing is known against its going. A pod whose node does not exist is
// ended by pod garbage collection, and kept by its finalizers even then.
func (p *deleting) stuck(v *victim, grace int64) string {
	node, known := p.node(v)
	if grace > 0 && known && node != nil && !nodeReady(node) && !outOfService(node) {
		if silent(node) {
			return words(node.Name) + " is " + nodeStatus(node) + ": nobody will confirm that it has ended"
		}
		return words(node.Name) + " is " + nodeStatus(node) + ": its kubelet may not end it"
	}
	for _, name := range v.Finalizers {
		if name != "batch.kubernetes.io/job-tracking" || p.owner(v).gone || p.owner(v).kind == "" {
			return "until " + about(name).owner + " has removed " + words(name)
		}
	}
	return ""
}

// down says of which owners all ready pods go.
func (p *deleting) down() map[string]string {
	ready, of := map[string]int{}, map[string]owner{}
	for _, v := range p.chosen {
		if o := p.owner(v); o.known && !o.gone && v.ready() && o.kind != "Job" && o.kind != "DaemonSet" {
			ready[o.uid]++
			of[o.uid] = o
		}
	}
	out := map[string]string{}
	for uid, n := range ready {
		switch o := of[uid]; {
		case n < o.ready:
		case o.want == 1:
			out[uid] = "only replica"
		case n == 1:
			out[uid] = fmt.Sprintf("only ready replica of %d", o.want)
		default:
			out[uid] = fmt.Sprintf("all %d ready replicas", n)
		}
	}
	return out
}

func (p *deleting) headline() string {
	if len(p.chosen) == 0 {
		return "Nothing is deleted."
	}
	if len(p.target.Refs) == 1 {
		v := p.chosen[0]
		f := p.fates[v]
		out := "Its containers are told to end, and have " + seconds(f.grace) + "."
		switch {
		case f.ends:
			out = "It has ended: the object goes at once."
		case v.Spec.NodeName == "":
			out = "It has no node: the object goes at once."
		case f.killed:
			out = "Its grace is 0: even a normal delete is not graceful, its containers are killed at once."
		}
		return v.ref.FullName() + " is deleted. " + out
	}
	count := p.count()
	return fmt.Sprintf("%s in %s %s deleted: %s, %s not.", many(len(p.chosen), "pod"),
		many(len(distinct(p.chosen, func(v *victim) string { return v.Namespace })), "namespace"), are(len(p.chosen)),
		verb(count.back, "comes back", "come back"), text.Count(count.never))
}

// counts are what a delete comes to.
type counts struct {
	back, never, stuck, lose, zero int
	grace                          int64
}

func (p *deleting) count() counts {
	var c counts
	for _, f := range p.fates {
		switch {
		case f.back != never:
			c.back++
		case !f.ends:
			c.never++
		}
		if f.stuck != "" {
			c.stuck++
		}
		if len(f.lost) > 0 {
			c.lose++
		}
		if f.killed {
			c.zero++
		}
		c.grace = max(c.grace, f.grace)
	}
	return c
}

func (p *deleting) headFacts() []action.Fact {
	if len(p.chosen) == 0 {
		return nil
	}
	if len(p.target.Refs) > 1 {
		return p.manyFacts()
	}
	v := p.chosen[0]
	f := p.fates[v]
	row := kube.NewPod(v.Pod)
	out := []action.Fact{
		{Name: "now", Text: fmt.Sprintf("%s, %d/%d ready, %s old, uid %s", row.Status, row.Ready, row.Containers, text.Age(p.now, v.CreationTimestamp.Time), shortUID(string(v.UID)))},
	}
	then := action.Fact{Name: "then", Text: f.how}
	if f.back == never && !f.ends {
		then.Severity = kube.Bad
	}
	out = append(out, then, action.Fact{Name: "owner", Text: ownerText(p.owner(v), v) + " · " + graceText(v)})
	if n := v.Spec.NodeName; n != "" {
		s := action.Fact{Name: "node", Text: words(n) + " does not exist: pod garbage collection removes the pod", Severity: kube.Warning}
		switch node, known := p.node(v); {
		case !known:
			s.Text = words(n) + " could not be read"
		case node != nil:
			s.Text, s.Severity = words(n)+" "+nodeStatus(node), kube.OK
			if !nodeReady(node) {
				s.Text, s.Severity = s.Text+since(Evidence{Node: node, Lease: p.leases[n]}, p.now), kube.Bad
			}
		}
		out = append(out, s)
	}
	return out
}

func (p *deleting) manyFacts() []action.Fact {
	c := p.count()
	out := []action.Fact{{Name: "time", Text: "longest grace " + seconds(c.grace) + "; " + paced(len(p.chosen))}}
	if c.zero > 0 {
		out = append(out, action.Fact{Name: "grace", Severity: kube.Warning,
			Text: verb(c.zero, "pod has grace 0: even a normal delete is not graceful", "pods have grace 0: even a normal delete is not graceful")})
	}
	if n := len(p.gone); n > 0 {
		out = append(out, action.Fact{Name: "gone", Text: verb(n, "marked pod is gone, or another has its name: left alone", "marked pods are gone, or others have their names: left alone")})
	}
	return out
}

// paced says how long the requests alone take.
func paced(n int) string {
	if n <= perSecond {
		return "asked at once"
	}
	return fmt.Sprintf("%d requests a second: asked in %ds", perSecond, (n+perSecond-1)/perSecond)
}

// passed are the budgets that this goes past.
func (p *deleting) passed() []action.Row {
	var out []action.Row
	for _, ns := range distinct(p.chosen, func(v *victim) string { return v.Namespace }) {
		for _, b := range p.budgets[ns] {
			n := 0
			for _, v := range p.chosen {
				if b.selects(v.Pod) && v.ready() && !v.finished() {
					n++
				}
			}
			if n > int(b.Status.DisruptionsAllowed) {
				out = append(out, line(kube.Bad, "deleting does not ask budgets: %s/%s allows %d, and %s",
					words(ns), words(b.Name), b.Status.DisruptionsAllowed, verb(n, "ready pod of it goes", "ready pods of it go")))
			}
		}
	}
	return out
}

// irrevocable is what cannot be undone, and makes the plan one that is confirmed by a name.
func (p *deleting) irrevocable() []action.Row {
	var gone, lost []action.Row
	for _, v := range p.chosen {
		f := p.fates[v]
		if f.back == never && !f.ends {
			gone = append(gone, line(kube.Bad, "%s does not come back: %s", v.ref.FullName(), f.how))
		}
		if len(f.lost) > 0 {
			lost = append(lost, line(kube.Bad, "%s loses its emptyDir data: %s", v.ref.FullName(), text.Some(f.lost, 3)))
		}
	}
	out := capped(gone, "pods that do not come back")
	return append(out, capped(lost, "pods that lose emptyDir data")...)
}

func (p *deleting) sections() []action.Section {
	return said(
		action.Section{Title: "left alone", Note: "a delete does nothing for these", Rows: p.leftRows()},
		action.Section{Title: "cannot be undone", Note: "why this is tier 3", Rows: p.irrevocable()},
		action.Section{Title: "past a budget", Note: "why this is tier 3", Rows: capped(p.passed(), "budgets")},
		action.Section{Title: "will stay Terminating", Rows: p.stuckRows()},
		action.Section{Title: "will be down", Note: "until what replaces them is Ready", Rows: p.downRows()},
		p.table(),
		action.Section{Title: "claims stay", Note: "a delete of a pod deletes no claim", Rows: p.claimRows()},
		action.Section{Title: "not known", Rows: lines(kube.Warning, p.unknown)},
	)
}

func (p *deleting) leftRows() []action.Row {
	var out []action.Row
	for _, v := range p.left {
		why := "static: its kubelet makes it again at once; take its file away"
		if !v.static() {
			why = lateness(v, p.now) + "; " + p.diagnose(v).Sentence
		}
		out = append(out, line(kube.Warning, "%s: %s", v.ref.FullName(), why))
	}
	return capped(out, "pods")
}

func (p *deleting) stuckRows() []action.Row {
	var out []action.Row
	for _, v := range p.chosen {
		if s := p.fates[v].stuck; s != "" {
			out = append(out, line(kube.Warning, "%s: %s", v.ref.FullName(), s))
		}
	}
	return capped(out, "pods")
}

func (p *deleting) downRows() []action.Row {
	var out []action.Row
	for _, v := range p.chosen {
		s := p.fates[v].scarce
		o := p.owner(v)
		row := line(kube.Warning, "%s/%s (%s): %s", words(v.Namespace), o.name, o.kind, s)
		if o.want > 1 {
			row.Severity = kube.Bad
		}
		if s != "" && !slices.ContainsFunc(out, func(r action.Row) bool { return r.Cells[0] == row.Cells[0] }) {
			out = append(out, row)
		}
	}
	return capped(out, "workloads")
}

// outage reports whether all ready pods of an owner go that wants several: until others are Ready it is as if it were
// scaled to 0. Of one that wants a single pod every delete is that.
func (p *deleting) outage() bool {
	return slices.ContainsFunc(p.chosen, func(v *victim) bool { return p.fates[v].scarce != "" && p.owner(v).want > 1 })
}

func (p *deleting) claimRows() []action.Row {
	var out []action.Row
	for _, v := range p.chosen {
		for _, s := range p.volumeTexts(v) {
			out = append(out, line(kube.OK, "%s", s))
		}
	}
	return capped(out, "claims")
}

// table lists the pods that go, or of many the groups of those that have the same owner and the same fate.
func (p *deleting) table() action.Section {
	if len(p.target.Refs) == 1 || len(p.chosen) == 0 {
		return action.Section{}
	}
	if len(p.chosen) > listed {
		return p.groups()
	}
	s := action.Section{Title: many(len(p.chosen), "pod"), Columns: []action.Column{{Title: "POD"}, {Title: "OWNER"}, {Title: "GRACE", Right: true}, {Title: "COMES BACK"}}}
	for _, v := range p.chosen {
		f := p.fates[v]
		s.Rows = append(s.Rows, action.Row{Severity: f.severity(), Cells: []string{v.ref.FullName(), p.owner(v).text(), seconds(f.grace), f.how}})
	}
	s.Rows = capped(s.Rows, "pods")
	return s
}

func (f fate) severity() kube.Severity {
	switch {
	case f.back == never && !f.ends, len(f.lost) > 0:
		return kube.Bad
	case f.stuck != "", f.scarce != "":
		return kube.Warning
	}
	return kube.OK
}

// groups are the pods of a big delete by owner and fate.
func (p *deleting) groups() action.Section {
	s := action.Section{
		Title: many(len(p.chosen), "pod"), Note: "by owner; none is named alone",
		Columns: []action.Column{{Title: "PODS", Right: true}, {Title: "NAMESPACE"}, {Title: "OWNER"}, {Title: "GRACE", Right: true, Wide: true}, {Title: "COME BACK"}},
	}
	list := p.grouped()
	for i, g := range list {
		if i == listed {
			s.Rows = append(s.Rows, action.Row{Cells: []string{text.Count(sum(list[i:])), "", fmt.Sprintf("and %d more groups", len(list)-i), "", ""}})
			break
		}
		s.Rows = append(s.Rows, action.Row{Severity: g.worst, Cells: []string{text.Count(g.pods), words(g.namespace), g.owner, seconds(g.grace), g.how}})
	}
	return s
}

// group are pods of one owner that come back in the same way.
type group struct {
	namespace, owner, how string
	pods                  int
	worst                 kube.Severity
	grace                 int64
}

// grouped gives the groups of the pods that go, the worst and biggest first.
func (p *deleting) grouped() []*group {
	var out []*group
	for _, v := range p.chosen {
		f := p.fates[v]
		like := group{namespace: v.Namespace, owner: p.owner(v).text(), how: f.how}
		i := slices.IndexFunc(out, func(g *group) bool {
			return g.namespace == like.namespace && g.owner == like.owner && g.how == like.how
		})
		if i < 0 {
			i = len(out)
			out = append(out, &like)
		}
		g := out[i]
		g.pods, g.worst, g.grace = g.pods+1, max(g.worst, f.severity()), max(g.grace, f.grace)
	}
	slices.SortStableFunc(out, func(a, b *group) int { return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(b.pods, a.pods)) })
	return out
}

func sum(list []*group) int {
	n := 0
	for _, g := range list {
		n += g.pods
	}
	return n
}

func (p *deleting) foot() string {
	c := p.count()
	out := verb(len(p.chosen), "pod goes", "pods go")
	if c.never > 0 {
		out += "; " + verb(c.never, "is gone for good", "are gone for good")
	}
	if c.lose > 0 {
		out += "; " + verb(c.lose, "loses data", "lose data")
	}
	return out
}

func (p *deleting) refusals() []string {
	if len(p.chosen) > 0 {
		return nil
	}
	v := p.left[0]
	switch {
	case len(p.left) > 1:
		return []string{"none of them can be deleted: they are static, or Terminating already"}
	case v.static():
		return []string{"a static pod: its kubelet has it from a file, the API object comes back at once; take the file away"}
	}
	d := p.diagnose(v)
	if d.Cause == Grace {
		return []string{"it is Terminating already: " + d.Sentence}
	}
	return []string{lateness(v, p.now) + ": " + d.Sentence, "deleting it again changes nothing: " + d.Next}
}

// instead offers what helps pods that are Terminating already.
func (p *deleting) instead() []action.Instead {
	var force, held action.Target
	force.Context, held.Context = p.target.Context, p.target.Context
	for _, v := range p.left {
		switch d := p.diagnose(v); {
		case v.static() || d.Cause == Grace:
		case d.Cause == HeldFinalizers:
			held.Refs = append(held.Refs, v.ref)
		default:
			force.Refs = append(force.Refs, v.ref)
		}
	}
	var out []action.Instead
	if len(force.Refs) > 0 {
		out = append(out, action.Instead{Action: action.ForceDelete, Target: force, Words: "force delete " + force.Name() + ": its sheet says what comes first"})
	}
	if len(held.Refs) > 0 {
		out = append(out, action.Instead{Action: action.RemoveFinalizers, Target: held, Words: "remove the finalizers of " + held.Name()})
	}
	return out
}

// details are what the audit log keeps of the plan.
func (p *deleting) details() map[string]any {
	out := []any{}
	for _, v := range p.chosen {
		f := p.fates[v]
		out = append(out, map[string]any{
			"namespace": v.ref.Namespace, "name": v.ref.Name, "uid": v.ref.UID, "node": v.Spec.NodeName,
			"returns": string(f.back), "stuck": f.stuck, "grace": f.grace,
		})
	}
	return map[string]any{"pods": out, "leftAlone": len(p.left), "gone": len(p.gone)}
}

const (
	inCommand  = 20 // names in one kubectl command
	inCommands = 5
)

// kubectl writes the nearest commands: they know no UIDs, so they would delete a newer pod of the name too.
func kubectl(context string, pods []*victim, flags ...string) []string {
	var out []string
	for _, ns := range distinct(pods, func(v *victim) string { return v.Namespace }) {
		var names []string
		for _, v := range pods {
			if v.Namespace == ns {
				names = append(names, v.Name)
			}
		}
		for part := range slices.Chunk(names, inCommand) {
			out = append(out, action.Kubectl(context, slices.Concat([]string{"-n", ns, "delete", "pod"}, part, flags)...))
		}
	}
	if len(out) > inCommands {
		return []string{fmt.Sprintf("# no command names %s; select them by label instead", many(len(pods), "pod"))}
	}
	return out
}
