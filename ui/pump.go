package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"ktriage/kube"
)

// changedMsg is the only message that the pump sends: snapshots of these kinds are new.
type changedMsg struct{ kinds kube.Kinds }

// pump tells the program of news, one message for any number of events. It is the only goroutine that calls
// Program.Send, because Send blocks for as long as the terminal takes no output, while a program of ours runs in its
// place, and while we are suspended: whoever calls it must have nothing else to do.
//
// The publisher keeps the distance between two pieces of news, and answers at once what a key has asked. Only while nobody
// looks is there a longer gap; woken ends it.
func pump(ctx context.Context, send func(tea.Msg), n *kube.Notifier, gap func() time.Duration, woken <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.Wake():
		}
		if k := n.Take(); k != 0 {
			send(changedMsg{k})
		}
		timer := time.NewTimer(gap())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}
