package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// start is how long things took from the start of the process, and what it held at the end.
type start struct {
	frame, rows, nodes, pods time.Duration
	usage
}

// measureStarts starts ktriage several times. Before each start all pods are read in the barest way, so that both find
// the API server in the same state.
func (b *bench) measureStarts(ctx context.Context) error {
	var gets []compared
	for i := range b.attempts {
		if err := b.settle(ctx); err != nil {
			return err
		}
		one, err := b.child(ctx, getPods, "pods")
		if err != nil {
			return err
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		s, err := b.measureStart(ctx)
		if err != nil {
			return err
		}
		b.say("start %d: all pods after %s, %s; a GET took %s", i+1, duration(s.pods), mebibytes(s.rss), duration(one.took.median()))
		b.starts, gets = append(b.starts, s), append(gets, one)
		b.get = together(gets)
	}
	return nil
}

func (b *bench) measureStart(ctx context.Context) (s start, err error) {
	t, err := b.start(ctx)
	if err != nil {
		return s, err
	}
	marks := []struct {
		what  string
		holds func(screen) bool
		after *time.Duration
	}{
		{"the first frame", drawn, &s.frame},
		{"the first rows", hasRows, &s.rows},
		{"all nodes", b.hasNodes, &s.nodes},
		{"all pods", b.hasPods, &s.pods},
	}
	// All at once: rows can be complete before anybody asks for the first ones.
	waits := make([]func() (time.Time, error), len(marks))
	for i, m := range marks {
		waits[i] = t.expect(m.what, m.holds)
	}
	for i, m := range marks {
		at, err := waits[i]()
		if err != nil {
			return s, errors.Join(err, t.kill())
		}
		*m.after = at.Sub(t.started)
	}
	s.usage, err = readUsage(t.pid())
	return s, errors.Join(err, t.end())
}

// memory is what ktriage holds at some time.
type memory struct {
	when string
	usage
}

// idle is what is used while nothing happens.
type idle struct {
	span, cpu time.Duration
	output
	requests []request // from the start of the process on
	before   time.Duration
}

// measureIdle reads the memory with different things on the screen, and then leaves the program alone.
func (b *bench) measureIdle(ctx context.Context, t *terminal) error {
	note := func(when string) error {
		u, err := readUsage(t.pid())
		b.memory = append(b.memory, memory{when, u})
		return err
	}
	if err := note("all rows read, pods"); err != nil {
		return err
	}
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	if err := note("10 s later"); err != nil {
		return err
	}
	for _, step := range []struct {
		when, keys string
		holds      func(screen) bool
	}{
		{"nodes", "1", b.hasNodes},
		{"pods, a filter on", "2/crash\r", func(s screen) bool { _, f := matches(s.head()); return f == "crash" }},
		{"pods, filter off again", "\x1b", b.hasPods},
		{"pods, sorted by name", "On", func(s screen) bool { return ordered(s, "name") }},
		{"pods, worst first again", "Oh", func(s screen) bool { return ordered(s, "badness") }},
	} {
		if _, err := t.react(step.keys, step.when, step.holds); err != nil {
			return err
		}
		if err := errors.Join(pause(ctx, time.Second), note(step.when)); err != nil {
			return err
		}
	}
	if err := b.measureQuiet(ctx, t); err != nil {
		return err
	}
	return note(fmt.Sprintf("after %s in which nothing happened", b.quiet))
}

func (b *bench) measureQuiet(ctx context.Context, t *terminal) error {
	before, err := readUsage(t.pid())
	if err != nil {
		return err
	}
	written, began := t.written(), time.Now()
	b.idle.before = began.Sub(t.started)
	if err := pause(ctx, b.quiet); err != nil {
		return err
	}
	after, err := readUsage(t.pid())
	if err != nil {
		return err
	}
	i := &b.idle
	i.span, i.cpu, i.output = time.Since(began), after.cpu-before.cpu, t.written().since(written)
	i.requests, err = b.cluster.requests(t.started)
	b.say("idle: %.2f %% of a core", percent(i.cpu, i.span))
	return err
}
