package table

import (
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// drawn is a cell in view with its width in cells.
type drawn struct {
	Cell
	width int
}

// sign is a mark and its colour.
type sign struct {
	glyph themes.Glyph
	token themes.Token
}

// signs are the marks of the severities, as everywhere on the screen.
var signs = [...]sign{
	kube.OK:      {themes.GlyphOK, themes.OK},
	kube.Notice:  {themes.GlyphNotice, themes.Text},
	kube.Warning: {themes.GlyphWarn, themes.Warn},
	kube.Bad:     {themes.GlyphBad, themes.Bad},
}

// unknownSign is the mark of what nobody knows.
var unknownSign = sign{themes.GlyphUnknown, themes.Muted}

// Draw writes h lines of exactly w cells with a newline between them: the header and as many rows as fit. Ages are
// drawn as of now. Lines leave no colour open behind them. Range and More tell what this Draw showed: a title that
// uses them is made after it.
func (m *Model[R]) Draw(b *strings.Builder, w, h int, now time.Time, focused bool, p *themes.Painter) {
	w, h = max(w, 0), max(h, 0)
	if w != m.width {
		m.width = w
		m.Refit()
	}
	m.rows = max(h-1, 0)
	m.settle()
	beside := m.moment(now)
	m.arrange(w, beside)

	b.Grow(h * (w + 128))
	first, last := m.Range()
	for line := range h {
		if line > 0 {
			b.WriteByte('\n')
		}
		pen := pen{b: b, p: p, left: w}
		switch i := first + line - 1; {
		case line == 0:
			m.header(&pen)
		case i < last:
			m.row(&pen, i, beside, focused)
		}
		pen.end()
	}
}

// arrange lays the columns out, reads their cells in view, and lays out again if that made a column wider. Columns
// only grow meanwhile, so the second layout shows none that has not been read.
func (m *Model[R]) arrange(w int, beside kube.Moment) {
	m.stopScrolling(w)
	m.lay(w)
	if m.read(beside) {
		m.lay(w)
	}
}

// read makes the cells in view and reports whether one is wider than its column has seen so far.
func (m *Model[R]) read(beside kube.Moment) (grew bool) {
	first, last := m.Range()
	if need := (last - first) * len(m.columns); cap(m.drawn) < need {
		m.drawn = make([]drawn, need)
	}
	m.drawn = m.drawn[:cap(m.drawn)]
	for i := first; i < last; i++ {
		row, line := m.snap.Row(i), m.drawn[(i-first)*len(m.columns):]
		for _, s := range m.shown {
			cell := m.columns[s.column].Cell(row, beside)
			width := cell.width()
			line[s.column] = drawn{cell, width}
			if width > m.seen[s.column] {
				m.seen[s.column] = width
				grew = true
			}
		}
	}
	return grew
}

func (m *Model[R]) header(pen *pen) {
	pen.space(margin)
	for n, s := range m.shown {
		if n > 0 {
			pen.space(gap(m.width))
		}
		c := &m.columns[s.column]
		words, sorted := m.title(c)
		title := Cell{Text: words, Token: themes.Muted}
		if sorted {
			title.Text += pen.p.Glyph(m.arrow())
		}
		pen.cell(drawn{title, text.Width(title.Text)}, s.width, c.Right, false)
	}
}

func (m *Model[R]) arrow() themes.Glyph {
	if m.descending {
		return themes.GlyphDown
	}
	return themes.GlyphUp
}

func (m *Model[R]) row(pen *pen, i int, beside kube.Moment, focused bool) {
	row := m.snap.Row(i)
	switch {
	case i != m.at || m.still:
		pen.space(1)
	case focused:
		pen.ground = themes.CursorBg
		pen.glyph(themes.Focus, themes.GlyphCursor)
	default:
		pen.ground = themes.BlurBg
		pen.glyph(themes.Muted, themes.GlyphBlur)
	}
	sign := signs[m.severity(row, beside)]
	if m.unknown != nil && m.unknown(row) {
		sign = unknownSign
	}
	pen.glyph(sign.token, sign.glyph)
	if _, marked := m.marks[row.Ref().UID]; marked {
		pen.glyph(themes.Focus, themes.GlyphMarked)
	} else {
		pen.space(1)
	}
	line := m.drawn[(i-m.top)*len(m.columns):]
	for n, s := range m.shown {
		if n > 0 {
			pen.space(gap(m.width))
		}
		c := &m.columns[s.column]
		pen.cell(line[s.column], s.width, c.Right, c.Middle)
	}
}

// pen writes one line, changes colour only where it must, and never writes past the end of the line.
type pen struct {
	b      *strings.Builder
	p      *themes.Painter
	ground themes.Ground
	token  themes.Token
	open   bool
	left   int // cells to the end of the line
}

// cell writes a cell into its column, cut if it is wider: in the middle or at its end. Of a number or a time nothing
// is written then but the ellipsis: a part of it would be another number.
func (n *pen) cell(c drawn, width int, right, middle bool) {
	switch {
	case c.Axis.On:
		n.axis(c.Axis, width)
		return
	case c.Bar.On:
		n.bar(c.Bar, width)
		return
	case c.Spark.On:
		n.spark(c.Spark, width)
		return
	}
	if c.width > width {
		ellipsis := n.p.Glyph(themes.GlyphEllipsis)
		switch {
		case right:
			c.Text = text.Cut(ellipsis, width, "")
		case middle:
			c.Text = text.CutMiddle(c.Text, width, ellipsis)
		default:
			c.Text = text.Cut(c.Text, width, ellipsis)
		}
		c.width = text.Width(c.Text)
	}
	if right {
		n.space(width - c.width)
		n.write(c.Token, c.Text, c.width)
		return
	}
	n.write(c.Token, c.Text, c.width)
	n.space(width - c.width)
}

// axis writes a line and the mark at its end.
func (n *pen) axis(a Axis, width int) {
	cells := min(a.Cells, width-1, n.left-1)
	if cells < 0 {
		n.space(width)
		return
	}
	if cells > 0 {
		n.colour(themes.Border)
		for range cells {
			n.b.WriteString(n.p.Glyph(themes.GlyphRule))
		}
		n.left -= cells
	}
	n.glyph(a.Token, a.Mark)
	n.space(width - cells - 1)
}

func (n *pen) glyph(t themes.Token, g themes.Glyph) { n.write(t, n.p.Glyph(g), 1) }

func (n *pen) write(t themes.Token, s string, width int) {
	if width > n.left || width == 0 {
		return
	}
	n.colour(t)
	n.b.WriteString(s)
	n.left -= width
}

const spaces = "                                                                "

// space writes spaces without the colour of the cell before them where that could be seen: fills, reversed grounds.
func (n *pen) space(count int) {
	count = min(count, n.left)
	if count <= 0 {
		return
	}
	switch {
	case n.ground != themes.Plain:
		n.colour(themes.Text)
	case n.open && n.token >= themes.Ask:
		n.close()
	}
	n.left -= count
	for ; count > len(spaces); count -= len(spaces) {
		n.b.WriteString(spaces)
	}
	n.b.WriteString(spaces[:count])
}

func (n *pen) colour(t themes.Token) {
	if n.open && n.token == t {
		return
	}
	n.b.WriteString(n.p.Open(t, n.ground))
	n.token, n.open = t, true
}

func (n *pen) close() {
	n.b.WriteString(n.p.Close())
	n.open = false
}

// end fills the line and closes its colour.
func (n *pen) end() {
	n.space(n.left)
	if n.open {
		n.close()
	}
}
