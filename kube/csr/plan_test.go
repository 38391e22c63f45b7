package csr_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube/action"
	"ktriage/kube/csr"
	"ktriage/kube/kubetest"
	"ktriage/kube/send"
)

func TestARequestThatAgreesWithItsNodeIsReadAndApproved(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good())
		if p.Tier != action.Read || len(p.Refusals) > 0 || p.Word != "csr-9k2xl" || p.Gate != "approve csr-9k2xl for gpu-03" || p.Work == nil {
			t.Errorf("tier %d, %v, %q, %q", p.Tier, p.Refusals, p.Word, p.Gate)
		}
		b.has(sheet(p), "csr-9k2xl: Pending 2m32s, signer kubernetes.io/kubelet-serving, from gpu-03.\n",
			"until: it is signed: no metrics, logs or exec for pods on gpu-03",
			"requestor | system:node:gpu-03 | gpu-03 | ✓ same\n",
			"groups | system:nodes, authenticated | system:nodes | ✓ same\n",
			"CN | system:node:gpu-03 | system:node:gpu-03 | ✓ same\n",
			"O | system:nodes | system:nodes | ✓ same\n",
			"DNS | gpu-03 | Hostname gpu-03 | ✓ same\n",
			"IP | 10.8.3.103 | InternalIP 10.8.3.103 | ✓ same\n",
			"usages | digital signature, server auth | as kubelet-serving needs | ✓ same\n",
			"key | ECDSA P-256, new | no older key known | ✓ same\n",
			"Signed for as long as its signer gives, 365d by default; the kubelet picks it up by itself within a minute.")
		if want := []string{"kubectl --context prod certificate approve csr-9k2xl"}; !slices.Equal(p.Kubectl, want) {
			t.Errorf("kubectl: %q", p.Kubectl)
		}
		if strings.Contains(sheet(p), "tier 3") || len(b.Sent()) > 0 {
			t.Errorf("%d requests sent by a plan, or reasons where there are none:\n%s", len(b.Sent()), sheet(p))
		}
	})
}

// AC-C7, as drawn: an address of another node.
func TestAForeignAddressWantsTheNameTyped(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.gpu03()
		n.CreationTimestamp = metav1.NewTime(time.Now().Add(-165 * time.Second))
		b.Put(n)
		b.node("worker-88", "InternalIP 10.8.3.203")
		p := b.plan(true, b.request("csr-9k2xl", "gpu-03", []string{"gpu-03", "10.8.3.203"}))
		if p.Tier != action.Write || p.Word != "csr-9k2xl" || p.Foot != "1 address is not of gpu-03" || len(p.Refusals) > 0 {
			t.Errorf("tier %d, word %q, foot %q, %v", p.Tier, p.Word, p.Foot, p.Refusals)
		}
		b.has(sheet(p), "IP | 10.8.3.203 | InternalIP 10.8.3.103 | ✗ differs\n", "-- why this is tier 3\n"+
			"10.8.3.203 is not an address of gpu-03. Another node has it: worker-88.\n"+
			"Who holds this certificate can answer the API server as worker-88: logs, exec and their data.\n"+
			"gpu-03 registered 2m45s ago; its machine is not known to this cluster from before.\n")
		if got := fmt.Sprint(p.Details["differs"]); got != "[IP 10.8.3.203]" {
			t.Errorf("the audit log has %s", got)
		}
	})
}

