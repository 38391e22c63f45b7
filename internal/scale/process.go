package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used so far, and holds now.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // bytes
}

// tick is the unit of time in /proc: USER_HZ, which is 100 on every architecture that Go knows.
const tick = 10 * time.Millisecond

// readUsage reads /proc/PID/stat and /proc/PID/status; see proc(5).
func readUsage(pid int) (usage, error) {
	stat, errStat := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	status, errStatus := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err := errors.Join(errStat, errStatus); err != nil {
		return usage{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name may hold anything
	fields := strings.Fields(string(rest))
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("look at process %d: its stat has %d fields", pid, len(fields))
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if err := errors.Join(errUser, errSystem); err != nil {
		return usage{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return usage{
		cpu: time.Duration(user+system) * tick,
		rss: kilobytes(status, "VmRSS:"), peak: kilobytes(status, "VmHWM:"),
	}, nil
}

// kilobytes reads a line "VmRSS:  123 kB" as bytes; 0 if there is none.
func kilobytes(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// machine is what the figures depend on.
type machine struct {
	cpu, kernel, goVersion, commit string
	load                           string // the load averages of 1, 5 and 15 minutes
	cores                          int
	memory                         int64
	at                             time.Time
}

// readMachine finds out what it can; what it cannot is "unknown".
func readMachine(ctx context.Context) machine {
	m := machine{cpu: "unknown", kernel: "unknown", commit: "unknown", load: "unknown", cores: runtime.NumCPU(), goVersion: runtime.Version(), at: time.Now()}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.memory = kilobytes(info, "MemTotal:")
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load = strings.Join(strings.Fields(string(load))[:3], ", ")
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(release))
	}
	if commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.commit = strings.TrimSpace(string(commit))
	}
	return m
}
