package certs

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// configured is a client certificate, or the CAs, of a user or a cluster of the kubeconfig, and the contexts that need it. It
// holds no key.
type configured struct {
	slot     string
	kind     kube.CertKind // ClientCert, Authority; NoCert for what a plugin gives
	name     string        // of the row; "" is that of whom the certificate names
	contexts []string
	ours     bool
	data     []byte
	file     string
	plugin   string
}

// kubeconfigSources are the client certificates and CAs of every context. They are read again and again, since files change.
func (i *Inventory) kubeconfigSources() []*source {
	all := configuredIn(i.options.Kubeconfig, i.options.Context)
	i.options.Kubeconfig.AuthInfos = nil // there are keys and tokens in it, and nobody needs it any more
	return []*source{{
		name: "kubeconfig", where: "kubeconfig", every: everyDial, local: true,
		read: func(_ context.Context, put func(...finding)) error {
			put(inKubeconfig(all)...)
			return nil
		},
	}}
}

// configuredIn gives what the contexts of a kubeconfig need, that of the context that is ours first.
func configuredIn(config clientcmdapi.Config, ours string) (out []configured) {
	if ours == "" {
		ours = config.CurrentContext
	}
	users, clusters := map[string][]string{}, map[string][]string{} // contexts
	for _, name := range slices.Sorted(maps.Keys(config.Contexts)) {
		if c := config.Contexts[name]; c != nil {
			users[c.AuthInfo] = append(users[c.AuthInfo], name)
			clusters[c.Cluster] = append(clusters[c.Cluster], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if u := config.AuthInfos[name]; u != nil {
			out = append(out, configuredUser(name, u, users[name], slices.Contains(users[name], ours))...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(clusters)) {
		c := config.Clusters[name]
		if c == nil || len(c.CertificateAuthorityData) == 0 && c.CertificateAuthority == "" {
			continue
		}
		ca := configured{
			slot: "kubeconfig cluster " + name, kind: kube.Authority, name: short(name + " ca"), contexts: clusters[name],
			data: c.CertificateAuthorityData, file: beside(c.LocationOfOrigin, c.CertificateAuthority),
		}
		if ca.ours = slices.Contains(ca.contexts, ours); ca.ours {
			ca.name = "ca"
		}
		out = append(out, ca)
	}
	slices.SortStableFunc(out, func(a, b configured) int {
		switch {
		case a.ours == b.ours:
			return 0
		case a.ours:
			return -1
		}
		return 1
	})
	return out
}

// configuredUser gives the certificate of a user, and the plugin if we are let in by what it gives.
func configuredUser(name string, u *clientcmdapi.AuthInfo, contexts []string, ours bool) (out []configured) {
	if len(u.ClientCertificateData) > 0 || u.ClientCertificate != "" {
		out = append(out, configured{
			slot: "kubeconfig user " + name, kind: kube.ClientCert, contexts: contexts, ours: ours,
			data: u.ClientCertificateData, file: beside(u.LocationOfOrigin, u.ClientCertificate),
		})
	}
	plugin := ""
	switch {
	case u.Exec != nil:
		plugin = filepath.Base(u.Exec.Command)
	case u.AuthProvider != nil:
		plugin = u.AuthProvider.Name
	}
	if ours && plugin != "" {
		out = append(out, configured{slot: pluginSlot, kind: kube.NoCert, contexts: contexts, ours: true, plugin: plugin})
	}
	return out
}

// pluginSlot is the slot of what a plugin gives us, which goes once that has been seen.
const pluginSlot = "kubeconfig plugin"

// beside resolves a path of a kubeconfig, which is relative to the file that says it (clientcmd.ResolvePaths).
func beside(origin, path string) string {
	if path == "" || filepath.IsAbs(path) || origin == "" {
		return path
	}
	return filepath.Join(filepath.Dir(origin), path)
}

// inKubeconfig reads everything, and makes one finding of the same certificate in several contexts.
func inKubeconfig(all []configured) (out []finding) {
	type known struct {
		at       int
		contexts []string
		file     string
	}
	byUID := map[string]*known{}
	for _, c := range all {
		for _, f := range c.find() {
			uid := f.cert.UID
			if old := byUID[uid]; old != nil {
				old.contexts = append(old.contexts, c.contexts...)
				p, q := &out[old.at].cert.Places[0], f.cert.Places[0]
				p.Outlived = p.Outlived && q.Outlived // one of the bundles has nothing newer
				continue
			}
			byUID[uid] = &known{at: len(out), contexts: slices.Clone(c.contexts), file: c.file}
			out = append(out, f)
		}
	}
	for _, k := range byUID {
		out[k.at].cert.Places[0].Where = contextsText(k.contexts, k.file)
	}
	return out
}

// find reads it from where it is.
func (c *configured) find() []finding {
	place := kube.CertPlace{
		Source: kube.FromKubeconfig, Name: c.name, Where: contextsText(c.contexts, c.file), Short: "kubeconfig",
		Danger: kube.LocksUsOut, Breaks: "whoever uses this kubeconfig is locked out", Ours: c.ours,
		Elsewhere: !c.ours,
	}
	switch c.kind {
	case kube.NoCert:
		place.Name, place.Class = "credential of a plugin", kube.ShortLived
		place.Note = "whatever it gives is asked for again when it ends"
		return []finding{unseen(c.slot, place, short("given by the plugin "+c.plugin))}
	case kube.Authority:
		place.Class, place.Ours = kube.OfAuthority, false
		place.Breaks = "whoever uses this kubeconfig no longer trusts the API server"
		place.Renew = "put the new CA of the cluster into the kubeconfig"
	default:
		place.Renew = "get a new kubeconfig; where kubeadm made it: kubeadm certs renew admin.conf, on a control-plane node"
	}
	pem := c.data
	if len(pem) == 0 {
		var err error
		if pem, err = folder("/").read(absolute(c.file)); err != nil {
			place.Name = c.named("")
			return nothing(c.slot, place, whyNot(err))
		}
		defer clear(pem) // there may be a key in it
	}
	found := stored(c.slot, c.kind, place, pem)
	for _, f := range found {
		who := ""
		if f.cert.X509 != nil {
			who = f.cert.X509.CommonName
		}
		f.cert.Name = c.named(who)
		f.cert.Places[0].Name = f.cert.Name
	}
	return found
}

// named is what the row is called: a client by whom its certificate names, as long as it can be read.
func (c *configured) named(who string) string {
	switch {
	case c.name != "":
		return c.name
	case who == "":
		_, who, _ = strings.Cut(c.slot, "user ")
	}
	return short(who + " client")
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// mostContexts is how many contexts are named one by one.
const mostContexts = 3

// contextsText names the contexts that need a certificate, and the file if it is in one of its own.
func contextsText(contexts []string, file string) string {
	contexts = slices.Compact(slices.Sorted(slices.Values(contexts)))
	more := ""
	if n := len(contexts) - mostContexts; n > 0 {
		contexts, more = contexts[:mostContexts], fmt.Sprintf(" and %d more", n)
	}
	out := "kubeconfig (" + strings.Join(contexts, ", ") + more + ")"
	if file != "" {
		out += ": " + file
	}
	return short(out)
}
