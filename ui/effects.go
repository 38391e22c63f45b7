package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/themes"
	"ktriage/views"
)

// toast is one line that says what has just happened.
type toast struct {
	text  string
	token themes.Token
	until time.Time
}

// toastTime is how long a toast stays.
const toastTime = 4 * time.Second

// do carries out what a view wants.
func (a *App) do(effects []views.Effect) tea.Cmd {
	var cmds []tea.Cmd
	for _, e := range effects {
		switch e := e.(type) {
		case views.Open:
			cmds = append(cmds, a.jump(e.Place))
		case views.Copy:
			cmds = append(cmds, tea.SetClipboard(e.Text),
				a.flash(fmt.Sprintf("copied %s: %s", text.Plural(len([]rune(e.Text)), "character", "characters"), e.Text), themes.Done))
		case views.Flash:
			cmds = append(cmds, a.flash(e.Text, e.Token))
		case views.ShowDetails:
			a.open(a.details())
		case views.Up:
			cmds = append(cmds, a.goUp())
		}
	}
	return tea.Batch(cmds...)
}

// flash says one line for a while. Several at the same time would hide one another: the last is said.
func (a *App) flash(s string, token themes.Token) tea.Cmd {
	a.toast = toast{s, token, a.now.Add(toastTime)}
	a.dirty = true
	return tea.Tick(toastTime, func(time.Time) tea.Msg { return toastMsg{} })
}

// toasting reports whether what has just happened is still being said.
func (a *App) toasting() bool { return a.now.Before(a.toast.until) }
