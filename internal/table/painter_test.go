package table

import (
	"github.com/charmbracelet/colorprofile"

	"ktriage/themes"
)

var compiled = themes.Compile(themes.Builtin()[0], themes.Options{Dark: true, Profile: colorprofile.TrueColor, UTF8: true})

func painter() *themes.Painter { return compiled }
