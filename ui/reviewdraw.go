package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// sheetLine is a line of a sheet: a rule with words, or pieces of text.
type sheetLine struct {
	rule        bool
	left, right string
	row         row
	option      int // the toggle that it shows, plus one; 0 for none
	cursor      int // the column of the text cursor, plus one; 0 for none
}

// atBottom has the sheet stand at the foot of the screen, next to the keys that it asks for.
func (r *review) atBottom() bool { return true }

func (r *review) draw(s views.Size) ([]string, *tea.Cursor) {
	box, tier := r.app.paint.Box(1), action.Ask
	if r.plan != nil {
		tier = r.tier()
		box = r.app.paint.Box(int(tier))
	}
	inner := s.W - 4
	if inner != r.width {
		r.width, r.seen, r.top = inner, 0, 0 // the lines are others
	}
	lines := r.content(inner)
	gate, cursor := r.gate(inner)
	fixed := len(gate) + 3 // the frame, and the line above the gate
	r.count, r.page = len(lines), max(1, min(len(lines), s.H-fixed))
	r.show(lines)
	shown := lines[r.top : r.top+r.page]
	if r.top <= r.seen || r.ended {
		r.seen = max(r.seen, r.top+r.page)
		gate, cursor = r.gate(inner) // it says what is left to read; its height does not hang on that
	}

	out := []string{r.edge(box, s.W, tier)}
	for _, l := range shown {
		if l.cursor > 0 {
			cursor = tea.NewCursor(l.cursor-1+2, len(out))
		}
		out = append(out, r.drawLine(box, s.W, l))
	}
	out = append(out, r.frame(box.LeftCross+strings.Repeat(box.Across, s.W-2)+box.RightCross))
	if cursor != nil && r.part == partName {
		cursor.X, cursor.Y = cursor.X+2, cursor.Y+len(out)
	}
	for _, l := range gate {
		out = append(out, r.drawLine(box, s.W, sheetLine{row: l}))
	}
	return append(out, r.frame(box.BottomLeft+strings.Repeat(box.Across, s.W-2)+box.BottomRight)), cursor
}

// show settles which lines are in view.
func (r *review) show(lines []sheetLine) {
	if r.reveal >= 0 {
		first, last := -1, -1
		for i, l := range lines {
			if l.option == r.reveal+1 {
				if last = i; first < 0 {
					first = i
				}
			}
		}
		if first >= 0 {
			r.top = max(r.top, last-r.page+1)
			r.top = min(r.top, first) // of one that is higher than the page, the beginning
		}
		r.reveal = -1
	}
	r.top = max(0, min(r.top, r.count-r.page))
}

// frame draws a piece of the frame, in the colour of a protected context where that is what it is.
func (r *review) frame(s string) string {
	token := themes.Border
	if r.app.runner.Protected() {
		token = themes.Bad
	}
	return r.app.paint.Open(token, themes.Plain) + s + r.app.paint.Close()
}

// edge is the upper edge: what the sheet is for, how hard it is to confirm, and in which context.
func (r *review) edge(box themes.Box, w int, tier action.Tier) string {
	p := r.app.paint
	left := " " + r.id.Verb() + " " + r.meant().Name() + " "
	right := " in " + text.Clean(r.target.Context) + " "
	if r.plan != nil {
		right = fmt.Sprintf(" tier %d ·%s", tier, right)
	}
	if r.count > r.page {
		right = " " + position(r.top, r.page, r.count) + " ·" + right
	}
	guard := ""
	if r.app.runner.Protected() {
		guard = " PROTECTED "
	}
	right = text.CutStart(right, max(0, w-12-text.Width(guard)), p.Glyph(themes.GlyphEllipsis))
	left = text.CutMiddle(left, max(4, w-6-text.Width(right)-text.Width(guard)), p.Glyph(themes.GlyphEllipsis))
	fill := max(0, w-4-text.Width(left)-text.Width(right)-text.Width(guard))
	var b strings.Builder
	b.WriteString(r.frame(box.TopLeft + box.Across))
	b.WriteString(p.Bold(themes.Text, themes.Plain) + left + p.Close())
	b.WriteString(r.frame(strings.Repeat(box.Across, fill)))
	if guard != "" {
		b.WriteString(p.Open(themes.Protect, themes.Plain) + guard + p.Close())
	}
	b.WriteString(p.Open(themes.Muted, themes.Plain) + right + p.Close())
	b.WriteString(r.frame(box.Across + box.TopRight))
	return b.String()
}

