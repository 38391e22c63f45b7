package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/internal/termtest"
)

// sitDown opens ktriage as somebody does who comes back to the same home directory.
func (c *cluster) sitDown(t *testing.T, home string, w, h int) *terminal {
	t.Helper()
	env := append(environment(t, c.kubeconfig()), "HOME="+home)
	return &terminal{termtest.StartPty(t, w, h, env, ktriageBin, "nodes"), t}
}

// chooses puts the cursor on a node and opens the sheet of a key.
func (s *terminal) chooses(node, key, sheet string) {
	s.t.Helper()
	s.Shows("● live")
	s.Press("z/" + node + "\r")
	s.Await("only "+node, func(screen string) bool {
		return strings.Contains(screen, "1 of ") && strings.Contains(screen, node)
	})
	s.Press(key)
	s.Shows(sheet)
}

// confirms reads a sheet to its end and confirms it with y, again until it counts: not before the keyboard has been
// quiet for a while.
func (s *terminal) confirms(then string) {
	s.t.Helper()
	s.Press("G")
	s.Await(then, func(screen string) bool {
		if strings.Contains(screen, then) {
			return true
		}
		if strings.Contains(screen, "tier 2") { // the sheet is still there
			<-time.After(600 * time.Millisecond)
			if strings.Contains(s.Screen(), "tier 2") { // and has not been confirmed meanwhile
				s.Press("y")
			}
		}
		return false
	})
}

// podsOn gives the names of the pods of a namespace that are bound to a node and not being deleted.
func (c *cluster) podsOn(t *testing.T, node, namespace string) []string {
	t.Helper()
	out := c.kubectl(t, "get", "pods", "-n", namespace, "--field-selector", "spec.nodeName="+node,
		"-o", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`)
	return strings.Fields(out)
}

// A drain whose program was killed without a warning is offered at the next start, and what it offers is what is left.
func TestKilledProgramsDrainIsResumedAtTheNextStart(t *testing.T) {
	home := t.TempDir()
	s := stages.sitDown(t, home, 200, 50)
	s.chooses("killed", "r", "drain killed")
	s.Shows("Of ")
	all := stages.podsOn(t, "killed", "killed")
	s.confirms("drain killed · running")
	s.Await("some pods gone", func(screen string) bool { return regexp.MustCompile(`\b[2-9] gone`).MatchString(screen) })
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()

	s = stages.sitDown(t, home, 200, 50)
	s.Shows("a drain was cut off")
	s.Shows("killed: drain begun")
	s.Shows("the program ended without a word")
	offered := time.Now()
	t.Logf("offered %v after the kill", offered.Sub(killed).Round(10*time.Millisecond))
	await(t, "the pods that were on their way to have gone", soon, func() bool {
		return !strings.Contains(stages.kubectl(t, "get", "pods", "-n", "killed", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"), "T")
	})
	left := stages.podsOn(t, "killed", "killed")
	if len(left) == 0 || len(left) >= len(all) {
		t.Fatalf("%d of %d pods are left: nothing was cut off", len(left), len(all))
	}
	await(t, "a question that has been there long enough to be answered", time.Second, func() bool { return time.Since(offered) > time.Second/2 })
	s.Press("r")
	s.Shows("pods leave")
	s.Await("the plan of what is left", func(screen string) bool {
		return !slices.ContainsFunc(left, func(name string) bool { return !strings.Contains(screen, name) })
	})
	for _, name := range all {
		if !slices.Contains(left, name) && strings.Contains(s.Screen(), name) {
			t.Errorf("%s has gone and is in the plan:\n%s", name, s.Screen())
		}
	}
	if !strings.Contains(stages.kubectl(t, "get", "node", "killed"), "SchedulingDisabled") {
		t.Error("the node is not cordoned any more")
	}
	s.confirms("drain killed · running")
	s.Shows("drain killed · done")
	if on := stages.podsOn(t, "killed", "killed"); len(on) > 0 {
		t.Errorf("still there: %v", on)
	}
	s.Press("q")
	s.End(0)

	s = stages.sitDown(t, home, 120, 40)
	s.Shows("● live")
	s.Press("7")
	s.Shows("cut off")
	s.Shows("done")
	if strings.Contains(s.Screen(), "a drain was cut off") {
		t.Errorf("what was resumed is offered again:\n%s", s.Screen())
	}
	s.Press("q")
	s.End(0)
	if log, err := filepath.Glob(filepath.Join(home, ".local/state/ktriage/audit.jsonl")); err != nil || len(log) != 1 {
		t.Errorf("no audit log: %v %v", log, err)
	}
}

// Times are printed, not judged: a machine under load is no fault of the program's.
func TestKeysAreAnsweredWhileADrainIsBlocked(t *testing.T) {
	const span = 15 * time.Second
	s := stages.sitDown(t, t.TempDir(), 120, 40)
	s.chooses("blocked", "r", "drain blocked")
	s.Shows("Of ")
	s.confirms("drain blocked · running")
	s.Shows("29 blocked")
	s.Press("1")
	s.Shows("1 of ") // the filter that was typed before
	s.Press("\x1b")
	s.Shows("spare-1")
	var times []time.Duration
	cursor := func() string { return regexp.MustCompile(`▌.{30}`).FindString(s.Screen()) }
	for end, k := time.Now().Add(span), 0; time.Now().Before(end); k++ {
		before, pressed := cursor(), time.Now()
		s.Press([]string{"j", "k"}[k%2])
		times = append(times, s.Await("the cursor moved", func(string) bool { return cursor() != before }).Sub(pressed))
		<-time.After(50 * time.Millisecond)
	}
	slices.Sort(times)
	at := func(p int) time.Duration { return times[(len(times)-1)*p/100].Round(100 * time.Microsecond) }
	t.Logf("%d keys in %v while 29 pods are blocked: p50 %v, p99 %v, worst %v (aim: p99 under 50 ms)", len(times), span, at(50), at(99), at(100))
	s.Press("7x")
	pressed := time.Now()
	t.Logf("the screen says that it is cancelled %v after the key", s.Shows("cancelled").Sub(pressed).Round(time.Millisecond))
	s.Press("q")
	s.End(0)
	stages.kubectl(t, "uncordon", "blocked")
}
