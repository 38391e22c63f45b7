package ui

import (
	"context"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"ktriage/internal/logs"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
	"ktriage/views"
)

// App is the program's only tea.Model. Everything on the screen is a plain struct that it owns and calls.
type App struct {
	ctx      context.Context //nolint:containedctx // the program's own; Bubble Tea gives Update none
	cluster  *kube.Cluster
	keys     *keymap.Map
	resolver keymap.Resolver
	pending  keymap.Match // a sequence has been begun: the which-key hint
	messages *logs.Ring
	readOnly bool

	panes   []views.View
	focus   int
	layout  layout
	chosen  bool // the operator has chosen the layout: a resize leaves it
	zoomed  bool
	history history
	input   *prompt // the filter line, while it is typed
	overlay overlay // what covers the panes
	toast   toast
	frozen  time.Time // the screen holds still since then

	look  look
	paint *themes.Painter

	size    views.Size
	now     time.Time
	utc     bool
	asleep  atomic.Bool // the terminal has lost the focus; read by the pump
	dirty   bool        // there is something to draw
	frame   string      // what was drawn last
	cursor  *tea.Cursor
	asked   time.Time // when the terminal was asked what it can do
	replied bool      // it has answered: nothing more comes that could land in the shell
	quit    bool
	err     error // why the program ends, if not because the operator wants it
}

// look is all that the colours are made from.
type look struct {
	theme   themes.Theme
	dark    bool
	forced  bool // light or dark was said, so the terminal is not asked
	profile colorprofile.Profile
	fixed   bool // the profile was said
	utf8    bool
}

// Messages of our own.
type (
	tickMsg  time.Time
	probeMsg struct{ err error }
	quitMsg  struct{}
	toastMsg struct{}
)

// Init implements tea.Model.
func (a *App) Init() tea.Cmd {
	a.asked = a.now
	return tea.Batch(tick(), a.probe(), a.askTerminal())
}

// tick is the pulse of ages and counters.
func tick() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// probe asks the server who we are; the answer is an error only if there is no point in going on.
func (a *App) probe() tea.Cmd {
	return func() tea.Msg { return probeMsg{a.cluster.Probe(a.ctx)} }
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if a.frozen.IsZero() {
		a.now = a.clock()
	}
	switch msg := msg.(type) {
	case changedMsg:
		return a, a.changed(msg.kinds)
	case tickMsg:
		a.dirty = a.dirty || a.frozen.IsZero()
		return a, tick()
	case tea.KeyPressMsg:
		a.dirty = true
		return a, a.key(msg)
	case tea.PasteMsg:
		return a, a.paste(text.Clean(msg.Content))
	case tea.WindowSizeMsg:
		a.resize(views.Size{W: msg.Width, H: msg.Height})
	case tea.FocusMsg:
		a.asleep.Store(false)
		a.dirty = true
	case tea.BlurMsg:
		a.asleep.Store(true)
	case tea.ResumeMsg:
		a.dirty = true
		return a, tea.Batch(tea.ClearScreen, tea.RequestWindowSize)
	case probeMsg:
		return a, a.probed(msg.err)
	case toastMsg:
		a.dirty = true
	case quitMsg:
		return a, tea.Quit
	default:
		return a, a.terminalSays(msg)
	}
	return a, nil
}

// clock is the time, in the zone that the operator wants to read.
func (a *App) clock() time.Time {
	now := time.Now()
	if a.utc {
		return now.UTC()
	}
	return now
}

// changed hands news to the panes that need them. A frozen screen takes none; it catches up when it is let go.
func (a *App) changed(kinds kube.Kinds) tea.Cmd {
	if !a.frozen.IsZero() {
		return nil
	}
	a.dirty = true
	var cmds []tea.Cmd
	for _, p := range a.panes {
		if p.Needs()&kinds != 0 {
			cmds = append(cmds, a.do(p.Handle(views.Changed{Kinds: kinds})))
		}
	}
	return tea.Batch(cmds...)
}

// probed takes the answer to who we are. Credentials that the server refuses at the start, and a namespace that does not
// exist, are better said in the shell than on a screen without rows; a server that does not answer is waited for.
func (a *App) probed(err error) tea.Cmd {
	a.dirty = true
	if err == nil {
		return nil
	}
	if kube.Explain(err).Code > 1 {
		a.err = err
		return a.leave()
	}
	return tea.Tick(probeAgain, func(time.Time) tea.Msg { return a.probe()() })
}

// probeAgain is how long after a failed probe the next one is sent.
const probeAgain = 5 * time.Second

func (a *App) resize(s views.Size) {
	a.size, a.dirty = s, true
	if !a.chosen {
		a.layout = startLayout(s)
	}
}

// View implements tea.Model: the last frame, unless something has changed. Bubble Tea asks after every message and
// again and again, so that the answer must cost nothing.
func (a *App) View() tea.View {
	if a.dirty && a.size.W > 0 {
		a.frame, a.cursor = a.draw()
		if !a.look.utf8 {
			a.frame = text.ASCII(a.frame)
		}
		a.dirty = false
	}
	v := tea.NewView(a.frame)
	v.AltScreen, v.ReportFocus = true, true
	v.Cursor = a.cursor
	v.WindowTitle = "ktriage " + text.ASCII(text.Clean(a.cluster.Context()))
	return v
}

// pane is the focused one.
func (a *App) pane() views.View { return a.panes[a.focus] }

// askTerminal asks what the environment does not say. Over SSH Bubble Tea does not ask for synchronized output; we do,
// but only terminals that answer like a VT420 or later are asked, since older ones print what they do not understand.
func (a *App) askTerminal() tea.Cmd {
	var cmds []tea.Cmd
	if !a.look.forced {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	if !a.look.fixed {
		cmds = append(cmds, tea.RequestCapability("RGB"), tea.RequestCapability("Tc"))
	}
	return tea.Batch(append(cmds, tea.Raw(ansi.RequestPrimaryDeviceAttributes))...)
}

// terminalSays takes the terminal's answers.
func (a *App) terminalSays(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.BackgroundColorMsg:
		if !a.look.forced {
			a.look.dark = msg.IsDark()
			a.repaint()
		}
	case tea.ColorProfileMsg:
		if !a.look.fixed {
			a.look.profile = msg.Profile
			a.repaint()
		}
	case uv.PrimaryDeviceAttributesEvent:
		a.replied = true // terminals answer in order, and this was asked last
		if len(msg) > 0 && msg[0] >= 61 {
			return tea.Raw(ansi.RequestModeSynchronizedOutput)
		}
	}
	return nil
}

func (a *App) repaint() {
	a.paint = themes.Compile(a.look.theme, themes.Options{Dark: a.look.dark, Profile: a.look.profile, UTF8: a.look.utf8})
	a.dirty = true
}

// replyWait is how long a quick quit waits for the terminal's answers, so that they do not land in the shell.
const replyWait = 500 * time.Millisecond

// leave ends the program.
func (a *App) leave() tea.Cmd {
	if a.quit {
		return tea.Quit
	}
	a.quit = true
	if wait := replyWait - time.Since(a.asked); !a.replied && wait > 0 {
		return tea.Tick(wait, func(time.Time) tea.Msg { return quitMsg{} })
	}
	return tea.Quit
}
