package certs

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

func configMap(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid"}, Data: data}
}

// Beside the CA of the cluster there may be one of a company: when that ends, its clients are refused, whatever the other one has.
func TestInABundleOfClientsACAIsOutlivedByItsSuccessorAlone(t *testing.T) {
	now := mintTo.Add(day)
	pair := func(old, fresh string) string {
		return string(asPEM(newMint(t, old, mintTo).cert, newMint(t, fresh, secretTo).cert))
	}
	for name, c := range map[string]struct {
		key, pem string
		want     kube.Severity
	}{
		"its successor":               {"client-ca-file", pair("kubernetes", "kubernetes"), kube.Notice},
		"its successor, with a time":  {"client-ca-file", pair("k3s-client-ca@1", "k3s-client-ca@2"), kube.Notice},
		"another CA":                  {"client-ca-file", pair("corp admins", "kubernetes"), kube.Bad},
		"another one of one verifier": {"requestheader-client-ca-file", pair("front-proxy", "front-proxy-2"), kube.Notice},
		"cannot be read":              {"client-ca-file", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", kube.Warning},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.has("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
				configMap("kube-system", "extension-apiserver-authentication", map[string]string{c.key: c.pem}))
			worst := kube.OK
			for _, f := range reads(t, a.inventory(Options{}).readAuthentication) {
				worst = max(worst, f.cert.Severity(kube.Moment{Now: now}))
			}
			if worst != c.want {
				t.Errorf("it is %v, want %v", worst, c.want)
			}
		})
	}
}

func TestConfigMapsGiveTheCAsTheirNames(t *testing.T) {
	ca, old, proxy := newMint(t, "kubernetes", secretTo), newMint(t, "kubernetes", mintTo), newMint(t, "front-proxy", secretTo)
	a := newAPI(t)
	a.has("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
		configMap("kube-system", "extension-apiserver-authentication", map[string]string{
			"client-ca-file": string(asPEM(old.cert, ca.cert)), "requestheader-client-ca-file": string(asPEM(proxy.cert)),
			"requestheader-allowed-names": `["front-proxy-client"]`,
		}))
	a.has("/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt",
		configMap("kube-system", "kube-root-ca.crt", map[string]string{"ca.crt": string(asPEM(ca.cert))}))
	a.forbids("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
	a.has("/api/v1/namespaces/kube-public/configmaps/cluster-info", configMap("kube-public", "cluster-info", map[string]string{
		"kubeconfig": "apiVersion: v1\nkind: Config\nclusters:\n- name: \"\"\n  cluster:\n    server: https://a\n" +
			"    certificate-authority-data: " + base64Text(asPEM(ca.cert)) + "\n",
	}))
	i := a.inventory(Options{})
	all := slices.Concat(reads(t, i.readRootCA), reads(t, i.readAuthentication), reads(t, i.readClusterInfo))
	if diff := cmp.Diff([]string{
		"ca @ configmap kube-system/kube-root-ca.crt",
		"ca @ configmap kube-system/extension-apiserver-authentication client-ca-file",
		"ca @ configmap kube-system/extension-apiserver-authentication client-ca-file",
		"front-proxy-ca @ configmap kube-system/extension-apiserver-authentication requestheader-client-ca-file",
		"ca @ configmap kube-public/cluster-info",
	}, placed(all)); diff != "" {
		t.Error(diff)
	}
	rows := merge(all)
	if len(rows) != 3 {
		t.Errorf("%d rows, want ca, the ca before, front-proxy-ca", len(rows))
	}
	for _, c := range rows {
		p := c.Places[0]
		if p.Class != kube.OfAuthority || p.Danger != kube.BreaksCluster || c.Kind != kube.Authority {
			t.Errorf("%s: %v %v %v", c.Name, p.Class, p.Danger, c.Kind)
		}
		if expired := c.To.Equal(mintTo); p.Outlived != expired {
			t.Errorf("%s until %v is outlived: %v", c.Name, c.To, p.Outlived)
		}
		if sev := c.Severity(kube.Moment{Now: mintTo.Add(time.Hour)}); sev > kube.Notice {
			t.Errorf("%s until %v is %v beside a good one", c.Name, c.To, sev)
		}
	}
}

func TestAConfigMapWithoutACertificateIsARow(t *testing.T) {
	a := newAPI(t)
	a.has("/api/v1/namespaces/kube-public/configmaps/cluster-info", configMap("kube-public", "cluster-info",
		map[string]string{"kubeconfig": "clusters: 7\n\x1b[2J"}))
	a.has("/api/v1/namespaces/default/configmaps/kube-root-ca.crt", configMap("default", "kube-root-ca.crt",
		map[string]string{"ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}))
	i := a.inventory(Options{})
	all := slices.Concat(reads(t, i.readClusterInfo), reads(t, i.readRootCA))
	for n, why := range []string{"its kubeconfig cannot be read: ", "no certificate in it: block 1: "} {
		if c := all[n].cert; !strings.HasPrefix(c.Unseen, why) || strings.Contains(c.Unseen, "\x1b") || c.Places[0].Severity != kube.Warning {
			t.Errorf("%q, want %q", c.Unseen, why)
		}
	}
}

func webhooksWith(pem []byte) *admissionv1.ValidatingWebhookConfigurationList {
	ignore, fail := admissionv1.Ignore, admissionv1.Fail
	rules := func(ops []admissionv1.OperationType, group string, resources ...string) admissionv1.RuleWithOperations {
		return admissionv1.RuleWithOperations{Operations: ops, Rule: admissionv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: resources}}
	}
	writes := []admissionv1.OperationType{admissionv1.Create, admissionv1.Update}
	client := admissionv1.WebhookClientConfig{CABundle: pem}
	return &admissionv1.ValidatingWebhookConfigurationList{
		TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfigurationList"},
		Items: []admissionv1.ValidatingWebhookConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: "policy", UID: "uid"},
			Webhooks: []admissionv1.ValidatingWebhook{
				{Name: "vpolicy.corp.io", ClientConfig: client, FailurePolicy: &fail, Rules: []admissionv1.RuleWithOperations{rules(writes, "", "pods")},
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}},
				{Name: "vdefault.corp.io", ClientConfig: client, Rules: []admissionv1.RuleWithOperations{
					rules([]admissionv1.OperationType{"*"}, "*", "*/*"), rules(writes, "apps", "deployments", "deployments/scale"),
				}, NamespaceSelector: &metav1.LabelSelector{}, MatchConditions: []admissionv1.MatchCondition{{Name: "x"}}},
				{Name: "vopen.corp.io", ClientConfig: client, FailurePolicy: &ignore, Rules: []admissionv1.RuleWithOperations{rules(writes[:1], "batch", "*")},
					ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Exists"}}}},
				{Name: "vone.corp.io", ClientConfig: client, Rules: []admissionv1.RuleWithOperations{rules(writes[:1], "", "pods")},
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "shop"}}},
				{Name: "vroots.corp.io", FailurePolicy: &fail, Rules: []admissionv1.RuleWithOperations{rules(writes, "", "pods")}},
			},
		}},
	}
}

