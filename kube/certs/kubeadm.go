package certs

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"ktriage/kube"
)

// kubeadmCert is a certificate that kubeadm makes: what it calls it, where it lies, and what fails without it
// (GetDefaultCertList in cmd/kubeadm/app/phases/certs/certlist.go, NewManager in cmd/kubeadm/app/phases/certs/renewal/manager.go).
type kubeadmCert struct {
	name, path string
	authority  string // as check-expiration prints it; "" of what is in a kubeconfig, for which older versions print nothing
	signer     string // the CA whose key renews it, printed or not
	kind       kube.CertKind
	danger     kube.Danger
	breaks     string
	restart    string // the static pod that has to read it anew, "" none
}

const (
	kubeadmDir  = "/etc/kubernetes"
	lookThere   = "run ktriage, or kubeadm certs check-expiration, on a control-plane node"
	notFromHere = "not visible from here"
)

// kubeadmLeaves are in the order of kubeadm, which sorts by name.
var kubeadmLeaves = []kubeadmCert{
	{
		name: "admin.conf", path: "admin.conf", signer: "ca", kind: kube.ClientCert, danger: kube.LocksUsOut,
		breaks: "kubectl and kubeadm with admin.conf are refused",
	},
	{
		name: "apiserver", path: "pki/apiserver.crt", authority: "ca", signer: "ca", kind: kube.ServingCert,
		danger: kube.BreaksCluster, breaks: "nobody trusts this API server any more", restart: "kube-apiserver",
	},
	{
		name: "apiserver-etcd-client", path: "pki/apiserver-etcd-client.crt", authority: "etcd-ca", signer: "etcd-ca",
		kind: kube.ClientCert, danger: kube.BreaksCluster, breaks: "etcd refuses this API server", restart: "kube-apiserver",
	},
	{
		name: "apiserver-kubelet-client", path: "pki/apiserver-kubelet-client.crt", authority: "ca", signer: "ca",
		kind: kube.ClientCert, danger: kube.BreaksNode, breaks: "kubelets refuse logs, exec and port-forward", restart: "kube-apiserver",
	},
	{
		name: "controller-manager.conf", path: "controller-manager.conf", signer: "ca", kind: kube.ClientCert,
		danger: kube.BreaksCluster, breaks: "no controller of this node works", restart: "kube-controller-manager",
	},
	{
		name: "etcd-healthcheck-client", path: "pki/etcd/healthcheck-client.crt", authority: "etcd-ca", signer: "etcd-ca",
		kind: kube.ClientCert, danger: kube.BreaksNothing, breaks: "etcdctl, and liveness probes of old clusters, are refused",
	},
	{
		name: "etcd-peer", path: "pki/etcd/peer.crt", authority: "etcd-ca", signer: "etcd-ca", kind: kube.BothCert,
		danger: kube.BreaksCluster, breaks: "this member of etcd loses the others", restart: "etcd",
	},
	{
		name: "etcd-server", path: "pki/etcd/server.crt", authority: "etcd-ca", signer: "etcd-ca", kind: kube.BothCert,
		danger: kube.BreaksCluster, breaks: "the API server loses this member of etcd", restart: "etcd",
	},
	{
		name: "front-proxy-client", path: "pki/front-proxy-client.crt", authority: "front-proxy-ca", signer: "front-proxy-ca",
		kind: kube.ClientCert, danger: kube.BreaksAPI, breaks: "aggregated APIs, metrics among them, answer 401", restart: "kube-apiserver",
	},
	{
		name: "scheduler.conf", path: "scheduler.conf", signer: "ca", kind: kube.ClientCert,
		danger: kube.BreaksCluster, breaks: "the scheduler of this node works no more", restart: "kube-scheduler",
	},
	{
		name: superAdmin, path: "super-admin.conf", signer: "ca", kind: kube.ClientCert, danger: kube.LocksUsOut,
		breaks: "the way in that no RBAC can close is gone",
	},
}

// superAdmin is on the node of kubeadm init only, and there since v1.29.
const superAdmin = "super-admin.conf"

// kubeadmCAs are in the order of kubeadm.
var kubeadmCAs = []kubeadmCert{
	{name: "ca", path: "pki/ca.crt", signer: "ca", kind: kube.Authority, danger: kube.BreaksCluster, breaks: "nobody in the cluster trusts anybody"},
	{name: "etcd-ca", path: "pki/etcd/ca.crt", signer: "etcd-ca", kind: kube.Authority, danger: kube.BreaksCluster, breaks: "etcd stops, and the API with it"},
	{
		name: "front-proxy-ca", path: "pki/front-proxy-ca.crt", signer: "front-proxy-ca", kind: kube.Authority, danger: kube.BreaksAPI,
		breaks: "aggregated APIs, metrics among them, answer 401",
	},
}

// elsewhere reports whether it can be seen otherwise: a CA in a ConfigMap, a kubeconfig with whoever has a copy.
func (k *kubeadmCert) elsewhere() bool {
	return slices.Contains([]string{"admin.conf", superAdmin, "ca", "front-proxy-ca"}, k.name)
}

// ofEtcd reports whether there is none of it where etcd is external (GetCertsWithoutEtcd).
func (k *kubeadmCert) ofEtcd() bool { return k.signer == "etcd-ca" }

// config reports whether the certificate is within a kubeconfig.
func (k *kubeadmCert) config() bool { return path.Ext(k.path) == ".conf" }

