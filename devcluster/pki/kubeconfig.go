package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Context is the name of the context in every kubeconfig.
const Context = "devcluster"

// kubeletConf is the only one that the kubelet renews by itself, and kubeadm does not.
const kubeletConf = "kubelet.conf"

// user is whom a kubeconfig names, and its file.
type user struct {
	file, name, cn string
	orgs           []string
}

// users are the kubeconfigs that kubeadm makes.
var users = []user{
	{"admin.conf", "kubernetes-admin", "kubernetes-admin", []string{"kubeadm:cluster-admins"}},
	{"super-admin.conf", "kubernetes-super-admin", "kubernetes-super-admin", []string{"system:masters"}},
	{"controller-manager.conf", "system:kube-controller-manager", "system:kube-controller-manager", nil},
	{"scheduler.conf", "system:kube-scheduler", "system:kube-scheduler", nil},
	{kubeletConf, "system:node:" + NodeName, "system:node:" + NodeName, []string{"system:nodes"}},
}

// Kubeconfigs writes the kubeconfigs for the API server at o.URL.
func Kubeconfigs(dir string, now time.Time, o Options) error {
	ca, err := Load(filepath.Join(dir, "pki", "ca"))
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := ca.kubeconfig(dir, u, o.URL, o.life(u.file, leafLife, now)); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfig writes the kubeconfig of one user, with a new certificate and key.
func (a *Authority) kubeconfig(dir string, u user, url string, lives span) error {
	raw, key, err := a.sign(leaf{cn: u.cn, orgs: u.orgs, client: true}, lives)
	if err != nil {
		return fmt.Errorf("make the certificate of %s: %w", u.file, err)
	}
	private, err := keyPEM(key)
	if err != nil {
		return err
	}
	cfg := api.NewConfig()
	cfg.Clusters[Context] = &api.Cluster{Server: url, CertificateAuthorityData: certificatePEM(a.cert.Raw)}
	cfg.AuthInfos[u.name] = &api.AuthInfo{ClientCertificateData: certificatePEM(raw), ClientKeyData: private}
	cfg.Contexts[Context] = &api.Context{Cluster: Context, AuthInfo: u.name}
	cfg.CurrentContext = Context
	if err := clientcmd.WriteToFile(*cfg, filepath.Join(dir, u.file)); err != nil {
		return fmt.Errorf("write %s: %w", u.file, err)
	}
	return nil
}

// Load reads the CA in path.crt and path.key.
func Load(path string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(path+".crt", path+".key")
	if err != nil {
		return nil, fmt.Errorf("read the CA %s: %w", path, err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("read the CA %s: %w", path, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read the CA %s: its key cannot sign", path)
	}
	return &Authority{cert, key}, nil
}
