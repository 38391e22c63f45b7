package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/csr"
	"ktriage/kube/kubetest"
	"ktriage/kube/send"
)

// registry is a node whose kubelet nobody plays, so that its addresses are ours, and the requests that are made in its name.
type registry struct {
	t      *testing.T
	config *rest.Config
	client kubernetes.Interface
	name   string // of its nodes, which are "name-suffix"
	net    string // the first three numbers of addresses that no other test has
}

// registries counts them: an address that two nodes have is nobody's own.
var registries atomic.Int32

func newRegistry(t *testing.T) *registry {
	t.Helper()
	s := newStage(t, "csr")
	cfg, err := clientcmd.BuildConfigFromFlags("", stages.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	n := registries.Add(1)
	return &registry{t, cfg, s.client, s.name, fmt.Sprintf("10.%d.%d", 200+n/250, n%250)}
}

func (r *registry) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// node makes a node with these addresses: "InternalIP 10.8.3.103".
func (r *registry) node(suffix string, addresses ...string) string {
	r.t.Helper()
	name := r.name + "-" + suffix
	n, err := r.client.CoreV1().Nodes().Create(r.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.NodeSpec{Unschedulable: true}}, metav1.CreateOptions{})
	r.ok(err)
	r.t.Cleanup(func() {
		_ = r.client.CoreV1().Nodes().Delete(context.WithoutCancel(r.t.Context()), name, metav1.DeleteOptions{})
	})
	r.address(n.Name, addresses...)
	return name
}

// address gives a node other addresses.
func (r *registry) address(node string, addresses ...string) {
	r.t.Helper()
	r.addressAs(r.client, node, addresses...)
}

func (r *registry) addressAs(client kubernetes.Interface, node string, addresses ...string) {
	r.t.Helper()
	for try := 0; ; try++ {
		n, err := client.CoreV1().Nodes().Get(r.t.Context(), node, metav1.GetOptions{})
		r.ok(err)
		n.Status.Addresses = nil
		for _, a := range addresses {
			kind, value, _ := strings.Cut(a, " ")
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: value})
		}
		_, err = client.CoreV1().Nodes().UpdateStatus(r.t.Context(), n, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) && try < 20 { // the node controller writes too
			continue
		}
		r.ok(err)
		return
	}
}

// kubelet is what the kubelet of a node can do.
func (r *registry) kubelet(node string) kubernetes.Interface {
	r.t.Helper()
	cfg := rest.CopyConfig(r.config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "system:node:" + node, Groups: []string{"system:nodes", "system:authenticated"}}
	client, err := kubernetes.NewForConfig(cfg)
	r.ok(err)
	return client
}

// asks makes a request as a kubelet does, in the name of a node, and gives it as the server has it.
func (r *registry) asks(node string, names []string, change ...func(*certificatesv1.CertificateSigningRequest)) kube.Ref {
	r.t.Helper()
	return r.asksWith(kubetest.Key(), node, names, change...)
}

func (r *registry) asksWith(key *ecdsa.PrivateKey, node string, names []string, change ...func(*certificatesv1.CertificateSigningRequest)) kube.Ref {
	r.t.Helper()
	o := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{GenerateName: r.name + "-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    kubetest.Ask(key, "system:node:"+node, []string{"system:nodes"}, names...),
			SignerName: certificatesv1.KubeletServingSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
		}}
	for _, c := range change {
		c(o)
	}
	made, err := r.kubelet(node).CertificatesV1().CertificateSigningRequests().Create(r.t.Context(), o, metav1.CreateOptions{})
	r.ok(err)
	r.t.Cleanup(func() {
		_ = r.client.CertificatesV1().CertificateSigningRequests().Delete(context.WithoutCancel(r.t.Context()), made.Name, metav1.DeleteOptions{})
	})
	return kube.Ref{Kind: kube.CSRs, Name: made.Name, UID: string(made.UID)}
}

func (r *registry) get(ref kube.Ref) *certificatesv1.CertificateSigningRequest {
	r.t.Helper()
	o, err := r.client.CertificatesV1().CertificateSigningRequests().Get(r.t.Context(), ref.Name, metav1.GetOptions{})
	r.ok(err)
	return o
}

