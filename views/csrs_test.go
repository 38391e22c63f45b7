package views

import (
	"fmt"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

func TestNamesOfRequestsComeBeforeTheirSignerInAQuarterPane(t *testing.T) {
	d := newDesk(nil, csr("csr-worker-1-wrong-ip", certificatesv1.KubeletServingSignerName, "system:node:w-1", time.Minute))
	d.Handle(Go{RequestsPlace()})
	narrow, full := plainText(drawn(d, Size{59, 18}, frame())), plainText(drawn(d, Size{120, 18}, frame()))
	for _, want := range []string{"csr-worker-1-wrong-ip", "system:node:w-1", "Pending"} {
		if !strings.Contains(narrow, want) {
			t.Errorf("%q is not in\n%s", want, narrow)
		}
	}
	if strings.Contains(narrow, "SIGNER") || !strings.Contains(full, "kubelet-serving") {
		t.Errorf("the signer goes first, and only where it must:\n%s\n%s", narrow, full)
	}
}

func TestApprovalOfTheOnlyRequestThatWaits(t *testing.T) {
	const serving = certificatesv1.KubeletServingSignerName
	done := csr("csr-b", serving, "system:node:worker-2", time.Hour, certificatesv1.CertificateApproved)
	first, second := csr("csr-a", serving, "system:node:worker-1", time.Minute), csr("csr-c", serving, "system:node:worker-3", 2*time.Minute)

	none := newDesk(nil, done)
	equal(t, none.Why(keymap.ApproveOne), "no request waits for approval")
	equal(t, press(none, keymap.ApproveOne)[0], Effect(Flash{"no request waits for approval", themes.Warn}))

	one := newDesk(nil, done, first)
	equal(t, fmt.Sprint(press(one, keymap.ApproveOne)), fmt.Sprint([]Effect{Act{ID: keymap.ApproveOne, Refs: []kube.Ref{first.Ref()}}}))
	equal(t, one.Scope(), keymap.Certs)

	two := newDesk(nil, done, first, second)
	equal(t, len(press(two, keymap.ApproveOne)), 0)
	equal(t, two.Scope(), keymap.CSRs)
	equal(t, under(two), "csr-a")
	equal(t, two.csrs.shown(), "csr-a csr-c csr-b")
	press(two, keymap.Down, keymap.Mark, keymap.Up, keymap.Mark)
	equal(t, fmt.Sprint(press(two, keymap.DenyCSR)), fmt.Sprint([]Effect{Act{ID: keymap.DenyCSR, Refs: []kube.Ref{first.Ref(), second.Ref()}}}))
	equal(t, press(two, keymap.CSRNode)[0], Effect(Open{Place{Pane: "nodes", Name: "worker-1"}}))
	press(two, keymap.Back) // the marks
	equal(t, two.Scope(), keymap.CSRs)
	press(two, keymap.Back)
	equal(t, two.Scope(), keymap.Certs)

	two.waiting.state = kube.State{Phase: kube.Denied}
	two.waiting.rows = nil
	two.publish()
	equal(t, two.Why(keymap.ApproveOne), "you may not list certificate signing requests")
}

func TestRequestsThatAreDecidedCannotBeDecidedAgain(t *testing.T) {
	const signer = "example.com/web"
	for condition, want := range map[certificatesv1.RequestConditionType]string{
		"":                                 "",
		certificatesv1.CertificateApproved: "it is approved already, and that is for good",
		certificatesv1.CertificateDenied:   "it is denied already, and that is for good; whoever asks has to ask again",
		certificatesv1.CertificateFailed:   "its signer has given up on it; whoever asks has to ask again",
	} {
		c := csr("csr-a", signer, "alice", time.Minute)
		if condition != "" {
			c = csr("csr-a", signer, "alice", time.Minute, condition)
		}
		d := newDesk(nil, c)
		press(d, keymap.ShowCSRs)
		for _, id := range []keymap.ID{keymap.ApproveCSR, keymap.DenyCSR} {
			if why := d.Why(id); why != want {
				t.Errorf("%s of one that is %q: %q, want %q", id, condition, why, want)
			}
		}
		equal(t, d.Why(keymap.CSRNode), "it is not for a node")
	}
}

func TestRequestsThatWaitStandBelowTheCertificatesWhereThereIsRoom(t *testing.T) {
	const serving = certificatesv1.KubeletServingSignerName
	var requests []*kube.CSR
	for i := range 5 {
		requests = append(requests, csr(fmt.Sprintf("csr-%d", i), serving, "system:node:worker-1", time.Duration(i+1)*time.Minute))
	}
	d := newDesk([]*kube.Cert{cert("web", "s", day, nil)}, requests...)
	tall := plainText(drawn(d, Size{80, 18}, frame()))
	for _, want := range []string{"─ CSRs ──", "5 wait for approval · C shows all", "csr-0", "csr-2"} {
		if !strings.Contains(tall, want) {
			t.Errorf("%q is not in\n%s", want, tall)
		}
	}
	if strings.Contains(tall, "csr-3") {
		t.Errorf("more than three are shown:\n%s", tall)
	}
	if low := plainText(drawn(d, Size{80, 17}, frame())); strings.Contains(low, "CSRs") || !strings.HasPrefix(low, "━ 1 critical · 5 requests wait · ") {
		t.Errorf("there is no room for them but in the head of\n%s", low)
	}
	count, severity := d.Tab()
	equal(t, count, "1") // what is critical comes first
	equal(t, severity, kube.Bad)
	if strings.Contains(tall, "5 requests") {
		t.Errorf("the head says what stands below:\n%s", tall)
	}
	d = newDesk([]*kube.Cert{cert("web", "s", 9*day, nil)}, requests...)
	count, severity = d.Tab()
	equal(t, count, "6") // the certificate and the requests
	equal(t, severity, kube.Warning)
}

func TestPlaceOfRequestsIsFoundAgain(t *testing.T) {
	d := newDesk([]*kube.Cert{cert("web", "s", day, nil)}, csr("csr-a", "s", "alice", time.Minute), csr("csr-b", "s", "alice", 2*time.Minute))
	d.Handle(Go{RequestsPlace()})
	press(d, keymap.Down)
	p := d.Place()
	d.Handle(Go{Place{Pane: "certs"}})
	equal(t, under(d), "web on s")
	d.Handle(Go{p})
	equal(t, under(d), "csr-b")
}

func TestDetailsOfARequestSayHowLongItIsAskedFor(t *testing.T) {
	c := csr("csr-1", "kubernetes.io/kube-apiserver-client", "alice", time.Minute)
	for asked, want := range map[time.Duration]string{0: "as long as the signer gives", 24 * time.Hour: "24h", 10 * time.Minute: "10m"} {
		c.Asked = asked
		said := ""
		for _, f := range csrFacts(c, kube.Moment{Now: noon}) {
			if f.Name == "asked for" {
				said = f.Value
			}
		}
		if said != want {
			t.Errorf("asked for %v, and the details say %q, want %q", asked, said, want)
		}
	}
}
