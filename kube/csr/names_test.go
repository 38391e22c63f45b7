package csr_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// A kubelet writes the status of its own Node: whoever has one can give it any address before it asks.
func TestAnAddressThatTheNodeSharesIsNotItsOwn(t *testing.T) {
	for asks, c := range map[string]struct {
		own  string // what the Node of whoever asks has
		says []string
	}{
		"10.8.3.203": {"InternalIP 10.8.3.203", []string{"IP | 10.8.3.203 | InternalIP 10.8.3.203 | ✗ differs",
			"gpu-03 calls 10.8.3.203 its own. Another node has it: worker-88.", "can answer the API server as worker-88"}},
		"worker-88":                          {"Hostname worker-88", []string{"gpu-03 calls worker-88 its own. Another node has it: worker-88."}},
		"worker-88.lan.":                     {"InternalDNS worker-88.lan.", []string{"Another node has it: worker-88."}},
		"*.lan":                              {"InternalDNS *.lan", []string{"Another node has it: worker-88."}},
		"kubernetes.default.svc":             {"Hostname kubernetes.default.svc", []string{"gpu-03 calls kubernetes.default.svc its own. It is one of the API server."}},
		"*.default.svc":                      {"ExternalDNS *.default.svc", []string{"It is one of the API server."}},
		"KUBERNETES.default.svc.company.lan": {"Hostname kubernetes.default.svc.company.lan", []string{"It is one of the API server."}},
	} {
		onBench(t, func(b *bench) {
			b.node("gpu-03", c.own)
			b.node("worker-88", "InternalIP 10.8.3.203", "InternalDNS worker-88.lan")
			ref := b.request("csr-9k2xl", "gpu-03", []string{asks})
			p := b.plan(true, ref)
			if p.Tier != action.Write || !strings.HasSuffix(p.Foot, "not of gpu-03 alone") {
				t.Errorf("%s: tier %d, foot %q", asks, p.Tier, p.Foot)
			}
			b.has(sheet(p), c.says...)
			if both := b.plan(true, ref, b.good()); len(both.Refusals) == 0 {
				t.Errorf("%s: approved with others", asks)
			}
		})
	}
}

func TestSheetSaysThatAKubeletWritesTheAddressesOfItsNode(t *testing.T) {
	const says = "proof: none that the machine has these addresses: a kubelet writes those of its Node itself"
	onBench(t, func(b *bench) {
		b.gpu03()
		ref := b.good()
		b.has(sheet(b.plan(true, ref)), says)
		b.has(sheet(b.plan(true, ref, b.request("csr-b", "gpu-03", []string{"gpu-03"}))), says)
		client := b.request("csr-c", "gpu-03", nil, signer(certificatesv1.KubeAPIServerClientKubeletSignerName, "digital signature", "client auth"))
		if s := sheet(b.plan(true, client)); strings.Contains(s, says) {
			t.Errorf("a client certificate has no addresses:\n%s", s)
		}
	})
}

func TestANodeThatIsYoungerThanTheRequestMayBeAnotherMachine(t *testing.T) {
	onBench(t, func(b *bench) {
		n := b.gpu03()
		n.CreationTimestamp = metav1.NewTime(time.Now().Add(-151 * time.Second)) // the request is a second older
		b.Put(n)
		p := b.plan(true, b.good())
		if p.Tier != action.Write {
			t.Errorf("tier %d", p.Tier)
		}
		b.has(sheet(p), "requestor | system:node:gpu-03 | made after the request | ✗ differs", "it may be another machine than the one that asks")
	})
}

func TestTheWorstNamesStandFirst(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.node("worker-88", "InternalIP 10.8.3.203")
		var names []string
		for i := range 30 {
			names = append(names, fmt.Sprintf("n%d.example.com", i))
		}
		p := b.plan(true, b.request("csr-a", "gpu-03", append(names, "gpu-03", "kubernetes.default.svc", "10.8.3.203")))
		b.has(sheet(p), "DNS | kubernetes.default.svc | Hostname gpu-03 | ✗ differs\nDNS | n0.example.com",
			"-- why this is tier 3\nkubernetes.default.svc is not a name of gpu-03. It is one of the API server.\n",
			"10.8.3.203 is not an address of gpu-03. Another node has it: worker-88.\n", "And 28 more such names.", "DNS | and 20 more | Hostname gpu-03 | ✗ differs")
	})
}

// of makes a request of a template.
func of(r *x509.CertificateRequest) func(*asked) {
	return func(o *asked) {
		der, err := x509.CreateCertificateRequest(rand.Reader, r, kubetest.Key())
		if err != nil {
			panic(err)
		}
		o.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	}
}

