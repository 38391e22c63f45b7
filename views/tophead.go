package views

import (
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// headed completes the spec of a level: what its head says is the same of all.
func headed[R kube.Row](v *top, s spec[R], list func() *ranked[R]) spec[R] {
	s.counts = func(*kube.Snapshot[R]) string { return "" }
	s.tally = func(Frame) string { return list().tally() }
	s.position = func(f Frame) ([]string, themes.Token) { return list().sampling(f) }
	s.pinWords = func(p Pin) string { return v.pinned(p) }
	s.lack = func(f Frame) []string { return list().lack(f) }
	s.open = func(R) []Effect { return []Effect{ShowDetails{}} }
	return s
}

// tally says what the rows are and how they are sorted: "12 of 150 nodes by cpu", "pods of worker-51 by memory · order held".
func (r *ranked[R]) tally() string {
	q, n := r.shown(), r.snap.Len()
	if n == 0 {
		return ""
	}
	t := r.spec.many
	if q.pin.Field == "by" {
		t = q.pin.Value + "s"
	}
	if !q.filter.Empty() {
		t = text.Count(n) + " " + t
	}
	if words := r.pinWords(q.pin); q.pin != (Pin{}) && words != "" {
		t += " " + words
	}
	t += " by " + r.spec.orders[q.order].title
	switch {
	case q.reverse:
		t += " reversed"
	case r.steady():
		t += " · order held"
	}
	return t
}

// pinned says what rows a pin leaves.
func (v *top) pinned(p Pin) string {
	switch p.Field {
	case "by":
		return "" // they are called so
	case "ns":
		return "in namespace " + p.Value
	case "node":
		return "on " + p.Value
	}
	return "of " + p.Value
}

// sampling says how often is measured and when it was last, or why there is nothing new.
func (r *ranked[R]) sampling(f Frame) ([]string, themes.Token) {
	more := ""
	if _, right := r.table.More(); right && r.snap.Len() > 0 {
		more = " " + f.Paint.Glyph(themes.GlyphMore)
	}
	switch phase := r.phase(f); phase {
	case kube.Stale:
		return []string{phase.String() + more}, themes.Warn
	case kube.Loading, kube.Denied, kube.Failed:
		return []string{phase.String()}, themes.Muted
	case kube.Live: // the samples say the rest
	}
	return sampled(r.moment(f.Now), more)
}

// sampled is the same of samples that can be believed as far as they go.
func sampled(m kube.Moment, more string) ([]string, themes.Token) {
	sentence, next := m.UsageTrouble()
	newest, token := m.NewestSample(), themes.Muted
	if sentence != "" {
		token = themes.Warn
	}
	switch {
	case newest.IsZero():
		return []string{joined(": ", sentence, next), sentence, "no samples"}, token
	case unmoved(m):
		return []string{joined(": ", sentence, next) + more, sentence + more, "samples " + text.Age(m.Now, newest) + " old" + more}, token
	}
	forms := measuring(m.SampleStep(), m.Now, newest)
	age := forms[0]
	for i := range forms {
		forms[i] += more
	}
	if sentence != "" {
		forms = append([]string{sentence + " · " + age + more}, forms...)
	}
	return forms, token
}

// measuring says how often is measured, as far as that is known, and when it was last.
func measuring(step time.Duration, now, newest time.Time) []string {
	age := "newest " + text.Age(now, newest) + " ago"
	if step <= 0 {
		return []string{age}
	}
	return []string{text.Count(int(step/time.Second)) + " s samples, " + age, age}
}

// unmoved reports whether nothing new is measured: what is shown is what was known before.
func unmoved(m kube.Moment) bool {
	return m.Usage != nil && m.Usage.State.Err != nil || (kube.Sample{At: m.NewestSample()}).Late(m)
}

// lack says why there is no row where that has to do with samples: nil where it has not.
func (r *ranked[R]) lack(f Frame) []string {
	q := r.shown()
	if r.spec.needs&(kube.Totals|kube.Containers) == 0 || !q.filter.Empty() {
		return nil
	}
	m := r.moment(f.Now)
	if sentence, next := m.UsageTrouble(); sentence != "" {
		return []string{"No " + r.spec.many + ": " + sentence + ".", next}
	}
	if r.spec.none != "" {
		return []string{"No " + r.spec.many + " here.", r.spec.none}
	}
	return nil
}