func TestWhateverIsForeignInARequestWantsTheNameTyped(t *testing.T) {
	nodes := []string{"system:nodes"}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(*asked)
		says   []string
	}{
		"common name": {wants("system:node:worker-88", nodes, "gpu-03"),
			[]string{"CN | system:node:worker-88 | system:node:gpu-03 | ✗ differs", "It is for system:node:worker-88, and system:node:gpu-03 asks."}},
		"another group": {wants("system:node:gpu-03", []string{"system:masters"}, "gpu-03"),
			[]string{"O | system:masters | system:nodes | ✗ differs", "makes its holder a member of group system:masters"}},
		"one group more": {wants("system:node:gpu-03", []string{"system:nodes", "system:masters"}, "gpu-03"),
			[]string{"O | system:nodes, system:masters | system:nodes | ✗ differs"}},
		"no group": {wants("system:node:gpu-03", nil, "gpu-03"), []string{"O | none | system:nodes | ✗ differs"}},
		"a name": {wants("system:node:gpu-03", nodes, "gpu-03", "pay.example.com"),
			[]string{"DNS | pay.example.com | Hostname gpu-03 | ✗ differs", "pay.example.com is not a name of gpu-03. No other node has it either.",
				"can answer as pay.example.com to whoever trusts the CA"}},
		"the API server's name": {wants("system:node:gpu-03", nodes, "kubernetes.default.svc"),
			[]string{"kubernetes.default.svc is not a name of gpu-03. It is one of the API server.", "pass for the API server"}},
		"no name": {wants("system:node:gpu-03", nodes), []string{"DNS | none | Hostname gpu-03 | ✗ differs", "It asks for no name and no address"}},
		"usages": {signer(certificatesv1.KubeletServingSignerName, certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth),
			[]string{"usages | digital signature, client auth | digital signature, server auth | ✗ differs", "its signer would refuse it"}},
		"not of the group": {by("system:node:gpu-03", "system:authenticated"), []string{"groups | authenticated | system:nodes | ✗ differs", "is not in the group system:nodes"}},
		"not a node":       {by("mallory", "system:authenticated"), []string{"requestor | mallory | no node | ✗ differs", "mallory is not a node, and asks for what only nodes get."}},
		"in nobody's name": {func(o *asked) { by("mallory")(o); wants("web.example.com", nil, "web.example.com")(o) },
			[]string{"CN | web.example.com | system:node:NAME | ✗ differs", "DNS | web.example.com | not known | ? unknown", "for pods on its node"}},
		"a weak key": {func(o *asked) { o.Spec.Request = kubetest.Ask(weak, "system:node:gpu-03", nodes, "gpu-03") },
			[]string{"key | RSA 1024 | RSA 2048 at least | ✗ differs"}},
		"no such node": {func(o *asked) {
			wants("system:node:gone-1", nodes, "gone-1")(o)
			by("system:node:gone-1", "system:nodes")(o)
		}, []string{"requestor | system:node:gone-1 | no such Node | ✗ differs", "There is no Node gone-1", "DNS | gone-1 | not known | ? unknown"}},
		"a node with a name that cannot be one": {by("system:node:../../x", "system:nodes"), []string{"There is no Node ../../x"}},
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			p := b.plan(true, b.good(c.change))
			if p.Tier != action.Write || p.Foot == "" || p.Work == nil {
				t.Errorf("%s: tier %d, foot %q, %v", what, p.Tier, p.Foot, p.Refusals)
			}
			b.has(sheet(p), c.says...)
		})
	}
}

func TestAddressesOfEveryKindAreTheNodes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("gpu-03", "Hostname gpu-03", "InternalDNS gpu-03.lan", "ExternalDNS GPU-03.example.com", "InternalIP 10.8.3.103", "ExternalIP 2001:db8::3")
		p := b.plan(true, b.request("csr-a", "gpu-03", []string{"gpu-03", "gpu-03.lan", "gpu-03.example.com", "10.8.3.103", "2001:0db8::0003"}))
		if p.Tier != action.Read {
			t.Errorf("tier %d:\n%s", p.Tier, sheet(p))
		}
		b.has(sheet(p), "DNS | gpu-03.example.com | ExternalDNS GPU-03.example.com | ✓ same", "IP | 2001:db8::3 | ExternalIP 2001:db8::3 | ✓ same")
	})
}

func TestManyNamesAreShownInPart(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("n%d.example.com", i))
		}
		p := b.plan(true, b.request("csr-a", "gpu-03", names))
		b.has(sheet(p), "DNS | and 28 more | Hostname gpu-03 | ✗ differs")
		if n := strings.Count(sheet(p), "is not a name of gpu-03"); n != 4 || !strings.Contains(sheet(p), "And 36 more such names.") || p.Foot != "40 names are not of gpu-03" {
			t.Errorf("%d sentences, foot %q", n, p.Foot)
		}
	})
}

