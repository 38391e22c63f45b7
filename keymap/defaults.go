package keymap

import (
	"fmt"
	"slices"
	"strconv"
)

// The groups are the columns of the help, in this order.
const (
	GroupAct        = "Act"
	GroupMove       = "Move"
	GroupSee        = "See"
	GroupSort       = "Sort by"
	GroupPanes      = "Panes"
	GroupScreen     = "Screen"
	GroupFilter     = "Filter"
	GroupPalette    = "Palette"
	GroupEverywhere = "Everywhere"
)

var groups = []string{
	GroupAct, GroupMove, GroupSee, GroupSort, GroupPanes, GroupScreen, GroupFilter, GroupPalette, GroupEverywhere,
}

// What keys do. The IDs of panes and of sort columns are made by PaneID and read by SortColumn.
const (
	Interrupt ID = "app.interrupt"
	Redraw    ID = "app.redraw"
	Suspend   ID = "app.suspend"

	Quit           ID = "app.quit"
	ShowHelp       ID = "app.help"
	OpenPalette    ID = "app.palette"
	NextPane       ID = "app.pane.next"
	PreviousPane   ID = "app.pane.previous"
	Zoom           ID = "app.zoom"
	Layout         ID = "app.layout"
	HistoryBack    ID = "app.history.back"
	HistoryForward ID = "app.history.forward"
	Back           ID = "app.back"
	Freeze         ID = "app.freeze"
	ToggleUTC      ID = "app.utc"
	ReadAgain      ID = "app.read"
	ShowLog        ID = "app.log"
	CopyName       ID = "app.copy"

	Down         ID = "table.down"
	Up           ID = "table.up"
	PageDown     ID = "table.page.down"
	PageUp       ID = "table.page.up"
	First        ID = "table.first"
	Last         ID = "table.last"
	ColumnsLeft  ID = "table.columns.left"
	ColumnsRight ID = "table.columns.right"
	OpenRow      ID = "table.open"
	ShowDetails  ID = "table.details"
	EditFilter   ID = "table.filter"
	SortBy       ID = "table.sort"
	Mark         ID = "table.mark"
	MarkRange    ID = "table.mark.range"
	InvertMarks  ID = "table.mark.invert"

	NodePods     ID = "nodes.pods"
	PodNode      ID = "pods.node"
	WorkloadPods ID = "workloads.pods"

	CordonNode   ID = "node.cordon"
	UncordonNode ID = "node.uncordon"
	DrainNode    ID = "node.drain"
	DeleteNode   ID = "node.delete-node"
	OutOfService ID = "node.out-of-service"
	InService    ID = "node.in-service"

	DeletePod        ID = "pod.delete"
	ForceDelete      ID = "pod.force-delete"
	RemoveFinalizers ID = "pod.remove-finalizers"

	ScaleWorkload    ID = "workload.scale"
	RetainClaims     ID = "workload.retain"
	RestartWorkload  ID = "workload.restart"
	RollBackWorkload ID = "workload.roll-back"
	PauseWorkload    ID = "workload.pause"
	ResumeWorkload   ID = "workload.resume"

	ApproveCSR ID = "csr.approve"
	DenyCSR    ID = "csr.deny"
	RenewCert  ID = "cert.renew"
	ApproveOne ID = "certs.approve"
	ShowCSRs   ID = "certs.requests"
	ShowCerts  ID = "csrs.certs"
	CertNode   ID = "certs.node"
	CSRNode    ID = "csrs.node"

	CancelRun  ID = "run.cancel"
	PauseRun   ID = "run.pause"
	UndoRun    ID = "run.undo"
	ResumeRun  ID = "run.resume"
	ShowRun    ID = "run.show"
	CheckRun   ID = "run.check"
	RunRetain  ID = "run.retain"
	SkipStep   ID = "step.skip"
	StepNode   ID = "step.node"
	StepScale  ID = "step.scale"
	StepDelete ID = "step.delete"
	StepForce  ID = "step.force-delete"
	PodScale   ID = "pods.scale"

	SheetConfirm   ID = "sheet.confirm"
	SheetToggle    ID = "sheet.toggle"
	SheetNext      ID = "sheet.next"
	SheetPrevious  ID = "sheet.previous"
	SheetAgain     ID = "sheet.again"
	SheetCopy      ID = "sheet.copy"
	SheetHelp      ID = "sheet.help"
	SheetLess      ID = "sheet.less"
	SheetNumber    ID = "sheet.number"
	SheetMore      ID = "sheet.more"
	NumberKeep     ID = "number.keep"
	NumberPart     ID = "number.part"
	NumberNext     ID = "number.next"
	NumberPrevious ID = "number.previous"
	NumberEmpty    ID = "number.empty"
	NumberClose    ID = "number.close"
	NumberPageDown ID = "number.page.down"
	NumberPageUp   ID = "number.page.up"
	NamePageDown   ID = "name.page.down"
	NamePageUp     ID = "name.page.up"
	NameConfirm    ID = "name.confirm"
	NameNext       ID = "name.next"
	NameClose      ID = "name.close"

	CutResume   ID = "cutoff.resume"
	CutUncordon ID = "cutoff.uncordon"
	CutLeave    ID = "cutoff.leave"
	CutPods     ID = "cutoff.pods"

	LeaveCancel ID = "leaving.cancel"
	LeaveWait   ID = "leaving.wait"

	FilterKeep  ID = "filter.keep"
	FilterEmpty ID = "filter.empty"
	FilterClear ID = "filter.clear"
	// The others of the filter line of a pane.
	FilterComplete ID = "filter.complete"
	FilterEarlier  ID = "filter.earlier"
	FilterLater    ID = "filter.later"
	FilterSave     ID = "filter.save"
	FilterSyntax   ID = "filter.syntax"

	PaletteNext     ID = "palette.next"
	PalettePrevious ID = "palette.previous"
	PaletteGo       ID = "palette.go"
	PaletteClose    ID = "palette.close"

	TextDown     ID = "text.down"
	TextUp       ID = "text.up"
	TextPageDown ID = "text.page.down"
	TextPageUp   ID = "text.page.up"
	TextFirst    ID = "text.first"
	TextLast     ID = "text.last"
	TextClose    ID = "text.close"
	HelpSearch   ID = "help.search"

	DetailsNext     ID = "details.next"
	DetailsPrevious ID = "details.previous"
)

