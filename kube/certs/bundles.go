package certs

import (
	"context"
	"slices"

	"ktriage/internal/text"
	"ktriage/kube"
)

// bundleSources are the CAs by which the API server and pods trust others [12 to 17, 19, 20].
func (i *Inventory) bundleSources() []*source {
	return slices.Concat(i.configMapSources(), i.webhookSources(), []*source{
		{
			name: "CRD conversions", where: "customresourcedefinitions", every: everyList, read: i.readConversions,
			look: func(ctx context.Context, p kube.CertPlace, put func(...finding)) error {
				return i.conversions(ctx, named(p.Object.Name), put)
			},
		},
		{name: "APIServices", where: "apiservices", every: everyList, read: i.readAPIServices},
		{name: "ClusterTrustBundles", where: "clustertrustbundles", every: everyList, read: i.readTrustBundles},
		{name: "PodCertificateRequests", where: "podcertificaterequests", every: everyList, read: i.readPodCertificates},
	})
}

// objectPlace is that of a bundle in an object of the API.
func objectPlace(m *meta, kind, short, name string) kube.CertPlace {
	ref := m.ref()
	return kube.CertPlace{
		Source: kube.FromObject, Name: name, Where: kind + " " + ref.FullName(), Short: short, Object: ref,
		Class: kube.ByHand, Danger: kube.BreaksAPI,
	}
}

// readConversions reads the bundles of conversion webhooks. Of CRDs, most of which are schemas, nothing else is decoded.
func (i *Inventory) readConversions(ctx context.Context, put func(...finding)) error {
	return i.conversions(ctx, "", put)
}

func (i *Inventory) conversions(ctx context.Context, selector string, put func(...finding)) error {
	l := list{prefix: "/apis/apiextensions.k8s.io/v1", resource: "customresourcedefinitions", selector: selector,
		accept: asProtobuf, kind: "CustomResourceDefinition"}
	var found []finding
	return i.each(ctx, l, func(m *message) { found = append(found, m.conversion()...) }, func() {
		put(found...)
		found = nil
	})
}

// conversion reads a CustomResourceDefinition
// (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/generated.proto): metadata = 1, spec = 2.
func (m *message) conversion() []finding {
	var crd meta
	var pem []byte
	for m.next() {
		switch m.number {
		case 1:
			crd = m.metadata()
		case 2:
			pem = m.path(9, 2, 2, 2) // conversion.webhook.clientConfig.caBundle
		}
	}
	if len(pem) == 0 {
		return nil
	}
	name := short(crd.name)
	place := objectPlace(&crd, "crd", "CRD", name+" CA")
	place.Breaks = "reads and writes of " + name + " in other versions than the stored one; garbage collection and the " +
		"deletion of namespaces wait for them"
	return seen{}.anchors("crd "+crd.name, place, pem)
}

// path gives the field that is found by going down these numbers, one within the other.
func (m *message) path(numbers ...int) []byte {
	for f := m.open(); f.next(); {
		switch {
		case f.number != numbers[0]:
		case len(numbers) == 1:
			return f.bytes(mostBytes + 1)
		default:
			return f.path(numbers[1:]...)
		}
	}
	return nil
}

// readAPIServices reads the bundles of aggregated APIs.
func (i *Inventory) readAPIServices(ctx context.Context, put func(...finding)) error {
	l := list{prefix: "/apis/apiregistration.k8s.io/v1", resource: "apiservices", accept: asProtobuf, kind: "APIService"}
	return i.each(ctx, l, func(m *message) { put(m.apiService().findings()...) }, func() {})
}

// apiService is what is kept of an APIService.
type apiService struct {
	meta
	group    string
	remote   bool // it is served by a Service, and not by the API server itself
	insecure bool
	pem      []byte
	unwell   condition // Available, if it is not True
}

// apiService reads an APIService (k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/generated.proto).
func (m *message) apiService() *apiService {
	var a apiService
	for m.next() {
		switch m.number {
		case 1:
			a.meta = m.metadata()
		case 2:
			for f := m.open(); f.next(); {
				switch f.number {
				case 1:
					a.remote = true
				case 2:
					a.group = f.text()
				case 4:
					a.insecure = f.value != 0
				case 5:
					a.pem = f.bytes(mostBytes + 1)
				}
			}
		case 3:
			for f := m.open(); f.next(); {
				if c := f.condition(4, 5); c.Type == "Available" && c.Status != "True" {
					a.unwell = c
				}
			}
		}
	}
	return &a
}

