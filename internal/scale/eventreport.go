package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// The part about events stands between two lines of the document, wherever that is: it is measured alone, and the rest stays.
const (
	eventsBegin = "<!-- Events: written by go run ./internal/scale -only events -->\n"
	eventsEnd   = "<!-- End of events. -->\n"
)

// writeEvents puts the part about events into a document, in the place of the one that is there, or at the end.
func (r report) writeEvents(name string) error {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the old report: %w", err)
	}
	before, rest, found := strings.Cut(string(old), eventsBegin)
	after := ""
	if found {
		_, after, _ = strings.Cut(rest, eventsEnd)
	} else if before != "" {
		before += "\n"
	}
	if err := os.WriteFile(name, []byte(before+eventsBegin+r.eventsPart()+eventsEnd+after), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r report) eventsPart() string {
	f, m := r.last(), r.machine
	return fmt.Sprintf(`
## Events

A fleet of %[13]s pods crash-loops: their kubelets say %[1]s things a second for %[2]s, each a patch of an event object with one
more in its count, one in twenty a new object. ktriage runs on %[3]s, once before a server that answers for the events from memory
(%[4]s), so that nothing but ktriage wants the cores, with the Events pane open and with the Pods pane open; and once with
events that are written into etcd and come through kube-apiserver, as in a real cluster. Measured by
%[5]s on %[6]s, %[7]d cores, load before %[8]s, built from %[9]s, %[10]s.

%[11]s
%[12]s
- CPU and frames are counted in the first third of the time, without keys. Keys are pressed in the rest: the cursor one row down or
  up, with the groups held still, and another pane and back.
- When the storm is over, the head of the Events pane must say as many events as were written, and every group must have its
  count: all groups are read from the screen, page by page, and compared, reason by reason, with what was written of the pods of
  each ReplicaSet.
- A bare watch is a process that reads the frames of one watch of all events and throws them away, in a run of its own.

`, count(r.options.storm), r.options.stormSpan.Round(time.Second), f.size, "`devcluster storm --serve`", fmt.Sprintf("`go run ./internal/scale -only events -nodes %d -pods %d -out docs/performance.md`", f.nodes, f.pods),
		m.cpu, m.cores, m.load, m.commit, m.at.Format(time.DateOnly), r.eventGoals(), f.eventTable(),
		count(min(stormPods, f.pods)))
}

// eventGoals is what is to be reached before the server in memory.
func (r report) eventGoals() *table {
	g := goals{newTable("what", "reach", "measured", "")}
	for _, s := range r.last().stormed {
		g.below(s.where+": CPU, of a core", 25, percent(s.untouched.cpu, s.untouched.span), " %")
		g.within(s.where+": key to frame, p99", 50*time.Millisecond, s.key("").p99())
		g.add(s.where+": nothing is lost", fmt.Sprintf("%s events in %s groups", count(s.written), count(s.groups.wanted)),
			fmt.Sprintf("%s in %s", count(s.shown), count(s.groups.shown)),
			verdict(s.shown == s.written && len(s.groups.wrong) == 0, fmt.Sprintf("%s events and %d groups", count(s.written-s.shown), len(s.groups.wrong))))
	}
	return g.table
}

func (f *figures) eventTable() *table {
	t := newTable("events a second")
	for _, s := range f.stormed {
		t.head = append(t.head, s.where)
	}
	for _, line := range []struct {
		what string
		of   func(stormed) string
	}{
		{"wanted, and in truth", func(s stormed) string { return count(s.rate) + ", " + count(int(s.true+0.5)) }},
		{"CPU, of a core", func(s stormed) string { return share(s.untouched.cpu, s.untouched.span) }},
		{"CPU while keys are pressed", func(s stormed) string { return share(s.pressed.cpu, s.pressed.span) }},
		{"CPU of the cluster itself", func(s stormed) string { return share(s.untouched.server, s.untouched.span) }},
		{"RSS before, after, peak", func(s stormed) string {
			return mebibytes(s.before) + ", " + mebibytes(s.rss) + ", " + mebibytes(s.peak)
		}},
		{"frames a second", func(s stormed) string { return fmt.Sprintf("%.1f", s.untouched.frameRate()) }},
		{"bytes a second to the terminal", func(s stormed) string { return count(int(float64(s.untouched.bytes) / s.untouched.span.Seconds())) }},
		{"move: key to frame, p50, p99, max", func(s stormed) string { return threeOf(s.keys[0].took) }},
		{"another pane: key to frame, p50, p99, max", func(s stormed) string { return threeOf(s.keys[1].took) }},
		{"written, counted", func(s stormed) string { return count(s.written) + ", " + count(s.shown) }},
		{"all of it on the screen, after the end", func(s stormed) string { return duration(s.late) }},
		{"groups with another count than was written", func(s stormed) string { return fmt.Sprintf("%d of %d", len(s.groups.wrong), s.groups.wanted) }},
		{"a bare watch: written, received, behind at the end, watches needed", func(s stormed) string {
			if s.control.streams == 0 {
				return "-"
			}
			return fmt.Sprintf("%s, %s, %s, %d", count(s.controlWritten), count(s.control.frames), duration(s.control.late), s.control.streams)
		}},
	} {
		cells := []string{line.what}
		for _, s := range f.stormed {
			cells = append(cells, line.of(s))
		}
		t.add(cells...)
	}
	return t
}

func threeOf(s spans) string {
	return fmt.Sprintf("%s (%d keys)", middleAndTail(s)+", "+duration(s.worst()), len(s))
}
