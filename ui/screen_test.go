package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFirstScreen(t *testing.T) {
	for _, size := range []struct{ w, h int }{{60, 15}, {80, 24}, {120, 40}, {200, 50}} {
		for _, pane := range []string{"nodes", "pods"} {
			name := fmt.Sprintf("%s-%dx%d", pane, size.w, size.h)
			t.Run(name, func(t *testing.T) {
				inSession(t, size.w, size.h, func(s *session) {
					s.incident(60)
					s.deps.Pane = pane
					s.start()
					s.Golden(t, name)
				})
			})
		}
	}
}

func TestColoursOfEveryKindOfTerminal(t *testing.T) {
	for _, c := range []struct {
		name, colour, background string
		utf8                     bool
	}{
		{"truecolor-dark", "truecolor", "dark", true},
		{"truecolor-light", "truecolor", "light", true},
		{"256-dark", "256", "dark", true},
		{"256-light", "256", "light", true},
		{"16-dark", "16", "dark", true},
		{"16-light", "16", "light", true},
		{"none-ascii", "never", "dark", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.incident(3)
				s.deps.Pane, s.deps.Color, s.deps.Background, s.deps.UTF8 = "pods", c.colour, c.background, c.utf8
				s.start()
				s.GoldenStyled(t, "colours-"+c.name)
			})
		})
	}
}

func TestWithoutColoursOrUTF8NothingElseIsWritten(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(40)
		s.deps.Color, s.deps.UTF8 = "never", false
		s.start()
		s.Press("j", "=", "z", "z", "?", "esc", ":", "esc", "c", "esc", "r", "esc", "3", "4", "C", "C", "d", "esc", "5", "e", "w", "m", "f", "enter", "esc", "6", "p", "t", "p", "enter", "esc", "C", "M", "7", "tab", "space", "F")
		for i, r := range s.Written() {
			if r >= 0x80 {
				t.Fatalf("%q is written, at byte %d", r, i)
			}
		}
		for y := range 40 {
			for x := range 120 {
				if c := s.Cell(x, y); c.Style.Fg != nil || c.Style.Bg != nil {
					t.Fatalf("cell %d,%d has a colour: %+v", x, y, c)
				}
			}
		}
	})
}

func TestOverlaysAndLayouts(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		keys []string
	}{
		{"help-80x24", 80, 24, []string{"?"}},
		{"help-120x40", 120, 40, []string{"2", "?"}},
		{"palette-80x24", 80, 24, []string{":", "c", "h", "k"}},
		{"details-80x24", 80, 24, []string{"d"}},
		{"details-120x40", 120, 40, []string{"2", "d"}},
		{"which-key-80x24", 80, 24, []string{"O"}},
		{"filter-80x24", 80, 24, []string{"2", "/", "s", "h", "o", "p"}},
		{"filter-120x40", 120, 40, []string{"2", "/", "s", "h", "o", "p"}},
		{"no-match-80x24", 80, 24, []string{"2", "/", "x", "x", "x", "enter"}},
		{"marks-80x24", 80, 24, []string{"2", "space", "j", "space"}},
		{"split-80x24", 80, 24, []string{"="}},
		{"grid-80x24", 80, 24, []string{"2", "=", "="}},
		{"zoom-120x40", 120, 40, []string{"2", "z"}},
		{"split-120x40", 120, 40, []string{"=", "="}},
		{"node-pods-80x24", 80, 24, []string{"enter"}},
		{"frozen-80x24", 80, 24, []string{"F"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.incident(60)
				s.start()
				s.Press(c.keys...)
				s.Wait(toastTime)
				s.Golden(t, c.name)
			})
		})
	}
}

func TestScreenThatIsTooSmallSaysSo(t *testing.T) {
	inSession(t, 20, 5, func(s *session) {
		s.incident(5)
		s.start()
		s.Golden(t, "too-small-20x5")
		s.Resize(80, 24)
		s.sees("worker-2", "NotReady(Unknown)")
		s.Resize(1, 1)
		s.Resize(20, 5)
		s.sees("20x5 is too small")
		s.Press("q")
		s.Wait(time.Second)
		if s.AltScreen() {
			t.Error("q does not quit a screen that is too small")
		}
	})
}

func TestResizeKeepsTheObjectUnderTheCursorInSight(t *testing.T) {
	inSession(t, 80, 50, func(s *session) {
		s.incident(60)
		s.deps.Pane = "pods"
		s.start()
		for range 40 {
			s.Press("j")
		}
		under := "batch/job-0035"
		for _, size := range [][2]int{{80, 24}, {60, 15}, {200, 50}, {300, 100}, {80, 24}} {
			s.Resize(size[0], size[1])
			if l := s.line(under); !strings.HasPrefix(l, "▌") && !strings.Contains(l, "│▌") {
				t.Errorf("%v: %q is not under the cursor:\n%s", size, under, s.Screen())
			}
		}
	})
}

func TestFirstScreenIsThereBeforeTheServerAnswers(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.Silent()
		s.start()
		s.sees("prod-tokyo", "1 Nodes", "Reading nodes")
		s.Golden(t, "loading-80x24")
	})
}
