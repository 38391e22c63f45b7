package cluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/devcluster/load"
	"ktriage/devcluster/storm"
)

// stormConf is the kubeconfig for the server of a storm.
const stormConf = "storm.conf"

// Storm writes events of pods of a loaded cluster that crash-loop, and gives what it has written; see load.Blow.
func (c *Cluster) Storm(ctx context.Context, o load.StormOptions) (load.StormReport, error) {
	if err := o.Check(); err != nil {
		return load.StormReport{}, complain("%v.", err)
	}
	if err := c.loadedWith(ctx, o.Pods); err != nil {
		return load.StormReport{}, err
	}
	o.PKIDir, o.Endpoint = c.file("pki"), c.url(c.Ports.Etcd)
	c.say("writing %d events a second for %s", o.Rate, o.For)
	r, err := load.Blow(ctx, o)
	if err != nil {
		return r, err
	}
	c.say("%d events were written, %.0f a second, in %d objects", r.Written, float64(r.Written)/r.Seconds, r.Objects)
	return r, nil
}

// loadedWith complains unless load made the cluster, with so many pods at least.
func (c *Cluster) loadedWith(ctx context.Context, pods int) error {
	if len(c.Running()) == 0 {
		return complain("No cluster runs in %s. `devcluster load` makes one whose pods can crash.", c.Dir)
	}
	_, have, err := load.Survey(ctx, c.file("pki"), c.url(c.Ports.Etcd))
	if errors.Is(err, load.ErrNotLoaded) {
		return complain("The cluster in %s is not one that `devcluster load` made, whose pods can crash.", c.Dir)
	}
	if err == nil && have < pods {
		return complain("--pods is %d, and the cluster has %d.", pods, have)
	}
	return err
}

// ServeStorm answers for the cluster's events itself, at an address of its own, for which it writes a kubeconfig and tells its
// path; everything else it asks of the real API server, as the almighty user. A line from in begins the storm. When it is over,
// over is told what was said. It ends at the end of in, or with ctx.
func (c *Cluster) ServeStorm(ctx context.Context, o load.StormOptions, in io.Reader, ready func(kubeconfig string), over func(load.StormReport)) error {
	if err := o.Check(); err != nil {
		return complain("%v.", err)
	}
	if err := c.loadedWith(ctx, o.Pods); err != nil {
		return err
	}
	nodes, _, err := load.Survey(ctx, c.file("pki"), c.url(c.Ports.Etcd))
	if err != nil {
		return err
	}
	upstream, err := c.upstream()
	if err != nil {
		return err
	}
	s := storm.New(load.Storm{Pods: o.Pods, Nodes: nodes, Rate: o.Rate}, o.For, upstream)
	address, end, err := c.listen(s)
	if err != nil {
		return err
	}
	defer end()
	if err := c.writeStormConf(address); err != nil {
		return err
	}
	ready(c.file(stormConf))
	lines := readLines(in)
	for began := false; ; {
		select {
		case _, ok := <-lines:
			if !ok {
				return nil
			}
			if began {
				continue
			}
			began = true
			c.say("saying %d events a second for %s", o.Rate, o.For)
			s.Begin()
			time.AfterFunc(o.For, func() { over(s.Report()) })
		case <-ctx.Done():
			return nil
		}
	}
}

// readLines gives the lines of in; the channel is closed at its end.
func readLines(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// upstream asks the real API server as the almighty user.
func (c *Cluster) upstream() (http.Handler, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	to, err := url.Parse(cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, // a watch waits for nothing
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}, nil
}

// listen serves with the API server's own certificate at a free port.
func (c *Cluster) listen(h http.Handler) (address string, end func(), err error) {
	pair, err := tls.LoadX509KeyPair(c.pki("apiserver.crt"), c.pki("apiserver.key"))
	if err != nil {
		return "", nil, fmt.Errorf("read the certificate of the API server: %w", err)
	}
	port := 0
	l, err := freePort(c.host(), &port)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(l, "", "") }() // it ends with http.ErrServerClosed
	return c.url(port), func() { _ = server.Close() }, nil
}

// writeStormConf writes a kubeconfig that is admin.conf for another address.
func (c *Cluster) writeStormConf(address string) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read admin.conf: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = address
	}
	if err := clientcmd.WriteToFile(*config, c.file(stormConf)); err != nil {
		return fmt.Errorf("write %s: %w", stormConf, err)
	}
	return nil
}
