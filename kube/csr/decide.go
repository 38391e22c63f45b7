package csr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/send"
)

// aim is a request as the plan showed it, with the Node that it was compared with.
type aim struct {
	ref    kube.Ref
	object *certificatesv1.CertificateSigningRequest
	node   *seen // nil if it was compared with none
}

// seen is a Node as the plan showed it; without a UID there was none.
type seen struct {
	name, uid string
	addresses map[string]string
}

var (
	// errGone says that the request does not exist any more, and errChanged that something is not as the plan showed it. Nothing
	// was done.
	errGone    = errors.New("does not exist any more; nothing was done")
	errChanged = errors.New("changed since the plan was made; nothing was done")
)

// reasonOf is what the condition that we set has for its reason, as kubectl has KubectlApprove and KubectlDeny
// (k8s.io/kubectl/pkg/cmd/certificates).
func reasonOf(approve bool) string {
	if approve {
		return "KtriageApprove"
	}
	return "KtriageDeny"
}

// decide approves or denies the request as it was read, and gives the reason of whoever else has decided the same in between,
// "" if nobody has. It is sent once, with the UID and the version of what the plan showed: the server refuses it if the request
// has been replaced or changed since then.
func (w *work) decide(ctx context.Context, c *kube.Cluster, a aim) (other string, err error) {
	if err := a.node.still(ctx, c); err != nil {
		return "", err
	}
	sent := time.Now()
	err = w.put(ctx, c, a.object)
	switch {
	case err == nil:
		return "", nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsInvalid(err):
		return w.inBetween(ctx, c, a, err)
	case send.NotSettled(err):
		return w.settle(ctx, c, a, sent, err)
	}
	return "", fmt.Errorf("%s %s: %w", w.verb(), a.ref.Name, err)
}

// put sends what kubectl sends, with another reason.
func (w *work) put(ctx context.Context, c *kube.Cluster, planned *certificatesv1.CertificateSigningRequest) error {
	o := planned.DeepCopy()
	by := "."
	if user := c.Identity().User; user != "" {
		by = " by " + words(user) + "."
	}
	o.Status.Conditions = append(o.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: w.condition(), Status: corev1.ConditionTrue, Reason: reasonOf(w.approve), LastUpdateTime: metav1.Now(),
		Message: strings.TrimSpace("This request was " + w.done() + " with ktriage" + by + " " + w.why),
	})
	return send.Once(c.Client().CertificatesV1().RESTClient().Put().Resource(resource).Name(o.Name).SubResource("approval")).
		VersionedParams(&metav1.UpdateOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(o).Do(ctx).Error()
}

func (w *work) condition() certificatesv1.RequestConditionType {
	if w.approve {
		return certificatesv1.CertificateApproved
	}
	return certificatesv1.CertificateDenied
}

// still reports whether a Node is as the plan showed it: the certificate would be for addresses that are another's by now.
func (s *seen) still(ctx context.Context, c *kube.Cluster) error {
	if s == nil {
		return nil
	}
	n, err := readNode(ctx, c, s.name)
	switch {
	case err != nil:
		return err
	case n == nil && s.uid == "":
		return nil
	case n == nil:
		return fmt.Errorf("node %s is gone: it %w", words(s.name), errChanged)
	case s.uid == "":
		return fmt.Errorf("node %s has registered: it %w", words(s.name), errChanged)
	case string(n.UID) != s.uid:
		return fmt.Errorf("node %s is another one: it %w", words(s.name), errChanged)
	}
	if now := addresses(n); !maps.Equal(now, s.addresses) {
		return fmt.Errorf("the addresses of %s are now %s: they %w", words(s.name),
			orNone(some(slices.Sorted(maps.Values(now)), 4)), errChanged)
	}
	return nil
}

// inBetween says what somebody has done to the request, so that ours was refused.
func (w *work) inBetween(ctx context.Context, c *kube.Cluster, a aim, refused error) (other string, err error) {
	now, err := get(ctx, c, a.ref)
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("%s %w", words(a.ref.Name), errGone)
	case errors.Is(err, send.ErrReplaced):
		return "", err
	case err != nil:
		return "", fmt.Errorf("%s %s: %w", w.verb(), words(a.ref.Name), refused)
	}
	return w.decided(now, a, refused)
}

// decided says what has been decided about a request in place of what we have asked for.
func (w *work) decided(now *certificatesv1.CertificateSigningRequest, a aim, refused error) (other string, err error) {
	row := kube.NewCSR(now)
	if find(now, w.condition()) != nil {
		return row.Reason, nil
	}
	if row.Condition != kube.CSRPending {
		return "", fmt.Errorf("%s is %s by now (%s): it %w", words(a.ref.Name), row.Printed, row.Reason, errChanged)
	}
	if now.ResourceVersion != a.object.ResourceVersion {
		return "", fmt.Errorf("%s %w", words(a.ref.Name), errChanged)
	}
	return "", fmt.Errorf("%s %s: %w", w.verb(), words(a.ref.Name), refused)
}

// settle finds out what has become of a request without a good answer.
func (w *work) settle(ctx context.Context, c *kube.Cluster, a aim, sent time.Time, failed error) (other string, err error) {
	var last *certificatesv1.CertificateSigningRequest
	failed = fmt.Errorf("%s %s: %w", w.verb(), words(a.ref.Name), failed)
	done, err := send.Settle(ctx, sent, failed, func(ctx context.Context) (bool, error) {
		now, err := get(ctx, c, a.ref)
		if err != nil {
			return false, err
		}
		last = now
		return find(now, w.condition()) != nil, nil
	})
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, send.ErrReplaced): // it may have been approved before it went
		return "", fmt.Errorf("%w; %w: %w", failed, err, send.ErrUnknown)
	case err == nil && done:
		if x := find(last, w.condition()); x.Reason != reasonOf(w.approve) {
			return words(x.Reason), nil
		}
		return "", nil
	case errors.Is(err, send.ErrUnknown) || last == nil:
		return "", err
	}
	return w.decided(last, a, err)
}

// find gives a condition of a request that holds, nil if there is none.
func find(o *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range o.Status.Conditions {
		if x := &o.Status.Conditions[i]; x.Type == kind && x.Status != corev1.ConditionFalse {
			return x
		}
	}
	return nil
}
