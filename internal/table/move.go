package table

// Move moves the cursor n rows down, or up if n is negative, as far as the list goes.
func (m *Model[R]) Move(n int) { m.put(m.at + n) }

// First moves the cursor to the first row.
func (m *Model[R]) First() { m.put(0) }

// Last moves the cursor to the last row.
func (m *Model[R]) Last() { m.put(m.snap.Len() - 1) }

// Page moves cursor and window n screens down, or up if n is negative; one row stays in view to read on from.
func (m *Model[R]) Page(n int) {
	if m.snap.Len() == 0 {
		return
	}
	step := n * max(1, m.rows-1)
	m.top += step
	m.put(m.at + step)
}

// Select moves the cursor to the object with that UID and reports whether it is in the list.
func (m *Model[R]) Select(uid string) bool {
	i, ok := m.snap.Find(uid, m.at)
	if !ok {
		return false
	}
	if i < m.top || i >= m.top+m.rows {
		m.top = i - m.rows/2 // from afar: with rows around it
	}
	m.put(i)
	return true
}

// Hold makes the object under the cursor the user's choice, as a key does that moved the cursor to it: what is done to
// an object must not leave the cursor on another one.
func (m *Model[R]) Hold() { m.put(m.at) }

// Reset goes to the first row, chosen by nobody: for another list of the same columns. What stood under the cursor
// before is not reported as gone.
func (m *Model[R]) Reset() {
	m.First()
	m.held, m.gone = false, nil
}

// put sets the cursor on a row that the user chose.
func (m *Model[R]) put(i int) {
	if m.snap.Len() == 0 {
		return
	}
	m.held = true
	m.at = min(max(i, 0), m.snap.Len()-1)
	m.cursor = m.snap.Row(m.at).Ref()
	m.settle()
}

// settle moves the window so that it holds the cursor and no line of it is empty while there are rows to fill it.
func (m *Model[R]) settle() {
	if m.snap.Len() == 0 {
		return
	}
	m.top = min(max(m.top, 0), m.at)
	if m.rows > 0 { // drawn, and with room for more than the header
		m.top = min(m.top, max(0, m.snap.Len()-m.rows))
		m.top = max(m.top, m.at-m.rows+1)
	}
}

// Range gives the rows in view as indices, first inclusive and last exclusive: "first+1 - last of n".
func (m *Model[R]) Range() (first, last int) {
	return min(m.top, m.snap.Len()), min(m.top+m.rows, m.snap.Len())
}

// ScrollColumns moves the columns that may drop n to the left, or to the right if n is negative; columns with Drop 0
// stay. It stops where the last column is in view.
func (m *Model[R]) ScrollColumns(n int) { m.left = min(max(m.left+n, 0), len(m.columns)) }

// More reports, as of the last Draw, whether columns are out of view to the left and to the right.
func (m *Model[R]) More() (left, right bool) {
	there := 0
	for i := range m.columns {
		if !m.columns[i].absent() {
			there++
		}
	}
	return m.left > 0, there-len(m.shown) > m.left
}
