package table

import (
	"cmp"
	"maps"
	"slices"

	"ktriage/kube"
)

// Mark marks the row under the cursor, or takes its mark away.
func (m *Model[R]) Mark() {
	row, ok := m.Current()
	if !ok {
		return
	}
	m.held = true
	ref := row.Ref()
	if _, marked := m.marks[ref.UID]; marked {
		delete(m.marks, ref.UID)
		m.anchor = ""
		return
	}
	m.marks[ref.UID] = ref
	m.anchor = ref.UID
}

// MarkRange marks the rows from the one marked last to the cursor, both included. If none was marked, or it is not in
// the list, the row under the cursor is marked and begins the next range.
func (m *Model[R]) MarkRange() {
	if m.snap.Len() == 0 {
		return
	}
	m.held = true
	from := m.at
	if m.anchor != "" {
		if i, ok := m.snap.Find(m.anchor, m.at); ok {
			from = i
		}
	}
	for i := min(from, m.at); i <= max(from, m.at); i++ {
		ref := m.snap.Row(i).Ref()
		m.marks[ref.UID] = ref
	}
	m.anchor = m.cursor.UID
}

// Invert marks the rows of the list that are not marked and takes the others' marks away. Marks on objects that a
// filter hides stay.
func (m *Model[R]) Invert() {
	for i := range m.snap.Len() {
		ref := m.snap.Row(i).Ref()
		if _, marked := m.marks[ref.UID]; marked {
			delete(m.marks, ref.UID)
		} else {
			m.marks[ref.UID] = ref
		}
	}
	m.anchor = ""
}

// ClearMarks takes all marks away, hidden ones too.
func (m *Model[R]) ClearMarks() {
	clear(m.marks)
	m.anchor, m.hidden = "", 0
}

// Marked is how many objects are marked, hidden ones too.
func (m *Model[R]) Marked() int { return len(m.marks) }

// Marks gives the marked objects, hidden ones too, by namespace and name.
func (m *Model[R]) Marks() []kube.Ref {
	return slices.SortedFunc(maps.Values(m.marks), func(a, b kube.Ref) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
}

// Hidden is how many of the marked objects are not in the list now, because a filter drops them.
func (m *Model[R]) Hidden() int { return m.hidden }

// countMarks looks which marks are in a new snapshot. It reads the whole list, but only while something is marked. In
// a snapshot that holds everything there is, an absent object is deleted, and its mark goes with it.
func (m *Model[R]) countMarks() {
	if len(m.marks) == 0 {
		return
	}
	present := make(map[string]bool, len(m.marks))
	for i := range m.snap.Len() {
		uid := m.snap.Row(i).Ref().UID
		if _, marked := m.marks[uid]; marked {
			present[uid] = true
		}
	}
	if m.snap.State.Phase == kube.Live && m.snap.Len() == m.snap.Total {
		maps.DeleteFunc(m.marks, func(uid string, _ kube.Ref) bool { return !present[uid] })
	}
	m.hidden = len(m.marks) - len(present)
}
