// Package pki makes the certificates and kubeconfigs of a control plane. Its one rule: the layout, the file names, the
// subjects and the lifetimes are those of kubeadm (cmd/kubeadm/app/phases/certs), so that what reads a kubeadm host reads
// this folder.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// backdate is how far before now a certificate begins, for clocks that differ a little.
	backdate = 5 * time.Minute
)

// Authority is a CA and its key.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// leaf is one certificate: what kubeadm calls it, where it lies, whom it names, what it is for.
type leaf struct {
	name, path, cn string
	orgs           []string
	server, client bool
	names          []string
	ips            []net.IP
	signedBy       string
}

// ServiceIP is the address of the kubernetes Service.
var ServiceIP = net.IPv4(10, 96, 0, 1)

// NodeName is the control-plane node that the certificates name.
const NodeName = "cp-1"

// Options say what a control plane's certificates name, and how long they live.
type Options struct {
	Host net.IP // where the control plane listens, beside the loopback address 127.0.0.1; nil is nowhere else
	URL  string // of the API server, for kubeconfigs
	// Lives holds those that do not live as long as kubeadm's, by kubeadm's names: how long from now they end. What ended
	// before now began a year before that.
	Lives map[string]time.Duration
	// KeepKey makes Renew leave the old key where it is, as whoever copies half of a certificate does: who reads both
	// finds that they do not fit.
	KeepKey bool
}

// Make fills dir/pki, and dir/kubelet with the serving certificate of the nodes.
func Make(dir string, now time.Time, o Options) error {
	root := filepath.Join(dir, "pki")
	authorities := map[string]*Authority{}
	for name, path := range authorityPaths {
		ca, err := newAuthority(authorityNames[name], o.life(name, caLife, now))
		if err != nil {
			return fmt.Errorf("make the CA %s: %w", path, err)
		}
		authorities[path] = ca
		if err := write(filepath.Join(root, path), ca.cert.Raw, ca.key); err != nil {
			return err
		}
	}
	for _, l := range leaves(o.Host) {
		if err := authorities[l.signedBy].issue(root, l, o.life(l.name, leafLife, now)); err != nil {
			return err
		}
	}
	kubelet := leaf{
		path: "../kubelet/kubelet", cn: "system:node:" + NodeName, orgs: []string{"system:nodes"}, server: true,
		names: []string{NodeName, "localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if err := authorities["ca"].issue(root, kubelet, span{now.Add(-backdate), now.Add(leafLife)}); err != nil {
		return err
	}
	return serviceAccountKeys(root)
}

// authorityPaths are where the CAs lie, and authorityNames whom they name, by kubeadm's names.
var (
	authorityPaths = map[string]string{"ca": "ca", "front-proxy-ca": "front-proxy-ca", "etcd-ca": "etcd/ca"}
	authorityNames = map[string]string{"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd-ca": "etcd-ca"}
)

// leaves are kubeadm's, for a control plane that listens on host too.
func leaves(host net.IP) []leaf {
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	if host != nil && !host.Equal(here[0]) {
		here = append(here, host)
	}
	local := append([]net.IP{net.IPv6loopback}, here...)
	hosts := []string{NodeName, "localhost"}
	return []leaf{
		{
			name: "apiserver", path: "apiserver", cn: "kube-apiserver", server: true, signedBy: "ca",
			names: []string{
				NodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local", "localhost",
			},
			ips: append([]net.IP{ServiceIP}, here...),
		},
		{name: "apiserver-kubelet-client", path: "apiserver-kubelet-client", cn: "kube-apiserver-kubelet-client", client: true, signedBy: "ca"},
		{name: "front-proxy-client", path: "front-proxy-client", cn: "front-proxy-client", client: true, signedBy: "front-proxy-ca"},
		{name: "etcd-server", path: "etcd/server", cn: NodeName, server: true, client: true, names: hosts, ips: local, signedBy: "etcd/ca"},
		{name: "etcd-peer", path: "etcd/peer", cn: NodeName, server: true, client: true, names: hosts, ips: local, signedBy: "etcd/ca"},
		{name: "etcd-healthcheck-client", path: "etcd/healthcheck-client", cn: "kube-etcd-healthcheck-client", client: true, signedBy: "etcd/ca"},
		{name: "apiserver-etcd-client", path: "apiserver-etcd-client", cn: "kube-apiserver-etcd-client", client: true, signedBy: "etcd/ca"},
	}
}

// span is from when until when a certificate lives.
type span struct{ begins, ends time.Time }

// life gives that of the certificate with kubeadm's name, which lives usual unless it is said.
func (o Options) life(name string, usual time.Duration, now time.Time) span {
	left, ok := o.Lives[name]
	switch {
	case !ok:
		return span{now.Add(-backdate), now.Add(usual)}
	case left < usual: // it was issued for the usual time, and that was a while ago
		return span{now.Add(left - usual), now.Add(left)}
	}
	return span{now.Add(-backdate), now.Add(left)}
}

func newAuthority(cn string, l span) (*Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: cn}, DNSNames: []string{cn},
		NotBefore: l.begins, NotAfter: l.ends,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		IsCA:     true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	return &Authority{cert, key}, err
}

// issue signs a leaf and writes it with its key.
func (a *Authority) issue(root string, l leaf, lives span) error {
	raw, key, err := a.sign(l, lives)
	if err != nil {
		return fmt.Errorf("make the certificate %s: %w", l.path, err)
	}
	return write(filepath.Join(root, l.path), raw, key)
}

func (a *Authority) sign(l leaf, lives span) ([]byte, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: l.cn, Organization: l.orgs},
		NotBefore: lives.begins, NotAfter: lives.ends,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		DNSNames: l.names, IPAddresses: l.ips,
	}
	if l.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if l.client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	return raw, key, err
}

// serviceAccountKeys makes sa.key and sa.pub, which are keys without certificates.
func serviceAccountKeys(root string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the service account key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("make the service account key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, "sa.key"), private, 0o600); err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return os.WriteFile(filepath.Join(root, "sa.pub"), public, 0o600)
}

// write puts path.crt and path.key on disk.
func write(path string, raw []byte, key crypto.Signer) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".crt", certificatePEM(raw), 0o600); err != nil {
		return err
	}
	private, err := keyPEM(key)
	if err != nil {
		return fmt.Errorf("write %s.key: %w", path, err)
	}
	return os.WriteFile(path+".key", private, 0o600)
}

func certificatePEM(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
	}
	return nil, fmt.Errorf("no PEM form for a %T", key)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		panic(err) // no randomness, no certificates
	}
	return n.Add(n, big.NewInt(1))
}
