// Package filter is the language of the filter line. Its one rule: it knows texts, fields and values, never rows: what it
// reads it can print and read again, and what it cannot read it says with the place in the text.
package filter

// Type is what a field holds, and so what it can be compared with.
type Type uint8

// The types of fields.
const (
	Text     Type = iota // words: =, != and ~, in any case; * stands for anything
	Number               // 5
	Duration             // 41s, 4m12s, 3d: as kubectl prints ages
	CPU                  // 250m, 1.5, or 80%; in millicores
	Memory               // 512Mi, 1Gi, or 80%; in bytes
	Ready                // yes, no, 1/2, 2, or 50%
	YesNo                // yes or no
	Level                // one of the field's Values, which stand from the least to the most
)

// Field is what can be compared in the rows of a pane.
type Field struct {
	Name    string
	Aliases []string // other names for it: "memory" for mem
	Type    Type
	Values  []string // what is worth to be offered while one types; of a Level all that there are, the least first
	Says    string   // half a sentence for the documentation
}

// Language is what can be said of the rows of one pane.
type Language struct {
	Fields []Field
	// Selector says what is wrong with a label selector, nil if nothing. Without it the rows have no labels, and NoLabels says
	// so: "certificates have no labels".
	Selector func(string) error
	NoLabels string
}

// Kind is what a term is.
type Kind uint8

// The kinds of terms.
const (
	Word    Kind = iota // a bare word: in the text, or an abbreviation of it
	Quoted              // "exactly this" in the text
	Regexp              // re:expr on the text
	Labels              // -l selector
	Compare             // field op value
)

// Op is how a field is compared.
type Op uint8

// The operators.
const (
	Equal Op = iota
	NotEqual
	Less
	AtMost
	More
	AtLeast
	Contains
)

func (o Op) String() string { return [...]string{"=", "!=", "<", "<=", ">", ">=", "~"}[o] }

// Term is one condition of a filter.
type Term struct {
	Not    bool
	Kind   Kind
	Text   string // the word, what was quoted, the expression, the selector
	Field  int    // of a comparison: the field's place in the language
	Name   string // of that field
	Op     Op
	Values []Value
}

// Expr is a filter: a row passes if all its terms are true of it.
type Expr struct{ Terms []Term }

// Error is what is wrong with a filter, and where.
type Error struct {
	At, Len int // in bytes of the text
	Reason  string
}

func (e *Error) Error() string { return e.Reason }
