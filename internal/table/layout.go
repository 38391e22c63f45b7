package table

import (
	"slices"
	"strings"

	"ktriage/internal/text"
)

// margin is what stands before the columns: cursor, severity, mark.
const margin = 3

// roomy is the width from which columns stand two cells apart instead of one.
const roomy = 96

func gap(width int) int {
	if width >= roomy {
		return 2
	}
	return 1
}

// slot is a column in view.
type slot struct{ column, width int }

// Refit lets the columns shrink to what is in view: for a new filter or another namespace.
func (m *Model[R]) Refit() { clear(m.seen) }

// need is the width at which nothing of a column that has come into view is cut, within its Min and Max.
func (m *Model[R]) need(column int) int {
	c := &m.columns[column]
	title, sorted := m.title(c)
	if sorted {
		title += " "
	}
	width := max(c.Min, text.Width(title), m.seen[column])
	if c.Max > 0 && !c.Right {
		width = min(width, max(c.Max, c.Min))
	}
	return width
}

// title is that of a column, and whether the arrow stands behind it: in place of the unit, if it has one.
func (m *Model[R]) title(c *Column[R]) (title string, sorted bool) {
	if m.sort == "" || m.sort != c.ID {
		return c.Title, false
	}
	return strings.TrimSuffix(c.Title, "%"), true
}

// absent reports whether there is no such column now.
func (c *Column[R]) absent() bool { return c.Absent != nil && c.Absent() }

// least is the width below which a column is rather dropped than cut.
func (m *Model[R]) least(column int) int {
	if c := &m.columns[column]; c.Flex || c.Middle {
		return max(1, c.Min)
	}
	return m.need(column)
}

// optional is the Drop from which a column is shown only where no name must be cut for it.
const optional = 7

// lay chooses the columns for a line of that width and gives each its width.
func (m *Model[R]) lay(width int) {
	room := width - margin
	m.shown = m.shown[:0]
	for i := range m.columns {
		if !m.columns[i].absent() {
			m.shown = append(m.shown, slot{i, m.need(i)})
		}
	}
	if m.left == 0 {
		m.drop(width, room, optional)
	}
	for k := range m.shown {
		m.shown[k].width = m.least(m.shown[k].column)
	}
	if m.left > 0 {
		m.scroll(width, room)
	} else {
		m.drop(width, room, 1)
	}
	m.squeeze(width, room)
	m.trim(width, room)
	m.stretch(room - m.taken(width))
}

// taken is the room that the columns in view take with the gaps between them.
func (m *Model[R]) taken(width int) int {
	sum := gap(width) * max(0, len(m.shown)-1)
	for _, s := range m.shown {
		sum += s.width
	}
	return sum
}

// drop takes columns away whose Drop is at least from, the highest first and of equals the last one, until the rest fits.
// The one that the rows are sorted by stays: an order by what one cannot see explains nothing.
func (m *Model[R]) drop(width, room, from int) {
	for m.taken(width) > room {
		worst := -1
		for i, s := range m.shown {
			c := &m.columns[s.column]
			if c.Drop >= from && c.ID != m.sort && (worst < 0 || c.Drop >= m.columns[m.shown[worst].column].Drop) {
				worst = i
			}
		}
		if worst < 0 {
			return
		}
		m.shown = slices.Delete(m.shown, worst, worst+1)
	}
}

// scroll takes the first left of the columns that may drop away, and then from the right what does not fit.
func (m *Model[R]) scroll(width, room int) {
	skip := m.left
	m.shown = slices.DeleteFunc(m.shown, func(s slot) bool {
		if m.columns[s.column].Drop == 0 || skip == 0 {
			return false
		}
		skip--
		return true
	})
	for i := len(m.shown) - 1; i >= 0 && m.taken(width) > room; i-- {
		if m.columns[m.shown[i].column].Drop > 0 {
			m.shown = slices.Delete(m.shown, i, i+1)
		}
	}
}

// narrowest is how far a column that can be cut shrinks before one goes that never drops.
const narrowest = 8

// squeeze is for a line too narrow for the columns that never drop: those that can be cut fall below their Min, the
// widest first, so that the others stay.
func (m *Model[R]) squeeze(width, room int) {
	for over := m.taken(width) - room; over > 0; over-- {
		widest := -1
		for i, s := range m.shown {
			c := &m.columns[s.column]
			if (c.Flex || c.Middle) && s.width > narrowest && (widest < 0 || s.width > m.shown[widest].width) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		m.shown[widest].width--
	}
}

// trim is for a line too narrow even so: the last columns go, and the first takes what there is.
func (m *Model[R]) trim(width, room int) {
	for len(m.shown) > 1 && m.taken(width) > room {
		m.shown = m.shown[:len(m.shown)-1]
	}
	if len(m.shown) == 1 && m.shown[0].width > room {
		m.shown[0].width = max(room, 0)
	}
}

// stretch gives spare room to cut columns until nothing of them is cut, then to Flex columns up to their Max, one cell
// to each in turn. Even columns take their turn together.
func (m *Model[R]) stretch(spare int) {
	spare = m.share(spare, func(s slot) bool { return s.width < m.need(s.column) })
	for before := -1; spare != before; {
		before = spare
		spare = m.widen(spare)
	}
}

// widen gives one cell to each Flex column, and one to each Even column if there is one for all of them.
func (m *Model[R]) widen(spare int) int {
	even := 0
	for i := range m.shown {
		s := &m.shown[i]
		c := &m.columns[s.column]
		switch room := c.Max == 0 || s.width < c.Max; {
		case c.Even && room:
			even++
		case c.Flex && room && spare > 0:
			s.width++
			spare--
		}
	}
	if even > spare {
		return spare
	}
	for i := range m.shown {
		s := &m.shown[i]
		if c := &m.columns[s.column]; c.Even && (c.Max == 0 || s.width < c.Max) {
			s.width++
			spare--
		}
	}
	return spare
}

func (m *Model[R]) share(spare int, wants func(slot) bool) int {
	for given := true; given && spare > 0; {
		given = false
		for i := range m.shown {
			if spare > 0 && wants(m.shown[i]) {
				m.shown[i].width++
				spare--
				given = true
			}
		}
	}
	return spare
}

// stopScrolling brings left back to where the last column is in view, or to none if all columns fit.
func (m *Model[R]) stopScrolling(width int) {
	droppable := 0
	for i := range m.columns {
		if c := &m.columns[i]; c.Drop > 0 && !c.absent() {
			droppable++
		}
	}
	m.left = min(m.left, droppable)
	for m.left > 0 && m.fits(width, m.left-1) {
		m.left--
	}
}

// fits reports whether all columns fit that are left after skipping some of those that may drop.
func (m *Model[R]) fits(width, skip int) bool {
	taken := -gap(width)
	for i := range m.columns {
		c := &m.columns[i]
		switch {
		case c.absent():
			continue
		case c.Drop > 0 && skip > 0:
			skip--
			continue
		}
		taken += m.least(i) + gap(width)
	}
	return taken <= width-margin
}
