package views

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/themes"
)

// breaksInThree is a CA that four webhooks trust, of one of which nothing breaks.
func breaksInThree() *kube.Cert {
	return cert("policy CA", "webhook policy", 9*day, func(c *kube.Cert) {
		c.Places[0].Source, c.Places[0].Name, c.Places[0].Breaks = kube.FromObject, "configs.policy CA", "writes of configmaps are refused"
		for name, breaks := range map[string]string{"pods.policy CA": "writes of pods are refused", "jobs.policy CA": "writes of jobs are not checked", "old.policy CA": "nothing"} {
			p := c.Places[0]
			p.Name, p.Breaks, p.Outlived = name, breaks, breaks == "nothing"
			c.Places = append(c.Places, p)
		}
		slices.SortFunc(c.Places[1:], func(a, b kube.CertPlace) int { return strings.Compare(b.Name, a.Name) })
	})
}

func TestPageSaysWhatBreaksInEachPlace(t *testing.T) {
	c := breaksInThree()
	page, _ := newDesk([]*kube.Cert{c}).Details(c.UID, noon)
	equal(t, sectionNamed(page, "places"), "webhook policy | object | 2m | configs.policy CA: writes of configmaps are refused\n"+
		"webhook policy | object | 2m | pods.policy CA: writes of pods are refused\n"+
		"webhook policy | object | 2m | old.policy CA: another one there lasts longer\n"+
		"webhook policy | object | 2m | jobs.policy CA: writes of jobs are not checked")
	for _, f := range page.Facts {
		if f.Name == "breaks" {
			equal(t, f.Value, "writes of configmaps are refused, and 2 more break")
		}
	}
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
		c.Places = append(c.Places, kube.CertPlace{Source: kube.FromConfigMap, Name: "ca", Where: "configmap shop/kube-root-ca.crt", Checked: noon, Failed: "forbidden"})
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

func sectionText(s action.Section) string {
	var b strings.Builder
	for _, r := range s.Rows {
		b.WriteString(strings.Join(r.Cells, " "))
	}
	return b.String()
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