// defaults is the table. Keys that are left free on purpose: ctrl+d (delete), and in the Nodes pane D, N and X, which
// belong to actions; a shifted letter sorts, as in k9s, only where it can mean nothing else in another pane.
func defaults() []Binding {
	return slices.Concat(acting(), moving(), seeing(), looking(), sorting(), panes(), screen(), overlays(), everywhere())
}

func moving() []Binding {
	b := func(id ID, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: Table, Group: GroupMove, Short: short, Long: long, Keys: keys}
	}
	return []Binding{
		b(Down, "down", "Move the cursor down one row.", "j", "down"),
		b(Up, "up", "Move the cursor up one row.", "k", "up"),
		b(PageDown, "page down", "Move the cursor down one page.", "ctrl+f", "pgdown"),
		b(PageUp, "page up", "Move the cursor up one page.", "ctrl+b", "pgup"),
		b(First, "first", "Go to the first row.", "g", "home"),
		b(Last, "last", "Go to the last row.", "G", "end"),
		b(ColumnsLeft, "columns left", "Show columns farther to the left.", "h", "left"),
		b(ColumnsRight, "columns right", "Show columns farther to the right.", "l", "right"),
		b(OpenRow, "open", "Open the object under the cursor.", "enter"),
		{
			ID: NodePods, Scope: Nodes, Group: GroupMove, Keys: []string{"enter"}, Palette: true,
			Short: "pods", Long: "Show the pods of the node under the cursor.",
		},
		{
			ID: WorkloadPods, Scope: Workloads, Group: GroupMove, Keys: []string{"enter"}, Palette: true,
			Short: "pods", Long: "Show the pods of the workload under the cursor.",
		},
		{
			ID: PodNode, Scope: Pods, Group: GroupMove, Keys: []string{"o"}, Palette: true,
			Short: "node", Long: "Go to the node that the pod under the cursor runs on.",
		},
		{
			ID: CertNode, Scope: Certs, Group: GroupMove, Keys: []string{"o"}, Palette: true,
			Short: "node", Long: "Go to the node whose certificate is under the cursor.",
		},
		{
			ID: CSRNode, Scope: CSRs, Group: GroupMove, Keys: []string{"o"}, Palette: true,
			Short: "node", Long: "Go to the node that asks for the certificate.",
		},
		{
			ID: ShowCSRs, Scope: Certs, Group: GroupMove, Keys: []string{"C"}, Palette: true,
			Short: "requests", Long: "Show the certificate signing requests.",
		},
		{
			ID: ShowCerts, Scope: CSRs, Group: GroupMove, Keys: []string{"C"}, Palette: true,
			Short: "certificates", Long: "Go back to the certificates.",
		},
		{
			ID: Back, Scope: App, Group: GroupMove, Keys: []string{"esc"}, Fixed: true,
			Short: "back", Long: "Go back one step: out of the filter, the marks, the pane. It never quits.",
		},
	}
}

