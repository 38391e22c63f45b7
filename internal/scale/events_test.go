package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/google/go-cmp/cmp"
)

// eventScreen is a screen of the Events pane: a head, rows, and the rule above the strip.
func eventScreen(t *testing.T, head string, rows []string, strip string) screen {
	t.Helper()
	e := vt.NewEmulator(90, rowLine+belowRow+len(rows))
	lines := slices.Concat([]string{" header ● live", " tabs", head, " LAST COUNT REASON"}, rows, []string{strip, "", "", " footer"})
	if _, err := e.Write([]byte(strings.Join(lines, "\r\n"))); err != nil {
		t.Fatal(err)
	}
	return screen{e}
}

func TestTheHeadOfTheEventsPaneIsRead(t *testing.T) {
	for head, want := range map[string][2]int{
		"━ 13 groups, 149 events since 16:18 ━━━ warnings+normal · live › ━": {13, 149},
		"━ 1-30 of 450 groups, 301,204+ events since 16:18 ━━━━━━ live › ━":  {450, 301204},
		"━ 1 group, 1 event since 16:18 ━━━━━━━━":                            {1, 1},
		"━ pods · not ok of 15,000 ━━━":                                      {0, 0},
	} {
		groups, events := saidOn(eventScreen(t, head, nil, ""))
		if got := [2]int{groups, events}; got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

func TestGroupsAreReadByTheirPlaceSoThatTwoPagesMayOverlap(t *testing.T) {
	rows := []string{
		"▌▲    4s   x57 BackOff             40 pods of svc-001-7d9f8c6b5 back-off",
		" ▲   31s x1,209+ FailedScheduling  pod search/indexer-5 0/150 nodes",
		" ·   41s   x15 Started             3 pods of …7d9f8c6b5 Started container app x99 y",
	}
	seen := map[int]group{}
	collect(eventScreen(t, "━ 3 groups, 1,281 events ━━ 1-3 of 4 ━", rows, ""), seen)
	collect(eventScreen(t, "━ 3 groups, 1,281 events ━━ 3-4 of 4 ━", []string{rows[2], " ·  9m    x1 Pulled  pod a/b c"}, ""), seen)
	want := map[int]group{1: {"BackOff", 57}, 2: {"FailedScheduling", 1209}, 3: {"Started", 15}, 4: {"Pulled", 1}}
	if diff := cmp.Diff(want, seen, cmp.AllowUnexported(group{})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheCursorIsOnIsReadWithoutItsCounts(t *testing.T) {
	s := eventScreen(t, "", nil, "─ 3 pods of rs/checkout-7d9f8c6b5 ───────────── x57 over 3m38s ─")
	if got := subject(s); got != "3 pods of rs/checkout-7d9f8c6b5" {
		t.Errorf("got %q", got)
	}
}

func TestGroupsThatDifferFromWhatWasWrittenAreNamed(t *testing.T) {
	want := groupCounts{{"BackOff", "shop", "a"}: 7, {"BackOff", "shop", "b"}: 7, {"Pulled", "shop", "a"}: 3}
	if got := compareGroups(want, []group{{"Pulled", 3}, {"BackOff", 7}, {"BackOff", 7}}); len(got.wrong) > 0 || got.wanted != 3 || got.shown != 3 {
		t.Errorf("the same groups differ: %+v", got)
	}
	got := compareGroups(want, []group{{"Pulled", 3}, {"BackOff", 7}, {"BackOff", 6}})
	if diff := cmp.Diff([]string{"BackOff x6: +1", "BackOff x7: -1"}, got.wrong); diff != "" {
		t.Error(diff)
	}
}

func TestStormsAddUp(t *testing.T) {
	r := stormReport{Written: 5}
	r.Counts = append(r.Counts, struct {
		Reason, Type, Namespace, Owner string
		Count, Objects, Pods           int
	}{Reason: "BackOff", Namespace: "shop", Owner: "a", Count: 5})
	g := groupCounts{}
	g.add(r)
	g.add(r)
	if g.total() != 10 || len(g) != 1 {
		t.Errorf("%v", g)
	}
}

func TestThePartAboutEventsIsReplacedAndTheRestStays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "performance.md")
	r := report{all: []*figures{{stormed: []stormed{{where: "here", rate: 5000, written: 9, shown: 9, keys: make([]keyed, 2), untouched: spent{span: time.Second}}}}}}
	if err := os.WriteFile(name, []byte("# Performance\n\nabove\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, commit := range []string{"first", "second"} {
		r.machine.commit = commit
		if err := r.writeEvents(name); err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(old, "below\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for want, times := range map[string]int{"above\n": 1, "below\n": 2, "## Events\n": 1, "built from first": 0, "built from second": 1} {
		if got := strings.Count(string(text), want); got != times {
			t.Errorf("%q is there %d times, not %d:\n%s", want, got, times, text)
		}
	}
}
