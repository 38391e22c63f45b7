// Package process starts and ends programs that outlive their starter. Its one rule: it only ever signals a process that
// it can prove to be the one that it started: a pid alone proves nothing, since the kernel gives it out again.
package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process names a running program for good.
type Process struct {
	Name    string   `json:"name"`
	PID     int      `json:"pid"`
	Started string   `json:"started"` // start time as the kernel tells it, in its own unit
	Boot    string   `json:"boot"`    // the boot that Started counts from, where the kernel tells it
	Command []string `json:"command"`
	Log     string   `json:"log"`
}

// Start runs a command in a session of its own, so that ctrl+c of the starter's terminal does not reach it, with its
// output at the end of the log file. A process that ended at once is given together with the error: its log may say why.
func Start(name, log string, command []string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	// Reaped here, so that one that ends early is not a zombie that looks alive.
	go func() { _ = cmd.Wait() }()
	p := &Process{Name: name, PID: cmd.Process.Pid, Command: command, Log: log, Boot: bootID()}
	if p.Started, err = startTime(p.PID); err != nil {
		return p, fmt.Errorf("%s ended at once", name)
	}
	return p, nil
}

// Alive reports whether the process runs, and is the one that was started.
func (p *Process) Alive() bool {
	if p.Boot != "" && p.Boot != bootID() {
		return false
	}
	t, err := startTime(p.PID)
	return err == nil && t == p.Started
}

// Signal sends a signal, if the process is the one that was started; otherwise it gives os.ErrProcessDone.
func (p *Process) Signal(s syscall.Signal) error {
	// The handle is taken before the process is looked at: on Linux it is a pidfd, which stays with the process even if
	// the kernel gives its number to another one in between.
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return os.ErrProcessDone
	}
	defer func() { _ = handle.Release() }()
	if !p.Alive() {
		return os.ErrProcessDone
	}
	return handle.Signal(s)
}

// Stop asks the process to end, waits, and kills it if it has not ended within patience. It returns when it is gone. A
// paused process goes on, so that it can hear what it is asked.
func (p *Process) Stop(patience time.Duration) error {
	err := p.Signal(syscall.SIGTERM)
	if err == nil {
		err = p.Signal(syscall.SIGCONT)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	if p.gone(patience) {
		return nil
	}
	return p.Kill()
}

// Pause stops the process where it is: its ports stay open and take connections, and nobody answers.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause %s: %w", p.Name, err)
	}
	return nil
}

// Resume lets a paused process go on; one that is not paused, it leaves as it is.
func (p *Process) Resume() error {
	if err := p.Signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("resume %s: %w", p.Name, err)
	}
	return nil
}

// Kill ends the process as a crash would, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	if !p.gone(5 * time.Second) {
		return fmt.Errorf("%s, process %d, does not end", p.Name, p.PID)
	}
	return nil
}

// gone waits until the process has ended.
func (p *Process) gone(patience time.Duration) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !p.Alive() {
			return true
		}
	}
	return !p.Alive()
}

// startTime is when the kernel started a process: field 22 of /proc/PID/stat, or what ps says where there is no /proc.
// A zombie counts as ended.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) && !hasProc() {
		out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
		return strings.TrimSpace(string(out)), err
	}
	if err != nil {
		return "", err
	}
	// The second field is the name in brackets, and may hold anything: what counts begins after the last bracket.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", os.ErrProcessDone
	}
	return fields[19], nil
}

// bootID names the boot of the machine; a start time says nothing about a process of another one. It is "" where there
// is no /proc: ps tells dates.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// tail is how much of the end of a log LastLine looks at, in bytes.
const tail = 16 << 10

// LastLine gives the last line of the log that is not blank, for an error message; "" if there is none.
func (p *Process) LastLine() string {
	f, err := os.Open(p.Log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tail {
		_, _ = f.Seek(-tail, io.SeekEnd) // from the start, if not from there
	}
	data, _ := io.ReadAll(f) // what can be read is enough
	text := strings.TrimSpace(string(data))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
