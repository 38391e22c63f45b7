package ui

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestHelpOfANarrowScreenExplainsEveryGlyph(t *testing.T) {
	inSession(t, 60, 15, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("?", "G")
		s.sees("■ critical", "▲ warning", "○ notice", "· well", "unknown", "marked")
	})
}

func TestMessagesAreWrapped(t *testing.T) {
	inSession(t, 60, 15, func(s *session) {
		s.incident(5)
		s.start()
		slog.New(s.deps.Messages.Handler(slog.LevelInfo)).Error("watch of pods ended",
			"err", errors.New("the connection was closed by something between us and the server, and nobody says why"))
		s.Press("L")
		s.sees("watch of pods ended", "nobody", "says why")
		lines := strings.Split(s.Screen(), "\n")
		first := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "watch of pods") })
		if next := lines[first+1]; !strings.HasPrefix(next, strings.Repeat(" ", 12)) || strings.TrimSpace(next) == "" {
			t.Errorf("the message goes on as %q", next)
		}
	})
}
