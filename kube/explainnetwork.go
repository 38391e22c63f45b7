package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"ktriage/internal/text"
)

// server names the API server that an error is about, as well as the error knows it.
func server(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if parsed, err := url.Parse(u.URL); err == nil && parsed.Host != "" {
			return "The API server at " + text.Clean(parsed.Host)
		}
	}
	return "The API server"
}

// explainTLS is for certificates, the server's and ours.
func explainTLS(err error) (Explanation, bool) {
	var (
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		host     x509.HostnameError
		verify   *tls.CertificateVerificationError
		noTLS    tls.RecordHeaderError
		op       *net.OpError
		out      = Explanation{Code: ExitError}
		who      = server(err)
		mismatch = errors.Is(err, http.ErrSchemeMismatch)
	)
	switch {
	case errors.As(err, &unknown):
		out.Sentence = who + " shows a certificate of an authority that the kubeconfig does not trust" + issuer(unknown.Cert) + "."
		out.Next = "The cluster was rebuilt, this is another server, or something in between reads along: get a fresh kubeconfig."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		out.Sentence, out.Next = validity(who, invalid)
	case errors.As(err, &host):
		out.Sentence = who + " shows a certificate for other names: " + text.Clean(names(host.Certificate)) + "."
		out.Next = "Use one of them in server: of the kubeconfig, or name it with --tls-server-name."
	case errors.As(err, &invalid), errors.As(err, &verify):
		out.Sentence = who + " shows a certificate that cannot be verified: " + text.Clean(err.Error()) + "."
		out.Next = "The server needs another certificate."
	case errors.As(err, &op) && op.Op == "remote error" && !aboutCertificate(op.Err.Error()):
		out.Sentence = who + " refuses the TLS handshake (" + text.Clean(op.Err.Error()) + ")."
		out.Next = "Check server: and --tls-server-name: what listens there may be another server, or an old one."
	case errors.As(err, &op) && op.Op == "remote error":
		out.Sentence = who + " does not accept our client certificate (" + text.Clean(op.Err.Error()) + ")."
		out.Next = "It is expired, revoked or of another cluster: get a fresh kubeconfig."
		out.Code = ExitCredentials
	case mismatch, errors.As(err, &noTLS):
		out.Sentence = who + " does not speak TLS."
		out.Next = "Check server: of the kubeconfig: the port is another one, or it is http and not https."
	default:
		return out, false
	}
	return out, true
}

// aboutCertificate reports whether an alert of TLS complains of the certificate that we show, or of there being none
// (RFC 8446, 6.2); crypto/tls has no types for alerts.
func aboutCertificate(alert string) bool {
	return strings.Contains(alert, "certificate") || strings.Contains(alert, "access denied")
}

func issuer(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	return " (" + text.Clean(c.Issuer.String()) + ")"
}

// names lists whom a certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// validity tells an expired certificate from one that is not valid yet: crypto/x509 has one reason for both.
func validity(who string, e x509.CertificateInvalidError) (sentence, next string) {
	if strings.Contains(e.Detail, "is before") {
		return who + " shows a certificate that is not valid before " + moment(e.Cert.NotBefore) + ".",
			"Check the clock of this machine and of the server."
	}
	return who + " shows a certificate that expired on " + moment(e.Cert.NotAfter) + ".",
		"Renew it on the control plane (kubeadm certs renew apiserver), if the clock of this machine is right."
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// explainProxy is for a proxy that stands between us and the server.
func explainProxy(err error) (Explanation, bool) {
	const next = "Check proxy-url: in the kubeconfig, --proxy-url, and HTTPS_PROXY and NO_PROXY in the environment."
	var u *url.Error
	var op *net.OpError
	switch {
	case errors.As(err, &op) && (op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks")):
		at, why := "", text.Clean(op.Err.Error())
		var dial *net.OpError
		if errors.As(op.Err, &dial) && dial.Addr != nil {
			at = " at " + text.Clean(dial.Addr.String())
		}
		return Explanation{
			Sentence: "The proxy" + at + " cannot be used: " + strings.TrimRight(why, ".") + ".", Next: next, Code: ExitError,
		}, true
	case errors.As(err, &u) && refusalOfProxy(u.Err.Error()):
		return Explanation{
			Sentence: "The proxy in front of the API server refuses: " + text.Clean(u.Err.Error()) + ".", Next: next, Code: ExitError,
		}, true
	}
	return Explanation{}, false
}

// refusalOfProxy reports whether an error of net/http is nothing but the reason phrase of an answer to CONNECT, which
// is all that its Transport makes of one. Answers to requests never come as errors.
func refusalOfProxy(phrase string) bool {
	for code := http.StatusMultipleChoices; code < 600; code++ {
		if s := http.StatusText(code); s != "" && s == phrase {
			return true
		}
	}
	return false
}

// explainNetwork is for everything below HTTP and TLS.
func explainNetwork(err error) (Explanation, bool) {
	var dns *net.DNSError
	var timeout net.Error
	out, who := Explanation{Code: ExitError}, server(err)
	const path = "Check the address in the kubeconfig, and VPN, firewall and proxy between here and there."
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		out.Sentence = fmt.Sprintf("The name of the API server cannot be resolved: DNS knows no host %q.", text.Clean(dns.Name))
		out.Next = "Check server: of the kubeconfig; the name may be known only inside a VPN."
	case errors.As(err, &dns):
		out.Sentence = fmt.Sprintf("The name of the API server, %q, cannot be resolved: DNS does not answer.", text.Clean(dns.Name))
		out.Next = "Check the network and /etc/resolv.conf."
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Sentence = who + " refuses connections."
		out.Next = "It is down, or the address in the kubeconfig is wrong."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		out.Sentence = who + " cannot be reached: no route to it."
		out.Next = path
	case errors.As(err, &timeout) && timeout.Timeout():
		out.Sentence = who + " did not answer in time."
		out.Next = path
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		out.Sentence = who + " closed the connection."
		out.Next = "It restarts, or a balancer in front of it has no server to hand us to."
	default:
		return out, false
	}
	return out, true
}
