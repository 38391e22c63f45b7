package ui

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/filter"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
	"ktriage/views"
)

// filterKey names the pane whose filters are remembered together: requests are not filtered as certificates are.
func (a *App) filterKey() string { return string(a.pane().Scope()) }

// runFilter does what concerns the filter line.
func (a *App) runFilter(id keymap.ID) tea.Cmd {
	if id == keymap.EditFilter {
		return a.editFilter()
	}
	if a.input == nil {
		return nil
	}
	switch id {
	case keymap.FilterKeep:
		return a.keepFilter()
	case keymap.FilterClear:
		a.input = nil
		return a.put(views.Place{Pane: a.before.Pane, UID: a.before.UID, Pin: a.before.Pin})
	case keymap.FilterComplete:
		return a.completeFilter()
	case keymap.FilterSave:
		return a.saveFilter()
	case keymap.FilterSyntax:
		a.open(a.filterSyntax())
		return nil
	case keymap.FilterEarlier:
		return a.recallFilter(1)
	case keymap.FilterLater:
		return a.recallFilter(-1)
	case keymap.FilterEmpty:
		a.input.set("")
	}
	return a.filterTyped()
}

// editFilter opens the filter line. A frozen screen goes on: what is typed now must not be taken for keys, and wants rows.
func (a *App) editFilter() tea.Cmd {
	a.input, a.before = newPrompt(a.pane().Place().Filter), a.pane().Place()
	a.recalled = recalled{draft: a.input.value()}
	if !a.frozen.IsZero() {
		return tea.Batch(a.freeze(), a.flash("the screen goes on", themes.Muted))
	}
	return nil
}

// filterTyped gives the pane what stands in the filter line.
func (a *App) filterTyped() tea.Cmd {
	return a.do(a.pane().Handle(views.Query{Text: a.input.value()}))
}

// keepFilter closes the filter line. What cannot be read is not lost: it can be mended.
func (a *App) keepFilter() tea.Cmd {
	if fault := a.pane().Fault(); fault != nil {
		return a.flash(fault.Reason, themes.Warn)
	}
	typed := strings.TrimSpace(a.input.value())
	a.input = nil
	if typed == "" {
		return nil
	}
	a.filters.Note(a.filterKey(), typed)
	return a.rememberFilters()
}

// rememberFilters writes the filters beside the loop.
func (a *App) rememberFilters() tea.Cmd {
	write := a.filters.Write()
	return func() tea.Msg {
		if err := write(); err != nil {
			a.logger.Warn("filters are not remembered", "err", err)
			return unrememberedMsg{err}
		}
		return nil
	}
}

// unrememberedMsg says that filters could not be written down.
type unrememberedMsg struct{ err error }

// unremembered says so: who has saved one would look for it tomorrow.
func (a *App) unremembered(m unrememberedMsg) tea.Cmd {
	return a.flash("filters are kept for this run only: "+text.Clean(m.err.Error()), themes.Warn)
}

// saveFilter saves what stands in the filter line, or takes it out of what is saved.
func (a *App) saveFilter() tea.Cmd {
	typed := strings.TrimSpace(a.input.value())
	switch fault := a.pane().Fault(); {
	case fault != nil:
		return a.flash("not saved: "+fault.Reason, themes.Warn)
	case typed == "":
		return a.flash("there is no filter to save", themes.Muted)
	}
	said := "not saved any more: " + typed
	if a.filters.Toggle(a.filterKey(), typed) {
		said = "saved: " + typed + "   " + a.keys.Key(keymap.OpenPalette) + " lists it"
	}
	return tea.Batch(a.flash(said, themes.Muted), a.rememberFilters())
}

// recalled is how far back the operator has gone among earlier filters.
type recalled struct {
	at    int    // 0 is what he has typed himself
	draft string // that
}

// recallFilter puts an earlier filter into the line, or a later one; before the first comes what was typed.
func (a *App) recallFilter(step int) tea.Cmd {
	all := a.filters.All(a.filterKey())
	if a.recalled.at == 0 {
		a.recalled.draft = a.input.value()
	}
	to := a.recalled.at + step
	switch {
	case to < 0:
		return nil
	case to > len(all):
		return a.flash("there is no earlier filter of this pane", themes.Muted)
	case to == 0:
		a.input.set(a.recalled.draft)
	default:
		a.input.set(all[to-1])
	}
	a.recalled.at = to
	a.input.input.CursorEnd()
	return a.filterTyped()
}

// completeFilter completes the word before the cursor as far as that is clear, and says what it could become.
func (a *App) completeFilter() tea.Cmd {
	in := a.input.split()
	from, words := a.pane().Language().Complete(in.Before, len(in.Before))
	if len(words) == 0 {
		return a.flash("nothing here to complete; "+a.keys.Key(keymap.FilterSyntax)+" lists fields", themes.Muted)
	}
	before := in.Before
	if common := filter.Common(words); len(common) >= len(before)-from {
		before = before[:from] + common
	}
	a.input.set(before + in.After)
	a.input.input.SetCursor(utf8.RuneCountInString(before))
	cmd := a.filterTyped()
	if len(words) > 1 {
		return tea.Batch(cmd, a.flash(strings.Join(words, "  "), themes.Muted))
	}
	return cmd
}

// filterSyntax shows the language of filters, and the fields of the pane.
func (a *App) filterSyntax() *sheet {
	s := &sheet{app: a, in: keymap.Log, title: "Filters of " + a.pane().Name()}
	facts := views.FilterFacts(a.pane().Language())
	s.lines = func(w int) []row {
		const indent = "    "
		var out []row
		for _, f := range facts {
			out = append(out, row{{"  " + text.Cut(f.Name, w-2, a.paint.Glyph(themes.GlyphEllipsis)), themes.Focus}})
			for _, l := range text.Wrap(f.Value, max(w-len(indent)-2, 10)) {
				out = append(out, row{{indent + l, themes.Text}})
			}
		}
		return out
	}
	return s
}

// filterBy filters the pane by what was saved. Where its rows are others by now, and have other fields, the filter stays as it was.
func (a *App) filterBy(saved string) tea.Cmd {
	before := a.pane().Place().Filter
	cmd := a.do(a.pane().Handle(views.Query{Text: saved}))
	fault := a.pane().Fault()
	if fault == nil {
		return cmd
	}
	back := a.do(a.pane().Handle(views.Query{Text: before}))
	return tea.Batch(cmd, back, a.flash("not filtered: "+fault.Reason, themes.Warn))
}

// filterEntries are the saved filters of the focused pane, for the palette.
func (a *App) filterEntries() []entry {
	var out []entry
	for _, saved := range a.filters.Saved(a.filterKey()) {
		out = append(out, entry{
			name: "filter: " + saved, kind: kindCommand, off: a.frozenWhy(),
			run: func() tea.Cmd { return a.filterBy(saved) },
		})
	}
	return out
}
