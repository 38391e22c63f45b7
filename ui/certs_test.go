package ui

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/kubetest"
)

const day = 24 * time.Hour

// cert makes a certificate that is found in one place.
func cert(name, where string, left time.Duration, edits ...func(*kube.Cert)) *kube.Cert {
	from, to := time.Now().Add(left-365*day), time.Now().Add(left)
	fingerprint := fmt.Sprintf("%064x", name+where)[:64]
	c := &kube.Cert{
		UID: "sha256:" + fingerprint, Name: name, From: from, To: to,
		X509: &kube.X509{
			Fingerprint: fingerprint, Serial: "3f9a:71c0:5be4:02d8", Subject: "CN=" + name, Issuer: "CN=kubernetes", CommonName: name,
			SignedBy: "kubernetes", From: from, To: to, Key: "RSA 2048", Signature: "SHA256-RSA",
			Usages: []string{"digital signature", "key encipherment", "server auth"},
		},
		Places: []kube.CertPlace{{
			Source: kube.FromHandshake, Name: name, Where: where, Authority: "ca", Checked: time.Now().Add(-2 * time.Minute), Checks: 42,
			Since: time.Now().Add(-3 * time.Hour),
		}},
	}
	for _, edit := range edits {
		edit(c)
	}
	return c
}

// place changes the only place of a certificate.
func place(change func(*kube.CertPlace)) func(*kube.Cert) {
	return func(c *kube.Cert) { change(&c.Places[0]) }
}

func on(host string) func(*kube.Cert) { return place(func(p *kube.CertPlace) { p.Host = host }) }

func dangerous(d kube.Danger, breaks, renew string) func(*kube.Cert) {
	return place(func(p *kube.CertPlace) { p.Danger, p.Breaks, p.Renew = d, breaks, renew })
}

func from(source kube.CertSource, short string, kind kube.CertKind) func(*kube.Cert) {
	return func(c *kube.Cert) {
		c.Places[0].Source, c.Places[0].Short, c.Kind = source, short, kind
		if name, ok := strings.CutPrefix(c.Places[0].Where, "secret "); ok {
			c.Places[0].Object.Namespace, c.Places[0].Object.Name, _ = strings.Cut(name, "/")
		}
		if kind == kube.Authority {
			c.X509.CA = true
		}
	}
}

// hidden is a place of which nothing can be seen.
func hidden(name, where, why, how string) *kube.Cert {
	return &kube.Cert{UID: "place:" + name + where, Name: name, Kind: kube.NoCert, Unseen: why, Places: []kube.CertPlace{{
		Source: kube.FromFile, Name: name, Where: where, Use: kube.NoCert, Renew: how, Danger: kube.BreaksCluster,
	}}}
}

