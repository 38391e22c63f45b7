package ui

import (
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"ktriage/views"
)

// prompt is a text field. Bubbles edits; we draw, so that the field can stand in a rule.
type prompt struct{ input textinput.Model }

func newPrompt(value string) *prompt {
	in := textinput.New()
	in.SetVirtualCursor(false)
	in.KeyMap.Paste.SetEnabled(false) // it reads the clipboard of the machine that we run on; the terminal pastes its own
	in.SetValue(value)
	in.CursorEnd()
	in.Focus()
	return &prompt{in}
}

// update takes a key or a paste.
func (p *prompt) update(msg tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	return cmd
}

func (p *prompt) value() string { return p.input.Value() }

func (p *prompt) set(s string) { p.input.SetValue(s) }

// split is the text on both sides of the cursor.
func (p *prompt) split() *views.Input {
	runes, at := []rune(p.input.Value()), p.input.Position()
	return &views.Input{Before: string(runes[:at]), After: string(runes[at:])}
}
