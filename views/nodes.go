package views

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// NewNodes makes the nodes pane: every node's health, pressure, pods, and capacity against requests and use. said is where its events are, nil
// for nowhere.
func NewNodes(feed Feed[*kube.Node], said Said) View {
	events := remarks{said}
	return newList(feed, spec[*kube.Node]{
		name: "nodes", one: "node", many: "nodes",
		scope:    keymap.Nodes,
		needs:    kube.Nodes | kube.Pods | kube.Metrics,
		columns:  NodeColumns(),
		orders:   nodeOrders(),
		byName:   nodesByName,
		severity: (*kube.Node).Severity,
		fields:   nodeSought().fields, searched: nodeText, labels: nodeSought().labels,
		counts:    nodeCounts,
		state:     nodeState,
		beside:    kube.Events,
		diagnosis: events.ofNode,
		details:   nodeDetails,
		sections:  events.nodeSections,
		open: func(n *kube.Node) []Effect {
			return []Effect{Open{Place{Pane: "pods", Pin: Pin{"node", n.Name}}}}
		},
		other: func(n *kube.Node, id keymap.ID) []Effect {
			if id == keymap.NodeEvents {
				return []Effect{Open{EventsPlace(n.Ref())}}
			}
			return nil
		},
		copied: func(n *kube.Node) string { return n.Name },
		why:    whyNotNode,
	})
}

// whyNotNode gives the reason for which an action has nothing to do on a node.
func whyNotNode(n *kube.Node, id keymap.ID) string {
	switch {
	case id == keymap.CordonNode && n.Unschedulable:
		return n.Name + " is cordoned already"
	case id == keymap.UncordonNode && !n.Unschedulable:
		return n.Name + " is not cordoned"
	case id == keymap.OutOfService && n.State().OutOfService:
		return n.Name + " is tainted out-of-service already"
	case id == keymap.InService && !n.State().OutOfService:
		return n.Name + " is not tainted out-of-service"
	}
	return ""
}

// NodeColumns are the columns of the nodes pane, the most needed first.
func NodeColumns() []table.Column[*kube.Node] {
	return []table.Column[*kube.Node]{
		{ID: "name", Title: "NAME", Min: 10, Max: 63, Flex: true, Middle: true,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Name) }},
		{ID: "status", Title: "STATUS", Min: 6, Max: 32,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell {
				return table.Cell{Text: n.StatusText(), Token: severityToken(n.Severity(m))}
			}},
		{ID: "for", Title: "FOR", Min: 5, Right: true, Drop: 2,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell { return plain(since(m.Now, n.For())) }},
		{ID: "conditions", Title: "CONDITIONS", Min: 10, Max: 28, Drop: 1,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell {
				return table.Cell{Text: n.ConditionsText(), Token: severityToken(n.Severity(m))}
			}},
		{ID: "pods", Title: "PODS", Min: 6, Right: true, Drop: 3,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell { return plain(nodePods(n, m)) }},
		{ID: "cpu", Title: "CPU u/r", Min: 7, Right: true, Drop: 4,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell { return plain(nodeCPU(n, m)) }},
		{ID: "memory", Title: "MEM u/r", Min: 7, Right: true, Drop: 4,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell { return plain(nodeMemory(n, m)) }},
		{ID: "roles", Title: "ROLES", Min: 6, Max: 22, Drop: 5,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Roles) }},
		{ID: "age", Title: "AGE", Min: 4, Right: true, Drop: 6,
			Cell: func(n *kube.Node, m kube.Moment) table.Cell { return plain(text.Age(m.Now, n.Created)) }},
		{ID: "version", Title: "VERSION", Min: 7, Max: 22, Drop: 7,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Version) }},
		{ID: "taints", Title: "TAINTS", Min: 6, Max: 40, Drop: 8,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(taints(n)) }},
		{ID: "zone", Title: "ZONE", Min: 4, Max: 20, Drop: 9,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(dash(n.Zone)) }},
		{ID: "internal-ip", Title: "INTERNAL-IP", Min: 11, Max: 39, Drop: 10,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(dash(n.InternalIP)) }},
		{ID: "external-ip", Title: "EXTERNAL-IP", Min: 11, Max: 39, Drop: 14,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(dash(n.ExternalIP)) }},
		{ID: "os-image", Title: "OS-IMAGE", Min: 8, Max: 36, Drop: 11,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.OSImage) }},
		{ID: "kernel-version", Title: "KERNEL-VERSION", Min: 14, Max: 28, Drop: 12,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Kernel) }},
		{ID: "container-runtime", Title: "CONTAINER-RUNTIME", Min: 17, Max: 28, Drop: 13,
			Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Runtime) }},
	}
}