// expiring are the certificates of the story: the API server of one of three control planes has not been renewed.
func expiring() []*kube.Cert {
	renewed := dangerous(kube.BreaksCluster, "clients of cp-1 are refused", "kubeadm certs renew apiserver, on cp-1, and restart its static pod")
	many := func(c *kube.Cert) {
		for _, ns := range []string{"default", "kube-system", "shop"} {
			c.Places = append(c.Places, kube.CertPlace{
				Source: kube.FromConfigMap, Name: "ca", Where: "configmap " + ns + "/kube-root-ca.crt", Use: kube.Authority, Checked: time.Now().Add(-time.Minute),
			})
		}
	}
	return []*kube.Cert{
		cert("apiserver", "cp-2:6443", 6*day+4*time.Hour+30*time.Minute, on("cp-2"), func(c *kube.Cert) {
			c.X509.DNS = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "cp-2", "kubernetes.default.svc.cluster.local", "api.tokyo.corp"}
			c.X509.IPs = []string{"10.96.0.1", "10.8.0.12", "10.8.0.10"}
		}, dangerous(kube.BreaksCluster, "clients of cp-2 are refused", "kubeadm certs renew apiserver, on cp-2, and restart its static pod")),
		cert("web-tls", "secret shop/web-tls", 9*day+time.Hour, from(kube.FromSecret, "secret shop", kube.ServingCert),
			dangerous(kube.BreaksApp, "https of web", "")),
		cert("vpolicy.corp.io CA", "webhook vpolicy.corp.io", 19*day+time.Hour, from(kube.FromObject, "webhook", kube.Authority),
			dangerous(kube.BlocksWrites, "writes of pods are refused", "")),
		cert("alice@corp client", "kubeconfig (prod-tokyo)", 47*day+time.Hour, from(kube.FromKubeconfig, "kubeconfig", kube.ClientCert),
			dangerous(kube.LocksUsOut, "whoever has this kubeconfig is locked out", "")),
		cert("kubelet serving", "gpu-01:10250", 58*day+time.Hour, on("gpu-01"), place(func(p *kube.CertPlace) { p.Class = kube.KubeletRotated })),
		cert("kubelet serving", "worker-1:10250", 71*day+time.Hour, on("worker-1"), place(func(p *kube.CertPlace) { p.Class = kube.KubeletRotated })),
		cert("metrics-server CA", "APIService v1beta1.metrics.k8s.io", 88*day+time.Hour, from(kube.FromObject, "APIService", kube.Authority)),
		cert("etcd-server", "cp-1:2379", 211*day+time.Hour, on("cp-1")),
		cert("apiserver", "cp-1:6443", 358*day+time.Hour, on("cp-1"), renewed),
		cert("apiserver", "cp-3:6443", 358*day+2*time.Hour, on("cp-3"), renewed),
		cert("ca", "kubeconfig (prod-tokyo)", 2673*day, from(kube.FromKubeconfig, "kubeconfig", kube.Authority), func(c *kube.Cert) {
			c.From = c.To.Add(-3650 * day)
			c.X509.Subject, c.X509.SelfSigned, c.X509.From, c.Places[0].Class = "CN=kubernetes", true, c.From, kube.OfAuthority
		}, many),
		hidden("etcd-server", "cp-2:2379", "timed out after 2s", ""),
		hidden("front-proxy-client", "on cp nodes", "not visible from here", "run kubeadm certs check-expiration on a control-plane node"),
	}
}

// request makes a signing request of a kubelet.
func request(t *testing.T, name, node string, age time.Duration, conditions ...certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		DNSNames: []string{ascii(node)}, IPAddresses: []net.IP{net.IPv4(10, 8, 3, 103)},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	r := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: ago(age)},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}),
			SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:" + node, Groups: []string{"system:nodes"},
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
		},
	}
	for _, c := range conditions {
		r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: c, Status: corev1.ConditionTrue, Reason: "KtriageApprove", LastTransitionTime: ago(age / 2),
		})
	}
	return r
}

// ascii is what of a text can stand in a DNS name of a certificate.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return -1
		}
		return r
	}, s)
}

// expires starts the program on the Certs pane, with these certificates.
func (s *session) expires(rows ...*kube.Cert) {
	s.incident(5)
	s.deps.Cluster.PutCerts(rows...)
	s.deps.Pane = "certs"
	s.start()
}

var certSizes = []struct{ w, h int }{{80, 24}, {120, 40}, {200, 50}}

// onEverySize runs a test on screens of the usual sizes; size is the end of the names of its golden screens.
func onEverySize(t *testing.T, test func(s *session, size string)) {
	t.Helper()
	for _, size := range certSizes {
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		t.Run(name, func(t *testing.T) {
			inSession(t, size.w, size.h, func(s *session) { test(s, name) })
		})
	}
}

func TestScreensOfCertificates(t *testing.T) {
	for name, keys := range map[string][]string{"story": nil, "grid": {"z"}, "detail": {"enter"}, "requests": {"C"}, "request": {"C", "d"}} {
		t.Run(name, func(t *testing.T) {
			onEverySize(t, func(s *session, size string) {
				s.Put(node("gpu-03"), request(t, "csr-9k2xl", "gpu-03", 112*time.Second))
				s.Put(request(t, "csr-x8w2n", "worker-51", 41*time.Minute, certificatesv1.CertificateApproved))
				s.Put(request(t, "csr-mm3ld", "worker-18", 52*time.Minute, certificatesv1.CertificateDenied))
				s.expires(expiring()...)
				s.Press("z")
				s.Press(keys...)
				s.Wait(toastTime)
				s.Golden(t, "certs-"+name+"-"+size)
			})
		})
	}
}

