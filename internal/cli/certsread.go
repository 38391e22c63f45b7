package cli

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/spf13/pflag"

	"ktriage/internal/logs"
	"ktriage/internal/safe"
	"ktriage/kube"
	"ktriage/kube/certs"
)

// lookout are the flags that say where certificates are looked for, on the screen and in print.
type lookout struct {
	noDial         bool
	kubeletMetrics bool
	secretKeys     []string
}

func (l *lookout) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("certificates", pflag.ContinueOnError)
	f.SortFlags = false
	f.BoolVar(&l.noDial, "no-dial", false, "no handshakes with kubelets, etcd and API servers at their own addresses")
	f.BoolVar(&l.kubeletMetrics, "kubelet-metrics", false, "ask kubelets for the age of their certificates; needs nodes/proxy")
	f.StringArrayVar(&l.secretKeys, "secret-keys", nil, "look into keys of any Secret too, such as `'*.pem'`; may be repeated")
	return f
}

// check refuses patterns that match nothing because they are not well formed.
func (l *lookout) check() error {
	for _, pattern := range l.secretKeys {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return usage("Use * for any text and ? for one character, such as '*.pem'.", "The pattern %q of --secret-keys cannot be read.", pattern)
		}
	}
	return nil
}

// inventory makes the one of a cluster; nothing is read yet. An urgent one does not wait for nodes and pods.
func (o *options) inventory(c *kube.Cluster, log *logs.Log, urgent bool) (*certs.Inventory, error) {
	raw, err := o.kube.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	return certs.New(c, certs.Options{
		Kubeconfig: raw, Context: c.Context(), Dial: !o.certs.noDial, KubeletMetrics: o.certs.kubeletMetrics,
		SecretKeys: o.certs.secretKeys, Urgent: urgent, Log: log.Logger,
	}), nil
}

const (
	// certsLimit is how long everything is waited for, unless --request-timeout says otherwise.
	certsLimit = 30 * time.Second
	// certsRest is how long the rest is waited for once it is known that the API server does not speak with us: handshakes with
	// others may still come to an end.
	certsRest = 3 * time.Second
)

// certsRead is what one reading has given.
type certsRead struct {
	rows    []*kube.Cert
	sources []certs.SourceState
	own     error // why the API server does not speak with us, nil if it does
}

// readCerts reads everything once and gives what could be read within limit; a source that has not come to an end by then is
// a row that says so. It is no error that something cannot be read, or all.
func readCerts(ctx context.Context, c *kube.Cluster, i *certs.Inventory, limit time.Duration) (certsRead, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	enough, until := time.NewTimer(limit), time.Now().Add(limit)
	defer enough.Stop()
	answered := make(chan error, 1)
	c.Start(reading, 0)
	i.Start(reading)
	safe.Go("own connection", func() { answered <- c.Probe(reading) })
	out := certsRead{own: context.DeadlineExceeded} // until there is an answer
	for complete, probed := i.Complete(), (<-chan error)(answered); complete != nil || probed != nil; {
		select {
		case <-ctx.Done():
			return out, fmt.Errorf("read the certificates: %w", context.Cause(ctx))
		case out.own = <-probed:
			probed = nil
			if out.own != nil {
				enough.Reset(min(time.Until(until), certsRest))
			}
		case <-complete:
			complete = nil
		case <-enough.C:
			complete, probed = nil, nil
		}
	}
	out.rows, out.sources = i.Now(), i.Sources()
	return out, nil
}
