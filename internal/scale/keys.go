package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
)

// keyed is how long keys of one kind took, from the press to the frame that shows what they did.
type keyed struct {
	what string
	took spans
	output
}

// breath is the time between two keys: about as fast as somebody holds one down, and never in step with a clock of the
// program's own.
func breath(ctx context.Context) error {
	return pause(ctx, 100*time.Millisecond+rand.N(30*time.Millisecond))
}

// What keys change: the name of the object under the cursor, or which rows are on the screen.
func cursor(s screen) string   { return s.strip() }
func position(s screen) string { return positionForm.FindString(s.head()) }

// ordered reports whether the rows are in an order, and not only asked for in it.
func ordered(s screen, name string) bool { return strings.Contains(s.head(), " "+name+" · ") }

// measureKeys presses keys on the pods pane while nothing changes, and then sorts and switches panes.
func (b *bench) measureKeys(ctx context.Context, t *terminal) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	page := b.height - rowLine - belowRow
	kinds := []struct {
		what    string
		prepare string
		keys    []string
		state   func(screen) string
	}{
		{"move", "g", append(times("j", page/2), times("k", page/2)...), cursor},
		{"scroll", "g" + strings.Repeat("j", page-1), times("j", b.presses), position},
		{"page", "g", append(times("\x06", 10), times("\x02", 10)...), position},
		{"first, last", "g", []string{"G", "g"}, position},
	}
	for _, kind := range kinds {
		if err := b.prepare(ctx, t, kind.prepare); err != nil {
			return err
		}
		k := keyed{what: kind.what}
		before := t.written()
		for i := range b.presses {
			took, err := b.stroke(ctx, t, kind.keys[i%len(kind.keys)], kind.state)
			if err != nil {
				return err
			}
			k.took = append(k.took, took)
		}
		k.output = t.written().since(before)
		b.say("%s: p99 %s", k.what, duration(k.took.p99()))
		b.keys = append(b.keys, k)
	}
	if err := b.prepare(ctx, t, "g"); err != nil {
		return err
	}
	if err := b.measureSorts(ctx, t); err != nil {
		return err
	}
	return b.measurePanes(ctx, t)
}

func times(key string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = key
	}
	return out
}

// prepare presses keys that are not measured, and lets the screen come to rest.
func (b *bench) prepare(ctx context.Context, t *terminal, keys string) error {
	if _, err := t.press(keys); err != nil {
		return err
	}
	return pause(ctx, time.Second)
}

// stroke takes a breath, presses a key, and gives how long it took until something on the screen changed.
func (b *bench) stroke(ctx context.Context, t *terminal, keys string, state func(screen) string) (time.Duration, error) {
	if err := breath(ctx); err != nil {
		return 0, err
	}
	before := show(t, state)
	return t.react(keys, "what "+keys+" does", func(s screen) bool {
		now := state(s)
		return now != before && now != ""
	})
}

// measureSorts sorts the pods by each column, and once more for the reverse.
func (b *bench) measureSorts(ctx context.Context, t *terminal) error {
	for _, by := range []struct{ key, name string }{
		{"n", "name"}, {"s", "status"}, {"r", "restarts"}, {"a", "age"}, {"N", "node"}, {"c", "cpu"}, {"m", "memory"}, {"R", "ready"}, {"h", "badness"},
	} {
		k := keyed{what: by.name}
		for _, want := range []string{by.name, by.name + " reversed"} {
			if err := b.prepare(ctx, t, "O"); err != nil {
				return err
			}
			took, err := t.react(by.key, "order by "+want, func(s screen) bool { return ordered(s, want) })
			if err != nil {
				return err
			}
			k.took = append(k.took, took)
		}
		b.sorts = append(b.sorts, k)
	}
	if err := b.prepare(ctx, t, "O"); err != nil {
		return err
	}
	_, err := t.react("h", "order by badness", func(s screen) bool { return ordered(s, "badness") })
	return err
}

// measurePanes goes to the nodes and back.
func (b *bench) measurePanes(ctx context.Context, t *terminal) error {
	for _, keys := range [][2]string{{"1", "2"}, {"\t", "\t"}} {
		k := keyed{what: map[string]string{"1": "1, 2", "\t": "tab"}[keys[0]]}
		for range max(b.presses/10, 1) {
			for i, holds := range []func(screen) bool{b.hasNodes, b.hasPods} {
				if err := breath(ctx); err != nil {
					return err
				}
				took, err := t.react(keys[i], "the other pane", holds)
				if err != nil {
					return err
				}
				k.took = append(k.took, took)
			}
		}
		b.panes = append(b.panes, k)
	}
	return nil
}
