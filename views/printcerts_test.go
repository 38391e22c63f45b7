package views

import (
	"bufio"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ktriage/kube"
)

// certRow makes a certificate that is renewed by hand, seen in one place.
func certRow(name string, to time.Time, edits ...func(*kube.Cert)) *kube.Cert {
	c := &kube.Cert{
		UID: "sha256:" + name, Name: name, Kind: kube.ServingCert, From: to.AddDate(-1, 0, 0), To: to,
		X509: &kube.X509{Fingerprint: name, Serial: "3f9a:71c0", Subject: "CN=" + name, Issuer: "CN=kubernetes", SignedBy: "kubernetes"},
		Places: []kube.CertPlace{{
			Source: kube.FromHandshake, Name: name, Where: name + ":6443", Authority: "ca", External: kube.No, Checked: noon, Use: kube.ServingCert,
		}},
	}
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func authority(c *kube.Cert) {
	c.From = c.To.AddDate(-10, 0, 0)
	c.Kind, c.Places[0].Use, c.Places[0].Class = kube.Authority, kube.Authority, kube.OfAuthority
}

func unseenBecause(why string) func(*kube.Cert) {
	return func(c *kube.Cert) {
		c.UID, c.Kind, c.X509, c.From, c.To, c.Unseen = "place:"+c.Name, kube.NoCert, nil, time.Time{}, time.Time{}, why
		c.Places[0].External, c.Places[0].Authority = kube.NotKnown, ""
	}
}

// certRows are one of everything.
func certRows() []*kube.Cert {
	return []*kube.Cert{
		certRow("ca", noon.AddDate(8, 0, 0), authority),
		certRow("front-proxy-client", noon, unseenBecause("not visible from here")),
		certRow("apiserver", noon.Add(6*24*time.Hour+4*time.Hour), func(c *kube.Cert) {
			c.Places = append(c.Places, kube.CertPlace{Source: kube.FromFile, Name: "apiserver", Where: "/etc/kubernetes/pki/apiserver.crt"})
		}),
		certRow("web-tls", noon.Add(-3*24*time.Hour)),
		certRow("token abc", time.Time{}, func(c *kube.Cert) {
			c.Kind, c.X509, c.From, c.Places[0].Class = kube.Token, nil, time.Time{}, kube.WithoutExpiry
			c.Places[0].Source, c.Places[0].External, c.Places[0].Authority = kube.FromSecret, kube.NotKnown, ""
		}),
	}
}

func printedCerts(t *testing.T, f Format, rows []*kube.Cert) string {
	return printed(t, func(b *strings.Builder) error { return PrintCerts(b, f, rows, kube.Moment{Now: noon}) })
}

func TestPrintedCertificatesAreInSectionsSoonestFirst(t *testing.T) {
	equal(t, printedCerts(t, FormatTable, certRows()), `CERTIFICATE   EXPIRES                  RESIDUAL TIME    CERTIFICATE AUTHORITY   EXTERNALLY MANAGED   WHERE                 HOW         SEVERITY
web-tls       Nov 17, 2026 12:00 UTC   EXPIRED 3d ago   ca                      no                   web-tls:6443          handshake   bad
apiserver     Nov 26, 2026 16:00 UTC   6d               ca                      no                   apiserver:6443 (+1)   handshake   bad
token abc     -                        no expiry        -                       -                    token abc:6443        secret      ok

CERTIFICATE AUTHORITY   EXPIRES                  RESIDUAL TIME   EXTERNALLY MANAGED   WHERE     HOW         SEVERITY
ca                      Nov 20, 2034 12:00 UTC   8y              no                   ca:6443   handshake   ok

WITHOUT A DATE       WHERE                     HOW         WHY
front-proxy-client   front-proxy-client:6443   handshake   not visible from here
`)
	equal(t, printedCerts(t, FormatTable, nil), "")
}

func TestPrintedCertificatesForScriptsHaveEveryKey(t *testing.T) {
	var rows []map[string]any
	if err := json.Unmarshal([]byte(printedCerts(t, FormatJSON, certRows())), &rows); err != nil {
		t.Fatal(err)
	}
	mayBeNull := map[string]bool{"notBefore": true, "notAfter": true, "expires": true, "secondsLeft": true}
	for _, r := range rows {
		if len(r) != len(rows[0]) {
			t.Errorf("%v has other keys than %v", r, rows[0])
		}
		for key, value := range r {
			if value == nil && !mayBeNull[key] {
				t.Errorf("%s of %s is null", key, r["name"])
			}
		}
	}
	by := map[string]map[string]any{}
	for _, r := range rows {
		by[r["name"].(string)] = r
	}
	api := by["apiserver"]
	equal(t, fmt.Sprintf("%v %v %v %d", api["severity"], api["expires"], api["secondsLeft"], len(api["places"].([]any))), "bad 2026-11-26T16:00:00Z 532800 2")
	equal(t, fmt.Sprintf("%v %v", by["web-tls"]["severity"], by["web-tls"]["secondsLeft"]), "bad -259200")
	equal(t, fmt.Sprintf("%v %v", by["front-proxy-client"]["unseen"], by["front-proxy-client"]["secondsLeft"]), "not visible from here <nil>")
	equal(t, strings.TrimSpace(printedCerts(t, FormatJSON, nil)), "[]")
}

// The grammar of the text format, as far as gauges without timestamps need it.
var (
	metricHelp   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$`)
	metricType   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) gauge$`)
	metricSample = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+)\} (-?[0-9]+)$`)
	metricLabel  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
	unescape     = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// sample is one series with its value.
type sample struct {
	metric string
	labels map[string]string
	value  int64
}

// parseMetrics reads the text format, and fails the test where a scraper would refuse it: a line that is none, a family without
// HELP and TYPE or in two pieces, a series that is there twice.
func parseMetrics(t *testing.T, out string) []sample {
	t.Helper()
	var samples []sample
	family, done, seen := "", map[string]bool{}, map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		if help := metricHelp.FindStringSubmatch(line); help != nil {
			if done[help[1]] {
				t.Errorf("%s comes twice", help[1])
			}
			family, done[help[1]] = help[1], true
			if !lines.Scan() || metricType.FindStringSubmatch(lines.Text()) == nil || metricType.FindStringSubmatch(lines.Text())[1] != family {
				t.Errorf("%q has no TYPE after its HELP", family)
			}
			continue
		}
		m := metricSample.FindStringSubmatch(line)
		if len(m) == 0 || m[1] != family {
			t.Errorf("%q is no sample of %q", line, family)
			continue
		}
		if key := m[1] + m[2]; seen[key] {
			t.Errorf("%s is there twice", key)
		} else {
			seen[key] = true
		}
		value, err := strconv.ParseInt(m[3], 10, 64)
		if err != nil {
			t.Error(err)
		}
		s := sample{m[1], map[string]string{}, value}
		for _, l := range metricLabel.FindAllStringSubmatch(m[2], -1) {
			s.labels[l[1]] = unescape.Replace(l[2])
		}
		samples = append(samples, s)
	}
	return samples
}

func TestPrintedMetricsHaveASeriesForEachPlace(t *testing.T) {
	out := printedCerts(t, FormatPrometheus, certRows())
	values := map[string][]string{}
	for _, s := range parseMetrics(t, out) {
		key := strings.TrimPrefix(s.metric, "ktriage_certificate")
		values[key] = append(values[key], fmt.Sprintf("%s%s=%d", s.labels["where"], s.labels["reason"], s.value))
	}
	for metric, want := range map[string]string{
		"_not_after_seconds": "web-tls:6443=1794916800 apiserver:6443=1795708800 /etc/kubernetes/pki/apiserver.crt=1795708800 ca:6443=2047636800",
		"_severity":          "web-tls:6443=2 apiserver:6443=2 /etc/kubernetes/pki/apiserver.crt=2 ca:6443=0 token abc:6443=0",
		"s_unread":           "not visible from here=1",
	} {
		equal(t, strings.Join(values[metric], " "), want)
	}
	equal(t, printedCerts(t, FormatPrometheus, nil), "")
}

func TestPrintedMetricsSurviveHostileLabelsAndTwins(t *testing.T) {
	evil := func(c *kube.Cert) { c.X509.Issuer = "CN=a\"b\\c\nd,} 1" }
	twin := func(c *kube.Cert) { c.UID = "sha256:another" }
	rows := []*kube.Cert{
		certRow("web", noon, evil), certRow("web", noon, evil, twin),
		certRow("x", noon, unseenBecause(`said "no"`)), certRow("x", noon, unseenBecause(`said "no"`), twin),
	}
	samples := parseMetrics(t, printedCerts(t, FormatPrometheus, rows))
	if len(samples) != 4 {
		t.Fatalf("%d series, want three of one certificate and one of what is not seen: %v", len(samples), samples)
	}
	equal(t, samples[0].labels["issuer"], "CN=a\"b\\c\nd,} 1")
	equal(t, fmt.Sprintf("%s %d", samples[3].labels["reason"], samples[3].value), `said "no" 2`)
}

func TestPrintedSeverityOfAPlaceIsItsOwn(t *testing.T) {
	root := certRow("root", noon.Add(-time.Hour), authority, func(c *kube.Cert) {
		beside := c.Places[0]
		beside.Where, beside.Outlived = "webhook hook", true // its successor is there too
		c.Places = append(c.Places, beside)
	})
	var rows []struct {
		Severity string
		Places   []struct{ Where, Severity string }
	}
	if err := json.Unmarshal([]byte(printedCerts(t, FormatJSON, []*kube.Cert{root})), &rows); err != nil {
		t.Fatal(err)
	}
	equal(t, fmt.Sprint(rows), "[{bad [{root:6443 bad} {webhook hook notice}]}]")
	var severities []string
	for _, s := range parseMetrics(t, printedCerts(t, FormatPrometheus, []*kube.Cert{root})) {
		if s.metric == "ktriage_certificate_severity" {
			severities = append(severities, fmt.Sprintf("%s=%d", s.labels["where"], s.value))
		}
	}
	equal(t, strings.Join(severities, " "), "root:6443=2 webhook hook=0")
}

func TestPrintedSourcesSayWhichCouldNotBeRead(t *testing.T) {
	out := printed(t, func(b *strings.Builder) error {
		return PrintSourcesRead(b, []string{"kubeconfig", "TLS Secrets"}, map[string]bool{"kubeconfig": true})
	})
	var got []string
	for _, s := range parseMetrics(t, out) {
		got = append(got, fmt.Sprintf("%s %s=%d", s.metric, s.labels["source"], s.value))
	}
	equal(t, strings.Join(got, ", "), "ktriage_certificates_source_read kubeconfig=1, ktriage_certificates_source_read TLS Secrets=0")
}

func TestPrintedPlaceOfUsualLengthIsWhole(t *testing.T) {
	where := "configmap kube-system/extension-apiserver-authentication requestheader-client-ca-file"
	row := certRow("front-proxy-ca", noon.AddDate(1, 0, 0), func(c *kube.Cert) { c.Places[0].Where = where })
	if out := printedCerts(t, FormatTable, []*kube.Cert{row}); !strings.Contains(out, where) {
		t.Errorf("it is cut:\n%s", out)
	}
}

func TestPrintedTableBoundsWhatOthersHaveNamed(t *testing.T) {
	long := strings.Repeat("long-name-", 30)
	out := printedCerts(t, FormatTable, []*kube.Cert{certRow(long, noon.AddDate(1, 0, 0))})
	for line := range strings.Lines(out) {
		if len(line) > 300 {
			t.Errorf("a line of %d characters", len(line))
		}
	}
	if !strings.Contains(printedCerts(t, FormatJSON, []*kube.Cert{certRow(long, noon.AddDate(1, 0, 0))}), long) {
		t.Error("the name is cut in JSON too")
	}
}

func TestPrintedKubeadmTableIsKubeadms(t *testing.T) {
	end, root := time.Date(2020, 12, 30, 23, 36, 0, 0, time.UTC), time.Date(2029, 12, 28, 23, 36, 0, 0, time.UTC)
	row := func(name, ca string, end time.Time) *kube.Cert {
		return certRow(name, end, func(c *kube.Cert) { c.Places[0].Authority = ca })
	}
	leaves := []*kube.Cert{
		row("admin.conf", "", end), row("apiserver", "ca", end), row("apiserver-etcd-client", "etcd-ca", end),
		row("etcd-peer", "etcd-ca", end.AddDate(-2, 0, 0)), row("front-proxy-client", "front-proxy-ca", end),
		certRow("scheduler.conf", end, unseenBecause("MISSING")), certRow("super-admin.conf", end, unseenBecause("not visible from here")),
	}
	authorities := []*kube.Cert{row("ca", "", root), certRow("etcd-ca", root, unseenBecause("MISSING"))}
	for _, c := range authorities {
		c.From = root.AddDate(-10, 0, 0)
	}
	out := printed(t, func(b *strings.Builder) error {
		return PrintKubeadm(b, leaves, authorities, kube.Moment{Now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
	})
	equal(t, regexp.MustCompile(`(?m) +$`).ReplaceAllString(out, ""), `CERTIFICATE                EXPIRES                  RESIDUAL TIME      CERTIFICATE AUTHORITY   EXTERNALLY MANAGED
admin.conf                 Dec 30, 2020 23:36 UTC   364d                                       no
apiserver                  Dec 30, 2020 23:36 UTC   364d               ca                      no
apiserver-etcd-client      Dec 30, 2020 23:36 UTC   364d               etcd-ca                 no
etcd-peer                  Dec 30, 2018 23:36 UTC   EXPIRED 366d ago   etcd-ca                 no
front-proxy-client         Dec 30, 2020 23:36 UTC   364d               front-proxy-ca          no
!MISSING! scheduler.conf
super-admin.conf           not visible from here    -                                          unknown

CERTIFICATE AUTHORITY   EXPIRES                  RESIDUAL TIME   EXTERNALLY MANAGED
ca                      Dec 28, 2029 23:36 UTC   9y              no
!MISSING! etcd-ca
`)
}
