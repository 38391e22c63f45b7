package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// printedCert is what is compared of a row of `ktriage certs -o json`.
type printedCert struct {
	Name, Kind, Severity, Expires, Unseen, Serial, Issuer string
	SecondsLeft                                           *int64
	Places                                                []struct{ Name, Where, How, Use string }
}

func printedCerts(t *testing.T, kubeconfig string, args ...string) ([]printedCert, result) {
	t.Helper()
	r := ktriage(t, kubeconfig, append([]string{"certs", "-o", "json"}, args...)...)
	var rows []printedCert
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	return rows, r
}

// tlsSecret makes a TLS Secret in a namespace of its own, whose certificate ends after a time, and gives its key.
func (c *cluster) tlsSecret(t *testing.T, name string, life time.Duration) (namespace string, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-365 * 24 * time.Hour), NotAfter: now.Add(life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &own.PublicKey, own)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for file, text := range map[string][]byte{"crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "key": key} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	namespace = "certs-" + strings.ToLower(rand.Text()[:6])
	c.kubectl(t, "create", "namespace", namespace)
	t.Cleanup(func() { c.kubectl(t, "delete", "namespace", namespace, "--wait=false") })
	c.kubectl(t, "create", "secret", "tls", name, "-n", namespace, "--cert="+filepath.Join(dir, "crt"), "--key="+filepath.Join(dir, "key"))
	return namespace, key
}

// series are the values of a metric by the labels that tell places apart.
var series = regexp.MustCompile(`(?m)^(ktriage_\w+)\{name="((?:[^"\\]|\\.)*)",where="((?:[^"\\]|\\.)*)",how="(\w+)",.*serial="([^"]*)"\} (-?\d+)$`)

