package csr_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/csr"
	"ktriage/kube/kubetest"
)

// bench is a cluster in memory, in virtual time.
type bench struct {
	*kubetest.Approvals
	t       *testing.T
	cluster *kube.Cluster
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, Approvals: &kubetest.Approvals{Server: kubetest.New()}}
		b.cluster = kube.New(kubetest.Clients(b.Approvals), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		test(b)
	})
}

// node puts a node that is an hour old; addresses are "InternalIP 10.8.3.103".
func (b *bench) node(name string, addresses ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name),
		CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour))}}
	for _, a := range addresses {
		kind, value, _ := strings.Cut(a, " ")
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: value})
	}
	b.Put(n)
	return n
}

// gpu03 is the node of the mock-up.
func (b *bench) gpu03() *corev1.Node {
	return b.node("gpu-03", "Hostname gpu-03", "InternalIP 10.8.3.103")
}

type asked = certificatesv1.CertificateSigningRequest

// request puts a request of a kubelet for a serving certificate, 152 s old.
func (b *bench) request(name, node string, names []string, change ...func(*asked)) kube.Ref {
	o := &asked{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(time.Now().Add(-152 * time.Second))}}
	o.Spec = certificatesv1.CertificateSigningRequestSpec{
		Request:    kubetest.Ask(kubetest.Key(), "system:node:"+node, []string{"system:nodes"}, names...),
		SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:" + node,
		Groups: []string{"system:nodes", "system:authenticated"},
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
	}
	for _, c := range change {
		c(o)
	}
	b.Put(o)
	return kube.Ref{Kind: kube.CSRs, Name: name, UID: string(o.UID)}
}

// good is a request that asks for what gpu-03 has.
func (b *bench) good(change ...func(*asked)) kube.Ref {
	return b.request("csr-9k2xl", "gpu-03", []string{"gpu-03", "10.8.3.103"}, change...)
}

func wants(cn string, organizations []string, names ...string) func(*asked) {
	return func(o *asked) { o.Spec.Request = kubetest.Ask(kubetest.Key(), cn, organizations, names...) }
}

func signer(name string, usages ...certificatesv1.KeyUsage) func(*asked) {
	return func(o *asked) { o.Spec.SignerName, o.Spec.Usages = name, usages }
}

func by(user string, groups ...string) func(*asked) {
	return func(o *asked) { o.Spec.Username, o.Spec.Groups = user, groups }
}

func decided(kind certificatesv1.RequestConditionType, reason string) func(*asked) {
	return func(o *asked) {
		o.Status.Conditions = append(o.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Minute)),
		})
	}
}

func issued(o *asked) {
	o.Status.Certificate = kubetest.Issue(kubetest.Key(), o.Spec.Username, time.Now(), time.Now().Add(365*24*time.Hour))
}

// change changes a request as somebody else would.
func (b *bench) change(name string, change func(*asked)) {
	o := b.CSR(name)
	change(o)
	b.Put(o)
}

func (b *bench) tryPlan(approve bool, o action.Options, refs ...kube.Ref) (*action.Plan, error) {
	return csr.New(approve).Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: refs}, o)
}

func (b *bench) plan(approve bool, refs ...kube.Ref) *action.Plan {
	b.t.Helper()
	p, err := b.tryPlan(approve, nil, refs...)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// run carries a plan out, and gives its end and its steps.
func (b *bench) run(p *action.Plan) (action.Result, []*action.Step) {
	b.t.Helper()
	if p.Work == nil {
		b.t.Fatalf("there is nothing to do: %v", p.Refusals)
	}
	progress := action.NewProgress(func() {})
	result := p.Work.Run(b.t.Context(), b.cluster, progress)
	return result, progress.Steps()
}

// signs has the signer issue a certificate for whatever is approved, that long after it was.
func (b *bench) signs(after time.Duration) {
	b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		response, err := on()
		if err == nil && response.StatusCode == http.StatusOK {
			name := strings.Split(b.Sent()[len(b.Sent())-1].Path, "/")[5]
			time.AfterFunc(after, func() { b.change(name, issued) })
		}
		return response, err
	}
}

// spoiled is a request with another signature: that is at its end.
func spoiled(request []byte) []byte {
	block, _ := pem.Decode(request)
	block.Bytes[len(block.Bytes)-1] ^= 1
	return pem.EncodeToMemory(block)
}

func sheet(p *action.Plan) string {
	var s strings.Builder
	fmt.Fprintln(&s, p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&s, "%s: %s\n", f.Name, f.Text)
	}
	for _, part := range p.Sections {
		fmt.Fprintf(&s, "-- %s\n", part.Title)
		for i, r := range part.Rows {
			cells := slices.Clone(r.Cells)
			for _, more := range part.Rows[i+1:] { // what goes on below
				if len(more.Cells) < 2 || more.Cells[0] != "" {
					break
				}
				for k, c := range more.Cells {
					cells[k] = strings.TrimSpace(cells[k] + " " + c)
				}
			}
			if len(r.Cells) < 2 || r.Cells[0] != "" {
				fmt.Fprintln(&s, strings.Join(cells, " | "))
			}
		}
	}
	return s.String()
}

func (b *bench) has(where string, want ...string) {
	b.t.Helper()
	for _, w := range want {
		if !strings.Contains(where, w) {
			b.t.Errorf("it does not say %q:\n%s", w, where)
		}
	}
}
