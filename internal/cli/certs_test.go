package cli

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd/api"

	"ktriage/kube"
	"ktriage/kube/certs"
	"ktriage/kube/kubetest"
)

// readFrom reads the certificates of a server once, in virtual time, and gives what was read and how long it took.
func readFrom(t *testing.T, limit time.Duration, prepare func(*kubetest.Server)) (read certsRead, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		prepare(server)
		cluster := kube.New(server.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		config := api.NewConfig()
		config.Clusters["prod"] = &api.Cluster{CertificateAuthorityData: []byte("nothing")}
		config.Contexts["prod"] = &api.Context{Cluster: "prod"}
		inventory := certs.New(cluster, certs.Options{Kubeconfig: *config, Context: "prod", Urgent: true, Root: t.TempDir()})
		began := time.Now()
		var err error
		if read, err = readCerts(t.Context(), cluster, inventory, limit); err != nil {
			t.Error(err)
		}
		took = time.Since(began)
		server.Fail(nil)
		synctest.Wait()
	})
	return read, took
}

func late(rows []*kube.Cert) int {
	n := 0
	for _, c := range rows {
		if c.Unseen == "not read in time" {
			n++
		}
	}
	return n
}

func TestReadingEndsAtItsLimitAndNamesTheRest(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, 4 * time.Second} {
		read, took := readFrom(t, limit, func(s *kubetest.Server) { s.Silent() })
		if took != limit || read.own == nil || late(read.rows) < 5 {
			t.Errorf("within %v: it took %v, %d sources are said to be late, and of our connection %v", limit, took, late(read.rows), read.own)
		}
		if !slices.ContainsFunc(read.rows, func(c *kube.Cert) bool {
			return strings.HasPrefix(c.Place().Where, "kubeconfig") && c.Unseen != "not read in time"
		}) {
			t.Error("what the kubeconfig has is not among the rows")
		}
	}
}

