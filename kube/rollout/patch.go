package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// item is what is done to one object.
type item struct {
	id       action.ID
	ref      kube.Ref
	template *corev1.PodTemplateSpec // as the plan showed it; nil where that does not matter
	to       *revision               // of a roll back
	present  int64                   // the revision that is left by it
	was      bool                    // it was as it is to be when the plan was made
}

// tries is how often a change is tried that comes too late for the version that it was made from. The controller writes the
// status of a workload all the time, and each time the version is another.
const tries = 5

// change sends what there is to be sent, and reports whether that changed anything. It is tried again only while the
// template is the one that the plan showed.
func (i *item) change(ctx context.Context, c *kube.Cluster) (changed bool, err error) {
	stamp := time.Now().Format(time.RFC3339)
	for range tries {
		var object metav1.Object
		if object, err = i.look(ctx, c); err != nil {
			return false, err
		}
		if i.is(object, stamp) {
			return false, nil
		}
		sent := time.Now()
		err = i.patch(ctx, c, object, stamp)
		switch {
		case err == nil:
			return true, nil
		case apierrors.IsConflict(err):
			continue // somebody was faster: the next reading tells whether it matters
		case apierrors.IsInvalid(err):
			if _, now := get(ctx, c, i.ref); errors.Is(now, send.ErrReplaced) {
				return false, now
			}
		case send.NotSettled(err):
			return send.Settle(ctx, sent, fmt.Errorf("patch %s: %w", i.ref.FullName(), err), func(ctx context.Context) (bool, error) {
				object, err := get(ctx, c, i.ref)
				if errors.Is(err, errGone) {
					err = fmt.Errorf("%w: %w", err, send.ErrReplaced) // an end: there is nothing left to be changed
				}
				return err == nil && i.is(object, stamp), err
			})
		}
		return false, fmt.Errorf("patch %s: %w", i.ref.FullName(), err)
	}
	return false, fmt.Errorf("patch %s: it has changed %d times in a row: %w", i.ref.FullName(), tries, err)
}

// look reads the object, and says so if it is no longer as the plan showed it.
func (i *item) look(ctx context.Context, c *kube.Cluster) (metav1.Object, error) {
	object, err := get(ctx, c, i.ref)
	switch {
	case err != nil:
		return nil, err
	case i.id == action.Pause || i.id == action.Resume:
	case held(object):
		return nil, fmt.Errorf("%s %w", words(i.ref.FullName()), errPaused)
	case !equal(templateOf(object), i.template):
		return nil, fmt.Errorf("%s %w", words(i.ref.FullName()), errChanged)
	}
	return object, nil
}

// is reports whether an object is as it is to be.
func (i *item) is(o metav1.Object, stamp string) bool {
	switch i.id {
	case action.Restart:
		return templateOf(o).Annotations[restartedAt] == stamp
	case action.RollBack:
		return equal(templateOf(o), i.to.template)
	default:
		return held(o) == (i.id == action.Pause)
	}
}

// patch names the object by its UID and, where pods are replaced, by its version.
func (i *item) patch(ctx context.Context, c *kube.Cluster, o metav1.Object, stamp string) error {
	meta := map[string]any{"uid": o.GetUID()}
	body := map[string]any{"metadata": meta}
	switch i.id {
	case action.Restart:
		meta["resourceVersion"] = o.GetResourceVersion()
		body["spec"] = map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{restartedAt: stamp}}}}
	case action.RollBack:
		meta["resourceVersion"] = o.GetResourceVersion()
		if i.ref.Kind == kube.Deployments {
			meta["annotations"] = map[string]any{changeCause: orNil(i.to.cause)}
		}
		body["spec"] = map[string]any{"template": i.to.replacing()}
	default:
		field := "paused"
		if i.ref.Kind == kube.CronJobs {
			field = "suspend"
		}
		body["spec"] = map[string]any{field: i.id == action.Pause}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	client, resource, _ := resource(c, i.ref.Kind)
	return send.Once(client.Patch(types.StrategicMergePatchType).Namespace(i.ref.Namespace).Resource(resource).Name(i.ref.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(raw).Do(ctx).Error()
}

// replacing is a template that takes the place of the one that is there, and is not merged into it: what a
// ControllerRevision holds (getPatch in pkg/controller/statefulset/stateful_set_utils.go).
func (r *revision) replacing() map[string]any {
	out := map[string]any{}
	for key, value := range r.raw {
		out[key] = value
	}
	out["$patch"] = "replace"
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
