package views

import (
	"maps"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// Events is where the Events pane gets what it shows.
type Events struct {
	Groups  Feed[*kube.EventGroup] // as the operator wants them
	Singles Feed[*kube.Event]      // the same
	All     Feed[*kube.Event]      // all that are kept singly, whatever the filter
}

// events is the Events pane: what was said of the cluster in groups by its cause, or one by one. Each of the two lists can be held still
// by itself.
type events struct {
	groups  *list[*kube.EventGroup]
	singles *list[*kube.Event]

	groupHold  *hold[*kube.EventGroup]
	singleHold *hold[*kube.Event]

	all     Feed[*kube.Event]
	known   *kube.Snapshot[*kube.Event] // of all
	lens    lens
	members map[string]bool // UIDs of the groups that events of lens.about belong to
	home    bool            // events were shown one by one when one came here: going back does not lead to the groups
	now     time.Time       // when it was drawn last: what a mark and a hold mean by now
}

// NewEvents makes the Events pane.
func NewEvents(from Events) View {
	v := &events{
		groupHold: &hold[*kube.EventGroup]{Feed: from.Groups}, singleHold: &hold[*kube.Event]{Feed: from.Singles},
		all: from.All, known: &kube.Snapshot[*kube.Event]{},
	}
	v.all.SetQuery(query(order[*kube.Event]{id: "all", key: lastSaid}, false, eventsByName, Filter{}, nil))
	v.groups = newList[*kube.EventGroup](v.groupHold, v.groupSpec())
	v.singles = newList[*kube.Event](v.singleHold, v.singleSpec())
	return v
}

// shown is the list that has the pane now.
func (v *events) shown() View {
	if v.lens.singles {
		return v.singles
	}
	return v.groups
}

// Name implements View.
func (v *events) Name() string { return v.groups.Name() }

// Scope implements View.
func (v *events) Scope() keymap.Scope { return keymap.Events }

// Needs implements View.
func (v *events) Needs() kube.Kinds { return kube.Events }

// Handle implements View. Both lists hear of news; keys go to the one that is shown.
func (v *events) Handle(e Event) []Effect {
	switch e := e.(type) {
	case Changed:
		return v.load(e)
	case Go:
		return v.goTo(e.Place)
	case Intent:
		return v.intent(e)
	}
	return v.shown().Handle(e)
}

// load takes what is new. Only the list that is shown has something to say.
func (v *events) load(e Changed) []Effect {
	v.known = v.all.Load()
	singles, groups := v.singles.Handle(e), v.groups.Handle(e)
	v.groupHold.count(func(g *kube.EventGroup) int { return g.Count })
	v.singleHold.count(func(e *kube.Event) int { return e.Count })
	if !v.lens.singles && !v.groupHold.held() && !maps.Equal(v.members, v.belonging()) {
		v.look(v.lens)
	}
	if v.lens.singles {
		return singles
	}
	return groups
}

// belonging gives the groups that the events about the object belong to that the pane is pinned to, nil if it is not. Groups do not
// say all that they are about.
func (v *events) belonging() map[string]bool {
	if v.lens.about == "" {
		return nil
	}
	about, groups := v.lens.aboutEvent(), map[string]bool{}
	for i := range v.known.Len() {
		if e := v.known.Row(i); about(e) {
			groups[e.Group] = true
		}
	}
	return groups
}

// look looks at other events. The cursor stays on its row, if that is among them.
func (v *events) look(l lens) {
	v.lens = l
	if l.singles {
		refocus(v.singles, l.question())
		return
	}
	before := v.members
	v.members = v.belonging()
	if asked := refocus(v.groups, l.question()); !asked && !maps.Equal(before, v.members) {
		v.groups.ask(v.groups.asked())
	}
}

// refocus pins a list to something else, and reports whether that was another pin.
func refocus[R kube.Row](l *list[R], p Pin) bool {
	q := l.asked()
	if q.pin == p {
		return false
	}
	q.pin = p
	l.ask(q)
	return true
}

// goTo takes the pane to a place. That warnings alone are shown, and since when, stays: it is how one looks, not at what.
func (v *events) goTo(p Place) []Effect {
	l := lensOf(p.Pin)
	l.warnings, l.since = v.lens.warnings, v.lens.since
	v.home = l.singles
	v.look(l)
	p.Pin = l.question()
	return v.shown().Handle(Go{p})
}

// intent answers a key.
func (v *events) intent(e Intent) []Effect {
	l := v.lens
	switch e.ID {
	case keymap.EventWarnings:
		l.warnings = !l.warnings
		v.look(l)
		return nil
	case keymap.EventMark:
		v.look(l.marked(v.clock()))
		return nil
	case keymap.EventSingles:
		return v.toggle()
	case keymap.EventFollow:
		return v.follow()
	}
	effects := v.shown().Handle(e)
	if len(effects) == 1 && effects[0] == (Up{}) && v.climb() {
		return nil
	}
	return effects
}

// clock is the time that the operator sees.
func (v *events) clock() time.Time {
	if v.now.IsZero() {
		return v.groups.snap.Moment.Now
	}
	return v.now
}

// toggle shows events one by one, or in groups. The filter goes along.
func (v *events) toggle() (effects []Effect) {
	l := v.lens
	l.singles, l.group = !l.singles, ""
	v.home = false
	if l.singles {
		effects = takeFilter(v.singles, v.groups.asked().filter.Text)
	} else {
		effects = takeFilter(v.groups, v.singles.asked().filter.Text)
	}
	v.look(l)
	return effects
}

// takeFilter filters a list with the words of the other. What it cannot read, such as a field that its rows do not have, it leaves out,
// and says so.
func takeFilter[R kube.Row](l *list[R], words string) []Effect {
	l.setFilter(words)
	if l.fault == nil {
		return nil
	}
	why := l.fault.Reason
	l.setFilter("")
	return []Effect{Flash{"shown without the filter: " + why, themes.Warn}}
}

// enter shows the events of a group one by one.
func (v *events) enter(g *kube.EventGroup) []Effect {
	l := v.lens
	l.singles, l.group = true, g.UID
	v.home = false
	takeFilter(v.singles, "")
	v.singles.table.Reset()
	v.look(l)
	return nil
}

// climb goes from single events back to the groups, and reports whether it did: not if one came to the single events from elsewhere.
func (v *events) climb() bool {
	if !v.lens.singles || v.home {
		return false
	}
	l := v.lens
	l.singles, l.group = false, ""
	v.look(l)
	return true
}

// follow holds the list still that is shown, or lets it go on.
func (v *events) follow() []Effect {
	at := v.clock()
	switch {
	case v.lens.singles && v.singleHold.held():
		v.singleHold.release()
		return v.singles.Handle(Changed{})
	case v.lens.singles:
		return v.singleHold.keep(at, v.singles.Waiting())
	case v.groupHold.held():
		v.groupHold.release()
		return v.load(Changed{})
	}
	return v.groupHold.keep(at, v.groups.Waiting())
}

// Why implements View.
func (v *events) Why(id keymap.ID) string { return v.shown().Why(id) }

// Place implements View.
func (v *events) Place() Place {
	p := v.shown().Place()
	p.Pin = v.lens.pin()
	return p
}

// Draw implements View.
func (v *events) Draw(b *strings.Builder, s Size, f Frame) (cursor int) {
	v.now = f.Now
	return v.shown().Draw(b, s, f)
}

// Tab implements View: events are evidence, and have no number of their own.
func (v *events) Tab() (string, kube.Severity) { return "", kube.OK }

// Counts implements View: what is wrong is counted in the panes of the objects.
func (v *events) Counts() [kube.Bad + 1]int { return [kube.Bad + 1]int{} }

// State implements View: of the events as they are now, also while they are held.
func (v *events) State() kube.State { return v.groupHold.Feed.Load().State }

// Objects implements View: an event is found by its object, which other panes have.
func (v *events) Objects(int) []Object { return nil }

// Strip implements View.
func (v *events) Strip(now time.Time) Strip {
	s := v.shown().Strip(now)
	if e, ok := v.singles.table.Current(); ok && v.lens.singles {
		s.Name = eventObject(e)
	}
	if g, ok := v.groups.table.Current(); ok && !v.lens.singles {
		s.Name = groupObject(g)
	}
	return s
}

// Namespaces implements View.
func (v *events) Namespaces() map[string]int { return nil }

// Waiting implements View.
func (v *events) Waiting() bool { return v.shown().Waiting() }

// Fault implements View.
func (v *events) Fault() *FilterError { return v.shown().Fault() }

// Details implements View. The page of an event stays while the pane knows it, whatever list is shown.
func (v *events) Details(uid string, now time.Time) (Details, bool) {
	if d, ok := v.groupPage(uid, now); ok {
		return d, true
	}
	return v.singlePage(uid, now)
}

// Close implements View.
func (v *events) Close() {
	v.groups.Close()
	v.singles.Close()
	v.all.Close()
}

// tally is what the head says after the numbers: since when, and of what.
func (v *events) tally(f Frame) string {
	said := v.known.Moment.Said
	t := ""
	switch {
	case !v.lens.since.IsZero():
		t = " since " + v.lens.since.In(f.Now.Location()).Format(time.TimeOnly)
	case !said.Since.IsZero():
		t = " since " + hour(said.Since, f.Now)
	}
	for _, words := range v.lens.narrowing() {
		t += " · " + words
	}
	if v.lens.singles && said.Forgotten > 0 {
		t += " · " + text.Count(said.Forgotten) + " older in groups only"
	}
	if group := v.opened(); group != "" {
		t += " · " + group
	}
	if what := v.State().MissingWhat(); what != "" {
		t += " · " + v.State().WhyMissing() + ": " + what
	}
	return t
}

// opened names the group whose events are shown, "" if it is none, or is not known any more.
func (v *events) opened() string {
	if v.lens.group == "" {
		return ""
	}
	if i, ok := v.groups.snap.Find(v.lens.group, 0); ok {
		g := v.groups.snap.Row(i)
		return g.Reason + ", " + groupObject(g)
	}
	return "of one group"
}

// hour is a time of day to the minute, with the date unless it is today.
func hour(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// widen says which keys let more events in.
func (v *events) widen(f Frame) string {
	var keys []string
	if v.lens.warnings {
		keys = append(keys, f.Key(keymap.EventWarnings)+" shows what is no warning, too")
	}
	if !v.lens.since.IsZero() {
		keys = append(keys, f.Key(keymap.EventMark)+" shows what was said before, too")
	}
	return strings.Join(keys, "   ")
}

// standing is the right part of the head: how often something was said in the last hour, what the order is, which rows are in view,
// whether warnings alone are shown, and whether the rows follow what happens; from its longest form to its shortest.
func standing[R kube.Row](v *events, l *list[R], h *hold[R], f Frame) (forms []string, token themes.Token) {
	now, token := l.phase(f).String(), themes.Muted
	if h.held() {
		token = themes.Warn
		now = "held at " + h.since.In(f.Now.Location()).Format(time.TimeOnly)
		if h.newer > 0 {
			now += " · " + text.Count(h.newer) + " newer"
		}
	}
	first, last := l.table.Range()
	if l.snap.Len() > 0 {
		if _, right := l.table.More(); right {
			now += " " + f.Paint.Glyph(themes.GlyphMore)
		}
	}
	types := "warnings+normal · "
	if v.lens.warnings {
		types = "warnings · "
	}
	order, rows := "", ""
	if q := l.shown(); q.order != 0 || q.reverse {
		order = "by " + l.spec.orders[q.order].title
		if q.reverse {
			order += ", reversed"
		}
		order += " · "
	}
	if last-first < l.snap.Len() {
		rows = text.Count(first+1) + "-" + text.Count(last) + " of " + text.Count(l.snap.Len()) + " · "
	}
	rates := rateWords(l.snap.Moment.Said, f.Now)
	return []string{rates[0] + order + rows + types + now, rates[1] + order + rows + types + now,
		order + rows + types + now, order + types + now, types + now, now}, token
}
