package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// binaries gives the folder of what `make devcluster` builds.
func binaries(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"devcluster", "devcluster-kube", "devcluster-kwok"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("%s is missing: run `make devcluster` first", filepath.Join(dir, name))
		}
	}
	return dir
}

// devcluster runs a command to its end, and gives what it printed and whether it succeeded.
func devcluster(t *testing.T, bin string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "devcluster"), args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Env = append(os.Environ(), "KUBECONFIG=/another/cluster") // which must never be meant
	e := cmd.Run()
	if exit := (*exec.ExitError)(nil); e != nil && !errors.As(e, &exit) {
		t.Fatal(e)
	}
	t.Logf("devcluster %s: %v\n%s%s", strings.Join(args, " "), e, out.String(), err.String())
	return out.String(), err.String(), e == nil
}

// folder gives a folder for a cluster, and ends what runs in it when the test ends, however it does.
func folder(t *testing.T, bin string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cluster")
	t.Cleanup(func() {
		if out, err := exec.Command(filepath.Join(bin, "devcluster"), "down", "--dir", dir).CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return dir
}

// nothingRuns checks that no process has to do with the folder: all of ours name it on their command lines.
func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-ww", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, dir+"/") {
			t.Errorf("still runs: %s", strings.TrimSpace(line))
		}
	}
}

func gone(t *testing.T, dir string) {
	t.Helper()
	nothingRuns(t, dir)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		left, _ := os.ReadDir(dir)
		t.Errorf("%s is still there: %v, %v", dir, left, err)
	}
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("does not say %q:\n%s", w, text)
		}
	}
}

func TestAClusterFromItsStartToItsEnd(t *testing.T) {
	bin := binaries(t)
	dir := folder(t, bin)
	line, _, ok := devcluster(t, bin, "up", "--scenario", "empty", "--dir", dir)
	if want := fmt.Sprintf("export KUBECONFIG=%s\n", filepath.Join(dir, "admin.conf")); !ok || line != want {
		t.Fatalf("up printed %q, want %q", line, want)
	}
	state, _, ok := devcluster(t, bin, "status", "--dir", dir)
	if !ok || strings.Count(state, " runs ") != 6 || strings.Contains(state, "ended") {
		t.Errorf("status: %s", state)
	}
	says(t, state, "kube-controller-manager", "kwok", "scenario empty", line)
	spaces, _, ok := devcluster(t, bin, "kubectl", "--dir", dir, "get", "ns", "-o", "name")
	if !ok || !strings.Contains(spaces, "namespace/kube-system\n") {
		t.Errorf("kubectl: %s", spaces)
	}
	t.Run("a second up is told that it runs", func(t *testing.T) {
		again, text, ok := devcluster(t, bin, "up", "--scenario", "empty", "--dir", dir)
		if !ok || again != line {
			t.Errorf("printed %q, want %q", again, line)
		}
		says(t, text, "runs in "+dir+" already")
	})
	t.Run("another scenario is refused", func(t *testing.T) {
		_, text, ok := devcluster(t, bin, "up", "--scenario", "calm", "--dir", dir)
		if ok {
			t.Error("two scenarios in one cluster")
		}
		says(t, text, "(empty) runs in "+dir+" already", "devcluster down", "--dir")
	})
	t.Run("a component is stopped and started", func(t *testing.T) {
		if _, _, ok := devcluster(t, bin, "stop", "kwok", "--dir", dir); !ok {
			t.Fatal("stop failed")
		}
		state, _, _ := devcluster(t, bin, "status", "--dir", dir)
		says(t, state, "not all of it runs", "devcluster start")
		if _, _, ok := devcluster(t, bin, "start", "kwok", "--dir", dir); !ok {
			t.Error("start failed")
		}
		if _, _, ok := devcluster(t, bin, "stop", "--kill", "kwok", "--dir", dir); !ok {
			t.Error("kill failed")
		}
		if _, _, ok := devcluster(t, bin, "start", "kwok", "--dir", dir); !ok {
			t.Error("start after a kill failed")
		}
		_, text, ok := devcluster(t, bin, "stop", "kubelet", "--dir", dir)
		if ok {
			t.Error("stopped what is not there")
		}
		says(t, text, `no component "kubelet"`, "kube-scheduler")
	})
	if _, text, ok := devcluster(t, bin, "down", "--dir", dir); !ok || !strings.Contains(text, "6 components ended") {
		t.Errorf("down: %s", text)
	}
	gone(t, dir)
	_, text, ok := devcluster(t, bin, "down", "--dir", dir)
	if !ok {
		t.Error("a second down fails")
	}
	says(t, text, "no cluster in "+dir)
	_, text, ok = devcluster(t, bin, "status", "--dir", dir)
	if ok {
		t.Error("status succeeds without a cluster")
	}
	says(t, text, "No cluster runs in "+dir, "devcluster up")
}

func TestALoadedClusterHoldsWhatWasAskedFor(t *testing.T) {
	bin := binaries(t)
	dir := folder(t, bin)
	_, text, ok := devcluster(t, bin, "load", "--nodes", "20", "--pods", "300", "--dir", dir)
	if !ok {
		t.Fatal("load failed")
	}
	says(t, text, "20 of 20 nodes written", "300 of 300 pods written", "loaded in ")
	// As the user of admin.conf, who is nobody without the binding that kubeadm makes.
	for resource, want := range map[string]int{"nodes": 20, "pods": 300} {
		names, _, _ := devcluster(t, bin, "kubectl", "--dir", dir, "get", resource, "-A", "-o", "name")
		if got := strings.Count(names, "\n"); got != want {
			t.Errorf("%d %s, want %d", got, resource, want)
		}
	}
	for query, want := range map[string]int{"top pods -A": 299, "top nodes": 20} { // a pod that waits has no sample
		table, _, _ := devcluster(t, bin, append([]string{"kubectl", "--dir", dir}, strings.Fields(query+" --no-headers")...)...)
		if got := strings.Count(table, "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", query, got, want)
		}
	}
	_, text, ok = devcluster(t, bin, "load", "--nodes", "20", "--pods", "301", "--dir", dir)
	if ok {
		t.Error("loaded twice")
	}
	says(t, text, "20 nodes and 300 pods", "devcluster down")
}

