package kube_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

func withStop(t *testing.T) (ctx context.Context, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	return ctx, func() {
		cancel()
		synctest.Wait()
	}
}

func TestNamespacesAreTakenFromTheFlag(t *testing.T) {
	for given, want := range map[string][]string{
		"": {""}, "shop": {"shop"}, "shop,cart": {"shop", "cart"}, "shop, cart,": {"shop", "cart"}, "shop,shop": {"shop"}, ",": {""},
	} {
		flags := genericclioptions.NewConfigFlags(true)
		*flags.KubeConfig, *flags.Namespace, *flags.APIServer = "", given, "https://10.0.0.1"
		cluster, err := kube.Connect(kube.Options{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		if got := cluster.Scope().Namespaces; !slices.Equal(got, want) {
			t.Errorf("-n %q looks at %q, want %q", given, got, want)
		}
	}
}

func TestLogInDoesNotWaitForAServerThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
		client, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: "http://cluster"}, &http.Client{Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := kube.New(kube.Clients{Kubernetes: client}, "prod", "", []string{""}, nil).LogIn(t.Context()); err != nil {
			t.Errorf("a silent server is an error: %v", err)
		}
		if took := time.Since(began); took < time.Second || took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestWhatWeMayDoIsNotKnownUntilTheServerHasSaidIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := withStop(t)
		defer stop()
		server := kubetest.New()
		server.Fail(kubetest.Answer(unavailable, "/selfsubjectaccessreviews"))
		cluster := kube.New(server.Clients(), "prod", "", []string{""}, nil)
		ended := make(chan error, 1)
		go func() { ended <- cluster.KeepProbing(ctx) }()
		<-time.After(time.Minute)
		if id := cluster.Identity(); id.Known {
			t.Errorf("known without an answer: %+v", id)
		}
		server.Fail(nil)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if id := cluster.Identity(); !id.Known || !id.MayWrite || id.User != kubetest.User {
			t.Errorf("identity = %+v", id)
		}
	})
}
