package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

// placed are findings as words: name, place, and what is not as it should be.
func placed(all []finding) (out []string) {
	for _, f := range all {
		p := f.cert.Places[0]
		line := f.cert.Name + " @ " + p.Where
		if f.cert.Unseen != "" {
			line += " ? " + f.cert.Unseen
		}
		if p.Ours {
			line += " ours"
		}
		out = append(out, line)
	}
	return out
}

func TestKubeconfigShowsEveryContextAndEachCertificateOnce(t *testing.T) {
	dir := t.TempDir()
	ca, other := newMint(t, "kubernetes", mintTo), newMint(t, "elsewhere", mintTo)
	alice, bob := asPEM(ca.leaf("alice@corp", mintTo)), asPEM(other.leaf("bob", mintTo))
	key := keyPEM(t, ca.key)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("bob.pem", slices.Concat(key, bob))
	write("huge.pem", bytes.Repeat([]byte("x"), mostBytes+1))
	context := func(cluster, user string) *clientcmdapi.Context {
		return &clientcmdapi.Context{Cluster: cluster, AuthInfo: user}
	}
	config := clientcmdapi.Config{
		CurrentContext: "prod",
		Contexts: map[string]*clientcmdapi.Context{
			"prod": context("tokyo", "alice"), "prod-shop": context("tokyo", "alice"), "copy": context("copy", "again"),
			"test": context("test", "bob"), "gone": context("gone", "gone"), "bad": context("nocluster", "bad"),
			"cloud": context("tokyo", "aws"), "huge": context("tokyo", "huge"), "nobody": context("nocluster", "nouser"), "nil": nil,
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			"alice": {ClientCertificateData: alice, ClientKeyData: key}, "again": {ClientCertificateData: alice},
			"bob":  {ClientCertificate: "bob.pem", LocationOfOrigin: filepath.Join(dir, "config")},
			"gone": {ClientCertificate: "/nowhere/gone.pem"}, "bad": {ClientCertificateData: []byte("garbage")},
			"huge": {ClientCertificate: filepath.Join(dir, "huge.pem")},
			"aws":  {Exec: &clientcmdapi.ExecConfig{Command: "/usr/bin/aws"}}, "unused": {ClientCertificateData: bob},
		},
		Clusters: map[string]*clientcmdapi.Cluster{
			"tokyo": {CertificateAuthorityData: asPEM(ca.cert)}, "copy": {CertificateAuthorityData: asPEM(ca.cert)},
			"test": {CertificateAuthorityData: asPEM(other.cert, ca.cert)}, "gone": {InsecureSkipTLSVerify: true},
		},
	}
	want := []string{
		"alice@corp client @ kubeconfig (copy, prod, prod-shop) ours",
		"ca @ kubeconfig (cloud, copy, huge and 3 more)",
		"bad client @ kubeconfig (bad) ? no certificate in it",
		"bob client @ kubeconfig (test): " + dir + "/bob.pem",
		"gone client @ kubeconfig (gone): /nowhere/gone.pem ? no such file or directory",
		"huge client @ kubeconfig (huge): " + dir + "/huge.pem ? it is longer than 1 MiB",
		"test ca @ kubeconfig (test)",
	}
	if diff := cmp.Diff(want, placed(inKubeconfig(configuredIn(config, "")))); diff != "" {
		t.Errorf("(- wanted, + found):\n%s", diff)
	}
	for _, f := range inKubeconfig(configuredIn(config, "")) {
		p := f.cert.Place()
		if ours := p.Ours || p.Name == "ca"; p.Elsewhere == ours {
			t.Errorf("%s is of somewhere else: %t", p.Name, p.Elsewhere)
		}
	}
	got := inKubeconfig(configuredIn(config, "cloud"))
	if line := placed(got)[0]; line != "credential of a plugin @ kubeconfig (cloud) ? given by the plugin aws ours" {
		t.Errorf("the plugin that lets us in: %s", line)
	}
	if c := got[0].cert; c.Places[0].Class != kube.ShortLived || c.Severity(kube.Moment{Now: mintTo}) != kube.Notice {
		t.Errorf("%+v", c)
	}
}

