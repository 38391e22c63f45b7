package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

var (
	secretTo       = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	intermediateTo = time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
)

// secretOf is a Secret in the namespace shop.
func secretOf(name string, data map[string][]byte, notes ...string) corev1.Secret {
	s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid"}, Type: corev1.SecretTypeTLS, Data: data}
	for n := 0; n < len(notes); n += 2 {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, notes[n], notes[n+1])
	}
	return s
}

// tlsOf reads TLS Secrets from a server that has these.
func tlsOf(t *testing.T, all ...corev1.Secret) []finding {
	t.Helper()
	a := newAPI(t)
	a.has("/api/v1/secrets?type=kubernetes.io/tls", proto(t, &corev1.SecretList{Items: all}))
	return reads(t, a.inventory(Options{}).secretSource(tlsSecrets).read)
}

func TestTLSSecretsShowTheirChains(t *testing.T) {
	root := newMint(t, "corp root", secretTo)
	middle := root.below("corp intermediate", intermediateTo)
	leaf := middle.leaf("shop", secretTo, "shop.example")
	brokenBlock := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate at all")})
	garbage := bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\nnonsense\n"), 1<<20/36)

	all := tlsOf(t,
		secretOf("whole", map[string][]byte{"tls.crt": asPEM(leaf, middle.cert), "ca.crt": asPEM(root.cert), "tls.key": keyPEM(t, root.key)}),
		secretOf("hole", map[string][]byte{"tls.crt": slices.Concat(asPEM(leaf), brokenBlock, asPEM(middle.cert))}),
		secretOf("headless", map[string][]byte{"tls.crt": slices.Concat(brokenBlock, asPEM(middle.cert))}),
		secretOf("garbage", map[string][]byte{"tls.crt": garbage[:1<<20]}),
		secretOf("empty", map[string][]byte{"tls.crt": {}, "tls.key": {}}),
		secretOf("key first", map[string][]byte{"tls.crt": slices.Concat(keyPEM(t, middle.key), asPEM(leaf))}),
		secretOf("managed", map[string][]byte{"tls.crt": asPEM(leaf), "ca.crt": asPEM(root.cert)}, certificateNote, "web"),
		secretOf("client", map[string][]byte{"tls.crt": asPEM(middle.leaf("robot", secretTo))}),
	)
	whole := found(t, all, "whole")
	if whole.Kind != kube.ServingCert || len(whole.Chain) != 1 || !whole.Ends().Equal(intermediateTo) || !whole.To.Equal(secretTo) {
		t.Errorf("whole: %v, %d in the chain, ends %v, itself %v", whole.Kind, len(whole.Chain), whole.Ends(), whole.To)
	}
	want := kube.CertPlace{
		Source: kube.FromSecret, Name: "whole", Where: "secret shop/whole", Short: "secret shop", Danger: kube.BreaksApp,
		Object: kube.Ref{Namespace: "shop", Name: "whole", UID: "uid"}, Breaks: "TLS of what uses this Secret",
		Renew: "put a new certificate into shop/whole", Authority: "corp intermediate",
	}
	if diff := cmp.Diff(want, whole.Places[0]); diff != "" {
		t.Error(diff)
	}
	if ca := found(t, all, "whole ca.crt"); ca.Kind != kube.Authority || ca.X509.CommonName != "corp root" {
		t.Errorf("ca.crt: %v %q", ca.Kind, ca.X509.CommonName)
	}
	hole := found(t, all, "hole")
	if p := hole.Places[0]; !strings.Contains(p.Note, "block 2: ") || p.Severity != kube.Warning || len(hole.Chain) != 1 {
		t.Errorf("a chain with a hole: %q, %v, %d in the chain", p.Note, p.Severity, len(hole.Chain))
	}
	for name, why := range map[string]string{
		"headless": "tls.crt: block 1: ", "garbage": "no certificate in tls.crt", "empty": "tls.crt is empty",
	} {
		if c := found(t, all, name); !strings.HasPrefix(c.Unseen, why) || len(c.Unseen) > 600 {
			t.Errorf("%s: %q, want %q", name, c.Unseen, why)
		}
	}
	if c := found(t, all, "key first"); c.X509 == nil || c.X509.CommonName != "shop" {
		t.Errorf("a certificate behind a key is not read: %q", c.Unseen)
	}
	if p := found(t, all, "managed").Places[0]; p.Class != kube.CertManaged || !strings.Contains(p.Renew, "Certificate web") {
		t.Errorf("a Secret of cert-manager is renewed %v: %s", p.Class, p.Renew)
	}
	if p := found(t, all, "managed ca.crt").Places[0]; p.Class != kube.ByHand {
		t.Errorf("a CA of ten years is renewed %v, so that it would be late for the last three of them", p.Class)
	}
	if c := found(t, all, "client"); c.Kind != kube.ClientCert {
		t.Errorf("a client certificate is %v", c.Kind)
	}
}

