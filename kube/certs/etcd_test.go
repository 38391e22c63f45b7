package certs

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func podList(pods ...corev1.Pod) *corev1.PodList {
	return &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: pods}
}

func etcdPod(node, hostIP, url string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "etcd-" + node, Namespace: "kube-system"}}
	if url != "" {
		p.Annotations = map[string]string{etcdURL: url}
	}
	p.Spec.NodeName, p.Status.HostIP = node, hostIP
	return p
}

func nodeList(nodes ...corev1.Node) *corev1.NodeList {
	return &corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}, Items: nodes}
}

const (
	pathNodes = "/api/v1/nodes"
	pathPods  = "/api/v1/namespaces/kube-system/pods"
)

// network answers dials by address: with a server that shows a certificate, or with an error.
type network map[string]func() (net.Conn, error)

func (n network) dial(_ context.Context, _, address string) (net.Conn, error) {
	if answer := n[address]; answer != nil {
		return answer()
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// shows has a server at an address that wants a client certificate, as etcd does.
func (n network) shows(address string, own tls.Certificate) {
	n[address] = func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			_ = tls.Server(theirs, &tls.Config{
				Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert,
			}).Handshake()
		}()
		return ours, nil
	}
}

func TestMembersOfEtcdAreWhereTheControlPlaneIs(t *testing.T) {
	ca := newMint(t, "etcd-ca", time.Now().Add(1000*day))
	worker := controlNode("worker", "10.0.0.9", 0)
	worker.Labels = nil
	lite := controlNode("k3s", "10.0.0.5", 0)
	lite.Status.NodeInfo.KubeletVersion = "v1.36.3+k3s1"
	onlyEtcd := controlNode("etcd-only", "10.0.0.4", 0)
	onlyEtcd.Labels = map[string]string{"node-role.kubernetes.io/etcd": "true"}
	for name, c := range map[string]struct {
		nodes  []corev1.Node
		pods   []corev1.Pod
		serves []string
		want   []string
	}{
		"by label": {
			nodes: []corev1.Node{controlNode("cp-1", "10.0.0.1", 0), worker, onlyEtcd}, serves: []string{"10.0.0.1:2379", "10.0.0.1:2380", "10.0.0.4:2379"},
			want: []string{"etcd-server, cp-1:2379, cp-1, 99d", "etcd-peer, cp-1:2380, cp-1, 99d", "etcd-server, etcd-only:2379, etcd-only, 99d", "etcd-peer, etcd-only:2380, etcd-only, refused"},
		},
		"by pod, with a port of its own": {
			nodes: []corev1.Node{worker}, serves: []string{"10.0.0.9:12379"},
			pods: []corev1.Pod{etcdPod("worker", "10.0.0.9", "https://10.0.0.9:12379"), etcdPod("", "10.0.0.8", ""), {ObjectMeta: metav1.ObjectMeta{Name: "other"}}},
			want: []string{"etcd-server, worker:12379, worker, 99d", "etcd-peer, worker:2380, worker, refused"},
		},
		"IPv6": {
			nodes: []corev1.Node{controlNode("cp-1", "fd00::1", 0)}, serves: []string{"[fd00::1]:2379", "[fd00::1]:2380"},
			want: []string{"etcd-server, cp-1:2379, cp-1, 99d", "etcd-peer, cp-1:2380, cp-1, 99d"},
		},
		"nothing listens: one row for each node": {
			nodes: []corev1.Node{controlNode("cp-1", "10.0.0.1", 0), controlNode("cp-2", "10.0.0.2", 0)},
			want:  []string{"etcd-server, cp-1:2379, cp-1, refused", "etcd-server, cp-2:2379, cp-2, refused"},
		},
		"no address":                           {nodes: []corev1.Node{controlNode("cp-1", "", 0)}, want: []string{"etcd-server, cp-1:2379, cp-1, the node has no InternalIP"}},
		"k3s with SQLite":                      {nodes: []corev1.Node{lite}},
		"a control plane that is not on nodes": {nodes: []corev1.Node{worker}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.has(pathNodes, nodeList(c.nodes...))
			a.has(pathPods, podList(c.pods...))
			i := a.inventory(Options{Dial: true})
			there := network{}
			for _, address := range c.serves {
				there.shows(address, ca.pair(server("etcd", 100*day)))
			}
			i.dialer.dial = there.dial
			wantServed(t, reads(t, i.etcdSources()[0].read), c.want...)
		})
	}
}

