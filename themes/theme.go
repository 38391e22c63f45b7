// Package themes names colours by what they mean. Its one rule: a theme is compiled once, for one terminal, into escape
// sequences; drawing only looks them up.
package themes

import (
	"fmt"
	"slices"
	"strings"
)

// paint is one entry of a theme: in which colour, on which ground, in which of the three ways that terminals know.
type paint struct {
	fg, bg string // truecolor, "#rrggbb"; "" is the terminal's own
	x256   string // SGR parameters for 256 colours; "" converts fg and bg
	x16    string // SGR parameters for 16 colours
	mono   string // SGR parameters without colour
}

// ground is what lies behind a line.
type ground struct {
	bg   string // truecolor
	x256 string // SGR parameters
	x16  string
	mono string
}

// variant is a theme on one kind of background.
type variant struct {
	tokens  [Tokens]paint
	grounds [Grounds]ground
}

// Theme is a set of colours with a name. A theme whose two variants differ follows the terminal's background.
type Theme struct {
	Name        string
	dark, light *variant
	mono        bool // no colours whatever the terminal can do
}

// Builtin are the themes that come with the program; the first is the default.
func Builtin() []Theme {
	return []Theme{
		{Name: "auto", dark: &dark, light: &light},
		{Name: "dark", dark: &dark, light: &dark},
		{Name: "light", dark: &light, light: &light},
		{Name: "high-contrast", dark: &contrast, light: &contrastLight},
		{Name: "nord", dark: &nord, light: &nord},
		{Name: "solarized-dark", dark: &solarizedDark, light: &solarizedDark},
		{Name: "solarized-light", dark: &solarizedLight, light: &solarizedLight},
		{Name: "mono", dark: &dark, light: &light, mono: true},
	}
}

// ByName finds a theme; the error names those that there are.
func ByName(name string) (Theme, error) {
	all := Builtin()
	i := slices.IndexFunc(all, func(t Theme) bool { return t.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for k, t := range all {
			names[k] = t.Name
		}
		return Theme{}, fmt.Errorf("there is no theme %q; there are %s", name, strings.Join(names, ", "))
	}
	return all[i], nil
}
