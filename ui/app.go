package ui

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"ktriage/internal/logs"
	"ktriage/internal/recall"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// App is the program's only tea.Model. Everything on the screen is a plain struct that it owns and calls.
type App struct {
	program  *tea.Program
	ctx      context.Context //nolint:containedctx // the program's own; Bubble Tea gives Update none
	cluster  *kube.Cluster
	runner   *action.Runner
	keys     *keymap.Map
	resolver keymap.Resolver
	pending  keymap.Match // a sequence has been begun: the which-key hint
	messages *logs.Ring
	logger   *slog.Logger
	readOnly bool

	panes    []views.View
	focus    int
	layout   layout
	chosen   bool // the operator has chosen the layout: a resize leaves it
	zoomed   bool
	history  history
	input    *prompt         // the filter line, while it is typed
	filters  *recall.Filters // of earlier
	recalled recalled        // what of them stands in the line
	before   views.Place     // where the pane stood when the filter line was opened
	ahead    []tea.Msg       // typed before the rows were there that it is meant for
	overlay  overlay         // what covers the panes
	toast    toast
	banner   banner

	askedIn  []string        // the namespaces for which the server was asked what we may do
	watching map[string]bool // IDs of the runs whose end has not been said yet
	stood    map[string]bool // what runs have left behind and has been said
	reminded map[string]int  // how often it was said of a run that it goes on, by its ID
	// offeredCuts are the runs that were cut off and have been shown: who decides later is not asked again and again.
	offeredCuts map[*action.Cut]bool
	said        *stillSaid
	frozen      time.Time // the screen holds still since then: rows are those of that time, all else goes on

	look  look
	paint *themes.Painter

	size   views.Size
	now    time.Time // when the last message came
	utc    bool
	asleep atomic.Bool   // the terminal has lost the focus; read by the pump
	woken  chan struct{} // capacity 1: it has the focus again
	dirty  bool          // there is something to draw
	pace   *pace         // nil until the first frame
	frame  string        // what was drawn last
	cursor *tea.Cursor
	asking asking
	quit   bool
	err    error // why the program ends, if not because the operator wants it
}

// look is all that the colours are made from.
type look struct {
	theme   themes.Theme
	dark    bool
	forced  bool // light or dark was said, so the terminal is not asked
	profile colorprofile.Profile
	fixed   bool // the profile was said
	utf8    bool
	term    string // TERM
}

// Messages of our own.
type (
	tickMsg  time.Time
	probeMsg struct{ err error }
	quitMsg  struct{}
	toastMsg struct{}
	aheadMsg struct{}
)

// Init implements tea.Model.
func (a *App) Init() tea.Cmd {
	return tea.Batch(tick(), a.probe(), a.askAttributes(), a.rescoped(), a.readLog(), a.watchLog())
}

// tick is the pulse of ages and counters.
func tick() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// probe asks the server who we are, until it answers.
func (a *App) probe() tea.Cmd {
	return func() tea.Msg { return probeMsg{a.cluster.KeepProbing(a.ctx)} }
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	a.now = a.clock()
	switch msg := msg.(type) {
	case changedMsg:
		return a, a.changed(msg.kinds)
	case tickMsg:
		a.dirty = true
		a.offer()
		a.runner.LookAgain()
		return a, tea.Batch(tick(), a.remind())
	case tea.KeyPressMsg:
		a.wake() // some multiplexers tell that the focus went, and not that it came back
		return a, a.typedAhead(msg)
	case tea.PasteMsg:
		return a, a.typedAhead(msg)
	case tea.WindowSizeMsg:
		a.resize(views.Size{W: msg.Width, H: msg.Height})
	case tea.FocusMsg:
		a.wake()
		a.dirty = true
	case tea.BlurMsg:
		a.asleep.Store(true)
	case tea.ResumeMsg:
		a.dirty = true
		return a, tea.Batch(tea.ClearScreen, tea.RequestWindowSize)
	case probeMsg:
		return a, a.probed(msg.err)
	case planMsg:
		a.planned(msg)
	case confirmMsg:
		return a, a.confirmed(msg)
	case leftMsg:
		return a, a.leftAlone(msg)
	case unrememberedMsg:
		return a, a.unremembered(msg)
	case numberMsg:
		return a, a.numbered(msg)
	case toastMsg:
		a.dirty = true
	case aheadMsg:
		return a, a.catchUp(true)
	case quitMsg:
		return a, tea.Quit
	default:
		if r, ok := a.overlay.(*review); ok {
			r.heard(a.now, "") // it may have come with letters that nobody has typed
		}
		return a, a.terminalSays(msg)
	}
	return a, nil
}