func TestAKeyThatWasUsedBeforeSpeaksAgainstARequest(t *testing.T) {
	nodes, key := []string{"system:nodes"}, kubetest.Key()
	with := func(o *asked) { o.Spec.Request = kubetest.Ask(key, "system:node:gpu-03", nodes, "gpu-03") }
	for what, c := range map[string]struct {
		other func(*asked)
		tier  action.Tier
		says  string
	}{
		"of an issued certificate": {func(o *asked) { with(o); issued(o) }, action.Write, "used by csr-old | ✗ differs"},
		"of somebody else":         {func(o *asked) { with(o); by("mallory")(o) }, action.Write, "csr-old, of mallory, has it too"},
		"asked again":              {with, action.Read, "key | ECDSA P-256 | asked before: csr-old | ✓ same"},
		"of garbage":               {func(o *asked) { o.Spec.Request = []byte("x") }, action.Read, "no older key known"},
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			b.request("csr-old", "gpu-03", nil, c.other, func(o *asked) { o.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour)) })
			p := b.plan(true, b.good(with))
			if p.Tier != c.tier {
				t.Errorf("%s: tier %d, want %d", what, p.Tier, c.tier)
			}
			b.has(sheet(p), c.says)
		})
	}
}

func TestANewerRequestOfTheSameKubeletIsNamed(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.request("csr-newer", "gpu-03", []string{"gpu-03"}, func(o *asked) { o.CreationTimestamp = metav1.Now() })
		b.has(sheet(b.plan(true, b.good())), "but: a newer request of the same kubelet waits, csr-newer")
	})
}

func TestRequestsOfClientCertificatesOfKubelets(t *testing.T) {
	client := signer(certificatesv1.KubeAPIServerClientKubeletSignerName, certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth)
	nodes := []string{"system:nodes"}
	token := by("system:bootstrap:9f2c1a", "system:bootstrappers", "system:authenticated")
	for what, c := range map[string]struct {
		node   string
		change []func(*asked)
		tier   action.Tier
		says   []string
	}{
		"renewed": {"gpu-03", []func(*asked){client, wants("system:node:gpu-03", nodes)}, action.Read,
			[]string{"usages | digital signature, client auth | as kube-apiserver- client-kubelet needs | ✓ same", "gpu-03 goes silent once"}},
		"with names": {"gpu-03", []func(*asked){client, wants("system:node:gpu-03", nodes, "gpu-03")}, action.Write,
			[]string{"names | gpu-03 | none | ✗ differs"}},
		"of a new node": {"other", []func(*asked){client, token, wants("system:node:gpu-03", nodes)}, action.Write,
			[]string{"Not a node asks, but a bootstrap token", "it is signed: gpu-03 cannot join the cluster", "registers its Node"}},
		"in the name of a node": {"gpu-03", []func(*asked){client, token, wants("system:node:gpu-03", nodes)}, action.Write,
			[]string{"There is a Node gpu-03 already: who holds this certificate can act as its kubelet."}},
	} {
		onBench(t, func(b *bench) {
			b.node(c.node, "Hostname "+c.node)
			p := b.plan(true, b.good(c.change...))
			if p.Tier != c.tier {
				t.Errorf("%s: tier %d, want %d", what, p.Tier, c.tier)
			}
			b.has(sheet(p), c.says...)
		})
	}
}

