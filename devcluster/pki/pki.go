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

// authority is a CA and where it lies.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// leaf is one certificate: where it lies, whom it names, what it is for.
type leaf struct {
	path, cn string
	orgs     []string
	server   bool
	client   bool
	names    []string
	ips      []net.IP
	signedBy string
}

// ServiceIP is the address of the kubernetes Service.
var ServiceIP = net.IPv4(10, 96, 0, 1)

// NodeName is the control-plane node that the certificates name.
const NodeName = "cp-1"

// Make fills dir/pki, and dir/kubelet with the serving certificate of the nodes.
func Make(dir string, now time.Time) error {
	root := filepath.Join(dir, "pki")
	authorities := map[string]*authority{}
	for path, cn := range map[string]string{"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd/ca": "etcd-ca"} {
		ca, err := newAuthority(cn, now)
		if err != nil {
			return fmt.Errorf("make the CA %s: %w", path, err)
		}
		authorities[path] = ca
		if err := write(filepath.Join(root, path), ca.cert.Raw, ca.key); err != nil {
			return err
		}
	}
	for _, l := range leaves() {
		if err := authorities[l.signedBy].issue(root, l, now); err != nil {
			return err
		}
	}
	kubelet := leaf{
		path: "../kubelet/kubelet", cn: "system:node:" + NodeName, orgs: []string{"system:nodes"}, server: true,
		names: []string{NodeName, "localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if err := authorities["ca"].issue(root, kubelet, now); err != nil {
		return err
	}
	return serviceAccountKeys(root)
}

func leaves() []leaf {
	local := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return []leaf{
		{
			path: "apiserver", cn: "kube-apiserver", server: true, signedBy: "ca",
			names: []string{
				NodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local", "localhost",
			},
			ips: []net.IP{ServiceIP, net.IPv4(127, 0, 0, 1)},
		},
		{path: "apiserver-kubelet-client", cn: "kube-apiserver-kubelet-client", client: true, signedBy: "ca"},
		{path: "front-proxy-client", cn: "front-proxy-client", client: true, signedBy: "front-proxy-ca"},
		{path: "etcd/server", cn: NodeName, server: true, client: true, names: []string{NodeName, "localhost"}, ips: local, signedBy: "etcd/ca"},
		{path: "etcd/peer", cn: NodeName, server: true, client: true, names: []string{NodeName, "localhost"}, ips: local, signedBy: "etcd/ca"},
		{path: "etcd/healthcheck-client", cn: "kube-etcd-healthcheck-client", client: true, signedBy: "etcd/ca"},
		{path: "apiserver-etcd-client", cn: "kube-apiserver-etcd-client", client: true, signedBy: "etcd/ca"},
	}
}

func newAuthority(cn string, now time.Time) (*authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: cn}, DNSNames: []string{cn},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		IsCA:     true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	return &authority{cert, key}, err
}

// issue signs a leaf and writes it with its key.
func (a *authority) issue(root string, l leaf, now time.Time) error {
	raw, key, err := a.sign(l, now)
	if err != nil {
		return fmt.Errorf("make the certificate %s: %w", l.path, err)
	}
	return write(filepath.Join(root, l.path), raw, key)
}

func (a *authority) sign(l leaf, now time.Time) ([]byte, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: l.cn, Organization: l.orgs},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
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