// drawLine puts a line between the sides of the frame.
func (r *review) drawLine(box themes.Box, w int, l sheetLine) string {
	p := r.app.paint
	if l.rule {
		left := box.Thin + " " + text.Cut(l.left, w-8, p.Glyph(themes.GlyphEllipsis)) + " "
		right := ""
		if l.right != "" && text.Width(left)+text.Width(l.right)+6 <= w {
			right = " " + l.right + " " + box.Thin
		}
		fill := strings.Repeat(box.Thin, max(0, w-2-text.Width(left)-text.Width(right)))
		return r.frame(box.LeftTee) + p.Open(themes.Muted, themes.Plain) + left + p.Close() + r.frame(fill) +
			p.Open(themes.Muted, themes.Plain) + right + p.Close() + r.frame(box.RightTee)
	}
	in := newLine(p, w-4)
	for _, piece := range l.row {
		in.say(piece.text, piece.token)
	}
	return r.frame(box.Down) + " " + in.String() + " " + r.frame(box.Down)
}

// content is everything above the gate.
func (r *review) content(w int) []sheetLine {
	if r.plan == nil {
		return r.noPlan(w)
	}
	var out []sheetLine
	say := func(s string, t themes.Token) {
		for _, l := range text.Wrap(s, w) {
			out = append(out, sheetLine{row: row{{l, t}}})
		}
	}
	say(r.plan.Headline, themes.Text)
	out = append(out, r.drawNumbers(w)...)
	for _, f := range r.facts() {
		out = append(out, factLines(f, w)...)
	}
	for _, s := range r.plan.Sections {
		note := s.Note
		if note == "" && slices.ContainsFunc(r.plan.Toggles, func(t action.Toggle) bool { return slices.Contains(s.Toggles, t.ID) }) {
			note = r.optionsHint()
		}
		out = append(out, sheetLine{rule: true, left: s.Title, right: note})
		out = append(out, r.app.section(s, w)...)
		if len(s.Toggles) > 0 {
			out = append(out, r.drawToggles(s.Toggles, w)...)
		}
	}
	out = append(out, r.drawInstead(w)...)
	r.plain = len(out)
	out = append(out, r.drawOptions(w)...)
	if len(r.plan.Kubectl) > 0 && len(r.plan.Sections) > 0 {
		out = append(out, sheetLine{rule: true, left: "the same with kubectl", right: r.app.keys.Key(keymap.SheetCopy) + " copies it"})
	}
	for _, c := range r.plan.Kubectl {
		for i, l := range text.Wrap("$ "+c, w-2) {
			out = append(out, sheetLine{row: row{{strings.Repeat(" ", min(i, 1)*2) + l, themes.Muted}}})
		}
	}
	return out
}

// noPlan is what stands on the sheet while there is no plan, or why there is none.
func (r *review) noPlan(w int) []sheetLine {
	var out []sheetLine
	say := func(s string, t themes.Token) {
		for _, l := range text.Wrap(s, w) {
			out = append(out, sheetLine{row: row{{l, t}}})
		}
	}
	if r.err == nil {
		say(r.app.spinner()+" Asking the server what would happen. Nothing is changed.", themes.Text)
		return out
	}
	sentence, next := why(r.err)
	say("There is no plan: "+sentence, themes.Warn)
	if next != "" {
		say(next, themes.Muted)
	}
	return out
}

// why makes words of an error of the engine.
func why(err error) (sentence, next string) {
	if refusal, ok := err.(*action.Refusal); ok { //nolint:errorlint // it is never wrapped
		return refusal.Why, ""
	}
	e := kube.Explain(err)
	return e.Sentence, e.Next
}

// facts are those of the plan, and those that follow from where and when it was made.
func (r *review) facts() []action.Fact {
	facts := slices.Clone(r.plan.Facts)
	if raised := r.tier(); raised != r.plan.Tier {
		facts = append(facts, action.Fact{Name: "tier", Text: fmt.Sprintf(
			"%s is protected: one tier up (%d to %d)", text.Clean(r.target.Context), r.plan.Tier, raised)})
	}
	made := r.app.local(r.plan.Made)
	state := "void at " + made.Add(action.PlanLife).Format(time.TimeOnly)
	if r.plan.Void(r.app.now) {
		state = "void: " + r.app.keys.Key(keymap.SheetAgain) + " makes it anew"
	}
	if r.asking != nil || r.stale {
		state = r.app.spinner() + " being made anew"
	}
	return append(facts, action.Fact{Name: "plan", Text: "made " + made.Format(time.TimeOnly) + ", read live; " + state})
}

// factColumn is the width of the names of facts.
const factColumn = 7

func factLines(f action.Fact, w int) []sheetLine {
	var out []sheetLine
	name := f.Name
	for _, l := range text.Wrap(f.Text, w-factColumn) {
		pad := strings.Repeat(" ", max(1, factColumn-text.Width(name)))
		out = append(out, sheetLine{row: row{{name + pad, themes.Muted}, {l, severityToken(f.Severity)}}})
		name = ""
	}
	return out
}

// meant is what the plan acts on; while there is none, what the key was pressed on.
func (r *review) meant() action.Target {
	if r.plan != nil && len(r.plan.Target.Refs) > 0 {
		return r.plan.Target
	}
	return r.target
}

