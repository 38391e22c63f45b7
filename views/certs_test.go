package views

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// cert makes a certificate of which so much is left at noon; change makes it interesting.
func cert(name, where string, left time.Duration, change func(*kube.Cert)) *kube.Cert {
	c := &kube.Cert{
		UID: "sha256:" + name + where, Name: name, From: noon.Add(min(0, left-365*day)), To: noon.Add(left),
		Places: []kube.CertPlace{{Source: kube.FromHandshake, Name: name, Where: where, Checked: noon.Add(-2 * time.Minute), Checks: 1}},
	}
	c.X509 = &kube.X509{Fingerprint: name + where, Subject: "CN=" + name, Issuer: "CN=kubernetes", From: c.From, To: c.To, Key: "RSA 2048"}
	if change != nil {
		change(c)
	}
	return c
}

func class(k kube.RenewalClass, d kube.Danger) func(*kube.Cert) {
	return func(c *kube.Cert) { c.Places[0].Class, c.Places[0].Danger = k, d }
}

func hidden(name, where, why string) *kube.Cert {
	return &kube.Cert{UID: "place:" + name, Name: name, Kind: kube.NoCert, Unseen: why, Places: []kube.CertPlace{{Name: name, Where: where}}}
}

// csr makes a request of a node's kubelet.
func csr(name, signer, requestor string, age time.Duration, conditions ...certificatesv1.RequestConditionType) *kube.CSR {
	o := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), CreationTimestamp: ago(age)},
		Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: signer, Username: requestor},
	}
	for _, c := range conditions {
		o.Status.Conditions = append(o.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: c, Status: corev1.ConditionTrue, Reason: "AutoApproved", LastTransitionTime: ago(age),
		})
	}
	return kube.NewCSR(o)
}

// desk is the Certs pane with the feeds that it reads.
type desk struct {
	View
	rows, all     *feed[*kube.Cert]
	csrs, waiting *feed[*kube.CSR]
}

func newDesk(rows []*kube.Cert, requests ...*kube.CSR) *desk {
	m := kube.Moment{Now: noon, Complete: true}
	d := &desk{rows: newFeed(m, rows...), all: newFeed(m, rows...), csrs: newFeed(m, requests...), waiting: newFeed(m, requests...)}
	d.View = NewCerts(Certs{Rows: d.rows, All: d.all, CSRs: d.csrs, Waiting: d.waiting})
	d.publish()
	return d
}

func (d *desk) publish() []Effect {
	d.all.publish(d.View)
	d.waiting.publish(d.View)
	d.csrs.publish(d.View)
	return d.rows.publish(d.View)
}

func TestCertificatesStandByTheTimeThatIsLeft(t *testing.T) {
	d := newDesk([]*kube.Cert{
		hidden("etcd-ca", "on cp nodes", "not visible from here"),
		cert("ca", "kubeconfig", 3650*day, func(c *kube.Cert) { c.Kind = kube.Authority }),
		cert("token", "secret kube-system/t", 0, func(c *kube.Cert) { c.To, c.Kind = time.Time{}, kube.Token }),
		cert("web", "secret shop/web", 9*day, nil),
		cert("apiserver", "cp-2:6443", 6*day, class(kube.ByHand, kube.BreaksCluster)),
		cert("old", "secret shop/old", -3*day, nil),
		cert("former", "configmap", -50*day, func(c *kube.Cert) { c.Places[0].Outlived = true }),
	})
	equal(t, d.rows.shown(), "old apiserver web former ca token etcd-ca")
	for _, c := range []struct {
		sort keymap.ID
		want string
	}{
		{"certs.sort.danger", "apiserver old web etcd-ca former ca token"},
		{"certs.sort.name", "apiserver ca etcd-ca former old token web"},
		{"certs.sort.kind", "apiserver former old web ca token etcd-ca"},
		{"certs.sort.where", "former apiserver ca etcd-ca token old web"},
		{"certs.sort.checked", "apiserver ca former old token web etcd-ca"},
		{"certs.sort.left", "former old apiserver web ca token etcd-ca"},
		{"certs.sort.urgency", "old apiserver web former ca token etcd-ca"},
	} {
		press(d, c.sort)
		d.publish()
		if got := d.rows.shown(); got != c.want {
			t.Errorf("%s: %s, want %s", c.sort, got, c.want)
		}
	}
}

