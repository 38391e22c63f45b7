package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// node is a row of the Nodes pane, with its cells as its fields.
type node struct {
	name, status, since, conditions, pods, cpu, memory string
	severity                                           kube.Severity
}

func (n *node) Ref() kube.Ref                           { return kube.Ref{Kind: kube.Nodes, Name: n.name, UID: n.name} }
func (n *node) Matches(word string, _ kube.Moment) bool { return strings.Contains(n.name, word) }

func newNodes() *Model[*node] {
	cell := func(get func(*node) string) func(*node, kube.Moment) Cell {
		return func(n *node, _ kube.Moment) Cell { return Cell{Text: get(n)} }
	}
	m := New([]Column[*node]{
		{
			ID: "name", Title: "NAME", Min: 12, Max: 40, Flex: true, Middle: true,
			Cell: cell(func(n *node) string { return n.name }),
		},
		{ID: "status", Title: "STATUS", Min: 17, Cell: cell(func(n *node) string { return n.status })},
		{ID: "for", Title: "FOR", Min: 5, Drop: 1, Right: true, Cell: cell(func(n *node) string { return n.since })},
		{ID: "conditions", Title: "CONDITIONS", Min: 12, Drop: 2, Cell: cell(func(n *node) string { return n.conditions })},
		{ID: "pods", Title: "PODS", Min: 7, Drop: 3, Right: true, Cell: cell(func(n *node) string { return n.pods })},
		{ID: "cpu", Title: "CPU u/r", Drop: 4, Right: true, Cell: cell(func(n *node) string { return n.cpu })},
		{ID: "memory", Title: "MEM u/r", Drop: 4, Right: true, Cell: cell(func(n *node) string { return n.memory })},
	}, func(n *node, _ kube.Moment) kube.Severity { return n.severity })
	m.SetSnapshot(kube.NewSnapshot([]*node{
		{"worker-07", "NotReady(Unknown)", "4m12s", "all Unknown", "12/110", "-/61 ", "-/70 ", kube.Bad},
		{"gpu-03", "NotReady", "2m5s", "CNI down", "4/110", "2/3  ", "1/2  ", kube.Warning},
		{"worker-12", "Ready", "23m", "DiskPressure", "27/110", "34/58 ", "71/66 ", kube.Warning},
		{"worker-31", "Ready,Cordoned", "18h", "-", "13/110", "9/12 ", "18/15 ", kube.Notice},
		{"cp-1", "Ready", "212d", "-", "11/110", "21/14 ", "38/9  ", kube.OK},
	}, kube.Moment{}))
	return m
}

func newIncident() *Model[*pod] {
	at := func(ns, name, ready, status, restarts, age, node string, s kube.Severity) *pod {
		return &pod{kube.Ref{Kind: kube.Pods, Namespace: ns, Name: name, UID: name}, ready, status, restarts, age, node, s}
	}
	m := New(podColumns(), severityOf)
	m.SetSnapshot(kube.NewSnapshot([]*pod{
		at("shop", "checkout-7d9f8c6b5-x2k4q", "0/1", "CrashLoopBackOff", "4 (41s)", "19h", "worker-64", kube.Bad),
		at("payments", "ledger-6c5d8b7f94-tz8wv", "0/1", "OOMKilled", "41 (2m)", "6h11m", "worker-51", kube.Bad),
		at("search", "indexer-5", "0/1", "Pending", "0", "8m20s", "-", kube.Warning),
		at("kube-system", "nvidia-device-plugin-ds-7d5fk", "0/1", "ContainerCreating", "0", "2m5s", "gpu-03", kube.Warning),
		at("monitoring", "alertmanager-1", "0/2", "Running?", "0", "41d", "worker-07", kube.Warning),
	}, kube.Moment{}))
	return m
}

