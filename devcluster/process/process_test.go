package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// begin starts a command that ends with the test at the latest.
func begin(t *testing.T, command ...string) *Process {
	t.Helper()
	p, err := Start("it", filepath.Join(t.TempDir(), "it.log"), command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Signal(syscall.SIGKILL) })
	return p
}

// foreign starts a process that is none of ours.
func foreign(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestAProcessIsKnownByWhatStateJSONHolds(t *testing.T) {
	p := begin(t, "sleep", "600")
	again := &Process{Name: p.Name, PID: p.PID, Started: p.Started, Boot: p.Boot}
	if !again.Alive() {
		t.Fatal("a process that runs is not found again by its pid and its start")
	}
	if err := again.Stop(time.Minute); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Fatal("it runs after it was stopped")
	}
}

func TestAReusedPIDIsNotSignalled(t *testing.T) {
	other := foreign(t)
	pid := other.Process.Pid
	started, err := startTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier, _ := strconv.Atoi(started)
	for name, p := range map[string]*Process{
		"another start":   {Name: "it", PID: pid, Started: strconv.Itoa(earlier - 1), Boot: bootID()},
		"another boot":    {Name: "it", PID: pid, Started: started, Boot: "a boot before this one"},
		"no start at all": {Name: "it", PID: pid, Boot: bootID()},
	} {
		if p.Alive() {
			t.Errorf("%s: taken for the process that was started", name)
		}
		if err := p.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s: Signal gives %v, want os.ErrProcessDone", name, err)
		}
		if err := p.Stop(time.Minute); err != nil {
			t.Errorf("%s: Stop gives %v for a process that is gone", name, err)
		}
	}
	if now, err := startTime(pid); err != nil || now != started {
		t.Fatalf("the foreign process is gone: %v", err)
	}
}

// A pid of 0 or below means a group of processes to kill(2): nothing may come of a state.json that was written by hand.
func TestAPIDThatMeansAGroupIsNotSignalled(t *testing.T) {
	for _, pid := range []int{0, -1} {
		if err := (&Process{Name: "it", PID: pid}).Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("pid %d: %v, want os.ErrProcessDone", pid, err)
		}
	}
}

func TestAProcessThatDoesNotWantToEndIsKilled(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	p := begin(t, "sh", "-c", `trap "" TERM; echo > "$0"; exec sleep 600`, ready)
	if _, err := os.ReadFile(ready); err != nil { // until it ignores SIGTERM
		t.Fatal(err)
	}
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Fatal("it runs after Stop")
	}
}

// state gives what the kernel calls the state of a process: S sleeps, T is stopped.
func state(t *testing.T, p *Process) string {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "stat"))
	if err != nil {
		t.Skipf("there is no /proc to look at: %v", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func becomes(t *testing.T, p *Process, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); state(t, p) != want; {
		if time.Now().After(end) {
			t.Fatalf("its state is %s, not %s", state(t, p), want)
		}
	}
}

func TestAPausedProcessStandsStillUntilItIsResumedAndCanBeStopped(t *testing.T) {
	p := begin(t, "sleep", "600")
	for _, step := range []struct {
		do   func() error
		want string
	}{{p.Pause, "T"}, {p.Resume, "S"}, {p.Pause, "T"}} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		becomes(t, p, step.want)
	}
	began := time.Now()
	if err := p.Stop(time.Minute); err != nil || p.Alive() {
		t.Fatalf("a paused process was not stopped: %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it was asked to end, and ended after %s only", took)
	}
	if err := p.Pause(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("paused after its end: %v", err)
	}
}

// A component that was killed is started again at once: what is not quite dead would be told to run already.
func TestAKilledProcessIsGone(t *testing.T) {
	p := begin(t, "sleep", "600")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Fatal("it runs after Kill")
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killed twice: %v", err)
	}
}

// ctrl+c reaches the foreground group of the terminal: what shall outlive its starter must not be in it.
func TestAProcessHasASessionOfItsOwn(t *testing.T) {
	p := begin(t, "sleep", "600")
	if sid, err := unix.Getsid(p.PID); err != nil || sid != p.PID {
		t.Fatalf("session %d of process %d: %v", sid, p.PID, err)
	}
}

func TestAProgramThatIsNotThereIsNotStarted(t *testing.T) {
	p, err := Start("it", filepath.Join(t.TempDir(), "it.log"), []string{"/no/such/program"})
	if p != nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, %v", p, err)
	}
}

func TestLastLineIsTheLastThatIsNotBlank(t *testing.T) {
	log := filepath.Join(t.TempDir(), "it.log")
	for text, want := range map[string]string{
		"":                 "",
		"\n \n":            "",
		"one":              "one",
		"one\ntwo\n\n  \n": "two",
		strings.Repeat("many words\n", 10_000) + "the last\n": "the last",
	} {
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := (&Process{Log: log}).LastLine(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (&Process{Log: log + ".none"}).LastLine(); got != "" {
		t.Errorf("without a log: %q", got)
	}
}
