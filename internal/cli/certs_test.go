package cli

import (
	"context"
	"net/http"
	"slices"
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
		if got := certsCode(c.rows, c.own, m); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
