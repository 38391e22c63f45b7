package scenario

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const day = 24 * time.Hour

// ofKind gives the objects of the scenario certs of one kind, as the type of that kind.
func ofKind[T any](t *testing.T, kind string) []T {
	t.Helper()
	var out []T
	for _, o := range objects(t, Certs, env) {
		if o.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &typed); err != nil {
			t.Fatal(err)
		}
		out = append(out, typed)
	}
	return out
}

// secret gives a Secret of the scenario.
func secret(t *testing.T, name string) corev1.Secret {
	t.Helper()
	all := ofKind[corev1.Secret](t, "Secret")
	i := slices.IndexFunc(all, func(s corev1.Secret) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no Secret %s", name)
	}
	return all[i]
}

// blocks gives the certificates in PEM text; nil stands for a block that is none.
func blocks(t *testing.T, text []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return out
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			cert = nil
		}
		out = append(out, cert)
	}
}

func TestEveryNodeHasAnAddressOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range ofKind[corev1.Node](t, "Node") {
		a := n.Status.Addresses[0].Address
		if !net.ParseIP(a).IsLoopback() || seen[a] {
			t.Errorf("%s is at %s", n.Name, a)
		}
		seen[a] = true
		if (n.Name == "cp-1") != (a == env.Host) {
			t.Errorf("%s is at %s, the control plane at %s", n.Name, a, env.Host)
		}
	}
}

func TestSecretsAreOfEveryKindThatAClientMustBear(t *testing.T) {
	left := func(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(env.Now) }
	crt := func(name string) []*x509.Certificate { return blocks(t, secret(t, name).Data[corev1.TLSCertKey]) }
	if c := crt("soon-tls"); left(c[0]) != 9*day {
		t.Errorf("soon-tls ends in %v", left(c[0]))
	}
	if c := crt("expired-tls"); left(c[0]) >= 0 {
		t.Error("expired-tls has not expired")
	}
	if c := crt("future-tls"); !c[0].NotBefore.After(env.Now) {
		t.Error("future-tls is valid already")
	}
	if c := crt("chain-tls"); len(c) != 2 || !c[1].IsCA || !c[1].NotAfter.Before(c[0].NotAfter) || c[0].CheckSignatureFrom(c[1]) != nil {
		t.Error("the intermediate of chain-tls does not end before its leaf")
	}
	if c := crt("middle-tls"); len(c) != 3 || c[0] == nil || c[1] != nil || c[2] == nil {
		t.Errorf("middle-tls: not the second of three blocks is bad: %d", len(c))
	}
	if c := crt("garbage-tls"); len(c) != 0 {
		t.Errorf("garbage-tls holds %d blocks", len(c))
	}
	bundle := blocks(t, secret(t, "bundle-tls").Data["ca.crt"])
	if len(bundle) != 2 || left(bundle[0]) >= 0 || left(bundle[1]) < 0 {
		t.Errorf("bundle-tls: %d roots", len(bundle))
	}
	if c := crt("subject-tls"); !strings.Contains(c[0].Subject.CommonName, "\u001b]52") || !strings.Contains(c[0].Subject.CommonName, "\u202e") ||
		!strings.Contains(c[0].Issuer.CommonName, "\u001b") || !strings.Contains(c[0].DNSNames[0], "\u001b") {
		t.Errorf("subject-tls is harmless: %q by %q for %q", c[0].Subject, c[0].Issuer, c[0].DNSNames)
	}
	if c := crt("long-tls"); len(c[0].Subject.CommonName) != 4096 {
		t.Errorf("the name in long-tls has %d bytes", len(c[0].Subject.CommonName))
	}
	if same := crt("web-tls-copy"); !same[0].Equal(crt("healthy-tls")[0]) {
		t.Error("web-tls-copy holds another certificate than healthy-tls")
	}
}

