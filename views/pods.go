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

// NewPods makes the pods pane: kubectl's STATUS and what it hides, the worst first. said is where its events are, nil for nowhere.
func NewPods(feed Feed[*kube.Pod], said Said) View {
	events := remarks{said}
	return newList(feed, spec[*kube.Pod]{
		name: "pods", one: "pod", many: "pods",
		scope:    keymap.Pods,
		needs:    kube.Pods | kube.Nodes | kube.Metrics,
		columns:  PodColumns(),
		orders:   podOrders(),
		byName:   podsByName,
		severity: (*kube.Pod).Severity,
		fields:   podSought().fields, searched: podText, labels: podSought().labels,
		counts: func(s *kube.Snapshot[*kube.Pod]) string {
			if s.NotWell() == 0 {
				return "all " + text.Count(s.Total) + " ok"
			}
			return text.Count(s.NotWell()) + " not ok of " + text.Count(s.Total)
		},
		pinned:    podsOf,
		state:     (*kube.Pod).StatusText,
		beside:    kube.Events,
		diagnosis: events.ofPod,
		details:   podDetails,
		sections:  events.podSections,
		open:      func(*kube.Pod) []Effect { return []Effect{ShowDetails{}} },
		other: func(p *kube.Pod, id keymap.ID) []Effect {
			switch {
			case id == keymap.PodEvents:
				return []Effect{Open{EventsPlace(p.Ref())}}
			case id != keymap.PodNode:
				return nil
			case p.Node == "":
				return []Effect{Flash{p.Ref().FullName() + " is not bound to a node", themes.Warn}}
			}
			return []Effect{Open{Place{Pane: "nodes", Name: p.Node}}}
		},
		copied: func(p *kube.Pod) string { return p.Namespace + "/" + p.Name },
	})
}

// PodColumns are the columns of the pods pane, the most needed first.
func PodColumns() []table.Column[*kube.Pod] {
	return []table.Column[*kube.Pod]{
		{ID: "name", Title: "NAMESPACE/NAME", Min: 24, Max: 110, Flex: true, Middle: true,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(p.Namespace + "/" + p.Name) }},
		{ID: "ready", Title: "READY", Min: 5, Right: true, Drop: 1,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(readyText(p)) }},
		{ID: "status", Title: "STATUS", Min: 8, Max: 28,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell {
				return table.Cell{Text: p.StatusText(m), Token: severityToken(p.Severity(m))}
			}},
		{ID: "restarts", Title: "RESTARTS", Min: 8, Right: true, Drop: 4,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell { return plain(shortRestarts(p, m)) }},
		{ID: "age", Title: "AGE", Min: 5, Right: true, Drop: 5,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell { return plain(text.Age(m.Now, p.Created)) }},
		{ID: "node", Title: "NODE", Min: 9, Max: 30, Drop: 3, Middle: true,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(dash(p.Node)) }},
		{ID: "cpu", Title: "CPU u/r", Min: 7, Right: true, Drop: 6,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell {
				u, ok := m.PodUse(p.Namespace, p.Name)
				return plain(useOfRequest(u.CPU, ok, p.CPURequest, text.Millicores))
			}},
		{ID: "memory", Title: "MEM u/r", Min: 7, Right: true, Drop: 6,
			Cell: func(p *kube.Pod, m kube.Moment) table.Cell {
				u, ok := m.PodUse(p.Namespace, p.Name)
				return plain(useOfRequest(u.Memory, ok, p.MemRequest, text.Bytes))
			}},
		{ID: "owner", Title: "OWNER", Min: 8, Max: 40, Drop: 7, Middle: true,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(owner(p)) }},
		{ID: "qos", Title: "QOS", Min: 3, Max: 10, Drop: 8,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(p.QoS.String()) }},
		{ID: "ip", Title: "IP", Min: 8, Max: 39, Drop: 9,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(dash(p.IP)) }},
		{ID: "nominated-node", Title: "NOMINATED NODE", Min: 14, Max: 30, Drop: 11,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(dash(p.NominatedNode())) }},
		{ID: "readiness-gates", Title: "READINESS GATES", Min: 15, Max: 15, Drop: 10,
			Cell: func(p *kube.Pod, _ kube.Moment) table.Cell { return plain(p.ReadinessGates()) }},
	}
}

// shortRestarts is kubectl's RESTARTS without the word "ago", which a narrow screen has no room for.
func shortRestarts(p *kube.Pod, m kube.Moment) string {
	return strings.Replace(p.RestartsText(m.Now), " ago)", ")", 1)
}

func readyText(p *kube.Pod) string { return fmt.Sprintf("%d/%d", p.Ready, p.Containers) }

