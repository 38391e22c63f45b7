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
	"k8s.io/apimachinery/pkg/runtime"
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

	late *metav1.Time            // since when its controller had given up before the request; nil if it had not
	made *corev1.PodTemplateSpec // what the request has made of the template
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
		i.late = givenUp(object)
		sent := time.Now()
		object, err = i.patch(ctx, c, object, stamp)
		switch {
		case err == nil:
			i.made = templateOf(object)
			return true, nil
		case apierrors.IsConflict(err):
			continue // somebody was faster: the next reading tells whether it matters
		case apierrors.IsInvalid(err):
			if _, now := get(ctx, c, i.ref); errors.Is(now, send.ErrReplaced) {
				return false, now
			}
		case send.NotSettled(err):
			return i.settle(ctx, c, sent, fmt.Errorf("patch %s: %w", i.ref.FullName(), err), stamp)
		}
		return false, fmt.Errorf("patch %s: %w", i.ref.FullName(), err)
	}
	return false, fmt.Errorf("patch %s: it has changed %d times in a row: %w", i.ref.FullName(), tries, err)
}

// settle finds out what has become of a patch without a good answer. If the object is gone meanwhile, nobody can say any
// more whether it was changed before that, and its pods with it.
func (i *item) settle(ctx context.Context, c *kube.Cluster, sent time.Time, failed error, stamp string) (bool, error) {
	done, err := send.Settle(ctx, sent, failed, func(ctx context.Context) (bool, error) {
		object, err := get(ctx, c, i.ref)
		switch {
		case errors.Is(err, errGone):
			return false, fmt.Errorf("%w: %w", err, send.ErrReplaced) // an end: there is nothing left to look at
		case err != nil:
			return false, err
		}
		i.made = templateOf(object)
		return i.is(object, stamp), nil
	})
	if errors.Is(err, send.ErrReplaced) {
		return false, fmt.Errorf("%w; the object is gone since: %w", failed, send.ErrUnknown)
	}
	return done, err
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

// patch names the object by its UID and, where pods are replaced, by its version. It gives the object as it is then.
func (i *item) patch(ctx context.Context, c *kube.Cluster, o metav1.Object, stamp string) (metav1.Object, error) {
	meta := map[string]any{"uid": o.GetUID()}
	body := map[string]any{"metadata": meta}
	switch i.id {
	case action.Restart:
		meta["resourceVersion"] = o.GetResourceVersion()
		stamped := map[string]any{"annotations": map[string]any{restartedAt: stamp}}
		body["spec"] = map[string]any{"template": map[string]any{"metadata": stamped}}
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
		return nil, err
	}
	client, resource, after := resource(c, i.ref.Kind)
	err = send.Once(client.Patch(types.StrategicMergePatchType).Namespace(i.ref.Namespace).Resource(resource).Name(i.ref.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(raw).Do(ctx).Into(after.(runtime.Object))
	return after, err
}

// replacing is a template that takes the place of the one that is there, and is not merged into it: what a
// ControllerRevision holds (getPatch in pkg/controller/statefulset/stateful_set_utils.go).
func (r *revision) replacing() map[string]any {
	out := make(map[string]any, len(r.raw)+1)
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
