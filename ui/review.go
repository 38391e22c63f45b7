package ui

import (
	"context"
	"fmt"
	"maps"
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

// review is the sheet of an action: what would happen, what can be chosen, and the gate at its foot.
//
// What confirms must come from a hand: it counts only when the keyboard has been quiet for a while after the plan came,
// when no other key came just before or just after it, and never out of a paste. So neither keys typed ahead, nor a
// terminal that answers what some text asked it, can confirm anything.
type review struct {
	app     *App
	id      action.ID
	target  action.Target
	options action.Options

	plan *action.Plan
	err  error // why there is none
	// asking ends the making of a plan, nil when none is being made; asked is its number, so that a late answer to an
	// earlier question is known for what it is.
	asking context.CancelFunc
	asked  int

	before *review // the sheet that offered this one, nil if it was opened from a pane

	part     part
	option   int // what has the focus, among stops()
	name     *prompt
	number   *prompt   // the field of numberOf
	numberOf string    // ID of a toggle
	fresh    bool      // nothing has been typed into it yet: the first digit replaces what stands there
	strayed  time.Time // when a key was typed that means nothing here: words meant for the field, most likely
	typed    int       // grows with every change of a number
	stale    bool      // a number has been typed of which no plan is being made yet
	stroke   string    // the text of the key that came last

	top, page, count int  // the lines of the plan that are in view
	seen, plain      int  // how far it has been read, line by line, and how far it must be: options can be confirmed unread
	width            int  // of those lines
	ended            bool // the operator has gone to the end, which counts as having read what lies before it
	reveal           int  // a line that must come into view, -1 for none

	quiet time.Time // nothing confirms before
	last  time.Time // when the last key came
	burst bool      // it came right behind another
	armed int       // number of the confirming key that waits for quiet after it
}

// part is what of a sheet has the focus.
type part uint8

const (
	partPlan part = iota
	partOptions
	partName
)

const (
	// grace is how long the keyboard must have been quiet after a plan came before a key can confirm it.
	grace = 400 * time.Millisecond
	// apart is the least distance of a confirming key from those before and after it. Terminals answer in one go; a hand
	// is slower.
	apart = 30 * time.Millisecond
)

// stillMade is said of a plan that is not there yet, and no longer.
const stillMade = "the plan is still being made"

// Messages of a sheet.
type (
	planMsg struct {
		review *review
		asked  int
		plan   *action.Plan
		err    error
	}
	confirmMsg struct {
		review *review
		armed  int
	}
)

// act opens the sheet of an action.
func (a *App) act(id action.ID, refs []kube.Ref, o action.Options) tea.Cmd {
	r := &review{
		app: a, id: id, target: action.Target{Context: a.cluster.Context(), Refs: refs}, options: maps.Clone(o),
		name: newPrompt(""), reveal: -1,
	}
	if r.options == nil {
		r.options = action.Options{}
	}
	a.open(r)
	return r.ask()
}

// ask has a plan made, away from the update loop.
func (r *review) ask() tea.Cmd {
	r.giveUp()
	ctx, stop := context.WithCancel(r.app.ctx)
	r.asking, r.stale = stop, false
	r.asked++
	n, o, runner := r.asked, maps.Clone(r.options), r.app.runner
	return func() tea.Msg {
		p, err := runner.Plan(ctx, r.id, r.target, o)
		return planMsg{r, n, p, err}
	}
}

// giveUp ends the making of a plan.
func (r *review) giveUp() {
	if r.asking != nil {
		r.asking()
		r.asking = nil
	}
}

// planned takes a plan that has been made.
func (a *App) planned(msg planMsg) {
	r := msg.review
	if !a.covers(r) || msg.asked != r.asked || r.stale {
		return
	}
	r.giveUp()
	first := r.plan == nil
	r.plan, r.err = msg.plan, msg.err
	if r.err != nil {
		r.plan = nil
	}
	if first && r.numbers() > 1 && r.part == partPlan {
		r.part, r.option = partOptions, 0 // which of them a key means has to be seen
	}
	r.quiet = a.now.Add(grace)
	r.seen, r.ended = 0, false
	if a.toast.text == stillMade {
		a.toast = toast{}
	}
	if r.part == partName && (r.plan == nil || r.tier() != action.Write || !r.confirmable()) {
		r.part = partPlan // the field is not there any more
	}
	if r.part != partOptions {
		r.top = 0 // what is new is to be read from its beginning
	}
	if n := len(r.stops()); r.part == partOptions && n > 0 {
		r.option = min(r.option, n-1)
		r.reveal = r.option // the plan may have become longer
	} else if r.part == partOptions {
		r.part = partPlan
	}
	a.dirty = true
}

// heard notes that a key came, whatever it means.
func (r *review) heard(now time.Time, stroke string) {
	r.stroke = stroke
	if now.Before(r.quiet) {
		r.quiet = now.Add(grace)
	}
	if r.armed%2 == 1 {
		r.armed++ // something came right behind the key that would have confirmed
	}
	r.burst = now.Sub(r.last) < apart
	r.last = now
}

func (r *review) scope() keymap.Scope {
	switch {
	case r.part == partName:
		return keymap.Name
	case r.numberField() != nil:
		return keymap.Number
	}
	return keymap.Sheet
}

func (r *review) field() *prompt {
	if r.part == partName {
		return r.name
	}
	return r.numberField()
}

// close is called when the sheet is closed by its key, or taken away by another.
func (r *review) close() { r.giveUp() }

// back goes back to the sheet that offered this one, if there is one: its plan is made anew.
func (r *review) back() (bool, tea.Cmd) {
	if r.before == nil {
		return false, nil
	}
	r.giveUp()
	r.app.overlay = r.before
	return true, r.before.ask()
}

func (r *review) run(id keymap.ID) (bool, tea.Cmd) {
	switch id {
	case keymap.TextDown, keymap.TextUp, keymap.TextPageDown, keymap.TextPageUp, keymap.TextFirst, keymap.TextLast:
		r.scroll(id)
	case keymap.NamePageDown, keymap.NumberPageDown:
		r.scroll(keymap.TextPageDown)
	case keymap.NamePageUp, keymap.NumberPageUp:
		r.scroll(keymap.TextPageUp)
	case keymap.NumberPart:
		if r.behindNumbers() {
			return true, nil
		}
		return true, r.next(1)
	case keymap.SheetNext, keymap.NameNext:
		return true, r.next(1)
	case keymap.SheetPrevious:
		return true, r.next(-1)
	case keymap.SheetToggle:
		return true, r.toggle()
	case keymap.SheetLess:
		return true, r.change(-1)
	case keymap.SheetMore:
		return true, r.change(1)
	case keymap.SheetNumber:
		return true, r.startNumber()
	case keymap.NumberKeep:
		r.part, r.top = partPlan, 0
	case keymap.NumberNext:
		r.choose(1)
	case keymap.NumberPrevious:
		r.choose(-1)
	case keymap.NumberEmpty:
		r.number.set("")
		return true, r.takeNumber(r.numberOf, "")
	case keymap.SheetAgain:
		return true, r.ask()
	case keymap.SheetHelp:
		r.app.helpOver(r)
	case keymap.SheetConfirm, keymap.NameConfirm:
		return true, r.confirm(id)
	case keymap.SheetCopy, keymap.CopyName:
		if r.plan == nil || len(r.plan.Kubectl) == 0 {
			return true, r.app.do([]views.Effect{views.Flash{Text: "there is no kubectl command for it", Token: themes.Muted}})
		}
		return true, r.app.copy(strings.Join(r.plan.Kubectl, "\n"))
	default:
		return r.instead(id)
	}
	return true, nil
}

func (r *review) scroll(id keymap.ID) {
	if r.part == partOptions && (id == keymap.TextDown || id == keymap.TextUp) {
		step := 1
		if id == keymap.TextUp {
			step = -1
		}
		r.choose(step)
		return
	}
	switch id {
	case keymap.TextDown:
		r.top++
	case keymap.TextUp:
		r.top--
	case keymap.TextPageDown:
		r.top += r.page
	case keymap.TextPageUp:
		r.top -= r.page
	case keymap.TextFirst:
		r.top = 0
	case keymap.TextLast:
		r.top, r.ended = r.count, true
	}
}

// next moves the focus among the parts that the plan has. The field for the name has it only when the plan has been read.
func (r *review) next(step int) tea.Cmd {
	if r.plan == nil {
		return nil
	}
	parts := []part{partPlan}
	if len(r.toggles()) > 0 {
		parts = append(parts, partOptions)
	}
	if r.tier() == action.Write && r.confirmable() {
		parts = append(parts, partName)
	}
	at := 0
	for i, p := range parts {
		if p == r.part {
			at = i
		}
	}
	r.part = parts[(at+step+len(parts))%len(parts)]
	if r.part == partName && r.unread() > 0 {
		r.part, r.top = partPlan, r.seen
		return r.app.flash("read this first", themes.Warn)
	}
	switch r.part {
	case partOptions:
		if r.numbers() == 1 && r.option == 0 && step > 0 && !r.behindNumbers() { // - + and digits change the one number from anywhere
			return r.next(step)
		}
		r.choose(0)
	case partPlan:
		if r.confirmable() && r.unread() > 0 {
			r.top = r.seen // where reading has to go on
		}
	case partName:
	}
	return nil
}

func (r *review) tier() action.Tier { return r.app.runner.Tier(r.plan) }

// confirmable reports whether the plan may be confirmed as it is.
func (r *review) confirmable() bool {
	return r.plan != nil && r.plan.Work != nil && len(r.plan.Refusals) == 0
}

// unread is how many lines of the plan have not been in view.
func (r *review) unread() int {
	if r.tier() < action.Read {
		return 0
	}
	return max(0, r.plain-r.seen)
}

// confirm takes a confirming key. That it counts turns out when nothing has come right behind it.
func (r *review) confirm(id keymap.ID) tea.Cmd {
	if why := r.whyNot(id); why != "" {
		return r.app.flash(why, themes.Warn)
	}
	if r.plan.Void(r.app.now) {
		return tea.Batch(r.ask(), r.app.flash("the plan was too old: it is made anew; read it, then confirm", themes.Warn))
	}
	r.armed++
	n := r.armed
	return tea.Tick(apart, func(time.Time) tea.Msg { return confirmMsg{r, n} })
}

// whyNot gives the reason for which a confirming key does not count, "" if it does.
func (r *review) whyNot(id keymap.ID) string {
	now := r.app.now
	switch {
	case r.asking != nil, r.stale:
		return stillMade
	case r.plan == nil:
		return "there is no plan to confirm"
	case !r.confirmable():
		return "it cannot be confirmed: " + r.refusal()
	case now.Before(r.quiet):
		return "too soon: nothing was confirmed; read the plan first"
	case r.burst:
		return "several keys came at once: nothing was confirmed; press it again"
	case r.unread() > 0:
		return "read the last " + text.Plural(r.unread(), "line", "lines") + " first"
	case r.tier() != action.Write && id == keymap.NameConfirm:
		return r.app.keys.Key(keymap.SheetConfirm) + " confirms"
	case r.tier() == action.Write && id != keymap.NameConfirm:
		return r.toName() + " goes to the field in which " + r.plan.Word + " is typed"
	case r.tier() == action.Write && r.name.value() != r.plan.Word:
		return fmt.Sprintf("%q is not %s: nothing was confirmed", r.name.value(), r.plan.Word)
	}
	return ""
}

func (r *review) refusal() string {
	if len(r.plan.Refusals) > 0 {
		return r.plan.Refusals[0]
	}
	return "there is nothing to do"
}

// confirmed begins what has been confirmed.
func (a *App) confirmed(msg confirmMsg) tea.Cmd {
	r := msg.review
	if a.overlay != overlay(r) || a.tooSmall() {
		return nil
	}
	if msg.armed != r.armed {
		return a.flash("another key came right behind it: nothing was confirmed; press it again", themes.Warn)
	}
	r.armed++
	id, err := a.runner.Start(r.plan)
	if err != nil {
		return a.flash("nothing was done: "+err.Error(), themes.Warn)
	}
	r.giveUp()
	a.overlay = nil
	a.watching[id] = true
	var thaw tea.Cmd
	if !a.frozen.IsZero() { // a screen that holds still would not show what goes on
		thaw = a.freeze()
	}
	if r.plan.Watch {
		return tea.Batch(thaw, a.jump(views.RunPlace(id)))
	}
	return tea.Batch(thaw, a.flash(r.plan.Gate+a.paint.Glyph(themes.GlyphEllipsis), themes.Muted))
}
