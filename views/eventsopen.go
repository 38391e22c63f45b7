package views

import (
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// panesOf are the panes that have objects of a kind.
var panesOf = []struct {
	kinds kube.Kinds
	pane  string
}{{kube.Nodes, "nodes"}, {kube.Pods, "pods"}, {kube.Workloads, "workloads"}, {kube.CSRs, "certs"}}

// eventPlace is where the object of an event is shown; no Pane if there is none for its kind. Nodes go by their names: old kubelets know
// no UID of theirs.
func eventPlace(o kube.Involved) Place {
	kind := kube.KindNamed(o.Kind)
	for _, p := range panesOf {
		if kind&p.kinds == 0 {
			continue
		}
		place := Place{Pane: p.pane, UID: o.UID, Name: o.FullName()}
		if kind == kube.Nodes {
			place.UID, place.Name = "", o.Name
		}
		if kind == kube.CSRs {
			place.Name, place.Pin = o.Name, requestsPin
		}
		return place
	}
	return Place{}
}

// groupPlace is where what a group is about is shown: one object, or the pods of a workload or a node.
func groupPlace(g *kube.EventGroup) Place {
	switch {
	case g.By == kube.ByObject:
		return eventPlace(g.Subject)
	case g.Objects < 2 || g.Object.Kind != kube.Pods.Kind():
		return eventPlace(g.Object)
	case g.By == kube.ByNode:
		return Place{Pane: "pods", Pin: Pin{"node", g.Subject.Name}}
	}
	return Place{Pane: "pods", Pin: Pin{"workload", g.Subject.Kind + "/" + g.Subject.Namespace + "/" + g.Subject.Name}}
}

func openGroup(g *kube.EventGroup) []Effect { return openObject(groupPlace(g), g.Object) }

func openObject(p Place, o kube.Involved) []Effect {
	if p.Pane == "" {
		return []Effect{Flash{noPane(o), themes.Warn}}
	}
	return []Effect{Open{p}}
}

// whyNotOpened gives the reason for which a key does not lead to an object, "" if it does.
func whyNotOpened(id keymap.ID, p Place, o kube.Involved) string {
	if id != keymap.EventObject || p.Pane != "" {
		return ""
	}
	return noPane(o)
}

func noPane(o kube.Involved) string {
	if o.Name == "" {
		return "it does not say what it is about"
	}
	return "no pane shows " + dash(o.Kind) + " " + o.FullName()
}
