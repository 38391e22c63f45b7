package views

import (
	"cmp"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func (v *events) singleSpec() spec[*kube.Event] {
	return spec[*kube.Event]{
		name: "events", one: "event", many: "events", none: noEvents,
		scope: keymap.Events, needs: kube.Events,
		fields: eventFilterFields(), searched: eventText,
		columns:  eventColumns(),
		orders:   eventOrders(),
		byName:   eventsByName,
		severity: func(e *kube.Event, _ kube.Moment) kube.Severity { return eventSeverity(e.Warning()) },
		counts:   eventCounts,
		pinned:   func(Pin) func(*kube.Event, kube.Moment) bool { return v.lens.keepEvent() },
		state: func(e *kube.Event, m kube.Moment) string {
			return repeated(e.Count, e.AtLeast, e.First, m.Now) + gone(e.Expired)
		},
		diagnosis: func(e *kube.Event, _ kube.Moment) []string { return []string{e.Sentence()} },
		details:   eventFacts,
		open:      func(*kube.Event) []Effect { return []Effect{ShowDetails{}} },
		other: func(e *kube.Event, id keymap.ID) []Effect {
			if id == keymap.EventObject {
				return openObject(eventPlace(e.Object), e.Object)
			}
			return nil
		},
		copied:   func(e *kube.Event) string { return e.Reason + ": " + eventObject(e) + ": " + e.Message },
		why:      func(e *kube.Event, id keymap.ID) string { return whyNotOpened(id, eventPlace(e.Object), e.Object) },
		tally:    v.tally,
		pinWords: func(p Pin) string { return p.Value },
		position: func(f Frame) ([]string, themes.Token) { return standing(v, v.singles, v.singleHold, f) },
		widen:    v.widen, fleeting: true,
	}
}

// eventColumns are the columns of single events: those of kubectl, the most needed first.
func eventColumns() []table.Column[*kube.Event] {
	said := func(id, title string, least, most, drop int, say func(*kube.Event, time.Time) string) table.Column[*kube.Event] {
		return table.Column[*kube.Event]{ID: id, Title: title, Min: least, Max: most, Drop: drop,
			Cell: func(e *kube.Event, m kube.Moment) table.Cell {
				return table.Cell{Text: say(e, m.Now), Token: eventToken(e.Expired, false)}
			}}
	}
	last := said("last", "LAST", 5, 0, 0, func(e *kube.Event, now time.Time) string { return since(now, e.Last) })
	object := said("object", "OBJECT", 18, 64, 0, func(e *kube.Event, _ time.Time) string { return eventObject(e) })
	message := said("message", "MESSAGE", 20, 0, 1, func(e *kube.Event, _ time.Time) string { return e.Message })
	last.Right = true
	object.Flex, object.Middle, message.Flex = true, true, true
	return []table.Column[*kube.Event]{
		last,
		said("type", "TYPE", 7, 12, 3, func(e *kube.Event, _ time.Time) string { return e.Type }),
		{ID: "reason", Title: "REASON", Min: 16, Max: 36, Middle: true,
			Cell: func(e *kube.Event, _ kube.Moment) table.Cell {
				return table.Cell{Text: e.Reason, Token: eventToken(e.Expired, e.Warning())}
			}},
		object,
		said("count", "COUNT", 5, 0, 2, eventCount),
		said("from", "FROM", 12, 28, 4, func(e *kube.Event, _ time.Time) string { return dash(e.From) }),
		message,
		said("namespace", "NAMESPACE", 9, 24, 5, func(e *kube.Event, _ time.Time) string { return e.Namespace }),
	}
}

// eventCount is how often it was said, and since when, as kubectl has it behind the time: "x15 over 3m".
func eventCount(e *kube.Event, now time.Time) string {
	if e.Count < 2 {
		return countText(e.Count, e.AtLeast)
	}
	return countText(e.Count, e.AtLeast) + " over " + since(now, e.First)
}

// eventObject is the object as kubectl events names it: "Pod/web-1".
func eventObject(e *kube.Event) string { return e.Object.Kind + "/" + e.Object.Name }

// eventText is what a filter searches in an event: what its columns say, uncut, and the whole name of the object.
func eventText(e *kube.Event, _ kube.Moment) string {
	return searchable(e.Type, e.Reason, eventObject(e), objectName(e.Object), e.Object.Field, e.Message, e.From, e.Node, e.Namespace)
}

func eventsByName(a, b *kube.Event) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.UID, b.UID))
}

