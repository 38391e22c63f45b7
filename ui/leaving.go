package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// leaving asks what is to become of the actions that run when the operator wants to quit.
type leaving struct {
	app      *App
	insisted time.Time // when ctrl+c came last
	waiting  bool      // quit when everything has ended
}

// insist is within what time a second ctrl+c ends the program without any more questions.
const insist = 2 * time.Second

// wantToLeave quits, unless something runs: then it asks. Who insists is not asked twice.
func (a *App) wantToLeave(id keymap.ID) tea.Cmd {
	if len(a.runner.Running()) == 0 {
		return a.leave()
	}
	l, asked := a.overlay.(*leaving)
	if asked && a.now.Sub(l.insisted) < insist {
		return a.leave()
	}
	if !asked {
		l = &leaving{app: a}
		a.open(l)
	}
	if id != keymap.Interrupt {
		return nil
	}
	l.insisted = a.now
	return a.flash(a.keys.Key(keymap.Interrupt)+" again quits at once", themes.Warn)
}

// quitting reports whether the program ends as soon as nothing runs any more.
func (a *App) quitting() bool {
	l, ok := a.overlay.(*leaving)
	return ok && l.waiting
}

func (l *leaving) scope() keymap.Scope { return keymap.Leaving }
func (l *leaving) field() *prompt      { return nil }
func (l *leaving) atBottom() bool      { return true }

func (l *leaving) run(id keymap.ID) (bool, tea.Cmd) {
	switch id {
	case keymap.LeaveCancel:
		for _, r := range l.app.runner.Running() {
			l.app.runner.Cancel(r.ID)
		}
		l.waiting = true
	case keymap.LeaveWait:
		l.waiting = true
	default:
		return false, nil
	}
	return true, nil
}

func (l *leaving) draw(s views.Size) ([]string, *tea.Cursor) {
	all := l.app.runner.Running()
	verb := "is"
	if len(all) > 1 {
		verb = "are"
	}
	b := &boxed{app: l.app, tier: action.Read, left: fmt.Sprintf("%s %s running", text.Plural(len(all), "action", "actions"), verb)}
	for _, r := range all {
		b.say(fmt.Sprintf("%s %s, %s: %s", r.Action.Verb(), r.Target.Name(), text.Age(l.app.now, r.Started), r.Note), themes.Text)
	}
	key := l.app.keys.Key
	if l.waiting {
		b.say("", themes.Text)
		b.say(l.app.spinner()+" ktriage quits when they have ended.", themes.Focus)
	} else {
		b.say("", themes.Text)
		b.choice(key(keymap.TextClose), "stay here")
		b.choice(key(keymap.LeaveWait), "wait here until they have ended, then quit")
		b.choice(key(keymap.LeaveCancel), "cancel them, then quit: nothing more is sent; nodes stay cordoned")
		b.choice(key(keymap.Interrupt), "again within 2s: quit at once; the next start finds what was cut off")
	}
	return b.draw(s), nil
}
