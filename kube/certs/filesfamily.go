package certs

import (
	"os"
	"path"
	"slices"
	"strings"

	"ktriage/kube"
)

// family is a distribution of Kubernetes that keeps its certificates in a folder of its own.
type family struct {
	dir   string
	depth int // how many folders deep is looked
	class kube.RenewalClass
	renew string
}

// families are where those distributions keep them that do not do as kubeadm does.
var families = slices.Concat(
	rancher("k3s", "restart k3s: it renews what ends within 120 days"),
	rancher("rke2", "restart rke2-server or rke2-agent: it renews what ends within 120 days"),
	[]family{
		{"/var/lib/k0s/pki", 2, kube.ByHand, "restart k0scontroller: it renews what is about to end"},
		{"/system/secrets/kubernetes", 2, kube.KubeletRotated, "Talos rotates it"},
		{"/system/secrets/etcd", 1, kube.KubeletRotated, "Talos rotates it"},
		{"/etc/kubernetes/static-pod-resources", 5, kube.KubeletRotated, "an operator of OpenShift rotates it"},
	},
)

func rancher(name, renew string) []family {
	dir := "/var/lib/rancher/" + name
	// Beside its certificates an agent keeps the images of the node: look no deeper.
	return []family{{dir + "/server/tls", 2, kube.ByHand, renew}, {dir + "/agent", 0, kube.ByHand, renew}}
}

const (
	// mostFiles and mostEntries bound what is read of a family, and looked at of one folder.
	mostFiles, mostEntries = 500, 2000
)

// family reads what a distribution has here.
func (m machine) family(f *family) (out []finding) {
	left := mostFiles
	m.under(f, f.dir, f.depth, &left, &out)
	return out
}

// under reads a folder and those in it. Symbolic links to folders are not followed: they would show the same twice.
func (m machine) under(f *family, dir string, depth int, left *int, out *[]finding) {
	entries, err := m.root.entries(dir)
	if err != nil {
		if !absent(err) {
			*out = append(*out, nothing(dir, f.place(m.host, dir), whyNot(err))...)
		}
		return
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		ext := path.Ext(at)
		switch {
		case e.IsDir() && depth > 0:
			m.under(f, at, depth-1, left, out)
		case e.IsDir() || ext != ".crt" && ext != ".pem" || *left == 0:
		default:
			*left--
			*out = append(*out, m.familyFile(f, at)...)
		}
	}
}

// entries lists a folder in the order of names.
func (f folder) entries(dir string) ([]os.DirEntry, error) {
	at, info, err := f.find(dir)
	if err != nil || !info.IsDir() {
		return nil, err
	}
	d, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	entries, err := d.ReadDir(mostEntries)
	if len(entries) == 0 && err != nil {
		return nil, nil // that is its end
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// familyFile reads one file; what it is for is told by what it says.
func (m machine) familyFile(f *family, at string) []finding {
	place := f.place(m.host, at)
	b, err := m.root.read(at)
	if err != nil {
		return m.unread(place, err, false)
	}
	defer clear(b)
	found, bad := parse(b)
	if len(found) == 0 {
		if len(bad) == 0 { // a key
			return nil
		}
		return stored(at, kube.NoCert, place, b)
	}
	kind := kindOf(found[0])
	if kind == kube.Authority {
		place.Class, place.Danger, place.Renew = kube.OfAuthority, kube.BreaksCluster, ""
	}
	return stored(at, kind, place, b)
}

// place is that of a file of the family.
func (f *family) place(host, at string) kube.CertPlace {
	p := kube.CertPlace{
		Source: kube.FromFile, Name: short(familyName(at)), Where: short(at), Host: host, Class: f.class, Renew: f.renew,
		Danger: kube.BreaksCluster, Breaks: "a part of the control plane",
	}
	if strings.Contains(at, "kubelet") || strings.Contains(at, "/agent") {
		p.Danger, p.Breaks = kube.BreaksNode, "a part of this node"
	}
	return p
}

// familyName is what a file is called: by its name, and by that of its folder where its own says nothing.
func familyName(at string) string {
	dir, file := path.Split(at)
	name := strings.TrimSuffix(file, path.Ext(file))
	switch folder := path.Base(dir); {
	case name == "tls", name == "ca-bundle", name == "ca", folder == "etcd":
		return folder + " " + name
	}
	return name
}
