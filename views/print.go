package views

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// Format is how rows are printed.
type Format string

// The formats of `ktriage snapshot`.
const (
	FormatTable Format = "table" // kubectl's columns and what hides behind them
	FormatWide  Format = "wide"  // every column
	FormatJSON  Format = "json"  // an array of objects, a key for each column
)

// field is one column of a printed row.
type field[R kube.Row] struct {
	key   string // of the JSON object; the title is the same in capitals unless it is said
	title string
	in    Format                      // the smallest format that has it: table, wide, or json alone
	text  func(R, kube.Moment) string // for people; also for scripts unless value is there
	value func(R, kube.Moment) any    // for scripts: numbers as numbers, what is not known as null
}

// PrintNodes writes nodes as the format says.
func PrintNodes(w io.Writer, f Format, rows []*kube.Node, m kube.Moment) error {
	return printRows(w, f, nodeFields(), rows, m)
}

// PrintPods writes pods as the format says.
func PrintPods(w io.Writer, f Format, rows []*kube.Pod, m kube.Moment) error {
	return printRows(w, f, podFields(), rows, m)
}

func printRows[R kube.Row](w io.Writer, f Format, fields []field[R], rows []R, m kube.Moment) error {
	if f == FormatJSON {
		return printJSON(w, fields, rows, m)
	}
	return printTable(w, f, fields, rows, m)
}

// printJSON keeps the keys in the order of the columns, which a map would not.
func printJSON[R kube.Row](w io.Writer, fields []field[R], rows []R, m kube.Moment) error {
	var b strings.Builder
	b.WriteString("[")
	for i, r := range rows {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for k, f := range fields {
			if k > 0 {
				b.WriteString(", ")
			}
			value, err := json.Marshal(f.json(r, m))
			if err != nil {
				return fmt.Errorf("write %s of %s: %w", f.key, r.Ref().Name, err)
			}
			fmt.Fprintf(&b, "%q: %s", f.key, value)
		}
		b.WriteString("}")
	}
	if len(rows) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (f field[R]) json(r R, m kube.Moment) any {
	if f.value != nil {
		return f.value(r, m)
	}
	return f.text(r, m)
}

// printTable aligns columns as kubectl does: three spaces between them, nothing behind the last.
func printTable[R kube.Row](w io.Writer, f Format, fields []field[R], rows []R, m kube.Moment) error {
	var shown []field[R]
	for _, c := range fields {
		if c.in == FormatTable || c.in == FormatWide && f == FormatWide {
			shown = append(shown, c)
		}
	}
	lines := make([][]string, 0, len(rows)+1)
	head := make([]string, len(shown))
	for k, c := range shown {
		head[k] = c.title
	}
	lines = append(lines, head)
	for _, r := range rows {
		cells := make([]string, len(shown))
		for k, c := range shown {
			cells[k] = c.text(r, m)
		}
		lines = append(lines, cells)
	}
	var b strings.Builder
	widths := make([]int, len(shown))
	for _, cells := range lines {
		for k, s := range cells {
			widths[k] = max(widths[k], text.Width(s))
		}
	}
	for _, cells := range lines {
		for k, s := range cells {
			if k == len(cells)-1 {
				b.WriteString(s + "\n")
				break
			}
			text.AppendPadded(&b, s, widths[k]+3, false)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func nodeFields() []field[*kube.Node] {
	use := func(n *kube.Node, m kube.Moment) (kube.Use, bool) { return m.NodeUse(n.Name) }
	return []field[*kube.Node]{
		{key: "name", title: "NAME", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.Name }},
		{key: "status", title: "STATUS", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.Status }},
		{key: "roles", title: "ROLES", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.Roles }},
		{key: "age", title: "AGE", in: FormatTable, text: func(n *kube.Node, m kube.Moment) string { return text.Age(m.Now, n.Created) }},
		{key: "version", title: "VERSION", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.Version }},
		{key: "for", title: "FOR", in: FormatTable, text: func(n *kube.Node, m kube.Moment) string { return since(m.Now, n.For()) }},
		{key: "conditions", title: "CONDITIONS", in: FormatTable, text: func(n *kube.Node, _ kube.Moment) string { return n.ConditionsText() }},
		{key: "pods", title: "PODS", in: FormatTable,
			text:  nodePods,
			value: counted(func(l kube.Load) any { return l.Pods })},
		{key: "podsAllocatable", value: func(n *kube.Node, _ kube.Moment) any { return n.Allocatable.Pods }},
		{key: "cpu", title: "CPU u/r", in: FormatTable, text: nodeCPU,
			value: known(use, func(u kube.Use) int64 { return u.CPU })},
		{key: "cpuRequests", value: counted(func(l kube.Load) any { return l.CPURequests })},
		{key: "cpuAllocatable", value: func(n *kube.Node, _ kube.Moment) any { return n.Allocatable.CPU }},
		{key: "memory", title: "MEM u/r", in: FormatTable, text: nodeMemory,
			value: known(use, func(u kube.Use) int64 { return u.Memory })},
		{key: "memoryRequests", value: counted(func(l kube.Load) any { return l.MemRequests })},
		{key: "memoryAllocatable", value: func(n *kube.Node, _ kube.Moment) any { return n.Allocatable.Memory }},
		{key: "zone", title: "ZONE", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return dash(n.Zone) }},
		{key: "internalIP", title: "INTERNAL-IP", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return none(n.InternalIP) }},
		{key: "externalIP", title: "EXTERNAL-IP", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return none(n.ExternalIP) }},
		{key: "osImage", title: "OS-IMAGE", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return n.OSImage }},
		{key: "kernelVersion", title: "KERNEL-VERSION", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return n.Kernel }},
		{key: "containerRuntime", title: "CONTAINER-RUNTIME", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return n.Runtime }},
		{key: "taints", title: "TAINTS", in: FormatWide, text: func(n *kube.Node, _ kube.Moment) string { return taints(n) }},
		{key: "severity", text: func(n *kube.Node, m kube.Moment) string { return n.Severity(m).String() }},
		{key: "diagnosis", text: func(n *kube.Node, m kube.Moment) string { return strings.Join(n.Diagnosis(m), "; ") }},
		{key: "created", value: func(n *kube.Node, _ kube.Moment) any { return stamp(n.Created) }},
		{key: "uid", text: func(n *kube.Node, _ kube.Moment) string { return n.UID }},
	}
}

