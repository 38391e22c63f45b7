package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// where reads the address of the control plane from state.json.
func where(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Host string }
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	return state.Host
}

// served gives the certificate that a handshake shows.
func served(t *testing.T, host string, port int) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", fmt.Sprintf("%s:%d", host, port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0]
}

// onDisk reads a certificate of the cluster.
func onDisk(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", name+".crt"), filepath.Join(dir, "pki", name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestCertificatesOfARunningClusterEndAndAreRenewed(t *testing.T) {
	bin := binaries(t)
	dir := folder(t, bin)
	if _, _, ok := devcluster(t, bin, "up", "--scenario", "certs", "--dir", dir, "--life", "apiserver=6d", "--life", "etcd-peer=-2h"); !ok {
		t.Fatal("up failed")
	}
	host := where(t, dir)
	if !strings.HasPrefix(host, "127.0.") || host == "127.0.0.1" {
		t.Fatalf("the control plane is at %q", host)
	}
	for name, port := range map[string]int{"apiserver": 6443, "etcd/server": 2379, "etcd/peer": 2380} {
		if !served(t, host, port).Equal(onDisk(t, dir, name)) {
			t.Errorf("port %d does not show %s", port, name)
		}
	}
	if left := time.Until(served(t, host, 6443).NotAfter); left > 6*24*time.Hour {
		t.Errorf("the API server's certificate lives %s", left)
	}
	if peer := served(t, host, 2380); peer.NotAfter.After(time.Now()) {
		t.Errorf("etcd's peer certificate ends at %v", peer.NotAfter)
	}
	slice, _, _ := devcluster(t, bin, "kubectl", "--dir", dir, "get", "endpointslice", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}")
	if slice != host {
		t.Errorf("the kubernetes Service leads to %s, not to %s", slice, host)
	}
	t.Run("a renewed certificate is served soon", func(t *testing.T) {
		if _, _, ok := devcluster(t, bin, "renew", "apiserver", "etcd-server", "--days", "90", "--dir", dir); !ok {
			t.Fatal("renew failed")
		}
		if !served(t, host, 2379).Equal(onDisk(t, dir, "etcd/server")) {
			t.Error("etcd does not show what was renewed")
		}
		limit := time.After(70 * time.Second) // it looks every minute where it is not told of changes
		for tick := time.Tick(100 * time.Millisecond); !served(t, host, 6443).Equal(onDisk(t, dir, "apiserver")); {
			select {
			case <-limit:
				t.Fatal("kube-apiserver does not show what was renewed")
			case <-tick:
			}
		}
	})
	t.Run("one whose key does not fit is not", func(t *testing.T) {
		before := served(t, host, 6443)
		if _, _, ok := devcluster(t, bin, "renew", "apiserver", "--keep-key", "--dir", dir); !ok {
			t.Fatal("renew failed")
		}
		_, text, ok := devcluster(t, bin, "restart", "kube-apiserver", "--dir", dir)
		if ok {
			t.Error("it started with a key that does not fit")
		}
		says(t, text, "kube-apiserver failed", "does not match")
		if _, _, ok := devcluster(t, bin, "renew", "apiserver", "--dir", dir); !ok {
			t.Fatal("renew failed")
		}
		if _, _, ok := devcluster(t, bin, "start", "kube-apiserver", "--dir", dir); !ok {
			t.Fatal("start failed")
		}
		if served(t, host, 6443).Equal(before) {
			t.Error("after all that it shows the old one")
		}
	})
	t.Run("a kubelet that is started again shows what it had", func(t *testing.T) {
		kubelet := host[:len(host)-1] + "2"
		before := served(t, kubelet, 10250)
		if _, _, ok := devcluster(t, bin, "restart", "kubelets", "--dir", dir); !ok {
			t.Fatal("restart failed")
		}
		limit := time.After(20 * time.Second)
		for tick := time.Tick(100 * time.Millisecond); ; {
			if c, err := tls.Dial("tcp", kubelet+":10250", &tls.Config{InsecureSkipVerify: true}); err == nil {
				_ = c.Close()
				break
			}
			select {
			case <-limit:
				t.Fatal("it does not listen any more")
			case <-tick:
			}
		}
		if !served(t, kubelet, 10250).Equal(before) {
			t.Error("it shows another certificate")
		}
	})
	state, _, _ := devcluster(t, bin, "status", "--dir", dir)
	if strings.Count(state, " runs ") != 7 {
		t.Errorf("status: %s", state)
	}
	if _, text, ok := devcluster(t, bin, "down", "--dir", dir); !ok || !strings.Contains(text, "7 components ended") {
		t.Errorf("down: %s", text)
	}
	gone(t, dir)
}
