// Package e2e holds the tests against a real control plane, as plain processes of devcluster. Its one rule: what the
// program shows is compared with what kubectl shows, or with what a terminal emulator has on its screen, and nothing of
// the cluster is pretended.
//
// `make test` builds what is needed and runs them; by hand: make build devcluster && go test -v ./internal/e2e.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The binaries, as make builds them.
var (
	ktriageBin    = bin("ktriage")
	devclusterBin = bin("devcluster")
)

func bin(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		panic(err)
	}
	return path
}

// cluster is a control plane that runs for these tests.
type cluster struct{ scenario, dir string }

// The clusters of the tests. Nothing but its own controllers changes incident; calm is the one that is hurt; on stages, of
// the scenario drain, every test has a node and a namespace of its own to act on.
var incident, calm, stages *cluster

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, b := range []string{ktriageBin, devclusterBin} {
		if _, err := os.Stat(b); err != nil {
			return 1, fmt.Errorf("%w: run `make build devcluster` first", err)
		}
	}
	dir, err := os.MkdirTemp("", "ktriage-e2e-")
	if err != nil {
		return 1, err
	}
	incident = &cluster{"incident", filepath.Join(dir, "incident")}
	calm = &cluster{"calm", filepath.Join(dir, "calm")}
	stages = &cluster{"drain", filepath.Join(dir, "drain")}
	defer func() { err = errors.Join(err, incident.down(), calm.down(), stages.down(), os.RemoveAll(dir)) }()
	var up sync.WaitGroup
	var incidentErr, calmErr error
	up.Go(func() { incidentErr = incident.up() })
	up.Go(func() { calmErr = calm.up() })
	up.Wait()
	// Not all three at once: on two cores metrics-server would be late with everything.
	if err := errors.Join(incidentErr, calmErr, stages.up()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// devcluster runs a command of devcluster on the cluster and gives its standard output.
func (c *cluster) devcluster(args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(devclusterBin, append([]string{args[0], "--dir", c.dir}, args[1:]...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("devcluster %s on %s: %w: %s", strings.Join(args, " "), c.scenario, err, errs.String())
	}
	return out.String(), nil
}

func (c *cluster) up() error {
	_, err := c.devcluster("up", "--scenario", c.scenario)
	return err
}

func (c *cluster) down() error {
	_, err := c.devcluster("down")
	return err
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.dir, "admin.conf") }

// kubectl runs the real kubectl and gives what it prints.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.devcluster(append([]string{"kubectl"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// result is how a run of ktriage without a terminal ended.
type result struct {
	out, err string
	code     int
}

// ktriage runs the program without a terminal, as a script would.
func ktriage(t *testing.T, kubeconfig string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), ktriageBin, args...)
	cmd.Env = environment(t, kubeconfig)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// environment is that of somebody who has just come in over SSH.
func environment(t *testing.T, kubeconfig string) []string {
	t.Helper()
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig,
		"TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC", "SSH_TTY=/dev/pts/0",
	}
}