func same(t *testing.T, got []string, want string) {
	t.Helper()
	if w := strings.Split(strings.Trim(want, "\n"), "\n"); !slices.Equal(got, w) {
		t.Errorf("\n got\n%s|\nwant\n%s|", strings.Join(got, "|\n"), strings.Join(w, "|\n"))
	}
}

// The wanted lines of the next three tests are those of the mock-ups; where a name is cut is package text's business.

// cut gives a pod's name as its column shows it.
func cut(name string, w int) string { return fmt.Sprintf("%-*s", w, text.CutMiddle(name, w, "…")) }

const (
	ledger = "payments/ledger-6c5d8b7f94-tz8wv"
	nvidia = "kube-system/nvidia-device-plugin-ds-7d5fk"
)

func TestNodesAt80(t *testing.T) {
	same(t, draw(newNodes(), 80, 6, true), `
   NAME             STATUS              FOR CONDITIONS      PODS CPU u/r MEM u/r
▌■ worker-07        NotReady(Unknown) 4m12s all Unknown   12/110   -/61    -/70 
 ▲ gpu-03           NotReady           2m5s CNI down       4/110   2/3     1/2  
 ▲ worker-12        Ready               23m DiskPressure  27/110  34/58   71/66 
 ○ worker-31        Ready,Cordoned      18h -             13/110   9/12   18/15 
 · cp-1             Ready              212d -             11/110  21/14   38/9  `)
}

func TestPodsAt80(t *testing.T) {
	same(t, draw(newIncident(), 80, 6, true), `
   NAMESPACE/NAME                READY STATUS           RESTARTS   AGE NODE     
▌■ shop/checkout-7d9f8c6b5-x2k4q   0/1 CrashLoopBackOff  4 (41s)   19h worker-64
 ■ `+cut(ledger, 29)+`   0/1 OOMKilled         41 (2m) 6h11m worker-51
 ▲ search/indexer-5                0/1 Pending                 0 8m20s -        
 ▲ `+cut(nvidia, 29)+`   0/1 ContainerCreati…        0  2m5s gpu-03   
 ▲ monitoring/alertmanager-1       0/2 Running?                0   41d worker-07`)
}

func TestPodsBesideAnotherPane(t *testing.T) {
	same(t, draw(newIncident(), 60, 6, false), `
   NAMESPACE/NAME           READY STATUS           NODE     
▏■ `+cut("shop/checkout-7d9f8c6b5-x2k4q", 24)+`   0/1 CrashLoopBackOff worker-64
 ■ `+cut(ledger, 24)+`   0/1 OOMKilled        worker-51
 ▲ search/indexer-5           0/1 Pending          -        
 ▲ `+cut(nvidia, 24)+`   0/1 ContainerCreati… gpu-03   
 ▲ `+cut("monitoring/alertmanager-1", 24)+`   0/2 Running?         worker-07`)
}

func TestNodesStandTwoCellsApartWhereThereIsRoom(t *testing.T) {
	same(t, draw(newNodes(), 106, 4, true), `
   NAME                                  STATUS               FOR  CONDITIONS       PODS  CPU u/r  MEM u/r
▌■ worker-07                             NotReady(Unknown)  4m12s  all Unknown    12/110    -/61     -/70 
 ▲ gpu-03                                NotReady            2m5s  CNI down        4/110    2/3      1/2  
 ▲ worker-12                             Ready                23m  DiskPressure   27/110   34/58    71/66 `)
}

