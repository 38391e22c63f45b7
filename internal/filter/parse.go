package filter

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// Parse reads a filter. Its terms are separated by spaces and all have to be true.
func (l *Language) Parse(s string) (Expr, *Error) {
	p := parser{lang: l, s: s}
	var e Expr
	for p.skip(); p.at < len(s); p.skip() {
		t, err := p.term()
		if err != nil {
			return Expr{}, err
		}
		if t.Kind > Quoted || t.Text != "" {
			e.Terms = append(e.Terms, t)
		}
	}
	return e, nil
}

// parser is a filter as far as it has been read.
type parser struct {
	lang *Language
	s    string
	at   int
}

func space(b byte) bool { return b == ' ' || b == '\t' }

func (p *parser) skip() {
	for p.at < len(p.s) && space(p.s[p.at]) {
		p.at++
	}
}

func (p *parser) rest() string { return p.s[p.at:] }

// fail is an error at a place; one behind the end of the text stands on its last character.
func (p *parser) fail(at, length int, format string, args ...any) *Error {
	at = max(0, min(at, len(p.s)-1))
	return &Error{at, max(1, min(length, len(p.s)-at)), fmt.Sprintf(format, args...)}
}

// term reads one term, which is there.
func (p *parser) term() (Term, *Error) {
	var t Term
	start := p.at
	if p.s[p.at] == '!' {
		t.Not = true
		p.at++
	}
	var err *Error
	switch rest := p.rest(); {
	case rest == "" || space(rest[0]):
		return t, p.fail(start, 1, "! stands before the word that must not occur")
	case rest == "-l" || strings.HasPrefix(rest, "-l ") || strings.HasPrefix(rest, "-l\t") || strings.HasPrefix(rest, `-l"`):
		err = p.labels(&t)
	case strings.HasPrefix(rest, "re:"):
		err = p.regexp(&t)
	case rest[0] == '"':
		t.Kind = Quoted
		t.Text, err = p.quoted()
	default:
		err = p.wordOrComparison(&t)
	}
	if err == nil && t.Kind == Quoted && t.Text == "" && t.Not {
		err = p.fail(start, 1, "! stands before the word that must not occur")
	}
	return t, err
}

// quoted reads what stands between quotes. In it \" is a quote, and \\ a backslash.
func (p *parser) quoted() (string, *Error) {
	start := p.at
	var b strings.Builder
	for i := start + 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.at = i + 1
			return b.String(), nil
		case c == '\\' && i+1 < len(p.s) && (p.s[i+1] == '"' || p.s[i+1] == '\\'):
			i++
			b.WriteByte(p.s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, len(p.s)-start, "the quote at %d is not closed", start+1)
}

// upTo gives what stands before the first of some characters, or before the end, and goes there.
func (p *parser) upTo(stop string) string {
	rest := p.rest()
	if n := strings.IndexAny(rest, stop); n >= 0 {
		rest = rest[:n]
	}
	p.at += len(rest)
	return rest
}

func (p *parser) regexp(t *Term) *Error {
	t.Kind = Regexp
	start := p.at
	p.at += len("re:")
	from := p.at
	var err *Error
	if strings.HasPrefix(p.rest(), `"`) {
		t.Text, err = p.quoted()
	} else {
		t.Text = p.upTo(" \t")
	}
	switch {
	case err != nil:
		return err
	case t.Text == "":
		return p.fail(start, p.at-start, "re: needs an expression right behind it: re:web-[0-9]+, or re:\"with spaces\"")
	}
	if _, e := NewPattern(t.Text); e != nil {
		return p.fail(from, p.at-from, "the regular expression cannot be read: %s", regexpReason(e))
	}
	return nil
}

// regexpReason is what regexp/syntax finds wrong, without its own introduction.
func regexpReason(err error) string {
	if e, ok := err.(*syntax.Error); ok { //nolint:errorlint // regexp/syntax never wraps it
		if e.Expr == "" {
			return string(e.Code)
		}
		return string(e.Code) + ": " + printable(e.Expr)
	}
	return printable(err.Error())
}

// printable leaves out what no terminal shall see.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// wordOrComparison reads a bare word, or `field op value` if there is an operator in it.
func (p *parser) wordOrComparison(t *Term) *Error {
	start := p.at
	word := p.upTo(" \t")
	at, op, length := operator(word)
	if length == 0 {
		t.Kind, t.Text = Word, word
		return nil
	}
	p.at = start + at + length
	name := word[:at]
	if name == "" {
		return p.fail(start, length, "%s stands right behind the field that it compares, as in %s", word[:length], p.example(word[:length]))
	}
	field := p.lang.find(name)
	if field < 0 {
		return p.fail(start, at, "%s", p.lang.unknown(name))
	}
	t.Kind, t.Field, t.Name, t.Op = Compare, field, p.lang.Fields[field].Name, op
	return p.values(t, start)
}

