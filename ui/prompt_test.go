package ui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestCursorStandsBehindWhatIsTyped(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		keys []string
		text string
	}{
		{"alone", 80, 24, nil, "pay"},
		{"the lower of two panes", 80, 24, []string{"2", "=", "="}, "pay"},
		{"the right of two panes", 120, 40, []string{"2"}, "pay"},
		{"longer than the field", 80, 24, []string{"2", "=", "="}, strings.Repeat("0123456789", 15)},
		{"longer than the field, on the right", 120, 40, []string{"2"}, strings.Repeat("0123456789", 15)},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.incident(60)
				s.start()
				s.Press(c.keys...)
				s.Press("/")
				s.Type(c.text)
				s.cursorIsBehind(c.text)
				s.Press("left")
				s.cursorIsBehind(c.text[:len(c.text)-1])
			})
		})
	}
}

// cursorIsBehind fails the test unless the last characters of a text stand before the cursor.
func (s *session) cursorIsBehind(text string) {
	s.t.Helper()
	w, _ := s.Size()
	at, tail := s.app.cursor, text[max(0, len(text)-3):]
	if at == nil || at.X >= w {
		s.t.Fatalf("the cursor is at %+v", at)
	}
	var before strings.Builder
	for x := at.X - len(tail); x < at.X; x++ {
		before.WriteString(s.Cell(x, at.Y).Content)
	}
	if before.String() != tail {
		s.t.Errorf("before the cursor at %d,%d stands %q, want %q:\n%s", at.X, at.Y, before.String(), tail, s.Screen())
	}
}

func TestTextFieldDoesNotReadTheClipboardOfTheMachineItRunsOn(t *testing.T) {
	p := newPrompt("")
	if cmd := p.update(tea.KeyPressMsg{Code: 'v', Mod: tea.ModCtrl}); cmd != nil {
		t.Errorf("ctrl+v does %T", cmd())
	}
	p.update(tea.PasteMsg{Content: "pay"})
	if p.value() != "pay" {
		t.Errorf("what the terminal pastes comes to %q", p.value())
	}
}