func TestOtherSignersAreShownAndWantTheNameTyped(t *testing.T) {
	for name, says := range map[string][]string{
		certificatesv1.KubeAPIServerClientSignerName: {"signs: kube-controller-manager, at once", "approved by an administrator",
			"Who holds this certificate is alice, in group ops, to the API server until it expires."},
		"example.com/mesh":       {"signs: whoever runs as example.com/mesh in this cluster", "Nothing in the cluster says what dave may ask for"},
		"kubernetes.io/whatever": {"signs: nobody that is known here: it is no signer of Kubernetes"},
	} {
		onBench(t, func(b *bench) {
			week := int32(7 * 24 * 3600)
			p := b.plan(true, b.good(signer(name, certificatesv1.UsageClientAuth), by("dave", "ops"), wants("alice", []string{"ops"}, "x.example.com"),
				func(o *asked) { o.Spec.ExpirationSeconds = &week }))
			if p.Tier != action.Write || p.Work == nil || p.Foot != "signer "+name {
				t.Errorf("%s: tier %d, foot %q, %v", name, p.Tier, p.Foot, p.Refusals)
			}
			b.has(sheet(p), append(says, "requestor | dave\n", "groups | ops\n", "CN | alice\n", "O | ops\n", "DNS | x.example.com\n", "usages | client auth\n",
				"key | ECDSA P-256\n", "Signed for the 7d that it asks for")...)
		})
	}
}

func TestWhatHasBeenDecidedOrCannotBeReadIsRefused(t *testing.T) {
	for what, c := range map[string]struct {
		change  func(*asked)
		approve string // how it begins, "" if it is allowed
		deny    string
	}{
		"approved": {decided(certificatesv1.CertificateApproved, "KubectlApprove"), "csr-9k2xl was approved 60s ago (KubectlApprove) already",
			"csr-9k2xl was approved 60s ago (KubectlApprove): what has been approved cannot be denied any more"},
		"issued": {func(o *asked) { decided(certificatesv1.CertificateApproved, "X")(o); issued(o) }, "csr-9k2xl was approved 60s ago (X) already",
			"csr-9k2xl was approved 60s ago (X): what"},
		"denied": {decided(certificatesv1.CertificateDenied, "KubectlDeny"),
			"csr-9k2xl was denied 60s ago (KubectlDeny): what has been denied cannot be approved any more", "csr-9k2xl was denied 60s ago (KubectlDeny) already"},
		"failed": {decided(certificatesv1.CertificateFailed, "Bad"), "csr-9k2xl failed 60s ago (Bad)", "csr-9k2xl failed 60s ago (Bad)"},
		"garbage": {func(o *asked) { o.Spec.Request = []byte("\x1b[2Jx") },
			"the request of csr-9k2xl cannot be read, and nobody can say what would be approved: it has no PEM block", ""},
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			ref := b.good(c.change)
			for approve, want := range map[bool]string{true: c.approve, false: c.deny} {
				p := b.plan(approve, ref)
				switch {
				case want == "" && (len(p.Refusals) > 0 || p.Work == nil):
					t.Errorf("%s: refused: %v", what, p.Refusals)
				case want != "" && (len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], want) || p.Work != nil):
					t.Errorf("%s: %q, want %q", what, p.Refusals, want)
				}
			}
		})
	}
}

func TestARequestThatIsNotSignedByItsOwnKeyIsRefused(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good(func(o *asked) {
			o.Spec.Request = spoiled(o.Spec.Request)
		}))
		if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "not signed by the key that it is for") {
			t.Errorf("%q", p.Refusals)
		}
	})
}

func TestARequestThatWasReplacedOrIsGoneHasNoPlan(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		ref := b.good()
		other := ref
		other.UID = "uid-of-the-one-before"
		if _, err := b.tryPlan(true, nil, other); !errors.Is(err, send.ErrReplaced) {
			t.Errorf("replaced: %v", err)
		}
		b.Delete(b.CSR(ref.Name))
		if _, err := b.tryPlan(true, nil, ref); !apierrors.IsNotFound(err) {
			t.Errorf("gone: %v", err)
		}
	})
}

