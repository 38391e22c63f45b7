package views

import (
	"fmt"
	"strings"
)

// Filter is a parsed filter line: all words must be found, none of the negated ones may be.
type Filter struct {
	Text  string
	words []word
}

type word struct {
	text string // lower case
	not  bool
}

// FilterError is a filter line that cannot be read, with the place of the fault.
type FilterError struct {
	At, Len int // in bytes of the text
	Reason  string
}

func (e *FilterError) Error() string { return e.Reason }

// ParseFilter reads a filter line: words separated by spaces are all wanted; "quoted words" are one; ! before a word
// wants it absent. Upper and lower case are alike.
func ParseFilter(s string) (Filter, error) {
	f := Filter{Text: strings.TrimSpace(s)}
	for at := 0; at < len(s); {
		if s[at] == ' ' {
			at++
			continue
		}
		start, not := at, false
		if s[at] == '!' {
			not, at = true, at+1
		}
		text, end, err := token(s, at)
		if err != nil {
			return Filter{}, err
		}
		if text == "" && not {
			return Filter{}, &FilterError{start, 1, "! stands before the word that must not occur"}
		}
		if text != "" {
			f.words = append(f.words, word{strings.ToLower(text), not})
		}
		at = end
	}
	return f, nil
}

// token reads a word or a quoted string that begins at at, and gives where it ends.
func token(s string, at int) (text string, end int, err error) {
	if at < len(s) && s[at] == '"' {
		n := strings.IndexByte(s[at+1:], '"')
		if n < 0 {
			return "", 0, &FilterError{at, len(s) - at, fmt.Sprintf("the quote at %d is not closed", at+1)}
		}
		return s[at+1 : at+1+n], at + n + 2, nil
	}
	end = at
	for end < len(s) && s[end] != ' ' {
		end++
	}
	return s[at:end], end, nil
}

// Empty reports whether the filter lets everything through.
func (f Filter) Empty() bool { return len(f.words) == 0 }

// Keep reports whether a row passes; matches says whether a lower-case word occurs in it.
func (f Filter) Keep(matches func(string) bool) bool {
	for _, w := range f.words {
		if matches(w.text) == w.not {
			return false
		}
	}
	return true
}
