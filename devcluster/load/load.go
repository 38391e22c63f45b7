// Package load makes a big cluster in which nothing changes. Its one rule: objects are written straight into etcd, in
// the form and under the keys that the API server itself uses; through the API it would take many times as long.
package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// writers is how many objects are written at once: 64 kept two cores busy.
const writers = 64

// Options say how big.
type Options struct {
	Nodes, Pods int
	PKIDir      string
	Endpoint    string // of etcd
	Progress    func(string, ...any)
}

// Fill writes the objects.
func Fill(ctx context.Context, o Options) error {
	client, err := connect(o)
	if err != nil {
		return err
	}
	defer client.Close()
	began := time.Now()
	if err := o.write(ctx, client, "nodes", o.Nodes, func(i int) (string, runtime.Object) {
		n := node(i, began)
		return "/registry/minions/" + n.Name, n
	}); err != nil {
		return err
	}
	for _, ns := range namespaces {
		if err := put(ctx, client, "/registry/namespaces/"+ns, namespace(ns, began)); err != nil {
			return err
		}
	}
	return o.write(ctx, client, "pods", o.Pods, func(i int) (string, runtime.Object) {
		p := pod(i, o.Nodes, began)
		return "/registry/pods/" + p.Namespace + "/" + p.Name, p
	})
}

func connect(o Options) (*clientv3.Client, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(o.PKIDir, "apiserver-etcd-client.crt"), filepath.Join(o.PKIDir, "apiserver-etcd-client.key"))
	if err != nil {
		return nil, fmt.Errorf("read the client certificate for etcd: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(o.PKIDir, "etcd", "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the CA of etcd: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{o.Endpoint}, DialTimeout: 5 * time.Second,
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return client, nil
}

// write makes and stores n objects of one kind.
func (o Options) write(ctx context.Context, client *clientv3.Client, what string, n int, make func(int) (string, runtime.Object)) error {
	group, ctx := errgroup.WithContext(ctx)
	var next, done atomic.Int64
	for range writers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return ctx.Err()
				}
				key, object := make(i)
				if err := put(ctx, client, key, object); err != nil {
					return err
				}
				if d := done.Add(1); d%10_000 == 0 || int(d) == n {
					o.Progress("%d of %d %s written", d, n, what)
				}
			}
		})
	}
	return group.Wait()
}

var encoder = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

func put(ctx context.Context, client *clientv3.Client, key string, object runtime.Object) error {
	var b bytes.Buffer
	if err := encoder.Encode(object, &b); err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if _, err := client.Put(ctx, key, b.String()); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
