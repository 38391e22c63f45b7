package cordon_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/cordon"
	"ktriage/kube/kubetest"
)

// onTheWay is what happens to a request between client and server; send hands it on.
type onTheWay func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)

// bench is a cluster in memory, in virtual time, and the way to it.
type bench struct {
	*kubetest.Server
	t          *testing.T
	cluster    *kube.Cluster
	get, patch onTheWay // nil hands on
	patches    []*http.Request
	gets       int // since the first patch
}

// RoundTrip implements http.RoundTripper.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return b.Server.RoundTrip(r) }
	way := b.get
	if r.Method == http.MethodPatch {
		b.patches = append(b.patches, r)
		way = b.patch
	} else if len(b.patches) > 0 {
		b.gets++
	}
	if way == nil {
		return send()
	}
	return way(r, send)
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Server: kubetest.New(), t: t}
		b.cluster = kube.New(kubetest.Clients(b), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

// node puts a node that is well, once it has been changed.
func (b *bench) node(name string, change ...func(*corev1.Node)) {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}}
	n.Status.NodeInfo.KubeletVersion = "v1.36.3"
	ready(corev1.ConditionTrue)(n)
	for _, c := range change {
		c(n)
	}
	b.Put(n)
}

func ready(is corev1.ConditionStatus) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: is}}
	}
}

// cordoned is a node as the node controller makes one of it.
func cordoned(ago time.Duration) func(*corev1.Node) {
	return func(n *corev1.Node) {
		at := metav1.NewTime(time.Now().Add(-ago))
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: &at})
	}
}

func version(v string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = v }
}

func taint(key, value string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: effect})
	}
}

func ref(name string) kube.Ref { return kube.Ref{Kind: kube.Nodes, Name: name, UID: "uid-" + name} }

func target(names ...string) action.Target {
	t := action.Target{Context: "prod"}
	for _, n := range names {
		t.Refs = append(t.Refs, ref(n))
	}
	return t
}

// is reports whether a node is cordoned now.
func (b *bench) is(name string) bool { return b.Node(name).Spec.Unschedulable }

// replace has another node take the name.
func (b *bench) replace(name string) {
	b.Delete(b.Node(name))
	b.node(name, func(n *corev1.Node) { n.UID = "another" })
}

// set cordons worker-1, or lets it be, and says how long that took.
func (b *bench) set(ctx context.Context, on bool) (changed bool, took time.Duration, err error) {
	began := time.Now()
	changed, err = cordon.Set(ctx, b.cluster, ref("worker-1"), on)
	return changed, time.Since(began), err
}

// answers is a server that says no.
func answers(status metav1.Status) onTheWay {
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		response, _, err := kubetest.Answer(status)(r)
		if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
			response.Header.Set("Retry-After", "1")
		}
		return response, err
	}
}

// first lets something happen before what comes next.
func first(does func(), next onTheWay) onTheWay {
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		does()
		if next == nil {
			return send()
		}
		return next(r, send)
	}
}

// done is a server that does its work before something goes wrong.
func done(next onTheWay) onTheWay {
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		response, err := send()
		if err != nil {
			return nil, err
		}
		if err := response.Body.Close(); err != nil {
			return nil, err
		}
		return next(r, send)
	}
}

// reset is a connection that breaks.
func reset(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, syscall.ECONNRESET
}

// silent is a server that never answers.
func silent(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// patched is the body of a PATCH.
func patched(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	body, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return out
}

// facts are those of a plan, one in a line, with their severity if they have one.
func facts(p *action.Plan) string {
	var out strings.Builder
	for _, f := range p.Facts {
		out.WriteString(f.Name + ": " + f.Text)
		if f.Severity != kube.OK {
			out.WriteString(" (" + f.Severity.String() + ")")
		}
		out.WriteString("\n")
	}
	return out.String()
}
