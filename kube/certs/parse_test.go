package certs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ktriage/internal/text"
	"ktriage/kube"
)

// subjects names what was found, in its order.
func subjects(found []*kube.X509) (out []string) {
	for _, x := range found {
		out = append(out, x.CommonName)
	}
	return out
}

func TestParseReadsEveryCertificateAndGivesAReasonForTheRest(t *testing.T) {
	ca := newMint(t, "ca", mintTo)
	one, two := asPEM(ca.leaf("one", mintTo)), asPEM(ca.leaf("two", mintTo))
	key := keyPEM(t, ca.key)
	block := func(kind string, headers map[string]string, b []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: b})
	}
	raw := ca.leaf("raw", mintTo).Raw
	garbage := []byte("-----BEGIN CERTIFICATE-----\n!!!! not base64 !!!!\n-----END CERTIFICATE-----\n")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	many := bytes.Repeat(key, mostBlocks)
	for name, c := range map[string]struct {
		in    []byte
		found []string
		bad   []string // beginnings
	}{
		"nothing":                        {in: nil},
		"a text without any":             {in: []byte("hello\nworld")},
		"two":                            {in: join(one, two), found: []string{"one", "two"}},
		"text around and between":        {in: join([]byte("Bag Attributes\n  friendlyName: x\n"), one, []byte("subject=/CN=x\n"), two, []byte("end")), found: []string{"one", "two"}},
		"line ends of Windows":           {in: bytes.ReplaceAll(join(one, two), []byte("\n"), []byte("\r\n")), found: []string{"one", "two"}},
		"no line end at the end":         {in: bytes.TrimSpace(one), found: []string{"one"}},
		"keys before and after":          {in: join(key, one, key, two, key), found: []string{"one", "two"}},
		"a bad block in the middle":      {in: join(one, garbage, two), found: []string{"one", "two"}, bad: []string{"block 2: it is no PEM"}},
		"no certificate in a block":      {in: join(one, block("CERTIFICATE", nil, []byte("nonsense")), two), found: []string{"one", "two"}, bad: []string{"block 2: x509: malformed certificate"}},
		"an empty block":                 {in: join([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), two), found: []string{"two"}, bad: []string{"block 1: "}},
		"something behind it":            {in: block("CERTIFICATE", nil, append(slices.Clone(raw), 0)), bad: []string{"block 1: x509: trailing data"}},
		"a key that is called one":       {in: bytes.ReplaceAll(key, []byte("PRIVATE KEY"), []byte("CERTIFICATE")), bad: []string{"block 1: x509: malformed"}},
		"with headers":                   {in: join(block("CERTIFICATE", map[string]string{"Comment": "x"}, raw), two), found: []string{"raw", "two"}, bad: []string{"block 1: it has headers"}},
		"trusted, as OpenSSL writes it":  {in: block("TRUSTED CERTIFICATE", nil, append(slices.Clone(raw), 0x30, 0x02, 0x0c, 0x00)), found: []string{"raw"}},
		"trusted, and nothing":           {in: block("TRUSTED CERTIFICATE", nil, nil), bad: []string{"block 1: read the certificate before"}},
		"one without an end, then one":   {in: join(one[:len(one)/2], []byte("\n"), two), found: []string{"two"}, bad: []string{"block 1: it has no end"}},
		"one without an end":             {in: join(one, two[:len(two)/2]), found: []string{"one"}, bad: []string{"block 2: it has no end"}},
		"ends as something else":         {in: bytes.Replace(one, []byte("END CERTIFICATE"), []byte("END KEY"), 1), bad: []string{"block 1: it is no PEM"}},
		"a request for one":              {in: block("CERTIFICATE REQUEST", nil, raw)},
		"100 blocks":                     {in: join(many[len(key):], one), found: []string{"one"}},
		"one after 100 blocks":           {in: join(many, one), bad: []string{"only the first 100 blocks"}},
		"more than 1 MiB":                {in: join(one, bytes.Repeat([]byte("\n"), mostBytes), two), found: []string{"one"}, bad: []string{"only the first 1 MiB"}},
		"1 MiB of beginnings":            {in: bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 40000), bad: slices.Repeat([]string{""}, mostBlocks+2)},
		"one line of 1 MiB":              {in: bytes.Repeat([]byte("-----BEGIN "), mostBytes/11)},
		"indented, which nobody reads":   {in: bytes.ReplaceAll(one, []byte("-----B"), []byte("  -----B"))},
		"headers, cut off by the 1 MiB":  {in: join([]byte("-----BEGIN CERTIFICATE-----\na: b\n"), bytes.Repeat([]byte("x"), 2*mostBytes)), bad: []string{"only the first", "block 1: it has no end"}},
		"a beginning without a name":     {in: join([]byte("-----BEGIN -----\n"), one), found: []string{"one"}},
		"negative serial":                {in: negativeSerial(t, ca), bad: []string{"block 1: x509: negative serial number"}},
		"more than one certificate, CR ": {in: bytes.ReplaceAll(one, []byte("\n"), []byte("\r")), bad: nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, bad := parse(c.in)
			if diff := cmp.Diff(c.found, subjects(found)); diff != "" {
				t.Errorf("found (- wanted, + got):\n%s", diff)
			}
			if len(bad) != len(c.bad) {
				t.Fatalf("reasons %q, wanted %q", bad, c.bad)
			}
			for i, b := range bad {
				if !strings.HasPrefix(b, c.bad[i]) {
					t.Errorf("reason %q, wanted %q", b, c.bad[i])
				}
			}
		})
	}
}

