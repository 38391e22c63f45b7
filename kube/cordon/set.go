// Package cordon keeps new pods away from nodes, and lets them come back. Its one rule: it changes spec.unschedulable of the
// node that was meant, known by its UID, and nothing else.
package cordon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// requestLimit bounds one request.
	requestLimit = 30 * time.Second
	// askAgain is the distance between two questions about an outcome that is not known.
	askAgain = 2 * time.Second
	// tooLate is how long after it was sent the server can still do what was asked: the limit of the request is sent
	// along, and the server keeps it (WithRequestDeadline in k8s.io/apiserver/pkg/endpoints/filters).
	tooLate = requestLimit + 2*time.Second
	// findOut is how long an outcome is asked for before it is called unknown.
	findOut = tooLate + 15*time.Second
)

// ErrReplaced says that another node has the name now. Nothing was changed.
var ErrReplaced = errors.New("was replaced by another node of the same name")

// ErrUnknown says that the request was sent, and that it could not be found out whether it has changed anything.
var ErrUnknown = errors.New("it is not known whether the server has done it")

// Set cordons a node or uncordons it, and reports whether that changed anything. The node must still be the one that ref
// names: its UID goes into the patch, and the server refuses a patch of another object
// (ValidateObjectMetaAccessorUpdate in k8s.io/apimachinery/pkg/api/validation: the UID is immutable). The request is sent
// once. If there is no answer the node is read until the outcome is known, or findOut has passed (ErrUnknown).
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
		if _, now := read(ctx, c, ref); errors.Is(now, ErrReplaced) {
			return false, now
		}
	case notSettled(err):
		return settle(ctx, c, ref, on, sent, err)
	}
	return false, fmt.Errorf("%s %s: %w", verb(on), ref.Name, err)
}

// read gets the node live.
func read(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*corev1.Node, error) {
	node := &corev1.Node{}
	err := c.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(ref.Name).
		MaxRetries(0).Timeout(requestLimit).Do(ctx).Into(node)
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", ref.Name, err)
	}
	if string(node.UID) != ref.UID {
		return nil, fmt.Errorf("%s %w", ref.Name, ErrReplaced)
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
	return c.Client().CoreV1().RESTClient().Patch(types.StrategicMergePatchType).Resource("nodes").Name(ref.Name).
		VersionedParams(&metav1.PatchOptions{FieldManager: "ktriage"}, scheme.ParameterCodec).
		MaxRetries(0).Timeout(requestLimit).Body(body).Do(ctx).Error()
}

// notSettled reports whether the server may have done what was asked although there is no good answer: none at all, or one
// that says that it ran out of time, or failed on the way.
func notSettled(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= 500
}

// settle finds out what has become of a request without an answer. That it has not been done is believed only when it
// cannot be done any more: until then the request may still be on its way. One that was never sent has done nothing.
func settle(ctx context.Context, c *kube.Cluster, ref kube.Ref, on bool, sent time.Time, failed error) (bool, error) {
	if neverSent(failed) {
		return false, fmt.Errorf("%s %s: %w", verb(on), ref.Name, failed)
	}
	certain := sent.Add(tooLate)
	if answered(failed) {
		certain = time.Now()
	}
	limit, done := context.WithDeadline(ctx, sent.Add(findOut))
	defer done()
	for {
		node, err := read(limit, c, ref)
		switch {
		case errors.Is(err, ErrReplaced), apierrors.IsNotFound(err):
			return false, err
		case err == nil && node.Spec.Unschedulable == on:
			return true, nil
		case err == nil && time.Now().After(certain):
			return false, fmt.Errorf("%s %s: %w", verb(on), ref.Name, failed)
		}
		again := time.NewTimer(askAgain)
		select {
		case <-again.C:
		case <-limit.Done():
			again.Stop()
			return false, fmt.Errorf("%s %s: %w; %w", verb(on), ref.Name, failed, ErrUnknown)
		}
	}
}

// answered reports whether the server has come to an end with a request that has failed. A timeout is no end.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code != http.StatusGatewayTimeout
}

// neverSent reports whether there was nobody to send a request to.
func neverSent(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}

func verb(on bool) string {
	if on {
		return action.Cordon.Verb()
	}
	return action.Uncordon.Verb()
}