func TestEndOfACertificateOnTheAxisOfNinetyDays(t *testing.T) {
	for _, c := range []struct {
		left  time.Duration
		cells int
		mark  themes.Glyph
	}{
		{-time.Hour, 0, themes.GlyphBad},
		{time.Hour, 0, themes.GlyphBad},
		{6*day + 4*time.Hour, 2, themes.GlyphBad},
		{9 * day, 3, themes.GlyphWarn},
		{19 * day, 6, themes.GlyphWarn},
		{47 * day, 15, themes.GlyphNotice},
		{88 * day, 29, themes.GlyphNotice},
		{90*day - time.Second, 29, themes.GlyphNotice},
		{90 * day, 30, themes.GlyphMore},
		{9000 * day, 30, themes.GlyphMore},
	} {
		got := daysCell(cert("a", "b", c.left, nil), kube.Moment{Now: noon}).Axis
		if !got.On || got.Cells != c.cells || got.Mark != c.mark {
			t.Errorf("%v left: %+v, want %d cells and mark %d", c.left, got, c.cells, c.mark)
		}
	}
	equal(t, daysCell(hidden("a", "b", "timed out after 2s"), kube.Moment{Now: noon}).Text, "timed out after 2s")
	early := cert("a", "b", 400*day, func(c *kube.Cert) { c.From = noon.Add(35 * day) })
	equal(t, daysCell(early, kube.Moment{Now: noon}).Text, "valid from 2026-12-25 12:00 UTC")
	endless := cert("a", "b", 0, func(c *kube.Cert) { c.To = time.Time{} })
	equal(t, daysCell(endless, kube.Moment{Now: noon}).Text, "no expiry")
}

func TestHeadOfCertificatesNamesWhatSomebodyHasToRenewNext(t *testing.T) {
	self := func(k kube.RenewalClass) func(*kube.Cert) { return class(k, kube.BreaksNode) }
	onHost := func(c *kube.Cert) { c.Places[0].Host = "cp-2" }
	for name, c := range map[string]struct {
		rows []*kube.Cert
		want string
	}{
		"nothing that ends":         {[]*kube.Cert{hidden("a", "b", "c")}, "no end is known · 1 not seen"},
		"what renews itself alone":  {[]*kube.Cert{cert("kubelet", "n", 200*day, self(kube.KubeletRotated))}, "nothing to renew by hand"},
		"the soonest, and its host": {[]*kube.Cert{cert("web", "s", 9*day, nil), cert("apiserver", "cp-2:6443", 6*day+4*time.Hour, onHost)}, "next: apiserver on cp-2 in 6d4h"},
		"not what renews itself": {[]*kube.Cert{
			cert("kubelet", "n", 200*day, self(kube.KubeletRotated)), cert("token", "t", time.Hour, self(kube.ShortLived)), cert("ca", "k", 3000*day, self(kube.OfAuthority)),
		}, "next: ca in 8y"},
		"what renews itself and is late": {[]*kube.Cert{cert("kubelet", "n", day, self(kube.KubeletRotated))}, "next: kubelet in 24h"},
		"what has expired":               {[]*kube.Cert{cert("old", "n", -day, nil), cert("web", "s", 40*day, nil)}, "1 expired · next: web in 40d"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(c.rows)
			head, _, _ := strings.Cut(plainText(drawn(d, Size{120, 20}, frame())), "\n")
			if !strings.HasPrefix(head, "━ "+c.want+" ━") {
				t.Errorf("the head is %q, want %q", head, c.want)
			}
		})
	}
}

