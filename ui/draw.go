package ui

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
	"ktriage/views"
)

// draw makes the whole frame: header, tabs, panes, the strip of the selected row, and the footer. Every line is exactly
// as wide as the screen.
func (a *App) draw() (string, *tea.Cursor) {
	if a.tooSmall() {
		return a.drawTooSmall(), nil
	}
	w, h, area := a.size.W, a.size.H, a.area()
	lines := make([]string, 0, h)
	lines = append(lines, a.drawHeader(w), a.drawTabs(w))
	panes, seams, cursor := a.drawPanes(area)
	lines = append(lines, panes...)
	lines = append(lines, a.drawStrip(w, a.stripLines(), tees(seams, area.H))...)
	lines = append(lines, a.drawFooter(w))
	if a.overlay != nil {
		cursor = a.cover(lines[2 : h-1])
	}
	if len(a.pending.Pending) > 0 {
		hint := a.drawWhichKey(w)
		copy(lines[h-len(hint):], hint)
	}
	return strings.Join(lines, "\n"), cursor
}

// stripLines is how many lines the strip has below its rule: those of the banner, and those of diagnosis.
func (a *App) stripLines() int { return len(a.bannerLines(a.size.W)) + a.diagnosisLines() }

// diagnosisLines is how many lines of diagnosis there is room for. What is wrong with all that one sees is worth a line more
// on any screen.
func (a *App) diagnosisLines() int {
	if a.pane().Scope() == keymap.Steps { // why a pod does not leave is what one looks at them for
		return min(max(a.size.H/8, 1), 5)
	}
	if a.size.H >= 35 || !a.up() || a.trouble().text != "" {
		return 2
	}
	return 1
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
	rects := a.places(a.mode())
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
		Now: a.rowTime(), Focused: i == a.focus, Alone: alone, Chip: chip(i, a.panes[i]),
		Health: a.rowHealth(), Paint: a.paint, Key: a.keys.Key,
	}
	if f.Focused && a.input != nil {
		f.Input = a.input.split()
	}
	var b strings.Builder
	cursor := a.panes[i].Draw(&b, s, f)
	return strings.Split(b.String(), "\n"), cursor
}

// rowHealth is the connection as the rows show it: those of a frozen screen are no newer than it is.
func (a *App) rowHealth() kube.Health {
	h := a.cluster.Health()
	if !a.frozen.IsZero() && h.LastContact.After(a.frozen) {
		h.LastContact = a.frozen
	}
	return h
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
	s := a.pane().Strip(a.rowTime())
	var b strings.Builder
	views.Rule{
		Left:  text.CutMiddle(s.Name, w/2, a.paint.Glyph(themes.GlyphEllipsis)),
		Right: a.stripState(s), Keep: true, RightToken: severityToken(s.Severity), Tees: tees,
	}.Draw(&b, w, a.paint)
	lines := []string{b.String()}
	banner := a.bannerLines(w)
	for _, words := range banner {
		l := newLine(a.paint, w)
		l.say(" "+words, a.banner.token)
		l.say(strings.Repeat(" ", l.room()), a.banner.token)
		lines = append(lines, l.String())
	}
	n -= len(banner)
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
	glyph := severityGlyph(s.Severity)
	if s.Unknown {
		glyph = themes.GlyphUnknown
	}
	state := a.paint.Glyph(glyph) + " " + s.State
	word, _, _ := strings.Cut(state, " since ")
	word, _, _ = strings.Cut(word, " · ")
	if !a.up() && a.pane().Needs() != kube.Actions {
		asOf := " as of " + a.local(a.rowHealth().LastContact).Format(time.TimeOnly)
		return []string{state + asOf, word + asOf, word}
	}
	return []string{state, word}
}

// stripWords are the lines of the strip: what has just happened, then a lost server, then the diagnosis.
func (a *App) stripWords(s views.Strip, w, n int) []piece {
	var out []piece
	say := func(s string, t themes.Token) {
		for _, l := range a.wrap(s, w, n-len(out)) {
			out = append(out, piece{l, t})
		}
	}
	if a.toasting() {
		out = append(out, piece{a.toast.text, a.toast.token})
	}
	if !a.up() {
		say(a.lostWords(), themes.Bad)
	} else if t := a.trouble(); t.text != "" && len(out) == 0 {
		out = append(out, piece{a.wrap(t.text, w, 1)[0], t.token})
	}
	say(sentences(s.Lines), themes.Text)
	return out
}

// sentences joins what is said of a row: whole sentences by a space, others by a semicolon.
func sentences(lines []string) string {
	var b strings.Builder
	for i, l := range lines {
		switch {
		case i == 0:
		case strings.HasSuffix(lines[i-1], "."):
			b.WriteString(" ")
		case l != "" && unicode.IsUpper([]rune(l)[0]) && strings.HasSuffix(l, "."):
			b.WriteString(". ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(l)
	}
	return b.String()
}

// denied reports whether the server lets us see nothing of what a pane shows.
func (a *App) denied(pane string) bool {
	i := a.paneNamed(pane)
	return i >= 0 && a.panes[i].State().Phase == kube.Denied
}

// trouble is what is wrong with the rows of the focused pane while the server answers; nothing most of the time.
func (a *App) trouble() piece {
	st, scope := a.pane().State(), a.cluster.Scope()
	switch {
	case st.Phase == kube.Stale && st.Err != nil:
		return piece{"These rows cannot be kept up to date: " + kube.Explain(st.Err).Sentence, themes.Warn}
	case st.Missing != nil:
		return piece{fmt.Sprintf("Rows of %s are missing: %s", st.MissingWhat(), kube.Explain(st.Missing).Sentence), themes.Warn}
	case scope.Limited != nil && !a.denied("pods"):
		return piece{fmt.Sprintf("You may list pods in %s only: %s",
			text.Clean(strings.Join(scope.Namespaces, ", ")), kube.Explain(scope.Limited).Sentence), themes.Muted}
	}
	return piece{}
}

// wrap breaks a text into at most n lines of w cells; what is left ends in an ellipsis.
func (a *App) wrap(s string, w, n int) []string {
	lines := text.Wrap(s, w)
	if n < 1 || len(lines) <= n {
		return lines[:min(len(lines), max(n, 0))]
	}
	rest := strings.Join(lines[n-1:], " ")
	return append(lines[:n-1:n-1], text.Cut(rest, w, a.paint.Glyph(themes.GlyphEllipsis)))
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
		text.Age(a.now, a.now.Add(-a.age())), text.Plural(h.Tries, "try", "tries"), next)
}

func severityGlyph(s kube.Severity) themes.Glyph {
	return [...]themes.Glyph{
		kube.OK: themes.GlyphOK, kube.Notice: themes.GlyphNotice, kube.Warning: themes.GlyphWarn, kube.Bad: themes.GlyphBad,
	}[s]
}

// severityToken is the colour of a word that says how bad something is.
func severityToken(s kube.Severity) themes.Token {
	if t := attention(s); t != themes.Muted {
		return t
	}
	return themes.Text
}

// tooSmall reports whether the terminal shows nothing but a request for a larger one.
func (a *App) tooSmall() bool { return a.size.W > 0 && (a.size.W < minWidth || a.size.H < minHeight) }

// drawTooSmall asks for a larger terminal; keys still work.
func (a *App) drawTooSmall() string {
	lines := []string{
		fmt.Sprintf("%dx%d is too small", a.size.W, a.size.H),
		fmt.Sprintf("needed: %dx%d", minWidth, minHeight),
		a.keys.Key(keymap.Quit) + " quits",
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
