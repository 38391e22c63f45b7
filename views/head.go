package views

import (
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// drawHead writes the rule that heads the pane: what is shown, of how much, in which order and which part of it.
func (l *list[R]) drawHead(b *strings.Builder, w int, f Frame) (cursor int) {
	r := Rule{Heavy: f.Focused, Left: l.title(f), Right: l.position(f)}
	if !f.Alone {
		r.Chip = f.Chip
	}
	if f.Input != nil {
		r.Input, r.Left = f.Input, ""
		if l.fault != nil {
			r.Right = []string{"error · showing " + l.showing(), "error"}
		}
	}
	if at := l.asOf(f); !at.IsZero() && f.Input == nil {
		r.Tail = " as of " + at.In(f.Now.Location()).Format(time.TimeOnly)
	}
	if l.phase(f) == kube.Stale {
		r.RightToken, r.Keep = themes.Warn, true
	}
	return r.Draw(b, w, f.Paint)
}

// showing names the filter in force.
func (l *list[R]) showing() string {
	if l.filter.Empty() {
		return "all"
	}
	return l.filter.Text
}

// title is the left part of the rule.
func (l *list[R]) title(f Frame) string {
	s := l.snap
	switch l.phase(f) {
	case kube.Loading:
		if s.State.Err != nil {
			return "not loaded"
		}
		return "loading " + text.Count(s.State.Seen) + f.ellipsis()
	case kube.Denied:
		return "no access"
	case kube.Failed:
		return "not there"
	case kube.Live, kube.Stale: // there are rows
	}
	var t string
	switch {
	case l.narrowed() && s.Len() == 0:
		t = "none of " + text.Count(s.Total) + " match"
	case l.narrowed():
		t = text.Count(s.Len()) + " of " + text.Count(s.Total)
	case s.Total == 0:
		t = "none"
	default:
		t = l.spec.counts(s)
	}
	if l.pin != (Pin{}) {
		t += " · " + l.pin.Field + "=" + l.pin.Value
	}
	if !l.filter.Empty() {
		t += "  / " + l.filter.Text
	}
	if m := l.marked(); m != "" {
		t += " · " + m
	}
	return t
}

func (f Frame) ellipsis() string { return f.Paint.Glyph(themes.GlyphEllipsis) }

// position is the right part of the rule, from its longest form to its shortest: the order, the lines on the screen of
// how many, and whether columns are hidden. How far rows can be believed comes before where they stand.
func (l *list[R]) position(f Frame) []string {
	phase := l.phase(f)
	if l.snap.Len() == 0 {
		return []string{phase.String()}
	}
	first, last := l.table.Range()
	p := text.Count(first+1) + "-" + text.Count(last) + " of " + text.Count(l.snap.Len())
	if _, right := l.table.More(); right {
		p += " " + f.Paint.Glyph(themes.GlyphMore)
	}
	if phase == kube.Stale || phase == kube.Loading {
		return []string{phase.String() + " · " + p, phase.String()}
	}
	name := l.spec.orders[l.order].title
	if l.reverse {
		name += " reversed"
	}
	return []string{name + " · " + p, p}
}

// phase is how far the rows can be believed, the connection included: a store that believes itself live is not, when
// the server does not answer.
func (l *list[R]) phase(f Frame) kube.Phase {
	p := l.snap.State.Phase
	if p == kube.Live && f.Health.Known && !f.Health.Up {
		return kube.Stale
	}
	return p
}

// asOf is the time of the last contact, for rows that are not live.
func (l *list[R]) asOf(f Frame) time.Time {
	if l.phase(f) != kube.Stale {
		return time.Time{}
	}
	if f.Health.Known && !f.Health.Up && !f.Health.LastContact.IsZero() {
		return f.Health.LastContact
	}
	return l.snap.State.Since
}

func (l *list[R]) narrowed() bool { return !l.filter.Empty() || l.pin != (Pin{}) }

// drawFault writes the line under a filter that cannot be read.
func (l *list[R]) drawFault(b *strings.Builder, w int, f Frame) {
	field := 4 // cells before the text in the rule
	if !f.Alone {
		field += text.Width(f.Chip) + 4
	}
	at := field + text.Width(f.Input.Text()[:min(l.fault.At, len(f.Input.Text()))])
	line := strings.Repeat(" ", min(at, w/2)) + strings.Repeat("^", max(1, min(l.fault.Len, 8))) + " " + l.fault.Reason
	b.WriteString(f.Paint.Open(themes.Bad, themes.Plain))
	text.AppendPadded(b, line, w, false)
	b.WriteString(f.Paint.Close())
}

// emptiness says in words why there are no rows: that none exist, none match, none may be seen and none have been read
// are four different things.
func (l *list[R]) emptiness(f Frame) []string {
	s := l.snap
	switch l.phase(f) {
	case kube.Denied:
		return []string{
			"You may not list " + l.spec.many + ". The server says:",
			reason(s.State.Err),
			"needed: list and watch " + l.spec.many + " · other panes work · ctrl+r asks again",
		}
	case kube.Failed:
		return []string{"The server has no " + l.spec.many + ": " + reason(s.State.Err), "ctrl+r asks again"}
	case kube.Loading:
		return l.loading(f)
	case kube.Live, kube.Stale: // what is there has been read
	}
	if s.Total > 0 {
		return []string{"No " + l.spec.one + " matches  " + strings.TrimSpace(l.wanted()),
			"esc clears the filter   / changes it"}
	}
	return []string{"No " + l.spec.many + " here.", "The list is complete and you may read it; there are none."}
}

func (l *list[R]) wanted() string {
	w := l.filter.Text
	if l.pin != (Pin{}) {
		w = l.pin.Field + "=" + l.pin.Value + " " + w
	}
	return w
}

func (l *list[R]) loading(f Frame) []string {
	s := l.snap
	if s.State.Err != nil || f.Health.Known && !f.Health.Up {
		err := s.State.Err
		if f.Health.Err != nil {
			err = f.Health.Err
		}
		e := kube.Explain(err)
		return []string{e.Sentence, e.Next, "It is tried again all the time; ctrl+r tries now."}
	}
	if s.State.Seen == 0 {
		return []string{"Reading " + l.spec.many + f.ellipsis(), "Rows appear as they arrive."}
	}
	return []string{
		"Nothing to show yet: " + text.Count(s.State.Seen) + " " + l.spec.many + " read, 0 match so far.",
		"The list is not complete; rows appear as they arrive.",
	}
}

// reason is an error as one clean line.
func reason(err error) string {
	if err == nil {
		return "no reason given"
	}
	return text.Clean(kube.Explain(err).Sentence)
}

// drawMessage centres lines of text in a rectangle, wrapped.
func drawMessage(b *strings.Builder, s Size, lines []string, p *themes.Painter) {
	var wrapped []string
	for _, l := range lines {
		wrapped = append(wrapped, text.Wrap(l, max(s.W-4, 1))...)
	}
	for y := range s.H {
		if y > 0 {
			b.WriteByte('\n')
		}
		line := ""
		if i := y - 1; i >= 0 && i < len(wrapped) {
			line = wrapped[i]
		}
		pad := max(0, (s.W-text.Width(line))/2)
		b.WriteString(p.Open(themes.Text, themes.Plain))
		text.AppendPadded(b, strings.Repeat(" ", pad)+line, s.W, false)
		b.WriteString(p.Close())
	}
}
