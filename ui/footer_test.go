package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/keymap"
	"ktriage/kube/kubetest"
)

// lastLines gives the line over the footer, and the footer.
func (s *session) lastLines() (above, footer string) {
	lines := strings.Split(strings.TrimRight(s.Screen(), "\n"), "\n")
	return lines[len(lines)-2], lines[len(lines)-1]
}

func TestWhichKeyHintListsEverythingThatMayFollow(t *testing.T) {
	for _, size := range []struct{ w, h int }{{60, 15}, {80, 24}, {200, 50}} {
		for i, pane := range []keymap.Scope{keymap.Nodes, keymap.Pods} {
			t.Run(fmt.Sprintf("%s-%dx%d", pane, size.w, size.h), func(t *testing.T) {
				inSession(t, size.w, size.h, func(s *session) {
					s.incident(5)
					s.start()
					s.Press(fmt.Sprint(i+1), "O")
					for _, b := range s.deps.Keys.Bindings(pane) {
						for _, key := range b.Keys {
							if rest, ok := strings.CutPrefix(key, "O "); ok {
								s.sees(" " + rest + " " + b.Short)
							}
						}
					}
					if _, footer := s.lastLines(); !strings.HasSuffix(footer, "  esc cancel") {
						t.Errorf("the last line is %q", footer)
					}
					s.Press("esc")
					s.misses("esc cancel")
				})
			})
		}
	}
}

func TestWhichKeyHintThatIsTooLongEndsInAnEllipsis(t *testing.T) {
	inSession(t, 60, 15, func(s *session) {
		s.incident(5)
		s.start()
		var many []keymap.Binding
		for i := range 40 {
			many = append(many, keymap.Binding{ID: "test.many", Keys: []string{"x"}, Short: fmt.Sprintf("action %d", i)})
		}
		s.app.pending = keymap.Match{Pending: many, Prefix: keymap.Binding{Short: "do…"}}
		lines := s.app.drawWhichKey(60)
		if len(lines) != whichKeyLines || !strings.Contains(lines[2], "…") || !strings.Contains(lines[2], "esc") {
			t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
		}
	})
}

func TestToastStaysInSightOverASheetAndAPalette(t *testing.T) {
	for _, size := range []struct{ w, h int }{{60, 15}, {80, 24}} {
		inSession(t, size.w, size.h, func(s *session) {
			s.incident(5)
			s.deps.Pane = "pods"
			s.start()
			s.Press("ctrl+y", "d")
			s.sees("esc close") // what was said before the sheet was opened does not hide its keys
			s.Press("ctrl+y")
			if _, footer := s.lastLines(); !strings.Contains(footer, "copied 29 characters: shop/checkout-") {
				t.Errorf("%v: the last line is %q", size, footer)
			}
			s.Wait(toastTime)
			s.sees("esc close")
			s.Press("esc", ":")
			s.Type("history forward")
			s.Press("enter")
			if _, footer := s.lastLines(); !strings.Contains(footer, "there is nothing to go forward to") {
				t.Errorf("%v: the last line is %q", size, footer)
			}
		})
	}
}

func TestLostServerIsCutWithAnEllipsisUnderAToast(t *testing.T) {
	for _, size := range []struct{ w, h int }{{60, 15}, {80, 24}} {
		inSession(t, size.w, size.h, func(s *session) {
			s.incident(5)
			s.start()
			s.Fail(kubetest.Refused)
			s.Wait(20 * time.Second)
			s.Press("ctrl+y")
			s.sees("copied 8 characters: worker-2")
			if above, _ := s.lastLines(); !strings.HasPrefix(above, " The API server") || !strings.HasSuffix(above, "…") {
				t.Errorf("%v: the lost server is said as %q", size, above)
			}
		})
	}
}

func TestSentencesNameTheKeysOfTheTable(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		if err := s.deps.Keys.Override(map[keymap.ID][]string{
			keymap.HelpSearch: {"ctrl+s"}, keymap.EditFilter: {"ctrl+s"}, keymap.Quit: {"Q"},
			keymap.PaletteGo: {"ctrl+g"}, keymap.PaletteNext: {"ctrl+n"},
		}); err != nil {
			t.Fatal(err)
		}
		s.start()
		s.Press("?")
		s.sees("search: ctrl+s")
		s.misses("search: /")
		s.Press("ctrl+s")
		s.Type("mark")
		s.Press("enter")
		s.sees("mark a range")
		s.Press("esc", "esc", "esc")
		s.sees("nothing to go back from; Q quits")
		s.Press(":")
		s.sees("up and ctrl+n choose · ctrl+g goes")
		s.Press("esc")
		s.Resize(20, 5)
		s.sees("Q quits")
	})
}

