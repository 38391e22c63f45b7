package kube

import (
	"strings"
	"time"
)

// Involved is the object that an event is about. Its strings are sanitised. UID is "" where the component that said it did not
// know it; old kubelets put the node's name there.
type Involved struct {
	Kind, Namespace, Name, UID string
	APIVersion                 string
	// Field is the part of the object, as in "spec.containers{app}"; "" for all of it.
	Field string
}

// String is the object as kubectl names it, without its namespace: "pod/web-1".
func (o Involved) String() string { return strings.ToLower(o.Kind) + "/" + o.Name }

// FullName is the name with its namespace before it, if it has one. Events on objects without a namespace are stored in
// "default"; the object has none.
func (o Involved) FullName() string { return Ref{Namespace: o.Namespace, Name: o.Name}.FullName() }

// Ref names the object as a row of ours would be named; its Kind is 0 if there are no such rows.
func (o Involved) Ref() Ref {
	return Ref{Kind: KindNamed(o.Kind), Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}

// Event is the row of one event object: what a component has said of an object, how often and when. Its strings are sanitised.
// It stays after the server has let the object go, as it does after --event-ttl, an hour by default.
type Event struct {
	Namespace, Name, UID string // of the event object

	Object   Involved
	Type     string // Normal or Warning; others pass through
	Reason   string
	Message  string // at most 1 KiB, as the API has it; lines are joined by a space
	From     string // the component: "kubelet", "default-scheduler"
	FromHost string // the node that the component runs on, "" where it does not say

	// Count is how often it was said, 1 at least. Where AtLeast is set it, and Last, may be up to 30 minutes behind: recorders of
	// events.k8s.io/v1 write the first repetition and then every 30 minutes only (tools/events/event_broadcaster.go in client-go).
	Count       int
	AtLeast     bool
	First, Last time.Time // Last is what kubectl sorts by: series.lastObservedTime, lastTimestamp, eventTime, creationTimestamp
	Expired     bool      // the server does not have it any more

	Group string // UID of its EventGroup
	// Owner is the workload that made the pod that it is about, and Node where that pod was, or the node that it is about, or else
	// FromHost; zero where nobody knows. A pane that is pinned to a workload or a node finds its events by them.
	Owner Owner
	Node  string
}

// Ref names the event object.
func (e *Event) Ref() Ref { return Ref{Kind: Events, Namespace: e.Namespace, Name: e.Name, UID: e.UID} }

// Warning reports whether its type is another than Normal.
func (e *Event) Warning() bool { return e.Type != "Normal" }

// By says what the events of a group have in common beside type and reason.
type By uint8

// What a group is about.
const (
	ByObject By = iota // one object
	ByOwner            // pods (or the runs) of one workload
	ByNode             // pods on one node, where the reason is the node's and not the pods'
)

// RatePoints is how many points the rates of events have, and RateStep how far apart they are.
const (
	RatePoints = 15
	RateStep   = 4 * time.Minute
)

// Rate is how often something was said in each of the last RatePoints steps of the clock, the present one last.
type Rate [RatePoints]uint32

// EventGroup is the row of one cause: all events of one type and one reason about one object, the pods of one workload, or pods on one
// node. It counts what is not kept singly any more, too.
type EventGroup struct {
	UID string // made of type, reason and subject: the same cause has it again

	Type, Reason string
	By           By
	// Subject is the object, the workload or the node. Its UID is "" where only its name is known.
	Subject Involved
	Objects int      // how many different objects it was said of; one that has been forgotten may be counted again
	Object  Involved // of the newest event
	Message string   // of the newest event
	From    string   // of the newest event
	Node    string   // of the newest event: the node of its pod or of its component, "" if none is known

	Count       int // of all its events together
	AtLeast     bool
	First, Last time.Time
	Expired     bool // the server has none of its events any more
	Forgotten   int  // how many event objects are counted here, but not kept singly any more
	Rate        Rate
	RateEnds    time.Time // the end of the last step of Rate, which may be long ago: RateAt is what to draw
}

// Ref names the group by its subject.
func (g *EventGroup) Ref() Ref {
	return Ref{Kind: Events, Namespace: g.Subject.Namespace, Name: g.Subject.Name, UID: g.UID}
}

// Warning reports whether its type is another than Normal.
func (g *EventGroup) Warning() bool { return g.Type != "Normal" }

// Said is what is known of all events together. It is immutable.
type Said struct {
	Since     time.Time // the first thing that was said and is known of; zero if there is none
	Events    int       // event objects that are kept
	Count     int       // how often something was said
	Forgotten int       // event objects that are counted in their groups alone
	Rate      Rate      // of all
	Warnings  Rate      // of warnings
	RateEnds  time.Time // as that of a group: RatesAt is what to draw
}

// Matches implements Row: a filter finds what the columns say, and the parts of the object.
func (e *Event) Matches(word string, _ Moment) bool {
	for _, s := range [...]string{e.Type, e.Reason, e.Object.Kind + "/" + e.Object.FullName(), e.Object.String(), e.Object.Field, e.Message, e.From, e.FromHost} {
		if containsFold(s, word) {
			return true
		}
	}
	return false
}

// Matches implements Row: a filter finds what the columns say, and the newest object.
func (g *EventGroup) Matches(word string, _ Moment) bool {
	for _, s := range [...]string{
		g.Type, g.Reason, g.Subject.Kind + "/" + g.Subject.FullName(), g.Subject.String(), g.Object.FullName(), g.Message, g.From, g.Node,
	} {
		if containsFold(s, word) {
			return true
		}
	}
	return false
}
