package deadnode

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// sheet makes a plan of facts.
type sheet struct {
	*facts
	target action.Target
	chosen action.Options
	plan   *action.Plan
}

func newSheet(f *facts, id action.ID, t action.Target, o action.Options) *sheet {
	p := &action.Plan{Action: id, Target: t, Options: o, Made: f.now, Details: map[string]any{}}
	p.Word = words(t.Name())
	if len(t.Refs) > 1 {
		p.Word = plural(len(t.Refs), "node")
	}
	return &sheet{facts: f, target: t, chosen: o, plan: p}
}

// deletion is the plan that deletes Node objects.
func (s *sheet) deletion() *action.Plan {
	p, pods := s.plan, s.allPods()
	p.Tier, p.Watch = action.Write, true
	risky := ofClass(pods, writer)
	p.Headline = fmt.Sprintf("%s deleted; %s.%s", s.are("is", "are"), s.goes(len(pods), " a minute later"), s.harm(pods))
	p.Facts = append(append(s.nodeFacts(), breakdown(pods)...),
		s.after(true),
		action.Fact{Name: "then", Text: "the garbage collector of pods waits 40 s, and comes every 20 s"},
		action.Fact{Name: "undo", Text: "none: a kubelet that lives registers its node again when it is restarted"},
	)
	p.Sections = s.sections(pods, "may take 6 min to be detached")
	p.Gate = "delete node " + words(s.target.Name())
	p.Foot = foot(len(pods), len(risky))
	p.Kubectl = []string{action.Kubectl(s.target.Context, append([]string{"delete", "node"}, s.names()...)...)}
	s.confirmDeletion(len(pods))
	s.recordTwice(risky)
	p.Details["pods"] = len(pods)
	if dead := s.dead(); len(dead.Refs) > 0 {
		p.Instead = []action.Instead{{
			Action: action.OutOfService, Target: dead,
			Words: "taint out-of-service: keeps the node, and detaches its volumes at once",
		}}
	}
	p.Work = s.work(pods)
	return p
}

// confirmDeletion puts what has to be said before a deletion on the sheet, and refuses until it is.
func (s *sheet) confirmDeletion(pods int) {
	p := s.plan
	var off, alive []string
	for _, n := range s.nodes {
		if lives(n, s.now).alive() {
			alive = append(alive, n.row.Name)
		} else {
			off = append(off, n.row.Name)
		}
	}
	if len(alive) > 0 {
		box := s.box(OptionAlive, fmt.Sprintf(
			"delete %s all the same: the kubelet lives, and stops the pods that the cluster takes away", some(alive, 3)))
		if box.Value == action.Off {
			p.Refusals = append(p.Refusals, s.wouldComeBack(alive[0], pods))
		}
	}
	if len(off) > 0 {
		it := "it"
		if len(off) > 1 {
			it = "they"
		}
		s.assert(fmt.Sprintf("the machine is off or gone for good: %s will not come back with the pods that %s had", some(off, 3), it))
	}
}

// wouldComeBack says why a node whose kubelet lives is not deleted.
func (s *sheet) wouldComeBack(name string, pods int) string {
	why := s.sign(name) + ": its kubelet lives, and would register it again"
	if pods > 0 {
		why += fmt.Sprintf("; %s would end for nothing", plural(pods, "pod"))
	}
	return why + ": drain it first, or choose below"
}

// assert puts a box on the sheet without which the plan cannot be confirmed.
func (s *sheet) assert(says string) {
	if s.box(OptionOff, says).Value == action.Off {
		s.plan.Refusals = append(s.plan.Refusals, "the API cannot know whether the machine is off: look, and then say so below")
	}
}

func (s *sheet) box(id, says string) action.Toggle {
	t := action.Toggle{ID: id, Words: says, Value: action.Off, Values: action.OnOff()}
	if s.chosen[id] == action.On {
		t.Value = action.On
	}
	s.plan.Toggles = append(s.plan.Toggles, t)
	return t
}

// sign says by what one knows that a kubelet lives.
func (s *sheet) sign(name string) string {
	for _, n := range s.nodes {
		if n.row.Name != name {
			continue
		}
		if l := lives(n, s.now); !l.ready {
			return fmt.Sprintf("the kubelet of %s has renewed its lease %s ago", name, text.Age(s.now, l.renewed))
		}
	}
	return name + " is Ready"
}

// recordTwice keeps for the audit log what to look for when a node comes back.
func (s *sheet) recordTwice(risky []*released) {
	byNode := map[string][]string{}
	for _, r := range risky {
		byNode[r.node] = append(byNode[r.node], r.name())
	}
	kept := map[string]any{}
	for node, pods := range byNode {
		kept[node] = some(pods, 5)
	}
	s.plan.Details[twice] = kept
}

// dead are the nodes whose kubelet shows no sign of life.
func (s *sheet) dead() action.Target {
	t := action.Target{Context: s.target.Context}
	for _, n := range s.nodes {
		if !lives(n, s.now).alive() && !hasTaint(n.object) {
			t.Refs = append(t.Refs, n.ref)
		}
	}
	return t
}

