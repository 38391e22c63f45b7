package certs

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"ktriage/internal/text"
	"ktriage/kube"
)

// The names that kubeadm has for the CAs of a cluster.
const (
	clusterCA    = "ca"
	frontProxyCA = "front-proxy-ca"
)

// clientCA is the key of the CAs of client certificates.
const clientCA = "client-ca-file"

// configMapSources are the CAs that the cluster itself tells its clients of [12, 13, 14].
func (i *Inventory) configMapSources() []*source {
	return []*source{
		{name: "kube-root-ca.crt", where: "configmap kube-root-ca.crt", every: everyList, read: i.readRootCA},
		{name: "extension-apiserver-authentication", where: "configmap kube-system/extension-apiserver-authentication",
			every: everyList, read: i.readAuthentication},
		{name: "cluster-info", where: "configmap kube-public/cluster-info", every: everyList, read: i.readClusterInfo},
	}
}

// readRootCA reads the bundle that every pod gets. It is the same in every namespace, so that the first one which we may read is
// enough.
func (i *Inventory) readRootCA(ctx context.Context, put func(...finding)) error {
	namespaces := slices.Clone(i.cluster.Scope().Namespaces)
	namespaces = slices.DeleteFunc(namespaces, func(ns string) bool { return ns == metav1.NamespaceAll })
	namespaces = append(namespaces, i.ownNamespace(), metav1.NamespaceDefault, metav1.NamespaceSystem)
	var failed error
	for _, ns := range slices.Compact(namespaces) {
		cm, err := i.configMap(ctx, ns, "kube-root-ca.crt")
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			if failed == nil || apierrors.IsForbidden(err) { // what is forbidden may be there
				failed = err
			}
			continue
		}
		if err != nil {
			return err
		}
		place := authorityPlace(clusterCA, cm, "all pods that speak to the API server, and this cluster's other clients")
		put(seen{}.anchors("kube-root-ca.crt", place, []byte(cm.Data["ca.crt"]))...)
		return nil
	}
	return failed
}

// readAuthentication reads the CAs of client certificates and of the front proxy, as the API server believes them.
func (i *Inventory) readAuthentication(ctx context.Context, put func(...finding)) error {
	cm, err := i.configMap(ctx, metav1.NamespaceSystem, "extension-apiserver-authentication")
	if err != nil {
		return err
	}
	for _, b := range [...]struct{ key, name, breaks string }{
		{clientCA, clusterCA, "every client certificate: kubelets, controller manager, scheduler, admins"},
		{"requestheader-client-ca-file", frontProxyCA, "aggregated APIs: they refuse the API server"},
	} {
		if pem := cm.Data[b.key]; pem != "" {
			place := authorityPlace(b.name, cm, b.breaks)
			place.Where += " " + b.key
			found := seen{}.anchors(b.key, place, []byte(pem))
			if b.key == clientCA {
				eachForItself(found)
			}
			put(found...)
		}
	}
	return nil
}

// eachForItself corrects the anchors of a bundle by which many different clients are known: a CA is outlived only by its own
// successor, of the same name but for the time that some write behind it, as k3s and OpenShift do. The clients of any other are
// refused once that has expired.
func eachForItself(anchors []finding) {
	stem := func(x *kube.X509) string { return signedAt.ReplaceAllString(x.Subject, "") }
	for _, a := range anchors {
		if a.cert.X509 == nil {
			continue
		}
		a.cert.Places[0].Outlived = slices.ContainsFunc(anchors, func(b finding) bool {
			return stem(a.cert.X509) == stem(b.cert.X509) && b.cert.To.After(a.cert.To)
		})
	}
}

// signedAt is the time behind the name of a CA: "k3s-client-ca@1795125656".
var signedAt = regexp.MustCompile(`@[0-9]+`)

// readClusterInfo reads the CA that kubeadm join believes.
func (i *Inventory) readClusterInfo(ctx context.Context, put func(...finding)) error {
	cm, err := i.configMap(ctx, metav1.NamespacePublic, "cluster-info")
	if err != nil {
		return err
	}
	place := authorityPlace(clusterCA, cm, "joins of new nodes")
	place.Danger = kube.BreaksNode
	config, err := clientcmd.Load([]byte(cm.Data["kubeconfig"]))
	if err != nil {
		place.Severity = kube.Warning
		put(unseen("cluster-info unread", place, words("its kubeconfig cannot be read", err.Error())))
		return nil
	}
	for name, c := range config.Clusters {
		put(seen{}.anchors("cluster-info "+name, place, c.CertificateAuthorityData)...)
	}
	return nil
}

func (i *Inventory) configMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	cm, err := i.cluster.Client().CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get configmap %s/%s: %w", namespace, name, err)
	}
	return cm, nil
}

// authorityPlace is that of a CA of the cluster in a ConfigMap.
func authorityPlace(name string, cm *corev1.ConfigMap, breaks string) kube.CertPlace {
	ns, cmName := text.Clean(cm.Namespace), text.Clean(cm.Name)
	return kube.CertPlace{
		Source: kube.FromConfigMap, Name: name, Where: "configmap " + ns + "/" + cmName, Short: "cm " + ns,
		Object: kube.Ref{Namespace: ns, Name: cmName, UID: string(cm.UID)},
		Class:  kube.OfAuthority, Danger: kube.BreaksCluster, Breaks: breaks,
	}
}