func TestWebhooksSayWhichWritesTheyStop(t *testing.T) {
	a := newAPI(t)
	ca := newMint(t, "webhooks", secretTo)
	list := webhooksWith(asPEM(ca.cert))
	a.has("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", list)
	w := list.Items[0].Webhooks[2]
	a.has("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", &admissionv1.MutatingWebhookConfigurationList{
		TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfigurationList"},
		Items: []admissionv1.MutatingWebhookConfiguration{{ObjectMeta: metav1.ObjectMeta{Name: "inject"}, Webhooks: []admissionv1.MutatingWebhook{
			{Name: "inject.corp.io", ClientConfig: w.ClientConfig, FailurePolicy: w.FailurePolicy, Rules: w.Rules},
		}}},
	})
	i := a.inventory(Options{})
	all := slices.Concat(reads(t, i.readValidating), reads(t, i.readMutating))
	if len(all) != 5 {
		t.Fatalf("%q: one without a bundle is no row", placed(all))
	}
	for name, c := range map[string]struct {
		breaks string
		danger kube.Danger
	}{
		"vpolicy.corp.io CA": {"create/update pods in namespaces with env=prod are refused", kube.BlocksWrites},
		"vdefault.corp.io CA": {"create/update/delete/connect everything, create/update deployments.apps, deployments.apps/scale " +
			"under its matchConditions are refused", kube.BlocksWrites},
		"vopen.corp.io CA":  {"create everything of batch of objects with team are not checked", kube.BreaksAPI},
		"vone.corp.io CA":   {"create pods in namespace shop are refused", kube.BlocksWrites},
		"inject.corp.io CA": {"create everything of batch are not changed as they should be", kube.BreaksAPI},
	} {
		if p := found(t, all, name).Places[0]; p.Breaks != c.breaks || p.Danger != c.danger || p.Short != "webhook" {
			t.Errorf("%s: %q, danger %d, %q", name, p.Breaks, p.Danger, p.Short)
		}
	}
	rows := merge(all)
	if len(rows) != 1 {
		t.Fatalf("%d rows of one CA", len(rows))
	}
	for _, c := range rows {
		if c.Places[0].Danger != kube.BlocksWrites || c.Places[4].Danger != kube.BreaksAPI {
			t.Errorf("the most dangerous is not first: %q", c.Name)
		}
	}
}

