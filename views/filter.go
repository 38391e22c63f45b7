package views

import (
	"slices"
	"strings"
	"time"

	"ktriage/internal/filter"
	"ktriage/internal/table"
	"ktriage/kube"
)

// Filter is a filter line that has been read, for rows of one kind. The zero Filter is empty and fits all.
type Filter struct {
	Text  string
	sieve any // a sieve of the rows that it was read for; nil for none
}

// FilterError is what is wrong with a filter line, and where.
type FilterError = filter.Error

// Empty reports whether the filter lets everything through.
func (f Filter) Empty() bool { return f.sieve == nil }

// sought is what a filter looks at in rows of one kind.
type sought[R kube.Row] struct {
	many   string // "certificates"
	fields []filterField[R]
	text   func(R, kube.Moment) string // see spec.searched
	labels func(R) kube.Labels
}

// sought is what a filter looks at in the rows of the pane.
func (s *spec[R]) sought() sought[R] {
	return sought[R]{s.many, s.fields, seen(s.searched, s.columns), s.labels}
}

// seen is the text that a filter searches: what columns show, where a kind of rows has no text ready.
func seen[R kube.Row](text func(R, kube.Moment) string, columns []table.Column[R]) func(R, kube.Moment) string {
	if text != nil {
		return text
	}
	return func(r R, m kube.Moment) string {
		var b strings.Builder
		for i := range columns {
			b.WriteString(filter.Lower(columns[i].Cell(r, m).Text))
			b.WriteByte(filter.FieldEnd)
		}
		return b.String()
	}
}

// language is what can be said of the rows.
func (s sought[R]) language() *filter.Language {
	l := &filter.Language{NoLabels: s.many + " have no labels"}
	for i := range s.fields {
		l.Fields = append(l.Fields, s.fields[i].Field)
	}
	if s.labels != nil {
		l.Selector = func(text string) error {
			_, err := kube.ParseSelector(text)
			return err //nolint:wrapcheck // it is said where it stands
		}
	}
	return l
}

// parse reads a filter line.
func (s sought[R]) parse(text string) (Filter, *FilterError) {
	e, fault := s.language().Parse(text)
	if fault != nil {
		return Filter{}, fault
	}
	f := Filter{Text: strings.TrimSpace(text)}
	if len(e.Terms) > 0 {
		f.sieve = s.sieve(e)
	}
	return f, nil
}

// sieve is a filter as it is asked of row after row: the tests that cost least come first.
type sieve[R kube.Row] struct {
	tests []test[R]
	reads kube.Kinds // the kinds, other than the row's own, that it looks up in the Moment
	clock bool       // it depends on the time
}

// test is one term of a filter.
type test[R kube.Row] struct {
	not  bool
	cost int
	keep func(R, kube.Moment) bool
	// turns gives when keep of a row changes next by the time alone, zero if never; nil where that is no matter of time.
	turns func(R, kube.Moment) time.Time
}

// What tests of a row cost, in the order in which they are made.
const (
	costNumber = iota
	costWord
	costLabels
	costText
	costAbbreviation
	costLookup
	costPattern
)

// keep reports whether a row passes all tests. It allocates nothing of its own.
func (s *sieve[R]) keep(r R, m kube.Moment) bool {
	for i := range s.tests {
		if t := &s.tests[i]; t.keep(r, m) == t.not {
			return false
		}
	}
	return true
}

