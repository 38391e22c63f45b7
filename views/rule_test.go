package views

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ktriage/keymap"
	"ktriage/kube"
)

// rule is the first line of a pane of that width.
func rule(v View, w int, f Frame) string {
	line, _, _ := strings.Cut(plainText(drawn(v, Size{w, 10}, f)), "\n")
	return line
}

// How far the rows can be believed is said on any screen; where they stand gives way first.
func TestRuleKeepsTheStateOfItsRowsBeforeTheirPosition(t *testing.T) {
	const filter = "shop a-rather-long-word-to-look-for"
	for name, want := range map[string]struct {
		wide, narrow string // of the right end, with room and without
	}{
		"stale":     {" stale · 1-6 of 6 › ━", " stale ━"},
		"some read": {" loading · 1-6 of 6 › ━", " loading ━"},
		"live":      {" badness · 1-6 of 6 › ━", ""},
	} {
		v, f := podsPane()
		fr := frame()
		states[name](&f.state, &fr)
		f.publish(v)
		for _, w := range []int{55, 60, 80} {
			if got := rule(v, w, fr); !strings.HasSuffix(got, want.wide) {
				t.Errorf("%s, %d columns: %q, want %q", name, w, got, want.wide)
			}
		}
		v.Handle(Go{Place{Pane: "pods", Filter: filter, Pin: Pin{"node", "worker-1234.example.com"}}})
		f.publish(v)
		fr.Alone, fr.Chip = false, "3 Pods"
		for _, w := range []int{55, 60, 80} {
			if got := rule(v, w, fr); !strings.HasSuffix(got, want.narrow) || strings.Contains(got, "1-6") {
				t.Errorf("%s, %d columns: %q, want %q", name, w, got, want.narrow)
			}
		}
		// While a filter is typed the word stands as well.
		fr.Input = &Input{Before: strings.Repeat(filter+" ", 2)}
		for _, w := range []int{55, 60, 80} {
			if got := rule(v, w, fr); !strings.HasSuffix(got, want.narrow) {
				t.Errorf("%s, %d columns, typing: %q, want %q", name, w, got, want.narrow)
			}
		}
	}
}

func TestPositionShortensBeforeTheTitleIsCut(t *testing.T) {
	v, f := podsPane()
	v.Handle(Query{"!nothing-that-is-here"})
	f.publish(v)
	for w, want := range map[int]string{80: "━ badness · 1-6 of 6 › ━", 55: "━ 1-6 of 6 › ━", 40: "━━━━"} {
		got := rule(v, w, frame())
		if !strings.HasSuffix(got, want) || !strings.HasPrefix(got, "━ 6 of 6  / !nothing-that-is-here ━") {
			t.Errorf("%d columns: %q, want %q at its end", w, got, want)
		}
	}
}

// TestCaretsStandBelowTheFault looks where the rule shows the quote that is not closed.
func TestCaretsStandBelowTheFault(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, _ := podsPane()
		line := strings.Repeat("x", rapid.IntRange(0, 70).Draw(t, "before")) + ` "` +
			strings.Repeat("y", rapid.IntRange(0, 70).Draw(t, "behind"))
		v.Handle(Query{line})
		f := frame()
		f.Alone, f.Chip = rapid.Bool().Draw(t, "alone"), "3 Pods"
		cursor := rapid.IntRange(0, len(line)).Draw(t, "cursor")
		f.Input = &Input{line[:cursor], line[cursor:]}
		w := rapid.IntRange(20, 160).Draw(t, "width")
		out := strings.SplitN(plainText(drawn(v, Size{w, 10}, f)), "\n", 3)
		quote, caret := strings.Index(cellsOf(out[0]), `"`), strings.Index(cellsOf(out[1]), "^")
		field := strings.Index(cellsOf(out[0]), " ") + 1
		if !f.Alone {
			field = strings.Index(cellsOf(out[0]), "Pods") + len("Pods") + 4
		}
		switch {
		case quote >= 0 && caret != quote:
			t.Errorf("the quote is in column %d, the carets in %d:\n%s\n%s", quote, caret, out[0], out[1])
		case caret < field:
			t.Errorf("the carets in column %d are not below the field:\n%s\n%s", caret, out[0], out[1])
		}
		if !strings.Contains(out[1], "the q") && w > 40 {
			t.Errorf("the reason is lost:\n%s\n%s", out[0], out[1])
		}
	})
}