func TestSeveralAreApprovedOnlyIfAllAgree(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.node("gpu-04", "Hostname gpu-04")
		one, two := b.good(), b.request("csr-b", "gpu-04", []string{"gpu-04"})
		p := b.plan(true, one, two)
		if p.Tier != action.Read || p.Word != "2 requests" || p.Work == nil || p.Gate != "approve 2 requests" {
			t.Errorf("tier %d, %q, %q, %v", p.Tier, p.Word, p.Gate, p.Refusals)
		}
		b.has(sheet(p), "csr-9k2xl | ✓ same | gpu-03 | DNS gpu-03, IP 10.8.3.103\n", "csr-b | ✓ same | gpu-04 | DNS gpu-04\n")
		bad := b.request("csr-c", "gpu-04", []string{"gpu-04", "10.1.1.1"})
		other := b.request("csr-d", "gpu-04", []string{"gpu-04"}, signer("example.com/x", certificatesv1.UsageServerAuth))
		p = b.plan(true, one, bad, two, other)
		want := []string{"csr-c does not agree with its Node: look at it alone (IP 10.1.1.1)",
			"csr-d is for signer example.com/x, and has no Node to compare it with: approve it alone"}
		if !slices.Equal(p.Refusals, want) || p.Work != nil {
			t.Errorf("%q", p.Refusals)
		}
		b.has(sheet(p), "4 requests, 2 of which cannot be approved with others.", "csr-c | ✗ differs | gpu-04 | DNS gpu-04, IP 10.1.1.1\n", "csr-9k2xl | ✓ same | gpu-03 | DNS gpu-03, IP 10.8.3.103\n")
	})
}

func TestDenialSaysThatItIsForGood(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		ref := b.request("csr-9k2xl", "gpu-03", []string{"gpu-03", "10.8.3.203"})
		p := b.plan(false, ref)
		if p.Tier != action.Read || p.Gate != "deny csr-9k2xl" || p.Work == nil || p.Kubectl[0] != "kubectl --context prod certificate deny csr-9k2xl" {
			t.Errorf("tier %d, %q, %v, %q", p.Tier, p.Gate, p.Refusals, p.Kubectl)
		}
		b.has(sheet(p), "undo: none: a request that was denied cannot be approved any more", "its kubelet asks again within minutes",
			"IP | 10.8.3.203 | InternalIP 10.8.3.103 | ✗ differs", "-- what speaks against it")
		if len(p.Toggles) != 1 || p.Toggles[0].Value != "" || len(p.Toggles[0].Values) != len(p.Toggles[0].Choices) {
			t.Errorf("toggles: %+v", p.Toggles)
		}
		several := b.plan(false, ref, b.request("csr-b", "gpu-03", nil, signer("example.com/x")))
		b.has(sheet(several), "2 requests will be denied", "csr-b | system:node:gpu-03 | CN system:node:gpu-03")
		b.has(sheet(b.plan(false, b.request("csr-e", "x", nil, signer("example.com/x"), func(o *asked) { o.Spec.Request = nil }))), "request | cannot be read: it has no PEM block")
	})
}

func TestWhoMayNotDecideForTheSignerIsTold(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.Deny("approve signers")
		for _, approve := range []bool{true, false} {
			p := b.plan(approve, b.good())
			if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "you may not approve signers kubernetes.io/kubelet-serving") {
				t.Errorf("%q", p.Refusals)
			}
		}
	})
}

func TestAPlanGoesOnWithoutWhatMayNotBeRead(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		ref := b.good()
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"},
			"/v1/nodes", "/v1/certificatesigningrequests", "/nodes/gpu-03"))
		p := b.plan(true, ref)
		if p.Tier != action.Write {
			t.Errorf("a Node that cannot be read makes tier %d", p.Tier)
		}
		b.has(sheet(p), "The Node cannot be read, so that nothing can be compared", "IP | 10.8.3.103 | not known | ? unknown",
			"key | ECDSA P-256 | other requests cannot be read | ? unknown", "-- not known", "nodes cannot be listed", "requests cannot be listed")
	})
}

func TestKindsNameThemselves(t *testing.T) {
	for id, k := range map[action.ID]action.Kind{action.Approve: csr.New(true), action.Deny: csr.New(false)} {
		if k.ID() != id || k.Needs()[0].String() != "update certificatesigningrequests/approval" {
			t.Errorf("%s needs %v", k.ID(), k.Needs())
		}
	}
	if got := action.Approve.Does(1) + ", " + action.Deny.Does(2); got != "approve it, deny them" {
		t.Errorf("what they do: %s", got)
	}
}