func TestStripSaysWhatBreaksAndWhoRenewsIt(t *testing.T) {
	for name, c := range map[string]struct {
		cert        *kube.Cert
		title, says string
		lines       string
	}{
		"served": {
			cert("apiserver", "cp-2:6443", 6*day+4*time.Hour, func(c *kube.Cert) {
				c.Places[0].Breaks, c.Places[0].Renew, c.Places[0].Note = "clients fail", "kubeadm certs renew apiserver", "renewed on disk, not reloaded"
			}),
			"apiserver on cp-2:6443", "6d4h left · until 2026-11-26 16:00 UTC",
			"renewed on disk, not reloaded|breaks: clients fail|renew: kubeadm certs renew apiserver",
		},
		"stored, expired": {
			cert("web", "secret shop/web", -day, func(c *kube.Cert) { c.Places[0].Source = kube.FromSecret }),
			"web in secret shop/web", "EXPIRED 24h ago · at 2026-11-19 12:00 UTC", "nothing is known to renew it by itself",
		},
		"not seen": {
			func() *kube.Cert {
				c := hidden("front-proxy-client", "on cp nodes", "not visible from here")
				c.Places[0].Renew = "run kubeadm certs check-expiration there"
				return c
			}(),
			"front-proxy-client on cp nodes", "not seen", "not visible from here|to see it: run kubeadm certs check-expiration there",
		},
		"read once and not again": {
			cert("kubelet", "n:10250", 90*day, func(c *kube.Cert) {
				c.Places[0].Class, c.Places[0].Failed = kube.KubeletRotated, "timed out after 2s"
			}),
			"kubelet on n:10250", "90d left · until 2027-02-18 12:00 UTC",
			"the kubelet asks for the next one when 70 to 90 % of its life are over|not read again for 2m at n:10250: timed out after 2s",
		},
		"with an intermediate that goes first": {
			cert("web", "web:443", 90*day, func(c *kube.Cert) {
				c.Chain = []*kube.X509{{Subject: "CN=middle", From: c.From, To: noon.Add(10 * day), CA: true}}
			}),
			"web on web:443", "10d left · until 2026-11-30 12:00 UTC", "an intermediate goes first: CN=middle|nothing is known to renew it by itself",
		},
		"of cert-manager that fails": {
			cert("web", "secret shop/web", 90*day, func(c *kube.Cert) {
				c.Places[0].Class = kube.CertManaged
				c.Issuance = &kube.Issuance{Failed: 3, LastFailed: noon.Add(-time.Hour), Reason: "429 rateLimited"}
			}),
			"web on secret shop/web", "90d left · until 2027-02-18 12:00 UTC",
			"cert-manager: 3 attempts have failed, last at 2026-11-20 11:00 UTC: 429 rateLimited|cert-manager renews it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDesk([]*kube.Cert{c.cert}).Strip(noon)
			equal(t, s.Name, c.title)
			equal(t, s.State, c.says)
			equal(t, strings.Join(s.Lines, "|"), c.lines)
			equal(t, s.Unknown, c.cert.Unseen != "")
		})
	}
}

func TestKeysThatHaveNothingToDoOnACertificateSayWhy(t *testing.T) {
	onHost := func(c *kube.Cert) { c.Places[0].Host = "worker-1" }
	for _, c := range []struct {
		cert *kube.Cert
		id   keymap.ID
		why  string
	}{
		{cert("web", "s", day, nil), keymap.RenewCert, ""},
		{cert("ca", "s", day, class(kube.OfAuthority, 0)), keymap.RenewCert, "it is a CA: everything that trusts it has to be given the next one first"},
		{hidden("a", "b", "timed out"), keymap.RenewCert, "it cannot be seen from here, so that nobody could tell whether that worked: timed out"},
		{cert("t", "s", day, class(kube.BootstrapToken, 0)), keymap.RenewCert, "it is a token: whoever gave it gives another one"},
		{cert("web", "s", day, nil), keymap.CertNode, "it is not a node's"},
		{cert("kubelet", "worker-1:10250", day, onHost), keymap.CertNode, ""},
	} {
		if why := newDesk([]*kube.Cert{c.cert}).Why(c.id); why != c.why {
			t.Errorf("%s on %s: %q, want %q", c.id, c.cert.Name, why, c.why)
		}
	}
}