func seeing() []Binding {
	b := func(id ID, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: Table, Group: GroupSee, Short: short, Long: long, Keys: keys, Palette: true}
	}
	sort := b(SortBy, "sort by…", "Sort by a column: wait for one more key.", "O")
	sort.Prefix, sort.Palette = true, false
	return []Binding{
		b(EditFilter, "filter", "Filter the rows while typing.", "/"),
		sort,
		b(ShowDetails, "details", "Show what is known of the object under the cursor.", "d"),
	}
}

func sorting() []Binding {
	by := func(s Scope, column, short string, keys ...string) Binding {
		return Binding{
			ID: ID(string(s) + ".sort." + column), Scope: s, Group: GroupSort, Keys: keys, Palette: true,
			Short: short, Long: fmt.Sprintf("Sort by %s; again reverses.", short),
		}
	}
	return []Binding{
		by(Nodes, "name", "name", "O n"),
		by(Nodes, "status", "status", "O s", "S"),
		by(Nodes, "for", "for", "O f"),
		by(Nodes, "conditions", "conditions", "O o"),
		by(Nodes, "pods", "pods", "O p"),
		by(Nodes, "cpu", "cpu", "O c", "C"),
		by(Nodes, "cpu-requests", "cpu requests", "O C"),
		by(Nodes, "memory", "memory use", "O m", "M"),
		by(Nodes, "memory-requests", "memory requests", "O M"),
		by(Nodes, "age", "age", "O a", "A"),
		by(Nodes, "health", "health", "O h"),

		by(Pods, "name", "name", "O n"),
		by(Pods, "status", "status", "O s", "S"),
		by(Pods, "restarts", "restarts", "O r"),
		by(Pods, "age", "age", "O a", "A"),
		by(Pods, "node", "node", "O N"),
		by(Pods, "cpu", "cpu", "O c", "C"),
		by(Pods, "memory", "memory", "O m", "M"),
		by(Pods, "ready", "ready", "O R", "R"),
		by(Pods, "badness", "badness", "O h"),

		by(Workloads, "name", "name", "O n"),
		by(Workloads, "kind", "kind", "O k"),
		by(Workloads, "ready", "ready", "O r"),
		by(Workloads, "updated", "updated", "O u"),
		by(Workloads, "age", "age", "O a", "A"),
		by(Workloads, "health", "health", "O h"),

		by(Certs, "urgency", "urgency", "O u"),
		by(Certs, "left", "time left", "O l"),
		by(Certs, "danger", "danger", "O h"),
		by(Certs, "name", "name", "O n"),
		by(Certs, "kind", "kind", "O k"),
		by(Certs, "where", "where", "O w"),
		by(Certs, "checked", "checked", "O c"),

		by(CSRs, "pending", "what waits", "O h"),
		by(CSRs, "name", "name", "O n"),
		by(CSRs, "age", "age", "O a", "A"),
		by(CSRs, "signer", "signer", "O s"),
		by(CSRs, "requestor", "requestor", "O r"),

		by(Events, "last", "last seen", "O l"),
		by(Events, "count", "count", "O c"),
		by(Events, "reason", "reason", "O r"),
		by(Events, "object", "object", "O n"),
		by(Events, "type", "warnings first", "O h"),

		by(Top, "cpu", "cpu", "C", "O c"),
		by(Top, "memory", "memory", "M", "O m"),
		by(Top, "cpu-limit", "cpu of its limit", "O l"),
		by(Top, "memory-limit", "memory of its limit: the next OOM kill", "O L"),
		by(Top, "name", "name", "O n"),

		by(Actions, "time", "time", "O t"),
		by(Actions, "object", "object", "O n"),
		by(Actions, "state", "state", "O s"),
	}
}

