package kube_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
)

var quiet = log.New(io.Discard, "", 0)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: prod-tokyo
clusters:
- {name: tokyo, cluster: {server: "https://10.0.0.1:6443"}}
users:
- {name: alice, user: {token: secret}}
contexts:
- {name: prod-tokyo, context: {cluster: tokyo, user: alice}}
- {name: prod-osaka, context: {cluster: osaka, user: alice}}
- {name: staging, context: {cluster: tokyo, user: bob}}
- {name: nowhere, context: {user: alice}}
- {name: certless, context: {cluster: tokyo, user: alice}}
- {name: dev-1, context: {cluster: tokyo, user: alice}}
`

func TestConfigurationTroubleIsExplained(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBERNETES_MASTER", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", kubeconfig)
	broken := write("broken", "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: x\ncontexts: []\n")
	wrong := write("wrong", "apiVersion: v1\nkind: Config\nclusters: 5\n")
	empty := write("empty", "")
	unset := write("unset", "apiVersion: v1\nkind: Config\ncontexts:\n- {name: a, context: {cluster: c, user: u}}\n")
	endless := write("endless", "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- {name: a, context: {cluster: c, user: u}}\n"+
		"clusters:\n- {name: c, cluster: {server: https://10.0.0.1}}\nusers:\n- {name: u, user: {client-certificate: /dev/zero, client-key: /dev/zero}}\n")

	for name, c := range map[string]struct {
		file  string
		flags func(*genericclioptions.ConfigFlags)
		want  wanted // a zero code if it is good
	}{
		"good":                 {good, nil, wanted{}},
		"none":                 {"", nil, wanted{"No kubeconfig names a cluster", "KUBECONFIG", 2}},
		"empty":                {empty, nil, wanted{"looked for " + empty, "--kubeconfig FILE", 2}},
		"missing":              {filepath.Join(dir, "gone"), nil, wanted{"There is no kubeconfig " + dir, "--kubeconfig", 2}},
		"directory":            {dir, nil, wanted{"cannot be read: is a directory", "", 2}},
		"not YAML":             {broken, nil, wanted{"The kubeconfig " + broken + " is not valid YAML at line ", "Correct the file", 2}},
		"YAML of another kind": {wrong, nil, wanted{"The kubeconfig " + wrong + " is not one: ", "Correct the file", 2}},
		"device for a file":    {endless, nil, wanted{"The kubeconfig cannot be used: /dev/zero, which it names, is not a file", "", 2}},
		"no current context":   {unset, nil, wanted{"has no current context", "Use --context with one of: a.", 2}},
		"mistyped context": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.Context }, "prod-toyko"),
			wanted{`There is no context "prod-toyko"`, "the nearest of 6 are: prod-tokyo, prod-osaka, ", 2},
		},
		"part of a context": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.Context }, "osaka"),
			wanted{`There is no context "osaka"`, "are: prod-osaka, ", 2},
		},
		"context without its cluster": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.Context }, "prod-osaka"),
			wanted{`The context "prod-osaka" names the cluster "osaka", which the kubeconfig does not have.`, "--cluster", 2},
		},
		"context without its user": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.Context }, "staging"),
			wanted{`The context "staging" names the user "bob"`, "--user", 2},
		},
		"context that names no cluster": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.Context }, "nowhere"),
			wanted{`The context "nowhere" of the kubeconfig names no cluster.`, "--cluster", 2},
		},
		"mistyped cluster": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.ClusterName }, "kyoto"),
			wanted{`There is no cluster "kyoto"`, "--cluster", 2},
		},
		"mistyped user": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.AuthInfoName }, "eve"),
			wanted{`There is no user "eve"`, "--user", 2},
		},
		"flag that client-go refuses": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.CAFile }, filepath.Join(dir, "no-ca")),
			wanted{"The kubeconfig cannot be used: ", "", 2},
		},
		"proxy that client-go refuses": {
			good, flag(func(f *genericclioptions.ConfigFlags) **string { return &f.ProxyURL }, "ftp://joe:s3cret@proxy:1"),
			wanted{`ftp://***@proxy:1`, "", 2},
		},
		"a server needs no kubeconfig": {
			"", flag(func(f *genericclioptions.ConfigFlags) **string { return &f.APIServer }, "https://10.0.0.1"), wanted{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := genericclioptions.NewConfigFlags(true)
			*flags.KubeConfig = c.file
			if c.flags != nil {
				c.flags(flags)
			}
			err := kube.CheckConfig(flags)
			if c.want.code == 0 {
				if err != nil {
					t.Errorf("a good configuration is refused: %v", err)
				}
				return
			}
			check(t, err, c.want)
		})
	}
}