// replace puts another request, with the same key and everything, under the name of one.
func (r *registry) replace(ref kube.Ref) {
	r.t.Helper()
	old := r.get(ref)
	r.ok(r.client.CertificatesV1().CertificateSigningRequests().Delete(r.t.Context(), ref.Name, metav1.DeleteOptions{}))
	_, err := r.client.CertificatesV1().CertificateSigningRequests().Create(r.t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: ref.Name}, Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: old.Spec.Request, SignerName: old.Spec.SignerName, Usages: old.Spec.Usages,
		}}, metav1.CreateOptions{})
	r.ok(err)
}

func (o *operator) csrTarget(refs ...kube.Ref) action.Target {
	return action.Target{Context: o.kube.Context(), Refs: refs}
}

// decisions are the requests that decide about certificate signing requests, and how they were answered.
func (o *operator) decisions() []string {
	o.t.Helper()
	var out []string
	for _, r := range o.on.requests(o.t, o.agent) {
		if r.ObjectRef.Resource == "certificatesigningrequests" && !slices.Contains([]string{"get", "list", "watch"}, r.Verb) {
			out = append(out, fmt.Sprintf("%s %s %s %d", r.Verb, r.ObjectRef.Subresource, r.ObjectRef.Name, r.ResponseStatus.Code))
		}
	}
	return out
}

func (d *drained) decidedExactly(want ...string) {
	d.t.Helper()
	if got := d.decisions(); !slices.Equal(got, want) {
		d.t.Errorf("the server was asked: %q, want %q", got, want)
	}
}

func TestServingRequestThatAgreesWithItsNodeIsApprovedByOneRequestAndSigned(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a", "InternalIP "+r.net+".103", "ExternalIP "+r.net+".7")
	ref := r.asks(node, []string{node, r.net + ".103", r.net + ".7"})
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	t.Log(sheetOf(p))
	if p.Tier != action.Read || len(p.Refusals) > 0 || strings.Contains(sheetOf(p), "✗") || strings.Contains(sheetOf(p), "?") {
		t.Fatalf("tier %d, refused with %q", p.Tier, p.Refusals)
	}
	if got := o.decisions(); len(got) > 0 {
		t.Fatalf("asked before anything was confirmed: %q", got)
	}
	d := o.start(p)
	run, took := d.finishes(soon)
	t.Logf("%s after %v: %s", run.State, took.Round(time.Millisecond), run.Note)
	if run.State != action.Done || !strings.HasPrefix(run.Note, "issued, valid until ") {
		t.Errorf("ended as %v: %q\n%s", run.State, run.Note, d.account())
	}
	d.decidedExactly("update approval " + ref.Name + " 200")
	now := r.get(ref)
	if c := now.Status.Conditions; len(c) != 1 || c[0].Type != certificatesv1.CertificateApproved || c[0].Reason != "KtriageApprove" ||
		!strings.HasPrefix(c[0].Message, "This request was approved with ktriage by ") {
		t.Errorf("conditions: %+v", c)
	}
	block, _ := pem.Decode(now.Status.Certificate)
	cert, err := x509.ParseCertificate(block.Bytes)
	r.ok(err)
	if cert.DNSNames[0] != node || len(cert.IPAddresses) != 2 || !strings.Contains(run.Note, cert.NotAfter.UTC().Format("2006-01-02 15:04")) {
		t.Errorf("signed for %v %v until %v; the run says %q", cert.DNSNames, cert.IPAddresses, cert.NotAfter, run.Note)
	}
	if again := o.planOf(action.Approve, o.csrTarget(ref), nil); len(again.Refusals) != 1 || !strings.Contains(again.Refusals[0], "was approved") {
		t.Errorf("a second approval is refused with %q", again.Refusals)
	}
}

