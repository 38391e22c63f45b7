package text

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// letters are clusters that stay what they are beside each other: narrow, accented, combined and wide.
var letters = []string{"a", "B", "7", "-", "/", " ", "é", "q\u0301", "ß", "日", "한", "Ａ", "😀"}

func wide(cluster string) bool {
	return slices.Contains([]string{"日", "한", "Ａ", "😀"}, cluster)
}

// cells gives how many cells clusters take: the measure that does not come from the package.
func cells(clusters []string) int {
	n := len(clusters)
	for _, c := range clusters {
		if wide(c) {
			n++
		}
	}
	return n
}

func drawClusters(t *rapid.T, from []string, name string) []string {
	return rapid.SliceOfN(rapid.SampledFrom(from), 0, 30).Draw(t, name)
}

func drawText(t *rapid.T) ([]string, string) {
	clusters := drawClusters(t, letters, "text")
	return clusters, strings.Join(clusters, "")
}

func TestWidthIsTheSumOfTheClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, s := drawText(t)
		if Clean(s) != s {
			t.Fatalf("%q is not clean", s)
		}
		if got := Width(s); got != cells(clusters) {
			t.Errorf("Width(%q) = %d, want %d", s, got, cells(clusters))
		}
	})
}

// longest gives as many of the clusters as fit into w cells.
func longest(clusters []string, w int) string {
	n := 0
	for n < len(clusters) && cells(clusters[:n+1]) <= w {
		n++
	}
	return strings.Join(clusters[:n], "")
}

func TestCutKeepsWholeClustersAndAsManyAsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, s := drawText(t)
		w := rapid.IntRange(-2, 40).Draw(t, "width")
		ellipsis := rapid.SampledFrom([]string{"…", "~", "", "..."}).Draw(t, "ellipsis")
		want := s
		switch {
		case cells(clusters) <= w:
		case w >= len([]rune(ellipsis)):
			want = longest(clusters, w-len([]rune(ellipsis))) + ellipsis
		default:
			want = longest(clusters, w)
		}
		if got := Cut(s, w, ellipsis); got != want {
			t.Errorf("Cut(%q, %d, %q) = %q, want %q", s, w, ellipsis, got, want)
		}
	})
}

func TestCutMiddleKeepsBothEndsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, s := drawText(t)
		w := rapid.IntRange(-2, 40).Draw(t, "width")
		got := CutMiddle(s, w, "…")
		if cells(clusters) <= w {
			if got != s {
				t.Errorf("CutMiddle(%q, %d) = %q: it would have fitted", s, w, got)
			}
			return
		}
		if Width(got) > max(w, 0) {
			t.Fatalf("CutMiddle(%q, %d) = %q has %d cells", s, w, got, Width(got))
		}
		if w < 3 {
			return // there is no middle: as Cut
		}
		head, tail, found := strings.Cut(got, "…")
		if !found || !atBorder(clusters, head) || !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) ||
			!atBorder(clusters, strings.TrimSuffix(s, tail)) {
			t.Errorf("CutMiddle(%q, %d) = %q is not two ends with an ellipsis between", s, w, got)
		}
		if Width(got) < w-1 {
			t.Errorf("CutMiddle(%q, %d) = %q wastes %d cells", s, w, got, w-Width(got))
		}
		if w >= 11 && Width(tail) < 4 {
			t.Errorf("CutMiddle(%q, %d) = %q keeps less than five cells of the end", s, w, got)
		}
	})
}

// atBorder reports whether a text ends where a cluster ends.
func atBorder(clusters []string, prefix string) bool {
	for n := range len(clusters) + 1 {
		if strings.Join(clusters[:n], "") == prefix {
			return true
		}
	}
	return false
}

func TestCutMiddleOfPodNames(t *testing.T) {
	for _, c := range []struct {
		w          int
		name, want string
	}{
		{31, "payments/ledger-6c5d8b7f9-tz8wv", "payments/ledger-6c5d8b7f9-tz8wv"},
		{25, "payments/ledger-6c5d8b7f9-tz8wv", "payments/ledger-…f9-tz8wv"},
		{12, "payments/ledger-6c5d8b7f9-tz8wv", "paymen…tz8wv"},
		{2, "payments/ledger", "p…"}, {1, "payments/ledger", "…"}, {0, "payments/ledger", ""},
	} {
		if got := CutMiddle(c.name, c.w, "…"); got != c.want {
			t.Errorf("CutMiddle(%q, %d) = %q, want %q", c.name, c.w, got, c.want)
		}
	}
}

func TestPaddedTextTakesExactlyItsCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, s := drawText(t)
		w := rapid.IntRange(0, 300).Draw(t, "width")
		right := rapid.Bool().Draw(t, "right")
		var b strings.Builder
		AppendPadded(&b, s, w, right)
		kept := longest(clusters, w)
		pad := strings.Repeat(" ", w-Width(kept))
		want := kept + pad
		if right {
			want = pad + kept
		}
		if b.String() != want {
			t.Errorf("%q in %d cells is %q, want %q", s, w, b.String(), want)
		}
	})
}

func TestWrappedLinesFitAndLoseNothingButSpaces(t *testing.T) {
	from := append(slices.Clone(letters), " ", " ", "\n", "word", "=")
	bare := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(drawClusters(t, from, "text"), "")
		w := rapid.IntRange(-1, 30).Draw(t, "width")
		lines := Wrap(s, w)
		if len(lines) < 1+strings.Count(s, "\n") {
			t.Errorf("%q in %d cells: a line feed is lost: %q", s, w, lines)
		}
		if got := bare(strings.Join(lines, "")); got != bare(s) {
			t.Errorf("%q in %d cells says %q", s, w, got)
		}
		for _, l := range lines {
			alone := len([]rune(strings.TrimRight(l, "\u0301"))) == 1
			if Width(l) > max(w, 0) && !alone || strings.HasSuffix(l, " ") {
				t.Errorf("%q in %d cells has the line %q", s, w, l)
			}
		}
	})
}

func TestWrapBreaksWhereAReaderWould(t *testing.T) {
	for _, c := range []struct {
		in   string
		w    int
		want []string
	}{
		{"", 10, []string{""}},
		{"one line", 8, []string{"one line"}},
		{"two words here", 9, []string{"two words", "here"}},
		{"two  words", 5, []string{"two", "words"}},
		{"a\n\nb", 5, []string{"a", "", "b"}},
		{"node.kubernetes.io/unreachable", 20, []string{"node.kubernetes.io/", "unreachable"}},
		{"image registry.example.com/shop/checkout:4.18.2", 20, []string{"image", "registry.example.com", "/shop/checkout:", "4.18.2"}},
		{"see node.kubernetes.io/unreachable", 25, []string{"see node.kubernetes.io/", "unreachable"}},
		{"a verylongwordwithout", 10, []string{"a", "verylongwo", "rdwithout"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"日本語", 5, []string{"日本", "語"}},
		{"日本", 1, []string{"日", "本"}},
		{"  indented text", 8, []string{"  indent", "ed text"}},
	} {
		if got := Wrap(c.in, c.w); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.in, c.w, got, c.want)
		}
	}
}
