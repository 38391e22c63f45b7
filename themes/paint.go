package themes

import (
	"fmt"
	"image/color"
	"strconv"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// Options say what the terminal is like.
type Options struct {
	Dark    bool                 // its background
	Profile colorprofile.Profile // how many colours it shows
	UTF8    bool                 // whether it shows more than ASCII
}

// Painter is a theme compiled for one terminal. All of its methods only look up.
type Painter struct {
	open   [Tokens][Grounds]string
	bold   [Tokens][Grounds]string
	glyphs *[Glyphs]string
}

// Compile makes the painter of a theme.
func Compile(t Theme, o Options) *Painter {
	v := t.light
	if o.Dark {
		v = t.dark
	}
	if t.mono && o.Profile > colorprofile.ASCII {
		o.Profile = colorprofile.ASCII
	}
	p := &Painter{glyphs: &ascii}
	if o.UTF8 {
		p.glyphs = &unicode
	}
	for tok := range Tokens {
		for g := range Grounds {
			params := join(v.tokens[tok].params(o.Profile), v.groundParams(tok, g, o.Profile))
			p.open[tok][g] = sgr(params)
			p.bold[tok][g] = sgr(join(params, "1"))
		}
	}
	return p
}

// Open gives the sequence that establishes a token on a ground, whatever was in force before. Fills bring their own
// ground.
func (p *Painter) Open(t Token, g Ground) string { return p.open[t][g] }

// Bold is Open in bold.
func (p *Painter) Bold(t Token, g Ground) string { return p.bold[t][g] }

// Close gives the sequence that goes back to the terminal's own colours.
func (p *Painter) Close() string { return "\x1b[m" }

// Glyph gives a mark, one cell wide.
func (p *Painter) Glyph(g Glyph) string { return p.glyphs[g] }

// sgr resets and sets: no sequence depends on what was before it.
func sgr(params string) string {
	if params == "" {
		return "\x1b[m"
	}
	return "\x1b[0;" + params + "m"
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ";" + b
}

func (c paint) params(p colorprofile.Profile) string {
	switch {
	case p >= colorprofile.TrueColor:
		return join(rgb("38", c.fg), rgb("48", c.bg))
	case p == colorprofile.ANSI256 && c.x256 != "":
		return own(c.x256)
	case p == colorprofile.ANSI256:
		return join(nearest("38", c.fg), nearest("48", c.bg))
	case p == colorprofile.ANSI:
		return c.x16
	}
	return c.mono
}

// own leaves the terminal's own foreground alone: after a reset it is in force.
func own(params string) string {
	if params == "39" {
		return ""
	}
	return params
}

func (v *variant) groundParams(t Token, g Ground, p colorprofile.Profile) string {
	if t >= Ask && t <= Done || g == Plain {
		return ""
	}
	c := v.grounds[g]
	switch {
	case p >= colorprofile.TrueColor:
		return rgb("48", c.bg)
	case p == colorprofile.ANSI256 && c.x256 != "":
		return c.x256
	case p == colorprofile.ANSI256:
		return nearest("48", c.bg)
	case p == colorprofile.ANSI:
		return c.x16
	}
	return c.mono
}

// rgb gives the parameters of a colour in full: 38;2;r;g;b.
func rgb(which, hex string) string {
	if hex == "" {
		return ""
	}
	r, g, b, _ := lipgloss.Color(hex).RGBA()
	return fmt.Sprintf("%s;2;%d;%d;%d", which, r>>8, g>>8, b>>8)
}

// nearest gives the parameters of the closest of 256 colours: 38;5;n.
func nearest(which, hex string) string {
	if hex == "" {
		return ""
	}
	return which + ";5;" + strconv.Itoa(index(colorprofile.ANSI256.Convert(lipgloss.Color(hex))))
}

// index is the number of an indexed colour.
func index(c color.Color) int {
	switch c := c.(type) {
	case ansi.IndexedColor:
		return int(c)
	case ansi.BasicColor:
		return int(c)
	}
	return 7
}
