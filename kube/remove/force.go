package remove

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// The toggles of the sheet of a force delete.
const (
	OptionAnyway = "anyway" // against what the gate says: of a pod that is not Terminating, or whose kubelet is alive
	OptionWhich  = "which"  // which is true of a machine that does not answer: a, b or c; "" before it is chosen
	OptionAssert = "assert" // that what may still run does no harm
)

// The values of OptionWhich.
const (
	MachineOff = "a" // it is off or gone for good
	CutOff     = "b" // the network is cut, or the kubelet is dead
	Fenced     = "c" // the operator has seen to it that the pod reaches nothing
)

// chosen is what the operator has chosen.
type chosen struct {
	anyway, assert bool
	which          string
}

// parseForce reads the options of a force delete. A value that no sheet offers is an error.
func parseForce(o action.Options) (chosen, error) {
	for id, v := range o {
		values, known := map[string][]string{
			OptionAnyway: action.OnOff(), OptionAssert: action.OnOff(), OptionWhich: {"", MachineOff, CutOff, Fenced},
		}[id]
		if !known || !slices.Contains(values, v) {
			return chosen{}, fmt.Errorf("a force delete has no option %s=%q; nothing was done", words(id), words(v))
		}
	}
	return chosen{anyway: o[OptionAnyway] == action.On, assert: o[OptionAssert] == action.On, which: o[OptionWhich]}, nil
}

// gate is a row of the gate table: how a pod stands between being well and being taken out of the API by force. Later ones
// are nearer to that.
type gate uint8

// The gates.
const (
	mirrored  gate = iota // its kubelet has it from a file: the API cannot end it
	within                // its containers have time left
	forced                // nothing but its finalizers keeps it: there is nothing to force
	collected             // pod garbage collection ends it by itself
	untouched             // nobody has asked it to go
	kubelet               // its node is Ready, or the node could not be read
	unheard               // its node does not answer
)

func (g gate) String() string {
	return [...]string{"static", "within grace", "only finalizers", "left to garbage collection", "not terminating", "kubelet alive", "node silent"}[g]
}

// gateOf finds the row of a pod. One that is not Terminating on a node that does not answer is asked about that node too.
func (f *facts) gateOf(v *victim) gate {
	if v.static() {
		return mirrored
	}
	if !v.deleting() {
		return untouched
	}
	switch d := f.diagnose(v); d.Cause {
	case HeldFinalizers:
		return forced
	case Grace:
		return within
	case NodeGone, OutOfService:
		return collected
	case Silent, NotReady:
		return unheard
	default:
		return kubelet
	}
}

// forcing is a force delete as it is planned.
type forcing struct {
	*facts
	chosen
	target action.Target
	gates  []gate // of each pod
}

func planForce(f *facts, t action.Target, o action.Options, s chosen) *action.Plan {
	p := &forcing{facts: f, chosen: s, target: t}
	for _, v := range f.pods {
		p.gates = append(p.gates, f.gateOf(v))
	}
	out := &action.Plan{
		Action: action.ForceDelete, Target: t, Options: o, Made: f.now, Tier: action.Write, Watch: true,
		Headline: p.headline(), Facts: p.headFacts(), Sections: p.sections(), Toggles: p.toggles(), Instead: p.instead(),
		Kubectl: kubectl(t.Context, f.pods, "--grace-period=0", "--force"),
		Gate:    "force delete " + t.Name(), Foot: p.foot(), Word: word(t, f.pods),
		Refusals: p.refusals(), Details: p.details(),
	}
	out.Work = newWork(f, true)
	return out
}

// word is what is typed: the name of the pod, or how many there are.
func word(t action.Target, pods []*victim) string {
	if len(t.Refs) > 1 {
		return many(len(pods), "pod")
	}
	return text.Clean(t.Refs[0].Name)
}

// has reports whether a pod is at one of some gates.
func (p *forcing) has(gates ...gate) bool {
	return slices.ContainsFunc(p.gates, func(g gate) bool { return slices.Contains(gates, g) })
}

// at gives the pods at a gate.
func (p *forcing) at(g gate) []*victim {
	var out []*victim
	for i, v := range p.pods {
		if p.gates[i] == g {
			out = append(out, v)
		}
	}
	return out
}

