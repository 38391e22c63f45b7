package scenario

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"text/template"
	"time"

	kwokcrd "sigs.k8s.io/kwok/kustomize/crd"
	kwokmetrics "sigs.k8s.io/kwok/kustomize/metrics/resource"
)

// functions are what templates can call. What is made of the clock or of keys is made of env alone.
func functions(env Env) template.FuncMap {
	return template.FuncMap{
		"seq":         seq,
		"add":         func(a, b int) int { return a + b },
		"mod":         func(a, b int) int { return a % b },
		"list":        func(words ...string) []string { return words },
		"dict":        dict,
		"pick":        func(i int, words []string) string { return words[i%len(words)] },
		"ago":         env.ago,
		"words":       strings.Fields,
		"spaced":      func(s string) string { return strings.ReplaceAll(s, "%", " ") },
		"tlsSecret":   env.tlsSecret,
		"nodeCSR":     nodeCSR,
		"crds":        crds,
		"kwokMetrics": func() string { return kwokmetrics.DefaultMetricsResource },
	}
}

// seq gives the numbers from a to b.
func seq(a, b int) []int {
	var out []int
	for i := a; i <= b; i++ {
		out = append(out, i)
	}
	return out
}

// dict gives a map of names to numbers, from one after the other.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// ago gives a time before now.
func (e Env) ago(d string) (string, error) {
	t, err := time.ParseDuration(d)
	return e.Now.Add(-t).UTC().Format(time.RFC3339), err
}

// crds are kwok's custom resources, which its own configuration is made of.
func crds() string {
	var docs []string
	for _, d := range [][]byte{
		kwokcrd.Stage, kwokcrd.Metric, kwokcrd.ResourceUsage, kwokcrd.ClusterResourceUsage,
		kwokcrd.Logs, kwokcrd.ClusterLogs, kwokcrd.Exec, kwokcrd.ClusterExec,
	} {
		docs = append(docs, string(d))
	}
	return strings.Join(docs, "\n---\n")
}

// tlsSecret gives the data of a TLS Secret whose certificate ends after that time, which may be negative.
func (e Env) tlsSecret(name, ends string) (string, error) {
	life, err := time.ParseDuration(ends)
	if err != nil {
		return "", err
	}
	key, der, err := keyOf(name)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(e.Now.Unix()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: e.Now.Add(-90 * 24 * time.Hour), NotAfter: e.Now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return "", fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	return fmt.Sprintf("tls.crt: %s\n  tls.key: %s", encode("CERTIFICATE", cert), encode("EC PRIVATE KEY", der)), nil
}

// nodeCSR gives the request of a kubelet's serving certificate.
func nodeCSR(node, ip string) (string, error) {
	key, _, err := keyOf(node)
	if err != nil {
		return "", err
	}
	request := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		DNSNames: []string{node},
	}
	if parsed := net.ParseIP(ip); parsed != nil {
		request.IPAddresses = append(request.IPAddresses, parsed)
	}
	der, err := x509.CreateCertificateRequest(nil, request, key)
	return encode("CERTIFICATE REQUEST", der), err
}

// keyOf gives the key that belongs to a name, always the same one: whoever reads this can make it too, and applying a
// scenario again changes nothing. Signing without randomness is RFC 6979's, which is as good.
func keyOf(name string) (*ecdsa.PrivateKey, []byte, error) {
	secret := sha256.Sum256([]byte("devcluster " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	return key, der, err
}

// encode gives a PEM block in base64, as Secrets and requests carry it.
func encode(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