// acting are the keys that change a cluster, or what is being done to it. Those that begin something open a sheet.
func acting() []Binding {
	b := func(id ID, s Scope, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: s, Group: GroupAct, Short: short, Long: long, Keys: keys, Palette: true}
	}
	return slices.Concat(actingOnNodes(), actingOnPods(), actingOnWorkloads(), actingOnCerts(), []Binding{
		b(CancelRun, Actions, "cancel", "Stop an action: it begins nothing more. What the server has accepted goes on.", "x"),
		b(PauseRun, Actions, "pause", "Have an action begin nothing new, or go on.", "P"),
		b(UndoRun, Actions, "undo", "Take an action back, where that can be done: shows what that means, and asks.", "u"),
		b(ResumeRun, Actions, "resume", "Take up an action that was cut off: makes a new plan for what is left, and asks.", "r"),
		acts(RunRetain, Actions, RetainClaims, "keep the claims", "Keep the claims of a StatefulSet that is being scaled down, as far as they are still there: shows what that means, and asks.", "R"),
		b(CheckRun, Actions, "checked", "Say that what an action has left behind for somebody to look after has been looked after.", "a"),
		b(ShowRun, Actions, "audit lines", "Show what the audit log says of an action.", "y"),
		b(SkipStep, Steps, "leave it", "Leave the object under the cursor as it is, and go on with the others.", "i"),
		b(StepNode, Steps, "node", "Go to the node that is being drained.", "o"),
		acts(StepScale, Steps, ScaleWorkload, "scale", "Scale what the pod under the cursor belongs to: shows the plan, and asks.", "s"),
		danger(acts(StepDelete, Steps, DeletePod, "delete", "Delete the pod under the cursor, past its budgets: shows what that means, and asks.", "ctrl+d")),
		danger(acts(StepForce, Steps, ForceDelete, "force delete", "Decide whether the pod under the cursor is to be deleted without its node: shows the decision sheet.", "X")),
	})
}

// acts is a key that opens the sheet of an action.
func acts(id ID, s Scope, act ID, short, long string, keys ...string) Binding {
	return Binding{ID: id, Scope: s, Act: act, Group: GroupAct, Short: short, Long: long, Keys: keys, Palette: true}
}

func danger(b Binding) Binding {
	b.Danger = true
	return b
}

func actingOnNodes() []Binding {
	b := func(id ID, short, long string, keys ...string) Binding {
		return acts(id, Nodes, id, short, long, keys...)
	}
	return []Binding{
		b(CordonNode, "cordon", "Keep new pods away from the node, or the marked nodes: shows what that means, and asks.", "c"),
		b(UncordonNode, "uncordon", "Let new pods come to the node, or the marked nodes: shows what that means, and asks.", "u"),
		b(DrainNode, "drain", "Plan how the pods of the node, or the marked nodes, would be evicted: shows the plan, and asks.", "r"),
		danger(b(DeleteNode, "delete node", "Delete the Node object of a machine that is gone for good: shows which pods that releases, and asks.", "D")),
		danger(b(OutOfService, "out-of-service", "Taint a node whose machine is off, so that its pods and volumes are released: shows which, and asks.", "N")),
		b(InService, "in service", "Take the taint out-of-service away when the machine is back: shows what that means, and asks.", "I"),
	}
}

func actingOnPods() []Binding {
	return []Binding{
		danger(acts(DeletePod, Pods, DeletePod, "delete", "Delete the pod, or the marked pods, gracefully: shows what replaces them, and asks.", "ctrl+d")),
		danger(acts(ForceDelete, Pods, ForceDelete, "force delete", "Decide whether a pod that does not go is to be deleted without its node: shows the decision sheet.", "X")),
		danger(acts(RemoveFinalizers, Pods, RemoveFinalizers, "remove finalizers", "Remove the finalizers that hold a deleted pod: shows what is skipped by it, and asks.", "ctrl+x")),
		acts(PodScale, Pods, ScaleWorkload, "scale", "Scale what the pod belongs to: shows which pods come and go, and asks.", "s"),
	}
}