// negativeSerial turns the sign of a serial number, which breaks the signature, and nobody looks at that here.
func negativeSerial(t *testing.T, ca *mint) []byte {
	t.Helper()
	c := ca.sign(&x509.Certificate{SerialNumber: big.NewInt(0x0102030405060708)}, ca.key)
	der := bytes.Replace(c.Raw, []byte{2, 8, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{2, 8, 0x81, 2, 3, 4, 5, 6, 7, 8}, 1)
	if bytes.Equal(der, c.Raw) {
		t.Fatal("no serial number to change")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestNoKeyIsDecoded(t *testing.T) {
	ca := newMint(t, "ca", mintTo)
	b := slices.Concat(keyPEM(t, ca.key), asPEM(ca.cert), bytes.ReplaceAll(keyPEM(t, ca.key), []byte("PRIVATE"), []byte("EC PRIVATE")))
	var kinds []string
	for {
		block, rest, ok := nextBlock(b)
		if !ok {
			break
		}
		if block.certificate() == strings.Contains(block.kind, "KEY") {
			t.Errorf("a block %s is decoded: %v", block.kind, block.certificate())
		}
		kinds, b = append(kinds, block.kind), rest
	}
	if diff := cmp.Diff([]string{"PRIVATE KEY", "CERTIFICATE", "EC PRIVATE KEY"}, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestOddCertificatesGiveARow(t *testing.T) {
	ca := newMint(t, "ca", mintTo)
	odd, err := rsa.GenerateKey(rand.Reader, 1031)
	if err != nil {
		t.Fatal(err)
	}
	forever := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	many := make([]string, 2*mostNames)
	for i := range many {
		many[i] = fmt.Sprintf("h%d.example", i)
	}
	uri := &url.URL{Scheme: "spiffe", Host: "a", Path: "/b"}
	for name, c := range map[string]struct {
		template *x509.Certificate
		holds    func(x *kube.X509) bool
	}{
		"without an end (RFC 5280, 4.1.2.5)": {&x509.Certificate{NotAfter: forever}, func(x *kube.X509) bool { return x.To.Equal(forever) }},
		"ended in the year 1": {&x509.Certificate{NotBefore: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), NotAfter: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
			func(x *kube.X509) bool { return !x.To.IsZero() && x.To.Year() == 1 }},
		"ends before it begins": {&x509.Certificate{NotBefore: mintTo, NotAfter: mintFrom}, func(x *kube.X509) bool { return x.To.Before(x.From) }},
		"name constraints": {&x509.Certificate{IsCA: true, BasicConstraintsValid: true, PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"x.example"}},
			func(x *kube.X509) bool { return x.CA }},
		"no name at all": {&x509.Certificate{}, func(x *kube.X509) bool { return x.Subject == "" && x.SignedBy == "ca" }},
		"a long serial":  {&x509.Certificate{SerialNumber: new(big.Int).Lsh(big.NewInt(1), 159)}, func(x *kube.X509) bool { return strings.HasPrefix(x.Serial, "8000:0000:") }},
		"too many attributes": {&x509.Certificate{Subject: pkix.Name{ExtraNames: slices.Repeat([]pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 11}, Value: "unit"}}, 30000)}},
			func(x *kube.X509) bool { return strings.Count(x.Subject, "OU=unit") == mostAttributes }},
		"too many names":  {&x509.Certificate{DNSNames: many}, func(x *kube.X509) bool { return len(x.DNS) == mostNames }},
		"an address each": {&x509.Certificate{URIs: []*url.URL{uri}, EmailAddresses: []string{"a@b"}}, func(x *kube.X509) bool { return slices.Equal(x.Other, []string{"a@b", "spiffe://a/b"}) }},
		"names that part": {&x509.Certificate{Subject: pkix.Name{CommonName: "a, O=system:masters", Organization: []string{"x+y"}}},
			func(x *kube.X509) bool { return x.Subject == `CN=a\, O=system:masters, O=x\+y` }},
	} {
		t.Run(name, func(t *testing.T) {
			found, bad := parse(asPEM(ca.sign(c.template, odd)))
			if len(found) != 1 || len(bad) > 0 {
				t.Fatalf("found %d, reasons %q", len(found), bad)
			}
			if x := found[0]; !c.holds(x) || x.Key != "RSA 1031" {
				t.Errorf("%+v", x)
			}
		})
	}
}

func TestSummaryHasWhatTheContractShows(t *testing.T) {
	ca := newMint(t, "kubernetes", mintTo)
	c := ca.sign(&x509.Certificate{
		SerialNumber: big.NewInt(0x3f9a71c05be4), Subject: pkix.Name{CommonName: "kube-apiserver", Organization: []string{"corp"}},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.key)
	x := summary(c)
	got := []string{x.Subject, x.Issuer, x.SignedBy, x.Serial, x.Key, x.Signature, strings.Join(x.Usages, ", ")}
	want := []string{
		"CN=kube-apiserver, O=corp", "CN=kubernetes", "kubernetes", "3f9a:71c0:5be4", "ECDSA P-256", "ECDSA-SHA256",
		"digital signature, key encipherment, server auth",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if x.CA || x.SelfSigned || !summary(ca.cert).CA || !summary(ca.cert).SelfSigned {
		t.Error("who signs whom is mistaken")
	}
}

// hostileNames are what somebody may write into a certificate so that a terminal obeys it.
var hostileNames = []string{
	"\x1b]0;owned\x07\x1b[2Jcn", "\u202egnp.exe", "two\nlines\r\nand\ttab", "\x9b31mred", strings.Repeat("4KB", 1400),
	"zero\u200bwidth\u2066x", "nul\x00byte", strings.Repeat("e\u0301", 3000), "日本語",
}

func TestHostileNamesAreCleanAndCut(t *testing.T) {
	ca := newMint(t, "ca", mintTo)
	for _, name := range hostileNames {
		valid := strings.ToValidUTF8(name, "?")
		c := ca.sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: valid, Organization: []string{valid}, ExtraNames: []pkix.AttributeTypeAndValue{{Type: []int{1, 2, 3, 4}, Value: valid}}},
		}, ca.key)
		hostile := *c
		hostile.DNSNames, hostile.EmailAddresses = []string{name}, []string{name}
		hostile.URIs = []*url.URL{{Opaque: name}}
		hostile.Issuer = c.Subject
		checkClean(t, []*kube.X509{summary(&hostile)}, nil)
		found, bad := parse(asPEM(c))
		checkClean(t, found, bad)
		if len(found) != 1 {
			t.Errorf("%q: %q", name, bad)
		}
	}
}

