// Package action is the one way in which anything in a cluster is changed. Its one rule: nothing is sent that is not part
// of a plan which somebody has read and confirmed, and what was sent is written down before and after.
//
// A Kind makes a Plan (reads only), the screen shows it, and a Runner carries it out away from the screen: it reports by
// the latest state of each step, and never waits for a reader.
package action

import (
	"context"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// ID is the stable name of a kind of action: the same in the key table, the palette and the audit log.
type ID string

// The kinds of actions that there are.
const (
	Cordon       ID = "node.cordon"
	Uncordon     ID = "node.uncordon"
	Drain        ID = "node.drain"
	DeleteNode   ID = "node.delete-node"
	OutOfService ID = "node.out-of-service" // adds the taint that says that the machine is off
	InService    ID = "node.in-service"     // takes it away

	DeletePod        ID = "pod.delete"
	ForceDelete      ID = "pod.force-delete"
	RemoveFinalizers ID = "pod.remove-finalizers"

	Scale    ID = "workload.scale"
	Retain   ID = "workload.retain" // keeps the claims of a StatefulSet that is scaled down
	Restart  ID = "workload.restart"
	RollBack ID = "workload.roll-back"
	Pause    ID = "workload.pause"  // a rollout, or a CronJob
	Resume   ID = "workload.resume" // the same

	Approve ID = "csr.approve"
	Deny    ID = "csr.deny"
	Renew   ID = "cert.renew" // has cert-manager issue anew, or watches while somebody renews by hand
)

// Verb is the action in few words, as the Actions pane and sheets name it.
func (id ID) Verb() string {
	_, verb, _ := strings.Cut(string(id), ".")
	switch id { //nolint:exhaustive // the others are named by their ID
	case OutOfService:
		return "taint"
	case InService:
		return "untaint"
	}
	return strings.ReplaceAll(verb, "-", " ")
}

// does are the actions whose verb does not stand before "it".
var does = map[ID]struct{ one, many string }{
	DeleteNode:       {"delete it", "delete them"},
	OutOfService:     {"taint it", "taint them"},
	InService:        {"put it back in service", "put them back in service"},
	RemoveFinalizers: {"remove its finalizers", "remove their finalizers"},
	RollBack:         {"roll it back", "roll them back"},
	Retain:           {"keep its claims", "keep their claims"},
}

// Does is what the action does to one object, or to several: "drain it", "remove their finalizers".
func (id ID) Does(objects int) string {
	words, ok := does[id]
	switch {
	case !ok && objects > 1:
		return id.Verb() + " them"
	case !ok:
		return id.Verb() + " it"
	case objects > 1:
		return words.many
	}
	return words.one
}

// Target is what an action acts on, taken when its key is pressed and never again: name and UID, not a place in a list.
type Target struct {
	Context string // kubeconfig context
	Refs    []kube.Ref
}

// Name gives the objects in few words: "worker-12", "worker-12 and 2 more".
func (t Target) Name() string {
	switch len(t.Refs) {
	case 0:
		return ""
	case 1:
		return t.Refs[0].FullName()
	}
	return t.Refs[0].FullName() + " and " + text.Count(len(t.Refs)-1) + " more"
}

// Options are what the operator has chosen on a sheet, by the ID of the Toggle. An absent key is the default.
type Options map[string]string

// Kind is one thing that an operator can do to a cluster.
type Kind interface {
	ID() ID
	// Needs are the permissions without which the key is greyed.
	Needs() []Need
	// Plan asks the server what would happen. It reads only, and reads live: nothing that the plan is made of comes from
	// the rows alone. An error means that there is no plan; a plan that may not be confirmed has Refusals.
	Plan(ctx context.Context, c *kube.Cluster, t Target, o Options) (*Plan, error)
}

// Work is what a confirmed plan does.
type Work interface {
	// Run does it, and reports as it goes. It ends within 100 ms of ctx, having sent nothing after that; the cause of ctx
	// says why. Every step that it has reported is in an ended state when it returns.
	Run(ctx context.Context, c *kube.Cluster, p *Progress) Result
}

// Tier is how hard it is to confirm a plan.
type Tier uint8

// The tiers.
const (
	Look  Tier = iota // nothing changes
	Ask               // y
	Read              // y, after it has been read to its end
	Write             // the name of the object is typed
)

// PlanLife is how long a plan may be confirmed after it was made.
const PlanLife = 3 * time.Minute

// Plan is what would happen, and all that its sheet shows. It is not changed once the runner has given it. All its text is
// sanitised and fit to be shown.
type Plan struct {
	Action  ID
	Target  Target
	Options Options
	Made    time.Time
	Tier    Tier // without what a protected context adds

	Headline string    // what happens, in one sentence
	Facts    []Fact    // "after", "room", "time", "undo"
	Sections []Section // worst first
	Toggles  []Toggle  // those that no section names stand at the end; numbers stand right below the headline
	Instead  []Instead // what may be the better thing to do
	Kubectl  []string  // the nearest kubectl commands, without a prompt
	Gate     string    // what the confirming key does: "evict 11 pods from worker-44"
	Foot     string    // beside the gate at tier 3: "23 pods leave; 2 lose data"
	Word     string    // what is typed at tier 3
	Refusals []string  // why it cannot be confirmed as it is, worst first; none: it can

	Details map[string]any // parameters for the audit log; what a Watchful reads must survive JSON
	Work    Work           // nil if there is nothing to be done
	Watch   bool           // the screen shows its steps once it has begun
}

// Void reports whether the plan is too old to be confirmed.
//
// The clock on the wall counts: the one that Go measures with stands still while the machine sleeps.
func (p *Plan) Void(now time.Time) bool {
	age := now.Round(0).Sub(p.Made.Round(0))
	return age >= PlanLife || age < -time.Second
}

// Fact is one line of the head of a sheet.
type Fact struct {
	Name     string // at most six letters: "after"
	Text     string
	Severity kube.Severity
}

// Section is a part of a sheet under a rule of its own.
type Section struct {
	Title, Note string // on the rule, left and right
	Columns     []Column
	Rows        []Row
	Toggles     []string // IDs of the toggles that stand below the rows
}

// Instead is an action that may be the better one than that of the sheet on which it is offered. Its key on that sheet opens
// its own sheet; nothing else happens.
type Instead struct {
	Action  ID
	Target  Target
	Options Options
	Words   string // what it would do: "delete the Node object: releases 9 pods"
}

// Column is one column of a section; a section without columns has lines of text.
type Column struct {
	Title string
	Right bool // flush right
	Wide  bool // only on wide screens
}

// Row is a line of a section: a cell for each column, or one text. Severity OK is plain text.
type Row struct {
	Severity kube.Severity
	Cells    []string
}

// Toggle is something on a sheet that the operator can choose. Another value makes another plan. It is a box (its Values
// are OnOff), one of several (Choices, or else the value alone is shown), or a number.
type Toggle struct {
	ID      string
	Words   string   // "delete emptyDir data: 2 pods"; of a number: what is counted, "shop/cart"
	Value   string   // one of Values; of a number: as it was typed, also if that is no number
	Values  []string // nil for a number
	Choices []Choice // what each of Values means, to be shown one below the other
	Number  *Number  // nil if it is none
}

// Choice is one of several things that an operator can choose.
type Choice struct {
	Words string
	Lines []string // shown below, further in
}

// Number is a toggle into which a number is typed.
type Number struct {
	Now   int64  // what it is now
	Fault string // why Value cannot be taken, "" if it can
}

// The values of a Toggle that is a box.
const (
	On  = "on"
	Off = "off"
)

// OnOff are the values of a box.
func OnOff() []string { return []string{Off, On} }

// Next is the value that follows, the first after the last; a number has none but itself.
func (t Toggle) Next() string {
	if t.Number != nil {
		return t.Value
	}
	return t.Values[(slices.Index(t.Values, t.Value)+1)%len(t.Values)]
}
