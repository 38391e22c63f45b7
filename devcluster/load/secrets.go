package load

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ktriage/devcluster/pki"
)

// issuer is what signs the certificates of all TLS Secrets, and its own certificate, which is behind each of theirs.
type issuer struct {
	authority *pki.Authority
	pem, key  []byte        // key is that of all leaves, in PEM
	signer    crypto.Signer // the same
}

// newIssuer makes it, by a name that no other CA has.
func newIssuer(now time.Time) (*issuer, error) {
	const name = "Load Issuing CA"
	authority, err := pki.Named(name)
	if err != nil {
		return nil, err
	}
	key, err := pki.Key(name)
	if err != nil {
		return nil, err
	}
	own, err := pki.Spec{CN: name, Begins: now.Add(-400 * 24 * time.Hour), Ends: now.Add(700 * 24 * time.Hour), CA: true}.Issue(key, nil)
	if err != nil {
		return nil, err
	}
	leaf, err := pki.Key("load")
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(leaf)
	if err != nil {
		return nil, fmt.Errorf("make the key of the Secrets: %w", err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return &issuer{authority, block("CERTIFICATE", own), block("EC PRIVATE KEY", der), leaf}, nil
}

// secret gives the i-th TLS Secret, and its namespace: a chain of two, which ends from ten days ago to 350 days from now.
func (s *issuer) secret(i int, now time.Time) (*corev1.Secret, error) {
	name := fmt.Sprintf("tls-%06d", i)
	ends := now.Add(time.Duration(i%360-10) * 24 * time.Hour)
	der, err := pki.Spec{
		CN: name + ".example", Names: []string{name + ".example"}, Begins: ends.Add(-365 * 24 * time.Hour), Ends: ends,
	}.Issue(s.signer, s.authority)
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespaces[i%len(namespaces)], UID: uid('d', i), CreationTimestamp: metav1.NewTime(now),
			ManagedFields: managed("cert-manager", now, 2),
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), s.pem),
			corev1.TLSPrivateKeyKey: s.key,
		},
	}, nil
}

// writeSecrets writes the TLS Secrets.
func (o Options) writeSecrets(ctx context.Context, client *clientv3.Client, now time.Time) error {
	if o.Secrets == 0 {
		return nil
	}
	all, err := newIssuer(now)
	if err != nil {
		return err
	}
	return o.write(ctx, client, "secrets", o.Secrets, func(i int) (string, runtime.Object, error) {
		s, err := all.secret(i, now)
		if err != nil {
			return "", nil, err
		}
		return "/registry/secrets/" + s.Namespace + "/" + s.Name, s, nil
	})
}