func flag(
	of func(*genericclioptions.ConfigFlags) **string, value string,
) func(*genericclioptions.ConfigFlags) {
	return func(f *genericclioptions.ConfigFlags) { *of(f) = &value }
}

func TestClientCertificateThatIsNotValidIsFoundBeforeAnyRequest(t *testing.T) {
	now := time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)
	ca := issue(t, nil, now.Add(-time.Hour), now.Add(time.Hour))
	own := func(from, to time.Duration) rest.TLSClientConfig {
		return ca.trustedWith(issue(t, ca, now.Add(from), now.Add(to)))
	}
	expired, early, valid := own(-48*time.Hour, -time.Hour), own(time.Hour, 2*time.Hour), own(-time.Hour, time.Hour)
	file := filepath.Join(t.TempDir(), "cert")
	if err := os.WriteFile(file, expired.CertData, 0o600); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		cfg  rest.Config
		want wanted // a zero code if there is nothing to say
	}{
		"expired":                    {rest.Config{TLSClientConfig: expired}, wanted{"(CN=test) expired on 2026-11-21 16:00 UTC.", "fresh kubeconfig", 3}},
		"expired, in a file":         {rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: file}}, wanted{"expired on", "", 3}},
		"early":                      {rest.Config{TLSClientConfig: early}, wanted{"not valid before 2026-11-21 18:00 UTC.", "it says 2026-11-21 17:00 UTC", 3}},
		"valid":                      {rest.Config{TLSClientConfig: valid}, wanted{}},
		"none":                       {rest.Config{}, wanted{}},
		"expired beside a token":     {rest.Config{TLSClientConfig: expired, BearerToken: "t"}, wanted{}},
		"expired beside a plugin":    {rest.Config{TLSClientConfig: expired, ExecProvider: &clientcmdapi.ExecConfig{}}, wanted{}},
		"unreadable is not for here": {rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: []byte("x")}}, wanted{}},
	} {
		t.Run(name, func(t *testing.T) {
			err := kube.CheckCredentials(&c.cfg, now)
			if c.want.code == 0 {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			check(t, err, c.want)
		})
	}
}

// pair is a certificate with its key.
type pair struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for names and addresses. Without a parent it is an authority.
func issue(t *testing.T, parent *pair, from, to time.Time, hosts ...string) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, Subject: pkix.Name{CommonName: "test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	if parent == nil {
		template.Subject.CommonName, template.IsCA, template.BasicConstraintsValid = "test authority", true, true
		parent = &pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.leaf, &key.PublicKey, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{leaf, key}
}

func serving(p *pair) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{p.leaf.Raw}, PrivateKey: p.key}}}
}

func (p *pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.leaf.Raw})
}

// trusted is a client that trusts what p has issued.
func (p *pair) trusted() rest.TLSClientConfig { return rest.TLSClientConfig{CAData: p.certPEM()} }

// trustedWith is the same, with a certificate of its own.
func (p *pair) trustedWith(own *pair) rest.TLSClientConfig {
	der, err := x509.MarshalECPrivateKey(own.key)
	if err != nil {
		panic(err)
	}
	key := bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	return rest.TLSClientConfig{CAData: p.certPEM(), CertData: own.certPEM(), KeyData: key}
}