func nodesByName(a, b *kube.Node) int {
	if a.Name != b.Name {
		return strings.Compare(a.Name, b.Name)
	}
	return strings.Compare(a.UID, b.UID)
}

func taints(n *kube.Node) string {
	words := make([]string, len(n.Taints))
	for i, t := range n.Taints {
		words[i] = t.String()
	}
	return dash(strings.Join(words, ", "))
}

// nodePods is how many pods are on a node, of how many.
func nodePods(n *kube.Node, m kube.Moment) string {
	pods := "-"
	if l, ok := m.Load(n.Name); ok {
		pods = strconv.Itoa(l.Pods)
	}
	return fmt.Sprintf("%s/%d", pods, n.Allocatable.Pods)
}

// nodeCPU is what is used and what is requested, in percent of what can be given.
func nodeCPU(n *kube.Node, m kube.Moment) string {
	use, sampled := m.NodeUse(n.Name)
	load, counted := m.Load(n.Name)
	return share(use.CPU, sampled, n.Allocatable.CPU) + "/" + share(load.CPURequests, counted, n.Allocatable.CPU)
}

func nodeMemory(n *kube.Node, m kube.Moment) string {
	use, sampled := m.NodeUse(n.Name)
	load, counted := m.Load(n.Name)
	return share(use.Memory, sampled, n.Allocatable.Memory) + "/" + share(load.MemRequests, counted, n.Allocatable.Memory)
}

// share is a part in percent, "-" if it is not known.
func share(part int64, known bool, of int64) string {
	if !known {
		return "-"
	}
	return text.Percent(part, of)
}

func nodeOrders() []order[*kube.Node] {
	use := func(f func(kube.Use) int64) func(*kube.Node, uint8, kube.Moment) uint64 {
		return func(n *kube.Node, _ uint8, m kube.Moment) uint64 {
			u, ok := m.NodeUse(n.Name)
			if !ok {
				return 0
			}
			return uint64(f(u)) + 1
		}
	}
	return []order[*kube.Node]{
		{id: "health", title: "health", key: byRank[*kube.Node]},
		{id: "name", title: "name", column: "name", compare: nodesByName},
		{id: "status", title: "status", column: "status",
			compare: func(a, b *kube.Node) int { return cmp.Compare(a.Status, b.Status) }},
		{id: "for", title: "for", column: "for",
			key: func(n *kube.Node, _ uint8, _ kube.Moment) uint64 { return newest(n.For()) }},
		{id: "conditions", title: "conditions", column: "conditions",
			compare: func(a, b *kube.Node) int { return cmp.Compare(conditionsKey(a), conditionsKey(b)) }},
		{id: "pods", title: "pods", column: "pods", reads: kube.Pods,
			key: func(n *kube.Node, _ uint8, m kube.Moment) uint64 { return uint64(m.Loads[n.Name].Pods) }},
		{id: "cpu", title: "cpu", column: "cpu", reads: kube.Metrics,
			key: use(func(u kube.Use) int64 { return u.CPU })},
		{id: "cpu-requests", title: "cpu requests", column: "cpu", reads: kube.Pods,
			key: func(n *kube.Node, _ uint8, m kube.Moment) uint64 { return uint64(m.Loads[n.Name].CPURequests) }},
		{id: "memory", title: "memory", column: "memory", reads: kube.Metrics,
			key: use(func(u kube.Use) int64 { return u.Memory })},
		{id: "memory-requests", title: "memory requests", column: "memory", reads: kube.Pods,
			key: func(n *kube.Node, _ uint8, m kube.Moment) uint64 { return uint64(m.Loads[n.Name].MemRequests) }},
		{id: "age", title: "age", column: "age",
			key: func(n *kube.Node, _ uint8, _ kube.Moment) uint64 { return newest(n.Created) }},
	}
}

// conditionsKey orders the conditions by their first letters, and nodes without any behind them.
func conditionsKey(n *kube.Node) string {
	text := n.ConditionsText()
	if text == "-" {
		return "\x7f"
	}
	return strings.ToLower(text)
}

