package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/internal/audit"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/certs"
	"ktriage/kube/cordon"
	"ktriage/kube/csr"
	"ktriage/kube/deadnode"
	"ktriage/kube/drain"
	"ktriage/kube/evict"
	"ktriage/kube/remove"
	"ktriage/kube/renew"
	"ktriage/kube/rollout"
	"ktriage/kube/scale"
)

// operator is somebody at work on a cluster, with everything that the program has but for its screen.
type operator struct {
	t       *testing.T
	on      *cluster
	kube    *kube.Cluster
	runner  *action.Runner
	log     *audit.Log
	agent   string // the user agent of all requests, and nobody else's
	planned *drain.Plan
	raw     clientcmdapi.Config
	certs   *certs.Inventory // what renewals act on; a test that needs it has it read
}

// operate connects as the program does, and waits until everything has been read.
func (c *cluster) operate(t *testing.T, kubeconfig string) *operator {
	t.Helper()
	o := &operator{t: t, on: c, agent: fmt.Sprintf("ktriage-e2e/%s-%d", t.Name(), time.Now().UnixNano())}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &kubeconfig
	var err error
	if o.kube, err = kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: o.agent}); err != nil {
		t.Fatal(err)
	}
	if o.raw, err = flags.ToRawKubeConfigLoader().RawConfig(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context())) // Close needs the cluster until the test has ended
	o.kube.Start(ctx, kube.Nodes|kube.Pods|kube.Metrics)
	if o.log, err = audit.Open(t.TempDir(), "e2e", "e2e"); err != nil {
		t.Fatal(err)
	}
	o.runner = action.New(ctx, o.kube, []action.Kind{
		cordon.New(true), cordon.New(false),
		remove.NewDelete(), remove.NewForce(), remove.NewFinalizers(),
		scale.New(), scale.NewRetain(),
		deadnode.NewDelete(), deadnode.NewTaint(true), deadnode.NewTaint(false),
		csr.New(true), csr.New(false), renew.New(renewable{o}),
		rollout.NewRestart(), rollout.NewRollBack(), rollout.NewPause(true), rollout.NewPause(false),
		drain.New(func(p *drain.Plan) action.Work {
			o.planned = p
			return evict.New(p, cordon.Set, drain.Read)
		}),
	}, o.log, action.Settings{})
	t.Cleanup(func() {
		if !o.runner.Close(5 * time.Second) {
			t.Error("a run has not ended 5 s after it was interrupted")
		}
		stop()
		if err := o.log.Close(); err != nil {
			t.Error(err)
		}
	})
	await(t, "the first reading of nodes and pods", soon, func() bool { return o.kube.Moment().Complete })
	return o
}

// renewable is what an operator can renew: the inventory that his test has made, which there may not be when he begins.
type renewable struct{ *operator }

func (r renewable) Find(uid string) (*kube.Cert, bool) { return r.certs.Find(uid) }

func (r renewable) Look(ctx context.Context, c *kube.Cert, p kube.CertPlace) (*kube.X509, error) {
	return r.certs.Look(ctx, c, p)
}

// soon is how long something may take that takes a moment on a machine with nothing else to do. Nothing is measured with it: what
// must be quick has a limit of its own.
const soon = time.Minute

// await waits until a condition holds.
func await(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	if !within(limit, holds) {
		t.Fatalf("%v passed without: %s", limit, what)
	}
}

func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// budgetCounts waits until the controller of budgets has counted so many healthy pods of one.
func budgetCounts(t *testing.T, client kubernetes.Interface, namespace, name string, healthy int32) {
	t.Helper()
	await(t, fmt.Sprintf("%d healthy pods of budget %s", healthy, name), soon, func() bool {
		b, err := client.PolicyV1().PodDisruptionBudgets(namespace).Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && b.Status.ObservedGeneration == b.Generation && b.Status.CurrentHealthy == healthy
	})
}