// AC-C7.
func TestRequestForAnAddressOfAnotherNodeWantsTheNameTyped(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a", "InternalIP "+r.net+".103")
	other := r.node("b", "InternalIP "+r.net+".203")
	ref := r.asks(node, []string{node, r.net + ".203"})
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	t.Log(sheetOf(p))
	for _, want := range []string{r.net + ".203 is not an address of " + node, other, "✗ differs", "can answer the API server as"} {
		if !strings.Contains(sheetOf(p), want) {
			t.Errorf("the sheet does not say %q", want)
		}
	}
	if p.Tier != action.Write || p.Word != ref.Name || p.Foot != "1 address is not of "+node || len(p.Refusals) > 0 {
		t.Errorf("tier %d, word %q, foot %q, refused with %q", p.Tier, p.Word, p.Foot, p.Refusals)
	}
	good := r.asks(node, []string{node})
	if both := o.planOf(action.Approve, o.csrTarget(good, ref), nil); len(both.Refusals) != 1 || !strings.HasPrefix(both.Refusals[0], ref.Name+" does not agree") {
		t.Errorf("approved with others: %q", both.Refusals)
	}
	if got := o.decisions(); len(got) > 0 {
		t.Fatalf("asked before anything was confirmed: %q", got)
	}
	d := o.start(p) // the name has been typed
	if run, _ := d.finishes(soon); run.State != action.Done {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	d.decidedExactly("update approval " + ref.Name + " 200")
}

// NodeRestriction lets a kubelet give its own Node the address of another.
func TestAddressThatAKubeletHasGivenItsNodeIsNotBelievedWhereAnotherHasIt(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node, other := r.node("a", "Hostname "+r.name+"-a"), r.node("b", "InternalIP "+r.net+".203")
	r.addressAs(r.kubelet(node), node, "Hostname "+node, "InternalIP "+r.net+".203")
	ref := r.asks(node, []string{node, r.net + ".203"})
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	if says := node + " calls " + r.net + ".203 its own. Another node has it: " + other; p.Tier != action.Write || !strings.Contains(sheetOf(p), says) {
		t.Errorf("tier %d, and it does not say %q:\n%s", p.Tier, says, sheetOf(p))
	}
}

func TestRequestThatIsNotAsThePlanShowedItIsNotDecided(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		happens func(r *registry, ref kube.Ref, node string)
		asked   string // how the server answers, "" if it is not asked
		state   action.State
		says    string
	}{
		"replaced": {func(r *registry, ref kube.Ref, _ string) { r.replace(ref) }, "409", action.Failed, "another request has the name now; nothing was done"},
		"deleted": {func(r *registry, ref kube.Ref, _ string) {
			r.ok(r.client.CertificatesV1().CertificateSigningRequests().Delete(r.t.Context(), ref.Name, metav1.DeleteOptions{}))
		}, "404", action.Failed, "does not exist any more; nothing was done"},
		"denied": {func(r *registry, ref kube.Ref, _ string) { stages.kubectl(r.t, "certificate", "deny", ref.Name) }, "409", action.Failed,
			"is Denied by now (KubectlDeny: This CSR was denied by kubectl certificate deny.): it changed since the plan was made"},
		"approved": {func(r *registry, ref kube.Ref, _ string) { stages.kubectl(r.t, "certificate", "approve", ref.Name) }, "409", action.Done, "; approved by somebody else before (KubectlApprove: This CSR was"},
		"touched":  {func(r *registry, ref kube.Ref, _ string) { stages.kubectl(r.t, "label", "csr", ref.Name, "a=b") }, "409", action.Failed, "changed since the plan was made; nothing was done"},
		"another address": {func(r *registry, _ kube.Ref, node string) {
			r.address(node, "Hostname "+node, "InternalIP "+r.net+".99")
		}, "", action.Failed,
			".99: they changed since the plan was made; nothing was done"},
		"node replaced": {func(r *registry, _ kube.Ref, node string) {
			r.ok(r.client.CoreV1().Nodes().Delete(r.t.Context(), node, metav1.DeleteOptions{}))
			r.node(strings.TrimPrefix(node, r.name+"-"), "Hostname "+node, "InternalIP "+r.net+".103")
		}, "", action.Failed, "is another one: it changed since the plan was made"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			node := r.node("a", "Hostname "+r.name+"-a", "InternalIP "+r.net+".103")
			ref := r.asks(node, []string{node, r.net + ".103"})
			o := stages.operate(t, stages.kubeconfig())
			p := o.planOf(action.Approve, o.csrTarget(ref), nil)
			c.happens(r, ref, node)
			d := o.start(p)
			run, _ := d.finishes(soon)
			t.Logf("%s: %s", run.State, run.Note)
			if run.State != c.state || !strings.Contains(run.Note, c.says) {
				t.Errorf("ended as %v: %q", run.State, run.Note)
			}
			var want []string
			if c.asked != "" {
				want = []string{"update approval " + ref.Name + " " + c.asked}
			}
			d.decidedExactly(want...)
			now, err := r.client.CertificatesV1().CertificateSigningRequests().Get(t.Context(), ref.Name, metav1.GetOptions{})
			if err == nil && slices.ContainsFunc(now.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
				return strings.HasPrefix(c.Reason, "Ktriage")
			}) {
				t.Errorf("it was decided: %+v", now.Status.Conditions)
			}
		})
	}
}

