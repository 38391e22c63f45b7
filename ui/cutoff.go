package ui

import (
	"fmt"
	"maps"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// cutoff offers to take up an action that an earlier program began and did not end. It does nothing itself: each choice
// shows its own sheet.
type cutoff struct {
	app    *App
	cut    *action.Cut
	opened time.Time
}

// leftMsg says that it has been noted that something is to be left as it is, in these words, or why not.
type leftMsg struct {
	err  error
	done string
}

// offer shows what was cut off, once, when nothing else covers the panes.
func (a *App) offer() {
	if a.overlay != nil || a.input != nil || a.readOnly {
		return
	}
	for _, c := range a.runner.Cuts() {
		if !a.offeredCuts[c] {
			a.offeredCuts[c] = true
			a.open(&cutoff{a, c, a.now})
			return
		}
	}
}

func (c *cutoff) scope() keymap.Scope { return keymap.CutOff }
func (c *cutoff) field() *prompt      { return nil }
func (c *cutoff) atBottom() bool      { return true }

// run does not take a key for an answer that was meant for what was on the screen before.
func (c *cutoff) run(id keymap.ID) (bool, tea.Cmd) {
	a, cut := c.app, c.cut
	switch id {
	case keymap.CutResume, keymap.CutUncordon, keymap.CutLeave, keymap.CutPods:
		if a.now.Sub(c.opened) < grace {
			return true, nil
		}
	}
	refs := cut.Rest.Refs
	switch id {
	case keymap.CutResume:
		a.shut()
		a.runner.Decided(cut)
		return true, a.act(cut.Run.Action, refs, maps.Clone(cut.Run.Options))
	case keymap.CutUncordon:
		a.shut()
		a.runner.Decided(cut)
		return true, a.act(action.Uncordon, refs, nil)
	case keymap.CutLeave:
		a.shut()
		a.runner.Decided(cut)
		return true, func() tea.Msg { return leftMsg{a.runner.Leave(cut.Run), "left as it is; it will not be asked again"} }
	case keymap.CutPods:
		a.shut()
		return true, a.jump(views.Place{Pane: "pods", Pin: views.Pin{Field: "node", Value: refs[0].Name}})
	}
	return false, nil
}

// leftAlone says that something is left as it is, or why nobody could write that down.
func (a *App) leftAlone(msg leftMsg) tea.Cmd {
	if msg.err != nil {
		return a.flash("it will be asked again at the next start: "+msg.err.Error(), themes.Warn)
	}
	return a.flash(msg.done, themes.Muted)
}

func (c *cutoff) draw(s views.Size) ([]string, *tea.Cursor) {
	run, key := c.cut.Run, c.app.keys.Key
	unit := c.cut.Rest.Unit
	left := text.Plural(c.cut.Rest.Left, unit[0], unit[1])
	b := &boxed{
		app: c.app, tier: action.Ask, left: "a " + run.Action.Verb() + " was cut off", right: "in " + text.Clean(run.Target.Context),
		foot: "Nothing has been done now; a sheet comes first.", esc: "decide later",
	}
	name := action.Target{Refs: c.cut.Rest.Refs}.Name()
	b.say(fmt.Sprintf("%s: %s begun %s ago (%s), and %s should be gone.", name, run.Action.Verb(),
		text.Age(c.app.now, run.Started), c.app.local(run.Started).Format(time.DateTime), left), themes.Text)
	then := run.Note
	if run.User != "" {
		then += " (" + run.User + ")"
	}
	b.fact("then", then, themes.Text)
	b.fact("now", c.cut.Rest.Now, themes.Text)
	if c.cut.Elsewhere != "" {
		b.fact("but", "it was begun on host "+c.cut.Elsewhere+", and may still be running there", themes.Warn)
	}
	b.say("", themes.Text)
	b.choice(key(keymap.CutResume), "resume     make a new plan for the "+left+" and show it")
	b.choice(key(keymap.CutUncordon), "uncordon   let new pods come back to "+name)
	b.choice(key(keymap.CutLeave), "leave it   keep it as it is and do not ask again for this "+run.Action.Verb())
	return b.draw(s), nil
}
