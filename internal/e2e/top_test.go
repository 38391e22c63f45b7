package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/kube"
)

// measuring looks at the usage of a cluster as the program does.
func measuring(t *testing.T, c *cluster) *kube.Cluster {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	kubeconfig := c.kubeconfig()
	flags.KubeConfig = &kubeconfig
	k, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: "ktriage-e2e/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	k.Start(ctx, kube.Nodes|kube.Pods|kube.CSRs|kube.Metrics)
	return k
}

// polled asks for usage again, and gives what has come.
func polled(t *testing.T, k *kube.Cluster) kube.Moment {
	t.Helper()
	was := k.Usage()
	await(t, "usage is read again", time.Minute, func() bool {
		k.Retry()
		return k.Usage() != was
	})
	return kube.Moment{Now: time.Now(), Usage: k.Usage()}
}

// figure is a line of kubectl top, and what we have of the same: nothing if there is no sample.
type figure struct {
	kubectl string
	sample  func(kube.Moment) (kube.Sample, bool)
}

// topped gives what `kubectl top` shows, by what it is of.
func topped(t *testing.T, c *cluster) map[string]figure {
	t.Helper()
	out := map[string]figure{}
	each := func(line func(f []string), args ...string) {
		for l := range strings.Lines(c.kubectl(t, append(args, "--no-headers")...)) {
			line(strings.Fields(l))
		}
	}
	each(func(f []string) {
		out["node "+f[0]] = figure{f[1] + " " + f[3], func(m kube.Moment) (kube.Sample, bool) { return m.NodeSample(f[0]) }}
	}, "top", "node")
	each(func(f []string) {
		out["pod "+f[0]+"/"+f[1]] = figure{f[2] + " " + f[3], func(m kube.Moment) (kube.Sample, bool) { return m.PodSample(f[0], f[1]) }}
	}, "top", "pod", "-A")
	each(func(f []string) {
		out["container "+f[0]+"/"+f[1]+"/"+f[2]] = figure{f[3] + " " + f[4], func(m kube.Moment) (kube.Sample, bool) {
			for _, s := range m.PodContainers(f[0], f[1]) {
				if s.Name == f[2] {
					return s.Sample, true
				}
			}
			return kube.Sample{}, false
		}}
	}, "top", "pod", "-A", "--containers")
	return out
}

// likeKubectl is a sample in the figures of kubectl top (printSingleResourceUsage in pkg/metricsutil/metrics_printer.go).
func likeKubectl(s kube.Sample, known bool) string {
	if !known {
		return "<unknown> <unknown>"
	}
	return fmt.Sprintf("%dm %dMi", s.CPU, s.Memory>>20)
}

// What was the same sample before and after kubectl has looked is what kubectl has seen: those figures are equal. Metrics-server
// scrapes every 15 s, so that after some looks everything has been compared.
func TestFiguresAreThoseOfKubectlTop(t *testing.T) {
	k := measuring(t, incident)
	open, equal := map[string]string{}, map[string]bool{}
	await(t, "every figure was compared with kubectl's", 3*time.Minute, func() bool {
		before := polled(t, k)
		shown := topped(t, incident)
		after := polled(t, k)
		clear(open)
		for name, f := range shown {
			was, had := f.sample(before)
			is, has := f.sample(after)
			switch got := likeKubectl(is, has); {
			case had != has || !was.At.Equal(is.At):
				open[name] = f.kubectl
			case got != f.kubectl:
				t.Errorf("%s: ours is %q, that of kubectl top %q", name, got, f.kubectl)
			default:
				equal[name] = true
			}
		}
		for name := range equal {
			delete(open, name)
		}
		return t.Failed() || len(shown) > 0 && len(open) == 0
	})
	kinds := map[string]int{}
	for name := range equal {
		kind, _, _ := strings.Cut(name, " ")
		kinds[kind]++
	}
	t.Logf("equal to kubectl top: %v", kinds)
	if kinds["node"] < 25 || kinds["pod"] < 250 || kinds["container"] < kinds["pod"] {
		t.Errorf("only %v were compared", kinds)
	}
}

// TestMetricsServerPausedStoppedAndStarted is AC-T3 with a server of its own: what is said while it hangs, is gone, and is back.
func TestMetricsServerPausedStoppedAndStarted(t *testing.T) {
	k := measuring(t, calm)
	trouble := func() (sentence, next string) {
		m := k.Moment()
		m.Now = time.Now()
		return m.UsageTrouble()
	}
	says := func(what string, limit time.Duration, holds func(sentence, next string) bool) {
		t.Helper()
		began, asked := time.Now(), time.Time{}
		await(t, what, limit, func() bool {
			if time.Since(asked) > 3*time.Second {
				asked = time.Now()
				k.Retry()
			}
			return holds(trouble())
		})
		sentence, next := trouble()
		t.Logf("%s, after %v: %q, %q", what, time.Since(began).Round(time.Second), sentence, next)
	}
	well := func(sentence, _ string) bool { return sentence == "" && len(k.Usage().Nodes) == 10 }
	const look = "look at the pods and the log of metrics-server"
	says("all is well", 2*time.Minute, well)

	pid := calm.pid(t, "metrics-server")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(goOn)
	says("it hangs", 2*time.Minute, func(sentence, next string) bool {
		reason, age, aged := strings.Cut(sentence, "; the newest sample is ")
		hangs := reason == "metrics.k8s.io gave no answer within 30 s" || strings.HasPrefix(reason, "metrics.k8s.io is registered but unavailable: FailedDiscoveryCheck")
		return hangs && next == look && (!aged || strings.HasSuffix(age, " old"))
	})
	goOn()
	says("it goes on", 3*time.Minute, well)

	if _, err := calm.devcluster("stop", "metrics-server"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() { // the other tests need usage
			_, _ = calm.devcluster("start", "metrics-server")
		}
	})
	says("it is gone", 2*time.Minute, func(sentence, next string) bool {
		return strings.HasPrefix(sentence, "metrics.k8s.io is registered but unavailable: FailedDiscoveryCheck: ") && next == look
	})
	if _, err := calm.devcluster("start", "metrics-server"); err != nil {
		t.Fatal(err)
	}
	says("it is back", 4*time.Minute, well)
}
