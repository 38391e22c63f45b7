package deadnode

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// nodeFacts say how the nodes are.
func (s *sheet) nodeFacts() []action.Fact {
	const most = 6
	var out []action.Fact
	for i, n := range s.nodes {
		if i == most {
			out = append(out, action.Fact{Name: "node", Text: fmt.Sprintf("and %s", plural(len(s.nodes)-most, "more node"))})
			break
		}
		out = append(out, s.nodeFact(n)...)
	}
	return out
}

func (s *sheet) nodeFact(n *node) []action.Fact {
	row, l := n.row, lives(n, s.now)
	m := kube.Moment{Now: s.now}
	status := row.StatusText()
	if !row.Ready.Since.IsZero() {
		status += " for " + text.Age(s.now, row.Ready.Since)
	}
	if !row.Ready.Heartbeat.IsZero() {
		status += "; last heartbeat " + text.Age(s.now, row.Ready.Heartbeat) + " ago"
	}
	lease := "no lease known"
	if !l.renewed.IsZero() {
		lease = fmt.Sprintf("last lease %s ago (%s)", text.Age(s.now, l.renewed), l.renewed.UTC().Format("15:04:05 MST"))
	}
	if len(s.nodes) > 1 {
		return []action.Fact{{Name: "node", Text: row.Name + ": " + status + "; " + lease, Severity: row.Severity(m)}}
	}
	if row.Zone != "" {
		status += "; zone " + row.Zone
	}
	out := []action.Fact{{Name: "node", Text: status, Severity: row.Severity(m)}, {Name: "lease", Text: lease}}
	if l.fresh && !l.ready {
		out[1].Severity = kube.Bad
	}
	if taints := taintWords(n.object.Spec.Taints); len(taints) > 0 {
		out = append(out, action.Fact{Name: "taints", Text: some(taints, 4)})
	}
	if len(n.object.Finalizers) > 0 {
		out = append(out, action.Fact{Name: "holds", Severity: kube.Warning,
			Text: "finalizers keep the Node object until somebody takes them away: " + words(join(n.object.Finalizers))})
	}
	return out
}

// after says what is left of the cluster; of a Node object that is deleted there is nothing.
func (s *sheet) after(deleted bool) action.Fact {
	if !s.allKnown {
		return action.Fact{Name: "after", Text: "which nodes are left is not known", Severity: kube.Warning}
	}
	now, after, others := s.usable()
	if after == 0 {
		return action.Fact{
			Name: "after", Severity: kube.Bad, Text: "no node is left that new pods can go to: whatever is released stays Pending",
		}
	}
	was := fmt.Sprintf("%s of %s", text.Count(now), text.Plural(len(s.all), "node", "nodes"))
	if deleted {
		return action.Fact{Name: "after", Text: fmt.Sprintf("%s of the %s left ready and schedulable (now %s)",
			text.Count(after), text.Plural(others, "node", "nodes"), was)}
	}
	return action.Fact{Name: "after", Text: fmt.Sprintf("%s of %s ready and schedulable (now %s)",
		text.Count(after), text.Plural(len(s.all), "node", "nodes"), text.Count(now))}
}

// goes says of the pods that they go: "its 9 pods go".
func (s *sheet) goes(n int, when string) string {
	whose := "its"
	if len(s.nodes) > 1 {
		whose = "their"
	}
	switch n {
	case 0:
		return "no pod goes"
	case 1:
		return whose + " pod goes" + when
	}
	return fmt.Sprintf("%s %s pods go%s", whose, text.Count(n), when)
}

// breakdown says what becomes of the pods that go, where that is not the same for all.
func breakdown(pods []*released) []action.Fact {
	n := map[coming]int{}
	for _, r := range pods {
		n[r.comes()]++
	}
	var out []string
	for _, what := range comings {
		if n[what] > 0 {
			out = append(out, text.Plural(n[what], what.one, what.many))
		}
	}
	if len(out) < 2 {
		return nil
	}
	return []action.Fact{{Name: "pods", Text: fmt.Sprintf("%s: %s", text.Plural(len(pods), "goes", "go"), join(out))}}
}

