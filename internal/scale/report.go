package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// report is what was measured, as Markdown.
type report struct {
	machine machine
	options options
	all     []*figures // of one size after the other; the last is the one that counts
}

func (r report) last() *figures { return r.all[len(r.all)-1] }

// byHand ends what is written here; what people have written below it stays.
const byHand = "<!-- Below this line nothing is overwritten. -->\n"

// write puts the report into a file.
func (r report) write(name string) error {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the old report: %w", err)
	}
	_, kept, _ := strings.Cut(string(old), byHand)
	if err := os.WriteFile(name, []byte(r.document()+byHand+kept), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// document is the report with what surrounds the tables.
func (r report) document() string {
	m := r.machine
	return fmt.Sprintf(`<!-- Written by make bench-scale, up to the line that says so. -->

# Performance

What ktriage costs on a big cluster, and how quick it is there: the real program in a pseudo-terminal of %[2]d x %[3]d, on a
real API server with %[4]s, made by devcluster. %[1]s measures it anew, and
%[14]s is its quick form. No test depends on these figures.

| | |
|---|---|
| Machine | %[5]s, %[6]d cores, %[7]s, Linux %[8]s; kube-apiserver, etcd, the program and the measurement share it |
| Load before | %[13]s |
| Built from | %[9]s, with %[10]s |
| Date | %[11]s |

%[12]s
## How it is measured

- Before anything else all pods are read once, because the first request after its start fills the API server's caches.
- Then others read the cluster, then ktriage is started several times, each time after a GET of all pods, and only at the end
  pods change, since that leaves the API server with more to carry. Before each of these, before keys and letters and before
  each rate of changes it is waited until the cluster's processes together use less than %[15]d %% of a core for %[16]g s, at most
  %[17]g s: else the rest of what came before would be measured.
- Times run from the start of the process, or from the write of a key to the terminal, until the bytes were read that made
  an emulator of xterm show the effect: another object under the cursor, other rows, the number of rows that a filter
  leaves. A key counts when what it does is on the screen, and not when something is.
- Keys are pressed every 100 to 130 ms, so that they do not fall into step with any clock.
- A frame is output that begins 3 ms or more after the output before it.
- While pods change, no key is pressed for the first third of the time, in which CPU and frames are counted.
- Changes are written straight into etcd, evenly over all pods. Beside them one pod gets a restart more every 250 ms: how far
  something is behind etcd is the time from etcd's answer to that write until it has the number; the screen, when it shows
  it. An API server that falls further and further behind has not enough of the cores for that rate itself.
- What ktriage adds to that is told apart by a control: the same rate for the same time, without ktriage, while another
  process watches all pods from the current resource version and throws away what it reads, but for the frames with that one
  pod's name; where the API server breaks it off as too slow, it goes on after its last frame, as ktriage does. Its changes
  are written by a run of their own. Both runs end when the last change has been seen.
- Requests are counted in the API server's audit log, CPU and memory in /proc; those of the others are what the kernel says at
  their end.
- Of the others, client-go's informers read pods as they do by default; the small row is a dozen fields in a struct.

`, "`make bench-scale`", r.options.width, r.options.height, r.last().size, m.cpu, m.cores, mebibytes(m.memory), m.kernel,
		m.commit, m.goVersion, m.at.Format(time.DateOnly), r.tables(), m.load, "`make bench-scale NODES=1000 PODS=30000`",
		quietShare, quietSpan.Seconds(), mostWait.Seconds())
}

// tables gives everything that was measured.
func (r report) tables() string {
	f := r.last()
	var b strings.Builder
	section := func(title string, t *table) {
		if len(t.rows) > 0 {
			fmt.Fprintf(&b, "## %s\n\n%s\n", title, t)
		}
	}
	section("What is to be reached", r.goals())
	section("Start", f.startTable())
	section("Memory", f.memoryTable())
	section("Requests", f.requestTable())
	section("Nothing changes", f.keyTable())
	section("Pods change", f.churnTable())
	section("Others on the same cluster", f.compareTable())
	if len(r.all) > 1 {
		section("Growth", r.growthTable())
	}
	return b.String()
}

// table is a Markdown table: the first row is its head.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

func (f *figures) startTable() *table {
	t := newTable(fmt.Sprintf("%d starts", len(f.starts)), "median", "worst")
	if len(f.starts) == 0 {
		return t
	}
	for _, part := range []struct {
		what string
		of   func(start) time.Duration
	}{
		{"first frame", func(s start) time.Duration { return s.frame }},
		{"first rows of pods", func(s start) time.Duration { return s.rows }},
		{"all nodes", func(s start) time.Duration { return s.nodes }},
		{"all pods", func(s start) time.Duration { return s.pods }},
		{"CPU until then", func(s start) time.Duration { return s.cpu }},
	} {
		took := f.started(part.of)
		t.add(part.what, duration(took.median()), duration(took.worst()))
	}
	return t
}

// started gives one figure of all starts.
func (f *figures) started(of func(start) time.Duration) spans {
	var took spans
	for _, s := range f.starts {
		took = append(took, of(s))
	}
	return took
}

func (f *figures) allPods() spans { return f.started(func(s start) time.Duration { return s.pods }) }

func (f *figures) memoryTable() *table {
	t := newTable("when", "RSS", "peak so far")
	for i, s := range f.starts {
		t.add(fmt.Sprintf("start %d, all pods read", i+1), mebibytes(s.rss), mebibytes(s.usage.peak))
	}
	for _, m := range f.memory {
		t.add(m.when, mebibytes(m.rss), mebibytes(m.usage.peak))
	}
	for _, c := range f.churned {
		t.add(fmt.Sprintf("%s changes a second, at the end", count(c.rate)), mebibytes(c.rss), mebibytes(c.peak))
	}
	return t
}

// held is the most that was held with all rows read and nothing changing, and the peak of everything.
func (f *figures) held() (rss, peak int64) {
	for _, m := range f.memory {
		rss = max(rss, m.rss)
	}
	return rss, max(f.sessionPeak, f.startPeak())
}

// startPeak is the most that a start took.
func (f *figures) startPeak() int64 {
	var peak int64
	for _, s := range f.starts {
		peak = max(peak, s.usage.peak)
	}
	return peak
}

func (f *figures) requestTable() *table {
	t := newTable(fmt.Sprintf("in the first %.0f s of the process", (f.idle.before+f.idle.span).Seconds()), "how often")
	for _, r := range f.idle.requests {
		t.add("`"+r.what+"`", count(r.n))
	}
	return t
}

func (f *figures) keyTable() *table {
	t := newTable("key to frame", "p50", "p99", "max", "n", "bytes each")
	add := func(what string, s spans, bytes int) {
		each := "-"
		if bytes > 0 {
			each = count(bytes / len(s))
		}
		t.add(what, duration(s.median()), duration(s.p99()), duration(s.worst()), count(len(s)), each)
	}
	for _, k := range f.keys {
		add(k.what, k.took, k.bytes)
	}
	if len(f.typing.answer) > 0 {
		add("a letter of a filter, in its field", f.typing.echo, 0)
		add("a letter of a filter, until the rows answer", f.typing.answer, 0)
	}
	for _, k := range f.sorts {
		add("sort by "+k.what, k.took, 0)
	}
	for _, k := range f.panes {
		add("another pane, "+k.what, k.took, 0)
	}
	if i := f.idle; i.span > 0 {
		t.add(fmt.Sprintf("idle for %s: %.2f %% of a core, %s bytes, %s frames",
			i.span.Round(time.Second), percent(i.cpu, i.span), count(i.bytes), count(i.frames)), "", "", "", "", "")
	}
	return t
}

const bareWatchOf = "a bare watch of all pods that throws the bytes away"

func (f *figures) churnTable() *table {
	t := newTable("pod changes a second")
	for _, c := range f.churned {
		t.head = append(t.head, count(c.rate))
	}
	for _, line := range []struct {
		what string
		of   func(churned) string
	}{
		{"in truth", func(c churned) string { return count(int(c.true + 0.5)) }},
		{"CPU, of a core", func(c churned) string { return share(c.untouched.cpu, c.untouched.span) }},
		{"CPU while keys are pressed", func(c churned) string { return share(c.pressed.cpu, c.pressed.span) }},
		{"CPU of the cluster itself", func(c churned) string { return share(c.untouched.server, c.untouched.span) }},
		{"frames a second", func(c churned) string { return fmt.Sprintf("%.1f", c.untouched.frameRate()) }},
		{"bytes a second", func(c churned) string { return count(int(float64(c.untouched.bytes) / c.untouched.span.Seconds())) }},
		{"key to frame, p50", func(c churned) string { return duration(c.keys.median()) }},
		{"key to frame, p99", func(c churned) string { return duration(c.keys.p99()) }},
		{"key to frame, max", func(c churned) string { return duration(c.keys.worst()) }},
		{"keys", func(c churned) string { return count(len(c.keys)) }},
		{"screen, behind etcd, p50 and p99", func(c churned) string { return middleAndTail(c.screen) }},
		{"a watch of that pod alone, behind etcd, p50 and p99", func(c churned) string { return middleAndTail(c.served) }},
		{bareWatchOf + ", behind etcd, p50 and p99", func(c churned) string { return middleAndTail(c.control.behind) }},
		{"screen, p50 of the first and the last third", func(c churned) string { return growing(c.screen) }},
		{"a watch of that pod alone, p50 of the first and the last third", func(c churned) string { return growing(c.served) }},
		{bareWatchOf + ", p50 of the first and the last third", func(c churned) string { return growing(c.control.behind) }},
		{"screen, behind the watch of that pod alone, p50 and p99", func(c churned) string { return middleAndTail(c.lag) }},
		{"changes a second in truth, in the run of the bare watch", func(c churned) string { return count(int(c.control.true + 0.5)) }},
		{"bare watches needed: the API server breaks off one that cannot keep pace", func(c churned) string { return count(c.control.streams) }},
	} {
		if len(f.churned) == 0 {
			break
		}
		cells := []string{line.what}
		for _, c := range f.churned {
			cells = append(cells, line.of(c))
		}
		t.add(cells...)
	}
	return t
}

func (s spent) frameRate() float64 { return float64(s.frames) / s.span.Seconds() }

func (f *figures) compareTable() *table {
	t := newTable("reads all pods", "median", "worst", "CPU", "peak memory", "ktriage takes", "and holds at its peak")
	all := f.others
	if len(f.get.took) > 0 {
		all = slices.Insert(slices.Clone(all), 0, f.get)
	}
	if len(all) == 0 {
		return t
	}
	peak := f.startPeak()
	for _, c := range all {
		longer, larger := "-", "-"
		if len(f.starts) > 0 && c.what != getNodes {
			longer, larger = ratio(f.allPods().median(), c.took.median()), ratio(peak, c.peak)
		}
		what := c.what
		if c.read > 0 {
			what += ", " + mebibytes(c.read)
		}
		t.add(what, duration(c.took.median()), duration(c.took.worst()), duration(c.cpu), mebibytes(c.peak), longer, larger)
	}
	if len(f.starts) > 0 {
		cpu := f.started(func(s start) time.Duration { return s.cpu })
		t.add("**ktriage**, from the start of the process, nodes too", duration(f.allPods().median()), duration(f.allPods().worst()),
			duration(cpu.median()), mebibytes(peak), "", "")
	}
	return t
}

func (r report) growthTable() *table {
	t := newTable("")
	for _, f := range r.all {
		t.head = append(t.head, f.String())
	}
	for _, line := range []struct {
		what string
		of   func(*figures) string
	}{
		{"first rows", func(f *figures) string {
			return duration(f.started(func(s start) time.Duration { return s.rows }).median())
		}},
		{"all pods", func(f *figures) string { return duration(f.allPods().median()) }},
		{"GET of all pods", func(f *figures) string { return duration(f.get.took.median()) }},
		{"memory, most", func(f *figures) string { rss, _ := f.held(); return mebibytes(rss) }},
		{"memory, peak", func(f *figures) string { _, peak := f.held(); return mebibytes(peak) }},
		{"idle CPU", func(f *figures) string { return share(f.idle.cpu, f.idle.span) }},
		{"move, p50 and p99", func(f *figures) string { return middleAndTail(f.key("move")) }},
		{"scroll, p50 and p99", func(f *figures) string { return middleAndTail(f.key("scroll")) }},
		{"page, p50 and p99", func(f *figures) string { return middleAndTail(f.key("page")) }},
		{"filter, p50 and p99", func(f *figures) string { return middleAndTail(f.typing.answer) }},
		{"CPU at 1,000 changes a second", func(f *figures) string { c := f.at(1000).untouched; return share(c.cpu, c.span) }},
		{"behind etcd at 1,000 changes a second, p50 and p99", func(f *figures) string { return middleAndTail(f.at(1000).screen) }},
	} {
		cells := []string{line.what}
		for _, f := range r.all {
			cells = append(cells, line.of(f))
		}
		t.add(cells...)
	}
	return t
}

// key gives the figures of a kind of key, none if it was not measured.
func (f *figures) key(what string) spans {
	i := slices.IndexFunc(f.keys, func(k keyed) bool { return k.what == what })
	if i < 0 {
		return nil
	}
	return f.keys[i].took
}

// at gives the figures of a rate of changes, empty ones if it was not measured.
func (f *figures) at(rate int) churned {
	i := slices.IndexFunc(f.churned, func(c churned) bool { return c.rate == rate })
	if i < 0 {
		return churned{}
	}
	return f.churned[i]
}
