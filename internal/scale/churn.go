package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// churned is what was measured while pods changed.
type churned struct {
	rate               int     // wanted
	true               float64 // as it was
	untouched, pressed spent   // in the first third of the time, without keys, and in the rest
	rss, peak          int64
	keys               spans
	served, screen     spans // lag behind etcd: of the API server, to a watch of the probe alone, and of the screen
	lag                spans // of the screen behind that watch
	control            control
}

// measureChurn lets pods change at each rate. One process does everything, since a second one would take from the same
// cores: the pods are in their usual order, worst first, and the cursor is on the probe, which a filter finds. The window
// keeps to the object under the cursor, so that the probe stays on the screen however the order changes, with its
// restarts to read the lag from; and the keys that are pressed are j, to the pod below, and k, back to the probe.
func (b *bench) measureChurn(ctx context.Context, t *terminal) error {
	// The first run only makes the probe, and warms up what has never been done before.
	warm, err := b.change(ctx, 10, time.Second, 0)
	if err == nil {
		_, err = warm.finish()
	}
	if err != nil {
		return err
	}
	for i, rate := range b.rates {
		if err := b.findProbe(t); err != nil {
			return err
		}
		c, err := b.measureRate(ctx, t, rate, i+1)
		if err != nil {
			return err
		}
		b.say("%d changes a second (%.0f in truth): %.1f %% of a core, keys p99 %s, behind by p50 %s p99 %s, API server %s", rate, c.true,
			percent(c.untouched.cpu, c.untouched.span), duration(c.keys.p99()), duration(c.screen.median()), duration(c.screen.p99()), duration(c.served.p99()))
		b.churned = append(b.churned, c)
	}
	return nil
}

// findProbe puts the cursor on the probe: alone in a filter it is chosen with g, and stays under the cursor when the
// filter goes.
func (b *bench) findProbe(t *terminal) error {
	filtered := func(s screen) bool { n, f := matches(s.head()); return n == 1 && f == probeFilter && onProbe(s) }
	if _, err := t.react("/"+empty+probeFilter+"\r", "the probe in a filter", filtered); err != nil {
		return err
	}
	_, err := t.react("g\x1b", "the probe among all pods", func(s screen) bool { return b.hasPods(s) && onProbe(s) })
	return err
}

// measureRate lets pods change at one rate.
func (b *bench) measureRate(ctx context.Context, t *terminal, rate, seed int) (churned, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whatever goes wrong, nothing changes any more
	c := churned{rate: rate}
	if err := b.settle(ctx); err != nil {
		return c, err
	}
	shown := &sightings{}
	stop := t.watch(func(now time.Time, s screen) bool { shown.note(now, restarts(s)); return false })
	defer stop()
	follower, err := b.cluster.follow(ctx)
	if err != nil {
		return c, err
	}
	run, err := b.change(ctx, rate, b.span, seed)
	if err != nil {
		return c, err
	}
	if err := b.spend(ctx, t, &c); err != nil {
		return c, err
	}
	done, err := run.finish()
	if err != nil {
		return c, err
	}
	c.true = done.rate
	last := done.answers[len(done.answers)-1].restarts
	_, errLast := t.await("the last change of the probe", func(s screen) bool { return restarts(s) >= last })
	if errLast != nil && !errors.Is(errLast, errNotShown) {
		return c, errLast
	}
	stop()
	served, err := follower()
	if err != nil {
		return c, err
	}
	if errLast != nil { // it is later than this, which is enough to see that nothing keeps up
		b.say("the last change of the probe is not on the screen after %s", patience)
		served.note(time.Now(), last)
		shown.note(time.Now(), last)
	}
	c.served, c.screen = behind(done.answers, served), behind(done.answers, shown)
	c.lag = behind(relayed(done.answers, served), shown)
	return c, nil
}

