package ui

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/audit"
	"ktriage/kube"
	"ktriage/kube/action"
)

func TestWhoQuitsWhileSomethingRunsIsAsked(t *testing.T) {
	running := func(t *testing.T, test func(s *session)) {
		inSession(t, 80, 24, func(s *session) {
			s.shop(budget(0))
			s.Put(pod("shop", "cart-5d9-eeeee", "worker-2", owned("cart"), unready))
			s.start()
			s.plan("r")
			s.Press("G", "y")
			s.Wait(2 * time.Second)
			s.Press("q")
			s.sees("1 action is running", "drain worker-1", "stay here")
			test(s)
		})
	}
	ended := func(s *session) bool {
		select {
		case err := <-s.done:
			s.done <- err
			return true
		default:
			return false
		}
	}
	t.Run("stay", func(t *testing.T) {
		running(t, func(s *session) {
			s.Press("esc")
			s.sees("drain worker-1 · running")
			if ended(s) {
				t.Error("the program has ended")
			}
		})
	})
	t.Run("cancel", func(t *testing.T) {
		running(t, func(s *session) {
			s.Press("x")
			s.Wait(time.Second)
			if !ended(s) {
				t.Errorf("the program goes on:\n%s", s.Screen())
			}
			s.endsAs("cancelled")
		})
	})
	t.Run("wait", func(t *testing.T) {
		running(t, func(s *session) {
			s.Press("w")
			s.sees("ktriage quits when they have ended")
			s.Put(budget(1))
			s.Wait(2 * time.Minute)
			if !ended(s) {
				t.Errorf("the program goes on:\n%s", s.Screen())
			}
			s.endsAs("done")
		})
	})
	t.Run("twice", func(t *testing.T) {
		running(t, func(s *session) {
			s.Press("ctrl+c")
			s.sees("ctrl+c again quits at once")
			s.Press("ctrl+c")
			s.Wait(time.Second)
			if !ended(s) {
				t.Errorf("the program goes on:\n%s", s.Screen())
			}
			if !s.deps.Runner.Close(time.Second) {
				t.Error("the run has not ended with the program")
			}
			s.endsAs(audit.CutOff)
		})
	})
}

func TestLongDrainIsRememberedEveryTenMinutes(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop(budget(0))
		s.Put(pod("shop", "cart-5d9-eeeee", "worker-2", owned("cart"), unready))
		s.start()
		s.plan("r")
		s.Press("G", "y")
		for _, span := range []string{"10m", "20m"} {
			s.Wait(remindEvery - endTime - 3*time.Second)
			s.misses("has been running for")
			s.Wait(endTime + 4*time.Second)
			s.sees("drain worker-1 has been running for " + span)
			s.Wait(endTime - 2*time.Second)
		}
	})
}

// endsAs wants the newest line of the audit log to be a result of that state.
func (s *session) endsAs(state string) {
	s.t.Helper()
	entries, err := s.book.Read(1)
	if err != nil || len(entries) == 0 || entries[0].Event != audit.Result || entries[0].State != state {
		s.t.Errorf("the audit log ends with %+v, %v; want a result %q", entries, err, state)
	}
}

// leaveBehind writes what a program has written that was killed while it drained worker-1.
func (s *session) leaveBehind() {
	s.t.Helper()
	book, err := audit.Open(s.dir, "bastion", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = book.Append(audit.Record{
		Time: time.Now().Add(-time.Hour), Event: audit.Intent, Run: "earlier", User: "bob", Context: "prod-tokyo", Action: string(action.Drain),
		Objects: []audit.Object{{Kind: "Node", Name: "worker-1", UID: "worker-1"}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := book.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func TestDrainThatWasCutOffIsOfferedAtTheNextStart(t *testing.T) {
	start := func(t *testing.T, test func(s *session)) {
		inSession(t, 80, 24, func(s *session) {
			s.shop()
			s.Put(node("worker-1", cordoned))
			s.leaveBehind()
			s.start()
			s.Wait(time.Second)
			s.sees("a drain was cut off", "worker-1: drain begun", "3 pods should be", "the program ended without a word (bob)")
			test(s)
		})
	}
	t.Run("resume", func(t *testing.T) {
		start(t, func(s *session) {
			s.Press("r")
			s.Wait(time.Second)
			s.sees("Of 3 pods 3 leave", "web-5d9-aaaaa", "cart-5d9-ccccc")
			s.untouched()
			s.Press("G", "y")
			s.Wait(time.Minute)
			s.sees("drain worker-1 · done")
			s.again(func() { s.misses("cut off") })
		})
	})
	t.Run("uncordon", func(t *testing.T) {
		start(t, func(s *session) {
			s.Press("u")
			s.Wait(time.Second)
			s.untouched()
			s.sees("New pods may go to worker-1 again.")
			s.Press("y")
			s.Wait(time.Second)
			s.again(func() { s.misses("a drain was cut off") })
		})
	})
	t.Run("leave", func(t *testing.T) {
		start(t, func(s *session) {
			s.Press("l")
			s.sees("left as it is; it will not be asked again")
			s.untouched()
			s.again(func() { s.misses("a drain was cut off") })
		})
	})
	t.Run("later", func(t *testing.T) {
		start(t, func(s *session) {
			s.Press("esc")
			s.Wait(time.Minute)
			s.misses("a drain was cut off")
			s.untouched()
			s.again(func() { s.sees("a drain was cut off") })
		})
	})
}

// again ends the program and starts it anew, on the same cluster and the same audit log.
func (s *session) again(test func()) {
	s.t.Helper()
	s.end()
	s.deps.Cluster = kube.New(s.Clients(), "prod-tokyo", "shop", []string{metav1.NamespaceAll}, nil)
	s.runner(action.Settings{})
	s.done = make(chan error, 1)
	s.deps.Options = s.Options()
	s.start()
	s.Wait(time.Second)
	test()
}
