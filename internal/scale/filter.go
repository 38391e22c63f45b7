package main

import (
	"context"
	"strings"
)

// typing is how long a letter more or less in a filter took: until it is in the field, and until the rows answer to it.
// An answer counts only where the number of rows becomes another one: the same number may be the old rows.
type typing struct{ echo, answer spans }

// words are typed letter by letter, and taken away again: a name that few pods have, a node, a status, and a namespace
// with a part of a name.
var words = []string{"svc-1234", "worker-00042", "crash", "shop/svc"}

const (
	backspace = "\x7f"
	empty     = "\x15" // ctrl+u
	rounds    = 5      // of all words
)

// measureFilter types words as fast as keys are pressed elsewhere, without waiting for what they find to settle.
func (b *bench) measureFilter(ctx context.Context, t *terminal) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	rows, err := b.countMatches(t)
	if err != nil {
		return err
	}
	if _, err := t.react("/"+empty, "an empty filter", func(s screen) bool { return typed(s, "", rows[""]) }); err != nil {
		return err
	}
	for range rounds {
		for _, word := range words {
			if err := b.typeWord(ctx, t, word, rows); err != nil {
				return err
			}
		}
	}
	b.say("filter: p99 %s to the rows, %s to the letter", duration(b.typing.answer.p99()), duration(b.typing.echo.p99()))
	_, err = t.react("\x1b", "all pods again", b.hasPods)
	return err
}

// countMatches finds out how many rows each filter leaves. The head says for which filter it counts only when the filter
// has been kept, so this is done before anything is measured.
func (b *bench) countMatches(t *terminal) (map[string]int, error) {
	rows := map[string]int{}
	for _, word := range words {
		for n := range len(word) {
			filter := word[:n+1]
			answered := func(s screen) bool { _, f := matches(s.head()); return f == filter }
			if _, err := t.react("/"+empty+filter+"\r", "the filter "+filter, answered); err != nil {
				return nil, err
			}
			rows[filter] = show(t, func(s screen) int { n, _ := matches(s.head()); return n })
		}
	}
	_, err := t.react("\x1b", "all pods", b.hasPods)
	rows[""] = show(t, func(s screen) int { return total(s.head()) })
	return rows, err
}

func (b *bench) typeWord(ctx context.Context, t *terminal, word string, rows map[string]int) error {
	for n := 1; n <= len(word); n++ {
		if err := b.typeKey(ctx, t, word[n-1:n], word[:n-1], word[:n], rows); err != nil {
			return err
		}
	}
	for n := len(word) - 1; n >= 0; n-- {
		if err := b.typeKey(ctx, t, backspace, word[:n+1], word[:n], rows); err != nil {
			return err
		}
	}
	return nil
}

// typeKey presses a key that makes one filter out of another.
func (b *bench) typeKey(ctx context.Context, t *terminal, key, from, to string, rows map[string]int) error {
	if err := breath(ctx); err != nil {
		return err
	}
	echo := t.expect("the filter "+to, func(s screen) bool { return field(s) == to })
	answer := t.expect("the rows for "+to, func(s screen) bool { return typed(s, to, rows[to]) })
	pressed, err := t.press(key)
	if err != nil {
		return err
	}
	echoed, err := echo()
	if err != nil {
		return err
	}
	answered, err := answer()
	if err != nil {
		return err
	}
	b.typing.echo = append(b.typing.echo, echoed.Sub(pressed))
	if rows[from] != rows[to] {
		b.typing.answer = append(b.typing.answer, answered.Sub(pressed))
	}
	return nil
}

// field is what has been typed, "-" if there is no field.
func field(s screen) string {
	_, rest, ok := strings.Cut(s.head(), " / ")
	if !ok {
		return "-"
	}
	text, _, _ := strings.Cut(rest, " ")
	return text
}

// typed reports whether the rows answer to a filter that is being typed: their number is in the head, unless there are
// none.
func typed(s screen, filter string, rows int) bool {
	_, have := shown(s.head())
	return field(s) == filter && have == rows && (rows > 0 || s.row("No pod matches") != "")
}
