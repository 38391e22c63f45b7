package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// sheet writes a plan out. contextName is as the kubeconfig has it, for the command.
func (p *Plan) sheet(contextName string, t action.Target, o action.Options) *action.Plan {
	c := p.count()
	return &action.Plan{
		Action: action.Drain, Target: t, Options: o, Made: p.Made, Tier: p.tier(c),
		Headline: p.headline(c), Facts: p.facts(c), Sections: p.sections(c), Toggles: p.toggles(), Instead: p.instead(t.Context),
		Kubectl: []string{p.kubectl(contextName)},
		Gate:    p.gate(c), Foot: p.foot(c), Word: p.word(),
		Refusals: p.refusals(),
		Details:  p.details(c),
	}
}

// tier is Write for what cannot be taken back, and for nodes whose loss is more than that of their pods.
func (p *Plan) tier(c counts) action.Tier {
	if len(p.irrevocable(c)) > 0 || !p.allReady() {
		return action.Write
	}
	return action.Read
}

// names of the nodes, for a sentence.
func (p *Plan) names() string {
	if len(p.Nodes) == 1 {
		return p.Nodes[0].Name
	}
	return many(len(p.Nodes), "node")
}

func (p *Plan) headline(c counts) string {
	if len(p.Nodes) == 1 {
		return p.Nodes[0].headline() + " " + fates(c)
	}
	var names []string
	for i := range p.Nodes {
		names = append(names, p.Nodes[i].Name)
	}
	return many(len(names), "node") + ": " + text.Cut(strings.Join(names, ", "), longest, "...") + ". " + fates(c)
}

// headline is a node in one line: "worker-44: Ready, DiskPressure 23m, v1.36.3, zone 1b."
func (n *Node) headline() string {
	parts := []string{n.Status}
	if !n.Ready && n.For > 0 {
		parts[0] += " " + age(n.For)
	}
	parts = append(parts, n.Problems...)
	if n.ControlPlane {
		parts = append(parts, "control plane")
	}
	if n.Version != "" {
		parts = append(parts, n.Version)
	}
	if n.Zone != "" {
		parts = append(parts, "zone "+n.Zone)
	}
	return n.Name + ": " + strings.Join(parts, ", ") + "."
}

// fates counts what happens to the pods: "Of 15 pods 11 leave, 4 stay, 0 wait."
func fates(c counts) string {
	if c.total == 0 {
		return "It has no pods."
	}
	parts := []string{verb(c.goes, "leaves", "leave"), verb(c.stays, "stays", "stay")}
	switch waits := c.waits + c.never; {
	case c.goes == 0:
	case waits == 0:
		parts = append(parts, "0 wait")
	default:
		parts[0] += fmt.Sprintf(" (%s)", strings.Join(held(c), ", "))
	}
	if c.needs > 0 {
		parts = append(parts, verb(c.needs, "needs an option", "need an option"))
	}
	if c.leaving > 0 {
		parts = append(parts, verb(c.leaving, "is leaving already", "are leaving already"))
	}
	return "Of " + many(c.total, "pod") + " " + strings.Join(parts, ", ") + "."
}

// held counts the pods that are not let go at once.
func held(c counts) []string {
	var out []string
	if c.waits > 0 {
		out = append(out, verb(c.waits, "waits", "wait"))
	}
	if c.never > 0 {
		out = append(out, fmt.Sprintf("%d will fail", c.never))
	}
	return out
}

func verb(n int, single, plural string) string {
	if n == 1 {
		return "1 " + single
	}
	return text.Count(n) + " " + plural
}

func (p *Plan) facts(c counts) []action.Fact {
	var out []action.Fact
	if len(p.Nodes) > 1 {
		for i := range p.Nodes {
			n := &p.Nodes[i]
			f := action.Fact{Name: "node", Text: n.headline() + " " + fates(countAll(n.all()))}
			if !n.Ready {
				f.Severity = kube.Bad
			}
			out = append(out, f)
		}
		if s := p.Settings.Together; s > 1 {
			out = append(out, action.Fact{
				Name: "but", Text: fmt.Sprintf("%s nodes at once: less room, budgets are shared", number(min(s, len(p.Nodes)))), Severity: kube.Warning,
			})
		}
	}
	out = append(out, p.after())
	if c.goes > c.finished {
		out = append(out, p.room(c), p.time(c))
	}
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.Cordoned {
			out = append(out, action.Fact{Name: "note", Text: n.Name + " is cordoned already"})
		}
	}
	return out
}

func number(n int) string {
	if words := [...]string{"no", "one", "two", "three"}; n < len(words) {
		return words[n]
	}
	return text.Count(n)
}

// mostNamed is how many other nodes are named that are not usable.
const mostNamed = 3

