package keymap

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// press types strokes one after the other and gives what the last came to.
func press(r *Resolver, m *Map, path []Scope, strokes ...string) Match {
	var found Match
	for _, s := range strokes {
		found = r.Resolve(m, s, path)
	}
	return found
}

func TestEveryKeyOfTheInnermostScopeComesToItsBinding(t *testing.T) {
	m := Default()
	for _, s := range []Scope{Always, App, Table, Nodes, Pods, Filter, Palette, Text, Help} {
		for _, b := range m.Bindings(s) {
			for _, key := range b.Keys {
				var r Resolver
				found := press(&r, m, s.Path(), strings.Fields(key)...)
				if !b.Prefix && found.ID != b.ID {
					t.Errorf("%s: %q comes to %q, want %s", s, key, found.ID, b.ID)
				}
			}
		}
	}
}

func TestInnerScopeHidesTheSameKeyOfAnOuterOne(t *testing.T) {
	m := Default()
	var r Resolver
	if got := r.Resolve(m, "enter", Nodes.Path()).ID; got != NodePods {
		t.Errorf("enter in nodes comes to %s", got)
	}
	if got := r.Resolve(m, "enter", Pods.Path()).ID; got != OpenRow {
		t.Errorf("enter in pods comes to %s", got)
	}
}

func TestPrefixWaitsAndShowsWhatCanFollow(t *testing.T) {
	m := Default()
	var r Resolver
	found := r.Resolve(m, "O", Nodes.Path())
	if found.ID != "" || !r.Waiting() || found.Prefix.ID != SortBy {
		t.Fatalf("O comes to %+v, waiting %t", found, r.Waiting())
	}
	var hint []string
	for _, b := range found.Pending {
		hint = append(hint, strings.Join(b.Keys, ",")+" "+b.Short)
	}
	want := "n name  s status  f for  o conditions  p pods  c cpu  C cpu requests  m memory use  " +
		"M memory requests  a age  h health"
	if got := strings.Join(hint, "  "); got != want {
		t.Errorf("hint:\n got %s\nwant %s", got, want)
	}
	if got := r.Resolve(m, "M", Nodes.Path()).ID; got != "nodes.sort.memory-requests" || r.Waiting() {
		t.Errorf("O M comes to %q, still waiting %t", got, r.Waiting())
	}
}

func TestEscapeCancelsASequenceAndNothingElse(t *testing.T) {
	m := Default()
	var r Resolver
	if found := press(&r, m, Pods.Path(), "O", "esc"); found.ID != "" || found.Pending != nil || r.Waiting() {
		t.Errorf("O esc comes to %+v, waiting %t", found, r.Waiting())
	}
	if got := r.Resolve(m, "esc", Pods.Path()).ID; got != Back {
		t.Errorf("the next esc comes to %q", got)
	}
}

func TestMistypedSequenceNeverActs(t *testing.T) {
	m := Default()
	var r Resolver
	if found := press(&r, m, Pods.Path(), "O", "q"); found.ID != "" || r.Waiting() {
		t.Errorf("O q comes to %+v, waiting %t", found, r.Waiting())
	}
	if got := press(&r, m, Pods.Path(), "O", "ctrl+c").ID; got != Interrupt {
		t.Errorf("O ctrl+c comes to %q", got)
	}
}

func TestCancelForgetsTheSequence(t *testing.T) {
	m := Default()
	var r Resolver
	r.Resolve(m, "O", Pods.Path())
	r.Cancel()
	if got := r.Resolve(m, "j", Pods.Path()).ID; got != Down {
		t.Errorf("j after a cancelled sequence comes to %q", got)
	}
}

func TestOuterScopesAddTheContinuationsThatInnerOnesLeaveFree(t *testing.T) {
	m := &Map{bindings: []Binding{
		{ID: "inner", Scope: Nodes, Keys: []string{"g n", "g x y"}},
		{ID: "hidden", Scope: Table, Keys: []string{"g n", "g x", "g"}},
		{ID: "free", Scope: App, Keys: []string{"g f"}},
	}}
	var r Resolver
	found := r.Resolve(m, "g", Nodes.Path())
	var ids []ID
	for _, b := range found.Pending {
		ids = append(ids, b.ID)
	}
	if !slices.Equal(ids, []ID{"inner", "free"}) {
		t.Errorf("g may be followed by %v", ids)
	}
}

func TestPrefixWithoutSequencesDoesNothing(t *testing.T) {
	var r Resolver
	if found := r.Resolve(Default(), "O", Table.Path()); found.Prefix.ID != "" || r.Waiting() {
		t.Errorf("O in a list without sort keys comes to %+v", found)
	}
}

// TestResolverAgreesWithTheTable types at random and holds every answer against the table: an ID is the binding of
// exactly what was typed since the resolver was last idle, and every continuation shown leads to its binding.
func TestResolverAgreesWithTheTable(t *testing.T) {
	m := Default()
	if err := m.Override(map[ID][]string{First: {"g g"}, Last: {"g e", "G"}, Quit: {"g y n"}}); err != nil {
		t.Fatal(err)
	}
	strokes := []string{"nosuch", "esc", "ctrl+c", "O", "g", "y"}
	for _, b := range m.Bindings() {
		for _, key := range b.Keys {
			strokes = append(strokes, strings.Fields(key)...)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom(focusable).Draw(t, "scope").Path()
		var r Resolver
		var typed []string
		for range rapid.IntRange(1, 20).Draw(t, "strokes") {
			s := rapid.SampledFrom(strokes).Draw(t, "stroke")
			waiting := len(typed) > 0
			found := r.Resolve(m, s, path)
			if found.ID != "" && found.Pending != nil || r.Waiting() != (found.Pending != nil) {
				t.Fatalf("%q after %q comes to %+v, waiting %t", s, typed, found, r.Waiting())
			}
			if s == "esc" && waiting && (found.ID != "" || r.Waiting()) {
				t.Fatalf("esc after %q comes to %+v", typed, found)
			}
			typed = append(typed, s)
			if b, ok := m.Lookup(found.ID); ok {
				full := slices.Contains(b.Keys, strings.Join(typed, " "))
				out := b.Fixed && slices.Contains(b.Keys, s)
				if !slices.Contains(path, b.Scope) || !full && !out {
					t.Fatalf("%q in %v comes to %s, which has %q", typed, path, b.ID, b.Keys)
				}
			}
			for _, b := range found.Pending {
				for _, rest := range b.Keys {
					ahead := r
					if got := press(&ahead, m, path, strings.Fields(rest)...).ID; got != b.ID {
						t.Fatalf("%q then %q comes to %q, the hint says %s", typed, rest, got, b.ID)
					}
				}
			}
			if !r.Waiting() {
				typed = nil
			}
		}
	})
}
