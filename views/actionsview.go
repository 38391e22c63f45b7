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
	r := v.run()
	if v.open == "" || r == nil || s.H < 6 {
		return v.shown().Draw(b, s, f)
	}
	var rest strings.Builder
	const head = 3
	cursor = v.steps.Draw(&rest, Size{s.W, s.H - head + 1}, f)
	if f.Input != nil {
		b.WriteString(rest.String()) // the filter line takes the place of the rule, and with it the first line
		for range head - 1 {
			b.WriteByte('\n')
			blank(b, s.W, f.Paint)
		}
		return cursor
	}
	_, rows, _ := strings.Cut(rest.String(), "\n")
	v.drawRule(b, s.W, f, r)
	b.WriteByte('\n')
	drawBar(b, s.W, f.Paint, r)
	b.WriteByte('\n')
	v.drawTally(b, s.W, f.Paint)
	b.WriteByte('\n')
	b.WriteString(rows)
	return -1
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

// drawBar shows how much of a run is behind it.
func drawBar(b *strings.Builder, w int, p *themes.Painter, r *action.Run) {
	words := r.Note
	if r.Steps > 0 && r.State == action.Running {
		words = fmt.Sprintf("%d of %d, %d%%", r.Done, r.Steps, 100*r.Done/r.Steps)
		if r.Paused {
			words += ", paused"
		}
	}
	cells := min(barWidth, w*3/5)
	if r.State != action.Running || r.Steps == 0 {
		cells = 0
	}
	filled := 0
	if r.Steps > 0 {
		filled = cells * r.Done / r.Steps
	}
	used := 1
	b.WriteString(p.Open(themes.Bar, themes.Plain))
	b.WriteByte(' ')
	if cells > 0 {
		b.WriteString(strings.Repeat(p.Glyph(themes.GlyphFull), filled))
		b.WriteString(p.Open(themes.Border, themes.Plain))
		b.WriteString(strings.Repeat(p.Glyph(themes.GlyphEmpty), cells-filled) + " ")
		used += cells + 1
	}
	b.WriteString(p.Open(severityToken(r.Worst()), themes.Plain))
	text.AppendPadded(b, text.Cut(words, w-used, p.Glyph(themes.GlyphEllipsis)), w-used, false)
	b.WriteString(p.Close())
}

// drawTally counts the steps by their states.
func (v *actions) drawTally(b *strings.Builder, w int, p *themes.Painter) {
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
	b.WriteString(p.Open(themes.Muted, themes.Plain))
	text.AppendPadded(b, text.Cut(" "+strings.Join(words, "   "), w, p.Glyph(themes.GlyphEllipsis)), w, false)
	b.WriteString(p.Close())
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
		if r := v.runs.snap.Row(i); r.State == action.Running {
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
