package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/internal/snapshot"
	"ktriage/views"
)

// snapshotCommand prints a pane once, without a screen.
func (p *program) snapshotCommand(o *options) *cobra.Command {
	output := newChoice("table", "wide", "json")
	var level, selector string
	cmd := &cobra.Command{
		Use: "snapshot PANE [FILTER...]", GroupID: groupCommands, DisableFlagsInUseLine: true,
		Short: "Print the rows of a pane once, worst first",
		Long: `Print the rows of a pane once, worst first, with the columns and the filters of
the screen. It needs no terminal. The words of a filter may be one argument or
several: they are joined with spaces. ktriage filters describes them.`,
		Example: `  ktriage snapshot nodes
  ktriage snapshot pods -n shop -o wide crashloop '!web'
  ktriage snapshot pods -o json 'restarts>5 age<2h ns=shop,cart'
  ktriage snapshot pods -l app=web ready=no
  ktriage snapshot events type=Warning
  ktriage snapshot top --of pods`,
		ValidArgs: snapshot.Panes(),
		Args:      snapshotArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.snapshot(cmd, o, paneName(args[0]), level, output.value, selected(selector, strings.Join(args[1:], " ")))
		},
	}
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "label `selector`, as of kubectl: app=web,env in (prod,stage)")
	cmd.Flags().VarP(&output, "output", "o", "format: "+strings.Join(output.allowed, ", "))
	cmd.Flags().StringVar(&level, "of", "", "`what` is printed of events ("+strings.Join(snapshot.Levels("events"), ", ")+
		") or of top ("+strings.Join(snapshot.Levels("top"), ", ")+")")
	return cmd
}

// paneName gives the pane of that name or alias, "" if there is none.
func paneName(word string) string {
	for _, pane := range snapshot.Panes() {
		if pane == word || slices.Contains(aliases[pane], word) {
			return pane
		}
	}
	return ""
}

func snapshotArgs(_ *cobra.Command, args []string) error {
	panes := strings.Join(snapshot.Panes(), ", ")
	if len(args) == 0 {
		return usage("Use one of "+panes+", such as ktriage snapshot "+snapshot.Panes()[0]+".", "ktriage snapshot needs the name of a pane.")
	}
	if args[0] == certsName {
		return usage("Use ktriage certs, which prints them.", "ktriage snapshot does not print certificates.")
	}
	if paneName(args[0]) == "" {
		return usage("Use one of "+panes+".", "There is no pane %q.", args[0])
	}
	return nil
}

func (p *program) snapshot(cmd *cobra.Command, o *options, pane, level, output, filter string) error {
	if levels := snapshot.Levels(pane); level != "" && !slices.Contains(levels, level) {
		if levels == nil {
			return usage("Leave --of out.", "ktriage snapshot %s is of %s alone.", pane, pane)
		}
		return usage("Use one of "+strings.Join(levels, ", ")+".", "--of cannot be %q.", level)
	}
	if _, err := parseFilter(snapshot.Rows(pane, level), filter); err != nil {
		return err
	}
	limit, err := timeout(*o.kube.Timeout)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	cluster, err := p.connect(o, p.openLog(o))
	if err != nil {
		return err
	}
	return snapshot.Print(ctx, cluster, snapshot.Options{
		Pane: pane, Level: level, Format: views.Format(output), Filter: filter, Notes: cmd.ErrOrStderr(),
	}, cmd.OutOrStdout())
}

// timeout reads --request-timeout as kubectl does: a number of seconds, or a number with a unit.
func timeout(s string) (time.Duration, error) {
	limit, err := clientcmd.ParseTimeout(s)
	if err != nil || limit < 0 {
		return 0, usage("Use a number with a unit, such as 30s or 2m; 0 is no limit.", "--request-timeout cannot be %q.", s)
	}
	return limit, nil
}
