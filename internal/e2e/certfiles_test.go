package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/kube"
	"ktriage/kube/certs"
)

// controlPlaneNode is a folder with the files of the cluster where kubeadm has them on a control-plane node.
type controlPlaneNode struct {
	t    *testing.T
	root string
}

const kubeadmFolder = "/etc/kubernetes"

func newControlPlaneNode(t *testing.T, c *cluster) controlPlaneNode {
	t.Helper()
	n := controlPlaneNode{t, t.TempDir()}
	for from, to := range map[string]string{
		"pki": kubeadmFolder + "/pki", "kubelet/kubelet.crt": "/var/lib/kubelet/pki/kubelet.crt",
		"admin.conf": kubeadmFolder + "/admin.conf", "super-admin.conf": kubeadmFolder + "/super-admin.conf",
		"controller-manager.conf": kubeadmFolder + "/controller-manager.conf", "scheduler.conf": kubeadmFolder + "/scheduler.conf",
		"kubelet.conf": kubeadmFolder + "/kubelet.conf",
	} {
		err := filepath.WalkDir(filepath.Join(c.dir, from), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rest, err := filepath.Rel(filepath.Join(c.dir, from), path)
			if err != nil {
				return err
			}
			return n.write(filepath.Join(to, rest), b)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n controlPlaneNode) write(path string, b []byte) error {
	full := filepath.Join(n.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return err
	}
	return os.WriteFile(full, b, 0o600)
}

// first gives the first certificate of a file, or of the user of a kubeconfig, by other code than ours.
func (n controlPlaneNode) first(path string) *x509.Certificate {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join(n.root, path))
	if err != nil {
		n.t.Fatal(err)
	}
	if filepath.Ext(path) == ".conf" {
		cfg, err := clientcmd.Load(b)
		if err != nil {
			n.t.Fatal(err)
		}
		b = cfg.AuthInfos[cfg.Contexts[cfg.CurrentContext].AuthInfo].ClientCertificateData
	}
	block, _ := pem.Decode(b)
	if block == nil {
		n.t.Fatalf("%s holds no certificate", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// inventory reads everything as the program does on that node.
func (n controlPlaneNode) inventory(c *cluster, dial bool) *certs.Inventory {
	n.t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	kubeconfig := c.kubeconfig()
	flags.KubeConfig = &kubeconfig
	k, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: "ktriage-e2e/" + n.t.Name()})
	if err != nil {
		n.t.Fatal(err)
	}
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(n.t.Context())
	n.t.Cleanup(stop)
	k.Start(ctx, kube.Nodes|kube.Pods)
	i := certs.New(k, certs.Options{Kubeconfig: raw, Context: raw.CurrentContext, Dial: dial, Root: n.root, Urgent: true})
	i.Start(ctx)
	select {
	case <-i.Complete():
	case <-time.After(soon):
		n.t.Fatalf("after %v not everything has been read: %s", soon, notRead(i))
	}
	return i
}

// atFile gives the row with a file among its places.
func atFile(rows []*kube.Cert, path string) *kube.Cert {
	for _, c := range rows {
		if slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool { return p.Source == kube.FromFile && p.Where == path }) {
			return c
		}
	}
	return nil
}

// identity is what somebody compares of two views of a certificate.
type identity struct {
	Subject, Issuer, Serial, Fingerprint string
	From, To                             time.Time
	Names                                []string
}

// shown is the identity of a row.
func shown(c *kube.Cert) identity {
	x := c.X509
	return identity{
		Subject: strings.ReplaceAll(x.Subject, ", ", ","), Issuer: strings.ReplaceAll(x.Issuer, ", ", ","),
		Serial: strings.ReplaceAll(x.Serial, ":", ""), Fingerprint: x.Fingerprint, From: c.From.UTC(), To: c.To.UTC(),
		Names: slices.Sorted(slices.Values(slices.Concat(x.DNS, x.IPs, x.Other))),
	}
}

// parsed is the identity as crypto/x509 has it.
func parsed(c *x509.Certificate) identity {
	sum := sha256.Sum256(c.Raw)
	id := identity{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialNumber.Text(16), Fingerprint: hex.EncodeToString(sum[:]),
		From: c.NotBefore, To: c.NotAfter, Names: slices.Clone(c.DNSNames),
	}
	for _, ip := range c.IPAddresses {
		id.Names = append(id.Names, ip.String())
	}
	slices.Sort(id.Names)
	return id
}

// openssl is the identity as `openssl x509` prints it.
func openssl(t *testing.T, c *x509.Certificate) identity {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", "x509", "-noout", "-subject", "-issuer", "-serial", "-startdate", "-enddate",
		"-fingerprint", "-sha256", "-ext", "subjectAltName", "-nameopt", "RFC2253")
	cmd.Stdin = strings.NewReader(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl x509: %v", err)
	}
	moment := func(s string) time.Time {
		m, err := time.Parse("Jan _2 15:04:05 2006 MST", s)
		if err != nil {
			t.Fatalf("openssl says %q: %v", s, err)
		}
		return m.UTC()
	}
	var id identity
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.ToLower(key) {
		case "subject":
			id.Subject = value
		case "issuer":
			id.Issuer = value
		case "serial":
			id.Serial = strings.TrimLeft(strings.ToLower(value), "0")
		case "notbefore":
			id.From = moment(value)
		case "notafter":
			id.To = moment(value)
		case "sha256 fingerprint":
			id.Fingerprint = strings.ToLower(strings.ReplaceAll(value, ":", ""))
		}
		for name := range strings.SplitSeq(strings.TrimSpace(line), ", ") {
			if dns, ok := strings.CutPrefix(name, "DNS:"); ok {
				id.Names = append(id.Names, dns)
			}
			if ip, ok := strings.CutPrefix(name, "IP Address:"); ok {
				id.Names = append(id.Names, net.ParseIP(ip).String())
			}
		}
	}
	slices.Sort(id.Names)
	return id
}

