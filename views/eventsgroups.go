package views

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ktriage/internal/filter"
	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// noEvents is what it means that there is none.
const noEvents = "The API keeps them for an hour by default. What is said from now on appears here."

func (v *events) groupSpec() spec[*kube.EventGroup] {
	return spec[*kube.EventGroup]{
		name: "events", one: "group", many: "events", none: noEvents,
		scope: keymap.Events, needs: kube.Events,
		fields: eventGroupFilterFields(), searched: groupText,
		columns:  groupColumns(),
		orders:   groupOrders(),
		byName:   groupsByName,
		severity: func(g *kube.EventGroup, _ kube.Moment) kube.Severity { return eventSeverity(g.Warning()) },
		counts:   groupCounts,
		pinned:   func(Pin) func(*kube.EventGroup, kube.Moment) bool { return v.lens.keepGroup(v.members) },
		state: func(g *kube.EventGroup, m kube.Moment) string {
			return repeated(g.Count, g.AtLeast, g.First, m.Now) + gone(g.Expired)
		},
		diagnosis: func(g *kube.EventGroup, _ kube.Moment) []string { return []string{v.groupWords(g)} },
		details:   groupFacts,
		open:      v.enter,
		other: func(g *kube.EventGroup, id keymap.ID) []Effect {
			if id == keymap.EventObject {
				return openGroup(g)
			}
			return nil
		},
		copied:   func(g *kube.EventGroup) string { return g.Reason + ": " + groupObject(g) + ": " + g.Message },
		why:      func(g *kube.EventGroup, id keymap.ID) string { return whyNotOpened(id, groupPlace(g), g.Object) },
		tally:    v.tally,
		pinWords: func(p Pin) string { return p.Value },
		position: func(f Frame) ([]string, themes.Token) { return standing(v, v.groups, v.groupHold, f) },
		widen:    v.widen, fleeting: true,
	}
}

// groupColumns are the columns of groups of events, the most needed first.
func groupColumns() []table.Column[*kube.EventGroup] {
	said := func(id, title string, least, most, drop int, say func(*kube.EventGroup, time.Time) string) table.Column[*kube.EventGroup] {
		return table.Column[*kube.EventGroup]{ID: id, Title: title, Min: least, Max: most, Drop: drop,
			Cell: func(g *kube.EventGroup, m kube.Moment) table.Cell {
				return table.Cell{Text: say(g, m.Now), Token: eventToken(g.Expired, false)}
			}}
	}
	last := said("last", "LAST", 5, 0, 0, func(g *kube.EventGroup, now time.Time) string { return since(now, g.Last) })
	count := said("count", "COUNT", 5, 0, 1, func(g *kube.EventGroup, _ time.Time) string { return countText(g.Count, g.AtLeast) })
	object := said("object", "OBJECT", 20, 64, 0, func(g *kube.EventGroup, _ time.Time) string { return groupObject(g) })
	message := said("message", "MESSAGE", 24, 0, 2, func(g *kube.EventGroup, _ time.Time) string { return g.Message })
	first := said("first", "FIRST", 5, 0, 5, func(g *kube.EventGroup, now time.Time) string { return since(now, g.First) })
	last.Right, count.Right, first.Right = true, true, true
	object.Flex, object.Middle, message.Flex = true, true, true
	return []table.Column[*kube.EventGroup]{
		last, count,
		{ID: "reason", Title: "REASON", Min: 19, Max: 36, Middle: true,
			Cell: func(g *kube.EventGroup, _ kube.Moment) table.Cell {
				return table.Cell{Text: g.Reason, Token: eventToken(g.Expired, g.Warning())}
			}},
		object, message,
		{ID: "rate", Title: "RATE, 60 MIN", Min: kube.RatePoints, Drop: 3,
			Cell: func(g *kube.EventGroup, m kube.Moment) table.Cell {
				return table.Cell{Text: rateText(g.Rate, g.RateEnds, m.Said.Since, m.Now), Token: eventToken(g.Expired, false)}
			}},
		said("from", "FROM", 12, 28, 4, func(g *kube.EventGroup, _ time.Time) string { return dash(g.From) }),
		first,
		said("node", "NODE", 9, 24, 6, func(g *kube.EventGroup, _ time.Time) string { return dash(g.Node) }),
		said("namespace", "NAMESPACE", 9, 24, 6, func(g *kube.EventGroup, _ time.Time) string { return dash(g.Subject.Namespace) }),
	}
}

// eventSeverity is the mark of an event: it is evidence, and never worse than a warning.
func eventSeverity(warning bool) kube.Severity {
	if warning {
		return kube.Warning
	}
	return kube.OK
}

// eventToken is the colour of what is said of an event: muted once the server has let it go.
func eventToken(expired, warning bool) themes.Token {
	switch {
	case expired:
		return themes.Muted
	case warning:
		return themes.Warn
	}
	return themes.Text
}

// countText is how often something was said: "x57", or "x57+" if it is only known that it was not less often.
func countText(n int, atLeast bool) string {
	s := "x" + strconv.Itoa(n)
	if atLeast {
		s += "+"
	}
	return s
}

