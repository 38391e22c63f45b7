package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/views"
)

// parseFilter reads a filter for a kind of rows. One that cannot be read is shown with carets below what is wrong.
func parseFilter(rows, filter string) (views.Filter, error) {
	f, err := views.ParseFilter(rows, filter)
	if fault, ok := errors.AsType[*views.FilterError](err); ok {
		carets := strings.Repeat(" ", text.Width(filter[:fault.At])) + strings.Repeat("^", max(1, text.Width(filter[fault.At:fault.At+fault.Len])))
		return f, &complaint{
			sentence: fmt.Sprintf("The filter %q cannot be read: %v.", filter, fault),
			shown:    []string{filter, carets}, code: kube.ExitConfig,
			next: "ktriage filters describes filters, and lists the fields.",
		}
	}
	if err != nil {
		return f, fmt.Errorf("read the filter: %w", err)
	}
	return f, nil
}

// selected puts a label selector of the command line before a filter.
func selected(selector, filter string) string {
	if selector == "" {
		return filter
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(selector)
	return strings.TrimSpace(`-l "` + quoted + `" ` + filter)
}

// filtersCommand prints docs/filter.md.
func filtersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "filters", GroupID: groupCommands, Args: noArgs, DisableFlagsInUseLine: true,
		Short: "Print how rows are filtered, as Markdown",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), views.FilterReference())
			return err //nolint:wrapcheck // that the output is gone is said by whoever took it away
		},
	}
}
