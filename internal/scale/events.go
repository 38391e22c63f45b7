package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stormed is what was measured while a fleet crash-looped.
type stormed struct {
	where              string // who served the events, and which pane was open
	rate               int    // wanted
	true               float64
	untouched, pressed spent // in the first third of the time, without keys, and in the rest
	before, rss, peak  int64 // bytes: before the storm, after it, and at the most
	keys               []keyed
	late               time.Duration // from the end of the storm until the screen had counted everything
	written, shown     int
	groups             groupCheck
	control            tally // of a bare watch in a run of its own
	controlWritten     int
}

// stormReport is what devcluster storm prints.
type stormReport struct {
	Written, Objects int
	Seconds          float64
	Counts           []struct {
		Reason, Type, Namespace, Owner string
		Count, Objects, Pods           int
	}
}

// groupCheck compares the groups on the screen with what was written.
type groupCheck struct {
	wanted, shown int      // groups
	wrong         []string // those that differ
}

// measureEvents lets a fleet crash-loop: with ktriage on the Events pane and on the Pods pane, before a server that answers from
// memory, and then with a real API server. Everything that a real storm leaves stays in etcd for an hour, and is counted with
// what comes after it.
func (b *bench) measureEvents(ctx context.Context) error {
	for _, pane := range []string{"events", "pods"} {
		s, err := b.stormServed(ctx, pane)
		if err != nil {
			return err
		}
		b.told(s)
	}
	control, err := b.bareStorm(ctx)
	if err != nil {
		return err
	}
	s, err := b.stormWritten(ctx)
	if err != nil {
		return err
	}
	s.control, s.controlWritten = control, b.said.total()-s.written
	b.told(s)
	return nil
}

func (b *bench) told(s stormed) {
	b.say("%s, %d events a second (%.0f in truth): %.1f %% of a core, %s, keys p99 %s, counted %d of %d, groups %d of %d, %d of them wrong",
		s.where, s.rate, s.true, percent(s.untouched.cpu, s.untouched.span), mebibytes(s.peak), duration(s.key("").p99()), s.shown, s.written,
		s.groups.shown, s.groups.wanted, len(s.groups.wrong))
	b.stormed = append(b.stormed, s)
}

// key gives the times of one kind of key, of all of them for "".
func (s stormed) key(what string) spans {
	var all spans
	for _, k := range s.keys {
		if what == "" || k.what == what {
			all = append(all, k.took...)
		}
	}
	return all
}

// storm is a run of devcluster storm.
type storm struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	log   strings.Builder
}

// stormPods is how many pods crash-loop, where there are so many.
const stormPods = 3000

func (b *bench) startStorm(ctx context.Context, args ...string) (*storm, error) {
	args = append([]string{"--rate", strconv.Itoa(b.storm), "--for", b.stormSpan.String(), "--pods", strconv.Itoa(min(stormPods, b.pods))}, args...)
	s := &storm{cmd: b.cluster.command(ctx, "storm", args...)}
	s.cmd.Stderr = &s.log
	out, errOut := s.cmd.StdoutPipe()
	in, errIn := s.cmd.StdinPipe()
	if err := cmp.Or(errOut, errIn); err != nil {
		return nil, fmt.Errorf("devcluster storm: %w", err)
	}
	s.in, s.lines = in, bufio.NewScanner(out)
	s.lines.Buffer(nil, 16<<20)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("devcluster storm: %w", err)
	}
	return s, nil
}

// line reads the next line that it prints.
func (s *storm) line() (string, error) {
	if s.lines.Scan() {
		return s.lines.Text(), nil
	}
	return "", fmt.Errorf("devcluster storm: %w: %s", cmp.Or(s.lines.Err(), io.ErrUnexpectedEOF), strings.TrimSpace(s.log.String()))
}

func (s *storm) report() (stormReport, error) {
	var r stormReport
	text, err := s.line()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("devcluster storm: %w", err)
	}
	return r, nil
}

// end lets it end.
func (s *storm) end() error {
	err := s.in.Close()
	if errWait := s.cmd.Wait(); errWait != nil {
		return fmt.Errorf("devcluster storm: %w: %s", errWait, strings.TrimSpace(s.log.String()))
	}
	return err
}

// groupCounts is how often each reason was said of each owner.
type groupCounts map[[3]string]int

func (g groupCounts) add(r stormReport) {
	for _, c := range r.Counts {
		g[[3]string{c.Reason, c.Namespace, c.Owner}] += c.Count
	}
}

func (g groupCounts) total() (sum int) {
	for _, n := range g {
		sum += n
	}
	return sum
}

// stormServed measures before a server in memory: it has nothing else to do.
func (b *bench) stormServed(ctx context.Context, pane string) (s stormed, err error) {
	run, err := b.startStorm(ctx, "--serve")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, run.end()) }()
	if _, err := run.line(); err != nil { // it serves
		return s, err
	}
	s = stormed{where: "from memory, pane " + pane, rate: b.storm}
	begin := func() error { _, err := io.WriteString(run.in, "\n"); return err }
	return s, b.stormOn(ctx, &s, stormScene{pane, filepath.Join(b.cluster.dir, "storm.conf"), begin, run, groupCounts{}})
}

