package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"ktriage/kube"
)

func TestWhoRenewsTheCertificateOfAKubelet(t *testing.T) {
	raw, _, err := cert.GenerateSelfSignedCertKey("gpu-01", nil, []string{"gpu-01"}) // as the kubelet does
	if err != nil {
		t.Fatal(err)
	}
	made, err := cert.ParseCertsPEM(raw)
	if err != nil {
		t.Fatal(err)
	}
	ca := newMint(t, "kubernetes", time.Now().Add(1000*day))
	of := func(cn string, groups ...string) []*x509.Certificate {
		return []*x509.Certificate{ca.pair(&x509.Certificate{Subject: pkix.Name{CommonName: cn, Organization: groups}, NotAfter: time.Now().Add(-day)}).Leaf}
	}
	stranger := newMint(t, "other-ca@1795125656", time.Now().Add(1000*day)).pair(&x509.Certificate{
		Subject: pkix.Name{CommonName: "gpu-01@1795125656"}, NotAfter: time.Now().Add(-day),
	})
	for name, c := range map[string]struct {
		chain      []*x509.Certificate
		class      kube.RenewalClass
		unverified bool
		expired    kube.Severity
	}{
		"by itself, once":      {made, kube.ByHand, true, kube.Notice},
		"by a request":         {of("system:node:gpu-01", "system:nodes"), kube.KubeletRotated, false, kube.Bad},
		"by hand":              {of("gpu-01"), kube.ByHand, false, kube.Bad},
		"a node of no group":   {of("system:node:gpu-01"), kube.ByHand, false, kube.Bad},
		"looks self-made":      {of("gpu-01@1795125656"), kube.ByHand, false, kube.Bad},
		"self-made by another": {[]*x509.Certificate{stranger.Leaf}, kube.ByHand, false, kube.Bad},
	} {
		t.Run(name, func(t *testing.T) {
			f := kubeletEndpoint(kubeNode{name: "gpu-01", address: "10.0.0.1", port: 10250}).seen(c.chain)
			p := f.cert.Place()
			if p.Class != c.class || p.Unverified != c.unverified || (p.Note != "") != c.unverified {
				t.Errorf("class %d, unverified %t, note %q", p.Class, p.Unverified, p.Note)
			}
			if got := f.cert.Severity(kube.Moment{Now: c.chain[0].NotAfter.Add(time.Hour)}); got != c.expired {
				t.Errorf("expired it is %v, want %v", got, c.expired)
			}
		})
	}
}

const kubeletText = `# HELP kubelet_certificate_manager_client_ttl_seconds [ALPHA] Gauge of the TTL (time-to-live) of the Kubelet's client certificate.
# TYPE kubelet_certificate_manager_client_ttl_seconds gauge
kubelet_certificate_manager_client_ttl_seconds 2.592e+06
# HELP kubelet_certificate_manager_server_ttl_seconds [ALPHA] Gauge of the shortest TTL (time-to-live) of the Kubelet's serving certificate.
# TYPE kubelet_certificate_manager_server_ttl_seconds gauge
kubelet_certificate_manager_server_ttl_seconds +Inf
kubelet_node_name{node="gpu-01"} 1
kubelet_server_expiration_renew_errors 0
`

func TestKubeletsSayWhatTheyHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := func(client, server, errors string) string {
			s := strings.Replace(kubeletText, "client_ttl_seconds 2.592e+06", "client_ttl_seconds "+client, 1)
			s = strings.Replace(s, "server_ttl_seconds +Inf", "server_ttl_seconds "+server, 1)
			return strings.Replace(s, "renew_errors 0", "renew_errors "+errors, 1)
		}
		a := newAPI(t)
		answers := map[string]func(*http.Request) (int, any){
			"plain":    text200(kubeletText),
			"rotates":  text200(left("86400", "172800", "0")),
			"stuck":    text200(left("-3600", "172800", "3")),
			"unused":   text200(left("+Inf", "+Inf", "0")),
			"nonsense": text200(left("1e300", "NaN", "0") + "kubelet_certificate_manager_client_ttl_seconds much\n"),
			"gone": func(*http.Request) (int, any) {
				return http.StatusServiceUnavailable, status(503, metav1.StatusReasonServiceUnavailable, "error trying to reach service: dial tcp 10.0.0.1:10250: i/o timeout")
			},
		}
		var nodes []corev1.Node
		for name, answer := range answers {
			n := controlNode(name, "10.0.0.1", 0)
			nodes = append(nodes, n)
			a.answers["/api/v1/nodes/"+name+"/proxy/metrics"] = answer
		}
		a.has(pathNodes, nodeList(nodes...))
		i := a.inventory(Options{KubeletMetrics: true})
		s := i.kubeletSources()[1]
		got := reads(t, s.read)
		wantServed(t, got,
			"kubelet client, plain:10250/metrics, plain, 30d",
			"kubelet client, rotates:10250/metrics, rotates, 24h", "kubelet serving, rotates:10250/metrics, rotates, 2d",
			"kubelet client, stuck:10250/metrics, stuck, EXPIRED 60m ago",
			"kubelet serving, stuck:10250/metrics, stuck, 2d, 3 renewals have failed since the kubelet started",
			"kubelet client, gone:10250/metrics, gone, the API server cannot reach it")
		severities := map[string]kube.Severity{}
		for _, f := range got {
			if f.cert != nil {
				severities[f.slot] = f.cert.Severity(kube.Moment{Now: time.Now()})
			}
		}
		want := map[string]kube.Severity{
			"kubelet client plain": kube.OK, "kubelet client rotates": kube.Warning, "kubelet server rotates": kube.Warning,
			"kubelet client stuck": kube.Bad, "kubelet server stuck": kube.Warning, "kubelet client gone": kube.Notice,
		}
		if !maps.Equal(severities, want) {
			t.Errorf("severities %v, want %v", severities, want)
		}
	})
}

func text200(body string) func(*http.Request) (int, any) {
	return func(*http.Request) (int, any) { return http.StatusOK, []byte(body) }
}

func TestWhoMayNotAskKubeletsGetsOneRowAndAsksNoOther(t *testing.T) {
	a := newAPI(t)
	var nodes []corev1.Node
	for k := range 300 {
		nodes = append(nodes, controlNode(nodeName(k), "10.0.0.1", 0))
		a.forbids("/api/v1/nodes/" + nodeName(k) + "/proxy/metrics")
	}
	a.has(pathNodes, nodeList(nodes...))
	i := a.inventory(Options{KubeletMetrics: true})
	s := i.kubeletSources()[1]
	i.sources, i.found = []*source{s}, map[*source]map[string]finding{s: {}}
	if err := (&reading{source: s, inventory: i}).once(t.Context()); err == nil {
		t.Error("the source has not failed")
	}
	if rows := i.Now(); len(rows) != 1 || rows[0].Name != "kubelet metrics" || rows[0].Unseen == "" {
		t.Errorf("rows %+v", rows)
	}
	if n := len(a.requests("/proxy/metrics")); n > 2*kubeletMetricsAbreast {
		t.Errorf("%d kubelets were asked", n)
	}
	if got := len(newAPI(t).inventory(Options{}).kubeletSources()); got != 1 {
		t.Errorf("unless somebody wants it there are %d sources", got)
	}
}

func TestTheMetricOfAKubeletJoinsTheRowOfItsCertificate(t *testing.T) {
	ca := newMint(t, "kubernetes", time.Now().Add(1000*day))
	seen := kubeletEndpoint(kubeNode{name: "n", address: "10.0.0.1", port: 10250}).seen([]*x509.Certificate{ca.pair(server("kubelet", 10*day)).Leaf})
	e := endpoint{slot: "kubelet client n", place: kube.CertPlace{Host: "n", Where: "n:10250/metrics"}}
	rows := merge(append(kubeletFindings(e, map[string]float64{serverLeft: 864000}, time.Now()), seen))
	if len(rows) != 1 {
		t.Fatalf("there are %d rows", len(rows))
	}
	for _, row := range rows {
		if row.X509 == nil || len(row.Places) != 2 || !row.To.Equal(row.X509.To) {
			t.Errorf("the row is %+v", row)
		}
	}
}
