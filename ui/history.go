package ui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"ktriage/keymap"
	"ktriage/themes"
	"ktriage/views"
)

// step is one way that was gone from pane to pane.
type step struct {
	from views.Place // where one came from
	to   views.Place // where one was before going back over it; nothing until then
	was  views.Place // how the pane that was jumped into stood before; nothing if it was only given the focus
}

// into reports whether the step is a jump into a pane, which has changed what that pane shows.
func (s step) into(pane string) bool { return s.was.Pane == pane }

// history is where the operator has been. The pane that has the focus is the one to which the newest step led.
type history struct {
	past, future []step
}

// historyMost bounds the past.
const historyMost = 100

// visit notes a step into the unknown.
func (h *history) visit(s step) {
	h.past = append(h.past, s)
	if len(h.past) > historyMost {
		h.past = h.past[1:]
	}
	h.future = nil
}

func (h *history) canBack() bool    { return len(h.past) > 0 }
func (h *history) canForward() bool { return len(h.future) > 0 }

// opened gives how many steps back lead out of the newest jump into a pane, 0 if there is none.
func (h *history) opened(pane string) int {
	for n, s := range slices.Backward(h.past) {
		if s.into(pane) {
			return len(h.past) - n
		}
	}
	return 0
}

// jump opens a place in a pane and notes the way, so that going back leaves that pane as it was.
func (a *App) jump(p views.Place) tea.Cmd {
	i := a.paneNamed(p.Pane)
	if i < 0 {
		return nil
	}
	if why := a.frozenWhy(); why != "" {
		return a.flash(why, themes.Warn)
	}
	a.history.visit(step{from: a.pane().Place(), was: a.panes[i].Place()})
	return a.goTo(p)
}

// goTo shows a place.
func (a *App) goTo(p views.Place) tea.Cmd {
	if i := a.paneNamed(p.Pane); i >= 0 {
		a.focus, a.dirty = i, true
	}
	return a.put(p)
}

// put takes a pane to a place, whether it has the focus or not.
func (a *App) put(p views.Place) tea.Cmd {
	i := a.paneNamed(p.Pane)
	if i < 0 {
		return nil
	}
	return a.do(a.panes[i].Handle(views.Go{Place: p}))
}

// paneNamed is the place of a pane among the panes, -1 if there is none of that name.
func (a *App) paneNamed(name string) int {
	return slices.IndexFunc(a.panes, func(v views.View) bool { return v.Name() == name })
}

// goBack undoes the newest step: a pane that was jumped into stands as it did before, and the focus is where it was.
func (a *App) goBack() tea.Cmd {
	h := &a.history
	s := h.past[len(h.past)-1]
	h.past = h.past[:len(h.past)-1]
	s.to = a.pane().Place()
	h.future = append(h.future, s)
	return tea.Batch(a.put(s.was), a.goTo(s.from))
}

// goForward takes again the step that was undone last.
func (a *App) goForward() tea.Cmd {
	h := &a.history
	s := h.future[len(h.future)-1]
	h.future = h.future[:len(h.future)-1]
	s.from = a.pane().Place()
	if i := a.paneNamed(s.was.Pane); i >= 0 {
		s.was = a.panes[i].Place()
	}
	h.past = append(h.past, s)
	return a.goTo(s.to)
}

// goUp leaves a pane that has nothing of its own left to climb out of. A pane that is narrowed to one object goes back to
// before it was; one that has just been jumped into, to where the jump began.
func (a *App) goUp() tea.Cmd {
	p := a.pane().Place()
	narrowed := p.Pin != views.Pin{}
	back := a.history.opened(p.Pane)
	why := a.frozenWhy()
	switch {
	case why != "" && (narrowed || back == 1):
		return a.flash(why, themes.Warn)
	case narrowed && back == 0:
		return a.goTo(views.Place{Pane: p.Pane, UID: p.UID})
	case narrowed || back == 1:
		var cmds []tea.Cmd
		for range back {
			cmds = append(cmds, a.goBack())
		}
		return tea.Batch(cmds...)
	case a.zoomed && !a.alone(a.layout):
		a.zoomed = false
		return nil
	}
	return a.flash(fmt.Sprintf("nothing to go back from; %s quits", a.keys.Key(keymap.Quit)), themes.Muted)
}
