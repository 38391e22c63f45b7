package ui

import (
	"fmt"
	"strings"
	"testing"
)

func TestPaletteCountsTheRowsOfEveryNamespace(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.Put(node("worker-1"))
		for i := range paletteObjects + 100 {
			s.Put(pod("batch", fmt.Sprintf("job-%04d", i), "worker-1"))
		}
		s.Put(pod("zone", "last", "worker-1"))
		s.start()
		s.Press(":")
		s.Type("zone")
		if l := s.line(" namespace "); !strings.Contains(l, "zone") || !strings.Contains(l, " 1 pod") {
			t.Errorf("the namespace of the last pod: %q in\n%s", l, s.Screen())
		}
		s.Press("ctrl+u")
		s.Type("batch")
		if l := s.line(" namespace "); !strings.Contains(l, "2,100 pods") {
			t.Errorf("the namespace of most pods: %q", l)
		}
	})
}

func TestPaletteFindsPanesThenNamespacesThenCommandsFirst(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.Put(pod("no-team", "x", "worker-1"), node("no-such"))
		s.deps.Pane = "pods"
		s.start()
		s.Press(":")
		s.Type("no")
		var kinds []string
		for l := range strings.SplitSeq(s.Screen(), "\n") {
			for _, kind := range []string{"pane 1", "namespace", "command"} {
				if strings.Contains(l, " "+kind+" ") && strings.HasPrefix(strings.TrimLeft(l, " ▌"), "no") {
					kinds = append(kinds, kind)
				}
			}
		}
		if got := strings.Join(kinds, ", "); got != "pane 1, namespace, command" {
			t.Errorf("%q in\n%s", got, s.Screen())
		}
		s.Press("enter")
		s.sees("4 of 5 ready")
		s.misses("node=")
		s.isUnder("worker-2")
	})
}

func TestPaletteNamesTheKindOfACertificateInFull(t *testing.T) {
	inSession(t, 60, 15, func(s *session) {
		s.expires(expiring()...)
		s.Press(":")
		s.Type("alice@corp")
		s.sees(" certificate ")
	})
}
