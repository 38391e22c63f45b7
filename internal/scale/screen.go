package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/vt"
)

// screen reads what the emulator shows: a header, the tabs, the heads of the panes with their rows below, the strip
// about the row under the cursor, and the footer.
type screen struct{ *vt.Emulator }

const (
	headLine = 2 // heads of the panes
	rowLine  = 4 // the first row, below the titles of the columns
	belowRow = 4 // lines below the last row: the strip of three, and the footer
)

// line gives one line without what is blank at its end.
func (s screen) line(y int) string {
	var b strings.Builder
	for x := 0; x < s.Width(); {
		c := s.CellAt(x, y)
		if c == nil || c.Content == "" {
			b.WriteByte(' ')
			x++
			continue
		}
		b.WriteString(c.Content)
		x += max(c.Width, 1)
	}
	return strings.TrimRight(b.String(), " ")
}

func (s screen) text() string {
	lines := make([]string, s.Height())
	for y := range lines {
		lines[y] = s.line(y)
	}
	return strings.Join(lines, "\n")
}

// head is the rule above the rows: what is shown, of how much, in which order.
func (s screen) head() string { return s.line(headLine) }

// strip is the name of the object under the cursor, as the rule below the rows gives it.
func (s screen) strip() string {
	if f := strings.Fields(s.line(s.Height() - belowRow)); len(f) > 1 {
		return f[1]
	}
	return ""
}

// row gives the first row in which a text stands, "" if none does.
func (s screen) row(text string) string {
	for y := rowLine; y < s.Height()-belowRow; y++ {
		if l := s.line(y); strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

// drawn is true of any frame.
func drawn(s screen) bool { return s.line(0) != "" }

func hasRows(s screen) bool { return s.row("/svc-") != "" }

// alone reports whether one pane has the whole screen: its head has no seam.
func alone(s screen) bool { return !strings.ContainsAny(s.head(), "┬┳") && s.head() != "" }

func (b *bench) hasNodes(s screen) bool {
	return strings.Contains(s.head(), "of "+count(b.nodes)+" ready")
}

// hasPods does not ask for the exact number: the probe pod may be there.
func (b *bench) hasPods(s screen) bool {
	return !strings.Contains(s.head(), "loading") && total(s.head()) >= b.pods
}

// hasAll reports whether everything has been read, which the header says too.
func (b *bench) hasAll(s screen) bool { return b.hasPods(s) && strings.Contains(s.line(0), "● live") }

var (
	totalForm    = regexp.MustCompile(`(?:not ok of|all) ([\d,]+)`)
	positionForm = regexp.MustCompile(`([\d,]+)-[\d,]+ of ([\d,]+)`)
	matchForm    = regexp.MustCompile(`^\S+ ([\d,]+|none) of [\d,]+(?: match)?  / (\S+) `)
)

// total is how many pods there are, after the head of their pane; 0 if it does not say so.
func total(head string) int {
	m := totalForm.FindStringSubmatch(head)
	if m == nil {
		return 0
	}
	return number(m[1])
}

// shown is how many rows there are, and the number of the first one on the screen, both 0 if there are none.
func shown(head string) (first, rows int) {
	m := positionForm.FindStringSubmatch(head)
	if m == nil {
		return 0, 0
	}
	return number(m[1]), number(m[2])
}

// matches is how many rows pass a filter that has been kept, and the filter.
func matches(head string) (rows int, filter string) {
	m := matchForm.FindStringSubmatch(head)
	if m == nil {
		return 0, ""
	}
	return number(m[1]), m[2]
}

// number reads "12,400"; "none" is 0.
func number(s string) int {
	n, _ := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	return n
}
