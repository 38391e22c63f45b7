package kubelets

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/devcluster/pki"
)

var created = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// host is an address of this test's own.
const host = "127.0.253.7"

// node gives the node "worker" with a kubelet at a free port of host.
func node(t *testing.T, how string) *corev1.Node {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker", CreationTimestamp: metav1.NewTime(created)}}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "worker"}, {Type: corev1.NodeInternalIP, Address: host}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(l.Addr().(*net.TCPAddr).Port)
	if how != "" {
		n.Annotations = map[string]string{Annotation: how}
	}
	return n
}

// testFleet is one of a cluster whose CA is in the folder, and whose kwok says who asked.
func testFleet(t *testing.T) (*fleet, string) {
	t.Helper()
	dir := t.TempDir()
	if err := pki.Make(dir, created, pki.Options{}); err != nil {
		t.Fatal(err)
	}
	ca, err := pki.Load(filepath.Join(dir, "pki", "ca"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{ca: ca, by: map[string]*kubelet{}, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "answer to ", r.URL.Path)
	})}
	t.Cleanup(f.close)
	return f, dir
}

// shown gives the chain that a handshake with the node's kubelet shows.
func shown(t *testing.T, n *corev1.Node) []*x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address(n), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates
}

func TestASelfSignedKubeletNamesItselfAsTheRealOneDoes(t *testing.T) {
	f, _ := testFleet(t)
	n := node(t, `{"age": "48h", "ends": "100h"}`)
	f.follow(n)
	chain := shown(t, n)
	begins := created.Add(-48 * time.Hour)
	if len(chain) != 2 || chain[0].Subject.CommonName != fmt.Sprintf("worker@%d", begins.Unix()) ||
		chain[1].Subject.CommonName != fmt.Sprintf("worker-ca@%d", begins.Unix()) {
		t.Fatalf("%d certificates: %s", len(chain), chain[0].Subject)
	}
	if !chain[0].NotBefore.Equal(begins) || !chain[0].NotAfter.Equal(created.Add(100*time.Hour)) {
		t.Errorf("lives from %v to %v", chain[0].NotBefore, chain[0].NotAfter)
	}
	if err := chain[0].CheckSignatureFrom(chain[1]); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"worker", host} {
		if err := chain[0].VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

func TestASignedKubeletVerifiesAgainstTheCluster(t *testing.T) {
	f, dir := testFleet(t)
	n := node(t, `{"signed": true}`)
	f.follow(n)
	cert := shown(t, n)[0]
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "ca.crt"), filepath.Join(dir, "pki", "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: created.Add(time.Hour), DNSName: "worker"}); err != nil {
		t.Error(err)
	}
	if cert.Subject.CommonName != "system:node:worker" || fmt.Sprint(cert.Subject.Organization) != "[system:nodes]" {
		t.Errorf("subject %s", cert.Subject)
	}
}

func TestAKubeletAnswersAsItsNodeSaysNow(t *testing.T) {
	f, _ := testFleet(t)
	n := node(t, `{"signed": true}`)
	f.follow(n)
	first := shown(t, n)[0]
	f.follow(n.DeepCopy())
	if !shown(t, n)[0].Equal(first) {
		t.Error("nothing changed but the certificate")
	}
	n.Annotations[Annotation] = `{"signed": true, "ends": "-1h"}`
	f.follow(n)
	if got := shown(t, n)[0]; got.Equal(first) || !got.NotAfter.Before(created) {
		t.Errorf("still ends at %v", got.NotAfter)
	}
	n.Annotations = nil
	f.follow(n)
	refused(t, n)
	n.Annotations = map[string]string{Annotation: `{}`}
	f.follow(n)
	shown(t, n)
	f.forget(n.Name)
	refused(t, n)
}

func refused(t *testing.T, n *corev1.Node) {
	t.Helper()
	if c, err := net.Dial("tcp", address(n)); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = c.Close()
		}
		t.Errorf("a node without a kubelet: %v", err)
	}
}

func TestAMuteKubeletAcceptsAndSaysNothing(t *testing.T) {
	f, _ := testFleet(t)
	n := node(t, `{"answers": "never"}`)
	f.follow(n)
	dialer := &net.Dialer{Timeout: 200 * time.Millisecond}
	_, err := tls.DialWithDialer(dialer, "tcp", address(n), &tls.Config{InsecureSkipVerify: true})
	if slow := net.Error(nil); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("got %v", err)
	}
}

func TestAPlainKubeletSpeaksHTTP(t *testing.T) {
	f, _ := testFleet(t)
	n := node(t, `{"answers": "http"}`)
	f.follow(n)
	_, err := tls.Dial("tcp", address(n), &tls.Config{InsecureSkipVerify: true})
	if header := (tls.RecordHeaderError{}); !errors.As(err, &header) {
		t.Errorf("got %v", err)
	}
	if got := ask(t, "http://"+address(n)+"/metrics"); got != "answer to /metrics" {
		t.Errorf("got %q", got)
	}
}

func TestRequestsAreHandedOn(t *testing.T) {
	f, _ := testFleet(t)
	n := node(t, `{}`)
	f.follow(n)
	if got := ask(t, "https://"+address(n)+"/metrics/nodes/worker"); got != "answer to /metrics/nodes/worker" {
		t.Errorf("got %q", got)
	}
}

func ask(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Only loopback addresses: nothing of this is for anybody else to reach.
func TestANodeElsewhereHasNoListener(t *testing.T) {
	n := node(t, `{}`)
	n.Status.Addresses[1].Address = "192.0.2.7"
	if got := address(n); got != "" {
		t.Errorf("listens at %s", got)
	}
	f, _ := testFleet(t)
	f.follow(n)
	if len(f.by) != 0 {
		t.Error("there is a kubelet")
	}
}

func TestAnAnnotationThatCannotBeReadIsNamed(t *testing.T) {
	for _, how := range []string{`{"age": "soon"}`, `not JSON`, `{"signed": "perhaps"}`, `{"answers": "sometimes"}`} {
		if _, err := readServing(node(t, how)); err == nil || !strings.Contains(err.Error(), "the node worker") {
			t.Errorf("%s: %v", how, err)
		}
	}
}
