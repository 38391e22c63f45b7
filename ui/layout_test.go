package ui

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube/kubetest"
	"ktriage/themes"
)

func TestLayoutThatWouldShowTheSameIsSkipped(t *testing.T) {
	inSession(t, 80, 20, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("=")
		s.sees("layout: split", "2 Pods ──")
		s.Press("=")
		s.sees("layout: single")
		s.misses("2 Pods ──")
		s.Press("6", "=", "=")
		s.sees("layout: grid", "─ 5 Events ──", "━ 6 Top ━━")
	})
}

func TestScreenForOnePaneSaysWhyItShowsNoOther(t *testing.T) {
	inSession(t, 60, 15, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("=")
		s.sees("layout: the screen is too small for two panes")
		s.Wait(toastTime)
		s.Press("z")
		s.sees("zoom: the screen is too small for two panes")
		zoom, _ := s.deps.Keys.Lookup(keymap.Zoom)
		l := newLine(s.app.paint, 40)
		s.app.hint(l, zoom)
		if !strings.HasPrefix(l.String(), s.app.paint.Open(themes.Border, themes.Plain)) {
			t.Errorf("zoom is not grey: %q", l.String())
		}
		s.Resize(80, 24)
		s.Press("z")
		s.sees("the pane has the whole screen already")
		s.Press("=")
		s.sees("2 Pods ──")
	})
}

func TestSeamDoesNotCutTheWordsOfTheStrip(t *testing.T) {
	inSession(t, 110, 24, func(s *session) {
		s.incident(60)
		s.start()
		s.Fail(kubetest.Refused)
		for range 30 {
			s.Wait(time.Second)
			if bad := regexp.MustCompile(`[^─ ]┴|┴[^─ ]`).FindString(s.Screen()); bad != "" {
				t.Fatalf("%q in\n%s", bad, s.Screen())
			}
		}
		s.sees("NotReady(Unknown)", "as of")
	})
}