// asked are the pods whose nodes nobody answers for, so that only the operator can know what is true of them.
func (p *forcing) asked() []*victim {
	var out []*victim
	for i, v := range p.pods {
		if p.gates[i] >= untouched && p.away(v) || p.gates[i] == collected || p.gates[i] == unheard {
			out = append(out, v)
		}
	}
	return out
}

// mostForced is how many pods may be forced at once: more are a whole node, and that has better ways.
const mostForced = 20

// hard are the gates that nothing opens but time, or another action.
func (p *forcing) hard() bool {
	return p.has(mirrored, within, forced) || p.sets() != nil || len(p.pods) > mostForced
}

// sets names StatefulSets of which several pods are meant.
func (p *forcing) sets() []string {
	count := countBy(p.pods, func(v *victim) string {
		if o := p.owner(v); o.controller == "StatefulSet" {
			return v.Namespace + "/" + o.name
		}
		return ""
	})
	delete(count, "")
	var out []string
	for name, n := range count {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s of %s", many(n, "pod"), name))
		}
	}
	slices.Sort(out)
	return out
}

// refusals are why the plan cannot be confirmed as it is.
func (p *forcing) refusals() []string {
	var out []string
	add := func(list []*victim, one, several string) {
		switch {
		case len(list) == 0:
		case len(p.pods) == 1:
			out = append(out, one)
		default:
			out = append(out, text.Some(names(list), 3)+": "+several)
		}
	}
	if n := len(p.pods); n > mostForced {
		out = append(out, fmt.Sprintf("%d pods at once are too many to be looked at: %d at most; of a dead node, taint it or delete it", n, mostForced))
	}
	if s := p.sets(); s != nil {
		out = append(out, "one pod of a StatefulSet at a time: "+text.And(s)+" are meant; choose one of each")
	}
	add(p.at(mirrored), "a static pod: its kubelet has it from a file and makes the API object again; take the file away",
		"static, their kubelets have them from files; take them out")
	if list := p.at(within); len(list) > 0 {
		d := p.diagnose(list[0])
		add(list, fmt.Sprintf("wait: its containers have %s left, until %s", left(d.Left), clock(list[0].DeletionTimestamp.Time)),
			"within their grace periods; wait, or take them out")
	}
	add(p.at(forced), "there is nothing to force: only its finalizers keep it; remove them, or wait for who set them",
		"only their finalizers keep them; take them out")
	if p.hard() {
		return out
	}
	if !p.anyway {
		add(p.at(untouched), "not Terminating: delete it normally first, or tick the box to force it", "not Terminating; delete them normally first, or tick the box to force them")
		add(p.at(kubelet), "the kubelet "+p.alive()+": look at what keeps it, or tick the box to force it",
			"their kubelets are alive, as far as is known; look at what keeps them, or tick the box to force them")
	}
	return append(out, p.unanswered()...)
}

// unanswered is what only the operator can say, and has not said so that the plan could go on.
func (p *forcing) unanswered() []string {
	if list := p.asked(); len(list) > 0 {
		where := p.nodesOf(list)
		switch {
		case p.which == "":
			return []string{"choose which is true of " + where + ": the API cannot know"}
		case p.which == MachineOff && p.onlyGone(list):
			return []string{"with a nothing needs to be sent: pod garbage collection removes it"}
		case p.which == MachineOff:
			return []string{"with a, taint " + where + " out-of-service or delete the Node: each has its own sheet, nothing is sent from here"}
		case p.which == CutOff:
			return []string{"with b, wait or repair " + where + ": nothing is sent"}
		}
	}
	if !p.assert && p.asserted() {
		return []string{"tick the last box: only you can know that"}
	}
	return nil
}

// asserted reports whether the sheet asks for the assertion: until then something else is in the way.
func (p *forcing) asserted() bool { return p.anyway || len(p.asked()) > 0 }

// alive says of the kubelets of the pods at that gate how sure it is that they answer.
func (p *forcing) alive() string {
	for _, v := range p.at(kubelet) {
		if _, known := p.node(v); !known {
			return "may be alive"
		}
	}
	return "is alive"
}

