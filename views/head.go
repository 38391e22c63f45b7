package views

import (
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/keymap"
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
	if l.spec.position != nil && l.fault == nil {
		r.Right, r.RightToken = l.spec.position(f)
		r.Keep = true
	}
	switch l.phase(f) {
	case kube.Stale:
		r.RightToken, r.Keep = themes.Warn, true
	case kube.Loading:
		r.RightToken, r.Keep = themes.Muted, true
	case kube.Live, kube.Denied, kube.Failed: // the rows, or what stands in their place, say it
	}
	return r.Draw(b, w, f.Paint)
}

// showing names the filter that the rows have passed.
func (l *list[R]) showing() string {
	if q := l.shown(); !q.filter.Empty() {
		return q.filter.Text
	}
	return "all"
}

// title is the left part of the rule. It speaks of the rows that are there, even if others have been asked for.
func (l *list[R]) title(f Frame) string {
	s, q := l.snap, l.shown()
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
	case q.narrowed() && s.Len() == 0:
		t = "none of " + text.Count(s.Total) + " match"
	case l.spec.tally != nil && s.Total > 0:
		t = l.counts
	case q.narrowed():
		t = text.Count(s.Len()) + " of " + text.Count(s.Total)
	case s.Total == 0:
		t = "none"
	case l.spec.heading != nil:
		t = l.spec.heading(f.Now)
	default:
		t = l.counts
	}
	switch {
	case l.spec.tally != nil:
		t += l.spec.tally(f)
	case q.pin != (Pin{}):
		t += " · " + l.pinWords(q.pin)
	}
	if !q.filter.Empty() {
		t += "  / " + q.filter.Text
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
	name := l.spec.orders[l.shown().order].title
	if l.shown().reverse {
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

// drawFault writes the line under a filter that cannot be read: carets below the fault, as far as the field shows it,
// and the reason beside them, where there is more room. cursor is the column of the text cursor in the line above; text
// that has been scrolled out of the field is behind its left end.
func (l *list[R]) drawFault(b *strings.Builder, w, cursor int, f Frame) {
	typed, before := f.Input.Text(), len(f.Input.Before)
	from := min(l.fault.At, len(typed))
	to := min(from+l.fault.Len, len(typed))
	at := cursor - text.Width(typed[min(from, before):before]) + text.Width(typed[before:max(from, before)])
	end := at + max(1, text.Width(typed[from:to]))
	left := 2 // the field's first column
	if !f.Alone {
		left += text.Width(f.Chip) + 4
	}
	at = min(max(at, left), w-1)
	carets := strings.Repeat("^", max(1, min(end, w, at+8)-at))

	line := strings.Repeat(" ", at) + carets
	switch room := w - at - len(carets) - 1; {
	case room >= text.Width(l.fault.Reason) || room >= at-1:
		line += " " + text.Cut(l.fault.Reason, room, f.ellipsis())
	default:
		reason := text.Cut(l.fault.Reason, at-1, f.ellipsis())
		line = strings.Repeat(" ", at-1-text.Width(reason)) + reason + " " + carets
	}
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
			"needed: list and watch " + l.spec.many + " · " + f.Key(keymap.ReadAgain) + " asks again",
			kube.Explain(s.State.Err).Next,
		}
	case kube.Failed:
		return []string{"The server has no " + l.spec.many + ": " + reason(s.State.Err), f.Key(keymap.ReadAgain) + " asks again"}
	case kube.Loading:
		return l.loading(f)
	case kube.Live, kube.Stale: // what is there has been read
	}
	if l.spec.lack != nil && !l.Waiting() {
		if words := l.spec.lack(f); words != nil {
			return words
		}
	}
	switch {
	case l.Waiting():
		return []string{"Looking" + f.ellipsis()}
	case s.Total > 0:
		return []string{"No " + l.spec.one + " matches  " + strings.TrimSpace(l.wanted()), l.wayOut(f)}
	}
	if l.spec.none != "" {
		return []string{"No " + l.spec.many + " here.", l.spec.none}
	}
	return []string{"No " + l.spec.many + " here.", "The list is complete and you may read it; there are none."}
}

func (l *list[R]) wanted() string {
	q := l.shown()
	if q.pin != (Pin{}) {
		return l.pinWords(q.pin) + " " + q.filter.Text
	}
	return q.filter.Text
}

// pinWords say what the pane is pinned to.
func (l *list[R]) pinWords(p Pin) string {
	if l.spec.pinWords != nil {
		return l.spec.pinWords(p)
	}
	return p.Field + "=" + p.Value
}

// wayOut says which key leads out of a filter or a pin that leaves nothing, as back does it.
func (l *list[R]) wayOut(f Frame) string {
	if f.Input != nil {
		return f.Key(keymap.FilterClear) + " clears the filter"
	}
	back, filtered := f.Key(keymap.Back), !l.shown().filter.Empty()
	if l.spec.widen != nil && !filtered {
		if words := l.spec.widen(f); words != "" {
			return words
		}
	}
	switch {
	case l.table.Marked() > 0:
		back += " takes the marks away"
	case filtered:
		back += " clears the filter"
	default:
		back += " goes back"
	}
	if filtered {
		back += "   " + f.Key(keymap.EditFilter) + " changes it"
	}
	return back
}

func (l *list[R]) loading(f Frame) []string {
	s := l.snap
	if s.State.Err != nil || f.Health.Known && !f.Health.Up {
		err := s.State.Err
		if f.Health.Err != nil {
			err = f.Health.Err
		}
		e := kube.Explain(err)
		return []string{e.Sentence, e.Next, "It is tried again all the time; " + f.Key(keymap.ReadAgain) + " tries now."}
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
