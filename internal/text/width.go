package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/rivo/uniseg"
)

// first gives the first cluster of s: what a reader calls a character.
func first(s string, state int) (cluster, rest string, next int) {
	cluster, rest, _, next = uniseg.FirstGraphemeClusterInString(s, state)
	return cluster, rest, next
}

// Width is how many cells clean text takes.
func Width(s string) int {
	if printable(s) {
		return len(s)
	}
	return ansi.StringWidth(s)
}

// Cut gives s if it fits into w cells, and otherwise as much of its beginning as fits with the ellipsis behind it.
func Cut(s string, w int, ellipsis string) string {
	if Width(s) <= w {
		return s
	}
	room := w - Width(ellipsis)
	if room < 0 {
		return start(s, w)
	}
	return start(s, room) + ellipsis
}

// CutMiddle is Cut for names, whose ends tell them apart: the ellipsis stands in the middle, and about a third of what
// fits is kept of the end, at least five cells where there is room for them.
func CutMiddle(s string, w int, ellipsis string) string {
	if Width(s) <= w {
		return s
	}
	room := w - Width(ellipsis)
	if room < 2 {
		return Cut(s, w, ellipsis)
	}
	tail := max(room/3, min(5, room/2))
	back := end(s, tail)
	return start(s, room-Width(back)) + ellipsis + back
}

// start gives as much of the beginning of s as fits into w cells.
func start(s string, w int) string {
	if printable(s) {
		return s[:max(0, min(w, len(s)))]
	}
	used, at := 0, 0
	for rest, state := s, -1; len(rest) > 0; {
		var cluster string
		cluster, rest, state = first(rest, state)
		if used += ansi.StringWidth(cluster); used > w {
			break
		}
		at += len(cluster)
	}
	return s[:at]
}

// end gives as much of the end of s as fits into w cells.
func end(s string, w int) string {
	if printable(s) {
		return s[len(s)-max(0, min(w, len(s))):]
	}
	over := ansi.StringWidth(s) - w
	rest, state := s, -1
	for over > 0 && len(rest) > 0 {
		var cluster string
		cluster, rest, state = first(rest, state)
		over -= ansi.StringWidth(cluster)
	}
	return rest
}

const spaces = "                                                                                                    "

// AppendPadded writes exactly w cells: s, cut at its end if it is longer, with spaces behind it or, if right, before it.
func AppendPadded(b *strings.Builder, s string, w int, right bool) {
	width := Width(s)
	if width > w {
		s = start(s, w)
		width = Width(s)
	}
	if !right {
		b.WriteString(s)
	}
	for pad := w - width; pad > 0; pad -= len(spaces) {
		b.WriteString(spaces[:min(pad, len(spaces))])
	}
	if right {
		b.WriteString(s)
	}
}

// Splice puts a styled text on top of a styled line, from cell x on. What it covers goes; the rest keeps its colours.
func Splice(line string, x int, over string) string {
	width := ansi.StringWidth(line)
	left := ansi.Cut(line, 0, x)
	right := ansi.Cut(line, x+ansi.StringWidth(over), width)
	return left + over + right
}

// Wrap breaks clean text into lines of at most w cells, between words where it can.
func Wrap(s string, w int) []string {
	if Width(s) <= w {
		return []string{s}
	}
	return strings.Split(ansi.Wrap(s, max(w, 1), "/-,"), "\n")
}
