package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs"
)

const day = 24 * time.Hour

// kubeadm's own list says which can be renewed: what a CA signed, and the kubeconfigs but the kubelet's.
func TestRenewKnowsTheNamesOfKubeadm(t *testing.T) {
	want := []string{
		constants.AdminKubeConfigFileName, constants.SuperAdminKubeConfigFileName,
		constants.ControllerManagerKubeConfigFileName, constants.SchedulerKubeConfigFileName,
	}
	for _, c := range certs.GetDefaultCertList() {
		if c.CAName != "" {
			want = append(want, c.Name)
		}
	}
	slices.Sort(want)
	if got := Renewable(); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever is renewed has a new key, ends later, and is all that changes in the folder.
func TestRenewingChangesOneCertificateAndItsKey(t *testing.T) {
	o := Options{Host: net.IPv4(127, 0, 3, 1), URL: server}
	dir := fillWith(t, o)
	later := now.Add(time.Minute)
	for _, name := range Renewable() {
		before := contents(t, dir)
		if err := Renew(dir, name, 90*day, later, o); err != nil {
			t.Fatal(err)
		}
		var changed []string
		for path, text := range contents(t, dir) {
			if !bytes.Equal(text, before[path]) {
				changed = append(changed, path)
			}
		}
		slices.Sort(changed)
		if strings.HasSuffix(name, ".conf") {
			if !slices.Equal(changed, []string{name}) {
				t.Errorf("%s: changed %s", name, changed)
			}
			cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			pair, err := tls.X509KeyPair(cfg.CertData, cfg.KeyData)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			ends(t, name, pair.Leaf, later.Add(90*day))
			continue
		}
		if len(changed) != 2 {
			t.Fatalf("%s: changed %s", name, changed)
		}
		cert := certificate(t, filepath.Join(dir, strings.TrimSuffix(changed[0], ".crt")))
		ends(t, name, cert, later.Add(90*day))
	}
	renewed := certificate(t, filepath.Join(dir, "pki", "apiserver"))
	verify(t, dir, "ca", renewed, x509.ExtKeyUsageServerAuth)
	if err := renewed.VerifyHostname("127.0.3.1"); err != nil {
		t.Errorf("the renewed certificate lost an address: %v", err)
	}
}

func TestAKeptKeyDoesNotFit(t *testing.T) {
	dir := fill(t)
	o := Options{URL: server, KeepKey: true}
	path := filepath.Join(dir, "pki", "apiserver")
	if err := Renew(dir, "apiserver", day, now, o); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(path+".crt", path+".key"); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("got %v", err)
	}
	if err := Renew(dir, "admin.conf", day, now, o); err == nil || !strings.Contains(err.Error(), "key beside") {
		t.Errorf("a kubeconfig: %v", err)
	}
}

func TestWhatIsNoNameIsNotRenewed(t *testing.T) {
	dir := fill(t)
	for _, name := range []string{"ca", "kubelet.conf", "apiserver.crt", ""} {
		if err := Renew(dir, name, day, now, Options{URL: server}); err == nil || !strings.Contains(err.Error(), "there is no certificate") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLivesAreAsWished(t *testing.T) {
	o := Options{URL: server, Lives: map[string]time.Duration{
		"apiserver": 6 * day, "etcd-peer": -2 * time.Hour, "front-proxy-ca": 20 * day, "admin.conf": 5 * day, "etcd-server": 500 * day,
	}}
	dir := fillWith(t, o)
	for path, life := range map[string]time.Duration{"apiserver": 6 * day, "etcd/peer": -2 * time.Hour, "front-proxy-ca": 20 * day, "etcd/server": 500 * day, "front-proxy-client": 365 * day} {
		cert := certificate(t, filepath.Join(dir, "pki", path))
		ends(t, path, cert, now.Add(life))
		if !cert.NotBefore.Before(now) {
			t.Errorf("%s begins at %v", path, cert.NotBefore)
		}
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "admin.conf"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cfg.CertData, cfg.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	ends(t, "admin.conf", pair.Leaf, now.Add(5*day))
}

func TestALifeThatLetsNothingStartIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		life  time.Duration
		words string // "" is allowed
	}{
		{"apiserver", 6 * day, ""},
		{"apiserver", -time.Hour, "no client would trust"},
		{"etcd-server", time.Minute, "would not trust etcd"},
		{"scheduler.conf", -day, "could not log in"},
		{"etcd-peer", -day, ""},
		{"kubelet.conf", -day, ""},
		{"front-proxy-client", -day, ""},
		{"kubelet", day, "there is no certificate"},
	} {
		err := CheckLives(map[string]time.Duration{c.name: c.life})
		if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s=%s: %v", c.name, c.life, err)
		}
	}
}

func TestASpecIsTheSameCertificateEveryTime(t *testing.T) {
	ca, err := Named("Root")
	if err != nil {
		t.Fatal(err)
	}
	key, err := Key("leaf")
	if err != nil {
		t.Fatal(err)
	}
	leaf := Spec{CN: "leaf", Names: []string{"leaf.example"}, Begins: now, Ends: now.Add(day)}
	once, err := leaf.Issue(key, ca)
	if err != nil {
		t.Fatal(err)
	}
	again, err := leaf.Issue(key, ca)
	if err != nil || !bytes.Equal(once, again) {
		t.Errorf("another certificate, %v", err)
	}
	root, err := Spec{CN: "Root", Begins: now, Ends: now.Add(day), CA: true}.Issue(ca.key, nil)
	if err != nil {
		t.Fatal(err)
	}
	parent, err := x509.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	child, err := x509.ParseCertificate(once)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.CheckSignatureFrom(parent); err != nil {
		t.Error(err)
	}
}

func ends(t *testing.T, name string, cert *x509.Certificate, want time.Time) {
	t.Helper()
	if !cert.NotAfter.Equal(want) {
		t.Errorf("%s ends at %v, want %v", name, cert.NotAfter, want)
	}
}

// contents gives the files below dir by their paths in it.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
