package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ktriage/internal/termtest"
)

// Times are printed, not judged: a machine under load is no fault of the program's.
func TestTimeToFirstFrameAndToFirstRows(t *testing.T) {
	const runs = 15
	var frames, rows []time.Duration
	for range runs {
		s := open(t, incident.kubeconfig(), 120, 40)
		framed := s.Shows("1 Nodes")
		rowed := s.Shows("worker-")
		frames, rows = append(frames, framed.Sub(s.Started)), append(rows, rowed.Sub(s.Started))
		s.Press("q")
		s.End(0)
	}
	slices.Sort(frames)
	slices.Sort(rows)
	t.Logf("%d starts on incident: first frame median %v, worst %v (aim 100 ms); first rows median %v, worst %v (aim 1 s)",
		runs, frames[runs/2].Round(time.Millisecond), frames[runs-1].Round(time.Millisecond),
		rows[runs/2].Round(time.Millisecond), rows[runs-1].Round(time.Millisecond))
}

func TestIncidentOnScreensOfEverySize(t *testing.T) {
	for _, size := range [][2]int{{60, 15}, {80, 24}, {120, 40}, {200, 50}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := open(t, incident.kubeconfig(), size[0], size[1])
			s.Shows("● live")
			s.Shows("NotReady")
			s.Press("2z") // alone: the reasons of workloads name the states of their pods too
			s.Shows("ImagePullBackOff")
			s.Press("/crashloop\r")
			s.Hides("ImagePullBackOff")
			s.Shows("CrashLoopBackOff")
			s.Press("d")
			s.Shows("qos")
			s.Press("\x1b")
			s.Hides("qos")
			s.Press("?")
			s.Shows("Keys for")
			s.Press("q")
			s.Hides("Keys for")
			s.Resize(100, 30)
			s.Await("a screen of 100x30", func(screen string) bool {
				lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
				return len(lines) == 30 && strings.Contains(lines[29], "? help")
			})
			s.Press("q")
			s.End(0)
			s.clean(s.Written())
		})
	}
}

func TestHostileTextOfARealClusterNeverReachesTheTerminal(t *testing.T) {
	s := open(t, incident.kubeconfig(), 200, 50)
	s.Shows("● live")
	s.Press("/EvilCondition\r")
	s.Shows("1 of 30")
	s.Shows("worker-20")
	s.Press("d")
	s.Shows("uid")
	s.Press("\x1b")
	s.Hides("uid")
	s.Press("2/hostile\r")
	s.Shows("lab/hostile")
	s.Hides("lab/exit-code")
	s.Press("zd")
	s.Shows("uid")
	s.Shows("in a message")
	s.Press("\x1b")
	s.Hides("uid")
	s.Press("q")
	s.End(0)
	written := s.Written()
	s.clean(written)
	for _, evil := range []string{"ZXZpbA==", "\x1b]0;title", "\x1b[31mred", "\u202e", "\u009b"} {
		if strings.Contains(written, evil) {
			t.Errorf("%q reached the terminal", evil)
		}
	}
	for _, format := range []string{"table", "wide", "json"} {
		for _, pane := range []string{"pods", "nodes"} {
			r := ktriage(t, incident.kubeconfig(), "snapshot", pane, "-o", format)
			if r.code != 0 || strings.ContainsAny(r.out, "\x1b\r\x07\u202e\u009b") {
				t.Errorf("snapshot %s -o %s: exit code %d; a control character is in %q", pane, format, r.code, r.out)
			}
		}
	}
}

// The one thing that only a shell with job control can show: suspended, the terminal is the shell's; back again, the
// screen is whole.
func TestSuspendGivesTheTerminalToTheShellAndTakesItBack(t *testing.T) {
	env := append(environment(t, incident.kubeconfig()), "PS1=shell> ")
	s := termtest.StartPty(t, 100, 30, env, "bash", "--norc", "--noprofile", "-i")
	s.Shows("shell>")
	s.Press(ktriageBin + " pods\r")
	s.Shows("● live")
	s.Shows("CrashLoopBackOff")
	s.Press("\x1a")
	s.Shows("Stopped")
	s.Hides("● live")
	s.Press("echo still $((40 + 2)) here\r")
	s.Shows("still 42 here")
	s.Press("fg\r")
	s.Shows("● live")
	s.Shows("CrashLoopBackOff")
	s.Press("q")
	s.Hides("● live")
	s.Press("stty -a | tr ';' '\\n' | grep -o -w -e echo -e icanon -e isig | sort | tr '\\n' ' '\r")
	s.Shows("echo icanon isig")
	s.Press("exit\r")
	s.End(0)
}

func TestSignalsEndAScreenInFullUse(t *testing.T) {
	for signal, code := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			s := open(t, incident.kubeconfig(), 120, 40)
			s.Shows("● live")
			s.Press("/wor")
			s.Signal(signal)
			s.End(code)
			s.clean(s.Written())
		})
	}
}

// A quiet cluster: what the program costs while nobody presses a key and nothing changes but ages.
func TestIdleCostsNoBytesAndLittleTime(t *testing.T) {
	const span = 30 * time.Second
	s := open(t, calm.kubeconfig(), 120, 40, "nodes")
	s.Shows("● live")
	s.Press("z")
	s.Shows("CPU")
	<-time.After(5 * time.Second) // the toast of the start, the terminal's answers and the first samples
	s.Written()
	before := cpuTime(t, s.Process.Pid)
	<-time.After(span)
	used, written := cpuTime(t, s.Process.Pid)-before, len(s.Written())
	t.Logf("%v idle on calm: %.2f %% of a core (aim 1 %%), %d bytes written", span, 100*used.Seconds()/span.Seconds(), written)
	// The nodes are minutes old, so that all of them have an age and a time in their state that tick every second.
	const ticking, cost = 2 * 10, 60
	if most := int(span/time.Second+1) * ticking * cost; written > most {
		t.Errorf("%d bytes written in %v, more than %d", written, span, most)
	}
	s.Press("q")
	s.End(0)
}

// cpuTime is what a process has used of the processors so far.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skipf("processor time is read from /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	var ticks [2]int64
	f := strings.Fields(rest)
	if _, err := fmt.Sscan(f[11]+" "+f[12], &ticks[0], &ticks[1]); err != nil {
		t.Fatal(err)
	}
	const perSecond = 100 // USER_HZ, on every Linux
	return time.Duration(ticks[0]+ticks[1]) * time.Second / perSecond
}

func TestNothingIsLeftBehind(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "pgrep", "-f", ktriageBin).Output()
	if err == nil {
		t.Errorf("still there: %s", out)
	}
}
