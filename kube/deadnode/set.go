package deadnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/kube"
	"ktriage/kube/send"
)

// outOfService is the taint as the documentation of Kubernetes has it ("Non-graceful node shutdown", KEP-2268).
var outOfService = corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute}

// What keeps a request from being sent.
var (
	errAlive   = errors.New("shows signs of life again; nothing was done")
	errChanged = errors.New("has other taints than the plan showed; nothing was done")
)

// errHeld says that the server has accepted a deletion, and keeps the object because of its finalizers.
var errHeld = errors.New("is being deleted")

// tries is how often a change is tried that comes too late for the version that it was made from.
const tries = 3

// hasTaint reports whether a node is out of service. As for the garbage collector of pods, the key alone counts.
func hasTaint(n *corev1.Node) bool { return isOut(n.Spec.Taints) }

func isOut(taints []corev1.Taint) bool {
	return slices.ContainsFunc(taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
}

// setTaint adds the taint to a node or removes it, and reports whether that changed anything. The list of taints is atomic:
// what is sent is the whole list, as of the version that it was made from. It is sent only while nobody has changed the
// taints since the plan; those that the control plane makes of the status of the node may come and go.
func setTaint(ctx context.Context, c *kube.Cluster, a aim, on bool) (changed bool, err error) {
	for range tries {
		var node *corev1.Node
		if node, err = a.look(ctx, c, on); err != nil {
			return false, err
		}
		if hasTaint(node) == on {
			return false, nil
		}
		sent := time.Now()
		err = patchTaints(ctx, c, node, on)
		switch {
		case err == nil:
			return true, nil
		case apierrors.IsConflict(err):
			continue // somebody was faster: the next reading tells what has changed
		case apierrors.IsInvalid(err): // so is a patch with the UID of another node
			if _, now := readNode(ctx, c, a.ref); errors.Is(now, send.ErrReplaced) {
				return false, now
			}
		case send.NotSettled(err):
			return a.settleTaint(ctx, c, sent, fmt.Errorf("patch the taints of %s: %w", a.ref.Name, err), on)
		}
		return false, fmt.Errorf("patch the taints of %s: %w", a.ref.Name, err)
	}
	return false, fmt.Errorf("patch the taints of %s: changed by others %d times in a row: %w", a.ref.Name, tries, err)
}

// settleTaint finds out what has become of a patch without a good answer. If the node is gone meanwhile, nobody can say any
// more whether it had the taint before that, and let its pods go.
func (a aim) settleTaint(ctx context.Context, c *kube.Cluster, sent time.Time, failed error, on bool) (bool, error) {
	done, err := send.Settle(ctx, sent, failed, func(ctx context.Context) (bool, error) {
		node, err := readNode(ctx, c, a.ref)
		if errors.Is(err, errGone) {
			err = fmt.Errorf("%w: %w", err, send.ErrReplaced) // an end: there is nothing left to look at
		}
		return err == nil && hasTaint(node) == on, err
	})
	if errors.Is(err, send.ErrReplaced) {
		return false, fmt.Errorf("%w; the node is gone since: %w", failed, send.ErrUnknown)
	}
	return done, err
}

// look reads the node, and says so if it is no longer as the plan showed it.
func (a aim) look(ctx context.Context, c *kube.Cluster, mustBeDead bool) (*corev1.Node, error) {
	object, err := readNode(ctx, c, a.ref)
	if err != nil {
		return nil, err
	}
	if what := difference(a.taints, object.Spec.Taints); what != "" {
		return nil, fmt.Errorf("%s %w: %s", words(a.ref.Name), errChanged, what)
	}
	if mustBeDead {
		err = a.stillDead(ctx, c, object)
	}
	return object, err
}

// difference says what somebody has done to taints, "" if nothing.
func difference(then, now []corev1.Taint) string {
	before, after := theirs(then), theirs(now)
	var out []string
	for _, t := range after {
		if !slices.Contains(before, t) {
			out = append(out, "+"+t)
		}
	}
	for _, t := range before {
		if !slices.Contains(after, t) {
			out = append(out, "-"+t)
		}
	}
	return some(out, 4)
}

// theirs are the taints that somebody has set: not those that the control plane makes of the status (nodelifecycle), nor
// the one that this is about.
func theirs(taints []corev1.Taint) []string {
	var out []string
	for _, t := range taints {
		if !strings.HasPrefix(t.Key, "node.kubernetes.io/") {
			out = append(out, words(t.ToString()))
		}
	}
	return out
}

// taintWords are all taints, the one that matters here first.
func taintWords(taints []corev1.Taint) []string {
	var out []string
	for _, t := range taints {
		if t.Key == corev1.TaintNodeOutOfService {
			out = slices.Insert(out, 0, words(t.ToString()))
		} else {
			out = append(out, words(t.ToString()))
		}
	}
	return out
}

// patchTaints sends the whole list, with the UID and the version of what it was made from.
func patchTaints(ctx context.Context, c *kube.Cluster, n *corev1.Node, on bool) error {
	taints := slices.DeleteFunc(slices.Clone(n.Spec.Taints), func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
	if on {
		add, now := outOfService, metav1.Now()
		add.TimeAdded = &now
		taints = append(taints, add)
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": n.UID, "resourceVersion": n.ResourceVersion},
		"spec":     map[string]any{"taints": taints},
	})
	if err != nil {
		return err
	}
	return send.Once(c.Client().CoreV1().RESTClient().Patch(types.MergePatchType).Resource("nodes").Name(n.Name)).
		VersionedParams(&metav1.PatchOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		Body(body).Do(ctx).Error()
}

// deleteNode deletes the Node object, and reports whether that changed anything: it does not if there is none any more. One
// with finalizers is not gone when the server has accepted that: errHeld. An outcome without an answer is looked up: our
// object is gone, or going, or still there.
func deleteNode(ctx context.Context, c *kube.Cluster, a aim) (changed bool, err error) {
	object, err := readNode(ctx, c, a.ref)
	if errors.Is(err, errGone) {
		return false, nil
	}
	if err == nil && !a.alive {
		err = a.stillDead(ctx, c, object)
	}
	if err != nil {
		return false, err
	}
	sent := time.Now()
	answer, err := send.Once(c.Client().CoreV1().RESTClient().Delete().Resource("nodes").Name(a.ref.Name)).
		Body(&metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(a.ref.UID)}).Do(ctx).Get()
	switch {
	case err == nil:
		return true, kept(answer)
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsConflict(err):
		if _, now := readNode(ctx, c, a.ref); errors.Is(now, send.ErrReplaced) {
			return false, now
		}
	case send.NotSettled(err):
		return a.settleDeletion(ctx, c, sent, fmt.Errorf("delete node %s: %w", a.ref.Name, err))
	}
	return false, fmt.Errorf("delete node %s: %w", a.ref.Name, err)
}

func (a aim) settleDeletion(ctx context.Context, c *kube.Cluster, sent time.Time, failed error) (bool, error) {
	var going error
	done, err := send.Settle(ctx, sent, failed, func(ctx context.Context) (bool, error) {
		object, err := readNode(ctx, c, a.ref)
		switch {
		case errors.Is(err, errGone), errors.Is(err, send.ErrReplaced):
			return true, nil
		case err != nil:
			return false, err
		}
		going = kept(object)
		return going != nil, nil
	})
	if err == nil {
		err = going
	}
	return done, err
}

// kept is errHeld for a node that is being deleted and still there, nil for any other answer to a deletion.
func kept(answer runtime.Object) error {
	node, is := answer.(*corev1.Node)
	if !is || node.DeletionTimestamp == nil {
		return nil
	}
	return fmt.Errorf("%s %w: held by finalizer %s", words(node.Name), errHeld, words(join(node.Finalizers)))
}

// stillDead refuses a node whose kubelet is heard again since the plan.
func (a aim) stillDead(ctx context.Context, c *kube.Cluster, object *corev1.Node) error {
	lease, err := readLease(ctx, c, a.ref.Name)
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	if lives(&node{object: object, lease: lease}, time.Now()).alive() {
		return fmt.Errorf("%s %w", words(a.ref.Name), errAlive)
	}
	return nil
}
