package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
)

// position is "1-16 of 61".
func position(top, shown, count int) string {
	return fmt.Sprintf("%d-%d of %d", top+1, top+shown, count)
}

// help shows the keys that count in the focused pane, from the key table, in columns where there is room.
func (a *App) help() *sheet {
	name := a.pane().Strip(a.rowTime()).Name
	title := "Keys for " + chip(a.focus, a.pane())[2:]
	if name != "" {
		title += ", " + name
	}
	return a.helpFor(a.pane().Scope(), title)
}

// helpOver shows the keys that count on the sheet of an action, which comes back when the help is closed.
func (a *App) helpOver(r *review) {
	s := a.helpFor(r.scope(), "Keys for this sheet")
	s.under = r
	a.overlay = s
}

func (a *App) helpFor(scope keymap.Scope, title string) *sheet {
	s := &sheet{app: a, in: keymap.Help, title: title, right: "search: " + a.keys.Key(keymap.HelpSearch)}
	s.lines = func(w int) []row {
		columns := max(1, (w-2)/helpColumn)
		if s.search != nil {
			columns = 1 // each line that is found is one key
		}
		return a.helpRows(scope, w, columns)
	}
	return s
}

// helpColumn is the width of one column of the help.
const helpColumn = 38

func (a *App) helpRows(scope keymap.Scope, w, n int) []row {
	var out []row
	if why := a.frozenWhy(); why != "" {
		out = []row{{{"  " + why, themes.Text}}, nil}
	}
	columns := make([][]row, n)
	for _, g := range a.keys.Help(scope.Path()) {
		shortest := 0
		for i := range columns {
			if len(columns[i]) < len(columns[shortest]) {
				shortest = i
			}
		}
		columns[shortest] = append(columns[shortest], a.helpGroup(g)...)
	}
	for y := 0; ; y++ {
		var line row
		more := false
		for _, c := range columns {
			var cell row
			if y < len(c) {
				cell, more = c[y], true
			}
			line = append(line, pad(cell, helpColumn)...)
		}
		if !more {
			break
		}
		out = append(out, append(row{{"  ", themes.Text}}, line...))
	}
	return append(out, a.legend(w)...)
}

func (a *App) helpGroup(g keymap.Group) []row {
	out := []row{{{g.Title, themes.Focus}}}
	for _, b := range g.Bindings {
		keys := strings.Join(b.Keys, " ")
		if text.Width(keys) > 14 {
			keys = b.Keys[0]
		}
		r := row{{text.Cut(keys, 14, "") + strings.Repeat(" ", max(1, 15-text.Width(keys))), themes.Text}, {b.Short, themes.Muted}}
		if why := a.why(b); why != "" {
			said := b.Short + ": " + why
			if why == a.frozenWhy() || text.Width(said) > helpColumn-16 {
				said = b.Short // why stands above, or is said when the key is pressed
			}
			r = row{{r[0].text, themes.Border}, {said, themes.Border}}
		}
		out = append(out, r)
	}
	return append(out, row{})
}

// legend explains the glyphs, in as many lines as it takes.
func (a *App) legend(w int) []row {
	out := []row{nil}
	for _, g := range []struct {
		glyph themes.Glyph
		token themes.Token
		word  string
	}{
		{themes.GlyphBad, themes.Bad, "critical"},
		{themes.GlyphWarn, themes.Warn, "warning"},
		{themes.GlyphNotice, themes.Text, "notice"},
		{themes.GlyphOK, themes.Text, "well"},
		{themes.GlyphUnknown, themes.Text, "unknown"},
		{themes.GlyphMarked, themes.Text, "marked"},
	} {
		word := row{{"  " + a.paint.Glyph(g.glyph), g.token}, {" " + g.word, themes.Muted}}
		if width(out[len(out)-1])+width(word) > w {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], word...)
	}
	return out
}

// pad fills a row with spaces up to w cells.
func pad(r row, w int) row {
	if n := w - width(r); n > 0 {
		r = append(r, piece{strings.Repeat(" ", n), themes.Text})
	}
	return r
}

// log shows what went wrong behind the screen, newest first.
func (a *App) log() *sheet {
	return &sheet{
		app: a, in: keymap.Log, title: "Messages of this session", right: "newest first",
		lines: func(w int) []row {
			var out []row
			for _, m := range slices.Backward(a.messages.Records()) {
				at := "  " + a.local(m.Time).Format(time.TimeOnly) + "  "
				for _, l := range text.Wrap(m.Text, max(w-len(at), 10)) {
					out = append(out, row{{at, themes.Muted}, {l, themes.Text}})
					at = strings.Repeat(" ", len(at))
				}
			}
			if len(out) == 0 {
				out = []row{{}, {{"  Nothing has gone wrong.", themes.Muted}}}
			}
			return out
		},
	}
}