// stormWritten measures with the real API server.
func (b *bench) stormWritten(ctx context.Context) (stormed, error) {
	s := stormed{where: "from etcd and kube-apiserver, pane events", rate: b.storm}
	scene := stormScene{pane: "events", kubeconfig: filepath.Join(b.cluster.dir, "admin.conf"), counts: b.said, run: &storm{}}
	scene.begin = func() error {
		run, err := b.startStorm(ctx)
		if err == nil {
			*scene.run = *run
		}
		return err
	}
	err := b.stormOn(ctx, &s, scene)
	if scene.run.cmd != nil {
		err = errors.Join(err, scene.run.end())
	}
	return s, err
}

// stormScene is what a storm is measured with.
type stormScene struct {
	pane, kubeconfig string
	begin            func() error
	run              *storm
	counts           groupCounts // of what was said before, and then of the storm too
}

// stormOn opens ktriage, begins the storm, and looks at what it shows when it is over.
func (b *bench) stormOn(ctx context.Context, s *stormed, scene stormScene) error {
	env := append(b.cluster.env(), "KUBECONFIG="+scene.kubeconfig) // of two, the last counts
	t, err := startTerminal(ctx, b.width, b.height, env, b.program, scene.pane)
	if err != nil {
		return err
	}
	if err := b.stormIn(ctx, t, s, scene); err != nil {
		return errors.Join(err, t.kill())
	}
	return t.end()
}

func (b *bench) stormIn(ctx context.Context, t *terminal, s *stormed, scene stormScene) error {
	if _, err := t.await("everything", live); err != nil {
		return err
	}
	if _, err := t.react("z", "one pane", alone); err != nil {
		return err
	}
	if err := errors.Join(pause(ctx, 10*time.Second), b.settle(ctx)); err != nil {
		return err
	}
	before, err := b.reading(t)
	if err == nil {
		err = scene.begin()
	}
	if err != nil {
		return err
	}
	s.before = before.rss
	if err := b.spendStorm(ctx, t, s, scene.pane); err != nil {
		return err
	}
	r, err := scene.run.report()
	if err != nil {
		return err
	}
	over := time.Now()
	s.true = float64(r.Written) / r.Seconds
	scene.counts.add(r)
	s.written = r.Written
	if err := b.countShown(ctx, t, s, scene.counts, over); err != nil {
		return err
	}
	after, err := b.reading(t)
	s.rss, s.peak = after.rss, after.peak
	return err
}

// spendStorm lets the time pass: first without keys, and then with them.
func (b *bench) spendStorm(ctx context.Context, t *terminal, s *stormed, pane string) error {
	before, err := b.reading(t)
	if err != nil {
		return err
	}
	if err := pause(ctx, b.stormSpan/3); err != nil {
		return err
	}
	between, err := b.reading(t)
	if err != nil {
		return err
	}
	move := keyed{what: "move, pane " + pane}
	panes := keyed{what: "another pane"}
	for time.Since(before.at) < b.stormSpan-2*time.Second {
		if err := b.moveInStorm(ctx, t, pane, &move.took); err != nil {
			return err
		}
		if err := b.switchInStorm(ctx, t, pane, &panes.took); err != nil {
			return err
		}
	}
	after, err := b.reading(t)
	s.untouched, s.pressed, s.keys = between.since(before), after.since(between), []keyed{move, panes}
	return err
}

// stormKeys is how many keys are pressed in a pane before it is changed.
const stormKeys = 10

// moveInStorm moves the cursor down and back. Groups are held still for that: among groups that overtake each other nobody can
// tell what a key did. What is said meanwhile is still read and counted.
func (b *bench) moveInStorm(ctx context.Context, t *terminal, pane string, took *spans) error {
	state := cursor
	if pane == "events" {
		state = subject
		if err := b.prepare(ctx, t, "fg"); err != nil {
			return err
		}
	}
	for _, key := range append(times("j", stormKeys), times("k", stormKeys)...) {
		span, err := b.stroke(ctx, t, key, state)
		if err != nil {
			return err
		}
		*took = append(*took, span)
	}
	if pane == "events" {
		return b.prepare(ctx, t, "f")
	}
	return nil
}

// switchInStorm goes to another pane and back.
func (b *bench) switchInStorm(ctx context.Context, t *terminal, pane string, took *spans) error {
	for range stormKeys / 2 {
		there, here := "1", "2"
		back := b.hasPods
		if pane == "events" {
			here, back = "5", onEvents
		}
		for _, step := range []struct {
			key   string
			holds func(screen) bool
		}{{there, b.hasNodes}, {here, back}} {
			if err := breath(ctx); err != nil {
				return err
			}
			span, err := t.react(step.key, "the other pane", step.holds)
			if err != nil {
				return err
			}
			*took = append(*took, span)
		}
	}
	return nil
}

// What the Events pane says.
var (
	saidForm  = regexp.MustCompile(`([\d,]+) groups?, (?:at least )?([\d,]+)\+? events?`)
	groupForm = regexp.MustCompile(`\sx([\d,]+)\+?\s+(\S+)\s`)
)

