package certs

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
)

const (
	// kubeletPort is where a kubelet listens that does not say so.
	kubeletPort = 10250
	// rosterAge is how old a list of nodes may be: handshakes are made more often than lists are read.
	rosterAge = everyList - time.Minute
)

// kubeNode is what a handshake has to know of a node.
type kubeNode struct {
	name, address string // address is the first InternalIP, "" if it has none
	port          int32  // of its kubelet
	controlPlane  bool
	noEtcd        bool // k3s keeps everything in SQLite, or elsewhere, unless it says otherwise
}

// at gives host:port of a port of the node.
func (m kubeNode) at(port int32) string { return net.JoinHostPort(m.address, strconv.Itoa(int(port))) }

// where is at in the words of rows: by its name.
func (m kubeNode) where(port int32) string { return fmt.Sprintf("%s:%d", m.name, port) }

// roster remembers the nodes for a while.
type roster struct {
	stale atomic.Bool // somebody does not believe it

	mu   sync.Mutex // held while they are listed
	read time.Time
	all  []kubeNode
}

// kubeNodes lists the nodes. Sources that ask at the same time share one list.
func (i *Inventory) kubeNodes(ctx context.Context) ([]kubeNode, error) {
	r := &i.dialer.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stale.Swap(false) && !r.read.IsZero() && time.Since(r.read) < rosterAge {
		return r.all, nil
	}
	r.read = time.Time{}
	var all []kubeNode
	err := pages(func(token string) (string, error) {
		nodes, err := i.cluster.Client().CoreV1().Nodes().List(ctx, pageAt(token))
		if err != nil {
			return "", fmt.Errorf("list nodes: %w", err)
		}
		if token == "" {
			all = nil // the list has begun again
		}
		for n := range nodes.Items {
			all = append(all, machineOf(&nodes.Items[n]))
		}
		return nodes.Continue, nil
	})
	if err != nil {
		return nil, err
	}
	r.all, r.read = all, time.Now()
	return all, nil
}

// etcdLabel marks members of etcd, as k3s and RKE2 set it; controlPlaneLabels those that run a control plane, or that alone.
const etcdLabel = "node-role.kubernetes.io/etcd"

var controlPlaneLabels = []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master", etcdLabel}

func machineOf(n *corev1.Node) kubeNode {
	m := kubeNode{name: text.Clean(strings.Clone(n.Name)), port: n.Status.DaemonEndpoints.KubeletEndpoint.Port}
	if m.port == 0 {
		m.port = kubeletPort
	}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && m.address == "" {
			m.address = strings.Clone(a.Address)
		}
	}
	for _, label := range controlPlaneLabels {
		if _, ok := n.Labels[label]; ok {
			m.controlPlane = true
		}
	}
	if _, ok := n.Labels[etcdLabel]; !ok && strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s") {
		m.noEtcd = true
	}
	return m
}