func actingOnWorkloads() []Binding {
	b := func(id ID, short, long string, keys ...string) Binding {
		return acts(id, Workloads, id, short, long, keys...)
	}
	return []Binding{
		b(ScaleWorkload, "scale", "Scale the workload, or the marked ones, each to its own number: shows which pods come and go, and asks.", "s"),
		b(RestartWorkload, "restart", "Replace the pods of the workload one after the other: shows the order, and asks.", "r"),
		b(RollBackWorkload, "roll back", "Go back to an earlier revision: shows what changes, and asks.", "b"),
		b(PauseWorkload, "pause", "Pause the rollout of a Deployment, or suspend a CronJob: shows what that means, and asks.", "p"),
		b(ResumeWorkload, "resume", "Let a paused rollout, or a suspended CronJob, go on: shows what that means, and asks.", "u"),
		b(RetainClaims, "keep the claims", "Keep the claims of a StatefulSet when it is scaled down: shows what that means, and asks.", "R"),
	}
}

func actingOnCerts() []Binding {
	return []Binding{
		acts(RenewCert, Certs, RenewCert, "renew", "Renew the certificate: shows what is to be run where, or has cert-manager issue a new one, and asks.", "n"),
		acts(ApproveOne, Certs, ApproveCSR, "approve", "Approve the request that waits: compares what it asks for with its node, and asks. Of several it shows the list.", "a"),
		acts(ApproveCSR, CSRs, ApproveCSR, "approve", "Approve the request, or the marked requests: compares what is asked for with the node, and asks.", "a"),
		danger(acts(DenyCSR, CSRs, DenyCSR, "deny", "Deny the request, or the marked requests, for good: shows what that means, and asks.", "D")),
	}
}

// instead are the keys of a sheet that open the sheet of another action, where the plan offers it.
func instead() []Binding {
	b := func(act ID, short, long string, keys ...string) Binding {
		offer := acts("sheet."+act, Sheet, act, short, long, keys...)
		offer.Palette = false
		return offer
	}
	return []Binding{
		b(ScaleWorkload, "scale", "Show the sheet for scaling, if it is offered here.", "s"),
		b(RetainClaims, "keep the claims", "Show the sheet for keeping the claims, if it is offered here.", "R"),
		b(RollBackWorkload, "roll back", "Show the sheet for going back to an earlier revision, if it is offered here.", "b"),
		b(ResumeWorkload, "resume", "Show the sheet for letting it go on, if it is offered here.", "u"),
		danger(b(DeletePod, "delete", "Show the sheet for deleting gracefully, if it is offered here.", "ctrl+d")),
		danger(b(ForceDelete, "force delete", "Show the decision sheet, if it is offered here.", "X")),
		danger(b(RemoveFinalizers, "remove finalizers", "Show the sheet for removing finalizers, if it is offered here.", "ctrl+x")),
		danger(b(DeleteNode, "delete node", "Show the sheet for deleting the Node object, if it is offered here.", "D")),
		danger(b(OutOfService, "out-of-service", "Show the sheet for tainting the node, if it is offered here.", "N")),
		b(InService, "in service", "Show the sheet for taking the taint away, if it is offered here.", "I"),
		b(DrainNode, "drain", "Show the plan of a drain, if it is offered here.", "r"),
	}
}

func panes() []Binding {
	b := func(id ID, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: App, Group: GroupPanes, Short: short, Long: long, Keys: keys, Palette: true}
	}
	var table []Binding
	for n := 1; n <= Panes; n++ {
		focus := b(PaneID(n), fmt.Sprintf("pane %d", n), fmt.Sprintf("Focus pane %d.", n), strconv.Itoa(n))
		focus.Palette = false // the palette lists panes by their names
		table = append(table, focus)
	}
	return append(table,
		b(NextPane, "next pane", "Focus the next pane.", "tab"),
		b(PreviousPane, "previous pane", "Focus the previous pane.", "shift+tab"),
		b(Zoom, "zoom", "Give the focused pane the whole screen, or give it back.", "z"),
		b(Layout, "layout", "Show one pane, two, or a grid.", "="),
		b(HistoryBack, "history back", "Go back to what was shown before.", "["),
		b(HistoryForward, "history forward", "Go forward again.", "]"),
		Binding{
			ID: OpenPalette, Scope: App, Group: GroupPanes, Keys: []string{":"},
			Short: "palette", Long: "Find a command, a pane or an object by its name.",
		},
	)
}