func owner(p *kube.Pod) string {
	if p.OwnerName == "" {
		return "-"
	}
	return p.OwnerKind + "/" + p.OwnerName
}

func useOfRequest(used int64, known bool, request int64, unit func(int64) string) string {
	u, r := "-", "-"
	if known {
		u = unit(used)
	}
	if request > 0 {
		r = unit(request)
	}
	return u + "/" + r
}

func podsByName(a, b *kube.Pod) int {
	switch {
	case a.Namespace != b.Namespace:
		return strings.Compare(a.Namespace, b.Namespace)
	case a.Name != b.Name:
		return strings.Compare(a.Name, b.Name)
	}
	return strings.Compare(a.UID, b.UID)
}

func podsOf(pin Pin) func(*kube.Pod, kube.Moment) bool {
	if pin.Field == "workload" {
		owner := pinnedOwner(pin.Value)
		return func(p *kube.Pod, _ kube.Moment) bool { return owner.Name != "" && belongsTo(p, owner) }
	}
	return func(p *kube.Pod, _ kube.Moment) bool {
		switch pin.Field {
		case "node":
			return p.Node == pin.Value
		case "ns":
			return p.Namespace == pin.Value
		}
		return false
	}
}

func podOrders() []order[*kube.Pod] {
	use := func(f func(kube.Use) int64) func(*kube.Pod, uint8, kube.Moment) uint64 {
		return func(p *kube.Pod, _ uint8, m kube.Moment) uint64 {
			u, ok := m.PodUse(p.Namespace, p.Name)
			if !ok {
				return 0
			}
			return uint64(f(u)) + 1
		}
	}
	return []order[*kube.Pod]{
		{id: "badness", title: "badness", key: byRank[*kube.Pod]},
		{id: "name", title: "name", column: "name", compare: podsByName},
		{id: "ready", title: "ready", column: "ready",
			key: func(p *kube.Pod, _ uint8, _ kube.Moment) uint64 { return uint64(p.Containers - p.Ready) }},
		{id: "status", title: "status", column: "status",
			compare: func(a, b *kube.Pod) int { return cmp.Compare(a.Status, b.Status) }},
		{id: "restarts", title: "restarts", column: "restarts",
			key: func(p *kube.Pod, _ uint8, _ kube.Moment) uint64 { return uint64(p.Restarts) }},
		{id: "age", title: "age", column: "age",
			key: func(p *kube.Pod, _ uint8, _ kube.Moment) uint64 { return newest(p.Created) }},
		{id: "node", title: "node", column: "node",
			compare: func(a, b *kube.Pod) int { return cmp.Compare(a.Node, b.Node) }},
		{id: "cpu", title: "cpu", column: "cpu", reads: kube.Metrics, key: use(func(u kube.Use) int64 { return u.CPU })},
		{id: "memory", title: "memory", column: "memory", reads: kube.Metrics,
			key: use(func(u kube.Use) int64 { return u.Memory })},
	}
}

func podDetails(p *kube.Pod, m kube.Moment) []Fact {
	use, known := m.PodUse(p.Namespace, p.Name)
	facts := []Fact{{"status", p.StatusText(m), p.Severity(m)}}
	facts = append(facts, diagnosisFacts(p.Diagnosis(m))...)
	return append(facts,
		Fact{"ready", readyText(p) + " containers", kube.OK},
		Fact{"restarts", p.RestartsText(m.Now), kube.OK},
		Fact{"age", absolute(p.Created, m.Now), kube.OK},
		Fact{"node", dash(p.Node), kube.OK},
		Fact{"owner", owner(p), kube.OK},
		Fact{"qos", p.QoS.String(), kube.OK},
		Fact{"cpu", allowance(use.CPU, known, p.CPURequest, cpuLimit(p), text.Millicores), kube.OK},
		Fact{"memory", allowance(use.Memory, known, p.MemRequest, memLimit(p), text.Bytes), kube.OK},
		Fact{"ip", dash(p.IP), kube.OK},
		Fact{"nominated node", dash(p.NominatedNode()), kube.OK},
		Fact{"readiness gates", p.ReadinessGates(), kube.OK},
		Fact{"uid", p.UID, kube.OK},
	)
}

// allowance says what a pod uses of what it asked for and of what it may have. No limit is "-", never zero.
func allowance(used int64, known bool, request, limit int64, unit func(int64) string) string {
	part := func(name string, of int64) string {
		switch {
		case of <= 0:
			return name + " -"
		case !known:
			return name + " " + unit(of)
		}
		return fmt.Sprintf("%s%% of %s %s", text.Percent(used, of), name, unit(of))
	}
	use := "use not known"
	if known {
		use = unit(used) + " used"
	}
	return strings.Join([]string{use, part("request", request), part("limit", limit)}, ", ")
}
