package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube/kubetest"
	"ktriage/themes"
)

// under gives the line of the row under the cursor of the focused pane, from the cursor on.
func (s *session) under() string {
	for l := range strings.SplitSeq(s.Screen(), "\n") {
		if _, row, ok := strings.Cut(l, "▌"); ok {
			return row
		}
	}
	return ""
}

func (s *session) isUnder(name string) {
	s.t.Helper()
	if !strings.Contains(s.under(), name) {
		s.t.Errorf("under the cursor: %q, want %s", s.under(), name)
	}
}

func TestCursorStaysOnItsObjectWhileRowsMove(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(30)
		s.deps.Pane = "pods"
		s.start()
		s.Press("j", "j", "j", "j", "j", "j", "j")
		s.isUnder("batch/job-0002")
		s.Put(pod("batch", "job-0000", "worker-1", crashing), pod("aaa", "new", "worker-1", crashing))
		s.Wait(time.Second)
		s.isUnder("batch/job-0002")
		s.Put(pod("batch", "job-0002", "worker-1", crashing))
		s.Wait(time.Second)
		s.isUnder("batch/job-0002")
		s.Delete(pod("batch", "job-0002", "worker-1"))
		s.Wait(time.Second)
		if s.under() == "" {
			t.Errorf("no row is under the cursor after its object went:\n%s", s.Screen())
		}
	})
}

func TestMovingByRowsPagesAndEnds(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(60)
		s.deps.Pane = "pods"
		s.start()
		s.isUnder("checkout")
		for _, step := range []struct{ key, under string }{
			{"j", "search"}, {"down", "ledger-0"}, {"k", "search"}, {"up", "checkout"}, {"k", "checkout"},
			{"pgdown", "job-0011"}, {"ctrl+b", "checkout"}, {"G", "ledger-1"}, {"j", "ledger-1"},
			{"home", "checkout"}, {"end", "ledger-1"}, {"g", "checkout"},
		} {
			s.Press(step.key)
			if !strings.Contains(s.under(), step.under) {
				t.Errorf("%s: under the cursor: %q, want %s", step.key, s.under(), step.under)
			}
		}
	})
}

func TestFilterNarrowsAsItIsTyped(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("/")
		s.Type("pay q")
		s.sees("/ pay q")
		s.misses("checkout")
		s.Press("backspace", "backspace")
		s.sees("pay/ledger-0", "pay/ledger-1")
		s.misses("checkout", "job-00")
		s.Press("enter", "j")
		s.isUnder("ledger-1")
		s.sees("/ pay")
		s.Press("esc")
		s.sees("checkout")
		s.isUnder("ledger-1")

		s.Press("/")
		s.Type("!job")
		s.misses("job-00")
		s.Press("ctrl+u")
		s.sees("job-00")
		s.Press("esc")
		if s.app.quit {
			t.Error("typing in the filter has quit the program")
		}
	})
}

func TestPastedTextReachesTextFieldsOnly(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(30)
		s.deps.Pane = "pods"
		s.start()
		s.Paste("q\rjjj\x1b[31m")
		s.sees("pasted text was ignored")
		s.isUnder("checkout")
		s.Press("/")
		s.Paste("ledger\n-0\x1b]0;x\x07")
		s.misses("checkout")
		if v := s.app.input.value(); strings.ContainsAny(v, "\n\x1b\x07") || !strings.HasPrefix(v, "ledger") {
			t.Errorf("the filter is %q", v)
		}
	})
}

func TestDrillDownToPodsAndBack(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("j", "j", "j", "enter")
		s.sees("worker-1", "pay/ledger-1")
		s.misses("cart-0", "proxy-worker-2", "search")
		s.Press("j", "o")
		s.isUnder("worker-1")
		s.Press("[")
		s.sees("pay/ledger-1")
		s.Press("[")
		s.isUnder("worker-1")
		s.sees("NotReady(Unknown)")
		s.Press("]")
		s.sees("pay/ledger-1")
		s.misses("cart-0")
		s.Press("esc")
		s.isUnder("worker-1")
		s.sees("NotReady(Unknown)")
		s.Press("2")
		s.sees("cart-0") // the pane is no longer narrowed
		s.Press("1", "esc", "esc", "esc")
		s.sees("nothing to go back from")
	})
}

func TestSortingAndItsReverse(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(30)
		s.deps.Pane = "pods"
		s.start()
		s.Press("O")
		s.sees("sort by", "esc cancel")
		s.Press("esc")
		s.misses("esc cancel")
		s.Press("O", "n", "g")
		s.isUnder("batch/job-0000")
		s.Press("O", "n", "g")
		s.isUnder("shop/search")
		s.Press("O", "r", "g")
		s.isUnder("checkout")
		s.Press("O", "h", "g")
		s.isUnder("checkout")
	})
}