func TestAMemberThatFallsSilentKeepsBothItsRows(t *testing.T) {
	a := newAPI(t)
	a.has(pathNodes, nodeList(controlNode("cp-1", "10.0.0.1", 0)))
	a.has(pathPods, podList())
	i := a.inventory(Options{Dial: true})
	ca, there := newMint(t, "etcd-ca", time.Now().Add(1000*day)), network{}
	there.shows("10.0.0.1:2379", ca.pair(server("etcd", 100*day)))
	there.shows("10.0.0.1:2380", ca.pair(server("etcd", 100*day)))
	i.dialer.dial = there.dial
	s := i.etcdSources()[0]
	i.sources, i.found = []*source{s}, map[*source]map[string]finding{s: {}}
	r := &reading{source: s, inventory: i}
	for range 2 {
		if err := r.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		clear(there)
	}
	if n := seenPlaces(i); n != 2 || len(unseenRows(i)) != 0 {
		t.Fatalf("%d places are seen, beside %q", n, unseenRows(i))
	}
	for _, row := range i.Now() {
		if row.Place().Failed != "refused" {
			t.Errorf("%s: failed %q", row.Name, row.Place().Failed)
		}
	}
}

func TestWhoMayListNeitherNodesNorPodsIsToldSo(t *testing.T) {
	for name, c := range map[string]struct {
		nodes, pods bool
		want        []string
		fails       bool
	}{
		"neither":    {fails: true},
		"only nodes": {nodes: true, want: []string{"etcd-server, cp-1:2379, cp-1, refused"}},
		"only pods":  {pods: true, want: []string{"etcd-server, cp-1:2379, cp-1, refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.forbids(pathNodes)
			a.forbids(pathPods)
			if c.nodes {
				a.has(pathNodes, nodeList(controlNode("cp-1", "10.0.0.1", 0)))
			}
			if c.pods {
				a.has(pathPods, podList(etcdPod("cp-1", "10.0.0.1", "")))
			}
			i := a.inventory(Options{Dial: true})
			i.dialer.dial = network{}.dial
			var got []finding
			err := i.etcdSources()[0].read(t.Context(), func(f ...finding) { got = append(got, f...) })
			if (err != nil) != c.fails {
				t.Errorf("the error is %v", err)
			}
			if w := served(got); !slices.Equal(w, c.want) {
				t.Errorf("it finds %q, want %q", w, c.want)
			}
		})
	}
}

func TestAMemberThatWasSilentCanBeLookedAtAgain(t *testing.T) {
	a := newAPI(t)
	a.has(pathNodes, nodeList(controlNode("cp-1", "10.0.0.1", 0)))
	a.has(pathPods, podList())
	i := a.inventory(Options{Dial: true})
	ca, there := newMint(t, "etcd-ca", time.Now().Add(1000*day)), network{}
	i.dialer.dial = there.dial
	s := i.etcdSources()[0]
	i.sources, i.found = []*source{s}, map[*source]map[string]finding{s: {}}
	if err := (&reading{source: s, inventory: i}).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	row := i.Now()[0]
	own := ca.pair(server("etcd", 100*day))
	there.shows("10.0.0.1:2379", own)
	got, err := i.Look(t.Context(), row, row.Place())
	if err != nil || got.Fingerprint != summary(own.Leaf).Fingerprint {
		t.Errorf("it shows %+v (%v)", got, err)
	}
	if rows := i.Now(); len(rows) != 1 || rows[0].Unseen != "" || rows[0].LeftText(time.Now()) != "99d" {
		t.Errorf("the rows are %+v", rows)
	}
}