func TestServerThatDoesNotSpeakWithUsIsNotWaitedFor(t *testing.T) {
	unauthorized := metav1.Status{Code: http.StatusUnauthorized, Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized"}
	read, took := readFrom(t, time.Minute, func(s *kubetest.Server) {
		s.Fail(func(q *http.Request) (*http.Response, bool, error) {
			if strings.Contains(q.URL.Path, "selfsubjectreviews") {
				return kubetest.Answer(unauthorized, "/selfsubjectreviews")(q)
			}
			<-q.Context().Done()
			return nil, true, context.Cause(q.Context())
		})
	})
	if kube.Explain(read.own).Code != kube.ExitCredentials || took > certsRest+time.Second || late(read.rows) == 0 {
		t.Errorf("%v after %v, %d late", read.own, took, late(read.rows))
	}
}

func TestReadingEndsOnceAllHasBeenRead(t *testing.T) {
	read, took := readFrom(t, time.Minute, func(*kubetest.Server) {})
	if read.own != nil || took > 5*time.Second || late(read.rows) > 0 {
		t.Errorf("it took %v: %v, %d late", took, read.own, late(read.rows))
	}
}

func TestTimesHaveDaysAndWeeks(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"30d": 30 * day, "2w": 14 * day, "12h": day / 2, "1d12h": day + day/2, "1w2d3h": 9*day + 3*time.Hour, "0.5d": day / 2, "0": 0, "0d": 0, "90m": 90 * time.Minute,
	} {
		if got, err := parseDays(s); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "30", "d", "30 d", "-3d", "+3d", "3y", "3dd", "1e9d", "nand", "infd", "NaNd", "1..5d", "30d ", "９d", "99999w", "36501d"} {
		if got, err := parseDays(s); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
	for d, want := range map[time.Duration]string{30 * day: "30d", 12 * time.Hour: "12h", 36 * time.Hour: "36h", 90 * time.Minute: "1h30m", 0: "0"} {
		if got := days(d); got.String() != want {
			t.Errorf("%v is printed as %q, want %q", d, got.String(), want)
		}
	}
}

func TestExitCodeOfWhatIsKnownAndWhatIsNot(t *testing.T) {
	now := time.Now()
	m := kube.Moment{Now: now}
	row := func(left time.Duration) *kube.Cert {
		return &kube.Cert{From: now.AddDate(-1, 0, 0), To: now.Add(left), Places: []kube.CertPlace{{}}}
	}
	blind := &kube.Cert{Unseen: "refused", Places: []kube.CertPlace{{Severity: kube.Bad}}}
	well, warned, critical := row(100*24*time.Hour), row(20*24*time.Hour), row(-time.Hour)
	for _, c := range []struct {
		name string
		rows []*kube.Cert
		own  error
		want int
	}{
		{"well", []*kube.Cert{well}, nil, certsWell},
		{"well, and a place that cannot be seen", []*kube.Cert{well, blind}, nil, certsWell},
		{"warning", []*kube.Cert{well, warned}, nil, certsWarning},
		{"critical", []*kube.Cert{warned, critical, well}, nil, certsCritical},
		{"nothing", nil, nil, certsUnknown},
		{"nothing that can be seen", []*kube.Cert{blind}, nil, certsUnknown},
		{"server away", []*kube.Cert{well}, context.DeadlineExceeded, certsUnknown},
		{"server away, and a warning", []*kube.Cert{well, warned}, context.DeadlineExceeded, certsWarning},
	} {
		if got := judgeCerts(c.rows, nil, c.own, m).code(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSourceThatMayNotBeReadIsUnknownToTheStrictAlone(t *testing.T) {
	read, _ := readFrom(t, time.Minute, func(s *kubetest.Server) {
		forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no secrets for you"}
		s.Fail(func(q *http.Request) (*http.Response, bool, error) {
			if strings.HasSuffix(q.URL.Path, "/secrets") {
				return kubetest.Answer(forbidden, "/secrets")(q)
			}
			return nil, false, nil
		})
	})
	well := certRow("well", 100*24*time.Hour)
	m := kube.Moment{Now: noon}
	v := judgeCerts(append(read.rows, well), read.sources, read.own, m)
	if !slices.Contains(v.unread, "TLS Secrets") || slices.Contains(v.unread, "kubeconfig") {
		t.Fatalf("%q are said to be unread of %v", v.unread, read.sources)
	}
	if lax := v.code(); lax != certsWell {
		t.Errorf("without --strict the exit code is %d", lax)
	}
	v.strict = true
	if code := v.code(); code != certsUnknown {
		t.Errorf("with --strict the exit code is %d", code)
	}
	worse := judgeCerts([]*kube.Cert{well, certRow("late", -time.Hour)}, read.sources, nil, m)
	worse.strict = true
	if code := worse.code(); code != certsCritical {
		t.Errorf("with --strict and what has expired the exit code is %d", code)
	}
	all := judgeCerts([]*kube.Cert{well}, []certs.SourceState{{Name: "TLS Secrets"}}, nil, m)
	all.strict = true
	if code := all.code(); code != certsWell {
		t.Errorf("with --strict and all sources read the exit code is %d", code)
	}
	var metrics strings.Builder
	if err := v.print(&metrics, "prometheus"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{source="TLS Secrets"} 0`, `{source="kubeconfig"} 1`} {
		if !strings.Contains(metrics.String(), "\nktriage_certificates_source_read"+want+"\n") {
			t.Errorf("no series %s in\n%s", want, metrics.String())
		}
	}
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// certRow makes a certificate that is renewed by hand, and lasts for so long.
func certRow(name string, left time.Duration) *kube.Cert {
	return &kube.Cert{
		UID: name, Name: name, From: noon.AddDate(-2, 0, 0), To: noon.Add(left),
		Places: []kube.CertPlace{{Source: kube.FromSecret, Name: name, Where: "secret shop/" + name, Use: kube.ServingCert}},
	}
}

// undated makes a place without a date.
func undated(source kube.CertSource, name string) *kube.Cert {
	return &kube.Cert{UID: "place:" + name, Name: name, Unseen: "no luck", Places: []kube.CertPlace{{Source: source, Name: name, Use: kube.NoCert}}}
}

func printedNagios(t *testing.T, v *certsVerdict) string {
	t.Helper()
	var b strings.Builder
	if err := v.print(&b, nagios); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNagiosReadsTheStateInTheFirstLineAndTheRestBelow(t *testing.T) {
	const day = 24 * time.Hour
	m := kube.Moment{Now: noon}
	ca := certRow("hook|CA\n", -35*day)
	rows := []*kube.Cert{
		certRow("fine", 200*day), certRow("warned", 20*day), certRow("third", 6*day), certRow("second", 5*day+23*time.Hour), ca,
		certRow("fourth", 6*day+time.Hour), undated(kube.FromFile, "scheduler.conf"), undated(kube.FromNowhere, "TLS Secrets"),
	}
	sources := []certs.SourceState{{Name: "kubeconfig"}, {Name: "TLS Secrets", Why: "Forbidden | no."}}
	want := `CERTIFICATES CRITICAL - 1 expired, 3 more critical, 1 with a warning: hook/CA ⏎  (secret shop/hook/CA ⏎ ) EXPIRED 35d ago, second (secret shop/second) in 5d23h, third (secret shop/third) in 6d and 2 more; 1 place has no date that can be seen; 1 source could not be read: TLS Secrets | critical=4 warning=1 unseen=1 unread=1
critical: fourth (secret shop/fourth) in 6d1h
warning: warned (secret shop/warned) in 20d
not read: TLS Secrets: Forbidden / no
`
	if got := printedNagios(t, judgeCerts(rows, sources, nil, m)); got != want {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
	for _, c := range []struct {
		v    *certsVerdict
		want string
	}{
		{judgeCerts([]*kube.Cert{certRow("fine", 200*day)}, nil, nil, m), "CERTIFICATES OK - 1 certificate; next: fine at secret shop/fine in 200d | critical=0"},
		{judgeCerts([]*kube.Cert{certRow("warned", 20*day)}, nil, nil, m), "CERTIFICATES WARNING - 1 with a warning: warned (secret shop/warned) in 20d | critical=0 warning=1 unseen=0 unread=0"},
		{judgeCerts([]*kube.Cert{certRow("fine", 200*day)}, nil, context.DeadlineExceeded, m), "CERTIFICATES UNKNOWN - "},
		{&certsVerdict{none: "No certificates match cheese."}, "CERTIFICATES UNKNOWN - No certificates match cheese | critical=0"},
	} {
		if got := printedNagios(t, c.v); !strings.HasPrefix(got, c.want) {
			t.Errorf("it says\n%s\nand not\n%s", got, c.want)
		}
	}
}

func TestNagiosIsNotToldMoreThanItKeeps(t *testing.T) {
	var rows []*kube.Cert
	for n := range 500 {
		rows = append(rows, certRow(strings.Repeat("name-", 50)+strconv.Itoa(n), -time.Duration(n)*time.Hour))
	}
	out := printedNagios(t, judgeCerts(rows, nil, nil, kube.Moment{Now: noon}))
	if len(out) > 8192 || !strings.HasSuffix(out, "and 457 more\n") {
		t.Errorf("%d bytes, which end in %q", len(out), out[len(out)-40:])
	}
}

func TestSummaryNamesFirstWhatHasExpiredFirst(t *testing.T) {
	rows := []*kube.Cert{
		certRow("soon", 30*time.Hour), certRow("late", -time.Hour), certRow("latest", -35*24*time.Hour),
		undated(kube.FromSecret, "empty"), undated(kube.FromNowhere, "TLS Secrets"),
	}
	got := judgeCerts(rows, []certs.SourceState{{Name: "TLS Secrets", Why: "Forbidden."}}, nil, kube.Moment{Now: noon}).summary()
	want := "3 critical, 0 with a warning: latest (secret shop/latest) EXPIRED 35d ago and 1 more; next: soon at secret shop/soon in 30h; " +
		"3 certificates in all; 1 place has no date that can be seen; 1 source could not be read: TLS Secrets."
	if got != want {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
}

func TestTroubleIsNamedWhereItIsWorst(t *testing.T) {
	c := certRow("ca", -24*time.Hour)
	alone := c.Places[0]
	alone.Name, alone.Where, alone.Note, alone.Severity = "hook CA", "webhook hook", "writes fail", kube.Bad
	c.Places[0].Outlived = true
	c.Places = append(c.Places, alone)
	if got, want := troubleText(c, kube.Moment{Now: noon}), "hook CA (webhook hook) EXPIRED 24h ago, writes fail"; got != want {
		t.Errorf("it is called %q, and not %q", got, want)
	}
}
