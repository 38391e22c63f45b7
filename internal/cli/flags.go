package cli

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/internal/term"
	"ktriage/themes"
)

// options are the flags that every command knows.
type options struct {
	kube          *genericclioptions.ConfigFlags
	allNamespaces bool
	readOnly      bool
	protected     []string
	theme         choice
	background    choice
	color         choice
	ascii         bool
	logLevel      choice
	certs         lookout
	groups        []flagGroup
}

// flagGroup is a heading of the help with its flags.
type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

// choice is a flag with a fixed set of values.
type choice struct {
	value   string
	allowed []string
}

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value: what the help shows for the value.
func (c *choice) Type() string { return "name" }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("use one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}

func newChoice(allowed ...string) choice { return choice{value: allowed[0], allowed: allowed} }

func themeNames() []string {
	var names []string
	for _, t := range themes.Builtin() {
		names = append(names, t.Name)
	}
	return names
}

// newOptions makes the flags, with their defaults, and adds them to a command and all below it.
func newOptions(root *cobra.Command) *options {
	o := &options{
		kube:       genericclioptions.NewConfigFlags(true),
		theme:      newChoice(themeNames()...),
		background: newChoice("auto", "dark", "light"),
		color:      newChoice("auto", "always", "never", "16", "256", "truecolor"),
		logLevel:   newChoice("info", "debug", "warn", "error"),
	}
	o.groups = []flagGroup{
		{"What to look at", o.lookFlags()},
		{"The screen", o.screenFlags()},
		{"Certificates", o.certs.flags()},
		{"Connection and credentials, as for kubectl", o.kubeFlags()},
	}
	for _, g := range o.groups {
		root.PersistentFlags().AddFlagSet(g.flags)
	}
	return o
}

func (o *options) lookFlags() *pflag.FlagSet {
	f := pflag.NewFlagSet("look", pflag.ContinueOnError)
	f.StringVar(o.kube.KubeConfig, "kubeconfig", "", "kubeconfig `file`, in place of $KUBECONFIG")
	f.StringVar(o.kube.Context, "context", "", "`name` of the kubeconfig context")
	f.StringVarP(o.kube.Namespace, "namespace", "n", "", "only this namespace, or several: `a,b`")
	f.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "all namespaces, as far as you may; the default")
	f.BoolVar(&o.readOnly, "read-only", false, "offer no action that changes anything")
	f.StringSliceVar(&o.protected, "protected", nil, "contexts, as `'prod-*'`, harder to confirm in; also $KTRIAGE_PROTECTED")
	return f
}

func (o *options) screenFlags() *pflag.FlagSet {
	f := pflag.NewFlagSet("screen", pflag.ContinueOnError)
	f.Var(&o.theme, "theme", "colours: "+strings.Join(o.theme.allowed, ", "))
	f.Var(&o.background, "background", "of the terminal: "+strings.Join(o.background.allowed, ", "))
	f.Var(&o.color, "color", strings.Join(o.color.allowed, ", "))
	f.BoolVar(&o.ascii, "ascii", false, "ASCII only (default: if the locale is not UTF-8)")
	f.Var(&o.logLevel, "log-level", "of the log file: "+strings.Join(o.logLevel.allowed, ", "))
	return f
}

// kubeUsage has the usage of kubectl's flags in few words, in the order of the help.
var kubeUsage = []struct{ name, usage string }{
	{"server", "`address` of the API server"},
	{"cluster", "`name` of the kubeconfig cluster"},
	{"user", "`name` of the kubeconfig user"},
	{"token", "bearer `token`"},
	{"client-certificate", "client certificate `file`"},
	{"client-key", "client key `file`"},
	{"as", "`user` to impersonate"},
	{"as-uid", "`UID` to impersonate"},
	{"as-group", "`group` to impersonate; may be repeated"},
	{"as-user-extra", "`key=value` to impersonate; may be repeated"},
	{"certificate-authority", "CA certificate `file`"},
	{"tls-server-name", "`name` that the server's certificate must have"},
	{"insecure-skip-tls-verify", "do not verify the server's certificate"},
	{"proxy-url", "`URL` of a proxy"},
	{"request-timeout", "`limit` of a snapshot, such as 30s; 0 is none"},
	{"disable-compression", "ask for answers without compression"},
}

// kubeFlags takes kubectl's own flags, under the same names and shorthands. Those of lookFlags come from there too, and
// --cache-dir is left out: nothing is cached on disk.
func (o *options) kubeFlags() *pflag.FlagSet {
	all := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	o.kube.AddFlags(all)
	f := pflag.NewFlagSet("kube", pflag.ContinueOnError)
	f.SortFlags = false
	for _, k := range kubeUsage {
		flag := all.Lookup(k.name)
		flag.Usage = k.usage
		f.AddFlag(flag)
	}
	return f
}

// complete teaches the shell the values of the flags.
func (o *options) complete(root *cobra.Command) error {
	for name, c := range map[string]*choice{
		"theme": &o.theme, "background": &o.background, "color": &o.color, "log-level": &o.logLevel,
	} {
		if err := root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(c.allowed, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			return fmt.Errorf("complete --%s: %w", name, err)
		}
	}
	return root.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		raw, err := o.kube.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for name := range raw.Contexts {
			names = append(names, name)
		}
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// level is that of the log.
func (o *options) level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(o.logLevel.value)) // the flag lets no other value through
	return l
}

// colors is --color, or NO_COLOR (https://no-color.org) where the flag is not given.
func (o *options) colors(cmd *cobra.Command, getenv func(string) string) string {
	if !cmd.Flags().Changed("color") && getenv("NO_COLOR") != "" {
		return "never"
	}
	return o.color.value
}

// utf8 is --ascii, or the locale where the flag is not given.
func (o *options) utf8(cmd *cobra.Command, getenv func(string) string) bool {
	if cmd.Flags().Changed("ascii") {
		return !o.ascii
	}
	return term.UTF8(getenv)
}

// chosenTheme is --theme.
func (o *options) chosenTheme() themes.Theme {
	all := themes.Builtin()
	return all[slices.IndexFunc(all, func(t themes.Theme) bool { return t.Name == o.theme.value })]
}
