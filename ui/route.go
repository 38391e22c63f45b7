package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
	"ktriage/views"
)

// staleLimit is the age of the data beyond which nothing that destroys is offered.
const staleLimit = 30 * time.Second

// scope is where a key counts now: in the text field, in what covers the panes, or in the focused pane.
func (a *App) scope() keymap.Scope {
	switch {
	case a.overlay != nil:
		return a.overlay.scope()
	case a.input != nil:
		return keymap.Filter
	}
	return a.pane().Scope()
}

// key turns a key press into what it means.
func (a *App) key(msg tea.KeyPressMsg) tea.Cmd {
	scope := a.scope()
	if a.typing() && msg.Text != "" && !a.resolver.Waiting() {
		return a.typed(msg)
	}
	m := a.resolver.Resolve(a.keys, msg.String(), scope.Path())
	a.pending = m
	if m.ID == "" {
		if len(m.Pending) == 0 && a.typing() {
			return a.typed(msg)
		}
		return nil
	}
	a.pending = keymap.Match{}
	return a.run(m.ID)
}

// typing reports whether a text field has the focus.
func (a *App) typing() bool {
	if a.overlay != nil {
		return a.overlay.field() != nil
	}
	return a.input != nil
}

// typed gives a key to the text field.
func (a *App) typed(msg tea.Msg) tea.Cmd {
	if a.overlay != nil {
		return a.overlay.field().update(msg)
	}
	cmd := a.input.update(msg)
	return tea.Batch(cmd, a.do(a.pane().Handle(views.Query{Text: a.input.value()})))
}

// paste gives pasted text to the text field that has the focus, and to nothing else: what somebody copied must not act.
func (a *App) paste(s string) tea.Cmd {
	if !a.typing() {
		return a.flash("pasted text was ignored: nothing is being typed", themes.Muted)
	}
	a.dirty = true
	return a.typed(tea.PasteMsg{Content: s})
}

// why gives the reason for which a key does nothing now, "" if it works.
func (a *App) why(b keymap.Binding) string {
	if b.Danger {
		if a.readOnly {
			return "ktriage runs with --read-only"
		}
		if age := a.age(); age > staleLimit || !a.up() {
			return fmt.Sprintf("what you see is %s old; actions are off until the API server answers", text.Age(a.now, a.now.Add(-age)))
		}
	}
	switch b.ID {
	case keymap.HistoryBack:
		if !a.history.canBack() {
			return "there is nothing to go back to"
		}
	case keymap.HistoryForward:
		if !a.history.canForward() {
			return "there is nothing to go forward to"
		}
	case keymap.Zoom:
		if a.layout == single {
			return "the pane has the whole screen already"
		}
	case keymap.Layout, keymap.NextPane, keymap.PreviousPane:
		if len(a.panes) < 2 {
			return "there is one pane"
		}
	}
	return a.pane().Why(b.ID)
}

// up reports whether the server answers.
func (a *App) up() bool {
	h := a.cluster.Health()
	return h.Up || !h.Known
}

// age is how long ago the server last answered, 0 while it answers.
func (a *App) age() time.Duration {
	h := a.cluster.Health()
	if h.Up || !h.Known || h.LastContact.IsZero() {
		return 0
	}
	return a.now.Sub(h.LastContact)
}

// run does what an ID says.
func (a *App) run(id keymap.ID) tea.Cmd {
	if a.overlay != nil {
		if done, cmd := a.runOverlay(id); done {
			return cmd
		}
	}
	if b, ok := a.keys.Lookup(id); ok {
		if why := a.why(b); why != "" {
			return a.flash(b.Short+": "+why, themes.Warn)
		}
	}
	if n, ok := id.Pane(); ok {
		return a.focusPane(n - 1)
	}
	switch id {
	case keymap.Interrupt, keymap.Quit:
		return a.leave()
	case keymap.Suspend:
		return tea.Suspend
	case keymap.Redraw:
		return tea.ClearScreen
	case keymap.FilterKeep, keymap.FilterClear, keymap.FilterEmpty, keymap.EditFilter:
		return a.runFilter(id)
	case keymap.NextPane:
		return a.focusPane(a.focus + 1)
	case keymap.PreviousPane:
		return a.focusPane(a.focus - 1)
	case keymap.HistoryBack:
		return a.goTo(a.history.back(a.pane().Place()))
	case keymap.HistoryForward:
		return a.goTo(a.history.forward(a.pane().Place()))
	case keymap.CopyName, keymap.OpenRow, keymap.ShowDetails:
		return a.do(a.pane().Handle(views.Intent{ID: id}))
	}
	if done, cmd := a.runScreen(id); done {
		return cmd
	}
	return a.do(a.pane().Handle(views.Intent{ID: id}))
}

// runScreen does what concerns the screen as a whole.
func (a *App) runScreen(id keymap.ID) (bool, tea.Cmd) {
	switch id {
	case keymap.ShowHelp:
		a.overlay = a.help()
	case keymap.OpenPalette:
		a.overlay = a.palette()
	case keymap.ShowLog:
		a.overlay = a.log()
	case keymap.Zoom:
		a.zoomed = !a.zoomed
	case keymap.Layout:
		a.layout, a.chosen, a.zoomed = (a.layout+1)%layouts, true, false
		return true, a.flash("layout: "+a.layout.String(), themes.Muted)
	case keymap.Freeze:
		return true, a.freeze()
	case keymap.ToggleUTC:
		a.utc = !a.utc
		a.now = a.clock()
		return true, a.flash("times are in "+a.now.Location().String(), themes.Muted)
	case keymap.ReadAgain:
		a.cluster.ReadAgain()
		return true, a.flash("asking the server again", themes.Muted)
	default:
		return false, nil
	}
	return true, nil
}

// freeze holds the screen still, or lets it go on with what came in meanwhile.
func (a *App) freeze() tea.Cmd {
	if a.frozen.IsZero() {
		a.frozen = a.now
		return nil
	}
	a.frozen = time.Time{}
	a.now = a.clock()
	return a.changed(^kube.Kinds(0))
}

// runFilter does what concerns the filter line.
func (a *App) runFilter(id keymap.ID) tea.Cmd {
	switch id {
	case keymap.EditFilter:
		a.input = newPrompt(a.pane().Place().Filter)
		return nil
	case keymap.FilterKeep:
		a.input = nil
		return nil
	case keymap.FilterEmpty:
		a.input.set("")
	case keymap.FilterClear:
		a.input = nil
	}
	return a.do(a.pane().Handle(views.Query{}))
}

func (a *App) focusPane(i int) tea.Cmd {
	n := len(a.panes)
	i = (i + n) % n
	if i != a.focus {
		a.history.visit(a.pane().Place())
		a.focus = i
	}
	return nil
}
