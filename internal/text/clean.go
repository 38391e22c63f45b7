// Package text makes text safe and measures it. Its one rule: whatever somebody wrote into a cluster reaches the terminal
// only through Clean, and every width that the screen relies on comes from here.
package text

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"
)

const (
	// cellCap bounds what one cell can hold, in bytes, and detailCap a text of several lines.
	cellCap   = 4 << 10
	detailCap = 64 << 10
)

// Clean makes one line that a terminal can only show: valid UTF-8 in normal form C, at most 4 KiB, without escape
// sequences (7-bit and 8-bit, complete or not), line breaks as ⏎, tabs as spaces, other control characters as \xNN, and
// without characters that are invisible or change the direction of text. Neither kubectl's own sanitiser nor ansi.Strip
// is enough: see CVE-2021-25743 and the 8-bit controls that both leave. Printable ASCII is given back as it is.
func Clean(s string) string {
	if printable(s) && len(s) <= cellCap {
		return s
	}
	return scrub(s, cellCap, false)
}

// CleanLines is Clean for text of several lines: line feeds stay, at most 64 KiB.
func CleanLines(s string) string {
	return scrub(s, detailCap, true)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func scrub(s string, most int, lines bool) string {
	// What is cut away anyway need not be read; the rest of a cap is room for escape sequences that go.
	s = strings.ToValidUTF8(head(s, 4*most), "\uFFFD")
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := sequence(s[i:]); n > 0 {
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '\r' && i < len(s) && s[i] == '\n':
			// the line feed says it
		case r == '\n' && lines:
			b.WriteByte('\n')
		case r == '\n' || r == '\r':
			b.WriteString(" ⏎ ")
		case r == '\t':
			b.WriteByte(' ')
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			b.WriteString(`\x`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		case invisible(r):
		default:
			b.WriteRune(r)
		}
	}
	return head(steady(norm.NFC.String(b.String())), most)
}

// sequence gives the length of the escape sequence that s begins with, 0 if it begins with none. A sequence that does not
// end takes everything.
func sequence(s string) int {
	intro, body := introducer(s)
	switch intro {
	case 0:
		return 0
	case '[':
		return body + control(s[body:])
	case ']', 'P', 'X', '^', '_':
		return body + stringEnd(s[body:])
	}
	// ESC and one more, with intermediate bytes between: charset, reset and the like.
	for body < len(s) && s[body-1] >= 0x20 && s[body-1] <= 0x2f {
		body++
	}
	return min(body, len(s))
}

// introducer recognises ESC x and its 8-bit form U+0080 to U+009F; body is where what follows begins.
func introducer(s string) (intro byte, body int) {
	switch {
	case len(s) >= 2 && s[0] == 0x1b && s[1] >= 0x20 && s[1] < 0x7f:
		return s[1], 2
	case len(s) >= 2 && s[0] == 0xc2:
		switch s[1] {
		case 0x9b:
			return '[', 2
		case 0x9d:
			return ']', 2
		case 0x90:
			return 'P', 2
		case 0x98:
			return 'X', 2
		case 0x9e:
			return '^', 2
		case 0x9f:
			return '_', 2
		}
	}
	return 0, 0
}

// control gives the length of the rest of a CSI sequence: parameters, intermediates and a final byte.
func control(s string) int {
	i := 0
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		i++
	}
	return i
}

// stringEnd gives the length of the rest of an OSC, DCS, SOS, PM or APC string, which BEL or ST ends.
func stringEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == 0x07:
			return i + 1
		case s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\', s[i] == 0xc2 && i+1 < len(s) && s[i+1] == 0x9c:
			return i + 2
		}
	}
	return len(s)
}

// invisible are characters that show nothing, join what stands beside them, or turn the direction of text.
func invisible(r rune) bool {
	switch {
	case r == 0x00ad, r == 0x034f, r == 0x061c, r == 0x180e, r == 0xfeff, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f:
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// steady replaces clusters that terminals do not agree on: where the width of a cluster is not the sum of the widths of
// its characters, one terminal moves its cursor otherwise than the next.
func steady(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for rest, state := s, -1; len(rest) > 0; {
		var cluster string
		cluster, rest, state = first(rest, state)
		by := ansi.StringWidthWc(cluster)
		if by == ansi.StringWidth(cluster) {
			b.WriteString(cluster)
			continue
		}
		b.WriteRune('\uFFFD')
	}
	return b.String()
}

// head gives at most n bytes of s, whole clusters only.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := 0
	for rest, state := s, -1; len(rest) > 0; {
		var cluster string
		cluster, rest, state = first(rest, state)
		if end+len(cluster) > n {
			break
		}
		end += len(cluster)
	}
	return s[:end]
}