// clock is the time, in the zone that the operator wants to read.
func (a *App) clock() time.Time { return a.local(time.Now()) }

// local is a time in the zone that the operator wants to read.
func (a *App) local(t time.Time) time.Time {
	if a.utc {
		return t.UTC()
	}
	return t.Local()
}

// rowTime is the time as of which rows are shown.
func (a *App) rowTime() time.Time {
	if a.frozen.IsZero() {
		return a.now
	}
	return a.local(a.frozen)
}

// changed hands news to the panes that need them. A frozen screen takes none but the answer to what was asked before; it
// catches up when it is let go. What a pane that has not the focus has to say would hide what is said of the row that is
// looked at.
func (a *App) changed(kinds kube.Kinds) tea.Cmd {
	var cmds []tea.Cmd
	a.dirty = a.dirty || kinds&kube.Connection != 0 // the header tells of it
	if kinds&kube.Certs != 0 {
		a.banner.look(a.cluster.Identity().User, a.now)
	}
	for i, p := range a.panes {
		if p.Needs()&kinds == 0 || !a.frozen.IsZero() && !p.Waiting() {
			continue
		}
		a.dirty = true
		effects := p.Handle(views.Changed{Kinds: kinds})
		if i == a.focus {
			cmds = append(cmds, a.do(effects))
		}
	}
	if kinds&kube.Actions != 0 {
		cmds = append(cmds, a.runsChanged())
	}
	if kinds&kube.Connection != 0 {
		cmds = append(cmds, a.rescoped())
	}
	return tea.Batch(append(cmds, a.catchUp(false))...)
}

// probed takes the answer to who we are. Credentials that the server refuses at the start, and a namespace that does not
// exist, are better said in the shell than on a screen without rows; a server that does not answer is waited for.
func (a *App) probed(err error) tea.Cmd {
	a.dirty = true
	if err == nil {
		return nil
	}
	a.err = err
	return a.leave()
}

func (a *App) resize(s views.Size) {
	a.size, a.dirty = s, true
	if !a.chosen {
		a.layout = startLayout(s)
	}
}

// View implements tea.Model: the last frame, unless something has changed. Bubble Tea asks after every message and
// again and again, so that the answer must cost nothing.
func (a *App) View() tea.View {
	if a.pace == nil {
		a.pace = newPace(a.program)
	}
	if a.dirty && a.size.W > 0 {
		a.frame, a.cursor = a.draw()
		if !a.look.utf8 {
			a.frame = text.ASCII(a.frame)
		}
		a.dirty = false
		a.pace.soon()
	}
	v := tea.NewView(a.frame)
	v.AltScreen, v.ReportFocus = true, true
	v.Cursor = a.cursor
	v.WindowTitle = "ktriage " + text.ASCII(text.Clean(a.cluster.Context()))
	return v
}

// pane is the focused one.
func (a *App) pane() views.View { return a.panes[a.focus] }

func (a *App) repaint() {
	a.paint = themes.Compile(a.look.theme, themes.Options{Dark: a.look.dark, Profile: a.look.profile, UTF8: a.look.utf8})
	a.dirty = true
}

// wake notes that somebody looks at the screen.
func (a *App) wake() {
	if !a.asleep.Swap(false) {
		return
	}
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// leave ends the program.
func (a *App) leave() tea.Cmd {
	if a.quit {
		return tea.Quit
	}
	a.quit = true
	if wait := a.asking.wait(time.Now()); wait > 0 {
		return tea.Tick(wait, func(time.Time) tea.Msg { return quitMsg{} })
	}
	return tea.Quit
}
