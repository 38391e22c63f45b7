package keymap

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOverrideGivesOtherKeys(t *testing.T) {
	m := Default()
	err := m.Override(map[ID][]string{Down: {"n", "ctrl+n"}, First: {"g  g"}, Suspend: {}})
	if err != nil {
		t.Fatal(err)
	}
	var r Resolver
	if got := r.Resolve(m, "n", Pods.Path()).ID; got != Down {
		t.Errorf("n comes to %q", got)
	}
	if got := r.Resolve(m, "j", Pods.Path()).ID; got != "" {
		t.Errorf("j still comes to %q", got)
	}
	if got := press(&r, m, Pods.Path(), "g", "g").ID; got != First {
		t.Errorf("g g comes to %q", got)
	}
	if got := r.Resolve(m, "ctrl+z", Pods.Path()).ID; got != "" {
		t.Errorf("ctrl+z, switched off, comes to %q", got)
	}
}

func TestPrefixTakesItsSequencesWithIt(t *testing.T) {
	m := Default()
	err := m.Override(map[ID][]string{SortBy: {"H", "ctrl+o"}, "nodes.sort.age": {"O a"}})
	if err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]ID{
		"H n": "nodes.sort.name", "ctrl+o n": "nodes.sort.name", "C": "nodes.sort.cpu",
		"O n": "", "H a": "", "O a": "nodes.sort.age",
	} {
		var r Resolver
		if got := press(&r, m, Nodes.Path(), strings.Fields(keys)...).ID; got != want {
			t.Errorf("%s comes to %q, want %q", keys, got, want)
		}
	}
}

func TestPrefixCanBeMovedAgain(t *testing.T) {
	m := Default()
	for _, keys := range [][]string{{"H", "ctrl+o"}, {"z z"}} {
		if err := m.Override(map[ID][]string{SortBy: keys, Zoom: {}}); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := m.Lookup("nodes.sort.name"); !reflect.DeepEqual(b.Keys, []string{"z z n"}) {
		t.Errorf("sorting by name is on %q", b.Keys)
	}
}

func TestOverrideRefusesInSentences(t *testing.T) {
	for _, c := range []struct {
		name string
		user map[ID][]string
		want string
	}{
		{"unknown name", map[ID][]string{"app.quiet": {"x"}},
			"key app.quiet: there is no such name; docs/keys.md lists them all"},
		{"fixed", map[ID][]string{Interrupt: {"x"}},
			"key app.interrupt: it stays on ctrl+c, so that there is always a way out; leave it out"},
		{"fixed, two keys", map[ID][]string{TextClose: nil},
			"key text.close: it stays on esc and q, so that there is always a way out; leave it out"},
		{"clash in a scope", map[ID][]string{Down: {"k"}},
			`key table.down: "k" is already table.up (up); choose another key for one of them`},
		{"clash of two of the user's own", map[ID][]string{Down: {"n"}, Up: {"n"}},
			`key table.up: "n" is already table.down (down); choose another key for one of them`},
		{"beginning of another", map[ID][]string{Down: {"g j"}},
			`key table.down: "g j" and "g" of table.first (first) cannot both be typed, one begins the other; ` +
				"choose another key for one of them"},
		{"twice the same", map[ID][]string{Down: {"n", "n"}},
			`key table.down: "n" comes after a key that hides it; leave it out`},
		{"begins with one of its own", map[ID][]string{Down: {"n", "n n"}},
			`key table.down: "n n" comes after a key that hides it; leave it out`},
		{"shadows a fixed key", map[ID][]string{PodNode: {"esc"}},
			`key pods.node: "esc" is already app.back (back); choose another key for one of them`},
		{"begins with a fixed key", map[ID][]string{Freeze: {"ctrl+c x"}},
			`key app.freeze: "ctrl+c x" and "ctrl+c" of app.interrupt (quit) cannot both be typed, one begins the other; ` +
				"choose another key for one of them"},
		{"not a key", map[ID][]string{Down: {"Down"}},
			`key table.down: "Down" is not a key; write "down"`},
		{"malformed within a sequence", map[ID][]string{First: {"g ctrl+i"}},
			`key table.first: "ctrl+i" is reported as "tab"; write that`},
		{"empty", map[ID][]string{First: {" "}},
			`key table.first: " " is not a key; write a character, or a name such as space, ctrl+f, shift+tab, pgdown, f5`},
		{"printable where one types", map[ID][]string{FilterKeep: {"x"}},
			`key filter.keep: "x" could then not be typed in the filter; use ctrl+, alt+ or a named key`},
		{"printable everywhere", map[ID][]string{Redraw: {"space"}},
			`key app.redraw: "space" could then not be typed in the filter; use ctrl+, alt+ or a named key`},
		{"several, in order", map[ID][]string{"b": {"x"}, "a": {"x"}},
			"key a: there is no such name; docs/keys.md lists them all\n" +
				"key b: there is no such name; docs/keys.md lists them all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Default()
			err := m.Override(c.user)
			if err == nil || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
			if !reflect.DeepEqual(m, Default()) {
				t.Error("the table was changed all the same")
			}
		})
	}
}

// TestOverrideKeepsTheTableSound: whatever is asked, either the table takes exactly that and still has no fault, or it
// stays as it was.
func TestOverrideKeepsTheTableSound(t *testing.T) {
	all := Default().Bindings()
	strokes := []string{"j", "x", "X", "g", "n", "esc", "ctrl+c", "ctrl+e", "space", "O", "q", "f1", "alt+q"}
	rapid.Check(t, func(t *rapid.T) {
		user := map[ID][]string{}
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			id := rapid.SampledFrom(all).Draw(t, "binding").ID
			key := rapid.SliceOfN(rapid.SampledFrom(strokes), 1, 2)
			for range rapid.IntRange(0, 2).Draw(t, "keys") {
				user[id] = append(user[id], strings.Join(key.Draw(t, "key"), " "))
			}
		}
		m := Default()
		if err := m.Override(user); err != nil {
			if !reflect.DeepEqual(m, Default()) {
				t.Fatalf("refused (%v) and changed all the same", err)
			}
			return
		}
		if faults := m.check(nil); faults != nil {
			t.Fatalf("accepted %v with faults %v", user, faults)
		}
		for id, keys := range user {
			if b, _ := m.Lookup(id); strings.Join(b.Keys, ",") != strings.Join(keys, ",") {
				t.Fatalf("%s is on %q, asked for %q", id, b.Keys, keys)
			}
		}
	})
}
