package kube

import (
	"slices"
	"strings"
	"sync"
)

// objectKey is how the events of an object are found: by its UID, or by what it is called where a component knew no UID. Nodes are
// always found by name, since old kubelets give that for their UID.
type objectKey string

func (o *Involved) key() objectKey {
	if o.UID != "" && o.Kind != "Node" {
		return objectKey(o.UID)
	}
	return nameKey(o.Kind, o.Namespace, o.Name)
}

func nameKey(kind, namespace, name string) objectKey {
	return objectKey(kind + "\n" + namespace + "\n" + name)
}

// eventIndex has the events of each object, the newest first. The publisher writes, anybody reads: lists are never changed, and
// an object whose events have changed gets another list, so that it costs nothing for all the others.
type eventIndex struct {
	lists sync.Map // objectKey to []*Event
}

func (x *eventIndex) of(key objectKey) []*Event {
	list, _ := x.lists.Load(key)
	events, _ := list.([]*Event)
	return events
}

func (x *eventIndex) set(key objectKey, list []*Event) {
	if len(list) == 0 {
		x.lists.Delete(key)
		return
	}
	x.lists.Store(key, list)
}

// newestFirst orders events by when they were last said.
func newestFirst(a, b *Event) int {
	if c := b.Last.Compare(a.Last); c != 0 {
		return c
	}
	if c := b.First.Compare(a.First); c != 0 {
		return c
	}
	return strings.Compare(a.UID, b.UID)
}

// EventsOf gives what was said of an object, the newest first: all that is kept of it. It is found by UID, by name for nodes, and
// by kind, namespace and name for events without a UID. The list must not be changed. It never blocks: it may be called while drawing.
func (c *Cluster) EventsOf(object Ref) []*Event {
	x := &c.book.index
	named := x.of(nameKey(object.Kind.Kind(), object.Namespace, object.Name))
	if object.Kind == Nodes || object.UID == "" {
		return named
	}
	known := x.of(objectKey(object.UID))
	switch {
	case len(named) == 0:
		return known
	case len(known) == 0:
		return named
	}
	all := slices.Concat(known, named)
	slices.SortFunc(all, newestFirst)
	return all
}

// reindex gives each object whose events have changed its list anew: what it had, as it is now, and what is new to it.
func (b *eventBook) reindex() {
	for key, fresh := range b.objects {
		old := b.index.of(key)
		list := make([]*Event, 0, len(old)+len(fresh))
		for _, e := range old {
			if s := b.singles[e.UID]; s != nil && s.indexed == key {
				list = append(list, s.row)
			}
		}
		for _, s := range fresh {
			if !s.dropped && s.indexed == key {
				list = append(list, s.row)
			}
		}
		slices.SortFunc(list, newestFirst)
		b.index.set(key, list)
	}
	clear(b.objects)
}
