// Devcluster runs a real Kubernetes control plane, with nodes that only pretend, as plain processes of one user: no
// container engine, no root, nothing to download but Go modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ktriage/devcluster/cluster"
	"ktriage/devcluster/load"
	"ktriage/devcluster/scenario"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		stop()
		os.Exit(1)
	}
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
	root.AddCommand(up(open), down(open), status(open), stop(open), start(open), kubectl(open, &dir), loadCommand(open))
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
	cmd := &cobra.Command{
		Use: "up", Short: "Start a cluster, and print the line that makes kubectl and ktriage use it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.Up(cmd.Context(), o); err != nil {
				return err
			}
			fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig())
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Scenario, "scenario", "incident", "what happens in the cluster: "+strings.Join(scenario.Names(), ", "))
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of the API server (0: a free one)")
	return cmd
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

// errDown makes status fail where there is no cluster, for scripts.
var errDown = errors.New("no cluster runs here; `devcluster up` starts one")

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
			if len(c.Running()) == 0 {
				return errDown
			}
			fmt.Printf("scenario %s\nexport KUBECONFIG=%s\n", c.Scenario, c.Kubeconfig())
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
			return c.StartComponent(cmd.Context(), args[0])
		},
	}
}

// kubectl becomes the real kubectl. Its own flags are its own, so --dir counts only before them.
func kubectl(open opener, dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ...", Short: "The real kubectl on this cluster", DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			for len(args) > 0 && strings.HasPrefix(args[0], "--dir") {
				value, ok := strings.CutPrefix(args[0], "--dir=")
				if !ok && len(args) > 1 {
					value, args = args[1], args[1:]
				}
				*dir, args = value, args[1:]
			}
			c, err := open()
			if err != nil {
				return err
			}
			if len(c.Running()) == 0 {
				return errDown
			}
			binary := filepath.Join(c.Bin, "devcluster-kube")
			env := append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
			return syscall.Exec(binary, append([]string{binary, "kubectl"}, args...), env)
		},
	}
}

func loadCommand(open opener) *cobra.Command {
	var o load.Options
	cmd := &cobra.Command{
		Use: "load", Short: "Start a big cluster in which nothing changes, for benchmarks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.Up(cmd.Context(), cluster.Options{Scenario: "empty", Bare: true}); err != nil {
				return err
			}
			o.PKIDir, o.Endpoint, o.Progress = filepath.Join(c.Dir, "pki"), fmt.Sprintf("https://127.0.0.1:%d", c.Ports.Etcd), say()
			if err := load.Fill(cmd.Context(), o); err != nil {
				return errors.Join(err, c.Down(false))
			}
			fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig())
			return nil
		},
	}
	cmd.Flags().IntVar(&o.Nodes, "nodes", 1000, "how many nodes")
	cmd.Flags().IntVar(&o.Pods, "pods", 30000, "how many pods")
	return cmd
}
