package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// etcdPort and etcdPeerPort are where a member of etcd listens for clients and for other members.
const (
	etcdPort     = 2379
	etcdPeerPort = 2380
)

// etcdSources are the certificates with which members of etcd serve. They want one of us too, which we never show: by then
// they have shown theirs. A cluster whose control plane is not on its nodes has nothing to ask.
func (i *Inventory) etcdSources() []*source {
	var mu sync.Mutex
	seen := map[string]struct{}{} // slots: where something has been once, its absence is worth a row
	s := &source{name: "etcd", where: "control-plane nodes", every: everyDial}
	s.read = func(ctx context.Context, put func(...finding)) error {
		members, err := i.members(ctx)
		if err != nil {
			return err
		}
		if len(members) > 0 && !i.options.Dial {
			p := etcdPlace("etcd-server")
			p.Where = text.Plural(len(members), "control-plane node", "control-plane nodes")
			put(unseen("etcd off", p, errDialOff.Error()))
			return nil
		}
		put = oneByOne(put)
		together(len(members), func(n int) {
			found := i.member(ctx, members[n], func(slot string, now bool) bool {
				mu.Lock()
				defer mu.Unlock()
				_, ever := seen[slot]
				if now {
					seen[slot] = struct{}{}
				}
				return ever
			})
			if ctx.Err() == nil {
				put(found...)
			}
		})
		return context.Cause(ctx)
	}
	return []*source{s}
}

// member looks at one member of etcd. If neither port shows anything, that is one row.
func (i *Inventory) member(ctx context.Context, m kubeNode, noted func(slot string, now bool) bool) []finding {
	var out, failed []finding
	for _, e := range etcdEndpoints(m) {
		f, err := i.dialer.ask(ctx, e)
		before := noted(e.slot, err == nil)
		switch {
		case err == nil:
			out = append(out, f)
		case before:
			out = append(out, e.unseen(reason(err)))
		default:
			failed = append(failed, e.unseen(reason(err)))
		}
	}
	if len(out) == 0 {
		failed = failed[:1]
	}
	return append(out, failed...)
}

func etcdPlace(name string) kube.CertPlace {
	return kube.CertPlace{
		Source: kube.FromHandshake, Name: name, Class: kube.ByHand, Danger: kube.BreaksCluster,
		Breaks: "the API servers, which keep everything in etcd",
	}
}

// etcdEndpoints are the two of a member, under kubeadm's names.
func etcdEndpoints(m kubeNode) []endpoint {
	port := m.port
	if port == 0 {
		port = etcdPort
	}
	out := make([]endpoint, 0, 2)
	for _, at := range []struct {
		name string
		port int32
	}{{"etcd-server", port}, {"etcd-peer", etcdPeerPort}} {
		p := etcdPlace(at.name)
		p.Where, p.Host = m.where(at.port), m.name
		if at.name == "etcd-peer" {
			p.Breaks = "this member of etcd loses the others"
		}
		out = append(out, endpoint{
			slot: at.name + " " + m.name, address: m.at(at.port), place: p,
			judge: func(p *kube.CertPlace, chain []*x509.Certificate) {
				p.Renew = renewalOf(p, chain[0], at.name, "etcd")
			},
		})
	}
	return out
}

// members are the nodes on which etcd may be: those of the control plane, and wherever kubeadm's static Pod of it is. The port
// of a machine is that of etcd, 0 for the usual one.
func (i *Inventory) members(ctx context.Context) ([]kubeNode, error) {
	nodes, err := i.kubeNodes(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	var out []kubeNode
	for _, m := range nodes {
		if m.controlPlane && !m.noEtcd {
			m.port = 0
			out = append(out, m)
		}
	}
	pods, podErr := i.cluster.Client().CoreV1().Pods(metav1.NamespaceSystem).
		List(ctx, metav1.ListOptions{LabelSelector: "component=etcd,tier=control-plane", Limit: pageSize})
	switch {
	case podErr == nil:
		return withPods(out, pods.Items), nil
	case err != nil:
		return nil, err
	case apierrors.IsForbidden(podErr):
		return out, nil
	}
	return nil, fmt.Errorf("list the pods of etcd: %w", podErr)
}

// etcdURL is where kubeadm notes the address of a member (EtcdAdvertiseClientUrlsAnnotationKey in cmd/kubeadm/app/constants).
const etcdURL = "kubeadm.kubernetes.io/etcd.advertise-client-urls"

// withPods adds the nodes of Pods of etcd that are not among them, and the ports that these say.
func withPods(nodes []kubeNode, pods []corev1.Pod) []kubeNode {
	for n := range pods {
		p := &pods[n]
		if !strings.HasPrefix(p.Name, "etcd-") || p.Spec.NodeName == "" || p.Status.HostIP == "" {
			continue
		}
		m := kubeNode{name: text.Clean(p.Spec.NodeName), address: p.Status.HostIP, controlPlane: true}
		if u, err := url.Parse(p.Annotations[etcdURL]); err == nil && net.ParseIP(u.Hostname()) != nil {
			if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
				m.port = int32(port)
			}
		}
		nodes = added(nodes, m)
	}
	return nodes
}

func added(nodes []kubeNode, m kubeNode) []kubeNode {
	for n := range nodes {
		if nodes[n].name == m.name {
			nodes[n].port = m.port
			return nodes
		}
	}
	return append(nodes, m)
}
