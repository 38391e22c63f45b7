package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// fleet is a network of nodes in memory, whose kubelets all show the same certificate or say nothing.
type fleet struct {
	own  tls.Certificate
	mute func(node int) bool // answers nothing, not even that it is not there
	gone func(node int) bool // refuses

	mu           sync.Mutex
	dialled      map[string]int // by address
	now, highest int            // connections at a time
}

func address(node int) string { return fmt.Sprintf("10.1.%d.%d", node/250, 1+node%250) }

func nodeName(node int) string { return fmt.Sprintf("node-%04d", node) }

func newFleet(t *testing.T) *fleet {
	ca := newMint(t, "kubernetes", time.Now().Add(1000*day))
	template := server("system:node:any", 300*day)
	template.Subject.Organization = []string{"system:nodes"}
	no := func(int) bool { return false }
	return &fleet{own: ca.pair(template), mute: no, gone: no, dialled: map[string]int{}}
}

// dial implements the dialer's. A handshake takes the server 20 ms.
func (f *fleet) dial(ctx context.Context, _, to string) (net.Conn, error) {
	host, _, _ := strings.Cut(to, ":")
	var a, b int
	if _, err := fmt.Sscanf(host, "10.1.%d.%d", &a, &b); err != nil {
		return nil, err
	}
	node := a*250 + b - 1
	f.mu.Lock()
	f.dialled[to]++
	f.now++
	f.highest = max(f.highest, f.now)
	f.mu.Unlock()
	done := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.now--
	}
	switch {
	case f.mute(node):
		<-ctx.Done()
		done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	case f.gone(node):
		done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go func() {
		<-time.After(20 * time.Millisecond)
		conn := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{f.own}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12})
		_ = conn.Handshake()
		_, _ = io.Copy(io.Discard, conn)
	}()
	return &counted{Conn: ours, closed: sync.OnceFunc(done)}, nil
}

// counted says when it is closed.
type counted struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}

// nodesOf gives so many nodes, a page of 500 at a time.
func nodesOf(n int) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		from := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &from)
		list := &corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}}
		for k := from; k < min(n, from+pageSize); k++ {
			node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(k)}}
			node.Status.Addresses = []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: nodeName(k)}, {Type: corev1.NodeInternalIP, Address: address(k)},
			}
			list.Items = append(list.Items, node)
		}
		if from+pageSize < n {
			list.Continue = fmt.Sprint(from + pageSize)
		}
		return http.StatusOK, list
	}
}

// sweeping is the source of kubelets before so many nodes.
func sweeping(t *testing.T, f *fleet, nodes int) (*Inventory, *reading, *api) {
	a := newAPI(t)
	a.answers["/api/v1/nodes"] = nodesOf(nodes)
	i := a.inventory(Options{Dial: true})
	i.dialer.dial = f.dial
	s := i.kubeletSources()[0]
	i.sources, i.found = []*source{s}, map[*source]map[string]finding{s: {}}
	return i, &reading{source: s, inventory: i, again: newSignal(), anew: newSignal()}, a
}

func (f *fleet) read(t *testing.T, r *reading) time.Duration {
	t.Helper()
	began := time.Now()
	if err := r.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > patience+dialLimit {
		t.Errorf("a reading took %v", took)
	}
	return time.Since(began)
}

// unseenRows are those without a certificate, as words.
func unseenRows(i *Inventory) (out []string) {
	for _, c := range i.Now() {
		if c.Unseen != "" {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s, %s: %s (%s)", c.Name, c.Place().Where, c.Unseen, c.Place().Note), " ()"))
		}
	}
	slices.Sort(out)
	return out
}

func seenPlaces(i *Inventory) (n int) {
	for _, c := range i.Now() {
		if c.X509 != nil {
			n += len(c.Places)
		}
	}
	return n
}

