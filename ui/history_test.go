package ui

import (
	"slices"
	"testing"
)

func TestFilterOfAPaneOutlivesAJumpIntoIt(t *testing.T) {
	for _, back := range []string{"esc", "["} {
		t.Run(back, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.incident(5)
				s.deps.Pane = "pods"
				s.start()
				s.Press("/")
				s.Type("pay")
				s.Press("enter", "1", "enter")
				s.sees("node=worker-2")
				s.misses("/ pay")
				s.Press(back)
				s.isUnder("worker-2")
				s.Press("2")
				s.sees("2 of 11  / pay")
				s.misses("node=")
				s.Press("[", "]")
				s.sees("2 of 11  / pay")
			})
		})
	}
}

func TestFilterOfNodesOutlivesTheJumpFromAPod(t *testing.T) {
	for _, back := range []string{"esc", "["} {
		t.Run(back, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.incident(5)
				s.start()
				s.Press("/")
				s.Type("worker-4")
				s.Press("enter", "2", "o")
				s.isUnder("worker-1")
				s.misses("/ worker-4")
				s.Press(back)
				s.isUnder("checkout")
				s.Press("1")
				s.sees("1 of 4  / worker-4")
				s.Press("[", "[", "]", "]")
				s.sees("1 of 4  / worker-4")
			})
		})
	}
}

func TestGoingForwardJumpsAgain(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("/")
		s.Type("pay")
		s.Press("enter", "1", "j", "enter")
		s.sees("node=worker-4", "pay/ledger-0")
		s.Press("[")
		s.isUnder("worker-4")
		s.Press("]")
		s.sees("node=worker-4", "1 of 11")
		s.Press("[", "2")
		s.sees("2 of 11  / pay")
	})
}

func TestFilterTypedBetweenBackAndForwardOutlivesTheJump(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("2", "1", "enter", "[", "[", "/")
		s.Type("pay")
		s.Press("enter", "]", "]")
		s.sees("node=worker-2")
		s.Press("[", "2")
		s.sees("2 of 11  / pay")
	})
}

func TestEscapeLeavesAPinnedPaneThroughTheJumpThatOpenedIt(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("j", "enter", "1", "j", "2")
		s.sees("node=worker-4")
		s.Press("esc")
		s.isUnder("worker-4")
		s.Press("2")
		s.sees("5 not ok of 11")
		s.Press("esc")
		s.sees("nothing to go back from; q quits", "5 not ok of 11")
	})
}

func TestFocusKeysClearNothing(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("enter", "/")
		s.Type("cart")
		s.Press("enter")
		for _, keys := range [][]string{{"1", "2"}, slices.Repeat([]string{"tab"}, 7), slices.Repeat([]string{"shift+tab"}, 7)} {
			s.Press(keys...)
			s.sees("node=worker-2  / cart")
		}
	})
}

func TestZoomThatCannotBeSeenTakesNoEscape(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("z")
		s.Resize(60, 15)
		s.Press("esc")
		s.sees("nothing to go back from")
		s.Resize(120, 40)
		s.misses("2 Pods ──")
		s.Press("esc")
		s.sees("2 Pods ──")
	})
}
