package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the widest line of the help.
const helpWidth = 80

// help prints the help of a command: in full for the root, with the flags that count for the others.
func (o *options) help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", about, cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, g := range cmd.Groups() {
		helpCommands(w, g.Title, cmd, g.ID)
	}
	helpCommands(w, "Commands", cmd, "")
	if cmd == cmd.Root() {
		for _, g := range o.groups {
			helpFlags(w, g.title, g.flags)
		}
		helpFlags(w, "Other", cmd.LocalNonPersistentFlags())
		return
	}
	helpFlags(w, "Flags", cmd.LocalNonPersistentFlags())
	fmt.Fprintln(w, "\nktriage --help lists the flags that all commands have.")
}

func helpFlags(w io.Writer, title string, f *pflag.FlagSet) {
	if f.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s\n", title, strings.TrimRight(f.FlagUsagesWrapped(helpWidth), "\n"))
	}
}

// helpCommands lists the commands below cmd that are of a group.
func helpCommands(w io.Writer, title string, cmd *cobra.Command, group string) {
	var lines strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.GroupID == group && sub.IsAvailableCommand() {
			fmt.Fprintf(&lines, "  %-12s %s\n", sub.Name(), sub.Short)
		}
	}
	if lines.Len() > 0 {
		fmt.Fprintf(w, "\n%s:\n%s", title, lines.String())
	}
}