func TestScreensOfCertificatesThatAreNotThere(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		onEverySize(t, func(s *session, size string) {
			s.expires()
			s.Press("z")
			s.Wait(toastTime)
			s.Golden(t, "certs-none-"+size)
		})
	})
	t.Run("denied", func(t *testing.T) {
		onEverySize(t, func(s *session, size string) {
			s.Fail(kubetest.Answer(forbidden, "/certificatesigningrequests"))
			var rows []*kube.Cert
			for _, what := range []string{"TLS Secrets", "CA ConfigMaps", "webhooks", "CRDs", "APIServices", "kubelets", "API servers"} {
				rows = append(rows, hidden(what, "all namespaces", "secrets is forbidden: User \"alice\" cannot list resource", "ask for get and list"))
			}
			s.expires(rows...)
			s.Press("z")
			s.Wait(toastTime)
			s.Golden(t, "certs-denied-"+size)
			s.sees("you may not list them")
			s.Press("a")
			s.sees("you may not list certificate signing requests")
			s.Press("C")
			s.sees("You may not list certificate signing requests. The server says:")
		})
	})
	t.Run("loading", func(t *testing.T) {
		inSession(t, 80, 24, func(s *session) {
			s.deps.Cluster.SetCertState(kube.Loading, time.Now())
			s.expires()
			s.sees("● live", "Reading certificates")
		})
	})
}

func TestTenThousandCertificatesAreScrolledThrough(t *testing.T) {
	onEverySize(t, func(s *session, size string) {
		rows := make([]*kube.Cert, 10_000)
		for i := range rows {
			rows[i] = cert(fmt.Sprintf("app-%05d", i), fmt.Sprintf("secret team-%d/app-%05d", i%90, i), time.Duration(i)*time.Hour+30*time.Minute,
				from(kube.FromSecret, fmt.Sprintf("secret team-%d", i%90), kube.ServingCert))
		}
		s.expires(rows...)
		s.Press("z")
		s.Wait(toastTime)
		s.Golden(s.t, "certs-10000-"+size)
		s.Press("G")
		s.sees("app-08759", "-10,000 of 10,000") // of what is valid already, it ends last
		s.Press("/")
		s.Type("app-07777")
		s.Press("enter")
		s.sees("1 of 10,000", "app-07777")
	})
}

func TestCertificatesOnATerminalThatShowsASCIIOnly(t *testing.T) {
	onEverySize(t, func(s *session, size string) {
		s.deps.Color, s.deps.UTF8 = "never", false
		s.Put(node("gpu-03"), request(s.t, "csr-9k2xl", "gpu-03", 112*time.Second))
		s.expires(expiring()...)
		s.Press("z")
		s.Wait(toastTime)
		s.Golden(s.t, "certs-ascii-"+size)
		s.Press("enter")
		s.Golden(s.t, "certs-ascii-detail-"+size)
		for i, r := range s.Written() {
			if r >= 0x80 {
				s.t.Fatalf("%q is written, at byte %d", r, i)
			}
		}
	})
}

func TestHostileNamesOfCertificatesStayInTheirCells(t *testing.T) {
	onEverySize(t, func(s *session, size string) {
		bad := text.Clean("\x1b]0;title\x07\x1b[2J日本\u202egnp.exe" + strings.Repeat("長", 60))
		s.Put(request(s.t, "csr-9k2xl", "\x1b[31m日本\u202e", 112*time.Second))
		s.expires(cert(bad, bad, 9*day, func(c *kube.Cert) {
			c.X509.Subject, c.X509.Issuer, c.X509.DNS = bad, bad, []string{bad, bad}
			c.Places[0].Note, c.Places[0].Renew, c.Places[0].Breaks = bad, bad, bad
		}))
		s.Press("z")
		s.Wait(toastTime)
		s.Golden(s.t, "certs-hostile-"+size)
		for _, keys := range [][]string{{"enter"}, {"G"}, {"esc"}, {"C"}, {"enter"}} {
			s.Press(keys...)
			s.Settle()
			why := s.differs()
			for try := 0; why != "" && try < 2; try++ { // the second may have turned between the frame and the terminal
				s.Wait(time.Second / fps * 2)
				why = s.differs()
			}
			if why != "" {
				s.t.Errorf("after %v: %s", keys, why)
			}
		}
	})
}

