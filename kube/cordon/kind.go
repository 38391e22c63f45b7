package cordon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// Kind is cordon or uncordon.
type Kind struct{ on bool }

// New makes the action that cordons nodes, or the one that uncordons them.
func New(on bool) *Kind { return &Kind{on} }

// ID implements action.Kind.
func (k *Kind) ID() action.ID {
	if k.on {
		return action.Cordon
	}
	return action.Uncordon
}

// Needs implements action.Kind.
func (k *Kind) Needs() []action.Need { return []action.Need{{Verb: "patch", Resource: "nodes"}} }

// readLimit bounds the reading of everything that a plan is made of.
const readLimit = 30 * time.Second

// Plan implements action.Kind. It reads the nodes live: those that are meant one by one, all of them for what remains.
func (k *Kind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, _ action.Options) (*action.Plan, error) {
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	var nodes []*corev1.Node
	for _, ref := range t.Refs {
		node, err := read(ctx, c, ref)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	all, err := list(ctx, c)
	if err != nil {
		return nil, err
	}
	p := k.plan(t, nodes, all, c.Moment(), time.Now())
	if !k.on && p.Work != nil {
		p.Facts = append(daemons(ctx, c, nodes), p.Facts...)
	}
	return p, nil
}

// list gives all nodes as the server's cache has them, which costs it least.
func list(ctx context.Context, c *kube.Cluster) ([]corev1.Node, error) {
	l, err := c.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	return l.Items, nil
}

// plan makes the plan of what has been read.
func (k *Kind) plan(t action.Target, nodes []*corev1.Node, all []corev1.Node, m kube.Moment, now time.Time) *action.Plan {
	p := &action.Plan{
		Action: k.ID(), Target: t, Made: now, Tier: action.Ask,
		Details: map[string]any{},
	}
	names := make([]string, len(nodes))
	var change []kube.Ref
	for i, n := range nodes {
		names[i] = text.Clean(n.Name)
		if n.Spec.Unschedulable != k.on {
			change = append(change, t.Refs[i])
		}
	}
	p.Kubectl = []string{action.Kubectl(t.Context, append([]string{verb(k.on)}, names...)...)}
	if len(change) == 0 {
		p.Headline = fmt.Sprintf("%s %s already %sed.", t.Name(), is(len(nodes)), verb(k.on))
		p.Refusals = []string{"there is nothing to do"}
		return p
	}
	p.Gate = verb(k.on) + " " + action.Target{Refs: change}.Name()
	p.Word = names[0]
	if len(names) > 1 {
		p.Word = fmt.Sprintf("%d nodes", len(names))
		p.Sections = []action.Section{{
			Title: p.Word, Note: "marked, shown or not", Rows: []action.Row{{Cells: []string{strings.Join(names, "  ")}}},
		}}
	}
	p.Work = &work{on: k.on, nodes: t.Refs, change: change}
	if k.on {
		k.planCordon(p, nodes, all, m, now)
	} else {
		k.planUncordon(p, nodes, all, now)
	}
	return p
}

func (k *Kind) planCordon(p *action.Plan, nodes []*corev1.Node, all []corev1.Node, m kube.Moment, now time.Time) {
	pods, known := 0, true
	meant := map[string]bool{}
	for _, n := range nodes {
		l, ok := m.Load(n.Name)
		pods, known, meant[n.Name] = pods+l.Pods, known && ok, true
	}
	stay := "Its pods stay and keep running."
	switch {
	case known && len(nodes) == 1:
		stay = fmt.Sprintf("Its %s %s running.", text.Plural(pods, "pod", "pods"), stays(pods))
	case known:
		stay = fmt.Sprintf("Their %s %s running.", text.Plural(pods, "pod", "pods"), stays(pods))
	case len(nodes) > 1:
		stay = "Their pods stay and keep running."
	}
	if slices.ContainsFunc(nodes, func(n *corev1.Node) bool { return !kube.NewNode(n).State().Ready }) {
		stay = strings.NewReplacer(" and keep running", "", " and keeps running", "").Replace(stay) // nobody knows whether they do
	}
	p.Headline = fmt.Sprintf("No new pods on %s. %s", p.Target.Name(), stay)
	p.Facts = append(p.Facts, nowFacts(nodes, now)...)
	rest := remaining(all, meant)
	p.Facts = append(p.Facts, rest.fact(len(nodes)))
	if room, ok := rest.room(m); ok {
		p.Facts = append(p.Facts, room)
	}
	p.Facts = append(p.Facts,
		action.Fact{Name: "but", Text: "DaemonSet pods and pods with nodeName still land here"},
		action.Fact{Name: "undo", Text: "uncordon"},
	)
	if danger := rest.danger(); danger != "" {
		p.Tier = action.Write
		p.Facts = slices.Insert(p.Facts, 0, action.Fact{Name: "danger", Text: danger, Severity: kube.Bad})
	}
	p.Details["nodesUsableAfter"] = rest.usable
}

// planUncordon tells what will keep pods away all the same.
func (k *Kind) planUncordon(p *action.Plan, nodes []*corev1.Node, all []corev1.Node, now time.Time) {
	p.Headline = fmt.Sprintf("New pods may go to %s again. None comes back by itself.", p.Target.Name())
	p.Facts = append(p.Facts, nowFacts(nodes, now)...)
	for _, n := range nodes {
		name := ""
		if len(nodes) > 1 {
			name = text.Clean(n.Name) + ": "
		}
		row := kube.NewNode(n)
		if !row.State().Ready {
			p.Facts = append(p.Facts, action.Fact{
				Name: "warn", Severity: kube.Warning, Text: name + "it is " + row.StatusText() + ": pods will be scheduled only when it is Ready",
			})
		}
		if t := keepsAway(n); t != "" {
			p.Facts = append(p.Facts, action.Fact{Name: "but", Severity: kube.Warning, Text: name + "taints still keep pods away: " + t})
		}
		if old := skew(n, all); old != "" {
			p.Facts = append(p.Facts, action.Fact{Name: "note", Text: name + old})
		}
		if at := row.CordonedAt; !at.IsZero() {
			p.Facts = append(p.Facts, action.Fact{Name: "since", Text: name + "cordoned for " + text.Age(now, at)})
		}
	}
	p.Facts = append(p.Facts, action.Fact{Name: "undo", Text: "cordon"})
}

// nowFacts are how the nodes are now: one line for one, a line for those that are not well of many.
func nowFacts(nodes []*corev1.Node, now time.Time) []action.Fact {
	var out []action.Fact
	well := 0
	for _, n := range nodes {
		row := kube.NewNode(n)
		m := kube.Moment{Now: now}
		s := row.StatusText()
		if c := row.ConditionsText(); c != "-" && !strings.Contains(s, c) {
			s += ", " + c
		}
		if len(nodes) > 1 {
			if row.Severity(m) <= kube.Notice {
				well++
				continue
			}
			s = row.Name + " is " + s
		}
		out = append(out, action.Fact{Name: "now", Text: s + onlyLine(row, len(nodes)), Severity: row.Severity(m)})
	}
	if well > 0 {
		out = append([]action.Fact{{Name: "now", Text: fmt.Sprintf("%d of %d are well", well, len(nodes))}}, out...)
	}
	return out
}

// onlyLine adds the version and the zone where there is but one node.
func onlyLine(n *kube.Node, of int) string {
	s := ""
	if of > 1 {
		return s
	}
	if n.Version != "" {
		s += ", " + n.Version
	}
	if n.Zone != "" {
		s += ", zone " + n.Zone
	}
	return s
}

// keepsAway names the taints that keep pods away apart from the cordon.
func keepsAway(n *corev1.Node) string {
	var out []string
	for _, t := range n.Spec.Taints {
		if t.Key != corev1.TaintNodeUnschedulable && t.Effect != corev1.TaintEffectPreferNoSchedule {
			out = append(out, text.Clean(t.ToString()))
		}
	}
	return strings.Join(out, ", ")
}

// skew says so when the kubelet is not of the version that most nodes have: the node may have been upgraded, or forgotten.
func skew(n *corev1.Node, all []corev1.Node) string {
	count := map[string]int{}
	most := ""
	for i := range all {
		v := all[i].Status.NodeInfo.KubeletVersion
		if count[v]++; count[v] > count[most] {
			most = v
		}
	}
	own := n.Status.NodeInfo.KubeletVersion
	if own == most || own == "" || most == "" || 2*count[most] <= len(all) {
		return ""
	}
	return fmt.Sprintf("kubelet %s; most nodes have %s", text.Clean(own), text.Clean(most))
}

func is(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func stays(n int) string {
	if n == 1 {
		return "stays and keeps"
	}
	return "stay and keep"
}
