package scenario

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"
	"time"

	"ktriage/devcluster/pki"
)

// certificates are the functions that make certificates and what is like them. Spans are those of time.ParseDuration, or
// days such as "9d"; they count from env.Now and may be negative. An issuer is the name of an authority; "" signs itself.
func certificates(env Env) template.FuncMap {
	return template.FuncMap{
		"tlsSecret": env.tlsSecret,
		"leaf":      env.leaf,
		"authority": env.authority,
		"pair":      pair,
		"key":       keyOf,
		"b64":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"json":      strconv.QuoteToASCII,
		"repeat":    func(n int, s string) string { return strings.Repeat(s, n) },
		"noise":     noise,
		"pkcs12":    pkcs12,
		"nodeCSR":   nodeCSR,
		"request":   request,
		"stub":      stub,
		"in":        env.in,
	}
}

// in gives a time after now, which may be before it.
func (e Env) in(span string) (string, error) {
	d, err := ParseSpan(span)
	return e.Now.Add(d).UTC().Format(time.RFC3339), err
}

// ParseSpan reads a span as time.ParseDuration does, or whole days such as "9d". It may be negative.
func ParseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// NodeIP gives the address of the n-th node: the control plane's is the first.
func (e Env) NodeIP(n int) (string, error) {
	ip := net.ParseIP(e.Host).To4()
	if ip == nil {
		return "", fmt.Errorf("%q is no address of a control plane", e.Host)
	}
	return net.IPv4(ip[0], ip[1], ip[2], byte(n)).String(), nil
}

// leaf gives a serving certificate in PEM.
func (e Env) leaf(cn, begins, ends, issuer string, names ...string) (string, error) {
	return e.issue(pki.Spec{CN: cn, Names: names}, begins, ends, issuer)
}

// authority gives the certificate of a CA in PEM.
func (e Env) authority(cn, begins, ends, issuer string) (string, error) {
	return e.issue(pki.Spec{CN: cn, CA: true}, begins, ends, issuer)
}

func (e Env) issue(s pki.Spec, begins, ends, issuer string) (string, error) {
	from, err := ParseSpan(begins)
	if err != nil {
		return "", err
	}
	to, err := ParseSpan(ends)
	if err != nil {
		return "", err
	}
	s.Begins, s.Ends = e.Now.Add(from), e.Now.Add(to)
	var by *pki.Authority
	if issuer != "" {
		if by, err = pki.Named(issuer); err != nil {
			return "", err
		}
	}
	key, err := pki.Key(s.CN)
	if err != nil {
		return "", err
	}
	der, err := s.Issue(key, by)
	return block("CERTIFICATE", der), err
}

// tlsSecret gives the data of a TLS Secret whose certificate signs itself and ends after that time.
func (e Env) tlsSecret(name, ends string) (string, error) {
	chain, err := e.leaf(name, "-90d", ends, "", name)
	if err != nil {
		return "", err
	}
	return pair(name, chain)
}

// pair gives the data of a TLS Secret: a chain, and the key of its leaf.
func pair(cn, chain string) (string, error) {
	private, err := keyOf(cn)
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("tls.crt: %s\n  tls.key: %s", encode([]byte(chain)), encode([]byte(private))), err
}

// keyOf gives the key that belongs to a name in PEM.
func keyOf(cn string) (string, error) {
	private, err := pki.Key(cn)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalECPrivateKey(private)
	return block("EC PRIVATE KEY", der), err
}

// nodeCSR gives the request of a kubelet's serving certificate.
func nodeCSR(node, ip string) (string, error) {
	return request("system:node:"+node, "system:nodes", node, ip)
}

// request gives a CSR as spec.request carries it. Whatever of sans is an address becomes one.
func request(cn, org string, sans ...string) (string, error) {
	wanted := &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}
	if org != "" {
		wanted.Subject.Organization = []string{org}
	}
	for _, san := range sans {
		if ip := net.ParseIP(san); ip != nil {
			wanted.IPAddresses = append(wanted.IPAddresses, ip)
		} else {
			wanted.DNSNames = append(wanted.DNSNames, san)
		}
	}
	der, err := signed(wanted, cn)
	return base64.StdEncoding.EncodeToString([]byte(block("CERTIFICATE REQUEST", der))), err
}

// stub gives the empty CSR of a PodCertificateRequest.
func stub(name string) (string, error) {
	der, err := signed(&x509.CertificateRequest{}, name)
	return base64.StdEncoding.EncodeToString(der), err
}

// signed gives a CSR in DER, signed with the key that belongs to a name.
func signed(wanted *x509.CertificateRequest, name string) ([]byte, error) {
	private, err := pki.Key(name)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(nil, wanted, private)
}

// noise gives n bytes in base64 that mean nothing, always the same ones for a name.
func noise(name string, n int) string { return base64.StdEncoding.EncodeToString(bytesOf(name, n)) }

func bytesOf(name string, n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		sum := sha256.Sum256([]byte(name + strconv.Itoa(i)))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// pkcs12 gives in base64 what begins like a PKCS#12 file (RFC 7292: version 3, and an encrypted content) and cannot be
// opened.
func pkcs12(name string) string {
	head := []byte{0x30, 0x82, 0x04, 0x12, 0x02, 0x01, 0x03, 0x30, 0x82, 0x04, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	return base64.StdEncoding.EncodeToString(append(head, bytesOf(name, 1024)...))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