// after says what remains.
func (p *Plan) after() action.Fact {
	if p.Total == 0 {
		return action.Fact{Name: "after", Text: "not known: the other nodes could not be read", Severity: kube.Warning}
	}
	f := action.Fact{Name: "after", Text: fmt.Sprintf("%s of %s ready and schedulable", text.Count(p.Usable), many(p.Total, "node"))}
	if p.Usable != p.UsableNow {
		f.Text += fmt.Sprintf(" (%s now)", text.Count(p.UsableNow))
	}
	if more := p.Total - p.Usable - len(p.Nodes); more > 0 {
		shown := p.Others
		if more > mostNamed {
			shown = p.Others[:mostNamed-1]
		}
		f.Text += "; " + strings.Join(shown, ", ")
		if rest := more - len(shown); rest > 0 {
			f.Text += fmt.Sprintf(", and %d more are not usable", rest)
		}
	}
	if p.Usable == 0 {
		f.Severity = kube.Bad
	}
	return f
}

// room compares what those that come back ask for with what is free.
func (p *Plan) room(c counts) action.Fact {
	f := action.Fact{Name: "room", Text: fmt.Sprintf("they ask for %s and %s", text.Cores(c.cpu), text.GiB(c.mem))}
	if !p.FreeKnown {
		f.Text += "; what is free on the other nodes is not known"
		return f
	}
	f.Text += fmt.Sprintf("; free elsewhere: %s, %s", text.Cores(p.FreeCPU), text.GiB(p.FreeMem))
	if c.cpu > p.FreeCPU || c.mem > p.FreeMem {
		f.Text += ": that is too little"
		f.Severity = kube.Warning
	}
	return f
}

// startup is what a replacement is given to become ready, where the time of a drain is estimated.
const startup = 30 * time.Second

// time estimates how long it takes, or says on what it depends.
func (p *Plan) time(c counts) action.Fact {
	f := action.Fact{Name: "time", Severity: kube.Warning}
	switch {
	case !p.allReady() && p.Settings.Hanging:
		f.Text = "without an end: nobody confirms that a pod has gone"
	case c.never > 0:
		f.Text = "without an end: " + many(c.never, "pod") + " will not be let go"
	case c.waits > 0:
		f.Text = "not known: " + p.firstWaiting() + " waits"
		if c.waits > 1 {
			f.Text += fmt.Sprintf(", and %d more", c.waits-1)
		}
	case !p.allReady():
		f.Text = "as long as the evictions take: nobody confirms that a pod has gone"
	default:
		f.Severity, f.Text = kube.OK, p.estimated(c)
	}
	return f
}

func (p *Plan) firstWaiting() string {
	for _, pod := range p.pods() {
		if pod.Fate == Waits {
			return pod.Ref().FullName()
		}
	}
	return ""
}

// estimated is the time if nothing holds the drain up, and what it is made of.
func (p *Plan) estimated(c counts) string {
	out := fmt.Sprintf("about %s: longest grace %s", short(p.estimate()), short(c.grace))
	if p.ordered() {
		out += ", one StatefulSet pod at a time"
	}
	if p.blind() {
		return out + ", if no budget holds them up"
	}
	return out + ", no budget at zero"
}

// blind reports whether some budgets could not be read.
func (p *Plan) blind() bool {
	return slices.ContainsFunc(p.Unknown, func(s string) bool { return strings.HasPrefix(s, budgets+": ") })
}

// ordered reports whether a pod of a StatefulSet waits for another.
func (p *Plan) ordered() bool {
	for _, pod := range p.pods() {
		if pod.After != "" {
			return true
		}
	}
	return false
}

// estimate is the time for nodes one after the other, or as many at a time as was chosen. A node takes as long as its
// longest chain of pods that wait for each other, each with its grace and the start of its replacement.
func (p *Plan) estimate() time.Duration {
	var sum time.Duration
	for i := range p.Nodes {
		chains, slowest := map[string]time.Duration{}, time.Duration(0)
		for _, pod := range p.Nodes[i].all() {
			if !pod.Fate.Goes() || pod.Finished {
				continue
			}
			chain := pod.Owner.Controller
			if pod.After == "" {
				chain = pod.UID
				if p.Settings.Gentle && pod.Owner.Kind == "StatefulSet" {
					chain = pod.Owner.Controller
				}
			}
			chains[chain] += pod.Grace + startup
			slowest = max(slowest, chains[chain])
		}
		sum += slowest
	}
	return sum / time.Duration(min(p.Settings.Together, len(p.Nodes)))
}

