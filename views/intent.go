package views

import (
	"fmt"
	"slices"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
)

// intent answers a key.
func (l *list[R]) intent(id keymap.ID) []Effect {
	if why := l.Why(id); why != "" {
		return []Effect{Flash{why, themes.Warn}}
	}
	if l.move(id) {
		return nil
	}
	if column, ok := id.SortColumn(); ok {
		l.sort(column)
		return nil
	}
	r, ok := l.table.Current()
	switch id {
	case keymap.Mark:
		l.table.Mark()
	case keymap.MarkRange:
		l.table.MarkRange()
	case keymap.InvertMarks:
		l.table.Invert()
	case keymap.Back:
		return l.back()
	case keymap.OpenRow, keymap.NodePods:
		return l.spec.open(r)
	case keymap.ShowDetails:
		return []Effect{ShowDetails{}}
	case keymap.CopyName:
		return []Effect{Copy{l.spec.copied(r)}}
	default:
		if ok && l.spec.other != nil {
			return l.spec.other(r, id)
		}
	}
	return nil
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
	l.seek = Place{}
	return true
}

// sort takes another order; the same again reverses it.
func (l *list[R]) sort(id string) {
	i := slices.IndexFunc(l.spec.orders, func(o order[R]) bool { return o.id == id })
	if i < 0 {
		return
	}
	l.reverse = i == l.order && !l.reverse
	l.order = i
	l.ask()
}

// back climbs one step: marks first, then the filter; the rest is not the pane's.
func (l *list[R]) back() []Effect {
	switch {
	case len(l.table.Marks()) > 0:
		l.table.ClearMarks()
	case !l.filter.Empty():
		l.setFilter("")
	default:
		return []Effect{Up{}}
	}
	return nil
}

// Why implements View.
func (l *list[R]) Why(id keymap.ID) string {
	switch id {
	case keymap.OpenRow, keymap.NodePods, keymap.PodNode, keymap.ShowDetails, keymap.CopyName, keymap.Mark, keymap.MarkRange:
		if _, ok := l.table.Current(); !ok {
			return fmt.Sprintf("no %s is selected", l.spec.one)
		}
	}
	return ""
}

// Marked says how many rows are marked, and how many of them the filter hides, "" if none is.
func (l *list[R]) marked() string {
	n := len(l.table.Marks())
	if n == 0 {
		return ""
	}
	s := text.Count(n) + " marked"
	if hidden := l.table.Hidden(); hidden > 0 {
		s += fmt.Sprintf(" (%s hidden)", text.Count(hidden))
	}
	return s
}
