// Devcluster runs a real Kubernetes control plane, with nodes that only pretend, as plain processes of one user: no
// container engine, no root, nothing to download but Go modules.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/devcluster/cluster"
	"ktriage/devcluster/kubelets"
	"ktriage/devcluster/load"
	"ktriage/devcluster/scenario"
	"ktriage/devcluster/usage"
)

func main() { os.Exit(run()) }

// run gives the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	// A reader of our lines that goes away must not end us half-way: caught, SIGPIPE is only an error of the write.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		return 1
	}
	return 0
}

func command() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use: "devcluster", Short: "A real Kubernetes control plane on one machine, without containers",
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&dir, "dir", defaultDir(), "folder of the cluster")
	open := func() (*cluster.Cluster, error) {
		bin, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the binaries: %w", err)
		}
		path, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("find the folder %s: %w", dir, err)
		}
		return cluster.Open(path, filepath.Dir(bin), say())
	}
	root.AddCommand(up(open), down(open), status(open), stop(open), start(open), restart(open), pause(open), resume(open), renew(open),
		kubectl(open, &dir), loadCommand(open), churn(open), stormCommand(open), usageCommand(), recorderCommand(), kubeletsCommand())
	return root
}

type opener func() (*cluster.Cluster, error)

// say prints how far it is, with the seconds since the start.
func say() func(string, ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// export is the line for a shell.
func export(c *cluster.Cluster) string {
	path := c.Kubeconfig()
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`$&|;<>()*?[]#~\\!", r) }) {
		path = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return "export KUBECONFIG=" + path
}

// defaultDir follows the XDG base directories.
func defaultDir() string {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir()
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "ktriage", "devcluster")
}

func up(open opener) *cobra.Command {
	var o cluster.Options
	var lives map[string]string
	cmd := &cobra.Command{
		Use: "up", Short: "Start a cluster, and print the line that makes kubectl and ktriage use it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if o.Lives, err = spans(lives); err != nil {
				return err
			}
			if err := c.Up(cmd.Context(), o); err != nil {
				return err
			}
			fmt.Println(export(c))
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Scenario, "scenario", "incident", "what happens in the cluster: "+strings.Join(scenario.Names(), ", "))
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of the API server (0: a free one)")
	cmd.Flags().StringToStringVar(&lives, "life", nil, "`NAME=SPAN`: how long from now a certificate of the control plane lives, such as apiserver=6d or etcd-peer=-2h")
	return cmd
}

// spans reads the values of --life.
func spans(lives map[string]string) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for name, text := range lives {
		d, err := scenario.ParseSpan(text)
		if err != nil {
			return nil, fmt.Errorf("--life %s=%s: %q is no span of time, such as 6d, 90m or -2h", name, text, text)
		}
		out[name] = d
	}
	return out, nil
}

func down(open opener) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use: "down", Short: "End everything that up started", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Down(keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave logs and data")
	return cmd
}

// status fails where no cluster runs, for scripts.
func status(open opener) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say which components run", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			for _, p := range c.Processes {
				state := "ended"
				if p.Alive() {
					state = "runs"
				}
				fmt.Printf("%-24s %-6s pid %-8d %s\n", p.Name, state, p.PID, p.Log)
			}
			switch running := len(c.Running()); {
			case running == 0:
				return c.NotRunning()
			case !c.Ready:
				fmt.Println("not ready: `devcluster up` is still at work, or was killed; then `devcluster down` ends the rest")
			case running < len(c.Processes):
				fmt.Println("not all of it runs: `devcluster start COMPONENT` starts one again")
			}
			fmt.Printf("scenario %s\n%s\n", c.Scenario, export(c))
			return nil
		},
	}
}

func stop(open opener) *cobra.Command {
	var kill bool
	cmd := &cobra.Command{
		Use: "stop COMPONENT...", Short: "End single components, to see what happens", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if kill {
				return c.Kill(names...)
			}
			return c.Stop(names...)
		},
	}
	cmd.Flags().BoolVar(&kill, "kill", false, "at once, as a crash would")
	return cmd
}

func start(open opener) *cobra.Command {
	return &cobra.Command{
		Use: "start COMPONENT", Short: "Start a component again that was ended", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Start(cmd.Context(), args[0])
		},
	}
}

func restart(open opener) *cobra.Command {
	return &cobra.Command{
		Use: "restart COMPONENT", Short: "End a component, and start it with the same arguments", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Restart(cmd.Context(), args[0])
		},
	}
}

func pause(open opener) *cobra.Command {
	var span time.Duration
	cmd := &cobra.Command{
		Use: "pause COMPONENT...", Short: "Let components take requests and never answer, as a machine that hangs", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Pause(cmd.Context(), span, names...)
		},
	}
	cmd.Flags().DurationVar(&span, "for", 0, "resume after that time, and return then (0: return at once; `devcluster resume` ends it)")
	return cmd
}

func resume(open opener) *cobra.Command {
	return &cobra.Command{
		Use: "resume COMPONENT...", Short: "Let paused components go on", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Resume(names...)
		},
	}
}

func renew(open opener) *cobra.Command {
	var days int
	var keepKey bool
	cmd := &cobra.Command{
		Use: "renew NAME...", Short: "Issue certificates anew, as `kubeadm certs renew` does; nothing is restarted", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Renew(names, days, keepKey)
		},
	}
	cmd.Flags().IntVar(&days, "days", 365, "how long they live")
	cmd.Flags().BoolVar(&keepKey, "keep-key", false, "leave the old key, which does not fit, as when half of the files is copied")
	return cmd
}

// kubectl becomes the real kubectl. Its own flags are its own, so --dir counts only before them.
func kubectl(open opener, dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ...", Short: "The real kubectl on this cluster", DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			own, args, err := cutDir(args)
			if err != nil {
				return err
			}
			if own != "" {
				*dir = own
			}
			c, err := open()
			if err != nil {
				return err
			}
			command, err := c.Kubectl()
			if err != nil {
				return err
			}
			// The caller's own KUBECONFIG must not be there as well: of two entries, the first would count.
			if err := os.Setenv("KUBECONFIG", c.Kubeconfig()); err != nil {
				return fmt.Errorf("run kubectl: %w", err)
			}
			if err := syscall.Exec(command[0], append(command, args...), os.Environ()); err != nil {
				return fmt.Errorf("run kubectl: %w", err)
			}
			return nil
		},
	}
}

// cutDir takes --dir from the beginning of kubectl's arguments, where cobra leaves it.
func cutDir(args []string) (dir string, rest []string, err error) {
	if len(args) == 0 {
		return "", nil, nil
	}
	if value, ok := strings.CutPrefix(args[0], "--dir="); ok {
		return value, args[1:], nil
	}
	if args[0] != "--dir" {
		return "", args, nil
	}
	if len(args) == 1 {
		return "", nil, errors.New("--dir needs a folder")
	}
	return args[1], args[2:], nil
}

func loadCommand(open opener) *cobra.Command {
	var o load.Options
	var bare bool
	var metrics usage.Faults
	cmd := &cobra.Command{
		Use: "load", Short: "Start a big cluster in which nothing changes, for benchmarks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			answers := &metrics
			if bare {
				answers = nil
			}
			if err := c.Load(cmd.Context(), o, answers); err != nil {
				return err
			}
			fmt.Println(export(c))
			return nil
		},
	}
	cmd.Flags().IntVar(&o.Nodes, "nodes", 1000, "how many nodes")
	cmd.Flags().IntVar(&o.Pods, "pods", 30000, "how many pods")
	cmd.Flags().IntVar(&o.Secrets, "secrets", 0, "how many TLS Secrets")
	cmd.Flags().BoolVar(&o.Kubelets, "kubelets", false, "nodes have addresses of this machine, 127.200.x.y, and kubelets that serve TLS there")
	cmd.Flags().BoolVar(&bare, "no-metrics", false, "as on a cluster without metrics-server")
	faults(cmd, &metrics)
	return cmd
}

// faults are the flags that say how metrics.k8s.io is answered, of load and of the component that it starts.
func faults(cmd *cobra.Command, f *usage.Faults) {
	cmd.Flags().StringVar(&f.Version, "metrics-version", usage.V1Beta1, "the `VERSION` of metrics.k8s.io that is served: "+strings.Join(usage.Versions, ", "))
	cmd.Flags().DurationVar(&f.Delay, "metrics-delay", 0, "how long every list of usage takes")
	cmd.Flags().DurationVar(&f.Late, "metrics-late", 0, "how old samples are, as from a metrics-server that measures no more")
	cmd.Flags().StringSliceVar(&f.Without, "metrics-without", nil, "`NODE`s without samples, such as worker-00003; their pods have none either")
}

// usageCommand is what `load` starts as a component; nobody needs to type it.
func usageCommand() *cobra.Command {
	var o usage.Options
	cmd := &cobra.Command{
		Use: "usage", Short: "Answer metrics.k8s.io for a loaded cluster", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return usage.Serve(cmd.Context(), o) },
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "where to answer, on 127.0.0.1")
	cmd.Flags().IntVar(&o.Nodes, "nodes", 0, "how many nodes")
	cmd.Flags().IntVar(&o.Pods, "pods", 0, "how many pods")
	cmd.Flags().StringVar(&o.Cert, "tls-cert-file", "", "certificate")
	cmd.Flags().StringVar(&o.Key, "tls-private-key-file", "", "its key")
	faults(cmd, &o.Faults)
	return cmd
}

// kubeletsCommand is what some scenarios start as a component; nobody needs to type it.
func kubeletsCommand() *cobra.Command {
	var o kubelets.Options
	cmd := &cobra.Command{
		Use: "kubelets", Short: "Serve TLS for every node, as its annotation says", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return kubelets.Serve(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Kubeconfig, "kubeconfig", "", "of a user who may watch nodes")
	cmd.Flags().StringVar(&o.CA, "ca", "", "the cluster's CA, without .crt and .key")
	cmd.Flags().IntVar(&o.Behind, "behind", 0, "port of kwok on 127.0.0.1")
	cmd.Flags().IntVar(&o.Port, "port", 0, "for health checks, on 127.0.0.1")
	return cmd
}

func churn(open opener) *cobra.Command {
	var o load.ChurnOptions
	cmd := &cobra.Command{
		Use: "churn", Short: "Change pods of a loaded cluster, for benchmarks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			o.Answers = os.Stdout
			return c.Churn(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVar(&o.Rate, "rate", 100, "changes a second")
	cmd.Flags().DurationVar(&o.For, "for", 30*time.Second, "how long")
	cmd.Flags().IntVar(&o.Seed, "seed", 0, "where to begin; with another seed, pods get other restart counts")
	return cmd
}

func stormCommand(open opener) *cobra.Command {
	var o load.StormOptions
	var serve bool
	cmd := &cobra.Command{
		Use: "storm", Short: "Let pods of a loaded cluster crash-loop in events, for benchmarks; prints as JSON what was said", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			out := json.NewEncoder(os.Stdout)
			if serve {
				ready := func(kubeconfig string) { fmt.Println("export KUBECONFIG=" + kubeconfig) }
				over := func(r load.StormReport) { _ = out.Encode(r) } // whoever asked has gone
				return c.ServeStorm(cmd.Context(), o, os.Stdin, ready, over)
			}
			r, err := c.Storm(cmd.Context(), o)
			if err != nil {
				return err
			}
			return out.Encode(r)
		},
	}
	cmd.Flags().IntVar(&o.Rate, "rate", 5000, "events a second")
	cmd.Flags().IntVar(&o.Pods, "pods", 3000, "how many pods crash-loop; forty are of one ReplicaSet")
	cmd.Flags().DurationVar(&o.For, "for", time.Minute, "how long")
	cmd.Flags().IntVar(&o.Batch, "batch", 20, "events in one transaction of etcd, which share a resource version; with more than one, a watch that is broken off can miss some")
	cmd.Flags().BoolVar(&serve, "serve", false, "answer for the events from memory, at an address of its own: a line on standard input begins the storm, its end ends the server")
	return cmd
}

// recorderCommand is what some scenarios start as a component; nobody needs to type it.
func recorderCommand() *cobra.Command {
	var kubeconfig, name string
	cmd := &cobra.Command{
		Use: "recorder", Short: "Say in events what kubelets would say of the pods of a scenario", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("read the kubeconfig: %w", err)
			}
			return scenario.Talk(cmd.Context(), cfg, name)
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "of a user who may read the objects and write events")
	cmd.Flags().StringVar(&name, "scenario", "", "in which it is said")
	return cmd
}