func screen() []Binding {
	b := func(id ID, s Scope, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: s, Group: GroupScreen, Short: short, Long: long, Keys: keys, Palette: true}
	}
	return []Binding{
		b(Mark, Table, "mark", "Mark the row under the cursor, or take its mark away.", "space"),
		b(MarkRange, Table, "mark a range", "Mark the rows from the one marked last to the cursor.", "v"),
		b(InvertMarks, Table, "invert marks", "Mark every row that is not marked, and no other.", "*"),
		b(Freeze, App, "freeze", "Hold the screen still while the data goes on, or let it go on.", "F"),
		b(ToggleUTC, App, "UTC or local", "Show times in UTC, or in the local time zone.", "T"),
		b(ReadAgain, App, "read again", "Read everything from the server again.", "ctrl+r"),
		b(ShowLog, App, "log", "Show the messages of this session.", "L"),
	}
}

func overlays() []Binding {
	b := func(id ID, s Scope, group, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: s, Group: group, Short: short, Long: long, Keys: keys}
	}
	table := []Binding{
		b(TextDown, Text, GroupMove, "down", "Scroll down one line.", "j", "down"),
		b(TextUp, Text, GroupMove, "up", "Scroll up one line.", "k", "up"),
		b(TextPageDown, Text, GroupMove, "page down", "Scroll down one page.", "ctrl+f", "pgdown", "space"),
		b(TextPageUp, Text, GroupMove, "page up", "Scroll up one page.", "ctrl+b", "pgup"),
		b(TextFirst, Text, GroupMove, "first", "Go to the first line.", "g", "home"),
		b(TextLast, Text, GroupMove, "last", "Go to the last line.", "G", "end"),
		b(TextClose, Text, GroupMove, "close", "Close what covers the pane.", "esc", "q"),
		b(HelpSearch, Help, GroupSee, "search", "Search the keys.", "/"),
		b(DetailsPrevious, Details, GroupMove, "previous", "Show the details of the row above.", "<"),
		b(DetailsNext, Details, GroupMove, "next", "Show the details of the row below.", ">"),
		b(FilterKeep, Filter, GroupFilter, "keep", "Keep the filter and go back to the rows.", "enter"),
		b(FilterEmpty, Filter, GroupFilter, "empty", "Empty the line and go on typing.", "ctrl+u"),
		b(FilterClear, Filter, GroupFilter, "clear", "Take the filter away.", "esc"),
		b(FilterComplete, Filter, GroupFilter, "complete", "Complete the name of a field, or a value.", "tab"),
		b(FilterEarlier, Filter, GroupFilter, "earlier", "Take the filter before: saved ones come first.", "up"),
		b(FilterLater, Filter, GroupFilter, "later", "Take the filter behind it again.", "down"),
		b(FilterSave, Filter, GroupFilter, "save", "Save the filter, or take it out of what is saved.", "ctrl+s"),
		b(FilterSyntax, Filter, GroupFilter, "syntax", "Show how filters are written, and the fields of the pane.", "f1"),
		b(PaletteNext, Palette, GroupPalette, "next", "Choose the next line.", "down", "ctrl+n"),
		b(PalettePrevious, Palette, GroupPalette, "previous", "Choose the previous line.", "up", "ctrl+p"),
		b(PaletteGo, Palette, GroupPalette, "go", "Do what the chosen line says.", "enter"),
		b(SheetConfirm, Sheet, GroupAct, "confirm", "Do what the sheet says, once it has been read to its end.", "y"),
		b(SheetToggle, Sheet, GroupAct, "change", "Change the chosen option: a new plan is made.", "space"),
		b(SheetLess, Sheet, GroupAct, "one less", "Take one away from the number: a new plan is made.", "-"),
		b(SheetMore, Sheet, GroupAct, "one more", "Add one to the number: a new plan is made.", "+", "="),
		b(SheetNumber, Sheet, GroupAct, "number", "Type another number: a new plan is made.", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
		b(SheetNext, Sheet, GroupMove, "next part", "Go to the next part of the sheet: plan, options, name.", "tab"),
		b(SheetPrevious, Sheet, GroupMove, "previous part", "Go to the part before.", "shift+tab"),
		b(SheetAgain, Sheet, GroupAct, "plan again", "Make the plan anew.", "ctrl+r"),
		b(SheetCopy, Sheet, GroupEverywhere, "copy kubectl", "Copy the kubectl command that comes nearest.", "ctrl+y"),
		b(SheetHelp, Sheet, GroupEverywhere, "help", "Show the keys that count on the sheet.", "?"),
		b(NameConfirm, Name, GroupAct, "confirm", "Do what the sheet says, once the name is typed.", "enter"),
		b(NameNext, Name, GroupMove, "back to the plan", "Go back to the plan; what is typed stays.", "tab", "shift+tab"),
		b(NameClose, Name, GroupMove, "close", "Close the sheet; nothing happens.", "esc"),
		b(NumberKeep, Number, GroupAct, "to the plan", "Go back to the plan, with the number that is typed.", "enter"),
		b(NumberNext, Number, GroupMove, "next", "Go to the next number, or the next option.", "down"),
		b(NumberPrevious, Number, GroupMove, "previous", "Go to the number before.", "up"),
		b(NumberPart, Number, GroupMove, "next part", "Go on to the other options, or to the next part of the sheet; what is typed stays.", "tab"),
		b(NumberEmpty, Number, GroupAct, "empty", "Empty the field.", "ctrl+u"),
		b(NumberPageDown, Number, GroupMove, "page down", "Scroll the plan down one page.", "pgdown", "ctrl+f"),
		b(NumberPageUp, Number, GroupMove, "page up", "Scroll the plan up one page.", "pgup", "ctrl+b"),
		b(NamePageDown, Name, GroupMove, "page down", "Scroll the plan down one page.", "pgdown", "ctrl+f"),
		b(NamePageUp, Name, GroupMove, "page up", "Scroll the plan up one page.", "pgup", "ctrl+b"),
		b(NumberClose, Number, GroupMove, "close", "Close the sheet; nothing happens.", "esc"),
		b(CutResume, CutOff, GroupAct, "resume", "Make a new plan for what is left, and show it.", "r"),
		b(CutUncordon, CutOff, GroupAct, "uncordon", "Let new pods come back to the node: shows what that means, and asks.", "u"),
		b(CutLeave, CutOff, GroupAct, "leave it", "Leave everything as it is, and do not ask again.", "l"),
		b(CutPods, CutOff, GroupMove, "pods", "Show the pods of the node.", "enter"),
		b(LeaveCancel, Leaving, GroupAct, "cancel and quit", "Stop what is running, and quit.", "x"),
		b(LeaveWait, Leaving, GroupAct, "wait", "Wait here, and quit when everything has ended.", "w"),
		b(PaletteClose, Palette, GroupPalette, "close", "Close the palette; nothing happens.", "esc"),
	}
	table = append(table, instead()...)
	for i, b := range table {
		table[i].Fixed = slices.Contains(b.Keys, "esc") // esc climbs out of everything, whoever rebinds what
	}
	return table
}

func everywhere() []Binding {
	b := func(id ID, s Scope, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: s, Group: GroupEverywhere, Short: short, Long: long, Keys: keys, Palette: true}
	}
	help := b(ShowHelp, App, "help", "Show the keys that count here.", "?")
	interrupt := b(Interrupt, Always, "quit", "Quit, wherever you are.", "ctrl+c")
	interrupt.Fixed, interrupt.Palette = true, false
	return []Binding{
		help,
		b(CopyName, Always, "copy the name", "Copy the name of the object under the cursor.", "ctrl+y"),
		b(Redraw, Always, "redraw", "Draw the whole screen again.", "ctrl+l"),
		b(Suspend, Always, "suspend", "Suspend the program; fg in the shell brings it back.", "ctrl+z"),
		b(Quit, App, "quit", "Quit.", "q"),
		interrupt,
	}
}
