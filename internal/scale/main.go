// Scale measures ktriage on big clusters: the real program, in a real pseudo-terminal, on a real API server. Its one
// rule: everything is measured from outside, and no figure decides anything; it fails only where something did not work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options say what is measured, and for how long.
type options struct {
	program, devcluster string
	dir                 string // of the clusters that are made for this
	cluster             string // of one that runs already, "" to make them
	sizes               []size
	only                []string
	rates               []int // of changes a second
	out                 string
	attempts, presses   int
	span, quiet         time.Duration
	width, height       int
	storm               int           // events a second
	stormSpan           time.Duration // of a storm of events
}

// size is how big a cluster is.
type size struct{ nodes, pods int }

func (s size) String() string { return count(s.nodes) + " nodes, " + count(s.pods) + " pods" }

// phases are the parts of a measurement; those inSession share one process of ktriage.
var (
	inSession = []string{"idle", "keys", "filter", "churn"}
	phases    = slices.Concat([]string{"compare", "load"}, inSession, []string{"events"})
)

func (o options) wants(phase string) bool { return slices.Contains(o.only, phase) }

func main() {
	child := flag.String("child", "", "used by the program itself: read all pods in one of several ways")
	o, err := readOptions()
	if err == nil && *child != "" {
		err = runChild(*child)
	} else if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, o)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func readOptions() (options, error) {
	var o options
	var sizes, only, rates string
	var nodes, pods int
	flag.StringVar(&o.program, "program", "bin/ktriage", "the program")
	flag.StringVar(&o.devcluster, "devcluster", "bin/devcluster", "makes the clusters; its other binaries lie beside it")
	flag.StringVar(&o.dir, "dir", "dist/scale", "folder of the clusters")
	flag.StringVar(&o.cluster, "cluster", "", "folder of a loaded cluster that runs already, to use it and leave it running")
	flag.IntVar(&nodes, "nodes", 5000, "nodes of the cluster")
	flag.IntVar(&pods, "pods", 150_000, "pods of the cluster")
	flag.StringVar(&sizes, "sizes", "", "several clusters one after the other, as NODES/PODS,NODES/PODS; the last is the one that counts")
	flag.StringVar(&only, "only", strings.Join(phases[:len(phases)-1], ","), "parts of the measurement; \"events\" is one that is measured alone")
	flag.StringVar(&rates, "rates", "100,1000,5000", "how many pods change in a second")
	flag.StringVar(&o.out, "out", "", "document to write; without it the report is only printed")
	flag.IntVar(&o.attempts, "starts", 5, "starts of the program")
	flag.IntVar(&o.presses, "presses", 200, "presses of each kind of key")
	flag.DurationVar(&o.span, "span", 30*time.Second, "how long pods change at each rate")
	flag.DurationVar(&o.quiet, "idle", time.Minute, "how long nothing happens")
	flag.IntVar(&o.width, "width", 120, "columns of the terminal")
	flag.IntVar(&o.height, "height", 40, "lines of the terminal")
	flag.IntVar(&o.storm, "storm", 5000, "events a second of a fleet that crash-loops")
	flag.DurationVar(&o.stormSpan, "stormspan", time.Minute, "how long it does")
	flag.Parse()
	o.only = strings.Split(only, ",")
	for _, phase := range o.only {
		if !slices.Contains(phases, phase) {
			return o, fmt.Errorf("-only has no part %q; there are %s", phase, strings.Join(phases, ", "))
		}
	}
	if o.wants("events") && len(o.only) > 1 {
		return o, errors.New("-only events is measured alone")
	}
	for rate := range strings.SplitSeq(rates, ",") {
		n, err := strconv.Atoi(rate)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-rates has %q, which is not a number of pods a second", rate)
		}
		o.rates = append(o.rates, n)
	}
	if sizes == "" {
		sizes = fmt.Sprintf("%d/%d", nodes, pods)
	}
	var err error
	if o.sizes, err = readSizes(sizes); err != nil {
		return o, err
	}
	if o.cluster != "" && len(o.sizes) > 1 {
		return o, errors.New("-cluster names one cluster, and -sizes several")
	}
	return o, nil
}

