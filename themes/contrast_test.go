package themes

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
)

// backgrounds are those of the terminals that each theme is made for; "" where it is not made for such a terminal.
var backgrounds = map[string]struct{ dark, light string }{
	"auto":            {"#12161b", "#ffffff"},
	"dark":            {"#12161b", ""},
	"light":           {"", "#ffffff"},
	"high-contrast":   {"#000000", "#ffffff"},
	"nord":            {"#2e3440", ""},
	"solarized-dark":  {"#002b36", ""},
	"solarized-light": {"", "#fdf6e3"},
}

// promise is a colour with its contrast on the theme's own background and on the worst of the common ones.
type promise struct {
	hex        string
	own, worst float64
}

// promised are the colours of the default theme, as screens.md has them. The worst backgrounds are Nord's among the
// dark and Gruvbox' among the light.
var promised = []struct {
	theme      *variant
	own, worst string
	colours    map[Token]promise
}{
	{&dark, "#12161b", "#2e3440", map[Token]promise{
		Text: {"#d6dce3", 13.2, 9.0}, Muted: {"#a3adb8", 8.0, 5.5}, Border: {"#7a8591", 4.8, 3.3}, Focus: {"#5fafe6", 7.6, 5.2},
		OK: {"#a9f7c1", 14.5, 10.0}, Warn: {"#eed123", 11.9, 8.2}, Bad: {"#f8786f", 6.8, 4.7},
		Bar: {"#5b7791", 3.9, 2.7}, Spark: {"#7891a8", 5.5, 3.8},
	}},
	{&light, "#ffffff", "#fbf1c7", map[Token]promise{
		Text: {"#1c2127", 16.2, 14.3}, Muted: {"#535c66", 6.8, 6.0}, Border: {"#76808a", 4.0, 3.5}, Focus: {"#2866ad", 5.8, 5.1},
		OK: {"#10594a", 8.2, 7.3}, Warn: {"#6b5c00", 6.7, 5.9}, Bad: {"#c80d5c", 5.7, 5.0},
		Bar: {"#7590ac", 3.3, 2.9}, Spark: {"#64809c", 4.1, 3.6},
	}},
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		s := float64(v>>8) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// ratio is the contrast ratio of WCAG 2.2.
func ratio(a, b color.Color) float64 {
	high, low := luminance(a), luminance(b)
	return (max(high, low) + 0.05) / (min(high, low) + 0.05)
}

// seen is what a terminal makes of a sequence, whatever was in force before it.
func seen(sequence string) uv.Style {
	screen := uv.NewScreenBuffer(1, 1)
	uv.NewStyledString("\x1b[1;3;4;9;31;44m"+sequence+"x").Draw(screen, screen.Bounds())
	return screen.CellAt(0, 0).Style
}

// least is the contrast that a token needs: text 4.5, lines and charts 3 on a pane, as WCAG has it. On the row under the
// cursor charts may be fainter, for their number stands beside them. High contrast is 7 and more, but 256 colours have
// no yellow darker than 58, which has 6.7 on white.
func least(theme string, profile colorprofile.Profile, t Token, g Ground) float64 {
	line := t == Border || t == Bar || t == Spark
	switch {
	case theme == "high-contrast" && profile == colorprofile.ANSI256 && t == Warn && g == Plain:
		return 6.5
	case theme == "high-contrast" && g == Plain:
		return 7
	case line && g == Plain:
		return 3
	case line:
		return 2.5
	}
	return 4.5
}

func TestColoursAndContrastsAreThoseOfTheDesign(t *testing.T) {
	for _, p := range promised {
		for token, want := range p.colours {
			if got := p.theme.tokens[token].fg; got != want.hex {
				t.Errorf("token %d is %s, want %s", token, got, want.hex)
			}
			c := lipgloss.Color(want.hex)
			for ground, figure := range map[string]float64{p.own: want.own, p.worst: want.worst} {
				if got := ratio(c, lipgloss.Color(ground)); math.Abs(got-figure) > 0.06 {
					t.Errorf("%s on %s has a contrast of %.2f, want %.1f", want.hex, ground, got, figure)
				}
			}
		}
	}
}

func TestEverythingCanBeReadOnItsGround(t *testing.T) {
	for _, theme := range Builtin() {
		if _, known := backgrounds[theme.Name]; !known && !theme.mono {
			t.Errorf("no test knows for which background %s is made", theme.Name)
		}
		for dark, back := range map[bool]string{true: backgrounds[theme.Name].dark, false: backgrounds[theme.Name].light} {
			if back == "" {
				continue
			}
			for _, profile := range []colorprofile.Profile{colorprofile.TrueColor, colorprofile.ANSI256} {
				p := Compile(theme, Options{Dark: dark, Profile: profile, UTF8: true})
				for token := range Tokens {
					for _, ground := range []Ground{Plain, CursorBg, BlurBg} {
						checkContrast(t, theme.Name, profile, p, token, ground, lipgloss.Color(back))
					}
				}
				checkContrast(t, theme.Name, profile, p, Text, InputBg, lipgloss.Color(back))
			}
		}
	}
}

// checkContrast computes from what the terminal is sent. The terminal's own text colour is its owner's business.
func checkContrast(
	t *testing.T, theme string, profile colorprofile.Profile, p *Painter, token Token, g Ground, back color.Color,
) {
	t.Helper()
	style := seen(p.Open(token, g))
	if style.Fg == nil && token == Text {
		return
	}
	if style.Bg != nil {
		back = style.Bg
	}
	// Ratios are compared as screens.md gives them, to a tenth.
	if got, want := math.Round(ratio(style.Fg, back)*10)/10, least(theme, profile, token, g); got < want {
		t.Errorf("%s: token %d on ground %d, %q: contrast %.2f, want %.1f", theme, token, g, p.Open(token, g), got, want)
	}
}

func TestFillsBringTheirOwnGround(t *testing.T) {
	for _, theme := range Builtin() {
		for _, profile := range profiles[2:] {
			p := Compile(theme, Options{Dark: true, Profile: profile})
			for token := Ask; token < Tokens; token++ {
				style := seen(p.Open(token, Plain))
				if style.Bg == nil && style.Attrs&uv.AttrReverse == 0 {
					t.Errorf("%s, %v: fill %d has no ground", theme.Name, profile, token)
				}
				for g := range Grounds {
					if p.Open(token, g) != p.Open(token, Plain) {
						t.Errorf("%s, %v: fill %d changes on ground %d", theme.Name, profile, token, g)
					}
				}
			}
		}
	}
}

func TestHighContrastIsHigherThanTheDefaultForEveryState(t *testing.T) {
	high, err := ByName("high-contrast")
	if err != nil {
		t.Fatal(err)
	}
	for isDark, back := range map[bool]color.Color{true: color.Black, false: color.White} {
		usual := Compile(Builtin()[0], Options{Dark: isDark, Profile: colorprofile.TrueColor})
		p := Compile(high, Options{Dark: isDark, Profile: colorprofile.TrueColor})
		for token := range Ask {
			h, u := ratio(seen(p.Open(token, Plain)).Fg, back), ratio(seen(usual.Open(token, Plain)).Fg, back)
			if h <= u && h < 18 {
				t.Errorf("dark %v: token %d has %.1f, the default %.1f", isDark, token, h, u)
			}
		}
	}
}

func TestMonoHasNoColourParametersOnAnyTerminal(t *testing.T) {
	mono, err := ByName("mono")
	if err != nil {
		t.Fatal(err)
	}
	for profile := colorprofile.Unknown; profile <= colorprofile.TrueColor; profile++ {
		checkColourless(t, Compile(mono, Options{Dark: true, Profile: profile}))
		checkColourless(t, Compile(mono, Options{Profile: profile}))
	}
	for _, theme := range Builtin() {
		for _, none := range []colorprofile.Profile{colorprofile.Unknown, colorprofile.NoTTY, colorprofile.ASCII} {
			checkColourless(t, Compile(theme, Options{Dark: true, Profile: none}))
		}
	}
}

func checkColourless(t *testing.T, p *Painter) {
	t.Helper()
	for token := range Tokens {
		for g := range Grounds {
			for _, s := range []string{p.Open(token, g), p.Bold(token, g)} {
				if style := seen(s); style.Fg != nil || style.Bg != nil || strings.Contains(s, "38;") || strings.Contains(s, "48;") {
					t.Errorf("token %d on ground %d is coloured: %q", token, g, s)
				}
			}
		}
	}
}
