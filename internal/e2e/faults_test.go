package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// caughtUp is how soon after the return of the API server the screen must be live again. The tests of kube hold it to 5 s, in
// virtual time; a machine under load takes some more, and what client-go lets go by of itself is half a minute.
const caughtUp = 15 * time.Second

func TestServerIsKilledAndComesBack(t *testing.T) {
	s := open(t, calm.kubeconfig(), 120, 40, "pods")
	s.Shows("● live")
	s.Press("z")
	s.Shows("10 of") // rows
	s.Written()
	if _, err := calm.devcluster("stop", "--kill", "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() { // the other tests need the server
			_, _ = calm.devcluster("start", "kube-apiserver")
		}
	})
	s.Shows("no answer since")
	s.Shows("as of")
	s.Shows("refuses connections")
	rows := strings.Count(s.Screen(), "Running")
	if rows < 20 {
		t.Errorf("%d rows are on the screen while the server is gone:\n%s", rows, s.Screen())
	}
	s.Press("jjkGg/web\r")
	s.Shows("60 of 100")
	s.Press("\x1b")
	s.Hides("60 of 100")
	s.Press("?")
	s.Shows("Keys for")
	s.Press("q")
	s.Shows("no answer since")
	if _, err := calm.devcluster("start", "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	back := time.Now() // start gives back control when the server is ready
	live := s.Shows("● live").Sub(back)
	t.Logf("live again %v after the server was ready (aim 5 s)", live.Round(10*time.Millisecond))
	if live > caughtUp {
		t.Errorf("live again only %v after the server was ready, want %v at most", live, caughtUp)
	}
	s.Hides("as of")
	calm.kubectl(t, "run", "after-the-return", "--image=registry.example/after:1", "-n", "default")
	s.Press("/after-the\r")
	s.Shows("default/after-the-return")
	calm.kubectl(t, "delete", "pod", "after-the-return", "-n", "default", "--now")
	s.Hides("default/after-the-return")
	s.Press("q")
	s.End(0)
	s.clean(s.Written())
}

func TestServerThatHangsIsNoticedAndForgiven(t *testing.T) {
	s := open(t, calm.kubeconfig(), 120, 40, "pods")
	s.Shows("● live")
	pid := calm.pid(t, "kube-apiserver")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	s.Press("\x12") // ctrl+r: asks at once
	s.Shows("no answer since")
	s.Shows("did not answer in time")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	t.Logf("live again %v after the server went on", s.Shows("● live").Sub(back).Round(10*time.Millisecond))
	s.Hides("as of")
	s.Press("q")
	s.End(0)
	s.clean(s.Written())
}

// pid gives the process of a component.
func (c *cluster) pid(t *testing.T, component string) int {
	t.Helper()
	out, err := c.devcluster("status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.SplitSeq(out, "\n") {
		if f := strings.Fields(l); len(f) > 3 && f[0] == component {
			var pid int
			if _, err := fmt.Sscan(f[3], &pid); err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no %s in %s", component, out)
	return 0
}
