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

// etcdReady asks etcd over mutual TLS, as kubeadm's own probe does.
func (c *Cluster) etcdReady(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(c.pki("etcd/healthcheck-client.crt"), c.pki("etcd/healthcheck-client.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.pki("etcd/ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return get(ctx, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, url(c.Ports.Etcd)+"/health")
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
	return get(ctx, tlsConfig, url(c.Ports.APIServer)+"/readyz")
}

// healthy asks a component with a certificate that it made itself.
func (c *Cluster) healthy(port int, path string) probe {
	return func(ctx context.Context) error {
		return get(ctx, &tls.Config{InsecureSkipVerify: true}, url(port)+path) // loopback, and only a health check
	}
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
