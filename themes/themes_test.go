package themes

import (
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// profiles are all that a terminal can be found to be.
var profiles = []colorprofile.Profile{
	colorprofile.Unknown, colorprofile.NoTTY, colorprofile.ASCII, colorprofile.ANSI, colorprofile.ANSI256, colorprofile.TrueColor,
}

// everyPainter compiles every theme for every terminal.
func everyPainter(run func(name string, o Options, p *Painter)) {
	for _, theme := range Builtin() {
		for _, profile := range profiles {
			for _, dark := range []bool{true, false} {
				for _, utf8 := range []bool{true, false} {
					o := Options{Dark: dark, Profile: profile, UTF8: utf8}
					run(theme.Name, o, Compile(theme, o))
				}
			}
		}
	}
}

// sgrForm is a reset, alone or with parameters after it.
var sgrForm = regexp.MustCompile(`^\x1b\[(0(;\d+)+)?m$`)

func TestEverySequenceBeginsWithAReset(t *testing.T) {
	everyPainter(func(name string, o Options, p *Painter) {
		for token := range Tokens {
			for g := range Grounds {
				for _, s := range []string{p.Open(token, g), p.Bold(token, g), p.Close()} {
					if !sgrForm.MatchString(s) || ansi.Strip(s) != "" {
						t.Errorf("%s, %+v: token %d on ground %d is %q", name, o, token, g, s)
					}
				}
			}
		}
	})
}

func TestNothingThatWasInForceLeaksIntoASequence(t *testing.T) {
	fresh := func(s string) uv.Style {
		screen := uv.NewScreenBuffer(1, 1)
		uv.NewStyledString(s+"x").Draw(screen, screen.Bounds())
		return screen.CellAt(0, 0).Style
	}
	everyPainter(func(name string, o Options, p *Painter) {
		for token := range Tokens {
			for g := range Grounds {
				alone, after := fresh(p.Open(token, g)), seen(p.Open(token, g))
				if !alone.Equal(&after) {
					t.Errorf("%s, %+v: token %d on ground %d is %v alone and %v after another", name, o, token, g, alone, after)
				}
				if b := seen(p.Bold(token, g)); b.Attrs&uv.AttrBold == 0 {
					t.Errorf("%s, %+v: token %d on ground %d is not bold: %q", name, o, token, g, p.Bold(token, g))
				}
			}
		}
		if s := seen(p.Close()); !s.IsZero() {
			t.Errorf("%s: after Close there is %v", name, s)
		}
	})
}

// Every parameter must be one that a terminal of that kind knows: 256 colours are given by index, 16 by their own codes.
func TestATerminalIsSentOnlyWhatItUnderstands(t *testing.T) {
	allowed := map[colorprofile.Profile]*regexp.Regexp{
		colorprofile.TrueColor: regexp.MustCompile(`^(38;2;\d+;\d+;\d+)?;?(48;2;\d+;\d+;\d+)?(;1)?$`),
		colorprofile.ANSI256:   regexp.MustCompile(`^(38;5;\d+)?;?(48;5;\d+)?;?1?$`),
		colorprofile.ANSI:      regexp.MustCompile(`^([12347]|3[1-7])(;([12347]|3[1-7]))*$`),
		colorprofile.ASCII:     regexp.MustCompile(`^[1247](;[1247])*$`),
	}
	everyPainter(func(name string, o Options, p *Painter) {
		if name == "mono" {
			o.Profile = min(o.Profile, colorprofile.ASCII)
		}
		form := allowed[max(o.Profile, colorprofile.ASCII)]
		for token := range Tokens {
			for g := range Grounds {
				for _, s := range []string{p.Open(token, g), p.Bold(token, g)} {
					params := strings.TrimSuffix(strings.TrimPrefix(s, "\x1b[0;"), "m")
					if s != "\x1b[m" && !form.MatchString(params) {
						t.Errorf("%s, %v: token %d on ground %d is %q", name, o.Profile, token, g, s)
					}
				}
			}
		}
	})
}

func TestTheRowUnderTheCursorCanBeSeenOnEveryTerminal(t *testing.T) {
	everyPainter(func(name string, o Options, p *Painter) {
		for token := range Ask {
			plain, cursor := seen(p.Open(token, Plain)), seen(p.Open(token, CursorBg))
			if cursor.Bg == nil && cursor.Attrs&uv.AttrReverse == 0 || cursor.Equal(&plain) {
				t.Errorf("%s, %+v: token %d under the cursor is %q", name, o, token, p.Open(token, CursorBg))
			}
		}
	})
}

func TestStatesAreToldByGlyphsAndNotByColourAlone(t *testing.T) {
	everyPainter(func(name string, o Options, p *Painter) {
		marks := map[string]Glyph{}
		for _, g := range []Glyph{GlyphOK, GlyphNotice, GlyphWarn, GlyphBad, GlyphUnknown} {
			if other, taken := marks[p.Glyph(g)]; taken {
				t.Errorf("%s, %+v: glyphs %d and %d are both %q", name, o, g, other, p.Glyph(g))
			}
			marks[p.Glyph(g)] = g
		}
	})
}

func TestStatesDifferInColourWhereThereIsColour(t *testing.T) {
	everyPainter(func(name string, o Options, p *Painter) {
		if o.Profile < colorprofile.ANSI || name == "mono" {
			return
		}
		for _, pair := range [][2]Token{{OK, Warn}, {OK, Bad}, {Warn, Bad}} {
			if p.Open(pair[0], Plain) == p.Open(pair[1], Plain) {
				t.Errorf("%s, %+v: tokens %d and %d are both %q", name, o, pair[0], pair[1], p.Open(pair[0], Plain))
			}
		}
	})
}

func TestGlyphsAreOneCellWide(t *testing.T) {
	for _, utf8 := range []bool{true, false} {
		p := Compile(Builtin()[0], Options{UTF8: utf8})
		for g := range Glyphs {
			s := p.Glyph(g)
			if ansi.StringWidth(s) != 1 || ansi.StringWidthWc(s) != 1 {
				t.Errorf("glyph %d, %q, has %d cells, %d by characters", g, s, ansi.StringWidth(s), ansi.StringWidthWc(s))
			}
			if !utf8 && (len(s) != 1 || s[0] <= ' ' || s[0] > '~') {
				t.Errorf("glyph %d, %q, is not ASCII", g, s)
			}
		}
	}
}

func TestThemesAreFoundByTheirNames(t *testing.T) {
	seen := map[string]bool{}
	for _, theme := range Builtin() {
		found, err := ByName(theme.Name)
		if err != nil || found != theme || seen[theme.Name] {
			t.Errorf("%s: found %v, error %v, seen before %v", theme.Name, found, err, seen[theme.Name])
		}
		seen[theme.Name] = true
	}
}

func TestTheErrorForAnUnknownThemeNamesThoseThatThereAre(t *testing.T) {
	_, err := ByName("solarised")
	if err == nil {
		t.Fatal("a theme was found")
	}
	for _, want := range []string{`"solarised"`, "auto", "dark", "light", "high-contrast", "nord", "solarized-dark", "solarized-light", "mono"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not contain %s", err, want)
		}
	}
}

func TestOnlyThemesWithTwoVariantsFollowTheBackground(t *testing.T) {
	for name, follows := range map[string]bool{
		"auto": true, "high-contrast": true, "dark": false, "light": false, "nord": false, "solarized-dark": false, "solarized-light": false,
	} {
		theme, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		onDark := Compile(theme, Options{Dark: true, Profile: colorprofile.TrueColor})
		onLight := Compile(theme, Options{Profile: colorprofile.TrueColor})
		if got := onDark.Open(Text, Plain) != onLight.Open(Text, Plain); got != follows {
			t.Errorf("%s differs by background: %v, want %v", name, got, follows)
		}
	}
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	p := Compile(Builtin()[0], Options{Dark: true, Profile: colorprofile.TrueColor, UTF8: true})
	if n := testing.AllocsPerRun(100, func() { _, _, _ = p.Open(Bad, CursorBg), p.Bold(Warn, Plain), p.Glyph(GlyphBad) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
