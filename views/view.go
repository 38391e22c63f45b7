// Package views holds the panes. Its one rule: a view draws snapshots and answers events with effects, and does nothing
// else. It starts no goroutine, does no input or output, takes the time from what it is told, and imports neither Bubble
// Tea nor client-go; so a test can hold it in its hand.
package views

import (
	"strings"
	"time"

	"ktriage/internal/filter"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// Size is a rectangle in cells.
type Size struct{ W, H int }

// View is one pane.
type View interface {
	// Name is the pane's stable name: the word of the command line, the palette and the tab.
	Name() string
	Scope() keymap.Scope
	// Needs names the kinds whose news the view must be told of.
	Needs() kube.Kinds
	// Handle is the whole of its behaviour: an event in, effects out.
	Handle(Event) []Effect
	// Draw writes exactly s.H lines of exactly s.W cells, separated by newlines, and gives the column of the text cursor
	// in the first of them, -1 if nothing is typed.
	Draw(b *strings.Builder, s Size, f Frame) (cursor int)
	// Tab is what the tab says after the name: how many rows want attention, or how many there are.
	Tab() (text string, severity kube.Severity)
	// Counts are the rows of each severity, whatever the filter.
	Counts() [kube.Bad + 1]int
	// State says how far the rows can be believed.
	State() kube.State
	// Objects are the rows as the palette lists them, at most n.
	Objects(n int) []Object
	// Strip is the selected row's name, state and diagnosis, for the lines under the panes.
	Strip(now time.Time) Strip
	// Namespaces are the numbers of rows by namespace, whatever the filter; nobody may write to the map.
	Namespaces() map[string]int
	// Waiting reports whether the rows still answer an older question than the newest.
	Waiting() bool
	// Fault is what is wrong with the filter as it is typed, nil if it is in force.
	Fault() *FilterError
	// Language is what a filter can say of the rows.
	Language() *filter.Language
	// Details are the facts of the row with that UID, uncut; false if the list does not have it.
	Details(uid string, now time.Time) (Details, bool)
	// Place is what the history remembers: enough to come back.
	Place() Place
	// Why gives the reason for which a key does nothing here and now, "" if it works.
	Why(keymap.ID) string
	Close()
}

// Frame is how a view is drawn this time.
type Frame struct {
	Now     time.Time
	Focused bool
	Alone   bool   // the only pane on the screen: its name is in the tabs, not in its rule
	Chip    string // "2 Nodes", for the rule of a pane that is not alone
	Input   *Input // the filter is being typed
	Health  kube.Health
	Paint   *themes.Painter
	Key     func(keymap.ID) string // the key to name in a sentence, such as "esc"
}

// Input is a text field as it is typed: what stands before its cursor, and after it.
type Input struct{ Before, After string }

// Text is all of it.
func (i Input) Text() string { return i.Before + i.After }

// Strip is what the lines under the panes say of the selected row.
type Strip struct {
	Name     string
	State    string // "NotReady(Unknown) since 17:13:52"
	Severity kube.Severity
	Unknown  bool // nobody knows how it is: the severity says only that somebody should
	Lines    []string
}

// Object is a row as the palette lists it.
type Object struct {
	Name, Kind, Note string
	Place            Place
}

// Details are what is known of one object.
type Details struct {
	Title string // "pod shop/cart-2"
	Note  string // on the right of the title: "handshake 2m ago"
	Copy  string // what goes to the clipboard
	Facts []Fact
	Spent int // percent of the object's time that are over, drawn as a bar beside the first fact; 0 for no bar
	// Sections are tables and sentences below the facts, in the shape of those of a plan.
	Sections []action.Section
}

// Fact is one line of the details sheet.
type Fact struct {
	Name, Value string
	Severity    kube.Severity
}

// Place is where a pane stands: the row under the cursor, the filter, and what it is pinned to.
type Place struct {
	Pane   string
	UID    string // of the row under the cursor
	Name   string // the same, where the UID is not known: its name, with its namespace where there is one
	Filter string
	Pin    Pin
}

// Pin narrows a pane to what belongs to one object of another pane, such as the pods of a node.
type Pin struct{ Field, Value string }

// Event is something that a view is told.
type Event interface{ event() }

// The events.
type (
	// Changed says that new snapshots can be loaded.
	Changed struct{ Kinds kube.Kinds }
	// Intent is a key or a palette entry, already resolved.
	Intent struct{ ID keymap.ID }
	// Query is the filter line, after every keystroke.
	Query struct{ Text string }
	// Go takes the view to a place.
	Go struct{ Place Place }
)

func (Changed) event() {}
func (Intent) event()  {}
func (Query) event()   {}
func (Go) event()      {}

// Effect is what a view wants done. It is data, so that a test can compare it.
type Effect interface{ effect() }

// The effects.
type (
	// Open goes to a place in another pane.
	Open struct{ Place Place }
	// Copy puts text on the clipboard.
	Copy struct{ Text string }
	// Flash says one line for some seconds.
	Flash struct {
		Text  string
		Token themes.Token
	}
	// ShowDetails opens the details sheet of the row with that UID, "" for the selected one.
	ShowDetails struct{ UID string }
	// Act opens the sheet of the action that a key stands for.
	Act struct {
		ID      keymap.ID
		Refs    []kube.Ref
		Options map[string]string // what is chosen to begin with; nil for the defaults
	}
	// Control is what the operator wants of a run that is under way: pause, cancel, leave a step alone.
	Control struct {
		Run, Step string // IDs; Step is "" for all of it
		Name      string // of the object of the step
		ID        keymap.ID
	}
	// Up says that the pane has nothing left to climb out of: it is for the screen to go back.
	Up struct{}
)

func (Open) effect()        {}
func (Copy) effect()        {}
func (Flash) effect()       {}
func (ShowDetails) effect() {}
func (Act) effect()         {}
func (Control) effect()     {}
func (Up) effect()          {}