func TestOtherSecretsAreReadOnlyWhereSomebodyWantsIt(t *testing.T) {
	root := newMint(t, "corp root", secretTo)
	leaf := root.leaf("db", secretTo, "db.example")
	both := slices.Concat(keyPEM(t, root.key), asPEM(leaf))
	a := newAPI(t)
	a.has("/api/v1/secrets?"+selectOther, proto(t, &corev1.SecretList{Items: []corev1.Secret{secretOf("db", map[string][]byte{
		"server.pem": both, "roots.pem": asPEM(root.cert), "note.pem": []byte("nothing of that kind"), "password": asPEM(leaf),
		"store.p12": []byte("\x30\x82\x0a\x10\x02\x01\x03\x30"), "store.jks": []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"),
	})}}))
	for _, s := range a.inventory(Options{}).sources {
		if s.name == otherSecretsName {
			t.Error("they are read though nobody wants it")
		}
	}
	got := placed(reads(t, a.inventory(Options{}).secretSource(otherSecrets([]string{"*.pem", "store.*", "["})).read))
	slices.Sort(got)
	if diff := cmp.Diff([]string{
		"db roots.pem @ secret shop/db roots.pem", "db server.pem @ secret shop/db server.pem",
		"db store.jks @ secret shop/db store.jks ? Java keystore, not read", "db store.p12 @ secret shop/db store.p12 ? PKCS#12, not read",
	}, got); diff != "" {
		t.Error(diff)
	}
}

// below makes a CA that another one has signed.
func (m *mint) below(name string, to time.Time) *mint {
	m.t.Helper()
	out := &mint{t: m.t, key: mintKey(m.t)}
	out.cert = m.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, out.key)
	return out
}

// veiledMark is mark as the text of the program and of a body have it.
const veiledMark = "\x16\x10\x07\x01\x18\x14\x07\x1e\x10\x07\x64\x62\x66\x6c\x60\x67"

// mark is what stands in a private key, and nowhere else.
func mark() []byte {
	b := []byte(veiledMark)
	unveil(b)
	return b
}

// unveil makes a mark of every veiled one.
func unveil(b []byte) {
	for {
		at := bytes.Index(b, []byte(veiledMark))
		if at < 0 {
			return
		}
		for n := range len(veiledMark) {
			b[at+n] ^= 0x55
		}
		b = b[at+len(veiledMark):]
	}
}

// veiled is a body whose marks are shown in the buffer of whoever reads it, and have never been anywhere before.
type veiled struct{ *bytes.Reader }

func (v veiled) Read(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	unveil(p[:n])
	return n, err
}

func (veiled) Close() error { return nil }

// keyedSecrets is a veiled list of Secrets that have a key in tls.key, and another copy where kubectl apply puts it.
func keyedSecrets(t *testing.T, count int) veiled {
	t.Helper()
	root := newMint(t, "corp root", secretTo)
	key := strings.Repeat(veiledMark, 100)
	l := &corev1.SecretList{}
	for n := range count {
		crt := asPEM(root.leaf("shop", secretTo, fmt.Sprintf("shop-%d.example", n)))
		l.Items = append(l.Items, secretOf(fmt.Sprint("web-", n), map[string][]byte{"tls.crt": crt, "tls.key": []byte(key), "other": []byte(key)},
			corev1.LastAppliedConfigAnnotation, key, certificateNote, "web"))
	}
	return veiled{bytes.NewReader(proto(t, l))}
}

// inMemory counts what is in the memory of this process that the garbage collector has left.
func inMemory(t *testing.T, what func() []byte) int {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "heap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runtime.GC()
	runtime.GC()
	debug.WriteHeapDump(f.Fd())
	dump, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(dump, what())
}

