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
	w, h := a.size.W, a.size.H
	strip := a.drawStrip(w, a.stripLines())
	body := h - 3 - len(strip)
	lines := make([]string, 0, h)
	lines = append(lines, a.drawHeader(w), a.drawTabs(w))
	panes, seams := a.drawPanes(views.Size{W: w, H: body})
	lines = append(lines, panes...)
	lines = append(lines, a.joinRule(strip[0], seams, h-1-len(strip)))
	lines = append(lines, strip[1:]...)
	lines = append(lines, a.drawFooter(w))
	cursor := a.inputCursor()
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

// drawPanes draws the panes that are on the screen into an area, and says where they touch.
func (a *App) drawPanes(area views.Size) ([]string, []seam) {
	rects := arrange(a.mode(), len(a.panes), a.focus, area)
	shown := 0
	for _, r := range rects {
		if r.W > 0 {
			shown++
		}
	}
	rows := make([][]span, area.H)
	var seams []seam
	for i, r := range rects {
		if r.W == 0 {
			continue
		}
		for k, s := range a.drawPane(i, r.Size, shown == 1) {
			rows[r.y+k] = append(rows[r.y+k], span{r.x, s})
		}
		if r.x > 0 {
			seams = append(seams, seam{r.x - 1, r.y, r.H})
		}
	}
	lines := make([]string, area.H)
	for y := range lines {
		lines[y] = a.joinSpans(rows[y], y, seams)
	}
	return lines, seams
}

// span is a part of a line that starts at a column.
type span struct {
	x int
	s string
}

func (a *App) drawPane(i int, s views.Size, alone bool) []string {
	f := views.Frame{
		Now: a.now, Focused: i == a.focus, Alone: alone, Chip: chip(i, a.panes[i]),
		Health: a.cluster.Health(), Paint: a.paint,
	}
	if f.Focused && a.input != nil {
		f.Input = &views.Input{Text: a.input.value()}
	}
	var b strings.Builder
	a.panes[i].Draw(&b, s, f)
	return strings.Split(b.String(), "\n")
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

// joinRule marks where seams end at the rule of the strip.
func (a *App) joinRule(rule string, seams []seam, y int) string {
	for _, s := range seams {
		if s.y+s.h+2 == y {
			rule = text.Splice(rule, s.x, a.paint.Open(themes.Border, themes.Plain)+a.paint.Glyph(themes.GlyphTeeUp)+a.paint.Close())
		}
	}
	return rule
}

// drawStrip says what is the matter with the selected row: a rule with its name and state, and n lines of why.
func (a *App) drawStrip(w, n int) []string {
	s := a.pane().Strip(a.now)
	var b strings.Builder
	rule := views.Rule{
		Left: text.CutMiddle(s.Name, w/2, a.paint.Glyph(themes.GlyphEllipsis)), Right: s.State, State: s.Name != "",
		Glyph: severityGlyph(s.Severity), RightToken: attentionOrText(s.Severity),
	}
	if !a.up() && s.Name != "" {
		rule.Right += " as of " + a.cluster.Health().LastContact.In(a.now.Location()).Format(time.TimeOnly)
	}
	rule.Draw(&b, w, a.paint)
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

// inputCursor puts the terminal's cursor into the filter line.
func (a *App) inputCursor() *tea.Cursor {
	if a.input == nil {
		return nil
	}
	rects := arrange(a.mode(), len(a.panes), a.focus, views.Size{W: a.size.W, H: a.size.H - 4 - a.stripLines()})
	r := rects[a.focus]
	x := r.x + 4 + a.input.cursor()
	if r.W != a.size.W {
		x += text.Width(chip(a.focus, a.pane())) + 4
	}
	return tea.NewCursor(min(x, r.x+r.W-1), r.y+2)
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
