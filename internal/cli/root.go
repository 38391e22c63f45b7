package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ktriage/keymap"
	"ktriage/ui"
)

const (
	groupPanes    = "panes"
	groupCommands = "commands"
)

// aliases are kubectl's short names of what the panes show.
var aliases = map[string][]string{
	"nodes":     {"node", "no"},
	"pods":      {"pod", "po"},
	"workloads": {"workload", "sts", "deploy", "ds"},
	"events":    {"event", "ev"},
}

// root makes the tree of commands.
func (p *program) root(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "ktriage [PANE]",
		Short: "What is wrong in a Kubernetes cluster, and what can be done about it",
		Long: `ktriage is a terminal UI for operating Kubernetes clusters while something is on
fire. It reads the same kubeconfig as kubectl; without a PANE it starts on the
first.`,
		Example: `  ktriage                          the current context, all namespaces
  ktriage pods -n shop,payments    start on pods, of two namespaces
  ktriage --context prod --read-only
  ktriage snapshot nodes -o json   once, as text, for scripts
  source <(ktriage completion bash)`,
		SilenceErrors: true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		Version: built().short(),
	}
	o := newOptions(root)
	root.Args = unknownCommand
	pane := root.Flags().String("pane", "", "`name` of the pane to start on: "+strings.Join(ui.Panes(), ", "))
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkPane(*pane); err != nil {
			return err
		}
		return p.screen(cmd, o, *pane)
	}
	root.AddGroup(&cobra.Group{ID: groupPanes, Title: "Panes"}, &cobra.Group{ID: groupCommands, Title: "Commands"})
	for _, pane := range ui.Panes() {
		if pane == certsName {
			continue // the word prints, for scripts and monitors; --pane opens this one
		}
		root.AddCommand(&cobra.Command{
			Use: pane, Aliases: aliases[pane], GroupID: groupPanes, Args: noArgs,
			Short: "Start on " + pane, DisableFlagsInUseLine: true,
			RunE: func(cmd *cobra.Command, _ []string) error { return p.screen(cmd, o, pane) },
		})
	}
	root.AddCommand(p.snapshotCommand(o), p.drainCommand(o), p.certsCommand(o), keysCommand(), filtersCommand(), versionCommand())
	root.SetCompletionCommandGroupID(groupCommands)
	root.SetHelpCommand(helpCommand())
	nameCompletion(root, args)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpFunc(o.help)
	root.SetFlagErrorFunc(flagError)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetArgs(args)
	if err := o.complete(root); err != nil {
		panic(err) // a flag of that name is not there: a bug that every test finds
	}
	return root
}

// checkPane refuses a pane that is not there.
func checkPane(name string) error {
	if name == "" || slices.Contains(ui.Panes(), name) {
		return nil
	}
	return usage("Use one of "+strings.Join(ui.Panes(), ", ")+".", "There is no pane %q.", name)
}

func keysCommand() *cobra.Command {
	return &cobra.Command{
		Use: "keys", GroupID: groupCommands, Args: noArgs, DisableFlagsInUseLine: true,
		Short: "Print what every key does, as Markdown",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), keymap.Default().Markdown())
			return err
		},
	}
}

// nameCompletion makes cobra's completion commands speak as ours do.
func nameCompletion(root *cobra.Command, args []string) {
	root.InitDefaultCompletionCmd(args...)
	completion, _, err := root.Find([]string{"completion"})
	if err != nil || completion == root {
		return
	}
	completion.Short, completion.Long = "Print a completion script for a shell", ""
	completion.Use, completion.DisableFlagsInUseLine = "completion SHELL", true
	completion.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usage("Use bash, zsh, fish or powershell.", "There is no completion for %q.", args[0])
	}
	completion.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() } // or cobra would not look at Args
	for _, shell := range completion.Commands() {
		shell.Args = noArgs
	}
}

// helpCommand is for those who type it before they think of --help.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Hidden: true, DisableFlagsInUseLine: true, Short: "Print the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd, args)
			}
			about.InitDefaultHelpFlag() // as cobra does for --help
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

// unknownCommand refuses the words that are left when no command was found.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	next := "Use a pane (" + strings.Join(ui.Panes(), ", ") + ") or a command; ktriage --help lists them."
	if near := cmd.Root().SuggestionsFor(args[0]); len(near) > 0 {
		next = "Did you mean ktriage " + strings.Join(near, " or ktriage ") + "? ktriage --help lists the rest."
	}
	return usage(next, "There is no pane or command %q.", args[0])
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	next := "Leave it out."
	if slices.Contains(ui.Panes(), cmd.Name()) {
		next = "To see some rows only, type / and a filter on the screen, or use ktriage snapshot " + cmd.Name() + " FILTER."
	}
	return usage(next, "%s takes no %q after it.", cmd.CommandPath(), args[0])
}

// flagError makes one sentence of what pflag says.
func flagError(cmd *cobra.Command, err error) error {
	const next = "ktriage --help lists the flags."
	var (
		unknown *pflag.NotExistError
		value   *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if len(name) > 1 {
			return usage(next, "There is no flag --%s.", name)
		}
		return usage(next, "There is no flag -%s.", name)
	case errors.As(err, &value):
		reason := value.Unwrap().Error()
		if errors.As(err, new(*strconv.NumError)) {
			reason = map[bool]string{true: "use true or false", false: "use a whole number"}[value.GetFlag().Value.Type() == "bool"]
		}
		return usage(strings.ToUpper(reason[:1])+reason[1:]+".", "--%s cannot be %q.", value.GetFlag().Name, value.GetValue())
	case errors.As(err, &missing):
		return usage(next, "--%s needs a value.", missing.GetFlag().Name)
	}
	return usage(next, "The flags of %s are not right: %v.", cmd.CommandPath(), err)
}