func TestCaretsByExample(t *testing.T) {
	for _, c := range []struct {
		typed string
		w     int
		want  string
	}{
		{`web "abc`, 80, `        ^^^^ the quote at 5 is not closed`},
		{`web ! api`, 80, `        ^ ! stands before the word that must not occur`},
		{strings.Repeat("x", 40) + ` "a`, 60, strings.Repeat(" ", 15) + "the quote at 42 is not closed ^^"},
		{`"` + strings.Repeat("x", 80), 60, "  ^^^^^^^^ the quote at 1 is not closed"},
	} {
		v, _ := podsPane()
		v.Handle(Query{c.typed})
		f := frame()
		f.Input = &Input{Before: c.typed}
		out := strings.SplitN(plainText(drawn(v, Size{c.w, 10}, f)), "\n", 3)
		if got := strings.TrimRight(out[1], " "); got != c.want {
			t.Errorf("got\n%s\n%s\nwant\n%s", out[0], got, c.want)
		}
	}
}

// What a sentence says of a key must be what the key does, under the name that it has now.
func TestSentencesNameTheKeysAndWhatTheyDo(t *testing.T) {
	m := keymap.Default()
	err := m.Override(map[keymap.ID][]string{keymap.ReadAgain: {"ctrl+e"}, keymap.EditFilter: {"f5"}})
	if err != nil {
		t.Fatal(err)
	}
	fr := frame()
	fr.Key = m.Key
	says := func(t *testing.T, v View, f Frame, want string) {
		t.Helper()
		out := plainText(drawn(v, Size{100, 10}, f))
		for line := range strings.SplitSeq(out, "\n") {
			if strings.TrimSpace(line) == want {
				return
			}
		}
		t.Errorf("%q is not there:\n%s", want, out)
	}
	for name, want := range map[string]string{
		"denied": "needed: list and watch pods · ctrl+e asks again", "failed": "ctrl+e asks again",
		"not loaded": "It is tried again all the time; ctrl+e tries now.",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed[*kube.Pod](beside())
			now := fr
			states[name](&f.state, &now)
			v := NewPods(f, nil)
			f.publish(v)
			says(t, v, now, want)
		})
	}
	for _, c := range []struct {
		place Place
		mark  bool
		typed bool
		want  string
		does  string // what is left after the key
	}{
		{Place{Filter: "none"}, false, false, "esc clears the filter   f5 changes it", ""},
		{Place{Filter: "none"}, false, true, "esc clears the filter", ""},
		{Place{Filter: "none"}, true, false, "esc takes the marks away   f5 changes it", "none"},
		{Place{Filter: "none", Pin: Pin{"node", "worker-01"}}, false, false, "esc clears the filter   f5 changes it", ""},
		{Place{Pin: Pin{"node", "worker-99"}}, false, false, "esc goes back", ""},
		{Place{Pin: Pin{"node", "worker-99"}}, true, false, "esc takes the marks away", ""},
	} {
		t.Run(fmt.Sprint(c.place, c.mark, c.typed), func(t *testing.T) {
			v, f := podsPane()
			if c.mark {
				press(v, keymap.Mark)
			}
			v.Handle(Go{c.place})
			f.publish(v)
			now := fr
			if c.typed {
				now.Input = &Input{Before: "none"}
			}
			says(t, v, now, c.want)
			if c.typed {
				return // the screen's key then
			}
			up := press(v, keymap.Back)
			equal(t, v.Place().Filter, c.does)
			equal(t, len(up) == 1, strings.Contains(c.want, "goes back"))
		})
	}
}
