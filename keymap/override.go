package keymap

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fault is one reason why a table of keys cannot be used. Its text is a sentence for the user.
type Fault struct {
	ID  ID // the binding at fault, to find its line in a file
	Why string
}

func (f Fault) Error() string { return fmt.Sprintf("key %s: %s", f.ID, f.Why) }

// Override gives IDs other keys; none at all switches the key off. A prefix takes its sequences with it: "table.sort"
// on "s" makes "O n" to "s n". Either everything is taken over or, with an error that joins the Faults, nothing.
func (m *Map) Override(user map[ID][]string) error {
	next := Map{bindings: m.Bindings()}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(user)) {
		if why := next.rebind(id, user); why != "" {
			faults = append(faults, Fault{id, why})
		}
	}
	if faults == nil {
		faults = next.check(user)
	}
	if faults != nil {
		return errors.Join(faults...)
	}
	m.bindings = next.bindings
	return nil
}

// rebind puts one of the user's lines into the table and says why it cannot.
func (m *Map) rebind(id ID, user map[ID][]string) string {
	i := m.index(id)
	if i < 0 {
		return "there is no such name; docs/keys.md lists them all"
	}
	b := &m.bindings[i]
	if b.Fixed {
		return fmt.Sprintf("it stays on %s, so that there is always a way out; leave it out", strings.Join(b.Keys, " and "))
	}
	keys := make([]string, 0, len(user[id]))
	for _, key := range user[id] {
		strokes := strings.Fields(key)
		if len(strokes) == 0 {
			strokes = []string{key}
		}
		for _, stroke := range strokes {
			if why := checkStroke(stroke); why != "" {
				return why
			}
		}
		keys = append(keys, strings.Join(strokes, " "))
	}
	if b.Prefix {
		m.move(*b, keys, user)
	}
	b.Keys = keys
	return ""
}

// move lets the sequences that began with the prefix's old keys begin with its new ones. Lines of the user's own stay
// as they were written.
func (m *Map) move(prefix Binding, keys []string, user map[ID][]string) {
	for i, b := range m.bindings {
		if _, own := user[b.ID]; own || !slices.Contains(b.Scope.Path(), prefix.Scope) {
			continue
		}
		var moved []string
		for _, key := range b.Keys {
			for _, k := range prefix.moved(key, keys) {
				if !slices.Contains(moved, k) {
					moved = append(moved, k)
				}
			}
		}
		m.bindings[i].Keys = moved
	}
}

func (b Binding) moved(key string, to []string) []string {
	for _, old := range b.Keys {
		if !begins(old, key) {
			continue
		}
		var moved []string
		for _, k := range to {
			moved = append(moved, k+strings.TrimPrefix(key, old))
		}
		return moved
	}
	return []string{key}
}

// check says what is wrong with the table as a whole. Of two bindings at odds in one scope the fault is laid to the
// line that the user wrote, or else to the later one.
func (m *Map) check(user map[ID][]string) []error {
	mine := func(b Binding) bool { _, ok := user[b.ID]; return ok }
	var faults []error
	blame := func(b Binding, why string) {
		if why != "" {
			faults = append(faults, Fault{b.ID, why})
		}
	}
	for i, b := range m.bindings {
		for n := range b.Keys {
			blame(b, b.checkKey(n))
		}
		for j, other := range m.bindings {
			outer := slices.Contains(b.Scope.Path()[1:], other.Scope)
			later := mine(b) && !mine(other) || mine(b) == mine(other) && j < i
			if b.Scope == other.Scope && i != j && later || outer && other.Fixed && !b.Fixed {
				blame(b, b.clash(other))
			}
		}
	}
	return faults
}

// checkKey says what is wrong with the nth key whatever else is bound.
func (b Binding) checkKey(n int) string {
	key := b.Keys[n]
	for stroke := range strings.SplitSeq(key, " ") {
		if why := checkStroke(stroke); why != "" {
			return why
		}
	}
	if b.Danger && bareLower(key) {
		return fmt.Sprintf("%q is too easy to hit for what it does; use a capital letter, ctrl+ or a sequence", key)
	}
	for _, s := range typed {
		if printable(key) && slices.Contains(s.Path(), b.Scope) {
			return fmt.Sprintf("%q could then not be typed in the %s; use ctrl+, alt+ or a named key", key, s)
		}
	}
	if slices.ContainsFunc(b.Keys[:n], func(k string) bool { return collide(k, key) }) {
		return fmt.Sprintf("%q comes after a key that hides it; leave it out", key)
	}
	return ""
}

// clash says in a sentence which keys of two bindings cannot both be typed.
func (b Binding) clash(other Binding) string {
	for _, key := range b.Keys {
		for _, theirs := range other.Keys {
			switch {
			case key == theirs:
				return fmt.Sprintf("%q is already %s (%s); choose another key for one of them", key, other.ID, other.Short)
			case b.Prefix && begins(key, theirs), other.Prefix && begins(theirs, key):
			case collide(key, theirs):
				return fmt.Sprintf("%q and %q of %s (%s) cannot both be typed, one begins the other; choose another key "+
					"for one of them", key, theirs, other.ID, other.Short)
			}
		}
	}
	return ""
}
