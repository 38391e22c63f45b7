package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
)

// numberMsg says that no more digits have come for a while.
type numberMsg struct {
	review *review
	typed  int
}

const (
	// typingPause is how long after the last digit another plan is made.
	typingPause = 250 * time.Millisecond
	// strayTime is how long after a key that means nothing here another one changes no option.
	strayTime = 1500 * time.Millisecond
	// numbersShown is how many numbers stand on a sheet at the same time.
	numbersShown = 8
)

// toggles are what can be chosen, in the order in which the sheet shows it: numbers, what stands in sections, the rest.
func (r *review) toggles() []action.Toggle {
	if r.plan == nil {
		return nil
	}
	var numbers, inside, rest []action.Toggle
	for _, t := range r.plan.Toggles {
		switch {
		case t.Number != nil:
			numbers = append(numbers, t)
		case !r.inSection(t.ID):
			rest = append(rest, t)
		}
	}
	for _, s := range r.plan.Sections {
		for _, t := range r.plan.Toggles {
			if slices.Contains(s.Toggles, t.ID) {
				inside = append(inside, t)
			}
		}
	}
	return slices.Concat(numbers, inside, rest)
}

func (r *review) inSection(id string) bool {
	return slices.ContainsFunc(r.plan.Sections, func(s action.Section) bool { return slices.Contains(s.Toggles, id) })
}

// stop is what the cursor can stand on among the options: a toggle, or one of its choices.
type stop struct {
	toggle action.Toggle
	choice string // the value that it stands for; "" where the toggle is no choice
}

// stops are the toggles, with one stop for each choice.
func (r *review) stops() []stop {
	var out []stop
	for _, t := range r.toggles() {
		if !chooses(t) {
			out = append(out, stop{toggle: t})
			continue
		}
		for _, v := range t.Values {
			out = append(out, stop{t, v})
		}
	}
	return out
}

// chooses reports whether a toggle shows all of its values one below the other.
func chooses(t action.Toggle) bool { return len(t.Choices) > 0 && len(t.Choices) == len(t.Values) }

// value is what has been chosen, although the plan of it may still be on its way.
func (r *review) value(t action.Toggle) string {
	if v, ok := r.options[t.ID]; ok {
		return v
	}
	return t.Value
}

// chosen is the toggle that has the focus, and which of its choices; false if none has.
func (r *review) chosen() (stop, bool) {
	all := r.stops()
	if r.part != partOptions || len(all) == 0 {
		return stop{}, false
	}
	return all[min(r.option, len(all)-1)], true
}

// choose moves the focus among the options.
func (r *review) choose(step int) {
	r.option = min(max(r.option+step, 0), len(r.stops())-1)
	r.reveal = r.option
}

// behindNumbers goes from the numbers to the first option that is none; false if there is none.
func (r *review) behindNumbers() bool {
	i := slices.IndexFunc(r.stops(), func(s stop) bool { return s.toggle.Number == nil })
	if i < 0 {
		return false
	}
	r.option, r.reveal = i, i
	return true
}

// toggle gives the chosen option its next value, which makes another plan.
func (r *review) toggle() tea.Cmd {
	s, ok := r.chosen()
	if ok && r.app.now.Sub(r.strayed) < strayTime {
		return r.app.flash("that was typed outside of the field: nothing was changed", themes.Warn)
	}
	if !ok {
		if len(r.toggles()) == 0 {
			return nil
		}
		return r.app.flash(r.app.keys.Key(keymap.SheetNext)+" goes to the options first", themes.Muted)
	}
	t := s.toggle
	t.Value = r.value(t)
	if s.choice == "" {
		s.choice = t.Next()
	}
	r.options[t.ID] = s.choice
	return r.ask()
}

// numberField is the field of the number that has the focus, nil if none has.
func (r *review) numberField() *prompt {
	s, ok := r.chosen()
	t := s.toggle
	if !ok || t.Number == nil {
		return nil
	}
	if r.number == nil || r.numberOf != t.ID {
		r.number, r.numberOf, r.fresh = newPrompt(r.value(t)), t.ID, true
	}
	return r.number
}

