package pki

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const server = "https://127.0.0.1:6443"

func fill(t *testing.T) string {
	t.Helper()
	return fillWith(t, Options{URL: server})
}

func fillWith(t *testing.T, o Options) string {
	t.Helper()
	dir := t.TempDir()
	if err := Make(dir, now, o); err != nil {
		t.Fatal(err)
	}
	if err := Kubeconfigs(dir, now, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// kubeadm's own list of certificates and names of files say what must be there.
func TestLayoutIsThatOfKubeadm(t *testing.T) {
	dir := fill(t)
	var want []string
	for _, c := range certs.GetDefaultCertList() {
		want = append(want, "pki/"+c.BaseName+".crt", "pki/"+c.BaseName+".key")
	}
	want = append(want, "pki/"+constants.ServiceAccountPrivateKeyName, "pki/"+constants.ServiceAccountPublicKeyName,
		constants.AdminKubeConfigFileName, constants.SuperAdminKubeConfigFileName, constants.KubeletKubeConfigFileName,
		constants.ControllerManagerKubeConfigFileName, constants.SchedulerKubeConfigFileName,
		"kubelet/kubelet.crt", "kubelet/kubelet.key") // kubelet's own --cert-dir, /var/lib/kubelet/pki
	var got []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			got = append(got, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryCertificateVerifiesAgainstItsAuthority(t *testing.T) {
	dir := fill(t)
	for _, c := range certs.GetDefaultCertList() {
		path := filepath.Join(dir, "pki", c.BaseName)
		cert := certificate(t, path)
		if c.CAName == "" {
			if !cert.IsCA || cert.CheckSignatureFrom(cert) != nil {
				t.Errorf("%s is no authority that signs itself", c.BaseName)
			}
			within(t, c.BaseName, cert, constants.CACertificateValidityPeriod)
			continue
		}
		within(t, c.BaseName, cert, constants.CertificateValidityPeriod)
		authority := map[string]string{"ca": "ca", "etcd-ca": "etcd/ca", "front-proxy-ca": "front-proxy-ca"}[c.CAName]
		use := x509.ExtKeyUsageClientAuth
		if slices.Contains([]string{"apiserver", "etcd-server", "etcd-peer"}, c.Name) {
			use = x509.ExtKeyUsageServerAuth
		}
		verify(t, dir, authority, cert, use)
		for _, other := range []string{"ca", "etcd/ca", "front-proxy-ca"} {
			if other != authority && chain(t, dir, other, cert, use) == nil {
				t.Errorf("%s verifies against %s, which did not sign it", c.BaseName, other)
			}
		}
	}
}

func TestServingCertificatesNameWhereTheyServe(t *testing.T) {
	dir := fill(t)
	for path, hosts := range map[string][]string{
		"pki/apiserver":   {"127.0.0.1", "10.96.0.1", "localhost", "kubernetes.default.svc.cluster.local", NodeName},
		"pki/etcd/server": {"127.0.0.1", "::1", "localhost", NodeName},
		"pki/etcd/peer":   {"127.0.0.1", "::1", "localhost", NodeName},
		"kubelet/kubelet": {"127.0.0.1", "localhost", NodeName},
	} {
		cert := certificate(t, filepath.Join(dir, path))
		for _, host := range hosts {
			if err := cert.VerifyHostname(host); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	verify(t, dir, "ca", certificate(t, filepath.Join(dir, "kubelet", "kubelet")), x509.ExtKeyUsageServerAuth)
}

func TestKubeconfigsLoadAndNameKubeadmsUsers(t *testing.T) {
	dir := fill(t)
	for file, want := range map[string]string{
		constants.AdminKubeConfigFileName:             "kubernetes-admin " + constants.ClusterAdminsGroupAndClusterRoleBinding,
		constants.SuperAdminKubeConfigFileName:        "kubernetes-super-admin " + constants.SystemPrivilegedGroup,
		constants.ControllerManagerKubeConfigFileName: constants.ControllerManagerUser + " ",
		constants.SchedulerKubeConfigFileName:         constants.SchedulerUser + " ",
		constants.KubeletKubeConfigFileName:           constants.NodesUserPrefix + NodeName + " " + constants.NodesGroup,
	} {
		cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if cfg.Host != server {
			t.Errorf("%s: server %s", file, cfg.Host)
		}
		if _, err := rest.TLSConfigFor(cfg); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		block, _ := pem.Decode(cfg.CertData)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, dir, "ca", cert, x509.ExtKeyUsageClientAuth)
		if got := cert.Subject.CommonName + " " + strings.Join(cert.Subject.Organization, ","); got != want {
			t.Errorf("%s: user and groups %q, want %q", file, got, want)
		}
	}
}

func TestServiceAccountKeysArePair(t *testing.T) {
	dir := fill(t)
	private, err := keyutil.PrivateKeyFromFile(filepath.Join(dir, "pki", "sa.key"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyutil.PublicKeysFromFile(filepath.Join(dir, "pki", "sa.pub"))
	if err != nil || len(public) != 1 {
		t.Fatalf("%d public keys: %v", len(public), err)
	}
	key, ok := private.(*rsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(public[0]) {
		t.Error("sa.pub is not the public half of sa.key")
	}
}

func TestNobodyElseCanReadTheKeys(t *testing.T) {
	dir := fill(t)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// certificate reads path.crt, and checks that path.key is its key.
func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func within(t *testing.T, name string, cert *x509.Certificate, life time.Duration) {
	t.Helper()
	if !cert.NotBefore.Before(now) || !cert.NotAfter.Equal(now.Add(life)) {
		t.Errorf("%s lives from %v to %v", name, cert.NotBefore, cert.NotAfter)
	}
}

func verify(t *testing.T, dir, authority string, cert *x509.Certificate, use x509.ExtKeyUsage) {
	t.Helper()
	if err := chain(t, dir, authority, cert, use); err != nil {
		t.Errorf("%s: %v", cert.Subject, err)
	}
}

func chain(t *testing.T, dir, authority string, cert *x509.Certificate, use x509.ExtKeyUsage) error {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(dir, "pki", authority+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("%s.crt holds no certificate", authority)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}
