package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What a session costs on the line, in bytes, at 200x50 and 256 colours: an SSH session over a slow link pays for all.
func TestBytesOfARowThatChangesAndOfAScroll(t *testing.T) {
	inSession(t, 200, 50, func(s *session) {
		s.Put(node("worker-1"))
		for i := range 500 {
			s.Put(pod("batch", fmt.Sprintf("job-%04d", i), "worker-1"))
		}
		s.Put(pod("shop", "cart-0", "worker-1", failing))
		s.deps.Pane = "pods"
		s.start()
		s.Press("z", "j", "j", "j")
		s.Wait(toastTime)

		for _, c := range []struct {
			what string
			most int
			do   func()
		}{
			{"a row that changes", 60, func() { s.Put(pod("shop", "cart-0", "worker-1", failing, again)); s.Settle() }},
			{"a second in which no age changes", 0, func() { s.Wait(time.Second) }},
			{"the cursor, one row down", 600, func() { s.Press("j") }},
			{"a scroll by one row", 600, func() { s.toBottom(); s.Written(); s.Press("j") }},
			{"a page", 9000, func() { s.Press("pgdown") }},
		} {
			s.Written()
			c.do()
			got := len(s.Written())
			t.Logf("%s: %d bytes, at most %d", c.what, got, c.most)
			if got > c.most {
				t.Errorf("%s: %d bytes, more than %d", c.what, got, c.most)
			}
		}
	})
}

// failing makes a pod whose image cannot be pulled: a bad row without an age that ticks every second.
func failing(p *corev1.Pod) {
	unready(p)
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
}

// again is the next attempt.
func again(p *corev1.Pod) { p.Status.ContainerStatuses[0].State.Waiting.Reason = "ErrImagePull" }

// toBottom moves the cursor to the last line of the screen, so that the next step scrolls.
func (s *session) toBottom() {
	for range 60 {
		before, _, _ := strings.Cut(s.Screen(), "▌")
		s.Press("j")
		if above, _, _ := strings.Cut(s.Screen(), "▌"); strings.Count(above, "\n") == strings.Count(before, "\n") {
			return
		}
	}
	s.t.Fatal("the cursor does not come to the bottom")
}

// A quiet cluster costs what its ages cost: a few bytes for each that ticks over, and nothing in between.
func TestQuietHourCostsOnlyItsAges(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.Put(node("worker-1"))
		for _, name := range []string{"a", "b", "c"} {
			s.Put(pod("shop", name, "worker-1"))
		}
		s.deps.Pane = "pods"
		s.start()
		s.Written()
		busy, bytes := 0, 0
		for range 3600 {
			s.Wait(time.Second)
			if n := len(s.Written()); n > 0 {
				busy++
				bytes += n
			}
		}
		t.Logf("%d seconds of an hour wrote %d bytes", busy, bytes)
		// Between 3h and 4h the ages are 3h1m, 3h2m, ...: three rows and the line of the selected one, once a minute.
		if busy == 0 || busy > 60+1 || bytes > 60*4*40 {
			t.Errorf("%d seconds of an hour wrote %d bytes", busy, bytes)
		}
	})
}