// repeated is how often something was said, and since when, in kubectl's words: "x57 over 3m38s".
func repeated(n int, atLeast bool, first, now time.Time) string {
	switch {
	case atLeast:
		return "at least x" + strconv.Itoa(n) + " over " + since(now, first)
	case n < 2:
		return "once, " + since(now, first) + " ago"
	}
	return "x" + strconv.Itoa(n) + " over " + since(now, first)
}

func gone(expired bool) string {
	if expired {
		return " · expired on the server"
	}
	return ""
}

// shortKindNames are the kinds whose names are too long for a column, as kubectl abbreviates them.
var shortKindNames = map[string]string{
	"ReplicaSet": "rs", "StatefulSet": "sts", "DaemonSet": "ds", "Deployment": "deploy", "ReplicationController": "rc",
	"HorizontalPodAutoscaler": "hpa", "PodDisruptionBudget": "pdb", "PersistentVolumeClaim": "pvc", "PersistentVolume": "pv",
	"CertificateSigningRequest": "csr", "ServiceAccount": "sa", "Service": "svc", "Ingress": "ing",
}

func shortKind(kind string) string {
	if short, ok := shortKindNames[kind]; ok {
		return short
	}
	return strings.ToLower(kind)
}

// groupObject is what a group is about: "3 pods of rs/checkout-7d9f8c6b5", "12 pods on worker-07", "pod search/indexer-5", "node gpu-03".
func groupObject(g *kube.EventGroup) string {
	some := fmt.Sprintf("%s %ss", text.Count(g.Objects), shortKind(g.Object.Kind))
	switch {
	case g.By == kube.ByObject:
		return shortKind(g.Subject.Kind) + " " + objectName(g.Subject)
	case g.Objects < 2:
		return shortKind(g.Object.Kind) + " " + objectName(g.Object)
	case g.By == kube.ByNode:
		return some + " on " + g.Subject.Name
	}
	return some + " of " + shortKind(g.Subject.Kind) + "/" + g.Subject.Name
}

// objectName is the name of an object with its namespace. Nodes have none, whatever an event says of it.
func objectName(o kube.Involved) string {
	if o.Kind == kube.Nodes.Kind() {
		return o.Name
	}
	return o.FullName()
}

// groupText is what a filter searches in a group: what its columns say, uncut, and the whole names.
func groupText(g *kube.EventGroup, _ kube.Moment) string {
	return searchable(g.Type, g.Reason, groupObject(g), g.Subject.String(), objectName(g.Subject), objectName(g.Object), g.Message, g.From, g.Node)
}

// searchable joins the parts of what a filter searches.
func searchable(parts ...string) string {
	return filter.Lower(strings.Join(parts, string(filter.FieldEnd)))
}

func groupsByName(a, b *kube.EventGroup) int {
	return cmp.Or(strings.Compare(a.Reason, b.Reason), strings.Compare(a.Subject.FullName(), b.Subject.FullName()), strings.Compare(a.UID, b.UID))
}

func groupOrders() []order[*kube.EventGroup] {
	return []order[*kube.EventGroup]{
		{id: "last", title: "last seen", column: "last",
			key: func(g *kube.EventGroup, _ uint8, _ kube.Moment) uint64 { return newest(g.Last) }},
		{id: "count", title: "count", column: "count",
			key: func(g *kube.EventGroup, _ uint8, _ kube.Moment) uint64 { return uint64(max(0, g.Count)) }},
		{id: "reason", title: "reason", column: "reason",
			compare: func(a, b *kube.EventGroup) int { return strings.Compare(a.Reason, b.Reason) }},
		{id: "object", title: "object", column: "object",
			compare: func(a, b *kube.EventGroup) int {
				return cmp.Or(strings.Compare(a.Subject.FullName(), b.Subject.FullName()), strings.Compare(a.Subject.Kind, b.Subject.Kind))
			}},
		{id: "type", title: "warnings first",
			key: func(g *kube.EventGroup, _ uint8, _ kube.Moment) uint64 { return warningsFirst(g.Warning(), g.Last) }},
	}
}

// warningsFirst is a key that puts warnings first, and of equals the newest.
func warningsFirst(warning bool, last time.Time) uint64 {
	if warning {
		return 1<<63 | newest(last)
	}
	return newest(last)
}

// groupCounts says how many groups there are, and how often something of theirs was said.
func groupCounts(s *kube.Snapshot[*kube.EventGroup]) string {
	atLeast, n := "", 0
	for i := range s.Len() {
		g := s.Row(i)
		n += g.Count
		if g.AtLeast {
			atLeast = "+"
		}
	}
	groups := text.Plural(s.Len(), "group", "groups")
	if s.Len() < s.Total {
		groups = text.Count(s.Len()) + " of " + text.Plural(s.Total, "group", "groups")
	}
	events := text.Count(n) + atLeast + " events"
	if n == 1 && atLeast == "" {
		events = "1 event"
	}
	return groups + ", " + events
}

