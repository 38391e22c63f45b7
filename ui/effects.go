package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// toast is one line that says what has just happened.
type toast struct {
	text  string
	token themes.Token
	until time.Time
}

const (
	// toastTime is how long a toast stays.
	toastTime = 4 * time.Second
	// endTime is the same of how an action ended.
	endTime = 10 * time.Second
)

// do carries out what a view wants.
func (a *App) do(effects []views.Effect) tea.Cmd {
	var cmds []tea.Cmd
	for _, e := range effects {
		switch e := e.(type) {
		case views.Open:
			cmds = append(cmds, a.jump(e.Place))
		case views.Copy:
			cmds = append(cmds, a.copy(e.Text))
		case views.Flash:
			cmds = append(cmds, a.flash(e.Text, e.Token))
		case views.ShowDetails:
			a.open(a.details(e.UID))
		case views.Act:
			cmds = append(cmds, a.act(a.stands(e.ID), e.Refs, e.Options))
		case views.Control:
			cmds = append(cmds, a.control(e))
		case views.Up:
			cmds = append(cmds, a.goUp())
		}
	}
	return tea.Batch(cmds...)
}

// stands gives the action that a key stands for.
func (a *App) stands(id keymap.ID) action.ID {
	if b, ok := a.keys.Lookup(id); ok && b.Act != "" {
		return action.ID(b.Act)
	}
	return action.ID(id)
}

// copy puts text on the clipboard of the terminal, and says so.
func (a *App) copy(s string) tea.Cmd {
	return tea.Batch(tea.SetClipboard(s),
		a.flash(fmt.Sprintf("copied %s: %s", text.Plural(len([]rune(s)), "character", "characters"), text.Clean(s)), themes.Done))
}

// flash says one line for a while. Several at the same time would hide one another: the last is said.
func (a *App) flash(s string, token themes.Token) tea.Cmd { return a.flashFor(s, token, toastTime) }

func (a *App) flashFor(s string, token themes.Token, d time.Duration) tea.Cmd {
	a.toast = toast{s, token, a.now.Add(d)}
	a.dirty = true
	return tea.Tick(d, func(time.Time) tea.Msg { return toastMsg{} })
}

// toasting reports whether what has just happened is still being said.
func (a *App) toasting() bool { return a.now.Before(a.toast.until) }
