package ui

import (
	"slices"
	"testing"
	"time"

	"ktriage/kube"
)

// told are events of any object, the newest first.
type told []*kube.Event

func (t *told) EventsOf(kube.Ref) []*kube.Event { return *t }
func (*told) EventsState() kube.State           { return kube.State{Phase: kube.Live} }

func TestWhatIsSaidWhileTheScreenIsFrozenIsSeenWhenItGoesOn(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *kube.Event { return &kube.Event{Reason: d.String(), Last: noon.Add(d)} }
	all := told{at(-time.Minute)}
	s := &stillSaid{Said: &all}
	reasons := func(name string) (out []string) {
		for _, e := range s.EventsOf(kube.Ref{Kind: kube.Pods, Name: name}) {
			out = append(out, e.Reason)
		}
		return out
	}
	s.freeze(noon)
	if got := reasons("seen"); !slices.Equal(got, []string{"-1m0s"}) {
		t.Errorf("frozen it gives %q", got)
	}
	all = told{at(time.Second), at(-time.Second), at(-time.Minute)}
	if got := reasons("seen"); !slices.Equal(got, []string{"-1m0s"}) {
		t.Errorf("what it has given has become %q", got)
	}
	if got := reasons("looked at later"); !slices.Equal(got, []string{"-1s", "-1m0s"}) {
		t.Errorf("of another object it gives %q", got)
	}
	s.freeze(time.Time{})
	if got := reasons("seen"); !slices.Equal(got, []string{"1s", "-1s", "-1m0s"}) {
		t.Errorf("when the screen goes on it gives %q", got)
	}
}