func TestAGarbageBundleIsARowWithTheReason(t *testing.T) {
	a := newAPI(t)
	a.has("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", webhooksWith([]byte("garbage")))
	c := found(t, reads(t, a.inventory(Options{}).readValidating), "vpolicy.corp.io CA")
	if c.Unseen != "no certificate in it" || c.Places[0].Danger != kube.BlocksWrites || c.Places[0].Severity != kube.Warning {
		t.Errorf("%q %+v", c.Unseen, c.Places[0])
	}
}

func TestConversionsOfCRDsAreFoundBehindTheirSchemas(t *testing.T) {
	ca := newMint(t, "conversion", secretTo)
	crd := func(name string, conversion []byte) []byte {
		return msg(1, metaOf(name), 2, msg(1, "corp.io", 3, msg(1, "widgets"), 7, msg(1, "v1", 4, strings.Repeat("schema", 20_000)),
			9, conversion), 3, msg(1, msg(1, "Established")))
	}
	a := newAPI(t)
	a.has("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", listOf("apiextensions.k8s.io/v1", "CustomResourceDefinition",
		crd("widgets.corp.io", msg(1, "Webhook", 2, msg(2, msg(1, msg(1, "ns", 2, "svc"), 2, asPEM(ca.cert)), 3, "v1"))),
		crd("gadgets.corp.io", msg(1, "None")),
	))
	all := reads(t, a.inventory(Options{}).readConversions)
	if diff := cmp.Diff([]string{"widgets.corp.io CA @ crd widgets.corp.io"}, placed(all)); diff != "" {
		t.Error(diff)
	}
	if p := all[0].cert.Places[0]; p.Danger != kube.BreaksAPI || p.Object.UID != "uid-of-widgets.corp.io" || all[0].cert.X509.CommonName != "conversion" {
		t.Errorf("%+v", p)
	}
}

func TestAPIServicesSayHowTheyAre(t *testing.T) {
	ca := newMint(t, "metrics", secretTo)
	service := func(name, group string, spec []byte, status ...any) []byte {
		return msg(1, metaOf(name), 2, append(msg(1, msg(1, "kube-system", 2, "svc"), 2, group, 3, "v1"), spec...), 3, msg(status...))
	}
	a := newAPI(t)
	a.has("/apis/apiregistration.k8s.io/v1/apiservices", listOf("apiregistration.k8s.io/v1", "APIService",
		msg(1, metaOf("v1.apps"), 2, msg(2, "apps", 3, "v1")),
		service("v1beta1.metrics.k8s.io", "metrics.k8s.io", msg(5, asPEM(ca.cert)),
			1, msg(1, "Available", 2, "False", 4, "FailedDiscoveryCheck", 5, "x509: certificate has expired")),
		service("v1.open.corp.io", "open.corp.io", msg(4, 1), 1, msg(1, "Available", 2, "True")),
		service("v1.roots.corp.io", "roots.corp.io", nil),
	))
	all := reads(t, a.inventory(Options{}).readAPIServices)
	if diff := cmp.Diff([]string{
		"metrics.k8s.io CA @ apiservice v1beta1.metrics.k8s.io", "open.corp.io CA @ apiservice v1.open.corp.io ? not verified",
	}, placed(all)); diff != "" {
		t.Error(diff)
	}
	if p := all[0].cert.Places[0]; p.Severity != kube.Warning ||
		p.Note != "not available: FailedDiscoveryCheck: x509: certificate has expired" {
		t.Errorf("%v %q", p.Severity, p.Note)
	}
	if p := all[1].cert.Places[0]; !strings.HasPrefix(p.Note, "insecureSkipTLSVerify") || p.Severity != kube.OK {
		t.Errorf("%v %q", p.Severity, p.Note)
	}
}

