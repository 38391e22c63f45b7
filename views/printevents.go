package views

import (
	"fmt"
	"io"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// EventsQuery asks for the events that pass a filter, in the order of `kubectl events`: the oldest first, by the time that kubectl
// sorts by.
func EventsQuery(f Filter) kube.Query[*kube.Event] {
	return query(eventOrders()[0], true, eventsByName, f, nil)
}

// PrintEvents writes events as the format says. The table has the columns of `kubectl events -A`.
func PrintEvents(w io.Writer, f Format, rows []*kube.Event, m kube.Moment) error {
	return printRows(w, f, eventFields(), rows, m)
}

func eventFields() []field[*kube.Event] {
	said := func(key, title string, in Format, say func(*kube.Event) string) field[*kube.Event] {
		return field[*kube.Event]{key: key, title: title, in: in, text: func(e *kube.Event, _ kube.Moment) string { return say(e) }}
	}
	object := func(key string, say func(kube.Involved) string) field[*kube.Event] {
		return said(key, "", "", func(e *kube.Event) string { return say(e.Object) })
	}
	at := func(key string, of func(*kube.Event) time.Time) field[*kube.Event] {
		return field[*kube.Event]{key: key, value: func(e *kube.Event, _ kube.Moment) any { return stamp(of(e)) }}
	}
	value := func(key string, of func(*kube.Event) any) field[*kube.Event] {
		return field[*kube.Event]{key: key, value: func(e *kube.Event, _ kube.Moment) any { return of(e) }}
	}
	return []field[*kube.Event]{
		said("namespace", "NAMESPACE", FormatTable, func(e *kube.Event) string { return e.Namespace }),
		{key: "last", title: "LAST SEEN", in: FormatTable,
			text:  func(e *kube.Event, m kube.Moment) string { return lastSeen(e, m.Now) },
			value: func(e *kube.Event, _ kube.Moment) any { return stamp(e.Last) }},
		said("type", "TYPE", FormatTable, func(e *kube.Event) string { return e.Type }),
		said("reason", "REASON", FormatTable, func(e *kube.Event) string { return e.Reason }),
		said("object", "OBJECT", FormatTable, eventObject),
		said("from", "FROM", FormatWide, func(e *kube.Event) string { return dash(e.From) }),
		said("host", "HOST", FormatWide, func(e *kube.Event) string { return dash(e.FromHost) }),
		said("field", "SUBOBJECT", FormatWide, func(e *kube.Event) string { return dash(e.Object.Field) }),
		said("name", "NAME", FormatWide, func(e *kube.Event) string { return e.Name }),
		said("message", "MESSAGE", FormatTable, func(e *kube.Event) string { return e.Message }),
		value("count", func(e *kube.Event) any { return e.Count }),
		value("atLeast", func(e *kube.Event) any { return e.AtLeast }),
		at("first", func(e *kube.Event) time.Time { return e.First }),
		object("objectKind", func(o kube.Involved) string { return o.Kind }),
		object("objectNamespace", func(o kube.Involved) string { return o.Namespace }),
		object("objectName", func(o kube.Involved) string { return o.Name }),
		object("objectUID", func(o kube.Involved) string { return o.UID }),
		said("node", "", "", func(e *kube.Event) string { return e.Node }),
		said("uid", "", "", func(e *kube.Event) string { return e.UID }),
	}
}

// lastSeen is kubectl's LAST SEEN: the age of what was said once, and of what was said again that of the last time, how often, and
// since when (getInterval of k8s.io/kubectl/pkg/cmd/events/event_printer.go).
func lastSeen(e *kube.Event, now time.Time) string {
	if e.Count < 2 {
		return text.Age(now, e.First)
	}
	return fmt.Sprintf("%s (x%d over %s)", text.Age(now, e.Last), e.Count, text.Age(now, e.First))
}