func TestNoKeySurvivesInMemory(t *testing.T) {
	a := newAPI(t)
	body := keyedSecrets(t, 50)
	a.answers["/api/v1/secrets"] = func(*http.Request) (int, any) { return http.StatusOK, body }
	all := reads(t, a.inventory(Options{}).secretSource(tlsSecrets).read)
	if len(all) != 50 || all[7].cert.X509 == nil {
		t.Fatalf("%d Secrets were read", len(all))
	}
	if n := inMemory(t, mark); n > 0 {
		t.Errorf("parts of keys are in memory %d times", n)
	}
	if n := inMemory(t, func() []byte { return []byte("shop-7.example") }); n == 0 {
		t.Error("the search does not find what is in memory for sure")
	}
	kept := mark()
	if n := inMemory(t, mark); n != 1 {
		t.Errorf("a key that is kept is found %d times", n)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(all)
}

func TestAKeyIsWipedFromTheBufferThatItPasses(t *testing.T) {
	body := keyedSecrets(t, 5)
	raw := make([]byte, body.Len())
	defer clear(raw)
	if _, err := io.ReadFull(body, raw); err != nil {
		t.Fatal(err)
	}
	w := newWire(bytes.NewReader(raw))
	buffer, err := w.in.Peek(len(raw)) // the buffer itself, as long as nothing more is read
	if err != nil || !bytes.Contains(buffer, mark()) {
		t.Fatalf("the keys are not in the buffer: %v", err)
	}
	read := 0
	for m := w.object("SecretList"); m.next() && read < 4; { // the last one is left unread, as after an error
		if m.number == itemsNumber {
			m.open().secret(wantTLS)
			read++
		}
	}
	w.wipe()
	if n := bytes.Count(buffer, mark()); n > 0 || w.err != nil {
		t.Errorf("parts of keys are in the buffer %d times; %v", n, w.err)
	}
	if !bytes.Contains(buffer, []byte("BEGIN CERTIFICATE")) {
		t.Error("what has been read was wiped too: the test looks at another buffer")
	}
}

// stream serves Secrets one after the other as they are made, so that the memory of the test is that of the program.
type stream struct {
	next    func() []byte // nil at the end
	pending []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.pending) == 0 {
		if s.pending = s.next(); s.pending == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

func (s *stream) Close() error { return nil }

// many serves a page of Secrets, each with its own certificate, an intermediate, a CA and a key.
func many(crts [][]byte, middle, root, key []byte) func(*http.Request) (int, any) {
	item := func(n int) []byte {
		return msg(1, msg(1, fmt.Sprint("web-", n), 3, fmt.Sprint("team-", n%300), 5, fmt.Sprintf("7c9d2a54-0000-4000-8000-%012d", n)),
			2, msg(1, "ca.crt", 2, root), 2, msg(1, "tls.crt", 2, slices.Concat(crts[n], middle)), 2, msg(1, "tls.key", 2, key),
			3, "kubernetes.io/tls")
	}
	return func(r *http.Request) (int, any) {
		from := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &from)
		to, more := min(from+pageSize, len(crts)), ""
		if to < len(crts) {
			more = fmt.Sprint(to)
		}
		list, size := msg(1, msg(2, "17", 3, more)), 0
		for n := from; n < to; n++ {
			b := item(n)
			size += len(msg(2, b))
		}
		size += len(list)
		head := append([]byte(wireMagic), msg(1, msg(1, "v1", 2, "SecretList"))...)
		head = protowire.AppendVarint(append(head, 2<<3|2), uint64(size))
		at := from - 1
		return http.StatusOK, &stream{pending: append(head, list...), next: func() []byte {
			if at++; at >= to {
				return nil
			}
			return msg(2, item(at))
		}}
	}
}

func TestTenThousandTLSSecretsCostLittleMoreThanTheirRows(t *testing.T) {
	const count = 10_000
	root := newMint(t, "corp root", secretTo)
	middle := root.below("corp intermediate", intermediateTo)
	key := mintKey(t)
	crts := make([][]byte, count)
	for n := range crts {
		crts[n] = asPEM(middle.sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: fmt.Sprint("web-", n)}, DNSNames: []string{fmt.Sprintf("web-%d.shop.example", n)},
			NotAfter: secretTo, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, key))
	}
	a := newAPI(t)
	a.answers["/api/v1/secrets"] = many(crts, asPEM(middle.cert), asPEM(root.cert), keyPEM(t, key))
	i := a.inventory(Options{})
	r := &reading{source: i.sources[slices.IndexFunc(i.sources, func(s *source) bool { return s.name == secretsName })], inventory: i}
	var m runtime.MemStats
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	// What is in memory is looked at where a page ends, once with what it has left to the garbage collector and once without.
	read, most, dirty := r.source.read, uint64(0), uint64(0)
	r.source.read = func(ctx context.Context, put func(...finding)) error {
		return read(ctx, func(f ...finding) {
			runtime.ReadMemStats(&m)
			dirty = max(dirty, m.HeapAlloc)
			most = max(most, live())
			put(f...)
		})
	}
	before, began := live(), time.Now()
	if err := r.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	took, findings := time.Since(began), live()-before
	i.show()
	rows := live() - before
	t.Logf("%d requests in %v; %d KiB of findings, %d KiB with rows: %d bytes for each Secret; while reading at most %d KiB, %d KiB with garbage",
		len(a.requests("/secrets")), took.Round(time.Millisecond), findings>>10, rows>>10, rows/count, (most-before)>>10, (dirty-before)>>10)
	if n := len(a.requests("/secrets")); n != count/pageSize {
		t.Errorf("%d requests", n)
	}
	if got := len(i.All()); got != count+1 {
		t.Errorf("%d rows, want one for each and one for the CA that they share", got)
	}
	if rows/count > 4<<10 || most-before > findings+4<<20 {
		t.Errorf("%d bytes for each; at most %d KiB", rows/count, (most-before)>>10)
	}
	runtime.KeepAlive(crts)
}