func nodeCounts(s *kube.Snapshot[*kube.Node]) string {
	ready, cordoned := 0, 0
	for i := range s.Len() {
		n := s.Row(i)
		if n.State().Ready {
			ready++
		}
		if n.Unschedulable {
			cordoned++
		}
	}
	t := fmt.Sprintf("%s of %s ready", text.Count(ready), text.Count(s.Total))
	if cordoned > 0 {
		t += fmt.Sprintf(", %s cordoned", text.Count(cordoned))
	}
	return t
}

func nodeState(n *kube.Node, m kube.Moment) string {
	state, since := n.StatusText(), n.For()
	if what := n.ForWhat(); what != "" {
		state += ", " + what
	}
	if since.IsZero() {
		return state
	}
	return state + " since " + clock(since, m.Now)
}

func nodeDetails(n *kube.Node, m kube.Moment) []Fact {
	load, counted := m.Load(n.Name)
	use, known := m.NodeUse(n.Name)
	facts := []Fact{
		{"status", n.StatusText(), n.Severity(m)},
		{strings.TrimSpace(n.ForWhat() + " since"), absolute(n.For(), m.Now), kube.OK},
	}
	facts = append(facts, diagnosisFacts(n.Diagnosis(m))...)
	for _, p := range n.Problems {
		facts = append(facts, Fact{p.Type, strings.TrimSpace(p.Status + " " + p.Reason + ": " + p.Message), kube.Warning})
	}
	return append(facts,
		Fact{"roles", n.Roles, kube.OK},
		Fact{"taints", taints(n), kube.OK},
		Fact{"zone", dash(n.Zone), kube.OK},
		Fact{"pods", strings.Replace(nodePods(n, m), "/", " of ", 1), kube.OK},
		Fact{"cpu", budget(use.CPU, known, n.Allocatable.CPU, text.Millicores) +
			promised(load.CPURequests, load.CPULimits, counted, n.Allocatable.CPU, text.Millicores), kube.OK},
		Fact{"memory", budget(use.Memory, known, n.Allocatable.Memory, text.Bytes) +
			promised(load.MemRequests, load.MemLimits, counted, n.Allocatable.Memory, text.Bytes), kube.OK},
		Fact{"age", absolute(n.Created, m.Now), kube.OK},
		Fact{"version", n.Version, kube.OK},
		Fact{"internal-ip", dash(n.InternalIP), kube.OK},
		Fact{"external-ip", dash(n.ExternalIP), kube.OK},
		Fact{"os-image", n.OSImage, kube.OK},
		Fact{"kernel", n.Kernel, kube.OK},
		Fact{"runtime", n.Runtime, kube.OK},
		Fact{"uid", n.UID, kube.OK},
	)
}

// budget says what is used of what can be given.
func budget(used int64, known bool, of int64, unit func(int64) string) string {
	if !known {
		return "use not known of " + unit(of)
	}
	return unit(used) + " used (" + text.Percent(used, of) + "%) of " + unit(of)
}

// promised says what the pods of a node have asked for, and what they may take. More than everything is said to be so.
func promised(requests, limits int64, counted bool, of int64, unit func(int64) string) string {
	if !counted {
		return ", requests not known"
	}
	s := fmt.Sprintf(", %s requested (%s%%), %s limits (%s%%)", unit(requests), text.Percent(requests, of), unit(limits), text.Percent(limits, of))
	if limits > of {
		s += ", overcommitted"
	}
	return s
}

// severityToken is the colour of a severity.
func severityToken(s kube.Severity) themes.Token {
	return [...]themes.Token{kube.OK: themes.Text, kube.Notice: themes.Text, kube.Warning: themes.Warn, kube.Bad: themes.Bad}[s]
}

func plain(s string) table.Cell { return table.Cell{Text: s} }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func byRank[R kube.Row](_ R, rank uint8, _ kube.Moment) uint64 { return uint64(rank) }

// newest is a key that puts the latest time first and "never" last.
func newest(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// clock is the time of day, with the date unless it is today.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// since is the age of something that may not be known.
func since(now, t time.Time) string {
	switch ahead := t.Sub(now); {
	case t.IsZero():
		return "-"
	case ahead > 0 && ahead < clockSkew:
		return text.Age(now, now)
	}
	return text.Age(now, t)
}

// clockSkew is how far the clock of a component may be ahead of ours, for what it says to be taken as said just now.
const clockSkew = time.Minute

// absolute is a time with its age.
func absolute(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return clock(t, now) + ", " + text.Age(now, t) + " ago"
}

func diagnosisFacts(lines []string) []Fact {
	var out []Fact
	name := "why"
	for _, l := range lines {
		out = append(out, Fact{name, l, kube.OK})
		name = ""
	}
	return out
}
