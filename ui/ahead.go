package ui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
)

// aheadWait is how long keys wait for the rows that they are meant for: an answer takes a frame or two, and one that takes
// longer must not make the keyboard seem dead.
const aheadWait = 500 * time.Millisecond

// typedAhead takes keys and pastes in their order. Who types "/web", enter, d in one go, as a slow line delivers it, means
// the details of a row that is not on the screen yet: what is typed between a question and its answer waits for the rows.
func (a *App) typedAhead(msg tea.Msg) tea.Cmd {
	if len(a.ahead) == 0 && !a.awaitsRows() || a.interrupts(msg) {
		return a.take(msg)
	}
	a.ahead = append(a.ahead, msg)
	if len(a.ahead) > 1 {
		return nil
	}
	return tea.Tick(aheadWait, func(time.Time) tea.Msg { return aheadMsg{} })
}

// awaitsRows reports whether keys go to a pane whose rows are not yet those that were asked for.
func (a *App) awaitsRows() bool {
	return a.overlay == nil && a.input == nil && a.pane().Waiting()
}

// interrupts reports whether a key ends the program, which waits for nothing.
func (a *App) interrupts(msg tea.Msg) bool {
	key, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return false
	}
	var r keymap.Resolver
	return r.Resolve(a.keys, key.String(), []keymap.Scope{keymap.Always}).ID == keymap.Interrupt
}

// catchUp takes what has been typed ahead, as far as the rows are there, or all of it: a pane then says itself what it
// cannot do yet.
func (a *App) catchUp(all bool) tea.Cmd {
	var cmds []tea.Cmd
	for len(a.ahead) > 0 && (all || !a.awaitsRows()) {
		msg := a.ahead[0]
		a.ahead = a.ahead[1:]
		cmds = append(cmds, a.take(msg))
	}
	return tea.Batch(cmds...)
}

// take does what a key or a paste says.
func (a *App) take(msg tea.Msg) tea.Cmd {
	a.dirty = true
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		if plain, ok := a.escaped(msg); ok {
			return tea.Batch(a.key(tea.KeyPressMsg{Code: tea.KeyEscape}), a.key(plain))
		}
		return a.key(msg)
	case tea.PasteMsg:
		return a.paste(text.Clean(strings.TrimSpace(msg.Content)))
	}
	return nil
}

// escaped takes alt and a character apart that mean nothing together: esc and the character that came in one go, as
// vim has it too.
func (a *App) escaped(msg tea.KeyPressMsg) (plain tea.KeyPressMsg, ok bool) {
	if msg.Mod != tea.ModAlt || msg.Code < ' ' || msg.Code > '~' {
		return msg, false
	}
	var r keymap.Resolver
	if m := r.Resolve(a.keys, msg.String(), a.scope().Path()); m.ID != "" || len(m.Pending) > 0 {
		return msg, false
	}
	return tea.KeyPressMsg{Code: msg.Code, Text: string(msg.Code)}, true
}
