// Package snapshot prints a pane once, for scripts and for `ssh host ktriage snapshot`. Its one rule: the rows are those
// of the screen, and they are complete or there is an error; it never prints a part as if it were the whole.
package snapshot

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/views"
)

// samplesWait is how long complete rows wait for what metrics.k8s.io says of them.
const samplesWait = time.Second

// patience is how many heartbeats in a row may be lost before nothing is waited for any more.
const patience = 2

// Panes are the names of the panes that can be printed.
func Panes() []string {
	var names []string
	for _, p := range panes {
		if !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Levels are what a pane can be printed of, the default first; nil where it has but one kind of rows.
func Levels(pane string) []string {
	var levels []string
	for _, p := range panes {
		if p.name == pane && p.level != "" {
			levels = append(levels, p.level)
		}
	}
	return levels
}

// Options say what is printed.
type Options struct {
	Pane   string // one of Panes
	Level  string // one of its Levels; "" for the first
	Format views.Format
	Filter string
	Notes  io.Writer // what the rows do not say: that some may not be seen, that there are none
}

// pane is one that can be printed, or one level of it.
type pane struct {
	name, level string
	rows        string // what they are called: "pods"
	reads       kube.Kinds
	write       func(context.Context, *kube.Cluster, pane, Options, views.Filter, io.Writer) error
}

const (
	measured = kube.Nodes | kube.Pods | kube.Metrics
	said     = kube.Nodes | kube.Pods | kube.Events
	owned    = measured | kube.Workloads // pods are counted for what owns the ReplicaSet that owns them
)

// panes are those that can be printed.
var panes = []pane{
	{"nodes", "", "nodes", measured, of((*kube.Cluster).NodeFeed, views.NodesQuery, views.PrintNodes)},
	{"pods", "", "pods", measured, of((*kube.Cluster).PodFeed, views.PodsQuery, views.PrintPods)},
	{"workloads", "", "workloads", owned, of((*kube.Cluster).WorkloadFeed, views.WorkloadsQuery, views.PrintWorkloads)},
	{"events", "singles", "events", said, of((*kube.Cluster).EventFeed, views.EventsQuery, views.PrintEvents)},
	{"events", "groups", "groups of events", said, of((*kube.Cluster).EventGroupFeed, views.EventGroupsQuery, views.PrintEventGroups)},
	{"top", "nodes", "nodes", measured, of((*kube.Cluster).NodeFeed, views.TopNodesQuery, views.PrintTopNodes)},
	{"top", "pods", "pods", measured, of((*kube.Cluster).PodFeed, views.TopPodsQuery, views.PrintTopPods)},
	{"top", "containers", "containers", measured, summed((*kube.Cluster).ContainerFeed, views.TopContainersQuery, views.PrintTopContainers)},
	{"top", "namespaces", "totals", measured, summed((*kube.Cluster).TotalFeed, totals(kube.OfNamespace), views.PrintTotals)},
	{"top", "workloads", "totals", owned, summed((*kube.Cluster).TotalFeed, totals(kube.OfWorkload), views.PrintTotals)},
}

// summed prints rows that are made of pods and their samples, and are asked for when these are there.
func summed[R kube.Row](open func(*kube.Cluster) *kube.Feed[R], query func(views.Filter) kube.Query[R],
	write func(io.Writer, views.Format, []R, kube.Moment) error,
) func(context.Context, *kube.Cluster, pane, Options, views.Filter, io.Writer) error {
	printed := of(open, query, write)
	return func(ctx context.Context, c *kube.Cluster, p pane, o Options, filter views.Filter, w io.Writer) error {
		pods := c.PodFeed()
		defer pods.Close()
		if _, _, err := collect(ctx, c, pods, views.PodsQuery(views.Filter{}), p.reads); err != nil {
			return err
		}
		if p.reads&kube.Workloads != 0 {
			workloads := c.WorkloadFeed()
			defer workloads.Close()
			// Owners of owners are known by their rows; who may not read these is told what the names say.
			_, _, _ = collect(ctx, c, workloads, views.WorkloadsQuery(views.Filter{}), p.reads)
		}
		return printed(ctx, c, p, o, filter, w)
	}
}

func totals(level kube.TotalLevel) func(views.Filter) kube.Query[*kube.Total] {
	return func(f views.Filter) kube.Query[*kube.Total] { return views.TotalsQuery(level, f) }
}

// find gives the place of a pane among those that can be printed, -1 if there is none.
func find(name, level string) int {
	return slices.IndexFunc(panes, func(p pane) bool { return p.name == name && (level == "" || p.level == level) })
}

// Rows are what the rows of a pane, or of one of its Levels, are called: what views.ParseFilter takes.
func Rows(pane, level string) string {
	if i := find(pane, level); i >= 0 {
		return panes[i].rows
	}
	return ""
}

// Print reads the rows of a pane and writes those that pass the filter, worst first. A server that does not answer, or
// that forbids the rows, is an error: a script must not wait for ever.
func Print(ctx context.Context, c *kube.Cluster, o Options, w io.Writer) error {
	i := find(o.Pane, o.Level)
	if i < 0 {
		return fmt.Errorf("there is no pane %q of %q", o.Pane, o.Level)
	}
	filter, err := views.ParseFilter(panes[i].rows, o.Filter)
	if err != nil {
		return fmt.Errorf("read the filter: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.Start(ctx, panes[i].reads)
	if err := c.CheckNamespaces(ctx); err != nil {
		return err
	}
	return panes[i].write(ctx, c, panes[i], o, filter, w)
}

// of prints the rows of a feed.
func of[R kube.Row](open func(*kube.Cluster) *kube.Feed[R], query func(views.Filter) kube.Query[R],
	write func(io.Writer, views.Format, []R, kube.Moment) error,
) func(context.Context, *kube.Cluster, pane, Options, views.Filter, io.Writer) error {
	return func(ctx context.Context, c *kube.Cluster, p pane, o Options, filter views.Filter, w io.Writer) error {
		feed := open(c)
		rows, m, err := collect(ctx, c, feed, query(filter), p.reads)
		if err != nil {
			return err
		}
		note(o.Notes, c, len(rows), p.rows, filter)
		if s := feed.Load().State; s.Missing != nil && o.Notes != nil {
			fmt.Fprintf(o.Notes, "%s: %s\n", s.WhyMissing(), s.MissingWhat())
		}
		if n := m.Said.Forgotten; p.level == "singles" && n > 0 && o.Notes != nil {
			fmt.Fprintf(o.Notes, "%s older events are counted in their groups only: --of groups prints these.\n", text.Count(n))
		}
		if why, next := m.UsageTrouble(); p.name == "top" && why != "" && o.Notes != nil {
			fmt.Fprintf(o.Notes, "%s: %s\n", why, next)
		}
		return write(w, o.Format, rows, m)
	}
}

// note says on the side what the rows cannot.
func note(w io.Writer, c *kube.Cluster, rows int, pane string, filter views.Filter) {
	if w == nil {
		return
	}
	if s := c.Scope(); s.Limited != nil {
		fmt.Fprintf(w, "Only namespace %s is looked at: %s\n", text.Clean(s.Namespaces[0]), kube.Explain(s.Limited).Sentence)
	}
	switch {
	case rows == 0 && filter.Empty():
		fmt.Fprintf(w, "There are no %s.\n", pane)
	case rows == 0:
		fmt.Fprintf(w, "No %s match %s.\n", pane, filter.Text)
	}
}

// collect waits until the rows are complete, and those of the other kind that they are seen beside; their samples are
// waited for only a short time.
func collect[R kube.Row](ctx context.Context, c *kube.Cluster, feed *kube.Feed[R], q kube.Query[R], reads kube.Kinds) ([]R, kube.Moment, error) {
	asked := feed.SetQuery(q)
	var enough <-chan time.Time
	for {
		s := feed.Load()
		switch err := unreadable(s.State, c.Health()); {
		case err != nil:
			return nil, kube.Moment{}, err
		case s.Query != asked || s.State.Phase != kube.Live || !s.Moment.RowsRead: // not yet
		case s.Moment.Complete || reads&kube.Metrics == 0:
			return all(s), now(s.Moment), nil
		case enough == nil:
			enough = time.After(samplesWait)
		}
		select {
		case <-ctx.Done():
			return nil, kube.Moment{}, fmt.Errorf("read the rows: %w", context.Cause(ctx))
		case <-enough:
			return all(s), now(s.Moment), nil
		case <-c.Notifier().Wake():
			c.Notifier().Take()
		}
	}
}

// unreadable gives the reason for which the rows will not be complete, nil while they may.
func unreadable(s kube.State, h kube.Health) error {
	switch {
	case s.Missing != nil && s.MissingKinds == 0: // kinds of workloads that are not there leave the others to be printed
		return s.Missing
	case s.Phase != kube.Live && s.Err != nil:
		return s.Err
	case s.Phase == kube.Loading && s.Seen == 0 && !h.Up && h.Tries >= patience:
		return h.Err
	}
	return nil
}

// now puts the hands of a moment to the present, for ages.
func now(m kube.Moment) kube.Moment {
	m.Now = time.Now()
	return m
}

func all[R kube.Row](s *kube.Snapshot[R]) []R {
	out := make([]R, s.Len())
	for i := range out {
		out[i] = s.Row(i)
	}
	return out
}
