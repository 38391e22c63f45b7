// Package keymap is the one table of what keys do. Its one rule: help, footers, the palette, docs/keys.md and the
// user's own keys are all made from this table, so that they cannot disagree with what a key does. It imports nothing
// but the standard library.
package keymap

import (
	"fmt"
	"slices"
	"strings"
)

// ID names what a key does: "table.down", "nodes.sort.name". It is what an intent carries and what a user rebinds.
type ID string

// Scope is the part of the screen in which a key counts.
type Scope string

// The scopes. Path says which of them lie behind one another.
const (
	Always    Scope = "always"    // whatever has the focus
	App       Scope = "app"       // whichever pane has the focus
	Table     Scope = "table"     // any pane that is a list
	Nodes     Scope = "nodes"     // the Nodes pane
	Pods      Scope = "pods"      // the Pods pane
	Workloads Scope = "workloads" // the Workloads pane
	Certs     Scope = "certs"     // the Certs pane
	CSRs      Scope = "csrs"      // the certificate signing requests, in the Certs pane
	Events    Scope = "events"    // the Events pane
	Top       Scope = "top"       // the Top pane
	Actions   Scope = "actions"   // the Actions pane
	Steps     Scope = "steps"     // the steps of one action, in the Actions pane
	Filter    Scope = "filter"    // the filter line while it is typed
	Palette   Scope = "palette"   // the palette
	Text      Scope = "text"      // any overlay that is read
	Help      Scope = "help"      // the help overlay
	Details   Scope = "details"   // the details overlay
	Log       Scope = "log"       // the messages overlay
	Sheet     Scope = "sheet"     // the sheet of an action
	Name      Scope = "name"      // the same while the name of the object is typed
	Number    Scope = "number"    // the same while a number is typed
	CutOff    Scope = "cutoff"    // what is asked of an action that was cut off
	Leaving   Scope = "leaving"   // what is asked of who quits while actions run
)

// behind gives each scope the one that gets the keys it does not know. A scope that is read or typed into has no App
// behind it: what it covers must not react.
var behind = map[Scope]Scope{
	App:       Always,
	Table:     App,
	Nodes:     Table,
	Pods:      Table,
	Workloads: Table,
	Certs:     Table,
	CSRs:      Table,
	Events:    Table,
	Top:       Table,
	Actions:   Table,
	Steps:     Actions,
	Filter:    Always,
	Palette:   Always,
	Text:      Always,
	Help:      Text,
	Details:   Text,
	Log:       Text,
	Sheet:     Text,
	Name:      Always,
	Number:    Always,
	CutOff:    Text,
	Leaving:   Text,
}

// typed are the scopes with a text field: a printable key must reach the field.
var typed = []Scope{Filter, Palette, Name, Number}

// Path gives the scope and all that lie behind it, innermost first: what Resolve and Help take.
func (s Scope) Path() []Scope {
	path := []Scope{s}
	for next, ok := behind[s]; ok; next, ok = behind[next] {
		path = append(path, next)
	}
	return path
}

// Binding is one line of the table.
type Binding struct {
	ID    ID
	Scope Scope
	// Keys are the ways to type it, the one to show first. A key is one stroke or several with a space between
	// ("O n"); a stroke is named as Bubble Tea v2's KeyPressMsg.String names it: "j", "G", "space", "ctrl+f", "pgdown".
	Keys    []string
	Short   string // footer and which-key hint: "filter"
	Long    string // help, palette, docs: one sentence
	Group   string // column of the help, one of the Group constants
	Act     ID     // the action whose sheet it opens, "" for none
	Danger  bool   // destroys something: never on one bare lower-case letter
	Fixed   bool   // cannot be rebound, nor its keys be taken by a scope inside its own
	Prefix  bool   // names what the sequences begin with; does nothing itself
	Palette bool   // makes sense without the key: listed in the palette
}

// Map is a table of keys. Its bindings stand in the order in which help and docs show them.
type Map struct{ bindings []Binding }

// Default gives the table that the program comes with.
func Default() *Map { return &Map{bindings: defaults()} }

// Bindings gives the bindings of the scopes in the order of the table; without scopes, all of them.
func (m *Map) Bindings(scopes ...Scope) []Binding {
	var found []Binding
	for _, b := range m.bindings {
		if len(scopes) == 0 || slices.Contains(scopes, b.Scope) {
			found = append(found, b.clone())
		}
	}
	return found
}

// Lookup gives the binding of an ID; footers show its first key.
func (m *Map) Lookup(id ID) (Binding, bool) {
	i := m.index(id)
	if i < 0 {
		return Binding{}, false
	}
	return m.bindings[i].clone(), true
}

// Key gives the first key of an action, to be named in a sentence; its short name if it has lost all its keys.
func (m *Map) Key(id ID) string {
	b, _ := m.Lookup(id)
	if len(b.Keys) == 0 {
		return "\"" + b.Short + "\""
	}
	return b.Keys[0]
}

func (m *Map) index(id ID) int {
	return slices.IndexFunc(m.bindings, func(b Binding) bool { return b.ID == id })
}

func (b Binding) clone() Binding {
	b.Keys = slices.Clone(b.Keys)
	return b
}

// Panes is how many panes can be focused by their number.
const Panes = 7

// PaneID is the binding that focuses the pane of that number, 1 to Panes.
func PaneID(number int) ID { return ID(fmt.Sprintf("pane.%d", number)) }

// Pane gives the number of the pane that the ID focuses, if it is such an ID.
func (id ID) Pane() (number int, ok bool) {
	for n := 1; n <= Panes; n++ {
		if id == PaneID(n) {
			return n, true
		}
	}
	return 0, false
}

// SortColumn gives the column that the ID sorts by ("nodes.sort.cpu-requests": "cpu-requests"), if it is such an ID.
func (id ID) SortColumn() (column string, ok bool) {
	_, column, ok = strings.Cut(string(id), ".sort.")
	return column, ok
}