func TestRequestThatWasReplacedBeforeItsKeyWasPressedHasNoPlan(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a")
	ref := r.asks(node, []string{node})
	o := stages.operate(t, stages.kubeconfig())
	r.replace(ref)
	if _, err := o.runner.Plan(t.Context(), action.Approve, o.csrTarget(ref), nil); !errors.Is(err, send.ErrReplaced) {
		t.Errorf("replaced: %v", err)
	}
}

func TestDeniedRequestIsDeniedForGood(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a")
	ref := r.asks(node, []string{node, "kubernetes.default.svc"})
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Deny, o.csrTarget(ref), action.Options{csr.OptionReason: "names"})
	d := o.start(p)
	if run, _ := d.finishes(soon); run.State != action.Done || run.Note != "denied" {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	d.decidedExactly("update approval " + ref.Name + " 200")
	if c := r.get(ref).Status.Conditions; len(c) != 1 || c[0].Reason != "KtriageDeny" || !strings.HasSuffix(c[0].Message, " It asks for names that are not its own.") {
		t.Errorf("conditions: %+v", c)
	}
	if again := o.planOf(action.Approve, o.csrTarget(ref), nil); len(again.Refusals) != 1 || !strings.Contains(again.Refusals[0], "cannot be approved any more") {
		t.Errorf("its approval is refused with %q", again.Refusals)
	}
	if out, err := stages.devcluster("kubectl", "certificate", "approve", ref.Name); err == nil {
		t.Errorf("kubectl approves it all the same: %s", out)
	}
}

func TestSignerThatRefusesWhatWasApprovedIsTold(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a")
	ref := r.asks(node, []string{node}, func(o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth}
	})
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	if p.Tier != action.Write || !strings.Contains(sheetOf(p), "Its usages are not those of kubelet-serving") {
		t.Errorf("tier %d:\n%s", p.Tier, sheetOf(p))
	}
	d := o.start(p)
	run, _ := d.finishes(soon)
	if run.State != action.Failed || !strings.HasPrefix(run.Note, "approved; its signer has refused it: SignerValidationFailure: usages did not match") {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
}

func TestKeyOfAnIssuedCertificateIsNotNew(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node, key := r.node("a", "Hostname "+r.name+"-a"), kubetest.Key()
	first := r.asksWith(key, node, []string{node})
	second := r.asksWith(key, node, []string{node})
	o := stages.operate(t, stages.kubeconfig())
	if p := o.planOf(action.Approve, o.csrTarget(second), nil); p.Tier != action.Read || !strings.Contains(sheetOf(p), "asked before:") || !strings.Contains(sheetOf(p), first.Name) {
		t.Errorf("asked again, never answered: tier %d\n%s", p.Tier, sheetOf(p))
	}
	stages.kubectl(t, "certificate", "approve", first.Name)
	await(t, "a certificate", soon, func() bool { return len(r.get(first).Status.Certificate) > 0 })
	if p := o.planOf(action.Approve, o.csrTarget(second), nil); p.Tier != action.Write || !strings.Contains(sheetOf(p), "The key is not new: "+first.Name+", of ") {
		t.Errorf("used for a certificate: tier %d\n%s", p.Tier, sheetOf(p))
	}
}

