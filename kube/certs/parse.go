package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	// mostBytes and mostBlocks bound what is read of one value.
	mostBytes  = 1 << 20
	mostBlocks = 100
	// longest is how much of a name is kept, in cells, and mostNames how many names of one kind.
	longest   = 253
	mostNames = 256
)

// parse reads the certificates of a PEM text in their order, and says what could not be read. A bad block hides no other;
// blocks of any other type, keys above all, are not even decoded.
func parse(b []byte) (found []*kube.X509, bad []string) {
	if len(b) > mostBytes {
		b = b[:mostBytes]
		bad = append(bad, "only the first 1 MiB was read")
	}
	for n := 1; ; n++ {
		block, rest, ok := nextBlock(b)
		if !ok {
			return found, bad
		}
		if n > mostBlocks {
			return found, append(bad, fmt.Sprintf("only the first %d blocks were read", mostBlocks))
		}
		b = rest
		if !block.certificate() {
			continue
		}
		x, err := block.read()
		if err != nil {
			bad = append(bad, fmt.Sprintf("block %d: %s", n, short(err.Error())))
		}
		if x != nil {
			found = append(found, x)
		}
	}
}

// pemBlock is a block of PEM as it stands, undecoded.
type pemBlock struct {
	kind string // "CERTIFICATE"
	raw  []byte // from its first line to its last
	err  error  // why it is none
}

var pemBegin, pemEnd, pemDashes = []byte("-----BEGIN "), []byte("-----END "), []byte("-----")

// nextBlock finds the next block, and what follows it. As in encoding/pem, a block begins at the beginning of a line, and
// what stands between blocks is not looked at.
func nextBlock(b []byte) (block pemBlock, rest []byte, ok bool) {
	for len(b) > 0 {
		line, after := cutLine(b)
		if !bytes.HasPrefix(line, pemBegin) || !bytes.HasSuffix(line, pemDashes) {
			b = after
			continue
		}
		kind := string(line[len(pemBegin) : len(line)-len(pemDashes)])
		raw, rest, err := toEnd(b, after)
		return pemBlock{kind: kind, raw: raw, err: err}, rest, true
	}
	return pemBlock{}, nil, false
}

var errNoEnd = errors.New("it has no end")

// toEnd gives a block up to its last line. One that is cut short ends where the next begins.
func toEnd(block, body []byte) (raw, rest []byte, err error) {
	for rest = body; len(rest) > 0; {
		line, after := cutLine(rest)
		switch {
		case bytes.HasPrefix(line, pemEnd):
			return block[:len(block)-len(after)], after, nil
		case bytes.HasPrefix(line, pemBegin):
			return nil, rest, errNoEnd
		}
		rest = after
	}
	return nil, nil, errNoEnd
}

// cutLine gives the first line without the white space at its end, and what follows it.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimRight(line, " \t\r"), rest
}

func (b *pemBlock) certificate() bool { return b.kind == "CERTIFICATE" || b.trusted() }

// trusted reports whether OpenSSL's trust settings follow the certificate.
func (b *pemBlock) trusted() bool { return b.kind == "TRUSTED CERTIFICATE" }

// read decodes a certificate. There may be both a certificate and an error: then others do not take it as it stands.
func (b *pemBlock) read() (*kube.X509, error) {
	if b.err != nil {
		return nil, b.err
	}
	decoded, _ := pem.Decode(b.raw)
	if decoded == nil {
		return nil, errors.New("it is no PEM")
	}
	der := decoded.Bytes
	if b.trusted() {
		var first asn1.RawValue
		if _, err := asn1.Unmarshal(der, &first); err != nil {
			return nil, fmt.Errorf("read the certificate before its trust settings: %w", err)
		}
		der = first.FullBytes
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if len(decoded.Headers) > 0 {
		err = errors.New("it has headers, so that Kubernetes passes over it")
	}
	return summary(c), err
}

// summaries are those of a chain.
func summaries(chain []*x509.Certificate) []*kube.X509 {
	out := make([]*kube.X509, len(chain))
	for i, c := range chain {
		out[i] = summary(c)
	}
	return out
}

// summary keeps what rows need of a certificate.
func summary(c *x509.Certificate) *kube.X509 {
	sum := sha256.Sum256(c.Raw)
	selfSigned := bytes.Equal(c.RawSubject, c.RawIssuer)
	x := &kube.X509{
		Fingerprint: hex.EncodeToString(sum[:]), Serial: serialText(c.SerialNumber),
		Subject: nameText(c.Subject.Names), Issuer: nameText(c.Issuer.Names),
		CommonName: short(c.Subject.CommonName), SignedBy: short(c.Issuer.CommonName),
		From: c.NotBefore, To: ended(c.NotAfter), SelfSigned: selfSigned,
		CA:  c.IsCA || c.Version < 3 && selfSigned, // the first versions had no way to say it (crypto/x509 takes such roots too)
		Key: kube.KeyText(c.PublicKey), Usages: usages(c), Signature: "unknown",
		DNS: names(c.DNSNames), Other: names(c.EmailAddresses),
	}
	if c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		x.Signature = c.SignatureAlgorithm.String()
	}
	for _, ip := range c.IPAddresses[:min(mostNames, len(c.IPAddresses))] {
		x.IPs = append(x.IPs, ip.String())
	}
	for _, u := range c.URIs[:min(mostNames, len(c.URIs))] {
		x.Other = append(x.Other, short(u.String()))
	}
	return x
}

// ended keeps an end in the year 1 from being none.
func ended(t time.Time) time.Time {
	if t.IsZero() {
		return t.Add(time.Second)
	}
	return t
}

// short makes a text fit to be kept: clean, cut, and holding nothing in memory of what was cut off.
func short(s string) string {
	kept := text.Cut(text.Clean(s), longest, "…")
	if len(kept) < len(s) {
		return strings.Clone(kept)
	}
	return kept
}

func names(all []string) (out []string) {
	for _, n := range all[:min(mostNames, len(all))] {
		out = append(out, short(n))
	}
	return out
}

// serialText is a serial number in hex, in groups of four digits. A longer one than RFC 5280 allows (20 octets) is cut.
func serialText(n *big.Int) string {
	const longestSerial = 32
	b, more := n.Bytes(), ""
	if len(b) > longestSerial {
		b, more = b[:longestSerial], "…"
	}
	return groups(new(big.Int).SetBytes(b).Text(16)) + more
}

// groups parts a serial number into groups of four digits.
func groups(hex string) string {
	var out []string
	for len(hex) > 4 {
		out = append(out, hex[len(hex)-4:])
		hex = hex[:len(hex)-4]
	}
	out = append(out, hex)
	slices.Reverse(out)
	return strings.Join(out, ":")
}
