package ui

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"
)

// hostile is text as somebody writes it who wants to take over the terminal of whoever looks at his pod.
var hostile = []string{
	"\x1b]0;owned\x07", "\x1b]52;c;cm0gLXJmIC8K\x07", "\x1b[2J\x1b[H", "\x1b[?1049l", "\x1bc", "\x1b[6n", "\x1bP$qm\x1b\\",
	"\x1b[31;5m", "\x1b_G\x1b\\", "\r", "\n", "\b\b\b", "\x00", "\x07", "\x7f", "\u009b31m", "\u009d0;owned\u009c", "\u0085",
	"\u202egnp\u202c", "\u2066x\u2069", "\u200b", "\u200f", "\ufeff", "\x9b31m", "\xff\xfe", "日本\u0301", "👩‍👩‍👧",
	"\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "\x1b[", "\x1b",
}

// ours are the sequences that a frame of ours is made of: colours, cursor, erasing, scrolling, modes at the start and the
// end, and the questions to the terminal. Whatever else has an ESC in it came from a cluster.
var ours = regexp.MustCompile(`^\x1b(\[[0-9;:]*m` + // colours and attributes
	`|\[[0-9;]*[ABCDEFGHIJKLMPSTXZabd@\x60e]` + // cursor, erasing, inserting, scrolling, repeating
	`|\[[0-9;]*r|\[[0-9]* q` + // margins, cursor shape
	`|\[\?[0-9;]+[hl]|\[\?[0-9;]+\$p` + // modes and questions for them
	`|\[[<=>?]?[0-9;]*[uc]|\[>[0-9;]*[mq]|\[=[0-9;]*u` + // keyboard protocols, device attributes
	`|\]1[01];\?\x07|\]1[01];\?\x1b\\|\][02];ktriage [ -~]*(\x07|\x1b\\)|\]11[0-2](\x07|\x1b\\)` + // questions for colours, our title
	`|P\+q[0-9A-F;]+\x1b\\` + // questions for capabilities
	`|M|7|8|=|>)`)

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
			s.checkOurs(s.Written())
		})
	}
}

// checkOurs fails the test at the first thing written that is neither plain text nor a sequence of ours.
func (s *session) checkOurs(out string) {
	s.t.Helper()
	for i := 0; i < len(out); {
		r := rune(out[i])
		switch {
		case r == 0x1b:
			m := ours.FindString(out[i:])
			if m == "" && !strings.HasPrefix(out[i:], "\x1b]52;c;") {
				s.t.Fatalf("not a sequence of ours: %q", out[i:min(i+40, len(out))])
			}
			if m == "" {
				m = out[i : i+strings.IndexAny(out[i:], "\x07\\")+1] // what is copied, as base64
			}
			i += len(m)
			continue
		case r == '\r' || r == '\n' || r == '\b' || r == '\t':
			i++ // the renderer moves the cursor with them
			continue
		}
		i++
	}
	for i, r := range out {
		control := r < 0x20 && !strings.ContainsRune("\x1b\r\n\b\t\x07", r) || r >= 0x7f && r < 0xa0
		if control || unicode.In(r, unicode.Cf, unicode.Bidi_Control) {
			s.t.Fatalf("%U is written: %q", r, out[max(0, i-20):min(i+20, len(out))])
		}
	}
}
