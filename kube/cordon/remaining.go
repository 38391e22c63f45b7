package cordon

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// rest is what is left of the cluster for new pods.
type rest struct {
	total, usable, usableNow int
	open, openNow            int           // of the usable ones, those without taints that keep pods away
	others                   []string      // nodes that are cordoned or not ready apart from those that are meant
	nodes                    []corev1.Node // the usable ones
}

// remaining says what is left when the nodes that are meant take no more pods.
func remaining(all []corev1.Node, meant map[string]bool) rest {
	r := rest{total: len(all)}
	for i := range all {
		row := kube.NewNode(&all[i])
		usable := row.State().Ready && !row.Unschedulable
		open := 0
		if usable {
			r.usableNow++
			if keepsAway(&all[i]) == "" {
				open = 1
			}
		}
		r.openNow += open
		switch {
		case meant[all[i].Name]:
		case usable:
			r.usable++
			r.open += open
			r.nodes = append(r.nodes, all[i])
		case row.Unschedulable:
			r.others = append(r.others, row.Name+" is cordoned too")
		default:
			r.others = append(r.others, row.Name+" is "+row.StatusText())
		}
	}
	return r
}

// danger says so when nothing is left for new pods, or nothing for those that tolerate no taints.
func (r rest) danger() string {
	switch {
	case r.usable == 0:
		return "no node will be left that new pods can go to: whatever ends stays Pending"
	case r.open == 0 && r.openNow > 0:
		return "only nodes with taints will be left for new pods: whatever ends and does not tolerate them stays Pending"
	}
	return ""
}

// named is how many other nodes are named one by one.
const named = 2

func (r rest) fact(meant int) action.Fact {
	f := action.Fact{Name: "after", Text: fmt.Sprintf("%s of %s nodes ready and schedulable (%s now)",
		text.Count(r.usable), text.Count(r.total), text.Count(r.usableNow))}
	if n := len(r.others); n > named {
		f.Text += fmt.Sprintf("; %s and %d more", strings.Join(r.others[:named], ", "), n-named)
	} else if n > 0 {
		f.Text += "; " + strings.Join(r.others, ", ")
	}
	if r.usable*10 < r.total*8 && r.usable < r.usableNow && meant > 0 {
		f.Severity = kube.Warning
	}
	return f
}

// room is what the nodes that remain have left; false if their loads are not known.
func (r rest) room(m kube.Moment) (action.Fact, bool) {
	if m.Loads == nil {
		return action.Fact{}, false
	}
	var cpu, memory int64
	for i := range r.nodes {
		n := kube.NewNode(&r.nodes[i])
		l := m.Loads[n.Name]
		cpu += max(n.Allocatable.CPU-l.CPURequests, 0)
		memory += max(n.Allocatable.Memory-l.MemRequests, 0)
	}
	return action.Fact{Name: "room", Text: fmt.Sprintf("free on the others: %s, %s", text.Cores(cpu), text.GiB(memory))}, true
}
