package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the program knows of how it was built.
type version struct {
	release  string // of the module, "(devel)" if it was built from a checkout
	commit   string // "" if the build was not told
	modified bool   // the checkout had changes
	client   string // of client-go
}

// built is the version of this binary.
func built() version {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return readVersion(info)
}

func readVersion(info *debug.BuildInfo) version {
	v := version{release: cmp.Or(info.Main.Version, "(devel)"), client: "unknown"}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.commit = s.Value
		case "vcs.modified":
			v.modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "k8s.io/client-go" {
			v.client = d.Version
		}
	}
	return v
}

// short is one line.
func (v version) short() string {
	return fmt.Sprintf("ktriage %s (commit %s, %s, client-go %s)", v.release, v.commitWords(), runtime.Version(), v.client)
}

func (v version) commitWords() string {
	switch {
	case v.commit == "":
		return "unknown"
	case v.modified:
		return v.commit + " with changes"
	}
	return v.commit
}

// userAgent is how the API server's logs and its priority and fairness know us.
func (v version) userAgent() string {
	return fmt.Sprintf("ktriage/%s (%s/%s)", v.release, runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", GroupID: groupCommands, Args: noArgs, DisableFlagsInUseLine: true,
		Short: "Print the version, and what it was built with",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := built()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ktriage    %s\ncommit     %s\nGo         %s\nclient-go  %s\nplatform   %s/%s\n",
				v.release, v.commitWords(), runtime.Version(), v.client, runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
