package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	// ours marks documents that are not objects but something to do: Wait, Patch, Delete and Says.
	ours = "devcluster.ktriage/v1"
	// asUser is an annotation: create the object as this user, who is in the group that users of that name are in.
	asUser  = "devcluster.ktriage/as"
	manager = "devcluster"
	// retryLimit is how long a request is repeated that fails because something else is not there yet.
	retryLimit = 30 * time.Second
)

// client applies documents.
type client struct {
	config  *rest.Config
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

func newClient(cfg *rest.Config) (*client, error) {
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &client{cfg, d, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))}, nil
}

func (c *client) do(ctx context.Context, doc *unstructured.Unstructured, progress func(string, ...any)) error {
	if doc.GetAPIVersion() != ours {
		return c.retry(ctx, func() error { return c.apply(ctx, doc) })
	}
	step, err := newStep(doc)
	if err != nil {
		return err
	}
	if step.Say != "" {
		progress("%s", step.Say)
	}
	switch doc.GetKind() {
	case says: // by another process, as long as the cluster runs
		return nil
	case "Wait":
		return c.wait(ctx, step)
	case "Patch":
		return c.retry(ctx, func() error { return c.patch(ctx, step) })
	case "Delete":
		return c.delete(ctx, step)
	}
	return fmt.Errorf("there is no %s in %s", doc.GetKind(), ours)
}

// retry repeats what fails because a namespace, a custom resource or a service account is not there yet.
func (c *client) retry(ctx context.Context, request func() error) error {
	for end := time.Now().Add(retryLimit); ; {
		err := request()
		if err == nil || time.Now().After(end) || ctx.Err() != nil ||
			!(apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || meta.IsNoMatchError(err) || apierrors.IsInternalError(err)) {
			return err
		}
		if meta.IsNoMatchError(err) {
			c.mapper.Reset()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// apply creates an object, or brings the one that is there into the same state, its status too. Server-side apply would
// be shorter, but it reads its patch as YAML, which has no way to say the control characters of the hostile objects.
func (c *client) apply(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := c.resource(object)
	if err != nil {
		return err
	}
	name := object.GetKind() + " " + object.GetName()
	if as := object.GetAnnotations()[asUser]; as != "" {
		return c.createAs(ctx, object, as)
	}
	body, err := object.MarshalJSON()
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = resource.Create(ctx, object, metav1.CreateOptions{FieldManager: manager})
	options := metav1.PatchOptions{FieldManager: manager}
	if apierrors.IsAlreadyExists(err) {
		_, err = resource.Patch(ctx, object.GetName(), types.MergePatchType, body, options)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, ok := object.Object["status"]; ok {
		if _, err := resource.Patch(ctx, object.GetName(), types.MergePatchType, body, options, "status"); err != nil {
			return fmt.Errorf("write the status of %s: %w", name, err)
		}
	}
	return nil
}

// groups are those of a user: what a kubelet's certificate and kubeadm's bootstrap tokens say.
func groups(user string) []string {
	all := []string{"system:authenticated"}
	switch {
	case strings.HasPrefix(user, "system:node:"):
		all = append(all, "system:nodes")
	case strings.HasPrefix(user, "system:bootstrap:"):
		all = append(all, "system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token")
	}
	return all
}

// createAs creates an object in the name of a user.
func (c *client) createAs(ctx context.Context, object *unstructured.Unstructured, user string) error {
	cfg := rest.CopyConfig(c.config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups(user)}
	other := &client{config: cfg, mapper: c.mapper}
	var err error
	if other.dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return fmt.Errorf("make a client for %s: %w", user, err)
	}
	object = object.DeepCopy()
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations", asUser)
	resource, err := other.resource(object)
	if err != nil {
		return err
	}
	_, err = resource.Create(ctx, object, metav1.CreateOptions{FieldManager: manager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create %s %s as %s: %w", object.GetKind(), object.GetName(), user, err)
	}
	return nil
}

func (c *client) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("find the resource of %s: %w", gvk.Kind, err)
	}
	resource := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return resource.Namespace(object.GetNamespace()), nil
	}
	return resource, nil
}

func (c *client) of(s *step) dynamic.ResourceInterface {
	gvr := schema.GroupVersionResource{Group: s.Group, Version: s.Version, Resource: s.Resource}
	if s.Namespace == "" {
		return c.dynamic.Resource(gvr)
	}
	return c.dynamic.Resource(gvr).Namespace(s.Namespace)
}

func (c *client) patch(ctx context.Context, s *step) error {
	body, err := json.Marshal(s.Patch)
	if err != nil {
		return err
	}
	var sub []string
	if s.Subresource != "" {
		sub = []string{s.Subresource}
	}
	_, err = c.of(s).Patch(ctx, s.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: manager}, sub...)
	if err != nil {
		return fmt.Errorf("patch %s %s: %w", s.Resource, s.Name, err)
	}
	return nil
}

// delete deletes what matches, and does not wait for it to go.
func (c *client) delete(ctx context.Context, s *step) error {
	found, err := c.matching(ctx, s)
	if err != nil {
		return err
	}
	for _, object := range found {
		resource := c.dynamic.Resource(schema.GroupVersionResource{Group: s.Group, Version: s.Version, Resource: s.Resource}).
			Namespace(object.GetNamespace())
		if err := resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s %s: %w", s.Resource, object.GetName(), err)
		}
	}
	return nil
}

// matching lists the objects that a step means.
func (c *client) matching(ctx context.Context, s *step) ([]unstructured.Unstructured, error) {
	list, err := c.of(s).List(ctx, metav1.ListOptions{LabelSelector: s.Selector, FieldSelector: s.FieldSelector})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.Resource, err)
	}
	var out []unstructured.Unstructured
	for _, object := range list.Items {
		if (s.Name == "" || object.GetName() == s.Name) && s.holds(&object) {
			out = append(out, object)
		}
	}
	return out, nil
}

// wait waits until as many objects match as the step says.
func (c *client) wait(ctx context.Context, s *step) error {
	limit := time.Duration(s.Seconds) * time.Second
	for end := time.Now().Add(limit); ; {
		found, err := c.matching(ctx, s)
		if err == nil && len(found) >= s.Count {
			return nil
		}
		if time.Now().After(end) {
			if err != nil {
				return err
			}
			return fmt.Errorf("%d of %d %s are as they should be (%s) after %s", len(found), s.Count, s.Resource,
				strings.TrimSpace(s.Field+" "+s.Value), limit)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}
