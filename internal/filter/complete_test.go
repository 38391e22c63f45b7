package filter

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWordsAreCompletedToFieldsAndValues(t *testing.T) {
	for _, c := range []struct {
		text string
		from int
		want string
	}{
		{"re", 0, "restarts ready"}, {"web !res", 5, "restarts"}, {"", 0, ""}, {"zzz", 0, ""}, {"severity>=w", 10, "warning"},
		{"severity=ok,", 12, "ok notice warning bad"}, {"nope=x", 6, ""}, {"SEV", 0, "severity"},
	} {
		from, words := pods().Complete(c.text, len(c.text))
		if from != c.from || strings.Join(words, " ") != c.want {
			t.Errorf("%q is completed from %d to %q, want %d, %q", c.text, from, words, c.from, c.want)
		}
	}
	for want, words := range map[string][]string{"re": {"restarts", "ready"}, "ok": {"ok"}, "": {"a", "b"}} {
		if got := Common(words); got != want {
			t.Errorf("%v have %q in common, want %q", words, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		if from, _ := pods().Complete(text, at); from < 0 || from > at {
			t.Errorf("%q at %d is completed from %d", text, at, from)
		}
	})
}