// target names nodes as they are now.
func (o *operator) target(nodes ...string) action.Target {
	o.t.Helper()
	target := action.Target{Context: o.kube.Context()}
	for _, name := range nodes {
		node, err := o.kube.Client().CoreV1().Nodes().Get(o.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			o.t.Fatal(err)
		}
		target.Refs = append(target.Refs, kube.Ref{Kind: kube.Nodes, Name: name, UID: string(node.UID)})
	}
	return target
}

// plan makes the plan of a drain.
func (o *operator) plan(options action.Options, nodes ...string) *action.Plan {
	o.t.Helper()
	return o.planOf(action.Drain, o.target(nodes...), options)
}

// planOf makes the plan of any action.
func (o *operator) planOf(id action.ID, target action.Target, options action.Options) *action.Plan {
	o.t.Helper()
	p, err := o.runner.Plan(o.t.Context(), id, target, options)
	if err != nil {
		o.t.Fatalf("plan %s of %s: %v", id.Verb(), target.Name(), err)
	}
	return p
}

// start begins to carry a plan out.
func (o *operator) start(p *action.Plan) *drained {
	o.t.Helper()
	began := time.Now()
	id, err := o.runner.Start(p)
	if err != nil {
		o.t.Fatal(err)
	}
	d := &drained{o, id, began}
	o.t.Cleanup(func() {
		if run := d.run(); o.t.Failed() && run != nil {
			o.t.Logf("at the end of the test %s of %s was %s: %s\n%s", p.Action, p.Target.Name(), run.State, run.Note, d.account())
		}
	})
	return d
}

// drained is a drain under way.
type drained struct {
	*operator
	id    string
	began time.Time
}

func (d *drained) run() *action.Run { return d.runner.Run(d.id) }

// await waits until a condition holds, or else shows how the drain stands.
func (d *drained) await(what string, limit time.Duration, holds func() bool) {
	d.t.Helper()
	if !within(limit, holds) {
		d.t.Fatalf("%v passed without: %s; the run: %s\n%s", limit, what, d.run().Note, d.account())
	}
}

// finishes waits for the end of the drain, and gives how it ended and how long it took.
func (d *drained) finishes(limit time.Duration) (*action.Run, time.Duration) {
	d.t.Helper()
	d.await("the end of the drain", limit, func() bool { return d.run().State != action.Running })
	return d.run(), d.run().Ended.Sub(d.began)
}

// cancelled cancels the drain, and checks that it does not wait for the server. It has 100 ms for that, which the tests of evict,
// remove and scale hold it to in virtual time; here the machine may be late by itself.
func (d *drained) cancelled() *action.Run {
	d.t.Helper()
	const limit = time.Second
	asked := time.Now()
	d.runner.Cancel(d.id)
	await(d.t, "the end of a cancelled drain", soon, func() bool { return d.run().State != action.Running })
	took := d.run().Ended.Sub(asked)
	d.t.Logf("cancelled: ended after %v (aim 100 ms)", took.Round(time.Microsecond))
	if took > limit {
		d.t.Errorf("cancelled: ended only after %v, want %v at most", took, limit)
	}
	return d.run()
}

// step gives the step of an object whose full name begins so, an empty one if there is none.
func (d *drained) step(prefix string) *action.Step {
	for _, s := range d.runner.Steps(d.id) {
		if strings.HasPrefix(s.Object.FullName(), prefix) {
			return s
		}
	}
	return &action.Step{Note: "there is no step of " + prefix}
}

// count counts the steps of pods in some states.
func (d *drained) count(states ...action.StepState) int {
	n := 0
	for _, s := range d.runner.Steps(d.id) {
		for _, state := range states {
			if s.Object.Kind == kube.Pods && s.State == state {
				n++
			}
		}
	}
	return n
}