func TestCtrlCHalfWayLeavesNothing(t *testing.T) {
	bin := binaries(t)
	for _, moment := range []string{"starting etcd", "starting kube-apiserver"} {
		dir := folder(t, bin)
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "devcluster"), "up", "--scenario", "empty", "--dir", dir)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			last = lines.Text()
			if strings.HasSuffix(last, moment) {
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
		}
		if cmd.Wait() == nil {
			t.Errorf("%s: up succeeded", moment)
		}
		says(t, last, "Stopped.", "nothing is left in "+dir)
		gone(t, dir)
	}
}

func TestWhatCannotStartIsToldAndLeavesNothing(t *testing.T) {
	bin := binaries(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"up", "--scenario", "nope"}, []string{`no scenario "nope"`, "calm, certs, drain, empty, incident"}},
		{[]string{"up", "--scenario", "empty", "--port", port}, []string{"Port " + port + " is taken", "--port"}},
		{[]string{"up", "--scenario", "empty", "--port", "-1"}, []string{"Port -1 cannot be used", "--port"}},
		{[]string{"load", "--nodes", "0"}, []string{"--nodes is 0", "from 1 to"}},
		{[]string{"load", "--pods", "-3"}, []string{"--pods is -3", "from 0 to"}},
		{[]string{"stop", "kwok"}, []string{"No cluster runs in", "devcluster up"}},
		{[]string{"start", "kwok"}, []string{"No cluster runs in", "devcluster up"}},
		{[]string{"restart", "kwok"}, []string{"No cluster runs in", "devcluster up"}},
		{[]string{"renew", "all"}, []string{"No cluster runs in", "devcluster up"}},
		{[]string{"up", "--life", "apiserver=soon"}, []string{`"soon" is no span of time`, "6d"}},
		{[]string{"up", "--life", "etcd-server=-1h"}, []string{"etcd-server cannot end so soon", "nothing would start"}},
		{[]string{"up", "--life", "kubelet=6d"}, []string{`no certificate "kubelet"`, "apiserver-etcd-client"}},
	} {
		dir := folder(t, bin)
		out, text, ok := devcluster(t, bin, append(c.args, "--dir", dir)...)
		if ok || out != "" {
			t.Errorf("%s succeeded: %s", c.args, out)
		}
		says(t, text, c.words...)
		gone(t, dir)
	}
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	bin := binaries(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"up", "down", "status"} {
		_, text, ok := devcluster(t, bin, command, "--dir", filepath.Join(file, "cluster"))
		if ok {
			t.Errorf("%s succeeded in a folder that cannot be", command)
		}
		says(t, text, "The folder "+file, "cannot be used", "--dir")
	}
}

// A folder like /etc/kubernetes has a pki of its own.
func TestFilesOfSomebodyElseAreLeftAlone(t *testing.T) {
	bin := binaries(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "pki", "ca.key")
	if err := os.Mkdir(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, text, ok := devcluster(t, bin, "up", "--scenario", "empty", "--dir", dir)
	if ok {
		t.Error("up took over a folder of somebody else")
	}
	says(t, text, filepath.Dir(key), "--dir")
	if _, text, _ = devcluster(t, bin, "down", "--dir", dir); !strings.Contains(text, "nothing to end") {
		t.Errorf("down: %s", text)
	}
	if got, err := os.ReadFile(key); err != nil || string(got) != "mine" {
		t.Errorf("the key is %q, %v", got, err)
	}
}

// beside copies devcluster to a folder of its own, where the other binaries can be missing or ill.
func beside(t *testing.T, bin string) string {
	t.Helper()
	program, err := os.ReadFile(filepath.Join(bin, "devcluster"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "devcluster"), program, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAMissingBinaryIsNamed(t *testing.T) {
	bin := beside(t, binaries(t))
	dir := folder(t, bin)
	_, text, ok := devcluster(t, bin, "up", "--scenario", "empty", "--dir", dir)
	if ok {
		t.Error("up succeeded without a control plane")
	}
	says(t, text, "devcluster-kube is missing in "+bin, "make devcluster")
	gone(t, dir)
}

// etcd is the real one, and runs when kube-apiserver dies: it must end too.
func TestAComponentThatDiesEndsTheStart(t *testing.T) {
	real := binaries(t)
	bin := beside(t, real)
	script := fmt.Sprintf("#!/bin/sh\n[ $1 = etcd ] && exec %s/devcluster-kube \"$@\"\necho 'a bad day' >&2\nexit 3\n", real)
	if err := os.WriteFile(filepath.Join(bin, "devcluster-kube"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real, "devcluster-kwok"), filepath.Join(bin, "devcluster-kwok")); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, bin)
	_, text, ok := devcluster(t, bin, "up", "--scenario", "empty", "--dir", dir)
	if ok {
		t.Error("up succeeded")
	}
	says(t, text, "kube-apiserver failed", filepath.Join(dir, "logs", "kube-apiserver.log"), "ends with: a bad day")
	nothingRuns(t, dir)
}
