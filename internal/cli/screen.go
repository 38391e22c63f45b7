package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ktriage/internal/logs"
	"ktriage/internal/recall"
	"ktriage/internal/term"
	"ktriage/internal/xdg"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/ui"
)

// screen starts the UI. Nothing is asked of the terminal or the network before everything that can be known locally is
// good; and nothing is asked of the network before the screen is there, unless a credential plugin may have a question
// of its own.
func (p *program) screen(cmd *cobra.Command, o *options, pane string) (err error) {
	ctx := cmd.Context()
	if err := o.checkPatterns(p.getenv); err != nil {
		return err
	}
	if err := o.certs.check(); err != nil {
		return err
	}
	terminal, err := term.Open(p.in, p.out, p.getenv)
	if err != nil {
		return err
	}
	log := p.openLog(o)
	cluster, err := p.connect(o, log)
	if err != nil {
		return err
	}
	inventory, err := o.inventory(cluster, log, false)
	if err != nil {
		return err
	}
	if cluster.NeedsTerminal() {
		// A server that does not answer is for the screen to show.
		if err := cluster.LogIn(ctx); err != nil && (ctx.Err() != nil || kube.Explain(err).Code != kube.ExitError) {
			return err
		}
	}
	if err := terminal.Take(log.File()); err != nil {
		return fmt.Errorf("start the screen: %w", err)
	}
	p.terminal.Store(terminal)
	returned := false
	defer func() {
		if !returned { // the screen has panicked, and has given nothing back
			terminal.Rescue(rescueLimit)
			return
		}
		err = errors.Join(err, terminal.Release())
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	inventory.Start(ctx)
	runner, end := p.runner(ctx, o, cluster, inventory, log)
	err = p.show(ctx, ui.Deps{
		Cluster: cluster, Runner: runner, Log: log.Logger, Pane: pane, Keys: keymap.Default(),
		Theme: o.chosenTheme(), Background: o.background.value,
		Color: o.colors(cmd, p.getenv), UTF8: o.utf8(cmd, p.getenv),
		ReadOnly: o.readOnly, Messages: log.Ring, Filters: p.openFilters(log),
	})
	returned = true
	end()
	return err
}

// openLog starts the log and sends to it what the Kubernetes libraries say. A log that cannot be written is no reason
// not to look at a cluster: it is said once, and messages are kept in memory.
func (p *program) openLog(o *options) *logs.Log {
	dir, err := xdg.StateDir(p.getenv)
	log, openErr := logs.Open(dir, o.level(), p.now())
	if err == nil {
		err = openErr
	}
	if err != nil {
		log.Warn("no log is written", "err", err)
		p.say(fmt.Sprintf("No log is written: %v.", err), "", 0)
	}
	log.TakeKubernetes()
	p.log.Store(log)
	return log
}

// openFilters reads the filters of earlier runs. What cannot be read is no reason for anything but a line in the log.
func (p *program) openFilters(log *logs.Log) *recall.Filters {
	dir, _ := xdg.StateDir(p.getenv) // without one they are those of this run
	filters, err := recall.Open(dir)
	if err != nil {
		log.Warn("earlier filters are not known", "err", err)
	}
	return filters
}

// connect reads the kubeconfig and makes the clients, unless our certificate has expired. It does not touch the network.
func (p *program) connect(o *options, log *logs.Log) (*kube.Cluster, error) {
	cluster, err := p.clients(o, log)
	if err != nil {
		return nil, err
	}
	return cluster, kube.CheckCredentials(cluster.Config(), p.now())
}

// clients reads the kubeconfig and makes the clients. It does not touch the network.
func (p *program) clients(o *options, log *logs.Log) (*kube.Cluster, error) {
	if _, err := timeout(*o.kube.Timeout); err != nil {
		return nil, err
	}
	if err := kube.CheckConfig(o.kube); err != nil {
		return nil, err
	}
	cluster, err := kube.Connect(kube.Options{
		Flags: o.kube, AllNamespaces: o.allNamespaces, UserAgent: built().userAgent(),
		Log: log.Logger, Warnings: log.Warnings(),
	})
	if err != nil {
		e := kube.Explain(err)
		return nil, &complaint{sentence: e.Sentence, next: e.Next, code: max(e.Code, kube.ExitConfig)}
	}
	return cluster, nil
}
