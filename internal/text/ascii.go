package text

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// plainer are the signs of ours that have a likeness in ASCII.
var plainer = map[string]string{
	"…": "~", "·": "-", "›": ">", "→": ">", "⏎": "/", "✓": "+", "✗": "x", "│": "|",
	"▁": "_", "▂": ".", "▃": "-", "▄": ":", "▅": "=", "▆": "+", "▇": "#", "█": "#", // of sparklines and bars
	"▏": " ", "▎": " ", "▍": " ", "▌": "#", "▋": "#", "▊": "#", "▉": "#",
}

// ASCII makes a text, styled or not, fit for a terminal that shows nothing else: an accent goes, a sign of ours becomes its
// likeness, and everything else a question mark for each cell that it takes. The width stays.
func ASCII(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		size, width := first(s)
		b.WriteString(likeness(s[:size], width))
		s = s[size:]
	}
	return b.String()
}

func likeness(cluster string, width int) string {
	if p, ok := plainer[cluster]; ok {
		return p
	}
	if base := norm.NFD.String(cluster)[0]; base < utf8.RuneSelf && width == 1 {
		return string(rune(base))
	}
	return strings.Repeat("?", width)
}
