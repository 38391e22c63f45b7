package ui

import (
	"slices"
	"time"

	"ktriage/kube"
	"ktriage/views"
)

// stillSaid is what was said of objects, as a screen shows it that can be frozen: from then on what it has given it gives again, and
// what was said later is left out.
type stillSaid struct {
	views.Said
	frozen time.Time // zero while it follows
	given  map[kube.Ref][]*kube.Event
}

// freeze holds it as it is, or lets it follow again where at is zero.
func (s *stillSaid) freeze(at time.Time) { s.frozen, s.given = at, map[kube.Ref][]*kube.Event{} }

// EventsOf implements views.Said.
func (s *stillSaid) EventsOf(object kube.Ref) []*kube.Event {
	if s.frozen.IsZero() {
		return s.Said.EventsOf(object)
	}
	events, ok := s.given[object]
	if !ok {
		events = slices.DeleteFunc(slices.Clone(s.Said.EventsOf(object)), func(e *kube.Event) bool { return e.Last.After(s.frozen) })
		s.given[object] = events
	}
	return events
}