func TestAThousandNodesAreSeenWithinTenSecondsThoughSomeAreDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.mute = func(node int) bool { return node%25 == 0 } // 40: 5 s of 16 that wait 2 s each
		i, r, _ := sweeping(t, f, 1000)
		took := f.read(t, r)
		t.Logf("1,000 nodes, 40 of them mute: %v, at most %d at a time", took, f.highest)
		if f.highest != dials {
			t.Errorf("%d handshakes at a time, want %d", f.highest, dials)
		}
		// 40 * 2 s and 960 * 20 ms, 16 at a time, and one round more at the end.
		if most := (40*dialLimit+960*20*time.Millisecond)/dials + dialLimit; took > most {
			t.Errorf("it took %v, want %v at most", took, most)
		}
		if n := seenPlaces(i); n != 960 {
			t.Errorf("%d kubelets are seen, want 960", n)
		}
		rows := unseenRows(i)
		if len(rows) != 40 || rows[1] != "kubelet serving, node-0025:10250: timed out after 2s" {
			t.Errorf("%d rows, such as %q", len(rows), rows[:min(2, len(rows))])
		}
		if rest := r.source.rest(); rest != everyDial {
			t.Errorf("it is read again after %v", rest)
		}
		synctest.Wait()
		if f.now != 0 {
			t.Errorf("%d connections are left open", f.now)
		}
	})
}

func TestFiveThousandSilentNodesAreOneRowAndHoldNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.mute = func(node int) bool { return node > 1 }
		i, r, a := sweeping(t, f, 5000)
		if took := f.read(t, r); took > 6*time.Second {
			t.Errorf("the first reading took %v", took)
		}
		rows := unseenRows(i)
		asked := len(f.dialled) - 2
		want := fmt.Sprintf("kubelet serving, %s: timed out after 2s (%s nodes have not been asked yet)", text.Plural(asked, "node", "nodes"), text.Count(4998-asked))
		if len(rows) != 1 || rows[0] != want || asked > 50 {
			t.Errorf("rows %q, want %q", rows, want)
		}
		if n := seenPlaces(i); n != 2 {
			t.Errorf("%d kubelets are seen, want 2", n)
		}
		if rest := r.source.rest(); rest != sweepRestSilent {
			t.Errorf("it goes on after %v, want %v", rest, sweepRestSilent)
		}
		readings := 1
		for began := time.Now(); len(f.dialled) < 5000 && time.Since(began) < time.Hour; readings++ {
			time.Sleep(r.source.rest())
			f.read(t, r)
		}
		rows = unseenRows(i)
		if len(rows) != 1 || rows[0] != "kubelet serving, 4,998 nodes: timed out after 2s" || seenPlaces(i) != 2 {
			t.Errorf("in the end: rows %q and %d kubelets", rows, seenPlaces(i))
		}
		if r.source.rest() != everyDial || f.highest > dials {
			t.Errorf("it rests for %v, and had %d handshakes at a time", r.source.rest(), f.highest)
		}
		if pages := len(a.requests("/nodes")); pages != 10 {
			t.Errorf("nodes were listed in %d pages, want 10 of 500", pages)
		}
		for to, n := range f.dialled {
			if n != 1 {
				t.Errorf("%s was dialled %d times in one round", to, n)
			}
		}
		t.Logf("5,000 nodes, all but two mute: one row after the first reading, all asked after %d readings", readings)
	})
}

func TestNodesTooManyForOneReadingAreReadInPartsOneSoonAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.mute = func(node int) bool { return node%10 == 0 } // 200: too many for one reading, too few for one row
		i, r, _ := sweeping(t, f, 2000)
		began, before := time.Now(), 0
		for len(f.dialled) < 2000 && time.Since(began) < 10*time.Minute {
			f.read(t, r)
			if n := seenPlaces(i); n < before {
				t.Errorf("of %d kubelets %d are left", before, n)
			} else {
				before = n
			}
			time.Sleep(min(r.source.rest(), sweepRest))
		}
		if rows := unseenRows(i); seenPlaces(i) != 1800 || len(rows) != 200 {
			t.Errorf("%d kubelets are seen, and %d are not", seenPlaces(i), len(rows))
		}
		t.Logf("2,000 nodes, a tenth of them mute: %v", time.Since(began))
	})
}