func TestKeysOfTheCertsPane(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.Put(request(t, "csr-9k2xl", "gpu-03", 112*time.Second), request(t, "csr-aaaaa", "worker-1", 3*time.Minute))
		s.expires(expiring()...)
		s.Press("z")
		s.Press("a")
		s.sees("CSRs: 2 wait for approval")
		s.Press("o")
		s.sees("node gpu-03 is not in the list")
		s.Press("4", "j", "o")
		s.isUnder("worker-1")
		s.Press("[", "esc")
		s.sees("next: apiserver on cp-2 in 6d4h")
		s.Press("C", "esc", "o")
		s.sees("node cp-2 is not in the list")
		s.Press("[", "j", "o")
		s.sees("it is not a node's")
		s.Press("k", "enter")
		s.sees("apiserver on cp-2:6443, serving", "clients of cp-2 are refused")
		s.Press(">")
		s.sees("web-tls in secret shop/web-tls, serving")
		s.Press("<", "<")
		s.sees("apiserver on cp-2:6443, serving")
		s.Press("esc", "O", "n")
		s.isUnder("alice@corp client")
	})
}

func TestPageOfACertificateGoesOnWithTheOneThatTakesItsPlace(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		rows := expiring()
		s.expires(rows...)
		s.Press("j", "k", "enter")
		s.sees("6d4h of 365d", "same serial as at the last 41 checks")
		fresh := cert("apiserver", "cp-2:6443", 365*day, on("cp-2"), func(c *kube.Cert) {
			c.UID, c.X509.Fingerprint = "sha256:new", "new"
			c.Places[0].Before, c.Places[0].Since = rows[0].X509.Fingerprint, time.Now()
		})
		s.deps.Cluster.PutCerts(fresh)
		s.deps.Cluster.RemoveCerts(rows[0].UID)
		s.Wait(time.Second)
		s.sees("364d of 365d", "changed 0s ago")
		s.Press("esc")
		s.isUnder("cp-2:6443")
	})
}

func TestHeaderCountsCertificatesThatMoreThanOneApplicationHangsOn(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		var rows []*kube.Cert
		for i := range 100 {
			rows = append(rows, cert(fmt.Sprintf("app-%d", i), "secret shop/app", 29*day, dangerous(kube.BreaksApp, "", "")))
		}
		s.expires(rows...)
		before, _, _ := strings.Cut(s.Screen(), "\n")
		if strings.Contains(before, "10") {
			t.Errorf("applications paint the header: %s", before)
		}
		s.sees("4 Certs 100")
		s.deps.Cluster.PutCerts(cert("apiserver", "cp-1:6443", 29*day, dangerous(kube.BreaksCluster, "", "")), cert("web", "secret shop/web", -time.Hour))
		s.Wait(time.Second)
		after, _, _ := strings.Cut(s.Screen(), "\n")
		if want := "■ 3 critical  ▲ 6 warning"; !strings.Contains(after, want) || !strings.Contains(before, "■ 2 critical  ▲ 5 warning") {
			t.Errorf("before %q, after %q", before, after)
		}
	})
}

func TestPageNamesWhatBreaksInEachPlaceOnANarrowScreen(t *testing.T) {
	const where = "validatingwebhookconfiguration policy.example.com"
	inSession(t, 80, 24, func(s *session) {
		s.expires(cert("configs.policy.example.com CA", where, 9*day, from(kube.FromObject, "webhook", kube.Authority),
			dangerous(kube.BlocksWrites, "writes of configmaps are refused", ""), func(c *kube.Cert) {
				for name, breaks := range map[string]string{"pods.policy.example.com CA": "writes of pods are refused", "jobs.policy.example.com CA": "writes of jobs are refused"} {
					p := c.Places[0]
					p.Name, p.Breaks = name, breaks
					c.Places = append(c.Places, p)
				}
			}))
		s.sees("breaks: writes of configmaps are refused, and 2 more break")
		s.Press("enter", "G")
		s.sees("configs.policy.example.com CA", "pods.policy.example.com CA:", "writes of pods are", "jobs.policy.example.com CA:", "writes of jobs are")
	})
}
