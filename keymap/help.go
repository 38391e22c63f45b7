package keymap

import (
	"fmt"
	"slices"
	"strings"
)

// Group is one column of the help.
type Group struct {
	Title    string
	Bindings []Binding
}

// Help gives what can be typed in the scopes, innermost first, by group. Keys that an inner scope hides are left out,
// and so are bindings that have no key left: it lists what Resolve would do.
func (m *Map) Help(scopes []Scope) []Group {
	var help []Group
	for _, title := range groups {
		g := Group{Title: title}
		for _, b := range m.Bindings(scopes...) {
			b.Keys = slices.DeleteFunc(b.Keys, func(key string) bool { return !m.reaches(key, b.ID, scopes) })
			if b.Group == title && len(b.Keys) > 0 {
				g.Bindings = append(g.Bindings, b)
			}
		}
		if g.Bindings != nil {
			help = append(help, g)
		}
	}
	return help
}

// reaches reports whether typing the key comes to the binding, or begins the sequences that it names.
func (m *Map) reaches(key string, id ID, scopes []Scope) bool {
	var r Resolver
	var found Match
	for stroke := range strings.SplitSeq(key, " ") {
		if found.ID != "" {
			return false // an inner scope acts before the sequence is complete
		}
		found = r.Resolve(m, stroke, scopes)
	}
	return found.ID == id || found.Pending != nil && found.Prefix.ID == id
}

// sections are the headings of the key reference.
var sections = []struct {
	scope Scope
	title string
}{
	{Always, "Everywhere"},
	{App, "In every pane"},
	{Table, "In every list"},
	{Nodes, "Nodes"},
	{Pods, "Pods"},
	{Workloads, "Workloads"},
	{Certs, "Certs"},
	{Events, "Events"},
	{Top, "Top"},
	{CSRs, "Certificate signing requests"},
	{Actions, "Actions"},
	{Steps, "The steps of an action"},
	{Filter, "While a filter is typed"},
	{Palette, "Palette"},
	{Text, "Help, details and messages"},
	{Help, "Help"},
	{Details, "Details"},
	{Log, "Messages"},
	{Sheet, "The sheet of an action"},
	{Name, "While a name is typed to confirm"},
	{Number, "While a number is typed on a sheet"},
	{CutOff, "An action that was cut off"},
	{Leaving, "Quitting while actions run"},
}

// Markdown gives the key reference, docs/keys.md. The same table always gives the same text.
func (m *Map) Markdown() string {
	var b strings.Builder
	b.WriteString("<!-- Made from the key table in keymap/defaults.go; do not edit. -->\n\n# Keys\n\n")
	b.WriteString("`O n` means: first `O`, then `n`. A key in a narrower place hides the same key of a wider one. ")
	b.WriteString("Fixed keys cannot be given another meaning.\n")
	for _, s := range sections {
		bindings := m.Bindings(s.scope)
		if len(bindings) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| Key | Does | Name |\n|---|---|---|\n", s.title)
		for _, line := range bindings {
			fmt.Fprintf(&b, "| %s | %s | `%s`%s |\n", codes(line.Keys), line.Long, line.ID, fixed(line))
		}
	}
	return b.String()
}

// codes writes keys as Markdown code within a table, where a bar must be escaped and a backquote needs two around it.
func codes(keys []string) string {
	var out []string
	for _, key := range keys {
		fence := "`"
		if strings.Contains(key, "`") {
			fence, key = "``", " "+key+" "
		}
		out = append(out, fence+strings.ReplaceAll(key, "|", `\|`)+fence)
	}
	return strings.Join(out, ", ")
}

func fixed(b Binding) string {
	if b.Fixed {
		return " (fixed)"
	}
	return ""
}
