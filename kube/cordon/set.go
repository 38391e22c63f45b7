// Package cordon keeps new pods away from nodes, and lets them come back. Its one rule: it changes spec.unschedulable of the
// node that was meant, known by its UID, and nothing else.
package cordon

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

// Set cordons a node or uncordons it, and reports whether that changed anything. The node must still be the one that ref
// names: its UID goes into the patch, and the server refuses a patch of another object
// (ValidateObjectMetaAccessorUpdate in k8s.io/apimachinery/pkg/api/validation: the UID is immutable). The request is sent
// once. If there is no answer the node is read until the outcome is known, or that is given up (send.ErrUnknown).
func Set(ctx context.Context, c *kube.Cluster, ref kube.Ref, on bool) (changed bool, err error) {
	node, err := read(ctx, c, ref)
	if err != nil {
		return false, err
	}
	if node.Spec.Unschedulable == on {
		return false, nil
	}
	sent := time.Now()
	err = patch(ctx, c, ref, on)
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsInvalid(err), apierrors.IsConflict(err):
		if _, now := read(ctx, c, ref); errors.Is(now, send.ErrReplaced) {
			return false, now
		}
	case send.NotSettled(err):
		changed, err = send.Settle(ctx, sent, err, func(ctx context.Context) (bool, error) {
			node, err := read(ctx, c, ref)
			return err == nil && node.Spec.Unschedulable == on, err
		})
		if err == nil || errors.Is(err, send.ErrReplaced) || apierrors.IsNotFound(err) {
			return changed, err
		}
	}
	return false, fmt.Errorf("%s %s: %w", verb(on), ref.Name, err)
}

// read gets the node live.
func read(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*corev1.Node, error) {
	node := &corev1.Node{}
	err := send.Once(c.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(ref.Name)).Do(ctx).Into(node)
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", ref.Name, err)
	}
	if string(node.UID) != ref.UID {
		return nil, fmt.Errorf("%s %w", ref.Name, send.ErrReplaced)
	}
	return node, nil
}

// patch sends what kubectl sends (k8s.io/kubectl/pkg/drain/cordon.go), with the UID.
func patch(ctx context.Context, c *kube.Cluster, ref kube.Ref, on bool) error {
	value := any(nil) // deletes the field, which is what uncordon does
	if on {
		value = true
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": ref.UID},
		"spec":     map[string]any{"unschedulable": value},
	})
	if err != nil {
		return err
	}
	return send.Once(c.Client().CoreV1().RESTClient().Patch(types.StrategicMergePatchType).Resource("nodes").Name(ref.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(body).Do(ctx).Error()
}

func verb(on bool) string {
	if on {
		return action.Cordon.Verb()
	}
	return action.Uncordon.Verb()
}
