package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	managedName                    = "cert-manager"
	managedPrefix, managedResource = "/apis/cert-manager.io/v1", "certificates"
)

// managedSources are the Certificates of cert-manager [11].
func (i *Inventory) managedSources() []*source {
	m := &managed{inventory: i}
	m.source = &source{
		name: managedName, where: "certificates.cert-manager.io", every: everyList, read: m.read, follow: m.follow,
	}
	return []*source{m.source}
}

// managed reads the Certificates, and what becomes of them afterwards.
type managed struct {
	inventory *Inventory
	source    *source

	mu    sync.Mutex
	since map[string]string // the version from which the Certificates of a namespace are followed
}

func (m *managed) read(ctx context.Context, put func(...finding)) error {
	since := map[string]string{}
	err := m.inventory.inScope(managedName, put, func(namespace string) error {
		return pages(func(token string) (string, error) {
			page, err := m.page(ctx, namespace, token)
			if err != nil {
				return "", m.inventory.ifServed(ctx, managedPrefix, managedResource, err)
			}
			if since[namespace] == "" {
				since[namespace] = page.Metadata.ResourceVersion
			}
			for _, raw := range page.Items {
				put(issued(raw))
			}
			return page.Metadata.Continue, nil
		})
	})
	if err != nil { // or somebody has looked at one of them and read no further
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = since
	return nil
}

// issuedList is a CertificateList. There is no protobuf of custom resources.
type issuedList struct {
	Metadata struct{ ResourceVersion, Continue string }
	Items    []json.RawMessage
}

func (m *managed) page(ctx context.Context, namespace, token string) (page issuedList, err error) {
	o := metav1.ListOptions{Limit: pageSize, Continue: token}
	said := m.inventory.get(managedPrefix, namespace, managedResource).VersionedParams(&o, scheme.ParameterCodec).
		SetHeader("Accept", asJSON).Do(ctx)
	err = said.Error() // the server's own words, which Raw does not decode
	if err == nil {
		var raw []byte
		if raw, err = said.Raw(); err == nil {
			err = json.Unmarshal(raw, &page)
		}
	}
	if err != nil {
		return page, fmt.Errorf("list certificates of cert-manager: %w", err)
	}
	return page, nil
}

// issuedCertificate is what is read of a Certificate
// (github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1, CertificateSpec and CertificateStatus).
type issuedCertificate struct {
	Metadata struct {
		Namespace, Name, UID string
		CreationTimestamp    time.Time
	}
	Spec struct {
		SecretName string
		IssuerRef  struct{ Name, Kind string }
		IsCA       bool
		Usages     []string
	}
	Status struct {
		Conditions                                        []condition
		NotBefore, NotAfter, RenewalTime, LastFailureTime time.Time
		FailedIssuanceAttempts                            int
	}
}

// issued makes a finding of a Certificate, which goes into the row of its Secret.
func issued(raw []byte) finding {
	var c issuedCertificate
	return c.finding(json.Unmarshal(raw, &c))
}

// finding is that of a Certificate, of which perhaps not all could be read.
func (c *issuedCertificate) finding(err error) finding {
	object := meta{namespace: c.Metadata.Namespace, name: c.Metadata.Name, uid: c.Metadata.UID}
	place := objectPlace(&object, "certificate", "certificate", short(object.name))
	place.Class, place.Danger, place.Breaks = kube.CertManaged, kube.BreaksApp, "TLS of what uses Secret "+short(c.Spec.SecretName)
	place.Renew = "cmctl renew " + text.Clean(object.name) + " -n " + text.Clean(object.namespace)
	place.Use = kindFor(c.Spec.IsCA, c.Spec.Usages) // cert-manager's KeyUsage has the words of RFC 5280 too
	f := finding{slot: "certificate " + object.namespace + "/" + object.name, cert: &kube.Cert{
		UID: "certificate:" + object.uid, Name: place.Name, Kind: place.Use,
		From: c.Status.NotBefore, To: c.Status.NotAfter, Issuance: c.issuance(object.ref()),
	}}
	switch {
	case err != nil:
		f.cert.Unseen = words("it cannot be read", err.Error())
	case c.Status.NotAfter.IsZero():
		f.cert.Unseen = words("not issued yet", f.cert.Issuance.Reason)
	}
	if f.cert.Unseen != "" && !f.cert.Issuance.Ready {
		place.Severity = kube.Warning
	}
	if c.Spec.SecretName != "" {
		f.joins = slotOfSecret(object.namespace, c.Spec.SecretName)
	}
	f.cert.Places = []kube.CertPlace{place}
	return f
}

// issuance says how it stands with the Certificate.
func (c *issuedCertificate) issuance(object kube.Ref) *kube.Issuance {
	kind := c.Spec.IssuerRef.Kind
	if kind == "" {
		kind = "Issuer"
	}
	out := &kube.Issuance{
		Object: object, RenewAt: c.Status.RenewalTime, Failed: c.Status.FailedIssuanceAttempts,
		LastFailed: c.Status.LastFailureTime, Issuer: short(kind + " " + c.Spec.IssuerRef.Name),
		Reason: "cert-manager has not looked at it",
	}
	failed := ""
	for _, is := range c.Status.Conditions {
		switch {
		case is.Type == "Ready":
			out.Ready = is.Status == "True"
			out.Reason = ""
			if !out.Ready {
				out.Reason = words(is.Reason, is.Message)
			}
		case is.Type == "Issuing" && is.Status == "True":
			out.Issuing = true
		case is.Type == "Issuing" && c.Status.FailedIssuanceAttempts > 0: // the last attempt
			failed = words(is.Reason, is.Message)
		}
	}
	if out.Reason == "" {
		out.Reason = failed
	}
	return out
}
