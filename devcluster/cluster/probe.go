package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/rest"
)

// probe asks a component whether it is ready.
type probe func(context.Context) error

const probeLimit = 2 * time.Second

// etcdReady asks etcd over mutual TLS, with the API server's certificate: if that one does not do, nothing will.
func (c *Cluster) etcdReady(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(c.pki("apiserver-etcd-client.crt"), c.pki("apiserver-etcd-client.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.pki("etcd/ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return get(ctx, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, c.url(c.Ports.Etcd)+"/health")
}

// apiReady asks the API server's /readyz as the almighty user: anonymous requests may be refused.
func (c *Cluster) apiReady(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return err
	}
	return get(ctx, tlsConfig, c.url(c.Ports.APIServer)+"/readyz")
}

// healthy asks a component with a certificate that it made itself.
func (c *Cluster) healthy(port int, path string) probe {
	return func(ctx context.Context) error {
		return get(ctx, &tls.Config{InsecureSkipVerify: true}, fmt.Sprintf("https://%s:%d%s", loopback, port, path)) // loopback, and only a health check
	}
}

// kubeletsReady asks the component that answers for all nodes; each of them may answer as it likes.
func (c *Cluster) kubeletsReady(ctx context.Context) error {
	return get(ctx, nil, fmt.Sprintf("http://%s:%d/healthz", loopback, c.Ports.Kubelets))
}

func get(ctx context.Context, cfg *tls.Config, address string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return nil
}
