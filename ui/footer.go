package ui

import (
	"slices"
	"strings"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// footers are the keys worth a reminder in each scope, the most needed first. Their words and keys come from the key
// table; what does not fit is in the help.
var footers = map[keymap.Scope][]keymap.ID{
	keymap.Nodes: {
		keymap.NodePods, keymap.ShowDetails, keymap.EditFilter, keymap.InService, keymap.OutOfService, keymap.DeleteNode, keymap.CordonNode, keymap.UncordonNode,
		keymap.DrainNode, keymap.SortBy, keymap.NodeEvents, keymap.NextPane, keymap.Mark,
		keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.Freeze, keymap.ShowHelp,
	},
	keymap.Pods: {
		keymap.ForceDelete, keymap.PodNode, keymap.ShowDetails, keymap.EditFilter, keymap.PodEvents, keymap.SortBy, keymap.DeletePod, keymap.PodScale, keymap.NextPane, keymap.Mark,
		keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.Freeze, keymap.ShowHelp,
	},
	keymap.Workloads: {
		keymap.WorkloadPods, keymap.ScaleWorkload, keymap.RestartWorkload, keymap.RollBackWorkload, keymap.PauseWorkload, keymap.ResumeWorkload,
		keymap.RetainClaims, keymap.WorkloadEvents, keymap.ShowDetails, keymap.EditFilter, keymap.SortBy, keymap.NextPane, keymap.Mark,
		keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.Freeze, keymap.ShowHelp,
	},
	keymap.Certs: {
		keymap.ShowDetails, keymap.ApproveOne, keymap.RenewCert, keymap.ReadAgain, keymap.ShowCSRs, keymap.EditFilter, keymap.SortBy,
		keymap.CertNode, keymap.NextPane, keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.ShowHelp,
	},
	keymap.CSRs: {
		keymap.ApproveCSR, keymap.DenyCSR, keymap.ShowDetails, keymap.ShowCerts, keymap.CSRNode, keymap.EditFilter, keymap.SortBy,
		keymap.NextPane, keymap.Mark, keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.ShowHelp,
	},
	keymap.Events: {
		keymap.OpenEvents, keymap.EventWarnings, keymap.EventMark, keymap.EventObject, keymap.EventFollow, keymap.EditFilter, keymap.EventSingles,
		keymap.ShowDetails, keymap.SortBy, keymap.NextPane, keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.ShowHelp,
	},
	keymap.Top: {
		keymap.OpenTop, keymap.TopLevel, "top.sort.cpu", "top.sort.memory", keymap.TopTotals, keymap.EditFilter, keymap.TopObject, keymap.SortBy,
		keymap.ShowDetails, keymap.NextPane, keymap.Zoom, keymap.Layout, keymap.OpenPalette, keymap.ShowHelp,
	},
	keymap.Actions: {
		keymap.OpenRow, keymap.PauseRun, keymap.CancelRun, keymap.ResumeRun, keymap.UndoRun, keymap.CheckRun, keymap.RunRetain, keymap.ShowRun,
		keymap.EditFilter, keymap.NextPane, keymap.Zoom, keymap.ShowHelp,
	},
	keymap.Steps: {
		keymap.PauseRun, keymap.CancelRun, keymap.SkipStep, keymap.Back, keymap.OpenRow, keymap.StepScale, keymap.StepDelete, keymap.RunRetain, keymap.StepNode, keymap.UndoRun, keymap.ShowRun,
		keymap.EditFilter, keymap.Zoom, keymap.ShowHelp,
	},
	keymap.Sheet: {
		keymap.TextClose, keymap.SheetToggle, keymap.SheetLess, keymap.SheetMore, "sheet." + keymap.RetainClaims, "sheet." + keymap.OutOfService,
		"sheet." + keymap.DeleteNode, "sheet." + keymap.DeletePod, "sheet." + keymap.ForceDelete, "sheet." + keymap.RemoveFinalizers,
		"sheet." + keymap.ScaleWorkload, "sheet." + keymap.RollBackWorkload, "sheet." + keymap.ResumeWorkload,
		keymap.TextDown, keymap.TextUp, keymap.SheetNext, keymap.SheetAgain, keymap.SheetCopy,
		keymap.TextLast, keymap.SheetHelp,
	},
	keymap.Name:    {keymap.NameConfirm, keymap.NameClose, keymap.NameNext},
	keymap.Number:  {keymap.NumberKeep, keymap.NumberClose, keymap.NumberNext, keymap.NumberPrevious, keymap.NumberPart, keymap.NumberEmpty},
	keymap.CutOff:  {keymap.CutResume, keymap.CutUncordon, keymap.CutLeave, keymap.CutPods, keymap.TextClose},
	keymap.Leaving: {keymap.TextClose, keymap.LeaveCancel, keymap.LeaveWait},
	keymap.Filter:  {keymap.FilterKeep, keymap.FilterClear, keymap.FilterComplete, keymap.FilterEarlier, keymap.FilterSave, keymap.FilterSyntax, keymap.FilterEmpty},
	keymap.Palette: {keymap.PaletteGo, keymap.PaletteNext, keymap.PalettePrevious, keymap.PaletteClose},
	keymap.Help:    {keymap.TextClose, keymap.HelpSearch, keymap.TextDown, keymap.TextUp},
	keymap.Details: {keymap.TextClose, keymap.TextDown, keymap.TextUp, keymap.DetailsPrevious, keymap.DetailsNext, keymap.CopyName},
	keymap.Log:     {keymap.TextClose, keymap.TextDown, keymap.TextUp},
}

// lasting stay in the footer however narrow the screen.
var lasting = []keymap.ID{keymap.ShowHelp, keymap.SheetHelp}

// drawFooter shows the keys that count here, the greyed ones among them. What has just happened is said there as long as
// the strip is covered.
func (a *App) drawFooter(w int) string {
	l := newLine(a.paint, w)
	l.say(" ", themes.Text)
	if a.overlay != nil && a.toasting() {
		l.say(a.toast.text, a.toast.token)
		return l.String()
	}
	ids := footers[a.scope()]
	if a.overlay == nil && a.input == nil && !a.up() {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id keymap.ID) bool { return id == keymap.ReadAgain })
		ids = slices.Insert(ids, 0, keymap.ReadAgain)
	}
	reserve := 0
	if n := len(ids); n > 0 && slices.Contains(lasting, ids[n-1]) {
		if b, ok := a.keys.Lookup(ids[n-1]); ok {
			reserve = hintWidth(b)
		}
	}
	for _, id := range ids {
		b, ok := a.keys.Lookup(id)
		if !ok || len(b.Keys) == 0 || a.pointless(b) {
			continue
		}
		if !slices.Contains(lasting, id) && hintWidth(b) > l.room()-reserve {
			continue
		}
		a.hint(l, b)
	}
	return l.String()
}