// outOfService is the plan that adds the taint.
func (s *sheet) outOfService() *action.Plan {
	p := s.plan
	goes, stay := s.tainted()
	p.Tier, p.Watch = action.Write, true
	risky := ofClass(goes, writer)
	p.Headline = fmt.Sprintf("%s declared off; %s.%s", s.are("is", "are"), s.goes(len(goes), ""), s.harm(goes))
	if n := len(stay); n > 0 {
		p.Headline += fmt.Sprintf(" %s it and %s.", text.Plural(n, "pod tolerates", "pods tolerate"), stays(n))
	}
	p.Facts = append(append(s.nodeFacts(), breakdown(goes)...),
		s.after(false),
		action.Fact{Name: "then", Severity: kube.Notice, Text: "nothing takes the taint away but you: do so when the machine is back"},
		action.Fact{Name: "undo", Text: "untaint takes the taint away; the pods are gone all the same"},
	)
	p.Sections = append(s.sections(goes, "detached at once"), stayers(stay)...)
	p.Gate = "declare " + words(s.target.Name()) + " out of service"
	p.Foot = foot(len(goes), len(risky))
	p.Kubectl = []string{s.kubectlTaint(outOfService.ToString())}
	for _, n := range s.nodes {
		switch l := lives(n, s.now); {
		case l.ready:
			p.Refusals = append(p.Refusals, n.row.Name+
				" is Ready: the taint would release nothing, because pods are collected only from nodes that are not; drain it instead")
		case l.fresh:
			p.Refusals = append(p.Refusals, s.sign(n.row.Name)+": the machine is not off; drain it, or wait until it is silent")
		}
	}
	s.assert(fmt.Sprintf("the machine is shut down or powered off, not restarting: %s", some(s.names(), 3)))
	p.Details["pods"] = len(goes)
	p.Work = s.work(goes)
	if s.nothing(true) {
		p.Headline, p.Work = s.are("has", "have")+" the taint already.", nil
		p.Refusals = []string{"there is nothing to do"}
	}
	return p
}

// inService is the plan that removes the taint.
func (s *sheet) inService() *action.Plan {
	p := s.plan
	p.Tier = action.Ask
	p.Headline = fmt.Sprintf("The out-of-service taint is taken from %s. %s", words(s.target.Name()), s.newPods())
	p.Facts = append(s.nodeFacts(), s.keptAway()...)
	for _, n := range s.nodes {
		if !n.row.State().Ready {
			p.Tier = action.Read
			p.Facts = append(p.Facts, action.Fact{Name: "warn", Severity: kube.Warning, Text: n.row.Name + " is " + n.row.StatusText() +
				": if the machine is still off, its volumes hang on it again as before, and pods may come to it that never start"})
		}
	}
	p.Facts = append(p.Facts, action.Fact{Name: "undo", Text: "taint"})
	p.Sections = unknown(s.unknown)
	p.Gate = "take the taint from " + words(s.target.Name())
	p.Kubectl = []string{s.kubectlTaint(corev1.TaintNodeOutOfService + "-")}
	p.Work = s.work(nil)
	if s.nothing(false) {
		p.Headline, p.Work = s.are("does not have", "do not have")+" the taint.", nil
		p.Refusals = []string{"there is nothing to do"}
	}
	return p
}

func (s *sheet) kubectlTaint(taint string) string {
	return action.Kubectl(s.target.Context, append(append([]string{"taint", "node"}, s.names()...), taint)...)
}

// nothing reports whether all nodes are already as they are to be.
func (s *sheet) nothing(on bool) bool {
	for _, n := range s.nodes {
		if hasTaint(n.object) != on {
			return false
		}
	}
	return true
}

func (s *sheet) work(pods []*released) *work {
	w := &work{id: s.plan.Action, context: s.target.Context}
	for _, n := range s.nodes {
		w.nodes = append(w.nodes, aim{ref: n.ref, taints: n.object.Spec.Taints, alive: lives(n, s.now).alive(), version: n.version})
	}
	for _, r := range pods {
		w.pods = append(w.pods, newPod(r))
	}
	return w
}

func (s *sheet) names() []string {
	var out []string
	for _, n := range s.nodes {
		out = append(out, words(n.ref.Name))
	}
	return out
}

func (s *sheet) are(one, many string) string {
	if len(s.nodes) == 1 {
		return words(s.target.Name()) + " " + one
	}
	return words(s.target.Name()) + " " + many
}

func foot(pods, risky int) string {
	s := text.Plural(pods, "pod goes", "pods go")
	if risky > 0 {
		s += fmt.Sprintf("; %s could run twice", text.Count(risky))
	}
	return s
}

func stays(n int) string {
	if n == 1 {
		return "stays"
	}
	return "stay"
}

func join(list []string) string { return strings.Join(list, ", ") }
