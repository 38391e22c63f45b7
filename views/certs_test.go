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

// undated is a Secret that was read, and has no certificate with a date.
func undated() *kube.Cert {
	c := hidden("web", "secret shop/web", "tls.crt is empty")
	c.UID, c.Places[0].Source = "place:undated", kube.FromSecret
	return c
}

// failing is the row of a source that cannot be read.
func failing(source string) *kube.Cert {
	c := hidden(source, "all namespaces", "the server answers 500")
	c.Places[0].Source, c.Places[0].Severity = kube.FromNowhere, kube.Warning
	return c
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
		"the soonest, and its host": {[]*kube.Cert{cert("web", "s", 9*day, nil), cert("apiserver", "cp-2:6443", 6*day+4*time.Hour, onHost)}, "1 critical, 1 warning · next: apiserver on cp-2 in 6d4h"},
		"not what renews itself": {[]*kube.Cert{
			cert("kubelet", "n", 200*day, self(kube.KubeletRotated)), cert("token", "t", time.Hour, self(kube.ShortLived)), cert("ca", "k", 3000*day, self(kube.OfAuthority)),
		}, "next: ca in 8y"},
		"what renews itself and is late": {[]*kube.Cert{cert("kubelet", "n", day, self(kube.KubeletRotated))}, "1 critical · next: kubelet in 24h"},
		"what has expired":               {[]*kube.Cert{cert("old", "n", -day, nil), cert("web", "s", 40*day, nil)}, "1 critical · next: web in 40d"},
		"nothing but what has expired":   {[]*kube.Cert{cert("old", "n", -day, nil)}, "1 critical"},
		"what was looked at without a date": {[]*kube.Cert{cert("web", "s", 40*day, nil), undated(), hidden("a", "b", "timed out")},
			"next: web in 40d · 1 not seen"},
		"a source that failed": {[]*kube.Cert{cert("web", "s", 40*day, nil), failing("webhooks")}, "1 warning · next: web in 40d · 1 not seen"},
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
		"looked at, and without a date": {undated(), "web in secret shop/web", "no date", "tls.crt is empty|nothing is known to renew it by itself"},
		"in several places": {
			breaksInThree(), "policy CA in webhook policy", "9d left · until 2026-11-29 12:00 UTC",
			"breaks: writes of configmaps are refused, and 2 more break|nothing is known to renew it by itself|" +
				"also breaks: writes of pods are refused; writes of jobs are not checked",
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
			d := newDesk([]*kube.Cert{c.cert})
			page, _ := d.Details(c.cert.UID, noon)
			equal(t, page.Note == "not read", c.says == "not seen")
		})
	}
}

func TestWhatCannotBeSeenStandsLastUnlessItIsAWarning(t *testing.T) {
	d := newDesk([]*kube.Cert{
		hidden("etcd-ca", "on cp nodes", "not visible from here"), failing("webhooks"), undated(),
		cert("fine", "s", 300*day, nil), cert("soon", "s", 9*day, nil),
	})
	equal(t, d.rows.shown(), "soon webhooks fine etcd-ca web")
	out := plainText(drawn(d, Size{120, 12}, frame()))
	var marks []string
	for _, line := range strings.Split(out, "\n")[2:] {
		if fields := strings.Fields(strings.TrimPrefix(line, "▌")); len(fields) > 2 {
			marks = append(marks, fields[0])
		}
	}
	equal(t, strings.Join(marks, ""), "▲▲·??")
	count, severity := d.Tab()
	equal(t, count, "2")
	equal(t, severity, kube.Warning)
}

func TestSecretsAndConfigMapsAreCalledByTheirNamesWhereThereIsLittleRoom(t *testing.T) {
	of := func(s kube.CertSource, ns, name string) func(*kube.Cert) {
		return func(c *kube.Cert) {
			c.Places[0].Source, c.Places[0].Object, c.Places[0].Short = s, kube.Ref{Namespace: ns, Name: name}, "secret "+ns
		}
	}
	d := newDesk([]*kube.Cert{
		cert("expired-tls", "secret shop/expired-tls", 9*day, of(kube.FromSecret, "shop", "expired-tls")),
		cert("ca", "configmap default/kube-root-ca.crt", 9*day, of(kube.FromConfigMap, "default", "kube-root-ca.crt")),
		cert("x CA", "webhook x", 9*day, func(c *kube.Cert) { c.Places[0].Source, c.Places[0].Short = kube.FromObject, "webhook" }),
	})
	narrow, full := plainText(drawn(d, Size{59, 12}, frame())), plainText(drawn(d, Size{160, 12}, frame()))
	for _, want := range []string{"shop/expired-tls", "default/kube-root-ca.crt", " webhook "} {
		if !strings.Contains(narrow, want) {
			t.Errorf("%q is not in\n%s", want, narrow)
		}
	}
	for _, want := range []string{"secret shop/expired-tls", "configmap default/kube-root-ca.crt", "webhook x"} {
		if !strings.Contains(full, want) {
			t.Errorf("%q is not in\n%s", want, full)
		}
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
		{undated(), keymap.RenewCert, "no date is known of it, so that nobody could tell whether that worked: tls.crt is empty"},
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

// Renewing is one certificate's: with several marked the sheet says so, and does not take the one under the cursor for all.
func TestRenewalIsAskedForEveryMarkedCertificate(t *testing.T) {
	d := newDesk([]*kube.Cert{cert("web", "a", day, nil), cert("api", "b", 2*day, nil)})
	press(d, keymap.InvertMarks)
	act, ok := press(d, keymap.RenewCert)[0].(Act)
	if !ok || len(act.Refs) != 2 {
		t.Errorf("it acts on %+v, want both that are marked", act.Refs)
	}
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
	equal(t, count, "1")
	equal(t, severity, kube.Bad)
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

func TestCostOfAFrameDoesNotDependOnTheNumberOfCertificates(t *testing.T) {
	frames := func(n int) float64 {
		rows := make([]*kube.Cert, n)
		for i := range rows {
			rows[i] = cert(fmt.Sprintf("app-%05d", i), "secret shop/app", 100*day, nil)
		}
		d, f := newDesk(rows), frame()
		drawn(d, Size{200, 40}, f)
		return testing.AllocsPerRun(300, func() { // many: under the race detector sync.Pool forgets now and then
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
