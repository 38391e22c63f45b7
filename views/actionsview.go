package views

import (
	"fmt"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// shown is the list that is on the screen.
func (v *actions) shown() View {
	if v.open != "" {
		return v.steps
	}
	return v.runs
}

// Name implements View.
func (v *actions) Name() string { return v.runs.Name() }

// Scope implements View.
func (v *actions) Scope() keymap.Scope { return v.shown().Scope() }

// Needs implements View.
func (v *actions) Needs() kube.Kinds { return kube.Actions }

// Handle implements View. Both lists hear of news; keys go to the one that is shown.
func (v *actions) Handle(e Event) []Effect {
	switch e := e.(type) {
	case Changed:
		v.steps.Handle(e)
		return v.runs.Handle(e)
	case Go:
		return v.goTo(e.Place)
	case Intent:
		effects := v.shown().Handle(e)
		if e.ID == keymap.SkipStep && len(effects) == 1 {
			v.steps.table.Move(1) // the step goes elsewhere in the order; who leaves one pod may want to leave the next
		}
		if v.open != "" && len(effects) == 1 && effects[0] == (Up{}) {
			v.enter("")
			return nil
		}
		return effects
	}
	return v.shown().Handle(e)
}

// goTo shows the steps of a run, if that is what the place is pinned to and the run is still known.
func (v *actions) goTo(p Place) []Effect {
	if p.Pin.Field == runField && v.source.Run(p.Pin.Value) != nil {
		v.enter(p.Pin.Value)
		p.Pin = Pin{}
		return v.steps.Handle(Go{p})
	}
	v.enter("")
	return v.runs.Handle(Go{p})
}

// Place implements View.
func (v *actions) Place() Place {
	p := v.shown().Place()
	if v.open != "" {
		p.Pin = Pin{runField, v.open}
	}
	return p
}

// RunPlace is the place of the steps of a run.
func RunPlace(id string) Place { return Place{Pane: "actions", Pin: Pin{runField, id}} }

// Draw implements View. Above the steps stands how far the whole is.
func (v *actions) Draw(b *strings.Builder, s Size, f Frame) (cursor int) {
	f.Health = kube.Health{} // what is shown is ours: it does not grow stale when the server is away
	r := v.run()
	if v.open == "" || r == nil || s.H < 6 {
		return v.shown().Draw(b, s, f)
	}
	head := v.head(r, s, f)
	var rest strings.Builder
	cursor = v.steps.Draw(&rest, Size{s.W, s.H - len(head)}, f)
	if f.Input != nil {
		b.WriteString(rest.String()) // the filter line takes the place of the rule, and with it the first line
		for range head {
			b.WriteByte('\n')
			blank(b, s.W, f.Paint)
		}
		return cursor
	}
	_, rows, _ := strings.Cut(rest.String(), "\n")
	v.drawRule(b, s.W, f, r)
	for _, l := range head {
		b.WriteByte('\n')
		b.WriteString(l)
	}
	b.WriteByte('\n')
	b.WriteString(rows)
	return -1
}

// mostWords is how many lines the end of a run is given.
const mostWords = 3

// head says how far a run is, or how it has ended, and how many steps are in which state.
func (v *actions) head(r *action.Run, s Size, f Frame) []string {
	var lines []string
	if r.State == action.Running && r.Steps > 0 {
		var b strings.Builder
		drawBar(&b, s.W, f.Paint, r)
		lines = append(lines, b.String())
	} else {
		for _, l := range text.Wrap(r.Note, s.W-2) {
			if len(lines) < min(mostWords, max(1, s.H-5)) {
				lines = append(lines, worded(l, s.W, severityToken(r.Worst()), f.Paint))
			}
		}
	}
	return append(lines, worded(v.tally(), s.W, themes.Muted, f.Paint))
}

// worded is a line of words with a space before them.
func worded(words string, w int, t themes.Token, p *themes.Painter) string {
	var b strings.Builder
	b.WriteString(p.Open(t, themes.Plain))
	text.AppendPadded(&b, text.Cut(" "+words, w, p.Glyph(themes.GlyphEllipsis)), w, false)
	b.WriteString(p.Close())
	return b.String()
}

// drawRule names the run, how long it has been going on, and who began it.
func (v *actions) drawRule(b *strings.Builder, w int, f Frame, r *action.Run) {
	rule := Rule{
		Heavy: f.Focused, Left: r.Action.Verb() + " " + r.Target.Name() + " · " + runState(r, f.Now),
		Right: []string{
			"started " + clock(r.Started, f.Now) + " by " + dash(r.User) + " · " + v.steps.position(f)[0], v.steps.position(f)[0],
		},
	}
	if q := v.steps.asked(); !q.filter.Empty() {
		rule.Left += "  / " + q.filter.Text
	}
	if !f.Alone {
		rule.Chip = f.Chip
	}
	rule.Draw(b, w, f.Paint)
}

// barWidth is how much of a line the bar takes at most.
const barWidth = 60

// drawBar shows how much of a run that goes on is behind it.
func drawBar(b *strings.Builder, w int, p *themes.Painter, r *action.Run) {
	words := fmt.Sprintf("%d of %d, %d%%", r.Done, r.Steps, 100*r.Done/r.Steps)
	if r.Paused {
		words += ", paused"
	}
	cells := min(barWidth, w*3/5)
	filled := cells * r.Done / r.Steps
	b.WriteString(p.Open(themes.Bar, themes.Plain))
	b.WriteString(" " + strings.Repeat(p.Glyph(themes.GlyphFull), filled))
	b.WriteString(p.Open(themes.Border, themes.Plain))
	b.WriteString(strings.Repeat(p.Glyph(themes.GlyphEmpty), cells-filled) + " ")
	b.WriteString(p.Open(severityToken(r.Worst()), themes.Plain))
	text.AppendPadded(b, text.Cut(words, w-cells-2, p.Glyph(themes.GlyphEllipsis)), w-cells-2, false)
	b.WriteString(p.Close())
}

// tally counts the steps by their states.
func (v *actions) tally() string {
	counts := map[action.StepState]int{}
	for i := range v.steps.snap.Len() {
		counts[v.steps.snap.Row(i).State]++
	}
	var words []string
	for s := action.StepWaits; s <= action.StepUnknown; s++ {
		if n := counts[s]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(words, "   ")
}

func blank(b *strings.Builder, w int, p *themes.Painter) {
	b.WriteString(p.Open(themes.Text, themes.Plain))
	text.AppendPadded(b, "", w, false)
	b.WriteString(p.Close())
}

// Tab implements View: how many run.
func (v *actions) Tab() (string, kube.Severity) {
	n, worst := 0, kube.OK
	for i := range v.runs.snap.Len() {
		if r := v.runs.snap.Row(i); r.State == action.Running || r.Standing.Severity >= kube.Warning {
			n, worst = n+1, max(worst, r.Worst())
		}
	}
	if n == 0 {
		return "", kube.OK
	}
	return text.Count(n), worst
}

// Counts implements View: actions are not what is wrong with the cluster.
func (v *actions) Counts() [kube.Bad + 1]int { return [kube.Bad + 1]int{} }

// State implements View.
func (v *actions) State() kube.State { return v.shown().State() }

// Objects implements View.
func (v *actions) Objects(n int) []Object { return v.runs.Objects(n) }

// Strip implements View.
func (v *actions) Strip(now time.Time) Strip { return v.shown().Strip(now) }

// Namespaces implements View.
func (v *actions) Namespaces() map[string]int { return nil }

// Waiting implements View.
func (v *actions) Waiting() bool { return v.shown().Waiting() }

// Fault implements View.
func (v *actions) Fault() *FilterError { return v.shown().Fault() }

// Details implements View. The details of a run can be asked for among its steps too.
func (v *actions) Details(uid string, now time.Time) (Details, bool) {
	if d, ok := v.shown().Details(uid, now); ok {
		return d, true
	}
	return v.runs.Details(uid, now)
}

// Why implements View.
func (v *actions) Why(id keymap.ID) string { return v.shown().Why(id) }

// Close implements View.
func (v *actions) Close() {
	v.runs.Close()
	v.steps.Close()
}
