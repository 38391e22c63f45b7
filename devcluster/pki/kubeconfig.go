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

// users are the kubeconfigs that kubeadm makes, by file.
var users = []struct {
	file, user, cn string
	orgs           []string
}{
	{"admin.conf", "kubernetes-admin", "kubernetes-admin", []string{"kubeadm:cluster-admins"}},
	{"super-admin.conf", "kubernetes-super-admin", "kubernetes-super-admin", []string{"system:masters"}},
	{"controller-manager.conf", "system:kube-controller-manager", "system:kube-controller-manager", nil},
	{"scheduler.conf", "system:kube-scheduler", "system:kube-scheduler", nil},
	{"kubelet.conf", "system:node:" + NodeName, "system:node:" + NodeName, []string{"system:nodes"}},
}

// Kubeconfigs writes the kubeconfigs for the API server at url.
func Kubeconfigs(dir, url string, now time.Time) error {
	ca, err := load(filepath.Join(dir, "pki", "ca"))
	if err != nil {
		return err
	}
	for _, u := range users {
		raw, key, err := ca.sign(leaf{cn: u.cn, orgs: u.orgs, client: true}, now)
		if err != nil {
			return fmt.Errorf("make the certificate of %s: %w", u.file, err)
		}
		private, err := keyPEM(key)
		if err != nil {
			return err
		}
		cfg := api.NewConfig()
		cfg.Clusters[Context] = &api.Cluster{Server: url, CertificateAuthorityData: certificatePEM(ca.cert.Raw)}
		cfg.AuthInfos[u.user] = &api.AuthInfo{ClientCertificateData: certificatePEM(raw), ClientKeyData: private}
		cfg.Contexts[Context] = &api.Context{Cluster: Context, AuthInfo: u.user}
		cfg.CurrentContext = Context
		if err := clientcmd.WriteToFile(*cfg, filepath.Join(dir, u.file)); err != nil {
			return fmt.Errorf("write %s: %w", u.file, err)
		}
	}
	return nil
}

func load(path string) (*authority, error) {
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
	return &authority{cert, key}, nil
}
