package certs

import (
	"context"
	"os"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"

	"ktriage/kube"
)

// fileSources are the files of this machine, if it is a node.
func (i *Inventory) fileSources() []*source {
	root := folder(i.options.Root)
	return []*source{{
		name: "files", where: "this machine", every: everyDial, local: true,
		read: func(ctx context.Context, put func(...finding)) error {
			m := machine{root: root, host: root.host()}
			put(m.kubeadm()...)
			put(m.kubelet()...)
			for n := range families {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				put(m.family(&families[n])...)
			}
			return nil
		},
	}}
}

// machine is the one whose files are read.
type machine struct {
	root folder
	host string // its name, as its kubelet says it unless it was told another; "" unknown
}

// host is the name of the machine to which the file system belongs.
func (f folder) host() string {
	name := ""
	if f == "/" {
		name, _ = os.Hostname()
	} else if b, err := f.read("/etc/hostname"); err == nil {
		name = string(b)
	}
	return strings.ToLower(short(strings.TrimSpace(name)))
}

// kubeadm reads what kubeadm has made, and says what is not there although it ought to be.
func (m machine) kubeadm() (out []finding) {
	pki := path.Join(kubeadmDir, "pki")
	if _, _, err := m.root.find(pki); err != nil && !absent(err) {
		return nothing(pki, kube.CertPlace{Source: kube.FromFile, Name: "files of kubeadm", Where: pki, Host: m.host}, whyNot(err))
	}
	controlPlane := m.any("manifests/kube-apiserver.yaml", "pki/apiserver.crt", "pki/apiserver.key", "pki/front-proxy-ca.crt")
	etcd := m.any("manifests/etcd.yaml", "pki/etcd/server.crt", "pki/etcd/server.key", "pki/etcd/peer.crt")
	controlPlane = controlPlane && m.any("pki")
	for _, k := range slices.Concat(kubeadmLeaves, kubeadmCAs) {
		expected := controlPlane && k.name != superAdmin && (etcd || !k.ofEtcd())
		out = append(out, m.kubeadmFile(&k, expected)...)
	}
	return out
}

// any reports whether one of the files is there, under kubeadm's folder.
func (m machine) any(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return m.root.there(path.Join(kubeadmDir, name)) == kube.Yes })
}

// kubeadmFile reads one of the files.
func (m machine) kubeadmFile(k *kubeadmCert, expected bool) []finding {
	place := k.place()
	place.Host, place.External = m.host, m.external(k.signer)
	if place.External == kube.Yes && k.kind != kube.Authority {
		place.Renew = "kubeadm cannot, without the key of the CA: kubeadm certs renew " + k.name + " --csr-only, and sign that elsewhere"
	}
	if k.config() {
		return m.config(place.Where, place, expected)
	}
	b, err := m.root.read(place.Where)
	if err != nil {
		return m.unread(place, err, expected)
	}
	defer clear(b)
	return stored(place.Where, k.kind, place, b)
}

// external tells, as kubeadm does, that the key of a CA is kept elsewhere: it is not beside its certificate. It is looked
// for and never opened (UsingExternalCA in cmd/kubeadm/app/phases/certs/certs.go).
func (m machine) external(authority string) kube.Answer {
	for n := range kubeadmCAs {
		ca := &kubeadmCAs[n]
		if ca.name != authority {
			continue
		}
		file := path.Join(kubeadmDir, ca.path)
		if m.root.there(file) != kube.Yes {
			return kube.NotKnown
		}
		switch m.root.there(strings.TrimSuffix(file, ".crt") + ".key") {
		case kube.Yes:
			return kube.No
		case kube.No:
			return kube.Yes
		case kube.NotKnown:
		}
	}
	return kube.NotKnown
}

// unread says why a file gives nothing; that it is not there is only worth it where it ought to be.
func (m machine) unread(place kube.CertPlace, err error, expected bool) []finding {
	switch {
	case !absent(err):
		return nothing(place.Where, place, whyNot(err))
	case !expected:
		return nil
	}
	place.Severity = kube.Warning
	return nothing(place.Where, place, "MISSING")
}

// clientConfig is what is read of a kubeconfig: keys and tokens are left out, so that they are not decoded.
type clientConfig struct {
	CurrentContext string `json:"current-context"`
	Contexts       []struct {
		Name    string `json:"name"`
		Context struct {
			User string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Data []byte `json:"client-certificate-data"`
			File string `json:"client-certificate"`
		} `json:"user"`
	} `json:"users"`
}

// user gives the client certificate of the user of the current context: itself, or where it is.
func (c *clientConfig) user() (data []byte, file string) {
	for _, in := range c.Contexts {
		for _, u := range c.Users {
			if in.Name == c.CurrentContext && u.Name == in.Context.User {
				return u.User.Data, u.User.File
			}
		}
	}
	return nil, ""
}

// config reads the client certificate of a kubeconfig, within it or beside it.
func (m machine) config(slot string, place kube.CertPlace, expected bool) []finding {
	b, err := m.root.read(place.Where)
	if err != nil {
		return m.unread(place, err, expected)
	}
	defer clear(b)
	var c clientConfig
	if err := yaml.Unmarshal(b, &c); err != nil {
		// The error may quote what is in the file.
		return nothing(slot, place, "it is no kubeconfig that can be read")
	}
	data, file := c.user()
	switch {
	case len(data) > 0:
		return stored(slot, kube.ClientCert, place, data)
	case file == "":
		return nothing(slot, place, "its current context has no client certificate")
	}
	pem, err := m.root.read(beside(place.Where, file))
	if err != nil {
		return nothing(slot, place, short(whyNot(err)+" ("+file+")"))
	}
	defer clear(pem)
	return stored(slot, kube.ClientCert, place, pem)
}

// kubelet reads what the kubelet of this machine has: kubeadm does not count it among its certificates.
func (m machine) kubelet() (out []finding) {
	const pki = "/var/lib/kubelet/pki/"
	client := kube.CertPlace{
		Source: kube.FromFile, Name: "kubelet client", Host: m.host, Class: kube.KubeletRotated, Danger: kube.BreaksNode,
		Breaks: "the node becomes NotReady", Renew: "the kubelet asks for the next one: see that its CSR is approved",
	}
	config := client
	config.Name, config.Where = "kubelet.conf", path.Join(kubeadmDir, "kubelet.conf")
	out = append(out, m.config(config.Where, config, false)...)
	serving := client
	serving.Name, serving.Breaks = "kubelet serving", "logs, exec and metrics of this node"
	given := serving // by the kubelet itself, once, or by somebody else
	given.Class, given.Renew = kube.ByHand, ""
	for _, f := range []struct {
		name  string
		kind  kube.CertKind
		place kube.CertPlace
	}{
		{"kubelet-client-current.pem", kube.ClientCert, client},
		{"kubelet-server-current.pem", kube.ServingCert, serving},
		{"kubelet.crt", kube.ServingCert, given},
	} {
		f.place.Where = pki + f.name
		b, err := m.root.read(f.place.Where)
		if err != nil {
			out = append(out, m.unread(f.place, err, false)...)
			continue
		}
		found := stored(f.place.Where, f.kind, f.place, b)
		clear(b) // kubelet-client-current.pem has its key in it
		if x := found[0].cert.X509; x != nil && selfMade(x.CommonName, x.SignedBy) {
			nobodys(&found[0].cert.Places[0])
		}
		out = append(out, found...)
	}
	return out
}
