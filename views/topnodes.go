package views

import (
	"fmt"
	"slices"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// fullMemory is the share of what a node can allocate from which its memory is a warning, in percent.
const fullMemory = 90

func (v *top) nodeSpec() spec[*kube.Node] {
	orders := rankOrders(nodeFigures, kube.Metrics, nodesByName, ofRoom)
	orders[2] = nodeLimits("cpu-limit", "cpu limits", "cpu-limits", func(f figures) gauge { return f.cpu })
	orders[3] = nodeLimits("memory-limit", "memory limits", "memory-limits", func(f figures) gauge { return f.mem })
	s := spec[*kube.Node]{
		name: "top", one: "node", many: "nodes", scope: keymap.Top, needs: kube.Nodes | kube.Metrics,
		columns:   v.nodeColumns(),
		fields:    nodeSought().fields,
		searched:  nodeSought().text,
		labels:    nodeSought().labels,
		orders:    orders,
		byName:    nodesByName,
		severity:  topNodeSeverity,
		state:     topNodeState,
		diagnosis: topNodeDiagnosis,
		details:   topNodeDetails,
		other: func(n *kube.Node, id keymap.ID) []Effect {
			if id == keymap.OpenTop {
				return v.into(topPods, Pin{"node", n.Name})
			}
			return []Effect{Open{Place{Pane: "nodes", UID: n.UID}}}
		},
		copied: func(n *kube.Node) string { return n.Name },
	}
	return headed(v, s, func() *ranked[*kube.Node] { return &v.nodes })
}

// nodeLimits sorts nodes by what their pods may use of them: what was promised more than once.
func nodeLimits(id, title, column string, of func(figures) gauge) order[*kube.Node] {
	return order[*kube.Node]{id: id, title: title, column: column, reads: kube.Pods,
		key: func(n *kube.Node, _ uint8, m kube.Moment) uint64 {
			g := of(nodeFigures(n, m))
			return ratio(g.limit, g.room)
		}}
}

// nodeFigures are those of a node: what is used, requested and allowed of what it can allocate.
func nodeFigures(n *kube.Node, m kube.Moment) figures {
	load, counted := m.Load(n.Name)
	f := figures{
		cpu: gauge{request: load.CPURequests, limit: load.CPULimits, counted: counted, room: n.Allocatable.CPU},
		mem: gauge{request: load.MemRequests, limit: load.MemLimits, counted: counted, room: n.Allocatable.Memory},
	}
	if m.Now.Sub(n.Created) > youth {
		f.missing = "no sample"
	}
	s, ok := m.NodeSample(n.Name)
	f.take(s, ok, m)
	return f
}

// full reports whether so much of a node's memory is used that the kubelet soon evicts pods, or the kernel kills.
func (f figures) full() bool {
	return f.sampled && f.mem.room > 0 && float64(f.mem.used) >= float64(f.mem.room)*fullMemory/100
}

// topNodeSeverity is how bad a node is, its memory included.
func topNodeSeverity(n *kube.Node, m kube.Moment) kube.Severity {
	if nodeFigures(n, m).full() {
		return max(kube.Warning, n.Severity(m))
	}
	return n.Severity(m)
}

func (v *top) nodeColumns() []table.Column[*kube.Node] {
	past := func(n *kube.Node, m kube.Moment) kube.Past { return m.NodePast(n.Name) }
	both := dimensions(past, calm, func(f figures) themes.Token {
		if f.full() {
			return themes.Warn
		}
		return themes.Text
	})
	columns := []table.Column[*kube.Node]{{ID: "name", Title: "NODE", Min: 11, Max: 63, Flex: true, Middle: true,
		Cell: func(n *kube.Node, _ kube.Moment) table.Cell { return plain(n.Name) }}}
	for _, r := range both {
		columns = append(columns, barColumn(v, nodeFigures, r, r.name, 0, gauge.whole, gauge.requested))
		columns = append(columns, shareColumns(nodeFigures, r, 2)...)
		columns = append(columns, sparkColumn(nodeFigures, r, 1, gauge.whole))
	}
	for _, r := range both {
		columns = append(columns, absoluteColumn(nodeFigures, r, 3))
	}
	for _, r := range both {
		columns = append(columns, limitColumn(nodeFigures, r, 4))
	}
	swap := figureColumn(nodeFigures, "swap", "SWAP", 5, 5, func(f figures) table.Cell {
		if f.sample.Swap < 0 {
			return plain("-")
		}
		return f.value(f.sample.Swap, text.Bytes)
	})
	swap.Absent = func() bool { return !v.room.swap }
	return append(columns, swap)
}

// topNodeState is the node's own state while that is worse than its load, and what it uses of its memory otherwise.
func topNodeState(n *kube.Node, m kube.Moment) string {
	f := nodeFigures(n, m)
	switch {
	case n.Severity(m) >= kube.Notice && !f.full(), n.Severity(m) == kube.Bad:
		return nodeState(n, m)
	case !f.sampled:
		return f.missing
	}
	return "memory " + outOf(f.mem.used, f.mem.room)
}

// outOf is what is used of a memory: "58.4 of 62.8 GiB".
func outOf(used, of int64) string {
	const gi = 1 << 30
	if of < 10*gi {
		return text.Bytes(used) + " of " + text.Bytes(of)
	}
	return fmt.Sprintf("%.1f of %.1f GiB", float64(used)/gi, float64(of)/gi)
}

func topNodeDiagnosis(n *kube.Node, m kube.Moment) []string {
	f := nodeFigures(n, m)
	if !f.sampled {
		return append(f.unmeasured(m), n.Diagnosis(m)...)
	}
	memory := text.Percent(f.mem.used, f.mem.room) + "% of allocatable memory, "
	if f.full() {
		memory += "where the kubelet soon evicts pods; "
	}
	lines := []string{memory + text.Percent(f.cpu.used, f.cpu.room) + "% of CPU", f.meaning(m)}
	if f.cpu.counted {
		lines = append(lines, "requested are "+f.mem.asked(f.mem.request)+"% and "+f.cpu.asked(f.cpu.request)+"%")
	}
	return lines
}

func topNodeDetails(n *kube.Node, m kube.Moment) []Fact {
	f := nodeFigures(n, m)
	past := m.NodePast(n.Name)
	facts := []Fact{{"status", n.StatusText(), n.Severity(m)}}
	facts = append(facts, f.resourceFacts("cpu", f.cpu, text.Millicores, "allocatable", kube.OK)...)
	facts = append(facts, pastFact(past, cpuOf, text.Millicores, m.PastStep())...)
	severity := kube.OK
	if f.full() {
		severity = kube.Warning
	}
	facts = append(facts, f.resourceFacts("memory", f.mem, exactly, "allocatable", severity)...)
	facts = append(facts, pastFact(past, memoryOf, text.Bytes, m.PastStep())...)
	facts = append(facts, f.sampleFacts(m)...)
	return append(facts, Fact{"pods", nodePods(n, m), kube.OK}, Fact{"uid", n.UID, kube.OK})
}

// resourceFacts say what is used, requested and allowed of what there is.
func (f figures) resourceFacts(name string, g gauge, unit func(int64) string, whole string, severity kube.Severity) []Fact {
	used := "use not known"
	if f.sampled {
		used = "used " + ofWhole(g.used, g.room, unit, whole)
	}
	facts := []Fact{{name, used, severity}}
	sum := func(n int64) string {
		if n == 0 {
			return "none"
		}
		return ofWhole(n, g.room, unit, whole)
	}
	if g.counted {
		facts = append(facts, Fact{"", "requests " + sum(g.request), kube.OK}, Fact{"", "limits " + sum(g.limit), kube.OK})
	}
	return slices.Clip(facts)
}
