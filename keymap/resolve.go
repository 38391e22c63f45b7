package keymap

import (
	"slices"
	"strings"
)

// Resolver turns strokes into IDs. It remembers nothing but the sequence being typed; the zero value is ready.
type Resolver struct{ typed string }

// Match is what a stroke came to. With neither ID nor Pending nothing is bound to it, or it ended a sequence.
type Match struct {
	ID ID
	// Pending is what could follow: the which-key hint. Keys hold what is still to be typed.
	Pending []Binding
	// Prefix is the binding that names what has been typed of the sequence so far, if there is one.
	Prefix Binding
}

// Resolve takes a stroke, as KeyPressMsg.String gives it. The scopes stand innermost first, as Path gives them: an
// inner scope hides the same keys of an outer one. While a sequence waits, esc cancels it, and a stroke that does not
// continue it drops it and does nothing else, so that a mistyped sequence never acts; Fixed keys act all the same.
func (r *Resolver) Resolve(m *Map, stroke string, scopes []Scope) Match {
	waiting := r.typed
	r.typed = ""
	if waiting == "" {
		return r.wait(stroke, m.match(stroke, scopes))
	}
	if stroke == "esc" {
		return Match{}
	}
	if found := m.match(waiting+" "+stroke, scopes); found.ID != "" || found.Pending != nil {
		return r.wait(waiting+" "+stroke, found)
	}
	if found := m.match(stroke, scopes); found.ID != "" && m.bindings[m.index(found.ID)].Fixed {
		return found
	}
	return Match{}
}

func (r *Resolver) wait(typed string, found Match) Match {
	if found.Pending != nil {
		r.typed = typed
	}
	return found
}

// Waiting reports whether a sequence has been begun.
func (r *Resolver) Waiting() bool { return r.typed != "" }

// Cancel drops the sequence being typed: the focus moved, or the terminal was left.
func (r *Resolver) Cancel() { r.typed = "" }

// match looks for what has been typed. The innermost scope that knows it decides whether it is an ID or waits; if it
// waits, outer scopes may add continuations that the inner ones leave free.
func (m *Map) match(typed string, scopes []Scope) Match {
	var found Match
	for _, s := range scopes {
		var pending []Binding
		for _, b := range m.bindings {
			if b.Scope != s {
				continue
			}
			switch hit := slices.Contains(b.Keys, typed); {
			case hit && b.Prefix && found.Prefix.ID == "":
				found.Prefix = b.clone()
			case hit && !b.Prefix && found.Pending == nil:
				return Match{ID: b.ID}
			}
			if b.Keys = b.after(typed, found.Pending); b.Keys != nil {
				pending = append(pending, b)
			}
		}
		found.Pending = append(found.Pending, pending...)
	}
	if found.Pending == nil {
		return Match{}
	}
	return found
}

// after gives what is left to type of the binding's keys, without what inner bindings hide.
func (b Binding) after(typed string, inner []Binding) []string {
	var left []string
	for _, k := range b.Keys {
		rest, ok := strings.CutPrefix(k, typed+" ")
		if ok && !slices.ContainsFunc(inner, func(i Binding) bool { return i.hides(rest) }) {
			left = append(left, rest)
		}
	}
	return left
}

func (b Binding) hides(key string) bool {
	return slices.ContainsFunc(b.Keys, func(k string) bool { return collide(k, key) })
}