// pointless reports whether a key is not worth its room in the footer: it cannot do anything on a screen of this size, or
// to the run that is looked at, which has ended, or it is for a machine or a pod that is gone, and this one is not.
func (a *App) pointless(b keymap.Binding) bool {
	switch b.ID {
	case keymap.Zoom:
		return a.alone(a.layout)
	case keymap.Layout:
		_, ok := a.nextLayout()
		return !ok
	case keymap.PauseRun, keymap.CancelRun, keymap.SkipStep, keymap.UndoRun, keymap.ResumeRun, keymap.CheckRun, keymap.RunRetain,
		keymap.StepNode, keymap.StepScale, keymap.StepDelete,
		keymap.ScaleWorkload, keymap.RestartWorkload, keymap.RollBackWorkload, keymap.PauseWorkload, keymap.ResumeWorkload, keymap.RetainClaims,
		keymap.CertNode, keymap.CSRNode:
		return a.pane().Why(b.ID) != ""
	case keymap.ApproveOne, keymap.ApproveCSR, keymap.DenyCSR, keymap.RenewCert:
		return a.pane().Why(b.ID) != "" || !a.up()
	case keymap.ForceDelete:
		return !a.stuck()
	case keymap.DeleteNode:
		return a.node().Ready
	case keymap.OutOfService:
		return a.node().Ready || a.node().OutOfService
	case keymap.InService:
		return !a.node().OutOfService
	case keymap.SheetToggle:
		r, ok := a.overlay.(*review)
		return !ok || r.part != partOptions
	case keymap.SheetNext:
		r, ok := a.overlay.(*review)
		return ok && r.plan != nil && len(r.plan.Toggles) == 0 && r.tier() != action.Write
	case keymap.SheetCopy:
		r, ok := a.overlay.(*review)
		return ok && (r.plan == nil || len(r.plan.Kubectl) == 0)
	case keymap.SheetLess, keymap.SheetMore:
		r, ok := a.overlay.(*review)
		all := []action.Toggle(nil)
		if ok {
			all = r.toggles()
		}
		return len(all) == 0 || all[0].Number == nil
	}
	if r, ok := a.overlay.(*review); ok && b.Act != "" {
		_, offered := r.offer(b)
		return !offered
	}
	return false
}

