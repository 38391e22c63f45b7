package views

import (
	"cmp"
	"fmt"
	"strings"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func (v *top) totalSpec() spec[*kube.Total] {
	s := spec[*kube.Total]{
		name: "top", one: "total", many: "totals", scope: keymap.Top, needs: kube.Totals | kube.Nodes | kube.Metrics,
		none:      "There are no pods to add up.",
		columns:   v.totalColumns(),
		fields:    totalFilterFields(),
		searched:  totalSought().text,
		orders:    rankOrders(v.totalFigures, 0, totalsByName, amount),
		byName:    totalsByName,
		severity:  func(*kube.Total, kube.Moment) kube.Severity { return kube.OK },
		pinned:    totalsBy,
		state:     func(t *kube.Total, _ kube.Moment) string { return sampledPods(t) + " pods measured" },
		diagnosis: v.totalDiagnosis,
		details:   v.totalDetails,
		other: func(t *kube.Total, id keymap.ID) []Effect {
			if id == keymap.OpenTop {
				return v.into(topPods, podsPin(t))
			}
			return []Effect{Open{totalPlace(t)}}
		},
		copied: totalName,
		why: func(t *kube.Total, id keymap.ID) string {
			if (id == keymap.OpenTop || id == keymap.TopObject) && t.Level == kube.OfWorkload && kube.KindNamed(t.Kind)&kube.Workloads == 0 {
				return "no workload of ours makes these pods; they are among those of namespace " + t.Namespace
			}
			return ""
		},
	}
	return headed(v, s, func() *ranked[*kube.Total] { return &v.totals })
}

// totalsBy leaves the totals of one level.
func totalsBy(p Pin) func(*kube.Total, kube.Moment) bool {
	return func(t *kube.Total, _ kube.Moment) bool {
		return int(t.Level) < len(totalPins) && totalPins[t.Level] == p
	}
}

// podsPin narrows pods to those of a total.
func podsPin(t *kube.Total) Pin {
	switch t.Level {
	case kube.OfNode:
		return Pin{"node", t.Name}
	case kube.OfWorkload:
		return Pin{"workload", t.Kind + "/" + t.Namespace + "/" + t.Name}
	case kube.OfNamespace:
	}
	return Pin{"ns", t.Name}
}

// totalPlace is the place of what a total is of, in its own pane; of a namespace it is its pods.
func totalPlace(t *kube.Total) Place {
	switch t.Level {
	case kube.OfNode:
		return Place{Pane: "nodes", Name: t.Name}
	case kube.OfWorkload:
		return Place{Pane: "workloads", Name: t.Namespace + "/" + t.Name}
	case kube.OfNamespace:
	}
	return Place{Pane: "pods", Pin: podsPin(t)}
}

// totalName is what a total is of: "shop", "worker-07", "Deployment shop/web".
func totalName(t *kube.Total) string {
	if t.Level == kube.OfWorkload {
		return strings.TrimSpace(t.Kind + " " + t.Ref().FullName())
	}
	return t.Name
}

// totalFigures are sums, of what the cluster or the node can allocate.
func (v *top) totalFigures(t *kube.Total, m kube.Moment) figures {
	room := v.room.all
	if t.Level == kube.OfNode {
		room = v.room.each[t.Name]
	}
	f := figures{
		cpu: gauge{request: t.CPURequests, limit: t.CPULimits, counted: true, room: room.CPU},
		mem: gauge{request: t.MemRequests, limit: t.MemLimits, counted: true, room: room.Memory},
	}
	f.take(kube.Sample{Use: t.Use, Swap: -1}, t.Sampled > 0, m)
	return f
}

// sampledPods is of how many pods there is a sample, of how many.
func sampledPods(t *kube.Total) string { return fmt.Sprintf("%d/%d", t.Sampled, t.Pods) }

func (v *top) totalColumns() []table.Column[*kube.Total] {
	columns := []table.Column[*kube.Total]{
		{ID: "name", Title: "NAME", Min: 16, Max: 100, Flex: true, Middle: true,
			Cell: func(t *kube.Total, _ kube.Moment) table.Cell { return plain(totalName(t)) }},
		{ID: "pods", Title: "PODS", Min: 5, Right: true,
			Cell: func(t *kube.Total, _ kube.Moment) table.Cell {
				if t.Sampled < t.Pods {
					return table.Cell{Text: sampledPods(t), Token: themes.Warn}
				}
				return plain(sampledPods(t))
			}},
	}
	for _, r := range dimensions[*kube.Total](nil, calm, calm) {
		r.aged = false
		title := map[string]string{"cpu": "CPU", "memory": "MEM"}[r.id]
		columns = append(columns,
			figureColumn(v.totalFigures, r.id, title, 6, 0, func(f figures) table.Cell { return f.value(r.gauge(f).used, r.unit) }),
			barColumn(v, v.totalFigures, r, "SHARE", 3, gauge.whole, gauge.requested),
			figureColumn(v.totalFigures, r.id+"-share", "use%", percentWidth, 1, func(f figures) table.Cell {
				g := r.gauge(f)
				return f.percent(g.used, g.room, themes.Text)
			}),
			figureColumn(v.totalFigures, r.id+"-requests", "REQ", 6, 2, func(f figures) table.Cell { return plain(r.unit(r.gauge(f).request)) }),
			figureColumn(v.totalFigures, r.id+"-limit", "LIM", 6, 4, func(f figures) table.Cell {
				if r.gauge(f).limit == 0 {
					return plain("-")
				}
				return plain(r.unit(r.gauge(f).limit))
			}))
	}
	return append(columns, table.Column[*kube.Total]{ID: "unbounded", Title: "NO LIMIT", Min: 8, Right: true, Drop: 5,
		Cell: func(t *kube.Total, _ kube.Moment) table.Cell { return plain(text.Count(t.Unbounded)) }})
}

func totalsByName(a, b *kube.Total) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Level, b.Level))
}