// coming is how a pod comes again, or does not, in the words for one and for many.
type coming struct{ one, many string }

var (
	elsewhere = coming{"that is made again elsewhere", "that are made again elsewhere"}
	nowhere   = coming{"that nobody makes again", "that nobody makes again"}
	ofDaemons = coming{"of a DaemonSet", "of DaemonSets"}
	ofMachine = coming{"static", "static"}
	hadEnded  = coming{"that had ended", "that had ended"}
	comings   = []coming{elsewhere, nowhere, ofDaemons, ofMachine, hadEnded}
)

func (r *released) comes() coming {
	switch {
	case r.class == daemon:
		return ofDaemons
	case r.class == static:
		return ofMachine
	case r.class == finished:
		return hadEnded
	case r.owner == "":
		return nowhere
	}
	return elsewhere
}

// harm says what the pods that go can lose or spoil, in sentences; "" if none goes.
func (s *sheet) harm(pods []*released) string {
	risky, lose := len(ofClass(pods, writer)), 0
	for _, r := range pods {
		if r.losesEmptyDir() {
			lose++
		}
	}
	out := ""
	switch risky {
	case 0:
	case 1:
		out += " 1 of them runs twice if the machine still runs."
	default:
		out += " " + text.Count(risky) + " of them run twice if the machine still runs."
	}
	switch {
	case lose > 0:
		out += fmt.Sprintf(" %s emptyDir data.", text.Plural(lose, "of them loses its", "of them lose their"))
	case risky > 0 || len(pods) == 0:
	case s.claimsHidden:
		out += " Whether they have data of their own is not known for all."
	default:
		out += " None of them has an emptyDir, or a volume with one writer."
	}
	return out
}

// losesEmptyDir reports whether data in a pod goes with it. A static pod runs on, and one that has ended is but a record.
func (r *released) losesEmptyDir() bool {
	return r.class != static && r.class != finished && len(emptyDirs(r.pod)) > 0
}

// keepers are what still keeps new pods from a node that is in service again.
func (n *node) keepers() []string {
	var out []string
	if n.object.Spec.Unschedulable {
		out = append(out, "its cordon")
	}
	for _, t := range n.object.Spec.Taints {
		keeps := t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
		if keeps && t.Key != corev1.TaintNodeOutOfService && t.Key != corev1.TaintNodeUnschedulable {
			out = append(out, words(t.ToString()))
		}
	}
	if len(out) == 0 && !n.row.State().Ready {
		out = append(out, "not being Ready") // the control plane makes a taint of that
	}
	return out
}

// newPods says whether new pods may go to the nodes.
func (s *sheet) newPods() string {
	free := 0
	for _, n := range s.nodes {
		if len(n.keepers()) == 0 {
			free++
		}
	}
	switch {
	case free == len(s.nodes):
		return "New pods may go there again."
	case len(s.nodes) == 1:
		return "New pods do not go there yet."
	case free == 0:
		return "New pods go to none of them yet."
	}
	return fmt.Sprintf("New pods may go to %s of the %s again.", text.Count(free), plural(len(s.nodes), "node"))
}

// keptAway says what still keeps new pods away.
func (s *sheet) keptAway() []action.Fact {
	const most = 6
	var out []action.Fact
	for _, n := range s.nodes {
		by := n.keepers()
		if len(by) == 0 {
			continue
		}
		if len(out) == most {
			return append(out, action.Fact{Name: "but", Text: "so it is with others of them"})
		}
		what := fmt.Sprintf("%s still keeps pods away by %s", n.row.Name, some(by, 4))
		if n.row.Unschedulable {
			what += "; uncordon it too"
		}
		out = append(out, action.Fact{Name: "but", Severity: kube.Notice, Text: what})
	}
	return out
}
