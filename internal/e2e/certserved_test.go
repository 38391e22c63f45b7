package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/kube"
	"ktriage/kube/certs"
)

// servedCerts is an inventory of a cluster, as the program has it.
type servedCerts struct {
	t    *testing.T
	kube *kube.Cluster
	all  *certs.Inventory
	now  context.Context
}

// servedBy looks at everything of a cluster until every source has been read.
func servedBy(t *testing.T, kubeconfig string, o certs.Options) *servedCerts {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &kubeconfig
	c, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: "ktriage-e2e/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		t.Fatal(err)
	}
	o.Kubeconfig, o.Context, o.Urgent, o.Root = raw, raw.CurrentContext, true, t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	c.Start(ctx, kube.Nodes|kube.Pods)
	s := &servedCerts{t, c, certs.New(c, o), ctx}
	began := time.Now()
	s.all.Start(ctx)
	select {
	case <-s.all.Complete():
		t.Logf("everything has been read after %v", time.Since(began).Round(time.Millisecond))
	case <-time.After(soon):
		t.Fatalf("after %v not everything has been read: %s", soon, notRead(s.all))
	}
	return s
}

// at gives the row with a place that a handshake has shown, and that place.
func (s *servedCerts) at(where string) (*kube.Cert, kube.CertPlace) {
	s.t.Helper()
	var all []string
	for _, c := range s.all.All() {
		for _, p := range c.Places {
			if p.Source == kube.FromHandshake && p.Where == where {
				return c, p
			}
			if p.Source == kube.FromHandshake {
				all = append(all, p.Where)
			}
		}
	}
	s.t.Fatalf("no handshake has been made with %s, but with %q", where, all)
	return nil, kube.CertPlace{}
}

// unseen are the places that show nothing, and why.
func (s *servedCerts) unseen() (out []string) {
	for _, c := range s.all.All() {
		if c.Unseen != "" {
			out = append(out, c.Name+": "+c.Unseen)
		}
	}
	return out
}

// onDisk is the fingerprint of a certificate of the cluster's pki.
func (c *cluster) onDisk(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.dir, "pki", file))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// ports are where the processes of a cluster listen.
func (c *cluster) ports(t *testing.T) (ports struct{ Etcd, EtcdPeer, APIServer int }) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	state := struct{ Ports any }{Ports: &ports}
	if err := json.Unmarshal(raw, &state); err != nil {
		t.Fatal(err)
	}
	return ports
}

// own brings up a cluster for one test alone, since its certificates are hurt.
func own(t *testing.T, scenario string) *cluster {
	t.Helper()
	c := &cluster{scenario, filepath.Join(t.TempDir(), scenario)}
	t.Cleanup(func() {
		if err := c.down(); err != nil {
			t.Error(err)
		}
	})
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	return c
}

