package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"
)

// hostile are the strings that terminals and other programs are known to obey.
var hostile = []string{
	"",
	"plain ASCII, as almost everything is",
	"\x1b[31mred\x1b[0m",
	"\x1b]0;title\x07text",
	"\x1b]0;title\x1b\\text",
	"\x1b]52;c;cm0gLXJmIC8K\x07",
	"\x1b]8;;http://example.com/\x1b\\link\x1b]8;;\x1b\\",
	"\x1b[6n\x1b[c\x1b[>c\x1b[14t\x1b[21t",
	"\x1bP$qm\x1b\\\x1bP+q544e\x1b\\",
	"\x1b_Gf=24;AAAA\x1b\\\x1b^private\x1b\\\x1bXstring\x1b\\",
	"\x1b[2J\x1b[H\x1b[?1049l\x1bc\x1b7\x1b8\x1b#8\x1b(0\x1b%G",
	"\u009b31mred\u009b0m\u009d0;title\u009ctext\u0090q\u009c\u0098s\u009c\u009ep\u009c\u009fa\u009c",
	"\x9b31m raw 8-bit \x9d0;title\x9c",
	"\x1b", "\x1b\x1b", "\x1b[", "\x1b]", "\x1b]0;no end", "\x1b[31", "\x1b(", "\x1b(é", "\x1b(\x1b[31m", "\u009b", "\u009d",
	"\x1b\x1b[31m[31m", "\x1b[\x1b[31mm", "\x1b\u200b[31m", "\x1b\x00[31m", "\x1b[3\x001m",
	"a\rb", "a\r\nb", "a\nb\n", "a\tb", "a\b\bb", "\x00\x07\x0b\x0c\x0e\x0f\x7f", "\u0085\u0080\u009c",
	"\u202egnp.exe\u202c", "\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
	"\u200b\u200c\u200d\u2060\u2064\ufeff\u00ad\u034f\u180e\u115f\u1160\u3164\uffa0\ufff9\ufffb\u2028\u2029",
	"\U000e0041\U000e007f\U000e0100\ufe00\ufe0e\ufe0f",
	"e\u0301 cafe\u0301 \u1100\u1161\u11a8", "\u0301starts with a mark", "line\n\u0301mark",
	"z" + strings.Repeat("\u0301\u0316", 40) + "algo",
	"日本語 한국어 ไทย हिन्दी क्ष العربية", "👍🏽 👩‍👩‍👧 🇯🇵 🇯 ⚠️ 1️⃣ ❤", "\u0600\u06dd123 \u110bd\u0d4eക",
	"\U0001bca0\U0001d173\U00013430\ufff0", "\xff\xfe\xc3\x28\xed\xa0\x80", "\ufdfa\U0001d160\u2126\u037e\u1fef",
	strings.Repeat("é", cellCap), strings.Repeat("日", 3*cellCap), strings.Repeat("x", 2*cellCap+7),
	strings.Repeat("\U0001d160", cellCap), strings.Repeat("\x1b[0m", 9*cellCap) + "far behind",
}

// harmful gives the first character that a cleaned text must not hold.
func harmful(s string) (rune, bool) {
	for _, r := range s {
		switch {
		case r < 0x20, r == 0x7f, r >= 0x80 && r <= 0x9f:
			return r, true
		case unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector):
			return r, true
		}
	}
	return 0, false
}

func checkClean(t *testing.T, in string) {
	t.Helper()
	out := Clean(in)
	if r, bad := harmful(out); bad {
		t.Errorf("%q holds %U: %q", in, r, out)
	}
	if !utf8.ValidString(out) || !norm.NFC.IsNormalString(out) {
		t.Errorf("%q is not valid UTF-8 in normal form C: %q", in, out)
	}
	if len(out) > cellCap {
		t.Errorf("%q has %d bytes, more than %d", in, len(out), cellCap)
	}
	if again := Clean(out); again != out {
		t.Errorf("cleaning %q twice changes %q into %q", in, out, again)
	}
	if g, wc := ansi.StringWidth(out), ansi.StringWidthWc(out); g != wc || g != Width(out) {
		t.Errorf("%q is %d cells in clusters, %d in characters, %d by Width", out, g, wc, Width(out))
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkClean(t, s) })
}