func TestWhatNoColumnShowsOfARequestIsNamed(t *testing.T) {
	subject := pkix.Name{CommonName: "system:node:gpu-03", Organization: []string{"system:nodes"}}
	with := func(values ...pkix.AttributeTypeAndValue) pkix.Name {
		n := subject
		n.ExtraNames = values
		return n
	}
	raw := func(v any) []byte {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	commonName, unit := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 11}
	san := raw([]asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte("gpu-03")}, {Class: 2, Tag: 8, Bytes: []byte{42, 3, 4}}})
	spiffe := &url.URL{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/shop/sa/pay"}
	for want, r := range map[string]*x509.CertificateRequest{
		"besides | OU=ops | none | ✗ differs": {Subject: with(pkix.AttributeTypeAndValue{Type: unit, Value: "ops"}), DNSNames: []string{"gpu-03"}},
		"besides | CN=root | none | ✗ differs": {Subject: with(pkix.AttributeTypeAndValue{Type: commonName, Value: "root"},
			pkix.AttributeTypeAndValue{Type: commonName, Value: "system:node:gpu-03"}), DNSNames: []string{"gpu-03"}},
		"besides | extension basic constraints | none | ✗ differs": {Subject: subject, DNSNames: []string{"gpu-03"},
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: raw([]bool{true})}}},
		"besides | extension 1.2.3.4 | none | ✗ differs": {Subject: subject, DNSNames: []string{"gpu-03"},
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: raw("x")}}},
		"besides | a name of kind 8 | none | ✗ differs": {Subject: subject,
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}}},
		"names | URI spiffe://cluster.local/ns/shop/sa/pay | none | ✗ differs": {Subject: subject, DNSNames: []string{"gpu-03"}, URIs: []*url.URL{spiffe}},
		"names | mail root@example.com | none | ✗ differs":                     {Subject: subject, DNSNames: []string{"gpu-03"}, EmailAddresses: []string{"root@example.com"}},
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			p := b.plan(true, b.good(of(r)))
			if p.Tier != action.Write {
				t.Errorf("%s: tier %d", want, p.Tier)
			}
			b.has(strings.ReplaceAll(sheet(p), "/ ns", "/ns"), want)
			if name, hidden := strings.CutPrefix(want, "besides | "); hidden {
				other := b.plan(true, b.good(of(r), signer("example.com/mesh")))
				b.has(sheet(other), "besides | "+strings.TrimSuffix(name, " | none | ✗ differs")+"\n")
			}
		})
	}
}

func TestTableFitsBesideItsVerdict(t *testing.T) {
	const long = "ip-10-0-123-245.eu-central-1.compute.internal"
	onBench(t, func(b *bench) {
		b.node(long, "Hostname "+long, "InternalDNS "+long, "InternalIP 10.8.3.103")
		b.request("csr-old", long, []string{long})
		single := b.plan(true, b.request("csr-9k2xl", long, []string{long, "10.8.3.103", strings.Repeat("x", 200) + ".example.com"}))
		good := b.request("csr-ab", long, []string{long})
		for _, p := range []*action.Plan{single, b.plan(true, good, b.request("csr-cd", long, []string{long})), b.plan(false, good, b.request("csr-cd", long, nil))} {
			for _, s := range p.Sections {
				widths := make([]int, len(s.Columns))
				for _, r := range s.Rows {
					for k := range widths {
						widths[k] = max(widths[k], text.Width(s.Columns[k].Title), text.Width(r.Cells[k]))
					}
				}
				last := len(widths) - 1
				if last < 0 {
					continue
				}
				if s.Columns[last].Title != "OK" { // it breaks into lines where 18 cells are too few
					widths[last] = min(widths[last], 18)
				}
				sum := 2 + 2*last
				for _, w := range widths {
					sum += w
				}
				if sum > 76 {
					t.Errorf("%s: %d cells: %v", s.Title, sum, widths)
				}
			}
		}
		if s := sheet(single); !strings.Contains(strings.ReplaceAll(s, " ", ""), "DNS|"+strings.Repeat("x", 200)+".example.com|") {
			t.Errorf("something is lost:\n%s", s)
		}
	})
}

func TestARequestThatItsKubeletDoesNotWaitForAnyMore(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		old := func(o *asked) { o.CreationTimestamp = metav1.NewTime(time.Now().Add(-16 * time.Minute)) }
		b.has(sheet(b.plan(true, b.good(old))), "its kubelet does not wait for it any more: after 15 minutes it asks anew")
		join := by("system:bootstrap:9f2c1a", "system:bootstrappers")
		if s := sheet(b.plan(true, b.good(old, join))); strings.Contains(s, "does not wait") {
			t.Errorf("a kubelet that joins asks again under the same name:\n%s", s)
		}
	})
}

func TestOfSeveralNewerRequestsTheLastIsNamed(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		made := func(ago time.Duration) func(*asked) {
			return func(o *asked) { o.CreationTimestamp = metav1.NewTime(time.Now().Add(-ago)) }
		}
		b.request("csr-a-last", "gpu-03", []string{"gpu-03"}, made(time.Second))
		between := b.request("csr-b-between", "gpu-03", []string{"gpu-03"}, made(time.Minute))
		b.request("csr-c-denied", "gpu-03", []string{"gpu-03"}, made(0), decided(certificatesv1.CertificateDenied, "X"))
		first := b.good()
		b.has(sheet(b.plan(true, first)), "but: a newer request of the same kubelet waits, csr-a-last:")
		b.has(sheet(b.plan(true, first, between)), "but: of 2 requests a newer one waits")
	})
}
