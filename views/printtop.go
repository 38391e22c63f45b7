package views

import (
	"io"

	"ktriage/internal/text"
	"ktriage/kube"
)

// PrintTopNodes writes what nodes use, in the columns of `kubectl top node`; where kubectl has <unknown>, there is "-".
func PrintTopNodes(w io.Writer, f Format, rows []*kube.Node, m kube.Moment) error {
	fields := []field[*kube.Node]{{key: "name", title: "NAME", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.Name }}}
	cpu, memory := printedCPU(nodeFigures), printedMemory(nodeFigures)
	fields = append(fields,
		cpu.used("CPU(cores)", FormatTable), cpu.share("cpuPercent", "CPU(%)", FormatTable, gauge.whole),
		memory.used("MEMORY(bytes)", FormatTable), memory.share("memoryPercent", "MEMORY(%)", FormatTable, gauge.whole),
		cpu.amount("cpuRequests", "CPU REQUESTS", gauge.requested), cpu.amount("cpuLimits", "CPU LIMITS", gauge.limited),
		cpu.amount("cpuAllocatable", "CPU ALLOCATABLE", gauge.whole),
		memory.amount("memoryRequests", "MEMORY REQUESTS", gauge.requested), memory.amount("memoryLimits", "MEMORY LIMITS", gauge.limited),
		memory.amount("memoryAllocatable", "MEMORY ALLOCATABLE", gauge.whole))
	fields = append(fields, sampleFields(nodeFigures)...)
	fields = append(fields, field[*kube.Node]{key: "uid", text: func(n *kube.Node, _ kube.Moment) string { return n.UID }})
	return printRows(w, f, fields, rows, m)
}

// PrintTopPods writes what pods use, in the columns of `kubectl top pod`.
func PrintTopPods(w io.Writer, f Format, rows []*kube.Pod, m kube.Moment) error {
	fields := []field[*kube.Pod]{
		{key: "namespace", title: "NAMESPACE", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return p.Namespace }},
		{key: "name", title: "NAME", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return p.Name }},
	}
	fields = append(fields, ownFields(podFigures)...)
	fields = append(fields,
		field[*kube.Pod]{key: "node", title: "NODE", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return none(p.Node) }},
		field[*kube.Pod]{key: "uid", text: func(p *kube.Pod, _ kube.Moment) string { return p.UID }})
	return printRows(w, f, fields, rows, m)
}

// PrintTopContainers writes what containers use, in the columns of `kubectl top pod --containers`.
func PrintTopContainers(w io.Writer, f Format, rows []*kube.Container, m kube.Moment) error {
	fields := []field[*kube.Container]{
		{key: "namespace", title: "NAMESPACE", in: FormatTable, text: func(c *kube.Container, _ kube.Moment) string { return c.Namespace }},
		{key: "pod", title: "POD", in: FormatTable, text: func(c *kube.Container, _ kube.Moment) string { return c.Pod }},
		{key: "name", title: "NAME", in: FormatTable, text: func(c *kube.Container, _ kube.Moment) string { return c.Name }},
	}
	fields = append(fields, ownFields(containerFigures)...)
	fields = append(fields,
		field[*kube.Container]{key: "node", title: "NODE", in: FormatWide, text: func(c *kube.Container, _ kube.Moment) string { return none(c.Node) }},
		field[*kube.Container]{key: "podUID", text: func(c *kube.Container, _ kube.Moment) string { return c.PodUID }})
	return printRows(w, f, fields, rows, m)
}

// PrintTotals writes what the pods of each namespace, workload or node use together.
func PrintTotals(w io.Writer, f Format, rows []*kube.Total, m kube.Moment) error {
	number := func(key, title string, in Format, get func(*kube.Total) int) field[*kube.Total] {
		return field[*kube.Total]{key: key, title: title, in: in,
			text:  func(t *kube.Total, _ kube.Moment) string { return text.Count(get(t)) },
			value: func(t *kube.Total, _ kube.Moment) any { return get(t) }}
	}
	get := (&top{}).totalFigures
	cpu, memory := printedCPU(get), printedMemory(get)
	fields := []field[*kube.Total]{
		{key: "kind", title: "KIND", in: FormatTable, text: func(t *kube.Total, _ kube.Moment) string { return totalKind(t) }},
		{key: "namespace", title: "NAMESPACE", in: FormatTable, text: func(t *kube.Total, _ kube.Moment) string { return none(t.Namespace) }},
		{key: "name", title: "NAME", in: FormatTable, text: func(t *kube.Total, _ kube.Moment) string { return t.Name }},
		number("pods", "PODS", FormatTable, func(t *kube.Total) int { return t.Pods }),
		number("sampled", "SAMPLED", FormatTable, func(t *kube.Total) int { return t.Sampled }),
		cpu.used("CPU(cores)", FormatTable), memory.used("MEMORY(bytes)", FormatTable),
		cpu.amount("cpuRequests", "CPU REQUESTS", gauge.requested), cpu.amount("cpuLimits", "CPU LIMITS", gauge.limited),
		memory.amount("memoryRequests", "MEMORY REQUESTS", gauge.requested), memory.amount("memoryLimits", "MEMORY LIMITS", gauge.limited),
		number("unbounded", "NO LIMIT", FormatWide, func(t *kube.Total) int { return t.Unbounded }),
	}
	return printRows(w, f, fields, rows, m)
}

// totalKind is the kind of what a total is of.
func totalKind(t *kube.Total) string {
	switch t.Level {
	case kube.OfNamespace:
		return "Namespace"
	case kube.OfNode:
		return kube.Nodes.Kind()
	case kube.OfWorkload:
	}
	return t.Kind
}

