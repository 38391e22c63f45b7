package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// balancer stands between the program and the API server, and can forget connections as balancers and firewalls do:
// nothing goes through any more, and nobody is told.
type balancer struct {
	listener net.Listener
	server   string
	forgot   atomic.Pointer[chan struct{}] // closed when the connections so far are forgotten
}

func balance(t *testing.T, server string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, server: server}
	b.remember()
	go b.serve()
	t.Cleanup(func() { _ = l.Close() })
	return b
}

func (b *balancer) remember() {
	c := make(chan struct{})
	b.forgot.Store(&c)
}

// forget lets every open connection die in silence; new ones work.
func (b *balancer) forget() {
	old := b.forgot.Load()
	b.remember()
	close(*old)
}

func (b *balancer) serve() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", b.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		forgot := *b.forgot.Load()
		go pass(client, server, forgot)
		go pass(server, client, forgot)
	}
}

// pass copies until the connection is forgotten; then it reads on, so that the sender believes that all is well.
func pass(from, to net.Conn, forgot chan struct{}) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-forgot:
			_, _ = io.Copy(io.Discard, from)
			return
		default:
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestConnectionThatDiesInSilenceIsReplaced(t *testing.T) {
	raw, err := os.ReadFile(calm.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`server: (https://\S+)`)
	server, err := url.Parse(string(address.FindSubmatch(raw)[1]))
	if err != nil {
		t.Fatal(err)
	}
	b := balance(t, server.Host)
	config := filepath.Join(t.TempDir(), "config")
	through := strings.Replace(string(raw), server.Host, b.listener.Addr().String(), 1)
	if err := os.WriteFile(config, []byte(through), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, config, 120, 40, "pods")
	s.Shows("● live")
	b.forget()
	dead := time.Now()
	s.Press("\x12")
	s.Shows("no answer since")
	noticed := time.Since(dead)
	s.Shows("● live")
	t.Logf("noticed after %v, live on a new connection after %v (HTTP/2's own pings take 45 s)",
		noticed.Round(100*time.Millisecond), time.Since(dead).Round(100*time.Millisecond))
	s.Press("q")
	s.End(0)
	s.clean(s.Written())
}