func readSizes(text string) ([]size, error) {
	var sizes []size
	for part := range strings.SplitSeq(text, ",") {
		nodes, pods, ok := strings.Cut(part, "/")
		n, errNodes := strconv.Atoi(nodes)
		p, errPods := strconv.Atoi(pods)
		if !ok || errNodes != nil || errPods != nil || n < 1 || p < 1 {
			return nil, fmt.Errorf("%q is not NODES/PODS, such as 500/15000", part)
		}
		sizes = append(sizes, size{n, p})
	}
	return sizes, nil
}

// run measures clusters of all sizes, and reports.
func run(ctx context.Context, o options) error {
	say, on := progress(), readMachine(ctx)
	var all []*figures
	for _, s := range o.sizes {
		say("%s", s)
		f := &figures{size: s, said: groupCounts{}}
		all = append(all, f)
		if err := measure(ctx, o, f, say); err != nil {
			fmt.Println(report{machine: on, options: o, all: all}.tables()) // what there is until then is worth having
			return fmt.Errorf("measure %s: %w", s, err)
		}
	}
	r := report{machine: on, options: o, all: all}
	if o.wants("events") {
		fmt.Println(r.eventsPart())
		if o.out == "" {
			return nil
		}
		return r.writeEvents(o.out)
	}
	fmt.Println(r.tables())
	if o.out == "" {
		return nil
	}
	return r.write(o.out)
}

// figures are what was measured on a cluster of one size.
type figures struct {
	size
	others       []compared // what others need
	get          compared   // a GET of all pods, which alternated with the starts
	starts       []start
	memory       []memory
	idle         idle
	keys         []keyed
	typing       typing
	sorts, panes []keyed
	churned      []churned
	stormed      []stormed
	said         groupCounts // what all storms have written into this cluster
	sessionPeak  int64       // bytes, of the process that was idle, and in which keys were pressed while pods changed
}

// measure makes a cluster and measures everything on it that is wanted.
func measure(ctx context.Context, o options, f *figures, say func(string, ...any)) (err error) {
	c := &cluster{options: o, dir: o.dir}
	if o.cluster != "" {
		c.dir = o.cluster
	} else {
		if err := c.load(ctx, f.size); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.down()) }()
	}
	if c.home, err = os.MkdirTemp("", "ktriage-scale-"); err != nil {
		return fmt.Errorf("make an empty home for ktriage: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.home)) }()
	b := &bench{options: o, cluster: c, say: say, figures: f}
	return b.run(ctx)
}

// bench measures one cluster.
type bench struct {
	options
	*figures
	cluster *cluster
	say     func(string, ...any)
}

func (b *bench) run(ctx context.Context) error {
	for _, step := range []struct {
		wanted bool
		do     func(context.Context) error
	}{
		{b.wants("compare") || b.wants("load"), b.warmUp},
		{b.wants("compare"), b.compare},
		{b.wants("load"), b.measureStarts},
		{slices.ContainsFunc(inSession, b.wants), b.measureSession},
		{b.wants("churn"), b.measureControls},
		{b.wants("events"), b.measureEvents},
	} {
		if !step.wanted {
			continue
		}
		if err := step.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measureSession measures all that is done with one process of ktriage, as an operator has it open for hours.
func (b *bench) measureSession(ctx context.Context) error {
	t, err := b.open(ctx)
	if err != nil {
		return err
	}
	do := map[string]func(context.Context, *terminal) error{
		"idle": b.measureIdle, "keys": b.measureKeys, "filter": b.measureFilter, "churn": b.measureChurn,
	}
	for _, phase := range inSession {
		if !b.wants(phase) {
			continue
		}
		if err := do[phase](ctx, t); err != nil {
			return errors.Join(err, t.kill())
		}
	}
	now, err := readUsage(t.pid())
	b.sessionPeak = now.peak
	return errors.Join(err, t.end())
}

// progress prints how far it is, with the seconds since the start.
func progress() func(string, ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// pause waits, and gives an error if it is ended by ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beside gives the path of another binary in the folder of one.
func beside(binary, name string) string { return filepath.Join(filepath.Dir(binary), name) }