// until gives when a row may come or go by the time alone: never, if anything else keeps it out.
func (s *sieve[R]) until(r R, m kube.Moment) time.Time {
	var next time.Time
	for i := range s.tests {
		t := &s.tests[i]
		if t.turns == nil {
			if t.keep(r, m) == t.not {
				return time.Time{}
			}
			continue
		}
		if at := t.turns(r, m); next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// sieve makes one of what was read.
func (s sought[R]) sieve(e filter.Expr) sieve[R] {
	out := sieve[R]{reads: kube.Nodes} // of a pod on a silent node, the status is only history
	for i := range e.Terms {
		term := &e.Terms[i]
		t := s.test(term)
		t.not = term.Not
		if term.Kind == filter.Compare {
			out.reads |= s.fields[term.Field].reads
		}
		out.clock = out.clock || t.turns != nil
		out.tests = append(out.tests, t)
	}
	slices.SortStableFunc(out.tests, func(a, b test[R]) int { return a.cost - b.cost })
	return out
}

func (s sought[R]) test(t *filter.Term) test[R] {
	switch t.Kind {
	case filter.Word:
		return s.word(filter.Lower(t.Text))
	case filter.Quoted:
		word := filter.Lower(t.Text)
		return test[R]{cost: costText, keep: func(r R, m kube.Moment) bool { return r.Matches(word, m) }}
	case filter.Regexp:
		p, err := filter.NewPattern(t.Text)
		return test[R]{cost: costPattern, keep: func(r R, m kube.Moment) bool { return err == nil && p.In(s.text(r, m)) }}
	case filter.Labels:
		selector, err := kube.ParseSelector(t.Text)
		return test[R]{cost: costLabels, keep: func(r R, _ kube.Moment) bool { return err == nil && selector.Matches(s.labels(r)) }}
	case filter.Compare:
	}
	return s.fields[t.Field].test(t)
}

// word finds a bare word: as it stands, or as an abbreviation.
func (s sought[R]) word(word string) test[R] {
	short := filter.NewAbbreviation(word)
	if short == nil {
		return test[R]{cost: costText, keep: func(r R, m kube.Moment) bool { return r.Matches(word, m) }}
	}
	return test[R]{cost: costAbbreviation, keep: func(r R, m kube.Moment) bool {
		return r.Matches(word, m) || short.In(s.text(r, m))
	}}
}

// test compares the field.
func (f *filterField[R]) test(t *filter.Term) test[R] {
	if f.Type == filter.Text {
		return f.words(t)
	}
	get := f.sample(t)
	cost := costNumber
	if f.reads&kube.Metrics != 0 {
		cost = costLookup
	}
	return test[R]{cost: cost, turns: f.turns(t), keep: func(r R, m kube.Moment) bool { return t.Holds(get(r, m)) }}
}

func (f *filterField[R]) words(t *filter.Term) test[R] {
	text, named, some := f.text, t.Names, func(string) bool { return true }
	missing := t.Asks()
	if t.Op == filter.NotEqual {
		return test[R]{cost: costWord, keep: func(r R, m kube.Moment) bool { return text(r, m, some) && !text(r, m, named) }}
	}
	return test[R]{cost: costWord, keep: func(r R, m kube.Moment) bool {
		return text(r, m, named) || missing && !text(r, m, some)
	}}
}

// sample makes of the functions that the field has what a comparison wants to know: to look up both an amount and what it is a
// part of would cost twice.
func (f *filterField[R]) sample(t *filter.Term) func(R, kube.Moment) filter.Sample {
	switch {
	case f.since != nil:
		return func(r R, m kube.Moment) filter.Sample {
			t := f.since(r)
			return filter.Sample{Known: !t.IsZero(), N: int64(m.Now.Sub(t))}
		}
	case f.until != nil:
		return func(r R, m kube.Moment) filter.Sample {
			t := f.until(r)
			return filter.Sample{Known: !t.IsZero(), N: int64(t.Sub(m.Now))}
		}
	case f.ready != nil:
		return func(r R, m kube.Moment) filter.Sample {
			is := f.ready(r, m)
			return filter.Sample{
				Known: is.known, N: is.is, Of: is.of, Part: is.is, Whole: is.of, Judged: is.known && is.judged, Yes: is.is >= is.of,
			}
		}
	case f.yes != nil:
		return func(r R, m kube.Moment) filter.Sample {
			yes, known := f.yes(r, m)
			return filter.Sample{Known: known, Judged: known, Yes: yes}
		}
	case f.share != nil && !slices.ContainsFunc(t.Values, func(v filter.Value) bool { return v.Form != filter.Percent }):
		return func(r R, m kube.Moment) filter.Sample {
			part, whole, known := f.share(r, m)
			if !known || whole <= 0 {
				return filter.Sample{}
			}
			return filter.Sample{Known: true, Part: part, Whole: whole}
		}
	}
	return func(r R, m kube.Moment) filter.Sample {
		n, known := f.number(r, m)
		return filter.Sample{Known: known, N: n}
	}
}

// turns says when a comparison with the clock changes next: when the age, or what is left, passes one of the bounds of its
// values.
func (f *filterField[R]) turns(t *filter.Term) func(R, kube.Moment) time.Time {
	if f.since == nil && f.until == nil {
		return nil
	}
	var bounds []time.Duration
	for i := range t.Values {
		if v := &t.Values[i]; v.Form == filter.Plain {
			bounds = append(bounds, time.Duration(v.Low), time.Duration(v.High))
		}
	}
	return func(r R, m kube.Moment) time.Time {
		var next time.Time
		for _, bound := range bounds {
			var at time.Time
			if f.since != nil {
				at = f.since(r).Add(bound)
			} else {
				at = f.until(r).Add(-bound)
			}
			if at = at.Add(1); at.After(m.Now) && (next.IsZero() || at.Before(next)) { // behind the bound, on which <= and >= turn
				next = at
			}
		}
		return next
	}
}
