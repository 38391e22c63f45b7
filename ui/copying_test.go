package ui

import (
	"strings"
	"testing"
	"time"

	"ktriage/kube/action"
)

func TestASheetWithoutAKubectlCommandHasNothingToCopyAndSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		commands []string
		said     string
		offered  bool
	}{
		"none": {nil, "there is no kubectl command for it", false},
		"two":  {[]string{"kubectl one", "kubectl two"}, "copied 23 characters: kubectl one", true},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, 120, 30, func(s *session) {
				plan := func(t action.Target, o action.Options) *action.Plan {
					return &action.Plan{Tier: action.Ask, Headline: "Nothing but words.", Gate: "do it", Kubectl: c.commands}
				}
				kind := &stretch{id: action.Scale, plan: plan}
				s.with(kind)
				s.Press("s")
				s.Wait(time.Second)
				s.sees("Nothing but words.")
				if _, footer := s.lastLines(); strings.Contains(footer, "copy kubectl") != c.offered {
					t.Errorf("the footer is %q", footer)
				}
				s.Press("ctrl+y")
				s.sees(c.said)
				if s.app.overlay == nil || kind.runs != nil {
					t.Errorf("the key has closed the sheet, or confirmed it:\n%s", s.Screen())
				}
			})
		})
	}
}