// kubeadmFiles are the names of check-expiration, where each lies, and the CA that signs it.
var kubeadmFiles = map[string][2]string{
	"admin.conf": {"admin.conf", "pki/ca.crt"}, "super-admin.conf": {"super-admin.conf", "pki/ca.crt"},
	"apiserver": {"pki/apiserver.crt", "pki/ca.crt"}, "apiserver-kubelet-client": {"pki/apiserver-kubelet-client.crt", "pki/ca.crt"},
	"controller-manager.conf": {"controller-manager.conf", "pki/ca.crt"}, "scheduler.conf": {"scheduler.conf", "pki/ca.crt"},
	"apiserver-etcd-client":   {"pki/apiserver-etcd-client.crt", "pki/etcd/ca.crt"},
	"etcd-healthcheck-client": {"pki/etcd/healthcheck-client.crt", "pki/etcd/ca.crt"},
	"etcd-peer":               {"pki/etcd/peer.crt", "pki/etcd/ca.crt"}, "etcd-server": {"pki/etcd/server.crt", "pki/etcd/ca.crt"},
	"front-proxy-client": {"pki/front-proxy-client.crt", "pki/front-proxy-ca.crt"},
	"ca":                 {"pki/ca.crt", "pki/ca.crt"}, "etcd-ca": {"pki/etcd/ca.crt", "pki/etcd/ca.crt"},
	"front-proxy-ca": {"pki/front-proxy-ca.crt", "pki/front-proxy-ca.crt"},
}

func TestRowOfEveryFileSaysWhatOpensslSays(t *testing.T) {
	t.Parallel()
	n := newControlPlaneNode(t, stages)
	rows := n.inventory(stages, false).All()
	_, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("openssl is not installed: compared with crypto/x509 alone")
	}
	paths := []string{"/var/lib/kubelet/pki/kubelet.crt", kubeadmFolder + "/kubelet.conf"}
	for _, f := range kubeadmFiles {
		paths = append(paths, filepath.Join(kubeadmFolder, f[0]))
	}
	for _, path := range paths {
		row := atFile(rows, path)
		if row == nil || row.X509 == nil {
			t.Errorf("no row of %s", path)
			continue
		}
		certificate := n.first(path)
		if diff := cmp.Diff(parsed(certificate), shown(row)); diff != "" {
			t.Errorf("%s (- crypto/x509, + ours):\n%s", path, diff)
		}
		if err == nil {
			if diff := cmp.Diff(openssl(t, certificate), shown(row)); diff != "" {
				t.Errorf("%s (- openssl, + ours):\n%s", path, diff)
			}
		}
	}
	for _, c := range rows {
		if c.Place().Source == kube.FromFile && c.Unseen != "" {
			t.Errorf("%s: %s", c.Place().Where, c.Unseen)
		}
	}
}

