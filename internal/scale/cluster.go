package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cluster is a loaded cluster of devcluster.
type cluster struct {
	options
	dir  string
	home string // an empty folder in place of the user's, whose configuration must not matter
}

// load makes the cluster anew.
func (c *cluster) load(ctx context.Context, s size) error {
	if err := c.down(); err != nil {
		return err
	}
	return c.run(ctx, "load", "--nodes", strconv.Itoa(s.nodes), "--pods", strconv.Itoa(s.pods))
}

// down ends the cluster, even after ctx has.
func (c *cluster) down() error { return c.run(context.Background(), "down") }

func (c *cluster) run(ctx context.Context, command string, args ...string) error {
	cmd := c.command(ctx, command, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("devcluster %s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	return nil
}

func (c *cluster) command(ctx context.Context, command string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.devcluster, append([]string{command, "--dir", c.dir}, args...)...)
}

// env is the environment of whoever reads the cluster.
func (c *cluster) env() []string {
	return append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "admin.conf"), "HOME="+c.home,
		"XDG_CONFIG_HOME="+c.home, "XDG_STATE_HOME="+c.home, "XDG_CACHE_HOME="+c.home)
}

// serverCPU is what the processes of the cluster have used so far.
func (c *cluster) serverCPU() (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join(c.dir, "state.json"))
	if err != nil {
		return 0, fmt.Errorf("read the processes of the cluster: %w", err)
	}
	var state struct{ Processes []struct{ PID int } }
	if err := json.Unmarshal(data, &state); err != nil {
		return 0, fmt.Errorf("read the processes of the cluster: %w", err)
	}
	var sum time.Duration
	for _, p := range state.Processes {
		u, err := readUsage(p.PID)
		if err != nil {
			return 0, err
		}
		sum += u.cpu
	}
	return sum, nil
}

// request is a kind of request, and how often it was made.
type request struct {
	what string // the verb and the path
	n    int
}

// requests counts what ktriage has asked of the API server since a time, after the audit log.
func (c *cluster) requests(since time.Time) ([]request, error) {
	log, err := os.ReadFile(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return countRequests(log, since)
}

// countRequests reads an audit log. A watch is logged when it starts and when it ends, under one ID.
func countRequests(log []byte, since time.Time) ([]request, error) {
	seen, counts := map[string]bool{}, map[string]int{}
	for lines := bufio.NewReader(bytes.NewReader(log)); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // what is after the last newline is being written
		}
		var e struct {
			AuditID, RequestURI, Verb, UserAgent string
			RequestReceivedTimestamp             time.Time
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read a line of the audit log: %w", err)
		}
		if !strings.HasPrefix(e.UserAgent, "ktriage/") || e.RequestReceivedTimestamp.Before(since) || seen[e.AuditID] {
			continue
		}
		seen[e.AuditID] = true
		u, err := url.Parse(e.RequestURI)
		if err != nil {
			return nil, fmt.Errorf("read a line of the audit log: %w", err)
		}
		counts[e.Verb+" "+u.Path]++
	}
	var out []request
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, request{what, counts[what]})
	}
	return out, nil
}

// open starts ktriage on the cluster, waits until it has read everything, and gives the pods the whole screen.
func (b *bench) open(ctx context.Context) (*terminal, error) {
	t, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := t.await("all rows", b.hasAll); err != nil {
		return nil, errors.Join(err, t.kill())
	}
	if _, err := t.react("z", "one pane", alone); err != nil {
		return nil, errors.Join(err, t.kill())
	}
	return t, nil
}

func (b *bench) start(ctx context.Context) (*terminal, error) {
	return startTerminal(ctx, b.width, b.height, b.cluster.env(), b.program, "pods")
}