// allocating says whose room the figures of a total are a part of.
func allocating(t *kube.Total) string {
	if t.Level == kube.OfNode {
		return "the node"
	}
	return "all nodes"
}

// wholeOf says what the exact figures of a total are a part of.
func wholeOf(t *kube.Total) string {
	if t.Level == kube.OfNode {
		return "allocatable"
	}
	return "what all nodes can allocate,"
}

// totalTitle is what a total is of, with the kind of it.
func totalTitle(t *kube.Total) string {
	switch t.Level {
	case kube.OfNamespace:
		return "namespace " + t.Name
	case kube.OfNode:
		return "node " + t.Name
	case kube.OfWorkload:
	}
	return totalName(t)
}

func (v *top) totalDiagnosis(t *kube.Total, m kube.Moment) []string {
	f := v.totalFigures(t, m)
	said := "no sample of any of its pods"
	if f.sampled {
		said = fmt.Sprintf("memory %s and CPU %s", text.Bytes(f.mem.used), text.Millicores(f.cpu.used))
		if f.mem.room > 0 && f.cpu.room > 0 {
			said += fmt.Sprintf(": %s%% and %s%% of what %s can allocate",
				text.Percent(f.mem.used, f.mem.room), text.Percent(f.cpu.used, f.cpu.room), allocating(t))
		}
	}
	lines := []string{said}
	if t.Unbounded > 0 {
		lines = append(lines, text.Plural(t.Unbounded, "pod has", "pods have")+" no limit of memory")
	}
	if !f.sampled {
		lines = append(lines, f.unmeasured(m)...)
	}
	return append(lines, "each figure is as of the sample of its pod: CPU a mean, memory the working set")
}

func (v *top) totalDetails(t *kube.Total, m kube.Moment) []Fact {
	f := v.totalFigures(t, m)
	facts := []Fact{{"pods", sampledPods(t) + " have a sample", kube.OK}}
	facts = append(facts, f.resourceFacts("cpu", f.cpu, text.Millicores, wholeOf(t), kube.OK)...)
	facts = append(facts, f.resourceFacts("memory", f.mem, exactly, wholeOf(t), kube.OK)...)
	return append(facts, Fact{"no limit", text.Plural(t.Unbounded, "pod", "pods") + " without a limit of memory", kube.OK})
}