// AC-C4: the dates are those of the document (openssl x509 -noout -dates of a kubeconfig).
func TestKubeconfigOfTheDocument(t *testing.T) {
	from := time.Date(2024, 2, 13, 5, 57, 47, 0, time.UTC)
	caTo, clientTo := time.Date(2034, 2, 10, 6, 2, 47, 0, time.UTC), time.Date(2025, 2, 12, 6, 2, 50, 0, time.UTC)
	ca := newMint(t, "kubernetes", caTo)
	client := ca.leaf("kubernetes-admin", clientTo)
	config := clientcmdapi.NewConfig()
	config.Contexts["prod"] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "admin"}
	config.Clusters["prod"] = &clientcmdapi.Cluster{CertificateAuthorityData: asPEM(ca.cert)}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: asPEM(client)}
	config.CurrentContext = "prod"
	found := inKubeconfig(configuredIn(*config, "prod"))
	if len(found) != 2 {
		t.Fatalf("%d rows: %v", len(found), placed(found))
	}
	for _, c := range []struct {
		now      time.Time
		row      int
		left     string
		severity kube.Severity
	}{
		{from.Add(time.Hour), 0, "364d", kube.OK},
		{time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), 0, "11d", kube.Warning},
		{time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), 1, "9y", kube.OK},
		{time.Date(2025, 2, 13, 0, 0, 0, 0, time.UTC), 0, "EXPIRED 17h ago", kube.Bad},
		{time.Date(2025, 2, 13, 0, 0, 0, 0, time.UTC), 1, "8y", kube.OK},
	} {
		cert := found[c.row].cert
		if got := cert.LeftText(c.now); got != c.left {
			t.Errorf("%s at %s: %q, wanted %q", cert.Name, c.now, got, c.left)
		}
		if got := cert.Severity(kube.Moment{Now: c.now}); got != c.severity {
			t.Errorf("%s at %s is %s, wanted %s", cert.Name, c.now, got, c.severity)
		}
	}
}

func TestKubeconfigAsClientcmdLoadsIt(t *testing.T) {
	dir := t.TempDir()
	ca := newMint(t, "kubernetes", mintTo)
	for name, b := range map[string][]byte{
		"c.pem": asPEM(ca.leaf("carol", mintTo)), "ca.pem": asPEM(ca.cert),
		"config": []byte("apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n" +
			"clusters: [{name: x, cluster: {server: https://x, certificate-authority: ca.pem}}]\nusers: [{name: x, user: {client-certificate: c.pem}}]\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := (&clientcmd.ClientConfigLoadingRules{ExplicitPath: filepath.Join(dir, "config")}).Load()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"carol client @ kubeconfig (x): " + dir + "/c.pem ours", "ca @ kubeconfig (x): " + dir + "/ca.pem"}
	if diff := cmp.Diff(want, placed(inKubeconfig(configuredIn(*config, "x")))); diff != "" {
		t.Error(diff)
	}
}

func TestHostileKubeconfigIsClean(t *testing.T) {
	evil := "\x1b[2J\u202e" + strings.Repeat("x", 1000)
	config := clientcmdapi.Config{
		Contexts:  map[string]*clientcmdapi.Context{evil: {Cluster: evil, AuthInfo: evil}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{evil: {ClientCertificate: "/" + evil, Exec: &clientcmdapi.ExecConfig{Command: evil}}},
		Clusters:  map[string]*clientcmdapi.Cluster{evil: {CertificateAuthorityData: []byte("-----BEGIN CERTIFICATE-----" + evil)}},
	}
	found := inKubeconfig(configuredIn(config, evil))
	if len(found) != 3 {
		t.Fatal(placed(found))
	}
	for _, f := range found {
		for _, s := range []string{f.cert.Name, f.cert.Places[0].Where, f.cert.Unseen} {
			checkClean(t, nil, []string{s})
		}
	}
}
