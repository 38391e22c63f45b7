package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"ktriage/internal/text"
	"ktriage/kube"
)

const (
	// pageSize is how many objects of a list are asked for at a time.
	pageSize = 500
	// expiries is how often a list may expire under our hands before we give it up.
	expiries = 5

	asProtobuf = "application/vnd.kubernetes.protobuf"
	// asMetadata leaves the rest of every object with the server.
	asMetadata     = asProtobuf + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	asOneMetadata  = asProtobuf + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	metadataKind   = "PartialObjectMetadata"
	asJSON         = "application/json"
	listMetaNumber = 1
	itemsNumber    = 2
)

// list is a list of the API.
type list struct {
	prefix, resource string // "/api/v1", "secrets"
	namespace        string // "" for all
	selector         string // of fields
	accept, kind     string // of the items: "Secret"
}

// named selects the object of that name.
func named(name string) string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
}

// get begins a request for a list.
func (i *Inventory) get(prefix, namespace, resource string) *rest.Request {
	return i.cluster.Client().CoreV1().RESTClient().Get().AbsPath(prefix).
		NamespaceIfScoped(namespace, namespace != metav1.NamespaceAll).Resource(resource)
}

// each reads a list page by page, as protobuf, and gives its items as they come. pageEnds is called after each page.
func (i *Inventory) each(ctx context.Context, l list, item func(*message), pageEnds func()) error {
	return pages(func(token string) (string, error) {
		more, err := i.page(ctx, l, token, item)
		pageEnds()
		return more, err
	})
}

// pages reads the pages of a list, each of which names the next one; no token is the first and the last one. A list that
// expires while it is read goes on where it was, in the state of now, for which the server gives a token with its error
// (k8s.io/apiserver/pkg/storage/etcd3, handleCompactedErrorForPaging); else it begins again.
func pages(page func(token string) (next string, err error)) error {
	token, expired := "", 0
	for {
		next, err := page(token)
		switch {
		case err != nil && apierrors.IsResourceExpired(err) && token != "" && expired < expiries:
			expired++
			next = restarted(err)
		case err != nil:
			return err
		case next == "":
			return nil
		}
		token = next
	}
}

// restarted gives the token with which an expired list goes on, "" if it must begin again.
func restarted(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return status.Status().Continue
	}
	return ""
}

// page reads one page, and gives the token of the next one.
func (i *Inventory) page(ctx context.Context, l list, token string, item func(*message)) (next string, err error) {
	o := metav1.ListOptions{FieldSelector: l.selector, Limit: pageSize, Continue: token}
	body, err := i.get(l.prefix, l.namespace, l.resource).VersionedParams(&o, scheme.ParameterCodec).
		SetHeader("Accept", l.accept).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", l.resource, err)
	}
	defer func() { _ = body.Close() }()
	w := newWire(body)
	defer w.wipe()
	for m := w.object(l.kind + "List"); m.next(); {
		switch m.number {
		case listMetaNumber:
			for f := m.open(); f.next(); {
				if f.number == 3 {
					next = f.text()
				}
			}
		case itemsNumber:
			item(m.open())
		}
	}
	if w.err != nil {
		return "", fmt.Errorf("list %s: %w", l.resource, w.err)
	}
	return next, nil
}

// one reads one object as protobuf.
func (i *Inventory) one(ctx context.Context, l list, name string, item func(*message)) error {
	body, err := i.get(l.prefix, l.namespace, l.resource).Name(name).SetHeader("Accept", l.accept).Stream(ctx)
	if err != nil {
		return fmt.Errorf("get %s %s: %w", l.resource, name, err)
	}
	defer func() { _ = body.Close() }()
	w := newWire(body)
	defer w.wipe()
	item(w.object(l.kind))
	if w.err != nil {
		return fmt.Errorf("get %s %s: %w", l.resource, name, w.err)
	}
	return nil
}

// inScope reads something of every namespace that is looked at. Where we may not look in some of them, a row says so. If it is
// all of them, and we may not, the context's own namespace is tried.
func (i *Inventory) inScope(what string, put func(...finding), read func(namespace string) error) error {
	scope := i.cluster.Scope()
	namespaces := scope.Namespaces
	denied := map[string]error{}
	try := func(ns string) error {
		err := read(ns)
		if apierrors.IsForbidden(err) {
			denied[ns] = err
			return nil
		}
		return err
	}
	for _, ns := range namespaces {
		if err := try(ns); err != nil {
			return err
		}
	}
	if scope.All() && len(denied) > 0 {
		namespaces = append(slices.Clone(namespaces), i.ownNamespace())
		if err := try(i.ownNamespace()); err != nil {
			return err
		}
	}
	if len(denied) == len(namespaces) {
		return denied[namespaces[0]]
	}
	for ns, err := range denied {
		where := "namespace " + ns
		if ns == metav1.NamespaceAll {
			where = "all namespaces but " + i.ownNamespace()
		}
		put(unseen(what+" of "+where, kube.CertPlace{Source: kube.FromNowhere, Name: what, Where: where}, kube.Explain(err).Sentence))
	}
	return nil
}

// ownNamespace is that of the kubeconfig's context.
func (i *Inventory) ownNamespace() string {
	if c := i.options.Kubeconfig.Contexts[i.options.Context]; c != nil && c.Namespace != "" {
		return c.Namespace
	}
	return metav1.NamespaceDefault
}

// ifServed gives the error of a list, but says of one that is not allowed that it is not there if the server does not have
// that API: who may not list it is told the same in both cases.
func (i *Inventory) ifServed(ctx context.Context, prefix, resource string, err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	raw, asked := i.cluster.Client().CoreV1().RESTClient().Get().AbsPath(prefix).SetHeader("Accept", asJSON).Do(ctx).Raw()
	if apierrors.IsNotFound(asked) {
		return asked
	}
	var has metav1.APIResourceList
	if asked != nil || json.Unmarshal(raw, &has) != nil {
		return err
	}
	if slices.ContainsFunc(has.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }) {
		return err
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, "")
}

// words joins what is to be said of a place, sanitised.
func words(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(text.Clean(p)); p != "" {
			out = append(out, p)
		}
	}
	return short(strings.Join(out, ": "))
}

// ref is that of an object that no pane shows.
func (m *meta) ref() kube.Ref {
	return kube.Ref{Namespace: text.Clean(m.namespace), Name: text.Clean(m.name), UID: m.uid}
}
