package ui

import (
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
)

// footers are the keys worth a reminder in each scope, the most needed first. Their words and keys come from the key
// table; what does not fit is in the help.
var footers = map[keymap.Scope][]keymap.ID{
	keymap.Nodes: {
		keymap.NodePods, keymap.ShowDetails, keymap.EditFilter, keymap.SortBy, keymap.NextPane, keymap.Mark,
		keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.Freeze, keymap.ShowHelp,
	},
	keymap.Pods: {
		keymap.PodNode, keymap.ShowDetails, keymap.EditFilter, keymap.SortBy, keymap.NextPane, keymap.Mark,
		keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.Freeze, keymap.ShowHelp,
	},
	keymap.Filter:  {keymap.FilterKeep, keymap.FilterClear, keymap.FilterEmpty},
	keymap.Palette: {keymap.PaletteGo, keymap.PaletteNext, keymap.PalettePrevious, keymap.PaletteClose},
	keymap.Help:    {keymap.TextClose, keymap.HelpSearch, keymap.TextDown, keymap.TextUp},
	keymap.Details: {keymap.TextClose, keymap.TextDown, keymap.TextUp, keymap.CopyName},
	keymap.Log:     {keymap.TextClose, keymap.TextDown, keymap.TextUp},
}

// last stays in the footer however narrow the screen.
const last = keymap.ShowHelp

// drawFooter shows the keys that count here, the greyed ones among them, or what may follow a key that waits for more.
func (a *App) drawFooter(w int) string {
	l := newLine(a.paint, w)
	l.say(" ", themes.Text)
	if len(a.pending.Pending) > 0 {
		return a.drawWhichKey(l)
	}
	ids := footers[a.scope()]
	if a.overlay == nil && a.input == nil && !a.up() {
		ids = append([]keymap.ID{keymap.ReadAgain}, ids...)
	}
	reserve := 0
	if b, ok := a.keys.Lookup(last); ok && len(ids) > 0 && ids[len(ids)-1] == last {
		reserve = hintWidth(b)
	}
	for _, id := range ids {
		b, ok := a.keys.Lookup(id)
		if !ok || len(b.Keys) == 0 {
			continue
		}
		if id != last && hintWidth(b) > l.room()-reserve {
			continue
		}
		a.hint(l, b)
	}
	return l.String()
}

func hintWidth(b keymap.Binding) int { return text.Width(b.Keys[0]) + 1 + text.Width(b.Short) + 2 }

// hint adds "key what" to a line, dimmed when the key does nothing now.
func (a *App) hint(l *line, b keymap.Binding) {
	key, word := themes.Focus, themes.Muted
	if a.overlay == nil && a.why(b) != "" {
		key, word = themes.Border, themes.Border
	}
	l.say(b.Keys[0], key)
	l.say(" "+b.Short+"  ", word)
}

// drawWhichKey lists what may follow.
func (a *App) drawWhichKey(l *line) string {
	l.bold(a.pending.Prefix.Short, themes.Text)
	l.say("  ", themes.Text)
	for _, b := range a.pending.Pending {
		if len(b.Keys) == 0 || hintWidth(b) > l.room()-len("esc cancel") {
			continue
		}
		l.say(b.Keys[0], themes.Focus)
		l.say(" "+b.Short+"  ", themes.Muted)
	}
	l.fill(len("esc cancel") + 1)
	l.say("esc", themes.Focus)
	l.say(" cancel", themes.Muted)
	return l.String()
}
