package text

import "strings"

// sequence gives the length of the escape sequence that s begins with, 0 if it begins with none. The forms are those of
// ECMA-48: ESC with intermediate bytes and a final one, CSI with parameters, and the strings OSC, DCS, SOS, PM and APC.
// s is valid UTF-8, so a control of the upper half is two bytes, 0xc2 and itself.
func sequence(s string) int {
	intro, n := introducer(s)
	switch {
	case n == 0:
		return 0
	case intro == '[':
		return n + controlEnd(s[n:])
	case strings.IndexByte("]PX^_", intro) >= 0:
		return n + stringEnd(s[n:])
	case intro <= 0x2f:
		n += run(s[n:], 0x20, 0x2f)
		return n + min(run(s[n:], 0x30, 0x7e), 1)
	}
	return n
}

// introducer recognises ESC x and the control of the upper half that says the same; n is its length, 0 if s begins with
// neither. An ESC that introduces nothing is a control character like any other.
func introducer(s string) (intro byte, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch {
	case s[0] == 0x1b && s[1] >= 0x20 && s[1] <= 0x7e:
		return s[1], 2
	case s[0] == 0xc2 && strings.IndexByte("\x90\x98\x9b\x9d\x9e\x9f", s[1]) >= 0:
		return s[1] - 0x40, 2
	}
	return 0, 0
}

// controlEnd gives the length of the rest of a CSI sequence: parameters and intermediates, then a final byte.
func controlEnd(s string) int {
	n := run(s, 0x20, 0x3f)
	return n + min(run(s[n:], 0x40, 0x7e), 1)
}

// stringEnd gives the length of the rest of a string, which BEL or ST ends. Without one of them it takes everything, as
// it would in a terminal.
func stringEnd(s string) int {
	for i := range len(s) {
		switch {
		case s[i] == 0x07:
			return i + 1
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return i + 2
		}
	}
	return len(s)
}

// run counts the bytes from low to high that s begins with.
func run(s string, low, high byte) int {
	n := 0
	for n < len(s) && s[n] >= low && s[n] <= high {
		n++
	}
	return n
}