// place is where it lies on a node.
func (k *kubeadmCert) place() kube.CertPlace {
	p := kube.CertPlace{
		Source: kube.FromFile, Name: k.name, Where: path.Join(kubeadmDir, k.path), Danger: k.danger, Breaks: k.breaks,
		Authority: k.authority, Renew: "kubeadm certs renew " + k.name,
	}
	if k.restart != "" {
		p.Renew += ", then restart the static pod " + k.restart
	}
	if k.kind == kube.Authority {
		p.Class, p.Renew = kube.OfAuthority, "kubeadm does not rotate CAs: see the manual rotation of CA certificates"
	}
	return p
}

// hiddenSlot begins the slots of what cannot be seen from here.
const hiddenSlot = "kubeadm "

// unseenRow is the row of what nobody can see from here.
func (k *kubeadmCert) unseenRow() finding {
	p := k.place()
	p.Where, p.Short, p.Renew = "control-plane nodes", "on cp nodes", lookThere
	return unseen(hiddenSlot+k.name, p, notFromHere)
}

// Kubeadm gives the rows of the two tables of kubeadm certs check-expiration, in its order: each with kubeadm's name, and the
// place that shows it best first, a file of this machine before a handshake before anything else. What cannot be seen is
// a row that says so. A certificate of etcd is left out where etcd is external, and super-admin.conf where it is not meant to be,
// as far as this machine shows either.
func (i *Inventory) Kubeadm() (leaves, authorities []*kube.Cert) {
	return kubeadmTable(i.All())
}

func kubeadmTable(rows []*kube.Cert) (leaves, authorities []*kube.Cert) {
	return best(kubeadmLeaves, rows), best(kubeadmCAs, rows)
}

func best(names []kubeadmCert, rows []*kube.Cert) (out []*kube.Cert) {
	here := onDisk(rows, "apiserver") // this is a control-plane node
	for n := range names {
		k := &names[n]
		c := k.best(rows)
		if c == nil && here && (k.ofEtcd() || k.name == superAdmin) {
			continue
		}
		if c == nil {
			c = k.unseenRow().cert
		}
		out = append(out, c)
	}
	return out
}

// onDisk reports whether this machine has a file of kubeadm's, or ought to have it.
func onDisk(rows []*kube.Cert, name string) bool {
	return slices.ContainsFunc(rows, func(c *kube.Cert) bool {
		return slices.ContainsFunc(c.Places, func(p kube.CertPlace) bool { return p.Source == kube.FromFile && p.Name == name })
	})
}

// best gives the row that shows a certificate best, with that place first; nil for none.
func (k *kubeadmCert) best(rows []*kube.Cert) *kube.Cert {
	type choice struct {
		row   *kube.Cert
		place int
	}
	var all []choice
	for _, c := range rows {
		for n := range c.Places {
			if k.shownBy(&c.Places[n]) && !strings.HasPrefix(c.UID, "place:"+hiddenSlot) {
				all = append(all, choice{c, n})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b choice) int {
		p, q := &a.row.Places[a.place], &b.row.Places[b.place]
		return cmp.Or(
			cmp.Compare(nearness(p.Source), nearness(q.Source)), compareBool(a.row.Unseen != "", b.row.Unseen != ""),
			compareBool(p.Outlived, q.Outlived), a.row.Ends().Compare(b.row.Ends()), cmp.Compare(p.Where, q.Where),
		)
	})
	row := *first.row
	row.Name = k.name
	row.Places = slices.Concat(row.Places[first.place:first.place+1], row.Places[:first.place], row.Places[first.place+1:])
	row.Places[0].Authority = k.authority // as kubeadm calls it, and not by its common name
	return &row
}

// shownBy reports whether a place is one of this certificate. A name alone is not enough: anybody may call a Secret so.
func (k *kubeadmCert) shownBy(p *kube.CertPlace) bool {
	switch p.Source {
	case kube.FromFile, kube.FromHandshake:
		return p.Name == k.name
	case kube.FromKubeconfig, kube.FromConfigMap:
		return p.Name == k.name && k.kind == kube.Authority
	default:
		return false
	}
}

// nearness orders sources by how much they say of this machine.
func nearness(s kube.CertSource) int {
	switch s {
	case kube.FromFile:
		return 0
	case kube.FromHandshake:
		return 1
	default:
		return 2
	}
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// inCluster is the name by which pods ask for the API server.
const inCluster = "kubernetes.default.svc"

// unnamedServers marks the certificates of API servers that do not name kubernetes.default.svc: pods that ask for it by that
// name are refused. What is served to us may be that for the name by which we ask alone (--tls-sni-cert-key of kube-apiserver, as
// on OpenShift), or that of a proxy.
func unnamedServers(rows map[string]*kube.Cert) {
	for _, c := range rows {
		if c.X509 == nil || c.Kind == kube.Authority || len(c.X509.DNS) == mostNames || slices.Contains(c.X509.DNS, inCluster) {
			continue
		}
		for n := range c.Places {
			p := &c.Places[n]
			if p.Name != "apiserver" || p.Source != kube.FromFile && p.Source != kube.FromHandshake {
				continue
			}
			p.Note = joined(p.Note, "it does not name "+inCluster)
			flag := kube.Notice
			if p.Source == kube.FromFile {
				flag = kube.Warning
			}
			p.Severity = max(p.Severity, flag)
		}
	}
}