func TestFooterOfPodsOffersForceDeleteFirstForOneThatDoesNotGo(t *testing.T) {
	leaving := func(p *corev1.Pod) {
		at, grace := ago(-20*time.Second), int64(30)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
	}
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		for name, c := range map[string]struct {
			node   string
			edits  []func(*corev1.Pod)
			offers bool
		}{
			"a pod that is well":                   {"worker-1", nil, false},
			"one that is not ready":                {"worker-1", []func(*corev1.Pod){unready}, false},
			"one that goes in time":                {"worker-1", []func(*corev1.Pod){leaving}, false},
			"one that is overdue":                  {"worker-1", []func(*corev1.Pod){terminating}, true},
			"one that is to go from a silent node": {"worker-2", []func(*corev1.Pod){leaving}, true},
			"one that is on a silent node":         {"worker-2", nil, false},
		} {
			t.Run(fmt.Sprintf("%s at %d", name, size.w), func(t *testing.T) {
				inSession(t, size.w, size.h, func(s *session) {
					s.Put(node("worker-1"), node("worker-2", silent), pod("shop", "cart-0", c.node, c.edits...))
					s.deps.Pane = "pods"
					s.start()
					if _, footer := s.lastLines(); strings.HasPrefix(footer, " X force delete") != c.offers || strings.Contains(footer, "X ") != c.offers {
						t.Errorf("the last line is %q", footer)
					}
				})
			})
		}
	}
}

func TestFooterOfCertificatesOffersNoActionWhileTheServerIsSilent(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.Put(request(t, "csr-9k2xl", "gpu-03", 112*time.Second))
		s.expires(expiring()...)
		s.Press("z")
		keys := []string{"a approve", "n renew"}
		if _, footer := s.lastLines(); !strings.Contains(footer, keys[0]) || !strings.Contains(footer, keys[1]) {
			t.Errorf("the last line is %q", footer)
		}
		s.Fail(kubetest.Refused)
		s.Wait(20 * time.Second)
		if _, footer := s.lastLines(); strings.Contains(footer, keys[0]) || strings.Contains(footer, keys[1]) ||
			!strings.HasPrefix(footer, " ctrl+r read again") || strings.Count(footer, "read again") != 1 {
			t.Errorf("the last line is %q", footer)
		}
		s.Press("C")
		if _, footer := s.lastLines(); strings.Contains(footer, "approve") || strings.Contains(footer, "deny") {
			t.Errorf("the last line is %q", footer)
		}
	})
}

func TestFooterOfNodesOffersWhatIsForMachinesThatAreGone(t *testing.T) {
	outOfService := func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute})
	}
	unready := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }
	all := []string{"N out-of-service", "D delete node", "I in service"}
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		for name, c := range map[string]struct {
			edits  []func(*corev1.Node)
			offers []string
		}{
			"a node that is well":           {nil, nil},
			"a silent one":                  {[]func(*corev1.Node){silent}, all[:2]},
			"one that is not ready":         {[]func(*corev1.Node){unready}, all[:2]},
			"a silent one that is tainted":  {[]func(*corev1.Node){silent, outOfService}, all[1:]},
			"one that is back, and tainted": {[]func(*corev1.Node){outOfService}, all[2:]},
		} {
			t.Run(fmt.Sprintf("%s at %d", name, size.w), func(t *testing.T) {
				inSession(t, size.w, size.h, func(s *session) {
					s.Put(node("worker-1", c.edits...), pod("shop", "cart-0", "worker-1"))
					s.start()
					_, footer := s.lastLines()
					for _, key := range all {
						if strings.Contains(footer, key) != slices.Contains(c.offers, key) {
							t.Errorf("the last line is %q, want %q in it", footer, c.offers)
						}
					}
					s.Press("2")
					for _, key := range all {
						s.misses(key) // of a pod it is not said
					}
				})
			})
		}
	}
}