func TestPrintedCertificatesAgreeInEveryFormat(t *testing.T) {
	namespace, _ := stages.tlsSecret(t, "soon-tls", 20*24*time.Hour+time.Hour)
	began := time.Now()
	rows, r := printedCerts(t, stages.kubeconfig())
	t.Logf("%d rows in %v, exit code %d: %s", len(rows), time.Since(began).Round(time.Millisecond), r.code, strings.TrimSpace(r.err))

	api := pemFile(t, filepath.Join(stages.dir, "pki", "apiserver.crt"))
	var seen, warned bool
	for _, c := range rows {
		seen = seen || c.Name == "apiserver" && c.Expires == api.NotAfter.UTC().Format(time.RFC3339)
		warned = warned || c.Severity == "warning" && len(c.Places) > 0 && c.Places[0].Where == "secret "+namespace+"/soon-tls"
		if c.Unseen == "" && len(c.Places) == 0 {
			t.Errorf("%s is nowhere", c.Name)
		}
	}
	if !seen || !warned {
		t.Errorf("the certificate of the API server with the end that is in its file: %v; the Secret as a warning: %v:\n%s", seen, warned, r.out)
	}

	metrics := map[string]string{}
	printed := ktriage(t, stages.kubeconfig(), "certs", "-o", "prometheus")
	for _, m := range series.FindAllStringSubmatch(printed.out, -1) {
		key := strings.Join(m[1:6], "|")
		if _, twice := metrics[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		metrics[key] = m[6]
	}
	ours := regexp.MustCompile(regexp.QuoteMeta(namespace) + `|/pki/|kubeconfig|configmap`) // what no other test changes meanwhile
	checked := 0
	for _, c := range rows {
		for _, p := range c.Places {
			if c.Unseen != "" || c.Expires == "" || !ours.MatchString(p.Where) {
				continue
			}
			end, err := time.Parse(time.RFC3339, c.Expires)
			if err != nil {
				t.Fatal(err)
			}
			checked++
			key := strings.Join([]string{"ktriage_certificate_not_after_seconds", p.Name, p.Where, p.How, c.Serial}, "|")
			if got := metrics[key]; got != strconv.FormatInt(end.Unix(), 10) {
				t.Errorf("%s is %q in the metrics, and %d in JSON", key, got, end.Unix())
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d places were compared", checked)
	}

	table := ktriage(t, stages.kubeconfig(), "certs", namespace)
	line := regexp.MustCompile(`(?m)^soon-tls +(\w+ \d\d, \d{4} \d\d:\d\d UTC) +20d +soon-tls +- +secret ` + namespace + `/soon-tls +secret +warning$`)
	if table.code != 1 || !line.MatchString(table.out) {
		t.Errorf("the table says otherwise: %+v", table)
	}
}

func pemFile(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s holds no PEM", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCertsExitAsMonitoringPluginsDo(t *testing.T) {
	namespace, _ := stages.tlsSecret(t, "plugin-tls", 20*24*time.Hour)
	expired, _ := stages.tlsSecret(t, "expired-tls", -time.Hour)
	lost := filepath.Join(t.TempDir(), "config")
	raw, err := os.ReadFile(stages.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lost, regexp.MustCompile(`(server: https://[^:]+):\d+`).ReplaceAll(raw, []byte("$1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := stages.configFor(t, "no-such-token", "default")
	for _, c := range []struct {
		name, config string
		args         []string
		code         int
		says         string // on standard error
	}{
		{"all is well", stages.kubeconfig(), []string{namespace, "--warn", "2w"}, 0, "0 critical, 0 with a warning; next: plugin-tls"},
		{"a warning", stages.kubeconfig(), []string{namespace}, 1, "0 critical, 1 with a warning; next: plugin-tls at secret " + namespace + "/plugin-tls in 19d"},
		{"critical", stages.kubeconfig(), []string{namespace, "--critical", "3w"}, 2, "1 critical"},
		{"expired", stages.kubeconfig(), []string{expired, "--warn", "0", "--critical", "0"}, 2, "1 critical, 0 with a warning: expired-tls (secret " + expired + "/expired-tls) EXPIRED 60m ago; 1 certificate in all."},
		{"bad flag", stages.kubeconfig(), []string{"--warn", "soon"}, 3, "--warn cannot be"},
		{"no such row", stages.kubeconfig(), []string{"no-such-row"}, 3, "No certificates match no-such-row."},
		{"server that is away", lost, nil, 3, "refuses connections"},
		{"server that is away, and what is critical nevertheless", lost, []string{"--warn", "500d", "--critical", "400d"}, 2, "refuses connections"},
		{"credentials that are refused", refused, nil, 3, "401"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ktriage(t, c.config, append([]string{"certs"}, c.args...)...)
			if r.code != c.code || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s\n%s", r.code, c.code, c.says, r.err, r.out)
			}
		})
	}
}

func TestPrintedCertificatesHoldNoSecret(t *testing.T) {
	namespace, key := stages.tlsSecret(t, "secret-tls", 300*24*time.Hour)
	config := stages.user(t, "cert-reader", namespace, "--verb=list", "--resource=secrets")
	known := keyMaterial(t, config, string(key))
	files, err := filepath.Glob(filepath.Join(stages.dir, "pki", "*.key"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no keys of the cluster: %v", err)
	}
	for _, f := range append(files, stages.kubeconfig()) {
		known = append(known, keyMaterial(t, f, "")...)
	}
	t.Logf("%d pieces of keys and tokens are looked for", len(known))
	for _, who := range []string{stages.kubeconfig(), config} {
		for _, args := range [][]string{
			{"certs"}, {"certs", "-o", "json"}, {"certs", "-o", "prometheus"}, {"certs", "--secret-keys", "*", "-o", "json"}, {"certs", "--kubeadm"},
		} {
			r := ktriage(t, who, args...)
			for _, secret := range known {
				if strings.Contains(r.out+r.err, secret) {
					t.Errorf("%v prints %s…", args, secret[:12])
				}
			}
			if len(r.out) < 100 {
				t.Errorf("%v prints next to nothing: %+v", args, r)
			}
		}
	}
}

// keyMaterial gives what must not be printed of a file and of a text: the lines of private keys, their base64 once more, tokens.
func keyMaterial(t *testing.T, path, text string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"PRIVATE KEY"}
	all := string(raw) + "\n" + text
	for _, m := range regexp.MustCompile(`(?m)^ *(?:client-key-data|token): *(\S{40})`).FindAllStringSubmatch(all, -1) {
		out = append(out, m[1])
	}
	for rest := []byte(all); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			body := strings.Split(string(pem.EncodeToMemory(block)), "\n")
			out = append(out, body[1:len(body)-2]...)
		}
	}
}

// notAllowed is what a row says that the server has forbidden, or that it has refused without a word.
var notAllowed = regexp.MustCompile(`(?i)forbidden|not allowed|may not|unknown \(`)

// documentRights are the pieces of YAML of the document that give rights, in order, for a service account "monitor" in a namespace
// of that name, and under that name.
func documentRights(t *testing.T, name string) (files []string) {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "certificates.md"))
	if err != nil {
		t.Fatal(err)
	}
	for n, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(document, -1) {
		if !strings.HasPrefix(string(block[1]), "apiVersion: rbac") {
			continue
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("rights-%d.yaml", n))
		renamed := strings.NewReplacer("ktriage-certs", name, "namespace: monitoring", "namespace: "+name).Replace(string(block[1]))
		if err := os.WriteFile(file, []byte(renamed), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) != 3 {
		t.Fatalf("%d pieces of rights in the document, want one without secrets, the secrets, and what is done", len(files))
	}
	return files
}

func TestRightsOfTheDocumentAreEnoughForEveryRow(t *testing.T) {
	name := "certs-" + strings.ToLower(rand.Text()[:6])
	rights := documentRights(t, name)
	stages.kubectl(t, "create", "namespace", name)
	t.Cleanup(func() { stages.kubectl(t, "delete", "namespace", name, "--wait=false") })
	config := stages.user(t, "monitor", name)
	grant := func(file string) {
		stages.kubectl(t, "create", "-f", file)
		t.Cleanup(func() { stages.kubectl(t, "delete", "-f", file) })
	}
	forbidden := func() (out []string) {
		rows, _ := printedCerts(t, config)
		for _, c := range rows {
			if notAllowed.MatchString(c.Unseen) {
				out = append(out, fmt.Sprintf("%s at %s: %s", c.Name, c.Places[0].Where, c.Unseen))
			}
		}
		return out
	}
	if without := forbidden(); len(without) < 5 {
		t.Errorf("without any right only this is forbidden: %q", without)
	}
	if lax, strict := ktriage(t, config, "certs"), ktriage(t, config, "certs", "--strict", "-o", "nagios"); lax.code != 0 || strict.code != 3 ||
		!strings.HasPrefix(strict.out, "CERTIFICATES UNKNOWN - ") || !strings.Contains(strict.out, "\nnot read: TLS Secrets: ") {
		t.Errorf("without any right it ends with %d, want 0: %s\nand with --strict with %d, want 3: %s%s", lax.code, lax.err, strict.code,
			strict.out, strict.err)
	}

	grant(rights[0])
	var with []string
	if !within(soon, func() bool { // the server reads roles a little later
		with = forbidden()
		return len(with) > 0 && !slices.ContainsFunc(with, func(row string) bool {
			return !regexp.MustCompile(`(?i)secret|token|kubeadm-certs`).MatchString(row)
		})
	}) {
		t.Errorf("with the rights but for Secrets this is forbidden:\n%s", strings.Join(with, "\n"))
	}
	grant(rights[1])
	if !within(soon, func() bool {
		with = forbidden()
		return len(with) == 0
	}) {
		t.Errorf("with the rights of the document this is forbidden:\n%s", strings.Join(with, "\n"))
	}
	// What others have on the server may be critical, and is there for seconds after their tests: the controller of namespaces lets
	// 5 s go by before it deletes what is in one. A filter leaves it out; a source that could not be read counts with any filter.
	if strict := ktriage(t, config, "certs", "--strict", "kube-root-ca.crt"); strict.code != 0 {
		t.Errorf("with all rights --strict ends with %d, want 0: %s%s", strict.code, strict.out, strict.err)
	}
}

func TestRightsOfTheDocumentLetOneApproveAndRenew(t *testing.T) {
	name := "certs-" + strings.ToLower(rand.Text()[:6])
	file := documentRights(t, name)[2]
	stages.kubectl(t, "create", "-f", file)
	t.Cleanup(func() { stages.kubectl(t, "delete", "-f", file) })
	reviewed := func(right ...string) bool {
		review := fmt.Sprintf(`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"system:serviceaccount:%s:monitor",`+
			`"resourceAttributes":{"verb":%q,"group":%q,"resource":%q,"subresource":%q,"name":%q}}}`,
			name, right[0], right[1], right[2], right[3], right[4])
		asked := filepath.Join(t.TempDir(), "review.json")
		if err := os.WriteFile(asked, []byte(review), 0o600); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(stages.kubectl(t, "create", "-f", asked, "-o", "jsonpath={.status.allowed}")) == "true"
	}
	for _, right := range [][]string{
		{"update", "certificates.k8s.io", "certificatesigningrequests", "approval", "csr-1"},
		{"approve", "certificates.k8s.io", "signers", "", "kubernetes.io/kubelet-serving"},
		{"update", "cert-manager.io", "certificates", "status", "web"},
		{"get", "certificates.k8s.io", "certificatesigningrequests", "", "csr-1"},
		{"get", "", "nodes", "", "node-1"},
	} {
		if !within(soon, func() bool { return reviewed(right...) }) {
			t.Errorf("they do not allow %q", right)
		}
	}
	if reviewed("approve", "certificates.k8s.io", "signers", "", "kubernetes.io/kube-apiserver-client") {
		t.Error("they allow to approve what makes anybody an administrator")
	}
}

func TestFirstCertificatesAreOnTheScreenWithinASecond(t *testing.T) {
	began := time.Now()
	s := open(t, stages.kubeconfig(), 120, 40, "--pane", "certs")
	s.Await("a row of a certificate", func(screen string) bool {
		return slices.ContainsFunc(strings.Split(screen, "\n"), func(l string) bool {
			return strings.Contains(l, "kubeconfig") && strings.Contains(l, "36")
		})
	})
	took := time.Since(began)
	t.Logf("the first rows are there after %v", took.Round(time.Millisecond))
	if took > 5*time.Second { // a second on an idle machine; this one may be busy
		t.Errorf("the first rows came after %v", took)
	}
	s.Press("q")
	s.End(0)
}

func TestTokenThatEndsInMinutesIsSaidOnTheScreenUntilAKeyIsPressed(t *testing.T) {
	name := "short-" + strings.ToLower(rand.Text()[:6])
	stages.kubectl(t, "create", "namespace", name)
	t.Cleanup(func() { stages.kubectl(t, "delete", "namespace", name, "--wait=false") })
	stages.user(t, "guest", name, "--verb=get,list,watch", "--resource=pods")
	token := strings.TrimSpace(stages.kubectl(t, "create", "token", "guest", "-n", name, "--duration=10m"))
	s := open(t, stages.configFor(t, token, name), 120, 40, "pods")
	s.Shows("Your token")
	s.Shows("expires in 9m")
	await(t, "a key takes the banner away", soon, func() bool {
		s.Press("j") // not in its first second
		return !strings.Contains(s.Screen(), "Your token")
	})
	s.Press("q")
	s.End(0)
	if strings.Contains(s.Written(), token[len(token)-40:]) {
		t.Error("the token was written")
	}
}