// live reports whether the header says that everything is.
func live(s screen) bool { return strings.Contains(s.line(0), "● live") }

func onEvents(s screen) bool { return saidForm.MatchString(s.head()) }

// saidOn gives how many groups and events the head of the Events pane says.
func saidOn(s screen) (groups, events int) {
	m := saidForm.FindStringSubmatch(s.head())
	if m == nil {
		return 0, 0
	}
	return number(m[1]), number(m[2])
}

// subject is what the group under the cursor is about: the rule below the rows up to where it is a line only.
func subject(s screen) string {
	text, _, _ := strings.Cut(strings.TrimLeft(s.line(s.Height()-belowRow), "─━ "), " ─")
	return text
}

// countShown waits until the head has counted everything, and then reads all groups.
func (b *bench) countShown(ctx context.Context, t *terminal, s *stormed, counts groupCounts, over time.Time) error {
	if _, err := t.press("5"); err != nil {
		return err
	}
	if _, err := t.await("the Events pane", onEvents); err != nil {
		return err
	}
	all := counts.total()
	at, err := t.await("all that was said", func(sc screen) bool { _, n := saidOn(sc); return n >= all })
	if err != nil && !errors.Is(err, errNotShown) {
		return err
	}
	if err != nil {
		b.say("not everything that was said is on the screen after %s", patience)
		at = time.Now()
	}
	s.late = max(0, at.Sub(over))
	groups, n := saidNow(t)
	s.shown = n - (all - s.written)
	seen, err := b.readGroups(ctx, t, groups)
	s.groups = compareGroups(counts, seen)
	return err
}

func saidNow(t *terminal) (groups, events int) {
	both := show(t, func(s screen) [2]int { g, n := saidOn(s); return [2]int{g, n} })
	return both[0], both[1]
}

// group is a row of the Events pane, as far as it is read.
type group struct {
	reason string
	count  int
}

// readGroups pages through all groups. What stands on two pages is told apart by its place.
func (b *bench) readGroups(ctx context.Context, t *terminal, n int) ([]group, error) {
	if err := b.prepare(ctx, t, "g"); err != nil {
		return nil, err
	}
	seen := map[int]group{}
	for len(seen) < n {
		before := len(seen)
		show(t, func(s screen) bool { collect(s, seen); return true })
		if len(seen) == before && before > 0 {
			break
		}
		if err := b.prepare(ctx, t, "\x06"); err != nil {
			return nil, err
		}
	}
	return slices.Collect(maps.Values(seen)), nil
}

// collect reads the groups on the screen by their place among all.
func collect(s screen, seen map[int]group) {
	first, _ := shown(s.head())
	if first == 0 {
		first = 1 // all fit
	}
	for y := rowLine; y < s.Height()-belowRow; y++ {
		if m := groupForm.FindStringSubmatch(s.line(y)); m != nil {
			seen[first+y-rowLine] = group{m[2], number(m[1])}
		}
	}
}

// compareGroups compares how many groups of each reason have which count: names are cut on the screen.
func compareGroups(want groupCounts, seen []group) groupCheck {
	c := groupCheck{wanted: len(want), shown: len(seen)}
	diff := map[group]int{}
	for key, n := range want {
		diff[group{key[0], n}]++
	}
	for _, g := range seen {
		diff[g]--
	}
	for g, n := range diff {
		if n != 0 {
			c.wrong = append(c.wrong, fmt.Sprintf("%s x%d: %+d", g.reason, g.count, -n))
		}
	}
	slices.Sort(c.wrong)
	return c
}

// bareStorm lets a process that throws everything away watch a real storm.
func (b *bench) bareStorm(ctx context.Context) (tally, error) {
	if err := b.settle(ctx); err != nil {
		return tally{}, err
	}
	cmd, err := b.command(ctx, "events")
	if err != nil {
		return tally{}, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return tally{}, fmt.Errorf("start a bare watch of events: %w", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }() // it says that it was killed
	tallies := bufio.NewScanner(out)
	if !tallies.Scan() {
		return tally{}, errors.New("a bare watch of events says nothing")
	}
	run, err := b.startStorm(ctx)
	if err != nil {
		return tally{}, err
	}
	r, err := run.report()
	if err := errors.Join(err, run.end()); err != nil {
		return tally{}, err
	}
	b.said.add(r)
	over := time.Now()
	for t := (tally{}); tallies.Scan(); {
		var nanoseconds int64
		if _, err := fmt.Sscan(tallies.Text(), &t.frames, &t.streams, &nanoseconds); err != nil {
			return t, fmt.Errorf("read the tally of a bare watch: %w", err)
		}
		if t.at = time.Unix(0, nanoseconds); t.frames >= r.Written || t.at.Sub(over) > patience {
			t.late = max(0, t.at.Sub(over))
			b.say("a bare watch of %d events a second (%.0f in truth) got %d of %d, the last %s after the end, in %d watches",
				b.storm, float64(r.Written)/r.Seconds, t.frames, r.Written, duration(t.late), t.streams)
			return t, nil
		}
	}
	return tally{}, errors.New("a bare watch of events has ended by itself")
}
