package views

import (
	"fmt"
	"slices"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// rowKeys are the keys that act on the object under the cursor.
var rowKeys = []keymap.ID{
	keymap.OpenRow, keymap.NodePods, keymap.PodNode, keymap.ShowDetails, keymap.CopyName, keymap.Mark, keymap.MarkRange,
	keymap.WorkloadPods, keymap.NodeEvents, keymap.PodEvents, keymap.WorkloadEvents, keymap.OpenEvents, keymap.EventObject, keymap.OpenTop, keymap.TopObject, keymap.CertNode, keymap.CSRNode, keymap.RenewCert, keymap.ApproveCSR, keymap.DenyCSR,
	keymap.CordonNode, keymap.UncordonNode, keymap.DrainNode, keymap.DeleteNode, keymap.OutOfService, keymap.InService,
	keymap.DeletePod, keymap.ForceDelete, keymap.RemoveFinalizers, keymap.PodScale,
	keymap.ScaleWorkload, keymap.RestartWorkload, keymap.RollBackWorkload, keymap.PauseWorkload, keymap.ResumeWorkload, keymap.RetainClaims,
	keymap.CancelRun, keymap.PauseRun, keymap.UndoRun, keymap.ResumeRun, keymap.ShowRun, keymap.CheckRun, keymap.RunRetain,
	keymap.SkipStep, keymap.StepNode, keymap.StepScale, keymap.StepDelete, keymap.StepForce,
}

// onMarks are the keys that act on all marked objects, if any is marked.
var onMarks = []keymap.ID{
	keymap.CordonNode, keymap.UncordonNode, keymap.DrainNode, keymap.DeleteNode, keymap.OutOfService, keymap.InService,
	keymap.DeletePod, keymap.ForceDelete, keymap.RemoveFinalizers, keymap.PodScale,
	keymap.ScaleWorkload, keymap.RestartWorkload, keymap.RollBackWorkload, keymap.PauseWorkload, keymap.ResumeWorkload, keymap.RetainClaims,
	keymap.ApproveCSR, keymap.DenyCSR, keymap.RenewCert,
}

// steps are the keys that only move the cursor.
var steps = []keymap.ID{keymap.Down, keymap.Up, keymap.PageDown, keymap.PageUp, keymap.First, keymap.Last}

// intent answers a key. A key typed ahead must not meet the rows of an older question; that lasts a frame, so that it is
// no reason to grey the key. The screen asks Why as well before it sends one, but a pane must be safe alone.
func (l *list[R]) intent(id keymap.ID) []Effect {
	if why := l.Why(id); why != "" {
		return []Effect{Flash{why, themes.Warn}}
	}
	switch {
	case !l.Waiting():
	case slices.Contains(steps, id):
		return nil
	case slices.Contains(rowKeys, id) || id == keymap.InvertMarks:
		return []Effect{Flash{"the rows are still being looked for", themes.Warn}}
	}
	l.forget()
	if l.move(id) {
		return nil
	}
	if column, ok := id.SortColumn(); ok {
		l.sort(column)
		return nil
	}
	if slices.Contains(rowKeys, id) {
		l.table.Hold()
		return l.act(id)
	}
	switch id {
	case keymap.InvertMarks:
		l.table.Invert()
	case keymap.Back:
		return l.back()
	}
	return nil
}

// act does what a key does to the object under the cursor.
func (l *list[R]) act(id keymap.ID) []Effect {
	r, ok := l.table.Current()
	if !ok {
		return nil
	}
	switch id {
	case keymap.Mark:
		l.table.Mark()
	case keymap.MarkRange:
		l.table.MarkRange()
	case keymap.OpenRow, keymap.NodePods, keymap.WorkloadPods, keymap.OpenEvents:
		return l.spec.open(r)
	case keymap.ShowDetails:
		return []Effect{ShowDetails{}}
	case keymap.CopyName:
		return []Effect{Copy{l.spec.copied(r)}}
	default:
		if slices.Contains(onMarks, id) {
			return []Effect{Act{ID: id, Refs: l.chosen(r)}}
		}
		if l.spec.other != nil {
			return l.spec.other(r, id)
		}
	}
	return nil
}

// chosen are the marked objects, also those that a filter hides, or the one under the cursor if none is marked.
func (l *list[R]) chosen(r R) []kube.Ref {
	if marked := l.table.Marks(); len(marked) > 0 {
		return marked
	}
	return []kube.Ref{r.Ref()}
}

// move answers the keys that only move the cursor or the columns.
func (l *list[R]) move(id keymap.ID) bool {
	t := l.table
	switch id {
	case keymap.Down:
		t.Move(1)
	case keymap.Up:
		t.Move(-1)
	case keymap.PageDown:
		t.Page(1)
	case keymap.PageUp:
		t.Page(-1)
	case keymap.First:
		t.First()
	case keymap.Last:
		t.Last()
	case keymap.ColumnsLeft:
		t.ScrollColumns(-1)
	case keymap.ColumnsRight:
		t.ScrollColumns(1)
	default:
		return false
	}
	return true
}

// sort takes another order; the same again reverses it.
func (l *list[R]) sort(id string) {
	i := slices.IndexFunc(l.spec.orders, func(o order[R]) bool { return o.id == id })
	if i < 0 {
		return
	}
	q := l.asked()
	q.reverse = i == q.order && !q.reverse
	q.order = i
	l.ask(q)
	l.goal = &Place{} // who sorts wants to see what comes first
}

// back climbs one step: marks first, then the filter; the rest is not the pane's.
func (l *list[R]) back() []Effect {
	switch {
	case l.table.Marked() > 0:
		l.table.ClearMarks()
	case !l.asked().filter.Empty():
		l.setFilter("")
	default:
		return []Effect{Up{}}
	}
	return nil
}

// Why implements View.
func (l *list[R]) Why(id keymap.ID) string {
	if !slices.Contains(rowKeys, id) {
		return ""
	}
	r, ok := l.table.Current()
	switch {
	case !ok:
		return fmt.Sprintf("no %s is selected", l.spec.one)
	case l.spec.why == nil || slices.Contains(onMarks, id) && l.table.Marked() > 0:
		return ""
	}
	return l.spec.why(r, id)
}

// marked says how many rows are marked, and how many of them the filter hides, "" if none is.
func (l *list[R]) marked() string {
	n := l.table.Marked()
	if n == 0 {
		return ""
	}
	s := text.Count(n) + " marked"
	if hidden := l.table.Hidden(); hidden > 0 {
		s += fmt.Sprintf(" (%s not shown)", text.Count(hidden))
	}
	return s
}
