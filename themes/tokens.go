package themes

// Token names a colour by what it means. A token is a foreground; fills and grounds bring their own background.
type Token uint8

// The tokens of screens.md: foregrounds, then fills (text on a ground of their own).
const (
	Text Token = iota
	Muted
	Border
	Focus
	OK
	Warn
	Bad
	Bar
	Spark
	Ask     // fill: tier 1 gate, frozen mark, the chip of the focus
	Caution // fill: tier 2 gate, stale
	Danger  // fill: tier 3 gate, no answer
	Protect // fill: header and frame of a protected context
	Done    // fill: toast of a success
	Tokens  // how many there are
)

// Ground is what lies behind a whole line or field.
type Ground uint8

// The grounds of screens.md.
const (
	Plain     Ground = iota // the terminal's own
	CursorBg                // row under the cursor, focused pane
	BlurBg                  // the same in the other panes
	InputBg                 // text fields
	ChangedBg               // cell changed in the last second
	Grounds                 // how many there are
)

// Glyph is a mark that stands beside a word, never instead of it.
type Glyph uint8

// The glyphs of screens.md, each with an ASCII form for locales that are not UTF-8.
const (
	GlyphOK       Glyph = iota // ·
	GlyphNotice                // ○
	GlyphWarn                  // ▲
	GlyphBad                   // ■
	GlyphUnknown               // ?
	GlyphRunning               // ►
	GlyphLive                  // ●
	GlyphCursor                // ▌
	GlyphBlur                  // ▏
	GlyphMarked                // *
	GlyphRule                  // ─
	GlyphHeavy                 // ━
	GlyphVert                  // │
	GlyphDown                  // ↓ sorted descending
	GlyphUp                    // ↑ sorted ascending
	GlyphMore                  // › more columns to the right
	GlyphSep                   // › between context and namespaces
	GlyphEllipsis              // …
	GlyphFrozen                // =
	GlyphTeeDown               // ┬
	GlyphTeeUp                 // ┴
	GlyphTeeRight              // ├
	GlyphTeeLeft               // ┤
	GlyphCross                 // ┼
	GlyphFull                  // █ what of a bar is behind one
	GlyphEmpty                 // ░ what of it is not
	Glyphs                     // how many there are
)