func TestAKubeletThatFallsSilentKeepsItsRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		silent := false
		f.mute = func(int) bool { return silent }
		i, r, _ := sweeping(t, f, 40)
		f.read(t, r)
		silent = true
		time.Sleep(everyDial)
		f.read(t, r)
		f.read(t, r)
		if n := seenPlaces(i); n != 40 || len(unseenRows(i)) != 0 {
			t.Fatalf("%d kubelets are seen, beside %q", n, unseenRows(i))
		}
		for _, p := range i.Now()[0].Places {
			if p.Failed != "timed out after 2s" {
				t.Errorf("%s: failed %q", p.Where, p.Failed)
			}
		}
	})
}

// Of 34 nodes 17 are mute: not more than half. 15 refuse, and two answer.
func TestThirtyNodesOfOneReasonAreOneRowAndSixteenAreNot(t *testing.T) {
	for nodes, want := range map[int]int{30: 1, 16: 16, 34: 32} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.gone = func(node int) bool { return node < 30 && (nodes != 34 || node%2 == 0) }
			f.mute = func(node int) bool { return nodes == 34 && node%2 == 1 }
			i, r, _ := sweeping(t, f, nodes)
			f.read(t, r)
			for len(f.dialled) < nodes {
				f.read(t, r)
			}
			if rows := unseenRows(i); len(rows) != want {
				t.Errorf("%d nodes give %d rows, want %d: %q", nodes, len(rows), want, rows)
			}
		})
	}
}

func TestNodesThatMayNotBeListedAreAFailureOfTheSource(t *testing.T) {
	f := newFleet(t)
	i, r, a := sweeping(t, f, 10)
	a.forbids("/api/v1/nodes")
	if err := r.once(t.Context()); err == nil || len(f.dialled) != 0 {
		t.Errorf("%v, and %d handshakes", err, len(f.dialled))
	}
	rows := i.Now()
	if len(rows) != 1 || rows[0].Name != "kubelet serving" || rows[0].Severity(kube.Moment{Now: time.Now()}) != kube.Notice {
		t.Errorf("rows %+v", rows)
	}
}

func TestWithHandshakesOffThereIsOneRowOfKubeletsAndNoList(t *testing.T) {
	a := newAPI(t)
	i := a.inventory(Options{})
	i.dialer.dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("something was dialled")
		return nil, io.EOF
	}
	all := reads(t, i.kubeletSources()[0].read)
	if len(all) != 1 || all[0].cert.Unseen != "handshakes are switched off" || all[0].cert.Place().Where != "every node" {
		t.Errorf("it finds %+v", all)
	}
	if len(a.asked) != 0 {
		t.Errorf("the API was asked for %q", a.asked)
	}
}

func TestSilentKubeletsDoNotKeepEtcdWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.mute = func(node int) bool { return node > 0 }
		i, r, _ := sweeping(t, f, 5000)
		swept := make(chan error, 1)
		go func() { swept <- r.once(t.Context()) }()
		<-time.After(time.Second) // by now 16 wait
		began := time.Now()
		chain, err := i.dialer.handshake(t.Context(), address(0)+":2379", "")
		if took := time.Since(began); err != nil || len(chain) == 0 || took > dialLimit {
			t.Errorf("after %v: %v", took, err)
		}
		if err := <-swept; err != nil {
			t.Error(err)
		}
	})
}

// Handshakes are made every five minutes, and lists read every ten, unless somebody does not believe them.
func TestNodesAreListedNoMoreOftenThanLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.has(pathNodes, nodeList(controlNode("cp-1", "10.0.0.1", 0)))
		a.has(pathPods, podList())
		i := a.inventory(Options{Dial: true, Urgent: true})
		i.dialer.dial = network{}.dial
		i.sources = slices.Concat(i.kubeletSources(), i.etcdSources())
		i.found, i.unread = map[*source]map[string]finding{}, map[*source]struct{}{}
		for _, s := range i.sources {
			i.found[s], i.unread[s] = map[string]finding{}, struct{}{}
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		i.Start(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(a.requests(pathNodes)); n < 6 || n > 7 {
			t.Errorf("in an hour they were listed %d times", n)
		}
		before := len(a.requests(pathNodes))
		i.cluster.ReadAgain()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(a.requests(pathNodes)) - before; n < 1 || n > 2 {
			t.Errorf("when somebody asks anew they are listed %d times", n)
		}
	})
}
