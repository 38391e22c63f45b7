// Package kubelets listens in the place of kubelets. Its one rule: every node has a listener of its own, on its own
// loopback address, which lives and answers as the node's annotation says now; a node without one is refused by the
// kernel, as on a machine that is off.
package kubelets

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/devcluster/pki"
)

// Options say whose kubelets, and who knows what they answer.
type Options struct {
	Kubeconfig string
	CA         string // path of the cluster's CA, without .crt and .key
	Behind     int    // port of kwok on 127.0.0.1, which answers requests
	Port       int    // on 127.0.0.1, for health checks
}

// Serve listens for all nodes until ctx ends.
func Serve(ctx context.Context, o Options) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read %s: %w", o.Kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ca, err := pki.Load(o.CA)
	if err != nil {
		return err
	}
	all := &fleet{ca: ca, handler: behind(o.Behind), by: map[string]*kubelet{}}
	defer all.close()
	_, nodes := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", fields.Everything()),
		ObjectType:    &corev1.Node{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { all.follow(o.(*corev1.Node)) },
			UpdateFunc: func(_, o any) { all.follow(o.(*corev1.Node)) },
			DeleteFunc: func(o any) {
				if name, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
					all.forget(name)
				}
			},
		},
	})
	go nodes.RunWithContext(ctx)
	return healthy(ctx, o.Port)
}

// healthy answers health checks until ctx ends.
func healthy(ctx context.Context, port int) error {
	server := &http.Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer health checks: %w", err)
	}
	return nil
}

// behind hands a request on to kwok, which knows the usage of all nodes.
func behind(port int) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // loopback, and invented figures
	return proxy
}

// fleet is the kubelets by the names of their nodes.
type fleet struct {
	ca      *pki.Authority
	handler http.Handler

	mu sync.Mutex
	by map[string]*kubelet
}

// follow makes the kubelet of a node as the node says.
func (f *fleet) follow(node *corev1.Node) {
	want := address(node) + " " + node.Annotations[Annotation]
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.by[node.Name]; old != nil {
		if old.as == want {
			return
		}
		old.close()
		delete(f.by, node.Name)
	}
	if node.Annotations[Annotation] == "" || address(node) == "" {
		return
	}
	made, err := listen(node, f.ca, f.handler)
	if err != nil {
		log.Print(err)
		return
	}
	made.as = want
	f.by[node.Name] = made
}

func (f *fleet) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.by[name]; old != nil {
		old.close()
		delete(f.by, name)
	}
}

func (f *fleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.by {
		k.close()
	}
}

// kubelet is one that listens.
type kubelet struct {
	as    string // the node's address and annotation that it was made from
	close func()
}

// listen begins to answer for a node.
func listen(node *corev1.Node, ca *pki.Authority, handler http.Handler) (*kubelet, error) {
	how, err := readServing(node)
	if err != nil {
		return nil, err
	}
	cert, err := how.certificate(node, ca)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address(node))
	if err != nil {
		return nil, fmt.Errorf("listen for the node %s: %w", node.Name, err)
	}
	if how.Answers == answersNever {
		go mute(l) // it ends when l is closed
		return &kubelet{close: func() { _ = l.Close() }}, nil
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*cert}, ClientAuth: tls.RequestClientCert},
	}
	if how.Answers == answersHTTP {
		go func() { _ = server.Serve(l) }() // it ends when it is closed
	} else {
		go func() { _ = server.ServeTLS(l, "", "") }()
	}
	return &kubelet{close: func() { _ = server.Close() }}, nil
}

// mute accepts connections, and hears them out without a word.
func mute(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}()
	}
}
