package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/themes"
	"ktriage/views"
)

const (
	// paletteLines is how many entries are shown at once, on a tall screen more.
	paletteLines = 9
	// paletteObjects bounds how many rows of a pane can be found by name: a fuzzy search of more would take longer than
	// a frame.
	paletteObjects = 2000
)

// The kinds of entries that are found before others whose names start alike, in this order.
const (
	kindPane      = "pane"
	kindNamespace = "namespace"
	kindCommand   = "command"
)

// entry is one line of the palette.
type entry struct {
	name, kind, key, note string
	off                   string // why it does nothing now
	run                   func() tea.Cmd
}

// palette finds panes, commands, namespaces, themes and objects by a few letters of their names.
type palette struct {
	app     *App
	prompt  *prompt
	entries []entry
	found   []int // indexes of entries, best first
	chosen  int
	asked   string // what found answers
}

func (a *App) palette() *palette {
	p := &palette{app: a, prompt: newPrompt("")}
	p.entries = slices.Concat(a.paneEntries(), a.filterEntries(), a.commandEntries(), a.namespaceEntries(), a.themeEntries(), a.objectEntries())
	p.find()
	return p
}

func (a *App) paneEntries() []entry {
	var out []entry
	for i, v := range a.panes {
		out = append(out, entry{
			name: v.Name(), kind: kindPane + " " + fmt.Sprint(i+1), key: fmt.Sprint(i + 1),
			run: func() tea.Cmd { return a.focusPane(i) },
		})
	}
	return out
}

func (a *App) commandEntries() []entry {
	var out []entry
	for _, b := range a.keys.Bindings(a.pane().Scope().Path()...) {
		if !b.Palette || len(b.Keys) == 0 {
			continue
		}
		name := b.Short
		if _, ok := b.ID.SortColumn(); ok {
			name = "sort by " + name
		}
		out = append(out, entry{
			name: name, kind: kindCommand, key: b.Keys[0], note: b.Long, off: a.why(b),
			run: func() tea.Cmd { return a.run(b.ID) },
		})
	}
	return out
}

// namespaceEntries are the namespaces of the pods that are known.
func (a *App) namespaceEntries() []entry {
	const pods = "pods"
	i := a.paneNamed(pods)
	if i < 0 {
		return nil
	}
	counts := a.panes[i].Namespaces()
	var out []entry
	for _, ns := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, entry{
			name: ns, kind: kindNamespace, note: text.Plural(counts[ns], "pod", "pods"), off: a.frozenWhy(),
			run: func() tea.Cmd { return a.jump(views.Place{Pane: pods, Pin: views.Pin{Field: "ns", Value: ns}}) },
		})
	}
	return out
}

func (a *App) themeEntries() []entry {
	var out []entry
	for _, t := range themes.Builtin() {
		out = append(out, entry{
			name: "theme " + t.Name, kind: "setting",
			run: func() tea.Cmd {
				a.look.theme = t
				a.repaint()
				return a.flash("theme: "+t.Name, themes.Muted)
			},
		})
	}
	return out
}

func (a *App) objectEntries() []entry {
	var out []entry
	for _, v := range a.panes {
		for _, o := range v.Objects(paletteObjects) {
			out = append(out, entry{
				name: o.Name, kind: o.Kind, note: o.Note, off: a.frozenWhy(),
				run: func() tea.Cmd { return a.jump(o.Place) },
			})
		}
	}
	return out
}

// String and Len make the palette a source of fuzzy.
func (p *palette) String(i int) string { return p.entries[i].name }

// Len is the number of entries.
func (p *palette) Len() int { return len(p.entries) }

// find answers what is typed now. A name that starts with it comes before one that only contains its letters; among those
// that do, places come before what one can do, and that before objects, of which there are many.
func (p *palette) find() {
	want := strings.TrimSpace(p.prompt.value())
	p.asked, p.chosen, p.found = p.prompt.value(), 0, p.found[:0]
	if want == "" {
		for i := range p.entries {
			p.found = append(p.found, i)
		}
		return
	}
	for _, m := range fuzzy.FindFrom(want, p) {
		p.found = append(p.found, m.Index)
	}
	slices.SortStableFunc(p.found, func(i, j int) int { return p.entries[i].far(want) - p.entries[j].far(want) })
}

