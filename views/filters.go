package views

import (
	"fmt"
	"slices"
	"strings"

	"ktriage/internal/filter"
	"ktriage/kube"
	"ktriage/kube/action"
)

// Filterable is a kind of rows with what can be said of them in a filter.
type Filterable struct {
	Pane string // the pane that shows them
	Rows string // what they are called: "pods", "certificate signing requests"
	read func(text string) (Filter, *FilterError)

	Language *filter.Language
}

// filterable makes one. Rows that are nowhere but in their columns are searched there: what is read here, beside any pane, finds
// no words in them.
func filterable[R kube.Row](pane string, s sought[R]) Filterable {
	if s.text == nil {
		s.text = func(R, kube.Moment) string { return "" }
	}
	return Filterable{Pane: pane, Rows: s.many, read: s.parse, Language: s.language()}
}

// Filterables are all kinds of rows, in the order of the panes.
func Filterables() []Filterable {
	return []Filterable{
		filterable("nodes", nodeSought()),
		filterable("pods", podSought()),
		filterable("workloads", workloadSought()),
		filterable("certs", certSought()),
		filterable("certs", csrSought()),
		filterable("events", groupSought()),
		filterable("events", eventSought()),
		filterable("top", containerSought()),
		filterable("top", totalSought()),
		filterable("actions", sought[*action.Run]{many: "actions", fields: runFilterFields()}),
		filterable("actions", sought[*action.Step]{many: "steps", fields: stepFilterFields()}),
	}
}

// ParseFilter reads a filter line for a kind of rows, as Filterable.Rows names them. Its error is a *FilterError.
func ParseFilter(rows, text string) (Filter, error) {
	all := Filterables()
	i := slices.IndexFunc(all, func(f Filterable) bool { return f.Rows == rows && f.read != nil })
	if i < 0 {
		return Filter{}, fmt.Errorf("nothing is known of %s to filter", rows)
	}
	f, fault := all[i].read(text)
	if fault != nil {
		return Filter{}, fault
	}
	return f, nil
}

// Keeps makes of a filter what it says of a single row; of an empty one, that it passes. The filter must have been read for rows
// of the kind.
func Keeps[R kube.Row](f Filter) func(R, kube.Moment) bool {
	s, fits := f.sieve.(sieve[R])
	return func(r R, m kube.Moment) bool { return f.Empty() || fits && s.keep(r, m) }
}

// FilterReference gives docs/filter.md. The same tables always give the same text.
func FilterReference() string {
	var b strings.Builder
	b.WriteString("<!-- Made from internal/filter and the fields in views; do not edit: go run . filters > docs/filter.md -->\n\n# Filters\n\n")
	b.WriteString("`/` filters the rows of a pane while you type; `ktriage snapshot PANE FILTER` takes the same language. " +
		"What cannot be read is said with its place, and the last filter that could be read stays in force. A filter takes nothing out of " +
		"the counts in the header and the tabs.\n\n| Written | Finds |\n|---|---|\n")
	for _, e := range filter.Examples() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(e.Text, "|", `\|`), strings.ReplaceAll(e.Says, "|", `\|`))
	}
	b.WriteString("\nWhile you type: `tab` completes the name of a field or a value, `up` and `down` go through earlier filters of the pane, " +
		"saved ones first, `ctrl+s` saves what stands there, and takes away what was saved, `f1` shows this page. " +
		"Earlier and saved filters are kept in `filters.json` under `$XDG_STATE_HOME/ktriage`.\n")
	for _, f := range Filterables() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", strings.ToUpper(f.Rows[:1])+f.Rows[1:], f.Language.Markdown())
	}
	return b.String()
}

// FilterFacts are the same as a page to read on the screen: the language, and the fields of these rows.
func FilterFacts(l *filter.Language) []Fact {
	var facts []Fact
	for _, e := range filter.Examples() {
		facts = append(facts, Fact{e.Text, e.Says, kube.OK})
	}
	facts = append(facts, Fact{}, Fact{"Fields here", "", kube.OK})
	for i := range l.Fields {
		f := &l.Fields[i]
		facts = append(facts, Fact{f.Name, f.Takes() + " · " + f.Says, kube.OK})
	}
	if l.Selector == nil {
		facts = append(facts, Fact{"-l", l.NoLabels, kube.OK})
	}
	return facts
}

// Language implements View.
func (l *list[R]) Language() *filter.Language { return l.spec.sought().language() }

// Language implements View.
func (v *certs) Language() *filter.Language { return v.shown().Language() }

// Language implements View.
func (v *events) Language() *filter.Language { return v.shown().Language() }

// Language implements View.
func (v *top) Language() *filter.Language { return v.shown().Language() }

// Language implements View.
func (v *actions) Language() *filter.Language { return v.shown().Language() }
