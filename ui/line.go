package ui

import (
	"strings"

	"ktriage/internal/text"
	"ktriage/themes"
)

// line builds one line of exactly w cells from pieces in different colours.
type line struct {
	b    strings.Builder
	p    *themes.Painter
	w    int
	used int
}

func newLine(p *themes.Painter, w int) *line { return &line{p: p, w: w} }

// room is how many cells are left.
func (l *line) room() int { return l.w - l.used }

// say adds text, cut where the line ends.
func (l *line) say(s string, t themes.Token) { l.put(l.p.Open(t, themes.Plain), s) }

// bold adds bold text.
func (l *line) bold(s string, t themes.Token) { l.put(l.p.Bold(t, themes.Plain), s) }

func (l *line) put(open, s string) {
	if l.room() <= 0 || s == "" {
		return
	}
	s = text.Cut(s, l.room(), l.p.Glyph(themes.GlyphEllipsis))
	l.b.WriteString(open)
	l.b.WriteString(s)
	l.used += text.Width(s)
}

// fill adds spaces until n cells are left.
func (l *line) fill(n int) {
	if pad := l.room() - n; pad > 0 {
		l.b.WriteString(l.p.Open(themes.Text, themes.Plain))
		l.b.WriteString(strings.Repeat(" ", pad))
		l.used += pad
	}
}

// String gives the line, filled up with spaces.
func (l *line) String() string {
	l.fill(0)
	l.b.WriteString(l.p.Close())
	return l.b.String()
}

// piece is a text in a colour.
type piece struct {
	text  string
	token themes.Token
}

func width(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += text.Width(p.text)
	}
	return n
}
