package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ktriage/devcluster/process"
)

func open(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Open(dir, t.TempDir(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// complains checks that an error is a sentence for the user, with these words in it.
func complains(t *testing.T, err error, words ...string) {
	t.Helper()
	var c *Complaint
	if !errors.As(err, &c) {
		t.Fatalf("%v is not a complaint", err)
	}
	for _, w := range words {
		if !strings.Contains(c.Sentence, w) {
			t.Errorf("%q does not say %q", c.Sentence, w)
		}
	}
}

func TestOneCommandAtATimeWorksOnAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := open(t, dir).lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, dir).lock()
	complains(t, err, dir, "Wait for it to end")
	first.Close()
	again, err := open(t, dir).lock()
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// Who opened the lock before `down` removed it would lock a file that nobody else sees.
func TestALockThatWasRemovedIsNotALock(t *testing.T) {
	c := open(t, t.TempDir())
	f, err := c.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !c.holds(f) {
		t.Fatal("the lock in the folder is not taken for it")
	}
	if err := os.Remove(c.file(lockFile)); err != nil {
		t.Fatal(err)
	}
	if c.holds(f) {
		t.Fatal("a lock that is no longer in the folder is taken for one")
	}
}

// A second up that waited for the first must not act on what it read before.
func TestTheLockReadsTheStateAnew(t *testing.T) {
	dir := t.TempDir()
	late, first := open(t, dir), open(t, dir)
	first.Processes = []*process.Process{{Name: etcd, PID: 1}}
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	f, err := late.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if late.process(etcd) == nil {
		t.Error("what another command wrote down is not known under the lock")
	}
}

func TestStateThatCannotBeUnderstoodIsAComplaint(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, "", t.Logf)
	complains(t, err, stateFile, "remove "+dir)
}

func TestRemoveLeavesWhatIsNotOurs(t *testing.T) {
	c := open(t, t.TempDir())
	for _, name := range append(made, lockFile, "notes.txt") {
		if err := os.WriteFile(c.file(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.remove(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(c.Dir)
	if err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// What Make and the components write must be on the list, or down leaves it behind.
func TestEveryFileOfTheComponentsIsOnTheListOfWhatIsRemoved(t *testing.T) {
	c := open(t, t.TempDir())
	for _, part := range components {
		for _, arg := range part.args(c) {
			_, path, ok := strings.Cut(arg, c.Dir+"/")
			if !ok {
				continue
			}
			top, _, _ := strings.Cut(path, "/")
			if !slices.Contains(made, top) {
				t.Errorf("%s writes or reads %s, which is not removed", part.name, top)
			}
		}
	}
}

func TestADiskThatIsTooSmallIsAComplaint(t *testing.T) {
	c := open(t, t.TempDir())
	complains(t, c.checkSpace(1<<62), c.Dir, "MiB left", "--dir")
	if err := c.checkSpace(1); err != nil {
		t.Errorf("a byte is too much: %v", err)
	}
}

func TestAFullDiskIsAComplaint(t *testing.T) {
	c := open(t, t.TempDir())
	complains(t, c.unusable(fmt.Errorf("open it: %w", syscall.ENOSPC)), c.Dir, "is full", "--dir")
	complains(t, c.giveUp(t.Context(), fmt.Errorf("write it: %w", syscall.ENOSPC)), c.Dir, "is full", "--dir")
}

func TestPortsAreFreeAndAllDifferent(t *testing.T) {
	c := open(t, t.TempDir())
	if err := c.place(0, false); err != nil {
		t.Fatal(err)
	}
	p := c.Ports
	seen := map[int]bool{0: true}
	for _, port := range []int{p.Etcd, p.EtcdPeer, p.APIServer, p.Controllers, p.Scheduler, p.Metrics, p.Kubelet, p.Kubelets} {
		if seen[port] {
			t.Errorf("port %d is none, or chosen twice: %+v", port, p)
		}
		seen[port] = true
	}
}

func TestATakenPortIsAComplaint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	c := open(t, t.TempDir())
	complains(t, c.place(port, false), fmt.Sprintf("Port %d is taken", port), "--port")
	complains(t, c.place(70_000, false), "Port 70000 cannot be used", "--port")
}

func TestAPartThatFailsIsNamedWithItsLogAndItsLastLine(t *testing.T) {
	c := open(t, t.TempDir())
	if err := os.Mkdir(c.file("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Processes = []*process.Process{{Name: kwok, Log: c.log(kwok)}}
	for text, words := range map[string][]string{
		"first\nsecond\n\n":                {"kwok failed: it ended", c.log(kwok), "ends with: second"},
		"":                                 {"ends with: (nothing)"},
		"bind: address already in use\n":   {"took its port", "Try again"},
		"write: no space left on device\n": {"is full", "--dir"},
	} {
		if err := os.WriteFile(c.log(kwok), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		complains(t, c.broken(kwok, errEnded), words...)
	}
	complains(t, c.broken(etcd, os.ErrPermission), "etcd cannot be started", "make devcluster")
}
