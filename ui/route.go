package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
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
//
// What was said of the key before goes: it would stand where the diagnosis of another row belongs.
func (a *App) key(msg tea.KeyPressMsg) tea.Cmd {
	a.toast = toast{}
	if r, ok := a.overlay.(*review); ok {
		r.heard(a.now, msg.Text)
	}
	if a.tooSmall() {
		return a.keyUnseen(msg)
	}
	if a.overlay == nil { // which covers it
		a.banner.read(a.now)
	}
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
		if r, ok := a.overlay.(*review); ok && msg.Text != "" {
			r.strayed = a.now
		}
		if a.overlay != nil && a.countsBelow(msg) {
			return a.flash(a.keys.Key(keymap.TextClose)+" closes this first", themes.Muted)
		}
		return nil
	}
	a.pending = keymap.Match{}
	return a.run(m.ID)
}

// keyUnseen takes a key while the terminal is too small to show what it would do: only the way out of it counts.
func (a *App) keyUnseen(msg tea.KeyPressMsg) tea.Cmd {
	var r keymap.Resolver
	switch m := r.Resolve(a.keys, msg.String(), keymap.App.Path()); m.ID {
	case keymap.Quit, keymap.Interrupt, keymap.Suspend, keymap.Redraw:
		return a.run(m.ID)
	default:
		return nil
	}
}

// countsBelow reports whether a key that means nothing in what covers the panes would mean something in the pane.
func (a *App) countsBelow(msg tea.KeyPressMsg) bool {
	var r keymap.Resolver
	m := r.Resolve(a.keys, msg.String(), a.pane().Scope().Path())
	return m.ID != "" || len(m.Pending) > 0
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
	if r, ok := a.overlay.(*review); ok && r.scope() == keymap.Number {
		return r.typeNumber(msg)
	}
	if a.overlay != nil {
		return a.overlay.field().update(msg)
	}
	cmd := a.input.update(msg)
	return tea.Batch(cmd, a.do(a.pane().Handle(views.Query{Text: a.input.value()})))
}

// paste gives pasted text to the text field that has the focus, and to nothing else: what somebody copied must not act.
func (a *App) paste(s string) tea.Cmd {
	if r, ok := a.overlay.(*review); ok {
		r.heard(a.now, "")
		return a.flash("pasted text was ignored: what confirms is typed", themes.Muted)
	}
	if !a.typing() {
		return a.flash("pasted text was ignored: nothing is being typed", themes.Muted)
	}
	a.dirty = true
	return a.typed(tea.PasteMsg{Content: s})
}

// why gives the reason for which a key does nothing now, "" if it works.
func (a *App) why(b keymap.Binding) string {
	if b.Danger || b.Act != "" || b.ID == keymap.UndoRun || b.ID == keymap.ResumeRun {
		if why := a.whyNotAct(); why != "" {
			return why
		}
	}
	if b.Act != "" {
		if why := a.runner.WhyNot(action.ID(b.Act), a.now.Location()); why != "" {
			return why
		}
	}
	if why := a.frozenWhy(); why != "" && a.needsRows(b.ID) {
		return why
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
		if a.alone(a.layout) {
			return a.whyAlone()
		}
	case keymap.Layout:
		if _, ok := a.nextLayout(); !ok {
			return a.whyAlone()
		}
	}
	return a.pane().Why(b.ID)
}

// whyNotAct gives the reason for which nothing may be destroyed now.
func (a *App) whyNotAct() string {
	var until string
	switch {
	case a.readOnly:
		return "ktriage runs with --read-only"
	case !a.up():
		until = "the API server answers"
	case a.age() <= staleLimit:
		return ""
	case !a.frozen.IsZero():
		until = a.keys.Key(keymap.Freeze) + " lets the screen go on"
	default:
		until = "the rows can be read again"
	}
	return fmt.Sprintf("what you see is %s old; actions are off until %s", text.Age(a.now, a.now.Add(-a.age())), until)
}

// frozenWhy gives the reason for which a frozen screen refuses what needs other rows than it has, "" if it is not frozen:
// they would come only when it goes on.
func (a *App) frozenWhy() string {
	if a.frozen.IsZero() {
		return ""
	}
	return "the screen is frozen; " + a.keys.Key(keymap.Freeze) + " lets it go on"
}

// needsRows reports whether a key asks for rows that are not on the screen, or in another order. Where one comes by going
// back is not known before it is tried, unless it is out of a filter.
func (a *App) needsRows(id keymap.ID) bool {
	switch id {
	case keymap.Back:
		return a.pane().Place().Filter != ""
	case keymap.NodePods, keymap.WorkloadPods, keymap.PodNode, keymap.CertNode, keymap.CSRNode, keymap.OpenTop, keymap.TopLevel, keymap.TopTotals,
		keymap.SortBy, keymap.HistoryBack, keymap.HistoryForward:
		return true
	}
	_, sorts := id.SortColumn()
	return sorts
}

// up reports whether the server answers.
func (a *App) up() bool {
	h := a.cluster.Health()
	return h.Up || !h.Known
}

// age is how old the rows of the focused pane are: since when the screen is frozen, the rows cannot be read, or the server
// has not answered, 0 if none of it.
func (a *App) age() time.Duration {
	age := a.now.Sub(a.rowTime())
	if st := a.pane().State(); st.Phase == kube.Stale {
		age = max(age, a.now.Sub(st.Since))
	}
	if h := a.cluster.Health(); !a.up() && !h.LastContact.IsZero() {
		age = max(age, a.now.Sub(h.LastContact))
	}
	return age
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
			return tea.Batch(a.flash(b.Short+": "+why, themes.Warn), a.askAgain(b))
		}
	}
	if n, ok := id.Pane(); ok {
		return a.focusPane(n - 1)
	}
	switch id {
	case keymap.Interrupt, keymap.Quit:
		return a.wantToLeave(id)
	case keymap.Suspend:
		return tea.Suspend
	case keymap.Redraw:
		return tea.ClearScreen
	case keymap.FilterKeep, keymap.FilterClear, keymap.FilterEmpty, keymap.EditFilter,
		keymap.FilterComplete, keymap.FilterEarlier, keymap.FilterLater, keymap.FilterSave, keymap.FilterSyntax:
		return a.runFilter(id)
	case keymap.NextPane:
		return a.focusPane(a.focus + 1)
	case keymap.PreviousPane:
		return a.focusPane(a.focus - 1)
	case keymap.HistoryBack:
		return a.goBack()
	case keymap.HistoryForward:
		return a.goForward()
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
		a.open(a.help())
	case keymap.OpenPalette:
		a.open(a.palette())
	case keymap.ShowLog:
		a.open(a.log())
	case keymap.Zoom:
		a.zoomed = !a.zoomed
	case keymap.Layout:
		next, _ := a.nextLayout()
		a.layout, a.chosen, a.zoomed = next, true, false
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
		a.said.freeze(a.now)
		return nil
	}
	a.frozen = time.Time{}
	a.said.freeze(time.Time{})
	return a.changed(^kube.Kinds(0))
}

func (a *App) focusPane(i int) tea.Cmd {
	n := len(a.panes)
	i = (i + n) % n
	if i != a.focus {
		a.history.visit(step{from: a.pane().Place()})
		a.focus = i
	}
	return nil
}
