package certs

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

const (
	// listPage is how many objects of a list are asked for at a time.
	listPage = 500
	// kubeletPort is where a kubelet listens that does not say so.
	kubeletPort = 10250
	// rosterAge is how old a list of nodes may be that several sources read.
	rosterAge = time.Minute
)

// kubeNode is what a handshake has to know of a node.
type kubeNode struct {
	name, address string // address is the first InternalIP, "" if it has none
	port          int32  // of its kubelet
	controlPlane  bool
}

// at gives host:port of a port of the node.
func (m kubeNode) at(port int32) string { return net.JoinHostPort(m.address, strconv.Itoa(int(port))) }

// where is at in the words of rows: by its name.
func (m kubeNode) where(port int32) string { return fmt.Sprintf("%s:%d", m.name, port) }

// roster remembers the nodes for a while.
type roster struct {
	mu   sync.Mutex
	read time.Time
	all  []kubeNode
}

// kubeNodes lists the nodes. Sources that ask at the same time share one list.
func (i *Inventory) kubeNodes(ctx context.Context) ([]kubeNode, error) {
	r := &i.dialer.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.read.IsZero() && time.Since(r.read) < rosterAge {
		return r.all, nil
	}
	var all []kubeNode
	page := metav1.ListOptions{Limit: listPage}
	for {
		nodes, err := i.cluster.Client().CoreV1().Nodes().List(ctx, page)
		if err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		for n := range nodes.Items {
			all = append(all, machineOf(&nodes.Items[n]))
		}
		if page.Continue = nodes.Continue; page.Continue == "" {
			break
		}
	}
	r.all, r.read = all, time.Now()
	return all, nil
}

// controlPlaneLabels mark nodes that run a control plane, or members of etcd alone, as kubeadm, k3s and RKE2 set them.
var controlPlaneLabels = []string{
	"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master", "node-role.kubernetes.io/etcd",
}

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
	return m
}