func lastSaid(e *kube.Event, _ uint8, _ kube.Moment) uint64 { return newest(e.Last) }

func eventOrders() []order[*kube.Event] {
	return []order[*kube.Event]{
		{id: "last", title: "last seen", column: "last", key: lastSaid},
		{id: "count", title: "count", column: "count",
			key: func(e *kube.Event, _ uint8, _ kube.Moment) uint64 { return uint64(max(0, e.Count)) }},
		{id: "reason", title: "reason", column: "reason",
			compare: func(a, b *kube.Event) int { return strings.Compare(a.Reason, b.Reason) }},
		{id: "object", title: "object", column: "object",
			compare: func(a, b *kube.Event) int {
				return cmp.Or(strings.Compare(a.Object.Kind, b.Object.Kind), strings.Compare(a.Object.FullName(), b.Object.FullName()))
			}},
		{id: "type", title: "warnings first", column: "type",
			key: func(e *kube.Event, _ uint8, _ kube.Moment) uint64 { return warningsFirst(e.Warning(), e.Last) }},
	}
}

// eventCounts says how many events there are, and how often they were said.
func eventCounts(s *kube.Snapshot[*kube.Event]) string {
	atLeast, n := "", 0
	for i := range s.Len() {
		e := s.Row(i)
		n += e.Count
		if e.AtLeast {
			atLeast = "+"
		}
	}
	events := text.Plural(s.Len(), "event", "events")
	if s.Len() < s.Total {
		events = text.Count(s.Len()) + " of " + text.Plural(s.Total, "event", "events")
	}
	if n == s.Len() && atLeast == "" {
		return events
	}
	return events + ", said " + text.Count(n) + atLeast + " times"
}

func eventFacts(e *kube.Event, m kube.Moment) []Fact {
	from := dash(e.From)
	if e.FromHost != "" {
		from += " on " + e.FromHost
	}
	return append(messageFacts(e.Message, e.Sentence(), e.Warning()), []Fact{
		{"reason", dash(e.Reason), kube.OK}, {"type", dash(e.Type), kube.OK},
		{"object", objectText(e.Object), kube.OK},
		{"field", dash(e.Object.Field), kube.OK},
		{"count", countFact(e.Count, e.AtLeast), kube.OK},
		{"last", absolute(e.Last, m.Now), kube.OK}, {"first", absolute(e.First, m.Now), kube.OK},
		{"from", from, kube.OK},
		{"on the server", onServer(e.Expired), kube.OK},
		{"event", e.Ref().FullName(), kube.OK}, {"uid", e.UID, kube.OK},
	}...)
}

// singlePage is the page of an event, with what else was said of its object: a step that is missing there is often the diagnosis.
func (v *events) singlePage(uid string, now time.Time) (Details, bool) {
	d, ok := v.singles.Details(uid, now)
	var e *kube.Event
	if i, there := v.known.Find(uid, 0); there {
		e = v.known.Row(i)
	}
	switch {
	case !ok && e == nil:
		return d, false
	case e == nil:
		return d, true
	case !ok:
		m := v.known.Moment
		m.Now = now
		d = Details{Copy: v.singles.spec.copied(e), Facts: eventFacts(e, m)}
	}
	d.Title = e.Reason + " of " + e.Object.Kind + " " + objectName(e.Object)
	d.Sections = v.timeline("all that was said of it, oldest first", now, func(o *kube.Event) bool { return sameObject(e.Object, o.Object) })
	return d, true
}

// sameObject reports whether two events are about the same object, whatever part of it.
func sameObject(a, b kube.Involved) bool {
	return a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name && (a.UID == b.UID || a.UID == "" || b.UID == "")
}