func TestMoreTellsWhichColumnsAreOutOfView(t *testing.T) {
	m := newIncident()
	for _, c := range []struct {
		width, scroll int
		left, right   bool
		header        string
	}{
		{80, 0, false, false, "NAMESPACE/NAME READY STATUS RESTARTS AGE NODE"},
		{60, 0, false, true, "NAMESPACE/NAME READY STATUS NODE"},
		{60, 1, true, true, "NAMESPACE/NAME STATUS RESTARTS AGE"},
		{60, 1, true, false, "NAMESPACE/NAME STATUS AGE NODE"},
		{60, 9, true, false, "NAMESPACE/NAME STATUS AGE NODE"},
		{60, -1, true, true, "NAMESPACE/NAME STATUS RESTARTS AGE"},
		{60, -9, false, true, "NAMESPACE/NAME READY STATUS NODE"},
		{30, 0, false, true, "NAMESPACE… STATUS"},
		{20, 0, false, true, "NAMESPACE/NAME"},
		{80, 3, false, false, "NAMESPACE/NAME READY STATUS RESTARTS AGE NODE"},
	} {
		m.ScrollColumns(c.scroll)
		header := strings.Join(strings.Fields(draw(m, c.width, 6, true)[0]), " ")
		left, right := m.More()
		if header != c.header || left != c.left || right != c.right {
			t.Errorf("width %d, scrolled by %d: %q, more to the left %t, to the right %t; want %q, %t, %t",
				c.width, c.scroll, header, left, right, c.header, c.left, c.right)
		}
	}
}

// TestColumnsThatNeverDropStayWhileANameCanShrink is a grid of 106 columns with a long state in it.
func TestColumnsThatNeverDropStayWhileANameCanShrink(t *testing.T) {
	columns := podColumns()
	columns[2].Max = 28
	m := New(columns, severityOf)
	row := named("checkout-7d9f8c6b5-x2k4q")
	row.status = "Init:CreateContainerConfigE…"
	m.SetSnapshot(kube.NewSnapshot([]*pod{row}, kube.Moment{}))
	same(t, draw(m, 52, 2, true), `
   NAMESPACE/NAME       STATUS                      
▌· `+cut("shop/checkout-7d9f8c6b5-x2k4q", 20)+` Init:CreateContainerConfigE…`)
	for w := 3 + 8 + 1 + 28; w <= 120; w++ {
		if line := draw(m, w, 2, true)[1]; !strings.Contains(line, row.status) {
			t.Errorf("%d columns: the state is lost: %q", w, line)
		}
	}
}

func TestOfColumnsThatDropTogetherTheLastGoesFirst(t *testing.T) {
	if got := draw(newNodes(), 75, 2, true)[0]; !strings.Contains(got, "CPU") || strings.Contains(got, "MEM") {
		t.Errorf("%q", got)
	}
}

func TestFlexColumnTakesSpareWidthUpToItsMax(t *testing.T) {
	for w, want := range map[int]int{100: 52, 200: 60, 250: 60} {
		header := draw(newPods("a"), w, 2, true)[0]
		if got := strings.Index(header, "READY") - gap(w) - margin; got != want {
			t.Errorf("width %d: the name has %d cells, want %d", w, got, want)
		}
	}
}

func TestMaxCutsWordsButNoNumbers(t *testing.T) {
	wide := func(right bool) Column[*pod] {
		return Column[*pod]{Title: "N", Max: 4, Right: right, Cell: field(func(p *pod) string { return p.restarts })}
	}
	m := New([]Column[*pod]{wide(true), wide(false)}, severityOf)
	m.SetSnapshot(snapshot("a"))
	if got := draw(m, 20, 2, true)[1]; got != "▌· 1234567 123…     " {
		t.Errorf("%q", got)
	}
}

func TestArrowStandsAtTheSortedColumn(t *testing.T) {
	m := newIncident()
	m.SetSort("restarts", true)
	if got := draw(m, 80, 2, true)[0]; !strings.Contains(got, " RESTARTS↓ ") || strings.Contains(got, "↑") {
		t.Errorf("%q", got)
	}
	m.SetSort("name", false)
	if got := draw(m, 80, 2, true)[0]; !strings.Contains(got, " NAMESPACE/NAME↑ ") || strings.Contains(got, "↓") {
		t.Errorf("%q", got)
	}
	m.SetSort("", false)
	if got := draw(m, 80, 2, true)[0]; strings.ContainsAny(got, "↑↓") {
		t.Errorf("%q", got)
	}
}

