package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
	"ktriage/views"
)

// draw makes the whole frame: header, tabs, panes, the strip of the selected row, and the footer. Every line is exactly
// as wide as the screen.
func (a *App) draw() (string, *tea.Cursor) {
	if a.size.W < minWidth || a.size.H < minHeight {
		return a.drawTooSmall(), nil
	}
	w, h, n := a.size.W, a.size.H, a.stripLines()
	lines := make([]string, 0, h)
	lines = append(lines, a.drawHeader(w), a.drawTabs(w))
	panes, seams, cursor := a.drawPanes(views.Size{W: w, H: h - 4 - n})
	lines = append(lines, panes...)
	lines = append(lines, a.drawStrip(w, n, tees(seams, h-4-n))...)
	lines = append(lines, a.drawFooter(w))
	if a.overlay != nil {
		cursor = a.cover(lines[2 : h-1])
	}
	return strings.Join(lines, "\n"), cursor
}

// stripLines is how many lines of diagnosis there is room for. A lost server is worth two lines on any screen.
func (a *App) stripLines() int {
	if a.size.H >= 35 || !a.up() {
		return 2
	}
	return 1
}

// mode is the layout in force.
func (a *App) mode() layout {
	if a.zoomed {
		return single
	}
	return a.layout
}

// seam is a line between two panes that stand side by side.
type seam struct{ x, y, h int }

// tees are the columns of the seams that reach the line below the panes.
func tees(seams []seam, y int) []int {
	var out []int
	for _, s := range seams {
		if s.y+s.h == y {
			out = append(out, s.x)
		}
	}
	return out
}

// drawPanes draws the panes that are on the screen into an area, and says where they touch, and where on the screen the
// cursor of the filter line is.
func (a *App) drawPanes(area views.Size) ([]string, []seam, *tea.Cursor) {
	rects := arrange(a.mode(), len(a.panes), a.focus, area)
	shown := 0
	for _, r := range rects {
		if r.W > 0 {
			shown++
		}
	}
	rows := make([][]span, area.H)
	var seams []seam
	var cursor *tea.Cursor
	for i, r := range rects {
		if r.W == 0 {
			continue
		}
		pane, at := a.drawPane(i, r.Size, shown == 1)
		for k, s := range pane {
			rows[r.y+k] = append(rows[r.y+k], span{r.x, s})
		}
		if at >= 0 {
			cursor = tea.NewCursor(r.x+at, r.y+2) // below the header and the tabs
		}
		if r.x > 0 {
			seams = append(seams, seam{r.x - 1, r.y, r.H})
		}
	}
	lines := make([]string, area.H)
	for y := range lines {
		lines[y] = a.joinSpans(rows[y], y, seams)
	}
	return lines, seams, cursor
}

// span is a part of a line that starts at a column.
type span struct {
	x int
	s string
}

// drawPane gives the lines of a pane, and the column of the cursor in the first, -1 if nothing is typed there.
func (a *App) drawPane(i int, s views.Size, alone bool) ([]string, int) {
	f := views.Frame{
		Now: a.now, Focused: i == a.focus, Alone: alone, Chip: chip(i, a.panes[i]),
		Health: a.cluster.Health(), Paint: a.paint, Key: a.keys.Key,
	}
	if f.Focused && a.input != nil {
		f.Input = a.input.split()
	}
	var b strings.Builder
	cursor := a.panes[i].Draw(&b, s, f)
	return strings.Split(b.String(), "\n"), cursor
}

// joinSpans puts the parts of a line side by side, with the seams between them.
func (a *App) joinSpans(spans []span, y int, seams []seam) string {
	var b strings.Builder
	for k, s := range spans {
		if k > 0 {
			b.WriteString(a.paint.Open(themes.Border, themes.Plain))
			b.WriteString(a.paint.Glyph(a.seamGlyph(y, s.x-1, seams)))
		}
		b.WriteString(s.s)
	}
	return b.String()
}

// seamGlyph is the piece of line where a seam passes a row: it joins the rules that head the panes.
func (a *App) seamGlyph(y, x int, seams []seam) themes.Glyph {
	above := false
	for _, s := range seams {
		if s.x != x {
			continue
		}
		above = above || s.y+s.h == y
		if s.y == y {
			if above {
				return themes.GlyphCross
			}
			return themes.GlyphTeeDown
		}
	}
	return themes.GlyphVert
}