// instead offers what lets go of the pods of nodes that are silent. On each of its sheets stands what has to be certain before.
func (p *Plan) instead(contextName string) []action.Instead {
	var silent, untainted []*Node
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Silent {
			silent = append(silent, n)
		}
		if n.Silent && !n.OutOfService {
			untainted = append(untainted, n)
		}
	}
	var out []action.Instead
	offer := func(id action.ID, nodes []*Node, does string) {
		if len(nodes) == 0 {
			return
		}
		t, pods := action.Target{Context: contextName}, 0
		for _, n := range nodes {
			t.Refs = append(t.Refs, kube.Ref{Kind: kube.Nodes, Name: n.Name, UID: n.UID})
			pods += n.released()
		}
		out = append(out, action.Instead{Action: id, Target: t, Words: fmt.Sprintf(does, t.Name(), many(pods, "pod"))})
	}
	offer(action.OutOfService, untainted, "taint %s out-of-service: releases %s, detaches their volumes")
	offer(action.DeleteNode, silent, "delete the Node object of %s: releases %s")
	return out
}

// released counts the pods that go when their node lets go of them: those that run, and would not be put back at once.
func (n *Node) released() int {
	out := 0
	for _, pod := range n.all() {
		out += one(pod.Fate != Stays && !pod.Finished)
	}
	return out
}

func (p *Plan) gate(c counts) string {
	if c.goes > 0 {
		return fmt.Sprintf("evict %s from %s", many(c.goes, "pod"), p.names())
	}
	for i := range p.Nodes {
		if !p.Nodes[i].Cordoned {
			return "cordon " + p.names() + ": no pod has to leave"
		}
	}
	return "leave " + p.names() + " cordoned: no pod has to leave"
}

func (p *Plan) foot(c counts) string {
	out := verb(c.goes, "pod leaves", "pods leave")
	var worst []string
	if c.lose > 0 {
		worst = append(worst, verb(c.lose, "loses data", "lose data"))
	}
	if c.gone > 0 {
		worst = append(worst, verb(c.gone, "is gone for good", "are gone for good"))
	}
	if c.never > 0 {
		worst = append(worst, verb(c.never, "will be refused", "will be refused"))
	}
	if len(worst) > 0 {
		out += "; " + strings.Join(worst, ", ")
	}
	return out
}

// refusals are the reasons why the plan cannot be confirmed. Nothing to do is none.
func (p *Plan) refusals() []string {
	var empty, unowned int
	for _, pod := range p.pods() {
		if pod.Fate == Needs {
			empty += one(len(pod.Lost) > 0 && !p.Settings.EmptyDir)
			unowned += one(pod.Unowned && !p.Settings.Unowned)
		}
	}
	var out []string
	if empty > 0 {
		out = append(out, verb(empty, "pod uses", "pods use")+" emptyDir and would lose it: choose that below, or leave")
	}
	if unowned > 0 {
		out = append(out, verb(unowned, "pod has", "pods have")+" no owner and would not come back: choose that below, or leave")
	}
	return out
}

// kubectl is the nearest command: it evicts all at once, and knows neither order nor late arrivals.
func (p *Plan) kubectl(contextName string) string {
	words := []string{"drain"}
	for i := range p.Nodes {
		words = append(words, p.Nodes[i].Name)
	}
	words = append(words, "--ignore-daemonsets")
	if p.Settings.EmptyDir {
		words = append(words, "--delete-emptydir-data")
	}
	if p.Settings.Unowned {
		words = append(words, "--force")
	}
	if g := p.Settings.Grace; g > 0 {
		words = append(words, fmt.Sprintf("--grace-period=%d", int(g/time.Second)))
	}
	return action.Kubectl(contextName, words...)
}

// details are what the audit log keeps of the plan.
func (p *Plan) details(c counts) map[string]any {
	nodes := map[string]any{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		pods := []string{}
		for _, pod := range n.all() {
			if pod.Fate.Goes() {
				pods = append(pods, pod.Ref().FullName()+" "+pod.UID)
			}
		}
		nodes[n.Name] = map[string]any{"uid": n.UID, "resourceVersion": n.ResourceVersion, "cordoned": n.Cordoned, "pods": pods}
	}
	return map[string]any{
		"options": p.Settings, "nodes": nodes,
		"counts": map[string]int{
			"pods": c.total, "leave": c.goes, "stay": c.stays, "needOption": c.needs, "leaving": c.leaving, "wait": c.waits, "fail": c.never,
			"loseEmptyDir": c.lose, "unowned": c.gone, "finished": c.finished,
		},
	}
}

// word is what is typed to confirm: the name of the node, or how many there are.
func (p *Plan) word() string {
	if len(p.Nodes) > 1 {
		return fmt.Sprintf("%d nodes", len(p.Nodes))
	}
	return p.Nodes[0].Name
}
