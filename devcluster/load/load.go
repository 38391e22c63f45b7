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

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// errorsOnly is zapcore.ErrorLevel: what goes wrong while we stop is not worth a line for each writer.
const errorsOnly = 2

// writers is how many objects are written at once: 64 kept two cores busy.
const writers = 64

// Options say how big, and where etcd is.
type Options struct {
	Nodes, Pods int
	Secrets     int    // TLS Secrets
	Kubelets    bool   // nodes have addresses of this machine, and say how their kubelets serve
	PKIDir      string // kubeadm's, with apiserver-etcd-client.crt
	Endpoint    string // URL of etcd
	Progress    func(string, ...any)
}

// The limits are those of what is written: the nodes' addresses are two bytes long, and etcd holds 8 GiB, of which a pod
// takes 6 KB.
const (
	mostNodes   = 1 << 16
	mostPods    = 1_000_000
	mostSecrets = 1_000_000
)

// Check says what is wrong with the numbers, in one sentence.
func (o Options) Check() error {
	switch {
	case o.Nodes < 1 || o.Nodes > mostNodes:
		return fmt.Errorf("--nodes is %d, and must be from 1 to %d", o.Nodes, mostNodes)
	case o.Pods < 0 || o.Pods > mostPods:
		return fmt.Errorf("--pods is %d, and must be from 0 to %d", o.Pods, mostPods)
	case o.Secrets < 0 || o.Secrets > mostSecrets:
		return fmt.Errorf("--secrets is %d, and must be from 0 to %d", o.Secrets, mostSecrets)
	}
	return nil
}

// Fill writes the nodes, the namespaces and the pods. An object that is there already is written over.
func Fill(ctx context.Context, o Options) error {
	client, err := connect(o)
	if err != nil {
		return err
	}
	defer client.Close()
	began := time.Now()
	if err := o.write(ctx, client, "nodes", o.Nodes, func(i int) (string, runtime.Object, error) {
		n := node(i, began)
		if o.Kubelets {
			serve(n, i)
		}
		return "/registry/minions/" + n.Name, n, nil
	}); err != nil {
		return err
	}
	for i, name := range namespaces {
		if err := put(ctx, client, "/registry/namespaces/"+name, namespace(i, began)); err != nil {
			return err
		}
	}
	if err := o.writeSecrets(ctx, client, began); err != nil {
		return err
	}
	return o.write(ctx, client, "pods", o.Pods, func(i int) (string, runtime.Object, error) {
		p := pod(i, o.Nodes, began)
		return "/registry/pods/" + p.Namespace + "/" + p.Name, p, nil
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
	logger, err := logutil.CreateDefaultZapLogger(errorsOnly)
	if err != nil {
		return nil, fmt.Errorf("make the log of the etcd client: %w", err)
	}
	client, err := clientv3.New(clientv3.Config{
		Logger:    logger,
		Endpoints: []string{o.Endpoint}, DialTimeout: 5 * time.Second,
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return client, nil
}

// write makes and stores n objects of one kind.
func (o Options) write(ctx context.Context, client *clientv3.Client, what string, n int, object func(int) (string, runtime.Object, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	var next, done atomic.Int64
	for range writers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return ctx.Err()
				}
				key, made, err := object(i)
				if err != nil {
					return err
				}
				if err := put(ctx, client, key, made); err != nil {
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
	value, err := encode(key, object)
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, key, value); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

func encode(key string, object runtime.Object) (string, error) {
	var b bytes.Buffer
	if err := encoder.Encode(object, &b); err != nil {
		return "", fmt.Errorf("encode %s: %w", key, err)
	}
	return b.String(), nil
}