func TestKeysOfCertificates(t *testing.T) {
	c := cert("kubelet", "worker-1:10250", day, func(c *kube.Cert) { c.Places[0].Host = "worker-1" })
	d := newDesk([]*kube.Cert{c})
	equal(t, fmt.Sprint(press(d, keymap.RenewCert)), fmt.Sprint([]Effect{Act{ID: keymap.RenewCert, Refs: []kube.Ref{c.Ref()}}}))
	equal(t, press(d, keymap.CertNode)[0], Effect(Open{Place{Pane: "nodes", Name: "worker-1"}}))
	equal(t, press(d, keymap.OpenRow)[0], Effect(ShowDetails{}))
	equal(t, press(d, keymap.CopyName)[0], Effect(Copy{"kubelet"}))
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
	if low := plainText(drawn(d, Size{80, 17}, frame())); strings.Contains(low, "CSRs") {
		t.Errorf("there is no room for them in\n%s", low)
	}
	count, severity := d.Tab()
	equal(t, count, "6") // and the certificate
	equal(t, severity, kube.Bad)
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

func TestHeaderCountsWhatMoreThanOneApplicationHangsOn(t *testing.T) {
	d := newDesk([]*kube.Cert{
		cert("app", "a", 9*day, class(kube.ByHand, kube.BreaksApp)),
		cert("app-2", "b", day, class(kube.ByHand, kube.BreaksApp)),
		cert("kubeconfig", "c", 9*day, class(kube.ByHand, kube.LocksUsOut)),
		cert("apiserver", "d", 9*day, class(kube.ByHand, kube.BreaksCluster)),
		cert("fine", "e", 300*day, class(kube.ByHand, kube.BreaksCluster)),
	})
	counts := d.Counts()
	equal(t, counts[kube.Bad], 1)
	equal(t, counts[kube.Warning], 2)
	count, severity := d.Tab()
	equal(t, count, "4")
	equal(t, severity, kube.Bad)
}

// sectionNamed gives a section of a page as lines, "" if it has none of that title.
func sectionNamed(d Details, title string) string {
	for _, s := range d.Sections {
		if s.Title == title {
			var out []string
			for _, r := range s.Rows {
				out = append(out, strings.Join(r.Cells, " | "))
			}
			return strings.Join(out, "\n")
		}
	}
	return ""
}

func TestPageOfACertificate(t *testing.T) {
	host := func(name string) func(*kube.Cert) {
		return func(c *kube.Cert) { c.Places[0].Host, c.Places[0].Checks = name, 42 }
	}
	ca := cert("ca", "kubeconfig", 3000*day, func(c *kube.Cert) {
		c.Kind, c.X509.CA, c.X509.SelfSigned, c.X509.Subject = kube.Authority, true, true, "CN=kubernetes"
		c.Places = append(c.Places, kube.CertPlace{Source: kube.FromConfigMap, Where: "configmap shop/kube-root-ca.crt", Checked: noon, Failed: "forbidden"})
	})
	served := cert("apiserver", "cp-2:6443", 6*day, host("cp-2"))
	served.Places[0].Renew = "kubeadm certs renew apiserver, on cp-2"
	d := newDesk([]*kube.Cert{served, cert("apiserver", "cp-1:6443", 358*day, host("cp-1")), ca})

	page, ok := d.Details(served.UID, noon)
	equal(t, ok, true)
	equal(t, page.Title, "apiserver on cp-2:6443, serving")
	equal(t, page.Note, "handshake 2m ago")
	equal(t, page.Copy, "kubeadm certs renew apiserver")
	equal(t, page.Spent, 98)
	facts := map[string]string{}
	for _, f := range page.Facts {
		facts[f.Name] = f.Value
	}
	equal(t, facts["left"], "6d of 365d")
	equal(t, facts["valid"], "2025-11-26 12:00 to 2026-11-26 12:00 UTC")
	equal(t, strings.TrimSpace(facts["serial"]), "same serial as at the last 41 checks")
	equal(t, sectionNamed(page, "chain, as cp-2:6443 sends it"),
		"0 | leaf | 6d | 2026-11-26 12:00 | CN=apiserver\n- | root | 8y | 2035-02-06 12:00 | CN=kubernetes, not sent, known here")
	equal(t, sectionNamed(page, "the API servers"),
		"cp-2:6443 | 6d | 2026-11-26 12:00 | issued 359d ago, this one\ncp-1:6443 | 358d | 2027-11-13 12:00 | issued 7d ago")
	equal(t, sectionNamed(page, "what to do"), "kubeadm certs renew apiserver, on cp-2\nThis page changes when another serial is served.")
	equal(t, sectionNamed(page, "places"), "")

	page, _ = d.Details(ca.UID, noon)
	equal(t, sectionNamed(page, "places"), "kubeconfig | handshake | 2m | \nconfigmap shop/kube-root-ca.crt | configmap | 0s | then: forbidden")
	equal(t, sectionNamed(page, "chain, as kubeconfig sends it"), "0 | root | 8y | 2035-02-06 12:00 | CN=kubernetes")

	tokyo := noon.In(time.FixedZone("JST", 9*3600))
	page, _ = d.Details(served.UID, tokyo)
	equal(t, page.Facts[1].Value, "2025-11-26 12:00 to 2026-11-26 12:00 UTC (21:00 JST)")
}

func TestCursorGoesOnToTheCertificateThatWasRenewed(t *testing.T) {
	old, other := cert("apiserver", "cp-2:6443", 6*day, nil), cert("web", "s", 9*day, nil)
	d := newDesk([]*kube.Cert{old, other})
	press(d, keymap.Down, keymap.Up)
	fresh := cert("apiserver", "cp-2:6443", 365*day, func(c *kube.Cert) { c.UID, c.Places[0].Before = "sha256:fresh", old.X509.Fingerprint })
	d.rows.rows, d.all.rows = []*kube.Cert{other, fresh}, []*kube.Cert{other, fresh}
	effects := d.publish()
	equal(t, under(d), "apiserver on cp-2:6443")
	equal(t, d.Place().UID, "sha256:fresh")
	equal(t, fmt.Sprint(effects), fmt.Sprint([]Effect{Flash{"apiserver on cp-2:6443 is a new one: valid until 2027-11-20 12:00 UTC", themes.Done}}))
	page, ok := d.Details(old.UID, noon)
	if !ok || page.Facts[0].Value != "365d of 365d" {
		t.Errorf("the page of the old one shows %v, %t", page.Facts, ok)
	}
}

func TestHostileTextOfCertificatesIsNeverDrawn(t *testing.T) {
	for _, raw := range hostile {
		s := text.Clean(raw)
		spoil := func(c *kube.Cert) {
			x := &kube.X509{Subject: s, Issuer: s, CommonName: s, SignedBy: s, DNS: []string{s, s}, Other: []string{s}, Serial: s, Key: s, From: c.From, To: c.To}
			c.X509, c.Chain = x, []*kube.X509{x}
			c.Places = []kube.CertPlace{{Name: s, Where: s, Short: s, Host: s, Breaks: s, Renew: s, Authority: s, Failed: s, Note: s}, {Where: s, Note: s}}
			c.Issuance = &kube.Issuance{Failed: 1, Reason: s, Issuer: s, Object: kube.Ref{Namespace: s, Name: s}}
		}
		d := newDesk([]*kube.Cert{cert(s, s, 9*day, spoil), cert(s+"2", s, -day, spoil), hidden(s, s, s)},
			csr(raw, raw, raw, time.Minute), csr("csr-b", raw, raw, time.Minute, certificatesv1.CertificateApproved))
		for range 2 {
			checkPane(t, d, 3)
			for _, size := range []Size{{60, 30}, {80, 18}, {200, 40}} {
				f := frame()
				out := drawn(d, size, f)
				checkOurs(t, "the pane", out, f.Paint)
				checkRectangle(t, out, size)
			}
			for uid := range d.rows.snap.Len() {
				page, _ := d.Details(d.rows.snap.Row(uid).UID, noon)
				for _, section := range page.Sections {
					checkOurs(t, "the page", section.Title+section.Note+sectionText(section), nil)
				}
			}
			press(d, keymap.ShowCSRs)
		}
	}
}

func sectionText(s action.Section) string {
	var b strings.Builder
	for _, r := range s.Rows {
		b.WriteString(strings.Join(r.Cells, " "))
	}
	return b.String()
}

func TestCostOfAFrameDoesNotDependOnTheNumberOfCertificates(t *testing.T) {
	frames := func(n int) float64 {
		rows := make([]*kube.Cert, n)
		for i := range rows {
			rows[i] = cert(fmt.Sprintf("app-%05d", i), "secret shop/app", 100*day, nil)
		}
		d, f := newDesk(rows), frame()
		drawn(d, Size{200, 40}, f)
		return testing.AllocsPerRun(20, func() {
			press(d, keymap.Down)
			drawn(d, Size{200, 40}, f)
			d.Strip(noon)
		})
	}
	if small, large := frames(100), frames(10_000); large > small+2 {
		t.Errorf("%.0f allocations a frame with 100 certificates, %.0f with 10,000", small, large)
	}
}

func TestFramesOfCertificatesAreExactWhateverTheyShow(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1)) //nolint:gosec // reproducible, not secret
	word := func() string {
		return strings.Repeat([]string{"a", "長", "e\u0301", "🇯🇵", "-"}[random.IntN(5)], random.IntN(60))
	}
	for range 150 {
		var rows []*kube.Cert
		for i := range random.IntN(30) {
			c := cert(word(), word(), time.Duration(random.IntN(5000)-200)*time.Hour, func(c *kube.Cert) {
				c.UID, c.Places[0].Short, c.Places[0].Host, c.Places[0].Note = fmt.Sprint(i), word(), word(), word()
				c.Places[0].Class, c.Places[0].Danger = kube.RenewalClass(random.IntN(7)), kube.Danger(random.IntN(7))
				c.Kind = kube.CertKind(random.IntN(6))
			})
			switch random.IntN(6) {
			case 0:
				c.Unseen = "timed out " + word()
			case 1:
				c.To = time.Time{}
			case 2:
				c.From = noon.Add(time.Hour)
			case 3:
				c.Places = append(c.Places, c.Places...)
			}
			rows = append(rows, c)
		}
		var requests []*kube.CSR
		for i := range random.IntN(6) {
			requests = append(requests, csr(fmt.Sprintf("csr-%d", i), word(), word(), time.Duration(random.IntN(1000))*time.Minute))
		}
		d := newDesk(rows, requests...)
		for range 6 {
			size, f := Size{30 + random.IntN(200), 1 + random.IntN(50)}, frame()
			f.Alone, f.Focused, f.Chip = random.IntN(2) == 0, random.IntN(2) == 0, "4 Certs"
			checkRectangle(t, drawn(d, size, f), size)
			press(d, []keymap.ID{keymap.Down, keymap.Last, keymap.ShowCSRs, keymap.ShowCerts, keymap.ColumnsRight, "certs.sort.kind"}[random.IntN(6)])
			d.publish()
		}
		if t.Failed() {
			return
		}
	}
}

