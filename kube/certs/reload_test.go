package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"ktriage/kube"
)

// serves is a handshake with a server of a host.
func serves(name, host string, x *kube.X509) finding {
	return certificate("dial "+name+host, kube.ServingCert, kube.CertPlace{
		Source: kube.FromHandshake, Name: name, Where: host + ":6443", Host: host, Danger: kube.BreaksCluster,
	}, x)
}

// servedPlace is where that certificate is served.
func servedPlace(t *testing.T, rows map[string]*kube.Cert, x *kube.X509) kube.CertPlace {
	t.Helper()
	for _, p := range rows["sha256:"+x.Fingerprint].Places {
		if p.Source == kube.FromHandshake {
			return p
		}
	}
	t.Fatalf("%s is not served", x.Subject)
	return kube.CertPlace{}
}

// AC-C6: the file is replaced, and the server is not restarted.
func TestServedCertificateWhoseFileWasRenewedSaysSo(t *testing.T) {
	h := controlPlane(t)
	ca := newMint(t, "kubernetes", mintTo.AddDate(9, 0, 0))
	issue := func(from time.Time, names ...string) *kube.X509 {
		c := ca.leaf("kube-apiserver", mintTo.AddDate(1, 0, 0), names...)
		x := summary(c)
		x.From = from
		return x
	}
	write := func(from time.Time, names ...string) {
		h.write("etc/kubernetes/pki/apiserver.crt", asPEM(ca.sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: "kube-apiserver"}, DNSNames: names, NotBefore: from, NotAfter: mintTo.AddDate(1, 0, 0),
		}, ca.key)))
	}
	names := []string{"cp-1", inCluster}
	renewal := mintFrom.AddDate(0, 6, 0)
	for name, c := range map[string]struct {
		disk   time.Time // when the file was issued
		served *kube.X509
		name   string
		host   string
		want   bool
	}{
		"the same names, host not known":  {renewal, issue(mintFrom, inCluster, "cp-1"), "apiserver", "", true},
		"other names, but this host":      {renewal, issue(mintFrom, "old-name", inCluster), "apiserver", "cp-1", true},
		"this host with its domain":       {renewal, issue(mintFrom, "old-name", inCluster), "apiserver", "cp-1.example", true},
		"the same names on another host":  {renewal, issue(mintFrom, names...), "apiserver", "cp-2", false},
		"other names, host not known":     {renewal, issue(mintFrom, "cp-9", inCluster), "apiserver", "", false},
		"the file is older":               {mintFrom.AddDate(0, -1, 0), issue(mintFrom, names...), "apiserver", "cp-1", false},
		"issued at the same time":         {mintFrom, issue(mintFrom, names...), "apiserver", "cp-1", false},
		"something else of the same host": {renewal, issue(mintFrom, "else", inCluster), "etcd-server", "cp-1.elsewhere", false},
	} {
		t.Run(name, func(t *testing.T) {
			write(c.disk, names...)
			h.remove("etc/kubernetes/pki/etcd/server.crt")
			defer h.write("etc/kubernetes/pki/etcd/server.crt", nil)
			rows := merge(append(h.find(), serves(c.name, c.host, c.served)))
			p := servedPlace(t, rows, c.served)
			if got := strings.Contains(p.Note, notReloaded); got != c.want {
				t.Fatalf("marked %v: %+v", got, p)
			}
			row := rows["sha256:"+c.served.Fingerprint]
			if c.want {
				if p.Severity != kube.Warning || !strings.Contains(p.Renew, "kube-apiserver.yaml") || row.X509.Serial != c.served.Serial {
					t.Errorf("%+v", p)
				}
				if got := row.Severity(kube.Moment{Now: renewal}); got != kube.Warning {
					t.Errorf("renewed and not reloaded is %s", got)
				}
				if got := row.Severity(kube.Moment{Now: row.To}); got != kube.Bad {
					t.Errorf("expired, its date counts as always: %s", got)
				}
			}
			for _, r := range rows {
				for _, q := range r.Places {
					if q.Source == kube.FromFile && strings.Contains(q.Note, notReloaded) {
						t.Errorf("a file is marked: %+v", q)
					}
				}
			}
		})
	}
}

func TestServedCertificateThatIsTheFilesIsNotMarked(t *testing.T) {
	h := controlPlane(t)
	file := byName(t, h.rows(), "apiserver").X509
	rows := merge(append(h.find(), serves("apiserver", "cp-1", file)))
	if p := servedPlace(t, rows, file); p.Note != "" || len(rows["sha256:"+file.Fingerprint].Places) != 2 {
		t.Errorf("%+v", p)
	}
}

// What kubeadm signs begins when its CA does: the end alone tells that it is new.
func TestARenewalThatBeginsWithItsCAIsSeenByItsEnd(t *testing.T) {
	was, is := &kube.X509{Fingerprint: "old", From: mintFrom, To: mintTo}, &kube.X509{Fingerprint: "new", From: mintFrom, To: mintTo.AddDate(1, 0, 0)}
	file := func(x *kube.X509) finding {
		return certificate("file", kube.ServingCert, kube.CertPlace{Source: kube.FromFile, Name: "apiserver", Where: "apiserver.crt", Host: "cp-1"}, x)
	}
	rows := merge([]finding{file(is), serves("apiserver", "cp-1", was)})
	if p := servedPlace(t, rows, was); !strings.Contains(p.Note, notReloaded) {
		t.Errorf("it is not marked: %+v", p)
	}
	rows = merge([]finding{file(was), serves("apiserver", "cp-1", is)})
	if p := servedPlace(t, rows, is); strings.Contains(p.Note, notReloaded) {
		t.Errorf("what is served is newer, and is marked: %+v", p)
	}
}
