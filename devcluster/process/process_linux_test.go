package process

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAZombieHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	// Waits until it has ended, and leaves it as a zombie.
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if started, err := startTime(cmd.Process.Pid); err == nil {
		t.Fatalf("a zombie runs since %s", started)
	}
}
