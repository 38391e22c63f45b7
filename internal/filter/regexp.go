package filter

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// Pattern is a regular expression (RE2) on searched texts, which are in lower case: the case of the expression does not matter
// either. ^ and $ stand for the ends of each part of the text, and nothing reaches beyond them.
type Pattern struct {
	re   *regexp.Regexp // nil where must is all that there is to it
	must string         // what every match has in it: to look for it is much cheaper than to try the expression
}

// NewPattern reads an expression.
func NewPattern(s string) (*Pattern, error) {
	tree, err := syntax.Parse(s, syntax.PerlX|syntax.UnicodeGroups|syntax.FoldCase)
	if err != nil {
		return nil, err //nolint:wrapcheck // regexpReason takes it apart
	}
	unfold(tree)
	must := literal(tree)
	if tree.Op == syntax.OpLiteral {
		return &Pattern{must: must}, nil
	}
	re, err := regexp.Compile(tree.String())
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	return &Pattern{re, must}, nil
}

// In reports whether the expression matches in a text in lower case.
func (p *Pattern) In(text string) bool {
	return (p.must == "" || strings.Contains(text, p.must)) && (p.re == nil || p.re.MatchString(text))
}

// unfold lets letters stand for themselves in lower case, so that they can be looked for as they are, and takes the end of a
// part out of what a class matches.
func unfold(tree *syntax.Regexp) {
	switch tree.Op {
	case syntax.OpLiteral:
		tree.Flags &^= syntax.FoldCase
		for i, r := range tree.Rune {
			tree.Rune[i] = unicode.ToLower(r)
		}
		if slices.Contains(tree.Rune, FieldEnd) {
			*tree = syntax.Regexp{Op: syntax.OpNoMatch}
		}
	case syntax.OpCharClass:
		tree.Rune = without(tree.Rune, FieldEnd)
	case syntax.OpAnyChar:
		tree.Op = syntax.OpAnyCharNotNL
	case syntax.OpBeginText:
		tree.Op = syntax.OpBeginLine
	case syntax.OpEndText:
		tree.Op = syntax.OpEndLine
	default:
	}
	for _, sub := range tree.Sub {
		unfold(sub)
	}
}

// without gives a class, which is pairs of first and last, without one rune.
func without(class []rune, r rune) []rune {
	var out []rune
	for i := 0; i+1 < len(class); i += 2 {
		low, high := class[i], class[i+1]
		if r < low || high < r {
			out = append(out, low, high)
			continue
		}
		if low < r {
			out = append(out, low, r-1)
		}
		if r < high {
			out = append(out, r+1, high)
		}
	}
	return out
}

// literal is the longest text that every match of an expression has in it, "" if there is none.
func literal(tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		return string(tree.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return literal(tree.Sub[0])
	case syntax.OpRepeat:
		if tree.Min > 0 {
			return literal(tree.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range tree.Sub {
			if s := literal(sub); len(s) > len(longest) {
				longest = s
			}
		}
		return longest
	default:
	}
	return ""
}
