package pki

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Renewable gives the names that Renew knows, sorted: those of `kubeadm certs renew`, so neither a CA nor kubelet.conf.
func Renewable() []string {
	var names []string
	for _, l := range leaves(nil) {
		names = append(names, l.name)
	}
	for _, u := range users {
		if u.file != kubeletConf {
			names = append(names, u.file)
		}
	}
	slices.Sort(names)
	return names
}

// Renew issues one certificate in dir anew, with a new key, for the host and URL of o. Whoever has read the old one goes on
// with it until it reads again.
func Renew(dir, name string, life time.Duration, now time.Time, o Options) error {
	lives := span{now.Add(-backdate), now.Add(life)}
	for _, l := range leaves(o.Host) {
		if l.name != name {
			continue
		}
		ca, err := Load(filepath.Join(dir, "pki", l.signedBy))
		if err != nil {
			return err
		}
		if o.KeepKey {
			return ca.replace(filepath.Join(dir, "pki", l.path), l, lives)
		}
		return ca.issue(filepath.Join(dir, "pki"), l, lives)
	}
	for _, u := range users {
		if u.file != name || name == kubeletConf {
			continue
		}
		if o.KeepKey {
			return fmt.Errorf("%s holds its key beside its certificate: one cannot be renewed without the other", name)
		}
		ca, err := Load(filepath.Join(dir, "pki", "ca"))
		if err != nil {
			return err
		}
		return ca.kubeconfig(dir, u, o.URL, lives)
	}
	return fmt.Errorf("there is no certificate %q; there are %s", name, strings.Join(Renewable(), ", "))
}

// replace puts a new certificate beside the key that is there, which is not its key.
func (a *Authority) replace(path string, l leaf, lives span) error {
	raw, _, err := a.sign(l, lives)
	if err != nil {
		return fmt.Errorf("make the certificate %s: %w", l.path, err)
	}
	return os.WriteFile(path+".crt", certificatePEM(raw), 0o600)
}

// needed are the certificates that must be valid, or nothing starts: why, by kubeadm's names.
var needed = map[string]string{
	"ca":                      "no client would trust the API server",
	"etcd-ca":                 "the API server would not trust etcd",
	"apiserver":               "no client would trust the API server",
	"etcd-server":             "the API server would not trust etcd",
	"apiserver-etcd-client":   "etcd would not let the API server in",
	"super-admin.conf":        "devcluster and kwok could not log in",
	"controller-manager.conf": "the controller manager could not log in",
	"scheduler.conf":          "the scheduler could not log in",
}

// CheckLives says in one sentence what is wrong with Options.Lives: a name that is none, or one that must not have expired.
func CheckLives(lives map[string]time.Duration) error {
	known := append(Renewable(), kubeletConf)
	known = append(known, slices.Collect(maps.Keys(authorityPaths))...)
	slices.Sort(known)
	for _, name := range slices.Sorted(maps.Keys(lives)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no certificate %q; there are %s", name, strings.Join(known, ", "))
		}
		if why := needed[name]; why != "" && lives[name] < soonest {
			return fmt.Errorf("%s cannot end so soon: %s, and nothing would start; give it %s or more", name, why, soonest)
		}
	}
	return nil
}

// soonest is how long what is needed must live at least: a start takes up to a minute or two.
const soonest = 5 * time.Minute