func TestMarksAreKeptWhileAFilterHidesThem(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(10)
		s.deps.Pane = "pods"
		s.start()
		s.Press("space", "j", "space")
		s.sees("2 marked")
		s.Press("/")
		s.Type("job")
		s.Press("enter")
		s.sees("2 marked", "not shown")
		s.Press("esc", "esc")
		s.misses("marked")
	})
}

func TestPaletteRunsCommandsAndFindsObjects(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(30)
		s.start()
		s.Press(":")
		s.Type("pods")
		s.Press("enter")
		s.isUnder("checkout")
		s.Press(":")
		s.Type("ledger-1")
		s.Press("enter")
		s.isUnder("ledger-1")
		s.Press(":")
		s.Type("no such thing at all")
		s.Press("enter", "esc")
		s.isUnder("ledger-1")
		s.Press(":")
		s.Type("quit")
		s.Press("enter")
		s.Wait(time.Second)
		if s.AltScreen() {
			t.Errorf("the palette does not quit:\n%s", s.Screen())
		}
	})
}

func TestFrozenScreenHoldsStillAndCatchesUp(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("F")
		s.sees("frozen at")
		before := s.Screen()
		s.Put(pod("aaa", "new", "worker-1", crashing))
		s.Wait(3 * time.Minute)
		if got := s.Screen(); got != before {
			t.Errorf("the frozen screen has changed:\n%s", got)
		}
		s.Press("j")
		s.isUnder("search")
		s.Press("F")
		s.sees("aaa/new")
	})
}

func TestEveryKeyOfEveryFooterIsInTheTable(t *testing.T) {
	m := keymap.Default()
	for scope, ids := range footers {
		for _, id := range ids {
			b, ok := m.Lookup(id)
			if !ok || len(b.Keys) == 0 {
				t.Errorf("the footer of %s names %q, which has no key", scope, id)
			} else if !slices.Contains(scope.Path(), b.Scope) {
				t.Errorf("the footer of %s names %q, which does not count there", scope, id)
			}
		}
	}
}

func TestEveryBindingOfTheTableDoesSomething(t *testing.T) {
	quiet := []keymap.ID{
		keymap.Interrupt, keymap.Quit, keymap.Suspend, // they end or stop the program
		keymap.SortBy,  // waits for more
		keymap.OpenRow, // what it does stands in the scopes inside
	}
	for _, b := range keymap.Default().Bindings(keymap.App, keymap.Table, keymap.Nodes, keymap.Pods, keymap.Always) {
		if slices.Contains(quiet, b.ID) {
			continue
		}
		t.Run(string(b.ID), func(t *testing.T) {
			inSession(t, 100, 30, func(s *session) {
				s.incident(60)
				s.deps.Pane = "pods"
				if b.Scope == keymap.Nodes {
					s.deps.Pane = "nodes"
				}
				s.start()
				s.Press("2", "1", "[")      // there is a history in both directions
				s.Press("pgdown", "j", "l") // there is room to move in every direction
				if b.ID == keymap.MarkRange {
					s.Press("space", "j")
				}
				if b.Scope == keymap.Nodes {
					s.Press("1")
				} else if b.ID != keymap.HistoryForward {
					s.Press("2")
				}
				if b.ID == keymap.PaneID(2) {
					s.Press("1")
				}
				before, _ := s.Screen(), s.Written()
				s.Press(strings.Fields(b.Keys[0])...)
				if s.Screen() == before && s.Written() == "" {
					t.Errorf("%s changes nothing and says nothing", b.Keys[0])
				}
			})
		})
	}
}

// why gives the reason for which a key is off. The key that is pressed then gives the model back to the program.
func (s *session) why(b keymap.Binding) string {
	why := s.app.why(b)
	s.Press("k")
	return why
}

func TestDestructiveKeysAreOffWhileTheScreenIsOld(t *testing.T) {
	danger := keymap.Binding{ID: "test.danger", Danger: true}
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		if why := s.why(danger); why != "" {
			t.Errorf("off while all is live: %s", why)
		}
		s.Fail(kubetest.Refused)
		s.Wait(12 * time.Second)
		if why := s.why(danger); !strings.Contains(why, "actions are off until the API server answers") {
			t.Errorf("the server is gone: %q", why)
		}
		s.Fail(nil)
		s.Wait(5 * time.Second)
		if why := s.why(danger); why != "" {
			t.Errorf("off although the server is back: %s", why)
		}
		s.Fail(kubetest.Answer(forbidden, "/api/v1/nodes"))
		s.Wait(time.Minute)
		if why := s.why(danger); !strings.Contains(why, "actions are off until the rows can be read again") {
			t.Errorf("the nodes cannot be read any more: %q", why)
		}
		s.Fail(nil)
		s.Wait(5 * time.Second)
		s.app.readOnly = true
		if why := s.why(danger); !strings.Contains(why, "--read-only") {
			t.Errorf("read-only: %q", why)
		}
	})
}

