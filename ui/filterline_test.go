package ui

import (
	"strings"
	"testing"
)

func TestFilterLineCompletesRecallsAndSaves(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(60)
		s.start()
		s.Press("2", "/")
		s.Type("resta")
		s.Press("tab")
		s.Type(">0")
		if got := s.app.input.value(); got != "restart>0" { // restarts and restarted go on from there
			t.Errorf("completed to %q", got)
		}
		s.Press("ctrl+u")
		s.Type("severity=w")
		s.Press("tab", "ctrl+s", "enter")
		if got := s.app.pane().Place().Filter; got != "severity=warning" {
			t.Errorf("kept is %q", got)
		}
		s.Press("/", "ctrl+u")
		s.Type("pay")
		s.Press("enter", "/", "ctrl+u", "up")
		if got := s.app.input.value(); got != "severity=warning" { // it is saved: it comes first
			t.Errorf("recalled is %q", got)
		}
		s.Press("up")
		if got := s.app.input.value(); got != "pay" {
			t.Errorf("recalled is %q", got)
		}
		s.Press("down", "down")
		if got := s.app.input.value(); got != "" {
			t.Errorf("behind the newest stands %q", got)
		}
		s.Press("f1")
		if screen := s.Screen(); !strings.Contains(screen, "Filters of pods") || !strings.Contains(screen, "Space is AND") {
			t.Errorf("f1 shows\n%s", screen)
		}
		s.Press("esc", "esc", ":")
		s.Type("filter:")
		if screen := s.Screen(); !strings.Contains(screen, "filter: severity=warning") {
			t.Errorf("the palette does not list what is saved:\n%s", screen)
		}
	})
}

// Nodes and pods have other fields, and the Top pane shows both.
func TestSavedFilterThatTheRowsCannotAnswerIsRefusedInWords(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(60)
		s.deps.Pane = "top"
		s.start()
		s.Press("p", "/")
		s.Type("restarts>0")
		s.Press("ctrl+s", "ctrl+u")
		s.Press("enter", "p", "p", "/") // over containers to nodes
		s.Type("worker")
		s.Press("enter", ":")
		s.Type("filter: rest")
		s.Press("enter")
		s.sees("not filtered: ")
		if got := s.app.pane().Place().Filter; got != "worker" {
			t.Errorf("nodes are filtered by %q", got)
		}
	})
}
