package ui

import (
	"slices"

	"ktriage/kube"
	"ktriage/views"
)

// layout is how many panes share the screen.
type layout uint8

const (
	single layout = iota // the focused pane alone
	split                // the focused pane above the next one
	grid                 // one pane of each slot, in two columns where there is room
	layouts
)

func (l layout) String() string { return [...]string{"single", "split", "grid"}[l] }

const (
	// minWidth and minHeight are the smallest terminal that shows more than a request for a larger one.
	minWidth, minHeight = 60, 15
	// minPaneWidth and minPaneHeight are the least that a pane is given beside others.
	minPaneWidth, minPaneHeight = 50, 6
	// gridWidth is the terminal that starts with several panes.
	gridWidth = 110
)

// rect is a place on the screen.
type rect struct {
	x, y int
	views.Size
}

// startLayout is the layout of a terminal that nobody has chosen one for.
func startLayout(s views.Size) layout {
	if s.W >= gridWidth {
		return grid
	}
	return single
}

// area is what the panes have of the screen: between the tabs and the strip, above the footer.
func (a *App) area() views.Size { return views.Size{W: a.size.W, H: a.size.H - 4 - a.stripLines()} }

// mode is the layout in force.
func (a *App) mode() layout {
	if a.zoomed {
		return single
	}
	return a.layout
}

// places are the rects of the panes in a layout.
func (a *App) places(l layout) []rect { return arrange(l, len(a.panes), a.focus, a.beside(), a.area()) }

// slots are the places of a grid, each with the panes that may stand there: what is wrong, where, what happened and who eats the
// machine. The first has the place until another of them has the focus; the actions have theirs while any is running, since what was
// done yesterday is worth no room beside what is wrong today.
var slots = [][]string{{"nodes", "workloads"}, {"pods"}, {"events", "certs"}, {"top", "actions"}}

// beside are the panes that share the screen with the focused one, one of each slot.
func (a *App) beside() []int {
	var out []int
	for _, names := range slots {
		chosen := -1
		for i, p := range a.panes {
			if !slices.Contains(names, p.Name()) {
				continue
			}
			running := p.Needs() == kube.Actions && len(a.runner.Running()) > 0
			if chosen < 0 && p.Name() == names[0] || running && chosen != a.focus || i == a.focus {
				chosen = i
			}
		}
		if chosen >= 0 {
			out = append(out, chosen)
		}
	}
	return out
}

// alone reports whether a layout shows nothing but the focused pane: on a small screen all of them do.
func (a *App) alone(l layout) bool { return slices.Equal(a.places(l), a.places(single)) }

// nextLayout is the first of those after the chosen one that shows something else than is shown now, false if none does.
func (a *App) nextLayout() (layout, bool) {
	now := a.places(a.mode())
	for n := range layouts {
		l := (a.layout + 1 + n) % layouts
		if !slices.Equal(a.places(l), now) {
			return l, true
		}
	}
	return a.layout, false
}

// whyAlone gives the reason for which a pane can be given no more than it has.
func (a *App) whyAlone() string {
	if _, ok := a.nextLayout(); ok {
		return "the pane has the whole screen already"
	}
	return "the screen is too small for two panes"
}

// arrange gives each of n panes its place in an area, the zero rect if it is not shown. The focused one is among those that
// may stand beside each other. Panes beside each other have one column between them for the line that parts them.
func arrange(l layout, n, focus int, beside []int, area views.Size) []rect {
	out := make([]rect, n)
	shown := []int{focus}
	columns := 1
	switch l {
	case split:
		if len(beside) > 1 {
			shown = append(shown, beside[(slices.Index(beside, focus)+1)%len(beside)])
		}
	case grid:
		shown = beside
		if (area.W-1)/2 >= minPaneWidth && len(beside) > 1 {
			columns = 2
		}
	}
	rows := (len(shown) + columns - 1) / columns
	for rows > 1 && area.H/rows < minPaneHeight {
		rows--
	}
	if rows*columns < len(shown) {
		shown = window(shown, focus, rows*columns)
	}
	for k, i := range shown {
		out[i] = cell(area, k%columns, columns, k/columns, rows)
		if k == len(shown)-1 && k%columns == 0 && columns == 2 {
			out[i].W = area.W // the last pane of an odd number takes the whole row
		}
	}
	return out
}

// window gives n panes around the focused one, when there is no room for all.
func window(shown []int, focus, n int) []int {
	first := 0
	for k, i := range shown {
		if i == focus {
			first = max(0, min(k, len(shown)-n))
		}
	}
	return shown[first : first+n]
}

// cell is the place at a column and row of a grid; the last ones take what does not divide.
func cell(area views.Size, col, columns, row, rows int) rect {
	r := rect{Size: views.Size{W: area.W, H: area.H / rows}, y: row * (area.H / rows)}
	if row == rows-1 {
		r.H = area.H - r.y
	}
	if columns == 2 {
		left := area.W / 2
		if col == 0 {
			r.W = left
		} else {
			r.x, r.W = left+1, area.W-left-1
		}
	}
	return r
}
