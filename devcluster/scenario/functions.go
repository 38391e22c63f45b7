package scenario

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// functions are what templates can call.
func functions(_ Env) template.FuncMap {
	return template.FuncMap{
		"seq":         seq,
		"add":         func(a, b int) int { return a + b },
		"mod":         func(a, b int) int { return a % b },
		"list":        func(words ...string) []string { return words },
		"dict":        dict,
		"pick":        func(i int, words []string) string { return words[i%len(words)] },
		"ago":         ago,
		"words":       strings.Fields,
		"spaced":      func(s string) string { return strings.ReplaceAll(s, "%", " ") },
		"tlsSecret":   tlsSecret,
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
func ago(d string) (string, error) {
	t, err := time.ParseDuration(d)
	return time.Now().Add(-t).UTC().Format(time.RFC3339), err
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
func tlsSecret(name, ends string) (string, error) {
	life, err := time.ParseDuration(ends)
	if err != nil {
		return "", err
	}
	key, der, err := newKey()
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-90 * 24 * time.Hour), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("tls.crt: %s\n  tls.key: %s", encode("CERTIFICATE", cert), encode("EC PRIVATE KEY", der)), nil
}

// nodeCSR gives the request of a kubelet's serving certificate.
func nodeCSR(node, ip string) (string, error) {
	key, _, err := newKey()
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
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	return encode("CERTIFICATE REQUEST", der), err
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	return key, der, err
}

// encode gives a PEM block in base64, as Secrets and requests carry it.
func encode(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
