package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
	"ktriage/views"
)

// wide is the width from which the header and the tabs use whole words.
const wide = 110

// drawHeader says which cluster, as whom, how fresh, and how bad.
func (a *App) drawHeader(w int) string {
	l := newLine(a.paint, w)
	right := append(a.running(w >= wide), a.alarm(w >= wide)...)
	status := a.status(w >= wide)
	for _, shape := range a.headerShapes(w >= wide) {
		if 1+width(shape)+width(status)+2+width(right)+1 <= w || len(shape) == 1 {
			l.say(" ", themes.Text)
			for _, p := range shape {
				l.say(p.text, p.token)
			}
			break
		}
	}
	for _, p := range status {
		l.say(p.text, p.token)
	}
	l.fill(width(right) + 1)
	for _, p := range right {
		l.say(p.text, p.token)
	}
	return l.String()
}

// headerShapes are the left part of the header, from the fullest to the shortest.
func (a *App) headerShapes(long bool) [][]piece {
	gap, write := "  ", "rw"
	if long {
		gap, write = "   ", "read-write"
	}
	id := a.cluster.Identity()
	writes := piece{" " + write, themes.Muted}
	switch {
	case !slices.ContainsFunc(a.panes, func(p views.View) bool {
		return p.Needs()&(kube.Nodes|kube.Pods) != 0 && p.State().Phase != kube.Denied
	}):
		writes = piece{" may list nothing", themes.Warn}
	case a.readOnly:
		writes = piece{" READ-ONLY", themes.Warn}
	case id.Known && !id.MayWrite && !a.mayAct():
		writes = piece{" may only read", themes.Muted}
	case !id.Known:
		writes = piece{}
	}
	context := piece{text.Clean(a.cluster.Context()), themes.Text}
	if a.runner.Protected() {
		context = piece{" PROTECTED " + context.text + " ", themes.Protect}
	}
	sep := piece{" " + a.paint.Glyph(themes.GlyphSep) + " ", themes.Muted}
	user := piece{gap + id.User, themes.Muted}
	version := piece{"", themes.Muted}
	if v := a.cluster.Health().Version; v != "" {
		version.text = gap + v
	}
	end := piece{gap, themes.Text}
	scope := func(short bool) piece { return piece{a.scopeText(short, long), themes.Text} }
	return [][]piece{
		{context, sep, scope(false), user, writes, version, end},
		{context, sep, scope(true), user, writes, version, end},
		{context, sep, scope(true), user, writes, end},
		{context, sep, scope(true), piece{text.CutMiddle(user.text, 16, a.paint.Glyph(themes.GlyphEllipsis)), user.token}, writes, end},
		{context, sep, scope(true), end},
		{piece{text.CutMiddle(context.text, 20, a.paint.Glyph(themes.GlyphEllipsis)), themes.Text}, sep, scope(true), end},
		{piece{text.CutMiddle(context.text, 20, a.paint.Glyph(themes.GlyphEllipsis)), themes.Text}, end},
		{end},
	}
}

// mayAct reports whether the server is known to allow any action.
func (a *App) mayAct() bool {
	return a.runner.May()
}

// scopeText names the namespaces that are looked at.
func (a *App) scopeText(short, long bool) string {
	s := a.cluster.Scope()
	switch {
	case s.All() && short:
		return "all ns"
	case s.All():
		return "all namespaces"
	case short && len(s.Namespaces) > 1:
		return fmt.Sprintf("%s +%d", text.Clean(s.Namespaces[0]), len(s.Namespaces)-1)
	}
	names := slices.Clone(s.Namespaces)
	for i := range names {
		names[i] = text.Clean(names[i])
	}
	t := strings.Join(names, ", ")
	if s.Limited != nil && long {
		t += " (all you may list)"
	}
	return t
}

// status says how fresh what is on the screen is.
func (a *App) status(long bool) []piece {
	frozen := " " + a.paint.Glyph(themes.GlyphFrozen) + " frozen "
	if long || a.up() {
		frozen += "at " + a.rowTime().Format(time.TimeOnly) + " "
	}
	switch {
	case !a.frozen.IsZero() && !a.up():
		return []piece{{frozen, themes.Ask}, {a.noAnswer(long), themes.Danger}}
	case !a.frozen.IsZero():
		return []piece{{frozen, themes.Ask}}
	case !a.up():
		return []piece{{a.noAnswer(long), themes.Danger}}
	}
	worst, kind := a.worst()
	switch worst.Phase {
	case kube.Loading:
		return []piece{{fmt.Sprintf("%s %s %s%s", a.spinner(), kind, text.Count(worst.Seen), a.paint.Glyph(themes.GlyphEllipsis)), themes.Focus}}
	case kube.Stale:
		s := " " + a.paint.Glyph(themes.GlyphWarn) + " stale " + text.Age(a.now, worst.Since)
		if long {
			s += " (" + a.local(worst.Since).Format(time.TimeOnly) + ")"
		}
		return []piece{{s + " ", themes.Caution}}
	case kube.Live, kube.Denied, kube.Failed: // the pane itself says what it may not see
	}
	return []piece{{a.paint.Glyph(themes.GlyphLive), themes.OK}, {" live", themes.Text}}
}

