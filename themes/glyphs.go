package themes

// unicode are the glyphs for terminals that show more than ASCII.
var unicode = [Glyphs]string{
	GlyphOK: "·", GlyphNotice: "○", GlyphWarn: "▲", GlyphBad: "■", GlyphUnknown: "?", GlyphRunning: "►", GlyphLive: "●",
	GlyphCursor: "▌", GlyphBlur: "▏", GlyphMarked: "*", GlyphRule: "─", GlyphHeavy: "━", GlyphVert: "│", GlyphDown: "↓",
	GlyphUp: "↑", GlyphMore: "›", GlyphSep: "›", GlyphEllipsis: "…", GlyphFrozen: "=", GlyphTeeDown: "┬", GlyphTeeUp: "┴",
	GlyphTeeRight: "├", GlyphTeeLeft: "┤", GlyphCross: "┼", GlyphFull: "█", GlyphEmpty: "░",
}

// ascii are the glyphs for all others.
var ascii = [Glyphs]string{
	GlyphOK: ".", GlyphNotice: "o", GlyphWarn: "!", GlyphBad: "X", GlyphUnknown: "?", GlyphRunning: ">", GlyphLive: "*",
	GlyphCursor: ">", GlyphBlur: "|", GlyphMarked: "*", GlyphRule: "-", GlyphHeavy: "=", GlyphVert: "|", GlyphDown: "v",
	GlyphUp: "^", GlyphMore: ">", GlyphSep: ">", GlyphEllipsis: "~", GlyphFrozen: "=", GlyphTeeDown: "+", GlyphTeeUp: "+",
	GlyphTeeRight: "+", GlyphTeeLeft: "+", GlyphCross: "+", GlyphFull: "#", GlyphEmpty: ".",
}