func TestPageNamesTheIntermediateThatEndsACertificate(t *testing.T) {
	c := cert("web", "secret shop/web", 200*day, func(c *kube.Cert) {
		c.Places[0].Source, c.Places[0].Renew = kube.FromSecret, "put a new certificate into shop/web"
		c.X509.Issuer = "CN=middle"
		c.Chain = []*kube.X509{{Subject: "CN=middle", Issuer: "CN=far", From: c.From, To: noon.Add(5 * day), CA: true}}
		c.Issuance = &kube.Issuance{Object: kube.Ref{Namespace: "shop", Name: "web"}, Issuer: "ClusterIssuer corp", Ready: true}
	})
	page, _ := newDesk([]*kube.Cert{c}).Details(c.UID, noon)
	equal(t, sectionNamed(page, "chain, as it is stored"), "0 | leaf | 200d | 2027-06-08 12:00 | CN=web\n"+
		"1 | intermediate | 5d | 2026-11-25 12:00 | CN=middle\n- | issuer | - | - | CN=far, not sent, and not known here")
	rows := page.Sections[0].Rows
	if rows[0].Severity != kube.OK || rows[1].Severity != kube.Bad {
		t.Errorf("severities %v and %v: the intermediate is what ends it", rows[0].Severity, rows[1].Severity)
	}
	facts := map[string]string{}
	for _, f := range page.Facts {
		facts[f.Name] = f.Value
	}
	equal(t, facts["chain"], "an intermediate goes first, at 2026-11-25 12:00 UTC: CN=middle")
	equal(t, facts["issuance"], "by cert-manager, ClusterIssuer corp, certificate shop/web")
	equal(t, facts["renewal"], "cert-manager renews it")
}