// far is how far an entry is from what was typed, 0 the nearest.
func (e *entry) far(want string) int {
	kinds := []string{kindPane, kindNamespace, kindCommand}
	if !strings.HasPrefix(strings.ToLower(e.name), strings.ToLower(want)) {
		return len(kinds) + 1
	}
	for n, kind := range kinds {
		if strings.HasPrefix(e.kind, kind) {
			return n
		}
	}
	return len(kinds)
}

func (p *palette) scope() keymap.Scope { return keymap.Palette }
func (p *palette) field() *prompt      { return p.prompt }

func (p *palette) run(id keymap.ID) (bool, tea.Cmd) {
	switch id {
	case keymap.PaletteNext:
		p.chosen = min(p.chosen+1, max(len(p.found)-1, 0))
	case keymap.PalettePrevious:
		p.chosen = max(p.chosen-1, 0)
	case keymap.PaletteGo:
		return true, p.choose()
	default:
		return false, nil
	}
	return true, nil
}

// choose does what the chosen line says, and closes the palette first: what it does may open something else.
func (p *palette) choose() tea.Cmd {
	p.refresh()
	if len(p.found) == 0 {
		return nil
	}
	e := p.entries[p.found[p.chosen]]
	if e.off != "" {
		return p.app.flash(e.name+": "+e.off, themes.Warn)
	}
	p.app.overlay = nil
	return e.run()
}

func (p *palette) refresh() {
	if p.asked != p.prompt.value() {
		p.find()
	}
}

func (p *palette) draw(s views.Size) ([]string, *tea.Cursor) {
	p.refresh()
	var b strings.Builder
	rule := views.Rule{
		Heavy: true, Input: p.prompt.split(), Sigil: ":",
		Right: []string{fmt.Sprintf("%s of %s", text.Count(len(p.found)), text.Count(len(p.entries)))},
	}
	cursor := rule.Draw(&b, s.W, p.app.paint)
	out := []string{b.String()}
	n := min(max(paletteLines, s.H/2), s.H-2)
	top := max(0, min(p.chosen-n/2, len(p.found)-n))
	for y := range n {
		out = append(out, p.drawEntry(s.W, top+y))
	}
	b.Reset()
	key := p.app.keys.Key
	keys := fmt.Sprintf("%s and %s choose · %s goes", key(keymap.PalettePrevious), key(keymap.PaletteNext), key(keymap.PaletteGo))
	views.Rule{Heavy: true, Right: []string{keys}}.Draw(&b, s.W, p.app.paint)
	return append(out, b.String()), tea.NewCursor(cursor, 0)
}

func (p *palette) drawEntry(w, i int) string {
	l := newLine(p.app.paint, w)
	if i >= len(p.found) {
		return l.String()
	}
	e := p.entries[p.found[i]]
	ground, name, rest := themes.Plain, themes.Text, themes.Muted
	mark := "   "
	if i == p.chosen {
		ground, mark = themes.CursorBg, p.app.paint.Glyph(themes.GlyphCursor)+"  "
	}
	if e.off != "" {
		name, rest = themes.Border, themes.Border
		e.note = "off: " + e.off
	}
	column := func(s string, t themes.Token, cells int) {
		s = text.CutMiddle(s, cells-1, p.app.paint.Glyph(themes.GlyphEllipsis))
		l.put(p.app.paint.Open(t, ground), s+strings.Repeat(" ", max(0, cells-text.Width(s))))
	}
	l.put(p.app.paint.Open(themes.Focus, ground), mark)
	column(e.name, name, max(26, w/2-8))
	column(e.kind, rest, len("certificate")+1)
	column(e.key, rest, 5)
	l.put(p.app.paint.Open(rest, ground), e.note)
	l.put(p.app.paint.Open(rest, ground), strings.Repeat(" ", max(0, l.room())))
	return l.String()
}