// groupWords say what a group means. Its objects are named behind the first clause, where they are seen on a narrow screen, too.
func (v *events) groupWords(g *kube.EventGroup) string {
	clause, rest, more := strings.Cut(g.Sentence(), "; ")
	clause += v.podsOf(g)
	if more {
		clause += "; " + rest
	}
	return clause
}

// knownPods is how many names of pods the strip has room for.
const knownPods = 3

// podsOf names the objects of a group as far as they are known, without what they have in common with their owner: " (pods x2k4q,
// 8wq7n and tt5zc)"; "" of one object.
func (v *events) podsOf(g *kube.EventGroup) string {
	if g.Objects < 2 || g.By == kube.ByObject {
		return ""
	}
	var names []string
	for i := 0; i < v.known.Len() && len(names) < knownPods; i++ {
		e := v.known.Row(i)
		if e.Group != g.UID {
			continue
		}
		name := objectName(e.Object)
		if g.By == kube.ByOwner {
			name = strings.TrimPrefix(e.Object.Name, g.Subject.Name+"-")
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	said := strings.Join(names, ", ")
	if more := g.Objects - len(names); more > 0 {
		said += " and " + text.Count(more) + " more"
	}
	return " (" + shortKind(g.Object.Kind) + "s " + said + ")"
}

// messageFacts are a message in full, and what it means where that is said in other words.
func messageFacts(message, sentence string, warning bool) []Fact {
	facts := []Fact{{"message", dash(message), eventSeverity(warning)}}
	if message != "" && sentence != strings.TrimSpace(message) {
		facts = append(facts, Fact{"that is", sentence, eventSeverity(warning)})
	}
	return facts
}

func groupFacts(g *kube.EventGroup, m kube.Moment) []Fact {
	facts := append(messageFacts(g.Message, g.Sentence(), g.Warning()), []Fact{
		{"reason", g.Reason, kube.OK}, {"type", g.Type, kube.OK},
		{"about", groupObject(g), kube.OK},
		{"subject", objectText(g.Subject), kube.OK},
		{"count", countFact(g.Count, g.AtLeast), kube.OK},
		{"last", absolute(g.Last, m.Now), kube.OK}, {"first", absolute(g.First, m.Now), kube.OK},
		{"from", dash(g.From), kube.OK}, {"node", dash(g.Node), kube.OK},
		{"newest of", objectText(g.Object), kube.OK},
		{"on the server", onServer(g.Expired), kube.OK},
	}...)
	if g.Forgotten > 0 {
		facts = append(facts, Fact{"not kept", text.Plural(g.Forgotten, "event is", "events are") + " counted here alone: they were too many", kube.OK})
	}
	return facts
}

// countFact is how often something was said, in words.
func countFact(n int, atLeast bool) string {
	if atLeast {
		return "at least " + text.Plural(n, "time", "times") + ": its component writes repetitions every 30 minutes only, and the last may be later, too"
	}
	return text.Plural(n, "time", "times")
}

func onServer(expired bool) string {
	if expired {
		return "no: it has expired there; ktriage has kept it"
	}
	return "yes"
}

// objectText is all that an event says of its object.
func objectText(o kube.Involved) string {
	said := o.Kind + " " + o.FullName()
	if o.APIVersion != "" {
		said = o.APIVersion + " " + said
	}
	if o.UID != "" {
		said += ", uid " + o.UID
	}
	return said
}

// groupPage is the page of a group, with its events.
func (v *events) groupPage(uid string, now time.Time) (Details, bool) {
	d, ok := v.groups.Details(uid, now)
	if !ok {
		return d, false
	}
	i, _ := v.groups.snap.Find(uid, 0)
	g := v.groups.snap.Row(i)
	d.Title = g.Reason + " of " + groupObject(g)
	d.Sections = v.timeline("its events, oldest first", now, func(e *kube.Event) bool { return e.Group == uid })
	return d, true
}

// mostTimeline bounds the events of a page.
const mostTimeline = 100

// timeline is a section of events by the time at which each was said first.
func (v *events) timeline(title string, now time.Time, keep func(*kube.Event) bool) []action.Section {
	var some []*kube.Event
	left := 0
	for i := range v.known.Len() { // the newest first
		switch e := v.known.Row(i); {
		case !keep(e):
		case len(some) < mostTimeline:
			some = append(some, e)
		default:
			left++
		}
	}
	if len(some) == 0 {
		return nil
	}
	slices.SortStableFunc(some, func(a, b *kube.Event) int { return cmp.Or(a.First.Compare(b.First), eventsByName(a, b)) })
	section := action.Section{Title: title, Columns: []action.Column{{Title: "FIRST"}, {Title: "LAST", Wide: true}, {Title: "COUNT", Right: true},
		{Title: "REASON"}, {Title: "OBJECT", Wide: true}, {Title: "MESSAGE"}}}
	if left > 0 {
		section.Note = text.Count(left) + " older are not shown"
	}
	for _, e := range some {
		section.Rows = append(section.Rows, action.Row{Severity: eventSeverity(e.Warning()), Cells: []string{
			clock(e.First, now), clock(e.Last, now), countText(e.Count, e.AtLeast), e.Reason, eventObject(e), e.Message}})
	}
	return []action.Section{section}
}
