package views

import (
	"cmp"
	"slices"
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
	Tail       string       // after Left, if there is room for all of it
	Input      *Input       // takes the place of Left: "/ text"
	Sigil      string       // what stands before the input, "/" unless set
	Right      []string     // from the longest form to the shortest: the first that leaves room for Left is said
	Keep       bool         // the shortest form of Right is said, whatever it takes from Left
	RightToken themes.Token // Muted unless set
	Tees       []int        // the columns at which a line from above ends; words hide them
}

// Draw writes exactly w cells and gives the column of the cursor of Input, -1 without one.
func (r Rule) Draw(b *strings.Builder, w int, p *themes.Painter) (cursor int) {
	d := ruleDrawing{b: b, p: p, tees: r.Tees, glyph: themes.GlyphRule, token: themes.Border}
	if r.Heavy {
		d.glyph, d.token = themes.GlyphHeavy, themes.Focus
	}
	if w < 4 { // no room for a word between two cells of line
		d.fill(w)
		b.WriteString(p.Close())
		return -1
	}
	chip := ""
	if r.Chip != "" {
		chip = " " + r.Chip + " "
	}
	room := w - 4 // a line cell at each end, and the spaces around what is said on the left
	if need := text.Width(chip) + 2; need > room {
		chip = ""
	} else if chip != "" {
		room -= need
	}
	ellipsis := p.Glyph(themes.GlyphEllipsis)
	left := r.Left
	if r.Input != nil {
		left = cmp.Or(r.Sigil, "/") + " " + r.Input.Text() + " "
	}
	right := r.right(room-text.Width(left), room, ellipsis)
	if right != "" {
		room -= text.Width(right) + 3
	}
	room = max(room, 0)

	d.fill(1)
	if chip != "" {
		t := themes.Border
		if r.Heavy {
			t = themes.Ask
		}
		d.say(chip, t, themes.Plain)
		d.fill(2)
	}
	cursor = -1
	switch {
	case r.Input != nil:
		before := text.CutStart(cmp.Or(r.Sigil, "/")+" "+r.Input.Before, max(room-1, 0), ellipsis)
		after := text.Cut(r.Input.After+" ", room-text.Width(before), ellipsis)
		cursor = d.at + 1 + text.Width(before)
		d.say(" ", themes.Text, themes.Plain)
		d.say(before+after, themes.Text, themes.InputBg)
		d.say(" ", themes.Text, themes.Plain)
	case left != "":
		if text.Width(left)+text.Width(r.Tail) <= room {
			left += r.Tail
		}
		d.say(" "+text.Cut(left, room, ellipsis)+" ", themes.Text, themes.Plain)
	}
	if right != "" {
		token := r.RightToken
		if token == themes.Text && !r.Keep {
			token = themes.Muted
		}
		d.fill(w - d.at - text.Width(right) - 3)
		d.say(" "+right+" ", token, themes.Plain)
	}
	d.fill(w - d.at)
	b.WriteString(p.Close())
	return min(cursor, w-1)
}

// right is the form of Right that is said: spare is what Left leaves of the room. Its own spaces and two cells of line
// stand around it.
func (r Rule) right(spare, room int, ellipsis string) string {
	for _, s := range r.Right {
		if s != "" && text.Width(s)+4 <= spare {
			return s
		}
	}
	if !r.Keep || len(r.Right) == 0 {
		return ""
	}
	return text.Cut(r.Right[len(r.Right)-1], max(room-4, 0), ellipsis)
}

// ruleDrawing is a rule as far as it is drawn.
type ruleDrawing struct {
	b     *strings.Builder
	p     *themes.Painter
	tees  []int
	glyph themes.Glyph
	token themes.Token
	at    int // cells written
}

func (d *ruleDrawing) fill(n int) {
	if n <= 0 {
		return
	}
	d.b.WriteString(d.p.Open(d.token, themes.Plain))
	for range n {
		glyph := d.glyph
		if slices.Contains(d.tees, d.at) {
			glyph = themes.GlyphTeeUp
		}
		d.b.WriteString(d.p.Glyph(glyph))
		d.at++
	}
}

func (d *ruleDrawing) say(s string, t themes.Token, g themes.Ground) {
	d.b.WriteString(d.p.Open(t, g))
	d.b.WriteString(s)
	d.at += text.Width(s)
}
