package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sample is what a row has of a field that is no text.
type Sample struct {
	Known bool
	N     int64 // in the unit of the type
	Of    int64 // Ready: of how many

	// Part of Whole is what a percentage is compared with; Whole is 0 where it is not known.
	Part, Whole int64

	// Judged says whether Yes is known.
	Judged, Yes bool
}

// Holds reports whether the comparison is true of a sample. None is true of what is missing but that it is missing. It does
// not allocate.
func (t *Term) Holds(s Sample) bool {
	equal := false
	for i := range t.Values {
		v := &t.Values[i]
		if v.Form == Missing {
			equal = equal || !s.Known
			continue
		}
		n, known := v.of(&s)
		if !known {
			if t.Op == NotEqual {
				return false
			}
			continue
		}
		switch t.Op {
		case Equal, NotEqual:
			equal = equal || v.equals(n, &s)
		case Less:
			return n < v.Low
		case AtMost:
			return n <= v.Low
		case More:
			return n > v.Low
		case AtLeast:
			return n >= v.Low
		case Contains:
		}
	}
	if t.Op == NotEqual {
		return s.Known && !equal
	}
	return equal
}

// of gives what of a sample is compared with the value.
func (v *Value) of(s *Sample) (n int64, known bool) {
	switch v.Form {
	case Percent:
		if s.Whole <= 0 {
			return 0, false
		}
		return int64(float64(s.Part) / float64(s.Whole) * 100 * thousandths), true
	case Yes, No:
		return 0, s.Judged
	default:
		return s.N, s.Known
	}
}

func (v *Value) equals(n int64, s *Sample) bool {
	switch v.Form {
	case Yes, No:
		return s.Yes == (v.Form == Yes)
	case Fraction:
		return n == v.Low && s.Of == v.Of
	default:
		return v.Low <= n && n < v.High
	}
}

// Names reports whether one of the values of a comparison of texts names s, in any case: it is equal, or s has the form that
// its asterisks leave; with ~ it occurs in s. It does not allocate.
func (t *Term) Names(s string) bool {
	for i := range t.Values {
		switch v := &t.Values[i]; {
		case v.Form == Missing:
		case t.Op == Contains && occurs(v.runes, s), t.Op != Contains && like(v.runes, v.stars, s):
			return true
		}
	}
	return false
}

// Asks reports whether one of the values is "-".
func (t *Term) Asks() bool {
	for i := range t.Values {
		if t.Values[i].Form == Missing {
			return true
		}
	}
	return false
}

// like reports whether s, in lower case, is the pattern, in which an asterisk may stand for anything.
func like(pattern []rune, stars bool, s string) bool {
	at, star, retry := 0, -1, ""
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case stars && at < len(pattern) && pattern[at] == '*':
			star, retry = at, s
			at++
		case at < len(pattern) && pattern[at] == unicode.ToLower(r):
			at++
			s = s[n:]
		case star >= 0:
			_, skip := utf8.DecodeRuneInString(retry)
			retry = retry[skip:]
			at, s = star+1, retry
		default:
			return false
		}
	}
	for stars && at < len(pattern) && pattern[at] == '*' {
		at++
	}
	return at == len(pattern)
}

// occurs reports whether a text in lower case occurs in s.
func occurs(part []rune, s string) bool {
	for {
		rest, at := s, 0
		for at < len(part) && rest != "" {
			r, n := utf8.DecodeRuneInString(rest)
			if unicode.ToLower(r) != part[at] {
				break
			}
			at, rest = at+1, rest[n:]
		}
		if at == len(part) {
			return true
		}
		if s == "" {
			return false
		}
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
}

// Lower is how a searched text is folded: in lower case.
func Lower(s string) string { return lower(s) }

func lower(s string) string { return strings.ToLower(s) }

// FieldEnd stands between the parts of a searched text: nothing is found across it.
const FieldEnd = '\n'

// shortest is how many letters an abbreviation must have: fewer would be one of nearly everything.
const shortest = 3

// Abbreviation finds a word that somebody has typed in a hurry: the beginnings of parts of a name, one after the other, such
// as "chex2" of shop/checkout-7d9f-x2k4q and "w07" of worker-07. A part begins where a letter or a digit follows something
// else, and what stands between parts is one too. So every letter must be there in its order, as in any fuzzy finder; but one
// that must stand at the beginning of a part, or behind the one before it, does not turn up by chance in every long name: rows
// are not ranked by how well they match, so that chance matches would stand among the others. It does not reach from one word
// of a sentence to the next either.
type Abbreviation struct {
	at  [256]uint64 // for each byte the places of the word where it stands
	end uint64      // the place behind the word
}

// NewAbbreviation makes one of a word in lower case; nil if the word is too short, or longer than 63 bytes.
func NewAbbreviation(word string) *Abbreviation {
	if utf8.RuneCountInString(word) < shortest || len(word) > 63 {
		return nil
	}
	a := &Abbreviation{end: 1 << len(word)}
	for i := range len(word) {
		a.at[word[i]] |= 1 << i
	}
	return a
}

// letters are the bytes of names: what follows another one begins a part.
var letters = func() (is [256]bool) {
	for b := range is {
		is[b] = b >= utf8.RuneSelf || 'a' <= b && b <= 'z' || '0' <= b && b <= '9'
	}
	return is
}()

// In reports whether the word is an abbreviation of a part of the text, which is in lower case. It takes the text byte by byte,
// with the places that the word has got to in the bits of a number, and does not allocate.
func (a *Abbreviation) In(text string) bool {
	const start = 1
	run, reached, inside := uint64(0), uint64(start), false
	for i := range len(text) {
		b := text[i]
		if b == FieldEnd || b == ' ' {
			run, reached, inside = 0, start, false
			continue
		}
		from, letter := run, letters[b]
		if !inside || !letter {
			from |= reached
		}
		inside = letter
		if from == 0 {
			continue
		}
		run = (from & a.at[b]) << 1
		reached |= run
		if reached&a.end != 0 {
			return true
		}
	}
	return false
}
