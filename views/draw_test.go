package views

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func plainText(s string) string { return ansi.Strip(s) }

// cellsOf replaces every character by one byte, so that an index is a cell. The text has narrow characters only.
func cellsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7e {
			return '.'
		}
		return r
	}, s)
}

// checkRectangle measures what a pane drew, and lets the renderer draw it as well: each line must be as wide as it says
// and leave no colour behind.
func checkRectangle(t interface{ Errorf(string, ...any) }, out string, s Size) {
	lines := strings.Split(out, "\n")
	if len(lines) != s.H {
		t.Errorf("%d lines, want %d:\n%s", len(lines), s.H, plainText(out))
		return
	}
	for y, line := range lines {
		if w := ansi.StringWidth(line); w != s.W || ansi.StringWidthWc(line) != w {
			t.Errorf("line %d has %d cells, %d by characters, want %d: %q", y, w, ansi.StringWidthWc(line), s.W, line)
		}
		screen := uv.NewScreenBuffer(s.W+1, 1)
		uv.NewStyledString(line+"|").Draw(screen, screen.Bounds())
		if c := screen.CellAt(s.W, 0); c.Content != "|" || !c.Style.IsZero() {
			t.Errorf("behind line %d there is %+v: %q", y, c, line)
		}
	}
}

var forbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "",
	errors.New("user \"bob\" cannot list resource \"pods\""))

// states are those in which a pane can be, with what brings it there.
var states = map[string]func(*kube.State, *Frame){
	"live":       func(*kube.State, *Frame) {},
	"loading":    func(s *kube.State, _ *Frame) { s.Phase = kube.Loading },
	"some read":  func(s *kube.State, _ *Frame) { s.Phase, s.Seen = kube.Loading, 12_400 },
	"not loaded": func(s *kube.State, _ *Frame) { s.Phase, s.Err = kube.Loading, errors.New("connection refused") },
	"denied":     func(s *kube.State, _ *Frame) { s.Phase, s.Err = kube.Denied, forbidden },
	"failed": func(s *kube.State, _ *Frame) {
		s.Phase, s.Err = kube.Failed, errors.New("the server could not find it")
	},
	"stale": func(s *kube.State, _ *Frame) { s.Phase, s.Since = kube.Stale, noon.Add(-time.Minute) },
	"no heartbeat": func(_ *kube.State, f *Frame) {
		f.Health = kube.Health{Known: true, LastContact: noon.Add(-time.Minute)}
	},
}

func TestPanesAreExactRectanglesInEveryState(t *testing.T) {
	for name, enter := range states {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rows := rapid.IntRange(0, 6).Draw(t, "rows")
				nodeFeed, podFeed := newFeed(beside(), nodes()[:rows]...), newFeed(beside(), pods()[:rows]...)
				f := drawFrame(t)
				enter(&nodeFeed.state, &f)
				enter(&podFeed.state, &f)
				for v, publish := range map[View]func(View) []Effect{
					NewNodes(nodeFeed, nil): nodeFeed.publish, NewPods(podFeed, nil): podFeed.publish,
				} {
					publish(v)
					v.Handle(Query{rapid.SampledFrom([]string{"", "", "web", "none such", `"`, "!日本"}).Draw(t, "filter")})
					press(v, rapid.SampledFrom([]keymap.ID{keymap.Down, keymap.Mark, keymap.ColumnsRight, keymap.Last}).Draw(t, "key"))
					publish(v)
					size := Size{rapid.IntRange(20, 200).Draw(t, "width"), rapid.IntRange(1, 50).Draw(t, "height")}
					checkRectangle(t, drawn(v, size, f), size)
				}
			})
		})
	}
}