// drawStrip says what is the matter with the selected row: a rule with its name and state, and n lines of why.
func (a *App) drawStrip(w, n int, tees []int) []string {
	s := a.pane().Strip(a.now)
	var b strings.Builder
	views.Rule{
		Left:  text.CutMiddle(s.Name, w/2, a.paint.Glyph(themes.GlyphEllipsis)),
		Right: a.stripState(s), Keep: true, RightToken: attentionOrText(s.Severity), Tees: tees,
	}.Draw(&b, w, a.paint)
	lines := []string{b.String()}
	words := a.stripWords(s, w-2, n)
	for i := range n {
		l := newLine(a.paint, w)
		if i < len(words) {
			l.say(" ", themes.Text)
			l.say(words[i].text, words[i].token)
		}
		lines = append(lines, l.String())
	}
	return lines
}

// stripState is the state of the selected row, from its longest form to its shortest: with the time of the last contact
// when the server is lost, with the time since when it is in it, and the word alone.
func (a *App) stripState(s views.Strip) []string {
	if s.Name == "" {
		return nil
	}
	state := a.paint.Glyph(severityGlyph(s.Severity)) + " " + s.State
	word, _, _ := strings.Cut(state, " since ")
	if !a.up() {
		asOf := " as of " + a.cluster.Health().LastContact.In(a.now.Location()).Format(time.TimeOnly)
		return []string{state + asOf, word + asOf, word}
	}
	return []string{state, word}
}

// stripWords are the lines of the strip: a lost server first, then what has just happened, then the diagnosis.
func (a *App) stripWords(s views.Strip, w, n int) []piece {
	var out []piece
	if a.now.Before(a.toast.until) {
		out = append(out, piece{a.toast.text, a.toast.token})
	}
	if !a.up() {
		for _, l := range text.Wrap(a.lostWords(), w) {
			out = append(out, piece{l, themes.Bad})
		}
	}
	if len(out) < n {
		if e := a.cluster.Scope().Limited; e != nil && len(out) == 0 && n > 1 {
			out = append(out, piece{a.limitedWords(), themes.Muted})
		}
		room := n - len(out)
		lines := text.Wrap(strings.Join(s.Lines, "; "), w)
		if len(lines) > room {
			rest := strings.Join(lines[room-1:], " ")
			lines = append(lines[:room-1:room-1], text.Cut(rest, w, a.paint.Glyph(themes.GlyphEllipsis)))
		}
		for _, l := range lines {
			out = append(out, piece{l, themes.Text})
		}
	}
	return out
}

// lostWords say what it means that the server does not answer. What to do is in the footer.
func (a *App) lostWords() string {
	h := a.cluster.Health()
	e := kube.Explain(h.Err)
	if h.LastContact.IsZero() {
		return e.Sentence + " " + e.Next
	}
	next := max(0, int(h.NextTry.Sub(a.now).Round(time.Second).Seconds()))
	return fmt.Sprintf("%s All you see is %s old; %s, next in %ds. Nothing here is lost.", e.Sentence,
		text.Age(a.now, h.LastContact), text.Plural(h.Tries, "try", "tries"), next)
}

func (a *App) limitedWords() string {
	s := a.cluster.Scope()
	return fmt.Sprintf("You may list pods in %s only: %s", text.Clean(strings.Join(s.Namespaces, ", ")), kube.Explain(s.Limited).Sentence)
}

func severityGlyph(s kube.Severity) themes.Glyph {
	return [...]themes.Glyph{
		kube.OK: themes.GlyphOK, kube.Notice: themes.GlyphNotice, kube.Warning: themes.GlyphWarn, kube.Bad: themes.GlyphBad,
	}[s]
}

func attentionOrText(s kube.Severity) themes.Token {
	if t := attention(s); t != themes.Muted {
		return t
	}
	return themes.Text
}

// drawTooSmall asks for a larger terminal; keys still work.
func (a *App) drawTooSmall() string {
	lines := []string{
		fmt.Sprintf("%dx%d is too small", a.size.W, a.size.H),
		fmt.Sprintf("needed: %dx%d", minWidth, minHeight),
		"q quits",
	}
	out := make([]string, a.size.H)
	for y := range out {
		l := newLine(a.paint, a.size.W)
		if y < len(lines) {
			s := ansi.Truncate(lines[y], a.size.W, "")
			l.fill(a.size.W - (a.size.W-text.Width(s))/2)
			l.say(s, themes.Text)
		}
		out[y] = l.String()
	}
	return strings.Join(out, "\n")
}