// printed is one of the two resources, as fields have it.
type printedResource[R kube.Row] struct {
	key   string
	get   measured[R]
	gauge func(figures) gauge
	unit  func(int64) string
}

func printedCPU[R kube.Row](get measured[R]) printedResource[R] {
	return printedResource[R]{"cpu", get, func(f figures) gauge { return f.cpu }, text.Millicores}
}

func printedMemory[R kube.Row](get measured[R]) printedResource[R] {
	return printedResource[R]{"memory", get, func(f figures) gauge { return f.mem }, text.Bytes}
}

// used is what is used: as kubectl prints it for people, exact for scripts.
func (p printedResource[R]) used(title string, in Format) field[R] {
	return field[R]{key: p.key, title: title, in: in,
		text: func(r R, m kube.Moment) string {
			f := p.get(r, m)
			return f.value(p.gauge(f).used, p.unit).Text
		},
		value: func(r R, m kube.Moment) any {
			if f := p.get(r, m); f.sampled {
				return p.gauge(f).used
			}
			return nil
		}}
}

// share is what is used in percent of something.
func (p printedResource[R]) share(key, title string, in Format, whole func(gauge) int64) field[R] {
	return field[R]{key: key, title: title, in: in,
		text: func(r R, m kube.Moment) string {
			f := p.get(r, m)
			g := p.gauge(f)
			if s := share(g.used, f.sampled, whole(g)); s != "-" {
				return s + "%"
			}
			return "-"
		},
		value: func(r R, m kube.Moment) any {
			f := p.get(r, m)
			g := p.gauge(f)
			if !f.sampled || whole(g) <= 0 {
				return nil
			}
			return int64(float64(g.used) / float64(whole(g)) * 100)
		}}
}

// amount is what is asked for, allowed or there.
func (p printedResource[R]) amount(key, title string, of func(gauge) int64) field[R] {
	return field[R]{key: key, title: title, in: FormatWide,
		text: func(r R, m kube.Moment) string {
			g := p.gauge(p.get(r, m))
			if !g.counted || of(g) <= 0 {
				return "-"
			}
			return p.unit(of(g))
		},
		value: func(r R, m kube.Moment) any {
			g := p.gauge(p.get(r, m))
			if !g.counted || of(g) <= 0 {
				return nil
			}
			return of(g)
		}}
}

func (g gauge) limited() int64 { return g.limit }

// ownFields are those of pods and containers.
func ownFields[R kube.Row](get measured[R]) []field[R] {
	cpu, memory := printedCPU(get), printedMemory(get)
	fields := []field[R]{
		cpu.used("CPU(cores)", FormatTable), memory.used("MEMORY(bytes)", FormatTable),
		cpu.amount("cpuRequest", "CPU REQUEST", gauge.requested), cpu.share("cpuOfRequest", "CPU %REQ", FormatWide, gauge.requested),
		cpu.amount("cpuLimit", "CPU LIMIT", gauge.limited), cpu.share("cpuOfLimit", "CPU %LIM", FormatWide, gauge.limited),
		memory.amount("memoryRequest", "MEMORY REQUEST", gauge.requested), memory.share("memoryOfRequest", "MEMORY %REQ", FormatWide, gauge.requested),
		memory.amount("memoryLimit", "MEMORY LIMIT", gauge.limited), memory.share("memoryOfLimit", "MEMORY %LIM", FormatWide, gauge.limited),
		{key: "state", title: "STATE", in: FormatWide, text: func(r R, m kube.Moment) string { return get(r, m).word() }},
	}
	return append(fields, sampleFields(get)...)
}

// sampleFields say of when a sample is.
func sampleFields[R kube.Row](get measured[R]) []field[R] {
	return []field[R]{
		{key: "sampled", title: "SAMPLED", in: FormatWide,
			text: func(r R, m kube.Moment) string {
				f := get(r, m)
				if !f.sampled {
					return "-"
				}
				return since(m.Now, f.sample.At)
			},
			value: func(r R, m kube.Moment) any {
				if f := get(r, m); f.sampled {
					return stamp(f.sample.At)
				}
				return nil
			}},
		{key: "window", title: "WINDOW", in: FormatWide,
			text: func(r R, m kube.Moment) string {
				if f := get(r, m); f.sampled && f.sample.Window > 0 {
					return f.sample.Window.String()
				}
				return "-"
			}},
		{key: "swap", value: func(r R, m kube.Moment) any {
			if f := get(r, m); f.sampled && f.sample.Swap >= 0 {
				return f.sample.Swap
			}
			return nil
		}},
	}
}

// TopNodesQuery asks for the nodes that pass a filter, those first that use most of what they can allocate of CPU.
func TopNodesQuery(f Filter) kube.Query[*kube.Node] {
	return query(rankOrders(nodeFigures, kube.Metrics, nodesByName, ofRoom)[0], false, nodesByName, f, nil)
}

// TopPodsQuery asks for the pods that pass a filter, those first that use most CPU.
func TopPodsQuery(f Filter) kube.Query[*kube.Pod] {
	return query(rankOrders(podFigures, kube.Metrics, podsByName, amount)[0], false, podsByName, f, nil)
}

// TopContainersQuery asks for the containers that pass a filter, those first that use most CPU.
func TopContainersQuery(f Filter) kube.Query[*kube.Container] {
	return query(rankOrders(containerFigures, kube.Metrics, containersByName, amount)[0], false, containersByName, f, nil)
}

// TotalsQuery asks for the totals of one level that pass a filter, those first that use most CPU.
func TotalsQuery(level kube.TotalLevel, f Filter) kube.Query[*kube.Total] {
	get := (&top{}).totalFigures
	return query(rankOrders(get, 0, totalsByName, amount)[0], false, totalsByName, f, totalsBy(totalPins[level]))
}