func TestColumnsDoNotShrinkWhileScrolling(t *testing.T) {
	rows := []*pod{named("a"), named("b"), named("c")}
	rows[1].restarts = "1234567 (41s ago)"
	m := New(podColumns(), severityOf)
	m.SetSnapshot(kube.NewSnapshot(rows, kube.Moment{}))
	narrow := draw(m, 90, 2, true)[0]
	m.Move(1)
	wide := draw(m, 90, 2, true)[0]
	m.Move(1)
	if got := draw(m, 90, 2, true)[0]; got != wide || wide == narrow {
		t.Errorf("header\n%q before,\n%q with the wide row,\n%q after it", narrow, wide, got)
	}
	m.Refit()
	if got := draw(m, 90, 2, true)[0]; got != narrow {
		t.Errorf("after Refit %q, want %q", got, narrow)
	}
	m.First()
	m.Move(1)
	draw(m, 90, 2, true)
	m.Move(1)
	draw(m, 100, 2, true)
	if got := draw(m, 90, 2, true)[0]; got != narrow {
		t.Errorf("after a resize %q, want %q", got, narrow)
	}
}

// TestNumbersAreWholeOrAbsent: a part of a number is another number.
func TestNumbersAreWholeOrAbsent(t *testing.T) {
	for w := 1; w <= 250; w++ {
		for scroll := range 4 {
			m := newPods("a", "b")
			m.ScrollColumns(scroll)
			for _, line := range draw(m, w, 3, true)[1:] {
				rest := strings.NewReplacer("1234567", "", "6h11m", "", "0/1", "", "worker-1", "").Replace(line)
				if strings.ContainsAny(rest, "0123456789") {
					t.Fatalf("width %d, scrolled by %d: %q", w, scroll, line)
				}
			}
		}
	}
}

func TestNumberThatFitsNowhereIsNotDrawnInPart(t *testing.T) {
	m := New([]Column[*pod]{{Title: "N", Right: true, Cell: field(func(p *pod) string { return p.restarts })}}, severityOf)
	m.SetSnapshot(snapshot("a"))
	if got := draw(m, 8, 2, true)[1]; got != "▌·     …" {
		t.Errorf("%q", got)
	}
}

func TestCursorRowKeepsItsGroundToTheEndOfTheLine(t *testing.T) {
	p := painter()
	for _, c := range []struct {
		focused bool
		ground  themes.Ground
	}{{true, themes.CursorBg}, {false, themes.BlurBg}} {
		var b strings.Builder
		newPods("a", "b").Draw(&b, 80, 3, time.Time{}, c.focused, p)
		lines := strings.Split(b.String(), "\n")
		state, rest := p.Open(themes.OK, c.ground), p.Open(themes.Text, c.ground)
		if !strings.Contains(lines[1], state+"Running"+rest+" ") {
			t.Errorf("focused %t: the space after a state must not have its colour: %q", c.focused, lines[1])
		}
		if strings.Contains(lines[1], p.Open(themes.OK, themes.Plain)) || !strings.HasSuffix(lines[1], p.Close()) {
			t.Errorf("focused %t: %q", c.focused, lines[1])
		}
		if !strings.Contains(lines[2], p.Open(themes.OK, themes.Plain)) {
			t.Errorf("the other row: %q", lines[2])
		}
	}
}

func TestSpacesDoNotTakeTheColourOfAFill(t *testing.T) {
	p := painter()
	var b strings.Builder
	held := func(*pod, kube.Moment) Cell { return Cell{Text: "held", Token: themes.Caution} }
	m := New([]Column[*pod]{{Title: "A", Min: 8, Cell: held}}, severityOf)
	m.SetSnapshot(snapshot("a", "b"))
	m.Draw(&b, 20, 3, time.Time{}, true, p)
	last := strings.Split(b.String(), "\n")[2]
	if want := p.Open(themes.Caution, themes.Plain) + "held" + p.Close() + "    "; !strings.Contains(last, want) {
		t.Errorf("%q does not hold %q", last, want)
	}
}

