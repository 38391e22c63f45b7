package ui

import (
	"testing"
	"time"

	"ktriage/kube"
)

// own makes the certificate that lets us in, from a year before its end.
func own(end time.Time) *kube.Cert {
	return &kube.Cert{
		UID: "sha256:01", Name: "admin.conf", Kind: kube.ClientCert, From: end.AddDate(-1, 0, 0), To: end,
		X509: &kube.X509{Fingerprint: "01", Subject: "CN=alice@corp", CommonName: "alice@corp"},
		Places: []kube.CertPlace{{
			Source: kube.FromKubeconfig, Name: "admin.conf", Where: "kubeconfig", Use: kube.ClientCert, Danger: kube.LocksUsOut, Ours: true,
			Renew: "kubeadm certs renew admin.conf",
		}},
	}
}

// fieldEnd is a sample of the field: what openssl says of a client certificate.
var fieldEnd = time.Date(2025, 2, 12, 6, 2, 50, 0, time.UTC)

func TestOwnCertificateThatExpiresSoonIsSaidUntilAKeyIsPressed(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
	}{{"banner-80x24", 80, 24}, {"banner-120x40", 120, 40}, {"banner-60x15", 60, 15}} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.Wait(time.Until(time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)))
				s.incident(5)
				s.deps.Cluster.PutCerts(own(fieldEnd))
				s.start()
				s.Wait(time.Second)
				s.Golden(t, c.name)
				before := s.line("worker-2")
				s.Press("j")
				s.misses("Your certificate")
				if s.line("worker-2") == before {
					t.Error("the key that took the banner away has not moved the cursor")
				}
				s.deps.Cluster.PutCerts(own(fieldEnd.Add(time.Hour)))
				s.Wait(time.Minute)
				s.misses("Your certificate")
			})
		})
	}
}

func TestBannerOutlivesKeysThatWereTypedBeforeItCame(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		s.start()
		s.deps.Cluster.PutCerts(own(time.Now().Add(3 * 24 * time.Hour)))
		s.Wait(300 * time.Millisecond)
		s.Press("j", "j")
		s.sees("Your certificate (alice@corp) expires in 3d", "renew admin.conf")
		s.Press("?")
		s.Wait(bannerLeast)
		s.Press("esc")
		s.sees("Your certificate")
		s.Press("j")
		s.misses("Your certificate")
	})
}

func TestBannerSaysWhatIsTheMatter(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(now time.Time) *kube.Cert
		want string
	}{
		{"expired", func(now time.Time) *kube.Cert { return own(now.Add(-3 * 24 * time.Hour)) }, "Your certificate (alice@corp) expired 3d ago, on "},
		{"not yet valid", func(now time.Time) *kube.Cert {
			c := own(now.AddDate(1, 0, 0))
			c.From = now.Add(time.Hour)
			return c
		}, "Your certificate (alice@corp) is not valid before "},
		{"token", func(now time.Time) *kube.Cert {
			c := own(now.Add(8*time.Minute + 10*time.Second))
			c.Kind, c.X509 = kube.Token, nil
			c.Places[0].Class, c.Places[0].Renew = kube.ShortLived, ""
			return c
		}, "expires in 8m9s, on 2000-01-01 00:08 UTC"},
		{"token that is fresh", func(now time.Time) *kube.Cert {
			c := own(now.Add(time.Hour))
			c.Kind, c.X509, c.Places[0].Class = kube.Token, nil, kube.ShortLived
			return c
		}, ""},
		{"certificate of somebody else", func(now time.Time) *kube.Cert {
			c := own(now.Add(time.Hour))
			c.Places[0].Ours = false
			return c
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.incident(5)
				s.deps.Cluster.PutCerts(c.make(time.Now()))
				s.start()
				s.Wait(time.Second)
				if c.want == "" {
					s.misses("Your ")
					return
				}
				s.sees(c.want)
			})
		})
	}
}

func TestTokenIsSaidWhenItsTimeComes(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(5)
		c := own(time.Now().Add(time.Hour))
		c.Kind, c.X509, c.Places[0].Class = kube.Token, nil, kube.ShortLived
		s.deps.Cluster.PutCerts(c)
		s.start()
		s.Wait(45 * time.Minute)
		s.misses("Your token")
		s.Wait(6 * time.Minute)
		s.sees("Your token (alice) expires in 10m")
	})
}
