package ui

import (
	"testing"
	"time"
)

// Between two ticks of the clock nothing is written; a key is answered at once all the same. If this fails with another
// version of Bubble Tea, look for the field of its ticker.
func TestFramesAreWrittenWhenThereAreAny(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		if s.app.pace.ticker == nil {
			t.Fatal("Bubble Tea's ticker cannot be had: every key waits for it")
		}
		for _, rest := range []time.Duration{0, slow / 3, 10 * time.Second} {
			s.Wait(rest)
			before := s.Screen()
			s.Send("j")
			s.Wait(quick + time.Millisecond)
			if s.Screen() == before {
				t.Errorf("after %s of rest a key is not answered within %s", rest, quick)
			}
		}
	})
}
