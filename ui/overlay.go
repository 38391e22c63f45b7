package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"ktriage/keymap"
	"ktriage/themes"
	"ktriage/views"
)

// overlay covers the panes until it is closed.
type overlay interface {
	scope() keymap.Scope
	// field is the text field that has the focus, nil if none has.
	field() *prompt
	// run does what a key of its scope says; false leaves the key to the screen.
	run(keymap.ID) (bool, tea.Cmd)
	// draw gives at most s.H lines of exactly s.W cells, and where the cursor is in them.
	draw(s views.Size) ([]string, *tea.Cursor)
}

// open covers the panes. What has just happened has been read.
func (a *App) open(o overlay) {
	a.shut()
	a.overlay, a.toast = o, toast{}
}

// runOverlay gives a key to what covers the panes.
func (a *App) runOverlay(id keymap.ID) (bool, tea.Cmd) {
	if id == keymap.TextClose || id == keymap.PaletteClose || id == keymap.NameClose || id == keymap.NumberClose {
		if s, ok := a.overlay.(*sheet); ok && s.unsearch() {
			return true, nil
		} else if ok && s.under != nil {
			a.overlay = s.under
			return true, nil
		}
		if r, ok := a.overlay.(*review); ok {
			if back, cmd := r.back(); back {
				return true, cmd
			}
		}
		a.shut()
		return true, nil
	}
	return a.overlay.run(id)
}

// shut takes away what covers the panes.
func (a *App) shut() {
	if o, ok := a.overlay.(interface{ close() }); ok {
		o.close()
	}
	a.overlay = nil
}

// cover draws the overlay over the lines of the body: from above, or at its foot if that is where it stands.
func (a *App) cover(body []string) *tea.Cursor {
	lines, cursor := a.overlay.draw(views.Size{W: a.size.W, H: len(body)})
	top := 0
	if o, ok := a.overlay.(interface{ atBottom() bool }); ok && o.atBottom() {
		top = max(0, len(body)-len(lines))
	}
	copy(body[top:], lines)
	if cursor != nil {
		cursor.Y += top + 2 // below the header and the tabs
	}
	return cursor
}

// sheet is text to read: the help, the details of a row, the messages of the session.
type sheet struct {
	app   *App
	in    keymap.Scope
	title string
	right string
	lines func(w int) []row
	top   int
	page  int
	count int

	step   func(keymap.ID) tea.Cmd // goes to the row above or below; nil where there is none
	under  overlay                 // what it is closed to, nil for the panes
	copies string                  // what CopyName copies here, "" for what it copies in the pane
	search *prompt                 // only where the scope has a key for it
	asked  bool                    // the search field has the focus
}

// row is one line of a sheet: pieces of text.
type row []piece

func (s *sheet) scope() keymap.Scope {
	if s.asked {
		return keymap.Filter
	}
	return s.in
}

func (s *sheet) field() *prompt {
	if s.asked {
		return s.search
	}
	return nil
}

// unsearch takes the search away; false if there was none.
func (s *sheet) unsearch() bool {
	had := s.search != nil
	s.search, s.asked = nil, false
	return had
}

func (s *sheet) run(id keymap.ID) (bool, tea.Cmd) {
	switch id {
	case keymap.TextDown:
		s.top++
	case keymap.TextUp:
		s.top--
	case keymap.TextPageDown:
		s.top += s.page
	case keymap.TextPageUp:
		s.top -= s.page
	case keymap.TextFirst:
		s.top = 0
	case keymap.TextLast:
		s.top = s.count
	case keymap.HelpSearch:
		s.search, s.asked, s.top = newPrompt(""), true, 0
	case keymap.CopyName:
		if s.copies == "" {
			return false, nil
		}
		return true, s.app.do([]views.Effect{views.Copy{Text: s.copies}})
	case keymap.DetailsNext, keymap.DetailsPrevious:
		return true, s.step(id)
	case keymap.FilterKeep:
		s.asked = false
	case keymap.FilterClear:
		s.unsearch()
	case keymap.FilterEmpty:
		s.search.set("")
	default:
		return false, nil
	}
	return true, nil
}

func (s *sheet) draw(size views.Size) ([]string, *tea.Cursor) {
	rows := s.found(s.lines(size.W))
	s.count, s.page = len(rows), size.H-1
	s.top = max(0, min(s.top, s.count-s.page))
	shown := rows[s.top:min(s.top+s.page, s.count)]

	rule := views.Rule{Heavy: true, Left: s.title, Right: []string{s.right}}
	if s.search != nil {
		rule.Input = s.search.split()
	}
	if s.count > s.page {
		at := position(s.top, len(shown), s.count)
		rule.Right = []string{strings.TrimPrefix(s.right+" · "+at, " · "), at}
	}
	var b strings.Builder
	var cursor *tea.Cursor
	if at := rule.Draw(&b, size.W, s.app.paint); s.asked {
		cursor = tea.NewCursor(at, 0)
	}
	out := []string{b.String()}
	for y := range s.page {
		l := newLine(s.app.paint, size.W)
		if y < len(shown) {
			for _, p := range shown[y] {
				l.say(p.text, p.token)
			}
		}
		out = append(out, l.String())
	}
	return out, cursor
}

// found keeps the rows in which the search occurs.
func (s *sheet) found(rows []row) []row {
	if s.search == nil || s.search.value() == "" {
		return rows
	}
	want := strings.ToLower(s.search.value())
	var out []row
	for _, r := range rows {
		var all strings.Builder
		for _, p := range r {
			all.WriteString(p.text)
		}
		if strings.Contains(strings.ToLower(all.String()), want) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		out = []row{{{"  nothing here contains " + s.search.value(), themes.Muted}}}
	}
	return out
}
