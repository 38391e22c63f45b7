package views

import (
	"cmp"
	"strings"

	"ktriage/internal/text"
	"ktriage/themes"
)

// Rule is a horizontal line that carries words: the head of a pane, of the strip or of a sheet. It is the only border
// that there is.
type Rule struct {
	Heavy      bool   // the focused pane
	Chip       string // on a fill of its own, before everything
	Left       string
	Tail       string // after Left, if there is room for all of it
	Input      *Input // takes the place of Left: "/ text"
	Sigil      string // what stands before the input, "/" unless set
	Right      string
	Glyph      themes.Glyph // before Right, coloured by RightToken; drawn when RightToken is a status
	LeftToken  themes.Token // Text unless set
	RightToken themes.Token // Muted unless set
	State      bool         // Right is a state: it keeps its glyph and is never cut
}

// Draw writes exactly w cells.
func (r Rule) Draw(b *strings.Builder, w int, p *themes.Painter) {
	line, lineToken := p.Glyph(themes.GlyphRule), themes.Border
	if r.Heavy {
		line, lineToken = p.Glyph(themes.GlyphHeavy), themes.Focus
	}
	fill := func(n int) {
		if n > 0 {
			b.WriteString(p.Open(lineToken, themes.Plain))
			for range n {
				b.WriteString(line)
			}
		}
	}
	say := func(s string, t themes.Token, g themes.Ground) {
		b.WriteString(p.Open(t, g))
		b.WriteString(s)
	}

	right := r.Right
	if r.State && right != "" {
		right = p.Glyph(r.Glyph) + " " + right
	}
	chip := ""
	if r.Chip != "" {
		chip = " " + r.Chip + " "
	}
	ellipsis := p.Glyph(themes.GlyphEllipsis)
	room := w - 4 // a line cell at each end, and the spaces around what is said on the left
	if chip != "" {
		room -= text.Width(chip) + 2
	}
	left := r.Left
	if r.Input != nil {
		left = cmp.Or(r.Sigil, "/") + " " + r.Input.Text + " "
	}
	// The position gives way to the title, except where it is a state.
	if !r.State && text.Width(left)+text.Width(right)+4 > room {
		right = lastPart(right)
	}
	if text.Width(right)+4 > room {
		right = ""
	}
	rightRoom := 0
	if right != "" {
		rightRoom = text.Width(right) + 3
	}
	if text.Width(left)+text.Width(r.Tail) <= room-rightRoom {
		left += r.Tail
	}
	if r.Input != nil {
		left = text.CutStart(left, max(room-rightRoom, 0), ellipsis)
	} else {
		left = text.Cut(left, max(room-rightRoom, 0), ellipsis)
	}

	fill(1)
	used := 1
	if chip != "" {
		t := themes.Border
		if r.Heavy {
			t = themes.Ask
		}
		say(chip, t, themes.Plain)
		fill(2)
		used += text.Width(chip) + 2
	}
	if left != "" {
		ground := themes.Plain
		if r.Input != nil {
			ground = themes.InputBg
		}
		say(" ", themes.Text, themes.Plain)
		say(left, r.LeftToken, ground)
		say(" ", themes.Text, themes.Plain)
		used += text.Width(left) + 2
	}
	if right == "" {
		fill(w - used)
		b.WriteString(p.Close())
		return
	}
	fill(w - used - text.Width(right) - 3)
	token := r.RightToken
	if token == themes.Text && !r.State {
		token = themes.Muted
	}
	say(" "+right+" ", token, themes.Plain)
	fill(1)
	b.WriteString(p.Close())
}

// lastPart is what remains of "order · position" when only the position fits.
func lastPart(s string) string {
	if i := strings.LastIndex(s, " · "); i >= 0 {
		return s[i+len(" · "):]
	}
	return s
}
