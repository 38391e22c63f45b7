package audit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain makes the test binary the other process too, if the environment says so.
func TestMain(m *testing.M) {
	act, ok := map[string]func(dir string) error{"hold": hold, "fill": fill, "unprivileged": unprivileged, "write": write}[os.Getenv("AUDIT_CHILD")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := act(os.Getenv("AUDIT_DIR")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, act, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_CHILD="+act, "AUDIT_DIR="+dir)
	return cmd
}

// hold keeps a log open, with one intent in it, until its input ends.
func hold(dir string) error {
	l, err := Open(dir, "bastion", "v1")
	if err != nil {
		return err
	}
	if _, err := l.Append(intent("held")); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return l.Close()
}

func startHolding(t *testing.T, dir string) (cmd *exec.Cmd, stdin io.Closer) {
	t.Helper()
	cmd = child(t, "hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "ready\n" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	return cmd, in
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

func TestProcessIsAliveUntilItIsKilled(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	cmd, _ := startHolding(t, l.dir)
	held := mustRead(t, l, 10, 0)[0]
	if got := l.Alive(held.Record); got != Alive || held.PID != cmd.Process.Pid {
		t.Errorf("while it lives: %v, pid %d of %d", got, held.PID, cmd.Process.Pid)
	}
	if found := Interrupted([]Entry{held}, l.Alive); len(found) != 0 {
		t.Errorf("interrupted while it lives: %v", found)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
	if found := Interrupted([]Entry{held}, l.Alive); len(found) != 1 || found[0].Elsewhere {
		t.Errorf("interrupted after it was killed: %v", found)
	}
	if got := files(t, l.runningDir()); !slices.Equal(got, []string{l.process}) {
		t.Errorf("left in running: %v", got)
	}
	if got := l.Alive(held.Record); got != Dead {
		t.Errorf("asked again: %v", got)
	}
}

func TestProcessThatEndsInOrderLeavesNoFile(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	cmd, stdin := startHolding(t, l.dir)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := files(t, l.runningDir()); !slices.Equal(got, []string{l.process}) {
		t.Errorf("left in running: %v", got)
	}
	if got := l.Alive(mustRead(t, l, 1, 0)[0].Record); got != Dead {
		t.Error(got)
	}
}

func TestOpenRemovesWhatDeadProcessesOfThisHostLeft(t *testing.T) {
	dir := t.TempDir()
	living := mustOpen(t, dir)
	for name, host := range map[string]string{"DEADHERE": "bastion", "DEADTHERE": "laptop", "not-ours": "bastion"} {
		if err := os.WriteFile(filepath.Join(living.runningDir(), name), []byte(host), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := mustOpen(t, dir)
	want := []string{"DEADTHERE", "not-ours", living.process, l.process}
	slices.Sort(want)
	if got := files(t, l.runningDir()); !slices.Equal(got, want) {
		t.Errorf("running has %v, want %v", got, want)
	}
}

func TestLiveness(t *testing.T) {
	dir := t.TempDir()
	l, other := mustOpen(t, dir), mustOpen(t, dir)
	for name, c := range map[string]struct {
		r    Record
		want Liveness
	}{
		"we":           {Record{Host: "bastion", Process: l.process}, Alive},
		"another":      {Record{Host: "bastion", Process: other.process}, Alive},
		"unknown":      {Record{Host: "bastion", Process: "NOBODY", PID: os.Getpid()}, Dead},
		"no process":   {Record{Host: "bastion"}, Dead},
		"path":         {Record{Host: "bastion", Process: "../audit.jsonl"}, Dead},
		"another host": {Record{Host: "laptop", Process: l.process}, Elsewhere},
		"no host":      {Record{Process: l.process}, Elsewhere},
	} {
		if got := l.Alive(c.r); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if _, err := os.Stat(l.Path()); err != nil {
		t.Error(err)
	}
}

// Many that look at the same time must not take each other for the owner.
func TestManyWhoLookAgreeThatAProcessIsDead(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir)
	for i := range 50 {
		r := Record{Host: "bastion", Process: "DEAD" + strconv.Itoa(i)}
		if err := os.WriteFile(filepath.Join(l.runningDir(), r.Process), []byte("bastion"), 0o600); err != nil {
			t.Fatal(err)
		}
		answers := make(chan Liveness, 8)
		for range cap(answers) {
			go func() { answers <- l.Alive(r) }()
		}
		for range cap(answers) {
			if got := <-answers; got != Dead {
				t.Fatalf("process %d: %v", i, got)
			}
		}
	}
}

const each = 40

// write appends as fast as it can, lines longer and shorter than a block.
func write(dir string) error {
	l, err := Open(dir, "bastion", "v1")
	if err != nil {
		return err
	}
	for n := range each {
		r := intent(strconv.Itoa(n))
		r.Details = map[string]any{"long": strings.Repeat("x", n*4000)}
		if _, err := l.Append(r); err != nil {
			return err
		}
	}
	return l.Close()
}

func TestProcessesShareTheLogWithoutLoss(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	var children []*exec.Cmd
	for range 3 {
		cmd := child(t, "write", l.dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, cmd)
	}
	for _, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	next := map[string]int{}
	for _, e := range mustRead(t, l, 1000, 0) {
		if e.Run != strconv.Itoa(next[e.Process]) {
			t.Fatalf("line %s of %s, want %d", e.Run, e.Process, next[e.Process])
		}
		next[e.Process]++
	}
	if len(next) != len(children) {
		t.Errorf("lines of %d processes", len(next))
	}
	for process, n := range next {
		if n != each {
			t.Errorf("%d lines of %s", n, process)
		}
	}
}

// fill has room for one line and a half, as on a disk that becomes full, and gets more room then. A full disk says ENOSPC
// where a limit says EFBIG: both come after a part of the line was written.
func fill(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	l, err := Open(dir, "bastion", "v1")
	if err != nil {
		return err
	}
	line, err := l.Append(intent("1"))
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	room := limit
	room.Cur = uint64(len(line) * 3 / 2)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		return err
	}
	for _, run := range []string{"2", "3"} {
		line, err := l.Append(intent(run))
		if want := "cannot write the audit log " + l.Path() + ": file too large"; err == nil || err.Error() != want || line != "" {
			return fmt.Errorf("run %s: %q, %w; want %s", run, line, err, want)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if _, err := l.Append(intent("4")); err != nil {
		return err
	}
	return l.Close()
}

func TestAppendAfterAFullDiskWritesACleanLine(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	if out, err := child(t, "fill", l.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := runs(mustRead(t, l, 10, 1)); !slices.Equal(got, []string{"1", "4"}) {
		t.Errorf("read %v", got)
	}
}

// unprivileged opens and appends as somebody who may not.
func unprivileged(dir string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	for path, want := range map[string]string{
		dir:                          "cannot open the audit log " + dir + "/audit.jsonl: permission denied",
		filepath.Join(dir, "folder"): "cannot make the directory of the audit log, " + dir + "/folder: permission denied",
	} {
		if _, err := Open(path, "bastion", "v1"); err == nil || err.Error() != want {
			return fmt.Errorf("got %w\nwant %s", err, want)
		}
	}
	return nil
}

func TestNoPermissionIsSaidInPlainWords(t *testing.T) {
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o555} { //nolint:gosec // others must get there
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := child(t, "unprivileged", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory
		t.Fatal(err)
	}
}
