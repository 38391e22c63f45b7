package ui

import (
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// section draws the lines of a part of a sheet: a table if it has columns, lines of text if not.
func (a *App) section(s action.Section, w int) []sheetLine {
	if len(s.Columns) == 0 {
		var out []sheetLine
		for _, row := range s.Rows {
			out = append(out, a.sentence(row, w)...)
		}
		return out
	}
	return a.table(s, w)
}

// mark is the glyph that stands before a line of a severity, with the space behind it.
func (a *App) mark(s kube.Severity) string {
	if s < kube.Warning {
		return "  "
	}
	return a.paint.Glyph(severityGlyph(s)) + " "
}

// sentence wraps a line of text behind its mark.
func (a *App) sentence(from action.Row, w int) []sheetLine {
	var out []sheetLine
	mark := a.mark(from.Severity)
	if from.Severity < kube.Warning {
		mark = ""
	}
	for _, l := range text.Wrap(strings.Join(from.Cells, "  "), w-text.Width(mark)) {
		out = append(out, sheetLine{row: row{{mark, severityToken(from.Severity)}, {l, severityToken(from.Severity)}}})
		mark = strings.Repeat(" ", text.Width(mark))
	}
	return out
}

// tableGap is what stands between two columns.
const tableGap = 2

// table draws rows in columns. The first column gives way first, in its middle; the last one breaks into several lines:
// nothing of what it says is lost.
func (a *App) table(s action.Section, w int) []sheetLine {
	cols := a.columns(s, w)
	widths := columnWidths(s, cols, w-2)
	out := []sheetLine{{row: row{{"  " + a.tableLine(titles(s), s, cols, widths), themes.Muted}}}}
	for _, row := range s.Rows {
		out = append(out, a.tableRow(row, s, cols, widths)...)
	}
	return out
}

// columns are the indexes of those that there is room for.
func (a *App) columns(s action.Section, w int) []int {
	var out []int
	for i, c := range s.Columns {
		if !c.Wide || w >= wide-4 {
			out = append(out, i)
		}
	}
	return out
}

func titles(s action.Section) []string {
	out := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = c.Title
	}
	return out
}

const (
	// leastName is what the first column is cut to at most.
	leastName = 22
	// leastNote is what the last column has at least. If it needs them it has two fifths of the line: nobody reads a sentence
	// of which every line is a word.
	leastNote = 18
)

// columnWidths gives every column what its widest cell takes, and the last one what is left. The first one gives way if
// that is too little.
func columnWidths(s action.Section, cols []int, w int) []int {
	widths := make([]int, len(cols))
	left := w
	for k, i := range cols {
		widths[k] = text.Width(s.Columns[i].Title)
		for _, row := range s.Rows {
			widths[k] = max(widths[k], text.Width(cellAt(row, i)))
		}
		left -= widths[k] + tableGap
	}
	left += tableGap
	last := len(cols) - 1
	if left < 0 && last > 0 {
		take := min(-left, max(0, widths[last]-max(leastNote, w*2/5)))
		widths[last] -= take
		left += take
	}
	if left < 0 {
		take := min(-left, max(0, widths[0]-leastName))
		widths[0] -= take
		left += take
	}
	widths[last] = max(widths[last]+left, 1)
	return widths
}

func cellAt(r action.Row, i int) string {
	if i >= len(r.Cells) {
		return ""
	}
	return r.Cells[i]
}

// tableRow draws one row, in as many lines as its last cell takes.
func (a *App) tableRow(from action.Row, s action.Section, cols, widths []int) []sheetLine {
	last := len(cols) - 1
	notes := text.Wrap(cellAt(from, cols[last]), widths[last])
	if len(notes) == 0 {
		notes = []string{""}
	}
	var out []sheetLine
	token := severityToken(from.Severity)
	for k, note := range notes {
		cells := make([]string, len(s.Columns))
		if k == 0 {
			copy(cells, from.Cells)
		}
		cells[cols[last]] = note
		mark := a.mark(from.Severity)
		if k > 0 {
			mark = "  "
		}
		out = append(out, sheetLine{row: row{{mark, token}, {a.tableLine(cells, s, cols, widths), token}}})
	}
	return out
}

func (a *App) tableLine(cells []string, s action.Section, cols, widths []int) string {
	var b strings.Builder
	for k, i := range cols {
		cell := cells[i]
		if k == 0 {
			cell = text.CutMiddle(cell, widths[k], a.paint.Glyph(themes.GlyphEllipsis))
		} else {
			cell = text.Cut(cell, widths[k], a.paint.Glyph(themes.GlyphEllipsis))
		}
		text.AppendPadded(&b, cell, widths[k], s.Columns[i].Right)
		if k < len(cols)-1 {
			b.WriteString(strings.Repeat(" ", tableGap))
		}
	}
	return b.String()
}
