package e2e

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"ktriage/kube/action"
	"ktriage/kube/remove"
)

// deaf stands between the program and the API server. While it is deaf requests go through, and answers do not.
type deaf struct {
	listener net.Listener
	server   string
	on       atomic.Bool
}

// deafen gives a kubeconfig that goes through it.
func deafen(t *testing.T, kubeconfig string) (*deaf, string) {
	t.Helper()
	raw, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(string(regexp.MustCompile(`server: (https://\S+)`).FindSubmatch(raw)[1]))
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{server: server.Host}
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.listener.Close() })
	go d.serve()
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(strings.Replace(string(raw), server.Host, d.listener.Addr().String(), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return d, config
}

func (d *deaf) serve() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", d.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		lost := &atomic.Bool{}
		go d.pass(client, server, nil)
		go d.pass(server, client, lost)
	}
}

// pass copies; what comes while it is deaf is lost, and the connection with it.
func (d *deaf) pass(from, to net.Conn, lost *atomic.Bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if lost != nil && d.on.Load() {
			lost.Store(true)
		}
		if lost != nil && lost.Load() {
			if !d.on.Load() {
				return
			}
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestDeleteWithoutAnAnswerIsFoundOut(t *testing.T) {
	t.Parallel()
	g := stake(t)
	hand := g.node(onHand)
	d, config := deafen(t, stages.kubeconfig())
	through := &ground{operator: stages.operate(t, config), namespace: g.namespace, ctx: g.ctx, world: g.world}
	for id, options := range map[action.ID]action.Options{
		action.DeletePod:   nil,
		action.ForceDelete: {remove.OptionAnyway: action.On, remove.OptionAssert: action.On},
	} {
		pod := g.pod("lost-"+strings.ReplaceAll(string(id), ".", "-"), hand, graceOf(3600))
		await(t, "a plan", soon, func() bool {
			_, err := through.runner.Plan(g.ctx, id, through.to(pod), options)
			return err == nil
		})
		p := through.planOf(id, through.to(pod), options)
		before := len(through.sent())
		d.on.Store(true)
		run := through.start(p)
		await(t, "the server has done it", soon, func() bool { p := g.get(pod); return p == nil || p.DeletionTimestamp != nil })
		if s := run.step(pod.FullName()); s.State != action.StepAsking {
			t.Errorf("%s: %v before there was an answer", id, s.State)
		}
		d.on.Store(false)
		run.await("what has happened is found out", soon, func() bool {
			s := run.step(pod.FullName()).State
			return s == action.StepTerminating || s == action.StepGone
		})
		if id == action.DeletePod {
			run.cancelled()
		} else if end, took := run.finishes(soon); end.State != action.Done {
			t.Errorf("%v after %v: %s", end.State, took, end.Note)
		}
		deletes := through.sent()[before:]
		if len(deletes) != 1 || !strings.Contains(string(deletes[0].RequestObject), pod.UID) {
			t.Errorf("%s: %d requests: %+v", id, len(deletes), deletes)
		}
	}
}