func TestTrustBundlesAreReadInTheVersionThatTheServerHas(t *testing.T) {
	ca, old := newMint(t, "pods", secretTo), newMint(t, "pods", mintTo)
	beta := certificatesv1beta1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: "corp.io:pods:v1"},
		Spec: certificatesv1beta1.ClusterTrustBundleSpec{SignerName: "corp.io/pods", TrustBundle: string(asPEM(old.cert, ca.cert))}}
	stable := certificatesv1.ClusterTrustBundle{ObjectMeta: beta.ObjectMeta,
		Spec: certificatesv1.ClusterTrustBundleSpec{TrustBundle: beta.Spec.TrustBundle}}
	const path = "/apis/certificates.k8s.io/%/clustertrustbundles"
	for version, c := range map[string]struct {
		list []byte
		name string
	}{
		"v1":      {proto(t, &certificatesv1.ClusterTrustBundleList{Items: []certificatesv1.ClusterTrustBundle{stable}}), "corp.io:pods:v1 CA"},
		"v1beta1": {proto(t, &certificatesv1beta1.ClusterTrustBundleList{Items: []certificatesv1beta1.ClusterTrustBundle{beta}}), "corp.io/pods CA"},
	} {
		a := newAPI(t)
		a.has(strings.Replace(path, "%", version, 1), c.list)
		all := reads(t, a.inventory(Options{}).readTrustBundles)
		where := " @ clustertrustbundle corp.io:pods:v1"
		if diff := cmp.Diff([]string{c.name + where, c.name + where}, placed(all)); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
		if !all[0].cert.Places[0].Outlived || all[1].cert.Places[0].Outlived {
			t.Errorf("%s: the root that has a younger one beside it is not told from it", version)
		}
	}
}

func TestAnAPIThatIsNotThereIsNoRowThoughItIsForbiddenToo(t *testing.T) {
	a := newAPI(t)
	a.forbids("/apis/certificates.k8s.io/v1/clustertrustbundles")
	a.forbids("/apis/certificates.k8s.io/v1beta1/clustertrustbundles")
	a.has("/apis/certificates.k8s.io/v1", metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "certificatesigningrequests"}}})
	if all := reads(t, a.inventory(Options{}).readTrustBundles); len(all) > 0 {
		t.Errorf("%q", placed(all))
	}
	a.has("/apis/certificates.k8s.io/v1beta1", metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "clustertrustbundles"}}})
	if err := a.inventory(Options{}).readTrustBundles(t.Context(), func(...finding) {}); err == nil {
		t.Error("one that is there and forbidden is passed over")
	}
}

func TestPodCertificatesThatWereRefusedAreRows(t *testing.T) {
	request := func(name, pod, condition string) certificatesv1.PodCertificateRequest {
		return certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: certificatesv1.PodCertificateRequestSpec{SignerName: "corp.io/pods", PodName: pod},
			Status: certificatesv1.PodCertificateRequestStatus{Conditions: []metav1.Condition{
				{Type: condition, Status: "True", Reason: "Policy", Message: "not\x1b[31m this one"}}}}
	}
	a := newAPI(t)
	a.answers["/apis/certificates.k8s.io/v1/podcertificaterequests"] = func(*http.Request) (int, any) {
		return http.StatusOK, proto(t, &certificatesv1.PodCertificateRequestList{Items: []certificatesv1.PodCertificateRequest{
			request("a", "web-0", "Denied"), request("b", "web-1", "Issued"), request("c", "web-0", "Failed"),
		}})
	}
	all := reads(t, a.inventory(Options{}).readPodCertificates)
	if len(all) != 2 || all[0].slot != all[1].slot {
		t.Errorf("%q: a pod that asks again is one row", placed(all))
	}
	if got := placed(all[:1])[0]; !strings.HasPrefix(got, "pod certificate @ pod shop/web-0 ? Denied: Policy: not") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func TestFiveHundredCRDsAreReadWithoutTheirSchemas(t *testing.T) {
	const count, schemaSize = 500, 400 << 10
	ca := asPEM(newMint(t, "conversion", secretTo).cert)
	schema := strings.Repeat("s", schemaSize)
	crd := func(n int) []byte {
		conversion := msg(1, "Webhook", 2, msg(2, msg(2, ca)))
		return msg(2, msg(1, metaOf(fmt.Sprint("crd-", 100+n)), 2, msg(1, "corp.io", 7, msg(1, "v1", 4, schema), 9, conversion)))
	}
	size := len(crd(0))
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	a := newAPI(t)
	a.answers["/apis/apiextensions.k8s.io/v1/customresourcedefinitions"] = func(*http.Request) (int, any) {
		head := append([]byte(wireMagic), msg(1, msg(2, "CustomResourceDefinitionList"))...)
		n := -1
		return http.StatusOK, &stream{pending: protowire.AppendVarint(append(head, 2<<3|2), uint64(size*count)), next: func() []byte {
			if n++; n >= count {
				return nil
			}
			if n%50 == 49 {
				most = max(most, live())
			}
			return crd(n)
		}}
	}
	all := reads(t, a.inventory(Options{}).readConversions)
	t.Logf("%d MiB of CRDs take at most %d KiB while they are read", size*count>>20, (most-before)>>10)
	if len(all) != count || most-before > 4<<20 {
		t.Errorf("%d findings, %d bytes", len(all), most-before)
	}
	runtime.KeepAlive(all)
}
