// Package text makes text safe and measures it. Its one rule: whatever somebody wrote into a cluster reaches the terminal
// only through Clean, and every width that the screen relies on comes from here.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"
)

const (
	// cellCap bounds what one cell can hold, in bytes.
	cellCap = 4 << 10

	// clusterCap bounds one cluster, in bytes. Real ones stay below it; what is longer is a base letter under a heap of
	// marks, which terminals draw over the lines beside it.
	clusterCap = 32

	replacement = "\uFFFD"
)

// Clean makes one line that a terminal can only show: valid UTF-8 in normal form C, at most 4 KiB. Escape sequences go,
// 7-bit and 8-bit, one without an end up to the end of the text. A tab becomes a space, a line break ⏎, every other
// control character \xNN. U+FFFD stands for each character that is invisible or turns the direction of text, so that
// nothing hides in a name, and for each cluster that terminals do not agree on in width. Printable ASCII is given back as
// it is, without an allocation. Cleaning twice changes nothing.
//
// Neither kubectl's sanitiser (printers.EscapeTerminal in k8s.io/cli-runtime, made for CVE-2021-25743) nor ansi.Strip is
// enough: both leave 8-bit controls and bidirectional overrides.
func Clean(s string) string {
	if printable(s) {
		return s[:min(len(s), cellCap)]
	}
	return scrub(s)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// scrub bounds what it reads as well: the room above cellCap is for sequences that go.
func scrub(s string) string {
	s = strings.ToValidUTF8(prefix(s, 4*cellCap), replacement)
	var b strings.Builder
	b.Grow(min(len(s), cellCap))
	for i := 0; i < len(s); {
		if n := sequence(s[i:]); n > 0 {
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r >= 0x20 && r < 0x7f:
			b.WriteByte(byte(r))
		case r == '\r' && i < len(s) && s[i] == '\n':
			// the line feed says it
		case r == '\n' || r == '\r':
			b.WriteString(" ⏎ ")
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsControl(r):
			b.WriteString(`\x`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		case r == '\ufe0e' || r == '\ufe0f':
			// They only choose between two looks of the sign before them, in every other emoji.
		case invisible(r):
			b.WriteString(replacement)
		default:
			b.WriteRune(r)
		}
	}
	return steady(norm.NFC.String(b.String()))
}

// prefix gives at most n bytes of s, without a part of a character at its end.
func prefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for cut := n; cut > n-utf8.UTFMax; cut-- {
		if utf8.RuneStart(s[cut]) {
			return s[:cut]
		}
	}
	return s[:n]
}

// invisible tells the characters that show nothing, join what stands beside them or turn the direction of text: format
// characters, line and paragraph separators, and what Unicode calls default ignorable.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point)
}

// steady replaces the clusters that terminals do not agree on, and stops before the cluster that goes beyond cellCap.
// Where the width of a cluster is not the sum of the widths of its characters, a terminal that knows clusters
// moves its cursor otherwise than one that does not; one without width belongs to whatever stands before the text.
func steady(s string) string {
	var b strings.Builder
	b.Grow(min(len(s), cellCap))
	for len(s) > 0 {
		size, width := first(s)
		cluster := s[:size]
		s = s[size:]
		agreed := size == 1 || size <= clusterCap && width > 0 && width == ansi.StringWidthWc(cluster)
		if !agreed {
			cluster = replacement
		}
		if b.Len()+len(cluster) > cellCap {
			break
		}
		b.WriteString(cluster)
	}
	return b.String()
}
