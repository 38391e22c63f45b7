package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
	"ktriage/views"
)

// details shows every fact of the row with that UID, of the selected one if it is "", uncut, and keeps them current while
// it is open. What it was opened for it stays with: when the object goes, or a filter hides it, the last facts stay.
func (a *App) details(uid string) *sheet {
	pane := a.pane()
	if uid == "" {
		uid = pane.Place().UID
	}
	known, _ := pane.Details(uid, a.rowTime())
	s := &sheet{app: a, in: keymap.Details, title: known.Title, copies: known.Copy}
	s.step = func(id keymap.ID) tea.Cmd {
		if pane.Place().UID != uid {
			return a.flash("the row is not under the cursor any more", themes.Warn)
		}
		move := map[keymap.ID]keymap.ID{keymap.DetailsNext: keymap.Down, keymap.DetailsPrevious: keymap.Up}[id]
		cmd := a.do(pane.Handle(views.Intent{ID: move}))
		uid, s.top = pane.Place().UID, 0
		return cmd
	}
	s.lines = func(w int) []row {
		s.right = "no longer in the list"
		if d, ok := pane.Details(uid, a.rowTime()); ok {
			known, s.right = d, d.Note
		}
		s.title, s.copies = known.Title, known.Copy
		return a.detailRows(known, w)
	}
	return s
}

// detailName is how wide the names of facts are, and detailShort where none is longer.
const detailName, detailShort = 16, 8

// detailRows are the facts, each in as many lines as it takes, and the sections below them.
func (a *App) detailRows(d views.Details, w int) []row {
	name := detailName
	indent, gap := "  ", "  "
	if !slices.ContainsFunc(d.Facts, func(f views.Fact) bool { return len(f.Name) > detailShort }) {
		name, indent = detailShort, " "
	}
	before := len(indent) + name + len(gap)
	var out []row
	for i, f := range d.Facts {
		said := f.Name
		for _, l := range text.Wrap(f.Value, max(w-before, 10)) {
			line := row{{fmt.Sprintf("%s%-*s%s", indent, name, said, gap), themes.Muted}, {l, severityToken(f.Severity)}}
			if i == 0 && d.Spent > 0 && said != "" {
				line = append(line, a.spentBar(d.Spent, w-width(line))...)
			}
			out = append(out, line)
			said = ""
		}
	}
	for _, s := range d.Sections {
		out = append(out, a.rule(s.Title, s.Note, w))
		for _, l := range a.section(s, w-2) {
			out = append(out, append(row{{" ", themes.Text}}, l.row...))
		}
	}
	return out
}

// spentBar shows how much of an object's time is over, in the room that is left of a line.
func (a *App) spentBar(percent, room int) row {
	words := fmt.Sprintf(" %d%% used", percent)
	cells := min(60, room-text.Width(words)-4)
	if cells < 10 {
		return row{{"  " + words, themes.Muted}}
	}
	full := cells * percent / 100
	return row{
		{"   ", themes.Text},
		{strings.Repeat(a.paint.Glyph(themes.GlyphFull), full), themes.Bar},
		{strings.Repeat(a.paint.Glyph(themes.GlyphEmpty), cells-full), themes.Border},
		{words, themes.Muted},
	}
}

// rule is a line with words in it, as a row of a sheet.
func (a *App) rule(left, right string, w int) row {
	line := a.paint.Glyph(themes.GlyphRule)
	if right != "" {
		right = " " + text.Cut(right, w/2, a.paint.Glyph(themes.GlyphEllipsis)) + " "
	}
	left = " " + text.Cut(left, w-text.Width(right)-6, a.paint.Glyph(themes.GlyphEllipsis)) + " "
	fill := max(0, w-2-text.Width(left)-text.Width(right))
	return row{
		{line, themes.Border}, {left, themes.Text}, {strings.Repeat(line, fill), themes.Border}, {right, themes.Muted}, {line, themes.Border},
	}
}