// TestEveryFrameHasItsSize draws all widths and heights with all kinds of rows and measures every line.
func TestEveryFrameHasItsSize(t *testing.T) {
	tables := map[string]*Model[*pod]{
		"empty": newPods(), "one": newPods("one"), "many": newPods(numbered(80)...), "incident": newIncident(),
		"wide": newPods("日本語の名前がとても長いポッド", "東京リージョン障害", "é", "한국어", "mixed-日本-tail"),
	}
	tables["many"].Invert()
	tables["incident"].ScrollColumns(2)
	check := func(name string, w, h int) {
		lines := draw(tables[name], w, h, (w+h)%2 == 0)
		if len(lines) != h {
			t.Fatalf("%s at %dx%d: %d lines", name, w, h, len(lines))
		}
		for i, line := range lines {
			if got := ansi.StringWidth(line); got != w {
				t.Fatalf("%s at %dx%d: line %d has %d cells: %q", name, w, h, i, got, line)
			}
		}
	}
	for name := range tables {
		for w := range 251 {
			check(name, w, 1+w%8)
		}
		for h := 1; h <= 60; h++ {
			check(name, 80, h)
			check(name, 250, h)
		}
	}
}

func thousands(n int) *Model[*pod] {
	rows := make([]*pod, n)
	for i := range rows {
		rows[i] = named("checkout-7d9f8c6b5-" + strconv.Itoa(i))
		rows[i].restarts = strconv.Itoa(i % 90)
		rows[i].severity = kube.Severity(i % 4)
	}
	m := New(append(podColumns(),
		Column[*pod]{Title: "CPU", Drop: 5, Right: true, Cell: func(p *pod, _ kube.Moment) Cell {
			return Cell{Text: p.restarts + "m", Token: themes.Warn}
		}},
		Column[*pod]{Title: "MEM", Drop: 5, Right: true, Cell: field(func(p *pod) string { return p.restarts + "Mi" })},
	), severityOf)
	m.SetSnapshot(kube.NewSnapshot(rows, kube.Moment{}))
	return m
}

func TestCostOfAFrameDoesNotDependOnTheLengthOfTheList(t *testing.T) {
	const limit = 300
	p := painter()
	frame := func(n int) float64 {
		m := thousands(n)
		return testing.AllocsPerRun(50, func() {
			var b strings.Builder
			m.Page(1)
			m.Draw(&b, 200, 46, time.Time{}, true, p)
		})
	}
	small, large := frame(4_000), frame(150_000)
	if small != large || large > limit {
		t.Errorf("%.0f allocations a frame at 4,000 rows, %.0f at 150,000; at most %d", small, large, limit)
	}
}

func BenchmarkKeyAndFrame(b *testing.B) {
	p := painter()
	for _, n := range []int{1_000, 150_000} {
		m := thousands(n)
		for _, w := range []int{80, 200} {
			b.Run(fmt.Sprintf("rows=%d/width=%d", n, w), func(b *testing.B) {
				b.ReportAllocs()
				step := 1
				for b.Loop() {
					if i := m.at; i == 0 || i == n-1 {
						step = 1 - 2*min(i, 1)
					}
					var out strings.Builder
					m.Move(step)
					m.Draw(&out, w, 46, time.Time{}, true, p)
				}
			})
		}
	}
}

func BenchmarkSnapshotWhoseCursorRowIsGone(b *testing.B) {
	rows := make([]*pod, 150_000)
	for i := range rows {
		rows[i] = named(strconv.Itoa(i))
	}
	with := kube.NewSnapshot(rows, kube.Moment{})
	without := kube.NewSnapshot(slices.Delete(slices.Clone(rows), 75_000, 75_001), kube.Moment{})
	m := New(podColumns(), severityOf)
	for b.Loop() {
		m.SetSnapshot(with)
		m.Select("75000")
		m.SetSnapshot(without)
	}
}