func TestKeyThatIsOffIsGreyInFooterAndHelp(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		l := newLine(s.app.paint, 40)
		s.app.hint(l, keymap.Binding{ID: "test.danger", Keys: []string{"D"}, Short: "drain", Danger: true})
		lit := l.String()
		s.Fail(kubetest.Refused)
		s.Wait(12 * time.Second)
		l = newLine(s.app.paint, 40)
		s.app.hint(l, keymap.Binding{ID: "test.danger", Keys: []string{"D"}, Short: "drain", Danger: true})
		grey := l.String()
		if lit == grey || !strings.Contains(grey, s.app.paint.Open(themes.Border, themes.Plain)) {
			t.Errorf("lit %q, grey %q", lit, grey)
		}
	})
}

func TestFilterThatCannotBeReadStaysInItsField(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("/")
		s.Type(`"pay`)
		s.Press("enter")
		s.sees("quote at 1 is not closed", `/ "pay`, "enter keep")
		s.Type(`"`)
		s.Press("enter")
		s.sees(`2 of 11  / "pay"`, "sort by")
		s.Press("/", "backspace", "esc")
		s.sees("5 not ok of 11")
	})
}

func TestPastedNameWithItsLineEndIsFound(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("/")
		s.Paste(" \tworker-1\r\n")
		s.Press("enter")
		s.sees("1 of 4  / worker-1")
		s.isUnder("worker-1")
	})
}

func TestOnlyTheFocusedPaneSaysThatItsObjectHasGone(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("2", "j", "1")
		s.Delete(pod("shop", "search-5f6d7c8b9-abcde", ""))
		s.Wait(time.Second)
		s.misses("is gone", "shop/search")
		s.sees("kubelet silent")
		s.Press("2", "j")
		s.isUnder("cart-0")
		s.Delete(pod("shop", "cart-0", "worker-2"))
		s.Wait(time.Second)
		s.sees("pod shop/cart-0 is gone")
	})
}

func TestKeysTypedInOneGoMeetTheRowsTheyAreMeantFor(t *testing.T) {
	for name, c := range map[string]struct{ typed, want string }{
		"filter, then details":            {"2/ledger-0\rd", "pod pay/ledger-0"},
		"a node's pods, down, mark":       {"1\rj ", "1 marked"},
		"sort, then the last row":         {"2OnGd", "pod shop/search"},
		"details, closed, and a filter":   {"2/ledger-0\rdq/\x15search\r", "/ search"},
		"filter cleared, then another":    {"2/nothing\r/\x15search\rd", "pod shop/search"},
		"what the list cannot answer yet": {"2/ledger-0\r?", "Keys for"},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.incident(5)
				s.start()
				s.Send(c.typed)
				s.Wait(2 * time.Second)
				s.sees(c.want)
				s.misses("still being looked for")
			})
		})
	}
}

func TestWhatWasSaidOfOneKeyGoesWithTheNext(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("esc")
		s.sees("nothing to go back from")
		s.Press("j")
		s.misses("nothing to go back from")
		s.sees("Insufficient cpu")
	})
}

func TestSortingShowsWhatComesFirst(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(30)
		s.deps.Pane = "pods"
		s.start()
		s.Press("G", "O", "n")
		s.isUnder("batch/job-0000")
		s.Press("G", "O", "n")
		s.isUnder("shop/search")
		s.sees("name reversed · 1-")
		s.Press("O", "c")
		s.sees("CPU u/r↓")
	})
}

func TestLeavingTheFilterGoesBackToTheRowItBeganAt(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("j", "j")
		s.isUnder("pay/ledger-0")
		s.Press("/")
		s.Type("job")
		s.isUnder("batch/job-0000")
		s.Press("esc")
		s.isUnder("pay/ledger-0")
		s.sees("5 not ok of 11")
	})
}

func TestKeyOfThePaneSaysThatTheSheetMustBeClosedFirst(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("d", ":")
		s.sees("esc closes this first", "node worker-2")
		s.Press("esc")
		s.misses("closes this first")
	})
}

func TestEscAndAKeyInOneGoAreTwoKeys(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.deps.Pane = "pods"
		s.start()
		s.Press("space")
		s.Send("\x1b/checkout\r")
		s.Wait(time.Second)
		s.misses("marked")
		s.sees("1 of 11  / checkout")
	})
}

func TestHelpSearchFindsKeys(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(5)
		s.start()
		s.Press("?", "/")
		s.Type("mark")
		s.sees("mark a range", "invert marks")
		s.misses("next pane", "zoom")
	})
}