func TestTableOfKubeadmFromTheFilesOfTheCluster(t *testing.T) {
	t.Parallel()
	n := newControlPlaneNode(t, stages)
	if err := os.Remove(filepath.Join(n.root, kubeadmFolder, "pki/front-proxy-ca.key")); err != nil {
		t.Fatal(err)
	}
	leaves, authorities := n.inventory(stages, false).Kubeadm()
	var names []string
	for _, c := range slices.Concat(leaves, authorities) {
		names = append(names, c.Name)
		file := kubeadmFiles[c.Name]
		certificate, ca := n.first(filepath.Join(kubeadmFolder, file[0])), n.first(filepath.Join(kubeadmFolder, file[1]))
		if !c.To.Equal(certificate.NotAfter) || c.Place().Where != filepath.Join(kubeadmFolder, file[0]) {
			t.Errorf("%s at %s until %s, the file says %s", c.Name, c.Place().Where, c.To, certificate.NotAfter)
		}
		pool := x509.NewCertPool()
		pool.AddCert(ca)
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		authority := map[string]string{"pki/ca.crt": "ca", "pki/etcd/ca.crt": "etcd-ca", "pki/front-proxy-ca.crt": "front-proxy-ca"}[file[1]]
		external := map[bool]kube.Answer{true: kube.Yes, false: kube.No}[authority == "front-proxy-ca"]
		if filepath.Ext(file[0]) == ".conf" || certificate.IsCA {
			authority = "" // as in the document
		}
		if p := c.Place(); p.Authority != authority || p.External != external {
			t.Errorf("%s: CA %q, externally managed %s; wanted %q, %s", c.Name, p.Authority, p.External, authority, external)
		}
	}
	sorted := slices.Sorted(maps.Keys(kubeadmFiles))
	authorityNames := []string{"ca", "etcd-ca", "front-proxy-ca"}
	want := append(slices.DeleteFunc(sorted, func(s string) bool { return slices.Contains(authorityNames, s) }), authorityNames...)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("order:\n%s", diff)
	}
}

// AC-C5: a real API server has the names that pods ask for, and a certificate without one of them is flagged.
func TestApiserverOfTheClusterNamesItsService(t *testing.T) {
	t.Parallel()
	n := newControlPlaneNode(t, stages)
	file := filepath.Join(kubeadmFolder, "pki/apiserver.crt")
	row := atFile(n.inventory(stages, false).All(), file)
	for _, name := range []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"} {
		if !slices.Contains(row.X509.DNS, name) {
			t.Errorf("names %q without %s", row.X509.DNS, name)
		}
	}
	if p := row.Place(); p.Note != "" {
		t.Errorf("flagged: %q", p.Note)
	}
	old := n.first(file)
	n.renew(file, func(c *x509.Certificate) {
		c.DNSNames = slices.DeleteFunc(slices.Clone(old.DNSNames), func(s string) bool { return s == "kubernetes.default.svc" })
	})
	row = atFile(n.inventory(stages, false).All(), file)
	if !strings.Contains(row.Place().Note, "kubernetes.default.svc") || row.Severity(kube.Moment{Now: time.Now()}) != kube.Warning {
		t.Errorf("not flagged: %+v", row.Place())
	}
}

// renew issues the certificate of a file anew by the cluster's own CA, as kubeadm certs renew does.
func (n controlPlaneNode) renew(path string, change func(*x509.Certificate)) *x509.Certificate {
	n.t.Helper()
	ca, err := tls.LoadX509KeyPair(filepath.Join(n.root, kubeadmFolder, "pki/ca.crt"), filepath.Join(n.root, kubeadmFolder, "pki/ca.key"))
	if err != nil {
		n.t.Fatal(err)
	}
	old := n.first(path)
	fresh := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: old.Subject, DNSNames: old.DNSNames, IPAddresses: old.IPAddresses,
		KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage, NotBefore: old.NotBefore.Add(time.Minute), NotAfter: old.NotAfter.Add(time.Hour),
	}
	change(fresh)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, fresh, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.write(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		n.t.Fatal(err)
	}
	return n.first(path)
}

// AC-C6: the file is renewed and the API server goes on with the certificate that it had.
func TestApiserverThatHasNotReloadedItsCertificateSaysSo(t *testing.T) {
	t.Parallel()
	n := newControlPlaneNode(t, stages)
	path := filepath.Join(kubeadmFolder, "pki/apiserver.crt")
	old := n.first(path)
	fresh := n.renew(path, func(*x509.Certificate) {})
	i := n.inventory(stages, true)
	served, onDisk := byFingerprint(i.All(), old), byFingerprint(i.All(), fresh)
	if served == nil || onDisk == nil {
		t.Fatalf("the served certificate has a row: %t; the renewed one: %t", served != nil, onDisk != nil)
	}
	if got := strings.ReplaceAll(served.X509.Serial, ":", ""); got != old.SerialNumber.Text(16) {
		t.Errorf("serial %s, the server still has %s", got, old.SerialNumber.Text(16))
	}
	marked := 0
	for _, p := range served.Places {
		if strings.Contains(p.Note, "renewed on disk, not reloaded") {
			marked++
			if p.Source != kube.FromHandshake || p.Severity != kube.Warning || !strings.Contains(p.Renew, "kube-apiserver") {
				t.Errorf("%+v", p)
			}
		}
	}
	if marked == 0 {
		t.Errorf("nothing says that it was renewed and not reloaded: %+v", served.Places)
	}
	if p := onDisk.Place(); p.Note != "" {
		t.Errorf("the file is marked: %+v", p)
	}
}

func byFingerprint(rows []*kube.Cert, c *x509.Certificate) *kube.Cert {
	uid := fmt.Sprintf("sha256:%x", sha256.Sum256(c.Raw))
	for _, row := range rows {
		if row.UID == uid {
			return row
		}
	}
	return nil
}