// noAnswer says since when the server has not answered, and when it is asked again.
func (a *App) noAnswer(long bool) string {
	h := a.cluster.Health()
	s := " " + a.paint.Glyph(themes.GlyphBad) + " no answer "
	switch {
	case h.LastContact.IsZero():
		s += "yet"
	case long:
		s += "since " + a.local(h.LastContact).Format(time.TimeOnly)
	default:
		s += text.Age(a.now, h.LastContact)
	}
	if long && !h.NextTry.IsZero() {
		s += fmt.Sprintf(", next try in %ds", max(0, int(h.NextTry.Sub(a.now).Round(time.Second).Seconds())))
	}
	return s + " "
}

// spinner turns while rows come in; it is driven by the clock, so that it costs nothing of its own.
func (a *App) spinner() string {
	frames := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	if !a.look.utf8 {
		frames = []string{"|", "/", "-", "\\"}
	}
	return frames[int(a.now.UnixMilli()/250)%len(frames)]
}

// leisurely are the panes that take their time to be read, after the others: they say so themselves. Certificates are looked for in
// many places, some of which are slow.
var leisurely = []string{"certs", "events", "top"}

// worst is the state that the operator must know of, and of which pane. What may not be seen, or is not there, is said
// in its pane.
func (a *App) worst() (kube.State, string) {
	var out kube.State
	out.Phase = kube.Live
	name := ""
	for _, p := range a.panes {
		s := p.State()
		if s.Phase == kube.Loading && slices.Contains(leisurely, p.Name()) {
			continue
		}
		if s.Phase == kube.Loading || s.Phase == kube.Stale && out.Phase != kube.Loading {
			out, name = s, p.Name()
		}
	}
	return out, name
}

// alarm counts what is critical and what is a warning among nodes, pods and certificates: what is wrong with a workload is,
// nearly always, what is wrong with its pods, and is not counted twice. The Certs pane says which of its rows count here.
func (a *App) alarm(long bool) []piece {
	bad, warn := 0, 0
	for _, p := range a.panes {
		if p.Needs()&kube.Workloads != 0 {
			continue
		}
		counts := p.Counts()
		bad += counts[kube.Bad]
		warn += counts[kube.Warning]
	}
	words := [2]string{"", ""}
	if long {
		words = [2]string{" critical", " warning"}
	}
	var out []piece
	if bad > 0 {
		out = append(out, piece{fmt.Sprintf("%s %s%s", a.paint.Glyph(themes.GlyphBad), text.Count(bad), words[0]), themes.Bad})
	}
	if warn > 0 {
		if bad > 0 {
			out = append(out, piece{"  ", themes.Text})
		}
		out = append(out, piece{fmt.Sprintf("%s %s%s", a.paint.Glyph(themes.GlyphWarn), text.Count(warn), words[1]), themes.Warn})
	}
	return out
}

// drawTabs names the panes, with how many of their rows want attention.
func (a *App) drawTabs(w int) string {
	l := newLine(a.paint, w)
	bar := a.paint.Glyph(themes.GlyphVert)
	if w >= wide {
		bar = " " + bar + " "
	}
	name := chip
	if a.tabsWidth() > w {
		name = briefChip
	}
	l.say(" ", themes.Text)
	for i, p := range a.panes {
		if i > 0 {
			l.say(bar, themes.Border)
		}
		name := name(i, p)
		count, severity := p.Tab()
		if i == a.focus {
			l.bold(name, themes.Focus)
		} else {
			l.say(name, themes.Muted)
		}
		if count != "" {
			l.say(" "+count, attention(severity))
		}
	}
	return l.String()
}

// tabsWidth is what the tabs take with the whole names of the panes, on a screen that is not wide.
func (a *App) tabsWidth() int {
	w := len(a.panes)
	for i, p := range a.panes {
		count, _ := p.Tab()
		w += text.Width(chip(i, p)) + text.Width(count)
		if count != "" {
			w++
		}
	}
	return w
}

// chip is a pane's number and title.
func chip(i int, p views.View) string {
	name := p.Name()
	return fmt.Sprintf("%d %s", i+1, strings.ToUpper(name[:1])+name[1:])
}

// briefNames are those of the panes whose titles give way first where it is narrow.
var briefNames = map[string]string{"workloads": "Work", "actions": "Acts"}

// briefChip is chip where there is no room for all titles.
func briefChip(i int, p views.View) string {
	if name, ok := briefNames[p.Name()]; ok {
		return fmt.Sprintf("%d %s", i+1, name)
	}
	return chip(i, p)
}

func attention(s kube.Severity) themes.Token {
	switch s {
	case kube.Bad:
		return themes.Bad
	case kube.Warning:
		return themes.Warn
	default:
		return themes.Muted
	}
}
