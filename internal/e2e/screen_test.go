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
)

// Times are printed, not judged: a machine under load is no fault of the program's.
func TestTimeToFirstFrameAndToFirstRows(t *testing.T) {
	const runs = 15
	var frames, rows []time.Duration
	for range runs {
		s := open(t, incident.kubeconfig(), 120, 40)
		framed := s.shows("1 Nodes")
		rowed := s.shows("worker-")
		frames, rows = append(frames, framed.Sub(s.started)), append(rows, rowed.Sub(s.started))
		s.press("q")
		s.end(0)
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
			s.shows("● live")
			s.shows("NotReady")
			s.press("2")
			s.shows("ImagePullBackOff")
			s.press("/crashloop\r")
			s.hides("ImagePullBackOff")
			s.shows("CrashLoopBackOff")
			s.press("d")
			s.shows("qos")
			s.press("\x1b")
			s.hides("qos")
			s.press("?")
			s.shows("Keys for")
			s.press("q")
			s.hides("Keys for")
			s.resize(100, 30)
			s.await("a screen of 100x30", func(screen string) bool {
				lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
				return len(lines) == 30 && strings.Contains(lines[29], "? help")
			})
			s.press("q")
			s.end(0)
			s.clean(s.take())
		})
	}
}

func TestHostileTextOfARealClusterNeverReachesTheTerminal(t *testing.T) {
	s := open(t, incident.kubeconfig(), 200, 50)
	s.shows("● live")
	s.press("/EvilCondition\r")
	s.hides("cp-1")
	s.shows("worker-20")
	s.press("d")
	s.shows("EvilCondition")
	s.press("\x1b")
	s.hides("uid")
	s.press("2/hostile\r")
	s.shows("lab/hostile")
	s.hides("lab/exit-code")
	s.press("zd")
	s.shows("in a last message")
	s.press("\x1b")
	s.hides("in a last message")
	s.press("q")
	s.end(0)
	written := s.take()
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
	s := openCommand(t, env, 100, 30, "bash", "--norc", "--noprofile", "-i")
	s.shows("shell>")
	s.press(ktriageBin + " pods\r")
	s.shows("● live")
	s.shows("CrashLoopBackOff")
	s.press("\x1a")
	s.shows("Stopped")
	s.hides("● live")
	s.press("echo still $((40 + 2)) here\r")
	s.shows("still 42 here")
	s.press("fg\r")
	s.shows("● live")
	s.shows("CrashLoopBackOff")
	s.press("q")
	s.hides("● live")
	s.press("stty -a | tr ';' '\\n' | grep -o -w -e echo -e icanon -e isig | sort | tr '\\n' ' '\r")
	s.shows("echo icanon isig")
	s.press("exit\r")
	s.end(0)
}

func TestSignalsEndAScreenInFullUse(t *testing.T) {
	for signal, code := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			s := open(t, incident.kubeconfig(), 120, 40)
			s.shows("● live")
			s.press("/wor")
			s.signal(signal)
			s.end(code)
			s.clean(s.take())
		})
	}
}

// A quiet cluster: what the program costs while nobody presses a key and nothing changes but ages.
func TestIdleCostsNoBytesAndLittleTime(t *testing.T) {
	const span = 30 * time.Second
	s := open(t, calm.kubeconfig(), 120, 40, "nodes")
	s.shows("● live")
	s.press("z")
	s.shows("CPU")
	<-time.After(5 * time.Second) // the toast of the start, the terminal's answers and the first samples
	s.take()
	before := cpuTime(t, s.cmd.Process.Pid)
	<-time.After(span)
	used, written := cpuTime(t, s.cmd.Process.Pid)-before, len(s.take())
	t.Logf("%v idle on calm: %.2f %% of a core (aim 1 %%), %d bytes written", span, 100*used.Seconds()/span.Seconds(), written)
	// The nodes are minutes old, so that all of them have an age and a time in their state that tick every second.
	const ticking, cost = 2 * 10, 60
	if most := int(span/time.Second+1) * ticking * cost; written > most {
		t.Errorf("%d bytes written in %v, more than %d", written, span, most)
	}
	s.press("q")
	s.end(0)
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
