package views

import (
	"fmt"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// The shares of a limit from which memory is likely to be killed for, and CPU is held back, in percent.
const (
	nearKill  = 90
	throttled = 95
)

func (v *top) podSpec() spec[*kube.Pod] {
	s := spec[*kube.Pod]{
		name: "top", one: "pod", many: "pods", scope: keymap.Top, needs: kube.Pods | kube.Nodes | kube.Metrics,
		columns:   v.podColumns(),
		fields:    podSought().fields,
		searched:  podText,
		labels:    podSought().labels,
		orders:    rankOrders(podFigures, kube.Metrics, podsByName, amount),
		byName:    podsByName,
		severity:  func(p *kube.Pod, m kube.Moment) kube.Severity { return max(p.Severity(m), podFigures(p, m).severity()) },
		pinned:    podsOf,
		state:     topPodState,
		diagnosis: func(p *kube.Pod, m kube.Moment) []string { return podFigures(p, m).diagnosis(m) },
		details:   topPodDetails,
		other: func(p *kube.Pod, id keymap.ID) []Effect {
			if id == keymap.OpenTop {
				return v.containersOf(p)
			}
			return []Effect{Open{Place{Pane: "pods", UID: p.UID}}}
		},
		copied: func(p *kube.Pod) string { return p.Namespace + "/" + p.Name },
	}
	return headed(v, s, func() *ranked[*kube.Pod] { return &v.pods })
}

// running is the phase of a pod whose containers can be measured.
const running = "Running"

// podFigures are those of a pod: the sums of its containers.
func podFigures(p *kube.Pod, m kube.Moment) figures {
	cpu, mem := p.Limits()
	f := figures{
		cpu: gauge{request: p.CPURequest, limit: cpu, counted: true},
		mem: gauge{request: p.MemRequest, limit: mem, counted: true},
	}
	f.cpu.nearest, f.mem.nearest = p.NearestLimits(m)
	if p.Phase == running && m.Now.Sub(p.Created) > youth {
		f.missing = "no metrics"
	}
	s, ok := m.PodSample(p.Namespace, p.Name)
	f.take(s, ok, m)
	return f
}

// ofLimit gives what is used, and of which limit: of a pod, that of the container which is nearest to it.
func (g gauge) ofLimit() (used, limit int64) {
	if g.nearest.Limit > 0 {
		return g.nearest.Used, g.nearest.Limit
	}
	return g.used, g.limit
}

// near reports whether so much of a limit is used, in percent.
func (g gauge) near(percent int64) bool {
	used, limit := g.ofLimit()
	return limit > 0 && float64(used)*100 >= float64(limit)*float64(percent)
}

// word says what the use of a pod or a container means: more than it asks for and less than it may is normal.
func (f figures) word() string {
	switch {
	case !f.sampled:
		return f.missing
	case f.mem.near(nearKill):
		return "OOM risk"
	case f.cpu.near(throttled):
		return "throttled"
	case f.mem.limit <= 0:
		return "unbounded"
	}
	return "normal"
}

func (f figures) severity() kube.Severity {
	if f.sampled && (f.mem.near(nearKill) || f.cpu.near(throttled)) {
		return kube.Warning
	}
	return kube.OK
}

// ownDimensions are those of pods and containers, whose limits bound them.
func ownDimensions[R kube.Row](past func(R, kube.Moment) kube.Past) [2]dimension[R] {
	warn := func(near func(figures) bool) func(figures) themes.Token {
		return func(f figures) themes.Token {
			if near(f) {
				return themes.Warn
			}
			return themes.Text
		}
	}
	return dimensions(past,
		warn(func(f figures) bool { return f.cpu.near(throttled) }), warn(func(f figures) bool { return f.mem.near(nearKill) }))
}

// stateColumn is the word of what the use means, or of how late it is.
func stateColumn[R kube.Row](get measured[R]) table.Column[R] {
	return table.Column[R]{ID: "state", Title: "STATE", Min: 9,
		Cell: func(r R, m kube.Moment) table.Cell {
			f := get(r, m)
			switch {
			case f.late:
				return table.Cell{Text: old(f.age) + " old", Token: themes.Warn}
			case f.severity() == kube.OK && f.word() != "unbounded":
				return table.Cell{Text: f.word(), Token: themes.Muted}
			}
			return table.Cell{Text: f.word(), Token: severityToken(f.severity())}
		}}
}

func (v *top) podColumns() []table.Column[*kube.Pod] {
	past := func(p *kube.Pod, m kube.Moment) kube.Past { return m.PodPast(p.Namespace, p.Name) }
	columns := []table.Column[*kube.Pod]{{ID: "name", Title: "NAMESPACE/NAME", Min: 20, Max: 110, Flex: true, Middle: true,
		Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(p.Namespace + "/" + p.Name) }}}
	for _, r := range ownDimensions(past) {
		r.aged = false // the word of the state says it
		columns = append(columns, ownColumns(v, podFigures, r)...)
	}
	return append(columns, stateColumn(podFigures),
		table.Column[*kube.Pod]{ID: "restarts", Title: "RESTARTS", Min: 8, Right: true, Drop: 5,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell { return plain(shortRestarts(p, m)) }},
		table.Column[*kube.Pod]{ID: "node", Title: "NODE", Min: 9, Max: 30, Drop: 6, Middle: true,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(dash(p.Node)) }})
}

