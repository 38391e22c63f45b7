// Devcluster-kube is a Kubernetes control plane in one binary: its first argument says which component to be. It adds
// nothing to them but etcd's command line.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	genericserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	metrics "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "devcluster-kube needs the name of a component")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append([]string{name}, os.Args[2:]...)
	if name == "etcd" {
		if err := etcd(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "etcd:", err)
			os.Exit(1)
		}
		return
	}
	cmd := component(name)
	if cmd == nil {
		fmt.Fprintf(os.Stderr, "devcluster-kube knows no component %q\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(cmd))
}

func component(name string) *cobra.Command {
	switch name {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "metrics-server":
		return metrics.NewMetricsServerCommand(genericserver.SetupSignalHandler())
	case "kubectl":
		return kubectl.NewDefaultKubectlCommand()
	}
	return nil
}
