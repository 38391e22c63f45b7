package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/kube"
)

// host is the file system of a node, in a folder of a test.
type host struct {
	t   testing.TB
	dir string
}

func (h host) write(path string, b []byte) {
	h.t.Helper()
	full := filepath.Join(h.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(full, b, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) remove(paths ...string) {
	h.t.Helper()
	for _, p := range paths {
		if err := os.Remove(filepath.Join(h.dir, p)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// config writes a kubeconfig as kubeadm does, with other users before the one that counts.
func (h host) config(path string, certificate, key []byte) {
	user := func(name string, data []byte) string {
		return fmt.Sprintf("- name: %s\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n", name,
			base64.StdEncoding.EncodeToString(data), base64.StdEncoding.EncodeToString(key))
	}
	h.write(path, []byte("apiVersion: v1\nkind: Config\ncurrent-context: me@k\nclusters: []\n"+
		"contexts:\n- {name: other, context: {cluster: k, user: other}}\n- {name: me@k, context: {cluster: k, user: me}}\n"+
		"users:\n"+user("other", []byte("garbage"))+user("me", certificate)))
}

// controlPlane makes what kubeadm init makes, with the dates of the document: 002 853-868.
func controlPlane(t testing.TB) host {
	t.Helper()
	h := host{t, t.TempDir()}
	h.write("etc/hostname", []byte("CP-1\n"))
	h.write("etc/kubernetes/manifests/etcd.yaml", nil)
	caTo := time.Date(2029, 12, 28, 23, 36, 0, 0, time.UTC)
	mints := map[string]*mint{}
	for _, ca := range kubeadmCAs {
		mints[ca.name] = newMint(t, map[string]string{"ca": "kubernetes"}[ca.name]+ca.name, caTo)
		path := filepath.Join(kubeadmDir, ca.path)
		h.write(path, asPEM(mints[ca.name].cert))
		h.write(strings.TrimSuffix(path, ".crt")+".key", keyPEM(t, mints[ca.name].key))
	}
	for _, k := range kubeadmLeaves {
		var names []string
		if k.kind != kube.ClientCert {
			names = []string{"cp-1", "kubernetes", "kubernetes.default", inCluster}
		}
		c := asPEM(mints[k.signer].leaf("kube-"+k.name, mintTo, names...))
		switch {
		case k.name == superAdmin:
		case k.config():
			h.config(filepath.Join(kubeadmDir, k.path), c, keyPEM(t, mints[k.signer].key))
		default:
			h.write(filepath.Join(kubeadmDir, k.path), c)
		}
	}
	return h
}

// find reads every file, as the source does.
func (h host) find() (out []finding) {
	h.t.Helper()
	i := &Inventory{options: Options{Root: h.dir}}
	if err := i.fileSources()[0].read(context.Background(), func(f ...finding) { out = append(out, f...) }); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// rows are what the pane shows of it.
func (h host) rows() (out []*kube.Cert) {
	for _, c := range merge(h.find()) {
		out = append(out, c)
	}
	return out
}

// asKubeadm prints the two tables as certTextPrinter does in cmd/kubeadm/app/cmd/certs.go.
func asKubeadm(rows []*kube.Cert, now time.Time) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 10, 4, 3, ' ', 0)
	answer := map[kube.Answer]string{kube.Yes: "yes", kube.No: "no", kube.NotKnown: "unknown"}
	leaves, authorities := kubeadmTable(rows)
	_, _ = fmt.Fprintln(w, "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED")
	for _, c := range leaves {
		if c.Unseen != "" {
			_, _ = fmt.Fprintf(w, "!%s! %s\t\t\t\t\n", c.Unseen, c.Name)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%-8v\n", c.Name, c.To.UTC().Format("Jan 02, 2006 15:04 MST"), c.ResidualText(now),
			c.Place().Authority, answer[c.Place().External])
	}
	_, _ = fmt.Fprintln(w)
	_, _ = fmt.Fprintln(w, "CERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED")
	for _, c := range authorities {
		if c.Unseen != "" {
			_, _ = fmt.Fprintf(w, "!%s! %s\t\t\t\n", c.Unseen, c.Name)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%-8v\n", c.Name, c.To.UTC().Format("Jan 02, 2006 15:04 MST"), c.ResidualText(now),
			answer[c.Place().External])
	}
	_ = w.Flush()
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.Join(lines, "\n")
}

// ofTheDocument is the table of the document (AC-C1).
const ofTheDocument = `CERTIFICATE                EXPIRES                  RESIDUAL TIME   CERTIFICATE AUTHORITY   EXTERNALLY MANAGED
admin.conf                 Dec 30, 2020 23:36 UTC   364d                                    no
apiserver                  Dec 30, 2020 23:36 UTC   364d            ca                      no
apiserver-etcd-client      Dec 30, 2020 23:36 UTC   364d            etcd-ca                 no
apiserver-kubelet-client   Dec 30, 2020 23:36 UTC   364d            ca                      no
controller-manager.conf    Dec 30, 2020 23:36 UTC   364d                                    no
etcd-healthcheck-client    Dec 30, 2020 23:36 UTC   364d            etcd-ca                 no
etcd-peer                  Dec 30, 2020 23:36 UTC   364d            etcd-ca                 no
etcd-server                Dec 30, 2020 23:36 UTC   364d            etcd-ca                 no
front-proxy-client         Dec 30, 2020 23:36 UTC   364d            front-proxy-ca          no
scheduler.conf             Dec 30, 2020 23:36 UTC   364d                                    no

CERTIFICATE AUTHORITY   EXPIRES                  RESIDUAL TIME   EXTERNALLY MANAGED
ca                      Dec 28, 2029 23:36 UTC   9y              no
etcd-ca                 Dec 28, 2029 23:36 UTC   9y              no
front-proxy-ca          Dec 28, 2029 23:36 UTC   9y              no`

func TestFilesGiveTheTableOfTheDocument(t *testing.T) {
	h := controlPlane(t)
	at := func(now time.Time) string { return asKubeadm(h.rows(), now) }
	if diff := cmp.Diff(ofTheDocument, at(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))); diff != "" {
		t.Errorf("AC-C1 (- the document, + ours):\n%s", diff)
	}
	year := mintTo.Add(-365 * 24 * time.Hour)
	for now, left := range map[time.Time][2]string{ // of leaves, of CAs
		year:                           {"1y", "10y"},
		year.Add(time.Second):          {"364d", "9y"},
		year.Add(24 * time.Hour):       {"364d", "9y"},
		year.Add(24*time.Hour + 1e9):   {"363d", "9y"},
		mintTo.Add(-90 * time.Minute):  {"1h", "9y"},
		mintTo.Add(-119 * time.Second): {"1m", "9y"},
		mintTo:                         {"EXPIRED 0s ago", "9y"},
		mintTo.Add(73 * time.Hour):     {"EXPIRED 3d1h ago", "8y"},
	} {
		want := strings.NewReplacer("364d", left[0], "9y", left[1]).Replace(ofTheDocument)
		if diff := cmp.Diff(squeeze(want), squeeze(at(now))); diff != "" {
			t.Errorf("AC-C2 at %s (- the document, + ours):\n%s", now, diff)
		}
	}
}

// squeeze makes one space of several.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// byName finds the row of kubeadm's name in its table.
func byName(t *testing.T, rows []*kube.Cert, name string) *kube.Cert {
	t.Helper()
	leaves, authorities := kubeadmTable(rows)
	for _, c := range slices.Concat(leaves, authorities) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no row %s", name)
	return nil
}

func TestFileThatOughtToBeThereIsMissing(t *testing.T) {
	h := controlPlane(t)
	h.remove("etc/kubernetes/pki/front-proxy-client.crt", "etc/kubernetes/scheduler.conf", "etc/kubernetes/pki/etcd/ca.crt")
	rows := h.rows()
	for _, name := range []string{"front-proxy-client", "scheduler.conf", "etcd-ca"} {
		if c := byName(t, rows, name); c.Unseen != "MISSING" || c.Severity(kube.Moment{Now: mintFrom}) != kube.Warning {
			t.Errorf("%s: %q, %s", name, c.Unseen, c.Severity(kube.Moment{}))
		}
	}
	if p := byName(t, rows, "etcd-server").Place(); p.External != kube.NotKnown {
		t.Errorf("without its CA etcd-server is externally managed: %s", p.External)
	}
	leaves, _ := kubeadmTable(rows)
	if len(leaves) != 10 {
		t.Errorf("%d leaves: super-admin.conf is on one node only", len(leaves))
	}
}

func TestExternallyManagedIsACertificateOfACAWithoutItsKey(t *testing.T) {
	h := controlPlane(t)
	h.remove("etc/kubernetes/pki/ca.key")
	h.write("etc/kubernetes/pki/etcd/ca.key", []byte("nobody reads this"))
	rows := h.rows()
	for name, want := range map[string]kube.Answer{
		"ca": kube.Yes, "apiserver": kube.Yes, "admin.conf": kube.Yes, "etcd-ca": kube.No, "etcd-peer": kube.No, "front-proxy-client": kube.No,
	} {
		if got := byName(t, rows, name).Place().External; got != want {
			t.Errorf("%s: %s, wanted %s", name, got, want)
		}
	}
	if p := byName(t, rows, "apiserver").Place(); !strings.Contains(p.Renew, "--csr-only") {
		t.Errorf("renew: %q", p.Renew)
	}
}

func TestWorkerMissesNothing(t *testing.T) {
	h := host{t, t.TempDir()}
	if found := h.find(); len(found) != 0 {
		t.Errorf("a machine that is no node: %v", placed(found))
	}
	ca := newMint(t, "kubernetes", mintTo)
	h.write("etc/kubernetes/pki/ca.crt", asPEM(ca.cert))
	want := []string{"ca @ /etc/kubernetes/pki/ca.crt"}
	if diff := cmp.Diff(want, placed(h.find())); diff != "" {
		t.Error(diff)
	}
}

func TestExternalEtcdHasNoFiles(t *testing.T) {
	h := controlPlane(t)
	if err := os.RemoveAll(filepath.Join(h.dir, "etc/kubernetes/pki/etcd")); err != nil {
		t.Fatal(err)
	}
	h.remove("etc/kubernetes/manifests/etcd.yaml", "etc/kubernetes/pki/apiserver-etcd-client.crt")
	leaves, authorities := kubeadmTable(h.rows())
	if len(leaves) != 6 || len(authorities) != 2 {
		t.Errorf("%d leaves and %d CAs; kubeadm has 6 and 2 without etcd", len(leaves), len(authorities))
	}
}

func TestFilesOfAKubelet(t *testing.T) {
	h := host{t, t.TempDir()}
	ca := newMint(t, "kubernetes", mintTo)
	client := ca.leaf("system:node:w-1", mintTo)
	pair := slices.Concat(asPEM(client), keyPEM(t, ca.key))
	h.write("etc/hostname", []byte("w-1"))
	h.write("var/lib/kubelet/pki/kubelet-client-2020-01-01.pem", pair)
	if err := os.Symlink("/var/lib/kubelet/pki/kubelet-client-2020-01-01.pem", filepath.Join(h.dir, "var/lib/kubelet/pki/kubelet-client-current.pem")); err != nil {
		t.Fatal(err)
	}
	h.write("etc/kubernetes/kubelet.conf", []byte("current-context: a\ncontexts: [{name: a, context: {user: u}}]\n"+
		"users: [{name: u, user: {client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem, client-key: /var/lib/kubelet/pki/kubelet-client-current.pem}}]\n"))
	self := newMint(t, "w-1-ca@1577836800", mintTo)
	h.write("var/lib/kubelet/pki/kubelet.crt", asPEM(self.leaf("w-1@1577836800", mintTo, "w-1"), self.cert))
	rows := h.rows()
	if len(rows) != 2 {
		t.Fatalf("%d rows, wanted the client's once and what is served", len(rows))
	}
	slices.SortFunc(rows, func(a, b *kube.Cert) int { return strings.Compare(a.Kind.String(), b.Kind.String()) })
	if c := rows[0]; len(c.Places) != 2 || c.Places[0].Class != kube.KubeletRotated || c.Places[0].Host != "w-1" || c.Kind != kube.ClientCert {
		t.Errorf("client: %+v", c)
	}
	if c := rows[1]; c.Places[0].Class != kube.ByHand || len(c.Chain) != 1 || c.Name != "kubelet serving" {
		t.Errorf("serving: %+v", c)
	}
	// Kubelets of a year ago have one that has expired, and nobody minds. If somebody has put it there, somebody verifies it.
	expired := kube.Moment{Now: mintTo.Add(day)}
	if c := rows[1]; c.Severity(expired) != kube.Notice {
		t.Errorf("expired, what the kubelet has signed itself is %s", c.Severity(expired))
	}
	h.write("var/lib/kubelet/pki/kubelet.crt", asPEM(ca.leaf("w-1", mintTo, "w-1")))
	if c := found(t, h.find(), "kubelet serving"); c.Severity(expired) != kube.Bad {
		t.Errorf("expired, what somebody has put there is %s", c.Severity(expired))
	}
}

func TestEveryBlockOfAFileCounts(t *testing.T) {
	h := controlPlane(t)
	ca := newMint(t, "kubernetes", mintTo.AddDate(5, 0, 0))
	older := newMint(t, "kubernetes", mintTo)
	h.write("etc/kubernetes/pki/ca.crt", asPEM(older.cert, ca.cert))
	soon := newMint(t, "intermediate", mintTo.AddDate(0, -6, 0))
	h.write("etc/kubernetes/pki/apiserver.crt", asPEM(ca.leaf("kube-apiserver", mintTo, inCluster), soon.sign(&x509.Certificate{
		NotAfter: mintTo.AddDate(0, -6, 0), IsCA: true, BasicConstraintsValid: true,
	}, soon.key)))
	rows := h.rows()
	if got := byName(t, rows, "apiserver").Ends(); !got.Equal(mintTo.AddDate(0, -6, 0)) {
		t.Errorf("the chain of the API server ends at %s", got)
	}
	n := 0
	for _, c := range rows {
		if c.Name == "ca" {
			n++
		}
	}
	if c := byName(t, rows, "ca"); n != 2 || !c.To.Equal(mintTo.AddDate(5, 0, 0)) {
		t.Errorf("%d CAs, the table has that until %s", n, c.To)
	}
}

func TestOnlyOrdinaryFilesAreOpened(t *testing.T) {
	h := controlPlane(t)
	pki := filepath.Join(h.dir, "etc/kubernetes/pki")
	h.remove("etc/kubernetes/pki/apiserver.crt", "etc/kubernetes/pki/front-proxy-client.crt", "etc/kubernetes/pki/ca.crt",
		"etc/kubernetes/pki/etcd/peer.crt", "etc/kubernetes/pki/etcd/server.crt")
	for _, err := range []error{
		syscall.Mkfifo(filepath.Join(pki, "apiserver.crt"), 0o600),
		os.Symlink("/etc/kubernetes/pki/front-proxy-client.crt", filepath.Join(pki, "front-proxy-client.crt")),
		os.Mkdir(filepath.Join(pki, "ca.crt"), 0o700),
		os.Symlink("../../../../../../../../../../etc/hostname", filepath.Join(pki, "etcd/peer.crt")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.write("etc/kubernetes/pki/etcd/server.crt", bytes.Repeat([]byte("x"), mostBytes+1))
	h.write("etc/kubernetes/admin.conf", []byte("{ secret: [ unfinished"))
	h.write("etc/kubernetes/scheduler.conf", []byte("users: [{name: a, user: {client-certificate-data: SECRET*}}]"))
	rows := h.rows()
	for name, want := range map[string]string{
		"apiserver": "it is no regular file", "ca": "it is no regular file", "front-proxy-client": "too many symbolic links",
		"etcd-server": "it is longer than 1 MiB", "etcd-peer": "no certificate in it", "admin.conf": "it is no kubeconfig that can be read",
		"scheduler.conf": "it is no kubeconfig that can be read",
	} {
		if c := byName(t, rows, name); c.Unseen != want {
			t.Errorf("%s: %q, wanted %q", name, c.Unseen, want)
		}
	}
}

func TestWhatMayNotBeReadSaysSo(t *testing.T) {
	if got := whyNot(&os.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}); got != "permission denied: run as root to read it" {
		t.Error(got)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	h := controlPlane(t)
	if err := os.Chmod(filepath.Join(h.dir, "etc/kubernetes/admin.conf"), 0); err != nil {
		t.Fatal(err)
	}
	if c := byName(t, h.rows(), "admin.conf"); c.Unseen != "permission denied: run as root to read it" {
		t.Errorf("%q", c.Unseen)
	}
}

func TestFilesOfOtherDistributions(t *testing.T) {
	h := host{t, t.TempDir()}
	ca := newMint(t, "k3s-server-ca@1", mintTo)
	server, client := asPEM(ca.leaf("k3s", mintTo, inCluster), ca.cert), asPEM(ca.leaf("system:kube-scheduler", mintTo))
	for path, b := range map[string][]byte{
		"var/lib/rancher/k3s/server/tls/serving-kube-apiserver.crt":           server,
		"var/lib/rancher/k3s/server/tls/server-ca.crt":                        asPEM(ca.cert),
		"var/lib/rancher/k3s/server/tls/server-ca.key":                        keyPEM(t, ca.key),
		"var/lib/rancher/k3s/server/tls/client-scheduler.crt":                 client,
		"var/lib/rancher/k3s/server/tls/etcd/client.crt":                      client,
		"var/lib/rancher/k3s/agent/serving-kubelet.crt":                       asPEM(ca.leaf("node", mintTo, "node")),
		"var/lib/rancher/k3s/agent/containerd/x.crt":                          asPEM(ca.leaf("image", mintTo, "image")),
		"var/lib/k0s/pki/broken.crt":                                          []byte("-----BEGIN CERTIFICATE-----\n"),
		"system/secrets/etcd/server.crt":                                      asPEM(ca.leaf("talos", mintTo, "t")),
		"etc/kubernetes/static-pod-resources/a/secrets/b/tls.crt":             asPEM(ca.leaf("openshift", mintTo, "o")),
		"etc/kubernetes/static-pod-resources/a/secrets/b/tls.key":             keyPEM(t, ca.key),
		"etc/kubernetes/static-pod-resources/1/2/3/4/5/6/too-deep/x/deep.crt": asPEM(ca.leaf("deep", mintTo, "o")),
	} {
		h.write(path, b)
	}
	want := []string{
		"b tls @ /etc/kubernetes/static-pod-resources/a/secrets/b/tls.crt", "broken @ /var/lib/k0s/pki/broken.crt ? no certificate in it: block 1: it has no end",
		"client-scheduler @ /var/lib/rancher/k3s/server/tls/client-scheduler.crt", "etcd client @ /var/lib/rancher/k3s/server/tls/etcd/client.crt",
		"etcd server @ /system/secrets/etcd/server.crt", "server-ca @ /var/lib/rancher/k3s/server/tls/server-ca.crt",
		"serving-kube-apiserver @ /var/lib/rancher/k3s/server/tls/serving-kube-apiserver.crt", "serving-kubelet @ /var/lib/rancher/k3s/agent/serving-kubelet.crt",
	}
	found := h.find()
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(placed(found)))); diff != "" {
		t.Error(diff)
	}
	for _, f := range found {
		p := f.cert.Places[0]
		if f.cert.Name == "server-ca" && (p.Class != kube.OfAuthority || f.cert.Kind != kube.Authority) ||
			f.cert.Name == "serving-kubelet" && p.Danger != kube.BreaksNode || f.cert.Name == "etcd client" && f.cert.Kind != kube.ClientCert {
			t.Errorf("%+v", f.cert)
		}
	}
}