// account tells of every step, for a test that fails.
func (d *drained) account() string {
	var b strings.Builder
	for _, s := range d.runner.Steps(d.id) {
		fmt.Fprintf(&b, "%-45s %-12s %s\n", s.Object.FullName(), s.State, s.Note)
		for _, why := range s.Why {
			fmt.Fprintf(&b, "%45s   %s\n", "", why)
		}
	}
	return b.String()
}

// request is a line of the API server's audit log.
type request struct {
	Verb, UserAgent, Stage string
	User                   struct{ Username string }
	RequestURI             string
	ObjectRef              struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	RequestObject          json.RawMessage // of what changes nodes, pods and workloads
	ResponseStatus         struct{ Code int }
	Received               time.Time `json:"requestReceivedTimestamp"`
	Answered               time.Time `json:"stageTimestamp"`
}

// requests gives what the API server was asked by a program, in the order of its answers. It logs before it answers.
func (c *cluster) requests(t *testing.T, agent string) []request {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(c.dir, "audit*.log")) // one that has been full is beside it, by its time
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for _, log := range logs {
		lines, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, lines...)
	}
	var out []request
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if bytes.Contains(lines.Bytes(), []byte(agent)) && json.Unmarshal(lines.Bytes(), &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// evictions gives the requests for evictions, by the full name of the pod.
func (o *operator) evictions() map[string][]request {
	o.t.Helper()
	out := map[string][]request{}
	for _, r := range o.on.requests(o.t, o.agent) {
		if r.Verb == "create" && r.ObjectRef.Subresource == "eviction" {
			name := r.ObjectRef.Namespace + "/" + r.ObjectRef.Name
			out[name] = append(out[name], r)
		}
	}
	return out
}

// busiest is the most requests that were received within a span.
func busiest(requests []request, span time.Duration) int {
	var times []time.Time
	for _, r := range requests {
		times = append(times, r.Received)
	}
	slices.SortFunc(times, time.Time.Compare)
	most, first := 0, 0
	for last := range times {
		for times[last].Sub(times[first]) >= span {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// accepted gives the pods of which the server has accepted an eviction.
func accepted(evictions map[string][]request) map[string]time.Time {
	out := map[string]time.Time{}
	for name, requests := range evictions {
		for _, r := range requests {
			if r.ResponseStatus.Code == 201 {
				out[name] = r.Answered
			}
		}
	}
	return out
}

// pods gives the pods of a namespace by UID, as the server has them now.
func (o *operator) pods(namespace string) map[string]corev1.Pod {
	o.t.Helper()
	list, err := o.kube.Client().CoreV1().Pods(namespace).List(o.t.Context(), metav1.ListOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	out := map[string]corev1.Pod{}
	for _, p := range list.Items {
		out[string(p.UID)] = p
	}
	return out
}

// goneIsGone checks that no pod is called gone that the server still has.
func (d *drained) goneIsGone(namespace string) {
	d.t.Helper()
	there := d.pods(namespace)
	for _, s := range d.runner.Steps(d.id) {
		if _, is := there[s.Object.UID]; is && s.State == action.StepGone {
			d.t.Errorf("%s is called gone, and the server has it", s.Object.FullName())
		}
	}
}

// named makes a kubeconfig of a user known by a certificate, as kubeadm's are.
func (c *cluster) named(t *testing.T, user string) string {
	t.Helper()
	pair := func(file string) []byte {
		raw, err := os.ReadFile(filepath.Join(c.dir, "pki", file))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(raw)
		return block.Bytes
	}
	ca, err := x509.ParseCertificate(pair("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := x509.ParsePKCS1PrivateKey(pair("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: user},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := filepath.Join(dir, "config")
	raw, err := os.ReadFile(c.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "config", "--kubeconfig", config, "set-credentials", user, "--embed-certs",
		"--client-certificate="+write("crt", "CERTIFICATE", cert), "--client-key="+write("key", "EC PRIVATE KEY", der))
	c.kubectl(t, "config", "--kubeconfig", config, "set-context", "--current", "--user="+user)
	return config
}
