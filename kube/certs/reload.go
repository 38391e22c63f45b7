package certs

import (
	"slices"
	"strings"

	"ktriage/kube"
)

const notReloaded = "renewed on disk, not reloaded"

// renewedNotReloaded marks what is still served although its file has been renewed: kubeadm certs renew writes files and
// restarts nothing. kube-apiserver and etcd look at their files themselves, within a minute; others do not.
func renewedNotReloaded(rows map[string]*kube.Cert) {
	var files, served []*kube.Cert
	for _, c := range rows {
		if c.X509 == nil || c.Kind == kube.Authority {
			continue
		}
		if slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool { return p.Source == kube.FromFile }) {
			files = append(files, c)
		}
		if slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool { return p.Source == kube.FromHandshake }) {
			served = append(served, c)
		}
	}
	for _, s := range served {
		for n := range s.Places {
			p := &s.Places[n]
			if p.Source == kube.FromHandshake && slices.ContainsFunc(files, func(f *kube.Cert) bool { return follows(f, s, p) }) {
				p.Note, p.Renew = joined(p.Note, notReloaded), reloadText(p)
				p.Severity = max(p.Severity, kube.Warning)
			}
		}
	}
}

// follows reports whether a file has what is to be served in a place after what is served there now. What kubeadm signs begins
// when its CA does (NewSignedCert in cmd/kubeadm/app/util/pkiutil), so that only the end tells which is the newer one.
func follows(file, served *kube.Cert, place *kube.CertPlace) bool {
	if file.UID == served.UID || !file.To.After(served.To) && !file.From.After(served.From) {
		return false
	}
	return slices.ContainsFunc(file.Places, func(p kube.CertPlace) bool {
		switch {
		case p.Source != kube.FromFile:
			return false
		case p.Host != "" && place.Host != "":
			return sameHost(p.Host, place.Host) && (p.Name == place.Name || alike(file.X509, served.X509))
		}
		return alike(file.X509, served.X509)
	})
}

// sameHost reports whether two names are one machine's: one of them may be without its domain.
func sameHost(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// alike reports whether two certificates are for the same, by the same CA.
func alike(a, b *kube.X509) bool {
	return a.Subject == b.Subject && a.Issuer == b.Issuer && sameNames(a.DNS, b.DNS) && sameNames(a.IPs, b.IPs) &&
		sameNames(a.Other, b.Other)
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// reloadText says what to restart.
func reloadText(p *kube.CertPlace) string {
	at := "there"
	if p.Host != "" {
		at = "on " + p.Host
	}
	for n := range kubeadmLeaves {
		if k := &kubeadmLeaves[n]; k.name == p.Name && k.restart != "" {
			return "wait a minute; then, " + at + ", restart the static pod " + k.restart + ": move /etc/kubernetes/manifests/" +
				k.restart + ".yaml away, wait 20 s, and move it back"
		}
	}
	return "restart what serves it, " + at
}

// joined adds to what is said already.
func joined(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}
