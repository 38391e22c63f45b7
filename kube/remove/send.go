package remove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/send"
)

// errChanged says that the finalizers of a pod are not those that were shown. Nothing was changed.
var errChanged = errors.New("its finalizers have changed meanwhile; nothing was done")

// get reads a pod live. Another pod of its name is send.ErrReplaced.
func get(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := send.Once(c.Client().CoreV1().RESTClient().Get().Namespace(ref.Namespace).Resource("pods").Name(ref.Name)).Do(ctx).Into(pod)
	if err != nil {
		return nil, fmt.Errorf("read pod %s: %w", ref.FullName(), err)
	}
	if string(pod.UID) != ref.UID {
		return nil, fmt.Errorf("%s %w", ref.FullName(), send.ErrReplaced)
	}
	return pod, nil
}

// remove deletes a pod, at once if force, and reports whether it was gone before. The pod must still be the one that ref
// names: its UID is a precondition (BeforeDelete in k8s.io/apiserver/pkg/registry/rest/delete.go), and the server answers
// 409 for another. Without force the grace period is the pod's own. The request is sent once.
func remove(ctx context.Context, c *kube.Cluster, ref kube.Ref, force bool) (gone bool, err error) {
	background := metav1.DeletePropagationBackground // Foreground would add a finalizer to a pod that is stuck
	options := &metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: metav1.NewUIDPreconditions(ref.UID)}
	if force {
		zero := int64(0)
		options.GracePeriodSeconds = &zero
	}
	sent := time.Now()
	err = send.Once(c.Client().CoreV1().RESTClient().Delete().Namespace(ref.Namespace).Resource("pods").Name(ref.Name)).
		Body(options).Do(ctx).Error()
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsConflict(err):
		switch _, now := get(ctx, c, ref); {
		case apierrors.IsNotFound(now):
			return true, nil
		case errors.Is(now, send.ErrReplaced):
			return false, now
		}
	case send.NotSettled(err) && !send.Away(err):
		_, err = send.Settle(ctx, sent, err, func(ctx context.Context) (bool, error) {
			pod, err := get(ctx, c, ref)
			return err == nil && pod.DeletionTimestamp != nil && (!force || grace(pod) == 0), err
		})
		if apierrors.IsNotFound(err) || errors.Is(err, send.ErrReplaced) {
			return false, nil // it has gone since it was asked to
		}
	}
	if err != nil {
		return false, fmt.Errorf("delete %s: %w", ref.FullName(), err)
	}
	return false, nil
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// strip removes finalizers of a pod, if the pod is the one that ref names and has exactly those that were shown: else the
// server answers 422, and nothing is done. The request is sent once.
func strip(ctx context.Context, c *kube.Cluster, ref kube.Ref, shown []string, off map[string]bool) error {
	patch := []operation{{"test", "/metadata/uid", ref.UID}, {"test", "/metadata/finalizers", shown}}
	for i, name := range slices.Backward(shown) { // so that the places of the others stay what they are
		if off[name] {
			patch = append(patch, operation{Op: "remove", Path: fmt.Sprintf("/metadata/finalizers/%d", i)})
		}
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	sent := time.Now()
	err = send.Once(c.Client().CoreV1().RESTClient().Patch(types.JSONPatchType).Namespace(ref.Namespace).Resource("pods").Name(ref.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).Body(body).Do(ctx).Error()
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return nil
	case apierrors.IsInvalid(err), apierrors.IsConflict(err):
		switch pod, now := get(ctx, c, ref); {
		case apierrors.IsNotFound(now):
			return nil
		case errors.Is(now, send.ErrReplaced):
			return now
		case now == nil && !slices.ContainsFunc(pod.Finalizers, func(name string) bool { return off[name] }):
			return nil // they went with a request before this one, or by themselves
		case now == nil && !slices.Equal(pod.Finalizers, shown):
			return errChanged
		}
	case send.NotSettled(err) && !send.Away(err):
		_, err = send.Settle(ctx, sent, err, func(ctx context.Context) (bool, error) {
			pod, err := get(ctx, c, ref)
			return err == nil && !slices.ContainsFunc(pod.Finalizers, func(name string) bool { return off[name] }), err
		})
		if err == nil || apierrors.IsNotFound(err) || errors.Is(err, send.ErrReplaced) {
			return nil
		}
	}
	return fmt.Errorf("remove finalizers of %s: %w", ref.FullName(), err)
}
