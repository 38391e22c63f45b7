package certs

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"ktriage/kube"
)

// finding is a credential in one place, or that place without one.
type finding struct {
	slot string     // the place: what is found there at the next reading takes the place of this. Unique within a source
	cert *kube.Cert // with exactly one place; never changed. nil only while it is put: nothing new is known of the slot
	// joins is the slot of another source's finding into whose row this one goes, if that is there: what cert-manager says of
	// a Secret.
	joins string
	asked *endpoint // the server that has shown it, or has not, to ask again; nil for what no handshake shows
}

// certificate makes a finding of a certificate and what is sent, or stored, with it, leaf first.
func certificate(slot string, kind kube.CertKind, place kube.CertPlace, chain ...*kube.X509) finding {
	x := chain[0]
	place.Use, place.Authority = kind, cmp.Or(place.Authority, authority(x))
	return finding{slot: slot, cert: &kube.Cert{
		UID: "sha256:" + x.Fingerprint, Name: place.Name, Kind: kind, From: x.From, To: x.To,
		X509: x, Chain: chain[1:], Places: []kube.CertPlace{place},
	}}
}

// authority is kubeadm's name of the CA that has signed a certificate, whose own is "kubernetes", or the common name of the issuer.
func authority(x *kube.X509) string {
	if x.SignedBy == "kubernetes" {
		return clusterCA
	}
	return x.SignedBy
}

// bundle makes a finding of every anchor of a bundle of CAs. An anchor that another one outlives breaks nothing when
// it expires: whoever changed the CA has kept the old one beside the new.
func bundle(slot string, place kube.CertPlace, anchors ...*kube.X509) []finding {
	var out []finding
	for _, x := range anchors {
		p := place
		p.Outlived = slices.ContainsFunc(anchors, func(o *kube.X509) bool { return o.To.After(x.To) })
		out = append(out, certificate(slot+" "+x.Fingerprint, kube.Authority, p, x))
	}
	return out
}

// unseen makes a finding of a place that cannot be read, and why.
func unseen(slot string, place kube.CertPlace, why string) finding {
	place.Use = kube.NoCert
	return finding{slot: slot, cert: &kube.Cert{
		UID: "place:" + slot, Name: place.Name, Kind: kube.NoCert, Places: []kube.CertPlace{place}, Unseen: why,
	}}
}

// after is the finding as it follows what was in the place before: what was read once stays when it cannot be read now, and a
// place that shows another certificate than before says so. What is a warning by itself is no failure to read: a file that is
// missing, a bundle without a certificate.
func (f finding) after(old finding, now time.Time) finding {
	c := *f.cert
	c.Places = slices.Clone(c.Places)
	p := &c.Places[0]
	f.cert = &c
	if old.cert == nil {
		p.Checked, p.Since, p.Checks = now, now, 1
		return f
	}
	was := old.cert.Places[0]
	if c.Unseen != "" && p.Severity < kube.Warning && old.cert.Unseen == "" {
		kept := *old.cert
		was.Failed = c.Unseen
		kept.Places = []kube.CertPlace{was}
		old.cert = &kept
		return old
	}
	p.Checked, p.Since, p.Checks, p.Before = now, was.Since, was.Checks+1, was.Before
	if c.UID != old.cert.UID {
		p.Since, p.Checks = now, 1
		if old.cert.X509 != nil {
			p.Before = old.cert.X509.Fingerprint
		}
	}
	return f
}

// merge makes rows of findings: one for each certificate, with every place where it was seen. The same certificate is told by
// its fingerprint.
func merge(all []finding) map[string]*kube.Cert {
	bySlot := map[string]string{} // UIDs
	for _, f := range all {
		bySlot[f.slot] = f.cert.UID
	}
	rows := make(map[string]*kube.Cert, len(all))
	for _, f := range all {
		uid := f.cert.UID
		if to, ok := bySlot[f.joins]; ok && f.joins != "" {
			uid = to
		}
		row := rows[uid]
		if row == nil {
			row = &kube.Cert{UID: uid}
			rows[uid] = row
		}
		join(row, f.cert)
	}
	for _, row := range rows {
		slices.SortStableFunc(row.Places, func(a, b kube.CertPlace) int {
			return cmp.Or(
				cmp.Compare(b.Danger, a.Danger), cmp.Compare(a.Source, b.Source),
				compareBool(a.Host == "", b.Host == ""), // a machine before the balancer that leads to it
				cmp.Compare(a.Where, b.Where),
			)
		})
		row.Name = row.Places[0].Name
		row.Kind = kindIn(row.Places)
	}
	renewedNotReloaded(rows)
	unnamedServers(rows)
	forgetSeen(rows)
	return rows
}

// kindIn is what a credential is in all of its places together. One that cannot be seen says nothing of it.
func kindIn(places []kube.CertPlace) kube.CertKind {
	kind := kube.NoCert
	for n := range places {
		switch use := places[n].Use; {
		case kind == kube.NoCert:
			kind = use
		case use == kube.NoCert:
		case kind != use && max(kind, use) < kube.Authority:
			kind = kube.BothCert
		default:
			kind = max(kind, use)
		}
	}
	return kind
}

// join adds what one finding says to a row.
func join(row, c *kube.Cert) {
	row.Places = append(row.Places, c.Places...)
	if row.X509 == nil {
		row.X509, row.From, row.To = c.X509, c.From, c.To
		row.Unseen, row.Warned = c.Unseen, c.Warned
	}
	if len(c.Chain) > len(row.Chain) {
		row.Chain = c.Chain
	}
	if row.Issuance == nil {
		row.Issuance = c.Issuance
	}
}

// same reports whether two rows say the same.
func same(a, b *kube.Cert) bool { return reflect.DeepEqual(a, b) }
