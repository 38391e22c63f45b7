package ui

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// runs gives the Actions pane what it shows.
func runs(r *action.Runner) views.Runs {
	return views.Runs{
		Runs:  r.RunFeed(),
		Steps: func(of func() string) views.Feed[*action.Step] { return r.StepFeed(of) },
		Run:   r.Run,
	}
}

// askedAgain is the distance between two questions that the server has not answered.
const askedAgain = 5 * time.Second

// askAccess asks the server what we may do, until it has answered, so that keys that would be refused are grey.
func (a *App) askAccess() tea.Cmd {
	return a.untilDone(func(ctx context.Context) error { return a.runner.AskAccess(ctx) })
}

// rescoped asks the server anew what we may do when other namespaces are looked at than before.
func (a *App) rescoped() tea.Cmd {
	now := a.cluster.Scope().Namespaces
	if slices.Equal(now, a.askedIn) {
		return nil
	}
	a.askedIn = now
	return a.askAccess()
}

// readLog reads what earlier programs have done, and finds what was cut off.
func (a *App) readLog() tea.Cmd {
	return func() tea.Msg {
		a.logged(a.runner.ReadLog(a.ctx))
		return nil
	}
}

// watchLog keeps an eye on what other programs do.
func (a *App) watchLog() tea.Cmd {
	return func() tea.Msg {
		a.logged(a.runner.WatchLog(a.ctx))
		return nil
	}
}

func (a *App) logged(err error) {
	if err != nil && a.ctx.Err() == nil {
		a.logger.Warn("the audit log cannot be read", "err", err)
	}
}

// untilDone does something that asks the server, again and again until there is an answer.
func (a *App) untilDone(ask func(context.Context) error) tea.Cmd {
	return func() tea.Msg {
		for a.ctx.Err() == nil && ask(a.ctx) != nil {
			timer := time.NewTimer(askedAgain)
			select {
			case <-a.ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
		}
		return nil
	}
}

// askAgain asks anew for a permission that was refused a while ago, for the next press of the key.
func (a *App) askAgain(b keymap.Binding) tea.Cmd {
	if b.Act == "" || a.readOnly {
		return nil
	}
	return func() tea.Msg {
		if err := a.runner.AskAgain(a.ctx, action.ID(b.Act)); err != nil {
			a.logger.Debug("permissions cannot be asked for", "err", err)
		}
		return nil
	}
}

// control does what a key wants of a run. None of it waits.
func (a *App) control(c views.Control) tea.Cmd {
	run := a.runner.Run(c.Run)
	if run == nil {
		return nil
	}
	name := run.Action.Verb() + " " + run.Target.Name()
	switch c.ID {
	case keymap.CancelRun:
		a.runner.Cancel(c.Run)
		return a.flash(name+" is being cancelled: nothing more is begun", themes.Warn)
	case keymap.CheckRun:
		return func() tea.Msg { return leftMsg{a.runner.Leave(run), "noted in the audit log: it is looked after"} }
	case keymap.PauseRun:
		a.runner.Pause(c.Run, !run.Paused)
		if run.Paused {
			return a.flash(name+" goes on", themes.Muted)
		}
		return a.flash(name+" pauses: nothing new is asked for, what was accepted goes on in the cluster; "+a.keys.Key(keymap.PauseRun)+" lets it go on", themes.Warn)
	case keymap.SkipStep:
		a.runner.Skip(c.Run, c.Step)
		return a.flash(c.Name+" is left as it is, unless the server has been asked already", themes.Muted)
	}
	return nil
}

// runsChanged says how runs of ours have ended, and offers to take up what was cut off.
func (a *App) runsChanged() tea.Cmd {
	var cmds []tea.Cmd
	for _, r := range a.runner.Runs() {
		if a.watching[r.ID] && r.State != action.Running {
			delete(a.watching, r.ID)
			cmds = append(cmds, a.sayEnd(r))
		}
	}
	cmds = append(cmds, a.sayStanding())
	if a.quitting() && len(a.runner.Running()) == 0 {
		cmds = append(cmds, a.leave())
	}
	a.offer()
	return tea.Batch(cmds...)
}

// sayStanding says, once for each, what actions have left behind for somebody to look after now.
func (a *App) sayStanding() tea.Cmd {
	var cmds []tea.Cmd
	for _, r := range a.runner.Standing() {
		key := r.ID + r.Standing.Text
		if r.Standing.Severity < kube.Warning || a.stood[key] {
			continue
		}
		a.stood[key] = true
		cmds = append(cmds, a.flashFor(a.paint.Glyph(themes.GlyphWarn)+" "+r.Standing.Text, themes.Caution, endTime))
	}
	return tea.Batch(cmds...)
}

// remindEvery is how long an action runs before somebody is told of it who may have forgotten it.
const remindEvery = 10 * time.Minute

// remind says of an action that has been running for long that it still does.
func (a *App) remind() tea.Cmd {
	for _, r := range a.runner.Running() {
		if n := int(a.now.Sub(r.Started) / remindEvery); n > a.reminded[r.ID] {
			a.reminded[r.ID] = n
			return a.flashFor(fmt.Sprintf("%s %s has been running for %s: %s", r.Action.Verb(), r.Target.Name(),
				text.Age(a.now, r.Started), r.Note), themes.Caution, endTime)
		}
	}
	return nil
}

// sayEnd says how a run has ended, and what can be done about it.
func (a *App) sayEnd(r *action.Run) tea.Cmd {
	glyph, token := "", themes.Done
	switch r.State.Severity() {
	case kube.Bad:
		glyph, token = a.paint.Glyph(themes.GlyphBad)+" ", themes.Danger
	case kube.Warning, kube.Notice:
		glyph, token = a.paint.Glyph(themes.GlyphWarn)+" ", themes.Caution
	case kube.OK:
	}
	words := r.Ending()
	if r.Undo != nil {
		words += "   (undo: " + chip(a.paneNamed("actions"), a.panes[a.paneNamed("actions")]) + ")"
	}
	return a.flashFor(glyph+words, token, endTime)
}

// running says what runs, for the header.
func (a *App) running(long bool) []piece {
	all := a.runner.Running()
	if len(all) == 0 {
		return nil
	}
	r := all[len(all)-1]
	words := r.Action.Verb()
	if long {
		words += " " + text.CutMiddle(r.Target.Name(), 20, a.paint.Glyph(themes.GlyphEllipsis))
	}
	if r.Steps > 0 {
		words += fmt.Sprintf(" %d%%", 100*r.Done/r.Steps)
	}
	if r.Paused {
		words += " paused"
	}
	if len(all) > 1 {
		words = text.Count(len(all)) + " actions"
	}
	token := themes.Focus
	if r.Worst() >= kube.Warning {
		token = severityToken(r.Worst())
	}
	return []piece{{a.paint.Glyph(themes.GlyphRunning) + " " + words + "   ", token}}
}