// topPodState is the pod's own state where it has no sample or is not well, and what it uses otherwise.
func topPodState(p *kube.Pod, m kube.Moment) string {
	f := podFigures(p, m)
	if f.sampled && f.severity() >= p.Severity(m) {
		return f.word()
	}
	if f.missing != "-" && !f.sampled {
		return p.StatusText(m) + " · " + f.missing
	}
	return p.StatusText(m)
}

// diagnosis says what a pod or a container uses of what it asks for and may have, and what the figures mean.
func (f figures) diagnosis(m kube.Moment) []string {
	if !f.sampled {
		return f.unmeasured(m)
	}
	said := "memory " + f.mem.shares(text.Bytes) + "; CPU " + f.cpu.shares(text.Millicores)
	switch {
	case f.mem.near(nearKill):
		said += ": next OOM kill"
	case f.mem.limit <= 0:
		said += ": only the node's memory bounds it"
	case !f.mem.near(nearKill) && f.cpu.near(throttled):
		said = "CPU " + f.cpu.shares(text.Millicores) + ": held back; memory " + f.mem.shares(text.Bytes)
	}
	return []string{said, f.meaning(m)}
}

// shares are a figure, and what part it is of the request and of the limit: "155Mi, 155% of request, 77% of limit".
func (g gauge) shares(unit func(int64) string) string {
	s := unit(g.used)
	if g.request > 0 {
		s += ", " + text.Percent(g.used, g.request) + "% of request"
	}
	used, limit := g.ofLimit()
	switch {
	case limit > 0 && limit != g.limit:
		return s + ", a container uses " + text.Percent(used, limit) + "% of its limit"
	case limit > 0:
		return s + ", " + text.Percent(used, limit) + "% of limit"
	}
	return s + ", no limit"
}

func topPodDetails(p *kube.Pod, m kube.Moment) []Fact {
	f := podFigures(p, m)
	facts := []Fact{{"status", p.StatusText(m), p.Severity(m)}}
	facts = append(facts, f.ownFacts(m.PodPast(p.Namespace, p.Name), m)...)
	for _, c := range m.PodContainers(p.Namespace, p.Name) {
		facts = append(facts, Fact{"container", c.Name + ": " + text.Millicores(c.CPU) + ", " + exactly(c.Memory), kube.OK})
	}
	return append(facts,
		Fact{"restarts", p.RestartsText(m.Now), kube.OK}, Fact{"node", dash(p.Node), kube.OK}, Fact{"owner", owner(p), kube.OK},
		Fact{"uid", p.UID, kube.OK})
}

// ownFacts are the exact figures of a pod or a container.
func (f figures) ownFacts(past kube.Past, m kube.Moment) []Fact {
	mark := func(near bool) kube.Severity {
		if near {
			return kube.Warning
		}
		return kube.OK
	}
	facts := []Fact{{"state", f.word(), f.severity()}}
	facts = append(facts, f.budgetFacts("cpu", f.cpu, text.Millicores, mark(f.sampled && f.cpu.near(throttled)))...)
	facts = append(facts, pastFact(past, cpuOf, text.Millicores, m.PastStep())...)
	facts = append(facts, f.budgetFacts("memory", f.mem, exactly, mark(f.sampled && f.mem.near(nearKill)))...)
	facts = append(facts, pastFact(past, memoryOf, text.Bytes, m.PastStep())...)
	return append(facts, f.sampleFacts(m)...)
}

// budgetFacts say what is used, what is asked for, and what is allowed at most.
func (f figures) budgetFacts(name string, g gauge, unit func(int64) string, severity kube.Severity) []Fact {
	used := "use not known"
	if f.sampled {
		used = "used " + unit(g.used)
	}
	part := func(what string, of int64) Fact {
		switch {
		case of <= 0:
			return Fact{"", what + " -", kube.OK}
		case !f.sampled:
			return Fact{"", what + " " + unit(of), kube.OK}
		}
		return Fact{"", fmt.Sprintf("%s %s, %s%% of it used", what, unit(of), text.Percent(g.used, of)), kube.OK}
	}
	return []Fact{{name, used, severity}, part("request", g.request), part("limit", g.limit)}
}
