package ui

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/termtest"
)

// hostile is text as somebody writes it who wants to take over the terminal of whoever looks at his pod.
var hostile = []string{
	"\x1b]0;owned\x07", "\x1b]52;c;cm0gLXJmIC8K\x07", "\x1b[2J\x1b[H", "\x1b[?1049l", "\x1bc", "\x1b[6n", "\x1bP$qm\x1b\\",
	"\x1b[31;5m", "\x1b_G\x1b\\", "\r", "\n", "\b\b\b", "\x00", "\x07", "\x7f", "\u009b31m", "\u009d0;owned\u009c", "\u0085",
	"\u202egnp\u202c", "\u2066x\u2069", "\u200b", "\u200f", "\ufeff", "\x9b31m", "\xff\xfe", "日本\u0301", "👩‍👩‍👧",
	"\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "\x1b[", "\x1b",
}

func TestHostileTextOfAClusterNeverReachesTheTerminal(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {200, 50}} {
		inSession(t, size.w, size.h, func(s *session) {
			for i, h := range hostile {
				s.Put(
					pod("shop", "p"+string(rune('a'+i%26))+string(rune('a'+i/26)), "worker"+h, crashing, func(p *corev1.Pod) {
						p.Name += h
						p.Labels = map[string]string{"app": h}
						p.Annotations = map[string]string{"note": h}
						p.Status.Message, p.Status.Reason = h, h
						st := &p.Status.ContainerStatuses[0]
						st.Image = h
						st.State.Waiting.Reason, st.State.Waiting.Message = "Crash"+h, h+"message"
						st.LastTerminationState.Terminated.Message = "before" + h + "after"
						st.LastTerminationState.Terminated.Reason = h
						p.Status.Conditions[0].Message = h
					}),
					node("worker"+h, pressed, func(n *corev1.Node) {
						n.Labels["node-role.kubernetes.io/"+h] = ""
						n.Status.NodeInfo.KubeletVersion, n.Status.NodeInfo.OSImage = "v1"+h, h
						n.Status.Conditions[1].Message, n.Status.Conditions[1].Reason = h, h
						n.Spec.Taints = []corev1.Taint{{Key: h, Value: h, Effect: corev1.TaintEffectNoSchedule}}
					}),
				)
			}
			s.start()
			for _, pane := range []string{"1", "2"} {
				s.Press(pane, "d")
				for range hostile {
					s.Press("esc", "j", "d", "ctrl+y")
				}
				s.Press("esc", "z", "l", "l", "l", ":", "esc", "?", "esc", "L", "esc")
			}
			if foreign := termtest.Foreign(s.Written()); foreign != "" {
				t.Error(foreign)
			}
		})
	}
}