// gate is the foot of the sheet: which gesture does what. It also gives the place of the text cursor in it.
func (r *review) gate(w int) ([]row, *tea.Cursor) {
	key := r.app.keys.Key
	esc := " " + key(keymap.TextClose) + "  nothing happens"
	if !r.confirmable() {
		words := "nothing can be confirmed"
		if r.plan != nil {
			words = "cannot be confirmed: " + r.refusal()
		} else if r.asking != nil {
			words = "nothing to confirm yet"
		}
		var out []row
		for _, l := range text.Wrap(words, w) {
			out = append(out, row{{l, themes.Warn}})
		}
		return append(out, spread(nil, row{{esc, themes.Muted}}, w)), nil
	}
	where := " in " + text.Clean(r.target.Context)
	if r.app.runner.Protected() {
		where = " in PROTECTED " + text.Clean(r.target.Context)
	}
	if r.tier() == action.Write {
		return r.nameGate(w, where, esc)
	}
	fill := themes.Ask
	if r.tier() == action.Read {
		fill = themes.Caution
	}
	chip := " " + key(keymap.SheetConfirm) + " "
	words := " " + r.plan.Gate + where
	if n := r.unread(); n > 0 {
		words = fmt.Sprintf(" %s: read the last %s first (%s)", r.plan.Gate, text.Plural(n, "line", "lines"), key(keymap.TextDown))
	}
	room := w - text.Width(chip) - text.Width(esc) - 1
	if r.unread() == 0 && text.Width(words) > room && !r.app.runner.Protected() {
		words = " " + r.plan.Gate // the context is in the edge above
	}
	if n := r.unread(); n > 0 && text.Width(words) > room {
		words = fmt.Sprintf(" read the last %s first (%s)", text.Plural(n, "line", "lines"), key(keymap.TextDown))
	}
	return []row{spread(
		row{{chip, fill}, {text.Cut(words, room, r.app.paint.Glyph(themes.GlyphEllipsis)), themes.Text}},
		row{{esc, themes.Muted}}, w)}, nil
}

// nameGate asks for the name of the object.
func (r *review) nameGate(w int, where, esc string) ([]row, *tea.Cursor) {
	ellipsis := r.app.paint.Glyph(themes.GlyphEllipsis)
	what := r.plan.Word
	if len(r.meant().Refs) > 1 {
		what = "the words " + what
	}
	ask := strings.TrimSpace(where) + ", type " + what + " to " + r.id.Does(len(r.meant().Refs)) + ": "
	ask = strings.ToUpper(ask[:1]) + ask[1:]
	second := spread(row{{text.Cut(r.plan.Foot, w-text.Width(esc)-1, ellipsis), themes.Muted}}, row{{esc, themes.Muted}}, w)
	if r.part != partName {
		chip := " " + r.toName() + " "
		return []row{{{chip, themes.Danger}, {text.Cut(" here, then "+strings.Replace(strings.ToLower(ask[:1])+strings.TrimSuffix(ask[1:], ": "), ", type", " type", 1), w-text.Width(chip), ellipsis), themes.Text}}, second}, nil
	}
	const least = 20 // cells for what is typed
	in := r.name.split()
	if text.Width(ask)+max(least, text.Width(r.plan.Word)+1) > w { // what is typed has a line of its own
		before := text.CutStart(in.Before, w-2, ellipsis)
		lines := []row{{{text.Cut(ask, w, ellipsis), themes.Text}}, {{before + in.After, themes.Focus}}, second}
		return r.unreadFirst(lines, w), tea.NewCursor(text.Width(before), 1)
	}
	before := text.CutStart(in.Before, w-text.Width(ask)-1, ellipsis)
	line := row{{ask, themes.Text}, {before + in.After, themes.Focus}}
	return r.unreadFirst([]row{line, second}, w), tea.NewCursor(text.Width(ask)+text.Width(before), 0)
}

// unreadFirst says in the last line of the gate what has to be read before the name counts.
func (r *review) unreadFirst(lines []row, w int) []row {
	if n := r.unread(); n > 0 {
		words := fmt.Sprintf("read the last %s first (%s)", text.Plural(n, "line", "lines"), r.app.keys.Key(keymap.NamePageDown))
		lines[len(lines)-1] = row{{text.Cut(words, w, r.app.paint.Glyph(themes.GlyphEllipsis)), themes.Warn}}
	}
	return lines
}

// toName are the keys that lead from here to the field for the name.
func (r *review) toName() string {
	next := r.app.keys.Key(keymap.SheetNext)
	s, _ := r.chosen()
	onNumber := s.toggle.Number != nil && r.numbers() < len(r.toggles())
	if r.part == partPlan && len(r.toggles()) > r.numbers() || onNumber {
		next += " " + next // by way of the options
	}
	return next
}

// spread puts pieces at both ends of a line.
func spread(left, right row, w int) row {
	gap := max(1, w-width(left)-width(right))
	return append(append(slices.Clone(left), piece{strings.Repeat(" ", gap), themes.Text}), right...)
}
