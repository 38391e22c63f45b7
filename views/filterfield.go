package views

import (
	"time"

	"ktriage/internal/filter"
	"ktriage/kube"
)

// filterField is something of a row that a filter compares: `restarts>5`. It has one of the functions, that of its type. What a
// row does not have, or nobody knows, is missing: no comparison is true of it but `field=-`.
type filterField[R kube.Row] struct {
	filter.Field
	reads kube.Kinds // the kinds, other than the row's own, that it looks up in the Moment

	text   func(r R, m kube.Moment, is func(string) bool) bool // whether is is true of any of its values that are not ""
	number func(R, kube.Moment) (n int64, known bool)          // in the unit of the type
	share  func(R, kube.Moment) (part, whole int64, known bool)
	since  func(R) time.Time // of a duration that grows with the clock; the zero time is missing
	until  func(R) time.Time // of one that shrinks with it
	ready  func(R, kube.Moment) readiness
	yes    func(R, kube.Moment) (yes, known bool)
}

// readiness is how many of how many are ready. Of what has ended well nobody asks whether it is ready: it is not judged.
type readiness struct {
	is, of int64
	judged bool
	known  bool
}

// alias gives the field other names.
func (f filterField[R]) alias(names ...string) filterField[R] {
	f.Aliases = names
	return f
}

// reading says which kinds the field looks up in the Moment.
func (f filterField[R]) reading(k kube.Kinds) filterField[R] {
	f.reads = k
	return f
}

// offering gives the values that are worth to be offered while one types.
func (f filterField[R]) offering(values ...string) filterField[R] {
	f.Values = values
	return f
}

// textField compares words. "" is missing.
func textField[R kube.Row](name, says string, get func(R, kube.Moment) string) filterField[R] {
	return wordsField(name, says, func(r R, m kube.Moment, is func(string) bool) bool {
		s := get(r, m)
		return s != "" && is(s)
	})
}

// wordsField compares words of which a row may have several: any asks is about each of them until it is true of one, and
// never about "".
func wordsField[R kube.Row](name, says string, anyOf func(r R, m kube.Moment, is func(string) bool) bool) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Text, Says: says}, text: anyOf}
}

// numberField compares whole numbers.
func numberField[R kube.Row](name, says string, get func(R, kube.Moment) (n int64, known bool)) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Number, Says: says}, number: get}
}

// ageField compares how long ago something was. The zero time is missing.
func ageField[R kube.Row](name, says string, get func(R) time.Time) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Duration, Says: says}, since: get}
}

// leftField compares how long it is until something: less than 0 when it is over. The zero time is missing.
func leftField[R kube.Row](name, says string, get func(R) time.Time) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Duration, Says: says}, until: get}
}

// cpuField compares millicores, and with percentages what part is of whole, 0 being not known.
func cpuField[R kube.Row](name, says string, get func(R, kube.Moment) (n int64, known bool),
	share func(R, kube.Moment) (part, whole int64, known bool)) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.CPU, Says: says}, number: get, share: share}
}

// memoryField is the same of bytes.
func memoryField[R kube.Row](name, says string, get func(R, kube.Moment) (n int64, known bool),
	share func(R, kube.Moment) (part, whole int64, known bool)) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Memory, Says: says}, number: get, share: share}
}

// readyField compares how many of how many are ready.
func readyField[R kube.Row](name, says string, get func(R, kube.Moment) readiness) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.Ready, Says: says, Values: []string{"yes", "no"}}, ready: get}
}

// yesField compares what is so or is not.
func yesField[R kube.Row](name, says string, get func(R, kube.Moment) (yes, known bool)) filterField[R] {
	return filterField[R]{Field: filter.Field{Name: name, Type: filter.YesNo, Says: says, Values: []string{"yes", "no"}}, yes: get}
}

// severityField compares how bad a row is: what its glyph says.
func severityField[R kube.Row](severity func(R, kube.Moment) kube.Severity) filterField[R] {
	words := make([]string, kube.Bad+1)
	for s := range words {
		words[s] = kube.Severity(s).String()
	}
	return filterField[R]{
		Field:  filter.Field{Name: "severity", Type: filter.Level, Values: words, Says: "how bad it is: what its glyph says"},
		reads:  kube.Nodes | kube.Pods,
		number: func(r R, m kube.Moment) (int64, bool) { return int64(severity(r, m)), true },
	}
}