// texts are all strings of a value.
func texts(v reflect.Value) (out []string) {
	switch v.Kind() {
	case reflect.String:
		out = append(out, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			out = texts(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, texts(v.Index(i))...)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for _, field := range v.Fields() {
			out = append(out, texts(field)...)
		}
	}
	return out
}

// checkClean wants every text fit for a terminal, and none long.
func checkClean(t *testing.T, found []*kube.X509, bad []string) {
	t.Helper()
	for _, s := range append(texts(reflect.ValueOf(found)), bad...) {
		if text.Clean(s) != s {
			t.Errorf("not clean: %q", s)
		}
		if text.Width(s) > longest+len("block 100: ") || len(s) > 4<<10 {
			t.Errorf("%d bytes, %d cells: %.80q", len(s), text.Width(s), s)
		}
	}
}

// FuzzParse gives any text, alone and with a private key before, behind and amid. Every process makes the same key, or its
// corpus would mean something else in each.
func FuzzParse(f *testing.F) {
	signer := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	ca := &mint{t: f, key: signer}
	ca.cert = ca.sign(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true}, signer)
	key := keyPEM(f, signer)
	leaf := asPEM(ca.sign(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"a.example"}}, signer))
	for _, seed := range [][]byte{
		leaf, slices.Concat(leaf, asPEM(ca.cert)), key, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
		[]byte("-----BEGIN TRUSTED CERTIFICATE-----\nMAA=\n-----END TRUSTED CERTIFICATE-----\n"), ca.cert.Raw, leaf[:len(leaf)/2], nil,
	} {
		f.Add(seed)
	}
	secret := bytes.Join(bytes.Split(bytes.TrimSpace(key), []byte("\n"))[1:], nil)
	raw, _ := pem.Decode(key)
	f.Fuzz(func(t *testing.T, b []byte) {
		wrapped := []byte("-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(b[:min(len(b), 1<<16)]) + "\n-----END CERTIFICATE-----\n")
		for _, in := range [][]byte{b, wrapped, slices.Concat(key, b, key), slices.Concat(b[:len(b)/2], key, b[len(b)/2:])} {
			found, bad := parse(in)
			checkClean(t, found, bad)
			if len(found) > mostBlocks || len(bad) > mostBlocks+2 {
				t.Errorf("%d found, %d reasons", len(found), len(bad))
			}
			out := strings.Join(append(texts(reflect.ValueOf(found)), bad...), "\n")
			for n := 0; n+16 <= len(secret); n += 8 {
				if strings.Contains(out, string(secret[n:n+16])) {
					t.Errorf("a key shows in %q", out)
				}
			}
			if bytes.Contains([]byte(out), raw.Bytes[len(raw.Bytes)/2:len(raw.Bytes)/2+16]) {
				t.Errorf("a decoded key shows in %q", out)
			}
			for _, x := range found {
				if len(x.Fingerprint) != 64 || x.To.IsZero() {
					t.Errorf("%+v", x)
				}
			}
		}
	})
}
