package ui

import (
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
)

// prompt is a text field. Bubbles edits; we draw, so that the field can stand in a rule.
type prompt struct{ input textinput.Model }

func newPrompt(value string) *prompt {
	in := textinput.New()
	in.SetVirtualCursor(false)
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

// cursor is where the cursor stands, in cells from the start of the text.
func (p *prompt) cursor() int {
	return text.Width(string([]rune(p.input.Value())[:p.input.Position()]))
}
