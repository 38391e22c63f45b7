package action

import (
	"strings"

	"ktriage/internal/text"
)

// Kubectl writes a kubectl command as one would type it into a shell. The context is named, because the shell that it is
// pasted into may have another.
func Kubectl(context string, args ...string) string {
	words := []string{"kubectl"}
	if context != "" {
		words = append(words, "--context", context)
	}
	words = append(words, args...)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote protects a word from the shell where it needs that.
func quote(w string) string {
	w = clean(w)
	plain := strings.IndexFunc(w, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:@=,+%", r))
	}) < 0
	if plain && w != "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// clean makes a word fit to be shown between quotes: a mark at its beginning would join the quote before it.
func clean(w string) string {
	w = text.Clean("'" + text.Clean(w) + "'")
	return strings.TrimSuffix(strings.TrimPrefix(w, "'"), "'")
}
