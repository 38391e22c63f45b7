package views

import (
	"fmt"
	"strings"
	"time"

	"ktriage/kube"
)

// The pins of the Events pane: the groups about an object; single events, of an object or of everything; those of one group.
const (
	objectPin = "object" // Value: Kind/namespace/name/uid
	singlePin = "events" // Value: the same, or ""
	groupPin  = "group"  // Value: the same, or "", then | and the UID of the group
)

// EventsPlace is the Events pane, pinned to what was said of an object. Of a node these are its own events and those of pods on it; of
// a workload its own and its pods'; of a pod each by itself, since groups are of all pods of its workload.
func EventsPlace(ref kube.Ref) Place {
	field := objectPin
	if ref.Kind == kube.Pods {
		field = singlePin
	}
	return Place{Pane: "events", Pin: Pin{field, strings.Join([]string{ref.Kind.Kind(), ref.Namespace, ref.Name, ref.UID}, "/")}}
}

// lens is what the pane looks at: everything, unless something of it is set.
type lens struct {
	about    string    // the object as EventsPlace has it, "" for all
	group    string    // UID of the group whose events are shown one by one
	singles  bool      // events are shown one by one
	warnings bool      // nothing else
	since    time.Time // nothing that was said last before it
}

// lensOf reads a pin. One of another pane leaves everything in.
func lensOf(p Pin) lens {
	switch p.Field {
	case objectPin:
		return lens{about: p.Value}
	case singlePin:
		return lens{about: p.Value, singles: true}
	case groupPin:
		about, group, _ := strings.Cut(p.Value, "|")
		return lens{about: about, group: group, singles: true}
	}
	return lens{}
}

// pin is what lensOf reads.
func (l lens) pin() Pin {
	switch {
	case l.group != "":
		return Pin{groupPin, l.about + "|" + l.group}
	case l.singles:
		return Pin{singlePin, l.about}
	case l.about != "":
		return Pin{objectPin, l.about}
	}
	return Pin{}
}

// object is what the pane is pinned to.
func (l lens) object() kube.Ref {
	part := strings.SplitN(l.about, "/", 4)
	if len(part) < 4 {
		return kube.Ref{}
	}
	return kube.Ref{Kind: kube.KindNamed(part[0]), Namespace: part[1], Name: part[2], UID: part[3]}
}

// marked is the same since a moment, or, if it was since one before, since ever. The API writes most times to the second: what was said
// within the second of the mark counts as after it.
func (l lens) marked(now time.Time) lens {
	if l.since.IsZero() {
		l.since = now.Truncate(time.Second)
	} else {
		l.since = time.Time{}
	}
	return l
}

// question is the pin of the list: its key, and what it leaves in words; the zero Pin if that is everything.
func (l lens) question() Pin {
	about := l.about
	if !l.singles {
		l.group = ""
	}
	if about == "" && l.group == "" && !l.warnings && l.since.IsZero() {
		return Pin{}
	}
	words := l.narrowing()
	if l.warnings {
		words = append(words, "warnings")
	}
	if !l.since.IsZero() {
		words = append(words, "since "+l.since.Format(time.TimeOnly))
	}
	return Pin{fmt.Sprintf("%s|%s|%t|%d", about, l.group, l.warnings, l.since.UnixNano()), strings.Join(words, ", ")}
}

// narrowing says in words what the pane is pinned to.
func (l lens) narrowing() []string {
	o := l.object()
	if o.Name == "" {
		return nil
	}
	return []string{shortKind(o.Kind.Kind()) + " " + o.FullName()}
}

// keepEvent gives which events are left.
func (l lens) keepEvent() func(*kube.Event, kube.Moment) bool {
	about := l.aboutEvent()
	return func(e *kube.Event, _ kube.Moment) bool {
		return (!l.warnings || e.Warning()) && !e.Last.Before(l.since) && (l.group == "" || e.Group == l.group) && about(e)
	}
}

// keepGroup gives which groups are left; members are those that are known to have events of the object.
func (l lens) keepGroup(members map[string]bool) func(*kube.EventGroup, kube.Moment) bool {
	about := l.aboutGroup()
	return func(g *kube.EventGroup, _ kube.Moment) bool {
		return (!l.warnings || g.Warning()) && !g.Last.Before(l.since) && (members[g.UID] || about(g))
	}
}

// aboutEvent gives which events are about the object that the pane is pinned to, or what belongs to it.
func (l lens) aboutEvent() func(*kube.Event) bool {
	o := l.object()
	switch {
	case l.about == "":
		return func(*kube.Event) bool { return true }
	case o.Kind == kube.Nodes:
		return func(e *kube.Event) bool { return e.Node == o.Name || is(o, e.Object) }
	case o.Kind&kube.Workloads != 0:
		return func(e *kube.Event) bool { return is(o, e.Object) || within(o, e.Owner) || within(o, ownerOf(e.Object)) }
	}
	return func(e *kube.Event) bool { return is(o, e.Object) }
}

// aboutGroup gives which groups are about it as a whole.
func (l lens) aboutGroup() func(*kube.EventGroup) bool {
	o := l.object()
	switch {
	case l.about == "":
		return func(*kube.EventGroup) bool { return true }
	case o.Kind == kube.Nodes:
		return func(g *kube.EventGroup) bool { return g.Node == o.Name || is(o, g.Subject) }
	case o.Kind&kube.Workloads != 0:
		return func(g *kube.EventGroup) bool { return is(o, g.Subject) || within(o, ownerOf(g.Subject)) }
	}
	return func(g *kube.EventGroup) bool { return is(o, g.Subject) || is(o, g.Object) }
}

// is reports whether an event names that object. Nodes are found by their names: old kubelets have no UID of theirs to say. A UID that
// only one side knows decides nothing.
func is(o kube.Ref, said kube.Involved) bool {
	if o.Kind.Kind() != said.Kind || o.Name != said.Name {
		return false
	}
	return o.Kind == kube.Nodes || o.Namespace == said.Namespace && (o.UID == "" || said.UID == "" || o.UID == said.UID)
}

// ownerOf is an object as the owner of others.
func ownerOf(o kube.Involved) kube.Owner {
	return kube.Owner{Kind: kube.KindNamed(o.Kind), Namespace: o.Namespace, Name: o.Name}
}

// within reports whether what belongs to an owner belongs to a workload: that is the owner, or makes it.
func within(o kube.Ref, owner kube.Owner) bool {
	workload := kube.Owner{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	return workload == owner || workload == owner.Above()
}
