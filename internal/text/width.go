package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Width is how many cells clean text takes. It is what the renderer and the terminal count, whether the terminal knows
// clusters or not: Clean left nothing on which they differ.
func Width(s string) int {
	if printable(s) {
		return len(s)
	}
	return ansi.StringWidth(s)
}

// Cut gives s if it fits into w cells, and otherwise as much of its beginning as fits with the ellipsis behind it. Where
// not even the ellipsis fits it is left out.
func Cut(s string, w int, ellipsis string) string {
	all := start(s, w)
	if len(all) == len(s) {
		return s
	}
	room := w - Width(ellipsis)
	if room < 0 {
		return all
	}
	return start(s, room) + ellipsis
}

// CutMiddle is Cut for names, which often differ only at their ends: the ellipsis stands in the middle, and about a third
// of what fits is kept of the end, at least five cells where there is room for them.
func CutMiddle(s string, w int, ellipsis string) string {
	room := w - Width(ellipsis)
	if room < 2 || len(start(s, w)) == len(s) {
		return Cut(s, w, ellipsis)
	}
	tail := end(s, max(room/3, min(5, room/2)))
	return start(s, room-Width(tail)) + ellipsis + tail
}

// CutStart is Cut for text that somebody types: its end stays.
func CutStart(s string, w int, ellipsis string) string {
	if len(start(s, w)) == len(s) {
		return s
	}
	room := w - Width(ellipsis)
	if room < 0 {
		return end(s, w)
	}
	return ellipsis + end(s, room)
}

// first gives the length of the first cluster of s and its width in cells.
func first(s string) (size, width int) {
	if s[0] >= 0x20 && s[0] <= 0x7e && (len(s) == 1 || s[1] < 0x80) {
		return 1, 1
	}
	cluster, width := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	return len(cluster), width
}

// start gives as much of the beginning of s as fits into w cells. It does not read further than that.
func start(s string, w int) string {
	for i := 0; i < len(s); {
		size, width := first(s[i:])
		if w -= width; w < 0 {
			return s[:i]
		}
		i += size
	}
	return s
}

// end gives as much of the end of s as fits into w cells.
func end(s string, w int) string {
	for over := Width(s) - w; over > 0; {
		size, width := first(s)
		over -= width
		s = s[size:]
	}
	return s
}

const spaces = "                                                                                                    "

// AppendPadded writes exactly w cells: s, cut at its end if it is longer, with spaces behind it or, if right, before it.
func AppendPadded(b *strings.Builder, s string, w int, right bool) {
	s = start(s, w)
	pad := w - Width(s)
	if right {
		appendSpaces(b, pad)
	}
	b.WriteString(s)
	if !right {
		appendSpaces(b, pad)
	}
}

func appendSpaces(b *strings.Builder, n int) {
	for ; n > 0; n -= len(spaces) {
		b.WriteString(spaces[:min(n, len(spaces))])
	}
}

// Wrap breaks clean text into lines of at most w cells: where it has line feeds, between words, and within a word only if
// that would otherwise leave a line half empty, then behind punctuation if it can. Spaces around a break and at the end go.
// A wide character stands alone on its line where w is 1.
func Wrap(s string, w int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(s, "\n") {
		for {
			n := fit(paragraph, w)
			lines = append(lines, strings.TrimRight(paragraph[:n], " "))
			rest := strings.TrimLeft(paragraph[n:], " ")
			if rest == "" {
				break
			}
			paragraph = rest
		}
	}
	return lines
}

// fit gives how many bytes of s go on a line of w cells.
func fit(s string, w int) int {
	line := start(s, w)
	n := len(line)
	switch {
	case n == len(s) || n > 0 && s[n] == ' ':
		return n
	case n == 0:
		n, _ = first(s)
		return n
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	space := strings.LastIndexByte(line, ' ')
	if space < indent {
		space = -1
	}
	if space >= n/2 {
		return space
	}
	if mark := strings.LastIndexAny(line, "/-,;:="); mark > max(space, indent) {
		return mark + 1
	}
	if space > 0 {
		return space
	}
	return n
}