// drawFrame is a frame on any terminal, with or without company.
func drawFrame(t *rapid.T) Frame {
	f := frame()
	f.Focused, f.Alone = rapid.Bool().Draw(t, "focused"), rapid.Bool().Draw(t, "alone")
	f.Chip = "3 Pods"
	if rapid.Bool().Draw(t, "typing") {
		f.Input = &Input{Before: rapid.SampledFrom([]string{"", `"`, "web", "a long filter with many words in it", "日本語のフィルタ"}).Draw(t, "input")}
	}
	f.Paint = themes.Compile(rapid.SampledFrom(themes.Builtin()).Draw(t, "theme"), themes.Options{
		Profile: rapid.SampledFrom([]colorprofile.Profile{colorprofile.ASCII, colorprofile.ANSI, colorprofile.TrueColor}).Draw(t, "profile"),
		Dark:    true, UTF8: rapid.Bool().Draw(t, "UTF-8"),
	})
	return f
}

func TestPanesBeforeTheFirstSnapshotAreRectangles(t *testing.T) {
	for _, size := range []Size{{20, 5}, {80, 24}, {200, 50}} {
		checkRectangle(t, drawn(NewPods(newFeed[*kube.Pod](kube.Moment{}), nil), size, frame()), size)
		checkRectangle(t, drawn(NewNodes(newFeed[*kube.Node](kube.Moment{}), nil), size, frame()), size)
	}
}

// That none exist, none match, none may be seen, none have been read and none can be had are different things.
func TestEveryKindOfEmptinessHasItsOwnWords(t *testing.T) {
	for name, c := range map[string]struct {
		enter      func(*kube.State, *Frame)
		rows       int
		filter     string
		next       string   // is asked then, and not answered
		head, tail string   // of the rule
		body       []string // in this order
	}{
		"none exist": {enter: states["live"], head: "none", tail: "live",
			body: []string{"No pods here.", "The list is complete and you may read it; there are none."}},
		"none match": {enter: states["live"], rows: 6, filter: "nginx", head: "none of 6 match  / nginx", tail: "live",
			body: []string{"No pod matches  nginx", "esc clears the filter   / changes it"}},
		"still looked for": {enter: states["live"], rows: 6, filter: "nginx",
			head: "none of 6 match  / nginx", tail: "live", next: "web", body: []string{"Looking…"}},
		"denied": {enter: states["denied"], head: "no access", tail: "denied",
			body: []string{"You may not list pods. The server says:", "bob", "needed: list and watch pods"}},
		"loading": {enter: states["loading"], head: "loading 0…", tail: "loading",
			body: []string{"Reading pods…", "Rows appear as they arrive."}},
		"some read": {enter: states["some read"], head: "loading 12,400…", tail: "loading",
			body: []string{"Nothing to show yet: 12,400 pods read, 0 match so far.", "not complete"}},
		"not loaded": {enter: states["not loaded"], head: "not loaded", tail: "loading",
			body: []string{"Connection refused.", "It is tried again all the time; ctrl+r tries now."}},
		"failed": {enter: states["failed"], head: "not there", tail: "failed",
			body: []string{"The server has no pods: The server could not find it.", "ctrl+r asks again"}},
		"stale": {enter: states["stale"], head: "none as of 11:59:00", tail: "stale", body: []string{"No pods here."}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(beside(), pods()[:c.rows]...)
			fr := frame()
			c.enter(&f.state, &fr)
			v := NewPods(f, nil)
			v.Handle(Query{c.filter})
			f.publish(v)
			if c.next != "" {
				v.Handle(Query{c.next})
			}
			lines := strings.Split(plainText(drawn(v, Size{90, 10}, fr)), "\n")
			if got := strings.Trim(lines[0], "━ "); !strings.HasPrefix(got, c.head+" ━") || !strings.HasSuffix(got, "━ "+c.tail) {
				t.Errorf("the rule is %q, want %q … %q", got, c.head, c.tail)
			}
			body := strings.Join(lines[1:], "\n")
			for _, want := range c.body {
				_, rest, found := strings.Cut(body, want)
				if !found {
					t.Fatalf("%q is not there, or not behind the others:\n%s", want, strings.Join(lines, "\n"))
				}
				body = rest
			}
		})
	}
}

