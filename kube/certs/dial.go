package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	// dials is how many handshakes there are at a time, and dialLimit how long one may take.
	dials     = 16
	dialLimit = 2 * time.Second
)

var (
	errDialOff   = errors.New("handshakes are switched off")
	errNoAddress = errors.New("the node has no InternalIP")
)

// dialer makes handshakes, a few at a time. It goes through no proxy, not even one that the kubeconfig names: that is for
// requests to the API server, and what it would let us see of other addresses is what it can reach, not what we can.
type dialer struct {
	allowed bool
	room    chan struct{}
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	roster roster
}

func newDialer(allowed bool) *dialer {
	return &dialer{allowed: allowed, room: make(chan struct{}, dials), dial: (&net.Dialer{}).DialContext}
}

// handshake gives the certificates that a server sends, leaf first. Whether they are to be trusted is not looked at: an
// expired certificate has a date too. Nothing is sent but the handshake, and nothing that says who we are; a server that wants
// a client certificate has sent its own before it finds out that we have none.
func (d *dialer) handshake(ctx context.Context, address, serverName string) ([]*x509.Certificate, error) {
	if !d.allowed {
		return nil, errDialOff
	}
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, stop := context.WithTimeout(ctx, dialLimit)
	defer stop()
	raw, err := d.dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { _ = raw.Close() }()
	var chain []*x509.Certificate
	conn := tls.Client(raw, &tls.Config{
		ServerName: serverName, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, //nolint:gosec // it is read, not trusted
		VerifyConnection: func(s tls.ConnectionState) error {
			chain = s.PeerCertificates
			return nil
		},
	})
	if err := conn.HandshakeContext(ctx); err != nil && len(chain) == 0 {
		return nil, fmt.Errorf("handshake with %s: %w", address, err)
	}
	return chain, nil
}

// endpoint is a server that shows its certificate to whoever connects.
type endpoint struct {
	slot       string
	address    string // host:port
	serverName string // that is asked for (SNI); "" for none
	place      kube.CertPlace
	judge      func(*kube.CertPlace, []*x509.Certificate) // completes the place by what is seen there; nil if no handshake shows it
}

// ask looks at one endpoint now. An error is the reason why nothing is seen.
func (d *dialer) ask(ctx context.Context, e endpoint) (finding, error) {
	if host, _, err := net.SplitHostPort(e.address); err == nil && host == "" && d.allowed {
		return finding{}, errNoAddress // and not ourselves, as net.Dial would have it
	}
	chain, err := d.handshake(ctx, e.address, e.serverName)
	if err != nil {
		return finding{}, err
	}
	return e.seen(chain), nil
}

// seen makes a finding of what an endpoint has shown.
func (e endpoint) seen(chain []*x509.Certificate) finding {
	p := e.place
	e.judge(&p, chain)
	f := certificate(e.slot, servingKind(chain[0]), p, summaries(chain)...)
	f.asked = &e
	return f
}

// unseen says why an endpoint has shown nothing.
func (e endpoint) unseen(why string) finding {
	f := unseen(e.slot, e.place, why)
	if e.judge != nil {
		f.asked = &e
	}
	return f
}

// servingKind is that of a certificate that is served: members of etcd use theirs as clients too.
func servingKind(c *x509.Certificate) kube.CertKind {
	if slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return kube.BothCert
	}
	return kube.ServingCert
}

// reason says in a few words why a handshake has shown nothing.
func reason(err error) string {
	var timeout net.Error
	var noTLS tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errDialOff), errors.Is(err, errNoAddress):
		return err.Error()
	case errors.As(err, &dns):
		return "name not found"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out after " + dialLimit.String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no route"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "forbidden by this machine"
	case errors.As(err, &noTLS):
		return "not TLS"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "closed the connection"
	case errors.As(err, &op) && op.Op == "remote error":
		return short("refused the handshake: " + strings.TrimPrefix(op.Err.Error(), "tls: "))
	}
	return text.Cut(text.Clean(err.Error()), longestReason, "…")
}

// longestReason is how much is shown of an error that has no words of ours.
const longestReason = 80
