package audit

import (
	"slices"
	"strings"
)

// Interruption is a run that was begun and not ended.
type Interruption struct {
	Entry          // its intent, or its result if that says that it was cut off
	Elsewhere bool // it was begun on another host, and may still be going on there
}

// Interrupted finds the runs that were cut off, in the order of the entries, which is newest last: those that have an
// intent and no result though their process does not live, and those whose result says so. A run is not among them once an
// operator has said that it is to be left, or once the same action on the same objects was begun again, however that went.
// Of several on the same objects only the newest counts. Objects are the same if their UIDs are.
func Interrupted(entries []Entry, alive func(Record) Liveness) []Interruption {
	seen := newHistory(entries)
	var found []Interruption
	newest := map[string]bool{} // by objects
	for i, e := range slices.Backward(entries) {
		objects := objects(e.Record)
		if newest[objects] || !seen.open(i, e.Record) {
			continue
		}
		in := Interruption{Entry: e}
		if e.Event == Intent {
			state := alive(e.Record)
			if state == Alive {
				continue
			}
			in.Elsewhere = state == Elsewhere
		}
		newest[objects] = true
		found = append(found, in)
	}
	slices.Reverse(found)
	return found
}

// history is what entries say about runs.
type history struct {
	ended, left map[string]bool // by run
	begun       map[string]int  // place of the newest intent, by action and objects
}

func newHistory(entries []Entry) history {
	h := history{ended: map[string]bool{}, left: map[string]bool{}, begun: map[string]int{}}
	for i, e := range entries {
		switch e.Event {
		case Result:
			h.ended[e.Run] = true
		case Left:
			h.left[e.Run] = true
		case Intent:
			h.begun[subject(e.Record)] = i
		}
	}
	return h
}

// open reports whether the entry at a place may be of a run that was cut off and that nobody has seen to.
func (h history) open(place int, r Record) bool {
	unfinished := r.Event == Intent && !h.ended[r.Run] || r.Event == Result && r.State == CutOff
	return unfinished && !h.left[r.Run] && h.begun[subject(r)] <= place
}

// subject is an action on a set of objects.
func subject(r Record) string { return r.Action + "\n" + objects(r) }

// objects is a set of objects as a text, whatever their order. An object without a UID is told by its cluster and name; a
// record without objects is like no other run's.
func objects(r Record) string {
	if len(r.Objects) == 0 {
		return "run " + r.Run
	}
	var names []string
	for _, o := range r.Objects {
		if o.UID != "" {
			names = append(names, "uid "+o.UID)
			continue
		}
		names = append(names, strings.Join([]string{"name", r.Server, r.Context, o.Kind, o.Namespace, o.Name}, " "))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "\n")
}