func TestCleanTurnsEachKindOfCharacterIntoWhatItIsDocumentedToBe(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31mred\x1b[0m plain":                 "red plain",
		"a\x1b]0;title\x07b\x1b]0;t\x1b\\c":        "abc",
		"a\x1bPq\x1b\\b\x1b_g\x1b\\c\x1b^p\x1b\\d": "abcd",
		"a\x1bXs\u009cb\u009dt\x07c":               "abc",
		"a\u009b31mb\u0090q\u009cc":                "abc",
		"a\x1b(0b\x1bcc\x1b7d\x1b#8e":              "abcde",
		"a\x1b(\x1b[31mb":                          "ab",
		"a\x1b(éb":                                 "aéb",
		"before\x1b]0;no end of it":                "before",
		"before\x1b[31":                            "before",
		"before\u009b":                             "before",
		"end\x1b":                                  `end\x1b`,
		"\x1b\x1b[31mx":                            `\x1bx`,
		"a\tb":                                     "a b",
		"a\nb":                                     "a ⏎ b",
		"a\r\nb\rc":                                "a ⏎ b ⏎ c",
		"\x00\b\x7f\u0085":                         `\x00\x08\x7f\x85`,
		"\xff\xfea":                                "\ufffda",
		"\u202egnp.exe":                            "\ufffdgnp.exe",
		"sys\u200btem\ufeff":                       "sys\ufffdtem\ufffd",
		"⚠\ufe0f degraded":                         "⚠ degraded",
		"cafe\u0301":                               "café",
		"\u0301mark":                               "\ufffdmark",
		"z" + strings.Repeat("\u0316", 20) + "x":   "\ufffdx",
		"👍🏽":                                       "\ufffd",
		"日本語":                                      "日本語",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanCapsBetweenClusters(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{strings.Repeat("x", cellCap+1), strings.Repeat("x", cellCap)},
		{"x" + strings.Repeat("é", cellCap), "x" + strings.Repeat("é", (cellCap-1)/2)},
		{strings.Repeat("x", cellCap-2) + "日", strings.Repeat("x", cellCap-2)},
		{strings.Repeat("x", cellCap-1) + "q\u0301", strings.Repeat("x", cellCap-1)}, // q and its accent are one
		{strings.Repeat("\x1b[0m", cellCap/8) + strings.Repeat("x", cellCap), strings.Repeat("x", cellCap)},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("Clean gives %d bytes that end in %q, want %d", len(got), got[max(0, len(got)-6):], len(c.want))
		}
	}
}

func TestMarksWithoutEndDoNotMakeTheRestOfATextVanish(t *testing.T) {
	if got := Clean("e" + strings.Repeat("\u0301", 5000) + " out of memory"); !strings.HasSuffix(got, "\ufffd out of memory") {
		t.Errorf("the text behind a heap of marks is lost: %q", got)
	}
}

func TestEveryCharacterIsSafeAloneAndBetweenOthers(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) || unicode.Is(unicode.Co, r) {
			continue
		}
		for _, in := range []string{string(r), "a" + string(r) + "b", "日" + string(r) + string(r)} {
			out := Clean(in)
			if h, bad := harmful(out); bad {
				t.Fatalf("%U leaves %U: %q", r, h, out)
			}
			if ansi.StringWidth(out) != ansi.StringWidthWc(out) {
				t.Fatalf("%U in %q: %d cells in clusters, %d in characters", r, out, ansi.StringWidth(out), ansi.StringWidthWc(out))
			}
		}
	}
}

// The renderer parses what it is given: what is drawn must be the clean text in the terminal's own colours, and the next
// cell must be where Width says.
func TestRendererDrawsCleanTextCellByCell(t *testing.T) {
	for _, method := range []ansi.Method{ansi.WcWidth, ansi.GraphemeWidth} {
		for _, in := range hostile {
			out := Clean(in)
			w := Width(out)
			buffer := uv.NewScreenBuffer(w+2, 1)
			buffer.Method = method
			uv.NewStyledString(out+"|").Draw(buffer, buffer.Bounds())
			if c := buffer.CellAt(w, 0); c == nil || c.Content != "|" {
				t.Errorf("%q: no mark in cell %d, method %d", out, w, method)
			}
			for x := range w {
				if c := buffer.CellAt(x, 0); c != nil && (!c.Style.IsZero() || !c.Link.IsZero()) {
					t.Errorf("%q: cell %d has a style or a link", out, x)
				}
			}
		}
	}
}

func TestAsciiIsCleanedAndMeasuredWithoutAllocations(t *testing.T) {
	const s = "shop/checkout-7d9f8c6b5-x2k4q"
	var b strings.Builder
	b.Grow(1 << 16)
	for name, run := range map[string]func(){
		"Clean":        func() { _ = Clean(s) },
		"Width":        func() { _ = Width(s) },
		"AppendPadded": func() { AppendPadded(&b, s, 40, false); AppendPadded(&b, s, 20, true) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCleanAscii(b *testing.B) {
	for b.Loop() {
		Clean("Back-off restarting failed container checkout in pod checkout-7d9f8c6b5-x2k4q")
	}
}

func BenchmarkCleanHostile(b *testing.B) {
	for b.Loop() {
		Clean("\x1b]0;title\x07Back-off \x1b[31mrestarting\x1b[0m failed\ncontainer \u202echeckout 日本語")
	}
}