// onlyGone reports whether garbage collection ends all of these by itself.
func (p *forcing) onlyGone(list []*victim) bool {
	return !slices.ContainsFunc(list, func(v *victim) bool { return p.gateOf(v) != collected })
}

func (p *forcing) nodesOf(list []*victim) string {
	return text.Some(distinct(list, func(v *victim) string { return words(v.Spec.NodeName) }), 3)
}

// instead are the better ways, by the gates.
func (p *forcing) instead() []action.Instead {
	var out []action.Instead
	offer := func(id action.ID, format string, args ...any) {
		out = append(out, action.Instead{Action: id, Target: p.target, Words: fmt.Sprintf(format, args...)})
	}
	if list := p.at(untouched); len(list) > 0 {
		offer(action.DeletePod, "delete %s normally first", it(p.target))
	}
	if p.has(forced) {
		offer(action.RemoveFinalizers, "remove the finalizers of %s: what they wait for is not done", it(p.target))
	}
	if refs, n, known := p.release(); len(refs) > 0 {
		target := action.Target{Context: p.target.Context, Refs: refs}
		of := action.Target{Refs: refs}.Name()
		out = append(out,
			action.Instead{Action: action.OutOfService, Target: target, Words: "taint " + of + " out-of-service: " + releases(n, known) + ", detaches their volumes"},
			action.Instead{Action: action.DeleteNode, Target: target, Words: "delete the Node object of " + of + ": " + releases(n, known)})
	}
	return out
}

func it(t action.Target) string {
	if len(t.Refs) == 1 {
		return "it"
	}
	return "them"
}

// release gives the nodes that do not answer, and how many pods they would release.
func (p *forcing) release() (refs []kube.Ref, pods int, known bool) {
	known = true
	for _, name := range distinct(p.asked(), func(v *victim) string { return v.Spec.NodeName }) {
		n := p.nodes[name]
		if n == nil || outOfService(n) {
			continue
		}
		refs = append(refs, kube.Ref{Kind: kube.Nodes, Name: n.Name, UID: string(n.UID)})
		count, ok := p.hosted[name]
		pods, known = pods+count, known && ok
	}
	return refs, pods, known
}

func releases(n int, known bool) string {
	if !known {
		return "releases its pods"
	}
	return "releases " + many(n, "pod")
}

func (p *forcing) foot() string { return many(len(p.pods), "pod") + "; " + p.twice() }

func (p *forcing) twice() string {
	if len(p.pods) == 1 {
		return "it may run twice"
	}
	return "they may run twice"
}

// details are what the audit log keeps, and what Standing reads.
func (p *forcing) details() map[string]any {
	out := []any{}
	for i, v := range p.pods {
		back, _ := p.returns(v)
		node := ""
		if n, _ := p.node(v); n != nil {
			node = string(n.UID)
		}
		out = append(out, map[string]any{
			"namespace": v.ref.Namespace, "name": v.ref.Name, "uid": v.ref.UID, "node": v.Spec.NodeName, "nodeUID": node,
			"nodeAway": p.away(v), "gate": p.gates[i].String(), "owner": p.owner(v).text(), "returns": string(back), "finalizers": len(v.Finalizers),
		})
	}
	return map[string]any{"pods": out, OptionWhich: p.which, OptionAnyway: p.anyway, OptionAssert: p.assert}
}

// lateness is how a pod that is Terminating stands: "Terminating since 17:18:52, due 17:19:22: 14m late".
func lateness(v *victim, now time.Time) string {
	if !v.deleting() {
		return "not Terminating"
	}
	due := v.DeletionTimestamp.Time
	asked := due.Add(-time.Duration(grace(v.Pod)) * time.Second)
	out := fmt.Sprintf("Terminating since %s, due %s", clock(asked), clock(due))
	if over := now.Sub(due); over > 0 {
		return out + ": " + age(over) + " late"
	}
	return out + ": " + left(due.Sub(now)) + " left"
}

// usable reports whether new pods can be bound to a node.
func usable(n *corev1.Node) bool { return !n.Spec.Unschedulable && nodeReady(n) }