// expire issues the API server's certificate anew with the same key, so that it ended an hour ago. The server reads it at once.
func (c *cluster) expire(t *testing.T) {
	t.Helper()
	block := func(file string) []byte {
		raw, err := os.ReadFile(filepath.Join(c.dir, "pki", file))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := pem.Decode(raw)
		return b.Bytes
	}
	was, err := x509.ParseCertificate(block("apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(block("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := x509.ParsePKCS1PrivateKey(block("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: was.Subject, DNSNames: was.DNSNames, IPAddresses: was.IPAddresses,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour), KeyUsage: was.KeyUsage, ExtKeyUsage: was.ExtKeyUsage,
	}, ca, was.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.dir, "pki", "apiserver.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// host is the address of the control plane.
func (c *cluster) host(t *testing.T) string {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(cfg.Host, "https://")
}

func TestServedCertificatesOfARealControlPlane(t *testing.T) {
	c := own(t, "certs")
	api := c.host(t)
	s := servedBy(t, c.kubeconfig(), certs.Options{Dial: true})

	for where, file := range map[string]string{api: "apiserver.crt", "cp-1:2379": "etcd/server.crt", "cp-1:2380": "etcd/peer.crt"} {
		row, p := s.at(where)
		if row.X509 == nil || row.X509.Fingerprint != c.onDisk(t, file) || p.Danger != kube.BreaksCluster || p.Host != "cp-1" || p.Note != "" {
			t.Errorf("%s is %+v, at %+v, and %s on disk", where, row, p, file)
		}
	}
	for node, want := range map[string]struct {
		says     string
		class    kube.RenewalClass
		severity kube.Severity
	}{
		"self-signed": {"self-signed", kube.ByHand, kube.OK},
		"expired":     {"self-signed", kube.ByHand, kube.Notice},
		"signed":      {"", kube.KubeletRotated, kube.OK},
		"expiring":    {"", kube.KubeletRotated, kube.Bad},
		"mute":        {"timed out after 2s", kube.ByHand, kube.Notice},
		"plain":       {"not TLS", kube.ByHand, kube.Notice},
		"refused":     {"refused", kube.ByHand, kube.Notice},
	} {
		row, p := s.at(node + ":10250")
		says := row.Unseen + p.Note
		if !strings.HasPrefix(says, want.says) || (want.says == "") != (says == "") || p.Class != want.class || p.Host != node {
			t.Errorf("the kubelet of %s says %q, class %d at %s, want %+v", node, says, p.Class, p.Host, want)
		}
		if got := row.Severity(kube.Moment{Now: time.Now()}); got != want.severity {
			t.Errorf("the kubelet of %s is %v, want %v", node, got, want.severity)
		}
	}

	for where, name := range map[string]string{api: "apiserver", "cp-1:2379": "etcd-server", "cp-1:2380": "etcd-peer"} {
		row, p := s.at(where)
		if _, err := c.devcluster("renew", name); err != nil {
			t.Fatal(err)
		}
		var fresh *kube.X509
		await(t, where+" to show the renewed certificate", soon, func() bool {
			var err error
			fresh, err = s.all.Look(s.now, row, p)
			return err == nil && fresh.Fingerprint != row.X509.Fingerprint
		})
		await(t, "the row of "+where+" to follow", soon, func() bool {
			now, place := s.at(where)
			return now.X509.Fingerprint == fresh.Fingerprint && place.Before == row.X509.Fingerprint
		})
	}
	if chain := s.kube.Served().Chain; len(chain) == 0 {
		t.Error("our own connection has shown nothing")
	}
}

func TestWithHandshakesOffOnlyOurOwnConnectionTells(t *testing.T) {
	s := servedBy(t, stages.kubeconfig(), certs.Options{})
	row, p := s.at(stages.host(t))
	if row.X509 == nil || row.X509.Fingerprint != stages.onDisk(t, "apiserver.crt") || p.Note != "" {
		t.Errorf("the row is %+v, at %+v", row, p)
	}
	for _, where := range []string{"every node", "each control plane"} {
		if row, _ := s.at(where); row.Unseen != "handshakes are switched off" {
			t.Errorf("%s: %q", where, row.Unseen)
		}
	}
}

// What etcd listens on is a port of its own here, which kubeadm would note at its Pod.
func TestAMemberOfEtcdIsFoundByItsPod(t *testing.T) {
	s := newStage(t, "etcd")
	ports := stages.ports(t)
	name := "etcd-" + s.name
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"component": "etcd", "tier": "control-plane"},
			Annotations: map[string]string{"kubeadm.kubernetes.io/etcd.advertise-client-urls": fmt.Sprintf("https://127.0.0.1:%d", ports.Etcd)},
		},
		Spec: corev1.PodSpec{NodeName: s.name, Containers: []corev1.Container{{Name: "etcd", Image: "registry.example/etcd"}}},
	}
	pods := s.client.CoreV1().Pods(metav1.NamespaceSystem)
	_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	s.ok(err)
	now := int64(0)
	t.Cleanup(func() {
		_ = pods.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	pod, err = pods.Patch(t.Context(), name, types.MergePatchType, []byte(`{"status":{"hostIP":"127.0.0.1","hostIPs":[{"ip":"127.0.0.1"}]}}`), metav1.PatchOptions{}, "status")
	s.ok(err)
	if pod.Status.HostIP == "" {
		t.Fatal("the pod has no host address")
	}
	all := servedBy(t, stages.kubeconfig(), certs.Options{Dial: true})
	row, p := all.at(fmt.Sprintf("%s:%d", s.name, ports.Etcd))
	if row.X509 == nil || row.X509.Fingerprint != stages.onDisk(t, "etcd/server.crt") || p.Authority != "etcd-ca" || p.Host != s.name {
		t.Errorf("the row is %+v, at %+v", row, p)
	}
}

func TestWhoMayReadNothingStillSeesTheAPIServersCertificate(t *testing.T) {
	s := servedBy(t, stages.named(t, "nobody-in-particular"), certs.Options{Dial: true})
	if row, _ := s.at(stages.host(t)); row.X509 == nil || row.X509.Fingerprint != stages.onDisk(t, "apiserver.crt") {
		t.Errorf("the row is %+v", row)
	}
	for _, name := range []string{"kubelet serving", "etcd", "apiserver"} {
		if !slices.ContainsFunc(s.all.All(), func(c *kube.Cert) bool {
			return c.Name == name && strings.Contains(c.Unseen, "is forbidden") && c.Severity(kube.Moment{Now: time.Now()}) == kube.Notice
		}) {
			t.Errorf("no row says that %s may not be read, but %q", name, s.unseen())
		}
	}
}

func TestAnAPIServerWhoseCertificateHasExpiredIsARowWithItsDate(t *testing.T) {
	c := own(t, "empty")
	c.expire(t)
	fingerprint, api := c.onDisk(t, "apiserver.crt"), c.host(t)
	await(t, "the API server to serve the expired certificate", soon, func() bool {
		conn, err := tls.Dial("tcp", api, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
		return hex.EncodeToString(sum[:]) == fingerprint
	})
	for _, dial := range []bool{true, false} {
		s := servedBy(t, c.kubeconfig(), certs.Options{Dial: dial})
		row, p := s.at(api)
		if row.X509 == nil || row.X509.Fingerprint != fingerprint || row.Severity(kube.Moment{Now: time.Now()}) != kube.Bad || p.Failed != "" {
			t.Errorf("dial %t: the row is %+v, at %+v", dial, row, p)
		}
		if got := row.LeftText(time.Now()); !regexp.MustCompile(`^EXPIRED 6\dm ago$`).MatchString(got) {
			t.Errorf("dial %t: it says %q", dial, got)
		}
	}
	got := ktriage(t, c.kubeconfig(), "certs")
	if got.code != 2 || !strings.Contains(got.out, api) || !regexp.MustCompile(`EXPIRED 6\dm ago`).MatchString(got.out) {
		t.Errorf("ktriage certs ends with %d\n%s\n%s", got.code, got.out, got.err)
	}
}