// node is the state of the node under the cursor; of a row that is none, or of which nothing is known, that of one that is
// well.
func (a *App) node() kube.NodeState {
	if s, ok := a.cluster.Moment().Nodes[a.pane().Strip(a.rowTime()).Name]; ok && a.pane().Scope() == keymap.Nodes {
		return s
	}
	return kube.NodeState{Ready: true}
}

// stuck reports whether the pod under the cursor is being deleted and does not go: its node is silent, or it is overdue.
func (a *App) stuck() bool {
	s := a.pane().Strip(a.rowTime())
	return a.pane().Scope() == keymap.Pods && strings.HasPrefix(s.State, statusTerminating) && s.Severity >= kube.Warning
}

// statusTerminating is kubectl's STATUS of a pod that is being deleted; a "?" follows where its node is silent.
const statusTerminating = "Terminating"

func hintWidth(b keymap.Binding) int { return text.Width(b.Keys[0]) + 1 + text.Width(b.Short) + 2 }

// hint adds "key what" to a line, dimmed when the key does nothing now.
func (a *App) hint(l *line, b keymap.Binding) {
	key, word := themes.Focus, themes.Muted
	if a.overlay == nil && a.why(b) != "" {
		key, word = themes.Border, themes.Border
	}
	l.say(b.Keys[0], key)
	l.say(" "+b.Short+"  ", word)
}

// whichKeyLines is the most that the which-key hint takes of the screen.
const whichKeyLines = 3

// drawWhichKey lists what may follow a key that waits for more, and at last how to get out of it. What three lines do not
// hold is in the help.
func (a *App) drawWhichKey(w int) []string {
	cancel := keymap.Binding{Keys: []string{"esc"}, Short: "cancel"}
	ellipsis := a.paint.Glyph(themes.GlyphEllipsis) + "  "
	l := newLine(a.paint, w)
	l.say(" ", themes.Text)
	l.bold(a.pending.Prefix.Short, themes.Text)
	l.say("  ", themes.Text)
	lines, full := []*line{l}, false
	for _, b := range append(slices.Clone(a.pending.Pending), cancel) {
		end := b.ID == cancel.ID
		if len(b.Keys) == 0 || full && !end {
			continue
		}
		need := hintWidth(b)
		if len(lines) == whichKeyLines && !end {
			need += text.Width(ellipsis) + hintWidth(cancel)
		}
		switch {
		case need <= l.room() || full:
		case len(lines) < whichKeyLines:
			l = newLine(a.paint, w)
			l.say(" ", themes.Text)
			lines = append(lines, l)
		default:
			l.say(ellipsis, themes.Muted)
			full = true
			continue
		}
		a.hint(l, b)
	}
	out := make([]string, len(lines))
	for y := range lines {
		out[y] = lines[y].String()
	}
	return out
}
