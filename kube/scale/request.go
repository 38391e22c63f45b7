package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// again is how often a number is sent again because the object has changed in something else: its status moves its version
// as well.
const again = 3

// errGone says that the object does not exist any more.
var errGone = errors.New("does not exist any more")

// changedError says that somebody else has set another number.
type changedError struct {
	from, now int32
}

func (e changedError) Error() string {
	return fmt.Sprintf("replicas changed from %d to %d by someone else", e.from, e.now)
}

// sender sends what one plan asks for.
type sender struct {
	cluster *kube.Cluster
	begin   func() bool // called before each request that changes something; false: it is not to be sent any more
}

// errNotBegun says that the run ended before a request was sent.
var errNotBegun = errors.New("nothing was sent")

// errOther says that what the plan was made of is not so any more.
var errOther = errors.New("changed by someone else")

// replicas sets the number of an object that is as the plan has it still, and gives its version then (ScaleREST.Update in
// pkg/registry/apps/statefulset/storage/storage.go: UID and resourceVersion are preconditions). deletes: the plan says that
// claims go.
func (s *sender) replicas(ctx context.Context, w *Workload, deletes bool) (version string, err error) {
	ref, from, to := w.Ref, w.From, w.To
	for tries := 0; ; tries++ {
		now, err := s.scale(ctx, ref)
		if err != nil {
			return "", err
		}
		if now.Spec.Replicas != from {
			return "", changedError{from, now.Spec.Replicas}
		}
		if w.Policy != "" {
			if now.ResourceVersion, err = s.asPlanned(ctx, w, deletes); err != nil {
				return "", err
			}
		}
		now.Spec.Replicas = to
		if !s.begin() {
			return "", errNotBegun
		}
		sent := time.Now()
		version, err := s.put(ctx, ref, now)
		switch {
		case err == nil:
			return version, nil
		case apierrors.IsConflict(err) && tries < again:
			continue
		case send.NotSettled(err):
			return s.settle(ctx, ref, to, sent, err)
		}
		return "", err
	}
}

// asPlanned reads a StatefulSet once more, and gives its version, if the number does to it what the plan says: the same
// ordinals, and no claim deleted that the plan keeps. The version is the precondition of the number that is sent next.
func (s *sender) asPlanned(ctx context.Context, w *Workload, mayDelete bool) (version string, err error) {
	set, err := s.set(ctx, w.Ref)
	switch {
	case err != nil:
		return "", err
	case w.down() && deletes(set) && !mayDelete:
		return "", fmt.Errorf("whenScaled is Delete now, claims would go that the plan keeps: %w", errOther)
	case start(set) != w.Start:
		return "", fmt.Errorf("its ordinals begin at %d, no longer at %d: %w", start(set), w.Start, errOther)
	}
	return set.ResourceVersion, nil
}

// settle finds out whether a number that was not answered for has been set.
func (s *sender) settle(ctx context.Context, ref kube.Ref, to int32, sent time.Time, failed error) (version string, err error) {
	_, err = send.Settle(ctx, sent, failed, func(ctx context.Context) (bool, error) {
		now, err := s.scale(ctx, ref)
		if errors.Is(err, errGone) {
			return false, apierrors.NewNotFound(appsv1.Resource(resources[ref.Kind]), ref.Name)
		}
		if err != nil {
			return false, err
		}
		version = now.ResourceVersion
		return now.Spec.Replicas == to, nil
	})
	if apierrors.IsNotFound(err) {
		err = errGone
	}
	return version, err
}

// scale reads the number of an object live.
func (s *sender) scale(ctx context.Context, ref kube.Ref) (*autoscalingv1.Scale, error) {
	out := &autoscalingv1.Scale{}
	err := send.Once(s.cluster.Client().AppsV1().RESTClient().Get().Namespace(ref.Namespace).Resource(resources[ref.Kind]).Name(ref.Name).
		SubResource("scale")).Do(ctx).Into(out)
	switch {
	case apierrors.IsNotFound(err):
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("read the number of %s: %w", ref.FullName(), err)
	case string(out.UID) != ref.UID:
		return nil, send.ErrReplaced
	}
	return out, nil
}

func (s *sender) put(ctx context.Context, ref kube.Ref, scale *autoscalingv1.Scale) (version string, err error) {
	out := &autoscalingv1.Scale{}
	err = send.Once(s.cluster.Client().AppsV1().RESTClient().Put().Namespace(ref.Namespace).Resource(resources[ref.Kind]).Name(ref.Name).
		SubResource("scale")).VersionedParams(&metav1.UpdateOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(scale).Do(ctx).Into(out)
	return out.ResourceVersion, err
}

// retain sets whenScaled of a StatefulSet from Delete to Retain. The patch tests UID and old value, so that no other object
// and no other value is changed (RFC 6902); the server refuses it with 422 then.
func (s *sender) retain(ctx context.Context, ref kube.Ref) error {
	type step struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	const path = "/spec/persistentVolumeClaimRetentionPolicy/whenScaled"
	body, err := json.Marshal([]step{
		{"test", "/metadata/uid", ref.UID},
		{"test", path, string(appsv1.DeletePersistentVolumeClaimRetentionPolicyType)},
		{"replace", path, string(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)},
	})
	if err != nil {
		return err
	}
	if !s.begin() {
		return errNotBegun
	}
	sent := time.Now()
	err = send.Once(s.cluster.Client().AppsV1().RESTClient().Patch(types.JSONPatchType).Namespace(ref.Namespace).Resource("statefulsets").Name(ref.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).Body(body).Do(ctx).Error()
	look := func(ctx context.Context) (bool, error) {
		set, err := s.set(ctx, ref)
		return err == nil && !deletes(set), err
	}
	switch {
	case apierrors.IsInvalid(err):
		switch done, now := look(ctx); {
		case now != nil:
			return now
		case done:
			return nil // somebody else was quicker
		}
	case apierrors.IsNotFound(err):
		return errGone
	case send.NotSettled(err):
		_, err = send.Settle(ctx, sent, err, look)
	}
	return err
}

// set reads a StatefulSet live.
func (s *sender) set(ctx context.Context, ref kube.Ref) (*appsv1.StatefulSet, error) {
	set := &appsv1.StatefulSet{}
	err := send.Once(s.cluster.Client().AppsV1().RESTClient().Get().Namespace(ref.Namespace).Resource("statefulsets").Name(ref.Name)).Do(ctx).Into(set)
	switch {
	case apierrors.IsNotFound(err):
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", ref.FullName(), err)
	case string(set.UID) != ref.UID:
		return nil, send.ErrReplaced
	}
	return set, nil
}

// retainCommand is what kubectl does about it.
func retainCommand(context string, ref kube.Ref) string {
	return action.Kubectl(context, "-n", ref.Namespace, "patch", "sts", ref.Name, "-p",
		`{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Retain"}}}`)
}

// ownedByAPod reports whether the garbage collector takes a claim away with a pod.
func ownedByAPod(owners []metav1.OwnerReference) bool {
	return slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.Kind == "Pod" })
}
