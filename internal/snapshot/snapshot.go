// Package snapshot prints a pane once, for scripts and for `ssh host ktriage snapshot`. Its one rule: the rows are those
// of the screen, and they are complete or there is an error; it never prints a part as if it were the whole.
package snapshot

import (
	"context"
	"fmt"
	"io"
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
func Panes() []string { return []string{"nodes", "pods", "workloads"} }

// Options say what is printed.
type Options struct {
	Pane   string // one of Panes
	Format views.Format
	Filter string
	Notes  io.Writer // what the rows do not say: that some may not be seen, that there are none
}

// Print reads the rows of a pane and writes those that pass the filter, worst first. A server that does not answer, or
// that forbids the rows, is an error: a script must not wait for ever.
func Print(ctx context.Context, c *kube.Cluster, o Options, w io.Writer) error {
	filter, err := views.ParseFilter(o.Filter)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	want := kube.Nodes | kube.Pods | kube.Metrics
	if o.Pane == "workloads" {
		want |= kube.Workloads
	}
	c.Start(ctx, want)
	if err := c.CheckNamespaces(ctx); err != nil {
		return err
	}
	switch o.Pane {
	case "nodes":
		rows, m, err := collect(ctx, c, c.NodeFeed(), views.NodesQuery(filter))
		if err != nil {
			return err
		}
		note(o.Notes, c, len(rows), o.Pane, filter)
		return views.PrintNodes(w, o.Format, rows, m)
	case "pods":
		rows, m, err := collect(ctx, c, c.PodFeed(), views.PodsQuery(filter))
		if err != nil {
			return err
		}
		note(o.Notes, c, len(rows), o.Pane, filter)
		return views.PrintPods(w, o.Format, rows, m)
	case "workloads":
		feed := c.WorkloadFeed()
		rows, m, err := collect(ctx, c, feed, views.WorkloadsQuery(filter))
		if err != nil {
			return err
		}
		note(o.Notes, c, len(rows), o.Pane, filter)
		if s := feed.Load().State; s.Missing != nil && o.Notes != nil {
			fmt.Fprintf(o.Notes, "%s: %s\n", s.WhyMissing(), s.MissingWhat())
		}
		return views.PrintWorkloads(w, o.Format, rows, m)
	}
	return fmt.Errorf("there is no pane %q", o.Pane)
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
func collect[R kube.Row](ctx context.Context, c *kube.Cluster, feed *kube.Feed[R], q kube.Query[R]) ([]R, kube.Moment, error) {
	asked := feed.SetQuery(q)
	var enough <-chan time.Time
	for {
		s := feed.Load()
		switch err := unreadable(s.State, c.Health()); {
		case err != nil:
			return nil, kube.Moment{}, err
		case s.Query != asked || s.State.Phase != kube.Live || !s.Moment.RowsRead: // not yet
		case s.Moment.Complete:
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