// spend lets the time of a rate pass: first without keys, so that their frames are not counted, and then with them.
func (b *bench) spend(ctx context.Context, t *terminal, c *churned) error {
	before, err := b.reading(t)
	if err != nil {
		return err
	}
	if err := pause(ctx, b.span/3); err != nil {
		return err
	}
	between, err := b.reading(t)
	for err == nil && time.Since(before.at) < b.span {
		err = b.pressBesideProbe(ctx, t, &c.keys)
	}
	if err != nil {
		return err
	}
	after, err := b.reading(t)
	c.untouched, c.pressed, c.rss, c.peak = between.since(before), after.since(between), after.rss, after.peak
	return err
}

// pressBesideProbe goes one row down and back, each key measured.
func (b *bench) pressBesideProbe(ctx context.Context, t *terminal, took *spans) error {
	for _, key := range []string{"j", "k"} {
		span, err := b.stroke(ctx, t, key, cursor)
		if err != nil {
			return err
		}
		*took = append(*took, span)
	}
	if show(t, onProbe) {
		return nil
	}
	return b.findProbe(t) // the pod below became ill meanwhile, and took the cursor with it
}

// reading is what has been used until some time.
type reading struct {
	at time.Time
	usage
	output
	server time.Duration
}

// spent is what was used in some time: by ktriage, and by the cluster itself.
type spent struct {
	span, cpu, server time.Duration
	output
}

func (r reading) since(before reading) spent {
	return spent{
		span: r.at.Sub(before.at), cpu: r.cpu - before.cpu, server: r.server - before.server,
		output: r.output.since(before.output),
	}
}

func (b *bench) reading(t *terminal) (reading, error) {
	u, errUsage := readUsage(t.pid())
	server, errServer := b.cluster.serverCPU()
	return reading{time.Now(), u, t.written(), server}, errors.Join(errUsage, errServer)
}

// answer is a write of the probe: how many restarts it says, and when etcd answered.
type answer struct {
	restarts int
	at       time.Time
}

// changes is a run of devcluster churn.
type changes struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// change lets pods change for some time.
func (b *bench) change(ctx context.Context, rate int, span time.Duration, seed int) (*changes, error) {
	c := &changes{cmd: b.cluster.command(ctx, "churn", "--rate", strconv.Itoa(rate), "--for", span.String(), "--seed", strconv.Itoa(seed))}
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("devcluster churn: %w", err)
	}
	return c, nil
}

// done is what was changed.
type done struct {
	rate    float64 // pods a second
	answers []answer
}

// finish waits for the end.
func (c *changes) finish() (done, error) {
	if err := c.cmd.Wait(); err != nil {
		return done{}, fmt.Errorf("devcluster churn: %w: %s", err, bytes.TrimSpace(c.stderr.Bytes()))
	}
	return readChanges(c.stdout.String())
}

// readChanges reads what devcluster churn prints: "RESTARTS NANOSECONDS" for each answer, and "done CHANGES SECONDS".
func readChanges(text string) (done, error) {
	var d done
	for line := range strings.Lines(text) {
		var written, seconds float64
		if _, err := fmt.Sscanf(line, "done %f %f", &written, &seconds); err == nil {
			d.rate = written / seconds
			continue
		}
		a, err := readAnswer(line)
		if err != nil {
			return d, fmt.Errorf("devcluster churn: %w", err)
		}
		d.answers = append(d.answers, a)
	}
	if len(d.answers) == 0 || d.rate == 0 {
		return d, fmt.Errorf("devcluster churn says nothing of the probe, or of the end: %q", text)
	}
	return d, nil
}

// readAnswer reads "RESTARTS NANOSECONDS".
func readAnswer(line string) (answer, error) {
	var a answer
	var nanoseconds int64
	if _, err := fmt.Sscanf(line, "%d %d", &a.restarts, &nanoseconds); err != nil {
		return a, fmt.Errorf("read %q: %w", line, err)
	}
	a.at = time.Unix(0, nanoseconds)
	return a, nil
}
