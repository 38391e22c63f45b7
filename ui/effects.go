package ui

import (
	"fmt"
	"slices"
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
			a.history.visit(a.pane().Place())
			cmds = append(cmds, a.goTo(e.Place))
		case views.Copy:
			cmds = append(cmds, tea.SetClipboard(e.Text),
				a.flash(fmt.Sprintf("copied %s: %s", text.Plural(len([]rune(e.Text)), "character", "characters"), e.Text), themes.Done))
		case views.Flash:
			cmds = append(cmds, a.flash(e.Text, e.Token))
		case views.ShowDetails:
			a.overlay = a.details()
		case views.Up:
			cmds = append(cmds, a.goUp())
		}
	}
	return tea.Batch(cmds...)
}

func (a *App) flash(s string, token themes.Token) tea.Cmd {
	a.toast = toast{s, token, a.clock().Add(toastTime)}
	a.dirty = true
	return tea.Tick(toastTime, func(time.Time) tea.Msg { return toastMsg{} })
}

// goTo shows a place.
func (a *App) goTo(p views.Place) tea.Cmd {
	i := slices.IndexFunc(a.panes, func(v views.View) bool { return v.Name() == p.Pane })
	if i < 0 {
		return nil
	}
	a.focus, a.dirty = i, true
	return a.do(a.panes[i].Handle(views.Go{Place: p}))
}

// goUp leaves a pane that has nothing left to climb out of: a pane that was opened for one object goes back to it.
func (a *App) goUp() tea.Cmd {
	p := a.pane().Place()
	switch {
	case p.Pin != views.Pin{} && a.history.canBack():
		// The pane that is left must not stay narrowed when somebody comes to it by its number.
		cmd := a.do(a.pane().Handle(views.Go{Place: views.Place{Pane: p.Pane, UID: p.UID}}))
		return tea.Batch(cmd, a.goTo(a.history.back(p)))
	case p.Pin != views.Pin{}:
		return a.goTo(views.Place{Pane: p.Pane, UID: p.UID})
	case a.zoomed:
		a.zoomed = false
		return nil
	}
	return a.flash("nothing to go back from; q quits", themes.Muted)
}

// history is where the operator has been.
type history struct {
	past, future []views.Place
}

// historyMost bounds the past.
const historyMost = 100

// visit notes a place that is left for a new one.
func (h *history) visit(p views.Place) {
	h.past = append(h.past, p)
	if len(h.past) > historyMost {
		h.past = h.past[1:]
	}
	h.future = nil
}

func (h *history) canBack() bool    { return len(h.past) > 0 }
func (h *history) canForward() bool { return len(h.future) > 0 }

// back gives the place before, and remembers the present one for forward.
func (h *history) back(present views.Place) views.Place {
	p := h.past[len(h.past)-1]
	h.past = h.past[:len(h.past)-1]
	h.future = append(h.future, present)
	return p
}

// forward undoes back.
func (h *history) forward(present views.Place) views.Place {
	p := h.future[len(h.future)-1]
	h.future = h.future[:len(h.future)-1]
	h.past = append(h.past, present)
	return p
}
