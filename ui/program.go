package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"

	"ktriage/internal/logs"
	"ktriage/internal/recall"
	"ktriage/internal/safe"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
	"ktriage/views"
)

// Deps is what the screen needs.
type Deps struct {
	Cluster    *kube.Cluster
	Runner     *action.Runner
	Pane       string // to start on; "" for the first
	Keys       *keymap.Map
	Theme      themes.Theme
	Background string // auto, dark or light
	Color      string // auto, always, never, 16, 256 or truecolor
	UTF8       bool
	ReadOnly   bool
	Messages   *logs.Ring
	Filters    *recall.Filters     // of earlier runs; nil for none
	Log        *slog.Logger        // nil for none
	Options    []tea.ProgramOption // for tests
}

// gapBlurred is the distance between two pieces of news while nobody looks.
const gapBlurred = time.Second

// Panes are the names of the panes, in the order of their numbers.
func Panes() []string {
	return []string{"nodes", "pods", "workloads", "certs", "events", "top", "actions"}
}

// Run shows the screen until the operator quits or ctx ends. The terminal is as it was when Run returns, whatever
// happened. The error is that of the start: credentials that the server refuses, a namespace that is not there.
func Run(ctx context.Context, d Deps) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return newApp(ctx, d).show(ctx, d)
}

// show is Run for a model that has been made.
func (a *App) show(ctx context.Context, d Deps) error {
	options := append([]tea.ProgramOption{
		tea.WithContext(ctx), tea.WithFPS(fps), tea.WithoutSignalHandler(),
	}, d.Options...)
	if a.look.fixed {
		options = append(options, tea.WithColorProfile(a.look.profile))
	}
	program := tea.NewProgram(a, options...)
	a.program = program
	d.Cluster.Start(ctx, kube.Nodes|kube.Pods|kube.Workloads|kube.CSRs|kube.Events|kube.Metrics)
	safe.Go("pump", func() { pump(ctx, program.Send, d.Cluster.Notifier(), a.gap, a.woken) })
	_, err := program.Run()
	a.pace.stop()
	a.banner.feed.Close()
	for _, p := range a.panes {
		p.Close()
	}
	switch {
	case a.err != nil:
		return a.err
	case errors.Is(err, tea.ErrProgramPanic):
		return &safe.Panic{Goroutine: "screen", Value: err, Stack: "see the log"}
	case errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("run the screen: %w", err)
	}
	return nil
}

// newApp makes the model.
func newApp(ctx context.Context, d Deps) *App {
	said := &stillSaid{Said: d.Cluster}
	a := &App{
		ctx: ctx, cluster: d.Cluster, said: said, woken: make(chan struct{}, 1), keys: d.Keys, messages: d.Messages, readOnly: d.ReadOnly,
		panes: []views.View{
			views.NewNodes(d.Cluster.NodeFeed(), said), views.NewPods(d.Cluster.PodFeed(), said),
			views.NewWorkloads(d.Cluster.WorkloadFeed(), said), views.NewCerts(certs(d.Cluster)),
			views.NewEvents(views.Events{Groups: d.Cluster.EventGroupFeed(), Singles: d.Cluster.EventFeed(), All: d.Cluster.EventFeed()}),
			views.NewTop(views.Top{
				Nodes: d.Cluster.NodeFeed(), Pods: d.Cluster.PodFeed(), Containers: d.Cluster.ContainerFeed(), Totals: d.Cluster.TotalFeed(),
				ShowContainers: d.Cluster.ShowContainers,
			}),
			views.NewActions(runs(d.Runner)),
		},
		banner: newBanner(d.Cluster.CertFeed()),
		runner: d.Runner, watching: map[string]bool{}, stood: map[string]bool{}, reminded: map[string]int{}, offeredCuts: map[*action.Cut]bool{}, logger: logger(d.Log),
		look: startLook(d, os.Environ()),
	}
	if a.filters = d.Filters; a.filters == nil {
		a.filters, _ = recall.Open("")
	}
	for i, p := range a.panes {
		if p.Name() == d.Pane {
			a.focus = i
		}
	}
	a.now = a.clock()
	a.repaint()
	return a
}

// certs are the feeds of the Certs pane.
func certs(c *kube.Cluster) views.Certs {
	return views.Certs{Rows: c.CertFeed(), All: c.CertFeed(), CSRs: c.CSRFeed(), Waiting: c.CSRFeed()}
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// startLook is what is known of the terminal before it has been asked.
func startLook(d Deps, env []string) look {
	l := look{theme: d.Theme, dark: d.Background != "light", forced: d.Background == "dark" || d.Background == "light", utf8: d.UTF8}
	l.profile = colorprofile.Env(env)
	l.term = uv.Environ(env).Getenv("TERM")
	l.fixed = true
	switch d.Color {
	case "never":
		l.profile = colorprofile.ASCII
	case "16":
		l.profile = colorprofile.ANSI
	case "256":
		l.profile = colorprofile.ANSI256
	case "truecolor":
		l.profile = colorprofile.TrueColor
	case "always":
		l.profile = max(l.profile, colorprofile.ANSI)
	default:
		l.fixed = false
	}
	return l
}

// gap is the distance between two pieces of news, beyond that which the publisher keeps.
func (a *App) gap() time.Duration {
	if a.asleep.Load() {
		return gapBlurred
	}
	return 0
}