// typeNumber gives a key to the field of a number. Only digits get into it; what is no number is for the plan, to which the
// focus goes.
func (r *review) typeNumber(msg tea.Msg) tea.Cmd {
	if key, ok := msg.(tea.KeyPressMsg); ok && key.Text != "" {
		switch {
		case key.Text == "+", key.Text == "=":
			return r.change(1)
		case key.Text == "-":
			return r.change(-1)
		case strings.Trim(key.Text, "0123456789") != "":
			var resolver keymap.Resolver
			m := resolver.Resolve(r.app.keys, key.String(), keymap.Sheet.Path())
			if m.ID == "" || m.ID == keymap.TextClose {
				return r.app.flash("a number: digits, or + and -; "+r.app.keys.Key(keymap.NumberKeep)+" goes back to the plan", themes.Warn)
			}
			r.part = partPlan
			return r.app.run(m.ID)
		}
		if r.fresh {
			r.number.set("")
		}
	}
	r.fresh = false
	cmd := r.number.update(msg)
	return tea.Batch(cmd, r.takeNumber(r.numberOf, r.number.value()))
}

// numbers is how many numbers the sheet asks for. They are the first of the toggles.
func (r *review) numbers() int {
	n := 0
	for _, t := range r.toggles() {
		if t.Number != nil {
			n++
		}
	}
	return n
}

// startNumber begins to type the one number of the sheet anew, with the digit that was pressed.
func (r *review) startNumber() tea.Cmd {
	switch r.numbers() {
	case 0:
		return nil
	case 1:
	default:
		return r.toNumbers()
	}
	r.part, r.option, r.reveal = partOptions, 0, 0
	field := r.numberField()
	field.set(r.stroke)
	field.input.CursorEnd()
	r.fresh = false
	return r.takeNumber(r.numberOf, field.value())
}

// toNumbers goes to the numbers, where it is seen which of them a key means. The key itself changes nothing.
func (r *review) toNumbers() tea.Cmd {
	r.part = partOptions
	r.option = max(0, slices.IndexFunc(r.toggles(), func(t action.Toggle) bool { return t.ID == r.numberOf }))
	r.reveal = r.option
	return r.app.flash("nothing was changed: this is the number of "+r.toggles()[r.option].Words+"; press it again", themes.Warn)
}

// change adds one to the number that has the focus, or to the first, or takes one away.
func (r *review) change(by int64) tea.Cmd {
	n := r.numbers()
	if n == 0 {
		return nil
	}
	s, focused := r.chosen()
	t := s.toggle
	switch {
	case focused && t.Number != nil:
	case n > 1:
		return r.toNumbers()
	default:
		t = r.toggles()[0]
	}
	was, err := strconv.ParseInt(r.value(t), 10, 64)
	if err != nil {
		was = t.Number.Now
	}
	value := strconv.FormatInt(max(0, was+by), 10)
	if r.numberOf == t.ID && r.number != nil {
		r.fresh = true
		r.number.set(value)
		r.number.input.CursorEnd()
	}
	return r.takeNumber(t.ID, value)
}

// takeNumber takes a number as it has been typed so far. A plan is made once no more digits come.
func (r *review) takeNumber(id, value string) tea.Cmd {
	if r.options[id] == value {
		return nil
	}
	r.options[id] = value
	r.giveUp()
	r.stale = true
	r.typed++
	n := r.typed
	return tea.Tick(typingPause, func(time.Time) tea.Msg { return numberMsg{r, n} })
}

// numbered has a plan made of the numbers that have been typed.
func (a *App) numbered(msg numberMsg) tea.Cmd {
	r := msg.review
	if msg.typed != r.typed || !r.stale || !a.covers(r) {
		return nil
	}
	a.dirty = true
	return r.ask()
}

// covers reports whether a sheet covers the panes, alone or under its help.
func (a *App) covers(r *review) bool {
	over, helped := a.overlay.(*sheet)
	return a.overlay == overlay(r) || helped && over.under == overlay(r)
}

// drawNumbers are the numbers that can be typed: those around the chosen one, if there are many.
func (r *review) drawNumbers(w int) []sheetLine {
	all := r.toggles()
	n := 0
	for n < len(all) && all[n].Number != nil {
		n++
	}
	first := 0
	if r.part == partOptions && r.option < n {
		first = min(max(0, r.option-numbersShown/2), max(0, n-numbersShown))
	}
	last := min(n, first+numbersShown)
	var out []sheetLine
	widest := 0
	for _, t := range all[first:last] {
		widest = max(widest, text.Width(t.Words))
	}
	for i := first; i < last; i++ {
		out = append(out, r.drawNumber(all[i], i, n, min(widest, w/2))...)
	}
	if hidden := n - (last - first); hidden > 0 {
		key := r.app.keys.Key
		out = append(out, sheetLine{row: row{{fmt.Sprintf("  and %s more: %s and %s go through them", text.Count(hidden),
			key(keymap.NumberNext), key(keymap.NumberPrevious)), themes.Muted}}})
	}
	return out
}