// What cert-manager says of a Certificate is true of the Secret that it names.
func TestCertificatesAgreeWithTheirSecrets(t *testing.T) {
	checked := 0
	for _, o := range objects(t, Certs, env) {
		if o.GetKind() != "Certificate" || o.GetName() == "issuing" { // which has no Secret yet
			continue
		}
		spec, status := o.Object["spec"].(map[string]any), o.Object["status"].(map[string]any)
		cert := blocks(t, secret(t, spec["secretName"].(string)).Data[corev1.TLSCertKey])[0]
		if got := cert.NotAfter.Format(time.RFC3339); got != status["notAfter"] {
			t.Errorf("%s says %v, its Secret %s", o.GetName(), status["notAfter"], got)
		}
		checked++
	}
	if checked != 4 {
		t.Errorf("%d certificates", checked)
	}
}

// Who asks and what is asked for: a foreign address is another node's, a foreign name is nobody's.
func TestRequestsNameWhatTheirStoriesSay(t *testing.T) {
	foreign := map[string]string{"csr-foreign-ip": env.Host, "csr-foreign-name": "kubernetes.default.svc"}
	found := 0
	for _, r := range ofKind[certificatesv1.CertificateSigningRequest](t, "CertificateSigningRequest") {
		b, _ := pem.Decode(r.Spec.Request)
		if b == nil {
			t.Fatalf("%s holds no request", r.Name)
		}
		request, err := x509.ParseCertificateRequest(b.Bytes)
		if err != nil || request.CheckSignature() != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		sans := slices.Clone(request.DNSNames)
		for _, ip := range request.IPAddresses {
			sans = append(sans, ip.String())
		}
		if want := foreign[r.Name]; want != "" {
			found++
			if !slices.Contains(sans, want) || r.Annotations[asUser] != request.Subject.CommonName {
				t.Errorf("%s by %s asks for %s", r.Name, r.Annotations[asUser], sans)
			}
		}
	}
	if found != len(foreign) {
		t.Errorf("%d requests with a foreign name", found)
	}
}

func TestUsersAreInTheGroupsOfTheirNames(t *testing.T) {
	for user, want := range map[string]string{
		"system:node:a": "system:nodes", "system:bootstrap:abcdef": "system:bootstrappers:kubeadm:default-node-token", "stranger": "system:authenticated",
	} {
		if got := groups(user); !slices.Contains(got, want) || !slices.Contains(got, "system:authenticated") {
			t.Errorf("%s is in %s", user, got)
		}
	}
	if slices.Contains(groups("stranger"), "system:nodes") {
		t.Error("a stranger is a node")
	}
}

func TestSpansAreDurationsOrDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"9d": 9 * day, "-2d": -2 * day, "90m": 90 * time.Minute, "-50h": -50 * time.Hour} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "soon", "7"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestTheNetworkIsThatOfTheControlPlane(t *testing.T) {
	if got, err := (Env{Host: "127.0.9.1"}).NodeIP(5); err != nil || got != "127.0.9.5" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := (Env{}).NodeIP(5); err == nil {
		t.Error("a cluster without a host has nodes")
	}
}

// In the incident, the API server's certificate, a fail-closed webhook's CA and a Secret are about to end.
func TestTheIncidentHasWhatIsAboutToExpire(t *testing.T) {
	if left := Lives("incident")["apiserver"]; left < 6*day || left > 7*day {
		t.Errorf("the API server's certificate lives %v", left)
	}
	for _, o := range objects(t, "incident", env) {
		if o.GetKind() != "ValidatingWebhookConfiguration" {
			continue
		}
		hook := o.Object["webhooks"].([]any)[0].(map[string]any)
		text, err := base64.StdEncoding.DecodeString(hook["clientConfig"].(map[string]any)["caBundle"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if left := blocks(t, text)[0].NotAfter.Sub(env.Now); left != 19*day || hook["failurePolicy"] != "Fail" {
			t.Errorf("its CA ends in %v, and it fails %v", left, hook["failurePolicy"])
		}
		return
	}
	t.Error("there is no webhook")
}
