package keymap

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// named are the keys with names of their own: those of Bubble Tea v2 that every terminal sends.
var named = []string{
	"enter", "tab", "esc", "space", "backspace", "delete", "insert", "up", "down", "left", "right", "home", "end",
	"pgup", "pgdown", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12",
}

// otherwise are spellings that no terminal or no Bubble Tea v2 reports, with the one that is reported.
var otherwise = map[string]string{
	"escape": "esc", "return": "enter", "pageup": "pgup", "pagedown": "pgdown", "pgdn": "pgdown", "del": "delete",
	"ins": "insert", "ctrl+i": "tab", "ctrl+m": "enter", "ctrl+[": "esc", "ctrl+@": "ctrl+space",
}

// controls are the signs besides letters that a plain terminal can send with ctrl.
const controls = `\]^_`

// checkStroke says in a sentence why a stroke cannot be bound; "" if it can.
func checkStroke(stroke string) string {
	if stroke == "" {
		return "a key must not be empty"
	}
	if use, ok := otherwise[strings.ToLower(stroke)]; ok {
		return fmt.Sprintf("%q is reported as %q; write that", stroke, use)
	}
	rest, ctrl := strings.CutPrefix(stroke, "ctrl+")
	rest, _ = strings.CutPrefix(rest, "alt+")
	rest, shift := strings.CutPrefix(rest, "shift+")
	r, size := utf8.DecodeRuneInString(rest)
	single := size > 0 && size == len(rest)
	lower := strings.ToLower(stroke)
	switch {
	case slices.Contains(named, rest):
		return ""
	case single && shift && unicode.IsLetter(r):
		return fmt.Sprintf("%q is reported as the capital letter; write %q", stroke,
			strings.TrimSuffix(stroke, "shift+"+rest)+string(unicode.ToUpper(r)))
	case single && shift:
		return fmt.Sprintf("%q is reported as the sign that shift makes of it; write that sign", stroke)
	case single && ctrl && !strings.ContainsRune(controls, r) && (r < 'a' || r > 'z'):
		return fmt.Sprintf("%q is not sent by a terminal; after ctrl+ stands a small letter, a named key or one of %s",
			stroke, strings.Join(strings.Split(controls, ""), " "))
	case single && r != utf8.RuneError && unicode.IsGraphic(r) && !unicode.IsSpace(r):
		return ""
	case lower != stroke && checkStroke(lower) == "":
		return fmt.Sprintf("%q is not a key; write %q", stroke, lower)
	}
	return fmt.Sprintf("%q is not a key; write a character, or a name such as space, ctrl+f, shift+tab, pgdown, f5", stroke)
}

// printable reports whether a key begins with a stroke that a text field wants for itself.
func printable(key string) bool {
	stroke, _, _ := strings.Cut(key, " ")
	return stroke == "space" || utf8.RuneCountInString(stroke) == 1
}

// bareLower reports whether a key is one lower-case letter: the easiest of all to hit by accident.
func bareLower(key string) bool {
	r, size := utf8.DecodeRuneInString(key)
	return size == len(key) && unicode.IsLower(r)
}

// begins reports whether a is the beginning of the sequence b.
func begins(a, b string) bool { return strings.HasPrefix(b, a+" ") }

// collide reports whether two keys cannot both be typed: they are the same, or one waits for the rest of the other.
func collide(a, b string) bool { return a == b || begins(a, b) || begins(b, a) }
