package views

import (
	"cmp"
	"strings"

	"ktriage/internal/table"
	"ktriage/keymap"
	"ktriage/kube"
)

func (v *top) containerSpec() spec[*kube.Container] {
	s := spec[*kube.Container]{
		name: "top", one: "container", many: "containers", scope: keymap.Top, needs: kube.Containers | kube.Metrics,
		none:     "Containers have figures of their own once metrics-server has measured their pod.",
		columns:  v.containerColumns(),
		fields:   containerFilterFields(),
		searched: containerSought().text,
		orders:   rankOrders(containerFigures, kube.Metrics, containersByName, amount),
		byName:   containersByName,
		severity: func(c *kube.Container, m kube.Moment) kube.Severity {
			return containerFigures(c, m).severity()
		},
		pinned: func(p Pin) func(*kube.Container, kube.Moment) bool {
			return func(c *kube.Container, _ kube.Moment) bool {
				n := len(c.Namespace)
				return len(p.Value) == n+1+len(c.Pod) && p.Value[:n] == c.Namespace && p.Value[n] == '/' && p.Value[n+1:] == c.Pod
			}
		},
		state:     func(c *kube.Container, m kube.Moment) string { return containerFigures(c, m).word() },
		diagnosis: func(c *kube.Container, m kube.Moment) []string { return containerFigures(c, m).diagnosis(m) },
		details: func(c *kube.Container, m kube.Moment) []Fact {
			facts := containerFigures(c, m).ownFacts(kube.Past{}, m)
			return append(facts, Fact{"pod", c.Namespace + "/" + c.Pod, kube.OK}, Fact{"node", dash(c.Node), kube.OK}, Fact{"pod uid", c.PodUID, kube.OK})
		},
		other: func(c *kube.Container, id keymap.ID) []Effect {
			if id == keymap.OpenTop {
				return []Effect{ShowDetails{}}
			}
			return []Effect{Open{Place{Pane: "pods", UID: c.PodUID}}}
		},
		copied: func(c *kube.Container) string { return c.Namespace + "/" + c.Pod + " " + c.Name },
	}
	return headed(v, s, func() *ranked[*kube.Container] { return &v.containers })
}

// containerFigures are those of one container.
func containerFigures(c *kube.Container, m kube.Moment) figures {
	f := figures{
		cpu:     gauge{request: c.CPURequest, limit: c.CPULimit, counted: true},
		mem:     gauge{request: c.MemRequest, limit: c.MemLimit, counted: true},
		missing: "no metrics",
	}
	s, ok := m.ContainerSample(c.Namespace, c.Pod, c.Name)
	f.take(s, ok, m)
	return f
}

func (v *top) containerColumns() []table.Column[*kube.Container] {
	columns := []table.Column[*kube.Container]{{ID: "name", Title: "NAMESPACE/POD/CONTAINER", Min: 24, Max: 120, Flex: true, Middle: true,
		Cell: func(c *kube.Container, _ kube.Moment) table.Cell { return plain(c.Ref().FullName()) }}}
	none := func(*kube.Container, kube.Moment) kube.Past { return kube.Past{} }
	for _, r := range ownDimensions(none) {
		r.aged = false
		of := ownColumns(v, containerFigures, r)
		columns = append(columns, of[:len(of)-1]...) // the past of containers is not kept
	}
	return append(columns, stateColumn(containerFigures),
		table.Column[*kube.Container]{ID: "node", Title: "NODE", Min: 9, Max: 30, Drop: 6, Middle: true,
			Cell: func(c *kube.Container, _ kube.Moment) table.Cell { return plain(dash(c.Node)) }})
}

func containersByName(a, b *kube.Container) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Pod, b.Pod), strings.Compare(a.Name, b.Name),
		strings.Compare(a.PodUID, b.PodUID))
}