// drawNumber is one of n numbers: what it is now, and what it becomes.
func (r *review) drawNumber(t action.Toggle, at, n, widest int) []sheetLine {
	p := r.app.paint
	label := "replicas"
	if n > 1 {
		label = text.CutMiddle(t.Words, widest, p.Glyph(themes.GlyphEllipsis))
		label += strings.Repeat(" ", widest-text.Width(label))
	}
	focused := r.part == partOptions && r.option == at
	value, token := r.value(t), themes.Text
	if value != strconv.FormatInt(t.Number.Now, 10) {
		token = themes.Focus
	}
	mark := "  "
	if focused {
		mark, token = p.Glyph(themes.GlyphCursor)+" ", themes.Focus
	}
	if n == 1 && !focused {
		mark = ""
	}
	before := fmt.Sprintf("%s %d → ", label, t.Number.Now)
	line := sheetLine{option: at + 1, row: row{{mark, themes.Focus}, {before, themes.Text}, {value, token}}}
	if focused {
		line.cursor = text.Width(mark+before) + text.Width(value) + 1
	}
	pad := strings.Repeat(" ", max(2, 8-text.Width(value)))
	key := r.app.keys.Key
	switch {
	case t.Number.Fault != "" && !r.stale && r.asking == nil:
		line.row = append(line.row, piece{pad + t.Number.Fault, themes.Warn})
	case focused || n == 1:
		line.row = append(line.row, piece{pad + key(keymap.SheetLess) + " " + key(keymap.SheetMore) + " or digits change it", themes.Muted})
	}
	return []sheetLine{line}
}

// drawToggles are the toggles that a section names, or, with nil, those that stand at the end.
func (r *review) drawToggles(ids []string, w int) []sheetLine {
	var out []sheetLine
	at := 0 // of its first stop
	for _, t := range r.toggles() {
		here := slices.Contains(ids, t.ID)
		if ids == nil {
			here = t.Number == nil && !r.inSection(t.ID)
		}
		if here {
			out = append(out, r.drawToggle(t, at, w)...)
		}
		at++
		if chooses(t) {
			at += len(t.Values) - 1
		}
	}
	return out
}

// drawToggle is a box, a value, or several choices with what each of them means; at is its first stop.
func (r *review) drawToggle(t action.Toggle, at, w int) []sheetLine {
	t.Value = r.value(t)
	box := func(on bool) string { return map[bool]string{true: "x", false: " "}[on] }
	switch {
	case chooses(t):
		var out []sheetLine
		for i, c := range t.Choices {
			out = append(out, r.drawStop(at+i, "("+box(t.Value == t.Values[i])+") "+t.Values[i]+"  ", c.Words, w)...)
			for _, l := range c.Lines {
				margin := strings.Repeat(" ", 11)
				for _, piece := range text.Wrap(l, w-len(margin)) {
					out = append(out, sheetLine{row: row{{margin + piece, themes.Muted}}, option: at + i + 1})
				}
			}
		}
		return out
	case slices.Equal(t.Values, action.OnOff()):
		return r.drawStop(at, "["+box(t.Value == action.On)+"] ", t.Words, w)
	}
	return r.drawStop(at, "    ", t.Words+": "+t.Value, w)
}

// drawStop is something that the cursor can stand on: its box, and words that are broken behind it.
func (r *review) drawStop(at int, box, words string, w int) []sheetLine {
	mark, token := "  ", themes.Text
	if r.part == partOptions && r.option == at {
		mark, token = r.app.paint.Glyph(themes.GlyphCursor)+" ", themes.Focus
	}
	var out []sheetLine
	for _, l := range text.Wrap(words, w-2-text.Width(box)) {
		out = append(out, sheetLine{row: row{{mark, themes.Focus}, {box + l, token}}, option: at + 1})
		mark, box = "  ", strings.Repeat(" ", text.Width(box))
	}
	return out
}

// drawOptions are the toggles that stand at the end of the sheet.
func (r *review) drawOptions(w int) []sheetLine {
	lines := r.drawToggles(nil, w)
	if len(lines) == 0 {
		return nil
	}
	return append([]sheetLine{{rule: true, left: "options", right: r.optionsHint()}}, lines...)
}

// optionsHint is how the options are reached, or changed.
func (r *review) optionsHint() string {
	key := r.app.keys.Key
	if s, ok := r.chosen(); ok && s.toggle.Number == nil {
		return key(keymap.SheetToggle) + " changes; a change makes a new plan"
	}
	return key(keymap.SheetNext) + " goes here"
}
