package keymap

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// focusable are the scopes that can have the focus: the innermost of a path.
var focusable = []Scope{Nodes, Pods, Workloads, Certs, CSRs, Actions, Steps, Filter, Palette, Help, Details, Log}

func TestDefaultTableHasNoFault(t *testing.T) {
	for _, fault := range Default().check(nil) {
		t.Error(fault)
	}
}

func TestEveryBindingIsFullyDescribed(t *testing.T) {
	seen := map[ID]bool{}
	for _, b := range Default().Bindings() {
		if seen[b.ID] {
			t.Errorf("%s stands in the table twice", b.ID)
		}
		seen[b.ID] = true
		if len(b.Keys) == 0 || b.Short == "" {
			t.Errorf("%s: has keys %q and short text %q", b.ID, b.Keys, b.Short)
		}
		if first := []rune(b.Long + " ")[0]; !unicode.IsUpper(first) || !strings.HasSuffix(b.Long, ".") {
			t.Errorf("%s: %q is not a sentence", b.ID, b.Long)
		}
		if !slices.Contains(groups, b.Group) {
			t.Errorf("%s: group %q is not one of the help's", b.ID, b.Group)
		}
		if b.Scope.Path()[len(b.Scope.Path())-1] != Always {
			t.Errorf("%s: scope %q is not known", b.ID, b.Scope)
		}
	}
}

func TestDangerIsNeverOnOneBareLowerCaseLetter(t *testing.T) {
	for key, refused := range map[string]bool{
		"x": true, "é": true, "X": false, "ctrl+d": false, "g x": false, "5": false, "delete": false,
	} {
		m := &Map{bindings: []Binding{{ID: "pods.delete", Scope: Pods, Keys: []string{key}, Danger: true}}}
		if got := m.check(nil) != nil; got != refused {
			t.Errorf("danger on %q refused: %t, want %t", key, got, refused)
		}
	}
}

func TestCtrlDDeletesAndNothingElse(t *testing.T) {
	for _, b := range Default().Bindings() {
		if slices.Contains(b.Keys, "ctrl+d") && b.Act != DeletePod {
			t.Errorf("ctrl+d is bound to %s", b.ID)
		}
	}
}

func TestEscapeAndInterruptAreFixedInEveryScope(t *testing.T) {
	m := Default()
	for _, s := range focusable {
		for _, stroke := range []string{"esc", "ctrl+c"} {
			var r Resolver
			b, ok := m.Lookup(r.Resolve(m, stroke, s.Path()).ID)
			if !ok || !b.Fixed {
				t.Errorf("%s: %s comes to %q, fixed %t", s, stroke, b.ID, b.Fixed)
			}
		}
	}
}

func TestOverlaysLetNoKeyThroughToThePaneTheyCover(t *testing.T) {
	for _, s := range []Scope{Filter, Palette, Help, Details, Log} {
		for _, b := range Default().Bindings(s.Path()...) {
			if b.Scope == App || b.Scope == Table {
				t.Errorf("%s of scope %s counts in %s", b.ID, b.Scope, s)
			}
		}
	}
}

func TestPathsRunFromTheInnermostScopeOutwards(t *testing.T) {
	if got, want := Nodes.Path(), []Scope{Nodes, Table, App, Always}; !slices.Equal(got, want) {
		t.Errorf("path of nodes = %v, want %v", got, want)
	}
	if got, want := Help.Path(), []Scope{Help, Text, Always}; !slices.Equal(got, want) {
		t.Errorf("path of help = %v, want %v", got, want)
	}
}

func TestPaneNumbersAndSortColumnsAreReadBackFromTheirIDs(t *testing.T) {
	m := Default()
	for n := 1; n <= Panes; n++ {
		if _, ok := m.Lookup(PaneID(n)); !ok {
			t.Errorf("pane %d has no key", n)
		}
		if got, ok := PaneID(n).Pane(); !ok || got != n {
			t.Errorf("PaneID(%d).Pane() = %d, %t", n, got, ok)
		}
	}
	if _, ok := NextPane.Pane(); ok {
		t.Errorf("%s is taken for a pane's number", NextPane)
	}
	if got, ok := ID("nodes.sort.cpu-requests").SortColumn(); got != "cpu-requests" || !ok {
		t.Errorf("SortColumn = %q, %t", got, ok)
	}
	if _, ok := SortBy.SortColumn(); ok {
		t.Errorf("%s is taken for a column", SortBy)
	}
}

func TestChangingWhatBindingsGivesLeavesTheTableAlone(t *testing.T) {
	m := Default()
	for _, b := range m.Bindings(Table) {
		b.Keys[0] = "changed"
	}
	if b, _ := m.Lookup(Down); b.Keys[0] != "j" {
		t.Errorf("table.down is on %q", b.Keys)
	}
}

func TestStrokes(t *testing.T) {
	for _, stroke := range []string{
		"j", "G", "/", "?", "+", "é", "日", "1", "`", "|", "ctrl+f", "ctrl+]", "ctrl+_", "alt+x", "alt+X", "ctrl+alt+x",
		"shift+tab", "ctrl+shift+up", "ctrl+space", "space", "f12", "alt+enter",
	} {
		if why := checkStroke(stroke); why != "" {
			t.Errorf("%q is refused: %s", stroke, why)
		}
	}
	for stroke, want := range map[string]string{
		"":             "a key must not be empty",
		"Escape":       `"Escape" is reported as "esc"; write that`,
		"ctrl+i":       `"ctrl+i" is reported as "tab"; write that`,
		"PgDn":         `"PgDn" is reported as "pgdown"; write that`,
		"shift+a":      `"shift+a" is reported as the capital letter; write "A"`,
		"alt+shift+a":  `"alt+shift+a" is reported as the capital letter; write "alt+A"`,
		"shift+1":      `"shift+1" is reported as the sign that shift makes of it; write that sign`,
		"Ctrl+F":       `"Ctrl+F" is not a key; write "ctrl+f"`,
		"ctrl+1":       `"ctrl+1" is not sent by a terminal; after ctrl+ stands a small letter, a named key or one of \ ] ^ _`,
		"Tab":          `"Tab" is not a key; write "tab"`,
		"shift+ctrl+x": `"shift+ctrl+x" is not a key; write a character, or a name such as space, ctrl+f, shift+tab, pgdown, f5`,
		"jj":           `"jj" is not a key; write a character, or a name such as space, ctrl+f, shift+tab, pgdown, f5`,
		"\x1b":         `"\x1b" is not a key; write a character, or a name such as space, ctrl+f, shift+tab, pgdown, f5`,
	} {
		if got := checkStroke(stroke); got != want {
			t.Errorf("%q:\n got %s\nwant %s", stroke, got, want)
		}
	}
}