// operator gives the first operator in a word and how long it is, 0 if there is none.
func operator(word string) (at int, op Op, length int) {
	for i := range len(word) {
		two := len(word) > i+1 && word[i+1] == '='
		switch c := word[i]; {
		case c == '"':
			return 0, 0, 0
		case c == '!' && two:
			return i, NotEqual, 2
		case c == '<' && two:
			return i, AtMost, 2
		case c == '>' && two:
			return i, AtLeast, 2
		case c == '=' && two:
			return i, Equal, 2
		case c == '=':
			return i, Equal, 1
		case c == '<':
			return i, Less, 1
		case c == '>':
			return i, More, 1
		case c == '~':
			return i, Contains, 1
		}
	}
	return 0, 0, 0
}

// values reads what stands behind the operator: a value, or several with commas between them.
func (p *parser) values(t *Term, start int) *Error {
	f := &p.lang.Fields[t.Field]
	if why := f.refuses(t.Op); why != "" {
		return p.fail(start, p.at-start, "%s", why)
	}
	for {
		from := p.at
		v, err := p.value(f, start)
		if err != nil {
			return err
		}
		switch {
		case v.Form == Missing && t.Op > NotEqual:
			return p.fail(from, p.at-from, "- means that there is no %s: it goes with = and !=", f.Name)
		case (v.Form == Fraction || v.Form == Yes || v.Form == No) && t.Op > NotEqual:
			return p.fail(from, p.at-from, "%s goes with = and !=; %s takes %s", v.Raw, f.Name, f.takes())
		}
		if len(t.Values) > 0 && (t.Values[0].Form == Percent) != (v.Form == Percent) && f.Type != Ready {
			return p.fail(from, p.at-from, "percentages and amounts do not go into one list")
		}
		t.Values = append(t.Values, v)
		if !strings.HasPrefix(p.rest(), ",") {
			return nil
		}
		if t.Op > NotEqual && t.Op != Contains {
			return p.fail(p.at, 1, "only =, != and ~ take several values")
		}
		p.at++
	}
}

// value reads one value.
func (p *parser) value(f *Field, start int) (Value, *Error) {
	from := p.at
	quoted := strings.HasPrefix(p.rest(), `"`)
	var raw string
	if quoted {
		var err *Error
		if raw, err = p.quoted(); err != nil {
			return Value{}, err
		}
	} else {
		raw = p.upTo(" \t,")
	}
	if raw == "" {
		return Value{}, p.fail(start, max(1, p.at-start), "a value is missing; %s takes %s", f.Name, f.takes())
	}
	v, why := f.read(raw, quoted)
	if why != "" {
		return Value{}, p.fail(from, p.at-from, "%s", why)
	}
	return v, nil
}

// refuses says why the field has no such operator, "" if it has.
func (f *Field) refuses(op Op) string {
	switch {
	case f.Type == Text && op > NotEqual && op != Contains:
		return fmt.Sprintf("%s is a word: it takes %s", f.Name, f.takes())
	case f.Type == YesNo && op > NotEqual:
		return fmt.Sprintf("%s is yes or no: it takes = and !=", f.Name)
	case f.Type != Text && op == Contains:
		return fmt.Sprintf("~ looks into words; %s takes %s", f.Name, f.takes())
	}
	return ""
}

// find gives the place of a field, by any of its names in any case; -1 if there is none.
func (l *Language) find(name string) int {
	return slices.IndexFunc(l.Fields, func(f Field) bool {
		return strings.EqualFold(f.Name, name) || slices.ContainsFunc(f.Aliases, func(a string) bool { return strings.EqualFold(a, name) })
	})
}

// example is a comparison with that operator.
func (p *parser) example(op string) string {
	for i := range p.lang.Fields {
		f := &p.lang.Fields[i]
		if _, o, _ := operator(op); f.refuses(o) == "" && f.Type == Number {
			return f.Name + op + "5"
		}
	}
	return "field" + op + "value"
}

// unknown says that there is no such field, and which there are.
func (l *Language) unknown(name string) string {
	var names []string
	for _, f := range l.Fields {
		names = append(names, f.Name)
	}
	what := fmt.Sprintf("there is no field %s here", printable(name))
	if near := l.nearest(name); near != "" {
		what += "; did you mean " + near + "?"
	} else {
		what += "; quotes make a word of it."
	}
	return what + " fields: " + strings.Join(names, ", ")
}

// nearest is the field whose name is at most two letters away, "" if there is none.
func (l *Language) nearest(name string) string {
	best, least := "", min(3, len(name))
	for _, f := range l.Fields {
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			if d := distance(strings.ToLower(name), n); d < least {
				best, least = f.Name, d
			}
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	if len(a) > 20 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
