package certs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"ktriage/kube"
)

// hidden is what a control plane keeps to itself.
var hiddenNames = []string{
	"apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "controller-manager.conf", "etcd-healthcheck-client",
	"etcd-peer", "etcd-server", "front-proxy-client", "scheduler.conf", "etcd-ca",
}

func TestUnseenRowsOnlyWhereKubeadmHasBeen(t *testing.T) {
	config := func(etcd string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{"ClusterConfiguration": "etcd:\n  " + etcd + "\n"}}
	}
	server := func(name string, flags ...string) *corev1.PodList {
		return &corev1.PodList{Items: []corev1.Pod{{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Command: flags}}},
		}}}
	}
	none := &corev1.PodList{}
	withoutEtcd := slices.DeleteFunc(slices.Clone(hiddenNames), func(n string) bool { return strings.Contains(n, "etcd") })
	version := func(v string) map[string]string { return map[string]string{"gitVersion": v} }
	for name, c := range map[string]struct {
		config, pods, version any // an int is an answer without anything
		want                  []string
		fails                 bool
	}{
		"its ConfigMap":                     {config: config("local: {dataDir: /x}"), want: hiddenNames},
		"its ConfigMap, and etcd elsewhere": {config: config("external: {endpoints: [x]}"), want: withoutEtcd},
		"a ConfigMap that is garbage":       {config: config("]"), want: hiddenNames},
		"a pod of its name":                 {config: 404, pods: server("kube-apiserver-cp-1"), want: hiddenNames},
		"a pod with its flags":              {config: 403, pods: server("kube-apiserver-cp-1", "kube-apiserver", "--client-ca-file=/etc/kubernetes/pki/ca.crt", "--etcd-servers=https://127.0.0.1:2379"), want: hiddenNames},
		"its flags, and etcd elsewhere":     {config: 403, pods: server("kube-apiserver-cp-1", "--etcd-servers=https://10.0.0.1:2379"), want: withoutEtcd},
		"a pod of RKE2":                     {config: 404, pods: server("kube-apiserver-cp-1", "--client-ca-file=/var/lib/rancher/rke2/server/tls/client-ca.crt")},
		"a pod of another name":             {config: 404, pods: server("apiserver")},
		"nothing there":                     {config: 404, pods: none},
		"no pods, ConfigMap hidden":         {config: 403, pods: none},
		"no ConfigMap, pods hidden":         {config: 404, pods: 403},
		"EKS, nothing may be read":          {config: 403, pods: 403, version: version("v1.33.1-eks-1234")},
		"GKE, nothing may be read":          {config: 403, pods: 403, version: version("v1.33.1-gke.100")},
		"who knows":                         {config: 403, pods: 403, version: version("v1.33.1"), want: []string{"control plane"}},
		"who knows, not even the version":   {config: 403, pods: 403, version: 403, want: []string{"control plane"}},
		"the server is ill":                 {config: 500, fails: true},
		"the server is ill later":           {config: 404, pods: 500, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			i := askFor(t, map[string]any{
				"/api/v1/namespaces/kube-system/configmaps/kubeadm-config": c.config, "/api/v1/namespaces/kube-system/pods": c.pods, "/version": c.version,
			})
			var got []string
			err := i.unseenSources()[0].read(t.Context(), func(found ...finding) {
				for _, f := range found {
					got = append(got, f.cert.Name)
					if p := f.cert.Places[0]; f.cert.Unseen != notFromHere || !strings.Contains(p.Renew, lookThere) || f.cert.Severity(kube.Moment{}) != kube.Notice {
						t.Errorf("%+v", f.cert)
					}
				}
			})
			if (err != nil) != c.fails {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// askFor is an inventory of a server that gives these answers.
func askFor(t *testing.T, answers map[string]any) *Inventory {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch a := answers[r.URL.Path].(type) {
		case nil:
			t.Errorf("nobody asked for %s", r.URL)
			w.WriteHeader(http.StatusTeapot)
		case int:
			reason := map[int]metav1.StatusReason{403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound, 500: metav1.StatusReasonInternalError}[a]
			w.WriteHeader(a)
			_ = json.NewEncoder(w).Encode(metav1.Status{Status: metav1.StatusFailure, Reason: reason, Code: int32(a)})
		default:
			_ = json.NewEncoder(w).Encode(a)
		}
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{AcceptContentTypes: "application/json"}}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return New(kube.New(kube.Clients{Kubernetes: client}, "test", "default", []string{""}, nil), Options{})
}

// left are the names of the rows that say that nothing can be seen.
func left(rows map[string]*kube.Cert) (out []string) {
	for uid, c := range rows {
		if strings.HasPrefix(uid, "place:"+hiddenSlot) {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

func TestUnseenRowsGoOnceSomebodyHasSeenThem(t *testing.T) {
	hidden := unseenKubeadm(false)
	sorted := slices.Sorted(slices.Values(hiddenNames))
	if diff := cmp.Diff(sorted, left(merge(hidden))); diff != "" {
		t.Errorf("nobody has seen anything: %s", diff)
	}
	h := controlPlane(t)
	if rows := left(merge(slices.Concat(h.find(), hidden))); len(rows) != 0 {
		t.Errorf("on a control-plane node these are not seen: %v", rows)
	}
	x := summary(newMint(t, "ca", mintTo).leaf("kube-apiserver", mintTo, inCluster))
	silent := unseen("dial etcd", kube.CertPlace{Name: "etcd-server", Source: kube.FromHandshake, Where: "cp-1:2379"}, "timed out after 2s")
	secret := certificate("secret", kube.ClientCert, kube.CertPlace{Name: "scheduler.conf", Source: kube.FromSecret, Where: "secret a/scheduler.conf"},
		summary(newMint(t, "ca", mintTo).leaf("mallory", mintTo)))
	all := slices.Concat(hidden, []finding{secret})
	if diff := cmp.Diff(sorted, left(merge(all))); diff != "" {
		t.Errorf("a Secret of that name is taken for it: %s", diff)
	}
	var rows []*kube.Cert
	for _, c := range merge(all) {
		rows = append(rows, c)
	}
	if c := byName(t, rows, "scheduler.conf"); c.X509 != nil {
		t.Errorf("a Secret of that name is in kubeadm's table: %+v", c)
	}
	want := slices.DeleteFunc(sorted, func(n string) bool { return n == "apiserver" || n == "etcd-server" })
	if diff := cmp.Diff(want, left(merge(slices.Concat([]finding{serves("apiserver", "cp-1", x), silent}, hidden)))); diff != "" {
		t.Error(diff)
	}
}

func TestPluginRowGoesOnceItsCredentialWasSeen(t *testing.T) {
	plugin := unseen(pluginSlot, kube.CertPlace{Name: "credential of a plugin", Source: kube.FromKubeconfig, Ours: true}, "given by the plugin aws")
	own := unseen("our token", kube.CertPlace{Name: "our token", Source: kube.FromToken, Ours: true}, "not a JWT")
	if rows := merge([]finding{plugin}); len(rows) != 1 {
		t.Errorf("%d rows of the plugin alone", len(rows))
	}
	if rows := merge([]finding{plugin, own}); len(rows) != 1 || rows["place:our token"] == nil {
		t.Errorf("%v", rows)
	}
}

func TestKubeadmTableTakesTheNearestPlace(t *testing.T) {
	h := controlPlane(t)
	ca := newMint(t, "kubernetes", mintTo)
	served := func(host string, to int) finding {
		return serves("apiserver", host, summary(ca.leaf("kube-apiserver", mintTo.AddDate(0, to, 0), inCluster)))
	}
	rows := func(found ...finding) (out []*kube.Cert) {
		for _, c := range merge(found) {
			out = append(out, c)
		}
		return out
	}
	timedOut := unseen("dial cp-3", kube.CertPlace{Name: "apiserver", Source: kube.FromHandshake, Where: "cp-3:6443"}, "timed out")
	remote := rows(served("cp-1", 2), served("cp-2", 1), timedOut)
	if c := byName(t, remote, "apiserver"); c.Place().Where != "cp-2:6443" {
		t.Errorf("from afar it is that of %s, wanted that which ends first", c.Place().Where)
	}
	leaves, authorities := kubeadmTable(remote)
	if len(leaves) != 11 || len(authorities) != 3 {
		t.Errorf("%d leaves and %d CAs, kubeadm has 11 and 3", len(leaves), len(authorities))
	}
	for _, c := range leaves {
		if c.Name != "apiserver" && c.Unseen != notFromHere {
			t.Errorf("%s: %q", c.Name, c.Unseen)
		}
	}
	here := rows(append(h.find(), served("cp-2", 1))...)
	c := byName(t, here, "apiserver")
	if c.Place().Where != "/etc/kubernetes/pki/apiserver.crt" {
		t.Errorf("here it is that of %s", c.Place().Where)
	}
	if c.Ref().Name != "apiserver" || slices.Contains(here, c) {
		t.Error("the row of the inventory itself was changed")
	}
}

// AC-C5: the names of the document, 002 1378-1386.
func TestServerThatDoesNotNameTheServiceOfTheClusterIsFlagged(t *testing.T) {
	all := []string{"kubernetes", "kubernetes.default", inCluster, "kubernetes.default.svc.cluster", "kubernetes.default.svc.cluster.local"}
	ca := newMint(t, "kubernetes", mintTo)
	short := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == inCluster })
	note := "it does not name " + inCluster
	for name, c := range map[string]struct {
		served   string
		host     string
		names    []string
		note     string
		severity kube.Severity
	}{
		"all":                    {"apiserver", "cp-1", all, "", kube.OK},
		"perhaps for our name":   {"apiserver", "cp-1", short, note, kube.Notice},
		"perhaps a proxy's":      {"apiserver", "", short, note, kube.Notice},
		"another server":         {"etcd-server", "cp-1", short, "", kube.OK},
		"more than can be shown": {"apiserver", "cp-1", slices.Repeat([]string{"x"}, mostNames), "", kube.OK},
	} {
		x := summary(ca.leaf("kube-apiserver", mintTo, c.names...))
		rows := merge([]finding{serves(c.served, c.host, x)})
		row := rows["sha256:"+x.Fingerprint]
		if p := row.Places[0]; p.Note != c.note || row.Severity(kube.Moment{Now: mintFrom}) != c.severity {
			t.Errorf("%s: %q, %s", name, p.Note, row.Severity(kube.Moment{Now: mintFrom}))
		}
		if !slices.Equal(x.DNS, c.names) {
			t.Errorf("%s: %q", name, x.DNS)
		}
	}
	h := controlPlane(t)
	h.write("etc/kubernetes/pki/apiserver.crt", asPEM(ca.leaf("kube-apiserver", mintTo, short...)))
	if p := byName(t, h.rows(), "apiserver").Place(); p.Note != note || p.Severity != kube.Warning {
		t.Errorf("on disk: %q", p.Note)
	}
}