func TestForeignSignersRequestIsFollowedUntilItIsCancelled(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref := r.asks("nobody", []string{"pay.example.com"}, func(o *certificatesv1.CertificateSigningRequest) { o.Spec.SignerName = "example.com/mesh" })
	o := stages.operate(t, stages.kubeconfig())
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	if p.Tier != action.Write || !strings.Contains(sheetOf(p), "whoever runs as example.com/mesh") {
		t.Errorf("tier %d:\n%s", p.Tier, sheetOf(p))
	}
	d := o.start(p)
	d.await("a request that waits for its signer", soon, func() bool { return d.step(ref.Name).State == action.StepProgressing })
	if run := d.cancelled(); run.State != action.Cancelled || !strings.HasPrefix(run.Note, "approved; not signed") {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
	if c := r.get(ref).Status.Conditions; len(c) != 1 || c[0].Type != certificatesv1.CertificateApproved {
		t.Errorf("what was approved has conditions %+v", c)
	}
}

// Somebody may change approvals, and still decide nothing: the signer is asked for too.
func TestPermissionToApproveForTheSignerIsAskedFor(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a")
	ref := r.asks(node, []string{node})
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: r.name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests", "certificatesigningrequests/approval"}, Verbs: []string{"get", "list", "update"}},
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods"}, Verbs: []string{"get", "list", "watch"}},
	}}
	role, err := r.client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
	r.ok(err)
	_, err = r.client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: r.name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: r.name},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: r.name}}}, metav1.CreateOptions{})
	r.ok(err)
	t.Cleanup(func() {
		_ = r.client.RbacV1().ClusterRoleBindings().Delete(context.WithoutCancel(t.Context()), r.name, metav1.DeleteOptions{})
		_ = r.client.RbacV1().ClusterRoles().Delete(context.WithoutCancel(t.Context()), r.name, metav1.DeleteOptions{})
	})
	o := stages.operate(t, stages.named(t, r.name))
	stages.may(t, r.name, "update", "certificatesigningrequests", "--subresource=approval")
	p := o.planOf(action.Approve, o.csrTarget(ref), nil)
	if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "you may not approve signers kubernetes.io/kubelet-serving") {
		t.Errorf("refused with %q", p.Refusals)
	}
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"},
		ResourceNames: []string{"kubernetes.io/*"}, Verbs: []string{"approve"}})
	_, err = r.client.RbacV1().ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{})
	r.ok(err)
	await(t, "the permission", soon, func() bool {
		p, err = o.runner.Plan(t.Context(), action.Approve, o.csrTarget(ref), nil)
		return err == nil && len(p.Refusals) == 0
	})
	if run, _ := o.start(p).finishes(soon); run.State != action.Done {
		t.Errorf("ended as %v: %q", run.State, run.Note)
	}
}

func TestConditionsOfRequestsAreThoseOfKubectl(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	node := r.node("a", "Hostname "+r.name+"-a")
	waits, issued, denied := r.asks(node, []string{node}), r.asks(node, []string{node}), r.asks(node, []string{node})
	failed := r.asks(node, []string{node}, func(o *certificatesv1.CertificateSigningRequest) {
		o.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth}
	})
	stages.kubectl(t, "certificate", "approve", issued.Name, failed.Name)
	stages.kubectl(t, "certificate", "deny", denied.Name)
	await(t, "what becomes of them", soon, func() bool {
		return len(r.get(issued).Status.Certificate) > 0 && len(r.get(failed).Status.Conditions) == 2
	})
	for ref, want := range map[kube.Ref]kube.CSRCondition{waits: kube.CSRPending, issued: kube.CSRIssued, denied: kube.CSRDenied, failed: kube.CSRFailed} {
		row := kube.NewCSR(r.get(ref))
		printed := strings.Fields(stages.kubectl(t, "get", "csr", ref.Name, "--no-headers"))
		if got := printed[len(printed)-1]; got != row.Printed || row.Condition != want || printed[2] != row.Signer || printed[3] != row.Requestor {
			t.Errorf("kubectl prints %q, the row has %q, %v, %q, %q", printed, row.Printed, row.Condition, row.Signer, row.Requestor)
		}
		if row.Condition == kube.CSRIssued && (row.Ends.Before(time.Now().Add(364*24*time.Hour)) || row.Severity(kube.Moment{Now: time.Now()}) != kube.OK) {
			t.Errorf("issued until %v, %v", row.Ends, row.Severity(kube.Moment{Now: time.Now()}))
		}
	}
}
