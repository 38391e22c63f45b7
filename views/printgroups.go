package views

import (
	"io"

	"ktriage/kube"
)

// EventGroupsQuery asks for the groups of events that pass a filter, those first in which something was said last.
func EventGroupsQuery(f Filter) kube.Query[*kube.EventGroup] {
	return query(groupOrders()[0], false, groupsByName, f, nil)
}

// PrintEventGroups writes groups of events as the format says.
func PrintEventGroups(w io.Writer, f Format, rows []*kube.EventGroup, m kube.Moment) error {
	return printRows(w, f, eventGroupFields(), rows, m)
}

func eventGroupFields() []field[*kube.EventGroup] {
	said := func(key, title string, in Format, say func(*kube.EventGroup) string) field[*kube.EventGroup] {
		return field[*kube.EventGroup]{key: key, title: title, in: in, text: func(g *kube.EventGroup, _ kube.Moment) string { return say(g) }}
	}
	value := func(key string, of func(*kube.EventGroup) any) field[*kube.EventGroup] {
		return field[*kube.EventGroup]{key: key, value: func(g *kube.EventGroup, _ kube.Moment) any { return of(g) }}
	}
	return []field[*kube.EventGroup]{
		{key: "last", title: "LAST SEEN", in: FormatTable,
			text:  func(g *kube.EventGroup, m kube.Moment) string { return since(m.Now, g.Last) },
			value: func(g *kube.EventGroup, _ kube.Moment) any { return stamp(g.Last) }},
		{key: "count", title: "COUNT", in: FormatTable,
			text:  func(g *kube.EventGroup, _ kube.Moment) string { return countText(g.Count, g.AtLeast) },
			value: func(g *kube.EventGroup, _ kube.Moment) any { return g.Count }},
		said("type", "TYPE", FormatTable, func(g *kube.EventGroup) string { return g.Type }),
		said("reason", "REASON", FormatTable, func(g *kube.EventGroup) string { return g.Reason }),
		said("about", "ABOUT", FormatTable, groupObject),
		said("from", "FROM", FormatWide, func(g *kube.EventGroup) string { return dash(g.From) }),
		said("node", "NODE", FormatWide, func(g *kube.EventGroup) string { return dash(g.Node) }),
		said("message", "MESSAGE", FormatTable, func(g *kube.EventGroup) string { return g.Message }),
		value("atLeast", func(g *kube.EventGroup) any { return g.AtLeast }),
		value("objects", func(g *kube.EventGroup) any { return g.Objects }),
		value("first", func(g *kube.EventGroup) any { return stamp(g.First) }),
		said("subjectKind", "", "", func(g *kube.EventGroup) string { return g.Subject.Kind }),
		said("subjectNamespace", "", "", func(g *kube.EventGroup) string { return g.Subject.Namespace }),
		said("subjectName", "", "", func(g *kube.EventGroup) string { return g.Subject.Name }),
	}
}
