package ui

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
)

const (
	asksAttributes = "\x1b[c"
	asksBackground = "\x1b]11;?"
	asksTrueColour = "\x1bP+q524742"
	asksSync       = "\x1b[?2026$p"
)

func TestTerminalIsAskedWhatItIsBeforeAnythingElse(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	inSession(t, 80, 24, func(s *session) {
		s.deps.Background, s.deps.Color = "auto", "auto"
		s.start()
		sent := s.Written()
		first, rest, _ := strings.Cut(sent, asksAttributes)
		for _, want := range []string{asksBackground, asksTrueColour, asksSync, asksAttributes} {
			if strings.Contains(first, want) {
				t.Errorf("%q is asked before what the terminal is", want)
			}
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Fatalf("%q is not asked in its turn in %q", want, sent)
			}
			rest = after
		}
		if wait := s.app.asking.wait(time.Now()); wait != 0 {
			t.Errorf("after all answers a quit still waits %s", wait)
		}
	})
}

func TestTerminalIsAskedOnlyWhatItUnderstands(t *testing.T) {
	const all, background, none = asksBackground + asksTrueColour + asksSync, asksBackground, ""
	for _, c := range []struct {
		terminal, term string
		answer         uv.PrimaryDeviceAttributesEvent
		want           string
	}{
		{"xterm", "xterm-256color", uv.PrimaryDeviceAttributesEvent{64, 1, 2, 6, 9, 15, 16, 17, 18, 21, 22, 28}, all},
		{"VT420", "vt420", uv.PrimaryDeviceAttributesEvent{41}, all},
		{"kitty", "xterm-kitty", uv.PrimaryDeviceAttributesEvent{62}, all},
		{"iTerm2", "xterm-256color", uv.PrimaryDeviceAttributesEvent{62, 4}, all},
		{"Windows Terminal", "xterm-256color", uv.PrimaryDeviceAttributesEvent{61, 4, 6, 7, 14, 21, 22, 23, 24, 28, 32, 42}, all},
		{"tmux", "tmux-256color", uv.PrimaryDeviceAttributesEvent{1, 2, 4}, background},
		{"Terminal.app", "xterm-256color", uv.PrimaryDeviceAttributesEvent{1, 2}, background},
		{"Linux console", "linux", uv.PrimaryDeviceAttributesEvent{6}, none},
		{"VT100", "vt100", uv.PrimaryDeviceAttributesEvent{1, 2}, none},
	} {
		got := look{term: c.term}.questions(c.answer)
		rest := got
		for _, q := range []string{asksBackground, asksTrueColour, asksSync} {
			if strings.Contains(got, q) != strings.Contains(c.want, q) {
				t.Errorf("%s: %q asked: %t", c.terminal, q, strings.Contains(got, q))
			}
			rest = strings.Replace(rest, q, "", 1)
		}
		if c.want == "" && rest != "" {
			t.Errorf("%s is asked %q", c.terminal, rest)
		}
	}
	if got := (look{term: "xterm", forced: true, fixed: true}).questions([]int{64}); got != asksSync {
		t.Errorf("what the command line says is asked all the same: %q", got)
	}
}

func TestQuitWaitsOnlyForAnswersThatMayStillCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{look: look{term: "xterm", forced: true}}
		waits := func(want bool) {
			t.Helper()
			if got := a.asking.wait(time.Now()) > 0; got != want {
				t.Errorf("waits: %t, want %t", got, want)
			}
		}
		waits(false)
		a.askAttributes()
		waits(true)
		a.terminalSays(uv.PrimaryDeviceAttributesEvent{64})
		waits(true) // for the colours, which were asked after this answer
		a.terminalSays(tea.BackgroundColorMsg{})
		waits(true)
		a.terminalSays(uv.PrimaryDeviceAttributesEvent{64})
		waits(false)
		if a.terminalSays(uv.PrimaryDeviceAttributesEvent{64}) != nil {
			t.Error("it is asked again")
		}
	})
}

func TestKeyWakesAScreenThatWasNotToldOfItsFocus(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Send("\x1b[O")
		s.Settle()
		if s.app.gap() != gapBlurred {
			t.Errorf("without the focus news comes every %s", s.app.gap())
		}
		s.Press("j")
		if s.app.gap() != 0 {
			t.Errorf("after a key news comes every %s", s.app.gap())
		}
	})
}
