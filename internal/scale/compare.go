package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// compared is what somebody else needs to read the same cluster, in a process of its own.
type compared struct {
	what string
	took spans         // until it has everything
	cpu  time.Duration // of the median run
	peak int64         // bytes
	read int64         // bytes that were read, 0 if that is not known
}

const protobuf = "application/vnd.kubernetes.protobuf"

// repeats is how often each of the others runs; the median counts.
const repeats = 3

// The others. The first request after the start of the API server fills its caches, so it is made once before.
const (
	getPods   = "GET /api/v1/pods, protobuf, thrown away"
	getNodes  = "GET /api/v1/nodes, protobuf, thrown away"
	kubectl   = "kubectl get pods -A, to /dev/null"
	informer  = "client-go informer, whole pods"
	transform = "client-go informer, pods cut to a small row"
)

var children = map[string]func(context.Context, *rest.Config) (int64, error){
	"pods":      func(ctx context.Context, c *rest.Config) (int64, error) { return get(ctx, c, "/api/v1/pods") },
	"nodes":     func(ctx context.Context, c *rest.Config) (int64, error) { return get(ctx, c, "/api/v1/nodes") },
	"informer":  func(ctx context.Context, c *rest.Config) (int64, error) { return 0, inform(ctx, c, nil) },
	"transform": func(ctx context.Context, c *rest.Config) (int64, error) { return 0, inform(ctx, c, cut) },
	"watch":     func(ctx context.Context, c *rest.Config) (int64, error) { return 0, watchAll(ctx, c, os.Stdout) },
	"events":    func(ctx context.Context, c *rest.Config) (int64, error) { return 0, countEvents(ctx, c, os.Stdout) },
}

// warmUp reads all pods once.
func (b *bench) warmUp(ctx context.Context) error {
	_, err := b.child(ctx, "warming up", "pods")
	return err
}

// compare runs each of the others several times; GETs of all pods alternate with the starts of ktriage instead.
func (b *bench) compare(ctx context.Context) error {
	for _, other := range []struct{ name, what string }{
		{"nodes", getNodes}, {"kubectl", kubectl}, {"informer", informer}, {"transform", transform},
	} {
		var runs []compared
		for range repeats {
			if err := b.settle(ctx); err != nil {
				return err
			}
			one, err := b.compareOnce(ctx, other.what, other.name)
			if err != nil {
				return err
			}
			runs = append(runs, one)
		}
		c := together(runs)
		b.say("%s: %s, peak %s", c.what, duration(c.took.median()), mebibytes(c.peak))
		b.others = append(b.others, c)
	}
	return nil
}

// together makes one of several runs of the same.
func together(runs []compared) compared {
	all, cpu := runs[0], spans{runs[0].cpu}
	for _, one := range runs[1:] {
		all.took, cpu = append(all.took, one.took...), append(cpu, one.cpu)
		all.peak = max(all.peak, one.peak)
	}
	all.cpu = cpu.median()
	return all
}

func (b *bench) compareOnce(ctx context.Context, what, name string) (compared, error) {
	if name != "kubectl" {
		return b.child(ctx, what, name)
	}
	cmd := exec.CommandContext(ctx, beside(b.devcluster, "devcluster-kube"), "kubectl", "get", "pods", "-A")
	cmd.Env = b.cluster.env()
	began := time.Now()
	if err := cmd.Run(); err != nil { // without a place to write to, it writes to /dev/null
		return compared{}, fmt.Errorf("%s: %w", what, err)
	}
	return measured(what, cmd.ProcessState, time.Since(began), 0), nil
}

// result is what a child prints.
type result struct {
	Took time.Duration // from before it connects until it has everything
	Read int64
}

// child runs this program itself, so that what it uses is not ours.
func (b *bench) child(ctx context.Context, what, name string) (compared, error) {
	cmd, err := b.command(ctx, name)
	if err != nil {
		return compared{}, err
	}
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return compared{}, fmt.Errorf("%s: %w: %s", what, err, bytes.TrimSpace(complaints.Bytes()))
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return compared{}, fmt.Errorf("%s: %w", what, err)
	}
	return measured(what, cmd.ProcessState, r.Took, r.Read), nil
}

// command is a child that has not been started.
func (b *bench) command(ctx context.Context, name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find ourselves: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "-child", name)
	cmd.Env = b.cluster.env()
	return cmd, nil
}

// measured takes what the kernel has counted of a process that has ended.
func measured(what string, p *os.ProcessState, took time.Duration, read int64) compared {
	c := compared{what: what, took: spans{took}, cpu: p.UserTime() + p.SystemTime(), read: read}
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		c.peak = u.Maxrss << 10 // kilobytes on Linux; see getrusage(2)
	}
	return c
}

// runChild is the child's side.
func runChild(name string) error {
	do, ok := children[name]
	if !ok {
		return fmt.Errorf("there is no child %q", name)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.ContentType = protobuf
	config.QPS = -1
	began := time.Now()
	read, err := do(context.Background(), config)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{time.Since(began), read})
}

// get reads a list and throws it away. It asks for no compression, which is the quickest way over a loopback.
func get(ctx context.Context, config *rest.Config, path string) (int64, error) {
	config.DisableCompression = true
	body, err := fetch(ctx, config, path)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.Copy(io.Discard, body)
}

// fetch asks for a path, and gives what the API server answers as it comes.
func fetch(ctx context.Context, config *rest.Config, path string) (io.ReadCloser, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	r.Header.Set("Accept", config.ContentType)
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("get %s: %s", path, answer.Status)
	}
	return answer.Body, nil
}

// inform fills an informer with all pods: as client-go does it by default, in a stream where the server has it.
func inform(ctx context.Context, config *rest.Config, change cache.TransformFunc) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", config.Host, err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	if change != nil {
		if err := pods.SetTransform(change); err != nil {
			return fmt.Errorf("set the transform: %w", err)
		}
	}
	factory.StartWithContext(ctx)
	for !pods.HasSynced() { // cache.WaitForCacheSync looks every 100 ms only
		if err := pause(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("wait for the informer: %w", err)
		}
	}
	return nil
}

// row is as little of a pod as a table needs.
type row struct {
	metav1.Object // what is not asked for, is not there

	namespace, name, uid, version string
	node, phase                   string
	restarts                      int32
	ready                         bool
	created                       time.Time
}

func (r *row) GetNamespace() string       { return r.namespace }
func (r *row) GetName() string            { return r.name }
func (r *row) GetResourceVersion() string { return r.version }

func cut(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	r := &row{
		namespace: p.Namespace, name: p.Name, uid: string(p.UID), version: p.ResourceVersion,
		node: p.Spec.NodeName, phase: string(p.Status.Phase), created: p.CreationTimestamp.Time, ready: true,
	}
	for _, s := range p.Status.ContainerStatuses {
		r.restarts += s.RestartCount
		r.ready = r.ready && s.Ready
	}
	return r, nil
}