func podFields() []field[*kube.Pod] {
	use := func(p *kube.Pod, m kube.Moment) (kube.Use, bool) { return m.PodUse(p.Namespace, p.Name) }
	return []field[*kube.Pod]{
		{key: "namespace", title: "NAMESPACE", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return p.Namespace }},
		{key: "name", title: "NAME", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return p.Name }},
		{key: "ready", title: "READY", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return readyText(p) }},
		{key: "status", title: "STATUS", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return p.Status }},
		{key: "restarts", title: "RESTARTS", in: FormatTable,
			text:  func(p *kube.Pod, m kube.Moment) string { return p.RestartsText(m.Now) },
			value: func(p *kube.Pod, _ kube.Moment) any { return p.Restarts }},
		{key: "lastRestart", value: func(p *kube.Pod, _ kube.Moment) any { return stamp(p.LastRestart) }},
		{key: "age", title: "AGE", in: FormatTable, text: func(p *kube.Pod, m kube.Moment) string { return text.Age(m.Now, p.Created) }},
		{key: "cpu", title: "CPU u/r", in: FormatTable,
			text: func(p *kube.Pod, m kube.Moment) string {
				u, ok := use(p, m)
				return useOfRequest(u.CPU, ok, p.CPURequest, text.Millicores)
			},
			value: known(use, func(u kube.Use) int64 { return u.CPU })},
		{key: "cpuRequest", value: func(p *kube.Pod, _ kube.Moment) any { return p.CPURequest }},
		{key: "cpuLimit", value: func(p *kube.Pod, _ kube.Moment) any { return p.CPULimit }},
		{key: "memory", title: "MEM u/r", in: FormatTable,
			text: func(p *kube.Pod, m kube.Moment) string {
				u, ok := use(p, m)
				return useOfRequest(u.Memory, ok, p.MemRequest, text.Bytes)
			},
			value: known(use, func(u kube.Use) int64 { return u.Memory })},
		{key: "memoryRequest", value: func(p *kube.Pod, _ kube.Moment) any { return p.MemRequest }},
		{key: "memoryLimit", value: func(p *kube.Pod, _ kube.Moment) any { return p.MemLimit }},
		{key: "node", title: "NODE", in: FormatTable, text: func(p *kube.Pod, _ kube.Moment) string { return none(p.Node) }},
		{key: "ip", title: "IP", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return none(p.IP) }},
		{key: "owner", title: "OWNER", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return owner(p) }},
		{key: "qos", title: "QOS", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return p.QoS.String() }},
		{key: "nominatedNode", title: "NOMINATED NODE", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return none(p.NominatedNode()) }},
		{key: "readinessGates", title: "READINESS GATES", in: FormatWide, text: func(p *kube.Pod, _ kube.Moment) string { return p.ReadinessGates() }},
		{key: "severity", text: func(p *kube.Pod, m kube.Moment) string { return p.Severity(m).String() }},
		{key: "diagnosis", text: func(p *kube.Pod, m kube.Moment) string { return strings.Join(p.Diagnosis(m), "; ") }},
		{key: "created", value: func(p *kube.Pod, _ kube.Moment) any { return stamp(p.Created) }},
		{key: "uid", text: func(p *kube.Pod, _ kube.Moment) string { return p.UID }},
	}
}

// known gives a sample for scripts, null if there is none.
func known[R kube.Row](use func(R, kube.Moment) (kube.Use, bool), of func(kube.Use) int64) func(R, kube.Moment) any {
	return func(r R, m kube.Moment) any {
		u, ok := use(r, m)
		if !ok {
			return nil
		}
		return of(u)
	}
}

// counted gives what the pods of a node take for scripts, null while not all of them are known.
func counted(of func(kube.Load) any) func(*kube.Node, kube.Moment) any {
	return func(n *kube.Node, m kube.Moment) any {
		l, ok := m.Load(n.Name)
		if !ok {
			return nil
		}
		return of(l)
	}
}

func none(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

// stamp is a time for scripts, null if it never was.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