func TestRowsThatAreNotLiveAreCalledSo(t *testing.T) {
	for name, want := range map[string]string{
		"stale": "stale · 1-6 of 6", "no heartbeat": "stale · 1-6 of 6", "live": "badness · 1-6 of 6", "some read": "loading · 1-6 of 6",
	} {
		v, f := podsPane()
		fr := frame()
		states[name](&f.state, &fr)
		f.publish(v)
		head, _, _ := strings.Cut(plainText(drawn(v, Size{100, 10}, fr)), "\n")
		if !strings.Contains(head, want) {
			t.Errorf("%s: the rule is %q, want %q in it", name, head, want)
		}
		if asOf := strings.Contains(head, "as of 11:59:00"); asOf != strings.HasPrefix(want, "stale") {
			t.Errorf("%s: the rule is %q", name, head)
		}
	}
}

func TestAPaneNamesItselfOnlyInCompany(t *testing.T) {
	v, _ := nodesPane()
	f := frame()
	f.Chip = "2 Nodes"
	if head := plainText(drawn(v, Size{80, 3}, f)); strings.Contains(head, "2 Nodes") {
		t.Errorf("alone it is %q", head)
	}
	f.Alone = false
	if head := plainText(drawn(v, Size{80, 3}, f)); !strings.HasPrefix(head, "━ 2 Nodes ━━ 4 of 6 ready, 1 cordoned ━") {
		t.Errorf("in company it is %q", head)
	}
	f.Focused = false
	if head := plainText(drawn(v, Size{80, 3}, f)); !strings.HasPrefix(head, "─ 2 Nodes ──") {
		t.Errorf("without the focus it is %q", head)
	}
}

func TestRowsShowWhatTheDesignShows(t *testing.T) {
	v, _ := podsPane()
	lines := strings.Split(plainText(drawn(v, Size{80, 8}, frame())), "\n")
	for i, want := range []string{
		"━ 3 not ok of 6 ━",
		"   NAMESPACE/NAME                READY STATUS           RESTARTS   AGE NODE",
		"▌■ shop/checkout                   0/1 CrashLoopBackOff  4 (41s)   19h worker-02",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	v, _ = nodesPane()
	lines = strings.Split(plainText(drawn(v, Size{80, 8}, frame())), "\n")
	if want := "▌■ worker-07"; !strings.HasPrefix(lines[2], want) || !strings.Contains(lines[2], "NotReady(Unknown)") {
		t.Errorf("the first node is %q", lines[2])
	}
}

func TestRulesAreAsWideAsTheyAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "x", "worst first · 1-17 of 150", "日本語のタイトル", strings.Repeat("long ", 30)})
		r := Rule{
			Heavy: rapid.Bool().Draw(t, "heavy"), Left: word.Draw(t, "left"), Right: []string{word.Draw(t, "right"), word.Draw(t, "shorter")},
			Keep: rapid.Bool().Draw(t, "keep"), RightToken: themes.Bad,
			Chip: rapid.SampledFrom([]string{"", "2 Nodes"}).Draw(t, "chip"),
		}
		if rapid.Bool().Draw(t, "typing") {
			r.Input = &Input{Before: word.Draw(t, "before"), After: word.Draw(t, "after")}
		}
		w := rapid.IntRange(1, 200).Draw(t, "width")
		var b strings.Builder
		r.Draw(&b, w, painter())
		checkRectangle(t, b.String(), Size{w, 1})
		said := func(s string) bool { return strings.Contains(plainText(b.String()), " "+s+" ") }
		if w >= 20 && r.Keep && r.Right[1] == "x" && !said("x") && !said(r.Right[0]) {
			t.Errorf("the state is lost: %q", plainText(b.String()))
		}
	})
}

func BenchmarkPods80x24(b *testing.B) {
	f := newFeed[*kube.Pod](beside())
	for i := range 5000 {
		f.rows = append(f.rows, pod("shop", fmt.Sprintf("web-%04d", i), "worker-01", 3*day, nil))
	}
	v := NewPods(f, nil)
	f.publish(v)
	fr := frame()
	b.ReportAllocs()
	for b.Loop() {
		press(v, keymap.Down)
		drawn(v, Size{80, 20}, fr)
	}
}
