package filter

import (
	"slices"
	"strings"
)

// String gives the filter in its usual form: read again it is the same.
func (e Expr) String() string {
	out := ""
	for _, t := range slices.Backward(e.Terms) {
		word := t.String()
		if t.Kind == Labels && out != "" && selectorEnd(t.Text+" "+out) != len(t.Text) { // it would take in what follows
			word = strings.Replace(word, "-l "+t.Text, "-l "+quote(t.Text), 1)
		}
		out = strings.TrimSuffix(word+" "+out, " ")
	}
	return out
}

// String gives the term as it is written.
func (t Term) String() string {
	var s string
	switch t.Kind {
	case Word:
		s = t.Text
	case Quoted:
		s = quote(t.Text)
	case Regexp:
		s = "re:" + t.Text
		if strings.ContainsAny(t.Text, " \t") || strings.HasPrefix(t.Text, `"`) {
			s = "re:" + quote(t.Text)
		}
	case Labels:
		s = "-l " + t.Text
		if selectorEnd(t.Text) < len(t.Text) || strings.HasPrefix(t.Text, `"`) {
			s = "-l " + quote(t.Text)
		}
	case Compare:
		values := make([]string, len(t.Values))
		for i, v := range t.Values {
			values[i] = v.String()
		}
		s = t.Name + t.Op.String() + strings.Join(values, ",")
	}
	if t.Not {
		return "!" + s
	}
	return s
}

// String gives the value as it is written.
func (v Value) String() string {
	if v.Quoted {
		return quote(v.Raw)
	}
	return v.Raw
}

// quote puts a text between quotes.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
