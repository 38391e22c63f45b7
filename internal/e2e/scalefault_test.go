package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ktriage/kube/action"
)

// gate is the only way to the API server, and can be shut: connections break, and new ones are refused.
type gate struct {
	server, address string
	mu              sync.Mutex
	listener        net.Listener
	open            []net.Conn
}

func (g *gate) opens(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.listener, g.address = l, l.Addr().String()
	g.mu.Unlock()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", g.server)
			if err != nil {
				_ = client.Close()
				continue
			}
			g.mu.Lock()
			g.open = append(g.open, client, server)
			g.mu.Unlock()
			go func() { _, _ = io.Copy(server, client) }()
			go func() { _, _ = io.Copy(client, server) }()
		}
	}()
}

func (g *gate) shuts() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.listener.Close()
	for _, c := range g.open {
		_ = c.Close()
	}
	g.open = nil
}

func TestScalingIsWatchedOnWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	raw, err := os.ReadFile(stages.kubeconfig())
	h.ok(err)
	server, err := url.Parse(string(regexp.MustCompile(`server: (https://\S+)`).FindSubmatch(raw)[1]))
	h.ok(err)
	g := &gate{server: server.Host, address: "127.0.0.1:0"}
	g.opens(t)
	t.Cleanup(g.shuts)
	config := filepath.Join(t.TempDir(), "config")
	h.ok(os.WriteFile(config, []byte(strings.Replace(string(raw), server.Host, g.address, 1)), 0o600))
	o := stages.operate(t, config)
	s := h.settled("web", 4, slow("", "3s"))
	p, _ := h.scaleTo(o, s, 1)
	d := o.start(p)
	d.await("web-3 terminating", soon, func() bool { return d.step(h.ns+"/web-3").State == action.StepTerminating })
	g.shuts()
	d.await("that the server is not heard", soon, func() bool { return strings.Contains(d.run().Note, "cannot be watched now, trying again") })
	t.Log(d.run().Note)
	await(t, "one pod", soon, func() bool { return len(h.pods("web")) == 1 }) // while nobody looks
	if state := d.run().State; state != action.Running {
		t.Fatalf("without the server the run is %s: %s", state, d.run().Note)
	}
	g.opens(t)
	back := time.Now()
	run, _ := d.finishes(soon)
	t.Logf("%s: %s, %v after the server was back\n%s", run.State, run.Note, time.Since(back).Round(time.Millisecond), d.account())
	if run.State != action.Done {
		t.Errorf("%s: %s", run.State, run.Note)
	}
	onePut(t, o, "web", string(s.UID), 1)
}
