package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube/kubetest"
	"ktriage/themes"
)

const frozenRefusal = "the screen is frozen; F lets it go on"

func TestFrozenScreenRefusesWhatNeedsOtherRows(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("2", "1", "[", "F") // there is a history in both directions
		for _, keys := range [][]string{{"o"}, {"O", "n"}, {"S"}, {"["}, {"]"}} {
			s.Press(keys...)
			s.sees(frozenRefusal, "5 not ok of 11")
			s.Wait(toastTime)
			s.misses(frozenRefusal)
		}
		s.Press("1", "enter")
		s.sees(frozenRefusal, "3 of 4 ready")

		s.Press("F", "enter")
		s.sees("node=worker-2")
	})
}

func TestFrozenScreenStillMovesMarksAndShows(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("F", "j")
		s.isUnder("search")
		s.Press("space")
		s.sees("1 marked")
		s.Press("esc")
		s.misses("marked")
		s.Press("d")
		s.sees("Insufficient cpu", "pod shop/search")
		s.Press("esc", "ctrl+y")
		s.sees("copied")
		s.Press("1")
		s.isUnder("worker-2")
		s.Press("=")
		s.sees("2 Pods ──")
		s.Press("z")
		s.misses("2 Pods ──")
		s.Press("esc")
		s.sees("2 Pods ──")
		s.Press("?")
		s.sees("Keys for Nodes")
	})
}

func TestEscapeOfAFrozenScreenLeavesFilterAndPin(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("/")
		s.Type("job")
		s.Press("enter", "F", "esc")
		s.sees(frozenRefusal, "5 of 11", "/ job")
		s.Press("j")
		s.isUnder("job-0001")
		s.Press("F", "esc")
		s.sees("5 not ok of 11")
		s.isUnder("job-0001")

		s.Wait(toastTime)
		s.Press("1", "enter", "space", "F", "esc")
		s.misses("marked", frozenRefusal)
		s.Press("esc")
		s.sees(frozenRefusal, "node=worker-2")
		s.Press("j")
		s.isUnder("kube-system")
		s.Press("F", "esc")
		s.isUnder("worker-2")
		s.sees("3 of 4 ready")
	})
}

func TestFrozenScreenGreysWhatItRefuses(t *testing.T) {
	inSession(t, 120, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("F")
		grey := s.app.paint.Open(themes.Border, themes.Plain)
		footer := s.app.drawFooter(120)
		for _, key := range []string{"enter", "O"} {
			if !strings.Contains(footer, grey+key) {
				t.Errorf("%s is not grey in %q", key, footer)
			}
		}
		if strings.Contains(footer, grey+"d") || strings.Contains(footer, grey+"tab") {
			t.Errorf("what works is grey in %q", footer)
		}
		s.Press("?")
		s.sees("  " + frozenRefusal)
		if help := s.app.overlay.(*sheet).lines(80); !slices.ContainsFunc(help, func(r row) bool {
			return slices.Contains(r, piece{"sort by…", themes.Border})
		}) {
			t.Error("the help does not grey what waits for other rows")
		}
		s.Press("esc", ":")
		for _, what := range []string{"sort by name", "worker-1", "kube-system"} {
			s.Type(what)
			s.sees("off: the screen is frozen")
			s.Press("enter")
			s.sees(what, frozenRefusal)
			s.Press("esc", ":")
		}
		s.Type("pods")
		s.Press("enter")
		s.sees("5 not ok of 11")
	})
}

func TestFrozenRefusalNamesTheKeyOfTheTable(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		if err := s.deps.Keys.Override(map[keymap.ID][]string{keymap.Freeze: {"ctrl+x"}}); err != nil {
			t.Fatal(err)
		}
		s.start()
		s.Press("ctrl+x", "S")
		s.sees("the screen is frozen; ctrl+x lets it go on")
	})
}

func TestToastOfAFrozenScreenGoes(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("F", "ctrl+y")
		s.sees("copied")
		s.Wait(toastTime)
		s.misses("copied")
	})
}

func TestServerThatIsLostBehindAFrozenScreenIsSaid(t *testing.T) {
	for _, c := range []struct {
		w, h int
		want []string
	}{
		{120, 40, []string{"prod-tokyo › all ns", "= frozen at 00:00:01 ", "no answer since 00:00:10, next try in", "Nothing here is lost"}},
		{80, 24, []string{"prod-tokyo › all ns", "= frozen ", "no answer 30s", "Nothing here is lost"}},
		{60, 15, []string{"prod-tokyo", "= frozen ", "no answer 30s"}},
	} {
		t.Run(fmt.Sprintf("%dx%d", c.w, c.h), func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.incident(5)
				s.start()
				s.Press("F")
				s.Wait(9 * time.Second)
				s.Fail(kubetest.Refused)
				s.Wait(30 * time.Second)
				s.sees(append(c.want, "39s old; ", "as of 00:00:01", "■ 2")...)
				s.misses("invalid", "as of 00:00:10")
				s.Fail(nil)
				s.Wait(5 * time.Second)
				s.sees("= frozen at 00:00:01")
				s.misses("no answer")
			})
		})
	}
}

func TestOtherZoneDoesNotMoveAFrozenScreen(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.FixedZone("CET", 3600)
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("F")
		s.sees("= frozen at 01:00:01", "5m1s")
		s.Wait(3 * time.Minute)
		s.Press("T")
		s.sees("= frozen at 00:00:01", "5m1s")
		s.Press("T")
		s.sees("= frozen at 01:00:01", "5m1s")
	})
}

func TestDestructiveKeysAreOffWhileTheScreenHasBeenFrozenForLong(t *testing.T) {
	danger := keymap.Binding{ID: "test.danger", Danger: true}
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("F")
		s.Wait(20 * time.Second)
		if why := s.why(danger); why != "" {
			t.Errorf("off after 20 s: %s", why)
		}
		s.Wait(20 * time.Second)
		if why := s.why(danger); why != "what you see is 40s old; actions are off until F lets the screen go on" {
			t.Errorf("frozen for 40 s: %q", why)
		}
	})
}

func TestScreenThatIsFrozenWhileItWaitsForRowsStillGetsThem(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Send("SF") // the order is asked for, and the screen frozen before the rows are there in that order
		s.Wait(time.Second)
		s.sees("frozen", "status ·")
		s.Press("j", "space")
		s.sees("1 marked")
	})
}

func TestWhatIsTypedIntoTheFilterOfAFrozenScreenIsNotTakenForKeys(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("F", "/")
		s.sees("● live", "the screen goes on")
		s.Type("search")
		s.Press("enter")
		s.sees("1 of 11  / search")
	})
}
