package ui

import (
	"strings"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// boxed is a small sheet of plain lines in a frame.
type boxed struct {
	app         *App
	tier        action.Tier
	left, right string
	lines       []wrapped
	foot, esc   string // the line below; "" for none
}

// wrapped is a text that is broken to the width of the frame, behind a margin.
type wrapped struct {
	margin, text       string
	marginToken, token themes.Token
}

func (b *boxed) say(s string, t themes.Token) { b.lines = append(b.lines, wrapped{text: s, token: t}) }

func (b *boxed) fact(name, s string, t themes.Token) {
	b.lines = append(b.lines, wrapped{name + strings.Repeat(" ", max(1, factColumn-text.Width(name))), s, themes.Muted, t})
}

func (b *boxed) choice(key, s string) {
	b.lines = append(b.lines, wrapped{key + strings.Repeat(" ", max(2, factColumn-text.Width(key))), s, themes.Focus, themes.Text})
}

// draw gives the lines of the sheet, each s.W cells wide.
func (b *boxed) draw(s views.Size) []string {
	p := b.app.paint
	box := p.Box(int(b.tier))
	line := func(pieces ...piece) string {
		in := newLine(p, s.W-4)
		for _, x := range pieces {
			in.say(x.text, x.token)
		}
		side := p.Open(themes.Border, themes.Plain) + box.Down
		return side + " " + in.String() + " " + side + p.Close()
	}
	left, right := " "+text.Cut(b.left, s.W-8, "")+" ", ""
	if b.right != "" && text.Width(left)+text.Width(b.right)+8 <= s.W {
		right = " " + b.right + " "
	}
	border := p.Open(themes.Border, themes.Plain)
	out := []string{border + box.TopLeft + box.Across + p.Bold(themes.Text, themes.Plain) + left + border +
		strings.Repeat(box.Across, max(0, s.W-4-text.Width(left)-text.Width(right))) +
		p.Open(themes.Muted, themes.Plain) + right + border + box.Across + box.TopRight + p.Close()}
	for _, w := range b.lines {
		margin := w.margin
		broken := text.Wrap(w.text, s.W-4-text.Width(w.margin))
		if len(broken) == 0 {
			broken = []string{""}
		}
		for _, l := range broken {
			out = append(out, line(piece{margin, w.marginToken}, piece{l, w.token}))
			margin = strings.Repeat(" ", text.Width(margin))
		}
	}
	if b.foot != "" {
		esc := b.app.keys.Key(keymap.TextClose) + "  " + b.esc
		foot := text.Cut(b.foot, s.W-5-text.Width(esc), p.Glyph(themes.GlyphEllipsis))
		out = append(out, border+box.LeftCross+strings.Repeat(box.Across, s.W-2)+box.RightCross+p.Close(),
			line(spread(row{{foot, themes.Muted}}, row{{esc, themes.Muted}}, s.W-4)...))
	}
	return append(out, border+box.BottomLeft+strings.Repeat(box.Across, s.W-2)+box.BottomRight+p.Close())
}
