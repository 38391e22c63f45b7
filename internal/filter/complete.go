package filter

import (
	"slices"
	"strings"
)

// Complete gives what the word before a place in a text could become, in the order of the language: names of fields, or
// values behind an operator. from is where the part begins that is replaced.
func (l *Language) Complete(text string, at int) (from int, words []string) {
	begin := strings.LastIndexAny(text[:at], " \t") + 1
	word := text[begin:at]
	if strings.HasPrefix(word, "!") {
		begin, word = begin+1, word[1:]
	}
	op, _, length := operator(word)
	if length == 0 {
		for _, f := range l.Fields {
			if word != "" && strings.HasPrefix(f.Name, strings.ToLower(word)) {
				words = append(words, f.Name)
			}
		}
		return begin, words
	}
	field := l.find(word[:op])
	if field < 0 {
		return at, nil
	}
	value := max(op+length, strings.LastIndexByte(word, ',')+1)
	for _, v := range l.Fields[field].Values {
		if strings.HasPrefix(lower(v), lower(word[value:])) && !strings.ContainsAny(v, " ,\"") {
			words = append(words, v)
		}
	}
	return begin + value, words
}

// Common is the longest beginning that all words have.
func Common(words []string) string {
	if len(words) == 0 {
		return ""
	}
	least, most := slices.Min(words), slices.Max(words)
	n := 0
	for n < min(len(least), len(most)) && least[n] == most[n] {
		n++
	}
	return least[:n]
}