func (a *apiService) findings() []finding {
	if !a.remote {
		return nil
	}
	place := objectPlace(&a.meta, "apiservice", "APIService", short(a.group)+" CA")
	place.Breaks = "the API " + short(a.group) + "; the deletion of namespaces waits for it"
	if a.unwell != (condition{}) {
		place.Note = words("not available", a.unwell.Reason, a.unwell.Message)
		if speaksOfTLS(a.unwell.Message) {
			place.Severity = kube.Warning
		}
	}
	slot := "apiservice " + a.name
	switch {
	case a.insecure:
		place.Note = words("insecureSkipTLSVerify: anybody in between can answer for it", place.Note)
		return []finding{unseen(slot+" unverified", place, "not verified")}
	case len(a.pem) == 0:
		return nil // the roots of the API server's machine
	}
	return seen{}.anchors(slot, place, a.pem)
}

// readTrustBundles reads ClusterTrustBundles (KEP-3257) in the newest version that the server has.
func (i *Inventory) readTrustBundles(ctx context.Context, put func(...finding)) error {
	return i.newest(ctx, "clustertrustbundles", func(prefix string) error {
		l := list{prefix: prefix, resource: "clustertrustbundles", accept: asProtobuf, kind: "ClusterTrustBundle"}
		return i.each(ctx, l, func(m *message) { put(m.trustBundle()...) }, func() {})
	})
}

// trustBundle reads a ClusterTrustBundle: metadata = 1, spec = 2 (signerName = 1, trustBundle = 2).
func (m *message) trustBundle() []finding {
	var object meta
	var signer string
	var pem []byte
	for m.next() {
		switch m.number {
		case 1:
			object = m.metadata()
		case 2:
			signer, pem = m.ofSigner()
		}
	}
	name := short(object.name) + " CA"
	if signer != "" {
		name = short(signer) + " CA"
	}
	place := objectPlace(&object, "clustertrustbundle", "ClusterTrustBundle", name)
	place.Danger, place.Breaks = kube.BreaksApp, "TLS of pods that mount this bundle"
	return seen{}.anchors("clustertrustbundle "+object.name, place, pem)
}

// ofSigner reads a specification that begins with the name of a signer, and what follows that: a bundle, or the name of a pod.
func (m *message) ofSigner() (signer string, of []byte) {
	for f := m.open(); f.next(); {
		switch f.number {
		case 1:
			signer = f.text()
		case 2:
			of = f.bytes(mostBytes + 1)
		}
	}
	return signer, of
}

// readPodCertificates reads PodCertificateRequests (KEP-4317) that were refused or went wrong. What went well is gone after 15
// minutes, and is in the pods alone.
func (i *Inventory) readPodCertificates(ctx context.Context, put func(...finding)) error {
	const name = "PodCertificateRequests"
	return i.newest(ctx, "podcertificaterequests", func(prefix string) error {
		return i.inScope(name, put, func(namespace string) error {
			l := list{prefix: prefix, resource: "podcertificaterequests", namespace: namespace,
				accept: asProtobuf, kind: "PodCertificateRequest"}
			return i.each(ctx, l, func(m *message) { put(m.podCertificate()...) }, func() {})
		})
	})
}

// podCertificate reads a PodCertificateRequest: metadata = 1, spec = 2 (signerName = 1, podName = 2), status = 3.
func (m *message) podCertificate() []finding {
	var object meta
	var signer string
	var pod []byte
	var wrong condition
	for m.next() {
		switch m.number {
		case 1:
			object = m.metadata()
		case 2:
			signer, pod = m.ofSigner()
		case 3:
			for f := m.open(); f.next(); {
				if f.number != 1 {
					continue
				}
				if c := f.condition(5, 6); (c.Type == "Denied" || c.Type == "Failed") && c.Status == "True" {
					wrong = c
				}
			}
		}
	}
	if wrong == (condition{}) {
		return nil
	}
	place := objectPlace(&object, "podcertificaterequest", "pod", "pod certificate")
	place.Source, place.Class, place.Danger, place.Severity = kube.FromCSR, kube.ShortLived, kube.BreaksApp, kube.Warning
	place.Where = "pod " + text.Clean(object.namespace+"/"+string(pod))
	place.Breaks = "pod " + short(string(pod)) + " waits for its certificate"
	place.Note = "asked of " + short(signer)
	// A pod asks again and again, under a new name each time.
	slot := "podcertificate " + object.namespace + "/" + string(pod) + " " + signer
	return []finding{unseen(slot, place, words(wrong.Type, wrong.Reason, wrong.Message))}
}
