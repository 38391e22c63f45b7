package ui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// asking is what the terminal has been asked and has not answered yet.
type asking struct {
	since time.Time // of the last question
	open  int       // requests for device attributes that have no answer
	known bool      // the first has been answered: what else to ask has been decided
}

// replyWait is how long a quick quit waits for the terminal's answers, so that they do not land in the shell.
const replyWait = 500 * time.Millisecond

// wait is for how much longer an answer may come.
func (q asking) wait(now time.Time) time.Duration {
	if q.open == 0 {
		return 0
	}
	return max(0, replyWait-now.Sub(q.since))
}

// askAttributes asks what kind of terminal this is, a question that all of them know.
func (a *App) askAttributes() tea.Cmd { return a.ask("") }

// ask sends questions, and behind them one that every terminal answers. Terminals answer in order: when that answer is
// there, the others are, or will never come.
func (a *App) ask(questions string) tea.Cmd {
	a.asking.since, a.asking.open = time.Now(), a.asking.open+1
	return tea.Raw(questions + ansi.RequestPrimaryDeviceAttributes)
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
		a.asking.open--
		if a.asking.known {
			return nil
		}
		a.asking.known = true
		if questions := a.look.questions(msg); questions != "" {
			return a.ask(questions)
		}
	}
	return nil
}

// vt300 is the least that a terminal of the VT300 series or later answers first to a request for device attributes: 18, 24
// and 41 are models, 61 and more are levels of conformance. So answer xterm (64), kitty and iTerm2 (62 or 64), VTE (61 or
// 65) and Windows Terminal (61). VT100 (1;2) is the answer of tmux, GNU screen, rxvt and Terminal.app, VT102 (6) that of the
// Linux console, PuTTY and Alacritty.
const vt300 = 18

// questions are what may be asked of a terminal that answers so, beyond what the environment and the command line say. One
// prints what it does not understand: a Linux console OSC 11, and Terminal.app device control strings such as XTGETTCAP.
// Over SSH Bubble Tea does not ask for synchronized output; we do.
func (l look) questions(attributes []int) string {
	var q strings.Builder
	if !l.forced && l.term != "linux" && !strings.HasPrefix(l.term, "vt1") {
		q.WriteString(ansi.RequestBackgroundColor)
	}
	if len(attributes) == 0 || attributes[0] < vt300 {
		return q.String()
	}
	if !l.fixed {
		q.WriteString(ansi.RequestTermcap("RGB") + ansi.RequestTermcap("Tc"))
	}
	q.WriteString(ansi.RequestModeSynchronizedOutput)
	return q.String()
}
