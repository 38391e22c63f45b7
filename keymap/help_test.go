package keymap

import (
	"slices"
	"strings"
	"testing"
)

func TestHelpListsWhatCanBeTypedByGroup(t *testing.T) {
	var titles []string
	ids := map[ID][]string{}
	for _, g := range Default().Help(Nodes.Path()) {
		titles = append(titles, g.Title)
		for _, b := range g.Bindings {
			ids[b.ID] = b.Keys
			if b.Group != g.Title {
				t.Errorf("%s stands under %s", b.ID, g.Title)
			}
		}
	}
	if want := []string{"Act", "Move", "See", "Sort by", "Panes", "Screen", "Everywhere"}; !slices.Equal(titles, want) {
		t.Errorf("groups %q, want %q", titles, want)
	}
	for _, id := range []ID{NodePods, Down, SortBy, "nodes.sort.for", Back, Quit, Interrupt} {
		if ids[id] == nil {
			t.Errorf("%s is missing", id)
		}
	}
	for _, id := range []ID{OpenRow, PodNode, TextDown, "pods.sort.name"} {
		if ids[id] != nil {
			t.Errorf("%s is listed, but cannot be typed in nodes", id)
		}
	}
}

func TestHelpLeavesOutKeysThatAnInnerScopeHides(t *testing.T) {
	m := Default()
	if err := m.Override(map[ID][]string{PodNode: {"ctrl+f", "end x"}}); err != nil {
		t.Fatal(err)
	}
	for _, g := range m.Help(Pods.Path()) {
		for _, b := range g.Bindings {
			if b.ID == PageDown && !slices.Equal(b.Keys, []string{"pgdown"}) {
				t.Errorf("page down is listed on %q", b.Keys)
			}
			if b.ID == Last && !slices.Equal(b.Keys, []string{"G"}) {
				t.Errorf("last is listed on %q", b.Keys)
			}
		}
	}
}

func TestMarkdownIsTheSameEachTimeAndNamesEveryBinding(t *testing.T) {
	text := Default().Markdown()
	if text != Default().Markdown() {
		t.Error("two calls give different texts")
	}
	for _, b := range Default().Bindings() {
		if strings.Count(text, "`"+string(b.ID)+"`") != 1 {
			t.Errorf("%s does not stand in it exactly once", b.ID)
		}
	}
	for _, line := range []string{
		"| `ctrl+c` | Quit, wherever you are. | `app.interrupt` (fixed) |\n",
		"| `O s`, `S` | Sort by status; again reverses. | `pods.sort.status` |\n",
		"\n## While a filter is typed\n\n| Key | Does | Name |\n|---|---|---|\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
}

func TestMarkdownEscapesKeysThatMeanSomethingInATable(t *testing.T) {
	if got, want := codes([]string{"|", "`"}), "`\\|`, `` ` ``"; got != want {
		t.Errorf("codes = %s, want %s", got, want)
	}
}
