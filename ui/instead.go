package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
)

// offer gives what the plan offers instead by a key, false if that is not among it.
func (r *review) offer(b keymap.Binding) (action.Instead, bool) {
	if r.plan == nil || b.Act == "" {
		return action.Instead{}, false
	}
	i := slices.IndexFunc(r.plan.Instead, func(o action.Instead) bool { return o.Action == action.ID(b.Act) })
	if i < 0 {
		return action.Instead{}, false
	}
	return r.plan.Instead[i], true
}

// instead opens the sheet of another action that the plan offers. Closing it comes back here.
func (r *review) instead(id keymap.ID) (bool, tea.Cmd) {
	b, ok := r.app.keys.Lookup(id)
	if !ok || b.Act == "" {
		return false, nil
	}
	o, ok := r.offer(b)
	if !ok {
		return true, r.app.flash("nothing of that kind is offered on this sheet", themes.Muted)
	}
	if why := r.app.why(b); why != "" {
		return true, tea.Batch(r.app.flash(why, themes.Warn), r.app.askAgain(b))
	}
	r.giveUp()
	cmd := r.app.act(o.Action, o.Target.Refs, o.Options)
	r.app.overlay.(*review).before = r
	return true, cmd
}

// drawInstead lists what may be the better thing to do, with its keys.
func (r *review) drawInstead(w int) []sheetLine {
	if len(r.plan.Instead) == 0 {
		return nil
	}
	out := []sheetLine{{rule: true, left: "or rather", right: "each has a sheet of its own"}}
	for _, o := range r.plan.Instead {
		key := ""
		for _, b := range r.app.keys.Bindings(keymap.Sheet) {
			if action.ID(b.Act) == o.Action && len(b.Keys) > 0 {
				key = b.Keys[0]
			}
		}
		margin := key + strings.Repeat(" ", max(2, 8-text.Width(key)))
		for _, l := range text.Wrap(o.Words, w-text.Width(margin)) {
			out = append(out, sheetLine{row: row{{margin, themes.Focus}, {l, themes.Text}}})
			margin = strings.Repeat(" ", text.Width(margin))
		}
	}
	return out
}
